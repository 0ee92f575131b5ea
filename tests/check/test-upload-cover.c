/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One upload, without GStreamer, and its cover: known from the beginning, come
 * later, or not at all; whatever happens to the upload meanwhile.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cloud/vodimage.h"

#include "testcover.h"
#include "teststopwatch.h"

/* --- where it comes from --------------------------------------------------*/

/* Uploaded beside the parts, and committed with them. */
static void
test_known_from_the_beginning (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  cover_run_put_file (&run, cover_jpeg ('a'));
  owner = cover_run_begin (&run);
  owner_write_mib (owner, 5);
  owner_wait_opened (owner);
  g_assert_true (emulator_wait_count (run.emulator, "PutObject", 200, 1));
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('a'));
  cover_run_assert_counts (&run, 1, 1, 1);
  g_assert_cmpstr (
      owner->story->str, ==, "opening opened closing closed finished");
  g_assert_cmpuint (owner->retries, ==, 0);
  cover_run_clear (&run);
}

static void
test_without (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  run.located = FALSE;
  owner = cover_run_begin (&run);
  owner_write_mib (owner, 1);
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, NULL);
  cover_run_assert_counts (&run, 1, 0, 1);
  cover_run_clear (&run);
}

/* Exchanged on the committed media. */
static void
test_a_file_that_comes_later (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  owner = cover_run_begin (&run);
  owner_write_mib (owner, 3);
  owner_wait_opened (owner);
  cover_run_put_file (&run, cover_png ('p'));
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, cover_png ('p'));
  cover_run_assert_counts (&run, 2, 1, 2);
  g_assert_cmpuint (emulator_n_media (run.emulator), ==, 1);
  g_assert_cmpstr (
      owner->story->str, ==, "opening opened closing closed finished");
  cover_run_clear (&run);
}

/* As one that is just being written. */
static void
test_an_empty_file_that_fills (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  cover_run_put_file (&run, g_bytes_new (NULL, 0));
  owner = cover_run_begin (&run);
  owner_write_mib (owner, 1);
  owner_wait_opened (owner);
  cover_run_put_file (&run, cover_jpeg ('a'));
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('a'));
  g_assert_cmpuint (owner->mishaps, ==, 0);
  cover_run_clear (&run);
}

/* What was there at first may have been half of it, or a picture of before. */
static void
test_a_file_that_changes (void)
{
  CoverRun run;
  Owner *owner;
  GBytes *whole = cover_jpeg ('a');

  cover_run_init (&run);
  cover_run_put_file (&run, g_bytes_new_from_bytes (whole, 0, 40));
  owner = cover_run_begin (&run);
  owner_write_mib (owner, 1);
  owner_wait_opened (owner);
  cover_run_put_file (&run, g_bytes_ref (whole));
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, whole);
  cover_run_assert_counts (&run, 2, 2, 2);
  g_assert_cmpuint (owner->mishaps, ==, 0);
  cover_run_clear (&run);
}

/* It was read, and has gone, or is something else now. */
static void
test_a_file_that_goes (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  cover_run_put_file (&run, cover_jpeg ('a'));
  owner = cover_run_begin (&run);
  owner_write_mib (owner, 1);
  owner_wait_opened (owner);
  cover_run_put_file (&run, g_bytes_new ("no picture at all", 17));
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('a'));
  cover_run_assert_counts (&run, 1, 1, 1);
  g_assert_cmpuint (owner->mishaps, ==, 0);
  cover_run_clear (&run);
}

/* What it has become is no cover, and no reason to give up the one it was. */
static void
test_a_file_that_is_spoiled (void)
{
  for (guint i = 0; i < 3; i++) {
    CoverRun run;
    Owner *owner;

    cover_run_init (&run);
    cover_run_put_file (&run, cover_jpeg ('a'));
    owner = cover_run_begin (&run);
    owner_set_cover (owner, VOD_COVER_TAG, cover_jpeg ('t'));
    owner_write_mib (owner, 1);
    owner_wait_opened (owner);
    cover_run_put_file (&run,
        i == 0       ? cover_garbage ()
            : i == 1 ? g_bytes_new (NULL, 0)
                     : cover_picture ("\xff\xd8\xff", 'l', VOD_IMAGE_MAX + 1));
    owner_assert_finished (owner, 0);
    cover_run_assert (&run, 0, cover_jpeg ('a'));
    cover_run_assert_counts (&run, 1, 1, 1);
    g_assert_cmpuint (owner->mishaps, ==, 0);
    cover_run_clear (&run);
  }
}

static void
test_a_file_that_never_comes (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  owner = cover_run_begin (&run);
  owner_write_mib (owner, 1);
  owner_wait_opened (owner);
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, NULL);
  owner_assert_mishap (owner, VOD_ERROR_PARAMETER, "No such file");
  g_assert_cmpint (owner->mishap_number, ==, -1);
  g_assert_cmpstr (owner->story->str, ==,
      "opening opened closing mishap-cover closed finished");
  cover_run_assert_counts (&run, 1, 0, 1);
  cover_run_clear (&run);
}

static void
test_a_sample_at_the_last_moment (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  run.located = FALSE;
  owner = cover_run_begin (&run);
  owner_write_mib (owner, 2);
  owner_wait_opened (owner);
  owner_set_cover (owner, VOD_COVER_SAMPLE, cover_jpeg ('s'));
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('s'));
  cover_run_assert_counts (&run, 2, 1, 2);
  cover_run_clear (&run);
}

/* One is committed with the media, a better one then takes its place. */
static void
test_a_better_one_later (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  owner = cover_run_begin (&run);
  owner_set_cover (owner, VOD_COVER_TAG, cover_jpeg ('t'));
  owner_write_mib (owner, 2);
  g_assert_true (emulator_wait_count (run.emulator, "PutObject", 200, 1));
  owner_set_cover (owner, VOD_COVER_SAMPLE, cover_png ('s'));
  cover_run_put_file (&run, cover_jpeg ('f'));
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('f'));
  cover_run_assert_counts (&run, 2, 2, 2);
  cover_run_clear (&run);
}

/* The last tag counts, but not before a sample. */
static void
test_a_worse_one_later (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  run.located = FALSE;
  owner = cover_run_begin (&run);
  owner_set_cover (owner, VOD_COVER_SAMPLE, cover_jpeg ('s'));
  owner_write_mib (owner, 2);
  g_assert_true (emulator_wait_count (run.emulator, "PutObject", 200, 1));
  owner_set_cover (owner, VOD_COVER_TAG, cover_jpeg ('t'));
  owner_set_cover (owner, VOD_COVER_TAG, cover_jpeg ('u'));
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('s'));
  cover_run_assert_counts (&run, 1, 1, 1);
  cover_run_clear (&run);
}

static void
test_the_same_again (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  owner = cover_run_begin (&run);
  owner_set_cover (owner, VOD_COVER_TAG, cover_jpeg ('a'));
  owner_write_mib (owner, 2);
  owner_wait_opened (owner);
  owner_set_cover (owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  cover_run_put_file (&run, cover_jpeg ('a'));
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('a'));
  cover_run_assert_counts (&run, 1, 1, 1);
  cover_run_clear (&run);
}

static void
test_set_and_taken_back (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  run.located = FALSE;
  owner = cover_run_begin (&run);
  owner_set_cover (owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  owner_set_cover (owner, VOD_COVER_SAMPLE, NULL);
  owner_write_mib (owner, 1);
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, NULL);
  cover_run_assert_counts (&run, 1, 0, 1);
  g_assert_cmpuint (owner->mishaps, ==, 0);
  cover_run_clear (&run);
}

/* Each is told of, then the next one is the cover. */
static void
test_unusable_ones (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  cover_run_put_file (&run, cover_garbage ());
  owner = cover_run_begin (&run);
  owner_set_cover (owner, VOD_COVER_SAMPLE,
      cover_picture ("\xff\xd8\xff", 'l', VOD_IMAGE_MAX + 1));
  owner_set_cover (owner, VOD_COVER_TAG, cover_jpeg ('t'));
  owner_write_mib (owner, 1);
  owner_wait_opened (owner);
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('t'));
  g_assert_cmpuint (owner->mishaps, ==, 2);
  g_assert_cmpint (owner->mishap_code, ==, VOD_ERROR_PARAMETER);
  g_assert_cmpstr (owner->story->str, ==,
      "opening mishap-cover mishap-cover opened closing closed finished");
  cover_run_assert_counts (&run, 1, 1, 1);
  cover_run_clear (&run);
}

static void
test_nothing_but_unusable_ones (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  g_assert_cmpint (g_mkdir (run.path, 0700), ==, 0);
  owner = cover_run_begin (&run);
  owner_set_cover (owner, VOD_COVER_SAMPLE, g_bytes_new (NULL, 0));
  owner_write_mib (owner, 1);
  owner_wait_opened (owner);
  owner_set_cover (owner, VOD_COVER_TAG, cover_garbage ());
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, NULL);
  g_assert_cmpuint (owner->mishaps, ==, 3);
  cover_run_assert_counts (&run, 1, 0, 1);
  cover_run_clear (&run);
}

/* The largest there may be; and every type keeps its own. */
static void
test_sizes_and_types (void)
{
  static const gchar *const magics[] = {"GIF89a", "BM", "\xff\xd8\xff"};

  for (guint i = 0; i < G_N_ELEMENTS (magics); i++) {
    gsize len = i == 2 ? VOD_IMAGE_MAX : 16;
    CoverRun run;
    Owner *owner;

    cover_run_init (&run);
    cover_run_put_file (&run, cover_picture (magics[i], 'x', len));
    owner = cover_run_begin (&run);
    owner_write_mib (owner, 1);
    owner_assert_finished (owner, 0);
    cover_run_assert (&run, 0, cover_picture (magics[i], 'x', len));
    cover_run_clear (&run);
  }
}

/* --- with what the upload goes through ------------------------------------*/

/* One worker: the media goes first, also where the cover hangs. */
static void
test_one_worker (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  run.parallel = 1;
  cover_run_put_file (&run, cover_jpeg ('a'));
  owner = cover_run_begin (&run);
  emulator_add_faults (run.emulator, "{\"op\":\"PutObject\",\"delay\":1000}");
  vod_upload_set_paused (owner->upload, TRUE);
  owner_write_mib (owner, 3);
  vod_upload_finish (owner->upload);
  vod_upload_set_paused (owner->upload, FALSE);
  g_assert_true (emulator_wait_hits (run.emulator, 1));
  g_assert_cmpuint (
      emulator_count (run.emulator, "CompleteMultipartUpload", 200), ==, 1);
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('a'));
  cover_run_assert_counts (&run, 1, 1, 1);
  g_assert_cmpuint (test_count_threads ("vod-upload"), <=, 1);
  cover_run_clear (&run);
}

/* Complete does not wait for it, only Commit does. */
static void
test_a_slow_cover (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  cover_run_put_file (&run, cover_jpeg ('a'));
  owner = cover_run_begin (&run);
  emulator_add_faults (run.emulator, "{\"op\":\"PutObject\",\"delay\":1500}");
  owner_write_mib (owner, 1);
  vod_upload_finish (owner->upload);
  g_assert_true (
      emulator_wait_count (run.emulator, "CompleteMultipartUpload", 200, 1));
  g_assert_cmpuint (emulator_count (run.emulator, "PutObject", 200), ==, 0);
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('a'));
  cover_run_assert_counts (&run, 1, 1, 1);
  cover_run_clear (&run);
}

/* No cover is begun while the upload is paused, no more than a part is. */
static void
test_paused (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  cover_run_put_file (&run, cover_jpeg ('a'));
  owner = cover_run_begin (&run);
  vod_upload_set_paused (owner->upload, TRUE);
  owner_write_mib (owner, 2);
  owner_wait_opened (owner);
  g_usleep (300000);
  g_assert_cmpuint (emulator_count (run.emulator, "PutObject", -1), ==, 0);
  vod_upload_set_paused (owner->upload, FALSE);
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('a'));
  cover_run_clear (&run);
}

/* They are renewed while the cover waits for another try, and at the end. */
static void
test_credentials_that_expire (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init_with (&run, "--credential-lifetime", "3");
  cover_run_put_file (&run, cover_jpeg ('a'));
  owner = cover_run_begin (&run);
  emulator_add_faults (run.emulator,
      "{\"op\":\"PutObject\",\"status\":503,\"retry-after\":4,\"times\":1}");
  owner_write_mib (owner, 1);
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('a'));
  g_assert_cmpuint (owner->mishaps, ==, 0);
  g_assert_cmpuint (
      emulator_count (run.emulator, "ApplyUploadUGC", 200), >=, 2);
  g_assert_cmpuint (emulator_n_sessions (run.emulator), ==, 1);
  cover_run_clear (&run);
}

/* What of the media is still under way fails when that is committed, and its
 * cover is being exchanged: that begins nothing anew. */
static void
test_a_renewal_that_comes_too_late (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init_with (&run, "--credential-lifetime", "2");
  run.located = FALSE;
  owner = cover_run_begin (&run);
  vod_upload_expect_rewrites (owner->upload);
  emulator_add_faults (run.emulator,
      "[{\"op\":\"CompleteMultipartUpload\",\"delay\":2500},"
      "{\"op\":\"ApplyUploadUGC\",\"skip\":1,\"times\":1,\"delay\":2500},"
      "{\"op\":\"ApplyUploadUGC\",\"skip\":1,\"times\":1,"
      "\"json\":{\"code\":10001,\"message\":\"no\"}},"
      "{\"op\":\"PutObject\",\"delay\":4000}]");
  owner_write_mib (owner, 3);
  owner_wait_opened (owner);
  owner_set_cover (owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('a'));
  g_assert_cmpuint (emulator_count (run.emulator, "ApplyUploadUGC", -1), ==, 3);
  g_assert_cmpuint (
      emulator_count (run.emulator, "InitiateMultipartUpload", -1), ==, 1);
  g_assert_cmpuint (owner->retries, ==, 0);
  cover_run_clear (&run);
}

static gint slow_disk;

/* Spools take their time, and then fail. */
int
fdatasync (int fd)
{
  g_autofree gchar *link = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autofree gchar *path = g_file_read_link (link, NULL);

  if (!g_atomic_int_get (&slow_disk) || !path || !strstr (path, ".media"))
    return (int)syscall (SYS_fdatasync, fd);
  g_usleep (1500000);
  errno = EIO;
  return -1;
}

/* The spool went with Commit: nobody needs it any more. */
static void
test_a_sync_that_comes_too_late (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  run.located = FALSE;
  run.resume = run.spool = TRUE;
  owner = cover_run_begin (&run);
  emulator_add_faults (run.emulator, "{\"op\":\"PutObject\",\"delay\":2500}");
  owner_write_mib (owner, 2);
  owner_wait_opened (owner);
  owner_set_cover (owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  g_atomic_int_set (&slow_disk, TRUE);
  owner_assert_finished (owner, 0);
  g_atomic_int_set (&slow_disk, FALSE);
  cover_run_assert (&run, 0, cover_jpeg ('a'));
  g_assert_cmpstr (
      owner->story->str, ==, "opening opened closing closed finished");
  cover_run_clear (&run);
}

/* --- stopped --------------------------------------------------------------*/

typedef struct {
  const gchar *name;
  const gchar *faults; /* it hangs there */
  gboolean later;      /* the cover comes when Apply was sent */
  gboolean committed;
} Stop;

static const Stop stops[] = {
    {"beside", "{\"op\":\"PutObject\",\"stall\":true}", FALSE, FALSE},
    {"beside-retry",
        "{\"op\":\"PutObject\",\"status\":503,\"retry-after\":200}", FALSE,
        FALSE},
    {"exchange-apply", "{\"op\":\"ApplyUploadUGC\",\"stall\":true}", TRUE,
        TRUE},
    {"exchange-put", "{\"op\":\"PutObject\",\"stall\":true}", TRUE, TRUE},
    {"exchange-retry",
        "{\"op\":\"PutObject\",\"status\":503,\"retry-after\":200}", TRUE,
        TRUE},
    {"exchange-commit",
        "{\"op\":\"CommitUploadUGC\",\"skip\":1,\"stall\":true}", TRUE, TRUE},
};

static void
bring_to (CoverRun *run, const Stop *stop)
{
  Owner *owner = cover_run_begin (run);

  run->located = FALSE;
  if (!stop->later)
    owner_set_cover (owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  else
    vod_upload_set_paused (owner->upload, TRUE);
  if (!stop->later)
    emulator_add_faults (run->emulator, stop->faults);
  owner_write_mib (owner, 2);
  if (stop->later) {
    owner_wait_opened (owner);
    owner_set_cover (owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
    emulator_add_faults (run->emulator, stop->faults);
    vod_upload_set_paused (owner->upload, FALSE);
  }
  vod_upload_finish (owner->upload);
  g_assert_true (emulator_wait_hits (run->emulator, 1));
  g_assert_true (
      emulator_wait_count (run->emulator, "CompleteMultipartUpload", 200, 1));
}

/* Once the media is committed it stays so, and is told. */
static void
test_stop (gconstpointer data)
{
  const Stop *stop = data;
  CoverRun run;
  Owner *owner;
  g_autoptr (TestStopwatch) watch = NULL;

  cover_run_init (&run);
  run.located = FALSE;
  bring_to (&run, stop);
  owner = run.owner;
  watch = test_stopwatch_new ();
  vod_upload_stop (owner->upload, FALSE);
  g_assert_cmpint (test_stopwatch_ms (watch), <, 100);
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_cmpint (test_stopwatch_ms (watch), <, 2000);
  g_assert_cmpuint (owner->failed, ==, 0);
  g_assert_cmpuint (owner->finished, ==, stop->committed);
  g_assert_cmpuint (emulator_n_media (run.emulator), ==, stop->committed);
  g_assert_cmpuint (emulator_n_uploads (run.emulator), ==, 0);
  if (stop->committed) {
    g_assert_cmpuint (
        emulator_count (run.emulator, "AbortMultipartUpload", -1), ==, 0);
    g_assert_null (owner->cover_url);
    owner_assert_mishap (owner, VOD_ERROR_CANCELLED, "committed");
  }
  cover_run_clear (&run);
}

static void
test_cancel (gconstpointer data)
{
  const Stop *stop = data;
  CoverRun run;
  Owner *owner;
  g_autoptr (TestStopwatch) watch = NULL;

  cover_run_init (&run);
  run.located = FALSE;
  bring_to (&run, stop);
  owner = run.owner;
  watch = test_stopwatch_new ();
  vod_upload_fail (
      owner->upload, vod_error_new (VOD_ERROR_CANCELLED, "cancelled"));
  g_assert_cmpint (vod_upload_wait (owner->upload), ==,
      stop->committed ? VOD_FLOW_OK : VOD_FLOW_FAILED);
  g_assert_cmpint (test_stopwatch_ms (watch), <, 100);
  g_assert_cmpuint (owner->failed, ==, !stop->committed);
  g_assert_cmpuint (owner->finished, ==, stop->committed);
  if (stop->committed) {
    owner_assert_finished (owner, 0);
    g_assert_null (owner->cover_url);
    owner_assert_mishap (owner, VOD_ERROR_CANCELLED, "committed");
    g_assert_cmpstr (owner->story->str, ==,
        "opening opened closing mishap-cover closed finished");
  }
  cover_run_clear (&run);
}

/* At random moments, over and over: exactly one end, and never a failure of what
 * is committed. */
static void
test_cancel_at_any_moment (void)
{
  for (guint i = 0; i < 40; i++) {
    CoverRun run;
    Owner *owner;
    gboolean committed;

    cover_run_init (&run);
    owner = cover_run_begin (&run);
    owner_set_cover (owner, VOD_COVER_TAG, cover_jpeg ('a'));
    g_assert_cmpint (owner_write (owner, 1000), ==, VOD_FLOW_OK);
    owner_set_cover (owner, VOD_COVER_SAMPLE, cover_jpeg ('b'));
    cover_run_put_file (&run, cover_jpeg ('c'));
    vod_upload_finish (owner->upload);
    g_usleep ((gulong)g_test_rand_int_range (0, 40000));
    vod_upload_fail (
        owner->upload, vod_error_new (VOD_ERROR_CANCELLED, "cancelled"));
    committed = vod_upload_wait (owner->upload) == VOD_FLOW_OK;
    /* Also what comes late is told once. */
    g_assert_true (vod_upload_join (owner->upload));
    if (committed) {
      g_assert_cmpuint (owner->finished, ==, 1);
      g_assert_cmpuint (owner->failed, ==, 0);
      g_assert_cmpuint (emulator_n_media (run.emulator), ==, 1);
    } else {
      g_assert_cmpuint (owner->finished, ==, 0);
      g_assert_cmpuint (owner->failed, ==, 1);
    }
    cover_run_clear (&run);
  }
}

/* Who cancels, or stops, from within what he is told, at the worst of moments. */
static void
cancel_it (gpointer data)
{
  Owner *owner = data;

  owner->at_mishap = NULL;
  vod_upload_fail (
      owner->upload, vod_error_new (VOD_ERROR_CANCELLED, "cancelled"));
}

static void
stop_it (gpointer data)
{
  Owner *owner = data;

  owner->at_mishap = NULL;
  vod_upload_stop (owner->upload, FALSE);
}

static void
test_from_within_a_mishap (gconstpointer data)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  run.located = FALSE;
  owner = cover_run_begin (&run);
  owner->at_mishap = (void (*) (gpointer))data;
  emulator_add_faults (run.emulator,
      "[{\"op\":\"ApplyUploadUGC\",\"skip\":1,\"status\":403,"
      "\"code\":\"AccessDenied\"}]");
  owner_write_mib (owner, 1);
  owner_wait_opened (owner);
  owner_set_cover (owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  owner_assert_finished (owner, 0);
  g_assert_null (owner->cover_url);
  cover_run_clear (&run);
}

/* … when the media is just committed, and nothing of the cover is begun. */
static void
test_from_within_the_first_mishap (gconstpointer data)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  owner = cover_run_begin (&run);
  owner->at_mishap = (void (*) (gpointer))data;
  owner_write_mib (owner, 1);
  owner_wait_opened (owner);
  owner_set_cover (owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==,
      data == (gconstpointer)stop_it ? VOD_FLOW_STOPPED : VOD_FLOW_OK);
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_cmpstr (owner->story->str, ==,
      "opening opened closing mishap-cover mishap-cover closed finished");
  g_assert_cmpint (owner->mishap_code, ==, VOD_ERROR_CANCELLED);
  cover_run_assert_counts (&run, 1, 0, 1);
  cover_run_clear (&run);
}

static void
linger (gpointer data)
{
  g_usleep (300000);
}

/* While the owner is told, the other workers have nothing to do with it. */
static void
test_a_mishap_is_told_before_anything_goes_on (gconstpointer data)
{
  gboolean exchange = GPOINTER_TO_INT (data);
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  run.located = FALSE;
  owner = cover_run_begin (&run);
  owner->at_mishap = linger;
  if (!exchange)
    owner_set_cover (owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  emulator_add_faults (run.emulator,
      "{\"op\":\"PutObject\",\"status\":403,\"code\":\"AccessDenied\"}");
  owner_write_mib (owner, 4);
  if (exchange) {
    owner_wait_opened (owner);
    owner_set_cover (owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  }
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, NULL);
  g_assert_cmpuint (owner->mishaps, ==, 1);
  g_assert_true (g_str_has_suffix (owner->story->str, " closed finished"));
  g_assert_cmpuint (emulator_count (run.emulator, "PutObject", -1), ==, 1);
  cover_run_clear (&run);
}

/* --- interrupted, and from the beginning ----------------------------------*/

/* The first run ends before it is complete; with a cover or without. */
static void
interrupt_a_run (CoverRun *run, GBytes *cover)
{
  Owner *owner = cover_run_begin (run);

  if (cover)
    owner_set_cover (owner, VOD_COVER_SAMPLE, cover);
  owner_write_mib (owner, 2);
  g_assert_true (emulator_wait_upload_bytes (run->emulator, 2 * (guint64)MIB));
  if (cover)
    g_assert_true (emulator_wait_count (run->emulator, "PutObject", 200, 1));
  cover_run_end (run);
}

static void
test_resume (gconstpointer data)
{
  const gchar *which = data;
  GBytes *second = strchr (which, '2') ? cover_jpeg ('2')
      : strchr (which, 'p')            ? cover_png ('p')
                                       : NULL;
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  run.located = FALSE;
  run.resume = TRUE;
  interrupt_a_run (&run, which[0] == '1' ? cover_jpeg ('1') : NULL);
  owner = cover_run_begin (&run);
  if (second)
    owner_set_cover (owner, VOD_COVER_SAMPLE, g_bytes_ref (second));
  owner_write_mib (owner, 3);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (owner->mishaps, ==, 0);
  g_assert_cmpuint (emulator_n_media (run.emulator), ==, 1);
  cover_run_assert (&run, 0, second ? second : cover_jpeg ('1'));
  cover_run_clear (&run);
}

/* The service has forgotten the upload: the cover goes again too. */
static void
test_begin_anew (void)
{
  CoverRun run;
  Owner *owner;

  cover_run_init (&run);
  cover_run_put_file (&run, cover_jpeg ('a'));
  owner = cover_run_begin (&run);
  vod_upload_expect_rewrites (owner->upload);
  owner_write_mib (owner, 2);
  g_assert_true (emulator_wait_count (run.emulator, "PutObject", 200, 1));
  emulator_add_faults (run.emulator,
      "{\"op\":\"UploadPart\",\"forget-upload\":true,\"times\":1}");
  owner_write_mib (owner, 1);
  owner_assert_finished (owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('a'));
  cover_run_assert_counts (&run, 2, 2, 1);
  g_assert_cmpuint (owner->mishaps, ==, 0);
  cover_run_clear (&run);
}

int
main (int argc, char **argv)
{
  static const struct {
    const gchar *name;
    void (*test) (void);
  } tests[] = {
      {"known", test_known_from_the_beginning},
      {"without", test_without},
      {"file/later", test_a_file_that_comes_later},
      {"file/fills", test_an_empty_file_that_fills},
      {"file/changes", test_a_file_that_changes},
      {"file/goes", test_a_file_that_goes},
      {"file/spoiled", test_a_file_that_is_spoiled},
      {"file/never", test_a_file_that_never_comes},
      {"sample/late", test_a_sample_at_the_last_moment},
      {"better", test_a_better_one_later},
      {"worse", test_a_worse_one_later},
      {"same", test_the_same_again},
      {"taken-back", test_set_and_taken_back},
      {"unusable", test_unusable_ones},
      {"unusable/all", test_nothing_but_unusable_ones},
      {"sizes", test_sizes_and_types},
      {"one-worker", test_one_worker},
      {"slow", test_a_slow_cover},
      {"paused", test_paused},
      {"credentials", test_credentials_that_expire},
      {"too-late/renewal", test_a_renewal_that_comes_too_late},
      {"too-late/sync", test_a_sync_that_comes_too_late},
      {"cancel/any-moment", test_cancel_at_any_moment},
      {"anew", test_begin_anew},
  };
  static const gchar *const resumes[] = {"1-", "1-2", "1-p", "0-2"};

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++) {
    g_autofree gchar *path =
        g_strconcat ("/upload/cover/", tests[i].name, NULL);

    g_test_add_func (path, tests[i].test);
  }
  for (guint i = 0; i < G_N_ELEMENTS (stops); i++) {
    g_autofree gchar *stop =
        g_strconcat ("/upload/cover/stop/", stops[i].name, NULL);
    g_autofree gchar *cancel =
        g_strconcat ("/upload/cover/cancel/", stops[i].name, NULL);

    g_test_add_data_func (stop, &stops[i], test_stop);
    g_test_add_data_func (cancel, &stops[i], test_cancel);
  }
  for (guint i = 0; i < G_N_ELEMENTS (resumes); i++) {
    g_autofree gchar *path =
        g_strconcat ("/upload/cover/resume/", resumes[i], NULL);

    g_test_add_data_func (path, resumes[i], test_resume);
  }
  g_test_add_data_func (
      "/upload/cover/within/cancel", cancel_it, test_from_within_a_mishap);
  g_test_add_data_func (
      "/upload/cover/within/stop", stop_it, test_from_within_a_mishap);
  g_test_add_data_func ("/upload/cover/within/cancel-before", cancel_it,
      test_from_within_the_first_mishap);
  g_test_add_data_func ("/upload/cover/within/stop-before", stop_it,
      test_from_within_the_first_mishap);
  g_test_add_data_func ("/upload/cover/told-first/beside",
      GINT_TO_POINTER (FALSE), test_a_mishap_is_told_before_anything_goes_on);
  g_test_add_data_func ("/upload/cover/told-first/exchange",
      GINT_TO_POINTER (TRUE), test_a_mishap_is_told_before_anything_goes_on);
  return g_test_run ();
}

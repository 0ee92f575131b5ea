/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An upload that was interrupted, taken up by another: what goes again and what
 * does not, and what is left on either side however it ends.
 */
#include "testruns.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "upload/vodsession.h"

#define OTHER_KEY "fedcba9876543210fedcba9876543210"
#define WHOLE (6 * MIB) /* bytes of the media; its first run sends … */
#define PART_WAY (5 * MIB + 1000)
#define ALL_UP (5 * MIB) /* … so many, in five parts of a MiB */

/* --- the two runs ---------------------------------------------------------*/

static void
begin_test (Runs *runs)
{
  runs_init (runs, NULL);
  runs->resume_key = "camera";
}

static VodUploadStats
stats_of (Owner *owner)
{
  VodUploadStats stats;

  vod_upload_get_stats (owner->upload, &stats);
  return stats;
}

typedef struct {
  Owner *owner;
  guint64 bytes;
} Amount;

static gboolean
is_up (gpointer data)
{
  Amount *amount = data;

  return stats_of (amount->owner).bytes_uploaded >= amount->bytes;
}

static void
wait_up (Owner *owner, guint64 bytes)
{
  Amount amount = {owner, bytes};

  g_assert_true (test_wait_until (is_up, &amount, 20));
}

/* The first run, stopped when all that can be up is. */
static void
interrupted_run (Runs *runs)
{
  g_autofree guint8 *bytes = runs_media (PART_WAY);
  Owner *owner = runs_begin (runs);

  g_assert_cmpint (runs_give (owner, bytes, PART_WAY), ==, VOD_FLOW_OK);
  wait_up (owner, ALL_UP);
  owner_free (owner);
  g_assert_true (g_file_test (runs->session, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (emulator_n_uploads (runs->emulator), ==, 1);
}

static void
assert_last_media (Runs *runs, const guint8 *bytes, gsize len)
{
  guint n = emulator_n_media (runs->emulator);

  g_assert_cmpuint (n, >=, 1);
  g_assert_true (emulator_media_is (runs->emulator, n - 1, bytes, len));
}

static guint
parts_sent (const Runs *runs)
{
  return emulator_count (runs->emulator, "UploadPart", 200);
}

static void
assert_nothing_left (const Runs *runs)
{
  g_assert_cmpuint (emulator_n_uploads (runs->emulator), ==, 0);
  g_assert_cmpuint (runs_count_files (runs, ""), ==, 0);
}

/* --- what goes again ------------------------------------------------------*/

static void
test_what_is_up_does_not_go_again (void)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  g_autofree gchar *story = NULL;
  VodUploadStats stats;
  Runs runs;

  begin_test (&runs);
  interrupted_run (&runs);
  story = runs_whole (&runs, bytes, WHOLE, &stats);
  g_assert_cmpstr (story, ==, "opening opened closing closed finished");
  g_assert_cmpuint (parts_sent (&runs), ==, 6);
  g_assert_cmpuint (stats.parts_skipped, ==, 5);
  g_assert_cmpuint (stats.parts_uploaded, ==, 1);
  g_assert_cmpuint (stats.bytes_sent, <, 2 * MIB);
  g_assert_cmpuint (emulator_n_sessions (runs.emulator), ==, 1);
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

static void
test_what_has_changed_goes_again (void)
{
  g_autofree guint8 *bytes = runs_changed_media (WHOLE, 2 * MIB + 5);
  VodUploadStats stats;
  Runs runs;

  begin_test (&runs);
  interrupted_run (&runs);
  g_free (runs_whole (&runs, bytes, WHOLE, &stats));
  g_assert_cmpuint (parts_sent (&runs), ==, 7);
  g_assert_cmpuint (stats.parts_skipped, ==, 4);
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

/* Parts beyond the last are not listed at Complete. */
static void
test_a_shorter_media (void)
{
  g_autofree guint8 *bytes = runs_media (3 * MIB + 7);
  VodUploadStats stats;
  Runs runs;

  begin_test (&runs);
  interrupted_run (&runs);
  g_free (runs_whole (&runs, bytes, 3 * MIB + 7, &stats));
  g_assert_cmpuint (parts_sent (&runs), ==, 6);
  g_assert_cmpuint (stats.parts_skipped, ==, 3);
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

static void
test_a_much_longer_media (void)
{
  g_autofree guint8 *bytes = runs_media (11 * MIB + 7);
  VodUploadStats stats;
  Runs runs;

  begin_test (&runs);
  interrupted_run (&runs);
  g_free (runs_whole (&runs, bytes, 11 * MIB + 7, &stats));
  g_assert_cmpuint (stats.parts_skipped, ==, 5);
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

/* The third run finds what the second has sent. */
static void
test_interrupted_twice (void)
{
  g_autofree guint8 *bytes = runs_media (WHOLE + 5 * MIB);
  VodUploadStats stats;
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  interrupted_run (&runs);
  owner = runs_begin (&runs);
  runs_give (owner, bytes, 8 * MIB + 500);
  wait_up (owner, 8 * MIB);
  owner_free (owner);
  g_free (runs_whole (&runs, bytes, WHOLE + 5 * MIB, &stats));
  g_assert_cmpuint (stats.parts_skipped, ==, 8);
  g_assert_cmpuint (parts_sent (&runs), ==, 11);
  g_assert_cmpuint (emulator_n_sessions (runs.emulator), ==, 1);
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

/* It cuts where the interrupted one did. */
static void
test_another_slice_size (void)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  VodUploadStats stats;
  Runs runs;

  begin_test (&runs);
  interrupted_run (&runs);
  runs.slice_size = 3 * MIB;
  runs.memory = 64 * MIB;
  g_free (runs_whole (&runs, bytes, WHOLE, &stats));
  g_assert_cmpuint (stats.parts_skipped, ==, 5);
  g_assert_cmpuint (parts_sent (&runs), ==, 6);
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

/* A part that memory cannot hold any more is cut anew, and all behind it. */
static void
test_less_memory (void)
{
  g_autofree guint8 *bytes = runs_media (WHOLE + 8 * MIB);
  VodUploadStats stats;
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  runs.slice_size = runs.memory = 16 * MIB;
  runs.slice_size = 4 * MIB;
  owner = runs_begin (&runs);
  /* While it cannot be sent, slices grow large. */
  vod_upload_set_paused (owner->upload, TRUE);
  runs_give (owner, bytes, 5 * MIB + 100);
  vod_upload_set_paused (owner->upload, FALSE);
  wait_up (owner, 5 * MIB);
  owner_free (owner);
  g_assert_cmpuint (parts_sent (&runs), ==, 2);

  runs.slice_size = MIB;
  runs.memory = 4 * MIB;
  g_free (runs_whole (&runs, bytes, WHOLE + 8 * MIB, &stats));
  g_assert_cmpuint (stats.parts_skipped, ==, 1);
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

/* Without CRC64 in the service's answers the ETag must be the MD5. */
static void
test_parts_without_crc64 (void)
{
  g_autofree guint8 *bytes = runs_changed_media (WHOLE, MIB);
  VodUploadStats stats;
  Runs runs;

  begin_test (&runs);
  emulator_add_faults (
      runs.emulator, "{\"op\":\"UploadPart\",\"no-crc\":true}");
  interrupted_run (&runs);
  g_free (runs_whole (&runs, bytes, WHOLE, &stats));
  g_assert_cmpuint (stats.parts_skipped, ==, 4);
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

static void
test_another_name_is_another_media (void)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  VodUploadStats stats;
  Runs runs;

  begin_test (&runs);
  interrupted_run (&runs);
  runs.name = "another";
  g_free (runs_whole (&runs, bytes, WHOLE, &stats));
  g_assert_cmpuint (stats.parts_skipped, ==, 0);
  g_assert_cmpuint (emulator_n_sessions (runs.emulator), ==, 2);
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

/* --- what the service no longer knows -------------------------------------*/

/* Makes the session @seconds older. */
static void
age_session (const Runs *runs, gint64 seconds)
{
  VodSession *session = vod_session_open (runs->dir, RUNS_KEY, NULL);
  const VodSessionState *found = vod_session_found (session);
  g_autofree gchar *upload_id = g_strdup (found->upload_id);
  g_autofree gchar *text = NULL;
  g_autoptr (GError) error = NULL;
  VodSessionState copy = {
      .endpoint = g_strdup (found->endpoint),
      .name = g_strdup (found->name),
      .type = g_strdup (found->type),
      .session_key = g_strdup (found->session_key),
      .bucket_host = g_strdup (found->bucket_host),
      .object_key = g_strdup (found->object_key),
  };
  gint64 applied = found->applied - seconds;

  g_assert_true (vod_session_begin (session, &copy, &error));
  vod_session_note_applied (session, copy.session_key, copy.bucket_host,
      copy.object_key, applied, &error);
  vod_session_note_upload (session, upload_id, &error);
  g_assert_no_error (error);
  vod_session_close (session);
  g_free (copy.endpoint);
  g_free (copy.name);
  g_free (copy.type);
  g_free (copy.session_key);
  g_free (copy.bucket_host);
  g_free (copy.object_key);
}

static void
test_a_day_later (void)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  VodUploadStats stats;
  Runs runs;

  begin_test (&runs);
  interrupted_run (&runs);
  age_session (&runs, 24 * 3600);
  g_free (runs_whole (&runs, bytes, WHOLE, &stats));
  g_assert_cmpuint (stats.parts_skipped, ==, 0);
  g_assert_cmpuint (emulator_n_sessions (runs.emulator), ==, 2);
  g_assert_cmpuint (runs_count_files (&runs, ""), ==, 0);
  runs_clear (&runs);
}

static const struct {
  const gchar *name;
  const gchar *faults;
} forgotten[] = {
    {"upload", "{\"op\":\"ListParts\",\"forget-upload\":true,\"times\":1}"},
    {"session",
        "{\"op\":\"ApplyUploadUGC\",\"forget-session\":true,\"times\":1}"},
    {"upload-at-part",
        "{\"op\":\"UploadPart\",\"forget-upload\":true,\"times\":1}"},
    {"list-denied",
        "{\"op\":\"ListParts\",\"status\":403,\"code\":\"AccessDenied\"}"},
    {"list-garbage", "{\"op\":\"ListParts\",\"garbage\":true,\"times\":2}"},
    {"list-503", "{\"op\":\"ListParts\",\"status\":503,\"times\":2}"},
    {"list-lost", "{\"op\":\"ListParts\",\"lose-answer\":true,\"times\":1}"},
    {"apply-503", "{\"op\":\"ApplyUploadUGC\",\"status\":503,\"times\":2}"},
};

static void
test_forgotten (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autofree guint8 *bytes = runs_media (WHOLE);
  g_autofree gchar *source = NULL;
  VodUploadStats stats;
  Runs runs;

  begin_test (&runs);
  /* What was dropped from memory can be read again. */
  source = g_build_filename (runs.dir, "source.mp4", NULL);
  g_assert_true (g_file_set_contents (source, (gchar *)bytes, WHOLE, NULL));
  runs.source = source;
  interrupted_run (&runs);
  emulator_add_faults (runs.emulator, forgotten[i].faults);
  g_free (runs_whole (&runs, bytes, WHOLE, &stats));
  g_assert_cmpuint (emulator_hits (runs.emulator), >=, 1);
  g_assert_cmpuint (emulator_n_sessions (runs.emulator), <=, 2);
  g_assert_cmpuint (emulator_n_media (runs.emulator), ==, 1);
  g_assert_cmpuint (runs_count_files (&runs, ".session"), ==, 0);
  runs_clear (&runs);
}

/* --- interrupted at the end -----------------------------------------------*/

/* A run that hangs where @faults make it hang, after its end. */
static void
hanging_run (Runs *runs, const gchar *faults, guint hits, gsize len)
{
  g_autofree guint8 *bytes = runs_media (len);
  Owner *owner = runs_begin (runs);

  emulator_add_faults (runs->emulator, faults);
  g_assert_cmpint (runs_give (owner, bytes, len), ==, VOD_FLOW_OK);
  vod_upload_finish (owner->upload);
  g_assert_true (emulator_wait_hits (runs->emulator, hits));
  owner_free (owner);
  emulator_clear_faults (runs->emulator);
}

static const struct {
  const gchar *name;
  const gchar *faults;
  guint hits;
  guint initiates;
  guint parts;
} ends[] = {
    {"apply-lost",
        "[{\"op\":\"ApplyUploadUGC\",\"lose-answer\":true,\"times\":1},"
        "{\"op\":\"ApplyUploadUGC\",\"stall\":true}]",
        2, 1, 3},
    {"initiate-lost",
        "[{\"op\":\"InitiateMultipartUpload\",\"lose-answer\":true,"
        "\"times\":1},{\"op\":\"ListMultipartUploads\",\"stall\":true}]",
        2, 1, 3},
    {"part-lost",
        "[{\"op\":\"UploadPart\",\"lose-answer\":true,\"times\":1},"
        "{\"op\":\"UploadPart\",\"stall\":true}]",
        2, 1, 3},
    {"complete-stalled", "{\"op\":\"CompleteMultipartUpload\",\"stall\":true}",
        1, 1, 3},
    {"complete-lost",
        "[{\"op\":\"CompleteMultipartUpload\",\"lose-answer\":true,"
        "\"times\":1},{\"op\":\"CompleteMultipartUpload\",\"stall\":true},"
        "{\"op\":\"HeadObject\",\"stall\":true}]",
        2, 1, 3},
    {"commit-stalled", "{\"op\":\"CommitUploadUGC\",\"stall\":true}", 1, 1, 3},
    {"commit-lost",
        "[{\"op\":\"CommitUploadUGC\",\"lose-answer\":true,\"times\":1},"
        "{\"op\":\"CommitUploadUGC\",\"stall\":true}]",
        2, 1, 3},
};

/* The same media again: nothing is begun twice, nothing sent twice. */
static void
test_the_same_after (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autofree guint8 *bytes = runs_media (3 * MIB);
  VodUploadStats stats;
  Runs runs;

  begin_test (&runs);
  hanging_run (&runs, ends[i].faults, ends[i].hits, 3 * MIB);
  g_free (runs_whole (&runs, bytes, 3 * MIB, &stats));
  g_assert_cmpuint (emulator_n_media (runs.emulator), ==, 1);
  g_assert_cmpuint (
      emulator_count (runs.emulator, "InitiateMultipartUpload", 200) +
          emulator_count (runs.emulator, "InitiateMultipartUpload", 0),
      ==, ends[i].initiates);
  g_assert_cmpuint (parts_sent (&runs), <=, ends[i].parts);
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

/* Another media of the same key, after the first was completed or nearly so. */
static void
try_another_after (guint i, const guint8 *bytes, gsize len)
{
  VodUploadStats stats;
  Runs runs;

  g_test_message ("%" G_GSIZE_FORMAT " bytes", len);
  begin_test (&runs);
  hanging_run (&runs, ends[i].faults, ends[i].hits, 3 * MIB);
  g_free (runs_whole (&runs, bytes, len, &stats));
  g_assert_cmpuint (runs_count_files (&runs, ".session"), ==, 0);
  runs_clear (&runs);
}

static void
test_another_after (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autofree guint8 *changed = runs_changed_media (3 * MIB, 2 * MIB + 1);
  g_autofree guint8 *first = runs_changed_media (3 * MIB, 0);
  g_autofree guint8 *longer = runs_media (3 * MIB + 5);

  try_another_after (i, changed, 3 * MIB);
  try_another_after (i, first, 3 * MIB);
  try_another_after (i, longer, 3 * MIB + 5);
  try_another_after (i, longer, 2 * MIB + 5);
  try_another_after (i, longer, 3);
}

/* More than memory holds of it was the same: this run cannot go on, but the next
 * is not misled again. */
static void
test_another_that_was_the_same_for_long (void)
{
  g_autofree guint8 *bytes = runs_changed_media (WHOLE + 3 * MIB, WHOLE + MIB);
  VodUploadStats stats;
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  hanging_run (
      &runs, "{\"op\":\"CommitUploadUGC\",\"stall\":true}", 1, WHOLE + 3 * MIB);
  owner = runs_begin (&runs);
  runs_give (owner, bytes, WHOLE + 3 * MIB);
  g_assert_cmpint (runs_finish (owner), ==, VOD_FLOW_FAILED);
  g_assert_false (owner->resumable);
  owner_free (owner);
  g_assert_cmpuint (runs_count_files (&runs, ".session"), ==, 0);
  g_free (runs_whole (&runs, bytes, WHOLE + 3 * MIB, &stats));
  g_assert_cmpuint (runs_count_files (&runs, ".session"), ==, 0);
  runs_clear (&runs);
}

/* --- keeping and discarding -----------------------------------------------*/

static void
test_stopped (gconstpointer data)
{
  gboolean discard = GPOINTER_TO_INT (data);
  g_autofree guint8 *bytes = runs_media (PART_WAY);
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  owner = runs_begin (&runs);
  g_assert_cmpint (runs_give (owner, bytes, PART_WAY), ==, VOD_FLOW_OK);
  wait_up (owner, ALL_UP);
  vod_upload_set_discard_on_stop (owner->upload, discard);
  vod_upload_stop (owner->upload, FALSE);
  g_assert_true (vod_upload_join (owner->upload));
  owner_free (owner);
  g_assert_cmpuint (emulator_n_uploads (runs.emulator), ==, discard ? 0 : 1);
  g_assert_cmpuint (
      emulator_upload_bytes (runs.emulator), ==, discard ? 0 : ALL_UP);
  g_assert_cmpuint (runs_count_files (&runs, ".session"), ==, discard ? 0 : 1);
  g_assert_cmpuint (runs_count_files (&runs, ".discard"), ==, 0);
  runs_clear (&runs);
}

static void
test_failed (gconstpointer data)
{
  gboolean discard = GPOINTER_TO_INT (data);
  g_autofree guint8 *bytes = runs_media (WHOLE);
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  owner = runs_begin (&runs);
  vod_upload_set_discard_on_stop (owner->upload, discard);
  emulator_add_faults (runs.emulator,
      "{\"op\":\"UploadPart\",\"part\":3,\"status\":403,"
      "\"code\":\"AccessDenied\"}");
  runs_give (owner, bytes, WHOLE);
  g_assert_cmpint (runs_finish (owner), ==, VOD_FLOW_FAILED);
  g_assert_cmpint (owner->resumable, ==, !discard);
  g_assert_null (owner->spool_location);
  owner_free (owner);
  g_assert_cmpuint (emulator_n_uploads (runs.emulator), ==, discard ? 0 : 1);
  g_assert_cmpuint (runs_count_files (&runs, ".session"), ==, discard ? 0 : 1);
  g_assert_cmpuint (runs_count_files (&runs, ".discard"), ==, 0);
  runs_clear (&runs);
}

static void
test_cancelled (void)
{
  g_autofree guint8 *bytes = runs_media (PART_WAY);
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  owner = runs_begin (&runs);
  g_assert_cmpint (runs_give (owner, bytes, PART_WAY), ==, VOD_FLOW_OK);
  wait_up (owner, ALL_UP);
  vod_upload_fail (
      owner->upload, vod_error_new (VOD_ERROR_CANCELLED, "cancelled"));
  g_assert_false (owner->resumable);
  owner_free (owner);
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

/* An interrupted upload that is taken up and given up before it was heard of:
 * there are no credentials to delete it with. It is remembered, once. */
static void
test_given_up_before_it_was_taken_up (void)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  VodUploadStats stats;
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  interrupted_run (&runs);
  emulator_add_faults (runs.emulator,
      "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":10004,"
      "\"message\":\"invalid signature\"}}");
  owner = runs_begin (&runs);
  vod_upload_set_discard_on_stop (owner->upload, TRUE);
  runs_give (owner, bytes, MIB);
  g_assert_cmpint (runs_finish (owner), ==, VOD_FLOW_FAILED);
  owner_free (owner);
  g_assert_cmpuint (runs_count_files (&runs, ".session"), ==, 0);
  g_assert_cmpuint (runs_count_files (&runs, ".discard"), ==, 1);

  /* The next sweeps. */
  emulator_clear_faults (runs.emulator);
  runs.key = OTHER_KEY;
  g_free (runs_whole (&runs, bytes, WHOLE, &stats));
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

/* --- no network -----------------------------------------------------------*/

/* Stopped while nothing listens: remembered, and deleted by the next upload,
 * whatever its media. */
static void
test_swept_by_the_next (void)
{
  g_autofree gchar *root = g_dir_make_tmp ("vodroot-XXXXXX", NULL);
  g_autofree guint8 *bytes = runs_media (WHOLE);
  g_autofree gchar *port = NULL;
  VodUploadStats stats;
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  emulator_free (runs.emulator);
  runs.emulator = emulator_new ("--root", root, NULL);
  port = g_strdup (strrchr (emulator_uri (runs.emulator), ':') + 1);
  owner = runs_begin (&runs);
  g_assert_cmpint (runs_give (owner, bytes, PART_WAY), ==, VOD_FLOW_OK);
  wait_up (owner, ALL_UP);
  emulator_free (runs.emulator);
  runs.emulator = NULL;
  vod_upload_stop (owner->upload, TRUE);
  owner_free (owner);
  g_assert_cmpuint (runs_count_files (&runs, ".session"), ==, 0);
  g_assert_cmpuint (runs_count_files (&runs, ".discard"), ==, 1);

  runs.emulator = emulator_new ("--root", root, "--port", port, NULL);
  g_assert_cmpuint (emulator_n_uploads (runs.emulator), ==, 1);
  runs.key = OTHER_KEY;
  g_free (runs_whole (&runs, bytes, WHOLE, &stats));
  assert_nothing_left (&runs);
  runs_clear (&runs);
  {
    const gchar *argv[] = {"rm", "-r", root, NULL};

    g_assert_true (g_spawn_sync (NULL, (gchar **)argv, NULL,
        G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
  }
}

/* Also by one that has a single part and nothing to wait for. */
static void
test_swept_by_a_small_one (void)
{
  g_autofree guint8 *bytes = runs_media (1000);
  VodSessionState state = {
      .endpoint = NULL,
      .session_key = (gchar *)"Zm9v",
      .bucket_host = (gchar *)"1500b-1251.cos.ap-chongqing.myqcloud.com",
      .object_key = (gchar *)"a/f0.mp4",
  };
  g_autoptr (GError) error = NULL;
  VodUploadStats stats;
  Runs runs;

  begin_test (&runs);
  state.endpoint = (gchar *)emulator_uri (runs.emulator);
  state.applied = g_get_real_time () / G_USEC_PER_SEC;
  /* The service does not know them: nothing is to be deleted any more. */
  for (guint i = 0; i < 3; i++) {
    VodSession *discard =
        vod_session_remember_discard (runs.dir, &state, &error);

    g_assert_no_error (error);
    vod_session_close (discard);
  }
  for (guint i = 0; i < 3 && runs_count_files (&runs, ".discard") > 0; i++)
    g_free (runs_whole (&runs, bytes, 1000, &stats));
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

/* --- the spool ------------------------------------------------------------*/

static void
test_a_spooled_upload_goes_on (void)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  VodUploadStats stats;
  Runs runs;

  begin_test (&runs);
  runs.spool = TRUE;
  interrupted_run (&runs);
  runs_assert_file (runs.media, bytes, PART_WAY);
  g_free (runs_whole (&runs, bytes, WHOLE, &stats));
  g_assert_cmpuint (stats.parts_skipped, ==, 5);
  g_assert_cmpuint (stats.bytes_spooled, ==, WHOLE);
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

static void
test_a_kept_spool_is_named (void)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  runs.spool = runs.keep_spool = TRUE;
  owner = runs_begin (&runs);
  runs_give (owner, bytes, WHOLE);
  runs_commit (owner);
  g_assert_nonnull (owner->kept_spool);
  runs_assert_file (owner->kept_spool, bytes, WHOLE);
  owner_free (owner);
  g_assert_cmpuint (runs_count_files (&runs, ""), ==, 1);
  runs_clear (&runs);
}

/* Another recording than the one that was not committed: that stays byte for
 * byte, with its parts at the service. */
static void
try_divergence (gsize at, gsize len)
{
  g_autofree guint8 *old = runs_media (PART_WAY);
  g_autofree guint8 *bytes =
      at < len ? runs_changed_media (len, at) : runs_media (len);
  g_autofree gchar *aside = NULL, *story = NULL;
  VodUploadStats stats;
  GError *error = NULL;
  VodSession *session;
  Runs runs;

  g_test_message (
      "differs at %" G_GSIZE_FORMAT ", %" G_GSIZE_FORMAT " bytes", at, len);
  begin_test (&runs);
  runs.spool = TRUE;
  interrupted_run (&runs);
  story = runs_whole (&runs, bytes, len, &stats);
  g_assert_nonnull (strstr (story, "recovered"));
  g_assert_null (strstr (story, "spool"));
  g_assert_cmpuint (stats.parts_skipped, ==, 0);
  g_assert_cmpuint (emulator_n_sessions (runs.emulator), ==, 2);

  aside = vod_session_path (runs.dir, RUNS_KEY ".1", "media");
  runs_assert_file (aside, old, PART_WAY);
  session = vod_session_open (runs.dir, RUNS_KEY ".1", &error);
  g_assert_no_error (error);
  g_assert_nonnull (vod_session_found (session)->upload_id);
  g_assert_cmpuint (vod_session_found (session)->parts->len, ==, 5);
  vod_session_close (session);
  g_assert_cmpuint (emulator_upload_bytes (runs.emulator), >=, ALL_UP);
  g_assert_cmpuint (emulator_n_uploads (runs.emulator), ==, 1);
  g_assert_cmpuint (runs_count_files (&runs, ""), ==, 2);
  runs_clear (&runs);
}

static void
test_divergence (void)
{
  try_divergence (0, WHOLE);
  try_divergence (2 * MIB + 77, WHOLE);
  try_divergence (PART_WAY - 1, WHOLE);
  try_divergence (WHOLE, 2 * MIB); /* shorter */
}

/* A recording never goes on in another's spool. */
static void
test_a_recording_sets_the_last_aside_at_once (void)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  g_autofree gchar *aside = NULL, *story = NULL;
  VodUploadStats stats;
  Runs runs;

  begin_test (&runs);
  runs.spool = TRUE;
  runs.identity = VOD_IDENTITY_RECORDING;
  interrupted_run (&runs);
  story = runs_whole (&runs, bytes, WHOLE, &stats);
  g_assert_true (g_str_has_prefix (story, "recovered "));
  g_assert_cmpuint (stats.parts_skipped, ==, 0);
  aside = vod_session_path (runs.dir, RUNS_KEY ".1", "media");
  runs_assert_file (aside, bytes, PART_WAY);
  runs_clear (&runs);
}

/* The disk takes no more than @max bytes of a file. */
static void
limit_files (rlim_t max)
{
  struct rlimit limit;

  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  limit.rlim_cur = max == RLIM_INFINITY ? limit.rlim_max : max;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
}

static void
test_a_spool_that_is_full (gconstpointer data)
{
  gsize room = GPOINTER_TO_SIZE (data);
  g_autofree guint8 *bytes = runs_media (WHOLE);
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  runs.spool = TRUE;
  owner = runs_begin (&runs);
  limit_files (room);
  g_assert_cmpint (runs_give (owner, bytes, WHOLE), ==, VOD_FLOW_OK);
  g_assert_nonnull (strstr (owner->story->str, "spool"));
  /* What is in the file can still be rewritten. */
  vod_upload_seek (owner->upload, 10);
  memset (bytes + 10, 'r', 100);
  g_assert_cmpint (runs_give (owner, bytes + 10, 100), ==, VOD_FLOW_OK);
  runs_commit (owner);
  limit_files (RLIM_INFINITY);
  assert_last_media (&runs, bytes, WHOLE);
  g_assert_cmpuint (owner->failed, ==, 0);
  owner_free (owner);
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

/* A file that cannot even be begun. */
static void
test_no_room_for_a_session (void)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  owner = runs_begin (&runs);
  limit_files (10);
  g_assert_cmpint (runs_give (owner, bytes, WHOLE), ==, VOD_FLOW_FAILED);
  limit_files (RLIM_INFINITY);
  g_assert_cmpint (owner->error_code, ==, VOD_ERROR_LOCAL);
  g_assert_cmpstr (owner->error_phase, ==, "session");
  owner_free (owner);
  runs_clear (&runs);
}

/* One that fills up later: told once, and the upload goes on. */
static void
test_a_session_that_is_full (void)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  owner = runs_begin (&runs);
  limit_files (500);
  g_assert_cmpint (runs_give (owner, bytes, WHOLE), ==, VOD_FLOW_OK);
  runs_commit (owner);
  limit_files (RLIM_INFINITY);
  assert_last_media (&runs, bytes, WHOLE);
  g_assert_nonnull (strstr (owner->story->str, "session"));
  g_assert_true (strstr (owner->story->str, "session") ==
      g_strrstr (owner->story->str, "session"));
  owner_free (owner);
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

static void
record (Owner *owner, const guint8 *bytes, gsize len)
{
  while (len > 0) {
    gsize n = MIN (len, 300000), taken;

    /* As the element does: the upload is asked first. */
    g_assert_cmpint (vod_upload_write (owner->upload, bytes, n, &taken), ==,
        VOD_FLOW_FAILED);
    g_assert_true (vod_upload_record (owner->upload, bytes + taken, n - taken));
    owner->size += n;
    bytes += n;
    len -= n;
  }
}

/* The upload fails, the recording goes on, and is whole. */
static void
test_recording_goes_on_without_the_upload (gconstpointer data)
{
  gboolean discard = GPOINTER_TO_INT (data);
  g_autofree guint8 *bytes = runs_media (WHOLE);
  const VodSessionState *found;
  g_autoptr (GError) error = NULL;
  VodSession *session;
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  runs.spool = TRUE;
  owner = runs_begin (&runs);
  vod_upload_set_discard_on_stop (owner->upload, discard);
  emulator_add_faults (runs.emulator,
      "{\"op\":\"UploadPart\",\"part\":2,\"status\":403,"
      "\"code\":\"AccessDenied\"}");
  runs_give (owner, bytes, 2 * MIB + 100);
  owner_wait_state (owner, "failed");
  g_assert_cmpstr (owner->spool_location, ==, runs.media);
  record (owner, bytes + owner->size, WHOLE - owner->size);
  /* A header that is written last. */
  memset (bytes + 20, 'h', 50);
  vod_upload_seek (owner->upload, 20);
  record (owner, bytes + 20, 50);
  g_assert_cmpint (runs_finish (owner), ==, VOD_FLOW_FAILED);
  vod_upload_finish_record (owner->upload);
  owner_free (owner);

  runs_assert_file (runs.media, bytes, WHOLE);
  g_assert_cmpuint (emulator_n_uploads (runs.emulator), ==, discard ? 0 : 1);
  g_assert_cmpuint (runs_count_files (&runs, ".discard"), ==, 0);
  session = vod_session_open (runs.dir, RUNS_KEY, &error);
  g_assert_no_error (error);
  found = vod_session_found (session);
  g_assert_nonnull (found);
  g_assert_true (found->eos);
  g_assert_cmpuint (found->size, ==, WHOLE);
  g_assert_cmpuint (found->synced, ==, WHOLE);
  g_assert_cmpint (found->upload_id != NULL, ==, !discard);
  vod_session_close (session);
  runs_clear (&runs);
}

/* It fails while it compares with an earlier recording, and then differs. */
static void
test_recording_on_differs_from_the_last (void)
{
  g_autofree guint8 *old = runs_media (PART_WAY);
  g_autofree guint8 *bytes = runs_changed_media (WHOLE, 3 * MIB);
  g_autofree gchar *aside = NULL;
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  runs.spool = TRUE;
  interrupted_run (&runs);
  emulator_add_faults (runs.emulator,
      "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":10004,"
      "\"message\":\"invalid signature\"}}");
  owner = runs_begin (&runs);
  runs_give (owner, bytes, MIB);
  owner_wait_state (owner, "failed");
  record (owner, bytes + owner->size, WHOLE - owner->size);
  vod_upload_finish_record (owner->upload);
  g_assert_nonnull (owner->recovered);
  owner_free (owner);
  aside = vod_session_path (runs.dir, RUNS_KEY ".1", "media");
  runs_assert_file (aside, old, PART_WAY);
  runs_assert_file (runs.media, bytes, WHOLE);
  runs_clear (&runs);
}

static gboolean
is_synced (gpointer data)
{
  const Runs *runs = data;
  g_autofree gchar *text = NULL;
  g_autoptr (GRegex) synced = g_regex_new ("synced [1-9]", 0, 0, NULL);

  return g_file_get_contents (runs->session, &text, NULL, NULL) &&
      g_regex_match (synced, text, 0, NULL);
}

/* After a second, or 8 MiB; and all at the end. */
static void
test_what_the_disk_has_is_noted (void)
{
  g_autofree guint8 *bytes = runs_media (1000);
  const VodSessionState *found;
  VodSession *session;
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  runs.spool = TRUE;
  emulator_add_faults (
      runs.emulator, "{\"op\":\"CommitUploadUGC\",\"stall\":true}");
  owner = runs_begin (&runs);
  runs_give (owner, bytes, 500);
  g_assert_true (test_wait_until (is_synced, &runs, 10));
  runs_give (owner, bytes + 500, 500);
  vod_upload_finish (owner->upload);
  g_assert_true (emulator_wait_hits (runs.emulator, 1));
  owner_free (owner);
  session = vod_session_open (runs.dir, RUNS_KEY, NULL);
  found = vod_session_found (session);
  g_assert_cmpuint (found->synced, ==, 1000);
  g_assert_true (found->same_boot);
  g_assert_true (found->eos);
  vod_session_close (session);
  runs_clear (&runs);
}

/* --- upstream's file ------------------------------------------------------*/

typedef enum { SAME, CHANGED, SHORTER, GONE } Fate;

static void
try_source (Fate fate, const gchar *faults)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  g_autofree gchar *source = NULL;
  Owner *owner;
  Runs runs;

  begin_test (&runs);
  source = g_build_filename (runs.dir, "source.mp4", NULL);
  g_assert_true (g_file_set_contents (source, (gchar *)bytes, WHOLE, NULL));
  runs.source = source;
  runs.identity = VOD_IDENTITY_FILE;
  owner = runs_begin (&runs);
  g_assert_cmpint (runs_give (owner, bytes, PART_WAY), ==, VOD_FLOW_OK);
  wait_up (owner, ALL_UP);
  if (fate == CHANGED) {
    g_autofree guint8 *other = runs_changed_media (WHOLE, 2 * MIB + 3);
    gint fd = g_open (source, O_WRONLY, 0);

    g_assert_cmpint (pwrite (fd, other, WHOLE, 0), ==, WHOLE);
    close (fd);
  } else if (fate == SHORTER) {
    g_assert_cmpint (truncate (source, 3 * MIB), ==, 0);
  } else if (fate == GONE) {
    g_assert_cmpint (g_unlink (source), ==, 0); /* but it is still open */
  }
  emulator_add_faults (runs.emulator, faults);
  runs_give (owner, bytes + PART_WAY, WHOLE - PART_WAY);
  vod_upload_finish (owner->upload);
  if (fate == SAME || fate == GONE) {
    runs_commit (owner);
    assert_last_media (&runs, bytes, WHOLE);
    g_assert_cmpuint (parts_sent (&runs), >=, 11);
  } else {
    g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
    g_assert_cmpint (owner->error_code, ==, VOD_ERROR_READ);
    g_assert_cmpstr (owner->error_phase, ==, "part");
    g_assert_false (owner->resumable);
    g_assert_cmpuint (emulator_n_media (runs.emulator), ==, 0);
  }
  owner_free (owner);
  g_assert_cmpuint (emulator_n_uploads (runs.emulator), ==, 0);
  runs_clear (&runs);
}

static void
test_begun_anew_from_the_source (gconstpointer data)
{
  try_source ((Fate)GPOINTER_TO_INT (data),
      "{\"op\":\"UploadPart\",\"part\":6,\"forget-upload\":true,"
      "\"times\":1}");
}

static void
test_begun_anew_at_complete (gconstpointer data)
{
  try_source ((Fate)GPOINTER_TO_INT (data),
      "{\"op\":\"CompleteMultipartUpload\",\"forget-upload\":true,"
      "\"times\":1}");
}

/* The same from the spool. */
static void
test_begun_anew_from_the_spool (void)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  VodUploadStats stats;
  Runs runs;

  begin_test (&runs);
  runs.spool = TRUE;
  emulator_add_faults (runs.emulator,
      "[{\"op\":\"UploadPart\",\"part\":5,\"forget-upload\":true,\"times\":1},"
      "{\"op\":\"CompleteMultipartUpload\",\"forget-upload\":true,"
      "\"times\":1}]");
  g_free (runs_whole (&runs, bytes, WHOLE, &stats));
  assert_nothing_left (&runs);
  runs_clear (&runs);
}

#define ADD(name) g_test_add_func ("/resume/" #name, test_##name)

static void
add_data (const gchar *group, const gchar *name, guint i, GTestDataFunc test)
{
  g_autofree gchar *path = g_strconcat ("/resume/", group, "/", name, NULL);

  g_test_add_data_func (path, GUINT_TO_POINTER (i), test);
}

static void
add_tables (void)
{
  static const gchar *const fates[] = {"same", "changed", "shorter", "gone"};

  for (guint i = 0; i < G_N_ELEMENTS (forgotten); i++)
    add_data ("forgotten", forgotten[i].name, i, test_forgotten);
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++) {
    add_data ("the-same-after", ends[i].name, i, test_the_same_after);
    add_data ("another-after", ends[i].name, i, test_another_after);
  }
  for (guint i = 0; i < 2; i++) {
    const gchar *name = i ? "discard" : "keep";

    add_data ("stopped", name, i, test_stopped);
    add_data ("failed", name, i, test_failed);
    add_data (
        "recording-on", name, i, test_recording_goes_on_without_the_upload);
  }
  for (guint i = 0; i < G_N_ELEMENTS (fates); i++) {
    add_data ("source", fates[i], i, test_begun_anew_from_the_source);
    add_data ("source-complete", fates[i], i, test_begun_anew_at_complete);
  }
  add_data ("spool-full", "early", 5000, test_a_spool_that_is_full);
  add_data (
      "spool-full", "in-a-part", 2 * MIB + 300000, test_a_spool_that_is_full);
  add_data (
      "spool-full", "large", 3 * MIB + MIB / 2 * 3, test_a_spool_that_is_full);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD (what_is_up_does_not_go_again);
  ADD (what_has_changed_goes_again);
  ADD (a_shorter_media);
  ADD (a_much_longer_media);
  ADD (interrupted_twice);
  ADD (another_slice_size);
  ADD (less_memory);
  ADD (parts_without_crc64);
  ADD (another_name_is_another_media);
  ADD (a_day_later);
  ADD (another_that_was_the_same_for_long);
  ADD (cancelled);
  ADD (given_up_before_it_was_taken_up);
  ADD (swept_by_the_next);
  ADD (swept_by_a_small_one);
  ADD (a_spooled_upload_goes_on);
  ADD (a_kept_spool_is_named);
  ADD (divergence);
  ADD (a_recording_sets_the_last_aside_at_once);
  ADD (no_room_for_a_session);
  ADD (a_session_that_is_full);
  ADD (recording_on_differs_from_the_last);
  ADD (what_the_disk_has_is_noted);
  ADD (begun_anew_from_the_spool);
  add_tables ();
  return g_test_run ();
}

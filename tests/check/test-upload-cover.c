/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One upload, without GStreamer, and its cover: known from the beginning, come
 * later, or not at all; whatever happens to the upload meanwhile.
 */
#include "testowner.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "cloud/vodimage.h"
#include "upload/vodsession.h"

#define KEY "0123456789abcdef0123456789abcdef"
#define HANG 100 /* s: then the program ends by a signal */

/* --- pictures -------------------------------------------------------------*/

static gint alive; /* pictures */

static void
free_picture (gpointer bytes)
{
  g_free (bytes);
  g_atomic_int_add (&alive, -1);
}

/* To all who look at the beginning. @variant: which one. */
static GBytes *
picture_of (const gchar *magic, guint8 variant, gsize len)
{
  guint8 *bytes = g_malloc (len);

  memset (bytes, variant, len);
  memcpy (bytes, magic, MIN (strlen (magic), len));
  g_atomic_int_inc (&alive);
  return g_bytes_new_with_free_func (bytes, len, free_picture, bytes);
}

static GBytes *
jpeg (guint8 variant)
{
  return picture_of ("\xff\xd8\xff\xe0", variant, 20000);
}

static GBytes *
png (guint8 variant)
{
  return picture_of ("\x89PNG\r\n\x1a\n", variant, 30000);
}

static GBytes *
garbage (void)
{
  return picture_of ("no picture", 'x', 1000);
}

/* --- an upload that may have one ------------------------------------------*/

typedef struct {
  Emulator *emulator;
  Owner *owner;
  gchar *dir;
  gchar *path; /* cover-location; nothing is there yet */
  guint parallel;
  gboolean located, resume;
} Fixture;

static void
fixture_init_with (Fixture *fixture, const gchar *option, const gchar *value)
{
  alarm (HANG);
  *fixture = (Fixture){
      .emulator = emulator_new (option, value, NULL),
      .dir = g_dir_make_tmp ("vodcovers-XXXXXX", NULL),
      .parallel = 3,
      .located = TRUE,
  };
  g_assert_nonnull (fixture->dir);
  fixture->path = g_build_filename (fixture->dir, "cover.jpg", NULL);
}

static void
fixture_init (Fixture *fixture)
{
  fixture_init_with (fixture, NULL, NULL);
}

static void
adjust (VodUploadSettings *settings, gpointer data)
{
  const Fixture *fixture = data;

  settings->cover_location = fixture->located ? fixture->path : NULL;
  settings->parallel_uploads = fixture->parallel;
  if (!fixture->resume)
    return;
  settings->resume = TRUE;
  settings->state_dir = fixture->dir;
  settings->identity = VOD_IDENTITY_EXPLICIT;
  settings->media_key = (gchar *)KEY;
}

static Owner *
begin (Fixture *fixture)
{
  fixture->owner = owner_new_adjusted (fixture->emulator, adjust, fixture);
  return fixture->owner;
}

static void
end (Fixture *fixture)
{
  g_clear_pointer (&fixture->owner, owner_free);
}

static void
fixture_clear (Fixture *fixture)
{
  g_autoptr (GDir) dir = NULL;
  const gchar *name;

  end (fixture);
  dir = g_dir_open (fixture->dir, 0, NULL);
  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_build_filename (fixture->dir, name, NULL);

    g_assert_cmpint (g_remove (path), ==, 0);
  }
  g_assert_cmpint (g_rmdir (fixture->dir), ==, 0);
  emulator_free (fixture->emulator);
  g_free (fixture->dir);
  g_free (fixture->path);
  g_assert_cmpint (g_atomic_int_get (&alive), ==, 0);
  alarm (0);
}

/* Takes @image. */
static void
put_file (const Fixture *fixture, GBytes *image)
{
  gsize len;
  gconstpointer data = g_bytes_get_data (image, &len);

  g_assert_true (g_file_set_contents (fixture->path, data, (gssize)len, NULL));
  g_bytes_unref (image);
}

/* Takes @image. */
static void
set (Owner *owner, VodCoverSource source, GBytes *image)
{
  vod_upload_set_cover (owner->upload, source, image);
  if (image)
    g_bytes_unref (image);
}

static void
write_mib (Owner *owner, guint n)
{
  for (guint i = 0; i < n; i++)
    g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
}

/* Takes @expected: what media @n has for a cover, at the service and as its
 * owner was told. NULL: none. */
static void
assert_cover (Fixture *fixture, guint n, GBytes *expected)
{
  g_autoptr (GBytes) there = emulator_media_cover (fixture->emulator, n);

  g_assert_cmpint (there != NULL, ==, expected != NULL);
  g_assert_cmpint (fixture->owner->cover_url != NULL, ==, expected != NULL);
  if (expected)
    g_assert_true (g_bytes_equal (there, expected));
  g_clear_pointer (&expected, g_bytes_unref);
}

static void
assert_counts (Fixture *fixture, guint applies, guint puts, guint commits)
{
  g_assert_cmpuint (
      emulator_count (fixture->emulator, "ApplyUploadUGC", 200), ==, applies);
  g_assert_cmpuint (
      emulator_count (fixture->emulator, "PutObject", 200), ==, puts);
  g_assert_cmpuint (
      emulator_count (fixture->emulator, "CommitUploadUGC", 200), ==, commits);
}

static gboolean
is_opened (gpointer data)
{
  Owner *owner = data;
  gboolean opened;

  g_mutex_lock (&owner->lock);
  opened = strstr (owner->story->str, "opened") != NULL;
  g_mutex_unlock (&owner->lock);
  return opened;
}

static void
wait_opened (Owner *owner)
{
  g_assert_true (test_wait_until (is_opened, owner, 10));
}

static void
assert_mishap (Owner *owner, VodErrorCode code, const gchar *text)
{
  g_test_message ("%s", owner->mishap_text);
  g_assert_cmpuint (owner->mishaps, ==, 1);
  g_assert_cmpint (owner->mishap_code, ==, (gint)code);
  g_assert_nonnull (strstr (owner->mishap_text, text));
}

/* --- where it comes from --------------------------------------------------*/

/* Uploaded beside the parts, and committed with them. */
static void
test_known_from_the_beginning (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  put_file (&fixture, jpeg ('a'));
  owner = begin (&fixture);
  write_mib (owner, 5);
  wait_opened (owner);
  g_assert_true (emulator_wait_count (fixture.emulator, "PutObject", 200, 1));
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, jpeg ('a'));
  assert_counts (&fixture, 1, 1, 1);
  g_assert_cmpstr (
      owner->story->str, ==, "opening opened closing closed finished");
  g_assert_cmpuint (owner->retries, ==, 0);
  fixture_clear (&fixture);
}

static void
test_without (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  fixture.located = FALSE;
  owner = begin (&fixture);
  write_mib (owner, 1);
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, NULL);
  assert_counts (&fixture, 1, 0, 1);
  fixture_clear (&fixture);
}

/* Exchanged on the committed media. */
static void
test_a_file_that_comes_later (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  owner = begin (&fixture);
  write_mib (owner, 3);
  wait_opened (owner);
  put_file (&fixture, png ('p'));
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, png ('p'));
  assert_counts (&fixture, 2, 1, 2);
  g_assert_cmpuint (emulator_n_media (fixture.emulator), ==, 1);
  g_assert_cmpstr (
      owner->story->str, ==, "opening opened closing closed finished");
  fixture_clear (&fixture);
}

/* As one that is just being written. */
static void
test_an_empty_file_that_fills (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  put_file (&fixture, g_bytes_new (NULL, 0));
  owner = begin (&fixture);
  write_mib (owner, 1);
  wait_opened (owner);
  put_file (&fixture, jpeg ('a'));
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, jpeg ('a'));
  g_assert_cmpuint (owner->mishaps, ==, 0);
  fixture_clear (&fixture);
}

/* It was read: what becomes of the file afterwards is another matter. */
static void
test_a_file_is_read_once (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  put_file (&fixture, jpeg ('a'));
  owner = begin (&fixture);
  write_mib (owner, 1);
  wait_opened (owner);
  put_file (&fixture, jpeg ('b'));
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, jpeg ('a'));
  assert_counts (&fixture, 1, 1, 1);
  fixture_clear (&fixture);
}

static void
test_a_file_that_never_comes (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  owner = begin (&fixture);
  write_mib (owner, 1);
  wait_opened (owner);
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, NULL);
  assert_mishap (owner, VOD_ERROR_PARAMETER, "No such file");
  g_assert_cmpint (owner->mishap_number, ==, -1);
  g_assert_cmpstr (owner->story->str, ==,
      "opening opened closing mishap-cover closed finished");
  assert_counts (&fixture, 1, 0, 1);
  fixture_clear (&fixture);
}

static void
test_a_sample_at_the_last_moment (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  fixture.located = FALSE;
  owner = begin (&fixture);
  write_mib (owner, 2);
  wait_opened (owner);
  set (owner, VOD_COVER_SAMPLE, jpeg ('s'));
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, jpeg ('s'));
  assert_counts (&fixture, 2, 1, 2);
  fixture_clear (&fixture);
}

/* One is committed with the media, a better one then takes its place. */
static void
test_a_better_one_later (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  owner = begin (&fixture);
  set (owner, VOD_COVER_TAG, jpeg ('t'));
  write_mib (owner, 2);
  g_assert_true (emulator_wait_count (fixture.emulator, "PutObject", 200, 1));
  set (owner, VOD_COVER_SAMPLE, png ('s'));
  put_file (&fixture, jpeg ('f'));
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, jpeg ('f'));
  assert_counts (&fixture, 2, 2, 2);
  fixture_clear (&fixture);
}

/* The last tag counts, but not before a sample. */
static void
test_a_worse_one_later (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  fixture.located = FALSE;
  owner = begin (&fixture);
  set (owner, VOD_COVER_SAMPLE, jpeg ('s'));
  write_mib (owner, 2);
  g_assert_true (emulator_wait_count (fixture.emulator, "PutObject", 200, 1));
  set (owner, VOD_COVER_TAG, jpeg ('t'));
  set (owner, VOD_COVER_TAG, jpeg ('u'));
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, jpeg ('s'));
  assert_counts (&fixture, 1, 1, 1);
  fixture_clear (&fixture);
}

static void
test_the_same_again (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  owner = begin (&fixture);
  set (owner, VOD_COVER_TAG, jpeg ('a'));
  write_mib (owner, 2);
  wait_opened (owner);
  set (owner, VOD_COVER_SAMPLE, jpeg ('a'));
  put_file (&fixture, jpeg ('a'));
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, jpeg ('a'));
  assert_counts (&fixture, 1, 1, 1);
  fixture_clear (&fixture);
}

static void
test_set_and_taken_back (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  fixture.located = FALSE;
  owner = begin (&fixture);
  set (owner, VOD_COVER_SAMPLE, jpeg ('a'));
  set (owner, VOD_COVER_SAMPLE, NULL);
  write_mib (owner, 1);
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, NULL);
  assert_counts (&fixture, 1, 0, 1);
  g_assert_cmpuint (owner->mishaps, ==, 0);
  fixture_clear (&fixture);
}

/* Each is told of, then the next one is the cover. */
static void
test_unusable_ones (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  put_file (&fixture, garbage ());
  owner = begin (&fixture);
  set (owner, VOD_COVER_SAMPLE,
      picture_of ("\xff\xd8\xff", 'l', VOD_IMAGE_MAX + 1));
  set (owner, VOD_COVER_TAG, jpeg ('t'));
  write_mib (owner, 1);
  wait_opened (owner);
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, jpeg ('t'));
  g_assert_cmpuint (owner->mishaps, ==, 2);
  g_assert_cmpint (owner->mishap_code, ==, VOD_ERROR_PARAMETER);
  g_assert_cmpstr (owner->story->str, ==,
      "opening mishap-cover mishap-cover opened closing closed finished");
  assert_counts (&fixture, 1, 1, 1);
  fixture_clear (&fixture);
}

static void
test_nothing_but_unusable_ones (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  g_assert_cmpint (g_mkdir (fixture.path, 0700), ==, 0);
  owner = begin (&fixture);
  set (owner, VOD_COVER_SAMPLE, g_bytes_new (NULL, 0));
  write_mib (owner, 1);
  wait_opened (owner);
  set (owner, VOD_COVER_TAG, garbage ());
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, NULL);
  g_assert_cmpuint (owner->mishaps, ==, 3);
  assert_counts (&fixture, 1, 0, 1);
  fixture_clear (&fixture);
}

/* The largest there may be; and every type keeps its own. */
static void
test_sizes_and_types (void)
{
  static const gchar *const magics[] = {"GIF89a", "BM", "\xff\xd8\xff"};

  for (guint i = 0; i < G_N_ELEMENTS (magics); i++) {
    gsize len = i == 2 ? VOD_IMAGE_MAX : 16;
    Fixture fixture;
    Owner *owner;

    fixture_init (&fixture);
    put_file (&fixture, picture_of (magics[i], 'x', len));
    owner = begin (&fixture);
    write_mib (owner, 1);
    owner_assert_finished (owner, 0);
    assert_cover (&fixture, 0, picture_of (magics[i], 'x', len));
    fixture_clear (&fixture);
  }
}

/* --- with what the upload goes through ------------------------------------*/

/* One worker: the media goes first, also where the cover hangs. */
static void
test_one_worker (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  fixture.parallel = 1;
  put_file (&fixture, jpeg ('a'));
  owner = begin (&fixture);
  emulator_add_faults (
      fixture.emulator, "{\"op\":\"PutObject\",\"delay\":1000}");
  vod_upload_set_paused (owner->upload, TRUE);
  write_mib (owner, 3);
  vod_upload_finish (owner->upload);
  vod_upload_set_paused (owner->upload, FALSE);
  g_assert_true (emulator_wait_hits (fixture.emulator, 1));
  g_assert_cmpuint (
      emulator_count (fixture.emulator, "CompleteMultipartUpload", 200), ==, 1);
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, jpeg ('a'));
  assert_counts (&fixture, 1, 1, 1);
  g_assert_cmpuint (test_count_threads ("vod-upload"), <=, 1);
  fixture_clear (&fixture);
}

/* Complete does not wait for it, only Commit does. */
static void
test_a_slow_cover (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  put_file (&fixture, jpeg ('a'));
  owner = begin (&fixture);
  emulator_add_faults (
      fixture.emulator, "{\"op\":\"PutObject\",\"delay\":1500}");
  write_mib (owner, 1);
  vod_upload_finish (owner->upload);
  g_assert_true (emulator_wait_count (
      fixture.emulator, "CompleteMultipartUpload", 200, 1));
  g_assert_cmpuint (emulator_count (fixture.emulator, "PutObject", 200), ==, 0);
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, jpeg ('a'));
  assert_counts (&fixture, 1, 1, 1);
  fixture_clear (&fixture);
}

/* No cover is begun while the upload is paused, no more than a part is. */
static void
test_paused (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  put_file (&fixture, jpeg ('a'));
  owner = begin (&fixture);
  vod_upload_set_paused (owner->upload, TRUE);
  write_mib (owner, 2);
  wait_opened (owner);
  g_usleep (300000);
  g_assert_cmpuint (emulator_count (fixture.emulator, "PutObject", -1), ==, 0);
  vod_upload_set_paused (owner->upload, FALSE);
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, jpeg ('a'));
  fixture_clear (&fixture);
}

/* They are renewed while the cover waits for another try, and at the end. */
static void
test_credentials_that_expire (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init_with (&fixture, "--credential-lifetime", "3");
  put_file (&fixture, jpeg ('a'));
  owner = begin (&fixture);
  emulator_add_faults (fixture.emulator,
      "{\"op\":\"PutObject\",\"status\":503,\"retry-after\":4,\"times\":1}");
  write_mib (owner, 1);
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, jpeg ('a'));
  g_assert_cmpuint (owner->mishaps, ==, 0);
  g_assert_cmpuint (
      emulator_count (fixture.emulator, "ApplyUploadUGC", 200), >=, 2);
  g_assert_cmpuint (emulator_n_sessions (fixture.emulator), ==, 1);
  fixture_clear (&fixture);
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
bring_to (Fixture *fixture, const Stop *stop)
{
  Owner *owner = begin (fixture);

  fixture->located = FALSE;
  if (!stop->later)
    set (owner, VOD_COVER_SAMPLE, jpeg ('a'));
  else
    vod_upload_set_paused (owner->upload, TRUE);
  if (!stop->later)
    emulator_add_faults (fixture->emulator, stop->faults);
  write_mib (owner, 2);
  if (stop->later) {
    wait_opened (owner);
    set (owner, VOD_COVER_SAMPLE, jpeg ('a'));
    emulator_add_faults (fixture->emulator, stop->faults);
    vod_upload_set_paused (owner->upload, FALSE);
  }
  vod_upload_finish (owner->upload);
  g_assert_true (emulator_wait_hits (fixture->emulator, 1));
  g_assert_true (emulator_wait_count (
      fixture->emulator, "CompleteMultipartUpload", 200, 1));
}

/* Once the media is committed it stays so, and is told. */
static void
test_stop (gconstpointer data)
{
  const Stop *stop = data;
  Fixture fixture;
  Owner *owner;
  gint64 since;

  fixture_init (&fixture);
  fixture.located = FALSE;
  bring_to (&fixture, stop);
  owner = fixture.owner;
  since = g_get_monotonic_time ();
  vod_upload_stop (owner->upload, FALSE);
  g_assert_cmpint ((g_get_monotonic_time () - since) / 1000, <, 100);
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_cmpint ((g_get_monotonic_time () - since) / 1000, <, 2000);
  g_assert_cmpuint (owner->failed, ==, 0);
  g_assert_cmpuint (owner->finished, ==, stop->committed);
  g_assert_cmpuint (emulator_n_media (fixture.emulator), ==, stop->committed);
  g_assert_cmpuint (emulator_n_uploads (fixture.emulator), ==, 0);
  if (stop->committed) {
    g_assert_cmpuint (
        emulator_count (fixture.emulator, "AbortMultipartUpload", -1), ==, 0);
    g_assert_null (owner->cover_url);
    assert_mishap (owner, VOD_ERROR_CANCELLED, "committed");
  }
  fixture_clear (&fixture);
}

static void
test_cancel (gconstpointer data)
{
  const Stop *stop = data;
  Fixture fixture;
  Owner *owner;
  gint64 since;

  fixture_init (&fixture);
  fixture.located = FALSE;
  bring_to (&fixture, stop);
  owner = fixture.owner;
  since = g_get_monotonic_time ();
  vod_upload_fail (
      owner->upload, vod_error_new (VOD_ERROR_CANCELLED, "cancelled"));
  g_assert_cmpint (vod_upload_wait (owner->upload), ==,
      stop->committed ? VOD_FLOW_OK : VOD_FLOW_FAILED);
  g_assert_cmpint ((g_get_monotonic_time () - since) / 1000, <, 100);
  g_assert_cmpuint (owner->failed, ==, !stop->committed);
  g_assert_cmpuint (owner->finished, ==, stop->committed);
  if (stop->committed) {
    owner_assert_finished (owner, 0);
    g_assert_null (owner->cover_url);
    assert_mishap (owner, VOD_ERROR_CANCELLED, "committed");
    g_assert_cmpstr (owner->story->str, ==,
        "opening opened closing mishap-cover closed finished");
  }
  fixture_clear (&fixture);
}

/* At random moments, over and over: exactly one end, and never a failure of what
 * is committed. */
static void
test_cancel_at_any_moment (void)
{
  for (guint i = 0; i < 40; i++) {
    Fixture fixture;
    Owner *owner;

    fixture_init (&fixture);
    owner = begin (&fixture);
    set (owner, VOD_COVER_TAG, jpeg ('a'));
    g_assert_cmpint (owner_write (owner, 1000), ==, VOD_FLOW_OK);
    set (owner, VOD_COVER_SAMPLE, jpeg ('b'));
    put_file (&fixture, jpeg ('c'));
    vod_upload_finish (owner->upload);
    g_usleep ((gulong)g_test_rand_int_range (0, 40000));
    vod_upload_fail (
        owner->upload, vod_error_new (VOD_ERROR_CANCELLED, "cancelled"));
    if (vod_upload_wait (owner->upload) == VOD_FLOW_OK) {
      g_assert_cmpuint (owner->finished, ==, 1);
      g_assert_cmpuint (owner->failed, ==, 0);
      g_assert_cmpuint (emulator_n_media (fixture.emulator), ==, 1);
    } else {
      g_assert_cmpuint (owner->finished, ==, 0);
      g_assert_cmpuint (owner->failed, ==, 1);
    }
    fixture_clear (&fixture);
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
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  fixture.located = FALSE;
  owner = begin (&fixture);
  owner->at_mishap = (void (*) (gpointer))data;
  emulator_add_faults (fixture.emulator,
      "[{\"op\":\"ApplyUploadUGC\",\"skip\":1,\"status\":403,"
      "\"code\":\"AccessDenied\"}]");
  write_mib (owner, 1);
  wait_opened (owner);
  set (owner, VOD_COVER_SAMPLE, jpeg ('a'));
  owner_assert_finished (owner, 0);
  g_assert_null (owner->cover_url);
  fixture_clear (&fixture);
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
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  fixture.located = FALSE;
  owner = begin (&fixture);
  owner->at_mishap = linger;
  if (!exchange)
    set (owner, VOD_COVER_SAMPLE, jpeg ('a'));
  emulator_add_faults (fixture.emulator,
      "{\"op\":\"PutObject\",\"status\":403,\"code\":\"AccessDenied\"}");
  write_mib (owner, 4);
  if (exchange) {
    wait_opened (owner);
    set (owner, VOD_COVER_SAMPLE, jpeg ('a'));
  }
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, NULL);
  g_assert_cmpuint (owner->mishaps, ==, 1);
  g_assert_true (g_str_has_suffix (owner->story->str, " closed finished"));
  g_assert_cmpuint (emulator_count (fixture.emulator, "PutObject", -1), ==, 1);
  fixture_clear (&fixture);
}

/* --- interrupted, and from the beginning ----------------------------------*/

/* The first run ends before it is complete; with a cover or without. */
static void
interrupt_a_run (Fixture *fixture, GBytes *cover)
{
  Owner *owner = begin (fixture);

  if (cover)
    set (owner, VOD_COVER_SAMPLE, cover);
  write_mib (owner, 2);
  g_assert_true (
      emulator_wait_upload_bytes (fixture->emulator, 2 * (guint64)MIB));
  if (cover)
    g_assert_true (
        emulator_wait_count (fixture->emulator, "PutObject", 200, 1));
  end (fixture);
}

static void
test_resume (gconstpointer data)
{
  const gchar *which = data;
  GBytes *second = strchr (which, '2') ? jpeg ('2')
      : strchr (which, 'p')            ? png ('p')
                                       : NULL;
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  fixture.located = FALSE;
  fixture.resume = TRUE;
  interrupt_a_run (&fixture, which[0] == '1' ? jpeg ('1') : NULL);
  owner = begin (&fixture);
  if (second)
    set (owner, VOD_COVER_SAMPLE, g_bytes_ref (second));
  write_mib (owner, 3);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (owner->mishaps, ==, 0);
  g_assert_cmpuint (emulator_n_media (fixture.emulator), ==, 1);
  assert_cover (&fixture, 0, second ? second : jpeg ('1'));
  fixture_clear (&fixture);
}

/* The service has forgotten the upload: the cover goes again too. */
static void
test_begin_anew (void)
{
  Fixture fixture;
  Owner *owner;

  fixture_init (&fixture);
  put_file (&fixture, jpeg ('a'));
  owner = begin (&fixture);
  vod_upload_expect_rewrites (owner->upload);
  write_mib (owner, 2);
  g_assert_true (emulator_wait_count (fixture.emulator, "PutObject", 200, 1));
  emulator_add_faults (fixture.emulator,
      "{\"op\":\"UploadPart\",\"forget-upload\":true,\"times\":1}");
  write_mib (owner, 1);
  owner_assert_finished (owner, 0);
  assert_cover (&fixture, 0, jpeg ('a'));
  assert_counts (&fixture, 2, 2, 1);
  g_assert_cmpuint (owner->mishaps, ==, 0);
  fixture_clear (&fixture);
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
      {"file/once", test_a_file_is_read_once},
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
  g_test_add_data_func ("/upload/cover/told-first/beside",
      GINT_TO_POINTER (FALSE), test_a_mishap_is_told_before_anything_goes_on);
  g_test_add_data_func ("/upload/cover/told-first/exchange",
      GINT_TO_POINTER (TRUE), test_a_mishap_is_told_before_anything_goes_on);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One upload, without GStreamer, against the emulator: what it gets over, what
 * ends it, and that it can be stopped at any moment.
 */
#include "upload/vodupload.h"

#include <string.h>

#include "emulator.h"
#include "testserver.h"

#define MIB (1024 * 1024)

/* --- an owner -------------------------------------------------------------*/

typedef struct {
  Emulator *emulator;
  VodUpload *upload;
  guint64 size; /* written */

  GMutex lock; /* what follows */
  GCond cond;
  GString *story; /* events but for progress, by a letter or word each */
  guint finished, failed, retries, destroyed;
  gint error_code, number;
  gchar *error_phase, *error_text;
  guint64 finished_size;
  guint finished_parts;
  guint64 last_loaded, last_total;
  gdouble last_percent;
} Owner;

static void
tell (Owner *owner, const gchar *word)
{
  g_mutex_lock (&owner->lock);
  g_string_append_printf (
      owner->story, "%s%s", owner->story->len ? " " : "", word);
  g_cond_broadcast (&owner->cond);
  g_mutex_unlock (&owner->lock);
}

static gboolean
on_can_ask (gpointer data)
{
  return FALSE;
}

static gchar *
on_ask (gpointer data)
{
  g_assert_not_reached ();
}

static void
on_progress (const VodUploadProgress *progress, gpointer data)
{
  Owner *owner = data;

  g_mutex_lock (&owner->lock);
  owner->last_loaded = progress->loaded;
  owner->last_total = progress->total;
  owner->last_percent = progress->percent;
  g_mutex_unlock (&owner->lock);
}

static void
on_retry (VodPhase phase, guint attempt, guint delay_ms, const gchar *message,
    gpointer data)
{
  Owner *owner = data;

  g_assert_cmpuint (attempt, >=, 1);
  g_assert_nonnull (message);
  g_mutex_lock (&owner->lock);
  owner->retries++;
  g_cond_broadcast (&owner->cond);
  g_mutex_unlock (&owner->lock);
}

static void
on_milestone (VodUploadMilestone milestone, gpointer data)
{
  static const gchar *const words[] = {
      "opening", "opened", "closing", "closed"};

  tell (data, words[milestone]);
}

static void
on_warning (VodUploadWarning warning, const gchar *message, gpointer data)
{
  tell (data, warning == VOD_UPLOAD_BLOCKED ? "blocked" : "limit");
}

static void
on_finished (const VodUploadResult *result, gpointer data)
{
  Owner *owner = data;

  g_assert_nonnull (result->file_id);
  g_assert_nonnull (result->video_url);
  g_mutex_lock (&owner->lock);
  owner->finished++;
  owner->finished_size = result->size;
  owner->finished_parts = result->parts;
  g_mutex_unlock (&owner->lock);
  tell (owner, "finished");
}

static void
on_failed (GError *error, gpointer data)
{
  Owner *owner = data;

  g_assert_cmpint (error->domain, ==, VOD_ERROR);
  g_mutex_lock (&owner->lock);
  owner->failed++;
  owner->error_code = error->code;
  owner->number = vod_error_number (error);
  owner->error_phase =
      g_strdup (vod_phase_name (vod_error_details (error)->phase));
  owner->error_text = g_strdup (error->message);
  g_mutex_unlock (&owner->lock);
  tell (owner, "failed");
}

static void
on_destroy (gpointer data)
{
  Owner *owner = data;

  g_mutex_lock (&owner->lock);
  owner->destroyed++;
  g_cond_broadcast (&owner->cond);
  g_mutex_unlock (&owner->lock);
}

static const VodUploadEvents events = {
    .can_ask = on_can_ask,
    .ask = on_ask,
    .progress = on_progress,
    .retry = on_retry,
    .milestone = on_milestone,
    .warning = on_warning,
    .finished = on_finished,
    .failed = on_failed,
};

/* @uri: NULL for the emulator's. */
static Owner *
owner_new_at (Emulator *emulator, const gchar *uri, guint timeout)
{
  Owner *owner = g_new0 (Owner, 1);
  g_autofree gchar *signature = emulator_signature (FALSE);
  VodUploadSettings settings = {
      .endpoint = (gchar *)(uri ? uri : emulator_uri (emulator)),
      .forward = TRUE,
      .name = (gchar *)"name",
      .type = (gchar *)"mp4",
      .slice_size = MIB,
      .max_size_bytes = 4 * MIB,
      .parallel_uploads = 3,
      .user_agent = (gchar *)"test",
      .timeout = timeout,
  };

  owner->emulator = emulator;
  owner->story = g_string_new (NULL);
  g_mutex_init (&owner->lock);
  g_cond_init (&owner->cond);
  owner->upload = vod_upload_new (&settings, &events, owner, on_destroy);
  vod_upload_set_signature (owner->upload, signature);
  return owner;
}

static Owner *
owner_new (Emulator *emulator)
{
  return owner_new_at (emulator, NULL, 15);
}

static void
owner_free (Owner *owner)
{
  vod_upload_stop (owner->upload);
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_true (test_no_threads ("vod-upload"));
  vod_upload_unref (owner->upload);
  g_assert_cmpuint (owner->destroyed, ==, 1);
  g_assert_cmpuint (owner->finished + owner->failed, <=, 1);
  g_string_free (owner->story, TRUE);
  g_free (owner->error_phase);
  g_free (owner->error_text);
  g_mutex_clear (&owner->lock);
  g_cond_clear (&owner->cond);
  g_free (owner);
}

static VodFlow
write_bytes (Owner *owner, gsize len)
{
  g_autofree guint8 *data = g_malloc (len);
  gsize taken;
  VodFlow flow;

  test_fill (data, owner->size, len);
  flow = vod_upload_write (owner->upload, data, len, &taken);
  owner->size += taken;
  return flow;
}

static void
assert_finished (Owner *owner, guint n)
{
  g_autofree guint8 *expected = g_malloc (owner->size);

  vod_upload_finish (owner->upload);
  if (vod_upload_wait (owner->upload) != VOD_FLOW_OK)
    g_error ("failed: %s", owner->error_text);
  g_assert_cmpuint (owner->finished, ==, 1);
  g_assert_cmpuint (owner->finished_size, ==, owner->size);
  g_assert_cmpuint (owner->last_loaded, ==, owner->size);
  g_assert_cmpuint (owner->last_total, ==, owner->size);
  g_assert_cmpfloat (owner->last_percent, ==, 100.0);
  test_fill (expected, 0, owner->size);
  g_assert_true (emulator_media_is (owner->emulator, n, expected, owner->size));
  g_assert_cmpuint (emulator_media_int (owner->emulator, n, "parts"), ==,
      owner->finished_parts);
}

static void
assert_state (Owner *owner, const gchar *state)
{
  VodUploadStats stats;

  vod_upload_get_stats (owner->upload, &stats);
  g_assert_cmpstr (stats.state, ==, state);
}

typedef struct {
  Owner *owner;
  const gchar *state;
} StateWanted;

static gboolean
has_state (gpointer data)
{
  StateWanted *wanted = data;
  VodUploadStats stats;

  vod_upload_get_stats (wanted->owner->upload, &stats);
  return strcmp (stats.state, wanted->state) == 0;
}

static void
wait_state (Owner *owner, const gchar *state)
{
  StateWanted wanted = {owner, state};

  g_assert_true (test_wait_until (has_state, &wanted, 10));
}

/* --- the plain way --------------------------------------------------------*/

static void
test_a_plain_upload (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  assert_state (owner, "idle");
  g_assert_cmpint (write_bytes (owner, 0), ==, VOD_FLOW_OK);
  g_assert_cmpuint (test_count_threads ("vod-upload"), ==, 0);
  for (guint i = 0; i < 9; i++)
    g_assert_cmpint (write_bytes (owner, MIB + i), ==, VOD_FLOW_OK);
  wait_state (owner, "uploading");
  assert_finished (owner, 0);
  g_assert_cmpstr (
      owner->story->str, ==, "opening opened closing closed finished");
  assert_state (owner, "done");
  g_assert_cmpuint (emulator_n_uploads (emulator), ==, 0);
  owner_free (owner);
}

/* --- what it gets over ----------------------------------------------------*/

static const struct {
  const gchar *name;
  const gchar *faults;
  guint retries; /* at least */
} hurdles[] = {
    {"apply-503", "{\"op\":\"ApplyUploadUGC\",\"status\":503,\"times\":2}", 2},
    {"apply-lost",
        "{\"op\":\"ApplyUploadUGC\",\"lose-answer\":true,\"times\":1}", 1},
    {"apply-truncated",
        "{\"op\":\"ApplyUploadUGC\",\"truncate\":true,\"times\":1}", 1},
    {"apply-reset",
        "{\"op\":\"ApplyUploadUGC\",\"drop\":true,\"reset\":true,\"times\":1}",
        1},
    {"initiate-503",
        "{\"op\":\"InitiateMultipartUpload\",\"status\":503,\"times\":2}", 2},
    {"initiate-lost",
        "{\"op\":\"InitiateMultipartUpload\",\"lose-answer\":true,\"times\":1}",
        1},
    {"part-503", "{\"op\":\"UploadPart\",\"status\":503,\"times\":3}", 3},
    {"part-slow-down",
        "{\"op\":\"UploadPart\",\"part\":2,\"status\":503,"
        "\"code\":\"SlowDown\",\"retry-after\":1,\"times\":1}",
        1},
    {"part-lost", "{\"op\":\"UploadPart\",\"lose-answer\":true,\"times\":3}",
        1},
    {"part-dropped",
        "{\"op\":\"UploadPart\",\"drop\":true,\"after-bytes\":300000,"
        "\"times\":3}",
        1},
    {"part-reset",
        "{\"op\":\"UploadPart\",\"drop\":true,\"reset\":true,"
        "\"after-bytes\":300000,\"times\":3}",
        1},
    {"part-early-error",
        "{\"op\":\"UploadPart\",\"status\":503,\"early\":true,\"times\":2}", 1},
    {"part-damaged", "{\"op\":\"UploadPart\",\"wrong-crc\":true,\"times\":2}",
        2},
    {"part-damaged-no-crc",
        "[{\"op\":\"UploadPart\",\"no-crc\":true,\"wrong-etag\":true,"
        "\"times\":2}]",
        2},
    {"part-without-etag",
        "{\"op\":\"UploadPart\",\"no-etag\":true,\"times\":1}", 1},
    {"no-crc-at-all", "{\"op\":\"UploadPart\",\"no-crc\":true}", 0},
    {"idle-close", "{\"op\":\"*\",\"close-idle\":true}", 0},
    {"complete-500",
        "{\"op\":\"CompleteMultipartUpload\",\"status\":500,\"times\":2}", 2},
    {"complete-error-in-200",
        "{\"op\":\"CompleteMultipartUpload\",\"error-in-200\":"
        "\"InternalError\",\"times\":1}",
        1},
    {"complete-lost",
        "{\"op\":\"CompleteMultipartUpload\",\"lose-answer\":true,"
        "\"times\":1}",
        1},
    {"complete-lost-no-looking",
        "[{\"op\":\"CompleteMultipartUpload\",\"lose-answer\":true,"
        "\"times\":1},{\"op\":\"HeadObject\",\"status\":403}]",
        1},
    {"complete-lost-look-503",
        "[{\"op\":\"CompleteMultipartUpload\",\"lose-answer\":true,"
        "\"times\":1},{\"op\":\"HeadObject\",\"status\":503,\"times\":2}]",
        1},
    {"complete-blanks", "{\"op\":\"CompleteMultipartUpload\",\"spaces\":500}",
        0},
    {"commit-503", "{\"op\":\"CommitUploadUGC\",\"status\":503,\"times\":2}",
        2},
    {"commit-lost",
        "{\"op\":\"CommitUploadUGC\",\"lose-answer\":true,\"times\":1}", 1},
    {"expired-credentials",
        "{\"op\":\"UploadPart\",\"part\":3,\"expire-credentials\":true,"
        "\"times\":1}",
        1},
    {"expired-as-message",
        "{\"op\":\"UploadPart\",\"part\":3,\"expire-credentials\":true,"
        "\"shape\":\"message\",\"times\":1}",
        1},
    {"expired-at-complete",
        "{\"op\":\"CompleteMultipartUpload\",\"expire-credentials\":true,"
        "\"times\":1}",
        1},
    {"skewed",
        "{\"op\":\"UploadPart\",\"status\":403,"
        "\"code\":\"RequestTimeTooSkewed\",\"times\":1}",
        1},
    {"unknown-code-thrice",
        "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":777,"
        "\"message\":\"busy\"},\"times\":3}",
        3},
};

static void
test_hurdle (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  emulator_add_faults (emulator, hurdles[i].faults);
  for (guint j = 0; j < 5; j++)
    g_assert_cmpint (write_bytes (owner, MIB - j), ==, VOD_FLOW_OK);
  assert_finished (owner, 0);
  g_assert_cmpuint (owner->retries, >=, hurdles[i].retries);
  g_assert_cmpuint (emulator_n_media (emulator), ==, 1);
  owner_free (owner);
}

/* --- what ends it ---------------------------------------------------------*/

static const struct {
  const gchar *name;
  const gchar *faults;
  gint retry_duration;
  VodErrorCode code;
  const gchar *phase;
  gint number;
} ends[] = {
    {"bad-signature",
        "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":10004,"
        "\"message\":\"invalid signature\"}}",
        300, VOD_ERROR_SERVICE, "apply", 10004},
    {"unknown-code-for-ever",
        "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":777,"
        "\"message\":\"no\"}}",
        300, VOD_ERROR_SERVICE, "apply", 777},
    {"denied",
        "{\"op\":\"UploadPart\",\"status\":403,\"code\":\"AccessDenied\"}", 300,
        VOD_ERROR_STORAGE, "part", 403},
    {"no-retry", "{\"op\":\"UploadPart\",\"status\":503}", 0, VOD_ERROR_STORAGE,
        "part", 503},
    {"a-second", "{\"op\":\"CommitUploadUGC\",\"status\":500}", 1,
        VOD_ERROR_HTTP, "commit", 500},
    {"refused-for-ever",
        "{\"op\":\"UploadPart\",\"status\":400,\"code\":\"ExpiredToken\"}", 1,
        VOD_ERROR_STORAGE, "part", 400},
    {"upload-gone", "{\"op\":\"UploadPart\",\"part\":2,\"forget-upload\":true}",
        300, VOD_ERROR_STORAGE, "part", 404},
    {"upload-gone-at-complete",
        "{\"op\":\"CompleteMultipartUpload\",\"forget-upload\":true}", 300,
        VOD_ERROR_STORAGE, "complete", 404},
    {"corrupt-there",
        "[{\"op\":\"UploadPart\",\"part\":2,\"corrupt\":true,"
        "\"no-crc\":true}]",
        300, VOD_ERROR_INTEGRITY, "complete", -5},
};

static void
test_end (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  vod_upload_set_retry_duration (owner->upload, ends[i].retry_duration);
  emulator_add_faults (emulator, ends[i].faults);
  for (guint j = 0; j < 5; j++)
    write_bytes (owner, MIB);
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  g_assert_cmpuint (owner->failed, ==, 1);
  g_test_message ("%s", owner->error_text);
  g_assert_cmpint (owner->error_code, ==, (gint)ends[i].code);
  g_assert_cmpstr (owner->error_phase, ==, ends[i].phase);
  g_assert_cmpint (owner->number, ==, ends[i].number);
  /* It stays so. */
  g_assert_cmpint (write_bytes (owner, 10), ==, VOD_FLOW_FAILED);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  assert_state (owner, "failed");
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_cmpuint (emulator_upload_bytes (emulator), ==, 0);
  owner_free (owner);
}

/* The whole is looked for after a lost answer, and taken for what it is. */
static void
test_lost_complete_is_looked_for (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  emulator_add_faults (emulator,
      "{\"op\":\"CompleteMultipartUpload\",\"lose-answer\":true,\"times\":1}");
  write_bytes (owner, 3 * MIB);
  assert_finished (owner, 0);
  g_assert_cmpuint (emulator_count (emulator, "HeadObject", 200), ==, 1);
  g_assert_cmpuint (emulator_n_media (emulator), ==, 1);
  owner_free (owner);
}

/* --- credentials ----------------------------------------------------------*/

/* Renewed at 90 % of their life: nothing is ever refused. The service counts
 * whole seconds, so that a tenth must be one. */
static void
test_credentials_are_renewed_in_time (void)
{
  g_autoptr (Emulator) emulator =
      emulator_new ("--credential-lifetime", "10", NULL);
  Owner *owner = owner_new (emulator);
  gint64 begin = g_get_monotonic_time ();

  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"delay\":250}");
  while (g_get_monotonic_time () - begin < 10 * G_USEC_PER_SEC)
    g_assert_cmpint (write_bytes (owner, MIB), ==, VOD_FLOW_OK);
  emulator_clear_faults (emulator);
  assert_finished (owner, 0);
  g_assert_cmpuint (emulator_count (emulator, "ApplyUploadUGC", 200), ==, 2);
  g_assert_cmpuint (emulator_count (emulator, "UploadPart", 400), ==, 0);
  g_assert_cmpuint (emulator_count (emulator, "UploadPart", 403), ==, 0);
  g_assert_cmpuint (owner->retries, ==, 0);
  g_assert_cmpuint (emulator_n_sessions (emulator), ==, 1);
  owner_free (owner);
}

/* A renewal that fails is tried again before they end. */
static void
test_a_failing_renewal_is_tried_again (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  emulator_add_faults (emulator,
      "[{\"op\":\"UploadPart\",\"part\":2,\"expire-credentials\":true,"
      "\"times\":1},"
      "{\"op\":\"ApplyUploadUGC\",\"skip\":1,\"times\":2,\"status\":503}]");
  for (guint j = 0; j < 5; j++)
    write_bytes (owner, MIB);
  assert_finished (owner, 0);
  g_assert_cmpuint (emulator_count (emulator, "ApplyUploadUGC", 503), ==, 2);
  owner_free (owner);
}

/* --- stopping -------------------------------------------------------------*/

static const struct {
  const gchar *name;
  const gchar *faults; /* it hangs there */
  gboolean deletes;
} stops[] = {
    {"apply", "{\"op\":\"ApplyUploadUGC\",\"stall\":true}", FALSE},
    {"initiate", "{\"op\":\"InitiateMultipartUpload\",\"stall\":true}", FALSE},
    {"part", "{\"op\":\"UploadPart\",\"stall\":true}", TRUE},
    {"complete", "{\"op\":\"CompleteMultipartUpload\",\"stall\":true}", TRUE},
    {"commit", "{\"op\":\"CommitUploadUGC\",\"stall\":true}", FALSE},
    {"pause", "{\"op\":\"UploadPart\",\"status\":503,\"retry-after\":200}",
        TRUE},
};

static void
test_stop (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);
  gint64 begin;

  emulator_add_faults (emulator, stops[i].faults);
  write_bytes (owner, 2 * MIB);
  vod_upload_finish (owner->upload);
  g_assert_true (emulator_wait_hits (emulator, 1));
  begin = g_get_monotonic_time ();
  vod_upload_stop (owner->upload);
  g_assert_cmpint ((g_get_monotonic_time () - begin) / 1000, <, 100);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_STOPPED);
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_cmpint ((g_get_monotonic_time () - begin) / 1000, <, 2000);
  if (stops[i].deletes)
    g_assert_true (
        emulator_wait_count (emulator, "AbortMultipartUpload", 204, 1));
  g_assert_cmpuint (emulator_count (emulator, "AbortMultipartUpload", -1), ==,
      stops[i].deletes ? 1 : 0);
  g_assert_cmpuint (owner->finished + owner->failed, ==, 0);
  owner_free (owner);
}

static void
test_stop_before_anything (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);
  gsize taken;

  vod_upload_stop (owner->upload);
  g_assert_cmpint (
      vod_upload_write (owner->upload, (const guint8 *)"a", 1, &taken), ==,
      VOD_FLOW_STOPPED);
  g_assert_cmpuint (taken, ==, 0);
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_cmpuint (test_count_threads ("vod-upload"), ==, 0);
  owner_free (owner);
}

static void
test_stop_after_the_end (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  write_bytes (owner, 1000);
  assert_finished (owner, 0);
  for (guint i = 0; i < 3; i++) {
    vod_upload_stop (owner->upload);
    g_assert_true (vod_upload_join (owner->upload));
  }
  assert_state (owner, "done");
  g_assert_cmpuint (
      emulator_count (emulator, "AbortMultipartUpload", -1), ==, 0);
  owner_free (owner);
}

/* Stopped at a random moment, over and over. */
static void
test_stop_at_any_moment (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);

  for (guint i = 0; i < 60; i++) {
    Owner *owner = owner_new (emulator);

    write_bytes (owner, (gsize)g_test_rand_int_range (1, 3 * MIB));
    if (g_test_rand_bit ())
      vod_upload_finish (owner->upload);
    g_usleep ((gulong)g_test_rand_int_range (0, 20000));
    owner_free (owner);
  }
  g_assert_cmpuint (emulator_upload_bytes (emulator), ==, 0);
}

/* --- interrupting ---------------------------------------------------------*/

static gpointer
wait_for_the_end (gpointer data)
{
  Owner *owner = data;

  return GINT_TO_POINTER (vod_upload_wait (owner->upload));
}

static void
test_interrupt_is_sticky (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);
  GThread *thread;

  emulator_add_faults (emulator,
      "{\"op\":\"CommitUploadUGC\",\"stall\":true,"
      "\"times\":1}");
  /* Before anything waits. */
  vod_upload_interrupt (owner->upload, TRUE);
  write_bytes (owner, 10);
  g_assert_cmpuint (owner->size, ==, 0);
  vod_upload_interrupt (owner->upload, FALSE);
  g_assert_cmpint (write_bytes (owner, 2 * MIB), ==, VOD_FLOW_OK);
  vod_upload_interrupt (owner->upload, TRUE);
  vod_upload_finish (owner->upload);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_INTERRUPTED);
  vod_upload_interrupt (owner->upload, FALSE);

  /* While it waits; requests go on. */
  thread = g_thread_new ("wait", wait_for_the_end, owner);
  g_assert_true (emulator_wait_hits (emulator, 1));
  vod_upload_interrupt (owner->upload, TRUE);
  g_assert_cmpint (
      GPOINTER_TO_INT (g_thread_join (thread)), ==, VOD_FLOW_INTERRUPTED);
  vod_upload_interrupt (owner->upload, FALSE);
  vod_upload_stop (owner->upload);
  owner_free (owner);
}

static gpointer
write_much (gpointer data)
{
  return GINT_TO_POINTER (write_bytes (data, 10 * MIB));
}

static void
test_interrupt_while_memory_is_full (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);
  GThread *thread;
  guint64 first;

  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"stall\":true}");
  thread = g_thread_new ("write", write_much, owner);
  g_assert_true (emulator_wait_hits (emulator, 1));
  vod_upload_interrupt (owner->upload, TRUE);
  g_assert_cmpint (
      GPOINTER_TO_INT (g_thread_join (thread)), ==, VOD_FLOW_INTERRUPTED);
  first = owner->size;
  g_assert_cmpuint (first, >, 0);
  g_assert_cmpuint (first, <=, 4 * MIB);
  vod_upload_stop (owner->upload);
  owner_free (owner);
}

/* --- a server that trickles -----------------------------------------------*/

/* A byte of header now and then: no timeout of a socket sees that. */
static void
serve_trickle (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  if (!test_raw_read_request (stream, NULL, NULL) ||
      !test_raw_write (stream, "HTTP/1.1 200 OK\r\nX: "))
    return;
  while (!test_raw_stopping (raw)) {
    if (!test_raw_write (stream, "x"))
      return;
    test_raw_wait (raw, 100);
  }
}

static void
test_a_trickling_server_is_given_up (void)
{
  g_autoptr (TestRaw) raw = test_raw_new (serve_trickle, NULL);
  Owner *owner = owner_new_at (NULL, test_raw_uri (raw), 1);
  gint64 begin = g_get_monotonic_time (), s;

  vod_upload_set_retry_duration (owner->upload, 0);
  write_bytes (owner, 1000);
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  s = (g_get_monotonic_time () - begin) / G_USEC_PER_SEC;
  g_assert_cmpint (s, <, 6);
  g_assert_cmpint (owner->error_code, ==, VOD_ERROR_NETWORK);
  g_assert_cmpstr (owner->error_phase, ==, "apply");
  owner_free (owner);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/upload/plain", test_a_plain_upload);
  for (guint i = 0; i < G_N_ELEMENTS (hurdles); i++) {
    g_autofree gchar *path =
        g_strconcat ("/upload/gets-over/", hurdles[i].name, NULL);

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_hurdle);
  }
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++) {
    g_autofree gchar *path =
        g_strconcat ("/upload/ends-by/", ends[i].name, NULL);

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_end);
  }
  g_test_add_func ("/upload/lost-complete", test_lost_complete_is_looked_for);
  g_test_add_func (
      "/upload/credentials/in-time", test_credentials_are_renewed_in_time);
  g_test_add_func (
      "/upload/credentials/again", test_a_failing_renewal_is_tried_again);
  for (guint i = 0; i < G_N_ELEMENTS (stops); i++) {
    g_autofree gchar *path = g_strconcat ("/upload/stop/", stops[i].name, NULL);

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_stop);
  }
  g_test_add_func ("/upload/stop/before", test_stop_before_anything);
  g_test_add_func ("/upload/stop/after", test_stop_after_the_end);
  g_test_add_func ("/upload/stop/any-moment", test_stop_at_any_moment);
  g_test_add_func ("/upload/interrupt/sticky", test_interrupt_is_sticky);
  g_test_add_func (
      "/upload/interrupt/full", test_interrupt_while_memory_is_full);
  g_test_add_func ("/upload/trickle", test_a_trickling_server_is_given_up);
  return g_test_run ();
}

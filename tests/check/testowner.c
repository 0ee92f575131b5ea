/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "testowner.h"

#include <string.h>

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
  Owner *owner = data;

  return owner->at_ask != NULL;
}

static gchar *
on_ask (gpointer data)
{
  Owner *owner = data;

  return owner->at_ask (owner);
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
  if (owner->at_progress)
    owner->at_progress (owner);
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
  owner->longest_delay = MAX (owner->longest_delay, delay_ms);
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
on_warning (VodUploadWarning warning, const gchar *message,
    const gchar *spool_location, gpointer data)
{
  static const gchar *const words[] = {"limit", "blocked", "spool", "session"};
  Owner *owner = data;

  g_assert_nonnull (message);
  g_test_message ("%s", message);
  g_mutex_lock (&owner->lock);
  g_free (owner->warned_location);
  owner->warned_location = g_strdup (spool_location);
  g_mutex_unlock (&owner->lock);
  tell (data, words[warning]);
}

static void
on_mishap (GError *error, gpointer data)
{
  Owner *owner = data;
  g_autofree gchar *word = g_strdup_printf (
      "mishap-%s", vod_phase_name (vod_error_details (error)->phase));

  g_assert_cmpint (error->domain, ==, VOD_ERROR);
  g_test_message ("%s", error->message);
  g_mutex_lock (&owner->lock);
  owner->mishaps++;
  owner->mishap_code = error->code;
  owner->mishap_number = vod_error_number (error);
  g_free (owner->mishap_text);
  owner->mishap_text = g_strdup (error->message);
  g_mutex_unlock (&owner->lock);
  tell (owner, word);
  if (owner->at_mishap)
    owner->at_mishap (owner);
}

static void
on_recovered (
    const gchar *spool_location, const gchar *resume_key, gpointer data)
{
  Owner *owner = data;

  g_mutex_lock (&owner->lock);
  g_free (owner->recovered);
  owner->recovered = g_strdup (spool_location);
  g_mutex_unlock (&owner->lock);
  tell (owner, "recovered");
}

static void
on_notice (const gchar *message, gpointer data)
{
  g_assert_nonnull (message);
  tell (data, "notice");
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
  owner->kept_spool = g_strdup (result->spool_location);
  owner->file_id = g_strdup (result->file_id);
  owner->cover_url = g_strdup (result->cover_url);
  g_mutex_unlock (&owner->lock);
  tell (owner, "finished");
  if (owner->at_finish)
    owner->at_finish (owner->at_finish_data ? owner->at_finish_data : owner);
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
  owner->resumable = vod_error_details (error)->resumable;
  owner->spool_location = g_strdup (vod_error_details (error)->spool_location);
  g_mutex_unlock (&owner->lock);
  tell (owner, "failed");
  if (owner->at_failure)
    owner->at_failure (owner);
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
    .mishap = on_mishap,
    .recovered = on_recovered,
    .notice = on_notice,
    .finished = on_finished,
    .failed = on_failed,
};

Owner *
owner_new_adjusted (Emulator *emulator,
    void (*adjust) (VodUploadSettings *settings, gpointer data), gpointer data)
{
  Owner *owner = g_new0 (Owner, 1);
  g_autofree gchar *signature = emulator_signature (FALSE);
  VodUploadSettings settings = {
      .endpoint = (gchar *)(emulator ? emulator_uri (emulator) : NULL),
      .first_again = 30000,
      .forward = TRUE,
      .name = (gchar *)"name",
      .type = (gchar *)"mp4",
      .slice_size = MIB,
      .max_size_bytes = 4 * MIB,
      .parallel_uploads = 3,
      .user_agent = (gchar *)"test",
      .timeout = 15,
      .worker_idle = 10000,
      .outage = 20000,
  };

  if (adjust)
    adjust (&settings, data);
  owner->emulator = emulator;
  owner->story = g_string_new (NULL);
  g_mutex_init (&owner->lock);
  g_cond_init (&owner->cond);
  owner->upload = vod_upload_new (&settings, &events, owner, on_destroy);
  vod_upload_set_signature (owner->upload, signature);
  return owner;
}

typedef struct {
  const gchar *uri;
  guint timeout;
} Place;

static void
adjust_place (VodUploadSettings *settings, gpointer data)
{
  const Place *place = data;

  if (place->uri)
    settings->endpoint = (gchar *)place->uri;
  settings->timeout = place->timeout;
}

Owner *
owner_new_at (Emulator *emulator, const gchar *uri, guint timeout)
{
  Place place = {uri, timeout};

  return owner_new_adjusted (emulator, adjust_place, &place);
}

Owner *
owner_new (Emulator *emulator)
{
  return owner_new_adjusted (emulator, NULL, NULL);
}

void
owner_free (Owner *owner)
{
  vod_upload_stop (owner->upload, FALSE);
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_true (test_no_threads ("vod-upload"));
  g_assert_true (test_no_threads ("vod-report"));
  vod_upload_unref (owner->upload);
  g_assert_cmpuint (owner->destroyed, ==, 1);
  g_assert_cmpuint (owner->finished + owner->failed, <=, 1);
  g_string_free (owner->story, TRUE);
  g_free (owner->error_phase);
  g_free (owner->error_text);
  g_free (owner->warned_location);
  g_free (owner->recovered);
  g_free (owner->kept_spool);
  g_free (owner->file_id);
  g_free (owner->cover_url);
  g_free (owner->mishap_text);
  g_free (owner->spool_location);
  g_mutex_clear (&owner->lock);
  g_cond_clear (&owner->cond);
  g_free (owner);
}

VodFlow
owner_write (Owner *owner, gsize len)
{
  g_autofree guint8 *data = g_malloc (len);
  gsize taken;
  VodFlow flow;

  test_fill (data, owner->size, len);
  flow = vod_upload_write (owner->upload, data, len, &taken);
  owner->size += taken;
  return flow;
}

void
owner_assert_finished (Owner *owner, guint n)
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

void
owner_assert_state (Owner *owner, const gchar *state)
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

void
owner_wait_state (Owner *owner, const gchar *state)
{
  StateWanted wanted = {owner, state};

  g_assert_true (test_wait_until (has_state, &wanted, 10));
}

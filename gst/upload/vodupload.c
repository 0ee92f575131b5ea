/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The owner's side of an upload; see vodupload-private.h for the lock. */
#include "vodupload-private.h"

#define DELETE_TIME (2 * G_USEC_PER_SEC)

/* --- life -----------------------------------------------------------------*/

static void
settings_copy (VodUploadSettings *to, const VodUploadSettings *from)
{
  *to = *from;
  to->endpoint = g_strdup (from->endpoint);
  to->backup_endpoint = g_strdup (from->backup_endpoint);
  to->storage_endpoint = g_strdup (from->storage_endpoint);
  to->region = g_strdup (from->region);
  to->name = g_strdup (from->name);
  to->cover_location = g_strdup (from->cover_location);
  to->type = g_strdup (from->type);
  to->signature_url = g_strdup (from->signature_url);
  to->signature_headers = g_strdupv (from->signature_headers);
  to->user_agent = g_strdup (from->user_agent);
  to->proxy = g_strdup (from->proxy);
  to->tls_ca_file = g_strdup (from->tls_ca_file);
  to->report_id = g_strdup (from->report_id);
  to->report_endpoint = g_strdup (from->report_endpoint);
  to->report_device = g_strdup (from->report_device);
  to->state_dir = g_strdup (from->state_dir);
  to->media_key = g_strdup (from->media_key);
  to->resume_key = g_strdup (from->resume_key);
  to->source_file = g_strdup (from->source_file);
  to->pace = from->pace ? vod_pace_ref (from->pace) : vod_pace_new ();
}

void
vod_upload_settings_clear (VodUploadSettings *settings)
{
  g_free (settings->endpoint);
  g_free (settings->backup_endpoint);
  g_free (settings->storage_endpoint);
  g_free (settings->region);
  g_free (settings->name);
  g_free (settings->cover_location);
  g_free (settings->type);
  g_free (settings->signature_url);
  g_strfreev (settings->signature_headers);
  g_free (settings->user_agent);
  g_free (settings->proxy);
  g_free (settings->tls_ca_file);
  g_free (settings->report_id);
  g_free (settings->report_endpoint);
  g_free (settings->report_device);
  g_free (settings->state_dir);
  g_free (settings->media_key);
  g_free (settings->resume_key);
  g_free (settings->source_file);
  g_clear_pointer (&settings->pace, vod_pace_unref);
  *settings = (VodUploadSettings){0};
}

VodHttpSettings
vod_upload_settings_http (const VodUploadSettings *settings)
{
  return (VodHttpSettings){
      .user_agent = settings->user_agent,
      .proxy = settings->proxy,
      .tls_ca_file = settings->tls_ca_file,
      .timeout = settings->timeout,
      .pace = settings->pace,
      .log = settings->log,
  };
}

VodUpload *
vod_upload_new (const VodUploadSettings *settings,
    const VodUploadEvents *events, gpointer data, GDestroyNotify destroy)
{
  VodUpload *upload = g_atomic_rc_box_new0 (VodUpload);
  VodSlicesConfig config = {
      .min_part = VOD_MIB,
      .max_parts = VOD_SESSION_MAX_PARTS,
      .slice_size = settings->slice_size,
      .max_bytes = MAX (settings->max_size_bytes, 4 * VOD_MIB),
  };

  settings_copy (&upload->settings, settings);
  vod_endpoints_init (&upload->endpoints, upload->settings.endpoint,
      upload->settings.backup_endpoint, settings->first_again * (gint64)1000);
  upload->events = *events;
  upload->data = data;
  upload->destroy = destroy;
  g_mutex_init (&upload->lock);
  g_cond_init (&upload->work);
  g_cond_init (&upload->room);
  upload->slices = vod_slices_new (&config);
  upload->workers = g_ptr_array_new_with_free_func (g_free);
  vod_share_init (&upload->share, vod_upload_wake_share, upload);
  upload->retry_duration = 300;
  upload->progress_interval = 1000;
  upload->keep_at_stop = TRUE;
  vod_upload_open_reports (upload);
  return upload;
}

static void
upload_clear (gpointer memory)
{
  VodUpload *upload = memory;

  vod_share_clear (&upload->share);
  if (upload->destroy)
    upload->destroy (upload->data);
  for (guint i = 0; i < upload->workers->len; i++) {
    VodWorker *worker = g_ptr_array_index (upload->workers, i);

    g_thread_unref (worker->thread);
  }
  g_ptr_array_unref (upload->workers);
  vod_upload_drop_notes (upload);
  vod_reporter_free (upload->reporter);
  g_free (upload->report_key);
  vod_slices_free (upload->slices);
  g_clear_pointer (&upload->local, vod_local_free);
  g_clear_pointer (&upload->source, vod_spool_free);
  g_clear_pointer (&upload->discard, vod_session_close);
  g_free (upload->sweep_after);
  vod_cover_clear (&upload->cover);
  g_clear_pointer (&upload->exchange, g_bytes_unref);
  g_clear_pointer (&upload->exchange_applied, vod_api_applied_unref);
  vod_api_committed_clear (&upload->result);
  g_clear_pointer (&upload->applied, vod_api_applied_unref);
  g_free (upload->region);
  g_free (upload->region_blamed);
  g_clear_pointer (&upload->left_hosts, g_ptr_array_unref);
  g_free (upload->upload_id);
  g_free (upload->signature);
  g_free (upload->refused);
  g_clear_error (&upload->refusal);
  g_clear_error (&upload->spool_trouble);
  g_clear_error (&upload->crew_trouble);
  vod_upload_settings_clear (&upload->settings);
  g_cond_clear (&upload->room);
  g_cond_clear (&upload->work);
  g_mutex_clear (&upload->lock);
}

VodUpload *
vod_upload_ref (VodUpload *upload)
{
  return g_atomic_rc_box_acquire (upload);
}

void
vod_upload_unref (VodUpload *upload)
{
  g_atomic_rc_box_release_full (upload, upload_clear);
}

/* --- settings that may change ---------------------------------------------*/

void
vod_upload_set_retry_duration (VodUpload *upload, gint seconds)
{
  g_mutex_lock (&upload->lock);
  upload->retry_duration = seconds;
  g_cond_broadcast (&upload->work);
  g_mutex_unlock (&upload->lock);
}

void
vod_upload_set_progress_interval (VodUpload *upload, guint ms)
{
  g_mutex_lock (&upload->lock);
  upload->progress_interval = ms;
  upload->next_progress = 0;
  g_mutex_unlock (&upload->lock);
}

void
vod_upload_set_signature (VodUpload *upload, const gchar *signature)
{
  g_mutex_lock (&upload->lock);
  g_free (upload->signature);
  upload->signature = g_strdup (signature);
  if (signature)
    upload->signature_serial++;
  g_cond_broadcast (&upload->work);
  g_mutex_unlock (&upload->lock);
}

void
vod_upload_set_paused (VodUpload *upload, gboolean paused)
{
  g_mutex_lock (&upload->lock);
  if (upload->paused != paused) {
    upload->paused = paused;
    vod_upload_stand_still (upload, paused);
    /* From here on it would be the network that holds upstream back. */
    if (upload->blocked_since != 0)
      upload->blocked_since = g_get_monotonic_time ();
    vod_upload_wake_workers (upload);
  }
  g_mutex_unlock (&upload->lock);
}

void
vod_upload_set_max_bitrate (VodUpload *upload, guint64 bitrate)
{
  vod_pace_set_rate (upload->settings.pace, bitrate);
  g_mutex_lock (&upload->lock);
  vod_upload_wake_workers (upload);
  g_mutex_unlock (&upload->lock);
}

void
vod_upload_set_discard_on_stop (VodUpload *upload, gboolean discard)
{
  g_mutex_lock (&upload->lock);
  upload->discard_on_stop = discard;
  g_mutex_unlock (&upload->lock);
}

void
vod_upload_expect_rewrites (VodUpload *upload)
{
  g_mutex_lock (&upload->lock);
  vod_slices_set_keep (upload->slices, TRUE);
  g_mutex_unlock (&upload->lock);
}

/* --- any thread -----------------------------------------------------------*/

void
vod_upload_interrupt (VodUpload *upload, gboolean interrupted)
{
  g_mutex_lock (&upload->lock);
  upload->interrupted = interrupted;
  g_cond_broadcast (&upload->room);
  g_mutex_unlock (&upload->lock);
}

void
vod_upload_stop (VodUpload *upload, gboolean discard)
{
  GPtrArray *requests = NULL;
  gboolean keep = vod_upload_is_kept (upload), failing, committed;
  VodLocalDiscard why = discard ? VOD_LOCAL_FLUSHED : VOD_LOCAL_FAILED;

  vod_reporter_stop (upload->reporter);
  g_mutex_lock (&upload->lock);
  if (upload->committed)
    vod_upload_end_exchange (upload);
  committed = upload->committed;
  failing = upload->ending;
  keep = committed ||
      (keep && !discard && !upload->discard_on_stop && upload->keep_at_stop);
  if (upload->cancelled)
    why = VOD_LOCAL_CANCELLED;
  if (upload->end != VOD_END_NONE)
    keep = upload->keep_at_stop;
  else
    requests = vod_upload_end_early (upload, VOD_END_STOPPED, keep);
  upload->keep_at_stop = TRUE;
  g_mutex_unlock (&upload->lock);

  if (committed)
    vod_upload_forget (upload);
  else
    vod_upload_let_go (upload, keep, why);
  if (requests) {
    vod_upload_write_notes (upload);
    if (!failing)
      vod_log (&upload->settings.log, VOD_LOG_INFO,
          keep ? "stopped: what is up is kept, to go on from there"
               : "stopped: what is up is deleted");
    vod_upload_cancel_all (requests);
  }
}

/* A worker that can be expected to end. With the lock. */
static VodWorker *
worker_to_wait_for (VodUpload *upload)
{
  for (guint i = 0; i < upload->workers->len; i++) {
    VodWorker *worker = g_ptr_array_index (upload->workers, i);

    if (!worker->left && !worker->in_app && worker->thread != g_thread_self ())
      return worker;
  }
  return NULL;
}

GSList *
vod_upload_take_left (VodUpload *upload)
{
  GSList *threads = NULL;

  for (guint i = upload->workers->len; i-- > 0;) {
    VodWorker *worker = g_ptr_array_index (upload->workers, i);

    if (worker->left) {
      threads = g_slist_prepend (threads, worker->thread);
      g_ptr_array_remove_index_fast (upload->workers, i);
    }
  }
  return threads;
}

gboolean
vod_upload_join (VodUpload *upload)
{
  gint64 deadline = g_get_monotonic_time () + DELETE_TIME;
  gboolean reported = vod_reporter_join (upload->reporter), all;
  GSList *threads;

  g_mutex_lock (&upload->lock);
  while (worker_to_wait_for (upload)) {
    GPtrArray *requests;

    if (g_cond_wait_until (&upload->room, &upload->lock, deadline))
      continue;
    requests = vod_upload_take_requests (upload);
    g_mutex_unlock (&upload->lock);
    vod_upload_cancel_all (requests);
    g_mutex_lock (&upload->lock);
    deadline = g_get_monotonic_time () + DELETE_TIME;
  }
  threads = vod_upload_take_left (upload);
  all = upload->workers->len == 0;
  g_mutex_unlock (&upload->lock);

  for (GSList *l = threads; l; l = l->next)
    g_thread_join (l->data);
  g_slist_free (threads);
  return all && reported;
}

gboolean
vod_upload_is_quiet (VodUpload *upload)
{
  gboolean quiet;

  vod_reporter_check_overdue (upload->reporter);
  quiet = vod_reporter_is_quiet (upload->reporter);
  g_mutex_lock (&upload->lock);
  for (guint i = 0; i < upload->workers->len; i++) {
    const VodWorker *worker = g_ptr_array_index (upload->workers, i);

    quiet = quiet && worker->left;
  }
  g_mutex_unlock (&upload->lock);
  return quiet;
}

static const gchar *
state_name (const VodUpload *upload)
{
  switch (upload->end) {
    case VOD_END_DONE:
      return "done";
    case VOD_END_FAILED:
      return "failed";
    case VOD_END_STOPPED:
      return "idle";
    case VOD_END_NONE:
      break;
  }
  if (upload->waiting_for_signature)
    return "waiting-for-signature";
  if (upload->paused && upload->step != VOD_STEP_IDLE &&
      upload->step <= VOD_STEP_PARTS)
    return "paused";
  if (upload->failing_since != 0)
    return "retrying";
  switch (upload->step) {
    case VOD_STEP_IDLE:
      return "idle";
    case VOD_STEP_REGION:
    case VOD_STEP_APPLY:
    case VOD_STEP_CHECK:
    case VOD_STEP_LIST:
    case VOD_STEP_INITIATE:
      return "applying";
    case VOD_STEP_PARTS:
      return "uploading";
    case VOD_STEP_COMPLETE:
    case VOD_STEP_LOOK:
      return "completing";
    case VOD_STEP_COMMIT:
    case VOD_STEP_COVER_APPLY:
    case VOD_STEP_COVER_PUT:
    case VOD_STEP_COVER_COMMIT:
    case VOD_STEP_END:
      break;
  }
  return "committing";
}

void
vod_upload_get_stats (VodUpload *upload, VodUploadStats *stats)
{
  VodSlicesStats slices;

  g_mutex_lock (&upload->lock);
  vod_upload_measure_rate (upload);
  vod_slices_get_stats (upload->slices, &slices);
  *stats = (VodUploadStats){
      .bytes_received = upload->received,
      .bytes_uploaded = slices.confirmed,
      .bytes_sent = atomic_load (&upload->bytes_sent),
      .bytes_buffered = vod_slices_held (upload->slices),
      .position = slices.position,
      .bytes_spooled = upload->spooled,
      .parts_uploaded = slices.parts_confirmed -
          MIN (upload->parts_skipped, slices.parts_confirmed),
      .parts_skipped = upload->parts_skipped,
      .parts_rewritten = slices.parts_rewritten,
      .retries = upload->retries,
      .upload_rate = vod_rate_get (&upload->rate, g_get_monotonic_time ()),
      .blocked_time = upload->blocked_time,
      .state = state_name (upload),
  };
  g_mutex_unlock (&upload->lock);
}

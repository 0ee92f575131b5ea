/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a worker does: which job is next, and the thread that does it. How many
 * workers there are is said in vodcrew.c. See vodupload-private.h for the lock;
 * functions here are called with it unless they say otherwise.
 */
#include "vodjob.h"
#include "vodupload-private.h"

#define OVERDUE_CHECK G_USEC_PER_SEC
#define CONNECTION_PAUSE G_USEC_PER_SEC /* after one could not be had */

/* --- their requests -------------------------------------------------------*/

void
vod_upload_check_overdue (VodUpload *upload)
{
  gint64 now = g_get_monotonic_time ();

  if (now - upload->last_check < OVERDUE_CHECK)
    return;
  upload->last_check = now;
  vod_reporter_check_overdue (upload->reporter);
  for (guint i = 0; i < upload->workers->len; i++) {
    VodWorker *worker = g_ptr_array_index (upload->workers, i);

    if (worker->cancellable && worker->http && !worker->overdue &&
        vod_http_overdue (worker->http)) {
      worker->overdue = TRUE;
      g_cancellable_cancel (worker->cancellable);
    }
  }
}

GPtrArray *
vod_upload_take_requests (VodUpload *upload)
{
  GPtrArray *requests = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < upload->workers->len; i++) {
    VodWorker *worker = g_ptr_array_index (upload->workers, i);

    if (worker->cancellable)
      g_ptr_array_add (requests, g_object_ref (worker->cancellable));
  }
  return requests;
}

void
vod_upload_cancel_all (GPtrArray *requests)
{
  for (guint i = 0; i < requests->len; i++)
    g_cancellable_cancel (g_ptr_array_index (requests, i));
  g_ptr_array_unref (requests);
}

/* --- which job ------------------------------------------------------------*/

gboolean
vod_upload_try_ready (const VodTry *try, gint64 now, gint64 *wake)
{
  if (try->busy)
    return FALSE;
  if (now < try->not_before) {
    *wake = MIN (*wake, try->not_before);
    return FALSE;
  }
  return TRUE;
}

/* Do the credentials have to be renewed first? NONE: no; they are good. */
static VodJobKind
choose_renewal (VodUpload *upload, gint64 now, gint64 *wake, gboolean *usable)
{
  *usable = !upload->renew_wanted && now < upload->expires_at;
  if (!upload->renew_wanted && now < upload->renew_at) {
    *wake = MIN (*wake, upload->renew_at);
    return VOD_JOB_NONE;
  }
  return vod_upload_try_ready (&upload->renew_try, now, wake) ? VOD_JOB_RENEW
                                                              : VOD_JOB_NONE;
}

static VodJobKind
choose_step (VodUpload *upload, gint64 now, gint64 *wake)
{
  if (!vod_upload_try_ready (&upload->step_try, now, wake))
    return VOD_JOB_NONE;
  switch (upload->step) {
    case VOD_STEP_REGION:
      return VOD_JOB_REGION;
    case VOD_STEP_APPLY:
      return VOD_JOB_APPLY;
    case VOD_STEP_CHECK:
      return VOD_JOB_CHECK;
    case VOD_STEP_LIST:
      return VOD_JOB_LIST;
    case VOD_STEP_INITIATE:
      return VOD_JOB_INITIATE;
    case VOD_STEP_COMPLETE:
      return VOD_JOB_COMPLETE;
    case VOD_STEP_LOOK:
      return VOD_JOB_LOOK;
    case VOD_STEP_COMMIT:
      return vod_cover_is_pending (&upload->cover) ? VOD_JOB_NONE
                                                   : VOD_JOB_COMMIT;
    case VOD_STEP_COVER_APPLY:
      return VOD_JOB_COVER_APPLY;
    case VOD_STEP_COVER_PUT:
      return VOD_JOB_COVER_PUT;
    case VOD_STEP_COVER_COMMIT:
      return VOD_JOB_COVER_COMMIT;
    case VOD_STEP_IDLE:
    case VOD_STEP_PARTS:
    case VOD_STEP_END:
      break;
  }
  return VOD_JOB_NONE;
}

/* After the end: is there something to delete? Not before it is remembered, and
 * not without credentials. */
static VodJobKind
choose_last (VodUpload *upload)
{
  if (upload->end == VOD_END_DONE || !upload->parts_to_delete ||
      upload->applied == NULL || !upload->applied->credentials.secret_key)
    return VOD_JOB_EXIT;
  /* An Initiate that is still under way may tell the upload id. */
  if (upload->holding ||
      (upload->step == VOD_STEP_INITIATE && upload->step_try.busy))
    return VOD_JOB_NONE;
  upload->parts_to_delete = FALSE;
  return VOD_JOB_ABORT;
}

/* What brings the media further. */
static VodJobKind
choose_media (VodUpload *upload, gint64 now, gint64 *wake, VodSlice **slice)
{
  gint64 slice_wake;

  if (upload->step == VOD_STEP_PARTS && vod_slices_complete (upload->slices))
    upload->step = upload->completed_there ? VOD_STEP_LOOK : VOD_STEP_COMPLETE;
  if (upload->step != VOD_STEP_PARTS)
    return choose_step (upload, now, wake);
  if (!vod_upload_has_room (upload))
    return VOD_JOB_NONE;
  if (vod_upload_is_cut_off (upload) && now < upload->probe_at) {
    *wake = MIN (*wake, upload->probe_at);
    return VOD_JOB_NONE;
  }
  *slice = vod_slices_next (upload->slices, now, &slice_wake);
  *wake = MIN (*wake, slice_wake);
  return *slice ? VOD_JOB_PART : VOD_JOB_NONE;
}

/* Now and then, what an earlier upload has left. */
static gboolean
may_sweep (const VodUpload *upload)
{
  return !upload->swept && !upload->sweeping &&
      upload->step >= VOD_STEP_PARTS && vod_upload_has_room (upload);
}

/* The cover goes beside the media, not before it. */
static VodJobKind
choose_upload (VodUpload *upload, gint64 now, gint64 *wake, VodSlice **slice)
{
  gboolean beside = upload->parts_in_flight > 0 || upload->step_try.busy;
  VodJobKind kind;

  if (beside && vod_upload_cover_due (upload, now, wake))
    return VOD_JOB_COVER;
  kind = choose_media (upload, now, wake, slice);
  if (kind != VOD_JOB_NONE)
    return kind;
  if (vod_upload_cover_due (upload, now, wake))
    return VOD_JOB_COVER;
  return may_sweep (upload) ? VOD_JOB_SWEEP : VOD_JOB_NONE;
}

static VodJobKind
choose_job (VodUpload *upload, gint64 now, gint64 *wake, VodSlice **slice)
{
  gboolean usable = TRUE;
  VodJobKind kind;

  *wake = G_MAXINT64;
  if (upload->end != VOD_END_NONE)
    return choose_last (upload);
  if (upload->ending || upload->beginning)
    return VOD_JOB_NONE;
  if (vod_upload_sync_due (upload, now, wake))
    return VOD_JOB_SYNC;

  if (upload->step >= VOD_STEP_CHECK &&
      (upload->step <= VOD_STEP_LOOK ||
          vod_cover_is_pending (&upload->cover))) {
    kind = choose_renewal (upload, now, wake, &usable);
    if (kind != VOD_JOB_NONE)
      return kind;
    if (!usable)
      return VOD_JOB_NONE;
  }
  if (upload->step == VOD_STEP_PARTS && upload->paused)
    return VOD_JOB_NONE;
  return choose_upload (upload, now, wake, slice);
}

VodTry *
vod_upload_try_of (VodUpload *upload, VodJobKind kind)
{
  switch (kind) {
    case VOD_JOB_PART:
    case VOD_JOB_ABORT:
    case VOD_JOB_SYNC:
    case VOD_JOB_SWEEP:
    case VOD_JOB_NONE:
    case VOD_JOB_EXIT:
      return NULL;
    case VOD_JOB_RENEW:
      return &upload->renew_try;
    case VOD_JOB_COVER:
      return &upload->cover_try;
    default:
      return &upload->step_try;
  }
}

/* The parts up to this one, as they were cut: so that another run cuts in the
 * same places. */
static void
prepare_cuts (VodUpload *upload, VodJob *job)
{
  guint first = upload->cuts_noted + 1;

  if (upload->local == NULL || job->slice->number < first)
    return;
  job->n_cuts = job->slice->number - first + 1;
  job->cuts = g_new (VodJobCut, job->n_cuts);
  for (guint i = 0; i < job->n_cuts; i++) {
    const VodSlice *slice = vod_slices_get (upload->slices, first - 1 + i);

    job->cuts[i] = (VodJobCut){slice->number, slice->offset, slice->size};
  }
}

static void
prepare_part (VodUpload *upload, VodJob *job)
{
  const VodSliceReceipt *receipt =
      vod_slices_receipt (upload->slices, job->slice);

  upload->parts_in_flight++;
  prepare_cuts (upload, job);
  job->completed_there = upload->completed_there;
  if (receipt) {
    job->receipt_before = *receipt;
    job->receipt_before.etag = g_strdup (receipt->etag);
  }
}

static void
prepare_sync (VodUpload *upload, VodJob *job)
{
  job->size = upload->spooled;
  job->eos = upload->closing;
  upload->syncing = TRUE;
}

/* From now on there may be something at the service, whatever comes of it. */
static void
prepare_initiate (VodUpload *upload, VodJob *job)
{
  job->look_first = upload->look_first;
  upload->look_first = TRUE;
  upload->parts_to_delete = TRUE;
}

static void
prepare_object (VodUpload *upload, VodJob *job)
{
  VodSlicesStats stats;

  if (job->kind == VOD_JOB_CHECK) {
    job->size = upload->completed_size;
    job->crc64 = upload->completed_crc64;
    return;
  }
  vod_slices_get_stats (upload->slices, &stats);
  job->size = stats.size;
  job->crc64 = vod_slices_crc64 (upload->slices);
  job->completed_there = upload->completed_there;
  job->completed_size = upload->completed_size;
  job->completed_crc64 = upload->completed_crc64;
  if (job->kind != VOD_JOB_COMPLETE)
    return;
  job->n_etags = vod_slices_count (upload->slices);
  job->etags = g_new0 (gchar *, job->n_etags + 1);
  for (guint i = 0; i < job->n_etags; i++)
    job->etags[i] = g_strdup (vod_slices_get (upload->slices, i)->etag);
}

/* Copies out of the state what the job needs. */
static void
prepare_job (VodUpload *upload, VodJob *job)
{
  VodTry *try = vod_upload_try_of (upload, job->kind);

  job->begun = g_get_monotonic_time ();
  job->attempt = upload->attempt;
  if (upload->applied)
    job->applied = vod_api_applied_ref (upload->applied);
  job->upload_id = g_strdup (upload->upload_id);
  if (try)
    try->busy = TRUE;

  switch (job->kind) {
    case VOD_JOB_APPLY:
      job->region =
          g_strdup (upload->region ? upload->region : upload->settings.region);
      break;
    case VOD_JOB_PART:
      prepare_part (upload, job);
      break;
    case VOD_JOB_INITIATE:
      prepare_initiate (upload, job);
      break;
    case VOD_JOB_CHECK:
    case VOD_JOB_COMPLETE:
    case VOD_JOB_LOOK:
      prepare_object (upload, job);
      break;
    case VOD_JOB_SYNC:
      prepare_sync (upload, job);
      break;
    case VOD_JOB_COVER:
    case VOD_JOB_COVER_APPLY:
    case VOD_JOB_COVER_PUT:
    case VOD_JOB_COVER_COMMIT:
      vod_upload_prepare_cover (upload, job);
      break;
    case VOD_JOB_SWEEP:
      upload->sweeping = TRUE;
      break;
    default:
      break;
  }
}

/* Waits for a job. FALSE: there will be none any more, or others do what there
 * is. */
static gboolean
next_job (VodWorker *worker, VodJob *job)
{
  VodUpload *upload = worker->upload;
  gint64 since = g_get_monotonic_time (), wake;

  if (vod_upload_yield_slot (upload, worker))
    return FALSE;
  for (;;) {
    job->kind =
        choose_job (upload, g_get_monotonic_time (), &wake, &job->slice);
    if (job->kind == VOD_JOB_EXIT)
      return FALSE;
    if (job->kind != VOD_JOB_NONE) {
      prepare_job (upload, job);
      return TRUE;
    }
    if (vod_upload_is_spare (upload, worker, since, &wake))
      return FALSE;
    if (wake == G_MAXINT64)
      g_cond_wait (&upload->work, &upload->lock);
    else
      g_cond_wait_until (&upload->work, &upload->lock, wake);
  }
}

/* --- the thread -----------------------------------------------------------*/

static gboolean
goes_to_endpoint (const VodUpload *upload, VodJobKind kind)
{
  VodPlace place = vod_upload_place_of (kind);

  return place == VOD_PLACE_SERVICE ||
      (place != VOD_PLACE_NONE && upload->settings.forward);
}

/* Only now: it may have waited for a signature. The end is not made to wait by
 * a probe. Without the lock. */
static void
choose_endpoint (VodUpload *upload, VodJob *job)
{
  gboolean may_probe;

  g_mutex_lock (&upload->lock);
  may_probe = !upload->closing &&
      (job->kind == VOD_JOB_PART || job->kind == VOD_JOB_RENEW);
  job->accelerated = vod_upload_accelerate (upload, job);
  if (job->accelerated == NULL && goes_to_endpoint (upload, job->kind))
    job->endpoint = vod_endpoints_choose (
        &upload->endpoints, g_get_monotonic_time (), may_probe);
  g_mutex_unlock (&upload->lock);
}

/* Is it the first thing that is asked of the service? Without the lock. */
static gboolean
is_opening (VodUpload *upload, const VodJob *job)
{
  gboolean first;

  if (job->kind != VOD_JOB_REGION && job->kind != VOD_JOB_APPLY)
    return FALSE;
  g_mutex_lock (&upload->lock);
  first = !upload->opening;
  upload->opening = TRUE;
  g_mutex_unlock (&upload->lock);
  return first;
}

/* What the log calls the requests of @job. Without the lock. */
static void
name_requests (VodWorker *worker, const VodJob *job)
{
  VodUpload *upload = worker->upload;
  gchar name[48], purpose[64];
  guint failures;
  VodTry *try;

  if (!vod_log_wants (&upload->settings.log, VOD_LOG_DEBUG))
    return;
  g_mutex_lock (&upload->lock);
  try = vod_upload_try_of (upload, job->kind);
  failures = try ? try->failures : job->slice ? job->slice->attempts : 0;
  g_mutex_unlock (&upload->lock);
  vod_upload_name_job (job, name, sizeof name);
  g_snprintf (purpose, sizeof purpose, "%s, try %u", name, failures + 1);
  vod_http_set_purpose (worker->http, purpose);
  vod_upload_log_begin (upload, job, failures);
}

/* Without the lock. */
static GError *
do_job (VodWorker *worker, VodJob *job)
{
  VodUpload *upload = worker->upload;
  VodUploadSettings settings = upload->settings;
  GError *error = NULL;

  if (is_opening (upload, job))
    upload->events.milestone (VOD_UPLOAD_OPENING, upload->data);

  if (job->kind == VOD_JOB_SYNC) {
    vod_local_sync (upload->local, job->attempt, job->size, job->eos, &error);
    return error;
  }
  if (job->kind == VOD_JOB_REGION) {
    job->new_region = vod_upload_find_region (worker);
    return NULL;
  }
  if (job->kind == VOD_JOB_SWEEP && !vod_upload_take_discard (upload, job))
    return NULL;
  name_requests (worker, job);
  if (job->kind == VOD_JOB_APPLY)
    job->cover = vod_upload_find_cover (upload, FALSE);
  if (vod_upload_place_of (job->kind) == VOD_PLACE_SERVICE) {
    job->signature = vod_upload_obtain_signature (
        worker, job->kind == VOD_JOB_SWEEP ? 0 : G_MAXINT64, &error);
    if (job->signature == NULL)
      return error;
  }
  choose_endpoint (upload, job);
  if (job->endpoint.uri)
    settings.endpoint = (gchar *)job->endpoint.uri;
  vod_upload_note_before (upload, job);
  job->held = -vod_http_held (worker->http);
  error = vod_job_perform (job, &settings, worker->http, vod_upload_note_sent,
      upload, worker->cancellable);
  job->held += vod_http_held (worker->http);
  vod_upload_note_after (upload, job, error);
  if (job->kind == VOD_JOB_APPLY && job->new_applied)
    vod_upload_convict_region (upload);
  if (job->new_applied)
    vod_upload_mention_host (upload, job->new_applied);
  return error;
}

static void
work (VodWorker *worker)
{
  VodUpload *upload = worker->upload;
  VodJob job = {0};

  while (next_job (worker, &job)) {
    GError *error;

    worker->busy = TRUE;
    /* There may be more than one job by now, and nobody waiting for it. */
    if (job.kind == VOD_JOB_PART)
      vod_upload_ensure_workers (upload);
    worker->overdue = FALSE;
    worker->cancellable = g_cancellable_new ();
    g_mutex_unlock (&upload->lock);
    vod_upload_write_notes (upload);
    error = do_job (worker, &job);
    if (error == NULL)
      vod_upload_log_success (upload, &job);
    g_mutex_lock (&upload->lock);
    worker->busy = FALSE;
    g_clear_object (&worker->cancellable);

    if (error)
      vod_upload_settle_failure (worker, &job, error);
    else
      vod_upload_settle_success (worker, &job);

    worker->busy = TRUE;
    g_mutex_unlock (&upload->lock);
    vod_upload_write_notes (upload);
    vod_upload_tell_trouble (upload);
    vod_upload_tell_progress (upload, FALSE);
    vod_job_clear (&job);
    g_mutex_lock (&upload->lock);
    worker->busy = FALSE;
  }
}

/* Threads of those that left before are not kept until the end. The last thing
 * that a worker does; its slot is free only now. Without the lock. */
static void
leave (VodWorker *worker)
{
  VodUpload *upload = worker->upload;
  GSList *threads;

  g_mutex_lock (&upload->lock);
  worker->leaving = TRUE;
  threads = vod_upload_take_left (upload);
  vod_upload_note (upload, VOD_LOG_TRACE, "a worker ends");
  g_mutex_unlock (&upload->lock);
  vod_upload_write_notes (upload);
  for (GSList *l = threads; l; l = l->next)
    g_thread_join (l->data);
  g_slist_free (threads);

  /* From here on `worker` belongs to who joins. */
  g_mutex_lock (&upload->lock);
  vod_upload_trim_share (upload);
  worker->left = TRUE;
  g_cond_broadcast (&upload->room);
  g_mutex_unlock (&upload->lock);
  vod_shares_wake ();
  vod_upload_unref (upload);
}

/* It has no connection. Others may do without it; if there are none, it ends the
 * upload with @error (taken). Without the lock. */
static void
leave_it_to_others (VodWorker *worker, GError *error)
{
  VodUpload *upload = worker->upload;
  gboolean others;

  g_mutex_lock (&upload->lock);
  worker->leaving = TRUE;
  others = vod_upload_has_another (upload, worker, FALSE);
  if (others && !upload->told_unconnected)
    vod_upload_note (upload, VOD_LOG_WARNING,
        "a worker gets no connection, and the others do without it: %s",
        error->message);
  upload->told_unconnected = TRUE;
  upload->next_thread = g_get_monotonic_time () + CONNECTION_PAUSE;
  g_mutex_unlock (&upload->lock);
  if (others) {
    g_error_free (error);
    return;
  }
  vod_error_set_phase (error, VOD_PHASE_APPLY);
  vod_upload_fail (upload, error);
}

gpointer
vod_worker_main (gpointer data)
{
  VodWorker *worker = data;
  VodUpload *upload = worker->upload;
  VodHttpSettings settings = vod_upload_settings_http (&upload->settings);
  GError *error = NULL;
  VodHttp *http = vod_http_new (&settings, &error);

  if (http) {
    g_mutex_lock (&upload->lock);
    worker->http = http;
    work (worker);
    worker->leaving = TRUE;
    worker->http = NULL;
    g_mutex_unlock (&upload->lock);
    vod_http_free (http);
  } else {
    leave_it_to_others (worker, error);
  }
  leave (worker);
  return NULL;
}

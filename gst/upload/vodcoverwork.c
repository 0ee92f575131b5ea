/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What workers do about the cover: offered with Apply, uploaded beside the parts,
 * or exchanged once the media is committed. It never fails the upload: a cover
 * that cannot be uploaded is given up with a mishap. See vodupload-private.h for
 * the lock.
 */
#include <string.h>

#include "vodretry.h"
#include "vodupload-private.h"

/* Failures that are the cover's own: an outage is everybody's. */
#define MOST_FAILURES 5
/* Times that an exchange begins from its start. */
#define MOST_EXCHANGES 3

/* Takes @error. Without the lock. */
static void
tell_mishap (VodUpload *upload, GError *error)
{
  vod_error_details (error)->phase = VOD_PHASE_COVER;
  upload->events.mishap (error, upload->data);
  g_error_free (error);
}

/* --- which picture --------------------------------------------------------*/

/* TRUE, once, for who brings cover-location. Without the lock. */
static gboolean
take_file (VodUpload *upload, GBytes *image)
{
  gboolean first;

  g_mutex_lock (&upload->lock);
  first = !upload->cover_read;
  upload->cover_read = TRUE;
  if (first)
    vod_cover_set (&upload->cover, VOD_COVER_FILE, image);
  g_mutex_unlock (&upload->lock);
  return first;
}

/* What was there at first may have been half of it. Without the lock. */
static void
read_file_again (VodUpload *upload)
{
  gboolean missing;
  GBytes *image =
      vod_cover_load (upload->settings.cover_location, &missing, NULL);

  if (image && vod_cover_is_usable (image)) {
    g_mutex_lock (&upload->lock);
    vod_cover_set (&upload->cover, VOD_COVER_FILE, image);
    g_mutex_unlock (&upload->lock);
  }
  g_clear_pointer (&image, g_bytes_unref);
}

/* Reads cover-location once it is there. @last: it is not waited for any longer,
 * and what was read before is read again. Without the lock. */
static void
read_file (VodUpload *upload, gboolean last)
{
  const gchar *path = upload->settings.cover_location;
  GError *error = NULL;
  gboolean read, missing;
  GBytes *image;

  g_mutex_lock (&upload->lock);
  read = upload->cover_read;
  g_mutex_unlock (&upload->lock);
  if (path && read && last)
    read_file_again (upload);
  if (path == NULL || read)
    return;
  image = vod_cover_load (path, &missing, &error);
  if ((last || !missing) && take_file (upload, image) && error)
    tell_mishap (upload, g_steal_pointer (&error));
  g_clear_pointer (&image, g_bytes_unref);
  g_clear_error (&error);
}

GBytes *
vod_upload_find_cover (VodUpload *upload, gboolean last)
{
  GBytes *image;
  GError *error;

  read_file (upload, last);
  do {
    error = NULL;
    g_mutex_lock (&upload->lock);
    image = vod_cover_best (&upload->cover, &error);
    if (image && !last && !vod_cover_may_go_along (&upload->cover, image))
      image = NULL;
    if (image)
      g_bytes_ref (image);
    g_mutex_unlock (&upload->lock);
    if (error)
      tell_mishap (upload, error);
  } while (error);
  return image;
}

void
vod_upload_set_cover (VodUpload *upload, VodCoverSource source, GBytes *image)
{
  g_mutex_lock (&upload->lock);
  vod_cover_set (&upload->cover, source, image);
  g_mutex_unlock (&upload->lock);
}

/* --- which job ------------------------------------------------------------*/

void
vod_upload_place_cover (VodUpload *upload, const VodJob *job)
{
  const gchar *key = job->new_applied->cover_key;
  gboolean resumed = job->applied != NULL;
  const gchar *suffix = key ? strrchr (key, '.') : NULL;
  gboolean fits = key && job->cover;

  /* The place that an interrupted upload asked for may be of another type. */
  if (fits && resumed)
    fits = suffix && strcmp (suffix + 1, vod_cover_type (job->cover)) == 0;
  vod_cover_announce (&upload->cover, fits ? job->cover : NULL);
  upload->cover_try = (VodTry){0};
  upload->cover_failed = 0;
}

void
vod_upload_review_place (VodUpload *upload)
{
  if (upload->applied->cover_key == NULL && !upload->cover.up)
    vod_cover_announce (&upload->cover, NULL);
}

gboolean
vod_upload_cover_due (const VodUpload *upload, gint64 now, gint64 *wake)
{
  if (!vod_cover_is_pending (&upload->cover) || upload->step < VOD_STEP_PARTS ||
      upload->step > VOD_STEP_COMMIT)
    return FALSE;
  /* While nothing gets through, it is the parts that find out when it does. */
  if (upload->step == VOD_STEP_PARTS && upload->failing_since != 0)
    return FALSE;
  return vod_upload_try_ready (&upload->cover_try, now, wake);
}

gboolean
vod_upload_is_exchanging (const VodUpload *upload)
{
  return upload->step >= VOD_STEP_COVER_APPLY &&
      upload->step <= VOD_STEP_COVER_COMMIT;
}

gboolean
vod_upload_is_exchange (const VodJob *job)
{
  return job->kind == VOD_JOB_COVER_APPLY || job->kind == VOD_JOB_COVER_PUT ||
      job->kind == VOD_JOB_COVER_COMMIT;
}

void
vod_upload_prepare_cover (VodUpload *upload, VodJob *job)
{
  if (job->kind == VOD_JOB_COVER) {
    job->cover = g_bytes_ref (upload->cover.announced);
    return;
  }
  /* For the APPLY, the media's, whose place the cover must not take. */
  if (job->kind != VOD_JOB_COVER_APPLY) {
    g_clear_pointer (&job->applied, vod_api_applied_unref);
    job->applied = vod_api_applied_ref (upload->exchange_applied);
  }
  job->cover = g_bytes_ref (upload->exchange);
  job->file_id = g_strdup (upload->result.file_id);
}

/* --- the exchange ---------------------------------------------------------*/

gboolean
vod_upload_begin_exchange (VodUpload *upload, GBytes *best)
{
  if (best == NULL || !vod_cover_wants_exchange (&upload->cover, best))
    return FALSE;
  upload->exchange = g_bytes_ref (best);
  upload->cover_failed = 0;
  vod_upload_next_step (upload, VOD_STEP_COVER_APPLY);
  return TRUE;
}

void
vod_upload_end_exchange (VodUpload *upload)
{
  GPtrArray *requests;

  upload->hurry = TRUE;
  if (!vod_upload_is_exchanging (upload) || upload->ending)
    return;
  upload->ending = TRUE;
  requests = vod_upload_take_requests (upload);
  g_cond_broadcast (&upload->work);
  g_mutex_unlock (&upload->lock);

  vod_upload_cancel_all (requests);
  tell_mishap (upload,
      vod_error_new (VOD_ERROR_CANCELLED,
          "The media is committed, but was stopped before its cover was"));
  g_mutex_lock (&upload->lock);
  vod_upload_tell_success (upload);
}

/* --- what came of it ------------------------------------------------------*/

void
vod_upload_settle_cover (VodUpload *upload, VodJob *job)
{
  /* Somebody else has ended it and tells so. */
  if (upload->ending || upload->end != VOD_END_NONE)
    return;
  switch (job->kind) {
    case VOD_JOB_COVER_APPLY:
      upload->exchange_applied = g_steal_pointer (&job->new_applied);
      vod_upload_next_step (upload, VOD_STEP_COVER_PUT);
      break;
    case VOD_JOB_COVER_COMMIT:
      g_free (upload->result.cover_url);
      upload->result.cover_url = g_steal_pointer (&job->committed.cover_url);
      vod_upload_tell_success (upload);
      break;
    case VOD_JOB_COVER_PUT:
      vod_upload_next_step (upload, VOD_STEP_COVER_COMMIT);
      break;
    default:
      if (upload->cover.announced == job->cover)
        upload->cover.up = TRUE;
      g_cond_broadcast (&upload->work);
      break;
  }
}

gboolean
vod_upload_is_for_cover (const VodUpload *upload, const VodJob *job)
{
  return vod_job_phase (job->kind) == VOD_PHASE_COVER ||
      (job->kind == VOD_JOB_RENEW && upload->step == VOD_STEP_COMMIT);
}

/* FALSE: it is of no use any more. */
static gboolean
follow (
    VodUpload *upload, const VodJob *job, const GError *error, VodRetry verdict)
{
  switch (verdict) {
    case VOD_RETRY_SIGNATURE:
      vod_upload_note_refused (upload, job, error);
      return TRUE;
    case VOD_RETRY_CREDENTIALS:
      if (!vod_upload_is_exchange (job)) {
        if (job->applied == upload->applied)
          upload->renew_wanted = TRUE;
        return TRUE;
      }
      g_clear_pointer (&upload->exchange_applied, vod_api_applied_unref);
      vod_upload_next_step (upload, VOD_STEP_COVER_APPLY);
      return ++upload->exchanges < MOST_EXCHANGES;
    case VOD_RETRY_AGAIN:
      return TRUE;
    default:
      return FALSE;
  }
}

/* Whose failure was it? While other requests get through, or have got through
 * since the last failure, it is the cover's. */
static gboolean
is_its_own (const VodUpload *upload, const VodJob *job, const GError *error)
{
  gint64 since = upload->cover_failed ? MIN (upload->cover_failed, job->begun)
                                      : job->begun;

  return error->code != VOD_ERROR_NETWORK || job->reached ||
      upload->last_success > since;
}

/* How long the cover may go on, µs. Beside the parts, it is they that count. */
static gint64
time_left (VodUpload *upload, const VodJob *job, gint64 now)
{
  if (upload->retry_duration == 0)
    return 0;
  return upload->step < VOD_STEP_COMMIT
      ? G_MAXINT64
      : vod_upload_time_left (upload, job, now);
}

/* When to try again: ms, or -1 for not any more. */
static gint
book (VodUpload *upload, const VodJob *job, GError *error, VodWay way,
    gboolean own)
{
  VodTry *try = vod_upload_try_of (upload, job->kind);
  gint64 now = g_get_monotonic_time (), left, delay;
  guint failures = ++try->failures;
  gboolean go_on;

  if (own)
    try->answered++;
  go_on = try->answered < MOST_FAILURES &&
      (follow (upload, job, error, vod_retry_classify (error, try->answered)) ||
          way != VOD_WAY_SAME);
  left = time_left (upload, job, now);
  if (!go_on || left <= 0)
    return -1;
  delay = vod_retry_delay (
      failures, vod_error_details (error)->retry_after, g_random_int ());
  if (way == VOD_WAY_PROBE ||
      (way == VOD_WAY_OTHER && (failures == 1 || job->accelerated)))
    delay = 0;
  delay = MIN (delay, left / 1000);
  try->not_before = now + delay * 1000;
  return (gint)delay;
}

/* Takes @error. Until that is told, nobody goes on: neither with this job nor to
 * the end. */
static void
give_up (VodWorker *worker, const VodJob *job, GError *error)
{
  VodUpload *upload = worker->upload;
  gboolean exchanging = vod_upload_is_exchange (job);
  VodTry *try = exchanging ? &upload->step_try : &upload->cover_try;
  g_autoptr (GBytes) image =
      g_bytes_ref (job->cover ? job->cover : upload->cover.announced);

  try->busy = TRUE;
  vod_upload_leave_lock (worker);
  g_prefix_error (&error, "The cover could not be uploaded: ");
  tell_mishap (upload, error);
  vod_upload_return_to_lock (worker);
  if (upload->ending || job->attempt != upload->attempt)
    return;
  try->busy = FALSE;
  vod_cover_drop (&upload->cover, image);
  g_cond_broadcast (&upload->work);
  if (exchanging)
    vod_upload_tell_success (upload);
}

/* Credentials for a cover that is settled, or that is, or may be, uploaded with
 * the old ones. */
static gboolean
is_needless (const VodUpload *upload, const VodJob *job, gint64 now)
{
  return job->kind == VOD_JOB_RENEW &&
      (!vod_cover_is_pending (&upload->cover) || upload->cover_try.busy ||
          (!upload->renew_wanted && now < upload->expires_at));
}

void
vod_upload_settle_cover_failure (
    VodWorker *worker, VodJob *job, GError *error, VodWay way)
{
  VodUpload *upload = worker->upload;
  guint failures = vod_upload_try_of (upload, job->kind)->failures + 1;
  gint64 now = g_get_monotonic_time ();
  gboolean own;
  gint delay;

  if (is_needless (upload, job, now)) {
    upload->renew_try.not_before = now + G_USEC_PER_SEC;
    g_error_free (error);
    return;
  }
  own = is_its_own (upload, job, error);
  delay = book (upload, job, error, way, own);
  upload->cover_failed = now;
  if (delay < 0 && vod_upload_leave_host (upload, job)) {
    *vod_upload_try_of (upload, job->kind) = (VodTry){0};
    delay = 0;
  }
  if (delay >= 0) {
    upload->retries++;
    vod_upload_note_retry (upload, job, error, failures, delay, "");
    g_cond_broadcast (&upload->work);
    vod_upload_leave_lock (worker);
    upload->events.retry (
        VOD_PHASE_COVER, failures, delay, error->message, upload->data);
    g_error_free (error);
    vod_upload_return_to_lock (worker);
    return;
  }
  /* What the cover alone has wasted is not taken from the media's time. */
  if (own)
    vod_upload_forget_failures (upload);
  give_up (worker, job, error);
}

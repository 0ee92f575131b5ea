/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the outcome of a job changes: the next step, another try, or the end.
 * See vodupload-private.h for the lock; functions here are called with it
 * unless they say otherwise.
 */
#include "vodjob.h"
#include "vodretry.h"
#include "vodupload-private.h"

#define LOOKS 4

void
vod_upload_fail (VodUpload *upload, GError *error)
{
  GPtrArray *requests = NULL;

  g_mutex_lock (&upload->lock);
  if (upload->end != VOD_END_NONE || upload->ending) {
    g_mutex_unlock (&upload->lock);
    g_error_free (error);
    return;
  }
  upload->ending = TRUE;
  g_mutex_unlock (&upload->lock);

  upload->events.failed (error, upload->data);
  g_error_free (error);

  g_mutex_lock (&upload->lock);
  if (upload->end == VOD_END_NONE) {
    upload->end = VOD_END_FAILED;
    requests = vod_upload_take_requests (upload);
  }
  g_cond_broadcast (&upload->work);
  g_cond_broadcast (&upload->room);
  g_mutex_unlock (&upload->lock);
  if (requests)
    vod_upload_cancel_all (requests);
}

static void
note_success (VodUpload *upload)
{
  gboolean was_failing = upload->failing_since != 0;

  upload->failing_since = 0;
  upload->held = 0;
  upload->last_success = g_get_monotonic_time ();
  if (was_failing) {
    vod_slices_retry_now (upload->slices);
    g_cond_broadcast (&upload->work);
  }
}

static void
next_step (VodUpload *upload, VodStep step)
{
  upload->step = step;
  upload->step_try = (VodTry){0};
  g_cond_broadcast (&upload->work);
}

/* @applied: from Apply, just received. Times count on our monotonic clock from
 * now on, so that a wrong wall clock does no harm. */
static void
adopt_applied (VodUpload *upload, VodApiApplied *applied)
{
  gint64 now = g_get_monotonic_time ();
  gint64 life = applied->credentials.end - applied->credentials.start;

  g_clear_pointer (&upload->applied, vod_api_applied_unref);
  upload->applied = vod_api_applied_ref (applied);
  life = CLAMP (life, 1, 7 * 24 * 3600);
  upload->renew_at = now + life * (G_USEC_PER_SEC / 10) * 9;
  upload->expires_at = now + life * G_USEC_PER_SEC;
}

static void
settle_renewal (VodUpload *upload, VodJob *job)
{
  if (g_strcmp0 (job->new_applied->key, upload->applied->key) != 0 ||
      g_strcmp0 (job->new_applied->bucket_host, upload->applied->bucket_host) !=
          0) {
    GError *error = vod_error_new (VOD_ERROR_PROTOCOL,
        "Fresh credentials are for another object than the one begun");

    vod_error_set_phase (error, VOD_PHASE_APPLY);
    g_mutex_unlock (&upload->lock);
    vod_upload_fail (upload, error);
    g_mutex_lock (&upload->lock);
    return;
  }
  adopt_applied (upload, job->new_applied);
  /* A renewal that a refusal forced is no progress: only what it was for is,
   * else retry-duration would never end. */
  if (!upload->renew_wanted)
    note_success (upload);
  upload->renew_wanted = FALSE;
  upload->renew_try = (VodTry){0};
  g_cond_broadcast (&upload->work);
}

/* The streaming thread copies into the slice for a moment; then it may change
 * state. */
static void
wait_unpinned (VodUpload *upload, const VodSlice *slice)
{
  while (slice->pinned)
    g_cond_wait (&upload->work, &upload->lock);
}

static void
settle_commit (VodUpload *upload, VodJob *job)
{
  VodSlicesStats stats;
  VodUploadResult result = {
      .file_id = job->committed.file_id,
      .video_url = job->committed.video_url,
      .verify_content = job->committed.verify_content,
  };

  if (upload->end != VOD_END_NONE || upload->ending)
    return;
  upload->ending = TRUE;
  upload->step = VOD_STEP_END;
  vod_slices_get_stats (upload->slices, &stats);
  result.size = stats.size;
  result.parts = vod_slices_count (upload->slices);
  g_mutex_unlock (&upload->lock);

  vod_upload_tell_progress (upload, TRUE);
  upload->events.milestone (VOD_UPLOAD_CLOSED, upload->data);
  upload->events.finished (&result, upload->data);

  g_mutex_lock (&upload->lock);
  if (upload->end == VOD_END_NONE)
    upload->end = VOD_END_DONE;
  g_cond_broadcast (&upload->work);
  g_cond_broadcast (&upload->room);
}

/* Calls events.milestone without the lock. */
static void
tell_milestone (VodUpload *upload, VodUploadMilestone milestone)
{
  g_mutex_unlock (&upload->lock);
  upload->events.milestone (milestone, upload->data);
  g_mutex_lock (&upload->lock);
}

void
vod_upload_settle_success (VodUpload *upload, VodJob *job)
{
  if (job->kind == VOD_JOB_ABORT)
    return;
  if (job->kind == VOD_JOB_RENEW) {
    settle_renewal (upload, job);
    return;
  }
  note_success (upload);

  switch (job->kind) {
    case VOD_JOB_APPLY:
      adopt_applied (upload, job->new_applied);
      next_step (upload, VOD_STEP_INITIATE);
      break;
    case VOD_JOB_INITIATE:
      upload->upload_id = g_steal_pointer (&job->new_upload_id);
      upload->parts_to_delete = TRUE;
      if (upload->end == VOD_END_NONE && !upload->ending)
        tell_milestone (upload, VOD_UPLOAD_OPENED);
      next_step (upload, VOD_STEP_PARTS);
      break;
    case VOD_JOB_PART:
      wait_unpinned (upload, job->slice);
      vod_slices_confirm (
          upload->slices, job->slice, job->crc64, job->receipt.etag);
      g_cond_broadcast (&upload->room);
      g_cond_signal (&upload->work);
      break;
    case VOD_JOB_COMPLETE:
    case VOD_JOB_LOOK:
      upload->parts_to_delete = FALSE;
      next_step (upload, VOD_STEP_COMMIT);
      break;
    case VOD_JOB_COMMIT:
      settle_commit (upload, job);
      break;
    default:
      break;
  }
  vod_upload_ensure_workers (upload);
}

/* Books a failure and says when to try again: ms, or -1 for not any more. */
static gint
book_failure (VodUpload *upload, VodJob *job, GError *error, guint *failures)
{
  VodTry *try = vod_upload_try_of (upload, job->kind);
  gint64 now = g_get_monotonic_time (), left;
  VodRetry verdict;
  guint delay;

  if (upload->failing_since == 0)
    upload->failing_since = MAX (job->begun, upload->last_success);
  *failures = try ? ++try->failures : job->slice->attempts + 1;
  verdict = vod_retry_classify (error, *failures);
  left = vod_retry_left (
      now, upload->failing_since, upload->held, upload->retry_duration);
  delay = vod_retry_delay (
      *failures, vod_error_details (error)->retry_after, g_random_int ());
  delay = MIN (delay, left / 1000);

  switch (verdict) {
    case VOD_RETRY_FINAL:
      return -1;
    case VOD_RETRY_LOOK:
      if (job->kind == VOD_JOB_COMPLETE) {
        next_step (upload, VOD_STEP_LOOK);
        return 0;
      }
      /* The object may appear a little after its upload has gone. */
      if (job->kind != VOD_JOB_LOOK || *failures >= LOOKS)
        return -1;
      break;
    case VOD_RETRY_CREDENTIALS:
      if (job->applied && job->applied == upload->applied)
        upload->renew_wanted = TRUE;
      delay = *failures == 1 ? 0 : delay;
      break;
    case VOD_RETRY_SIGNATURE:
      if (g_strcmp0 (job->signature, upload->signature) == 0) {
        g_free (upload->refused);
        upload->refused = g_strdup (job->signature);
      }
      delay = *failures == 1 ? 0 : delay;
      break;
    case VOD_RETRY_AGAIN:
      break;
  }
  if (left <= 0)
    return -1;
  if (try)
    try->not_before = now + delay * (gint64)1000;
  return delay;
}

/* A request that was cancelled for being overdue has failed like any other
 * that got no answer. */
static GError *
name_failure (VodWorker *worker, VodJob *job, GError *error)
{
  if (worker->overdue) {
    g_error_free (error);
    error = vod_error_new (VOD_ERROR_NETWORK,
        "The request made too little progress and was given up");
  } else if (vod_error_details (error) == NULL) {
    GError *foreign = error;

    error = vod_error_new (VOD_ERROR_NETWORK, "%s", foreign->message);
    g_error_free (foreign);
  }
  vod_error_set_phase (error, vod_job_phase (job->kind));
  return error;
}

void
vod_upload_settle_failure (VodWorker *worker, VodJob *job, GError *error)
{
  VodUpload *upload = worker->upload;
  VodTry *try = vod_upload_try_of (upload, job->kind);
  guint failures;
  gint delay;

  error = name_failure (worker, job, error);
  if (upload->end != VOD_END_NONE || upload->ending ||
      job->kind == VOD_JOB_ABORT) {
    g_error_free (error);
    return;
  }

  delay = book_failure (upload, job, error, &failures);
  /* After the last try nobody may take it up before the end is known. */
  if (try)
    try->busy = delay < 0;
  if (job->kind == VOD_JOB_PART) {
    wait_unpinned (upload, job->slice);
    vod_slices_fail (upload->slices, job->slice,
        g_get_monotonic_time () + MAX (delay, 0) * (gint64)1000);
  }
  if (delay >= 0)
    upload->retries++;
  g_cond_broadcast (&upload->work);

  g_mutex_unlock (&upload->lock);
  if (delay < 0) {
    vod_upload_fail (upload, g_steal_pointer (&error));
  } else {
    upload->events.retry (vod_error_details (error)->phase, failures, delay,
        error->message, upload->data);
    g_error_free (error);
  }
  g_mutex_lock (&upload->lock);
}

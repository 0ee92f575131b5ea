/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What it changes that a job has succeeded: the next step, or the end. See
 * vodupload-private.h for the lock; functions here are called with it unless they
 * say otherwise.
 */
#include "vodjob.h"
#include "vodupload-private.h"

#define OUTAGE_TOLD G_USEC_PER_SEC /* a shorter one is no news when it ends */

static void
note_success (VodUpload *upload)
{
  gboolean was_failing = upload->failing_since != 0;
  gint64 failed = vod_upload_failing_for (upload);

  if (failed >= OUTAGE_TOLD || upload->told_outage)
    vod_upload_note (upload, VOD_LOG_INFO,
        "requests get through again, after %.1f s",
        failed / (gdouble)G_USEC_PER_SEC);
  upload->told_outage = FALSE;
  vod_upload_forget_failures (upload);
  upload->probe_at = 0;
  upload->last_success = g_get_monotonic_time ();
  if (was_failing) {
    vod_slices_retry_now (upload->slices);
    g_cond_broadcast (&upload->work);
  }
}

void
vod_upload_leave_lock (VodWorker *worker)
{
  worker->busy = TRUE;
  g_mutex_unlock (&worker->upload->lock);
  vod_upload_write_notes (worker->upload);
}

void
vod_upload_return_to_lock (VodWorker *worker)
{
  g_mutex_lock (&worker->upload->lock);
  worker->busy = FALSE;
}

void
vod_upload_next_step (VodUpload *upload, VodStep step)
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
settle_renewal (VodWorker *worker, VodJob *job)
{
  VodUpload *upload = worker->upload;

  if (!vod_api_applied_same_object (job->new_applied, upload->applied)) {
    GError *error = vod_error_new (VOD_ERROR_PROTOCOL,
        "Fresh credentials are for another object than the one begun");

    vod_error_set_phase (error, VOD_PHASE_APPLY);
    vod_upload_leave_lock (worker);
    vod_upload_fail (upload, error);
    vod_upload_return_to_lock (worker);
    return;
  }
  adopt_applied (upload, job->new_applied);
  vod_upload_review_place (upload);
  /* A renewal that a refusal forced is progress once: then only what it was
   * for is, else retry-duration would never end. */
  if (!upload->renew_wanted || !upload->renewed)
    note_success (upload);
  upload->renewed = upload->renew_wanted;
  upload->renew_wanted = FALSE;
  upload->renew_try = (VodTry){0};
  g_cond_broadcast (&upload->work);
}

void
vod_upload_wait_unpinned (VodUpload *upload, const VodSlice *slice)
{
  while (slice->pinned)
    g_cond_wait (&upload->work, &upload->lock);
}

/* From here on nothing fails the upload. What is kept of it stays until the owner
 * knows; the cover may have to be exchanged before. */
static void
settle_commit (VodWorker *worker, VodJob *job)
{
  VodUpload *upload = worker->upload;
  g_autoptr (GBytes) cover = NULL;

  if (!vod_upload_claim_end (upload))
    return;
  upload->committed = TRUE;
  upload->ending = upload->spooling = FALSE;
  upload->step = VOD_STEP_END;
  upload->result = job->committed;
  job->committed = (VodApiCommitted){0};
  if (upload->cover.dropped && !upload->cover.up)
    g_clear_pointer (&upload->result.cover_url, g_free);
  /* What the service has not taken, though it is there. */
  if (upload->result.cover_url == NULL)
    vod_cover_announce (&upload->cover, NULL);
  vod_upload_report_done (upload, &upload->result);
  vod_upload_leave_lock (worker);
  vod_upload_tell_progress (upload, TRUE);
  cover = vod_upload_find_cover (upload, TRUE);
  vod_upload_return_to_lock (worker);
  if (!vod_upload_begin_exchange (upload, cover))
    vod_upload_tell_success (upload);
  else if (upload->hurry)
    vod_upload_end_exchange (upload);
}

void
vod_upload_begin_parts (VodWorker *worker)
{
  VodUpload *upload = worker->upload;

  vod_upload_next_step (upload, VOD_STEP_PARTS);
  if (upload->end != VOD_END_NONE || upload->ending)
    return;
  vod_upload_ensure_workers (upload);
  vod_upload_leave_lock (worker);
  upload->events.milestone (VOD_UPLOAD_OPENED, upload->data);
  vod_upload_return_to_lock (worker);
}

static void
settle_initiate (VodWorker *worker, VodJob *job)
{
  VodUpload *upload = worker->upload;

  upload->upload_id = g_steal_pointer (&job->new_upload_id);
  vod_slices_forget_receipts (upload->slices);
  vod_upload_begin_parts (worker);
}

/* What the service has counts, as far as the journal knew of such a part. */
static void
settle_list (VodWorker *worker, const VodJob *job)
{
  VodUpload *upload = worker->upload;
  const VodCosPart *parts = (const VodCosPart *)job->listed->data;
  guint at = 0;

  for (guint number = 1; number <= VOD_SESSION_MAX_PARTS; number++) {
    while (at < job->listed->len && parts[at].number < number)
      at++;
    if (at < job->listed->len && parts[at].number == number)
      vod_slices_agree (upload->slices, number, parts[at].size, parts[at].etag);
    else
      vod_slices_agree (upload->slices, number, 0, NULL);
  }
  vod_upload_begin_parts (worker);
}

/* An upload that goes on, or a new one, as the service sees it. */
static void
settle_apply (VodWorker *worker, VodJob *job)
{
  VodUpload *upload = worker->upload;
  gboolean same = upload->applied &&
      vod_api_applied_same_object (job->new_applied, upload->applied);

  adopt_applied (upload, job->new_applied);
  vod_upload_place_cover (upload, job);
  if (!same) {
    g_clear_pointer (&upload->upload_id, g_free);
    upload->look_first = FALSE;
  }
  if (upload->upload_id == NULL)
    vod_upload_next_step (upload, VOD_STEP_INITIATE);
  else if (upload->may_be_completed)
    vod_upload_next_step (upload, VOD_STEP_CHECK);
  else
    vod_upload_next_step (upload, VOD_STEP_LIST);
}

void
vod_upload_note_completed (VodWorker *worker)
{
  VodUpload *upload = worker->upload;

  upload->completed_there = TRUE;
  /* Should it differ after all, all of it has to be sent again. */
  vod_slices_set_keep (upload->slices, TRUE);
  vod_upload_begin_parts (worker);
}

static void
settle_part (VodWorker *worker, VodJob *job)
{
  VodUpload *upload = worker->upload;

  upload->parts_in_flight--;
  vod_upload_wait_unpinned (upload, job->slice);
  if (job->attempt != upload->attempt) {
    vod_slices_fail (upload->slices, job->slice, 0, FALSE);
  } else {
    vod_slices_confirm (
        upload->slices, job->slice, job->crc64, job->receipt.etag);
    if (!upload->told_first)
      vod_upload_note (upload, VOD_LOG_INFO,
          "the first part is %s, %.1f s after the first byte",
          job->skipped ? "there already" : "confirmed",
          (g_get_monotonic_time () - upload->started) /
              (gdouble)G_USEC_PER_SEC);
    upload->told_first = TRUE;
    if (job->skipped)
      upload->parts_skipped++;
  }
  g_cond_broadcast (&upload->room);
  g_cond_broadcast (&upload->work);
}

gboolean
vod_upload_settle_aside (VodWorker *worker, VodJob *job, const GError *error)
{
  VodUpload *upload = worker->upload;

  switch (job->kind) {
    case VOD_JOB_SWEEP:
      /* If it went well, there may be more. */
      upload->sweeping = FALSE;
      upload->swept = error || job->signature == NULL;
      break;
    case VOD_JOB_SYNC:
      upload->syncing = FALSE;
      upload->last_sync = g_get_monotonic_time ();
      if (job->attempt != upload->attempt) {
        /* If the file is still the same the next one fails too: at once. */
        if (error)
          upload->last_sync = 0;
        break;
      }
      if (error && !upload->committed) {
        upload->spooling = FALSE;
        upload->spool_trouble = g_error_copy (error);
      } else {
        upload->synced = job->size;
        upload->eos_synced = job->eos;
      }
      break;
    case VOD_JOB_REGION:
      if (job->attempt != upload->attempt)
        break;
      upload->region = g_steal_pointer (&job->new_region);
      upload->region_sought = TRUE;
      vod_upload_next_step (upload, VOD_STEP_APPLY);
      break;
    case VOD_JOB_ABORT:
      break;
    default:
      return FALSE;
  }
  g_cond_broadcast (&upload->work);
  return TRUE;
}

void
vod_upload_settle_success (VodWorker *worker, VodJob *job)
{
  VodUpload *upload = worker->upload;
  VodTry *try = vod_upload_try_of (upload, job->kind);

  vod_upload_report_job (upload, job, NULL);
  vod_upload_trust_host (upload, job);
  if (!job->skipped)
    vod_endpoints_succeeded (
        &upload->endpoints, &job->endpoint, g_get_monotonic_time ());
  if (try && job->attempt == upload->attempt)
    try->busy = FALSE;
  if (vod_upload_settle_aside (worker, job, NULL))
    return;
  if (job->kind == VOD_JOB_PART) {
    settle_part (worker, job);
  } else if (job->attempt != upload->attempt) {
    return;
  } else if (job->kind == VOD_JOB_RENEW) {
    settle_renewal (worker, job);
    return;
  }
  /* What was there already says nothing about the network. */
  if (!job->skipped) {
    note_success (upload);
    upload->renewed = FALSE;
  }

  switch (job->kind) {
    case VOD_JOB_APPLY:
      settle_apply (worker, job);
      break;
    case VOD_JOB_CHECK:
      if (job->seen) {
        upload->seen = TRUE;
        vod_upload_note_completed (worker);
      } else {
        upload->blind = TRUE;
        vod_upload_next_step (upload, VOD_STEP_LIST);
      }
      break;
    case VOD_JOB_LIST:
      settle_list (worker, job);
      break;
    case VOD_JOB_INITIATE:
      settle_initiate (worker, job);
      break;
    case VOD_JOB_COMPLETE:
    case VOD_JOB_LOOK:
      upload->seen = upload->seen || job->seen;
      upload->parts_to_delete = FALSE;
      /* Every part was right; so should be the whole, which the answer to
       * Complete may not have told. */
      vod_upload_next_step (upload,
          job->kind == VOD_JOB_LOOK || job->receipt.has_crc64 ? VOD_STEP_COMMIT
                                                              : VOD_STEP_LOOK);
      break;
    case VOD_JOB_COMMIT:
      settle_commit (worker, job);
      break;
    case VOD_JOB_COVER:
    case VOD_JOB_COVER_APPLY:
    case VOD_JOB_COVER_PUT:
    case VOD_JOB_COVER_COMMIT:
      vod_upload_settle_cover (upload, job);
      break;
    default:
      break;
  }
  vod_upload_ensure_workers (upload);
}

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
#define OUTAGE_TOLD G_USEC_PER_SEC /* a shorter one is no news when it ends */
#define PROBE_FAILURES 5 /* as many make the pause between two parts' tries */

/* --- what succeeded -------------------------------------------------------*/

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

/* The streaming thread copies into the slice for a moment; then it may change
 * state. */
static void
wait_unpinned (VodUpload *upload, const VodSlice *slice)
{
  while (slice->pinned)
    g_cond_wait (&upload->work, &upload->lock);
}

/* From here on nothing fails the upload; what is kept of it is not needed any
 * more. The cover may have to be exchanged. */
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
  if (upload->local)
    upload->kept_spool =
        vod_local_committed (upload->local, upload->result.file_id);
  vod_upload_tell_progress (upload, TRUE);
  cover = vod_upload_find_cover (upload, TRUE);
  vod_upload_return_to_lock (worker);
  if (!vod_upload_begin_exchange (upload, cover))
    vod_upload_tell_success (upload);
  else if (upload->hurry)
    vod_upload_end_exchange (upload);
}

/* The upload is open: parts may be sent. */
static void
begin_parts (VodWorker *worker)
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
  begin_parts (worker);
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
  begin_parts (worker);
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

/* Complete got through: everything is there, and is compared with what comes
 * now. */
static void
note_completed (VodWorker *worker)
{
  VodUpload *upload = worker->upload;

  upload->completed_there = TRUE;
  /* Should it differ after all, all of it has to be sent again. */
  vod_slices_set_keep (upload->slices, TRUE);
  begin_parts (worker);
}

static void
settle_part (VodWorker *worker, VodJob *job)
{
  VodUpload *upload = worker->upload;

  upload->parts_in_flight--;
  wait_unpinned (upload, job->slice);
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

/* Jobs that are no requests of the upload itself. FALSE: @job is one. */
static gboolean
settle_aside (VodWorker *worker, VodJob *job, const GError *error)
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
      if (job->attempt != upload->attempt)
        break;
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
  if (settle_aside (worker, job, NULL))
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
        note_completed (worker);
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

/* --- what failed ----------------------------------------------------------*/

/* So that the `signature` property is not offered again. */
void
vod_upload_note_refused (
    VodUpload *upload, const VodJob *job, const GError *error)
{
  if (job->signature == NULL)
    return;
  g_free (upload->refused);
  upload->refused = g_strdup (job->signature);
  g_clear_error (&upload->refusal);
  upload->refusal = g_error_copy (error);
}

/* What of the next try is not as it was, in words. */
static const gchar *
way_on (VodRetry verdict, VodWay way, const VodJob *job)
{
  if (job->accelerated && way != VOD_WAY_SAME)
    return ", by the ordinary host";
  if (way == VOD_WAY_OTHER)
    return ", at the other endpoint";
  if (way == VOD_WAY_PROBE)
    return "; it was a try whether the first endpoint answers again";
  switch (verdict) {
    case VOD_RETRY_LOOK:
      return ", with a look whether the object is there";
    case VOD_RETRY_CREDENTIALS:
      return ", with fresh credentials";
    case VOD_RETRY_SIGNATURE:
      return ", with another signature";
    case VOD_RETRY_AGAIN:
    case VOD_RETRY_FINAL:
      break;
  }
  return "";
}

/* What the verdict asks for besides trying again. FALSE: it is final. */
static gboolean
follow_verdict (VodUpload *upload, const VodJob *job, const GError *error,
    VodRetry verdict, guint failures)
{
  switch (verdict) {
    case VOD_RETRY_FINAL:
      return FALSE;
    case VOD_RETRY_LOOK:
      if (job->kind == VOD_JOB_COMPLETE) {
        vod_upload_next_step (upload, VOD_STEP_LOOK);
        return TRUE;
      }
      /* The object may appear a little after its upload has gone; not one that
       * was completed by an earlier run. */
      return job->kind == VOD_JOB_LOOK && !job->completed_there &&
          failures < LOOKS;
    case VOD_RETRY_CREDENTIALS:
      if (job->applied && job->applied == upload->applied)
        upload->renew_wanted = TRUE;
      return TRUE;
    case VOD_RETRY_SIGNATURE:
      vod_upload_note_refused (upload, job, error);
      return TRUE;
    case VOD_RETRY_AGAIN:
      break;
  }
  return TRUE;
}

/* Credentials are renewed early: while the old ones are good, a renewal that
 * fails is no failure of the upload. */
static gboolean
can_do_without (const VodUpload *upload, const VodJob *job, gint64 now)
{
  return job->kind == VOD_JOB_RENEW && !upload->renew_wanted &&
      now < upload->expires_at;
}

/* What a failure tells about the endpoint, or the accelerated host, that the
 * request went to. That there is no such host is no failure of the upload. */
static VodWay
judge_endpoint (VodUpload *upload, const VodJob *job, const GError *error)
{
  gint64 now = g_get_monotonic_time ();
  gboolean silent =
      error->code == VOD_ERROR_NETWORK || error->code == VOD_ERROR_TLS;

  if (silent && vod_upload_leave_host (upload, job))
    return VOD_WAY_PROBE;
  if (silent)
    return vod_endpoints_silent (&upload->endpoints, &job->endpoint,
        error->code == VOD_ERROR_TLS, job->begun, now);
  vod_endpoints_answered (&upload->endpoints, &job->endpoint, now);
  return VOD_WAY_SAME;
}

/* In an outage one part at a time is tried: the next after a pause that does not
 * grow, and this one, whose own pause is @delay, not before another was. Returns
 * that pause, at most @left (µs). */
static guint
take_turns (
    VodUpload *upload, const VodJob *job, gint64 now, guint delay, gint64 left)
{
  guint pause = vod_retry_delay (PROBE_FAILURES, -1, g_random_int ());

  if (job->kind != VOD_JOB_PART || !vod_upload_is_cut_off (upload)) {
    delay = MIN (delay, left / 1000);
    vod_upload_count_pause (upload, now + delay * (gint64)1000);
    return delay;
  }
  upload->probe_at = now + MIN (pause * (gint64)1000, left);
  vod_upload_count_pause (upload, upload->probe_at);
  return MIN (MAX (delay, 2 * pause), left / 1000);
}

/* So long has nothing got through that it is an outage. */
static void
note_outage (VodUpload *upload)
{
  if (upload->told_outage || !vod_upload_is_cut_off (upload))
    return;
  upload->told_outage = TRUE;
  vod_upload_note (upload, VOD_LOG_INFO,
      "nothing has got through for %.0f s: one part at a time is tried",
      vod_upload_failing_for (upload) / (gdouble)G_USEC_PER_SEC);
}

/* Books a failure and says when to try again: ms, or -1 for not any more.
 * *@final: because trying again is of no use. *@how: how it goes on, in words. */
static gint
book_failure (VodUpload *upload, VodJob *job, GError *error, VodWay way,
    guint *failures, gboolean *final, const gchar **how)
{
  VodTry *try = vod_upload_try_of (upload, job->kind);
  const VodErrorDetails *details = vod_error_details (error);
  gint64 now = g_get_monotonic_time (), left;
  gboolean spare = can_do_without (upload, job, now) || way == VOD_WAY_PROBE;
  gboolean go_on;
  VodRetry verdict;
  guint delay;

  *failures = try ? ++try->failures : job->slice->attempts + 1;
  if (try && error->code != VOD_ERROR_NETWORK)
    try->answered++;
  verdict = vod_retry_classify (error, try ? try->answered : *failures);
  delay = vod_retry_delay (*failures, details->retry_after, g_random_int ());
  go_on = follow_verdict (
              upload, job, error, verdict, try ? try->answered : *failures) ||
      way == VOD_WAY_OTHER;
  *final = !go_on && !spare;
  *how = way_on (verdict, way, job);
  /* There is another way: go there at once, unless that failed too. */
  if (way == VOD_WAY_PROBE ||
      (way == VOD_WAY_OTHER && (*failures == 1 || job->accelerated)))
    delay = 0;
  if (spare) {
    if (try)
      try->not_before = now + delay * (gint64)1000;
    return delay;
  }

  left = vod_upload_time_left (upload, job, now);
  note_outage (upload);
  if (!go_on || left <= 0)
    return -1;
  delay = take_turns (upload, job, now, delay, left);
  /* What stood in the way is being mended: the first time, go on at once. */
  if (verdict != VOD_RETRY_AGAIN && *failures == 1)
    delay = 0;
  if (try)
    try->not_before = now + delay * (gint64)1000;
  return delay;
}

/* A request that was cancelled for being overdue has failed like any other
 * that got no answer. */
static GError *
name_failure (VodWorker *worker, VodJob *job, GError *error)
{
  GError *other = error;

  if (worker->overdue)
    error = vod_error_new (VOD_ERROR_NETWORK,
        "The request made too little progress and was given up");
  else if (vod_error_details (error) == NULL)
    error = vod_error_new (VOD_ERROR_NETWORK, "%s", other->message);
  if (error != other) {
    /* It may have been asking for a signature, not yet the job itself. */
    if (vod_error_details (other))
      vod_error_set_phase (error, vod_error_details (other)->phase);
    g_error_free (other);
  }
  vod_error_set_phase (error, vod_job_phase (job->kind));
  return error;
}

/* There is no signature because the service refused the one there was: its own
 * words, number and request id are what people need. */
static GError *
name_refusal (VodUpload *upload, GError *error)
{
  GError *named;

  if (error->code != VOD_ERROR_SIGNATURE || upload->refusal == NULL)
    return error;
  named = g_error_copy (upload->refusal);
  g_free (named->message);
  named->message =
      g_strdup_printf ("%s (%s)", error->message, upload->refusal->message);
  vod_error_details (named)->phase = VOD_PHASE_SIGNATURE;
  g_error_free (error);
  return named;
}

/* The slice, which is not pinned, is no longer with this worker. @firm: the
 * server has said when to come again. */
static void
give_slice_back (VodUpload *upload, VodJob *job, gint delay, gboolean firm)
{
  if (job->kind != VOD_JOB_PART)
    return;
  upload->parts_in_flight--;
  vod_slices_fail (upload->slices, job->slice,
      g_get_monotonic_time () + MAX (delay, 0) * (gint64)1000, firm);
}

static gboolean
is_final (GError *error)
{
  return vod_retry_classify (error, 1) == VOD_RETRY_FINAL;
}

/* We may not see which parts are there: all go again, with their numbers. */
static void
begin_unlisted (VodWorker *worker)
{
  vod_slices_forget_receipts (worker->upload->slices);
  begin_parts (worker);
}

/* Apply is refused: perhaps for its cover, which then comes later. */
static gboolean
may_be_the_cover (VodUpload *upload, const VodJob *job, GError *error)
{
  gboolean denied = error->code == VOD_ERROR_HTTP && is_final (error);

  if (job->cover == NULL || job->applied ||
      !(denied || vod_upload_was_refused (error)))
    return FALSE;
  upload->cover.alone = TRUE;
  return TRUE;
}

/* What was known of the interrupted upload is not so: no failure of this one.
 * TRUE: @job is dealt with. */
static gboolean
learn_from_refusal (VodWorker *worker, const VodJob *job, GError *error)
{
  VodUpload *upload = worker->upload;
  gboolean gone = vod_retry_classify (error, 1) == VOD_RETRY_LOOK;

  switch (job->kind) {
    case VOD_JOB_APPLY:
      if (vod_upload_drop_region (upload, error)) {
        vod_upload_note_failure (
            upload, job, error, 1, "again at once, without the region");
        return TRUE;
      }
      if (may_be_the_cover (upload, job, error)) {
        vod_upload_note_failure (upload, job, error, 1,
            "again at once, without the cover, which comes later");
        return TRUE;
      }
      return upload->resuming && vod_upload_begin_anew (worker, job, error);
    case VOD_JOB_CHECK:
      if (!gone && error->code != VOD_ERROR_INTEGRITY)
        return FALSE;
      /* What was interrupted before Complete got through is gone on with. */
      vod_upload_note (upload, VOD_LOG_DEBUG,
          "the interrupted upload was not completed: %s", error->message);
      vod_upload_next_step (upload, VOD_STEP_LIST);
      return TRUE;
    case VOD_JOB_LIST:
      if (gone && !upload->blind)
        return vod_upload_begin_anew (worker, job, error);
      if (gone) {
        vod_upload_note (upload, VOD_LOG_DEBUG,
            "the interrupted upload seems to be completed: %s", error->message);
        note_completed (worker);
      } else if (error->code == VOD_ERROR_STORAGE && is_final (error)) {
        vod_upload_note_failure (
            upload, job, error, 1, "all parts are sent again");
        begin_unlisted (worker);
      } else {
        return FALSE;
      }
      return TRUE;
    default:
      return FALSE;
  }
}

/* A request that is not the upload's any more, or one beside it. */
static gboolean
is_void (VodUpload *upload, const VodJob *job)
{
  return upload->end != VOD_END_NONE || upload->ending ||
      job->attempt != upload->attempt ||
      (upload->committed && !vod_upload_is_exchange (job));
}

/* The spool was rewritten while a worker read from it: the service has neither
 * the old nor the new bytes, as was to be expected. */
static gboolean
is_torn (const VodJob *job, const GError *error)
{
  return job->kind == VOD_JOB_PART && job->slice->torn &&
      error->code == VOD_ERROR_INTEGRITY;
}

/* That a signature, or the time, is missing for what earlier uploads have left is
 * no failure; that the spool cannot be synced is told by who writes it. */
static void
note_failure_aside (VodUpload *upload, const VodJob *job, GError *error)
{
  if (job->kind == VOD_JOB_ABORT ||
      (job->kind == VOD_JOB_SWEEP && job->signature &&
          error->code != VOD_ERROR_CANCELLED))
    vod_upload_note_failure (upload, job, error, 1,
        "it is remembered in state-dir, and deleted by a later upload or "
        "vod-resume");
}

void
vod_upload_settle_failure (VodWorker *worker, VodJob *job, GError *error)
{
  VodUpload *upload = worker->upload;
  VodTry *try = vod_upload_try_of (upload, job->kind);
  gboolean final, anew = FALSE;
  const gchar *how;
  guint failures;
  VodWay way;
  gint delay;

  vod_upload_leave_out_waiting (upload, job);
  error = name_failure (worker, job, error);
  vod_upload_report_job (upload, job, error);
  way = judge_endpoint (upload, job, error);
  if (try && job->attempt == upload->attempt)
    try->busy = FALSE;
  if (settle_aside (worker, job, error)) {
    note_failure_aside (upload, job, error);
    g_error_free (error);
    return;
  }
  if (job->kind == VOD_JOB_PART)
    wait_unpinned (upload, job->slice);
  if (is_void (upload, job) || is_torn (job, error) ||
      learn_from_refusal (worker, job, error)) {
    give_slice_back (upload, job, 0, FALSE);
    g_cond_broadcast (&upload->work);
    g_error_free (error);
    return;
  }
  if (vod_upload_doubt_host (upload, job, error))
    way = VOD_WAY_OTHER;

  if (vod_upload_is_for_cover (upload, job)) {
    vod_upload_settle_cover_failure (worker, job, error, way);
    return;
  }
  if (job->kind == VOD_JOB_COMMIT && error->code != VOD_ERROR_SERVICE)
    upload->commit_unanswered = TRUE;

  delay = book_failure (upload, job, error, way, &failures, &final, &how);
  if (delay < 0 && vod_upload_leave_host (upload, job)) {
    /* No upload ends there: the ordinary way is tried once at least. */
    delay = 0;
    final = FALSE;
    how = ", by the ordinary host";
  }
  give_slice_back (upload, job, delay, error->code != VOD_ERROR_NETWORK);
  if (final)
    anew = vod_upload_begin_anew (worker, job, error);
  if (anew)
    delay = 0;
  if (delay >= 0) {
    upload->retries++;
    if (!anew)
      vod_upload_note_retry (upload, job, error, failures, delay, how);
  } else if (vod_upload_claim_end (upload)) {
    error = name_refusal (upload, error);
  } else {
    g_error_free (error);
    return;
  }
  g_cond_broadcast (&upload->work);

  vod_upload_leave_lock (worker);
  if (delay < 0) {
    vod_upload_tell_failure (upload, error);
  } else {
    upload->events.retry (vod_error_details (error)->phase, failures, delay,
        error->message, upload->data);
    g_error_free (error);
  }
  vod_upload_return_to_lock (worker);
}

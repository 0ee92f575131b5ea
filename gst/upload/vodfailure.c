/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What it changes that a job has failed: another try, another way, another
 * beginning, or the end. See vodupload-private.h for the lock; functions here are
 * called with it unless they say otherwise.
 */
#include "vodjob.h"
#include "vodretry.h"
#include "vodupload-private.h"

#define LOOKS 4
#define PROBE_FAILURES 5 /* as many make the pause between two parts' tries */

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
  vod_upload_begin_parts (worker);
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
        vod_upload_note_completed (worker);
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
  if (vod_upload_settle_aside (worker, job, error)) {
    note_failure_aside (upload, job, error);
    g_error_free (error);
    return;
  }
  if (job->kind == VOD_JOB_PART)
    vod_upload_wait_unpinned (upload, job->slice);
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

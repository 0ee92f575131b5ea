/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Beginning from the start, when what the service or the spool has is of no use
 * to this upload. See vodupload-private.h for the locks.
 */
#include "vodupload-private.h"
#include "vodretry.h"

#define MAX_ATTEMPTS 3

/* All bytes again, from the start, as another upload: nothing is asked of the
 * service before that is noted (started_over()). With the lock. */
static void
start_over (VodUpload *upload)
{
  upload->beginning = TRUE;
  upload->attempt++;
  upload->cuts_noted = 0;
  upload->parts_skipped = 0;
  upload->step_try = upload->renew_try = (VodTry){0};
  upload->completed_there = upload->may_be_completed = FALSE;
  upload->blind = upload->seen = FALSE;
  upload->resuming = upload->look_first = FALSE;
  upload->step = vod_upload_first_step (upload);
  upload->renew_wanted = upload->parts_to_delete = FALSE;
  upload->commit_unanswered = FALSE;
  vod_cover_announce (&upload->cover, NULL);
  g_clear_pointer (&upload->upload_id, g_free);
  g_clear_pointer (&upload->applied, vod_api_applied_unref);
}

/* With the lock. */
static void
started_over (VodUpload *upload)
{
  upload->beginning = FALSE;
  upload->swept = FALSE;
  g_cond_broadcast (&upload->room);
  vod_upload_wake_workers (upload);
}

/* Deletes what the upload that is given up has at the service, or sees to it
 * that it is deleted later. Takes @state; @job: the DELETE. Without the lock. */
static void
delete_old (VodWorker *worker, VodSessionState *state, VodJob *job)
{
  VodUpload *upload = worker->upload;
  gboolean needed = state != NULL;
  VodSession *discard = vod_upload_remember (upload, state);
  GError *error;

  if (!needed || !job->applied->credentials.secret_key) {
    g_clear_pointer (&discard, vod_session_close);
    return;
  }
  vod_http_set_purpose (worker->http, "delete of what was given up");
  error = vod_job_perform (
      job, &upload->settings, worker->http, NULL, NULL, worker->cancellable);
  if (error == NULL)
    g_clear_pointer (&discard, vod_session_delete);
  else
    vod_log (&upload->settings.log, VOD_LOG_WARNING,
        "what was given up cannot be deleted now, which a later upload or "
        "vod-resume does: %s",
        error->message);
  g_clear_pointer (&discard, vod_session_close);
  g_clear_error (&error);
}

/* FALSE: bytes are missing for that, or it was tried too often. Gives up the
 * lock. */
static gboolean
try_anew (VodWorker *worker, const VodJob *job, GError *error)
{
  VodUpload *upload = worker->upload;
  VodJob old = {.kind = VOD_JOB_ABORT};
  VodSessionState *state;
  GPtrArray *requests;
  guint attempt;

  if (upload->attempt + 1 >= MAX_ATTEMPTS || upload->beginning ||
      !vod_slices_restart (upload->slices))
    return FALSE;
  vod_upload_note_failure (upload, job, error, 1,
      "what is up is given up, and all of it goes again in another upload");
  state = vod_upload_leftovers (upload);
  if (upload->applied)
    old.applied = vod_api_applied_ref (upload->applied);
  old.upload_id = g_strdup (upload->upload_id);
  start_over (upload);
  attempt = upload->attempt;
  requests = vod_upload_take_requests (upload);
  worker->busy = TRUE;
  worker->cancellable = g_cancellable_new ();
  g_mutex_unlock (&upload->lock);

  vod_upload_cancel_all (requests);
  delete_old (worker, state, &old);
  vod_job_clear (&old);
  if (upload->local)
    vod_local_begin_anew (upload->local, attempt);

  g_mutex_lock (&upload->lock);
  g_clear_object (&worker->cancellable);
  worker->busy = FALSE;
  started_over (upload);
  return TRUE;
}

gboolean
vod_upload_was_refused (GError *error)
{
  return error->code == VOD_ERROR_SERVICE &&
      vod_retry_classify (error, 1) != VOD_RETRY_SIGNATURE &&
      vod_error_details (error)->number != 10004;
}

/* Commit was refused: another upload without the cover that this one has, or
 * should have had, may be committed; unless this one may be so already. */
static gboolean
may_help_without_cover (const VodUpload *upload)
{
  return upload->applied->cover_key && !upload->commit_unanswered;
}

/* Is another upload likely to come further than this one, which has failed for
 * good? */
static gboolean
may_help (VodUpload *upload, const VodJob *job, GError *error)
{
  gboolean gone = vod_error_has_code (error, "NoSuchUpload");
  gboolean refused = vod_upload_was_refused (error);

  switch (job->kind) {
    case VOD_JOB_APPLY:
      return upload->resuming && refused;
    case VOD_JOB_RENEW:
      return refused;
    case VOD_JOB_LIST:
    case VOD_JOB_PART:
      return gone;
    case VOD_JOB_COMPLETE:
    case VOD_JOB_LOOK:
      return gone || error->code == VOD_ERROR_INTEGRITY ||
          vod_error_has_code (error, "InvalidPart");
    case VOD_JOB_COMMIT:
      /* An object that was seen there may be committed already. */
      return refused &&
          (may_help_without_cover (upload) ||
              (upload->resuming && !upload->seen));
    default:
      return FALSE;
  }
}

gboolean
vod_upload_begin_anew (VodWorker *worker, const VodJob *job, GError *error)
{
  if (!may_help (worker->upload, job, error))
    return FALSE;
  if (job->kind == VOD_JOB_COMMIT)
    worker->upload->cover.alone = TRUE;
  return try_anew (worker, job, error);
}

/* With the lock. FALSE: the upload has ended; with @error, because bytes that
 * have to go again are nowhere. */
static gboolean
begin_parting (VodUpload *upload, GError **error)
{
  if (upload->end != VOD_END_NONE || upload->ending || upload->committed)
    return FALSE;
  if (!vod_slices_restart (upload->slices)) {
    vod_error_set (error, VOD_ERROR_READ,
        "The recording differs from the one that was interrupted, and what was "
        "sent of it is no longer held: give each media a resume-key of its "
        "own");
    if (error)
      vod_error_set_phase (*error, VOD_PHASE_PART);
    return FALSE;
  }
  start_over (upload);
  upload->synced = 0;
  return TRUE;
}

gboolean
vod_upload_is_let_go (gpointer data)
{
  VodUpload *upload = data;
  gboolean ended;

  g_mutex_lock (&upload->lock);
  ended = upload->end != VOD_END_NONE;
  g_mutex_unlock (&upload->lock);
  /* One that has failed may go on recording, until it is stopped. */
  return ended && !vod_upload_is_kept (upload);
}

void
vod_upload_part_ways (VodUpload *upload, GError *trouble, gboolean unsynced)
{
  g_autofree gchar *recovered = NULL;
  gboolean copy = trouble == NULL;
  GError *failure = NULL;
  GPtrArray *requests;
  guint attempt;

  g_mutex_lock (&upload->lock);
  if (!begin_parting (upload, &failure)) {
    g_mutex_unlock (&upload->lock);
    if (failure) {
      g_clear_error (&trouble);
      vod_upload_fail (upload, failure);
    } else if (trouble) {
      vod_upload_stop_recording (upload, trouble);
    }
    return;
  }
  attempt = upload->attempt;
  requests = vod_upload_take_requests (upload);
  g_mutex_unlock (&upload->lock);

  /* The parts at the service are those of the other recording. */
  vod_upload_cancel_all (requests);
  recovered = vod_local_set_aside (upload->local, attempt, copy,
      vod_upload_is_let_go, upload, copy ? &trouble : NULL);
  if (recovered)
    upload->events.recovered (
        recovered, upload->settings.resume_key, upload->data);
  if (trouble)
    vod_upload_leave_spool (upload, trouble, unsynced);

  g_mutex_lock (&upload->lock);
  started_over (upload);
  g_mutex_unlock (&upload->lock);
}

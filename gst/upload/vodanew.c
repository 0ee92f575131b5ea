/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Beginning from the start, when what the service or the spool has is of no use
 * to this upload. See vodupload-private.h for the locks.
 */
#include "vodupload-private.h"
#include "vodretry.h"

#define MAX_ATTEMPTS 3

/* All bytes again, from the start. With the lock. */
static void
start_over (VodUpload *upload, VodStep from)
{
  upload->attempt++;
  upload->cuts_noted = 0;
  upload->parts_skipped = 0;
  upload->step = from;
  upload->step_try = (VodTry){.busy = TRUE};
  upload->completed_there = upload->may_be_completed = upload->blind = FALSE;
  upload->look_first = TRUE;
  g_clear_pointer (&upload->upload_id, g_free);
  if (from == VOD_STEP_APPLY) {
    g_clear_pointer (&upload->applied, vod_api_applied_unref);
    upload->resuming = upload->renew_wanted = upload->parts_to_delete = FALSE;
    upload->look_first = upload->initiating = FALSE;
  }
}

/* The streaming thread and workers may now go on. With the lock. */
static void
started_over (VodUpload *upload)
{
  upload->step_try.busy = FALSE;
  upload->swept = FALSE;
  g_cond_broadcast (&upload->work);
  g_cond_broadcast (&upload->room);
  vod_upload_ensure_workers (upload);
}

/* FALSE: bytes are missing for that, or it was tried too often. Gives up the
 * lock. */
static gboolean
begin_at (VodUpload *upload, VodStep from)
{
  VodSessionState *state;
  VodSession *discard;
  GPtrArray *requests;
  guint attempt;

  if (upload->attempt + 1 >= MAX_ATTEMPTS ||
      !vod_slices_restart (upload->slices))
    return FALSE;
  state = from == VOD_STEP_APPLY ? vod_upload_leftovers (upload) : NULL;
  start_over (upload, from);
  attempt = upload->attempt;
  requests = vod_upload_take_requests (upload);
  g_mutex_unlock (&upload->lock);

  vod_upload_cancel_all (requests);
  discard = vod_upload_remember (upload, state);
  g_clear_pointer (&discard, vod_session_close);
  if (upload->local)
    vod_local_begin_anew (upload->local, attempt);

  g_mutex_lock (&upload->lock);
  started_over (upload);
  return TRUE;
}

/* Where an upload that cannot go on as it is may begin anew; END: nowhere. */
static VodStep
where_to_begin (VodUpload *upload, const VodJob *job, GError *error)
{
  const VodErrorDetails *details = vod_error_details (error);
  gboolean gone = g_strcmp0 (details->error_code, "NoSuchUpload") == 0;
  gboolean refused = error->code == VOD_ERROR_SERVICE &&
      vod_retry_classify (error, 1) != VOD_RETRY_SIGNATURE &&
      details->number != 10004;

  switch (job->kind) {
    case VOD_JOB_APPLY:
      return upload->resuming && refused ? VOD_STEP_APPLY : VOD_STEP_END;
    case VOD_JOB_RENEW:
      return refused ? VOD_STEP_APPLY : VOD_STEP_END;
    case VOD_JOB_CHECK:
      return VOD_STEP_APPLY;
    case VOD_JOB_LIST:
      return gone ? VOD_STEP_INITIATE : VOD_STEP_APPLY;
    case VOD_JOB_PART:
      return !gone                  ? VOD_STEP_END
          : upload->completed_there ? VOD_STEP_APPLY
                                    : VOD_STEP_INITIATE;
    case VOD_JOB_COMPLETE:
    case VOD_JOB_LOOK:
      return gone || error->code == VOD_ERROR_INTEGRITY ||
              g_strcmp0 (details->error_code, "InvalidPart") == 0
          ? VOD_STEP_APPLY
          : VOD_STEP_END;
    case VOD_JOB_COMMIT:
      return refused && upload->resuming ? VOD_STEP_APPLY : VOD_STEP_END;
    default:
      return VOD_STEP_END;
  }
}

gboolean
vod_upload_begin_anew (VodUpload *upload, const VodJob *job, GError *error)
{
  VodStep from = where_to_begin (upload, job, error);

  return from != VOD_STEP_END && begin_at (upload, from);
}

void
vod_upload_part_ways (VodUpload *upload)
{
  g_autofree gchar *recovered = NULL;
  GError *error = NULL;
  GPtrArray *requests;
  guint attempt;

  g_mutex_lock (&upload->lock);
  if (!vod_slices_restart (upload->slices)) {
    g_mutex_unlock (&upload->lock);
    g_return_if_reached ();
  }
  /* The parts at the service are those of the other recording. */
  upload->parts_to_delete = FALSE;
  start_over (upload, VOD_STEP_APPLY);
  attempt = upload->attempt;
  requests = vod_upload_take_requests (upload);
  g_mutex_unlock (&upload->lock);

  vod_upload_cancel_all (requests);
  recovered = vod_local_set_aside (upload->local, attempt, &error);
  if (recovered)
    upload->events.recovered (
        recovered, upload->settings.resume_key, upload->data);
  if (error)
    vod_upload_leave_spool (upload, error);

  g_mutex_lock (&upload->lock);
  started_over (upload);
  g_mutex_unlock (&upload->lock);
}

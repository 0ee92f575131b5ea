/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How an upload ends: who may end it, what its owner is told, and what becomes
 * of what it keeps on this machine and has at the service. See
 * vodupload-private.h for the locks.
 */
#include "vodupload-private.h"

/* `local` as it is now; it does not go away. */
static VodLocal *
local_of (VodUpload *upload)
{
  VodLocal *local;

  g_mutex_lock (&upload->lock);
  local = upload->local;
  g_mutex_unlock (&upload->lock);
  return local;
}

gboolean
vod_upload_is_kept (VodUpload *upload)
{
  VodLocal *local = local_of (upload);

  return local && vod_local_is_kept (local);
}

/* Another upload of this media may begin at once: this one's session is given
 * up now, and what has to be deleted is remembered elsewhere. */
static void
give_up (VodUpload *upload, VodLocal *local, VodLocalDiscard why)
{
  VodSessionState *state;
  VodSession *discard;

  g_mutex_lock (&upload->lock);
  if (upload->let_go) {
    g_mutex_unlock (&upload->lock);
    return;
  }
  upload->let_go = TRUE;
  state = vod_upload_leftovers (upload);
  g_mutex_unlock (&upload->lock);
  discard = vod_upload_remember (upload, state);
  g_mutex_lock (&upload->lock);
  upload->discard = discard;
  upload->holding = FALSE;
  g_cond_broadcast (&upload->work);
  g_mutex_unlock (&upload->lock);
  vod_local_discard (local, why);
}

void
vod_upload_let_go (VodUpload *upload, gboolean keep, VodLocalDiscard why)
{
  VodLocal *local = local_of (upload);

  if (local == NULL)
    return;
  if (keep)
    vod_local_keep (local);
  else
    give_up (upload, local, why);
}

gboolean
vod_upload_claim_end (VodUpload *upload)
{
  if (upload->end != VOD_END_NONE || upload->ending || upload->committed)
    return FALSE;
  upload->ending = TRUE;
  return TRUE;
}

void
vod_upload_forget (VodUpload *upload)
{
  VodLocal *local = local_of (upload);

  if (local)
    vod_local_committed (local, upload->result.file_id);
}

/* Whoever is killed before the owner has heard it goes on from the session, and
 * hears the same. Who sees that it has ended finds nothing left. */
void
vod_upload_tell_success (VodUpload *upload)
{
  VodLocal *local = upload->local;
  g_autofree gchar *kept = NULL;
  VodUploadResult result = {
      .file_id = upload->result.file_id,
      .video_url = upload->result.video_url,
      .cover_url = upload->result.cover_url,
      .verify_content = upload->result.verify_content,
  };
  VodSlicesStats stats;

  upload->ending = TRUE;
  upload->step = VOD_STEP_END;
  vod_slices_get_stats (upload->slices, &stats);
  result.size = stats.size;
  result.parts = vod_slices_count (upload->slices);
  g_mutex_unlock (&upload->lock);

  if (local)
    kept = vod_local_keep_copy (local, result.file_id);
  result.spool_location = kept;
  upload->events.milestone (VOD_UPLOAD_CLOSED, upload->data);
  upload->events.finished (&result, upload->data);
  vod_upload_forget (upload);

  g_mutex_lock (&upload->lock);
  if (upload->end == VOD_END_NONE)
    upload->end = VOD_END_DONE;
  vod_slices_release (upload->slices);
  g_cond_broadcast (&upload->work);
  g_cond_broadcast (&upload->room);
}

/* Would another run with the same media come any further? */
static gboolean
is_worth_resuming (const GError *error)
{
  switch (error->code) {
    case VOD_ERROR_CANCELLED:
    case VOD_ERROR_LIMIT:
    case VOD_ERROR_PARAMETER:
    case VOD_ERROR_READ:
    case VOD_ERROR_SEEK:
      return FALSE;
    default:
      return TRUE;
  }
}

/* What the service has is complete, and is not this media: that will not
 * change. With the lock. */
static gboolean
is_another_media (const VodUpload *upload, GError *error)
{
  return upload->completed_there && vod_error_has_code (error, "NoSuchUpload");
}

/* Decides what of the upload is left, before the failure is told: who hears it may
 * stop at once. Notes it in @error. Without the lock. */
static gboolean
decide_rest (VodUpload *upload, GError *error)
{
  VodErrorDetails *details = vod_error_details (error);
  gboolean keep = vod_upload_is_kept (upload) && is_worth_resuming (error);

  g_mutex_lock (&upload->lock);
  keep = keep && !upload->discard_on_stop && !is_another_media (upload, error);
  upload->keep_at_stop = keep;
  upload->cancelled = error->code == VOD_ERROR_CANCELLED;
  g_mutex_unlock (&upload->lock);
  details->resumable = keep;
  if (upload->local)
    details->spool_location = vod_local_spool_path (upload->local);
  return keep;
}

GPtrArray *
vod_upload_end_early (VodUpload *upload, VodEnd end, gboolean keep)
{
  upload->end = end;
  upload->holding = !keep && upload->local;
  upload->parts_to_delete = upload->parts_to_delete && !keep;
  vod_slices_release (upload->slices);
  g_cond_broadcast (&upload->work);
  g_cond_broadcast (&upload->room);
  return vod_upload_take_requests (upload);
}

void
vod_upload_tell_failure (VodUpload *upload, GError *error)
{
  gboolean cancelled = error->code == VOD_ERROR_CANCELLED;
  gboolean keep = decide_rest (upload, error), recording, first;
  GPtrArray *requests = NULL;

  vod_upload_write_notes (upload);
  vod_upload_report_failure (upload, error);
  upload->events.failed (error, upload->data);
  g_error_free (error);

  g_mutex_lock (&upload->lock);
  /* A recording that is to end because of its spool has not ended yet. */
  recording = (upload->spooling || upload->spool_trouble) && !cancelled;
  first = upload->end == VOD_END_NONE;
  if (first)
    requests = vod_upload_end_early (upload, VOD_END_FAILED, keep);
  g_mutex_unlock (&upload->lock);
  /* With a spool, recording may go on (vod_upload_record()), until the stop. */
  if (first && !recording)
    vod_upload_let_go (
        upload, keep, cancelled ? VOD_LOCAL_CANCELLED : VOD_LOCAL_FAILED);
  if (requests)
    vod_upload_cancel_all (requests);
}

void
vod_upload_fail (VodUpload *upload, GError *error)
{
  gboolean claimed;

  g_mutex_lock (&upload->lock);
  claimed = vod_upload_claim_end (upload);
  if (upload->committed && error->code == VOD_ERROR_CANCELLED)
    vod_upload_end_exchange (upload);
  g_mutex_unlock (&upload->lock);
  if (claimed)
    vod_upload_tell_failure (upload, error);
  else
    g_error_free (error);
}

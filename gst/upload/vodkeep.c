/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of the upload outlives it: taking up an interrupted one, noting on disk
 * what happens, the spool, and beginning anew when all that was in vain. See
 * vodupload-private.h for the locks.
 */
#include <string.h>

#include "vodupload-private.h"

#define SYNC_BYTES (8 * VOD_MIB)
#define SYNC_INTERVAL G_USEC_PER_SEC
#define MAX_ATTEMPTS 3

/* --- taking up ------------------------------------------------------------*/

/* Cuts and receipts of the interrupted upload. With the lock. */
static void
adopt_parts (VodUpload *upload, const VodSessionState *found)
{
  g_autoptr (GArray) receipts =
      g_array_new (FALSE, TRUE, sizeof (VodSliceReceipt));

  for (guint i = 0; i < found->parts->len; i++) {
    const VodSessionPart *part = g_ptr_array_index (found->parts, i);
    VodSliceReceipt receipt = {
        .offset = part->offset,
        .size = part->size,
        .etag = part->confirmed ? part->etag : NULL,
        .has_crc64 = part->confirmed,
        .crc64 = part->crc64,
    };

    g_array_append_val (receipts, receipt);
  }
  vod_slices_preset (
      upload->slices, (const VodSliceReceipt *)receipts->data, receipts->len);
}

static void
adopt_session (VodUpload *upload, const VodSessionState *found)
{
  g_mutex_lock (&upload->lock);
  upload->resuming = TRUE;
  upload->applied = vod_api_applied_recall (
      found->session_key, found->bucket_host, found->object_key);
  upload->upload_id = g_strdup (found->upload_id);
  upload->look_first = upload->parts_to_delete = TRUE;
  upload->may_be_completed = found->completing;
  upload->completed_size = found->size;
  upload->completed_crc64 = found->crc64;
  if (found->upload_id)
    adopt_parts (upload, found);
  g_mutex_unlock (&upload->lock);
}

gboolean
vod_upload_prepare (VodUpload *upload)
{
  VodLocalOpened opened = {0};
  GError *error = NULL;
  const VodSessionState *found;
  VodSpool *file;

  if (upload->prepared)
    return TRUE;
  upload->prepared = TRUE;
  upload->local = vod_local_open (&upload->settings, &opened, &error);
  if (opened.recovered)
    upload->events.recovered (
        opened.recovered, upload->settings.resume_key, upload->data);
  if (opened.notice)
    upload->events.notice (opened.notice, upload->data);
  vod_local_opened_clear (&opened);
  if (error) {
    vod_upload_fail (upload, error);
    return FALSE;
  }

  file = upload->local ? vod_local_spool (upload->local) : NULL;
  if (file == NULL && upload->settings.source_file)
    file = upload->source =
        vod_spool_open_source (upload->settings.source_file);
  g_mutex_lock (&upload->lock);
  upload->spooling = file && !vod_spool_is_source (file);
  if (file)
    vod_slices_set_file (upload->slices, file);
  g_mutex_unlock (&upload->lock);
  found = upload->local ? vod_local_found (upload->local) : NULL;
  if (found)
    adopt_session (upload, found);
  return TRUE;
}

/* --- what is left at the service ------------------------------------------*/

static gchar *
state_dir (const VodUpload *upload)
{
  return upload->settings.state_dir ? g_strdup (upload->settings.state_dir)
                                    : vod_session_default_dir ();
}

/* What there is of an upload at the service, to be deleted later. */
static VodSessionState *
describe (const VodUpload *upload, const VodApiApplied *applied,
    const gchar *upload_id)
{
  VodSessionState *state = g_new0 (VodSessionState, 1);

  *state = (VodSessionState){
      .endpoint = g_strdup (upload->settings.endpoint),
      .session_key = g_strdup (applied->session_key),
      .bucket_host = g_strdup (applied->bucket_host),
      .object_key = g_strdup (applied->key),
      .applied = g_get_real_time () / G_USEC_PER_SEC,
      .upload_id = g_strdup (upload_id),
  };
  return state;
}

/* Takes @state. Without the lock. */
static VodSession *
remember (const VodUpload *upload, VodSessionState *state)
{
  g_autofree gchar *dir = state_dir (upload);
  VodSession *discard = NULL;

  if (state == NULL)
    return NULL;
  if (vod_session_prepare_dir (dir, NULL))
    discard = vod_session_remember_discard (dir, state, NULL);
  vod_session_state_clear (state);
  g_free (state);
  return discard;
}

gboolean
vod_upload_take_discard (VodUpload *upload, VodJob *job)
{
  g_autofree gchar *dir = state_dir (upload);

  job->discard = vod_session_take_discard (
      dir, upload->settings.endpoint, upload->sweep_after);
  if (job->discard == NULL)
    return FALSE;
  g_free (upload->sweep_after);
  upload->sweep_after = g_strdup (vod_session_key (job->discard));
  return TRUE;
}

/* --- noting ---------------------------------------------------------------*/

/* Another worker may note the same at the same time; all are noted in order. */
static void
note_cuts (VodUpload *upload, const VodJob *job)
{
  for (guint i = 0; i < job->n_cuts; i++)
    vod_local_note_cut (upload->local, job->attempt, job->cuts[i].number,
        job->cuts[i].offset, job->cuts[i].size);
  g_mutex_lock (&upload->lock);
  if (job->attempt == upload->attempt)
    upload->cuts_noted = MAX (upload->cuts_noted, job->slice->number);
  g_mutex_unlock (&upload->lock);
}

void
vod_upload_note_before (VodUpload *upload, const VodJob *job)
{
  if (upload->local == NULL)
    return;
  if (job->kind == VOD_JOB_PART && job->n_cuts > 0)
    note_cuts (upload, job);
  else if (job->kind == VOD_JOB_COMPLETE)
    vod_local_note_completing (
        upload->local, job->attempt, job->size, job->crc64);
}

/* A DELETE has ended: what remembers it is not needed any more, or needed from
 * now on. */
static void
note_abort (VodUpload *upload, const VodJob *job, gboolean deleted)
{
  VodSession *discard;

  g_mutex_lock (&upload->lock);
  discard = g_steal_pointer (&upload->discard);
  g_mutex_unlock (&upload->lock);
  if (deleted) {
    g_clear_pointer (&discard, vod_session_delete);
    return;
  }
  if (discard == NULL)
    discard =
        remember (upload, describe (upload, job->applied, job->upload_id));
  g_clear_pointer (&discard, vod_session_close);
}

/* What was noted first is true whatever comes next. */
static void
note_in_session (VodUpload *upload, const VodJob *job)
{
  const VodApiApplied *applied = job->new_applied;

  switch (job->kind) {
    case VOD_JOB_APPLY:
      /* One that goes on is known already, with its age. */
      if (job->applied == NULL ||
          !vod_api_applied_same_object (applied, job->applied) ||
          strcmp (applied->session_key, job->applied->session_key) != 0)
        vod_local_note_applied (upload->local, job->attempt, applied);
      break;
    case VOD_JOB_INITIATE:
      /* After a beginning from the start within a session it is not noted. */
      vod_local_note_applied (upload->local, job->attempt, job->applied);
      vod_local_note_upload (upload->local, job->attempt, job->new_upload_id);
      break;
    case VOD_JOB_PART:
      vod_local_note_confirmed (upload->local, job->attempt, job->slice->number,
          job->crc64, job->receipt.etag);
      break;
    default:
      break;
  }
}

void
vod_upload_note_after (VodUpload *upload, VodJob *job, const GError *error)
{
  if (job->kind == VOD_JOB_ABORT)
    note_abort (upload, job, error == NULL);
  else if (job->kind == VOD_JOB_SWEEP && error == NULL)
    g_clear_pointer (&job->discard, vod_session_delete);
  else if (upload->local && error == NULL)
    note_in_session (upload, job);
}

void
vod_upload_tell_trouble (VodUpload *upload)
{
  g_autoptr (GError) error = NULL;

  if (upload->local)
    error = vod_local_take_trouble (upload->local);
  if (error)
    upload->events.warning (VOD_UPLOAD_SESSION, error->message, upload->data);
}

/* --- the spool ------------------------------------------------------------*/

gboolean
vod_upload_sync_due (VodUpload *upload, gint64 now, gint64 *wake)
{
  guint64 behind = upload->spooled - upload->synced;

  if (!upload->spooling || upload->syncing)
    return FALSE;
  if (upload->closing ? !upload->eos_synced : behind >= SYNC_BYTES)
    return TRUE;
  if (behind == 0)
    return FALSE;
  if (now >= upload->last_sync + SYNC_INTERVAL)
    return TRUE;
  *wake = MIN (*wake, upload->last_sync + SYNC_INTERVAL);
  return FALSE;
}

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

/* Likewise of this one, if there may be something. With the lock. */
static VodSessionState *
leftovers (const VodUpload *upload)
{
  if (upload->applied == NULL || !upload->parts_to_delete)
    return NULL;
  return describe (upload, upload->applied, upload->upload_id);
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

gboolean
vod_upload_begin_anew (VodUpload *upload, VodStep from)
{
  VodSessionState *state;
  VodSession *discard;
  GPtrArray *requests;
  guint attempt;

  if (upload->attempt + 1 >= MAX_ATTEMPTS ||
      !vod_slices_restart (upload->slices))
    return FALSE;
  state = from == VOD_STEP_APPLY ? leftovers (upload) : NULL;
  start_over (upload, from);
  attempt = upload->attempt;
  requests = vod_upload_take_requests (upload);
  g_mutex_unlock (&upload->lock);

  vod_upload_cancel_all (requests);
  discard = remember (upload, state);
  g_clear_pointer (&discard, vod_session_close);
  if (upload->local)
    vod_local_begin_anew (upload->local, attempt);

  g_mutex_lock (&upload->lock);
  started_over (upload);
  return TRUE;
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

void
vod_upload_leave_spool (VodUpload *upload, GError *error)
{
  g_autofree gchar *message = g_strdup_printf (
      "%s. The upload goes on, with what memory holds", error->message);
  gboolean whole;

  g_mutex_lock (&upload->lock);
  upload->spooling = FALSE;
  whole = vod_slices_leave_file (upload->slices);
  g_mutex_unlock (&upload->lock);
  vod_error_set_phase (error, VOD_PHASE_SPOOL);
  if (whole) {
    upload->events.warning (VOD_UPLOAD_SPOOL, message, upload->data);
    g_error_free (error);
  } else {
    vod_upload_fail (upload, error);
  }
}

gboolean
vod_upload_record (VodUpload *upload, const guint8 *data, gsize len)
{
  gboolean spooling;

  g_mutex_lock (&upload->lock);
  spooling = upload->spooling;
  g_mutex_unlock (&upload->lock);
  if (!spooling)
    return FALSE;
  if (vod_spool_write (vod_local_spool (upload->local), upload->recorded_to,
          data, len, NULL) != VOD_SPOOL_OK) {
    g_mutex_lock (&upload->lock);
    upload->spooling = FALSE;
    g_mutex_unlock (&upload->lock);
    return FALSE;
  }
  upload->recorded_to += len;
  return TRUE;
}

void
vod_upload_finish_record (VodUpload *upload)
{
  if (upload->spooling)
    vod_local_sync (upload->local,
        vod_spool_size (vod_local_spool (upload->local)), TRUE, NULL);
}

/* --- the end --------------------------------------------------------------*/

gboolean
vod_upload_is_kept (VodUpload *upload)
{
  return upload->local && vod_local_is_kept (upload->local);
}

void
vod_upload_let_go (VodUpload *upload, gboolean keep, gboolean cancelled)
{
  VodSessionState *state;
  VodSession *discard;

  if (upload->local && keep)
    vod_local_keep (upload->local);
  if (keep || upload->local == NULL)
    return;
  /* Another upload of this media may begin at once: this one's session is given
   * up now, and what has to be deleted is remembered elsewhere. */
  g_mutex_lock (&upload->lock);
  state = leftovers (upload);
  g_mutex_unlock (&upload->lock);
  discard = remember (upload, state);
  g_mutex_lock (&upload->lock);
  upload->discard = discard;
  upload->holding = FALSE;
  g_cond_broadcast (&upload->work);
  g_mutex_unlock (&upload->lock);
  vod_local_discard (upload->local, cancelled);
}

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
    vod_upload_note_abort (upload, job, error == NULL);
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

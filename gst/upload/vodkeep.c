/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of the upload outlives it: taking up an interrupted one, noting on disk
 * what happens, and the spool. See vodupload-private.h for the locks.
 */
#include <string.h>

#include "vodupload-private.h"

/* What a loss of power may cost. */
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
  VodLocal *local;
  VodSpool *file;

  if (upload->prepared)
    return TRUE;
  upload->prepared = TRUE;
  local = vod_local_open (&upload->settings, &opened, &error);
  g_mutex_lock (&upload->lock);
  upload->local = local;
  g_mutex_unlock (&upload->lock);
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
  if (found) {
    vod_log (&upload->settings.log, VOD_LOG_INFO,
        "an interrupted upload of this media is gone on with: object %s, %u "
        "parts%s",
        found->object_key, found->parts->len,
        found->completing ? ", perhaps complete" : "");
    adopt_session (upload, found);
  }
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
vod_upload_warn (
    VodUpload *upload, VodUploadWarning warning, const gchar *message)
{
  g_autofree gchar *path =
      upload->local ? vod_local_spool_path (upload->local) : NULL;

  upload->events.warning (warning, message, path, upload->data);
}

void
vod_upload_tell_trouble (VodUpload *upload)
{
  g_autoptr (GError) error = NULL;

  if (upload->local)
    error = vod_local_take_trouble (upload->local);
  if (error)
    vod_upload_warn (upload, VOD_UPLOAD_SESSION, error->message);
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

/* @whole: everything that has to be sent is there. */
static void
tell_spool_trouble (VodUpload *upload, GError *error, gboolean whole)
{
  g_autofree gchar *message = NULL;

  vod_error_set_phase (error, VOD_PHASE_SPOOL);
  if (!whole) {
    vod_upload_fail (upload, error);
    return;
  }
  message = g_strdup_printf (
      "%s. The upload goes on, with what memory holds", error->message);
  vod_upload_warn (upload, VOD_UPLOAD_SPOOL, message);
  g_error_free (error);
}

/* Is the spool still another's, an earlier recording that the stream has not
 * outgrown? */
static gboolean
is_anothers (VodUpload *upload)
{
  return vod_spool_left (vod_local_spool (upload->local)) > 0 &&
      vod_local_has_spool (upload->local);
}

void
vod_upload_leave_spool (VodUpload *upload, GError *error, gboolean unsynced)
{
  gboolean whole, ended;

  /* The earlier recording in the file keeps it. */
  if (is_anothers (upload)) {
    vod_upload_part_ways (upload, error, unsynced);
    return;
  }
  vod_local_leave_spool (upload->local);
  g_mutex_lock (&upload->lock);
  ended = upload->end != VOD_END_NONE || upload->ending || upload->committed;
  upload->spooling = FALSE;
  whole =
      (!unsynced || vod_slices_trusts_file (upload->slices, upload->synced)) &&
      vod_slices_leave_file (upload->slices);
  g_mutex_unlock (&upload->lock);
  if (ended)
    vod_upload_stop_recording (upload, error);
  else
    tell_spool_trouble (upload, error, whole);
}

void
vod_upload_heed_spool (VodUpload *upload)
{
  GError *error;

  g_mutex_lock (&upload->lock);
  error = g_steal_pointer (&upload->spool_trouble);
  g_mutex_unlock (&upload->lock);
  if (error)
    vod_upload_leave_spool (upload, error, TRUE);
}

/* --- recording after a failure --------------------------------------------*/

/* Another recording is in the spool: that keeps it. This one goes on in a copy,
 * or, without @copy, not at all. */
static gboolean
record_elsewhere (VodUpload *upload, gboolean copy, GError **error)
{
  g_autofree gchar *recovered = NULL;
  guint attempt;

  g_mutex_lock (&upload->lock);
  attempt = ++upload->attempt;
  g_mutex_unlock (&upload->lock);
  recovered = vod_local_set_aside (
      upload->local, attempt, copy, vod_upload_is_let_go, upload, error);
  if (recovered)
    upload->events.recovered (
        recovered, upload->settings.resume_key, upload->data);
  return *error == NULL;
}

gboolean
vod_upload_stop_recording (VodUpload *upload, GError *error)
{
  g_autofree gchar *message = NULL;
  gboolean told, committed;

  g_mutex_lock (&upload->lock);
  told = upload->record_over;
  upload->record_over = TRUE;
  upload->spooling = FALSE;
  committed = upload->committed;
  g_mutex_unlock (&upload->lock);
  /* Then there is no recording without the upload. */
  if (committed) {
    g_error_free (error);
    return FALSE;
  }
  if (is_anothers (upload)) {
    g_autoptr (GError) too = NULL;

    record_elsewhere (upload, FALSE, &too);
  }
  vod_local_leave_spool (upload->local);
  if (!told && !vod_upload_is_let_go (upload)) {
    message = g_strdup_printf (
        "%s. Nothing is recorded from here on", error->message);
    vod_upload_warn (upload, VOD_UPLOAD_SPOOL, message);
  }
  g_error_free (error);
  return FALSE;
}

static gboolean
is_recording (VodUpload *upload)
{
  gboolean spooling;

  g_mutex_lock (&upload->lock);
  spooling = upload->spooling;
  g_mutex_unlock (&upload->lock);
  return spooling;
}

/* Nobody else does it any more. */
static gboolean
sync_record (VodUpload *upload, gboolean eos, GError **error)
{
  guint64 size = vod_spool_size (vod_local_spool (upload->local));

  if (!eos && size - upload->recorded_synced < SYNC_BYTES)
    return TRUE;
  if (!vod_local_sync (upload->local, upload->attempt, size, eos, error))
    return FALSE;
  upload->recorded_synced = size;
  return TRUE;
}

gboolean
vod_upload_record (VodUpload *upload, const guint8 *data, gsize len)
{
  VodSpoolResult result;
  GError *error = NULL;
  VodSpool *spool;

  if (!is_recording (upload))
    return FALSE;
  spool = vod_local_spool (upload->local);
  result = vod_spool_write (spool, upload->recorded_to, data, len, &error);
  if (result == VOD_SPOOL_DIFFERS && record_elsewhere (upload, TRUE, &error))
    result = vod_spool_write (spool, upload->recorded_to, data, len, &error);
  if (result != VOD_SPOOL_OK)
    return vod_upload_stop_recording (upload, error);

  upload->recorded_to += len;
  g_mutex_lock (&upload->lock);
  upload->received += len;
  upload->spooled = vod_spool_size (spool);
  g_mutex_unlock (&upload->lock);
  return sync_record (upload, FALSE, &error) ||
      vod_upload_stop_recording (upload, error);
}

void
vod_upload_finish_record (VodUpload *upload)
{
  GError *error = NULL;

  vod_upload_heed_spool (upload);
  if (!is_recording (upload))
    return;
  if (vod_spool_left (vod_local_spool (upload->local)) > 0)
    record_elsewhere (upload, TRUE, &error);
  if (error || !sync_record (upload, TRUE, &error))
    vod_upload_stop_recording (upload, error);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the log tells of an upload (cloud/vodlog.h). Most of it comes to light
 * under the lock, where nothing may be written: it is noted there, and written
 * by whoever next is without it.
 */
#include "vodupload-private.h"

typedef struct {
  VodLogLevel level;
  const gchar *file, *function; /* static */
  gint line;
  gchar *text;
} Note;

static void
note_free (gpointer data)
{
  Note *note = data;

  g_free (note->text);
  g_free (note);
}

void
vod_upload_note_full (VodUpload *upload, VodLogLevel level, const gchar *file,
    const gchar *function, gint line, const gchar *format, ...)
{
  Note *note;
  va_list args;

  if (!vod_log_wants (&upload->settings.log, level))
    return;
  note = g_new0 (Note, 1);
  *note = (Note){level, file, function, line, NULL};
  va_start (args, format);
  note->text = g_strdup_vprintf (format, args);
  va_end (args);
  g_queue_push_tail (&upload->notes, note);
}

void
vod_upload_write_notes (VodUpload *upload)
{
  const VodLog *log = &upload->settings.log;
  GQueue notes;

  /* If nobody reads this, there are none. */
  if (!vod_log_wants (log, VOD_LOG_WARNING))
    return;
  g_mutex_lock (&upload->lock);
  notes = upload->notes;
  g_queue_init (&upload->notes);
  g_mutex_unlock (&upload->lock);
  for (GList *l = notes.head; l; l = l->next) {
    const Note *note = l->data;

    vod_log_full (log, note->level, note->file, note->function, note->line,
        "%s", note->text);
  }
  g_queue_clear_full (&notes, note_free);
}

void
vod_upload_drop_notes (VodUpload *upload)
{
  g_queue_clear_full (&upload->notes, note_free);
}

/* --- what a job is called -------------------------------------------------*/

void
vod_upload_name_job (const VodJob *job, gchar *name, gsize size)
{
  static const gchar *const names[] = {
      [VOD_JOB_NONE] = "nothing",
      [VOD_JOB_EXIT] = "the end",
      [VOD_JOB_REGION] = "search for a region",
      [VOD_JOB_APPLY] = "apply",
      [VOD_JOB_RENEW] = "renewal of credentials",
      [VOD_JOB_CHECK] = "check for the object",
      [VOD_JOB_LIST] = "list of parts",
      [VOD_JOB_INITIATE] = "initiate",
      [VOD_JOB_PART] = "part",
      [VOD_JOB_COMPLETE] = "complete",
      [VOD_JOB_LOOK] = "look at the object",
      [VOD_JOB_COMMIT] = "commit",
      [VOD_JOB_COVER] = "cover",
      [VOD_JOB_COVER_APPLY] = "apply for another cover",
      [VOD_JOB_COVER_PUT] = "other cover",
      [VOD_JOB_COVER_COMMIT] = "commit of the other cover",
      [VOD_JOB_ABORT] = "delete",
      [VOD_JOB_SYNC] = "sync of the spool",
      [VOD_JOB_SWEEP] = "delete of an earlier upload",
  };

  if (job->kind == VOD_JOB_PART)
    g_snprintf (name, size, "part %u", job->slice->number);
  else
    g_strlcpy (name, names[job->kind], size);
}

/* --- one job --------------------------------------------------------------*/

void
vod_upload_log_begin (VodUpload *upload, const VodJob *job, guint failures)
{
  const VodLog *log = &upload->settings.log;
  gchar name[48];

  vod_upload_name_job (job, name, sizeof name);
  if (job->kind == VOD_JOB_PART)
    vod_log (log, VOD_LOG_TRACE,
        "%s: bytes %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ", try %u",
        name, job->slice->offset, job->slice->offset + job->slice->size - 1,
        failures + 1);
  else
    vod_log (log, VOD_LOG_TRACE, "%s: begins, try %u", name, failures + 1);
}

void
vod_upload_log_success (VodUpload *upload, const VodJob *job)
{
  const VodLog *log = &upload->settings.log;
  const VodApiApplied *applied = job->new_applied;
  gint64 ms = (g_get_monotonic_time () - job->begun) / 1000;

  switch (job->kind) {
    case VOD_JOB_APPLY:
    case VOD_JOB_RENEW:
    case VOD_JOB_COVER_APPLY:
      vod_log (log, VOD_LOG_INFO,
          "%s: bucket host %s, object %s, credentials for %" G_GINT64_FORMAT
          " s, %s%s",
          job->kind == VOD_JOB_RENEW ? "fresh credentials" : "applied",
          applied->bucket_host,
          job->kind == VOD_JOB_COVER_APPLY ? applied->cover_key : applied->key,
          applied->credentials.end - applied->credentials.start,
          applied->accelerate_host || applied->upload_domain
              ? "accelerated host "
              : "no accelerated host",
          applied->accelerate_host     ? applied->accelerate_host
              : applied->upload_domain ? applied->upload_domain
                                       : "");
      break;
    case VOD_JOB_REGION:
      if (job->new_region)
        vod_log (
            log, VOD_LOG_INFO, "the nearest region is %s", job->new_region);
      break;
    case VOD_JOB_LIST:
      vod_log (log, VOD_LOG_INFO, "%u parts are there from an earlier run",
          job->listed->len);
      break;
    case VOD_JOB_COMPLETE:
    case VOD_JOB_LOOK:
      if (job->kind == VOD_JOB_LOOK && !job->seen)
        vod_log (log, VOD_LOG_INFO,
            "the storage does not let us look at the object: commit decides");
      else
        vod_log (log, VOD_LOG_INFO,
            "the object is complete at the storage: %" G_GUINT64_FORMAT
            " bytes",
            job->size);
      break;
    case VOD_JOB_COMMIT:
      vod_log (log, VOD_LOG_INFO, "committed as %s", job->committed.file_id);
      break;
    case VOD_JOB_COVER:
    case VOD_JOB_COVER_PUT:
      vod_log (log, VOD_LOG_INFO, "the cover is up: %" G_GSIZE_FORMAT " bytes",
          g_bytes_get_size (job->cover));
      break;
    case VOD_JOB_ABORT:
      vod_log (log, VOD_LOG_INFO, "what was up is deleted at the storage");
      break;
    case VOD_JOB_PART:
      vod_log (log, VOD_LOG_TRACE,
          "part %u: %s, CRC64 %" G_GUINT64_FORMAT ", %" G_GINT64_FORMAT " ms",
          job->slice->number, job->skipped ? "is there already" : "confirmed",
          job->crc64, ms);
      break;
    case VOD_JOB_SYNC:
      vod_log (log, VOD_LOG_TRACE,
          "the spool is on the disk up to %" G_GUINT64_FORMAT, job->size);
      break;
    default:
      break;
  }
}

void
vod_upload_note_failure (VodUpload *upload, const VodJob *job, GError *error,
    guint failures, const gchar *next)
{
  const VodErrorDetails *details = vod_error_details (error);
  gchar name[48];

  vod_upload_name_job (job, name, sizeof name);
  vod_upload_note (upload, VOD_LOG_WARNING,
      "%s (phase %s, try %u) has failed, code %d%s%s%s%s: %s; %s", name,
      vod_phase_name (details->phase), MAX (failures, 1),
      vod_error_number (error), details->error_code ? " " : "",
      details->error_code ? details->error_code : "",
      details->request_id ? ", request id " : "",
      details->request_id ? details->request_id : "", error->message, next);
}

void
vod_upload_note_retry (VodUpload *upload, const VodJob *job, GError *error,
    guint failures, gint delay, const gchar *how)
{
  gchar next[128];

  if (delay > 0)
    g_snprintf (next, sizeof next, "again in %d ms%s", delay, how);
  else
    g_snprintf (next, sizeof next, "again at once%s", how);
  vod_upload_note_failure (upload, job, error, failures, next);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of an upload is reported: each try of Apply and Commit, that the object
 * is complete at the storage or will not be, and how it ended (protocol.md 6).
 * Who stops or cancels an upload ends it without a report: that is no outcome.
 *
 * What an event says is put together here, with the upload's lock; sending it is
 * the reporter's affair.
 */
#include "../cloud/vodreport.h"
#include "vodjob.h"
#include "vodupload-private.h"

static gpointer
hold_upload (gpointer data)
{
  return vod_upload_ref (data);
}

static void
release_upload (gpointer data)
{
  vod_upload_unref (data);
}

static void
on_mishap (GError *error, gpointer data)
{
  VodUpload *upload = data;

  upload->events.mishap (error, upload->data);
}

void
vod_upload_open_reports (VodUpload *upload)
{
  const VodUploadSettings *settings = &upload->settings;
  VodReporterSettings reporter = {
      .endpoint = settings->report_endpoint,
      .http = vod_upload_settings_http (settings),
      .mishap = on_mishap,
      .owner = upload,
      .hold = hold_upload,
      .release = release_upload,
  };

  if (settings->report_id == NULL)
    return;
  reporter.http.timeout = VOD_REPORTER_TIMEOUT;
  upload->report_key = g_uuid_string_random ();
  upload->reporter = vod_reporter_new (&reporter);
}

/* In a word, what kind of failure it was. */
static const gchar *
class_of (const GError *error)
{
  switch (error->code) {
    case VOD_ERROR_NETWORK:
      return "network";
    case VOD_ERROR_TLS:
      return "TLS";
    case VOD_ERROR_HTTP:
    case VOD_ERROR_PROTOCOL:
      return "bad answer";
    case VOD_ERROR_SERVICE:
      return "service";
    case VOD_ERROR_SIGNATURE:
      return "no signature";
    case VOD_ERROR_LOCAL:
    case VOD_ERROR_NO_SPACE:
    case VOD_ERROR_BUSY:
      return "local storage";
    default:
      return "other";
  }
}

/* Whom this machine asks for signatures and where it keeps what is nobody's
 * business: of such an @error, what may be told; of any other, NULL. */
static gchar *
discreet_message (GError *error)
{
  VodPhase phase = vod_error_details (error)->phase;

  switch (error->code) {
    case VOD_ERROR_LOCAL:
    case VOD_ERROR_NO_SPACE:
    case VOD_ERROR_BUSY:
      break;
    default:
      if (phase != VOD_PHASE_SIGNATURE && phase != VOD_PHASE_SPOOL &&
          phase != VOD_PHASE_SESSION)
        return NULL;
  }
  return g_strdup_printf ("%s: %s", vod_phase_name (phase), class_of (error));
}

/* Completes @report, of what began at @begun and has @ended (monotonic µs; 0:
 * just now), and sends it. @applied: NULL if it is not known. With the lock. */
static void
report (VodUpload *upload, VodReport *report, const VodApiApplied *applied,
    gint64 begun, gint64 ended)
{
  const VodUploadSettings *settings = &upload->settings;
  gint64 now = g_get_monotonic_time ();
  g_autofree gchar *region = NULL, *message = NULL;
  VodSlicesStats stats;

  vod_slices_get_stats (upload->slices, &stats);
  if (report->error)
    report->message = message = discreet_message (report->error);
  report->device = settings->report_device;
  report->file_size = vod_upload_whole_size (upload, &stats);
  report->file_name = settings->name;
  report->file_type = settings->type;
  report->request_key = upload->report_key;
  report->report_id = settings->report_id;
  if (applied) {
    region = vod_api_applied_region (applied);
    report->app_id = applied->app_id;
    report->session_key = applied->session_key;
    report->region = region;
  }
  report->cost = ((ended ? ended : now) - (begun ? begun : now)) / 1000;
  report->begun = (g_get_real_time () - (begun ? now - begun : 0)) / 1000;
  if (vod_reporter_push (upload->reporter,
          vod_report_body (report, settings->report_endpoint)) ||
      upload->told_unreported)
    return;
  upload->told_unreported = TRUE;
  vod_upload_note (
      upload, VOD_LOG_WARNING, "no thread can be had to send the reports");
}

/* --- requests -------------------------------------------------------------*/

void
vod_upload_report_prepare (
    VodUpload *upload, const VodRegionPrepare *prepare, const gchar *region)
{
  VodReport event = {
      .type = VOD_REPORT_PREPARE, .error = prepare->error, .region = region};

  if (upload->reporter == NULL || prepare->begun == 0)
    return;
  g_mutex_lock (&upload->lock);
  report (upload, &event, NULL, prepare->begun, prepare->ended);
  g_mutex_unlock (&upload->lock);
}

static void
report_apply (VodUpload *upload, const VodJob *job, GError *error)
{
  VodReport apply = {.type = VOD_REPORT_APPLY, .error = error};

  report (upload, &apply, job->new_applied ? job->new_applied : job->applied,
      job->asked, 0);
  if (!error && job->kind == VOD_JOB_APPLY)
    upload->storing_since = g_get_monotonic_time ();
}

static void
report_commit (VodUpload *upload, const VodJob *job, GError *error)
{
  VodReport commit = {.type = VOD_REPORT_COMMIT,
      .error = error,
      .file_id = job->committed.file_id};

  report (upload, &commit, job->applied, job->asked, 0);
}

/* Complete, or a look at the object after it, has shown that it is there. */
static void
report_stored (VodUpload *upload, const VodJob *job)
{
  VodReport stored = {.type = VOD_REPORT_STORED};

  if (job->kind == VOD_JOB_COMPLETE && !job->receipt.has_crc64)
    return;
  if (upload->stored || job->attempt != upload->attempt ||
      upload->end != VOD_END_NONE || upload->ending)
    return;
  upload->stored = TRUE;
  report (upload, &stored, job->applied, upload->storing_since, 0);
}

void
vod_upload_report_job (VodUpload *upload, const VodJob *job, GError *error)
{
  if (upload->reporter == NULL || job->asked == 0 ||
      g_error_matches (error, VOD_ERROR, VOD_ERROR_CANCELLED))
    return;
  switch (job->kind) {
    case VOD_JOB_APPLY:
    case VOD_JOB_RENEW:
      report_apply (upload, job, error);
      break;
    case VOD_JOB_COMPLETE:
    case VOD_JOB_LOOK:
      if (!error)
        report_stored (upload, job);
      break;
    case VOD_JOB_COMMIT:
      report_commit (upload, job, error);
      break;
    default:
      break;
  }
}

/* --- the end --------------------------------------------------------------*/

void
vod_upload_report_done (VodUpload *upload, const VodApiCommitted *committed)
{
  VodReport done = {.type = VOD_REPORT_DONE, .file_id = committed->file_id};

  if (upload->reporter == NULL)
    return;
  report (upload, &done, upload->applied, upload->started, 0);
  vod_reporter_finish (upload->reporter);
}

/* Is @error the storage's doing, or that of the way there? What the stream or
 * this machine has done is not. */
static gboolean
is_of_storage (GError *error)
{
  switch (error->code) {
    case VOD_ERROR_NETWORK:
    case VOD_ERROR_TLS:
    case VOD_ERROR_HTTP:
    case VOD_ERROR_STORAGE:
    case VOD_ERROR_PROTOCOL:
    case VOD_ERROR_INTEGRITY:
      break;
    default:
      return FALSE;
  }
  switch (vod_error_details (error)->phase) {
    case VOD_PHASE_INITIATE:
    case VOD_PHASE_PART:
    case VOD_PHASE_COMPLETE:
      return TRUE;
    default:
      return FALSE;
  }
}

void
vod_upload_report_failure (VodUpload *upload, GError *error)
{
  VodReport stored = {.type = VOD_REPORT_STORED, .error = error};
  VodReport done = {.type = VOD_REPORT_DONE, .error = error};

  if (upload->reporter == NULL)
    return;
  g_mutex_lock (&upload->lock);
  if (upload->storing_since != 0 && is_of_storage (error))
    report (upload, &stored, upload->applied, upload->storing_since, 0);
  if (error->code != VOD_ERROR_CANCELLED)
    report (upload, &done, upload->applied, upload->started, 0);
  vod_reporter_finish (upload->reporter);
  g_mutex_unlock (&upload->lock);
}

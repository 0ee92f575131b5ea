/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstvodmessages.h"

#include <string.h>

static void
post_element (GstElement *element, GstStructure *structure)
{
  gst_element_post_message (
      element, gst_message_new_element (GST_OBJECT (element), structure));
}

void
gst_vod_post_progress (GstElement *element, const VodUploadProgress *progress)
{
  post_element (element,
      gst_structure_new ("vodsink-progress", "loaded", G_TYPE_UINT64,
          progress->loaded, "total", G_TYPE_UINT64, progress->total, "percent",
          G_TYPE_DOUBLE, progress->percent, "speed", G_TYPE_UINT64,
          progress->speed, NULL));
}

void
gst_vod_post_retry (GstElement *element, VodPhase phase, guint attempt,
    guint delay_ms, const gchar *message)
{
  post_element (element,
      gst_structure_new ("vodsink-retry", "phase", G_TYPE_STRING,
          vod_phase_name (phase), "attempt", G_TYPE_UINT, attempt, "delay",
          G_TYPE_UINT, delay_ms, "message", G_TYPE_STRING, message, NULL));
}

/* Strings of structures are UTF-8, file names may be anything. */
static void
set_path (GstStructure *structure, const gchar *field, const gchar *path)
{
  g_autofree gchar *valid = path ? g_utf8_make_valid (path, -1) : NULL;

  if (valid)
    gst_structure_set (structure, field, G_TYPE_STRING, valid, NULL);
}

void
gst_vod_post_recovered (
    GstElement *element, const gchar *spool_location, const gchar *resume_key)
{
  GstStructure *structure = gst_structure_new_empty ("vodsink-recovered");

  set_path (structure, "spool-location", spool_location);
  set_path (structure, "resume-key", resume_key ? resume_key : "");
  post_element (element, structure);
}

void
gst_vod_post_finish (GstElement *element, const VodUploadResult *result,
    const gchar *name, const gchar *location)
{
  GstStructure *structure = gst_structure_new ("vodsink-finish", "file-id",
      G_TYPE_STRING, result->file_id, "video-name", G_TYPE_STRING, name,
      "video-url", G_TYPE_STRING, result->video_url, "size", G_TYPE_UINT64,
      result->size, "parts", G_TYPE_UINT, result->parts, NULL);

  set_path (structure, "location", location);
  set_path (structure, "spool-location", result->spool_location);
  if (result->cover_url)
    gst_structure_set (
        structure, "cover-url", G_TYPE_STRING, result->cover_url, NULL);
  if (result->verify_content)
    gst_structure_set (structure, "verify-content", G_TYPE_STRING,
        result->verify_content, NULL);
  post_element (element, structure);
}

/* --- failures -------------------------------------------------------------*/

#define LOCATION_SHOWN 1024 /* bytes */

/* Whoever signs was there, and gave no signature. */
static gboolean
is_unsigned (GError *error, const VodErrorDetails *details)
{
  return details->phase == VOD_PHASE_SIGNATURE &&
      (error->code == VOD_ERROR_PROTOCOL ||
          (error->code == VOD_ERROR_HTTP && details->http_status < 500));
}

/* A status that says who may not do this; 407 is a proxy's. */
static gboolean
is_status_of_refusal (GError *error, const VodErrorDetails *details)
{
  return error->code == VOD_ERROR_HTTP &&
      (details->http_status == 401 || details->http_status == 403 ||
          details->http_status == 407);
}

/* Is it a matter of who may do this? */
static gboolean
is_refusal (GError *error, const VodErrorDetails *details)
{
  static const gchar *const codes[] = {"AccessDenied", "AccessForbidden",
      "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken",
      "RequestHasExpired", NULL};

  if (error->code == VOD_ERROR_SIGNATURE || error->code == VOD_ERROR_TLS)
    return TRUE;
  if (error->code == VOD_ERROR_SERVICE)
    return details->number == 10004 || details->number == 10010 ||
        details->phase == VOD_PHASE_SIGNATURE;
  if (is_unsigned (error, details) || is_status_of_refusal (error, details))
    return TRUE;
  return details->error_code && g_strv_contains (codes, details->error_code);
}

static GstResourceError
resource_error (GError *error, const VodErrorDetails *details)
{
  if (is_refusal (error, details))
    return GST_RESOURCE_ERROR_NOT_AUTHORIZED;
  switch ((VodErrorCode)error->code) {
    case VOD_ERROR_PARAMETER:
      return GST_RESOURCE_ERROR_SETTINGS;
    case VOD_ERROR_READ:
      return GST_RESOURCE_ERROR_READ;
    case VOD_ERROR_SEEK:
      return GST_RESOURCE_ERROR_SEEK;
    case VOD_ERROR_LOCAL:
      /* A rewrite of what is in a spool that takes no more. */
      if (details->phase == VOD_PHASE_PART)
        return GST_RESOURCE_ERROR_SEEK;
      return GST_RESOURCE_ERROR_OPEN_WRITE;
    case VOD_ERROR_BUSY:
      return GST_RESOURCE_ERROR_OPEN_WRITE;
    case VOD_ERROR_LIMIT:
    case VOD_ERROR_NO_SPACE:
      return GST_RESOURCE_ERROR_NO_SPACE_LEFT;
    default:
      break;
  }
  switch (details->phase) {
    case VOD_PHASE_SIGNATURE:
    case VOD_PHASE_APPLY:
    case VOD_PHASE_INITIATE:
    case VOD_PHASE_SESSION:
      return GST_RESOURCE_ERROR_OPEN_WRITE;
    case VOD_PHASE_COMPLETE:
    case VOD_PHASE_COMMIT:
      return GST_RESOURCE_ERROR_CLOSE;
    case VOD_PHASE_PART:
    case VOD_PHASE_COVER:
    case VOD_PHASE_REPORT:
    case VOD_PHASE_SPOOL:
    case VOD_PHASE_NONE:
      break;
  }
  return GST_RESOURCE_ERROR_WRITE;
}

static GstStructure *
failure_structure (GError *error, const VodErrorDetails *details,
    const gchar *name, const gchar *location)
{
  GstStructure *structure = gst_structure_new (name, "phase", G_TYPE_STRING,
      vod_phase_name (details->phase), "code", G_TYPE_INT,
      vod_error_number (error), "message", G_TYPE_STRING, error->message,
      "request-id", G_TYPE_STRING,
      details->request_id ? details->request_id : "", "resumable",
      G_TYPE_BOOLEAN, details->resumable, NULL);

  set_path (structure, "location", location);
  set_path (structure, "spool-location", details->spool_location);
  if (details->error_code)
    gst_structure_set (
        structure, "error-code", G_TYPE_STRING, details->error_code, NULL);
  return structure;
}

/* What gst-launch-1.0 shows below the message. */
static gchar *
debug_text (
    GError *error, const VodErrorDetails *details, const gchar *location)
{
  g_autofree gchar *printable = vod_printable (location, LOCATION_SHOWN);

  return g_strdup_printf ("phase %s, code %d, %s%s, request id %s%s%s",
      vod_phase_name (details->phase), vod_error_number (error),
      details->error_code ? "storage code " : "no storage code",
      details->error_code ? details->error_code : "",
      details->request_id ? details->request_id : "unknown",
      printable ? "\nlocation " : "", printable ? printable : "");
}

/* @name is the structure's. */
static void
post_failure_as (GstElement *element, GstMessageType type, const gchar *name,
    GError *error, const gchar *location)
{
  const VodErrorDetails *details = vod_error_details (error);
  GstStructure *structure = failure_structure (error, details, name, location);
  GQuark domain = GST_RESOURCE_ERROR;
  gint code = resource_error (error, details);

  if (error->code == VOD_ERROR_MEDIA_TYPE) {
    domain = GST_CORE_ERROR;
    code = GST_CORE_ERROR_NEGOTIATION;
  }
  post_element (element, gst_structure_copy (structure));
  gst_element_message_full_with_details (element, type, domain, code,
      g_strdup (error->message), debug_text (error, details, location),
      __FILE__, G_STRFUNC, __LINE__, structure);
}

void
gst_vod_post_failure (
    GstElement *element, GError *error, const gchar *location, gboolean fatal)
{
  post_failure_as (element, fatal ? GST_MESSAGE_ERROR : GST_MESSAGE_WARNING,
      "vodsink-error", error, location);
}

void
gst_vod_post_mishap (GstElement *element, GError *error, const gchar *location)
{
  post_failure_as (
      element, GST_MESSAGE_WARNING, "vodsink-warning", error, location);
}

#define LOCAL_STORAGE (-4)

void
gst_vod_post_warning (GstElement *element, const gchar *phase,
    const gchar *message, const gchar *location, const gchar *spool_location)
{
  GstStructure *structure = NULL;
  gint code;

  if (phase) {
    /* Nothing has failed when upstream is held back. */
    code = strcmp (phase, "blocked") == 0 ? 0 : LOCAL_STORAGE;
    structure = gst_structure_new ("vodsink-warning", "phase", G_TYPE_STRING,
        phase, "code", G_TYPE_INT, code, "message", G_TYPE_STRING, message,
        "request-id", G_TYPE_STRING, "", "resumable", G_TYPE_BOOLEAN, FALSE,
        NULL);
    set_path (structure, "location", location);
    set_path (structure, "spool-location", spool_location);
    post_element (element, gst_structure_copy (structure));
  }
  gst_element_message_full_with_details (element, GST_MESSAGE_WARNING,
      GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE, g_strdup (message), NULL,
      __FILE__, G_STRFUNC, __LINE__, structure);
}

void
gst_vod_post_step (GstElement *element, GstProgressType type, const gchar *code,
    const gchar *text)
{
  gst_element_post_message (element,
      gst_message_new_progress (GST_OBJECT (element), type, code, text));
}

/* --- statistics -----------------------------------------------------------*/

#define STATS_NAME "application/x-vodsink-stats"

GstStructure *
gst_vod_stats_structure (const VodUploadStats *stats, const GstStructure *base)
{
  static const gchar *const inherited[] = {
      "rendered", "dropped", "average-rate"};
  GstStructure *structure = gst_structure_new (STATS_NAME, "bytes-received",
      G_TYPE_UINT64, stats->bytes_received, "bytes-uploaded", G_TYPE_UINT64,
      stats->bytes_uploaded, "bytes-sent", G_TYPE_UINT64, stats->bytes_sent,
      "bytes-buffered", G_TYPE_UINT64, stats->bytes_buffered, "bytes-spooled",
      G_TYPE_UINT64, stats->bytes_spooled, "parts-uploaded", G_TYPE_UINT,
      stats->parts_uploaded, "parts-skipped", G_TYPE_UINT, stats->parts_skipped,
      "parts-rewritten", G_TYPE_UINT, stats->parts_rewritten, "retries",
      G_TYPE_UINT, stats->retries, "upload-rate", G_TYPE_UINT64,
      stats->upload_rate, "blocked-time", G_TYPE_UINT64,
      (guint64)stats->blocked_time * GST_USECOND, "state", G_TYPE_STRING,
      stats->state ? stats->state : "idle", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (inherited); i++) {
    const GValue *value = gst_structure_get_value (base, inherited[i]);

    if (value)
      gst_structure_set_value (structure, inherited[i], value);
  }
  return structure;
}

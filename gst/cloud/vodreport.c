/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodreport: see vodreport.h.
 */
#include "config.h"

#include "vodreport.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "voderror.h"
#include "vodhost.h"
#include "vodjson.h"

#define TEXT_MAX 256
#define MESSAGE_MAX 512
#define SESSION_KEY_MAX 8192 /* as vodapi takes it */
#define ANSWER_MAX (64 * 1024)

/* --- what it says ---------------------------------------------------------*/

static void
add_int (JsonBuilder *builder, const gchar *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

/* At most @max bytes of @text, in whole characters. */
static void
add_text (JsonBuilder *builder, const gchar *name, const gchar *text, gsize max)
{
  g_autofree gchar *valid = NULL;

  if (!text)
    return;
  valid = g_utf8_make_valid (text, -1);
  if (strlen (valid) > max)
    *g_utf8_find_prev_char (valid, valid + max + 1) = '\0';
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, valid);
}

static void
add_upload (
    JsonBuilder *builder, const VodReport *report, const gchar *endpoint)
{
  add_text (builder, "version", VERSION, TEXT_MAX);
  add_int (builder, "platform", VOD_REPORT_PLATFORM);
  add_text (builder, "device", report->device, TEXT_MAX);
  if (report->app_id > 0)
    add_int (builder, "appId", report->app_id);
  if (report->file_size > 0 && report->file_size <= G_MAXINT64)
    add_int (builder, "fileSize", (gint64)report->file_size);
  add_text (builder, "fileName", report->file_name, TEXT_MAX);
  add_text (builder, "fileType", report->file_type, TEXT_MAX);
  if (vod_report_is_private (endpoint))
    add_text (builder, "vodSessionKey", report->session_key, SESSION_KEY_MAX);
  add_text (builder, "reqKey", report->request_key, TEXT_MAX);
  add_text (builder, "reportId", report->report_id, TEXT_MAX);
  add_text (builder, "cosRegion", report->region, TEXT_MAX);
  add_text (builder, "fileId", report->file_id, TEXT_MAX);
}

/* The number of the VOD API, the code of the storage: which of them an event
 * has is a matter of whom it was sent to; the end may be due to either. */
static void
add_code (JsonBuilder *builder, const VodReport *report)
{
  GError *error = report->error;
  const VodErrorDetails *details = vod_error_details (error);
  gboolean of_service = g_error_matches (error, VOD_ERROR, VOD_ERROR_SERVICE);

  if (report->type != VOD_REPORT_STORED && of_service)
    add_int (builder, "vodErrCode", details->number);
  else if (report->type < VOD_REPORT_STORED && !error)
    add_int (builder, "vodErrCode", 0);

  if (report->type >= VOD_REPORT_STORED && details)
    add_text (builder, "cosErrCode", details->error_code, TEXT_MAX);
  else if (report->type == VOD_REPORT_STORED && !error)
    add_text (builder, "cosErrCode", "", TEXT_MAX);
}

GBytes *
vod_report_body (const VodReport *report, const gchar *endpoint)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  add_upload (builder, report, endpoint);
  add_int (builder, "reqType", report->type);
  add_int (builder, "errCode", report->error ? 1 : 0);
  add_code (builder, report);
  add_text (builder, "errMsg",
      report->message     ? report->message
          : report->error ? report->error->message
                          : "",
      MESSAGE_MAX);
  add_int (builder, "reqTimeCost", report->cost);
  add_int (builder, "reqTime", report->begun);
  json_builder_end_object (builder);
  return vod_json_to_bytes (builder);
}

/* --- where it goes --------------------------------------------------------*/

gboolean
vod_report_is_private (const gchar *endpoint)
{
  g_autoptr (GUri) uri = g_uri_parse (endpoint, G_URI_FLAGS_NONE, NULL);
  const gchar *host = uri ? g_uri_get_host (uri) : NULL;

  if (!host)
    return FALSE;
  return strcmp (g_uri_get_scheme (uri), "https") == 0 ||
      vod_host_is_loopback (host);
}

gboolean
vod_report_send (VodHttp *http, const gchar *endpoint, GBytes *body,
    GCancellable *cancellable, GError **error)
{
  g_autofree gchar *uri = g_strconcat (endpoint, "/ugcupload_new", NULL);
  g_auto (VodHttpAnswer) answer = {0};
  VodHttpBody bytes = vod_http_body_from_bytes (body);
  /* Twice is better than not at all. */
  VodHttpRequest request = {.method = "POST",
      .uri = uri,
      .content_type = "application/json",
      .body = &bytes,
      .max_answer = ANSWER_MAX,
      .replayable = TRUE};
  GError *failure;

  if (!vod_http_send (http, &request, cancellable, &answer, error))
    return FALSE;
  if (answer.status >= 200 && answer.status < 300)
    return TRUE;
  failure = vod_error_new (
      VOD_ERROR_HTTP, "%s answered with HTTP status %u", uri, answer.status);
  vod_http_answer_describe (&answer, failure);
  g_propagate_error (error, failure);
  return FALSE;
}

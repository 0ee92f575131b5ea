/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers that say what went wrong, in the three manners of the service: JSON
 * of the VOD API, XML of the storage, plain HTML of whatever stands in front.
 */
#include "emu-request.h"

#include "emu-util.h"

#include <string.h>

static void
answer_vod_error (
    EmuRequest *request, guint status, gint64 code, const char *message)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;

  g_free (request->code);
  request->code = g_strdup_printf ("%" G_GINT64_FORMAT, code);
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "code");
  json_builder_add_int_value (builder, code);
  json_builder_set_member_name (builder, "message");
  json_builder_add_string_value (builder, message);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  emu_request_answer (request, status, "application/json; charset=utf-8",
      emu_json_text (root, FALSE));
}

void
emu_request_vod_error (EmuRequest *request, int code, const char *format, ...)
{
  g_autofree char *message = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  answer_vod_error (request, 200, code, message);
}

static const char *
usual_message (const char *code)
{
  static const char *const messages[][2] = {
      {"AccessDenied", "Access Denied."},
      {"BadDigest",
          "The Content-MD5 you specified did not match what we "
          "received."},
      {"EntityTooLarge",
          "Your proposed upload exceeds the maximum allowed object size."},
      {"EntityTooSmall",
          "Your proposed upload is smaller than the minimum allowed size."},
      {"ExpiredToken", "The temporary key token has expired."},
      {"InternalError", "We encountered an internal error. Please try again."},
      {"InvalidAccessKeyId",
          "The Access Key Id you provided does not exist in our records."},
      {"InvalidDigest", "The Content-MD5 you specified is not valid."},
      {"InvalidPart", "One or more parts are missing."},
      {"InvalidPartOrder", "The list of parts was not in ascending order."},
      {"MalformedXML", "The XML you provided was not well-formed."},
      {"NoSuchKey", "The specified key does not exist."},
      {"NoSuchUpload", "The specified multipart upload does not exist."},
      {"RequestTimeTooSkewed",
          "The difference between the request time and "
          "the server's time is too large."},
      {"SignatureDoesNotMatch", "The Signature you specified is invalid."},
      {"SlowDown", "Reduce your request rate."},
  };

  for (guint i = 0; i < G_N_ELEMENTS (messages); i++)
    if (strcmp (messages[i][0], code) == 0)
      return messages[i][1];
  return code;
}

char *
emu_request_error_xml (
    EmuRequest *request, const char *code, const char *message)
{
  g_autofree char *resource =
      g_strdup_printf ("%s%s", request->host != NULL ? request->host : "",
          request->path != NULL ? request->path : "/");
  g_autofree char *time_element = request->fault.server_time == NULL
      ? g_strdup ("")
      : g_markup_printf_escaped (
            "\t<ServerTime>%s</ServerTime>\n", request->fault.server_time);
  g_autofree char *id_element = request->fault.no_request_id
      ? g_strdup ("")
      : g_markup_printf_escaped (
            "\t<RequestId>%s</RequestId>\n", request->request_id);
  g_autofree char *head = g_markup_printf_escaped (
      "<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>%s</Code>\n"
      "\t<Message>%s</Message>\n\t<Resource>%s</Resource>\n",
      code, message != NULL ? message : usual_message (code), resource);

  return g_strdup_printf ("%s%s%s\t<TraceId>%s</TraceId>\n</Error>\n", head,
      id_element, time_element, request->request_id);
}

void
emu_request_cos_error (
    EmuRequest *request, guint status, const char *code, const char *message)
{
  g_free (request->code);
  request->code = g_strdup (code);
  emu_request_set_header (request, "x-cos-trace-id", request->request_id);
  emu_request_answer (request, status, "application/xml",
      emu_request_error_xml (request, code, message));
}

static const char *
code_of_status (guint status)
{
  switch (status) {
    case 400:
      return "InvalidArgument";
    case 403:
      return "AccessDenied";
    case 404:
      return "NoSuchKey";
    case 405:
      return "MethodNotAllowed";
    case 409:
      return "PathConflict";
    case 411:
      return "MissingContentLength";
    case 503:
      return "SlowDown";
    default:
      return "InternalError";
  }
}

void
emu_request_error (EmuRequest *request, guint status, const char *code)
{
  const EmuEffects *fault = &request->fault;

  if (fault->retry_after >= 0) {
    g_autofree char *seconds =
        g_strdup_printf ("%" G_GINT64_FORMAT, fault->retry_after);

    emu_request_set_header (request, "Retry-After", seconds);
  }
  if (request->style == EMU_STYLE_COS) {
    emu_request_cos_error (request, status,
        code != NULL ? code : code_of_status (status), fault->message);
  } else if (fault->code_number != 0) {
    answer_vod_error (request, status, fault->code_number,
        fault->message != NULL ? fault->message : "ugc upload | error");
  } else {
    request->code = g_strdup (code);
    emu_request_answer (request, status, "text/html",
        g_strdup_printf ("<html><body><h1>%u %s</h1></body></html>\n", status,
            soup_status_get_phrase (status)));
  }
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers that say what went wrong, in the three manners of the service: JSON
 * of the VOD API, XML of the storage, plain HTML of whatever stands in front.
 */
#include "emu-request.h"

#include "emu-codes.h"
#include "emu-util.h"

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
      code, message != NULL ? message : emu_codes_message (code), resource);

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
        code != NULL ? code : emu_codes_of_status (status), fault->message);
  } else if (fault->code_number != 0) {
    answer_vod_error (request, status, fault->code_number,
        fault->message != NULL ? fault->message
                               : emu_codes_vod_message (fault->code_number));
  } else {
    request->code = g_strdup (code);
    emu_request_answer (request, status, "text/html",
        g_strdup_printf ("<html><body><h1>%u %s</h1></body></html>\n", status,
            soup_status_get_phrase (status)));
  }
}

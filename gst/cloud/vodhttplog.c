/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttplog: one line in the log for each request (vodhttpcall.h). Part of
 * vodhttp. What it says of a URI can hold no secret: of a query only the names,
 * and the values of two that tell requests apart.
 */
#include <string.h>

#include "voderror.h"
#include "vodhttpcall.h"

#define PATH_SHOWN 160 /* bytes */
#define ID_SHOWN 128

static gboolean
is_told (const gchar *pair)
{
  return g_str_has_prefix (pair, "Action=") ||
      g_str_has_prefix (pair, "partNumber=");
}

static void
append_query (GString *line, const gchar *query)
{
  g_auto (GStrv) pairs = g_strsplit (query, "&", 16);

  for (guint i = 0; pairs[i]; i++) {
    const gchar *equals = strchr (pairs[i], '=');
    gsize len = equals && !is_told (pairs[i]) ? (gsize)(equals - pairs[i])
                                              : strlen (pairs[i]);
    g_autofree gchar *text = g_strndup (pairs[i], len);
    g_autofree gchar *shown = vod_printable (text, 64);

    g_string_append_printf (line, "%c%s", i == 0 ? '?' : '&', shown);
  }
}

static void
append_target (GString *line, const VodHttpCall *call)
{
  const gchar *query = g_uri_get_query (call->uri);
  g_autofree gchar *path = NULL;

  g_string_append_printf (line, "%s %s://%s", call->request->method,
      g_uri_get_scheme (call->uri), call->peer);
  if (call->request->alias) {
    g_string_append_printf (line, " (%s)", call->request->alias);
    return;
  }
  path = vod_printable (g_uri_get_path (call->uri), PATH_SHOWN);
  g_string_append (line, path);
  if (query && *query)
    append_query (line, query);
}

static void
append_outcome (GString *line, const VodHttpCall *call,
    const VodHttpAnswer *answer, const GError *error)
{
  const gchar *id = vod_http_answer_header (answer, "x-cos-request-id");
  g_autofree gchar *shown = vod_printable (id, ID_SHOWN);

  if (error) {
    g_string_append_printf (line, ": %s", error->message);
    return;
  }
  g_string_append_printf (line, ": status %u", answer->status);
  if (call->request->body)
    g_string_append_printf (line, ", sent %" G_GUINT64_FORMAT " bytes",
        call->request->body->length);
  g_string_append_printf (
      line, ", got %" G_GSIZE_FORMAT " bytes", g_bytes_get_size (answer->body));
  if (shown)
    g_string_append_printf (line, ", request id %s", shown);
}

void
vod_http_call_log (const VodHttpCall *call, const VodLog *log,
    const gchar *purpose, const VodHttpAnswer *answer, const GError *error,
    gint64 begun, gint64 held)
{
  GString *line;

  if (call->uri == NULL || !vod_log_wants (log, VOD_LOG_DEBUG))
    return;
  line = g_string_new (NULL);
  if (*purpose)
    g_string_append_printf (line, "%s: ", purpose);
  append_target (line, call);
  append_outcome (line, call, answer, error);
  g_string_append_printf (line, ", %" G_GINT64_FORMAT " ms",
      (g_get_monotonic_time () - begun) / 1000);
  if (held >= 1000)
    g_string_append_printf (
        line, " (%" G_GINT64_FORMAT " of them for its turn)", held / 1000);
  if (call->restarts > 0)
    g_string_append (line, ", sent twice: a kept connection had failed");
  vod_log (log, VOD_LOG_DEBUG, "%s", line->str);
  g_string_free (line, TRUE);
}

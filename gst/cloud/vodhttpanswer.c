/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttpanswer: the parts of vodhttp.h that are pure: reading an answer that
 * has arrived, checking URIs, bodies in memory.
 */
#include "vodhttp.h"

#include <libsoup/soup.h>
#include <string.h>

#include "voderror.h"

#define REQUEST_ID_MAX 128
#define RETRY_AFTER_MAX (24 * 60 * 60) /* seconds; more is nonsense */

void
vod_http_answer_clear (VodHttpAnswer *answer)
{
  answer->status = 0;
  g_clear_pointer (&answer->body, g_bytes_unref);
  g_clear_pointer (&answer->headers, g_hash_table_unref);
}

const gchar *
vod_http_answer_header (const VodHttpAnswer *answer, const gchar *name)
{
  return answer->headers ? g_hash_table_lookup (answer->headers, name) : NULL;
}

static gint64
http_date_to_unix (const gchar *text)
{
  g_autoptr (GDateTime) date = soup_date_time_new_from_http_string (text);

  return date ? g_date_time_to_unix (date) : 0;
}

/* Seconds, or a date which counts from the answer's own Date: the two come from
 * the same clock. */
static gint64
retry_after_ms (const gchar *text, gint64 server_time)
{
  guint64 seconds;
  gint64 date;

  if (g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT32, &seconds, NULL))
    return (gint64)MIN (seconds, RETRY_AFTER_MAX) * 1000;
  date = http_date_to_unix (text);
  if (date == 0)
    return -1;
  if (server_time == 0)
    server_time = g_get_real_time () / G_USEC_PER_SEC;
  return CLAMP (date - server_time, 0, RETRY_AFTER_MAX) * 1000;
}

void
vod_http_answer_describe (const VodHttpAnswer *answer, GError *error)
{
  VodErrorDetails *details = vod_error_details (error);
  const gchar *id = vod_http_answer_header (answer, "x-cos-request-id");
  const gchar *date = vod_http_answer_header (answer, "date");
  const gchar *retry = vod_http_answer_header (answer, "retry-after");

  if (!details)
    return;
  details->http_status = answer->status;
  if (id && !details->request_id)
    details->request_id = vod_printable (id, REQUEST_ID_MAX);
  if (date && details->server_time == 0)
    details->server_time = http_date_to_unix (date);
  if (retry)
    details->retry_after = retry_after_ms (retry, details->server_time);
}

static gsize
read_bytes (gpointer data, guint64 offset, gpointer buffer, gsize len)
{
  gsize size;
  const guint8 *bytes = g_bytes_get_data (data, &size);

  len = MIN (len, size - (gsize)offset);
  memcpy (buffer, bytes + offset, len);
  return len;
}

static const guint8 *
peek_bytes (gpointer data, guint64 offset, gsize *len)
{
  gsize size;
  const guint8 *bytes = g_bytes_get_data (data, &size);

  *len = size - offset;
  return bytes + offset;
}

VodHttpBody
vod_http_body_from_bytes (GBytes *bytes)
{
  VodHttpBody body = {.length = g_bytes_get_size (bytes),
      .read = read_bytes,
      .peek = peek_bytes,
      .data = bytes};

  return body;
}

static gboolean
is_base_uri (GUri *uri)
{
  const gchar *scheme = g_uri_get_scheme (uri);
  const gchar *host = g_uri_get_host (uri);
  const gchar *path = g_uri_get_path (uri);

  return (strcmp (scheme, "http") == 0 || strcmp (scheme, "https") == 0) &&
      host && *host && g_uri_get_port (uri) != 0 && !g_uri_get_userinfo (uri) &&
      (!*path || strcmp (path, "/") == 0) && !g_uri_get_query (uri) &&
      !g_uri_get_fragment (uri);
}

/* Nothing but what may stand in a URI, so that it can be named in messages and
 * put into a request line. */
static gboolean
has_only_uri_characters (const gchar *text)
{
  for (; *text; text++)
    if (!g_ascii_isgraph (*text) || strchr ("<>\"\\^`{|}", *text))
      return FALSE;
  return TRUE;
}

gchar *
vod_http_check_base_uri (
    const gchar *uri, const gchar *property, GError **error)
{
  g_autoptr (GUri) parsed = NULL;

  if (has_only_uri_characters (uri))
    parsed = g_uri_parse (uri, G_URI_FLAGS_NONE, NULL);
  if (!parsed || !is_base_uri (parsed)) {
    /* @uri itself may hold a password. */
    vod_error_set (error, VOD_ERROR_PARAMETER,
        "%s: not of the form https://host[:port] or http://host[:port]",
        property);
    return NULL;
  }
  if (g_str_has_suffix (uri, "/"))
    return g_strndup (uri, strlen (uri) - 1);
  return g_strdup (uri);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsignature: see vodsignature.h. Messages never hold what a source gave: it
 * may be a signature all the same, or a password.
 */
#include "vodsignature.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "voderror.h"
#include "vodjson.h"

#define SIGNATURE_MIN 28
#define SIGNATURE_MAX 8192
#define MAC_SIZE 20
#define ANSWER_MAX (64 * 1024)
#define PATH_SHOWN 256 /* bytes */

static gboolean
is_base64 (const gchar *text, gsize len)
{
  gsize padding = 0;

  while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
    padding++;
  for (gsize i = 0; i < len - padding; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '+' && text[i] != '/')
      return FALSE;
  return len % 4 == 0;
}

/* "name=value&…": printable ASCII with a "=". */
static gboolean
is_query (const guchar *text, gsize len)
{
  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isgraph (text[i]))
      return FALSE;
  return len > 0 && memchr (text, '=', len) != NULL;
}

const gchar *
vod_signature_check (const gchar *text)
{
  gsize len = strlen (text), raw_len;
  g_autofree guchar *raw = NULL;

  if (len == 0)
    return "is empty";
  if (len < SIGNATURE_MIN)
    return "is too short to be a signature";
  if (len > SIGNATURE_MAX)
    return "is too long to be a signature";
  if (!is_base64 (text, len))
    return "is not base64, which a signature is";
  raw = g_base64_decode (text, &raw_len);
  if (raw_len <= MAC_SIZE || !is_query (raw + MAC_SIZE, raw_len - MAC_SIZE))
    return "is not a signature (a digest and a query string in base64)";
  return NULL;
}

const gchar *
vod_signature_check_url (const gchar *url)
{
  g_autoptr (GUri) uri = NULL;
  g_autofree gchar *file = NULL;
  const gchar *scheme;

  for (const gchar *p = url; *p; p++)
    if (!g_ascii_isgraph (*p))
      return "holds a blank, a control character or one that needs escaping";
  uri = g_uri_parse (url, G_URI_FLAGS_HAS_PASSWORD, NULL);
  if (!uri)
    return "is not an absolute https:, http: or file: URL";
  scheme = g_uri_get_scheme (uri);
  if (strcmp (scheme, "file") == 0) {
    file = g_filename_from_uri (url, NULL, NULL);
    return file ? NULL : "is not a file: URL of a local file";
  }
  if (strcmp (scheme, "https") != 0 && strcmp (scheme, "http") != 0)
    return "is not an absolute https:, http: or file: URL";
  if (!g_uri_get_host (uri) || !*g_uri_get_host (uri))
    return "names no host";
  return NULL;
}

/* `signature` or `sign`, at the top or below `data`. */
static const gchar *
find_in_json (JsonObject *root)
{
  JsonObject *places[] = {root, vod_json_object (root, "data")};

  for (guint i = 0; i < G_N_ELEMENTS (places); i++) {
    const gchar *text = vod_json_string (places[i], "signature");

    if (!text)
      text = vod_json_string (places[i], "sign");
    if (text)
      return text;
  }
  return NULL;
}

static gchar *
extract (const gchar *text, gsize len, GError **error)
{
  g_autoptr (JsonObject) root = NULL;
  const gchar *found;

  for (; len > 0 && g_ascii_isspace (text[0]); text++)
    len--;
  while (len > 0 && g_ascii_isspace (text[len - 1]))
    len--;
  if (len == 0 || text[0] != '{')
    return g_strndup (text, len);
  root = vod_json_parse (text, len, "what was given as a signature", NULL);
  found = find_in_json (root);
  if (!found)
    vod_error_set (error, VOD_ERROR_SIGNATURE,
        "no string \"signature\" or \"sign\" in the JSON that was given as a "
        "signature");
  return g_strdup (found);
}

gchar *
vod_signature_parse (const gchar *text, gsize len, GError **error)
{
  g_autofree gchar *found = NULL;
  const gchar *fault;

  if (memchr (text, '\0', len)) {
    vod_error_set (error, VOD_ERROR_SIGNATURE,
        "what was given as a signature is no text; vod-sign shows what one "
        "looks like");
    return NULL;
  }
  found = extract (text, len, error);
  if (!found)
    return NULL;
  fault = vod_signature_check (found);
  if (fault) {
    vod_error_set (error, VOD_ERROR_SIGNATURE,
        "what was given as a signature %s; vod-sign shows what one looks like",
        fault);
    return NULL;
  }
  return g_steal_pointer (&found);
}

/* Tells whose fault it is. */
static gchar *
parse_from (const gchar *source, const gchar *text, gsize len, GError **error)
{
  gchar *signature = vod_signature_parse (text, len, error);

  if (!signature)
    g_prefix_error (error, "%s: ", source);
  return signature;
}

/* Not by GFile, which may ask the session bus what a file is. Does not wait for
 * the writer of a named pipe. Returns the length, or -1 with errno. */
static gssize
read_file (const gchar *name, gchar *buffer, gsize size)
{
  gint fd = open (name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  gssize len = 0, n;

  if (fd < 0)
    return -1;
  do {
    n = read (fd, buffer + len, size - (gsize)len);
    len += MAX (n, 0);
  } while ((n > 0 && (gsize)len < size) || (n < 0 && errno == EINTR));
  if (n < 0) {
    gint saved = errno;

    close (fd);
    errno = saved;
    return -1;
  }
  close (fd);
  return len;
}

static void
set_unreadable (const gchar *name, const gchar *reason, GError **error)
{
  g_autofree gchar *shown = vod_printable (name, PATH_SHOWN);

  vod_error_set (error, VOD_ERROR_SIGNATURE,
      "signature-url: the file cannot be read: %s: %s; make it with vod-sign, "
      "or check who may read it",
      shown, reason);
}

static gchar *
from_file (const gchar *url, GError **error)
{
  g_autofree gchar *name = g_filename_from_uri (url, NULL, NULL);
  g_autofree gchar *text = g_malloc (ANSWER_MAX + 1);
  gssize len;

  if (name == NULL) {
    set_unreadable (url, g_strerror (EINVAL), error);
    return NULL;
  }
  len = read_file (name, text, ANSWER_MAX + 1);
  if (len < 0) {
    set_unreadable (name, g_strerror (errno), error);
    return NULL;
  }
  if (len > ANSWER_MAX) {
    vod_error_set (error, VOD_ERROR_SIGNATURE,
        "signature-url: the file is too long to be a signature");
    return NULL;
  }
  return parse_from ("signature-url", text, (gsize)len, error);
}

static gchar *
from_server (const VodSignatureSource *source, VodHttp *http,
    GCancellable *cancellable, GError **error)
{
  VodHttpRequest request = {.method = "GET",
      .uri = source->url,
      .headers = source->headers,
      .max_answer = ANSWER_MAX,
      .replayable = TRUE,
      .alias = "signature-url"};
  g_auto (VodHttpAnswer) answer = {0};
  const gchar *text;
  gsize len;

  if (!vod_http_send (http, &request, cancellable, &answer, error)) {
    g_prefix_error (error, "signature-url: ");
    return NULL;
  }
  if (answer.status < 200 || answer.status > 299) {
    GError *failure = vod_error_new (VOD_ERROR_HTTP,
        "signature-url: answered with HTTP status %u", answer.status);

    vod_http_answer_describe (&answer, failure);
    g_propagate_error (error, failure);
    return NULL;
  }
  text = g_bytes_get_data (answer.body, &len);
  return parse_from ("signature-url", len > 0 ? text : "", len, error);
}

static gchar *
from_url (const VodSignatureSource *source, VodHttp *http,
    GCancellable *cancellable, GError **error)
{
  if (g_ascii_strncasecmp (source->url, "file:", 5) == 0)
    return from_file (source->url, error);
  return from_server (source, http, cancellable, error);
}

static void
none_left (const VodSignatureSource *source, GError **error)
{
  gboolean was_refused = source->string != NULL;

  vod_error_set (error, VOD_ERROR_SIGNATURE,
      "%s; give one by the signal \"get-signature\", the property "
      "\"signature-url\" or the property \"signature\"",
      was_refused ? "the service refused the signature, and there is no other"
                  : "there is no upload signature");
}

/* The first source that has one. */
static gchar *
get_first (const VodSignatureSource *source, VodHttp *http,
    GCancellable *cancellable, gboolean *may_come, GError **error)
{
  g_autofree gchar *answer =
      source->ask ? source->ask (source->ask_data) : NULL;

  if (answer)
    return parse_from ("get-signature", answer, strlen (answer), error);
  if (source->url)
    return from_url (source, http, cancellable, error);
  if (source->string && g_strcmp0 (source->string, source->refused) != 0)
    return parse_from (
        "signature", source->string, strlen (source->string), error);
  none_left (source, error);
  *may_come = source->ask != NULL;
  return NULL;
}

gchar *
vod_signature_get (const VodSignatureSource *source, VodHttp *http,
    GCancellable *cancellable, gboolean *may_come, GError **error)
{
  GError *failure = NULL;
  gchar *signature;

  *may_come = FALSE;
  signature = get_first (source, http, cancellable, may_come, &failure);

  if (signature)
    return signature;
  vod_error_set_phase (failure, VOD_PHASE_SIGNATURE);
  g_propagate_error (error, failure);
  return NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttpcall: see vodhttpcall.h. No I/O.
 */
#include "vodhttpcall.h"

#include <string.h>

#include "voderror.h"
#include "vodhttpproxy.h"

/* Tokens and field values of RFC 9110. */
static gboolean
is_token (const gchar *text)
{
  if (!*text)
    return FALSE;
  for (; *text; text++)
    if (!g_ascii_isalnum (*text) && !strchr ("!#$%&'*+-.^_`|~", *text))
      return FALSE;
  return TRUE;
}

gboolean
vod_http_is_field_value (const gchar *text)
{
  for (; *text; text++)
    if (g_ascii_iscntrl (*text) && *text != '\t')
      return FALSE;
  return TRUE;
}

/* --- what a request is made of --- */

/* Those by which HTTP/1.1 frames a message are ours alone. */
static gboolean
is_framing_header (const gchar *name)
{
  static const gchar *const framing[] = {"connection", "content-length",
      "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
      NULL};
  g_autofree gchar *lower = g_ascii_strdown (name, -1);

  return g_strv_contains (framing, lower);
}

static gboolean
add_given_headers (
    SoupMessage *msg, const gchar *const *headers, GError **error)
{
  SoupMessageHeaders *to = soup_message_get_request_headers (msg);

  for (guint i = 0; headers && headers[i]; i += 2) {
    if (!is_token (headers[i]) || is_framing_header (headers[i]) ||
        !headers[i + 1] || !vod_http_is_field_value (headers[i + 1])) {
      g_autofree gchar *name = vod_printable (headers[i], 64);

      vod_error_set (error, VOD_ERROR_PARAMETER,
          "the request header \"%s\" may not be set, or not to this value",
          name);
      return FALSE;
    }
    soup_message_headers_replace (to, headers[i], headers[i + 1]);
  }
  return TRUE;
}

/* For messages: nothing of the path or the query. */
static gchar *
name_peer (GUri *uri)
{
  g_autofree gchar *host = vod_printable (g_uri_get_host (uri), 255);
  gboolean https = strcmp (g_uri_get_scheme (uri), "https") == 0;
  gint port = g_uri_get_port (uri);

  /* SOUP_HTTP_URI_FLAGS fills in the scheme's own port. */
  if (port == (https ? 443 : 80))
    port = -1;
  return port > 0 ? g_strdup_printf ("%s:%d", host, port)
                  : g_steal_pointer (&host);
}

gboolean
vod_http_call_parse_uri (VodHttpCall *call, GError **error)
{
  const gchar *text = call->request->uri;
  g_autoptr (GUri) uri = NULL;
  gboolean clean = TRUE;

  for (const gchar *p = text; *p; p++)
    clean = clean && g_ascii_isgraph (*p);
  if (clean)
    uri = g_uri_parse (text, SOUP_HTTP_URI_FLAGS, NULL);
  if (!uri || !g_uri_get_host (uri) || !*g_uri_get_host (uri) ||
      (strcmp (g_uri_get_scheme (uri), "http") != 0 &&
          strcmp (g_uri_get_scheme (uri), "https") != 0)) {
    vod_error_set (error, VOD_ERROR_PARAMETER,
        "a request's URI is not an absolute http or https one");
    return FALSE;
  }
  call->uri = soup_uri_copy (uri, SOUP_URI_USER, NULL, SOUP_URI_PASSWORD, NULL,
      SOUP_URI_FRAGMENT, NULL, SOUP_URI_NONE);
  call->peer = name_peer (call->uri);
  return TRUE;
}

/* Userinfo in the URI is a Basic authorization, unless a header says another:
 * libsoup's own way needs its authentication feature. */
static void
add_authorization (VodHttpCall *call, SoupMessage *msg)
{
  g_autoptr (GUri) uri =
      g_uri_parse (call->request->uri, G_URI_FLAGS_HAS_PASSWORD, NULL);
  SoupMessageHeaders *headers = soup_message_get_request_headers (msg);
  g_autofree gchar *basic = uri ? vod_http_basic_authorization (uri) : NULL;

  if (basic && !soup_message_headers_get_one (headers, "Authorization"))
    soup_message_headers_append (headers, "Authorization", basic);
}

gboolean
vod_http_call_add_headers (VodHttpCall *call, SoupMessage *msg, GError **error)
{
  if (!add_given_headers (msg, call->request->headers, error))
    return FALSE;
  add_authorization (call, msg);
  return TRUE;
}

/* --- why it failed --- */

static const gchar *
certificate_fault (GTlsCertificateFlags errors)
{
  if (errors & G_TLS_CERTIFICATE_UNKNOWN_CA)
    return "its certificate is not signed by a trusted authority (tls-ca-file "
           "names others to trust)";
  if (errors & G_TLS_CERTIFICATE_BAD_IDENTITY)
    return "its certificate is for another host";
  if (errors & G_TLS_CERTIFICATE_EXPIRED)
    return "its certificate has expired";
  if (errors & G_TLS_CERTIFICATE_NOT_ACTIVATED)
    return "its certificate is not valid yet";
  if (errors & G_TLS_CERTIFICATE_REVOKED)
    return "its certificate was revoked";
  return "its certificate cannot be verified (tls-ca-file names other "
         "authorities to trust)";
}

/* A connection that ends within the handshake is _NOT_TLS or _EOF to GnuTLS, and
 * one that fails later is _MISC: the network's fault, worth another try. */
static gboolean
is_tls_failure (VodHttpCall *call, const GError *cause)
{
  if (call->certificate_errors != 0)
    return TRUE;
  if (cause->domain != G_TLS_ERROR || cause->code == G_TLS_ERROR_EOF ||
      cause->code == G_TLS_ERROR_NOT_TLS)
    return FALSE;
  return cause->code != G_TLS_ERROR_MISC || call->handshaking;
}

static void
set_tls_error (VodHttpCall *call, const GError *cause, GError **error)
{
  if (g_error_matches (cause, G_TLS_ERROR, G_TLS_ERROR_UNAVAILABLE))
    vod_error_set (error, VOD_ERROR_TLS,
        "%s: no TLS on this machine (Debian: apt-get install glib-networking)",
        call->peer);
  else if (call->certificate_errors != 0)
    vod_error_set (error, VOD_ERROR_TLS, "%s: %s", call->peer,
        certificate_fault (call->certificate_errors));
  else
    vod_error_set (
        error, VOD_ERROR_TLS, "%s: TLS failed: %s", call->peer, cause->message);
}

static void
set_network_error (VodHttpCall *call, const GError *cause, GError **error)
{
  gboolean late = vod_http_deadline_passed (call->deadline);

  if (call->lost)
    vod_error_set (error, VOD_ERROR_NETWORK,
        "%s: the connection was lost before the answer", call->peer);
  else if (late)
    vod_error_set (
        error, VOD_ERROR_NETWORK, "%s: the request took too long", call->peer);
  else if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    vod_error_set (error, VOD_ERROR_NETWORK, "%s: no byte moved for %u seconds",
        call->peer, call->timeout);
  else if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT))
    vod_error_set (
        error, VOD_ERROR_NETWORK, "%s: the answer was cut short", call->peer);
  else if (strchr (cause->message, '@'))
    /* GIO may have named the proxy, with its userinfo. */
    vod_error_set (error, VOD_ERROR_NETWORK,
        "%s: cannot be reached through the proxy", call->peer);
  else
    vod_error_set (error, VOD_ERROR_NETWORK, "%s%s: %s", call->peer,
        call->proxied ? " (or the proxy)" : "", cause->message);
}

/* @cause may be one of ours already. */
void
vod_http_call_take_cause (VodHttpCall *call, GError *cause, GError **error)
{
  gboolean late = vod_http_deadline_passed (call->deadline);

  if (!late && g_cancellable_is_cancelled (call->caller))
    vod_error_set (error, VOD_ERROR_CANCELLED, "%s: cancelled", call->peer);
  else if (call->informational > VOD_HTTP_INFORMATIONAL_MAX)
    vod_error_set (error, VOD_ERROR_PROTOCOL,
        "%s: the answer is nothing but preliminary ones", call->peer);
  else if (cause->domain == VOD_ERROR)
    g_propagate_error (error, g_error_copy (cause));
  else if (is_tls_failure (call, cause))
    set_tls_error (call, cause, error);
  else if (cause->domain == SOUP_SESSION_ERROR)
    vod_error_set (error, VOD_ERROR_PROTOCOL, "%s: the answer is not HTTP (%s)",
        call->peer, cause->message);
  else
    set_network_error (call, cause, error);
  g_error_free (cause);
}

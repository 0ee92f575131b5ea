/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttp: see vodhttp.h.
 *
 * One thread creates, uses and frees a VodHttp; only vod_http_overdue() comes
 * from others, and reads nothing but the deadline. There is no lock.
 *
 * libsoup attaches timers to whatever is the thread's default main context, so
 * every call into it is made with the VodHttp's own context pushed. That context
 * never runs: with an idle timeout of 0 nothing in it is needed. It is popped
 * again before returning, so that the caller's callbacks see theirs.
 */
#include "vodhttp.h"

#include <libsoup/soup.h>
#include <string.h>

#include "voddescriptors.h"
#include "voderror.h"
#include "vodhttpbody.h"
#include "vodhttpcall.h"
#include "vodhttpdirect.h"
#include "vodhttpproxy.h"
#include "vodhttpsoup.h"

#define BODY_FLOOR_RATE (16 * 1024) /* bytes/s, for the deadline */
#define HEAD_REST 200 /* bytes of a head that libsoup adds, about */

struct _VodHttp {
  SoupSession *session;
  GMainContext *context;
  GProxyResolver *proxies; /* NULL: none */
  VodPace *pace;           /* NULL: no limit */
  guint timeout;
  VodLog log;
  gchar purpose[64];
  VodHttpDirect *direct;    /* NULL: libsoup writes every body */
  GPtrArray *sockets;       /* of GSocket: those that may still be open */
  VodHttpCall *call;        /* the request under way, NULL if none */
  VodHttpDeadline deadline; /* of that */
};

/* --- settings --- */

static GTlsDatabase *
load_authorities (const gchar *file, GError **error)
{
  /* GTlsFileDatabase silently trusts nobody when given a relative name. */
  g_autofree gchar *path = g_canonicalize_filename (file, NULL);
  g_autoptr (GError) cause = NULL;
  GTlsDatabase *database = g_tls_file_database_new (path, &cause);

  if (!database)
    vod_error_set (error, VOD_ERROR_PARAMETER,
        "tls-ca-file: no authorities can be read from it (%s): set it to a "
        "file of "
        "PEM certificates",
        cause->message);
  return database;
}

static void
add_proxy_authorization (SoupSession *session, SoupMessage *msg, gpointer data);

static SoupSession *
create_session (
    VodHttp *http, const VodHttpSettings *settings, GTlsDatabase *authorities)
{
  /* One request at a time needs one connection per host. But a kept one that the
   * server closes between libsoup's two looks at it still counts, and libsoup
   * would wait for it to be given back, without a time-out: there may be another
   * then. No idle timeout because its timer would have to run in a main loop. */
  SoupSession *session = soup_session_new_with_options ("max-conns-per-host", 2,
      "idle-timeout", 0, "timeout", http->timeout, "user-agent",
      settings->user_agent, "proxy-resolver", http->proxies, NULL);

  if (authorities)
    soup_session_set_tls_database (session, authorities);
  soup_session_remove_feature_by_type (session, SOUP_TYPE_AUTH_MANAGER);
  soup_session_remove_feature_by_type (session, SOUP_TYPE_CONTENT_DECODER);
  g_signal_connect (
      session, "request-queued", G_CALLBACK (add_proxy_authorization), http);
  return session;
}

static gboolean
check_settings (
    const VodHttpSettings *settings, GProxyResolver **proxies, GError **error)
{
  if (!vod_http_is_field_value (settings->user_agent)) {
    vod_error_set (error, VOD_ERROR_PARAMETER,
        "user-agent: holds a control character, which has to go");
    return FALSE;
  }
  return vod_http_proxy_resolver (settings->proxy, proxies, error);
}

gboolean
vod_http_check_settings (const VodHttpSettings *settings, GError **error)
{
  g_autoptr (GProxyResolver) proxies = NULL;

  return check_settings (settings, &proxies, error);
}

VodHttp *
vod_http_new (const VodHttpSettings *settings, GError **error)
{
  g_autoptr (GTlsDatabase) authorities = NULL;
  g_autoptr (GProxyResolver) proxies = NULL;
  VodHttp *http;

  if (!vod_http_soup_is_usable (error) ||
      !check_settings (settings, &proxies, error))
    return NULL;
  if (settings->tls_ca_file) {
    authorities = load_authorities (settings->tls_ca_file, error);
    if (!authorities)
      return NULL;
  }
  if (!vod_descriptors_reserve (error))
    return NULL;
  http = g_new0 (VodHttp, 1);
  http->timeout = MAX (settings->timeout, 1);
  http->log = settings->log;
  http->proxies = g_steal_pointer (&proxies);
  http->pace = settings->pace ? vod_pace_ref (settings->pace) : NULL;
  if (!settings->indirect)
    http->direct = vod_http_direct_new ();
  http->sockets = g_ptr_array_new_with_free_func (g_object_unref);
  http->context = g_main_context_new ();
  g_main_context_push_thread_default (http->context);
  http->session = create_session (http, settings, authorities);
  g_main_context_pop_thread_default (http->context);
  return http;
}

void
vod_http_free (VodHttp *http)
{
  if (!http)
    return;
  g_main_context_push_thread_default (http->context);
  soup_session_abort (http->session);
  g_object_unref (http->session);
  g_main_context_pop_thread_default (http->context);
  g_main_context_unref (http->context);
  g_clear_object (&http->proxies);
  g_clear_pointer (&http->pace, vod_pace_unref);
  g_clear_pointer (&http->direct, vod_http_direct_free);
  g_ptr_array_unref (http->sockets);
  g_free (http);
  vod_descriptors_release ();
}

gboolean
vod_http_overdue (VodHttp *http)
{
  return vod_http_deadline_overdue (&http->deadline);
}

gint64
vod_http_held (VodHttp *http)
{
  return http->deadline.held;
}

void
vod_http_set_purpose (VodHttp *http, const gchar *purpose)
{
  g_strlcpy (http->purpose, purpose, sizeof http->purpose);
}

const VodLog *
vod_http_log (const VodHttp *http)
{
  return &http->log;
}

/* --- what libsoup tells while a request is under way --- */

static void
on_connect_answered (SoupMessage *msg, VodHttp *http)
{
  guint status = soup_message_get_status (msg);

  if (http->call && !SOUP_STATUS_IS_SUCCESSFUL (status))
    http->call->proxy_status = status;
}

/* For a proxied http: request and for the CONNECT that libsoup makes for a
 * proxied https: one. Inside the tunnel the proxy is not concerned. */
static void
add_proxy_authorization (SoupSession *session, SoupMessage *msg, gpointer data)
{
  VodHttp *http = data;
  GUri *uri = soup_message_get_uri (msg);
  gboolean connecting = strcmp (soup_message_get_method (msg), "CONNECT") == 0;
  g_autofree gchar *authorization = NULL;

  if (connecting)
    g_signal_connect (
        msg, "got-headers", G_CALLBACK (on_connect_answered), http);
  else if (strcmp (g_uri_get_scheme (uri), "https") == 0)
    return;
  authorization = vod_http_proxy_authorization (http->proxies, uri);
  if (authorization)
    soup_message_headers_replace (soup_message_get_request_headers (msg),
        "Proxy-Authorization", authorization);
}

static void
remember_socket (VodHttp *http, GIOStream *connection, guint timeout)
{
  GSocket *socket;

  if (!G_IS_SOCKET_CONNECTION (connection))
    return;
  socket = g_socket_connection_get_socket (G_SOCKET_CONNECTION (connection));
  g_socket_set_timeout (socket, timeout);
  g_ptr_array_add (http->sockets, g_object_ref (socket));
}

static void
on_network_event (SoupMessage *msg, GSocketClientEvent event,
    GIOStream *connection, VodHttpCall *call)
{
  /* HTTP/2 uploads slowly, and only 3.4 has soup_message_set_force_http1(). */
  static const gchar *const protocols[] = {"http/1.1", NULL};

  switch (event) {
    case G_SOCKET_CLIENT_CONNECTED:
      remember_socket (call->http, connection, call->timeout);
      break;
    case G_SOCKET_CLIENT_TLS_HANDSHAKING:
      call->handshaking = TRUE;
      if (G_IS_TLS_CONNECTION (connection))
        g_tls_connection_set_advertised_protocols (
            G_TLS_CONNECTION (connection), protocols);
      break;
    case G_SOCKET_CLIENT_TLS_HANDSHAKED:
      call->handshaking = FALSE;
      break;
    case G_SOCKET_CLIENT_COMPLETE:
      if (call->http->direct)
        vod_http_direct_opened (call->http->direct, connection);
      break;
    default:
      break;
  }
}

static gboolean
on_accept_certificate (SoupMessage *msg, GTlsCertificate *certificate,
    GTlsCertificateFlags errors, VodHttpCall *call)
{
  call->certificate_errors |= errors;
  return FALSE;
}

/* From here to the first read of the body libsoup writes nothing. */
static void
on_wrote_headers (SoupMessage *msg, VodHttpCall *call)
{
  g_autoptr (GOutputStream) connection = NULL;

  if (call->http->direct == NULL)
    return;
  /* Also without a body: the next message may be on the same connection. */
  connection = vod_http_direct_find (call->http->direct, msg);
  if (connection && call->body)
    vod_http_body_stream_set_direct (
        VOD_HTTP_BODY_STREAM (call->body), connection);
}

static void
set_body (VodHttpCall *call, SoupMessage *msg)
{
  const VodHttpRequest *request = call->request;

  if (call->http->direct)
    vod_http_direct_begin (call->http->direct);
  g_clear_object (&call->body);
  if (!request->body || request->body->length == 0)
    return;
  call->body =
      vod_http_body_stream_new (request, call->deadline, call->http->pace);
  soup_message_set_request_body (
      msg, request->content_type, call->body, (gssize)request->body->length);
}

/* libsoup has dropped the body and is about to send the message again, empty,
 * because a kept connection failed. */
static void
on_restarted (SoupMessage *msg, VodHttpCall *call)
{
  if (!call->request->replayable || call->restarts > 0) {
    call->lost = TRUE;
    g_cancellable_cancel (call->inner);
    return;
  }
  call->restarts++;
  set_body (call, msg);
}

static void
on_informational (SoupMessage *msg, VodHttpCall *call)
{
  if (++call->informational > VOD_HTTP_INFORMATIONAL_MAX ||
      vod_http_deadline_passed (call->deadline))
    g_cancellable_cancel (call->inner);
}

/* --- building the message --- */

static void
connect_signals (VodHttpCall *call, SoupMessage *msg)
{
  g_signal_connect (msg, "network-event", G_CALLBACK (on_network_event), call);
  g_signal_connect (
      msg, "accept-certificate", G_CALLBACK (on_accept_certificate), call);
  g_signal_connect (msg, "restarted", G_CALLBACK (on_restarted), call);
  g_signal_connect (msg, "wrote-headers", G_CALLBACK (on_wrote_headers), call);
  g_signal_connect (
      msg, "got-informational", G_CALLBACK (on_informational), call);
}

static SoupMessage *
create_message (VodHttpCall *call, GError **error)
{
  const VodHttpRequest *request = call->request;
  g_autoptr (SoupMessage) msg = NULL;

  if (request->content_type &&
      (!strchr (request->content_type, '/') ||
          !vod_http_is_field_value (request->content_type))) {
    vod_error_set (error, VOD_ERROR_PARAMETER, "malformed content type");
    return NULL;
  }
  msg = soup_message_new_from_uri (request->method, call->uri);
  /* POST would open a new connection each time without _IDEMPOTENT. Whether it
   * may be sent twice is decided by on_restarted(). */
  soup_message_add_flags (
      msg, SOUP_MESSAGE_NO_REDIRECT | SOUP_MESSAGE_IDEMPOTENT);
  if (!vod_http_call_add_headers (call, msg, error))
    return NULL;
  set_body (call, msg);
  connect_signals (call, msg);
  return g_steal_pointer (&msg);
}

/* --- reading the answer --- */

static gboolean
too_long (VodHttpCall *call, GError **error)
{
  vod_error_set (error, VOD_ERROR_PROTOCOL,
      "%s: the answer is longer than %" G_GSIZE_FORMAT " bytes", call->peer,
      call->request->max_answer);
  return FALSE;
}

/* The length that the answer's body must have; -1: not said. */
static gint64
announced_length (VodHttpCall *call, SoupMessage *msg)
{
  SoupMessageHeaders *headers = soup_message_get_response_headers (msg);
  guint status = soup_message_get_status (msg);

  if (strcmp (call->request->method, "HEAD") == 0 || status == 204 ||
      status == 304 ||
      soup_message_headers_get_encoding (headers) !=
          SOUP_ENCODING_CONTENT_LENGTH)
    return -1;
  return soup_message_headers_get_content_length (headers);
}

/* libsoup takes a head that ends before its blank line for whole. An answer that
 * neither announces its length nor its end with the connection is such a one. */
static gboolean
check_framing (VodHttpCall *call, SoupMessage *msg, GError **error)
{
  SoupMessageHeaders *headers = soup_message_get_response_headers (msg);
  guint status = soup_message_get_status (msg);

  if (strcmp (call->request->method, "HEAD") == 0 || status == 204 ||
      status == 304 || soup_message_get_http_version (msg) == SOUP_HTTP_1_0 ||
      soup_message_headers_get_encoding (headers) != SOUP_ENCODING_EOF ||
      soup_message_headers_header_contains (headers, "Connection", "close"))
    return TRUE;
  vod_error_set (
      error, VOD_ERROR_NETWORK, "%s: the answer was cut short", call->peer);
  return FALSE;
}

/* libsoup takes a body that ends early for whole if the connection was to be
 * closed anyway, so the length is checked here. */
static gboolean
check_length (VodHttpCall *call, gint64 announced, gsize got, GError **error)
{
  if (announced < 0 || (guint64)announced == got)
    return TRUE;
  vod_error_set (error, VOD_ERROR_NETWORK,
      "%s: the answer was cut short (%" G_GSIZE_FORMAT " of %" G_GINT64_FORMAT
      " bytes)",
      call->peer, got, announced);
  return FALSE;
}

static gboolean
read_to_end (
    VodHttpCall *call, GInputStream *stream, GByteArray *body, GError **error)
{
  guint8 buffer[16 * 1024];
  gssize n;

  while ((n = g_input_stream_read (
              stream, buffer, sizeof buffer, call->inner, error)) > 0) {
    if ((gsize)n > call->request->max_answer - body->len)
      return too_long (call, error);
    g_byte_array_append (body, buffer, (guint)n);
    if (vod_http_deadline_passed (call->deadline)) {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "too slow");
      return FALSE;
    }
  }
  return n == 0;
}

static GBytes *
read_body (
    VodHttpCall *call, SoupMessage *msg, GInputStream *stream, GError **error)
{
  gint64 announced = announced_length (call, msg);
  g_autoptr (GByteArray) body = g_byte_array_new ();

  if (!check_framing (call, msg, error))
    return NULL;
  if (announced > 0 && (guint64)announced > call->request->max_answer) {
    too_long (call, error);
    return NULL;
  }
  if (!read_to_end (call, stream, body, error) ||
      !check_length (call, announced, body->len, error))
    return NULL;
  return g_byte_array_free_to_bytes (g_steal_pointer (&body));
}

static void
add_answer_header (const gchar *name, const gchar *value, gpointer data)
{
  GHashTable *headers = data;
  g_autofree gchar *lower = g_ascii_strdown (name, -1);

  /* Of a header sent twice, the first counts. */
  if (!g_hash_table_contains (headers, lower))
    g_hash_table_insert (
        headers, g_steal_pointer (&lower), g_utf8_make_valid (value, -1));
}

static GHashTable *
collect_headers (SoupMessage *msg)
{
  GHashTable *headers =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  soup_message_headers_foreach (
      soup_message_get_response_headers (msg), add_answer_header, headers);
  return headers;
}

/* --- sending --- */

static gboolean
check_sent (VodHttpCall *call, GError **error)
{
  if (call->proxy_status != 0) {
    vod_error_set (error, VOD_ERROR_NETWORK,
        "%s: the proxy refused to connect to it (HTTP status %u)", call->peer,
        call->proxy_status);
    return FALSE;
  }
  if (call->body &&
      !vod_http_body_stream_is_sent (VOD_HTTP_BODY_STREAM (call->body))) {
    vod_error_set (error, VOD_ERROR_NETWORK,
        "%s: answered before the body was sent", call->peer);
    return FALSE;
  }
  return TRUE;
}

static gboolean
exchange (
    VodHttpCall *call, SoupMessage *msg, VodHttpAnswer *answer, GError **error)
{
  g_autoptr (GInputStream) stream =
      soup_session_send (call->http->session, msg, call->inner, error);
  g_autoptr (GBytes) body = NULL;

  if (!stream)
    return FALSE;
  if (check_sent (call, error))
    body = read_body (call, msg, stream, error);
  /* Closing a stream reads what is left of it, which may be endless. */
  if (!body)
    g_cancellable_cancel (call->inner);
  g_input_stream_close (stream, call->inner, NULL);
  if (!body)
    return FALSE;
  answer->status = soup_message_get_status (msg);
  answer->body = g_steal_pointer (&body);
  answer->headers = collect_headers (msg);
  return TRUE;
}

/* Kept connections have the time-out of the request that opened them. */
static void
apply_timeout (VodHttp *http, guint timeout)
{
  for (guint i = http->sockets->len; i > 0; i--) {
    GSocket *socket = g_ptr_array_index (http->sockets, i - 1);

    if (g_socket_is_closed (socket))
      g_ptr_array_remove_index_fast (http->sockets, i - 1);
    else
      g_socket_set_timeout (socket, timeout);
  }
  if (soup_session_get_timeout (http->session) != timeout)
    soup_session_set_timeout (http->session, timeout);
}

static void
on_caller_cancelled (GCancellable *caller, GCancellable *inner)
{
  g_cancellable_cancel (inner);
}

static void
set_deadline (VodHttpCall *call)
{
  const VodHttpRequest *request = call->request;
  guint64 length = request->body ? request->body->length : 0;
  gint64 seconds = (gint64)call->timeout + (gint64)(length / BODY_FLOOR_RATE);

  seconds += request->answer_time ? request->answer_time : call->timeout;
  vod_http_deadline_set (
      call->deadline, g_get_monotonic_time () + seconds * G_USEC_PER_SEC);
}

static void
add_length (const gchar *name, const gchar *value, gpointer data)
{
  *(gsize *)data += strlen (name) + strlen (value) + strlen (": \r\n");
}

/* A head is small and does not wait, so that the end of an upload and what opens
 * it does not either; but it counts. */
static void
charge_head (VodHttpCall *call, SoupMessage *msg)
{
  gsize length = strlen (call->request->uri) + HEAD_REST;

  if (call->http->pace == NULL)
    return;
  soup_message_headers_foreach (
      soup_message_get_request_headers (msg), add_length, &length);
  vod_pace_charge (call->http->pace, length);
}

static gboolean
send_call (VodHttpCall *call, VodHttpAnswer *answer, GError **error)
{
  g_autoptr (SoupMessage) msg = NULL;
  GError *cause = NULL;
  gulong id = 0;
  gboolean ok;

  if (!vod_http_call_parse_uri (call, error))
    return FALSE;
  set_deadline (call);
  msg = create_message (call, error);
  if (!msg)
    return FALSE;
  apply_timeout (call->http, call->timeout);
  charge_head (call, msg);
  if (call->caller)
    id = g_cancellable_connect (
        call->caller, G_CALLBACK (on_caller_cancelled), call->inner, NULL);
  ok = exchange (call, msg, answer, &cause);
  g_cancellable_disconnect (call->caller, id);
  g_signal_handlers_disconnect_by_data (msg, call);
  if (!ok)
    vod_http_call_take_cause (call, cause, error);
  return ok;
}

gboolean
vod_http_send (VodHttp *http, const VodHttpRequest *request,
    GCancellable *cancellable, VodHttpAnswer *answer, GError **error)
{
  VodHttpCall call = {.http = http,
      .deadline = &http->deadline,
      .proxied = http->proxies != NULL,
      .request = request,
      .caller = cancellable};
  gint64 begun = g_get_monotonic_time (), held = http->deadline.held;
  GError *failure = NULL;
  gboolean ok;

  g_return_val_if_fail (http->call == NULL, FALSE);
  memset (answer, 0, sizeof *answer);
  call.inner = g_cancellable_new ();
  call.timeout = request->timeout ? request->timeout : http->timeout;
  http->call = &call;
  vod_descriptors_begin ();
  g_main_context_push_thread_default (http->context);
  ok = send_call (&call, answer, &failure);
  g_main_context_pop_thread_default (http->context);
  vod_descriptors_end ();
  vod_http_deadline_set (&http->deadline, 0);
  http->call = NULL;
  vod_http_call_log (&call, &http->log, http->purpose, answer, failure, begun,
      http->deadline.held - held);
  if (failure)
    g_propagate_error (error, failure);
  g_clear_object (&call.body);
  g_object_unref (call.inner);
  g_clear_pointer (&call.uri, g_uri_unref);
  g_free (call.peer);
  return ok;
}

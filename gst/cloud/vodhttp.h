/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttp: one HTTP/1.1 request at a time, and its whole answer.
 *
 * The only file that knows libsoup. A VodHttp is one worker's connection: it
 * is created, used and freed in the same thread, has a SoupSession of its own
 * with a main context of its own that never runs, keeps at most one connection
 * per host, and keeps it open between requests (POST too).
 *
 * What callers can rely on:
 *  - A body is sent whole or the request fails: when libsoup restarts a message
 *    on a new connection (and would send it with an empty body), the body is
 *    set again from the beginning, once, or the request fails if it is not
 *    @replayable.
 *  - Nothing is believed for lack of an error: every answer is read to its end,
 *    up to @max_answer bytes; more is VOD_ERROR_PROTOCOL. One gap is libsoup's:
 *    a chunked answer that is cut exactly between chunks looks whole. What is in
 *    an answer must tell its own end, as JSON and XML do.
 *  - A socket that moves no byte for @timeout seconds fails the request
 *    (VOD_ERROR_NETWORK). A peer that trickles is caught by a deadline on the
 *    whole request, checked whenever the body is read or a piece of the answer
 *    arrives; for the time between, vod_http_overdue() tells another thread
 *    that it is time to cancel (@cancellable).
 *  - With a @pace, bodies are sent no faster than it allows, together with
 *    everybody else who has it; heads go at once and are charged to it. Waiting
 *    for it ends when the request is cancelled, and the deadline stands still
 *    meanwhile.
 *  - Redirects are not followed (a 3xx is an answer), no cookie, cache,
 *    decoder or authentication feature is active.
 *  - Each request is one line of the log: method, host, path, the names in its
 *    query, status, bytes, ms, x-cos-request-id. No header, no value of a query
 *    (but the API's action and the number of a part) and no body is in it.
 */
#pragma once

#include <gio/gio.h>

#include "vodlog.h"
#include "vodpace.h"

G_BEGIN_DECLS

typedef struct _VodHttp VodHttp;

/* Settings of a connection; strings are copied by vod_http_new(). */
typedef struct {
  const gchar *user_agent; /* never NULL */
  const gchar *proxy;      /* URI, may hold userinfo; NULL: the environment's */
  const gchar *tls_ca_file; /* PEM; NULL: the system's authorities */
  guint timeout;            /* seconds, > 0 */
  VodPace *pace; /* a reference is taken by vod_http_new(); NULL: no limit */
  VodLog log;    /* what its data is about outlives the connection */
  gboolean indirect; /* for tests: let libsoup write every body */
} VodHttpSettings;

/* Where a request's body comes from. Called only from vod_http_send(), in its
 * thread. @read copies at most @len bytes from @offset to @buffer and returns
 * how many (> 0 while @offset < length). It may be called again for the same
 * offset. @peek (may be NULL) gives the address of the bytes at @offset instead
 * and *@len, how many follow; NULL: they have to be read. They must not change
 * until the request has ended. */
typedef struct {
  guint64 length;
  gsize (*read) (gpointer data, guint64 offset, gpointer buffer, gsize len);
  const guint8 *(*peek) (gpointer data, guint64 offset, gsize *len);
  gpointer data;
} VodHttpBody;

/* A body in memory; @bytes must outlive it. */
VodHttpBody vod_http_body_from_bytes (GBytes *bytes);

typedef struct {
  const gchar *method; /* GET, HEAD, POST, PUT, DELETE */
  /* Absolute http(s) URI, already percent-encoded; sent as it is. */
  const gchar *uri;
  /* name, value, name, value…, NULL-terminated, or NULL. A name or value with
   * CR, LF or NUL is VOD_ERROR_PARAMETER. `Host` replaces the URI's. */
  const gchar *const *headers;
  const gchar *content_type; /* with a body; NULL: none is sent */
  const VodHttpBody *body;   /* NULL: none (PUT and POST send length 0) */
  gsize max_answer;          /* bytes */
  guint timeout;             /* seconds for this request; 0: the setting */
  guint answer_time;         /* seconds for the answer as a whole; 0: timeout */
  gboolean replayable;       /* may go again on a new connection */
  const gchar *alias; /* the log has it instead of the path; NULL: the path */
  /* Told how many more body bytes were handed to the socket; may be NULL. */
  void (*sent) (gsize bytes, gpointer data);
  gpointer sent_data;
} VodHttpRequest;

typedef struct {
  guint status;
  GBytes *body;        /* never NULL after success */
  GHashTable *headers; /* lower-case name -> value, valid UTF-8 */
} VodHttpAnswer;

/* Are @settings usable, as far as can be told without reading the CA file?
 * VOD_ERROR_PARAMETER names the property. */
gboolean
vod_http_check_settings (const VodHttpSettings *settings, GError **error);

/* @settings are checked: a CA file that cannot be read or a malformed proxy is
 * VOD_ERROR_PARAMETER naming the property. VOD_ERROR_LOCAL: this process may not
 * open enough files (voddescriptors.h). */
VodHttp *vod_http_new (
    const VodHttpSettings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Closes the connections. In the thread that called vod_http_new(). */
void vod_http_free (VodHttp *http);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VodHttp, vod_http_free)

/* Sends @request and fills @answer (to be cleared by vod_http_answer_clear())
 * with any answer, whatever its status. FALSE with @error
 * (VOD_ERROR_NETWORK, _TLS, _CANCELLED, _PROTOCOL, _PARAMETER) if there is no
 * whole answer. Blocks. */
gboolean vod_http_send (VodHttp *http, const VodHttpRequest *request,
    GCancellable *cancellable, VodHttpAnswer *answer, GError **error);

/* What the next requests are for, as the log tells it: at most 63 bytes. In the
 * thread of @http. */
void vod_http_set_purpose (VodHttp *http, const gchar *purpose);

/* Where this connection's log goes; lives as long as it. */
const VodLog *vod_http_log (const VodHttp *http);

/* TRUE while a request of @http has been under way for longer than its
 * deadline: @timeout for connecting, the same or @answer_time for answering,
 * and the body at 16 KiB/s. Any thread, as long as @http lives. A request that
 * is cancelled after its deadline fails with VOD_ERROR_NETWORK. */
gboolean vod_http_overdue (VodHttp *http);

/* How long all requests so far have waited for @pace, µs. In the thread of
 * @http. */
gint64 vod_http_held (VodHttp *http);

void vod_http_answer_clear (VodHttpAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VodHttpAnswer, vod_http_answer_clear)

/* A header's value or NULL. @name in lower case. */
const gchar *
vod_http_answer_header (const VodHttpAnswer *answer, const gchar *name);

/* Copies into the details of @error what every answer tells: HTTP status,
 * x-cos-request-id, Retry-After (seconds or date), Date. */
void vod_http_answer_describe (const VodHttpAnswer *answer, GError *error);

/* Checks that @uri is http(s)://host[:port] with no userinfo, path (but "/"),
 * query or fragment, and returns it without the "/"; else VOD_ERROR_PARAMETER
 * naming @property. */
gchar *vod_http_check_base_uri (
    const gchar *uri, const gchar *property, GError **error);

G_END_DECLS

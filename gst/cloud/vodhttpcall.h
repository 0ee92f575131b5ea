/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttpcall: one request while it is under way: what it is made of, and what
 * its failure is called. Part of vodhttp; nobody else includes this.
 */
#pragma once

#include <libsoup/soup.h>

#include "vodhttp.h"
#include "vodhttpdeadline.h"

G_BEGIN_DECLS

#define VOD_HTTP_INFORMATIONAL_MAX 16 /* 1xx answers to one request */

/* Lives in vod_http_send(). */
typedef struct {
  VodHttp *http;
  const VodHttpRequest *request;
  GUri *uri;                 /* without userinfo and fragment */
  gchar *peer;               /* "host" or "host:port", for messages */
  GCancellable *caller;      /* may be NULL */
  GCancellable *inner;       /* cancelled with it, or by us */
  GInputStream *body;        /* the present attempt's, or NULL */
  guint timeout;             /* seconds */
  VodHttpDeadline *deadline; /* the connection's */
  guint restarts;            /* by libsoup, on a new connection */
  guint informational;       /* 1xx answers so far */
  guint proxy_status;        /* of a refused CONNECT; 0: none */
  GTlsCertificateFlags certificate_errors;
  gboolean handshaking; /* within the TLS handshake */
  gboolean proxied;     /* maybe: there is a resolver */
  gboolean lost;        /* a restart was refused */
} VodHttpCall;

/* A header's value without control characters (but tabs). */
gboolean vod_http_is_field_value (const gchar *text);

/* Sets @call's uri and peer. */
gboolean vod_http_call_parse_uri (VodHttpCall *call, GError **error);

/* The request's headers, and an Authorization for its URI's userinfo. */
gboolean
vod_http_call_add_headers (VodHttpCall *call, SoupMessage *msg, GError **error);

/* Turns @cause, which it frees and which may be a VOD_ERROR already, into what
 * the caller of vod_http_send() is told. */
void
vod_http_call_take_cause (VodHttpCall *call, GError *cause, GError **error);

/* Writes the line that tells of @call, which was begun at @begun (monotonic µs),
 * has waited @held µs for the pace, and got @answer, or failed with @error.
 * (vodhttplog.c) */
void vod_http_call_log (const VodHttpCall *call, const VodLog *log,
    const gchar *purpose, const VodHttpAnswer *answer, const GError *error,
    gint64 begun, gint64 held);

G_END_DECLS

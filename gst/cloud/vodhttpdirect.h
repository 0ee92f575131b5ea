/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttpdirect: the connection that a message is on, so that a large body can be
 * written to it in large pieces. Part of vodhttp; nobody else includes this.
 *
 * libsoup copies a body to the connection 8 KiB at a time, a system call and a
 * signal each, which costs more than all else that sending does
 * (docs/performance.md). Between writing a message's head and first asking for its
 * body it holds nothing back, so the body may as well be written past it, as long
 * as it is certain which connection the message is on. Where it is not (TLS is
 * not what the URI says, HTTP is not 1.1, the connection is not known), the body
 * is read by libsoup as ever.
 *
 * All in the thread of one VodHttp; connections are held weakly.
 */
#pragma once

#include <libsoup/soup.h>

G_BEGIN_DECLS

typedef struct _VodHttpDirect VodHttpDirect;

VodHttpDirect *vod_http_direct_new (void);
void vod_http_direct_free (VodHttpDirect *direct);

/* The message under way has a connection of its own from now on: network-event
 * G_SOCKET_CLIENT_COMPLETE. */
void vod_http_direct_opened (VodHttpDirect *direct, GIOStream *connection);

/* The message is about to be sent, or sent again: what was opened before is not
 * known to be its connection. */
void vod_http_direct_begin (VodHttpDirect *direct);

/* The head of @msg was written: to where its body may be written; a reference, or
 * NULL: let libsoup do it. */
GOutputStream *vod_http_direct_find (VodHttpDirect *direct, SoupMessage *msg);

G_END_DECLS

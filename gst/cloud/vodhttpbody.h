/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttpbody: a request's body as the GInputStream that libsoup reads. Part of
 * vodhttp; nobody else includes this.
 *
 * A large body is written to the connection by the stream itself where that is
 * known (vodhttpdirect), and libsoup only sees its end. Else libsoup asks for
 * the next piece only when the one before was written, so this is the place
 * where sent bytes are counted, where they wait for their turn, and where a
 * request that has become too slow ends. One stream serves one attempt: libsoup
 * drops it when it restarts a message.
 */
#pragma once

#include "vodhttp.h"
#include "vodhttpdeadline.h"

G_BEGIN_DECLS

#define VOD_TYPE_HTTP_BODY_STREAM (vod_http_body_stream_get_type ())
G_DECLARE_FINAL_TYPE (VodHttpBodyStream, vod_http_body_stream, VOD,
    HTTP_BODY_STREAM, GInputStream)

/* All is borrowed and must outlive the stream's last read. Reading takes turns
 * with others at @pace (NULL: no limit), while @deadline stands still, and
 * fails with G_IO_ERROR_TIMED_OUT after that. */
GInputStream *vod_http_body_stream_new (
    const VodHttpRequest *request, VodHttpDeadline *deadline, VodPace *pace);

/* The head was written, and the body may follow it into @connection. */
void vod_http_body_stream_set_direct (
    VodHttpBodyStream *stream, GOutputStream *connection);

/* TRUE once the whole body was read, and so handed to the socket. */
gboolean vod_http_body_stream_is_sent (VodHttpBodyStream *stream);

G_END_DECLS

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodpart: one slice on its way to the storage, and the proof that it arrived.
 *
 * The CRC64 that the answer must name is taken of each piece just before it goes
 * out: a slice is read once from memory, or from the file that holds it, and the
 * piece is still in the processor's cache when it is written. Only what must be
 * known before the request (whether the service has these bytes from an earlier
 * run, whether upstream's file is still the same, Content-MD5) is taken of the
 * whole slice first.
 *
 * In a worker's thread, without a lock: the slice is in flight with that worker
 * (vodslices.h).
 */
#pragma once

#include "vodjob.h"

G_BEGIN_DECLS

/* Does the service have these very bytes from an earlier run
 * (job->receipt_before)? Then job->skipped and job->receipt are set. FALSE with
 * @error (VOD_ERROR_READ): they cannot be read, or are no longer what was sent
 * before. */
gboolean vod_part_is_there (VodJob *job, GError **error);

/* Sends it and checks the answer: job->receipt, and job->crc64 of what went out.
 * VOD_ERROR_INTEGRITY: something else arrived; VOD_ERROR_READ: the bytes cannot
 * be read; or what vod_cos_put_part() says. @sent as in VodHttpRequest. */
void vod_part_send (VodJob *job, gboolean content_md5, VodHttp *http,
    const VodCosTarget *target, void (*sent) (gsize bytes, gpointer data),
    gpointer sent_data, GCancellable *cancellable, GError **error);

/* The ETag of a part, or of an object put whole, is its MD5 in hex, in quotes
 * (protocol.md 5.2). @digest: VOD_MD5_SIZE bytes. */
gboolean vod_part_etag_is_md5 (const gchar *etag, const guint8 *digest);

G_END_DECLS

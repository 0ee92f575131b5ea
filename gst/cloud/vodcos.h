/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodcos: the storage's requests (protocol.md 3, 5). One call, one request; no
 * state but what is passed in. Every function blocks, may be called from any
 * thread that owns @http, and fails with VOD_ERROR: _STORAGE for <Error>
 * (details filled in), _HTTP for a failing status without one, _PROTOCOL for an
 * answer that cannot be, and what vod_http_send() reports.
 *
 * details->error_code of a _STORAGE error is the decisive code. Tencent's
 * documents contradict each other about 403: some show the code itself, some
 * AccessDenied (or AccessForbidden) with the true code as the message. Both give
 * SignatureDoesNotMatch, InvalidAccessKeyId, RequestTimeTooSkewed, ExpiredToken;
 * the message "Request has expired" (KeyTime is over) gives "RequestHasExpired",
 * which no service sends as a code.
 */
#pragma once

#include "vodhttp.h"

G_BEGIN_DECLS

/* Temporary credentials of one Apply (protocol.md 1.4, 1.8). Immutable. */
typedef struct {
  gchar *secret_id;
  gchar *secret_key;
  gchar *token;
  gint64 start, end; /* KeyTime, Unix seconds of the service's clock */
} VodCosCredentials;

/* Which object, where, and with whose authority. Borrowed by each call. */
typedef struct {
  const gchar *connect_to;  /* base URI that the request goes to */
  const gchar *bucket_host; /* named and signed */
  gboolean forward;         /* TRUE: Vod-Forward-Cos: bucket_host (3.1) */
  const gchar *key;         /* object key, without leading "/" */
  const VodCosCredentials *credentials;
} VodCosTarget;

#define VOD_COS_ETAG_MAX 128

/* What the storage said about a part or an object. */
typedef struct {
  gchar etag[VOD_COS_ETAG_MAX]; /* with its quotes; "" if none was sent */
  gboolean has_crc64;
  guint64 crc64;
} VodCosReceipt;

/* POST ?uploads. Returns the upload id (printable ASCII, <= 1024 bytes). */
gchar *vod_cos_initiate (VodHttp *http, const VodCosTarget *target,
    GCancellable *cancellable, GError **error);

/* PUT ?partNumber&uploadId. @md5: NULL, or sent as Content-MD5. An answer
 * without ETag is VOD_ERROR_PROTOCOL (Complete needs it). The caller compares
 * the receipt with its own digests. @sent as in VodHttpRequest. */
gboolean vod_cos_put_part (VodHttp *http, const VodCosTarget *target,
    const gchar *upload_id, guint number, const VodHttpBody *body,
    const guint8 *md5, void (*sent) (gsize bytes, gpointer data),
    gpointer sent_data, GCancellable *cancellable, VodCosReceipt *receipt,
    GError **error);

/* POST ?uploadId with the list of parts: @etags[i] is that of part i + 1. Sees
 * an <Error> in a 200 too (5.2; details->http_status is then 200). The receipt
 * is the object's. The answer may take 15 minutes as long as blanks arrive.
 * Never sent twice by itself: after VOD_ERROR_NETWORK the object may exist. */
gboolean vod_cos_complete (VodHttp *http, const VodCosTarget *target,
    const gchar *upload_id, const gchar *const *etags, guint n_parts,
    GCancellable *cancellable, VodCosReceipt *receipt, GError **error);

/* DELETE ?uploadId. NoSuchUpload counts as done. @timeout seconds, 0: the
 * connection's. */
gboolean vod_cos_abort (VodHttp *http, const VodCosTarget *target,
    const gchar *upload_id, guint timeout, GCancellable *cancellable,
    GError **error);

/* HEAD. Fills @size with Content-Length. 404 is VOD_ERROR_HTTP with that
 * status. */
gboolean vod_cos_head (VodHttp *http, const VodCosTarget *target,
    GCancellable *cancellable, guint64 *size, VodCosReceipt *receipt,
    GError **error);

/* PUT of a whole small object, with its MD5 when given. */
gboolean vod_cos_put_object (VodHttp *http, const VodCosTarget *target,
    const VodHttpBody *body, const gchar *content_type, const guint8 *md5,
    GCancellable *cancellable, VodCosReceipt *receipt, GError **error);

/* A part as a list has it. */
typedef struct {
  guint number;                 /* 1…10000 */
  guint64 size;                 /* <= 5 GiB */
  gchar etag[VOD_COS_ETAG_MAX]; /* never "" */
} VodCosPart;

/* GET ?uploadId, page by page. Returns all parts that the storage has, as a
 * GArray of VodCosPart, ascending by number, each number once. An upload that
 * is unknown is VOD_ERROR_STORAGE, "NoSuchUpload". A list of more than 11 pages,
 * or with a number twice, is VOD_ERROR_PROTOCOL. */
GArray *vod_cos_list_parts (VodHttp *http, const VodCosTarget *target,
    const gchar *upload_id, GCancellable *cancellable, GError **error);

/* GET /?uploads&prefix, page by page. Returns the ids of all unfinished uploads
 * of just this key (not of longer ones), the newest first; where times are
 * equal or unreadable, what the storage listed later comes first. Ids are as
 * from vod_cos_initiate(). NULL-terminated, may be empty. More than 100, or more
 * than 11 pages, is VOD_ERROR_PROTOCOL. */
gchar **vod_cos_list_uploads (VodHttp *http, const VodCosTarget *target,
    GCancellable *cancellable, GError **error);

/* What was answered may be kept in a file: TRUE if what was read from there is
 * as these calls promise. */
gboolean vod_cos_check_upload_id (const gchar *upload_id);
gboolean vod_cos_check_etag (const gchar *etag);

G_END_DECLS

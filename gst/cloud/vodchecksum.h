/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodchecksum: the two digests by which storage and client agree on bytes.
 *
 * CRC64 is CRC-64/XZ (ECMA-182, reflected, polynomial 0xc96c5795d7870f42, init
 * and xorout all ones), the value of x-cos-hash-crc64ecma (protocol.md 8). All
 * functions are pure and may be called from any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define VOD_MD5_SIZE 16

/* Continues @crc (0 to begin) over @len bytes. ISA-L where it was built in,
 * else the table version. */
guint64 vod_crc64 (guint64 crc, gconstpointer data, gsize len);

/* The same by tables (slicing-by-16); always there so that both are tested. */
guint64 vod_crc64_table (guint64 crc, gconstpointer data, gsize len);

/* The CRC64 of A followed by B, from that of A, that of B and B's length. */
guint64 vod_crc64_combine (guint64 crc_a, guint64 crc_b, guint64 len_b);

/* MD5 in steps, by OpenSSL. vod_md5_finish() frees @md5. If MD5 is not to be
 * had (FIPS), vod_md5_new() returns NULL and the others accept that;
 * vod_md5_finish() then returns FALSE. */
typedef struct _VodMd5 VodMd5;
VodMd5 *vod_md5_new (void) G_GNUC_WARN_UNUSED_RESULT;
void vod_md5_update (VodMd5 *md5, gconstpointer data, gsize len);
gboolean vod_md5_finish (VodMd5 *md5, guint8 digest[VOD_MD5_SIZE]);
void vod_md5_free (VodMd5 *md5);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VodMd5, vod_md5_free)

/* HMAC-SHA1 and SHA1, raw, 20 bytes. */
#define VOD_SHA1_SIZE 20
void vod_sha1 (gconstpointer data, gsize len, guint8 digest[VOD_SHA1_SIZE]);
void vod_hmac_sha1 (gconstpointer key, gsize key_len, gconstpointer data,
    gsize len, guint8 digest[VOD_SHA1_SIZE]);

G_END_DECLS

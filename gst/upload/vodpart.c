/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodpart.h"

#include <string.h>

#include "../cloud/vodchecksum.h"

#define READ_PIECE (64 * 1024)

/* --- of the whole slice -----------------------------------*/

/* Hands all bytes of @slice to @digest, piece by piece. FALSE: they cannot be
 * read. */
static gboolean
digest_slice (const VodSlice *slice,
    void (*digest) (gpointer sum, const guint8 *bytes, gsize len), gpointer sum)
{
  g_autofree guint8 *buffer = NULL;
  gsize len;

  for (guint64 offset = 0; offset < slice->size; offset += len) {
    const guint8 *bytes = vod_slice_peek (slice, offset, &len);

    if (bytes == NULL) {
      if (buffer == NULL)
        buffer = g_malloc (READ_PIECE);
      bytes = buffer;
      len = vod_slice_read (slice, offset, buffer, READ_PIECE);
      if (len == 0)
        return FALSE;
    }
    digest (sum, bytes, len);
  }
  return TRUE;
}

static void
add_crc64 (gpointer sum, const guint8 *bytes, gsize len)
{
  guint64 *crc64 = sum;

  *crc64 = vod_crc64 (*crc64, bytes, len);
}

static void
add_md5 (gpointer sum, const guint8 *bytes, gsize len)
{
  vod_md5_update (sum, bytes, len);
}

/* FALSE: there is no MD5 to be had, or the bytes cannot be read. */
static gboolean
slice_md5 (const VodSlice *slice, guint8 digest[VOD_MD5_SIZE])
{
  VodMd5 *md5 = vod_md5_new ();
  gboolean read = digest_slice (slice, add_md5, md5);

  return vod_md5_finish (md5, digest) && read;
}

/* What was sent before must be what is sent again. */
static gboolean
check_proven (const VodSlice *slice, guint64 crc64, GError **error)
{
  if (!slice->proven || crc64 == slice->crc64)
    return TRUE;
  vod_error_set (error, VOD_ERROR_READ,
      "Part %u has to be sent again, but upstream's file has changed",
      slice->number);
  return FALSE;
}

static void
set_unreadable (const VodSlice *slice, GError **error)
{
  vod_error_set (error, VOD_ERROR_READ,
      "Part %u cannot be read from the file that holds it", slice->number);
}

gboolean
vod_part_etag_is_md5 (const gchar *etag, const guint8 *digest)
{
  gchar hex[2 * VOD_MD5_SIZE + 1];
  gsize len = strlen (etag);

  for (guint i = 0; i < VOD_MD5_SIZE; i++)
    g_snprintf (hex + 2 * i, 3, "%02x", digest[i]);
  if (len >= 2 && etag[0] == '"' && etag[len - 1] == '"') {
    etag++;
    len -= 2;
  }
  return len == strlen (hex) && g_ascii_strncasecmp (etag, hex, len) == 0;
}

/* --- is it there? ----------------------------------------------------------*/

/* Without a CRC64 of theirs the ETag must be their MD5. */
static gboolean
is_what_was_sent (const VodJob *job, guint64 crc64)
{
  const VodSliceReceipt *before = &job->receipt_before;
  guint8 digest[VOD_MD5_SIZE];

  if (before->has_crc64)
    return before->crc64 == crc64;
  return slice_md5 (job->slice, digest) &&
      vod_part_etag_is_md5 (before->etag, digest);
}

gboolean
vod_part_is_there (VodJob *job, GError **error)
{
  const VodSlice *slice = job->slice;
  guint64 crc64 = 0;

  if (!slice->proven && job->receipt_before.etag == NULL)
    return FALSE;
  if (!digest_slice (slice, add_crc64, &crc64)) {
    set_unreadable (slice, error);
    return FALSE;
  }
  if (!check_proven (slice, crc64, error) || job->receipt_before.etag == NULL ||
      !is_what_was_sent (job, crc64))
    return FALSE;
  job->crc64 = crc64;
  job->skipped = TRUE;
  g_strlcpy (
      job->receipt.etag, job->receipt_before.etag, sizeof job->receipt.etag);
  return TRUE;
}

/* --- on its way ------------------------------------------------------------*/

typedef struct {
  const VodSlice *slice;
  guint64 digested; /* bytes from the beginning that … */
  guint64 crc64;    /* … this is of */
  gboolean unreadable;
} Body;

/* @len bytes at @offset are about to go out. They come in order, but some may
 * come again: the request, or a piece that did not go as a whole. */
static void
digest_piece (Body *body, guint64 offset, const guint8 *bytes, gsize len)
{
  guint64 known = body->digested - offset;

  if (offset > body->digested || known >= len)
    return;
  body->crc64 = vod_crc64 (body->crc64, bytes + known, len - known);
  body->digested += len - known;
}

static gsize
read_body (gpointer data, guint64 offset, gpointer buffer, gsize len)
{
  Body *body = data;

  len = vod_slice_read (body->slice, offset, buffer, len);
  body->unreadable = len == 0;
  digest_piece (body, offset, buffer, len);
  return len;
}

static const guint8 *
peek_body (gpointer data, guint64 offset, gsize *len)
{
  Body *body = data;
  const guint8 *bytes = vod_slice_peek (body->slice, offset, len);

  if (bytes)
    digest_piece (body, offset, bytes, *len);
  return bytes;
}

/* A 200 proves nothing: what arrived must be what was sent. @md5: NULL, or of the
 * slice. */
static void
check_receipt (const VodJob *job, const guint8 *md5, GError **error)
{
  const VodCosReceipt *receipt = &job->receipt;
  guint8 digest[VOD_MD5_SIZE];

  if (receipt->has_crc64) {
    if (receipt->crc64 != job->crc64)
      vod_error_set (error, VOD_ERROR_INTEGRITY,
          "Part %u arrived damaged: its CRC64 there is %" G_GUINT64_FORMAT
          ", here %" G_GUINT64_FORMAT,
          job->slice->number, receipt->crc64, job->crc64);
    return;
  }
  if (md5 == NULL && slice_md5 (job->slice, digest))
    md5 = digest;
  if (md5 == NULL || !vod_part_etag_is_md5 (receipt->etag, md5))
    vod_error_set (error, VOD_ERROR_INTEGRITY,
        "Part %u cannot be told to have arrived whole: no CRC64 came back, "
        "and the ETag is not its MD5",
        job->slice->number);
}

void
vod_part_send (VodJob *job, gboolean content_md5, VodHttp *http,
    const VodCosTarget *target, void (*sent) (gsize bytes, gpointer data),
    gpointer sent_data, GCancellable *cancellable, GError **error)
{
  Body part = {.slice = job->slice};
  VodHttpBody body = {
      .length = job->slice->size,
      .read = read_body,
      .peek = peek_body,
      .data = &part,
  };
  guint8 digest[VOD_MD5_SIZE];
  const guint8 *md5 = NULL;
  GError *failure = NULL;

  if (content_md5 && slice_md5 (job->slice, digest))
    md5 = digest;
  if (!vod_cos_put_part (http, target, job->upload_id, job->slice->number,
          &body, md5, sent, sent_data, cancellable, &job->receipt, &failure)) {
    if (part.unreadable) {
      set_unreadable (job->slice, error);
      g_error_free (failure);
    } else {
      g_propagate_error (error, failure);
    }
    return;
  }
  /* Of all of it: an answer that comes before the body went out is none. */
  job->crc64 = part.crc64;
  /* It may have changed since vod_part_is_there(). */
  if (check_proven (job->slice, part.crc64, error))
    check_receipt (job, md5, error);
}

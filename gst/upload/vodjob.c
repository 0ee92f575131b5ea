/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodjob.h"

#include <string.h>

#include "../cloud/vodchecksum.h"

#define ABORT_TIMEOUT 2 /* s: interface.md, "one DELETE, 2 s at most" */

void
vod_job_clear (VodJob *job)
{
  g_clear_pointer (&job->applied, vod_api_applied_unref);
  g_clear_pointer (&job->new_applied, vod_api_applied_unref);
  g_free (job->upload_id);
  g_free (job->new_upload_id);
  g_free (job->signature);
  g_strfreev (job->etags);
  vod_api_committed_clear (&job->committed);
  memset (job, 0, sizeof *job);
}

VodPhase
vod_job_phase (VodJobKind kind)
{
  switch (kind) {
    case VOD_JOB_APPLY:
    case VOD_JOB_RENEW:
      return VOD_PHASE_APPLY;
    case VOD_JOB_INITIATE:
      return VOD_PHASE_INITIATE;
    case VOD_JOB_COMPLETE:
    case VOD_JOB_LOOK:
      return VOD_PHASE_COMPLETE;
    case VOD_JOB_COMMIT:
      return VOD_PHASE_COMMIT;
    case VOD_JOB_PART:
    case VOD_JOB_ABORT:
    case VOD_JOB_NONE:
    case VOD_JOB_EXIT:
      break;
  }
  return VOD_PHASE_PART;
}

/* --- a part ---------------------------------------------------------------*/

static gsize
read_slice (gpointer data, guint64 offset, gpointer buffer, gsize len)
{
  gsize run;
  const guint8 *bytes = vod_slice_peek (data, offset, &run);

  len = MIN (len, run);
  memcpy (buffer, bytes, len);
  return len;
}

static guint64
slice_crc64 (VodSlice *slice)
{
  guint64 crc64 = 0;
  gsize len;

  for (guint64 offset = 0; offset < slice->size; offset += len) {
    const guint8 *bytes = vod_slice_peek (slice, offset, &len);

    crc64 = vod_crc64 (crc64, bytes, len);
  }
  return crc64;
}

static gboolean
slice_md5 (VodSlice *slice, guint8 digest[VOD_MD5_SIZE])
{
  VodMd5 *md5 = vod_md5_new ();
  gsize len;

  for (guint64 offset = 0; offset < slice->size; offset += len) {
    const guint8 *bytes = vod_slice_peek (slice, offset, &len);

    vod_md5_update (md5, bytes, len);
  }
  return vod_md5_finish (md5, digest);
}

/* The ETag of a part is its MD5 in hex, in quotes (protocol.md 5.2). */
static gboolean
etag_is_md5 (const gchar *etag, const guint8 digest[VOD_MD5_SIZE])
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

/* A 200 proves nothing: what arrived must be what was sent. */
static void
check_receipt (VodJob *job, const guint8 *md5, GError **error)
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
  if (md5 == NULL || !etag_is_md5 (receipt->etag, md5))
    vod_error_set (error, VOD_ERROR_INTEGRITY,
        "Part %u cannot be told to have arrived whole: no CRC64 came back, "
        "and the ETag is not its MD5",
        job->slice->number);
}

static void
perform_part (VodJob *job, const VodUploadSettings *settings, VodHttp *http,
    const VodCosTarget *target, void (*sent) (gsize bytes, gpointer data),
    gpointer sent_data, GCancellable *cancellable, GError **error)
{
  VodHttpBody body = {
      .length = job->slice->size,
      .read = read_slice,
      .data = job->slice,
  };
  guint8 digest[VOD_MD5_SIZE];
  const guint8 *md5 = NULL;

  job->crc64 = slice_crc64 (job->slice);
  if (settings->content_md5 && slice_md5 (job->slice, digest))
    md5 = digest;
  if (vod_cos_put_part (http, target, job->upload_id, job->slice->number, &body,
          md5, sent, sent_data, cancellable, &job->receipt, error))
    check_receipt (job, md5, error);
}

/* --- the whole object -----------------------------------------------------*/

static void
check_object (VodJob *job, guint64 size, GError **error)
{
  if (size != job->size)
    vod_error_set (error, VOD_ERROR_INTEGRITY,
        "The object has %" G_GUINT64_FORMAT " bytes there, %" G_GUINT64_FORMAT
        " here",
        size, job->size);
  else if (job->receipt.has_crc64 && job->receipt.crc64 != job->crc64)
    vod_error_set (error, VOD_ERROR_INTEGRITY,
        "The object was put together wrongly: its CRC64 there is "
        "%" G_GUINT64_FORMAT ", here %" G_GUINT64_FORMAT,
        job->receipt.crc64, job->crc64);
}

/* Was the upload completed although its answer was lost? 403 and 405 say that
 * we may not look: Commit decides. */
static void
perform_look (VodJob *job, VodHttp *http, const VodCosTarget *target,
    GCancellable *cancellable, GError **error)
{
  GError *local = NULL;
  guint64 size;
  guint status;

  if (vod_cos_head (http, target, cancellable, &size, &job->receipt, &local)) {
    check_object (job, size, error);
    return;
  }
  status =
      vod_error_details (local) ? vod_error_details (local)->http_status : 0;
  if (status == 403 || status == 405) {
    g_error_free (local);
    return;
  }
  if (status == 404) {
    g_clear_error (&local);
    local = vod_error_new (VOD_ERROR_STORAGE,
        "The service no longer knows the upload, and the object is not there");
    vod_error_details (local)->http_status = 404;
    vod_error_details (local)->error_code = g_strdup ("NoSuchUpload");
  }
  g_propagate_error (error, local);
}

GError *
vod_job_perform (VodJob *job, const VodUploadSettings *settings, VodHttp *http,
    void (*sent) (gsize bytes, gpointer data), gpointer sent_data,
    GCancellable *cancellable)
{
  g_autofree gchar *bucket_uri = NULL;
  VodCosTarget target = {0};
  GError *error = NULL;

  if (job->applied) {
    bucket_uri = g_strconcat ("https://", job->applied->bucket_host, NULL);
    target = (VodCosTarget){
        .connect_to = settings->forward  ? settings->endpoint
            : settings->storage_endpoint ? settings->storage_endpoint
                                         : bucket_uri,
        .bucket_host = job->applied->bucket_host,
        .forward = settings->forward,
        .key = job->applied->key,
        .credentials = &job->applied->credentials,
    };
  }

  switch (job->kind) {
    case VOD_JOB_APPLY:
    case VOD_JOB_RENEW: {
      VodApiApply apply = {
          .signature = job->signature,
          .session_key = job->applied ? job->applied->session_key : NULL,
          .name = settings->name,
          .type = settings->type,
          .size = settings->expected_size,
      };

      job->new_applied =
          vod_api_apply (http, settings->endpoint, &apply, cancellable, &error);
      break;
    }
    case VOD_JOB_INITIATE:
      job->new_upload_id =
          vod_cos_initiate (http, &target, cancellable, &error);
      break;
    case VOD_JOB_PART:
      perform_part (
          job, settings, http, &target, sent, sent_data, cancellable, &error);
      break;
    case VOD_JOB_COMPLETE:
      if (vod_cos_complete (http, &target, job->upload_id,
              (const gchar *const *)job->etags, job->n_etags, cancellable,
              &job->receipt, &error))
        check_object (job, job->size, &error);
      break;
    case VOD_JOB_LOOK:
      perform_look (job, http, &target, cancellable, &error);
      break;
    case VOD_JOB_COMMIT:
      vod_api_commit (http, settings->endpoint, job->signature,
          job->applied->session_key, cancellable, &job->committed, &error);
      break;
    case VOD_JOB_ABORT:
      vod_cos_abort (
          http, &target, job->upload_id, ABORT_TIMEOUT, cancellable, &error);
      break;
    case VOD_JOB_NONE:
    case VOD_JOB_EXIT:
      break;
  }
  return error;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodjob.h"

#include <string.h>

#include "../cloud/vodchecksum.h"
#include "../cloud/vodimage.h"
#include "vodpart.h"
#include "vodretry.h"

#define ABORT_TIMEOUT 2 /* s: interface.md, "one DELETE, 2 s at most" */

void
vod_job_clear (VodJob *job)
{
  g_clear_pointer (&job->applied, vod_api_applied_unref);
  g_clear_pointer (&job->new_applied, vod_api_applied_unref);
  g_free (job->accelerated);
  g_free (job->upload_id);
  g_free (job->new_upload_id);
  g_free (job->signature);
  g_free (job->region);
  g_free (job->new_region);
  g_clear_pointer (&job->cover, g_bytes_unref);
  g_free (job->file_id);
  g_strfreev (job->etags);
  g_free (job->receipt_before.etag);
  g_free (job->cuts);
  g_clear_pointer (&job->listed, g_array_unref);
  g_clear_pointer (&job->discard, vod_session_close);
  vod_api_committed_clear (&job->committed);
  memset (job, 0, sizeof *job);
}

VodPhase
vod_job_phase (VodJobKind kind)
{
  switch (kind) {
    case VOD_JOB_REGION:
    case VOD_JOB_APPLY:
    case VOD_JOB_RENEW:
    case VOD_JOB_SWEEP:
      return VOD_PHASE_APPLY;
    case VOD_JOB_CHECK:
    case VOD_JOB_LIST:
    case VOD_JOB_INITIATE:
      return VOD_PHASE_INITIATE;
    case VOD_JOB_SYNC:
      return VOD_PHASE_SPOOL;
    case VOD_JOB_COMPLETE:
    case VOD_JOB_LOOK:
      return VOD_PHASE_COMPLETE;
    case VOD_JOB_COMMIT:
      return VOD_PHASE_COMMIT;
    case VOD_JOB_COVER:
    case VOD_JOB_COVER_APPLY:
    case VOD_JOB_COVER_PUT:
    case VOD_JOB_COVER_COMMIT:
      return VOD_PHASE_COVER;
    case VOD_JOB_PART:
    case VOD_JOB_ABORT:
    case VOD_JOB_NONE:
    case VOD_JOB_EXIT:
      break;
  }
  return VOD_PHASE_PART;
}

static GError *
storage_error (guint status, const gchar *code, const gchar *message)
{
  GError *error = vod_error_new (VOD_ERROR_STORAGE, "%s", message);

  vod_error_details (error)->http_status = status;
  vod_error_details (error)->error_code = g_strdup (code);
  return error;
}

/* The upload id means nothing any more. */
static GError *
gone_error (const gchar *message)
{
  return storage_error (404, "NoSuchUpload", message);
}

/* --- a part ---------------------------------------------------------------*/

static void
perform_part (VodJob *job, const VodUploadSettings *settings, VodHttp *http,
    const VodCosTarget *target, void (*sent) (gsize bytes, gpointer data),
    gpointer sent_data, GCancellable *cancellable, GError **error)
{
  GError *failure = NULL;

  if (vod_part_is_there (job, &failure))
    return;
  if (failure)
    g_propagate_error (error, failure);
  else if (job->completed_there)
    g_propagate_error (
        error, gone_error ("The interrupted upload was of another media"));
  else
    vod_part_send (job, settings->content_md5, http, target, sent, sent_data,
        cancellable, error);
}

/* --- the cover ------------------------------------------------------------*/

/* Returns @digest, or NULL: there is no MD5 to be had. */
static const guint8 *
digest_cover (VodJob *job, guint8 digest[VOD_MD5_SIZE])
{
  VodMd5 *md5 = vod_md5_new ();
  gsize len;
  gconstpointer data = g_bytes_get_data (job->cover, &len);

  job->size = len;
  job->crc64 = vod_crc64 (0, data, len);
  vod_md5_update (md5, data, len);
  return vod_md5_finish (md5, digest) ? digest : NULL;
}

static gboolean
cover_is_right (const VodJob *job, const guint8 *md5)
{
  return job->receipt.has_crc64
      ? job->receipt.crc64 == job->crc64
      : md5 && vod_part_etag_is_md5 (job->receipt.etag, md5);
}

/* There was no answer: is it up all the same? If not, is it the network, or only
 * this request that does not get through? */
static gboolean
look_for_cover (VodJob *job, VodHttp *http, const VodCosTarget *target,
    const guint8 *md5, GCancellable *cancellable)
{
  g_autoptr (GError) error = NULL;
  guint64 size;

  if (vod_cos_head (http, target, cancellable, &size, &job->receipt, &error)) {
    job->reached = TRUE;
    return size == job->size && cover_is_right (job, md5);
  }
  job->reached = vod_error_details (error)->http_status != 0;
  return FALSE;
}

static void
perform_cover (VodJob *job, const VodUploadSettings *settings, VodHttp *http,
    const VodCosTarget *media, GCancellable *cancellable, GError **error)
{
  const gchar *type = vod_image_content_type (vod_cover_type (job->cover));
  VodHttpBody body = vod_http_body_from_bytes (job->cover);
  VodCosTarget target = *media;
  guint8 digest[VOD_MD5_SIZE];
  const guint8 *md5 = digest_cover (job, digest);
  GError *failure = NULL;

  target.key = job->applied->cover_key;
  if (vod_cos_put_object (http, &target, &body, type,
          settings->content_md5 ? md5 : NULL, cancellable, &job->receipt,
          &failure)) {
    if (!cover_is_right (job, md5))
      vod_error_set (error, VOD_ERROR_INTEGRITY,
          "It cannot be told to have arrived whole");
  } else if (failure->code == VOD_ERROR_NETWORK &&
      look_for_cover (job, http, &target, md5, cancellable)) {
    g_error_free (failure);
  } else {
    g_propagate_error (error, failure);
  }
}

static void
perform_cover_apply (VodJob *job, const VodUploadSettings *settings,
    VodHttp *http, GCancellable *cancellable, GError **error)
{
  job->new_applied = vod_api_apply_cover (http, settings->endpoint,
      job->signature, job->file_id, settings->name, vod_cover_type (job->cover),
      g_bytes_get_size (job->cover), cancellable, error);
  /* A picture must never be put in the place of the media. */
  if (job->new_applied && job->applied && job->applied->key &&
      strcmp (job->new_applied->cover_key, job->applied->key) == 0) {
    g_clear_pointer (&job->new_applied, vod_api_applied_unref);
    vod_error_set (error, VOD_ERROR_PROTOCOL,
        "The service names the media's own place for its cover");
  }
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

  /* If we may not look, this is all there is to go by. */
  if (job->completed_there &&
      (job->size != job->completed_size ||
          job->crc64 != job->completed_crc64)) {
    g_propagate_error (
        error, gone_error ("The interrupted upload was of another media"));
    return;
  }
  if (vod_cos_head (http, target, cancellable, &size, &job->receipt, &local)) {
    job->seen = TRUE;
    check_object (job, size, error);
    return;
  }
  status =
      vod_error_details (local) ? vod_error_details (local)->http_status : 0;
  if (status == 403 || status == 405) {
    g_error_free (local);
    return;
  }
  /* There is no body to tell why; it is what expired credentials get. */
  if (status == 400) {
    g_clear_error (&local);
    local = storage_error (400, "ExpiredToken",
        "The storage does not let us look (HTTP status 400)");
  }
  if (status == 404) {
    g_clear_error (&local);
    local = gone_error (
        "The service no longer knows the upload, and the object is not there");
  }
  g_propagate_error (error, local);
}

/* --- beginning and deleting ------------------------------------------------*/

/* An Initiate whose answer was lost has left an upload, which is as good as a
 * new one. If the service does not let us look, there will be a new one. */
static void
perform_initiate (VodJob *job, VodHttp *http, const VodCosTarget *target,
    GCancellable *cancellable, GError **error)
{
  g_auto (GStrv) ids = NULL;

  if (job->look_first) {
    GError *local = NULL;

    ids = vod_cos_list_uploads (http, target, cancellable, &local);
    if (local && vod_error_details (local)->http_status == 0) {
      g_propagate_error (error, local);
      return;
    }
    g_clear_error (&local);
  }
  if (ids && ids[0]) {
    for (guint i = 1; ids[i]; i++)
      vod_cos_abort (http, target, ids[i], 0, cancellable, NULL);
    job->new_upload_id = g_strdup (ids[0]);
    return;
  }
  job->new_upload_id = vod_cos_initiate (http, target, cancellable, error);
}

/* Without an id, whatever there is of the object. */
static void
perform_abort (VodHttp *http, const VodCosTarget *target,
    const gchar *upload_id, GCancellable *cancellable, GError **error)
{
  g_auto (GStrv) ids = NULL;

  if (upload_id) {
    vod_cos_abort (http, target, upload_id, ABORT_TIMEOUT, cancellable, error);
    return;
  }
  ids = vod_cos_list_uploads (http, target, cancellable, error);
  for (guint i = 0; ids && ids[i]; i++)
    if (!vod_cos_abort (
            http, target, ids[i], ABORT_TIMEOUT, cancellable, error))
      return;
}

/* An accelerated host forwards like the endpoint, or stands for the bucket's own
 * host in everything. */
static VodCosTarget
target_of (const VodApiApplied *applied, const VodUploadSettings *settings,
    const gchar *bucket_uri, const gchar *accelerated)
{
  return (VodCosTarget){
      .connect_to = accelerated        ? accelerated
          : settings->forward          ? settings->endpoint
          : settings->storage_endpoint ? settings->storage_endpoint
                                       : bucket_uri,
      .bucket_host = accelerated && !settings->forward ? applied->upload_domain
                                                       : applied->bucket_host,
      .forward = settings->forward,
      .key = applied->key,
      .credentials = &applied->credentials,
  };
}

/* Apply's answer to a session key that it does not know: its number is not known
 * (protocol.md 9), but those that speak of the signature are. */
static gboolean
is_forgotten (GError *error)
{
  return error->code == VOD_ERROR_SERVICE &&
      vod_retry_classify (error, 1) == VOD_RETRY_AGAIN;
}

/* A session that the service has forgotten has no parts that could be deleted.
 * A signature that it does not take says nothing about that. */
static void
perform_sweep (VodJob *job, const VodUploadSettings *settings, VodHttp *http,
    GCancellable *cancellable, GError **error)
{
  const VodSessionState *state = vod_session_found (job->discard);
  VodApiApply apply = {
      .signature = job->signature,
      .session_key = state->session_key,
  };
  g_autoptr (VodApiApplied) applied = NULL;
  g_autofree gchar *bucket_uri = NULL;
  GError *local = NULL;
  VodCosTarget target;

  applied =
      vod_api_apply (http, settings->endpoint, &apply, cancellable, &local);
  if (applied && g_strcmp0 (applied->key, state->object_key) == 0) {
    bucket_uri = g_strconcat ("https://", applied->bucket_host, NULL);
    target = target_of (applied, settings, bucket_uri, NULL);
    perform_abort (http, &target, state->upload_id, cancellable, error);
  } else if (local && !is_forgotten (local)) {
    g_propagate_error (error, g_steal_pointer (&local));
  }
  g_clear_error (&local);
}

GError *
vod_job_perform (VodJob *job, const VodUploadSettings *settings, VodHttp *http,
    void (*sent) (gsize bytes, gpointer data), gpointer sent_data,
    GCancellable *cancellable)
{
  g_autofree gchar *bucket_uri = NULL;
  VodCosTarget target = {0};
  GError *error = NULL;

  job->asked = g_get_monotonic_time ();
  if (job->applied) {
    bucket_uri = g_strconcat ("https://", job->applied->bucket_host, NULL);
    target = target_of (job->applied, settings, bucket_uri, job->accelerated);
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
          .storage_region = job->region,
          .cover_type = job->cover ? vod_cover_type (job->cover) : NULL,
          .cover_size = job->cover ? g_bytes_get_size (job->cover) : 0,
      };

      job->new_applied =
          vod_api_apply (http, settings->endpoint, &apply, cancellable, &error);
      break;
    }
    case VOD_JOB_INITIATE:
      perform_initiate (job, http, &target, cancellable, &error);
      break;
    case VOD_JOB_LIST:
      job->listed = vod_cos_list_parts (
          http, &target, job->upload_id, cancellable, &error);
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
    case VOD_JOB_CHECK:
      perform_look (job, http, &target, cancellable, &error);
      break;
    case VOD_JOB_COMMIT:
      vod_api_commit (http, settings->endpoint, job->signature,
          job->applied->session_key, cancellable, &job->committed, &error);
      break;
    case VOD_JOB_COVER:
    case VOD_JOB_COVER_PUT:
      perform_cover (job, settings, http, &target, cancellable, &error);
      break;
    case VOD_JOB_COVER_APPLY:
      perform_cover_apply (job, settings, http, cancellable, &error);
      break;
    case VOD_JOB_COVER_COMMIT:
      job->committed.cover_url = vod_api_commit_cover (http, settings->endpoint,
          job->signature, job->applied->session_key, cancellable, &error);
      break;
    case VOD_JOB_ABORT:
      perform_abort (http, &target, job->upload_id, cancellable, &error);
      break;
    case VOD_JOB_SWEEP:
      perform_sweep (job, settings, http, cancellable, &error);
      break;
    case VOD_JOB_REGION:
    case VOD_JOB_SYNC:
    case VOD_JOB_NONE:
    case VOD_JOB_EXIT:
      break;
  }
  return error;
}

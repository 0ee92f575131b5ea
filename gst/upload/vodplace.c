/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where an upload goes: the region that is nearest, and the host that the service
 * names for its storage requests (protocol.md 1.4). Both are extras: an upload
 * never fails for them. See vodupload-private.h for the lock.
 */
#include "vodhosts.h"
#include "vodretry.h"
#include "vodupload-private.h"

/* For a signature that the application gives later: without one there is no
 * race, and Apply asks again. */
#define PATIENCE (8 * (gint64)G_USEC_PER_SEC)
#define LEFT_HOSTS_MAX 8
#define BAD_ANSWERS_MAX 3

static void
say (VodUpload *upload, const gchar *text, const gchar *more)
{
  g_autofree gchar *message = g_strconcat (text, more, NULL);

  upload->events.notice (message, upload->data);
}

VodPlace
vod_upload_place_of (VodJobKind kind)
{
  switch (kind) {
    case VOD_JOB_APPLY:
    case VOD_JOB_RENEW:
    case VOD_JOB_COMMIT:
    case VOD_JOB_COVER_APPLY:
    case VOD_JOB_COVER_COMMIT:
    case VOD_JOB_SWEEP: /* Apply tells where the rest of it goes */
      return VOD_PLACE_SERVICE;
    case VOD_JOB_CHECK:
    case VOD_JOB_LIST:
    case VOD_JOB_INITIATE:
    case VOD_JOB_PART:
    case VOD_JOB_COMPLETE:
    case VOD_JOB_LOOK:
    case VOD_JOB_COVER:
    case VOD_JOB_COVER_PUT:
      return VOD_PLACE_STORAGE;
    case VOD_JOB_ABORT: /* there may be time for one request */
      return VOD_PLACE_STORAGE_PLAIN;
    case VOD_JOB_REGION: /* sees to that itself */
    case VOD_JOB_SYNC:
    case VOD_JOB_NONE:
    case VOD_JOB_EXIT:
      break;
  }
  return VOD_PLACE_NONE;
}

/* --- the nearest region -----------------------------------------------------*/

VodStep
vod_upload_first_step (const VodUpload *upload)
{
  return upload->settings.nearest_region && !upload->resuming &&
          !upload->region_sought
      ? VOD_STEP_REGION
      : VOD_STEP_APPLY;
}

static gchar *
sign (gpointer worker, GError **error)
{
  return vod_upload_obtain_signature (worker, PATIENCE, error);
}

gchar *
vod_upload_find_region (VodWorker *worker)
{
  VodUpload *upload = worker->upload;
  VodRegionPrepare prepare = {0};
  g_autoptr (GError) error = NULL;
  gchar *region;

  vod_http_set_purpose (worker->http, "search for a region");
  region = vod_region_find (
      &upload->settings, sign, worker, worker->cancellable, &prepare, &error);

  vod_upload_report_prepare (upload, &prepare, region);
  g_clear_error (&prepare.error);
  if (error && !g_cancellable_is_cancelled (worker->cancellable))
    say (upload,
        "storage-region=auto has found no region, and the service chooses "
        "one: ",
        error->message);
  return region;
}

gboolean
vod_upload_drop_region (VodUpload *upload, GError *error)
{
  if (!vod_upload_was_refused (error))
    return FALSE;
  /* It was refused without the region too: that was not the reason. */
  g_clear_pointer (&upload->region_blamed, g_free);
  if (upload->region == NULL)
    return FALSE;
  upload->region_blamed =
      g_strdup_printf ("storage-region=auto has found %s, but %s; the "
                       "service chooses one",
          upload->region, error->message);
  g_clear_pointer (&upload->region, g_free);
  return TRUE;
}

void
vod_upload_convict_region (VodUpload *upload)
{
  g_autofree gchar *message = NULL;

  g_mutex_lock (&upload->lock);
  message = g_steal_pointer (&upload->region_blamed);
  g_mutex_unlock (&upload->lock);
  if (message == NULL)
    return;
  vod_region_drop (&upload->settings);
  say (upload, message, NULL);
}

/* --- the accelerated host ---------------------------------------------------*/

/* Each renewal may name another one, but that must not go on for ever. */
static gboolean
was_left (const VodUpload *upload, const gchar *uri)
{
  return upload->left_hosts &&
      (upload->left_hosts->len >= LEFT_HOSTS_MAX ||
          g_ptr_array_find_with_equal_func (
              upload->left_hosts, uri, g_str_equal, NULL));
}

gchar *
vod_upload_accelerate (VodUpload *upload, const VodJob *job)
{
  const gchar *host =
      job->applied && vod_upload_place_of (job->kind) == VOD_PLACE_STORAGE
      ? vod_hosts_accelerated (&upload->settings, job->applied)
      : NULL;
  g_autofree gchar *uri = NULL;

  if (host == NULL || !vod_hosts_may_use (&upload->settings, host))
    return NULL;
  uri = vod_hosts_uri (&upload->settings, host);
  return was_left (upload, uri) ? NULL : g_steal_pointer (&uri);
}

gboolean
vod_upload_leave_host (VodUpload *upload, const VodJob *job)
{
  if (job->accelerated == NULL)
    return FALSE;
  if (was_left (upload, job->accelerated))
    return TRUE;
  if (upload->left_hosts == NULL)
    upload->left_hosts = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (upload->left_hosts, g_strdup (job->accelerated));
  upload->bad_answers = 0;
  /* What it has put off need not wait for it. */
  vod_slices_excuse (upload->slices);
  upload->cover_try.not_before = 0;
  g_cond_broadcast (&upload->work);
  return TRUE;
}

/* Does @error, an answer, say that nothing can be done at the host? Credentials
 * and upload ids are no affair of hosts: what knows them is the storage. */
static gboolean
is_bad_answer (GError *error)
{
  VodRetry verdict = vod_retry_classify (error, 1);

  switch (error->code) {
    case VOD_ERROR_HTTP:
    case VOD_ERROR_STORAGE:
    case VOD_ERROR_PROTOCOL:
    case VOD_ERROR_INTEGRITY:
      return verdict == VOD_RETRY_AGAIN || verdict == VOD_RETRY_FINAL;
    default:
      return FALSE;
  }
}

gboolean
vod_upload_doubt_host (VodUpload *upload, const VodJob *job, GError *error)
{
  if (job->accelerated == NULL || !is_bad_answer (error))
    return FALSE;
  return was_left (upload, job->accelerated) ||
      (++upload->bad_answers >= BAD_ANSWERS_MAX &&
          vod_upload_leave_host (upload, job));
}

void
vod_upload_trust_host (VodUpload *upload, const VodJob *job)
{
  if (job->accelerated && !job->skipped)
    upload->bad_answers = 0;
}

void
vod_upload_mention_host (VodUpload *upload, const VodApiApplied *applied)
{
  const gchar *host = vod_hosts_accelerated (&upload->settings, applied);
  gboolean told;

  if (host == NULL || vod_hosts_may_use (&upload->settings, host))
    return;
  g_mutex_lock (&upload->lock);
  told = upload->told_host;
  upload->told_host = TRUE;
  g_mutex_unlock (&upload->lock);
  if (!told)
    say (upload,
        "An endpoint of your own keeps the accelerated host that the service "
        "names from being used: ",
        host);
}

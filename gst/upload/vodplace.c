/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where an upload goes: the region that is nearest. See vodupload-private.h for
 * the lock.
 */
#include "vodretry.h"
#include "vodupload-private.h"

/* For a signature that the application gives later: it is only for this, and
 * asked for again for Apply. */
#define PATIENCE (8 * (gint64)G_USEC_PER_SEC)

static void
say (VodUpload *upload, const gchar *text, const gchar *more)
{
  g_autofree gchar *message = g_strconcat (text, more, NULL);

  upload->events.notice (message, upload->data);
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
  gchar *region = vod_region_find (
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

/* Not because of the signature, as far as that is known. */
static gboolean
is_refusal (GError *error)
{
  return error->code == VOD_ERROR_SERVICE &&
      vod_error_details (error)->number != 10004 &&
      vod_retry_classify (error, 1) != VOD_RETRY_SIGNATURE;
}

gboolean
vod_upload_drop_region (VodWorker *worker, GError *error)
{
  VodUpload *upload = worker->upload;
  g_autofree gchar *message = NULL;

  if (upload->region == NULL || !is_refusal (error))
    return FALSE;
  message = g_strdup_printf ("storage-region=auto has found %s, but %s; the "
                             "service chooses one",
      upload->region, error->message);
  g_clear_pointer (&upload->region, g_free);
  worker->busy = TRUE;
  g_mutex_unlock (&upload->lock);
  vod_region_drop (&upload->settings);
  upload->events.notice (message, upload->data);
  g_mutex_lock (&upload->lock);
  worker->busy = FALSE;
  return TRUE;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many workers an upload has. See vodupload-private.h for the lock; functions
 * here are called with it.
 */
#include "../cloud/vodthrottle.h"
#include "vodupload-private.h"

static void
count_workers (const VodUpload *upload, guint *running, guint *busy)
{
  *running = *busy = 0;
  for (guint i = 0; i < upload->workers->len; i++) {
    const VodWorker *worker = g_ptr_array_index (upload->workers, i);

    if (!worker->left)
      (*running)++;
    if (worker->busy)
      (*busy)++;
  }
}

guint
vod_upload_most_parts (const VodUpload *upload)
{
  return vod_throttle_connections (vod_pace_get_rate (upload->settings.pace),
      upload->settings.parallel_uploads);
}

guint
vod_upload_idle_workers (VodUpload *upload)
{
  guint most = vod_upload_most_parts (upload), running, busy;

  /* While nothing goes out, small slices would only use up numbers. */
  if (upload->step != VOD_STEP_PARTS || upload->failing_since != 0 ||
      upload->renew_wanted || upload->paused)
    return 0;
  count_workers (upload, &running, &busy);
  return most - MIN (busy, most);
}

static gboolean
start_worker (VodUpload *upload)
{
  VodWorker *worker = g_new0 (VodWorker, 1);
  g_autoptr (GError) error = NULL;

  worker->upload = vod_upload_ref (upload);
  worker->thread =
      g_thread_try_new ("vod-upload", vod_worker_main, worker, &error);
  if (worker->thread == NULL) {
    g_warning ("Could not start a thread: %s", error->message);
    vod_upload_unref (upload);
    g_free (worker);
    return FALSE;
  }
  g_ptr_array_add (upload->workers, worker);
  return TRUE;
}

/* The spool is synced while others wait for the network: one more than may send
 * parts. */
static guint
most_workers (const VodUpload *upload)
{
  return vod_upload_most_parts (upload) + (upload->spooling ? 1 : 0);
}

void
vod_upload_ensure_workers (VodUpload *upload)
{
  gint64 now = g_get_monotonic_time (), wake = G_MAXINT64;
  guint running, busy, wanted;

  if (upload->step == VOD_STEP_IDLE || upload->end != VOD_END_NONE ||
      upload->ending)
    return;
  if (upload->step != VOD_STEP_PARTS)
    wanted =
        !upload->step_try.busy || vod_upload_cover_due (upload, now, &wake);
  else if (upload->paused)
    wanted = 0;
  else
    wanted = vod_slices_sendable (upload->slices, now) + !upload->swept +
        vod_upload_cover_due (upload, now, &wake);
  if (vod_upload_sync_due (upload, now, &wake))
    wanted++;
  count_workers (upload, &running, &busy);
  if (running == 0)
    wanted = MAX (wanted, 1);
  while (running < most_workers (upload) && running - busy < wanted &&
      start_worker (upload))
    running++;
}

void
vod_upload_wake_workers (VodUpload *upload)
{
  g_cond_broadcast (&upload->work);
  vod_upload_ensure_workers (upload);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How far the upload is, said no oftener than asked for, in order. */
#include "vodupload-private.h"

static void
measure_progress (VodUpload *upload, VodUploadProgress *progress)
{
  guint64 sent = atomic_load (&upload->bytes_sent);
  gint64 now = g_get_monotonic_time ();
  guint64 expected = upload->settings.expected_size;
  VodSlicesStats stats;

  vod_slices_get_stats (upload->slices, &stats);
  vod_rate_add (&upload->rate, now, sent - upload->rate_counted);
  upload->rate_counted = sent;

  progress->loaded = stats.confirmed;
  progress->total = upload->closing ? stats.size
      : stats.size <= expected      ? expected
                                    : 0;
  progress->percent = -1;
  if (progress->total > 0)
    progress->percent = 100.0 * progress->loaded / progress->total;
  progress->speed = vod_rate_get (&upload->rate, now);
  progress->left_done = -1;
  if (upload->closing) {
    guint64 left = stats.size - stats.confirmed;

    /* A dirty head may make it more than there was. */
    upload->left_at_finish = MAX (upload->left_at_finish, left);
    progress->left_done = upload->left_at_finish
        ? 1.0 - (gdouble)left / upload->left_at_finish
        : 1.0;
  }
}

void
vod_upload_tell_progress (VodUpload *upload, gboolean last)
{
  VodUploadProgress progress;
  gint64 now = g_get_monotonic_time ();

  if (!last && now < atomic_load (&upload->next_progress))
    return;

  g_mutex_lock (&upload->lock);
  while (last && upload->telling)
    g_cond_wait (&upload->work, &upload->lock);
  if (upload->telling || upload->progress_interval == 0 ||
      (!last && (upload->ending || upload->end != VOD_END_NONE))) {
    g_mutex_unlock (&upload->lock);
    return;
  }
  upload->telling = TRUE;
  atomic_store (
      &upload->next_progress, now + upload->progress_interval * (gint64)1000);
  measure_progress (upload, &progress);
  g_mutex_unlock (&upload->lock);

  upload->events.progress (&progress, upload->data);

  g_mutex_lock (&upload->lock);
  upload->telling = FALSE;
  g_cond_broadcast (&upload->work);
  g_mutex_unlock (&upload->lock);
}

void
vod_upload_note_sent (gsize bytes, gpointer data)
{
  VodUpload *upload = data;

  atomic_fetch_add (&upload->bytes_sent, bytes);
  vod_upload_tell_progress (upload, FALSE);
}

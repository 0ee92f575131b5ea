/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How far the upload is, said in order, at two rates: as often as the owner has
 * asked for, and a beat, for what it shows of itself.
 */
#include "vodupload-private.h"

#define LOOK_INTERVAL (G_USEC_PER_SEC / 4)
#define BEAT G_USEC_PER_SEC

void
vod_upload_measure_rate (VodUpload *upload)
{
  guint64 sent = atomic_load (&upload->bytes_sent);

  vod_rate_add (
      &upload->rate, g_get_monotonic_time (), sent - upload->rate_counted);
  upload->rate_counted = sent;
}

guint64
vod_upload_whole_size (const VodUpload *upload, const VodSlicesStats *stats)
{
  guint64 expected = upload->settings.expected_size;

  if (upload->closing)
    return stats->size;
  return stats->size <= expected ? expected : 0;
}

/* With the lock. */
static void
measure_progress (VodUpload *upload, VodUploadProgress *progress)
{
  VodSlicesStats stats;

  vod_slices_get_stats (upload->slices, &stats);
  progress->loaded = stats.confirmed;
  progress->total = vod_upload_whole_size (upload, &stats);
  progress->percent = -1;
  if (progress->total > 0)
    progress->percent = 100.0 * progress->loaded / progress->total;
  progress->speed = vod_rate_get (&upload->rate, g_get_monotonic_time ());
  progress->left_done = -1;
  if (upload->closing && progress->beat) {
    /* A dirty head may make it more than there was. */
    upload->left_at_finish = MAX (upload->left_at_finish, stats.left);
    progress->left_done = 1.0;
    if (stats.left > 0)
      progress->left_done -= (gdouble)stats.left / upload->left_at_finish;
  }
}

/* Is it this caller's turn to tell? The last one waits for its turn, but not for
 * who stops the upload from within what is told. With the lock. */
static gboolean
may_tell (VodUpload *upload, gboolean last)
{
  while (last && upload->telling && upload->end == VOD_END_NONE)
    g_cond_wait (&upload->work, &upload->lock);
  if (last)
    return !upload->telling;
  return !upload->telling && !upload->ending && !upload->committed &&
      upload->end == VOD_END_NONE;
}

/* For which of the two rates is it time? FALSE: for none. With the lock. */
static gboolean
take_due (
    VodUpload *upload, gint64 now, gboolean last, VodUploadProgress *progress)
{
  progress->wanted =
      upload->progress_interval != 0 && (last || now >= upload->next_progress);
  progress->beat = last || now >= upload->next_beat;
  if (progress->wanted)
    upload->next_progress = now + upload->progress_interval * (gint64)1000;
  if (progress->beat)
    upload->next_beat = now + BEAT;
  return progress->wanted || progress->beat;
}

void
vod_upload_tell_progress (VodUpload *upload, gboolean last)
{
  VodUploadProgress progress;
  gint64 now = g_get_monotonic_time ();

  if (!last && now < atomic_load (&upload->next_look))
    return;
  atomic_store (&upload->next_look, now + LOOK_INTERVAL);

  g_mutex_lock (&upload->lock);
  vod_upload_measure_rate (upload);
  if (!may_tell (upload, last) || !take_due (upload, now, last, &progress)) {
    g_mutex_unlock (&upload->lock);
    return;
  }
  upload->telling = TRUE;
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

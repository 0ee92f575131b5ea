/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The streaming thread's side of an upload: writing, waiting for room, the end
 * of the stream. See vodupload-private.h for the lock.
 */
#include "vodupload-private.h"

#define TICK G_USEC_PER_SEC
#define HASTY_WAIT (20 * 1000)

#define MAX_PARTS VOD_SESSION_MAX_PARTS
#define WARN_PARTS 9000
#define WARN_BLOCKED (5 * G_USEC_PER_SEC)
#define WARN_TIME (23 * 3600 * (gint64)G_USEC_PER_SEC)

static VodFlow
flow_of (const VodUpload *upload)
{
  switch (upload->end) {
    case VOD_END_FAILED:
      return VOD_FLOW_FAILED;
    case VOD_END_STOPPED:
      return VOD_FLOW_STOPPED;
    case VOD_END_NONE:
    case VOD_END_DONE:
      break;
  }
  return upload->interrupted ? VOD_FLOW_INTERRUPTED : VOD_FLOW_OK;
}

/* Waits for `room`, watching over the workers' requests meanwhile: there is no
 * thread for that alone, and while nobody waits, nobody misses them. */
static void
wait_for_room (VodUpload *upload)
{
  vod_upload_ensure_workers (upload);
  vod_upload_check_overdue (upload);
  g_cond_wait_until (
      &upload->room, &upload->lock, g_get_monotonic_time () + TICK);
}

static GError *
write_error (VodUpload *upload, VodWriteResult result)
{
  VodSlicesStats stats;
  GError *error;

  vod_slices_get_stats (upload->slices, &stats);
  switch (result) {
    case VOD_WRITE_NO_PART:
      error = vod_error_new (VOD_ERROR_LIMIT,
          "The media needs more than %d parts: it cannot grow beyond "
          "%" G_GUINT64_FORMAT
          " bytes; record in pieces (splitmuxsink), or set "
          "slice-size and max-size-bytes higher",
          MAX_PARTS, stats.size);
      break;
    case VOD_WRITE_LOST:
      error = vod_error_new (VOD_ERROR_LOCAL,
          "The muxer rewrites byte %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
          ", which is in the spool only, and that takes no more: give "
          "state-dir room for the whole recording",
          stats.position, stats.size);
      break;
    case VOD_WRITE_HEAD_TOO_BIG:
      error = vod_error_new (VOD_ERROR_SEEK,
          "The muxer reserves %" G_GUINT64_FORMAT " bytes at the beginning to "
          "rewrite them later, more than half of max-size-bytes "
          "(%" G_GUINT64_FORMAT "): set spool=true, max-size-bytes higher, or "
          "the muxer's reserved-max-duration lower",
          stats.position, upload->settings.max_size_bytes);
      break;
    default:
      error = vod_error_new (VOD_ERROR_SEEK,
          "The muxer rewrites byte %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
          ", which was uploaded and is no longer held: set spool=true, "
          "max-size-bytes higher, or the muxer's streamable=true, a shorter "
          "min-cluster-duration or key frame distance, or a shorter "
          "reserved-max-duration",
          stats.position, stats.size);
      break;
  }
  vod_error_set_phase (error, VOD_PHASE_PART);
  return error;
}

static void
start_at_first_byte (VodUpload *upload)
{
  if (upload->step != VOD_STEP_IDLE)
    return;
  upload->step = vod_upload_first_step (upload);
  upload->started = g_get_monotonic_time ();
  vod_upload_ensure_workers (upload);
}

/* Is media copied and not made? Then a slice for each worker and one that is
 * being filled will do, as long as they go. */
static gboolean
is_hasty (VodUpload *upload, gint64 now)
{
  gboolean hasty = vod_haste_note (&upload->haste, now, upload->received);

  vod_slices_set_enough (
      upload->slices, hasty ? upload->settings.parallel_uploads + 1 : 0);
  return hasty;
}

/* There may be memory that was only not thought to be needed. */
static void
wait_in_haste (VodUpload *upload)
{
  vod_upload_ensure_workers (upload);
  if (g_cond_wait_until (
          &upload->room, &upload->lock, g_get_monotonic_time () + HASTY_WAIT))
    return;
  upload->haste.hasty = FALSE;
  vod_slices_set_enough (upload->slices, 0);
}

static void
wait_while_full (VodUpload *upload)
{
  gint64 since = g_get_monotonic_time ();

  if (upload->haste.hasty) {
    wait_in_haste (upload);
    return;
  }
  if (upload->blocked_since == 0)
    upload->blocked_since = since;
  /* What was held back may go now, or was cut only because there is no room. */
  g_cond_broadcast (&upload->work);
  wait_for_room (upload);
  upload->blocked_time += g_get_monotonic_time () - since;
}

/* There is memory again. An outage is over when half of it is free. */
static void
note_room (VodUpload *upload)
{
  VodSlicesStats stats;

  upload->blocked_since = 0;
  if (!upload->warned_blocked)
    return;
  vod_slices_get_stats (upload->slices, &stats);
  if (stats.left < upload->settings.max_size_bytes / 2)
    upload->warned_blocked = FALSE;
}

/* The spool has not taken the bytes: the next step will find them another
 * place. Gives up the lock. */
static void
mend_spool (VodUpload *upload, VodSpoolResult result, GError *error)
{
  g_mutex_unlock (&upload->lock);
  if (result == VOD_SPOOL_DIFFERS)
    vod_upload_part_ways (upload, NULL, FALSE);
  else
    vod_upload_leave_spool (upload, error, FALSE);
  g_mutex_lock (&upload->lock);
}

/* One step of a write. With the lock, which it gives up to copy and to wait.
 * The error is to be reported without the lock. */
static gsize
write_step (VodUpload *upload, const guint8 *data, gsize len, GError **error)
{
  VodWritePlan plan;
  VodWriteResult result;
  GError *spool_error = NULL;
  VodSpoolResult copied;
  gsize taken;

  result = vod_slices_begin_write (upload->slices, len, &plan);
  if (result == VOD_WRITE_FULL) {
    wait_while_full (upload);
    return 0;
  }
  note_room (upload);
  if (result != VOD_WRITE_OK) {
    *error = write_error (upload, result);
    return 0;
  }

  g_mutex_unlock (&upload->lock);
  copied = vod_slices_copy (&plan, data, &spool_error);
  g_mutex_lock (&upload->lock);
  if (copied != VOD_SPOOL_OK) {
    vod_slices_cancel_write (upload->slices, &plan);
    g_cond_broadcast (&upload->work);
    mend_spool (upload, copied, spool_error);
    return 0;
  }
  taken = vod_slices_end_write (upload->slices, &plan);
  if (plan.file)
    upload->spooled = vod_spool_size (plan.file);
  upload->received += taken;
  /* A worker may wait for the slice to be unpinned, or for one to be ready. */
  if (plan.slice->state != VOD_SLICE_FILLING)
    vod_upload_wake_workers (upload);
  return taken;
}

/* What the owner should hear, once each. With the lock. */
static const gchar *
due_warning (VodUpload *upload, VodUploadWarning *warning)
{
  gint64 now = g_get_monotonic_time ();

  *warning = VOD_UPLOAD_NEAR_LIMIT;
  if (!upload->warned_parts &&
      vod_slices_count (upload->slices) >= WARN_PARTS) {
    upload->warned_parts = TRUE;
    return "9000 of 10000 parts are used: end this recording soon, and set "
           "slice-size and max-size-bytes higher for the next";
  }
  if (!upload->warned_time && now - upload->started > WARN_TIME) {
    upload->warned_time = TRUE;
    return "This upload has lasted 23 hours, the service allows 24: end it, "
           "and record in pieces (splitmuxsink)";
  }
  if (!upload->warned_blocked && upload->blocked_since != 0 &&
      !upload->paused && now - upload->blocked_since > WARN_BLOCKED) {
    upload->warned_blocked = TRUE;
    *warning = VOD_UPLOAD_BLOCKED;
    if (vod_pace_get_rate (upload->settings.pace) != 0)
      return "max-upload-bitrate, or the network, does not keep up: "
             "max-size-bytes is used up, and upstream has been held back for "
             "5 seconds; set one of them higher, or spool=true";
    return "The network does not keep up: max-size-bytes is used up, and "
           "upstream has been held back for 5 seconds; set that higher, or "
           "spool=true, or make the stream smaller";
  }
  return NULL;
}

/* Gives up the lock to warn. */
static void
warn_if_due (VodUpload *upload)
{
  VodUploadWarning warning;
  const gchar *message = due_warning (upload, &warning);

  if (message == NULL)
    return;
  g_mutex_unlock (&upload->lock);
  upload->events.warning (warning, message, NULL, upload->data);
  g_mutex_lock (&upload->lock);
}

/* After a write: is there something to sync, a thread to ask for again, or a
 * slice to send that was none before? One is cut if it is time; and what was
 * held back goes as the stream grows, without a cut. */
static gboolean
has_more_to_do (VodUpload *upload)
{
  gint64 now = g_get_monotonic_time (), wake = G_MAXINT64;

  if (!is_hasty (upload, now) && vod_slices_worth_cutting (upload->slices) &&
      vod_slices_cut (upload->slices, vod_upload_idle_workers (upload), now))
    return TRUE;
  if (vod_upload_sync_due (upload, now, &wake))
    return TRUE;
  if (upload->next_thread != 0 && now >= upload->next_thread)
    return TRUE;
  return vod_slices_holds_back (upload->slices) &&
      vod_slices_sendable (upload->slices, now) > 0;
}

VodFlow
vod_upload_write (
    VodUpload *upload, const guint8 *data, gsize len, gsize *taken)
{
  GError *error = NULL;
  VodSlicesStats stats;
  VodFlow flow;

  *taken = 0;
  if (len > 0 && !vod_upload_prepare (upload))
    return VOD_FLOW_FAILED;
  vod_upload_heed_spool (upload);
  g_mutex_lock (&upload->lock);
  if (len > 0)
    start_at_first_byte (upload);
  while ((flow = flow_of (upload)) == VOD_FLOW_OK && *taken < len && !error &&
      !upload->crew_trouble) {
    *taken += write_step (upload, data + *taken, len - *taken, &error);
    warn_if_due (upload);
  }
  if (flow == VOD_FLOW_OK && !error) {
    if (has_more_to_do (upload))
      vod_upload_wake_workers (upload);
    vod_upload_check_overdue (upload);
  }
  if (error == NULL)
    error = g_steal_pointer (&upload->crew_trouble);
  if (*taken > 0) {
    vod_slices_get_stats (upload->slices, &stats);
    upload->recorded_to = stats.position;
  }
  g_mutex_unlock (&upload->lock);

  if (error) {
    vod_upload_fail (upload, error);
    return VOD_FLOW_FAILED;
  }
  return flow;
}

void
vod_upload_seek (VodUpload *upload, guint64 position)
{
  g_mutex_lock (&upload->lock);
  vod_slices_seek (upload->slices, position);
  upload->recorded_to = position;
  g_mutex_unlock (&upload->lock);
}

void
vod_upload_finish (VodUpload *upload)
{
  VodSlicesStats stats;
  gboolean begun;

  g_mutex_lock (&upload->lock);
  begun = upload->closing || upload->ending || upload->end != VOD_END_NONE;
  vod_slices_get_stats (upload->slices, &stats);
  g_mutex_unlock (&upload->lock);
  if (begun)
    return;
  vod_upload_write_notes (upload);
  vod_log (&upload->settings.log, VOD_LOG_INFO,
      "end of stream: %" G_GUINT64_FORMAT " bytes, of which %" G_GUINT64_FORMAT
      " are left to be sent",
      stats.size, stats.left);

  /* An earlier recording that is longer is another one. */
  if (upload->spooling && vod_spool_left (vod_local_spool (upload->local)) > 0)
    vod_upload_part_ways (upload, NULL, FALSE);

  /* Said before any worker can be done with what is left. */
  upload->events.milestone (VOD_UPLOAD_CLOSING, upload->data);

  g_mutex_lock (&upload->lock);
  upload->closing = TRUE;
  vod_slices_finish (upload->slices);
  vod_slices_get_stats (upload->slices, &stats);
  upload->left_at_finish = stats.left;
  upload->next_beat = 0;
  vod_upload_wake_workers (upload);
  g_mutex_unlock (&upload->lock);
}

VodFlow
vod_upload_wait (VodUpload *upload)
{
  VodFlow flow;

  g_mutex_lock (&upload->lock);
  while (
      (flow = flow_of (upload)) == VOD_FLOW_OK && upload->end != VOD_END_DONE) {
    if (upload->spool_trouble || upload->crew_trouble) {
      g_mutex_unlock (&upload->lock);
      vod_upload_heed_spool (upload);
      vod_upload_heed_crew (upload);
      g_mutex_lock (&upload->lock);
    } else {
      wait_for_room (upload);
    }
  }
  g_mutex_unlock (&upload->lock);
  return flow;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many workers an upload has. They are started when there is more to do than
 * those without a job can, and end when they have had none for a while; the last
 * stays. One is the upload's own, and one more while it spools, so that
 * the disk does not wait for the network; all others take slots of the
 * process' budget. Where many uploads wait for the network, each is so left with
 * one worker, which tries one part now and then.
 *
 * See vodupload-private.h for the lock; functions here are called with it unless
 * they say otherwise.
 */
#include "../cloud/vodthrottle.h"
#include "vodupload-private.h"

/* A slot that others wait for lies idle no longer than this. */
#define SCARCE_IDLE G_USEC_PER_SEC
#define THREAD_PAUSE (100 * 1000) /* µs: after none could be had */

static void
count_workers (const VodUpload *upload, guint *running, guint *busy)
{
  *running = *busy = 0;
  for (guint i = 0; i < upload->workers->len; i++) {
    const VodWorker *worker = g_ptr_array_index (upload->workers, i);

    if (!worker->leaving)
      (*running)++;
    if (worker->busy)
      (*busy)++;
  }
}

gboolean
vod_upload_is_cut_off (const VodUpload *upload)
{
  return upload->failing_since != 0 &&
      vod_upload_failing_for (upload) >= upload->settings.outage * (gint64)1000;
}

/* Parts that may be in flight together, if there are slots. */
static guint
most_parts (const VodUpload *upload)
{
  if (vod_upload_is_cut_off (upload))
    return 1;
  return vod_throttle_connections (vod_pace_get_rate (upload->settings.pace),
      upload->settings.parallel_uploads);
}

gboolean
vod_upload_has_room (const VodUpload *upload)
{
  return upload->parts_in_flight <
      MIN (most_parts (upload), 1 + upload->share.held);
}

guint
vod_upload_idle_workers (VodUpload *upload)
{
  guint most, running, busy;

  /* While nothing goes out, small slices would only use up numbers. */
  if (upload->step != VOD_STEP_PARTS || upload->failing_since != 0 ||
      upload->renew_wanted || upload->paused)
    return 0;
  most = MIN (most_parts (upload), 1 + upload->share.held + vod_budget_left ());
  count_workers (upload, &running, &busy);
  return most - MIN (busy, most);
}

/* Who asks for milestones hears only when there are twice as many as before. */
static void
note_workers (VodUpload *upload, guint running)
{
  gboolean most = running == upload->settings.parallel_uploads;

  vod_upload_note (
      upload, VOD_LOG_TRACE, "a worker begins; there are %u", running);
  if (running < 2 * upload->told_workers &&
      (!most || running == upload->told_workers))
    return;
  upload->told_workers = running;
  vod_upload_note (
      upload, VOD_LOG_INFO, "%u worker%s", running, running > 1 ? "s" : "");
}

static gboolean
start_worker (VodUpload *upload, GError **error)
{
  VodWorker *worker = g_new0 (VodWorker, 1);

  worker->upload = vod_upload_ref (upload);
  worker->thread =
      g_thread_try_new ("vod-upload", vod_worker_main, worker, error);
  if (worker->thread == NULL) {
    vod_upload_unref (upload);
    g_free (worker);
    return FALSE;
  }
  g_ptr_array_add (upload->workers, worker);
  upload->next_thread = 0;
  g_clear_error (&upload->crew_trouble);
  return TRUE;
}

/* There is no thread for another worker, because of @reason. Some do with those
 * that they have; who has none waits for one, as for an answer. */
static void
note_no_thread (VodUpload *upload, guint running, const GError *reason)
{
  gint64 now = g_get_monotonic_time ();

  upload->next_thread = now + THREAD_PAUSE;
  if (!upload->told_threads)
    vod_upload_note (upload, VOD_LOG_WARNING,
        "no thread can be had for another worker: %s", reason->message);
  upload->told_threads = TRUE;
  if (running > 0 || upload->crew_trouble ||
      vod_upload_time_left_since (upload, now, now) > 0)
    return;
  upload->crew_trouble = vod_error_new (VOD_ERROR_LOCAL,
      "There is no thread to upload with (%s): raise the limit of threads "
      "(ulimit -u; of a service or container, TasksMax or pids.max)",
      reason->message);
  vod_error_set_phase (upload->crew_trouble, VOD_PHASE_APPLY);
  g_cond_broadcast (&upload->room);
}

static void
start_workers (VodUpload *upload, guint running, guint wanted)
{
  g_autoptr (GError) error = NULL;

  if (running >= wanted)
    upload->next_thread = 0;
  else if (g_get_monotonic_time () < upload->next_thread)
    return;
  for (; running < wanted; note_workers (upload, ++running))
    if (!start_worker (upload, &error)) {
      note_no_thread (upload, running, error);
      break;
    }
}

void
vod_upload_heed_crew (VodUpload *upload)
{
  GError *error;

  g_mutex_lock (&upload->lock);
  error = g_steal_pointer (&upload->crew_trouble);
  g_mutex_unlock (&upload->lock);
  if (error)
    vod_upload_fail (upload, error);
}

/* Parts that could be begun now. */
static guint
wanted_parts (VodUpload *upload, gint64 now)
{
  guint most = most_parts (upload);

  if (upload->step != VOD_STEP_PARTS || upload->paused ||
      upload->parts_in_flight >= most)
    return 0;
  return MIN (vod_slices_sendable (upload->slices, now),
      most - upload->parts_in_flight);
}

/* Workers that have something to do now, besides those that do something. */
static guint
wanted_workers (VodUpload *upload, guint parts, gint64 now)
{
  gint64 wake = G_MAXINT64;
  guint wanted;

  if (upload->step != VOD_STEP_PARTS)
    wanted =
        !upload->step_try.busy || vod_upload_cover_due (upload, now, &wake);
  else if (upload->paused)
    wanted = 0;
  else
    wanted = parts + !upload->swept + vod_upload_cover_due (upload, now, &wake);
  if (vod_upload_sync_due (upload, now, &wake))
    wanted++;
  return wanted;
}

/* Gets in line if there are not enough. */
static void
claim_slots (VodUpload *upload, guint wanted)
{
  guint before = upload->share.held;

  while (upload->share.held < wanted)
    if (!vod_share_take (&upload->share))
      break;
  if (upload->share.held >= wanted)
    vod_share_forget (&upload->share);
  if (upload->share.held > before)
    g_cond_broadcast (&upload->work);
}

static guint
minus (guint a, guint b)
{
  return a - MIN (a, b);
}

void
vod_upload_ensure_workers (VodUpload *upload)
{
  gint64 now = g_get_monotonic_time ();
  guint running, busy, parts, wanted, own, most;

  if (upload->step == VOD_STEP_IDLE || upload->end != VOD_END_NONE ||
      upload->ending)
    return;
  count_workers (upload, &running, &busy);
  parts = wanted_parts (upload, now);
  wanted = busy + wanted_workers (upload, parts, now);
  own = upload->spooling ? 2 : 1;
  most = most_parts (upload);
  /* A slot for each part but one, and for each worker that is not our own. */
  claim_slots (upload,
      MIN (
          MAX (minus (upload->parts_in_flight + parts, 1), minus (wanted, own)),
          most - 1));
  most = MIN (MAX (wanted, 1), MIN (most - 1, upload->share.held) + own);
  start_workers (upload, running, most);
}

void
vod_upload_wake_workers (VodUpload *upload)
{
  g_cond_broadcast (&upload->work);
  vod_upload_ensure_workers (upload);
}

gboolean
vod_upload_has_another (
    const VodUpload *upload, const VodWorker *worker, gboolean settled)
{
  for (guint i = 0; i < upload->workers->len; i++) {
    const VodWorker *other = g_ptr_array_index (upload->workers, i);

    if (other != worker && !other->leaving &&
        (!settled || (other->http && !other->in_app)))
      return TRUE;
  }
  return FALSE;
}

static gboolean
can_spare (const VodUpload *upload, const VodWorker *worker)
{
  return upload->end == VOD_END_NONE && !upload->ending &&
      vod_upload_has_another (upload, worker, TRUE);
}

gboolean
vod_upload_yield_slot (VodUpload *upload, const VodWorker *worker)
{
  if (upload->share.held == 0 || !can_spare (upload, worker) ||
      !vod_share_is_rich (&upload->share))
    return FALSE;
  vod_share_give (&upload->share, 1);
  return TRUE;
}

gboolean
vod_upload_is_spare (const VodUpload *upload, const VodWorker *worker,
    gint64 idle_since, gint64 *wake)
{
  gint64 until;

  if (!can_spare (upload, worker))
    return FALSE;
  until = idle_since + upload->settings.worker_idle * (gint64)1000;
  if (upload->share.held > 0 && vod_budget_is_scarce ())
    until = MIN (until, idle_since + SCARCE_IDLE);
  if (g_get_monotonic_time () >= until)
    return TRUE;
  *wake = MIN (*wake, until);
  return FALSE;
}

void
vod_upload_trim_share (VodUpload *upload)
{
  guint running, busy, most;

  count_workers (upload, &running, &busy);
  most = minus (running, 1);
  vod_share_give (&upload->share, minus (upload->share.held, most));
  if (upload->end != VOD_END_NONE)
    vod_share_forget (&upload->share);
}

void
vod_upload_wake_share (gpointer data)
{
  VodUpload *upload = data;

  g_mutex_lock (&upload->lock);
  vod_upload_wake_workers (upload);
  vod_upload_trim_share (upload);
  g_mutex_unlock (&upload->lock);
}

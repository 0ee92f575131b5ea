/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The clock of retry-duration: how long nothing has got through, without what of
 * that time stood still. See vodupload-private.h for the lock; functions here are
 * called with it.
 */
#include "vodjob.h"
#include "vodretry.h"
#include "vodupload-private.h"

/* What of the time since the first failure has stood still. What waited for the
 * pace while another reason held is in it twice: never more than there was. */
static gint64
held_until (const VodUpload *upload, gint64 now)
{
  gint64 held = upload->held;

  if (upload->failing_since == 0)
    return 0;
  if (upload->still > 0)
    held += now - MAX (upload->still_since, upload->failing_since);
  return MIN (held, now - upload->failing_since);
}

gint64
vod_upload_failing_for (const VodUpload *upload)
{
  gint64 now = g_get_monotonic_time ();

  return upload->failing_since == 0
      ? 0
      : now - upload->failing_since - held_until (upload, now);
}

void
vod_upload_forget_failures (VodUpload *upload)
{
  upload->failing_since = 0;
  upload->held = 0;
  upload->counted_to = 0;
}

void
vod_upload_count_pause (VodUpload *upload, gint64 until)
{
  upload->counted_to = MAX (upload->counted_to, until);
}

/* As with the first, its waiting for the pace is taken to have come before what
 * else it did; and no moment of it stands still in which another was pausing, or
 * that was looked at already: else several in turn could go on failing without
 * end. */
void
vod_upload_leave_out_waiting (VodUpload *upload, const VodJob *job)
{
  gint64 now = g_get_monotonic_time ();
  gint64 from = MAX (upload->failing_since, upload->counted_to);
  gint64 waited_to = job->begun + job->held;

  if (upload->failing_since == 0)
    return;
  upload->held += MAX (waited_to - MAX (from, job->begun), 0);
  upload->held = MIN (upload->held, now - upload->failing_since);
  vod_upload_count_pause (upload, now);
}

void
vod_upload_stand_still (VodUpload *upload, gboolean still)
{
  gint64 now = g_get_monotonic_time ();

  if (still) {
    if (upload->still++ == 0)
      upload->still_since = now;
  } else if (upload->still == 1) {
    upload->held = held_until (upload, now);
    upload->still = 0;
  } else {
    upload->still--;
  }
}

gint64
vod_upload_time_left_since (VodUpload *upload, gint64 since, gint64 now)
{
  if (upload->failing_since == 0)
    upload->failing_since = MAX (since, upload->last_success);
  return vod_retry_left (now, upload->failing_since, held_until (upload, now),
      upload->retry_duration);
}

gint64
vod_upload_time_left (VodUpload *upload, const VodJob *job, gint64 now)
{
  return vod_upload_time_left_since (upload, job->begun + job->held, now);
}

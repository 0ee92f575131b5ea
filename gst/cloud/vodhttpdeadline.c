/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodhttpdeadline.h"

void
vod_http_deadline_set (VodHttpDeadline *deadline, gint64 at)
{
  deadline->at = at;
  deadline->held_since = 0;
  atomic_store (&deadline->seen, at);
}

void
vod_http_deadline_hold (VodHttpDeadline *deadline)
{
  atomic_store (&deadline->seen, 0);
  deadline->held_since = g_get_monotonic_time ();
}

void
vod_http_deadline_go_on (VodHttpDeadline *deadline)
{
  gint64 held = g_get_monotonic_time () - deadline->held_since;

  deadline->at += held;
  deadline->held += held;
  deadline->held_since = 0;
  atomic_store (&deadline->seen, deadline->at);
}

gboolean
vod_http_deadline_passed (const VodHttpDeadline *deadline)
{
  return deadline->held_since == 0 && deadline->at != 0 &&
      g_get_monotonic_time () > deadline->at;
}

gboolean
vod_http_deadline_overdue (VodHttpDeadline *deadline)
{
  /* The time first: should it stand still and go on after that, what is seen is
   * later than this. */
  gint64 now = g_get_monotonic_time ();
  gint64 at = atomic_load (&deadline->seen);

  return at != 0 && now > at;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodthrottle.h"

#define BYTE (8 * (gint64)G_USEC_PER_SEC) /* in credit */
#define DEPTH (G_USEC_PER_SEC / 5)        /* µs */
#define PIECES 10                         /* a second, at low rates */
#define MAX_RATE G_GUINT64_CONSTANT (10000000000000) /* as good as no limit */
#define MAX_DEBT (G_MAXINT64 / 2)
#define LEAST_EACH (32 * 1024) /* bytes/s */

/* What the bucket holds; one byte in any case. With MAX_RATE and MAX_DEBT no sum
 * or product here leaves gint64. */
static gint64
depth_of (const VodThrottle *throttle)
{
  return MAX ((gint64)throttle->rate * DEPTH, BYTE);
}

static void
settle (VodThrottle *throttle, gint64 now)
{
  gint64 rate = (gint64)throttle->rate, depth = depth_of (throttle);
  gint64 passed = now - throttle->at;

  if (passed <= 0)
    return;
  throttle->at = now;
  if (passed > (depth - throttle->credit) / rate)
    throttle->credit = depth;
  else
    throttle->credit += passed * rate;
}

void
vod_throttle_set_rate (VodThrottle *throttle, gint64 now, guint64 rate)
{
  rate = MIN (rate, MAX_RATE);
  if (rate == 0 || throttle->rate == 0) {
    *throttle = (VodThrottle){.rate = rate, .at = now};
    return;
  }
  settle (throttle, now);
  throttle->rate = rate;
  throttle->credit = MIN (throttle->credit, depth_of (throttle));
}

gsize
vod_throttle_take (
    VodThrottle *throttle, gint64 now, gsize wanted, gint64 *wait)
{
  gsize piece;
  gint64 lack;

  *wait = 0;
  if (throttle->rate == 0)
    return wanted;
  settle (throttle, now);
  piece = MIN (wanted, MAX (throttle->rate / (8 * PIECES), 1));
  lack = (gint64)piece * BYTE - throttle->credit;
  if (lack > 0) {
    *wait = (lack - 1) / (gint64)throttle->rate + 1;
    return 0;
  }
  throttle->credit = -lack;
  return piece;
}

void
vod_throttle_charge (VodThrottle *throttle, gint64 now, gsize bytes)
{
  if (throttle->rate == 0)
    return;
  settle (throttle, now);
  bytes = MIN (bytes, (gsize)(MAX_DEBT / BYTE));
  throttle->credit = MAX (throttle->credit - (gint64)bytes * BYTE, -MAX_DEBT);
}

guint
vod_throttle_connections (guint64 rate, guint most)
{
  if (rate == 0)
    return most;
  return (guint)CLAMP (rate / (8 * LEAST_EACH), 1, MAX (most, 1));
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodthrottle: how many bytes may go, and when, so that they keep to a rate: a
 * token bucket. Pure: the caller passes the time (monotonic µs) and does the
 * waiting. Not thread-safe; see vodpace.h for what several threads share.
 *
 * In any span of time T no more goes than rate × T and what the bucket holds:
 * 200 ms worth, which is 2 % of ten seconds. A stall earns no more than that.
 * Nothing is rounded: credit is counted in millionths of a bit, of which one µs
 * brings as many as the rate has bit/s.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* All zero: no limit. */
typedef struct {
  guint64 rate;  /* bit/s; 0: no limit */
  gint64 credit; /* 10^-6 bit; negative: a debt */
  gint64 at;     /* when that was counted, monotonic µs */
} VodThrottle;

/* From @now on @rate bit/s (0: no limit; any other value is good). A debt goes
 * on, unless there was no limit or is none any more. */
void vod_throttle_set_rate (VodThrottle *throttle, gint64 now, guint64 rate);

/* Takes some of @wanted (> 0) bytes and returns how many: all of them, or about
 * 100 ms worth at low rates, so that slow takers are served evenly. 0: none
 * may go yet, but in *@wait µs, if the rate does not change and nobody else
 * takes any. */
gsize vod_throttle_take (
    VodThrottle *throttle, gint64 now, gsize wanted, gint64 *wait);

/* @bytes have gone without asking: a debt for who takes next. */
void vod_throttle_charge (VodThrottle *throttle, gint64 now, gsize bytes);

/* How many of at most @most connections are of use at @rate bit/s: so many that
 * each has 32 KiB/s, as servers drop those that crawl; at least one. */
guint vod_throttle_connections (guint64 rate, guint most);

G_END_DECLS

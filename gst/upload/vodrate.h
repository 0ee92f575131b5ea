/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodrate: bytes per second over the last seconds. Pure; the caller locks.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define VOD_RATE_SLOTS 10
#define VOD_RATE_SLOT (G_USEC_PER_SEC / 2)

/* Zero-initialised: nothing yet. */
typedef struct {
  guint64 bytes[VOD_RATE_SLOTS];
  gint64 slot;  /* number of the newest slot */
  gint64 first; /* µs: when counting began */
} VodRate;

/* @now: monotonic µs, never falling. */
void vod_rate_add (VodRate *rate, gint64 now, guint64 bytes);
guint64 vod_rate_get (VodRate *rate, gint64 now);

G_END_DECLS

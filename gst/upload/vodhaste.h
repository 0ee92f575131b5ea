/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhaste: does media come so fast, and for so long, that it is copied and not
 * made? Then it is not worth while to cut a slice before it is full because a
 * worker is idle: the rest of it comes within milliseconds, and each request
 * costs. A recording that comes in bursts is not hasty. Pure; the caller locks.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* 64 MiB/s and more, over so many bytes at least. */
#define VOD_HASTE_BYTES (16 * 1024 * 1024)
#define VOD_HASTE_TIME (G_USEC_PER_SEC / 4)

/* Zero-initialised: nothing has come. */
typedef struct {
  guint64 from; /* bytes received when the window began … */
  gint64 since; /* … monotonic µs */
  gboolean hasty;
} VodHaste;

/* So many bytes have come in all. @now and @received never fall. */
gboolean vod_haste_note (VodHaste *haste, gint64 now, guint64 received);

G_END_DECLS

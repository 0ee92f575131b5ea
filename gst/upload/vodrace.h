/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodrace: the same asked of several at once, and the first one to answer.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* What racer number @index does, in a thread of its own, until it has arrived
 * (TRUE), has failed (FALSE), or @cancellable is cancelled: then it returns
 * soon. */
typedef gboolean (*VodRacer) (
    guint index, GCancellable *cancellable, gpointer data);

/* Lets @n racers run at the same time, until the first has arrived, all have
 * failed, it is @deadline (monotonic µs), or @cancellable (may be NULL) is
 * cancelled. Then cancels the others and waits for their threads to end. Returns
 * the number of who came first, or -1. Blocks; any thread. */
gint vod_race (guint n, VodRacer racer, gpointer data, gint64 deadline,
    GCancellable *cancellable);

G_END_DECLS

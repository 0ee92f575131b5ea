/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodpace: a rate that several connections keep together: one VodThrottle, and
 * the waiting for it. Whoever sends takes its turn first; turns come in the order
 * in which they were asked for, a piece each, so that none starves.
 *
 * Any function from any thread. Reference counted. The lock is its own, held for
 * arithmetic only; no other lock is taken under it.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _VodPace VodPace;

/* Without a limit. */
VodPace *vod_pace_new (void);
VodPace *vod_pace_ref (VodPace *pace);
void vod_pace_unref (VodPace *pace);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VodPace, vod_pace_unref)

/* bit/s; 0: no limit. Counts from now on, also for those who wait. */
void vod_pace_set_rate (VodPace *pace, guint64 rate);
guint64 vod_pace_get_rate (VodPace *pace);

/* Waits until some of @wanted (> 0) bytes may go, and returns how many. 0:
 * @cancellable (may be NULL) was cancelled. Without a limit this costs one
 * atomic load. */
gsize vod_pace_take (VodPace *pace, gsize wanted, GCancellable *cancellable);

/* @bytes go without waiting; others wait for them. */
void vod_pace_charge (VodPace *pace, gsize bytes);

G_END_DECLS

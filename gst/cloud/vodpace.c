/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodpace.h"

#include <stdatomic.h>

#include "vodthrottle.h"

/* At high rates one wait serves several pieces. */
#define LEAST_WAIT (2 * G_TIME_SPAN_MILLISECOND)

struct _VodPace {
  _Atomic guint64 rate; /* as it was set */

  GMutex lock; /* what follows */
  VodThrottle throttle;
  GQueue waiting; /* of Turn, in the order in which they came */
};

/* Of one who waits; on its stack. */
typedef struct {
  VodPace *pace;
  GCond cond; /* it may be the first now, or need not wait any more */
  GList link;
} Turn;

VodPace *
vod_pace_new (void)
{
  VodPace *pace = g_atomic_rc_box_new0 (VodPace);

  g_mutex_init (&pace->lock);
  g_queue_init (&pace->waiting);
  return pace;
}

VodPace *
vod_pace_ref (VodPace *pace)
{
  return g_atomic_rc_box_acquire (pace);
}

static void
pace_clear (gpointer memory)
{
  VodPace *pace = memory;

  g_mutex_clear (&pace->lock);
}

void
vod_pace_unref (VodPace *pace)
{
  g_atomic_rc_box_release_full (pace, pace_clear);
}

void
vod_pace_set_rate (VodPace *pace, guint64 rate)
{
  g_mutex_lock (&pace->lock);
  if (atomic_load (&pace->rate) != rate) {
    vod_throttle_set_rate (&pace->throttle, g_get_monotonic_time (), rate);
    atomic_store (&pace->rate, rate);
    for (GList *l = pace->waiting.head; l; l = l->next)
      g_cond_signal (&((Turn *)l->data)->cond);
  }
  g_mutex_unlock (&pace->lock);
}

guint64
vod_pace_get_rate (VodPace *pace)
{
  return atomic_load (&pace->rate);
}

static void
on_cancelled (GCancellable *cancellable, Turn *turn)
{
  g_mutex_lock (&turn->pace->lock);
  g_cond_signal (&turn->cond);
  g_mutex_unlock (&turn->pace->lock);
}

/* In line, with the lock, which it gives up to wait. */
static gsize
wait_in_line (Turn *turn, gsize wanted, GCancellable *cancellable)
{
  VodPace *pace = turn->pace;

  while (!g_cancellable_is_cancelled (cancellable)) {
    gint64 now = g_get_monotonic_time (), wait;
    gsize taken;

    if (pace->throttle.rate != 0 && pace->waiting.head != &turn->link) {
      g_cond_wait (&turn->cond, &pace->lock);
      continue;
    }
    taken = vod_throttle_take (&pace->throttle, now, wanted, &wait);
    if (taken > 0)
      return taken;
    g_cond_wait_until (&turn->cond, &pace->lock, now + MAX (wait, LEAST_WAIT));
  }
  return 0;
}

static gsize
take_turn (VodPace *pace, gsize wanted, GCancellable *cancellable)
{
  Turn turn = {.pace = pace};
  gulong id = 0;
  gsize taken;

  g_cond_init (&turn.cond);
  turn.link.data = &turn;
  /* Connecting and disconnecting may call or wait for the handler, which wants
   * the lock. */
  if (cancellable)
    id = g_cancellable_connect (
        cancellable, G_CALLBACK (on_cancelled), &turn, NULL);
  g_mutex_lock (&pace->lock);
  g_queue_push_tail_link (&pace->waiting, &turn.link);
  taken = wait_in_line (&turn, wanted, cancellable);
  g_queue_unlink (&pace->waiting, &turn.link);
  if (pace->waiting.head)
    g_cond_signal (&((Turn *)pace->waiting.head->data)->cond);
  g_mutex_unlock (&pace->lock);
  g_cancellable_disconnect (cancellable, id);
  g_cond_clear (&turn.cond);
  return taken;
}

gsize
vod_pace_take (VodPace *pace, gsize wanted, GCancellable *cancellable)
{
  gsize taken = 0;
  gint64 wait;

  if (atomic_load (&pace->rate) == 0)
    return wanted;
  g_mutex_lock (&pace->lock);
  if (pace->waiting.head == NULL)
    taken = vod_throttle_take (
        &pace->throttle, g_get_monotonic_time (), wanted, &wait);
  g_mutex_unlock (&pace->lock);
  return taken > 0 ? taken : take_turn (pace, wanted, cancellable);
}

void
vod_pace_charge (VodPace *pace, gsize bytes)
{
  if (atomic_load (&pace->rate) == 0)
    return;
  g_mutex_lock (&pace->lock);
  vod_throttle_charge (&pace->throttle, g_get_monotonic_time (), bytes);
  g_mutex_unlock (&pace->lock);
}

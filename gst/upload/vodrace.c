/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A race lives on the stack of vod_race(), which joins all threads before it
 * returns. Its lock guards `running`, `winner` and `over`; it is held during
 * nothing else.
 */
#include "vodrace.h"

typedef struct {
  VodRacer racer;
  gpointer data;
  GCancellable *cancellable; /* of all racers; ours */

  GMutex lock;
  GCond cond;
  guint running;
  gint winner; /* -1: nobody yet */
  gboolean over;
} Race;

typedef struct {
  Race *race;
  guint index;
} Lane;

static gpointer
run_lane (gpointer data)
{
  Lane *lane = data;
  Race *race = lane->race;
  gboolean arrived = race->racer (lane->index, race->cancellable, race->data);

  g_mutex_lock (&race->lock);
  race->running--;
  if (arrived && !race->over && race->winner < 0)
    race->winner = (gint)lane->index;
  g_cond_signal (&race->cond);
  g_mutex_unlock (&race->lock);
  return NULL;
}

static void
on_cancelled (GCancellable *cancellable, Race *race)
{
  g_mutex_lock (&race->lock);
  race->over = TRUE;
  g_cond_signal (&race->cond);
  g_mutex_unlock (&race->lock);
}

static void
wait_for_winner (Race *race, gint64 deadline)
{
  g_mutex_lock (&race->lock);
  while (race->winner < 0 && race->running > 0 && !race->over)
    if (!g_cond_wait_until (&race->cond, &race->lock, deadline))
      race->over = TRUE;
  race->over = TRUE;
  g_mutex_unlock (&race->lock);
}

/* One that gets no thread does not take part. */
static GThread *
start_lane (Lane *lane)
{
  GThread *thread;

  g_mutex_lock (&lane->race->lock);
  lane->race->running++;
  g_mutex_unlock (&lane->race->lock);
  thread = g_thread_try_new ("vod-race", run_lane, lane, NULL);
  if (!thread) {
    g_mutex_lock (&lane->race->lock);
    lane->race->running--;
    g_mutex_unlock (&lane->race->lock);
  }
  return thread;
}

gint
vod_race (guint n, VodRacer racer, gpointer data, gint64 deadline,
    GCancellable *cancellable)
{
  Race race = {.racer = racer, .data = data, .winner = -1};
  g_autofree Lane *lanes = g_new0 (Lane, n);
  g_autofree GThread **threads = g_new0 (GThread *, n);
  gulong id = 0;

  if (g_cancellable_is_cancelled (cancellable))
    return -1;
  g_mutex_init (&race.lock);
  g_cond_init (&race.cond);
  race.cancellable = g_cancellable_new ();
  for (guint i = 0; i < n; i++) {
    lanes[i] = (Lane){&race, i};
    threads[i] = start_lane (&lanes[i]);
  }
  if (cancellable)
    id = g_cancellable_connect (
        cancellable, G_CALLBACK (on_cancelled), &race, NULL);
  wait_for_winner (&race, deadline);
  g_cancellable_disconnect (cancellable, id);
  g_cancellable_cancel (race.cancellable);
  for (guint i = 0; i < n; i++)
    if (threads[i])
      g_thread_join (threads[i]);
  g_object_unref (race.cancellable);
  g_cond_clear (&race.cond);
  g_mutex_clear (&race.lock);
  return race.winner;
}

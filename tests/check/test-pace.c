/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A rate that several threads keep together. What is asserted of time is what a
 * loaded machine cannot spoil: that no more went than the time allowed, that
 * nobody is forgotten, that waiting ends.
 */
#include "vodpace.h"

#define S ((gint64)G_USEC_PER_SEC)
#define TAKERS 8
#define PIECE 8192

typedef struct {
  VodPace *pace;
  GCancellable *cancellable;
  gsize wanted;
  gint begun;    /* atomic */
  gint returned; /* atomic */
  gsize taken;   /* by the thread */
  guint turns;
} Taker;

static gpointer
take_once (gpointer data)
{
  Taker *taker = data;

  g_atomic_int_set (&taker->begun, 1);
  taker->taken = vod_pace_take (taker->pace, taker->wanted, taker->cancellable);
  g_atomic_int_set (&taker->returned, 1);
  return NULL;
}

static gpointer
take_until_cancelled (gpointer data)
{
  Taker *taker = data;
  gsize taken;

  while (!g_cancellable_is_cancelled (taker->cancellable) &&
      (taken = vod_pace_take (taker->pace, taker->wanted, taker->cancellable)) >
          0) {
    taker->taken += taken;
    taker->turns++;
  }
  return NULL;
}

static void
start (Taker takers[TAKERS], GThread *threads[TAKERS], GThreadFunc func,
    VodPace *pace, GCancellable *cancellable)
{
  for (guint i = 0; i < TAKERS; i++) {
    takers[i] =
        (Taker){.pace = pace, .cancellable = cancellable, .wanted = PIECE};
    threads[i] = g_thread_new ("taker", func, &takers[i]);
  }
}

/* Until all are about to take, and a little more. */
static void
let_them_wait (Taker takers[TAKERS])
{
  for (guint i = 0; i < TAKERS; i++)
    while (!g_atomic_int_get (&takers[i].begun))
      g_usleep (1000);
  g_usleep (50000);
  for (guint i = 0; i < TAKERS; i++)
    g_assert_false (g_atomic_int_get (&takers[i].returned));
}

static void
join (GThread *threads[TAKERS])
{
  for (guint i = 0; i < TAKERS; i++)
    g_thread_join (threads[i]);
}

static void
test_together_they_keep_the_rate (void)
{
  g_autoptr (VodPace) pace = vod_pace_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Taker takers[TAKERS];
  GThread *threads[TAKERS];
  gint64 begin = g_get_monotonic_time (), passed;
  guint64 all = 0;
  guint least = G_MAXUINT, most = 0;

  vod_pace_set_rate (pace, 16 * 8 * PIECE);
  start (takers, threads, take_until_cancelled, pace, cancellable);
  g_usleep (3 * S);
  g_cancellable_cancel (cancellable);
  join (threads);
  passed = g_get_monotonic_time () - begin;
  for (guint i = 0; i < TAKERS; i++) {
    all += takers[i].taken;
    least = MIN (least, takers[i].turns);
    most = MAX (most, takers[i].turns);
  }
  g_assert_cmpfloat (all, <=, 16.0 * PIECE * ((gdouble)passed / S + 0.2));
  /* Six turns each. Who comes back before the others have had theirs waits for
   * them; it takes a delay of half a second to miss one. */
  g_assert_cmpuint (least, >=, 1);
  g_assert_cmpuint (most - least, <=, 2);
}

static void
test_all_go_when_the_limit_does (gconstpointer data)
{
  g_autoptr (VodPace) pace = vod_pace_new ();
  Taker takers[TAKERS];
  GThread *threads[TAKERS];
  gint64 begin;

  vod_pace_set_rate (pace, 1);
  start (takers, threads, take_once, pace, NULL);
  let_them_wait (takers);
  begin = g_get_monotonic_time ();
  vod_pace_set_rate (pace, *(const guint64 *)data);
  join (threads);
  g_assert_cmpint (g_get_monotonic_time () - begin, <, S);
  for (guint i = 0; i < TAKERS; i++)
    g_assert_cmpuint (takers[i].taken, ==, PIECE);
}

static void
test_cancelling_ends_the_wait_of_one (void)
{
  g_autoptr (VodPace) pace = vod_pace_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Taker takers[TAKERS];
  GThread *threads[TAKERS];
  gint64 begin;

  vod_pace_set_rate (pace, 1);
  start (takers, threads, take_once, pace, cancellable);
  let_them_wait (takers);
  begin = g_get_monotonic_time ();
  g_cancellable_cancel (cancellable);
  join (threads);
  g_assert_cmpint (g_get_monotonic_time () - begin, <, S / 10);
  for (guint i = 0; i < TAKERS; i++)
    g_assert_cmpuint (takers[i].taken, ==, 0);
  /* Nor does it begin. */
  g_assert_cmpuint (vod_pace_take (pace, PIECE, cancellable), ==, 0);
  /* Nobody of them is in the way of who comes now. */
  vod_pace_set_rate (pace, 8 * PIECE * 100);
  g_assert_cmpuint (vod_pace_take (pace, PIECE, NULL), ==, PIECE);
}

/* The first in line gives up; the next takes its place. */
static void
test_the_line_goes_on_without_the_first (void)
{
  g_autoptr (VodPace) pace = vod_pace_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Taker first = {
      .pace = pace, .cancellable = cancellable, .wanted = 10 * PIECE};
  Taker second = {.pace = pace, .wanted = 10};
  GThread *threads[2];

  /* The first has to wait for a minute, the second for 60 ms. */
  vod_pace_set_rate (pace, 80 * PIECE);
  vod_pace_charge (pace, 600 * PIECE);
  threads[0] = g_thread_new ("first", take_once, &first);
  g_usleep (50000);
  threads[1] = g_thread_new ("second", take_once, &second);
  g_usleep (50000);
  g_assert_false (g_atomic_int_get (&first.returned));
  g_assert_false (g_atomic_int_get (&second.returned));
  g_cancellable_cancel (cancellable);
  g_thread_join (threads[0]);
  g_assert_false (g_atomic_int_get (&second.returned));
  vod_pace_set_rate (pace, G_GUINT64_CONSTANT (80000) * PIECE);
  g_thread_join (threads[1]);
  g_assert_cmpuint (first.taken, ==, 0);
  g_assert_cmpuint (second.taken, ==, 10);
}

static void
test_heads_are_paid_for (void)
{
  g_autoptr (VodPace) pace = vod_pace_new ();
  gint64 begin;

  vod_pace_charge (pace, G_MAXSIZE);
  g_assert_cmpuint (vod_pace_take (pace, PIECE, NULL), ==, PIECE);
  vod_pace_set_rate (pace, 100 * 8 * PIECE);
  g_assert_cmpuint (vod_pace_get_rate (pace), ==, 100 * 8 * PIECE);
  begin = g_get_monotonic_time ();
  vod_pace_charge (pace, 50 * PIECE);
  g_assert_cmpuint (vod_pace_take (pace, PIECE, NULL), ==, PIECE);
  g_assert_cmpint (g_get_monotonic_time () - begin, >=, S / 2);
}

static gpointer
change_all_the_time (gpointer data)
{
  static const guint64 rates[] = {
      0, 1, 1000000, G_MAXUINT64, 1000000000, 12345};
  Taker *taker = data;

  for (guint i = 0; !g_cancellable_is_cancelled (taker->cancellable); i++) {
    vod_pace_set_rate (taker->pace, rates[i % G_N_ELEMENTS (rates)]);
    g_usleep ((gulong)g_random_int_range (0, 3000));
  }
  return NULL;
}

/* Nobody misses that a wait is over. */
static void
test_changing_all_the_time (void)
{
  g_autoptr (VodPace) pace = vod_pace_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Taker changer = {.pace = pace, .cancellable = cancellable};
  Taker takers[TAKERS];
  GThread *threads[TAKERS], *thread;

  start (takers, threads, take_until_cancelled, pace, cancellable);
  thread = g_thread_new ("changer", change_all_the_time, &changer);
  g_usleep (S);
  g_cancellable_cancel (cancellable);
  join (threads);
  g_thread_join (thread);
  for (guint i = 0; i < TAKERS; i++)
    g_assert_cmpuint (takers[i].turns, >, 0);
}

int
main (int argc, char **argv)
{
  static const guint64 none = 0, high = G_GUINT64_CONSTANT (10000000000);

  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/pace/together-they-keep-the-rate", test_together_they_keep_the_rate);
  g_test_add_data_func ("/pace/all-go-when-the-limit-does/none", &none,
      test_all_go_when_the_limit_does);
  g_test_add_data_func ("/pace/all-go-when-the-limit-does/high", &high,
      test_all_go_when_the_limit_does);
  g_test_add_func (
      "/pace/cancelling-ends-the-wait", test_cancelling_ends_the_wait_of_one);
  g_test_add_func ("/pace/the-line-goes-on-without-the-first",
      test_the_line_goes_on_without_the_first);
  g_test_add_func ("/pace/heads-are-paid-for", test_heads_are_paid_for);
  g_test_add_func ("/pace/changing-all-the-time", test_changing_all_the_time);
  return g_test_run ();
}

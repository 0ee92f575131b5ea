/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The workers that all uploads of a process have together: who gets a slot. */
#include "upload/vodbudget.h"

#define S ((gint64)G_USEC_PER_SEC)

typedef struct {
  VodShare share;
  guint woken;
  guint order;   /* among those who were woken, from 1; the last time */
  gboolean back; /* gives what it gets back at once */
} User;

static guint n_woken;

static void
on_wake (gpointer data)
{
  User *user = data;

  user->woken++;
  user->order = ++n_woken;
  if (user->back)
    vod_share_give (&user->share, 1);
}

static void
user_init (User *user, guint slots)
{
  *user = (User){0};
  vod_share_init (&user->share, on_wake, user);
  for (guint i = 0; i < slots; i++)
    g_assert_true (vod_share_take (&user->share));
  g_assert_cmpuint (user->share.held, ==, slots);
}

static void
give (User *user, guint n)
{
  vod_share_give (&user->share, n);
  vod_shares_wake ();
}

static void
user_clear (User *user)
{
  vod_share_clear (&user->share);
  g_assert_cmpuint (user->share.held, ==, 0);
}

static void
test_there_are_so_many (void)
{
  User rich, poor;

  g_assert_cmpuint (vod_budget_left (), ==, VOD_BUDGET);
  user_init (&rich, VOD_BUDGET - 1);
  user_init (&poor, 0);
  g_assert_cmpuint (vod_budget_left (), ==, 1);
  g_assert_true (vod_share_take (&poor.share));
  g_assert_cmpuint (vod_budget_left (), ==, 0);
  g_assert_false (vod_budget_is_scarce ());
  /* Asking twice is asking once. */
  g_assert_false (vod_share_take (&poor.share));
  g_assert_false (vod_share_take (&poor.share));
  g_assert_true (vod_budget_is_scarce ());
  g_assert_cmpuint (poor.woken, ==, 0);

  give (&rich, 2);
  g_assert_cmpuint (poor.woken, ==, 1);
  g_assert_cmpuint (poor.share.held, ==, 2);
  g_assert_cmpuint (rich.share.held, ==, VOD_BUDGET - 3);
  g_assert_cmpuint (vod_budget_left (), ==, 1);
  g_assert_false (vod_budget_is_scarce ());
  /* What one has not got cannot be given. */
  give (&poor, 100);
  g_assert_cmpuint (vod_budget_left (), ==, 3);
  user_clear (&rich);
  user_clear (&poor);
  g_assert_cmpuint (vod_budget_left (), ==, VOD_BUDGET);
}

static void
test_the_poorest_first_then_who_came_first (void)
{
  User rich, one, none[3];

  user_init (&rich, VOD_BUDGET - 1);
  user_init (&one, 1);
  g_assert_false (vod_share_take (&one.share));
  for (guint i = 0; i < 3; i++) {
    user_init (&none[i], 0);
    g_assert_false (vod_share_take (&none[i].share));
  }
  n_woken = 0;
  give (&rich, 3);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpuint (none[i].order, ==, i + 1);
  g_assert_cmpuint (one.woken, ==, 0);
  /* Now all have one. */
  g_assert_false (vod_share_take (&none[1].share));
  give (&rich, 2);
  g_assert_cmpuint (one.order, ==, 4);
  g_assert_cmpuint (none[1].order, ==, 5);
  user_clear (&rich);
  user_clear (&one);
  for (guint i = 0; i < 3; i++)
    user_clear (&none[i]);
}

static void
test_who_has_two_more_is_rich (void)
{
  User all, two, one, none;

  user_init (&two, 2);
  user_init (&one, 1);
  user_init (&none, 0);
  user_init (&all, VOD_BUDGET - 3);
  g_assert_false (vod_share_is_rich (&all.share));
  g_assert_false (vod_share_take (&one.share));
  g_assert_true (vod_share_is_rich (&all.share));
  g_assert_false (vod_share_is_rich (&two.share));
  g_assert_false (vod_share_take (&none.share));
  g_assert_true (vod_share_is_rich (&two.share));
  g_assert_false (vod_share_is_rich (&one.share));
  vod_share_forget (&none.share);
  g_assert_false (vod_share_is_rich (&two.share));
  vod_share_forget (&one.share);
  g_assert_false (vod_share_is_rich (&all.share));
  give (&all, 1);
  g_assert_cmpuint (none.woken + one.woken, ==, 0);
  g_assert_cmpuint (vod_budget_left (), ==, 1);
  user_clear (&all);
  user_clear (&two);
  user_clear (&one);
  user_clear (&none);
}

/* Who does not need it any more passes it on; who goes does, too. */
static void
test_slots_are_passed_on (void)
{
  User all, users[5];

  user_init (&all, VOD_BUDGET);
  for (guint i = 0; i < 5; i++) {
    user_init (&users[i], 0);
    users[i].back = i < 3;
    g_assert_false (vod_share_take (&users[i].share));
  }
  give (&all, 1);
  for (guint i = 0; i < 4; i++)
    g_assert_cmpuint (users[i].woken, ==, 1);
  g_assert_cmpuint (users[3].share.held, ==, 1);
  g_assert_cmpuint (users[4].woken, ==, 0);
  user_clear (&users[3]);
  g_assert_cmpuint (users[4].woken, ==, 1);
  g_assert_cmpuint (users[4].share.held, ==, 1);
  for (guint i = 0; i < 5; i++)
    user_clear (&users[i]);
  user_clear (&all);
  g_assert_cmpuint (vod_budget_left (), ==, VOD_BUDGET);
}

typedef struct {
  VodShare share;
  gint inside, ended;
} Slow;

static void
on_slow_wake (gpointer data)
{
  Slow *slow = data;

  g_atomic_int_set (&slow->inside, 1);
  g_usleep (200000);
  g_atomic_int_set (&slow->ended, 1);
}

static gpointer
wake_them (gpointer data)
{
  vod_shares_wake ();
  return NULL;
}

static void
test_clearing_waits_for_who_wakes (void)
{
  User all;
  Slow slow = {0};
  GThread *thread;

  user_init (&all, VOD_BUDGET);
  vod_share_init (&slow.share, on_slow_wake, &slow);
  g_assert_false (vod_share_take (&slow.share));
  vod_share_give (&all.share, 1);
  thread = g_thread_new ("wake", wake_them, NULL);
  while (!g_atomic_int_get (&slow.inside))
    g_usleep (1000);
  vod_share_clear (&slow.share);
  g_assert_true (g_atomic_int_get (&slow.ended));
  g_thread_join (thread);

  /* Granted, but cleared before it was told: not woken any more. */
  g_atomic_int_set (&slow.inside, 0);
  g_assert_true (vod_share_take (&all.share));
  g_assert_false (vod_share_take (&slow.share));
  vod_share_give (&all.share, 1);
  vod_share_clear (&slow.share);
  g_assert_false (g_atomic_int_get (&slow.inside));
  user_clear (&all);
  g_assert_cmpuint (vod_budget_left (), ==, VOD_BUDGET);
}

/* --- all at once ---------------------------------------------------------*/

#define THREADS 16
#define EACH 6 /* more together than there are */
#define ROUNDS 300

static gint in_use, most_in_use;

typedef struct {
  VodShare share;
  GMutex lock;
  GCond cond;
  gboolean woken;
} Racer;

static void
on_racer_wake (gpointer data)
{
  Racer *racer = data;

  g_mutex_lock (&racer->lock);
  racer->woken = TRUE;
  g_cond_signal (&racer->cond);
  g_mutex_unlock (&racer->lock);
}

/* Who is in line is woken. */
static void
wait_to_be_woken (Racer *racer)
{
  gint64 until = g_get_monotonic_time () + 30 * S;

  g_mutex_lock (&racer->lock);
  while (!racer->woken)
    g_assert_true (g_cond_wait_until (&racer->cond, &racer->lock, until));
  racer->woken = FALSE;
  g_mutex_unlock (&racer->lock);
}

static void
note_in_use (gint n)
{
  gint now = g_atomic_int_add (&in_use, n) + n, before;

  while (now > (before = g_atomic_int_get (&most_in_use)) &&
      !g_atomic_int_compare_and_exchange (&most_in_use, before, now))
    ;
}

static gpointer
race (gpointer data)
{
  Racer *racer = data;

  for (guint i = 0; i < ROUNDS; i++) {
    gint used;

    while (racer->share.held < EACH && vod_share_take (&racer->share))
      ;
    /* To be woken for what was given back meanwhile is possible. */
    while (racer->share.held == 0 && !vod_share_take (&racer->share))
      wait_to_be_woken (racer);
    vod_share_forget (&racer->share);
    used = (gint)racer->share.held;
    note_in_use (used);
    g_usleep ((gulong)g_random_int_range (0, 300));
    note_in_use (-used);
    vod_share_give (&racer->share, (guint)used);
    vod_shares_wake ();
  }
  return NULL;
}

static void
test_all_at_once (void)
{
  Racer racers[THREADS] = {0};
  GThread *threads[THREADS];

  for (guint i = 0; i < THREADS; i++) {
    vod_share_init (&racers[i].share, on_racer_wake, &racers[i]);
    g_mutex_init (&racers[i].lock);
    g_cond_init (&racers[i].cond);
    threads[i] = g_thread_new ("racer", race, &racers[i]);
  }
  for (guint i = 0; i < THREADS; i++)
    g_thread_join (threads[i]);
  for (guint i = 0; i < THREADS; i++) {
    vod_share_clear (&racers[i].share);
    g_mutex_clear (&racers[i].lock);
    g_cond_clear (&racers[i].cond);
  }
  g_assert_cmpint (most_in_use, <=, VOD_BUDGET);
  g_assert_cmpint (most_in_use, >, VOD_BUDGET / 2);
  g_assert_cmpuint (vod_budget_left (), ==, VOD_BUDGET);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/budget/there-are-so-many", test_there_are_so_many);
  g_test_add_func ("/budget/the-poorest-first-then-who-came-first",
      test_the_poorest_first_then_who_came_first);
  g_test_add_func (
      "/budget/who-has-two-more-is-rich", test_who_has_two_more_is_rich);
  g_test_add_func ("/budget/slots-are-passed-on", test_slots_are_passed_on);
  g_test_add_func ("/budget/clearing-waits-for-who-wakes",
      test_clearing_waits_for_who_wakes);
  g_test_add_func ("/budget/all-at-once", test_all_at_once);
  return g_test_run ();
}

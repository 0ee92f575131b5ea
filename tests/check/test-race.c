/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodrace: who comes first, and that nobody is left running.
 */
#include "upload/vodrace.h"

#include "emulator.h"
#include "testclient.h"
#include "teststopwatch.h"

#define MS G_GINT64_CONSTANT (1000)
#define RACERS 16
#define NEVER 60000

/* What each racer does. */
typedef struct {
  guint ms[RACERS]; /* it takes */
  gboolean fails[RACERS];
  gint started, cancelled;
} Course;

static gboolean
run (guint index, GCancellable *cancellable, gpointer data)
{
  Course *course = data;
  GPollFD fd;

  g_atomic_int_inc (&course->started);
  g_assert_true (g_cancellable_make_pollfd (cancellable, &fd));
  if (g_poll (&fd, 1, (gint)course->ms[index]) > 0)
    g_atomic_int_inc (&course->cancelled);
  g_cancellable_release_fd (cancellable);
  return !course->fails[index] && !g_cancellable_is_cancelled (cancellable);
}

static Course
course_of (guint ms)
{
  Course course = {0};

  for (guint i = 0; i < RACERS; i++)
    course.ms[i] = ms;
  return course;
}

static gint64
in_ms (guint ms)
{
  return g_get_monotonic_time () + ms * MS;
}

static void
test_the_first_wins (void)
{
  for (guint i = 0; i < RACERS; i += 5) {
    Course course = course_of (NEVER);
    g_autoptr (TestStopwatch) watch = test_stopwatch_new ();

    course.ms[i] = 20;
    g_assert_cmpint (
        vod_race (RACERS, run, &course, in_ms (NEVER), NULL), ==, i);
    g_assert_cmpint (test_stopwatch_all_ms (watch), >=, 20);
    g_assert_cmpint (test_stopwatch_ms (watch), <, 1000);
    g_assert_cmpint (course.started, ==, RACERS);
    g_assert_cmpint (course.cancelled, ==, RACERS - 1);
    g_assert_true (test_no_threads ("vod-race"));
  }
}

static void
test_who_fails_does_not_win (void)
{
  Course course = course_of (NEVER);

  course.ms[0] = 1;
  course.fails[0] = TRUE;
  course.ms[1] = 50;
  g_assert_cmpint (vod_race (3, run, &course, in_ms (NEVER), NULL), ==, 1);
  g_assert_cmpint (course.cancelled, ==, 1);
}

static void
test_all_fail (void)
{
  Course course = course_of (10);
  g_autoptr (TestStopwatch) watch = test_stopwatch_new ();

  for (guint i = 0; i < RACERS; i++)
    course.fails[i] = TRUE;
  g_assert_cmpint (
      vod_race (RACERS, run, &course, in_ms (NEVER), NULL), ==, -1);
  g_assert_cmpint (test_stopwatch_ms (watch), <, 1000);
  g_assert_cmpint (course.cancelled, ==, 0);
}

static void
test_nobody_arrives_in_time (void)
{
  Course course = course_of (NEVER);
  g_autoptr (TestStopwatch) watch = test_stopwatch_new ();

  g_assert_cmpint (vod_race (RACERS, run, &course, in_ms (100), NULL), ==, -1);
  g_assert_cmpint (test_stopwatch_all_ms (watch), >=, 100);
  g_assert_cmpint (test_stopwatch_ms (watch), <, 1000);
  g_assert_cmpint (course.cancelled, ==, RACERS);
  g_assert_true (test_no_threads ("vod-race"));
}

static void
test_cancelled (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Course course = course_of (NEVER);
  TestCanceller *canceller = test_canceller_new (cancellable, 100);

  g_assert_cmpint (
      vod_race (4, run, &course, in_ms (NEVER), cancellable), ==, -1);
  g_assert_cmpint (test_canceller_free (canceller), <, 100);
  g_assert_cmpint (course.cancelled, ==, 4);
}

static void
test_cancelled_before (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Course course = course_of (0);

  g_cancellable_cancel (cancellable);
  g_assert_cmpint (
      vod_race (2, run, &course, in_ms (NEVER), cancellable), ==, -1);
  g_assert_cmpint (course.started, ==, 0);
}

static void
test_nobody_runs (void)
{
  Course course = course_of (0);

  g_assert_cmpint (vod_race (0, run, &course, in_ms (NEVER), NULL), ==, -1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/race/first-wins", test_the_first_wins);
  g_test_add_func ("/race/who-fails", test_who_fails_does_not_win);
  g_test_add_func ("/race/all-fail", test_all_fail);
  g_test_add_func ("/race/nobody-in-time", test_nobody_arrives_in_time);
  g_test_add_func ("/race/cancelled", test_cancelled);
  g_test_add_func ("/race/cancelled-before", test_cancelled_before);
  g_test_add_func ("/race/nobody-runs", test_nobody_runs);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stopwatch that promises of milliseconds are checked with. */
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "teststopwatch.h"

#define RIVALS 4

/* Waiting counts in full, however busy the machine is. */
static void
test_a_wait_counts (void)
{
  g_autoptr (TestStopwatch) watch = test_stopwatch_new ();
  gint64 ms;

  g_usleep (200 * 1000);
  ms = test_stopwatch_ms (watch);
  g_assert_cmpint (ms, >=, 195);
}

static gpointer
sleep_a_while (gpointer data)
{
  g_usleep (200 * 1000);
  return NULL;
}

/* So does waiting for another thread. */
static void
test_a_wait_for_a_thread_counts (void)
{
  g_autoptr (TestStopwatch) watch = test_stopwatch_new ();

  g_thread_join (g_thread_new ("sleeper", sleep_a_while, NULL));
  g_assert_cmpint (test_stopwatch_ms (watch), >=, 195);
}

/* ms of processor time that this thread has had. */
static gint64
busy_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static pid_t
start_rival (void)
{
  pid_t pid = fork ();

  if (pid == 0)
    for (;;)
      busy_ms ();
  return pid;
}

/* On one processor with busy processes beside it. */
static void
test_what_the_machine_takes_does_not_count (void)
{
  cpu_set_t every, one;
  pid_t rivals[RIVALS];
  TestStopwatch *watch;
  gint64 all_ms, ms, busy;
  guint first = 0;

  if (!g_file_test ("/proc/self/schedstat", G_FILE_TEST_EXISTS)) {
    g_test_skip ("this kernel does not count who is in line");
    return;
  }
  g_assert_cmpint (sched_getaffinity (0, sizeof every, &every), ==, 0);
  while (!CPU_ISSET (first, &every))
    first++;
  CPU_ZERO (&one);
  CPU_SET (first, &one);
  g_assert_cmpint (sched_setaffinity (0, sizeof one, &one), ==, 0);
  for (guint i = 0; i < RIVALS; i++)
    g_assert_cmpint (rivals[i] = start_rival (), >, 0);

  watch = test_stopwatch_new ();
  busy = busy_ms ();
  while (busy_ms () < busy + 100)
    continue;
  all_ms = test_stopwatch_all_ms (watch);
  ms = test_stopwatch_ms (watch);
  for (guint i = 0; i < RIVALS; i++) {
    kill (rivals[i], SIGKILL);
    waitpid (rivals[i], NULL, 0);
  }
  sched_setaffinity (0, sizeof every, &every);
  test_stopwatch_free (watch);
  g_test_message ("%d ms of %d", (gint)ms, (gint)all_ms);
  g_assert_cmpint (all_ms, >, 200);
  /* What passes between looking at the clock and at the kernel's figures is in
   * these only: a turn of everybody else on this processor. */
  g_assert_cmpint (ms, >=, 50);
  g_assert_cmpint (ms, <, 150);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/stopwatch/wait", test_a_wait_counts);
  g_test_add_func ("/stopwatch/thread", test_a_wait_for_a_thread_counts);
  g_test_add_func (
      "/stopwatch/machine", test_what_the_machine_takes_does_not_count);
  return g_test_run ();
}

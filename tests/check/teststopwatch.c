/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "teststopwatch.h"

#include <stdio.h>
#include <stdlib.h>

#define TASKS "/proc/self/task"

struct _TestStopwatch {
  gint64 begin;
  GHashTable *delays; /* thread id -> ns in line before that */
};

/* ns that a thread has been in line for a processor since it was born. */
static gint64
delay_of (const gchar *tid)
{
  g_autofree gchar *path = g_build_filename (TASKS, tid, "schedstat", NULL);
  g_autofree gchar *text = NULL;
  long long delay = 0;

  if (!g_file_get_contents (path, &text, NULL, NULL) ||
      sscanf (text, "%*d %lld", &delay) != 1)
    return 0;
  return delay;
}

static GHashTable *
read_delays (void)
{
  GHashTable *delays = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  g_autoptr (GDir) tasks = g_dir_open (TASKS, 0, NULL);
  const gchar *tid;

  while (tasks && (tid = g_dir_read_name (tasks))) {
    gint64 delay = delay_of (tid);

    g_hash_table_insert (
        delays, GINT_TO_POINTER (atoi (tid)), g_memdup2 (&delay, sizeof delay));
  }
  return delays;
}

TestStopwatch *
test_stopwatch_new (void)
{
  TestStopwatch *watch = g_new (TestStopwatch, 1);

  watch->delays = read_delays ();
  watch->begin = g_get_monotonic_time ();
  return watch;
}

gint64
test_stopwatch_all_ms (TestStopwatch *watch)
{
  return (g_get_monotonic_time () - watch->begin) / 1000;
}

gint64
test_stopwatch_ms (TestStopwatch *watch)
{
  gint64 ms = test_stopwatch_all_ms (watch), in_line = 0;
  g_autoptr (GHashTable) delays = read_delays ();
  GHashTableIter iter;
  gpointer tid, delay;

  g_hash_table_iter_init (&iter, delays);
  while (g_hash_table_iter_next (&iter, &tid, &delay)) {
    const gint64 *before = g_hash_table_lookup (watch->delays, tid);

    /* One that is just ending may not tell any more. */
    in_line += MAX (*(gint64 *)delay - (before ? *before : 0), 0);
  }
  return MAX (ms - in_line / 1000000, 0);
}

void
test_stopwatch_free (TestStopwatch *watch)
{
  g_hash_table_unref (watch->delays);
  g_free (watch);
}

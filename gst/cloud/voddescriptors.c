/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "voddescriptors.h"

#include <stdatomic.h>
#include <sys/resource.h>

#include "voderror.h"

/* A connection has one, its context's. For a request it may want a socket, its
 * cancellable's, and one to look up a name, most of which it has when it is
 * under way. */
#define FOR_NEW 4
#define FOR_IDLE 3
#define FOR_BUSY 1
/* For spools and sessions, which take three each, and for everybody else. */
#define FOR_OTHERS 24

static _Atomic guint connections;
static _Atomic guint requests;

/* In use by this process; G_MAXUINT: not a single one is left to look. */
static guint
count_used (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, &error);
  guint n = 0;

  if (dir == NULL)
    return g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_MFILE) ||
            g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NFILE)
        ? G_MAXUINT
        : 0;
  while (g_dir_read_name (dir))
    n++;
  return n;
}

/* What all there are may want besides what is in use. */
static guint
count_wanted (void)
{
  guint all = atomic_load (&connections), busy = atomic_load (&requests);

  busy = MIN (busy, all);
  return (all - busy) * FOR_IDLE + busy * FOR_BUSY + FOR_OTHERS;
}

/* Is there room for one more? Then it counts. One after the other: many that
 * looked at the same time would all see room for one. */
static gboolean
take (const struct rlimit *limit)
{
  static GMutex one_at_a_time;
  guint64 wanted;
  gboolean room;

  g_mutex_lock (&one_at_a_time);
  wanted = count_wanted () + (guint64)FOR_NEW;
  room = count_used () + wanted <= limit->rlim_cur;
  if (room)
    atomic_fetch_add (&connections, 1);
  g_mutex_unlock (&one_at_a_time);
  return room;
}

gboolean
vod_descriptors_reserve (GError **error)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0 ||
      limit.rlim_cur == RLIM_INFINITY) {
    atomic_fetch_add (&connections, 1);
    return TRUE;
  }
  if (take (&limit))
    return TRUE;
  vod_error_set (error, VOD_ERROR_LOCAL,
      "Of the %" G_GUINT64_FORMAT " files that this process may have open too "
      "few are left for another connection: raise that limit (ulimit -n)",
      (guint64)limit.rlim_cur);
  return FALSE;
}

void
vod_descriptors_release (void)
{
  atomic_fetch_sub (&connections, 1);
}

void
vod_descriptors_begin (void)
{
  atomic_fetch_add (&requests, 1);
}

void
vod_descriptors_end (void)
{
  atomic_fetch_sub (&requests, 1);
}

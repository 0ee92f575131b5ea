/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Forty recordings that wait for the network in one process, as fragments of one
 * recording do after as many minutes: threads, connections and memory stay as
 * few as one would think, and all of them arrive afterwards.
 *
 * Times are shortened, not the bounds: each upload has one worker that tries
 * one part now and then. Before that was so, it were as many as had parts.
 */
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "testowner.h"
#include "upload/vodbudget.h"
#include "upload/vodsession.h"

#define UPLOADS 40
#define BEFORE 30          /* so many are open when the network goes */
#define EACH (4 * MIB + 1) /* five parts */
#define OWN 1000003        /* each begins so much later in the test media */

#define GLIB_THREADS 4 /* gmain, and what GIO looks names up with */
#define IDLE 1000      /* ms */
#define OUTAGE 2000    /* ms */

typedef struct {
  gchar *root, *dir, *uri;
  Emulator *emulator;
  Owner *owners[UPLOADS];
  gchar *keys[UPLOADS];
  gchar *names[UPLOADS];
  guint at; /* which one is made */
} Many;

/* --- what the process has -------------------------------------------------*/

typedef struct {
  guint threads, files, sockets;
  gsize bytes; /* resident */
} Usage;

static gsize
resident_bytes (void)
{
  g_autofree gchar *text = NULL;
  gulong pages = 0;

  g_file_get_contents ("/proc/self/statm", &text, NULL, NULL);
  sscanf (text, "%*u %lu", &pages);
  return pages * (gsize)sysconf (_SC_PAGESIZE);
}

static Usage
get_usage (void)
{
  Usage usage = {
      .threads = test_count_threads (NULL),
      .bytes = resident_bytes (),
  };
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  const gchar *name;

  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_build_filename ("/proc/self/fd", name, NULL);
    g_autofree gchar *target = g_file_read_link (path, NULL);

    usage.files++;
    usage.sockets += target && g_str_has_prefix (target, "socket:");
  }
  return usage;
}

static void
assert_bounded (const Usage *before)
{
  Usage now = get_usage ();

  g_test_message ("threads %u, files %u, sockets %u, %" G_GSIZE_FORMAT " KiB",
      now.threads - before->threads, now.files - before->files,
      now.sockets - before->sockets, (now.bytes - before->bytes) / 1024);
  g_assert_cmpuint (test_count_threads ("vod-upload"), <=, UPLOADS);
  g_assert_cmpuint (now.threads, <=, before->threads + UPLOADS + GLIB_THREADS);
  /* At most one each that is being refused. */
  g_assert_cmpuint (now.sockets, <=, before->sockets + UPLOADS);
  /* Spool and session, the folder that holds them, three of a worker. */
  g_assert_cmpuint (now.files, <=, before->files + 6 * UPLOADS);
  /* Of 160 MiB of media. A sanitizer keeps what is freed for a while. */
#ifndef __SANITIZE_ADDRESS__
  g_assert_cmpuint (
      now.bytes, <=, before->bytes + (8 + UPLOADS / 2) * (gsize)MIB);
#endif
}

/* --- the uploads ----------------------------------------------------------*/

static void
adjust (VodUploadSettings *settings, gpointer data)
{
  Many *many = data;

  settings->endpoint = many->uri;
  settings->resume = TRUE;
  settings->spool = TRUE;
  settings->state_dir = many->dir;
  settings->identity = VOD_IDENTITY_RECORDING;
  settings->media_key = many->keys[many->at];
  settings->name = many->names[many->at];
  settings->parallel_uploads = 6;
  settings->worker_idle = IDLE;
  settings->outage = OUTAGE;
}

static void
make (Many *many, guint n)
{
  many->at = n;
  many->keys[n] = g_strdup_printf ("%032x", n + 1);
  many->names[n] = g_strdup_printf ("fragment %u", n);
  many->owners[n] = owner_new_adjusted (many->emulator, adjust, many);
  vod_upload_set_retry_duration (many->owners[n]->upload, -1);
}

static void
give (Many *many, guint n, gsize len)
{
  Owner *owner = many->owners[n];
  g_autofree guint8 *bytes = g_malloc (len);
  gsize taken;

  test_fill (bytes, n * (guint64)OWN + owner->size, len);
  g_assert_cmpint (
      vod_upload_write (owner->upload, bytes, len, &taken), ==, VOD_FLOW_OK);
  owner->size += taken;
}

static gboolean
has_one_part_up (gpointer data)
{
  Owner *owner = data;
  VodUploadStats stats;

  vod_upload_get_stats (owner->upload, &stats);
  return stats.parts_uploaded >= 1;
}

static gboolean
are_few (gpointer data)
{
  return test_count_threads ("vod-upload") <= UPLOADS;
}

static gboolean
have_finished (gpointer data)
{
  Many *many = data;
  guint finished = 0;

  for (guint i = 0; i < UPLOADS; i++) {
    Owner *owner = many->owners[i];

    g_mutex_lock (&owner->lock);
    g_assert_cmpuint (owner->failed, ==, 0);
    finished += owner->finished;
    g_mutex_unlock (&owner->lock);
  }
  return finished == UPLOADS;
}

/* Each once, with its own bytes. */
static void
assert_all_are_there (Many *many)
{
  g_autofree guint8 *bytes = g_malloc (EACH);

  g_assert_cmpuint (emulator_n_media (many->emulator), ==, UPLOADS);
  for (guint i = 0; i < UPLOADS; i++) {
    g_autofree gchar *name = emulator_media_text (many->emulator, i, "name");
    guint n = 0;

    while (n < UPLOADS && g_strcmp0 (name, many->names[n]) != 0)
      n++;
    g_assert_cmpuint (n, <, UPLOADS);
    many->names[n][0] = '\0';
    test_fill (bytes, n * (guint64)OWN, EACH);
    g_assert_true (emulator_media_is (many->emulator, i, bytes, EACH));
  }
}

static void
remove_folder (gchar *path)
{
  const gchar *argv[] = {"rm", "-r", path, NULL};

  g_assert_true (g_spawn_sync (NULL, (gchar **)argv, NULL, G_SPAWN_SEARCH_PATH,
      NULL, NULL, NULL, NULL, NULL, NULL));
  g_free (path);
}

static void
free_all (Many *many)
{
  for (guint i = 0; i < UPLOADS; i++) {
    vod_upload_stop (many->owners[i]->upload, FALSE);
    g_assert_true (vod_upload_join (many->owners[i]->upload));
  }
  for (guint i = 0; i < UPLOADS; i++) {
    owner_free (many->owners[i]);
    g_free (many->keys[i]);
    g_free (many->names[i]);
  }
  g_assert_cmpuint (vod_budget_left (), ==, VOD_BUDGET);
  emulator_free (many->emulator);
  g_free (many->uri);
  remove_folder (many->root);
  remove_folder (many->dir);
}

static void
test_forty_recordings_wait_and_arrive (void)
{
  Many many = {
      .root = g_dir_make_tmp ("vodroot-XXXXXX", NULL),
      .dir = g_dir_make_tmp ("vodstate-XXXXXX", NULL),
  };
  Usage before;
  guint most = 0;

  many.emulator = emulator_new ("--root", many.root, NULL);
  many.uri = g_strdup (emulator_uri (many.emulator));
  before = get_usage ();
  for (guint i = 0; i < BEFORE; i++) {
    make (&many, i);
    give (&many, i, MIB);
  }
  for (guint i = 0; i < BEFORE; i++)
    g_assert_true (test_wait_until (has_one_part_up, many.owners[i], 20));

  emulator_free (many.emulator);
  many.emulator = NULL;
  for (guint i = 0; i < UPLOADS; i++) {
    if (i >= BEFORE)
      make (&many, i);
    give (&many, i, EACH - many.owners[i]->size);
    vod_upload_finish (many.owners[i]->upload);
    most = MAX (most, test_count_threads ("vod-upload"));
  }
  /* Also before they know that it lasts. Spools have a worker more. */
  g_assert_cmpuint (most, <=, 2 * UPLOADS + VOD_BUDGET + 8);
  g_assert_true (test_wait_until (are_few, NULL, 60));
  for (guint i = 0; i < 5; i++) {
    assert_bounded (&before);
    g_usleep (G_USEC_PER_SEC);
  }

  many.emulator = emulator_new (
      "--root", many.root, "--port", strrchr (many.uri, ':') + 1, NULL);
  g_assert_true (test_wait_until (have_finished, &many, 100));
  assert_all_are_there (&many);
  free_all (&many);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/upload/outage/forty-recordings-wait-and-arrive",
      test_forty_recordings_wait_and_arrive);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fifty vodsinks in one process while the network is away for half a minute, as
 * splitmuxsink has after as many fragments: what test-upload-outage shows with
 * shortened times, with the element's own.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vodsinktest.h"

#define ELEMENTS 50
#define BEFORE 40               /* so many are open when the network goes */
#define EACH (3 * MIB)          /* three parts */
#define BYTES_EACH (512 * 1024) /* of memory, with what the rig collects */
#define GLIB_THREADS 4          /* gmain, and what GIO looks names up with */

static gchar *
new_folder (const gchar *template)
{
  gchar *path = g_dir_make_tmp (template, NULL);

  fail_unless (path != NULL);
  return path;
}

static void
remove_folder (gchar *path)
{
  const gchar *argv[] = {"rm", "-r", path, NULL};

  fail_unless (g_spawn_sync (NULL, (gchar **)argv, NULL, G_SPAWN_SEARCH_PATH,
      NULL, NULL, NULL, NULL, NULL, NULL));
  g_free (path);
}

static gsize
resident_bytes (void)
{
  g_autofree gchar *text = NULL;
  gulong pages = 0;

  g_file_get_contents ("/proc/self/statm", &text, NULL, NULL);
  sscanf (text, "%*u %lu", &pages);
  return pages * (gsize)sysconf (_SC_PAGESIZE);
}

static gboolean
are_few (gpointer data)
{
  return test_count_threads ("vod-upload") <= ELEMENTS;
}

static gboolean
are_done (gpointer data)
{
  Rig **rigs = data;
  guint done = 0;

  for (guint i = 0; i < ELEMENTS; i++) {
    fail_unless_equals_int (rig_count (rigs[i], "error"), 0);
    done += rig_count (rigs[i], "eos");
  }
  return done == ELEMENTS;
}

static Rig *
new_rig (Emulator *emulator, guint n, const gchar *dir)
{
  g_autofree gchar *location = g_strdup_printf ("fragment-%02u.mp4", n);
  Rig *rig = rig_new (emulator, "location", location, "spool", TRUE,
      "state-dir", dir, SMALL_MEMORY, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  return rig;
}

/* Each once, and whole. */
static void
assert_all_are_there (Emulator *emulator)
{
  g_autofree guint8 *bytes = g_malloc (EACH);
  g_autoptr (GHashTable) names =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  test_fill (bytes, 0, EACH);
  fail_unless_equals_int (emulator_n_media (emulator), ELEMENTS);
  for (guint i = 0; i < ELEMENTS; i++) {
    fail_unless (emulator_media_is (emulator, i, bytes, EACH));
    fail_unless (
        g_hash_table_add (names, emulator_media_text (emulator, i, "name")));
  }
}

GST_START_TEST (test_fifty_elements_wait_and_finish)
{
  gchar *root = new_folder ("vodroot-XXXXXX");
  gchar *dir = new_folder ("vodstate-XXXXXX");
  Emulator *emulator = emulator_new ("--root", root, NULL);
  g_autofree gchar *port =
      g_strdup (strrchr (emulator_uri (emulator), ':') + 1);
  Rig *rigs[ELEMENTS];
  guint threads, most = 0;
  gsize bytes;

  for (guint i = 0; i < ELEMENTS; i++)
    rigs[i] = new_rig (emulator, i, dir);
  threads = test_count_threads (NULL);
  bytes = resident_bytes ();
  for (guint i = 0; i < BEFORE; i++)
    rig_push_bytes (rigs[i], MIB);
  for (guint i = 0; i < BEFORE; i++)
    fail_unless (rig_wait_stat (rigs[i], "parts-uploaded", 1));

  emulator_free (emulator);
  for (guint i = 0; i < ELEMENTS; i++) {
    rig_push_bytes (rigs[i], EACH - rigs[i]->offset);
    rig_push_eos (rigs[i]);
  }
  for (guint i = 0; i < 20; i++) {
    most = MAX (most, test_count_threads ("vod-upload"));
    g_usleep (100000);
  }
  fail_unless (test_wait_until (are_few, NULL, 90));
  g_print ("# at most %u workers, then %u; %u threads, %" G_GSIZE_FORMAT
           " KiB more than before\n",
      most, test_count_threads ("vod-upload"),
      test_count_threads (NULL) - threads, (resident_bytes () - bytes) / 1024);
  /* 64 for all together, for each its own, and one for its spool. */
  fail_unless (most <= 2 * ELEMENTS + 64 + 8);
  fail_unless (test_count_threads (NULL) <= threads + ELEMENTS + GLIB_THREADS);
  /* A sanitizer keeps what is freed for a while. */
  if (g_getenv ("VOD_TEST_SLOWNESS") == NULL)
    fail_unless (resident_bytes () <= bytes + 8 * MIB + ELEMENTS * BYTES_EACH);

  emulator = emulator_new ("--root", root, "--port", port, NULL);
  fail_unless (test_wait_until (are_done, rigs, 90));
  assert_all_are_there (emulator);
  for (guint i = 0; i < ELEMENTS; i++)
    rig_free (rigs[i]);
  fail_unless (test_no_threads ("vod-upload"));
  emulator_free (emulator);
  remove_folder (root);
  remove_folder (dir);
}

GST_END_TEST;

static Suite *
vodsink_outage_suite (void)
{
  Suite *suite = suite_create ("vodsink-outage");
  TCase *tc = tcase_create ("outage");

  tcase_set_timeout (tc, 900);
  tcase_add_test (tc, test_fifty_elements_wait_and_finish);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_outage);

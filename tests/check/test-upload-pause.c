/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One upload, without GStreamer: while it is paused no part is sent, media is
 * taken, and the clock of retry-duration stands still.
 */
#include <string.h>

#include "testowner.h"

static VodUploadStats
stats_of (Owner *owner)
{
  VodUploadStats stats;

  vod_upload_get_stats (owner->upload, &stats);
  return stats;
}

/* What must not happen gets the time in which it always would. */
static void
assert_sends_nothing (Owner *owner)
{
  guint64 before = stats_of (owner).bytes_sent;

  g_usleep (300000);
  g_assert_cmpuint (stats_of (owner).bytes_sent, ==, before);
}

static gpointer
write_six (gpointer data)
{
  return GINT_TO_POINTER (owner_write (data, 6 * MIB));
}

static gboolean
memory_is_full (gpointer owner)
{
  return stats_of (owner).bytes_buffered >= 4 * MIB;
}

/* Set before the first byte; the upload is opened all the same, and memory
 * fills. */
static void
test_paused_from_the_beginning (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);
  GThread *thread;

  vod_upload_set_paused (owner->upload, TRUE);
  owner_assert_state (owner, "idle");
  thread = g_thread_new ("write", write_six, owner);
  owner_wait_state (owner, "paused");
  g_assert_true (
      emulator_wait_count (emulator, "InitiateMultipartUpload", 200, 1));
  g_assert_true (test_wait_until (memory_is_full, owner, 10));
  assert_sends_nothing (owner);
  g_assert_cmpuint (stats_of (owner).bytes_sent, ==, 0);
  owner_assert_state (owner, "paused");

  vod_upload_set_paused (owner->upload, FALSE);
  g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread)), ==, VOD_FLOW_OK);
  owner_assert_finished (owner, 0);
  owner_free (owner);
}

static gboolean
three_parts_are_there (gpointer owner)
{
  return stats_of (owner).parts_uploaded == 3;
}

static void
test_parts_under_way_arrive (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  emulator_add_faults (
      emulator, "{\"op\":\"UploadPart\",\"delay\":500,\"times\":3}");
  g_assert_cmpint (owner_write (owner, 3 * MIB), ==, VOD_FLOW_OK);
  g_assert_true (emulator_wait_hits (emulator, 3));
  vod_upload_set_paused (owner->upload, TRUE);
  owner_assert_state (owner, "paused");
  g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
  g_assert_true (test_wait_until (three_parts_are_there, owner, 10));
  assert_sends_nothing (owner);
  g_assert_cmpuint (stats_of (owner).parts_uploaded, ==, 3);

  vod_upload_set_paused (owner->upload, FALSE);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (owner->retries, ==, 0);
  owner_free (owner);
}

static gboolean
is_opened (gpointer data)
{
  Owner *owner = data;
  gboolean opened;

  g_mutex_lock (&owner->lock);
  opened = strstr (owner->story->str, "opened") != NULL;
  g_mutex_unlock (&owner->lock);
  return opened;
}

static gpointer
wait_for_the_end (gpointer data)
{
  Owner *owner = data;

  return GINT_TO_POINTER (vod_upload_wait (owner->upload));
}

/* Also when every part is there: then it is Complete that waits. */
static void
test_the_end_waits (gconstpointer data)
{
  gboolean all_sent = GPOINTER_TO_INT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);
  GThread *thread;

  vod_upload_set_paused (owner->upload, !all_sent);
  g_assert_cmpint (owner_write (owner, 3 * MIB), ==, VOD_FLOW_OK);
  g_assert_true (test_wait_until (is_opened, owner, 10));
  if (all_sent)
    g_assert_true (test_wait_until (three_parts_are_there, owner, 10));
  vod_upload_set_paused (owner->upload, TRUE);
  vod_upload_finish (owner->upload);
  thread = g_thread_new ("wait", wait_for_the_end, owner);
  assert_sends_nothing (owner);
  owner_assert_state (owner, "paused");
  g_assert_cmpuint (
      emulator_count (emulator, "CompleteMultipartUpload", -1), ==, 0);
  g_assert_cmpuint (owner->finished, ==, 0);

  vod_upload_set_paused (owner->upload, FALSE);
  g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread)), ==, VOD_FLOW_OK);
  owner_assert_finished (owner, 0);
  g_assert_cmpstr (
      owner->story->str, ==, "opening opened closing closed finished");
  owner_free (owner);
}

/* A part fails while the upload is paused, for longer than retry-duration; when
 * it fails again afterwards, there is still time. */
static void
test_retry_duration_stands_still (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  vod_upload_set_retry_duration (owner->upload, 2);
  emulator_add_faults (emulator,
      "[{\"op\":\"UploadPart\",\"part\":1,\"status\":503,\"times\":2},"
      "{\"op\":\"UploadPart\",\"part\":1,\"delay\":300,\"times\":1}]");
  g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
  g_assert_true (emulator_wait_hits (emulator, 1));
  vod_upload_set_paused (owner->upload, TRUE);
  g_usleep (2200000);
  g_assert_cmpuint (owner->retries, ==, 1);
  owner_assert_state (owner, "paused");
  vod_upload_set_paused (owner->upload, FALSE);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (owner->retries, ==, 2);
  owner_free (owner);
}

/* Upstream is held back for longer than it takes to warn; but by who paused. */
static void
test_being_held_back_is_no_news (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);
  GThread *thread;

  vod_upload_set_paused (owner->upload, TRUE);
  thread = g_thread_new ("write", write_six, owner);
  g_assert_true (test_wait_until (memory_is_full, owner, 10));
  g_usleep (6500000);
  vod_upload_set_paused (owner->upload, FALSE);
  g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread)), ==, VOD_FLOW_OK);
  g_assert_cmpuint (stats_of (owner).blocked_time, >, 5 * G_USEC_PER_SEC);
  owner_assert_finished (owner, 0);
  g_assert_cmpstr (
      owner->story->str, ==, "opening opened closing closed finished");
  owner_free (owner);
}

static void
test_stop_while_paused (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  g_assert_cmpint (owner_write (owner, 3 * MIB), ==, VOD_FLOW_OK);
  g_assert_true (test_wait_until (three_parts_are_there, owner, 10));
  vod_upload_set_paused (owner->upload, TRUE);
  vod_upload_stop (owner->upload, FALSE);
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_cmpuint (
      emulator_count (emulator, "AbortMultipartUpload", 204), ==, 1);
  g_assert_cmpuint (emulator_n_uploads (emulator), ==, 0);
  owner_assert_state (owner, "idle");
  owner_free (owner);
}

static gpointer
write_and_finish (gpointer data)
{
  Owner *owner = data;

  for (guint i = 0; i < 30; i++)
    g_assert_cmpint (owner_write (owner, MIB / 2 + i), ==, VOD_FLOW_OK);
  owner_assert_finished (owner, 0);
  return NULL;
}

static gboolean
is_done (gpointer owner)
{
  return strcmp (stats_of (owner).state, "done") == 0;
}

static void
test_pausing_all_the_time (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);
  GThread *thread = g_thread_new ("write", write_and_finish, owner);

  for (guint i = 1; !is_done (owner); i++) {
    vod_upload_set_paused (owner->upload, i % 2);
    g_usleep ((gulong)g_test_rand_int_range (0, 5000));
  }
  g_thread_join (thread);
  g_assert_cmpuint (owner->retries, ==, 0);
  owner_free (owner);
}

static void
have_much_memory (VodUploadSettings *settings, gpointer data)
{
  settings->slice_size = MIB;
  settings->parallel_uploads = 2;
  settings->max_size_bytes = 64 * MIB;
}

/* A file that is copied: most of the memory is thought not to be needed, but
 * nothing is sent that would set any free. */
static void
test_haste_does_not_hold_back_while_there_is_room (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new_adjusted (emulator, have_much_memory, NULL);
  g_autofree guint8 *bytes = g_malloc0 (16 * MIB);
  gsize taken;

  vod_upload_set_paused (owner->upload, TRUE);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (vod_upload_write (owner->upload, bytes, 16 * MIB, &taken),
        ==, VOD_FLOW_OK);
  g_assert_cmpuint (stats_of (owner).bytes_buffered, ==, 48 * MIB);
  g_assert_cmpuint (stats_of (owner).blocked_time, ==, 0);
  owner_free (owner);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/upload/pause/beginning", test_paused_from_the_beginning);
  g_test_add_func ("/upload/pause/under-way", test_parts_under_way_arrive);
  g_test_add_data_func (
      "/upload/pause/end", GINT_TO_POINTER (FALSE), test_the_end_waits);
  g_test_add_data_func (
      "/upload/pause/complete", GINT_TO_POINTER (TRUE), test_the_end_waits);
  g_test_add_func (
      "/upload/pause/retry-duration", test_retry_duration_stands_still);
  g_test_add_func (
      "/upload/pause/haste", test_haste_does_not_hold_back_while_there_is_room);
  g_test_add_func ("/upload/pause/blocked", test_being_held_back_is_no_news);
  g_test_add_func ("/upload/pause/stop", test_stop_while_paused);
  g_test_add_func ("/upload/pause/all-the-time", test_pausing_all_the_time);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One upload, without GStreamer: it can be stopped and interrupted at any
 * moment, and gives up a server that trickles.
 */
#include "testowner.h"
#include "testserver.h"
#include "teststopwatch.h"

/* --- stopping -------------------------------------------------------------*/

static const struct {
  const gchar *name;
  const gchar *faults; /* it hangs there */
  gboolean deletes;
} stops[] = {
    {"apply", "{\"op\":\"ApplyUploadUGC\",\"stall\":true}", FALSE},
    {"initiate", "{\"op\":\"InitiateMultipartUpload\",\"stall\":true}", FALSE},
    {"part", "{\"op\":\"UploadPart\",\"stall\":true}", TRUE},
    {"complete", "{\"op\":\"CompleteMultipartUpload\",\"stall\":true}", TRUE},
    {"commit", "{\"op\":\"CommitUploadUGC\",\"stall\":true}", FALSE},
    {"pause", "{\"op\":\"UploadPart\",\"status\":503,\"retry-after\":200}",
        TRUE},
};

static void
test_stop (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);
  g_autoptr (TestStopwatch) watch = NULL;

  emulator_add_faults (emulator, stops[i].faults);
  owner_write (owner, 2 * MIB);
  vod_upload_finish (owner->upload);
  g_assert_true (emulator_wait_hits (emulator, 1));
  watch = test_stopwatch_new ();
  vod_upload_stop (owner->upload, FALSE);
  g_assert_cmpint (test_stopwatch_ms (watch), <, 100);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_STOPPED);
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_cmpint (test_stopwatch_ms (watch), <, 2000);
  if (stops[i].deletes)
    g_assert_true (
        emulator_wait_count (emulator, "AbortMultipartUpload", 204, 1));
  g_assert_cmpuint (emulator_count (emulator, "AbortMultipartUpload", -1), ==,
      stops[i].deletes ? 1 : 0);
  g_assert_cmpuint (owner->finished + owner->failed, ==, 0);
  owner_free (owner);
}

/* In a worker: all has arrived, and another worker commits it meanwhile. */
static void
linger_and_stop (gpointer data)
{
  Owner *owner = data;

  if (owner->last_total == 0 || owner->last_loaded < owner->last_total)
    return;
  owner->at_progress = NULL;
  for (guint i = 0; i < 500 && emulator_n_media (owner->emulator) == 0; i++)
    g_usleep (10000);
  /* So that it waits for its turn to tell the last progress. */
  g_usleep (200000);
  vod_upload_stop (owner->upload, FALSE);
  vod_upload_join (owner->upload);
}

static void
test_stop_from_within_progress (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  owner->at_progress = linger_and_stop;
  vod_upload_set_progress_interval (owner->upload, 1);
  owner_write (owner, 2 * MIB);
  vod_upload_finish (owner->upload);
  vod_upload_wait (owner->upload);
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_null (owner->at_progress);
  g_assert_cmpuint (emulator_n_media (emulator), ==, 1);
  g_assert_cmpuint (owner->failed, ==, 0);
  owner_free (owner);
}

static void
test_stop_before_anything (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);
  gsize taken;

  vod_upload_stop (owner->upload, FALSE);
  g_assert_cmpint (
      vod_upload_write (owner->upload, (const guint8 *)"a", 1, &taken), ==,
      VOD_FLOW_STOPPED);
  g_assert_cmpuint (taken, ==, 0);
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_cmpuint (test_count_threads ("vod-upload"), ==, 0);
  owner_free (owner);
}

static void
test_stop_after_the_end (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  owner_write (owner, 1000);
  owner_assert_finished (owner, 0);
  for (guint i = 0; i < 3; i++) {
    vod_upload_stop (owner->upload, FALSE);
    g_assert_true (vod_upload_join (owner->upload));
  }
  owner_assert_state (owner, "done");
  g_assert_cmpuint (
      emulator_count (emulator, "AbortMultipartUpload", -1), ==, 0);
  owner_free (owner);
}

static gboolean
nothing_left (gpointer emulator)
{
  return emulator_upload_bytes (emulator) == 0;
}

/* Stopped at a random moment, over and over. */
static void
test_stop_at_any_moment (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);

  for (guint i = 0; i < 60; i++) {
    Owner *owner = owner_new (emulator);

    owner_write (owner, (gsize)g_test_rand_int_range (1, 3 * MIB));
    if (g_test_rand_bit ())
      vod_upload_finish (owner->upload);
    g_usleep ((gulong)g_test_rand_int_range (0, 20000));
    owner_free (owner);
  }
  /* One may have been stopped in its Complete, which goes on without us. */
  g_assert_true (test_wait_until (nothing_left, emulator, 10));
}

/* --- interrupting ---------------------------------------------------------*/

static gpointer
wait_for_the_end (gpointer data)
{
  Owner *owner = data;

  return GINT_TO_POINTER (vod_upload_wait (owner->upload));
}

static void
test_interrupt_is_sticky (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);
  GThread *thread;

  emulator_add_faults (emulator,
      "{\"op\":\"CommitUploadUGC\",\"stall\":true,"
      "\"times\":1}");
  /* Before anything waits. */
  vod_upload_interrupt (owner->upload, TRUE);
  owner_write (owner, 10);
  g_assert_cmpuint (owner->size, ==, 0);
  vod_upload_interrupt (owner->upload, FALSE);
  g_assert_cmpint (owner_write (owner, 2 * MIB), ==, VOD_FLOW_OK);
  vod_upload_interrupt (owner->upload, TRUE);
  vod_upload_finish (owner->upload);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_INTERRUPTED);
  vod_upload_interrupt (owner->upload, FALSE);

  /* While it waits; requests go on. */
  thread = g_thread_new ("wait", wait_for_the_end, owner);
  g_assert_true (emulator_wait_hits (emulator, 1));
  vod_upload_interrupt (owner->upload, TRUE);
  g_assert_cmpint (
      GPOINTER_TO_INT (g_thread_join (thread)), ==, VOD_FLOW_INTERRUPTED);
  vod_upload_interrupt (owner->upload, FALSE);
  vod_upload_stop (owner->upload, FALSE);
  owner_free (owner);
}

static gpointer
write_much (gpointer data)
{
  return GINT_TO_POINTER (owner_write (data, 10 * MIB));
}

static void
test_interrupt_while_memory_is_full (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);
  GThread *thread;
  guint64 first;

  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"stall\":true}");
  thread = g_thread_new ("write", write_much, owner);
  g_assert_true (emulator_wait_hits (emulator, 1));
  vod_upload_interrupt (owner->upload, TRUE);
  g_assert_cmpint (
      GPOINTER_TO_INT (g_thread_join (thread)), ==, VOD_FLOW_INTERRUPTED);
  first = owner->size;
  g_assert_cmpuint (first, >, 0);
  g_assert_cmpuint (first, <=, 4 * MIB);
  vod_upload_stop (owner->upload, FALSE);
  owner_free (owner);
}

/* --- a server that trickles -----------------------------------------------*/

/* A byte of header now and then: no timeout of a socket sees that. */
static void
serve_trickle (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  if (!test_raw_read_request (stream, NULL, NULL) ||
      !test_raw_write (stream, "HTTP/1.1 200 OK\r\nX: "))
    return;
  while (!test_raw_stopping (raw)) {
    if (!test_raw_write (stream, "x"))
      return;
    test_raw_wait (raw, 100);
  }
}

static void
test_a_trickling_server_is_given_up (void)
{
  g_autoptr (TestRaw) raw = test_raw_new (serve_trickle, NULL);
  Owner *owner = owner_new_at (NULL, test_raw_uri (raw), 1);
  g_autoptr (TestStopwatch) watch = test_stopwatch_new ();

  vod_upload_set_retry_duration (owner->upload, 0);
  owner_write (owner, 1000);
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  g_assert_cmpint (test_stopwatch_ms (watch), <, 6000);
  g_assert_cmpint (owner->error_code, ==, VOD_ERROR_NETWORK);
  g_assert_cmpstr (owner->error_phase, ==, "apply");
  owner_free (owner);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (stops); i++) {
    g_autofree gchar *path = g_strconcat ("/upload/stop/", stops[i].name, NULL);

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_stop);
  }
  g_test_add_func ("/upload/stop/before", test_stop_before_anything);
  g_test_add_func ("/upload/stop/after", test_stop_after_the_end);
  g_test_add_func ("/upload/stop/any-moment", test_stop_at_any_moment);
  g_test_add_func (
      "/upload/stop/from-within-progress", test_stop_from_within_progress);
  g_test_add_func ("/upload/interrupt/sticky", test_interrupt_is_sticky);
  g_test_add_func (
      "/upload/interrupt/full", test_interrupt_while_memory_is_full);
  g_test_add_func ("/upload/trickle", test_a_trickling_server_is_given_up);
  return g_test_run ();
}

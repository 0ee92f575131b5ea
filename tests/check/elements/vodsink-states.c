/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsink through its states: nothing but validation on the way up, every wait
 * ended on the way down, everything forgotten in between.
 */
#include <stdio.h>
#include <string.h>

#include "vodsinktest.h"

static Emulator *emulator;

static void
setup (void)
{
  emulator = emulator_new (NULL);
}

static void
teardown (void)
{
  emulator_free (emulator);
}

/* --- up -------------------------------------------------------------------*/

GST_START_TEST (test_paused_needs_no_network)
{
  /* Nobody listens on port 1. */
  Rig *rig = rig_new (NULL, "endpoint", "http://127.0.0.1:1", "media-type",
      "mp4", "signature-url", "http://127.0.0.1:1/", NULL);

  fail_unless (rig_time_state (rig, GST_STATE_READY) < TEST_MS (100));
  fail_unless (rig_time_state (rig, GST_STATE_PAUSED) < TEST_MS (100));
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 1000);
  rig_wait (rig, "async-done");
  /* It has prerolled, and waits there. */
  fail_unless (rig_is_pushing (rig));
  fail_unless (test_no_threads ("vod-upload"));
  rig_assert_story (rig, "");
  fail_unless (rig_time_state (rig, GST_STATE_NULL) < TEST_MS (100));
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_nothing_is_asked_before_the_first_rendered_buffer)
{
  Rig *rig = rig_new (emulator, NULL);

  rig_set_state (rig, GST_STATE_PAUSED);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 1000);
  rig_wait (rig, "async-done");
  fail_unless_equals_int (emulator_count (emulator, "ApplyUploadUGC", -1), 0);
  fail_unless_equals_int (rig_count (rig, "progress-start-open"), 0);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_wait (rig, "progress-complete-open");
  fail_unless_equals_int (emulator_count (emulator, "ApplyUploadUGC", 200), 1);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_playing_without_data_asks_nothing)
{
  Rig *rig = rig_new (emulator, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push (rig, gst_buffer_new ());
  rig_pushed (rig);
  fail_unless (test_no_threads ("vod-upload"));
  rig_assert_story (rig, "");
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless_equals_int (emulator_count (emulator, "ApplyUploadUGC", -1), 0);
  rig_free (rig);
}

GST_END_TEST;

/* --- PLAYING --------------------------------------------------------------*/

static gint halts;

/* Called by who sets PLAYING, when the base class has woken the streaming
 * thread: goes on when that one waits for the upload. */
static void
let_it_reach_eos (GstDebugCategory *category, GstDebugLevel level,
    const gchar *file, const gchar *function, gint line, GObject *object,
    GstDebugMessage *message, gpointer data)
{
  Rig *rig = data;

  if (object != G_OBJECT (rig->sink) ||
      !strstr (gst_debug_message_get (message), "default handler tries"))
    return;
  g_atomic_int_inc (&halts);
  rig_wait (rig, "progress-start-close");
}

/* Who sets PLAYING holds the state lock: if that waited for the upload, so would
 * everything that shall end the wait. */
GST_START_TEST (test_playing_does_not_wait_for_an_upload_that_has_begun)
{
  Rig *rig = rig_new (emulator, "timeout", 5, "retry-duration", 0, NULL);

  emulator_add_faults (emulator, "{\"op\":\"ApplyUploadUGC\",\"stall\":true}");
  rig_set_state (rig, GST_STATE_PAUSED);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 1000);
  rig_push_eos (rig);
  rig_wait (rig, "async-done");

  gst_debug_set_threshold_from_string ("GST_STATES:6", FALSE);
  gst_debug_add_log_function (let_it_reach_eos, rig, NULL);
  rig_set_state (rig, GST_STATE_PLAYING);
  gst_debug_remove_log_function (let_it_reach_eos);
  gst_debug_unset_threshold_for_name ("GST_STATES");
  fail_unless_equals_int (g_atomic_int_get (&halts), 1);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  fail_unless (rig_is_pushing (rig));
  fail_unless (rig_time_state (rig, GST_STATE_NULL) < TEST_MS (100));
  rig_free (rig);
}

GST_END_TEST;

/* --- down -----------------------------------------------------------------*/

typedef struct {
  const gchar *what;
  const gchar *fault;
  gboolean eos;
  guint deletes; /* at the service */
  const gchar *story;
} Hang;

static const Hang hangs[] = {
    {"Apply", "{\"op\":\"ApplyUploadUGC\",\"stall\":true}", FALSE, 0,
        "progress-start-open progress-canceled-open"},
    {"Apply at EOS", "{\"op\":\"ApplyUploadUGC\",\"stall\":true}", TRUE, 0,
        NULL},
    {"Initiate", "{\"op\":\"InitiateMultipartUpload\",\"stall\":true}", FALSE,
        0, "progress-start-open progress-canceled-open"},
    {"a part", "{\"op\":\"UploadPart\",\"stall\":true}", FALSE, 1,
        "progress-start-open progress-complete-open"},
    {"a part at EOS", "{\"op\":\"UploadPart\",\"stall\":true}", TRUE, 1, NULL},
    {"Complete", "{\"op\":\"CompleteMultipartUpload\",\"stall\":true}", TRUE, 1,
        "progress-start-open progress-complete-open progress-start-close "
        "progress-canceled-close"},
    {"Commit", "{\"op\":\"CommitUploadUGC\",\"stall\":true}", TRUE, 0,
        "progress-start-open progress-complete-open progress-start-close "
        "progress-canceled-close"},
    {"a pause before a retry",
        "{\"op\":\"UploadPart\",\"status\":503,\"retry-after\":100}", TRUE, 1,
        NULL},
    {"a blanking Complete",
        "{\"op\":\"CompleteMultipartUpload\",\"spaces\":60000}", TRUE, 1, NULL},
};

/* @state: READY first, or NULL at once. */
static void
check_hang (const Hang *hang, GstState state)
{
  Rig *rig = rig_new (emulator, SMALL_MEMORY, NULL);
  gint64 ms;
  gchar *state_name;

  GST_INFO ("%s", hang->what);
  emulator_add_faults (emulator, hang->fault);
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 1500000);
  if (hang->story && hang->eos)
    rig_wait (rig, "progress-complete-open");
  if (hang->eos)
    rig_push_eos (rig);
  if (!emulator_wait_hits (emulator, 1)) {
    g_autofree gchar *story = rig_explain (rig);

    fail ("%s never came, but: %s", hang->what, story);
  }
  if (hang->eos) {
    rig_wait (rig, "progress-start-close");
    fail_unless (rig_is_pushing (rig));
  } else {
    rig_pushed (rig);
  }

  ms = rig_time_state (rig, state);
  if (state == GST_STATE_READY)
    fail_unless (
        ms < TEST_MS (100), "%s: READY took %d ms", hang->what, (gint)ms);
  ms += rig_time_state (rig, GST_STATE_NULL);
  fail_unless (
      ms < TEST_MS (2000), "%s: NULL took %d ms", hang->what, (gint)ms);
  rig_pushed (rig);
  fail_unless (test_no_threads ("vod-upload"));
  fail_unless_equals_int (rig_count (rig, "eos"), 0);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  fail_unless_equals_int (rig_count (rig, "progress-start-open"),
      rig_count (rig, "progress-complete-open") +
          rig_count (rig, "progress-canceled-open"));
  fail_unless_equals_int (rig_count (rig, "progress-start-close"),
      rig_count (rig, "progress-canceled-close"));
  if (hang->story)
    rig_assert_story (rig, hang->story);
  fail_unless (
      emulator_wait_count (emulator, "AbortMultipartUpload", -1, hang->deletes),
      "%s: nothing deleted", hang->what);
  fail_unless_equals_int (
      emulator_count (emulator, "AbortMultipartUpload", -1), hang->deletes);
  fail_unless_equals_int (emulator_n_media (emulator), 0);
  state_name = rig_state_name (rig);
  fail_unless_equals_string (state_name, "idle");
  g_free (state_name);
  rig_free (rig);
}

GST_START_TEST (test_ready_ends_every_wait)
{
  check_hang (&hangs[__i__], GST_STATE_READY);
}

GST_END_TEST;

GST_START_TEST (test_null_ends_every_wait)
{
  check_hang (&hangs[__i__], GST_STATE_NULL);
}

GST_END_TEST;

/* The service hangs in DELETE too: NULL does not wait for it for ever. */
GST_START_TEST (test_null_waits_two_seconds_for_the_delete)
{
  Rig *rig = rig_new (emulator, NULL);
  gint64 ms;

  emulator_add_faults (
      emulator, "{\"op\":\"AbortMultipartUpload\",\"stall\":true}");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 2 * MIB);
  fail_unless (rig_wait_stat (rig, "bytes-uploaded", MIB));
  fail_unless (rig_time_state (rig, GST_STATE_READY) < TEST_MS (100));
  ms = rig_time_state (rig, GST_STATE_NULL);
  fail_unless (ms < TEST_MS (2300), "NULL took %d ms", (gint)ms);
  fail_unless (test_no_threads ("vod-upload"));
  rig_free (rig);
}

GST_END_TEST;

/* READY does not wait for the DELETE, it happens all the same. */
GST_START_TEST (test_ready_deletes_in_the_background)
{
  Rig *rig = rig_new (emulator, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 2 * MIB);
  fail_unless (rig_wait_stat (rig, "bytes-uploaded", MIB));
  fail_unless (rig_time_state (rig, GST_STATE_READY) < TEST_MS (100));
  fail_unless (emulator_wait_count (emulator, "AbortMultipartUpload", 204, 1));
  fail_unless_equals_int (emulator_n_uploads (emulator), 0);
  rig_free (rig);
}

GST_END_TEST;

/* --- again ----------------------------------------------------------------*/

GST_START_TEST (test_ready_and_playing_again_is_another_upload)
{
  Rig *rig = rig_new (emulator, NULL);

  for (guint i = 0; i < 3; i++) {
    rig->offset = 0;
    rig_mark (rig);
    rig_set_state (rig, GST_STATE_PLAYING);
    rig_begin (rig, NULL);
    rig_push_bytes (rig, 1000 + i);
    rig_push_eos (rig);
    rig_assert_uploaded (rig, emulator, i);
    rig_pushed (rig);
    rig_set_state (rig, GST_STATE_READY);
  }
  fail_unless_equals_int (emulator_n_media (emulator), 3);
  fail_unless_equals_int (
      emulator_count (emulator, "AbortMultipartUpload", -1), 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_ready_in_the_middle_and_again)
{
  Rig *rig = rig_new (emulator, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, "video/mpegts,systemstream=true");
  rig_push_bytes (rig, 3 * MIB);
  rig_push_segment (rig, 100); /* a seek that nothing follows */
  fail_unless (rig_wait_stat (rig, "bytes-uploaded", MIB));
  rig_pushed (rig);
  rig_set_state (rig, GST_STATE_READY);

  rig->offset = 0;
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 2 * MIB + 1);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (emulator_n_media (emulator), 1);
  fail_unless (emulator_wait_count (emulator, "AbortMultipartUpload", 204, 1));
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_null_and_again_after_a_failure)
{
  Rig *rig = rig_new (emulator, NULL);

  emulator_add_faults (emulator,
      "{\"op\":\"InitiateMultipartUpload\","
      "\"status\":403,\"code\":\"AccessDenied\"}");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 1000);
  rig_assert_failed (rig, "RESOURCE/NOT_AUTHORIZED", "initiate", 403);
  rig_pushed (rig);
  rig_set_state (rig, GST_STATE_NULL);
  emulator_clear_faults (emulator);

  rig_mark (rig);
  rig->offset = 0;
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 1000);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

static guint64
resident (void)
{
  g_autofree gchar *text = NULL;
  guint64 pages = 0;

  if (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL))
    sscanf (text, "%*u %" G_GUINT64_FORMAT, &pages);
  return pages * 4096;
}

static guint
open_files (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir))
    n++;
  return n;
}

GST_START_TEST (test_many_cycles_keep_nothing)
{
  Rig *rig = rig_new (emulator, NULL);
  guint64 memory = 0;
  guint threads = 0, files = 0;

  for (guint i = 0; i < 40; i++) {
    rig->offset = 0;
    rig_mark (rig);
    rig_set_state (rig, GST_STATE_PLAYING);
    rig_begin (rig, NULL);
    rig_push_bytes (rig, 2 * MIB);
    if (i % 2) {
      rig_push_eos (rig);
      rig_wait (rig, "eos");
    } else {
      rig_wait_stat (rig, "bytes-received", 2 * MIB);
    }
    rig_pushed (rig);
    rig_set_state (rig, i % 4 < 2 ? GST_STATE_READY : GST_STATE_NULL);
    if (i == 7) {
      memory = resident ();
      threads = test_count_threads (NULL);
      files = open_files ();
    }
  }
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless (test_count_threads (NULL) <= threads);
  fail_unless (open_files () <= files + 2);
  if (g_getenv ("VOD_TEST_SLOWNESS") == NULL)
    fail_unless (resident () < memory + 12 * MIB, "from %u MiB to %u MiB",
        (guint)(memory / MIB), (guint)(resident () / MIB));
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_random_state_changes_end_well)
{
  static const GstState states[] = {
      GST_STATE_READY, GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_NULL};
  Rig *rig = rig_new (emulator, SMALL_MEMORY, NULL);
  GRand *rand = g_rand_new_with_seed (__i__);

  rig_begin (rig, NULL);
  for (guint i = 0; i < 60; i++) {
    switch (g_rand_int_range (rand, 0, 4)) {
      case 0:
        rig_begin (rig, NULL);
        break;
      case 1:
        rig_push_bytes (rig, g_rand_int_range (rand, 1, 2 * MIB));
        break;
      case 2:
        rig_push_eos (rig);
        break;
      default:
        rig_set_state (rig, states[g_rand_int_range (rand, 0, 4)]);
        break;
    }
  }
  rig_set_state (rig, GST_STATE_NULL);
  rig_pushed (rig);
  fail_unless (test_no_threads ("vod-upload"));
  fail_unless_equals_int (rig_count (rig, "progress-start-open"),
      rig_count (rig, "progress-complete-open") +
          rig_count (rig, "progress-canceled-open") +
          rig_count (rig, "progress-error-open"));
  fail_unless_equals_int (rig_count (rig, "progress-start-close"),
      rig_count (rig, "progress-complete-close") +
          rig_count (rig, "progress-canceled-close") +
          rig_count (rig, "progress-error-close"));
  /* An Initiate that was cancelled on its way may have left an empty one. */
  fail_unless_equals_uint64 (emulator_upload_bytes (emulator), 0);
  g_rand_free (rand);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
vodsink_states_suite (void)
{
  Suite *suite = suite_create ("vodsink-states");
  TCase *tc = tcase_create ("states");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_paused_needs_no_network);
  tcase_add_test (tc, test_nothing_is_asked_before_the_first_rendered_buffer);
  tcase_add_test (tc, test_playing_without_data_asks_nothing);
  tcase_add_test (tc, test_playing_does_not_wait_for_an_upload_that_has_begun);
  tcase_add_loop_test (tc, test_ready_ends_every_wait, 0, G_N_ELEMENTS (hangs));
  tcase_add_loop_test (tc, test_null_ends_every_wait, 0, G_N_ELEMENTS (hangs));
  tcase_add_test (tc, test_null_waits_two_seconds_for_the_delete);
  tcase_add_test (tc, test_ready_deletes_in_the_background);
  tcase_add_test (tc, test_ready_and_playing_again_is_another_upload);
  tcase_add_test (tc, test_ready_in_the_middle_and_again);
  tcase_add_test (tc, test_null_and_again_after_a_failure);
  tcase_add_test (tc, test_many_cycles_keep_nothing);
  tcase_add_loop_test (tc, test_random_state_changes_end_well, 0, 8);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_states);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsink in the hands of an application: `upload-paused` and `cancel`.
 */
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

static void
play (Rig *rig)
{
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
}

static void
cancel (Rig *rig)
{
  g_signal_emit_by_name (rig->sink, "cancel");
}

static gboolean
no_part_is_there (gpointer data)
{
  return emulator_upload_bytes (emulator) == 0;
}

/* One ERROR; no part is left, no thread, and nothing comes any more. */
static void
assert_cancelled (Rig *rig)
{
  rig_assert_failed (rig, "RESOURCE/WRITE", "part", -3);
  fail_unless (rig_wait_state (rig, "failed"));
  fail_unless (test_wait_until (no_part_is_there, NULL, 10));
  fail_unless (test_no_threads ("vod-upload"));
  rig_pushed (rig);
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless_equals_int (rig_count (rig, "error"), 1);
  fail_unless_equals_int (rig_count (rig, "vodsink-error"), 1);
  fail_unless_equals_int (rig_count (rig, "eos"), 0);
  fail_unless_equals_int (rig_count (rig, "vodsink-finish"), 0);
  fail_unless_equals_int (rig_count (rig, "progress-start-open"),
      rig_count (rig, "progress-complete-open") +
          rig_count (rig, "progress-error-open"));
  fail_unless_equals_int (rig_count (rig, "progress-start-close"),
      rig_count (rig, "progress-error-close"));
  fail_unless_equals_int (emulator_n_media (emulator), 0);
}

/* --- paused ---------------------------------------------------------------*/

/* Nothing is cut small only because no worker has anything to do: once they may
 * go, parts are as large as they can be (1, 4, 4 and 3 MiB). */
GST_START_TEST (test_paused_keeps_parts_large)
{
  Rig *rig = rig_new (emulator, "upload-paused", TRUE, "slice-size",
      (guint64)4 * MIB, "max-size-bytes", (guint64)16 * MIB, NULL);

  play (rig);
  rig_push_bytes (rig, 1000);
  fail_unless (rig_wait_state (rig, "paused"));
  fail_unless (
      emulator_wait_count (emulator, "InitiateMultipartUpload", 200, 1));
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-buffered"), 1000);
  rig_push_bytes (rig, MIB - 1000);
  for (guint i = 0; i < 11; i++)
    rig_push_bytes (rig, MIB);
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_OK);
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-buffered"), 12 * MIB);
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-sent"), 0);

  rig_push_eos (rig);
  rig_wait (rig, "progress-start-close");
  g_object_set (rig->sink, "upload-paused", FALSE, NULL);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_uint64 (emulator_media_int (emulator, 0, "parts"), 4);
  rig_free (rig);
}

GST_END_TEST;

/* What was set while one upload was under way counts for the next one too. */
GST_START_TEST (test_paused_stays_for_the_next_upload)
{
  Rig *rig = rig_new (emulator, NULL);

  play (rig);
  rig_push_bytes (rig, 1000);
  rig_pushed (rig);
  g_object_set (rig->sink, "upload-paused", TRUE, NULL);
  fail_unless (rig_wait_state (rig, "paused"));
  rig_set_state (rig, GST_STATE_READY);
  rig->offset = 0;
  play (rig);
  rig_push_bytes (rig, 2 * MIB);
  rig_push_eos (rig);
  rig_wait (rig, "progress-start-close");
  fail_unless (rig_wait_state (rig, "paused"));
  fail_unless_equals_int (rig_count (rig, "eos"), 0);
  g_object_set (rig->sink, "upload-paused", FALSE, NULL);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  rig_free (rig);
}

GST_END_TEST;

/* EOS that waits because of it can be interrupted like any other. */
GST_START_TEST (test_states_while_paused_at_eos)
{
  Rig *rig = rig_new (emulator, "upload-paused", TRUE, NULL);

  play (rig);
  rig_push_bytes (rig, 2 * MIB);
  rig_push_eos (rig);
  rig_wait (rig, "progress-complete-open");
  rig_wait (rig, "progress-start-close");
  for (guint i = 0; i < 3; i++) {
    fail_unless (rig_time_state (rig, GST_STATE_PAUSED) < TEST_MS (100));
    rig_set_state (rig, GST_STATE_PLAYING);
  }
  fail_unless (rig_time_state (rig, GST_STATE_READY) < TEST_MS (100));
  fail_unless (rig_time_state (rig, GST_STATE_NULL) < TEST_MS (2000));
  fail_unless_equals_int (emulator_n_uploads (emulator), 0);
  fail_unless_equals_int (rig_count (rig, "eos"), 0);
  rig_free (rig);
}

GST_END_TEST;

static gchar *
answer_later (GstElement *sink, gpointer data)
{
  return NULL;
}

/* The wait for a signature ends with retry-duration, which stands still. */
GST_START_TEST (test_paused_while_waiting_for_a_signature)
{
  Rig *rig = rig_new (emulator, "signature", NULL, "retry-duration", 1, NULL);
  gint64 resumed;

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_later), NULL);
  g_object_set (rig->sink, "upload-paused", TRUE, NULL);
  play (rig);
  rig_push_bytes (rig, 1000);
  fail_unless (rig_wait_state (rig, "waiting-for-signature"));
  g_usleep (1200000);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  resumed = g_get_monotonic_time ();
  g_object_set (rig->sink, "upload-paused", FALSE, NULL);
  rig_assert_failed (rig, "RESOURCE/NOT_AUTHORIZED", "signature", -1);
  fail_unless (g_get_monotonic_time () - resumed > 900000);
  rig_free (rig);
}

GST_END_TEST;

/* --- cancel: where it stands ----------------------------------------------*/

static const struct {
  const gchar *fault; /* it hangs there */
  gboolean eos;
} places[] = {
    {"{\"op\":\"ApplyUploadUGC\",\"stall\":true}", FALSE},
    {"{\"op\":\"InitiateMultipartUpload\",\"stall\":true}", FALSE},
    {"{\"op\":\"UploadPart\",\"stall\":true}", FALSE},
    {"{\"op\":\"UploadPart\",\"stall\":true}", TRUE},
    {"{\"op\":\"UploadPart\",\"status\":503,\"retry-after\":200}", FALSE},
    {"{\"op\":\"UploadPart\",\"status\":503,\"retry-after\":200}", TRUE},
    {"{\"op\":\"CompleteMultipartUpload\",\"stall\":true}", TRUE},
    {"{\"op\":\"CommitUploadUGC\",\"stall\":true}", TRUE},
};

/* @fatal: the same with fatal-errors=false. */
static void
cancel_at (guint place, gboolean fatal)
{
  Rig *rig = rig_new (emulator, "fatal-errors", fatal, NULL);

  emulator_add_faults (emulator, places[place].fault);
  play (rig);
  rig_push_bytes (rig, 2 * MIB);
  if (places[place].eos)
    rig_push_eos (rig);
  fail_unless (emulator_wait_hits (emulator, 1));
  cancel (rig);
  if (!places[place].eos) {
    rig_push_bytes (rig, 1000);
    fail_unless_equals_int (rig_pushed (rig), GST_FLOW_ERROR);
  }
  emulator_clear_faults (emulator);
  assert_cancelled (rig);
  fail_unless (!rig->taken || !places[place].eos, "EOS was accepted");
  rig_free (rig);
}

GST_START_TEST (test_cancel)
{
  cancel_at ((guint)__i__, TRUE);
}

GST_END_TEST;

GST_START_TEST (test_cancel_is_fatal_even_if_errors_are_not)
{
  cancel_at ((guint)__i__, FALSE);
}

GST_END_TEST;

GST_START_TEST (test_cancel_while_held_back)
{
  Rig *rig = rig_new (emulator, SMALL_MEMORY, NULL);

  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"stall\":true}");
  play (rig);
  rig_push_bytes (rig, 8 * MIB);
  fail_unless (rig_wait_stat (rig, "bytes-received", 4 * MIB));
  fail_unless (emulator_wait_hits (emulator, 1));
  fail_unless (rig_is_pushing (rig));
  cancel (rig);
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_ERROR);
  assert_cancelled (rig);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_cancel_while_paused_at_eos)
{
  Rig *rig = rig_new (emulator, "upload-paused", TRUE, NULL);

  play (rig);
  rig_push_bytes (rig, 2 * MIB);
  rig_push_eos (rig);
  rig_wait (rig, "progress-complete-open");
  rig_wait (rig, "progress-start-close");
  cancel (rig);
  assert_cancelled (rig);
  fail_unless_equals_int (
      emulator_count (emulator, "AbortMultipartUpload", 204), 1);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_cancel_in_state_paused)
{
  Rig *rig = rig_new (emulator, NULL);

  play (rig);
  rig_push_bytes (rig, 2 * MIB);
  fail_unless (rig_wait_stat (rig, "parts-uploaded", 1));
  rig_set_state (rig, GST_STATE_PAUSED);
  rig_push_bytes (rig, 10);
  cancel (rig);
  rig_wait (rig, "error");
  rig_set_state (rig, GST_STATE_PLAYING);
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_ERROR);
  assert_cancelled (rig);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_cancel_while_waiting_for_a_signature)
{
  Rig *rig = rig_new (emulator, "signature", NULL, NULL);

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_later), NULL);
  play (rig);
  rig_push_bytes (rig, 1000);
  fail_unless (rig_wait_state (rig, "waiting-for-signature"));
  cancel (rig);
  assert_cancelled (rig);
  rig_free (rig);
}

GST_END_TEST;

/* The upload ends while a worker is in the application's hands: with parts
 * there already, because it is Commit that asks, or Apply. */
static gchar *
cancel_instead (GstElement *sink, gpointer data)
{
  gint *calls = data;

  if (++*calls == 2)
    g_signal_emit_by_name (sink, "cancel");
  return emulator_signature (FALSE);
}

GST_START_TEST (test_cancel_in_the_handler_of_get_signature)
{
  Rig *rig = rig_new (emulator, "signature", NULL, NULL);
  gint calls = __i__;

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (cancel_instead), &calls);
  play (rig);
  rig_push_bytes (rig, 2 * MIB);
  rig_push_eos (rig);
  assert_cancelled (rig);
  fail_unless_equals_int (calls, 2);
  rig_free (rig);
}

GST_END_TEST;

/* --- cancel: from our own messages ----------------------------------------*/

static const struct {
  const gchar *label;
  const gchar *fault; /* that it takes for the message to come */
  gboolean late;      /* there is nothing left to cancel */
} messages[] = {
    {"progress-start-open", NULL, FALSE},
    {"progress-complete-open", NULL, FALSE},
    {"progress-start-close", NULL, FALSE},
    {"vodsink-progress", NULL, FALSE},
    {"vodsink-retry", "{\"op\":\"UploadPart\",\"status\":503,\"times\":1}",
        FALSE},
    {"vodsink-retry", "{\"op\":\"CommitUploadUGC\",\"status\":503,\"times\":1}",
        FALSE},
    {"progress-complete-close", NULL, TRUE},
    {"vodsink-finish", NULL, TRUE},
    {"eos", NULL, TRUE},
};

static void
cancel_on_message (gpointer data, gpointer user_data)
{
  GstMessage *message = data;
  Rig *rig = user_data;
  const gchar *wanted = g_object_get_data (G_OBJECT (rig->sink), "label");
  g_autofree gchar *label = rig_label (message);

  if (strcmp (label, wanted) == 0)
    cancel (rig);
}

GST_START_TEST (test_cancel_in_a_handler_of_messages)
{
  Rig *rig = rig_new (emulator, "progress-interval", 1, NULL);

  g_object_set_data (
      G_OBJECT (rig->sink), "label", (gpointer)messages[__i__].label);
  rig->on_message = cancel_on_message;
  if (messages[__i__].fault)
    emulator_add_faults (emulator, messages[__i__].fault);
  play (rig);
  rig_push_bytes (rig, 2 * MIB);
  rig_push_eos (rig);
  if (messages[__i__].late) {
    rig_assert_uploaded (rig, emulator, 0);
    rig_pushed (rig);
    rig_set_state (rig, GST_STATE_NULL);
    fail_unless_equals_int (rig_count (rig, "error"), 0);
    fail_unless_equals_int (rig_count (rig, "vodsink-error"), 0);
  } else {
    assert_cancelled (rig);
  }
  rig_free (rig);
}

GST_END_TEST;

/* The streaming thread posts this one, while it is held back. */
GST_START_TEST (test_cancel_in_a_handler_of_the_warning)
{
  Rig *rig = rig_new (emulator, SMALL_MEMORY, NULL);

  g_object_set_data (
      G_OBJECT (rig->sink), "label", (gpointer) "vodsink-warning");
  rig->on_message = cancel_on_message;
  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"stall\":true}");
  play (rig);
  rig_push_bytes (rig, 8 * MIB);
  rig_wait (rig, "error");
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_ERROR);
  emulator_clear_faults (emulator);
  assert_cancelled (rig);
  rig_free (rig);
}

GST_END_TEST;

/* --- cancel: nothing to cancel --------------------------------------------*/

GST_START_TEST (test_cancel_without_an_upload_does_nothing)
{
  Rig *rig = rig_new (emulator, NULL);

  cancel (rig);
  rig_set_state (rig, GST_STATE_PAUSED);
  cancel (rig);
  play (rig);
  cancel (rig);
  rig_push_bytes (rig, 2 * MIB);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_pushed (rig);
  cancel (rig);
  rig_set_state (rig, GST_STATE_READY);
  cancel (rig);
  rig_set_state (rig, GST_STATE_NULL);
  cancel (rig);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  fail_unless_equals_int (rig_count (rig, "vodsink-error"), 0);
  rig_free (rig);
}

GST_END_TEST;

/* It has failed and goes on discarding: that was said already. */
GST_START_TEST (test_cancel_after_a_failure_does_nothing)
{
  Rig *rig = rig_new (emulator, "fatal-errors", FALSE, NULL);

  emulator_add_faults (
      emulator, "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":10001}}");
  play (rig);
  rig_push_bytes (rig, 1000);
  rig_wait (rig, "warning");
  cancel (rig);
  rig_push_bytes (rig, 1000);
  rig_push_eos (rig);
  rig_wait (rig, "eos");
  rig_assert_story (
      rig, "progress-start-open vodsink-error warning progress-error-open eos");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_another_upload_after_cancel)
{
  Rig *rig = rig_new (emulator, NULL);

  play (rig);
  rig_push_bytes (rig, 2 * MIB);
  fail_unless (rig_wait_stat (rig, "parts-uploaded", 1));
  cancel (rig);
  rig_assert_failed (rig, "RESOURCE/WRITE", "part", -3);
  rig_pushed (rig);
  rig_set_state (rig, GST_STATE_READY);
  rig_mark (rig);
  rig->offset = 0;
  play (rig);
  rig_push_bytes (rig, MIB + 3);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  rig_free (rig);
}

GST_END_TEST;

static gpointer
cancel_now (gpointer data)
{
  cancel (data);
  return NULL;
}

/* By several threads, at any moment: one ERROR, or one upload. */
GST_START_TEST (test_cancel_at_any_moment)
{
  Rig *rig = rig_new (emulator, SMALL_MEMORY, NULL);
  GThread *threads[3];
  guint errors;

  play (rig);
  for (guint i = 0; i < 8; i++)
    rig_push_bytes (rig, MIB - 1);
  rig_push_eos (rig);
  g_usleep ((gulong)g_random_int_range (0, 60000));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("cancel", cancel_now, rig);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  rig_pushed (rig);
  rig_set_state (rig, GST_STATE_NULL);
  errors = rig_count (rig, "error");
  fail_unless_equals_int (rig_count (rig, "vodsink-error"), errors);
  fail_unless_equals_int (rig_count (rig, "eos") + errors, 1);
  fail_unless_equals_int (rig_count (rig, "vodsink-finish") + errors, 1);
  /* Commit may have been on its way, or Initiate, whose upload has no parts. */
  fail_unless (emulator_n_media (emulator) + errors >= 1);
  fail_unless (test_wait_until (no_part_is_there, NULL, 10));
  rig_free (rig);
}

GST_END_TEST;

static Suite *
vodsink_control_suite (void)
{
  Suite *suite = suite_create ("vodsink-control");
  TCase *tc = tcase_create ("control");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_paused_keeps_parts_large);
  tcase_add_test (tc, test_paused_stays_for_the_next_upload);
  tcase_add_test (tc, test_states_while_paused_at_eos);
  tcase_add_test (tc, test_paused_while_waiting_for_a_signature);
  tcase_add_loop_test (tc, test_cancel, 0, G_N_ELEMENTS (places));
  tcase_add_loop_test (tc, test_cancel_is_fatal_even_if_errors_are_not, 0,
      G_N_ELEMENTS (places));
  tcase_add_test (tc, test_cancel_while_held_back);
  tcase_add_test (tc, test_cancel_while_paused_at_eos);
  tcase_add_test (tc, test_cancel_in_state_paused);
  tcase_add_test (tc, test_cancel_while_waiting_for_a_signature);
  tcase_add_loop_test (tc, test_cancel_in_the_handler_of_get_signature, 0, 2);
  tcase_add_loop_test (
      tc, test_cancel_in_a_handler_of_messages, 0, G_N_ELEMENTS (messages));
  tcase_add_test (tc, test_cancel_in_a_handler_of_the_warning);
  tcase_add_test (tc, test_cancel_without_an_upload_does_nothing);
  tcase_add_test (tc, test_cancel_after_a_failure_does_nothing);
  tcase_add_test (tc, test_another_upload_after_cancel);
  tcase_add_loop_test (tc, test_cancel_at_any_moment, 0, 20);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_control);

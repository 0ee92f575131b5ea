/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fatal-errors=false: whatever the upload fails of is a WARNING, the rest of the
 * stream is taken, and EOS comes when it comes.
 */
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

/* --- an upload that fails -------------------------------------------------*/

GST_START_TEST (test_not_fatal_goes_on_and_posts_eos)
{
  Rig *rig = rig_new (emulator, "fatal-errors", FALSE, SMALL_MEMORY, NULL);
  g_autofree gchar *code = NULL;
  GstMessage *warning;
  const GstStructure *details;

  emulator_add_faults (emulator,
      "{\"op\":\"UploadPart\",\"status\":403,\"code\":\"AccessDenied\"}");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  /* The worker that opens says so beside another that has a part already. */
  rig_push_bytes (rig, 1);
  rig_wait (rig, "progress-complete-open");
  rig_push_bytes (rig, 2 * MIB);
  warning = rig_wait (rig, "warning");
  code = rig_error_code (warning);
  fail_unless_equals_string (code, "RESOURCE/NOT_AUTHORIZED");
  details = rig_details (warning);
  fail_unless (gst_structure_is_equal (
      details, rig_details (rig_wait (rig, "vodsink-error"))));
  fail_unless_equals_string (
      gst_structure_get_string (details, "phase"), "part");

  /* Much more than there is memory for. */
  for (guint i = 0; i < 20; i++)
    rig_push_bytes (rig, MIB);
  rig_push_segment (rig, 0);
  rig_push (rig, rig_buffer (0, 10));
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_OK);
  fail_unless_equals_int (rig_count (rig, "eos"), 0);
  rig_push_eos (rig);
  rig_wait (rig, "eos");
  rig_pushed (rig);
  fail_unless (rig->taken);
  rig_set_state (rig, GST_STATE_NULL);
  rig_assert_story (rig,
      "progress-start-open progress-complete-open "
      "vodsink-error warning eos");
  fail_unless_equals_int (emulator_n_uploads (emulator), 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_not_fatal_at_commit)
{
  Rig *rig = rig_new (emulator, "fatal-errors", FALSE, NULL);

  emulator_add_faults (emulator,
      "{\"op\":\"CommitUploadUGC\",\"json\":"
      "{\"code\":10001,\"message\":\"no\"}}");
  rig_upload (rig);
  rig_wait (rig, "eos");
  fail_unless_equals_int (rig_count (rig, "warning"), 1);
  fail_unless_equals_int (rig_count (rig, "vodsink-error"), 1);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  fail_unless_equals_int (rig_count (rig, "vodsink-finish"), 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_not_fatal_without_a_byte)
{
  Rig *rig = rig_new (emulator, "fatal-errors", FALSE, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_eos (rig);
  rig_wait (rig, "eos");
  rig_assert_story (rig, "vodsink-error warning eos");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_not_fatal_and_out_of_reach)
{
  Rig *rig = rig_new (emulator, "fatal-errors", FALSE, SMALL_MEMORY, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 1000);
  rig_push_bytes_at (rig, 3 * MIB, 10);
  rig_push_bytes (rig, 1000);
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_OK);
  rig_push_eos (rig);
  rig_wait (rig, "eos");
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless_equals_int (rig_count (rig, "warning"), 1);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  fail_unless_equals_int (emulator_n_media (emulator), 0);
  rig_free (rig);
}

GST_END_TEST;

/* --- one that cannot begin ------------------------------------------------*/

static const struct {
  const gchar *property;
  const gchar *value; /* NULL: not set */
  const gchar *code;
} unusable[] = {
    {"media-name", "a/b", "RESOURCE/SETTINGS"},
    {"endpoint", "ftp://host", "RESOURCE/SETTINGS"},
    {"resume-key", "", "RESOURCE/SETTINGS"},
    {"max-size-bytes", "1048576", "RESOURCE/SETTINGS"},
    {"tls-ca-file", "/dev/null", "RESOURCE/SETTINGS"},
    {"state-dir", "/proc/nowhere", "RESOURCE/OPEN_WRITE"},
    {"media-type", NULL, "gst-core-error-quark/7"}, /* NEGOTIATION */
};

/* The WARNING says what the ERROR would say. */
static void
check_warning (Rig *rig, const gchar *expected)
{
  GstMessage *message = rig_wait (rig, "warning");
  g_autofree gchar *code = rig_error_code (message);
  const GstStructure *details = rig_details (message);

  fail_unless_equals_string (code, expected);
  fail_unless (gst_structure_is_equal (
      details, rig_details (rig_wait (rig, "vodsink-error"))));
}

GST_START_TEST (test_not_fatal_with_what_cannot_be_used)
{
  Rig *rig = rig_new (emulator, "fatal-errors", FALSE, NULL);

  if (unusable[__i__].value)
    gst_util_set_object_arg (
        G_OBJECT (rig->sink), unusable[__i__].property, unusable[__i__].value);
  else
    g_object_set (rig->sink, unusable[__i__].property, NULL, NULL);
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  /* With tls-ca-file it is a worker that fails. */
  rig_push_bytes (rig, MIB);
  check_warning (rig, unusable[__i__].code);
  for (guint i = 0; i < 5; i++) {
    rig_push_bytes (rig, MIB);
    fail_unless_equals_int (rig_pushed (rig), GST_FLOW_OK);
  }
  /* What has arrived, whatever became of it. */
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-received"), 6 * MIB);
  fail_unless_equals_int (rig_count (rig, "eos"), 0);
  rig_push_eos (rig);
  rig_wait (rig, "eos");
  rig_pushed (rig);
  fail_unless (rig->taken);
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless_equals_int (rig_count (rig, "warning"), 1);
  fail_unless_equals_int (rig_count (rig, "vodsink-error"), 1);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  fail_unless_equals_int (emulator_n_sessions (emulator), 0);
  rig_free (rig);
}

GST_END_TEST;

/* The next stream is another chance. */
GST_START_TEST (test_not_fatal_and_right_the_next_time)
{
  Rig *rig =
      rig_new (emulator, "fatal-errors", FALSE, "media-name", "a/b", NULL);

  rig_upload (rig);
  rig_wait (rig, "eos");
  rig_mark (rig);
  g_object_set (rig->sink, "media-name", "a b", NULL);
  rig_set_state (rig, GST_STATE_READY);
  rig->offset = 0;
  rig_upload (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-received"), rig->offset);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
vodsink_notfatal_suite (void)
{
  Suite *suite = suite_create ("vodsink-notfatal");
  TCase *tc = tcase_create ("notfatal");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_not_fatal_goes_on_and_posts_eos);
  tcase_add_test (tc, test_not_fatal_at_commit);
  tcase_add_test (tc, test_not_fatal_without_a_byte);
  tcase_add_test (tc, test_not_fatal_and_out_of_reach);
  tcase_add_loop_test (
      tc, test_not_fatal_with_what_cannot_be_used, 0, G_N_ELEMENTS (unusable));
  tcase_add_test (tc, test_not_fatal_and_right_the_next_time);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_notfatal);

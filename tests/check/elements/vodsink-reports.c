/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsink with a report id: what the service is told, and that the element is
 * the same with a report server that is none.
 */
#include <string.h>

#include "../teststopwatch.h"
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
upload (Rig *rig, gsize len)
{
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, len);
  rig_push_eos (rig);
}

static const gchar *
text_of (JsonArray *reports, guint n, const gchar *member)
{
  return json_object_get_string_member (
      json_array_get_object_element (reports, n), member);
}

static gint64
int_of (JsonArray *reports, guint n, const gchar *member)
{
  return json_object_get_int_member (
      json_array_get_object_element (reports, n), member);
}

static void
assert_events (JsonArray *reports, guint from)
{
  static const gint events[] = {10001, 20001, 10002, 40001};

  for (guint i = 0; i < G_N_ELEMENTS (events); i++) {
    fail_unless_equals_int (int_of (reports, from + i, "reqType"), events[i]);
    fail_unless_equals_int (int_of (reports, from + i, "errCode"), 0);
  }
}

/* --- what is reported -----------------------------------------------------*/

/* Those with this report id, of all that are there. */
static JsonArray *
with_id (JsonArray *reports, const gchar *id)
{
  JsonArray *found = json_array_new ();

  for (guint i = 0; i < json_array_get_length (reports); i++)
    if (g_strcmp0 (text_of (reports, i, "reportId"), id) == 0)
      json_array_add_element (
          found, json_node_copy (json_array_get_element (reports, i)));
  return found;
}

static void
assert_described (JsonArray *reports, guint n)
{
  g_autofree gchar *os = g_get_os_info (G_OS_INFO_KEY_PRETTY_NAME);
  g_autofree gchar *framework = gst_version_string ();
  const gchar *device = text_of (reports, n, "device");

  fail_unless_equals_string (text_of (reports, n, "version"), VERSION);
  fail_unless_equals_int (int_of (reports, n, "platform"), 5000);
  fail_unless (g_str_has_prefix (device, framework), "%s", device);
  fail_unless (os == NULL || strstr (device, os), "%s", device);
  fail_unless_equals_string (text_of (reports, n, "fileName"), "Lecture");
  fail_unless_equals_string (
      text_of (reports, n, "reqKey"), text_of (reports, 0, "reqKey"));
}

#define GRACE 50 /* ms */

/* As gst-launch-1.0 does: NULL as soon as EOS is there. Unless the grace was
 * used up, because the machine has other things to do, all of it arrives. */
GST_START_TEST (test_all_events_also_if_it_ends_at_eos)
{
  g_autofree gchar *last_key = NULL;
  guint whole = 0;

  for (guint i = 0; i < 20; i++) {
    g_autofree gchar *id = g_strdup_printf ("room %u", i);
    Rig *rig =
        rig_new (emulator, "report-id", id, "location", "/x/Lecture.MKV", NULL);
    g_autoptr (JsonArray) all = NULL, reports = NULL;
    g_autoptr (TestStopwatch) watch = NULL;
    gint64 ms;

    upload (rig, 100000);
    rig_wait (rig, "eos");
    watch = test_stopwatch_new ();
    rig_set_state (rig, GST_STATE_NULL);
    ms = test_stopwatch_all_ms (watch);
    fail_unless (test_no_threads ("vod-report"));
    rig_free (rig);
    if (ms >= GRACE)
      continue;
    all = emulator_reports (emulator, 0);
    reports = with_id (all, id);
    fail_unless_equals_int (json_array_get_length (reports), 4);
    assert_events (reports, 0);
    for (guint k = 0; k < 4; k++)
      assert_described (reports, k);
    /* An upload has its own key. */
    fail_unless (g_strcmp0 (text_of (reports, 0, "reqKey"), last_key) != 0);
    g_free (last_key);
    last_key = g_strdup (text_of (reports, 0, "reqKey"));
    whole++;
  }
  fail_unless (whole > 0);
}

GST_END_TEST;

GST_START_TEST (test_nothing_is_reported_by_default)
{
  Rig *rig =
      rig_new (emulator, "report-endpoint", emulator_uri (emulator), NULL);
  Rig *empty = rig_new (emulator, "report-id", "", NULL);

  upload (rig, 1000);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
  upload (empty, 1000);
  rig_assert_uploaded (empty, emulator, 1);
  rig_free (empty);
  fail_unless_equals_int (emulator_count (emulator, "report", -1), 0);
}

GST_END_TEST;

GST_START_TEST (test_reports_go_to_the_report_endpoint)
{
  g_autoptr (Emulator) other = emulator_new (NULL);
  g_autoptr (JsonArray) reports = NULL;
  Rig *rig = rig_new (emulator, "report-id", "x", "report-endpoint",
      emulator_uri (other), NULL);

  upload (rig, 1000);
  rig_assert_uploaded (rig, emulator, 0);
  reports = emulator_reports (other, 4);
  assert_events (reports, 0);
  fail_unless_equals_int (emulator_count (emulator, "report", -1), 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_a_failed_upload_is_reported)
{
  g_autoptr (JsonArray) reports = NULL;
  Rig *rig = rig_new (emulator, "report-id", "x", NULL);

  emulator_add_faults (emulator,
      "{\"op\":\"UploadPart\",\"status\":403,\"code\":\"AccessDenied\"}");
  upload (rig, 1000);
  rig_assert_failed (rig, "RESOURCE/NOT_AUTHORIZED", "part", 403);
  reports = emulator_reports (emulator, 3);
  fail_unless_equals_int (int_of (reports, 1, "reqType"), 20001);
  fail_unless_equals_string (
      text_of (reports, 1, "cosErrCode"), "AccessDenied");
  fail_unless_equals_int (int_of (reports, 2, "reqType"), 40001);
  fail_unless_equals_int (int_of (reports, 2, "errCode"), 1);
  rig_free (rig);
}

GST_END_TEST;

/* --- what is not ----------------------------------------------------------*/

static GString *logged;
static GMutex logged_lock;

static void
keep_log (GstDebugCategory *category, GstDebugLevel level, const gchar *file,
    const gchar *function, gint line, GObject *object, GstDebugMessage *message,
    gpointer data)
{
  /* Writing it may log, too. */
  const gchar *text = gst_debug_message_get (message);

  g_mutex_lock (&logged_lock);
  g_string_append (logged, text);
  g_string_append_c (logged, '\n');
  g_mutex_unlock (&logged_lock);
}

static void
assert_free_of (const gchar *text, gchar **secrets, const gchar *signature)
{
  for (guint i = 0; secrets[i]; i++)
    fail_unless (strstr (text, secrets[i]) == NULL);
  fail_unless (strstr (text, signature) == NULL);
}

/* Neither in a report, nor in a log of everything, nor in a message; even if the
 * service repeats the signature that it refuses. */
GST_START_TEST (test_nothing_secret_is_told)
{
  g_autofree gchar *root = g_dir_make_tmp ("vodsink-XXXXXX", NULL);
  g_autoptr (Emulator) own = emulator_new ("--root", root, NULL);
  g_autofree gchar *signature = emulator_signature (FALSE);
  g_autofree gchar *fault = g_strdup_printf (
      "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":777,\"message\":"
      "\"what is %s?\"},\"times\":1}",
      signature);
  const gchar *const argv[] = {"rm", "-r", root, NULL};
  Rig *rig = rig_new (own, "report-id", "x", "signature", signature, NULL);
  g_autoptr (JsonArray) reports = NULL;
  g_autoptr (JsonNode) node = json_node_alloc ();
  g_autofree gchar *text = NULL, *session = NULL;
  g_auto (GStrv) secrets = NULL;

  logged = g_string_new (NULL);
  gst_debug_set_threshold_from_string ("*:6", FALSE);
  gst_debug_remove_log_function (gst_debug_log_default);
  gst_debug_add_log_function (keep_log, NULL, NULL);
  emulator_add_faults (own, fault);
  upload (rig, 2 * MIB);
  rig_assert_uploaded (rig, own, 0);
  reports = emulator_reports (own, 5);
  fail_unless (
      strstr (text_of (reports, 0, "errMsg"), "777: what is ...?") != NULL);
  session = g_strdup (text_of (reports, 1, "vodSessionKey"));
  rig_free (rig);
  gst_debug_remove_log_function (keep_log);

  secrets = emulator_secrets (root);
  fail_unless (g_strv_length (secrets) >= 3);
  json_node_init_array (node, reports);
  text = json_to_string (node, FALSE);
  assert_free_of (text, secrets, signature);
  fail_unless (logged->len > 10000);
  assert_free_of (logged->str, secrets, signature);
  fail_unless (strstr (logged->str, session) == NULL);
  g_string_free (logged, TRUE);
  g_clear_pointer (&own, emulator_free);
  fail_unless (g_spawn_sync (NULL, (gchar **)argv, NULL, G_SPAWN_SEARCH_PATH,
      NULL, NULL, NULL, NULL, NULL, NULL));
}

GST_END_TEST;

/* --- a report server that is none -----------------------------------------*/

static void
read_stats (gpointer message, gpointer data)
{
  Rig *rig = data;
  gchar *name;

  if (!gst_message_has_name (message, "vodsink-warning"))
    return;
  name = rig_state_name (rig);
  fail_unless (name != NULL);
  g_free (name);
}

GST_START_TEST (test_a_dead_one_is_one_warning)
{
  Rig *rig = rig_new (emulator, "report-id", "x", "report-endpoint",
      "http://127.0.0.1:1", NULL);
  const GstStructure *warning, *details;
  gint code;

  rig->nosy = TRUE;
  rig->on_message = read_stats;
  upload (rig, 3 * MIB);
  rig_assert_uploaded (rig, emulator, 0);
  warning = gst_message_get_structure (rig_wait (rig, "vodsink-warning"));
  fail_unless_equals_string (
      gst_structure_get_string (warning, "phase"), "report");
  fail_unless (gst_structure_get_int (warning, "code", &code));
  fail_unless_equals_int (code, -2);
  fail_unless (
      strstr (gst_structure_get_string (warning, "message"), "reported"));
  details = rig_details (rig_wait (rig, "warning"));
  fail_unless_equals_string (
      gst_structure_get_string (details, "phase"), "report");
  /* The others are given up in silence. */
  g_usleep (3 * G_USEC_PER_SEC);
  fail_unless_equals_int (rig_count (rig, "vodsink-warning"), 1);
  fail_unless_equals_int (rig_count (rig, "warning"), 1);
  fail_unless_equals_int (rig_count (rig, "vodsink-retry"), 0);
  fail_unless_equals_uint64 (rig_stat (rig, "retries"), 0);
  rig_free (rig);
}

GST_END_TEST;

/* In an order that is always the same. */
static gchar *
upload_step_by_step (Rig *rig)
{
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 100000);
  rig_wait (rig, "progress-complete-open");
  rig_push_eos (rig);
  rig_wait (rig, "eos");
  return rig_story (rig);
}

/* Twice the same upload, once with reports that nobody takes: the service sees
 * the same requests, and the application the same messages. */
GST_START_TEST (test_a_silent_one_changes_nothing)
{
  Rig *plain = rig_new (emulator, NULL);
  g_autoptr (Emulator) silent = emulator_new (NULL);
  g_autofree gchar *expected = NULL, *story = NULL;
  Rig *rig = rig_new (
      silent, "report-id", "x", "report-endpoint", emulator_uri (silent), NULL);
  gint64 ms;

  expected = upload_step_by_step (plain);
  rig_free (plain);

  emulator_add_faults (silent, "{\"op\":\"report\",\"stall\":true}");
  story = upload_step_by_step (rig);
  fail_unless_equals_string (story, expected);
  rig_assert_uploaded (rig, silent, 0);
  fail_unless (emulator_wait_hits (silent, 1));
  fail_unless_equals_int (test_count_threads ("vod-report"), 1);
  ms = rig_time_state (rig, GST_STATE_NULL);
  fail_unless (ms < TEST_MS (100), "%" G_GINT64_FORMAT " ms", ms);
  fail_unless_equals_int (rig_count (rig, "vodsink-warning"), 0);
  rig_free (rig);
  fail_unless (test_no_threads ("vod-report"));
}

GST_END_TEST;

/* There is nothing to delete at the service, for which NULL would wait too. */
GST_START_TEST (test_stopping_while_a_report_hangs)
{
  static const GstState states[] = {
      GST_STATE_PAUSED, GST_STATE_READY, GST_STATE_NULL};
  Rig *rig = rig_new (emulator, "report-id", "x", NULL);

  emulator_add_faults (emulator,
      "[{\"op\":\"report\",\"stall\":true},"
      "{\"op\":\"ApplyUploadUGC\",\"status\":503,\"retry-after\":100}]");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 1000);
  fail_unless (emulator_wait_hits (emulator, 2));
  for (guint i = 0; i < G_N_ELEMENTS (states); i++) {
    gint64 ms = rig_time_state (rig, states[i]);

    fail_unless (ms < TEST_MS (100), "%" G_GINT64_FORMAT " ms", ms);
  }
  fail_unless_equals_int (rig_count (rig, "vodsink-warning"), 0);
  rig_free (rig);
  fail_unless (test_no_threads ("vod-report"));
}

GST_END_TEST;

/* The media begins again while a report of the old upload hangs: the new one has
 * reports of its own. */
GST_START_TEST (test_a_flush_while_a_report_hangs)
{
  Rig *rig = rig_new (emulator, "report-id", "x", NULL);
  g_autoptr (JsonArray) reports = NULL;

  emulator_add_faults (
      emulator, "{\"op\":\"report\",\"stall\":true,\"times\":1}");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 1000);
  fail_unless (emulator_wait_hits (emulator, 1));
  rig_flush (rig);
  rig->offset = 0;
  rig_push_segment (rig, 0);
  rig_push_bytes (rig, 2000);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  reports = emulator_reports (emulator, 4);
  assert_events (reports, 0);
  rig_free (rig);
  fail_unless (test_no_threads ("vod-report"));
}

GST_END_TEST;

/* The application ends everything when it hears of it, in the thread that
 * posts. */
static void
stop_on_warning (gpointer message, gpointer data)
{
  Rig *rig = data;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_WARNING)
    gst_element_set_state (rig->sink, GST_STATE_NULL);
}

static gboolean
is_null (gpointer data)
{
  Rig *rig = data;

  return GST_STATE (rig->sink) == GST_STATE_NULL;
}

GST_START_TEST (test_stopping_in_the_warning)
{
  Rig *rig = rig_new (emulator, "report-id", "x", "report-endpoint",
      "http://127.0.0.1:1", NULL);

  rig->on_message = stop_on_warning;
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 1000);
  fail_unless (test_wait_until (is_null, rig, 10));
  fail_unless (test_no_threads ("vod-report"));
  rig_free (rig);
}

GST_END_TEST;

static Suite *
vodsink_reports_suite (void)
{
  Suite *suite = suite_create ("vodsink-reports");
  TCase *tc = tcase_create ("reports");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_all_events_also_if_it_ends_at_eos);
  tcase_add_test (tc, test_nothing_is_reported_by_default);
  tcase_add_test (tc, test_reports_go_to_the_report_endpoint);
  tcase_add_test (tc, test_a_failed_upload_is_reported);
  tcase_add_test (tc, test_nothing_secret_is_told);
  tcase_add_test (tc, test_a_dead_one_is_one_warning);
  tcase_add_test (tc, test_a_silent_one_changes_nothing);
  tcase_add_test (tc, test_stopping_while_a_report_hangs);
  tcase_add_test (tc, test_a_flush_while_a_report_hangs);
  tcase_add_test (tc, test_stopping_in_the_warning);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_reports);

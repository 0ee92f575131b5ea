/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsink's failures: each is posted once, first as vodsink-error, then as ERROR
 * or WARNING with the same details; what can be got over is got over.
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

/* --- final at once --------------------------------------------------------*/

static const struct {
  const gchar *fault;
  const gchar *code;
  const gchar *phase;
  gint number;
  const gchar *error_code; /* NULL: none */
  const gchar *op;         /* asked how many times … */
  guint times;
} finals[] = {
    {"{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":10001,"
     "\"message\":\"invalid request\"}}",
        "RESOURCE/OPEN_WRITE", "apply", 10001, NULL, "ApplyUploadUGC", 1},
    {"{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":10004,"
     "\"message\":\"invalid signature\"}}",
        "RESOURCE/NOT_AUTHORIZED", "apply", 10004, NULL, "ApplyUploadUGC", 1},
    {"{\"op\":\"ApplyUploadUGC\",\"status\":404}", "RESOURCE/OPEN_WRITE",
        "apply", 404, NULL, "ApplyUploadUGC", 1},
    {"{\"op\":\"ApplyUploadUGC\",\"status\":401}", "RESOURCE/NOT_AUTHORIZED",
        "apply", 401, NULL, "ApplyUploadUGC", 1},
    {"{\"op\":\"ApplyUploadUGC\",\"status\":403}", "RESOURCE/NOT_AUTHORIZED",
        "apply", 403, NULL, "ApplyUploadUGC", 1},
    {"{\"op\":\"ApplyUploadUGC\",\"status\":407}", "RESOURCE/NOT_AUTHORIZED",
        "apply", 407, NULL, "ApplyUploadUGC", 1},
    {"{\"op\":\"InitiateMultipartUpload\",\"status\":403,"
     "\"code\":\"AccessDenied\"}",
        "RESOURCE/NOT_AUTHORIZED", "initiate", 403, "AccessDenied",
        "InitiateMultipartUpload", 1},
    {"{\"op\":\"InitiateMultipartUpload\",\"status\":403,"
     "\"code\":\"AccessForbidden\",\"message\":\"no\"}",
        "RESOURCE/NOT_AUTHORIZED", "initiate", 403, "AccessForbidden",
        "InitiateMultipartUpload", 1},
    {"{\"op\":\"InitiateMultipartUpload\",\"status\":404,"
     "\"code\":\"NoSuchBucket\"}",
        "RESOURCE/OPEN_WRITE", "initiate", 404, "NoSuchBucket",
        "InitiateMultipartUpload", 1},
    {"{\"op\":\"UploadPart\",\"part\":1,\"status\":403,"
     "\"code\":\"SignatureDoesNotMatch\"}",
        "RESOURCE/NOT_AUTHORIZED", "part", 403, "SignatureDoesNotMatch", NULL,
        0},
    {"{\"op\":\"UploadPart\",\"part\":1,\"status\":403,"
     "\"code\":\"InvalidAccessKeyId\",\"shape\":\"message\"}",
        "RESOURCE/NOT_AUTHORIZED", "part", 403, "InvalidAccessKeyId", NULL, 0},
    {"{\"op\":\"UploadPart\",\"part\":1,\"status\":400,"
     "\"code\":\"EntityTooLarge\"}",
        "RESOURCE/WRITE", "part", 400, "EntityTooLarge", NULL, 0},
    {"{\"op\":\"UploadPart\",\"part\":1,\"status\":404,"
     "\"code\":\"NoSuchUpload\"}",
        "RESOURCE/WRITE", "part", 404, "NoSuchUpload", NULL, 0},
    {"{\"op\":\"CompleteMultipartUpload\",\"error-in-200\":\"AccessDenied\"}",
        "RESOURCE/NOT_AUTHORIZED", "complete", 200, "AccessDenied",
        "CompleteMultipartUpload", 1},
    {"{\"op\":\"CommitUploadUGC\",\"json\":{\"code\":10001,"
     "\"message\":\"invalid request\"}}",
        "RESOURCE/CLOSE", "commit", 10001, NULL, "CommitUploadUGC", 1},
    {"{\"op\":\"CommitUploadUGC\",\"status\":403}", "RESOURCE/NOT_AUTHORIZED",
        "commit", 403, NULL, "CommitUploadUGC", 1},
    {"{\"op\":\"CommitUploadUGC\",\"status\":404}", "RESOURCE/CLOSE", "commit",
        404, NULL, "CommitUploadUGC", 1},
};

GST_START_TEST (test_final_errors)
{
  Rig *rig = rig_new (emulator, NULL);
  const GstStructure *details;
  gboolean resumable = TRUE;

  emulator_add_faults (emulator, finals[__i__].fault);
  rig_upload (rig);
  rig_assert_failed (
      rig, finals[__i__].code, finals[__i__].phase, finals[__i__].number);
  details = rig_details (rig_wait (rig, "error"));
  fail_unless_equals_string (gst_structure_get_string (details, "error-code"),
      finals[__i__].error_code);
  fail_unless (gst_structure_get_boolean (details, "resumable", &resumable));
  fail_unless (!resumable);
  fail_unless (gst_structure_get_string (details, "message") != NULL);
  fail_unless (!gst_structure_has_field (details, "spool-location"));
  /* The storage always says which request it was. */
  if (finals[__i__].error_code)
    fail_unless (gst_structure_get_string (details, "request-id") != NULL);
  rig_pushed (rig);
  fail_unless (!rig->taken, "EOS was accepted");
  if (finals[__i__].op)
    fail_unless_equals_int (
        emulator_count (emulator, finals[__i__].op, -1), finals[__i__].times);
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless_equals_int (rig_count (rig, "error"), 1);
  fail_unless_equals_int (rig_count (rig, "vodsink-error"), 1);
  fail_unless_equals_int (rig_count (rig, "progress-start-open"),
      rig_count (rig, "progress-complete-open") +
          rig_count (rig, "progress-error-open"));
  fail_unless_equals_int (rig_count (rig, "progress-start-close"),
      rig_count (rig, "progress-error-close"));
  fail_unless_equals_int (emulator_n_media (emulator), 0);
  if (strcmp (finals[__i__].phase, "commit") != 0)
    fail_unless_equals_uint64 (emulator_upload_bytes (emulator), 0);
  rig_free (rig);
}

GST_END_TEST;

/* What is still held is sent again, twice. */
GST_START_TEST (test_parts_that_are_lost_again_and_again)
{
  Rig *rig = rig_new (emulator, NULL);

  emulator_add_faults (emulator,
      "{\"op\":\"CompleteMultipartUpload\",\"status\":400,"
      "\"code\":\"InvalidPart\"}");
  rig_upload (rig);
  rig_assert_failed (rig, "RESOURCE/CLOSE", "complete", 400);
  rig_pushed (rig);
  fail_unless (!rig->taken, "EOS was accepted");
  fail_unless_equals_int (
      emulator_count (emulator, "CompleteMultipartUpload", -1), 3);
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless_equals_int (rig_count (rig, "error"), 1);
  fail_unless_equals_int (emulator_n_media (emulator), 0);
  rig_free (rig);
}

GST_END_TEST;

/* Several uploads may be under way in one pipeline: which was it? */
GST_START_TEST (test_a_failure_tells_the_location)
{
  gboolean fatal = __i__ == 0;
  Rig *rig = rig_new (
      emulator, "location", "/x/rec\n01.mp4", "fatal-errors", fatal, NULL);
  g_autoptr (GError) error = NULL;
  g_autofree gchar *debug = NULL;
  GstMessage *message;

  emulator_add_faults (emulator,
      "{\"op\":\"UploadPart\",\"status\":403,\"code\":\"AccessDenied\"}");
  rig_upload (rig);
  message = rig_wait (rig, fatal ? "error" : "warning");
  fail_unless_equals_string (
      gst_structure_get_string (rig_details (message), "location"),
      "/x/rec\n01.mp4");
  fail_unless (gst_structure_is_equal (
      rig_details (message), rig_details (rig_wait (rig, "vodsink-error"))));
  if (fatal)
    gst_message_parse_error (message, &error, &debug);
  else
    gst_message_parse_warning (message, &error, &debug);
  fail_unless (strstr (debug, "\nlocation /x/rec 01.mp4") != NULL, "%s", debug);
  rig_free (rig);
}

GST_END_TEST;

/* The text of a service is a stranger's: no control characters reach an
 * application, and it stays short. */
GST_START_TEST (test_messages_of_strangers_are_made_printable)
{
  Rig *rig = rig_new (emulator, NULL);
  const gchar *message;

  emulator_add_faults (emulator,
      "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":10001,\"message\":"
      "\"bad\\u001b[31m\\r\\nX: y \\u0000 end\"}}");
  rig_upload (rig);
  message = gst_structure_get_string (
      rig_details (rig_wait (rig, "error")), "message");
  fail_unless (g_utf8_validate (message, -1, NULL));
  for (const gchar *p = message; *p; p++)
    fail_unless ((guchar)*p >= 0x20 && *p != 0x7f, "%s", message);
  fail_unless (strlen (message) < 1024);
  rig_free (rig);
}

GST_END_TEST;

/* --- nobody there ---------------------------------------------------------*/

GST_START_TEST (test_network_failure_without_retry)
{
  Rig *rig = rig_new (
      emulator, "endpoint", "http://127.0.0.1:1", "retry-duration", 0, NULL);

  rig_upload (rig);
  rig_assert_failed (rig, "RESOURCE/OPEN_WRITE", "apply", -2);
  fail_unless_equals_int (rig_count (rig, "vodsink-retry"), 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_network_failure_ends_with_retry_duration)
{
  Rig *rig = rig_new (
      emulator, "endpoint", "http://127.0.0.1:1", "retry-duration", 1, NULL);
  g_autoptr (TestStopwatch) watch = test_stopwatch_new ();
  gint64 ms;

  rig_upload (rig);
  rig_assert_failed (rig, "RESOURCE/OPEN_WRITE", "apply", -2);
  ms = test_stopwatch_all_ms (watch);
  fail_unless (ms >= 990, "%d ms", (gint)ms);
  ms = test_stopwatch_ms (watch);
  fail_unless (ms < TEST_MS (2500), "%d ms", (gint)ms);
  fail_unless (rig_count (rig, "vodsink-retry") >= 2);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_retry_duration_may_change_while_it_retries)
{
  Rig *rig = rig_new (
      emulator, "endpoint", "http://127.0.0.1:1", "retry-duration", -1, NULL);

  rig_upload (rig);
  rig_wait (rig, "vodsink-retry");
  g_object_set (rig->sink, "retry-duration", 0, NULL);
  rig_assert_failed (rig, "RESOURCE/OPEN_WRITE", "apply", -2);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_unresolvable_host)
{
  Rig *rig = rig_new (emulator, "endpoint", "http://no-such-host.invalid",
      "retry-duration", 0, NULL);

  rig_upload (rig);
  rig_assert_failed (rig, "RESOURCE/OPEN_WRITE", "apply", -2);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_backup_endpoint_takes_over)
{
  Rig *rig = rig_new (emulator, "endpoint", "http://127.0.0.1:1",
      "backup-endpoint", emulator_uri (emulator), NULL);

  rig_upload (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (rig_count (rig, "vodsink-retry"), 1);
  rig_free (rig);
}

GST_END_TEST;

/* --- which backup there is ------------------------------------------------*/

/* A proxy that refuses everything, and says what was wanted. */
typedef struct {
  GSocketListener *listener;
  GCancellable *cancellable;
  GThread *thread;
  GAsyncQueue *lines; /* first line of each request */
  gchar *uri;
} Proxy;

static gpointer
refuse_all (gpointer data)
{
  Proxy *proxy = data;
  GSocketConnection *connection;

  while ((connection = g_socket_listener_accept (
              proxy->listener, NULL, proxy->cancellable, NULL))) {
    g_autoptr (GDataInputStream) input = g_data_input_stream_new (
        g_io_stream_get_input_stream (G_IO_STREAM (connection)));
    gchar *line =
        g_data_input_stream_read_line (input, NULL, proxy->cancellable, NULL);

    if (line)
      g_async_queue_push (proxy->lines, line);
    g_object_unref (connection);
  }
  return NULL;
}

static Proxy *
proxy_new (void)
{
  Proxy *proxy = g_new0 (Proxy, 1);
  guint16 port;

  proxy->listener = g_socket_listener_new ();
  port = g_socket_listener_add_any_inet_port (proxy->listener, NULL, NULL);
  fail_unless (port != 0);
  proxy->uri = g_strdup_printf ("http://127.0.0.1:%u", port);
  proxy->cancellable = g_cancellable_new ();
  proxy->lines = g_async_queue_new_full (g_free);
  proxy->thread = g_thread_new ("proxy", refuse_all, proxy);
  return proxy;
}

static void
proxy_free (Proxy *proxy)
{
  g_cancellable_cancel (proxy->cancellable);
  g_thread_join (proxy->thread);
  g_object_unref (proxy->listener);
  g_object_unref (proxy->cancellable);
  g_async_queue_unref (proxy->lines);
  g_free (proxy->uri);
  g_free (proxy);
}

static const struct {
  const gchar *endpoint; /* NULL: not set */
  const gchar *backup;   /* NULL: not set */
  const gchar *first;    /* asked for … */
  const gchar *second;   /* … and then */
} backups[] = {
    {NULL, NULL, "vod2.qcloud.com:443", "vod2.dnsv1.com:443"},
    {"https://vod2.qcloud.com/", NULL, "vod2.qcloud.com:443",
        "vod2.dnsv1.com:443"},
    {NULL, "https://b.invalid", "vod2.qcloud.com:443", "b.invalid:443"},
    {"https://a.invalid", "https://b.invalid:1", "a.invalid:443",
        "b.invalid:1"},
    {"https://a.invalid", NULL, "a.invalid:443", "a.invalid:443"},
};

GST_START_TEST (test_which_backup_there_is)
{
  Proxy *proxy = proxy_new ();
  g_autofree gchar *signature = emulator_signature (FALSE);
  Rig *rig = rig_new (NULL, "signature", signature, "media-type", "mp4",
      "proxy", proxy->uri, "retry-duration", -1, NULL);

  if (backups[__i__].endpoint)
    g_object_set (rig->sink, "endpoint", backups[__i__].endpoint, NULL);
  if (backups[__i__].backup)
    g_object_set (rig->sink, "backup-endpoint", backups[__i__].backup, NULL);
  rig_upload (rig);
  /* In turn. */
  for (guint i = 0; i < 4; i++) {
    g_autofree gchar *line =
        g_async_queue_timeout_pop (proxy->lines, 10 * G_USEC_PER_SEC);
    g_autofree gchar *wanted = g_strdup_printf ("CONNECT %s HTTP/1.1",
        i % 2 ? backups[__i__].second : backups[__i__].first);

    fail_unless (line != NULL, "nothing was asked for");
    fail_unless_equals_string (g_strchomp (line), wanted);
  }
  rig_free (rig);
  proxy_free (proxy);
}

GST_END_TEST;

GST_START_TEST (test_ca_file_that_is_none)
{
  Rig *rig = rig_new (emulator, "tls-ca-file", "/dev/null", NULL);

  if (gst_element_set_state (rig->sink, GST_STATE_PLAYING) !=
      GST_STATE_CHANGE_FAILURE) {
    rig_begin (rig, NULL);
    rig_push_bytes (rig, 10);
  }
  rig_assert_failed (rig, "RESOURCE/SETTINGS", "apply", -1);
  rig_free (rig);
}

GST_END_TEST;

/* --- strange answers ------------------------------------------------------*/

static const gchar *const strange[] = {
    "{\"op\":\"ApplyUploadUGC\",\"garbage\":true}",
    "{\"op\":\"ApplyUploadUGC\",\"garbage\":\"types\"}",
    "{\"op\":\"ApplyUploadUGC\",\"garbage\":\"huge\"}",
    "{\"op\":\"ApplyUploadUGC\",\"garbage\":\"html\"}",
    "{\"op\":\"ApplyUploadUGC\",\"garbage\":\"empty\"}",
    "{\"op\":\"ApplyUploadUGC\",\"truncate\":true}",
    "{\"op\":\"InitiateMultipartUpload\",\"garbage\":true}",
    "{\"op\":\"InitiateMultipartUpload\",\"garbage\":\"types\"}",
    "{\"op\":\"InitiateMultipartUpload\",\"garbage\":\"huge\"}",
    "{\"op\":\"UploadPart\",\"no-etag\":true}",
    "{\"op\":\"UploadPart\",\"wrong-crc\":true}",
    "{\"op\":\"UploadPart\",\"no-crc\":true,\"wrong-etag\":true}",
    "{\"op\":\"CompleteMultipartUpload\",\"garbage\":true}",
    "{\"op\":\"CompleteMultipartUpload\",\"garbage\":\"html\"}",
    "{\"op\":\"CommitUploadUGC\",\"garbage\":true}",
    "{\"op\":\"CommitUploadUGC\",\"garbage\":\"types\"}",
    /* Found out only when the bytes are no longer here: the last, never got
     * over. */
    "{\"op\":\"UploadPart\",\"corrupt\":true,\"no-crc\":true}",
};

/* For ever: one error. */
GST_START_TEST (test_strange_answers_fail)
{
  Rig *rig = rig_new (emulator, "retry-duration", 0, NULL);

  emulator_add_faults (emulator, strange[__i__]);
  rig_upload (rig);
  rig_wait (rig, "error");
  rig_pushed (rig);
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless_equals_int (rig_count (rig, "error"), 1);
  fail_unless_equals_int (rig_count (rig, "vodsink-error"), 1);
  fail_unless_equals_int (rig_count (rig, "eos"), 0);
  rig_free (rig);
}

GST_END_TEST;

/* Once: it is tried again and succeeds. */
GST_START_TEST (test_strange_answers_are_got_over)
{
  Rig *rig = rig_new (emulator, NULL);
  g_autofree gchar *once =
      g_strndup (strange[__i__], strlen (strange[__i__]) - 1);
  g_autofree gchar *fault = g_strconcat (once, ",\"times\":1}", NULL);

  emulator_add_faults (emulator, fault);
  rig_upload (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless (rig_count (rig, "vodsink-retry") >= 1);
  fail_unless (rig_stat (rig, "retries") >= 1);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  rig_free (rig);
}

GST_END_TEST;

/* --- after the error ------------------------------------------------------*/

GST_START_TEST (test_buffers_after_the_error_fail_without_another)
{
  Rig *rig = rig_new (emulator, NULL);

  emulator_add_faults (emulator,
      "{\"op\":\"ApplyUploadUGC\",\"json\":"
      "{\"code\":10001,\"message\":\"no\"}}");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 1000);
  rig_wait (rig, "error");
  rig_push_until_refused (rig);
  for (guint i = 0; i < 5; i++) {
    rig_push_bytes (rig, 1000);
    fail_unless_equals_int (rig_pushed (rig), GST_FLOW_ERROR);
  }
  rig_push_eos (rig);
  rig_pushed (rig);
  fail_unless (!rig->taken);
  fail_unless_equals_int (rig_count (rig, "error"), 1);
  fail_unless_equals_int (rig_count (rig, "eos"), 0);
  fail_unless_equals_int (emulator_count (emulator, "ApplyUploadUGC", -1), 1);
  rig_free (rig);
}

GST_END_TEST;

/* Held back for ever by a service that fails: the wait ends with the error. */
GST_START_TEST (test_error_ends_the_wait_for_memory)
{
  Rig *rig = rig_new (emulator, "retry-duration", 1, SMALL_MEMORY, NULL);

  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"status\":503}");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 10 * MIB);
  rig_assert_failed (rig, "RESOURCE/WRITE", "part", 503);
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_ERROR);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
vodsink_errors_suite (void)
{
  Suite *suite = suite_create ("vodsink-errors");
  TCase *tc = tcase_create ("errors");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_loop_test (tc, test_final_errors, 0, G_N_ELEMENTS (finals));
  tcase_add_test (tc, test_parts_that_are_lost_again_and_again);
  tcase_add_loop_test (tc, test_a_failure_tells_the_location, 0, 2);
  tcase_add_test (tc, test_messages_of_strangers_are_made_printable);
  tcase_add_test (tc, test_network_failure_without_retry);
  tcase_add_test (tc, test_network_failure_ends_with_retry_duration);
  tcase_add_test (tc, test_retry_duration_may_change_while_it_retries);
  tcase_add_test (tc, test_unresolvable_host);
  tcase_add_test (tc, test_backup_endpoint_takes_over);
  tcase_add_loop_test (
      tc, test_which_backup_there_is, 0, G_N_ELEMENTS (backups));
  tcase_add_test (tc, test_ca_file_that_is_none);
  tcase_add_loop_test (
      tc, test_strange_answers_fail, 0, G_N_ELEMENTS (strange));
  tcase_add_loop_test (
      tc, test_strange_answers_are_got_over, 0, G_N_ELEMENTS (strange) - 1);
  tcase_add_test (tc, test_buffers_after_the_error_fail_without_another);
  tcase_add_test (tc, test_error_ends_the_wait_for_memory);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_errors);

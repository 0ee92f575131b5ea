/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What GST_DEBUG=vodsink:N tells: 3 each thing that went wrong, once, and nothing
 * if nothing did; 4 the milestones, few of them; 5 each request; at no level a
 * secret.
 */
#include <stdlib.h>
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

/* --- what is logged -------------------------------------------------------*/

static GMutex lock; /* what follows */
static GPtrArray *lines;
static gboolean all_categories;

/* "LEVEL <name> text" */
static void
keep_line (GstDebugCategory *category, GstDebugLevel level, const gchar *file,
    const gchar *function, gint line, GObject *object, GstDebugMessage *message,
    gpointer data)
{
  const gchar *text = gst_debug_message_get (message);
  gboolean ours =
      strcmp (gst_debug_category_get_name (category), "vodsink") == 0;

  if (!ours && !all_categories)
    return;
  g_mutex_lock (&lock);
  g_ptr_array_add (lines,
      g_strdup_printf ("%d <%s> %s", level,
          GST_IS_OBJECT (object) ? GST_OBJECT_NAME (object) : "", text));
  g_mutex_unlock (&lock);
}

static void
listen_to (const gchar *threshold)
{
  lines = g_ptr_array_new_with_free_func (g_free);
  all_categories = g_str_has_prefix (threshold, "*");
  gst_debug_set_threshold_from_string (threshold, TRUE);
  gst_debug_remove_log_function (gst_debug_log_default);
  gst_debug_add_log_function (keep_line, NULL, NULL);
}

static void
stop_listening (void)
{
  gst_debug_remove_log_function (keep_line);
  gst_debug_set_threshold_from_string ("", TRUE);
}

static void
forget_lines (void)
{
  g_clear_pointer (&lines, g_ptr_array_unref);
}

static const gchar *
line_at (guint n)
{
  return g_ptr_array_index (lines, n);
}

static guint
count_lines (const gchar *text)
{
  guint n = 0;

  for (guint i = 0; i < lines->len; i++)
    n += strstr (line_at (i), text) != NULL;
  return n;
}

static void
assert_no_line_has (const gchar *secret)
{
  fail_unless (*secret != '\0');
  for (guint i = 0; i < lines->len; i++)
    fail_unless (strstr (line_at (i), secret) == NULL, "%s", line_at (i));
}

/* The line that has @first has @others too, up to NULL. */
static void
assert_line (const gchar *first, ...)
{
  const gchar *line = NULL, *other;
  va_list others;

  for (guint i = 0; i < lines->len && !line; i++)
    if (strstr (line_at (i), first))
      line = line_at (i);
  fail_unless (line != NULL, "no line has '%s'", first);
  va_start (others, first);
  while ((other = va_arg (others, const gchar *)))
    fail_unless (
        strstr (line, other) != NULL, "'%s' is not in: %s", other, line);
  va_end (others);
}

static void
upload (Rig *rig, gsize len)
{
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, len);
  rig_push_eos (rig);
}

/* --- 3: what went wrong ---------------------------------------------------*/

GST_START_TEST (test_level_3_is_silent_if_nothing_goes_wrong)
{
  g_autofree gchar *dir = g_dir_make_tmp ("vodsink-XXXXXX", NULL);
  const gchar *const argv[] = {"rm", "-r", dir, NULL};
  Rig *rig = rig_new (emulator, "report-id", "x", "spool", TRUE, "state-dir",
      dir, "resume-key", "k", NULL);

  listen_to ("vodsink:3");
  upload (rig, 5 * MIB);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
  stop_listening ();
  fail_unless_equals_int (lines->len, 0);
  forget_lines ();
  fail_unless (g_spawn_sync (NULL, (gchar **)argv, NULL, G_SPAWN_SEARCH_PATH,
      NULL, NULL, NULL, NULL, NULL, NULL));
}

GST_END_TEST;

GST_START_TEST (test_level_3_tells_each_trouble_once)
{
  Rig *rig = rig_new (emulator, "name", "camera7", SMALL_MEMORY, NULL);

  emulator_add_faults (emulator,
      "[{\"op\":\"ApplyUploadUGC\",\"status\":502,\"times\":1},"
      "{\"op\":\"UploadPart\",\"part\":1,\"status\":503,\"code\":\"SlowDown\","
      "\"times\":2},"
      "{\"op\":\"UploadPart\",\"part\":2,\"wrong-crc\":true,\"times\":1},"
      "{\"op\":\"CompleteMultipartUpload\",\"expire-credentials\":true,"
      "\"times\":1},"
      "{\"op\":\"CompleteMultipartUpload\",\"drop\":true,\"times\":1},"
      "{\"op\":\"CommitUploadUGC\",\"json\":{\"code\":777,\"message\":"
      "\"later\","
      "\"requestId\":\"the-commit\"},\"times\":1}]");
  listen_to ("vodsink:3");
  upload (rig, 3 * MIB);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
  stop_listening ();
  fail_unless_equals_int (lines->len, emulator_hits (emulator));
  fail_unless_equals_int (count_lines ("<camera7>"), lines->len);
  assert_line ("phase apply, try 1", "code 502", "again in", NULL);
  assert_line ("part 1 (phase part, try 1)", "code 503 SlowDown",
      ", request id ", "again in", NULL);
  assert_line ("part 1 (phase part, try 2)", "code 503 SlowDown", NULL);
  assert_line ("part 2 (phase part, try 1)", "arrived damaged", "again", NULL);
  assert_line ("code 400 ExpiredToken", "with fresh credentials", NULL);
  assert_line ("phase complete, try 2", "code -2", "again", NULL);
  assert_line (
      "phase commit, try 1", "code 777", "request id the-commit", NULL);
  forget_lines ();
}

GST_END_TEST;

GST_START_TEST (test_level_3_tells_why_it_failed)
{
  Rig *rig = rig_new (emulator, "name", "camera8", NULL);

  emulator_add_faults (emulator,
      "{\"op\":\"UploadPart\",\"status\":403,\"code\":\"AccessDenied\"}");
  listen_to ("vodsink:3");
  upload (rig, 1000);
  rig_assert_failed (rig, "RESOURCE/NOT_AUTHORIZED", "part", 403);
  rig_free (rig);
  stop_listening ();
  fail_unless_equals_int (lines->len, 1);
  assert_line ("1 <camera8> failed for good", "phase part",
      "code 403 AccessDenied", "request id ", "nothing of it is kept", NULL);
  forget_lines ();
}

GST_END_TEST;

GST_START_TEST (test_level_3_tells_what_the_media_does_without)
{
  Rig *rig = rig_new (emulator, "cover-location", "/no/such/picture", NULL);

  listen_to ("vodsink:3");
  upload (rig, 1000);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
  stop_listening ();
  fail_unless_equals_int (lines->len, 1);
  assert_line ("2 <", "phase cover", "the media does without", NULL);
  forget_lines ();
}

GST_END_TEST;

/* --- 4: milestones --------------------------------------------------------*/

/* In this order; others may be between them. */
static void
assert_in_order (const gchar *const *texts)
{
  guint at = 0;

  for (; *texts; texts++) {
    while (at < lines->len && !strstr (line_at (at), *texts))
      at++;
    fail_unless (at < lines->len, "'%s' is missing, or too early", *texts);
  }
}

GST_START_TEST (test_level_4_is_short_for_200_parts)
{
  static const gchar *const milestones[] = {"an upload begins: media '",
      "asking the service", "applied: bucket host ", "the upload is open",
      "the first part is confirmed",
      "end of stream: 209715200 bytes, of which ",
      "the object is complete at the storage: 209715200 bytes", "committed as ",
      "finished: file id ", NULL};
  g_autoptr (Emulator) own = emulator_new ("--discard", NULL);
  Rig *rig = rig_new (own, SMALL_MEMORY, "media-name", "long one", NULL);
  guint parts;

  listen_to ("vodsink:4");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  for (guint i = 0; i < 50; i++)
    rig_push_bytes (rig, 4 * MIB);
  rig_push_eos (rig);
  rig_wait (rig, "eos");
  parts = (guint)rig_stat (rig, "parts-uploaded");
  rig_free (rig);
  stop_listening ();
  fail_unless (parts >= 200, "%u", parts);
  assert_in_order (milestones);
  assert_line ("an upload begins", "'long one' of type mp4", "endpoint ", NULL);
  fail_unless (lines->len < 20, "%u lines", lines->len);
  forget_lines ();
}

GST_END_TEST;

GST_START_TEST (test_level_4_tells_that_an_upload_is_gone_on_with)
{
  g_autofree gchar *dir = g_dir_make_tmp ("vodsink-XXXXXX", NULL);
  const gchar *const argv[] = {"rm", "-r", dir, NULL};
  Rig *rig = rig_new (
      emulator, "state-dir", dir, "resume-key", "k", SMALL_MEMORY, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 2 * MIB);
  fail_unless (rig_wait_stat (rig, "parts-uploaded", 1));
  listen_to ("vodsink:4");
  rig_free (rig);
  assert_line ("stopped: what is up is kept", NULL);

  rig = rig_new (
      emulator, "state-dir", dir, "resume-key", "k", SMALL_MEMORY, NULL);
  upload (rig, 3 * MIB);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
  stop_listening ();
  assert_line ("an interrupted upload of this media is gone on with", NULL);
  assert_line ("are there from an earlier run", NULL);
  assert_line ("the first part is there already", NULL);
  forget_lines ();
  fail_unless (g_spawn_sync (NULL, (gchar **)argv, NULL, G_SPAWN_SEARCH_PATH,
      NULL, NULL, NULL, NULL, NULL, NULL));
}

GST_END_TEST;

/* --- 5: requests ----------------------------------------------------------*/

static const struct {
  const gchar *op;
  const gchar *shown;
} requests[] = {
    {"ApplyUploadUGC", ": POST http://%s/v3/index.php?Action=ApplyUploadUGC:"},
    {"CommitUploadUGC",
        ": POST http://%s/v3/index.php?Action=CommitUploadUGC:"},
    {"InitiateMultipartUpload", "?uploads:"},
    {"UploadPart", "?partNumber="},
    {"CompleteMultipartUpload", "complete, try "},
    {"AbortMultipartUpload", ": DELETE http://"},
    {"signature", ": GET http://%s (signature-url):"},
    {"report", "report: POST http://%s/ugcupload_new:"},
};

/* Requests that the lines with @text tell of: libsoup may have sent one again, if
 * the connection that it had kept failed. */
static guint
count_requests (const gchar *text)
{
  guint n = 0;

  for (guint i = 0; i < lines->len; i++)
    if (strstr (line_at (i), text))
      n += strstr (line_at (i), "sent twice") ? 2 : 1;
  return n;
}

static void
assert_requests_are_told (void)
{
  const gchar *host = strstr (emulator_uri (emulator), "//") + 2;
  guint all = 0;

  for (guint i = 0; i < G_N_ELEMENTS (requests); i++) {
    g_auto (GStrv) halves = g_strsplit (requests[i].shown, "%s", 2);
    g_autofree gchar *shown = g_strjoinv (host, halves);
    guint n = emulator_count (emulator, requests[i].op, -1);

    fail_unless (n > 0, "%s was not asked for", requests[i].op);
    fail_unless (count_requests (shown) == n, "%s: %u lines, %u requests",
        requests[i].op, count_requests (shown), n);
    all += n;
  }
  /* None that is not known to the emulator. */
  fail_unless_equals_int (
      count_requests ("://") - count_lines ("begins: media"), all);
}

GST_START_TEST (test_level_5_tells_each_request)
{
  g_autofree gchar *url =
      g_strconcat (emulator_uri (emulator), "/signature", NULL);
  Rig *rig = rig_new (
      emulator, "signature-url", url, "report-id", "x", SMALL_MEMORY, NULL);

  emulator_add_faults (emulator,
      "[{\"op\":\"UploadPart\",\"part\":1,\"status\":503,\"times\":1},"
      "{\"op\":\"UploadPart\",\"part\":2,\"drop\":true,\"times\":1},"
      "{\"op\":\"UploadPart\",\"part\":4,\"stall\":true}]");
  listen_to ("vodsink:5");
  upload (rig, 3 * MIB);
  rig_assert_uploaded (rig, emulator, 0);
  rig_set_state (rig, GST_STATE_READY);
  /* And what is deleted when an upload is cancelled. */
  rig_mark (rig);
  upload (rig, 4 * MIB);
  fail_unless (emulator_wait_hits (emulator, 3));
  fail_unless (rig_wait_stat (rig, "parts-uploaded", 3));
  g_signal_emit_by_name (rig->sink, "cancel");
  rig_assert_failed (rig, "RESOURCE/WRITE", "part", -3);
  fail_unless (emulator_wait_count (emulator, "AbortMultipartUpload", 204, 1));
  fail_unless (emulator_wait_count (emulator, "UploadPart", 0, 2));
  rig_free (rig);
  stop_listening ();
  assert_requests_are_told ();
  assert_line ("part 1, try 1: PUT", "?partNumber=1&uploadId: status 503",
      "sent ", " bytes, got ", "request id ", " ms", NULL);
  assert_line ("part 1, try 2: PUT", "status 200", NULL);
  assert_line ("part 2, try 1: PUT", " ms", NULL);
  assert_line ("DELETE", "status 204", NULL);
  forget_lines ();
}

GST_END_TEST;

/* --- nothing secret -------------------------------------------------------*/

static GPtrArray *given; /* guarded by `lock` */

static gchar *
give_signature (GstElement *sink, gpointer data)
{
  gchar *signature = emulator_signature (FALSE);

  g_mutex_lock (&lock);
  g_ptr_array_add (given, g_strdup (signature));
  g_mutex_unlock (&lock);
  return signature;
}

static const gchar faults[] =
    "[{\"op\":\"ApplyUploadUGC\",\"status\":502,\"times\":1},"
    "{\"op\":\"InitiateMultipartUpload\",\"drop\":true,\"times\":1},"
    "{\"op\":\"UploadPart\",\"part\":1,\"status\":503,\"times\":1},"
    "{\"op\":\"UploadPart\",\"part\":2,\"garbage\":\"html\",\"times\":1},"
    "{\"op\":\"UploadPart\",\"part\":3,\"expire-credentials\":true,"
    "\"times\":1},"
    "{\"op\":\"CompleteMultipartUpload\",\"error-in-200\":\"InternalError\","
    "\"times\":1},"
    "{\"op\":\"CommitUploadUGC\",\"drop\":true,\"times\":1},"
    "{\"op\":\"report\",\"status\":500,\"times\":1}]";

/* Everything there is, at every level: not only vodsink's own lines, for libsoup
 * and GIO are quiet, but GStreamer prints properties and messages. */
GST_START_TEST (test_no_level_tells_a_secret)
{
  g_autofree gchar *root = g_dir_make_tmp ("vodsink-XXXXXX", NULL);
  g_autoptr (Emulator) own = emulator_new ("--root", root, NULL);
  const gchar *const argv[] = {"rm", "-r", root, NULL};
  const gchar *host = strstr (emulator_uri (own), "//") + 2;
  g_autofree gchar *url = g_strdup_printf (
      "http://fred:openSesame@%s/signature?token=hush-hush", host);
  g_auto (GStrv) secrets = NULL;
  g_autoptr (JsonArray) reports = NULL;
  g_autofree gchar *session = NULL;
  GstStructure *headers;
  Rig *rig;

  given = g_ptr_array_new_with_free_func (g_free);
  listen_to ("*:6");
  rig = rig_new (own, "report-id", "x", SMALL_MEMORY, NULL);
  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (give_signature), NULL);
  emulator_add_faults (own, faults);
  upload (rig, 3 * MIB);
  rig_assert_uploaded (rig, own, 0);
  reports = emulator_reports (own, 5);
  rig_free (rig);

  headers = gst_structure_new (
      "headers", "Authorization", G_TYPE_STRING, "Bearer openDoor", NULL);
  rig = rig_new (own, "signature-url", url, "signature-headers", headers, NULL);
  gst_structure_free (headers);
  upload (rig, 1000);
  rig_assert_uploaded (rig, own, 1);
  rig_free (rig);
  stop_listening ();

  fail_unless (lines->len > 100);
  fail_unless (count_lines ("phase commit") > 0);
  session = g_strdup (json_object_get_string_member (
      json_array_get_object_element (reports, 1), "vodSessionKey"));
  assert_no_line_has (session);
  secrets = emulator_secrets (root);
  for (guint i = 0; secrets[i]; i++)
    assert_no_line_has (secrets[i]);
  fail_unless (given->len >= 2);
  for (guint i = 0; i < given->len; i++)
    assert_no_line_has (g_ptr_array_index (given, i));
  assert_no_line_has ("q-signature");
  assert_no_line_has ("openSesame");
  assert_no_line_has ("hush-hush");
  assert_no_line_has ("openDoor");
  forget_lines ();
  g_ptr_array_unref (given);
  g_clear_pointer (&own, emulator_free);
  fail_unless (g_spawn_sync (NULL, (gchar **)argv, NULL, G_SPAWN_SEARCH_PATH,
      NULL, NULL, NULL, NULL, NULL, NULL));
}

GST_END_TEST;

static Suite *
logs_suite (void)
{
  Suite *suite = suite_create ("vodsink-logs");
  TCase *tc = tcase_create ("general");

  suite_add_tcase (suite, tc);
  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_level_3_is_silent_if_nothing_goes_wrong);
  tcase_add_test (tc, test_level_3_tells_each_trouble_once);
  tcase_add_test (tc, test_level_3_tells_why_it_failed);
  tcase_add_test (tc, test_level_3_tells_what_the_media_does_without);
  tcase_add_test (tc, test_level_4_is_short_for_200_parts);
  tcase_add_test (tc, test_level_4_tells_that_an_upload_is_gone_on_with);
  tcase_add_test (tc, test_level_5_tells_each_request);
  tcase_add_test (tc, test_no_level_tells_a_secret);
  return suite;
}

GST_CHECK_MAIN (logs);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What vodsink tells while it works: its messages, their fields and order, the
 * results, the stats; to applications that look at everything in the poster's
 * thread.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

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

/* "name=value name=value": text without blanks. */
static void
apply_settings (Rig *rig, const gchar *settings)
{
  g_auto (GStrv) words = g_strsplit (settings, " ", -1);

  for (guint i = 0; words[i] && *words[i]; i++) {
    g_auto (GStrv) pair = g_strsplit (words[i], "=", 2);

    gst_util_set_object_arg (G_OBJECT (rig->sink), pair[0], pair[1]);
  }
}

/* --- vodsink-retry --------------------------------------------------------*/

GST_START_TEST (test_retry_says_what_and_when)
{
  Rig *rig = rig_new (emulator, NULL);
  const GstStructure *s;
  guint attempt, delay;

  emulator_add_faults (
      emulator, "{\"op\":\"ApplyUploadUGC\",\"status\":503,\"times\":3}");
  play (rig);
  rig_push_bytes (rig, 1000);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (rig_count (rig, "vodsink-retry"), 3);
  fail_unless_equals_uint64 (rig_stat (rig, "retries"), 3);
  s = gst_message_get_structure (rig_wait (rig, "vodsink-retry"));
  fail_unless_equals_string (gst_structure_get_string (s, "phase"), "apply");
  fail_unless (gst_structure_get_uint (s, "attempt", &attempt));
  fail_unless_equals_int (attempt, 1);
  fail_unless (gst_structure_get_uint (s, "delay", &delay));
  fail_unless (delay >= 125 && delay <= 250);
  fail_unless (gst_structure_get_string (s, "message") != NULL);
  rig_free (rig);
}

GST_END_TEST;

/* --- PROGRESS -------------------------------------------------------------*/

/* It is all that gst-launch shows of an outage, here of a signature that has
 * expired and that nobody replaces. */
GST_START_TEST (test_progress_says_why_it_does_not_go_on)
{
  static const gchar *const labels[] = {
      "progress-continue-open", "progress-continue-close"};
  g_autofree gchar *signature = emulator_signature (FALSE);
  g_autofree gchar *dir = g_dir_make_tmp ("vodsink-XXXXXX", NULL);
  g_autofree gchar *path = g_build_filename (dir, "signature", NULL);
  g_autofree gchar *url = g_filename_to_uri (path, NULL, NULL);
  Rig *rig = rig_new (emulator, "signature", NULL, "signature-url", url, NULL);

  g_file_set_contents (path, signature, -1, NULL);
  emulator_add_faults (emulator,
      "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":10010,"
      "\"message\":\"signature has expired\"}}");
  play (rig);
  for (guint i = 0; i < G_N_ELEMENTS (labels); i++) {
    g_autofree gchar *text = NULL;
    GstMessage *message;

    if (i == 0)
      rig_push_bytes (rig, 1000);
    else
      rig_push_eos (rig);
    message = rig_wait (rig, labels[i]);
    gst_message_parse_progress (message, NULL, NULL, &text);
    fail_unless (strstr (text, "trying again: ") != NULL, "%s", text);
    fail_unless (strstr (text, "has expired") != NULL, "%s", text);
    fail_unless (strstr (text, signature) == NULL);
  }
  rig_set_state (rig, GST_STATE_NULL);
  rig_free (rig);
  g_unlink (path);
  g_rmdir (dir);
}

GST_END_TEST;

GST_START_TEST (test_progress_forgets_what_is_over)
{
  Rig *rig = rig_new (emulator, "slice-size", (guint64)MIB, "parallel-uploads",
      1, "progress-interval", 1, NULL);
  g_autofree gchar *last = NULL;

  emulator_add_faults (
      emulator, "{\"op\":\"UploadPart\",\"status\":503,\"times\":1}");
  play (rig);
  rig_push_bytes (rig, 3 * MIB);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  for (guint i = 0; i < rig->messages->len; i++) {
    GstMessage *message = g_ptr_array_index (rig->messages, i);
    g_autofree gchar *label = rig_label (message);

    if (strcmp (label, "progress-continue-close") != 0)
      continue;
    g_clear_pointer (&last, g_free);
    gst_message_parse_progress (message, NULL, NULL, &last);
  }
  fail_unless_equals_string (last, "Uploading what is left: 100 %");
  rig_free (rig);
}

GST_END_TEST;

/* --- vodsink-finish and the results ---------------------------------------*/

typedef struct {
  gchar *file_id, *video_url; /* as they were when finish was posted */
  gint notified;
} Seen;

static Seen seen;

static void
look_at_finish (gpointer message, gpointer data)
{
  Rig *rig = data;

  if (gst_message_has_name (message, "vodsink-finish"))
    g_object_get (rig->sink, "file-id", &seen.file_id, "video-url",
        &seen.video_url, NULL);
}

static void
on_notify (GObject *object, GParamSpec *spec, gpointer data)
{
  gchar *file_id;

  g_object_get (object, "file-id", &file_id, NULL);
  if (file_id)
    g_atomic_int_inc (&seen.notified);
  g_free (file_id);
}

GST_START_TEST (test_finish_tells_everything)
{
  Rig *rig = rig_new (
      emulator, "location", "/x/Lecture.mp4", "slice-size", (guint64)MIB, NULL);
  g_autofree gchar *file_id = NULL, *url = NULL;
  const GstStructure *s;
  guint64 size;
  guint parts;

  memset (&seen, 0, sizeof seen);
  rig->on_message = look_at_finish;
  g_signal_connect (rig->sink, "notify::file-id", G_CALLBACK (on_notify), NULL);
  g_signal_connect (
      rig->sink, "notify::video-url", G_CALLBACK (on_notify), NULL);
  play (rig);
  rig_push_bytes (rig, 2 * MIB + 5);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);

  file_id = emulator_media_text (emulator, 0, "fileId");
  url = emulator_media_text (emulator, 0, "url");
  s = gst_message_get_structure (rig_wait (rig, "vodsink-finish"));
  fail_unless_equals_string (gst_structure_get_string (s, "file-id"), file_id);
  fail_unless_equals_string (gst_structure_get_string (s, "video-url"), url);
  fail_unless_equals_string (
      gst_structure_get_string (s, "video-name"), "Lecture");
  fail_unless_equals_string (
      gst_structure_get_string (s, "location"), "/x/Lecture.mp4");
  fail_unless (gst_structure_get_string (s, "verify-content") != NULL);
  fail_unless (gst_structure_get_uint64 (s, "size", &size));
  fail_unless_equals_uint64 (size, rig->offset);
  fail_unless (gst_structure_get_uint (s, "parts", &parts));
  fail_unless_equals_uint64 (parts, emulator_media_int (emulator, 0, "parts"));
  fail_unless (!gst_structure_has_field (s, "cover-url"));

  fail_unless_equals_string (seen.file_id, file_id);
  fail_unless_equals_string (seen.video_url, url);
  fail_unless_equals_int (g_atomic_int_get (&seen.notified), 2);
  g_free (seen.file_id);
  g_free (seen.video_url);
  rig_free (rig);
}

GST_END_TEST;

/* What the service has to say about the media is passed on as it is. */
static const struct {
  const gchar *json;
  const gchar *expected; /* NULL: no such field */
} verify_contents[] = {
    {"\"verify_content\":\"abc+/=ExpTime=1&FileId=2\",",
        "abc+/=ExpTime=1&FileId=2"},
    {"\"verify_content\":\"\\\"quoted\\\", \\u7f16\",", "\"quoted\", 编"},
    {"", NULL},
};

GST_START_TEST (test_verify_content_is_passed_on)
{
  Rig *rig = rig_new (emulator, NULL);
  g_autofree gchar *fault =
      g_strdup_printf ("{\"op\":\"CommitUploadUGC\",\"json\":{\"code\":0,"
                       "\"message\":\"\",\"data\":{\"video\":{%s\"url\":"
                       "\"http://v/x.mp4\"},\"fileId\":\"5\"}}}",
          verify_contents[__i__].json);
  const GstStructure *s;

  emulator_add_faults (emulator, fault);
  play (rig);
  rig_push_bytes (rig, 5);
  rig_push_eos (rig);
  s = gst_message_get_structure (rig_wait (rig, "vodsink-finish"));
  fail_unless_equals_string (gst_structure_get_string (s, "verify-content"),
      verify_contents[__i__].expected);
  fail_unless_equals_int (gst_structure_has_field (s, "verify-content"),
      verify_contents[__i__].expected != NULL);
  rig_wait (rig, "eos");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_finish_without_location)
{
  Rig *rig = rig_new (emulator, NULL);

  play (rig);
  rig_push_bytes (rig, 5);
  rig_push_eos (rig);
  fail_unless (!gst_structure_has_field (
      gst_message_get_structure (rig_wait (rig, "vodsink-finish")),
      "location"));
  rig_wait (rig, "eos");
  rig_free (rig);
}

GST_END_TEST;

/* They last through NULL, and end when the next upload begins. */
GST_START_TEST (test_results_last_until_the_next_upload)
{
  Rig *rig = rig_new (emulator, NULL);
  gchar *file_id, *url;

  play (rig);
  rig_push_bytes (rig, 5000);
  rig_push_eos (rig);
  rig_wait (rig, "eos");
  rig_set_state (rig, GST_STATE_NULL);
  g_object_get (rig->sink, "file-id", &file_id, "video-url", &url, NULL);
  fail_unless (file_id != NULL && url != NULL);
  g_free (file_id);
  g_free (url);
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-received"), 5000);
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-uploaded"), 5000);

  play (rig);
  rig_push_bytes (rig, 10);
  rig_pushed (rig);
  g_object_get (rig->sink, "file-id", &file_id, "video-url", &url, NULL);
  fail_unless (file_id == NULL && url == NULL);
  rig_free (rig);
}

GST_END_TEST;

/* --- the state that goes with a message -----------------------------------*/

/* How a stream ends; the messages of that, each with the `state` that stats have
 * while it is posted. */
static const struct {
  const gchar *settings;
  const gchar *fault; /* NULL: none */
  guint64 size;
  gboolean cancelled;
  const gchar *said;
} endings[] = {
    {"", NULL, 2 * MIB, FALSE, "vodsink-finish:done eos:done"},
    {"", "{\"op\":\"ApplyUploadUGC\",\"status\":404}", 2 * MIB, FALSE,
        "vodsink-error:failed error:failed"},
    {"", "{\"op\":\"UploadPart\",\"status\":403}", 2 * MIB, FALSE,
        "vodsink-error:failed error:failed"},
    {"fatal-errors=false", "{\"op\":\"CommitUploadUGC\",\"status\":404}",
        2 * MIB, FALSE, "vodsink-error:failed warning:failed eos:failed"},
    {"", "{\"op\":\"CommitUploadUGC\",\"stall\":true}", 2 * MIB, TRUE,
        "vodsink-error:failed error:failed"},
    /* There is no upload. */
    {"", NULL, 0, FALSE, "vodsink-error:failed error:failed"},
    {"fatal-errors=false", NULL, 0, FALSE,
        "vodsink-error:failed warning:failed eos:failed"},
    {"media-name=a/b", NULL, 2 * MIB, FALSE,
        "vodsink-error:failed error:failed"},
    {"media-name=a/b fatal-errors=false", NULL, 2 * MIB, FALSE,
        "vodsink-error:failed warning:failed eos:failed"},
    {"media-type=nonsense!", NULL, 2 * MIB, FALSE,
        "vodsink-error:failed error:failed"},
    {"state-dir=/proc/nowhere", NULL, 2 * MIB, FALSE,
        "vodsink-error:failed error:failed"},
};

typedef struct {
  GMutex lock;
  GString *said;
} States;

static States states;

static void
note_state (gpointer message, gpointer data)
{
  static const gchar *const labels[] = {
      "vodsink-finish", "vodsink-error", "error", "warning", "eos", NULL};
  g_autofree gchar *label = rig_label (message);
  g_autofree gchar *state = rig_state_name (data);

  if (!g_strv_contains (labels, label))
    return;
  g_mutex_lock (&states.lock);
  g_string_append_printf (
      states.said, "%s%s:%s", states.said->len > 0 ? " " : "", label, state);
  g_mutex_unlock (&states.lock);
}

static gchar *
last_label (const gchar *said)
{
  g_auto (GStrv) words = g_strsplit (said, " ", -1);
  gchar *word = words[g_strv_length (words) - 1];

  return g_strndup (word, (gsize)(strchr (word, ':') - word));
}

static void
play_to_ending (Rig *rig, guint i)
{
  g_autofree gchar *last = last_label (endings[i].said);

  if (endings[i].fault)
    emulator_add_faults (emulator, endings[i].fault);
  play (rig);
  if (endings[i].size > 0)
    rig_push_bytes (rig, endings[i].size);
  rig_push_eos (rig);
  if (endings[i].cancelled) {
    fail_unless (emulator_wait_hits (emulator, 1));
    g_signal_emit_by_name (rig->sink, "cancel");
  }
  rig_wait (rig, last);
  emulator_clear_faults (emulator);
}

GST_START_TEST (test_state_is_right_when_the_end_is_told)
{
  Rig *rig = rig_new (emulator, NULL);
  g_autofree gchar *state = NULL;

  states.said = g_string_new (NULL);
  rig->on_message = note_state;
  apply_settings (rig, endings[__i__].settings);
  play_to_ending (rig, __i__);
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless_equals_string (states.said->str, endings[__i__].said);
  /* It stays so. */
  state = rig_state_name (rig);
  fail_unless (g_str_has_suffix (endings[__i__].said, state), "%s", state);
  g_string_free (states.said, TRUE);
  rig_free (rig);
}

GST_END_TEST;

/* Nothing of the upload before is taken for this one's. */
GST_START_TEST (test_stats_of_what_could_not_begin)
{
  static const gchar *const fields[] = {"bytes-received", "bytes-uploaded",
      "bytes-sent", "parts-uploaded", "retries"};
  Rig *rig = rig_new (emulator, NULL);
  g_autofree gchar *state = NULL;

  play (rig);
  rig_push_bytes (rig, 2 * MIB);
  rig_push_eos (rig);
  rig_wait (rig, "eos");
  rig_set_state (rig, GST_STATE_READY);
  rig_mark (rig);
  play (rig);
  if (__i__ == 0) {
    rig_push_eos (rig);
  } else {
    g_object_set (rig->sink, "media-name", "a/b", NULL);
    rig_push_bytes (rig, 2 * MIB);
  }
  rig_wait (rig, "error");
  for (guint run = 0; run < 2; run++) {
    for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
      fail_unless_equals_uint64 (rig_stat (rig, fields[i]), 0);
    g_free (state);
    state = rig_state_name (rig);
    fail_unless_equals_string (state, "failed");
    rig_set_state (rig, GST_STATE_NULL);
  }
  rig_free (rig);
}

GST_END_TEST;

/* --- an application that looks at everything ------------------------------*/

/* Whatever has something to say: the settings, what the service does, and the
 * message that must have come. */
typedef struct {
  const gchar *settings;
  const gchar *fault;
  const gchar *label;
} Told;

static const Told told[] = {
    {"", "[]", "progress-complete-close"},
    {"", "{\"op\":\"ApplyUploadUGC\",\"status\":503,\"times\":2}",
        "vodsink-retry"},
    {"", "{\"op\":\"UploadPart\",\"status\":403,\"code\":\"AccessDenied\"}",
        "error"},
    {"", "{\"op\":\"CommitUploadUGC\",\"status\":404}", "error"},
    {"fatal-errors=false",
        "{\"op\":\"UploadPart\",\"status\":403,\"code\":\"AccessDenied\"}",
        "warning"},
    {"cover-location=/nowhere/at/all.jpg", "[]", "vodsink-warning"},
    {"report-id=7 retry-duration=1", "{\"op\":\"report\",\"status\":404}",
        "vodsink-finish"},
    {"spool=true keep-spool=true", "[]", "vodsink-finish"},
    {"media-type=nonsense!", "[]", "error"},
    {"state-dir=/proc/nowhere", "[]", "error"},
    {"slice-size=1048576 max-size-bytes=4194304",
        "{\"op\":\"UploadPart\",\"delay\":6000,\"times\":6}",
        "vodsink-warning"},
};

/* Reads every property at every message, in the thread that posts it: if that
 * held a lock of the element, this would hang. */
GST_START_TEST (test_sync_handler_may_read_everything)
{
  const Told *case_ = &told[__i__];
  Rig *rig = rig_new (emulator, "progress-interval", 1, SMALL_MEMORY, NULL);

  rig->nosy = TRUE;
  apply_settings (rig, case_->settings);
  emulator_add_faults (emulator, case_->fault);
  play (rig);
  for (guint i = 0; i < 8; i++)
    rig_push_bytes (rig, MIB);
  rig_push_eos (rig);
  rig_wait (rig, case_->label);
  rig_set_state (rig, GST_STATE_NULL);
  rig_free (rig);
}

GST_END_TEST;

/* vodsink-recovered is posted by the streaming thread, while it opens what is
 * kept on this machine. */
GST_START_TEST (test_sync_handler_may_read_everything_of_what_is_recovered)
{
  g_autofree gchar *dir = g_dir_make_tmp ("vodsink-XXXXXX", NULL);
  g_autofree gchar *command = g_strdup_printf ("rm -r '%s'", dir);

  for (guint run = 0; run < 2; run++) {
    Rig *rig = rig_new (emulator, "spool", TRUE, "state-dir", dir, NULL);

    rig->nosy = TRUE;
    rig->offset = run; /* other bytes: another recording */
    play (rig);
    rig_push_bytes (rig, 2 * MIB);
    if (run == 0) {
      fail_unless (rig_wait_stat (rig, "bytes-uploaded", MIB));
    } else {
      const GstStructure *recovered =
          rig_details (rig_wait (rig, "vodsink-recovered"));

      /* It had none. */
      fail_unless_equals_string (
          gst_structure_get_string (recovered, "resume-key"), "");
      fail_unless_equals_int (gst_structure_n_fields (recovered), 2);
    }
    rig_set_state (rig, GST_STATE_NULL);
    rig_free (rig);
  }
  fail_unless (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
}

GST_END_TEST;

static void
set_everything (gpointer message, gpointer data)
{
  Rig *rig = data;

  g_object_set (rig->sink, "media-name", "next", "retry-duration", 77,
      "progress-interval", 2, "timeout", 9, NULL);
}

GST_START_TEST (test_sync_handler_may_set_properties)
{
  Rig *rig = rig_new (emulator, "progress-interval", 1, NULL);

  rig->on_message = set_everything;
  play (rig);
  rig_push_bytes (rig, 5 * MIB);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

/* The thread that posts ERROR is a worker, or the streaming one: neither may be
 * waited for by a state change that it makes. Applications are told not to do
 * that; gst_element_call_async() is how they do. */
static void
set_null (GstElement *element, gpointer data)
{
  gst_element_set_state (element, GST_STATE_NULL);
}

static void
stop_on_error (gpointer message, gpointer data)
{
  Rig *rig = data;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_element_call_async (rig->sink, set_null, NULL, NULL);
}

static gboolean
is_null (gpointer data)
{
  Rig *rig = data;

  return GST_STATE (rig->sink) == GST_STATE_NULL &&
      GST_STATE_PENDING (rig->sink) == GST_STATE_VOID_PENDING;
}

GST_START_TEST (test_stopping_on_error)
{
  Rig *rig = rig_new (emulator, NULL);

  rig->on_message = stop_on_error;
  emulator_add_faults (emulator,
      "{\"op\":\"UploadPart\",\"status\":403,\"code\":\"AccessDenied\"}");
  play (rig);
  rig_push_bytes (rig, 3 * MIB);
  rig_push_eos (rig);
  rig_wait (rig, "error");
  fail_unless (test_wait_until (is_null, rig, 5));
  fail_unless (test_no_threads ("vod-upload"));
  rig_set_state (rig, GST_STATE_NULL);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
vodsink_messages_suite (void)
{
  Suite *suite = suite_create ("vodsink-messages");
  TCase *tc = tcase_create ("messages");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_retry_says_what_and_when);
  tcase_add_test (tc, test_progress_says_why_it_does_not_go_on);
  tcase_add_test (tc, test_progress_forgets_what_is_over);
  tcase_add_test (tc, test_finish_tells_everything);
  tcase_add_loop_test (
      tc, test_verify_content_is_passed_on, 0, G_N_ELEMENTS (verify_contents));
  tcase_add_test (tc, test_finish_without_location);
  tcase_add_test (tc, test_results_last_until_the_next_upload);
  tcase_add_loop_test (
      tc, test_state_is_right_when_the_end_is_told, 0, G_N_ELEMENTS (endings));
  tcase_add_loop_test (tc, test_stats_of_what_could_not_begin, 0, 2);
  tcase_add_loop_test (
      tc, test_sync_handler_may_read_everything, 0, G_N_ELEMENTS (told));
  tcase_add_test (
      tc, test_sync_handler_may_read_everything_of_what_is_recovered);
  tcase_add_test (tc, test_sync_handler_may_set_properties);
  tcase_add_test (tc, test_stopping_on_error);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_messages);

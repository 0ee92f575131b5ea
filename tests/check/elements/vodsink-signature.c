/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where vodsink's signatures come from: the signal, the URL, the property, in
 * this order.
 */
#include <glib/gstdio.h>
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

/* --- handlers -------------------------------------------------------------*/

typedef struct {
  gint calls;
  gboolean one_time;
  const gchar *answer; /* instead of a true signature */
  GThread *thread;     /* that called last */
  GMainContext *context;
} Handler;

static gchar *
answer_signature (GstElement *sink, gpointer data)
{
  Handler *handler = data;

  g_atomic_int_inc (&handler->calls);
  handler->thread = g_thread_self ();
  handler->context = g_main_context_get_thread_default ();
  return handler->answer ? g_strdup (handler->answer)
                         : emulator_signature (handler->one_time);
}

static gchar *
answer_later (GstElement *sink, gpointer data)
{
  Handler *handler = data;

  g_atomic_int_inc (&handler->calls);
  return NULL;
}

static gchar *
answer_by_property (GstElement *sink, gpointer data)
{
  g_autofree gchar *signature = emulator_signature (FALSE);

  g_object_set (sink, "signature", signature, NULL);
  return NULL;
}

static void
upload (Rig *rig)
{
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, MIB + 1);
  rig_push_eos (rig);
}

static void
assert_uploads (Rig *rig)
{
  upload (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

static Rig *
unsigned_rig (void)
{
  return rig_new (emulator, "signature", NULL, NULL);
}

GST_START_TEST (test_handler_answers)
{
  Rig *rig = unsigned_rig ();
  Handler handler = {0};

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_signature), &handler);
  upload (rig);
  rig_assert_uploaded (rig, emulator, 0);
  /* Apply and Commit, each its own. */
  fail_unless_equals_int (g_atomic_int_get (&handler.calls), 2);
  fail_unless (handler.thread != rig->thread);
  fail_unless (handler.thread != g_thread_self ());
  fail_unless (handler.context == NULL, "in a main context of ours");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_one_time_signatures)
{
  Rig *rig = unsigned_rig ();
  Handler handler = {.one_time = TRUE};

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_signature), &handler);
  emulator_add_faults (emulator,
      "[{\"op\":\"ApplyUploadUGC\",\"status\":500,\"times\":2},"
      "{\"op\":\"CommitUploadUGC\",\"lose-answer\":true,\"times\":1}]");
  upload (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (g_atomic_int_get (&handler.calls), 5);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_several_handlers_the_first_answer_wins)
{
  Rig *rig = unsigned_rig ();
  Handler one = {0}, two = {0}, three = {0};

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_later), &one);
  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_signature), &two);
  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_signature), &three);
  upload (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (g_atomic_int_get (&one.calls), 2);
  fail_unless_equals_int (g_atomic_int_get (&two.calls), 2);
  fail_unless_equals_int (g_atomic_int_get (&three.calls), 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_handler_answers_later)
{
  Rig *rig = unsigned_rig ();
  g_autofree gchar *signature = emulator_signature (FALSE);
  Handler handler = {0};

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_later), &handler);
  upload (rig);
  fail_unless (rig_wait_state (rig, "waiting-for-signature"));
  fail_unless_equals_int (emulator_n_sessions (emulator), 0);
  g_object_set (rig->sink, "signature", signature, NULL);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_handler_sets_the_property_itself)
{
  Rig *rig = unsigned_rig ();

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_by_property), NULL);
  assert_uploads (rig);
}

GST_END_TEST;

static gchar *
answer_once_by_property (GstElement *sink, gpointer data)
{
  g_autofree gchar *signature = emulator_signature (TRUE);

  g_object_set (sink, "signature", signature, NULL);
  return NULL;
}

/* Not the one from before, which is used up. */
GST_START_TEST (test_what_the_handler_sets_is_used_at_once)
{
  Rig *rig = unsigned_rig ();

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_once_by_property), NULL);
  upload (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (emulator_count (emulator, "CommitUploadUGC", 200), 1);
  rig_free (rig);
}

GST_END_TEST;

static gchar *
answer_later_without_the_old_one (GstElement *sink, gpointer data)
{
  g_object_set (sink, "signature", NULL, NULL);
  return answer_later (sink, data);
}

/* A handler that takes the property back makes the request wait. */
GST_START_TEST (test_what_the_handler_takes_back_is_not_used)
{
  g_autofree gchar *old = emulator_signature (FALSE);
  Rig *rig = rig_new (emulator, "signature", old, NULL);
  Handler handler = {0};

  g_signal_connect (rig->sink, "get-signature",
      G_CALLBACK (answer_later_without_the_old_one), &handler);
  upload (rig);
  fail_unless (rig_wait_state (rig, "waiting-for-signature"));
  fail_unless_equals_int (emulator_n_sessions (emulator), 0);
  rig_set_state (rig, GST_STATE_NULL);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_waiting_ends_with_retry_duration)
{
  Rig *rig = rig_new (emulator, "signature", NULL, "retry-duration", 1, NULL);
  Handler handler = {0};

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_later), &handler);
  upload (rig);
  rig_assert_failed (rig, "RESOURCE/NOT_AUTHORIZED", "signature", -1);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_waiting_ends_when_stopped)
{
  Rig *rig = unsigned_rig ();
  Handler handler = {0};

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_later), &handler);
  upload (rig);
  fail_unless (rig_wait_state (rig, "waiting-for-signature"));
  fail_unless (rig_time_state (rig, GST_STATE_NULL) < TEST_MS (100));
  fail_unless (test_no_threads ("vod-upload"));
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_handler_that_returns_garbage)
{
  static const gchar *const garbage[] = {"", "not base64!", "<html></html>",
      "bWVvdw==", "a\r\nX-Injected: b", "\xff\xfe\xfd"};
  Rig *rig = rig_new (emulator, "signature", NULL, "retry-duration", 0, NULL);
  Handler handler = {.answer = garbage[__i__]};
  const gchar *message;

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_signature), &handler);
  upload (rig);
  rig_assert_failed (rig, "RESOURCE/NOT_AUTHORIZED", "signature", -1);
  message = gst_structure_get_string (
      rig_details (rig_wait (rig, "error")), "message");
  if (*garbage[__i__])
    fail_unless (strstr (message, garbage[__i__]) == NULL, "it is repeated");
  fail_unless_equals_int (emulator_n_sessions (emulator), 0);
  rig_free (rig);
}

GST_END_TEST;

/* --- a handler that does not return ---------------------------------------*/

typedef struct {
  GMutex lock;
  GCond cond;
  gboolean inside, let_go, left;
} Gate;

static gchar *
answer_when_let (GstElement *sink, gpointer data)
{
  Gate *gate = data;

  g_mutex_lock (&gate->lock);
  gate->inside = TRUE;
  g_cond_broadcast (&gate->cond);
  while (!gate->let_go)
    g_cond_wait (&gate->cond, &gate->lock);
  gate->left = TRUE;
  g_cond_broadcast (&gate->cond);
  g_mutex_unlock (&gate->lock);
  return emulator_signature (FALSE);
}

static void
wait_inside (Gate *gate)
{
  g_mutex_lock (&gate->lock);
  while (!gate->inside)
    g_cond_wait (&gate->cond, &gate->lock);
  g_mutex_unlock (&gate->lock);
}

static void
let_go (Gate *gate)
{
  g_mutex_lock (&gate->lock);
  gate->let_go = TRUE;
  g_cond_broadcast (&gate->cond);
  while (!gate->left)
    g_cond_wait (&gate->cond, &gate->lock);
  g_mutex_unlock (&gate->lock);
}

GST_START_TEST (test_null_does_not_wait_for_a_handler)
{
  Rig *rig = unsigned_rig ();
  Gate gate = {0};
  gpointer watched;

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_when_let), &gate);
  upload (rig);
  wait_inside (&gate);
  fail_unless (rig_time_state (rig, GST_STATE_READY) < TEST_MS (100));
  fail_unless (rig_time_state (rig, GST_STATE_NULL) < TEST_MS (100));
  fail_unless_equals_int (test_count_threads ("vod-upload"), 1);

  /* The handler holds the element; nothing else does. */
  watched = rig->sink;
  g_object_add_weak_pointer (G_OBJECT (rig->sink), &watched);
  let_go (&gate);
  fail_unless (test_no_threads ("vod-upload"));
  fail_unless_equals_int (emulator_n_sessions (emulator), 0);
  rig_free (rig);
  fail_unless (watched == NULL, "the element leaks");
}

GST_END_TEST;

GST_START_TEST (test_another_upload_while_a_handler_hangs)
{
  Rig *rig = unsigned_rig ();
  Gate gate = {0};
  gulong id = g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_when_let), &gate);

  upload (rig);
  wait_inside (&gate);
  rig_set_state (rig, GST_STATE_READY);
  rig_pushed (rig);
  g_signal_handler_disconnect (rig->sink, id);
  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_by_property), NULL);
  rig->offset = 0;
  upload (rig);
  rig_assert_uploaded (rig, emulator, 0);
  let_go (&gate);
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless (test_no_threads ("vod-upload"));
  fail_unless_equals_int (emulator_n_sessions (emulator), 1);
  rig_free (rig);
}

GST_END_TEST;

/* The handler has the last reference: the element ends in our own thread. */
GST_START_TEST (test_handler_outlives_the_element)
{
  Rig *rig = unsigned_rig ();
  Gate gate = {0};
  GstElement *sink = rig->sink;
  GstPad *pad = gst_element_get_static_pad (sink, "sink");
  gpointer watched = sink;

  g_signal_connect (sink, "get-signature", G_CALLBACK (answer_when_let), &gate);
  upload (rig);
  wait_inside (&gate);
  rig_set_state (rig, GST_STATE_NULL);
  rig_pushed (rig);

  gst_pad_unlink (rig->src, pad);
  gst_object_unref (pad);
  gst_element_set_bus (sink, NULL);
  g_object_add_weak_pointer (G_OBJECT (sink), &watched);
  rig->sink = gst_element_factory_make ("vodsink", NULL);
  g_ptr_array_set_size (rig->messages, 0); /* they hold it too */
  g_ptr_array_set_size (rig->labels, 0);
  gst_object_unref (sink);
  fail_unless (watched != NULL);
  let_go (&gate);
  fail_unless (test_no_threads ("vod-upload"));
  fail_unless (watched == NULL, "the element leaks");

  pad = gst_element_get_static_pad (rig->sink, "sink");
  gst_pad_link (rig->src, pad);
  gst_object_unref (pad);
  rig_free (rig);
}

GST_END_TEST;

/* --- the other sources ----------------------------------------------------*/

GST_START_TEST (test_no_source_is_one_error_that_names_them)
{
  Rig *rig = unsigned_rig ();
  const gchar *message;

  /* No EOS yet: what is begun by it may come before or after. */
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 100);
  rig_assert_failed (rig, "RESOURCE/NOT_AUTHORIZED", "signature", -1);
  message = gst_structure_get_string (
      rig_details (rig_wait (rig, "error")), "message");
  fail_unless (strstr (message, "get-signature") != NULL, "%s", message);
  fail_unless (strstr (message, "signature-url") != NULL);
  rig_wait (rig, "progress-error-open");
  rig_assert_story (
      rig, "progress-start-open vodsink-error error progress-error-open");
  rig_push_until_refused (rig);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_signature_url_over_http)
{
  g_autofree gchar *url =
      g_strconcat (emulator_uri (emulator), "/signature", NULL);

  assert_uploads (
      rig_new (emulator, "signature", NULL, "signature-url", url, NULL));
  fail_unless_equals_int (emulator_count (emulator, "signature", 200), 2);
}

GST_END_TEST;

GST_START_TEST (test_signature_url_of_a_file)
{
  g_autofree gchar *signature = emulator_signature (FALSE);
  g_autofree gchar *dir = g_dir_make_tmp ("vodsink-XXXXXX", NULL);
  g_autofree gchar *path = g_build_filename (dir, "a signature", NULL);
  g_autofree gchar *url = g_filename_to_uri (path, NULL, NULL);

  g_file_set_contents (path, signature, -1, NULL);
  assert_uploads (
      rig_new (emulator, "signature", NULL, "signature-url", url, NULL));
  g_unlink (path);
  g_rmdir (dir);
}

GST_END_TEST;

/* The handler first, then the URL, then the property. */
GST_START_TEST (test_order_of_sources)
{
  g_autofree gchar *url =
      g_strconcat (emulator_uri (emulator), "/signature", NULL);
  Rig *rig = rig_new (emulator, "signature-url", url, NULL);
  Handler handler = {0};

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_signature), &handler);
  upload (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (g_atomic_int_get (&handler.calls), 2);
  fail_unless_equals_int (emulator_count (emulator, "signature", -1), 0);

  g_signal_handlers_disconnect_by_func (rig->sink, answer_signature, &handler);
  rig_set_state (rig, GST_STATE_NULL);
  rig_mark (rig);
  rig->offset = 0;
  upload (rig);
  rig_assert_uploaded (rig, emulator, 1);
  fail_unless_equals_int (emulator_count (emulator, "signature", 200), 2);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_a_handler_without_answer_leaves_it_to_the_property)
{
  Rig *rig = rig_new (emulator, NULL);
  Handler handler = {0};

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_later), &handler);
  upload (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (g_atomic_int_get (&handler.calls), 2);
  rig_free (rig);
}

GST_END_TEST;

typedef struct {
  const gchar *fault;
  const gchar *code; /* of the ERROR */
  gint number;
} BadUrl;

static const BadUrl bad_urls[] = {
    {"{\"op\":\"signature\",\"status\":401}", "RESOURCE/NOT_AUTHORIZED", 401},
    {"{\"op\":\"signature\",\"status\":403}", "RESOURCE/NOT_AUTHORIZED", 403},
    {"{\"op\":\"signature\",\"status\":404}", "RESOURCE/NOT_AUTHORIZED", 404},
    {"{\"op\":\"signature\",\"status\":503}", "RESOURCE/OPEN_WRITE", 503},
    {"{\"op\":\"signature\",\"drop\":true}", "RESOURCE/OPEN_WRITE", -2},
    {"{\"op\":\"signature\",\"garbage\":\"html\"}", "RESOURCE/NOT_AUTHORIZED",
        -1},
    {"{\"op\":\"signature\",\"garbage\":\"huge\"}", "RESOURCE/NOT_AUTHORIZED",
        -5},
    {"{\"op\":\"signature\",\"garbage\":\"empty\"}", "RESOURCE/NOT_AUTHORIZED",
        -1},
    {"{\"op\":\"signature\",\"garbage\":\"json\"}", "RESOURCE/NOT_AUTHORIZED",
        -1},
    {"{\"op\":\"signature\",\"json\":{\"sign\":7}}", "RESOURCE/NOT_AUTHORIZED",
        -1},
};

GST_START_TEST (test_bad_answers_of_signature_url)
{
  g_autofree gchar *url =
      g_strconcat (emulator_uri (emulator), "/signature", NULL);
  Rig *rig = rig_new (emulator, "signature", NULL, "signature-url", url,
      "retry-duration", 0, NULL);

  emulator_add_faults (emulator, bad_urls[__i__].fault);
  upload (rig);
  rig_assert_failed (
      rig, bad_urls[__i__].code, "signature", bad_urls[__i__].number);
  fail_unless_equals_int (rig_count (rig, "error"), 1);
  fail_unless_equals_int (rig_count (rig, "vodsink-error"), 1);
  fail_unless_equals_int (emulator_n_sessions (emulator), 0);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
vodsink_signature_suite (void)
{
  Suite *suite = suite_create ("vodsink-signature");
  TCase *tc = tcase_create ("signature");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_handler_answers);
  tcase_add_test (tc, test_one_time_signatures);
  tcase_add_test (tc, test_several_handlers_the_first_answer_wins);
  tcase_add_test (tc, test_handler_answers_later);
  tcase_add_test (tc, test_handler_sets_the_property_itself);
  tcase_add_test (tc, test_what_the_handler_sets_is_used_at_once);
  tcase_add_test (tc, test_what_the_handler_takes_back_is_not_used);
  tcase_add_test (tc, test_waiting_ends_with_retry_duration);
  tcase_add_test (tc, test_waiting_ends_when_stopped);
  tcase_add_loop_test (tc, test_handler_that_returns_garbage, 0, 6);
  tcase_add_test (tc, test_null_does_not_wait_for_a_handler);
  tcase_add_test (tc, test_another_upload_while_a_handler_hangs);
  tcase_add_test (tc, test_handler_outlives_the_element);
  tcase_add_test (tc, test_no_source_is_one_error_that_names_them);
  tcase_add_test (tc, test_signature_url_over_http);
  tcase_add_test (tc, test_signature_url_of_a_file);
  tcase_add_test (tc, test_order_of_sources);
  tcase_add_test (tc, test_a_handler_without_answer_leaves_it_to_the_property);
  tcase_add_loop_test (
      tc, test_bad_answers_of_signature_url, 0, G_N_ELEMENTS (bad_urls));
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_signature);

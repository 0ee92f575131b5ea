/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What vodsink leaves behind: nothing. Each test looks at references and
 * threads; run in one process with the leaks tracer (GST_TRACERS=leaks,
 * GST_DEBUG=GST_TRACER:7, CK_FORK=no), what is alive at the end is a warning,
 * and so a failure.
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
upload (Rig *rig)
{
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, "video/quicktime,variant=iso");
  for (guint i = 0; i < 5; i++)
    rig_push_bytes (rig, MIB);
  rig_push_eos (rig);
}

/* --- every ending ---------------------------------------------------------*/

GST_START_TEST (test_after_success)
{
  Rig *rig = rig_new (emulator, SMALL_MEMORY, NULL);

  upload (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless (test_no_threads ("vod-upload"));
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_after_failure)
{
  static const gchar *const ops[] = {"ApplyUploadUGC",
      "InitiateMultipartUpload", "UploadPart", "CompleteMultipartUpload",
      "CommitUploadUGC"};
  Rig *rig = rig_new (emulator, SMALL_MEMORY, NULL);
  g_autofree gchar *fault = g_strdup_printf (
      "{\"op\":\"%s\",\"status\":403,\"code\":\"AccessDenied\"}", ops[__i__]);

  emulator_add_faults (emulator, fault);
  upload (rig);
  rig_wait (rig, "error");
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless (test_no_threads ("vod-upload"));
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_after_a_stop)
{
  static const gchar *const ops[] = {"ApplyUploadUGC",
      "InitiateMultipartUpload", "UploadPart", "CompleteMultipartUpload",
      "CommitUploadUGC"};
  Rig *rig = rig_new (emulator, SMALL_MEMORY, NULL);
  g_autofree gchar *fault =
      g_strdup_printf ("{\"op\":\"%s\",\"stall\":true}", ops[__i__]);

  emulator_add_faults (emulator, fault);
  upload (rig);
  fail_unless (emulator_wait_hits (emulator, 1));
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless (test_no_threads ("vod-upload"));
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_after_a_flush)
{
  Rig *rig = rig_new (emulator, SMALL_MEMORY, NULL);

  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"stall\":true}");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 6 * MIB);
  fail_unless (emulator_wait_hits (emulator, 1));
  rig_flush (rig);
  rig_free (rig);
}

GST_END_TEST;

/* Never started, only made and set. */
GST_START_TEST (test_without_any_state)
{
  GstStructure *headers =
      gst_structure_new ("h", "A", G_TYPE_STRING, "b", NULL);
  GstElement *sink = gst_element_factory_make ("vodsink", NULL);

  g_object_set (sink, "signature", "x", "location", "a", "media-name", "b",
      "media-type", "c", "signature-url", "d", "signature-headers", headers,
      "storage-endpoint", "e", "proxy", "f", "tls-ca-file", "g", NULL);
  gst_structure_free (headers);
  ASSERT_OBJECT_REFCOUNT (sink, "vodsink", 1);
  gst_object_unref (sink);
}

GST_END_TEST;

/* --- the last reference ---------------------------------------------------*/

typedef struct {
  GMutex lock;
  GCond cond;
  gboolean posting, gone;
} Post;

/* In a worker, which keeps the element alive while it posts: until only it
 * does. */
static void
hold_post (gpointer message, gpointer data)
{
  Rig *rig = data;
  Post *post = g_object_get_data (G_OBJECT (rig->src), "post");

  if (!gst_message_has_name (message, "vodsink-progress") || post->posting)
    return;
  g_mutex_lock (&post->lock);
  post->posting = TRUE;
  g_cond_broadcast (&post->cond);
  while (!post->gone)
    g_cond_wait (&post->cond, &post->lock);
  g_mutex_unlock (&post->lock);
}

static gpointer
set_null (gpointer data)
{
  gst_element_set_state (data, GST_STATE_NULL);
  gst_object_unref (data);
  return NULL;
}

/* NULL waits for a thread that is inside the application's message handler: the
 * handler must not wait for NULL. Once it returns, both go on. */
GST_START_TEST (test_stop_while_a_worker_posts)
{
  Rig *rig = rig_new (emulator, "progress-interval", 1, NULL);
  Post post = {0};
  GThread *thread;

  g_object_set_data (G_OBJECT (rig->src), "post", &post);
  rig->on_message = hold_post;
  upload (rig);
  g_mutex_lock (&post.lock);
  while (!post.posting)
    g_cond_wait (&post.cond, &post.lock);
  g_mutex_unlock (&post.lock);

  thread = g_thread_new ("stopper", set_null, gst_object_ref (rig->sink));
  fail_unless (rig_wait_state (rig, "idle"));
  g_mutex_lock (&post.lock);
  post.gone = TRUE;
  g_cond_broadcast (&post.cond);
  g_mutex_unlock (&post.lock);
  g_thread_join (thread);
  fail_unless (test_no_threads ("vod-upload"));
  rig_free (rig);
}

GST_END_TEST;

static gboolean
is_gone (gpointer data)
{
  return g_atomic_pointer_get ((gpointer *)data) == NULL;
}

/* An element dropped without NULL is a fault of the application's; GStreamer
 * complains and goes on. A pipeline sets its children to NULL itself. */
GST_START_TEST (test_pipeline_dropped_after_null)
{
  for (guint i = 0; i < 10; i++) {
    g_autofree gchar *signature = emulator_signature (FALSE);
    GstElement *pipeline = gst_parse_launch (
        "fakesrc sizetype=fixed sizemax=100000 num-buffers=100 filltype=zero ! "
        "vodsink name=s media-type=ts",
        NULL);
    GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), "s");
    gpointer watched;

    g_object_set (sink, "endpoint", emulator_uri (emulator), "signature",
        signature, NULL);
    gst_element_set_state (pipeline, GST_STATE_PLAYING);
    if (i % 2)
      emulator_wait_count (emulator, "ApplyUploadUGC", 200, i / 2 + 1);
    gst_element_set_state (pipeline, GST_STATE_NULL);
    fail_unless (test_no_threads ("vod-upload"));
    gst_object_unref (sink);
    watched = pipeline;
    g_object_add_weak_pointer (G_OBJECT (pipeline), &watched);
    gst_object_unref (pipeline);
    /* A thread of GStreamer's own may let go of it a moment later. */
    fail_unless (test_wait_until (is_gone, &watched, 5));
  }
}

GST_END_TEST;

/* The bus outlives the element, with messages that hold it. */
GST_START_TEST (test_messages_hold_the_element)
{
  g_autofree gchar *signature = emulator_signature (FALSE);
  GstElement *pipeline = gst_parse_launch (
      "fakesrc sizetype=fixed sizemax=100000 num-buffers=20 filltype=zero ! "
      "vodsink name=s media-type=ts",
      NULL);
  GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), "s");
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message;
  gpointer watched = sink;

  g_object_set (
      sink, "endpoint", emulator_uri (emulator), "signature", signature, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (
      bus, 10 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  fail_unless (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS);
  gst_message_unref (message);
  /* As splitmuxsink does: set NULL and removed at EOS. */
  gst_element_set_state (pipeline, GST_STATE_NULL);
  message = gst_message_new_element (
      GST_OBJECT (sink), gst_structure_new_empty ("kept"));
  g_object_add_weak_pointer (G_OBJECT (sink), &watched);
  gst_object_unref (sink);
  gst_object_unref (pipeline);
  gst_object_unref (bus);
  fail_unless (watched != NULL);
  gst_message_unref (message);
  fail_unless (watched == NULL);
}

GST_END_TEST;

static Suite *
vodsink_lifetime_suite (void)
{
  Suite *suite = suite_create ("vodsink-lifetime");
  TCase *tc = tcase_create ("lifetime");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_without_any_state);
  tcase_add_test (tc, test_after_success);
  tcase_add_loop_test (tc, test_after_failure, 0, 5);
  tcase_add_loop_test (tc, test_after_a_stop, 0, 5);
  tcase_add_test (tc, test_after_a_flush);
  tcase_add_test (tc, test_stop_while_a_worker_posts);
  tcase_add_test (tc, test_pipeline_dropped_after_null);
  tcase_add_test (tc, test_messages_hold_the_element);
  suite_add_tcase (suite, tc);
  return suite;
}

static gboolean warned;

static void
note_warning (const gchar *domain, GLogLevelFlags level, const gchar *message,
    gpointer data)
{
  g_printerr ("%s\n", message);
  warned = TRUE;
}

int
main (int argc, char **argv)
{
  int failed;

  gst_check_init (&argc, &argv);
  /* The tracer warns when GStreamer ends, where the handler of gstcheck has no
   * test that it could fail. */
  if (g_getenv ("GST_TRACERS"))
    g_log_set_handler ("GStreamer", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_CRITICAL,
        note_warning, NULL);
  failed = gst_check_run_suite (
      vodsink_lifetime_suite (), "vodsink_lifetime", __FILE__);
  return failed > 0 || warned;
}

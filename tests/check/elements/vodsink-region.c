/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * storage-region at the element: what is told, and that neither an application
 * that takes its time nor a network that does not answer is waited for.
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
offer (const gchar *region)
{
  const gchar *port = strrchr (emulator_uri (emulator), ':') + 1;
  g_autofree gchar *fault = g_strdup_printf (
      "{\"op\":\"PrepareUploadUGC\",\"data\":{\"cosRegionList\":["
      "{\"region\":\"%s\",\"domain\":\"a.localhost:%s\"},"
      "{\"region\":\"%s\",\"domain\":\"b.localhost:%s\"}]}}",
      region, port, region, port);

  emulator_add_faults (emulator, fault);
}

static void
assert_stored_in (const gchar *region)
{
  g_autofree gchar *stored = emulator_media_text (emulator, 0, "region");

  fail_unless_equals_string (stored, region);
}

static void
begin (Rig *rig)
{
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 1000);
}

static void
upload (Rig *rig)
{
  begin (rig);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
}

GST_START_TEST (test_explicit)
{
  Rig *rig = rig_new (emulator, "storage-region", "ap-shanghai", NULL);

  upload (rig);
  assert_stored_in ("ap-shanghai");
  fail_unless_equals_int (rig_count (rig, "info"), 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_nearest)
{
  Rig *rig = rig_new (emulator, "storage-region", "auto", NULL);

  offer ("ap-beijing");
  upload (rig);
  assert_stored_in ("ap-beijing");
  fail_unless_equals_int (rig_count (rig, "info"), 0);
  fail_unless_equals_int (rig_count (rig, "progress-start-open"), 1);
  fail_unless_equals_int (rig_count (rig, "progress-complete-open"), 1);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_in_vain_is_said_once)
{
  Rig *rig =
      rig_new (emulator, "storage-region", "auto", "retry-duration", 0, NULL);
  g_autoptr (GError) info = NULL;

  emulator_add_faults (
      emulator, "{\"op\":\"PrepareUploadUGC\",\"status\":500}");
  upload (rig);
  assert_stored_in ("ap-chongqing");
  gst_message_parse_info (rig_wait (rig, "info"), &info, NULL);
  fail_unless (strstr (info->message, "storage-region=auto") != NULL, "%s",
      info->message);
  fail_unless_equals_int (rig_count (rig, "info"), 1);
  fail_unless_equals_int (rig_count (rig, "vodsink-retry"), 0);
  fail_unless_equals_int (rig_count (rig, "vodsink-warning"), 0);
  rig_free (rig);
}

GST_END_TEST;

/* --- an application that answers later ------------------------------------*/

typedef struct {
  GstElement *sink;
  guint after; /* ms */
} Later;

static gpointer
set_later (gpointer data)
{
  Later *later = data;
  g_autofree gchar *signature = emulator_signature (FALSE);

  g_usleep (later->after * 1000);
  g_object_set (later->sink, "signature", signature, NULL);
  gst_object_unref (later->sink);
  g_free (later);
  return NULL;
}

static gchar *
answer_later (GstElement *sink, gpointer after)
{
  Later *later = g_new (Later, 1);

  *later = (Later){gst_object_ref (sink), GPOINTER_TO_UINT (after)};
  g_thread_unref (g_thread_new ("later", set_later, later));
  return NULL;
}

/* The race waits for it, so that it can be run at all. */
GST_START_TEST (test_signatures_come_later)
{
  Rig *rig =
      rig_new (emulator, "signature", NULL, "storage-region", "auto", NULL);

  g_signal_connect (rig->sink, "get-signature", G_CALLBACK (answer_later),
      GUINT_TO_POINTER (200));
  offer ("ap-beijing");
  begin (rig);
  fail_unless (rig_wait_state (rig, "waiting-for-signature"));
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  assert_stored_in ("ap-beijing");
  fail_unless_equals_int (rig_count (rig, "vodsink-retry"), 0);
  fail_unless (test_no_threads ("later"));
  rig_free (rig);
}

GST_END_TEST;

static gchar *
answer_never (GstElement *sink, gpointer data)
{
  g_atomic_int_inc ((gint *)data);
  return NULL;
}

/* Then it is Apply that fails, as ever. */
GST_START_TEST (test_signatures_never_come)
{
  Rig *rig = rig_new (emulator, "signature", NULL, "storage-region", "auto",
      "retry-duration", 1, NULL);
  gint calls = 0;

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_never), &calls);
  begin (rig);
  rig_assert_failed (rig, "RESOURCE/NOT_AUTHORIZED", "signature", -1);
  fail_unless_equals_int (g_atomic_int_get (&calls), 2);
  fail_unless_equals_int (emulator_count (emulator, "PrepareUploadUGC", -1), 0);
  rig_free (rig);
}

GST_END_TEST;

/* --- stopping -------------------------------------------------------------*/

static const gchar *const stalls[] = {"PrepareUploadUGC", "HeadBucket"};

GST_START_TEST (test_stopped_while_it_is_sought)
{
  Rig *rig = rig_new (emulator, "storage-region", "auto", NULL);
  g_autofree gchar *fault =
      g_strdup_printf ("{\"op\":\"%s\",\"stall\":true}", stalls[__i__]);

  emulator_add_faults (emulator, fault);
  begin (rig);
  fail_unless (emulator_wait_hits (emulator, 1));
  fail_unless (rig_time_state (rig, GST_STATE_NULL) < TEST_MS (100));
  fail_unless (test_no_threads ("vod-race"));
  fail_unless (test_no_threads ("vod-upload"));
  rig_free (rig);
}

GST_END_TEST;

static Suite *
vodsink_region_suite (void)
{
  Suite *suite = suite_create ("vodsink-region");
  TCase *tc = tcase_create ("region");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_explicit);
  tcase_add_test (tc, test_nearest);
  tcase_add_test (tc, test_in_vain_is_said_once);
  tcase_add_test (tc, test_signatures_come_later);
  tcase_add_test (tc, test_signatures_never_come);
  tcase_add_loop_test (
      tc, test_stopped_while_it_is_sought, 0, G_N_ELEMENTS (stalls));
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_region);

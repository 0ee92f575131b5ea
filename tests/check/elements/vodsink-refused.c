/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signatures that the service refuses: when vodsink asks for another one, and
 * when it gives up.
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

typedef struct {
  gint calls;
} Handler;

static gchar *
answer_later (GstElement *sink, gpointer data)
{
  Handler *handler = data;

  g_atomic_int_inc (&handler->calls);
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

static Rig *
unsigned_rig (void)
{
  return rig_new (emulator, "signature", NULL, NULL);
}

/* --- refused signatures ---------------------------------------------------*/

static gchar *
answer_expired_first (GstElement *sink, gpointer data)
{
  Handler *handler = data;
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;

  if (g_atomic_int_add (&handler->calls, 1) == 0)
    return emulator_signature_full (now - 7200, 3600, FALSE);
  return emulator_signature (FALSE);
}

GST_START_TEST (test_expired_signature_is_asked_for_again)
{
  Rig *rig = unsigned_rig ();
  Handler handler = {0};

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_expired_first), &handler);
  upload (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (g_atomic_int_get (&handler.calls), 3);
  rig_free (rig);
}

GST_END_TEST;

/* An expired property is not tried again, and its successor is waited for if
 * there is a handler. */
GST_START_TEST (test_expired_property_waits_for_another)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  g_autofree gchar *expired = emulator_signature_full (now - 7200, 60, FALSE);
  g_autofree gchar *good = emulator_signature (FALSE);
  Rig *rig = rig_new (emulator, "signature", expired, NULL);
  Handler handler = {0};

  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_later), &handler);
  upload (rig);
  fail_unless (rig_wait_state (rig, "waiting-for-signature"));
  fail_unless_equals_int (emulator_count (emulator, "ApplyUploadUGC", -1), 1);
  g_object_set (rig->sink, "signature", good, NULL);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_expired_property_alone_fails)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  g_autofree gchar *expired = emulator_signature_full (now - 7200, 60, FALSE);
  Rig *rig = rig_new (emulator, "signature", expired, NULL);
  GstMessage *message;

  upload (rig);
  message = rig_wait (rig, "error");
  fail_unless_equals_int (rig_count (rig, "error"), 1);
  fail_unless (rig_details (message) != NULL);
  /* The same string is not sent over and over. */
  fail_unless (emulator_count (emulator, "ApplyUploadUGC", -1) <= 2);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_wrong_signature_is_final)
{
  g_autofree gchar *wrong = emulator_signature (FALSE);
  Rig *rig;

  wrong[2] = wrong[2] == 'A' ? 'B' : 'A';
  rig = rig_new (emulator, "signature", wrong, NULL);
  upload (rig);
  rig_assert_failed (rig, "RESOURCE/NOT_AUTHORIZED", "apply", 10004);
  fail_unless_equals_int (emulator_count (emulator, "ApplyUploadUGC", -1), 1);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
vodsink_refused_suite (void)
{
  Suite *suite = suite_create ("vodsink-refused");
  TCase *tc = tcase_create ("refused");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_expired_signature_is_asked_for_again);
  tcase_add_test (tc, test_expired_property_waits_for_another);
  tcase_add_test (tc, test_expired_property_alone_fails);
  tcase_add_test (tc, test_wrong_signature_is_final);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_refused);

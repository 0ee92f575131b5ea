/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vodsink with max-upload-bitrate. */
#include <string.h>

#include "ratemeter.h"
#include "vodsinktest.h"

#define MBIT ((guint64)1000000)

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

GST_START_TEST (test_the_rate_is_kept_and_may_change)
{
  Rig *rig =
      rig_new (emulator, "max-upload-bitrate", 8 * MBIT, SMALL_MEMORY, NULL);
  RateSample begin = rate_sample (emulator);

  play (rig);
  for (guint i = 0; i < 45; i++)
    rig_push_bytes (rig, MIB);
  rig_push_eos (rig);
  fail_unless (rig_wait_stat (rig, "bytes-sent", 1));
  rate_assert_is (emulator, 8 * MBIT, 10, 5);
  rate_assert_below (emulator, begin, 8 * MBIT);

  g_object_set (rig->sink, "max-upload-bitrate", 16 * MBIT, NULL);
  rate_assert_is (emulator, 16 * MBIT, 4, 10);
  g_object_set (rig->sink, "max-upload-bitrate", (guint64)0, NULL);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_uint64 (rig_stat (rig, "retries"), 0);
  rig_free (rig);
}

GST_END_TEST;

/* What was set while there was no upload, and what the one before was set to. */
GST_START_TEST (test_the_rate_is_for_every_upload_of_the_element)
{
  Rig *rig = rig_new (emulator, SMALL_MEMORY, NULL);

  g_object_set (rig->sink, "max-upload-bitrate", (guint64)8 * MIB, NULL);
  for (guint i = 0; i < 2; i++) {
    gint64 begin = g_get_monotonic_time ();

    rig_mark (rig);
    play (rig);
    rig_push_bytes (rig, 2 * MIB);
    rig_push_eos (rig);
    rig_wait (rig, "eos");
    fail_unless (g_get_monotonic_time () - begin >= 18 * G_USEC_PER_SEC / 10);
    rig_set_state (rig, GST_STATE_READY);
  }
  fail_unless_equals_int (emulator_n_media (emulator), 2);
  rig_free (rig);
}

GST_END_TEST;

/* Promised in under 100 ms; every worker waits for hours, and upstream with
 * them, which is told why. */
GST_START_TEST (test_stopping_while_it_waits)
{
  Rig *rig = rig_new (emulator, SMALL_MEMORY, NULL);
  const GstStructure *warning;

  play (rig);
  rig_push_bytes (rig, 1000);
  fail_unless (rig_wait_state (rig, "uploading"));
  g_object_set (rig->sink, "max-upload-bitrate", (guint64)1, NULL);
  for (guint i = 0; i < 6; i++)
    rig_push_bytes (rig, MIB);
  warning = rig_details (rig_wait (rig, "vodsink-warning"));
  fail_unless (strstr (gst_structure_get_string (warning, "message"),
                   "max-upload-bitrate") != NULL);
  fail_unless (rig_is_pushing (rig));
  fail_unless (rig_time_state (rig, GST_STATE_PAUSED) < TEST_MS (100));
  fail_unless (rig_time_state (rig, GST_STATE_READY) < TEST_MS (100));
  fail_unless (rig_time_state (rig, GST_STATE_NULL) < TEST_MS (1000));
  fail_unless_equals_int (emulator_n_uploads (emulator), 0);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
vodsink_rate_suite (void)
{
  Suite *suite = suite_create ("vodsink-rate");
  TCase *tc = tcase_create ("rate");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_the_rate_is_kept_and_may_change);
  tcase_add_test (tc, test_the_rate_is_for_every_upload_of_the_element);
  tcase_add_test (tc, test_stopping_while_it_waits);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_rate);

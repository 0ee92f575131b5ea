/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsink over time: credentials that run out, memory that must come back, waits
 * that must end.
 */
#include <stdio.h>
#include <unistd.h>

#include "vodsinktest.h"

static Emulator *emulator;

static void
setup (void)
{
  /* Renewed after 1.8 s. */
  emulator = emulator_new ("--credential-lifetime", "2", NULL);
}

static void
teardown (void)
{
  emulator_free (emulator);
}

static Rig *
playing_rig (const gchar *property, const gchar *value)
{
  Rig *rig = rig_new (emulator, SMALL_MEMORY, NULL);

  if (property)
    g_object_set (rig->sink, property, value, NULL);
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  return rig;
}

/* Asks as a muxer does that will rewrite. */
static void
ask_seeking (Rig *rig)
{
  GstQuery *query = gst_query_new_seeking (GST_FORMAT_BYTES);

  fail_unless (gst_pad_peer_query (rig->src, query));
  gst_query_unref (query);
}

static gboolean
renewed (gpointer data)
{
  return emulator_count (emulator, "ApplyUploadUGC", 200) >= 2;
}

GST_START_TEST (test_credentials_are_renewed_before_they_expire)
{
  Rig *rig = playing_rig (NULL, NULL);

  rig_push_bytes (rig, 2 * MIB);
  fail_unless (test_wait_until (renewed, NULL, 10));
  rig_push_bytes (rig, MIB);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (rig_count (rig, "vodsink-retry"), 0);
  rig_free (rig);
}

GST_END_TEST;

/* The old credentials are still good: a signature service that stumbles is no
 * reason to lose the recording. */
GST_START_TEST (test_early_renewal_may_fail)
{
  g_autofree gchar *url =
      g_strconcat (emulator_uri (emulator), "/signature", NULL);
  Rig *rig;

  emulator_add_faults (
      emulator, "{\"op\":\"signature\",\"status\":404,\"skip\":1,\"times\":1}");
  rig = playing_rig ("signature-url", url);
  rig_push_bytes (rig, 2 * MIB);
  rig_wait (rig, "vodsink-retry");
  fail_unless (test_wait_until (renewed, NULL, 10));
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_retry_duration_of_hours_counts_hours)
{
  Rig *rig = rig_new (emulator, "retry-duration", 1000000, NULL);

  emulator_add_faults (
      emulator, "{\"op\":\"ApplyUploadUGC\",\"status\":500,\"times\":1}");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 10);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (rig_count (rig, "vodsink-retry"), 1);
  rig_free (rig);
}

GST_END_TEST;

/* A rewrite from far back holds nearly everything back; when memory is full,
 * what is held back must go. */
GST_START_TEST (test_held_back_slices_never_stop_the_stream)
{
  Rig *rig = rig_new (emulator, "slice-size", (guint64)MIB, "max-size-bytes",
      (guint64)8 * MIB, "parallel-uploads", 2, NULL);

  ask_seeking (rig);
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 7 * MIB + MIB / 2);
  rig_push_bytes_at (rig, MIB + 100, 16);
  rig_push_segment (rig, 7 * MIB + MIB / 2);
  for (guint i = 0; i < 160; i++)
    rig_push_bytes (rig, MIB / 8);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

/* The service names the reason, and people need it. */
GST_START_TEST (test_expired_signature_is_told_in_the_services_words)
{
  g_autofree gchar *expired = emulator_signature_full (
      g_get_real_time () / G_USEC_PER_SEC - 1000, 10, FALSE);
  Rig *rig = playing_rig ("signature", expired);

  rig_push_bytes (rig, 10);
  rig_assert_failed (rig, "RESOURCE/NOT_AUTHORIZED", "signature", 10010);
  rig_free (rig);
}

GST_END_TEST;

static void
go_to_ready (gpointer message, gpointer data)
{
  Rig *rig = data;
  const GstStructure *structure = gst_message_get_structure (message);

  if (GST_MESSAGE_TYPE (message) != GST_MESSAGE_ELEMENT ||
      !gst_structure_has_name (structure, "vodsink-progress") ||
      rig_count (rig, "progress-canceled-open") > 0)
    return;
  gst_element_set_state (rig->sink, GST_STATE_NULL);
}

/* The message is posted by a worker, which NULL would wait for. */
GST_START_TEST (test_state_change_from_a_workers_message_returns)
{
  Rig *rig = rig_new (emulator, SMALL_MEMORY, NULL);

  emulator_add_faults (
      emulator, "{\"op\":\"InitiateMultipartUpload\",\"stall\":true}");
  rig->on_message = go_to_ready;
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, MIB);
  rig_wait (rig, "progress-canceled-open");
  fail_unless (test_no_threads ("vod-upload"));
  rig_free (rig);
}

GST_END_TEST;

static gsize
resident_bytes (void)
{
  g_autofree gchar *text = NULL;
  gulong pages = 0;

  g_file_get_contents ("/proc/self/statm", &text, NULL, NULL);
  sscanf (text, "%*u %lu", &pages);
  return pages * sysconf (_SC_PAGESIZE);
}

/* What was flushed away must not stay in memory until NULL. */
GST_START_TEST (test_flushes_do_not_pile_up_memory)
{
  Rig *rig = rig_new (emulator, "slice-size", (guint64)2 * MIB,
      "max-size-bytes", (guint64)16 * MIB, NULL);
  gsize first = 0;

  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"delay\":200}");
  rig_set_state (rig, GST_STATE_PLAYING);
  for (guint i = 0; i < 12; i++) {
    rig->offset = 0;
    rig_begin (rig, NULL);
    rig_push_bytes (rig, 12 * MIB);
    fail_unless (rig_wait_stat (rig, "bytes-received", 12 * MIB));
    if (i == 2)
      first = resident_bytes ();
    rig_flush (rig);
  }
  /* A sanitizer keeps what is freed for a while. */
  if (g_getenv ("VOD_TEST_SLOWNESS") == NULL)
    fail_unless (resident_bytes () < first + 32 * MIB,
        "%" G_GSIZE_FORMAT " MiB, after three rounds %" G_GSIZE_FORMAT,
        resident_bytes () / MIB, first / MIB);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
endurance_suite (void)
{
  Suite *suite = suite_create ("vodsink-endurance");
  TCase *tcase = tcase_create ("endurance");

  tcase_add_checked_fixture (tcase, setup, teardown);
  tcase_add_test (tcase, test_credentials_are_renewed_before_they_expire);
  tcase_add_test (tcase, test_early_renewal_may_fail);
  tcase_add_test (tcase, test_retry_duration_of_hours_counts_hours);
  tcase_add_test (tcase, test_held_back_slices_never_stop_the_stream);
  tcase_add_test (tcase, test_expired_signature_is_told_in_the_services_words);
  tcase_add_test (tcase, test_state_change_from_a_workers_message_returns);
  tcase_add_test (tcase, test_flushes_do_not_pile_up_memory);
  suite_add_tcase (suite, tcase);
  return suite;
}

GST_CHECK_MAIN (endurance);

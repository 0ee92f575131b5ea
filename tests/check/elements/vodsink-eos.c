/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsink at the end of the stream, and what interrupts it there or while it
 * holds upstream back: PAUSED, flushes, new streams.
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

/* --- EOS ------------------------------------------------------------------*/

GST_START_TEST (test_eos_is_posted_when_the_media_is_committed)
{
  Rig *rig = rig_new (emulator, NULL);

  emulator_add_faults (emulator,
      "[{\"op\":\"CommitUploadUGC\",\"times\":2,"
      "\"status\":503}]");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 3 * MIB);
  rig_wait (rig, "progress-complete-open");
  rig_push_eos (rig);
  /* It has seen one refused Commit: nothing may say that this is the end. */
  rig_wait (rig, "vodsink-retry");
  fail_unless_equals_int (rig_count (rig, "eos"), 0);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (emulator_n_media (emulator), 1);
  fail_unless_equals_int (emulator_n_uploads (emulator), 0);
  rig_assert_story (rig,
      "progress-start-open progress-complete-open "
      "progress-start-close progress-complete-close "
      "vodsink-finish eos");
  fail_unless (rig->taken);
  rig_free (rig);
}

GST_END_TEST;

/* EOS comes while a worker tells that the upload is open: it wakes workers, and
 * none of them may open it again. */
static void
push_eos_when_open (gpointer message, gpointer data)
{
  GstProgressType type = 0;
  Rig *rig = data;

  if (GST_MESSAGE_TYPE (message) != GST_MESSAGE_PROGRESS)
    return;
  gst_message_parse_progress (message, &type, NULL, NULL);
  if (type != GST_PROGRESS_TYPE_COMPLETE ||
      rig_count (rig, "progress-start-close") > 0)
    return;
  rig_push_eos (rig);
  rig_wait (rig, "progress-start-close");
  for (guint i = 0; i < 40; i++)
    if (emulator_count (emulator, "InitiateMultipartUpload", -1) > 1)
      break;
    else
      g_usleep (5000);
}

GST_START_TEST (test_eos_while_it_opens_opens_once)
{
  Rig *rig = rig_new (emulator, NULL);

  emulator_add_faults (emulator,
      "{\"op\":\"InitiateMultipartUpload\",\"delay\":400,\"times\":1}");
  rig->on_message = push_eos_when_open;
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 2 * MIB);
  /* More media while it opens must not open it again. */
  fail_unless (emulator_wait_hits (emulator, 1));
  rig_push_bytes (rig, 8 * MIB);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (
      emulator_count (emulator, "InitiateMultipartUpload", -1), 1);
  fail_unless_equals_int (emulator_count (emulator, "ApplyUploadUGC", -1), 1);
  fail_unless_equals_int (emulator_n_uploads (emulator), 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_pause_at_eos_and_play_posts_eos_once)
{
  Rig *rig = rig_new (emulator, NULL);

  emulator_add_faults (emulator,
      "{\"op\":\"CommitUploadUGC\",\"stall\":true,"
      "\"times\":1}");
  g_object_set (rig->sink, "timeout", 1, NULL);
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, MIB + 5);
  rig_push_eos (rig);
  fail_unless (emulator_wait_hits (emulator, 1));

  fail_unless (rig_time_state (rig, GST_STATE_PAUSED) < TEST_MS (100));
  fail_unless (rig_is_pushing (rig));
  fail_unless_equals_int (rig_count (rig, "eos"), 0);
  /* The upload goes on meanwhile, and ends. */
  fail_unless (rig_wait_state (rig, "done"));
  fail_unless_equals_int (rig_count (rig, "eos"), 0);
  fail_unless (rig_is_pushing (rig));

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_assert_uploaded (rig, emulator, 0);
  rig_pushed (rig);
  fail_unless_equals_int (rig_count (rig, "eos"), 1);
  fail_unless_equals_int (emulator_n_sessions (emulator), 1);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_pause_and_play_at_eos_over_and_over)
{
  Rig *rig = rig_new (emulator, NULL);

  emulator_add_faults (emulator, "{\"op\":\"CommitUploadUGC\",\"stall\":true}");
  g_object_set (rig->sink, "timeout", 1, NULL);
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 2 * MIB + 5);
  rig_push_eos (rig);
  fail_unless (emulator_wait_hits (emulator, 1));
  /* Once EOS is posted, the base class posts it at each PLAYING again. */
  for (guint cycles = 0; rig_count (rig, "vodsink-finish") == 0; cycles++) {
    gint64 pause = rig_time_state (rig, GST_STATE_PAUSED);
    gint64 play = rig_time_state (rig, GST_STATE_PLAYING);

    fail_unless (pause < TEST_MS (100) && play < TEST_MS (100),
        "PAUSED took %d, PLAYING %d ms", (gint)pause, (gint)play);
    /* From here on it ends when it ends, in the middle of a cycle. */
    if (cycles == 20)
      emulator_clear_faults (emulator);
  }
  rig_assert_uploaded (rig, emulator, 0);
  rig_pushed (rig);
  fail_unless_equals_int (rig_count (rig, "vodsink-finish"), 1);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_eos_in_paused_waits_for_playing)
{
  Rig *rig = rig_new (emulator, NULL);

  rig_set_state (rig, GST_STATE_PAUSED);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 1000);
  rig_push_eos (rig);
  rig_wait (rig, "async-done");
  fail_unless_equals_int (emulator_n_sessions (emulator), 0);
  fail_unless_equals_int (rig_count (rig, "eos"), 0);
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_eos_without_a_byte_is_one_error)
{
  Rig *rig = rig_new (emulator, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_eos (rig);
  rig_assert_failed (rig, "RESOURCE/SETTINGS", "apply", -1);
  rig_pushed (rig);
  fail_unless (!rig->taken);
  rig_assert_story (rig, "vodsink-error error");
  fail_unless_equals_int (emulator_n_sessions (emulator), 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_eos_after_empty_buffers_is_one_error)
{
  Rig *rig = rig_new (emulator, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push (rig, gst_buffer_new ());
  rig_push (rig, rig_buffer (0, 0));
  rig_push_eos (rig);
  rig_assert_failed (rig, "RESOURCE/SETTINGS", "apply", -1);
  rig_pushed (rig);
  rig_assert_story (rig, "vodsink-error error");
  fail_unless_equals_int (emulator_n_sessions (emulator), 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_data_after_eos_is_refused)
{
  Rig *rig = rig_new (emulator, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 1000);
  rig_push_eos (rig);
  rig_wait (rig, "eos");
  rig_pushed (rig);
  rig_push (rig, rig_buffer (1000, 1000));
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_EOS);
  fail_unless_equals_int (rig_stat (rig, "bytes-received"), 1000);
  rig_free (rig);
}

GST_END_TEST;

/* --- held back in render --------------------------------------------------*/

/* Pushes 8 MiB into 4 MiB of memory while no part gets through; returns when
 * upstream is held back. */
static Rig *
hold_back (void)
{
  Rig *rig = rig_new (emulator, SMALL_MEMORY, NULL);

  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"stall\":true}");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  for (guint i = 0; i < 16; i++)
    rig_push_bytes (rig, MIB / 2);
  fail_unless (rig_wait_stat (rig, "bytes-received", 4 * MIB));
  fail_unless (emulator_wait_hits (emulator, 1));
  return rig;
}

/* Lets what hangs fail, so that it goes on soon. */
static void
let_go (Rig *rig)
{
  emulator_clear_faults (emulator);
}

GST_START_TEST (test_pause_while_held_back_keeps_all_bytes)
{
  Rig *rig = rig_new (emulator, SMALL_MEMORY, "timeout", 1, NULL);

  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"stall\":true}");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 3 * MIB + 7);
  rig_push_bytes (rig, 6 * MIB);
  rig_push_bytes (rig, 11);
  fail_unless (rig_wait_stat (rig, "bytes-received", 4 * MIB));
  fail_unless (rig_is_pushing (rig));

  for (guint i = 0; i < 5; i++) {
    fail_unless (rig_time_state (rig, GST_STATE_PAUSED) < TEST_MS (100));
    fail_unless (rig_is_pushing (rig));
    rig_set_state (rig, GST_STATE_PLAYING);
  }
  fail_unless (rig_is_pushing (rig));
  rig_set_state (rig, GST_STATE_PAUSED);
  let_go (rig);
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_OK);
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-received"), rig->offset);
  fail_unless (rig_stat (rig, "blocked-time") > 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_null_while_held_back_returns_at_once)
{
  Rig *rig = hold_back ();

  fail_unless (rig_time_state (rig, GST_STATE_READY) < TEST_MS (100));
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_FLUSHING);
  fail_unless (rig_time_state (rig, GST_STATE_NULL) < TEST_MS (2000));
  fail_unless (test_no_threads ("vod-upload"));
  fail_unless_equals_int (
      emulator_count (emulator, "AbortMultipartUpload", 204), 1);
  fail_unless_equals_int (emulator_n_uploads (emulator), 0);
  fail_unless_equals_int (emulator_n_media (emulator), 0);
  rig_assert_story (rig, "progress-start-open progress-complete-open");
  rig_free (rig);
}

GST_END_TEST;

/* --- flush ----------------------------------------------------------------*/

GST_START_TEST (test_flush_while_held_back_begins_again_at_byte_0)
{
  Rig *rig = hold_back ();

  rig_flush (rig);
  let_go (rig);
  rig->offset = 0;
  rig_push_segment (rig, 0);
  rig_push_bytes (rig, 2 * MIB + 3);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (emulator_n_sessions (emulator), 2);
  fail_unless (emulator_wait_count (emulator, "AbortMultipartUpload", 204, 1));
  fail_unless_equals_int (emulator_n_uploads (emulator), 0);
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-received"), 2 * MIB + 3);
  rig_free (rig);
}

GST_END_TEST;

/* After the first time, before the flush. */
static gboolean
was_opened_again (gpointer rig)
{
  return rig_count (rig, "progress-complete-open") == 2;
}

GST_START_TEST (test_flush_at_eos_begins_again_at_byte_0)
{
  Rig *rig = rig_new (emulator, NULL);

  emulator_add_faults (emulator,
      "{\"op\":\"CompleteMultipartUpload\","
      "\"stall\":true}");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 5 * MIB);
  rig_wait (rig, "progress-complete-open");
  rig_push_eos (rig);
  fail_unless (emulator_wait_hits (emulator, 1));
  rig_flush (rig);
  fail_unless (!rig->taken);
  fail_unless_equals_int (rig_count (rig, "eos"), 0);
  emulator_clear_faults (emulator);

  rig->offset = 0;
  rig_push_segment (rig, 0);
  rig_push_bytes (rig, MIB);
  rig_pushed (rig);
  fail_unless (test_wait_until (was_opened_again, rig, 10));
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (emulator_n_media (emulator), 1);
  fail_unless (emulator_wait_count (emulator, "AbortMultipartUpload", 204, 1));
  rig_assert_story (rig,
      "progress-start-open progress-complete-open progress-start-close "
      "progress-canceled-close "
      "progress-start-open progress-complete-open progress-start-close "
      "progress-complete-close vodsink-finish eos");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_flush_before_any_byte_changes_nothing)
{
  Rig *rig = rig_new (emulator, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_pushed (rig);
  rig_flush (rig);
  rig_push_segment (rig, 0);
  rig_push_bytes (rig, 1234);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (emulator_n_sessions (emulator), 1);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_flush_after_a_rewrite_forgets_where_it_was)
{
  Rig *rig = rig_new (emulator, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 5000);
  rig_push_segment (rig, 4000);
  rig_pushed (rig);
  rig_flush (rig);
  rig->offset = 0;
  rig_push_segment (rig, 0);
  rig_push_bytes (rig, 1234);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_flush_after_eos_allows_another_media)
{
  Rig *rig = rig_new (emulator, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 5000);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_pushed (rig);
  rig_flush (rig);
  rig_mark (rig);
  rig->offset = 0;
  rig_push_segment (rig, 0);
  rig_push_bytes (rig, 777);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 1);
  /* The first is done: nothing of it is deleted. */
  fail_unless_equals_int (
      emulator_count (emulator, "AbortMultipartUpload", -1), 0);
  fail_unless_equals_int (emulator_n_media (emulator), 2);
  rig_free (rig);
}

GST_END_TEST;

/* --- a new stream ---------------------------------------------------------*/

/* From 1.24 on STREAM_START takes back EOS; before, only a flush does. */
GST_START_TEST (test_stream_start_after_eos_allows_another_media)
{
  Rig *rig = rig_new (emulator, NULL);
  guint major, minor, micro, nano;
  gchar *file_id;

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 5000);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_pushed (rig);
  rig_mark (rig);

  gst_version (&major, &minor, &micro, &nano);
  rig_push (rig, gst_event_new_stream_start ("second"));
  rig_pushed (rig);
  g_object_get (rig->sink, "file-id", &file_id, NULL);
  fail_unless (file_id != NULL, "cleared before the next upload starts");
  g_free (file_id);
  rig->offset = 0;
  if (minor < 23)
    rig_flush (rig);
  rig_push_segment (rig, 0);
  rig_push_bytes (rig, 4321);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 1);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_stream_start_in_the_middle_goes_on)
{
  Rig *rig = rig_new (emulator, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, MIB);
  rig_push (rig, gst_event_new_stream_start ("second"));
  rig_push_bytes (rig, MIB);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (emulator_n_media (emulator), 1);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
vodsink_eos_suite (void)
{
  Suite *suite = suite_create ("vodsink-eos");
  TCase *tc = tcase_create ("eos");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_eos_is_posted_when_the_media_is_committed);
  tcase_add_test (tc, test_eos_while_it_opens_opens_once);
  tcase_add_test (tc, test_pause_at_eos_and_play_posts_eos_once);
  tcase_add_test (tc, test_pause_and_play_at_eos_over_and_over);
  tcase_add_test (tc, test_eos_in_paused_waits_for_playing);
  tcase_add_test (tc, test_eos_without_a_byte_is_one_error);
  tcase_add_test (tc, test_eos_after_empty_buffers_is_one_error);
  tcase_add_test (tc, test_data_after_eos_is_refused);
  tcase_add_test (tc, test_pause_while_held_back_keeps_all_bytes);
  tcase_add_test (tc, test_null_while_held_back_returns_at_once);
  tcase_add_test (tc, test_flush_while_held_back_begins_again_at_byte_0);
  tcase_add_test (tc, test_flush_at_eos_begins_again_at_byte_0);
  tcase_add_test (tc, test_flush_before_any_byte_changes_nothing);
  tcase_add_test (tc, test_flush_after_a_rewrite_forgets_where_it_was);
  tcase_add_test (tc, test_flush_after_eos_allows_another_media);
  tcase_add_test (tc, test_stream_start_after_eos_allows_another_media);
  tcase_add_test (tc, test_stream_start_in_the_middle_goes_on);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_eos);

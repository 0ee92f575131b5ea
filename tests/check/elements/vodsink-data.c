/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsink's bytes: buffers of every shape, segments and rewrites, queries, and
 * the bound on memory.
 */
#include <stdio.h>
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

static Rig *
playing_rig (void)
{
  Rig *rig = rig_new (emulator, SMALL_MEMORY, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  return rig;
}

/* --- buffers --------------------------------------------------------------*/

GST_START_TEST (test_empty_buffers_do_nothing)
{
  Rig *rig = playing_rig ();

  rig_push (rig, gst_buffer_new ());
  rig_push_bytes (rig, 10);
  rig_push (rig, rig_buffer (0, 0));
  rig_push (rig, gst_buffer_new ());
  rig_push_bytes (rig, 10);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_buffers_of_several_memories)
{
  Rig *rig = playing_rig ();
  GstBuffer *buffer = gst_buffer_new ();
  /* More than a buffer can hold unmerged, with empty ones in between. */
  const guint n = 2 * gst_buffer_get_max_memory ();

  for (guint i = 0; i < n; i++) {
    buffer = gst_buffer_append (buffer, rig_buffer (rig->offset, 100 + i));
    rig->offset += 100 + i;
    if (i % 3 == 0)
      gst_buffer_append_memory (buffer, gst_allocator_alloc (NULL, 0, NULL));
  }
  rig_push (rig, buffer);
  rig_push_bytes (rig, 7);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

/* A memory that begins in the middle of its maxsize. */
GST_START_TEST (test_buffers_with_offsets)
{
  Rig *rig = playing_rig ();
  GstBuffer *whole = rig_buffer (0, 1000);

  rig_push (
      rig, gst_buffer_copy_region (whole, GST_BUFFER_COPY_MEMORY, 0, 300));
  rig_push (
      rig, gst_buffer_copy_region (whole, GST_BUFFER_COPY_MEMORY, 300, 700));
  rig->offset = 1000;
  gst_buffer_unref (whole);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_buffer_lists)
{
  Rig *rig = playing_rig ();

  for (guint i = 0; i < 5; i++) {
    GstBufferList *list = gst_buffer_list_new ();

    for (guint j = 0; j < 20; j++) {
      gst_buffer_list_add (list, rig_buffer (rig->offset, 20000 * (j % 3)));
      rig->offset += 20000 * (j % 3);
    }
    rig_push (rig, list);
  }
  rig_push (rig, gst_buffer_list_new ());
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_OK);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_a_buffer_larger_than_all_memory)
{
  Rig *rig = playing_rig ();

  rig_push_bytes (rig, 21 * MIB + 3);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_a_list_larger_than_all_memory)
{
  Rig *rig = playing_rig ();
  GstBufferList *list = gst_buffer_list_new ();

  for (guint i = 0; i < 13; i++) {
    gst_buffer_list_add (list, rig_buffer (rig->offset, MIB + i));
    rig->offset += MIB + i;
  }
  rig_push (rig, list);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

static gpointer
refuse_map (GstMemory *memory, gsize maxsize, GstMapFlags flags)
{
  return NULL;
}

GST_START_TEST (test_memory_that_cannot_be_read_is_an_error)
{
  Rig *rig = playing_rig ();
  GstBuffer *buffer = rig_buffer (0, 100);
  GstAllocator *allocator;
  GstMemory *memory = gst_buffer_peek_memory (buffer, 0);
  g_autofree gchar *code = NULL;

  allocator = gst_object_ref (memory->allocator);
  allocator->mem_map = refuse_map;
  rig_push (rig, buffer);
  code = rig_error_code (rig_wait (rig, "error"));
  fail_unless_equals_string (code, "RESOURCE/READ");
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_ERROR);
  gst_object_unref (allocator);
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless_equals_int (rig_count (rig, "error"), 1);
  rig_free (rig);
}

GST_END_TEST;

/* --- segments that are not BYTES ------------------------------------------*/

GST_START_TEST (test_no_byte_of_a_time_segment_is_clipped)
{
  Rig *rig = rig_new (emulator, NULL);
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = 10 * GST_SECOND;
  segment.stop = 11 * GST_SECOND;
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_push (rig, gst_event_new_stream_start ("test"));
  rig_push (rig, gst_event_new_segment (&segment));
  /* Headers without time, before, within and after the segment. */
  for (guint i = 0; i < 30; i++) {
    GstBuffer *buffer = rig_buffer (rig->offset, 1000);

    rig->offset += 1000;
    if (i > 3) {
      GST_BUFFER_PTS (buffer) = i * GST_SECOND;
      GST_BUFFER_DURATION (buffer) = GST_SECOND;
    }
    rig_push (rig, buffer);
  }
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_a_time_segment_does_not_seek)
{
  Rig *rig = playing_rig ();
  GstSegment segment;

  rig_push_bytes (rig, 5000);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = 17;
  rig_push (rig, gst_event_new_segment (&segment));
  rig_push_bytes (rig, 5000);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_gaps_and_other_events_change_nothing)
{
  Rig *rig = rig_new (emulator, NULL);
  GstCaps *caps = gst_caps_from_string (
      "video/quicktime,variant=iso,streamheader=(string)<a,b>");

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, "video/quicktime,variant=iso");
  rig_push_bytes (rig, 5000);
  rig_push (rig, gst_event_new_gap (GST_SECOND, GST_SECOND));
  rig_push (rig, gst_event_new_gap (2 * GST_SECOND, GST_CLOCK_TIME_NONE));
  rig_push_bytes (rig, 5000);
  rig_push (rig, gst_event_new_caps (caps));
  rig_push (rig,
      gst_event_new_custom (
          GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty ("something")));
  rig_push_bytes (rig, 5000);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  gst_caps_unref (caps);
  rig_free (rig);
}

GST_END_TEST;

/* --- rewrites -------------------------------------------------------------*/

static void
assert_is (Rig *rig, const guint8 *expected, gsize len)
{
  rig_wait (rig, "eos");
  fail_unless (emulator_media_is (emulator, 0, expected, len));
}

GST_START_TEST (test_rewrite_of_the_head_after_it_was_sent)
{
  Rig *rig = playing_rig ();
  g_autofree guint8 *expected = g_malloc (9 * MIB);

  rig_push_bytes (rig, 9 * MIB);
  fail_unless (rig_wait_stat (rig, "bytes-uploaded", 3 * MIB));
  rig_push_segment (rig, 32);
  rig_push (rig, rig_buffer (77777, 16));
  rig_push_eos (rig);
  test_fill (expected, 0, 9 * MIB);
  test_fill (expected + 32, 77777, 16);
  assert_is (rig, expected, 9 * MIB);
  fail_unless_equals_int (rig_stat (rig, "parts-rewritten"), 1);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_a_gap_reads_as_zeros)
{
  Rig *rig = playing_rig ();
  g_autofree guint8 *expected = g_malloc0 (1500000);

  rig_push_bytes (rig, 1000);
  rig_push_bytes_at (rig, 500000, 1000000);
  rig_push_eos (rig);
  test_fill (expected, 0, 1000);
  test_fill (expected + 500000, 500000, 1000000);
  assert_is (rig, expected, 1500000);
  rig_free (rig);
}

GST_END_TEST;

/* The size is what was reached farthest, not where the last byte went. */
GST_START_TEST (test_ending_within_the_head_keeps_the_size)
{
  Rig *rig = playing_rig ();

  rig_push_bytes (rig, 3 * MIB);
  rig_push_bytes_at (rig, 0, 48);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_a_segment_without_data_after_it_changes_nothing)
{
  Rig *rig = playing_rig ();

  rig_push_bytes (rig, 2 * MIB);
  rig_push_segment (rig, 100 * (guint64)MIB);
  rig_push_segment (rig, 5);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
}

GST_END_TEST;

/* Muxers ignore a refused segment: the next buffer must fail, not be written at
 * the wrong place. */
GST_START_TEST (test_a_rewrite_out_of_reach_fails_the_next_buffer)
{
  Rig *rig = playing_rig ();
  const gchar *message;

  rig_push_bytes (rig, 12 * MIB);
  fail_unless (rig_wait_stat (rig, "bytes-uploaded", 11 * MIB));
  rig_pushed (rig);
  rig_push_segment (rig, 3 * MIB);
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_OK);
  fail_unless (rig->taken);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  rig_push (rig, rig_buffer (0, 10));
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_ERROR);
  rig_assert_failed (rig, "RESOURCE/SEEK", "part", -1);
  message = gst_structure_get_string (
      rig_details (rig_wait (rig, "error")), "message");
  fail_unless (strstr (message, "streamable") != NULL, "%s", message);
  fail_unless (strstr (message, "min-cluster-duration") != NULL);
  fail_unless (strstr (message, "reserved-max-duration") != NULL);
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless_equals_int (emulator_n_uploads (emulator), 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_a_head_too_big_fails_at_once)
{
  Rig *rig = playing_rig ();

  rig_push_bytes (rig, 1000);
  rig_push_segment (rig, 3 * MIB);
  rig_push (rig, rig_buffer (0, 10));
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_ERROR);
  rig_assert_failed (rig, "RESOURCE/SEEK", "part", -1);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_a_segment_at_the_end_of_numbers)
{
  Rig *rig = playing_rig ();

  rig_push_bytes (rig, 1000);
  rig_push_segment (rig, G_MAXUINT64 - 5);
  rig_push (rig, rig_buffer (0, 10));
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_ERROR);
  rig_assert_failed (rig, "RESOURCE/SEEK", "part", -1);
  rig_free (rig);
}

GST_END_TEST;

/* --- queries --------------------------------------------------------------*/

static gboolean
peer_seeking (
    Rig *rig, GstFormat format, gboolean *seekable, gint64 *start, gint64 *stop)
{
  GstQuery *query = gst_query_new_seeking (format);
  gboolean answered = gst_pad_peer_query (rig->src, query);
  GstFormat same;

  gst_query_parse_seeking (query, &same, seekable, start, stop);
  fail_unless (!answered || same == format);
  gst_query_unref (query);
  return answered;
}

GST_START_TEST (test_query_seeking)
{
  Rig *rig = rig_new (emulator, NULL);
  gboolean seekable;
  gint64 start, stop;

  /* Muxers ask before and while they begin. */
  for (guint i = 0; i < 2; i++) {
    fail_unless (
        peer_seeking (rig, GST_FORMAT_BYTES, &seekable, &start, &stop));
    fail_unless (seekable);
    fail_unless_equals_int64 (start, 0);
    fail_unless_equals_int64 (stop, -1);
    if (peer_seeking (rig, GST_FORMAT_TIME, &seekable, &start, &stop))
      fail_unless (!seekable);
    if (peer_seeking (rig, GST_FORMAT_PERCENT, &seekable, &start, &stop))
      fail_unless (!seekable);
    rig_set_state (rig, GST_STATE_PLAYING);
    rig_begin (rig, NULL);
    rig_push_bytes (rig, 1000);
    rig_pushed (rig);
  }
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_query_position)
{
  Rig *rig = playing_rig ();
  gint64 position;

  rig_pushed (rig);
  fail_unless (
      gst_pad_peer_query_position (rig->src, GST_FORMAT_BYTES, &position));
  fail_unless_equals_int64 (position, 0);
  rig_push_bytes (rig, 1000);
  rig_pushed (rig);
  fail_unless (
      gst_element_query_position (rig->sink, GST_FORMAT_BYTES, &position));
  fail_unless_equals_int64 (position, 1000);
  /* filesink's default format is bytes, too. */
  fail_unless (
      gst_element_query_position (rig->sink, GST_FORMAT_DEFAULT, &position));
  fail_unless_equals_int64 (position, 1000);
  rig_push_segment (rig, 300);
  rig_pushed (rig);
  fail_unless (
      gst_pad_peer_query_position (rig->src, GST_FORMAT_BYTES, &position));
  fail_unless_equals_int64 (position, 300);
  rig_push (rig, rig_buffer (300, 50));
  rig_pushed (rig);
  fail_unless (
      gst_pad_peer_query_position (rig->src, GST_FORMAT_BYTES, &position));
  fail_unless_equals_int64 (position, 350);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_query_formats)
{
  Rig *rig = playing_rig ();
  GstQuery *query = gst_query_new_formats ();
  guint n;
  gboolean bytes = FALSE;

  fail_unless (gst_pad_peer_query (rig->src, query));
  gst_query_parse_n_formats (query, &n);
  for (guint i = 0; i < n; i++) {
    GstFormat format;

    gst_query_parse_nth_format (query, i, &format);
    bytes |= format == GST_FORMAT_BYTES;
  }
  fail_unless (bytes);
  gst_query_unref (query);
  rig_free (rig);
}

GST_END_TEST;

/* As upstream of the sink asks; NULL: not answered. */
static gchar *
ask_uri (Rig *rig)
{
  GstQuery *query = gst_query_new_uri ();
  gchar *uri = NULL;

  if (gst_pad_peer_query (rig->src, query))
    gst_query_parse_uri (query, &uri);
  gst_query_unref (query);
  return uri;
}

/* Nobody knows before Commit where the media will be. */
GST_START_TEST (test_query_uri)
{
  Rig *rig = playing_rig ();
  g_autofree gchar *uri = NULL, *video_url = NULL;

  fail_unless_equals_string (ask_uri (rig), NULL);
  rig_push_bytes (rig, 1000);
  rig_pushed (rig);
  fail_unless_equals_string (ask_uri (rig), NULL);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  g_object_get (rig->sink, "video-url", &video_url, NULL);
  fail_unless (video_url != NULL);
  uri = ask_uri (rig);
  fail_unless_equals_string (uri, video_url);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_no_latency_is_reported)
{
  Rig *rig = playing_rig ();
  GstQuery *query = gst_query_new_latency ();
  gboolean live;
  GstClockTime min, max;

  if (gst_element_query (rig->sink, query)) {
    gst_query_parse_latency (query, &live, &min, &max);
    fail_unless (!live);
    fail_unless_equals_uint64 (min, 0);
  }
  gst_query_unref (query);
  rig_free (rig);
}

GST_END_TEST;

/* --- memory ---------------------------------------------------------------*/

static guint64
resident (void)
{
  g_autofree gchar *text = NULL;
  guint64 pages = 0;

  g_file_get_contents ("/proc/self/statm", &text, NULL, NULL);
  sscanf (text, "%*u %" G_GUINT64_FORMAT, &pages);
  return pages * 4096;
}

/* Nothing gets through, one huge buffer comes: what is taken of it is bounded by
 * max-size-bytes, in the stats and for the whole process. */
GST_START_TEST (test_max_size_bytes_is_a_hard_bound)
{
  const guint64 bound = 16 * MIB;
  Rig *rig = rig_new (
      emulator, "slice-size", (guint64)4 * MIB, "max-size-bytes", bound, NULL);
  guint64 before;

  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"stall\":true}");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 10);
  rig_pushed (rig);
  rig_push_bytes (rig, 100 * MIB); /* makes it here */
  before = resident ();
  fail_unless (rig_wait_stat (rig, "bytes-received", bound - MIB / 2));
  /* Held back: blocked-time counts once a second. */
  fail_unless (rig_wait_stat (rig, "blocked-time", 1));
  fail_unless (rig_is_pushing (rig));
  fail_unless (rig_stat (rig, "bytes-received") <= bound);
  fail_unless (rig_stat (rig, "bytes-buffered") <= bound);
  if (g_getenv ("VOD_TEST_SLOWNESS") == NULL)
    fail_unless (resident () < before + bound + 8 * MIB, "%u MiB more",
        (guint)((resident () - before) / MIB));
  rig_set_state (rig, GST_STATE_NULL);
  rig_free (rig);
}

GST_END_TEST;

/* Rewrites into slices in flight are copies: they count too. */
GST_START_TEST (test_rewrites_in_flight_stay_within_the_bound)
{
  Rig *rig = rig_new (emulator, "slice-size", (guint64)MIB, "max-size-bytes",
      (guint64)8 * MIB, NULL);
  g_autofree guint8 *expected = g_malloc (4 * MIB);
  gboolean seekable;
  gint64 start, stop;

  emulator_add_faults (
      emulator, "[{\"op\":\"UploadPart\",\"times\":6,\"delay\":300}]");
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  peer_seeking (rig, GST_FORMAT_BYTES, &seekable, &start, &stop);
  rig_push_bytes (rig, 3 * MIB);
  fail_unless (emulator_wait_hits (emulator, 2));
  for (guint i = 0; i < 12; i++) {
    rig_push_segment (rig, i * 200000);
    rig_push (rig, rig_buffer (i, 1000));
  }
  rig_push_segment (rig, 3 * MIB);
  rig_push_bytes (rig, MIB);
  rig_push_eos (rig);
  test_fill (expected, 0, 4 * MIB);
  for (guint i = 0; i < 12; i++)
    test_fill (expected + i * 200000, i, 1000);
  fail_unless (rig_stat (rig, "bytes-buffered") <= 8 * MIB);
  rig_wait (rig, "eos");
  fail_unless (emulator_media_is (emulator, 0, expected, 4 * MIB));
  rig_free (rig);
}

GST_END_TEST;

static Suite *
vodsink_data_suite (void)
{
  Suite *suite = suite_create ("vodsink-data");
  TCase *tc = tcase_create ("data");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_empty_buffers_do_nothing);
  tcase_add_test (tc, test_buffers_of_several_memories);
  tcase_add_test (tc, test_buffers_with_offsets);
  tcase_add_test (tc, test_buffer_lists);
  tcase_add_test (tc, test_a_buffer_larger_than_all_memory);
  tcase_add_test (tc, test_a_list_larger_than_all_memory);
  tcase_add_test (tc, test_memory_that_cannot_be_read_is_an_error);
  tcase_add_test (tc, test_no_byte_of_a_time_segment_is_clipped);
  tcase_add_test (tc, test_a_time_segment_does_not_seek);
  tcase_add_test (tc, test_gaps_and_other_events_change_nothing);
  tcase_add_test (tc, test_rewrite_of_the_head_after_it_was_sent);
  tcase_add_test (tc, test_a_gap_reads_as_zeros);
  tcase_add_test (tc, test_ending_within_the_head_keeps_the_size);
  tcase_add_test (tc, test_a_segment_without_data_after_it_changes_nothing);
  tcase_add_test (tc, test_a_rewrite_out_of_reach_fails_the_next_buffer);
  tcase_add_test (tc, test_a_head_too_big_fails_at_once);
  tcase_add_test (tc, test_a_segment_at_the_end_of_numbers);
  tcase_add_test (tc, test_query_seeking);
  tcase_add_test (tc, test_query_position);
  tcase_add_test (tc, test_query_formats);
  tcase_add_test (tc, test_query_uri);
  tcase_add_test (tc, test_no_latency_is_reported);
  tcase_add_test (tc, test_max_size_bytes_is_a_hard_bound);
  tcase_add_test (tc, test_rewrites_in_flight_stay_within_the_bound);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_data);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The slice table: its cutting rules by table, each rewrite in each state, and
 * a random model test against a plain byte array: in memory, with a spool that
 * may fail, with upstream's file, resuming, and beginning from the start. Small
 * units (a part of 64 bytes) make every border case frequent.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "cloud/vodchecksum.h"
#include "upload/vodslices.h"

#define UNIT 64
#define NOW 1000

static const VodSlicesConfig defaults = {
    .min_part = VOD_MIB,
    .max_parts = 10000,
    .slice_size = 8 * VOD_MIB,
    .max_bytes = 64 * VOD_MIB,
};

static VodSlicesConfig
small_config (gboolean keep)
{
  return (VodSlicesConfig){
      .min_part = UNIT,
      .max_parts = 100000,
      .slice_size = 4 * UNIT,
      .max_bytes = 16 * UNIT,
      .keep = keep,
  };
}

/* Writes as the streaming thread would; stops where it would wait or fail. */
static VodWriteResult
write_bytes (VodSlices *slices, const guint8 *data, gsize len, gsize *taken)
{
  *taken = 0;
  while (*taken < len) {
    VodWritePlan plan;
    VodWriteResult result =
        vod_slices_begin_write (slices, len - *taken, &plan);

    if (result != VOD_WRITE_OK)
      return result;
    g_assert_cmpuint (plan.len, >, 0);
    g_assert_cmpint (
        vod_slices_copy (&plan, data + *taken, NULL), ==, VOD_SPOOL_OK);
    *taken += vod_slices_end_write (slices, &plan);
  }
  return VOD_WRITE_OK;
}

/* @len bytes of @value at the write position, which must fit. */
static void
put (VodSlices *slices, guint8 value, gsize len)
{
  g_autofree guint8 *data = g_malloc (len);
  gsize taken;

  memset (data, value, len);
  g_assert_cmpint (write_bytes (slices, data, len, &taken), ==, VOD_WRITE_OK);
}

static VodWriteResult
try_put (VodSlices *slices, guint8 value, gsize len)
{
  g_autofree guint8 *data = g_malloc (len);
  gsize taken;

  memset (data, value, len);
  return write_bytes (slices, data, len, &taken);
}

static void
put_at (VodSlices *slices, guint64 position, guint8 value, gsize len)
{
  vod_slices_seek (slices, position);
  put (slices, value, len);
}

static VodSlice *
next (VodSlices *slices)
{
  gint64 wake;

  return vod_slices_next (slices, NOW, &wake);
}

static GByteArray *
slice_bytes (VodSlice *slice)
{
  GByteArray *bytes = g_byte_array_new ();

  while (bytes->len < slice->size) {
    guint8 data[32 * UNIT];
    gsize len = vod_slice_read (slice, bytes->len, data, sizeof data);

    g_assert_cmpuint (len, >, 0);
    g_byte_array_append (bytes, data, len);
  }
  return bytes;
}

static void
confirm (VodSlices *slices, VodSlice *slice)
{
  g_autoptr (GByteArray) bytes = slice_bytes (slice);

  vod_slices_confirm (
      slices, slice, vod_crc64 (0, bytes->data, bytes->len), "\"e\"");
}

static void
send_all (VodSlices *slices)
{
  VodSlice *slice;

  while ((slice = next (slices)))
    confirm (slices, slice);
}

static VodSlicesStats
stats_of (VodSlices *slices)
{
  VodSlicesStats stats;

  vod_slices_get_stats (slices, &stats);
  return stats;
}

/* --- cutting --------------------------------------------------------------*/

static void
test_floor_grows_with_part_number (void)
{
  static const struct {
    guint number, mib;
  } rows[] = {
      {1, 1},
      {1000, 1},
      {1001, 2},
      {2000, 2},
      {2001, 4},
      {3000, 4},
      {3001, 8},
      {4000, 8},
      {4001, 16},
      {10000, 16},
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpuint (vod_slices_floor (&defaults, rows[i].number), ==,
        rows[i].mib * VOD_MIB);
}

static void
test_10000_parts_hold_100_gib_at_defaults (void)
{
  guint64 least = 0;

  for (guint number = 1; number <= 10000; number++) {
    least += vod_slices_floor (&defaults, number);
    g_assert_cmpuint (
        vod_slices_full (&defaults, number), <=, defaults.max_bytes / 4);
    g_assert_cmpuint (vod_slices_full (&defaults, number), >=,
        vod_slices_floor (&defaults, number));
  }
  g_assert_cmpuint (least, >=, 100 * 1024 * VOD_MIB);
}

static void
test_no_part_larger_than_a_quarter_of_memory (void)
{
  VodSlicesConfig config = defaults;

  config.slice_size = VOD_MIB;
  config.max_bytes = 4 * VOD_MIB;
  for (guint number = 1; number <= 10000; number += 100)
    g_assert_cmpuint (vod_slices_full (&config, number), ==, VOD_MIB);
}

static void
test_first_slice_is_the_smallest_part_exactly (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);

  put (slices, 'a', 3 * UNIT);
  g_assert_cmpuint (vod_slices_count (slices), ==, 2);
  g_assert_cmpuint (vod_slices_get (slices, 0)->size, ==, UNIT);
  g_assert_cmpint (vod_slices_get (slices, 0)->state, ==, VOD_SLICE_READY);
  g_assert_cmpint (vod_slices_get (slices, 1)->state, ==, VOD_SLICE_FILLING);
}

static void
test_cut_when_a_worker_is_idle_and_floor_reached (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);

  put (slices, 'a', UNIT);
  send_all (slices);
  put (slices, 'b', UNIT - 1);
  g_assert_false (vod_slices_cut (slices, 1, NOW));
  put (slices, 'b', 1);
  g_assert_false (vod_slices_cut (slices, 0, NOW));
  g_assert_true (vod_slices_cut (slices, 1, NOW));
  /* The idle worker has that one now. */
  put (slices, 'c', UNIT);
  g_assert_false (vod_slices_cut (slices, 1, NOW));
  g_assert_true (vod_slices_cut (slices, 2, NOW));
}

static void
test_full_slice_is_cut_without_idle_worker (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);

  put (slices, 'a', UNIT + 4 * UNIT + 1);
  g_assert_cmpuint (vod_slices_count (slices), ==, 3);
  g_assert_cmpuint (vod_slices_get (slices, 1)->size, ==, 4 * UNIT);
}

static void
test_part_numbers_run_out_with_a_result (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = NULL;

  config.max_parts = 2;
  slices = vod_slices_new (&config);
  put (slices, 'a', UNIT + 4 * UNIT);
  g_assert_cmpint (try_put (slices, 'b', 1), ==, VOD_WRITE_NO_PART);
}

static void
test_end_of_stream_cuts_what_is_left (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);

  put (slices, 'a', UNIT + 1);
  vod_slices_finish (slices);
  g_assert_false (vod_slices_complete (slices));
  send_all (slices);
  g_assert_true (vod_slices_complete (slices));
  g_assert_cmpuint (vod_slices_get (slices, 1)->size, ==, 1);
}

static void
test_crc64_of_the_whole_is_combined (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);
  guint8 data[UNIT + 7];
  gsize taken;

  for (guint i = 0; i < sizeof data; i++)
    data[i] = i * 37;
  write_bytes (slices, data, sizeof data, &taken);
  vod_slices_finish (slices);
  send_all (slices);
  g_assert_cmpuint (
      vod_slices_crc64 (slices), ==, vod_crc64 (0, data, sizeof data));
}

/* --- rewrites in each state -----------------------------------------------*/

static void
test_rewrite_of_filling_slice_is_in_place (void)
{
  VodSlicesConfig config = small_config (TRUE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);
  g_autoptr (GByteArray) bytes = NULL;
  VodSlice *slice;

  put (slices, 'a', 10);
  put_at (slices, 2, 'b', 3);
  put_at (slices, 10, 'c', UNIT - 10);
  slice = next (slices);
  bytes = slice_bytes (slice);
  g_assert_cmpmem (bytes->data, 11, "aabbbaaaaac", 11);
  confirm (slices, slice);
  g_assert_cmpuint (stats_of (slices).parts_rewritten, ==, 0);
}

static void
test_rewrite_of_ready_slice_is_in_place (void)
{
  VodSlicesConfig config = small_config (TRUE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);
  g_autoptr (GByteArray) bytes = NULL;

  put (slices, 'a', UNIT);
  put_at (slices, 0, 'b', 1);
  bytes = slice_bytes (next (slices));
  g_assert_cmpint (bytes->data[0], ==, 'b');
}

static void
test_rewrite_in_flight_does_not_touch_what_is_read (void)
{
  VodSlicesConfig config = small_config (TRUE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);
  g_autoptr (GByteArray) before = NULL, during = NULL, after = NULL;
  VodSlice *slice;

  put (slices, 'a', UNIT);
  slice = next (slices);
  before = slice_bytes (slice);
  put_at (slices, 4, 'b', 8);
  put_at (slices, 8, 'c', 8);
  during = slice_bytes (slice);
  g_assert_cmpmem (before->data, UNIT, during->data, UNIT);
  confirm (slices, slice);
  g_assert_cmpint (slice->state, ==, VOD_SLICE_READY);
  g_assert_cmpuint (stats_of (slices).confirmed, ==, 0);

  vod_slices_finish (slices);
  slice = next (slices);
  g_assert_cmpuint (slice->number, ==, 1);
  after = slice_bytes (slice);
  g_assert_cmpmem (after->data, 17, "aaaabbbbcccccccca", 17);
  confirm (slices, slice);
  g_assert_true (vod_slices_complete (slices));
}

static void
test_rewrite_in_flight_counts_against_memory_once (void)
{
  VodSlicesConfig config = small_config (TRUE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);
  guint64 before;

  put (slices, 'a', UNIT);
  next (slices);
  before = stats_of (slices).memory;
  for (guint i = 0; i < 100; i++)
    put_at (slices, i % 8, 'b', 4);
  g_assert_cmpuint (stats_of (slices).memory, ==, before + UNIT / 4);
}

static void
test_rewrite_in_flight_survives_failure (void)
{
  VodSlicesConfig config = small_config (TRUE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);
  g_autoptr (GByteArray) after = NULL;
  VodSlice *slice;

  put (slices, 'a', UNIT);
  slice = next (slices);
  put_at (slices, 0, 'b', 1);
  vod_slices_fail (slices, slice, 0, FALSE);
  after = slice_bytes (next (slices));
  g_assert_cmpint (after->data[0], ==, 'b');
}

static void
test_rewrite_of_sent_head_slice_goes_again_only_at_eos (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);
  VodSlice *slice;

  put (slices, 'a', 3 * UNIT);
  send_all (slices);
  put_at (slices, 0, 'b', 4);
  g_assert_null (next (slices));
  vod_slices_finish (slices);
  slice = next (slices);
  g_assert_cmpuint (slice->number, ==, 2);
  slice = next (slices);
  g_assert_cmpuint (slice->number, ==, 1);
  g_assert_null (next (slices));
}

static void
test_rewrite_of_kept_slice_goes_again_when_nothing_newer_waits (void)
{
  VodSlicesConfig config = small_config (TRUE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);
  VodSlice *slice;

  put (slices, 'a', UNIT + 4 * UNIT);
  send_all (slices);
  put (slices, 'b', 4 * UNIT);
  put_at (slices, UNIT, 'c', 1);
  vod_slices_seek (slices, 9 * UNIT);
  put (slices, 'd', 4 * UNIT);
  /* D is 8 units: slice 2 has left the window, slices 3 and 4 have not. */
  g_assert_cmpuint (stats_of (slices).distance, ==, 8 * UNIT);
  slice = next (slices);
  g_assert_cmpuint (slice->number, ==, 2);
  g_assert_true (slice->sent);
  g_assert_null (next (slices));
  vod_slices_fail (slices, slice, 0, FALSE);

  vod_slices_finish (slices);
  g_assert_cmpuint (next (slices)->number, ==, 3);
  g_assert_cmpuint (next (slices)->number, ==, 4);
  g_assert_cmpuint (next (slices)->number, ==, 2);
}

static void
test_rewrite_without_keeping_is_out_of_reach_behind_the_head (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);

  put (slices, 'a', UNIT + 4 * UNIT);
  send_all (slices);
  vod_slices_seek (slices, UNIT - 1);
  g_assert_cmpint (try_put (slices, 'b', 1), ==, VOD_WRITE_OK);
  vod_slices_seek (slices, UNIT);
  g_assert_cmpint (try_put (slices, 'b', 1), ==, VOD_WRITE_OUT_OF_REACH);
}

static void
test_kept_slices_are_reused_oldest_first_and_never_the_head (void)
{
  VodSlicesConfig config = small_config (TRUE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);

  for (guint i = 0; i < 10; i++) {
    put (slices, 'a', 4 * UNIT);
    send_all (slices);
  }
  g_assert_nonnull (vod_slices_get (slices, 0)->bytes);
  g_assert_null (vod_slices_get (slices, 1)->bytes);
  g_assert_nonnull (
      vod_slices_get (slices, vod_slices_count (slices) - 2)->bytes);
  g_assert_cmpuint (stats_of (slices).memory, <=, config.max_bytes);
}

static void
test_held_back_slices_go_when_upstream_would_block (void)
{
  VodSlicesConfig config = small_config (TRUE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);
  VodWriteResult result = VOD_WRITE_OK;

  put (slices, 'a', UNIT + 4 * UNIT);
  put_at (slices, UNIT + 8, 'b', 4);
  vod_slices_seek (slices, 5 * UNIT);
  g_assert_cmpuint (next (slices)->number, ==, 1);
  g_assert_null (next (slices));
  while (result == VOD_WRITE_OK)
    result = try_put (slices, 'c', UNIT / 2);
  g_assert_cmpint (result, ==, VOD_WRITE_FULL);
  g_assert_cmpuint (next (slices)->number, ==, 2);
}

/* Memory that would only wait is not used, as long as some of it will be free. */
static void
test_enough_is_not_exceeded_while_there_is_something_to_send (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);

  vod_slices_set_enough (slices, 2);
  put (slices, 'a', UNIT + 7 * UNIT);
  g_assert_cmpint (try_put (slices, 'b', 1), ==, VOD_WRITE_FULL);
  g_assert_cmpuint (stats_of (slices).memory, ==, 2 * 4 * UNIT);

  vod_slices_set_enough (slices, 0);
  put (slices, 'b', UNIT);
  vod_slices_set_enough (slices, 2);
  g_assert_cmpint (try_put (slices, 'b', 1), ==, VOD_WRITE_FULL);
  confirm (slices, next (slices));
  confirm (slices, next (slices));
  put (slices, 'b', 3 * UNIT);
}

/* The floor grows beyond the size that was asked for: it is slices that are
 * counted. */
static void
test_enough_is_of_slices_as_large_as_they_are (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = NULL;
  VodWriteResult result = VOD_WRITE_OK;

  config.max_parts = 40;
  config.slice_size = UNIT;
  slices = vod_slices_new (&config);
  vod_slices_set_enough (slices, 3);
  while (vod_slices_count (slices) < 20) {
    put (slices, 'a', UNIT / 2);
    send_all (slices);
  }
  g_assert_cmpuint (vod_slices_full (&config, 20), ==, 4 * UNIT);
  while (result == VOD_WRITE_OK)
    result = try_put (slices, 'b', 1);
  g_assert_cmpint (result, ==, VOD_WRITE_FULL);
  g_assert_cmpuint (vod_slices_sendable (slices, NOW), ==, 2);
}

static void
test_enough_does_not_count_if_nothing_would_be_free (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);

  vod_slices_set_enough (slices, 1);
  put (slices, 'a', UNIT + 4 * UNIT - 1);
  g_assert_cmpuint (stats_of (slices).memory, ==, 5 * UNIT);
}

/* What is kept for rewrites must not be less for that. */
static void
test_enough_does_not_count_if_rewrites_are_expected (void)
{
  VodSlicesConfig config = small_config (TRUE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);

  vod_slices_set_enough (slices, 1);
  put (slices, 'a', UNIT + 3 * 4 * UNIT);
  g_assert_cmpuint (stats_of (slices).memory, ==, 13 * UNIT);
}

/* --- forward seeks and the head -------------------------------------------*/

static void
test_gap_reads_as_zeros (void)
{
  VodSlicesConfig config = small_config (TRUE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);
  g_autoptr (GByteArray) bytes = NULL;

  put (slices, 'a', 2);
  put_at (slices, 5, 'b', UNIT - 5);
  bytes = slice_bytes (next (slices));
  g_assert_cmpmem (bytes->data, 6, "aa\0\0\0b", 6);
}

static void
test_skip_before_payload_makes_a_larger_head (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);

  put (slices, 'a', 8);
  put_at (slices, 3 * UNIT, 'b', 8);
  send_all (slices);
  put (slices, 'c', 8 * UNIT);
  send_all (slices);
  put (slices, 'c', 8 * UNIT);
  send_all (slices);
  g_assert_cmpuint (stats_of (slices).head, ==, 3 * UNIT);
  /* What was skipped, and what directly follows it, can still be rewritten. */
  vod_slices_seek (slices, 8);
  g_assert_cmpint (try_put (slices, 'd', 3 * UNIT), ==, VOD_WRITE_OK);
}

static void
test_skip_after_payload_does_not_grow_the_head (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);

  put (slices, 'a', UNIT);
  put_at (slices, 5 * UNIT, 'b', 8);
  g_assert_cmpuint (stats_of (slices).head, ==, UNIT);
}

static void
test_head_larger_than_half_the_memory_is_refused_at_once (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);

  put (slices, 'a', 8);
  vod_slices_seek (slices, 9 * UNIT);
  g_assert_cmpint (try_put (slices, 'b', 1), ==, VOD_WRITE_HEAD_TOO_BIG);
  vod_slices_seek (slices, G_MAXUINT64);
  g_assert_cmpint (try_put (slices, 'b', 1), ==, VOD_WRITE_HEAD_TOO_BIG);
}

static void
test_robust_mp4_with_4_hours_fits_the_defaults (void)
{
  g_autoptr (VodSlices) slices = vod_slices_new (&defaults);
  g_autofree guint8 *payload = g_malloc0 (VOD_MIB);
  VodWriteResult result = VOD_WRITE_OK;
  gsize taken;

  write_bytes (slices, payload, 36, &taken);
  vod_slices_seek (slices, 31682680);
  while (result == VOD_WRITE_OK &&
      stats_of (slices).size < 31682680 + 16 * VOD_MIB) {
    result = write_bytes (slices, payload, VOD_MIB, &taken);
    send_all (slices);
  }
  g_assert_cmpint (result, ==, VOD_WRITE_OK);
  vod_slices_seek (slices, 15841356);
  g_assert_cmpint (
      write_bytes (slices, payload, 100000, &taken), ==, VOD_WRITE_OK);
  vod_slices_seek (slices, 31682680);
  g_assert_cmpint (write_bytes (slices, payload, 16, &taken), ==, VOD_WRITE_OK);
}

static void
test_failed_slice_waits_its_pause (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);
  VodSlice *slice;
  gint64 wake;

  put (slices, 'a', UNIT);
  slice = next (slices);
  vod_slices_fail (slices, slice, NOW + 500, FALSE);
  g_assert_null (vod_slices_next (slices, NOW, &wake));
  g_assert_cmpint (wake, ==, NOW + 500);
  g_assert_cmpuint (slice->attempts, ==, 1);
  vod_slices_retry_now (slices);
  g_assert_true (vod_slices_next (slices, NOW, &wake) == slice);
}

static void
test_firm_pause_is_kept_when_others_succeed (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);
  gint64 wake;

  put (slices, 'a', UNIT);
  vod_slices_fail (slices, next (slices), NOW + 500, TRUE);
  vod_slices_retry_now (slices);
  g_assert_null (vod_slices_next (slices, NOW, &wake));
  g_assert_cmpint (wake, ==, NOW + 500);
}

/* The slices of a table with little memory that an earlier upload has cut so
 * that the head needs much of it; what the head does not need is filled. */
static VodSlices *
crowded_table (const guint64 *sizes, guint n, guint64 head)
{
  VodSlicesConfig config = small_config (TRUE);
  VodSlices *slices;
  g_autofree VodSliceReceipt *receipts = g_new0 (VodSliceReceipt, n);
  guint64 offset = 0;
  VodWriteResult result = VOD_WRITE_OK;

  config.max_bytes = 5 * UNIT + 14;
  config.slice_size = UNIT;
  slices = vod_slices_new (&config);
  for (guint i = 0; i < n; i++) {
    receipts[i] = (VodSliceReceipt){.offset = offset, .size = sizes[i]};
    offset += sizes[i];
  }
  vod_slices_preset (slices, receipts, n);
  put_at (slices, head, 'a', 1);
  while (result == VOD_WRITE_OK) {
    send_all (slices);
    result = try_put (slices, 'b', 1);
  }
  g_assert_cmpint (result, ==, VOD_WRITE_FULL);
  return slices;
}

/* What is full of what cannot be sent would be full for ever. */
static void
test_full_table_cuts_short_what_an_earlier_upload_did_not (void)
{
  static const guint64 sizes[] = {69, 68, 81, 83, 83};
  g_autoptr (VodSlices) slices =
      crowded_table (sizes, G_N_ELEMENTS (sizes), 138);
  VodSlice *slice = next (slices);

  g_assert_nonnull (slice);
  g_assert_cmpuint (slice->number, ==, 4);
  g_assert_cmpuint (slice->size, ==, UNIT);
  confirm (slices, slice);
  put (slices, 'b', UNIT);
}

static void
test_seek_beyond_all_parts_is_refused_at_once (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = NULL;

  config.max_parts = 10;
  slices = vod_slices_new (&config);
  put (slices, 'a', UNIT + 1);
  vod_slices_seek (slices, 1000 * UNIT);
  g_assert_cmpint (try_put (slices, 'b', 1), ==, VOD_WRITE_NO_PART);
  g_assert_cmpuint (stats_of (slices).size, ==, UNIT + 1);
}

/* Media, not blocks: what is kept for a rewrite counts, a copy of what is in
 * flight does not count twice. */
static void
test_held_is_media_in_memory (void)
{
  VodSlicesConfig config = small_config (TRUE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);
  VodSlice *slice;

  g_assert_cmpuint (vod_slices_held (slices), ==, 0);
  put (slices, 'a', 3);
  g_assert_cmpuint (vod_slices_held (slices), ==, 3);
  put (slices, 'a', UNIT + 4 * UNIT);
  g_assert_cmpuint (vod_slices_held (slices), ==, 5 * UNIT + 3);
  slice = next (slices);
  put_at (slices, 0, 'b', 1);
  g_assert_cmpuint (vod_slices_held (slices), ==, 5 * UNIT + 3);
  confirm (slices, slice);
  send_all (slices);
  g_assert_cmpuint (vod_slices_held (slices), ==, 5 * UNIT + 3);
  vod_slices_release (slices);
  g_assert_cmpuint (vod_slices_held (slices), ==, 0);
}

/* What is up and need not be kept is not there any more. */
static void
test_held_is_not_what_was_given_up (void)
{
  VodSlicesConfig config = small_config (FALSE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);

  put (slices, 'a', UNIT + 4 * UNIT + 3);
  send_all (slices);
  g_assert_cmpuint (stats_of (slices).confirmed, ==, 5 * UNIT);
  /* The head, and what is not cut. */
  g_assert_cmpuint (vod_slices_held (slices), ==, UNIT + 3);
}

static void
test_released_table_holds_only_what_is_in_flight (void)
{
  VodSlicesConfig config = small_config (TRUE);
  g_autoptr (VodSlices) slices = vod_slices_new (&config);
  VodSlice *slice;

  put (slices, 'a', UNIT + 4 * UNIT + 3);
  slice = next (slices);
  vod_slices_release (slices);
  g_assert_cmpuint (stats_of (slices).memory, ==, UNIT);
  vod_slices_fail (slices, slice, 0, FALSE);
  g_assert_cmpuint (stats_of (slices).memory, ==, 0);
}

/* --- the model ------------------------------------------------------------*/

typedef enum {
  IN_MEMORY,
  IN_SPOOL,
  FROM_SOURCE, /* in memory, and upstream's file has the same bytes */
} Mode;

#define SOURCE_SIZE (400 * UNIT)

/* A slice that a worker has. */
typedef struct {
  VodSlice *slice;
  guint epoch;
  GByteArray *before; /* what it held when it was taken */
  gboolean skip;      /* the service had that already */
} Flight;

typedef struct {
  GRand *rand;
  Mode mode;
  VodSlicesConfig config;
  VodSlices *slices;
  gchar *path; /* of the file */
  VodSpool *file;
  gboolean left_file;
  GByteArray *model; /* what a plain file would hold */
  guint64 position;
  GPtrArray *service; /* of GByteArray, by part number - 1 */
  GPtrArray *flights; /* of Flight */
  guint epoch;        /* counts beginnings from the start */
  GArray *preset;     /* of guint64: where slices have to end, as they begin */
  GPtrArray *before;  /* of GByteArray, by number - 1: of an earlier run */
  guint out_of_reach, full, lost, torn, skipped, restarts, refused, given_up;
} Model;

/* What a source has, and what is appended; an earlier run's is the same. */
static guint8
model_byte (guint64 offset)
{
  return (guint8)(offset * 197 + (offset >> 6) * 31 + (offset >> 12));
}

static void
byte_array_unref0 (gpointer array)
{
  if (array)
    g_byte_array_unref (array);
}

static void
flight_free (gpointer data)
{
  Flight *flight = data;

  g_byte_array_unref (flight->before);
  g_free (flight);
}

static void
model_write (Model *m, const guint8 *data, gsize len)
{
  guint64 end = m->position + len;
  guint old = m->model->len;

  if (end > old) {
    g_byte_array_set_size (m->model, end);
    memset (m->model->data + old, 0, end - old);
  }
  memcpy (m->model->data + m->position, data, len);
  m->position = end;
}

static gboolean
same_bytes (const GByteArray *one, const GByteArray *other)
{
  return one->len == other->len &&
      memcmp (one->data, other->data, one->len) == 0;
}

/* What vodjob does with a receipt: the bytes decide. */
static gboolean
model_may_skip (Model *m, const Flight *flight)
{
  const VodSliceReceipt *receipt =
      vod_slices_receipt (m->slices, flight->slice);
  const GByteArray *there;

  if (receipt == NULL)
    return FALSE;
  g_assert_cmpuint (flight->slice->number, <=, m->before->len);
  there = g_ptr_array_index (m->before, flight->slice->number - 1);
  g_assert_nonnull (there);
  g_assert_cmpuint (receipt->size, ==, there->len);
  g_assert_cmpuint (receipt->size, ==, flight->slice->size);
  g_assert_cmpuint (receipt->offset, ==, flight->slice->offset);
  if (receipt->has_crc64)
    g_assert_cmpuint (
        receipt->crc64, ==, vod_crc64 (0, there->data, there->len));
  return same_bytes (there, flight->before);
}

static void
model_take (Model *m)
{
  gint64 wake;
  VodSlice *slice = vod_slices_next (m->slices, NOW, &wake);
  Flight *flight;

  if (slice == NULL)
    return;
  g_assert_cmpuint (slice->size, >, 0);
  flight = g_new0 (Flight, 1);
  flight->slice = slice;
  flight->epoch = m->epoch;
  flight->before = slice_bytes (slice);
  flight->skip = model_may_skip (m, flight);
  if (slice->proven)
    g_assert_cmpuint (slice->crc64, ==,
        vod_crc64 (0, flight->before->data, flight->before->len));
  g_ptr_array_add (m->flights, flight);
}

/* The service gets what could be read on the way: from memory always the same,
 * from a spool perhaps neither the old bytes nor the new. */
static GByteArray *
model_sent (Model *m, const Flight *flight)
{
  g_autoptr (GByteArray) now = slice_bytes (flight->slice);
  GByteArray *sent;
  guint cut;

  g_assert_cmpuint (now->len, ==, flight->before->len);
  if (flight->slice->bytes)
    g_assert_true (same_bytes (now, flight->before));
  if (flight->skip || same_bytes (now, flight->before))
    return g_byte_array_ref (flight->before);
  g_assert_true (flight->slice->torn);
  m->torn++;
  cut = (guint)g_rand_int_range (m->rand, 0, (gint32)now->len + 1);
  sent = g_byte_array_new ();
  g_byte_array_append (sent, flight->before->data, cut);
  g_byte_array_append (sent, now->data + cut, now->len - cut);
  return sent;
}

static void
model_store (Model *m, guint number, GByteArray *part)
{
  if (m->service->len < number)
    g_ptr_array_set_size (m->service, (gint)number);
  byte_array_unref0 (g_ptr_array_index (m->service, number - 1));
  g_ptr_array_index (m->service, number - 1) = g_byte_array_ref (part);
}

static void
model_done (Model *m, guint index)
{
  Flight *flight = g_ptr_array_index (m->flights, index);
  VodSlice *slice = flight->slice;
  g_autoptr (GByteArray) sent = model_sent (m, flight);

  if (flight->epoch != m->epoch) {
    vod_slices_fail (m->slices, slice, 0, FALSE);
  } else if (g_rand_int_range (m->rand, 0, 4) == 0) {
    /* It may have arrived all the same. */
    if (g_rand_boolean (m->rand))
      model_store (m, slice->number, sent);
    vod_slices_fail (m->slices, slice, 0, FALSE);
  } else if (!same_bytes (sent, flight->before)) {
    model_store (m, slice->number, sent);
    vod_slices_fail (m->slices, slice, 0, FALSE);
  } else {
    m->skipped += flight->skip;
    model_store (m, slice->number, sent);
    vod_slices_confirm (
        m->slices, slice, vod_crc64 (0, sent->data, sent->len), "\"e\"");
  }
  g_ptr_array_remove_index_fast (m->flights, index);
}

static void
model_done_any (Model *m)
{
  model_done (m, (guint)g_rand_int_range (m->rand, 0, (gint32)m->flights->len));
}

/* One slice of the table. */
static void
model_check_slice (
    Model *m, const VodSlicesStats *stats, const VodSlice *slice, gboolean last)
{
  guint i = slice->number - 1;

  g_assert_true (last || slice->size >= m->config.min_part);
  if (m->mode != IN_SPOOL) {
    g_assert_cmpuint (slice->size, <=, m->config.max_bytes / 4);
    g_assert_true (
        slice->bytes || slice->file || slice->state == VOD_SLICE_CONFIRMED);
    if (slice->offset < stats->head && m->restarts == 0)
      g_assert_nonnull (slice->bytes);
  } else {
    g_assert_true (slice->bytes || slice->file ||
        (m->left_file && slice->state == VOD_SLICE_CONFIRMED));
    g_assert_false (slice->bytes && slice->file);
  }
  if (!last && !m->left_file && i < m->preset->len)
    g_assert_cmpuint (slice->size, ==, g_array_index (m->preset, guint64, i));
}

static void
model_check (Model *m)
{
  VodSlicesStats stats = stats_of (m->slices);
  guint64 offset = 0, confirmed = 0;
  guint count = vod_slices_count (m->slices);

  g_assert_cmpuint (stats.memory, <=, m->config.max_bytes);
  g_assert_cmpuint (vod_slices_held (m->slices), <=, stats.memory);
  g_assert_cmpuint (stats.size, ==, m->model->len);
  if (m->mode == IN_SPOOL && !m->left_file)
    g_assert_cmpuint (stats.memory, ==, 0);
  for (guint i = 0; i < count; i++) {
    const VodSlice *slice = vod_slices_get (m->slices, i);

    g_assert_cmpuint (slice->number, ==, i + 1);
    g_assert_cmpuint (slice->offset, ==, offset);
    model_check_slice (m, &stats, slice, i + 1 == count);
    if (slice->state == VOD_SLICE_CONFIRMED)
      confirmed += slice->size;
    offset += slice->size;
  }
  g_assert_cmpuint (offset, ==, stats.size);
  g_assert_cmpuint (confirmed, ==, stats.confirmed);
}

/* With nothing in flight, what is being filled may be cut where no earlier upload
 * has cut. */
static void
model_give_up_presets (Model *m)
{
  guint last = vod_slices_count (m->slices) - 1;
  const VodSlice *slice = vod_slices_get (m->slices, last);

  if (last < m->preset->len && slice->state != VOD_SLICE_FILLING &&
      slice->size < g_array_index (m->preset, guint64, last)) {
    g_assert_cmpuint (slice->size, >=, m->config.min_part);
    g_array_set_size (m->preset, last);
    m->given_up++;
  }
}

/* Never stuck: something is in flight or can be. */
static void
model_make_room (Model *m)
{
  m->full++;
  if (m->flights->len == 0) {
    model_give_up_presets (m);
    model_take (m);
  }
  g_assert_cmpuint (m->flights->len, >, 0);
  model_done_any (m);
  /* What was zero-filled before the table was full is in the file. */
  if (stats_of (m->slices).size > m->model->len) {
    guint old = m->model->len;

    g_byte_array_set_size (m->model, stats_of (m->slices).size);
    memset (m->model->data + old, 0, m->model->len - old);
  }
}

/* One push of a muxer, into table and model alike. */
static void
model_push (Model *m)
{
  gsize len = g_rand_int_range (
      m->rand, 1, g_rand_boolean (m->rand) ? UNIT / 2 : 6 * UNIT);
  g_autofree guint8 *data = g_malloc (len);
  gboolean plain = m->position >= m->model->len && m->mode == FROM_SOURCE;
  gsize done = 0;

  /* Some of what is appended is what an earlier run had. */
  plain = plain || g_rand_int_range (m->rand, 0, 8) > 0;
  for (gsize i = 0; i < len; i++)
    data[i] = plain ? model_byte (m->position + i) : g_rand_int (m->rand);
  if (m->mode == FROM_SOURCE)
    len = MIN (len, SOURCE_SIZE - m->position);
  vod_slices_seek (m->slices, m->position);
  vod_slices_set_enough (m->slices, MAX (0, g_rand_int_range (m->rand, -4, 4)));
  while (done < len) {
    gsize taken;
    VodWriteResult result =
        write_bytes (m->slices, data + done, len - done, &taken);

    if (taken > 0)
      model_write (m, data + done, taken);
    done += taken;
    if (m->mode == IN_SPOOL && !m->left_file)
      g_assert_cmpint (result, ==, VOD_WRITE_OK);
    if (result == VOD_WRITE_OUT_OF_REACH || result == VOD_WRITE_HEAD_TOO_BIG ||
        result == VOD_WRITE_LOST) {
      g_assert_true (result != VOD_WRITE_LOST || m->left_file);
      m->lost += result == VOD_WRITE_LOST;
      m->out_of_reach += result != VOD_WRITE_LOST;
      /* The gap before a refused write may have been begun. */
      m->position = m->model->len;
      return;
    }
    if (result == VOD_WRITE_FULL)
      model_make_room (m);
  }
  vod_slices_cut (m->slices, g_rand_int_range (m->rand, 0, 3), NOW);
}

/* --- beginning from the start ---------------------------------------------*/

/* Everything that a restart may change. */
static gchar *
model_describe (Model *m)
{
  GString *text = g_string_new (NULL);
  VodSlicesStats stats = stats_of (m->slices);

  g_string_append_printf (text, "%" G_GUINT64_FORMAT " %u %u|", stats.confirmed,
      stats.parts_confirmed, stats.parts_rewritten);
  for (guint i = 0; i < vod_slices_count (m->slices); i++) {
    const VodSlice *slice = vod_slices_get (m->slices, i);

    g_string_append_printf (text, "%d %d %s %d %d %u|", slice->state,
        slice->sent, slice->etag, slice->file != NULL, slice->proven,
        slice->attempts);
  }
  return g_string_free (text, FALSE);
}

static void
model_restart (Model *m)
{
  g_autofree gchar *before = model_describe (m), *after = NULL;

  if (!vod_slices_restart (m->slices)) {
    g_assert_true (m->mode == IN_MEMORY || m->left_file);
    after = model_describe (m);
    g_assert_cmpstr (before, ==, after);
    m->refused++;
    return;
  }
  m->restarts++;
  m->epoch++;
  g_ptr_array_set_size (m->service, 0);
  g_ptr_array_set_size (m->before, 0);
  g_assert_cmpuint (stats_of (m->slices).confirmed, ==, 0);
  for (guint i = 0; i < vod_slices_count (m->slices); i++) {
    const VodSlice *slice = vod_slices_get (m->slices, i);

    g_assert_cmpint (slice->state, !=, VOD_SLICE_CONFIRMED);
    g_assert_false (slice->sent);
    g_assert_null (slice->etag);
    g_assert_null (vod_slices_receipt (m->slices, slice));
  }
}

/* The spool takes no more. What it takes all the same would be lost. */
static void
model_leave_file (Model *m)
{
  if (m->mode != IN_SPOOL || m->left_file)
    return;
  g_assert_true (vod_slices_leave_file (m->slices));
  m->left_file = TRUE;
}

/* --- an earlier run -------------------------------------------------------*/

static GByteArray *
part_before (Model *m, guint64 offset, guint64 size)
{
  GByteArray *part = g_byte_array_new ();

  g_byte_array_set_size (part, (guint)size);
  for (guint64 i = 0; i < size; i++)
    part->data[i] = model_byte (offset + i);
  if (g_rand_int_range (m->rand, 0, 6) == 0)
    part->data[g_rand_int_range (m->rand, 0, (gint32)size)] ^= 1;
  return part;
}

/* Some of what there is may be damaged: gaps, parts that are too small or too
 * large. @whole: nothing was so far. */
static VodSliceReceipt
receipt_before (Model *m, guint64 offset, gboolean *whole)
{
  guint64 largest = MIN (vod_slices_largest (m->slices), 12 * UNIT);
  VodSliceReceipt receipt = {
      .offset = offset,
      .size = (guint64)g_rand_int_range (m->rand, UNIT, (gint32)largest + 1),
      .has_crc64 = g_rand_boolean (m->rand),
  };

  switch (g_rand_int_range (m->rand, 0, 30)) {
    case 0:
      receipt.offset += 1;
      *whole = FALSE;
      break;
    case 1:
      receipt.size = (guint64)g_rand_int_range (m->rand, 1, UNIT);
      break;
    case 2:
      receipt.size = vod_slices_largest (m->slices) + 1;
      *whole = FALSE;
      break;
    default:
      break;
  }
  return receipt;
}

/* What List Parts says need not be what the journal says. */
static void
model_agree (Model *m, guint number, const VodSliceReceipt *receipt)
{
  switch (g_rand_int_range (m->rand, 0, 8)) {
    case 0:
      vod_slices_agree (m->slices, number, receipt->size, NULL);
      break;
    case 1:
      vod_slices_agree (m->slices, number, receipt->size + 1, receipt->etag);
      break;
    case 2:
      vod_slices_agree (m->slices, number, receipt->size, "\"new\"");
      return;
    default:
      vod_slices_agree (m->slices, number, receipt->size, "old");
      if (receipt->etag || number > m->before->len)
        return;
      return;
  }
  if (number <= m->before->len) {
    byte_array_unref0 (g_ptr_array_index (m->before, number - 1));
    g_ptr_array_index (m->before, number - 1) = NULL;
  }
}

static void
model_resume (Model *m)
{
  g_autoptr (GArray) receipts =
      g_array_new (FALSE, TRUE, sizeof (VodSliceReceipt));
  guint n = (guint)g_rand_int_range (m->rand, 1, 20);
  gboolean whole = TRUE, cuts = TRUE;
  guint64 offset = 0;

  for (guint i = 0; i < n; i++) {
    VodSliceReceipt receipt = receipt_before (m, offset, &whole);
    GByteArray *part = part_before (m, offset, MIN (receipt.size, 100 * UNIT));

    receipt.crc64 = vod_crc64 (0, part->data, part->len);
    receipt.etag =
        (gchar *)(g_rand_int_range (m->rand, 0, 5) ? "\"old\"" : NULL);
    g_array_append_val (receipts, receipt);
    g_ptr_array_add (m->before, part);
    cuts = cuts && whole && receipt.size >= UNIT;
    if (cuts)
      g_array_append_val (m->preset, receipt.size);
    offset += receipt.size;
  }
  vod_slices_preset (
      m->slices, (const VodSliceReceipt *)receipts->data, receipts->len);
  for (guint i = 0; i < receipts->len; i++)
    model_agree (m, i + 1, &g_array_index (receipts, VodSliceReceipt, i));
  vod_slices_agree (m->slices, 0, 1, "x");
  vod_slices_agree (m->slices, n + 1, 1, "x");
  vod_slices_agree (m->slices, G_MAXUINT, 1, "x");
}

/* --- steps ----------------------------------------------------------------*/

static void
model_step_rarely (Model *m)
{
  switch (g_rand_int_range (m->rand, 0, 4)) {
    case 0:
      model_leave_file (m);
      break;
    case 1:
      model_restart (m);
      break;
    default:
      break;
  }
}

/* Where a muxer that rewrites goes, and comes back from. */
static void
model_rewrite (Model *m, guint64 position)
{
  if (m->mode != FROM_SOURCE)
    m->position = position;
  model_push (m);
  m->position = m->model->len;
}

static void
model_step (Model *m)
{
  guint back;

  if (g_rand_int_range (m->rand, 0, 60) == 0)
    model_step_rarely (m);
  switch (g_rand_int_range (m->rand, 0, 12)) {
    case 0: /* far back */
      model_rewrite (m, g_rand_int_range (m->rand, 0, m->model->len + 1));
      break;
    case 1: /* a cluster's size, a fragment's header */
      back = g_rand_int_range (m->rand, 1, 5 * UNIT);
      model_rewrite (m, m->model->len - MIN (m->model->len, back));
      break;
    case 2: /* header */
      model_rewrite (
          m, g_rand_int_range (m->rand, 0, MIN (8, m->model->len + 1)));
      break;
    case 3: /* forward */
      if (g_rand_int_range (m->rand, 0, 8) == 0 && m->mode != FROM_SOURCE)
        m->position = m->model->len + g_rand_int_range (m->rand, 1, 3 * UNIT);
      model_push (m);
      break;
    case 4:
    case 5:
    case 6:
      model_take (m);
      break;
    case 7:
    case 8:
      if (m->flights->len > 0)
        model_done_any (m);
      break;
    default:
      model_push (m);
  }
}

static void
model_drain (Model *m)
{
  vod_slices_finish (m->slices);
  if (g_rand_int_range (m->rand, 0, 4) == 0)
    model_restart (m);
  while (!vod_slices_complete (m->slices)) {
    model_take (m);
    g_assert_cmpuint (m->flights->len, >, 0);
    model_done_any (m);
  }
  if (g_rand_int_range (m->rand, 0, 4) == 0) {
    guint restarts = m->restarts;

    model_restart (m);
    if (m->restarts > restarts)
      model_drain (m);
  }
}

static void
model_compare (Model *m)
{
  g_autoptr (GByteArray) whole = g_byte_array_new ();

  g_assert_cmpuint (m->flights->len, ==, 0);
  for (guint i = 0; i < vod_slices_count (m->slices); i++) {
    GByteArray *part = g_ptr_array_index (m->service, i);

    g_assert_nonnull (part);
    g_byte_array_append (whole, part->data, part->len);
  }
  g_assert_cmpmem (whole->data, whole->len, m->model->data, m->model->len);
  g_assert_cmpuint (vod_slices_crc64 (m->slices), ==,
      vod_crc64 (0, m->model->data, m->model->len));
}

static void
model_open_file (Model *m, const gchar *dir)
{
  if (m->mode == IN_MEMORY)
    return;
  m->path = g_build_filename (dir, "model.media", NULL);
  if (m->mode == FROM_SOURCE) {
    g_autofree guint8 *bytes = g_malloc (SOURCE_SIZE);

    for (guint64 i = 0; i < SOURCE_SIZE; i++)
      bytes[i] = model_byte (i);
    g_assert_true (
        g_file_set_contents (m->path, (gchar *)bytes, SOURCE_SIZE, NULL));
    m->file = vod_spool_open_source (m->path);
  } else {
    m->file = vod_spool_open (m->path, NULL);
  }
  g_assert_nonnull (m->file);
  vod_slices_set_file (m->slices, m->file);
}

static void
model_init (Model *m, guint32 seed, Mode mode, const gchar *dir)
{
  *m = (Model){
      .rand = g_rand_new_with_seed (seed),
      .mode = mode,
      .config = small_config (seed % 4 != 0),
      .model = g_byte_array_new (),
      .service = g_ptr_array_new_with_free_func (byte_array_unref0),
      .flights = g_ptr_array_new_with_free_func (flight_free),
      .preset = g_array_new (FALSE, FALSE, sizeof (guint64)),
      .before = g_ptr_array_new_with_free_func (byte_array_unref0),
  };
  m->config.max_bytes = g_rand_int_range (m->rand, 4, 40) * UNIT +
      g_rand_int_range (m->rand, 0, UNIT);
  m->config.slice_size = mode == IN_SPOOL
      ? g_rand_int_range (m->rand, UNIT, 30 * UNIT)
      : g_rand_int_range (m->rand, UNIT, m->config.max_bytes / 4 + 1);
  m->slices = vod_slices_new (&m->config);
  model_open_file (m, dir);
}

static void
model_clear (Model *m)
{
  vod_slices_free (m->slices);
  g_clear_pointer (&m->file, vod_spool_free);
  if (m->path)
    g_unlink (m->path);
  g_free (m->path);
  g_ptr_array_unref (m->flights);
  g_ptr_array_unref (m->service);
  g_ptr_array_unref (m->before);
  g_array_unref (m->preset);
  g_byte_array_unref (m->model);
  g_rand_free (m->rand);
}

/* The walls that a run has hit are added to @sum. */
static void
model_run (
    guint32 seed, Mode mode, gboolean resuming, const gchar *dir, Model *sum)
{
  Model m;
  guint steps;

  model_init (&m, seed, mode, dir);
  steps = g_rand_int_range (m.rand, 1, 400);
  if (resuming)
    model_resume (&m);
  model_push (&m);
  for (guint i = 0; i < steps; i++) {
    model_step (&m);
    model_check (&m);
  }
  model_drain (&m);
  model_check (&m);
  model_compare (&m);
  sum->out_of_reach += m.out_of_reach;
  sum->full += m.full;
  sum->lost += m.lost;
  sum->torn += m.torn;
  sum->skipped += m.skipped;
  sum->restarts += m.restarts;
  sum->refused += m.refused;
  sum->given_up += m.given_up;
  model_clear (&m);
}

static Model
model_runs (guint n, Mode mode, gboolean resuming)
{
  g_autofree gchar *dir = g_dir_make_tmp ("vodslices-XXXXXX", NULL);
  Model sum = {0};

  g_assert_nonnull (dir);
  if (g_test_slow ())
    n *= 50;
  for (guint32 seed = 1; seed <= n; seed++) {
    g_test_message ("seed %u", seed);
    model_run (seed, mode, resuming, dir, &sum);
  }
  g_assert_cmpint (g_rmdir (dir), ==, 0);
  g_test_message ("out of reach %u, full %u, lost %u, torn %u, skipped %u, "
                  "restarts %u, refused %u, given up %u",
      sum.out_of_reach, sum.full, sum.lost, sum.torn, sum.skipped, sum.restarts,
      sum.refused, sum.given_up);
  return sum;
}

/* The tests are worth something only if the walls were hit. */
static void
test_random_pushes_give_the_bytes_of_a_plain_file (void)
{
  Model sum = model_runs (3000, IN_MEMORY, FALSE);

  g_assert_cmpuint (sum.out_of_reach, >, 300);
  g_assert_cmpuint (sum.full, >, 300);
  g_assert_cmpuint (sum.restarts, >, 300);
  g_assert_cmpuint (sum.refused, >, 300);
}

static void
test_random_pushes_with_a_spool (void)
{
  Model sum = model_runs (1500, IN_SPOOL, FALSE);

  g_assert_cmpuint (sum.torn, >, 150);
  g_assert_cmpuint (sum.lost, >, 15);
  g_assert_cmpuint (sum.full, >, 150);
  g_assert_cmpuint (sum.restarts, >, 150);
}

static void
test_random_pushes_of_a_file (void)
{
  Model sum = model_runs (500, FROM_SOURCE, FALSE);

  g_assert_cmpuint (sum.restarts, >, 50);
  g_assert_cmpuint (sum.refused, ==, 0);
  g_assert_cmpuint (sum.out_of_reach, ==, 0);
}

static void
test_random_pushes_of_resumed_uploads (void)
{
  static const Mode modes[] = {IN_MEMORY, IN_SPOOL, FROM_SOURCE};

  for (guint i = 0; i < G_N_ELEMENTS (modes); i++) {
    Model sum = model_runs (700, modes[i], TRUE);

    g_assert_cmpuint (sum.skipped, >, 300);
    g_assert_cmpuint (sum.restarts, >, 50);
  }
}

#define ADD(name) g_test_add_func ("/slices/" #name, test_##name)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD (floor_grows_with_part_number);
  ADD (10000_parts_hold_100_gib_at_defaults);
  ADD (no_part_larger_than_a_quarter_of_memory);
  ADD (first_slice_is_the_smallest_part_exactly);
  ADD (cut_when_a_worker_is_idle_and_floor_reached);
  ADD (full_slice_is_cut_without_idle_worker);
  ADD (part_numbers_run_out_with_a_result);
  ADD (end_of_stream_cuts_what_is_left);
  ADD (crc64_of_the_whole_is_combined);
  ADD (rewrite_of_filling_slice_is_in_place);
  ADD (rewrite_of_ready_slice_is_in_place);
  ADD (rewrite_in_flight_does_not_touch_what_is_read);
  ADD (rewrite_in_flight_counts_against_memory_once);
  ADD (rewrite_in_flight_survives_failure);
  ADD (rewrite_of_sent_head_slice_goes_again_only_at_eos);
  ADD (rewrite_of_kept_slice_goes_again_when_nothing_newer_waits);
  ADD (rewrite_without_keeping_is_out_of_reach_behind_the_head);
  ADD (kept_slices_are_reused_oldest_first_and_never_the_head);
  ADD (held_back_slices_go_when_upstream_would_block);
  ADD (enough_is_not_exceeded_while_there_is_something_to_send);
  ADD (enough_is_of_slices_as_large_as_they_are);
  ADD (enough_does_not_count_if_nothing_would_be_free);
  ADD (enough_does_not_count_if_rewrites_are_expected);
  ADD (gap_reads_as_zeros);
  ADD (skip_before_payload_makes_a_larger_head);
  ADD (skip_after_payload_does_not_grow_the_head);
  ADD (head_larger_than_half_the_memory_is_refused_at_once);
  ADD (robust_mp4_with_4_hours_fits_the_defaults);
  ADD (failed_slice_waits_its_pause);
  ADD (firm_pause_is_kept_when_others_succeed);
  ADD (full_table_cuts_short_what_an_earlier_upload_did_not);
  ADD (seek_beyond_all_parts_is_refused_at_once);
  ADD (held_is_media_in_memory);
  ADD (held_is_not_what_was_given_up);
  ADD (released_table_holds_only_what_is_in_flight);
  ADD (random_pushes_give_the_bytes_of_a_plain_file);
  ADD (random_pushes_with_a_spool);
  ADD (random_pushes_of_a_file);
  ADD (random_pushes_of_resumed_uploads);
  return g_test_run ();
}

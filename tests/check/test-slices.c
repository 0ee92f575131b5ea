/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The slice table: its cutting rules by table, each rewrite in each state, and
 * a random model test against a plain byte array. Small units (a part of 64
 * bytes) make every border case frequent.
 */
#include <string.h>

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
    guint8 data[UNIT];
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

typedef struct {
  GRand *rand;
  VodSlicesConfig config;
  VodSlices *slices;
  GByteArray *model; /* what a plain file would hold */
  guint64 position;
  GPtrArray *service;   /* of GByteArray, by part number - 1 */
  GPtrArray *in_flight; /* of VodSlice … */
  GPtrArray *snapshots; /* … and of what it held when it was taken */
  guint out_of_reach, full;
} Model;

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

static void
model_take (Model *m)
{
  gint64 wake;
  VodSlice *slice = vod_slices_next (m->slices, NOW, &wake);

  if (slice == NULL)
    return;
  g_assert_cmpuint (slice->size, >, 0);
  g_ptr_array_add (m->in_flight, slice);
  g_ptr_array_add (m->snapshots, slice_bytes (slice));
}

static void
model_done (Model *m, guint index)
{
  VodSlice *slice = g_ptr_array_index (m->in_flight, index);
  g_autoptr (GByteArray) now = slice_bytes (slice);
  GByteArray *snapshot = g_ptr_array_index (m->snapshots, index);

  g_assert_cmpmem (now->data, now->len, snapshot->data, snapshot->len);
  if (g_rand_int_range (m->rand, 0, 4) == 0) {
    vod_slices_fail (m->slices, slice, 0, FALSE);
  } else {
    if (m->service->len < slice->number)
      g_ptr_array_set_size (m->service, slice->number);
    if (g_ptr_array_index (m->service, slice->number - 1))
      g_byte_array_unref (g_ptr_array_index (m->service, slice->number - 1));
    g_ptr_array_index (m->service, slice->number - 1) =
        g_byte_array_ref (snapshot);
    vod_slices_confirm (m->slices, slice,
        vod_crc64 (0, snapshot->data, snapshot->len), "\"e\"");
  }
  g_ptr_array_remove_index_fast (m->in_flight, index);
  g_ptr_array_remove_index_fast (m->snapshots, index);
}

static void
model_check (Model *m)
{
  VodSlicesStats stats = stats_of (m->slices);
  guint64 offset = 0, confirmed = 0;

  g_assert_cmpuint (stats.memory, <=, m->config.max_bytes);
  g_assert_cmpuint (stats.size, ==, m->model->len);
  for (guint i = 0; i < vod_slices_count (m->slices); i++) {
    const VodSlice *slice = vod_slices_get (m->slices, i);
    gboolean last = i + 1 == vod_slices_count (m->slices);

    g_assert_cmpuint (slice->number, ==, i + 1);
    g_assert_cmpuint (slice->offset, ==, offset);
    g_assert_true (last || slice->size >= m->config.min_part);
    g_assert_cmpuint (slice->size, <=, m->config.max_bytes / 4);
    g_assert_true (slice->bytes || slice->state == VOD_SLICE_CONFIRMED);
    if (slice->offset < stats.head)
      g_assert_nonnull (slice->bytes);
    if (slice->state == VOD_SLICE_CONFIRMED)
      confirmed += slice->size;
    offset += slice->size;
  }
  g_assert_cmpuint (offset, ==, stats.size);
  g_assert_cmpuint (confirmed, ==, stats.confirmed);
}

/* One push of a muxer, into table and model alike. */
static void
model_push (Model *m)
{
  gsize len = g_rand_int_range (
      m->rand, 1, g_rand_boolean (m->rand) ? UNIT / 2 : 6 * UNIT);
  g_autofree guint8 *data = g_malloc (len);
  gsize done = 0;

  for (gsize i = 0; i < len; i++)
    data[i] = g_rand_int (m->rand);
  vod_slices_seek (m->slices, m->position);
  while (done < len) {
    gsize taken;
    VodWriteResult result =
        write_bytes (m->slices, data + done, len - done, &taken);

    if (taken > 0)
      model_write (m, data + done, taken);
    done += taken;
    if (result == VOD_WRITE_OUT_OF_REACH || result == VOD_WRITE_HEAD_TOO_BIG) {
      m->out_of_reach++;
      /* The gap before a refused write may have been begun. */
      m->position = m->model->len;
      return;
    }
    if (result == VOD_WRITE_FULL) {
      /* Never stuck: something is in flight or can be. */
      m->full++;
      if (m->in_flight->len == 0)
        model_take (m);
      g_assert_cmpuint (m->in_flight->len, >, 0);
      model_done (m, g_rand_int_range (m->rand, 0, m->in_flight->len));
      /* What was zero-filled before the table was full is in the file. */
      if (stats_of (m->slices).size > m->model->len) {
        guint old = m->model->len;

        g_byte_array_set_size (m->model, stats_of (m->slices).size);
        memset (m->model->data + old, 0, m->model->len - old);
      }
    }
  }
  vod_slices_cut (m->slices, g_rand_int_range (m->rand, 0, 3), NOW);
}

static void
model_step (Model *m)
{
  guint back;

  switch (g_rand_int_range (m->rand, 0, 12)) {
    case 0: /* far back */
      m->position = g_rand_int_range (m->rand, 0, m->model->len + 1);
      model_push (m);
      m->position = m->model->len;
      break;
    case 1: /* a cluster's size, a fragment's header */
      back = g_rand_int_range (m->rand, 1, 5 * UNIT);
      m->position = m->model->len - MIN (m->model->len, back);
      model_push (m);
      m->position = m->model->len;
      break;
    case 2: /* header */
      m->position = g_rand_int_range (m->rand, 0, 8);
      model_push (m);
      m->position = m->model->len;
      break;
    case 3: /* forward */
      if (g_rand_int_range (m->rand, 0, 8) == 0)
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
      if (m->in_flight->len > 0)
        model_done (m, g_rand_int_range (m->rand, 0, m->in_flight->len));
      break;
    default:
      model_push (m);
  }
}

static void
model_drain (Model *m)
{
  vod_slices_finish (m->slices);
  while (!vod_slices_complete (m->slices)) {
    model_take (m);
    g_assert_cmpuint (m->in_flight->len, >, 0);
    model_done (m, g_rand_int_range (m->rand, 0, m->in_flight->len));
  }
}

static void
model_compare (Model *m)
{
  g_autoptr (GByteArray) whole = g_byte_array_new ();

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
byte_array_unref0 (gpointer array)
{
  if (array)
    g_byte_array_unref (array);
}

static void
model_run (guint32 seed, guint *out_of_reach, guint *full)
{
  Model m = {
      .rand = g_rand_new_with_seed (seed),
      .config = small_config (seed % 4 != 0),
      .model = g_byte_array_new (),
      .service = g_ptr_array_new_with_free_func (byte_array_unref0),
      .in_flight = g_ptr_array_new (),
      .snapshots = g_ptr_array_new_with_free_func (byte_array_unref0),
  };
  guint steps = g_rand_int_range (m.rand, 1, 400);

  m.config.max_bytes = g_rand_int_range (m.rand, 4, 40) * UNIT +
      g_rand_int_range (m.rand, 0, UNIT);
  m.config.slice_size =
      g_rand_int_range (m.rand, UNIT, m.config.max_bytes / 4 + 1);
  m.slices = vod_slices_new (&m.config);
  model_push (&m);
  for (guint i = 0; i < steps; i++) {
    model_step (&m);
    model_check (&m);
  }
  model_drain (&m);
  model_check (&m);
  model_compare (&m);
  *out_of_reach += m.out_of_reach;
  *full += m.full;

  vod_slices_free (m.slices);
  g_ptr_array_unref (m.snapshots);
  g_ptr_array_unref (m.in_flight);
  g_ptr_array_unref (m.service);
  g_byte_array_unref (m.model);
  g_rand_free (m.rand);
}

static void
test_random_pushes_give_the_bytes_of_a_plain_file (void)
{
  guint n = g_test_slow () ? 200000 : 4000;
  guint out_of_reach = 0, full = 0;

  for (guint32 seed = 1; seed <= n; seed++) {
    g_test_message ("seed %u", seed);
    model_run (seed, &out_of_reach, &full);
  }
  /* The test is worth something only if the walls were hit. */
  g_assert_cmpuint (out_of_reach, >, n / 10);
  g_assert_cmpuint (full, >, n / 10);
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
  ADD (gap_reads_as_zeros);
  ADD (skip_before_payload_makes_a_larger_head);
  ADD (skip_after_payload_does_not_grow_the_head);
  ADD (head_larger_than_half_the_memory_is_refused_at_once);
  ADD (robust_mp4_with_4_hours_fits_the_defaults);
  ADD (failed_slice_waits_its_pause);
  ADD (firm_pause_is_kept_when_others_succeed);
  ADD (seek_beyond_all_parts_is_refused_at_once);
  ADD (released_table_holds_only_what_is_in_flight);
  ADD (random_pushes_give_the_bytes_of_a_plain_file);
  return g_test_run ();
}

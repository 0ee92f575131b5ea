/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "vodslices-private.h"

/* --- room -----------------------------------------------------------------*/

static VodSlice *
new_slice (VodSlices *self)
{
  VodSlice *slice = g_new0 (VodSlice, 1);

  slice->number = self->all->len + 1;
  slice->offset = self->size;
  slice->state = VOD_SLICE_FILLING;
  slice->file = self->file;
  if (slice->file == NULL)
    slice->bytes = vod_extent_new (self->store);
  g_ptr_array_add (self->all, slice);
  return slice;
}

/* The slice that holds the byte at @position, which is below the size. */
static VodSlice *
slice_at (const VodSlices *self, guint64 position)
{
  guint low = 0, high = self->all->len;

  while (high - low > 1) {
    guint middle = low + (high - low) / 2;

    if (slice_at_index (self, middle)->offset <= position)
      low = middle;
    else
      high = middle;
  }
  return slice_at_index (self, low);
}

/* Gives up the oldest slice that was kept. */
static gboolean
drop_oldest (VodSlices *self)
{
  for (guint i = vod_slices_next_open (self, 0); i < self->all->len;
       i = vod_slices_next_open (self, i + 1)) {
    VodSlice *slice = slice_at_index (self, i);

    if (is_droppable (self, slice)) {
      g_clear_pointer (&slice->bytes, vod_extent_free);
      return TRUE;
    }
  }
  return FALSE;
}

/* FALSE: everything that is held is needed. */
static gboolean
grow (VodSlices *self, VodExtent *bytes)
{
  while (!vod_extent_grow (bytes)) {
    if (!drop_oldest (self))
      return FALSE;
  }
  return TRUE;
}

/* Will there be memory when others have been sent? */
static gboolean
may_become_free (VodSlices *self)
{
  for (guint i = vod_slices_next_open (self, 0); i < self->all->len;
       i = vod_slices_next_open (self, i + 1)) {
    const VodSlice *slice = slice_at_index (self, i);

    if (slice->bytes && !is_head (self, slice) &&
        (slice->state == VOD_SLICE_READY ||
            slice->state == VOD_SLICE_IN_FLIGHT))
      return TRUE;
  }
  return FALSE;
}

/* Is what is held all that the workers can use, while @slice is filled? */
static gboolean
has_enough (VodSlices *self, const VodSlice *slice)
{
  guint64 size = MAX (vod_slices_limit (self, slice),
      vod_slices_full (&self->config, slice->number));

  return self->enough > 0 && !self->config.keep &&
      vod_store_used (self->store) / self->enough >= size &&
      may_become_free (self);
}

/* Reads the bytes of @slice from its file. *@full: there is no memory for
 * them; else, if FALSE, they cannot be read. */
static gboolean
load_slice (VodSlices *self, VodSlice *slice, gboolean *full)
{
  VodExtent *bytes = vod_extent_new (self->store);
  gsize run, n;

  *full = FALSE;
  for (guint64 done = 0; done < slice->size; done += n) {
    guint8 *dest;

    *full = done == vod_extent_capacity (bytes) && !grow (self, bytes);
    if (*full)
      break;
    dest = vod_extent_at (bytes, done, &run);
    n = vod_spool_read (
        slice->file, slice->offset + done, dest, MIN (run, slice->size - done));
    if (n == 0)
      break;
    if (done + n == slice->size) {
      slice->bytes = bytes;
      slice->file = NULL;
      return TRUE;
    }
  }
  vod_extent_free (bytes);
  return FALSE;
}

/* What is still to be cut may be too large for memory. */
static void
forget_presets (VodSlices *self)
{
  const VodSlice *slice = last_slice (self);
  guint cut = self->all->len;

  if (slice && slice->state == VOD_SLICE_FILLING)
    cut--;
  if (cut < self->preset->len)
    g_array_set_size (self->preset, cut);
}

gboolean
vod_slices_trusts_file (const VodSlices *self, guint64 synced)
{
  for (guint i = 0; i < self->all->len; i++) {
    const VodSlice *slice = slice_at_index (self, i);

    if (slice->file && slice->state != VOD_SLICE_CONFIRMED &&
        (slice->sent || slice_end (slice) > synced))
      return FALSE;
  }
  return TRUE;
}

gboolean
vod_slices_leave_file (VodSlices *self)
{
  VodSlice *slice = last_slice (self);
  gboolean full;

  self->file = NULL;
  self->config.file = NULL;
  forget_presets (self);
  if (slice == NULL || slice->state != VOD_SLICE_FILLING)
    return TRUE;
  if (slice->size >= self->config.min_part) {
    slice->state = VOD_SLICE_READY;
    return TRUE;
  }
  if (slice->size > 0)
    return load_slice (self, slice, &full);
  slice->file = NULL;
  slice->bytes = vod_extent_new (self->store);
  return TRUE;
}

/* --- the head and the distance of rewrites --------------------------------*/

/* A region that ends at @end was rewritten or skipped before enough payload
 * was seen: it is part of the head. FALSE if the head gets too big. */
static gboolean
extend_head (VodSlices *self, guint64 end)
{
  guint64 block = block_size (&self->config);
  guint64 cut;

  if (self->head_known || end <= self->head)
    return TRUE;

  /* Robust mp4 rewrites the mdat header too, which is the first thing behind
   * the space that it skips: a little more belongs to the head. */
  cut = (end / block + 1) * block;
  if (cut - end < block / 4)
    cut += block;
  if (end > G_MAXUINT64 / 2 ||
      (self->file == NULL && cut > self->config.max_bytes / 2))
    return FALSE;
  self->head = end;
  self->head_cut = cut;
  return TRUE;
}

static void
note_rewrite (VodSlices *self, const VodSlice *slice, guint64 position)
{
  if (!is_head (self, slice))
    self->distance = MAX (self->distance, self->size - position);
}

static void
note_appended (VodSlices *self, gsize len, gboolean zero)
{
  if (zero) {
    self->run = 0;
    return;
  }
  self->run += len;
  if (self->run >= self->config.min_part)
    self->head_known = TRUE;
}

/* --- writing --------------------------------------------------------------*/

/* Will a worker's being done make a difference? */
static gboolean
is_any_under_way (VodSlices *self)
{
  for (guint i = vod_slices_next_open (self, 0); i < self->all->len;
       i = vod_slices_next_open (self, i + 1)) {
    if (slice_at_index (self, i)->state == VOD_SLICE_IN_FLIGHT)
      return TRUE;
  }
  return may_become_free (self);
}

/* There is no memory for more of @slice, the last one. Where an earlier upload
 * has cut, the head may need more than it would by itself: if there is nothing
 * to wait for, what is here has to go. */
static VodWriteResult
no_memory_for (VodSlices *self, VodSlice *slice)
{
  if (is_any_under_way (self))
    return VOD_WRITE_FULL;
  if (slice->size < self->config.min_part)
    return VOD_WRITE_HEAD_TOO_BIG;
  forget_presets (self);
  slice->state = VOD_SLICE_READY;
  return VOD_WRITE_FULL;
}

/* Room at the end of the stream. */
static VodWriteResult
plan_append (VodSlices *self, guint64 len, VodWritePlan *plan)
{
  VodSlice *slice = last_slice (self);
  gsize run;

  if (slice == NULL || slice->state != VOD_SLICE_FILLING) {
    if (self->all->len >= self->config.max_parts)
      return VOD_WRITE_NO_PART;
    slice = new_slice (self);
  }
  if (slice->bytes && slice->size == vod_extent_capacity (slice->bytes) &&
      (has_enough (self, slice) || !grow (self, slice->bytes)))
    return no_memory_for (self, slice);

  plan->slice = slice;
  plan->len = MIN (len, vod_slices_limit (self, slice) - slice->size);
  if (slice->bytes) {
    plan->dest = vod_extent_at (slice->bytes, slice->size, &run);
    plan->len = MIN (plan->len, run);
  }
  plan->file = slice->file;
  plan->position = self->size;
  return VOD_WRITE_OK;
}

/* Where a rewrite at @offset of @slice, which is in memory, goes. */
static VodWriteResult
plan_in_memory (VodSlices *self, VodSlice *slice, guint64 offset,
    VodWritePlan *plan, gsize *run)
{
  if (slice->state != VOD_SLICE_IN_FLIGHT) {
    plan->dest = vod_extent_at (slice->bytes, offset, run);
  } else {
    plan->dest = vod_extent_shadow_at (slice->bytes, offset, run);
    while (plan->dest == NULL) {
      if (vod_extent_add_shadow (slice->bytes, offset, &plan->original,
              &plan->shadow, &plan->shadow_size))
        plan->dest = vod_extent_shadow_at (slice->bytes, offset, run);
      else if (!drop_oldest (self))
        return VOD_WRITE_FULL;
    }
  }
  return VOD_WRITE_OK;
}

/* Bytes of the head that are in memory, where they stay. */
static guint64
head_in_memory (const VodSlices *self)
{
  guint64 bytes = 0;

  for (guint i = 0; i < self->all->len; i++) {
    const VodSlice *slice = slice_at_index (self, i);

    if (!is_head (self, slice))
      break;
    if (slice->bytes)
      bytes += vod_extent_capacity (slice->bytes);
  }
  return bytes;
}

/* The spool takes no more, but this slice is to be rewritten: then it has to be
 * in memory. The head must leave room for the rest, as it would have had to
 * without a spool. */
static VodWriteResult
bring_to_memory (VodSlices *self, VodSlice *slice)
{
  gboolean full;

  if (vod_spool_is_source (slice->file))
    return VOD_WRITE_OUT_OF_REACH;
  if (slice->state == VOD_SLICE_IN_FLIGHT)
    return VOD_WRITE_FULL;
  if (is_head (self, slice) &&
      head_in_memory (self) + slice->size > self->config.max_bytes / 2)
    return VOD_WRITE_LOST;
  if (load_slice (self, slice, &full))
    return VOD_WRITE_OK;
  return full && may_become_free (self) ? VOD_WRITE_FULL : VOD_WRITE_LOST;
}

/* Room over bytes that were written before. */
static VodWriteResult
plan_rewrite (VodSlices *self, guint64 len, VodWritePlan *plan)
{
  VodSlice *slice = slice_at (self, self->position);
  guint64 offset = self->position - slice->offset;
  VodWriteResult result = VOD_WRITE_OK;
  gsize run = G_MAXSIZE;

  if (slice->file && slice->file != self->file)
    result = bring_to_memory (self, slice);
  else if (slice->file == NULL && slice->bytes == NULL)
    result = VOD_WRITE_OUT_OF_REACH;
  if (result == VOD_WRITE_OK && slice->bytes)
    result = plan_in_memory (self, slice, offset, plan, &run);
  if (result != VOD_WRITE_OK)
    return result;

  plan->slice = slice;
  plan->file = slice->file;
  plan->len = MIN (len, slice->size - offset);
  plan->len = MIN (plan->len, run);
  plan->position = self->position;
  return VOD_WRITE_OK;
}

void
vod_slices_set_enough (VodSlices *self, guint n)
{
  self->enough = n;
}

VodWriteResult
vod_slices_begin_write (VodSlices *self, gsize len, VodWritePlan *plan)
{
  VodWriteResult result;

  memset (plan, 0, sizeof (*plan));

  if (self->position > self->size) {
    if (!extend_head (self, self->position))
      return VOD_WRITE_HEAD_TOO_BIG;
    if (self->position - self->size > vod_slices_room (self))
      return VOD_WRITE_NO_PART;
    plan->zero = TRUE;
    result = plan_append (self, self->position - self->size, plan);
  } else if (self->position == self->size) {
    result = plan_append (self, len, plan);
  } else {
    guint64 end = self->position + MIN (len, self->size - self->position);

    if (!extend_head (self, end))
      return VOD_WRITE_HEAD_TOO_BIG;
    result = plan_rewrite (self, len, plan);
  }

  self->blocked = result == VOD_WRITE_FULL;
  if (result == VOD_WRITE_OK)
    plan->slice->pinned = TRUE;
  return result;
}

VodSpoolResult
vod_slices_copy (const VodWritePlan *plan, const guint8 *data, GError **error)
{
  if (plan->file)
    return vod_spool_write (
        plan->file, plan->position, plan->zero ? NULL : data, plan->len, error);
  if (plan->shadow)
    memcpy (plan->shadow, plan->original, plan->shadow_size);
  if (plan->zero)
    memset (plan->dest, 0, plan->len);
  else
    memcpy (plan->dest, data, plan->len);
  return VOD_SPOOL_OK;
}

void
vod_slices_cancel_write (VodSlices *self, const VodWritePlan *plan)
{
  plan->slice->pinned = FALSE;
  vod_slices_drop_if_released (self, plan->slice);
}

gsize
vod_slices_end_write (VodSlices *self, const VodWritePlan *plan)
{
  VodSlice *slice = plan->slice;

  slice->pinned = FALSE;

  if (plan->position == self->size) {
    slice->size += plan->len;
    self->size += plan->len;
    note_appended (self, plan->len, plan->zero);
    if (slice->size == vod_slices_limit (self, slice))
      slice->state = VOD_SLICE_READY;
  } else {
    note_rewrite (self, slice, plan->position);
    if (slice->state == VOD_SLICE_CONFIRMED)
      vod_slices_make_dirty (self, slice);
    else if (slice->state == VOD_SLICE_IN_FLIGHT && plan->file)
      slice->torn = TRUE;
  }

  vod_slices_drop_if_released (self, slice);

  if (plan->zero)
    return 0;
  self->position += plan->len;
  return plan->len;
}

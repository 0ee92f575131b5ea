/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodslices-private.h"

#include <string.h>

#include "../cloud/vodchecksum.h"

/* --- cutting --------------------------------------------------------------*/

#define LARGEST_IN_FILE (1024 * VOD_MIB)
#define FLOOR_STEPS 10    /* the numbers are divided into tenths … */
#define FLOOR_DOUBLINGS 4 /* … and the floor doubles at the first four */

static guint64
largest_part (const VodSlicesConfig *config)
{
  if (config->file && !vod_spool_is_source (config->file))
    return LARGEST_IN_FILE;
  return config->max_bytes / 4;
}

guint64
vod_slices_floor (const VodSlicesConfig *config, guint number)
{
  guint step = MAX (config->max_parts / FLOOR_STEPS, 1);
  guint doublings = MIN ((number - 1) / step, FLOOR_DOUBLINGS);

  return MIN (config->min_part << doublings, largest_part (config));
}

guint64
vod_slices_full (const VodSlicesConfig *config, guint number)
{
  guint64 full = MIN (config->slice_size, largest_part (config));

  return MAX (full, vod_slices_floor (config, number));
}

guint64
vod_slices_room (const VodSlices *self)
{
  guint step = MAX (self->config.max_parts / FLOOR_STEPS, 1);
  guint number = MAX (self->all->len, 1);
  guint64 room = 0;

  while (number <= self->config.max_parts) {
    guint tenth = (number - 1) / step;
    guint last = tenth < FLOOR_DOUBLINGS
        ? MIN ((tenth + 1) * step, self->config.max_parts)
        : self->config.max_parts;

    room += (last - number + 1) * vod_slices_full (&self->config, number);
    number = last + 1;
  }
  return room;
}

guint64
vod_slices_largest (const VodSlices *self)
{
  return largest_part (&self->config);
}

/* Is it known where @slice ends? The end of the interrupted upload may have
 * been any size, and is none here. */
static gboolean
is_preset (const VodSlices *self, const VodSlice *slice)
{
  guint64 size;

  if (slice->number > self->preset->len)
    return FALSE;
  size = preset_of (self, slice->number)->size;
  /* What a spool had room for, memory may not have. */
  return size >= self->config.min_part && size <= largest_part (&self->config);
}

/* How large @slice may become. The first is the smallest part exactly, and the
 * head's last one ends with the head, so that what is kept and sent twice is
 * small. */
guint64
vod_slices_limit (const VodSlices *self, const VodSlice *slice)
{
  guint64 full = vod_slices_full (&self->config, slice->number);
  guint64 limit = full;

  if (is_preset (self, slice))
    limit = preset_of (self, slice->number)->size;
  else if (slice->number == 1)
    limit = self->config.min_part;
  else if (is_head (self, slice))
    limit = CLAMP (self->head_cut - slice->offset, self->config.min_part, full);
  return MAX (limit, slice->size);
}

/* --- life -----------------------------------------------------------------*/

static void
slice_free (VodSlice *slice)
{
  g_clear_pointer (&slice->bytes, vod_extent_free);
  g_free (slice->etag);
  g_free (slice);
}

static void
receipt_clear (VodSliceReceipt *receipt)
{
  g_free (receipt->etag);
}

VodSlices *
vod_slices_new (const VodSlicesConfig *config)
{
  VodSlices *self;

  g_return_val_if_fail (config->min_part >= 4, NULL);
  g_return_val_if_fail (config->max_bytes >= 4 * config->min_part, NULL);

  self = g_new0 (VodSlices, 1);
  self->config = *config;
  self->store = vod_store_new (block_size (config), config->max_bytes);
  self->all = g_ptr_array_new_with_free_func ((GDestroyNotify)slice_free);
  self->preset = g_array_new (FALSE, FALSE, sizeof (VodSliceReceipt));
  g_array_set_clear_func (self->preset, (GDestroyNotify)receipt_clear);
  vod_slices_set_file (self, config->file);
  self->head = config->min_part;
  self->head_cut = config->min_part;
  return self;
}

void
vod_slices_free (VodSlices *self)
{
  g_ptr_array_unref (self->all);
  g_array_unref (self->preset);
  vod_store_free (self->store);
  g_free (self);
}

void
vod_slices_set_keep (VodSlices *self, gboolean keep)
{
  self->config.keep = keep;
}

void
vod_slices_set_file (VodSlices *self, VodSpool *file)
{
  g_return_if_fail (self->all->len == 0);

  self->config.file = file;
  self->file = file && !vod_spool_is_source (file) ? file : NULL;
}

void
vod_slices_seek (VodSlices *self, guint64 position)
{
  self->position = position;
}

/* --- finding slices -------------------------------------------------------*/

/* Is there nothing to be done about it, unless it is rewritten? */
static gboolean
is_settled (const VodSlices *self, const VodSlice *slice)
{
  return slice->bytes == NULL && slice->state == VOD_SLICE_CONFIRMED &&
      !is_head (self, slice);
}

/* Steps through the slices that are not settled: the head's and, from
 * first_open on, the others. There may be thousands of settled ones. */
guint
vod_slices_next_open (VodSlices *self, guint index)
{
  while (self->first_open < self->all->len) {
    const VodSlice *slice = slice_at_index (self, self->first_open);

    if (!is_settled (self, slice) && !is_head (self, slice))
      break;
    self->first_open++;
  }
  if (index < self->all->len && index < self->first_open &&
      !is_head (self, slice_at_index (self, index)))
    return self->first_open;
  return index;
}

/* After vod_slices_release() nobody needs the bytes but who reads or writes them
 * at the moment. */
void
vod_slices_drop_if_released (VodSlices *self, VodSlice *slice)
{
  if (!self->released || slice->bytes == NULL || slice->pinned ||
      slice->state == VOD_SLICE_IN_FLIGHT)
    return;
  g_clear_pointer (&slice->bytes, vod_extent_free);
  vod_store_trim (self->store);
}

/* A confirmed slice was rewritten: the service no longer has it. */
void
vod_slices_make_dirty (VodSlices *self, VodSlice *slice)
{
  slice->state = VOD_SLICE_READY;
  slice->not_before = 0;
  self->confirmed -= slice->size;
  self->parts_confirmed--;
  self->parts_rewritten++;
  self->first_open = MIN (self->first_open, slice->number - 1);
}

gboolean
vod_slices_worth_cutting (const VodSlices *self)
{
  const VodSlice *slice = last_slice (self);

  return slice && slice->state == VOD_SLICE_FILLING &&
      !is_preset (self, slice) &&
      slice->size >= vod_slices_floor (&self->config, slice->number);
}

gboolean
vod_slices_cut (VodSlices *self, guint idle_workers, gint64 now)
{
  if (!vod_slices_worth_cutting (self) || idle_workers == 0 ||
      idle_workers <= vod_slices_sendable (self, now))
    return FALSE;

  last_slice (self)->state = VOD_SLICE_READY;
  return TRUE;
}

void
vod_slices_finish (VodSlices *self)
{
  VodSlice *slice = last_slice (self);

  self->eos = TRUE;
  if (slice == NULL || slice->state != VOD_SLICE_FILLING)
    return;
  if (slice->size > 0)
    slice->state = VOD_SLICE_READY;
  else
    g_ptr_array_remove_index (self->all, self->all->len - 1);
}

/* --- what there is --------------------------------------------------------*/

gboolean
vod_slices_complete (const VodSlices *self)
{
  return self->eos && self->parts_confirmed == self->all->len;
}

guint64
vod_slices_crc64 (const VodSlices *self)
{
  guint64 crc64 = 0;

  for (guint i = 0; i < self->all->len; i++) {
    const VodSlice *slice = slice_at_index (self, i);

    crc64 = vod_crc64_combine (crc64, slice->crc64, slice->size);
  }
  return crc64;
}

guint
vod_slices_count (const VodSlices *self)
{
  return self->all->len;
}

const VodSlice *
vod_slices_get (const VodSlices *self, guint index)
{
  return slice_at_index (self, index);
}

void
vod_slices_get_stats (const VodSlices *self, VodSlicesStats *stats)
{
  *stats = (VodSlicesStats){
      .position = self->position,
      .size = self->size,
      .confirmed = self->confirmed,
      .left = self->size - self->confirmed,
      .memory = vod_store_used (self->store),
      .parts_confirmed = self->parts_confirmed,
      .parts_rewritten = self->parts_rewritten,
      .head = self->head,
      .distance = self->distance,
  };
}

guint64
vod_slices_held (const VodSlices *self)
{
  guint64 held = 0;

  for (guint i = 0; i < self->all->len; i++) {
    const VodSlice *slice = slice_at_index (self, i);

    if (slice->bytes)
      held += slice->size;
  }
  return held;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodslices.h"

#include <string.h>

#include "../cloud/vodchecksum.h"

struct _VodSlices {
  VodSlicesConfig config;
  VodStore *store;
  GPtrArray *all; /* of VodSlice, by number */

  guint64 position;
  guint64 size;
  gboolean eos;
  gboolean released; /* the upload has ended */
  gboolean blocked;  /* the writer waits for memory */

  guint64 head;     /* end of the region that is known to be rewritten */
  guint64 head_cut; /* where the last head slice is cut */
  gboolean head_known;
  guint64 run; /* payload appended since the last gap */
  guint64 distance;

  guint64 confirmed;
  guint parts_confirmed;
  guint parts_rewritten;
  guint first_open; /* index: what is before is head or dropped */
};

/* --- cutting --------------------------------------------------------------*/

#define FLOOR_STEPS 10    /* the numbers are divided into tenths … */
#define FLOOR_DOUBLINGS 4 /* … and the floor doubles at the first four */

static guint64
largest_part (const VodSlicesConfig *config)
{
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

static gsize
block_size (const VodSlicesConfig *config)
{
  return config->min_part / 4;
}

static gboolean
is_head (const VodSlices *self, const VodSlice *slice)
{
  return slice->offset < self->head;
}

static guint64
slice_end (const VodSlice *slice)
{
  return slice->offset + slice->size;
}

/* How large @slice may become. The first is the smallest part exactly, and the
 * head's last one ends with the head, so that what is kept and sent twice is
 * small. */
static guint64
slice_limit (const VodSlices *self, const VodSlice *slice)
{
  guint64 full = vod_slices_full (&self->config, slice->number);
  guint64 limit = full;

  if (slice->number == 1)
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
  self->head = config->min_part;
  self->head_cut = config->min_part;
  return self;
}

void
vod_slices_free (VodSlices *self)
{
  g_ptr_array_unref (self->all);
  vod_store_free (self->store);
  g_free (self);
}

void
vod_slices_set_keep (VodSlices *self, gboolean keep)
{
  self->config.keep = keep;
}

void
vod_slices_seek (VodSlices *self, guint64 position)
{
  self->position = position;
}

/* --- finding slices -------------------------------------------------------*/

static VodSlice *
slice_at_index (const VodSlices *self, guint index)
{
  return g_ptr_array_index (self->all, index);
}

static VodSlice *
last_slice (const VodSlices *self)
{
  return self->all->len ? slice_at_index (self, self->all->len - 1) : NULL;
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

/* Steps through the slices that still have bytes: the head's and, from
 * first_open on, the others. Dropped slices stay dropped, and there may be
 * thousands. */
static guint
next_open (VodSlices *self, guint index)
{
  while (self->first_open < self->all->len) {
    const VodSlice *slice = slice_at_index (self, self->first_open);

    if (slice->bytes != NULL && !is_head (self, slice))
      break;
    self->first_open++;
  }
  if (index < self->all->len && index < self->first_open &&
      !is_head (self, slice_at_index (self, index)))
    return self->first_open;
  return index;
}

static VodSlice *
new_slice (VodSlices *self)
{
  VodSlice *slice = g_new0 (VodSlice, 1);

  slice->number = self->all->len + 1;
  slice->offset = self->size;
  slice->state = VOD_SLICE_FILLING;
  slice->bytes = vod_extent_new (self->store);
  g_ptr_array_add (self->all, slice);
  return slice;
}

/* --- memory ---------------------------------------------------------------*/

/* May the bytes of @slice be given up? */
static gboolean
is_droppable (const VodSlices *self, const VodSlice *slice)
{
  return slice->state == VOD_SLICE_CONFIRMED && slice->bytes != NULL &&
      !slice->pinned && !is_head (self, slice);
}

/* Gives up the oldest slice that was kept. */
static gboolean
drop_oldest (VodSlices *self)
{
  for (guint i = next_open (self, 0); i < self->all->len;
       i = next_open (self, i + 1)) {
    VodSlice *slice = slice_at_index (self, i);

    if (is_droppable (self, slice)) {
      g_clear_pointer (&slice->bytes, vod_extent_free);
      return TRUE;
    }
  }
  return FALSE;
}

/* After vod_slices_release() nobody needs the bytes but who reads or writes them
 * at the moment. */
static void
drop_if_released (VodSlices *self, VodSlice *slice)
{
  if (!self->released || slice->bytes == NULL || slice->pinned ||
      slice->state == VOD_SLICE_IN_FLIGHT)
    return;
  g_clear_pointer (&slice->bytes, vod_extent_free);
  vod_store_trim (self->store);
}

static gboolean
grow_slice (VodSlices *self, VodSlice *slice)
{
  while (!vod_extent_grow (slice->bytes)) {
    if (!drop_oldest (self))
      return FALSE;
  }
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
  if (end > G_MAXUINT64 / 2 || cut > self->config.max_bytes / 2)
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
  if (slice->size == vod_extent_capacity (slice->bytes) &&
      !grow_slice (self, slice))
    return VOD_WRITE_FULL;

  plan->slice = slice;
  plan->dest = vod_extent_at (slice->bytes, slice->size, &run);
  plan->len = MIN (len, slice_limit (self, slice) - slice->size);
  plan->len = MIN (plan->len, run);
  plan->position = self->size;
  return VOD_WRITE_OK;
}

/* Room over bytes that were written before. */
static VodWriteResult
plan_rewrite (VodSlices *self, guint64 len, VodWritePlan *plan)
{
  VodSlice *slice = slice_at (self, self->position);
  guint64 offset = self->position - slice->offset;
  gsize run;

  if (slice->bytes == NULL)
    return VOD_WRITE_OUT_OF_REACH;

  if (slice->state != VOD_SLICE_IN_FLIGHT) {
    plan->dest = vod_extent_at (slice->bytes, offset, &run);
  } else {
    plan->dest = vod_extent_shadow_at (slice->bytes, offset, &run);
    while (plan->dest == NULL) {
      if (vod_extent_add_shadow (slice->bytes, offset, &plan->original,
              &plan->shadow, &plan->shadow_size))
        plan->dest = vod_extent_shadow_at (slice->bytes, offset, &run);
      else if (!drop_oldest (self))
        return VOD_WRITE_FULL;
    }
  }
  plan->slice = slice;
  plan->len = MIN (len, slice->size - offset);
  plan->len = MIN (plan->len, run);
  plan->position = self->position;
  return VOD_WRITE_OK;
}

/* The most that can still follow, in the parts that are left. */
static guint64
room_in_parts (const VodSlices *self)
{
  guint64 room = 0;

  for (guint number = self->all->len; number <= self->config.max_parts;
       number++)
    room += vod_slices_full (&self->config, MAX (number, 1));
  return room;
}

VodWriteResult
vod_slices_begin_write (VodSlices *self, gsize len, VodWritePlan *plan)
{
  VodWriteResult result;

  memset (plan, 0, sizeof (*plan));

  if (self->position > self->size) {
    if (!extend_head (self, self->position))
      return VOD_WRITE_HEAD_TOO_BIG;
    if (self->position - self->size > room_in_parts (self))
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

void
vod_slices_copy (const VodWritePlan *plan, const guint8 *data)
{
  if (plan->shadow)
    memcpy (plan->shadow, plan->original, plan->shadow_size);
  if (plan->zero)
    memset (plan->dest, 0, plan->len);
  else
    memcpy (plan->dest, data, plan->len);
}

/* A confirmed slice was rewritten: the service no longer has it. */
static void
make_dirty (VodSlices *self, VodSlice *slice)
{
  slice->state = VOD_SLICE_READY;
  slice->not_before = 0;
  self->confirmed -= slice->size;
  self->parts_confirmed--;
  self->parts_rewritten++;
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
    if (slice->size == slice_limit (self, slice))
      slice->state = VOD_SLICE_READY;
  } else {
    note_rewrite (self, slice, plan->position);
    if (slice->state == VOD_SLICE_CONFIRMED)
      make_dirty (self, slice);
  }

  drop_if_released (self, slice);

  if (plan->zero)
    return 0;
  self->position += plan->len;
  return plan->len;
}

gboolean
vod_slices_worth_cutting (const VodSlices *self)
{
  const VodSlice *slice = last_slice (self);

  return slice && slice->state == VOD_SLICE_FILLING &&
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

/* --- sending --------------------------------------------------------------*/

/* May @slice be sent now? If only its pause forbids it, *@wake is set. */
static gboolean
may_go (const VodSlices *self, const VodSlice *slice, gint64 now, gint64 *wake)
{
  if (slice->state != VOD_SLICE_READY || slice->pinned)
    return FALSE;

  if (!self->eos) {
    if (slice->sent && is_head (self, slice))
      return FALSE;
    if (!self->blocked && self->distance > 0 && !is_head (self, slice) &&
        slice_end (slice) + self->distance > self->size)
      return FALSE;
  }

  if (slice->not_before > now) {
    *wake = MIN (*wake, slice->not_before);
    return FALSE;
  }
  return TRUE;
}

VodSlice *
vod_slices_next (VodSlices *self, gint64 now, gint64 *wake)
{
  VodSlice *dirty = NULL;

  *wake = G_MAXINT64;
  for (guint i = next_open (self, 0); i < self->all->len;
       i = next_open (self, i + 1)) {
    VodSlice *slice = slice_at_index (self, i);

    if (!may_go (self, slice, now, wake))
      continue;
    if (!slice->sent) {
      slice->state = VOD_SLICE_IN_FLIGHT;
      return slice;
    }
    if (dirty == NULL)
      dirty = slice;
  }

  /* Only when nothing newer waits. */
  if (dirty)
    dirty->state = VOD_SLICE_IN_FLIGHT;
  return dirty;
}

guint
vod_slices_sendable (VodSlices *self, gint64 now)
{
  gint64 wake = G_MAXINT64;
  guint n = 0;

  for (guint i = next_open (self, 0); i < self->all->len;
       i = next_open (self, i + 1)) {
    if (may_go (self, slice_at_index (self, i), now, &wake))
      n++;
  }
  return n;
}

void
vod_slices_confirm (
    VodSlices *self, VodSlice *slice, guint64 crc64, const gchar *etag)
{
  g_return_if_fail (slice->state == VOD_SLICE_IN_FLIGHT && !slice->pinned);

  slice->crc64 = crc64;
  g_free (slice->etag);
  slice->etag = g_strdup (etag);
  slice->sent = TRUE;
  slice->attempts = 0;
  slice->state = VOD_SLICE_CONFIRMED;
  self->confirmed += slice->size;
  self->parts_confirmed++;

  if (vod_extent_adopt_shadows (slice->bytes))
    make_dirty (self, slice);
  else if (!self->config.keep && is_droppable (self, slice))
    g_clear_pointer (&slice->bytes, vod_extent_free);
  drop_if_released (self, slice);
}

void
vod_slices_fail (
    VodSlices *self, VodSlice *slice, gint64 not_before, gboolean firm)
{
  g_return_if_fail (slice->state == VOD_SLICE_IN_FLIGHT && !slice->pinned);

  vod_extent_adopt_shadows (slice->bytes);
  slice->state = VOD_SLICE_READY;
  slice->not_before = not_before;
  slice->firm = firm;
  slice->attempts++;
  drop_if_released (self, slice);
}

void
vod_slices_retry_now (VodSlices *self)
{
  for (guint i = next_open (self, 0); i < self->all->len;
       i = next_open (self, i + 1)) {
    VodSlice *slice = slice_at_index (self, i);

    if (!slice->firm)
      slice->not_before = 0;
  }
}

gboolean
vod_slices_holds_back (const VodSlices *self)
{
  return self->distance > 0 && !self->eos;
}

const guint8 *
vod_slice_peek (VodSlice *slice, guint64 offset, gsize *len)
{
  const guint8 *bytes = vod_extent_at (slice->bytes, offset, len);

  *len = MIN (*len, slice->size - offset);
  return bytes;
}

void
vod_slices_release (VodSlices *self)
{
  self->released = TRUE;
  for (guint i = 0; i < self->all->len; i++)
    drop_if_released (self, slice_at_index (self, i));
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
      .memory = vod_store_used (self->store),
      .buffered = self->size - self->confirmed,
      .parts_confirmed = self->parts_confirmed,
      .parts_rewritten = self->parts_rewritten,
      .head = self->head,
      .distance = self->distance,
  };
}

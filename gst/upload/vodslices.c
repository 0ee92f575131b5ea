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

  VodSpool *file; /* where bytes go; NULL: to memory */
  GArray *preset; /* of VodSliceReceipt, by number */

  guint64 confirmed;
  guint parts_confirmed;
  guint parts_rewritten;
  guint first_open; /* index: what is before is head or dropped */
};

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

static VodSliceReceipt *
preset_of (const VodSlices *self, guint number)
{
  return &g_array_index (self->preset, VodSliceReceipt, number - 1);
}

/* Is it known where @slice ends? The end of the interrupted upload may have
 * been any size, and is none here. */
static gboolean
is_preset (const VodSlices *self, const VodSlice *slice)
{
  return slice->number <= self->preset->len &&
      preset_of (self, slice->number)->size >= self->config.min_part;
}

/* How large @slice may become. The first is the smallest part exactly, and the
 * head's last one ends with the head, so that what is kept and sent twice is
 * small. */
static guint64
slice_limit (const VodSlices *self, const VodSlice *slice)
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

/* Is there nothing to be done about it, unless it is rewritten? */
static gboolean
is_settled (const VodSlices *self, const VodSlice *slice)
{
  return slice->bytes == NULL && slice->state == VOD_SLICE_CONFIRMED &&
      !is_head (self, slice);
}

/* Steps through the slices that are not settled: the head's and, from
 * first_open on, the others. There may be thousands of settled ones. */
static guint
next_open (VodSlices *self, guint index)
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

/* Reads the bytes of @slice from its file. FALSE: they cannot be read, or there
 * is no memory for them. */
static gboolean
load_slice (VodSlices *self, VodSlice *slice)
{
  VodExtent *bytes = vod_extent_new (self->store);
  gsize run, n;

  for (guint64 done = 0; done < slice->size; done += n) {
    if (done == vod_extent_capacity (bytes) && !vod_extent_grow (bytes))
      break;
    n = vod_spool_read (slice->file, slice->offset + done,
        vod_extent_at (bytes, done, &run), MIN (run, slice->size - done));
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

gboolean
vod_slices_leave_file (VodSlices *self)
{
  VodSlice *slice = last_slice (self);

  self->file = NULL;
  self->config.file = NULL;
  if (slice == NULL || slice->state != VOD_SLICE_FILLING)
    return TRUE;
  if (slice->size >= self->config.min_part) {
    slice->state = VOD_SLICE_READY;
    return TRUE;
  }
  if (slice->size > 0)
    return load_slice (self, slice);
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
      !grow_slice (self, slice))
    return VOD_WRITE_FULL;

  plan->slice = slice;
  plan->len = MIN (len, slice_limit (self, slice) - slice->size);
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

/* The spool takes no more, but this slice is to be rewritten: then it has to be
 * in memory. */
static VodWriteResult
bring_to_memory (VodSlices *self, VodSlice *slice)
{
  if (vod_spool_is_source (slice->file))
    return VOD_WRITE_OUT_OF_REACH;
  if (slice->state == VOD_SLICE_IN_FLIGHT)
    return VOD_WRITE_FULL;
  return load_slice (self, slice) ? VOD_WRITE_OK : VOD_WRITE_LOST;
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

/* The most that can still follow, in the parts that are left: within a tenth of
 * the numbers all are full with the same. */
static guint64
room_in_parts (const VodSlices *self)
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

/* A confirmed slice was rewritten: the service no longer has it. */
static void
make_dirty (VodSlices *self, VodSlice *slice)
{
  slice->state = VOD_SLICE_READY;
  slice->not_before = 0;
  self->confirmed -= slice->size;
  self->parts_confirmed--;
  self->parts_rewritten++;
  self->first_open = MIN (self->first_open, slice->number - 1);
}

void
vod_slices_cancel_write (VodSlices *self, const VodWritePlan *plan)
{
  plan->slice->pinned = FALSE;
  drop_if_released (self, plan->slice);
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
    else if (slice->state == VOD_SLICE_IN_FLIGHT && plan->file)
      slice->torn = TRUE;
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

/* The worker lets go of it: was it rewritten in flight? */
static gboolean
was_rewritten (VodSlice *slice)
{
  gboolean torn = slice->torn;

  slice->torn = FALSE;
  return slice->bytes ? vod_extent_adopt_shadows (slice->bytes) : torn;
}

static void
drop_confirmed (VodSlices *self, VodSlice *slice)
{
  if (!self->config.keep && is_droppable (self, slice))
    g_clear_pointer (&slice->bytes, vod_extent_free);
  if (slice->file && vod_spool_is_source (slice->file))
    slice->file = NULL;
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
  slice->proven = FALSE;
  slice->attempts = 0;
  slice->state = VOD_SLICE_CONFIRMED;
  self->confirmed += slice->size;
  self->parts_confirmed++;

  if (was_rewritten (slice))
    make_dirty (self, slice);
  else
    drop_confirmed (self, slice);
  drop_if_released (self, slice);
}

void
vod_slices_fail (
    VodSlices *self, VodSlice *slice, gint64 not_before, gboolean firm)
{
  g_return_if_fail (slice->state == VOD_SLICE_IN_FLIGHT && !slice->pinned);

  was_rewritten (slice);
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
vod_slice_peek (const VodSlice *slice, guint64 offset, gsize *len)
{
  const guint8 *bytes;

  if (slice->bytes == NULL)
    return NULL;
  bytes = vod_extent_at (slice->bytes, offset, len);
  *len = MIN (*len, slice->size - offset);
  return bytes;
}

gsize
vod_slice_read (
    const VodSlice *slice, guint64 offset, gpointer buffer, gsize len)
{
  const guint8 *bytes;
  gsize run;

  len = MIN (len, slice->size - offset);
  bytes = vod_slice_peek (slice, offset, &run);
  if (bytes == NULL)
    return vod_spool_read (slice->file, slice->offset + offset, buffer, len);
  len = MIN (len, run);
  memcpy (buffer, bytes, len);
  return len;
}

void
vod_slices_release (VodSlices *self)
{
  self->released = TRUE;
  for (guint i = 0; i < self->all->len; i++)
    drop_if_released (self, slice_at_index (self, i));
}

/* --- resuming -------------------------------------------------------------*/

guint64
vod_slices_largest (const VodSlices *self)
{
  return largest_part (&self->config);
}

void
vod_slices_preset (VodSlices *self, const VodSliceReceipt *receipts, guint n)
{
  guint64 offset = 0;

  g_return_if_fail (self->all->len == 0);

  for (guint i = 0; i < n && i < self->config.max_parts; i++) {
    VodSliceReceipt receipt = receipts[i];

    if (receipt.offset != offset || receipt.size > vod_slices_largest (self))
      break;
    receipt.etag = g_strdup (receipt.etag);
    g_array_append_val (self->preset, receipt);
    if (receipt.size < self->config.min_part)
      break;
    offset += receipt.size;
  }
}

/* Lists may have it without its quotes. */
static gboolean
same_etag (const gchar *one, const gchar *other)
{
  g_autofree gchar *a = g_strdup (one ? one : "");
  g_autofree gchar *b = g_strdup (other ? other : "");

  g_strstrip (g_strdelimit (a, "\"", ' '));
  g_strstrip (g_strdelimit (b, "\"", ' '));
  return strcmp (a, b) == 0;
}

void
vod_slices_agree (
    VodSlices *self, guint number, guint64 size, const gchar *etag)
{
  VodSliceReceipt *receipt;

  if (number < 1 || number > self->preset->len)
    return;
  receipt = preset_of (self, number);
  if (size != receipt->size)
    etag = NULL;
  if (same_etag (etag, receipt->etag))
    return;
  g_free (receipt->etag);
  receipt->etag = g_strdup (etag);
  receipt->has_crc64 = FALSE;
}

void
vod_slices_forget_receipts (VodSlices *self)
{
  for (guint number = 1; number <= self->preset->len; number++)
    vod_slices_agree (self, number, 0, NULL);
}

const VodSliceReceipt *
vod_slices_receipt (const VodSlices *self, const VodSlice *slice)
{
  const VodSliceReceipt *receipt;

  if (slice->sent || slice->number > self->preset->len)
    return NULL;
  receipt = preset_of (self, slice->number);
  return receipt->etag && receipt->offset == slice->offset &&
          receipt->size == slice->size
      ? receipt
      : NULL;
}

/* Where the bytes of @slice, which are not in memory, can be read. */
static VodSpool *
file_of (const VodSlices *self, const VodSlice *slice)
{
  return slice->file ? slice->file : self->config.file;
}

gboolean
vod_slices_restart (VodSlices *self)
{
  for (guint i = 0; i < self->all->len; i++) {
    const VodSlice *slice = slice_at_index (self, i);

    if (slice->bytes == NULL && file_of (self, slice) == NULL)
      return FALSE;
  }
  for (guint i = 0; i < self->all->len; i++) {
    VodSlice *slice = slice_at_index (self, i);

    if (slice->bytes == NULL && slice->file == NULL) {
      slice->file = self->config.file;
      slice->proven = TRUE;
    }
    if (slice->state == VOD_SLICE_CONFIRMED)
      slice->state = VOD_SLICE_READY;
    slice->sent = FALSE;
    slice->attempts = 0;
    slice->not_before = 0;
    g_clear_pointer (&slice->etag, g_free);
  }
  vod_slices_forget_receipts (self);
  self->confirmed = 0;
  self->parts_confirmed = 0;
  self->first_open = 0;
  return TRUE;
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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What vodslices.c (the table, and where it is cut), vodslicewrite.c (writing
 * and rewriting), vodslicesend.c (sending) and vodsliceresume.c (going on with
 * an earlier upload, or beginning anew) share.
 */
#pragma once

#include "vodslices.h"

G_BEGIN_DECLS

struct _VodSlices {
  VodSlicesConfig config;
  VodStore *store;
  GPtrArray *all; /* of VodSlice, by number */

  guint64 position;
  guint64 size;
  gboolean eos;
  gboolean released; /* the upload has ended */
  gboolean blocked;  /* the writer waits for memory */
  guint enough;      /* vod_slices_set_enough() */

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

static inline VodSlice *
slice_at_index (const VodSlices *self, guint index)
{
  return g_ptr_array_index (self->all, index);
}

static inline VodSlice *
last_slice (const VodSlices *self)
{
  return self->all->len ? slice_at_index (self, self->all->len - 1) : NULL;
}

static inline gboolean
is_head (const VodSlices *self, const VodSlice *slice)
{
  return slice->offset < self->head;
}

static inline guint64
slice_end (const VodSlice *slice)
{
  return slice->offset + slice->size;
}

static inline VodSliceReceipt *
preset_of (const VodSlices *self, guint number)
{
  return &g_array_index (self->preset, VodSliceReceipt, number - 1);
}

/* May the bytes of @slice be given up? */
static inline gboolean
is_droppable (const VodSlices *self, const VodSlice *slice)
{
  return slice->state == VOD_SLICE_CONFIRMED && slice->bytes != NULL &&
      !slice->pinned && !is_head (self, slice);
}

/* The most that can still follow, in the parts that are left. */
guint64 vod_slices_room (const VodSlices *self);

/* How large @slice may become. */
guint64 vod_slices_limit (const VodSlices *self, const VodSlice *slice);

/* Steps through the slices that are not settled: the head's and, from
 * first_open on, the others. There may be thousands of settled ones. */
guint vod_slices_next_open (VodSlices *self, guint index);

/* After vod_slices_release() nobody needs the bytes but who reads or writes them
 * at the moment. */
void vod_slices_drop_if_released (VodSlices *self, VodSlice *slice);

/* A confirmed slice was rewritten: the service no longer has it. */
void vod_slices_make_dirty (VodSlices *self, VodSlice *slice);

static inline gsize
block_size (const VodSlicesConfig *config)
{
  return config->min_part / 4;
}

G_END_DECLS

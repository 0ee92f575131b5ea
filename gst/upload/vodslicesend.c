/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "vodslices-private.h"

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
  for (guint i = vod_slices_next_open (self, 0); i < self->all->len;
       i = vod_slices_next_open (self, i + 1)) {
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

  for (guint i = vod_slices_next_open (self, 0); i < self->all->len;
       i = vod_slices_next_open (self, i + 1)) {
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
    vod_slices_make_dirty (self, slice);
  else
    drop_confirmed (self, slice);
  vod_slices_drop_if_released (self, slice);
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
  vod_slices_drop_if_released (self, slice);
}

void
vod_slices_retry_now (VodSlices *self)
{
  for (guint i = vod_slices_next_open (self, 0); i < self->all->len;
       i = vod_slices_next_open (self, i + 1)) {
    VodSlice *slice = slice_at_index (self, i);

    if (!slice->firm)
      slice->not_before = 0;
  }
}

void
vod_slices_excuse (VodSlices *self)
{
  for (guint i = vod_slices_next_open (self, 0); i < self->all->len;
       i = vod_slices_next_open (self, i + 1))
    slice_at_index (self, i)->firm = FALSE;
  vod_slices_retry_now (self);
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
    vod_slices_drop_if_released (self, slice_at_index (self, i));
}

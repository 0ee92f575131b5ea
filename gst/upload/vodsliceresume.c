/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "vodslices-private.h"

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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodstore: the bytes of slices, in memory.
 *
 * A store is a pool of equal blocks that never holds more than its budget. A
 * slice's bytes are an extent: blocks in order, added as the slice grows, so
 * that a slice of any size costs what it holds, rounded up to one block. Blocks
 * given back are reused and returned to the system only with the store: the
 * pages a live stream touches are few, and those of a fast one are needed again
 * at once.
 *
 * While somebody reads an extent that must not change, writes go to shadows:
 * copies of the blocks they touch, which take the place of the originals when
 * the reader is done. Shadows count like any block.
 *
 * No locking here: the caller's lock guards every call but vod_extent_at(),
 * which touches only an extent that the caller has made its own (pinned or in
 * flight, see vodslices.h).
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _VodStore VodStore;
typedef struct _VodExtent VodExtent;

/* @budget: bytes; what is below a whole block of it is not used. */
VodStore *vod_store_new (gsize block_size, guint64 budget);

/* Every extent must have been freed. */
void vod_store_free (VodStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VodStore, vod_store_free)

/* Bytes in extents and their shadows. Never more than the budget. */
guint64 vod_store_used (const VodStore *store);

/* Returns spare blocks to the system. */
void vod_store_trim (VodStore *store);

VodExtent *vod_extent_new (VodStore *store);
void vod_extent_free (VodExtent *extent);

/* Bytes there is room for so far. */
guint64 vod_extent_capacity (const VodExtent *extent);

/* Adds a block; FALSE if the budget has none left. Its content is undefined. */
gboolean vod_extent_grow (VodExtent *extent);

/* The address of the byte at @offset (below the capacity); *@run is how many
 * follow it contiguously. */
guint8 *vod_extent_at (VodExtent *extent, guint64 offset, gsize *run);

/* Likewise in the shadow of that block; NULL if there is none. */
guint8 *vod_extent_shadow_at (VodExtent *extent, guint64 offset, gsize *run);

/* Adds a shadow for the block at @offset; FALSE if the budget has none left.
 * The caller copies the block (@original to @shadow, *@size bytes), so that it
 * can do so without its lock. */
gboolean vod_extent_add_shadow (VodExtent *extent, guint64 offset,
    const guint8 **original, guint8 **shadow, gsize *size);

/* The reader is done: shadows become the blocks. TRUE if there were any. */
gboolean vod_extent_adopt_shadows (VodExtent *extent);

G_END_DECLS

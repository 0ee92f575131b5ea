/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodstore.h"

struct _VodStore {
  gsize block_size;
  guint64 budget;
  guint64 used;
  GPtrArray *spare; /* blocks given back */
};

struct _VodExtent {
  VodStore *store;
  GPtrArray *blocks;
  GPtrArray *shadows; /* by index of the block, NULL where there is none; NULL
                       * as a whole: none at all */
};

static gpointer
take_block (VodStore *store)
{
  guint n_spare = store->spare->len;

  if (store->block_size > store->budget - store->used)
    return NULL;

  store->used += store->block_size;
  if (n_spare > 0)
    return g_ptr_array_steal_index_fast (store->spare, n_spare - 1);
  return g_malloc (store->block_size);
}

static void
give_block (VodStore *store, gpointer block)
{
  store->used -= store->block_size;
  g_ptr_array_add (store->spare, block);
}

VodStore *
vod_store_new (gsize block_size, guint64 budget)
{
  VodStore *store = g_new0 (VodStore, 1);

  store->block_size = block_size;
  store->budget = budget;
  store->spare = g_ptr_array_new_with_free_func (g_free);
  return store;
}

void
vod_store_free (VodStore *store)
{
  g_return_if_fail (store->used == 0);

  g_ptr_array_unref (store->spare);
  g_free (store);
}

guint64
vod_store_used (const VodStore *store)
{
  return store->used;
}

void
vod_store_trim (VodStore *store)
{
  g_ptr_array_set_size (store->spare, 0);
}

VodExtent *
vod_extent_new (VodStore *store)
{
  VodExtent *extent = g_new0 (VodExtent, 1);

  extent->store = store;
  extent->blocks = g_ptr_array_new ();
  return extent;
}

void
vod_extent_free (VodExtent *extent)
{
  vod_extent_adopt_shadows (extent);
  for (guint i = 0; i < extent->blocks->len; i++)
    give_block (extent->store, g_ptr_array_index (extent->blocks, i));
  g_ptr_array_unref (extent->blocks);
  g_free (extent);
}

guint64
vod_extent_capacity (const VodExtent *extent)
{
  return (guint64)extent->blocks->len * extent->store->block_size;
}

gboolean
vod_extent_grow (VodExtent *extent)
{
  gpointer block = take_block (extent->store);

  if (block == NULL)
    return FALSE;
  g_ptr_array_add (extent->blocks, block);
  return TRUE;
}

static guint8 *
within_block (VodExtent *extent, GPtrArray *blocks, guint64 offset, gsize *run)
{
  gsize block_size = extent->store->block_size;
  guint8 *block = g_ptr_array_index (blocks, offset / block_size);

  *run = block_size - offset % block_size;
  return block ? block + offset % block_size : NULL;
}

guint8 *
vod_extent_at (VodExtent *extent, guint64 offset, gsize *run)
{
  g_return_val_if_fail (offset < vod_extent_capacity (extent), NULL);

  return within_block (extent, extent->blocks, offset, run);
}

guint8 *
vod_extent_shadow_at (VodExtent *extent, guint64 offset, gsize *run)
{
  g_return_val_if_fail (offset < vod_extent_capacity (extent), NULL);

  if (extent->shadows == NULL)
    return NULL;
  return within_block (extent, extent->shadows, offset, run);
}

gboolean
vod_extent_add_shadow (VodExtent *extent, guint64 offset,
    const guint8 **original, guint8 **shadow, gsize *size)
{
  guint index = offset / extent->store->block_size;
  gpointer block = take_block (extent->store);

  if (block == NULL)
    return FALSE;

  if (extent->shadows == NULL) {
    extent->shadows = g_ptr_array_new ();
    g_ptr_array_set_size (extent->shadows, extent->blocks->len);
  }
  g_ptr_array_index (extent->shadows, index) = block;
  *original = g_ptr_array_index (extent->blocks, index);
  *shadow = block;
  *size = extent->store->block_size;
  return TRUE;
}

gboolean
vod_extent_adopt_shadows (VodExtent *extent)
{
  g_autoptr (GPtrArray) shadows = g_steal_pointer (&extent->shadows);

  for (guint i = 0; shadows && i < shadows->len; i++) {
    gpointer shadow = g_ptr_array_index (shadows, i);

    if (shadow) {
      give_block (extent->store, g_ptr_array_index (extent->blocks, i));
      g_ptr_array_index (extent->blocks, i) = shadow;
    }
  }
  return shadows != NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "known-file.h"

#include "cloud/vodchecksum.h"

#define STEP (64 * 1024)

struct _KnownFile {
  const guint8 *bytes;
  gsize size;
  guint64 *before;     /* CRC64 of what is before each border */
  GHashTable *borders; /* first bytes (GBytes) -> number of the border */
};

KnownFile *
known_file_new (const gchar *path)
{
  GMappedFile *mapped = g_mapped_file_new (path, FALSE, NULL);
  KnownFile *file;
  guint n;

  if (mapped == NULL)
    return NULL;
  file = g_new0 (KnownFile, 1);
  file->bytes = (const guint8 *)g_mapped_file_get_contents (mapped);
  file->size = g_mapped_file_get_length (mapped);
  file->borders =
      g_hash_table_new_full (g_bytes_hash, g_bytes_equal, NULL, NULL);
  n = file->size / STEP + 1;
  file->before = g_new0 (guint64, n);
  for (guint i = 0; i < n; i++) {
    const guint8 *at = file->bytes + (gsize)i * STEP;

    if (i > 0)
      file->before[i] = vod_crc64 (file->before[i - 1], at - STEP, STEP);
    if (file->size - (gsize)i * STEP >= KNOWN_FIRST)
      g_hash_table_insert (file->borders, g_bytes_new_static (at, KNOWN_FIRST),
          GUINT_TO_POINTER (i));
  }
  return file;
}

/* Of the first @size bytes. */
static guint64
crc64_up_to (const KnownFile *file, guint64 size)
{
  guint64 border = size / STEP;

  return vod_crc64 (
      file->before[border], file->bytes + border * STEP, size % STEP);
}

gboolean
known_file_crc64 (
    const KnownFile *file, const guint8 *first, guint64 size, guint64 *crc64)
{
  g_autoptr (GBytes) key = g_bytes_new_static (first, KNOWN_FIRST);
  guint64 begin;
  gpointer found;

  if (!g_hash_table_lookup_extended (file->borders, key, NULL, &found))
    return FALSE;
  begin = (guint64)GPOINTER_TO_UINT (found) * STEP;
  if (size > file->size - begin)
    return FALSE;
  /* A CRC is linear: what was before, moved on by @size, is taken out again. */
  *crc64 = crc64_up_to (file, begin + size) ^
      vod_crc64_combine (file->before[GPOINTER_TO_UINT (found)], 0, size);
  return TRUE;
}

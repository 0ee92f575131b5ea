/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodimage.h"

#include <string.h>

/* Shorter ones hold no picture. */
#define LEAST 16

static const struct {
  const gchar *type;
  const gchar *content_type;
  const gchar *magic;
  gsize len;
} images[] = {
    {"jpg", "image/jpeg", "\xff\xd8\xff", 3},
    {"png", "image/png", "\x89PNG\r\n\x1a\n", 8},
    {"gif", "image/gif", "GIF87a", 6},
    {"gif", "image/gif", "GIF89a", 6},
    {"bmp", "image/bmp", "BM", 2},
    {"tiff", "image/tiff", "II*\0", 4},
    {"tiff", "image/tiff", "MM\0*", 4},
};

const gchar *
vod_image_type (gconstpointer data, gsize len)
{
  const gchar *bytes = data;

  if (len < LEAST)
    return NULL;
  for (guint i = 0; i < G_N_ELEMENTS (images); i++)
    if (memcmp (bytes, images[i].magic, images[i].len) == 0)
      return images[i].type;
  if (memcmp (bytes, "RIFF", 4) == 0 && memcmp (bytes + 8, "WEBP", 4) == 0)
    return "webp";
  return NULL;
}

const gchar *
vod_image_content_type (const gchar *type)
{
  for (guint i = 0; i < G_N_ELEMENTS (images); i++)
    if (strcmp (type, images[i].type) == 0)
      return images[i].content_type;
  return "image/webp";
}

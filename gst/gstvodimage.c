/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstvodimage.h"

#include "cloud/vodimage.h"

/* GstTagImageType's, of a library that is not needed for anything else. */
#define FRONT_COVER 1

GBytes *
gst_vod_image_from_sample (GstSample *sample)
{
  GstBuffer *buffer = sample ? gst_sample_get_buffer (sample) : NULL;
  gpointer copy = NULL;
  gsize size = 0;

  if (sample == NULL)
    return NULL;
  if (buffer)
    gst_buffer_extract_dup (buffer, 0, VOD_IMAGE_MAX + 1, &copy, &size);
  return g_bytes_new_take (copy, size);
}

static gboolean
is_cover (GBytes *image)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (image, &size);

  return size <= VOD_IMAGE_MAX && vod_image_type (data, size) != NULL;
}

static gboolean
is_front_cover (GstSample *sample)
{
  const GstStructure *info = gst_sample_get_info (sample);
  const GValue *type =
      info ? gst_structure_get_value (info, "image-type") : NULL;

  return type && G_VALUE_HOLDS_ENUM (type) &&
      g_value_get_enum (type) == FRONT_COVER;
}

/* The first picture of @tag, or the front cover if one is marked so. */
static GBytes *
take (const GstTagList *tags, const gchar *tag)
{
  GBytes *found = NULL;

  for (guint i = 0; i < gst_tag_list_get_tag_size (tags, tag); i++) {
    GstSample *sample = NULL;
    GBytes *image;
    gboolean front;

    if (!gst_tag_list_get_sample_index (tags, tag, i, &sample))
      continue;
    front = is_front_cover (sample);
    image = found && !front ? NULL : gst_vod_image_from_sample (sample);
    gst_sample_unref (sample);
    if (image && is_cover (image)) {
      g_clear_pointer (&found, g_bytes_unref);
      found = g_steal_pointer (&image);
    }
    g_clear_pointer (&image, g_bytes_unref);
    if (found && front)
      break;
  }
  return found;
}

GBytes *
gst_vod_image_from_tags (const GstTagList *tags)
{
  GBytes *image = take (tags, GST_TAG_IMAGE);

  return image ? image : take (tags, GST_TAG_PREVIEW_IMAGE);
}

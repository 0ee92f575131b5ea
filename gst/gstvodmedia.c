/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstvodmedia.h"

#include <string.h>

#include "cloud/vodapi.h"

/* --- from caps ------------------------------------------------------------*/

static const struct {
  const gchar *name;
  const gchar *type;
} caps_types[] = {
    /* clang-format off */
  {"application/mxf", "mxf"},
  {"application/ogg", "ogg"},
  {"application/x-3gp", "3gp"},
  {"audio/AMR", "amr"},
  {"audio/ogg", "ogg"},
  {"audio/webm", "webm"},
  {"audio/x-flac", "flac"},
  {"audio/x-m4a", "m4a"},
  {"audio/x-matroska", "mka"},
  {"audio/x-rf64", "wav"},
  {"audio/x-wav", "wav"},
  {"video/mpegts", "ts"},
  {"video/ogg", "ogg"},
  {"video/webm", "webm"},
  {"video/x-flv", "flv"},
  {"video/x-matroska", "mkv"},
  {"video/x-matroska-3d", "mkv"},
  {"video/x-ms-asf", "asf"},
  {"video/x-msvideo", "avi"},
    /* clang-format on */
};

/* One name, several files: the variant tells. */
static const gchar *
quicktime_type (const GstStructure *structure)
{
  const gchar *variant = gst_structure_get_string (structure, "variant");

  if (g_strcmp0 (variant, "iso") == 0 ||
      g_strcmp0 (variant, "iso-fragmented") == 0)
    return "mp4";
  if (g_strcmp0 (variant, "3gpp") == 0 || g_strcmp0 (variant, "3g2") == 0)
    return "3gp";
  return "mov";
}

/* MPEG audio is a file only with its frame headers. */
static const gchar *
mpeg_audio_type (const GstStructure *structure)
{
  const gchar *format = gst_structure_get_string (structure, "stream-format");
  gint version = 1, layer = 3;

  gst_structure_get_int (structure, "mpegversion", &version);
  gst_structure_get_int (structure, "layer", &layer);
  if (version == 1)
    return layer == 3 ? "mp3" : NULL;
  return g_strcmp0 (format, "adts") == 0 ? "aac" : NULL;
}

const gchar *
gst_vod_media_type_from_caps (const GstCaps *caps)
{
  const GstStructure *structure;
  const gchar *name;

  if (caps == NULL || gst_caps_is_empty (caps) || gst_caps_is_any (caps))
    return NULL;

  structure = gst_caps_get_structure (caps, 0);
  name = gst_structure_get_name (structure);
  if (strcmp (name, "video/quicktime") == 0)
    return quicktime_type (structure);
  if (strcmp (name, "audio/mpeg") == 0)
    return mpeg_audio_type (structure);
  if (strcmp (name, "video/mpeg") == 0) {
    gboolean system = FALSE;

    gst_structure_get_boolean (structure, "systemstream", &system);
    return system ? "mpg" : NULL;
  }
  for (guint i = 0; i < G_N_ELEMENTS (caps_types); i++) {
    if (strcmp (name, caps_types[i].name) == 0)
      return caps_types[i].type;
  }
  return NULL;
}

/* --- from a file name -----------------------------------------------------*/

/* Splits the base name of @location at its last dot, if that is not its first
 * character and a type may follow: a dot may end a sentence too. */
static void
split_location (const gchar *location, gchar **stem, gchar **extension)
{
  g_autofree gchar *base = g_path_get_basename (location);
  gchar *dot = strrchr (base, '.');

  if (dot && dot != base && vod_api_check_type (dot + 1)) {
    *extension = g_ascii_strdown (dot + 1, -1);
    *dot = '\0';
  } else {
    *extension = NULL;
  }
  *stem = g_steal_pointer (&base);
}

gchar *
gst_vod_media_type_from_location (const gchar *location)
{
  g_autofree gchar *stem = NULL;
  g_autofree gchar *extension = NULL;

  if (location == NULL)
    return NULL;
  split_location (location, &stem, &extension);
  return g_steal_pointer (&extension);
}

gchar *
gst_vod_media_name_from_location (const gchar *location)
{
  g_autofree gchar *stem = NULL;
  g_autofree gchar *extension = NULL;

  if (location == NULL || *location == '\0' ||
      g_str_has_suffix (location, G_DIR_SEPARATOR_S))
    return NULL;
  split_location (location, &stem, &extension);
  return vod_api_derive_name (stem);
}

/* --- from upstream --------------------------------------------------------*/

/* Elements that change neither bytes nor caps. */
static const gchar *const transparent[] = {
    "queue", "queue2", "identity", "capsfilter", "typefind", "valve", NULL};

static gboolean
is_transparent (GstElement *element)
{
  GstElementFactory *factory = gst_element_get_factory (element);

  return factory != NULL &&
      g_strv_contains (transparent, gst_plugin_feature_get_name (factory));
}

/* The real pad behind ghost pads. Takes @pad. */
static GstPad *
resolve_ghosts (GstPad *pad)
{
  while (pad && GST_IS_GHOST_PAD (pad)) {
    GstPad *target = gst_ghost_pad_get_target (GST_GHOST_PAD (pad));

    gst_object_unref (pad);
    pad = target;
  }
  return pad;
}

static gchar *
file_of_element (GstElement *element)
{
  g_autofree gchar *uri = NULL;

  if (!GST_IS_URI_HANDLER (element))
    return NULL;
  uri = gst_uri_handler_get_uri (GST_URI_HANDLER (element));
  return uri ? g_filename_from_uri (uri, NULL, NULL) : NULL;
}

/* The pad upstream of @pad, through ghost pads both ways. */
static GstPad *
upstream_pad (GstPad *pad)
{
  GstPad *peer = gst_pad_get_peer (pad);

  /* Out of a bin: the peer is the inner side of its ghost sink pad. */
  while (peer && GST_IS_PROXY_PAD (peer) && !GST_IS_GHOST_PAD (peer)) {
    GstProxyPad *outer = gst_proxy_pad_get_internal (GST_PROXY_PAD (peer));

    gst_object_unref (peer);
    peer = outer ? gst_pad_get_peer (GST_PAD (outer)) : NULL;
    g_clear_object (&outer);
  }
  return resolve_ghosts (peer);
}

static guint64
byte_size (GstPad *sinkpad)
{
  gint64 size = 0;

  if (!gst_pad_peer_query_duration (sinkpad, GST_FORMAT_BYTES, &size))
    return 0;
  return MAX (size, 0);
}

gchar *
gst_vod_media_upstream_file (GstPad *sinkpad, guint64 *size)
{
  GstPad *pad = upstream_pad (sinkpad);
  gchar *path = NULL;

  *size = 0;
  while (pad && path == NULL) {
    GstElement *element = gst_pad_get_parent_element (pad);
    GstPad *sink = NULL;

    g_clear_object (&pad);
    if (element == NULL)
      break;
    path = file_of_element (element);
    if (path == NULL && is_transparent (element))
      sink = gst_element_get_static_pad (element, "sink");
    if (sink)
      pad = upstream_pad (sink);
    g_clear_object (&sink);
    gst_object_unref (element);
  }
  g_clear_object (&pad);
  if (path)
    *size = byte_size (sinkpad);
  return path;
}

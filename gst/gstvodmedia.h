/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gstvodmedia: what the media is called and of which type it is, from what
 * GStreamer knows about it (interface.md, "media-name" and "media-type").
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* The file extension for @caps, or NULL if they are not those of a file.
 * Static. Pure. */
const gchar *gst_vod_media_type_from_caps (const GstCaps *caps);

/* The extension of @location in lower case if it may be a media type, else
 * NULL. Pure. */
gchar *gst_vod_media_type_from_location (const gchar *location);

/* The name that @location stands for: base name without extension, made
 * acceptable to the service; NULL if nothing is left. Pure. */
gchar *gst_vod_media_name_from_location (const gchar *location);

/* The file whose bytes arrive at @sinkpad unchanged: upstream's URI is file:,
 * and only elements that change neither bytes nor caps lie between. Returns its
 * path, and its size in *@size (0: not known); else NULL. Not from a
 * constructor; asks upstream pads. */
gchar *gst_vod_media_upstream_file (GstPad *sinkpad, guint64 *size);

G_END_DECLS

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gstvodimage: pictures as GStreamer hands them over, as plain bytes.
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* A copy of what @sample holds, up to one byte more than a cover may have;
 * empty if it holds nothing. NULL only for NULL. Not looked at: what is no
 * picture is found out by the upload. */
GBytes *gst_vod_image_from_sample (GstSample *sample);

/* The picture in @tags that is most like a cover: a front cover, another image,
 * a preview. NULL: there is none that can be one. */
GBytes *gst_vod_image_from_tags (const GstTagList *tags);

G_END_DECLS

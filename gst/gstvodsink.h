/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

#define GST_TYPE_VOD_SINK (gst_vod_sink_get_type ())
G_DECLARE_FINAL_TYPE (GstVodSink, gst_vod_sink, GST, VOD_SINK, GstBaseSink)

GST_ELEMENT_REGISTER_DECLARE (vodsink);

G_END_DECLS

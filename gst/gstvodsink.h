/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/base/gstbasesink.h>

#include "upload/vodupload.h"

G_BEGIN_DECLS

#define GST_TYPE_VOD_SINK (gst_vod_sink_get_type ())
G_DECLARE_FINAL_TYPE (GstVodSink, gst_vod_sink, GST, VOD_SINK, GstBaseSink)

GST_ELEMENT_REGISTER_DECLARE (vodsink);

/* --- for vod-resume, which has the element linked in ----------------------*/

/* The next upload goes on with the session and the spool of @key (see
 * vodsession.h) in state-dir, whatever the identity of its media would be. NULL:
 * as usual. */
void gst_vod_sink_recover (GstVodSink *self, const gchar *key);

/* What an upload of a media of type @type would take that starts now; @type
 * counts if media-type is not set. See gst_vod_settings_latch(). */
gboolean gst_vod_sink_latch (GstVodSink *self, const gchar *type,
    VodUploadSettings *upload, GError **error);

G_END_DECLS

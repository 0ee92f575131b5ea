/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gstvodstream: what the stream says of itself before and between its bytes
 * (segments, caps, tags), what upstream is answered, and what both mean for the
 * upload.
 *
 * A GstVodStream is embedded in its element, as the GstVodUploads are, and used
 * by nobody else. The element's lock guards it; the functions take that lock
 * themselves.
 */
#pragma once

#include "gstvoduploads.h"

G_BEGIN_DECLS

/* Private to gstvodstream.c. */
typedef struct {
  GstBaseSink *sink; /* the element; not a reference */
  GMutex *lock;      /* the element's */
  GstVodUploads *uploads;

  /* `lock` guards what follows. */
  gboolean seek_pending;
  guint64 seek_to; /* where the next byte goes, if pending */
  const gchar *caps_type;
  gchar *title;  /* tag */
  GBytes *image; /* tag */
} GstVodStream;

/* @stream is zero-initialised memory. */
void gst_vod_stream_init (GstVodStream *stream, GstBaseSink *sink, GMutex *lock,
    GstVodUploads *uploads);
/* When the element goes. */
void gst_vod_stream_clear (GstVodStream *stream);

/* --- what it says ---------------------------------------------------------*/

/* Events SEGMENT and TAG; others mean nothing here. */
void gst_vod_stream_note_event (GstVodStream *stream, GstEvent *event);
void gst_vod_stream_note_caps (GstVodStream *stream, const GstCaps *caps);

/* Answers SEEKING, FORMATS, POSITION in bytes, and once the media is committed
 * URI, by video-url. FALSE: it is another query. */
gboolean gst_vod_stream_answer (GstVodStream *stream, GstQuery *query);

/* --- what is forgotten ----------------------------------------------------*/

/* The next byte is the first of an upload. */
void gst_vod_stream_forget_seek (GstVodStream *stream);
/* The stream is another one. */
void gst_vod_stream_forget_tags (GstVodStream *stream);
/* So is what comes from upstream altogether. */
void gst_vod_stream_forget (GstVodStream *stream);

/* --- what it means for the upload -----------------------------------------*/

/* The upload that the next byte belongs to, begun with what the stream has said
 * if there is none; a reference. NULL if that failed, which has been said. */
VodUpload *gst_vod_stream_begin_upload (GstVodStream *stream);

/* The next byte of @upload goes where the last segment says. */
void gst_vod_stream_apply_seek (GstVodStream *stream, VodUpload *upload);

G_END_DECLS

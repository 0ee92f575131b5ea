/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recorder: a sink that keeps everything a muxer pushes, in order, and answers
 * the SEEKING query as filesink or a socket would. What it kept can be pushed
 * into other sinks, which so get exactly the same.
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef enum {
  RECORD_BUFFER,
  RECORD_LIST,
  RECORD_EVENT,
  RECORD_QUERY, /* the SEEKING query in BYTES */
} RecordKind;

typedef struct {
  RecordKind kind;
  GstMiniObject *object; /* NULL for a query */
} Record;

#define TYPE_RECORDER (recorder_get_type ())
GType recorder_get_type (void);

/* Makes the element "recorder" known to gst_parse_launch(). Its property
 * "seekable" (default TRUE) is the answer to the query. */
gboolean recorder_register (void);

/* What was recorded, of Record. To be used once the pipeline has stopped. */
GPtrArray *recorder_take (GstElement *recorder);

G_END_DECLS

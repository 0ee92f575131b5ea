/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder.h"

#include <gst/base/gstbasesink.h>

typedef struct {
  GstBaseSink parent;

  gboolean seekable;
  GMutex lock;
  GPtrArray *records; /* guarded by lock */
} Recorder;

typedef GstBaseSinkClass RecorderClass;

#define RECORDER(object) ((Recorder *)(object))

G_DEFINE_TYPE (Recorder, recorder, GST_TYPE_BASE_SINK)

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static void
record_free (gpointer data)
{
  Record *record = data;

  if (record->object)
    gst_mini_object_unref (record->object);
  g_free (record);
}

static void
note (Recorder *self, RecordKind kind, gpointer object)
{
  Record *record = g_new0 (Record, 1);

  record->kind = kind;
  if (object)
    record->object = gst_mini_object_ref (object);
  g_mutex_lock (&self->lock);
  g_ptr_array_add (self->records, record);
  g_mutex_unlock (&self->lock);
}

static GstFlowReturn
recorder_render (GstBaseSink *sink, GstBuffer *buffer)
{
  note (RECORDER (sink), RECORD_BUFFER, buffer);
  return GST_FLOW_OK;
}

static GstFlowReturn
recorder_render_list (GstBaseSink *sink, GstBufferList *list)
{
  note (RECORDER (sink), RECORD_LIST, list);
  return GST_FLOW_OK;
}

static gboolean
recorder_event (GstBaseSink *sink, GstEvent *event)
{
  if (GST_EVENT_IS_SERIALIZED (event))
    note (RECORDER (sink), RECORD_EVENT, event);
  return GST_BASE_SINK_CLASS (recorder_parent_class)->event (sink, event);
}

static gboolean
recorder_query (GstBaseSink *sink, GstQuery *query)
{
  Recorder *self = RECORDER (sink);
  GstFormat format;

  if (GST_QUERY_TYPE (query) != GST_QUERY_SEEKING)
    return GST_BASE_SINK_CLASS (recorder_parent_class)->query (sink, query);

  gst_query_parse_seeking (query, &format, NULL, NULL, NULL);
  if (format == GST_FORMAT_BYTES || format == GST_FORMAT_DEFAULT) {
    note (self, RECORD_QUERY, NULL);
    gst_query_set_seeking (query, GST_FORMAT_BYTES, self->seekable, 0, -1);
  } else {
    gst_query_set_seeking (query, format, FALSE, 0, -1);
  }
  return TRUE;
}

static void
recorder_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  RECORDER (object)->seekable = g_value_get_boolean (value);
}

static void
recorder_finalize (GObject *object)
{
  Recorder *self = RECORDER (object);

  g_ptr_array_unref (self->records);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (recorder_parent_class)->finalize (object);
}

static void
recorder_init (Recorder *self)
{
  g_mutex_init (&self->lock);
  self->seekable = TRUE;
  self->records = g_ptr_array_new_with_free_func (record_free);
  gst_base_sink_set_sync (GST_BASE_SINK (self), FALSE);
  gst_base_sink_set_last_sample_enabled (GST_BASE_SINK (self), FALSE);
  gst_base_sink_set_drop_out_of_segment (GST_BASE_SINK (self), FALSE);
}

static void
recorder_class_init (RecorderClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->set_property = recorder_set_property;
  object_class->finalize = recorder_finalize;
  g_object_class_install_property (object_class, 1,
      g_param_spec_boolean ("seekable", "Seekable", "The answer to SEEKING",
          TRUE, G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS));
  gst_element_class_add_static_pad_template (
      GST_ELEMENT_CLASS (klass), &sink_template);
  gst_element_class_set_static_metadata (GST_ELEMENT_CLASS (klass), "Recorder",
      "Sink", "Keeps what is pushed", "The vodsink developers");
  klass->render = recorder_render;
  klass->render_list = recorder_render_list;
  klass->event = recorder_event;
  klass->query = recorder_query;
}

gboolean
recorder_register (void)
{
  return gst_element_register (NULL, "recorder", GST_RANK_NONE, TYPE_RECORDER);
}

GPtrArray *
recorder_take (GstElement *element)
{
  Recorder *self = RECORDER (element);
  GPtrArray *records;

  g_mutex_lock (&self->lock);
  records = self->records;
  self->records = g_ptr_array_new_with_free_func (record_free);
  g_mutex_unlock (&self->lock);
  return records;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-vodsink
 * @title: vodsink
 *
 * Makes one media file in Tencent Cloud VOD of the bytes that arrive, while
 * they arrive. Takes the output of any muxer, encoder or filesrc; EOS is posted
 * only when the service has committed the media.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 -e v4l2src ! videoconvert ! video/x-raw,format=I420 ! x264enc ! h264parse ! mp4mux ! vodsink signature-url=https://sign.example.com/vod media-name="Lecture 12"
 * ]| Records a camera straight into a video on demand.
 */
/*
 * Threads and locks. The streaming thread renders, drains and handles
 * serialized events; the application's threads set properties and states; an
 * upload's workers report to gstvodreport. `lock` guards everything in GstVodSink
 * below it. Order: GstBaseSink's PREROLL_LOCK, then `lock`, then the upload's, the
 * report's or the object lock. No message is posted, no signal emitted
 * and no upload waited for with `lock` held.
 *
 * An upload (gstvoduploads) is begun at the first buffer that has bytes and is
 * retired at PAUSED to READY, FLUSH_STOP, or a new STREAM_START after it has
 * ended. stop() waits for what retired ones still have to do.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstvodsink.h"

#include <gio/gio.h>

#include "gstvodimage.h"
#include "gstvodsettings.h"
#include "gstvodstream.h"

GST_DEBUG_CATEGORY (gst_vod_sink_debug);
#define GST_CAT_DEFAULT gst_vod_sink_debug

enum {
  SIGNAL_GET_SIGNATURE,
  SIGNAL_CANCEL,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

struct _GstVodSink {
  GstBaseSink parent;

  GMutex lock;
  GstVodSettings settings;
  GstVodUploads uploads;
  GstVodStream stream;

  gboolean flushing; /* between unlock and unlock_stop */
  gboolean paused;   /* from PLAYING to PAUSED, until it is PLAYING again */
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

#define gst_vod_sink_parent_class parent_class
G_DEFINE_TYPE_WITH_CODE (GstVodSink, gst_vod_sink, GST_TYPE_BASE_SINK,
    GST_DEBUG_CATEGORY_INIT (
        gst_vod_sink_debug, "vodsink", 0, "Tencent Cloud VOD sink"))

/* GIO's types must exist before threads race for them (GNOME bug 674885). */
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE (
    vodsink, "vodsink", GST_RANK_NONE, GST_TYPE_VOD_SINK,
    g_type_ensure (G_TYPE_SOCKET);
    g_type_ensure (G_TYPE_SOCKET_ADDRESS);
    g_type_ensure (G_TYPE_SOCKET_CONNECTION);
    g_type_ensure (G_TYPE_INET_ADDRESS);
    g_type_ensure (G_TYPE_INET_SOCKET_ADDRESS);
    g_type_ensure (G_TYPE_NETWORK_SERVICE); g_type_ensure (G_TYPE_RESOLVER);
    g_type_ensure (G_TYPE_PROXY_ADDRESS_ENUMERATOR);)

/* --- data -----------------------------------------------------------------*/

/* What comes belongs to another upload. */
static void
retire_upload (GstVodSink *self, gboolean discard)
{
  gst_vod_stream_forget_seek (&self->stream);
  gst_vod_uploads_retire (&self->uploads, discard);
}

/* After a failure: what to return for media that comes all the same. */
static GstFlowReturn
flow_after_failure (GstVodSink *self)
{
  return gst_vod_uploads_outcome (&self->uploads) == GST_VOD_DISCARDING
      ? GST_FLOW_OK
      : GST_FLOW_ERROR;
}

/* Turns what the upload said into a flow; GST_FLOW_CUSTOM_SUCCESS: come again,
 * the wait is over. */
static GstFlowReturn
handle_flow (GstVodSink *self, VodFlow flow)
{
  GstFlowReturn ret;

  switch (flow) {
    case VOD_FLOW_OK:
      return GST_FLOW_OK;
    case VOD_FLOW_INTERRUPTED:
      ret = gst_base_sink_wait_preroll (GST_BASE_SINK (self));
      return ret == GST_FLOW_OK ? GST_FLOW_CUSTOM_SUCCESS : ret;
    case VOD_FLOW_FAILED:
      return flow_after_failure (self);
    case VOD_FLOW_STOPPED:
      break;
  }
  return GST_FLOW_FLUSHING;
}

/* @size bytes come after the failure of @upload (NULL: it could not begin): the
 * recording goes on without it, if there is a spool. */
static GstFlowReturn
take_after_failure (
    GstVodSink *self, VodUpload *upload, const guint8 *data, gsize size)
{
  GstFlowReturn ret = flow_after_failure (self);

  if (ret == GST_FLOW_OK &&
      (upload == NULL || !vod_upload_record (upload, data, size)))
    gst_vod_uploads_note_dropped (&self->uploads, size);
  return ret;
}

static GstFlowReturn
write_bytes (GstVodSink *self, const guint8 *data, gsize size)
{
  VodUpload *upload = gst_vod_stream_begin_upload (&self->stream);
  GstFlowReturn ret = GST_FLOW_CUSTOM_SUCCESS;
  gsize done = 0;

  if (upload == NULL)
    return take_after_failure (self, NULL, data, size);
  gst_vod_stream_apply_seek (&self->stream, upload);
  while (ret == GST_FLOW_CUSTOM_SUCCESS) {
    gsize taken;
    VodFlow flow = vod_upload_write (upload, data + done, size - done, &taken);

    done += taken;
    ret = flow == VOD_FLOW_FAILED
        ? take_after_failure (self, upload, data + done, size - done)
        : handle_flow (self, flow);
  }
  vod_upload_unref (upload);
  return ret;
}

static GstFlowReturn
fail_unreadable (GstVodSink *self)
{
  VodUpload *upload = gst_vod_stream_begin_upload (&self->stream);
  GError *error = vod_error_new (VOD_ERROR_READ,
      "A buffer of the stream cannot be read: upstream has to give memory that "
      "the CPU can map");

  vod_error_set_phase (error, VOD_PHASE_PART);
  if (upload)
    vod_upload_fail (upload, error);
  else
    g_error_free (error);
  g_clear_pointer (&upload, vod_upload_unref);
  return flow_after_failure (self);
}

static GstFlowReturn
gst_vod_sink_render (GstBaseSink *sink, GstBuffer *buffer)
{
  GstVodSink *self = GST_VOD_SINK (sink);
  GstFlowReturn ret = GST_FLOW_OK;
  GstMapInfo map;

  if (gst_buffer_get_size (buffer) == 0)
    return GST_FLOW_OK;
  /* One memory at a time: a buffer of many is not merged first. */
  for (guint i = 0; i < gst_buffer_n_memory (buffer); i++) {
    GstMemory *memory = gst_buffer_peek_memory (buffer, i);

    if (!gst_memory_map (memory, &map, GST_MAP_READ))
      return fail_unreadable (self);
    if (map.size > 0)
      ret = write_bytes (self, map.data, map.size);
    gst_memory_unmap (memory, &map);
    if (ret != GST_FLOW_OK)
      break;
  }
  return ret;
}

static GstFlowReturn
gst_vod_sink_render_list (GstBaseSink *sink, GstBufferList *list)
{
  GstFlowReturn ret = GST_FLOW_OK;

  for (guint i = 0; i < gst_buffer_list_length (list); i++) {
    ret = gst_vod_sink_render (sink, gst_buffer_list_get (list, i));
    if (ret != GST_FLOW_OK)
      break;
  }
  return ret;
}

/* EOS without a byte: an error, never an empty object. Unless it was another
 * error that let no upload begin. */
static void
fail_empty (GstVodSink *self)
{
  g_autoptr (GError) error = vod_error_new (VOD_ERROR_PARAMETER,
      "The stream ended without a single byte: there is nothing to upload; "
      "look at what upstream says, and at its elements before this one");

  gst_vod_uploads_fail_to_begin (&self->uploads, error);
}

/* Waits until the media is committed: OK means that it is. */
static GstFlowReturn
drain (GstVodSink *self)
{
  VodUpload *upload = gst_vod_uploads_ref (&self->uploads);
  GstFlowReturn ret;
  VodFlow flow;

  if (upload == NULL) {
    fail_empty (self);
    return flow_after_failure (self);
  }
  vod_upload_finish (upload);
  do {
    flow = vod_upload_wait (upload);
    ret = handle_flow (self, flow);
  } while (ret == GST_FLOW_CUSTOM_SUCCESS);
  if (flow == VOD_FLOW_FAILED && ret == GST_FLOW_OK)
    vod_upload_finish_record (upload);
  vod_upload_unref (upload);
  return ret;
}

/* EOS is waited for here, not in event(), so that PAUSED, flush and the rest
 * interrupt it and take it up again. */
static GstFlowReturn
gst_vod_sink_wait_event (GstBaseSink *sink, GstEvent *event)
{
  GstFlowReturn ret;

  ret = GST_BASE_SINK_CLASS (parent_class)->wait_event (sink, event);
  if (ret != GST_FLOW_OK || GST_EVENT_TYPE (event) != GST_EVENT_EOS)
    return ret;
  return drain (GST_VOD_SINK (sink));
}

/* With the lock. */
static void
update_interrupt (GstVodSink *self)
{
  gst_vod_uploads_interrupt (&self->uploads, self->flushing || self->paused);
}

static gboolean
gst_vod_sink_unlock (GstBaseSink *sink)
{
  GstVodSink *self = GST_VOD_SINK (sink);

  g_mutex_lock (&self->lock);
  self->flushing = TRUE;
  update_interrupt (self);
  g_mutex_unlock (&self->lock);
  return TRUE;
}

static gboolean
gst_vod_sink_unlock_stop (GstBaseSink *sink)
{
  GstVodSink *self = GST_VOD_SINK (sink);

  g_mutex_lock (&self->lock);
  self->flushing = FALSE;
  update_interrupt (self);
  g_mutex_unlock (&self->lock);
  return TRUE;
}

/* --- events and queries of the pipeline -----------------------------------*/

static gboolean
gst_vod_sink_event (GstBaseSink *sink, GstEvent *event)
{
  GstVodSink *self = GST_VOD_SINK (sink);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_FLUSH_STOP:
      /* As filesink: the media begins again at byte 0. */
      retire_upload (self, TRUE);
      break;
    case GST_EVENT_STREAM_START:
      if (gst_vod_uploads_outcome (&self->uploads) != GST_VOD_UNDER_WAY)
        retire_upload (self, FALSE);
      gst_vod_stream_forget_tags (&self->stream);
      break;
    default:
      gst_vod_stream_note_event (&self->stream, event);
      break;
  }
  return GST_BASE_SINK_CLASS (parent_class)->event (sink, event);
}

static gboolean
gst_vod_sink_set_caps (GstBaseSink *sink, GstCaps *caps)
{
  gst_vod_stream_note_caps (&GST_VOD_SINK (sink)->stream, caps);
  return TRUE;
}

static gboolean
gst_vod_sink_query (GstBaseSink *sink, GstQuery *query)
{
  return gst_vod_stream_answer (&GST_VOD_SINK (sink)->stream, query) ||
      GST_BASE_SINK_CLASS (parent_class)->query (sink, query);
}

/* What an application asks does not come by the pad; the base class would
 * answer from what it makes of the buffers' times. */
static gboolean
gst_vod_sink_element_query (GstElement *element, GstQuery *query)
{
  if (GST_QUERY_TYPE (query) == GST_QUERY_POSITION &&
      gst_vod_stream_answer (&GST_VOD_SINK (element)->stream, query))
    return TRUE;
  return GST_ELEMENT_CLASS (parent_class)->query (element, query);
}

/* --- states ---------------------------------------------------------------*/

static gboolean
gst_vod_sink_stop (GstBaseSink *sink)
{
  GstVodSink *self = GST_VOD_SINK (sink);

  retire_upload (self, FALSE);
  gst_vod_uploads_join (&self->uploads);
  return TRUE;
}

static void
set_paused (GstVodSink *self, gboolean paused)
{
  g_mutex_lock (&self->lock);
  self->paused = paused;
  update_interrupt (self);
  g_mutex_unlock (&self->lock);
}

/* unlock_stop() is not the end of PAUSED: a streaming thread that PLAYING has
 * woken may have the PREROLL_LOCK back only when it is PAUSED anew. It must not
 * wait for the upload then, with that lock, which PLAYING needs. */
static void
end_pause (GstVodSink *self)
{
  gboolean paused;

  g_mutex_lock (&self->lock);
  paused = self->paused;
  g_mutex_unlock (&self->lock);
  /* Not PAUSED before, the streaming thread may wait for the upload already,
   * with the PREROLL_LOCK, until somebody who can set a state ends that. */
  if (!paused)
    return;
  GST_BASE_SINK_PREROLL_LOCK (self);
  set_paused (self, FALSE);
  GST_BASE_SINK_PREROLL_SIGNAL (self);
  GST_BASE_SINK_PREROLL_UNLOCK (self);
}

static GstStateChangeReturn
gst_vod_sink_change_state (GstElement *element, GstStateChange transition)
{
  GstVodSink *self = GST_VOD_SINK (element);
  GstStateChangeReturn ret;
  VodUpload *upload;

  if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
    set_paused (self, TRUE);
  /* start() is not called between READY and PAUSED, and the streaming thread
   * must leave before the base class waits for it. */
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    upload = gst_vod_uploads_ref (&self->uploads);
    if (upload) {
      vod_upload_stop (upload, FALSE);
      vod_upload_unref (upload);
    }
  }

  ret = GST_ELEMENT_CLASS (parent_class)->change_state (element, transition);

  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
    end_pause (self);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    set_paused (self, FALSE);
    retire_upload (self, FALSE);
    gst_vod_stream_forget (&self->stream);
  }
  return ret;
}

/* --- properties -----------------------------------------------------------*/

static void
gst_vod_sink_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstVodSink *self = GST_VOD_SINK (object);
  g_autoptr (GBytes) image = NULL;
  gboolean late;

  if (id > GST_VOD_SETTINGS_LAST) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    return;
  }
  /* Memory of who knows what kind is read without the lock. */
  if (id == GST_VOD_PROP_COVER)
    image = gst_vod_image_from_sample (g_value_get_boxed (value));
  g_mutex_lock (&self->lock);
  if (id == GST_VOD_PROP_COVER)
    gst_vod_settings_set_cover (&self->settings, image);
  else
    gst_vod_settings_set (&self->settings, id, value);
  late = gst_vod_uploads_note_setting (&self->uploads, id);
  g_mutex_unlock (&self->lock);
  if (late)
    GST_WARNING_OBJECT (self,
        "%s is set while an upload is under way: it counts for the next one",
        pspec->name);
}

static void
gst_vod_sink_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstVodSink *self = GST_VOD_SINK (object);

  if (id > GST_VOD_SETTINGS_LAST) {
    gst_vod_uploads_get_result (&self->uploads, id, value);
    return;
  }
  g_mutex_lock (&self->lock);
  gst_vod_settings_get (&self->settings, id, value);
  g_mutex_unlock (&self->lock);
}

/* --- vod-resume -----------------------------------------------------------*/

void
gst_vod_sink_recover (GstVodSink *self, const gchar *key)
{
  g_mutex_lock (&self->lock);
  g_free (self->settings.recover_key);
  self->settings.recover_key = g_strdup (key);
  g_mutex_unlock (&self->lock);
}

gboolean
gst_vod_sink_latch (GstVodSink *self, const gchar *type,
    VodUploadSettings *upload, GError **error)
{
  GstVodStreamFacts facts = {.caps_type = type};
  gboolean valid;

  g_mutex_lock (&self->lock);
  valid = gst_vod_settings_latch (&self->settings, &facts, upload, error);
  g_mutex_unlock (&self->lock);
  return valid;
}

/* --- GObject --------------------------------------------------------------*/

/* Only cancels: may run in a worker's thread, which cannot wait for itself. */
static void
gst_vod_sink_dispose (GObject *object)
{
  retire_upload (GST_VOD_SINK (object), FALSE);
  G_OBJECT_CLASS (parent_class)->dispose (object);
}

static void
gst_vod_sink_finalize (GObject *object)
{
  GstVodSink *self = GST_VOD_SINK (object);

  gst_vod_uploads_clear (&self->uploads);
  gst_vod_settings_clear (&self->settings);
  gst_vod_stream_clear (&self->stream);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (parent_class)->finalize (object);
}

static void
gst_vod_sink_init (GstVodSink *self)
{
  GstBaseSink *sink = GST_BASE_SINK (self);

  g_mutex_init (&self->lock);
  gst_vod_settings_init (&self->settings);
  gst_vod_uploads_init (&self->uploads, sink, &self->lock, &self->settings);
  gst_vod_stream_init (&self->stream, sink, &self->lock, &self->uploads);
  gst_base_sink_set_sync (sink, FALSE);
  gst_base_sink_set_last_sample_enabled (sink, FALSE);
  /* Streamable muxers send TIME segments: not a byte may be clipped. */
  gst_base_sink_set_drop_out_of_segment (sink, FALSE);
}

/* The first answer that is not NULL wins. */
static gboolean
first_answer (GSignalInvocationHint *hint, GValue *sum, const GValue *answer,
    gpointer data)
{
  const gchar *signature = g_value_get_string (answer);

  if (signature == NULL)
    return TRUE;
  g_value_set_string (sum, signature);
  return FALSE;
}

/* Any thread, also within our own messages and signals. */
static void
gst_vod_sink_cancel (GstVodSink *self)
{
  gst_vod_uploads_cancel (&self->uploads);
}

static void
install_signals (GObjectClass *klass)
{
  /**
   * GstVodSink::get-signature:
   * @self: the element
   *
   * Asks the application for an upload signature, whenever a request needs one:
   * a fresh one each time (credentials expire on long recordings, and one-time
   * signatures exist). Emitted from a worker thread without any lock; the
   * handler may block. The first answer that is not %NULL stops the emission.
   *
   * Returns: (transfer full) (nullable): a signature, or %NULL to answer later
   *   by setting #GstVodSink:signature
   */
  signals[SIGNAL_GET_SIGNATURE] =
      g_signal_new ("get-signature", G_TYPE_FROM_CLASS (klass),
          G_SIGNAL_RUN_LAST, 0, first_answer, NULL, NULL, G_TYPE_STRING, 0);
  /**
   * GstVodSink::cancel:
   * @self: the element
   *
   * Emitted by the application, from any thread: ends the upload now and
   * deletes its parts at the service. The pipeline gets an ERROR, also with
   * #GstVodSink:fatal-errors %FALSE. Does nothing unless an upload is under
   * way; once the media is committed, only its cover is given up.
   */
  signals[SIGNAL_CANCEL] = g_signal_new_class_handler ("cancel",
      G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (gst_vod_sink_cancel), NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
gst_vod_sink_class_init (GstVodSinkClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSinkClass *sink_class = GST_BASE_SINK_CLASS (klass);

  object_class->set_property = gst_vod_sink_set_property;
  object_class->get_property = gst_vod_sink_get_property;
  object_class->dispose = gst_vod_sink_dispose;
  object_class->finalize = gst_vod_sink_finalize;
  gst_vod_settings_install (object_class);
  gst_vod_uploads_install_results (object_class);
  install_signals (object_class);

  element_class->change_state = GST_DEBUG_FUNCPTR (gst_vod_sink_change_state);
  element_class->query = GST_DEBUG_FUNCPTR (gst_vod_sink_element_query);
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_set_static_metadata (element_class,
      "Tencent Cloud VOD sink", "Sink/Network",
      "Uploads a stream to Tencent Cloud VOD as one media while it is made",
      "The vodsink developers");

  sink_class->stop = GST_DEBUG_FUNCPTR (gst_vod_sink_stop);
  sink_class->render = GST_DEBUG_FUNCPTR (gst_vod_sink_render);
  sink_class->render_list = GST_DEBUG_FUNCPTR (gst_vod_sink_render_list);
  sink_class->wait_event = GST_DEBUG_FUNCPTR (gst_vod_sink_wait_event);
  sink_class->unlock = GST_DEBUG_FUNCPTR (gst_vod_sink_unlock);
  sink_class->unlock_stop = GST_DEBUG_FUNCPTR (gst_vod_sink_unlock_stop);
  sink_class->event = GST_DEBUG_FUNCPTR (gst_vod_sink_event);
  sink_class->query = GST_DEBUG_FUNCPTR (gst_vod_sink_query);
  sink_class->set_caps = GST_DEBUG_FUNCPTR (gst_vod_sink_set_caps);
}

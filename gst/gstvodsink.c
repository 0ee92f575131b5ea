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
 * gst-launch-1.0 -e v4l2src ! videoconvert ! x264enc ! h264parse ! mp4mux ! vodsink signature-url=https://sign.example.com/vod media-name="Lecture 12"
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
 * An upload is created at the first buffer that has bytes and belongs to the
 * element until it is retired: at PAUSED to READY, FLUSH_STOP, or a new
 * STREAM_START after it has ended. Retired uploads may still delete their parts
 * in the background; stop() waits for them. Each has a report of its own, which
 * is muted when it is retired, so that an old upload says nothing about a new
 * one.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstvodsink.h"

#include <gio/gio.h>

#include "gstvodmedia.h"
#include "gstvodmessages.h"
#include "gstvodreport.h"
#include "gstvodsettings.h"
#include "upload/vodupload.h"

GST_DEBUG_CATEGORY (gst_vod_sink_debug);
#define GST_CAT_DEFAULT gst_vod_sink_debug

enum {
  PROP_FILE_ID = GST_VOD_SETTINGS_LAST + 1,
  PROP_VIDEO_URL,
  PROP_STATS,
};

enum {
  SIGNAL_GET_SIGNATURE,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

struct _GstVodSink {
  GstBaseSink parent;

  GMutex lock;
  GstVodSettings settings;

  gboolean active;      /* an upload was begun, or failed to begin */
  VodUpload *upload;    /* the current one; NULL: none, or failed to begin */
  GstVodReport *report; /* of the current one, else of the last */
  GSList *retired;      /* of VodUpload that may still have threads */
  VodUploadStats last_stats; /* of the last one, when there is none */

  gboolean flushing;   /* between unlock and unlock_stop */
  gboolean paused;     /* from PLAYING to PAUSED, until it is PLAYING again */
  gboolean seek_asked; /* upstream asked whether we can seek */
  gboolean seek_pending;
  guint64 seek_to; /* where the next byte goes, if pending */
  const gchar *caps_type;
  gchar *title;
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

/* --- the life of an upload ------------------------------------------------*/

/* A reference to the current upload, or NULL. */
static VodUpload *
ref_upload (GstVodSink *self)
{
  VodUpload *upload;

  g_mutex_lock (&self->lock);
  upload = self->upload ? vod_upload_ref (self->upload) : NULL;
  g_mutex_unlock (&self->lock);
  return upload;
}

/* Lets go of retired uploads that have nothing left to do. */
static void
reap_retired (GstVodSink *self)
{
  GSList *quiet = NULL;

  g_mutex_lock (&self->lock);
  for (GSList *l = self->retired, *next; l; l = next) {
    next = l->next;
    if (vod_upload_is_quiet (l->data)) {
      self->retired = g_slist_remove_link (self->retired, l);
      quiet = g_slist_concat (l, quiet);
    }
  }
  g_mutex_unlock (&self->lock);
  for (GSList *l = quiet; l; l = l->next) {
    vod_upload_join (l->data);
    vod_upload_unref (l->data);
  }
  g_slist_free (quiet);
}

/* The upload begins: what the one before reported is forgotten. With the
 * lock. */
static void
create_upload (GstVodSink *self, const VodUploadSettings *settings)
{
  VodUpload *upload = vod_upload_new (settings, &gst_vod_report_events,
      gst_vod_report_ref (self->report), (GDestroyNotify)gst_vod_report_unref);

  vod_upload_set_retry_duration (upload, self->settings.retry_duration);
  vod_upload_set_progress_interval (upload, self->settings.progress_interval);
  vod_upload_set_signature (upload, self->settings.signature);
  if (self->seek_asked)
    vod_upload_expect_rewrites (upload);
  vod_upload_interrupt (upload, self->flushing || self->paused);
  self->upload = upload;
}

/* Becomes active, with a fresh report and, unless @error is set, an upload.
 * With the lock. */
static void
activate (GstVodSink *self, const GstVodStreamFacts *facts, GError **error)
{
  VodUploadSettings settings;
  gboolean valid =
      gst_vod_settings_latch (&self->settings, facts, &settings, error);

  self->active = TRUE;
  g_clear_pointer (&self->report, gst_vod_report_unref);
  self->report = gst_vod_report_new (GST_ELEMENT (self),
      valid ? settings.name : NULL, self->settings.location);
  if (!valid)
    return;
  create_upload (self, &settings);
  GST_INFO_OBJECT (self, "media '%s' of type %s, endpoint %s", settings.name,
      settings.type, settings.endpoint);
  vod_upload_settings_clear (&settings);
}

/* Becomes active to fail: there is a report, but nothing to upload. With the
 * lock. */
static void
activate_without_upload (GstVodSink *self)
{
  if (self->active)
    return;
  self->active = TRUE;
  g_clear_pointer (&self->report, gst_vod_report_unref);
  self->report = gst_vod_report_new (GST_ELEMENT (self), NULL, NULL);
}

/* A reference to the report of the current upload. */
static GstVodReport *
ref_report (GstVodSink *self)
{
  GstVodReport *report;

  g_mutex_lock (&self->lock);
  report = gst_vod_report_ref (self->report);
  g_mutex_unlock (&self->lock);
  return report;
}

/* Settings are looked at when they are taken, not in a state change: that would
 * have to fail, upon which the base class and applications add vague errors of
 * their own, and gst-launch-1.0 ends with another exit code. */
static void
refuse_settings (GstVodSink *self, GError *error)
{
  g_autoptr (GstVodReport) report = ref_report (self);

  vod_error_set_phase (error, VOD_PHASE_APPLY);
  gst_vod_report_refuse (report, error);
}

/* The upload that the next byte belongs to, begun if there is none; NULL if
 * that failed, which has been said. */
static VodUpload *
begin_upload (GstVodSink *self)
{
  g_autofree gchar *file = NULL;
  g_autoptr (GError) error = NULL;
  GstVodStreamFacts facts = {0};
  gboolean active;

  g_mutex_lock (&self->lock);
  active = self->active;
  g_mutex_unlock (&self->lock);
  if (active)
    return ref_upload (self);

  reap_retired (self);
  file = gst_vod_media_upstream_file (
      GST_BASE_SINK_PAD (self), &facts.upstream_size);
  facts.upstream_file = file;
  g_mutex_lock (&self->lock);
  facts.caps_type = self->caps_type;
  facts.title = self->title;
  activate (self, &facts, &error);
  g_mutex_unlock (&self->lock);

  g_object_notify (G_OBJECT (self), "file-id");
  g_object_notify (G_OBJECT (self), "video-url");
  if (error)
    refuse_settings (self, error);
  return ref_upload (self);
}

/* The current upload is over: what comes is another one. */
static void
retire_upload (GstVodSink *self)
{
  VodUpload *upload;
  GstVodReport *report;

  g_mutex_lock (&self->lock);
  upload = g_steal_pointer (&self->upload);
  report = self->report ? gst_vod_report_ref (self->report) : NULL;
  self->active = FALSE;
  self->seek_pending = FALSE;
  g_mutex_unlock (&self->lock);

  if (upload) {
    vod_upload_stop (upload);
    g_mutex_lock (&self->lock);
    vod_upload_get_stats (upload, &self->last_stats);
    self->last_stats.upload_rate = 0;
    self->retired = g_slist_prepend (self->retired, upload);
    g_mutex_unlock (&self->lock);
  }
  if (report) {
    gst_vod_report_mute (report);
    gst_vod_report_unref (report);
  }
}

/* Waits for what retired uploads still have to do. */
static void
join_retired (GstVodSink *self)
{
  GSList *uploads;

  g_mutex_lock (&self->lock);
  uploads = g_steal_pointer (&self->retired);
  g_mutex_unlock (&self->lock);
  for (GSList *l = uploads; l; l = l->next) {
    if (!vod_upload_join (l->data))
      GST_WARNING_OBJECT (self,
          "a handler of get-signature or of a message is still running in a "
          "thread of ours, which will end when it returns");
    vod_upload_unref (l->data);
  }
  g_slist_free (uploads);
}

/* --- data -----------------------------------------------------------------*/

static GstVodOutcome
current_outcome (GstVodSink *self)
{
  GstVodOutcome outcome = GST_VOD_UNDER_WAY;

  g_mutex_lock (&self->lock);
  if (self->active)
    outcome = gst_vod_report_outcome (self->report);
  g_mutex_unlock (&self->lock);
  return outcome;
}

/* After a failure: what to return for media that comes all the same. */
static GstFlowReturn
flow_after_failure (GstVodSink *self)
{
  return current_outcome (self) == GST_VOD_DISCARDING ? GST_FLOW_OK
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

static void
apply_seek (GstVodSink *self, VodUpload *upload)
{
  gboolean pending;
  guint64 position;

  g_mutex_lock (&self->lock);
  pending = self->seek_pending;
  position = self->seek_to;
  self->seek_pending = FALSE;
  g_mutex_unlock (&self->lock);
  if (pending)
    vod_upload_seek (upload, position);
}

static GstFlowReturn
write_bytes (GstVodSink *self, const guint8 *data, gsize size)
{
  VodUpload *upload = begin_upload (self);
  GstFlowReturn ret = GST_FLOW_CUSTOM_SUCCESS;
  gsize done = 0;

  if (upload == NULL)
    return flow_after_failure (self);
  apply_seek (self, upload);
  while (ret == GST_FLOW_CUSTOM_SUCCESS) {
    gsize taken;
    VodFlow flow = vod_upload_write (upload, data + done, size - done, &taken);

    done += taken;
    ret = handle_flow (self, flow);
  }
  vod_upload_unref (upload);
  return ret;
}

static GstFlowReturn
fail_unreadable (GstVodSink *self)
{
  VodUpload *upload = begin_upload (self);
  GError *error =
      vod_error_new (VOD_ERROR_READ, "A buffer of the stream cannot be read");

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
      "The stream ended without a single byte: there is nothing to upload");
  g_autoptr (GstVodReport) report = NULL;

  g_mutex_lock (&self->lock);
  activate_without_upload (self);
  g_mutex_unlock (&self->lock);
  report = ref_report (self);
  vod_error_set_phase (error, VOD_PHASE_APPLY);
  gst_vod_report_fail (report, error);
}

/* Waits until the media is committed: OK means that it is. */
static GstFlowReturn
drain (GstVodSink *self)
{
  VodUpload *upload = ref_upload (self);
  GstFlowReturn ret;

  if (upload == NULL) {
    fail_empty (self);
    return flow_after_failure (self);
  }
  vod_upload_finish (upload);
  do
    ret = handle_flow (self, vod_upload_wait (upload));
  while (ret == GST_FLOW_CUSTOM_SUCCESS);
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
  if (self->upload)
    vod_upload_interrupt (self->upload, self->flushing || self->paused);
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

static void
handle_segment (GstVodSink *self, GstEvent *event)
{
  const GstSegment *segment;

  gst_event_parse_segment (event, &segment);
  if (segment->format != GST_FORMAT_BYTES)
    return;
  GST_DEBUG_OBJECT (
      self, "next byte goes to %" G_GUINT64_FORMAT, segment->start);
  g_mutex_lock (&self->lock);
  self->seek_pending = TRUE;
  self->seek_to = segment->start;
  g_mutex_unlock (&self->lock);
}

static void
handle_tag (GstVodSink *self, GstEvent *event)
{
  GstTagList *tags;
  gchar *title;

  gst_event_parse_tag (event, &tags);
  if (!gst_tag_list_get_string (tags, GST_TAG_TITLE, &title))
    return;
  g_mutex_lock (&self->lock);
  g_free (self->title);
  self->title = title;
  g_mutex_unlock (&self->lock);
}

static gboolean
gst_vod_sink_event (GstBaseSink *sink, GstEvent *event)
{
  GstVodSink *self = GST_VOD_SINK (sink);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_SEGMENT:
      handle_segment (self, event);
      break;
    case GST_EVENT_TAG:
      handle_tag (self, event);
      break;
    case GST_EVENT_FLUSH_STOP:
      /* As filesink: the media begins again at byte 0. */
      retire_upload (self);
      break;
    case GST_EVENT_STREAM_START:
      if (current_outcome (self) != GST_VOD_UNDER_WAY)
        retire_upload (self);
      g_mutex_lock (&self->lock);
      g_clear_pointer (&self->title, g_free);
      g_mutex_unlock (&self->lock);
      break;
    default:
      break;
  }
  return GST_BASE_SINK_CLASS (parent_class)->event (sink, event);
}

static gboolean
gst_vod_sink_set_caps (GstBaseSink *sink, GstCaps *caps)
{
  GstVodSink *self = GST_VOD_SINK (sink);

  g_mutex_lock (&self->lock);
  self->caps_type = gst_vod_media_type_from_caps (caps);
  g_mutex_unlock (&self->lock);
  return TRUE;
}

/* Muxers that rewrite ask first; what they may rewrite is kept from then on. */
static void
answer_seeking (GstVodSink *self, GstQuery *query)
{
  GstFormat format;

  gst_query_parse_seeking (query, &format, NULL, NULL, NULL);
  if (format != GST_FORMAT_BYTES && format != GST_FORMAT_DEFAULT) {
    gst_query_set_seeking (query, format, FALSE, 0, -1);
    return;
  }
  gst_query_set_seeking (query, GST_FORMAT_BYTES, TRUE, 0, -1);
  g_mutex_lock (&self->lock);
  self->seek_asked = TRUE;
  if (self->upload)
    vod_upload_expect_rewrites (self->upload);
  g_mutex_unlock (&self->lock);
}

static guint64
byte_position (GstVodSink *self)
{
  VodUpload *upload;
  VodUploadStats stats = {0};
  gboolean pending;
  guint64 position;

  g_mutex_lock (&self->lock);
  upload = self->upload;
  if (upload)
    vod_upload_get_stats (upload, &stats);
  pending = self->seek_pending;
  position = self->seek_to;
  g_mutex_unlock (&self->lock);
  return pending ? position : stats.position;
}

static gboolean
answer_position (GstVodSink *self, GstQuery *query)
{
  GstFormat format;

  gst_query_parse_position (query, &format, NULL);
  if (format != GST_FORMAT_BYTES && format != GST_FORMAT_DEFAULT)
    return FALSE;
  gst_query_set_position (query, GST_FORMAT_BYTES, byte_position (self));
  return TRUE;
}

static gboolean
gst_vod_sink_query (GstBaseSink *sink, GstQuery *query)
{
  GstVodSink *self = GST_VOD_SINK (sink);

  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_SEEKING:
      answer_seeking (self, query);
      return TRUE;
    case GST_QUERY_FORMATS:
      gst_query_set_formats (query, 2, GST_FORMAT_DEFAULT, GST_FORMAT_BYTES);
      return TRUE;
    case GST_QUERY_POSITION:
      if (answer_position (self, query))
        return TRUE;
      break;
    default:
      break;
  }
  return GST_BASE_SINK_CLASS (parent_class)->query (sink, query);
}

/* What an application asks does not come by the pad; the base class would
 * answer from what it makes of the buffers' times. */
static gboolean
gst_vod_sink_element_query (GstElement *element, GstQuery *query)
{
  if (GST_QUERY_TYPE (query) == GST_QUERY_POSITION &&
      answer_position (GST_VOD_SINK (element), query))
    return TRUE;
  return GST_ELEMENT_CLASS (parent_class)->query (element, query);
}

/* --- states ---------------------------------------------------------------*/

static gboolean
gst_vod_sink_stop (GstBaseSink *sink)
{
  GstVodSink *self = GST_VOD_SINK (sink);

  retire_upload (self);
  join_retired (self);
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
    upload = ref_upload (self);
    if (upload) {
      vod_upload_stop (upload);
      vod_upload_unref (upload);
    }
  }

  ret = GST_ELEMENT_CLASS (parent_class)->change_state (element, transition);

  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
    end_pause (self);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    set_paused (self, FALSE);
    retire_upload (self);
    g_mutex_lock (&self->lock);
    self->seek_asked = FALSE;
    self->caps_type = NULL;
    g_clear_pointer (&self->title, g_free);
    g_mutex_unlock (&self->lock);
  }
  return ret;
}

/* --- properties -----------------------------------------------------------*/

static void
forward_setting (GstVodSink *self, guint id)
{
  if (self->upload == NULL)
    return;
  switch (id) {
    case GST_VOD_PROP_SIGNATURE:
      vod_upload_set_signature (self->upload, self->settings.signature);
      break;
    case GST_VOD_PROP_RETRY_DURATION:
      vod_upload_set_retry_duration (
          self->upload, self->settings.retry_duration);
      break;
    case GST_VOD_PROP_PROGRESS_INTERVAL:
      vod_upload_set_progress_interval (
          self->upload, self->settings.progress_interval);
      break;
    default:
      break;
  }
}

static void
gst_vod_sink_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstVodSink *self = GST_VOD_SINK (object);
  gboolean late;

  if (id > GST_VOD_SETTINGS_LAST) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    return;
  }
  g_mutex_lock (&self->lock);
  gst_vod_settings_set (&self->settings, id, value);
  forward_setting (self, id);
  late = self->upload && gst_vod_settings_is_latched (id) &&
      gst_vod_report_outcome (self->report) == GST_VOD_UNDER_WAY;
  g_mutex_unlock (&self->lock);
  if (late)
    GST_WARNING_OBJECT (self,
        "%s is set while an upload is under way: it counts for the next one",
        pspec->name);
}

static GstStructure *
create_stats (GstVodSink *self)
{
  GstStructure *base = gst_base_sink_get_stats (GST_BASE_SINK (self));
  GstStructure *structure;
  VodUploadStats stats;

  g_mutex_lock (&self->lock);
  if (self->upload)
    vod_upload_get_stats (self->upload, &stats);
  else
    stats = self->last_stats;
  g_mutex_unlock (&self->lock);
  structure = gst_vod_stats_structure (&stats, base);
  gst_structure_free (base);
  return structure;
}

static void
gst_vod_sink_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstVodSink *self = GST_VOD_SINK (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, create_stats (self));
    return;
  }
  g_mutex_lock (&self->lock);
  switch (id) {
    case PROP_FILE_ID:
      if (self->report)
        g_value_take_string (value, gst_vod_report_file_id (self->report));
      break;
    case PROP_VIDEO_URL:
      if (self->report)
        g_value_take_string (value, gst_vod_report_video_url (self->report));
      break;
    default:
      gst_vod_settings_get (&self->settings, id, value);
      break;
  }
  g_mutex_unlock (&self->lock);
}

/* --- GObject --------------------------------------------------------------*/

/* Only cancels: may run in a worker's thread, which cannot wait for itself. */
static void
gst_vod_sink_dispose (GObject *object)
{
  retire_upload (GST_VOD_SINK (object));
  G_OBJECT_CLASS (parent_class)->dispose (object);
}

static void
gst_vod_sink_finalize (GObject *object)
{
  GstVodSink *self = GST_VOD_SINK (object);

  g_slist_free_full (self->retired, (GDestroyNotify)vod_upload_unref);
  g_clear_pointer (&self->report, gst_vod_report_unref);
  gst_vod_settings_clear (&self->settings);
  g_free (self->title);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (parent_class)->finalize (object);
}

static void
gst_vod_sink_init (GstVodSink *self)
{
  GstBaseSink *sink = GST_BASE_SINK (self);

  g_mutex_init (&self->lock);
  gst_vod_settings_init (&self->settings);
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

static void
install_results (GObjectClass *klass)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  /**
   * GstVodSink:file-id:
   *
   * The service's id of the media. Set before vodsink-finish is posted, %NULL
   * again when the next upload starts.
   */
  g_object_class_install_property (klass, PROP_FILE_ID,
      g_param_spec_string ("file-id", "File id",
          "The service's id of the committed media (NULL = not committed)",
          NULL, flags));
  /**
   * GstVodSink:video-url:
   *
   * Where the media can be played. As #GstVodSink:file-id.
   */
  g_object_class_install_property (klass, PROP_VIDEO_URL,
      g_param_spec_string ("video-url", "Video URL",
          "URL of the committed media (NULL = not committed)", NULL, flags));
  /**
   * GstVodSink:stats:
   *
   * Counters of the current upload, or of the last one: see the documentation
   * for its fields.
   */
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Counters of the current or last upload", GST_TYPE_STRUCTURE, flags));
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
  install_results (object_class);

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

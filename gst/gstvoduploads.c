/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstvoduploads.h"

#include "gstvodmessages.h"

GST_DEBUG_CATEGORY_EXTERN (gst_vod_sink_debug);
#define GST_CAT_DEFAULT gst_vod_sink_debug

void
gst_vod_uploads_init (GstVodUploads *uploads, GstBaseSink *sink, GMutex *lock,
    const GstVodSettings *settings)
{
  uploads->sink = sink;
  uploads->lock = lock;
  uploads->settings = settings;
  uploads->pace = vod_pace_new ();
}

void
gst_vod_uploads_clear (GstVodUploads *uploads)
{
  g_slist_free_full (uploads->retired, (GDestroyNotify)vod_upload_unref);
  g_clear_pointer (&uploads->report, gst_vod_report_unref);
  g_clear_pointer (&uploads->pace, vod_pace_unref);
}

/* --- the current one ------------------------------------------------------*/

gboolean
gst_vod_uploads_active (GstVodUploads *uploads)
{
  gboolean active;

  g_mutex_lock (uploads->lock);
  active = uploads->active;
  g_mutex_unlock (uploads->lock);
  return active;
}

VodUpload *
gst_vod_uploads_ref (GstVodUploads *uploads)
{
  VodUpload *upload;

  g_mutex_lock (uploads->lock);
  upload = uploads->upload ? vod_upload_ref (uploads->upload) : NULL;
  g_mutex_unlock (uploads->lock);
  return upload;
}

GstVodOutcome
gst_vod_uploads_outcome (GstVodUploads *uploads)
{
  GstVodOutcome outcome = GST_VOD_UNDER_WAY;

  g_mutex_lock (uploads->lock);
  if (uploads->active)
    outcome = gst_vod_report_outcome (uploads->report);
  g_mutex_unlock (uploads->lock);
  return outcome;
}

void
gst_vod_uploads_interrupt (GstVodUploads *uploads, gboolean interrupted)
{
  uploads->interrupted = interrupted;
  if (uploads->upload)
    vod_upload_interrupt (uploads->upload, interrupted);
}

void
gst_vod_uploads_expect_rewrites (GstVodUploads *uploads, gboolean expected)
{
  uploads->rewrites_expected = expected;
  if (uploads->upload && expected)
    vod_upload_expect_rewrites (uploads->upload);
}

void
gst_vod_uploads_note_image (GstVodUploads *uploads, GBytes *image)
{
  if (uploads->upload)
    vod_upload_set_cover (uploads->upload, VOD_COVER_TAG, image);
}

guint64
gst_vod_uploads_position (GstVodUploads *uploads)
{
  VodUploadStats stats = {0};

  if (uploads->upload)
    vod_upload_get_stats (uploads->upload, &stats);
  return stats.position;
}

/* Passes on a setting that may change at any time. */
static void
forward_setting (GstVodUploads *uploads, guint id)
{
  const GstVodSettings *settings = uploads->settings;

  switch (id) {
    case GST_VOD_PROP_SIGNATURE:
      vod_upload_set_signature (uploads->upload, settings->signature);
      break;
    case GST_VOD_PROP_COVER:
      vod_upload_set_cover (uploads->upload, VOD_COVER_SAMPLE, settings->cover);
      break;
    case GST_VOD_PROP_UPLOAD_PAUSED:
      vod_upload_set_paused (uploads->upload, settings->upload_paused);
      break;
    case GST_VOD_PROP_RETRY_DURATION:
      vod_upload_set_retry_duration (uploads->upload, settings->retry_duration);
      break;
    case GST_VOD_PROP_PROGRESS_INTERVAL:
      vod_upload_set_progress_interval (
          uploads->upload, settings->progress_interval);
      break;
    case GST_VOD_PROP_MAX_UPLOAD_BITRATE:
      vod_upload_set_max_bitrate (
          uploads->upload, settings->max_upload_bitrate);
      break;
    case GST_VOD_PROP_DISCARD_ON_STOP:
      vod_upload_set_discard_on_stop (
          uploads->upload, settings->discard_on_stop);
      break;
    default:
      break;
  }
}

gboolean
gst_vod_uploads_note_setting (GstVodUploads *uploads, guint id)
{
  if (uploads->upload == NULL)
    return FALSE;
  forward_setting (uploads, id);
  return gst_vod_settings_is_latched (id) &&
      gst_vod_report_outcome (uploads->report) == GST_VOD_UNDER_WAY;
}

/* --- begin ----------------------------------------------------------------*/

/* Lets go of retired uploads that have nothing left to do. */
static void
reap (GstVodUploads *uploads)
{
  GSList *quiet = NULL;

  g_mutex_lock (uploads->lock);
  for (GSList *l = uploads->retired, *next; l; l = next) {
    next = l->next;
    if (vod_upload_is_quiet (l->data)) {
      uploads->retired = g_slist_remove_link (uploads->retired, l);
      quiet = g_slist_concat (l, quiet);
    }
  }
  g_mutex_unlock (uploads->lock);
  for (GSList *l = quiet; l; l = l->next) {
    vod_upload_join (l->data);
    vod_upload_unref (l->data);
  }
  g_slist_free (quiet);
}

/* With the lock. */
static void
create_upload (GstVodUploads *uploads, const VodUploadSettings *latched,
    const GstVodStreamFacts *facts)
{
  const GstVodSettings *settings = uploads->settings;
  VodUpload *upload = vod_upload_new (latched, &gst_vod_report_events,
      gst_vod_report_ref (uploads->report),
      (GDestroyNotify)gst_vod_report_unref);

  vod_upload_set_retry_duration (upload, settings->retry_duration);
  vod_upload_set_progress_interval (upload, settings->progress_interval);
  vod_upload_set_signature (upload, settings->signature);
  vod_upload_set_paused (upload, settings->upload_paused);
  vod_upload_set_max_bitrate (upload, settings->max_upload_bitrate);
  vod_upload_set_discard_on_stop (upload, settings->discard_on_stop);
  vod_upload_set_cover (upload, VOD_COVER_SAMPLE, settings->cover);
  vod_upload_set_cover (upload, VOD_COVER_TAG, facts->image);
  if (uploads->rewrites_expected)
    vod_upload_expect_rewrites (upload);
  vod_upload_interrupt (upload, uploads->interrupted);
  uploads->upload = upload;
}

/* With the lock. */
static void
activate (GstVodUploads *uploads, const gchar *name, const gchar *location)
{
  uploads->active = TRUE;
  uploads->last_stats = (VodUploadStats){0};
  uploads->dropped = 0;
  g_clear_pointer (&uploads->report, gst_vod_report_unref);
  uploads->report =
      gst_vod_report_new (GST_ELEMENT (uploads->sink), name, location);
}

static gchar *
describe (const VodUploadSettings *latched)
{
  return g_strdup_printf ("an upload begins: media '%s' of type %s, endpoint "
                          "%s, backup %s%s%s%s",
      latched->name, latched->type, latched->endpoint,
      latched->backup_endpoint ? latched->backup_endpoint : "none",
      latched->forward ? "" : ", straight to the storage",
      latched->spool ? ", with a spool" : "",
      latched->identity == VOD_IDENTITY_NONE ? ", cannot be resumed" : "");
}

/* What there is to tell of it, to be freed; NULL with @error. With the lock. */
static gchar *
latch (GstVodUploads *uploads, const GstVodStreamFacts *facts, GError **error)
{
  gchar *text;
  VodUploadSettings latched;
  gboolean valid =
      gst_vod_settings_latch (uploads->settings, facts, &latched, error);

  activate (uploads, valid ? latched.name : NULL, uploads->settings->location);
  if (!valid)
    return NULL;
  latched.pace = vod_pace_ref (uploads->pace);
  latched.log = gst_vod_report_log (uploads->report);
  create_upload (uploads, &latched, facts);
  text = describe (&latched);
  vod_upload_settings_clear (&latched);
  return text;
}

/* A reference. */
static GstVodReport *
ref_report (GstVodUploads *uploads)
{
  GstVodReport *report;

  g_mutex_lock (uploads->lock);
  report = gst_vod_report_ref (uploads->report);
  g_mutex_unlock (uploads->lock);
  return report;
}

/* Settings are looked at when they are taken, not in a state change: that would
 * have to fail, upon which the base class and applications add vague errors of
 * their own, and gst-launch-1.0 ends with another exit code. */
static void
refuse_settings (GstVodUploads *uploads, GError *error)
{
  g_autoptr (GstVodReport) report = ref_report (uploads);

  vod_error_set_phase (error, VOD_PHASE_APPLY);
  gst_vod_report_fail (report, error);
}

void
gst_vod_uploads_begin (GstVodUploads *uploads, const GstVodStreamFacts *facts)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *text = NULL;

  reap (uploads);
  g_mutex_lock (uploads->lock);
  text = latch (uploads, facts, &error);
  g_mutex_unlock (uploads->lock);
  if (text)
    GST_INFO_OBJECT (uploads->sink, "%s", text);

  g_object_notify (G_OBJECT (uploads->sink), "file-id");
  g_object_notify (G_OBJECT (uploads->sink), "video-url");
  g_object_notify (G_OBJECT (uploads->sink), "cover-url");
  if (error)
    refuse_settings (uploads, error);
}

void
gst_vod_uploads_fail_to_begin (GstVodUploads *uploads, GError *error)
{
  g_autoptr (GstVodReport) report = NULL;

  g_mutex_lock (uploads->lock);
  if (!uploads->active)
    activate (uploads, NULL, uploads->settings->location);
  g_mutex_unlock (uploads->lock);
  report = ref_report (uploads);
  vod_error_set_phase (error, VOD_PHASE_APPLY);
  gst_vod_report_fail (report, error);
}

void
gst_vod_uploads_note_dropped (GstVodUploads *uploads, gsize size)
{
  g_mutex_lock (uploads->lock);
  uploads->dropped += size;
  g_mutex_unlock (uploads->lock);
}

/* --- end ------------------------------------------------------------------*/

void
gst_vod_uploads_cancel (GstVodUploads *uploads)
{
  VodUpload *upload = gst_vod_uploads_ref (uploads);
  GError *error;

  if (upload == NULL)
    return;
  error = vod_error_new (VOD_ERROR_CANCELLED, "The upload was cancelled");
  vod_error_set_phase (error, VOD_PHASE_PART);
  vod_upload_fail (upload, error);
  vod_upload_unref (upload);
}

void
gst_vod_uploads_retire (GstVodUploads *uploads, gboolean discard)
{
  VodUpload *upload;
  GstVodReport *report;

  g_mutex_lock (uploads->lock);
  upload = g_steal_pointer (&uploads->upload);
  report = uploads->report ? gst_vod_report_ref (uploads->report) : NULL;
  uploads->active = FALSE;
  g_mutex_unlock (uploads->lock);

  if (upload) {
    vod_upload_stop (upload, discard);
    g_mutex_lock (uploads->lock);
    vod_upload_get_stats (upload, &uploads->last_stats);
    uploads->last_stats.upload_rate = 0;
    uploads->retired = g_slist_prepend (uploads->retired, upload);
    g_mutex_unlock (uploads->lock);
  }
  if (report) {
    gst_vod_report_mute (report);
    gst_vod_report_unref (report);
  }
}

void
gst_vod_uploads_join (GstVodUploads *uploads)
{
  GSList *retired;

  g_mutex_lock (uploads->lock);
  retired = g_steal_pointer (&uploads->retired);
  g_mutex_unlock (uploads->lock);
  for (GSList *l = retired; l; l = l->next) {
    if (!vod_upload_join (l->data))
      GST_WARNING_OBJECT (uploads->sink,
          "a handler of get-signature or of a message is still running in a "
          "thread of ours, which will end when it returns");
    vod_upload_unref (l->data);
  }
  g_slist_free (retired);
}

/* --- results --------------------------------------------------------------*/

void
gst_vod_uploads_install_results (GObjectClass *klass)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  /**
   * GstVodSink:file-id:
   *
   * The service's id of the media. Set before vodsink-finish is posted, %NULL
   * again when the next upload starts.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_FILE_ID,
      g_param_spec_string ("file-id", "File id",
          "The service's id of the committed media (NULL = not committed)",
          NULL, flags));
  /**
   * GstVodSink:video-url:
   *
   * Where the media can be played. As #GstVodSink:file-id.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_VIDEO_URL,
      g_param_spec_string ("video-url", "Video URL",
          "URL of the committed media (NULL = not committed)", NULL, flags));
  /**
   * GstVodSink:cover-url:
   *
   * Where the cover is; %NULL without one. As #GstVodSink:file-id.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_COVER_URL,
      g_param_spec_string ("cover-url", "Cover URL",
          "URL of the cover (NULL = not committed, or without one)", NULL,
          flags));
  /**
   * GstVodSink:stats:
   *
   * Counters of the current upload, or of the last one: see the documentation
   * for its fields.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Counters (bytes, parts, bytes/s, ns of blocked-time) and the state "
          "of "
          "the current or last upload",
          GST_TYPE_STRUCTURE, flags));
}

/* As soon as it is said how the upload has ended, that is its state, for who
 * reads it right then, and if no VodUpload could begin. That one itself has ended
 * only once all has been said. With the lock. */
static void
settle_state (const GstVodUploads *uploads, VodUploadStats *stats)
{
  if (uploads->report == NULL)
    return;
  switch (gst_vod_report_outcome (uploads->report)) {
    case GST_VOD_FINISHED:
      stats->state = "done";
      break;
    case GST_VOD_FAILED:
    case GST_VOD_DISCARDING:
      stats->state = "failed";
      break;
    case GST_VOD_UNDER_WAY:
      break;
  }
}

static GstStructure *
create_stats (GstVodUploads *uploads)
{
  GstStructure *base = gst_base_sink_get_stats (uploads->sink);
  GstStructure *structure;
  VodUploadStats stats;

  g_mutex_lock (uploads->lock);
  if (uploads->upload)
    vod_upload_get_stats (uploads->upload, &stats);
  else
    stats = uploads->last_stats;
  stats.bytes_received += uploads->dropped;
  settle_state (uploads, &stats);
  g_mutex_unlock (uploads->lock);
  structure = gst_vod_stats_structure (&stats, base);
  gst_structure_free (base);
  return structure;
}

void
gst_vod_uploads_get_result (GstVodUploads *uploads, guint id, GValue *value)
{
  if (id == GST_VOD_PROP_STATS) {
    g_value_take_boxed (value, create_stats (uploads));
    return;
  }
  g_mutex_lock (uploads->lock);
  if (uploads->report)
    g_value_take_string (value,
        id == GST_VOD_PROP_FILE_ID ? gst_vod_report_file_id (uploads->report)
            : id == GST_VOD_PROP_VIDEO_URL
            ? gst_vod_report_video_url (uploads->report)
            : gst_vod_report_cover_url (uploads->report));
  g_mutex_unlock (uploads->lock);
}

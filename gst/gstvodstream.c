/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstvodstream.h"

#include "gstvodimage.h"
#include "gstvodmedia.h"

GST_DEBUG_CATEGORY_EXTERN (gst_vod_sink_debug);
#define GST_CAT_DEFAULT gst_vod_sink_debug

void
gst_vod_stream_init (GstVodStream *stream, GstBaseSink *sink, GMutex *lock,
    GstVodUploads *uploads)
{
  stream->sink = sink;
  stream->lock = lock;
  stream->uploads = uploads;
}

/* With the lock, or alone. */
static void
drop_tags (GstVodStream *stream)
{
  g_clear_pointer (&stream->title, g_free);
  g_clear_pointer (&stream->image, g_bytes_unref);
}

void
gst_vod_stream_clear (GstVodStream *stream)
{
  drop_tags (stream);
}

static gchar *
upstream_file (const GstVodStream *stream, guint64 *size)
{
  return gst_vod_media_upstream_file (GST_BASE_SINK_PAD (stream->sink), size);
}

/* --- what it says ---------------------------------------------------------*/

static void
note_segment (GstVodStream *stream, GstEvent *event)
{
  const GstSegment *segment;
  g_autofree gchar *file = NULL;
  guint64 size;

  gst_event_parse_segment (event, &segment);
  if (segment->format != GST_FORMAT_BYTES)
    return;
  file = upstream_file (stream, &size);
  GST_DEBUG_OBJECT (
      stream->sink, "next byte goes to %" G_GUINT64_FORMAT, segment->start);
  g_mutex_lock (stream->lock);
  stream->seek_pending = TRUE;
  stream->seek_to = segment->start;
  /* A muxer before a tee asks another branch whether it can seek. One that does
   * not rewrite speaks of times. */
  if (file == NULL)
    gst_vod_uploads_expect_rewrites (stream->uploads, TRUE);
  g_mutex_unlock (stream->lock);
}

static void
note_tags (GstVodStream *stream, GstEvent *event)
{
  GBytes *image;
  GstTagList *tags;
  gchar *title = NULL;

  gst_event_parse_tag (event, &tags);
  gst_tag_list_get_string (tags, GST_TAG_TITLE, &title);
  image = gst_vod_image_from_tags (tags);
  g_mutex_lock (stream->lock);
  if (title) {
    g_free (stream->title);
    stream->title = title;
  }
  if (image) {
    g_clear_pointer (&stream->image, g_bytes_unref);
    stream->image = image;
    gst_vod_uploads_note_image (stream->uploads, image);
  }
  g_mutex_unlock (stream->lock);
}

void
gst_vod_stream_note_event (GstVodStream *stream, GstEvent *event)
{
  if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT)
    note_segment (stream, event);
  else if (GST_EVENT_TYPE (event) == GST_EVENT_TAG)
    note_tags (stream, event);
}

void
gst_vod_stream_note_caps (GstVodStream *stream, const GstCaps *caps)
{
  g_mutex_lock (stream->lock);
  stream->caps_type = gst_vod_media_type_from_caps (caps);
  g_mutex_unlock (stream->lock);
}

/* Muxers that rewrite ask first; what they may rewrite is kept from then on. */
static void
answer_seeking (GstVodStream *stream, GstQuery *query)
{
  GstFormat format;

  gst_query_parse_seeking (query, &format, NULL, NULL, NULL);
  if (format != GST_FORMAT_BYTES && format != GST_FORMAT_DEFAULT) {
    gst_query_set_seeking (query, format, FALSE, 0, -1);
    return;
  }
  gst_query_set_seeking (query, GST_FORMAT_BYTES, TRUE, 0, -1);
  g_mutex_lock (stream->lock);
  gst_vod_uploads_expect_rewrites (stream->uploads, TRUE);
  g_mutex_unlock (stream->lock);
}

static guint64
byte_position (GstVodStream *stream)
{
  guint64 position;

  g_mutex_lock (stream->lock);
  position = stream->seek_pending ? stream->seek_to
                                  : gst_vod_uploads_position (stream->uploads);
  g_mutex_unlock (stream->lock);
  return position;
}

static gboolean
answer_position (GstVodStream *stream, GstQuery *query)
{
  GstFormat format;

  gst_query_parse_position (query, &format, NULL);
  if (format != GST_FORMAT_BYTES && format != GST_FORMAT_DEFAULT)
    return FALSE;
  gst_query_set_position (query, format, byte_position (stream));
  return TRUE;
}

/* filesink's is its file; ours is where the media is, which only Commit tells. */
static gboolean
answer_uri (GstVodStream *stream, GstQuery *query)
{
  GValue url = G_VALUE_INIT;
  gboolean known;

  g_value_init (&url, G_TYPE_STRING);
  gst_vod_uploads_get_result (stream->uploads, GST_VOD_PROP_VIDEO_URL, &url);
  known = g_value_get_string (&url) != NULL;
  if (known)
    gst_query_set_uri (query, g_value_get_string (&url));
  g_value_unset (&url);
  return known;
}

gboolean
gst_vod_stream_answer (GstVodStream *stream, GstQuery *query)
{
  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_SEEKING:
      answer_seeking (stream, query);
      return TRUE;
    case GST_QUERY_FORMATS:
      gst_query_set_formats (query, 2, GST_FORMAT_DEFAULT, GST_FORMAT_BYTES);
      return TRUE;
    case GST_QUERY_POSITION:
      return answer_position (stream, query);
    case GST_QUERY_URI:
      return answer_uri (stream, query);
    default:
      return FALSE;
  }
}

/* --- what is forgotten ----------------------------------------------------*/

void
gst_vod_stream_forget_seek (GstVodStream *stream)
{
  g_mutex_lock (stream->lock);
  stream->seek_pending = FALSE;
  g_mutex_unlock (stream->lock);
}

void
gst_vod_stream_forget_tags (GstVodStream *stream)
{
  g_mutex_lock (stream->lock);
  drop_tags (stream);
  g_mutex_unlock (stream->lock);
}

void
gst_vod_stream_forget (GstVodStream *stream)
{
  g_mutex_lock (stream->lock);
  gst_vod_uploads_expect_rewrites (stream->uploads, FALSE);
  stream->caps_type = NULL;
  drop_tags (stream);
  g_mutex_unlock (stream->lock);
}

/* --- what it means for the upload -----------------------------------------*/

/* @file, @title and @image hold what the facts point to. */
static GstVodStreamFacts
gather_facts (GstVodStream *stream, gchar **file, gchar **title, GBytes **image)
{
  GstVodStreamFacts facts = {0};

  facts.upstream_file = *file = upstream_file (stream, &facts.upstream_size);
  g_mutex_lock (stream->lock);
  facts.caps_type = stream->caps_type;
  facts.title = *title = g_strdup (stream->title);
  facts.image = *image = stream->image ? g_bytes_ref (stream->image) : NULL;
  g_mutex_unlock (stream->lock);
  return facts;
}

VodUpload *
gst_vod_stream_begin_upload (GstVodStream *stream)
{
  g_autofree gchar *file = NULL, *title = NULL;
  g_autoptr (GBytes) image = NULL;

  if (!gst_vod_uploads_active (stream->uploads)) {
    GstVodStreamFacts facts = gather_facts (stream, &file, &title, &image);

    gst_vod_uploads_begin (stream->uploads, &facts);
  }
  return gst_vod_uploads_ref (stream->uploads);
}

void
gst_vod_stream_apply_seek (GstVodStream *stream, VodUpload *upload)
{
  gboolean pending;
  guint64 position;

  g_mutex_lock (stream->lock);
  pending = stream->seek_pending;
  position = stream->seek_to;
  stream->seek_pending = FALSE;
  g_mutex_unlock (stream->lock);
  if (pending)
    vod_upload_seek (upload, position);
}

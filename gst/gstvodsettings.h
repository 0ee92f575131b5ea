/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gstvodsettings: the element's settable properties: their values, their
 * declaration, and what one upload takes from them.
 *
 * A GstVodSettings is plain data; the element's lock guards it.
 */
#pragma once

#include <gst/gst.h>

#include "upload/vodupload.h"

G_BEGIN_DECLS

#define GST_VOD_DEFAULT_ENDPOINT "https://vod2.qcloud.com"
#define GST_VOD_DEFAULT_BACKUP_ENDPOINT "https://vod2.dnsv1.com" /* of that */
#define GST_VOD_DEFAULT_USER_AGENT "GStreamer vodsink/" VERSION
#define GST_VOD_MIN_SLICE_SIZE G_GUINT64_CONSTANT (1048576)
#define GST_VOD_DEFAULT_SLICE_SIZE G_GUINT64_CONSTANT (8388608)
#define GST_VOD_DEFAULT_PARALLEL_UPLOADS 6
#define GST_VOD_DEFAULT_MAX_SIZE_BYTES G_GUINT64_CONSTANT (67108864)
#define GST_VOD_DEFAULT_PROGRESS_INTERVAL 1000 /* ms */
#define GST_VOD_DEFAULT_TIMEOUT 15             /* s */
#define GST_VOD_DEFAULT_RETRY_DURATION 300     /* s */

typedef struct {
  gchar *location;
  gchar *media_name;
  gchar *media_type;
  gchar *cover_location;
  GBytes *cover; /* of the sample, up to a byte more than may be */
  gchar *report_id;
  gchar *report_endpoint;
  gchar *storage_region;
  gchar *signature;
  gchar *signature_url;
  GstStructure *signature_headers;
  guint64 slice_size;
  guint parallel_uploads;
  guint64 max_size_bytes;
  guint64 max_upload_bitrate;
  gboolean upload_paused;
  gboolean content_md5;
  guint progress_interval;
  gchar *endpoint;
  gchar *backup_endpoint;
  gboolean forward;
  gchar *storage_endpoint;
  guint timeout;
  gint retry_duration;
  gchar *proxy;
  gchar *user_agent;
  gchar *tls_ca_file;
  gboolean fatal_errors;
  gboolean resume;
  gchar *state_dir;
  gchar *resume_key;
  gboolean spool;
  gboolean keep_spool;
  gboolean discard_on_stop;
  gchar *recover_key; /* no property: which session vod-resume goes on with */
} GstVodSettings;

/* Property ids 1 … GST_VOD_SETTINGS_LAST; the element's own come after. */
enum {
  GST_VOD_PROP_LOCATION = 1,
  GST_VOD_PROP_MEDIA_NAME,
  GST_VOD_PROP_MEDIA_TYPE,
  GST_VOD_PROP_COVER_LOCATION,
  GST_VOD_PROP_COVER,
  GST_VOD_PROP_REPORT_ID,
  GST_VOD_PROP_REPORT_ENDPOINT,
  GST_VOD_PROP_STORAGE_REGION,
  GST_VOD_PROP_SIGNATURE,
  GST_VOD_PROP_SIGNATURE_URL,
  GST_VOD_PROP_SIGNATURE_HEADERS,
  GST_VOD_PROP_SLICE_SIZE,
  GST_VOD_PROP_PARALLEL_UPLOADS,
  GST_VOD_PROP_MAX_SIZE_BYTES,
  GST_VOD_PROP_MAX_UPLOAD_BITRATE,
  GST_VOD_PROP_UPLOAD_PAUSED,
  GST_VOD_PROP_CONTENT_MD5,
  GST_VOD_PROP_PROGRESS_INTERVAL,
  GST_VOD_PROP_ENDPOINT,
  GST_VOD_PROP_BACKUP_ENDPOINT,
  GST_VOD_PROP_FORWARD,
  GST_VOD_PROP_STORAGE_ENDPOINT,
  GST_VOD_PROP_TIMEOUT,
  GST_VOD_PROP_RETRY_DURATION,
  GST_VOD_PROP_PROXY,
  GST_VOD_PROP_USER_AGENT,
  GST_VOD_PROP_TLS_CA_FILE,
  GST_VOD_PROP_FATAL_ERRORS,
  GST_VOD_PROP_RESUME,
  GST_VOD_PROP_STATE_DIR,
  GST_VOD_PROP_RESUME_KEY,
  GST_VOD_PROP_SPOOL,
  GST_VOD_PROP_KEEP_SPOOL,
  GST_VOD_PROP_DISCARD_ON_STOP,
  GST_VOD_SETTINGS_LAST = GST_VOD_PROP_DISCARD_ON_STOP,
};

/* What the stream itself says about the media. All may be NULL. */
typedef struct {
  const gchar *caps_type;     /* from the caps */
  const gchar *upstream_file; /* path, if the bytes are a file's own */
  guint64 upstream_size;      /* bytes of it; 0: not known */
  const gchar *title;         /* tag */
  GBytes *image;              /* tag */
} GstVodStreamFacts;

/* Declares the properties (gstvodproperties.c). */
void gst_vod_settings_install (GObjectClass *klass);

/* The defaults. */
void gst_vod_settings_init (GstVodSettings *settings);
void gst_vod_settings_clear (GstVodSettings *settings);

/* @id is one of the above, but for GST_VOD_PROP_COVER. */
void
gst_vod_settings_set (GstVodSettings *settings, guint id, const GValue *value);

/* @image: of gst_vod_image_from_sample(), or NULL. */
void gst_vod_settings_set_cover (GstVodSettings *settings, GBytes *image);
void
gst_vod_settings_get (const GstVodSettings *settings, guint id, GValue *value);

/* TRUE for what an upload takes when it starts (L in the documentation). */
gboolean gst_vod_settings_is_latched (guint id);

/* What an upload that starts now takes (to be cleared). VOD_ERROR_PARAMETER
 * names the property that cannot be used and says what to set;
 * VOD_ERROR_MEDIA_TYPE: the type of the media is not known. Does not touch the
 * network. */
gboolean gst_vod_settings_latch (const GstVodSettings *settings,
    const GstVodStreamFacts *facts, VodUploadSettings *upload, GError **error);

G_END_DECLS

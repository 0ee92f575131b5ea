/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstvodsettings.h"

#include <string.h>

gboolean
gst_vod_settings_is_latched (guint id)
{
  switch (id) {
    case GST_VOD_PROP_COVER:
    case GST_VOD_PROP_SIGNATURE:
    case GST_VOD_PROP_MAX_UPLOAD_BITRATE:
    case GST_VOD_PROP_UPLOAD_PAUSED:
    case GST_VOD_PROP_PROGRESS_INTERVAL:
    case GST_VOD_PROP_RETRY_DURATION:
    case GST_VOD_PROP_FATAL_ERRORS:
    case GST_VOD_PROP_DISCARD_ON_STOP:
      return FALSE;
    default:
      return TRUE;
  }
}

/* --- values ---------------------------------------------------------------*/

void
gst_vod_settings_init (GstVodSettings *settings)
{
  *settings = (GstVodSettings){
      .slice_size = GST_VOD_DEFAULT_SLICE_SIZE,
      .parallel_uploads = GST_VOD_DEFAULT_PARALLEL_UPLOADS,
      .max_size_bytes = GST_VOD_DEFAULT_MAX_SIZE_BYTES,
      .progress_interval = GST_VOD_DEFAULT_PROGRESS_INTERVAL,
      .endpoint = g_strdup (GST_VOD_DEFAULT_ENDPOINT),
      .forward = TRUE,
      .timeout = GST_VOD_DEFAULT_TIMEOUT,
      .retry_duration = GST_VOD_DEFAULT_RETRY_DURATION,
      .user_agent = g_strdup (GST_VOD_DEFAULT_USER_AGENT),
      .fatal_errors = TRUE,
      .resume = TRUE,
  };
}

void
gst_vod_settings_clear (GstVodSettings *settings)
{
  g_free (settings->location);
  g_free (settings->media_name);
  g_free (settings->media_type);
  g_free (settings->cover_location);
  g_clear_pointer (&settings->cover, g_bytes_unref);
  g_free (settings->report_id);
  g_free (settings->report_endpoint);
  g_free (settings->storage_region);
  g_free (settings->signature);
  g_free (settings->signature_url);
  g_clear_pointer (&settings->signature_headers, gst_structure_free);
  g_free (settings->endpoint);
  g_free (settings->backup_endpoint);
  g_free (settings->storage_endpoint);
  g_free (settings->proxy);
  g_free (settings->user_agent);
  g_free (settings->tls_ca_file);
  g_free (settings->state_dir);
  g_free (settings->resume_key);
  g_free (settings->recover_key);
  *settings = (GstVodSettings){0};
}

/* The string that @id stands for; NULL if it is not one. */
static gchar **
string_of (GstVodSettings *settings, guint id)
{
  switch (id) {
    case GST_VOD_PROP_LOCATION:
      return &settings->location;
    case GST_VOD_PROP_MEDIA_NAME:
      return &settings->media_name;
    case GST_VOD_PROP_MEDIA_TYPE:
      return &settings->media_type;
    case GST_VOD_PROP_COVER_LOCATION:
      return &settings->cover_location;
    case GST_VOD_PROP_REPORT_ID:
      return &settings->report_id;
    case GST_VOD_PROP_REPORT_ENDPOINT:
      return &settings->report_endpoint;
    case GST_VOD_PROP_STORAGE_REGION:
      return &settings->storage_region;
    case GST_VOD_PROP_SIGNATURE:
      return &settings->signature;
    case GST_VOD_PROP_SIGNATURE_URL:
      return &settings->signature_url;
    case GST_VOD_PROP_ENDPOINT:
      return &settings->endpoint;
    case GST_VOD_PROP_BACKUP_ENDPOINT:
      return &settings->backup_endpoint;
    case GST_VOD_PROP_STORAGE_ENDPOINT:
      return &settings->storage_endpoint;
    case GST_VOD_PROP_PROXY:
      return &settings->proxy;
    case GST_VOD_PROP_USER_AGENT:
      return &settings->user_agent;
    case GST_VOD_PROP_TLS_CA_FILE:
      return &settings->tls_ca_file;
    case GST_VOD_PROP_STATE_DIR:
      return &settings->state_dir;
    case GST_VOD_PROP_RESUME_KEY:
      return &settings->resume_key;
    default:
      return NULL;
  }
}

void
gst_vod_settings_set_cover (GstVodSettings *settings, GBytes *image)
{
  g_clear_pointer (&settings->cover, g_bytes_unref);
  settings->cover = image ? g_bytes_ref (image) : NULL;
}

void
gst_vod_settings_set (GstVodSettings *settings, guint id, const GValue *value)
{
  gchar **string = string_of (settings, id);

  if (string) {
    g_free (*string);
    *string = g_value_dup_string (value);
    /* An empty proxy is none, as for souphttpsrc. */
    if (id == GST_VOD_PROP_PROXY && *string && **string == '\0')
      g_clear_pointer (string, g_free);
    return;
  }
  switch (id) {
    case GST_VOD_PROP_SIGNATURE_HEADERS:
      g_clear_pointer (&settings->signature_headers, gst_structure_free);
      settings->signature_headers = g_value_dup_boxed (value);
      break;
    case GST_VOD_PROP_SLICE_SIZE:
      settings->slice_size = g_value_get_uint64 (value);
      break;
    case GST_VOD_PROP_PARALLEL_UPLOADS:
      settings->parallel_uploads = g_value_get_uint (value);
      break;
    case GST_VOD_PROP_MAX_SIZE_BYTES:
      settings->max_size_bytes = g_value_get_uint64 (value);
      break;
    case GST_VOD_PROP_MAX_UPLOAD_BITRATE:
      settings->max_upload_bitrate = g_value_get_uint64 (value);
      break;
    case GST_VOD_PROP_UPLOAD_PAUSED:
      settings->upload_paused = g_value_get_boolean (value);
      break;
    case GST_VOD_PROP_CONTENT_MD5:
      settings->content_md5 = g_value_get_boolean (value);
      break;
    case GST_VOD_PROP_PROGRESS_INTERVAL:
      settings->progress_interval = g_value_get_uint (value);
      break;
    case GST_VOD_PROP_FORWARD:
      settings->forward = g_value_get_boolean (value);
      break;
    case GST_VOD_PROP_TIMEOUT:
      settings->timeout = g_value_get_uint (value);
      break;
    case GST_VOD_PROP_RETRY_DURATION:
      settings->retry_duration = g_value_get_int (value);
      break;
    case GST_VOD_PROP_FATAL_ERRORS:
      settings->fatal_errors = g_value_get_boolean (value);
      break;
    case GST_VOD_PROP_RESUME:
      settings->resume = g_value_get_boolean (value);
      break;
    case GST_VOD_PROP_SPOOL:
      settings->spool = g_value_get_boolean (value);
      break;
    case GST_VOD_PROP_KEEP_SPOOL:
      settings->keep_spool = g_value_get_boolean (value);
      break;
    case GST_VOD_PROP_DISCARD_ON_STOP:
      settings->discard_on_stop = g_value_get_boolean (value);
      break;
    default:
      g_return_if_reached ();
  }
}

/* @uri without the user name and password in it. */
static gchar *
hide_userinfo (const gchar *uri)
{
  const gchar *scheme_end, *authority, *authority_end, *at;

  if (uri == NULL)
    return NULL;
  /* Not a URI parser's work: what cannot be parsed must not leak either. */
  scheme_end = strstr (uri, "://");
  authority = scheme_end ? scheme_end + 3 : uri;
  authority_end = authority + strcspn (authority, "/?#");
  at = g_strrstr_len (authority, authority_end - authority, "@");
  if (at == NULL)
    return g_strdup (uri);
  return g_strdup_printf ("%.*s%s", (int)(authority - uri), uri, at + 1);
}

void
gst_vod_settings_get (const GstVodSettings *settings, guint id, GValue *value)
{
  gchar **string = string_of ((GstVodSettings *)settings, id);

  if (id == GST_VOD_PROP_SIGNATURE_URL || id == GST_VOD_PROP_PROXY) {
    g_value_take_string (value, hide_userinfo (*string));
    return;
  }
  if (string) {
    g_value_set_string (value, *string);
    return;
  }
  switch (id) {
    case GST_VOD_PROP_SLICE_SIZE:
      g_value_set_uint64 (value, settings->slice_size);
      break;
    case GST_VOD_PROP_PARALLEL_UPLOADS:
      g_value_set_uint (value, settings->parallel_uploads);
      break;
    case GST_VOD_PROP_MAX_SIZE_BYTES:
      g_value_set_uint64 (value, settings->max_size_bytes);
      break;
    case GST_VOD_PROP_MAX_UPLOAD_BITRATE:
      g_value_set_uint64 (value, settings->max_upload_bitrate);
      break;
    case GST_VOD_PROP_UPLOAD_PAUSED:
      g_value_set_boolean (value, settings->upload_paused);
      break;
    case GST_VOD_PROP_CONTENT_MD5:
      g_value_set_boolean (value, settings->content_md5);
      break;
    case GST_VOD_PROP_PROGRESS_INTERVAL:
      g_value_set_uint (value, settings->progress_interval);
      break;
    case GST_VOD_PROP_FORWARD:
      g_value_set_boolean (value, settings->forward);
      break;
    case GST_VOD_PROP_TIMEOUT:
      g_value_set_uint (value, settings->timeout);
      break;
    case GST_VOD_PROP_RETRY_DURATION:
      g_value_set_int (value, settings->retry_duration);
      break;
    case GST_VOD_PROP_FATAL_ERRORS:
      g_value_set_boolean (value, settings->fatal_errors);
      break;
    case GST_VOD_PROP_RESUME:
      g_value_set_boolean (value, settings->resume);
      break;
    case GST_VOD_PROP_SPOOL:
      g_value_set_boolean (value, settings->spool);
      break;
    case GST_VOD_PROP_KEEP_SPOOL:
      g_value_set_boolean (value, settings->keep_spool);
      break;
    case GST_VOD_PROP_DISCARD_ON_STOP:
      g_value_set_boolean (value, settings->discard_on_stop);
      break;
    default:
      g_return_if_reached ();
  }
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one upload takes from the settings, checked; see gstvodsettings.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <string.h>

#include "cloud/vodapi.h"
#include "cloud/vodhost.h"
#include "cloud/vodsignature.h"
#include "gstvodidentity.h"
#include "gstvodmedia.h"
#include "gstvodsettings.h"
#include "upload/vodsession.h"

#define DEFAULT_NAME "来自GStreamer"
#define DEFAULT_REPORT_ENDPOINT "https://vodreport.qcloud.com" /* of that one */
#define FIRST_AGAIN 30000                                      /* ms */
#define WORKER_IDLE 10000                                      /* ms */
#define OUTAGE 20000                                           /* ms */
#define MAX_REPORT_ID 256                                      /* bytes */
#define NEAREST_REGION "auto"
#define REGION_AGAIN (5 * 60 * 1000) /* ms */
#define REGION_MAX_BYTES 60

static gboolean
check_media (const GstVodSettings *settings, GError **error)
{
  const gchar *wrong;

  if (settings->media_name &&
      (wrong = vod_api_check_name (settings->media_name))) {
    vod_error_set (
        error, VOD_ERROR_PARAMETER, "media-name cannot be used: %s", wrong);
    return FALSE;
  }
  if (settings->media_type && !vod_api_check_type (settings->media_type)) {
    vod_error_set (error, VOD_ERROR_PARAMETER,
        "media-type must be a file extension without dot, such as mp4");
    return FALSE;
  }
  return TRUE;
}

static gboolean
check_resume (const GstVodSettings *settings, GError **error)
{
  const gchar *key = settings->resume_key;

  if (settings->state_dir && *settings->state_dir == '\0') {
    vod_error_set (
        error, VOD_ERROR_PARAMETER, "state-dir must be the path of a folder");
    return FALSE;
  }
  if (key == NULL)
    return TRUE;
  if (*key != '\0' && strlen (key) <= VOD_SESSION_MAX_RESUME_KEY &&
      g_utf8_validate (key, -1, NULL))
    return TRUE;
  vod_error_set (error, VOD_ERROR_PARAMETER,
      "resume-key must be 1 to %d bytes of UTF-8", VOD_SESSION_MAX_RESUME_KEY);
  return FALSE;
}

/* An empty one is none. */
static gboolean
check_report_id (const gchar *id, GError **error)
{
  gboolean usable = TRUE;

  if (id == NULL)
    return TRUE;
  usable = strlen (id) <= MAX_REPORT_ID && g_utf8_validate (id, -1, NULL);
  for (; usable && *id != '\0'; id = g_utf8_next_char (id))
    usable = !g_unichar_iscntrl (g_utf8_get_char (id));
  if (!usable)
    vod_error_set (error, VOD_ERROR_PARAMETER,
        "report-id must be 1 to %d bytes of UTF-8 without control characters",
        MAX_REPORT_ID);
  return usable;
}

static gboolean
check_region (const GstVodSettings *settings, GError **error)
{
  const gchar *region = settings->storage_region;

  if (region == NULL ||
      (vod_host_is_label (region, REGION_MAX_BYTES) &&
          strpbrk (region, G_CSET_A_2_Z) == NULL))
    return TRUE;
  vod_error_set (error, VOD_ERROR_PARAMETER,
      "storage-region must be a region such as ap-shanghai, or auto");
  return FALSE;
}

static gboolean
check_base_uri (const gchar *uri, const gchar *property, GError **error)
{
  g_autofree gchar *checked =
      vod_http_check_base_uri (uri ? uri : "", property, error);

  return checked != NULL;
}

static const gchar *
user_agent (const GstVodSettings *settings)
{
  return settings->user_agent ? settings->user_agent
                              : GST_VOD_DEFAULT_USER_AGENT;
}

static gboolean
check_network (const GstVodSettings *settings, GError **error)
{
  VodHttpSettings http = {
      .user_agent = user_agent (settings),
      .proxy = settings->proxy,
  };
  const gchar *wrong;

  if (!check_base_uri (
          settings->endpoint ? settings->endpoint : "", "endpoint", error))
    return FALSE;
  if (settings->backup_endpoint &&
      !check_base_uri (settings->backup_endpoint, "backup-endpoint", error))
    return FALSE;
  if (settings->storage_endpoint &&
      !check_base_uri (settings->storage_endpoint, "storage-endpoint", error))
    return FALSE;
  if (settings->report_endpoint &&
      !check_base_uri (settings->report_endpoint, "report-endpoint", error))
    return FALSE;
  if (settings->signature_url &&
      (wrong = vod_signature_check_url (settings->signature_url))) {
    vod_error_set (
        error, VOD_ERROR_PARAMETER, "signature-url cannot be used: %s", wrong);
    return FALSE;
  }
  if (!vod_http_check_settings (&http, error))
    return FALSE;
  if (settings->tls_ca_file &&
      !g_file_test (settings->tls_ca_file, G_FILE_TEST_EXISTS)) {
    g_autofree gchar *name = vod_printable (settings->tls_ca_file, 256);

    vod_error_set (error, VOD_ERROR_PARAMETER,
        "tls-ca-file does not exist: %s; set it to a file of PEM certificates, "
        "or leave it unset for the system's",
        name);
    return FALSE;
  }
  return TRUE;
}

static gboolean
add_header (GQuark field, const GValue *value, gpointer headers)
{
  if (!G_VALUE_HOLDS_STRING (value) || g_value_get_string (value) == NULL)
    return FALSE;
  g_ptr_array_add (headers, g_strdup (g_quark_to_string (field)));
  g_ptr_array_add (headers, g_value_dup_string (value));
  return TRUE;
}

static gboolean
latch_headers (const GstStructure *structure, gchar ***headers, GError **error)
{
  g_autoptr (GPtrArray) array = g_ptr_array_new_with_free_func (g_free);

  *headers = NULL;
  if (structure == NULL)
    return TRUE;
  if (!gst_structure_foreach (structure, add_header, array)) {
    vod_error_set (error, VOD_ERROR_PARAMETER,
        "signature-headers must have only fields of type string");
    return FALSE;
  }
  g_ptr_array_add (array, NULL);
  *headers = (gchar **)g_ptr_array_free (g_steal_pointer (&array), FALSE);
  return TRUE;
}

static gboolean
check_memory (const GstVodSettings *settings, GError **error)
{
  guint64 slice = settings->max_size_bytes / 4;
  g_autofree gchar *smaller = NULL;

  if (settings->spool || settings->max_size_bytes >= 4 * settings->slice_size)
    return TRUE;
  /* Less than the least cannot be set. */
  if (slice >= GST_VOD_MIN_SLICE_SIZE)
    smaller = g_strdup_printf (
        ", slice-size to %" G_GUINT64_FORMAT " or less", slice);
  vod_error_set (error, VOD_ERROR_PARAMETER,
      "max-size-bytes is %" G_GUINT64_FORMAT
      " but must be at least 4 x slice-size: set it to %" G_GUINT64_FORMAT
      " or more%s, or spool=true",
      settings->max_size_bytes, 4 * settings->slice_size,
      smaller ? smaller : "");
  return FALSE;
}

static gchar *
choose_name (const GstVodSettings *settings, const GstVodStreamFacts *facts)
{
  gchar *name = g_strdup (settings->media_name);

  if (name == NULL)
    name = gst_vod_media_name_from_location (settings->location);
  if (name == NULL)
    name = gst_vod_media_name_from_location (facts->upstream_file);
  if (name == NULL && facts->title)
    name = vod_api_derive_name (facts->title);
  return name ? name : g_strdup (DEFAULT_NAME);
}

static gchar *
choose_type (const GstVodSettings *settings, const GstVodStreamFacts *facts)
{
  gchar *type = g_strdup (settings->media_type);

  if (type == NULL)
    type = gst_vod_media_type_from_location (settings->location);
  if (type == NULL)
    type = g_strdup (facts->caps_type);
  if (type == NULL)
    type = gst_vod_media_type_from_location (facts->upstream_file);
  return type;
}

/* @upload has an endpoint. */
static gchar *
choose_backup (const GstVodSettings *settings, const VodUploadSettings *upload)
{
  if (settings->backup_endpoint)
    return vod_http_check_base_uri (
        settings->backup_endpoint, "backup-endpoint", NULL);
  return g_strdup (
      upload->endpoint_is_default ? GST_VOD_DEFAULT_BACKUP_ENDPOINT : NULL);
}

static void
choose_region (const GstVodSettings *settings, VodUploadSettings *upload)
{
  upload->nearest_region =
      g_strcmp0 (settings->storage_region, NEAREST_REGION) == 0;
  upload->region_again = REGION_AGAIN;
  if (!upload->nearest_region)
    upload->region = g_strdup (settings->storage_region);
}

/* @upload has an endpoint. */
static gchar *
choose_report_endpoint (
    const GstVodSettings *settings, const VodUploadSettings *upload)
{
  if (settings->report_endpoint)
    return vod_http_check_base_uri (
        settings->report_endpoint, "report-endpoint", NULL);
  return g_strdup (
      upload->endpoint_is_default ? DEFAULT_REPORT_ENDPOINT : upload->endpoint);
}

static void
latch_reports (const GstVodSettings *settings, VodUploadSettings *upload)
{
  const gchar *id = settings->report_id;
  g_autofree gchar *version = NULL, *os = NULL;

  if (id == NULL || *id == '\0')
    return;
  version = gst_version_string ();
  os = g_get_os_info (G_OS_INFO_KEY_PRETTY_NAME);
  upload->report_id = g_strdup (id);
  upload->report_endpoint = choose_report_endpoint (settings, upload);
  upload->report_device = g_strconcat (version, os ? ", " : NULL, os, NULL);
}

gboolean
gst_vod_settings_latch (const GstVodSettings *settings,
    const GstVodStreamFacts *facts, VodUploadSettings *upload, GError **error)
{
  *upload = (VodUploadSettings){0};
  if (!check_media (settings, error) || !check_network (settings, error) ||
      !latch_headers (
          settings->signature_headers, &upload->signature_headers, error) ||
      !check_memory (settings, error) || !check_resume (settings, error) ||
      !check_region (settings, error) ||
      !check_report_id (settings->report_id, error)) {
    vod_upload_settings_clear (upload);
    return FALSE;
  }

  upload->type = choose_type (settings, facts);
  if (upload->type == NULL) {
    vod_upload_settings_clear (upload);
    vod_error_set (error, VOD_ERROR_MEDIA_TYPE,
        "The type of the media is not known from its caps: set media-type "
        "(e.g. mp4), or location with an extension");
    return FALSE;
  }
  upload->name = choose_name (settings, facts);
  if (settings->cover_location && *settings->cover_location != '\0')
    upload->cover_location = g_strdup (settings->cover_location);
  upload->expected_size = facts->upstream_file ? facts->upstream_size : 0;
  upload->endpoint =
      vod_http_check_base_uri (settings->endpoint, "endpoint", NULL);
  upload->endpoint_is_default =
      strcmp (upload->endpoint, GST_VOD_DEFAULT_ENDPOINT) == 0;
  upload->backup_endpoint = choose_backup (settings, upload);
  upload->first_again = FIRST_AGAIN;
  if (settings->storage_endpoint)
    upload->storage_endpoint = vod_http_check_base_uri (
        settings->storage_endpoint, "storage-endpoint", NULL);
  choose_region (settings, upload);
  upload->forward = settings->forward;
  upload->signature_url = g_strdup (settings->signature_url);
  upload->slice_size = settings->slice_size;
  upload->max_size_bytes = settings->max_size_bytes;
  upload->parallel_uploads = settings->parallel_uploads;
  upload->content_md5 = settings->content_md5;
  upload->user_agent = g_strdup (user_agent (settings));
  upload->proxy = g_strdup (settings->proxy);
  upload->tls_ca_file = g_strdup (settings->tls_ca_file);
  upload->timeout = settings->timeout;
  upload->worker_idle = WORKER_IDLE;
  upload->outage = OUTAGE;
  upload->resume = settings->resume;
  upload->spool = settings->spool;
  upload->keep_spool = settings->keep_spool;
  upload->state_dir = g_strdup (settings->state_dir);
  latch_reports (settings, upload);
  gst_vod_identity_latch (settings, facts, upload);
  return TRUE;
}

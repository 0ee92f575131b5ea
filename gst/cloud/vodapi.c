/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodapi: see vodapi.h.
 */
#include "vodapi.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "voderror.h"
#include "vodhost.h"
#include "vodjson.h"
#include "vodtext.h"

#define ANSWER_MAX (1024 * 1024)
#define NAME_MAX_BYTES 200
#define KEY_MAX_BYTES 850 /* the storage's limit */
#define BUCKET_MAX_BYTES 50
#define REGION_MAX_BYTES 60
#define SECRET_MAX_BYTES 8192
#define URL_MAX_BYTES 4096
#define UNKNOWN_LIFE (30 * 60)                  /* seconds */
#define LATEST G_GINT64_CONSTANT (253402300799) /* the end of the year 9999 */
#define REGIONS_MAX 32

static void
applied_clear (gpointer data)
{
  VodApiApplied *applied = data;

  g_free (applied->session_key);
  g_free (applied->bucket_host);
  g_free (applied->key);
  g_free (applied->cover_key);
  g_free (applied->accelerate_host);
  g_free (applied->upload_domain);
  g_free (applied->credentials.secret_id);
  g_free (applied->credentials.secret_key);
  g_free (applied->credentials.token);
}

VodApiApplied *
vod_api_applied_recall (
    const gchar *session_key, const gchar *bucket_host, const gchar *key)
{
  VodApiApplied *applied = g_atomic_rc_box_new0 (VodApiApplied);

  applied->session_key = g_strdup (session_key);
  applied->bucket_host = g_strdup (bucket_host);
  applied->key = g_strdup (key);
  return applied;
}

gchar *
vod_api_applied_region (const VodApiApplied *applied)
{
  g_auto (GStrv) labels = g_strsplit (applied->bucket_host, ".", 4);

  return g_strdup (labels[2]);
}

gboolean
vod_api_applied_same_object (
    const VodApiApplied *one, const VodApiApplied *other)
{
  return g_strcmp0 (one->key, other->key) == 0 &&
      g_strcmp0 (one->bucket_host, other->bucket_host) == 0;
}

VodApiApplied *
vod_api_applied_ref (VodApiApplied *applied)
{
  return g_atomic_rc_box_acquire (applied);
}

void
vod_api_applied_unref (VodApiApplied *applied)
{
  g_atomic_rc_box_release_full (applied, applied_clear);
}

void
vod_api_committed_clear (VodApiCommitted *committed)
{
  g_clear_pointer (&committed->file_id, g_free);
  g_clear_pointer (&committed->video_url, g_free);
  g_clear_pointer (&committed->cover_url, g_free);
  g_clear_pointer (&committed->verify_content, g_free);
}

/* --- a call --- */

static void
add_string (JsonBuilder *builder, const gchar *name, const gchar *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value);
}

/* Ends the object that @builder has begun. */
static GBytes *
finish_body (JsonBuilder *builder)
{
  json_builder_end_object (builder);
  return vod_json_to_bytes (builder);
}

/* @timeout: seconds; 0: the connection's. */
static gboolean
post (VodHttp *http, const gchar *endpoint, const gchar *action, GBytes *bytes,
    guint timeout, GCancellable *cancellable, VodHttpAnswer *answer,
    GError **error)
{
  g_autofree gchar *uri =
      g_strdup_printf ("%s/v3/index.php?Action=%s", endpoint, action);
  VodHttpBody body = vod_http_body_from_bytes (bytes);
  /* Not replayable: a signature may be good for one request only. */
  VodHttpRequest request = {.method = "POST",
      .uri = uri,
      .content_type = "application/json",
      .body = &body,
      .timeout = timeout,
      .max_answer = ANSWER_MAX};

  return vod_http_send (http, &request, cancellable, answer, error);
}

static GError *
service_error (gint64 code, JsonObject *root)
{
  const gchar *message = vod_json_string (root, "message");
  const gchar *id = vod_json_string (root, "requestId");
  g_autofree gchar *said = vod_quotable (message ? message : "", 300);
  GError *error = vod_error_new (VOD_ERROR_SERVICE,
      "the service refused with code %" G_GINT64_FORMAT "%s%s", code,
      *said ? ": " : "", said);
  VodErrorDetails *details = vod_error_details (error);

  details->number = code;
  details->request_id = id ? vod_printable (id, 128) : NULL;
  return error;
}

/* The object of an answer that says code 0; else why not. A status of 500 and
 * more is the server's trouble, whatever the body says. */
static JsonObject *
read_answer (const VodHttpAnswer *answer, GError **error)
{
  gsize len;
  const gchar *text = g_bytes_get_data (answer->body, &len);
  g_autoptr (GError) unreadable = NULL;
  g_autoptr (JsonObject) root = NULL;
  gint64 code;

  if (answer->status < 500)
    root = vod_json_parse (
        len > 0 ? text : "", len, "the service's answer", &unreadable);
  if (root && vod_json_int (root, "code", &code) && code != 0) {
    g_propagate_error (error, service_error (code, root));
    return NULL;
  }
  if (answer->status < 200 || answer->status >= 300) {
    vod_error_set (error, VOD_ERROR_HTTP,
        "the service answered with HTTP status %u", answer->status);
    return NULL;
  }
  if (!root) {
    g_propagate_error (error, g_steal_pointer (&unreadable));
    return NULL;
  }
  if (!vod_json_int (root, "code", &code)) {
    vod_error_set (
        error, VOD_ERROR_PROTOCOL, "the service's answer has no code");
    return NULL;
  }
  return g_steal_pointer (&root);
}

/* By its id the service finds the request again. */
static void
log_answer (const VodLog *log, const gchar *action, JsonObject *root)
{
  g_autofree gchar *id =
      vod_printable (vod_json_string (root, "requestId"), 128);

  if (id)
    vod_log (log, VOD_LOG_DEBUG, "%s: code 0, request id %s", action, id);
}

/* The `data` of the answer to @action. */
static JsonObject *
call (VodHttp *http, const gchar *endpoint, const gchar *action, GBytes *body,
    guint timeout, GCancellable *cancellable, GError **error)
{
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (JsonObject) root = NULL;
  JsonObject *data;
  GError *failure = NULL;

  if (!post (
          http, endpoint, action, body, timeout, cancellable, &answer, error))
    return NULL;
  root = read_answer (&answer, &failure);
  if (root)
    log_answer (vod_http_log (http), action, root);
  data = vod_json_object (root, "data");
  if (data)
    return json_object_ref (data);
  if (!failure)
    failure =
        vod_error_new (VOD_ERROR_PROTOCOL, "the service's answer has no data");
  vod_http_answer_describe (&answer, failure);
  g_propagate_error (error, failure);
  return NULL;
}

/* --- checking what came --- */

static gboolean
wrong (const gchar *name, GError **error)
{
  vod_error_set (error, VOD_ERROR_PROTOCOL,
      "the service's answer has no usable \"%s\"", name);
  return FALSE;
}

/* Copies the string @name if it is a word. */
static gboolean
take_word (JsonObject *object, const gchar *name, gsize max, gchar **result,
    GError **error)
{
  const gchar *text = vod_json_string (object, name);

  if (!text || !vod_text_is_word (text, max))
    return wrong (name, error);
  *result = g_strdup (text);
  return TRUE;
}

/* Valid UTF-8 without control characters. */
static gboolean
is_clean_text (const gchar *text, gsize max)
{
  if (strlen (text) > max || !g_utf8_validate (text, -1, NULL))
    return FALSE;
  for (; *text; text = g_utf8_next_char (text))
    if (g_unichar_iscntrl (g_utf8_get_char (text)))
      return FALSE;
  return TRUE;
}

/* No empty segment, "." or "..". */
gboolean
vod_api_check_object_key (const gchar *key)
{
  g_auto (GStrv) segments = NULL;

  if (!*key || !is_clean_text (key, KEY_MAX_BYTES))
    return FALSE;
  segments = g_strsplit (key, "/", -1);
  for (guint i = 0; segments[i]; i++)
    if (!*segments[i] || strcmp (segments[i], ".") == 0 ||
        strcmp (segments[i], "..") == 0)
      return FALSE;
  return TRUE;
}

gboolean
vod_api_check_session_key (const gchar *session_key)
{
  return vod_text_is_word (session_key, SECRET_MAX_BYTES);
}

/* <bucket>-<appid> */
static gboolean
is_bucket (const gchar *text)
{
  const gchar *dash = strrchr (text, '-');
  g_autofree gchar *name = dash ? g_strndup (text, dash - text) : NULL;

  return name && vod_host_is_label (name, BUCKET_MAX_BYTES) &&
      g_ascii_string_to_unsigned (dash + 1, 10, 1, G_MAXINT64, NULL, NULL);
}

gboolean
vod_api_check_bucket_host (const gchar *host)
{
  g_auto (GStrv) labels = g_strsplit (host, ".", 6);

  return g_strv_length (labels) == 5 && is_bucket (labels[0]) &&
      strcmp (labels[1], "cos") == 0 &&
      vod_host_is_label (labels[2], REGION_MAX_BYTES) &&
      strcmp (labels[3], "myqcloud") == 0 && strcmp (labels[4], "com") == 0;
}

/* <storageBucket>-<storageAppId>.cos.<storageRegionV5>.myqcloud.com */
static gboolean
take_bucket_host (JsonObject *data, gchar **result, GError **error)
{
  const gchar *bucket = vod_json_string (data, "storageBucket");
  const gchar *region = vod_json_string (data, "storageRegionV5");
  gint64 app_id;

  if (!bucket || !vod_host_is_label (bucket, BUCKET_MAX_BYTES))
    return wrong ("storageBucket", error);
  if (!region || !vod_host_is_label (region, REGION_MAX_BYTES))
    return wrong ("storageRegionV5", error);
  if (!vod_json_int (data, "storageAppId", &app_id) || app_id <= 0)
    return wrong ("storageAppId", error);
  *result = g_strdup_printf (
      "%s-%" G_GINT64_FORMAT ".cos.%s.myqcloud.com", bucket, app_id, region);
  return TRUE;
}

/* @what: "video" or "cover". */
static gboolean
take_key (JsonObject *data, const gchar *what, gchar **result, GError **error)
{
  const gchar *path =
      vod_json_string (vod_json_object (data, what), "storagePath");

  if (!path || path[0] != '/' || !vod_api_check_object_key (path + 1))
    return wrong ("storagePath", error);
  *result = g_strdup (path + 1);
  return TRUE;
}

/* Unix seconds. */
static gboolean
take_time (
    JsonObject *object, const gchar *name, gint64 *result, GError **error)
{
  return (vod_json_int (object, name, result) && *result > 0 &&
             *result <= LATEST) ||
      wrong (name, error);
}

static gboolean
take_credentials (
    JsonObject *data, VodCosCredentials *credentials, GError **error)
{
  JsonObject *certificate = vod_json_object (data, "tempCertificate");

  if (!certificate)
    return wrong ("tempCertificate", error);
  if (!take_word (
          certificate, "secretId", 256, &credentials->secret_id, error) ||
      !take_word (
          certificate, "secretKey", 256, &credentials->secret_key, error) ||
      !take_word (
          certificate, "token", SECRET_MAX_BYTES, &credentials->token, error) ||
      !take_time (data, "timestamp", &credentials->start, error) ||
      !take_time (certificate, "expiredTime", &credentials->end, error))
    return FALSE;
  /* As in the one sample there is: a life that has no length is not known. */
  if (credentials->end <= credentials->start)
    credentials->end = credentials->start + UNKNOWN_LIFE;
  return TRUE;
}

/* Nothing but reports needs it: what cannot be is as good as absent. */
static void
take_app_id (JsonObject *data, gint64 *app_id)
{
  if (!vod_json_int (data, "appId", app_id) || *app_id < 0)
    *app_id = 0;
}

/* Extras: what is no host is as if it were not there. */
static gchar *
take_host (JsonObject *object, const gchar *name)
{
  const gchar *host = vod_json_string (object, name);

  return host && vod_host_check (host) ? g_ascii_strdown (host, -1) : NULL;
}

static gchar *
take_upload_domain (JsonObject *data)
{
  JsonObject *acceleration = vod_json_object (data, "cosAcc");
  gchar *domain = take_host (data, "storageUploadDomain");
  gint64 open;

  if (!domain && vod_json_int (acceleration, "isOpen", &open) && open == 1)
    domain = take_host (acceleration, "domain");
  return domain;
}

/* --- the calls --- */

static void
region_free (gpointer data)
{
  VodApiRegion *region = data;

  g_free (region->name);
  g_free (region->domain);
  g_free (region);
}

/* NULL: not one that could be asked for. */
static VodApiRegion *
take_region (JsonNode *node)
{
  JsonObject *object =
      JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  const gchar *name = vod_json_string (object, "region");
  gchar *domain = take_host (object, "domain");
  VodApiRegion *region;

  if (!name || !vod_host_is_label (name, REGION_MAX_BYTES) || !domain) {
    g_free (domain);
    return NULL;
  }
  region = g_new (VodApiRegion, 1);
  *region = (VodApiRegion){g_strdup (name), domain};
  return region;
}

GPtrArray *
vod_api_prepare (VodHttp *http, const gchar *endpoint, const gchar *signature,
    guint timeout, GCancellable *cancellable, GError **error)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (GBytes) body = NULL;
  g_autoptr (JsonObject) data = NULL;
  GPtrArray *regions;
  JsonArray *list;

  json_builder_begin_object (builder);
  add_string (builder, "signature", signature);
  body = finish_body (builder);
  data = call (
      http, endpoint, "PrepareUploadUGC", body, timeout, cancellable, error);
  if (!data)
    return NULL;
  regions = g_ptr_array_new_with_free_func (region_free);
  list = vod_json_array (data, "cosRegionList");
  for (guint i = 0;
       list && i < json_array_get_length (list) && regions->len < REGIONS_MAX;
       i++) {
    VodApiRegion *region = take_region (json_array_get_element (list, i));

    if (region)
      g_ptr_array_add (regions, region);
  }
  return regions;
}

static void
add_size (JsonBuilder *builder, const gchar *name, guint64 size)
{
  if (size == 0 || size > G_MAXINT64)
    return;
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, (gint64)size);
}

static void
add_cover (
    JsonBuilder *builder, const gchar *name, const gchar *type, guint64 size)
{
  add_string (builder, "coverName", name);
  add_string (builder, "coverType", type);
  add_size (builder, "coverSize", size);
}

static GBytes *
apply_body (const VodApiApply *apply)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  add_string (builder, "signature", apply->signature);
  if (apply->session_key) {
    add_string (builder, "vodSessionKey", apply->session_key);
  } else {
    add_string (builder, "videoName", apply->name);
    add_string (builder, "videoType", apply->type);
    add_size (builder, "videoSize", apply->size);
    if (apply->storage_region)
      add_string (builder, "storageRegion", apply->storage_region);
    if (apply->cover_type)
      add_cover (builder, apply->name, apply->cover_type, apply->cover_size);
  }
  return finish_body (builder);
}

/* What the answer to any Apply has. */
static VodApiApplied *
take_applied (JsonObject *data, GError **error)
{
  g_autoptr (VodApiApplied) applied = g_atomic_rc_box_new0 (VodApiApplied);

  if (!take_word (data, "vodSessionKey", SECRET_MAX_BYTES,
          &applied->session_key, error) ||
      !take_bucket_host (data, &applied->bucket_host, error) ||
      !take_credentials (data, &applied->credentials, error))
    return NULL;
  take_app_id (data, &applied->app_id);
  applied->accelerate_host = take_host (data, "MiniProgramAccelerateHost");
  applied->upload_domain = take_upload_domain (data);
  return g_steal_pointer (&applied);
}

VodApiApplied *
vod_api_apply (VodHttp *http, const gchar *endpoint, const VodApiApply *apply,
    GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) body = apply_body (apply);
  g_autoptr (JsonObject) data =
      call (http, endpoint, "ApplyUploadUGC", body, 0, cancellable, error);
  g_autoptr (VodApiApplied) applied = NULL;

  if (!data)
    return NULL;
  applied = take_applied (data, error);
  if (!applied || !take_key (data, "video", &applied->key, error))
    return NULL;
  /* Without a usable place the cover comes later; the media does not suffer. */
  take_key (data, "cover", &applied->cover_key, NULL);
  if (g_strcmp0 (applied->cover_key, applied->key) == 0)
    g_clear_pointer (&applied->cover_key, g_free);
  return g_steal_pointer (&applied);
}

VodApiApplied *
vod_api_apply_cover (VodHttp *http, const gchar *endpoint,
    const gchar *signature, const gchar *file_id, const gchar *name,
    const gchar *type, guint64 size, GCancellable *cancellable, GError **error)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (GBytes) body = NULL;
  g_autoptr (JsonObject) data = NULL;
  g_autoptr (VodApiApplied) applied = NULL;

  json_builder_begin_object (builder);
  add_string (builder, "signature", signature);
  add_string (builder, "fileId", file_id);
  add_cover (builder, name, type, size);
  body = finish_body (builder);
  data = call (http, endpoint, "ApplyUploadUGC", body, 0, cancellable, error);
  if (!data)
    return NULL;
  applied = take_applied (data, error);
  if (!applied || !take_key (data, "cover", &applied->cover_key, error))
    return NULL;
  return g_steal_pointer (&applied);
}

/* @object: the video or the cover. */
static gboolean
take_url (JsonObject *object, gchar **result, GError **error)
{
  const gchar *url = vod_json_string (object, "url");

  if (!url || !is_clean_text (url, URL_MAX_BYTES) ||
      (!g_str_has_prefix (url, "http://") &&
          !g_str_has_prefix (url, "https://")))
    return wrong ("url", error);
  *result = g_strdup (url);
  return TRUE;
}

/* Absent is fine; garbage is not. */
static gboolean
take_verify_content (JsonObject *video, gchar **result, GError **error)
{
  const gchar *text = vod_json_string (video, "verify_content");

  if (!json_object_has_member (video, "verify_content"))
    return TRUE;
  if (!text || !is_clean_text (text, URL_MAX_BYTES))
    return wrong ("verify_content", error);
  *result = g_strdup (text);
  return TRUE;
}

static JsonObject *
call_commit (VodHttp *http, const gchar *endpoint, const gchar *signature,
    const gchar *session_key, GCancellable *cancellable, GError **error)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (GBytes) body = NULL;

  json_builder_begin_object (builder);
  add_string (builder, "signature", signature);
  add_string (builder, "vodSessionKey", session_key);
  body = finish_body (builder);
  return call (http, endpoint, "CommitUploadUGC", body, 0, cancellable, error);
}

gboolean
vod_api_commit (VodHttp *http, const gchar *endpoint, const gchar *signature,
    const gchar *session_key, GCancellable *cancellable,
    VodApiCommitted *committed, GError **error)
{
  g_autoptr (JsonObject) data =
      call_commit (http, endpoint, signature, session_key, cancellable, error);
  g_auto (VodApiCommitted) result = {0};
  JsonObject *video;

  if (!data)
    return FALSE;
  video = vod_json_object (data, "video");
  if (!video)
    return wrong ("video", error);
  if (!take_word (data, "fileId", 128, &result.file_id, error) ||
      !take_url (video, &result.video_url, error) ||
      !take_verify_content (video, &result.verify_content, error))
    return FALSE;
  take_url (vod_json_object (data, "cover"), &result.cover_url, NULL);
  *committed = result;
  memset (&result, 0, sizeof result);
  return TRUE;
}

gchar *
vod_api_commit_cover (VodHttp *http, const gchar *endpoint,
    const gchar *signature, const gchar *session_key, GCancellable *cancellable,
    GError **error)
{
  g_autoptr (JsonObject) data =
      call_commit (http, endpoint, signature, session_key, cancellable, error);
  gchar *url = NULL;

  if (data)
    take_url (vod_json_object (data, "cover"), &url, error);
  return url;
}

/* --- names --- */

static gboolean
is_forbidden (gunichar c)
{
  return g_unichar_iscntrl (c) || (c < 0x80 && strchr ("\\/:*?\"<>|", (gint)c));
}

const gchar *
vod_api_check_name (const gchar *name)
{
  if (!*name)
    return "is empty";
  if (strlen (name) > NAME_MAX_BYTES)
    return "is longer than 200 bytes";
  if (!g_utf8_validate (name, -1, NULL))
    return "is not valid UTF-8";
  for (; *name; name = g_utf8_next_char (name))
    if (is_forbidden (g_utf8_get_char (name)))
      return "holds a control character or one of \\ / : * ? \" < > |";
  return NULL;
}

gchar *
vod_api_derive_name (const gchar *text)
{
  GString *name = g_string_new (NULL);

  while (*text) {
    gunichar c = g_utf8_get_char_validated (text, -1);
    gboolean valid = c != (gunichar)-1 && c != (gunichar)-2;
    gsize n = valid ? (gsize)(g_utf8_next_char (text) - text) : 1;

    if (!valid || is_forbidden (c))
      c = '_';
    if (name->len + (gsize)g_unichar_to_utf8 (c, NULL) > NAME_MAX_BYTES)
      break;
    g_string_append_unichar (name, c);
    text += n;
  }
  g_strstrip (name->str);
  if (*name->str)
    return g_string_free (name, FALSE);
  g_string_free (name, TRUE);
  return NULL;
}

gboolean
vod_api_check_type (const gchar *type)
{
  gsize len = strlen (type);

  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isalnum (type[i]))
      return FALSE;
  return len >= 1 && len <= 16;
}

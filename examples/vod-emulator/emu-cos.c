/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Storage requests: which operation it is, whether the client may, and the
 * operations on single parts and objects. Completing is in emu-complete.c,
 * listing in emu-list.c.
 */
#include "emu-handlers.h"

#include "emu-auth.h"
#include "emu-util.h"

#include <string.h>

#define MAX_SKEW 900
#define MIN_TRAFFIC_LIMIT 819200
#define MAX_TRAFFIC_LIMIT 838860800

static const char *
query (EmuRequest *request, const char *name)
{
  return request->query != NULL ? emu_query_get (request->query, name) : NULL;
}

/* ---- which bucket ---- */

/* <bucket>-<appid>.cos.<region>.myqcloud.com */
static gboolean
parse_bucket_host (const char *host, char **bucket, char **region)
{
  static const char *const suffixes[] = {".myqcloud.com", ".tencentcos.cn"};
  g_autofree char *name = NULL;
  char *dot, *dash, *end = NULL;

  if (host == NULL || strlen (host) > 253)
    return FALSE;
  name = g_ascii_strdown (host, (gssize)strcspn (host, ":"));
  for (guint i = 0; i < G_N_ELEMENTS (suffixes) && end == NULL; i++)
    if (g_str_has_suffix (name, suffixes[i]))
      end = name + strlen (name) - strlen (suffixes[i]);
  dot = strstr (name, ".cos.");
  if (end == NULL || dot == NULL || dot + strlen (".cos.") >= end)
    return FALSE;
  *end = '\0';
  *dot = '\0';
  dash = strrchr (name, '-');
  if (dash == NULL || dash == name || dash[1] == '\0' ||
      strspn (dash + 1, "0123456789") != strlen (dash + 1) ||
      strchr (name, '.') != NULL)
    return FALSE;
  *bucket = g_strdup (name);
  *region = g_strdup (dot + strlen (".cos."));
  return TRUE;
}

/* ---- may it ---- */

/* @message NULL: the usual one of the code */
static gboolean
refuse (
    EmuRequest *request, guint status, const char *code, const char *message)
{
  request->refused = status;
  request->refused_code = code;
  request->refused_message = message;
  return FALSE;
}

static const char *
lookup_header (const char *name, gpointer request)
{
  return emu_request_header (request, name);
}

static gboolean
is_signed_by (
    EmuRequest *request, const EmuAuthorization *auth, const EmuCred *cred)
{
  const char *hosts[] = {
      emu_request_header (request, "Vod-Forward-Cos"), request->host};

  for (guint i = 0; i < G_N_ELEMENTS (hosts); i++)
    if (hosts[i] != NULL &&
        emu_authorization_check (auth, cred->sk, request->method, request->path,
            request->query, hosts[i], lookup_header, request))
      return TRUE;
  return FALSE;
}

/* A host that names no bucket, as an upload domain has: the credentials tell
 * which bucket it is, if they have signed just this host. */
static gboolean
find_bucket (EmuRequest *request, const EmuAuthorization *auth,
    const EmuSession *session)
{
  if (request->bucket == NULL && session != NULL &&
      emu_authorization_signs_host (auth)) {
    request->bucket = g_strdup (session->bucket);
    request->region = g_strdup (session->region);
  }
  return request->bucket != NULL;
}

static gboolean
is_in_scope (EmuRequest *request, const EmuSession *session)
{
  const char *key = request->path + 1;
  const char *prefix = query (request, "prefix");
  const char *slash;

  if (g_strcmp0 (request->bucket, session->bucket) != 0)
    return FALSE;
  if (strcmp (request->op, "HeadBucket") == 0)
    return TRUE;
  if (strcmp (request->op, "ListMultipartUploads") != 0)
    return g_strcmp0 (key, session->key) == 0 ||
        g_strcmp0 (key, session->cover_key) == 0;
  key = session->key != NULL ? session->key : session->cover_key;
  slash = key != NULL ? strrchr (key, '/') : NULL;
  return prefix != NULL && slash != NULL &&
      strncmp (prefix, key, (gsize)(slash - key)) == 0;
}

static gboolean
is_skewed (EmuRequest *request, gint64 now)
{
  const char *date = emu_request_header (request, "Date");
  g_autoptr (GDateTime) when =
      date != NULL ? soup_date_time_new_from_http_string (date) : NULL;

  return when != NULL && ABS (g_date_time_to_unix (when) - now) > MAX_SKEW;
}

static gboolean
check_times (
    EmuRequest *request, const EmuAuthorization *auth, const EmuCred *cred)
{
  gint64 now = emu_request_now (request);

  if (cred->expired_by_fault && cred->expired_as_message)
    return refuse (request, 403, "AccessDenied", "Request has expired");
  if (cred->expired_by_fault || now >= cred->expires)
    return refuse (request,
        cred->expired_status != 0 ? cred->expired_status : 400, "ExpiredToken",
        NULL);
  if (now < auth->start - MAX_SKEW || is_skewed (request, now))
    return refuse (request, 403, "RequestTimeTooSkewed", NULL);
  if (now >= auth->end)
    return refuse (request, 403, "AccessDenied", "Request has expired");
  return TRUE;
}

static gboolean
check_authorization (EmuRequest *request, const EmuAuthorization *auth)
{
  EmuState *state = request->emu->state;
  EmuCred *cred = g_hash_table_lookup (state->creds, auth->ak);
  EmuSession *session;
  const char *token = emu_request_header (request, "x-cos-security-token");

  if (cred == NULL || token == NULL)
    return refuse (request, 403, "InvalidAccessKeyId", NULL);
  if (!emu_secret_equal (token, cred->token))
    return refuse (request, 403, "AccessDenied", NULL);
  request->session_id = g_strdup (cred->session);
  session = g_hash_table_lookup (state->sessions, cred->session);
  if (request->fault.expire_credentials)
    emu_state_expire_creds (
        state, cred->session, request->fault.as_message, request->fault.status);
  if (!check_times (request, auth, cred))
    return FALSE;
  if (!is_signed_by (request, auth, cred))
    return refuse (request, 403, "SignatureDoesNotMatch", NULL);
  if (!find_bucket (request, auth, session))
    return refuse (request, 404, "NoSuchBucket", NULL);
  if (session == NULL || !is_in_scope (request, session))
    return refuse (request, 403, "AccessDenied", NULL);
  return TRUE;
}

static gboolean
check_access (EmuRequest *request)
{
  const char *text = emu_request_header (request, "Authorization");
  EmuAuthorization auth;
  gboolean ok;

  if (request->path == NULL || request->query == NULL)
    return refuse (request, 400, "InvalidURI", NULL);
  if (text == NULL)
    return refuse (request, 403, "AccessDenied", NULL);
  if (request->bucket == NULL &&
      emu_request_header (request, "Vod-Forward-Cos") != NULL)
    return refuse (request, 404, "NoSuchBucket", NULL);
  if (!emu_authorization_parse (text, &auth))
    return refuse (request, 403, "SignatureDoesNotMatch",
        "The Authorization header is not valid.");
  ok = check_authorization (request, &auth);
  emu_authorization_clear (&auth);
  return ok;
}

static gboolean
check_headers (EmuRequest *request)
{
  const char *limit = emu_request_header (request, "x-cos-traffic-limit");
  const char *md5 = emu_request_header (request, "Content-MD5");
  guint64 number;
  gsize len = 0;

  if (strlen (request->path) > 851)
    return refuse (request, 400, "KeyTooLong", NULL);
  if (limit != NULL &&
      !emu_parse_number (limit, MIN_TRAFFIC_LIMIT, MAX_TRAFFIC_LIMIT, &number))
    return refuse (request, 400, "InvalidArgument",
        "x-cos-traffic-limit must be 819200 to 838860800.");
  if (md5 != NULL && *md5 != '\0') {
    g_autofree guint8 *raw = emu_base64_decode (md5, &len);

    if (raw == NULL || len != 16)
      return refuse (request, 400, "InvalidDigest", NULL);
  }
  return TRUE;
}

gboolean
emu_cos_check_md5 (EmuRequest *request, const char *md5_hex)
{
  const char *md5 = emu_request_header (request, "Content-MD5");
  g_autofree guint8 *raw = NULL;
  g_autofree char *hex = NULL;
  gsize len = 0;

  if (md5 == NULL || *md5 == '\0')
    return TRUE;
  raw = emu_base64_decode (md5, &len);
  hex = emu_hex (raw, len);
  if (strcmp (hex, md5_hex) == 0)
    return TRUE;
  emu_request_cos_error (request, 400, "BadDigest", NULL);
  return FALSE;
}

void
emu_cos_set_sums (EmuRequest *request, const char *etag, guint64 crc64)
{
  const EmuEffects *fault = &request->fault;
  g_autofree char *quoted = g_strdup_printf ("\"%c%s\"",
      fault->wrong_etag ? (*etag == '0' ? '1' : '0') : *etag, etag + 1);
  g_autofree char *crc = g_strdup_printf (
      "%" G_GUINT64_FORMAT, fault->wrong_crc ? crc64 ^ 1 : crc64);

  if (!fault->no_etag)
    emu_request_set_header (request, "ETag", quoted);
  if (!fault->no_crc)
    emu_request_set_header (request, "x-cos-hash-crc64ecma", crc);
}

/* ---- operations ---- */

static char *
make_upload_id (gint64 now)
{
  g_autofree char *random = emu_random_hex (32);

  return g_strdup_printf ("%010" G_GINT64_FORMAT "%s", now, random);
}

static const char *
content_type_of (EmuRequest *request)
{
  const char *type = emu_request_header (request, "Content-Type");

  return type != NULL && *type != '\0' ? type : "application/octet-stream";
}

static void
initiate (EmuRequest *request)
{
  gint64 now = emu_request_now (request);
  g_autofree char *id = make_upload_id (now);

  emu_state_add_upload (request->emu->state, id, request->bucket,
      request->path + 1, content_type_of (request), now);
  emu_request_answer (request, 200, "application/xml",
      g_markup_printf_escaped (
          "<InitiateMultipartUploadResult>\n\t<Bucket>%s</Bucket>\n"
          "\t<Key>%s</Key>\n\t<UploadId>%s</UploadId>\n"
          "</InitiateMultipartUploadResult>\n",
          request->bucket, request->path + 1, id));
}

static EmuUpload *
find_upload (EmuRequest *request)
{
  return emu_state_find_upload (request->emu->state, request->bucket,
      request->path + 1, query (request, "uploadId"));
}

/* What was received, checked against Content-MD5; NULL: answered. */
static EmuBlob *
finish_body (EmuRequest *request, char **md5, guint64 *crc64)
{
  g_autoptr (EmuBlobWriter) writer = g_steal_pointer (&request->writer);
  g_autoptr (GError) error = NULL;
  EmuBlob *blob = NULL;

  if (writer != NULL && request->write_error == NULL) {
    *md5 = emu_blob_writer_md5 (writer);
    *crc64 = emu_blob_writer_crc64 (writer);
    if (!request->emu->options.discard && !emu_cos_check_md5 (request, *md5))
      return NULL;
    blob = emu_blob_writer_finish (g_steal_pointer (&writer), &error);
  }
  if (blob == NULL) {
    g_warning ("cannot store a body: %s",
        request->write_error != NULL ? request->write_error->message
            : error != NULL          ? error->message
                                     : "no file");
    emu_request_cos_error (request, 500, "InternalError", NULL);
  }
  return blob;
}

static void
upload_part (EmuRequest *request)
{
  EmuUpload *upload = find_upload (request);
  g_autofree char *md5 = NULL;
  guint64 crc64 = 0;
  EmuBlob *blob;

  if (upload == NULL || upload->job != NULL) {
    emu_request_cos_error (request, 404, "NoSuchUpload", NULL);
    return;
  }
  if (request->part == 0) {
    emu_request_cos_error (
        request, 400, "InvalidArgument", "partNumber must be 1 to 10000.");
    return;
  }
  blob = finish_body (request, &md5, &crc64);
  if (blob == NULL)
    return;
  emu_state_put_part (request->emu->state, upload, request->part, blob, md5,
      crc64, emu_request_now (request));
  emu_cos_set_sums (request, md5, crc64);
  emu_request_answer (request, 200, NULL, NULL);
}

static void
put_object (EmuRequest *request)
{
  g_autofree char *md5 = NULL;
  guint64 crc64 = 0;
  EmuBlob *blob = finish_body (request, &md5, &crc64);

  if (blob == NULL)
    return;
  emu_state_put_object (request->emu->state, request->bucket, request->path + 1,
      content_type_of (request), blob, md5, emu_request_now (request));
  emu_cos_set_sums (request, md5, crc64);
  emu_request_answer (request, 200, NULL, NULL);
}

static void
abort_upload (EmuRequest *request)
{
  EmuUpload *upload = find_upload (request);

  if (upload == NULL || upload->job != NULL) {
    emu_request_cos_error (request, 404, "NoSuchUpload", NULL);
    return;
  }
  emu_state_remove_upload (request->emu->state, query (request, "uploadId"));
  emu_request_answer (request, 204, NULL, NULL);
}

static void
get_object (EmuRequest *request)
{
  EmuObject *object = emu_state_find_object (
      request->emu->state, request->bucket, request->path + 1);

  if (object == NULL) {
    emu_request_cos_error (request, 404, "NoSuchKey", NULL);
    return;
  }
  emu_cos_set_sums (request, object->etag, object->crc64);
  emu_media_send (request, object, object->content_type);
}

static void
head_bucket (EmuRequest *request)
{
  emu_request_answer (request, 200, NULL, NULL);
}

static void
not_allowed (EmuRequest *request)
{
  emu_request_cos_error (request, 405, "MethodNotAllowed",
      "The specified method is not allowed against this resource.");
}

/* ---- routing ---- */

typedef struct {
  const char *method;
  gboolean on_key; /* else on the bucket */
  const char *parameter;
  const char *op;
  EmuHandler handler;
  guint64 body_limit;
} Route;

static const Route routes[] = {
    {"GET", FALSE, "uploads", "ListMultipartUploads", emu_list_uploads, 0},
    {"HEAD", FALSE, NULL, "HeadBucket", head_bucket, 0},
    {"POST", TRUE, "uploads", "InitiateMultipartUpload", initiate,
        EMU_JSON_LIMIT},
    {"POST", TRUE, "uploadId", "CompleteMultipartUpload", emu_complete,
        EMU_XML_LIMIT},
    {"PUT", TRUE, "uploadId", "UploadPart", upload_part, EMU_MAX_PART},
    {"PUT", TRUE, NULL, "PutObject", put_object, EMU_MAX_PART},
    {"DELETE", TRUE, "uploadId", "AbortMultipartUpload", abort_upload,
        EMU_JSON_LIMIT},
    {"GET", TRUE, "uploadId", "ListParts", emu_list_parts, 0},
    {"GET", TRUE, NULL, "GetObject", get_object, 0},
    {"HEAD", TRUE, NULL, "HeadObject", get_object, 0},
};

static void
choose_route (EmuRequest *request)
{
  gboolean on_key = request->path != NULL && request->path[1] != '\0';
  guint64 number;

  for (guint i = 0; i < G_N_ELEMENTS (routes); i++) {
    const Route *route = &routes[i];

    if (strcmp (request->method, route->method) == 0 &&
        on_key == route->on_key &&
        (route->parameter == NULL ||
            query (request, route->parameter) != NULL)) {
      request->op = route->op;
      request->handler = route->handler;
      request->body_limit = route->body_limit;
      break;
    }
  }
  if (request->handler == upload_part &&
      emu_parse_number (query (request, "partNumber"), 1, 10000, &number))
    request->part = (guint)number;
}

gboolean
emu_cos_route (EmuRequest *request)
{
  const char *forward = emu_request_header (request, "Vod-Forward-Cos");

  if (!parse_bucket_host (forward, &request->bucket, &request->region))
    parse_bucket_host (request->host, &request->bucket, &request->region);
  if (request->bucket == NULL && forward == NULL &&
      emu_request_header (request, "Authorization") == NULL &&
      (request->method != SOUP_METHOD_HEAD || request->path == NULL ||
          strcmp (request->path, "/") != 0))
    return FALSE;
  request->style = EMU_STYLE_COS;
  request->handler = not_allowed;
  request->body_limit = EMU_JSON_LIMIT;
  choose_route (request);
  return TRUE;
}

static void
answer_refusal (EmuRequest *request)
{
  emu_request_cos_error (request, request->refused, request->refused_code,
      request->refused_message);
}

static void
take_body (EmuRequest *request)
{
  EmuBlobMode mode = {.folder = request->emu->state->parts_folder,
      .discard = request->emu->options.discard,
      .corrupt = request->fault.corrupt};
  SoupMessageHeaders *headers =
      soup_server_message_get_request_headers (request->message);

  if (soup_message_headers_get_content_length (headers) >
      (goffset)EMU_MAX_PART) {
    /* not worth reading: the answer closes the connection */
    request->fault.early = TRUE;
    request->fault.status = 400;
    emu_request_cos_error (request, 400, "EntityTooLarge", NULL);
    return;
  }
  request->writer = emu_blob_writer_new (&mode, &request->write_error);
}

void
emu_cos_begin (EmuRequest *request)
{
  EmuState *state = request->emu->state;
  EmuUpload *upload;

  if (!check_access (request) || !check_headers (request)) {
    request->doomed = TRUE;
    request->handler = answer_refusal;
    return;
  }
  upload = find_upload (request);
  if (upload != NULL && request->part > 0)
    emu_request_begin_part (request, upload);
  if (request->fault.forget_session)
    emu_state_forget_session (state, request->session_id);
  if (request->fault.forget_upload && upload != NULL && upload->job == NULL)
    emu_state_remove_upload (state, query (request, "uploadId"));
  if (!request->doomed &&
      (request->handler == upload_part || request->handler == put_object))
    take_body (request);
}

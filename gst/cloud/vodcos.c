/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodcos: see vodcos.h. What is signed follows vod-wx-sdk-v2 (protocol.md 3.3):
 * the bucket's host always, Content-MD5 where there is one, Content-Length of
 * media; the token is sent beside the signature, not under it.
 */
#include "vodcos.h"

#include <string.h>

#include "vodchecksum.h"
#include "vodcosauth.h"
#include "vodcosxml.h"
#include "voderror.h"

#define ANSWER_MAX (256 * 1024)
#define UPLOAD_ID_MAX 1024
#define COMPLETE_TIME (15 * 60) /* seconds */

/* One request, whatever it is. */
typedef struct {
  const gchar *method;
  const gchar *const *query; /* decoded: name, value, …; "" = no value */
  const VodHttpBody *body;
  const gchar *content_type;
  const guint8 *md5;
  gboolean sign_length;
  gboolean replayable;
  guint timeout;
  guint answer_time;
  void (*sent) (gsize bytes, gpointer data);
  gpointer sent_data;
} CosRequest;

static gchar *
build_uri (const VodCosTarget *target, const gchar *const *query)
{
  g_autofree gchar *path = vod_cos_escape_path (target->key);
  GString *uri = g_string_new (target->connect_to);

  g_string_append_printf (uri, "/%s", path);
  for (guint i = 0; query && query[i]; i += 2) {
    g_autofree gchar *value = vod_cos_escape (query[i + 1]);

    g_string_append_printf (uri, "%c%s", i == 0 ? '?' : '&', query[i]);
    if (*value)
      g_string_append_printf (uri, "=%s", value);
  }
  return g_string_free (uri, FALSE);
}

static gchar *
authorize (
    const VodCosTarget *target, const CosRequest *request, const gchar *md5)
{
  g_autofree gchar *length = g_strdup_printf (
      "%" G_GUINT64_FORMAT, request->body ? request->body->length : 0);
  g_autofree gchar *path = g_strconcat ("/", target->key, NULL);
  const gchar *headers[8] = {"host", target->bucket_host};
  VodCosAuth auth = {.method = request->method,
      .path = path,
      .query = request->query,
      .headers = headers,
      .secret_id = target->credentials->secret_id,
      .secret_key = target->credentials->secret_key,
      .start = target->credentials->start,
      .end = target->credentials->end};
  guint n = 2;

  if (request->sign_length) {
    headers[n++] = "content-length";
    headers[n++] = length;
  }
  if (md5) {
    headers[n++] = "content-md5";
    headers[n++] = md5;
  }
  return vod_cos_authorization (&auth);
}

/* @target's way: through the forwarder, or straight to the bucket. */
static gboolean
send_request (VodHttp *http, const VodCosTarget *target,
    const CosRequest *request, GCancellable *cancellable, VodHttpAnswer *answer,
    GError **error)
{
  g_autofree gchar *uri = build_uri (target, request->query);
  g_autofree gchar *md5 =
      request->md5 ? g_base64_encode (request->md5, VOD_MD5_SIZE) : NULL;
  g_autofree gchar *authorization = authorize (target, request, md5);
  const gchar *headers[10] = {"Authorization", authorization,
      "x-cos-security-token", target->credentials->token,
      target->forward ? "Vod-Forward-Cos" : "Host", target->bucket_host,
      md5 ? "Content-MD5" : NULL, md5};
  VodHttpRequest wire = {.method = request->method,
      .uri = uri,
      .headers = headers,
      .content_type = request->content_type,
      .body = request->body,
      .max_answer = ANSWER_MAX,
      .timeout = request->timeout,
      .answer_time = request->answer_time,
      .replayable = request->replayable,
      .sent = request->sent,
      .sent_data = request->sent_data};

  return vod_http_send (http, &wire, cancellable, answer, error);
}

static gboolean
parse_answer (const VodHttpAnswer *answer, VodCosXml *xml, GError **error)
{
  gsize len;
  const gchar *text = g_bytes_get_data (answer->body, &len);
  GError *cause = NULL;

  if (vod_cos_xml_parse (len > 0 ? text : "", len, xml, &cause))
    return TRUE;
  vod_http_answer_describe (answer, cause);
  g_propagate_error (error, cause);
  return FALSE;
}

/* Reports a failing answer: by its <Error>, else by its status. */
static gboolean
fail (const VodHttpAnswer *answer, GError **error)
{
  g_auto (VodCosXml) xml = {0};
  GError *failure;

  if (parse_answer (answer, &xml, NULL) && strcmp (xml.root, "Error") == 0)
    failure = vod_cos_xml_to_error (&xml, answer->status);
  else
    failure = vod_error_new (VOD_ERROR_HTTP,
        "the storage answered with HTTP status %u", answer->status);
  vod_http_answer_describe (answer, failure);
  g_propagate_error (error, failure);
  return FALSE;
}

static gboolean
is_success (const VodHttpAnswer *answer)
{
  return answer->status >= 200 && answer->status < 300;
}

static gboolean
protocol_error (const VodHttpAnswer *answer, const gchar *text, GError **error)
{
  GError *failure = vod_error_new (VOD_ERROR_PROTOCOL, "%s", text);

  vod_http_answer_describe (answer, failure);
  g_propagate_error (error, failure);
  return FALSE;
}

/* send_request(), and an answer that says success. */
static gboolean
call (VodHttp *http, const VodCosTarget *target, const CosRequest *request,
    GCancellable *cancellable, VodHttpAnswer *answer, GError **error)
{
  return send_request (http, target, request, cancellable, answer, error) &&
      (is_success (answer) || fail (answer, error));
}

/* Non-empty, at most @max - 1 bytes, printable ASCII without blanks. */
static gboolean
is_word (const gchar *text, gsize max)
{
  gsize len = strlen (text);

  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isgraph (text[i]))
      return FALSE;
  return len > 0 && len < max;
}

static gboolean
take_etag (const VodHttpAnswer *answer, const gchar *etag,
    VodCosReceipt *receipt, GError **error)
{
  if (!etag || !is_word (etag, VOD_COS_ETAG_MAX))
    return protocol_error (answer,
        etag ? "the storage's answer has a malformed ETag"
             : "the storage's answer has no ETag",
        error);
  g_strlcpy (receipt->etag, etag, sizeof receipt->etag);
  return TRUE;
}

static gboolean
take_crc64 (const VodHttpAnswer *answer, VodCosReceipt *receipt, GError **error)
{
  const gchar *text = vod_http_answer_header (answer, "x-cos-hash-crc64ecma");

  if (!text)
    return TRUE;
  if (!g_ascii_string_to_unsigned (
          text, 10, 0, G_MAXUINT64, &receipt->crc64, NULL))
    return protocol_error (
        answer, "the storage's answer has a malformed CRC64", error);
  receipt->has_crc64 = TRUE;
  return TRUE;
}

/* The receipt in the headers of @answer. */
static gboolean
take_receipt (
    const VodHttpAnswer *answer, VodCosReceipt *receipt, GError **error)
{
  memset (receipt, 0, sizeof *receipt);
  return take_etag (
             answer, vod_http_answer_header (answer, "etag"), receipt, error) &&
      take_crc64 (answer, receipt, error);
}

/* The XML of a successful answer, which may be an <Error> nevertheless. */
static gboolean
take_xml (const VodHttpAnswer *answer, const gchar *root, VodCosXml *xml,
    GError **error)
{
  if (!parse_answer (answer, xml, error))
    return FALSE;
  if (strcmp (xml->root, "Error") == 0)
    return fail (answer, error);
  if (strcmp (xml->root, root) != 0)
    return protocol_error (
        answer, "the storage's answer is not the one asked for", error);
  return TRUE;
}

gchar *
vod_cos_initiate (VodHttp *http, const VodCosTarget *target,
    GCancellable *cancellable, GError **error)
{
  const gchar *query[] = {"uploads", "", NULL};
  CosRequest request = {.method = "POST", .query = query, .replayable = TRUE};
  g_auto (VodHttpAnswer) answer = {0};
  g_auto (VodCosXml) xml = {0};
  const gchar *id;

  if (!call (http, target, &request, cancellable, &answer, error) ||
      !take_xml (&answer, "InitiateMultipartUploadResult", &xml, error))
    return NULL;
  id = vod_cos_xml_get (&xml, "UploadId");
  if (!id || !is_word (id, UPLOAD_ID_MAX + 1)) {
    protocol_error (&answer, "the storage's answer has no upload id", error);
    return NULL;
  }
  return g_strdup (id);
}

gboolean
vod_cos_put_part (VodHttp *http, const VodCosTarget *target,
    const gchar *upload_id, guint number, const VodHttpBody *body,
    const guint8 *md5, void (*sent) (gsize bytes, gpointer data),
    gpointer sent_data, GCancellable *cancellable, VodCosReceipt *receipt,
    GError **error)
{
  g_autofree gchar *part = g_strdup_printf ("%u", number);
  const gchar *query[] = {"partNumber", part, "uploadId", upload_id, NULL};
  CosRequest request = {.method = "PUT",
      .query = query,
      .body = body,
      .md5 = md5,
      .sign_length = TRUE,
      .replayable = TRUE,
      .sent = sent,
      .sent_data = sent_data};
  g_auto (VodHttpAnswer) answer = {0};

  return call (http, target, &request, cancellable, &answer, error) &&
      take_receipt (&answer, receipt, error);
}

/* The digest guards the list against what happens on the way; without MD5
 * (FIPS) it goes unguarded. */
static gboolean
digest_text (const gchar *text, guint8 md5[VOD_MD5_SIZE])
{
  VodMd5 *context = vod_md5_new ();

  vod_md5_update (context, text, strlen (text));
  return vod_md5_finish (context, md5);
}

gboolean
vod_cos_complete (VodHttp *http, const VodCosTarget *target,
    const gchar *upload_id, const gchar *const *etags, guint n_parts,
    GCancellable *cancellable, VodCosReceipt *receipt, GError **error)
{
  gchar *text = vod_cos_xml_complete_body (etags, n_parts);
  g_autoptr (GBytes) bytes = g_bytes_new_take (text, strlen (text));
  VodHttpBody body = vod_http_body_from_bytes (bytes);
  guint8 md5[VOD_MD5_SIZE];
  const gchar *query[] = {"uploadId", upload_id, NULL};
  CosRequest request = {.method = "POST",
      .query = query,
      .body = &body,
      .content_type = "application/xml",
      .md5 = digest_text (text, md5) ? md5 : NULL,
      .answer_time = COMPLETE_TIME};
  g_auto (VodHttpAnswer) answer = {0};
  g_auto (VodCosXml) xml = {0};

  memset (receipt, 0, sizeof *receipt);
  return call (http, target, &request, cancellable, &answer, error) &&
      take_xml (&answer, "CompleteMultipartUploadResult", &xml, error) &&
      take_etag (&answer, vod_cos_xml_get (&xml, "ETag"), receipt, error) &&
      take_crc64 (&answer, receipt, error);
}

gboolean
vod_cos_abort (VodHttp *http, const VodCosTarget *target,
    const gchar *upload_id, guint timeout, GCancellable *cancellable,
    GError **error)
{
  const gchar *query[] = {"uploadId", upload_id, NULL};
  CosRequest request = {.method = "DELETE",
      .query = query,
      .replayable = TRUE,
      .timeout = timeout};
  g_auto (VodHttpAnswer) answer = {0};
  GError *failure = NULL;

  if (call (http, target, &request, cancellable, &answer, &failure))
    return TRUE;
  if (failure->code == VOD_ERROR_STORAGE &&
      strcmp (vod_error_details (failure)->error_code, "NoSuchUpload") == 0) {
    g_error_free (failure);
    return TRUE;
  }
  g_propagate_error (error, failure);
  return FALSE;
}

gboolean
vod_cos_head (VodHttp *http, const VodCosTarget *target,
    GCancellable *cancellable, guint64 *size, VodCosReceipt *receipt,
    GError **error)
{
  CosRequest request = {.method = "HEAD", .replayable = TRUE};
  g_auto (VodHttpAnswer) answer = {0};
  const gchar *length;

  if (!call (http, target, &request, cancellable, &answer, error))
    return FALSE;
  length = vod_http_answer_header (&answer, "content-length");
  if (!length ||
      !g_ascii_string_to_unsigned (length, 10, 0, G_MAXUINT64, size, NULL))
    return protocol_error (
        &answer, "the storage's answer does not tell the size", error);
  return take_receipt (&answer, receipt, error);
}

gboolean
vod_cos_put_object (VodHttp *http, const VodCosTarget *target,
    const VodHttpBody *body, const gchar *content_type, const guint8 *md5,
    GCancellable *cancellable, VodCosReceipt *receipt, GError **error)
{
  CosRequest request = {.method = "PUT",
      .body = body,
      .content_type = content_type,
      .md5 = md5,
      .sign_length = TRUE,
      .replayable = TRUE};
  g_auto (VodHttpAnswer) answer = {0};

  return call (http, target, &request, cancellable, &answer, error) &&
      take_receipt (&answer, receipt, error);
}

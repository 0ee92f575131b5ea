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
#include "vodtext.h"

#define ANSWER_MAX (256 * 1024)
/* A page of a list, as the SDKs ask for it: a thousand parts in some 200 KB,
 * uploads with longer keys and names in more. Smaller pages would need a
 * max-parts that vod-wx-sdk-v2 does not send, and more round trips. */
#define LIST_MAX (2 * 1024 * 1024)
#define PAGES_MAX 11 /* ten full ones and an empty one */
#define PARTS_MAX 10000
#define PART_SIZE_MAX (G_GUINT64_CONSTANT (5) << 30)
#define UPLOADS_MAX 100 /* of one key */
#define UPLOAD_ID_MAX 1024
#define COMPLETE_TIME (15 * 60) /* seconds */

/* One request, whatever it is. */
typedef struct {
  const gchar *method;
  const gchar *const *query; /* decoded: name, value, …; "" = no value */
  const VodHttpBody *body;
  const gchar *content_type;
  const guint8 *md5;
  gsize max_answer; /* 0: ANSWER_MAX */
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
      .max_answer = request->max_answer ? request->max_answer : ANSWER_MAX,
      .timeout = request->timeout,
      .answer_time = request->answer_time,
      .replayable = request->replayable,
      .sent = request->sent,
      .sent_data = request->sent_data};

  return vod_http_send (http, &wire, cancellable, answer, error);
}

static gboolean
parse_answer (const VodHttpAnswer *answer, const gchar *item, VodCosXml *xml,
    GError **error)
{
  gsize len;
  const gchar *text = g_bytes_get_data (answer->body, &len);
  GError *cause = NULL;

  if (vod_cos_xml_parse (len > 0 ? text : "", len, item, xml, &cause))
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

  if (parse_answer (answer, NULL, &xml, NULL) &&
      strcmp (xml.root, "Error") == 0)
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

gboolean
vod_cos_check_upload_id (const gchar *upload_id)
{
  return vod_text_is_word (upload_id, UPLOAD_ID_MAX);
}

gboolean
vod_cos_check_etag (const gchar *etag)
{
  return vod_text_is_word (etag, VOD_COS_ETAG_MAX - 1);
}

static gboolean
take_etag (const VodHttpAnswer *answer, const gchar *etag,
    VodCosReceipt *receipt, GError **error)
{
  if (!etag || !vod_cos_check_etag (etag))
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
take_xml (const VodHttpAnswer *answer, const gchar *root, const gchar *item,
    VodCosXml *xml, GError **error)
{
  if (!parse_answer (answer, item, xml, error))
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
      !take_xml (&answer, "InitiateMultipartUploadResult", NULL, &xml, error))
    return NULL;
  id = vod_cos_xml_get (&xml, "UploadId");
  if (!id || !vod_cos_check_upload_id (id)) {
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
      take_xml (&answer, "CompleteMultipartUploadResult", NULL, &xml, error) &&
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
  if (vod_error_has_code (failure, "NoSuchUpload")) {
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

/* --- lists --- */

/* The answer is kept for what is said about it. */
typedef struct {
  VodHttpAnswer answer;
  VodCosXml xml;
} Page;

static void
page_clear (Page *page)
{
  vod_http_answer_clear (&page->answer);
  vod_cos_xml_clear (&page->xml);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Page, page_clear)

static gboolean
get_page (VodHttp *http, const VodCosTarget *target, const gchar *const *query,
    const gchar *root, const gchar *item, GCancellable *cancellable, Page *page,
    GError **error)
{
  CosRequest request = {.method = "GET",
      .query = query,
      .max_answer = LIST_MAX,
      .replayable = TRUE};

  return call (http, target, &request, cancellable, &page->answer, error) &&
      take_xml (&page->answer, root, item, &page->xml, error);
}

/* A page that does not tell would make a list look whole that is not. */
static gboolean
take_truncated (const Page *page, gboolean *truncated, GError **error)
{
  const gchar *text = vod_cos_xml_get (&page->xml, "IsTruncated");

  *truncated = g_strcmp0 (text, "true") == 0;
  if (*truncated || g_strcmp0 (text, "false") == 0)
    return TRUE;
  return protocol_error (&page->answer,
      "the storage's list does not tell whether it is whole", error);
}

static gboolean
does_not_advance (const Page *page, GError **error)
{
  return protocol_error (
      &page->answer, "the storage's list does not advance", error);
}

static gboolean
is_number (const gchar *text, guint64 min, guint64 max, guint64 *number)
{
  return text && g_ascii_string_to_unsigned (text, 10, min, max, number, NULL);
}

static gboolean
take_part (const Page *page, guint n, GArray *parts, GError **error)
{
  const VodCosXml *xml = &page->xml;
  const gchar *etag = vod_cos_xml_get_item (xml, n, "ETag");
  VodCosPart part = {0};
  guint64 number;

  if (!is_number (
          vod_cos_xml_get_item (xml, n, "PartNumber"), 1, PARTS_MAX, &number) ||
      !is_number (vod_cos_xml_get_item (xml, n, "Size"), 0, PART_SIZE_MAX,
          &part.size) ||
      !etag || !vod_cos_check_etag (etag))
    return protocol_error (
        &page->answer, "the storage's list has a malformed part", error);
  part.number = (guint)number;
  g_strlcpy (part.etag, etag, sizeof part.etag);
  g_array_append_val (parts, part);
  return TRUE;
}

/* Behind which number the next page begins; 0: there is none. */
static gboolean
take_part_marker (const Page *page, guint64 *marker, GError **error)
{
  const gchar *text = vod_cos_xml_get (&page->xml, "NextPartNumberMarker");
  guint64 next = 0;
  gboolean more;

  if (!take_truncated (page, &more, error))
    return FALSE;
  if (more && (!is_number (text, 1, PARTS_MAX, &next) || next <= *marker))
    return does_not_advance (page, error);
  *marker = next;
  return TRUE;
}

static gboolean
take_page_of_parts (VodHttp *http, const VodCosTarget *target,
    const gchar *upload_id, guint64 *marker, GArray *parts,
    GCancellable *cancellable, GError **error)
{
  g_autofree gchar *from = g_strdup_printf ("%" G_GUINT64_FORMAT, *marker);
  const gchar *query[] = {"uploadId", upload_id,
      *marker > 0 ? "part-number-marker" : NULL, from, NULL};
  g_auto (Page) page = {0};

  if (!get_page (http, target, query, "ListPartsResult", "Part", cancellable,
          &page, error))
    return FALSE;
  for (guint i = 0; i < page.xml.items->len; i++)
    if (!take_part (&page, i, parts, error))
      return FALSE;
  return take_part_marker (&page, marker, error);
}

static gint
compare_parts (gconstpointer a, gconstpointer b)
{
  const VodCosPart *first = a, *second = b;

  return (gint)first->number - (gint)second->number;
}

/* Nothing promises an order within a page. */
static gboolean
sort_parts (GArray *parts, GError **error)
{
  g_array_sort (parts, compare_parts);
  for (guint i = 1; i < parts->len; i++)
    if (g_array_index (parts, VodCosPart, i).number ==
        g_array_index (parts, VodCosPart, i - 1).number) {
      vod_error_set (error, VOD_ERROR_PROTOCOL,
          "the storage lists part %u twice",
          g_array_index (parts, VodCosPart, i).number);
      return FALSE;
    }
  return TRUE;
}

static void
set_endless (GError **error)
{
  vod_error_set (
      error, VOD_ERROR_PROTOCOL, "the storage's list has too many pages");
}

GArray *
vod_cos_list_parts (VodHttp *http, const VodCosTarget *target,
    const gchar *upload_id, GCancellable *cancellable, GError **error)
{
  g_autoptr (GArray) parts = g_array_new (FALSE, FALSE, sizeof (VodCosPart));
  guint64 marker = 0;

  for (guint i = 0; i < PAGES_MAX; i++) {
    if (!take_page_of_parts (
            http, target, upload_id, &marker, parts, cancellable, error))
      return NULL;
    if (marker == 0)
      return sort_parts (parts, error) ? g_steal_pointer (&parts) : NULL;
  }
  set_endless (error);
  return NULL;
}

typedef struct {
  gchar *id;
  gint64 initiated; /* Unix seconds; 0: unreadable */
  guint place;      /* in the list */
} ListedUpload;

/* Behind which upload the next page begins; NULL: there is none. */
typedef struct {
  gchar *key;
  gchar *id;
} UploadMarker;

static void
clear_upload (gpointer data)
{
  g_free (((ListedUpload *)data)->id);
}

static void
upload_marker_clear (UploadMarker *marker)
{
  g_clear_pointer (&marker->key, g_free);
  g_clear_pointer (&marker->id, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (UploadMarker, upload_marker_clear)

/* Passes over uploads of other keys, whatever they look like. */
static gboolean
take_upload (const Page *page, guint n, const gchar *wanted, GArray *uploads,
    GError **error)
{
  const gchar *key = vod_cos_xml_get_item (&page->xml, n, "Key");
  const gchar *id = vod_cos_xml_get_item (&page->xml, n, "UploadId");
  const gchar *time = vod_cos_xml_get_item (&page->xml, n, "Initiated");
  ListedUpload upload = {.place = uploads->len};

  if (key && strcmp (key, wanted) != 0)
    return TRUE;
  if (!key || !id || !vod_cos_check_upload_id (id))
    return protocol_error (
        &page->answer, "the storage's list has a malformed upload", error);
  if (uploads->len >= UPLOADS_MAX)
    return protocol_error (
        &page->answer, "the storage's list has too many uploads", error);
  upload.id = g_strdup (id);
  upload.initiated = time ? vod_cos_xml_to_unix (time) : 0;
  g_array_append_val (uploads, upload);
  return TRUE;
}

/* Keys are in the order of their bytes; the uploads of one in an order of the
 * service's own, of which the number of pages sees the end. */
static gboolean
take_upload_marker (
    const Page *page, const gchar *prefix, UploadMarker *marker, GError **error)
{
  const gchar *key = vod_cos_xml_get (&page->xml, "NextKeyMarker");
  const gchar *id = vod_cos_xml_get (&page->xml, "NextUploadIdMarker");
  g_auto (UploadMarker) old = *marker;
  gboolean more;
  gint order;

  *marker = (UploadMarker){0};
  if (!take_truncated (page, &more, error))
    return FALSE;
  if (!more)
    return TRUE;
  if (!key || !id || !vod_cos_check_upload_id (id))
    return does_not_advance (page, error);
  order = strcmp (key, old.key ? old.key : prefix);
  if (order < 0 || (order == 0 && g_strcmp0 (id, old.id) == 0))
    return does_not_advance (page, error);
  marker->key = g_strdup (key);
  marker->id = g_strdup (id);
  return TRUE;
}

static gboolean
take_page_of_uploads (VodHttp *http, const VodCosTarget *target,
    UploadMarker *marker, GArray *uploads, GCancellable *cancellable,
    GError **error)
{
  const gchar *query[] = {"uploads", "", "prefix", target->key,
      marker->key ? "key-marker" : NULL, marker->key, "upload-id-marker",
      marker->id, NULL};
  VodCosTarget bucket = *target;
  g_auto (Page) page = {0};

  bucket.key = "";
  if (!get_page (http, &bucket, query, "ListMultipartUploadsResult", "Upload",
          cancellable, &page, error))
    return FALSE;
  for (guint i = 0; i < page.xml.items->len; i++)
    if (!take_upload (&page, i, target->key, uploads, error))
      return FALSE;
  return take_upload_marker (&page, target->key, marker, error);
}

static gint
compare_uploads (gconstpointer a, gconstpointer b)
{
  const ListedUpload *first = a, *second = b;

  if (first->initiated != second->initiated)
    return first->initiated > second->initiated ? -1 : 1;
  return (gint)second->place - (gint)first->place;
}

static gchar **
sorted_ids (GArray *uploads)
{
  gchar **ids = g_new0 (gchar *, uploads->len + 1);

  g_array_sort (uploads, compare_uploads);
  for (guint i = 0; i < uploads->len; i++)
    ids[i] = g_strdup (g_array_index (uploads, ListedUpload, i).id);
  return ids;
}

gchar **
vod_cos_list_uploads (VodHttp *http, const VodCosTarget *target,
    GCancellable *cancellable, GError **error)
{
  g_autoptr (GArray) uploads =
      g_array_new (FALSE, FALSE, sizeof (ListedUpload));
  g_auto (UploadMarker) marker = {0};

  g_array_set_clear_func (uploads, clear_upload);
  for (guint i = 0; i < PAGES_MAX; i++) {
    if (!take_page_of_uploads (
            http, target, &marker, uploads, cancellable, error))
      return NULL;
    if (!marker.key)
      return sorted_ids (uploads);
  }
  set_endless (error);
  return NULL;
}

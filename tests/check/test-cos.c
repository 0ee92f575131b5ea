/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodcos: what is on the wire (against the golden vectors where there is one),
 * and what is made of the answers.
 */
#include "vodcos.h"

#include <string.h>

#include "testclient.h"
#include "testserver.h"
#include "testvectors.h"
#include "vodchecksum.h"

#define HOST "faeed456vodcq1400170034-10022853.cos.ap-chongqing.myqcloud.com"
#define KEY                                                                    \
  "faeed456vodcq1400170034/7f51d96b5285890784418605123/x2eWFXPftMEA.mp4"
#define UPLOAD_ID                                                              \
  "1585130821cbb7df1d11846c073ad648e8f33b087cec2381df437acdc833cf654b9ecc6361"
#define TOKEN "EXAMPLE-TOKEN-abc/def+ghi=="

static VodCosCredentials credentials = {"AKIDEXAMPLETMPSECRETID0123456789abcd",
    "ExampleTmpSecretKey0123456789abc", TOKEN, 1547719375, 1547726575};

typedef struct {
  TestSoup *soup;
  VodHttp *http;
  VodCosTarget target;
  GError *error;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->soup = test_soup_new ();
  fixture->http = test_http_open (5);
  fixture->target.connect_to = test_soup_uri (fixture->soup);
  fixture->target.bucket_host = HOST;
  fixture->target.forward = TRUE;
  fixture->target.key = KEY;
  fixture->target.credentials = &credentials;
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_clear_error (&fixture->error);
  vod_http_free (fixture->http);
  test_soup_free (fixture->soup);
}

/* The authorization that the official SDK makes for the same request. */
static void
assert_signed_as (const TestRequest *request, const gchar *name)
{
  g_autoptr (JsonNode) root =
      test_vectors_load (TEST_VECTORS, "cos-authorization.json");
  JsonArray *vectors =
      json_object_get_array_member (json_node_get_object (root), "vectors");

  for (guint i = 0; i < json_array_get_length (vectors); i++) {
    JsonObject *vector = json_array_get_object_element (vectors, i);

    if (strcmp (test_vectors_string (vector, "name"), name) != 0)
      continue;
    g_assert_cmpstr (test_request_header (request, "authorization"), ==,
        test_vectors_string (vector, "authorization"));
    return;
  }
  g_assert_not_reached ();
}

static void
assert_common (const TestRequest *request)
{
  g_assert_cmpstr (
      test_request_header (request, "x-cos-security-token"), ==, TOKEN);
  g_assert_cmpstr (test_request_header (request, "vod-forward-cos"), ==, HOST);
}

#define INITIATED                                                              \
  "<InitiateMultipartUploadResult>\n\t<Bucket>b</Bucket>\n\t<Key>"             \
  "k</Key>\n\t<UploadId>" UPLOAD_ID "</UploadId>\n"                            \
  "</InitiateMultipartUploadResult>\n"
#define COMPLETED                                                              \
  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                               \
  "<CompleteMultipartUploadResult xmlns=\"http://x/7751\">\n\t<Location>"      \
  "http://x</Location>\n\t<ETag>&quot;aa-3&quot;</ETag>\n"                     \
  "</CompleteMultipartUploadResult>"

static void
test_initiate (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *id = NULL;
  const TestRequest *request;

  test_soup_answer (fixture->soup, 200, NULL, INITIATED);
  id =
      vod_cos_initiate (fixture->http, &fixture->target, NULL, &fixture->error);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (id, ==, UPLOAD_ID);
  request = test_soup_request (fixture->soup, 0);
  g_assert_cmpstr (request->method, ==, "POST");
  g_assert_cmpstr (request->target, ==, "/" KEY "?uploads");
  g_assert_cmpstr (test_request_header (request, "content-length"), ==, "0");
  assert_signed_as (request, "init-uploads-host-only (wx)");
  assert_common (request);
}

static gboolean
put_part (
    Fixture *fixture, guint64 length, const guint8 *md5, VodCosReceipt *receipt)
{
  VodHttpBody body = test_body (length);

  return vod_cos_put_part (fixture->http, &fixture->target, UPLOAD_ID, 1, &body,
      md5, NULL, NULL, NULL, receipt, &fixture->error);
}

static void
test_put_part (Fixture *fixture, gconstpointer data)
{
  const gchar *headers[] = {"ETag", "\"39270a968a357d24207e9911162507eb\"",
      "x-cos-hash-crc64ecma", "9973912126177188060", NULL};
  gsize len;
  g_autofree guchar *md5 = g_base64_decode ("OScKloo1fSQgfpkRFiUH6w==", &len);
  VodCosReceipt receipt;
  const TestRequest *request;

  test_soup_answer (fixture->soup, 200, headers, NULL);
  put_part (fixture, MIB, md5, &receipt);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (receipt.etag, ==, "\"39270a968a357d24207e9911162507eb\"");
  g_assert_true (receipt.has_crc64);
  g_assert_cmpuint (receipt.crc64, ==, 9973912126177188060u);
  request = test_soup_request (fixture->soup, 0);
  g_assert_cmpstr (request->method, ==, "PUT");
  g_assert_cmpstr (
      request->target, ==, "/" KEY "?partNumber=1&uploadId=" UPLOAD_ID);
  g_assert_cmpstr (test_request_header (request, "content-md5"), ==,
      "OScKloo1fSQgfpkRFiUH6w==");
  g_assert_true (test_body_is (request->body, MIB));
  assert_signed_as (request, "upload-part-wx");
  assert_common (request);
}

static void
test_part_without_crc64 (Fixture *fixture, gconstpointer data)
{
  const gchar *headers[] = {"ETag", "\"x\"", NULL};
  VodCosReceipt receipt;

  test_soup_answer (fixture->soup, 200, headers, NULL);
  put_part (fixture, 1, NULL, &receipt);
  g_assert_no_error (fixture->error);
  g_assert_false (receipt.has_crc64);
  g_assert_null (test_request_header (
      test_soup_request (fixture->soup, 0), "content-md5"));
}

static void
test_straight_to_the_bucket (Fixture *fixture, gconstpointer data)
{
  const gchar *headers[] = {"ETag", "\"x\"", NULL};
  VodCosReceipt receipt;
  const TestRequest *request;

  fixture->target.forward = FALSE;
  test_soup_answer (fixture->soup, 200, headers, NULL);
  put_part (fixture, 1, NULL, &receipt);
  g_assert_no_error (fixture->error);
  request = test_soup_request (fixture->soup, 0);
  g_assert_cmpstr (test_request_header (request, "host"), ==, HOST);
  g_assert_null (test_request_header (request, "vod-forward-cos"));
}

static void
test_key_with_odd_characters (Fixture *fixture, gconstpointer data)
{
  const gchar *headers[] = {"ETag", "\"x\"", NULL};
  VodCosReceipt receipt;

  fixture->target.key = "x(1)*~'!;:@,$ \303\244%20+?#.mp4";
  test_soup_answer (fixture->soup, 200, headers, NULL);
  put_part (fixture, 1, NULL, &receipt);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (test_soup_request (fixture->soup, 0)->target, ==,
      "/x%281%29%2A~%27%21%3B%3A%40%2C%24%20%C3%A4%2520%2B%3F%23.mp4"
      "?partNumber=1&uploadId=" UPLOAD_ID);
}

static void
test_part_answers_that_cannot_be (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *overlong = g_strnfill (200, 'x');
  const gchar *const table[][2] = {{"X-None", "x"}, {"ETag", ""},
      {"ETag", "a b"}, {"ETag", "\"\303\244\""}, {"ETag", overlong},
      {"x-cos-hash-crc64ecma", "1"}};
  static const gchar *const numbers[] = {
      "-1", "x", "", "1.5", "0x10", "99999999999999999999"};
  VodCosReceipt receipt;

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    const gchar *headers[] = {table[i][0], table[i][1], NULL};

    test_soup_answer (fixture->soup, 200, headers, NULL);
    test_expect_failure (put_part (fixture, 10, NULL, &receipt), fixture->error,
        VOD_ERROR_PROTOCOL);
    g_assert_cmpuint (vod_error_details (fixture->error)->http_status, ==, 200);
    g_clear_error (&fixture->error);
  }
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++) {
    const gchar *headers[] = {
        "ETag", "\"x\"", "x-cos-hash-crc64ecma", numbers[i], NULL};

    test_soup_answer (fixture->soup, 200, headers, NULL);
    test_expect_failure (put_part (fixture, 10, NULL, &receipt), fixture->error,
        VOD_ERROR_PROTOCOL);
    g_clear_error (&fixture->error);
  }
}

#define ERROR_XML(code, message)                                               \
  "<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>" code            \
  "</Code>\n\t<Message>" message "</Message>\n\t<Resource>x</Resource>\n"      \
  "\t<RequestId>NWU3</RequestId>\n\t<TraceId>t</TraceId>\n</Error>"

static void
test_errors_of_the_storage (Fixture *fixture, gconstpointer data)
{
  const gchar *headers[] = {
      "x-cos-request-id", "header-id", "Retry-After", "3", NULL};
  VodCosReceipt receipt;
  const VodErrorDetails *details;

  test_soup_answer (
      fixture->soup, 503, headers, ERROR_XML ("SlowDown", "Reduce"));
  test_expect_failure (put_part (fixture, 10, NULL, &receipt), fixture->error,
      VOD_ERROR_STORAGE);
  details = vod_error_details (fixture->error);
  g_assert_cmpstr (details->error_code, ==, "SlowDown");
  g_assert_cmpstr (details->request_id, ==, "NWU3");
  g_assert_cmpuint (details->http_status, ==, 503);
  g_assert_cmpint (details->retry_after, ==, 3000);
  g_assert_cmpint (details->server_time, >, 0);
  g_assert_cmpint (vod_error_number (fixture->error), ==, 503);
  g_assert_nonnull (strstr (fixture->error->message, "SlowDown"));
}

static void
test_failing_status_without_explanation (Fixture *fixture, gconstpointer data)
{
  static const struct {
    guint status;
    const gchar *body;
  } table[] = {{502, "<html><body>Bad gateway<br>secret</body></html>"},
      {404, NULL}, {301, ""}, {403, "<NotAnError/>"}, {500, "{}"}};
  VodCosReceipt receipt;

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    test_soup_answer (fixture->soup, table[i].status, NULL, table[i].body);
    test_expect_failure (
        put_part (fixture, 10, NULL, &receipt), fixture->error, VOD_ERROR_HTTP);
    g_assert_cmpuint (
        vod_error_details (fixture->error)->http_status, ==, table[i].status);
    g_clear_error (&fixture->error);
  }
}

static void
test_initiate_answers_that_cannot_be (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *letters = g_strnfill (1025, 'x');
  g_autofree gchar *overlong =
      g_strdup_printf ("<InitiateMultipartUploadResult><UploadId>%s</UploadId>"
                       "</InitiateMultipartUploadResult>",
          letters);
  const gchar *const table[] = {"", "garbage", COMPLETED, overlong,
      "<InitiateMultipartUploadResult/>",
      "<InitiateMultipartUploadResult><UploadId></UploadId>"
      "</InitiateMultipartUploadResult>",
      "<InitiateMultipartUploadResult><UploadId>a&#10;b</UploadId>"
      "</InitiateMultipartUploadResult>",
      "<InitiateMultipartUploadResult><X><UploadId>a</UploadId></X>"
      "</InitiateMultipartUploadResult>"};

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    test_soup_answer (fixture->soup, 200, NULL, table[i]);
    test_expect_failure (vod_cos_initiate (fixture->http, &fixture->target,
                             NULL, &fixture->error) != NULL,
        fixture->error, VOD_ERROR_PROTOCOL);
    g_clear_error (&fixture->error);
  }
}

static gboolean
complete (Fixture *fixture, VodCosReceipt *receipt)
{
  const gchar *etags[] = {"\"a\"", "\"b\"", "\"c\""};

  return vod_cos_complete (fixture->http, &fixture->target, UPLOAD_ID, etags, 3,
      NULL, receipt, &fixture->error);
}

static void
test_complete (Fixture *fixture, gconstpointer data)
{
  const gchar *headers[] = {
      "x-cos-hash-crc64ecma", "2290339086971918696", NULL};
  VodCosReceipt receipt;
  const TestRequest *request;
  g_autofree gchar *text = NULL, *base64 = NULL;
  guint8 digest[VOD_MD5_SIZE];
  VodMd5 *md5 = vod_md5_new ();

  test_soup_answer (fixture->soup, 200, headers, COMPLETED);
  complete (fixture, &receipt);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (receipt.etag, ==, "\"aa-3\"");
  g_assert_true (receipt.has_crc64);
  g_assert_cmpuint (receipt.crc64, ==, 2290339086971918696u);
  request = test_soup_request (fixture->soup, 0);
  g_assert_cmpstr (request->method, ==, "POST");
  g_assert_cmpstr (request->target, ==, "/" KEY "?uploadId=" UPLOAD_ID);
  text = test_request_text (request);
  g_assert_nonnull (strstr (text,
      "\t<Part>\n\t\t<PartNumber>2</PartNumber>\n"
      "\t\t<ETag>\"b\"</ETag>\n\t</Part>\n"));
  vod_md5_update (md5, text, strlen (text));
  g_assert_true (vod_md5_finish (md5, digest));
  base64 = g_base64_encode (digest, sizeof digest);
  g_assert_cmpstr (test_request_header (request, "content-md5"), ==, base64);
  g_assert_nonnull (strstr (test_request_header (request, "authorization"),
      "&q-header-list=content-md5;host&q-url-param-list=uploadid&"));
  assert_common (request);
}

static void
test_complete_with_blanks_first (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *blanks = g_strnfill (20000, ' ');
  g_autofree gchar *text = g_strconcat (blanks, COMPLETED, NULL);
  VodCosReceipt receipt;

  test_soup_answer (fixture->soup, 200, NULL, text);
  complete (fixture, &receipt);
  g_assert_no_error (fixture->error);
  g_assert_false (receipt.has_crc64);
}

static void
test_complete_with_error_in_200 (Fixture *fixture, gconstpointer data)
{
  VodCosReceipt receipt;
  const VodErrorDetails *details;

  test_soup_answer (fixture->soup, 200, NULL,
      "     \n  " ERROR_XML ("InternalError", "try again"));
  test_expect_failure (
      complete (fixture, &receipt), fixture->error, VOD_ERROR_STORAGE);
  details = vod_error_details (fixture->error);
  g_assert_cmpstr (details->error_code, ==, "InternalError");
  g_assert_cmpuint (details->http_status, ==, 200);
}

static void
test_complete_answers_that_cannot_be (Fixture *fixture, gconstpointer data)
{
  static const gchar *const table[] = {"", "    ", "garbage", INITIATED,
      "<CompleteMultipartUploadResult/>",
      "<CompleteMultipartUploadResult><ETag>a b</ETag>"
      "</CompleteMultipartUploadResult>",
      "<CompleteMultipartUploadResult><ETag>a</ETag>"};
  VodCosReceipt receipt;

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    test_soup_answer (fixture->soup, 200, NULL, table[i]);
    test_expect_failure (
        complete (fixture, &receipt), fixture->error, VOD_ERROR_PROTOCOL);
    g_clear_error (&fixture->error);
  }
}

/* Answers whole the first time; then drops the connection after the request. */
static void
drop_second (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  gint *completes = data;

  for (guint i = 0;; i++) {
    g_autofree gchar *head = NULL;

    if (!test_raw_read_request (stream, &head, NULL))
      return;
    if (g_str_has_prefix (head, "POST") && strstr (head, "uploadId"))
      g_atomic_int_inc (completes);
    if (i == 1)
      return;
    test_raw_write (
        stream, "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 0\r\n\r\n");
  }
}

static void
test_lost_complete_is_not_sent_again (Fixture *fixture, gconstpointer data)
{
  gint completes = 0;
  VodCosReceipt receipt;

  {
    g_autoptr (TestRaw) raw = test_raw_new (drop_second, &completes);

    fixture->target.connect_to = test_raw_uri (raw);
    put_part (fixture, 10, NULL, &receipt);
    g_assert_no_error (fixture->error);
    test_expect_failure (
        complete (fixture, &receipt), fixture->error, VOD_ERROR_NETWORK);
  }
  g_assert_cmpint (completes, ==, 1);
}

static void
test_abort (Fixture *fixture, gconstpointer data)
{
  const TestRequest *request;

  test_soup_answer (fixture->soup, 204, NULL, NULL);
  vod_cos_abort (
      fixture->http, &fixture->target, UPLOAD_ID, 2, NULL, &fixture->error);
  g_assert_no_error (fixture->error);
  request = test_soup_request (fixture->soup, 0);
  g_assert_cmpstr (request->method, ==, "DELETE");
  g_assert_cmpstr (request->target, ==, "/" KEY "?uploadId=" UPLOAD_ID);
  assert_signed_as (request, "abort");
  assert_common (request);
}

static void
test_abort_of_what_is_gone (Fixture *fixture, gconstpointer data)
{
  test_soup_answer (
      fixture->soup, 404, NULL, ERROR_XML ("NoSuchUpload", "gone"));
  vod_cos_abort (
      fixture->http, &fixture->target, UPLOAD_ID, 0, NULL, &fixture->error);
  g_assert_no_error (fixture->error);
  test_soup_answer (
      fixture->soup, 403, NULL, ERROR_XML ("AccessDenied", "Access Denied."));
  test_expect_failure (vod_cos_abort (fixture->http, &fixture->target,
                           UPLOAD_ID, 0, NULL, &fixture->error),
      fixture->error, VOD_ERROR_STORAGE);
}

static void
test_head (Fixture *fixture, gconstpointer data)
{
  const gchar *headers[] = {"ETag", "\"aa-3\"", "x-cos-hash-crc64ecma", "17",
      "Content-Length", "123456789012", NULL};
  VodCosReceipt receipt;
  guint64 size = 0;
  const TestRequest *request;

  test_soup_answer (fixture->soup, 200, headers, NULL);
  vod_cos_head (
      fixture->http, &fixture->target, NULL, &size, &receipt, &fixture->error);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (size, ==, 123456789012u);
  g_assert_cmpuint (receipt.crc64, ==, 17);
  request = test_soup_request (fixture->soup, 0);
  g_assert_cmpstr (request->method, ==, "HEAD");
  g_assert_cmpstr (request->target, ==, "/" KEY);
  assert_signed_as (request, "head-object");
  assert_common (request);
}

static void
test_head_of_nothing (Fixture *fixture, gconstpointer data)
{
  VodCosReceipt receipt;
  guint64 size;

  test_soup_answer (fixture->soup, 404, NULL, NULL);
  test_expect_failure (vod_cos_head (fixture->http, &fixture->target, NULL,
                           &size, &receipt, &fixture->error),
      fixture->error, VOD_ERROR_HTTP);
  g_assert_cmpuint (vod_error_details (fixture->error)->http_status, ==, 404);
}

static void
test_put_object (Fixture *fixture, gconstpointer data)
{
  const gchar *headers[] = {"ETag", "\"x\"", NULL};
  VodHttpBody body = test_body (5000);
  VodCosReceipt receipt;
  const TestRequest *request;

  test_soup_answer (fixture->soup, 200, headers, NULL);
  vod_cos_put_object (fixture->http, &fixture->target, &body, "image/png", NULL,
      NULL, &receipt, &fixture->error);
  g_assert_no_error (fixture->error);
  request = test_soup_request (fixture->soup, 0);
  g_assert_cmpstr (request->method, ==, "PUT");
  g_assert_cmpstr (request->target, ==, "/" KEY);
  g_assert_cmpstr (
      test_request_header (request, "content-type"), ==, "image/png");
  g_assert_nonnull (strstr (test_request_header (request, "authorization"),
      "&q-header-list=content-length;host&q-url-param-list=&"));
  g_assert_true (test_body_is (request->body, 5000));
}

/* --- lists --- */

#define PARTS(truncated, content)                                              \
  "<ListPartsResult>\n\t<Bucket/><UploadId/><PartNumberMarker>0"               \
  "</PartNumberMarker>" content "<IsTruncated>" truncated                      \
  "</IsTruncated></ListPartsResult>"
#define PART(number, size, etag)                                               \
  "\n\t<Part>\n\t\t<PartNumber>" number "</PartNumber>\n\t\t<LastModified>"    \
  "2020-03-25T10:07:14.000Z</LastModified>\n\t\t<ETag>" etag                   \
  "</ETag>\n\t\t<Size>" size "</Size>\n\t</Part>"
#define NEXT_PART(number)                                                      \
  "<NextPartNumberMarker>" number "</NextPartNumberMarker>"

static GArray *
list_parts (Fixture *fixture)
{
  return vod_cos_list_parts (
      fixture->http, &fixture->target, UPLOAD_ID, NULL, &fixture->error);
}

static void
assert_part (GArray *parts, guint i, guint number, guint64 size, const gchar *e)
{
  const VodCosPart *part = &g_array_index (parts, VodCosPart, i);

  g_assert_cmpuint (part->number, ==, number);
  g_assert_cmpuint (part->size, ==, size);
  g_assert_cmpstr (part->etag, ==, e);
}

static void
test_list_parts (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GArray) parts = NULL;
  const TestRequest *request;

  test_soup_answer (fixture->soup, 200, NULL,
      PARTS ("false",
          PART ("10", "5368709120", "&quot;39270a&quot;") PART ("9", "0", "x")
              PART ("10000", "1", "y")));
  parts = list_parts (fixture);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (parts->len, ==, 3);
  assert_part (parts, 0, 9, 0, "x");
  assert_part (parts, 1, 10, 5368709120, "\"39270a\"");
  assert_part (parts, 2, 10000, 1, "y");
  g_assert_cmpuint (test_soup_n_requests (fixture->soup), ==, 1);
  request = test_soup_request (fixture->soup, 0);
  g_assert_cmpstr (request->method, ==, "GET");
  g_assert_cmpstr (request->target, ==, "/" KEY "?uploadId=" UPLOAD_ID);
  assert_signed_as (request, "list-parts");
  assert_common (request);
}

static void
test_no_parts_yet (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GArray) parts = NULL;

  test_soup_answer (fixture->soup, 200, NULL, PARTS ("false", ""));
  parts = list_parts (fixture);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (parts->len, ==, 0);
}

static void
test_parts_page_by_page (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GArray) parts = NULL;
  const TestRequest *request;

  test_soup_answer (fixture->soup, 200, NULL,
      PARTS (
          "true", PART ("1", "1", "a") PART ("2", "2", "b") NEXT_PART ("2")));
  test_soup_answer (
      fixture->soup, 200, NULL, PARTS ("true", NEXT_PART ("10000")));
  test_soup_answer (
      fixture->soup, 200, NULL, PARTS ("false", PART ("7", "7", "g")));
  parts = list_parts (fixture);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (parts->len, ==, 3);
  assert_part (parts, 2, 7, 7, "g");
  g_assert_cmpuint (test_soup_n_requests (fixture->soup), ==, 3);
  request = test_soup_request (fixture->soup, 1);
  g_assert_cmpstr (request->target, ==,
      "/" KEY "?uploadId=" UPLOAD_ID "&part-number-marker=2");
  g_assert_nonnull (strstr (test_request_header (request, "authorization"),
      "&q-header-list=host&q-url-param-list=part-number-marker;uploadid&"));
  assert_common (request);
  g_assert_cmpstr (test_soup_request (fixture->soup, 2)->target, ==,
      "/" KEY "?uploadId=" UPLOAD_ID "&part-number-marker=10000");
}

/* Page @n of parts, @size of them to a page, that says there are more. */
static gchar *
endless_page (guint n, guint size)
{
  g_autofree gchar *etag = g_strnfill (VOD_COS_ETAG_MAX - 3, 'e');
  GString *text = g_string_new ("<ListPartsResult>");

  for (guint i = 1; i <= size; i++)
    g_string_append_printf (
        text, PART ("%u", "1048576", "&quot;%s&quot;"), n * size + i, etag);
  g_string_append_printf (text,
      NEXT_PART ("%u") "<IsTruncated>true</IsTruncated></ListPartsResult>",
      (n + 1) * size);
  return g_string_free (text, FALSE);
}

static void
answer_endless_pages (Fixture *fixture, guint n_pages, guint size)
{
  for (guint i = 0; i < n_pages; i++) {
    g_autofree gchar *text = endless_page (i, size);

    test_soup_answer (fixture->soup, 200, NULL, text);
  }
}

/* Pages that are larger than other answers may be. */
static void
test_as_many_parts_as_there_can_be (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *page = endless_page (0, 1000);
  g_autoptr (GArray) parts = NULL;

  g_assert_cmpuint (strlen (page), >, 256 * 1024);
  answer_endless_pages (fixture, 10, 1000);
  test_soup_answer (fixture->soup, 200, NULL, PARTS ("false", ""));
  parts = list_parts (fixture);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (parts->len, ==, 10000);
  for (guint i = 0; i < parts->len; i++)
    g_assert_cmpuint (g_array_index (parts, VodCosPart, i).number, ==, i + 1);
}

static void
test_list_of_parts_without_end (Fixture *fixture, gconstpointer data)
{
  answer_endless_pages (fixture, 12, 1);
  test_expect_failure (
      list_parts (fixture) != NULL, fixture->error, VOD_ERROR_PROTOCOL);
  g_assert_cmpuint (test_soup_n_requests (fixture->soup), ==, 11);
}

static void
test_lists_of_parts_that_cannot_be (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *letters = g_strnfill (VOD_COS_ETAG_MAX, 'x');
  g_autofree gchar *etag =
      g_strdup_printf (PARTS ("false", PART ("1", "1", "%s")), letters);
  g_autofree gchar *too_many = endless_page (0, 1001);
  g_autofree gchar *blanks = g_strnfill (2 * MIB, ' ');
  g_autofree gchar *too_long = g_strconcat (blanks, PARTS ("false", ""), NULL);
  const gchar *const table[] = {"", "garbage", INITIATED, etag, too_many,
      too_long, "<ListPartsResult/>", PARTS ("", ""), PARTS ("yes", ""),
      PARTS ("false", PART ("0", "1", "x")),
      PARTS ("false", PART ("10001", "1", "x")),
      PARTS ("false", PART ("-1", "1", "x")),
      PARTS ("false", PART ("", "1", "x")),
      PARTS ("false", PART ("1", "5368709121", "x")),
      PARTS ("false", PART ("1", "-1", "x")),
      PARTS ("false", PART ("1", "", "x")),
      PARTS ("false", PART ("1", "1", "")),
      PARTS ("false", PART ("1", "1", "a b")),
      PARTS ("false", PART ("1", "1", "\303\244")), PARTS ("false", "<Part/>"),
      PARTS ("false", PART ("1", "1", "x") PART ("1", "1", "x")),
      PARTS ("true", PART ("1", "1", "x")), PARTS ("true", NEXT_PART ("0")),
      PARTS ("true", NEXT_PART ("10001")), PARTS ("true", NEXT_PART ("x"))};

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    test_soup_answer (fixture->soup, 200, NULL, table[i]);
    test_expect_failure (
        list_parts (fixture) != NULL, fixture->error, VOD_ERROR_PROTOCOL);
    g_assert_cmpuint (test_soup_n_requests (fixture->soup), ==, i + 1);
    g_clear_error (&fixture->error);
  }
}

static void
test_later_pages_of_parts_that_cannot_be (Fixture *fixture, gconstpointer data)
{
  static const gchar *const table[] = {PARTS ("true", NEXT_PART ("5")),
      PARTS ("true", NEXT_PART ("4")), PARTS ("false", PART ("3", "1", "x"))};

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    test_soup_answer (fixture->soup, 200, NULL,
        PARTS ("true", PART ("3", "1", "x") NEXT_PART ("5")));
    test_soup_answer (fixture->soup, 200, NULL, table[i]);
    test_expect_failure (
        list_parts (fixture) != NULL, fixture->error, VOD_ERROR_PROTOCOL);
    g_clear_error (&fixture->error);
  }
}

static void
test_parts_of_what_is_gone (Fixture *fixture, gconstpointer data)
{
  test_soup_answer (
      fixture->soup, 404, NULL, ERROR_XML ("NoSuchUpload", "gone"));
  test_expect_failure (
      list_parts (fixture) != NULL, fixture->error, VOD_ERROR_STORAGE);
  g_assert_cmpstr (
      vod_error_details (fixture->error)->error_code, ==, "NoSuchUpload");
}

#define UPLOADS(truncated, content)                                            \
  "<ListMultipartUploadsResult>\n\t<Bucket>b</Bucket><Encoding-Type/>"         \
  "<KeyMarker/><UploadIdMarker/><Prefix/><IsTruncated>" truncated              \
  "</IsTruncated>" content "</ListMultipartUploadsResult>"
#define UPLOAD(key, id, initiated)                                             \
  "\n\t<Upload>\n\t\t<Key>" key "</Key>\n\t\t<UploadId>" id                    \
  "</UploadId><Initiator><ID>i</ID></Initiator><Owner><ID>o</ID></Owner>"      \
  "<StorageClass>Standard</StorageClass><Initiated>" initiated                 \
  "</Initiated>\n\t</Upload>"
#define NEXT_UPLOAD(key, id)                                                   \
  "<NextKeyMarker>" key "</NextKeyMarker><NextUploadIdMarker>" id              \
  "</NextUploadIdMarker>"

static gchar *
list_uploads (Fixture *fixture)
{
  g_auto (GStrv) ids = vod_cos_list_uploads (
      fixture->http, &fixture->target, NULL, &fixture->error);

  return ids ? g_strjoinv (" ", ids) : NULL;
}

static void
assert_uploads (Fixture *fixture, const gchar *expected)
{
  g_autofree gchar *ids = list_uploads (fixture);

  g_assert_no_error (fixture->error);
  g_assert_cmpstr (ids, ==, expected);
}

static void
test_list_uploads (Fixture *fixture, gconstpointer data)
{
  const TestRequest *request;

  test_soup_answer (fixture->soup, 200, NULL,
      UPLOADS ("false",
          UPLOAD (KEY, "old", "Wed Jan 18 16:04:17 2017")
              UPLOAD (KEY, "new", "Thu Jan 19 16:04:17 2017")
                  UPLOAD (KEY, "mid", "2017-01-18T17:00:00.000Z")
                      UPLOAD (KEY ".png", "longer", "Thu Jan 19 17:00:00 2017")
                          UPLOAD (KEY " ", "", "")));
  assert_uploads (fixture, "new mid old");
  g_assert_cmpuint (test_soup_n_requests (fixture->soup), ==, 1);
  request = test_soup_request (fixture->soup, 0);
  g_assert_cmpstr (request->method, ==, "GET");
  g_assert_cmpstr (request->target, ==,
      "/?uploads&prefix=faeed456vodcq1400170034%2F7f51d96b5285890784418605123"
      "%2Fx2eWFXPftMEA.mp4");
  assert_signed_as (request, "list-uploads-prefix");
  assert_common (request);
}

static void
test_uploads_of_equal_or_unreadable_times (Fixture *fixture, gconstpointer data)
{
  test_soup_answer (fixture->soup, 200, NULL,
      UPLOADS ("false",
          UPLOAD (KEY, "a", "") UPLOAD (KEY, "b",
              "Wed Jan 18 "
              "16:04:17 2017") UPLOAD (KEY, "c", "yesterday") UPLOAD (KEY, "d",
              "Wed Jan 18 16:04:17 2017") "<Upload><Key>" KEY
                                          "</Key><UploadId>e</UploadId></"
                                          "Upload>"));
  assert_uploads (fixture, "d b e c a");
  test_soup_answer (fixture->soup, 200, NULL, UPLOADS ("false", ""));
  assert_uploads (fixture, "");
}

static void
test_uploads_page_by_page (Fixture *fixture, gconstpointer data)
{
  const TestRequest *request;

  fixture->target.key = "k/\303\244 &.mp4";
  test_soup_answer (fixture->soup, 200, NULL,
      UPLOADS ("true",
          UPLOAD ("k/\303\244 &amp;.mp4", "a", "")
              NEXT_UPLOAD ("k/\303\244 &amp;.mp4", "a+/=")));
  test_soup_answer (fixture->soup, 200, NULL,
      UPLOADS ("true",
          UPLOAD ("k/\303\244 &amp;.mp4", "b", "")
              NEXT_UPLOAD ("k/\303\244 &amp;.mp4", "0")));
  test_soup_answer (fixture->soup, 200, NULL,
      UPLOADS ("true", NEXT_UPLOAD ("k/\303\244 &amp;.mp4.png", "0")));
  test_soup_answer (fixture->soup, 200, NULL, UPLOADS ("false", ""));
  assert_uploads (fixture, "b a");
  g_assert_cmpuint (test_soup_n_requests (fixture->soup), ==, 4);
  request = test_soup_request (fixture->soup, 1);
  g_assert_cmpstr (request->target, ==,
      "/?uploads&prefix=k%2F%C3%A4%20%26.mp4&key-marker=k%2F%C3%A4%20%26.mp4"
      "&upload-id-marker=a%2B%2F%3D");
  g_assert_nonnull (strstr (test_request_header (request, "authorization"),
      "&q-url-param-list=key-marker;prefix;upload-id-marker;uploads&"));
  assert_common (request);
}

/* @n uploads of the key. */
static void
answer_uploads (Fixture *fixture, guint n)
{
  GString *text = g_string_new ("<ListMultipartUploadsResult>");

  for (guint i = 0; i < n; i++)
    g_string_append_printf (text, UPLOAD (KEY, "%u", ""), i);
  g_string_append (
      text, "<IsTruncated>false</IsTruncated></ListMultipartUploadsResult>");
  test_soup_answer (fixture->soup, 200, NULL, text->str);
  g_string_free (text, TRUE);
}

static void
test_too_many_uploads (Fixture *fixture, gconstpointer data)
{
  g_auto (GStrv) ids = NULL;

  answer_uploads (fixture, 100);
  ids = vod_cos_list_uploads (
      fixture->http, &fixture->target, NULL, &fixture->error);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (g_strv_length (ids), ==, 100);
  answer_uploads (fixture, 101);
  test_expect_failure (
      list_uploads (fixture) != NULL, fixture->error, VOD_ERROR_PROTOCOL);
}

static void
test_list_of_uploads_without_end (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 12; i++)
    test_soup_answer (fixture->soup, 200, NULL,
        i % 2 == 0 ? UPLOADS ("true", NEXT_UPLOAD (KEY, "a"))
                   : UPLOADS ("true", NEXT_UPLOAD (KEY, "b")));
  test_expect_failure (
      list_uploads (fixture) != NULL, fixture->error, VOD_ERROR_PROTOCOL);
  g_assert_cmpuint (test_soup_n_requests (fixture->soup), ==, 11);
}

static void
test_lists_of_uploads_that_cannot_be (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *letters = g_strnfill (1025, 'x');
  g_autofree gchar *id =
      g_strdup_printf (UPLOADS ("false", UPLOAD (KEY, "%s", "")), letters);
  const gchar *const table[] = {"", "garbage", PARTS ("false", ""), id,
      "<ListMultipartUploadsResult/>", UPLOADS ("", ""), UPLOADS ("TRUE", ""),
      UPLOADS ("false", UPLOAD (KEY, "", "")),
      UPLOADS ("false", UPLOAD (KEY, "a b", "")),
      UPLOADS ("false", "<Upload><Key>" KEY "</Key></Upload>"),
      UPLOADS ("false", "<Upload><UploadId>a</UploadId></Upload>"),
      UPLOADS ("true", ""), UPLOADS ("true", NEXT_UPLOAD (KEY, "")),
      UPLOADS ("true", NEXT_UPLOAD (KEY, "a b")),
      UPLOADS ("true", NEXT_UPLOAD ("", "a")),
      UPLOADS ("true", NEXT_UPLOAD ("a", "a")),
      UPLOADS ("true", "<NextKeyMarker>" KEY "</NextKeyMarker>"),
      UPLOADS ("true", "<NextUploadIdMarker>a</NextUploadIdMarker>")};

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    test_soup_answer (fixture->soup, 200, NULL, table[i]);
    test_expect_failure (
        list_uploads (fixture) != NULL, fixture->error, VOD_ERROR_PROTOCOL);
    g_assert_cmpuint (test_soup_n_requests (fixture->soup), ==, i + 1);
    g_clear_error (&fixture->error);
  }
}

static void
test_markers_of_uploads_that_do_not_advance (
    Fixture *fixture, gconstpointer data)
{
  static const gchar *const table[] = {NEXT_UPLOAD (KEY "b", "m"),
      NEXT_UPLOAD (KEY "a", "z"), NEXT_UPLOAD (KEY, "z")};

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    g_autofree gchar *text = g_strdup_printf (UPLOADS ("true", "%s"), table[i]);
    guint n = test_soup_n_requests (fixture->soup);

    test_soup_answer (
        fixture->soup, 200, NULL, UPLOADS ("true", NEXT_UPLOAD (KEY "b", "m")));
    test_soup_answer (fixture->soup, 200, NULL, text);
    test_expect_failure (
        list_uploads (fixture) != NULL, fixture->error, VOD_ERROR_PROTOCOL);
    g_assert_cmpuint (test_soup_n_requests (fixture->soup), ==, n + 2);
    g_clear_error (&fixture->error);
  }
}

static void
test_lists_that_are_refused (Fixture *fixture, gconstpointer data)
{
  test_soup_answer (
      fixture->soup, 403, NULL, ERROR_XML ("AccessDenied", "Access Denied."));
  test_expect_failure (
      list_uploads (fixture) != NULL, fixture->error, VOD_ERROR_STORAGE);
  g_clear_error (&fixture->error);
  test_soup_answer (
      fixture->soup, 200, NULL, ERROR_XML ("InternalError", "later"));
  test_expect_failure (
      list_uploads (fixture) != NULL, fixture->error, VOD_ERROR_STORAGE);
  g_clear_error (&fixture->error);
  test_soup_answer (fixture->soup, 200, NULL,
      UPLOADS ("true", UPLOAD (KEY, "a", "") NEXT_UPLOAD (KEY, "a")));
  test_soup_answer (fixture->soup, 503, NULL, NULL);
  test_expect_failure (
      list_uploads (fixture) != NULL, fixture->error, VOD_ERROR_HTTP);
}

static void
test_cancelled (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  g_cancellable_cancel (cancellable);
  test_expect_failure (vod_cos_initiate (fixture->http, &fixture->target,
                           cancellable, &fixture->error) != NULL,
      fixture->error, VOD_ERROR_CANCELLED);
}

static void
add (const gchar *path, void (*test) (Fixture *fixture, gconstpointer data))
{
  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("/cos/initiate", test_initiate);
  add ("/cos/put-part", test_put_part);
  add ("/cos/part-without-crc64", test_part_without_crc64);
  add ("/cos/straight-to-the-bucket", test_straight_to_the_bucket);
  add ("/cos/key-with-odd-characters", test_key_with_odd_characters);
  add ("/cos/part-answers-that-cannot-be", test_part_answers_that_cannot_be);
  add ("/cos/errors-of-the-storage", test_errors_of_the_storage);
  add ("/cos/failing-status-without-explanation",
      test_failing_status_without_explanation);
  add ("/cos/initiate-answers-that-cannot-be",
      test_initiate_answers_that_cannot_be);
  add ("/cos/complete", test_complete);
  add ("/cos/complete-with-blanks-first", test_complete_with_blanks_first);
  add ("/cos/complete-with-error-in-200", test_complete_with_error_in_200);
  add ("/cos/complete-answers-that-cannot-be",
      test_complete_answers_that_cannot_be);
  add ("/cos/lost-complete-is-not-sent-again",
      test_lost_complete_is_not_sent_again);
  add ("/cos/abort", test_abort);
  add ("/cos/abort-of-what-is-gone", test_abort_of_what_is_gone);
  add ("/cos/head", test_head);
  add ("/cos/head-of-nothing", test_head_of_nothing);
  add ("/cos/put-object", test_put_object);
  add ("/cos/list-parts", test_list_parts);
  add ("/cos/no-parts-yet", test_no_parts_yet);
  add ("/cos/parts-page-by-page", test_parts_page_by_page);
  add (
      "/cos/as-many-parts-as-there-can-be", test_as_many_parts_as_there_can_be);
  add ("/cos/list-of-parts-without-end", test_list_of_parts_without_end);
  add (
      "/cos/lists-of-parts-that-cannot-be", test_lists_of_parts_that_cannot_be);
  add ("/cos/later-pages-of-parts-that-cannot-be",
      test_later_pages_of_parts_that_cannot_be);
  add ("/cos/parts-of-what-is-gone", test_parts_of_what_is_gone);
  add ("/cos/list-uploads", test_list_uploads);
  add ("/cos/uploads-of-equal-or-unreadable-times",
      test_uploads_of_equal_or_unreadable_times);
  add ("/cos/uploads-page-by-page", test_uploads_page_by_page);
  add ("/cos/too-many-uploads", test_too_many_uploads);
  add ("/cos/list-of-uploads-without-end", test_list_of_uploads_without_end);
  add ("/cos/lists-of-uploads-that-cannot-be",
      test_lists_of_uploads_that_cannot_be);
  add ("/cos/markers-of-uploads-that-do-not-advance",
      test_markers_of_uploads_that_do_not_advance);
  add ("/cos/lists-that-are-refused", test_lists_that_are_refused);
  add ("/cos/cancelled", test_cancelled);
  return g_test_run ();
}

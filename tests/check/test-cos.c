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
  add ("/cos/cancelled", test_cancelled);
  return g_test_run ();
}

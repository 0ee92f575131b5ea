/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsignature: the order of sources, and what is not a signature.
 */
#include "vodsignature.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "testclient.h"
#include "testserver.h"
#include "testvectors.h"

/* The shortest of the golden vectors, and another. */
#define SIGNATURE                                                              \
  "yv5RLmXFK74BQkH2TRvRvWpSnrhzZWNyZXRJZD1BS0lEMSZjdXJyZW50VGltZVN0YW1wPTEmZ"  \
  "XhwaXJlVGltZT0yJnJhbmRvbT0zJm9uZVRpbWVWYWxpZD0x"
#define OTHER                                                                  \
  "iln9mctVl8YS/8FYlF4+T5S14p1zZWNyZXRJZD1BS0lEejhrcmJzSjV5S0JaUXBuNzRXRmttTF" \
  "B4M0VYQU1QTEUmY3VycmVudFRpbWVTdGFtcD0xNTQ3NzE5Mzc1JmV4cGlyZVRpbWU9MTU0Nzgw" \
  "NTc3NSZyYW5kb209MjIwNjI1"

static void
test_golden_vectors (void)
{
  g_autoptr (JsonNode) root =
      test_vectors_load (TEST_VECTORS, "vod-signature.json");
  JsonArray *vectors = json_node_get_array (root);

  g_assert_cmpuint (json_array_get_length (vectors), ==, 6);
  for (guint i = 0; i < json_array_get_length (vectors); i++) {
    JsonObject *vector = json_array_get_object_element (vectors, i);
    const gchar *signature = test_vectors_string (vector, "signature");
    g_autofree gchar *padded = g_strconcat ("\n ", signature, "\r\n", NULL);
    g_autofree gchar *json = g_strdup_printf ("{\"sign\":\"%s\"}", signature);
    g_autofree gchar *from_text = NULL, *from_json = NULL;
    g_autoptr (GError) error = NULL;

    g_assert_null (vod_signature_check (signature));
    from_text = vod_signature_parse (padded, strlen (padded), &error);
    g_assert_no_error (error);
    g_assert_cmpstr (from_text, ==, signature);
    from_json = vod_signature_parse (json, strlen (json), &error);
    g_assert_no_error (error);
    g_assert_cmpstr (from_json, ==, signature);
  }
}

static void
test_no_signatures (void)
{
  g_autofree gchar *overlong = g_strnfill (8196, 'A');
  g_autofree guchar *blank = (guchar *)g_strnfill (40, ' ');
  g_autofree gchar *no_query = g_base64_encode (blank, 40);
  const gchar *const table[] = {"", "secret", "my password is secret!",
      "<!DOCTYPE html><html><body>secret</body></html>",
      "not_base64_but_long_enough_secret_",
      "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", SIGNATURE "A", SIGNATURE "=",
      SIGNATURE "\n", SIGNATURE " ", " " SIGNATURE, no_query, overlong};

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    const gchar *fault = vod_signature_check (table[i]);

    g_test_message ("%s", fault);
    g_assert_nonnull (fault);
    g_assert_null (strstr (fault, "secret"));
  }
  g_assert_null (vod_signature_check (SIGNATURE));
}

static void
test_json_places (void)
{
  static const gchar *const good[] = {"{\"signature\":\"" SIGNATURE "\"}",
      "{\"sign\":\"" SIGNATURE "\"}", "{\"data\":{\"sign\":\"" SIGNATURE "\"}}",
      "{\"code\":0,\"data\":{\"signature\":\"" SIGNATURE "\"}}",
      "{\"code\":0,\"data\":{\"sign\":\"" OTHER "\"},\"signature\":\"" SIGNATURE
      "\"}",
      "{\"data\":\"x\",\"sign\":\"" SIGNATURE "\"}"};
  static const gchar *const bad[] = {"{}", "{\"signature\":7}",
      "{\"signature\":null}", "{\"signature\":\"\"}", "{\"sign\":\"secret\"}",
      "{\"data\":{}}", "{\"data\":[\"" SIGNATURE "\"]}",
      "{\"x\":{\"sign\":\"" SIGNATURE "\"}}", "{\"sign\":\"" SIGNATURE "\"",
      "[\"" SIGNATURE "\"]", "\"" SIGNATURE "\"",
      "{\"signature\":\"secret\",\"sign\":\"" SIGNATURE "\"}"};

  for (guint i = 0; i < G_N_ELEMENTS (good); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree gchar *found =
        vod_signature_parse (good[i], strlen (good[i]), &error);

    g_assert_no_error (error);
    g_assert_cmpstr (found, ==, SIGNATURE);
  }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (GError) error = NULL;

    test_expect_failure (
        vod_signature_parse (bad[i], strlen (bad[i]), &error) != NULL, error,
        VOD_ERROR_SIGNATURE);
  }
}

static void
test_text_with_nul (void)
{
  static const gchar text[] = SIGNATURE "\0" SIGNATURE;
  g_autoptr (GError) error = NULL;

  test_expect_failure (
      vod_signature_parse (text, sizeof text - 1, &error) != NULL, error,
      VOD_ERROR_SIGNATURE);
}

static void
test_urls (void)
{
  static const gchar *const good[] = {"https://sign.example.com/vod?x=1",
      "http://127.0.0.1:80/", "http://u:p@h/", "file:///run/sig", "HTTPS://h"};
  static const gchar *const bad[] = {"", "sign", "/run/sig", "ftp://h/x",
      "file:relative", "https://", "https:///x", "http://h/a b", "http://h/\n",
      "http://h/\303\244", "file://otherhost/x%00y"};

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    g_assert_null (vod_signature_check_url (good[i]));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_test_message ("%s", bad[i]);
    g_assert_nonnull (vod_signature_check_url (bad[i]));
  }
}

/* --- sources --- */

static gchar *
ask (gpointer data)
{
  return g_strdup (data);
}

static void
expect_signature (
    const VodSignatureSource *source, VodHttp *http, const gchar *expected)
{
  gboolean may_come;
  g_autoptr (GError) error = NULL;
  g_autofree gchar *signature =
      vod_signature_get (source, http, NULL, &may_come, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (signature, ==, expected);
  g_assert_false (may_come);
}

/* Returns a copy of the message. */
static gchar *
expect_none (const VodSignatureSource *source, VodHttp *http, gint code)
{
  gboolean may_come;
  g_autoptr (GError) error = NULL;

  test_expect_failure (
      vod_signature_get (source, http, NULL, &may_come, &error) != NULL, error,
      code);
  /* Only who has said nothing at all may say something later. */
  g_assert_cmpint (may_come, ==,
      source->ask != NULL && source->ask_data == NULL && source->url == NULL);
  g_assert_cmpint (vod_error_details (error)->phase, ==, VOD_PHASE_SIGNATURE);
  g_assert_null (strstr (error->message, SIGNATURE));
  return g_strdup (error->message);
}

static void
test_order_of_sources (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);
  VodSignatureSource source = {.ask = ask,
      .ask_data = (gpointer)OTHER,
      .url = test_soup_uri (soup),
      .string = SIGNATURE};

  expect_signature (&source, http, OTHER);
  g_assert_cmpuint (test_soup_n_requests (soup), ==, 0);
  source.ask_data = NULL;
  test_soup_answer (soup, 200, NULL, OTHER "\n");
  expect_signature (&source, http, OTHER);
  source.url = NULL;
  expect_signature (&source, http, SIGNATURE);
  source.ask = NULL;
  expect_signature (&source, http, SIGNATURE);
  source.refused = OTHER;
  expect_signature (&source, http, SIGNATURE);
}

static void
test_none_at_all_names_the_three (void)
{
  g_autoptr (VodHttp) http = test_http_open (5);
  VodSignatureSource source = {NULL};
  g_autofree gchar *nobody = expect_none (&source, http, VOD_ERROR_SIGNATURE);
  g_autofree gchar *later = NULL, *refused = NULL;

  g_assert_nonnull (strstr (nobody, "\"get-signature\""));
  g_assert_nonnull (strstr (nobody, "\"signature-url\""));
  g_assert_nonnull (strstr (nobody, "\"signature\""));
  source.ask = ask;
  later = expect_none (&source, http, VOD_ERROR_SIGNATURE);
  source.ask = NULL;
  source.string = source.refused = SIGNATURE;
  refused = expect_none (&source, http, VOD_ERROR_SIGNATURE);
  g_assert_nonnull (strstr (refused, "refused"));
}

static void
test_garbage_names_its_source (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);
  VodSignatureSource source = {.ask = ask,
      .ask_data = (gpointer) "secret garbage",
      .url = test_soup_uri (soup),
      .string = "secret"};
  g_autofree gchar *handler = expect_none (&source, http, VOD_ERROR_SIGNATURE);
  g_autofree gchar *server = NULL, *property = NULL;

  g_assert_true (g_str_has_prefix (handler, "get-signature: "));
  source.ask = NULL;
  test_soup_answer (soup, 200, NULL, "<html><body>secret login</body></html>");
  server = expect_none (&source, http, VOD_ERROR_SIGNATURE);
  g_assert_true (g_str_has_prefix (server, "signature-url: "));
  source.url = NULL;
  property = expect_none (&source, http, VOD_ERROR_SIGNATURE);
  g_assert_true (g_str_has_prefix (property, "signature: "));
}

static void
test_server_is_asked_with_headers (void)
{
  const gchar *headers[] = {"Authorization", "Bearer x", NULL};
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);
  g_autofree gchar *url =
      g_strconcat (test_soup_uri (soup), "/vod?user=1", NULL);
  VodSignatureSource source = {.url = url, .headers = headers};
  const TestRequest *request;

  test_soup_answer (soup, 200, NULL, "{\"signature\":\"" SIGNATURE "\"}");
  expect_signature (&source, http, SIGNATURE);
  request = test_soup_request (soup, 0);
  g_assert_cmpstr (request->method, ==, "GET");
  g_assert_cmpstr (request->target, ==, "/vod?user=1");
  g_assert_cmpstr (
      test_request_header (request, "authorization"), ==, "Bearer x");
}

static void
serve_endless (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  g_autofree gchar *junk = g_strnfill (65536, 'A');

  if (test_raw_read_request (stream, NULL, NULL))
    test_raw_write (stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  while (test_raw_write (stream, junk))
    continue;
}

static void
test_servers_that_fail (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (TestRaw) raw = test_raw_new (serve_endless, NULL);
  g_autoptr (VodHttp) http = test_http_open (5);
  g_autofree gchar *url = g_strconcat (test_soup_uri (soup), "/x?secret", NULL);
  VodSignatureSource source = {.url = url, .string = SIGNATURE};
  g_autofree gchar *missing = NULL, *endless = NULL, *down = NULL;

  test_soup_answer (soup, 404, NULL, "secret");
  missing = expect_none (&source, http, VOD_ERROR_HTTP);
  g_assert_nonnull (strstr (missing, "404"));
  source.url = test_raw_uri (raw);
  endless = expect_none (&source, http, VOD_ERROR_PROTOCOL);
  g_assert_true (g_str_has_prefix (endless, "signature-url: "));
  source.url = "http://nonexistent.invalid/?secret";
  down = expect_none (&source, http, VOD_ERROR_NETWORK);
  g_assert_true (g_str_has_prefix (down, "signature-url: "));
}

static void
test_files (void)
{
  g_autofree gchar *directory = g_dir_make_tmp ("vodtest-XXXXXX", NULL);
  g_autofree gchar *file = g_build_filename (directory, "a sig", NULL);
  g_autofree gchar *url = g_filename_to_uri (file, NULL, NULL);
  g_autofree gchar *junk = g_strnfill (100000, 'A');
  g_autofree gchar *missing = NULL, *overlong = NULL, *folder = NULL,
                   *pipe = NULL;
  g_autoptr (VodHttp) http = test_http_open (5);
  VodSignatureSource source = {.url = url};

  missing = expect_none (&source, http, VOD_ERROR_SIGNATURE);
  g_assert_true (g_str_has_prefix (missing, "signature-url: "));
  g_assert_nonnull (strstr (missing, file));
  g_assert_nonnull (strstr (missing, "vod-sign"));
  g_assert_true (g_file_set_contents (file, SIGNATURE "\n", -1, NULL));
  expect_signature (&source, http, SIGNATURE);
  g_assert_true (g_file_set_contents (file, junk, -1, NULL));
  overlong = expect_none (&source, http, VOD_ERROR_SIGNATURE);
  /* A pipe that nobody writes to must not be waited for. */
  g_remove (file);
  g_assert_cmpint (mkfifo (file, 0600), ==, 0);
  pipe = expect_none (&source, http, VOD_ERROR_SIGNATURE);
  source.url = "file:///";
  folder = expect_none (&source, http, VOD_ERROR_SIGNATURE);
  g_remove (file);
  g_rmdir (directory);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/signature/golden-vectors", test_golden_vectors);
  g_test_add_func ("/signature/no-signatures", test_no_signatures);
  g_test_add_func ("/signature/json-places", test_json_places);
  g_test_add_func ("/signature/text-with-nul", test_text_with_nul);
  g_test_add_func ("/signature/urls", test_urls);
  g_test_add_func ("/signature/order-of-sources", test_order_of_sources);
  g_test_add_func ("/signature/none-at-all-names-the-three",
      test_none_at_all_names_the_three);
  g_test_add_func (
      "/signature/garbage-names-its-source", test_garbage_names_its_source);
  g_test_add_func ("/signature/server-is-asked-with-headers",
      test_server_is_asked_with_headers);
  g_test_add_func ("/signature/servers-that-fail", test_servers_that_fail);
  g_test_add_func ("/signature/files", test_files);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodreport: events as the official clients' servers know them, and where they
 * may go.
 */
#include "vodreport.h"

#include <json-glib/json-glib.h>

#include "testclient.h"
#include "testserver.h"

#define PRIVATE "https://vodreport.qcloud.com"
#define PLAIN "http://vodreport.qcloud.com"

static const VodReport good = {.device = "GStreamer 1.22.0, Debian",
    .app_id = 1400170034,
    .file_size = 1500000,
    .file_name = "sample 测试",
    .file_type = "mp4",
    .session_key = "3FEmq9DW/+==",
    .request_key = "a3b43aff-a4c4-4186-b9f3-9d9d9a0e1060",
    .report_id = "sample-report-id",
    .region = "ap-chongqing",
    .type = VOD_REPORT_APPLY,
    .begun = 1795352797984,
    .cost = 31};

#define HEAD                                                                   \
  "{\"version\":\"" TEST_VERSION "\",\"platform\":5000,"                       \
  "\"device\":\"GStreamer 1.22.0, Debian\",\"appId\":1400170034,"              \
  "\"fileSize\":1500000,\"fileName\":\"sample 测试\",\"fileType\":\"mp4\","
#define REST                                                                   \
  "\"reqKey\":\"a3b43aff-a4c4-4186-b9f3-9d9d9a0e1060\","                       \
  "\"reportId\":\"sample-report-id\",\"cosRegion\":\"ap-chongqing\","
#define TAIL "\"reqTimeCost\":31,\"reqTime\":1795352797984}"

static gchar *
body_for (const VodReport *report, const gchar *endpoint)
{
  g_autoptr (GBytes) body = vod_report_body (report, endpoint);
  gsize len;
  const gchar *text = g_bytes_get_data (body, &len);

  return g_strndup (text, len);
}

static void
expect (const VodReport *report, const gchar *endpoint, const gchar *expected)
{
  g_autofree gchar *body = body_for (report, endpoint);

  g_assert_cmpstr (body, ==, expected);
}

/* --- what it says ---------------------------------------------------------*/

static void
test_good_events (void)
{
  VodReport committed = good;

  expect (&good, PRIVATE,
      HEAD "\"vodSessionKey\":\"3FEmq9DW/+==\"," REST
           "\"reqType\":10001,\"errCode\":0,\"vodErrCode\":0,"
           "\"errMsg\":\"\"," TAIL);
  committed.type = VOD_REPORT_COMMIT;
  committed.file_id = "5285890784418610001";
  expect (&committed, PRIVATE,
      HEAD "\"vodSessionKey\":\"3FEmq9DW/+==\"," REST
           "\"fileId\":\"5285890784418610001\","
           "\"reqType\":10002,\"errCode\":0,\"vodErrCode\":0,"
           "\"errMsg\":\"\"," TAIL);
}

static void
test_session_key_goes_where_nobody_reads_along (void)
{
  static const struct {
    const gchar *endpoint;
    gboolean private;
  } table[] = {
      {PRIVATE, TRUE},
      {"https://10.0.0.1:8443", TRUE},
      {"http://127.0.0.1:80", TRUE},
      {"http://127.9.8.7", TRUE},
      {"http://[::1]:8080", TRUE},
      {"http://localhost:1", TRUE},
      {"http://LocalHost", TRUE},
      {PLAIN, FALSE},
      {"http://10.0.0.1", FALSE},
      {"http://0.0.0.0", FALSE},
      {"http://localhost.example.com", FALSE},
      {"http://127.0.0.1.example.com", FALSE},
      {"http://[2001:db8::1]", FALSE},
      {"http://", FALSE},
      {"", FALSE},
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    g_autofree gchar *body = body_for (&good, table[i].endpoint);
    gboolean sent = strstr (body, "3FEmq9DW") != NULL;

    g_test_message ("%s", table[i].endpoint);
    g_assert_cmpint (
        vod_report_is_private (table[i].endpoint), ==, table[i].private);
    g_assert_cmpint (sent, ==, table[i].private);
  }
  expect (&good, PLAIN,
      HEAD REST "\"reqType\":10001,\"errCode\":0,\"vodErrCode\":0,"
                "\"errMsg\":\"\"," TAIL);
}

static void
test_what_is_not_known_is_left_out (void)
{
  VodReport report = {.type = VOD_REPORT_APPLY};

  expect (&report, PRIVATE,
      "{\"version\":\"" TEST_VERSION "\",\"platform\":5000,"
      "\"reqType\":10001,\"errCode\":0,\"vodErrCode\":0,\"errMsg\":\"\","
      "\"reqTimeCost\":0,\"reqTime\":0}");
}

/* Which code goes with which event. */
static void
test_codes (void)
{
  g_autoptr (GError) service = vod_error_new (VOD_ERROR_SERVICE, "said no");
  g_autoptr (GError) storage = vod_error_new (VOD_ERROR_STORAGE, "was busy");
  g_autoptr (GError) network = vod_error_new (VOD_ERROR_NETWORK, "is \"gone\"");
  g_autoptr (GError) other =
      g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, "odd");
  const struct {
    VodReportType type;
    GError *error;
    const gchar *expected;
  } table[] = {
      {VOD_REPORT_PREPARE, NULL,
          "10000,\"errCode\":0,\"vodErrCode\":0,\"errMsg\":\"\""},
      {VOD_REPORT_APPLY, service,
          "10001,\"errCode\":1,\"vodErrCode\":10004,\"errMsg\":\"said no\""},
      {VOD_REPORT_APPLY, network,
          "10001,\"errCode\":1,\"errMsg\":\"is \\\"gone\\\"\""},
      {VOD_REPORT_COMMIT, service,
          "10002,\"errCode\":1,\"vodErrCode\":10004,\"errMsg\":\"said no\""},
      {VOD_REPORT_COMMIT, other, "10002,\"errCode\":1,\"errMsg\":\"odd\""},
      {VOD_REPORT_STORED, NULL,
          "20001,\"errCode\":0,\"cosErrCode\":\"\",\"errMsg\":\"\""},
      {VOD_REPORT_STORED, storage,
          "20001,\"errCode\":1,\"cosErrCode\":\"SlowDown\","
          "\"errMsg\":\"was busy\""},
      {VOD_REPORT_STORED, network,
          "20001,\"errCode\":1,\"errMsg\":\"is \\\"gone\\\"\""},
      {VOD_REPORT_DONE, NULL, "40001,\"errCode\":0,\"errMsg\":\"\""},
      {VOD_REPORT_DONE, service,
          "40001,\"errCode\":1,\"vodErrCode\":10004,\"errMsg\":\"said no\""},
      {VOD_REPORT_DONE, storage,
          "40001,\"errCode\":1,\"cosErrCode\":\"SlowDown\","
          "\"errMsg\":\"was busy\""},
  };

  vod_error_details (service)->number = 10004;
  vod_error_details (storage)->error_code = g_strdup ("SlowDown");
  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    VodReport report = good;
    g_autofree gchar *expected = g_strconcat (
        HEAD REST "\"reqType\":", table[i].expected, "," TAIL, NULL);

    report.type = table[i].type;
    report.error = table[i].error;
    expect (&report, PLAIN, expected);
  }
}

/* Whatever strings there are: valid JSON of a bounded size. */
static void
test_any_strings_stay_bounded (void)
{
  for (guint i = 0; i < 500; i++) {
    gsize len = (gsize)g_test_rand_int_range (0, 2000);
    g_autofree gchar *text = g_malloc (len + 1);
    g_autoptr (GError) error = NULL;
    g_autofree gchar *body = NULL;
    g_autoptr (JsonParser) parser = json_parser_new ();
    VodReport report = good;
    JsonObject *object;

    for (gsize k = 0; k < len; k++)
      text[k] = (gchar)g_test_rand_int_range (1, 256);
    text[len] = '\0';
    error = g_error_new_literal (VOD_ERROR, VOD_ERROR_HTTP, text);
    report.error = error;
    report.device = report.file_name = report.file_type = report.report_id =
        report.region = report.file_id = report.request_key = text;
    body = body_for (&report, PRIVATE);
    g_assert_true (json_parser_load_from_data (parser, body, -1, NULL));
    object = json_node_get_object (json_parser_get_root (parser));
    g_assert_cmpuint (
        strlen (json_object_get_string_member (object, "fileName")), <=, 256);
    g_assert_cmpuint (
        strlen (json_object_get_string_member (object, "errMsg")), <=, 512);
  }
}

static void
test_cut_at_a_character (void)
{
  g_autofree gchar *text = g_strnfill (256 + 4, 'a');
  VodReport report = {.type = VOD_REPORT_APPLY, .report_id = text};
  g_autofree gchar *run = g_strnfill (255, 'a');
  g_autofree gchar *body = NULL, *wanted = NULL;

  /* Bytes 255 and 256 are one character. */
  memcpy (text + 255, "\303\244", 2);
  body = body_for (&report, PRIVATE);
  wanted = g_strdup_printf ("\"reportId\":\"%s\",", run);
  g_assert_nonnull (strstr (body, wanted));
}

/* --- sending --------------------------------------------------------------*/

static void
test_send (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  VodHttp *http = test_http_open (5);
  g_autoptr (GBytes) body = vod_report_body (&good, test_soup_uri (soup));
  g_autoptr (GError) error = NULL;
  const TestRequest *request;

  test_soup_answer (soup, 200, NULL, "{\"code\":0,\"msg\":\"OK\"}");
  g_assert_true (
      vod_report_send (http, test_soup_uri (soup), body, NULL, &error));
  g_assert_no_error (error);
  request = test_soup_request (soup, 0);
  g_assert_cmpstr (request->method, ==, "POST");
  g_assert_cmpstr (request->target, ==, "/ugcupload_new");
  g_assert_cmpstr (
      test_request_header (request, "content-type"), ==, "application/json");
  g_assert_null (test_request_header (request, "authorization"));
  g_assert_true (g_bytes_equal (request->body, body));

  /* On the same connection. */
  test_soup_answer (soup, 200, NULL, "{\"code\":1,\"msg\":\"whatever\"}");
  g_assert_true (
      vod_report_send (http, test_soup_uri (soup), body, NULL, &error));
  g_assert_cmpuint (test_soup_request (soup, 1)->connection, ==, 0);
  test_soup_answer (soup, 204, NULL, NULL);
  g_assert_true (
      vod_report_send (http, test_soup_uri (soup), body, NULL, &error));
  vod_http_free (http);
}

static void
test_refusals (void)
{
  static const guint statuses[] = {301, 400, 404, 500, 503};
  g_autoptr (TestSoup) soup = test_soup_new ();
  VodHttp *http = test_http_open (5);
  g_autoptr (GBytes) body = vod_report_body (&good, PRIVATE);

  for (guint i = 0; i < G_N_ELEMENTS (statuses); i++) {
    g_autoptr (GError) error = NULL;

    test_soup_answer (soup, statuses[i], NULL, "secret");
    test_expect_failure (
        vod_report_send (http, test_soup_uri (soup), body, NULL, &error), error,
        VOD_ERROR_HTTP);
    g_assert_cmpint (vod_error_number (error), ==, (gint)statuses[i]);
  }
  vod_http_free (http);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/report/good-events", test_good_events);
  g_test_add_func ("/report/session-key-goes-where-nobody-reads-along",
      test_session_key_goes_where_nobody_reads_along);
  g_test_add_func ("/report/what-is-not-known-is-left-out",
      test_what_is_not_known_is_left_out);
  g_test_add_func ("/report/codes", test_codes);
  g_test_add_func (
      "/report/any-strings-stay-bounded", test_any_strings_stay_bounded);
  g_test_add_func ("/report/cut-at-a-character", test_cut_at_a_character);
  g_test_add_func ("/report/send", test_send);
  g_test_add_func ("/report/refusals", test_refusals);
  return g_test_run ();
}

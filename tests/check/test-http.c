/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttp with servers that behave: what is on the wire, what comes back, and
 * what is refused before anything is sent.
 */
#include "vodhttp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "testclient.h"
#include "testserver.h"
#include "vodhttpbody.h"

static void
test_answer_is_read_whole (void)
{
  const gchar *headers[] = {"X-Cos-Request-Id", "r1", "Retry-After", "7", NULL};
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL, failure = NULL;
  g_autofree gchar *text = NULL;
  const VodErrorDetails *details;

  test_soup_answer (soup, 503, headers, "busy");
  g_assert_true (test_get (http, test_soup_uri (soup), &answer, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (answer.status, ==, 503);
  text = test_answer_text (&answer);
  g_assert_cmpstr (text, ==, "busy");
  g_assert_cmpstr (
      vod_http_answer_header (&answer, "x-cos-request-id"), ==, "r1");
  g_assert_null (vod_http_answer_header (&answer, "x-other"));
  failure = vod_error_new (VOD_ERROR_HTTP, "x");
  vod_http_answer_describe (&answer, failure);
  details = vod_error_details (failure);
  g_assert_cmpuint (details->http_status, ==, 503);
  g_assert_cmpstr (details->request_id, ==, "r1");
  g_assert_cmpint (details->retry_after, ==, 7000);
  g_assert_cmpint (
      ABS (details->server_time - g_get_real_time () / G_USEC_PER_SEC), <, 60);
}

static void
count_sent (gsize bytes, gpointer data)
{
  *(guint64 *)data += bytes;
}

static void
test_body_is_sent_whole_and_counted (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);
  g_autofree gchar *uri =
      g_strconcat (test_soup_uri (soup), "/a%20b//%E4%B8%AD?x&y=%2F", NULL);
  const gchar *headers[] = {"X-One", "1", "X-Two", "t w\to", NULL};
  VodHttpBody body = test_body (3 * MIB + 17);
  guint64 sent = 0;
  VodHttpRequest request = {.method = "PUT",
      .uri = uri,
      .headers = headers,
      .content_type = "video/mp4",
      .body = &body,
      .max_answer = 0,
      .sent = count_sent,
      .sent_data = &sent};
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;
  const TestRequest *got;

  test_soup_answer (soup, 200, NULL, NULL);
  vod_http_send (http, &request, NULL, &answer, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (sent, ==, body.length);
  got = test_soup_request (soup, 0);
  g_assert_true (test_body_is (got->body, body.length));
  g_assert_cmpstr (got->method, ==, "PUT");
  g_assert_cmpstr (got->target, ==, "/a%20b//%E4%B8%AD?x&y=%2F");
  g_assert_cmpstr (test_request_header (got, "x-one"), ==, "1");
  g_assert_cmpstr (test_request_header (got, "x-two"), ==, "t w\to");
  g_assert_cmpstr (test_request_header (got, "content-type"), ==, "video/mp4");
  g_assert_cmpstr (test_request_header (got, "content-length"), ==, "3145745");
  g_assert_cmpstr (test_request_header (got, "user-agent"), ==, "vodtest/1");
  g_assert_null (test_request_header (got, "expect"));
  g_assert_null (test_request_header (got, "accept-encoding"));
  g_assert_null (test_request_header (got, "transfer-encoding"));
  g_assert_false (vod_http_overdue (http));
}

static void
test_empty_bodies_have_a_length (void)
{
  static const gchar *const methods[] = {"PUT", "POST"};
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);
  VodHttpBody body = test_body (0);

  for (guint i = 0; i < 4; i++) {
    VodHttpRequest request = {.method = methods[i % 2],
        .uri = test_soup_uri (soup),
        .body = i < 2 ? NULL : &body,
        .max_answer = 10};
    g_auto (VodHttpAnswer) answer = {0};
    g_autoptr (GError) error = NULL;

    test_soup_answer (soup, 204, NULL, NULL);
    vod_http_send (http, &request, NULL, &answer, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (answer.status, ==, 204);
    g_assert_nonnull (answer.body);
    g_assert_cmpstr (
        test_request_header (test_soup_request (soup, i), "content-length"), ==,
        "0");
  }
}

static void
test_one_connection_for_all_requests (void)
{
  static const gchar *const methods[] = {
      "POST", "PUT", "GET", "DELETE", "POST", "HEAD", "POST"};
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);

  for (guint i = 0; i < G_N_ELEMENTS (methods); i++) {
    VodHttpBody body = test_body (1000);
    gboolean has_body = methods[i][0] == 'P';
    VodHttpRequest request = {.method = methods[i],
        .uri = test_soup_uri (soup),
        .body = has_body ? &body : NULL,
        .max_answer = 10};
    g_auto (VodHttpAnswer) answer = {0};
    g_autoptr (GError) error = NULL;

    /* Failing answers too. */
    test_soup_answer (soup, i % 2 ? 200 : 503, NULL, "body");
    vod_http_send (http, &request, NULL, &answer, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (test_soup_request (soup, i)->connection, ==, 0);
  }
}

static void
test_head_has_a_length_but_no_body (void)
{
  const gchar *headers[] = {"Content-Length", "123456789012", NULL};
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);
  VodHttpRequest request = {
      .method = "HEAD", .uri = test_soup_uri (soup), .max_answer = 10};
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;

  test_soup_answer (soup, 200, headers, NULL);
  vod_http_send (http, &request, NULL, &answer, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (answer.body), ==, 0);
  g_assert_cmpstr (
      vod_http_answer_header (&answer, "content-length"), ==, "123456789012");
}

static void
test_redirects_and_challenges_are_answers (void)
{
  const gchar *redirect[] = {"Location", "/elsewhere", NULL};
  const gchar *challenge[] = {"WWW-Authenticate", "Basic realm=\"x\"", NULL};
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);
  g_auto (VodHttpAnswer) first = {0}, second = {0};
  g_autoptr (GError) error = NULL;

  test_soup_answer (soup, 302, redirect, NULL);
  test_soup_answer (soup, 401, challenge, NULL);
  test_get (http, test_soup_uri (soup), &first, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (first.status, ==, 302);
  test_get (http, test_soup_uri (soup), &second, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (second.status, ==, 401);
  g_assert_cmpuint (test_soup_n_requests (soup), ==, 2);
}

static void
test_host_header_and_userinfo (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);
  g_autofree gchar *uri = g_strdup_printf (
      "http://us%%40er:p%%3Aw@%s/", test_soup_uri (soup) + strlen ("http://"));
  const gchar *headers[] = {"Host", "bucket.example.com", NULL};
  VodHttpRequest request = {
      .method = "GET", .uri = uri, .headers = headers, .max_answer = 10};
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;
  const TestRequest *got;

  test_soup_answer (soup, 200, NULL, NULL);
  vod_http_send (http, &request, NULL, &answer, &error);
  g_assert_no_error (error);
  got = test_soup_request (soup, 0);
  g_assert_cmpstr (test_request_header (got, "host"), ==, "bucket.example.com");
  /* us@er:p:w */
  g_assert_cmpstr (
      test_request_header (got, "authorization"), ==, "Basic dXNAZXI6cDp3");
}

static void
expect_refused (VodHttp *http, VodHttpRequest *request)
{
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;

  g_assert_false (vod_http_send (http, request, NULL, &answer, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_PARAMETER);
  g_assert_null (strstr (error->message, "secret"));
}

static void
test_header_injection_is_refused (void)
{
  static const gchar *const table[][2] = {
      {"X", "secret\r\nY: z"},
      {"X", "secret\n"},
      {"X", "secret\rY"},
      {"X", "secret\001"},
      {"X\r\nY", "secret"},
      {"X Y", "secret"},
      {"X:", "secret"},
      {"", "secret"},
      {"Content-Length", "5"},
      {"transfer-encoding", "chunked"},
      {"Connection", "close"},
      {"EXPECT", "100-continue"},
      {"Upgrade", "h2c"},
  };
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    const gchar *headers[] = {table[i][0], table[i][1], NULL};
    VodHttpRequest request = {.method = "GET",
        .uri = test_soup_uri (soup),
        .headers = headers,
        .max_answer = 10};

    expect_refused (http, &request);
  }
  g_assert_cmpuint (test_soup_n_requests (soup), ==, 0);
}

static void
test_malformed_requests_are_refused (void)
{
  static const gchar *const uris[] = {"", "/path", "host", "ftp://h/",
      "file:///etc/passwd", "http://", "http:///x", "http://h/a b",
      "http://h/\r\nsecret", "http://h/\303\244", "http://h:99999/"};
  g_autoptr (VodHttp) http = test_http_open (5);
  VodHttpBody body = test_body (1);
  VodHttpRequest request = {.method = "PUT", .body = &body};

  for (guint i = 0; i < G_N_ELEMENTS (uris); i++) {
    request.uri = uris[i];
    expect_refused (http, &request);
  }
  request.uri = "http://127.0.0.1:9/";
  request.content_type = "video";
  expect_refused (http, &request);
  request.content_type = "video/mp4\r\nX: secret";
  expect_refused (http, &request);
}

static void
expect_bad_settings (const VodHttpSettings *settings, const gchar *property)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (vod_http_new (settings, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_PARAMETER);
  g_assert_true (g_str_has_prefix (error->message, property));
  g_assert_null (strstr (error->message, "secret"));
}

static void
test_settings_are_checked (void)
{
  static const gchar *const proxies[] = {"ftp://u:secret@h", "http://",
      "http://u:secret@h/path", "http://u:secret@h?q", "http://u:secret@h:x",
      "u:secret@", ""};
  VodHttpSettings settings = {.user_agent = "a\r\nb", .timeout = 1};

  expect_bad_settings (&settings, "user-agent");
  settings.user_agent = "a";
  settings.tls_ca_file = "/nonexistent/ca.pem";
  expect_bad_settings (&settings, "tls-ca-file");
  settings.tls_ca_file = "/";
  expect_bad_settings (&settings, "tls-ca-file");
  settings.tls_ca_file = NULL;
  for (guint i = 0; i < G_N_ELEMENTS (proxies); i++) {
    settings.proxy = proxies[i];
    expect_bad_settings (&settings, "proxy");
  }
}

static void
test_base_uris (void)
{
  static const gchar *const good[][2] = {
      {"https://vod2.qcloud.com", "https://vod2.qcloud.com"},
      {"https://vod2.qcloud.com/", "https://vod2.qcloud.com"},
      {"http://127.0.0.1:1234", "http://127.0.0.1:1234"},
      {"http://[::1]:80/", "http://[::1]:80"},
  };
  static const gchar *const bad[] = {"", "vod2.qcloud.com", "ftp://h",
      "https://", "https:///", "https://h:0", "https://h:65536", "https://h:x",
      "https://u:secret@h", "https://h/path", "https://h?q", "https://h#f",
      "https://h/ ", "https://h\r\nX", "https://\303\244", "http://h:-1"};

  for (guint i = 0; i < G_N_ELEMENTS (good); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree gchar *base =
        vod_http_check_base_uri (good[i][0], "endpoint", &error);

    g_assert_no_error (error);
    g_assert_cmpstr (base, ==, good[i][1]);
  }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (GError) error = NULL;

    g_test_message ("%s", bad[i]);
    g_assert_null (vod_http_check_base_uri (bad[i], "endpoint", &error));
    g_assert_error (error, VOD_ERROR, VOD_ERROR_PARAMETER);
    g_assert_nonnull (strstr (error->message, "endpoint"));
    g_assert_null (strstr (error->message, "secret"));
  }
}

/* The wake-up descriptor is all that an unused context has. */
static void
assert_context_has_no_sources (GMainContext *context)
{
  gint priority, timeout, n;
  GPollFD fds[8];

  g_assert_true (g_main_context_acquire (context));
  g_main_context_prepare (context, &priority);
  n = g_main_context_query (
      context, G_MAXINT, &timeout, fds, G_N_ELEMENTS (fds));
  g_main_context_release (context);
  g_assert_cmpint (timeout, ==, -1);
  g_assert_cmpint (n, <=, 1);
}

static void
test_the_applications_main_loop_is_left_alone (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (GMainContext) mine = g_main_context_new ();
  const gchar *close[] = {"Connection", "close", NULL};

  g_main_context_push_thread_default (mine);
  for (guint i = 0; i < 2; i++) {
    g_autoptr (VodHttp) http = test_http_open (5);

    for (guint k = 0; k < 4; k++) {
      g_auto (VodHttpAnswer) answer = {0};
      g_autoptr (GError) error = NULL;

      /* A closed connection starts libsoup's five minute timer. */
      test_soup_answer (soup, 200, k % 2 ? close : NULL, "x");
      test_put (http, test_soup_uri (soup), 100, NULL, &answer, &error);
      g_assert_no_error (error);
      g_assert_true (g_main_context_get_thread_default () == mine);
      assert_context_has_no_sources (mine);
      assert_context_has_no_sources (g_main_context_default ());
    }
  }
  assert_context_has_no_sources (mine);
  assert_context_has_no_sources (g_main_context_default ());
  g_main_context_pop_thread_default (mine);
}

/* Of this process' sockets, the one that is connected to @port. */
static gint
find_client_socket (guint16 port)
{
  for (gint fd = 3; fd < 1024; fd++) {
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;

    if (getpeername (fd, (struct sockaddr *)&peer, &len) == 0 &&
        peer.sin_family == AF_INET && ntohs (peer.sin_port) == port)
      return fd;
  }
  return -1;
}

static void
look_at_nodelay (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  gint *nodelay = data;
  socklen_t len = sizeof *nodelay;

  test_raw_read_request (stream, NULL, NULL);
  getsockopt (find_client_socket (test_raw_port (raw)), IPPROTO_TCP,
      TCP_NODELAY, nodelay, &len);
  test_raw_write (stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void
test_small_packets_are_not_held_back (void)
{
  gint nodelay = 0;
  g_autoptr (TestRaw) raw = test_raw_new (look_at_nodelay, &nodelay);
  g_autoptr (VodHttp) http = test_http_open (5);
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;

  test_put (http, test_raw_uri (raw), 10, NULL, &answer, &error);
  g_assert_no_error (error);
  g_assert_cmpint (nodelay, !=, 0);
}

static void
test_retry_after_as_date (void)
{
  GHashTable *headers =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, NULL);
  g_auto (VodHttpAnswer) answer = {503, NULL, headers};
  static const struct {
    const gchar *text;
    gint64 ms;
  } table[] = {
      {"Thu, 17 Jan 2019 10:02:57 GMT", 2000},
      {"Thu, 17 Jan 2019 10:02:50 GMT", 0}, /* over */
      {"0", 0},
      {"120", 120000},
      {"99999999", 24 * 60 * 60 * 1000},
      {"-3", -1},
      {"soon", -1},
      {"", -1},
  };

  g_hash_table_insert (headers, "date", "Thu, 17 Jan 2019 10:02:55 GMT");
  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    g_autoptr (GError) error = vod_error_new (VOD_ERROR_HTTP, "x");

    g_hash_table_insert (headers, "retry-after", (gpointer)table[i].text);
    vod_http_answer_describe (&answer, error);
    g_assert_cmpint (vod_error_details (error)->retry_after, ==, table[i].ms);
    g_assert_cmpint (vod_error_details (error)->server_time, ==, 1547719375);
  }
}

static gsize
read_nothing (gpointer data, guint64 offset, gpointer buffer, gsize len)
{
  return 0;
}

static gsize
read_too_much (gpointer data, guint64 offset, gpointer buffer, gsize len)
{
  return len + 1;
}

static void
expect_body_fails (VodHttpBody body, gint64 at, gint code)
{
  VodHttpRequest request = {.body = &body};
  VodHttpDeadline deadline = {.at = at};
  g_autoptr (GInputStream) stream =
      vod_http_body_stream_new (&request, &deadline, NULL);
  g_autoptr (GError) error = NULL;
  gchar buffer[64];

  g_assert_cmpint (
      g_input_stream_read (stream, buffer, sizeof buffer, NULL, &error), ==,
      -1);
  g_assert_error (error, G_IO_ERROR, code);
  g_assert_false (vod_http_body_stream_is_sent (VOD_HTTP_BODY_STREAM (stream)));
}

static void
test_body_that_cannot_be_read_or_is_late (void)
{
  VodHttpBody nothing = {.length = 10, .read = read_nothing};
  VodHttpBody too_much = {10, read_too_much, NULL};

  expect_body_fails (nothing, G_MAXINT64, G_IO_ERROR_FAILED);
  expect_body_fails (too_much, G_MAXINT64, G_IO_ERROR_FAILED);
  expect_body_fails (
      test_body (10), g_get_monotonic_time () - 1, G_IO_ERROR_TIMED_OUT);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http/answer-is-read-whole", test_answer_is_read_whole);
  g_test_add_func ("/http/body-is-sent-whole-and-counted",
      test_body_is_sent_whole_and_counted);
  g_test_add_func (
      "/http/empty-bodies-have-a-length", test_empty_bodies_have_a_length);
  g_test_add_func ("/http/one-connection-for-all-requests",
      test_one_connection_for_all_requests);
  g_test_add_func ("/http/head-has-a-length-but-no-body",
      test_head_has_a_length_but_no_body);
  g_test_add_func ("/http/redirects-and-challenges-are-answers",
      test_redirects_and_challenges_are_answers);
  g_test_add_func (
      "/http/host-header-and-userinfo", test_host_header_and_userinfo);
  g_test_add_func (
      "/http/header-injection-is-refused", test_header_injection_is_refused);
  g_test_add_func ("/http/malformed-requests-are-refused",
      test_malformed_requests_are_refused);
  g_test_add_func ("/http/settings-are-checked", test_settings_are_checked);
  g_test_add_func ("/http/base-uris", test_base_uris);
  g_test_add_func ("/http/the-applications-main-loop-is-left-alone",
      test_the_applications_main_loop_is_left_alone);
  g_test_add_func ("/http/small-packets-are-not-held-back",
      test_small_packets_are_not_held_back);
  g_test_add_func ("/http/retry-after-as-date", test_retry_after_as_date);
  g_test_add_func ("/http/body-that-cannot-be-read-or-is-late",
      test_body_that_cannot_be_read_or_is_late);
  return g_test_run ();
}

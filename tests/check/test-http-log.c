/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What vodhttp's log says of a request, and what of it never.
 */
#include <string.h>

#include "testclient.h"
#include "testserver.h"
#include "vodhttp.h"

typedef struct {
  VodLogLevel wanted;
  GPtrArray *lines;
} Listener;

static gboolean
wants (VodLogLevel level, gpointer data)
{
  return level <= ((Listener *)data)->wanted;
}

static void
keep (VodLogLevel level, const gchar *file, const gchar *function, gint line,
    const gchar *text, gpointer data)
{
  g_assert_cmpint (level, ==, VOD_LOG_DEBUG);
  g_assert_nonnull (file);
  g_assert_nonnull (function);
  g_assert_cmpint (line, >, 0);
  g_ptr_array_add (((Listener *)data)->lines, g_strdup (text));
}

/* The line that tells of @request, or NULL; its time is cut off. */
static gchar *
log_of (VodHttpRequest *request, VodLogLevel wanted)
{
  Listener listener = {wanted, g_ptr_array_new_with_free_func (g_free)};
  VodHttpSettings settings = {
      .user_agent = "vodtest/1", .timeout = 5, .log = {wants, keep, &listener}};
  g_autoptr (VodHttp) http = vod_http_new (&settings, NULL);
  g_auto (VodHttpAnswer) answer = {0};
  gchar *line = NULL, *end;

  vod_http_set_purpose (http, "part 7, try 2");
  vod_http_send (http, request, NULL, &answer, NULL);
  g_assert_cmpuint (listener.lines->len, <=, 1);
  if (listener.lines->len == 1) {
    line = g_strdup (g_ptr_array_index (listener.lines, 0));
    g_assert_true (g_str_has_suffix (line, " ms"));
    end = strrchr (line, ',');
    g_assert_nonnull (end);
    *end = '\0';
  }
  g_ptr_array_unref (listener.lines);
  return line;
}

static void
test_a_request_is_a_line (void)
{
  const gchar *secrets[] = {"Authorization", "q-ak=AKID", NULL};
  const gchar *headers[] = {"X-Cos-Request-Id", "r1", NULL};
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autofree gchar *uri = g_strconcat (test_soup_uri (soup),
      "/a/b.mp4?partNumber=7&uploadId=u1&sign=hush", NULL);
  g_autofree gchar *expected = NULL, *line = NULL;
  VodHttpBody body = test_body (1000);
  VodHttpRequest request = {.method = "PUT",
      .uri = uri,
      .headers = secrets,
      .body = &body,
      .max_answer = 100};

  test_soup_answer (soup, 503, headers, "busy");
  line = log_of (&request, VOD_LOG_TRACE);
  expected = g_strdup_printf (
      "part 7, try 2: PUT %s/a/b.mp4?partNumber=7&uploadId&sign: status 503, "
      "sent 1000 bytes, got 4 bytes, request id r1",
      test_soup_uri (soup));
  g_assert_cmpstr (line, ==, expected);
}

static void
test_who_signs_is_told_without_its_path (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  const gchar *host = strstr (test_soup_uri (soup), "//") + 2;
  g_autofree gchar *uri =
      g_strdup_printf ("http://fred:pass@%s/hush/%%0A?token=hush", host);
  g_autofree gchar *expected = NULL, *line = NULL;
  VodHttpRequest request = {
      .method = "GET", .uri = uri, .max_answer = 100, .alias = "signature-url"};

  test_soup_answer (soup, 200, NULL, "hush");
  line = log_of (&request, VOD_LOG_DEBUG);
  expected = g_strdup_printf ("part 7, try 2: GET http://%s (signature-url): "
                              "status 200, got 4 bytes",
      host);
  g_assert_cmpstr (line, ==, expected);
}

/* A server, or a name that it gives, forges no second line. */
static void
test_what_strangers_say_is_made_harmless (void)
{
  const gchar *headers[] = {"X-Cos-Request-Id", "r\tx", NULL};
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autofree gchar *uri =
      g_strconcat (test_soup_uri (soup), "/a%0Ab?c%0Ad=1", NULL);
  g_autofree gchar *line = NULL;
  VodHttpRequest request = {.method = "GET", .uri = uri, .max_answer = 100};

  test_soup_answer (soup, 200, headers, NULL);
  line = log_of (&request, VOD_LOG_DEBUG);
  for (const gchar *p = line; *p; p++)
    g_assert_false (g_ascii_iscntrl (*p));
}

static void
test_no_answer_is_told_too (void)
{
  VodHttpRequest request = {
      .method = "GET", .uri = "http://127.0.0.1:1/x", .max_answer = 100};
  g_autofree gchar *line = log_of (&request, VOD_LOG_DEBUG);

  g_assert_true (g_str_has_prefix (line,
      "part 7, try 2: GET http://127.0.0.1:1/x: 127.0.0.1:1: Could not "
      "connect"));
}

static void
test_nothing_is_written_that_nobody_reads (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  VodHttpRequest request = {
      .method = "GET", .uri = test_soup_uri (soup), .max_answer = 100};

  test_soup_answer (soup, 200, NULL, NULL);
  g_assert_null (log_of (&request, VOD_LOG_INFO));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http-log/a-request-is-a-line", test_a_request_is_a_line);
  g_test_add_func ("/http-log/who-signs-is-told-without-its-path",
      test_who_signs_is_told_without_its_path);
  g_test_add_func ("/http-log/what-strangers-say-is-made-harmless",
      test_what_strangers_say_is_made_harmless);
  g_test_add_func (
      "/http-log/no-answer-is-told-too", test_no_answer_is_told_too);
  g_test_add_func ("/http-log/nothing-is-written-that-nobody-reads",
      test_nothing_is_written_that_nobody_reads);
  return g_test_run ();
}

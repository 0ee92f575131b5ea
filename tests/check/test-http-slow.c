/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttp with servers that trickle, stall or are not there, and cancelling.
 */
#include "vodhttp.h"

#include <string.h>

#include "testclient.h"
#include "testserver.h"
#include "teststopwatch.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* --- too slow --- */

static void
serve_trickle (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  const gchar *begin = data;

  if (!test_raw_read_request (stream, NULL, NULL) ||
      !test_raw_write (stream, begin))
    return;
  while (!test_raw_stopping (raw)) {
    if (!test_raw_write (stream, "x"))
      return;
    test_raw_wait (raw, 100);
  }
}

/* What the upload's streaming thread does. */
typedef struct {
  VodHttp *http;
  GCancellable *cancellable;
  gint done;
  gboolean was_overdue;
} Watch;

static gpointer
run_watch (gpointer data)
{
  Watch *watch = data;

  while (!g_atomic_int_get (&watch->done)) {
    if (vod_http_overdue (watch->http)) {
      watch->was_overdue = TRUE;
      g_cancellable_cancel (watch->cancellable);
      return NULL;
    }
    g_usleep (20000);
  }
  return NULL;
}

static void
assert_took (TestStopwatch *watch, gint64 least, gint64 most)
{
  g_assert_cmpint (test_stopwatch_all_ms (watch), >=, least);
  g_assert_cmpint (test_stopwatch_ms (watch), <, most);
}

/* It is given up between @least and @most ms. */
static gboolean
send_to_trickler (
    const gchar *begin, guint answer_time, gint64 least, gint64 most)
{
  g_autoptr (TestRaw) raw = test_raw_new (serve_trickle, (gpointer)begin);
  g_autoptr (VodHttp) http = test_http_open (1);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Watch watch = {http, cancellable, 0, FALSE};
  VodHttpRequest request = {.method = "GET",
      .uri = test_raw_uri (raw),
      .max_answer = 100000,
      .answer_time = answer_time};
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;
  g_autoptr (TestStopwatch) stopwatch = test_stopwatch_new ();
  GThread *thread = g_thread_new ("watch", run_watch, &watch);
  gboolean ok = vod_http_send (http, &request, cancellable, &answer, &error);

  assert_took (stopwatch, least, most);
  g_atomic_int_set (&watch.done, 1);
  g_thread_join (thread);
  test_expect_failure (ok, error, VOD_ERROR_NETWORK);
  g_assert_nonnull (strstr (error->message, "too long"));
  g_assert_false (vod_http_overdue (http));
  return watch.was_overdue;
}

static void
test_trickled_head_ends_by_the_watch (void)
{
  g_assert_true (send_to_trickler ("HTTP/1.1 200 OK\r\nX: ", 0, 1900, 3500));
}

static void
test_trickled_body_ends_by_itself_or_the_watch (void)
{
  const gchar *head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";

  send_to_trickler (head, 0, 1900, 3500);
  send_to_trickler (head, 3, 3900, 5500);
}

/* Reads @data bytes of the request (or its head), then nothing happens. */
static void
serve_stall (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  if (n < GPOINTER_TO_UINT (data)) {
    test_raw_read_request (stream, NULL, NULL);
    test_raw_write (stream, OK_EMPTY);
  }
  test_raw_wait (raw, 30000);
}

static void
test_silence_fails_after_the_timeout (void)
{
  g_autoptr (TestRaw) raw = test_raw_new (serve_stall, NULL);
  g_autoptr (VodHttp) http = test_http_open (1);

  /* The answer does not come; the body does not go. */
  for (guint i = 0; i < 2; i++) {
    g_auto (VodHttpAnswer) answer = {0};
    g_autoptr (GError) error = NULL;
    g_autoptr (TestStopwatch) watch = test_stopwatch_new ();

    test_expect_failure (test_put (http, test_raw_uri (raw), i ? 64 * MIB : 10,
                             NULL, &answer, &error),
        error, VOD_ERROR_NETWORK);
    assert_took (watch, 900, 2500);
    g_assert_nonnull (strstr (error->message, "1 seconds"));
  }
}

static void
test_timeout_of_a_request_holds_on_a_kept_connection (void)
{
  g_autoptr (TestRaw) raw = test_raw_new (serve_stall, GUINT_TO_POINTER (1));
  g_autoptr (VodHttp) http = test_http_open (20);
  g_auto (VodHttpAnswer) first = {0}, second = {0};
  g_autoptr (GError) error = NULL;
  VodHttpRequest request = {
      .method = "DELETE", .uri = test_raw_uri (raw), .timeout = 1};
  g_autoptr (TestStopwatch) watch = NULL;

  test_get (http, test_raw_uri (raw), &first, &error);
  g_assert_no_error (error);
  watch = test_stopwatch_new ();
  test_expect_failure (vod_http_send (http, &request, NULL, &second, &error),
      error, VOD_ERROR_NETWORK);
  assert_took (watch, 0, 3000);
}

/* --- no connection --- */

static void
test_connection_refused (void)
{
  g_autofree gchar *uri = NULL;
  g_autoptr (VodHttp) http = test_http_open (5);
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;

  {
    g_autoptr (TestRaw) raw = test_raw_new (serve_stall, NULL);

    uri = g_strdup (test_raw_uri (raw));
  }
  test_expect_failure (
      test_get (http, uri, &answer, &error), error, VOD_ERROR_NETWORK);
  g_assert_nonnull (strstr (error->message, "127.0.0.1:"));
}

static void
test_name_that_does_not_exist (void)
{
  g_autoptr (VodHttp) http = test_http_open (5);
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;

  test_expect_failure (
      test_get (http, "http://u:secret@nonexistent.invalid", &answer, &error),
      error, VOD_ERROR_NETWORK);
  g_assert_nonnull (strstr (error->message, "nonexistent.invalid"));
}

/* --- cancelling --- */

static void
check_cancelled (VodHttp *http, const gchar *uri, guint64 length)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  TestCanceller *canceller = test_canceller_new (cancellable, 100);
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;
  gboolean ok = test_put (http, uri, length, cancellable, &answer, &error);

  g_assert_cmpint (test_canceller_free (canceller), <, 100);
  test_expect_failure (ok, error, VOD_ERROR_CANCELLED);
}

static void
test_cancelling_body_and_answer (void)
{
  g_autoptr (TestRaw) raw = test_raw_new (serve_stall, NULL);
  g_autoptr (VodHttp) http = test_http_open (30);

  check_cancelled (http, test_raw_uri (raw), 64 * MIB);
  check_cancelled (http, test_raw_uri (raw), 10);
}

/* A listener whose queue is full does not answer a connection. */
static void
test_cancelling_the_connection (void)
{
  g_autoptr (GSocket) listener = g_socket_new (
      G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  g_autoptr (GSocketAddress) any =
      g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (VodHttp) http = test_http_open (30);
  g_autoptr (GPtrArray) fill = g_ptr_array_new_with_free_func (g_object_unref);
  g_autofree gchar *uri = NULL;

  g_socket_set_listen_backlog (listener, 1);
  g_assert_true (g_socket_bind (listener, any, TRUE, NULL));
  g_assert_true (g_socket_listen (listener, NULL));
  address = g_socket_get_local_address (listener, NULL);
  for (guint i = 0; i < 8; i++) {
    GSocket *socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
        G_SOCKET_PROTOCOL_TCP, NULL);

    g_socket_set_blocking (socket, FALSE);
    g_socket_connect (socket, address, NULL, NULL);
    g_ptr_array_add (fill, socket);
  }
  uri = g_strdup_printf ("http://127.0.0.1:%u",
      g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address)));
  check_cancelled (http, uri, 10);
}

static void
test_cancelled_before_the_start (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  test_expect_failure (
      test_put (http, test_soup_uri (soup), 10, cancellable, &answer, &error),
      error, VOD_ERROR_CANCELLED);
  g_assert_cmpuint (test_soup_n_requests (soup), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http/trickled-head-ends-by-the-watch",
      test_trickled_head_ends_by_the_watch);
  g_test_add_func ("/http/trickled-body-ends-by-itself-or-the-watch",
      test_trickled_body_ends_by_itself_or_the_watch);
  g_test_add_func ("/http/silence-fails-after-the-timeout",
      test_silence_fails_after_the_timeout);
  g_test_add_func ("/http/timeout-of-a-request-holds-on-a-kept-connection",
      test_timeout_of_a_request_holds_on_a_kept_connection);
  g_test_add_func ("/http/connection-refused", test_connection_refused);
  g_test_add_func (
      "/http/name-that-does-not-exist", test_name_that_does_not_exist);
  g_test_add_func (
      "/http/cancelling-body-and-answer", test_cancelling_body_and_answer);
  g_test_add_func (
      "/http/cancelling-the-connection", test_cancelling_the_connection);
  g_test_add_func (
      "/http/cancelled-before-the-start", test_cancelled_before_the_start);
  return g_test_run ();
}

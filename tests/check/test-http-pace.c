/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttp with a pace: bodies keep to it, waiting for it ends when it should,
 * and is nobody's fault.
 *
 * A loaded machine can make all of this slower, not faster: what is asserted of
 * time is how long it took at least. That it is not slower than it must be is
 * measured where bytes are counted for ten seconds (test-upload-pace).
 */
#include "vodhttp.h"
#include "vodhttpdeadline.h"

#include <string.h>

#include "testclient.h"
#include "testserver.h"

#define S ((gint64)G_USEC_PER_SEC)
#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static VodHttp *
open_paced (VodPace *pace, guint timeout)
{
  VodHttpSettings settings = {
      .user_agent = "vodtest/1", .timeout = timeout, .pace = pace};
  g_autoptr (GError) error = NULL;
  VodHttp *http = vod_http_new (&settings, &error);

  g_assert_no_error (error);
  return http;
}

/* --- the rate --- */

#define SENDERS 3

typedef struct {
  const gchar *uri;
  VodPace *pace;
  guint64 length;
  guint requests;
} Sender;

static gpointer
send_bodies (gpointer data)
{
  Sender *sender = data;
  g_autoptr (VodHttp) http = open_paced (sender->pace, 15);

  for (guint i = 0; i < sender->requests; i++) {
    g_auto (VodHttpAnswer) answer = {0};
    g_autoptr (GError) error = NULL;

    test_put (http, sender->uri, sender->length, NULL, &answer, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (answer.status, ==, 200);
  }
  g_assert_cmpint (vod_http_held (http), >, 0);
  return NULL;
}

/* The time that it took @n senders to send all of @sender's bodies, in µs. */
static gint64
time_senders (Sender *sender, guint n)
{
  GThread *threads[SENDERS];
  gint64 begin = g_get_monotonic_time ();

  for (guint i = 0; i < n; i++)
    threads[i] = g_thread_new ("sender", send_bodies, sender);
  for (guint i = 0; i < n; i++)
    g_thread_join (threads[i]);
  return g_get_monotonic_time () - begin;
}

static void
test_connections_keep_the_rate_together (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodPace) pace = vod_pace_new ();
  Sender sender = {test_soup_uri (soup), pace, 100000, 2};

  for (guint i = 0; i < 2 * SENDERS; i++)
    test_soup_answer (soup, 200, NULL, NULL);
  vod_pace_set_rate (pace, 300000 * 8);
  /* 600 kB at 300 kB/s, of which 200 ms may be in the bucket. */
  g_assert_cmpint (time_senders (&sender, SENDERS), >=, 2 * S - S / 5);
  for (guint i = 0; i < 2 * SENDERS; i++)
    g_assert_true (
        test_body_is (test_soup_request (soup, i)->body, sender.length));
}

/* 20 heads of 5 kB are 100 kB, for which a body waits. */
static void
test_heads_count (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodPace) pace = vod_pace_new ();
  g_autoptr (VodHttp) http = open_paced (pace, 5);
  g_autofree gchar *uri = g_strconcat (test_soup_uri (soup), "/k", NULL);
  g_autofree gchar *value = g_strnfill (5000, 'x');
  const gchar *headers[] = {"X-Long", value, NULL};
  VodHttpRequest request = {
      .method = "GET", .uri = uri, .headers = headers, .max_answer = 100};
  g_auto (VodHttpAnswer) last = {0};
  g_autoptr (GError) error = NULL;
  gint64 begin = g_get_monotonic_time ();

  vod_pace_set_rate (pace, 100000 * 8);
  for (guint i = 0; i < 20; i++) {
    g_auto (VodHttpAnswer) answer = {0};

    test_soup_answer (soup, 200, NULL, NULL);
    vod_http_send (http, &request, NULL, &answer, &error);
    g_assert_no_error (error);
  }
  g_assert_cmpint (vod_http_held (http), ==, 0);
  test_soup_answer (soup, 200, NULL, NULL);
  test_put (http, test_soup_uri (soup), 1, NULL, &last, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_get_monotonic_time () - begin, >=, S - S / 5);
}

static gpointer
lift (gpointer data)
{
  g_usleep (200000);
  vod_pace_set_rate (data, 0);
  return NULL;
}

/* Whole, also if the rate changes in the middle. */
static void
test_the_limit_is_lifted (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodPace) pace = vod_pace_new ();
  g_autoptr (VodHttp) http = open_paced (pace, 5);
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;
  gint64 begin = g_get_monotonic_time ();
  GThread *thread;

  test_soup_answer (soup, 200, NULL, NULL);
  vod_pace_set_rate (pace, 10000 * 8);
  thread = g_thread_new ("lift", lift, pace);
  test_put (http, test_soup_uri (soup), 3 * MIB, NULL, &answer, &error);
  g_assert_no_error (error);
  /* It would have been five minutes. */
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 10 * S);
  g_assert_true (test_body_is (test_soup_request (soup, 0)->body, 3 * MIB));
  g_thread_join (thread);
}

/* --- cancelling --- */

static void
serve_nothing (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  test_raw_wait (raw, 30000);
}

static void
test_cancelled_while_it_waits (void)
{
  g_autoptr (TestRaw) raw = test_raw_new (serve_nothing, NULL);
  g_autoptr (VodPace) pace = vod_pace_new ();
  g_autoptr (VodHttp) http = open_paced (pace, 30);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;
  TestCanceller *canceller;
  gboolean ok;

  vod_pace_set_rate (pace, 1);
  canceller = test_canceller_new (cancellable, 200);
  ok = test_put (http, test_raw_uri (raw), MIB, cancellable, &answer, &error);
  g_assert_cmpint (test_canceller_free (canceller), <, 100);
  test_expect_failure (ok, error, VOD_ERROR_CANCELLED);
}

/* --- the deadline --- */

/* What the upload's streaming thread does, but more often. */
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
    }
    g_usleep (1000);
  }
  return NULL;
}

/* Returns how long it took, in µs. */
static gint64
put_watched (const gchar *uri, guint64 rate, guint64 length,
    gboolean *was_overdue, GError **error)
{
  g_autoptr (VodPace) pace = vod_pace_new ();
  g_autoptr (VodHttp) http = open_paced (pace, 1);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Watch watch = {http, cancellable, 0, FALSE};
  g_auto (VodHttpAnswer) answer = {0};
  GThread *thread = g_thread_new ("watch", run_watch, &watch);
  gint64 begin = g_get_monotonic_time (), passed;

  vod_pace_set_rate (pace, rate);
  test_put (http, uri, length, cancellable, &answer, error);
  passed = g_get_monotonic_time () - begin;
  g_atomic_int_set (&watch.done, 1);
  g_thread_join (thread);
  *was_overdue = watch.was_overdue;
  return passed;
}

/* 24 kB with a timeout of 1 s have 3 s; at 4 kB/s they take 6. */
static void
test_the_deadline_stands_still (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (GError) error = NULL;
  gboolean was_overdue;

  test_soup_answer (soup, 200, NULL, NULL);
  g_assert_cmpint (put_watched (test_soup_uri (soup), 4096 * 8, 24 * 1024,
                       &was_overdue, &error),
      >, 5 * S);
  g_assert_no_error (error);
  g_assert_false (was_overdue);
}

static void
serve_trickle (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  if (!test_raw_read_request (stream, NULL, NULL) ||
      !test_raw_write (stream, "HTTP/1.1 200 OK\r\nX: "))
    return;
  while (!test_raw_stopping (raw) && test_raw_write (stream, "x"))
    test_raw_wait (raw, 100);
}

/* The server's time is limited all the same: 2 s for the body, and the deadline
 * of 2 s that stood still meanwhile. */
static void
test_the_deadline_goes_on (void)
{
  g_autoptr (TestRaw) raw = test_raw_new (serve_trickle, NULL);
  g_autoptr (GError) error = NULL;
  gboolean was_overdue;
  gint64 passed = put_watched (
      test_raw_uri (raw), 4096 * 8, 8 * 1024, &was_overdue, &error);

  g_assert_error (error, VOD_ERROR, VOD_ERROR_NETWORK);
  g_assert_nonnull (strstr (error->message, "too long"));
  g_assert_true (was_overdue);
  g_assert_cmpint (passed, >=, 2 * S - S / 5 + 2 * S);
  g_assert_cmpint (passed, <, 9 * S);
}

typedef struct {
  VodHttpDeadline deadline;
  gint done;
  guint overdue;
} Look;

static gpointer
look_all_the_time (gpointer data)
{
  Look *look = data;

  while (!g_atomic_int_get (&look->done))
    if (vod_http_deadline_overdue (&look->deadline))
      look->overdue++;
  return NULL;
}

/* Half a second, in thousand pieces between which it stands still for longer:
 * nobody sees it pass. */
static void
test_standing_still_is_never_mistaken (void)
{
  Look look = {0};
  GThread *thread;
  gint64 begin = g_get_monotonic_time (), passed;

  vod_http_deadline_set (&look.deadline, begin + S / 2);
  thread = g_thread_new ("look", look_all_the_time, &look);
  for (guint i = 0; i < 1000; i++) {
    vod_http_deadline_hold (&look.deadline);
    g_assert_false (vod_http_deadline_passed (&look.deadline));
    g_usleep (1000);
    vod_http_deadline_go_on (&look.deadline);
  }
  g_assert_false (vod_http_deadline_passed (&look.deadline));
  g_atomic_int_set (&look.done, 1);
  g_thread_join (thread);
  passed = g_get_monotonic_time () - begin;
  g_assert_cmpuint (look.overdue, ==, 0);
  g_assert_cmpint (passed, >=, S);
  g_assert_cmpint (look.deadline.held, >=, S);
  g_assert_cmpint (look.deadline.held, <=, passed);

  vod_http_deadline_set (&look.deadline, begin);
  g_assert_true (vod_http_deadline_passed (&look.deadline));
  g_assert_true (vod_http_deadline_overdue (&look.deadline));
  vod_http_deadline_set (&look.deadline, 0);
  g_assert_false (vod_http_deadline_passed (&look.deadline));
  g_assert_false (vod_http_deadline_overdue (&look.deadline));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http-pace/connections-keep-the-rate-together",
      test_connections_keep_the_rate_together);
  g_test_add_func ("/http-pace/heads-count", test_heads_count);
  g_test_add_func ("/http-pace/the-limit-is-lifted", test_the_limit_is_lifted);
  g_test_add_func (
      "/http-pace/cancelled-while-it-waits", test_cancelled_while_it_waits);
  g_test_add_func (
      "/http-pace/the-deadline-stands-still", test_the_deadline_stands_still);
  g_test_add_func (
      "/http-pace/the-deadline-goes-on", test_the_deadline_goes_on);
  g_test_add_func ("/http-pace/standing-still-is-never-mistaken",
      test_standing_still_is_never_mistaken);
  return g_test_run ();
}

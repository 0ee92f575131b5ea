/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttp with servers that fail, lie, stall or never end.
 */
#include "vodhttp.h"

#include <string.h>

#include "testclient.h"
#include "testserver.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* --- libsoup's restart with an empty body --- */

typedef enum {
  FAIL_BY_CLOSE,       /* after the head of the request: the idle-close race */
  FAIL_BY_RESET,       /* the same with RST */
  FAIL_MID_BODY,       /* RST after some of the body */
  FAIL_BY_EARLY_ERROR, /* 403 after the head, and closed */
} Failure;

typedef struct {
  Failure failure;
  guint fail_first;   /* how many connections fail, at their second request */
  GMutex lock;        /* guards what follows */
  GPtrArray *lengths; /* Content-Length of each PUT that came */
  guint whole;        /* PUTs whose body was what it should be */
} Restart;

static void
fail_connection (GIOStream *stream, Failure failure)
{
  GBytes *some;

  switch (failure) {
    case FAIL_BY_CLOSE:
      break;
    case FAIL_BY_RESET:
      test_raw_reset (stream);
      break;
    case FAIL_MID_BODY:
      some = test_raw_read_bytes (stream, 100000);
      g_clear_pointer (&some, g_bytes_unref);
      test_raw_reset (stream);
      break;
    case FAIL_BY_EARLY_ERROR:
      test_raw_write (stream,
          "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n"
          "Connection: close\r\n\r\n");
      break;
  }
}

static void
note_put (Restart *restart, const gchar *head, GBytes *body)
{
  g_mutex_lock (&restart->lock);
  g_ptr_array_add (restart->lengths, test_raw_header (head, "Content-Length"));
  if (body && test_body_is (body, 4 * MIB))
    restart->whole++;
  g_mutex_unlock (&restart->lock);
}

/* First requests are answered; the second one on a failing connection is not. */
static void
serve_restart (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  Restart *restart = data;

  for (guint i = 0;; i++) {
    g_autofree gchar *head = test_raw_read_head (stream);
    g_autofree gchar *length = NULL;
    g_autoptr (GBytes) body = NULL;

    if (!head)
      return;
    if (i == 1 && n < restart->fail_first) {
      note_put (restart, head, NULL);
      fail_connection (stream, restart->failure);
      return;
    }
    length = test_raw_header (head, "Content-Length");
    body = test_raw_read_bytes (
        stream, length ? g_ascii_strtoull (length, NULL, 10) : 0);
    if (!body)
      return;
    if (g_str_has_prefix (head, "PUT"))
      note_put (restart, head, body);
    if (!test_raw_write (stream, OK_EMPTY))
      return;
  }
}

static void
restart_init (Restart *restart, Failure failure)
{
  memset (restart, 0, sizeof *restart);
  restart->failure = failure;
  restart->fail_first = 1;
  g_mutex_init (&restart->lock);
  restart->lengths = g_ptr_array_new_with_free_func (g_free);
}

static void
restart_clear (Restart *restart)
{
  g_ptr_array_unref (restart->lengths);
  g_mutex_clear (&restart->lock);
}

static void
count_sent (gsize bytes, gpointer data)
{
  *(guint64 *)data += bytes;
}

static gboolean
put_4_mib (TestRaw *raw, VodHttp *http, gboolean replayable, guint64 *sent,
    GError **error)
{
  g_autofree gchar *uri = g_strconcat (test_raw_uri (raw), "/k?secret", NULL);
  VodHttpBody body = test_body (4 * MIB);
  VodHttpRequest request = {.method = "PUT",
      .uri = uri,
      .body = &body,
      .max_answer = 1000,
      .replayable = replayable,
      .sent = count_sent,
      .sent_data = sent};
  g_auto (VodHttpAnswer) answer = {0};

  if (!vod_http_send (http, &request, NULL, &answer, error))
    return FALSE;
  g_assert_cmpuint (answer.status, ==, 200);
  return TRUE;
}

/* No PUT may ever be seen with another length than its own. */
static void
assert_lengths (const Restart *restart, guint n)
{
  g_assert_cmpuint (restart->lengths->len, ==, n);
  for (guint i = 0; i < n; i++)
    g_assert_cmpstr (g_ptr_array_index (restart->lengths, i), ==, "4194304");
}

static void
test_restarted_put_is_sent_whole (gconstpointer data)
{
  Restart restart;
  g_autoptr (GError) error = NULL;
  guint64 sent = 0;

  restart_init (&restart, (Failure)GPOINTER_TO_INT (data));
  {
    g_autoptr (TestRaw) raw = test_raw_new (serve_restart, &restart);
    g_autoptr (VodHttp) http = test_http_open (5);
    g_auto (VodHttpAnswer) answer = {0};

    test_get (http, test_raw_uri (raw), &answer, &error);
    g_assert_no_error (error);
    put_4_mib (raw, http, TRUE, &sent, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (test_raw_accepted (raw), ==, 2);
  }
  assert_lengths (&restart, 2);
  g_assert_cmpuint (restart.whole, ==, 1);
  /* What went down the first connection counts too. */
  g_assert_cmpuint (
      sent, >=, 4 * MIB + (restart.failure == FAIL_MID_BODY ? 65536 : 0));
  restart_clear (&restart);
}

static void
test_put_that_may_not_be_repeated_fails (gconstpointer data)
{
  Restart restart;
  g_autoptr (GError) error = NULL;
  guint64 sent = 0;

  restart_init (&restart, (Failure)GPOINTER_TO_INT (data));
  {
    g_autoptr (TestRaw) raw = test_raw_new (serve_restart, &restart);
    g_autoptr (VodHttp) http = test_http_open (5);
    g_auto (VodHttpAnswer) answer = {0};

    test_get (http, test_raw_uri (raw), &answer, &error);
    g_assert_no_error (error);
    test_expect_failure (
        put_4_mib (raw, http, FALSE, &sent, &error), error, VOD_ERROR_NETWORK);
    /* And the next one goes through. */
    g_clear_error (&error);
    put_4_mib (raw, http, TRUE, &sent, &error);
    g_assert_no_error (error);
  }
  assert_lengths (&restart, 2);
  g_assert_cmpuint (restart.whole, ==, 1);
  restart_clear (&restart);
}

/* A server that drops every PUT. */
static void
drop_all_puts (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  Restart *restart = data;

  for (;;) {
    g_autofree gchar *head = test_raw_read_head (stream);

    if (!head)
      return;
    if (g_str_has_prefix (head, "PUT")) {
      note_put (restart, head, NULL);
      test_raw_reset (stream);
      return;
    }
    test_raw_write (stream, OK_EMPTY);
  }
}

static void
test_put_that_is_always_dropped_fails (void)
{
  Restart restart;
  guint64 sent = 0;

  restart_init (&restart, FAIL_BY_RESET);
  {
    g_autoptr (TestRaw) raw = test_raw_new (drop_all_puts, &restart);
    g_autoptr (VodHttp) http = test_http_open (5);

    for (guint i = 0; i < 3; i++) {
      g_auto (VodHttpAnswer) answer = {0};
      g_autoptr (GError) error = NULL;

      test_get (http, test_raw_uri (raw), &answer, &error);
      g_assert_no_error (error);
      test_expect_failure (
          put_4_mib (raw, http, TRUE, &sent, &error), error, VOD_ERROR_NETWORK);
    }
  }
  assert_lengths (&restart, 6);
  restart_clear (&restart);
}

/* Answers, and closes when told that the client has seen the answer. */
typedef struct {
  GMutex lock;
  GCond cond;
  gboolean close;
  gboolean closed;
} Idle;

static void
set_flag (Idle *idle, gboolean *flag)
{
  g_mutex_lock (&idle->lock);
  *flag = TRUE;
  g_cond_broadcast (&idle->cond);
  g_mutex_unlock (&idle->lock);
}

static void
wait_for_flag (Idle *idle, const gboolean *flag)
{
  g_mutex_lock (&idle->lock);
  while (!*flag)
    g_cond_wait (&idle->cond, &idle->lock);
  g_mutex_unlock (&idle->lock);
}

static void
close_while_idle (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  Idle *idle = data;

  while (test_raw_read_request (stream, NULL, NULL)) {
    test_raw_write (stream, OK_EMPTY);
    if (n > 0)
      continue;
    wait_for_flag (idle, &idle->close);
    g_io_stream_close (stream, NULL, NULL);
    set_flag (idle, &idle->closed);
    return;
  }
}

static void
test_connection_closed_while_idle_is_replaced (void)
{
  Idle idle = {0};
  g_autoptr (GError) error = NULL;
  guint64 sent = 0;

  g_mutex_init (&idle.lock);
  g_cond_init (&idle.cond);
  {
    g_autoptr (TestRaw) raw = test_raw_new (close_while_idle, &idle);
    g_autoptr (VodHttp) http = test_http_open (5);
    g_auto (VodHttpAnswer) answer = {0};

    test_get (http, test_raw_uri (raw), &answer, &error);
    g_assert_no_error (error);
    set_flag (&idle, &idle.close);
    wait_for_flag (&idle, &idle.closed);
    put_4_mib (raw, http, FALSE, &sent, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (sent, ==, 4 * MIB);
  }
  g_cond_clear (&idle.cond);
  g_mutex_clear (&idle.lock);
}

/* --- answers that are none --- */

typedef struct {
  const gchar *name;
  const gchar *answer; /* after which the connection is closed */
  gint code;
} BadAnswer;

static const BadAnswer bad_answers[] = {
    {"nothing", "", VOD_ERROR_NETWORK},
    {"half-a-status-line", "HTTP/1.1 20", VOD_ERROR_PROTOCOL},
    {"half-a-head", "HTTP/1.1 200 OK\r\nContent-Le", VOD_ERROR_PROTOCOL},
    {"head-without-end", "HTTP/1.1 200 OK\r\nETag: \"x\"\r\n",
        VOD_ERROR_NETWORK},
    {"head-with-half-a-value", "HTTP/1.1 200 OK\r\nETag: \"x",
        VOD_ERROR_PROTOCOL},
    {"short-body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789",
        VOD_ERROR_NETWORK},
    {"short-body-of-closing",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: "
        "close\r\n\r\n012",
        VOD_ERROR_NETWORK},
    {"no-body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        VOD_ERROR_NETWORK},
    {"no-body-of-http-1.0", "HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n",
        VOD_ERROR_NETWORK},
    {"cut-chunk",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n0123",
        VOD_ERROR_NETWORK},
    {"not-http", "SSH-2.0-OpenSSH_9\r\n\r\n", VOD_ERROR_PROTOCOL},
    {"unknown-encoding",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: secret\r\n\r\n0123",
        VOD_ERROR_PROTOCOL},
    {"announced-too-long",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n0123",
        VOD_ERROR_PROTOCOL},
};

static void
serve_bad_answer (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  const BadAnswer *bad = data;

  if (test_raw_read_request (stream, NULL, NULL))
    test_raw_write (stream, bad->answer);
}

static void
test_bad_answer (gconstpointer data)
{
  const BadAnswer *bad = data;
  g_autoptr (TestRaw) raw = test_raw_new (serve_bad_answer, (gpointer)bad);
  g_autoptr (VodHttp) http = test_http_open (5);

  for (guint i = 0; i < 2; i++) {
    g_auto (VodHttpAnswer) answer = {0};
    g_autoptr (GError) error = NULL;

    test_expect_failure (
        test_put (http, test_raw_uri (raw), 1000, NULL, &answer, &error), error,
        bad->code);
    g_assert_null (answer.body);
  }
  g_assert_cmpuint (test_raw_accepted (raw), ==, 2);
}

/* More than was announced must not become the next request's answer. */
static void
serve_surplus (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  if (test_raw_read_request (stream, NULL, NULL))
    test_raw_write (stream,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  if (test_raw_read_request (stream, NULL, NULL))
    test_raw_write (stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab");
}

static void
test_surplus_is_not_the_next_answer (void)
{
  g_autoptr (TestRaw) raw = test_raw_new (serve_surplus, NULL);
  g_autoptr (VodHttp) http = test_http_open (5);

  for (guint i = 0; i < 3; i++) {
    g_auto (VodHttpAnswer) answer = {0};
    g_autoptr (GError) error = NULL;
    g_autofree gchar *text = NULL;

    test_get (http, test_raw_uri (raw), &answer, &error);
    g_assert_no_error (error);
    text = test_answer_text (&answer);
    g_assert_cmpstr (text, ==, "ab");
  }
}

/* --- answers that never end --- */

static void
serve_endless (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  const gchar *const *parts = data; /* begin, then for ever */

  if (!test_raw_read_request (stream, NULL, NULL) ||
      !test_raw_write (stream, parts[0]))
    return;
  while (!test_raw_stopping (raw))
    if (!test_raw_write (stream, parts[1]))
      return;
}

static void
check_endless (const gchar *begin, const gchar *more, gint code)
{
  const gchar *parts[] = {begin, more};
  g_autoptr (TestRaw) raw = test_raw_new (serve_endless, parts);
  g_autoptr (VodHttp) http = test_http_open (30);
  gint64 start = g_get_monotonic_time ();

  for (guint i = 0; i < 2; i++) {
    g_auto (VodHttpAnswer) answer = {0};
    g_autoptr (GError) error = NULL;

    test_expect_failure (
        test_get (http, test_raw_uri (raw), &answer, &error), error, code);
  }
  g_assert_cmpint (g_get_monotonic_time () - start, <, 10 * G_TIME_SPAN_SECOND);
}

#define LINE_OF_50 "01234567890123456789012345678901234567890123456789"
#define LINE_OF_400                                                            \
  LINE_OF_50 LINE_OF_50 LINE_OF_50 LINE_OF_50 LINE_OF_50 LINE_OF_50 LINE_OF_50 \
      LINE_OF_50

static void
test_endless_answers (void)
{
  check_endless ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", LINE_OF_400,
      VOD_ERROR_PROTOCOL);
  check_endless ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      "190\r\n" LINE_OF_400 "\r\n", VOD_ERROR_PROTOCOL);
  check_endless ("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n",
      LINE_OF_400, VOD_ERROR_PROTOCOL);
}

static void
test_endless_heads (void)
{
  check_endless (
      "HTTP/1.1 200 OK\r\n", "X: " LINE_OF_400 "\r\n", VOD_ERROR_NETWORK);
  check_endless ("HTTP/1.1 200 OK\r\nX: ", LINE_OF_400, VOD_ERROR_NETWORK);
  check_endless ("", "HTTP/1.1 100 Continue\r\n\r\n", VOD_ERROR_PROTOCOL);
  check_endless (
      "", "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n", VOD_ERROR_PROTOCOL);
}

static void
serve_one_informational (
    TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  while (test_raw_read_request (stream, NULL, NULL))
    test_raw_write (stream,
        "HTTP/1.1 102 Processing\r\n\r\n"
        "HTTP/1.1 102 Processing\r\n\r\n" OK_EMPTY);
}

static void
test_some_preliminary_answers_are_fine (void)
{
  g_autoptr (TestRaw) raw = test_raw_new (serve_one_informational, NULL);
  g_autoptr (VodHttp) http = test_http_open (5);

  for (guint i = 0; i < 20; i++) {
    g_auto (VodHttpAnswer) answer = {0};
    g_autoptr (GError) error = NULL;

    test_get (http, test_raw_uri (raw), &answer, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (answer.status, ==, 200);
  }
}

static void
add_restart_tests (void)
{
  static const gchar *const names[] = {
      "close", "reset", "reset-mid-body", "early-error"};

  for (gint i = 0; i < (gint)G_N_ELEMENTS (names); i++) {
    g_autofree gchar *whole =
        g_strconcat ("/http/restarted-put-is-sent-whole/", names[i], NULL);
    g_autofree gchar *once = g_strconcat (
        "/http/put-that-may-not-be-repeated-fails/", names[i], NULL);

    g_test_add_data_func (
        whole, GINT_TO_POINTER (i), test_restarted_put_is_sent_whole);
    g_test_add_data_func (
        once, GINT_TO_POINTER (i), test_put_that_may_not_be_repeated_fails);
  }
}

static void
add_bad_answer_tests (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (bad_answers); i++) {
    g_autofree gchar *path =
        g_strconcat ("/http/bad-answer/", bad_answers[i].name, NULL);

    g_test_add_data_func (path, &bad_answers[i], test_bad_answer);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_restart_tests ();
  g_test_add_func ("/http/put-that-is-always-dropped-fails",
      test_put_that_is_always_dropped_fails);
  g_test_add_func ("/http/connection-closed-while-idle-is-replaced",
      test_connection_closed_while_idle_is_replaced);
  add_bad_answer_tests ();
  g_test_add_func ("/http/surplus-is-not-the-next-answer",
      test_surplus_is_not_the_next_answer);
  g_test_add_func ("/http/endless-answers", test_endless_answers);
  g_test_add_func ("/http/endless-heads", test_endless_heads);
  g_test_add_func ("/http/some-preliminary-answers-are-fine",
      test_some_preliminary_answers_are_fine);
  return g_test_run ();
}

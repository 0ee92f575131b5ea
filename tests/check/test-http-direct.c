/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttpdirect: large bodies go to the connection in large pieces, and to the
 * right one. What may go wrong on the way is tested by test-http*.c, which run
 * with and without.
 */
#include "testclient.h"
#include "testserver.h"

#define LARGE (3 * MIB + 17)
/* More than libsoup asks for at once. */
#define LARGE_PIECE (16 * 1024)

static void
put (VodHttp *http, TestSoup *soup, guint64 length)
{
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;
  guint n = test_soup_n_requests (soup);

  test_soup_answer (soup, 200, NULL, NULL);
  test_put (http, test_soup_uri (soup), length, NULL, &answer, &error);
  g_assert_no_error (error);
  g_assert_true (test_body_is (test_soup_request (soup, n)->body, length));
}

static void
test_on_a_new_and_on_a_kept_connection (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);

  for (guint i = 0; i < 3; i++) {
    put (http, soup, LARGE);
    g_assert_cmpuint (test_body_largest_piece (), >, LARGE_PIECE);
    g_assert_cmpuint (test_soup_request (soup, i)->connection, ==, 0);
  }
}

static void
test_not_for_a_small_body (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);

  put (http, soup, 20000);
  g_assert_cmpuint (test_body_largest_piece (), <=, 8192);
}

/* Connections of one session, whose ids are all that tells them apart. */
static void
test_several_hosts_in_turn (void)
{
  TestSoup *soups[3];
  g_autoptr (VodHttp) http = test_http_open (5);

  for (guint i = 0; i < G_N_ELEMENTS (soups); i++)
    soups[i] = test_soup_new ();
  for (guint i = 0; i < 9; i++) {
    put (http, soups[i * i % G_N_ELEMENTS (soups)], LARGE + i);
    g_assert_cmpuint (test_body_largest_piece (), >, LARGE_PIECE);
  }
  for (guint i = 0; i < G_N_ELEMENTS (soups); i++)
    test_soup_free (soups[i]);
}

/* As Initiate does before the parts, and HEAD before a resume. */
static void
test_on_a_connection_opened_without_a_body (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;

  test_soup_answer (soup, 200, NULL, NULL);
  test_get (http, test_soup_uri (soup), &answer, &error);
  g_assert_no_error (error);
  put (http, soup, LARGE);
  g_assert_cmpuint (test_soup_request (soup, 1)->connection, ==, 0);
  g_assert_cmpuint (test_body_largest_piece (), >, LARGE_PIECE);
}

/* --- a slow line ----------------------------------------------------------*/

static void
read_head_only (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  g_autofree gchar *head = test_raw_read_head (stream);

  while (!test_raw_stopping (raw))
    test_raw_wait (raw, 100);
}

typedef struct {
  TestRaw *raw;
  GCancellable *cancellable;
  gint sent; /* bytes, atomic */
} Stalled;

static void
note_sent (gsize bytes, gpointer data)
{
  g_atomic_int_add (&((Stalled *)data)->sent, (gint)bytes);
}

static gpointer
put_stalled (gpointer data)
{
  Stalled *stalled = data;
  g_autoptr (VodHttp) http = test_http_open (30);
  g_autofree gchar *uri = g_strconcat (test_raw_uri (stalled->raw), "/k", NULL);
  VodHttpBody body = test_body (256 * MIB);
  VodHttpRequest request = {.method = "PUT",
      .uri = uri,
      .body = &body,
      .sent = note_sent,
      .sent_data = stalled};
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;

  test_expect_failure (
      vod_http_send (http, &request, stalled->cancellable, &answer, &error),
      error, VOD_ERROR_CANCELLED);
  return NULL;
}

/* How many bytes go to a server that does not take them. */
static gint
fill_the_line (void)
{
  g_autoptr (TestRaw) raw = test_raw_new (read_head_only, NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Stalled stalled = {raw, cancellable, 0};
  GThread *thread = g_thread_new ("put", put_stalled, &stalled);
  gint sent, before = -1;

  for (;;) {
    g_usleep (300000);
    sent = g_atomic_int_get (&stalled.sent);
    if (sent > 0 && sent == before)
      break;
    before = sent;
  }
  g_cancellable_cancel (cancellable);
  g_thread_join (thread);
  g_test_message ("%d bytes went", sent);
  return sent;
}

/* Whatever the socket has taken is told, not only whole pieces; it may happen to
 * take just these. */
static void
test_what_has_gone_is_told (void)
{
  guint whole = 0;

  while (fill_the_line () % (256 * 1024) == 0)
    g_assert_cmpuint (++whole, <, 20);
}

/* --- bytes that need not be read ------------------------------------------*/

static gsize
read_never (gpointer data, guint64 offset, gpointer buffer, gsize len)
{
  g_assert_not_reached ();
}

/* In blocks, as a slice has them. */
static const guint8 *
peek_blocks (gpointer data, guint64 offset, gsize *len)
{
  *len = 100000 - offset % 100000;
  return (const guint8 *)data + offset;
}

static void
test_bytes_in_memory_are_not_copied (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = test_http_open (5);
  g_autofree guint8 *bytes = g_malloc (LARGE);
  g_autofree gchar *uri = g_strconcat (test_soup_uri (soup), "/k", NULL);
  VodHttpBody pattern = test_body (LARGE);
  VodHttpBody body = {
      .length = LARGE, .read = read_never, .peek = peek_blocks, .data = bytes};
  VodHttpRequest request = {
      .method = "PUT", .uri = uri, .body = &body, .replayable = TRUE};
  g_auto (VodHttpAnswer) answer = {0};
  g_autoptr (GError) error = NULL;

  pattern.read (NULL, 0, bytes, LARGE);
  test_soup_answer (soup, 200, NULL, NULL);
  vod_http_send (http, &request, NULL, &answer, &error);
  g_assert_no_error (error);
  g_assert_true (test_body_is (test_soup_request (soup, 0)->body, LARGE));
}

/* --- a connection that is gone --------------------------------------------*/

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* Answers one request on each connection, then closes it without saying so. */
static void
serve_once (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  g_autofree gchar *head = NULL;
  g_autoptr (GBytes) body = NULL;

  if (test_raw_read_request (stream, &head, &body) && body &&
      test_body_is (body, LARGE))
    g_atomic_int_inc ((gint *)data);
  test_raw_write (stream, OK_EMPTY);
}

static void
test_each_on_the_connection_that_is_open (void)
{
  gint whole = 0;

  {
    g_autoptr (TestRaw) raw = test_raw_new (serve_once, &whole);
    g_autoptr (VodHttp) http = test_http_open (5);

    for (guint i = 0; i < 20; i++) {
      g_auto (VodHttpAnswer) answer = {0};
      g_autoptr (GError) error = NULL;

      test_put (http, test_raw_uri (raw), LARGE, NULL, &answer, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (answer.status, ==, 200);
    }
  }
  g_assert_cmpint (whole, ==, 20);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http-direct/on-a-new-and-on-a-kept-connection",
      test_on_a_new_and_on_a_kept_connection);
  g_test_add_func (
      "/http-direct/not-for-a-small-body", test_not_for_a_small_body);
  g_test_add_func (
      "/http-direct/several-hosts-in-turn", test_several_hosts_in_turn);
  g_test_add_func ("/http-direct/on-a-connection-opened-without-a-body",
      test_on_a_connection_opened_without_a_body);
  g_test_add_func (
      "/http-direct/what-has-gone-is-told", test_what_has_gone_is_told);
  g_test_add_func ("/http-direct/bytes-in-memory-are-not-copied",
      test_bytes_in_memory_are_not_copied);
  g_test_add_func ("/http-direct/each-on-the-connection-that-is-open",
      test_each_on_the_connection_that_is_open);
  return g_test_run ();
}

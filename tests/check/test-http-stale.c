/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttp and a kept connection that the server closes just when it is to be
 * used again: libsoup has found it open, looks again, and finds it closed. A
 * session that may have no other connection then waits for itself, for ever.
 *
 * This program's g_socket_is_connected() stands before GIO's, and lets the server
 * close between libsoup's two looks.
 */
#include <dlfcn.h>

#include "testclient.h"
#include "testserver.h"

static gint looks; /* atomic: at the kept connection; -1: it is not kept yet */
static gint closing; /* atomic */

gboolean
g_socket_is_connected (GSocket *socket)
{
  gboolean (*real) (GSocket *) = dlsym (RTLD_NEXT, __func__);

  if (g_atomic_int_get (&looks) >= 0 && g_atomic_int_add (&looks, 1) + 1 == 2) {
    g_atomic_int_set (&closing, TRUE);
    g_assert_true (g_socket_condition_timed_wait (
        socket, G_IO_IN, 10 * G_USEC_PER_SEC, NULL, NULL));
  }
  return real (socket);
}

/* Closes when it has answered one request, and is told to. */
static void
answer_one (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  g_autofree gchar *head = NULL;
  g_autoptr (GBytes) body = NULL;

  g_assert_true (test_raw_read_request (stream, &head, &body));
  test_raw_write (stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  while (!g_atomic_int_get (&closing) && !test_raw_stopping (raw))
    g_usleep (1000);
}

static void
test_closed_between_two_looks (void)
{
  if (!g_test_subprocess ()) {
    g_test_trap_subprocess (NULL, 20 * G_USEC_PER_SEC, 0);
    g_test_trap_assert_passed ();
    return;
  }
  g_autoptr (TestRaw) raw = test_raw_new (answer_one, NULL);
  g_autoptr (VodHttp) http = test_http_open (5);

  g_atomic_int_set (&looks, -1);
  for (guint i = 0; i < 2; i++) {
    g_auto (VodHttpAnswer) answer = {0};
    g_autoptr (GError) error = NULL;

    test_put (http, test_raw_uri (raw), 10, NULL, &answer, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (answer.status, ==, 200);
    g_atomic_int_set (&looks, 0);
  }
  g_assert_true (g_atomic_int_get (&closing));
  g_assert_cmpuint (test_raw_accepted (raw), ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/http-stale/closed-between-two-looks", test_closed_between_two_looks);
  return g_test_run ();
}

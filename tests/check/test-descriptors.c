/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * File descriptors that run out: an error in time, not the end of the process
 * (GLib calls abort() when it gets none). Each test is a process of its own,
 * whose limit it lowers.
 */
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "testclient.h"

static guint
used (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  g_assert_nonnull (dir);
  while (g_dir_read_name (dir))
    n++;
  return n - 1; /* without the folder itself */
}

static void
set_limit (guint n)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  limit.rlim_cur = n;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
}

static VodHttp *
open_one (GError **error)
{
  VodHttpSettings settings = {.user_agent = "test", .timeout = 2};

  return vod_http_new (&settings, error);
}

static void
test_none_left_is_an_error (void)
{
  g_autoptr (VodHttp) http = NULL;
  g_autoptr (GError) error = NULL;
  guint before = used ();

  if (!g_test_subprocess ()) {
    g_test_trap_subprocess (NULL, 0, 0);
    g_test_trap_assert_passed ();
    return;
  }
  set_limit (before + 1);
  test_expect_failure (
      (http = open_one (&error)) != NULL, error, VOD_ERROR_LOCAL);
  g_assert_nonnull (strstr (error->message, "ulimit -n"));
  set_limit (before);
  g_clear_error (&error);
  test_expect_failure (
      (http = open_one (&error)) != NULL, error, VOD_ERROR_LOCAL);
  g_clear_error (&error);
  set_limit (before + 100);
  http = open_one (&error);
  g_assert_no_error (error);
}

/* --- as many as there may be ----------------------------------------------*/

#define MOST 200

/* Connections are made with it, and nobody ever answers. */
static gchar *
listen_only (void)
{
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t length = sizeof address;
  gint fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  g_assert_cmpint (
      bind (fd, (struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint (listen (fd, MOST), ==, 0);
  g_assert_cmpint (
      getsockname (fd, (struct sockaddr *)&address, &length), ==, 0);
  return g_strdup_printf ("http://localhost:%u", ntohs (address.sin_port));
}

static gchar *nobody;
static gint waiting;

static gpointer
ask (gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VodHttp) http = open_one (&error);
  g_auto (VodHttpAnswer) answer = {0};

  if (http == NULL) {
    g_assert_error (error, VOD_ERROR, VOD_ERROR_LOCAL);
    g_atomic_int_inc (&waiting);
    return GINT_TO_POINTER (FALSE);
  }
  /* All at the same time. */
  g_atomic_int_inc (&waiting);
  while (g_atomic_int_get (&waiting) < MOST)
    g_usleep (1000);
  g_assert_false (test_get (http, nobody, &answer, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_NETWORK);
  g_assert_null (strstr (error->message, "Too many open files"));
  return GINT_TO_POINTER (TRUE);
}

static void
test_all_that_there_are_can_work (void)
{
  GThread *threads[MOST];
  guint n = 0;

  if (!g_test_subprocess ()) {
    g_test_trap_subprocess (NULL, 0, 0);
    g_test_trap_assert_passed ();
    return;
  }
  nobody = listen_only ();
  set_limit (used () + 300);
  for (guint i = 0; i < MOST; i++)
    threads[i] = g_thread_new ("ask", ask, NULL);
  for (guint i = 0; i < MOST; i++)
    n += GPOINTER_TO_INT (g_thread_join (threads[i]));
  /* Not all could be made, but no fewer than there was room for. */
  g_assert_cmpuint (n, <, MOST);
  g_assert_cmpuint (n, >, 50);
  g_free (nobody);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/descriptors/none-left-is-an-error", test_none_left_is_an_error);
  g_test_add_func ("/descriptors/all-that-there-are-can-work",
      test_all_that_there_are_can_work);
  return g_test_run ();
}

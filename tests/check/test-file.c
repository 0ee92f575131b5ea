/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose files are believed, and that what is written is written as a whole. */
#include "upload/vodfile.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "testsession.h"

#define NOBODY 65534

static gboolean
is_ours (const gchar *path)
{
  struct stat info;

  g_assert_cmpint (lstat (path, &info), ==, 0);
  return vod_file_is_ours (&info);
}

static void
test_modes (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *path = g_build_filename (dir, "file", NULL);

  session_put (path, "x", 1);
  for (gint mode = 0; mode <= 0777; mode++) {
    g_assert_cmpint (g_chmod (path, mode), ==, 0);
    g_assert_true (is_ours (path) == ((mode & 077) == 0));
  }
  session_remove_dir (dir);
}

static void
test_kinds (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *file = g_build_filename (dir, "file", NULL);
  g_autofree gchar *second = g_build_filename (dir, "second", NULL);
  g_autofree gchar *link_to = g_build_filename (dir, "link", NULL);
  g_autofree gchar *fifo = g_build_filename (dir, "fifo", NULL);

  session_put (file, "x", 1);
  g_assert_true (is_ours (file));
  g_assert_false (is_ours (dir));
  g_assert_false (is_ours ("/dev/null"));
  g_assert_cmpint (symlink (file, link_to), ==, 0);
  g_assert_cmpint (g_chmod (file, 0600), ==, 0);
  g_assert_false (is_ours (link_to));
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_false (is_ours (fifo));
  g_assert_cmpint (link (file, second), ==, 0);
  g_assert_false (is_ours (file));
  g_assert_cmpint (unlink (second), ==, 0);
  g_assert_true (is_ours (file));
  if (geteuid () == 0) {
    g_assert_cmpint (chown (file, NOBODY, NOBODY), ==, 0);
    g_assert_false (is_ours (file));
  }
  session_remove_dir (dir);
}

static int
open_new (const gchar *dir)
{
  g_autofree gchar *path = g_build_filename (dir, "file", NULL);
  int fd = open (path, O_RDWR | O_CREAT | O_TRUNC, 0600);

  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static void
test_written_where_it_belongs (void)
{
  gchar *dir = session_make_dir ();
  int fd = open_new (dir);
  gchar there[16];

  g_assert_true (vod_file_write (fd, 0, "", 0));
  g_assert_true (vod_file_write (fd, 6, "world", 5));
  g_assert_true (vod_file_write (fd, 0, "hello ", 6));
  g_assert_true (vod_file_write (fd, 3, "p", 1));
  g_assert_cmpint (pread (fd, there, sizeof there, 0), ==, 11);
  g_assert_cmpmem (there, 11, "helpo world", 11);
  close (fd);
  session_remove_dir (dir);
}

/* The kernel takes what fits, and then nothing. */
static void
with_a_limit (gpointer dir)
{
  struct rlimit limit = {10, RLIM_INFINITY};
  int fd = open_new (dir);
  gchar there[16];

  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  g_assert_false (vod_file_write (fd, 8, "world", 5));
  g_assert_cmpint (errno, ==, EFBIG);
  g_assert_cmpint (pread (fd, there, sizeof there, 8), ==, 2);
  g_assert_cmpmem (there, 2, "wo", 2);
  g_assert_true (vod_file_write (fd, 8, "!!", 2));
  close (fd);
}

static void
test_half_written_is_a_failure (void)
{
  gchar *dir = session_make_dir ();

  session_in_child (with_a_limit, dir);
  session_remove_dir (dir);
}

static void
test_a_file_that_cannot_be_written (void)
{
  int fd = open ("/dev/full", O_WRONLY);

  g_assert_false (vod_file_write (fd, 0, "x", 1));
  g_assert_cmpint (errno, ==, ENOSPC);
  close (fd);
  g_assert_false (vod_file_write (fd, 0, "x", 1));
  g_assert_cmpint (errno, ==, EBADF);
}

static void
test_cancelled (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *path = g_build_filename (dir, "file", NULL);
  g_autofree gchar *moved = g_build_filename (dir, "moved", NULL);
  gboolean noted = session_keeps_attributes (dir);

  vod_file_set_cancelled (path, TRUE);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  session_put (path, "x", 1);
  vod_file_set_cancelled (path, FALSE);
  g_assert_false (session_is_cancelled (path));
  vod_file_set_cancelled (path, TRUE);
  vod_file_set_cancelled (path, TRUE);
  g_assert_cmpint (g_rename (path, moved), ==, 0);
  g_assert_cmpint (session_is_cancelled (moved), ==, noted);
  vod_file_set_cancelled (moved, FALSE);
  g_assert_false (session_is_cancelled (moved));
  session_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/file/ours/modes", test_modes);
  g_test_add_func ("/file/ours/kinds", test_kinds);
  g_test_add_func ("/file/cancelled", test_cancelled);
  g_test_add_func ("/file/write/place", test_written_where_it_belongs);
  g_test_add_func ("/file/write/half", test_half_written_is_a_failure);
  g_test_add_func ("/file/write/failure", test_a_file_that_cannot_be_written);
  return g_test_run ();
}

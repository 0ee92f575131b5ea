/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What vod-resume says of a recording that it cannot take: somebody else has
 * it, which is no failure, or it cannot be used, which is one.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "testsession.h"
#include "vod-send.h"

static GString *said;

static void
hear (const gchar *text)
{
  g_string_append (said, text);
}

/* Sends KEY in @dir, and compares. */
static void
expect_send (const gchar *dir, VodSendResult expected, const gchar *words)
{
  VodSettings settings = {.state_dir = (gchar *)dir};
  VodRecording recording = {.key = (gchar *)KEY,
      .kind = VOD_RECORDING_COMPLETE,
      .has_spool = TRUE,
      .size = 5,
      .sure = 5,
      .name = (gchar *)"Film",
      .type = (gchar *)"ts",
      .endpoint = (gchar *)"http://127.0.0.1:1"};
  GPrintFunc before;
  VodSendResult result;

  said = g_string_new (NULL);
  before = g_set_print_handler (hear);
  result = vod_send (&settings, &recording);
  g_set_print_handler (before);
  g_test_message ("%s", said->str);
  g_assert_cmpint (result, ==, expected);
  g_assert_nonnull (strstr (said->str, words));
  g_string_free (said, TRUE);
}

/* A state directory with a spool. */
static gchar *
make_dir (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *media = session_file_of (dir, "media");

  session_put (media, "bytes", 5);
  return dir;
}

static void
assert_untouched (gchar *dir)
{
  g_autofree gchar *media = session_file_of (dir, "media");
  g_autofree gchar *text = NULL;

  g_assert_true (g_file_get_contents (media, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "bytes");
  session_remove_dir (dir);
}

/* Since it was looked at. */
static void
test_somebody_else_has_it (void)
{
  gchar *dir = make_dir ();
  VodSession *holder = session_open (dir);

  session_steps (holder, SESSION_STEPS);
  expect_send (dir, VOD_SEND_BUSY, "Film.ts: in use now, left alone");
  vod_session_close (holder);
  assert_untouched (dir);
}

static void
test_no_file_can_be_the_session (void)
{
  gchar *dir = make_dir ();
  g_autofree gchar *path = session_file_of (dir, "session");

  g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
  expect_send (dir, VOD_SEND_FAILED, "Film.ts: failed: ");
  assert_untouched (dir);
}

static void
test_the_directory_cannot_be_used (void)
{
  gchar *dir = make_dir ();

  g_assert_cmpint (g_chmod (dir, 0777), ==, 0);
  expect_send (dir, VOD_SEND_FAILED, "can be written to by others");
  assert_untouched (dir);
}

static void
test_the_session_cannot_be_begun (void)
{
  gchar *dir = make_dir ();
  g_autofree gchar *in_the_way = session_file_of (dir, "session.new");
  g_autofree gchar *inside = g_build_filename (in_the_way, "file", NULL);

  g_assert_cmpint (g_mkdir (in_the_way, 0700), ==, 0);
  session_put (inside, "x", 1);
  expect_send (dir, VOD_SEND_FAILED, "Film.ts: failed: ");
  assert_untouched (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gst_init (NULL, NULL);
  g_test_add_func ("/send/busy", test_somebody_else_has_it);
  g_test_add_func ("/send/no-file", test_no_file_can_be_the_session);
  g_test_add_func ("/send/directory", test_the_directory_cannot_be_used);
  g_test_add_func ("/send/begin", test_the_session_cannot_be_begun);
  return g_test_run ();
}

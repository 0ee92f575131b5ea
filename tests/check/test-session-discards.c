/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What has to be deleted at the service later.
 */
#include "testsession.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <utime.h>

static void
remember (const gchar *dir, const gchar *endpoint, const gchar *object,
    const gchar *upload_id, gint64 age)
{
  VodSessionState state = {.endpoint = (gchar *)endpoint,
      .session_key = (gchar *)SESSION_KEY,
      .bucket_host = (gchar *)HOST,
      .object_key = (gchar *)object,
      .upload_id = (gchar *)upload_id,
      .applied = g_get_real_time () / G_USEC_PER_SEC - age};
  g_autoptr (GError) error = NULL;
  VodSession *discard = vod_session_remember_discard (dir, &state, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (vod_session_found (discard)->object_key, ==, object);
  vod_session_close (discard);
}

static guint
count (const gchar *dir)
{
  g_autoptr (GDir) listing = g_dir_open (dir, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (listing))
    n++;
  return n;
}

static void
test_discards (void)
{
  gchar *dir = session_make_dir ();
  g_autoptr (VodSession) one = NULL;
  const VodSessionState *state;
  VodSession *two;

  g_assert_null (vod_session_take_discard (dir, NULL, NULL));
  remember (dir, ENDPOINT, OBJECT, "u1", 100);
  g_assert_null (
      vod_session_take_discard (dir, "https://elsewhere.example", NULL));
  one = vod_session_take_discard (dir, ENDPOINT, NULL);
  state = vod_session_found (one);
  g_assert_cmpstr (state->endpoint, ==, ENDPOINT);
  g_assert_cmpstr (state->session_key, ==, SESSION_KEY);
  g_assert_cmpstr (state->bucket_host, ==, HOST);
  g_assert_cmpstr (state->object_key, ==, OBJECT);
  g_assert_cmpstr (state->upload_id, ==, "u1");
  /* One has it, nobody else can. */
  g_assert_null (vod_session_take_discard (dir, NULL, NULL));
  remember (dir, ENDPOINT, "other", NULL, 100);
  two = vod_session_take_discard (dir, NULL, NULL);
  state = vod_session_found (two);
  g_assert_cmpstr (state->object_key, ==, "other");
  g_assert_null (state->upload_id);
  vod_session_delete (two);
  /* It could not be deleted: it stays for the next. */
  vod_session_close (g_steal_pointer (&one));
  g_assert_cmpuint (count (dir), ==, 1);
  one = vod_session_take_discard (dir, ENDPOINT, NULL);
  g_assert_nonnull (one);
  g_assert_null (
      vod_session_take_discard (dir, ENDPOINT, vod_session_key (one)));
  vod_session_delete (g_steal_pointer (&one));
  g_assert_cmpuint (count (dir), ==, 0);
  session_remove_dir (dir);
}

/* Each once, although none could be deleted. */
static void
test_discards_one_after_the_other (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *after = NULL;
  VodSession *discard;
  guint n = 0;

  for (guint i = 0; i < 20; i++)
    remember (dir, i % 2 ? ENDPOINT : "http://other.example", OBJECT, "u", 1);
  while ((discard = vod_session_take_discard (dir, ENDPOINT, after))) {
    g_free (after);
    after = g_strdup (vod_session_key (discard));
    vod_session_close (discard);
    n++;
  }
  g_assert_cmpuint (n, ==, 10);
  g_assert_cmpuint (count (dir), ==, 20);
  session_remove_dir (dir);
}

static void
test_old_discards_are_removed (void)
{
  gchar *dir = session_make_dir ();
  VodSession *discard;

  remember (dir, ENDPOINT, "old", NULL, 24 * 3600 + 60);
  remember (dir, "http://other.example", "older", NULL, 100 * 3600);
  remember (dir, ENDPOINT, "young", NULL, 24 * 3600 - 600);
  discard = vod_session_take_discard (dir, ENDPOINT, NULL);
  g_assert_cmpstr (vod_session_found (discard)->object_key, ==, "young");
  vod_session_close (discard);
  g_assert_null (vod_session_take_discard (dir, "http://x.example", NULL));
  g_assert_cmpuint (count (dir), ==, 1);
  session_remove_dir (dir);
}

static void
test_a_discard_must_be_whole (void)
{
  gchar *dir = session_make_dir ();
  VodSessionState state = {.endpoint = (gchar *)ENDPOINT,
      .session_key = (gchar *)SESSION_KEY,
      .applied = 1};
  g_autoptr (GError) error = NULL;

  g_assert_null (vod_session_remember_discard (dir, &state, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_PARAMETER);
  g_assert_cmpuint (count (dir), ==, 0);
  session_remove_dir (dir);
}

/* Half written, as by a crash, or about to be written: left alone, until it is
 * old. */
static void
test_a_torn_discard (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *path = session_file_of (dir, "discard");
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  struct utimbuf old = {now - 25 * 3600, now - 25 * 3600};

  for (guint i = 0; i < 2; i++) {
    session_put (path, "vodsink-sess", i == 0 ? 0 : 12);
    g_assert_null (vod_session_take_discard (dir, NULL, NULL));
    g_assert_cmpuint (count (dir), ==, 1);
    g_assert_cmpint (g_utime (path, &old), ==, 0);
    g_assert_null (vod_session_take_discard (dir, NULL, NULL));
    g_assert_cmpuint (count (dir), ==, 0);
  }
  session_remove_dir (dir);
}

/* What is no file of ours is left alone. */
static void
test_a_discard_that_is_none (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *path = session_file_of (dir, "discard");
  g_autofree gchar *victim = g_build_filename (dir, "victim", NULL);
  g_autofree gchar *content = NULL;

  session_put (victim, "v", 1);
  g_assert_cmpint (symlink (victim, path), ==, 0);
  g_assert_null (vod_session_take_discard (dir, NULL, NULL));
  g_assert_cmpuint (count (dir), ==, 2);
  g_assert_true (g_file_get_contents (victim, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, "v");
  session_remove_dir (dir);
}

/* From the moment it is remembered until it is closed it is the caller's. */
static void
test_remembered_is_held (void)
{
  gchar *dir = session_make_dir ();
  VodSessionState state = {.endpoint = (gchar *)ENDPOINT,
      .session_key = (gchar *)SESSION_KEY,
      .bucket_host = (gchar *)HOST,
      .object_key = (gchar *)OBJECT,
      .applied = g_get_real_time () / G_USEC_PER_SEC};
  VodSession *discard = vod_session_remember_discard (dir, &state, NULL);

  g_assert_nonnull (discard);
  g_assert_null (vod_session_take_discard (dir, NULL, NULL));
  vod_session_close (discard);
  discard = vod_session_take_discard (dir, NULL, NULL);
  g_assert_nonnull (discard);
  vod_session_delete (discard);
  session_remove_dir (dir);
}

/* --- sessions that are too old --- */

static void
make_old (const gchar *dir, const gchar *key, const gchar *suffix, gint64 age)
{
  g_autofree gchar *path = vod_session_path (dir, key, suffix);
  gint64 then = g_get_real_time () / G_USEC_PER_SEC - age;
  struct utimbuf times = {then, then};

  g_assert_cmpint (g_utime (path, &times), ==, 0);
}

static VodSession *
begin (const gchar *dir, const gchar *key)
{
  g_autoptr (GError) error = NULL;
  VodSession *session = vod_session_open (dir, key, &error);

  g_assert_no_error (error);
  session_steps (session, 4);
  return session;
}

static void
test_old_sessions_are_forgotten (void)
{
  const gchar *const left[] = {KEY, KEY ".1", KEY ".2", NULL};
  gchar *dir = session_make_dir ();
  g_autofree gchar *spool = vod_session_path (dir, KEY ".1", "media");
  VodSession *held = begin (dir, KEY);
  g_auto (GStrv) keys = NULL;

  for (guint i = 1; i <= 4; i++) {
    g_autofree gchar *key = g_strdup_printf (KEY ".%u", i);

    vod_session_close (begin (dir, key));
    make_old (dir, key, "session", 24 * 3600 + (i == 2 ? -600 : 60));
  }
  make_old (dir, KEY, "session", 48 * 3600);
  session_put (spool, "m", 1);
  vod_session_forget_old (dir);
  keys = vod_session_list (dir, NULL);
  g_assert_cmpstrv (keys, left);
  vod_session_close (held);
  session_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session-discards/one", test_discards);
  g_test_add_func (
      "/session-discards/each-once", test_discards_one_after_the_other);
  g_test_add_func ("/session-discards/old", test_old_discards_are_removed);
  g_test_add_func ("/session-discards/whole", test_a_discard_must_be_whole);
  g_test_add_func ("/session-discards/torn", test_a_torn_discard);
  g_test_add_func ("/session-discards/no-file", test_a_discard_that_is_none);
  g_test_add_func ("/session-discards/held", test_remembered_is_held);
  g_test_add_func (
      "/session-discards/forgotten", test_old_sessions_are_forgotten);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Session files as they are meant to be used; what should not happen to them is
 * in test-session-damage, -files and -holders.
 */
#include "testsession.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static void
test_keys (void)
{
  const gchar *const a[] = {"ab", "c", NULL}, *const b[] = {"a", "bc", NULL};
  const gchar *const c[] = {"abc", NULL}, *const none[] = {NULL};
  const gchar *const d[] = {"abc", "", NULL};
  const gchar *const *const all[] = {a, b, c, none, d};
  g_autoptr (GHashTable) keys =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree gchar *once = vod_session_make_key (a);
  g_autofree gchar *again = vod_session_make_key (a);

  g_assert_cmpstr (once, ==, again);
  for (guint i = 0; i < G_N_ELEMENTS (all); i++) {
    gchar *key = vod_session_make_key (all[i]);

    g_assert_true (vod_session_check_key (key));
    g_assert_true (g_hash_table_add (keys, key));
  }
}

static void
test_what_is_no_key (void)
{
  static const gchar *const bad[] = {"", ".", "..", "../" KEY, KEY "/..",
      KEY ".", KEY ".0", KEY ".01", KEY ".-1", KEY ".1.1", KEY ".10000",
      KEY ".1 ", KEY "0", KEY "\n", "0123456789abcdef0123456789abcde",
      "0123456789ABCDEF0123456789ABCDEF", "0123456789abcdef0123456789abcd..",
      "0123456789abcdef0123456789abcd/.", KEY "../x", KEY ".99999999999999"};
  g_autofree gchar *dir = session_make_dir ();
  g_autoptr (GDir) listing = NULL;

  g_assert_true (vod_session_check_key (KEY));
  g_assert_true (vod_session_check_key (KEY ".1"));
  g_assert_true (vod_session_check_key (KEY ".9999"));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_assert_false (vod_session_check_key (bad[i]));
    session_open_fails (dir, bad[i], VOD_ERROR_PARAMETER);
  }
  listing = g_dir_open (dir, 0, NULL);
  g_assert_null (g_dir_read_name (listing));
  session_remove_dir (g_steal_pointer (&dir));
}

static void
test_every_note_is_found_again (void)
{
  for (guint n = 0; n <= SESSION_STEPS; n++) {
    gchar *dir = session_make_dir ();
    VodSession *session = session_open (dir);

    g_assert_null (vod_session_found (session));
    session_steps (session, n);
    g_assert_null (vod_session_found (session));
    vod_session_close (session);
    session_assert_kept (dir, n);
    session_remove_dir (dir);
  }
}

/* … by a new process each time. */
static void
test_reopened_after_each_note (void)
{
  gchar *dir = session_make_dir ();

  for (guint n = 0; n < SESSION_STEPS; n++) {
    g_autoptr (VodSession) session = session_open (dir);
    g_autoptr (GError) error = NULL;

    session_assert_story (session, n);
    g_assert_true (session_step (session, n, &error));
    g_assert_no_error (error);
  }
  session_remove_dir (dir);
}

static gsize
file_size (const gchar *dir)
{
  g_autofree gchar *path = session_file_of (dir, "session");
  GStatBuf st;

  g_assert_cmpint (g_stat (path, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0600);
  return (gsize)st.st_size;
}

static void
test_what_is_known_is_not_written_again (void)
{
  gchar *dir = session_make_dir ();
  VodSession *session = session_open (dir);
  g_autoptr (GError) error = NULL;
  gsize size;

  session_steps (session, SESSION_STEPS);
  size = file_size (dir);
  for (guint i = 2; i < SESSION_STEPS; i++) {
    /* But those that were replaced later. */
    if (i == 2 || i == 4)
      continue;
    g_assert_true (session_step (session, i, &error));
    g_assert_no_error (error);
  }
  g_assert_cmpuint (file_size (dir), ==, size);
  vod_session_close (session);
  session_remove_dir (dir);
}

static const VodSessionState *
reopen (const gchar *dir, VodSession **session)
{
  vod_session_close (*session);
  *session = session_open (dir);
  return vod_session_found (*session);
}

#define PART(i) ((const VodSessionPart *)g_ptr_array_index (found->parts, (i)))

static void
test_another_upload_forgets_receipts (void)
{
  gchar *dir = session_make_dir ();
  VodSession *session = session_open (dir);
  const VodSessionState *found;

  session_steps (session, SESSION_STEPS);
  g_assert_true (vod_session_note_upload (session, "upload/2", NULL));
  found = reopen (dir, &session);
  g_assert_cmpstr (found->upload_id, ==, "upload/2");
  g_assert_cmpuint (found->parts->len, ==, 3);
  for (guint i = 0; i < 3; i++) {
    g_assert_false (PART (i)->confirmed);
    g_assert_null (PART (i)->etag);
  }
  g_assert_false (found->completing);
  g_assert_true (found->eos);
  vod_session_close (session);
  session_remove_dir (dir);
}

static void
test_another_object_forgets_parts (void)
{
  gchar *dir = session_make_dir ();
  VodSession *session = session_open (dir);
  const VodSessionState *found;

  session_steps (session, SESSION_STEPS);
  g_assert_true (vod_session_note_applied (
      session, SESSION_KEY, HOST, "another", 1700003600, NULL));
  found = reopen (dir, &session);
  g_assert_cmpstr (found->object_key, ==, "another");
  g_assert_null (found->upload_id);
  g_assert_cmpuint (found->parts->len, ==, 0);
  g_assert_false (found->completing);
  g_assert_true (found->eos);
  g_assert_cmpuint (found->synced, ==, MIB);
  vod_session_close (session);
  session_remove_dir (dir);
}

static void
test_another_cut_forgets_what_follows (void)
{
  gchar *dir = session_make_dir ();
  VodSession *session = session_open (dir);
  const VodSessionState *found;

  session_steps (session, SESSION_STEPS);
  g_assert_true (vod_session_note_cut (session, 2, MIB, 2 * MIB, NULL));
  found = reopen (dir, &session);
  g_assert_cmpuint (found->parts->len, ==, 2);
  g_assert_true (PART (0)->confirmed);
  g_assert_false (PART (1)->confirmed);
  g_assert_cmpuint (PART (1)->size, ==, 2 * MIB);
  g_assert_true (found->eos);
  /* Beyond what was the end. */
  g_assert_true (vod_session_note_cut (session, 3, 3 * MIB, 7 * MIB, NULL));
  found = reopen (dir, &session);
  g_assert_cmpuint (found->parts->len, ==, 3);
  g_assert_false (found->eos);
  g_assert_false (found->completing);
  g_assert_cmpuint (found->size, ==, 0);
  /* The end comes earlier. */
  g_assert_true (vod_session_note_eos (session, 4 * MIB, NULL));
  found = reopen (dir, &session);
  g_assert_cmpuint (found->parts->len, ==, 2);
  g_assert_cmpuint (found->size, ==, 4 * MIB);
  vod_session_close (session);
  session_remove_dir (dir);
}

static void
test_begin_forgets_all (void)
{
  gchar *dir = session_make_dir ();
  VodSession *session = session_open (dir);
  VodSessionState media = {.endpoint = (gchar *)"http://127.0.0.1:1",
      .synced = 77,
      .same_boot = TRUE};
  const VodSessionState *found;

  session_steps (session, SESSION_STEPS);
  found = reopen (dir, &session);
  g_assert_true (found->completing);
  g_assert_true (vod_session_begin (session, &media, NULL));
  g_assert_null (vod_session_found (session));
  found = reopen (dir, &session);
  g_assert_cmpstr (found->endpoint, ==, media.endpoint);
  g_assert_null (found->name);
  g_assert_null (found->type);
  g_assert_null (found->resume_key);
  g_assert_null (found->session_key);
  g_assert_false (found->spooled);
  g_assert_false (found->eos);
  g_assert_cmpuint (found->synced, ==, 77);
  g_assert_true (found->same_boot);
  g_assert_cmpuint (found->parts->len, ==, 0);
  vod_session_close (session);
  session_remove_dir (dir);
}

/* What is behind the synced bytes may be lost within one boot, too. */
static void
test_doubt (void)
{
  gchar *dir = session_make_dir ();
  VodSession *session = session_open (dir);
  VodSessionState media = session_media ();
  const VodSessionState *found;

  media.same_boot = FALSE;
  media.synced = 5;
  g_assert_true (vod_session_begin (session, &media, NULL));
  found = reopen (dir, &session);
  g_assert_cmpuint (found->synced, ==, 5);
  g_assert_false (found->same_boot);
  g_assert_true (vod_session_note_synced (session, 5, NULL));
  found = reopen (dir, &session);
  g_assert_true (found->same_boot);
  g_assert_true (vod_session_note_doubt (session, 9, NULL));
  found = reopen (dir, &session);
  g_assert_cmpuint (found->synced, ==, 9);
  g_assert_false (found->same_boot);
  vod_session_close (session);
  session_remove_dir (dir);
}

/* What cannot be is refused, and does no harm. */
static void
test_refused (void)
{
  gchar *dir = session_make_dir ();
  VodSession *session = session_open (dir);
  g_autofree gchar *long_key = g_strnfill (VOD_SESSION_MAX_RESUME_KEY + 1, 'x');
  VodSessionState media = session_media (), nowhere = {0};
  g_autoptr (GError) error = NULL;

#define REFUSED(call)                                                          \
  g_assert_false (call);                                                       \
  g_assert_error (error, VOD_ERROR, VOD_ERROR_PARAMETER);                      \
  g_assert_cmpint (vod_error_details (error)->phase, ==, VOD_PHASE_SESSION);   \
  g_assert_null (strstr (error->message, SESSION_KEY));                        \
  g_clear_error (&error)
  REFUSED (vod_session_note_eos (session, 1, &error));
  REFUSED (vod_session_begin (session, &nowhere, &error));
  media.resume_key = long_key;
  REFUSED (vod_session_begin (session, &media, &error));
  session_steps (session, 4);
  REFUSED (vod_session_note_cut (session, 3, MIB, MIB, &error));
  REFUSED (vod_session_note_cut (session, 2, MIB + 1, MIB, &error));
  REFUSED (vod_session_note_cut (session, 2, MIB, 0, &error));
  REFUSED (vod_session_note_cut (session, 0, 0, MIB, &error));
  REFUSED (vod_session_note_cut (session, 2, MIB, 5120 * MIB + 1, &error));
  REFUSED (vod_session_note_confirmed (session, 2, 1, ETAG, &error));
  REFUSED (vod_session_note_confirmed (session, 1, 1, "a b", &error));
  REFUSED (vod_session_note_confirmed (session, 1, 1, NULL, &error));
  REFUSED (vod_session_note_upload (session, "", &error));
  REFUSED (vod_session_note_upload (session, "a\nb", &error));
  REFUSED (vod_session_note_applied (
      session, SESSION_KEY "\n", HOST, OBJECT, 1, &error));
  REFUSED (vod_session_note_applied (
      session, SESSION_KEY, "example.com", OBJECT, 1, &error));
  REFUSED (vod_session_note_applied (
      session, SESSION_KEY, HOST, "a/../b", 1, &error));
  REFUSED (vod_session_note_applied (
      session, SESSION_KEY, HOST, OBJECT, -1, &error));
  REFUSED (vod_session_note_synced (session, G_MAXUINT64, &error));
#undef REFUSED
  vod_session_close (session);
  session_assert_kept (dir, 4);
  session_remove_dir (dir);
}

static gboolean
is_there (const gchar *dir, const gchar *key, const gchar *suffix)
{
  g_autofree gchar *path = vod_session_path (dir, key, suffix);

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static void
put (const gchar *dir, const gchar *key, const gchar *suffix, const gchar *text)
{
  g_autofree gchar *path = vod_session_path (dir, key, suffix);

  session_put (path, text, strlen (text));
}

static void
assert_content (const gchar *dir, const gchar *key, const gchar *text)
{
  g_autofree gchar *path = vod_session_path (dir, key, "media");
  g_autofree gchar *content = NULL;

  g_assert_true (g_file_get_contents (path, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, text);
}

static void
test_close_keeps_and_delete_removes (void)
{
  gchar *dir = session_make_dir ();
  VodSession *session = session_open (dir);

  g_assert_true (is_there (dir, KEY, "session"));
  vod_session_close (session);
  g_assert_false (is_there (dir, KEY, "session"));
  session = session_open (dir);
  session_steps (session, 1);
  vod_session_close (session);
  g_assert_true (is_there (dir, KEY, "session"));
  put (dir, KEY, "media", "m");
  vod_session_delete (session_open (dir));
  g_assert_false (is_there (dir, KEY, "session"));
  assert_content (dir, KEY, "m");
  session_remove_dir (dir);
}

static void
test_set_aside (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *first = NULL, *second = NULL, *third = NULL;
  g_autoptr (GError) error = NULL;
  VodSession *session = session_open (dir);

  session_steps (session, SESSION_STEPS);
  put (dir, KEY, "media", "one");
  put (dir, KEY ".2", "media", "mine");
  put (dir, KEY ".3", "session", "mine");
  first = vod_session_set_aside (session, &error);
  g_assert_cmpstr (first, ==, KEY ".1");
  assert_content (dir, KEY ".1", "one");
  g_assert_false (is_there (dir, KEY, "session"));
  g_assert_false (is_there (dir, KEY, "media"));

  /* It is still readable there. */
  session = vod_session_open (dir, first, &error);
  g_assert_no_error (error);
  session_assert_story (session, SESSION_STEPS);

  /* From there to the next that is free: .2 has a media, .3 a session. */
  second = vod_session_set_aside (session, &error);
  g_assert_cmpstr (second, ==, KEY ".4");
  assert_content (dir, KEY ".4", "one");
  assert_content (dir, KEY ".2", "mine");
  g_assert_false (is_there (dir, KEY ".1", "session"));

  /* Without a word in the session, its media alone. */
  put (dir, KEY, "media", "two");
  third = vod_session_set_aside (session_open (dir), &error);
  g_assert_cmpstr (third, ==, KEY ".1");
  assert_content (dir, KEY ".1", "two");
  g_assert_false (is_there (dir, KEY ".1", "session"));
  g_assert_false (is_there (dir, KEY, "session"));
  session_remove_dir (dir);
}

/* The media goes, the session stays, whatever its number. */
static void
test_part_media (void)
{
  static const gchar *const names[] = {KEY, KEY ".1", KEY ".9999"};

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    gchar *dir = session_make_dir ();
    g_autofree gchar *key = NULL, *again = NULL;
    g_autoptr (GError) error = NULL;
    VodSession *session = vod_session_open (dir, names[i], &error);

    session_steps (session, SESSION_STEPS);
    put (dir, names[i], "media", "one");
    if (i != 1)
      put (dir, KEY ".1", "session", "mine");
    put (dir, KEY ".2", "media", "mine");
    key = vod_session_part_media (session, &error);
    g_assert_no_error (error);
    g_assert_cmpstr (key, ==, KEY ".3");
    assert_content (dir, KEY ".3", "one");
    assert_content (dir, KEY ".2", "mine");
    g_assert_false (is_there (dir, KEY ".3", "session"));
    g_assert_false (is_there (dir, names[i], "media"));

    /* It goes on, also with another media. */
    g_assert_true (vod_session_note_synced (session, 1, &error));
    put (dir, names[i], "media", "two");
    again = vod_session_part_media (session, &error);
    g_assert_cmpstr (again, ==, KEY ".4");
    assert_content (dir, KEY ".4", "two");
    vod_session_close (session);
    session = vod_session_open (dir, names[i], &error);
    g_assert_cmpuint (vod_session_found (session)->synced, ==, 1);
    vod_session_close (session);
    session_remove_dir (dir);
  }
}

static void
test_part_media_fails (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *path = session_file_of (dir, "session");
  g_autoptr (GError) error = NULL;
  VodSession *session = session_open (dir);

  session_steps (session, 1);
  g_assert_null (vod_session_part_media (session, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_LOCAL);
  g_assert_false (is_there (dir, KEY ".1", "session"));
  g_clear_error (&error);
  /* Who has not the session's name any more has none of the media's. */
  put (dir, KEY, "media", "another's");
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_null (vod_session_part_media (session, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_LOCAL);
  assert_content (dir, KEY, "another's");
  vod_session_close (session);
  session_remove_dir (dir);
}

static void
test_set_aside_has_an_end (void)
{
  gchar *dir = session_make_dir ();
  VodSession *session = session_open (dir);
  g_autoptr (GError) error = NULL;

  session_steps (session, 1);
  put (dir, KEY, "media", "m");
  for (guint n = 1; n <= 9999; n++) {
    g_autofree gchar *path = g_strdup_printf ("%s/" KEY ".%u.media", dir, n);

    g_assert_cmpint (symlink ("missing", path), ==, 0);
  }
  g_assert_null (vod_session_set_aside (session, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_LOCAL);
  assert_content (dir, KEY, "m");
  g_assert_true (is_there (dir, KEY, "session"));
  /* It was closed. */
  vod_session_close (session_open (dir));
  session_remove_dir (dir);
}

static void
test_list (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *missing = g_build_filename (dir, "missing", NULL);
  g_auto (GStrv) none = vod_session_list (missing, NULL);
  g_auto (GStrv) keys = NULL;
  const gchar *const expected[] = {
      "00000000000000000000000000000000", KEY, KEY ".1", KEY ".12", NULL};

  g_assert_cmpuint (g_strv_length (none), ==, 0);
  put (dir, KEY ".12", "media", "");
  put (dir, KEY ".1", "session", "");
  put (dir, KEY, "media", "");
  put (dir, KEY, "session", "");
  put (dir, expected[0], "session", "");
  put (dir, KEY ".0", "session", "");
  put (dir, KEY ".2", "session.new", "");
  put (dir, KEY ".3", "discard", "");
  put (dir, KEY "x", "media", "");
  put (dir, "", "session", "");
  keys = vod_session_list (dir, NULL);
  g_assert_cmpstrv (keys, expected);
  session_remove_dir (dir);
}

/* --- compaction --- */

static void
test_a_file_stays_small (void)
{
  gchar *dir = session_make_dir ();
  VodSession *session = session_open (dir);
  gsize size, last = 0, largest = 0;
  guint shrunk = 0;

  session_steps (session, SESSION_STEPS);
  for (guint i = 0; i < 5000; i++) {
    g_assert_true (vod_session_note_synced (session, i % 2, NULL));
    size = file_size (dir);
    shrunk += size < last;
    last = size;
    largest = MAX (largest, size);
    /* The lock is on the new file as it was on the old one. */
    if (i % 500 == 0)
      session_open_fails (dir, KEY, VOD_ERROR_BUSY);
  }
  g_assert_cmpuint (shrunk, >=, 3);
  g_assert_cmpuint (largest, <, 2 * 2048 + 65536 + 200);
  g_assert_true (vod_session_note_synced (session, MIB, NULL));
  vod_session_close (session);
  session_assert_kept (dir, SESSION_STEPS);
  session_remove_dir (dir);
}

/* As long an upload as there can be, three times over. */
static void
test_all_parts (void)
{
  gchar *dir = session_make_dir ();
  VodSession *session = session_open (dir);
  g_autofree gchar *etag = g_strnfill (127, '%');
  const VodSessionState *found;

  session_steps (session, 4);
  for (guint round = 0; round < 3; round++)
    for (guint i = 1; i <= VOD_SESSION_MAX_PARTS; i++) {
      guint64 offset = i == 1 ? 0 : MIB + (i - 2) * 5120 * MIB;

      g_assert_true (vod_session_note_cut (
          session, i, offset, i == 1 ? MIB : 5120 * MIB, NULL));
      g_assert_true (vod_session_note_confirmed (
          session, i, G_MAXUINT64 - round, etag, NULL));
    }
  g_assert_false (vod_session_note_cut (
      session, VOD_SESSION_MAX_PARTS + 1, MIB + 9999 * 5120 * MIB, MIB, NULL));
  g_assert_cmpuint (file_size (dir), <, 16 * MIB);
  found = reopen (dir, &session);
  g_assert_cmpuint (found->parts->len, ==, VOD_SESSION_MAX_PARTS);
  for (guint i = 0; i < VOD_SESSION_MAX_PARTS; i++) {
    g_assert_cmpuint (PART (i)->crc64, ==, G_MAXUINT64 - 2);
    g_assert_cmpstr (PART (i)->etag, ==, etag);
  }
  vod_session_close (session);
  session_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session/keys", test_keys);
  g_test_add_func ("/session/no-key", test_what_is_no_key);
  g_test_add_func ("/session/found", test_every_note_is_found_again);
  g_test_add_func ("/session/reopened", test_reopened_after_each_note);
  g_test_add_func ("/session/known", test_what_is_known_is_not_written_again);
  g_test_add_func ("/session/doubt", test_doubt);
  g_test_add_func (
      "/session/another-upload", test_another_upload_forgets_receipts);
  g_test_add_func (
      "/session/another-object", test_another_object_forgets_parts);
  g_test_add_func (
      "/session/another-cut", test_another_cut_forgets_what_follows);
  g_test_add_func ("/session/begin", test_begin_forgets_all);
  g_test_add_func ("/session/refused", test_refused);
  g_test_add_func ("/session/close", test_close_keeps_and_delete_removes);
  g_test_add_func ("/session/set-aside", test_set_aside);
  g_test_add_func ("/session/part-media", test_part_media);
  g_test_add_func ("/session/part-media-fails", test_part_media_fails);
  g_test_add_func ("/session/set-aside-end", test_set_aside_has_an_end);
  g_test_add_func ("/session/list", test_list);
  g_test_add_func ("/session/compact", test_a_file_stays_small);
  g_test_add_func ("/session/all-parts", test_all_parts);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may be in the place of a session file or of the state directory, and
 * disks that are full or may not be written to.
 */
#include "testsession.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

/* --- in the place of a file --- */

/* Makes something at @path; @victim is a file that must stay as it is. FALSE:
 * not possible here. */
typedef gboolean (*Plant) (const gchar *path, const gchar *victim);

static gboolean
plant_link (const gchar *path, const gchar *victim)
{
  return symlink (victim, path) == 0;
}

static gboolean
plant_dangling_link (const gchar *path, const gchar *victim)
{
  g_autofree gchar *nowhere = g_strconcat (victim, ".missing", NULL);

  return symlink (nowhere, path) == 0;
}

static gboolean
plant_second_name (const gchar *path, const gchar *victim)
{
  return link (victim, path) == 0;
}

static gboolean
plant_fifo (const gchar *path, const gchar *victim)
{
  return mkfifo (path, 0600) == 0;
}

static gboolean
plant_mode (const gchar *path, const gchar *victim, mode_t mode)
{
  g_autofree gchar *text = NULL;
  gsize len;

  g_assert_true (g_file_get_contents (victim, &text, &len, NULL));
  session_put (path, text, len);
  return chmod (path, mode) == 0;
}

static gboolean
plant_group_readable (const gchar *path, const gchar *victim)
{
  return plant_mode (path, victim, 0640);
}

static gboolean
plant_world_writable (const gchar *path, const gchar *victim)
{
  return plant_mode (path, victim, 0602);
}

static gboolean
plant_foreign (const gchar *path, const gchar *victim)
{
  return geteuid () == 0 && plant_mode (path, victim, 0600) &&
      chown (path, NOBODY, NOBODY) == 0;
}

static gboolean
plant_device (const gchar *path, const gchar *victim)
{
  return mknod (path, S_IFCHR | 0600, 0) == 0;
}

static const struct {
  const gchar *name;
  Plant plant;
} plants[] = {
    {"link", plant_link},
    {"dangling-link", plant_dangling_link},
    {"second-name", plant_second_name},
    {"fifo", plant_fifo},
    {"group-readable", plant_group_readable},
    {"world-writable", plant_world_writable},
    {"foreign", plant_foreign},
    {"device", plant_device},
};

/* Opens KEY, where nothing may be found, and uses it. */
static void
expect_fresh (const gchar *dir)
{
  g_autofree gchar *path = session_file_of (dir, "session");
  VodSession *session = session_open (dir);
  struct stat st;

  g_assert_null (vod_session_found (session));
  g_assert_cmpint (lstat (path, &st), ==, 0);
  g_assert_true (S_ISREG (st.st_mode));
  g_assert_cmpuint (st.st_mode & 07777, ==, 0600);
  g_assert_cmpuint (st.st_uid, ==, geteuid ());
  g_assert_cmpuint (st.st_nlink, ==, 1);
  g_assert_cmpuint (st.st_size, ==, 0);
  session_open_fails (dir, KEY, VOD_ERROR_BUSY);
  session_steps (session, 4);
  vod_session_close (session);
  g_assert_cmpint (lstat (path, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0600);
  session_assert_kept (dir, 4);
}

/* A file with a good journal of KEY's. */
static gchar *
make_victim (const gchar *dir, gchar **text, gsize *len)
{
  gchar *victim = g_build_filename (dir, "victim", NULL);
  g_autofree gchar *path = session_file_of (dir, "session");
  VodSession *session = session_open (dir);

  session_steps (session, SESSION_STEPS);
  vod_session_close (session);
  g_assert_cmpint (rename (path, victim), ==, 0);
  g_assert_true (g_file_get_contents (victim, text, len, NULL));
  return victim;
}

/* … in the place of the session file, and of those on the way to it. */
static void
test_not_a_file_of_ours (gconstpointer data)
{
  static const gchar *const suffixes[] = {
      "session", "session.fresh", "session.new"};
  Plant plant = ((const Plant *)data)[0];

  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++) {
    gchar *dir = session_make_dir ();
    g_autofree gchar *path = session_file_of (dir, suffixes[i]);
    g_autofree gchar *session = session_file_of (dir, "session");
    g_autofree gchar *text = NULL, *still = NULL;
    gsize len, still_len;
    g_autofree gchar *victim = make_victim (dir, &text, &len);
    g_autofree gchar *missing = g_strconcat (victim, ".missing", NULL);

    if (!plant (path, victim)) {
      session_remove_dir (dir);
      g_test_skip ("cannot be made here");
      return;
    }
    /* Only so is NAME.fresh needed. */
    if (i == 1)
      g_assert_true (plant_link (session, victim));
    expect_fresh (dir);
    g_assert_true (g_file_get_contents (victim, &still, &still_len, NULL));
    g_assert_cmpmem (still, still_len, text, len);
    g_assert_false (g_file_test (missing, G_FILE_TEST_EXISTS));
    session_remove_dir (dir);
  }
}

/* Files are ours alone, whatever the umask. */
static void
test_umask (void)
{
  static const mode_t masks[] = {0, 0777};

  for (guint i = 0; i < G_N_ELEMENTS (masks); i++) {
    gchar *dir = session_make_dir ();
    mode_t mask = umask (masks[i]);

    expect_fresh (dir);
    umask (mask);
    session_remove_dir (dir);
  }
}

static void
test_a_directory_in_its_place (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *path = session_file_of (dir, "session");
  g_autofree gchar *inside = g_build_filename (path, "file", NULL);

  g_assert_cmpint (mkdir (path, 0700), ==, 0);
  session_open_fails (dir, KEY, VOD_ERROR_LOCAL);
  session_put (inside, "x", 1);
  session_open_fails (dir, KEY, VOD_ERROR_LOCAL);
  g_assert_true (g_file_test (inside, G_FILE_TEST_EXISTS));
  session_remove_dir (dir);
}

static void
test_no_state_directory (void)
{
  gchar *dir = session_make_dir ();

  g_assert_cmpint (rmdir (dir), ==, 0);
  session_open_fails (dir, KEY, VOD_ERROR_LOCAL);
  session_put (dir, "", 0);
  session_open_fails (dir, KEY, VOD_ERROR_LOCAL);
  g_assert_cmpint (unlink (dir), ==, 0);
  g_free (dir);
}

/* Somebody has removed our file, and perhaps put another there: that is not
 * ours to remove, rename or replace. */
static void
test_another_file_meanwhile (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *path = session_file_of (dir, "session");
  g_autofree gchar *media = session_file_of (dir, "media");
  g_autofree gchar *content = NULL;
  VodSessionState state = session_media ();
  g_autoptr (GError) error = NULL;
  VodSession *session = session_open (dir);

  session_steps (session, 4);
  session_put (media, "m", 1);
  g_assert_cmpint (unlink (path), ==, 0);
  session_put (path, "x", 1);
  g_assert_true (vod_session_note_synced (session, 1, NULL));
  g_assert_false (vod_session_begin (session, &state, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_LOCAL);
  g_clear_error (&error);
  g_assert_null (vod_session_set_aside (session, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_LOCAL);
  g_assert_true (g_file_get_contents (path, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, "x");
  g_assert_true (g_file_test (media, G_FILE_TEST_EXISTS));

  session = session_open (dir);
  session_steps (session, 1);
  g_assert_cmpint (unlink (path), ==, 0);
  session_put (path, "y", 1);
  vod_session_delete (session);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  session_remove_dir (dir);
}

/* --- the directory --- */

static void
expect_no_dir (const gchar *dir, VodErrorCode code)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (vod_session_prepare_dir (dir, &error));
  g_assert_error (error, VOD_ERROR, (gint)code);
  g_assert_cmpint (vod_error_details (error)->phase, ==, VOD_PHASE_SESSION);
  g_assert_nonnull (strstr (error->message, "state-dir"));
  g_assert_nonnull (strstr (error->message, dir));
}

static void
expect_dir (const gchar *dir)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (vod_session_prepare_dir (dir, &error));
  g_assert_no_error (error);
  g_assert_true (g_file_test (dir, G_FILE_TEST_IS_DIR));
}

static mode_t
mode_of (const gchar *path)
{
  struct stat st;

  g_assert_cmpint (stat (path, &st), ==, 0);
  return st.st_mode & 07777;
}

static void
test_the_directory_is_made (void)
{
  gchar *top = session_make_dir ();
  g_autofree gchar *a = g_build_filename (top, "a", NULL);
  g_autofree gchar *b = g_build_filename (a, "b", NULL);
  g_autofree gchar *c = g_build_filename (b, "c", NULL);
  g_autofree gchar *slashes = g_strconcat (c, "///", NULL);
  g_autofree gchar *link = g_build_filename (top, "link", NULL);
  mode_t mask = umask (027);

  expect_dir (slashes);
  umask (mask);
  g_assert_cmpuint (mode_of (a), ==, 0750);
  g_assert_cmpuint (mode_of (b), ==, 0750);
  g_assert_cmpuint (mode_of (c), ==, 0700);
  expect_dir (c);
  /* Others may look: what is in there has modes of its own. */
  g_assert_cmpint (chmod (c, 0755), ==, 0);
  expect_dir (c);
  g_assert_cmpint (symlink (c, link), ==, 0);
  expect_dir (link);
  session_remove_dir (top);
}

static void
test_directories_that_will_not_do (void)
{
  gchar *top = session_make_dir ();
  g_autofree gchar *dir = g_build_filename (top, "dir", NULL);
  g_autofree gchar *file = g_build_filename (top, "file", NULL);
  g_autofree gchar *below = g_build_filename (file, "dir", NULL);
  g_autofree gchar *link = g_build_filename (top, "link", NULL);

  expect_no_dir ("", VOD_ERROR_LOCAL);
  expect_dir (dir);
  g_assert_cmpint (chmod (dir, 0720), ==, 0);
  expect_no_dir (dir, VOD_ERROR_LOCAL);
  g_assert_cmpint (chmod (dir, 01777), ==, 0);
  expect_no_dir (dir, VOD_ERROR_LOCAL);
  session_put (file, "", 0);
  expect_no_dir (file, VOD_ERROR_LOCAL);
  g_assert_false (vod_session_prepare_dir (below, NULL));
  g_assert_cmpint (symlink ("missing", link), ==, 0);
  expect_no_dir (link, VOD_ERROR_LOCAL);
  g_assert_cmpint (chmod (dir, 0700), ==, 0);
  if (geteuid () == 0 && chown (dir, NOBODY, NOBODY) == 0)
    expect_no_dir (dir, VOD_ERROR_LOCAL);
  session_remove_dir (top);
}

/* As a user who is bound by permissions. */
static void
in_a_read_only_dir (gpointer data)
{
  const gchar *dir = data;
  VodSession *session;

  if (geteuid () == 0) {
    g_assert_cmpint (chown (dir, NOBODY, NOBODY), ==, 0);
    g_assert_cmpint (setgid (NOBODY), ==, 0);
    g_assert_cmpint (setuid (NOBODY), ==, 0);
  }
  session = session_open (dir);
  session_steps (session, 4);
  g_assert_cmpint (chmod (dir, 0500), ==, 0);
  expect_no_dir (dir, VOD_ERROR_LOCAL);
  /* What is open goes on, as long as it needs no new file. */
  g_assert_true (vod_session_note_synced (session, 1, NULL));
  vod_session_close (session);
  session = session_open (dir);
  g_assert_cmpuint (vod_session_found (session)->synced, ==, 1);
  g_assert_false (session_step (session, 0, NULL));
  g_assert_false (vod_session_note_synced (session, 2, NULL));
  vod_session_close (session);
  session = session_open (dir);
  g_assert_cmpuint (vod_session_found (session)->synced, ==, 1);
  g_assert_null (vod_session_set_aside (session, NULL));
  session_open_fails (dir, "00000000000000000000000000000000", VOD_ERROR_LOCAL);
  session = session_open (dir);
  g_assert_cmpuint (vod_session_found (session)->synced, ==, 1);
  vod_session_close (session);
  g_assert_cmpint (chmod (dir, 0000), ==, 0);
  expect_no_dir (dir, VOD_ERROR_LOCAL);
  g_assert_null (vod_session_list (dir, NULL));
}

static void
test_read_only (void)
{
  gchar *dir = session_make_dir ();

  session_in_child (in_a_read_only_dir, dir);
  session_remove_dir (dir);
}

/* --- a disk without room --- */

/* Writes to @path, and fails to write more. */
static void
fill (const gchar *path)
{
  gint fd = open (path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  const gchar block[512] = "";

  g_assert_cmpint (fd, >=, 0);
  while (write (fd, block, sizeof block) > 0)
    ;
  g_assert_cmpint (errno, ==, ENOSPC);
  close (fd);
}

/* Notes until it fails, which must be with @code. Returns the last that was
 * successful. */
static guint64
note_until (VodSession *session, guint64 i, gint code)
{
  g_autoptr (GError) error = NULL, again = NULL;
  g_autofree gchar *path =
      session_file_of (vod_session_dir (session), "session");

  while (vod_session_note_cut (session, (guint)i, (i - 1) * MIB, MIB, &error)) {
    /* If this fails, so does the next cut. */
    vod_session_note_confirmed (session, (guint)i, i, ETAG, NULL);
    i++;
  }
  g_assert_error (error, VOD_ERROR, code);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_nonnull (strstr (error->message, "state-dir"));
  g_assert_null (strstr (error->message, SESSION_KEY));
  /* From then on everything fails, and for the same reason. */
  g_assert_false (vod_session_note_eos (session, 1, &again));
  g_assert_error (again, VOD_ERROR, code);
  g_assert_cmpstr (again->message, ==, error->message);
  return i - 1;
}

/* The parts up to @n are there, the last one perhaps not confirmed. */
static void
expect_parts (VodSession *session, guint64 n)
{
  const VodSessionState *found = vod_session_found (session);

  g_assert_nonnull (found);
  g_assert_cmpuint (found->parts->len, ==, n);
  for (guint i = 0; i < n; i++) {
    const VodSessionPart *part = g_ptr_array_index (found->parts, i);

    g_assert_cmpuint (part->offset, ==, i * MIB);
    if (i + 1 < n)
      g_assert_true (part->confirmed);
    if (part->confirmed && i > 0)
      g_assert_cmpuint (part->crc64, ==, i + 1);
  }
  g_assert_false (found->eos);
}

static void
with_a_limit (gpointer data)
{
  const gchar *dir = data;
  g_autofree gchar *path = session_file_of (dir, "session");
  g_autofree gchar *text = NULL;
  struct rlimit limit = {20000, RLIM_INFINITY};
  VodSession *session = session_open (dir);
  guint64 n;

  signal (SIGXFSZ, SIG_IGN);
  session_steps (session, 5);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  n = note_until (session, 2, VOD_ERROR_LOCAL);
  g_assert_cmpuint (n, >, 10);
  vod_session_close (session);
  /* Half a line is not left. */
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_true (g_str_has_suffix (text, "\n"));
  session = session_open (dir);
  expect_parts (session, n);
  /* There is room again. */
  limit.rlim_cur = RLIM_INFINITY;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  g_assert_true (vod_session_note_confirmed (session, (guint)n, n, ETAG, NULL));
  g_assert_true (
      vod_session_note_cut (session, (guint)n + 1, n * MIB, MIB, NULL));
  vod_session_close (session);
  session = session_open (dir);
  expect_parts (session, n + 1);
  vod_session_close (session);
}

static void
test_a_file_that_may_not_grow (void)
{
  gchar *dir = session_make_dir ();

  session_in_child (with_a_limit, dir);
  session_remove_dir (dir);
}

static void
on_a_small_disk (gpointer data)
{
  const gchar *dir = data;
  g_autofree gchar *filler = g_build_filename (dir, "filler", NULL);
  g_autofree gchar *ballast = g_build_filename (dir, "ballast", NULL);
  const gchar room[16384] = "";
  g_autoptr (GError) error = NULL;
  VodSession *session;
  guint64 n, more;

  g_assert_cmpint (unshare (CLONE_NEWNS), ==, 0);
  g_assert_cmpint (mount ("none", "/", "none", MS_REC | MS_PRIVATE, ""), ==, 0);
  g_assert_cmpint (
      mount ("none", dir, "tmpfs", 0, "size=65536,mode=0700"), ==, 0);
  session_put (ballast, room, sizeof room);
  session = session_open (dir);
  session_steps (session, 5);
  n = note_until (session, 2, VOD_ERROR_NO_SPACE);
  g_assert_cmpuint (n, >, 10);
  vod_session_close (session);
  fill (filler);

  /* All that was said counts, nothing more fits. */
  session = session_open (dir);
  expect_parts (session, n);
  more = note_until (session, n + 1, VOD_ERROR_NO_SPACE);
  vod_session_close (session);
  session = session_open (dir);
  expect_parts (session, more);
  /* Nor a new beginning, and the old one stays true. */
  g_assert_false (session_step (session, 0, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_NO_SPACE);
  vod_session_close (session);

  g_assert_cmpint (unlink (ballast), ==, 0);
  session = session_open (dir);
  expect_parts (session, more);
  g_assert_true (
      vod_session_note_confirmed (session, (guint)more, more, ETAG, NULL));
  g_assert_true (
      vod_session_note_cut (session, (guint)more + 1, more * MIB, MIB, NULL));
  vod_session_close (session);
  session = session_open (dir);
  expect_parts (session, more + 1);
  vod_session_close (session);
}

static void
on_a_disk_without_files (gpointer data)
{
  const gchar *dir = data;
  g_autofree gchar *below = g_build_filename (dir, "dir", NULL);
  gboolean full = FALSE;

  g_assert_cmpint (unshare (CLONE_NEWNS), ==, 0);
  g_assert_cmpint (mount ("none", "/", "none", MS_REC | MS_PRIVATE, ""), ==, 0);
  g_assert_cmpint (
      mount ("none", dir, "tmpfs", 0, "nr_inodes=5,mode=0700"), ==, 0);
  expect_dir (below);
  for (guint i = 0; !full; i++) {
    g_autofree gchar *path = g_strdup_printf ("%s/%u", dir, i);
    gint fd = open (path, O_WRONLY | O_CREAT, 0600);

    g_assert_cmpuint (i, <, 5);
    full = fd < 0;
    if (!full)
      close (fd);
  }
  expect_no_dir (below, VOD_ERROR_NO_SPACE);
  session_open_fails (below, KEY, VOD_ERROR_NO_SPACE);
}

static void
test_disk_full (gconstpointer data)
{
  gchar *dir;

  if (geteuid () != 0) {
    g_test_skip ("only root can mount a disk of its own");
    return;
  }
  dir = session_make_dir ();
  session_in_child (((void (*const *) (gpointer))data)[0], dir);
  session_remove_dir (dir);
}

/* A compact file cannot be written: the old one goes on. */
static void
test_no_room_to_compact (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *in_the_way = session_file_of (dir, "session.new");
  g_autofree gchar *path = session_file_of (dir, "session");
  VodSession *session = session_open (dir);
  struct stat st;

  session_steps (session, SESSION_STEPS);
  g_assert_cmpint (mkdir (in_the_way, 0700), ==, 0);
  for (guint i = 0; i < 3000; i++)
    g_assert_true (vod_session_note_synced (session, i % 2, NULL));
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpuint (st.st_size, >, 2 * 65536);
  /* When it can be written again, it is. */
  g_assert_cmpint (rmdir (in_the_way), ==, 0);
  for (guint i = 0; i < 10000; i++)
    g_assert_true (vod_session_note_synced (session, i % 2, NULL));
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpuint (st.st_size, <, 65536 + 8192);
  g_assert_true (vod_session_note_synced (session, MIB, NULL));
  vod_session_close (session);
  session_assert_kept (dir, SESSION_STEPS);
  session_remove_dir (dir);
}

/* --- a file system that cannot rename without replacing --- */

static gboolean
forbid_renameat2 (void)
{
  struct sock_filter filter[] = {
      BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
      BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, __NR_renameat2, 0, 3),
      BPF_STMT (
          BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, args[4])),
      BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, RENAME_NOREPLACE, 0, 1),
      BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {G_N_ELEMENTS (filter), filter};

  return prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
      prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void
expect_media (const gchar *dir, const gchar *key, const gchar *text)
{
  g_autofree gchar *path = vod_session_path (dir, key, "media");
  g_autofree gchar *content = NULL;

  g_assert_true (g_file_get_contents (path, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, text);
}

static void
without_renameat2 (gpointer data)
{
  const gchar *dir = data;
  g_autofree gchar *media = session_file_of (dir, "media");
  const gchar *const keys[] = {KEY ".1", KEY ".2"};

  if (!forbid_renameat2 ()) {
    g_printerr ("# no seccomp here\n");
    return;
  }
  session_put (media, "m", 1);
  g_assert_cmpint (
      renameat2 (AT_FDCWD, media, AT_FDCWD, media, RENAME_NOREPLACE), ==, -1);
  g_assert_cmpint (errno, ==, EINVAL);
  for (guint i = 0; i < 2; i++) {
    VodSession *session = session_open (dir);
    g_autofree gchar *key = NULL;

    session_steps (session, 4);
    session_put (media, keys[i], 34);
    key = vod_session_set_aside (session, NULL);
    g_assert_cmpstr (key, ==, keys[i]);
    g_assert_false (g_file_test (media, G_FILE_TEST_EXISTS));
  }
  for (guint i = 0; i < 2; i++)
    expect_media (dir, keys[i], keys[i]);
}

static void
test_without_renameat2 (void)
{
  gchar *dir = session_make_dir ();

  session_in_child (without_renameat2, dir);
  session_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  static void (*const small) (gpointer) = on_a_small_disk;
  static void (*const no_files) (gpointer) = on_a_disk_without_files;

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (plants); i++) {
    g_autofree gchar *path =
        g_strconcat ("/session-files/not-ours/", plants[i].name, NULL);

    g_test_add_data_func (path, &plants[i].plant, test_not_a_file_of_ours);
  }
  g_test_add_func ("/session-files/umask", test_umask);
  g_test_add_func ("/session-files/directory", test_a_directory_in_its_place);
  g_test_add_func ("/session-files/no-dir", test_no_state_directory);
  g_test_add_func ("/session-files/meanwhile", test_another_file_meanwhile);
  g_test_add_func ("/session-files/make-dir", test_the_directory_is_made);
  g_test_add_func ("/session-files/bad-dir", test_directories_that_will_not_do);
  g_test_add_func ("/session-files/read-only", test_read_only);
  g_test_add_func ("/session-files/limit", test_a_file_that_may_not_grow);
  g_test_add_data_func ("/session-files/disk-full", &small, test_disk_full);
  g_test_add_data_func ("/session-files/no-inodes", &no_files, test_disk_full);
  g_test_add_func ("/session-files/no-compaction", test_no_room_to_compact);
  g_test_add_func ("/session-files/no-renameat2", test_without_renameat2);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who has a session: one at a time, whatever others do at the same time; and
 * what is there after a holder was killed.
 */
#include "testsession.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Memory that parent and children see. */
typedef struct {
  gint holders;
  gint violations;
  gint opened;
  gint set_aside;
  gint noted; /* steps that were successful */
} Shared;

static Shared *
share (void)
{
  Shared *shared = mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  g_assert_true (shared != MAP_FAILED);
  return shared;
}

/* A child that ends with this process, whatever happens to that. */
static pid_t
start (void (*func) (const gchar *dir, Shared *shared), const gchar *dir,
    Shared *shared)
{
  pid_t parent = getpid (), child = fork ();

  g_assert_cmpint (child, >=, 0);
  if (child == 0) {
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    if (getppid () == parent)
      func (dir, shared);
    session_end_child ();
  }
  return child;
}

static gint
end_of (pid_t child)
{
  gint status;

  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  return status;
}

static void
wait_until (const gint *number, gint least)
{
  while (g_atomic_int_get (number) < least)
    g_usleep (50);
}

static void
test_one_holder (void)
{
  gchar *dir = session_make_dir ();
  VodSession *session = session_open (dir);

  session_open_fails (dir, KEY, VOD_ERROR_BUSY);
  session_steps (session, 4);
  session_open_fails (dir, KEY, VOD_ERROR_BUSY);
  vod_session_close (session);
  session = session_open (dir);
  session_open_fails (dir, KEY, VOD_ERROR_BUSY);
  vod_session_delete (session);
  vod_session_close (session_open (dir));
  session_remove_dir (dir);
}

static void
find_it_busy (gpointer dir)
{
  session_open_fails (dir, KEY, VOD_ERROR_BUSY);
}

static void
find_it_free (gpointer dir)
{
  vod_session_close (session_open (dir));
}

static void
test_another_process (void)
{
  gchar *dir = session_make_dir ();
  VodSession *session = session_open (dir);

  session_in_child (find_it_busy, dir);
  session_steps (session, 4);
  session_in_child (find_it_busy, dir);
  vod_session_close (session);
  session_in_child (find_it_free, dir);
  session_remove_dir (dir);
}

static void
idle (const gchar *dir, Shared *shared)
{
  g_atomic_int_inc (&shared->opened);
  for (;;)
    pause ();
}

/* A child of the application has all that is open, too. */
static void
test_closed_in_spite_of_a_child (void)
{
  gchar *dir = session_make_dir ();
  Shared *shared = share ();
  VodSession *session = session_open (dir);
  pid_t child;

  session_steps (session, 4);
  child = start (idle, dir, shared);
  wait_until (&shared->opened, 1);
  session_open_fails (dir, KEY, VOD_ERROR_BUSY);
  vod_session_close (session);
  vod_session_close (session_open (dir));
  kill (child, SIGKILL);
  end_of (child);
  munmap (shared, sizeof *shared);
  session_remove_dir (dir);
}

static void
open_and_idle (const gchar *dir, Shared *shared)
{
  VodSession *session = session_open (dir);

  session_steps (session, 4);
  g_assert_nonnull (session);
  idle (dir, shared);
}

static void
test_free_after_a_kill (void)
{
  gchar *dir = session_make_dir ();
  Shared *shared = share ();
  pid_t child = start (open_and_idle, dir, shared);

  wait_until (&shared->opened, 1);
  session_open_fails (dir, KEY, VOD_ERROR_BUSY);
  kill (child, SIGKILL);
  end_of (child);
  session_assert_kept (dir, 4);
  munmap (shared, sizeof *shared);
  session_remove_dir (dir);
}

/* --- killed while it notes --- */

#define PERIOD 8 /* a cut, its receipt, and the disk six times */

/* Notes all the time, so much in vain that the file is compacted often. */
static void
note_on_and_on (const gchar *dir, Shared *shared)
{
  VodSession *session = session_open (dir);

  session_steps (session, 4);
  for (guint i = 0;; i++) {
    guint number = i / PERIOD + 2;
    gboolean done;

    if (number > VOD_SESSION_MAX_PARTS)
      idle (dir, shared);
    if (i % PERIOD == 0)
      done =
          vod_session_note_cut (session, number, (number - 1) * MIB, MIB, NULL);
    else if (i % PERIOD == 1)
      done = vod_session_note_confirmed (session, number, number, ETAG, NULL);
    else
      done = vod_session_note_synced (session, i, NULL);
    g_assert_true (done);
    g_atomic_int_inc (&shared->noted);
  }
}

/* How many of those steps are in @found; it must be as after just as many. */
static guint
count_steps (const VodSessionState *found)
{
  guint n_parts = found->parts->len;
  const VodSessionPart *last = g_ptr_array_index (found->parts, n_parts - 1);
  guint begun = (n_parts - 2) * PERIOD; /* when the last part was cut */

  for (guint i = 1; i < n_parts; i++) {
    const VodSessionPart *part = g_ptr_array_index (found->parts, i);

    g_assert_cmpuint (part->offset, ==, i * MIB);
    g_assert_cmpuint (part->size, ==, MIB);
    if (part->confirmed) {
      g_assert_cmpuint (part->crc64, ==, i + 1);
      g_assert_cmpstr (part->etag, ==, ETAG);
    } else {
      g_assert_true (part == last);
    }
  }
  g_assert_cmpstr (found->upload_id, ==, "upload/1");
  g_assert_true (found->same_boot);
  if (n_parts == 1 || found->synced < begun) {
    if (n_parts > 2)
      g_assert_cmpuint (found->synced, ==, begun - 1);
    return n_parts == 1 ? 0 : begun + (last->confirmed ? 2 : 1);
  }
  if (found->synced == 0)
    return last->confirmed ? 2 : 1;
  g_assert_true (last->confirmed);
  g_assert_cmpuint (found->synced, <, begun + PERIOD);
  g_assert_cmpuint (found->synced, >=, begun + 2);
  return (guint)found->synced + 1;
}

static void
test_killed_at_any_moment (void)
{
  guint most = 0;

  for (guint i = 0; i < 50; i++) {
    gchar *dir = session_make_dir ();
    Shared *shared = share ();
    pid_t child = start (note_on_and_on, dir, shared);
    VodSession *session;
    guint found;
    gint noted;

    wait_until (&shared->noted, g_test_rand_int_range (1, 8000));
    noted = g_atomic_int_get (&shared->noted);
    kill (child, SIGKILL);
    g_assert_true (WIFSIGNALED (end_of (child)));
    session = session_open (dir);
    g_assert_nonnull (vod_session_found (session));
    found = count_steps (vod_session_found (session));
    most = MAX (most, found);
    /* All that it was told is done, and no more than the next. */
    g_assert_cmpuint (found, >=, (guint)noted);
    g_assert_cmpuint (found, <=, (guint)g_atomic_int_get (&shared->noted) + 1);
    /* And on it goes. */
    g_assert_true (vod_session_note_eos (session, 100000 * MIB, NULL));
    vod_session_close (session);
    session = session_open (dir);
    g_assert_true (vod_session_found (session)->eos);
    g_assert_cmpuint (count_steps (vod_session_found (session)), ==, found);
    vod_session_close (session);
    munmap (shared, sizeof *shared);
    session_remove_dir (dir);
  }
  /* Long enough to have been compacted. */
  g_assert_cmpuint (most, >, 3000);
}

/* --- many at once --- */

#define CROWD 4
#define TURNS 100

/* What a holder may do. */
static void
use (VodSession *session, const gchar *dir, Shared *shared, guint what)
{
  g_autofree gchar *media = session_file_of (dir, "media");
  g_autofree gchar *content = NULL, *key = NULL, *aside = NULL;
  g_autofree gchar *there = NULL;

  if (g_atomic_int_add (&shared->holders, 1) != 0)
    g_atomic_int_inc (&shared->violations);
  if (what % 2)
    session_steps (session, 4);
  if (what >= 4) {
    content = g_strdup_printf ("%d %u", getpid (), what);
    g_assert_true (g_file_set_contents (media, content, -1, NULL));
  }
  g_atomic_int_add (&shared->holders, -1);
  switch (what) {
    case 0:
    case 1:
      vod_session_close (session);
      break;
    case 2:
    case 3:
      vod_session_delete (session);
      break;
    default:
      key = vod_session_set_aside (session, NULL);
      g_assert_nonnull (key);
      aside = vod_session_path (dir, key, "media");
      g_assert_true (g_file_get_contents (aside, &there, NULL, NULL));
      g_assert_cmpstr (there, ==, content);
      g_atomic_int_inc (&shared->set_aside);
  }
}

/* As who lists what was set aside, and looks. */
static void
look_at (const gchar *dir, guint n)
{
  g_autofree gchar *key = g_strdup_printf (KEY ".%u", n);
  g_autoptr (GError) error = NULL;
  g_autoptr (VodSession) session = vod_session_open (dir, key, &error);

  if (!session)
    g_assert_error (error, VOD_ERROR, VOD_ERROR_BUSY);
}

static void
take_turns (const gchar *dir, Shared *shared)
{
  g_autofree gchar *path = session_file_of (dir, "session");
  g_autofree gchar *victim = g_build_filename (dir, "victim", NULL);
  g_autoptr (GRand) random = g_rand_new_with_seed ((guint32)getpid ());
  guint turns = 0;

  while (turns < TURNS) {
    g_autoptr (GError) error = NULL;
    VodSession *session = vod_session_open (dir, KEY, &error);

    if (!session) {
      g_assert_error (error, VOD_ERROR, VOD_ERROR_BUSY);
      continue;
    }
    g_atomic_int_inc (&shared->opened);
    use (session, dir, shared, (guint)g_rand_int_range (random, 0, 6));
    turns++;
    for (gint i = 0; i < 5; i++)
      look_at (dir, (guint)g_atomic_int_get (&shared->set_aside) + 1);
    /* Only where nothing is: nobody loses a file by this. */
    if (g_rand_int_range (random, 0, 3) == 0)
      g_assert_true (symlink (victim, path) == 0 || errno == EEXIST);
  }
}

/* No file is ever held by two, or lost, or written over; while symbolic links
 * are put in its place. */
static void
test_a_crowd (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *victim = g_build_filename (dir, "victim", NULL);
  g_autofree gchar *content = NULL;
  Shared *shared = share ();
  pid_t children[CROWD];
  gint n_media = 0;

  session_put (victim, "victim", 6);
  for (guint i = 0; i < CROWD; i++)
    children[i] = start (take_turns, dir, shared);
  for (guint i = 0; i < CROWD; i++)
    g_assert_cmpint (end_of (children[i]), ==, 0);
  g_assert_cmpint (shared->opened, ==, CROWD * TURNS);
  g_assert_cmpint (shared->violations, ==, 0);
  g_assert_true (g_file_get_contents (victim, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, "victim");
  for (guint n = 1; n <= 9999; n++) {
    g_autofree gchar *path = g_strdup_printf ("%s/" KEY ".%u.media", dir, n);

    n_media += g_file_test (path, G_FILE_TEST_IS_REGULAR);
  }
  g_assert_cmpint (n_media, ==, shared->set_aside);
  g_assert_cmpint (n_media, >, CROWD);
  munmap (shared, sizeof *shared);
  session_remove_dir (dir);
}

/* Notes from several threads: all of them get there, whole. */
static gpointer
confirm_some (gpointer data)
{
  gpointer *args = data;
  VodSession *session = args[0];
  guint first = GPOINTER_TO_UINT (args[1]);

  for (guint i = first; i <= 1000; i += CROWD)
    g_assert_true (vod_session_note_confirmed (session, i, i, ETAG, NULL));
  return NULL;
}

static void
test_threads (void)
{
  gchar *dir = session_make_dir ();
  VodSession *session = session_open (dir);
  gpointer args[CROWD][2];
  GThread *threads[CROWD];
  const VodSessionState *found;

  session_steps (session, 4);
  for (guint i = 1; i <= 1000; i++)
    g_assert_true (vod_session_note_cut (session, i, (i - 1) * MIB, MIB, NULL));
  for (guint i = 0; i < CROWD; i++) {
    args[i][0] = session;
    args[i][1] = GUINT_TO_POINTER (i + 1);
    threads[i] = g_thread_new ("confirm", confirm_some, args[i]);
  }
  for (guint i = 0; i < CROWD; i++)
    g_thread_join (threads[i]);
  vod_session_close (session);
  session = session_open (dir);
  found = vod_session_found (session);
  g_assert_cmpuint (found->parts->len, ==, 1000);
  for (guint i = 0; i < 1000; i++) {
    const VodSessionPart *part = g_ptr_array_index (found->parts, i);

    g_assert_true (part->confirmed);
    g_assert_cmpuint (part->crc64, ==, i + 1);
  }
  vod_session_close (session);
  session_remove_dir (dir);
}

/* Who opens a session has it for a moment, in which its own upload would get
 * BUSY: who looks for old ones opens none that is young. */
static void
test_the_sweep_leaves_young_ones_alone (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *swept = NULL, *opened = NULL;
  VodSession *session = session_open (dir);
  gint watch;

  session_steps (session, 4);
  vod_session_close (session);
  watch = session_watch (dir);
  vod_session_forget_old (dir);
  swept = session_watched (watch);
  g_assert_cmpstr (swept, ==, "");
  session_assert_kept (dir, 4);
  opened = session_watched (watch);
  g_assert_true (g_str_has_prefix (opened, "open " KEY ".session\n"));
  close (watch);
  session_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session-holders/one", test_one_holder);
  g_test_add_func ("/session-holders/process", test_another_process);
  g_test_add_func ("/session-holders/child", test_closed_in_spite_of_a_child);
  g_test_add_func ("/session-holders/killed", test_free_after_a_kill);
  g_test_add_func ("/session-holders/killed-noting", test_killed_at_any_moment);
  g_test_add_func ("/session-holders/crowd", test_a_crowd);
  g_test_add_func ("/session-holders/threads", test_threads);
  g_test_add_func (
      "/session-holders/sweep", test_the_sweep_leaves_young_ones_alone);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The spool: what is written can be read, what an earlier recording left is
 * never changed, and what is no file of ours alone is not touched.
 */
#include "upload/vodspool.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testsession.h"

#define OLD 10000 /* more than one piece of a comparison */

typedef struct {
  gchar *dir;
  gchar *path;
  gchar *copy;
} Place;

static void
place_init (Place *place)
{
  place->dir = session_make_dir ();
  place->path = session_file_of (place->dir, "media");
  place->copy = g_strconcat (place->path, ".new", NULL);
}

static void
place_clear (Place *place)
{
  session_remove_dir (place->dir);
  g_free (place->path);
  g_free (place->copy);
}

static guint8
byte_at (guint64 offset)
{
  return (guint8)(offset * 31 + (offset >> 8));
}

static guint8 *
bytes_at (guint64 offset, gsize len)
{
  guint8 *bytes = g_malloc (len + 1);

  for (gsize i = 0; i < len; i++)
    bytes[i] = byte_at (offset + i);
  return bytes;
}

static void
leave_old (const Place *place, gsize len)
{
  g_autofree guint8 *bytes = bytes_at (0, len);

  g_assert_true (g_file_set_contents_full (place->path, (gchar *)bytes,
      (gssize)len, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static VodSpool *
open_spool (const Place *place)
{
  g_autoptr (GError) error = NULL;
  VodSpool *spool = vod_spool_open (place->path, &error);

  g_assert_no_error (error);
  g_assert_nonnull (spool);
  return spool;
}

static VodSpoolResult
put (VodSpool *spool, guint64 offset, gsize len)
{
  g_autofree guint8 *bytes = bytes_at (offset, len);

  return vod_spool_write (spool, offset, bytes, len, NULL);
}

static void
assert_file (const gchar *path, const guint8 *bytes, gsize len)
{
  g_autofree gchar *there = NULL;
  gsize size;

  g_assert_true (g_file_get_contents (path, &there, &size, NULL));
  g_assert_cmpmem (there, size, bytes, len);
}

static void
assert_old (const gchar *path, gsize len)
{
  g_autofree guint8 *bytes = bytes_at (0, len);

  assert_file (path, bytes, len);
}

/* --- the disk -------------------------------------------------------------*/

/* So many calls are interrupted by a signal before one gets through. */
static guint interruptions;

static gboolean
is_interrupted (void)
{
  if (interruptions == 0)
    return FALSE;
  interruptions--;
  errno = EINTR;
  return TRUE;
}

/* The next sync fails, once: so the kernel tells that it has lost something. */
static gboolean sync_fails;

int
fdatasync (int fd)
{
  if (sync_fails) {
    sync_fails = FALSE;
    errno = EIO;
    return -1;
  }
  return is_interrupted () ? -1 : (int)syscall (SYS_fdatasync, fd);
}

int
ftruncate (int fd, off_t size)
{
  return is_interrupted () ? -1 : (int)syscall (SYS_ftruncate, fd, size);
}

/* --- writing and reading --------------------------------------------------*/

static void
test_what_is_written_is_read (void)
{
  Place place;
  VodSpool *spool;
  guint8 buffer[200], expected[200];
  struct stat info;

  place_init (&place);
  spool = open_spool (&place);
  g_assert_false (vod_spool_is_source (spool));
  g_assert_cmpuint (vod_spool_left (spool), ==, 0);
  g_assert_cmpuint (vod_spool_size (spool), ==, 0);
  g_assert_cmpuint (vod_spool_read (spool, 0, buffer, 10), ==, 0);

  g_assert_cmpint (put (spool, 0, 100), ==, VOD_SPOOL_OK);
  g_assert_cmpint (put (spool, 100, 50), ==, VOD_SPOOL_OK);
  memset (expected, 'x', 20);
  g_assert_cmpint (
      vod_spool_write (spool, 90, expected, 20, NULL), ==, VOD_SPOOL_OK);
  g_assert_cmpuint (vod_spool_size (spool), ==, 150);
  for (guint i = 0; i < 150; i++)
    expected[i] = i >= 90 && i < 110 ? 'x' : byte_at (i);
  g_assert_cmpuint (vod_spool_read (spool, 0, buffer, 200), ==, 150);
  g_assert_cmpmem (buffer, 150, expected, 150);
  g_assert_cmpuint (vod_spool_read (spool, 149, buffer, 200), ==, 1);
  g_assert_cmpuint (vod_spool_read (spool, 150, buffer, 200), ==, 0);
  g_assert_true (vod_spool_sync (spool, NULL));
  vod_spool_free (spool);

  assert_file (place.path, expected, 150);
  g_assert_cmpint (stat (place.path, &info), ==, 0);
  g_assert_cmpuint (info.st_mode & 07777, ==, 0600);
  place_clear (&place);
}

static void
test_a_gap_reads_as_zeros (void)
{
  Place place;
  VodSpool *spool;
  guint8 expected[40] = "abc";

  place_init (&place);
  spool = open_spool (&place);
  g_assert_cmpint (
      vod_spool_write (spool, 0, expected, 3, NULL), ==, VOD_SPOOL_OK);
  g_assert_cmpint (
      vod_spool_write (spool, 3, NULL, 30, NULL), ==, VOD_SPOOL_OK);
  g_assert_cmpuint (vod_spool_size (spool), ==, 33);
  memcpy (expected + 33, "defghij", 7);
  g_assert_cmpint (
      vod_spool_write (spool, 33, expected + 33, 7, NULL), ==, VOD_SPOOL_OK);
  vod_spool_free (spool);
  assert_file (place.path, expected, 40);
  place_clear (&place);
}

/* A network file system lets signals through to its waits. */
static void
test_a_signal_is_no_failure (void)
{
  static const guint8 zeros[33];
  Place place;
  VodSpool *spool;

  place_init (&place);
  spool = open_spool (&place);
  interruptions = 2;
  g_assert_cmpint (
      vod_spool_write (spool, 0, NULL, 33, NULL), ==, VOD_SPOOL_OK);
  g_assert_cmpuint (interruptions, ==, 0);
  interruptions = 2;
  g_assert_true (vod_spool_sync (spool, NULL));
  g_assert_cmpuint (interruptions, ==, 0);
  interruptions = 2;
  g_assert_true (vod_spool_part (spool, place.copy, NULL, NULL, NULL));
  g_assert_cmpuint (interruptions, ==, 0);
  vod_spool_free (spool);
  assert_file (place.copy, zeros, sizeof zeros);
  place_clear (&place);
}

/* What it was is not told again by the kernel, and nothing brings it back. */
static void
test_what_the_disk_has_lost_stays_lost (void)
{
  g_autoptr (GError) first = NULL, again = NULL;
  GError *part = NULL;
  Place place;
  VodSpool *spool;

  place_init (&place);
  spool = open_spool (&place);
  g_assert_cmpint (put (spool, 0, 100), ==, VOD_SPOOL_OK);
  sync_fails = TRUE;
  g_assert_false (vod_spool_sync (spool, &first));
  g_assert_error (first, VOD_ERROR, VOD_ERROR_LOCAL);
  g_assert_cmpint (put (spool, 100, 100), ==, VOD_SPOOL_OK);
  g_assert_false (vod_spool_sync (spool, &again));
  g_assert_error (again, VOD_ERROR, VOD_ERROR_LOCAL);
  g_assert_cmpstr (again->message, ==, first->message);
  /* Nor is a copy of it any better. */
  g_assert_false (vod_spool_part (spool, place.copy, NULL, NULL, &part));
  g_assert_error (part, VOD_ERROR, VOD_ERROR_LOCAL);
  g_clear_error (&part);
  g_assert_false (g_file_test (place.copy, G_FILE_TEST_EXISTS));
  vod_spool_free (spool);
  place_clear (&place);
}

/* --- what an earlier recording left ---------------------------------------*/

static void
test_the_same_again_goes_on_behind_it (void)
{
  Place place;
  VodSpool *spool;

  place_init (&place);
  leave_old (&place, OLD);
  spool = open_spool (&place);
  g_assert_cmpuint (vod_spool_left (spool), ==, OLD);
  g_assert_cmpuint (vod_spool_size (spool), ==, 0);
  for (guint64 at = 0; at < OLD - 7; at += 7)
    g_assert_cmpint (put (spool, at, 7), ==, VOD_SPOOL_OK);
  g_assert_cmpuint (vod_spool_left (spool), ==, OLD);
  /* The last piece crosses its end. */
  g_assert_cmpint (put (spool, vod_spool_size (spool), 100), ==, VOD_SPOOL_OK);
  g_assert_cmpuint (vod_spool_left (spool), ==, 0);
  assert_old (place.path, vod_spool_size (spool));
  /* From now on it is ours: a rewrite is one. */
  g_assert_cmpint (vod_spool_write (spool, 0, (const guint8 *)"zz", 2, NULL),
      ==, VOD_SPOOL_OK);
  vod_spool_free (spool);
  place_clear (&place);
}

/* One byte is another one, wherever it is. */
static void
test_another_byte_is_refused_and_nothing_changed (void)
{
  static const guint64 places[] = {0, 1, 4095, 4096, 4097, 8191, 8192, 9999};
  Place place;

  place_init (&place);
  leave_old (&place, OLD);
  for (guint i = 0; i < G_N_ELEMENTS (places); i++) {
    g_autofree guint8 *bytes = bytes_at (0, OLD + 50);
    VodSpool *spool = open_spool (&place);

    bytes[places[i]] ^= 1;
    g_assert_cmpint (vod_spool_write (spool, 0, bytes, OLD + 50, NULL), ==,
        VOD_SPOOL_DIFFERS);
    g_assert_cmpuint (vod_spool_size (spool), ==, 0);
    g_assert_cmpuint (vod_spool_left (spool), ==, OLD);
    /* What is right up to there is taken. */
    if (places[i] > 0)
      g_assert_cmpint (
          vod_spool_write (spool, 0, bytes, places[i], NULL), ==, VOD_SPOOL_OK);
    g_assert_cmpint (
        vod_spool_write (spool, places[i], bytes + places[i], 1, NULL), ==,
        VOD_SPOOL_DIFFERS);
    g_assert_cmpuint (vod_spool_size (spool), ==, places[i]);
    vod_spool_free (spool);
    assert_old (place.path, OLD);
  }
  place_clear (&place);
}

static void
test_a_byte_behind_its_end_is_no_difference (void)
{
  Place place;
  g_autofree guint8 *bytes = bytes_at (0, OLD + 1);
  VodSpool *spool;

  place_init (&place);
  leave_old (&place, OLD);
  spool = open_spool (&place);
  bytes[OLD] ^= 1;
  g_assert_cmpint (
      vod_spool_write (spool, 0, bytes, OLD + 1, NULL), ==, VOD_SPOOL_OK);
  vod_spool_free (spool);
  assert_file (place.path, bytes, OLD + 1);
  place_clear (&place);
}

/* A rewrite of what was compared must be the same too. */
static void
test_a_rewrite_over_old_bytes_is_compared (void)
{
  Place place;
  VodSpool *spool;

  place_init (&place);
  leave_old (&place, OLD);
  spool = open_spool (&place);
  g_assert_cmpint (put (spool, 0, 5000), ==, VOD_SPOOL_OK);
  g_assert_cmpint (put (spool, 3, 10), ==, VOD_SPOOL_OK);
  g_assert_cmpint (vod_spool_write (spool, 3, (const guint8 *)"other", 5, NULL),
      ==, VOD_SPOOL_DIFFERS);
  vod_spool_free (spool);
  assert_old (place.path, OLD);
  place_clear (&place);
}

static void
test_a_gap_over_old_bytes_is_compared_with_zeros (void)
{
  Place place;
  VodSpool *spool;
  guint8 zeros[6000] = {'a'};

  place_init (&place);
  leave_old (&place, OLD);
  spool = open_spool (&place);
  g_assert_cmpint (put (spool, 0, 100), ==, VOD_SPOOL_OK);
  g_assert_cmpint (
      vod_spool_write (spool, 100, NULL, 5000, NULL), ==, VOD_SPOOL_DIFFERS);
  vod_spool_free (spool);
  assert_old (place.path, OLD);

  /* Zeros are there: the same, also across the end. */
  g_assert_cmpint (g_unlink (place.path), ==, 0);
  g_assert_true (g_file_set_contents_full (
      place.path, (gchar *)zeros, 5000, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  spool = open_spool (&place);
  g_assert_cmpint (
      vod_spool_write (spool, 0, zeros, 1, NULL), ==, VOD_SPOOL_OK);
  g_assert_cmpint (
      vod_spool_write (spool, 1, NULL, 5999, NULL), ==, VOD_SPOOL_OK);
  g_assert_cmpuint (vod_spool_left (spool), ==, 0);
  vod_spool_free (spool);
  assert_file (place.path, zeros, 6000);
  place_clear (&place);
}

/* --- parting --------------------------------------------------------------*/

static void
test_parting_goes_on_in_a_copy (void)
{
  Place place;
  VodSpool *spool;
  guint8 *bytes = bytes_at (0, 3 * OLD);
  guint8 buffer[OLD];

  place_init (&place);
  leave_old (&place, OLD);
  /* What is there by that name goes. */
  g_assert_true (g_file_set_contents (place.copy, "junk", -1, NULL));
  spool = open_spool (&place);
  g_assert_cmpint (put (spool, 0, 7000), ==, VOD_SPOOL_OK);
  g_assert_true (vod_spool_part (spool, place.copy, NULL, NULL, NULL));
  g_assert_cmpuint (vod_spool_left (spool), ==, 0);
  g_assert_cmpuint (vod_spool_size (spool), ==, 7000);
  assert_old (place.path, OLD);
  assert_old (place.copy, 7000);

  memset (bytes + 7000, 'n', OLD);
  memset (bytes + 10, 'r', 10);
  g_assert_cmpint (
      vod_spool_write (spool, 7000, bytes + 7000, OLD, NULL), ==, VOD_SPOOL_OK);
  g_assert_cmpint (
      vod_spool_write (spool, 10, bytes + 10, 10, NULL), ==, VOD_SPOOL_OK);
  g_assert_cmpuint (vod_spool_read (spool, 5000, buffer, 4000), ==, 4000);
  g_assert_cmpmem (buffer, 4000, bytes + 5000, 4000);
  assert_old (place.path, OLD);
  assert_file (place.copy, bytes, 7000 + OLD);
  vod_spool_free (spool);
  g_free (bytes);
  place_clear (&place);
}

static void
test_parting_at_once_gives_an_empty_copy (void)
{
  Place place;
  VodSpool *spool;

  place_init (&place);
  leave_old (&place, OLD);
  spool = open_spool (&place);
  g_assert_true (vod_spool_part (spool, place.copy, NULL, NULL, NULL));
  assert_old (place.path, OLD);
  assert_file (place.copy, (const guint8 *)"", 0);
  g_assert_cmpint (vod_spool_write (spool, 0, (const guint8 *)"new", 3, NULL),
      ==, VOD_SPOOL_OK);
  vod_spool_free (spool);
  assert_old (place.path, OLD);
  assert_file (place.copy, (const guint8 *)"new", 3);
  place_clear (&place);
}

static void
test_parting_that_fails_changes_nothing (void)
{
  Place place;
  VodSpool *spool;
  g_autoptr (GError) error = NULL;
  g_autofree gchar *below = NULL;

  place_init (&place);
  leave_old (&place, OLD);
  g_assert_cmpint (g_mkdir (place.copy, 0700), ==, 0);
  below = g_build_filename (place.copy, "child", NULL);
  g_assert_true (g_file_set_contents (below, "", 0, NULL));
  spool = open_spool (&place);
  g_assert_cmpint (put (spool, 0, 100), ==, VOD_SPOOL_OK);
  g_assert_false (vod_spool_part (spool, place.copy, NULL, NULL, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_LOCAL);
  g_assert_cmpint (put (spool, 100, 100), ==, VOD_SPOOL_OK);
  g_assert_cmpuint (vod_spool_left (spool), ==, OLD);
  vod_spool_free (spool);
  assert_old (place.path, OLD);
  place_clear (&place);
}

typedef struct {
  VodSpool *spool;
  gint stop; /* atomic */
  gint reads;
} Reader;

static gpointer
read_all_the_time (gpointer data)
{
  Reader *reader = data;
  guint8 buffer[997];

  for (guint64 at = 0; !g_atomic_int_get (&reader->stop); at += 997) {
    gsize n = vod_spool_read (reader->spool, at % OLD, buffer, sizeof buffer);

    g_assert_cmpuint (n, >, 0);
    for (gsize i = 0; i < n; i++)
      g_assert_cmpuint (buffer[i], ==, byte_at (at % OLD + i));
    g_atomic_int_inc (&reader->reads);
  }
  return NULL;
}

/* Readers do not notice: what they may read stays the same. */
static void
test_parting_under_a_reader (void)
{
  Place place;
  Reader reader = {0};
  GThread *thread;

  place_init (&place);
  leave_old (&place, OLD + 5000);
  reader.spool = open_spool (&place);
  g_assert_cmpint (put (reader.spool, 0, OLD + 1000), ==, VOD_SPOOL_OK);
  thread = g_thread_new ("read", read_all_the_time, &reader);
  for (guint i = 0; i < 200; i++) {
    gint before = g_atomic_int_get (&reader.reads);

    g_assert_true (vod_spool_part (reader.spool, place.copy, NULL, NULL, NULL));
    g_assert_true (vod_spool_sync (reader.spool, NULL));
    while (g_atomic_int_get (&reader.reads) == before)
      g_thread_yield ();
  }
  g_atomic_int_set (&reader.stop, 1);
  g_thread_join (thread);
  vod_spool_free (reader.spool);
  assert_old (place.path, OLD + 5000);
  assert_old (place.copy, OLD + 1000);
  place_clear (&place);
}

/* --- what is not touched --------------------------------------------------*/

static void
assert_refused (const Place *place)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (vod_spool_open (place->path, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_LOCAL);
  g_assert_cmpuint (strlen (error->message), >, 20);
}

static void
test_refused_symbolic_link (void)
{
  Place place;
  g_autofree gchar *target = NULL;

  place_init (&place);
  target = g_build_filename (place.dir, "target", NULL);
  g_assert_true (g_file_set_contents_full (
      target, "mine", -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  g_assert_cmpint (symlink (target, place.path), ==, 0);
  assert_refused (&place);
  assert_file (target, (const guint8 *)"mine", 4);
  /* One that leads nowhere makes no file there. */
  g_assert_cmpint (g_unlink (target), ==, 0);
  assert_refused (&place);
  g_assert_false (g_file_test (target, G_FILE_TEST_EXISTS));
  place_clear (&place);
}

static void
test_refused_fifo (void)
{
  Place place;

  place_init (&place);
  g_assert_cmpint (mkfifo (place.path, 0600), ==, 0);
  assert_refused (&place); /* and does not wait for a writer */
  place_clear (&place);
}

static void
test_refused_directory (void)
{
  Place place;

  place_init (&place);
  g_assert_cmpint (g_mkdir (place.path, 0700), ==, 0);
  assert_refused (&place);
  place_clear (&place);
}

static void
test_refused_readable_by_others (void)
{
  static const mode_t modes[] = {0640, 0620, 0604, 0602, 0601, 0666};
  Place place;

  place_init (&place);
  leave_old (&place, OLD);
  for (guint i = 0; i < G_N_ELEMENTS (modes); i++) {
    g_assert_cmpint (g_chmod (place.path, modes[i]), ==, 0);
    assert_refused (&place);
  }
  assert_old (place.path, OLD);
  place_clear (&place);
}

static void
test_refused_second_name (void)
{
  Place place;

  place_init (&place);
  leave_old (&place, OLD);
  g_assert_cmpint (link (place.path, place.copy), ==, 0);
  assert_refused (&place);
  place_clear (&place);
}

static void
test_refused_foreign_owner (void)
{
  Place place;

  if (geteuid () != 0) {
    g_test_skip ("only root can give a file away");
    return;
  }
  place_init (&place);
  leave_old (&place, OLD);
  g_assert_cmpint (chown (place.path, 65534, (gid_t)-1), ==, 0);
  assert_refused (&place);
  place_clear (&place);
}

/* Exit codes of children: 0 as it should be. */
static void
assert_child (pid_t pid)
{
  int status;

  g_assert_cmpint (pid, >, 0);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
}

static void
test_refused_read_only (void)
{
  Place place;
  pid_t pid;

  place_init (&place);
  leave_old (&place, OLD);
  g_assert_cmpint (g_chmod (place.path, 0400), ==, 0);
  if (geteuid () == 0) {
    g_assert_cmpint (chown (place.dir, 65534, (gid_t)-1), ==, 0);
    g_assert_cmpint (chown (place.path, 65534, (gid_t)-1), ==, 0);
  }
  pid = fork ();
  if (pid == 0) {
    g_autoptr (GError) error = NULL;

    if (geteuid () == 0 && setuid (65534) != 0)
      _exit (1);
    if (vod_spool_open (place.path, &error) != NULL)
      _exit (2);
    _exit (g_error_matches (error, VOD_ERROR, VOD_ERROR_LOCAL) ? 0 : 3);
  }
  assert_child (pid);
  place_clear (&place);
}

static void
test_refused_where_there_is_no_directory (void)
{
  Place place;
  Place missing;

  place_init (&place);
  missing = place;
  missing.path = g_build_filename (place.dir, "missing", "x.media", NULL);
  assert_refused (&missing);
  g_free (missing.path);
  place_clear (&place);
}

/* --- no room --------------------------------------------------------------*/

/* The disk takes no more than @max bytes of a file. */
static void
limit_files (rlim_t max)
{
  struct rlimit limit;

  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  limit.rlim_cur = max == RLIM_INFINITY ? limit.rlim_max : max;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
}

static void
assert_no_space (GError **error)
{
  g_assert_error (*error, VOD_ERROR, VOD_ERROR_NO_SPACE);
  g_assert_nonnull (strstr ((*error)->message, "state-dir"));
  g_clear_error (error);
}

static void
test_no_room_is_an_error_of_its_own (void)
{
  Place place;
  g_autofree guint8 *bytes = bytes_at (0, 30000);
  guint8 buffer[100];
  GError *error = NULL;
  VodSpool *spool;

  place_init (&place);
  spool = open_spool (&place);
  limit_files (20000);
  g_assert_cmpint (put (spool, 0, 19000), ==, VOD_SPOOL_OK);
  g_assert_cmpint (vod_spool_write (spool, 19000, bytes + 19000, 2000, &error),
      ==, VOD_SPOOL_FAILED);
  assert_no_space (&error);
  /* What was taken before can still be read; that is its size. */
  g_assert_cmpuint (vod_spool_size (spool), ==, 19000);
  g_assert_cmpuint (vod_spool_read (spool, 18900, buffer, 100), ==, 100);
  g_assert_cmpmem (buffer, 100, bytes + 18900, 100);
  g_assert_cmpint (
      vod_spool_write (spool, 19000, NULL, 2000, &error), ==, VOD_SPOOL_FAILED);
  assert_no_space (&error);
  limit_files (RLIM_INFINITY);
  vod_spool_free (spool);
  place_clear (&place);
}

/* Parting needs room for the copy. */
static void
test_parting_without_room_leaves_no_copy (void)
{
  Place place;
  GError *error = NULL;
  VodSpool *spool;

  place_init (&place);
  leave_old (&place, OLD);
  spool = open_spool (&place);
  g_assert_cmpint (put (spool, 0, 8000), ==, VOD_SPOOL_OK);
  limit_files (6000);
  g_assert_false (vod_spool_part (spool, place.copy, NULL, NULL, &error));
  limit_files (RLIM_INFINITY);
  assert_no_space (&error);
  g_assert_false (g_file_test (place.copy, G_FILE_TEST_EXISTS));
  /* It compares as before. */
  g_assert_cmpuint (vod_spool_left (spool), ==, OLD);
  g_assert_cmpint (put (spool, 8000, 500), ==, VOD_SPOOL_OK);
  vod_spool_free (spool);
  assert_old (place.path, OLD);
  place_clear (&place);
}

/* --- upstream's file ------------------------------------------------------*/

static void
test_a_source_is_only_read (void)
{
  Place place;
  g_autofree gchar *link_path = NULL;
  VodSpool *spool;
  guint8 buffer[100];

  place_init (&place);
  leave_old (&place, OLD);
  g_assert_cmpint (g_chmod (place.path, 0444), ==, 0);
  /* A user's own file may be a link, and be read by others. */
  link_path = g_build_filename (place.dir, "link", NULL);
  g_assert_cmpint (symlink (place.path, link_path), ==, 0);
  spool = vod_spool_open_source (link_path);
  g_assert_nonnull (spool);
  g_assert_true (vod_spool_is_source (spool));
  g_assert_cmpuint (vod_spool_left (spool), ==, 0);
  g_assert_cmpuint (vod_spool_read (spool, OLD - 50, buffer, 100), ==, 50);
  g_assert_cmpuint (buffer[0], ==, byte_at (OLD - 50));
  vod_spool_free (spool);

  g_assert_null (vod_spool_open_source (place.dir));
  g_assert_null (vod_spool_open_source (place.copy));
  g_assert_cmpint (mkfifo (place.copy, 0600), ==, 0);
  g_assert_null (vod_spool_open_source (place.copy));
  place_clear (&place);
}

#define ADD(name) g_test_add_func ("/spool/" #name, test_##name)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD (what_is_written_is_read);
  ADD (a_gap_reads_as_zeros);
  ADD (a_signal_is_no_failure);
  ADD (what_the_disk_has_lost_stays_lost);
  ADD (the_same_again_goes_on_behind_it);
  ADD (another_byte_is_refused_and_nothing_changed);
  ADD (a_byte_behind_its_end_is_no_difference);
  ADD (a_rewrite_over_old_bytes_is_compared);
  ADD (a_gap_over_old_bytes_is_compared_with_zeros);
  ADD (parting_goes_on_in_a_copy);
  ADD (parting_at_once_gives_an_empty_copy);
  ADD (parting_that_fails_changes_nothing);
  ADD (parting_under_a_reader);
  ADD (refused_symbolic_link);
  ADD (refused_fifo);
  ADD (refused_directory);
  ADD (refused_readable_by_others);
  ADD (refused_second_name);
  ADD (refused_foreign_owner);
  ADD (refused_read_only);
  ADD (refused_where_there_is_no_directory);
  ADD (no_room_is_an_error_of_its_own);
  ADD (parting_without_room_leaves_no_copy);
  ADD (a_source_is_only_read);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodcover: which picture is the cover, what becomes of it, and files that are
 * there, or not, or are no files.
 */
#include "upload/vodcover.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cloud/vodimage.h"

#define HANG 60 /* s: then the program ends by a signal */

static guint alive; /* pictures */

static void
free_picture (gpointer bytes)
{
  g_free (bytes);
  alive--;
}

/* A jpeg to all who look at the beginning; @variant: which one. */
static GBytes *
picture (guint8 variant, gsize len)
{
  guint8 *bytes = g_malloc (len);

  memset (bytes, variant, len);
  memcpy (bytes, "\xff\xd8\xff\xe0", 4);
  alive++;
  return g_bytes_new_with_free_func (bytes, len, free_picture, bytes);
}

static GBytes *
garbage (void)
{
  return g_bytes_new_static ("no picture, but long enough", 27);
}

typedef struct {
  VodCover cover;
  GBytes *a, *b, *c, *garbage;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->a = picture ('a', 100);
  fixture->b = picture ('b', 100);
  fixture->c = picture ('c', 100);
  fixture->garbage = garbage ();
}

/* Nobody has kept a reference. */
static void
tear_down (Fixture *fixture, gconstpointer data)
{
  vod_cover_clear (&fixture->cover);
  g_bytes_unref (fixture->a);
  g_bytes_unref (fixture->b);
  g_bytes_unref (fixture->c);
  g_bytes_unref (fixture->garbage);
  g_assert_cmpuint (alive, ==, 0);
}

/* --- which picture --------------------------------------------------------*/

static void
assert_best (Fixture *fixture, GBytes *expected)
{
  GError *error = NULL;

  g_assert_true (vod_cover_best (&fixture->cover, &error) == expected);
  g_assert_no_error (error);
}

static void
test_the_file_goes_first (Fixture *fixture, gconstpointer data)
{
  assert_best (fixture, NULL);
  vod_cover_set (&fixture->cover, VOD_COVER_TAG, fixture->a);
  assert_best (fixture, fixture->a);
  vod_cover_set (&fixture->cover, VOD_COVER_FILE, fixture->b);
  assert_best (fixture, fixture->b);
  vod_cover_set (&fixture->cover, VOD_COVER_SAMPLE, fixture->c);
  assert_best (fixture, fixture->b);
  vod_cover_set (&fixture->cover, VOD_COVER_FILE, NULL);
  assert_best (fixture, fixture->c);
  vod_cover_set (&fixture->cover, VOD_COVER_SAMPLE, NULL);
  assert_best (fixture, fixture->a);
  /* The last one counts. */
  vod_cover_set (&fixture->cover, VOD_COVER_TAG, fixture->b);
  assert_best (fixture, fixture->b);
  g_assert_cmpstr (vod_cover_type (fixture->b), ==, "jpg");
}

static void
expect_unusable (Fixture *fixture, const gchar *who, const gchar *why)
{
  GError *error = NULL;

  g_assert_null (vod_cover_best (&fixture->cover, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_PARAMETER);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, who));
  g_assert_nonnull (strstr (error->message, why));
  g_error_free (error);
}

/* Each is told once, and the next source has its turn. */
static void
test_what_is_no_picture_is_passed_over (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) large = picture ('x', VOD_IMAGE_MAX + 1);
  g_autoptr (GBytes) empty = g_bytes_new (NULL, 0);

  vod_cover_set (&fixture->cover, VOD_COVER_FILE, fixture->garbage);
  vod_cover_set (&fixture->cover, VOD_COVER_SAMPLE, large);
  vod_cover_set (&fixture->cover, VOD_COVER_TAG, fixture->a);
  expect_unusable (fixture, "cover-location", "no picture");
  expect_unusable (fixture, "sample", "larger");
  assert_best (fixture, fixture->a);
  vod_cover_set (&fixture->cover, VOD_COVER_TAG, empty);
  expect_unusable (fixture, "image tag", "no picture");
  assert_best (fixture, NULL);
}

static void
test_the_largest_and_the_smallest (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) largest = picture ('x', VOD_IMAGE_MAX);
  g_autoptr (GBytes) smallest = picture ('x', 16);
  g_autoptr (GBytes) too_small = picture ('x', 15);

  vod_cover_set (&fixture->cover, VOD_COVER_TAG, largest);
  assert_best (fixture, largest);
  vod_cover_set (&fixture->cover, VOD_COVER_TAG, smallest);
  assert_best (fixture, smallest);
  vod_cover_set (&fixture->cover, VOD_COVER_TAG, too_small);
  expect_unusable (fixture, "image tag", "no picture");
}

/* --- what becomes of it ---------------------------------------------------*/

static void
test_announced_and_uploaded (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) same = picture ('a', 100);

  g_assert_false (vod_cover_is_pending (&fixture->cover));
  g_assert_true (vod_cover_wants_exchange (&fixture->cover, fixture->a));
  vod_cover_announce (&fixture->cover, fixture->a);
  g_assert_true (vod_cover_is_pending (&fixture->cover));
  fixture->cover.up = TRUE;
  g_assert_false (vod_cover_is_pending (&fixture->cover));
  g_assert_false (vod_cover_wants_exchange (&fixture->cover, fixture->a));
  /* It is the bytes that count. */
  g_assert_false (vod_cover_wants_exchange (&fixture->cover, same));
  g_assert_true (vod_cover_wants_exchange (&fixture->cover, fixture->b));
  /* Another upload: not there any more. */
  vod_cover_announce (&fixture->cover, fixture->b);
  g_assert_true (vod_cover_is_pending (&fixture->cover));
}

static void
test_dropped (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) same = picture ('a', 100);

  vod_cover_announce (&fixture->cover, fixture->a);
  vod_cover_drop (&fixture->cover, fixture->a);
  g_assert_false (vod_cover_is_pending (&fixture->cover));
  g_assert_false (vod_cover_wants_exchange (&fixture->cover, same));
  g_assert_false (vod_cover_may_go_along (&fixture->cover, same));
  g_assert_true (vod_cover_wants_exchange (&fixture->cover, fixture->b));
  g_assert_true (vod_cover_may_go_along (&fixture->cover, fixture->b));
}

/* One is dropped while another has its place meanwhile, or is up. */
static void
test_dropping_leaves_others_alone (Fixture *fixture, gconstpointer data)
{
  vod_cover_announce (&fixture->cover, fixture->a);
  vod_cover_drop (&fixture->cover, fixture->b);
  g_assert_true (vod_cover_is_pending (&fixture->cover));
  fixture->cover.up = TRUE;
  vod_cover_drop (&fixture->cover, fixture->c);
  g_assert_false (vod_cover_wants_exchange (&fixture->cover, fixture->a));
}

static void
test_a_media_alone_takes_none_along (Fixture *fixture, gconstpointer data)
{
  g_assert_true (vod_cover_may_go_along (&fixture->cover, fixture->a));
  fixture->cover.alone = TRUE;
  g_assert_false (vod_cover_may_go_along (&fixture->cover, fixture->a));
  g_assert_true (vod_cover_wants_exchange (&fixture->cover, fixture->a));
}

/* --- files ----------------------------------------------------------------*/

typedef struct {
  gchar *dir;
  gchar *path;
} Files;

static void
files_set_up (Files *files, gconstpointer data)
{
  alarm (HANG);
  files->dir = g_dir_make_tmp ("vodcover-XXXXXX", NULL);
  g_assert_nonnull (files->dir);
  files->path = g_build_filename (files->dir, "cover.jpg", NULL);
}

static void
files_tear_down (Files *files, gconstpointer data)
{
  if (g_remove (files->path) != 0)
    g_assert_false (g_file_test (files->path, G_FILE_TEST_EXISTS));
  g_assert_cmpint (g_rmdir (files->dir), ==, 0);
  g_free (files->path);
  g_free (files->dir);
  alarm (0);
}

static void
put (const gchar *path, GBytes *bytes)
{
  gsize len;
  gconstpointer data = g_bytes_get_data (bytes, &len);

  g_assert_true (g_file_set_contents (path, data, (gssize)len, NULL));
}

/* Descriptors of this process. */
static guint
count_open (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir))
    n++;
  return n;
}

static GBytes *
load (const gchar *path, gboolean expected_missing)
{
  guint before = count_open ();
  g_autoptr (GError) error = NULL;
  gboolean missing;
  GBytes *bytes = vod_cover_load (path, &missing, &error);

  g_assert_no_error (error);
  g_assert_nonnull (bytes);
  g_assert_cmpint (missing, ==, expected_missing);
  g_assert_cmpuint (count_open (), ==, before);
  return bytes;
}

static void
expect_unreadable (
    const gchar *path, const gchar *why, gboolean expected_missing)
{
  guint before = count_open ();
  gboolean missing;
  GError *error = NULL;

  g_assert_null (vod_cover_load (path, &missing, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_PARAMETER);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, "cover-location"));
  g_assert_nonnull (strstr (error->message, why));
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_cmpint (missing, ==, expected_missing);
  g_assert_cmpuint (count_open (), ==, before);
  g_error_free (error);
}

static void
test_a_file (Files *files, gconstpointer data)
{
  g_autoptr (GBytes) written = picture ('f', 300000);
  g_autoptr (GBytes) read = NULL;

  put (files->path, written);
  read = load (files->path, FALSE);
  g_assert_true (g_bytes_equal (read, written));
}

static void
test_a_missing_file (Files *files, gconstpointer data)
{
  g_autofree gchar *below = g_build_filename (files->dir, "no", "x.jpg", NULL);

  expect_unreadable (files->path, "No such file", TRUE);
  expect_unreadable (below, "No such file", TRUE);
  expect_unreadable ("", "No such file", TRUE);
}

/* Somebody is about to write it. */
static void
test_an_empty_file (Files *files, gconstpointer data)
{
  g_autoptr (GBytes) empty = g_bytes_new (NULL, 0), read = NULL;

  put (files->path, empty);
  read = load (files->path, TRUE);
  g_assert_cmpuint (g_bytes_get_size (read), ==, 0);
}

static void
test_a_directory (Files *files, gconstpointer data)
{
  expect_unreadable (files->dir, "Is a directory", FALSE);
}

/* Nobody writes to it: not waited for. */
static void
test_a_fifo (Files *files, gconstpointer data)
{
  g_assert_cmpint (mkfifo (files->path, 0600), ==, 0);
  expect_unreadable (files->path, "not a file", FALSE);
}

static void
test_devices (Files *files, gconstpointer data)
{
  expect_unreadable ("/dev/zero", "not a file", FALSE);
  expect_unreadable ("/dev/null", "not a file", FALSE);
}

static void
test_symlinks (Files *files, gconstpointer data)
{
  g_autofree gchar *link = g_build_filename (files->dir, "link", NULL);
  g_autoptr (GBytes) written = picture ('f', 1000), read = NULL;

  g_assert_cmpint (symlink ("cover.jpg", link), ==, 0);
  expect_unreadable (link, "No such file", TRUE);
  put (files->path, written);
  read = load (link, FALSE);
  g_assert_true (g_bytes_equal (read, written));
  g_assert_cmpint (g_remove (link), ==, 0);
  g_assert_cmpint (symlink ("link", link), ==, 0);
  expect_unreadable (link, "symbolic links", FALSE);
  g_assert_cmpint (g_remove (link), ==, 0);
}

/* Who is root may read everything: then by a child that is not. */
static void
test_an_unreadable_file (Files *files, gconstpointer data)
{
  GBytes *written = picture ('f', 1000);
  int status;
  pid_t pid;

  put (files->path, written);
  g_bytes_unref (written);
  g_assert_cmpint (g_chmod (files->path, 0), ==, 0);
  g_assert_cmpint (g_chmod (files->dir, 0755), ==, 0);
  pid = fork ();
  if (pid == 0) {
    gboolean missing = TRUE, refused;
    GError *error = NULL;

    if (geteuid () == 0 && setuid (65534) != 0)
      _exit (2);
    refused = vod_cover_load (files->path, &missing, &error) == NULL &&
        !missing && strstr (error->message, "Permission denied");
    g_clear_error (&error);
    _exit (refused ? 0 : 1);
  }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
}

/* A sparse terabyte: no more of it is read than tells that it is too large. */
static void
test_too_large_a_file (Files *files, gconstpointer data)
{
  g_autoptr (GBytes) written = picture ('f', 1000), read = NULL;

  put (files->path, written);
  g_assert_cmpint (truncate (files->path, (off_t)1 << 40), ==, 0);
  read = load (files->path, FALSE);
  g_assert_cmpuint (g_bytes_get_size (read), ==, VOD_IMAGE_MAX + 1);
}

typedef struct {
  FILE *file;
  gint stop;
} Grower;

static gpointer
grow (gpointer data)
{
  Grower *grower = data;
  guint8 piece[65536] = {0};

  while (!g_atomic_int_get (&grower->stop) &&
      ftell (grower->file) < 256 * 1024 * 1024)
    fwrite (piece, sizeof piece, 1, grower->file);
  return NULL;
}

/* While it is read, for as long as it takes. */
static void
test_a_growing_file (Files *files, gconstpointer data)
{
  Grower grower = {g_fopen (files->path, "w"), FALSE};
  g_autoptr (GThread) thread = NULL;

  g_assert_nonnull (grower.file);
  fwrite ("\xff\xd8\xff", 3, 1, grower.file);
  fflush (grower.file);
  thread = g_thread_ref (g_thread_new ("grow", grow, &grower));
  for (guint i = 0; i < 20; i++) {
    g_autoptr (GBytes) read = load (files->path, FALSE);

    g_assert_cmpuint (g_bytes_get_size (read), <=, VOD_IMAGE_MAX + 1);
    g_assert_cmpstr (
        vod_cover_type (read), ==, g_bytes_get_size (read) < 16 ? NULL : "jpg");
  }
  g_atomic_int_set (&grower.stop, TRUE);
  g_thread_join (thread);
  fclose (grower.file);
}

static void
test_a_name_that_is_no_text (Files *files, gconstpointer data)
{
  expect_unreadable ("/nowhere/\xff\x1b[2J\n", "No such file", TRUE);
}

int
main (int argc, char **argv)
{
  static const struct {
    const gchar *name;
    void (*test) (Fixture *fixture, gconstpointer data);
  } tests[] = {
      {"precedence", test_the_file_goes_first},
      {"unusable", test_what_is_no_picture_is_passed_over},
      {"sizes", test_the_largest_and_the_smallest},
      {"announced", test_announced_and_uploaded},
      {"dropped", test_dropped},
      {"dropped/others", test_dropping_leaves_others_alone},
      {"alone", test_a_media_alone_takes_none_along},
  };
  static const struct {
    const gchar *name;
    void (*test) (Files *files, gconstpointer data);
  } files[] = {
      {"plain", test_a_file},
      {"missing", test_a_missing_file},
      {"empty", test_an_empty_file},
      {"directory", test_a_directory},
      {"fifo", test_a_fifo},
      {"device", test_devices},
      {"symlink", test_symlinks},
      {"unreadable", test_an_unreadable_file},
      {"too-large", test_too_large_a_file},
      {"growing", test_a_growing_file},
      {"odd-name", test_a_name_that_is_no_text},
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++) {
    g_autofree gchar *path = g_strconcat ("/cover/", tests[i].name, NULL);

    g_test_add (path, Fixture, NULL, set_up, tests[i].test, tear_down);
  }
  for (guint i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree gchar *path = g_strconcat ("/cover/file/", files[i].name, NULL);

    g_test_add (
        path, Files, NULL, files_set_up, files[i].test, files_tear_down);
  }
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "testcover.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define KEY "0123456789abcdef0123456789abcdef"
#define HANG 100 /* s: then the program ends by a signal */

/* --- pictures -------------------------------------------------------------*/

static gint alive; /* pictures */

static void
free_picture (gpointer bytes)
{
  g_free (bytes);
  g_atomic_int_add (&alive, -1);
}

/* To all who look at the beginning. @variant: which one. */
GBytes *
cover_picture (const gchar *magic, guint8 variant, gsize len)
{
  guint8 *bytes = g_malloc (len);

  memset (bytes, variant, len);
  memcpy (bytes, magic, MIN (strlen (magic), len));
  g_atomic_int_inc (&alive);
  return g_bytes_new_with_free_func (bytes, len, free_picture, bytes);
}

GBytes *
cover_jpeg (guint8 variant)
{
  return cover_picture ("\xff\xd8\xff\xe0", variant, 20000);
}

GBytes *
cover_png (guint8 variant)
{
  return cover_picture ("\x89PNG\r\n\x1a\n", variant, 30000);
}

GBytes *
cover_garbage (void)
{
  return cover_picture ("no picture", 'x', 1000);
}

/* --- an upload that may have one ------------------------------------------*/

void
cover_run_init_with (CoverRun *run, const gchar *option, const gchar *value)
{
  alarm (HANG);
  *run = (CoverRun){
      .emulator = emulator_new (option, value, NULL),
      .dir = g_dir_make_tmp ("vodcovers-XXXXXX", NULL),
      .parallel = 3,
      .timeout = 15,
      .located = TRUE,
  };
  g_assert_nonnull (run->dir);
  run->path = g_build_filename (run->dir, "cover.jpg", NULL);
}

void
cover_run_init (CoverRun *run)
{
  cover_run_init_with (run, NULL, NULL);
}

static void
adjust (VodUploadSettings *settings, gpointer data)
{
  const CoverRun *run = data;

  settings->cover_location = run->located ? run->path : NULL;
  settings->parallel_uploads = run->parallel;
  settings->timeout = run->timeout;
  if (run->endpoint)
    settings->endpoint = (gchar *)run->endpoint;
  if (!run->resume)
    return;
  settings->resume = TRUE;
  settings->spool = run->spool;
  settings->state_dir = run->dir;
  settings->identity = VOD_IDENTITY_EXPLICIT;
  settings->media_key = (gchar *)KEY;
}

Owner *
cover_run_begin (CoverRun *run)
{
  run->owner = owner_new_adjusted (run->emulator, adjust, run);
  return run->owner;
}

void
cover_run_end (CoverRun *run)
{
  g_clear_pointer (&run->owner, owner_free);
}

void
cover_run_clear (CoverRun *run)
{
  g_autoptr (GDir) dir = NULL;
  const gchar *name;

  cover_run_end (run);
  dir = g_dir_open (run->dir, 0, NULL);
  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_build_filename (run->dir, name, NULL);

    g_assert_cmpint (g_remove (path), ==, 0);
  }
  g_assert_cmpint (g_rmdir (run->dir), ==, 0);
  emulator_free (run->emulator);
  g_free (run->dir);
  g_free (run->path);
  g_assert_cmpint (g_atomic_int_get (&alive), ==, 0);
  alarm (0);
}

/* Takes @image. */
void
cover_run_put_file (const CoverRun *run, GBytes *image)
{
  gsize len;
  gconstpointer data = g_bytes_get_data (image, &len);

  g_assert_true (g_file_set_contents (run->path, data, (gssize)len, NULL));
  g_bytes_unref (image);
}

/* Takes @image. */
void
owner_set_cover (Owner *owner, VodCoverSource source, GBytes *image)
{
  vod_upload_set_cover (owner->upload, source, image);
  if (image)
    g_bytes_unref (image);
}

void
owner_write_mib (Owner *owner, guint n)
{
  for (guint i = 0; i < n; i++)
    g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
}

/* Takes @expected: what media @n has for a cover, at the service and as its
 * owner was told. NULL: none. */
void
cover_run_assert (CoverRun *run, guint n, GBytes *expected)
{
  g_autoptr (GBytes) there = emulator_media_cover (run->emulator, n);

  g_assert_cmpint (there != NULL, ==, expected != NULL);
  g_assert_cmpint (run->owner->cover_url != NULL, ==, expected != NULL);
  if (expected)
    g_assert_true (g_bytes_equal (there, expected));
  g_clear_pointer (&expected, g_bytes_unref);
}

void
cover_run_assert_counts (
    CoverRun *run, guint applies, guint puts, guint commits)
{
  g_assert_cmpuint (
      emulator_count (run->emulator, "ApplyUploadUGC", 200), ==, applies);
  g_assert_cmpuint (emulator_count (run->emulator, "PutObject", 200), ==, puts);
  g_assert_cmpuint (
      emulator_count (run->emulator, "CommitUploadUGC", 200), ==, commits);
}

static gboolean
is_opened (gpointer data)
{
  Owner *owner = data;
  gboolean opened;

  g_mutex_lock (&owner->lock);
  opened = strstr (owner->story->str, "opened") != NULL;
  g_mutex_unlock (&owner->lock);
  return opened;
}

void
owner_wait_opened (Owner *owner)
{
  g_assert_true (test_wait_until (is_opened, owner, 10));
}

void
owner_assert_mishap (Owner *owner, VodErrorCode code, const gchar *text)
{
  g_test_message ("%s", owner->mishap_text);
  g_assert_cmpuint (owner->mishaps, ==, 1);
  g_assert_cmpint (owner->mishap_code, ==, (gint)code);
  g_assert_nonnull (strstr (owner->mishap_text, text));
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "testruns.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "upload/vodsession.h"

#define HANG 60 /* s */
#define PIECE 70000

void
runs_init (Runs *runs, const gchar *option)
{
  alarm (HANG);
  *runs = (Runs){
      .emulator = emulator_new (option, NULL),
      .dir = g_dir_make_tmp ("vodruns-XXXXXX", NULL),
      .key = RUNS_KEY,
      .identity = VOD_IDENTITY_EXPLICIT,
      .slice_size = MIB,
      .memory = 4 * MIB,
      .parallel = 3,
  };
  g_assert_nonnull (runs->dir);
  runs->media = runs_path (runs, "media");
  runs->session = runs_path (runs, "session");
}

void
runs_clear (Runs *runs)
{
  g_autoptr (GDir) dir = g_dir_open (runs->dir, 0, NULL);
  const gchar *name;

  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_build_filename (runs->dir, name, NULL);

    g_assert_cmpint (g_remove (path), ==, 0);
  }
  g_assert_cmpint (g_rmdir (runs->dir), ==, 0);
  g_clear_pointer (&runs->emulator, emulator_free);
  g_clear_pointer (&runs->storage, emulator_free);
  g_free (runs->dir);
  g_free (runs->media);
  g_free (runs->session);
  alarm (0);
}

/* --- the state directory --------------------------------------------------*/

gchar *
runs_path (const Runs *runs, const gchar *suffix)
{
  return vod_session_path (runs->dir, RUNS_KEY, suffix);
}

gchar *
runs_list_files (const Runs *runs)
{
  g_autoptr (GDir) dir = g_dir_open (runs->dir, 0, NULL);
  GString *names = g_string_new (NULL);
  const gchar *name;

  while ((name = g_dir_read_name (dir)))
    g_string_append_printf (names, "%s%s", names->len ? " " : "", name);
  return g_string_free (names, FALSE);
}

guint
runs_count_files (const Runs *runs, const gchar *suffix)
{
  g_autoptr (GDir) dir = g_dir_open (runs->dir, 0, NULL);
  const gchar *name;
  guint n = 0;

  while ((name = g_dir_read_name (dir)))
    n += g_str_has_suffix (name, suffix);
  return n;
}

void
runs_assert_file (const gchar *path, const guint8 *bytes, gsize len)
{
  g_autofree gchar *there = NULL;
  gsize size;

  g_assert_true (g_file_get_contents (path, &there, &size, NULL));
  g_assert_cmpuint (size, ==, len);
  g_assert_true (memcmp (there, bytes, len) == 0);
}

/* --- the media ------------------------------------------------------------*/

guint8 *
runs_media (gsize len)
{
  guint8 *bytes = g_malloc (len);

  test_fill (bytes, 0, len);
  return bytes;
}

guint8 *
runs_changed_media (gsize len, gsize at)
{
  guint8 *bytes = runs_media (len);

  bytes[at] ^= 0x55;
  return bytes;
}

guint8 *
runs_other_media (gsize len, gsize at)
{
  guint8 *bytes = runs_media (len);

  for (gsize i = at; i < len; i++)
    bytes[i] ^= 0x55;
  return bytes;
}

/* --- a run ----------------------------------------------------------------*/

static void
adjust (VodUploadSettings *settings, gpointer data)
{
  const Runs *runs = data;

  settings->resume = TRUE;
  settings->spool = runs->spool;
  settings->keep_spool = runs->keep_spool;
  settings->state_dir = runs->dir;
  settings->identity = runs->identity;
  settings->media_key = (gchar *)runs->key;
  settings->resume_key = (gchar *)runs->resume_key;
  settings->source_file = (gchar *)runs->source;
  settings->slice_size = runs->slice_size;
  settings->max_size_bytes = runs->memory;
  settings->parallel_uploads = runs->parallel;
  if (runs->name)
    settings->name = (gchar *)runs->name;
  if (runs->storage) {
    settings->forward = FALSE;
    settings->storage_endpoint = (gchar *)emulator_uri (runs->storage);
  }
}

Owner *
runs_begin (Runs *runs)
{
  return owner_new_adjusted (runs->emulator, adjust, runs);
}

VodFlow
runs_give (Owner *owner, const guint8 *bytes, gsize len)
{
  VodFlow flow = VOD_FLOW_OK;

  while (len > 0 && flow == VOD_FLOW_OK) {
    gsize taken;

    flow = vod_upload_write (owner->upload, bytes, MIN (len, PIECE), &taken);
    owner->size += taken;
    bytes += taken;
    len -= taken;
  }
  return flow;
}

VodFlow
runs_finish (Owner *owner)
{
  vod_upload_finish (owner->upload);
  return vod_upload_wait (owner->upload);
}

void
runs_commit (Owner *owner)
{
  if (runs_finish (owner) != VOD_FLOW_OK)
    g_error ("failed: %s (%s)", owner->error_text, owner->story->str);
}

gchar *
runs_whole (Runs *runs, const guint8 *bytes, gsize len, VodUploadStats *stats)
{
  Owner *owner = runs_begin (runs);
  guint n = emulator_n_media (runs->emulator);
  VodUploadStats at_end;
  gchar *story;

  g_assert_cmpint (runs_give (owner, bytes, len), ==, VOD_FLOW_OK);
  runs_commit (owner);
  g_assert_cmpuint (emulator_n_media (runs->emulator), ==, n + 1);
  g_assert_true (emulator_media_is (runs->emulator, n, bytes, len));
  g_assert_cmpuint (owner->finished_size, ==, len);
  vod_upload_get_stats (owner->upload, &at_end);
  g_assert_cmpuint (at_end.bytes_uploaded, ==, len);
  if (stats)
    *stats = at_end;
  story = g_strdup (owner->story->str);
  owner_free (owner);
  return story;
}

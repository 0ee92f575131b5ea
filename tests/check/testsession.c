/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "testsession.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "upload/vodfile.h"

gchar *
session_make_dir (void)
{
  g_autoptr (GError) error = NULL;
  gchar *dir = g_dir_make_tmp ("vodsession-XXXXXX", &error);

  g_assert_no_error (error);
  g_assert_true (vod_session_prepare_dir (dir, &error));
  g_assert_no_error (error);
  return dir;
}

static void
remove_all (const gchar *path)
{
  GStatBuf st;

  if (g_lstat (path, &st) == 0 && S_ISDIR (st.st_mode)) {
    g_autoptr (GDir) dir = NULL;
    const gchar *name;

    g_chmod (path, 0700);
    dir = g_dir_open (path, 0, NULL);
    while (dir && (name = g_dir_read_name (dir))) {
      g_autofree gchar *below = g_build_filename (path, name, NULL);

      remove_all (below);
    }
  }
  g_assert_cmpint (g_remove (path), ==, 0);
}

void
session_remove_dir (gchar *dir)
{
  remove_all (dir);
  g_free (dir);
}

VodSessionState
session_media (void)
{
  VodSessionState media = {.resume_key = (gchar *)"camera 1/%41 -\nx",
      .endpoint = (gchar *)ENDPOINT,
      .name = (gchar *)"来自GStreamer",
      .type = (gchar *)"mp4",
      .spooled = TRUE,
      .same_boot = TRUE};

  return media;
}

VodSession *
session_open (const gchar *dir)
{
  g_autoptr (GError) error = NULL;
  VodSession *session = vod_session_open (dir, KEY, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (vod_session_key (session), ==, KEY);
  g_assert_cmpstr (vod_session_dir (session), ==, dir);
  return session;
}

void
session_open_fails (const gchar *dir, const gchar *key, VodErrorCode code)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *path = vod_session_path (dir, key, "session");

  g_assert_null (vod_session_open (dir, key, &error));
  g_assert_error (error, VOD_ERROR, (gint)code);
  if (code != VOD_ERROR_PARAMETER)
    g_assert_nonnull (strstr (error->message, path));
}

gboolean
session_step (VodSession *session, guint step, GError **error)
{
  VodSessionState media = session_media ();

  switch (step) {
    case 0:
      return vod_session_begin (session, &media, error);
    case 1:
      return vod_session_note_cut (session, 1, 0, MIB, error);
    case 2:
      return vod_session_note_applied (
          session, SESSION_KEY, HOST, OBJECT, 1700000000, error);
    case 3:
      return vod_session_note_upload (session, "upload/1", error);
    case 4:
      return vod_session_note_confirmed (session, 1, G_MAXUINT64, ETAG, error);
    case 5:
      return vod_session_note_synced (session, MIB, error);
    case 6:
      return vod_session_note_cut (session, 2, MIB, 8 * MIB, error);
    case 7:
      return vod_session_note_applied (
          session, SESSION_KEY "2", HOST, OBJECT, 1700003600, error);
    case 8:
      return vod_session_note_cut (session, 3, 9 * MIB, 5, error);
    case 9:
      return vod_session_note_confirmed (session, 2, 7, "e2", error);
    case 10:
      return vod_session_note_confirmed (session, 1, 0, "e1", error);
    case 11:
      return vod_session_note_eos (session, 9 * MIB + 5, error);
    case 12:
      return vod_session_note_confirmed (session, 3, 8, "e3", error);
    case 13:
      return vod_session_note_completing (session, 9 * MIB + 5, 99, error);
  }
  g_assert_not_reached ();
}

void
session_steps (VodSession *session, guint n)
{
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < n; i++) {
    g_assert_true (session_step (session, i, &error));
    g_assert_no_error (error);
  }
}

gchar *
session_describe (const VodSessionState *state)
{
  GString *text = g_string_new (NULL);

  if (!state)
    return g_string_free (g_string_assign (text, "nothing"), FALSE);
  g_string_append_printf (text, "%s|%s|%s|%s|%d|", state->resume_key,
      state->endpoint, state->name, state->type, state->spooled);
  g_string_append_printf (text, "%s|%s|%s|%" G_GINT64_FORMAT "|%s|",
      state->session_key, state->bucket_host, state->object_key, state->applied,
      state->upload_id);
  for (guint i = 0; i < state->parts->len; i++) {
    const VodSessionPart *part = g_ptr_array_index (state->parts, i);

    g_string_append_printf (text,
        "%" G_GUINT64_FORMAT "+%" G_GUINT64_FORMAT " %d %" G_GUINT64_FORMAT
        " %s|",
        part->offset, part->size, part->confirmed, part->crc64, part->etag);
  }
  g_string_append_printf (text,
      "%" G_GUINT64_FORMAT " %d|%d %" G_GUINT64_FORMAT "|%d %" G_GUINT64_FORMAT,
      state->synced, state->same_boot, state->eos, state->size,
      state->completing, state->crc64);
  return g_string_free (text, FALSE);
}

static void
add_part (VodSessionState *state, guint64 offset, guint64 size,
    gboolean confirmed, guint64 crc64, const gchar *etag)
{
  VodSessionPart *part = g_new0 (VodSessionPart, 1);

  part->offset = offset;
  part->size = size;
  part->confirmed = confirmed;
  part->crc64 = crc64;
  part->etag = g_strdup (etag);
  g_ptr_array_add (state->parts, part);
}

static void
free_part (gpointer data)
{
  VodSessionPart *part = data;

  g_free (part->etag);
  g_free (part);
}

gchar *
session_story (guint steps)
{
  VodSessionState state = session_media ();
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (free_part);

  if (steps == 0)
    return g_strdup ("nothing");
  state.parts = parts;
  state.same_boot = TRUE;
  if (steps > 2) {
    state.session_key = (gchar *)(steps > 7 ? SESSION_KEY "2" : SESSION_KEY);
    state.applied = steps > 7 ? 1700003600 : 1700000000;
    state.bucket_host = (gchar *)HOST;
    state.object_key = (gchar *)OBJECT;
  }
  if (steps > 3)
    state.upload_id = (gchar *)"upload/1";
  if (steps > 1 && steps <= 4)
    add_part (&state, 0, MIB, FALSE, 0, NULL);
  else if (steps > 4)
    add_part (&state, 0, MIB, TRUE, steps > 10 ? 0 : G_MAXUINT64,
        steps > 10 ? "e1" : ETAG);
  if (steps > 5)
    state.synced = MIB;
  if (steps > 6)
    add_part (&state, MIB, 8 * MIB, steps > 9, steps > 9 ? 7 : 0,
        steps > 9 ? "e2" : NULL);
  if (steps > 8)
    add_part (&state, 9 * MIB, 5, steps > 12, steps > 12 ? 8 : 0,
        steps > 12 ? "e3" : NULL);
  state.eos = steps > 11;
  state.size = steps > 11 ? 9 * MIB + 5 : 0;
  state.completing = steps > 13;
  state.crc64 = steps > 13 ? 99 : 0;
  return session_describe (&state);
}

gchar *
session_file_of (const gchar *dir, const gchar *suffix)
{
  return vod_session_path (dir, KEY, suffix);
}

gboolean
session_is_cancelled (const gchar *path)
{
  gint fd = open (path, O_RDONLY | O_CLOEXEC);
  gboolean is;

  g_assert_cmpint (fd, >=, 0);
  is = vod_file_is_cancelled (fd);
  g_assert_cmpint (close (fd), ==, 0);
  return is;
}

void
session_put (const gchar *path, const gchar *text, gsize len)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (path, text, (gssize)len, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_chmod (path, 0600), ==, 0);
}

gboolean
session_keeps_attributes (const gchar *dir)
{
  g_autofree gchar *path = g_build_filename (dir, "attributes", NULL);
  gboolean keeps;

  session_put (path, "", 0);
  keeps = setxattr (path, "user.test", "", 0, 0) == 0;
  g_assert_cmpint (g_unlink (path), ==, 0);
  return keeps;
}

void
session_end_child (void)
{
  execlp ("true", "true", NULL);
  _exit (1);
}

gint
session_watch (const gchar *dir)
{
  gint watch = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);

  g_assert_cmpint (
      inotify_add_watch (watch, dir, IN_OPEN | IN_ACCESS | IN_CLOSE), >=, 0);
  return watch;
}

gchar *
session_watched (gint watch)
{
  GString *text = g_string_new (NULL);
  _Alignas(struct inotify_event) gchar events[4096];
  gssize n;

  while ((n = read (watch, events, sizeof events)) > 0)
    for (gssize at = 0; at < n;) {
      const struct inotify_event *event = (gpointer)(events + at);

      at += (gssize)(sizeof *event + event->len);
      /* What is done to the directory itself has no name. */
      if (event->len > 0)
        g_string_append_printf (text, "%s %s\n",
            event->mask & IN_OPEN         ? "open"
                : event->mask & IN_ACCESS ? "read"
                                          : "close",
            event->name);
    }
  return g_string_free (text, FALSE);
}

void
session_in_child (void (*func) (gpointer data), gpointer data)
{
  pid_t child = fork ();
  gint status;

  g_assert_cmpint (child, >=, 0);
  if (child == 0) {
    func (data);
    session_end_child ();
  }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
}

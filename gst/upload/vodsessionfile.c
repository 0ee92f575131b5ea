/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsessionfile: see vodsessionfile.h.
 *
 * Two more names are in use: NAME.new, written by the holder of NAME only, on
 * its way to take NAME's place; and NAME.fresh, an empty file, by the lock of
 * which processes agree who puts it in the place of something that is no file
 * of ours. A crash may leave either; the next one removes it.
 */
#include "vodsessionfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vodfile.h"

#define OPEN_FLAGS (O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
#define MODE 0600
#define TRIES 100 /* for a name that others change all the time */
#define PATH_SHOWN 300

GError *
vod_session_file_error (gint err, const gchar *path, const gchar *done)
{
  g_autofree gchar *shown = vod_printable (path, PATH_SHOWN);
  GError *error;

  if (err == EWOULDBLOCK)
    error =
        vod_error_new (VOD_ERROR_BUSY, "%s is in use by another upload", shown);
  else if (err == ENOSPC || err == EDQUOT)
    error = vod_error_new (VOD_ERROR_NO_SPACE,
        "%s cannot be %s: %s; free some space, or set state-dir to a place "
        "that has it",
        shown, done, g_strerror (err));
  else
    error = vod_error_new (VOD_ERROR_LOCAL,
        "%s cannot be %s: %s; set state-dir to a directory of yours", shown,
        done, g_strerror (err));
  vod_error_set_phase (error, VOD_PHASE_SESSION);
  return error;
}

/* FALSE, with errno told. */
static gboolean
fail (const VodSessionFile *file, const gchar *done, GError **error)
{
  gint err = errno;
  g_autofree gchar *path = g_build_filename (file->dir, file->name, NULL);

  g_propagate_error (error, vod_session_file_error (err, path, done));
  return FALSE;
}

/* close() that leaves errno alone. */
static void
close_quietly (gint fd)
{
  gint err = errno;

  if (fd >= 0)
    close (fd);
  errno = err;
}

/* --- opening and locking --- */

static gboolean
look (gint dir_fd, const gchar *name, struct stat *st)
{
  return fstatat (dir_fd, name, st, AT_SYMLINK_NOFOLLOW) == 0;
}

static gboolean
is_named (gint dir_fd, const gchar *name, gint fd)
{
  struct stat there, here;

  return look (dir_fd, name, &there) && fstat (fd, &here) == 0 &&
      there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

static gboolean
lock (gint fd)
{
  gint r;

  do
    r = flock (fd, LOCK_EX | LOCK_NB);
  while (r < 0 && errno == EINTR);
  return r == 0;
}

/* A new file, not locked. */
static gint
create (gint dir_fd, const gchar *name)
{
  gint fd = openat (dir_fd, name, OPEN_FLAGS | O_CREAT | O_EXCL, MODE);

  /* Whatever the umask has taken away. */
  if (fd >= 0 && fchmod (fd, MODE) < 0) {
    close_quietly (fd);
    return -1;
  }
  return fd;
}

/* Puts away what is at @name and not ours. */
typedef gboolean (*Mend) (gint dir_fd, const gchar *name);

/* The file at @name, opened but not locked; a new one if there is none and
 * @mend is given. -1 with errno 0: try again. */
static gint
open_once (gint dir_fd, const gchar *name, Mend mend)
{
  struct stat st;
  gint fd;

  if (!look (dir_fd, name, &st)) {
    if (errno != ENOENT || !mend)
      return -1;
    fd = create (dir_fd, name);
    if (fd < 0 && errno == EEXIST)
      errno = 0;
    return fd;
  }
  if (S_ISDIR (st.st_mode)) {
    errno = EISDIR;
    return -1;
  }
  /* Looked at before it is opened: opening a device does things to it. */
  if (!vod_file_is_ours (&st)) {
    errno = EPERM;
    if (mend && mend (dir_fd, name))
      errno = 0;
    return -1;
  }
  fd = openat (dir_fd, name, OPEN_FLAGS);
  if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
    errno = 0;
  return fd;
}

/* The file at @name, opened and locked. -1 with errno: EWOULDBLOCK if somebody
 * else has it. */
static gint
open_locked (gint dir_fd, const gchar *name, Mend mend)
{
  for (guint i = 0; i < TRIES; i++) {
    gint fd = open_once (dir_fd, name, mend);
    gboolean locked;
    struct stat st;

    if (fd < 0 && errno == 0)
      continue;
    if (fd < 0)
      return -1;
    locked = lock (fd);
    if (!locked && errno != EWOULDBLOCK) {
      close_quietly (fd);
      return -1;
    }
    /* Its last holder may have removed, renamed or replaced it. */
    if (is_named (dir_fd, name, fd) && fstat (fd, &st) == 0 &&
        vod_file_is_ours (&st)) {
      if (locked)
        return fd;
      close (fd);
      errno = EWOULDBLOCK;
      return -1;
    }
    close (fd);
  }
  errno = EBUSY;
  return -1;
}

static gboolean
remove_name (gint dir_fd, const gchar *name)
{
  return unlinkat (dir_fd, name, 0) == 0 || errno == ENOENT;
}

/* Puts an empty file in the place of what is at @name and not ours. Only who
 * holds NAME.fresh does this, and looks again before: else a file that another
 * process has put there meanwhile, and holds, would be replaced. */
static gboolean
supplant (gint dir_fd, const gchar *name)
{
  g_autofree gchar *fresh = g_strconcat (name, ".fresh", NULL);
  gint fd = open_locked (dir_fd, fresh, remove_name);
  gboolean done = TRUE;
  struct stat st;

  if (fd < 0)
    return FALSE;
  if (look (dir_fd, name, &st) && !vod_file_is_ours (&st) &&
      !S_ISDIR (st.st_mode))
    done = renameat (dir_fd, fresh, dir_fd, name) == 0;
  else
    unlinkat (dir_fd, fresh, 0);
  close_quietly (fd);
  return done;
}

gboolean
vod_session_file_open (VodSessionFile *file, const gchar *dir,
    const gchar *name, VodSessionFileMode mode, GError **error)
{
  g_autofree gchar *leftover = g_strconcat (name, ".new", NULL);

  memset (file, 0, sizeof *file);
  file->dir = g_strdup (dir);
  file->name = g_strdup (name);
  file->fd = -1;
  file->dir_fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file->dir_fd >= 0)
    file->fd = open_locked (
        file->dir_fd, name, mode == VOD_SESSION_FILE_CREATE ? supplant : NULL);
  if (file->fd < 0) {
    fail (file, "opened", error);
    vod_session_file_close (file);
    return FALSE;
  }
  unlinkat (file->dir_fd, leftover, 0);
  return TRUE;
}

void
vod_session_file_close (VodSessionFile *file)
{
  /* By word, too: a child that the application forked has it open as well. */
  if (file->fd >= 0)
    flock (file->fd, LOCK_UN);
  close_quietly (file->fd);
  close_quietly (file->dir_fd);
  file->fd = file->dir_fd = -1;
  g_clear_pointer (&file->dir, g_free);
  g_clear_pointer (&file->name, g_free);
}

gboolean
vod_session_file_is_named (const VodSessionFile *file)
{
  return is_named (file->dir_fd, file->name, file->fd);
}

gint64
vod_session_file_age (const VodSessionFile *file)
{
  struct stat st;

  if (fstat (file->fd, &st) < 0)
    return 0;
  return g_get_real_time () / G_USEC_PER_SEC - (gint64)st.st_mtime;
}

void
vod_session_file_unlink (VodSessionFile *file)
{
  if (vod_session_file_is_named (file))
    unlinkat (file->dir_fd, file->name, 0);
}

/* --- reading and writing --- */

gchar *
vod_session_file_read (VodSessionFile *file, gsize *len, GError **error)
{
  g_autofree gchar *text = NULL;
  struct stat st;
  gsize size;

  *len = 0;
  if (fstat (file->fd, &st) < 0) {
    fail (file, "read", error);
    return NULL;
  }
  file->damaged = st.st_size > 0;
  if (st.st_size > VOD_SESSION_FILE_MAX)
    return g_strdup ("");
  size = (gsize)st.st_size;
  text = g_malloc (size + 1);
  while (*len < size) {
    gssize n = pread (file->fd, text + *len, size - *len, (off_t)*len);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      fail (file, "read", error);
      return NULL;
    }
    if (n == 0)
      break;
    *len += (gsize)n;
  }
  text[*len] = '\0';
  return g_steal_pointer (&text);
}

void
vod_session_file_believe (VodSessionFile *file, guint64 size)
{
  struct stat st;

  file->size = size;
  file->damaged = fstat (file->fd, &st) < 0 || (guint64)st.st_size != size;
}

static gboolean
cut_back (VodSessionFile *file)
{
  file->damaged = !vod_file_resize (file->fd, file->size);
  return !file->damaged;
}

gboolean
vod_session_file_append (
    VodSessionFile *file, const gchar *text, gsize len, GError **error)
{
  if (file->size + len > VOD_SESSION_FILE_MAX) {
    errno = EFBIG;
    return fail (file, "written", error);
  }
  /* A new line behind a damaged one would be lost with it. */
  if (file->damaged && !cut_back (file))
    return fail (file, "written", error);
  if (!vod_file_write (file->fd, file->size, text, len)) {
    fail (file, "written", error);
    cut_back (file);
    return FALSE;
  }
  file->size += len;
  return TRUE;
}

gboolean
vod_session_file_sync (VodSessionFile *file, GError **error)
{
  return vod_file_sync (file->fd) || fail (file, "written", error);
}

/* @text in a new file at @name, locked, and on the disk. -1 with errno. */
static gint
write_new (gint dir_fd, const gchar *name, const gchar *text, gsize len)
{
  gint fd;

  if (!remove_name (dir_fd, name))
    return -1;
  fd = create (dir_fd, name);
  if (fd < 0)
    return -1;
  if (lock (fd) && vod_file_write (fd, 0, text, len) && vod_file_sync_all (fd))
    return fd;
  close_quietly (fd);
  return -1;
}

gboolean
vod_session_file_replace (
    VodSessionFile *file, const gchar *text, gsize len, GError **error)
{
  g_autofree gchar *name = g_strconcat (file->name, ".new", NULL);
  gint fd;

  /* What somebody else has put there is not ours to replace. */
  if (!vod_session_file_is_named (file)) {
    errno = ENOENT;
    return fail (file, "written", error);
  }
  fd = write_new (file->dir_fd, name, text, len);
  if (fd < 0 || renameat (file->dir_fd, name, file->dir_fd, file->name) < 0) {
    fail (file, "written", error);
    close_quietly (fd);
    unlinkat (file->dir_fd, name, 0);
    return FALSE;
  }
  flock (file->fd, LOCK_UN);
  close (file->fd);
  file->fd = fd;
  file->size = len;
  file->damaged = FALSE;
  return TRUE;
}

gboolean
vod_session_file_sync_dir (VodSessionFile *file, GError **error)
{
  /* Not every file system can do that for a directory. */
  return vod_file_sync_all (file->dir_fd) || errno == EINVAL ||
      errno == ENOTSUP || errno == EROFS || fail (file, "written", error);
}

/* --- renaming --- */

/* FALSE with errno EEXIST if @to is there. */
static gboolean
rename_to_free (gint dir_fd, const gchar *from, const gchar *to)
{
#ifdef RENAME_NOREPLACE
  if (renameat2 (dir_fd, from, dir_fd, to, RENAME_NOREPLACE) == 0)
    return TRUE;
  if (errno != EINVAL && errno != ENOSYS)
    return FALSE;
#endif
  /* A network file system. */
  return linkat (dir_fd, from, dir_fd, to, 0) == 0 &&
      unlinkat (dir_fd, from, 0) == 0;
}

static VodSessionMove
move_failed (const VodSessionFile *file, GError **error)
{
  if (errno == EEXIST)
    return VOD_SESSION_MOVE_TAKEN;
  fail (file, "renamed", error);
  return VOD_SESSION_MOVE_FAILED;
}

/* The companion first: while this file keeps its name nobody else can use that
 * of the companion, so the way back is free. @name is an empty file, ours and
 * locked. */
static VodSessionMove
move_both (VodSessionFile *file, const gchar *name, const gchar *companion,
    const gchar *new_companion, GError **error)
{
  gint dir_fd = file->dir_fd;
  gboolean moved = rename_to_free (dir_fd, companion, new_companion);
  VodSessionMove result;

  if (!moved && errno != ENOENT)
    return move_failed (file, error);
  if (file->size == 0 && !file->damaged) {
    unlinkat (dir_fd, file->name, 0);
    unlinkat (dir_fd, name, 0);
    return VOD_SESSION_MOVE_DONE;
  }
  if (renameat (dir_fd, file->name, dir_fd, name) == 0)
    return VOD_SESSION_MOVE_DONE;
  result = move_failed (file, error);
  if (moved)
    rename_to_free (dir_fd, new_companion, companion);
  return result;
}

/* An empty file at @name, locked, keeps the names that go with it for us. */
static VodSessionMove
claim (const VodSessionFile *file, const gchar *name, gint *fd, GError **error)
{
  if (!vod_session_file_is_named (file)) {
    errno = ENOENT;
    return move_failed (file, error);
  }
  *fd = create (file->dir_fd, name);
  if (*fd < 0)
    return move_failed (file, error);
  if (lock (*fd) && is_named (file->dir_fd, name, *fd))
    return VOD_SESSION_MOVE_DONE;
  close (*fd);
  return VOD_SESSION_MOVE_TAKEN;
}

VodSessionMove
vod_session_file_move (VodSessionFile *file, const gchar *name,
    const gchar *companion, const gchar *new_companion, GError **error)
{
  gint fd;
  VodSessionMove result = claim (file, name, &fd, error);

  if (result != VOD_SESSION_MOVE_DONE)
    return result;
  result = move_both (file, name, companion, new_companion, error);
  if (result != VOD_SESSION_MOVE_DONE)
    unlinkat (file->dir_fd, name, 0);
  close (fd);
  if (result == VOD_SESSION_MOVE_DONE) {
    g_free (file->name);
    file->name = g_strdup (name);
  }
  return result;
}

VodSessionMove
vod_session_file_move_companion (VodSessionFile *file, const gchar *name,
    const gchar *companion, const gchar *new_companion, GError **error)
{
  gint fd;
  VodSessionMove result = claim (file, name, &fd, error);

  if (result != VOD_SESSION_MOVE_DONE)
    return result;
  if (!rename_to_free (file->dir_fd, companion, new_companion))
    result = move_failed (file, error);
  unlinkat (file->dir_fd, name, 0);
  close (fd);
  return result;
}

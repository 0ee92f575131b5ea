/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodspool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vodfile.h"

#define PIECE (256 * 1024)

struct _VodSpool {
  int fd;
  gboolean source;
  /* Of the writing thread. */
  guint64 size; /* of the stream */
  guint64 left; /* bytes of an earlier recording; 0: none, or outgrown */

  GMutex syncing; /* held during a sync: two at a time, and the one would not
                   * hear what the kernel tells the other. Guards … */
  int lost;       /* … why the disk has not got all that was written (errno);
                   * 0: it may have */
};

static gboolean
fail (const gchar *doing, int number, GError **error)
{
  gboolean full = number == ENOSPC || number == EDQUOT || number == EFBIG;

  vod_error_set (error, full ? VOD_ERROR_NO_SPACE : VOD_ERROR_LOCAL,
      "The spool cannot be %s: %s; set state-dir to a folder with enough room "
      "for the whole recording",
      doing, g_strerror (number));
  return FALSE;
}

/* --- life -----------------------------------------------------------------*/

static int
open_private (const gchar *path, int flags, GError **error)
{
  int fd = open (path,
      flags | O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
  struct stat info;

  if (fd < 0) {
    fail ("opened", errno, error);
    return -1;
  }
  if (fstat (fd, &info) != 0 || !vod_file_is_ours (&info)) {
    vod_error_set (error, VOD_ERROR_LOCAL,
        "The spool is not a regular file of ours that nobody else may use: "
        "set state-dir to a folder of your own");
    close (fd);
    return -1;
  }
  return fd;
}

static VodSpool *
spool_new (int fd, gboolean source)
{
  VodSpool *spool = g_new0 (VodSpool, 1);

  g_mutex_init (&spool->syncing);
  spool->fd = fd;
  spool->source = source;
  return spool;
}

VodSpool *
vod_spool_open (const gchar *path, GError **error)
{
  int fd = open_private (path, 0, error);
  VodSpool *spool;

  if (fd < 0)
    return NULL;
  spool = spool_new (fd, FALSE);
  spool->left = (guint64)lseek (fd, 0, SEEK_END);
  return spool;
}

VodSpool *
vod_spool_open_source (const gchar *path)
{
  int fd = open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  struct stat info;

  if (fd < 0)
    return NULL;
  if (fstat (fd, &info) != 0 || !S_ISREG (info.st_mode)) {
    close (fd);
    return NULL;
  }
  return spool_new (fd, TRUE);
}

void
vod_spool_free (VodSpool *spool)
{
  close (spool->fd);
  g_mutex_clear (&spool->syncing);
  g_free (spool);
}

gboolean
vod_spool_is_source (const VodSpool *spool)
{
  return spool->source;
}

guint64
vod_spool_left (const VodSpool *spool)
{
  return spool->left;
}

guint64
vod_spool_size (const VodSpool *spool)
{
  return spool->size;
}

/* --- reading and writing --------------------------------------------------*/

gsize
vod_spool_read (VodSpool *spool, guint64 offset, gpointer buffer, gsize len)
{
  gssize n;

  do
    n = pread (spool->fd, buffer, len, (off_t)offset);
  while (n < 0 && errno == EINTR);
  return n > 0 ? (gsize)n : 0;
}

/* Is what the file has at @offset equal to @data (NULL: zeros)? */
static gboolean
holds (VodSpool *spool, guint64 offset, const guint8 *data, gsize len)
{
  guint8 there[4096];
  static const guint8 zeros[sizeof there];

  while (len > 0) {
    gsize n = vod_spool_read (spool, offset, there, MIN (len, sizeof there));

    if (n == 0 || memcmp (there, data ? data : zeros, n) != 0)
      return FALSE;
    offset += n;
    len -= n;
    if (data)
      data += n;
  }
  return TRUE;
}

VodSpoolResult
vod_spool_write (VodSpool *spool, guint64 offset, const guint8 *data, gsize len,
    GError **error)
{
  gsize old = 0;
  gboolean ok;

  /* What an earlier recording left must be the same; it is not written anew. */
  if (offset < spool->left) {
    old = (gsize)MIN (len, spool->left - offset);
    if (!holds (spool, offset, data, old))
      return VOD_SPOOL_DIFFERS;
  }
  if (old < len) {
    /* A gap is at the end of the stream: a hole is enough. */
    ok = data ? vod_file_write (spool->fd, offset + old, data + old, len - old)
              : vod_file_resize (spool->fd, offset + len);
    if (!ok) {
      fail ("written", errno, error);
      return VOD_SPOOL_FAILED;
    }
  }
  spool->size = MAX (spool->size, offset + len);
  if (spool->size >= spool->left)
    spool->left = 0;
  return VOD_SPOOL_OK;
}

gboolean
vod_spool_sync (VodSpool *spool, GError **error)
{
  int lost;

  g_mutex_lock (&spool->syncing);
  if (spool->lost == 0 && !vod_file_sync (spool->fd))
    spool->lost = errno;
  lost = spool->lost;
  g_mutex_unlock (&spool->syncing);
  return lost == 0 || fail ("synced", lost, error);
}

/* --- parting from an earlier recording ------------------------------------*/

static gboolean
copy_to (
    VodSpool *spool, int fd, gboolean (*give_up) (gpointer data), gpointer data)
{
  g_autofree guint8 *buffer = g_malloc (PIECE);

  for (guint64 offset = 0; offset < spool->size;) {
    gsize n = vod_spool_read (
        spool, offset, buffer, MIN (PIECE, spool->size - offset));

    if (n == 0 || (give_up && give_up (data))) {
      errno = n == 0 ? EIO : ECANCELED;
      return FALSE;
    }
    if (!vod_file_write (fd, offset, buffer, n))
      return FALSE;
    offset += n;
  }
  return TRUE;
}

/* From here on readers read the copy in @fd: what they may read is the same. A
 * sync of the old file that is under way may yet show that it is not. */
static gboolean
go_on_in (VodSpool *spool, int fd)
{
  int number;

  g_mutex_lock (&spool->syncing);
  number = spool->lost;
  if (number == 0 && dup3 (fd, spool->fd, O_CLOEXEC) < 0)
    number = errno;
  g_mutex_unlock (&spool->syncing);
  errno = number;
  return number == 0;
}

gboolean
vod_spool_part (VodSpool *spool, const gchar *path,
    gboolean (*give_up) (gpointer data), gpointer data, GError **error)
{
  int fd;
  gboolean done;

  unlink (path);
  fd = open_private (path, O_EXCL, error);
  if (fd < 0)
    return FALSE;
  done = copy_to (spool, fd, give_up, data) && vod_file_sync (fd) &&
      go_on_in (spool, fd);
  if (!done) {
    fail ("copied", errno, error);
    unlink (path);
  }
  close (fd);
  if (done)
    spool->left = 0;
  return done;
}

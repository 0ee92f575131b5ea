/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodfile.h"

#include <errno.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CANCELLED "user.vodsink.cancelled"

gboolean
vod_file_is_ours (const struct stat *info)
{
  return S_ISREG (info->st_mode) && info->st_uid == geteuid () &&
      (info->st_mode & 077) == 0 && info->st_nlink == 1;
}

gboolean
vod_file_write (int fd, guint64 offset, gconstpointer data, gsize len)
{
  const guint8 *bytes = data;

  while (len > 0) {
    gssize n = pwrite (fd, bytes, len, (off_t)offset);

    if (n < 0 && errno == EINTR)
      continue;
    if (n == 0)
      errno = ENOSPC;
    if (n <= 0)
      return FALSE;
    bytes += n;
    offset += (guint64)n;
    len -= (gsize)n;
  }
  return TRUE;
}

gboolean
vod_file_resize (int fd, guint64 size)
{
  int r;

  do
    r = ftruncate (fd, (off_t)size);
  while (r < 0 && errno == EINTR);
  return r == 0;
}

gboolean
vod_file_sync (int fd)
{
  int r;

  do
    r = fdatasync (fd);
  while (r < 0 && errno == EINTR);
  return r == 0;
}

gboolean
vod_file_sync_all (int fd)
{
  int r;

  do
    r = fsync (fd);
  while (r < 0 && errno == EINTR);
  return r == 0;
}

void
vod_file_set_cancelled (const gchar *path, gboolean cancelled)
{
  if (cancelled)
    lsetxattr (path, CANCELLED, "1", 1, 0);
  else
    lremovexattr (path, CANCELLED);
}

gboolean
vod_file_is_cancelled (int fd)
{
  return fgetxattr (fd, CANCELLED, NULL, 0) >= 0;
}

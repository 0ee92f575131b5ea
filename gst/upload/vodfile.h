/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodfile: what all files of the state directory have in common, sessions and
 * spools: whose they must be, and that they are written as a whole or fail. A
 * signal is no failure.
 */
#pragma once

#include <glib.h>
#include <sys/stat.h>

G_BEGIN_DECLS

/* Is it a regular file of this user, with one name, that nobody else may read or
 * write? Only such a file is believed and written to. */
gboolean vod_file_is_ours (const struct stat *info);

/* Writes all of @data at @offset, or fails with errno; then some of it may be
 * there. Blocks for the disk. */
gboolean vod_file_write (int fd, guint64 offset, gconstpointer data, gsize len);

/* Cuts or extends it to @size bytes, or fails with errno. */
gboolean vod_file_resize (int fd, guint64 size);

/* Blocks until the disk has its bytes, or fails with errno. */
gboolean vod_file_sync (int fd);

/* The same, and for all that the file system says of it. Also of a directory. */
gboolean vod_file_sync_all (int fd);

/* Notes in an attribute of the file @path that its recording was cancelled, or
 * that it goes on. The attribute goes where the file goes, whatever its name.
 * Where the file system has none, nobody will know. */
void vod_file_set_cancelled (const gchar *path, gboolean cancelled);

/* Was that noted, of an open file? */
gboolean vod_file_is_cancelled (int fd);

G_END_DECLS

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsessionfile: a file of the state directory that one process holds at a
 * time, whoever else writes to that directory. Part of vodsession.
 *
 * The holder has it open and locked (flock), and the name is that file's. What
 * is at that name without being a file of ours (a symbolic link, a FIFO, another
 * user's file, one with a second name, or open to others) is neither followed,
 * read nor written to: an empty file takes its place. A directory stays.
 *
 * Errors are VOD_ERROR_BUSY, _NO_SPACE or _LOCAL, in phase session, and name the
 * path. Every call but vod_session_file_close() may block for the disk.
 */
#pragma once

#include "../cloud/voderror.h"

G_BEGIN_DECLS

#define VOD_SESSION_FILE_MAX (16 * 1024 * 1024)

typedef struct {
  gchar *dir;
  gchar *name;
  gint dir_fd;
  gint fd;
  guint64 size; /* bytes that count; what is behind them is cut off by the next
                 * append */
  gboolean damaged; /* there is something behind them */
} VodSessionFile;

typedef enum {
  VOD_SESSION_FILE_CREATE, /* if it is missing or not ours */
  VOD_SESSION_FILE_EXISTING,
} VodSessionFileMode;

gboolean vod_session_file_open (VodSessionFile *file, const gchar *dir,
    const gchar *name, VodSessionFileMode mode, GError **error);

/* Unlocks, and clears @file. */
void vod_session_file_close (VodSessionFile *file);

/* Is the name still this file's? Not if somebody removed it or put another
 * there. */
gboolean vod_session_file_is_named (const VodSessionFile *file);

/* Seconds since it was last written to; 0 if that is not known. */
gint64 vod_session_file_age (const VodSessionFile *file);

/* Removes the name if it is this file's. */
void vod_session_file_unlink (VodSessionFile *file);

/* The whole file; *@len is 0 if it is larger than VOD_SESSION_FILE_MAX. NULL on
 * error. */
gchar *vod_session_file_read (VodSessionFile *file, gsize *len, GError **error);

/* Says that the first @size bytes count. */
void vod_session_file_believe (VodSessionFile *file, guint64 size);

/* Appends. After a failure the file is as before, but for a rest that does not
 * count. */
gboolean vod_session_file_append (
    VodSessionFile *file, const gchar *text, gsize len, GError **error);

/* The disk has on return what was appended. */
gboolean vod_session_file_sync (VodSessionFile *file, GError **error);

/* A new file with @text, which the disk has, takes the place of this one, and
 * is held instead. That the disk has the new name too is left to
 * vod_session_file_sync_dir(). */
gboolean vod_session_file_replace (
    VodSessionFile *file, const gchar *text, gsize len, GError **error);

gboolean vod_session_file_sync_dir (VodSessionFile *file, GError **error);

typedef enum {
  VOD_SESSION_MOVE_DONE,
  VOD_SESSION_MOVE_TAKEN, /* one of the new names is there already */
  VOD_SESSION_MOVE_FAILED,
} VodSessionMove;

/* Renames this file to @name, and the file @companion beside it, if there is
 * one, to @new_companion; nothing is overwritten. An empty file of ours is not
 * renamed but removed. If not DONE, all is as before. */
VodSessionMove vod_session_file_move (VodSessionFile *file, const gchar *name,
    const gchar *companion, const gchar *new_companion, GError **error);

/* The same of the companion alone: this file stays where it is, and @name, which
 * belongs to @new_companion, is free again. FAILED if there is none. */
VodSessionMove
vod_session_file_move_companion (VodSessionFile *file, const gchar *name,
    const gchar *companion, const gchar *new_companion, GError **error);

/* A new error about @path, of which something could not be @done because of
 * @err (errno). */
GError *vod_session_file_error (gint err, const gchar *path, const gchar *done);

/* Keys of the files in @dir whose name is a key and one of @suffixes (with
 * their dot), sorted, each once. A directory that is not there has none. NULL
 * on error. */
gchar **vod_session_dir_list (
    const gchar *dir, const gchar *const *suffixes, GError **error);

G_END_DECLS

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodspool: the media as a file, each byte at its place in the stream.
 *
 * Usually a recording's own file in the state directory, which is read and
 * written. What an earlier, interrupted recording left in it is never
 * overwritten: while the stream has not yet grown beyond it, every write is
 * compared with what is there, and one that would change it is refused; then
 * the caller sets the old file aside and goes on in a copy (vod_spool_part()).
 *
 * Or the file that upstream reads, which is only read, when bytes that are no
 * longer held have to go again.
 *
 * One thread writes; any may read and sync at the same time. A reader may see a
 * write that is under way in part.
 */
#pragma once

#include "../cloud/voderror.h"

G_BEGIN_DECLS

typedef struct _VodSpool VodSpool;

/* Opens the file at @path (mode 0600), creating it if it is missing.
 * VOD_ERROR_LOCAL, _NO_SPACE: it cannot be, or is not a regular file, ours
 * alone; symbolic links are not followed. */
VodSpool *vod_spool_open (const gchar *path, GError **error);

/* Opens upstream's file for reading only; NULL if that is impossible. */
VodSpool *vod_spool_open_source (const gchar *path);

void vod_spool_free (VodSpool *spool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VodSpool, vod_spool_free)

/* TRUE for an upstream's file. */
gboolean vod_spool_is_source (const VodSpool *spool);

/* Bytes of an earlier recording that the stream has not reached yet; 0: none.
 * For the writing thread. */
guint64 vod_spool_left (const VodSpool *spool);

/* Bytes written so far, gaps included: the size of the stream. For the writing
 * thread. */
guint64 vod_spool_size (const VodSpool *spool);

typedef enum {
  VOD_SPOOL_OK,
  VOD_SPOOL_DIFFERS, /* from what an earlier recording left; nothing written */
  VOD_SPOOL_FAILED,  /* some of it may have been written */
} VodSpoolResult;

/* Puts @len bytes of @data (NULL: zeros) at @offset. */
VodSpoolResult vod_spool_write (VodSpool *spool, guint64 offset,
    const guint8 *data, gsize len, GError **error);

/* Reads at most @len bytes at @offset; 0: there are none, or they cannot be
 * read. */
gsize
vod_spool_read (VodSpool *spool, guint64 offset, gpointer buffer, gsize len);

/* Blocks until the disk has everything that was written before. What a failure
 * has cost the kernel tells only once: from then on it fails always. */
gboolean vod_spool_sync (VodSpool *spool, GError **error);

/* Goes on in a new file at @path, which is replaced: a copy of what was written
 * so far, which the disk has on return. The old file stays as it was, with its
 * old name. Readers do not notice. @give_up (may be NULL) is asked now and then
 * whether that is of any use still. Of a file of which a sync has failed there
 * is no copy. */
gboolean vod_spool_part (VodSpool *spool, const gchar *path,
    gboolean (*give_up) (gpointer data), gpointer data, GError **error);

G_END_DECLS

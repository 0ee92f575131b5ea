/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodlocal: what an upload keeps on this machine, its session file and its
 * spool, and what becomes of them.
 *
 * May be called from any thread, with a lock of its own; blocks for disk I/O,
 * so never with the upload's lock. What cannot be written is no failure of the
 * upload: it goes on without a session, which vod_local_take_trouble() tells
 * once.
 *
 * An upload may have to begin anew, with all that it knows void. Its attempts
 * are numbered; a worker that comes late with news of an earlier one is not
 * heard.
 */
#pragma once

#include "vodsession.h"
#include "vodspool.h"
#include "vodupload.h"

G_BEGIN_DECLS

typedef struct _VodLocal VodLocal;

/* What vod_local_open() found, beside what vod_local_found() tells. */
typedef struct {
  gchar *recovered; /* path of an earlier recording that was set aside */
  gchar *notice;    /* why nothing is kept, though it would have been */
} VodLocalOpened;

void vod_local_opened_clear (VodLocalOpened *opened);

/* Opens what @settings ask for. NULL without @error: nothing is to be kept, or
 * cannot be and was not asked for by name (@opened->notice). VOD_ERROR_BUSY,
 * _LOCAL, _NO_SPACE otherwise. */
VodLocal *vod_local_open (
    const VodUploadSettings *settings, VodLocalOpened *opened, GError **error);
void vod_local_free (VodLocal *local);

/* The interrupted upload that goes on; NULL: it begins from the start. Valid
 * until the first note. */
const VodSessionState *vod_local_found (VodLocal *local);

/* NULL: none. Lives as long as @local. */
VodSpool *vod_local_spool (VodLocal *local);
gchar *vod_local_spool_path (VodLocal *local);

/* Is there a session that another run could take up? */
gboolean vod_local_is_kept (VodLocal *local);

/* What was learnt in attempt @attempt; see vodsession.h. */
void vod_local_note_applied (
    VodLocal *local, guint attempt, const VodApiApplied *applied);
void
vod_local_note_upload (VodLocal *local, guint attempt, const gchar *upload_id);
void vod_local_note_cut (
    VodLocal *local, guint attempt, guint number, guint64 offset, guint64 size);
void vod_local_note_confirmed (VodLocal *local, guint attempt, guint number,
    guint64 crc64, const gchar *etag);
void vod_local_note_completing (
    VodLocal *local, guint attempt, guint64 size, guint64 crc64);

/* Sees to it that the disk has the first @size bytes of the spool; @eos: there
 * will be no more. FALSE: the spool cannot be relied on. */
gboolean vod_local_sync (
    VodLocal *local, guint attempt, guint64 size, gboolean eos, GError **error);

/* From now on it is attempt @attempt, which begins from the start. */
void vod_local_begin_anew (VodLocal *local, guint attempt);

/* The stream differs from the recording in the spool: sets that aside with its
 * session and, if @copy, goes on in a copy (see vod_spool_part()). Returns the
 * path of what was set aside. With @error, or without @copy, there is no spool
 * any more to be written to. */
gchar *vod_local_set_aside (VodLocal *local, guint attempt, gboolean copy,
    gboolean (*give_up) (gpointer data), gpointer data, GError **error);

/* The spool is not, or will not be, all of the stream: gives it a name by which
 * nobody takes it for that. It goes with Commit's answer. */
void vod_local_leave_spool (VodLocal *local);

/* Is there one that is being written to? */
gboolean vod_local_has_spool (VodLocal *local);

/* What went wrong with the session since the last call, once; or NULL. */
GError *vod_local_take_trouble (VodLocal *local);

/* The media is committed: gives a spool that is to be kept its name, and returns
 * the path; NULL: none is. The session stays: who is killed before the owner has
 * heard of it goes on from there, and hears the same. */
gchar *vod_local_keep_copy (VodLocal *local, const gchar *file_id);

/* --- the end, one of these; nothing is noted any more ---------------------*/

/* The media is committed, and the owner knows: nothing is left but for what
 * vod_local_keep_copy() keeps, which is done if it was not. May come from two
 * threads; when it returns another upload can begin. */
void vod_local_committed (VodLocal *local, const gchar *file_id);

/* Another run may go on. */
void vod_local_keep (VodLocal *local);

typedef enum {
  VOD_LOCAL_FAILED,
  VOD_LOCAL_CANCELLED, /* no program shall find it to be finished: the spool
                        * says so (vod_file_is_cancelled()) */
  VOD_LOCAL_FLUSHED,   /* the media begins again: as if it had not begun */
} VodLocalDiscard;

/* Nobody goes on: the session is forgotten. But for a flush the spool stays:
 * only Commit ends the need for it. */
void vod_local_discard (VodLocal *local, VodLocalDiscard why);

G_END_DECLS

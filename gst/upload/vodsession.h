/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsession: the session file, what of an upload survives a crash.
 *
 * In a state directory, media with key KEY has KEY.session, a journal that is
 * appended to while the upload goes on, and KEY.media if it is spooled
 * (vodspool.h). A recording that was set aside for a newer one with its key has
 * KEY.1.session and KEY.1.media, KEY.2…; parts at the service that still have
 * to be deleted are remembered in <random>.discard, which reads like a session
 * file (its key is the random one).
 *
 * Whoever opens a session holds it (flock) until it is closed, deleted, or set
 * aside. Nothing that is read from a file is believed before it was checked:
 * each line checks itself, numbers and strings are bounded and of the shape
 * their use needs, and what follows a damaged line does not count. Files that
 * are not regular, not ours, or open to others are not read. Symbolic links are
 * never followed.
 *
 * The note functions may be called from any thread, one after the other; a
 * lock of the session's own sees to that. They block for a write; where it says
 * so, until the disk has it.
 */
#pragma once

#include "../cloud/voderror.h"

G_BEGIN_DECLS

#define VOD_SESSION_MAX_PARTS 10000     /* protocol.md 5.2 */
#define VOD_SESSION_LIFE (24 * 3600)    /* s: protocol.md 1.8 */
#define VOD_SESSION_MAX_RESUME_KEY 4096 /* bytes */

/* A part: as it was cut, and what the service said about it. */
typedef struct {
  guint64 offset; /* in the stream */
  guint64 size;
  gboolean confirmed;
  guint64 crc64; /* if confirmed */
  gchar *etag;   /* if confirmed, else NULL */
} VodSessionPart;

/* Everything that a session file says. Strings may be NULL, but for the
 * endpoint; session_key, bucket_host and object_key are there together or not at
 * all; no upload_id without them, nothing confirmed and no completing without
 * an upload_id. Parts follow one another from offset 0 and, if @eos, do not
 * reach beyond @size. All strings are valid UTF-8, and of the shape that Apply's
 * and the storage's answers have. */
typedef struct {
  gchar *resume_key; /* the application's; NULL: the identity is implicit */
  gchar *endpoint;
  gchar *name; /* of the media */
  gchar *type; /* of the media */
  gboolean spooled;

  gchar *session_key; /* of the VOD API: a secret */
  gchar *bucket_host;
  gchar *object_key;
  gint64 applied; /* Unix seconds: when the session key was given */
  gchar *upload_id;

  GPtrArray *parts;    /* of VodSessionPart, from number 1, without a gap */
  guint64 synced;      /* bytes of the spool that the disk has … */
  gboolean same_boot;  /* … the kernel that wrote the rest has it still */
  gboolean eos;        /* the whole media was received: … */
  guint64 size;        /* … so many bytes */
  gboolean completing; /* Complete may have been sent, of an object with … */
  guint64 crc64;       /* … this CRC64 */
} VodSessionState;

typedef struct _VodSession VodSession;

/* --- the state directory --------------------------------------------------*/

/* The one that `state-dir` names; NULL: $XDG_STATE_HOME/vodsink. */
gchar *vod_session_choose_dir (const gchar *state_dir);

/* Makes @dir (mode 0700, parents as the umask has it) if it is missing.
 * VOD_ERROR_LOCAL or _NO_SPACE if it cannot be made, is no directory, is not
 * ours, can be written by others, or not by us. A symbolic link to a directory
 * that may be used is fine. */
gboolean vod_session_prepare_dir (const gchar *dir, GError **error);

/* The key of a media: 32 hexadecimal digits, a hash of @parts (NULL-terminated;
 * NULL is not allowed within). Different lists give different keys: ("ab", "c")
 * is not ("a", "bc"). */
gchar *vod_session_make_key (const gchar *const *parts);

/* TRUE if @key is what make_key() gives, or that with "." and a number from 1
 * to 9999 behind it: fit to be part of a file name. */
gboolean vod_session_check_key (const gchar *key);

/* DIR/KEY.SUFFIX; suffix "session" or "media". */
gchar *
vod_session_path (const gchar *dir, const gchar *key, const gchar *suffix);

/* Keys that have a .session or .media file in @dir, sorted, each once;
 * NULL-terminated. Other names are passed over. A directory that is missing has
 * none. NULL on error. */
gchar **vod_session_list (const gchar *dir, GError **error);

/* --- one session ----------------------------------------------------------*/

/* Opens and locks the session of @key in @dir (which was prepared), creating an
 * empty file if there is none. VOD_ERROR_BUSY: another process, or another
 * upload of this one, has it. VOD_ERROR_LOCAL or _NO_SPACE: it cannot be opened.
 * VOD_ERROR_PARAMETER: @key is none. What is there without being a file of ours
 * is replaced by an empty one (a directory is VOD_ERROR_LOCAL). A file of ours
 * whose content may not be believed is left as it is until
 * vod_session_begin(). */
VodSession *
vod_session_open (const gchar *dir, const gchar *key, GError **error);

/* Unlocks; the file stays, unless nothing was ever written to it. Frees. */
void vod_session_close (VodSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VodSession, vod_session_close)

/* Unlocks as vod_session_close() does, for who goes on reading what was found,
 * which may be out of date from then on; nothing else may follow but
 * vod_session_close(). */
void vod_session_release (VodSession *session);

/* Deletes the file, unlocks, frees. */
void vod_session_delete (VodSession *session);

/* Renames KEY.session and KEY.media (those that exist) to the first KEY.N that
 * has neither, N from 1 to 9999, and closes. If KEY is itself K.M, to K.N. An
 * empty session file is removed instead. Nothing is overwritten. Returns the new
 * key. NULL on failure: nothing was renamed, and the session is closed. */
gchar *vod_session_set_aside (VodSession *session, GError **error);

/* Renames KEY.media alone, to the first KEY.N that neither file has, with N as
 * above: nobody takes it for the media of this session any more. Nothing is
 * overwritten. Returns the key of its new name. NULL on failure, also if there
 * is no KEY.media: nothing was renamed. The session goes on. */
gchar *vod_session_part_media (VodSession *session, GError **error);

/* What was found at open; NULL if there was nothing to be believed, or after
 * vod_session_begin(). The session's own: the next note changes it. */
const VodSessionState *vod_session_found (VodSession *session);

const gchar *vod_session_key (VodSession *session);
const gchar *vod_session_dir (VodSession *session);

/* Starts over: forgets everything and writes a new header, which takes the
 * place of the old file at once (write, fsync, rename). Copies what it needs:
 * resume_key, endpoint, name, type, spooled, synced, same_boot. It fails as the
 * note functions do. */
gboolean vod_session_begin (
    VodSession *session, const VodSessionState *media, GError **error);

/* Each appends to the journal, which must have been found or begun; what it
 * says already is not written again. They fail with VOD_ERROR_LOCAL or
 * _NO_SPACE; after such a failure all later ones fail too, and what is in the
 * file stays true. VOD_ERROR_PARAMETER: that cannot be (a part out of order, a
 * string that is not of its shape); nothing happened.
 *
 * When the file holds much that is no longer needed, a compact one takes its
 * place; then every note but _cut() blocks until the disk has that. Should that
 * fail, the old one goes on. */

/* What Apply answered; @applied in Unix seconds. Forgets the upload id, the
 * parts and the completing of an earlier one, if the object is another. */
gboolean vod_session_note_applied (VodSession *session,
    const gchar *session_key, const gchar *bucket_host, const gchar *object_key,
    gint64 applied, GError **error);

/* The upload id, of the object. Forgets the receipts and the completing of an
 * earlier one, but not the cuts. */
gboolean vod_session_note_upload (
    VodSession *session, const gchar *upload_id, GError **error);

/* That part @number (from 1) is @size bytes (to 5 GiB) at @offset. Parts must be
 * noted in order, without a gap. A part that was noted with another size is
 * replaced, and those behind it forgotten. If it reaches beyond what was the end
 * of the stream, that (and completing) is forgotten. */
gboolean vod_session_note_cut (VodSession *session, guint number,
    guint64 offset, guint64 size, GError **error);

/* That the service has part @number, which was cut, for the upload id that was
 * noted. */
gboolean vod_session_note_confirmed (VodSession *session, guint number,
    guint64 crc64, const gchar *etag, GError **error);

/* That the disk has the first @size bytes of the spool, in this boot. May be
 * less than before. */
gboolean
vod_session_note_synced (VodSession *session, guint64 size, GError **error);

/* The same, but what else is in the spool may have been lost already, by the
 * disk, or with an earlier kernel: it is as if this one had gone. */
gboolean
vod_session_note_doubt (VodSession *session, guint64 size, GError **error);

/* The end of the stream, after @size bytes; the disk has it on return. Forgets
 * parts that reach beyond it. */
gboolean
vod_session_note_eos (VodSession *session, guint64 size, GError **error);

/* Complete is about to be sent, of the upload id that was noted; the disk has it
 * on return. Notes eos as well. */
gboolean vod_session_note_completing (
    VodSession *session, guint64 size, guint64 crc64, GError **error);

/* --- parts to delete later ------------------------------------------------*/

/* Remembers in @dir that the upload described by @state (endpoint, session_key,
 * bucket_host, object_key, applied; upload_id or NULL: all of that object) has
 * to be deleted at the service. Does not wait for the disk. Returns it as
 * vod_session_take_discard() does. NULL on error. */
VodSession *vod_session_remember_discard (
    const gchar *dir, const VodSessionState *state, GError **error);

/* Takes one discard of @endpoint (NULL: of any) whose name sorts behind @after
 * (NULL: the first), that nobody else has, and locks it: as an open session,
 * whose found() tells what to delete, and whose key is the next @after. NULL:
 * there is none left. Those older than 24 hours, which the service has
 * forgotten, are removed on the way. When it is done: vod_session_delete(), else
 * vod_session_close(). */
VodSession *vod_session_take_discard (
    const gchar *dir, const gchar *endpoint, const gchar *after);

/* Removes sessions without a spool that nobody has written to for 24 hours: the
 * service has forgotten what they tell of. */
void vod_session_forget_old (const gchar *dir);

/* --- for tests and programs -----------------------------------------------*/

void vod_session_state_clear (VodSessionState *state);

G_END_DECLS

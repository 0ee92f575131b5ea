/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the service remembers: sessions with their credentials, uploads with
 * their parts, objects, media, one-time signatures. Every change goes through
 * a function here, which also notes it in ROOT/journal; opening a root replays
 * the journal through the same functions.
 *
 * Main thread only. Names given by clients are values here, never file names.
 */
#ifndef EMU_STATE_H
#define EMU_STATE_H

#include "emu-blob.h"

G_BEGIN_DECLS

/* One Apply, and all resumes of it. */
typedef struct {
  char *id; /* the vodSessionKey */
  char *file_id;
  char *bucket; /* name-appid */
  char *region;
  guint64 app_id;
  char *name;       /* NULL: only a cover is changed */
  char *type;       /* extension */
  char *key;        /* object key of the media */
  char *cover_type; /* NULL: no cover */
  char *cover_key;
  gint64 created; /* real time, us */
  guint64 declared_size;
  guint applies;
  guint failed; /* requests that were answered with an error */
  gboolean committed;
  gboolean forgotten; /* by a fault: the VOD API doesn't know it any more */
} EmuSession;

/* A temporary credential. */
typedef struct {
  char *ak;
  char *sk;
  char *token;
  char *session;  /* id */
  gint64 expires; /* unix time */
  gboolean expired_by_fault;
  gboolean expired_as_message; /* AccessDenied + "Request has expired" */
  guint expired_status;        /* HTTP status of ExpiredToken; 0: 400 */
} EmuCred;

typedef struct {
  guint number;
  EmuBlob *blob;
  char *etag;    /* 32 hex digits */
  guint64 crc64; /* as answered */
  gint64 mtime;
} EmuPart;

typedef struct {
  char *id;
  char *bucket;
  char *key;
  char *content_type;
  gint64 initiated;
  GTree *parts;       /* number -> EmuPart */
  GHashTable *sent;   /* number -> times sent (this run only) */
  GHashTable *failed; /* number -> how many of those failed */
  guint64 bytes;
  guint64 received; /* bodies of requests that have ended (this run only) */
  gpointer job;     /* of emu-complete.c while it is being completed */
} EmuUpload;

/* A complete object: the blobs of its parts, one after the other. */
typedef struct {
  gatomicrefcount refs;
  char *bucket;
  char *key;
  char *upload_id; /* NULL: a simple PUT */
  char *etag;
  char *md5; /* NULL: not known (yet) */
  char *content_type;
  guint64 size;
  guint64 crc64;
  gint64 mtime;
  GPtrArray *blobs;
  GHashTable *sent; /* from the upload, as the next */
  GHashTable *failed;
} EmuObject;

typedef struct {
  char *file_id;
  char *name;
  char *type;
  char *region;
  char *cover_type;
  EmuObject *object;
  EmuObject *cover;
  gint64 applied; /* us */
  gint64 committed;
  guint applies;
  guint failed;
} EmuMedia;

typedef struct {
  char *root;
  char *parts_folder;
  int journal; /* fd; -1 while replaying */
  gboolean discard;
  GHashTable *sessions;   /* id -> EmuSession */
  GHashTable *creds;      /* ak -> EmuCred */
  GHashTable *uploads;    /* id -> EmuUpload */
  GHashTable *objects;    /* "bucket\nkey" -> EmuObject */
  GHashTable *completed;  /* upload id -> EmuObject */
  GHashTable *media;      /* file id -> EmuMedia */
  guint64 media_changes;  /* how often one came or became another */
  GHashTable *signatures; /* used one-time signatures, as hashes */
} EmuState;

EmuState *emu_state_open (const char *root, gboolean discard, GError **error);
void emu_state_free (EmuState *state);

/* Takes @session; one with the same id is replaced but for its counters. */
EmuSession *emu_state_put_session (EmuState *state, EmuSession *session);
void emu_state_forget_session (EmuState *state, const char *id);
EmuCred *emu_state_add_cred (EmuState *state, const char *session,
    const char *ak, const char *sk, const char *token, gint64 expires);
/* All credentials of the session are expired from now on. */
void emu_state_expire_creds (
    EmuState *state, const char *session, gboolean as_message, guint status);

EmuUpload *emu_state_add_upload (EmuState *state, const char *id,
    const char *bucket, const char *key, const char *content_type, gint64 when);
EmuUpload *emu_state_find_upload (
    EmuState *state, const char *bucket, const char *key, const char *id);
void emu_state_remove_upload (EmuState *state, const char *id);
/* Takes @blob. */
void emu_state_put_part (EmuState *state, EmuUpload *upload, guint number,
    EmuBlob *blob, const char *etag, guint64 crc64, gint64 when);
/* A try to send a part; neither is noted in the journal. */
void emu_state_part_begun (EmuUpload *upload, guint number);
/* @upload: its id; it may be gone. */
void emu_state_part_ended (EmuState *state, const char *upload, guint number,
    guint64 received, gboolean failed);

/* Makes parts 1 to @n_parts the object; the upload is gone then. */
EmuObject *emu_state_complete (EmuState *state, EmuUpload *upload,
    guint n_parts, const char *etag, gint64 when);
/* Takes @blob. */
EmuObject *
emu_state_put_object (EmuState *state, const char *bucket, const char *key,
    const char *content_type, EmuBlob *blob, const char *md5, gint64 when);
EmuObject *
emu_state_find_object (EmuState *state, const char *bucket, const char *key);
void emu_state_set_md5 (EmuState *state, EmuObject *object, const char *md5);
EmuObject *emu_object_ref (EmuObject *object);
void emu_object_unref (EmuObject *object);

EmuMedia *
emu_state_commit (EmuState *state, EmuSession *session, gint64 when_us);
/* FALSE if it was used before. */
gboolean emu_state_use_signature (EmuState *state, const char *hash);

void emu_session_free (EmuSession *session);
/* What emu_upload's and emu_object's tables say of a part; 0 if there are none.
 */
guint emu_times (GHashTable *by_part, guint number);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmuObject, emu_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmuSession, emu_session_free)

G_END_DECLS

#endif

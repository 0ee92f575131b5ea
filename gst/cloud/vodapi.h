/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodapi: the VOD API's requests (protocol.md 1). One call, one request; no
 * state but what is passed in. Blocks; errors as in vodcos.h, with
 * VOD_ERROR_SERVICE for an answer whose code is not 0.
 */
#pragma once

#include "vodcos.h"

G_BEGIN_DECLS

typedef struct {
  const gchar *signature;      /* a secret */
  const gchar *session_key;    /* NULL: a new upload; else renew or resume */
  const gchar *name;           /* of a new upload: without extension, UTF-8 */
  const gchar *type;           /* of a new upload: extension without dot */
  guint64 size;                /* of a new upload: 0 = not known, is left out */
  const gchar *storage_region; /* of a new upload: a label; NULL: left out */
  const gchar *cover_type; /* of a new upload with a cover: its extension … */
  guint64 cover_size;      /* … and bytes; NULL: without */
} VodApiApply;

/* What Apply answered, checked: every string is present, bounded, printable
 * and of the shape its use needs (host parts, no "..", no control character).
 * If the credentials' end is not after their start, as in the only sample there
 * is, their life is not known, and 30 minutes are assumed.
 * Immutable and reference counted: g_atomic_rc_box. */
typedef struct {
  gchar *session_key;
  gchar *bucket_host; /* <bucket>-<appid>.cos.<region>.myqcloud.com */
  gchar *key;         /* the video's storagePath without its leading "/" */
  gchar *cover_key;   /* the cover's; NULL: none was asked for, or given */
  gint64 app_id;      /* the account's, for reports; 0: not known */
  /* Hosts that would be faster, "name" or "name:port" in lower case, or NULL:
   * to be forwarded by (MiniProgramAccelerateHost), and to be used as the
   * bucket's own (storageUploadDomain, or cosAcc's). */
  gchar *accelerate_host;
  gchar *upload_domain;
  VodCosCredentials credentials;
} VodApiApplied;

/* What is known of an earlier run's Apply; without credentials, app_id and
 * faster hosts. */
VodApiApplied *vod_api_applied_recall (
    const gchar *session_key, const gchar *bucket_host, const gchar *key);

/* The region in a bucket's host; a new string. */
gchar *vod_api_applied_region (const VodApiApplied *applied);

/* TRUE if both are for the same object. */
gboolean vod_api_applied_same_object (
    const VodApiApplied *one, const VodApiApplied *other);

VodApiApplied *vod_api_applied_ref (VodApiApplied *applied);
void vod_api_applied_unref (VodApiApplied *applied);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VodApiApplied, vod_api_applied_unref)

typedef struct {
  gchar *file_id;
  gchar *video_url;
  gchar *cover_url;      /* may be NULL */
  gchar *verify_content; /* may be NULL */
} VodApiCommitted;

void vod_api_committed_clear (VodApiCommitted *committed);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VodApiCommitted, vod_api_committed_clear)

/* A region that the service offers, and the host that answers for it: a label,
 * and "name" or "name:port". */
typedef struct {
  gchar *name;
  gchar *domain;
} VodApiRegion;

/* PrepareUploadUGC (protocol.md 1.2). Returns an array of VodApiRegion in the
 * service's order, at most 32, may be empty; what is not usable is left out.
 * @timeout in seconds, 0: the connection's. */
GPtrArray *
vod_api_prepare (VodHttp *http, const gchar *endpoint, const gchar *signature,
    guint timeout, GCancellable *cancellable, GError **error);

/* ApplyUploadUGC at @endpoint (a checked base URI). */
VodApiApplied *vod_api_apply (VodHttp *http, const gchar *endpoint,
    const VodApiApply *apply, GCancellable *cancellable, GError **error);

/* CommitUploadUGC. Fills @committed. */
gboolean vod_api_commit (VodHttp *http, const gchar *endpoint,
    const gchar *signature, const gchar *session_key, GCancellable *cancellable,
    VodApiCommitted *committed, GError **error);

/* ApplyUploadUGC for another cover of the committed media @file_id (protocol.md
 * 1.3, "alter cover"): its answer has a cover_key, and no key. */
VodApiApplied *vod_api_apply_cover (VodHttp *http, const gchar *endpoint,
    const gchar *signature, const gchar *file_id, const gchar *name,
    const gchar *type, guint64 size, GCancellable *cancellable, GError **error);

/* CommitUploadUGC for that: returns the cover's URL. */
gchar *vod_api_commit_cover (VodHttp *http, const gchar *endpoint,
    const gchar *signature, const gchar *session_key, GCancellable *cancellable,
    GError **error);

/* The name part of interface.md's `media-name`: NULL if @name may be sent, else
 * what is wrong with it, for people. */
const gchar *vod_api_check_name (const gchar *name);

/* A name derived from a file name or a tag, made acceptable: forbidden
 * characters become "_", invalid UTF-8 too, cut to 200 bytes at a character.
 * NULL if nothing is left. */
gchar *vod_api_derive_name (const gchar *text);

/* TRUE if @type may be sent as videoType: 1…16 ASCII letters and digits. */
gboolean vod_api_check_type (const gchar *type);

/* What Apply answered may be kept in a file: TRUE if what was read from there
 * is as VodApiApplied promises. */
gboolean vod_api_check_session_key (const gchar *session_key);
gboolean vod_api_check_bucket_host (const gchar *host);
gboolean vod_api_check_object_key (const gchar *key);

G_END_DECLS

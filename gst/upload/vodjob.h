/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodjob: what a worker does between two looks at the upload's state: one
 * request, from what was copied out of the state before. No lock is held, and
 * nothing of the upload's state is touched.
 */
#pragma once

#include "../cloud/vodcos.h"
#include "vodendpoints.h"
#include "vodsession.h"
#include "vodslices.h"
#include "vodupload.h"

G_BEGIN_DECLS

typedef enum {
  VOD_JOB_NONE, /* nothing now: wait */
  VOD_JOB_EXIT, /* nothing any more: the worker ends */
  VOD_JOB_REGION,
  VOD_JOB_APPLY,
  VOD_JOB_RENEW,
  VOD_JOB_CHECK, /* was the interrupted upload completed? */
  VOD_JOB_LIST,  /* which of its parts does the service have? */
  VOD_JOB_INITIATE,
  VOD_JOB_PART,
  VOD_JOB_COMPLETE,
  VOD_JOB_LOOK,
  VOD_JOB_COMMIT,
  VOD_JOB_COVER,       /* uploads the cover beside the media */
  VOD_JOB_COVER_APPLY, /* the media is committed: asks for another cover, … */
  VOD_JOB_COVER_PUT,   /* … uploads it … */
  VOD_JOB_COVER_COMMIT, /* … and makes it the media's */
  VOD_JOB_ABORT,
  VOD_JOB_SYNC,  /* the spool to the disk */
  VOD_JOB_SWEEP, /* deletes what an earlier upload could not */
} VodJobKind;

typedef struct {
  guint number;
  guint64 offset;
  guint64 size;
} VodJobCut;

typedef struct {
  VodJobKind kind;
  gint64 begun;  /* monotonic µs */
  gint64 asked;  /* likewise: the request itself; 0: it was not made */
  gint64 held;   /* µs of the time since that it waited for the pace */
  guint attempt; /* of the upload; what it brings is void in a later one */
  VodEndpointUse endpoint; /* where it goes; once it is known */
  gchar
      *accelerated; /* … or base URI of the host that Apply has named for it */

  /* What it works on. */
  VodApiApplied *applied; /* reference; NULL before Apply */
  gchar *upload_id;
  gchar *signature; /* APPLY, RENEW, COMMIT, SWEEP, COVER_APPLY, _COMMIT */
  gchar *region;    /* APPLY: to store in; NULL: the service chooses */
  GBytes *cover;    /* APPLY (NULL: none), COVER, COVER_… */
  gchar *file_id;   /* COVER_APPLY */
  VodSlice *slice;  /* PART: in flight, with this worker */
  VodJobCut *cuts;  /* PART: to be noted before it is sent */
  guint n_cuts;
  VodSliceReceipt receipt_before; /* PART: of an earlier run; etag NULL: none */
  gboolean completed_there; /* PART, LOOK: nothing can be sent any more; … */
  guint64 completed_size;   /* … LOOK: Complete was sent for this … */
  guint64 completed_crc64;  /* … object */
  gboolean look_first;      /* INITIATE: an earlier one may have got through */
  VodSession *discard;      /* SWEEP: open */
  gboolean eos;             /* SYNC: of all, up to `size` */
  gchar **etags;            /* COMPLETE: one a part */
  guint n_etags;
  guint64 size;  /* COMPLETE, LOOK, CHECK: the object's … */
  guint64 crc64; /* … and PART: the slice's, once computed */

  /* What came of it. */
  VodApiApplied *new_applied;
  gchar *new_region; /* REGION: may be NULL */
  gchar *new_upload_id;
  GArray *listed;   /* LIST: of VodCosPart */
  gboolean skipped; /* PART: it was there */
  gboolean reached; /* COVER, COVER_PUT: the storage answers, if not to them */
  gboolean seen;    /* LOOK, CHECK: the object is there as it should be; else
                     * without an error: we may not look */
  VodCosReceipt receipt;
  VodApiCommitted committed;
} VodJob;

void vod_job_clear (VodJob *job);

VodPhase vod_job_phase (VodJobKind kind);

/* Does it; blocks. @sent (may be NULL) is told of body bytes of a part.
 * Returns NULL, or what went wrong. */
GError *vod_job_perform (VodJob *job, const VodUploadSettings *settings,
    VodHttp *http, void (*sent) (gsize bytes, gpointer data),
    gpointer sent_data, GCancellable *cancellable);

G_END_DECLS

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What vodupload.c (the owner's side) shares with the workers' side (vodworker,
 * vodoutcome, vodfailure, …): the state of one upload, in one place under
 * one lock.
 *
 * upload->lock guards every field below "state". It is never held during I/O,
 * copying of media, hashing, or an event. `settings`, `events` and `data` do
 * not change. What else below the element has a lock is not locked under this
 * one (`local`), or within its own functions only (the pace, the reporter, the
 * budget of workers).
 *
 * Conditions: `work` wakes whoever waits in a worker (for a job, the end, a
 * slice to be unpinned, a turn to tell the progress); `room` wakes the
 * streaming thread and vod_upload_join() (memory, an end, an interruption, a
 * worker that left). Both are broadcast, never signalled.
 */
#pragma once

#include <stdatomic.h>

#include "vodbudget.h"
#include "vodcover.h"
#include "vodendpoints.h"
#include "vodhaste.h"
#include "vodjob.h"
#include "vodlocal.h"
#include "vodrate.h"
#include "vodregion.h"
#include "vodreporter.h"
#include "vodslices.h"
#include "vodupload.h"

G_BEGIN_DECLS

/* What has to happen next at the service, one after the other. */
typedef enum {
  VOD_STEP_IDLE,   /* nothing was written yet */
  VOD_STEP_REGION, /* which region is nearest? */
  VOD_STEP_APPLY,
  VOD_STEP_CHECK, /* an interrupted upload: was it completed? … */
  VOD_STEP_LIST,  /* … which parts are there? */
  VOD_STEP_INITIATE,
  VOD_STEP_PARTS,
  VOD_STEP_COMPLETE,
  VOD_STEP_LOOK, /* the answer to Complete was lost: is the object there? */
  VOD_STEP_COMMIT,
  VOD_STEP_COVER_APPLY, /* the media is committed; its cover is exchanged */
  VOD_STEP_COVER_PUT,
  VOD_STEP_COVER_COMMIT,
  VOD_STEP_END,
} VodStep;

typedef enum {
  VOD_END_NONE,
  VOD_END_DONE,
  VOD_END_FAILED,
  VOD_END_STOPPED,
} VodEnd;

/* A request that is tried until it succeeds. */
typedef struct {
  gboolean busy;     /* a worker has it */
  guint failures;    /* in a row … */
  guint answered;    /* … of which so many were an answer */
  gint64 not_before; /* monotonic µs */
} VodTry;

typedef struct {
  VodUpload *upload; /* a reference */
  GThread *thread;
  gboolean busy;
  gboolean in_app;  /* inside events.ask: may never come back */
  gboolean leaving; /* takes no job any more */
  gboolean left;    /* is about to end */
  /* Of the request under way; NULL: none. Guarded by the lock, so that others
   * can cancel. */
  GCancellable *cancellable;
  VodHttp *http;
  gboolean overdue; /* was cancelled for taking too long */
} VodWorker;

struct _VodUpload {
  VodUploadSettings settings;
  VodUploadEvents events;
  gpointer data;
  GDestroyNotify destroy;

  _Atomic guint64 bytes_sent;
  _Atomic gint64 next_look; /* monotonic µs: when to measure again */

  GMutex lock;
  GCond work;
  GCond room;

  /* Opened by the streaming thread before anything else happens, then not
   * changed; NULL: nothing is kept. It has a lock of its own, which is taken
   * without this one. */
  VodLocal *local;
  VodSpool *source;  /* likewise; upstream's file, if nothing is spooled */
  gboolean prepared; /* of the streaming thread: `local` was opened */

  VodReporter *reporter; /* NULL: nothing is reported */
  gchar *report_key;     /* the same in all reports of this upload */

  /* state */
  gint retry_duration;
  guint progress_interval;
  gchar *signature;
  gchar *refused;         /* signature string that the service would not have */
  guint signature_serial; /* counts settings of `signature` */

  VodStep step;
  VodEnd end;
  gboolean opening; /* that it begins was told */
  gboolean ending;  /* a worker has claimed the end and tells the owner */
  gboolean closing; /* finish was called */
  gboolean interrupted;
  gboolean paused;
  gboolean waiting_for_signature;
  gboolean discard_on_stop;

  VodSlices *slices;
  guint64 left_at_finish; /* bytes not confirmed when finish was called */
  gint64 blocked_time;    /* µs */
  guint64 received;
  VodHaste haste;
  gint64 blocked_since; /* monotonic µs: memory is full; 0: it is not */
  gboolean warned_parts, warned_time, warned_blocked;
  gint64 started; /* monotonic µs: first byte */

  VodEndpoints endpoints;
  VodTry step_try;
  VodTry renew_try;
  gboolean renew_wanted;  /* the service refused the credentials */
  gint64 renew_at;        /* monotonic µs: 90 % of their life */
  gint64 expires_at;      /* monotonic µs */
  VodApiApplied *applied; /* replaced as a whole */
  gchar *region;          /* the nearest, once it was found; or NULL */
  gboolean region_sought; /* it was tried to find it */
  gchar *region_blamed;   /* Apply was refused with it, and not yet tried
                           * without: what to say if that succeeds */
  GPtrArray *left_hosts;  /* accelerated ones that were given up, base URIs */
  guint bad_answers;      /* in a row, of the one in use */
  gboolean told_host;     /* that one is not used */
  gchar *upload_id;
  gboolean parts_to_delete; /* there may be parts at the service */
  VodSession *discard;      /* remembers that, until they are deleted */
  gboolean keep_at_stop;    /* after a failure: what becomes of `local` then */
  gboolean cancelled;       /* … which was this one */
  gboolean let_go;          /* what is kept and left was dealt with */
  gboolean holding;         /* nothing is deleted before it is remembered */
  gboolean look_first;      /* an Initiate may have got through */
  guint parts_in_flight;
  VodShare share;   /* of the process' budget of workers */
  gint64 probe_at;  /* in an outage: when to try the next part, monotonic µs */
  guint cuts_noted; /* parts whose cut is on the disk */

  guint attempt;     /* numbers beginnings from the start */
  gboolean resuming; /* Apply is for an interrupted upload, of which … */
  gboolean may_be_completed; /* … Complete may have been sent, … */
  guint64 completed_size, completed_crc64; /* … of this object; */
  gboolean beginning;       /* from the start: no job before that is noted */
  gboolean seen;            /* HEAD has shown the object */
  gboolean blind;           /* we may not look whether it is there … */
  gboolean completed_there; /* … or it is: nothing can be sent any more */
  guint parts_skipped;

  VodCover cover;
  VodTry cover_try;           /* of the announced one */
  gint64 cover_failed;        /* monotonic µs: the last of them did; 0: none */
  gboolean cover_read;        /* cover-location was */
  gboolean commit_unanswered; /* it may have been done */
  gboolean committed; /* the media is: nothing can fail the upload any more */
  gboolean hurry;     /* … and nobody waits for its cover */
  VodApiCommitted result;
  GBytes *exchange; /* the cover to be, while it is exchanged … */
  VodApiApplied *exchange_applied; /* … and its place */
  guint exchanges;

  guint64 spooled;   /* bytes of the stream that are in the spool */
  guint64 synced;    /* of them, those on the disk */
  gint64 last_sync;  /* monotonic µs */
  gboolean syncing;  /* a worker does it */
  gboolean spooling; /* the spool takes bytes */
  gboolean eos_synced;
  GError *spool_trouble;   /* of a sync, for the streaming thread */
  gboolean record_over;    /* vod_upload_stop_recording() was called */
  guint64 recorded_to;     /* where vod_upload_record() goes on */
  guint64 recorded_synced; /* of what vod_upload_record() wrote */
  gboolean sweeping;       /* a worker deletes what earlier uploads left */
  gboolean swept;          /* what earlier uploads left was looked after */
  gchar *sweep_after;

  guint still;          /* reasons for retry-duration to stand still … */
  gint64 still_since;   /* … since the first of them, monotonic µs */
  gboolean renewed;     /* by force, since the last success of anything else */
  GError *refusal;      /* why the service would not have `refused` */
  gint64 failing_since; /* begin of the first request that failed since the
                         * last success; 0: none */
  gint64 held;          /* µs of that which stood still */
  gint64 counted_to;    /* nothing before that will, because of what waits for
                         * the pace; monotonic µs */
  gint64 last_success;  /* monotonic µs */
  gint64 last_check;    /* for overdue requests, monotonic µs */
  guint retries;
  VodRate rate;
  guint64 rate_counted; /* of bytes_sent, what `rate` has seen */
  gint64
      next_progress; /* monotonic µs: when to tell again, by the interval … */
  gint64 next_beat;  /* … and by the beat */
  gboolean telling;  /* somebody calls events.progress: they stay in order */

  gint64 storing_since; /* monotonic µs: Apply got through; 0: not yet */
  gboolean stored;      /* that the object is complete was reported */

  GPtrArray *workers;   /* of VodWorker, those that run or were not joined */
  gint64 next_thread;   /* monotonic µs: no other is asked for before */
  GError *crew_trouble; /* there was none for too long, for the streaming
                         * thread */

  GQueue notes;              /* lines for the log (vodnotes.c) */
  guint told_workers;        /* the log knows that there were so many … */
  gboolean told_threads;     /* … that there are no threads for more … */
  gboolean told_unreported;  /* … or for the reports … */
  gboolean told_unconnected; /* … or no connections … */
  gboolean told_outage;      /* … that there is one … */
  gboolean told_first;       /* … and that a part has arrived */
};

/* Starts workers while there is more to do than idle ones. With the lock. */
void vod_upload_ensure_workers (VodUpload *upload);

/* There may be something to do. With the lock. */
void vod_upload_wake_workers (VodUpload *upload);

/* Ends the upload if there has been no thread for a worker for as long as
 * retry-duration allows. For the streaming thread, without the lock. */
void vod_upload_heed_crew (VodUpload *upload);

/* A worker's thread; @data is the VodWorker. */
gpointer vod_worker_main (gpointer data);

/* Has nothing succeeded for so long that one part at a time is tried? With the
 * lock. */
gboolean vod_upload_is_cut_off (const VodUpload *upload);

/* TRUE if one more part may be in flight. With the lock. */
gboolean vod_upload_has_room (const VodUpload *upload);

/* Is there a worker but @worker that may go on with the upload? @settled: one
 * that can be relied on, as it has got what it needs, and is neither only
 * starting nor in the application's hands. With the lock. */
gboolean vod_upload_has_another (
    const VodUpload *upload, const VodWorker *worker, gboolean settled);

/* Does another upload need a slot more than this? Then it gets one, and
 * @worker, which is between two jobs, has to end. With the lock. */
gboolean vod_upload_yield_slot (VodUpload *upload, const VodWorker *worker);

/* Is @worker, which has had nothing to do since @idle_since, to end? Else
 * *@wake is lowered to when to ask again. With the lock. */
gboolean vod_upload_is_spare (const VodUpload *upload, const VodWorker *worker,
    gint64 idle_since, gint64 *wake);

/* Gives back slots that are of no use with so few workers. With the lock;
 * vod_shares_wake() has to follow. */
void vod_upload_trim_share (VodUpload *upload);

/* There is another slot; @data is the upload. Without the lock. */
void vod_upload_wake_share (gpointer data);

/* Threads of workers that have left, taken out of the table, to be joined. With
 * the lock. */
GSList *vod_upload_take_left (VodUpload *upload);

/* Workers, started or not, that could take a slice now. With the lock. */
guint vod_upload_idle_workers (VodUpload *upload);

/* Cancels requests that take too long, at most once a second. With the lock. */
void vod_upload_check_overdue (VodUpload *upload);

/* The requests under way now: GCancellables, for vod_upload_cancel_all() once
 * the lock is free. Taken where the end is set, so that the DELETE that follows
 * from it is not among them. With the lock. */
GPtrArray *vod_upload_take_requests (VodUpload *upload);

/* Cancels and frees @requests. Without the lock. */
void vod_upload_cancel_all (GPtrArray *requests);

/* Whose failures in a row count for a job; NULL: the slice's own. With the
 * lock. */
VodTry *vod_upload_try_of (VodUpload *upload, VodJobKind kind);

/* --- vodnotes.c ---
 *
 * Takes down a line for the log. With the lock. */
#define vod_upload_note(upload, level, ...)                                    \
  vod_upload_note_full (                                                       \
      upload, level, __FILE__, G_STRFUNC, __LINE__, __VA_ARGS__)

void vod_upload_note_full (VodUpload *upload, VodLogLevel level,
    const gchar *file, const gchar *function, gint line, const gchar *format,
    ...) G_GNUC_PRINTF (6, 7);

/* Writes what was taken down. Without the lock. */
void vod_upload_write_notes (VodUpload *upload);

/* Forgets it. */
void vod_upload_drop_notes (VodUpload *upload);

/* What people call @job; it has its slice. */
void vod_upload_name_job (const VodJob *job, gchar *name, gsize size);

/* @job is about to be done, after so many @failures; or was done. Without the
 * lock. */
void
vod_upload_log_begin (VodUpload *upload, const VodJob *job, guint failures);
void vod_upload_log_success (VodUpload *upload, const VodJob *job);

/* Takes down that @job has failed with @error, which it has done @failures times
 * in a row; @next: what happens now. With the lock. */
void vod_upload_note_failure (VodUpload *upload, const VodJob *job,
    GError *error, guint failures, const gchar *next);

/* The same; it is tried again, after @delay ms. @how: ", with …", or "". */
void vod_upload_note_retry (VodUpload *upload, const VodJob *job, GError *error,
    guint failures, gint delay, const gchar *how);

/* --- vodplace.c --- */

/* Whom a request is for. */
typedef enum {
  VOD_PLACE_NONE,    /* none: it is not one, or not of the upload's own way */
  VOD_PLACE_SERVICE, /* the VOD API, at the endpoint; with a signature */
  VOD_PLACE_STORAGE, /* the bucket: by an accelerated host, if there is one, by
                      * the endpoint, or straight … */
  VOD_PLACE_STORAGE_PLAIN, /* … but for the first of these */
} VodPlace;

VodPlace vod_upload_place_of (VodJobKind kind);

/* Where an upload begins that has nothing at the service yet, or that is known
 * there (`resuming`). With the lock. */
VodStep vod_upload_first_step (const VodUpload *upload);

/* REGION: finds the nearest region; NULL: none. Blocks. Without the lock. */
gchar *vod_upload_find_region (VodWorker *worker);

/* Apply has failed with @error. If that may be because of the region that was
 * found: TRUE, and the next one goes without. With the lock. */
gboolean vod_upload_drop_region (VodUpload *upload, GError *error);

/* Apply has succeeded. If that is because it went without the region that was
 * found, other uploads of the process do without it too. Without the lock. */
void vod_upload_convict_region (VodUpload *upload);

/* May @try be done now? Else *@wake is when, if that is known. With the
 * lock. */
gboolean vod_upload_try_ready (const VodTry *try, gint64 now, gint64 *wake);

/* --- vodoutcome.c, with the lock ---
 *
 * What is told without the lock is told between these: a worker that is in the
 * owner's hands is not free for a job. */
void vod_upload_leave_lock (VodWorker *worker);
void vod_upload_return_to_lock (VodWorker *worker);

void vod_upload_next_step (VodUpload *upload, VodStep step);

/* The upload is open: parts may be sent. Gives up the lock. */
void vod_upload_begin_parts (VodWorker *worker);

/* Complete got through: everything is there, and is compared with what comes
 * now. Gives up the lock. */
void vod_upload_note_completed (VodWorker *worker);

/* The streaming thread copies into the slice for a moment; then it may change
 * state. Gives up the lock. */
void vod_upload_wait_unpinned (VodUpload *upload, const VodSlice *slice);

/* @job is no request of the upload itself: it is settled, with @error if it has
 * failed. FALSE: it is one. */
gboolean
vod_upload_settle_aside (VodWorker *worker, VodJob *job, const GError *error);

/* --- vodfailure.c, with the lock ---
 *
 * Remembers that the service would not have the signature of @job, and why. */
void vod_upload_note_refused (
    VodUpload *upload, const VodJob *job, const GError *error);

/* --- vodclock.c, with the lock ---
 *
 * A reason for retry-duration to stand still begins or ends. */
void vod_upload_stand_still (VodUpload *upload, gboolean still);

/* How long nothing has got through since the first failure, µs, without what
 * stood still: the time that `retry-duration` bounds. 0: nothing has failed. */
gint64 vod_upload_failing_for (const VodUpload *upload);

/* What failed next would be the first. */
void vod_upload_forget_failures (VodUpload *upload);

/* Something is not tried before @until (monotonic µs) because it has failed: so
 * long does that time not stand still for what waits for the pace. */
void vod_upload_count_pause (VodUpload *upload, gint64 until);

/* @job has failed, not as the first: what of its time has waited for the pace
 * does not count. */
void vod_upload_leave_out_waiting (VodUpload *upload, const VodJob *job);

/* @job has failed and is nothing that can be done without: how long the upload
 * may go on trying, µs. */
gint64 vod_upload_time_left (VodUpload *upload, const VodJob *job, gint64 now);

/* The same of what failed otherwise; it began at @since. */
gint64 vod_upload_time_left_since (VodUpload *upload, gint64 since, gint64 now);

/* --- vodcoverwork.c ---
 *
 * The cover as far as is known, a reference; NULL: there is none. @last: the
 * stream has ended. Tells what is no cover. Without the lock. */
GBytes *vod_upload_find_cover (VodUpload *upload, gboolean last);

/* The rest with the lock. Apply has given the cover of @job a place, or not. */
void vod_upload_place_cover (VodUpload *upload, const VodJob *job);

/* The credentials are fresh: is there still a place for it? */
void vod_upload_review_place (VodUpload *upload);

/* Is the announced one to be uploaded now? Else *@wake is when, if that is
 * known. */
gboolean
vod_upload_cover_due (const VodUpload *upload, gint64 now, gint64 *wake);
void vod_upload_prepare_cover (VodUpload *upload, VodJob *job);

/* The media is committed. FALSE: @best (or NULL) is its cover already, or not
 * worth another try. */
gboolean vod_upload_begin_exchange (VodUpload *upload, GBytes *best);
gboolean vod_upload_is_exchanging (const VodUpload *upload);
gboolean vod_upload_is_exchange (const VodJob *job);

/* The media is committed, and nobody waits for its cover any more: if that is
 * being exchanged, this is its end. Gives up the lock to tell the owner. */
void vod_upload_end_exchange (VodUpload *upload);

/* Is @job done for nothing but the cover, so that the media does without? */
gboolean vod_upload_is_for_cover (const VodUpload *upload, const VodJob *job);

/* Such a job has succeeded; or failed with @error (taken). They give up the
 * lock to tell the owner. */
void vod_upload_settle_cover (VodUpload *upload, VodJob *job);
void vod_upload_settle_cover_failure (
    VodWorker *worker, VodJob *job, GError *error, VodWay way);

/* Base URI (to be freed) of the accelerated host that takes @job's request;
 * NULL: it goes the ordinary way. With the lock. */
gchar *vod_upload_accelerate (VodUpload *upload, const VodJob *job);

/* @job has failed at an accelerated host: that is not used any more by this
 * upload. FALSE: it went the ordinary way. With the lock. */
gboolean vod_upload_leave_host (VodUpload *upload, const VodJob *job);

/* @job has failed with @error, an answer. TRUE: it came from an accelerated
 * host that is left, because of it or already. With the lock. */
gboolean
vod_upload_doubt_host (VodUpload *upload, const VodJob *job, GError *error);

/* @job has succeeded. With the lock. */
void vod_upload_trust_host (VodUpload *upload, const VodJob *job);

/* Says, once, that the host that @applied names may not be used. Without the
 * lock. */
void vod_upload_mention_host (VodUpload *upload, const VodApiApplied *applied);

/* --- vodanew.c ---
 *
 * @job has failed for good with @error; but another beginning, under a new
 * attempt number, may help. FALSE: it may not, or bytes are missing for that, or
 * it was tried too often. With the lock, which it gives up and takes again. */
gboolean
vod_upload_begin_anew (VodWorker *worker, const VodJob *job, GError *error);

/* Has the service refused what was asked for, not who asks (as far as that is
 * known)? */
gboolean vod_upload_was_refused (GError *error);

/* The stream is not what the spool has, or (@trouble, taken) cannot go on in
 * it: sets that aside and begins from the start, in a copy unless there is
 * @trouble. @unsynced as for vod_upload_leave_spool(). For the streaming
 * thread, without the lock. */
void
vod_upload_part_ways (VodUpload *upload, GError *trouble, gboolean unsynced);

/* Has it ended, with nobody going on with what it keeps? @data: the upload.
 * Without the lock. */
gboolean vod_upload_is_let_go (gpointer data);

/* --- vodend.c ---
 *
 * The right to end the upload goes to one only. With the lock. */
gboolean vod_upload_claim_end (VodUpload *upload);

/* The media is committed, and nothing is left to be done. With the lock, which
 * it gives up to tell the owner; only then what is kept on this machine goes. */
void vod_upload_tell_success (VodUpload *upload);

/* … or because nobody listens any more. The media is committed. Without the
 * lock. */
void vod_upload_forget (VodUpload *upload);

/* It ends at @end, before it was committed; unless @keep, what is up is to be
 * deleted. With the lock. Returns the requests under way, for
 * vod_upload_cancel_all(). */
GPtrArray *vod_upload_end_early (VodUpload *upload, VodEnd end, gboolean keep);

/* For who has claimed the end. Takes @error. Without the lock. */
void vod_upload_tell_failure (VodUpload *upload, GError *error);

/* --- vodleft.c ---
 *
 * What there may be at the service of this upload; NULL: nothing. With the
 * lock. */
VodSessionState *vod_upload_leftovers (const VodUpload *upload);

/* Sees to it that @state (taken; NULL: nothing) is deleted sometime. Returns
 * what remembers it, if anything does. Without the lock. */
VodSession *
vod_upload_remember (const VodUpload *upload, VodSessionState *state);

/* A DELETE has ended: what remembers it is not needed any more, or needed from
 * now on. Without the lock. */
void
vod_upload_note_abort (VodUpload *upload, const VodJob *job, gboolean deleted);

/* --- vodkeep.c --- */

/* Opens `local` and takes up what it knows. FALSE: the upload has failed. For
 * the streaming thread, without the lock. */
gboolean vod_upload_prepare (VodUpload *upload);

/* The spool takes no more, because of @error (taken); @unsynced: and what is in
 * it may not be what was written. Likewise. */
void
vod_upload_leave_spool (VodUpload *upload, GError *error, gboolean unsynced);

/* The upload has failed, and the recording that goes on without it ends because
 * of @error (taken), which the owner hears once. Returns FALSE. Likewise. */
gboolean vod_upload_stop_recording (VodUpload *upload, GError *error);

/* Leaves it if a worker has found that the disk does not take the spool.
 * Likewise. */
void vod_upload_heed_spool (VodUpload *upload);

/* Notes on disk what @job is about to do, or has done. Without the lock. */
void vod_upload_note_before (VodUpload *upload, const VodJob *job);
void
vod_upload_note_after (VodUpload *upload, VodJob *job, const GError *error);

/* A warning of local storage. Without the lock. */
void vod_upload_warn (
    VodUpload *upload, VodUploadWarning warning, const gchar *message);

/* Warns that the session file has failed, once. Without the lock. */
void vod_upload_tell_trouble (VodUpload *upload);

/* Is it time to sync? Else *@wake is when. With the lock. */
gboolean vod_upload_sync_due (VodUpload *upload, gint64 now, gint64 *wake);

/* Gives the SWEEP what an earlier upload could not delete. FALSE: there is
 * nothing. Without the lock. */
gboolean vod_upload_take_discard (VodUpload *upload, VodJob *job);

/* Could another run go on where this one is? Without the lock. */
gboolean vod_upload_is_kept (VodUpload *upload);

/* The end, after `end` was set: closes `local` so that another run can go on
 * (@keep), or remembers the parts that have to be deleted. Without the lock. */
void
vod_upload_let_go (VodUpload *upload, gboolean keep, VodLocalDiscard discard);

/* A job has succeeded, or failed with @error (taken). With the lock, which they
 * give up to tell the owner. */
void vod_upload_settle_success (VodWorker *worker, VodJob *job);
void vod_upload_settle_failure (VodWorker *worker, VodJob *job, GError *error);

/* A signature from whichever source has one; a secret. Waits for one that is
 * promised, at most @patience µs (G_MAXINT64: as long as retry-duration says).
 * NULL with @error. Without the lock. */
gchar *vod_upload_obtain_signature (
    VodWorker *worker, gint64 patience, GError **error);

/* --- vodreports.c --- */

/* Makes `reporter`, if there is an id to report with. For vod_upload_new(). */
void vod_upload_open_reports (VodUpload *upload);

/* Reports what became of @job: the request succeeded, or failed with @error. If
 * it is one that is reported, was made, and was not given up by us. With the
 * lock. */
void
vod_upload_report_job (VodUpload *upload, const VodJob *job, GError *error);

/* Reports a try of Prepare, if there was one; @region: what was found with it,
 * or NULL. Without the lock. */
void vod_upload_report_prepare (
    VodUpload *upload, const VodRegionPrepare *prepare, const gchar *region);

/* Reports that the media is committed: the last event. With the lock. */
void
vod_upload_report_done (VodUpload *upload, const VodApiCommitted *committed);

/* Reports that the upload has failed: the last event. One that was cancelled
 * has not. Without the lock. */
void vod_upload_report_failure (VodUpload *upload, GError *error);

/* --- vodprogress.c ---
 *
 * How many bytes the media will have; 0: not known, or more have come than
 * upstream said. @stats: of the slices. With the lock. */
guint64
vod_upload_whole_size (const VodUpload *upload, const VodSlicesStats *stats);

/* Lets `rate` see what was sent. With the lock. */
void vod_upload_measure_rate (VodUpload *upload);

/* Tells the owner how far it is, if it is time or @last. Takes the lock. */
void vod_upload_tell_progress (VodUpload *upload, gboolean last);

/* Body bytes were handed to the socket; @data is the upload. Without the
 * lock. */
void vod_upload_note_sent (gsize bytes, gpointer data);

G_END_DECLS

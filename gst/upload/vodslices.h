/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodslices: the table of slices, the heart of the upload.
 *
 * A stream of bytes that may be rewritten in places is cut into numbered parts
 * while it grows. The table decides where to cut, which slice may be sent when,
 * what stays in memory for a rewrite, and what a rewrite does to a slice in
 * each state:
 *
 *   filling     the last slice; grows at its end, rewritten in place
 *   ready       cut, waiting to be sent; rewritten in place. If it was
 *               confirmed before it is "dirty": it goes again, with its number
 *   in flight   a worker reads it, nobody writes it: a rewrite goes to shadows
 *               of its blocks, which take their place when the worker lets go
 *   confirmed   the service has it. Kept in memory while there is room if
 *               rewrites are to be expected; a rewrite makes it dirty.
 *               Dropped: only its receipt is left, a rewrite is out of reach
 *
 * The head (where muxers write their headers at the end) stays in memory to the
 * end, is sent once when ready, and if dirty again only at the end of the
 * stream. Its extent is found while writing: at least the first slice, cut at
 * exactly the smallest part; and up to the farthest region rewritten or skipped
 * before that much contiguous payload was appended.
 *
 * Once a rewrite behind the head was seen D bytes before the end of what was
 * written, slices within D of the end are held back, so that no part is sent
 * twice; except when upstream would block otherwise, and at the end of stream.
 *
 * With a spool, slices have their bytes in that file instead of memory: nothing
 * is ever out of reach then, and nobody waits for memory. A rewrite of a slice
 * in flight goes to the file at once; what the worker sends may then be neither
 * the old nor the new bytes, and the slice goes again whatever the service says.
 *
 * A resumed upload cuts where the interrupted one did, and parts that the
 * service has from then need not go again (vod_slices_preset()). It does so no
 * more when memory is full and nothing in it can be sent.
 *
 * Threads and locking: nothing here locks or waits. One caller's lock guards
 * every function but vod_slices_copy() and vod_slice_read(), which touch media
 * and are called without it: the slice is pinned (by the streaming thread,
 * between vod_slices_begin_write() and _end_write()) or in flight (with one
 * worker, from vod_slices_next() to _confirm() or _fail(), which wait while it
 * is pinned). There is one writer.
 */
#pragma once

#include "vodspool.h"
#include "vodstore.h"

G_BEGIN_DECLS

#define VOD_MIB G_GUINT64_CONSTANT (1048576)

typedef struct {
  guint64 min_part;   /* the service's smallest part: 1 MiB (protocol.md 5.2) */
  guint max_parts;    /* the service's most parts: 10000 */
  guint64 slice_size; /* most bytes in a part while numbers are plenty */
  guint64 max_bytes;  /* most media bytes in memory, >= 4 * min_part */
  gboolean keep;      /* keep confirmed slices for rewrites */
  /* Bytes are kept there, unless it is upstream's file: from that they are read
   * again if they have to. Borrowed; NULL: none. */
  VodSpool *file;
} VodSlicesConfig;

typedef enum {
  VOD_SLICE_FILLING,
  VOD_SLICE_READY,
  VOD_SLICE_IN_FLIGHT,
  VOD_SLICE_CONFIRMED,
} VodSliceState;

typedef struct {
  guint number;   /* part number, from 1 */
  guint64 offset; /* in the stream */
  guint64 size;   /* bytes so far; final once cut */
  VodSliceState state;
  gboolean sent;     /* was confirmed at least once */
  gboolean pinned;   /* the streaming thread copies into it */
  VodExtent *bytes;  /* in memory; NULL: not there … */
  VodSpool *file;    /* … but in this file; NULL too: dropped */
  gboolean torn;     /* rewritten in the file while in flight */
  gboolean proven;   /* what the file has must have `crc64` */
  guint attempts;    /* failures since it was last confirmed */
  gint64 not_before; /* monotonic µs: when to try again … */
  gboolean firm; /* … and not before, whatever vod_slices_retry_now() says */
  guint64 crc64; /* of the bytes that were confirmed */
  gchar *etag;   /* the service's answer, needed at Complete */
} VodSlice;

typedef struct _VodSlices VodSlices;

/* What vod_slices_begin_write() found. */
typedef enum {
  VOD_WRITE_OK,           /* copy, then end */
  VOD_WRITE_FULL,         /* no memory until a worker is done: wait */
  VOD_WRITE_OUT_OF_REACH, /* rewrites media that is no longer held */
  VOD_WRITE_HEAD_TOO_BIG, /* the head would take more than half the memory */
  VOD_WRITE_NO_PART,      /* all part numbers are used */
  VOD_WRITE_LOST, /* rewrites media that the spool does not take any more */
} VodWriteResult;

/* One step of a write, between begin and end. */
typedef struct {
  guint8 *dest;   /* where vod_slices_copy() copies, or … */
  VodSpool *file; /* … where it writes */
  gsize len;
  gboolean zero;   /* a gap before the write position: no bytes of the caller */
  VodSlice *slice; /* pinned */
  guint64 position;       /* of the first byte in the stream */
  const guint8 *original; /* slice is in flight: block to copy to shadow … */
  guint8 *shadow;         /* … first; NULL: not needed */
  gsize shadow_size;
} VodWritePlan;

/* --- cutting: pure rules ------------------------------------------------- */

/* Least bytes that may be cut into part @number when a worker is idle: grows
 * with the number so that max_parts hold 100 GiB at the defaults. */
guint64 vod_slices_floor (const VodSlicesConfig *config, guint number);

/* Bytes at which part @number is full. */
guint64 vod_slices_full (const VodSlicesConfig *config, guint number);

/* --- the table ----------------------------------------------------------- */

VodSlices *vod_slices_new (const VodSlicesConfig *config);
void vod_slices_free (VodSlices *slices);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VodSlices, vod_slices_free)

/* Rewrites are to be expected from now on (upstream asked whether it can
 * seek). */
void vod_slices_set_keep (VodSlices *slices, gboolean keep);

/* As in VodSlicesConfig; before the first byte. */
void vod_slices_set_file (VodSlices *slices, VodSpool *file);

/* More than @n full slices in memory would only wait: nothing is appended beyond
 * them as long as some of it will be free, unless rewrites are to be expected. 0:
 * up to max_bytes. Of a source that is faster than any line, what is not held need
 * not be touched, and what is held is more likely to be in a cache. */
void vod_slices_set_enough (VodSlices *slices, guint n);

/* Where the next byte goes. Nothing happens before it is written. */
void vod_slices_seek (VodSlices *slices, guint64 position);

/* Finds room for at most @len (> 0) bytes at the write position and pins it.
 * After VOD_WRITE_OK the caller calls _copy and _end_write, and comes again
 * with what is left. */
VodWriteResult
vod_slices_begin_write (VodSlices *slices, gsize len, VodWritePlan *plan);

/* Copies plan->len bytes of @data (not used if plan->zero). Without the lock.
 * Not OK only with a spool: see vodspool.h. */
VodSpoolResult
vod_slices_copy (const VodWritePlan *plan, const guint8 *data, GError **error);

/* Returns how many of the caller's bytes have been taken. */
gsize vod_slices_end_write (VodSlices *slices, const VodWritePlan *plan);

/* Instead, if the copy was not OK: nothing was taken. */
void vod_slices_cancel_write (VodSlices *slices, const VodWritePlan *plan);

/* Is everything that is only in the file there for certain, if the disk has the
 * first @synced bytes as they were written first? */
gboolean vod_slices_trusts_file (const VodSlices *slices, guint64 synced);

/* The spool takes no more: from now on bytes stay in memory, what is in the
 * file is read from there. FALSE: it cannot be read. */
gboolean vod_slices_leave_file (VodSlices *slices);

/* Does the filling slice hold enough for vod_slices_cut()? Cheap. */
gboolean vod_slices_worth_cutting (const VodSlices *slices);

/* Cuts the filling slice if it is worth sending and one of @idle_workers would
 * have nothing else to do. TRUE if it did. */
gboolean vod_slices_cut (VodSlices *slices, guint idle_workers, gint64 now);

/* End of stream: cuts what is left; from now on everything may go. */
void vod_slices_finish (VodSlices *slices);

/* Are there rewrites that slices are held back for? */
gboolean vod_slices_holds_back (const VodSlices *slices);

/* The slice to send next, now in flight, or NULL. @wake: when a slice that is
 * waiting after a failure may go (monotonic µs; G_MAXINT64: none). */
VodSlice *vod_slices_next (VodSlices *slices, gint64 now, gint64 *wake);

/* Number of slices that vod_slices_next() would return now. */
guint vod_slices_sendable (VodSlices *slices, gint64 now);

/* The service has the bytes that were in flight; @etag is copied. If they were
 * rewritten meanwhile, the slice is dirty. Not while it is pinned. */
void vod_slices_confirm (
    VodSlices *slices, VodSlice *slice, guint64 crc64, const gchar *etag);

/* They did not arrive; the slice is ready again, to go at @not_before (monotonic
 * µs). @firm: vod_slices_retry_now() does not change that. Not while it is
 * pinned. */
void vod_slices_fail (
    VodSlices *slices, VodSlice *slice, gint64 not_before, gboolean firm);

/* The way is free again: slices that wait after a failure may go at once, but
 * for those whose pause is firm. */
void vod_slices_retry_now (VodSlices *slices);

/* There is another way: all that wait after a failure may go at once. */
void vod_slices_excuse (VodSlices *slices);

/* Copies at most @len bytes at @offset (below its size) of a slice in flight to
 * @buffer, and returns how many. 0: they cannot be read. Without the lock. */
gsize vod_slice_read (
    const VodSlice *slice, guint64 offset, gpointer buffer, gsize len);

/* The address of the bytes at @offset (below its size) of a slice in flight;
 * *@len is how many follow. NULL: they are not in memory. Without the lock. */
const guint8 *
vod_slice_peek (const VodSlice *slice, guint64 offset, gsize *len);

/* --- resuming -------------------------------------------------------------*/

/* A part of the interrupted upload, and what the service has of it. */
typedef struct {
  guint64 offset;
  guint64 size;
  gchar *etag; /* NULL: it does not have it */
  gboolean has_crc64;
  guint64 crc64;
} VodSliceReceipt;

/* Largest part that can be preset. */
guint64 vod_slices_largest (const VodSlices *slices);

/* Before the first byte: cut where these @n parts, from number 1, were cut.
 * What is too small for a part ends the list. Copied, ETags too. */
void
vod_slices_preset (VodSlices *slices, const VodSliceReceipt *receipts, guint n);

/* The service says that it has preset part @number with @size bytes and @etag;
 * NULL: that it does not have it. A CRC64 counts on only with the same ETag. */
void vod_slices_agree (
    VodSlices *slices, guint number, guint64 size, const gchar *etag);

/* It has none of them. */
void vod_slices_forget_receipts (VodSlices *slices);

/* What the service has in place of @slice, if it has not been sent and is what
 * was preset; else NULL. If its bytes are the same it need not be sent. */
const VodSliceReceipt *
vod_slices_receipt (const VodSlices *slices, const VodSlice *slice);

/* Everything has to be sent again, as another upload: forgets all receipts.
 * FALSE, and nothing is changed, if bytes that are no longer held are missing.
 * Slices in flight come back by vod_slices_fail(). */
gboolean vod_slices_restart (VodSlices *slices);

/* --- what there is --------------------------------------------------------*/

/* TRUE once the stream has ended and the service has all of it as it is. */
gboolean vod_slices_complete (const VodSlices *slices);

/* The whole object's CRC64, combined from the parts'. When complete. */
guint64 vod_slices_crc64 (const VodSlices *slices);

/* The upload has ended: gives up all bytes, those in flight as soon as their
 * worker lets go. Nothing may be written or taken any more. */
void vod_slices_release (VodSlices *slices);

/* Number of slices, and each (@index from 0). */
guint vod_slices_count (const VodSlices *slices);
const VodSlice *vod_slices_get (const VodSlices *slices, guint index);

typedef struct {
  guint64 position;  /* of the next byte */
  guint64 size;      /* bytes of the stream so far */
  guint64 confirmed; /* bytes the service has as they are … */
  guint64 left;      /* … and has not */
  guint64 memory;    /* bytes of memory that count against max_bytes */
  guint parts_confirmed;
  guint parts_rewritten; /* times a confirmed part was made dirty */
  guint64 head;          /* end of the head */
  guint64 distance;      /* D, 0: no rewrite behind the head was seen */
} VodSlicesStats;

void vod_slices_get_stats (const VodSlices *slices, VodSlicesStats *stats);

/* Bytes of media that are in memory now. Looks at every slice: not for each
 * buffer. */
guint64 vod_slices_held (const VodSlices *slices);

G_END_DECLS

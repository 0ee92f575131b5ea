/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsinktest: a rig around one vodsink: a source pad that a thread of its own
 * pushes into, so that the test's thread never blocks, and a bus whose messages
 * are collected in the order they are posted.
 *
 * Times that are promised to users ("in under 100 ms") are checked with
 * a stopwatch that leaves out what the machine does meanwhile, and TEST_MS(), which
 * VOD_TEST_SLOWNESS (an integer) stretches for valgrind and sanitizers. Everything else waits for what it waits for, up to 10 s.
 */
#pragma once

#include <gst/check/gstcheck.h>

#include "emulator.h"

G_BEGIN_DECLS

#define MIB (1024 * 1024)

/* Also for tests whose memory is small: 4 x slice-size is the least. */
#define SMALL_MEMORY                                                           \
  "slice-size", (guint64)MIB, "max-size-bytes", (guint64)4 * MIB

typedef struct {
  GstElement *sink;
  GstPad *src;
  GstBus *bus;

  GThread *thread;
  GAsyncQueue *queue;
  guint64 offset;   /* of the next byte that rig_push_bytes() makes */
  gboolean nosy;    /* every message's poster reads every property */
  GFunc on_message; /* called in the poster's thread: message, rig */

  GMutex lock; /* what follows */
  GCond cond;
  guint queued, done;
  GstFlowReturn flow;  /* of the last buffer */
  gboolean taken;      /* the last event was handled */
  GPtrArray *messages; /* GstMessage */
  GPtrArray *labels;   /* of them; see rig_wait() */
  guint mark;
} Rig;

/* A vodsink with these properties, in READY. Unless told otherwise it uploads
 * to @emulator (may be NULL), with a signature, media of type mp4. */
Rig *rig_new (Emulator *emulator, const gchar *property, ...);

/* Around an element that exists, in whatever state; not owned by the caller any
 * more. */
Rig *rig_new_for (GstElement *sink);

/* Sets NULL, joins the pushing thread, and checks that nothing holds the
 * element any more. */
void rig_free (Rig *rig);

/* Every property that can be read. Any thread. */
void rig_read_everything (Rig *rig);

void rig_set_state (Rig *rig, GstState state);
/* The time this takes, in ms (teststopwatch.h). */
gint64 rig_time_state (Rig *rig, GstState state);
/* Waits until it has prerolled and so on. */
gboolean rig_reach (Rig *rig, GstState state);

/* FLUSH_START, FLUSH_STOP, both at once; what was being pushed is over. Then
 * the state again, as a pipeline does. */
void rig_flush (Rig *rig);

/* --- pushing, by the other thread -----------------------------------------*/

/* Takes @item: a buffer, a buffer list or an event. */
void rig_push (Rig *rig, gpointer item);
/* STREAM_START, CAPS unless NULL, SEGMENT in BYTES. */
void rig_begin (Rig *rig, const gchar *caps);
/* @len bytes of the test media, the next ones, in one buffer. */
void rig_push_bytes (Rig *rig, gsize len);
void rig_push_bytes_at (Rig *rig, guint64 position, gsize len);
void rig_push_segment (Rig *rig, guint64 position);
void rig_push_eos (Rig *rig);
/* Plays a whole stream, of 2 MiB and a byte. */
void rig_upload (Rig *rig);
GstBuffer *rig_buffer (guint64 offset, gsize len);

/* Waits until all was pushed, and returns the last buffer's flow. Fails the test
 * if that takes too long. */
GstFlowReturn rig_pushed (Rig *rig);
/* The upload has failed: pushes until that is what a buffer gets. */
void rig_push_until_refused (Rig *rig);
/* Is it still pushing? */
gboolean rig_is_pushing (Rig *rig);

/* --- messages -------------------------------------------------------------*/

/* Labels: "eos", "error", "warning", "state-changed"…; an element message's
 * structure name; "progress-start-open", "progress-complete-close"… */

gchar *rig_label (GstMessage *message);

/* Waits for the first with @label after the mark; it belongs to the rig. Fails
 * the test after 10 s. */
GstMessage *rig_wait (Rig *rig, const gchar *label);
/* From now on only what comes is looked at. */
void rig_mark (Rig *rig);
guint rig_count (Rig *rig, const gchar *label);
/* The labels after the mark, but for state changes and progress, which come when
 * they come. */
gchar *rig_story (Rig *rig);
/* The same with the first error's text: for a test that fails. */
gchar *rig_explain (Rig *rig);

#define rig_assert_story(rig, expected)                                        \
  G_STMT_START                                                                 \
  {                                                                            \
    gchar *story_ = rig_story (rig);                                           \
    fail_unless_equals_string (story_, expected);                              \
    g_free (story_);                                                           \
  }                                                                            \
  G_STMT_END

/* The structure of an element message or the details of an error or warning. */
const GstStructure *rig_details (GstMessage *message);

/* What gst_message_parse_error() says: "domain code" as "RESOURCE/WRITE". */
gchar *rig_error_code (GstMessage *message);

/* Waits for the ERROR and checks it: code as above, phase and code of its
 * details; that vodsink-error came just before with the same structure, and
 * both only once. */
void rig_assert_failed (
    Rig *rig, const gchar *code, const gchar *phase, gint number);

/* Waits for EOS, then checks that media @n at @emulator is the first
 * rig->offset bytes of the test media. */
void rig_assert_uploaded (Rig *rig, Emulator *emulator, guint n);

/* --- stats ----------------------------------------------------------------*/

guint64 rig_stat (Rig *rig, const gchar *name);
gchar *rig_state_name (Rig *rig);
/* Waits until @name is at least @value, or `state` is @state. */
gboolean rig_wait_stat (Rig *rig, const gchar *name, guint64 value);
gboolean rig_wait_state (Rig *rig, const gchar *state);

gint64 test_ms (gint64 ms);
#define TEST_MS(ms) test_ms (ms)

G_END_DECLS

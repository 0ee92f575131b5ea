/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * emulator: a vod-emulator of the test's own, as a child process on a free port.
 *
 * Failures abort the test with g_error(): nothing can be tested without it. The
 * child dies with the thread that started it, so that a failed test leaves
 * nothing behind. Needs no GStreamer; requests are made with plain sockets, so
 * that nothing under test is used to look at it.
 */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

typedef struct _Emulator Emulator;

/* @option…: further command line options, up to NULL. */
Emulator *emulator_new (const gchar *option, ...);
void emulator_free (Emulator *emulator);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Emulator, emulator_free)

/* "http://127.0.0.1:PORT" */
const gchar *emulator_uri (Emulator *emulator);
/* The file of the authority that --tls made, or NULL. */
const gchar *emulator_ca_file (Emulator *emulator);

/* Takes its faults as JSON (docs/emulator.md), after those there are. */
void emulator_add_faults (Emulator *emulator, const gchar *json);
void emulator_clear_faults (Emulator *emulator);
/* How many requests were hit by faults so far, also those that hang. */
guint emulator_hits (Emulator *emulator);
gboolean emulator_wait_hits (Emulator *emulator, guint n);

/* GET /api/state. */
JsonNode *emulator_state (Emulator *emulator);

/* How many requests of the kind @op were answered with @status (0: with none
 * at all; -1: any). */
guint emulator_count (Emulator *emulator, const gchar *op, gint status);
/* Waits until there are @n; FALSE after 10 s. */
gboolean
emulator_wait_count (Emulator *emulator, const gchar *op, gint status, guint n);

/* Uploads that were begun and neither completed nor aborted; the bytes in
 * them. */
guint emulator_n_uploads (Emulator *emulator);
guint64 emulator_upload_bytes (Emulator *emulator);
gboolean emulator_wait_upload_bytes (Emulator *emulator, guint64 n);

/* Committed media, in order. */
guint emulator_n_media (Emulator *emulator);
/* A member of media @n ("name", "type", "fileId", "url", "md5"). */
gchar *emulator_media_text (Emulator *emulator, guint n, const gchar *member);
guint64 emulator_media_int (Emulator *emulator, guint n, const gchar *member);
/* Are the bytes of media @n these? */
gboolean
emulator_media_is (Emulator *emulator, guint n, const guint8 *data, gsize len);
/* The picture that goes with media @n, as the service has it; NULL: none. */
GBytes *emulator_media_cover (Emulator *emulator, guint n);
/* The name in session @n, whatever became of it. */
guint emulator_n_sessions (Emulator *emulator);

/* Waits until there are @n upload reports (10 s at most), and returns all there
 * are, the oldest first. */
JsonArray *emulator_reports (Emulator *emulator, guint n);

/* Every secret that an emulator with this --root has made: a list of strings,
 * for what must not hold them. */
gchar **emulator_secrets (const gchar *root);

/* An upload signature of the emulator's own key. Each is different. */
gchar *emulator_signature (gboolean one_time);
gchar *emulator_signature_full (gint64 now, gint64 life, gboolean one_time);

/* --- waiting --- */

/* Calls @condition every few ms until it is TRUE; FALSE after @seconds. */
gboolean test_wait_until (
    gboolean (*condition) (gpointer data), gpointer data, guint seconds);

/* Byte number @offset of the test media. */
guint8 test_byte (guint64 offset);
void test_fill (guint8 *data, guint64 offset, gsize len);

/* Threads of this process that have @name (NULL: all). The kernel lists one for
 * a moment after it was joined: wait for fewer. */
guint test_count_threads (const gchar *name);
/* Waits a second at most until there are none of @name. */
gboolean test_no_threads (const gchar *name);

G_END_DECLS

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testowner: the owner of an upload, as the element is one, that remembers what
 * it was told.
 */
#pragma once

#include "upload/vodupload.h"

#include "emulator.h"

#define MIB (1024 * 1024)

typedef struct {
  Emulator *emulator;
  VodUpload *upload;
  guint64 size; /* written */

  GMutex lock; /* what follows */
  GCond cond;
  GString *story; /* events but for progress, by a letter or word each */
  guint finished, failed, retries, destroyed;
  guint longest_delay; /* ms, before a retry */
  gint error_code, number;
  gchar *error_phase, *error_text;
  gboolean resumable;
  gchar *spool_location;  /* of the error */
  gchar *warned_location; /* of the last warning; NULL: none */
  gchar *recovered;       /* the last recording that was set aside */
  gchar *kept_spool;
  gchar *file_id, *cover_url; /* of the finish */
  guint mishaps;
  gint mishap_code, mishap_number; /* of the last one */
  gchar *mishap_text;
  /* Called with the owner, if set before. */
  void (*at_mishap) (gpointer data);
  void (*at_progress) (gpointer data);
  void (*at_failure) (gpointer data);
  void (*at_finish) (gpointer data);
  gchar *(*at_ask) (gpointer data); /* a new string, or NULL for later */
  gpointer at_finish_data;          /* if not the owner */
  guint64 finished_size;
  guint finished_parts;
  guint64 last_loaded, last_total;
  gdouble last_percent;
} Owner;

/* @adjust changes what owner_new() has. */
Owner *owner_new_adjusted (Emulator *emulator,
    void (*adjust) (VodUploadSettings *settings, gpointer data), gpointer data);
/* @uri: NULL for the emulator's. @timeout in seconds. */
Owner *owner_new_at (Emulator *emulator, const gchar *uri, guint timeout);
Owner *owner_new (Emulator *emulator);
/* Stops and joins; nothing may be left. */
void owner_free (Owner *owner);

/* The next @len bytes of the test media. */
VodFlow owner_write (Owner *owner, gsize len);
/* Finishes, waits, and compares media @n with what was written. */
void owner_assert_finished (Owner *owner, guint n);
/* Of the stats. */
void owner_assert_state (Owner *owner, const gchar *state);
void owner_wait_state (Owner *owner, const gchar *state);

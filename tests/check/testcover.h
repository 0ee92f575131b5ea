/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testcover: uploads with covers: pictures, a place for them, and what the media
 * has in the end.
 */
#pragma once

#include "testowner.h"

/* --- pictures: to all who look at the beginning --- */

/* @variant: which one. cover_run_clear() finds out if one is left. */
GBytes *cover_picture (const gchar *magic, guint8 variant, gsize len);
GBytes *cover_jpeg (guint8 variant);
GBytes *cover_png (guint8 variant);
GBytes *cover_garbage (void);

/* --- an emulator, a folder, and one upload after the other --- */

typedef struct {
  Emulator *emulator;
  Owner *owner;
  gchar *dir;
  gchar *path; /* cover-location; nothing is there yet */
  /* Of the next upload. */
  const gchar *endpoint; /* NULL: the emulator */
  guint parallel, timeout;
  gboolean located, resume, spool; /* with cover-location; with a session */
} CoverRun;

/* @option: of the emulator, with its @value; or NULL. */
void
cover_run_init_with (CoverRun *run, const gchar *option, const gchar *value);
void cover_run_init (CoverRun *run);
void cover_run_clear (CoverRun *run);

/* The owner of the next upload, until that is ended. */
Owner *cover_run_begin (CoverRun *run);
void cover_run_end (CoverRun *run);

/* Takes @image. */
void cover_run_put_file (const CoverRun *run, GBytes *image);
void owner_set_cover (Owner *owner, VodCoverSource source, GBytes *image);

void owner_write_mib (Owner *owner, guint n);
void owner_wait_opened (Owner *owner);

/* Takes @expected: what media @n has for a cover, at the service and as its
 * owner was told. NULL: none. */
void cover_run_assert (CoverRun *run, guint n, GBytes *expected);
/* Requests that succeeded. */
void cover_run_assert_counts (
    CoverRun *run, guint applies, guint puts, guint commits);
/* There was one mishap. @text: a piece of what it said. */
void owner_assert_mishap (Owner *owner, VodErrorCode code, const gchar *text);

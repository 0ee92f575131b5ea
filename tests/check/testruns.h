/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testruns: uploads of one media, one after the other, that share an emulator
 * and a state directory.
 */
#pragma once

#include "testowner.h"

#define RUNS_KEY "0123456789abcdef0123456789abcdef"

typedef struct {
  Emulator *emulator;
  Emulator *storage; /* NULL: requests to the storage are forwarded */
  gchar *dir;        /* of the state */
  gchar *media;      /* path of the spool … */
  gchar *session;    /* … and of the session of RUNS_KEY */
  /* What the next run asks for. */
  const gchar *key, *resume_key, *source, *name;
  VodIdentity identity;
  gboolean spool, keep_spool;
  guint64 slice_size, memory;
  guint parallel;
} Runs;

/* With an emulator (@option: NULL or one of its options), a directory, and the
 * identity RUNS_KEY, by name. Until runs_clear() the program ends by a signal if
 * that takes more than a minute. */
void runs_init (Runs *runs, const gchar *option);
/* Also what is left in the directory. */
void runs_clear (Runs *runs);

/* --- the state directory --------------------------------------------------*/

/* DIR/KEY.SUFFIX */
gchar *runs_path (const Runs *runs, const gchar *suffix);
/* The names of what is left, with blanks between them. */
gchar *runs_list_files (const Runs *runs);
guint runs_count_files (const Runs *runs, const gchar *suffix);
/* The file at @path holds these bytes, and nothing else. */
void runs_assert_file (const gchar *path, const guint8 *bytes, gsize len);

/* --- the media ------------------------------------------------------------*/

/* The media of most tests; … */
guint8 *runs_media (gsize len);
/* … one that differs from it in byte @at; … */
guint8 *runs_changed_media (gsize len, gsize at);
/* … and in all from byte @at on. */
guint8 *runs_other_media (gsize len, gsize at);

/* --- a run ----------------------------------------------------------------*/

Owner *runs_begin (Runs *runs);
/* Writes in pieces, until all is written or it fails. */
VodFlow runs_give (Owner *owner, const guint8 *bytes, gsize len);
VodFlow runs_finish (Owner *owner);
/* … which must be successful. */
void runs_commit (Owner *owner);

/* A run from the beginning to its end: one more media at the service, which is
 * this. Returns its story. @stats: NULL, or what they were at its end. */
gchar *
runs_whole (Runs *runs, const guint8 *bytes, gsize len, VodUploadStats *stats);

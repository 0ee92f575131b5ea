/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodjournal: the text of a session file, and what it says. Pure.
 *
 * One fact a line, words separated by single blanks, strings percent-escaped,
 * NULL as "-":
 *
 *   vodsink-session 1 NONCE              what this is; a random word
 *   media ENDPOINT NAME TYPE spooled|memory RESUME-KEY
 *   applied TIME BUCKET-HOST OBJECT-KEY SESSION-KEY
 *   upload ID
 *   cut NUMBER OFFSET SIZE
 *   confirmed NUMBER CRC64 ETAG
 *   synced SIZE BOOT
 *   eos SIZE
 *   completing SIZE CRC64
 *
 * Each line ends in the CRC64 of the file's key and all lines so far, so that a
 * line is believed only in its place in its file, and none behind one that was
 * lost. A later fact replaces what it contradicts, as vodsession.h tells of the
 * note functions, which are these facts. Whatever does not fit (a gap, a part
 * that was not cut, a size that cannot be) is not believed, and ends the
 * reading as a wrong CRC64 does. The same code judges what is read and what is
 * about to be written, so nothing is written that would not be believed.
 */
#pragma once

#include "vodsession.h"

G_BEGIN_DECLS

#define VOD_JOURNAL_BOOT_SIZE 37 /* a boot id and its NUL */

typedef struct {
  VodSessionState state; /* parts is never NULL */
  gchar *boot;           /* in which the disk was said to have state.synced */
  const gchar *this_boot;
  gboolean headed; /* the first line was there … */
  gboolean begun;  /* … and the second: there is something to believe */
  guint64 sum;     /* of the key and the lines so far */
} VodJournal;

/* An empty journal of @key (vod_session_check_key(); a set-aside file counts as
 * that of the key it had). @this_boot: this kernel's boot id, NULL if it is not
 * known; must outlive the journal. */
void vod_journal_init (
    VodJournal *journal, const gchar *key, const gchar *this_boot);
void vod_journal_clear (VodJournal *journal);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VodJournal, vod_journal_clear)

/* Reads a file into an empty journal. Returns how many of its bytes are
 * believed; 0 if it does not even say of which media it is. */
gsize vod_journal_read (VodJournal *journal, const gchar *text, gsize len);

typedef enum {
  VOD_FACT_NEW,
  VOD_FACT_KNOWN,   /* the journal says so already */
  VOD_FACT_REFUSED, /* malformed, or not fit for this journal: no change */
} VodFact;

/* Takes a fact (a line without its checksum). VOD_FACT_NEW: its line was
 * appended to @text. */
VodFact vod_journal_add (VodJournal *journal, const gchar *fact, GString *text);

/* The shortest text that says the same. *@sum: what journal->sum becomes if
 * that text takes the place of the old one. */
GString *
vod_journal_compact (const VodJournal *journal, const gchar *key, guint64 *sum);

/* Facts, to be freed by g_free(). */
gchar *vod_fact_header (void); /* with a new nonce */
gchar *vod_fact_media (const VodSessionState *media);
gchar *vod_fact_applied (gint64 applied, const gchar *bucket_host,
    const gchar *object_key, const gchar *session_key);
gchar *vod_fact_upload (const gchar *upload_id);
gchar *vod_fact_cut (guint number, guint64 offset, guint64 size);
gchar *vod_fact_confirmed (guint number, guint64 crc64, const gchar *etag);
gchar *vod_fact_synced (guint64 size, const gchar *boot);
gchar *vod_fact_eos (guint64 size);
gchar *vod_fact_completing (guint64 size, guint64 crc64);

G_END_DECLS

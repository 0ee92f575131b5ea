/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsession: see vodsession.h. A fact goes into the journal (vodjournal.h),
 * which refuses what cannot be, and then into the file (vodsessionfile.h).
 */
#include "vodsession.h"

#include <string.h>
#include <sys/stat.h>

#include "vodfile.h"
#include "vodjournal.h"
#include "vodsessionfile.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define SLACK (64 * 1024) /* what a file may hold in vain */
#define SET_ASIDE_MAX 9999
#define KEY_LEN 32

struct _VodSession {
  /* Constant. */
  gchar *dir;
  gchar *key;
  gchar boot[VOD_JOURNAL_BOOT_SIZE]; /* "": not known */

  GMutex lock; /* guards what follows, and is held while the disk is waited
                * for: facts get into the file in one order */
  VodSessionFile file;
  VodJournal journal; /* what the file says */
  gboolean found;     /* … since it was opened */
  gsize compacted;    /* size of the compact text when it was last asked for */
  GError *failure;    /* the first: nothing is written any more */
};

/* FALSE, and why. */
G_GNUC_PRINTF (3, 4)
static gboolean
refuse (GError **error, VodErrorCode code, const gchar *format, ...)
{
  g_autofree gchar *text = NULL;
  GError *refused;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  refused = vod_error_new (code, "%s", text);
  vod_error_set_phase (refused, VOD_PHASE_SESSION);
  g_propagate_error (error, refused);
  return FALSE;
}

/* --- opening and closing --- */

static void
read_boot (gchar boot[VOD_JOURNAL_BOOT_SIZE])
{
  g_autofree gchar *text = NULL;

  boot[0] = '\0';
  if (g_file_get_contents (BOOT_ID, &text, NULL, NULL))
    g_strlcpy (boot, g_strstrip (text), VOD_JOURNAL_BOOT_SIZE);
}

static void
init_journal (VodSession *session, VodJournal *journal)
{
  vod_journal_init (
      journal, session->key, *session->boot ? session->boot : NULL);
}

static void
free_session (VodSession *session)
{
  vod_session_file_close (&session->file);
  vod_journal_clear (&session->journal);
  g_clear_error (&session->failure);
  g_mutex_clear (&session->lock);
  g_free (session->dir);
  g_free (session->key);
  g_free (session);
}

static gboolean
open_file (VodSession *session, const gchar *suffix, VodSessionFileMode mode,
    GError **error)
{
  g_autofree gchar *name = g_strconcat (session->key, suffix, NULL);
  g_autofree gchar *text = NULL;
  gsize len;

  if (!vod_session_file_open (&session->file, session->dir, name, mode, error))
    return FALSE;
  text = vod_session_file_read (&session->file, &len, error);
  if (!text)
    return FALSE;
  len = vod_journal_read (&session->journal, text, len);
  vod_session_file_believe (&session->file, len);
  session->found = len > 0;
  return TRUE;
}

/* KEY and @suffix, with its dot. */
static VodSession *
open_session (const gchar *dir, const gchar *key, const gchar *suffix,
    VodSessionFileMode mode, GError **error)
{
  VodSession *session = g_new0 (VodSession, 1);

  g_mutex_init (&session->lock);
  session->dir = g_strdup (dir);
  session->key = g_strdup (key);
  session->file.fd = session->file.dir_fd = -1;
  read_boot (session->boot);
  init_journal (session, &session->journal);
  if (open_file (session, suffix, mode, error))
    return session;
  free_session (session);
  return NULL;
}

VodSession *
vod_session_open (const gchar *dir, const gchar *key, GError **error)
{
  if (!vod_session_check_key (key)) {
    g_autofree gchar *shown = vod_printable (key, 64);

    refuse (error, VOD_ERROR_PARAMETER, "\"%s\" is not the key of a session",
        shown);
    return NULL;
  }
  return open_session (dir, key, ".session", VOD_SESSION_FILE_CREATE, error);
}

static gboolean
is_empty (const VodSessionFile *file)
{
  return file->size == 0 && !file->damaged;
}

void
vod_session_release (VodSession *session)
{
  if (session->file.fd >= 0 && is_empty (&session->file))
    vod_session_file_unlink (&session->file);
  vod_session_file_close (&session->file);
}

void
vod_session_close (VodSession *session)
{
  vod_session_release (session);
  free_session (session);
}

void
vod_session_delete (VodSession *session)
{
  vod_session_file_unlink (&session->file);
  free_session (session);
}

/* vod_session_file_move(), or of the companion alone. */
typedef VodSessionMove (*Move) (VodSessionFile *file, const gchar *name,
    const gchar *companion, const gchar *new_companion, GError **error);

static VodSessionMove
move_to (VodSession *session, const gchar *key, Move move, GError **error)
{
  g_autofree gchar *name = g_strconcat (key, ".session", NULL);
  g_autofree gchar *media = g_strconcat (session->key, ".media", NULL);
  g_autofree gchar *new_media = g_strconcat (key, ".media", NULL);

  return move (&session->file, name, media, new_media, error);
}

/* Returns the first key that is free, which it now is not any more. */
static gchar *
move_to_free_key (VodSession *session, Move move, GError **error)
{
  g_autofree gchar *base = g_strndup (session->key, KEY_LEN);
  VodSessionMove moved = VOD_SESSION_MOVE_TAKEN;
  g_autofree gchar *key = NULL;

  for (guint n = 1; moved == VOD_SESSION_MOVE_TAKEN && n <= SET_ASIDE_MAX;
       n++) {
    g_free (key);
    key = g_strdup_printf ("%s.%u", base, n);
    moved = move_to (session, key, move, error);
  }
  if (moved == VOD_SESSION_MOVE_TAKEN)
    refuse (error, VOD_ERROR_LOCAL,
        "%s/%s was set aside too often: finish or remove what is there",
        session->dir, base);
  if (moved != VOD_SESSION_MOVE_DONE)
    return NULL;
  /* That it lasts is worth a try; that it is done is certain. */
  vod_session_file_sync_dir (&session->file, NULL);
  return g_steal_pointer (&key);
}

gchar *
vod_session_set_aside (VodSession *session, GError **error)
{
  gchar *key = move_to_free_key (session, vod_session_file_move, error);

  vod_session_close (session);
  return key;
}

gchar *
vod_session_part_media (VodSession *session, GError **error)
{
  gchar *key;

  g_mutex_lock (&session->lock);
  key = move_to_free_key (session, vod_session_file_move_companion, error);
  g_mutex_unlock (&session->lock);
  return key;
}

const VodSessionState *
vod_session_found (VodSession *session)
{
  return session->found ? &session->journal.state : NULL;
}

const gchar *
vod_session_key (VodSession *session)
{
  return session->key;
}

const gchar *
vod_session_dir (VodSession *session)
{
  return session->dir;
}

/* --- writing; the session is locked --- */

/* The first failure is also that of all that come later. Takes @failure. */
static gboolean
give_up (VodSession *session, GError *failure, GError **error)
{
  session->failure = failure;
  g_propagate_error (error, g_error_copy (failure));
  return FALSE;
}

static gboolean
refuse_fact (const gchar *fact, GError **error)
{
  const gchar *end = strchr (fact, ' ');

  /* What follows may be a secret. */
  return refuse (error, VOD_ERROR_PARAMETER,
      "a session file cannot hold this: \"%.*s\"", (gint)(end ? end - fact : 0),
      fact);
}

/* A file that is mostly in vain makes place for a compact one. If that fails,
 * so be it: the file is good as it is, and it is tried again when that has
 * grown twice as large. */
static void
compact (VodSession *session)
{
  g_autoptr (GString) text = NULL;
  guint64 sum;

  if (session->file.size <= 2 * (guint64)session->compacted + SLACK)
    return;
  text = vod_journal_compact (&session->journal, session->key, &sum);
  session->compacted = text->len;
  if (session->file.size <= 2 * (guint64)text->len + SLACK)
    return;
  if (vod_session_file_replace (&session->file, text->str, text->len, NULL)) {
    session->journal.sum = sum;
    vod_session_file_sync_dir (&session->file, NULL);
  } else {
    session->compacted = session->file.size;
  }
}

typedef enum {
  NOTE_AT_ONCE, /* never waits for the disk */
  NOTE,
  NOTE_DURABLY, /* the disk has it on return */
} NoteMode;

static gboolean
note_locked (
    VodSession *session, const gchar *fact, NoteMode mode, GError **error)
{
  g_autoptr (GString) line = g_string_new (NULL);
  GError *failure = NULL;

  if (session->failure) {
    g_propagate_error (error, g_error_copy (session->failure));
    return FALSE;
  }
  if (!session->journal.begun ||
      vod_journal_add (&session->journal, fact, line) == VOD_FACT_REFUSED)
    return refuse_fact (fact, error);
  if (line->len > 0 &&
      !vod_session_file_append (&session->file, line->str, line->len, &failure))
    return give_up (session, failure, error);
  if (mode == NOTE_DURABLY && !vod_session_file_sync (&session->file, &failure))
    return give_up (session, failure, error);
  if (mode != NOTE_AT_ONCE || session->file.size > VOD_SESSION_FILE_MAX / 2)
    compact (session);
  return TRUE;
}

/* Takes @fact. */
static gboolean
note (VodSession *session, gchar *fact, NoteMode mode, GError **error)
{
  gboolean result;

  g_mutex_lock (&session->lock);
  result = note_locked (session, fact, mode, error);
  g_mutex_unlock (&session->lock);
  g_free (fact);
  return result;
}

/* Takes @fact. */
static gboolean
add (VodJournal *journal, gchar *fact, GString *text, GError **error)
{
  gboolean result = vod_journal_add (journal, fact, text) != VOD_FACT_REFUSED ||
      refuse_fact (fact, error);

  g_free (fact);
  return result;
}

static gboolean
is_resume_key (const gchar *text)
{
  return strlen (text) <= VOD_SESSION_MAX_RESUME_KEY &&
      g_utf8_validate (text, -1, NULL);
}

/* The boot to be noted if what is not synced is safe as long as it lasts. */
static const gchar *
boot_if (const VodSession *session, gboolean safe)
{
  return safe && *session->boot ? session->boot : NULL;
}

static gboolean
begin_locked (VodSession *session, const VodSessionState *media, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_auto (VodJournal) journal;
  GError *failure = NULL;

  init_journal (session, &journal);
  if (media->resume_key && !is_resume_key (media->resume_key))
    return refuse (error, VOD_ERROR_PARAMETER,
        "resume-key: longer than %d bytes, or not valid UTF-8",
        VOD_SESSION_MAX_RESUME_KEY);
  if (!add (&journal, vod_fact_header (), text, error) ||
      !add (&journal, vod_fact_media (media), text, error) ||
      !add (&journal,
          vod_fact_synced (media->synced, boot_if (session, media->same_boot)),
          text, error))
    return FALSE;
  if (!vod_session_file_replace (
          &session->file, text->str, text->len, &failure))
    return give_up (session, failure, error);
  vod_journal_clear (&session->journal);
  session->journal = journal;
  memset (&journal, 0, sizeof journal);
  session->found = FALSE;
  session->compacted = 0;
  return vod_session_file_sync_dir (&session->file, &failure) ||
      give_up (session, failure, error);
}

gboolean
vod_session_begin (
    VodSession *session, const VodSessionState *media, GError **error)
{
  gboolean result = FALSE;

  g_mutex_lock (&session->lock);
  if (session->failure)
    g_propagate_error (error, g_error_copy (session->failure));
  else
    result = begin_locked (session, media, error);
  g_mutex_unlock (&session->lock);
  return result;
}

gboolean
vod_session_note_applied (VodSession *session, const gchar *session_key,
    const gchar *bucket_host, const gchar *object_key, gint64 applied,
    GError **error)
{
  return note (session,
      vod_fact_applied (applied, bucket_host, object_key, session_key), NOTE,
      error);
}

gboolean
vod_session_note_upload (
    VodSession *session, const gchar *upload_id, GError **error)
{
  return note (session, vod_fact_upload (upload_id), NOTE, error);
}

gboolean
vod_session_note_cut (VodSession *session, guint number, guint64 offset,
    guint64 size, GError **error)
{
  return note (
      session, vod_fact_cut (number, offset, size), NOTE_AT_ONCE, error);
}

gboolean
vod_session_note_confirmed (VodSession *session, guint number, guint64 crc64,
    const gchar *etag, GError **error)
{
  return note (session, vod_fact_confirmed (number, crc64, etag), NOTE, error);
}

gboolean
vod_session_note_synced (VodSession *session, guint64 size, GError **error)
{
  return note (
      session, vod_fact_synced (size, boot_if (session, TRUE)), NOTE, error);
}

gboolean
vod_session_note_doubt (VodSession *session, guint64 size, GError **error)
{
  return note (session, vod_fact_synced (size, NULL), NOTE, error);
}

gboolean
vod_session_note_eos (VodSession *session, guint64 size, GError **error)
{
  return note (session, vod_fact_eos (size), NOTE_DURABLY, error);
}

gboolean
vod_session_note_completing (
    VodSession *session, guint64 size, guint64 crc64, GError **error)
{
  return note (session, vod_fact_completing (size, crc64), NOTE_DURABLY, error);
}

/* --- parts to delete later --- */

static GString *
describe_discard (
    VodJournal *journal, const VodSessionState *state, GError **error)
{
  VodSessionState media = {.endpoint = state->endpoint};
  g_autoptr (GString) text = g_string_new (NULL);

  if (!add (journal, vod_fact_header (), text, error) ||
      !add (journal, vod_fact_media (&media), text, error) ||
      !add (journal,
          vod_fact_applied (state->applied, state->bucket_host,
              state->object_key, state->session_key),
          text, error))
    return NULL;
  if (state->upload_id &&
      !add (journal, vod_fact_upload (state->upload_id), text, error))
    return NULL;
  return g_steal_pointer (&text);
}

VodSession *
vod_session_remember_discard (
    const gchar *dir, const VodSessionState *state, GError **error)
{
  g_autofree gchar *key = g_strdup_printf ("%08x%08x%08x%08x", g_random_int (),
      g_random_int (), g_random_int (), g_random_int ());
  g_autoptr (GString) text = NULL;
  VodSession *discard =
      open_session (dir, key, ".discard", VOD_SESSION_FILE_CREATE, error);

  if (!discard)
    return NULL;
  text = describe_discard (&discard->journal, state, error);
  if (text &&
      vod_session_file_append (&discard->file, text->str, text->len, error)) {
    discard->found = TRUE;
    return discard;
  }
  vod_session_delete (discard);
  return NULL;
}

/* Is nothing left to be deleted? A file that says nothing may yet be written,
 * by who has made it and not locked it so far. */
static gboolean
is_over (VodSession *discard)
{
  const VodSessionState *state = vod_session_found (discard);

  if (!state || !state->object_key)
    return vod_session_file_age (&discard->file) > VOD_SESSION_LIFE;
  return g_get_real_time () / G_USEC_PER_SEC - state->applied >
      VOD_SESSION_LIFE;
}

static gboolean
is_wanted (VodSession *discard, const gchar *endpoint)
{
  const VodSessionState *state = vod_session_found (discard);

  return state && state->object_key &&
      (!endpoint || strcmp (state->endpoint, endpoint) == 0);
}

/* May it be forgotten? Told without opening it: its upload, which may be about
 * to, would find it busy. */
static gboolean
looks_old (const gchar *dir, const gchar *key)
{
  g_autofree gchar *path = vod_session_path (dir, key, "session");
  g_autofree gchar *media = vod_session_path (dir, key, "media");
  struct stat info;

  if (lstat (media, &info) == 0)
    return FALSE;
  return lstat (path, &info) == 0 && vod_file_is_ours (&info) &&
      g_get_real_time () / G_USEC_PER_SEC - (gint64)info.st_mtime >
      VOD_SESSION_LIFE;
}

void
vod_session_forget_old (const gchar *dir)
{
  g_auto (GStrv) keys = vod_session_list (dir, NULL);

  for (guint i = 0; keys && keys[i]; i++) {
    VodSession *session;

    if (!looks_old (dir, keys[i]))
      continue;
    session = open_session (
        dir, keys[i], ".session", VOD_SESSION_FILE_EXISTING, NULL);
    if (!session)
      continue;
    /* Its upload may have come before us. */
    if (looks_old (dir, keys[i]) &&
        vod_session_file_age (&session->file) > VOD_SESSION_LIFE)
      vod_session_delete (session);
    else
      free_session (session);
  }
}

VodSession *
vod_session_take_discard (
    const gchar *dir, const gchar *endpoint, const gchar *after)
{
  static const gchar *const suffixes[] = {".discard", NULL};
  g_auto (GStrv) keys = vod_session_dir_list (dir, suffixes, NULL);

  for (guint i = 0; keys && keys[i]; i++) {
    VodSession *discard;

    if (after && strcmp (keys[i], after) <= 0)
      continue;
    discard = open_session (
        dir, keys[i], ".discard", VOD_SESSION_FILE_EXISTING, NULL);
    if (!discard)
      continue;
    if (is_over (discard)) {
      vod_session_delete (discard);
    } else if (is_wanted (discard, endpoint)) {
      return discard;
    } else {
      /* Not vod_session_close(), which removes an empty one. */
      free_session (discard);
    }
  }
  return NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an upload finds on this machine, for every way of asking for it and
 * everything that may be there, and what it leaves.
 */
#include "upload/vodlocal.h"

#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "testsession.h"

#define NAME "name"
#define TYPE "mp4"
#define OLD "the bytes of an earlier recording"

/* --- what may be there ----------------------------------------------------*/

typedef enum {
  NOTHING,
  SESSION, /* of the same media, and a minute old */
  SESSION_OF_OTHER_ENDPOINT,
  SESSION_OF_OTHER_NAME,
  SESSION_OF_OTHER_TYPE,
  SESSION_TOO_OLD,
  SESSION_FROM_THE_FUTURE,
  SESSION_UNAPPLIED, /* nothing is at the service */
  SESSION_DAMAGED,
  SESSION_BUSY, /* another upload has it */
  SPOOL,        /* without a session */
  SPOOL_EMPTY,
  SPOOL_AND_SESSION,
  SPOOL_AND_OLD_SESSION,
  SPOOL_IS_A_LINK,
  SPOOL_READ_BY_OTHERS,
  N_SITUATIONS,
} Situation;

static const gchar *const situations[N_SITUATIONS] = {"nothing", "session",
    "other-endpoint", "other-name", "other-type", "too-old", "future",
    "unapplied", "damaged", "busy", "spool", "empty-spool", "spool-and-session",
    "spool-and-old-session", "link", "open-spool"};

static gboolean
has_session (Situation situation)
{
  return (situation >= SESSION && situation <= SESSION_FROM_THE_FUTURE) ||
      situation == SPOOL_AND_SESSION || situation == SPOOL_AND_OLD_SESSION ||
      situation == SPOOL_IS_A_LINK;
}

static gboolean
is_usable (Situation situation)
{
  return situation == SESSION || situation == SPOOL_AND_SESSION ||
      situation == SPOOL_IS_A_LINK;
}

static gboolean
has_spool (Situation situation)
{
  return situation >= SPOOL && situation != SPOOL_EMPTY;
}

static void
make_session (const gchar *dir, Situation situation)
{
  VodSessionState media = {
      .endpoint = (gchar *)(situation == SESSION_OF_OTHER_ENDPOINT
              ? "https://other.example"
              : ENDPOINT),
      .name = (gchar *)(situation == SESSION_OF_OTHER_NAME ? "other" : NAME),
      .type = (gchar *)(situation == SESSION_OF_OTHER_TYPE ? "ts" : TYPE),
  };
  gint64 age =
      situation == SESSION_TOO_OLD || situation == SPOOL_AND_OLD_SESSION
      ? 24 * 3600 + 5
      : situation == SESSION_FROM_THE_FUTURE ? -3600
                                             : 60;
  VodSession *session = session_open (dir);
  g_autoptr (GError) error = NULL;

  g_assert_true (vod_session_begin (session, &media, &error));
  if (situation != SESSION_UNAPPLIED) {
    vod_session_note_applied (session, SESSION_KEY, HOST, OBJECT,
        g_get_real_time () / G_USEC_PER_SEC - age, &error);
    vod_session_note_upload (session, "upload/1", &error);
    vod_session_note_cut (session, 1, 0, MIB, &error);
    vod_session_note_confirmed (session, 1, 7, ETAG, &error);
  }
  g_assert_no_error (error);
  vod_session_close (session);
}

static void
write_file (const gchar *path, const gchar *text, guint mode)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_chmod (path, (gint)mode), ==, 0);
}

/* Returns who holds the session, if somebody does. */
static VodSession *
arrange (const gchar *dir, Situation situation)
{
  g_autofree gchar *session = session_file_of (dir, "session");
  g_autofree gchar *media = session_file_of (dir, "media");
  g_autofree gchar *elsewhere = g_build_filename (dir, "elsewhere", NULL);

  if (has_session (situation) || situation == SESSION_UNAPPLIED)
    make_session (dir, situation);
  switch (situation) {
    case SESSION_DAMAGED:
      write_file (session, "vodsink 1 what is this\n", 0600);
      break;
    case SPOOL:
    case SPOOL_AND_SESSION:
    case SPOOL_AND_OLD_SESSION:
      write_file (media, OLD, 0600);
      break;
    case SPOOL_READ_BY_OTHERS:
      write_file (media, OLD, 0644);
      break;
    case SPOOL_EMPTY:
      write_file (media, "", 0600);
      break;
    case SPOOL_IS_A_LINK:
      write_file (elsewhere, "not ours to touch", 0600);
      g_assert_cmpint (symlink (elsewhere, media), ==, 0);
      break;
    case SESSION_BUSY:
      return session_open (dir);
    default:
      break;
  }
  return NULL;
}

/* --- what is asked for ----------------------------------------------------*/

static VodUploadSettings
ask (const gchar *dir, VodIdentity identity, gboolean spool, gboolean resume)
{
  return (VodUploadSettings){
      .endpoint = (gchar *)ENDPOINT,
      .name = (gchar *)NAME,
      .type = (gchar *)TYPE,
      .resume = resume,
      .spool = spool,
      .state_dir = (gchar *)dir,
      .identity = identity,
      .media_key = (gchar *)KEY,
      .resume_key =
          (gchar *)(identity == VOD_IDENTITY_EXPLICIT ? "camera" : NULL),
  };
}

static guint
count_files (const gchar *dir, const gchar *suffix)
{
  g_autoptr (GDir) stream = g_dir_open (dir, 0, NULL);
  const gchar *name;
  guint n = 0;

  while ((name = g_dir_read_name (stream)))
    n += g_str_has_suffix (name, suffix);
  return n;
}

/* How many uploads are remembered to be deleted; forgets them. */
static guint
take_discards (const gchar *dir)
{
  VodSession *discard;
  guint n = 0;

  while ((discard = vod_session_take_discard (dir, ENDPOINT, NULL))) {
    const VodSessionState *state = vod_session_found (discard);

    g_assert_cmpstr (state->session_key, ==, SESSION_KEY);
    g_assert_cmpstr (state->object_key, ==, OBJECT);
    g_assert_cmpstr (state->upload_id, ==, "upload/1");
    vod_session_delete (discard);
    n++;
  }
  return n;
}

/* The key is free for the next. */
static void
assert_free (const gchar *dir)
{
  VodSession *session = session_open (dir);

  vod_session_close (session);
}

static void
assert_text (const gchar *path, const gchar *text)
{
  g_autofree gchar *there = NULL;

  g_assert_true (g_file_get_contents (path, &there, NULL, NULL));
  g_assert_cmpstr (there, ==, text);
}

typedef enum { KEEP, DISCARD, CANCEL, COMMIT, FREE, N_ENDS } End;

/* A commit comes after the end of what there was. */
static void
reach_end (VodLocal *local)
{
  VodSpool *spool = vod_local_spool (local);

  if (spool && vod_spool_left (spool) > 0)
    g_assert_cmpint (
        vod_spool_write (spool, 0, (const guint8 *)OLD, strlen (OLD), NULL), ==,
        VOD_SPOOL_OK);
}

static void
end (VodLocal *local, End how)
{
  gchar *kept;

  switch (how) {
    case KEEP:
      vod_local_keep (local);
      break;
    case DISCARD:
    case CANCEL:
      vod_local_discard (
          local, how == CANCEL ? VOD_LOCAL_CANCELLED : VOD_LOCAL_FAILED);
      break;
    case COMMIT:
      reach_end (local);
      kept = vod_local_keep_copy (local, "528/../x");
      g_assert_null (kept);
      vod_local_committed (local, "528/../x");
      break;
    default:
      break;
  }
  if (how != FREE)
    g_assert_false (vod_local_is_kept (local));
  vod_local_free (local);
}

typedef struct {
  const gchar *dir;
  const VodUploadSettings *settings;
  Situation situation;
  gboolean aside;   /* what is there is moved away */
  gboolean goes_on; /* … is gone on with */
  gboolean renamed; /* another key is used */
} Case;

/* What follows from the contract. */
static void
foresee (Case *c)
{
  const VodUploadSettings *settings = c->settings;
  gboolean same =
      settings->resume && settings->identity != VOD_IDENTITY_RECORDING;

  c->renamed = c->situation == SESSION_BUSY;
  c->aside = has_spool (c->situation) &&
      (!same || !settings->spool || c->situation == SPOOL_IS_A_LINK ||
          c->situation == SPOOL_READ_BY_OTHERS);
  c->goes_on = same && is_usable (c->situation) && !c->aside;
}

static void
check_opened (const Case *c, VodLocal *local, const VodLocalOpened *opened)
{
  const VodSessionState *found = vod_local_found (local);
  VodSpool *spool = vod_local_spool (local);
  g_autofree gchar *path = vod_local_spool_path (local);
  g_autofree gchar *ours = session_file_of (c->dir, "media");
  g_autofree gchar *aside = vod_session_path (c->dir, KEY ".1", "media");

  g_assert_null (opened->notice);
  g_assert_true (
      vod_local_is_kept (local) == (c->settings->resume || c->settings->spool));
  g_assert_cmpint (found != NULL, ==, c->goes_on);
  if (found) {
    g_assert_cmpstr (found->upload_id, ==, "upload/1");
    g_assert_cmpuint (found->parts->len, ==, 1);
  }
  g_assert_cmpstr (opened->recovered, ==, c->aside ? aside : NULL);
  if (c->aside && c->situation != SPOOL_IS_A_LINK)
    assert_text (aside, OLD);
  g_assert_cmpint (spool != NULL, ==, c->settings->spool);
  if (spool) {
    gboolean same = has_spool (c->situation) && !c->aside;

    g_assert_false (vod_spool_is_source (spool));
    g_assert_cmpuint (vod_spool_left (spool), ==, same ? strlen (OLD) : 0);
    g_assert_cmpint (g_strcmp0 (path, ours) != 0, ==, c->renamed);
    g_assert_true (g_file_test (path, G_FILE_TEST_IS_REGULAR));
  } else {
    g_assert_null (path);
    g_assert_false (g_file_test (ours, G_FILE_TEST_EXISTS));
  }
  /* Nobody else gets it meanwhile. */
  session_open_fails (c->dir, KEY, VOD_ERROR_BUSY);
}

static void
check_left (const Case *c, End how, guint discards)
{
  g_autofree gchar *media = session_file_of (c->dir, "media");
  g_autofree gchar *session = session_file_of (c->dir, "session");
  g_autofree gchar *elsewhere = g_build_filename (c->dir, "elsewhere", NULL);
  gboolean unusable = has_session (c->situation) && !c->goes_on && !c->aside;
  gboolean old = c->situation == SESSION_TOO_OLD ||
      c->situation == SESSION_OF_OTHER_ENDPOINT ||
      c->situation == SPOOL_AND_OLD_SESSION;

  assert_free (c->dir);
  /* Of the other endpoint it is remembered, but not given here. */
  g_assert_cmpuint (discards, ==, unusable && !old ? 1 : 0);
  g_assert_cmpuint (count_files (c->dir, ".new"), ==, 0);
  g_assert_cmpuint (count_files (c->dir, ".fresh"), ==, 0);
  if (c->renamed)
    return;
  g_assert_cmpint (g_file_test (media, G_FILE_TEST_EXISTS), ==,
      c->settings->spool && how != COMMIT);
  if (how == COMMIT || how == CANCEL)
    g_assert_false (g_file_test (session, G_FILE_TEST_EXISTS));
  if (how == KEEP && (c->goes_on || c->settings->spool))
    g_assert_true (g_file_test (session, G_FILE_TEST_EXISTS));
  if (c->situation == SPOOL_IS_A_LINK)
    assert_text (elsewhere, "not ours to touch");
}

/* One way of asking, one thing that is there, one end. */
static void
try_case (VodIdentity identity, gboolean spool, gboolean resume,
    Situation situation, End how)
{
  gchar *dir = session_make_dir ();
  VodUploadSettings settings = ask (dir, identity, spool, resume);
  Case c = {.dir = dir, .settings = &settings, .situation = situation};
  VodSession *holder = arrange (dir, situation);
  VodLocalOpened opened = {0};
  GError *error = NULL;
  VodLocal *local;

  g_test_message ("identity %d, spool %d, resume %d, there: %s, end %d",
      identity, spool, resume, situations[situation], how);
  foresee (&c);
  local = vod_local_open (&settings, &opened, &error);
  if (c.renamed && identity == VOD_IDENTITY_EXPLICIT) {
    g_assert_null (local);
    g_assert_error (error, VOD_ERROR, VOD_ERROR_BUSY);
    g_assert_cmpint (vod_error_details (error)->phase, ==, VOD_PHASE_SESSION);
    g_assert_null (opened.notice);
    g_clear_error (&error);
  } else if (c.renamed && !spool) {
    g_assert_null (local);
    g_assert_no_error (error);
    g_assert_nonnull (opened.notice);
  } else {
    g_assert_no_error (error);
    g_assert_nonnull (local);
    check_opened (&c, local, &opened);
    end (local, how);
  }
  vod_local_opened_clear (&opened);
  g_clear_pointer (&holder, vod_session_close);
  if (local)
    check_left (&c, how, take_discards (dir));
  session_remove_dir (dir);
}

static void
test_every_case (gconstpointer data)
{
  Situation situation = GPOINTER_TO_UINT (data);
  guint n = situation;

  for (guint bits = 0; bits < 4; bits++) {
    gboolean spool = (bits & 1) != 0, resume = (bits & 2) != 0;

    for (guint times = 0; times < 2; times++) {
      try_case (
          VOD_IDENTITY_EXPLICIT, spool, resume, situation, (End)(n++ % N_ENDS));
      try_case (
          VOD_IDENTITY_FILE, spool, resume, situation, (End)(n++ % N_ENDS));
      if (spool)
        try_case (VOD_IDENTITY_RECORDING, TRUE, resume, situation,
            (End)(n++ % N_ENDS));
    }
  }
}

static void
test_no_identity_keeps_nothing (void)
{
  gchar *dir = session_make_dir ();
  VodUploadSettings settings = ask (dir, VOD_IDENTITY_NONE, FALSE, TRUE);
  VodLocalOpened opened = {0};
  GError *error = NULL;

  make_session (dir, SESSION);
  g_assert_null (vod_local_open (&settings, &opened, &error));
  g_assert_no_error (error);
  g_assert_null (opened.notice);
  g_assert_null (opened.recovered);
  g_assert_cmpuint (count_files (dir, ""), ==, 1);
  session_remove_dir (dir);
}

/* --- a directory that cannot be used --------------------------------------*/

static void
try_unusable (
    const gchar *dir, VodIdentity identity, gboolean spool, gboolean is_error)
{
  VodUploadSettings settings = ask (dir, identity, spool, TRUE);
  VodLocalOpened opened = {0};
  GError *error = NULL;

  g_assert_null (vod_local_open (&settings, &opened, &error));
  if (is_error) {
    g_assert_error (error, VOD_ERROR, VOD_ERROR_LOCAL);
    g_assert_cmpint (vod_error_details (error)->phase, ==, VOD_PHASE_SESSION);
    g_assert_null (opened.notice);
    g_error_free (error);
  } else {
    g_assert_no_error (error);
    g_assert_nonnull (opened.notice);
  }
  vod_local_opened_clear (&opened);
}

static void
try_all_unusable (const gchar *dir)
{
  gboolean named = dir != NULL;

  try_unusable (dir, VOD_IDENTITY_FILE, FALSE, named);
  try_unusable (dir, VOD_IDENTITY_FILE, TRUE, TRUE);
  try_unusable (dir, VOD_IDENTITY_EXPLICIT, FALSE, TRUE);
  try_unusable (dir, VOD_IDENTITY_EXPLICIT, TRUE, TRUE);
  try_unusable (dir, VOD_IDENTITY_RECORDING, TRUE, TRUE);
}

static void
test_unusable_directory (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *file = g_build_filename (dir, "file", NULL);
  g_autofree gchar *below = g_build_filename (file, "below", NULL);
  g_autofree gchar *open = g_build_filename (dir, "open", NULL);

  write_file (file, "", 0600);
  g_assert_cmpint (g_mkdir (open, 0700), ==, 0);
  g_assert_cmpint (g_chmod (open, 0777), ==, 0);
  try_all_unusable (file);
  try_all_unusable (below);
  try_all_unusable (open);
  g_assert_cmpuint (count_files (open, ""), ==, 0);
  if (geteuid () == 0) {
    g_assert_cmpint (g_chmod (open, 0700), ==, 0);
    g_assert_cmpint (chown (open, 65534, (gid_t)-1), ==, 0);
    try_all_unusable (open);
  }
  /* main() has made the default one unusable. */
  try_all_unusable (NULL);
  session_remove_dir (dir);
}

/* --- noting, and beginning anew -------------------------------------------*/

static VodLocal *
open_local (const gchar *dir, gboolean spool, gchar **recovered)
{
  VodUploadSettings settings = ask (dir, VOD_IDENTITY_EXPLICIT, spool, TRUE);
  VodLocalOpened opened = {0};
  GError *error = NULL;
  VodLocal *local = vod_local_open (&settings, &opened, &error);

  g_assert_no_error (error);
  g_assert_nonnull (local);
  if (recovered)
    *recovered = g_steal_pointer (&opened.recovered);
  vod_local_opened_clear (&opened);
  return local;
}

typedef struct {
  VodSession *session;
  gint watch;
} Look;

/* Has what it looks at until somebody else tries to. */
static gpointer
look_until_wanted (gpointer data)
{
  Look *look = data;
  struct pollfd wanted = {look->watch, POLLIN, 0};

  g_assert_cmpint (poll (&wanted, 1, 30000), ==, 1);
  vod_session_close (look->session);
  return NULL;
}

/* As vod-resume --list has each session for a moment. */
static void
test_a_passing_look_is_waited_for (void)
{
  static const VodIdentity identities[] = {
      VOD_IDENTITY_EXPLICIT, VOD_IDENTITY_FILE};

  for (guint i = 0; i < G_N_ELEMENTS (identities); i++) {
    gchar *dir = session_make_dir ();
    VodUploadSettings settings = ask (dir, identities[i], FALSE, TRUE);
    VodSession *session = session_open (dir);
    VodLocalOpened opened = {0};
    g_autoptr (GError) error = NULL;
    VodLocal *local;
    GThread *thread;
    Look look;

    session_steps (session, 4);
    look = (Look){session, session_watch (dir)};
    thread = g_thread_new ("look", look_until_wanted, &look);
    local = vod_local_open (&settings, &opened, &error);
    g_thread_join (thread);
    g_assert_no_error (error);
    g_assert_null (opened.notice);
    g_assert_nonnull (local);
    vod_local_free (local);
    vod_local_opened_clear (&opened);
    close (look.watch);
    session_remove_dir (dir);
  }
}

static void
note_all (VodLocal *local, guint attempt, const gchar *upload_id)
{
  VodApiApplied *applied = vod_api_applied_recall (SESSION_KEY, HOST, OBJECT);

  vod_local_note_applied (local, attempt, applied);
  vod_local_note_upload (local, attempt, upload_id);
  vod_local_note_cut (local, attempt, 1, 0, MIB);
  vod_local_note_confirmed (local, attempt, 1, 5, ETAG);
  vod_api_applied_unref (applied);
}

static void
test_what_was_noted_is_found (void)
{
  gchar *dir = session_make_dir ();
  VodLocal *local = open_local (dir, FALSE, NULL);
  const VodSessionState *found;

  g_assert_null (vod_local_found (local));
  note_all (local, 0, "u1");
  vod_local_note_cut (local, 0, 2, MIB, 5);
  vod_local_note_confirmed (local, 0, 2, 6, ETAG);
  vod_local_note_completing (local, 0, MIB + 5, 99);
  g_assert_null (vod_local_take_trouble (local));
  vod_local_keep (local);
  /* It has ended. */
  note_all (local, 0, "late");
  vod_local_free (local);

  local = open_local (dir, FALSE, NULL);
  found = vod_local_found (local);
  g_assert_nonnull (found);
  g_assert_cmpstr (found->resume_key, ==, "camera");
  g_assert_cmpstr (found->upload_id, ==, "u1");
  g_assert_cmpuint (found->parts->len, ==, 2);
  g_assert_true (found->completing);
  g_assert_true (found->eos);
  g_assert_cmpuint (found->size, ==, MIB + 5);
  g_assert_cmpuint (found->crc64, ==, 99);
  vod_local_free (local);
  session_remove_dir (dir);
}

static void
test_an_earlier_attempt_is_not_heard (void)
{
  gchar *dir = session_make_dir ();
  VodLocal *local = open_local (dir, FALSE, NULL);
  const VodSessionState *found;

  note_all (local, 0, "u1");
  vod_local_begin_anew (local, 1);
  note_all (local, 0, "late");
  g_assert_null (vod_local_found (local));
  vod_local_keep (local);
  vod_local_free (local);
  local = open_local (dir, FALSE, NULL);
  g_assert_null (vod_local_found (local));
  note_all (local, 0, "u2");
  vod_local_begin_anew (local, 1);
  note_all (local, 1, "u3");
  vod_local_keep (local);
  vod_local_free (local);

  local = open_local (dir, FALSE, NULL);
  found = vod_local_found (local);
  g_assert_nonnull (found);
  g_assert_cmpstr (found->upload_id, ==, "u3");
  vod_local_free (local);
  session_remove_dir (dir);
}

static void
put (VodLocal *local, const gchar *text)
{
  VodSpool *spool = vod_local_spool (local);

  g_assert_cmpint (vod_spool_write (spool, vod_spool_size (spool),
                       (const guint8 *)text, strlen (text), NULL),
      ==, VOD_SPOOL_OK);
}

static const VodSessionState *
reread (VodSession **session, const gchar *dir)
{
  *session = session_open (dir);
  return vod_session_found (*session);
}

/* That the recording is whole outlives what becomes of its upload. */
static void
test_a_whole_spool_stays_whole (void)
{
  gchar *dir = session_make_dir ();
  VodLocal *local = open_local (dir, TRUE, NULL);
  const VodSessionState *state;
  VodSession *session;

  put (local, OLD);
  note_all (local, 0, "u1");
  g_assert_true (vod_local_sync (local, 0, 5, FALSE, NULL));
  g_assert_true (vod_local_sync (local, 0, strlen (OLD), TRUE, NULL));
  vod_local_begin_anew (local, 1);
  vod_local_discard (local, VOD_LOCAL_FAILED);
  vod_local_free (local);

  state = reread (&session, dir);
  g_assert_nonnull (state);
  g_assert_null (state->session_key);
  g_assert_true (state->eos);
  g_assert_cmpuint (state->size, ==, strlen (OLD));
  g_assert_cmpuint (state->synced, ==, strlen (OLD));
  vod_session_close (session);

  /* Another run that has not come so far yet does not change that. */
  local = open_local (dir, TRUE, NULL);
  put (local, "the");
  g_assert_true (vod_local_sync (local, 0, 3, FALSE, NULL));
  vod_local_keep (local);
  vod_local_free (local);
  state = reread (&session, dir);
  g_assert_nonnull (state);
  g_assert_true (state->eos);
  g_assert_cmpuint (state->size, ==, strlen (OLD));
  vod_session_close (session);
  session_remove_dir (dir);
}

static void
test_setting_aside_while_recording (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *media = session_file_of (dir, "media");
  g_autofree gchar *aside = vod_session_path (dir, KEY ".1", "media");
  g_autofree gchar *recovered = NULL;
  const VodSessionState *state;
  GError *error = NULL;
  VodSession *session;
  VodLocal *local;

  make_session (dir, SPOOL_AND_SESSION);
  write_file (media, OLD, 0600);
  local = open_local (dir, TRUE, NULL);
  g_assert_nonnull (vod_local_found (local));
  put (local, "the bytes of ");
  recovered = vod_local_set_aside (local, 1, TRUE, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (recovered, ==, aside);
  assert_text (aside, OLD);
  assert_text (media, "the bytes of ");
  put (local, "a newer one");
  assert_text (media, "the bytes of a newer one");
  note_all (local, 0, "late");
  note_all (local, 1, "u2");
  vod_local_keep (local);
  vod_local_free (local);

  state = reread (&session, dir);
  g_assert_cmpstr (state->upload_id, ==, "u2");
  vod_session_close (session);
  session = vod_session_open (dir, KEY ".1", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (vod_session_found (session)->upload_id, ==, "upload/1");
  vod_session_close (session);
  g_assert_cmpuint (take_discards (dir), ==, 0);
  session_remove_dir (dir);
}

static void
test_setting_aside_after_the_end_fails (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *media = session_file_of (dir, "media");
  GError *error = NULL;
  VodLocal *local = open_local (dir, TRUE, NULL);

  put (local, OLD);
  vod_local_keep (local);
  g_assert_null (vod_local_set_aside (local, 1, TRUE, NULL, NULL, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_LOCAL);
  g_clear_error (&error);
  assert_text (media, OLD);
  g_assert_cmpuint (count_files (dir, ".new"), ==, 0);
  vod_local_free (local);
  assert_free (dir);
  session_remove_dir (dir);
}

/* A recording may have been set aside before; also then what is left of its
 * spool has a name by which programs find it, and which nobody else has. */
static void
test_a_spool_that_is_left_can_be_found (void)
{
  static const gchar *const names[] = {KEY, KEY ".3"};

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    gchar *dir = session_make_dir ();
    VodUploadSettings settings = ask (dir, VOD_IDENTITY_EXPLICIT, TRUE, TRUE);
    const gchar *const left[] = {KEY ".1", KEY ".2", names[i], NULL};
    g_autofree gchar *taken = vod_session_path (dir, KEY ".1", "session");
    g_autofree gchar *expected = vod_session_path (dir, KEY ".2", "media");
    g_autofree gchar *path = NULL;
    g_auto (GStrv) keys = NULL;
    VodLocalOpened opened = {0};
    VodLocal *local;

    settings.media_key = (gchar *)names[i];
    write_file (taken, "somebody's", 0600);
    local = vod_local_open (&settings, &opened, NULL);
    put (local, OLD);
    vod_local_leave_spool (local);
    g_assert_false (vod_local_has_spool (local));
    path = vod_local_spool_path (local);
    g_assert_cmpstr (path, ==, expected);
    assert_text (path, OLD);
    keys = vod_session_list (dir, NULL);
    for (guint n = 0; left[n]; n++)
      g_assert_true (g_strv_contains ((const gchar *const *)keys, left[n]));
    g_assert_null (vod_local_keep_copy (local, "1"));
    vod_local_committed (local, "1");
    g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
    assert_text (taken, "somebody's");
    vod_local_free (local);
    session_remove_dir (dir);
  }
}

/* A session file that cannot be written is told once, and ends nothing. */
static void
test_trouble_is_told_once (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *path = session_file_of (dir, "session");
  VodLocal *local = open_local (dir, TRUE, NULL);
  g_autoptr (GError) trouble = NULL;

  put (local, OLD);
  g_assert_cmpint (g_unlink (path), ==, 0);
  vod_local_begin_anew (local, 1);
  trouble = vod_local_take_trouble (local);
  g_assert_error (trouble, VOD_ERROR, VOD_ERROR_LOCAL);
  g_assert_cmpint (vod_error_details (trouble)->phase, ==, VOD_PHASE_SESSION);
  note_all (local, 1, "u1");
  g_assert_true (vod_local_sync (local, 0, strlen (OLD), TRUE, NULL));
  g_assert_null (vod_local_take_trouble (local));
  vod_local_keep (local);
  vod_local_free (local);
  assert_free (dir);
  session_remove_dir (dir);
}

/* --- the end --------------------------------------------------------------*/

static void
test_a_kept_spool_gets_a_name_of_its_own (void)
{
  gchar *dir = session_make_dir ();
  VodUploadSettings settings = ask (dir, VOD_IDENTITY_RECORDING, TRUE, TRUE);
  VodLocalOpened opened = {0};
  g_auto (GStrv) keys = NULL;

  settings.keep_spool = TRUE;
  for (guint i = 0; i < 2; i++) {
    VodLocal *local = vod_local_open (&settings, &opened, NULL);
    g_autofree gchar *kept = NULL, *folder = NULL;

    g_assert_nonnull (local);
    g_assert_null (opened.recovered);
    put (local, OLD);
    kept = vod_local_keep_copy (local, i ? "a/../b" : "5285890784");
    g_assert_true (vod_local_is_kept (local));
    vod_local_committed (local, "9");
    vod_local_committed (local, "9");
    g_assert_nonnull (kept);
    folder = g_path_get_dirname (kept);
    g_assert_cmpstr (folder, ==, dir);
    assert_text (kept, OLD);
    vod_local_keep (local);
    vod_local_free (local);
    assert_free (dir);
  }
  /* No program takes them for recordings to be finished. */
  keys = vod_session_list (dir, NULL);
  g_assert_cmpuint (g_strv_length (keys), ==, 0);
  g_assert_cmpuint (count_files (dir, ""), ==, 2);
  session_remove_dir (dir);
}

/* Nothing else tells that nobody shall finish it. */
static void
test_a_cancelled_spool_says_so (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *media = session_file_of (dir, "media");
  g_autofree gchar *session = session_file_of (dir, "session");
  gboolean noted = session_keeps_attributes (dir);
  VodLocal *local = open_local (dir, TRUE, NULL);

  put (local, OLD);
  g_assert_false (session_is_cancelled (media));
  end (local, CANCEL);
  assert_text (media, OLD);
  g_assert_cmpint (session_is_cancelled (media), ==, noted);
  g_assert_false (g_file_test (session, G_FILE_TEST_EXISTS));

  /* It goes on after all, and is like any other. */
  local = open_local (dir, TRUE, NULL);
  g_assert_false (session_is_cancelled (media));
  end (local, KEEP);
  g_assert_false (session_is_cancelled (media));
  local = open_local (dir, TRUE, NULL);
  end (local, DISCARD);
  g_assert_false (session_is_cancelled (media));
  session_remove_dir (dir);
}

/* What has not reached the end of an earlier recording does not know it: that
 * spool is somebody's only copy. */
static void
test_a_commit_never_deletes_what_was_not_reached (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *media = session_file_of (dir, "media");
  VodLocal *local;

  make_session (dir, SPOOL_AND_SESSION);
  write_file (media, OLD, 0600);
  local = open_local (dir, TRUE, NULL);
  put (local, "the");
  g_assert_null (vod_local_keep_copy (local, "1"));
  vod_local_committed (local, "1");
  vod_local_free (local);
  assert_text (media, OLD);
  assert_free (dir);
  session_remove_dir (dir);
}

#define ADD(name) g_test_add_func ("/local/" #name, test_##name)

int
main (int argc, char **argv)
{
  g_autofree gchar *home = g_dir_make_tmp ("vodlocal-XXXXXX", NULL);
  g_autofree gchar *file = g_build_filename (home, "vodsink", NULL);
  int result;

  g_test_init (&argc, &argv, NULL);
  write_file (file, "", 0600);
  g_setenv ("XDG_STATE_HOME", home, TRUE);
  for (guint i = 0; i < N_SITUATIONS; i++) {
    g_autofree gchar *path = g_strconcat ("/local/finds/", situations[i], NULL);

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_every_case);
  }
  ADD (no_identity_keeps_nothing);
  ADD (unusable_directory);
  ADD (a_passing_look_is_waited_for);
  ADD (what_was_noted_is_found);
  ADD (an_earlier_attempt_is_not_heard);
  ADD (a_whole_spool_stays_whole);
  ADD (setting_aside_while_recording);
  ADD (setting_aside_after_the_end_fails);
  ADD (a_spool_that_is_left_can_be_found);
  ADD (trouble_is_told_once);
  ADD (a_kept_spool_gets_a_name_of_its_own);
  ADD (a_commit_never_deletes_what_was_not_reached);
  ADD (a_cancelled_spool_says_so);
  result = g_test_run ();
  g_unlink (file);
  g_rmdir (home);
  return result;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What vod-resume makes of a state directory: which containers survive a cut,
 * how much of a spool counts after a restart of the machine, and what it does
 * not touch.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/vodchecksum.h"
#include "testsession.h"
#include "upload/vodfile.h"
#include "upload/vodjournal.h"
#include "upload/vodlocal.h"
#include "vod-container.h"
#include "vod-recordings.h"

#define OTHER_BOOT "01234567-89ab-cdef-0123-456789abcdef"
#define UPLOAD_ID "155b4f1a2c3d4e5f"

/* --- containers -----------------------------------------------------------*/

/* A file without a name that holds @bytes. */
static int
file_of (const GByteArray *bytes)
{
  int fd = memfd_create ("container", MFD_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, bytes->data, bytes->len), ==, (int)bytes->len);
  return fd;
}

static gboolean
survives (const gchar *type, const GByteArray *bytes)
{
  int fd = file_of (bytes);
  gboolean result = vod_container_survives_cut (type, fd, bytes->len);

  close (fd);
  return result;
}

static void
put_number (GByteArray *bytes, guint32 number)
{
  guint32 big = GUINT32_TO_BE (number);

  g_byte_array_append (bytes, (const guint8 *)&big, 4);
}

static void
put_name (GByteArray *bytes, const gchar *name)
{
  g_byte_array_append (bytes, (const guint8 *)name, 4);
}

static guint
open_box (GByteArray *bytes, const gchar *name)
{
  guint at = bytes->len;

  put_number (bytes, 0);
  put_name (bytes, name);
  return at;
}

static void
close_box (GByteArray *bytes, guint at)
{
  guint32 big = GUINT32_TO_BE (bytes->len - at);

  memcpy (bytes->data + at, &big, 4);
}

static void
put_box (GByteArray *bytes, const gchar *name, guint payload)
{
  guint at = open_box (bytes, name);

  for (guint i = 0; i < payload; i++)
    g_byte_array_append (bytes, (const guint8 *)"", 1);
  close_box (bytes, at);
}

/* moov, with a table of so many samples */
static void
put_moov (GByteArray *bytes, guint32 samples)
{
  static const gchar *const path[] = {"moov", "trak", "mdia", "minf", "stbl"};
  guint at[G_N_ELEMENTS (path)], table;

  for (guint i = 0; i < G_N_ELEMENTS (path); i++) {
    at[i] = open_box (bytes, path[i]);
    put_box (bytes, i == 0 ? "mvhd" : "free", 20);
  }
  table = open_box (bytes, "stsz");
  put_number (bytes, 0);
  put_number (bytes, 0);
  put_number (bytes, samples);
  close_box (bytes, table);
  for (guint i = G_N_ELEMENTS (path); i-- > 0;)
    close_box (bytes, at[i]);
}

static GByteArray *
begin_mp4 (void)
{
  GByteArray *bytes = g_byte_array_new ();

  put_box (bytes, "ftyp", 16);
  return bytes;
}

static void
test_sequences (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  static const gchar *const good[] = {"ts", "TS", "mkv", "webm", "flv", "wav",
      "mp3", "aac", "amr", "ogg", "flac", NULL};
  static const gchar *const bad[] = {
      "avi", "mp4", "mov", "mxf", "asf", "", "t", "tsx", NULL};

  put_box (bytes, "free", 100);
  for (guint i = 0; good[i]; i++)
    g_assert_true (survives (good[i], bytes));
  for (guint i = 0; bad[i]; i++)
    g_assert_false (survives (bad[i], bytes));
  g_assert_false (survives (NULL, bytes));
  g_byte_array_set_size (bytes, 0);
  g_assert_false (survives ("ts", bytes));
}

static void
test_plain_mp4 (void)
{
  g_autoptr (GByteArray) bytes = begin_mp4 ();
  guint at;

  /* What mp4mux writes before it knows: the rest is media. */
  at = open_box (bytes, "mdat");
  put_number (bytes, 0x6d6f6f66); /* "moof", within */
  g_assert_false (survives ("mp4", bytes));

  /* The same with its length, and the table behind it. */
  close_box (bytes, at);
  g_assert_false (survives ("mp4", bytes));
  put_moov (bytes, 5);
  g_assert_true (survives ("mp4", bytes));
  g_assert_true (survives ("MOV", bytes));
  g_assert_false (survives ("avi", bytes));
  /* … which is cut. */
  g_byte_array_set_size (bytes, bytes->len - 1);
  g_assert_false (survives ("mp4", bytes));
}

static void
test_robust_mp4 (void)
{
  g_autoptr (GByteArray) bytes = begin_mp4 ();
  g_autoptr (GByteArray) early = begin_mp4 ();

  put_moov (bytes, 1);
  put_box (bytes, "free", 100);
  open_box (bytes, "mdat");
  g_assert_true (survives ("mp4", bytes));

  put_moov (early, 0);
  put_box (early, "free", 100);
  open_box (early, "mdat");
  g_assert_false (survives ("mp4", early));
}

static void
put_fragment (GByteArray *bytes)
{
  put_box (bytes, "moof", 8);
  put_box (bytes, "mdat", 8);
}

/* moov, which says that fragments follow */
static void
put_announcement (GByteArray *bytes)
{
  guint at = open_box (bytes, "moov");

  put_box (bytes, "mvhd", 20);
  put_box (bytes, "mvex", 0);
  close_box (bytes, at);
}

static void
test_fragmented_mp4 (void)
{
  g_autoptr (GByteArray) bytes = begin_mp4 ();
  g_autoptr (GByteArray) begun = begin_mp4 ();

  /* An announcement is no frame; nor is a table without its media. */
  put_announcement (bytes);
  g_assert_false (survives ("mp4", bytes));
  put_box (bytes, "moof", 8);
  g_assert_false (survives ("mp4", bytes));
  g_byte_array_set_size (bytes, bytes->len - 1);
  g_assert_false (survives ("mp4", bytes));
  g_byte_array_append (bytes, (const guint8 *)"", 1);
  put_number (bytes, 100);
  put_name (bytes, "mdat");
  g_assert_false (survives ("mp4", bytes));
  g_byte_array_append (bytes, (const guint8 *)"", 1);
  g_assert_true (survives ("mp4", bytes));

  put_moov (begun, 0);
  put_box (begun, "mdat", 8);
  g_assert_false (survives ("mp4", begun));
  put_fragment (begun);
  g_assert_true (survives ("mp4", begun));
}

/* Boxes that lie about their size, or never end. */
static void
test_hostile_mp4 (void)
{
  static const guint8 endless[] = {0, 0, 0, 1, 'f', 'r', 'e', 'e', 0x7f, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  static const guint8 tiny[] = {0, 0, 0, 7, 'f', 'r', 'e', 'e'};
  g_autoptr (GByteArray) bytes = begin_mp4 ();
  guint at;

  g_byte_array_append (bytes, endless, sizeof endless);
  put_fragment (bytes);
  g_assert_false (survives ("mp4", bytes));
  g_byte_array_set_size (bytes, 0);
  g_byte_array_append (bytes, tiny, sizeof tiny);
  put_fragment (bytes);
  g_assert_false (survives ("mp4", bytes));

  /* As deep as it likes. */
  g_byte_array_set_size (bytes, 0);
  at = 200000;
  for (guint i = 0; i < at; i++) {
    put_number (bytes, 8 * (at - i));
    put_name (bytes, "moov");
  }
  g_assert_false (survives ("mp4", bytes));

  /* And as many. */
  g_byte_array_set_size (bytes, 0);
  for (guint i = 0; i < 100000; i++)
    put_box (bytes, "free", 0);
  put_fragment (bytes);
  g_assert_false (survives ("mp4", bytes));
}

/* --- what counts ----------------------------------------------------------*/

/* 3 MiB; part N, a MiB, is all N. */
static void
write_spool (const gchar *dir)
{
  g_autofree gchar *path = vod_session_path (dir, KEY, "media");
  g_autofree guint8 *bytes = g_malloc (3 * MIB);
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  for (guint i = 0; i < 3; i++)
    memset (bytes + i * MIB, (int)i + 1, MIB);
  g_assert_cmpint (write (fd, bytes, 3 * MIB), ==, 3 * MIB);
  close (fd);
}

static guint64
crc_of (guint8 byte)
{
  g_autofree guint8 *bytes = g_malloc (MIB);

  memset (bytes, byte, MIB);
  return vod_crc64 (0, bytes, MIB);
}

typedef struct {
  const gchar *boot;
  guint64 synced;
  gboolean eos;
  guint confirmed; /* bit N: part N + 1 */
  guint wrong;     /* bit N: with a CRC64 that is not the spool's */
  gint64 age;      /* s, of what the service knows; 0: too old to go on with */
} Story;

static void
take (VodJournal *journal, GString *text, gchar *fact)
{
  g_assert_cmpint (vod_journal_add (journal, fact, text), ==, VOD_FACT_NEW);
  g_free (fact);
}

/* A session as another kernel may have left it. */
static void
write_session (const gchar *dir, const Story *story)
{
  g_autofree gchar *path = vod_session_path (dir, KEY, "session");
  g_autoptr (GString) text = g_string_new (NULL);
  g_auto (VodJournal) journal;
  VodSessionState media = session_media ();
  gint64 applied =
      story->age ? g_get_real_time () / G_USEC_PER_SEC - story->age : 1;

  vod_journal_init (&journal, KEY, NULL);
  take (&journal, text, vod_fact_header ());
  take (&journal, text, vod_fact_media (&media));
  take (&journal, text, vod_fact_applied (applied, HOST, OBJECT, SESSION_KEY));
  take (&journal, text, vod_fact_upload (UPLOAD_ID));
  for (guint i = 0; i < 3; i++) {
    guint64 crc = crc_of ((guint8)(i + 1)) ^ (story->wrong >> i & 1);

    take (&journal, text, vod_fact_cut (i + 1, i * MIB, MIB));
    if (story->confirmed >> i & 1)
      take (&journal, text, vod_fact_confirmed (i + 1, crc, ETAG));
  }
  take (&journal, text, vod_fact_synced (story->synced, story->boot));
  if (story->eos)
    take (&journal, text, vod_fact_eos (3 * MIB));
  g_assert_true (g_file_set_contents_full (path, text->str, (gssize)text->len,
      G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static guint64
sure_of (const Story *story)
{
  g_auto (VodRecording) recording = {0};
  gchar *dir = session_make_dir ();
  guint64 sure;

  write_spool (dir);
  write_session (dir, story);
  g_assert_true (vod_recording_examine (&recording, dir, KEY, TRUE));
  g_assert_cmpint (recording.kind, ==,
      story->eos ? VOD_RECORDING_COMPLETE : VOD_RECORDING_NO_END);
  g_assert_cmpuint (recording.size, ==, 3 * MIB);
  sure = recording.sure;
  session_remove_dir (dir);
  return sure;
}

static void
test_proven (void)
{
  g_autofree gchar *boot = NULL;
  Story story = {OTHER_BOOT, 100, FALSE, 0, 0};

  g_assert_cmpuint (sure_of (&story), ==, 100);
  story.confirmed = 1;
  g_assert_cmpuint (sure_of (&story), ==, MIB);
  story.confirmed = 1 | 4; /* the second may be anything */
  g_assert_cmpuint (sure_of (&story), ==, MIB);
  story.confirmed = 7;
  g_assert_cmpuint (sure_of (&story), ==, 3 * MIB);
  story.wrong = 2;
  g_assert_cmpuint (sure_of (&story), ==, MIB);
  story.synced = 2 * MIB + 5;
  g_assert_cmpuint (sure_of (&story), ==, 3 * MIB);
  story.wrong = 4;
  g_assert_cmpuint (sure_of (&story), ==, 2 * MIB + 5);
  story.synced = 100 * MIB;
  g_assert_cmpuint (sure_of (&story), ==, 3 * MIB);

  /* At the end, all of it was synced; and within one boot nothing is lost. */
  story = (Story){OTHER_BOOT, 100, TRUE, 0, 0};
  g_assert_cmpuint (sure_of (&story), ==, 3 * MIB);
  g_assert_true (g_file_get_contents (
      "/proc/sys/kernel/random/boot_id", &boot, NULL, NULL));
  story = (Story){g_strstrip (boot), 100, FALSE, 0, 0};
  g_assert_cmpuint (sure_of (&story), ==, 3 * MIB);
}

/* Reading gigabytes takes its time: nobody is kept from uploading meanwhile. */
static void
test_proven_without_the_session (void)
{
  Story story = {OTHER_BOOT, 100, FALSE, 1, 0};
  g_auto (VodRecording) recording = {0};
  gchar *dir = session_make_dir ();
  g_autofree gchar *seen = NULL;
  const gchar *read, *closed;
  gint watch;

  write_spool (dir);
  write_session (dir, &story);
  watch = session_watch (dir);
  g_assert_true (vod_recording_examine (&recording, dir, KEY, TRUE));
  g_assert_cmpuint (recording.sure, ==, MIB);
  seen = session_watched (watch);
  closed = strstr (seen, "close " KEY ".session\n");
  read = strstr (seen, "read " KEY ".media\n");
  g_assert_nonnull (closed);
  g_assert_nonnull (read);
  g_assert_true (closed < read);
  close (watch);
  session_remove_dir (dir);
}

/* Somebody has gone on with it since it was looked at. */
static void
test_no_cut_of_what_has_grown (void)
{
  Story story = {OTHER_BOOT, 100, FALSE, 1, 0};
  g_auto (VodRecording) recording = {0};
  gchar *dir = session_make_dir ();
  g_autofree gchar *media = vod_session_path (dir, KEY, "media");
  g_autoptr (GError) error = NULL;
  struct stat info;

  write_spool (dir);
  write_session (dir, &story);
  g_assert_true (vod_recording_examine (&recording, dir, KEY, TRUE));
  g_assert_cmpint (truncate (media, 4 * MIB), ==, 0);
  g_assert_false (vod_recording_cut (&recording, dir, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_BUSY);
  g_assert_cmpint (lstat (media, &info), ==, 0);
  g_assert_cmpint (info.st_size, ==, 4 * MIB);
  session_remove_dir (dir);
}

/* What was cut counts from then on, also after another restart. */
static void
test_cut (void)
{
  Story story = {OTHER_BOOT, 100, FALSE, 1, 0};
  g_autoptr (GError) error = NULL;
  gchar *dir = session_make_dir ();

  write_spool (dir);
  write_session (dir, &story);
  for (guint i = 0; i < 2; i++) {
    g_auto (VodRecording) recording = {0};

    g_assert_true (vod_recording_examine (&recording, dir, KEY, TRUE));
    g_assert_cmpuint (recording.sure, ==, MIB);
    g_assert_cmpuint (recording.size, ==, i == 0 ? 3 * MIB : MIB);
    g_assert_true (vod_recording_cut (&recording, dir, &error));
    g_assert_no_error (error);
  }
  session_remove_dir (dir);
}

/* --- taking up ------------------------------------------------------------*/

/* As the run that left write_session() would. */
static VodLocal *
open_local (const gchar *dir)
{
  VodSessionState media = session_media ();
  VodUploadSettings settings = {.endpoint = media.endpoint,
      .name = media.name,
      .type = media.type,
      .resume = TRUE,
      .spool = TRUE,
      .state_dir = (gchar *)dir,
      .identity = VOD_IDENTITY_EXPLICIT,
      .media_key = (gchar *)KEY};
  VodLocalOpened opened = {0};
  g_autoptr (GError) error = NULL;
  VodLocal *local = vod_local_open (&settings, &opened, &error);

  g_assert_no_error (error);
  vod_local_opened_clear (&opened);
  return local;
}

/* The next @len bytes of the stream: those of write_spool(), xor @other. */
static VodSpoolResult
put (VodLocal *local, gsize len, guint8 other)
{
  VodSpool *spool = vod_local_spool (local);
  guint64 at = vod_spool_size (spool);
  g_autofree guint8 *bytes = g_malloc (len);

  for (gsize i = 0; i < len; i++)
    bytes[i] = (guint8)((at + i) / MIB + 1) ^ other;
  return vod_spool_write (spool, at, bytes, len, NULL);
}

/* The run is killed now: how much of what is at @key counts. */
static guint64
sure_at (VodLocal *local, const gchar *dir, const gchar *key)
{
  g_auto (VodRecording) recording = {0};

  vod_local_keep (local);
  vod_local_free (local);
  g_assert_true (vod_recording_examine (&recording, dir, key, TRUE));
  g_assert_cmpint (recording.kind, ==, VOD_RECORDING_NO_END);
  g_assert_cmpuint (recording.size, >=, 3 * MIB);
  return recording.sure;
}

#define OLD_SURE (MIB + 5)

static gchar *
leave_after_power_cut (gint64 age)
{
  Story story = {OTHER_BOOT, OLD_SURE, FALSE, 0, 0, age};
  gchar *dir = session_make_dir ();

  write_spool (dir);
  write_session (dir, &story);
  return dir;
}

/* What the power cut has left in doubt is in doubt as long as the stream has not
 * shown it to be right, however often the machine or the upload begins anew. */
static void
doubt_until_proven (gint64 age)
{
  static const struct {
    guint64 given, sure;
  } steps[] = {{5, OLD_SURE}, {2 * MIB, 2 * MIB}, {MIB, 2 * MIB},
      {3 * MIB - 1, 3 * MIB - 1}, {3 * MIB, 3 * MIB},
      {3 * MIB + 7, 3 * MIB + 7}};
  gchar *dir = leave_after_power_cut (age);

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
    VodLocal *local = open_local (dir);

    g_assert_cmpint (vod_local_found (local) != NULL, ==, age > 0);
    g_assert_cmpint (put (local, steps[i].given, 0), ==, VOD_SPOOL_OK);
    g_assert_true (vod_local_sync (local, 0, steps[i].given, FALSE, NULL));
    if (i % 2)
      vod_local_begin_anew (local, 1);
    g_assert_cmpuint (sure_at (local, dir, KEY), ==, steps[i].sure);
    age = i % 2 ? 0 : age;
  }
  session_remove_dir (dir);
}

static void
test_doubt_until_proven (void)
{
  doubt_until_proven (0);     /* too old */
  doubt_until_proven (-3600); /* a clock that was set back */
  doubt_until_proven (60);
}

/* The stream turns out to be another one. */
static void
doubt_set_aside (gint64 age)
{
  gchar *dir = leave_after_power_cut (age);
  VodLocal *local = open_local (dir);
  g_autofree gchar *recovered = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (put (local, 1000, 0), ==, VOD_SPOOL_OK);
  g_assert_true (vod_local_sync (local, 0, 1000, FALSE, NULL));
  g_assert_cmpint (put (local, 1000, 1), ==, VOD_SPOOL_DIFFERS);
  recovered = vod_local_set_aside (local, 1, TRUE, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (recovered);
  /* The new one is of this boot, and all of it counts. */
  g_assert_cmpint (put (local, 3 * MIB, 1), ==, VOD_SPOOL_OK);
  g_assert_cmpuint (sure_at (local, dir, KEY), ==, 3 * MIB + 1000);
  local = open_local (dir);
  g_assert_cmpuint (sure_at (local, dir, KEY ".1"), ==, OLD_SURE);
  session_remove_dir (dir);
}

static void
test_doubt_set_aside (void)
{
  doubt_set_aside (0);
  doubt_set_aside (-3600);
  doubt_set_aside (60);
}

/* An upload that cannot go on with the session begins it anew. What that said of
 * the spool stays true. */
static void
check_begun_anew (const Story *story, gboolean eos)
{
  gchar *dir = session_make_dir ();
  VodUploadSettings settings = {.endpoint = (gchar *)ENDPOINT,
      .name = (gchar *)"another",
      .type = (gchar *)"mp4",
      .resume = TRUE,
      .spool = TRUE,
      .state_dir = dir,
      .identity = VOD_IDENTITY_EXPLICIT,
      .media_key = (gchar *)KEY};
  VodLocalOpened opened = {0};
  g_autoptr (GError) error = NULL;
  const VodSessionState *state;
  VodSession *session;
  VodLocal *local;

  write_spool (dir);
  write_session (dir, story);
  local = vod_local_open (&settings, &opened, &error);
  g_assert_no_error (error);
  g_assert_null (vod_local_found (local));
  g_assert_cmpuint (vod_spool_left (vod_local_spool (local)), ==, 3 * MIB);
  vod_local_keep (local);
  vod_local_free (local);
  vod_local_opened_clear (&opened);

  session = session_open (dir);
  state = vod_session_found (session);
  g_assert_cmpstr (state->name, ==, "another");
  g_assert_null (state->session_key);
  g_assert_cmpuint (state->synced, ==, 3 * MIB);
  g_assert_true (state->same_boot);
  g_assert_cmpint (state->eos, ==, eos);
  vod_session_close (session);
  session_remove_dir (dir);
}

static void
test_begun_anew (void)
{
  g_autofree gchar *boot = NULL;
  Story story = {OTHER_BOOT, 3 * MIB, TRUE, 1, 0};

  check_begun_anew (&story, TRUE);
  g_assert_true (g_file_get_contents (
      "/proc/sys/kernel/random/boot_id", &boot, NULL, NULL));
  story = (Story){g_strstrip (boot), 100, FALSE, 1, 0};
  check_begun_anew (&story, FALSE);
}

/* --- what there is --------------------------------------------------------*/

static VodRecordingKind
kind_in (const gchar *dir)
{
  g_auto (VodRecording) recording = {0};

  g_assert_true (vod_recording_examine (&recording, dir, KEY, FALSE));
  return recording.kind;
}

static void
test_kinds (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *media = vod_session_path (dir, KEY, "media");
  g_autofree gchar *file = vod_session_path (dir, KEY, "session");
  Story story = {OTHER_BOOT, 0, TRUE, 0, 0};
  VodSession *session;
  VodRecording none;

  g_assert_false (vod_recording_examine (&none, dir, KEY, FALSE));
  write_spool (dir);
  g_assert_cmpint (kind_in (dir), ==, VOD_RECORDING_NO_SESSION);
  g_assert_false (g_file_test (file, G_FILE_TEST_EXISTS));
  vod_file_set_cancelled (media, TRUE);
  g_assert_cmpint (kind_in (dir), ==,
      session_keeps_attributes (dir) ? VOD_RECORDING_CANCELLED
                                     : VOD_RECORDING_NO_SESSION);
  /* A session that was lost says nothing either … */
  session_put (file, "", 0);
  g_assert_cmpint (kind_in (dir), ==,
      session_keeps_attributes (dir) ? VOD_RECORDING_CANCELLED
                                     : VOD_RECORDING_NO_SESSION);
  /* … but one that cannot be read does. */
  session_put (file, "rubbish", 7);
  g_assert_cmpint (kind_in (dir), ==, VOD_RECORDING_DAMAGED);
  g_assert_cmpint (g_unlink (file), ==, 0);
  write_session (dir, &story);
  g_assert_cmpint (kind_in (dir), ==, VOD_RECORDING_COMPLETE);
  session = session_open (dir);
  g_assert_cmpint (kind_in (dir), ==, VOD_RECORDING_IN_USE);
  vod_session_close (session);

  /* It has grown since, or shrunk. */
  g_assert_cmpint (truncate (media, 4 * MIB), ==, 0);
  g_assert_cmpint (kind_in (dir), ==, VOD_RECORDING_NO_END);
  g_assert_cmpint (truncate (media, 2 * MIB), ==, 0);
  g_assert_cmpint (kind_in (dir), ==, VOD_RECORDING_DAMAGED);
  g_assert_cmpint (g_chmod (media, 0644), ==, 0);
  g_assert_cmpint (kind_in (dir), ==, VOD_RECORDING_DAMAGED);
  g_assert_cmpint (g_unlink (media), ==, 0);
  g_assert_cmpint (kind_in (dir), ==, VOD_RECORDING_FILE_UPLOAD);

  write_spool (dir);
  g_assert_true (g_file_set_contents (file, "rubbish", -1, NULL));
  g_assert_cmpint (g_chmod (file, 0600), ==, 0);
  g_assert_cmpint (kind_in (dir), ==, VOD_RECORDING_DAMAGED);
  session_remove_dir (dir);
}

/* Neither looked at, cut nor deleted behind a link. */
static void
test_links (void)
{
  gchar *dir = session_make_dir (), *elsewhere = session_make_dir ();
  g_autofree gchar *media = vod_session_path (dir, KEY, "media");
  g_autofree gchar *file = vod_session_path (dir, KEY, "session");
  g_autofree gchar *target = vod_session_path (elsewhere, KEY, "media");
  g_auto (VodRecording) recording = {0};
  g_autoptr (GError) error = NULL;

  write_spool (elsewhere);
  g_assert_cmpint (symlink (target, media), ==, 0);
  g_assert_cmpint (symlink (target, file), ==, 0);
  g_assert_true (vod_recording_examine (&recording, dir, KEY, TRUE));
  g_assert_cmpint (recording.kind, ==, VOD_RECORDING_DAMAGED);
  g_assert_false (recording.has_spool);
  g_assert_true (g_file_test (file, G_FILE_TEST_IS_SYMLINK));
  g_assert_false (vod_recording_cut (&recording, dir, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_LOCAL);
  g_clear_error (&error);
  g_assert_true (vod_recording_discard (dir, KEY, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_access (media, F_OK), !=, 0);
  g_assert_true (g_file_test (target, G_FILE_TEST_IS_REGULAR));
  session_remove_dir (dir);
  session_remove_dir (elsewhere);
}

static void
test_discard (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *media = vod_session_path (dir, KEY, "media");
  g_autoptr (GError) error = NULL;
  Story story = {OTHER_BOOT, 0, TRUE, 0, 0};
  VodSession *session;

  write_spool (dir);
  write_session (dir, &story);
  session = session_open (dir);
  g_assert_false (vod_recording_discard (dir, KEY, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_BUSY);
  g_clear_error (&error);
  g_assert_true (g_file_test (media, G_FILE_TEST_EXISTS));
  vod_session_close (session);

  g_assert_cmpuint (vod_recording_count_discards (dir), ==, 0);
  g_assert_true (vod_recording_discard (dir, KEY, &error));
  g_assert_no_error (error);
  g_assert_false (g_file_test (media, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (vod_recording_count_discards (dir), ==, 1);
  g_assert_false (vod_recording_discard (dir, "../" KEY, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_PARAMETER);
  session_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/container/sequences", test_sequences);
  g_test_add_func ("/container/plain_mp4", test_plain_mp4);
  g_test_add_func ("/container/robust_mp4", test_robust_mp4);
  g_test_add_func ("/container/fragmented_mp4", test_fragmented_mp4);
  g_test_add_func ("/container/hostile_mp4", test_hostile_mp4);
  g_test_add_func ("/recordings/proven", test_proven);
  g_test_add_func ("/recordings/proven_without_the_session",
      test_proven_without_the_session);
  g_test_add_func ("/recordings/cut", test_cut);
  g_test_add_func ("/recordings/cut_grown", test_no_cut_of_what_has_grown);
  g_test_add_func ("/recordings/begun_anew", test_begun_anew);
  g_test_add_func ("/recordings/doubt", test_doubt_until_proven);
  g_test_add_func ("/recordings/doubt/set_aside", test_doubt_set_aside);
  g_test_add_func ("/recordings/kinds", test_kinds);
  g_test_add_func ("/recordings/links", test_links);
  g_test_add_func ("/recordings/discard", test_discard);
  return g_test_run ();
}

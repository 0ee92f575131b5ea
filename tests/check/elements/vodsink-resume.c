/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Resuming and the spool, as the element's properties and messages have them;
 * and whatever may be in the state directory: a correct upload or a clear error,
 * and nothing outside is touched.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "vodsinktest.h"

#define SECRET "a file of somebody else"

static Emulator *emulator;
static gchar *home; /* holds the state directory, and what is beside it */
static gchar *dir;
static gchar *beside;

static void
setup (void)
{
  emulator = emulator_new (NULL);
  home = g_dir_make_tmp ("vodsinkresume-XXXXXX", NULL);
  dir = g_build_filename (home, "state", NULL);
  beside = g_build_filename (home, "beside", NULL);
  fail_unless (g_file_set_contents (beside, SECRET, -1, NULL));
}

static void
remove_all (const gchar *path)
{
  g_autoptr (GDir) folder = NULL;
  const gchar *name;

  if (!g_file_test (path, G_FILE_TEST_IS_SYMLINK))
    folder = g_dir_open (path, 0, NULL);
  while (folder && (name = g_dir_read_name (folder))) {
    g_autofree gchar *below = g_build_filename (path, name, NULL);

    remove_all (below);
  }
  g_remove (path);
}

static void
teardown (void)
{
  g_autofree gchar *text = NULL;

  fail_unless (g_file_get_contents (beside, &text, NULL, NULL));
  fail_unless_equals_string (text, SECRET);
  emulator_free (emulator);
  remove_all (home);
  g_free (home);
  g_free (dir);
  g_free (beside);
}

/* --- the state directory --------------------------------------------------*/

static guint
count_files (const gchar *suffix)
{
  g_autoptr (GDir) folder = g_dir_open (dir, 0, NULL);
  const gchar *name;
  guint n = 0;

  while (folder && (name = g_dir_read_name (folder)))
    n += g_str_has_suffix (name, suffix);
  return n;
}

/* The path of the one file with this suffix. */
static gchar *
find_file (const gchar *suffix)
{
  g_autoptr (GDir) folder = g_dir_open (dir, 0, NULL);
  const gchar *name;

  fail_unless_equals_int (count_files (suffix), 1);
  while ((name = g_dir_read_name (folder)))
    if (g_str_has_suffix (name, suffix))
      break;
  return g_build_filename (dir, name, NULL);
}

static void
assert_media_file (const gchar *path, gsize len)
{
  g_autofree guint8 *expected = g_malloc (len);
  g_autofree gchar *there = NULL;
  gsize size;

  test_fill (expected, 0, len);
  fail_unless (g_file_get_contents (path, &there, &size, NULL));
  fail_unless_equals_uint64 (size, len);
  fail_unless (memcmp (there, expected, len) == 0);
}

/* --- runs -----------------------------------------------------------------*/

static Rig *
begin (gboolean spool)
{
  Rig *rig = rig_new (emulator, "state-dir", dir, "resume-key", "camera",
      "spool", spool, SMALL_MEMORY, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  return rig;
}

/* Ends the stream; what arrived is the test media. */
static void
finish (Rig *rig, Emulator *service, guint n)
{
  rig_push_eos (rig);
  rig_assert_uploaded (rig, service, n);
}

/* Leaves three parts at the service, and some bytes more in the spool. */
static void
interrupted_run (gboolean spool)
{
  Rig *rig = begin (spool);

  rig_push_bytes (rig, 3 * MIB + 500);
  rig_pushed (rig);
  fail_unless (rig_wait_stat (rig, "bytes-uploaded", 3 * MIB));
  rig_free (rig);
  fail_unless (emulator_n_uploads (emulator) >= 1);
  fail_unless_equals_int (count_files (".session"), 1);
}

/* The same media, to its end; what was skipped is returned. */
static guint
whole_run (gboolean spool, guint n)
{
  Rig *rig = begin (spool);
  guint skipped;

  rig_push_bytes (rig, 4 * MIB);
  finish (rig, emulator, n);
  fail_unless_equals_uint64 (
      rig_stat (rig, "bytes-spooled"), spool ? 4 * MIB : 0);
  skipped = (guint)rig_stat (rig, "parts-skipped");
  rig_free (rig);
  return skipped;
}

/* --- resuming -------------------------------------------------------------*/

GST_START_TEST (test_an_interrupted_upload_goes_on)
{
  gboolean spool = __i__;

  interrupted_run (spool);
  fail_unless_equals_int (whole_run (spool, 0), 3);
  fail_unless_equals_int (emulator_count (emulator, "UploadPart", 200), 4);
  fail_unless_equals_int (emulator_n_sessions (emulator), 1);
  fail_unless_equals_int (emulator_n_uploads (emulator), 0);
  fail_unless_equals_int (count_files (""), 0);
}

GST_END_TEST;

GST_START_TEST (test_resume_false_begins_from_the_start)
{
  Rig *rig;

  interrupted_run (FALSE);
  rig = rig_new (emulator, "state-dir", dir, "resume-key", "camera", "resume",
      FALSE, SMALL_MEMORY, NULL);
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 4 * MIB);
  finish (rig, emulator, 0);
  fail_unless_equals_int ((gint)rig_stat (rig, "parts-skipped"), 0);
  rig_free (rig);
}

GST_END_TEST;

/* --- who has it already ---------------------------------------------------*/

GST_START_TEST (test_a_key_in_use_is_an_error_at_the_first_buffer)
{
  gboolean spool = __i__;
  Rig *one = begin (spool), *two;

  rig_push_bytes (one, MIB);
  rig_pushed (one);
  fail_unless (rig_wait_state (one, "uploading"));
  two = begin (spool);
  rig_push_bytes (two, 1000);
  rig_assert_failed (two, "RESOURCE/OPEN_WRITE", "session", -4);
  fail_unless_equals_int (rig_pushed (two), GST_FLOW_ERROR);
  rig_free (two);
  /* The first does not notice; and a third may come after it. */
  rig_push_bytes (one, MIB);
  finish (one, emulator, 0);
  rig_free (one);
  whole_run (spool, 1);
}

GST_END_TEST;

static const gchar *const file_names[] = {"media.mp4"};

/* filesrc ! vodsink, of one file. */
static GstElement *
file_pipeline (const gchar *path)
{
  g_autofree gchar *signature = emulator_signature (FALSE);
  GstElement *pipeline = gst_pipeline_new (NULL);
  GstElement *src = gst_element_factory_make ("filesrc", NULL);
  GstElement *sink = gst_element_factory_make ("vodsink", "sink");

  fail_unless (src && sink);
  g_object_set (src, "location", path, NULL);
  g_object_set (sink, "endpoint", emulator_uri (emulator), "signature",
      signature, "state-dir", dir, SMALL_MEMORY, NULL);
  gst_bin_add_many (GST_BIN (pipeline), src, sink, NULL);
  fail_unless (gst_element_link (src, sink));
  return pipeline;
}

static void
end_pipeline (GstElement *pipeline)
{
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

static GstMessageType
wait_for (GstElement *pipeline, GstMessageType types)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
      bus, (GstClockTime)test_ms (10000) * GST_MSECOND, types);

  fail_unless (message != NULL);
  return GST_MESSAGE_TYPE (message);
}

/* A file that is being uploaded already goes a second time, on its own. */
GST_START_TEST (test_a_file_in_use_goes_without_a_session)
{
  g_autofree gchar *path = g_build_filename (home, file_names[0], NULL);
  g_autofree guint8 *bytes = g_malloc (2 * MIB);
  GstElement *one, *two;

  test_fill (bytes, 0, 2 * MIB);
  fail_unless (g_file_set_contents (path, (gchar *)bytes, 2 * MIB, NULL));
  emulator_add_faults (
      emulator, "{\"op\":\"CommitUploadUGC\",\"delay\":3000,\"times\":1}");
  one = file_pipeline (path);
  gst_element_set_state (one, GST_STATE_PLAYING);
  fail_unless (emulator_wait_hits (emulator, 1));
  two = file_pipeline (path);
  gst_element_set_state (two, GST_STATE_PLAYING);
  fail_unless_equals_int (
      wait_for (two, GST_MESSAGE_INFO | GST_MESSAGE_ERROR), GST_MESSAGE_INFO);
  fail_unless_equals_int (
      wait_for (two, GST_MESSAGE_EOS | GST_MESSAGE_ERROR), GST_MESSAGE_EOS);
  fail_unless_equals_int (
      wait_for (one, GST_MESSAGE_EOS | GST_MESSAGE_ERROR), GST_MESSAGE_EOS);
  end_pipeline (one);
  end_pipeline (two);
  fail_unless_equals_int (emulator_n_media (emulator), 2);
  fail_unless_equals_int (count_files (""), 0);
}

GST_END_TEST;

/* --- a directory that cannot be used --------------------------------------*/

static const struct {
  gboolean spool, key, named;
  gboolean error;
} asked[] = {
    {FALSE, FALSE, TRUE, TRUE},
    {FALSE, TRUE, TRUE, TRUE},
    {TRUE, FALSE, TRUE, TRUE},
    {TRUE, TRUE, TRUE, TRUE},
    {TRUE, FALSE, FALSE, TRUE},
    {FALSE, TRUE, FALSE, TRUE},
    {FALSE, FALSE, FALSE, FALSE},
};

/* XDG_STATE_HOME was made unusable by main(). */
GST_START_TEST (test_unusable_directory)
{
  Rig *rig =
      rig_new (emulator, "spool", asked[__i__].spool, SMALL_MEMORY, NULL);

  if (asked[__i__].named)
    g_object_set (rig->sink, "state-dir", beside, NULL);
  if (asked[__i__].key)
    g_object_set (rig->sink, "resume-key", "k", NULL);
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 1000);
  if (asked[__i__].error) {
    rig_assert_failed (rig, "RESOURCE/OPEN_WRITE", "session", -4);
    fail_unless_equals_int (emulator_n_sessions (emulator), 0);
  } else {
    finish (rig, emulator, 0);
  }
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_a_file_without_a_directory_goes_with_a_notice)
{
  g_autofree gchar *path = g_build_filename (home, file_names[0], NULL);
  GstElement *pipeline, *sink;

  fail_unless (g_file_set_contents (path, "some bytes", -1, NULL));
  pipeline = file_pipeline (path);
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_object_set (sink, "state-dir", NULL, NULL);
  gst_object_unref (sink);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  fail_unless_equals_int (
      wait_for (pipeline, GST_MESSAGE_INFO | GST_MESSAGE_ERROR),
      GST_MESSAGE_INFO);
  fail_unless_equals_int (
      wait_for (pipeline, GST_MESSAGE_EOS | GST_MESSAGE_ERROR),
      GST_MESSAGE_EOS);
  end_pipeline (pipeline);
}

GST_END_TEST;

/* --- a recording that goes on without its upload --------------------------*/

GST_START_TEST (test_a_failed_upload_does_not_end_the_recording)
{
  Rig *rig = begin (TRUE);
  g_autofree gchar *spool = NULL;
  const GstStructure *details;

  g_object_set (rig->sink, "fatal-errors", FALSE, NULL);
  emulator_add_faults (emulator,
      "{\"op\":\"UploadPart\",\"part\":2,\"status\":403,"
      "\"code\":\"AccessDenied\"}");
  rig_push_bytes (rig, 2 * MIB + 100);
  details = rig_details (rig_wait (rig, "warning"));
  spool = find_file (".media");
  fail_unless_equals_string (
      gst_structure_get_string (details, "spool-location"), spool);
  for (guint i = 0; i < 5; i++)
    rig_push_bytes (rig, MIB);
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_OK);
  rig_push_eos (rig);
  rig_wait (rig, "eos");
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  assert_media_file (spool, 7 * MIB + 100);
  fail_unless_equals_int (emulator_n_media (emulator), 0);
  rig_free (rig);

  /* The next run has all of it. */
  emulator_clear_faults (emulator);
  rig = begin (TRUE);
  rig_push_bytes (rig, 7 * MIB + 100);
  finish (rig, emulator, 0);
  fail_unless (rig_stat (rig, "parts-skipped") >= 1);
  fail_unless_equals_int (rig_count (rig, "vodsink-recovered"), 0);
  rig_free (rig);
  fail_unless_equals_int (count_files (""), 0);
}

GST_END_TEST;

GST_START_TEST (test_another_recording_sets_the_last_aside)
{
  const GstStructure *recovered;
  const gchar *aside;
  Rig *rig;

  interrupted_run (TRUE);
  rig = begin (TRUE);
  rig->offset = 77; /* other bytes */
  rig_push (rig, rig_buffer (77, 2 * MIB));
  rig_push_eos (rig);
  recovered = rig_details (rig_wait (rig, "vodsink-recovered"));
  rig_wait (rig, "eos");
  aside = gst_structure_get_string (recovered, "spool-location");
  fail_unless_equals_string (
      gst_structure_get_string (recovered, "resume-key"), "camera");
  assert_media_file (aside, 3 * MIB + 500);
  fail_unless_equals_int (rig_count (rig, "vodsink-recovered"), 1);
  fail_unless_equals_int (
      (gint)emulator_media_int (emulator, 0, "size"), 2 * MIB);
  rig_free (rig);
  /* Its parts stay with it. */
  fail_unless_equals_int (emulator_n_uploads (emulator), 1);
}

GST_END_TEST;

/* --- keeping and deleting -------------------------------------------------*/

GST_START_TEST (test_flush_deletes_and_begins_anew)
{
  gboolean spool = __i__;
  Rig *rig = begin (spool);

  rig_push_bytes (rig, 3 * MIB);
  rig_pushed (rig);
  fail_unless (rig_wait_stat (rig, "bytes-uploaded", 2 * MIB));
  rig_flush (rig);
  rig->offset = 0;
  rig_push_segment (rig, 0);
  rig_push_bytes (rig, 2 * MIB);
  finish (rig, emulator, 0);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  rig_free (rig);
  fail_unless_equals_int (emulator_n_uploads (emulator), 0);
  fail_unless_equals_int (count_files (".session"), 0);
  fail_unless_equals_int (count_files (".discard"), 0);
}

GST_END_TEST;

/* 0: never, 1: before the first byte, 2: while PLAYING. */
GST_START_TEST (test_discard_on_stop)
{
  Rig *rig = rig_new (emulator, "state-dir", dir, "resume-key", "camera",
      "discard-on-stop", __i__ == 1, SMALL_MEMORY, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 3 * MIB);
  rig_pushed (rig);
  fail_unless (rig_wait_stat (rig, "bytes-uploaded", 2 * MIB));
  if (__i__ == 2)
    g_object_set (rig->sink, "discard-on-stop", TRUE, NULL);
  fail_unless_equals_int (rig_count (rig, "warning"), 0);
  rig_free (rig);
  fail_unless_equals_int (emulator_n_uploads (emulator), __i__ == 0 ? 1 : 0);
  fail_unless_equals_int (count_files (""), __i__ == 0 ? 1 : 0);
}

GST_END_TEST;

GST_START_TEST (test_cancel_deletes_session_and_parts)
{
  Rig *rig = begin (FALSE);

  rig_push_bytes (rig, 3 * MIB);
  rig_pushed (rig);
  fail_unless (rig_wait_stat (rig, "bytes-uploaded", 2 * MIB));
  g_signal_emit_by_name (rig->sink, "cancel");
  rig_assert_failed (rig, "RESOURCE/WRITE", "part", -3);
  rig_free (rig);
  fail_unless_equals_int (emulator_n_uploads (emulator), 0);
  fail_unless_equals_int (count_files (""), 0);
}

GST_END_TEST;

/* The spool stays, and says for itself that nobody is to finish it. */
GST_START_TEST (test_cancel_keeps_the_spool)
{
  Rig *rig = begin (TRUE);
  g_autofree gchar *media = NULL;
  gboolean kept;

  rig_push_bytes (rig, 3 * MIB);
  rig_pushed (rig);
  fail_unless (rig_wait_stat (rig, "bytes-uploaded", 2 * MIB));
  media = find_file (".media");
  kept = setxattr (media, "user.test", "", 0, 0) == 0;
  g_signal_emit_by_name (rig->sink, "cancel");
  rig_assert_failed (rig, "RESOURCE/WRITE", "part", -3);
  rig_free (rig);
  fail_unless_equals_int (emulator_n_uploads (emulator), 0);
  fail_unless_equals_int (count_files (""), 1);
  assert_media_file (media, 3 * MIB);
  fail_unless_equals_int (
      getxattr (media, "user.vodsink.cancelled", NULL, 0) >= 0, kept);
}

GST_END_TEST;

/* --- memory, and time -----------------------------------------------------*/

static guint64
resident (void)
{
  g_autofree gchar *text = NULL;
  guint64 size, pages;

  g_file_get_contents ("/proc/self/statm", &text, NULL, NULL);
  fail_unless (sscanf (text, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, &size,
                   &pages) == 2);
  return pages * (guint64)sysconf (_SC_PAGESIZE);
}

/* What the network does not take is on the disk, not in memory. */
GST_START_TEST (test_an_outage_fills_the_spool_and_not_memory)
{
  Rig *rig = begin (TRUE);
  guint64 before;

  emulator_add_faults (emulator, "{\"op\":\"*\",\"stall\":true}");
  rig_push_bytes (rig, 2 * MIB);
  rig_pushed (rig);
  before = resident ();
  for (guint i = 0; i < 60; i++) {
    rig_push_bytes (rig, MIB);
    rig_pushed (rig);
  }
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-spooled"), 62 * MIB);
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-received"), 62 * MIB);
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-uploaded"), 0);
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-buffered"), 0);
  /* Sanitizers keep what was freed. */
  if (g_getenv ("VOD_TEST_SLOWNESS") == NULL)
    fail_unless (resident () < before + 16 * MIB, "%u MiB more",
        (guint)((resident () - before) / MIB));
  fail_unless (rig_time_state (rig, GST_STATE_PAUSED) < TEST_MS (100));
  fail_unless (rig_time_state (rig, GST_STATE_NULL) < TEST_MS (2500));
  rig_free (rig);
}

GST_END_TEST;

/* --- whatever may be there ------------------------------------------------*/

/* A run that ends well, or with an error that says so; what is committed is the
 * media. Then, once the state directory is clean, another that ends well. */
static void
run_against (gboolean spool, const gchar *what)
{
  guint before = emulator_n_media (emulator);
  Rig *rig = begin (spool);
  gint64 end = g_get_monotonic_time () + test_ms (10000) * 1000;

  rig_push_bytes (rig, 4 * MIB);
  rig_push_eos (rig);
  while (rig_count (rig, "eos") + rig_count (rig, "error") == 0) {
    fail_unless (g_get_monotonic_time () < end, "%s: no end", what);
    g_usleep (2000);
  }
  if (rig_count (rig, "error") > 0) {
    GstMessage *message = rig_wait (rig, "error");
    g_autofree gchar *code = rig_error_code (message);
    const gchar *phase =
        gst_structure_get_string (rig_details (message), "phase");

    fail_unless (g_str_equal (phase, "session") || g_str_equal (phase, "spool"),
        "%s: %s in %s", what, code, phase);
    fail_unless_equals_int (emulator_n_media (emulator), before);
  } else {
    g_autofree guint8 *expected = g_malloc (4 * MIB);

    test_fill (expected, 0, 4 * MIB);
    fail_unless (emulator_media_is (emulator, before, expected, 4 * MIB),
        "%s: other bytes", what);
  }
  rig_free (rig);
}

/* The session file of another interrupted upload, whose length is returned. */
static gsize
fresh_session (gchar **path, gchar **text)
{
  gsize len;

  g_free (*path);
  g_free (*text);
  remove_all (dir);
  interrupted_run (FALSE);
  *path = find_file (".session");
  fail_unless (g_file_get_contents (*path, text, &len, NULL));
  return len;
}

GST_START_TEST (test_a_session_cut_short_anywhere)
{
  g_autofree gchar *path = NULL, *text = NULL;

  for (gsize n = 0; n < fresh_session (&path, &text); n += 37) {
    g_autofree gchar *what = g_strdup_printf ("cut at %u", (guint)n);

    fail_unless (truncate (path, (off_t)n) == 0);
    run_against (FALSE, what);
    fail_unless_equals_int (count_files (".session"), 0);
  }
}

GST_END_TEST;

GST_START_TEST (test_a_session_with_bits_flipped)
{
  g_autofree gchar *path = NULL, *text = NULL;

  for (gsize n = 3; n < fresh_session (&path, &text); n += 41) {
    g_autofree gchar *what = g_strdup_printf ("flipped at %u", (guint)n);
    gchar flipped = (gchar)(text[n] ^ (1 << n % 8));
    gint fd = g_open (path, O_WRONLY, 0);

    fail_unless (pwrite (fd, &flipped, 1, (off_t)n) == 1);
    close (fd);
    run_against (FALSE, what);
    fail_unless_equals_int (count_files (".session"), 0);
  }
}

GST_END_TEST;

typedef void (*Spoil) (const gchar *path);

static void
spoil_newer (const gchar *path)
{
  fail_unless (
      g_file_set_contents_full (path, "vodsink session 99\nnew things\n", -1,
          G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static void
spoil_zeros (const gchar *path)
{
  gint fd = g_open (path, O_WRONLY | O_TRUNC, 0);

  fail_unless (ftruncate (fd, 3 * MIB) == 0);
  close (fd);
}

static void
spoil_link (const gchar *path)
{
  fail_unless (g_unlink (path) == 0 && symlink (beside, path) == 0);
}

static void
spoil_dangling (const gchar *path)
{
  fail_unless (
      g_unlink (path) == 0 && symlink ("/nowhere/to/be/found", path) == 0);
}

static void
spoil_hard_link (const gchar *path)
{
  fail_unless (g_unlink (path) == 0 && link (beside, path) == 0);
}

static void
spoil_group (const gchar *path)
{
  fail_unless (g_chmod (path, 0640) == 0);
}

static void
spoil_fifo (const gchar *path)
{
  fail_unless (g_unlink (path) == 0 && mkfifo (path, 0600) == 0);
}

static void
spoil_directory (const gchar *path)
{
  fail_unless (g_unlink (path) == 0 && g_mkdir (path, 0700) == 0);
}

static void
spoil_owner (const gchar *path)
{
  /* Only root can; else it is as it was. */
  if (geteuid () == 0)
    fail_unless (chown (path, 65534, (gid_t)-1) == 0);
}

static void
spoil_first_byte (const gchar *path)
{
  gint fd = g_open (path, O_WRONLY, 0);

  fail_unless (pwrite (fd, "!", 1, 0) == 1);
  close (fd);
}

static void
spoil_last_byte (const gchar *path)
{
  gint fd = g_open (path, O_WRONLY, 0);

  fail_unless (pwrite (fd, "!", 1, lseek (fd, 0, SEEK_END) - 1) == 1);
  close (fd);
}

static void
spoil_half (const gchar *path)
{
  GStatBuf info;

  fail_unless (
      g_stat (path, &info) == 0 && truncate (path, info.st_size / 2) == 0);
}

static void
spoil_longer (const gchar *path)
{
  GStatBuf info;

  fail_unless (g_stat (path, &info) == 0 &&
      truncate (path, info.st_size + 5 * MIB) == 0);
}

static void
spoil_gone (const gchar *path)
{
  fail_unless (g_unlink (path) == 0);
}

static const struct {
  const gchar *what;
  Spoil spoil;
} spoils[] = {
    {"newer", spoil_newer},
    {"zeros", spoil_zeros},
    {"link", spoil_link},
    {"dangling link", spoil_dangling},
    {"hard link", spoil_hard_link},
    {"group-readable", spoil_group},
    {"fifo", spoil_fifo},
    {"directory", spoil_directory},
    {"foreign", spoil_owner},
    {"one byte", spoil_first_byte},
    {"last byte", spoil_last_byte},
    {"half", spoil_half},
    {"longer", spoil_longer},
    {"gone", spoil_gone},
};

GST_START_TEST (test_a_spoilt_session)
{
  g_autofree gchar *path = NULL;

  interrupted_run (FALSE);
  path = find_file (".session");
  spoils[__i__].spoil (path);
  run_against (FALSE, spoils[__i__].what);
}

GST_END_TEST;

GST_START_TEST (test_a_spoilt_session_of_a_spool)
{
  g_autofree gchar *path = NULL;

  interrupted_run (TRUE);
  path = find_file (".session");
  spoils[__i__].spoil (path);
  run_against (TRUE, spoils[__i__].what);
}

GST_END_TEST;

GST_START_TEST (test_a_spoilt_spool)
{
  g_autofree gchar *path = NULL;

  interrupted_run (TRUE);
  path = find_file (".media");
  spoils[__i__].spoil (path);
  run_against (TRUE, spoils[__i__].what);
}

GST_END_TEST;

static void
add_tests (TCase *tc)
{
  tcase_add_loop_test (tc, test_an_interrupted_upload_goes_on, 0, 2);
  tcase_add_test (tc, test_resume_false_begins_from_the_start);
  tcase_add_loop_test (
      tc, test_a_key_in_use_is_an_error_at_the_first_buffer, 0, 2);
  tcase_add_test (tc, test_a_file_in_use_goes_without_a_session);
  tcase_add_loop_test (tc, test_unusable_directory, 0, G_N_ELEMENTS (asked));
  tcase_add_test (tc, test_a_file_without_a_directory_goes_with_a_notice);
  tcase_add_test (tc, test_a_failed_upload_does_not_end_the_recording);
  tcase_add_test (tc, test_another_recording_sets_the_last_aside);
  tcase_add_loop_test (tc, test_flush_deletes_and_begins_anew, 0, 2);
  tcase_add_loop_test (tc, test_discard_on_stop, 0, 3);
  tcase_add_test (tc, test_cancel_deletes_session_and_parts);
  tcase_add_test (tc, test_cancel_keeps_the_spool);
  tcase_add_test (tc, test_an_outage_fills_the_spool_and_not_memory);
  tcase_add_test (tc, test_a_session_cut_short_anywhere);
  tcase_add_test (tc, test_a_session_with_bits_flipped);
  tcase_add_loop_test (tc, test_a_spoilt_session, 0, G_N_ELEMENTS (spoils));
  tcase_add_loop_test (
      tc, test_a_spoilt_session_of_a_spool, 0, G_N_ELEMENTS (spoils));
  tcase_add_loop_test (tc, test_a_spoilt_spool, 0, G_N_ELEMENTS (spoils));
}

static Suite *
vodsink_resume_suite (void)
{
  Suite *suite = suite_create ("vodsink-resume");
  TCase *tc = tcase_create ("resume");

  tcase_add_checked_fixture (tc, setup, teardown);
  add_tests (tc);
  suite_add_tcase (suite, tc);
  return suite;
}

/* Where a state directory is not named, there can be none. */
int
main (int argc, char **argv)
{
  g_setenv ("XDG_STATE_HOME", "/dev/null", TRUE);
  gst_check_init (&argc, &argv);
  return gst_check_run_suite (
      vodsink_resume_suite (), "vodsink-resume", __FILE__);
}

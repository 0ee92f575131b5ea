/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsink-progress: how much is up, of how much, as far as that is known; and
 * never more than all.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vodsinktest.h"

static Emulator *emulator;

static void
setup (void)
{
  emulator = emulator_new (NULL);
}

static void
teardown (void)
{
  emulator_free (emulator);
}

static void
play (Rig *rig)
{
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
}

/* --- a stream whose end nobody knows --------------------------------------*/

typedef struct {
  guint64 loaded, total, speed;
  gdouble percent;
} Progress;

static void
parse_progress (GstMessage *message, Progress *progress)
{
  const GstStructure *s = gst_message_get_structure (message);

  fail_unless (gst_structure_get (s, "loaded", G_TYPE_UINT64, &progress->loaded,
      "total", G_TYPE_UINT64, &progress->total, "percent", G_TYPE_DOUBLE,
      &progress->percent, "speed", G_TYPE_UINT64, &progress->speed, NULL));
  fail_unless_equals_int (gst_structure_n_fields (s), 4);
}

static void
check_one (const Progress *now)
{
  if (now->total == 0) {
    fail_unless (now->percent == -1, "unknown total, percent %f", now->percent);
    return;
  }
  fail_unless (now->loaded <= now->total);
  fail_unless (
      now->percent >= 0 && now->percent <= 100, "percent %f", now->percent);
  fail_unless (ABS (now->percent - 100.0 * now->loaded / now->total) < 0.01);
}

/* What holds for each and from one to the next, when nothing is rewritten. */
static Progress
check_progress (Rig *rig, guint *count)
{
  Progress last = {0};

  *count = 0;
  for (guint i = 0; i < rig->messages->len; i++) {
    Progress now;

    if (strcmp (g_ptr_array_index (rig->labels, i), "vodsink-progress") != 0)
      continue;
    parse_progress (g_ptr_array_index (rig->messages, i), &now);
    fail_unless (now.loaded >= last.loaded, "loaded falls");
    check_one (&now);
    last = now;
    (*count)++;
  }
  return last;
}

/* Of the last message with @label. */
static guint
place_of (Rig *rig, const gchar *label)
{
  guint place = G_MAXUINT;

  for (guint i = 0; i < rig->messages->len; i++)
    if (strcmp (g_ptr_array_index (rig->labels, i), label) == 0)
      place = i;
  return place;
}

#define SLOW_PARTS "{\"op\":\"UploadPart\",\"delay\":150}"

GST_START_TEST (test_progress_of_a_stream)
{
  Rig *rig = rig_new (emulator, "progress-interval", 1, "slice-size",
      (guint64)MIB, "parallel-uploads", 1, NULL);
  guint count;
  Progress last;

  emulator_add_faults (emulator, SLOW_PARTS);
  play (rig);
  rig_push_bytes (rig, MIB + 1);
  fail_unless (rig_wait_stat (rig, "bytes-uploaded", MIB));
  rig_wait (rig, "vodsink-progress");
  /* The end is not known yet. */
  last = check_progress (rig, &count);
  fail_unless_equals_uint64 (last.total, 0);
  for (guint i = 0; i < 6; i++)
    rig_push_bytes (rig, MIB);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  last = check_progress (rig, &count);
  fail_unless (count >= 3);
  fail_unless_equals_uint64 (last.loaded, rig->offset);
  fail_unless_equals_uint64 (last.total, rig->offset);
  fail_unless (last.percent == 100.0);
  fail_unless (last.speed > 0);
  /* It comes before it is said that all is done. */
  fail_unless (
      place_of (rig, "vodsink-progress") < place_of (rig, "vodsink-finish"));
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_progress_interval_0_posts_none)
{
  Rig *rig = rig_new (emulator, "progress-interval", 0, NULL);

  play (rig);
  rig_push_bytes (rig, 3 * MIB);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless_equals_int (rig_count (rig, "vodsink-progress"), 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_progress_interval_is_kept)
{
  Rig *rig = rig_new (emulator, "progress-interval", 3600000, NULL);

  play (rig);
  for (guint i = 0; i < 10; i++)
    rig_push_bytes (rig, 2 * MIB);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  /* The first, and the last one at 100 %. */
  fail_unless (rig_count (rig, "vodsink-progress") <= 2);
  fail_unless (rig_count (rig, "vodsink-progress") >= 1);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_progress_interval_may_change_in_playing)
{
  Rig *rig = rig_new (emulator, "progress-interval", 3600000, "slice-size",
      (guint64)MIB, "parallel-uploads", 1, NULL);
  guint before;

  emulator_add_faults (emulator, SLOW_PARTS);
  play (rig);
  rig_push_bytes (rig, 2 * MIB);
  fail_unless (rig_wait_stat (rig, "bytes-uploaded", MIB));
  before = rig_count (rig, "vodsink-progress");
  g_object_set (rig->sink, "progress-interval", 1, NULL);
  for (guint i = 0; i < 6; i++)
    rig_push_bytes (rig, MIB);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  fail_unless (rig_count (rig, "vodsink-progress") >= before + 3);
  rig_free (rig);
}

GST_END_TEST;

/* The texts of each CONTINUE of the end. */
static GPtrArray *
closing_texts (Rig *rig)
{
  GPtrArray *texts = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < rig->messages->len; i++) {
    gchar *text;

    if (strcmp (
            g_ptr_array_index (rig->labels, i), "progress-continue-close") != 0)
      continue;
    gst_message_parse_progress (
        g_ptr_array_index (rig->messages, i), NULL, NULL, &text);
    g_ptr_array_add (texts, text);
  }
  return texts;
}

/* What gst-launch shows while it waits for the end has a rate of its own,
 * whatever an application wants to hear meanwhile. */
GST_START_TEST (test_close_goes_on_at_any_progress_interval)
{
  static const guint intervals[] = {0, 3600000, 1};
  Rig *rig =
      rig_new (emulator, "progress-interval", intervals[__i__], "slice-size",
          (guint64)MIB, "parallel-uploads", 1, "upload-paused", TRUE, NULL);
  gint64 begun = g_get_monotonic_time (), seconds;
  gint percent, last = -1;
  g_autoptr (GPtrArray) texts = NULL;

  emulator_add_faults (emulator, SLOW_PARTS);
  play (rig);
  rig_push_bytes (rig, 12 * MIB);
  rig_push_eos (rig);
  /* All of it is left. */
  rig_wait (rig, "progress-start-close");
  g_object_set (rig->sink, "upload-paused", FALSE, NULL);
  rig_assert_uploaded (rig, emulator, 0);
  seconds = (g_get_monotonic_time () - begun) / G_USEC_PER_SEC + 1;
  texts = closing_texts (rig);
  for (guint i = 0; i < texts->len; i++) {
    fail_unless_equals_int (sscanf (g_ptr_array_index (texts, i),
                                "Uploading what is left: %d %%", &percent),
        1);
    fail_unless (percent > last, "%d after %d", percent, last);
    last = percent;
  }
  fail_unless_equals_int (last, 100);
  /* At the beginning, each second, at the end. */
  fail_unless (texts->len >= 3, "%u", texts->len);
  fail_unless (
      texts->len <= seconds + 2, "%u in %d s", texts->len, (gint)seconds);
  rig_free (rig);
}

GST_END_TEST;

/* A handler that takes its time with one message, until another was posted. */
static const gchar *held, *awaited;
static gint holding, released; /* atomic */

static void
hold (gpointer data, gpointer user_data)
{
  g_autofree gchar *label = rig_label (data);
  gint64 end = g_get_monotonic_time () + 5 * G_USEC_PER_SEC;

  if (strcmp (label, awaited) == 0)
    g_atomic_int_set (&released, 1);
  if (strcmp (label, held) != 0 || g_atomic_int_add (&holding, 1) != 0)
    return;
  while (!g_atomic_int_get (&released) && g_get_monotonic_time () < end)
    g_usleep (1000);
}

static Rig *
hold_until (const gchar *held_label, const gchar *awaited_label)
{
  Rig *rig = rig_new (
      emulator, "slice-size", (guint64)MIB, "parallel-uploads", 2, NULL);

  held = held_label;
  awaited = awaited_label;
  g_atomic_int_set (&holding, 0);
  g_atomic_int_set (&released, 0);
  rig->on_message = hold;
  return rig;
}

static void
wait_for (gint *flag)
{
  gint64 end = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;

  while (!g_atomic_int_get (flag)) {
    fail_unless (g_get_monotonic_time () < end);
    g_usleep (1000);
  }
}

/* However long it takes to hear of it: a step goes on before it ends. */
GST_START_TEST (test_nothing_goes_on_behind_its_end)
{
  Rig *rig = hold_until ("progress-continue-close", "none");

  emulator_add_faults (emulator, SLOW_PARTS);
  play (rig);
  rig_push_bytes (rig, 6 * MIB);
  rig_push_eos (rig);
  wait_for (&holding);
  g_signal_emit_by_name (rig->sink, "cancel");
  rig_wait (rig, "error");
  g_atomic_int_set (&released, 1);
  rig_wait (rig, "progress-error-close");
  fail_unless (place_of (rig, "progress-continue-close") <
      place_of (rig, "progress-error-close"));
  fail_unless_equals_int (rig_count (rig, "progress-error-close"), 1);
  rig_free (rig);
}

GST_END_TEST;

/* What opening had to be tried again for is over once it is open. */
GST_START_TEST (test_trouble_that_is_over_is_not_told)
{
  Rig *rig = hold_until ("vodsink-retry", "progress-continue-close");
  g_autoptr (GPtrArray) texts = NULL;

  emulator_add_faults (
      emulator, "{\"op\":\"ApplyUploadUGC\",\"status\":503,\"times\":1}");
  emulator_add_faults (emulator, SLOW_PARTS);
  play (rig);
  rig_push_bytes (rig, 1);
  wait_for (&holding);
  for (guint i = 0; i < 6; i++)
    rig_push_bytes (rig, MIB);
  rig_wait (rig, "progress-complete-open");
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  texts = closing_texts (rig);
  for (guint i = 0; i < texts->len; i++) {
    const gchar *text = g_ptr_array_index (texts, i);

    fail_unless (strstr (text, "again") == NULL, "%s", text);
  }
  rig_free (rig);
}

GST_END_TEST;

/* A part that goes again is not up until it is. */
GST_START_TEST (test_progress_of_a_stream_that_is_rewritten)
{
  Rig *rig = rig_new (emulator, "progress-interval", 1, "slice-size",
      (guint64)MIB, "parallel-uploads", 1, NULL);
  Progress now;

  emulator_add_faults (emulator, SLOW_PARTS);
  play (rig);
  for (guint i = 0; i < 4; i++)
    rig_push_bytes (rig, MIB);
  fail_unless (rig_wait_stat (rig, "bytes-uploaded", 2 * MIB));
  rig_push_bytes_at (rig, 0, 100);
  rig_push_eos (rig);
  rig_wait (rig, "eos");
  for (guint i = 0; i < rig->messages->len; i++) {
    if (strcmp (g_ptr_array_index (rig->labels, i), "vodsink-progress") != 0)
      continue;
    parse_progress (g_ptr_array_index (rig->messages, i), &now);
    check_one (&now);
  }
  fail_unless_equals_uint64 (now.loaded, 4 * MIB);
  fail_unless (now.percent == 100.0);
  rig_free (rig);
}

GST_END_TEST;

/* What is up from an earlier run counts when it has been compared. */
GST_START_TEST (test_progress_of_an_upload_that_goes_on)
{
  g_autofree gchar *dir = g_dir_make_tmp ("vodsink-XXXXXX", NULL);
  g_autofree gchar *remove = g_strdup_printf ("rm -r '%s'", dir);
  guint count;
  Progress last;

  emulator_add_faults (emulator, SLOW_PARTS);
  for (guint run = 0; run < 2; run++) {
    Rig *rig = rig_new (emulator, "progress-interval", 1, "slice-size",
        (guint64)MIB, "state-dir", dir, "resume-key", "progress", NULL);

    play (rig);
    for (guint i = 0; i < 6; i++)
      rig_push_bytes (rig, MIB);
    if (run == 0) {
      fail_unless (rig_wait_stat (rig, "bytes-uploaded", 3 * MIB));
      rig_set_state (rig, GST_STATE_NULL);
      check_progress (rig, &count);
    } else {
      rig_push_eos (rig);
      rig_assert_uploaded (rig, emulator, 0);
      fail_unless (rig_stat (rig, "parts-skipped") >= 3);
      last = check_progress (rig, &count);
      fail_unless_equals_uint64 (last.loaded, 6 * MIB);
      fail_unless (last.percent == 100.0);
    }
    rig_free (rig);
  }
  fail_unless_equals_int (
      g_spawn_command_line_sync (remove, NULL, NULL, NULL, NULL), TRUE);
}

GST_END_TEST;

/* --- a file, which says how long it is ------------------------------------*/

#define SAID (8 * MIB)

typedef struct {
  GstElement *pipeline;
  gchar *path;
  GArray *seen; /* of Progress */
} FileUpload;

/* "filesrc ! @between ! vodsink" on a file of SAID bytes: a part at a time,
 * slowly, with little memory, so that the file is read while parts are sent. */
static void
file_upload_init (FileUpload *upload, const gchar *between)
{
  g_autofree gchar *signature = emulator_signature (FALSE);
  g_autofree guint8 *data = g_malloc (SAID);
  g_autofree gchar *line = NULL;

  upload->path =
      g_strdup_printf ("%s/vodsink-%d.bin", g_get_tmp_dir (), (gint)getpid ());
  upload->seen = g_array_new (FALSE, FALSE, sizeof (Progress));
  test_fill (data, 0, SAID);
  g_file_set_contents (upload->path, (const gchar *)data, SAID, NULL);
  line = g_strdup_printf (
      "filesrc location=%s blocksize=65536 ! %s vodsink endpoint=%s "
      "signature=%s progress-interval=1 media-type=mp4 resume=false "
      "slice-size=1048576 max-size-bytes=4194304 parallel-uploads=1",
      upload->path, between, emulator_uri (emulator), signature);
  upload->pipeline = gst_parse_launch (line, NULL);
  emulator_add_faults (emulator, SLOW_PARTS);
}

/* Plays it to its end; @on_first is called when the first progress is told. */
static void
file_upload_run (FileUpload *upload, void (*on_first) (FileUpload *upload))
{
  GstBus *bus = gst_element_get_bus (upload->pipeline);
  gboolean done = FALSE;

  gst_element_set_state (upload->pipeline, GST_STATE_PLAYING);
  while (!done) {
    GstMessage *message = gst_bus_timed_pop (bus, 20 * GST_SECOND);
    Progress progress;

    fail_unless (message != NULL);
    fail_unless (GST_MESSAGE_TYPE (message) != GST_MESSAGE_ERROR);
    done = GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
    if (gst_message_has_name (message, "vodsink-progress")) {
      parse_progress (message, &progress);
      check_one (&progress);
      g_array_append_val (upload->seen, progress);
      if (upload->seen->len == 1 && on_first)
        on_first (upload);
    }
    gst_message_unref (message);
  }
  gst_element_set_state (upload->pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
}

static const Progress *
file_upload_seen (FileUpload *upload, guint i)
{
  fail_unless (i < upload->seen->len);
  return &g_array_index (upload->seen, Progress, i);
}

/* In how many the total is @total, @first the first of them. */
static guint
file_upload_count (FileUpload *upload, guint64 total, guint *first)
{
  guint n = 0;

  for (guint i = 0; i < upload->seen->len; i++) {
    if (file_upload_seen (upload, i)->total != total)
      continue;
    if (n++ == 0)
      *first = i;
  }
  return n;
}

/* The last one says that all is up: @size bytes, as the service says too. */
static void
file_upload_finish (FileUpload *upload, guint64 size)
{
  const Progress *last = file_upload_seen (upload, upload->seen->len - 1);

  fail_unless_equals_uint64 (last->total, size);
  fail_unless_equals_uint64 (last->loaded, size);
  fail_unless (last->percent == 100.0);
  fail_unless_equals_uint64 (emulator_media_int (emulator, 0, "size"), size);
  gst_object_unref (upload->pipeline);
  unlink (upload->path);
  g_free (upload->path);
  g_array_unref (upload->seen);
}

GST_START_TEST (test_progress_of_a_file_has_a_total)
{
  FileUpload upload;
  guint said;

  file_upload_init (&upload, "");
  file_upload_run (&upload, NULL);
  fail_unless (upload.seen->len >= 3);
  fail_unless (file_upload_count (&upload, SAID, &said) == upload.seen->len);
  file_upload_finish (&upload, SAID);
}

GST_END_TEST;

static void
grow (FileUpload *upload)
{
  g_autofree guint8 *data = g_malloc (4 * MIB);
  FILE *file = fopen (upload->path, "ab");

  test_fill (data, SAID, 4 * MIB);
  fail_unless (fwrite (data, 1, 4 * MIB, file) == 4 * MIB);
  fclose (file);
}

GST_START_TEST (test_progress_of_a_file_that_grows)
{
  FileUpload upload;
  guint said = 0, unknown = 0, whole = 0;

  file_upload_init (&upload, "");
  file_upload_run (&upload, grow);
  fail_unless (file_upload_count (&upload, SAID, &said) > 0);
  fail_unless (file_upload_count (&upload, 0, &unknown) > 0);
  fail_unless (file_upload_count (&upload, SAID + 4 * MIB, &whole) > 0);
  fail_unless (said < unknown && unknown < whole);
  file_upload_finish (&upload, SAID + 4 * MIB);
}

GST_END_TEST;

/* Upstream ends before it said it would. */
GST_START_TEST (test_progress_of_a_file_that_ends_early)
{
  const guint64 size = 6 * MIB;
  FileUpload upload;
  guint said = 0, whole = 0;

  file_upload_init (&upload, "identity eos-after=97 !");
  file_upload_run (&upload, NULL);
  fail_unless (file_upload_count (&upload, SAID, &said) > 0);
  fail_unless (file_upload_count (&upload, size, &whole) > 0);
  fail_unless (said < whole);
  file_upload_finish (&upload, size);
}

GST_END_TEST;

static Suite *
vodsink_progress_suite (void)
{
  Suite *suite = suite_create ("vodsink-progress");
  TCase *tc = tcase_create ("progress");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_progress_of_a_stream);
  tcase_add_test (tc, test_progress_interval_0_posts_none);
  tcase_add_test (tc, test_progress_interval_is_kept);
  tcase_add_test (tc, test_progress_interval_may_change_in_playing);
  tcase_add_loop_test (tc, test_close_goes_on_at_any_progress_interval, 0, 3);
  tcase_add_test (tc, test_nothing_goes_on_behind_its_end);
  tcase_add_test (tc, test_trouble_that_is_over_is_not_told);
  tcase_add_test (tc, test_progress_of_a_stream_that_is_rewritten);
  tcase_add_test (tc, test_progress_of_an_upload_that_goes_on);
  tcase_add_test (tc, test_progress_of_a_file_has_a_total);
  tcase_add_test (tc, test_progress_of_a_file_that_grows);
  tcase_add_test (tc, test_progress_of_a_file_that_ends_early);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_progress);

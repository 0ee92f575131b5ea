/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsink under applications that never let it alone: one thread sets every
 * property all the time, another reads them all, while uploads begin, end, are
 * flushed and stopped. What may change changes, what is latched counts for the
 * next upload; nothing crashes, nothing hangs, every upload has its bytes.
 */
#include <string.h>

#include "vodsinktest.h"

static Emulator *emulator;
static gchar *state_dir;

static void
setup (void)
{
  emulator = emulator_new (NULL);
  state_dir = g_dir_make_tmp ("vodsink-XXXXXX", NULL);
}

static void
teardown (void)
{
  g_autofree gchar *command = g_strdup_printf ("rm -r '%s'", state_dir);

  emulator_free (emulator);
  fail_unless (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
  g_free (state_dir);
}

/* --- values ---------------------------------------------------------------*/

/* Any of which, together with any others, an upload succeeds with. */
static const struct {
  const gchar *name;
  const gchar *values[4]; /* NULL: the default */
} harmless[] = {
    /* clang-format off */
  {"location", {NULL, "a.mp4", "/x/b.mkv", "c"}},
  {"media-name", {NULL, "One", "第二", "Three"}},
  {"media-type", {"mp4", "mkv", "ts", "flv"}},
  {"cover-location", {NULL, "/nowhere.jpg", NULL, "/none.png"}},
  {"report-id", {NULL, "1", "2", NULL}},
  {"slice-size", {"1048576", "2097152", "4194304", NULL}},
  {"parallel-uploads", {"1", "2", "5", NULL}},
  {"max-size-bytes", {"33554432", "67108864", "40000000", NULL}},
  {"max-upload-bitrate", {NULL, "1000000000", "4000000000", "0"}},
  {"content-md5", {"true", "false", "true", NULL}},
  {"progress-interval", {"0", "1", "50", NULL}},
  {"forward", {"true", "false", "true", NULL}},
  {"timeout", {"5", "9", "15", NULL}},
  {"retry-duration", {"60", "-1", "300", NULL}},
  {"user-agent", {NULL, "one/1", "two/2", NULL}},
  {"fatal-errors", {"true", "false", "true", NULL}},
  {"resume", {"true", "false", "true", NULL}},
  {"spool", {"true", "false", "true", NULL}},
  {"keep-spool", {"false", "true", "false", NULL}},
  {"discard-on-stop", {"true", "false", "true", NULL}},
  {"upload-paused", {"false", "true", "false", "false"}},
    /* clang-format on */
};

static const gchar *const hostile_texts[] = {"", " ", "x", "NULL", "/", "../..",
    "http://", "https://user:password@host:0/%00", "a\nb\r\n\033[31m",
    "\xff\xfe\xfd", "%s%n%p", "\"quoted\"", "mp4/..", "file:///dev/null"};

static void
set_text (GObject *object, GParamSpec *spec, const gchar *text)
{
  GValue value = G_VALUE_INIT;

  g_value_init (&value, spec->value_type);
  if (text == NULL)
    g_param_value_set_default (spec, &value);
  else
    fail_unless (gst_value_deserialize (&value, text), "%s", spec->name);
  g_object_set_property (object, spec->name, &value);
  g_value_unset (&value);
}

static GParamSpec *
find_spec (GObject *object, const gchar *name)
{
  return g_object_class_find_property (G_OBJECT_GET_CLASS (object), name);
}

static void
set_harmless (GObject *object, GRand *rand)
{
  guint i = g_rand_int_range (rand, 0, G_N_ELEMENTS (harmless));
  g_autofree gchar *signature = emulator_signature (FALSE);

  set_text (object, find_spec (object, harmless[i].name),
      harmless[i].values[g_rand_int_range (rand, 0, 4)]);
  g_object_set (object, "signature", signature, NULL);
}

/* A picture, or what is none. */
static GstSample *
random_sample (GRand *rand)
{
  gboolean picture = g_rand_boolean (rand);
  GstBuffer *buffer = rig_buffer (0, g_rand_int_range (rand, 1, 2000));
  GstCaps *caps = gst_caps_new_empty_simple (
      picture ? "image/jpeg" : "application/x-unknown");
  GstSample *sample = gst_sample_new (buffer, caps, NULL, NULL);

  gst_buffer_unref (buffer);
  gst_caps_unref (caps);
  return sample;
}

static void
random_value (GParamSpec *spec, GRand *rand, GValue *value)
{
  guint i = g_rand_int_range (rand, 0, G_N_ELEMENTS (hostile_texts));

  if (G_VALUE_HOLDS_STRING (value))
    g_value_set_string (value, hostile_texts[i]);
  else if (G_VALUE_HOLDS_BOOLEAN (value))
    g_value_set_boolean (value, g_rand_boolean (rand));
  else if (G_VALUE_HOLDS_INT (value))
    g_value_set_int (value, (gint)g_rand_int (rand) % 100);
  else if (G_VALUE_HOLDS_UINT (value))
    g_value_set_uint (value, g_rand_int (rand) % 100);
  else if (G_VALUE_HOLDS_UINT64 (value))
    g_value_set_uint64 (
        value, (guint64)g_rand_int (rand) << g_rand_int_range (rand, 0, 32));
  else if (value->g_type == GST_TYPE_SAMPLE)
    g_value_take_boxed (value, random_sample (rand));
  else if (value->g_type == GST_TYPE_STRUCTURE)
    g_value_take_boxed (value,
        gst_structure_new ("headers", "X", G_TYPE_STRING, "a\r\nb", "Y",
            i % 2 ? G_TYPE_INT : G_TYPE_UINT, i, NULL));
  else
    fail ("%s: what is a value of that type?", spec->name);
  g_param_value_validate (spec, value);
}

/* Of vodsink's own; but where it may write is the test's affair. */
static gboolean
is_for_all (GObject *object, GParamSpec *spec)
{
  return (spec->flags & G_PARAM_WRITABLE) &&
      spec->owner_type == G_OBJECT_TYPE (object) &&
      strcmp (spec->name, "state-dir") != 0;
}

static void
set_anything (GObject *object, GRand *rand)
{
  GValue value = G_VALUE_INIT;
  guint n;
  GParamSpec **specs =
      g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n);
  GParamSpec *spec = specs[g_rand_int_range (rand, 0, n)];

  if (is_for_all (object, spec)) {
    g_value_init (&value, spec->value_type);
    random_value (spec, rand, &value);
    g_object_set_property (object, spec->name, &value);
    g_value_unset (&value);
  }
  g_free (specs);
}

/* So many settings while there are uploads make a test. */
#define ENOUGH 100

/* --- the threads that never rest ------------------------------------------*/

typedef struct {
  Rig *rig;
  void (*set) (GObject *object, GRand *rand);
  gulong pause; /* µs */
  gint stop;
  gint resting; /* nothing is set meanwhile */
  gint sets;    /* so often */
  GThread *setter, *reader;
} Restless;

static gpointer
set_all_the_time (gpointer data)
{
  Restless *restless = data;
  GRand *rand = g_rand_new_with_seed (1);

  while (!g_atomic_int_get (&restless->stop)) {
    if (!g_atomic_int_get (&restless->resting)) {
      restless->set (G_OBJECT (restless->rig->sink), rand);
      g_atomic_int_inc (&restless->sets);
    }
    g_usleep (restless->pause);
  }
  g_rand_free (rand);
  return NULL;
}

static gpointer
read_all_the_time (gpointer data)
{
  Restless *restless = data;

  while (!g_atomic_int_get (&restless->stop)) {
    rig_read_everything (restless->rig);
    g_usleep (100);
  }
  return NULL;
}

static void
restless_begin (Restless *restless, Rig *rig, void (*set) (GObject *, GRand *),
    gulong pause)
{
  *restless = (Restless){.rig = rig, .set = set, .pause = pause};
  restless->setter = g_thread_new ("setter", set_all_the_time, restless);
  restless->reader = g_thread_new ("reader", read_all_the_time, restless);
}

static void
restless_end (Restless *restless)
{
  g_atomic_int_set (&restless->stop, 1);
  g_thread_join (restless->setter);
  g_thread_join (restless->reader);
  fail_unless (g_atomic_int_get (&restless->sets) > ENOUGH);
}

/* --- uploads meanwhile ----------------------------------------------------*/

static void
begin_again (Rig *rig, guint how)
{
  rig_pushed (rig);
  rig->offset = 0;
  if (how == 0) {
    rig_flush (rig);
    rig_mark (rig);
    rig_push_segment (rig, 0);
    return;
  }
  rig_set_state (rig, how == 1 ? GST_STATE_READY : GST_STATE_NULL);
  rig_mark (rig);
  rig_set_state (rig, how == 1 ? GST_STATE_PAUSED : GST_STATE_PLAYING);
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
}

static void
push_some (Rig *rig, GRand *rand)
{
  for (guint i = g_rand_int_range (rand, 1, 5); i > 0; i--)
    rig_push_bytes (rig, g_rand_int_range (rand, 1, 2 * MIB));
  rig_push_eos (rig);
}

static Rig *
new_rig (void)
{
  Rig *rig = rig_new (emulator, "storage-endpoint", emulator_uri (emulator),
      "report-endpoint", emulator_uri (emulator), "state-dir", state_dir, NULL);

  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  return rig;
}

GST_START_TEST (test_every_upload_has_its_bytes)
{
  GRand *rand = g_rand_new_with_seed (7);
  Rig *rig = new_rig ();
  Restless restless;

  restless_begin (&restless, rig, set_harmless, 100);
  for (guint i = 0; i < 15; i++) {
    if (i > 0)
      begin_again (rig, i % 3);
    push_some (rig, rand);
    rig_assert_uploaded (rig, emulator, i);
  }
  restless_end (&restless);
  fail_unless_equals_int (emulator_n_media (emulator), 15);
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless (test_no_threads ("vod-upload"));
  rig_free (rig);
  g_rand_free (rand);
}

GST_END_TEST;

static void
set_defaults (GObject *object)
{
  guint n;
  GParamSpec **specs =
      g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n);

  for (guint i = 0; i < n; i++)
    if (is_for_all (object, specs[i]))
      set_text (object, specs[i], NULL);
  g_free (specs);
}

static void
set_sensible (GstElement *sink)
{
  g_autofree gchar *signature = emulator_signature (FALSE);

  g_object_set (sink, "endpoint", emulator_uri (emulator), "backup-endpoint",
      NULL, "storage-endpoint", emulator_uri (emulator), "report-endpoint",
      emulator_uri (emulator), "proxy", NULL, "tls-ca-file", NULL, "signature",
      signature, "signature-url", NULL, "signature-headers", NULL, "media-name",
      NULL, "media-type", "mp4", "storage-region", NULL, "slice-size",
      (guint64)MIB, "max-size-bytes", (guint64)16 * MIB, "resume-key", NULL,
      "max-upload-bitrate", (guint64)0, "upload-paused", FALSE, "timeout", 1,
      "retry-duration", 0, NULL);
}

static gboolean
has_ended (gpointer data)
{
  Rig *rig = data;

  return rig_count (rig, "error") + rig_count (rig, "eos") > 0;
}

/* An upload that takes such settings ends with an error, or does what they say;
 * one that was paused goes on when it is not. */
GST_START_TEST (test_no_setting_does_any_harm)
{
  GRand *rand = g_rand_new_with_seed (__i__);
  Rig *rig = new_rig ();
  Restless restless;
  gboolean rests = FALSE;

  restless_begin (&restless, rig, set_anything, TEST_MS (2) * 1000);
  for (guint i = 0; !rests || (i < 80 && emulator_n_media (emulator) == 0);
       i++) {
    if (i > 0)
      begin_again (rig, i % 3);
    /* A busy machine may take long from sensible settings to the upload. */
    rests = i >= 20 && g_atomic_int_get (&restless.sets) > ENOUGH;
    g_atomic_int_set (&restless.resting, rests);
    if (rests)
      set_defaults (G_OBJECT (rig->sink));
    /* So that some uploads get further than their settings. */
    set_sensible (rig->sink);
    push_some (rig, rand);
    if (rests)
      test_wait_until (has_ended, rig, TEST_MS (10));
    else if (i % 4 == 0)
      g_usleep (g_rand_int_range (rand, 0, 20000));
    else if (i % 4 == 1)
      g_signal_emit_by_name (rig->sink, "cancel");
    else
      test_wait_until (has_ended, rig, TEST_MS (1));
    fail_unless (rig_count (rig, "error") <= 1);
    rig_set_state (rig, GST_STATE_READY);
    rig_pushed (rig);
    rig_set_state (rig, GST_STATE_PLAYING);
    rig_begin (rig, NULL);
  }
  restless_end (&restless);
  rig_set_state (rig, GST_STATE_NULL);
  rig_pushed (rig);
  fail_unless (emulator_n_media (emulator) > 0);
  fail_unless (test_no_threads ("vod-upload"));
  rig_free (rig);
  g_rand_free (rand);
}

GST_END_TEST;

static Suite *
vodsink_restless_suite (void)
{
  Suite *suite = suite_create ("vodsink-restless");
  TCase *tc = tcase_create ("restless");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_every_upload_has_its_bytes);
  tcase_add_loop_test (tc, test_no_setting_does_any_harm, 0, 2);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_restless);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsink while it plays: properties set by other threads, and its stats.
 */
#include <string.h>

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

/* --- properties while it plays --------------------------------------------*/

static gint stop_setting;

static gpointer
set_all_the_time (gpointer data)
{
  GObject *sink = data;
  guint i = 0;

  while (!g_atomic_int_get (&stop_setting)) {
    g_autofree gchar *name = g_strdup_printf ("name %u", i++);
    g_autofree gchar *signature = emulator_signature (FALSE);
    GstStructure *stats;
    gchar *back;

    g_object_set (sink, "media-name", name, "signature", signature,
        "retry-duration", (gint)(i % 100) + 10, "progress-interval", i % 3,
        "location", name, "user-agent", name, NULL);
    g_object_get (sink, "stats", &stats, "media-name", &back, NULL);
    gst_structure_free (stats);
    g_free (back);
  }
  return NULL;
}

GST_START_TEST (test_properties_set_by_another_thread_while_playing)
{
  Rig *rig = rig_new (emulator, "media-name", "first", SMALL_MEMORY, NULL);
  g_autofree gchar *name = NULL;
  GThread *thread;

  play (rig);
  rig_push_bytes (rig, 1000);
  rig_pushed (rig);
  g_atomic_int_set (&stop_setting, 0);
  thread = g_thread_new ("setter", set_all_the_time, rig->sink);
  for (guint i = 0; i < 20; i++)
    rig_push_bytes (rig, MIB);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  g_atomic_int_set (&stop_setting, 1);
  g_thread_join (thread);
  /* What is latched was latched. */
  name = emulator_media_text (emulator, 0, "name");
  fail_unless_equals_string (name, "first");
  rig_free (rig);
}

GST_END_TEST;

static gint warnings;

static void
count_warnings (GstDebugCategory *category, GstDebugLevel level,
    const gchar *file, const gchar *function, gint line, GObject *object,
    GstDebugMessage *message, gpointer data)
{
  if (level == GST_LEVEL_WARNING &&
      strstr (gst_debug_message_get (message), "media-name"))
    g_atomic_int_inc (&warnings);
}

GST_START_TEST (test_latched_properties_warn)
{
  Rig *rig = rig_new (emulator, NULL);

  gst_debug_set_threshold_from_string ("vodsink:2", FALSE);
  gst_debug_add_log_function (count_warnings, NULL, NULL);
  play (rig);
  g_object_set (rig->sink, "media-name", "before", NULL);
  fail_unless_equals_int (g_atomic_int_get (&warnings), 0);
  rig_push_bytes (rig, 1000);
  rig_pushed (rig);
  g_object_set (rig->sink, "media-name", "late", NULL);
  fail_unless_equals_int (g_atomic_int_get (&warnings), 1);
  gst_debug_remove_log_function (count_warnings);
  rig_free (rig);
}

GST_END_TEST;

/* --- stats ----------------------------------------------------------------*/

static const struct {
  const gchar *name;
  const gchar *type;
} stats_fields[] = {
    {"bytes-received", "guint64"},
    {"bytes-uploaded", "guint64"},
    {"bytes-sent", "guint64"},
    {"bytes-buffered", "guint64"},
    {"bytes-spooled", "guint64"},
    {"parts-uploaded", "guint"},
    {"parts-skipped", "guint"},
    {"parts-rewritten", "guint"},
    {"retries", "guint"},
    {"upload-rate", "guint64"},
    {"blocked-time", "guint64"},
    {"rendered", "guint64"},
    {"dropped", "guint64"},
    {"average-rate", "gdouble"},
    {"state", "gchararray"},
};

GST_START_TEST (test_stats_have_their_fields)
{
  Rig *rig = rig_new (emulator, NULL);
  GstStructure *stats;

  g_object_get (rig->sink, "stats", &stats, NULL);
  fail_unless (gst_structure_has_name (stats, "application/x-vodsink-stats"));
  for (guint i = 0; i < G_N_ELEMENTS (stats_fields); i++)
    fail_unless_equals_string (g_type_name (gst_structure_get_field_type (
                                   stats, stats_fields[i].name)),
        stats_fields[i].type);
  fail_unless_equals_string (gst_structure_get_string (stats, "state"), "idle");
  gst_structure_free (stats);

  play (rig);
  rig_push_bytes (rig, 2 * MIB + 1);
  rig_push_bytes (rig, 1);
  rig_push_eos (rig);
  rig_wait (rig, "eos");
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-received"), 2 * MIB + 2);
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-uploaded"), 2 * MIB + 2);
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-sent"), 2 * MIB + 2);
  fail_unless_equals_uint64 (rig_stat (rig, "bytes-buffered"), 0);
  fail_unless_equals_uint64 (rig_stat (rig, "rendered"), 2);
  fail_unless_equals_uint64 (rig_stat (rig, "parts-uploaded"),
      emulator_media_int (emulator, 0, "parts"));
  fail_unless (rig_wait_state (rig, "done"));
  rig_free (rig);
}

GST_END_TEST;

static Suite *
vodsink_live_suite (void)
{
  Suite *suite = suite_create ("vodsink-live");
  TCase *tc = tcase_create ("live");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_properties_set_by_another_thread_while_playing);
  tcase_add_test (tc, test_latched_properties_warn);
  tcase_add_test (tc, test_stats_have_their_fields);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_live);

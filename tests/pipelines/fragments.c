/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fragments: an application that records in fragments, for tests that look at
 * what it is told.
 *
 *   fragments [--ask] [--signature TEXT] [--nosy] [--dot FILE]
 *       "… ! splitmuxsink name=split …"
 *
 * Prints structures, a line each: "message …" for vodsink's messages and
 * "problem …" for warnings and errors, with the name and location of the
 * element they are from; "opened …" and "closed …" for splitmuxsink's, the
 * latter with the file id of its sink, as read in the thread that posts it and
 * again here; "added …" with what a new sink has been given; "eos …"; "frames …"
 * with how many reached splitmuxsink and how late the latest was. SIGINT sends
 * EOS; SIGTERM sets NULL at once, then "stopped …" tells how long that took.
 * Exit code: 0 after EOS, 1 after an error, 2 when it was stopped.
 */
#include <gst/gst.h>

#include "../check/elements/emulator.h"
#include "player.h"

static gboolean ask;
static gboolean nosy;
static gchar *signature;
static gchar *dot_file;

static GOptionEntry entries[] = {
    {"ask", 0, 0, G_OPTION_ARG_NONE, &ask,
        "Answer get-signature, which is connected in sink-added, with a fresh "
        "one-time signature each time",
        NULL},
    {"signature", 0, 0, G_OPTION_ARG_STRING, &signature,
        "Set this signature in sink-added", "TEXT"},
    {"nosy", 0, 0, G_OPTION_ARG_NONE, &nosy,
        "Read every property of each message's poster, in its thread", NULL},
    {"dot", 0, 0, G_OPTION_ARG_FILENAME, &dot_file,
        "Dump the pipeline there when a fragment is closed", "FILE"},
    {NULL}};

typedef struct {
  Player player;
  GstElement *split;

  GMutex lock; /* what follows; of the streaming thread and ours */
  guint frames;
  GstClockTimeDiff latest;
} App;

/* Takes @structure. */
static void
print (const gchar *key, GstStructure *structure)
{
  g_autofree gchar *text = gst_structure_to_string (structure);

  g_print ("%s %s\n", key, text);
  gst_structure_free (structure);
}

/* --- what a sink is asked -------------------------------------------------*/

static void
read_every_property (GObject *object)
{
  guint n;
  g_autofree GParamSpec **specs =
      g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n);

  for (guint i = 0; i < n; i++) {
    GValue value = G_VALUE_INIT;

    if (!(specs[i]->flags & G_PARAM_READABLE))
      continue;
    g_value_init (&value, specs[i]->value_type);
    g_object_get_property (object, specs[i]->name, &value);
    g_value_unset (&value);
  }
}

static void
set_string (GstStructure *structure, const gchar *field, GObject *object,
    const gchar *property)
{
  g_autofree gchar *text = NULL;

  if (!g_object_class_find_property (G_OBJECT_GET_CLASS (object), property))
    return;
  g_object_get (object, property, &text, NULL);
  if (text)
    gst_structure_set (structure, field, G_TYPE_STRING, text, NULL);
}

/* In a worker's thread. */
static gchar *
on_get_signature (GstElement *sink, gpointer data)
{
  return emulator_signature (TRUE);
}

/* What its own settings are, as they are read back. */
static GstStructure *
describe_settings (GstElement *sink)
{
  GstStructure *structure = gst_structure_new_empty ("sink");
  guint n;
  g_autofree GParamSpec **specs =
      g_object_class_list_properties (G_OBJECT_GET_CLASS (sink), &n);

  for (guint i = 0; i < n; i++) {
    GValue value = G_VALUE_INIT;

    if (specs[i]->owner_type != G_OBJECT_TYPE (sink) ||
        (specs[i]->flags & G_PARAM_READWRITE) != G_PARAM_READWRITE)
      continue;
    g_value_init (&value, specs[i]->value_type);
    g_object_get_property (G_OBJECT (sink), specs[i]->name, &value);
    gst_structure_take_value (structure, specs[i]->name, &value);
  }
  return structure;
}

/* In a streaming thread that holds splitmuxsink's lock. */
static void
on_sink_added (GstElement *split, GstElement *sink, gpointer data)
{
  print ("added", describe_settings (sink));
  if (ask)
    g_signal_connect (
        sink, "get-signature", G_CALLBACK (on_get_signature), NULL);
  if (signature)
    g_object_set (sink, "signature", signature, NULL);
}

/* --- how the recording goes -----------------------------------------------*/

/* Before splitmuxsink: a frame that waited for it is late. */
static GstPadProbeReturn
on_frame (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  App *app = data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  GstEvent *event = gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  GstClock *clock = gst_element_get_clock (app->player.pipeline);
  const GstSegment *segment;
  GstClockTimeDiff late = 0;

  if (event && clock) {
    gst_event_parse_segment (event, &segment);
    late = (GstClockTimeDiff)(gst_clock_get_time (clock) -
        gst_element_get_base_time (app->player.pipeline) -
        gst_segment_to_running_time (
            segment, GST_FORMAT_TIME, GST_BUFFER_PTS (buffer)));
  }
  g_mutex_lock (&app->lock);
  app->frames++;
  app->latest = MAX (app->latest, late);
  g_mutex_unlock (&app->lock);
  gst_clear_event (&event);
  gst_clear_object (&clock);
  return GST_PAD_PROBE_OK;
}

static void
watch_frames (App *app)
{
  GstPad *pad = gst_element_get_static_pad (app->split, "video");

  if (pad)
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_frame, app, NULL);
  gst_clear_object (&pad);
}

static void
print_frames (App *app)
{
  g_mutex_lock (&app->lock);
  print ("frames",
      gst_structure_new ("video", "count", G_TYPE_UINT, app->frames, "late-ms",
          G_TYPE_INT, (gint)(app->latest / GST_MSECOND), NULL));
  g_mutex_unlock (&app->lock);
}

/* --- messages -------------------------------------------------------------*/

static GObject *
sink_of (const GstStructure *fragment)
{
  const GValue *value = gst_structure_get_value (fragment, "sink");

  return value ? g_value_get_object (value) : NULL;
}

/* In the thread that posts it, where nobody may hold a lock that reading the
 * poster's properties needs; but splitmuxsink does, its own. */
static GstBusSyncReply
on_sync_message (GstBus *bus, GstMessage *message, gpointer data)
{
  App *app = data;
  const GstStructure *structure = gst_message_get_structure (message);
  GstStructure *closed;

  if (nosy && GST_MESSAGE_SRC (message) &&
      GST_MESSAGE_SRC (message) != GST_OBJECT (app->split))
    read_every_property (G_OBJECT (GST_MESSAGE_SRC (message)));
  if (gst_message_has_name (message, "splitmuxsink-fragment-closed")) {
    closed = gst_structure_copy (structure);
    gst_structure_remove_field (closed, "sink");
    set_string (closed, "file-id", sink_of (structure), "file-id");
    print ("closing", closed);
  }
  return GST_BUS_PASS;
}

static void
print_fragment (const gchar *key, const GstStructure *fragment)
{
  GstStructure *copy = gst_structure_copy (fragment);

  gst_structure_remove_field (copy, "sink");
  gst_structure_set (copy, "source", G_TYPE_STRING,
      GST_OBJECT_NAME (sink_of (fragment)), NULL);
  set_string (copy, "file-id", sink_of (fragment), "file-id");
  print (key, copy);
}

static void
print_element_message (App *app, GstMessage *message)
{
  const GstStructure *structure = gst_message_get_structure (message);
  GstStructure *copy;

  if (gst_structure_has_name (structure, "splitmuxsink-fragment-opened")) {
    print_fragment ("opened", structure);
  } else if (gst_structure_has_name (
                 structure, "splitmuxsink-fragment-closed")) {
    print_fragment ("closed", structure);
    if (dot_file) {
      g_autofree gchar *dot = gst_debug_bin_to_dot_data (
          GST_BIN (app->player.pipeline), GST_DEBUG_GRAPH_SHOW_ALL);

      g_file_set_contents (dot_file, dot, -1, NULL);
    }
  } else if (g_str_has_prefix (gst_structure_get_name (structure), "vodsink")) {
    copy = gst_structure_copy (structure);
    gst_structure_set (
        copy, "source", G_TYPE_STRING, GST_MESSAGE_SRC_NAME (message), NULL);
    set_string (copy, "source-location", G_OBJECT (GST_MESSAGE_SRC (message)),
        "location");
    print ("message", copy);
  }
}

static void
print_problem (GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *debug = NULL;
  GstStructure *problem;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, &debug);
  else
    gst_message_parse_warning (message, &error, &debug);
  problem = gst_structure_new (GST_MESSAGE_TYPE_NAME (message), "source",
      G_TYPE_STRING, GST_MESSAGE_SRC_NAME (message), "text", G_TYPE_STRING,
      error->message, "debug", G_TYPE_STRING, debug, NULL);
  set_string (problem, "source-location", G_OBJECT (GST_MESSAGE_SRC (message)),
      "location");
  print ("problem", problem);
}

static void
on_message (GstMessage *message, gpointer data)
{
  App *app = data;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ELEMENT:
      print_element_message (app, message);
      break;
    case GST_MESSAGE_WARNING:
    case GST_MESSAGE_ERROR:
      print_problem (message);
      break;
    case GST_MESSAGE_EOS:
      print ("eos", gst_structure_new_empty ("pipeline"));
      break;
    default:
      break;
  }
}

/* --- the end --------------------------------------------------------------*/

static void
stop (App *app)
{
  gint64 begun = g_get_monotonic_time ();

  gst_element_set_state (app->player.pipeline, GST_STATE_NULL);
  print ("stopped",
      gst_structure_new ("pipeline", "ms", G_TYPE_INT,
          (gint)((g_get_monotonic_time () - begun) / 1000), "threads",
          G_TYPE_UINT, test_count_threads ("vod-upload"), NULL));
}

static void
run (App *app)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (app->player.pipeline);

  gst_bus_set_sync_handler (bus, on_sync_message, app, NULL);
  g_signal_connect (app->split, "sink-added", G_CALLBACK (on_sink_added), NULL);
  watch_frames (app);
  player_run (&app->player, on_message, app);
  stop (app);
  print_frames (app);
}

int
main (int argc, char **argv)
{
  App app = {0};

  if (!player_init (&app.player, entries, argc, argv))
    return 3;
  app.split = gst_bin_get_by_name (GST_BIN (app.player.pipeline), "split");
  if (app.split == NULL) {
    g_printerr ("fragments: there is no element named split\n");
    return 3;
  }
  run (&app);
  gst_object_unref (app.split);
  player_clear (&app.player);
  gst_deinit (); /* the leaks tracer tells then */
  return app.player.code;
}

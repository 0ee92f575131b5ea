/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * app: an application around a pipeline that holds a vodsink, for tests that
 * look at it while it runs.
 *
 *   app [--stats MS] [--answer-after MS] [--cover-from ELEMENT] [--tag FILE]
 *       "… ! mp4mux ! vodsink …"
 *
 * Prints, a line each: "message STRUCTURE" for vodsink's messages, "stats
 * STRUCTURE" now and then, "asked" when it is asked for a signature, "warning"
 * and "error" with their text, "eos". SIGINT sends EOS; SIGTERM sets NULL
 * at once. Exit code: 0 after EOS, 1 after an error, 2 when it was stopped.
 */
#include <gst/gst.h>

#include "../check/elements/emulator.h"
#include "player.h"

static gint stats_interval;
static gint answer_after = -1;
static gchar *cover_from;
static gchar *tag_file;

static GOptionEntry entries[] = {
    {"stats", 0, 0, G_OPTION_ARG_INT, &stats_interval,
        "Print the stats each so many ms", "MS"},
    {"answer-after", 0, 0, G_OPTION_ARG_INT, &answer_after,
        "Set a fresh one-time signature so many ms after being asked", "MS"},
    {"cover-from", 0, 0, G_OPTION_ARG_STRING, &cover_from,
        "Set as cover the last-sample of this element, once it has one",
        "ELEMENT"},
    {"tag", 0, 0, G_OPTION_ARG_FILENAME, &tag_file,
        "Tag the stream with this picture, behind the muxer", "FILE"},
    {NULL}};

typedef struct {
  Player player;
  GstElement *sink;
} App;

static void
print_structure (const gchar *key, const GstStructure *structure)
{
  g_autofree gchar *text = gst_structure_to_string (structure);

  g_print ("%s %s\n", key, text);
}

static gboolean
print_stats (gpointer data)
{
  App *app = data;
  g_autoptr (GstStructure) stats = NULL;

  g_object_get (app->sink, "stats", &stats, NULL);
  print_structure ("stats", stats);
  return G_SOURCE_CONTINUE;
}

static void
on_message (GstMessage *message, gpointer data)
{
  App *app = data;
  g_autoptr (GError) error = NULL;
  g_autofree gchar *debug = NULL;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ELEMENT:
      if (GST_MESSAGE_SRC (message) == GST_OBJECT (app->sink))
        print_structure ("message", gst_message_get_structure (message));
      break;
    case GST_MESSAGE_WARNING:
      gst_message_parse_warning (message, &error, NULL);
      g_print ("warning %s\n", error->message);
      break;
    case GST_MESSAGE_ERROR:
      gst_message_parse_error (message, &error, &debug);
      g_print ("error %s %s: %s\n", GST_MESSAGE_SRC_NAME (message),
          error->message, debug);
      break;
    case GST_MESSAGE_EOS:
      g_print ("eos\n");
      break;
    default:
      break;
  }
}

/* --- an app that answers late ---------------------------------------------*/

static gboolean
answer (gpointer data)
{
  App *app = data;
  g_autofree gchar *signature = emulator_signature (TRUE);

  g_object_set (app->sink, "signature", signature, NULL);
  return G_SOURCE_REMOVE;
}

/* In a worker's thread. */
static gchar *
on_get_signature (GstElement *sink, gpointer data)
{
  g_print ("asked\n");
  g_timeout_add ((guint)answer_after, answer, data);
  return NULL;
}

/* --- an app that has a picture --------------------------------------------*/

/* The first that a basesink such as gdkpixbufsink or appsink has got. */
static gboolean
set_cover (gpointer data)
{
  App *app = data;
  g_autoptr (GstElement) element =
      gst_bin_get_by_name (GST_BIN (app->player.pipeline), cover_from);
  g_autoptr (GstSample) sample = NULL;

  g_object_get (element, "last-sample", &sample, NULL);
  if (sample == NULL)
    return G_SOURCE_CONTINUE;
  g_object_set (app->sink, "cover", sample, NULL);
  g_print ("cover set\n");
  return G_SOURCE_REMOVE;
}

static GstEvent *
make_tag (void)
{
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple ("image/jpeg");
  g_autoptr (GstBuffer) buffer = NULL;
  g_autoptr (GstSample) sample = NULL;
  gchar *bytes;
  gsize len;

  if (!g_file_get_contents (tag_file, &bytes, &len, NULL))
    g_error ("%s cannot be read", tag_file);
  buffer = gst_buffer_new_wrapped (bytes, len);
  sample = gst_sample_new (buffer, caps, NULL, NULL);
  return gst_event_new_tag (gst_tag_list_new (GST_TAG_IMAGE, sample, NULL));
}

/* Muxers keep image tags to themselves: before the first buffer. */
static GstPadProbeReturn
tag_stream (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  gst_pad_send_event (pad, make_tag ());
  return GST_PAD_PROBE_REMOVE;
}

static void
bring_pictures (App *app)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (app->sink, "sink");

  if (cover_from)
    g_timeout_add (5, set_cover, app);
  if (tag_file)
    gst_pad_add_probe (pad,
        GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST, tag_stream,
        NULL, NULL);
}

/* --------------------------------------------------------------------------*/

static GstElement *
find_sink (GstElement *pipeline)
{
  GstIterator *sinks = gst_bin_iterate_sinks (GST_BIN (pipeline));
  GValue value = G_VALUE_INIT;
  GstElement *found = NULL;

  while (
      found == NULL && gst_iterator_next (sinks, &value) == GST_ITERATOR_OK) {
    GObject *sink = g_value_get_object (&value);

    if (g_strcmp0 (G_OBJECT_TYPE_NAME (sink), "GstVodSink") == 0)
      found = g_object_ref (GST_ELEMENT_CAST (sink));
    g_value_unset (&value);
  }
  gst_iterator_free (sinks);
  return found;
}

static void
run (App *app)
{
  guint id = 0;

  if (stats_interval > 0)
    id = g_timeout_add ((guint)stats_interval, print_stats, app);
  if (answer_after >= 0)
    g_signal_connect (
        app->sink, "get-signature", G_CALLBACK (on_get_signature), app);
  bring_pictures (app);
  player_run (&app->player, on_message, app);
  print_stats (app);
  gst_element_set_state (app->player.pipeline, GST_STATE_NULL);
  if (id != 0)
    g_source_remove (id);
}

int
main (int argc, char **argv)
{
  App app = {0};

  if (!player_init (&app.player, entries, argc, argv))
    return 3;
  app.sink = find_sink (app.player.pipeline);
  if (app.sink == NULL) {
    g_printerr ("app: there is no vodsink in the pipeline\n");
    return 3;
  }
  run (&app);
  gst_object_unref (app.sink);
  player_clear (&app.player);
  return app.player.code;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * get-signature: uploads a file, and answers vodsink's signal "get-signature".
 *
 * An application answers it when the signature comes by its own ways: from its
 * server's API, with its user's login, over a connection that it has. (For a
 * plain URL, set the property signature-url; see examples/sign-service.c.) Here
 * it comes from a command, whose output it is.
 *
 * There are two ways to answer, and this file has both:
 *   at once    the handler returns it (g_strdup). It runs in a thread of
 *              vodsink's, and may take its time: media is taken meanwhile
 *   --later    the handler returns NULL, and asks for it in the main loop; when
 *              it has come, the property "signature" is set
 * It is asked whenever a request needs one, more than once in an upload: give a
 * fresh one each time.
 *
 * Build it alone, where this repository is:
 *   cc -o get-signature examples/get-signature.c \
 *       $(pkg-config --cflags --libs gstreamer-1.0 gio-2.0)
 * If vodsink is not installed, say where it was built:
 *   export GST_PLUGIN_PATH=build/gst
 * With vod-emulator, which prints its address first:
 *   export VOD_SECRET_ID=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE
 *   export VOD_SECRET_KEY=Gu5t9xGARNpq86cd98joQYCN3EXAMPLE
 *   ./get-signature --endpoint http://127.0.0.1:PORT a.mp4 \
 *       build/examples/vod-sign/vod-sign --expires 600
 * With the service, a program of yours in the place of vod-sign (no application
 * shall have the key, as this shell has):
 *   ./get-signature --later a.mp4 build/examples/vod-sign/vod-sign --one-time
 *
 * Standard output gets one line, "FILE-ID TAB URL". Exit codes: 0 uploaded, 1
 * failed, 2 wrong use.
 */
#include <gio/gio.h>
#include <gst/gst.h>
#include <locale.h>
#include <stdio.h>

static gboolean later;
static gchar *endpoint;
static gchar **arguments; /* the file, then the command */

static GOptionEntry entries[] = {
    {"later", 0, 0, G_OPTION_ARG_NONE, &later,
        "Answer by the property instead of the handler's return", NULL},
    {"endpoint", 0, 0, G_OPTION_ARG_STRING, &endpoint,
        "vodsink's property, for vod-emulator", "URL"},
    {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &arguments, NULL,
        "FILE COMMAND [ARGUMENT…]"},
    {NULL}};

/* --- at once --------------------------------------------------------------*/

static GSubprocess *
start_command (void)
{
  g_autoptr (GError) error = NULL;
  GSubprocess *command = g_subprocess_newv ((const gchar *const *)arguments + 1,
      G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error);

  if (command == NULL)
    g_printerr ("get-signature: %s\n", error->message);
  return command;
}

/* In a thread of vodsink's. What is returned here must be a signature: text, or
 * JSON that holds it. NULL would mean "later", so say what is wrong with "". */
static gchar *
answer_at_once (GstElement *sink, gpointer data)
{
  g_autoptr (GSubprocess) command = start_command ();
  gchar *signature = NULL;

  if (command == NULL ||
      !g_subprocess_communicate_utf8 (
          command, NULL, NULL, &signature, NULL, NULL))
    return g_strdup ("");
  return signature;
}

/* --- later ----------------------------------------------------------------*/

/* Setting it wakes the upload, also with one that cannot be used, which fails
 * with a message that says so. */
static void
on_signature (GObject *command, GAsyncResult *result, gpointer data)
{
  g_autoptr (GstElement) sink = data;
  g_autofree gchar *signature = NULL;

  g_subprocess_communicate_utf8_finish (
      G_SUBPROCESS (command), result, &signature, NULL, NULL);
  g_object_set (sink, "signature", signature ? signature : "", NULL);
}

/* In the main loop. */
static gboolean
ask (gpointer data)
{
  g_autoptr (GSubprocess) command = start_command ();

  if (command)
    g_subprocess_communicate_utf8_async (
        command, NULL, NULL, on_signature, g_object_ref (data));
  else
    g_object_set (data, "signature", "", NULL);
  return G_SOURCE_REMOVE;
}

/* In a thread of vodsink's. The signature before this one is not to be used
 * once more: it would be, without waiting. */
static gchar *
answer_later (GstElement *sink, gpointer data)
{
  g_object_set (sink, "signature", NULL, NULL);
  g_idle_add_full (
      G_PRIORITY_DEFAULT, ask, gst_object_ref (sink), gst_object_unref);
  return NULL;
}

/* --- the upload -----------------------------------------------------------*/

static GstElement *
make_pipeline (GstElement *sink)
{
  GstElement *pipeline = gst_pipeline_new (NULL);
  GstElement *filesrc = gst_element_factory_make ("filesrc", NULL);

  g_object_set (filesrc, "location", arguments[0], NULL);
  if (endpoint)
    g_object_set (sink, "endpoint", endpoint, NULL);
  g_signal_connect (sink, "get-signature",
      G_CALLBACK (later ? answer_later : answer_at_once), NULL);
  gst_bin_add_many (GST_BIN (pipeline), filesrc, sink, NULL);
  gst_element_link (filesrc, sink);
  return pipeline;
}

typedef struct {
  GMainLoop *loop;
  gint code;
} Run;

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  Run *run = data;
  const GstStructure *structure = gst_message_get_structure (message);
  g_autoptr (GError) error = NULL;

  if (gst_message_has_name (message, "vodsink-finish"))
    g_print ("%s\t%s\n", gst_structure_get_string (structure, "file-id"),
        gst_structure_get_string (structure, "video-url"));
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (message, &error, NULL);
    g_printerr ("get-signature: %s\n", error->message);
    run->code = 1;
    g_main_loop_quit (run->loop);
  } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS) {
    g_main_loop_quit (run->loop);
  }
  return G_SOURCE_CONTINUE;
}

static gint
upload (GstElement *pipeline)
{
  Run run = {.loop = g_main_loop_new (NULL, FALSE)};
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);

  gst_bus_add_watch (bus, on_message, &run);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_main_loop_run (run.loop);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_bus_remove_watch (bus);
  g_main_loop_unref (run.loop);
  return run.code;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GError) error = NULL;
  GstElement *sink = NULL;

  setlocale (LC_ALL, "");
  /* What follows FILE belongs to the command. */
  g_option_context_set_strict_posix (context, TRUE);
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error) || !arguments ||
      !arguments[1] || !(sink = gst_element_factory_make ("vodsink", NULL))) {
    g_printerr ("get-signature: %s\nTry get-signature --help.\n",
        error                           ? error->message
            : arguments && arguments[1] ? "there is no element vodsink"
                                        : "it takes a file and a command");
    return 2;
  }
  pipeline = make_pipeline (sink);
  return upload (pipeline);
}

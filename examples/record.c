/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record: a camera, or a test picture if there is none, to Tencent Cloud VOD,
 * uploaded while it is recorded, with a preview window if there is a display.
 *
 * It shows how an application ends a recording properly, and what it can tell
 * of it meanwhile: vodsink's messages, its property "stats", its signal
 * "cancel". Ctrl-C ends the recording and waits until the media is committed;
 * a second Ctrl-C gives it up; a third ends the program at once.
 *
 * Build it alone, where this repository is:
 *   cc -o record examples/record.c $(pkg-config --cflags --libs gstreamer-1.0)
 * If vodsink is not installed, say where it was built:
 *   export GST_PLUGIN_PATH=build/gst
 * With vod-emulator, which prints its address first:
 *   ./record --set endpoint=http://127.0.0.1:PORT \
 *       --set signature-url=http://127.0.0.1:PORT/signature
 * With the service, and a signature of examples/sign-service.c or your own:
 *   ./record --set signature-url=https://sign.example.com/vod \
 *       --set media-name="Lecture 12"
 *
 * Standard output gets one line, "FILE-ID TAB URL". If it is a terminal, a
 * progress bar is drawn there; else standard error says how far it is now and
 * then. Exit codes: 0 committed, 1 failed, 2 wrong use, 130 given up.
 */
#include <glib-unix.h>
#include <gst/gst.h>
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

enum {
  EXIT_DONE = 0,
  EXIT_FAILED = 1,
  EXIT_USAGE = 2,
  EXIT_GIVEN_UP = 130,
};

#define TEST_PICTURE                                                           \
  "videotestsrc is-live=true pattern=ball ! "                                  \
  "video/x-raw,width=1280,height=720,framerate=30/1"
/* The tee and its queues keep the window from holding the recording back, and
 * errorignore keeps one that was closed from ending it. */
#define RECORDING                                                              \
  " ! videoconvert ! video/x-raw,format=I420 ! tee name=picture ! queue ! "    \
  "x264enc tune=zerolatency speed-preset=superfast key-int-max=60 "            \
  "bitrate=6000 ! h264parse ! queue ! mp4mux name=muxer"
#define PREVIEW                                                                \
  " picture. ! queue leaky=downstream ! errorignore convert-to=ok ! "          \
  "videoconvert ! autovideosink name=preview sync=false"

typedef struct {
  GMainLoop *loop;
  GstElement *pipeline;
  GstElement *sink;
  gint64 begun;                 /* monotonic µs */
  guint interrupts;             /* how often it was asked to end */
  guint64 loaded, total, speed; /* bytes, of the last vodsink-progress */
  gint code;
} Recording;

static gboolean on_terminal;
static gchar *source;
static gchar **settings;

static GOptionEntry entries[] = {
    {"source", 0, 0, G_OPTION_ARG_STRING, &source,
        "What gst-launch-1.0 would take as source of the picture (default: "
        "v4l2src, or a test picture if there is no camera)",
        "ELEMENTS"},
    {"set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &settings,
        "Set a property of vodsink (may be repeated)", "PROPERTY=VALUE"},
    {NULL}};

/* --- what people see ------------------------------------------------------*/

static void say (FILE *to, const gchar *format, ...) G_GNUC_PRINTF (2, 3);

/* A line that stays. */
static void
say (FILE *to, const gchar *format, ...)
{
  va_list args;

  if (on_terminal) {
    printf ("\r\033[K");
    fflush (stdout);
  }
  va_start (args, format);
  vfprintf (to, format, args);
  va_end (args);
  fputc ('\n', to);
  fflush (to);
}

static void
append_bar (GString *line, guint64 done, guint64 all)
{
  static const gchar full[] = "####################";
  gint len = all > 0 ? (gint)(20 * ((gdouble)MIN (done, all) / all)) : 0;

  g_string_append_printf (line, "[%.*s%*s] ", len, full, 20 - len, "");
}

/* While it is recorded: how much of it is up. Later: what there is to wait for.
 * The total is known once the end has come; until then, what was recorded. */
static gchar *
describe (Recording *recording)
{
  GString *line = g_string_new (NULL);
  g_autoptr (GstStructure) stats = NULL;
  gint64 seconds =
      (g_get_monotonic_time () - recording->begun) / G_USEC_PER_SEC;
  guint64 all = recording->total, left;
  const gchar *state;

  g_object_get (recording->sink, "stats", &stats, NULL);
  state = gst_structure_get_string (stats, "state");
  if (all == 0)
    gst_structure_get_uint64 (stats, "bytes-received", &all);
  left = all - MIN (recording->loaded, all);
  append_bar (line, recording->loaded, all);
  if (recording->interrupts == 0)
    g_string_append_printf (line, "%d:%02d, %.1f MB recorded, ",
        (gint)(seconds / 60), (gint)(seconds % 60), all / 1e6);
  if (g_str_equal (state, "completing") || g_str_equal (state, "committing"))
    g_string_append (line, "waiting for the service to commit it");
  else
    g_string_append_printf (line, "%.1f MB left at %.1f MB/s (%s)", left / 1e6,
        recording->speed / 1e6, state);
  if (recording->interrupts > 0 && left > 0 && recording->speed > 0)
    g_string_append_printf (line, ", %.0f s", (gdouble)left / recording->speed);
  g_string_append_printf (line, "; Ctrl-C %s",
      recording->interrupts == 0 ? "ends it" : "gives it up");
  return g_string_free (line, FALSE);
}

/* On a terminal without wrapping: there is one line to be taken back. */
static gboolean
show_state (gpointer data)
{
  g_autofree gchar *line = describe (data);

  if (on_terminal) {
    printf ("\r\033[K\033[?7l%s\033[?7h", line);
    fflush (stdout);
  } else {
    say (stderr, "%s", line);
  }
  return G_SOURCE_CONTINUE;
}

/* --- what the pipeline says -----------------------------------------------*/

static void
end (Recording *recording, gint code)
{
  recording->code = code;
  g_main_loop_quit (recording->loop);
}

static void
on_element_message (Recording *recording, const GstStructure *structure)
{
  if (gst_structure_has_name (structure, "vodsink-progress")) {
    gst_structure_get (structure, "loaded", G_TYPE_UINT64, &recording->loaded,
        "total", G_TYPE_UINT64, &recording->total, "speed", G_TYPE_UINT64,
        &recording->speed, NULL);
  } else if (gst_structure_has_name (structure, "vodsink-retry")) {
    say (stderr, "record: trying again: %s",
        gst_structure_get_string (structure, "message"));
  } else if (gst_structure_has_name (structure, "vodsink-finish")) {
    say (stdout, "%s\t%s", gst_structure_get_string (structure, "file-id"),
        gst_structure_get_string (structure, "video-url"));
  }
}

/* The details are vodsink's: what the service said, what is left here. */
static void
on_error (Recording *recording, GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  const GstStructure *details = NULL;
  const gchar *request = NULL, *spool = NULL;
  gint code = 0;

  gst_message_parse_error (message, &error, NULL);
  gst_message_parse_error_details (message, &details);
  if (details) {
    gst_structure_get_int (details, "code", &code);
    request = gst_structure_get_string (details, "request-id");
    spool = gst_structure_get_string (details, "spool-location");
  }
  say (stderr, "record: %s", error->message);
  if (request && *request)
    say (stderr, "record: code %d, request id %s", code, request);
  if (spool)
    say (stderr, "record: what was recorded is kept in %s", spool);
  else
    say (stderr,
        "record: nothing of it is kept, neither here nor at the "
        "service (--set spool=true keeps a file)");
  end (recording, recording->interrupts > 1 ? EXIT_GIVEN_UP : EXIT_FAILED);
}

static gboolean on_interrupt (gpointer data);

static gboolean
is_of_preview (Recording *recording, GstMessage *message)
{
  g_autoptr (GstElement) preview =
      gst_bin_get_by_name (GST_BIN (recording->pipeline), "preview");

  return preview &&
      gst_object_has_as_ancestor (
          GST_MESSAGE_SRC (message), GST_OBJECT (preview));
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  Recording *recording = data;
  g_autoptr (GError) warning = NULL;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ELEMENT:
      if (GST_MESSAGE_SRC (message) == GST_OBJECT (recording->sink))
        on_element_message (recording, gst_message_get_structure (message));
      break;
    case GST_MESSAGE_WARNING:
      gst_message_parse_warning (message, &warning, NULL);
      say (stderr, "record: %s", warning->message);
      break;
    case GST_MESSAGE_ERROR:
      /* Who closes the window wants it to end. */
      if (!is_of_preview (recording, message))
        on_error (recording, message);
      else if (recording->interrupts == 0)
        on_interrupt (recording);
      break;
    case GST_MESSAGE_EOS:
      end (recording, EXIT_DONE);
      break;
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
}

/* --- Ctrl-C ---------------------------------------------------------------*/

static gboolean
stop_waiting (gpointer data)
{
  end (data, EXIT_GIVEN_UP);
  return G_SOURCE_REMOVE;
}

/* Once: EOS, so that the muxer ends the file and the rest is uploaded; vodsink's
 * EOS comes back when all is committed. Twice: "cancel", and an ERROR comes back,
 * unless there is no upload. Then the signal is no longer caught. */
static gboolean
on_interrupt (gpointer data)
{
  Recording *recording = data;

  if (++recording->interrupts == 1) {
    say (stderr, "record: the recording ends; its rest is being uploaded");
    gst_element_send_event (recording->pipeline, gst_event_new_eos ());
    show_state (recording);
    return G_SOURCE_CONTINUE;
  }
  say (stderr, "record: giving it up");
  g_signal_emit_by_name (recording->sink, "cancel");
  g_timeout_add_seconds (3, stop_waiting, recording);
  return G_SOURCE_REMOVE;
}

/* --- the pipeline ---------------------------------------------------------*/

/* vodsink with its properties, understood as gst-launch-1.0 does. */
static GstElement *
make_sink (GError **error)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  GstElement *sink;

  g_ptr_array_add (words, (gpointer) "vodsink");
  for (guint i = 0; settings && settings[i]; i++)
    g_ptr_array_add (words, settings[i]);
  g_ptr_array_add (words, NULL);
  sink = gst_parse_launchv ((const gchar **)words->pdata, error);
  return sink ? gst_object_ref_sink (sink) : NULL;
}

/* autovideosink tries whatever there is; these would take the whole screen. */
static void
rule_out_what_is_no_window (void)
{
  static const gchar *const names[] = {"kmssink", "dfbvideosink"};

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autoptr (GstPluginFeature) feature =
        gst_registry_lookup_feature (gst_registry_get (), names[i]);

    if (feature)
      gst_plugin_feature_set_rank (feature, GST_RANK_NONE);
  }
}

static GstElement *
make_pipeline (GstElement *sink, GError **error)
{
  gboolean display = g_getenv ("DISPLAY") || g_getenv ("WAYLAND_DISPLAY");
  gboolean camera = access ("/dev/video0", R_OK) == 0;
  g_autofree gchar *text =
      g_strconcat (source ? source : (camera ? "v4l2src" : TEST_PICTURE),
          RECORDING, display ? PREVIEW : "", NULL);
  GstElement *pipeline = gst_parse_launch (text, error);
  g_autoptr (GstElement) muxer = NULL;

  rule_out_what_is_no_window ();
  if (pipeline == NULL || *error)
    return pipeline;
  muxer = gst_bin_get_by_name (GST_BIN (pipeline), "muxer");
  gst_bin_add (GST_BIN (pipeline), sink);
  gst_element_link (muxer, sink);
  return pipeline;
}

static void
run (Recording *recording)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (recording->pipeline);

  recording->loop = g_main_loop_new (NULL, FALSE);
  recording->begun = g_get_monotonic_time ();
  gst_bus_add_watch (bus, on_message, recording);
  g_unix_signal_add (SIGINT, on_interrupt, recording);
  g_unix_signal_add (SIGTERM, on_interrupt, recording);
  g_timeout_add (on_terminal ? 250 : 10000, show_state, recording);
  gst_element_set_state (recording->pipeline, GST_STATE_PLAYING);
  g_main_loop_run (recording->loop);
  gst_element_set_state (recording->pipeline, GST_STATE_NULL);
  gst_bus_remove_watch (bus);
  g_main_loop_unref (recording->loop);
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  Recording recording = {.code = EXIT_USAGE};

  setlocale (LC_ALL, "");
  on_terminal = isatty (STDOUT_FILENO);
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (g_option_context_parse (context, &argc, &argv, &error) && argc == 1)
    recording.sink = make_sink (&error);
  if (recording.sink && !error)
    recording.pipeline = make_pipeline (recording.sink, &error);
  if (recording.pipeline && !error)
    run (&recording);
  else
    g_printerr ("record: %s\nTry record --help.\n",
        error ? error->message : "it takes options only");
  g_clear_pointer (&recording.pipeline, gst_object_unref);
  g_clear_pointer (&recording.sink, gst_object_unref);
  return recording.code;
}

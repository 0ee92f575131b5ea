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
 * then. Exit codes: 0 committed; 1 failed, or committed as far as it went before
 * the camera failed; 2 wrong use; 130 given up.
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

static GMainLoop *loop;
static GstElement *pipeline, *sink;
static gint64 begun;                 /* monotonic µs */
static guint interrupts;             /* how often it was asked to end */
static guint64 loaded, total, speed; /* bytes, of the last vodsink-progress */
static gint code = EXIT_DONE;
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

static guint64
recorded (void)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 bytes = 0;

  g_object_get (sink, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "bytes-received", &bytes);
  return bytes;
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
describe (void)
{
  GString *line = g_string_new (NULL);
  g_autoptr (GstStructure) stats = NULL;
  gint64 seconds = (g_get_monotonic_time () - begun) / G_USEC_PER_SEC;
  guint64 all = total > 0 ? total : recorded ();
  guint64 left = all - MIN (loaded, all);
  const gchar *state;

  g_object_get (sink, "stats", &stats, NULL);
  state = gst_structure_get_string (stats, "state");
  append_bar (line, loaded, all);
  if (interrupts == 0)
    g_string_append_printf (line, "%d:%02d, %.1f MB recorded, ",
        (gint)(seconds / 60), (gint)(seconds % 60), all / 1e6);
  if (g_str_equal (state, "completing") || g_str_equal (state, "committing"))
    g_string_append (line, "waiting for the service to commit it");
  else
    g_string_append_printf (
        line, "%.1f MB left at %.1f MB/s (%s)", left / 1e6, speed / 1e6, state);
  if (interrupts > 0 && left > 0 && speed > 0)
    g_string_append_printf (line, ", %.0f s", (gdouble)left / speed);
  g_string_append_printf (
      line, "; Ctrl-C %s", interrupts == 0 ? "ends it" : "gives it up");
  return g_string_free (line, FALSE);
}

/* On a terminal without wrapping: there is one line to be taken back. */
static gboolean
show_state (gpointer data)
{
  g_autofree gchar *line = describe ();

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
end (gint how)
{
  code = MAX (code, how);
  g_main_loop_quit (loop);
}

static void
on_element_message (const GstStructure *structure)
{
  if (gst_structure_has_name (structure, "vodsink-progress")) {
    gst_structure_get (structure, "loaded", G_TYPE_UINT64, &loaded, "total",
        G_TYPE_UINT64, &total, "speed", G_TYPE_UINT64, &speed, NULL);
  } else if (gst_structure_has_name (structure, "vodsink-retry")) {
    say (stderr, "record: trying again: %s",
        gst_structure_get_string (structure, "message"));
  } else if (gst_structure_has_name (structure, "vodsink-finish")) {
    say (stdout, "%s\t%s", gst_structure_get_string (structure, "file-id"),
        gst_structure_get_string (structure, "video-url"));
  }
}

/* The upload has failed. The details say more: also what is left here. */
static void
on_failure (GstMessage *message)
{
  const GstStructure *details = NULL;
  const gchar *request, *spool;
  gint number = 0;

  end (interrupts > 1 ? EXIT_GIVEN_UP : EXIT_FAILED);
  gst_message_parse_error_details (message, &details);
  if (details == NULL)
    return;
  gst_structure_get_int (details, "code", &number);
  request = gst_structure_get_string (details, "request-id");
  spool = gst_structure_get_string (details, "spool-location");
  if (request && *request)
    say (stderr, "record: code %d, request id %s", number, request);
  if (spool)
    say (stderr, "record: what was recorded is kept in %s", spool);
  else
    say (stderr, "record: nothing of it is kept (--set spool=true keeps it)");
}

static gboolean on_interrupt (gpointer data);

/* What was recorded before the camera was lost, or the window was closed, is as
 * good as any recording: it is committed. */
static void
on_error (GstMessage *message)
{
  g_autoptr (GError) error = NULL;

  gst_message_parse_error (message, &error, NULL);
  if (!g_str_has_prefix (GST_MESSAGE_SRC_NAME (message), "preview")) {
    say (stderr, "record: %s", error->message);
    code = EXIT_FAILED;
  }
  if (GST_MESSAGE_SRC (message) == GST_OBJECT (sink))
    on_failure (message);
  else if (recorded () == 0)
    end (EXIT_FAILED);
  else if (interrupts == 0)
    on_interrupt (NULL);
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  g_autoptr (GError) warning = NULL;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ELEMENT:
      if (GST_MESSAGE_SRC (message) == GST_OBJECT (sink))
        on_element_message (gst_message_get_structure (message));
      break;
    case GST_MESSAGE_WARNING:
      gst_message_parse_warning (message, &warning, NULL);
      say (stderr, "record: %s", warning->message);
      break;
    case GST_MESSAGE_ERROR:
      on_error (message);
      break;
    case GST_MESSAGE_EOS:
      end (EXIT_DONE);
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
  end (EXIT_GIVEN_UP);
  return G_SOURCE_REMOVE;
}

/* Once: EOS, so that the muxer ends the file and the rest is uploaded; vodsink's
 * EOS comes back when all is committed. Twice: "cancel", and an ERROR comes back,
 * unless there is no upload. Then the signal is no longer caught. */
static gboolean
on_interrupt (gpointer data)
{
  if (++interrupts == 1) {
    say (stderr, "record: the recording ends; its rest is being uploaded");
    gst_element_send_event (pipeline, gst_event_new_eos ());
    show_state (NULL);
    return G_SOURCE_CONTINUE;
  }
  say (stderr, "record: giving it up");
  g_signal_emit_by_name (sink, "cancel");
  g_timeout_add_seconds (3, stop_waiting, NULL);
  return G_SOURCE_REMOVE;
}

/* --- the pipeline ---------------------------------------------------------*/

/* vodsink with its properties, understood as gst-launch-1.0 does. */
static GstElement *
make_sink (GError **error)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new ();

  g_ptr_array_add (words, (gpointer) "vodsink");
  for (guint i = 0; settings && settings[i]; i++)
    g_ptr_array_add (words, settings[i]);
  g_ptr_array_add (words, NULL);
  return gst_parse_launchv ((const gchar **)words->pdata, error);
}

static gboolean
make_pipeline (GError **error)
{
  gboolean display = g_getenv ("DISPLAY") || g_getenv ("WAYLAND_DISPLAY");
  gboolean camera = access ("/dev/video0", R_OK) == 0;
  g_autofree gchar *text =
      g_strconcat (source ? source : (camera ? "v4l2src" : TEST_PICTURE),
          RECORDING, display ? PREVIEW : "", NULL);
  g_autoptr (GstElement) muxer = NULL;

  sink = make_sink (error);
  if (*error == NULL)
    pipeline = gst_parse_launch (text, error);
  if (*error)
    return FALSE;
  muxer = gst_bin_get_by_name (GST_BIN (pipeline), "muxer");
  gst_bin_add (GST_BIN (pipeline), sink);
  return gst_element_link (muxer, sink);
}

static void
run (void)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);

  loop = g_main_loop_new (NULL, FALSE);
  begun = g_get_monotonic_time ();
  gst_bus_add_watch (bus, on_message, NULL);
  g_unix_signal_add (SIGINT, on_interrupt, NULL);
  g_unix_signal_add (SIGTERM, on_interrupt, NULL);
  g_timeout_add (on_terminal ? 250 : 10000, show_state, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_main_loop_run (loop);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_bus_remove_watch (bus);
  g_main_loop_unref (loop);
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  setlocale (LC_ALL, "");
  on_terminal = isatty (STDOUT_FILENO);
  /* autovideosink tries what there is; these would take the whole screen. */
  g_setenv ("GST_PLUGIN_FEATURE_RANK", "kmssink:NONE,dfbvideosink:NONE", FALSE);
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc > 1 ||
      !make_pipeline (&error)) {
    g_printerr ("record: %s\nTry record --help.\n",
        error ? error->message : "it takes options only");
    return EXIT_USAGE;
  }
  run ();
  gst_object_unref (pipeline);
  return code;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * upload: files to Tencent Cloud VOD as they are, several at a time. Run again
 * after whatever interrupted it, it goes on where it was: vodsink knows a file
 * again that has not changed.
 *
 * It shows a pipeline per file, what of vodsink's messages makes a progress
 * bar, and what is to be told of a failure.
 *
 * Build it alone, where this repository is:
 *   cc -o upload examples/upload.c $(pkg-config --cflags --libs gstreamer-1.0)
 * If vodsink is not installed, say where it was built:
 *   export GST_PLUGIN_PATH=build/gst
 * With vod-emulator, which prints its address first:
 *   ./upload --set endpoint=http://127.0.0.1:PORT \
 *       --set signature-url=http://127.0.0.1:PORT/signature a.mp4 b.mp4
 * With the service, and a signature of examples/sign-service.c or your own:
 *   ./upload --jobs 3 --set signature-url=https://sign.example.com/vod *.mp4
 *
 * Standard output gets a line for each file that is uploaded, "FILE-ID TAB URL
 * TAB FILE" (what of FILE cannot be printed is "?"), so that a script can say:
 *   ./upload --set signature-url=https://sign.example.com/vod *.mp4 |
 *       while IFS="$(printf '\t')" read -r id url file; do echo "$id"; done
 * If it is a terminal, each file under way has a progress bar there; else
 * standard error gets a line for each tenth of a file.
 * Exit codes: 0 all are uploaded; 1 some are not: standard error has said which
 * and why, with the service's code and request id; 2 wrong use, nothing was
 * uploaded; 130 interrupted by Ctrl-C or SIGTERM, what is up stays up.
 */
#include <glib-unix.h>
#include <gst/gst.h>
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

enum {
  EXIT_DONE = 0,
  EXIT_SOME_FAILED = 1,
  EXIT_USAGE = 2,
  EXIT_INTERRUPTED = 130,
};

#define JOBS_MAX 16

/* One that is under way. */
typedef struct {
  gchar *name; /* of the file, printable */
  GstElement *pipeline;
  GstElement *sink;
  guint64 loaded, total, speed; /* bytes, of the last vodsink-progress */
  guint tenths;                 /* that were told */
} Upload;

static GMainLoop *loop;
static GPtrArray *uploads;
static guint rows; /* of progress, above the cursor */
static gint code = EXIT_DONE;
static gboolean on_terminal;

static gint jobs = 2;
static gchar **settings;
static gchar **files; /* the next to begin is the first */

static GOptionEntry entries[] = {
    {"jobs", 'j', 0, G_OPTION_ARG_INT, &jobs,
        "Most files at a time, 1 to 16 (default 2)", "N"},
    {"set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &settings,
        "Set a property of vodsink (may be repeated)", "PROPERTY=VALUE"},
    {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &files, NULL,
        "FILE…"},
    {NULL}};

/* --- what people see ------------------------------------------------------*/

/* Names of files may be anything, and so may be what speaks of them. */
static gchar *
printable (const gchar *text)
{
  g_autofree gchar *valid = g_utf8_make_valid (text, -1);
  GString *clean = g_string_new (NULL);

  for (gchar *p = valid; *p; p = g_utf8_next_char (p))
    g_string_append_unichar (clean,
        g_unichar_isprint (g_utf8_get_char (p)) ? g_utf8_get_char (p) : '?');
  return g_string_free (clean, FALSE);
}

static void
print_row (const Upload *upload)
{
  static const gchar bar[] = "####################";
  gdouble share = upload->total > 0 ? 1.0 * upload->loaded / upload->total : 0;
  guint len = (guint)(20 * share);

  printf ("[%.*s%*s] %3.0f %% of %.1f MB, %.1f MB/s", len, bar, 20 - len, "",
      100 * share, upload->total / 1e6, upload->speed / 1e6);
  if (upload->speed > 0 && upload->total > upload->loaded)
    printf (", %.0f s left",
        1.0 * (upload->total - upload->loaded) / upload->speed);
  printf (": %s\n", upload->name);
}

static void
clear_rows (void)
{
  if (rows > 0)
    printf ("\033[%uA\033[J", rows);
  rows = 0;
  fflush (stdout);
}

/* Rows are not wrapped, or their number would be another. */
static void
draw_rows (void)
{
  if (!on_terminal)
    return;
  clear_rows ();
  printf ("\033[?7l");
  for (; rows < uploads->len; rows++)
    print_row (g_ptr_array_index (uploads, rows));
  printf ("\033[?7h");
  fflush (stdout);
}

static void say (FILE *to, const gchar *format, ...) G_GNUC_PRINTF (2, 3);

/* A line that stays. */
static void
say (FILE *to, const gchar *format, ...)
{
  va_list args;

  clear_rows ();
  va_start (args, format);
  vfprintf (to, format, args);
  va_end (args);
  fputc ('\n', to);
  fflush (to);
}

/* --- what pipelines say ---------------------------------------------------*/

static void
on_progress (Upload *upload, const GstStructure *structure)
{
  gst_structure_get (structure, "loaded", G_TYPE_UINT64, &upload->loaded,
      "total", G_TYPE_UINT64, &upload->total, "speed", G_TYPE_UINT64,
      &upload->speed, NULL);
  if (on_terminal || upload->total == 0 ||
      10.0 * upload->loaded / upload->total < upload->tenths + 1)
    return;
  upload->tenths = (guint)(10.0 * upload->loaded / upload->total);
  say (stderr, "upload: %s: %u0 %% of %.1f MB, %.1f MB/s", upload->name,
      upload->tenths, upload->total / 1e6, upload->speed / 1e6);
}

static void
on_finish (Upload *upload, const GstStructure *structure)
{
  g_autoptr (GstStructure) stats = NULL;
  guint skipped = 0;

  g_object_get (upload->sink, "stats", &stats, NULL);
  gst_structure_get_uint (stats, "parts-skipped", &skipped);
  if (skipped > 0)
    say (stderr, "upload: %s: %u parts were up already", upload->name, skipped);
  say (stdout, "%s\t%s\t%s", gst_structure_get_string (structure, "file-id"),
      gst_structure_get_string (structure, "video-url"), upload->name);
}

static void
on_element_message (Upload *upload, const GstStructure *structure)
{
  if (gst_structure_has_name (structure, "vodsink-progress"))
    on_progress (upload, structure);
  else if (gst_structure_has_name (structure, "vodsink-retry"))
    say (stderr, "upload: %s: trying again: %s", upload->name,
        gst_structure_get_string (structure, "message"));
  else if (gst_structure_has_name (structure, "vodsink-finish"))
    on_finish (upload, structure);
  draw_rows ();
}

/* Without details it is not vodsink's: the file cannot be read. */
static void
on_error (Upload *upload, GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *text = NULL;
  const GstStructure *details = NULL;
  const gchar *request = NULL;
  gboolean resumable = FALSE;
  gint number = 0;

  gst_message_parse_error (message, &error, NULL);
  gst_message_parse_error_details (message, &details);
  text = printable (error->message);
  say (stderr, "upload: %s: failed: %s", upload->name, text);
  code = EXIT_SOME_FAILED;
  if (details == NULL)
    return;
  gst_structure_get (details, "code", G_TYPE_INT, &number, "resumable",
      G_TYPE_BOOLEAN, &resumable, NULL);
  request = gst_structure_get_string (details, "request-id");
  say (stderr, "upload: %s: code %d, request id %s%s", upload->name, number,
      request && *request ? request : "unknown",
      resumable ? "; the same command goes on with it" : "");
}

static void start_next (void);

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  Upload *upload = data;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ELEMENT)
    on_element_message (upload, gst_message_get_structure (message));
  else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    on_error (upload, message);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR ||
      GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS) {
    g_ptr_array_remove (uploads, upload);
    start_next ();
  }
  return G_SOURCE_CONTINUE;
}

/* --- uploads --------------------------------------------------------------*/

static void
upload_free (gpointer data)
{
  Upload *upload = data;
  g_autoptr (GstBus) bus = gst_element_get_bus (upload->pipeline);

  gst_bus_remove_watch (bus);
  gst_element_set_state (upload->pipeline, GST_STATE_NULL);
  gst_object_unref (upload->pipeline);
  g_free (upload->name);
  g_free (upload);
}

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

static void
start (const gchar *file)
{
  Upload *upload = g_new0 (Upload, 1);
  GstElement *filesrc = gst_element_factory_make ("filesrc", NULL);
  g_autoptr (GstBus) bus = NULL;

  upload->name = printable (file);
  upload->pipeline = gst_pipeline_new (NULL);
  upload->sink = make_sink (NULL);
  g_object_set (filesrc, "location", file, NULL);
  gst_bin_add_many (GST_BIN (upload->pipeline), filesrc, upload->sink, NULL);
  gst_element_link (filesrc, upload->sink);
  bus = gst_element_get_bus (upload->pipeline);
  gst_bus_add_watch (bus, on_message, upload);
  g_ptr_array_add (uploads, upload);
  gst_element_set_state (upload->pipeline, GST_STATE_PLAYING);
}

static void
start_next (void)
{
  while (*files && uploads->len < (guint)jobs)
    start (*files++);
  draw_rows ();
  if (uploads->len == 0)
    g_main_loop_quit (loop);
}

/* Stopped without its end, nothing is committed, and what is up is kept. */
static gboolean
on_interrupt (gpointer data)
{
  say (stderr, "upload: interrupted; the same command goes on with what is up");
  code = EXIT_INTERRUPTED;
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

/* --- the program ----------------------------------------------------------*/

static gboolean
check_use (gint *argc, gchar ***argv, GError **error)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GstElement) sink = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (files == NULL || jobs < 1 || jobs > JOBS_MAX) {
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
        "it takes files, and 1 to %d jobs", JOBS_MAX);
    return FALSE;
  }
  sink = make_sink (error);
  return sink && *error == NULL;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  setlocale (LC_ALL, "");
  on_terminal = isatty (STDOUT_FILENO);
  if (!check_use (&argc, &argv, &error)) {
    g_printerr ("upload: %s\nTry upload --help.\n", error->message);
    return EXIT_USAGE;
  }
  loop = g_main_loop_new (NULL, FALSE);
  uploads = g_ptr_array_new_with_free_func (upload_free);
  g_unix_signal_add (SIGINT, on_interrupt, NULL);
  g_unix_signal_add (SIGTERM, on_interrupt, NULL);
  start_next ();
  g_main_loop_run (loop);
  g_ptr_array_unref (uploads);
  g_main_loop_unref (loop);
  return code;
}

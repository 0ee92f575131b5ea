/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replay: runs a pipeline that ends in "recorder" once, and pushes exactly what
 * was recorded (buffers, segments, tags, caps, and whether the muxer asked if
 * it can seek) into other sinks, so that what they make of it can be compared.
 *
 *   replay --file OUT --sink "vodsink …" "… ! mp4mux ! recorder"
 *   replay --decode FILE
 *
 * Prints lines of "key value" for the test that called it.
 */
#include "recorder.h"

#include <stdlib.h>
#include <string.h>

static gchar *out_file;
static gchar *decode_file;
static gchar *sink_text;
static gint64 rate;
static gboolean expect_failure;
static gboolean may_fail;
static gboolean unasked;
static gchar **set_properties;
static gchar *answer;

static GOptionEntry entries[] = {
    {"file", 0, 0, G_OPTION_ARG_FILENAME, &out_file,
        "Push into filesink, which writes FILE", "FILE"},
    {"sink", 0, 0, G_OPTION_ARG_STRING, &sink_text,
        "Push into this sink (vodsink and its properties)", "ELEMENT"},
    {"rate", 0, 0, G_OPTION_ARG_INT64, &rate,
        "Most bytes a second that are pushed into the sink", "N"},
    {"set", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &set_properties,
        "Set a property of the sink to these very bytes", "NAME=VALUE"},
    {"answer", 0, 0, G_OPTION_ARG_FILENAME, &answer,
        "What the application answers to get-signature", "TEXT"},
    {"expect-failure", 0, 0, G_OPTION_ARG_NONE, &expect_failure,
        "The sink must fail", NULL},
    {"may-fail", 0, 0, G_OPTION_ARG_NONE, &may_fail, "The sink may fail", NULL},
    {"unasked", 0, 0, G_OPTION_ARG_NONE, &unasked,
        "Do not ask the sink whether it can seek, as a tee asks one branch "
        "only",
        NULL},
    {"decode", 0, 0, G_OPTION_ARG_FILENAME, &decode_file,
        "Decode FILE to its end and count", "FILE"},
    {NULL}};

static G_GNUC_PRINTF (1, 2) G_GNUC_NORETURN void die (const gchar *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_printerr ("replay: %s\n", text);
  exit (1);
}

/* --- waiting --------------------------------------------------------------*/

static void
print_structure (const gchar *key, const GstStructure *structure)
{
  g_autofree gchar *text = gst_structure_to_string (structure);

  g_print ("%s %s\n", key, text);
}

static void
print_error (GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *debug = NULL;
  const GstStructure *details = NULL;

  gst_message_parse_error (message, &error, &debug);
  gst_message_parse_error_details (message, &details);
  g_print ("error %s %d %s\n", g_quark_to_string (error->domain), error->code,
      error->message);
  if (details)
    print_structure ("details", details);
}

/* Handles what is on the bus until EOS or an error. */
static gboolean
wait_for_end (GstElement *pipeline, GstClockTime timeout)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  gboolean ok = FALSE, over = FALSE;

  while (!over) {
    g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (bus, timeout,
        GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT);

    if (message == NULL)
      die ("neither EOS nor an error came");
    switch (GST_MESSAGE_TYPE (message)) {
      case GST_MESSAGE_EOS:
        g_print ("eos 1\n");
        ok = over = TRUE;
        break;
      case GST_MESSAGE_ERROR:
        print_error (message);
        over = TRUE;
        break;
      default: {
        const GstStructure *structure = gst_message_get_structure (message);

        if (gst_structure_has_name (structure, "vodsink-finish"))
          g_print (
              "url %s\n", gst_structure_get_string (structure, "video-url"));
        else if (gst_structure_has_name (structure, "vodsink-error"))
          g_print ("vodsink-error 1\n");
        else if (gst_structure_has_name (structure, "vodsink-retry"))
          print_structure ("retry", structure);
        break;
      }
    }
  }
  return ok;
}

/* --- recording ------------------------------------------------------------*/

static guint64
record_size (const Record *record)
{
  if (record->kind == RECORD_BUFFER)
    return gst_buffer_get_size (GST_BUFFER_CAST (record->object));
  if (record->kind == RECORD_LIST)
    return gst_buffer_list_calculate_size (
        GST_BUFFER_LIST_CAST (record->object));
  return 0;
}

static void
describe (GPtrArray *records)
{
  guint64 bytes = 0, position = 0, end = 0, rewritten = 0, farthest = 0;
  guint buffers = 0, segments = 0, back = 0, forward = 0, asked = 0;

  for (guint i = 0; i < records->len; i++) {
    const Record *record = g_ptr_array_index (records, i);
    guint64 size = record_size (record);

    bytes += size;
    if (size > 0 && position < end) {
      rewritten += MIN (size, end - position);
      farthest = MAX (farthest, end - position);
    }
    position += size;
    end = MAX (end, position);
    if (record->kind == RECORD_QUERY) {
      asked++;
    } else if (record->kind != RECORD_EVENT) {
      buffers++;
    } else if (GST_EVENT_TYPE (record->object) == GST_EVENT_SEGMENT) {
      const GstSegment *segment;

      gst_event_parse_segment (GST_EVENT_CAST (record->object), &segment);
      if (segment->format != GST_FORMAT_BYTES)
        continue;
      segments++;
      back += segment->start < position;
      forward += segment->start > end;
      position = segment->start;
    }
  }
  g_print ("recorded-buffers %u\nrecorded-bytes %" G_GUINT64_FORMAT
           "\nasked %u\nsegments %u\nback %u\nforward %u\n"
           "rewritten %" G_GUINT64_FORMAT "\nfarthest %" G_GUINT64_FORMAT
           "\nsize %" G_GUINT64_FORMAT "\nends-at %" G_GUINT64_FORMAT "\n",
      buffers, bytes, asked, segments, back, forward, rewritten, farthest, end,
      position);
}

static GPtrArray *
record_pipeline (const gchar *text)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (text, &error);
  GPtrArray *records = NULL;
  GstIterator *sinks;
  GValue value = G_VALUE_INIT;

  if (error)
    die ("%s: %s", text, error->message);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  if (!wait_for_end (pipeline, 120 * GST_SECOND))
    die ("recording failed");
  gst_element_set_state (pipeline, GST_STATE_NULL);

  sinks = gst_bin_iterate_sinks (GST_BIN (pipeline));
  if (gst_iterator_next (sinks, &value) != GST_ITERATOR_OK)
    die ("the pipeline has no sink");
  records = recorder_take (g_value_get_object (&value));
  g_value_unset (&value);
  gst_iterator_free (sinks);
  gst_object_unref (pipeline);
  return records;
}

/* --- pushing --------------------------------------------------------------*/

static void
keep_pace (gint64 begun, guint64 pushed)
{
  gint64 due, now;

  if (rate <= 0)
    return;
  due = begun + (gint64)(pushed * G_USEC_PER_SEC / (guint64)rate);
  now = g_get_monotonic_time ();
  if (due > now)
    g_usleep (due - now);
}

/* A muxer that was told that it can seek must be told so again. */
static void
ask_seeking (GstPad *pad)
{
  g_autoptr (GstQuery) query = gst_query_new_seeking (GST_FORMAT_BYTES);
  gboolean seekable = FALSE;

  if (gst_pad_peer_query (pad, query))
    gst_query_parse_seeking (query, NULL, &seekable, NULL, NULL);
  if (!seekable)
    die ("the sink does not answer SEEKING in BYTES with yes");
}

/* EOS is handled when the media is committed. */
static void
push_event (GstPad *pad, GstEvent *event)
{
  gint64 begun = g_get_monotonic_time ();

  /* Muxers ignore what comes back for a segment; so do we. */
  gst_pad_push_event (pad, gst_event_ref (event));
  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS)
    g_print ("end-seconds %.3f\n", (g_get_monotonic_time () - begun) / 1e6);
}

static GstFlowReturn
push_record (GstPad *pad, const Record *record)
{
  switch (record->kind) {
    case RECORD_BUFFER:
      return gst_pad_push (
          pad, gst_buffer_ref (GST_BUFFER_CAST (record->object)));
    case RECORD_LIST:
      return gst_pad_push_list (
          pad, gst_buffer_list_ref (GST_BUFFER_LIST_CAST (record->object)));
    case RECORD_QUERY:
      if (!unasked)
        ask_seeking (pad);
      return GST_FLOW_OK;
    case RECORD_EVENT:
      push_event (pad, GST_EVENT_CAST (record->object));
      return GST_FLOW_OK;
  }
  return GST_FLOW_ERROR;
}

static void
push_all (GstPad *pad, GPtrArray *records, gboolean paced)
{
  gint64 begun = g_get_monotonic_time ();
  guint64 pushed = 0;

  for (guint i = 0; i < records->len; i++) {
    const Record *record = g_ptr_array_index (records, i);
    GstFlowReturn ret = push_record (pad, record);

    if (ret != GST_FLOW_OK) {
      g_print ("flow %s\n", gst_flow_get_name (ret));
      return;
    }
    pushed += record_size (record);
    if (paced)
      keep_pace (begun, pushed);
  }
}

static gboolean
print_field (GQuark field, const GValue *value, gpointer data)
{
  g_autofree gchar *text = gst_value_serialize (value);

  g_print ("%s %s\n", g_quark_to_string (field), text);
  return TRUE;
}

static void
print_stats (GstElement *sink)
{
  g_autoptr (GstStructure) stats = NULL;

  g_object_get (sink, "stats", &stats, NULL);
  gst_structure_foreach (stats, print_field, NULL);
}

/* EOS comes when the media is committed, not before. */
static void
check_committed (GstElement *sink)
{
  g_autofree gchar *file_id = NULL;

  g_object_get (sink, "file-id", &file_id, NULL);
  if (file_id == NULL)
    die ("EOS came before the media was committed");
  g_print ("file-id %s\n", file_id);
}

static gboolean
replay_into (GstElement *sink, GPtrArray *records, gboolean paced)
{
  GstElement *pipeline = gst_pipeline_new (NULL);
  GstPad *src = gst_pad_new ("src", GST_PAD_SRC);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  gboolean is_ours = g_object_class_find_property (
                         G_OBJECT_GET_CLASS (sink), "file-id") != NULL;
  gboolean ok;

  gst_bin_add (GST_BIN (pipeline), sink);
  gst_pad_set_active (src, TRUE);
  if (gst_pad_link (src, pad) != GST_PAD_LINK_OK)
    die ("cannot link");
  if (gst_element_set_state (pipeline, GST_STATE_PLAYING) !=
      GST_STATE_CHANGE_FAILURE)
    push_all (src, records, paced);
  ok = wait_for_end (pipeline, 120 * GST_SECOND);
  if (is_ours && ok)
    check_committed (sink);
  if (is_ours)
    print_stats (sink);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_pad_set_active (src, FALSE);
  gst_object_unref (src);
  gst_object_unref (pipeline);
  gst_object_unref (sink);
  return ok;
}

static gchar *
on_get_signature (GstElement *sink, gpointer data)
{
  g_print ("asked-application 1\n");
  return g_strdup (answer);
}

static GstElement *
make_sink (void)
{
  g_autoptr (GError) error = NULL;
  GstElement *sink = gst_parse_launch (sink_text, &error);

  if (error)
    die ("%s: %s", sink_text, error->message);
  for (guint i = 0; set_properties && set_properties[i]; i++) {
    g_auto (GStrv) pair = g_strsplit (set_properties[i], "=", 2);

    if (g_str_has_suffix (pair[0], "-headers"))
      gst_util_set_object_arg (G_OBJECT (sink), pair[0], pair[1]);
    else
      g_object_set (sink, pair[0], pair[1], NULL);
  }
  if (answer)
    g_signal_connect (
        sink, "get-signature", G_CALLBACK (on_get_signature), NULL);
  return gst_object_ref_sink (sink);
}

static void
replay (const gchar *text)
{
  g_autoptr (GPtrArray) records = record_pipeline (text);
  GstElement *sink;

  describe (records);
  if (out_file) {
    sink = gst_object_ref_sink (gst_element_factory_make ("filesink", NULL));
    g_object_set (sink, "location", out_file, NULL);
    if (!replay_into (sink, records, FALSE))
      die ("filesink failed");
  }
  if (sink_text &&
      replay_into (make_sink (), records, TRUE) == expect_failure && !may_fail)
    die (expect_failure ? "the sink did not fail" : "the sink failed");
}

/* --- decoding -------------------------------------------------------------*/

typedef struct {
  GstElement *pipeline;
  GMutex lock;
  GHashTable *counts; /* media type -> buffers */
} Decoding;

static GstPadProbeReturn
on_buffer (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Decoding *decoding = data;
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  const gchar *name =
      caps ? gst_structure_get_name (gst_caps_get_structure (caps, 0)) : "?";
  guint n;

  g_mutex_lock (&decoding->lock);
  n = GPOINTER_TO_UINT (g_hash_table_lookup (decoding->counts, name));
  g_hash_table_insert (decoding->counts, (gpointer)g_intern_string (name),
      GUINT_TO_POINTER (n + 1));
  g_mutex_unlock (&decoding->lock);
  return GST_PAD_PROBE_OK;
}

static void
on_pad_added (GstElement *decodebin, GstPad *pad, gpointer data)
{
  Decoding *decoding = data;
  GstElement *queue = gst_element_factory_make ("queue", NULL);
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  g_autoptr (GstPad) into = gst_element_get_static_pad (queue, "sink");

  g_object_set (sink, "sync", FALSE, NULL);
  gst_bin_add_many (GST_BIN (decoding->pipeline), queue, sink, NULL);
  gst_element_link (queue, sink);
  gst_element_sync_state_with_parent (sink);
  gst_element_sync_state_with_parent (queue);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, data, NULL);
  gst_pad_link (pad, into);
}

static void
decode (const gchar *path)
{
  Decoding decoding = {.counts = g_hash_table_new (g_str_hash, g_str_equal)};
  GstElement *decodebin;
  g_autoptr (GstElement) source = NULL;
  GHashTableIter iter;
  gpointer name, count;

  g_mutex_init (&decoding.lock);
  decoding.pipeline =
      gst_parse_launch ("filesrc name=source ! decodebin name=decoder", NULL);
  source = gst_bin_get_by_name (GST_BIN (decoding.pipeline), "source");
  g_object_set (source, "location", path, NULL);
  decodebin = gst_bin_get_by_name (GST_BIN (decoding.pipeline), "decoder");
  g_signal_connect (
      decodebin, "pad-added", G_CALLBACK (on_pad_added), &decoding);
  gst_object_unref (decodebin);
  gst_element_set_state (decoding.pipeline, GST_STATE_PLAYING);
  if (!wait_for_end (decoding.pipeline, 120 * GST_SECOND))
    die ("%s does not decode to its end", path);
  gst_element_set_state (decoding.pipeline, GST_STATE_NULL);
  gst_object_unref (decoding.pipeline);

  g_hash_table_iter_init (&iter, decoding.counts);
  while (g_hash_table_iter_next (&iter, &name, &count))
    g_print ("%s %u\n", (const gchar *)name, GPOINTER_TO_UINT (count));
  g_hash_table_unref (decoding.counts);
  g_mutex_clear (&decoding.lock);
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new ("PIPELINE");
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error))
    die ("%s", error->message);
  if (decode_file) {
    decode (decode_file);
    return 0;
  }
  if (argc != 2 || !recorder_register ())
    die ("one pipeline, please");
  replay (argv[1]);
  gst_deinit ();
  return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-client: pushes buffers into sinks as a muxer would, and measures how long
 * each push takes, what it costs, and how long the end takes.
 *
 *   bench-client --sink "filesink location=/dev/shm/out%u" --size 4096
 *       --rate 500000 --seconds 20 [--sinks 64]
 *
 * Each sink has a thread of its own. "%u" in the description is the number of the
 * sink; one that is named "measured" is asked for its `stats`. Prints one line of JSON; times are seconds, sizes bytes.
 */
#include <gst/gst.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static gchar *sink_text;
static gint n_sinks = 1;
static gint size = 4096;
static gint64 rate;
static gdouble seconds = 10;
static gint64 most;

static GOptionEntry entries[] = {{"sink", 0, 0, G_OPTION_ARG_STRING, &sink_text,
                                     "The sink and its properties", "ELEMENT"},
    {"bytes", 0, 0, G_OPTION_ARG_INT64, &most,
        "End after so many bytes (0: after the time)", "N"},
    {"sinks", 0, 0, G_OPTION_ARG_INT, &n_sinks, "How many of them", "N"},
    {"size", 0, 0, G_OPTION_ARG_INT, &size, "Bytes of a buffer", "N"},
    {"rate", 0, 0, G_OPTION_ARG_INT64, &rate,
        "Bytes a second for each sink (0: as fast as it goes)", "N"},
    {"seconds", 0, 0, G_OPTION_ARG_DOUBLE, &seconds, "How long", "S"}, {NULL}};

typedef struct {
  GstElement *sink;
  GstPad *pad;
  GArray *times; /* of gint64, ns a push took */
  gint64 ended;  /* µs from EOS until it was handled */
  gboolean failed;
  gboolean done;
} Stream;

static gint max_threads;
static guint64 max_unconfirmed; /* bytes, of one sink */
static guint64 blocked;         /* ns, of all */

/* --- one stream -----------------------------------------------------------*/

static gint64
nanoseconds (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
}

static void
begin (Stream *stream)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (stream->pad, gst_event_new_stream_start ("bench"));
  gst_pad_push_event (stream->pad,
      gst_event_new_caps (gst_caps_new_empty_simple ("video/mpegts")));
  gst_pad_push_event (stream->pad, gst_event_new_segment (&segment));
}

static GstBuffer *
make_buffer (void)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);

  gst_buffer_memset (buffer, 0, 0x47, size);
  return buffer;
}

static gpointer
run_stream (gpointer data)
{
  Stream *stream = data;
  gint64 start = g_get_monotonic_time (), before;
  guint64 pushed = 0;

  begin (stream);
  while (most > 0 ? pushed < (guint64)most
                  : g_get_monotonic_time () - start < seconds * 1e6) {
    GstBuffer *buffer = make_buffer ();
    GstFlowReturn flow;
    gint64 took;

    before = nanoseconds ();
    flow = gst_pad_push (stream->pad, buffer);
    took = nanoseconds () - before;
    g_array_append_val (stream->times, took);
    if (flow != GST_FLOW_OK) {
      stream->failed = TRUE;
      g_atomic_int_set (&stream->done, TRUE);
      return NULL;
    }
    pushed += size;
    if (rate > 0) {
      gint64 due = start + (gint64)(pushed * 1e6 / rate);
      gint64 early = due - g_get_monotonic_time ();

      /* What is less than a timer's own error is made good later. */
      if (early > 1000)
        g_usleep (early);
    }
  }
  before = g_get_monotonic_time ();
  stream->failed = !gst_pad_push_event (stream->pad, gst_event_new_eos ());
  stream->ended = g_get_monotonic_time () - before;
  g_atomic_int_set (&stream->done, TRUE);
  return NULL;
}

static void
open_stream (Stream *stream, guint number, GstElement *pipeline)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) pieces = g_strsplit (sink_text, "%u", -1);
  g_autofree gchar *digits = g_strdup_printf ("%u", number);
  g_autofree gchar *text = g_strjoinv (digits, pieces);
  GstPad *sinkpad;

  stream->sink = gst_parse_bin_from_description (text, TRUE, &error);
  if (error) {
    g_printerr ("bench-client: %s\n", error->message);
    exit (2);
  }
  stream->times = g_array_new (FALSE, FALSE, sizeof (gint64));
  gst_bin_add (GST_BIN (pipeline), stream->sink);
  stream->pad = gst_pad_new ("src", GST_PAD_SRC);
  gst_pad_set_active (stream->pad, TRUE);
  sinkpad = gst_element_get_static_pad (stream->sink, "sink");
  gst_pad_link (stream->pad, sinkpad);
  gst_object_unref (sinkpad);
}

/* --- what is measured -----------------------------------------------------*/

static gdouble
cpu_time (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
      (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static gint
count_threads (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  gint n = 0;

  while (dir && g_dir_read_name (dir))
    n++;
  return n;
}

/* What vodsink tells of itself; other sinks tell nothing. */
static void
look_at (Stream *stream, gboolean last)
{
  g_autoptr (GstElement) sink = NULL;
  GstStructure *stats = NULL;
  guint64 received = 0, uploaded = 0, waited = 0;

  sink = gst_bin_get_by_name (GST_BIN (stream->sink), "measured");
  if (sink == NULL)
    return;
  g_object_get (sink, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "bytes-received", &received);
  gst_structure_get_uint64 (stats, "bytes-uploaded", &uploaded);
  gst_structure_get_uint64 (stats, "blocked-time", &waited);
  gst_structure_free (stats);
  max_unconfirmed = MAX (max_unconfirmed, received - MIN (uploaded, received));
  if (last)
    blocked += waited;
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;

  return (x > y) - (x < y);
}

static gdouble
percentile (GArray *sorted, gdouble share)
{
  guint at = (guint)(share * (sorted->len - 1));

  return sorted->len ? g_array_index (sorted, gint64, at) / 1e9 : 0;
}

static void
report (Stream *streams, gdouble wall, gdouble cpu)
{
  GArray *all = g_array_new (FALSE, FALSE, sizeof (gint64));
  gint64 slowest_end = 0, failed = 0;
  struct rusage usage;

  for (gint i = 0; i < n_sinks; i++) {
    g_array_append_vals (all, streams[i].times->data, streams[i].times->len);
    slowest_end = MAX (slowest_end, streams[i].ended);
    failed += streams[i].failed;
  }
  g_array_sort (all, compare);
  getrusage (RUSAGE_SELF, &usage);
  g_print ("{\"wall\":%.3f,\"cpu\":%.3f,\"pushes\":%u,\"p50\":%.9f,"
           "\"p99\":%.9f,\"p999\":%.9f,\"max\":%.9f,\"end\":%.3f,"
           "\"threads\":%d,\"rss\":%ld,\"unconfirmed\":%" G_GUINT64_FORMAT
           ",\"blocked\":%.3f,\"failed\":%d}\n",
      wall, cpu, all->len, percentile (all, 0.5), percentile (all, 0.99),
      percentile (all, 0.999), percentile (all, 1), slowest_end / 1e6,
      max_threads, usage.ru_maxrss * 1024, max_unconfirmed, blocked / 1e9,
      (gint)failed);
  g_array_unref (all);
}

static gboolean
all_done (Stream *streams)
{
  for (gint i = 0; i < n_sinks; i++)
    if (!g_atomic_int_get (&streams[i].done))
      return FALSE;
  return TRUE;
}

static void
run_all (GstElement *pipeline, Stream *streams)
{
  GThread **threads = g_new (GThread *, n_sinks);
  gint64 start = g_get_monotonic_time ();
  gdouble cpu = cpu_time ();

  for (gint i = 0; i < n_sinks; i++)
    threads[i] = g_thread_new ("stream", run_stream, &streams[i]);
  while (!all_done (streams)) {
    max_threads = MAX (max_threads, count_threads ());
    for (gint i = 0; i < n_sinks; i++)
      look_at (&streams[i], FALSE);
    g_usleep (20000);
  }
  for (gint i = 0; i < n_sinks; i++)
    g_thread_join (threads[i]);
  for (gint i = 0; i < n_sinks; i++)
    look_at (&streams[i], TRUE);
  report (streams, (g_get_monotonic_time () - start) / 1e6, cpu_time () - cpu);
  g_free (threads);
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  GstElement *pipeline;
  Stream *streams;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error) || !sink_text ||
      n_sinks < 1 || size < 1) {
    g_printerr (
        "bench-client: %s\n", error ? error->message : "--sink is needed");
    return 2;
  }
  pipeline = gst_pipeline_new (NULL);
  streams = g_new0 (Stream, n_sinks);
  for (gint i = 0; i < n_sinks; i++)
    open_stream (&streams[i], i, pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  run_all (pipeline, streams);
  for (gint i = 0; i < n_sinks; i++)
    gst_pad_set_active (streams[i].pad, FALSE);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  for (gint i = 0; i < n_sinks; i++) {
    gst_object_unref (streams[i].pad);
    g_array_unref (streams[i].times);
  }
  gst_object_unref (pipeline);
  g_free (streams);
  return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodsinktest.h"

#include <string.h>

#include "../teststopwatch.h"

#define PATIENCE 10 /* s */

gint64
test_ms (gint64 ms)
{
  const gchar *slowness = g_getenv ("VOD_TEST_SLOWNESS");

  return ms * (slowness ? MAX (atoi (slowness), 1) : 1);
}

/* --- messages -------------------------------------------------------------*/

gchar *
rig_label (GstMessage *message)
{
  static const gchar *const types[] = {
      "start", "continue", "complete", "canceled", "error"};
  GstProgressType type;
  g_autofree gchar *code = NULL;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ELEMENT:
      return g_strdup (
          gst_structure_get_name (gst_message_get_structure (message)));
    case GST_MESSAGE_PROGRESS:
      gst_message_parse_progress (message, &type, &code, NULL);
      return g_strdup_printf (
          "progress-%s-%s", types[type - GST_PROGRESS_TYPE_START], code);
    default:
      return g_strdup (GST_MESSAGE_TYPE_NAME (message));
  }
}

void
rig_read_everything (Rig *rig)
{
  GObject *object = G_OBJECT (rig->sink);
  guint n;
  GParamSpec **specs =
      g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n);

  for (guint i = 0; i < n; i++) {
    GValue value = G_VALUE_INIT;

    if (!(specs[i]->flags & G_PARAM_READABLE))
      continue;
    g_value_init (&value, specs[i]->value_type);
    g_object_get_property (object, specs[i]->name, &value);
    g_value_unset (&value);
  }
  g_free (specs);
}

/* In the poster's thread: a lock that it holds would deadlock here. */
static GstBusSyncReply
collect (GstBus *bus, GstMessage *message, gpointer data)
{
  Rig *rig = data;

  if (rig->nosy)
    rig_read_everything (rig);
  if (rig->on_message)
    rig->on_message (message, rig);
  g_mutex_lock (&rig->lock);
  g_ptr_array_add (rig->messages, message); /* takes it, see GST_BUS_DROP */
  g_ptr_array_add (rig->labels, rig_label (message));
  g_cond_broadcast (&rig->cond);
  g_mutex_unlock (&rig->lock);
  return GST_BUS_DROP;
}

static GstMessage *
find (Rig *rig, const gchar *label)
{
  for (guint i = rig->mark; i < rig->messages->len; i++)
    if (strcmp (g_ptr_array_index (rig->labels, i), label) == 0)
      return g_ptr_array_index (rig->messages, i);
  return NULL;
}

static gint64
deadline (void)
{
  return g_get_monotonic_time () + test_ms (PATIENCE * 1000) * 1000;
}

GstMessage *
rig_wait (Rig *rig, const gchar *label)
{
  gint64 end = deadline ();
  GstMessage *message;

  g_mutex_lock (&rig->lock);
  while ((message = find (rig, label)) == NULL)
    if (!g_cond_wait_until (&rig->cond, &rig->lock, end))
      break;
  g_mutex_unlock (&rig->lock);
  if (message == NULL) {
    g_autofree gchar *story = rig_explain (rig);

    fail ("no %s came, but: %s", label, story);
  }
  return message;
}

void
rig_mark (Rig *rig)
{
  g_mutex_lock (&rig->lock);
  rig->mark = rig->messages->len;
  g_mutex_unlock (&rig->lock);
}

guint
rig_count (Rig *rig, const gchar *label)
{
  guint n = 0;

  g_mutex_lock (&rig->lock);
  for (guint i = rig->mark; i < rig->messages->len; i++)
    if (strcmp (g_ptr_array_index (rig->labels, i), label) == 0)
      n++;
  g_mutex_unlock (&rig->lock);
  return n;
}

gchar *
rig_story (Rig *rig)
{
  static const gchar *const dull[] = {"state-changed", "async-start",
      "async-done", "vodsink-progress", "progress-continue-close", "tag",
      "latency", "stream-status", "stream-start", "vodsink-retry",
      "need-context", "reset-time", NULL};
  GString *story = g_string_new (NULL);

  g_mutex_lock (&rig->lock);
  for (guint i = rig->mark; i < rig->messages->len; i++) {
    const gchar *label = g_ptr_array_index (rig->labels, i);

    if (!g_strv_contains (dull, label))
      g_string_append_printf (story, "%s%s", story->len ? " " : "", label);
  }
  g_mutex_unlock (&rig->lock);
  return g_string_free (story, FALSE);
}

gchar *
rig_explain (Rig *rig)
{
  g_autofree gchar *story = rig_story (rig);
  g_autofree gchar *debug = NULL;
  g_autoptr (GError) error = NULL;
  GstMessage *message;

  g_mutex_lock (&rig->lock);
  message = find (rig, "error");
  if (message)
    gst_message_parse_error (message, &error, &debug);
  g_mutex_unlock (&rig->lock);
  return g_strdup_printf (
      "%s (%s; %s)", story, error ? error->message : "no error", debug);
}

const GstStructure *
rig_details (GstMessage *message)
{
  const GstStructure *details = NULL;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error_details (message, &details);
  else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_WARNING)
    gst_message_parse_warning_details (message, &details);
  else
    details = gst_message_get_structure (message);
  return details;
}

gchar *
rig_error_code (GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GEnumClass) codes = g_type_class_ref (GST_TYPE_RESOURCE_ERROR);
  GEnumValue *value;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  if (error->domain != GST_RESOURCE_ERROR)
    return g_strdup_printf (
        "%s/%d", g_quark_to_string (error->domain), error->code);
  value = g_enum_get_value (codes, error->code);
  return g_strdup_printf (
      "RESOURCE/%s", value->value_name + strlen ("GST_RESOURCE_ERROR_"));
}

void
rig_assert_failed (Rig *rig, const gchar *code, const gchar *phase, gint number)
{
  GstMessage *message = rig_wait (rig, "error");
  GstMessage *before = rig_wait (rig, "vodsink-error");
  g_autofree gchar *is = rig_error_code (message);
  const GstStructure *details = rig_details (message);
  gint details_code;

  fail_unless_equals_string (is, code);
  fail_unless (details != NULL);
  fail_unless_equals_string (
      gst_structure_get_string (details, "phase"), phase);
  fail_unless (gst_structure_get_int (details, "code", &details_code));
  fail_unless_equals_int (details_code, number);
  fail_unless (gst_structure_is_equal (details, rig_details (before)));
  fail_unless (GST_MESSAGE_SEQNUM (before) < GST_MESSAGE_SEQNUM (message));
  fail_unless_equals_int (rig_count (rig, "error"), 1);
  fail_unless_equals_int (rig_count (rig, "vodsink-error"), 1);
  fail_unless_equals_int (rig_count (rig, "eos"), 0);
}

void
rig_assert_uploaded (Rig *rig, Emulator *emulator, guint n)
{
  g_autofree guint8 *expected = g_malloc (rig->offset);

  rig_wait (rig, "eos");
  test_fill (expected, 0, rig->offset);
  fail_unless (emulator_media_is (emulator, n, expected, rig->offset));
}

/* --- pushing --------------------------------------------------------------*/

static gpointer
push_all (gpointer data)
{
  Rig *rig = data;
  gpointer item;

  while ((item = g_async_queue_pop (rig->queue)) != (gpointer)rig) {
    GstFlowReturn flow = rig->flow;
    gboolean taken = rig->taken;

    if (GST_IS_EVENT (item))
      taken = gst_pad_push_event (rig->src, item);
    else if (GST_IS_BUFFER_LIST (item))
      flow = gst_pad_push_list (rig->src, item);
    else
      flow = gst_pad_push (rig->src, item);

    g_mutex_lock (&rig->lock);
    rig->flow = flow;
    rig->taken = taken;
    rig->done++;
    g_cond_broadcast (&rig->cond);
    g_mutex_unlock (&rig->lock);
  }
  return NULL;
}

void
rig_push (Rig *rig, gpointer item)
{
  g_mutex_lock (&rig->lock);
  rig->queued++;
  g_mutex_unlock (&rig->lock);
  g_async_queue_push (rig->queue, item);
}

void
rig_push_segment (Rig *rig, guint64 position)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_BYTES);
  segment.start = position;
  segment.time = position;
  segment.position = position;
  rig_push (rig, gst_event_new_segment (&segment));
}

void
rig_begin (Rig *rig, const gchar *caps)
{
  rig_push (rig, gst_event_new_stream_start ("test"));
  if (caps) {
    GstCaps *parsed = gst_caps_from_string (caps);

    rig_push (rig, gst_event_new_caps (parsed));
    gst_caps_unref (parsed);
  }
  rig_push_segment (rig, 0);
}

GstBuffer *
rig_buffer (guint64 offset, gsize len)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, len, NULL);
  GstMapInfo map;

  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  test_fill (map.data, offset, len);
  gst_buffer_unmap (buffer, &map);
  return buffer;
}

void
rig_push_bytes (Rig *rig, gsize len)
{
  rig_push (rig, rig_buffer (rig->offset, len));
  rig->offset += len;
}

void
rig_push_bytes_at (Rig *rig, guint64 position, gsize len)
{
  rig_push_segment (rig, position);
  rig_push (rig, rig_buffer (position, len));
}

void
rig_push_eos (Rig *rig)
{
  rig_push (rig, gst_event_new_eos ());
}

void
rig_upload (Rig *rig)
{
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 2 * MIB + 1);
  rig_push_eos (rig);
}

/* One may be taken between the ERROR and the end. */
void
rig_push_until_refused (Rig *rig)
{
  gint64 end = deadline ();
  GstFlowReturn flow;

  do {
    rig_push_bytes (rig, 100);
    flow = rig_pushed (rig);
  } while (flow == GST_FLOW_OK && g_get_monotonic_time () < end);
  fail_unless_equals_int (flow, GST_FLOW_ERROR);
}

gboolean
rig_is_pushing (Rig *rig)
{
  gboolean pushing;

  g_mutex_lock (&rig->lock);
  pushing = rig->done < rig->queued;
  g_mutex_unlock (&rig->lock);
  return pushing;
}

GstFlowReturn
rig_pushed (Rig *rig)
{
  gint64 end = deadline ();
  GstFlowReturn flow;
  gboolean all = TRUE;

  g_mutex_lock (&rig->lock);
  while (all && rig->done < rig->queued)
    all = g_cond_wait_until (&rig->cond, &rig->lock, end);
  flow = rig->flow;
  g_mutex_unlock (&rig->lock);
  fail_unless (all, "pushing does not end");
  return flow;
}

/* --- states ---------------------------------------------------------------*/

void
rig_set_state (Rig *rig, GstState state)
{
  fail_unless (
      gst_element_set_state (rig->sink, state) != GST_STATE_CHANGE_FAILURE);
}

gint64
rig_time_state (Rig *rig, GstState state)
{
  g_autoptr (TestStopwatch) watch = test_stopwatch_new ();

  rig_set_state (rig, state);
  return test_stopwatch_ms (watch);
}

gboolean
rig_reach (Rig *rig, GstState state)
{
  GstState now;

  rig_set_state (rig, state);
  return gst_element_get_state (rig->sink, &now, NULL, PATIENCE * GST_SECOND) ==
      GST_STATE_CHANGE_SUCCESS &&
      now == state;
}

void
rig_flush (Rig *rig)
{
  GstState state = GST_STATE_TARGET (rig->sink);
  g_autoptr (TestStopwatch) watch = test_stopwatch_new ();

  fail_unless (gst_pad_push_event (rig->src, gst_event_new_flush_start ()));
  rig_pushed (rig);
  fail_unless (gst_pad_push_event (rig->src, gst_event_new_flush_stop (TRUE)));
  fail_unless (test_stopwatch_ms (watch) < TEST_MS (100));
  /* It has lost its state; a pipeline would bring it back. */
  rig_set_state (rig, state);
}

/* --- life -----------------------------------------------------------------*/

Rig *
rig_new_for (GstElement *sink)
{
  Rig *rig = g_new0 (Rig, 1);
  GstPad *pad = gst_element_get_static_pad (sink, "sink");

  rig->sink = sink;
  rig->bus = gst_bus_new ();
  rig->messages =
      g_ptr_array_new_with_free_func ((GDestroyNotify)gst_message_unref);
  rig->labels = g_ptr_array_new_with_free_func (g_free);
  g_mutex_init (&rig->lock);
  g_cond_init (&rig->cond);
  gst_bus_set_sync_handler (rig->bus, collect, rig, NULL);
  gst_element_set_bus (sink, rig->bus);

  rig->src = gst_pad_new ("src", GST_PAD_SRC);
  gst_pad_set_active (rig->src, TRUE);
  fail_unless (gst_pad_link (rig->src, pad) == GST_PAD_LINK_OK);
  gst_object_unref (pad);
  rig->queue = g_async_queue_new ();
  rig->thread = g_thread_new ("rig", push_all, rig);
  return rig;
}

Rig *
rig_new (Emulator *emulator, const gchar *property, ...)
{
  GstElement *sink = gst_element_factory_make ("vodsink", NULL);
  va_list more;

  fail_unless (sink != NULL, "vodsink is not there: is GST_PLUGIN_PATH set?");
  if (emulator) {
    g_autofree gchar *signature = emulator_signature (FALSE);

    g_object_set (sink, "endpoint", emulator_uri (emulator), "signature",
        signature, "media-type", "mp4", NULL);
  }
  va_start (more, property);
  g_object_set_valist (G_OBJECT (sink), property, more);
  va_end (more);
  return rig_new_for (sink);
}

void
rig_free (Rig *rig)
{
  GstPad *pad = gst_element_get_static_pad (rig->sink, "sink");

  gst_element_set_state (rig->sink, GST_STATE_NULL);
  g_async_queue_push (rig->queue, rig);
  g_thread_join (rig->thread);
  gst_pad_set_active (rig->src, FALSE);
  gst_pad_unlink (rig->src, pad);
  gst_object_unref (pad);
  gst_object_unref (rig->src);
  gst_element_set_bus (rig->sink, NULL);
  gst_bus_set_sync_handler (rig->bus, NULL, NULL, NULL);
  gst_object_unref (rig->bus);
  g_ptr_array_unref (rig->messages);
  g_ptr_array_unref (rig->labels);
  ASSERT_OBJECT_REFCOUNT (rig->sink, "vodsink", 1);
  gst_object_unref (rig->sink);
  g_async_queue_unref (rig->queue);
  g_mutex_clear (&rig->lock);
  g_cond_clear (&rig->cond);
  g_free (rig);
}

/* --- stats ----------------------------------------------------------------*/

guint64
rig_stat (Rig *rig, const gchar *name)
{
  GstStructure *stats;
  const GValue *value;
  guint64 number;

  g_object_get (rig->sink, "stats", &stats, NULL);
  value = gst_structure_get_value (stats, name);
  fail_unless (value != NULL, "stats have no %s", name);
  number = G_VALUE_HOLDS_UINT (value) ? g_value_get_uint (value)
                                      : g_value_get_uint64 (value);
  gst_structure_free (stats);
  return number;
}

gchar *
rig_state_name (Rig *rig)
{
  GstStructure *stats;
  gchar *name;

  g_object_get (rig->sink, "stats", &stats, NULL);
  name = g_strdup (gst_structure_get_string (stats, "state"));
  gst_structure_free (stats);
  return name;
}

typedef struct {
  Rig *rig;
  const gchar *name;
  guint64 value;
} Wanted;

static gboolean
stat_reached (gpointer data)
{
  Wanted *wanted = data;

  return rig_stat (wanted->rig, wanted->name) >= wanted->value;
}

gboolean
rig_wait_stat (Rig *rig, const gchar *name, guint64 value)
{
  Wanted wanted = {rig, name, value};

  return test_wait_until (
      stat_reached, &wanted, (guint)test_ms (PATIENCE * 1000) / 1000);
}

static gboolean
state_reached (gpointer data)
{
  Wanted *wanted = data;
  g_autofree gchar *state = rig_state_name (wanted->rig);

  return strcmp (state, wanted->name) == 0;
}

gboolean
rig_wait_state (Rig *rig, const gchar *state)
{
  Wanted wanted = {rig, state, 0};

  return test_wait_until (
      state_reached, &wanted, (guint)test_ms (PATIENCE * 1000) / 1000);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vod-send.h"

#include <glib-unix.h>

#include "vod-show.h"

typedef struct {
  const VodSettings *settings;
  const VodRecording *recording;
  GMainLoop *loop;
  GstElement *pipeline;
  GstElement *sink;
  gchar *title;
  VodSendResult result;
  gchar *file_id; /* from vodsink-finish */
  gchar *url;
  gchar *kept; /* where the spool is kept; or NULL */
} Send;

static void
end (Send *send, VodSendResult result)
{
  send->result = result;
  g_main_loop_quit (send->loop);
}

/* --- what the element tells -----------------------------------------------*/

static void
on_progress (Send *send, const GstStructure *structure)
{
  guint64 loaded = 0, total = 0, speed = 0;
  g_autofree gchar *loaded_text = NULL, *total_text = NULL, *rate = NULL;
  g_autofree gchar *left = NULL;

  gst_structure_get (structure, "loaded", G_TYPE_UINT64, &loaded, "total",
      G_TYPE_UINT64, &total, "speed", G_TYPE_UINT64, &speed, NULL);
  if (total == 0)
    return;
  loaded_text = vod_show_size (loaded);
  total_text = vod_show_size (total);
  rate = vod_show_size (speed);
  if (speed > 0 && loaded < total)
    left = vod_show_time ((total - loaded) / speed + 1);
  vod_show_progress ("%s: %d %%, %s of %s, %s/s%s%s", send->title,
      (int)(100 * (gdouble)loaded / (gdouble)total), loaded_text, total_text,
      rate, left ? ", done in " : "", left ? left : "");
}

static void
on_retry (Send *send, const GstStructure *structure)
{
  const gchar *phase = gst_structure_get_string (structure, "phase");
  const gchar *message = gst_structure_get_string (structure, "message");
  guint delay = 0;

  gst_structure_get_uint (structure, "delay", &delay);
  vod_show_trouble ("%s: %s failed, again in %.1f s: %s", send->title,
      phase ? phase : "a request", delay / 1000.0, message ? message : "");
}

static void
on_finish (Send *send, const GstStructure *structure)
{
  send->file_id = g_strdup (gst_structure_get_string (structure, "file-id"));
  send->url = g_strdup (gst_structure_get_string (structure, "video-url"));
  send->kept =
      g_strdup (gst_structure_get_string (structure, "spool-location"));
}

static void
on_element (Send *send, const GstStructure *structure)
{
  if (gst_structure_has_name (structure, "vodsink-progress"))
    on_progress (send, structure);
  else if (gst_structure_has_name (structure, "vodsink-retry"))
    on_retry (send, structure);
  else if (gst_structure_has_name (structure, "vodsink-finish"))
    on_finish (send, structure);
  else if (gst_structure_has_name (structure, "vodsink-recovered"))
    vod_show_line ("%s: the spool has changed meanwhile and was set aside as "
                   "%s",
        send->title, gst_structure_get_string (structure, "spool-location"));
}

/* "phase apply, code 10004, request id …" */
static gchar *
describe_failure (const GstStructure *details)
{
  const gchar *phase = gst_structure_get_string (details, "phase");
  const gchar *storage = gst_structure_get_string (details, "error-code");
  const gchar *request = gst_structure_get_string (details, "request-id");
  gint code = 0;

  gst_structure_get_int (details, "code", &code);
  return g_strdup_printf (" (phase %s, code %d%s%s%s%s)",
      phase ? phase : "unknown", code, storage ? ", " : "",
      storage ? storage : "", request ? ", request id " : "",
      request ? request : "");
}

/* Somebody else may have begun with it since it was looked at. */
static gboolean
is_in_use (const Send *send, const GstStructure *details)
{
  g_auto (VodRecording) now = {0};

  return g_strcmp0 (gst_structure_get_string (details, "phase"), "session") ==
      0 &&
      vod_recording_examine (
          &now, send->settings->state_dir, send->recording->key, FALSE) &&
      now.kind == VOD_RECORDING_IN_USE;
}

static void
on_error (Send *send, GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *described = NULL;
  const GstStructure *details = NULL;

  gst_message_parse_error (message, &error, NULL);
  gst_message_parse_error_details (message, &details);
  if (details && is_in_use (send, details)) {
    end (send, VOD_SEND_BUSY);
    return;
  }
  described = details ? describe_failure (details) : g_strdup ("");
  vod_show_line ("%s: failed: %s%s", send->title, error->message, described);
  end (send, VOD_SEND_FAILED);
}

static void
on_warning (Send *send, GstMessage *message)
{
  g_autoptr (GError) error = NULL;

  gst_message_parse_warning (message, &error, NULL);
  vod_show_line ("%s: warning: %s", send->title, error->message);
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  Send *send = data;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ELEMENT:
      if (GST_MESSAGE_SRC (message) == GST_OBJECT (send->sink))
        on_element (send, gst_message_get_structure (message));
      break;
    case GST_MESSAGE_WARNING:
      on_warning (send, message);
      break;
    case GST_MESSAGE_ERROR:
      on_error (send, message);
      return G_SOURCE_REMOVE;
    case GST_MESSAGE_EOS:
      end (send, VOD_SEND_DONE);
      return G_SOURCE_REMOVE;
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
}

static gboolean
on_signal (gpointer data)
{
  end (data, VOD_SEND_INTERRUPTED);
  return G_SOURCE_CONTINUE;
}

/* --- the pipeline ---------------------------------------------------------*/

static gboolean
build (Send *send)
{
  g_autofree gchar *path = vod_session_path (
      send->settings->state_dir, send->recording->key, "media");
  GstElement *source = gst_element_factory_make ("filesrc", NULL);

  if (source == NULL) {
    vod_show_line ("%s: failed: GStreamer has no filesrc (Debian: "
                   "libgstreamer1.0-0)",
        send->title);
    return FALSE;
  }
  send->sink = vod_settings_sink_new (send->settings, send->recording);
  send->pipeline = gst_pipeline_new (NULL);
  g_object_set (source, "location", path, "blocksize", 256 * 1024, NULL);
  gst_bin_add_many (GST_BIN (send->pipeline), source, send->sink, NULL);
  return gst_element_link (source, send->sink);
}

static void
tell_end (Send *send)
{
  g_autofree gchar *size = vod_show_size (send->recording->sure);
  g_autoptr (GstStructure) stats = NULL;
  guint skipped = 0;

  switch (send->result) {
    case VOD_SEND_DONE:
      g_object_get (send->sink, "stats", &stats, NULL);
      gst_structure_get_uint (stats, "parts-skipped", &skipped);
      vod_show_line (
          "%s: done, %s, %u parts were up already", send->title, size, skipped);
      vod_show_line ("  file id %s", send->file_id ? send->file_id : "?");
      vod_show_line ("  %s", send->url ? send->url : "(no URL)");
      if (send->kept)
        vod_show_line ("  kept as %s", send->kept);
      break;
    case VOD_SEND_BUSY:
      vod_show_line ("%s: in use now, left alone", send->title);
      break;
    case VOD_SEND_INTERRUPTED:
      vod_show_line ("%s: interrupted; what is up stays up", send->title);
      break;
    case VOD_SEND_FAILED:
      break;
  }
}

static void
run (Send *send)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (send->pipeline);
  guint interrupt = g_unix_signal_add (SIGINT, on_signal, send);
  guint terminate = g_unix_signal_add (SIGTERM, on_signal, send);

  gst_bus_add_watch (bus, on_message, send);
  gst_element_set_state (send->pipeline, GST_STATE_PLAYING);
  g_main_loop_run (send->loop);
  /* A second signal ends it at once. */
  g_source_remove (interrupt);
  g_source_remove (terminate);
  gst_element_set_state (send->pipeline, GST_STATE_NULL);
  if (send->result == VOD_SEND_INTERRUPTED && send->file_id)
    send->result = VOD_SEND_DONE;
  gst_bus_remove_watch (bus);
}

VodSendResult
vod_send (const VodSettings *settings, const VodRecording *recording)
{
  Send send = {
      .settings = settings,
      .recording = recording,
      .loop = g_main_loop_new (NULL, FALSE),
      .title = vod_show_title (recording),
      .result = VOD_SEND_FAILED,
  };

  if (build (&send)) {
    run (&send);
    tell_end (&send);
  }
  g_clear_pointer (&send.pipeline, gst_object_unref);
  g_main_loop_unref (send.loop);
  g_free (send.title);
  g_free (send.file_id);
  g_free (send.url);
  g_free (send.kept);
  return send.result;
}

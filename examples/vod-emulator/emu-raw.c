/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing to, and killing, connections taken from SoupServer.
 */
#include "emu-raw.h"

#include <string.h>
#include <sys/socket.h>

#define LINGER_MS 2000

typedef struct {
  GIOStream *stream;
  GSocket *socket;
  GBytes *data;
  gsize sent;
  guint ms_per_byte;
  gboolean linger;
  gint64 linger_until;
  guint8 waste[16384];
} Sender;

static void
set_reset_on_close (GSocket *socket)
{
  struct linger now = {.l_onoff = 1, .l_linger = 0};

  setsockopt (
      g_socket_get_fd (socket), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void
emu_raw_kill (SoupServerMessage *message, gboolean reset)
{
  g_autoptr (GSocket) socket = soup_server_message_get_socket (message);
  g_autoptr (GIOStream) stream = NULL;

  if (socket != NULL)
    g_object_ref (socket);
  stream = soup_server_message_steal_connection (message);
  if (socket != NULL) {
    if (reset)
      set_reset_on_close (socket);
    g_socket_close (socket, NULL);
  }
}

static void
sender_free (Sender *sender)
{
  g_socket_close (sender->socket, NULL);
  g_object_unref (sender->stream);
  g_object_unref (sender->socket);
  g_bytes_unref (sender->data);
  g_free (sender);
}

static void
on_drained (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Sender *sender = user_data;
  gssize n = g_input_stream_read_finish (G_INPUT_STREAM (source), result, NULL);

  if (n <= 0 || g_get_monotonic_time () > sender->linger_until)
    sender_free (sender);
  else
    g_input_stream_read_async (G_INPUT_STREAM (source), sender->waste,
        sizeof sender->waste, G_PRIORITY_DEFAULT, NULL, on_drained, sender);
}

static gboolean
on_linger_end (gpointer user_data)
{
  g_socket_shutdown (user_data, TRUE, TRUE, NULL);
  return G_SOURCE_REMOVE;
}

static void
finish (Sender *sender)
{
  GInputStream *input = g_io_stream_get_input_stream (sender->stream);

  if (!sender->linger) {
    sender_free (sender);
    return;
  }
  g_socket_shutdown (sender->socket, FALSE, TRUE, NULL);
  sender->linger_until =
      g_get_monotonic_time () + LINGER_MS * G_TIME_SPAN_MILLISECOND;
  g_timeout_add_full (G_PRIORITY_DEFAULT, LINGER_MS, on_linger_end,
      g_object_ref (sender->socket), g_object_unref);
  g_input_stream_read_async (input, sender->waste, sizeof sender->waste,
      G_PRIORITY_DEFAULT, NULL, on_drained, sender);
}

static void
on_wrote (GObject *source, GAsyncResult *result, gpointer user_data);

static gboolean
write_more (gpointer user_data)
{
  Sender *sender = user_data;
  gsize size;
  const guint8 *data = g_bytes_get_data (sender->data, &size);
  gsize n = sender->ms_per_byte > 0 ? 1 : size - sender->sent;

  g_output_stream_write_async (g_io_stream_get_output_stream (sender->stream),
      data + sender->sent, n, G_PRIORITY_DEFAULT, NULL, on_wrote, sender);
  return G_SOURCE_REMOVE;
}

static void
on_wrote (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Sender *sender = user_data;
  gssize n =
      g_output_stream_write_finish (G_OUTPUT_STREAM (source), result, NULL);

  if (n <= 0) {
    sender_free (sender);
    return;
  }
  sender->sent += (gsize)n;
  if (sender->sent == g_bytes_get_size (sender->data))
    finish (sender);
  else if (sender->ms_per_byte > 0)
    g_timeout_add (sender->ms_per_byte, write_more, sender);
  else
    write_more (sender);
}

void
emu_raw_send (SoupServerMessage *message, GBytes *data, guint ms_per_byte,
    gboolean linger)
{
  GSocket *socket = soup_server_message_get_socket (message);
  Sender *sender;

  if (socket == NULL || g_bytes_get_size (data) == 0) {
    emu_raw_kill (message, FALSE);
    return;
  }
  sender = g_new0 (Sender, 1);
  sender->socket = g_object_ref (socket);
  sender->stream = soup_server_message_steal_connection (message);
  sender->data = g_bytes_ref (data);
  sender->ms_per_byte = ms_per_byte;
  sender->linger = linger;
  write_more (sender);
}

GBytes *
emu_raw_format (SoupServerMessage *message, GBytes *body)
{
  GString *text = g_string_new (NULL);
  SoupMessageHeadersIter iter;
  const char *name, *value;
  gsize size = 0;
  gconstpointer data = body != NULL ? g_bytes_get_data (body, &size) : NULL;
  guint status = soup_server_message_get_status (message);

  g_string_append_printf (text, "HTTP/1.1 %u %s\r\n", status,
      soup_server_message_get_reason_phrase (message));
  soup_message_headers_iter_init (
      &iter, soup_server_message_get_response_headers (message));
  while (soup_message_headers_iter_next (&iter, &name, &value))
    if (g_ascii_strcasecmp (name, "Content-Length") != 0 &&
        g_ascii_strcasecmp (name, "Connection") != 0)
      g_string_append_printf (text, "%s: %s\r\n", name, value);
  if (status != SOUP_STATUS_NO_CONTENT)
    g_string_append_printf (
        text, "Content-Length: %" G_GSIZE_FORMAT "\r\n", size);
  g_string_append (text, "Connection: close\r\n\r\n");
  if (size > 0)
    g_string_append_len (text, data, (gssize)size);
  return g_string_free_to_bytes (text);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connections, kept with their GSocket.
 *
 * SoupServer (seen in 3.2.3) never closes a kept-alive connection that the
 * client has closed: the socket stays open for ever. So an idle connection is
 * watched here, with a higher priority, and taken away from SoupServer when it
 * ends, which is possible only before SoupServer has read that end itself.
 */
#include "emu-connection.h"

#include <errno.h>
#include <sys/socket.h>

#define TLS_ALERT 21
#define TLS_DATA 23
#define TLS_ALERT_LENGTH 20 /* an encrypted alert has 19 bytes */

struct _EmuConnection {
  guint64 number;
  guint requests;
  GSource *watch;
};

static void
stop_watching (EmuConnection *connection)
{
  if (connection->watch != NULL) {
    g_source_destroy (connection->watch);
    g_clear_pointer (&connection->watch, g_source_unref);
  }
}

static void
connection_free (gpointer data)
{
  EmuConnection *connection = data;

  stop_watching (connection);
  g_free (connection);
}

static EmuConnection *
get (GSocket *socket)
{
  return g_object_get_data (G_OBJECT (socket), "emu-connection");
}

EmuConnection *
emu_connection_get (EmuStats *stats, SoupServerMessage *message)
{
  GSocket *socket = soup_server_message_get_socket (message);
  EmuConnection *connection;

  if (socket == NULL)
    return NULL;
  connection = get (socket);
  if (connection == NULL) {
    connection = g_new0 (EmuConnection, 1);
    connection->number = emu_stats_add_connection (stats, socket);
    g_object_set_data_full (
        G_OBJECT (socket), "emu-connection", connection, connection_free);
  }
  return connection;
}

guint64
emu_connection_number (EmuConnection *connection)
{
  return connection != NULL ? connection->number : 0;
}

guint
emu_connection_requests (EmuConnection *connection)
{
  return connection != NULL ? connection->requests : 0;
}

void
emu_connection_begin (EmuConnection *connection)
{
  if (connection == NULL)
    return;
  connection->requests++;
  stop_watching (connection);
}

typedef enum { PEEK_NOTHING, PEEK_DATA, PEEK_END } Peek;

/* A client that closes TLS says so first, in a record that no request fits. */
static Peek
peek (GSocket *socket)
{
  guint8 head[5];
  gssize n = recv (
      g_socket_get_fd (socket), head, sizeof head, MSG_PEEK | MSG_DONTWAIT);

  if (n < 0)
    return errno == EAGAIN || errno == EINTR ? PEEK_NOTHING : PEEK_END;
  if (n == 0)
    return PEEK_END;
  if (n == sizeof head && head[1] == 3 &&
      (head[0] == TLS_ALERT ||
          (head[0] == TLS_DATA &&
              (head[3] << 8 | head[4]) <= TLS_ALERT_LENGTH)))
    return PEEK_END;
  return PEEK_DATA;
}

static gboolean
on_readable (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  SoupServerMessage *message = user_data;
  EmuConnection *connection = get (socket);
  g_autoptr (GIOStream) stream = NULL;
  Peek what;

  if (!g_socket_is_closed (socket)) {
    what = peek (socket);
    if (what == PEEK_NOTHING)
      return G_SOURCE_CONTINUE;
    if (what == PEEK_END) {
      stream = soup_server_message_steal_connection (message);
      g_socket_close (socket, NULL);
    }
  }
  g_clear_pointer (&connection->watch, g_source_unref);
  return G_SOURCE_REMOVE;
}

void
emu_connection_idle (EmuConnection *connection, SoupServerMessage *message)
{
  GSocket *socket = soup_server_message_get_socket (message);

  if (connection == NULL || socket == NULL || g_socket_is_closed (socket))
    return;
  stop_watching (connection);
  connection->watch = g_socket_create_source (socket, G_IO_IN, NULL);
  g_source_set_priority (connection->watch, G_PRIORITY_HIGH);
  g_source_set_callback (connection->watch, G_SOURCE_FUNC (on_readable),
      g_object_ref (message), g_object_unref);
  g_source_attach (connection->watch, NULL);
}

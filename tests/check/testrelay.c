/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "testrelay.h"

#include <poll.h>
#include <stdatomic.h>

#define LOOK 20 /* ms: how soon a new mode is seen */

struct _TestRelay {
  TestRaw *raw;
  gchar *host_and_port;
  _Atomic int mode;
  _Atomic guint64 bytes;
};

/* What can be read of @from goes to @to. 0: the end. */
static gsize
move_some (GIOStream *from, GIOStream *to)
{
  gchar buffer[65536];
  gssize len = g_input_stream_read (
      g_io_stream_get_input_stream (from), buffer, sizeof buffer, NULL, NULL);

  if (len <= 0 ||
      !g_output_stream_write_all (g_io_stream_get_output_stream (to), buffer,
          (gsize)len, NULL, NULL, NULL))
    return 0;
  return (gsize)len;
}

static gint
fd_of (GIOStream *stream)
{
  return g_socket_get_fd (
      g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream)));
}

/* FALSE: one of them has closed. TRUE: the mode is another. */
static gboolean
pump (TestRelay *relay, GIOStream *client, GIOStream *server)
{
  struct pollfd fds[] = {
      {.fd = fd_of (client), .events = POLLIN},
      {.fd = fd_of (server), .events = POLLIN},
  };

  while (atomic_load (&relay->mode) == TEST_RELAY_OPEN &&
      !test_raw_stopping (relay->raw)) {
    if (poll (fds, G_N_ELEMENTS (fds), LOOK) <= 0)
      continue;
    if (fds[0].revents) {
      gsize len = move_some (client, server);

      if (len == 0)
        return FALSE;
      atomic_fetch_add (&relay->bytes, len);
    }
    if (fds[1].revents && move_some (server, client) == 0)
      return FALSE;
  }
  return TRUE;
}

static void
serve (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  TestRelay *relay = data;
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnection) server = NULL;
  gboolean alive = TRUE;

  while (alive && !test_raw_stopping (raw)) {
    switch (atomic_load (&relay->mode)) {
      case TEST_RELAY_SILENT:
        test_raw_wait (raw, LOOK);
        break;
      case TEST_RELAY_OPEN:
        if (server == NULL)
          server = g_socket_client_connect_to_host (
              client, relay->host_and_port, 80, NULL, NULL);
        alive = server && pump (relay, stream, G_IO_STREAM (server));
        break;
      default:
        alive = FALSE;
        break;
    }
  }
}

TestRelay *
test_relay_new (const gchar *uri, TestRelayMode mode)
{
  TestRelay *relay = g_new0 (TestRelay, 1);

  g_assert_true (g_str_has_prefix (uri, "http://"));
  relay->host_and_port = g_strdup (uri + strlen ("http://"));
  atomic_store (&relay->mode, mode);
  relay->raw = test_raw_new (serve, relay);
  return relay;
}

void
test_relay_free (TestRelay *relay)
{
  test_raw_free (relay->raw);
  g_free (relay->host_and_port);
  g_free (relay);
}

const gchar *
test_relay_uri (TestRelay *relay)
{
  return test_raw_uri (relay->raw);
}

void
test_relay_set_mode (TestRelay *relay, TestRelayMode mode)
{
  atomic_store (&relay->mode, mode);
}

guint
test_relay_accepted (TestRelay *relay)
{
  return test_raw_accepted (relay->raw);
}

guint64
test_relay_bytes (TestRelay *relay)
{
  return atomic_load (&relay->bytes);
}

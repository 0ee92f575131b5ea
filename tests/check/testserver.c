/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testserver: see testserver.h.
 */
#include "testserver.h"

#include <libsoup/soup.h>
#include <string.h>
#include <sys/socket.h>

/* --- bytes --- */

struct _TestRaw {
  TestRawHandler handler;
  gpointer data;
  GSocket *listener;
  GCancellable *stop;
  GThread *acceptor;
  gchar *uri;
  guint16 port;
  GMutex lock; /* guards what follows */
  GCond cond;  /* @stopping has changed */
  gboolean stopping;
  GPtrArray *threads; /* of GThread */
  GPtrArray *streams; /* of GSocketConnection */
};

typedef struct {
  TestRaw *raw;
  GIOStream *stream;
  guint n;
} Connection;

static gpointer
run_connection (gpointer data)
{
  Connection *connection = data;
  TestRaw *raw = connection->raw;

  raw->handler (raw, connection->stream, connection->n, raw->data);
  g_io_stream_close (connection->stream, NULL, NULL);
  g_object_unref (connection->stream);
  g_free (connection);
  return NULL;
}

static void
start_connection (TestRaw *raw, GSocket *socket)
{
  GSocketConnection *stream =
      g_socket_connection_factory_create_connection (socket);
  Connection *connection = g_new0 (Connection, 1);

  connection->raw = raw;
  connection->stream = G_IO_STREAM (stream);
  g_mutex_lock (&raw->lock);
  connection->n = raw->threads->len;
  g_ptr_array_add (raw->streams, g_object_ref (stream));
  g_ptr_array_add (
      raw->threads, g_thread_new ("test-raw", run_connection, connection));
  g_mutex_unlock (&raw->lock);
}

static gpointer
run_acceptor (gpointer data)
{
  TestRaw *raw = data;

  for (;;) {
    g_autoptr (GSocket) socket =
        g_socket_accept (raw->listener, raw->stop, NULL);

    if (!socket)
      return NULL;
    start_connection (raw, socket);
  }
}

TestRaw *
test_raw_new (TestRawHandler handler, gpointer data)
{
  TestRaw *raw = g_new0 (TestRaw, 1);
  g_autoptr (GSocketAddress) wanted =
      g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  g_autoptr (GSocketAddress) got = NULL;

  g_mutex_init (&raw->lock);
  g_cond_init (&raw->cond);
  raw->handler = handler;
  raw->data = data;
  raw->stop = g_cancellable_new ();
  raw->threads = g_ptr_array_new ();
  raw->streams = g_ptr_array_new_with_free_func (g_object_unref);
  raw->listener = g_socket_new (
      G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  g_assert_true (g_socket_bind (raw->listener, wanted, TRUE, NULL));
  g_assert_true (g_socket_listen (raw->listener, NULL));
  got = g_socket_get_local_address (raw->listener, NULL);
  raw->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (got));
  raw->uri = g_strdup_printf ("http://127.0.0.1:%u", raw->port);
  raw->acceptor = g_thread_new ("test-accept", run_acceptor, raw);
  return raw;
}

static void
stop_raw (TestRaw *raw)
{
  g_cancellable_cancel (raw->stop);
  g_thread_join (raw->acceptor);
  g_mutex_lock (&raw->lock);
  raw->stopping = TRUE;
  g_cond_broadcast (&raw->cond);
  g_mutex_unlock (&raw->lock);
  /* Wakes handlers that read or write. */
  for (guint i = 0; i < raw->streams->len; i++)
    g_socket_shutdown (
        g_socket_connection_get_socket (g_ptr_array_index (raw->streams, i)),
        TRUE, TRUE, NULL);
  for (guint i = 0; i < raw->threads->len; i++)
    g_thread_join (g_ptr_array_index (raw->threads, i));
}

void
test_raw_free (TestRaw *raw)
{
  stop_raw (raw);
  g_socket_close (raw->listener, NULL);
  g_object_unref (raw->listener);
  g_object_unref (raw->stop);
  g_ptr_array_unref (raw->threads);
  g_ptr_array_unref (raw->streams);
  g_mutex_clear (&raw->lock);
  g_cond_clear (&raw->cond);
  g_free (raw->uri);
  g_free (raw);
}

guint16
test_raw_port (TestRaw *raw)
{
  return raw->port;
}

const gchar *
test_raw_uri (TestRaw *raw)
{
  return raw->uri;
}

guint
test_raw_accepted (TestRaw *raw)
{
  guint n;

  g_mutex_lock (&raw->lock);
  n = raw->threads->len;
  g_mutex_unlock (&raw->lock);
  return n;
}

gboolean
test_raw_stopping (TestRaw *raw)
{
  gboolean stopping;

  g_mutex_lock (&raw->lock);
  stopping = raw->stopping;
  g_mutex_unlock (&raw->lock);
  return stopping;
}

void
test_raw_wait (TestRaw *raw, guint ms)
{
  gint64 end = g_get_monotonic_time () + ms * G_TIME_SPAN_MILLISECOND;

  g_mutex_lock (&raw->lock);
  while (!raw->stopping)
    if (!g_cond_wait_until (&raw->cond, &raw->lock, end))
      break;
  g_mutex_unlock (&raw->lock);
}

gchar *
test_raw_read_head (GIOStream *stream)
{
  GInputStream *in = g_io_stream_get_input_stream (stream);
  GString *head = g_string_new (NULL);
  gchar c;

  while (g_input_stream_read (in, &c, 1, NULL, NULL) == 1) {
    g_string_append_c (head, c);
    if (g_str_has_suffix (head->str, "\r\n\r\n"))
      return g_string_free (head, FALSE);
  }
  g_string_free (head, TRUE);
  return NULL;
}

gchar *
test_raw_header (const gchar *head, const gchar *name)
{
  g_auto (GStrv) lines = g_strsplit (head, "\r\n", -1);

  for (guint i = 1; lines[i]; i++) {
    gchar *colon = strchr (lines[i], ':');

    if (colon && (gsize)(colon - lines[i]) == strlen (name) &&
        g_ascii_strncasecmp (lines[i], name, strlen (name)) == 0)
      return g_strdup (g_strstrip (colon + 1));
  }
  return NULL;
}

GBytes *
test_raw_read_bytes (GIOStream *stream, gsize len)
{
  g_autofree guint8 *bytes = g_malloc (len + 1);
  gsize got = 0;

  if (!g_input_stream_read_all (g_io_stream_get_input_stream (stream), bytes,
          len, &got, NULL, NULL) ||
      got != len)
    return NULL;
  return g_bytes_new_take (g_steal_pointer (&bytes), len);
}

gboolean
test_raw_read_request (GIOStream *stream, gchar **head, GBytes **body)
{
  g_autofree gchar *text = test_raw_read_head (stream);
  g_autofree gchar *length =
      text ? test_raw_header (text, "Content-Length") : NULL;
  GBytes *bytes = NULL;

  if (text)
    bytes = test_raw_read_bytes (
        stream, length ? g_ascii_strtoull (length, NULL, 10) : 0);
  if (bytes && head)
    *head = g_steal_pointer (&text);
  if (bytes && body)
    *body = g_bytes_ref (bytes);
  g_clear_pointer (&bytes, g_bytes_unref);
  return text != NULL || (head && *head);
}

gboolean
test_raw_write (GIOStream *stream, const gchar *text)
{
  return g_output_stream_write_all (g_io_stream_get_output_stream (stream),
      text, strlen (text), NULL, NULL, NULL);
}

void
test_raw_reset (GIOStream *stream)
{
  struct linger linger = {1, 0};
  GSocket *socket =
      g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream));

  setsockopt (
      g_socket_get_fd (socket), SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  g_socket_close (socket, NULL);
}

/* --- HTTP --- */

typedef struct {
  guint status;
  gchar **headers;
  gchar *body;
} Canned;

struct _TestSoup {
  GThread *thread;
  GMainContext *context;
  GMainLoop *loop;
  SoupServer *server;
  gchar *uri;
  GMutex lock; /* guards what follows */
  GCond cond;
  gboolean running;
  GQueue answers;      /* of Canned */
  GPtrArray *requests; /* of TestRequest */
  GPtrArray *sockets;  /* of GSocket, by number of the connection */
};

static void
free_canned (gpointer data)
{
  Canned *canned = data;

  g_strfreev (canned->headers);
  g_free (canned->body);
  g_free (canned);
}

static void
free_request (gpointer data)
{
  TestRequest *request = data;

  g_free (request->method);
  g_free (request->target);
  g_hash_table_unref (request->headers);
  g_bytes_unref (request->body);
  g_free (request);
}

static void
note_header (const gchar *name, const gchar *value, gpointer data)
{
  g_hash_table_insert (data, g_ascii_strdown (name, -1), g_strdup (value));
}

static guint
number_of_connection (TestSoup *soup, GSocket *socket)
{
  guint n;

  if (!g_ptr_array_find (soup->sockets, socket, &n)) {
    n = soup->sockets->len;
    g_ptr_array_add (soup->sockets, g_object_ref (socket));
  }
  return n;
}

static TestRequest *
note_request (TestSoup *soup, SoupServerMessage *msg)
{
  TestRequest *request = g_new0 (TestRequest, 1);
  GUri *uri = soup_server_message_get_uri (msg);
  const gchar *query = g_uri_get_query (uri);

  request->method = g_strdup (soup_server_message_get_method (msg));
  request->target = g_strconcat (
      g_uri_get_path (uri), query ? "?" : "", query ? query : "", NULL);
  request->headers =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  soup_message_headers_foreach (soup_server_message_get_request_headers (msg),
      note_header, request->headers);
  request->body =
      soup_message_body_flatten (soup_server_message_get_request_body (msg));
  request->connection =
      number_of_connection (soup, soup_server_message_get_socket (msg));
  return request;
}

static void
send_canned (SoupServerMessage *msg, const Canned *canned)
{
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (msg);

  soup_server_message_set_status (msg, canned->status, NULL);
  if (canned->body)
    soup_server_message_set_response (msg, "text/plain", SOUP_MEMORY_COPY,
        canned->body, strlen (canned->body));
  for (guint i = 0; canned->headers && canned->headers[i]; i += 2)
    soup_message_headers_replace (
        headers, canned->headers[i], canned->headers[i + 1]);
}

static void
on_request (SoupServer *server, SoupServerMessage *msg, const char *path,
    GHashTable *query, gpointer data)
{
  TestSoup *soup = data;
  Canned *canned;

  g_mutex_lock (&soup->lock);
  g_ptr_array_add (soup->requests, note_request (soup, msg));
  canned = g_queue_pop_head (&soup->answers);
  g_mutex_unlock (&soup->lock);
  if (canned) {
    send_canned (msg, canned);
    free_canned (canned);
  } else {
    soup_server_message_set_status (msg, 500, NULL);
  }
}

static gboolean
note_running (gpointer data)
{
  TestSoup *soup = data;

  g_mutex_lock (&soup->lock);
  soup->running = TRUE;
  g_cond_broadcast (&soup->cond);
  g_mutex_unlock (&soup->lock);
  return G_SOURCE_REMOVE;
}

static gpointer
run_soup (gpointer data)
{
  TestSoup *soup = data;
  GSList *uris;
  g_autoptr (GSource) idle = g_idle_source_new ();

  g_main_context_push_thread_default (soup->context);
  soup->server = soup_server_new ("raw-paths", TRUE, NULL);
  soup_server_add_handler (soup->server, NULL, on_request, soup, NULL);
  g_assert_true (soup_server_listen_local (
      soup->server, 0, SOUP_SERVER_LISTEN_IPV4_ONLY, NULL));
  uris = soup_server_get_uris (soup->server);
  soup->uri = g_strdup_printf (
      "http://127.0.0.1:%d", g_uri_get_port ((GUri *)uris->data));
  g_slist_free_full (uris, (GDestroyNotify)g_uri_unref);
  g_source_set_callback (idle, note_running, soup, NULL);
  g_source_attach (idle, soup->context);
  g_main_loop_run (soup->loop);
  soup_server_disconnect (soup->server);
  g_object_unref (soup->server);
  while (g_main_context_iteration (soup->context, FALSE))
    continue;
  g_main_context_pop_thread_default (soup->context);
  return NULL;
}

TestSoup *
test_soup_new (void)
{
  TestSoup *soup = g_new0 (TestSoup, 1);

  g_mutex_init (&soup->lock);
  g_cond_init (&soup->cond);
  g_queue_init (&soup->answers);
  soup->requests = g_ptr_array_new_with_free_func (free_request);
  soup->sockets = g_ptr_array_new_with_free_func (g_object_unref);
  soup->context = g_main_context_new ();
  soup->loop = g_main_loop_new (soup->context, FALSE);
  soup->thread = g_thread_new ("test-soup", run_soup, soup);
  g_mutex_lock (&soup->lock);
  while (!soup->running)
    g_cond_wait (&soup->cond, &soup->lock);
  g_mutex_unlock (&soup->lock);
  return soup;
}

void
test_soup_free (TestSoup *soup)
{
  g_main_loop_quit (soup->loop);
  g_thread_join (soup->thread);
  g_main_loop_unref (soup->loop);
  g_main_context_unref (soup->context);
  g_queue_clear_full (&soup->answers, free_canned);
  g_ptr_array_unref (soup->requests);
  g_ptr_array_unref (soup->sockets);
  g_mutex_clear (&soup->lock);
  g_cond_clear (&soup->cond);
  g_free (soup->uri);
  g_free (soup);
}

const gchar *
test_soup_uri (TestSoup *soup)
{
  return soup->uri;
}

void
test_soup_answer (TestSoup *soup, guint status, const gchar *const *headers,
    const gchar *body)
{
  Canned *canned = g_new0 (Canned, 1);

  canned->status = status;
  canned->headers = g_strdupv ((gchar **)headers);
  canned->body = g_strdup (body);
  g_mutex_lock (&soup->lock);
  g_queue_push_tail (&soup->answers, canned);
  g_mutex_unlock (&soup->lock);
}

const TestRequest *
test_soup_request (TestSoup *soup, guint n)
{
  const TestRequest *request = NULL;

  g_mutex_lock (&soup->lock);
  if (n < soup->requests->len)
    request = g_ptr_array_index (soup->requests, n);
  g_mutex_unlock (&soup->lock);
  g_assert_nonnull (request);
  return request;
}

guint
test_soup_n_requests (TestSoup *soup)
{
  guint n;

  g_mutex_lock (&soup->lock);
  n = soup->requests->len;
  g_mutex_unlock (&soup->lock);
  return n;
}

const gchar *
test_request_header (const TestRequest *request, const gchar *name)
{
  return g_hash_table_lookup (request->headers, name);
}

gchar *
test_request_text (const TestRequest *request)
{
  gsize len;
  const gchar *text = g_bytes_get_data (request->body, &len);

  return g_strndup (text, len);
}

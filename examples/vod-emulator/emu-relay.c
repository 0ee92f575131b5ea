/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The slow line. One thread of its own (so that a busy server doesn't add to
 * the latency) owns all sockets and polls them; other threads only start and
 * stop it. Each direction of a connection is a queue of chunks with the time
 * at which they arrive.
 *
 * The kernel has acknowledged a connection before accept() returns, so the
 * handshake's round trip is added to the client's first bytes instead. It also
 * takes bytes before the relay reads them: with a rate, the receive buffer is
 * kept small, but the client's own send buffer still fills at once.
 */
#include "emu-relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_LINKS 400
#define MAX_QUEUED (16 * 1024 * 1024)
#define READ_SIZE 65536
#define RATED_BUFFER (128 * 1024)

typedef enum { CHUNK_DATA, CHUNK_END, CHUNK_RESET } ChunkKind;

typedef struct {
  ChunkKind kind;
  gint64 due;
  gsize len;
  gsize sent;
  guint8 data[];
} Chunk;

typedef struct {
  int from;
  int to;
  GQueue queue;
  gsize queued;
  gboolean ended; /* nothing more is read */
  gboolean done;  /* nothing more is written */
  short from_events;
  short to_events;
} Flow;

typedef struct {
  Flow up;         /* client to server */
  Flow down;       /* server to client */
  gint64 earliest; /* the client's first bytes are not sent before */
  gboolean dead;
} Link;

struct _EmuRelay {
  int listener;
  int wake[2];
  guint16 port;
  guint16 target;
  guint64 rate;
  gint64 latency; /* us */
  double tokens;  /* bytes that clients may send now */
  gint64 tokens_at;
  GPtrArray *links;
  guint first; /* who is served first this time */
  GThread *thread;
};

static void
flow_clear (Flow *flow)
{
  g_queue_clear_full (&flow->queue, g_free);
}

static void
link_free (gpointer data)
{
  Link *link = data;

  close (link->up.from);
  close (link->up.to);
  flow_clear (&link->up);
  flow_clear (&link->down);
  g_free (link);
}

static void
set_no_delay (int fd)
{
  int on = 1;

  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void
set_loopback (struct sockaddr_in *address, guint16 port)
{
  memset (address, 0, sizeof *address);
  address->sin_family = AF_INET;
  address->sin_port = htons (port);
  address->sin_addr.s_addr = htonl (INADDR_LOOPBACK);
}

static void
accept_link (EmuRelay *relay, gint64 now)
{
  struct sockaddr_in address;
  int client =
      accept4 (relay->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  int server;
  Link *link;

  if (client < 0)
    return;
  server = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  set_loopback (&address, relay->target);
  if (server < 0 ||
      connect (server, (struct sockaddr *)&address, sizeof address) < 0) {
    close (client);
    if (server >= 0)
      close (server);
    return;
  }
  set_no_delay (client);
  set_no_delay (server);
  link = g_new0 (Link, 1);
  link->up.from = link->down.to = client;
  link->up.to = link->down.from = server;
  link->earliest = now + 2 * relay->latency;
  g_ptr_array_add (relay->links, link);
}

static void
push (Flow *flow, ChunkKind kind, gint64 due, gconstpointer data, gsize len)
{
  Chunk *chunk = g_malloc (sizeof (Chunk) + len);

  chunk->kind = kind;
  chunk->due = due;
  chunk->len = len;
  chunk->sent = 0;
  if (len > 0)
    memcpy (chunk->data, data, len);
  g_queue_push_tail (&flow->queue, chunk);
  flow->queued += len;
}

/* Reads up to @max bytes; returns how many. */
static gsize
read_flow (Flow *flow, gsize max, gint64 due)
{
  guint8 buffer[READ_SIZE];
  gssize n = recv (flow->from, buffer, MIN (max, sizeof buffer), MSG_DONTWAIT);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return 0;
  if (n > 0) {
    push (flow, CHUNK_DATA, due, buffer, (gsize)n);
    return (gsize)n;
  }
  flow->ended = TRUE;
  push (flow, n == 0 ? CHUNK_END : CHUNK_RESET, due, NULL, 0);
  return 0;
}

static void
pop (Flow *flow)
{
  Chunk *chunk = g_queue_pop_head (&flow->queue);

  flow->queued -= chunk->len;
  g_free (chunk);
}

/* FALSE: the link is over. */
static gboolean
write_flow (Flow *flow, gint64 now)
{
  Chunk *chunk;

  while (
      (chunk = g_queue_peek_head (&flow->queue)) != NULL && chunk->due <= now) {
    gssize n;

    if (chunk->kind == CHUNK_RESET) {
      struct linger reset = {.l_onoff = 1, .l_linger = 0};

      setsockopt (flow->to, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
      return FALSE;
    }
    if (chunk->kind == CHUNK_END) {
      shutdown (flow->to, SHUT_WR);
      flow->done = TRUE;
      pop (flow);
      continue;
    }
    n = send (flow->to, chunk->data + chunk->sent, chunk->len - chunk->sent,
        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      return TRUE;
    if (n < 0)
      return FALSE;
    chunk->sent += (gsize)n;
    if (chunk->sent == chunk->len)
      pop (flow);
  }
  return TRUE;
}

/* ---- the rate ---- */

static void
refill (EmuRelay *relay, gint64 now)
{
  double burst = MAX ((double)relay->rate / 50, READ_SIZE);

  relay->tokens += (double)relay->rate * (double)(now - relay->tokens_at) / 1e6;
  relay->tokens = MIN (relay->tokens, burst);
  relay->tokens_at = now;
}

/* Some five hundred small steps a second, so that a slow line looks smooth. */
static gsize
allowance (EmuRelay *relay)
{
  guint64 step = CLAMP (relay->rate / 500, 1, READ_SIZE);

  if (relay->rate == 0)
    return READ_SIZE;
  return relay->tokens >= (double)step ? (gsize)relay->tokens : 0;
}

/* ---- polling ---- */

static void
add_fd (GArray *fds, int fd, short events)
{
  struct pollfd item = {.fd = events != 0 ? fd : -1, .events = events};

  g_array_append_val (fds, item);
}

static gboolean
is_due (Flow *flow, gint64 now, gint64 *wake_at)
{
  Chunk *chunk = g_queue_peek_head (&flow->queue);

  if (chunk == NULL)
    return FALSE;
  if (chunk->due <= now)
    return TRUE;
  *wake_at = MIN (*wake_at, chunk->due);
  return FALSE;
}

static gboolean
wants_more (Flow *flow)
{
  return !flow->ended && flow->queued < MAX_QUEUED;
}

/* Four entries for each link after the two of the relay itself. */
static void
collect_fds (EmuRelay *relay, GArray *fds, gint64 now, gint64 *wake_at)
{
  gboolean may_read = allowance (relay) > 0;

  g_array_set_size (fds, 0);
  add_fd (fds, relay->wake[0], POLLIN);
  add_fd (fds, relay->listener, relay->links->len < MAX_LINKS ? POLLIN : 0);
  if (!may_read)
    *wake_at = MIN (*wake_at, now + 2000);
  for (guint i = 0; i < relay->links->len; i++) {
    Link *link = g_ptr_array_index (relay->links, i);

    add_fd (
        fds, link->up.from, may_read && wants_more (&link->up) ? POLLIN : 0);
    add_fd (fds, link->up.to, is_due (&link->up, now, wake_at) ? POLLOUT : 0);
    add_fd (fds, link->down.from, wants_more (&link->down) ? POLLIN : 0);
    add_fd (
        fds, link->down.to, is_due (&link->down, now, wake_at) ? POLLOUT : 0);
  }
}

static void
serve_link (EmuRelay *relay, Link *link, const struct pollfd *fds, gint64 now)
{
  gsize max = allowance (relay);

  if (fds[0].revents != 0 && max > 0) {
    gsize n =
        read_flow (&link->up, max, MAX (now, link->earliest) + relay->latency);

    relay->tokens -= (double)n;
  }
  if (fds[2].revents != 0)
    read_flow (&link->down, READ_SIZE, now + relay->latency);
  if ((fds[1].revents != 0 && !write_flow (&link->up, now)) ||
      (fds[3].revents != 0 && !write_flow (&link->down, now)) ||
      (link->up.done && link->down.done))
    link->dead = TRUE;
}

static void
serve_links (EmuRelay *relay, const struct pollfd *fds, guint n, gint64 now)
{
  for (guint i = 0; i < n; i++) {
    guint k = (relay->first + i) % n;

    serve_link (relay, g_ptr_array_index (relay->links, k), fds + 4 * k, now);
  }
  relay->first++;
  for (guint i = relay->links->len; i > 0; i--)
    if (((Link *)g_ptr_array_index (relay->links, i - 1))->dead)
      g_ptr_array_remove_index (relay->links, i - 1);
}

static gpointer
run (gpointer data)
{
  EmuRelay *relay = data;
  g_autoptr (GArray) fds = g_array_new (FALSE, FALSE, sizeof (struct pollfd));

  for (;;) {
    gint64 now = g_get_monotonic_time ();
    gint64 wake_at = now + G_USEC_PER_SEC;
    struct timespec timeout;
    struct pollfd *items;
    guint n_links = relay->links->len;

    refill (relay, now);
    collect_fds (relay, fds, now, &wake_at);
    timeout.tv_sec = (wake_at - now) / G_USEC_PER_SEC;
    timeout.tv_nsec = (wake_at - now) % G_USEC_PER_SEC * 1000;
    items = (struct pollfd *)fds->data;
    if (ppoll (items, fds->len, &timeout, NULL) < 0)
      continue;
    if (items[0].revents != 0)
      return NULL;
    now = g_get_monotonic_time ();
    refill (relay, now);
    if (n_links > 0)
      serve_links (relay, items + 2, n_links, now);
    if (items[1].revents != 0)
      accept_link (relay, now);
  }
}

/* ---- starting and stopping ---- */

static gboolean
start_listening (EmuRelay *relay, guint16 port)
{
  struct sockaddr_in address;
  socklen_t len = sizeof address;
  int on = 1, buffer = RATED_BUFFER;

  relay->listener =
      socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (relay->listener < 0)
    return FALSE;
  setsockopt (relay->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (relay->rate > 0)
    setsockopt (relay->listener, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  set_loopback (&address, port);
  if (bind (relay->listener, (struct sockaddr *)&address, len) < 0 ||
      listen (relay->listener, 1024) < 0 ||
      getsockname (relay->listener, (struct sockaddr *)&address, &len) < 0)
    return FALSE;
  relay->port = ntohs (address.sin_port);
  return TRUE;
}

EmuRelay *
emu_relay_new (guint16 port, guint16 target, guint64 rate, guint latency_ms,
    GError **error)
{
  EmuRelay *relay = g_new0 (EmuRelay, 1);

  relay->listener = relay->wake[0] = relay->wake[1] = -1;
  relay->target = target;
  relay->rate = rate;
  relay->latency = (gint64)latency_ms * 1000;
  relay->tokens_at = g_get_monotonic_time ();
  relay->links = g_ptr_array_new_with_free_func (link_free);
  if (!start_listening (relay, port) || pipe (relay->wake) < 0) {
    g_set_error (error, G_IO_ERROR, (gint)g_io_error_from_errno (errno),
        "cannot listen on port %u: %s", port, g_strerror (errno));
    emu_relay_free (relay);
    return NULL;
  }
  relay->thread = g_thread_new ("relay", run, relay);
  return relay;
}

guint16
emu_relay_port (EmuRelay *relay)
{
  return relay->port;
}

void
emu_relay_free (EmuRelay *relay)
{
  if (relay->thread != NULL) {
    if (write (relay->wake[1], "", 1) < 0)
      g_warning ("cannot stop the relay");
    g_thread_join (relay->thread);
  }
  g_ptr_array_unref (relay->links);
  for (guint i = 0; i < 2; i++)
    if (relay->wake[i] >= 0)
      close (relay->wake[i]);
  if (relay->listener >= 0)
    close (relay->listener);
  g_free (relay);
}

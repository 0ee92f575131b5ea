/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-server: answers what uploading clients ask, at a small part of what any of
 * them costs, so that a benchmark measures them and not the server. It checks no
 * signature and keeps no byte: the correctness of uploads is tested elsewhere,
 * against vod-emulator.
 *
 *   bench-server [--tls CERT KEY] [--file PATH]    prints "listening on URL"
 *
 * Parts are answered with their CRC64 and the object with the whole one, as the
 * storage does. Bodies are dropped by the kernel, but for those of parts that are
 * not of the file PATH (known-file.h), and all that comes by TLS.
 * GET /stats tells connections, requests, bytes and the server's own CPU time;
 * DELETE /stats begins anew.
 *
 * A thread per connection. `lock` guards what they share.
 */
#include <gio/gio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cloud/vodchecksum.h"
#include "known-file.h"

#define BUFFER (256 * 1024)
#define HEAD_MAX (64 * 1024)
#define MAX_PARTS 10000
/* Of the right form; nobody checks it. */
#define SIGNATURE                                                              \
  "AAAAAAAAAAAAAAAAAAAAAAAAAABzZWNyZXRJZD1iZW5jaCZjdXJyZW50VGltZVN0YW1wPTEmZX" \
  "hwaXJlVGltZT0yJnJhbmRvbT0z"

typedef struct {
  guint64 size;
  guint64 crc64;
} Part;

static GMutex lock;
static GHashTable *uploads; /* number -> Part[MAX_PARTS + 1] */
static guint begun;
static guint64 connections, requests, bytes;
static SSL_CTX *tls;
static KnownFile *known; /* NULL: none */
static gchar *base;

typedef struct {
  int fd;
  SSL *ssl;
  guint8 *buffer;
  gsize have; /* bytes in it … */
  gsize at;   /* … of which so many were taken */
} Peer;

typedef struct {
  gchar method[8];
  gchar target[2048];
  gint64 length; /* -1: chunked */
  gboolean expects_continue;
  gboolean closes;
} Request;

/* --- bytes ----------------------------------------------------------------*/

static gssize
receive (Peer *peer, gpointer to, gsize len)
{
  if (peer->ssl)
    return SSL_read (peer->ssl, to, (int)len);
  return recv (peer->fd, to, len, 0);
}

static gboolean
put (Peer *peer, const gchar *data, gsize len)
{
  while (len > 0) {
    gssize n = peer->ssl ? SSL_write (peer->ssl, data, (int)len)
                         : send (peer->fd, data, len, MSG_NOSIGNAL);

    if (n <= 0)
      return FALSE;
    data += n;
    len -= n;
  }
  return TRUE;
}

/* More bytes behind those not yet taken. */
static gboolean
fill (Peer *peer)
{
  gssize n;

  if (peer->at > 0) {
    memmove (peer->buffer, peer->buffer + peer->at, peer->have - peer->at);
    peer->have -= peer->at;
    peer->at = 0;
  }
  if (peer->have == BUFFER)
    return FALSE;
  n = receive (peer, peer->buffer + peer->have, BUFFER - peer->have);
  if (n <= 0)
    return FALSE;
  peer->have += n;
  return TRUE;
}

/* Takes @len bytes of a body; @crc64 (NULL: not wanted) goes on over them. */
static gboolean
take (Peer *peer, guint64 len, guint64 *crc64)
{
  gsize first = MIN (len, peer->have - peer->at);

  if (crc64)
    *crc64 = vod_crc64 (*crc64, peer->buffer + peer->at, first);
  peer->at += first;
  len -= first;
  while (len > 0) {
    gboolean drop = !crc64 && !peer->ssl;
    gssize n = drop ? recv (peer->fd, NULL, MIN (len, 8 * BUFFER), MSG_TRUNC)
                    : receive (peer, peer->buffer, MIN (len, BUFFER));

    if (n <= 0)
      return FALSE;
    if (crc64)
      *crc64 = vod_crc64 (*crc64, peer->buffer, n);
    len -= n;
    /* What was in the buffer is overwritten. */
    peer->have = peer->at = 0;
  }
  return TRUE;
}

/* Up to and without the end of a line; NULL: there is none. */
static gchar *
take_line (Peer *peer)
{
  for (;;) {
    guint8 *from = peer->buffer + peer->at;
    guint8 *end = memchr (from, '\n', peer->have - peer->at);

    if (end) {
      gsize len = end - from;

      peer->at += len + 1;
      return g_strchomp (g_strndup ((gchar *)from, len));
    }
    if (peer->have - peer->at > HEAD_MAX || !fill (peer))
      return NULL;
  }
}

/* The body of a part, and its CRC64. */
static gboolean
take_part (Peer *peer, guint64 len, guint64 *crc64)
{
  while (known && !peer->ssl && len >= KNOWN_FIRST &&
      peer->have - peer->at < KNOWN_FIRST) {
    if (!fill (peer))
      return FALSE;
  }
  if (known && !peer->ssl && len >= KNOWN_FIRST &&
      known_file_crc64 (known, peer->buffer + peer->at, len, crc64))
    return take (peer, len, NULL);
  return take (peer, len, crc64);
}

static gboolean
take_chunks (Peer *peer, guint64 *size)
{
  for (;;) {
    g_autofree gchar *line = take_line (peer);
    g_autofree gchar *end = NULL;
    guint64 len;

    if (line == NULL)
      return FALSE;
    len = g_ascii_strtoull (line, NULL, 16);
    if (!take (peer, len, NULL))
      return FALSE;
    *size += len;
    end = take_line (peer);
    if (end == NULL || len == 0)
      return end != NULL;
  }
}

/* --- requests -------------------------------------------------------------*/

static gboolean
read_header (Peer *peer, Request *request)
{
  g_autofree gchar *line = take_line (peer);

  *request = (Request){0};
  if (line == NULL ||
      sscanf (line, "%7s %2047s", request->method, request->target) != 2)
    return FALSE;
  for (;;) {
    g_autofree gchar *field = take_line (peer);

    if (field == NULL)
      return FALSE;
    if (*field == '\0')
      return TRUE;
    if (g_ascii_strncasecmp (field, "content-length:", 15) == 0)
      request->length = g_ascii_strtoll (field + 15, NULL, 10);
    else if (g_ascii_strncasecmp (field, "transfer-encoding:", 18) == 0)
      request->length = -1;
    else if (g_ascii_strncasecmp (field, "expect:", 7) == 0)
      request->expects_continue = TRUE;
    else if (g_ascii_strncasecmp (field, "connection:", 11) == 0)
      request->closes = strstr (field + 11, "lose") != NULL;
  }
}

static gboolean
answer (Peer *peer, const gchar *headers, const gchar *body)
{
  g_autofree gchar *text =
      g_strdup_printf ("HTTP/1.1 200 OK\r\nServer: bench\r\n%s"
                       "Content-Length: %" G_GSIZE_FORMAT "\r\n\r\n%s",
          headers, strlen (body), body);

  return put (peer, text, strlen (text));
}

static guint
query_number (const gchar *target, const gchar *name)
{
  const gchar *found = strstr (target, name);

  return found ? (guint)atoi (found + strlen (name)) : 0;
}

/* --- answers --------------------------------------------------------------*/

static gboolean
answer_stats (Peer *peer, gboolean reset)
{
  g_autofree gchar *text = NULL;
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  g_mutex_lock (&lock);
  if (reset)
    connections = requests = bytes = 0;
  text = g_strdup_printf ("{\"connections\":%" G_GUINT64_FORMAT
                          ",\"requests\":%" G_GUINT64_FORMAT
                          ",\"bytes\":%" G_GUINT64_FORMAT ",\"cpu\":%.3f}",
      connections, requests, bytes,
      usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
          (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
  g_mutex_unlock (&lock);
  return answer (peer, "Content-Type: application/json\r\n", text);
}

static gboolean
answer_api (Peer *peer, const gchar *target)
{
  g_autofree gchar *text = NULL;
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;

  if (strstr (target, "Commit"))
    text = g_strdup_printf ("{\"code\":0,\"message\":\"\",\"data\":{\"video\":{"
                            "\"url\":\"%s/media\"},\"fileId\":\"1\"}}",
        base);
  else
    text = g_strdup_printf (
        "{\"code\":0,\"message\":\"\",\"data\":{\"video\":{"
        "\"storageSignature\":\"x\",\"storagePath\":\"/bench/1/media.mp4\"},"
        "\"storageAppId\":1,\"storageBucket\":\"bench\","
        "\"storageRegionV5\":\"ap-bench\",\"vodSessionKey\":\"session\","
        "\"timestamp\":%" G_GINT64_FORMAT ",\"tempCertificate\":{"
        "\"secretId\":\"id\",\"secretKey\":\"key\",\"token\":\"token\","
        "\"expiredTime\":%" G_GINT64_FORMAT "},\"appId\":1}}",
        now, now + 86400);
  return answer (peer, "Content-Type: application/json\r\n", text);
}

static gboolean
answer_part (
    Peer *peer, guint upload, guint number, guint64 size, guint64 crc64)
{
  Part *parts;
  g_autofree gchar *headers = g_strdup_printf (
      "ETag: \"%032x\"\r\nx-cos-hash-crc64ecma: %" G_GUINT64_FORMAT "\r\n",
      number, crc64);

  g_mutex_lock (&lock);
  parts = g_hash_table_lookup (uploads, GUINT_TO_POINTER (upload));
  if (parts && number <= MAX_PARTS)
    parts[number] = (Part){size, crc64};
  g_mutex_unlock (&lock);
  return answer (peer, headers, "");
}

static gboolean
answer_initiate (Peer *peer)
{
  g_autofree gchar *text = NULL;

  g_mutex_lock (&lock);
  g_hash_table_insert (
      uploads, GUINT_TO_POINTER (++begun), g_new0 (Part, MAX_PARTS + 1));
  text = g_strdup_printf (
      "<InitiateMultipartUploadResult><Bucket>bench-1</Bucket><Key>k</Key>"
      "<UploadId>%u</UploadId></InitiateMultipartUploadResult>",
      begun);
  g_mutex_unlock (&lock);
  return answer (peer, "Content-Type: application/xml\r\n", text);
}

static gboolean
answer_complete (Peer *peer, guint upload)
{
  g_autofree gchar *headers = NULL;
  guint64 crc64 = 0;
  const Part *parts;

  g_mutex_lock (&lock);
  parts = g_hash_table_lookup (uploads, GUINT_TO_POINTER (upload));
  for (guint i = 1; parts && i <= MAX_PARTS && parts[i].size > 0; i++)
    crc64 = vod_crc64_combine (crc64, parts[i].crc64, parts[i].size);
  g_hash_table_remove (uploads, GUINT_TO_POINTER (upload));
  g_mutex_unlock (&lock);
  headers = g_strdup_printf ("Content-Type: application/xml\r\n"
                             "x-cos-hash-crc64ecma: %" G_GUINT64_FORMAT "\r\n",
      crc64);
  return answer (peer, headers,
      "<CompleteMultipartUploadResult><Location>bench/k</Location><Bucket>"
      "bench-1</Bucket><Key>k</Key><ETag>\"0-1\"</ETag>"
      "</CompleteMultipartUploadResult>");
}

/* The body, if any, and the answer. FALSE: the connection is of no use any
 * more. */
static gboolean
serve (Peer *peer, const Request *request)
{
  guint number = query_number (request->target, "partNumber=");
  guint upload = query_number (request->target, "uploadId=");
  guint64 crc64 = 0, size = MAX (request->length, 0);
  gboolean taken;

  if (request->expects_continue &&
      !put (peer, "HTTP/1.1 100 Continue\r\n\r\n", 25))
    return FALSE;
  taken = request->length < 0 ? take_chunks (peer, &size)
      : number > 0            ? take_part (peer, size, &crc64)
                              : take (peer, size, NULL);
  if (!taken)
    return FALSE;
  g_mutex_lock (&lock);
  requests++;
  bytes += size;
  g_mutex_unlock (&lock);

  if (strcmp (request->target, "/stats") == 0)
    return answer_stats (peer, strcmp (request->method, "DELETE") == 0);
  if (g_str_has_prefix (request->target, "/v3/"))
    return answer_api (peer, request->target);
  if (g_str_has_prefix (request->target, "/signature"))
    return answer (peer, "", SIGNATURE);
  if (number > 0)
    return answer_part (peer, upload, number, size, crc64);
  if (strcmp (request->method, "POST") == 0 &&
      strstr (request->target, "uploadId="))
    return answer_complete (peer, upload);
  if (strcmp (request->method, "POST") == 0 &&
      strstr (request->target, "?uploads"))
    return answer_initiate (peer);
  if (strcmp (request->method, "GET") == 0)
    return answer (peer, "Content-Type: application/xml\r\n",
        "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"
        "</ListMultipartUploadsResult>");
  return answer (peer, "ETag: \"0\"\r\n", "");
}

static gpointer
serve_connection (gpointer data)
{
  Peer peer = {.fd = GPOINTER_TO_INT (data), .buffer = g_malloc (BUFFER)};
  Request request = {0};
  gboolean good = TRUE;

  if (tls) {
    peer.ssl = SSL_new (tls);
    SSL_set_fd (peer.ssl, peer.fd);
    good = SSL_accept (peer.ssl) == 1;
  }
  while (good && !request.closes && read_header (&peer, &request))
    good = serve (&peer, &request);
  if (peer.ssl)
    SSL_free (peer.ssl);
  close (peer.fd);
  g_free (peer.buffer);
  return NULL;
}

/* --- listening ------------------------------------------------------------*/

static void
load_tls (const gchar *cert, const gchar *key)
{
  tls = SSL_CTX_new (TLS_server_method ());
  if (SSL_CTX_use_certificate_chain_file (tls, cert) != 1 ||
      SSL_CTX_use_PrivateKey_file (tls, key, SSL_FILETYPE_PEM) != 1) {
    g_printerr ("bench-server: %s or %s cannot be used\n", cert, key);
    exit (1);
  }
}

static int
listen_somewhere (guint16 *port)
{
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
  socklen_t len = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0 || bind (fd, (struct sockaddr *)&address, len) != 0 ||
      listen (fd, 256) != 0 ||
      getsockname (fd, (struct sockaddr *)&address, &len) != 0) {
    g_printerr ("bench-server: cannot listen\n");
    exit (1);
  }
  *port = ntohs (address.sin_port);
  return fd;
}

int
main (int argc, char **argv)
{
  guint16 port;
  int listener, one = 1;

  signal (SIGPIPE, SIG_IGN);
  uploads = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  for (int i = 1; i < argc; i++) {
    if (i + 2 < argc && strcmp (argv[i], "--tls") == 0) {
      load_tls (argv[i + 1], argv[i + 2]);
      i += 2;
    } else if (i + 1 < argc && strcmp (argv[i], "--file") == 0) {
      known = known_file_new (argv[++i]);
    } else {
      g_printerr ("usage: bench-server [--tls CERT KEY] [--file PATH]\n");
      return 2;
    }
  }
  listener = listen_somewhere (&port);
  base = g_strdup_printf (
      "%s://127.0.0.1:%u", tls ? "https" : "http", (guint)port);
  g_print ("listening on %s\n", base);
  for (;;) {
    int fd = accept4 (listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
      continue;
    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    g_mutex_lock (&lock);
    connections++;
    g_mutex_unlock (&lock);
    g_thread_unref (
        g_thread_new ("connection", serve_connection, GINT_TO_POINTER (fd)));
  }
}

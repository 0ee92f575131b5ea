/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sign-service: a signature service in C, for vodsink's property signature-url
 * and for every other client of the service.
 *
 * Who has a signature can upload to your account until it expires. So the key
 * stays here, and the client decides nothing: every signature lasts LIFETIME
 * seconds and has no other fields than those it must have. Add what your uploads
 * need (classId, procedure, …) in make_original(), never from a request.
 *
 * Build it alone, where this repository is:
 *   cc -o sign-service examples/sign-service.c \
 *       $(pkg-config --cflags --libs libsoup-3.0)
 * With vod-emulator, which has the key of the service's documentation:
 *   export VOD_SECRET_ID=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE
 *   export VOD_SECRET_KEY=Gu5t9xGARNpq86cd98joQYCN3EXAMPLE
 *   ./sign-service --port 8700
 * and then upload with signature-url=http://127.0.0.1:8700/vod.
 * With the service: the same, with your own key.
 *
 * It listens on this machine only, and whoever uses this machine gets
 * signatures. For others set SIGN_TOKEN, which clients then have to show,
 * and put a server in front of it that speaks https, which this one does not:
 *   export SIGN_TOKEN="$(head -c 32 /dev/urandom | base64)"
 *   ./sign-service --port 8700 --address 0.0.0.0
 * They show it in a header: programs by the property signature-headers, but a
 * command line is seen by everybody who runs ps. So, for what has no other way,
 * curl takes it from a file, and gets a signature into another, again before it
 * expires (see systemd/vodsink-signature.service):
 *   umask 077
 *   echo "Authorization: Bearer $SIGN_TOKEN" >token
 *   curl -sSf -H @token -o signature https://sign.example.com/vod
 *   ./upload --set signature-url=file:$PWD/signature a.mp4
 *
 * It answers GET /vod with {"signature":"…"}, and everything else, also
 * with parameters behind it, with an error. Nothing of it is logged. SIGTERM
 * and Ctrl-C end it. Exit codes: 0 ended, 1 it cannot listen, 2 wrong use.
 */
#include <glib-unix.h>
#include <libsoup/soup.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* Longer than a file with one is kept (systemd/vodsink-signature.timer). */
#define LIFETIME 3600

static const gchar *secret_id, *secret_key, *token;
static gint port;
static gchar *address;

static GOptionEntry entries[] = {
    {"port", 0, 0, G_OPTION_ARG_INT, &port, "Port (default: a free one)", "N"},
    {"address", 0, 0, G_OPTION_ARG_STRING, &address,
        "Address to listen on (default: 127.0.0.1; others need SIGN_TOKEN)",
        "IP"},
    {NULL}};

/* --- signing --------------------------------------------------------------*/

static gchar *
make_original (void)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  g_autofree gchar *id = g_uri_escape_string (secret_id, NULL, FALSE);
  guint32 number;

  if (getrandom (&number, sizeof number, 0) != sizeof number)
    return NULL;
  return g_strdup_printf ("secretId=%s&currentTimeStamp=%" G_GINT64_FORMAT
                          "&expireTime=%" G_GINT64_FORMAT "&random=%u",
      id, now, now + LIFETIME, number);
}

/* base64 (HMAC-SHA1 (key, original) + original) */
static gchar *
sign (const gchar *original)
{
  gsize len = strlen (original), mac_len = 20;
  g_autofree guint8 *raw = g_malloc (mac_len + len);
  g_autoptr (GHmac) hmac = g_hmac_new (
      G_CHECKSUM_SHA1, (const guchar *)secret_key, strlen (secret_key));

  g_hmac_update (hmac, (const guchar *)original, (gssize)len);
  g_hmac_get_digest (hmac, raw, &mac_len);
  memcpy (raw + mac_len, original, len);
  return g_base64_encode (raw, mac_len + len);
}

/* --- answering ------------------------------------------------------------*/

/* Takes the same time whatever is shown. */
static gboolean
is_token (const gchar *shown)
{
  g_autofree gchar *right = g_strconcat ("Bearer ", token, NULL);
  g_autofree gchar *a =
      g_compute_checksum_for_string (G_CHECKSUM_SHA256, right, -1);
  g_autofree gchar *b =
      g_compute_checksum_for_string (G_CHECKSUM_SHA256, shown ? shown : "", -1);
  guint difference = 0;

  for (guint i = 0; a[i]; i++)
    difference |= (guint)(a[i] ^ b[i]);
  return difference == 0;
}

/* Without a token this machine only, which a web page may have led its own name
 * to. */
static gboolean
may_have_one (SoupServerMessage *message)
{
  SoupMessageHeaders *headers =
      soup_server_message_get_request_headers (message);
  const gchar *host = g_uri_get_host (soup_server_message_get_uri (message));
  g_autoptr (GInetAddress) inet = g_inet_address_new_from_string (host);

  if (token)
    return is_token (soup_message_headers_get_one (headers, "Authorization"));
  return strcmp (host, "localhost") == 0 ||
      (inet && g_inet_address_get_is_loopback (inet));
}

/* 200, or why not. */
static guint
check (SoupServerMessage *message, const gchar *path)
{
  if (!may_have_one (message))
    return token ? SOUP_STATUS_UNAUTHORIZED : SOUP_STATUS_FORBIDDEN;
  if (strcmp (path, "/vod") != 0)
    return SOUP_STATUS_NOT_FOUND;
  if (strcmp (soup_server_message_get_method (message), "GET") != 0)
    return SOUP_STATUS_METHOD_NOT_ALLOWED;
  if (g_uri_get_query (soup_server_message_get_uri (message)))
    return SOUP_STATUS_BAD_REQUEST;
  return SOUP_STATUS_OK;
}

static void
on_request (SoupServer *server, SoupServerMessage *message, const char *path,
    GHashTable *query, gpointer data)
{
  SoupMessageHeaders *headers =
      soup_server_message_get_response_headers (message);
  guint status = check (message, path);
  g_autofree gchar *original = NULL, *signature = NULL, *json = NULL;

  if (status == SOUP_STATUS_OK && (original = make_original ()) == NULL)
    status = SOUP_STATUS_INTERNAL_SERVER_ERROR;
  soup_server_message_set_status (message, status, NULL);
  soup_message_headers_replace (headers, "Cache-Control", "no-store");
  if (status != SOUP_STATUS_OK)
    return;
  signature = sign (original);
  json = g_strdup_printf ("{\"signature\":\"%s\"}\n", signature);
  soup_server_message_set_response (
      message, "application/json", SOUP_MEMORY_COPY, json, strlen (json));
}

/* What is sent with a request is of no interest, and not kept. */
static void
on_headers (SoupServer *server, SoupServerMessage *message, const char *path,
    GHashTable *query, gpointer data)
{
  soup_message_body_set_accumulate (
      soup_server_message_get_request_body (message), FALSE);
}

/* --- the program ----------------------------------------------------------*/

static gboolean
listen_on (SoupServer *server, GError **error)
{
  g_autoptr (GInetAddress) inet =
      g_inet_address_new_from_string (address ? address : "127.0.0.1");
  g_autoptr (GSocketAddress) socket = NULL;
  GSList *uris;

  socket = g_inet_socket_address_new (inet, (guint16)port);
  if (!soup_server_listen (server, socket, 0, error))
    return FALSE;
  uris = soup_server_get_uris (server);
  g_print ("listening on http://%s:%d/vod\n", g_uri_get_host (uris->data),
      g_uri_get_port (uris->data));
  g_slist_free_full (uris, (GDestroyNotify)g_uri_unref);
  return TRUE;
}

/* What is wrong with how it was called, or NULL. */
static const gchar *
find_misuse (void)
{
  g_autoptr (GInetAddress) inet =
      g_inet_address_new_from_string (address ? address : "127.0.0.1");

  secret_id = g_getenv ("VOD_SECRET_ID");
  secret_key = g_getenv ("VOD_SECRET_KEY");
  token = g_getenv ("SIGN_TOKEN");
  if (!secret_id || !*secret_id || !secret_key || !*secret_key)
    return "VOD_SECRET_ID and VOD_SECRET_KEY must be set";
  if (token && strlen (token) < 16)
    return "SIGN_TOKEN must have 16 characters at least";
  if (port < 0 || port > G_MAXUINT16 || !inet)
    return "--port takes 0 to 65535, --address an IP address";
  if (!token && !g_inet_address_get_is_loopback (inet))
    return "others than this machine need SIGN_TOKEN";
  return NULL;
}

static gboolean
on_signal (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_CONTINUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (SoupServer) server = soup_server_new (NULL, NULL);
  g_autoptr (GError) error = NULL;
  const gchar *misuse = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc > 1 ||
      (misuse = find_misuse ())) {
    g_printerr ("sign-service: %s\n",
        error        ? error->message
            : misuse ? misuse
                     : "it takes options only");
    return 2;
  }
  setvbuf (stdout, NULL, _IOLBF, 0);
  g_unix_signal_add (SIGINT, on_signal, loop);
  g_unix_signal_add (SIGTERM, on_signal, loop);
  soup_server_add_early_handler (server, NULL, on_headers, NULL, NULL);
  soup_server_add_handler (server, NULL, on_request, NULL, NULL);
  if (!listen_on (server, &error)) {
    g_printerr ("sign-service: %s\n", error->message);
    return 1;
  }
  g_main_loop_run (loop);
  return 0;
}

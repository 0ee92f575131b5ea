/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttp over TLS and through proxies.
 */
#include "vodhttp.h"

#include <glib/gstdio.h>
#include <string.h>

#include "testcerts.h"
#include "testclient.h"
#include "testserver.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define USERINFO "us%40er:secret"
#define BASIC "Basic dXNAZXI6c2VjcmV0" /* us@er:secret */

/* A TLS server; with @proxy, one behind a CONNECT. What the last request was is
 * read after the server has ended. */
typedef struct {
  GTlsCertificate *certificate;
  gboolean proxy;
  const gchar *refusal; /* the proxy's, or NULL */
  gboolean plain;       /* answers plain HTTP instead of TLS */
  gboolean hang_up;     /* closes in the handshake */
  gchar *connect;       /* head of the CONNECT */
  gchar *head;
  gchar *protocol; /* negotiated by ALPN */
  gboolean body_is_whole;
} Server;

static void
server_clear (Server *server)
{
  g_clear_object (&server->certificate);
  g_clear_pointer (&server->connect, g_free);
  g_clear_pointer (&server->head, g_free);
  g_clear_pointer (&server->protocol, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Server, server_clear)

static GIOStream *
shake_hands (Server *server, GIOStream *stream)
{
  /* A server that would rather speak HTTP/2. */
  static const gchar *const protocols[] = {"h2", "http/1.1", NULL};
  g_autoptr (GIOStream) tls =
      g_tls_server_connection_new (stream, server->certificate, NULL);

  g_tls_connection_set_advertised_protocols (G_TLS_CONNECTION (tls), protocols);
  if (!g_tls_connection_handshake (G_TLS_CONNECTION (tls), NULL, NULL))
    return NULL;
  g_free (server->protocol);
  server->protocol = g_strdup (
      g_tls_connection_get_negotiated_protocol (G_TLS_CONNECTION (tls)));
  return g_steal_pointer (&tls);
}

static gboolean
serve_proxy (Server *server, GIOStream *stream)
{
  g_free (server->connect);
  server->connect = test_raw_read_head (stream);
  if (!server->connect)
    return FALSE;
  test_raw_write (
      stream, server->refusal ? server->refusal : "HTTP/1.1 200 OK\r\n\r\n");
  return server->refusal == NULL;
}

static void
serve (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  Server *server = data;
  g_autoptr (GIOStream) tls = NULL;

  if (server->proxy && !serve_proxy (server, stream))
    return;
  if (server->plain)
    test_raw_write (stream, "HTTP/1.1 400 Bad Request\r\n\r\n");
  if (server->plain || server->hang_up)
    return;
  tls = shake_hands (server, stream);
  while (tls) {
    g_autofree gchar *head = NULL;
    g_autoptr (GBytes) body = NULL;

    if (!test_raw_read_request (tls, &head, &body) || !body)
      return;
    g_free (server->head);
    server->head = g_steal_pointer (&head);
    server->body_is_whole = test_body_is (body, 100000);
    if (!test_raw_write (tls, OK_EMPTY))
      return;
  }
}

/* A PUT to https://@host of @server, with @ca to be trusted. */
static gboolean
put_to (Server *server, const gchar *host, const gchar *ca,
    const gchar *proxy_userinfo, GError **error)
{
  g_autoptr (TestRaw) raw = test_raw_new (serve, server);
  g_autofree gchar *uri = server->proxy
      ? g_strdup_printf ("https://%s:4443", host)
      : g_strdup_printf ("https://%s:%u", host, test_raw_port (raw));
  g_autofree gchar *proxy = g_strdup_printf ("http://%s%s127.0.0.1:%u",
      proxy_userinfo ? proxy_userinfo : "", proxy_userinfo ? "@" : "",
      test_raw_port (raw));
  VodHttpSettings settings = {.user_agent = "vodtest",
      .tls_ca_file = ca,
      .timeout = 5,
      .proxy = server->proxy ? proxy : NULL,
      .indirect = test_indirect ()};
  g_autoptr (VodHttp) http = vod_http_new (&settings, error);

  /* Twice, to see the connection used again. */
  for (guint i = 0; http && i < 2; i++) {
    g_auto (VodHttpAnswer) answer = {0};

    if (!test_put (http, uri, 100000, NULL, &answer, error))
      return FALSE;
    g_assert_cmpuint (answer.status, ==, 200);
    g_assert_cmpuint (test_raw_accepted (raw), ==, 1);
  }
  return http != NULL;
}

static void
test_trusted_by_tls_ca_file (void)
{
  g_autoptr (TestCerts) certs = test_certs_new ();
  g_auto (Server)
      server = {test_certs_issue (certs, "IP:127.0.0.1,DNS:localhost", 3600)};
  g_autoptr (GError) error = NULL;

  put_to (&server, "localhost", certs->ca_file, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (server.body_is_whole);
  g_assert_true ((test_body_largest_piece () > 16 * 1024) != test_indirect ());
  put_to (&server, "127.0.0.1", certs->ca_file, NULL, &error);
  g_assert_no_error (error);
}

static void
test_http_2_is_not_taken (void)
{
  g_autoptr (TestCerts) certs = test_certs_new ();
  g_auto (Server) server = {test_certs_issue (certs, "DNS:localhost", 3600)};
  g_autoptr (GError) error = NULL;

  put_to (&server, "localhost", certs->ca_file, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (server.protocol, ==, "http/1.1");
  g_assert_true (g_str_has_prefix (server.head, "PUT /k HTTP/1.1\r\n"));
}

static void
test_relative_tls_ca_file (void)
{
  g_autoptr (TestCerts) certs = test_certs_new ();
  g_auto (Server) server = {test_certs_issue (certs, "DNS:localhost", 3600)};
  g_autofree gchar *here = g_get_current_dir ();
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_chdir (certs->directory), ==, 0);
  put_to (&server, "localhost", "ca.pem", NULL, &error);
  g_assert_cmpint (g_chdir (here), ==, 0);
  g_assert_no_error (error);
}

static void
expect_tls_failure (Server *server, const gchar *ca, const gchar *text)
{
  g_autoptr (GError) error = NULL;

  test_expect_failure (
      put_to (server, "localhost", ca, NULL, &error), error, VOD_ERROR_TLS);
  g_assert_nonnull (strstr (error->message, text));
  g_assert_nonnull (strstr (error->message, "localhost"));
  g_assert_null (server->head);
}

static void
test_unknown_authority (void)
{
  g_autoptr (TestCerts) certs = test_certs_new ();
  g_autoptr (TestCerts) others = test_certs_new ();
  g_auto (Server) server = {test_certs_issue (certs, "DNS:localhost", 3600)};

  expect_tls_failure (&server, NULL, "tls-ca-file");
  expect_tls_failure (&server, others->ca_file, "tls-ca-file");
}

static void
test_certificate_of_another_host (void)
{
  g_autoptr (TestCerts) certs = test_certs_new ();
  g_auto (Server)
      server = {test_certs_issue (certs, "DNS:example.com,IP:127.0.0.2", 3600)};

  expect_tls_failure (&server, certs->ca_file, "another host");
}

static void
test_expired_certificate (void)
{
  g_autoptr (TestCerts) certs = test_certs_new ();
  g_auto (Server) server = {test_certs_issue (certs, "DNS:localhost", -1800)};

  expect_tls_failure (&server, certs->ca_file, "expired");
}

static void
test_no_tls_at_all (void)
{
  g_autoptr (TestCerts) certs = test_certs_new ();
  g_auto (Server)
      plain = {test_certs_issue (certs, "DNS:localhost", 3600), .plain = TRUE};
  g_auto (Server) hangs_up = {
      test_certs_issue (certs, "DNS:localhost", 3600), .hang_up = TRUE};
  g_autoptr (GError) first = NULL, second = NULL;

  test_expect_failure (
      put_to (&plain, "localhost", certs->ca_file, NULL, &first), first,
      VOD_ERROR_TLS);
  /* Happens to good servers too, and is worth another try. */
  test_expect_failure (
      put_to (&hangs_up, "localhost", certs->ca_file, NULL, &second), second,
      VOD_ERROR_NETWORK);
}

/* --- proxies --- */

static void
test_https_through_proxy (void)
{
  g_autoptr (TestCerts) certs = test_certs_new ();
  g_auto (Server) server = {
      test_certs_issue (certs, "DNS:cloud.test", 3600), .proxy = TRUE};
  g_autoptr (GError) error = NULL;
  g_autofree gchar *outside = NULL, *inside = NULL;

  put_to (&server, "cloud.test", certs->ca_file, USERINFO, &error);
  g_assert_no_error (error);
  g_assert_true (server.body_is_whole);
  g_assert_cmpstr (server.protocol, ==, "http/1.1");
  g_assert_true (
      g_str_has_prefix (server.connect, "CONNECT cloud.test:4443 HTTP/1.1"));
  outside = test_raw_header (server.connect, "Proxy-Authorization");
  g_assert_cmpstr (outside, ==, BASIC);
  inside = test_raw_header (server.head, "Proxy-Authorization");
  g_assert_null (inside);
  g_assert_null (strstr (server.head, "secret"));
}

static void
test_certificate_behind_proxy_is_checked (void)
{
  g_autoptr (TestCerts) certs = test_certs_new ();
  g_auto (Server) server = {
      test_certs_issue (certs, "DNS:other.test", 3600), .proxy = TRUE};
  g_autoptr (GError) error = NULL;

  test_expect_failure (
      put_to (&server, "cloud.test", certs->ca_file, USERINFO, &error), error,
      VOD_ERROR_TLS);
  g_assert_nonnull (strstr (error->message, "another host"));
}

static void
test_proxy_that_refuses (void)
{
  g_autoptr (TestCerts) certs = test_certs_new ();
  g_auto (Server)
      server = {test_certs_issue (certs, "DNS:cloud.test", 3600), .proxy = TRUE,
          .refusal = "HTTP/1.1 407 Proxy Authentication Required\r\n"
                     "Proxy-Authenticate: Basic realm=\"x\"\r\n"
                     "Content-Length: 0\r\n\r\n"};
  g_autoptr (GError) error = NULL;

  test_expect_failure (
      put_to (&server, "cloud.test", certs->ca_file, USERINFO, &error), error,
      VOD_ERROR_NETWORK);
  g_assert_nonnull (strstr (error->message, "407"));
  g_assert_nonnull (strstr (error->message, "proxy"));
}

/* A proxy for http: it answers itself. */
static void
serve_http_proxy (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  Server *server = data;

  for (;;) {
    g_autofree gchar *head = NULL;

    if (!test_raw_read_request (stream, &head, NULL))
      return;
    g_free (server->head);
    server->head = g_steal_pointer (&head);
    if (!test_raw_write (stream, OK_EMPTY))
      return;
  }
}

static void
get_through (const gchar *proxy, const gchar *uri, GError **error)
{
  VodHttpSettings settings = {
      .user_agent = "vodtest", .timeout = 5, .proxy = proxy};
  g_autoptr (VodHttp) http = vod_http_new (&settings, error);
  g_auto (VodHttpAnswer) answer = {0};

  if (http && test_get (http, uri, &answer, error))
    g_assert_cmpuint (answer.status, ==, 200);
}

static void
test_http_through_proxy (void)
{
  g_auto (Server) server = {NULL};
  g_autoptr (GError) error = NULL;
  g_autofree gchar *authorization = NULL, *host = NULL;

  {
    g_autoptr (TestRaw) raw = test_raw_new (serve_http_proxy, &server);
    g_autofree gchar *proxy = g_strdup_printf (
        "http://%s@127.0.0.1:%u", USERINFO, test_raw_port (raw));

    get_through (proxy, "http://cloud.test", &error);
    g_assert_no_error (error);
  }
  g_assert_true (
      g_str_has_prefix (server.head, "GET http://cloud.test/ HTTP/1.1\r\n"));
  authorization = test_raw_header (server.head, "Proxy-Authorization");
  g_assert_cmpstr (authorization, ==, BASIC);
  host = test_raw_header (server.head, "Host");
  g_assert_cmpstr (host, ==, "cloud.test");
}

static void
test_proxy_from_the_environment (void)
{
  g_auto (Server) server = {NULL};
  g_autoptr (GError) error = NULL;
  g_autoptr (TestRaw) raw = test_raw_new (serve_http_proxy, &server);
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autofree gchar *proxy =
      g_strdup_printf ("%s@127.0.0.1:%u", USERINFO, test_raw_port (raw));
  const TestRequest *direct;

  g_setenv ("http_proxy", proxy, TRUE);
  g_setenv ("no_proxy", "example.com, 127.0.0.1", TRUE);
  get_through (NULL, "http://cloud.test", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (test_raw_accepted (raw), ==, 1);
  /* Not for this one, which must not get to see the proxy's password. */
  test_soup_answer (soup, 200, NULL, NULL);
  get_through (NULL, test_soup_uri (soup), &error);
  g_assert_no_error (error);
  direct = test_soup_request (soup, 0);
  g_assert_cmpstr (direct->target, ==, "/");
  g_assert_null (test_request_header (direct, "proxy-authorization"));
  g_setenv ("no_proxy", "*", TRUE);
  test_soup_answer (soup, 200, NULL, NULL);
  get_through (NULL, test_soup_uri (soup), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (test_raw_accepted (raw), ==, 1);
  g_unsetenv ("http_proxy");
  g_unsetenv ("no_proxy");
}

static void
test_proxy_that_is_not_there (void)
{
  g_autofree gchar *proxy = NULL;
  g_autoptr (GError) error = NULL, named = NULL;

  {
    g_autoptr (TestRaw) raw = test_raw_new (serve_http_proxy, NULL);

    proxy = g_strdup_printf (
        "http://%s@127.0.0.1:%u", USERINFO, test_raw_port (raw));
  }
  get_through (proxy, "http://cloud.test", &error);
  test_expect_failure (FALSE, error, VOD_ERROR_NETWORK);
  g_assert_null (strstr (error->message, "us%40er"));
  get_through ("http://" USERINFO "@nonexistent.invalid:8080",
      "http://cloud.test", &named);
  test_expect_failure (FALSE, named, VOD_ERROR_NETWORK);
  g_assert_null (strstr (named->message, "us%40er"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/http/tls/trusted-by-tls-ca-file", test_trusted_by_tls_ca_file);
  g_test_add_func ("/http/tls/http-2-is-not-taken", test_http_2_is_not_taken);
  g_test_add_func ("/http/tls/relative-tls-ca-file", test_relative_tls_ca_file);
  g_test_add_func ("/http/tls/unknown-authority", test_unknown_authority);
  g_test_add_func ("/http/tls/certificate-of-another-host",
      test_certificate_of_another_host);
  g_test_add_func ("/http/tls/expired-certificate", test_expired_certificate);
  g_test_add_func ("/http/tls/no-tls-at-all", test_no_tls_at_all);
  g_test_add_func ("/http/proxy/https-through-proxy", test_https_through_proxy);
  g_test_add_func ("/http/proxy/certificate-behind-proxy-is-checked",
      test_certificate_behind_proxy_is_checked);
  g_test_add_func ("/http/proxy/proxy-that-refuses", test_proxy_that_refuses);
  g_test_add_func ("/http/proxy/http-through-proxy", test_http_through_proxy);
  g_test_add_func ("/http/proxy/proxy-from-the-environment",
      test_proxy_from_the_environment);
  g_test_add_func (
      "/http/proxy/proxy-that-is-not-there", test_proxy_that_is_not_there);
  return g_test_run ();
}

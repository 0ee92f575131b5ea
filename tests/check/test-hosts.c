/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhosts: which of the hosts that the service names are used.
 */
#include "upload/vodhosts.h"

#define DEFAULT "https://vod2.qcloud.com"

static VodUploadSettings
settings_of (const gchar *endpoint)
{
  return (VodUploadSettings){
      .endpoint = (gchar *)endpoint,
      .endpoint_is_default = g_strcmp0 (endpoint, DEFAULT) == 0,
      .forward = TRUE,
  };
}

/* A private endpoint never leads to a public host; a public name never to what
 * listens on this machine. */
static void
test_rule (void)
{
  static const struct {
    const gchar *endpoint, *host;
    gboolean may;
  } table[] = {
      {DEFAULT, "acc.example.com", TRUE},
      {DEFAULT, "acc.example.com:8443", TRUE},
      {"http://127.0.0.1:8080", "127.0.0.1:8081", TRUE},
      {"http://127.0.0.1:8080", "localhost", TRUE},
      {"http://127.0.0.1", "acc.localhost:1", TRUE},
      {"http://[::1]:8080", "127.9.9.9", TRUE},
      {"https://localhost", "localhost:443", TRUE},
      {"https://LOCALHOST", "a.localhost", TRUE},
      {"http://emulator.localhost:80", "127.0.0.1", TRUE},
      {"http://127.0.0.1:8080", "acc.example.com", FALSE},
      {"http://127.0.0.1:8080", "vod2.qcloud.com", FALSE},
      {"http://127.0.0.1:8080", "10.0.0.1", FALSE},
      {"http://127.0.0.1:8080", "127.0.0.1.example.com", FALSE},
      {"http://127.0.0.1:8080", "localhost.example.com", FALSE},
      {"http://127.0.0.1:8080", "notlocalhost", FALSE},
      {"https://vod.corp", "acc.example.com", FALSE},
      {"https://vod.corp", "vod.corp", FALSE},
      {"https://vod.corp", "localhost", FALSE},
      {"https://10.0.0.1", "127.0.0.1", FALSE},
      {"https://10.0.0.1", "10.0.0.1", FALSE},
      {"https://localhost.example.com", "localhost", FALSE},
      {"https://127.0.0.1.example.com", "127.0.0.1", FALSE},
      {"https://vod2.dnsv1.com", "acc.example.com", FALSE},
      {"http://vod2.qcloud.com", "acc.example.com", FALSE},
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    VodUploadSettings settings = settings_of (table[i].endpoint);

    g_test_message ("%s, %s", table[i].endpoint, table[i].host);
    g_assert_cmpint (
        vod_hosts_may_use (&settings, table[i].host), ==, table[i].may);
  }
}

static void
test_any_at_all (void)
{
  static const struct {
    const gchar *endpoint;
    gboolean may;
  } table[] = {
      {DEFAULT, TRUE},
      {"http://127.0.0.1:8080", TRUE},
      {"http://[::1]", TRUE},
      {"https://vod.corp", FALSE},
      {"https://10.0.0.1", FALSE},
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    VodUploadSettings settings = settings_of (table[i].endpoint);

    g_assert_cmpint (vod_hosts_may_use (&settings, NULL), ==, table[i].may);
  }
}

static void
test_uris (void)
{
  static const gchar *const table[][3] = {
      {DEFAULT, "a.com", "https://a.com"},
      {"http://127.0.0.1:8080", "a.localhost:1", "http://a.localhost:1"},
      {"HTTP://127.0.0.1:8080", "a.localhost", "http://a.localhost"},
      {"https://localhost:8080", "a.localhost", "https://a.localhost"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    VodUploadSettings settings = settings_of (table[i][0]);
    g_autofree gchar *uri = vod_hosts_uri (&settings, table[i][1]);

    g_assert_cmpstr (uri, ==, table[i][2]);
  }
}

static void
expect_accelerated (const VodUploadSettings *settings, const gchar *accelerate,
    const gchar *domain, const gchar *expected)
{
  VodApiApplied applied = {
      .accelerate_host = (gchar *)accelerate,
      .upload_domain = (gchar *)domain,
  };

  g_assert_cmpstr (vod_hosts_accelerated (settings, &applied), ==, expected);
}

static void
test_accelerated (void)
{
  VodUploadSettings settings = settings_of (DEFAULT);

  expect_accelerated (&settings, NULL, NULL, NULL);
  expect_accelerated (&settings, "acc.com", "up.com", "acc.com");
  expect_accelerated (&settings, NULL, "up.com", NULL);
  /* It is the endpoint anyway. */
  expect_accelerated (&settings, "vod2.qcloud.com", NULL, NULL);
  expect_accelerated (
      &settings, "vod2.qcloud.com:8443", NULL, "vod2.qcloud.com:8443");

  settings.forward = FALSE;
  expect_accelerated (&settings, "acc.com", "up.com", "up.com");
  expect_accelerated (&settings, "acc.com", NULL, NULL);
  settings.storage_endpoint = (gchar *)"https://storage.corp";
  expect_accelerated (&settings, "acc.com", "up.com", NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hosts/rule", test_rule);
  g_test_add_func ("/hosts/any-at-all", test_any_at_all);
  g_test_add_func ("/hosts/uris", test_uris);
  g_test_add_func ("/hosts/accelerated", test_accelerated);
  return g_test_run ();
}

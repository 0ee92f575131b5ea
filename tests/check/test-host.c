/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhost: what is a host's name, and which of them are this machine.
 */
#include "vodhost.h"

#include <string.h>

static void
test_names (void)
{
  static const gchar *const good[] = {"a", "a.b", "vod2.qcloud.com", "a-b.c-d",
      "127.0.0.1", "localhost:8080", "acc.localhost:1", "a:65535", "A.b:80",
      "xn--bcher-kva.example"};
  static const gchar *const bad[] = {"", ":", ":80", "a:", "a:0", "a:080",
      "a:65536", "a:99999999999999999999", "a:-1", "a:+1", "a: 1", "a:1 ",
      "a:1x", "a:1:2", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a_b",
      "a b", "a/b", "a@b", "a?b", "a#b", "a%41", "http://a", "[::1]", "::1",
      "a\n", "a\r\nb", "b\303\274cher.example", "a*"};
  g_autofree gchar *label = g_strnfill (63, 'x'),
                   *longer = g_strnfill (64, 'x');
  GString *name = g_string_new ("a");

  for (guint i = 0; i < G_N_ELEMENTS (good); i++) {
    g_test_message ("%s", good[i]);
    g_assert_true (vod_host_check (good[i]));
  }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_test_message ("%s", bad[i]);
    g_assert_false (vod_host_check (bad[i]));
  }
  g_assert_true (vod_host_check (label));
  g_assert_false (vod_host_check (longer));
  while (name->len < 253)
    g_string_append (name, ".a");
  g_assert_true (vod_host_check (name->str));
  g_string_append (name, ":443");
  g_assert_true (vod_host_check (name->str));
  g_string_prepend (name, "bb");
  g_assert_false (vod_host_check (name->str));
  g_string_free (name, TRUE);
}

static void
test_labels (void)
{
  g_assert_true (vod_host_is_label ("ap-shanghai", 60));
  g_assert_true (vod_host_is_label ("abc", 3));
  g_assert_false (vod_host_is_label ("abcd", 3));
  g_assert_false (vod_host_is_label ("", 3));
  g_assert_false (vod_host_is_label ("a.b", 3));
  g_assert_false (vod_host_is_label ("-a", 3));
  g_assert_false (vod_host_is_label ("a-", 3));
}

static void
test_this_machine (void)
{
  static const gchar *const here[] = {"localhost", "LocalHost", "a.localhost",
      "a.b.LOCALHOST", "127.0.0.1", "127.255.255.254", "::1",
      "0:0:0:0:0:0:0:1"};
  static const gchar *const there[] = {"", "localhost.", "localhost.com",
      "notlocalhost", "127.0.0.1.example.com", "127.0.0.1.localhost.com",
      ".localhost", "a..localhost", "a@b.localhost", "126.0.0.1", "128.0.0.1",
      "10.0.0.1", "127.1", "0x7f.0.0.1", "2130706433", "0.0.0.0",
      "::", "::ffff:127.0.0.1", "[::1]", "127.0.0.1:80", "vod2.qcloud.com"};

  for (guint i = 0; i < G_N_ELEMENTS (here); i++) {
    g_test_message ("%s", here[i]);
    g_assert_true (vod_host_is_loopback (here[i]));
  }
  for (guint i = 0; i < G_N_ELEMENTS (there); i++) {
    g_test_message ("%s", there[i]);
    g_assert_false (vod_host_is_loopback (there[i]));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/host/names", test_names);
  g_test_add_func ("/host/labels", test_labels);
  g_test_add_func ("/host/this-machine", test_this_machine);
  return g_test_run ();
}

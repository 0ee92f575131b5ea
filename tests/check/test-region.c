/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodregion against the emulator: which region is found, that it is found once,
 * and that nothing keeps an upload waiting for longer than promised.
 */
#include "upload/vodregion.h"

#include "emulator.h"
#include "testclient.h"
#include "teststopwatch.h"

#define MS G_GINT64_CONSTANT (1000)

typedef struct {
  VodUploadSettings settings;
  gint signatures; /* that were asked for */
  GCancellable *cancellable;
  GError *error;
} Seeker;

static Seeker
seeker_of (const gchar *endpoint)
{
  return (Seeker){
      .settings = {.endpoint = (gchar *)endpoint,
          .user_agent = (gchar *)"test",
          .nearest_region = TRUE,
          .region_again = 60000},
      .cancellable = g_cancellable_new (),
  };
}

static void
seeker_clear (Seeker *seeker)
{
  g_clear_error (&seeker->error);
  g_clear_object (&seeker->cancellable);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Seeker, seeker_clear)

static gchar *
sign_once (gpointer data, GError **error)
{
  Seeker *seeker = data;

  g_atomic_int_inc (&seeker->signatures);
  return emulator_signature (TRUE);
}

static gchar *
seek (Seeker *seeker)
{
  g_clear_error (&seeker->error);
  return vod_region_find (&seeker->settings, sign_once, seeker,
      seeker->cancellable, NULL, &seeker->error);
}

static void
expect_region (Seeker *seeker, const gchar *expected)
{
  g_autofree gchar *region = seek (seeker);

  g_assert_no_error (seeker->error);
  g_assert_cmpstr (region, ==, expected);
  g_assert_true (test_no_threads ("vod-race"));
}

static void
expect_none (Seeker *seeker, gint code, const gchar *because)
{
  g_assert_null (seek (seeker));
  g_assert_error (seeker->error, VOD_ERROR, code);
  g_test_message ("%s", seeker->error->message);
  g_assert_nonnull (strstr (seeker->error->message, because));
  g_assert_true (test_no_threads ("vod-race"));
}

static void
expect_time (TestStopwatch *watch, guint from, guint to)
{
  g_assert_cmpint (test_stopwatch_all_ms (watch), >=, from);
  g_assert_cmpint (test_stopwatch_ms (watch), <, to);
}

/* The service offers these, "region host …", all of them the emulator. */
static void
offer (Emulator *emulator, const gchar *list)
{
  g_auto (GStrv) words = g_strsplit (list, " ", -1);
  const gchar *port = strrchr (emulator_uri (emulator), ':') + 1;
  GString *json = g_string_new (
      "{\"op\":\"PrepareUploadUGC\",\"data\":{\"cosRegionList\":[");

  for (guint i = 0; words[i] && words[i + 1]; i += 2)
    g_string_append_printf (json, "%s{\"region\":\"%s\",\"domain\":\"%s%s%s\"}",
        i ? "," : "", words[i], words[i + 1],
        strchr (words[i + 1], ':') ? "" : ":",
        strchr (words[i + 1], ':') ? "" : port);
  g_string_append (json, "]}}");
  emulator_add_faults (emulator, json->str);
  g_string_free (json, TRUE);
}

/* --- who is first ---------------------------------------------------------*/

static void
test_the_fastest_is_found (void)
{
  static const gchar *const names[] = {"a", "b", "c"};

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autoptr (Emulator) emulator = emulator_new (NULL);
    g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));

    offer (emulator, "ap-a a.localhost ap-b b.localhost ap-c c.localhost");
    for (guint k = 0; k < G_N_ELEMENTS (names); k++) {
      g_autofree gchar *fault = g_strdup_printf (
          "{\"op\":\"HeadBucket\",\"host\":\"%s.localhost\",\"delay\":%u}",
          names[k], k == i ? 1 : 1000);

      emulator_add_faults (emulator, fault);
    }
    expect_region (&seeker, i == 0 ? "ap-a" : i == 1 ? "ap-b" : "ap-c");
    g_assert_cmpint (seeker.signatures, ==, 1);
    g_assert_cmpuint (
        emulator_count (emulator, "PrepareUploadUGC", 200), ==, 1);
  }
}

/* As the emulator is; and the requests show nothing of the upload. */
static void
test_any_of_three (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));
  g_autofree gchar *region = seek (&seeker);

  g_assert_no_error (seeker.error);
  g_assert_true (g_str_has_prefix (region, "ap-"));
  g_assert_true (emulator_wait_count (emulator, "HeadBucket", 403, 1));
  g_assert_cmpuint (emulator_n_sessions (emulator), ==, 0);
}

/* Whatever it says: it is there. */
static void
test_any_answer_counts (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));

  offer (emulator, "ap-a a.localhost ap-b b.localhost");
  emulator_add_faults (emulator,
      "[{\"op\":\"HeadBucket\",\"host\":\"a.\",\"drop\":true},"
      "{\"op\":\"HeadBucket\",\"host\":\"b.\",\"status\":503,\"delay\":100}]");
  expect_region (&seeker, "ap-b");
}

/* --- no choice ------------------------------------------------------------*/

static void
test_fewer_than_two (void)
{
  static const gchar *const lists[] = {"", "ap-a a.localhost"};

  for (guint i = 0; i < G_N_ELEMENTS (lists); i++) {
    g_autoptr (Emulator) emulator = emulator_new (NULL);
    g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));

    offer (emulator, lists[i]);
    expect_none (&seeker, VOD_ERROR_PROTOCOL, "no choice");
    g_assert_cmpuint (emulator_count (emulator, "HeadBucket", -1), ==, 0);
  }
}

/* On this machine only those on this machine are asked. */
static void
test_public_hosts_are_not_asked (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));

  offer (emulator, "ap-a a.localhost ap-b cos.example.com:80");
  expect_none (&seeker, VOD_ERROR_PROTOCOL, "endpoint of your own");
  g_assert_cmpuint (emulator_count (emulator, "HeadBucket", -1), ==, 0);
}

static void
test_a_private_endpoint_is_not_even_asked (void)
{
  g_auto (Seeker) seeker = seeker_of ("http://vod.invalid");
  g_autoptr (TestStopwatch) watch = test_stopwatch_new ();

  expect_none (&seeker, VOD_ERROR_PARAMETER, "endpoint of your own");
  g_assert_cmpint (seeker.signatures, ==, 0);
  expect_time (watch, 0, 100);
}

/* Only so many threads. */
static void
test_sixteen_are_asked (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));
  GString *list = g_string_new (NULL);

  for (guint i = 0; i < 20; i++)
    g_string_append_printf (list, "%sr%u h%u.localhost", i ? " " : "", i, i);
  offer (emulator, list->str);
  g_string_free (list, TRUE);
  emulator_add_faults (emulator, "{\"op\":\"HeadBucket\",\"drop\":true}");
  expect_none (&seeker, VOD_ERROR_NETWORK, "16 regions");
}

/* --- failures -------------------------------------------------------------*/

static void
test_prepare_is_refused (void)
{
  static const struct {
    const gchar *fault;
    gint code;
    const gchar *because;
  } table[] = {
      {"\"status\":503", VOD_ERROR_HTTP, "503"},
      {"\"json\":{\"code\":10004,\"message\":\"no\"}", VOD_ERROR_SERVICE,
          "10004"},
      {"\"garbage\":\"json\"", VOD_ERROR_PROTOCOL, "not a JSON object"},
      {"\"garbage\":\"html\"", VOD_ERROR_PROTOCOL, "not a JSON object"},
      {"\"garbage\":\"types\"", VOD_ERROR_PROTOCOL, "no choice"},
      {"\"drop\":true", VOD_ERROR_NETWORK, "127.0.0.1"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    g_autoptr (Emulator) emulator = emulator_new (NULL);
    g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));
    g_autofree gchar *fault =
        g_strdup_printf ("{\"op\":\"PrepareUploadUGC\",%s}", table[i].fault);

    emulator_add_faults (emulator, fault);
    expect_none (&seeker, table[i].code, table[i].because);
  }
}

static void
test_prepare_stalls (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));
  g_autoptr (TestStopwatch) watch = test_stopwatch_new ();

  emulator_add_faults (
      emulator, "{\"op\":\"PrepareUploadUGC\",\"stall\":true}");
  expect_none (&seeker, VOD_ERROR_NETWORK, "5 s");
  expect_time (watch, 4900, 6000);
}

/* No socket waits for long. */
static void
test_prepare_trickles (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));
  g_autoptr (TestStopwatch) watch = test_stopwatch_new ();

  emulator_add_faults (
      emulator, "{\"op\":\"PrepareUploadUGC\",\"trickle\":500}");
  expect_none (&seeker, VOD_ERROR_NETWORK, "5 s");
  expect_time (watch, 4900, 6000);
}

static void
test_nobody_answers (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));
  g_autoptr (TestStopwatch) watch = test_stopwatch_new ();

  emulator_add_faults (emulator, "{\"op\":\"HeadBucket\",\"stall\":true}");
  expect_none (&seeker, VOD_ERROR_NETWORK, "3 regions");
  expect_time (watch, 2900, 4000);
}

static gchar *
sign_never (gpointer data, GError **error)
{
  vod_error_set (error, VOD_ERROR_SIGNATURE, "there is none");
  return NULL;
}

static void
test_no_signature (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));

  g_assert_null (vod_region_find (
      &seeker.settings, sign_never, NULL, NULL, NULL, &seeker.error));
  g_assert_error (seeker.error, VOD_ERROR, VOD_ERROR_SIGNATURE);
  g_assert_cmpuint (emulator_count (emulator, "PrepareUploadUGC", -1), ==, 0);
  /* That says nothing about who has one. */
  offer (emulator, "ap-a a.localhost ap-a b.localhost");
  expect_region (&seeker, "ap-a");
}

static gchar *
sign_unreachable (gpointer data, GError **error)
{
  Seeker *seeker = data;

  g_atomic_int_inc (&seeker->signatures);
  vod_error_set (error, VOD_ERROR_NETWORK, "signature-url: no answer");
  return NULL;
}

/* The next one shall not wait for the same silence. */
static void
test_nobody_signs (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));

  seeker.settings.region_again = 500;
  g_assert_null (vod_region_find (
      &seeker.settings, sign_unreachable, &seeker, NULL, NULL, &seeker.error));
  g_assert_error (seeker.error, VOD_ERROR, VOD_ERROR_NETWORK);
  g_assert_cmpint (seeker.signatures, ==, 1);
  offer (emulator, "ap-a a.localhost ap-a b.localhost");
  expect_none (&seeker, VOD_ERROR_NETWORK, "a short while ago");
  g_assert_cmpint (seeker.signatures, ==, 1);
  g_usleep (520 * MS);
  expect_region (&seeker, "ap-a");
  g_assert_cmpint (seeker.signatures, ==, 2);
}

static void
test_authority_is_not_readable (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));

  seeker.settings.tls_ca_file = (gchar *)"/does/not/exist.pem";
  expect_none (&seeker, VOD_ERROR_PARAMETER, "tls-ca-file");
}

static void
test_tls (void)
{
  g_autoptr (Emulator) emulator = emulator_new ("--tls", NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));
  g_autofree gchar *region = NULL;

  seeker.settings.tls_ca_file = (gchar *)emulator_ca_file (emulator);
  /* There is no certificate for the first. */
  offer (emulator, "ap-a a.localhost ap-b localhost");
  /* GnuTLS reads all authorities of the machine for each connection: a busy one
   * may need more for that than the three seconds of a race. */
  seeker.settings.region_time = 60;
  region = seek (&seeker);
  g_assert_cmpstr (region, ==, "ap-b");
  g_assert_true (test_no_threads ("vod-race"));
}

/* --- cancelling -----------------------------------------------------------*/

static void
test_cancelled_while (gconstpointer data)
{
  const gchar *op = data;
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));
  g_autofree gchar *fault =
      g_strdup_printf ("{\"op\":\"%s\",\"stall\":true}", op);
  TestCanceller *canceller;

  emulator_add_faults (emulator, fault);
  canceller = test_canceller_new (seeker.cancellable, 300);
  expect_none (&seeker, VOD_ERROR_CANCELLED, "cancelled");
  g_assert_cmpint (test_canceller_free (canceller), <, 100);
  g_assert_cmpuint (emulator_hits (emulator), >=, 1);

  /* It was no answer to the question. */
  emulator_clear_faults (emulator);
  offer (emulator, "ap-a a.localhost ap-a b.localhost");
  g_clear_object (&seeker.cancellable);
  seeker.cancellable = g_cancellable_new ();
  expect_region (&seeker, "ap-a");
}

/* --- what is known --------------------------------------------------------*/

static void
test_found_once (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));
  g_auto (Seeker) another = seeker_of (emulator_uri (emulator));

  offer (emulator, "ap-a a.localhost ap-a b.localhost");
  expect_region (&seeker, "ap-a");
  emulator_clear_faults (emulator);
  emulator_add_faults (
      emulator, "{\"op\":\"PrepareUploadUGC\",\"status\":500}");
  expect_region (&another, "ap-a");
  g_assert_cmpint (another.signatures, ==, 0);
  g_assert_cmpuint (emulator_count (emulator, "PrepareUploadUGC", -1), ==, 1);
}

static void
test_endpoints_differ (void)
{
  g_autoptr (Emulator) here = emulator_new (NULL);
  g_autoptr (Emulator) there = emulator_new (NULL);
  g_auto (Seeker) one = seeker_of (emulator_uri (here));
  g_auto (Seeker) other = seeker_of (emulator_uri (there));

  offer (here, "ap-a a.localhost ap-a b.localhost");
  offer (there, "ap-b a.localhost ap-b b.localhost");
  expect_region (&one, "ap-a");
  expect_region (&other, "ap-b");
}

/* In vain: not again for a while; then again. */
static void
test_not_found_for_a_while (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));

  seeker.settings.region_again = 500;
  emulator_add_faults (emulator, "{\"op\":\"HeadBucket\",\"drop\":true}");
  expect_none (&seeker, VOD_ERROR_NETWORK, "3 regions");
  emulator_clear_faults (emulator);
  offer (emulator, "ap-a a.localhost ap-a b.localhost");
  expect_none (&seeker, VOD_ERROR_NETWORK, "a short while ago");
  g_assert_cmpint (seeker.signatures, ==, 1);
  g_usleep (520 * MS);
  expect_region (&seeker, "ap-a");
}

/* A signature that is refused costs no time, and another may be good. */
static void
test_refused_is_tried_again (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));

  emulator_add_faults (emulator,
      "{\"op\":\"PrepareUploadUGC\",\"json\":{\"code\":10010,\"message\":\"\"},"
      "\"times\":1}");
  offer (emulator, "ap-a a.localhost ap-a b.localhost");
  expect_none (&seeker, VOD_ERROR_SERVICE, "10010");
  expect_region (&seeker, "ap-a");
}

static void
test_dropped (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) seeker = seeker_of (emulator_uri (emulator));

  offer (emulator, "ap-a a.localhost ap-a b.localhost");
  expect_region (&seeker, "ap-a");
  vod_region_drop (&seeker.settings);
  expect_none (&seeker, VOD_ERROR_NETWORK, "a short while ago");
  g_assert_cmpint (seeker.signatures, ==, 1);
}

/* --- at the same time -----------------------------------------------------*/

static gpointer
seek_aside (gpointer seeker)
{
  return seek (seeker);
}

static void
test_together (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Seeker seekers[8];
  GThread *threads[8];
  gint signatures = 0;

  offer (emulator, "ap-a a.localhost ap-a b.localhost");
  emulator_add_faults (emulator, "{\"op\":\"PrepareUploadUGC\",\"delay\":300}");
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++) {
    seekers[i] = seeker_of (emulator_uri (emulator));
    threads[i] = g_thread_new ("seek", seek_aside, &seekers[i]);
  }
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++) {
    g_autofree gchar *region = g_thread_join (threads[i]);

    g_assert_cmpstr (region, ==, "ap-a");
    signatures += seekers[i].signatures;
    seeker_clear (&seekers[i]);
  }
  g_assert_cmpint (signatures, ==, 1);
  g_assert_cmpuint (emulator_count (emulator, "PrepareUploadUGC", -1), ==, 1);
}

/* Who seeks is stopped: another takes over, and one that waits can be stopped
 * too. */
static void
test_the_one_that_seeks_is_stopped (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_auto (Seeker) first = seeker_of (emulator_uri (emulator));
  g_auto (Seeker) second = seeker_of (emulator_uri (emulator));
  g_auto (Seeker) third = seeker_of (emulator_uri (emulator));
  g_autofree gchar *found = NULL;
  GThread *threads[2];
  TestCanceller *canceller;

  emulator_add_faults (
      emulator, "{\"op\":\"PrepareUploadUGC\",\"stall\":true,\"times\":1}");
  offer (emulator, "ap-a a.localhost ap-a b.localhost");
  threads[0] = g_thread_new ("seek", seek_aside, &first);
  g_assert_true (emulator_wait_hits (emulator, 1));
  threads[1] = g_thread_new ("seek", seek_aside, &second);

  canceller = test_canceller_new (third.cancellable, 100);
  g_assert_null (seek (&third));
  g_assert_error (third.error, VOD_ERROR, VOD_ERROR_CANCELLED);
  g_assert_cmpint (test_canceller_free (canceller), <, 100);
  g_assert_cmpint (third.signatures, ==, 0);

  g_cancellable_cancel (first.cancellable);
  g_assert_null (g_thread_join (threads[0]));
  found = g_thread_join (threads[1]);
  g_assert_cmpstr (found, ==, "ap-a");
  g_assert_cmpint (second.signatures, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/region/fastest", test_the_fastest_is_found);
  g_test_add_func ("/region/any-of-three", test_any_of_three);
  g_test_add_func ("/region/any-answer", test_any_answer_counts);
  g_test_add_func ("/region/fewer-than-two", test_fewer_than_two);
  g_test_add_func ("/region/public-hosts", test_public_hosts_are_not_asked);
  g_test_add_func (
      "/region/private-endpoint", test_a_private_endpoint_is_not_even_asked);
  g_test_add_func ("/region/sixteen", test_sixteen_are_asked);
  g_test_add_func ("/region/prepare-refused", test_prepare_is_refused);
  g_test_add_func ("/region/prepare-stalls", test_prepare_stalls);
  g_test_add_func ("/region/prepare-trickles", test_prepare_trickles);
  g_test_add_func ("/region/nobody-answers", test_nobody_answers);
  g_test_add_func ("/region/no-signature", test_no_signature);
  g_test_add_func ("/region/nobody-signs", test_nobody_signs);
  g_test_add_func ("/region/no-authority", test_authority_is_not_readable);
  g_test_add_func ("/region/tls", test_tls);
  g_test_add_data_func (
      "/region/cancelled-prepare", "PrepareUploadUGC", test_cancelled_while);
  g_test_add_data_func (
      "/region/cancelled-race", "HeadBucket", test_cancelled_while);
  g_test_add_func ("/region/found-once", test_found_once);
  g_test_add_func ("/region/endpoints-differ", test_endpoints_differ);
  g_test_add_func ("/region/not-for-a-while", test_not_found_for_a_while);
  g_test_add_func ("/region/refused-again", test_refused_is_tried_again);
  g_test_add_func ("/region/dropped", test_dropped);
  g_test_add_func ("/region/together", test_together);
  g_test_add_func (
      "/region/stopped-for-others", test_the_one_that_seeks_is_stopped);
  return g_test_run ();
}

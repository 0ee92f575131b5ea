/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One upload, without GStreamer, that wants to be stored in some region, or in
 * the nearest: which one Apply is told, and that the search never does harm.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "testowner.h"
#include "teststopwatch.h"

#define KEY "0123456789abcdef0123456789abcdef"

typedef struct {
  const gchar *region; /* NULL: the nearest */
  const gchar *signature_url;
  const gchar *state_dir;
  const gchar *endpoint, *proxy;
  guint timeout; /* s; 0: as long as it is without a test */
} Wish;

static void
adjust (VodUploadSettings *settings, gpointer data)
{
  const Wish *wish = data;

  settings->region = (gchar *)wish->region;
  settings->nearest_region = wish->region == NULL;
  settings->region_again = 60000;
  settings->signature_url = (gchar *)wish->signature_url;
  settings->proxy = (gchar *)wish->proxy;
  if (wish->timeout)
    settings->timeout = wish->timeout;
  if (wish->endpoint)
    settings->endpoint = (gchar *)wish->endpoint;
  if (wish->state_dir == NULL)
    return;
  settings->resume = TRUE;
  settings->state_dir = (gchar *)wish->state_dir;
  settings->identity = VOD_IDENTITY_EXPLICIT;
  settings->media_key = (gchar *)KEY;
}

static Owner *
owner_with (Emulator *emulator, Wish wish)
{
  return owner_new_adjusted (emulator, adjust, &wish);
}

/* Only @region can be found; of those that the emulator has, unless @region is
 * none. */
static void
offer (Emulator *emulator, const gchar *region)
{
  const gchar *port = strrchr (emulator_uri (emulator), ':') + 1;
  g_autofree gchar *fault = g_strdup_printf (
      "{\"op\":\"PrepareUploadUGC\",\"data\":{\"cosRegionList\":["
      "{\"region\":\"%s\",\"domain\":\"a.localhost:%s\"},"
      "{\"region\":\"%s\",\"domain\":\"b.localhost:%s\"}]}}",
      region, port, region, port);

  emulator_add_faults (emulator, fault);
}

static void
assert_stored_in (Emulator *emulator, guint n, const gchar *region)
{
  g_autofree gchar *stored = emulator_media_text (emulator, n, "region");

  g_assert_cmpstr (stored, ==, region);
}

/* "closing" comes when the stream ends, whatever the workers do. */
static void
assert_story (Owner *owner, const gchar *expected)
{
  g_autofree gchar *story = g_strconcat (" ", owner->story->str, NULL);
  g_auto (GStrv) words = g_strsplit (story, " closing", 2);
  g_autofree gchar *rest = g_strjoinv ("", words);

  g_assert_cmpstr (rest + 1, ==, expected);
}

static guint
prepares (Emulator *emulator)
{
  return emulator_count (emulator, "PrepareUploadUGC", -1);
}

/* --- which one ------------------------------------------------------------*/

static void
test_explicit (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_with (emulator, (Wish){"ap-shanghai"});

  owner_write (owner, 3 * MIB);
  owner_assert_finished (owner, 0);
  assert_stored_in (emulator, 0, "ap-shanghai");
  g_assert_cmpuint (prepares (emulator), ==, 0);
  owner_free (owner);
}

/* It was asked for: nothing else will do. */
static void
test_explicit_is_refused (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_with (emulator, (Wish){"ap-nowhere"});

  owner_write (owner, 1000);
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  g_assert_cmpint (owner->number, ==, 10001);
  g_assert_cmpstr (owner->error_phase, ==, "apply");
  g_assert_cmpuint (emulator_count (emulator, "ApplyUploadUGC", -1), ==, 1);
  owner_free (owner);
}

static void
test_nearest (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_with (emulator, (Wish){NULL});

  offer (emulator, "ap-beijing");
  owner_write (owner, 3 * MIB);
  owner_assert_finished (owner, 0);
  assert_stored_in (emulator, 0, "ap-beijing");
  g_assert_cmpuint (prepares (emulator), ==, 1);
  g_assert_cmpuint (owner->retries, ==, 0);
  assert_story (owner, "opening opened closed finished");
  owner_free (owner);

  /* The next one knows it. */
  emulator_clear_faults (emulator);
  owner = owner_with (emulator, (Wish){NULL});
  owner_write (owner, 1000);
  owner_assert_finished (owner, 1);
  assert_stored_in (emulator, 1, "ap-beijing");
  g_assert_cmpuint (prepares (emulator), ==, 1);
  owner_free (owner);
}

/* Each request has a signature of its own. */
static void
test_signatures_for_one_request (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *url =
      g_strconcat (emulator_uri (emulator), "/signature?oneTimeValid=1", NULL);
  Owner *owner = owner_with (emulator, (Wish){.signature_url = url});

  vod_upload_set_signature (owner->upload, NULL);
  offer (emulator, "ap-beijing");
  owner_write (owner, 1000);
  owner_assert_finished (owner, 0);
  assert_stored_in (emulator, 0, "ap-beijing");
  g_assert_cmpuint (emulator_count (emulator, "signature", 200), ==, 3);
  g_assert_cmpuint (owner->retries, ==, 0);
  owner_free (owner);
}

static void
test_while_paused (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_with (emulator, (Wish){NULL});

  offer (emulator, "ap-beijing");
  vod_upload_set_paused (owner->upload, TRUE);
  owner_write (owner, 1000);
  g_assert_true (
      emulator_wait_count (emulator, "InitiateMultipartUpload", 200, 1));
  g_assert_cmpuint (prepares (emulator), ==, 1);
  vod_upload_set_paused (owner->upload, FALSE);
  owner_assert_finished (owner, 0);
  assert_stored_in (emulator, 0, "ap-beijing");
  owner_free (owner);
}

/* --- in vain --------------------------------------------------------------*/

static const struct {
  const gchar *name;
  const gchar *faults;
} troubles[] = {
    {"refused",
        "{\"op\":\"PrepareUploadUGC\",\"json\":{\"code\":10001,"
        "\"message\":\"no\"}}"},
    {"signature",
        "{\"op\":\"PrepareUploadUGC\",\"json\":{\"code\":10010,"
        "\"message\":\"expired\"}}"},
    {"server", "{\"op\":\"PrepareUploadUGC\",\"status\":500}"},
    {"lost", "{\"op\":\"PrepareUploadUGC\",\"drop\":true}"},
    {"portal", "{\"op\":\"PrepareUploadUGC\",\"garbage\":\"html\"}"},
    {"types", "{\"op\":\"PrepareUploadUGC\",\"garbage\":\"types\"}"},
    {"nobody", "{\"op\":\"HeadBucket\",\"reset\":true,\"drop\":true}"},
    {"firewall", "{\"op\":\"HeadBucket\",\"stall\":true}"},
};

/* Not even with retry-duration=0 is it a failure. */
static void
test_in_vain (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_with (emulator, (Wish){NULL});

  vod_upload_set_retry_duration (owner->upload, 0);
  emulator_add_faults (emulator, troubles[i].faults);
  owner_write (owner, MIB);
  owner_assert_finished (owner, 0);
  assert_stored_in (emulator, 0, "ap-chongqing");
  g_assert_cmpuint (prepares (emulator), ==, 1);
  g_assert_cmpuint (owner->retries, ==, 0);
  assert_story (owner, "opening notice opened closed finished");
  g_assert_cmpuint (emulator_count (emulator, "ApplyUploadUGC", -1), ==, 1);
  owner_free (owner);
}

/* Who is asked for signatures does not answer: nobody but the first upload waits
 * for one that only finds the region. */
static void
test_nobody_signs (gconstpointer data)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *url =
      g_strconcat (emulator_uri (emulator), "/signature", NULL);
  g_autofree gchar *fault =
      g_strdup_printf ("{\"op\":\"signature\",%s}", (const gchar *)data);

  emulator_add_faults (emulator, fault);
  for (guint i = 0; i < 2; i++) {
    Owner *owner =
        owner_with (emulator, (Wish){.signature_url = url, .timeout = 1});

    vod_upload_set_signature (owner->upload, NULL);
    vod_upload_set_retry_duration (owner->upload, 0);
    owner_write (owner, 1000);
    vod_upload_finish (owner->upload);
    g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
    g_assert_cmpstr (owner->error_phase, ==, "signature");
    g_assert_cmpuint (emulator_hits (emulator), ==, 2 + i);
    owner_free (owner);
  }
}

/* It answers, but is not for everybody. */
static void
test_what_was_found_is_refused (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);

  offer (emulator, "ap-nowhere");
  for (guint i = 0; i < 2; i++) {
    Owner *owner = owner_with (emulator, (Wish){NULL});

    vod_upload_set_retry_duration (owner->upload, 0);
    owner_write (owner, 1000);
    owner_assert_finished (owner, i);
    assert_stored_in (emulator, i, "ap-chongqing");
    g_assert_cmpuint (owner->retries, ==, 0);
    assert_story (owner, "opening notice opened closed finished");
    owner_free (owner);
  }
  /* Once was enough. */
  g_assert_cmpuint (prepares (emulator), ==, 1);
  g_assert_cmpuint (emulator_count (emulator, "ApplyUploadUGC", -1), ==, 3);
}

/* It is refused with the region and without: others keep what was found. */
static void
test_refused_either_way (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);

  offer (emulator, "ap-beijing");
  for (guint i = 0; i < 3; i++) {
    Owner *owner = owner_with (emulator, (Wish){NULL});

    if (i == 1)
      emulator_add_faults (emulator,
          "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":10001,"
          "\"message\":\"quota\"},\"times\":2}");
    owner_write (owner, 1000);
    if (i == 1) {
      vod_upload_finish (owner->upload);
      g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
      g_assert_cmpint (owner->number, ==, 10001);
      assert_story (owner, "opening failed");
    } else {
      owner_assert_finished (owner, i / 2);
      assert_stored_in (emulator, i / 2, "ap-beijing");
    }
    owner_free (owner);
  }
  g_assert_cmpuint (prepares (emulator), ==, 1);
  g_assert_cmpuint (emulator_count (emulator, "ApplyUploadUGC", -1), ==, 4);
}

/* A signature that is refused is not the region's fault. */
static void
test_refused_for_another_reason (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_with (emulator, (Wish){NULL});

  offer (emulator, "ap-beijing");
  emulator_add_faults (emulator,
      "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":10004,\"message\":\"\"}}");
  owner_write (owner, 1000);
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  g_assert_cmpint (owner->number, ==, 10004);
  g_assert_cmpuint (emulator_count (emulator, "ApplyUploadUGC", -1), ==, 1);
  owner_free (owner);
}

/* An endpoint of one's own that is not this machine: nobody else is asked, nor
 * it. A proxy that is not there keeps the test on this machine. */
static void
test_private_endpoint (void)
{
  Owner *owner = owner_with (NULL,
      (Wish){
          .endpoint = "http://vod.invalid:1", .proxy = "http://127.0.0.1:1"});

  vod_upload_set_retry_duration (owner->upload, 0);
  owner_write (owner, 1000);
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  assert_story (owner, "opening notice failed");
  owner_free (owner);
}

/* --- stopping and resuming ------------------------------------------------*/

static void
test_stop (gconstpointer data)
{
  const gchar *op = data;
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *fault =
      g_strdup_printf ("{\"op\":\"%s\",\"stall\":true}", op);
  Owner *owner = owner_with (emulator, (Wish){NULL});
  g_autoptr (TestStopwatch) watch = NULL;

  emulator_add_faults (emulator, fault);
  owner_write (owner, 1000);
  g_assert_true (emulator_wait_hits (emulator, 1));
  owner_assert_state (owner, "applying");
  watch = test_stopwatch_new ();
  vod_upload_stop (owner->upload, FALSE);
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_cmpint (test_stopwatch_ms (watch), <, 100);
  g_assert_true (test_no_threads ("vod-race"));
  g_assert_cmpuint (emulator_count (emulator, "ApplyUploadUGC", -1), ==, 0);
  g_assert_cmpstr (owner->story->str, ==, "opening");
  owner_free (owner);
}

/* The upload is where it is. */
static void
test_not_when_resumed (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *dir = g_dir_make_tmp ("vodregion-XXXXXX", NULL);
  Owner *owner = owner_with (emulator, (Wish){"ap-shanghai", .state_dir = dir});

  owner_write (owner, 3 * MIB);
  g_assert_true (emulator_wait_count (emulator, "UploadPart", 200, 2));
  owner_free (owner);

  owner = owner_with (emulator, (Wish){.state_dir = dir});
  owner_write (owner, 3 * MIB);
  owner_assert_finished (owner, 0);
  assert_stored_in (emulator, 0, "ap-shanghai");
  g_assert_cmpuint (prepares (emulator), ==, 0);
  owner_free (owner);
  g_assert_cmpint (g_rmdir (dir), ==, 0);
}

/* What could be resumed is not known any more: it is a new one. */
static void
test_begun_anew (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *dir = g_dir_make_tmp ("vodregion-XXXXXX", NULL);
  Owner *owner = owner_with (emulator, (Wish){"ap-shanghai", .state_dir = dir});

  owner_write (owner, 2 * MIB);
  g_assert_true (emulator_wait_count (emulator, "UploadPart", 200, 1));
  owner_free (owner);

  emulator_add_faults (emulator,
      "{\"op\":\"ApplyUploadUGC\",\"forget-session\":true,\"times\":1}");
  offer (emulator, "ap-beijing");
  owner = owner_with (emulator, (Wish){.state_dir = dir});
  owner_write (owner, 2 * MIB);
  owner_assert_finished (owner, 0);
  assert_stored_in (emulator, 0, "ap-beijing");
  g_assert_cmpuint (prepares (emulator), ==, 1);
  owner_free (owner);
  g_assert_cmpint (g_rmdir (dir), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/upload/region/explicit", test_explicit);
  g_test_add_func ("/upload/region/explicit-refused", test_explicit_is_refused);
  g_test_add_func ("/upload/region/nearest", test_nearest);
  g_test_add_func ("/upload/region/one-time", test_signatures_for_one_request);
  g_test_add_func ("/upload/region/paused", test_while_paused);
  for (guint i = 0; i < G_N_ELEMENTS (troubles); i++) {
    g_autofree gchar *path =
        g_strconcat ("/upload/region/in-vain/", troubles[i].name, NULL);

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_in_vain);
  }
  g_test_add_data_func (
      "/upload/region/signer-stalls", "\"stall\":true", test_nobody_signs);
  g_test_add_data_func (
      "/upload/region/signer-trickles", "\"trickle\":300", test_nobody_signs);
  g_test_add_func ("/upload/region/refused", test_what_was_found_is_refused);
  g_test_add_func ("/upload/region/refused-anyway", test_refused_either_way);
  g_test_add_func (
      "/upload/region/other-reason", test_refused_for_another_reason);
  g_test_add_func ("/upload/region/private", test_private_endpoint);
  g_test_add_data_func (
      "/upload/region/stop-prepare", "PrepareUploadUGC", test_stop);
  g_test_add_data_func ("/upload/region/stop-race", "HeadBucket", test_stop);
  g_test_add_func ("/upload/region/resumed", test_not_when_resumed);
  g_test_add_func ("/upload/region/anew", test_begun_anew);
  return g_test_run ();
}

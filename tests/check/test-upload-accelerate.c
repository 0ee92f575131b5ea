/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One upload, without GStreamer, whose Apply names a host for the storage
 * requests: that they go there, that a renewal may bring and take it, and that
 * no upload suffers from one that is of no use.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "testowner.h"
#include "testrelay.h"

#define KEY "0123456789abcdef0123456789abcdef"

typedef struct {
  gboolean direct; /* forward=false */
  const gchar *storage;
  const gchar *state_dir;
  const gchar *ca_file;
  const gchar *proxy;
  guint timeout; /* s; 0: as long as it is without a test */
} Ways;

static void
adjust (VodUploadSettings *settings, gpointer data)
{
  const Ways *ways = data;

  settings->forward = !ways->direct;
  settings->storage_endpoint = (gchar *)ways->storage;
  settings->tls_ca_file = (gchar *)ways->ca_file;
  settings->proxy = (gchar *)ways->proxy;
  if (ways->timeout)
    settings->timeout = ways->timeout;
  if (ways->state_dir == NULL)
    return;
  settings->resume = TRUE;
  settings->state_dir = (gchar *)ways->state_dir;
  settings->identity = VOD_IDENTITY_EXPLICIT;
  settings->media_key = (gchar *)KEY;
}

static Owner *
owner_with (Emulator *emulator, Ways ways)
{
  return owner_new_adjusted (emulator, adjust, &ways);
}

/* --- what Apply names, and what was asked ---------------------------------*/

/* "name" + the port of @uri */
static gchar *
host_at (const gchar *name, const gchar *uri)
{
  return g_strconcat (name, strrchr (uri, ':'), NULL);
}

/* @more: further members of the fault, with a comma before them. */
static void
name_host (Emulator *emulator, const gchar *member, const gchar *host,
    const gchar *more)
{
  g_autofree gchar *fault =
      g_strdup_printf ("{\"op\":\"ApplyUploadUGC\",\"data\":{\"%s\":\"%s\"}%s}",
          member, host, more);

  emulator_add_faults (emulator, fault);
}

static void
name_forwarder (Emulator *emulator, const gchar *host, const gchar *more)
{
  name_host (emulator, "MiniProgramAccelerateHost", host, more);
}

static gboolean
is_storage (const gchar *op)
{
  return strstr (op, "Multipart") || strstr (op, "Part") ||
      strstr (op, "Object");
}

/* Requests of that kind (NULL: any storage request) that were made to @host
 * (NULL: to any). */
static guint
requests_to (Emulator *emulator, const gchar *op, const gchar *host)
{
  g_autoptr (JsonNode) state = emulator_state (emulator);
  JsonArray *log =
      json_object_get_array_member (json_node_get_object (state), "log");
  guint n = 0;

  for (guint i = 0; i < json_array_get_length (log); i++) {
    JsonObject *entry = json_array_get_object_element (log, i);
    const gchar *done = json_object_get_string_member (entry, "op");

    n += (op ? strcmp (done, op) == 0 : is_storage (done)) &&
        (!host ||
            g_strcmp0 (json_object_get_string_member (entry, "host"), host) ==
                0);
  }
  return n;
}

static void
assert_all_to (Emulator *emulator, const gchar *host)
{
  guint all = requests_to (emulator, NULL, NULL);

  g_assert_cmpuint (all, >=, 3);
  g_assert_cmpuint (requests_to (emulator, NULL, host), ==, all);
}

static const gchar *
own_host (Emulator *emulator)
{
  return strstr (emulator_uri (emulator), "://") + 3;
}

static guint
notices (Owner *owner)
{
  g_auto (GStrv) words = g_strsplit (owner->story->str, " ", -1);
  guint n = 0;

  for (guint i = 0; words[i]; i++)
    n += strcmp (words[i], "notice") == 0;
  return n;
}

static guint
parts_of (Owner *owner)
{
  VodUploadStats stats;

  vod_upload_get_stats (owner->upload, &stats);
  return stats.parts_uploaded;
}

static gboolean
has_ended (gpointer data)
{
  Owner *owner = data;
  gboolean ended;

  g_mutex_lock (&owner->lock);
  ended = owner->finished + owner->failed > 0;
  g_mutex_unlock (&owner->lock);
  return ended;
}

static gboolean
all_but_the_last_are_there (gpointer owner)
{
  return parts_of (owner) >= ((Owner *)owner)->size / MIB - 1;
}

static gboolean
two_parts_are_there (gpointer owner)
{
  return parts_of (owner) >= 2;
}

/* --- there ----------------------------------------------------------------*/

static void
test_forwarded (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *host =
      host_at ("accelerate.localhost", emulator_uri (emulator));
  Owner *owner = owner_with (emulator, (Ways){0});

  name_forwarder (emulator, host, "");
  owner_write (owner, 4 * MIB);
  owner_assert_finished (owner, 0);
  assert_all_to (emulator, host);
  g_assert_cmpuint (
      requests_to (emulator, "ApplyUploadUGC", own_host (emulator)), ==, 1);
  g_assert_cmpuint (
      requests_to (emulator, "CommitUploadUGC", own_host (emulator)), ==, 1);
  g_assert_cmpuint (owner->retries, ==, 0);
  g_assert_cmpuint (notices (owner), ==, 0);
  owner_free (owner);
}

/* It stands for the bucket's own host: named and signed. */
static void
test_direct (gconstpointer data)
{
  const gchar *before = data;
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *host =
      host_at ("upload.localhost", emulator_uri (emulator));
  g_autofree gchar *fault =
      g_strconcat ("{\"op\":\"ApplyUploadUGC\",\"data\":{", before, "\"", host,
          "\"}", strchr (before, '{') ? "}}" : "}", NULL);
  Owner *owner = owner_with (emulator, (Ways){.direct = TRUE});

  emulator_add_faults (emulator, fault);
  owner_write (owner, 4 * MIB);
  owner_assert_finished (owner, 0);
  assert_all_to (emulator, host);
  g_assert_cmpuint (owner->retries, ==, 0);
  owner_free (owner);
}

static void
test_storage_endpoint_wins (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *host =
      host_at ("upload.localhost", emulator_uri (emulator));
  Owner *owner = owner_with (
      emulator, (Ways){.direct = TRUE, .storage = emulator_uri (emulator)});

  name_host (emulator, "storageUploadDomain", host, "");
  owner_write (owner, 2 * MIB);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (requests_to (emulator, NULL, host), ==, 0);
  owner_free (owner);
}

/* Each is for one way only. */
static void
test_of_the_other_way (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_with (emulator, (Ways){0});

  name_host (emulator, "storageUploadDomain", "127.0.0.1:1", "");
  owner_write (owner, 2 * MIB);
  owner_assert_finished (owner, 0);
  assert_all_to (emulator, own_host (emulator));
  g_assert_cmpuint (owner->retries, ==, 0);
  owner_free (owner);
}

static void
test_resumed (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *dir = g_dir_make_tmp ("vodaccelerate-XXXXXX", NULL);
  g_autofree gchar *host =
      host_at ("accelerate.localhost", emulator_uri (emulator));
  Owner *owner = owner_with (emulator, (Ways){.state_dir = dir});

  owner_write (owner, 3 * MIB);
  g_assert_true (test_wait_until (two_parts_are_there, owner, 10));
  owner_free (owner);
  g_assert_cmpuint (requests_to (emulator, NULL, host), ==, 0);

  name_forwarder (emulator, host, "");
  owner = owner_with (emulator, (Ways){.state_dir = dir});
  owner_write (owner, 4 * MIB);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (requests_to (emulator, "ListParts", host), ==, 1);
  g_assert_cmpuint (
      requests_to (emulator, "CompleteMultipartUpload", host), ==, 1);
  owner_free (owner);
  g_assert_cmpint (g_rmdir (dir), ==, 0);
}

/* --- not there ------------------------------------------------------------*/

/* Not even with retry-duration=0 is it a failure. */
static void
test_nobody_listens (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_with (emulator, (Ways){0});

  vod_upload_set_retry_duration (owner->upload, 0);
  name_forwarder (emulator, "127.0.0.1:1", "");
  owner_write (owner, 4 * MIB);
  owner_assert_finished (owner, 0);
  assert_all_to (emulator, own_host (emulator));
  g_assert_cmpuint (owner->retries, ==, 1);
  owner_free (owner);
}

static void
test_nobody_answers (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autoptr (TestRelay) relay =
      test_relay_new (emulator_uri (emulator), TEST_RELAY_SILENT);
  Owner *owner = owner_with (emulator, (Ways){.timeout = 1});

  vod_upload_set_retry_duration (owner->upload, 0);
  name_forwarder (emulator, strstr (test_relay_uri (relay), "://") + 3, "");
  owner_write (owner, 4 * MIB);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (owner->retries, ==, 1);
  g_assert_cmpuint (test_relay_accepted (relay), ==, 1);
  owner_free (owner);
}

static void
test_not_trusted (void)
{
  g_autoptr (Emulator) emulator = emulator_new ("--tls", NULL);
  g_autoptr (Emulator) stranger = emulator_new ("--tls", NULL);
  Owner *owner =
      owner_with (emulator, (Ways){.ca_file = emulator_ca_file (emulator)});

  vod_upload_set_retry_duration (owner->upload, 0);
  name_forwarder (emulator, own_host (stranger), "");
  owner_write (owner, 2 * MIB);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (owner->retries, ==, 1);
  owner_free (owner);
}

/* Without it the requests go to the bucket's host again. The emulator is the
 * proxy too, so that they stay on this machine; it takes no https. */
static void
test_direct_nobody_answers (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_with (
      emulator, (Ways){.direct = TRUE, .proxy = emulator_uri (emulator)});

  vod_upload_set_retry_duration (owner->upload, 0);
  name_host (emulator, "storageUploadDomain", "gone.localhost:1", "");
  emulator_add_faults (
      emulator, "{\"op\":\"*\",\"host\":\"gone\",\"drop\":true}");
  owner_write (owner, 1000);
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  g_assert_nonnull (
      strstr (owner->error_text, ".cos.ap-chongqing.myqcloud.com"));
  g_assert_cmpuint (requests_to (emulator, NULL, "gone.localhost:1"), >=, 1);
  g_assert_cmpuint (owner->retries, ==, 1);
  owner_free (owner);
}

static void
test_it_dies (gconstpointer data)
{
  TestRelayMode mode = GPOINTER_TO_INT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autoptr (TestRelay) relay =
      test_relay_new (emulator_uri (emulator), TEST_RELAY_OPEN);
  Owner *owner = owner_with (emulator, (Ways){.timeout = 1});
  guint accepted;

  name_forwarder (emulator, strstr (test_relay_uri (relay), "://") + 3, "");
  g_assert_cmpint (owner_write (owner, 3 * MIB), ==, VOD_FLOW_OK);
  g_assert_true (test_wait_until (two_parts_are_there, owner, 10));
  g_assert_cmpuint (test_relay_bytes (relay), >, 2 * MIB);
  test_relay_set_mode (relay, mode);
  for (guint i = 0; i < 6; i++)
    g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
  accepted = test_relay_accepted (relay);
  test_relay_set_mode (relay, TEST_RELAY_OPEN);
  /* It is back, but it was left for good; also by what names it again. */
  emulator_add_faults (emulator,
      "{\"op\":\"UploadPart\",\"expire-credentials\":true,\"times\":1}");
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (requests_to (emulator, "ApplyUploadUGC", NULL), >=, 2);
  g_assert_cmpuint (test_relay_accepted (relay), ==, accepted);
  g_assert_cmpuint (emulator_n_media (emulator), ==, 1);
  g_assert_cmpuint (owner->retries, >=, 1);
  owner_free (owner);
}

/* --- there, but of no use -------------------------------------------------*/

static const struct {
  const gchar *name;
  const gchar *op;
  const gchar *effect;
  gint retry; /* retry-duration */
} troubles[] = {
    {"refuses", "UploadPart", "\"status\":403,\"code\":\"AccessDenied\""},
    {"does-not-know", "InitiateMultipartUpload",
        "\"status\":404,\"code\":\"NoSuchBucket\""},
    {"signature", "InitiateMultipartUpload",
        "\"status\":403,\"code\":\"SignatureDoesNotMatch\""},
    {"overloaded", "UploadPart", "\"status\":503"},
    {"portal", "InitiateMultipartUpload", "\"garbage\":\"html\""},
    {"damages", "UploadPart", "\"wrong-crc\":true"},
    {"drops", "UploadPart", "\"drop\":true,\"after-bytes\":5000"},
    {"truncates", "UploadPart", "\"truncate\":true"},
    {"completes", "CompleteMultipartUpload", "\"lose-answer\":true", 300},
    {"cannot-complete", "CompleteMultipartUpload",
        "\"error-in-200\":\"InternalError\""},
};

/* What would be the end of an upload is the end of going there. */
static void
test_of_no_use (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *host =
      host_at ("accelerate.localhost", emulator_uri (emulator));
  g_autofree gchar *fault =
      g_strdup_printf ("{\"op\":\"%s\",\"host\":\"accelerate\",%s}",
          troubles[i].op, troubles[i].effect);
  Owner *owner = owner_with (emulator, (Ways){0});

  vod_upload_set_retry_duration (owner->upload, troubles[i].retry);
  name_forwarder (emulator, host, "");
  emulator_add_faults (emulator, fault);
  owner_write (owner, 4 * MIB);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (emulator_n_media (emulator), ==, 1);
  g_assert_cmpuint (requests_to (emulator, NULL, host), >=, 1);
  g_assert_cmpuint (requests_to (emulator, NULL, own_host (emulator)), >=, 1);
  /* Those that were under way together. */
  g_assert_cmpuint (owner->retries, >=, 1);
  g_assert_cmpuint (owner->retries, <=, 3);
  owner_free (owner);
}

/* Of all answers there three in a row are no good: counted in requests, however
 * long the upload may go on trying. */
static const struct {
  const gchar *name;
  const gchar *op;
  const gchar *effect;
  guint more; /* may have been under way with the third */
} bad_answers[] = {
    {"busy", "UploadPart", "\"status\":503", 2},
    {"too-many", "UploadPart", "\"status\":429", 2},
    {"portal", "UploadPart", "\"garbage\":\"html\"", 2},
    {"damages", "UploadPart", "\"wrong-crc\":true", 2},
    {"slow-down", "UploadPart", "\"status\":503,\"code\":\"SlowDown\"", 2},
    {"initiate-busy", "InitiateMultipartUpload", "\"status\":503", 0},
    {"initiate-portal", "InitiateMultipartUpload", "\"garbage\":\"html\"", 0},
    {"complete-busy", "CompleteMultipartUpload", "\"status\":503", 0},
    {"complete-fails", "CompleteMultipartUpload",
        "\"error-in-200\":\"InternalError\"", 0},
};

static void
test_three_bad_answers (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data) / 2;
  gint retry = GPOINTER_TO_UINT (data) % 2 ? 300 : -1;
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *host =
      host_at ("accelerate.localhost", emulator_uri (emulator));
  g_autofree gchar *fault =
      g_strdup_printf ("{\"op\":\"%s\",\"host\":\"accelerate\",%s}",
          bad_answers[i].op, bad_answers[i].effect);
  Owner *owner = owner_with (emulator, (Ways){0});

  vod_upload_set_retry_duration (owner->upload, retry);
  name_forwarder (emulator, host, "");
  emulator_add_faults (emulator, fault);
  owner_write (owner, 4 * MIB);
  vod_upload_finish (owner->upload);
  g_assert_true (test_wait_until (has_ended, owner, 20));
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (requests_to (emulator, bad_answers[i].op, host), >=, 3);
  g_assert_cmpuint (requests_to (emulator, bad_answers[i].op, host), <=,
      3 + bad_answers[i].more);
  g_assert_cmpuint (
      owner->retries, ==, requests_to (emulator, bad_answers[i].op, host));
  owner_free (owner);
}

/* Two that fail between others that succeed are no reason, nor is an answer that
 * shows that the storage is there. */
static void
test_not_in_a_row (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *host =
      host_at ("accelerate.localhost", emulator_uri (emulator));
  Owner *owner = owner_with (emulator, (Ways){0});

  name_forwarder (emulator, host, "");
  for (guint i = 0; i < 3; i++) {
    emulator_add_faults (
        emulator, "{\"op\":\"UploadPart\",\"status\":503,\"times\":2}");
    owner_write (owner, 3 * MIB);
    g_assert_true (test_wait_until (all_but_the_last_are_there, owner, 20));
  }
  emulator_add_faults (emulator,
      "{\"op\":\"UploadPart\",\"expire-credentials\":true,\"times\":3}");
  owner_write (owner, 3 * MIB);
  owner_assert_finished (owner, 0);
  assert_all_to (emulator, host);
  owner_free (owner);
}

/* It is one service: who leaves the host has no more time than others, but for
 * one try. */
static void
test_the_clock_runs_on (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *host =
      host_at ("accelerate.localhost", emulator_uri (emulator));
  Owner *owner = owner_with (emulator, (Ways){0});

  vod_upload_set_retry_duration (owner->upload, 1);
  name_forwarder (emulator, host, "");
  emulator_add_faults (emulator,
      "{\"op\":\"InitiateMultipartUpload\",\"status\":503,"
      "\"retry-after\":10}");
  owner_write (owner, 1000);
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  g_assert_cmpuint (
      requests_to (emulator, "InitiateMultipartUpload", host), ==, 2);
  g_assert_cmpuint (
      requests_to (emulator, "InitiateMultipartUpload", own_host (emulator)),
      ==, 1);
  owner_free (owner);
}

/* A part that waits because a left host has told it to, does not. */
static void
test_its_pauses_end_with_it (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *host =
      host_at ("accelerate.localhost", emulator_uri (emulator));
  Owner *owner = owner_with (emulator, (Ways){0});

  name_forwarder (emulator, host, "");
  emulator_add_faults (emulator,
      "{\"op\":\"UploadPart\",\"host\":\"accelerate\",\"status\":503,"
      "\"retry-after\":250}");
  owner_write (owner, 4 * MIB);
  vod_upload_finish (owner->upload);
  g_assert_true (test_wait_until (has_ended, owner, 60));
  owner_assert_finished (owner, 0);
  owner_free (owner);
}

/* A part that fails and could succeed there, does. */
static void
test_one_failure_is_no_reason (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *host =
      host_at ("accelerate.localhost", emulator_uri (emulator));
  Owner *owner = owner_with (emulator, (Ways){0});

  name_forwarder (emulator, host, "");
  emulator_add_faults (
      emulator, "{\"op\":\"UploadPart\",\"status\":503,\"times\":2}");
  owner_write (owner, 4 * MIB);
  owner_assert_finished (owner, 0);
  assert_all_to (emulator, host);
  g_assert_cmpuint (owner->retries, ==, 2);
  owner_free (owner);
}

/* --- renewals -------------------------------------------------------------*/

static void
write_until_renewed (Owner *owner)
{
  owner_write (owner, 2 * MIB);
  g_assert_true (test_wait_until (two_parts_are_there, owner, 10));
  emulator_add_faults (owner->emulator,
      "{\"op\":\"UploadPart\",\"expire-credentials\":true,\"times\":1}");
  owner_write (owner, 3 * MIB);
}

static void
test_a_renewal_brings_it (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *host =
      host_at ("accelerate.localhost", emulator_uri (emulator));
  Owner *owner = owner_with (emulator, (Ways){0});

  name_forwarder (emulator, host, ",\"skip\":1");
  write_until_renewed (owner);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (
      requests_to (emulator, "InitiateMultipartUpload", host), ==, 0);
  g_assert_cmpuint (
      requests_to (emulator, "CompleteMultipartUpload", host), ==, 1);
  owner_free (owner);
}

static void
test_a_renewal_takes_it (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *host =
      host_at ("accelerate.localhost", emulator_uri (emulator));
  Owner *owner = owner_with (emulator, (Ways){0});

  name_forwarder (emulator, host, ",\"times\":1");
  write_until_renewed (owner);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (
      requests_to (emulator, "InitiateMultipartUpload", host), ==, 1);
  g_assert_cmpuint (
      requests_to (emulator, "CompleteMultipartUpload", host), ==, 0);
  owner_free (owner);
}

/* --- not allowed ----------------------------------------------------------*/

/* This machine's emulator leads nowhere else; it is said once, although every
 * Apply names it. As a proxy it would see it. */
static void
test_public_host (gconstpointer data)
{
  gboolean direct = GPOINTER_TO_INT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_with (
      emulator, (Ways){.direct = direct, .proxy = emulator_uri (emulator)});

  name_host (emulator,
      direct ? "storageUploadDomain" : "MiniProgramAccelerateHost",
      "acc.example.com", "");
  if (direct) {
    vod_upload_set_retry_duration (owner->upload, 0);
    owner_write (owner, 1000);
    vod_upload_finish (owner->upload);
    g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
    g_assert_nonnull (strstr (owner->error_text, ".myqcloud.com"));
    g_assert_cmpuint (owner->retries, ==, 0);
  } else {
    write_until_renewed (owner);
    owner_assert_finished (owner, 0);
    assert_all_to (emulator, own_host (emulator));
    g_assert_cmpuint (requests_to (emulator, "ApplyUploadUGC", NULL), ==, 2);
  }
  g_assert_cmpuint (requests_to (emulator, NULL, "acc.example.com"), ==, 0);
  g_assert_cmpuint (notices (owner), ==, 1);
  owner_free (owner);
}

/* --- the cover ------------------------------------------------------------*/

/* Takes the cover with it, or leaves it to a later exchange. */
static void
finish_with_cover (Owner *owner, gboolean late)
{
  static const guint8 jpeg[20000] = {0xff, 0xd8, 0xff, 0xe0};
  g_autoptr (GBytes) image = g_bytes_new_static (jpeg, sizeof jpeg);

  if (!late)
    vod_upload_set_cover (owner->upload, VOD_COVER_SAMPLE, image);
  owner_write (owner, 3 * MIB);
  g_assert_true (test_wait_until (two_parts_are_there, owner, 10));
  if (late)
    vod_upload_set_cover (owner->upload, VOD_COVER_SAMPLE, image);
  owner_assert_finished (owner, 0);
}

static void
assert_has_cover (Emulator *emulator)
{
  g_autoptr (JsonNode) state = emulator_state (emulator);
  JsonArray *media =
      json_object_get_array_member (json_node_get_object (state), "media");

  g_assert_true (json_object_has_member (
      json_array_get_object_element (media, 0), "cover"));
}

static void
test_cover (gconstpointer data)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *host =
      host_at ("accelerate.localhost", emulator_uri (emulator));
  Owner *owner = owner_with (emulator, (Ways){0});

  name_forwarder (emulator, host, "");
  finish_with_cover (owner, GPOINTER_TO_INT (data));
  assert_has_cover (emulator);
  g_assert_cmpuint (requests_to (emulator, "PutObject", host), ==, 1);
  assert_all_to (emulator, host);
  g_assert_cmpuint (owner->retries, ==, 0);
  owner_free (owner);
}

static const gchar *const cover_troubles[] = {
    "\"drop\":true",
    "\"status\":403,\"code\":\"AccessDenied\"",
    "\"status\":503",
    "\"wrong-crc\":true",
};

/* Nor does a cover suffer. */
static void
test_cover_of_no_use (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *host =
      host_at ("accelerate.localhost", emulator_uri (emulator));
  g_autofree gchar *fault =
      g_strdup_printf ("{\"op\":\"PutObject\",\"host\":\"accelerate\",%s}",
          cover_troubles[i / 2]);
  Owner *owner = owner_with (emulator, (Ways){0});

  vod_upload_set_retry_duration (owner->upload, 0);
  name_forwarder (emulator, host, "");
  emulator_add_faults (emulator, fault);
  finish_with_cover (owner, i % 2);
  assert_has_cover (emulator);
  g_assert_cmpuint (
      requests_to (emulator, "PutObject", own_host (emulator)), ==, 1);
  g_assert_null (strstr (owner->story->str, "mishap"));
  owner_free (owner);
}

/* --- the end --------------------------------------------------------------*/

/* There may be time for one request only. */
static void
test_deleted_the_ordinary_way (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *host =
      host_at ("accelerate.localhost", emulator_uri (emulator));
  Owner *owner = owner_with (emulator, (Ways){0});

  name_forwarder (emulator, host, "");
  owner_write (owner, 3 * MIB);
  g_assert_true (test_wait_until (two_parts_are_there, owner, 10));
  vod_upload_stop (owner->upload, FALSE);
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_cmpuint (
      requests_to (emulator, "AbortMultipartUpload", own_host (emulator)), ==,
      1);
  g_assert_cmpuint (emulator_n_uploads (emulator), ==, 0);
  owner_free (owner);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/upload/accelerate/forwarded", test_forwarded);
  g_test_add_data_func ("/upload/accelerate/upload-domain",
      "\"storageUploadDomain\":", test_direct);
  g_test_add_data_func ("/upload/accelerate/cos-acc",
      "\"cosAcc\":{\"isOpen\":1,\"domain\":", test_direct);
  g_test_add_func (
      "/upload/accelerate/storage-endpoint", test_storage_endpoint_wins);
  g_test_add_func ("/upload/accelerate/other-way", test_of_the_other_way);
  g_test_add_func ("/upload/accelerate/resumed", test_resumed);
  g_test_add_func ("/upload/accelerate/nobody-listens", test_nobody_listens);
  g_test_add_func ("/upload/accelerate/nobody-answers", test_nobody_answers);
  g_test_add_func ("/upload/accelerate/untrusted", test_not_trusted);
  g_test_add_func (
      "/upload/accelerate/direct-nobody-answers", test_direct_nobody_answers);
  g_test_add_data_func (
      "/upload/accelerate/cut", GINT_TO_POINTER (TEST_RELAY_CUT), test_it_dies);
  g_test_add_data_func ("/upload/accelerate/falls-silent",
      GINT_TO_POINTER (TEST_RELAY_SILENT), test_it_dies);
  for (guint i = 0; i < G_N_ELEMENTS (troubles); i++) {
    g_autofree gchar *path =
        g_strconcat ("/upload/accelerate/no-use/", troubles[i].name, NULL);

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_of_no_use);
  }
  for (guint i = 0; i < 2 * G_N_ELEMENTS (bad_answers); i++) {
    g_autofree gchar *path = g_strdup_printf ("/upload/accelerate/bad/%s/%s",
        bad_answers[i / 2].name, i % 2 ? "300" : "for-ever");

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_three_bad_answers);
  }
  g_test_add_func ("/upload/accelerate/not-in-a-row", test_not_in_a_row);
  g_test_add_func ("/upload/accelerate/clock", test_the_clock_runs_on);
  g_test_add_func ("/upload/accelerate/pauses", test_its_pauses_end_with_it);
  g_test_add_func (
      "/upload/accelerate/one-failure", test_one_failure_is_no_reason);
  g_test_add_func (
      "/upload/accelerate/renewal-brings", test_a_renewal_brings_it);
  g_test_add_func ("/upload/accelerate/renewal-takes", test_a_renewal_takes_it);
  g_test_add_data_func ("/upload/accelerate/public-forwarder",
      GINT_TO_POINTER (FALSE), test_public_host);
  g_test_add_data_func ("/upload/accelerate/public-domain",
      GINT_TO_POINTER (TRUE), test_public_host);
  g_test_add_data_func (
      "/upload/accelerate/cover", GINT_TO_POINTER (FALSE), test_cover);
  g_test_add_data_func (
      "/upload/accelerate/late-cover", GINT_TO_POINTER (TRUE), test_cover);
  for (guint i = 0; i < 2 * G_N_ELEMENTS (cover_troubles); i++) {
    g_autofree gchar *path =
        g_strdup_printf ("/upload/accelerate/cover-no-use/%u", i);

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_cover_of_no_use);
  }
  g_test_add_func ("/upload/accelerate/deleted", test_deleted_the_ordinary_way);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vod-sweep.h"

#include "cloud/vodsignature.h"
#include "upload/vodjob.h"
#include "upload/vodretry.h"
#include "vod-show.h"

typedef struct {
  const VodSettings *settings;
  VodUploadSettings upload;
  const gchar *endpoint; /* the only one that counts; NULL: all do */
  VodHttp *http;
  GHashTable *failed; /* endpoints -> is it down, so that it is left alone? */
} Sweep;

static gboolean
begin (Sweep *sweep, GError **error)
{
  VodHttpSettings http;

  if (!vod_settings_latch (sweep->settings, &sweep->upload, error))
    return FALSE;
  http = (VodHttpSettings){
      .user_agent = sweep->upload.user_agent,
      .proxy = sweep->upload.proxy,
      .tls_ca_file = sweep->upload.tls_ca_file,
      .timeout = sweep->upload.timeout,
  };
  if (vod_settings_get (sweep->settings, "endpoint"))
    sweep->endpoint = sweep->upload.endpoint;
  sweep->failed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  sweep->http = vod_http_new (&http, error);
  return sweep->http != NULL;
}

static void
finish (Sweep *sweep)
{
  g_clear_pointer (&sweep->failed, g_hash_table_unref);
  g_clear_pointer (&sweep->http, vod_http_free);
  vod_upload_settings_clear (&sweep->upload);
}

static gchar *
get_signature (Sweep *sweep, GError **error)
{
  const VodUploadSettings *upload = &sweep->upload;
  VodSignatureSource source = {
      .url = upload->signature_url,
      .headers = (const gchar *const *)upload->signature_headers,
      .string = vod_settings_get (sweep->settings, "signature"),
  };
  gboolean may_come;

  if (sweep->settings->signature_file)
    return vod_settings_read_signature (sweep->settings->signature_file, error);
  return vod_signature_get (&source, sweep->http, NULL, &may_come, error);
}

/* Takes @discard. */
static gboolean
delete_one (Sweep *sweep, VodSession *discard, GError **error)
{
  VodUploadSettings upload = sweep->upload;
  VodJob job = {.kind = VOD_JOB_SWEEP, .discard = discard};
  GError *failure = NULL;

  upload.endpoint = vod_session_found (discard)->endpoint;
  job.signature = get_signature (sweep, &failure);
  if (job.signature)
    failure = vod_job_perform (&job, &upload, sweep->http, NULL, NULL, NULL);
  if (failure == NULL)
    vod_session_delete (g_steal_pointer (&job.discard));
  vod_job_clear (&job);
  if (failure)
    g_propagate_error (error, failure);
  return failure == NULL;
}

static void
tell_failure (const GError *error)
{
  vod_show_line ("Parts could not be deleted, and stay remembered for the "
                 "next time: %s",
      error->message);
}

/* Of each endpoint one failure is told. What is refused for good may be so alone;
 * where nobody answers, the next would wait for the same. */
static void
note_failure (Sweep *sweep, const gchar *endpoint, GError *error)
{
  gboolean down = vod_retry_classify (error, 1) != VOD_RETRY_FINAL;

  if (!g_hash_table_contains (sweep->failed, endpoint))
    tell_failure (error);
  g_hash_table_insert (
      sweep->failed, g_strdup (endpoint), GINT_TO_POINTER (down));
}

/* Those of the signature file have no details. */
static gboolean
is_unsigned (GError *error)
{
  const VodErrorDetails *details = vod_error_details (error);

  return details == NULL || details->phase == VOD_PHASE_SIGNATURE;
}

/* FALSE: there is no signature, for none of them. Takes @discard. */
static gboolean
delete_next (Sweep *sweep, VodSession *discard, guint *done)
{
  g_autofree gchar *endpoint = g_strdup (vod_session_found (discard)->endpoint);
  g_autoptr (GError) error = NULL;

  if (g_hash_table_lookup (sweep->failed, endpoint)) {
    vod_session_close (discard);
    return TRUE;
  }
  if (delete_one (sweep, discard, &error)) {
    (*done)++;
    return TRUE;
  }
  note_failure (sweep, endpoint, error);
  return !is_unsigned (error);
}

/* How many were deleted. */
static guint
delete_all (Sweep *sweep)
{
  g_autofree gchar *after = NULL;
  VodSession *discard;
  gboolean go_on = TRUE;
  guint done = 0;

  while (go_on &&
      (discard = vod_session_take_discard (
           sweep->settings->state_dir, sweep->endpoint, after))) {
    g_free (after);
    after = g_strdup (vod_session_key (discard));
    go_on = delete_next (sweep, discard, &done);
  }
  return done;
}

gboolean
vod_sweep (const VodSettings *settings)
{
  Sweep sweep = {.settings = settings};
  g_autoptr (GError) error = NULL;
  gboolean good = FALSE;
  guint done = 0;

  if (begin (&sweep, &error)) {
    done = delete_all (&sweep);
    good = g_hash_table_size (sweep.failed) == 0;
  } else {
    tell_failure (error);
  }
  finish (&sweep);
  if (done > 0)
    vod_show_line ("The parts of %u unfinished uploads were deleted at the "
                   "service.",
        done);
  return good;
}

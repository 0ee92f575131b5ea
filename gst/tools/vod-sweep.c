/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vod-sweep.h"

#include "cloud/vodsignature.h"
#include "upload/vodjob.h"
#include "vod-show.h"

typedef struct {
  const VodSettings *settings;
  VodUploadSettings upload;
  const gchar *endpoint; /* the only one that counts; NULL: all do */
  VodHttp *http;
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
  sweep->http = vod_http_new (&http, error);
  return sweep->http != NULL;
}

static void
finish (Sweep *sweep)
{
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

/* Ends at the first failure: the next would most likely wait for the same. */
static guint
delete_all (Sweep *sweep, GError **error)
{
  g_autofree gchar *after = NULL;
  VodSession *discard;
  guint done = 0;

  while ((discard = vod_session_take_discard (
              sweep->settings->state_dir, sweep->endpoint, after))) {
    g_free (after);
    after = g_strdup (vod_session_key (discard));
    if (!delete_one (sweep, discard, error))
      break;
    done++;
  }
  return done;
}

gboolean
vod_sweep (const VodSettings *settings)
{
  Sweep sweep = {.settings = settings};
  g_autoptr (GError) error = NULL;
  guint done = 0;

  if (begin (&sweep, &error))
    done = delete_all (&sweep, &error);
  finish (&sweep);
  if (done > 0)
    vod_show_line ("The parts of %u unfinished uploads were deleted at the "
                   "service.",
        done);
  if (error)
    vod_show_line ("Parts could not be deleted, and stay remembered for the "
                   "next time: %s",
        error->message);
  return error == NULL;
}

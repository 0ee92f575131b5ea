/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking for an upload signature, and waiting for one that the application
 * gives later. Functions here are called without the lock.
 */
#include "../cloud/vodsignature.h"
#include "vodretry.h"
#include "vodupload-private.h"

static gchar *
ask_application (VodWorker *worker)
{
  VodUpload *upload = worker->upload;
  gchar *answer;

  g_mutex_lock (&upload->lock);
  worker->in_app = TRUE;
  g_cond_broadcast (&upload->room);
  g_mutex_unlock (&upload->lock);

  answer = upload->events.ask (upload->data);

  g_mutex_lock (&upload->lock);
  worker->in_app = FALSE;
  g_mutex_unlock (&upload->lock);
  return answer;
}

/* What the application has answered. */
static gchar *
take_answer (gpointer data)
{
  gchar **answer = data;

  return g_steal_pointer (answer);
}

/* One round of asking every source. */
static gchar *
ask_sources (VodWorker *worker, gboolean ask, guint *serial, gboolean *may_come,
    GError **error)
{
  VodUpload *upload = worker->upload;
  g_autofree gchar *answer = NULL, *string = NULL, *refused = NULL;
  VodSignatureSource source = {
      .url = upload->settings.signature_url,
      .headers = (const gchar *const *)upload->settings.signature_headers,
      .ask_data = &answer,
  };

  g_mutex_lock (&upload->lock);
  *serial = upload->signature_serial;
  g_mutex_unlock (&upload->lock);

  if (ask && upload->events.can_ask (upload->data)) {
    answer = ask_application (worker);
    source.ask = take_answer;
  }

  /* Read after the application was asked: it may have set it meanwhile, which
   * the serial tells, or have taken it back. */
  g_mutex_lock (&upload->lock);
  string = g_strdup (upload->signature);
  refused = g_strdup (upload->refused);
  g_mutex_unlock (&upload->lock);
  source.string = string;
  source.refused = refused;
  return vod_signature_get (
      &source, worker->http, worker->cancellable, may_come, error);
}

/* Waits until the application sets `signature`, the time is over (that of
 * retry-duration stands still while the upload is paused), or the upload ends.
 * FALSE: none came. */
static gboolean
wait_for_signature (VodUpload *upload, guint serial, gint64 patience)
{
  gint64 since = g_get_monotonic_time (), now = since, held = 0;
  gint64 latest = patience == G_MAXINT64 ? G_MAXINT64 : since + patience;
  gboolean came;

  g_mutex_lock (&upload->lock);
  upload->waiting_for_signature = TRUE;
  vod_upload_stand_still (upload, TRUE);
  while (serial == upload->signature_serial && upload->end == VOD_END_NONE &&
      !upload->ending) {
    gint64 left = vod_retry_left (now, since, held, upload->retry_duration);
    gint64 before = now, until = latest;
    gboolean paused = upload->paused;

    if (left == 0 || now >= latest)
      break;
    if (!paused && left != G_MAXINT64)
      until = MIN (until, now + left);
    if (until == G_MAXINT64)
      g_cond_wait (&upload->work, &upload->lock);
    else
      g_cond_wait_until (&upload->work, &upload->lock, until);
    now = g_get_monotonic_time ();
    if (paused)
      held += now - before;
  }
  vod_upload_stand_still (upload, FALSE);
  upload->waiting_for_signature = FALSE;
  came = serial != upload->signature_serial;
  g_mutex_unlock (&upload->lock);
  return came;
}

gchar *
vod_upload_obtain_signature (VodWorker *worker, gint64 patience, GError **error)
{
  GError *local = NULL;
  gboolean may_come = FALSE, ask = TRUE;
  gchar *signature;
  guint serial;

  for (;;) {
    signature = ask_sources (worker, ask, &serial, &may_come, &local);
    if (signature || !may_come || patience == 0 ||
        local->code != VOD_ERROR_SIGNATURE)
      break;
    if (!wait_for_signature (worker->upload, serial, patience))
      break;
    /* It has answered by setting the property. */
    g_clear_error (&local);
    ask = FALSE;
    may_come = FALSE;
  }
  if (local)
    g_propagate_error (error, local);
  return signature;
}

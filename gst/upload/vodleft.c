/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an upload that is given up leaves at the service: remembering it, so that
 * it is deleted sometime. See vodupload-private.h for the locks.
 */
#include "vodupload-private.h"

/* What there is of an upload at the service, to be deleted later. */
static VodSessionState *
describe (const VodUpload *upload, const VodApiApplied *applied,
    const gchar *upload_id)
{
  VodSessionState *state = g_new0 (VodSessionState, 1);

  *state = (VodSessionState){
      .endpoint = g_strdup (upload->settings.endpoint),
      .session_key = g_strdup (applied->session_key),
      .bucket_host = g_strdup (applied->bucket_host),
      .object_key = g_strdup (applied->key),
      .applied = g_get_real_time () / G_USEC_PER_SEC,
      .upload_id = g_strdup (upload_id),
  };
  return state;
}

VodSession *
vod_upload_remember (const VodUpload *upload, VodSessionState *state)
{
  g_autofree gchar *dir = vod_session_choose_dir (upload->settings.state_dir);
  VodSession *discard = NULL;

  if (state == NULL)
    return NULL;
  if (vod_session_prepare_dir (dir, NULL))
    discard = vod_session_remember_discard (dir, state, NULL);
  vod_session_state_clear (state);
  g_free (state);
  return discard;
}

gboolean
vod_upload_take_discard (VodUpload *upload, VodJob *job)
{
  g_autofree gchar *dir = vod_session_choose_dir (upload->settings.state_dir);

  job->discard = vod_session_take_discard (
      dir, upload->settings.endpoint, upload->sweep_after);
  if (job->discard == NULL) {
    vod_session_forget_old (dir);
    return FALSE;
  }
  g_free (upload->sweep_after);
  upload->sweep_after = g_strdup (vod_session_key (job->discard));
  return TRUE;
}

VodSessionState *
vod_upload_leftovers (const VodUpload *upload)
{
  if (upload->applied == NULL || !upload->parts_to_delete)
    return NULL;
  return describe (upload, upload->applied, upload->upload_id);
}

void
vod_upload_note_abort (VodUpload *upload, const VodJob *job, gboolean deleted)
{
  VodSession *discard;

  g_mutex_lock (&upload->lock);
  discard = g_steal_pointer (&upload->discard);
  g_mutex_unlock (&upload->lock);
  if (deleted) {
    g_clear_pointer (&discard, vod_session_delete);
    return;
  }
  if (discard == NULL)
    discard = vod_upload_remember (
        upload, describe (upload, job->applied, job->upload_id));
  g_clear_pointer (&discard, vod_session_close);
}

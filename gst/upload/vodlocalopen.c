/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an upload finds on this machine when it begins: whether it goes on with
 * that, or puts it out of the way. See vodlocal.h.
 */
#include "vodlocal-private.h"

#include <sys/stat.h>
#include <unistd.h>

#include "vodfile.h"

/* Who only looks (vod-resume, or an upload that sweeps) has a session for a
 * moment; another upload keeps it. Together less than it may take to stop. */
#define LOOKS 9
#define LOOK (8 * 1000) /* µs */

static gboolean
open_patiently (VodLocal *local, GError **error)
{
  GError *busy = NULL;

  for (guint i = 0;; i++) {
    if (vod_local_open_session (local, &busy))
      return TRUE;
    if (busy->code != VOD_ERROR_BUSY || i == LOOKS)
      break;
    g_clear_error (&busy);
    g_usleep (LOOK);
  }
  g_propagate_error (error, busy);
  return FALSE;
}

/* Another recording of the same name may be under way: then this one gets a
 * name of its own. */
static gboolean
open_some_session (
    VodLocal *local, const VodUploadSettings *settings, GError **error)
{
  GError *local_error = NULL;
  g_autofree gchar *uuid = g_uuid_string_random ();
  const gchar *parts[] = {local->key, uuid, NULL};
  gchar *key;

  if (open_patiently (local, &local_error))
    return TRUE;
  if (local_error->code != VOD_ERROR_BUSY || !settings->spool ||
      settings->identity == VOD_IDENTITY_EXPLICIT) {
    g_propagate_error (error, local_error);
    return FALSE;
  }
  g_error_free (local_error);
  key = vod_session_make_key (parts);
  g_free (local->key);
  local->key = key;
  return vod_local_open_session (local, error);
}

/* Does the stream go on in what an earlier run left? Only if it is the same
 * media; else that is another recording. */
static gboolean
may_go_on (const VodUploadSettings *settings)
{
  return settings->resume && settings->spool &&
      settings->identity != VOD_IDENTITY_RECORDING;
}

static gboolean
open_spool (VodLocal *local, const VodUploadSettings *settings,
    VodLocalOpened *opened, GError **error)
{
  g_autofree gchar *path = vod_local_media_path (local);
  struct stat info;
  g_autofree gchar *fresh = g_strconcat (path, ".new", NULL);
  gboolean there = lstat (path, &info) == 0;

  /* Of a run that ended while it copied. */
  unlink (fresh);

  if (there && may_go_on (settings)) {
    local->spool = vod_spool_open (path, NULL);
    if (local->spool) {
      vod_file_set_cancelled (path, FALSE);
      return TRUE;
    }
  }
  if (there && S_ISREG (info.st_mode) && info.st_size == 0)
    there = unlink (path) != 0;
  if (there && !vod_local_move_aside (local, &opened->recovered, error))
    return FALSE;
  if (!settings->spool)
    return TRUE;
  local->spool = vod_spool_open (path, error);
  return local->spool != NULL;
}

static gboolean
is_usable (const VodSessionState *found, const VodUploadSettings *settings)
{
  gint64 age = g_get_real_time () / G_USEC_PER_SEC - found->applied;

  return settings->resume && settings->identity != VOD_IDENTITY_RECORDING &&
      g_strcmp0 (found->endpoint, settings->endpoint) == 0 &&
      g_strcmp0 (found->name, settings->name) == 0 &&
      g_strcmp0 (found->type, settings->type) == 0 &&
      found->session_key != NULL && age >= 0 && age < VOD_SESSION_LIFE;
}

/* What is true of an earlier run's spool, whatever becomes of its upload. */
static void
adopt_spool (VodLocal *local)
{
  const VodSessionState *found = vod_session_found (local->session);
  guint64 size = local->spool ? vod_spool_left (local->spool) : 0;

  if (found == NULL)
    return;
  if (found->eos && found->size == size)
    local->eos_size = size;
  local->synced = MIN (found->synced, size);
  local->safe = found->same_boot || local->eos_size > 0 ? size : local->synced;
  local->earlier = size;
}

/* Takes up the upload that the session tells of, or starts it over. Parts that
 * are up in vain are to be deleted. */
static gboolean
take_up (VodLocal *local, const VodUploadSettings *settings, GError **error)
{
  const VodSessionState *found = vod_session_found (local->session);

  adopt_spool (local);
  if (found && is_usable (found, settings)) {
    local->resumed = local->applied = TRUE;
    return TRUE;
  }
  if (found && found->session_key) {
    VodSession *discard =
        vod_session_remember_discard (local->dir, found, NULL);

    g_clear_pointer (&discard, vod_session_close);
  }
  return vod_local_start_over (local, error);
}

static VodLocal *
local_new (const VodUploadSettings *settings)
{
  VodLocal *local = g_new0 (VodLocal, 1);

  g_mutex_init (&local->lock);
  local->dir = vod_session_choose_dir (settings->state_dir);
  local->key = g_strdup (settings->media_key);
  local->keep_spool = settings->keep_spool;
  local->resumable = settings->resume || settings->spool;
  local->media = (VodSessionState){
      .resume_key = g_strdup (settings->resume_key),
      .endpoint = g_strdup (settings->endpoint),
      .name = g_strdup (settings->name),
      .type = g_strdup (settings->type),
      .spooled = settings->spool,
  };
  return local;
}

/* Whoever has asked for any of this must have it. That a file is being uploaded
 * already is no fault of the folder's. */
static gboolean
is_insisted_on (const VodUploadSettings *settings, const GError *trouble)
{
  return settings->spool || settings->identity == VOD_IDENTITY_EXPLICIT ||
      (settings->state_dir && trouble->code != VOD_ERROR_BUSY);
}

/* A folder that was asked for must be good even if this media does not need
 * it. */
static void
check_dir (const VodUploadSettings *settings, GError **error)
{
  GError *trouble = NULL;

  if (settings->state_dir == NULL ||
      vod_session_prepare_dir (settings->state_dir, &trouble))
    return;
  vod_error_set_phase (trouble, VOD_PHASE_SESSION);
  g_propagate_error (error, trouble);
}

VodLocal *
vod_local_open (
    const VodUploadSettings *settings, VodLocalOpened *opened, GError **error)
{
  VodLocal *local;
  GError *trouble = NULL;

  if (settings->identity == VOD_IDENTITY_NONE) {
    check_dir (settings, error);
    return NULL;
  }
  local = local_new (settings);
  if (vod_session_prepare_dir (local->dir, &trouble) &&
      open_some_session (local, settings, &trouble) &&
      open_spool (local, settings, opened, &trouble) &&
      take_up (local, settings, &trouble))
    return local;

  vod_local_free (local);
  if (trouble->code == VOD_ERROR_BUSY &&
      settings->identity == VOD_IDENTITY_EXPLICIT) {
    g_free (trouble->message);
    trouble->message = g_strdup ("Another upload with this resume-key is under "
                                 "way: give each media a key of its own");
  }
  if (is_insisted_on (settings, trouble)) {
    vod_error_set_phase (trouble,
        settings->spool && trouble->code != VOD_ERROR_BUSY ? VOD_PHASE_SPOOL
                                                           : VOD_PHASE_SESSION);
    g_propagate_error (error, trouble);
    return NULL;
  }
  opened->notice = g_strdup_printf (
      "An interruption of this upload cannot be made up for: %s",
      trouble->message);
  g_error_free (trouble);
  return NULL;
}

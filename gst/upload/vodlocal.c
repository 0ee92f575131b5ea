/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodlocal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct _VodLocal {
  gchar *dir;
  gchar *key;
  VodSessionState media; /* the header: borrows nothing */
  gboolean keep_spool;
  VodSpool *spool;
  gboolean resumed;
  gboolean resumable; /* another run, or program, could go on */

  GMutex lock;         /* guards what follows */
  gboolean spool_left; /* nothing is written to the spool any more, … */
  gchar *left_path;    /* … which is there; NULL: it is another's */
  VodSession *session; /* NULL: the end, see the header */
  gboolean broken;     /* nothing can be noted any more */
  guint attempt;
  gboolean applied; /* the session tells of something at the service */
  guint64 eos_size; /* 0: not at its end, nor was the spool's recording */
  guint64 on_disk;  /* bytes of an earlier run's spool that a sync covers */
  GError *trouble;
};

void
vod_local_opened_clear (VodLocalOpened *opened)
{
  g_clear_pointer (&opened->recovered, g_free);
  g_clear_pointer (&opened->notice, g_free);
}

static gchar *
media_path (const VodLocal *local)
{
  return vod_session_path (local->dir, local->key, "media");
}

/* --- opening --------------------------------------------------------------*/

static gboolean
open_session (VodLocal *local, GError **error)
{
  local->session = vod_session_open (local->dir, local->key, error);
  return local->session != NULL;
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

  if (open_session (local, &local_error))
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
  return open_session (local, error);
}

/* Moves what is there under our key out of the way. */
static gboolean
set_aside (VodLocal *local, gchar **recovered, GError **error)
{
  gchar *key = vod_session_set_aside (g_steal_pointer (&local->session), error);

  if (key == NULL)
    return FALSE;
  g_free (*recovered);
  *recovered = vod_session_path (local->dir, key, "media");
  g_free (key);
  return open_session (local, error);
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
  g_autofree gchar *path = media_path (local);
  struct stat info;
  g_autofree gchar *fresh = g_strconcat (path, ".new", NULL);
  gboolean there = lstat (path, &info) == 0;

  /* Of a run that ended while it copied. */
  unlink (fresh);

  if (there && may_go_on (settings)) {
    local->spool = vod_spool_open (path, NULL);
    if (local->spool)
      return TRUE;
  }
  if (there && S_ISREG (info.st_mode) && info.st_size == 0)
    there = unlink (path) != 0;
  if (there && !set_aside (local, &opened->recovered, error))
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
  local->on_disk = found->same_boot ? size : MIN (found->synced, size);
}

/* Starts the journal over. With the lock, or before there are others. */
static gboolean
start_over (VodLocal *local, GError **error)
{
  guint64 held = MAX (local->on_disk, local->eos_size);

  if (!vod_session_begin (local->session, &local->media, error))
    return FALSE;
  if (held > 0 && vod_spool_sync (local->spool, NULL) &&
      !vod_session_note_synced (local->session, held, error))
    return FALSE;
  return local->eos_size == 0 ||
      vod_session_note_eos (local->session, local->eos_size, error);
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
  return start_over (local, error);
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

void
vod_local_free (VodLocal *local)
{
  if (local->session)
    vod_session_close (local->session);
  g_clear_pointer (&local->spool, vod_spool_free);
  vod_session_state_clear (&local->media);
  g_clear_error (&local->trouble);
  g_free (local->left_path);
  g_mutex_clear (&local->lock);
  g_free (local->dir);
  g_free (local->key);
  g_free (local);
}

const VodSessionState *
vod_local_found (VodLocal *local)
{
  return local->resumed ? vod_session_found (local->session) : NULL;
}

VodSpool *
vod_local_spool (VodLocal *local)
{
  return local->spool;
}

/* With the lock. */
static gchar *
spool_path (VodLocal *local)
{
  if (local->spool == NULL)
    return NULL;
  return local->spool_left ? g_strdup (local->left_path) : media_path (local);
}

gchar *
vod_local_spool_path (VodLocal *local)
{
  gchar *path;

  g_mutex_lock (&local->lock);
  path = spool_path (local);
  g_mutex_unlock (&local->lock);
  return path;
}

gboolean
vod_local_has_spool (VodLocal *local)
{
  gboolean has;

  g_mutex_lock (&local->lock);
  has = local->spool && !local->spool_left;
  g_mutex_unlock (&local->lock);
  return has;
}

gboolean
vod_local_is_kept (VodLocal *local)
{
  gboolean kept;

  g_mutex_lock (&local->lock);
  kept = local->session != NULL && local->resumable;
  g_mutex_unlock (&local->lock);
  return kept;
}

/* --- noting ---------------------------------------------------------------*/

/* The session, if @attempt may note something; then with the lock. */
static VodSession *
begin_note (VodLocal *local, guint attempt)
{
  g_mutex_lock (&local->lock);
  if (local->session && !local->broken && attempt == local->attempt)
    return local->session;
  g_mutex_unlock (&local->lock);
  return NULL;
}

/* After a failure nothing is added any more; what is in the file stays true. */
static void
end_note (VodLocal *local, GError *error)
{
  if (error) {
    vod_error_set_phase (error, VOD_PHASE_SESSION);
    local->broken = TRUE;
    g_clear_error (&local->trouble);
    local->trouble = error;
  }
  g_mutex_unlock (&local->lock);
}

void
vod_local_note_applied (
    VodLocal *local, guint attempt, const VodApiApplied *applied)
{
  VodSession *session = begin_note (local, attempt);
  GError *error = NULL;

  if (session == NULL)
    return;
  local->applied = TRUE;
  vod_session_note_applied (session, applied->session_key, applied->bucket_host,
      applied->key, g_get_real_time () / G_USEC_PER_SEC, &error);
  end_note (local, error);
}

void
vod_local_note_upload (VodLocal *local, guint attempt, const gchar *upload_id)
{
  VodSession *session = begin_note (local, attempt);
  GError *error = NULL;

  if (session == NULL)
    return;
  vod_session_note_upload (session, upload_id, &error);
  end_note (local, error);
}

void
vod_local_note_cut (
    VodLocal *local, guint attempt, guint number, guint64 offset, guint64 size)
{
  VodSession *session = begin_note (local, attempt);
  GError *error = NULL;

  if (session == NULL)
    return;
  vod_session_note_cut (session, number, offset, size, &error);
  end_note (local, error);
}

void
vod_local_note_confirmed (VodLocal *local, guint attempt, guint number,
    guint64 crc64, const gchar *etag)
{
  VodSession *session = begin_note (local, attempt);
  GError *error = NULL;

  if (session == NULL)
    return;
  vod_session_note_confirmed (session, number, crc64, etag, &error);
  end_note (local, error);
}

void
vod_local_note_completing (
    VodLocal *local, guint attempt, guint64 size, guint64 crc64)
{
  VodSession *session = begin_note (local, attempt);
  GError *error = NULL;

  if (session == NULL)
    return;
  vod_session_note_completing (session, size, crc64, &error);
  end_note (local, error);
}

gboolean
vod_local_sync (
    VodLocal *local, guint attempt, guint64 size, gboolean eos, GError **error)
{
  GError *trouble = NULL;

  if (!vod_spool_sync (local->spool, error)) {
    if (error && *error)
      vod_error_set_phase (*error, VOD_PHASE_SPOOL);
    return FALSE;
  }
  g_mutex_lock (&local->lock);
  /* Else it was another file that was synced. */
  if (attempt != local->attempt || local->spool_left) {
    g_mutex_unlock (&local->lock);
    return TRUE;
  }
  if (eos)
    local->eos_size = size;
  if (local->session && !local->broken &&
      vod_session_note_synced (
          local->session, MAX (size, local->on_disk), &trouble) &&
      eos)
    vod_session_note_eos (local->session, size, &trouble);
  end_note (local, trouble);
  return TRUE;
}

GError *
vod_local_take_trouble (VodLocal *local)
{
  GError *trouble;

  g_mutex_lock (&local->lock);
  trouble = g_steal_pointer (&local->trouble);
  g_mutex_unlock (&local->lock);
  return trouble;
}

/* --- anew -----------------------------------------------------------------*/

void
vod_local_begin_anew (VodLocal *local, guint attempt)
{
  GError *error = NULL;

  g_mutex_lock (&local->lock);
  local->attempt = attempt;
  if (local->session)
    start_over (local, &error);
  end_note (local, error);
}

static void
sync_dir (const gchar *dir)
{
  int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd >= 0) {
    fsync (fd);
    close (fd);
  }
}

/* The names are free for this recording. With the lock. */
static gboolean
take_names (VodLocal *local, gchar **recovered, GError **error)
{
  if (local->session == NULL) {
    vod_error_set (error, VOD_ERROR_LOCAL, "The upload has ended");
    return FALSE;
  }
  local->eos_size = local->on_disk = 0;
  return set_aside (local, recovered, error) &&
      vod_session_begin (local->session, &local->media, error);
}

gchar *
vod_local_set_aside (VodLocal *local, guint attempt, gboolean copy,
    gboolean (*give_up) (gpointer data), gpointer data, GError **error)
{
  g_autofree gchar *path = media_path (local);
  g_autofree gchar *fresh = g_strconcat (path, ".new", NULL);
  gchar *recovered = NULL;
  gboolean copied =
      copy && vod_spool_part (local->spool, fresh, give_up, data, error);

  /* The old recording steps aside even if there is no room for a copy: else
   * Commit of this one would end it. */
  g_mutex_lock (&local->lock);
  local->attempt = attempt;
  local->spool_left = TRUE;
  if (take_names (local, &recovered, copied || !copy ? error : NULL) &&
      copied) {
    local->spool_left = rename (fresh, path) != 0;
    if (local->spool_left)
      vod_error_set (error, VOD_ERROR_LOCAL, "The spool cannot be renamed: %s",
          g_strerror (errno));
  }
  if (local->spool_left)
    unlink (fresh);
  else
    sync_dir (local->dir);
  g_mutex_unlock (&local->lock);
  return recovered;
}

/* The new path of the spool, or NULL. */
static gchar *
part_spool (VodLocal *local)
{
  g_autofree gchar *key = vod_session_part_media (local->session, NULL);

  return key ? vod_session_path (local->dir, key, "media") : NULL;
}

void
vod_local_leave_spool (VodLocal *local)
{
  g_mutex_lock (&local->lock);
  if (local->spool && !local->spool_left) {
    local->spool_left = TRUE;
    local->eos_size = local->on_disk = 0;
    if (local->session)
      local->left_path = part_spool (local);
  }
  g_mutex_unlock (&local->lock);
}

/* --- the end --------------------------------------------------------------*/

/* A name that no recording has, which vod_session_list() passes over. */
static gchar *
keep_copy (VodLocal *local, const gchar *path, const gchar *file_id)
{
  g_autofree gchar *name = g_strconcat ("kept-", file_id, ".media", NULL);
  gchar *kept;

  g_strcanon (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-.", '_');
  kept = vod_session_path (local->dir, local->key, name);
  if (rename (path, kept) != 0) {
    g_free (kept);
    return g_strdup (path);
  }
  return kept;
}

gchar *
vod_local_committed (VodLocal *local, const gchar *file_id)
{
  g_autofree gchar *path = NULL;
  gchar *kept = NULL;
  VodSession *session;
  gboolean whole;

  /* The spool has failed before the stream came to the end of what an earlier
   * recording left, which may be all there is of that. */
  if (local->spool && vod_spool_left (local->spool) > 0) {
    vod_local_discard (local, VOD_LOCAL_FAILED);
    return NULL;
  }
  g_mutex_lock (&local->lock);
  session = g_steal_pointer (&local->session);
  path = spool_path (local);
  whole = !local->spool_left;
  g_mutex_unlock (&local->lock);
  if (session == NULL)
    return NULL;
  if (path && whole && local->keep_spool)
    kept = keep_copy (local, path, file_id);
  else if (path)
    unlink (path);
  vod_session_delete (session);
  return kept;
}

void
vod_local_keep (VodLocal *local)
{
  VodSession *session;
  gboolean needed;

  g_mutex_lock (&local->lock);
  session = g_steal_pointer (&local->session);
  needed = local->applied || (local->spool && !local->spool_left);
  g_mutex_unlock (&local->lock);
  if (session && needed)
    vod_session_close (session);
  else if (session)
    vod_session_delete (session);
}

/* What a flush leaves of the spool: nothing, but for an earlier recording. */
static gboolean
flush_spool (VodLocal *local)
{
  g_autofree gchar *path = spool_path (local);

  return path && vod_spool_left (local->spool) == 0 && unlink (path) == 0;
}

void
vod_local_discard (VodLocal *local, VodLocalDiscard why)
{
  GError *error = NULL;
  gboolean spooled;

  g_mutex_lock (&local->lock);
  spooled = local->spool && !local->spool_left;
  if (local->session && why == VOD_LOCAL_FLUSHED)
    spooled = spooled && !flush_spool (local);
  if (local->session && spooled && why != VOD_LOCAL_CANCELLED) {
    start_over (local, &error);
    vod_session_close (g_steal_pointer (&local->session));
  } else if (local->session) {
    vod_session_delete (g_steal_pointer (&local->session));
  }
  g_mutex_unlock (&local->lock);
  g_clear_error (&error);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodlocal-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "vodfile.h"

void
vod_local_opened_clear (VodLocalOpened *opened)
{
  g_clear_pointer (&opened->recovered, g_free);
  g_clear_pointer (&opened->notice, g_free);
}

gchar *
vod_local_media_path (const VodLocal *local)
{
  return vod_session_path (local->dir, local->key, "media");
}

/* --- what opening and beginning anew share --------------------------------*/

gboolean
vod_local_open_session (VodLocal *local, GError **error)
{
  local->session = vod_session_open (local->dir, local->key, error);
  return local->session != NULL;
}

gboolean
vod_local_move_aside (VodLocal *local, gchar **recovered, GError **error)
{
  gchar *key = vod_session_set_aside (g_steal_pointer (&local->session), error);

  if (key == NULL)
    return FALSE;
  g_free (*recovered);
  *recovered = vod_session_path (local->dir, key, "media");
  g_free (key);
  return vod_local_open_session (local, error);
}

/* Is all of the spool what was written to it? An earlier run's is once the stream
 * has shown it, by growing beyond. With the lock. */
static gboolean
is_beyond_doubt (const VodLocal *local)
{
  return !local->lost && MAX (local->synced, local->safe) >= local->earlier;
}

/* With the lock. */
static gboolean
begin_session (VodLocal *local, GError **error)
{
  local->media.synced = local->synced;
  local->media.same_boot = is_beyond_doubt (local);
  return vod_session_begin (local->session, &local->media, error);
}

gboolean
vod_local_start_over (VodLocal *local, GError **error)
{
  if (local->safe > local->synced) {
    local->lost |= !vod_spool_sync (local->spool, NULL);
    if (!local->lost)
      local->synced = local->safe;
  }
  if (!begin_session (local, error))
    return FALSE;
  return local->eos_size == 0 ||
      vod_session_note_eos (local->session, local->eos_size, error);
}

/* --- life -----------------------------------------------------------------*/

void
vod_local_free (VodLocal *local)
{
  if (local->session)
    vod_session_close (local->session);
  g_clear_pointer (&local->spool, vod_spool_free);
  vod_session_state_clear (&local->media);
  g_clear_error (&local->trouble);
  g_free (local->left_path);
  g_free (local->kept);
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
  return local->spool_left ? g_strdup (local->left_path)
                           : vod_local_media_path (local);
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

/* With the lock. */
static gboolean
note_synced (VodLocal *local, GError **error)
{
  return is_beyond_doubt (local)
      ? vod_session_note_synced (local->session, local->synced, error)
      : vod_session_note_doubt (local->session, local->synced, error);
}

/* A sync of the first @size bytes has gone well, or not (@done). With the lock. */
static void
take_synced (
    VodLocal *local, guint64 size, gboolean eos, gboolean done, GError **error)
{
  if (done)
    local->synced = MAX (size, local->safe);
  else
    local->lost = TRUE;
  if (done && eos)
    local->eos_size = size;
  if (local->session && !local->broken && note_synced (local, error) && done &&
      eos)
    vod_session_note_eos (local->session, size, error);
}

gboolean
vod_local_sync (
    VodLocal *local, guint attempt, guint64 size, gboolean eos, GError **error)
{
  gboolean done = vod_spool_sync (local->spool, error);
  GError *trouble = NULL;

  if (!done && error && *error)
    vod_error_set_phase (*error, VOD_PHASE_SPOOL);
  g_mutex_lock (&local->lock);
  /* Else it was another file that was synced. */
  if (attempt == local->attempt && !local->spool_left)
    take_synced (local, size, eos, done, &trouble);
  end_note (local, trouble);
  return done;
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
    vod_local_start_over (local, &error);
  end_note (local, error);
}

static void
sync_dir (const gchar *dir)
{
  int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd >= 0) {
    vod_file_sync_all (fd);
    close (fd);
  }
}

/* What was known of the spool is not of the next one, if there is any. With the
 * lock. */
static void
forget_spool (VodLocal *local)
{
  local->eos_size = local->synced = local->earlier = local->safe = 0;
}

/* The names are free for this recording. With the lock. */
static gboolean
take_names (VodLocal *local, gchar **recovered, GError **error)
{
  if (local->session == NULL) {
    vod_error_set (error, VOD_ERROR_LOCAL, "The upload has ended");
    return FALSE;
  }
  forget_spool (local);
  return vod_local_move_aside (local, recovered, error) &&
      begin_session (local, error);
}

gchar *
vod_local_set_aside (VodLocal *local, guint attempt, gboolean copy,
    gboolean (*give_up) (gpointer data), gpointer data, GError **error)
{
  g_autofree gchar *path = vod_local_media_path (local);
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
  if (!local->spool_left)
    sync_dir (local->dir);
  else if (copied)
    unlink (fresh);
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
    forget_spool (local);
    if (local->session)
      local->left_path = part_spool (local);
  }
  g_mutex_unlock (&local->lock);
}

/* --- the end --------------------------------------------------------------*/

/* The spool has failed before the stream came to the end of what an earlier
 * recording left, which may be all there is of that. */
static gboolean
is_anothers_too (const VodLocal *local)
{
  return local->spool && vod_spool_left (local->spool) > 0;
}

/* A name that no recording has, which vod_session_list() passes over. With the
 * lock. */
static void
keep_copy (VodLocal *local, const gchar *file_id)
{
  g_autofree gchar *name = g_strconcat ("kept-", file_id, ".media", NULL);
  g_autofree gchar *path = vod_local_media_path (local);
  gchar *kept;

  g_strcanon (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-.", '_');
  kept = vod_session_path (local->dir, local->key, name);
  if (rename (path, kept) != 0) {
    g_free (kept);
    kept = g_steal_pointer (&path);
  }
  local->kept = kept;
}

gchar *
vod_local_keep_copy (VodLocal *local, const gchar *file_id)
{
  gchar *kept;

  g_mutex_lock (&local->lock);
  if (local->session && local->keep_spool && local->spool &&
      !local->spool_left && !local->kept && !is_anothers_too (local))
    keep_copy (local, file_id);
  kept = g_strdup (local->kept);
  g_mutex_unlock (&local->lock);
  return kept;
}

void
vod_local_committed (VodLocal *local, const gchar *file_id)
{
  g_autofree gchar *path = NULL;

  if (is_anothers_too (local)) {
    vod_local_discard (local, VOD_LOCAL_FAILED);
    return;
  }
  g_free (vod_local_keep_copy (local, file_id));
  g_mutex_lock (&local->lock);
  path = spool_path (local);
  if (local->session && path && !local->kept)
    unlink (path);
  g_clear_pointer (&local->session, vod_session_delete);
  g_mutex_unlock (&local->lock);
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
  g_autofree gchar *path = NULL;
  gboolean spooled;

  g_mutex_lock (&local->lock);
  spooled = local->spool && !local->spool_left;
  path = spool_path (local);
  if (local->session && path && why == VOD_LOCAL_CANCELLED)
    vod_file_set_cancelled (path, TRUE);
  if (local->session && why == VOD_LOCAL_FLUSHED)
    spooled = spooled && !flush_spool (local);
  if (local->session && spooled && why != VOD_LOCAL_CANCELLED) {
    vod_local_start_over (local, &error);
    vod_session_close (g_steal_pointer (&local->session));
  } else if (local->session) {
    vod_session_delete (g_steal_pointer (&local->session));
  }
  g_mutex_unlock (&local->lock);
  g_clear_error (&error);
}

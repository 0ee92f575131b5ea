/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vod-recordings.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/vodchecksum.h"
#include "upload/vodfile.h"
#include "upload/vodsessionfile.h"
#include "vod-container.h"

#define PIECE (1024 * 1024)

void
vod_recording_clear (VodRecording *recording)
{
  g_free (recording->key);
  g_free (recording->name);
  g_free (recording->type);
  g_free (recording->endpoint);
  g_free (recording->resume_key);
  *recording = (VodRecording){0};
}

const gchar *
vod_recording_kind_name (VodRecordingKind kind)
{
  switch (kind) {
    case VOD_RECORDING_COMPLETE:
      return "complete";
    case VOD_RECORDING_NO_END:
      return "no end";
    case VOD_RECORDING_IN_USE:
      return "in use";
    case VOD_RECORDING_NO_SESSION:
      return "no session";
    case VOD_RECORDING_CANCELLED:
      return "cancelled";
    case VOD_RECORDING_DAMAGED:
      return "damaged";
    case VOD_RECORDING_FILE_UPLOAD:
      break;
  }
  return "upload of a file";
}

/* --- the spool ------------------------------------------------------------*/

/* -1: it is not a file that may be used. */
static int
open_spool (const gchar *dir, const gchar *key, int mode, struct stat *info)
{
  g_autofree gchar *path = vod_session_path (dir, key, "media");
  int fd = open (path, mode | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

  if (fd < 0)
    return -1;
  if (fstat (fd, info) == 0 && vod_file_is_ours (info))
    return fd;
  close (fd);
  return -1;
}

/* --- how much of it counts ------------------------------------------------*/

static gboolean
holds_part (int fd, const VodSessionPart *part)
{
  g_autofree guint8 *buffer = g_malloc (PIECE);
  guint64 crc = 0;
  gssize n;

  for (guint64 done = 0; done < part->size; done += (guint64)n) {
    do
      n = pread (fd, buffer, (gsize)MIN (PIECE, part->size - done),
          (off_t)(part->offset + done));
    while (n < 0 && errno == EINTR);
    if (n <= 0)
      return FALSE;
    crc = vod_crc64 (crc, buffer, (gsize)n);
  }
  return crc == part->crc64;
}

guint64
vod_recording_prove (const VodSessionState *state, int fd, guint64 size)
{
  guint64 sure;

  if (state == NULL || state->same_boot || (state->eos && state->size == size))
    return size;
  sure = MIN (state->synced, size);
  for (guint i = 0; i < state->parts->len; i++) {
    const VodSessionPart *part = g_ptr_array_index (state->parts, i);
    guint64 end = part->offset + part->size;

    if (end <= sure)
      continue;
    if (!part->confirmed || end > size || !holds_part (fd, part))
      break;
    sure = end;
  }
  return sure;
}

/* --- looking --------------------------------------------------------------*/

static void
take_header (VodRecording *recording, const VodSessionState *state)
{
  recording->name = g_strdup (state->name);
  recording->type = g_strdup (state->type);
  recording->endpoint = g_strdup (state->endpoint);
  recording->resume_key = g_strdup (state->resume_key);
  for (guint i = 0; i < state->parts->len; i++) {
    const VodSessionPart *part = g_ptr_array_index (state->parts, i);

    if (part->confirmed)
      recording->up += part->size;
  }
}

static void
judge_end (VodRecording *recording, const VodSessionState *state)
{
  recording->kind = VOD_RECORDING_NO_END;
  if (!recording->has_spool || !state->eos || state->size < recording->size)
    return;
  if (state->size == recording->size) {
    recording->kind = VOD_RECORDING_COMPLETE;
    return;
  }
  recording->kind = VOD_RECORDING_DAMAGED;
  recording->damage = "its end is missing from the spool";
}

/* Opens the session if there is a file that may be one: what opening would
 * create or replace is left alone. */
static VodSession *
open_existing (VodRecording *recording, const gchar *dir, GError **error)
{
  g_autofree gchar *path = vod_session_path (dir, recording->key, "session");
  struct stat info;

  if (lstat (path, &info) != 0) {
    recording->kind = VOD_RECORDING_NO_SESSION;
    return NULL;
  }
  if (info.st_size == 0 && vod_file_is_ours (&info)) {
    recording->kind = VOD_RECORDING_NO_SESSION;
  } else {
    recording->kind = VOD_RECORDING_DAMAGED;
    recording->damage = "its session file cannot be used";
  }
  if (!vod_file_is_ours (&info))
    return NULL;
  if (recording->age < 0)
    recording->age = g_get_real_time () / G_USEC_PER_SEC - info.st_mtime;
  return vod_session_open (dir, recording->key, error);
}

static void
examine_session (
    VodRecording *recording, const gchar *dir, int fd, gboolean prove)
{
  GError *error = NULL;
  VodSession *session = open_existing (recording, dir, &error);
  const VodSessionState *state;

  if (session == NULL) {
    if (error && error->code == VOD_ERROR_BUSY) {
      recording->kind = VOD_RECORDING_IN_USE;
      recording->damage = NULL;
    }
    g_clear_error (&error);
    return;
  }
  state = vod_session_found (session);
  if (state) {
    recording->damage = NULL;
    take_header (recording, state);
    judge_end (recording, state);
    /* To read it all may take minutes. Nobody has to wait for that: before it is
     * cut, it is seen whether it has grown. */
    vod_session_release (session);
    if (prove && fd >= 0)
      recording->sure = vod_recording_prove (state, fd, recording->size);
  }
  vod_session_close (session);
}

/* There is something at the spool's place. */
static int
examine_spool (VodRecording *recording, const gchar *dir)
{
  struct stat info;
  int fd = open_spool (dir, recording->key, O_RDONLY, &info);

  recording->age = -1;
  if (fd < 0)
    return -1;
  recording->has_spool = TRUE;
  recording->size = recording->sure = (guint64)info.st_size;
  recording->age = g_get_real_time () / G_USEC_PER_SEC - info.st_mtime;
  return fd;
}

gboolean
vod_recording_examine (
    VodRecording *recording, const gchar *dir, const gchar *key, gboolean prove)
{
  g_autofree gchar *media = vod_session_path (dir, key, "media");
  g_autofree gchar *session = vod_session_path (dir, key, "session");
  struct stat info;
  gboolean spooled = lstat (media, &info) == 0;
  int fd;

  *recording = (VodRecording){0};
  if (!spooled && lstat (session, &info) != 0)
    return FALSE;
  recording->key = g_strdup (key);
  fd = examine_spool (recording, dir);
  examine_session (recording, dir, fd, prove);
  if (recording->kind == VOD_RECORDING_NO_SESSION && fd >= 0 &&
      vod_file_is_cancelled (fd))
    recording->kind = VOD_RECORDING_CANCELLED;
  if (fd >= 0)
    close (fd);
  if (recording->kind == VOD_RECORDING_IN_USE)
    return TRUE;
  if (!spooled && recording->damage == NULL) {
    recording->kind = VOD_RECORDING_FILE_UPLOAD;
  } else if (spooled && !recording->has_spool) {
    recording->kind = VOD_RECORDING_DAMAGED;
    recording->damage = "its spool is not a regular file of ours alone";
  }
  return TRUE;
}

gboolean
vod_recording_survives_cut (
    const VodRecording *recording, const gchar *dir, const gchar *type)
{
  struct stat info;
  int fd = open_spool (dir, recording->key, O_RDONLY, &info);
  gboolean survives;

  if (fd < 0)
    return FALSE;
  survives = vod_container_survives_cut (
      recording->type ? recording->type : type, fd, recording->sure);
  close (fd);
  return survives;
}

/* --- changing -------------------------------------------------------------*/

static gboolean
fail_spool (const gchar *doing, GError **error)
{
  vod_error_set (error, VOD_ERROR_LOCAL, "The spool cannot be %s: %s", doing,
      g_strerror (errno));
  return FALSE;
}

/* From here on all of the spool counts, also after another restart. */
static gboolean
cut_spool (VodSession *session, const VodRecording *recording, const gchar *dir,
    GError **error)
{
  struct stat info;
  int fd = open_spool (dir, recording->key, O_RDWR, &info);
  gboolean cut;

  if (fd < 0)
    return fail_spool ("opened", error);
  if ((guint64)info.st_size != recording->size) {
    close (fd);
    vod_error_set (error, VOD_ERROR_BUSY,
        "Another upload has gone on with the spool meanwhile: try again");
    return FALSE;
  }
  cut = vod_file_resize (fd, recording->sure) && vod_file_sync_all (fd);
  if (!cut)
    fail_spool ("cut", error);
  close (fd);
  return cut && vod_session_note_synced (session, recording->sure, error);
}

gboolean
vod_recording_cut (
    const VodRecording *recording, const gchar *dir, GError **error)
{
  VodSession *session = vod_session_open (dir, recording->key, error);
  gboolean cut;

  if (session == NULL)
    return FALSE;
  cut = cut_spool (session, recording, dir, error);
  vod_session_close (session);
  return cut;
}

/* What is up is not there any more, or will be deleted. */
static gboolean
let_go (VodSession *session, const gchar *dir, GError **error)
{
  const VodSessionState *state = vod_session_found (session);
  VodSession *discard;
  GError *failure = NULL;

  if (state == NULL || state->session_key == NULL)
    return TRUE;
  discard = vod_session_remember_discard (dir, state, &failure);
  g_clear_pointer (&discard, vod_session_close);
  if (failure)
    g_propagate_error (error, failure);
  return failure == NULL;
}

gboolean
vod_recording_discard (const gchar *dir, const gchar *key, GError **error)
{
  g_autofree gchar *media = vod_session_path (dir, key, "media");
  VodSession *session = vod_session_open (dir, key, error);

  if (session == NULL)
    return FALSE;
  if (!let_go (session, dir, error)) {
    vod_session_close (session);
    return FALSE;
  }
  if (unlink (media) != 0 && errno != ENOENT) {
    fail_spool ("deleted", error);
    vod_session_close (session);
    return FALSE;
  }
  vod_session_delete (session);
  return TRUE;
}

guint
vod_recording_count_discards (const gchar *dir)
{
  static const gchar *const suffixes[] = {".discard", NULL};
  g_auto (GStrv) keys = vod_session_dir_list (dir, suffixes, NULL);

  return keys ? g_strv_length (keys) : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vod-recordings: what interrupted uploads have left in a state directory.
 *
 * A recording is a spool (KEY.media) and usually what its session file says of
 * it. Nothing in the directory is believed before it was checked, what is not a
 * regular file of ours alone is neither read nor followed, and what somebody
 * else holds is not touched.
 */
#pragma once

#include "upload/vodsession.h"

G_BEGIN_DECLS

typedef enum {
  VOD_RECORDING_COMPLETE,    /* had reached its end */
  VOD_RECORDING_NO_END,      /* was cut off */
  VOD_RECORDING_IN_USE,      /* is being recorded or uploaded now */
  VOD_RECORDING_NO_SESSION,  /* nothing tells what it is */
  VOD_RECORDING_CANCELLED,   /* nor of this, but that it was given up */
  VOD_RECORDING_DAMAGED,     /* see `damage` */
  VOD_RECORDING_FILE_UPLOAD, /* no spool: upstream's file has the bytes */
} VodRecordingKind;

typedef struct {
  gchar *key;
  VodRecordingKind kind;
  const gchar *damage; /* what is wrong, if anything */
  gboolean has_spool;  /* there is a file that can be read … */
  guint64 size;        /* … of so many bytes, … */
  guint64 sure;        /* … of which so many count: see examine() */
  gint64 age;          /* seconds since anything was written; -1: not known */
  guint64 up;          /* bytes the service has, as far as is known */
  gchar *name;         /* the header's; NULL: not known */
  gchar *type;
  gchar *endpoint;
  gchar *resume_key;
} VodRecording;

/* Looks at the one of @key in @dir. With @prove, reads as much of the spool as
 * is needed to tell how much of it counts: all, unless the machine was restarted
 * before the end was reached; then what had been synced, and what parts that the
 * service has confirmed prove without a gap. FALSE: there is none. */
gboolean vod_recording_examine (VodRecording *recording, const gchar *dir,
    const gchar *key, gboolean prove);
void vod_recording_clear (VodRecording *recording);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VodRecording, vod_recording_clear)

/* "complete", "in use"… */
const gchar *vod_recording_kind_name (VodRecordingKind kind);

/* Can it be played without its end? @type: instead of its own, if that is not
 * known. */
gboolean vod_recording_survives_cut (
    const VodRecording *recording, const gchar *dir, const gchar *type);

/* Cuts the spool to what is sure. Errors as vod_session_open() and for the
 * file; VOD_ERROR_BUSY also if it has not the size any more that examine()
 * saw. */
gboolean vod_recording_cut (
    const VodRecording *recording, const gchar *dir, GError **error);

/* Deletes session and spool, and remembers what is up in order to delete it.
 * VOD_ERROR_BUSY: somebody has it. */
gboolean
vod_recording_discard (const gchar *dir, const gchar *key, GError **error);

/* Of the @size bytes in @fd, how many count by what @state says (NULL: it says
 * nothing). Reads parts. */
guint64
vod_recording_prove (const VodSessionState *state, int fd, guint64 size);

/* Uploads in @dir whose parts are still to be deleted. */
guint vod_recording_count_discards (const gchar *dir);

G_END_DECLS

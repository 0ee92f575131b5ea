/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What vodlocal.c and vodlocalopen.c share. Until vod_local_open() has returned
 * nobody else knows the VodLocal: there "with the lock" means without anybody.
 */
#pragma once

#include "vodlocal.h"

G_BEGIN_DECLS

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
  gchar *kept;         /* the copy that outlives the upload */
  VodSession *session; /* NULL: the end, see the header */
  gboolean broken;     /* nothing can be noted any more */
  guint attempt;
  gboolean applied; /* the session tells of something at the service */
  guint64 eos_size; /* 0: not at its end, nor was the spool's recording */
  guint64 synced;   /* bytes of the spool that the disk has */
  guint64 earlier;  /* bytes that an earlier run left in it, … */
  guint64 safe;     /* … of which so many are certain, once a sync covers
                     * them; a restart of the machine may have cost the rest */
  gboolean lost;    /* a sync has failed: what was not synced may be, too */
  GError *trouble;
};

/* Where the spool is or would be. */
gchar *vod_local_media_path (const VodLocal *local);

/* With the lock. */
gboolean vod_local_open_session (VodLocal *local, GError **error);

/* Moves what is there under our key out of the way, and opens a new session.
 * *@recovered: the new path of the recording. With the lock. */
gboolean
vod_local_move_aside (VodLocal *local, gchar **recovered, GError **error);

/* Starts the journal over; what it knows of the spool stays true. With the
 * lock. */
gboolean vod_local_start_over (VodLocal *local, GError **error);

G_END_DECLS

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testsession: what the tests of session files share.
 */
#pragma once

#include "upload/vodsession.h"

#define KEY "0123456789abcdef0123456789abcdef"
#define ENDPOINT "https://vod2.qcloud.com"
#define HOST "1500b-1251.cos.ap-chongqing.myqcloud.com"
#define OBJECT "ab/f0.f0/来自 GStreamer.mp4"
#define SESSION_KEY "Zm9v+/bar==" /* in the shape of base64 */
#define ETAG "\"5eb63bbbe01eeed093cb22bb8f5acdc3\""
#define MIB G_GUINT64_CONSTANT (1048576)

/* A directory of the test's own, prepared, and its removal with all in it. */
gchar *session_make_dir (void);
void session_remove_dir (gchar *dir);

/* Do files in @dir have attributes? A few file systems have none. */
gboolean session_keeps_attributes (const gchar *dir);

/* A spooled media with every string. */
VodSessionState session_media (void);

/* Opens KEY; aborts if that fails. */
VodSession *session_open (const gchar *dir);

/* … which fails with @code, naming KEY's path unless it is VOD_ERROR_PARAMETER. */
void session_open_fails (const gchar *dir, const gchar *key, VodErrorCode code);

/* The story of an upload, told in steps from 0 to SESSION_STEPS - 1; 0 is
 * vod_session_begin(). */
#define SESSION_STEPS 14
gboolean session_step (VodSession *session, guint step, GError **error);

/* Steps 0 to @n - 1, none of which fails. */
void session_steps (VodSession *session, guint n);

/* All of @state in a string, "nothing" for NULL: equal if it is. */
gchar *session_describe (const VodSessionState *state);

/* What session_describe() gives after each number of steps, [0] before the
 * first: written down here, not read from anywhere. */
gchar *session_story (guint steps);

/* That @session has found the story of @steps steps. Macros, so that a failure
 * tells where. */
#define session_assert_story(session, steps)                                   \
  G_STMT_START                                                                 \
  {                                                                            \
    g_autofree gchar *expected_ = session_story (steps);                       \
    g_autofree gchar *found_ = session_describe (vod_session_found (session)); \
                                                                               \
    g_assert_cmpstr (found_, ==, expected_);                                   \
  }                                                                            \
  G_STMT_END

/* … and that KEY's has, which is opened for that. */
#define session_assert_kept(dir, steps)                                        \
  G_STMT_START                                                                 \
  {                                                                            \
    VodSession *kept_ = session_open (dir);                                    \
                                                                               \
    session_assert_story (kept_, steps);                                       \
    vod_session_close (kept_);                                                 \
  }                                                                            \
  G_STMT_END

/* DIR/KEY.SUFFIX */
gchar *session_file_of (const gchar *dir, const gchar *suffix);

/* Does the file say that its recording was cancelled? */
gboolean session_is_cancelled (const gchar *path);

/* Writes a file with mode 0600. */
void session_put (const gchar *path, const gchar *text, gsize len);

/* From now on it is known what is done to the files of @dir. Returns a file
 * descriptor that can be read when something was. */
gint session_watch (const gchar *dir);

/* … which, since the last call, is this: "open", "read" and "close", each with
 * a name without its directory, and a line for each. */
gchar *session_watched (gint watch);

/* Calls @func in a process of its own, which must come to its end. */
void session_in_child (void (*func) (gpointer data), gpointer data);

/* Ends a child that was forked, successfully. By exec: valgrind takes what the
 * parent's functions hold for lost when their copy in the child just exits. */
void session_end_child (void) G_GNUC_NORETURN;

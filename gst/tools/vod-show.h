/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vod-show: what vod-resume tells people. Names come from files and are made
 * printable; nothing that is a secret is known here.
 */
#pragma once

#include "vod-recordings.h"

G_BEGIN_DECLS

/* A line on standard output. Takes the place of a progress line. */
void vod_show_line (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

/* Says how far it is: on a terminal always in the same line, else a line now and
 * then. */
void vod_show_progress (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

/* Likewise, why it waits; the first at once. */
void vod_show_trouble (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

/* 1234567 -> "1.2 MB" */
gchar *vod_show_size (guint64 size);

/* 90 (s) -> "1 min 30 s" */
gchar *vod_show_time (guint64 seconds);

/* NAME.TYPE, or the key. */
gchar *vod_show_title (const VodRecording *recording);

/* The table of --list. */
void vod_show_table_head (void);
void vod_show_table_row (const VodRecording *recording);

G_END_DECLS

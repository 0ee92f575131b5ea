/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vod-show.h"

#include <stdio.h>
#include <unistd.h>

#define NOW_AND_THEN (10 * G_USEC_PER_SEC)
#define NAME_MAX_SHOWN 200

static gboolean in_line;    /* the cursor is behind a progress line */
static gint64 last_told[2]; /* monotonic µs: progress, trouble */

void
vod_show_line (const gchar *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_print ("%s%s\n", in_line ? "\r\033[K" : "", text);
  in_line = FALSE;
}

/* On a terminal without wrapping: there is one line to be taken back. */
static void
tell_passing (const gchar *text, gint64 *last)
{
  gint64 now = g_get_monotonic_time ();

  if (isatty (STDOUT_FILENO)) {
    g_print ("\r\033[K\033[?7l%s\033[?7h", text);
    fflush (stdout);
    in_line = TRUE;
  } else if (*last == 0 || now - *last >= NOW_AND_THEN) {
    g_print ("%s\n", text);
    *last = now;
  }
}

void
vod_show_progress (const gchar *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  /* What takes a moment only needs no line of its own. */
  if (last_told[0] == 0)
    last_told[0] = g_get_monotonic_time ();
  tell_passing (text, &last_told[0]);
}

void
vod_show_trouble (const gchar *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  tell_passing (text, &last_told[1]);
}

gchar *
vod_show_size (guint64 size)
{
  return g_format_size (size);
}

gchar *
vod_show_time (guint64 seconds)
{
  const guint64 minute = 60, hour = 60 * minute, day = 24 * hour;

  if (seconds >= 2 * day)
    return g_strdup_printf ("%" G_GUINT64_FORMAT " days", seconds / day);
  if (seconds >= hour)
    return g_strdup_printf ("%" G_GUINT64_FORMAT " h %" G_GUINT64_FORMAT " min",
        seconds / hour, seconds % hour / minute);
  if (seconds >= minute)
    return g_strdup_printf ("%" G_GUINT64_FORMAT " min %" G_GUINT64_FORMAT " s",
        seconds / minute, seconds % minute);
  return g_strdup_printf ("%" G_GUINT64_FORMAT " s", seconds);
}

gchar *
vod_show_title (const VodRecording *recording)
{
  g_autofree gchar *name = vod_printable (recording->name, NAME_MAX_SHOWN);
  g_autofree gchar *type = vod_printable (recording->type, 32);

  if (name == NULL)
    return g_strdup (recording->key);
  return g_strconcat (name, ".", type ? type : "?", NULL);
}

/* --- the table ------------------------------------------------------------*/

/* A key may have a number behind it. */
#define ROW "%-37s  %-10s  %9s  %9s  %12s  %s"

void
vod_show_table_head (void)
{
  vod_show_line (ROW, "KEY", "STATE", "SIZE", "UP", "AGE", "NAME");
}

/* What cannot be told by a word. */
static const gchar *
remark (const VodRecording *recording)
{
  if (recording->kind == VOD_RECORDING_FILE_UPLOAD)
    return " (upload of a file: run the same command again)";
  return recording->damage ? recording->damage : "";
}

void
vod_show_table_row (const VodRecording *recording)
{
  g_autofree gchar *size = vod_show_size (recording->size);
  g_autofree gchar *up = vod_show_size (recording->up);
  g_autofree gchar *age = vod_show_time ((guint64)MAX (recording->age, 0));
  g_autofree gchar *title =
      recording->name ? vod_show_title (recording) : g_strdup ("");
  const gchar *said = remark (recording);
  gboolean file = recording->kind == VOD_RECORDING_FILE_UPLOAD;

  vod_show_line (ROW "%s%s", recording->key,
      file ? "-" : vod_recording_kind_name (recording->kind),
      recording->has_spool ? size : "-",
      recording->kind == VOD_RECORDING_IN_USE ? "-" : up,
      recording->age >= 0 ? age : "-", title,
      *title && recording->damage ? ": " : "", said);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodlog: see vodlog.h.
 */
#include "vodlog.h"

#include <stdarg.h>

gboolean
vod_log_wants (const VodLog *log, VodLogLevel level)
{
  return log->wants && log->wants (level, log->data);
}

void
vod_log_full (const VodLog *log, VodLogLevel level, const gchar *file,
    const gchar *function, gint line, const gchar *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list args;

  if (!vod_log_wants (log, level))
    return;
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  log->write (level, file, function, line, text, log->data);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodtext: see vodtext.h.
 */
#include "vodtext.h"

#include <string.h>

gboolean
vod_text_is_word (const gchar *text, gsize max)
{
  gsize len = strlen (text);

  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isgraph (text[i]))
      return FALSE;
  return len > 0 && len <= max;
}

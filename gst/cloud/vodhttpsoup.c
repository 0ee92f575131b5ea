/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodhttpsoup.h"

#include <dlfcn.h>
#include <libsoup/soup.h>
#include <link.h>

#include "voderror.h"

#define SOUP2 "libsoup-2."
#define SOUP3 "libsoup-3."

static gboolean
is_file_of (const gchar *path, const gchar *library)
{
  g_autofree gchar *name = g_path_get_basename (path);

  return g_str_has_prefix (name, library);
}

static int
note_soup2 (struct dl_phdr_info *info, size_t size, void *found)
{
  *(gboolean *)found |= info->dlpi_name && is_file_of (info->dlpi_name, SOUP2);
  return 0;
}

static gboolean
is_soup2_loaded (void)
{
  gboolean found = FALSE;

  dl_iterate_phdr (note_soup2, &found);
  return found;
}

/* Never references the class: where another thread is still registering the
 * type, that would initialise the class before libsoup has announced its private
 * data, and each session's would lie outside of its memory. A class that is
 * there may still be that of the parent. */
static gboolean
is_of_soup2 (GType type)
{
  gpointer klass = g_type_class_peek (type);
  Dl_info info = {0};

  if (klass && g_type_is_a (type, G_TYPE_OBJECT) &&
      dladdr ((gpointer)G_OBJECT_CLASS (klass)->finalize, &info) != 0 &&
      info.dli_fname) {
    if (is_file_of (info.dli_fname, SOUP3))
      return FALSE;
    if (is_file_of (info.dli_fname, SOUP2))
      return TRUE;
  }
  return is_soup2_loaded ();
}

/* Registers libsoup 3's type if it can: from then on nobody else can. */
static gpointer
find_out (gpointer data)
{
  GType type = g_type_from_name ("SoupSession");

  if (type != 0 && is_of_soup2 (type))
    return GINT_TO_POINTER (FALSE);
  g_type_ensure (SOUP_TYPE_SESSION);
  return GINT_TO_POINTER (TRUE);
}

gboolean
vod_http_soup_is_usable (GError **error)
{
  static GOnce once = G_ONCE_INIT;

  if (g_once (&once, find_out, NULL))
    return TRUE;
  vod_error_set (error, VOD_ERROR_PARAMETER,
      "This process uses libsoup 2.4, beside which libsoup 3 cannot work: run "
      "the pipeline in a process of its own");
  return FALSE;
}

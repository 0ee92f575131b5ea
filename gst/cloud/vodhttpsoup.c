/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodhttpsoup.h"

#include <dlfcn.h>
#include <gio/gio.h>

#include "voderror.h"

/* The file that the code of @type was loaded from; a new string or NULL. */
static gchar *
library_of (GType type)
{
  GObjectClass *klass = g_type_class_ref (type);
  Dl_info info = {0};
  gchar *name = NULL;

  if (dladdr ((gpointer)klass->finalize, &info) != 0 && info.dli_fname)
    name = g_path_get_basename (info.dli_fname);
  g_type_class_unref (klass);
  return name;
}

gboolean
vod_http_soup_is_usable (GError **error)
{
  GType type = g_type_from_name ("SoupSession");
  g_autofree gchar *library = NULL;

  if (type == 0 || !g_type_is_a (type, G_TYPE_OBJECT))
    return TRUE;
  library = library_of (type);
  if (library == NULL || !g_str_has_prefix (library, "libsoup-2."))
    return TRUE;
  vod_error_set (error, VOD_ERROR_PARAMETER,
      "This process uses libsoup 2.4, beside which libsoup 3 cannot work: run "
      "the pipeline in a process of its own");
  return FALSE;
}

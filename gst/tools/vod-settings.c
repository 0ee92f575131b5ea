/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vod-settings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/vodsignature.h"
#include "gstvodsink.h"

#define FILE_MAX 65536 /* bytes; JSON may be around a signature */

/* Without these there would be no going on. */
static const gchar *const ours[] = {"fatal-errors", "name", "parent", "resume",
    "resume-key", "spool", "state-dir", NULL};

G_GNUC_PRINTF (2, 3)
static gboolean
fail (GError **error, const gchar *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error)
    *error = g_error_new_valist (
        G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, format, args);
  va_end (args);
  return FALSE;
}

/* --- files with secrets ---------------------------------------------------*/

static gssize
read_all (int fd, gchar *text, gsize size)
{
  gsize len = 0;
  gssize n;

  do {
    n = read (fd, text + len, size - len);
    len += (gsize)MAX (n, 0);
  } while ((n > 0 && len < size) || (n < 0 && errno == EINTR));
  return n < 0 ? -1 : (gssize)len;
}

static gboolean
is_private (const struct stat *info)
{
  return S_ISREG (info->st_mode) && (info->st_mode & 077) == 0 &&
      info->st_uid == geteuid ();
}

/* What it says of the file, @info, is of what was read, whoever exchanges files
 * meanwhile. NUL terminated; *@len may be FILE_MAX + 1: there is more. */
static gchar *
read_file (const gchar *path, gsize *len, struct stat *info, GError **error)
{
  g_autofree gchar *text = g_malloc0 (FILE_MAX + 2);
  g_autofree gchar *shown = g_filename_display_name (path);
  int fd = open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  gssize got;

  if (fd < 0) {
    fail (error, "%s cannot be opened: %s", shown, g_strerror (errno));
    return NULL;
  }
  got = fstat (fd, info) == 0 ? read_all (fd, text, FILE_MAX + 1) : -1;
  if (got < 0)
    fail (error, "%s cannot be read: %s", shown, g_strerror (errno));
  close (fd);
  *len = (gsize)MAX (got, 0);
  return got < 0 ? NULL : g_steal_pointer (&text);
}

/* --- the signature file ---------------------------------------------------*/

/* That of somebody else who lets our group read it is meant so. */
static gboolean
is_open_to_others (const struct stat *info)
{
  return (info->st_mode & (info->st_uid == geteuid () ? 077 : 07)) != 0;
}

static gchar *
read_signature (const gchar *path, struct stat *info, GError **error)
{
  gsize len;
  g_autofree gchar *text = read_file (path, &len, info, error);
  g_autofree gchar *shown = g_filename_display_name (path);
  gchar *signature;

  if (text == NULL)
    return NULL;
  if (len > FILE_MAX) {
    fail (error, "%s is too long to be a signature", shown);
    return NULL;
  }
  signature = vod_signature_parse (text, len, error);
  if (signature == NULL)
    g_prefix_error (error, "%s: ", shown);
  return signature;
}

gchar *
vod_settings_read_signature (const gchar *path, GError **error)
{
  struct stat info;

  return read_signature (path, &info, error);
}

/* A signature is good for a while only, and the usual umask lets everybody read
 * what is made: no reason to upload nothing. */
static gboolean
check_signature_file (const gchar *path, GError **error)
{
  struct stat info;
  g_autofree gchar *signature = read_signature (path, &info, error);
  g_autofree gchar *shown = g_filename_display_name (path);

  if (signature && is_open_to_others (&info))
    g_printerr ("vod-resume: warning: %s can be used by others, who may upload "
                "with it: chmod 600 %s\n",
        shown, shown);
  return signature != NULL;
}

/* In a worker's thread, whenever a request needs one. What is no signature ends
 * the upload; NULL would make it wait for one. */
static gchar *
on_get_signature (GstElement *sink, gpointer data)
{
  g_autoptr (GError) error = NULL;
  gchar *signature = vod_settings_read_signature (data, &error);

  if (signature)
    return signature;
  g_printerr ("vod-resume: %s\n", error->message);
  return g_strdup ("");
}

/* --- the options file -----------------------------------------------------*/

/* Strict in the name, because errors show names: a file that is none of options
 * may hold a secret in its place. */
static gboolean
is_option (const gchar *line)
{
  gsize len = strspn (line, "abcdefghijklmnopqrstuvwxyz-_");

  return len > 0 && len <= 32 && line[len] == '=' &&
      g_utf8_validate (line, -1, NULL);
}

/* The lines that are options, or NULL. */
static GPtrArray *
parse_options (gchar **lines, const gchar *shown, GError **error)
{
  g_autoptr (GPtrArray) options = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; lines[i]; i++) {
    if (lines[i][0] == '\0' || lines[i][0] == '#')
      continue;
    if (!is_option (lines[i])) {
      fail (error, "%s: line %u is not PROPERTY=VALUE", shown, i + 1);
      return NULL;
    }
    g_ptr_array_add (options, g_strdup (lines[i]));
  }
  return g_steal_pointer (&options);
}

gboolean
vod_settings_read_options (
    VodSettings *settings, const gchar *path, GError **error)
{
  gsize len;
  struct stat info;
  g_autofree gchar *text = read_file (path, &len, &info, error);
  g_autofree gchar *shown = g_filename_display_name (path);
  g_auto (GStrv) lines = NULL, set = settings->set;
  GPtrArray *options;

  settings->set = NULL;
  if (text == NULL)
    return FALSE;
  if (!is_private (&info))
    return fail (error,
        "%s can be used by others, or is not yours: chmod 600 %s", shown,
        shown);
  if (len > FILE_MAX || strlen (text) != len)
    return fail (error, "%s is too long, or not text", shown);
  lines = g_strsplit (text, "\n", -1);
  options = parse_options (lines, shown, error);
  if (options == NULL)
    return FALSE;
  /* What comes later counts. */
  for (guint i = 0; set && set[i]; i++)
    g_ptr_array_add (options, g_strdup (set[i]));
  g_ptr_array_add (options, NULL);
  settings->set = (gchar **)g_ptr_array_free (options, FALSE);
  return TRUE;
}

/* --- --set ----------------------------------------------------------------*/

/* TRUE if @item sets @property; *@value is in it. As for GObject, a '_' is a '-'
 * in a name. */
static gboolean
sets (const gchar *item, const gchar *property, const gchar **value)
{
  for (; *property; item++, property++)
    if (*item != *property && !(*item == '_' && *property == '-'))
      return FALSE;
  if (*item != '=')
    return FALSE;
  *value = item + 1;
  return TRUE;
}

const gchar *
vod_settings_get (const VodSettings *settings, const gchar *property)
{
  const gchar *found = NULL;

  for (guint i = 0; settings->set && settings->set[i]; i++)
    sets (settings->set[i], property, &found);
  return found;
}

/* gst_util_set_object_arg() says nothing of what it cannot do. */
static gboolean
check_value (GParamSpec *spec, const gchar *value, GError **error)
{
  GValue parsed = G_VALUE_INIT;
  gboolean good;

  g_value_init (&parsed, spec->value_type);
  good = gst_value_deserialize_with_pspec (&parsed, value, spec) &&
      !g_param_value_validate (spec, &parsed);
  g_value_unset (&parsed);
  /* What it holds may be a secret. */
  return good ||
      fail (error, "--set %s: that value cannot be a %s, or is out of range",
          spec->name, g_type_name (spec->value_type));
}

static gboolean
set_property (GObject *sink, const gchar *item, GError **error)
{
  const gchar *equals = strchr (item, '=');
  g_autofree gchar *name = NULL;
  GParamSpec *spec;

  if (equals == NULL || equals == item)
    return fail (error, "--set needs PROPERTY=VALUE");
  name = g_strndup (item, (gsize)(equals - item));
  spec = g_object_class_find_property (G_OBJECT_GET_CLASS (sink), name);
  if (spec == NULL || (spec->flags & G_PARAM_WRITABLE) == 0)
    return fail (error, "--set %s: vodsink has no such property to set", name);
  if (g_strv_contains (ours, spec->name))
    return fail (error, "--set %s: vod-resume itself sets that", spec->name);
  if (!check_value (spec, equals + 1, error))
    return FALSE;
  gst_util_set_object_arg (sink, spec->name, equals + 1);
  return TRUE;
}

static gboolean
apply (const VodSettings *settings, GObject *sink, GError **error)
{
  for (guint i = 0; settings->set && settings->set[i]; i++)
    if (!set_property (sink, settings->set[i], error))
      return FALSE;
  return TRUE;
}

/* --- the element ----------------------------------------------------------*/

gboolean
vod_settings_can_sign (const VodSettings *settings)
{
  return settings->signature_url || settings->signature_file ||
      vod_settings_get (settings, "signature") ||
      vod_settings_get (settings, "signature-url");
}

static void
set_signature (const VodSettings *settings, GstElement *sink)
{
  if (settings->signature_url)
    g_object_set (sink, "signature-url", settings->signature_url, NULL);
  if (settings->signature_file)
    g_signal_connect_data (sink, "get-signature", G_CALLBACK (on_get_signature),
        g_strdup (settings->signature_file),
        (GClosureNotify)(void (*) (void))g_free, 0);
}

static GstElement *
create_sink (const VodSettings *settings)
{
  GstElement *sink = g_object_new (GST_TYPE_VOD_SINK, "resume", TRUE, "spool",
      TRUE, "state-dir", settings->state_dir, NULL);

  set_signature (settings, sink);
  return sink;
}

GstElement *
vod_settings_sink_new (
    const VodSettings *settings, const VodRecording *recording)
{
  GstElement *sink = create_sink (settings);

  if (recording->endpoint)
    g_object_set (sink, "endpoint", recording->endpoint, NULL);
  g_object_set (sink, "media-name", recording->name, "media-type",
      recording->type, "resume-key", recording->resume_key, NULL);
  gst_vod_sink_recover (GST_VOD_SINK (sink), recording->key);
  apply (settings, G_OBJECT (sink), NULL);
  return sink;
}

gboolean
vod_settings_latch (
    const VodSettings *settings, VodUploadSettings *upload, GError **error)
{
  GstElement *sink = gst_object_ref_sink (create_sink (settings));
  gboolean good = apply (settings, G_OBJECT (sink), error) &&
      gst_vod_sink_latch (GST_VOD_SINK (sink), "ts", upload, error);

  gst_object_unref (sink);
  return good;
}

gboolean
vod_settings_check (const VodSettings *settings, GError **error)
{
  VodUploadSettings upload;

  if (settings->signature_url && settings->signature_file)
    return fail (
        error, "--signature-url and --signature-file: one of them, please");
  if (settings->signature_file &&
      !check_signature_file (settings->signature_file, error))
    return FALSE;
  if (!vod_settings_latch (settings, &upload, error))
    return FALSE;
  vod_upload_settings_clear (&upload);
  return TRUE;
}

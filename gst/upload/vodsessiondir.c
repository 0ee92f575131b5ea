/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsessiondir: the state directory and the names in it, see vodsession.h.
 */
#include "vodsession.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vodsessionfile.h"

#define KEY_LEN 32
#define NUMBER_DIGITS 4 /* KEY.9999 */

gchar *
vod_session_choose_dir (const gchar *state_dir)
{
  return state_dir
      ? g_strdup (state_dir)
      : g_build_filename (g_get_user_state_dir (), "vodsink", NULL);
}

/* --- making it --- */

static gboolean
refuse (const gchar *dir, const gchar *why, GError **error)
{
  g_autofree gchar *shown = vod_printable (dir, 300);
  GError *refused = vod_error_new (VOD_ERROR_LOCAL,
      "the state directory %s %s; set state-dir to another", shown, why);

  vod_error_set_phase (refused, VOD_PHASE_SESSION);
  g_propagate_error (error, refused);
  return FALSE;
}

static gboolean
fail (const gchar *dir, const gchar *done, GError **error)
{
  g_propagate_error (error, vod_session_file_error (errno, dir, done));
  return FALSE;
}

/* By trying: access() does not know of everything that may forbid it. */
static gboolean
can_write (gint dir_fd)
{
  g_autofree gchar *name = NULL;
  gint fd = -1;

#ifdef O_TMPFILE
  fd = openat (dir_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  /* Not every file system knows files without a name. */
  if (fd < 0 && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
    return FALSE;
#endif
  if (fd < 0) {
    name = g_strdup_printf (".try-%08x%08x", g_random_int (), g_random_int ());
    fd = openat (dir_fd, name,
        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
      return FALSE;
    unlinkat (dir_fd, name, 0);
  }
  close (fd);
  return TRUE;
}

static gboolean
check_dir (const gchar *dir, gint dir_fd, GError **error)
{
  struct stat st;

  if (fstat (dir_fd, &st) < 0)
    return fail (dir, "used", error);
  if (st.st_uid != geteuid ())
    return refuse (dir, "belongs to another user", error);
  if (st.st_mode & 022)
    return refuse (dir, "can be written to by others", error);
  return can_write (dir_fd) || fail (dir, "written to", error);
}

gboolean
vod_session_prepare_dir (const gchar *dir, GError **error)
{
  g_autofree gchar *plain = g_strdup (dir);
  g_autofree gchar *parent = NULL;
  gboolean result;
  gint fd;

  if (!*dir)
    return refuse (dir, "has no name", error);
  for (gsize n = strlen (plain); n > 1 && plain[n - 1] == '/'; n--)
    plain[n - 1] = '\0';
  parent = g_path_get_dirname (plain);
  if (g_mkdir_with_parents (parent, 0777) < 0)
    return fail (parent, "made", error);
  if (mkdir (plain, 0700) < 0 && errno != EEXIST)
    return fail (plain, "made", error);
  /* A symbolic link to it is fine: people link ~/.local/state. */
  fd = open (plain, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return fail (plain, "used", error);
  result = check_dir (plain, fd, error);
  close (fd);
  return result;
}

/* --- names --- */

gchar *
vod_session_make_key (const gchar *const *parts)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);

  for (; *parts; parts++) {
    g_autofree gchar *head =
        g_strdup_printf ("%" G_GSIZE_FORMAT ":", strlen (*parts));

    g_checksum_update (sum, (const guchar *)head, -1);
    g_checksum_update (sum, (const guchar *)*parts, -1);
  }
  return g_strndup (g_checksum_get_string (sum), KEY_LEN);
}

gboolean
vod_session_check_key (const gchar *key)
{
  gsize n = strspn (key, "0123456789abcdef");
  const gchar *number = key + n + 1;

  if (n != KEY_LEN)
    return FALSE;
  if (!key[n])
    return TRUE;
  return key[n] == '.' && *number >= '1' && *number <= '9' &&
      strspn (number, "0123456789") == strlen (number) &&
      strlen (number) <= NUMBER_DIGITS;
}

gchar *
vod_session_path (const gchar *dir, const gchar *key, const gchar *suffix)
{
  g_autofree gchar *name = g_strconcat (key, ".", suffix, NULL);

  return g_build_filename (dir, name, NULL);
}

/* The key in @name, or NULL if it is none of ours. */
static gchar *
key_of (const gchar *name, const gchar *suffix)
{
  g_autofree gchar *key = NULL;

  if (!g_str_has_suffix (name, suffix))
    return NULL;
  key = g_strndup (name, strlen (name) - strlen (suffix));
  return vod_session_check_key (key) ? g_steal_pointer (&key) : NULL;
}

static gint
compare_keys (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const gchar *const *)a, *(const gchar *const *)b);
}

gchar **
vod_session_dir_list (
    const gchar *dir, const gchar *const *suffixes, GError **error)
{
  g_autoptr (GHashTable) keys =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GPtrArray) list = g_ptr_array_new ();
  g_autoptr (GError) failure = NULL;
  g_autoptr (GDir) stream = g_dir_open (dir, 0, &failure);
  GHashTableIter iter;
  const gchar *name;
  gpointer key;

  /* The first upload will make it. */
  if (!stream && !g_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
    refuse (dir, "cannot be read", error);
    return NULL;
  }
  while (stream && (name = g_dir_read_name (stream)))
    for (guint i = 0; suffixes[i]; i++)
      if ((key = key_of (name, suffixes[i])))
        g_hash_table_add (keys, key);

  g_hash_table_iter_init (&iter, keys);
  while (g_hash_table_iter_next (&iter, &key, NULL)) {
    g_ptr_array_add (list, key);
    g_hash_table_iter_steal (&iter);
  }
  g_ptr_array_sort (list, compare_keys);
  g_ptr_array_add (list, NULL);
  return (gchar **)g_ptr_array_free (g_steal_pointer (&list), FALSE);
}

gchar **
vod_session_list (const gchar *dir, GError **error)
{
  static const gchar *const suffixes[] = {".session", ".media", NULL};

  return vod_session_dir_list (dir, suffixes, error);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodcover.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../cloud/vodimage.h"

static const gchar *const source_names[VOD_N_COVERS] = {
    "The image tag of the stream", "The sample set as cover",
    "The file named by cover-location"};

/* --- which picture --------------------------------------------------------*/

static void
replace (GBytes **slot, GBytes *image)
{
  GBytes *old = *slot;

  *slot = image ? g_bytes_ref (image) : NULL;
  g_clear_pointer (&old, g_bytes_unref);
}

void
vod_cover_clear (VodCover *cover)
{
  for (guint i = 0; i < VOD_N_COVERS; i++)
    replace (&cover->images[i], NULL);
  replace (&cover->announced, NULL);
  replace (&cover->dropped, NULL);
}

void
vod_cover_set (VodCover *cover, VodCoverSource source, GBytes *image)
{
  replace (&cover->images[source], image);
}

const gchar *
vod_cover_type (GBytes *image)
{
  gsize len;
  gconstpointer data = g_bytes_get_data (image, &len);

  return vod_image_type (data, len);
}

static gboolean
check (GBytes *image, const gchar *what, GError **error)
{
  if (g_bytes_get_size (image) > VOD_IMAGE_MAX)
    vod_error_set (error, VOD_ERROR_PARAMETER,
        "%s is larger than a cover may be (%d MiB)", what,
        VOD_IMAGE_MAX / 1024 / 1024);
  else if (vod_cover_type (image) == NULL)
    vod_error_set (error, VOD_ERROR_PARAMETER,
        "%s is no picture that can be a cover (jpeg, png, gif, bmp, webp, "
        "tiff)",
        what);
  else
    return TRUE;
  return FALSE;
}

gboolean
vod_cover_is_usable (GBytes *image)
{
  return check (image, "", NULL);
}

GBytes *
vod_cover_best (VodCover *cover, GError **error)
{
  for (guint i = VOD_N_COVERS; i-- > 0;) {
    if (cover->images[i] == NULL)
      continue;
    if (check (cover->images[i], source_names[i], error))
      return cover->images[i];
    replace (&cover->images[i], NULL);
    return NULL;
  }
  return NULL;
}

/* --- what became of it ----------------------------------------------------*/

void
vod_cover_announce (VodCover *cover, GBytes *image)
{
  replace (&cover->announced, image);
  cover->up = FALSE;
}

gboolean
vod_cover_is_pending (const VodCover *cover)
{
  return cover->announced && !cover->up;
}

void
vod_cover_drop (VodCover *cover, GBytes *image)
{
  replace (&cover->dropped, image);
  if (vod_cover_is_pending (cover) && cover->announced == image)
    replace (&cover->announced, NULL);
}

gboolean
vod_cover_may_go_along (const VodCover *cover, GBytes *best)
{
  return !cover->alone &&
      !(cover->dropped && g_bytes_equal (best, cover->dropped));
}

gboolean
vod_cover_wants_exchange (const VodCover *cover, GBytes *best)
{
  return !(cover->announced && g_bytes_equal (best, cover->announced)) &&
      !(cover->dropped && g_bytes_equal (best, cover->dropped));
}

/* --- from a file ----------------------------------------------------------*/

/* All there is in @fd, up to one byte more than a cover may have; NULL with
 * errno. */
static GBytes *
read_bytes (int fd)
{
  GByteArray *bytes = g_byte_array_new ();
  guint8 piece[64 * 1024];
  gssize n = 1;

  while (n != 0 && bytes->len <= VOD_IMAGE_MAX) {
    n = read (fd, piece, MIN (sizeof piece, VOD_IMAGE_MAX + 1 - bytes->len));
    if (n < 0 && errno != EINTR) {
      int saved = errno;

      g_byte_array_unref (bytes);
      errno = saved;
      return NULL;
    }
    if (n > 0)
      g_byte_array_append (bytes, piece, (guint)n);
  }
  return g_byte_array_free_to_bytes (bytes);
}

/* What there is in @fd, if it is a file; NULL with errno. */
static GBytes *
read_file (int fd)
{
  struct stat about;

  if (fstat (fd, &about) != 0)
    return NULL;
  if (S_ISREG (about.st_mode))
    return read_bytes (fd);
  errno = S_ISDIR (about.st_mode) ? EISDIR : EINVAL;
  return NULL;
}

GBytes *
vod_cover_load (const gchar *path, gboolean *missing, GError **error)
{
  /* Not to be caught by a pipe that nobody writes to. */
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  GBytes *bytes = fd < 0 ? NULL : read_file (fd);
  int failure = errno;

  if (fd >= 0)
    close (fd);
  *missing = bytes ? g_bytes_get_size (bytes) == 0 : failure == ENOENT;
  if (bytes == NULL) {
    g_autofree gchar *name = vod_printable (path, 256);

    vod_error_set (error, VOD_ERROR_PARAMETER,
        "The cover cannot be read: %s: %s (set cover-location to a picture)",
        name, failure == EINVAL ? "not a file" : g_strerror (failure));
  }
  return bytes;
}

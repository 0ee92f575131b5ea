/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodimage: pictures are known by their first bytes, whatever their names say.
 */
#include "vodimage.h"

#include <string.h>

#define REST "0123456789abcdef"

static const struct {
  const gchar *name;
  const gchar *bytes;
  gsize len; /* without REST */
  const gchar *type, *content_type;
} pictures[] = {
    {"jfif", "\xff\xd8\xff\xe0\0\x10JFIF", 10, "jpg", "image/jpeg"},
    {"exif", "\xff\xd8\xff\xe1", 4, "jpg", "image/jpeg"},
    {"png", "\x89PNG\r\n\x1a\n", 8, "png", "image/png"},
    {"gif87", "GIF87a", 6, "gif", "image/gif"},
    {"gif89", "GIF89a", 6, "gif", "image/gif"},
    {"bmp", "BM", 2, "bmp", "image/bmp"},
    {"tiff-little", "II*\0", 4, "tiff", "image/tiff"},
    {"tiff-big", "MM\0*", 4, "tiff", "image/tiff"},
    {"webp", "RIFF\x24\0\0\0WEBP", 12, "webp", "image/webp"},
    {"text", "This is no picture.", 19, NULL, NULL},
    {"html", "<!DOCTYPE html>", 15, NULL, NULL},
    {"mp4",
        "\0\0\0\x20"
        "ftypisom",
        12, NULL, NULL},
    {"wav", "RIFF\x24\0\0\0WAVE", 12, NULL, NULL},
    {"avi", "RIFF\x24\0\0\0AVI ", 12, NULL, NULL},
    {"png-by-ftp", "\x89PNG\n\x1a\n", 7, NULL, NULL},
    {"png-without-its-bit", "\tPNG\r\n\x1a\n", 8, NULL, NULL},
    {"gif-of-no-year", "GIF88a", 6, NULL, NULL},
    {"jpeg-late", "\0\xff\xd8\xff", 4, NULL, NULL},
    {"tiff-mixed", "II\0*", 4, NULL, NULL},
    {"zeros", "\0\0\0\0", 4, NULL, NULL},
    {"nothing-before", "", 0, NULL, NULL},
};

static void
test_picture (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  GByteArray *bytes = g_byte_array_new ();

  g_byte_array_append (
      bytes, (const guint8 *)pictures[i].bytes, (guint)pictures[i].len);
  g_byte_array_append (bytes, (const guint8 *)REST, strlen (REST));
  g_assert_cmpstr (
      vod_image_type (bytes->data, bytes->len), ==, pictures[i].type);
  if (pictures[i].type)
    g_assert_cmpstr (vod_image_content_type (pictures[i].type), ==,
        pictures[i].content_type);
  g_byte_array_unref (bytes);
}

/* Not a byte beyond the end is looked at: exact copies, so that sanitizers and
 * valgrind see it. */
static void
test_short_ones (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (pictures); i++) {
    for (gsize len = 1; len < 16; len++) {
      guint8 *exact = g_memdup2 ("\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0", len);

      memcpy (exact, pictures[i].bytes, MIN (len, pictures[i].len));
      g_assert_null (vod_image_type (exact, len));
      g_free (exact);
    }
  }
  g_assert_null (vod_image_type (NULL, 0));
}

/* One bit of the signature of a png, which guards itself against that. */
static void
test_every_damaged_png (void)
{
  for (guint bit = 0; bit < 8 * 8; bit++) {
    guint8 bytes[32] = "\x89PNG\r\n\x1a\n";

    bytes[bit / 8] ^= (guint8)(1 << bit % 8);
    g_assert_null (vod_image_type (bytes, sizeof bytes));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (pictures); i++) {
    g_autofree gchar *path = g_strconcat ("/image/", pictures[i].name, NULL);

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_picture);
  }
  g_test_add_func ("/image/short", test_short_ones);
  g_test_add_func ("/image/damaged-png", test_every_damaged_png);
  return g_test_run ();
}

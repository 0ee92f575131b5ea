/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the benchmark's server says of parts that it has not read is true. */
#include <glib/gstdio.h>
#include <unistd.h>

#include "cloud/vodchecksum.h"
#include "known-file.h"

#define STEP (64 * 1024)
#define SIZE (20 * STEP + 777)

static void
test_ranges (void)
{
  g_autofree guint8 *bytes = g_malloc (SIZE);
  g_autofree gchar *path = NULL;
  gint fd = g_file_open_tmp ("known-file-XXXXXX", &path, NULL);
  KnownFile *file;
  guint64 crc64;

  for (gsize i = 0; i < SIZE; i++)
    bytes[i] = g_test_rand_int_range (0, 256);
  g_assert_cmpint (write (fd, bytes, SIZE), ==, SIZE);
  close (fd);
  file = known_file_new (path);
  g_assert_nonnull (file);
  for (guint round = 0; round < 200; round++) {
    gsize begin = g_test_rand_int_range (0, SIZE / STEP + 1) * STEP;
    gsize size = g_test_rand_int_range (KNOWN_FIRST, SIZE - (gint)begin + 1);

    g_assert_true (known_file_crc64 (file, bytes + begin, size, &crc64));
    g_assert_cmpuint (crc64, ==, vod_crc64 (0, bytes + begin, size));
    g_assert_false (
        known_file_crc64 (file, bytes + begin, SIZE - begin + 1, &crc64));
  }
  g_assert_false (known_file_crc64 (file, bytes + 1, KNOWN_FIRST, &crc64));
  g_unlink (path);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/known-file/ranges", test_ranges);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodchecksum: the values of protocol.md 8, and both implementations against
 * each other.
 */
#include "vodchecksum.h"

#include <string.h>

typedef guint64 (*Crc) (guint64 crc, gconstpointer data, gsize len);
static const Crc both[] = {vod_crc64, vod_crc64_table};

static void
test_published_values (void)
{
  static const struct {
    const gchar *text;
    guint64 crc;
  } table[] = {
      {"", 0},
      {"a", 3675645893302102789u},
      {"abc", 3231342946509354535u},
      {"123456789", 11051210869376104954u},
      {"[Object Part]", 4510578591875220731u},
      {"ObjectContent", 2900061071848923409u},
  };

  for (guint k = 0; k < G_N_ELEMENTS (both); k++)
    for (guint i = 0; i < G_N_ELEMENTS (table); i++)
      g_assert_cmpuint (
          both[k](0, table[i].text, strlen (table[i].text)), ==, table[i].crc);
}

static void
check_filled (guint8 byte, gsize len, guint64 crc)
{
  g_autofree guint8 *bytes = g_malloc (len);

  memset (bytes, byte, len);
  for (guint k = 0; k < G_N_ELEMENTS (both); k++)
    g_assert_cmpuint (both[k](0, bytes, len), ==, crc);
}

static void
test_runs_of_one_byte (void)
{
  check_filled (0, 1, 2282658103124508505u);
  check_filled (0, 32, 14509182247117337356u);
  check_filled (0xff, 32, 16815823765876284111u);
  check_filled (0, 1024 * 1024, 6947770692288575170u);
  check_filled ('1', 1048699, 5237785474210610777u);
  check_filled ('1', 1048576, 5478371502667254755u);
  check_filled ('1', 123, 8996837445281630356u);
}

static void
test_file_in_parts (void)
{
  static const guint64 parts[] = {4696533952674448027u, 4646498119087632210u,
      17235902238609531591u, 6580884038228692748u};
  const gsize size = 3158073, part = 1024 * 1024;
  g_autofree guint8 *bytes = g_malloc (size);
  guint64 whole = 0;

  for (gsize i = 0; i < size; i++)
    bytes[i] = (guint8)(131 * i + 7 * (i >> 8) + (i >> 16));
  for (guint k = 0; k < G_N_ELEMENTS (both); k++)
    g_assert_cmpuint (both[k](0, bytes, size), ==, 13415018986639167914u);
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    gsize len = MIN (part, size - i * part);

    for (guint k = 0; k < G_N_ELEMENTS (both); k++)
      g_assert_cmpuint (both[k](0, bytes + i * part, len), ==, parts[i]);
    whole = vod_crc64_combine (whole, parts[i], len);
  }
  g_assert_cmpuint (whole, ==, 13415018986639167914u);
}

static void
test_combine_published (void)
{
  g_assert_cmpuint (
      vod_crc64_combine (5478371502667254755u, 8996837445281630356u, 123), ==,
      5237785474210610777u);
  g_assert_cmpuint (vod_crc64_combine (
                        vod_crc64 (0, "12345", 5), vod_crc64 (0, "6789", 4), 4),
      ==, 11051210869376104954u);
}

static void
fill_random (guint8 *bytes, gsize len)
{
  for (gsize i = 0; i < len; i++)
    bytes[i] = (guint8)g_test_rand_int ();
}

static void
test_both_agree_at_any_alignment (void)
{
  g_autofree guint8 *bytes = g_malloc (5000 + 16);

  fill_random (bytes, 5000 + 16);
  for (guint i = 0; i < 3000; i++) {
    guint start = (guint)g_test_rand_int_range (0, 16);
    gsize len = i < 600 ? i : (gsize)g_test_rand_int_range (0, 5000);
    guint64 seed = ((guint64)(guint32)g_test_rand_int () << 32) |
        (guint32)g_test_rand_int ();

    g_assert_cmpuint (vod_crc64 (seed, bytes + start, len), ==,
        vod_crc64_table (seed, bytes + start, len));
  }
}

static void
test_continuing_and_combining_equal_the_whole (void)
{
  const gsize size = 4096;
  g_autofree guint8 *bytes = g_malloc (size);
  guint64 whole;

  fill_random (bytes, size);
  whole = vod_crc64_table (0, bytes, size);
  for (guint i = 0; i < 500; i++) {
    gsize cut = (gsize)g_test_rand_int_range (0, (gint32)size + 1);
    guint64 first = vod_crc64 (0, bytes, cut);
    guint64 second = vod_crc64_table (0, bytes + cut, size - cut);

    for (guint k = 0; k < G_N_ELEMENTS (both); k++)
      g_assert_cmpuint (both[k](first, bytes + cut, size - cut), ==, whole);
    g_assert_cmpuint (vod_crc64_combine (first, second, size - cut), ==, whole);
  }
}

/* A length no test can hold: zeros are added by combining with themselves. */
static void
test_combine_with_huge_length (void)
{
  guint64 zeros = vod_crc64 (0, "\0\0\0\0\0\0\0\0", 8), crc = 1234567;
  guint64 len = 8, stepwise;

  while (len < G_GUINT64_CONSTANT (1) << 40) {
    zeros = vod_crc64_combine (zeros, zeros, len);
    len *= 2;
  }
  stepwise = vod_crc64_combine (crc, zeros, len);
  stepwise = vod_crc64_combine (stepwise, zeros, len);
  zeros = vod_crc64_combine (zeros, zeros, len);
  g_assert_cmpuint (vod_crc64_combine (crc, zeros, 2 * len), ==, stepwise);
  g_assert_cmpuint (vod_crc64_combine (crc, 0, 0), ==, crc);
}

static gchar *
hex (const guint8 *digest, gsize len)
{
  GString *text = g_string_new (NULL);

  for (gsize i = 0; i < len; i++)
    g_string_append_printf (text, "%02x", digest[i]);
  return g_string_free (text, FALSE);
}

static void
test_md5_in_steps (void)
{
  g_autofree gchar *base64 = NULL, *text = NULL;
  guint8 digest[VOD_MD5_SIZE];
  VodMd5 *md5 = vod_md5_new ();

  g_assert_nonnull (md5);
  vod_md5_update (md5, "[Object", 7);
  vod_md5_update (md5, "", 0);
  vod_md5_update (md5, " Part]", 6);
  g_assert_true (vod_md5_finish (md5, digest));
  base64 = g_base64_encode (digest, sizeof digest);
  g_assert_cmpstr (base64, ==, "EI9SjrY7Zec08nrjMfX/qg==");
  md5 = vod_md5_new ();
  g_assert_true (vod_md5_finish (md5, digest));
  text = hex (digest, sizeof digest);
  g_assert_cmpstr (text, ==, "d41d8cd98f00b204e9800998ecf8427e");
  vod_md5_free (vod_md5_new ());
}

static void
test_md5_that_is_not_to_be_had (void)
{
  guint8 digest[VOD_MD5_SIZE];

  vod_md5_update (NULL, "abc", 3);
  g_assert_false (vod_md5_finish (NULL, digest));
  vod_md5_free (NULL);
}

static void
test_sha1_and_hmac (void)
{
  guint8 digest[VOD_SHA1_SIZE];
  g_autofree gchar *plain = NULL, *keyed = NULL;

  vod_sha1 ("abc", 3, digest);
  plain = hex (digest, sizeof digest);
  g_assert_cmpstr (plain, ==, "a9993e364706816aba3e25717850c26c9cd0d89d");
  vod_hmac_sha1 ("Jefe", 4, "what do ya want for nothing?", 28, digest);
  keyed = hex (digest, sizeof digest);
  g_assert_cmpstr (keyed, ==, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/checksum/published-values", test_published_values);
  g_test_add_func ("/checksum/runs-of-one-byte", test_runs_of_one_byte);
  g_test_add_func ("/checksum/file-in-parts", test_file_in_parts);
  g_test_add_func ("/checksum/combine-published", test_combine_published);
  g_test_add_func ("/checksum/both-agree-at-any-alignment",
      test_both_agree_at_any_alignment);
  g_test_add_func ("/checksum/continuing-and-combining-equal-the-whole",
      test_continuing_and_combining_equal_the_whole);
  g_test_add_func (
      "/checksum/combine-with-huge-length", test_combine_with_huge_length);
  g_test_add_func ("/checksum/md5-in-steps", test_md5_in_steps);
  g_test_add_func (
      "/checksum/md5-that-is-not-to-be-had", test_md5_that_is_not_to_be_had);
  g_test_add_func ("/checksum/sha1-and-hmac", test_sha1_and_hmac);
  return g_test_run ();
}

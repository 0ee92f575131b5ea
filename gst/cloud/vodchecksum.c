/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodchecksum: see vodchecksum.h.
 *
 * The table version takes 16 bytes a step ("slicing-by-16"): table k tells what
 * a byte does to the CRC when k more bytes follow it within the step.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "vodchecksum.h"

#include <string.h>
#include <openssl/evp.h>
#ifdef HAVE_ISAL
#include <isa-l/crc64.h>
#endif

#define POLYNOMIAL G_GUINT64_CONSTANT (0xc96c5795d7870f42)
#define SLICES 16

static guint64 tables[SLICES][256];

static void
fill_tables (void)
{
  for (guint i = 0; i < 256; i++) {
    guint64 crc = i;

    for (guint bit = 0; bit < 8; bit++)
      crc = crc & 1 ? (crc >> 1) ^ POLYNOMIAL : crc >> 1;
    tables[0][i] = crc;
  }
  for (guint k = 1; k < SLICES; k++) {
    for (guint i = 0; i < 256; i++) {
      guint64 crc = tables[k - 1][i];

      tables[k][i] = tables[0][crc & 0xff] ^ (crc >> 8);
    }
  }
}

static void
ensure_tables (void)
{
  static gsize filled;

  if (g_once_init_enter (&filled)) {
    fill_tables ();
    g_once_init_leave (&filled, 1);
  }
}

static guint64
load_le64 (const guint8 *p)
{
  guint64 value;

  memcpy (&value, p, sizeof value);
  return GUINT64_FROM_LE (value);
}

/* What the eight bytes of @value do, when @after bytes follow them. Written out:
 * a loop here takes twice the time at -O2. */
static inline guint64
take_eight (guint64 value, guint after)
{
  return tables[after + 7][value & 0xff] ^
      tables[after + 6][(value >> 8) & 0xff] ^
      tables[after + 5][(value >> 16) & 0xff] ^
      tables[after + 4][(value >> 24) & 0xff] ^
      tables[after + 3][(value >> 32) & 0xff] ^
      tables[after + 2][(value >> 40) & 0xff] ^
      tables[after + 1][(value >> 48) & 0xff] ^ tables[after][value >> 56];
}

guint64
vod_crc64_table (guint64 crc, gconstpointer data, gsize len)
{
  const guint8 *p = data;

  ensure_tables ();
  crc = ~crc;
  for (; len >= 16; p += 16, len -= 16)
    crc =
        take_eight (crc ^ load_le64 (p), 8) ^ take_eight (load_le64 (p + 8), 0);
  for (; len > 0; p++, len--)
    crc = tables[0][(crc ^ *p) & 0xff] ^ (crc >> 8);
  return ~crc;
}

guint64
vod_crc64 (guint64 crc, gconstpointer data, gsize len)
{
#ifdef HAVE_ISAL
  return len > 0 ? crc64_ecma_refl (crc, data, len) : crc;
#else
  return vod_crc64_table (crc, data, len);
#endif
}

/* a * b modulo the polynomial; bit 63 is the coefficient of x^0. */
static guint64
multiply (guint64 a, guint64 b)
{
  guint64 product = 0;

  for (; a != 0; a <<= 1) {
    if (a >> 63)
      product ^= b;
    b = b & 1 ? (b >> 1) ^ POLYNOMIAL : b >> 1;
  }
  return product;
}

/* Appending B multiplies A's remainder by x^(8 * len_b). */
guint64
vod_crc64_combine (guint64 crc_a, guint64 crc_b, guint64 len_b)
{
  guint64 power = G_GUINT64_CONSTANT (1) << 63;  /* x^0 */
  guint64 square = G_GUINT64_CONSTANT (1) << 55; /* x^8 */

  for (; len_b > 0; len_b >>= 1) {
    if (len_b & 1)
      power = multiply (power, square);
    square = multiply (square, square);
  }
  return multiply (power, crc_a) ^ crc_b;
}

struct _VodMd5 {
  EVP_MD_CTX *context;
  gboolean failed;
};

VodMd5 *
vod_md5_new (void)
{
  EVP_MD *md = EVP_MD_fetch (NULL, "MD5", NULL);
  EVP_MD_CTX *context = md ? EVP_MD_CTX_new () : NULL;
  VodMd5 *md5 = NULL;

  if (context && EVP_DigestInit_ex2 (context, md, NULL) == 1) {
    md5 = g_new0 (VodMd5, 1);
    md5->context = g_steal_pointer (&context);
  }
  EVP_MD_CTX_free (context);
  EVP_MD_free (md); /* the context has a reference of its own */
  return md5;
}

void
vod_md5_update (VodMd5 *md5, gconstpointer data, gsize len)
{
  if (md5 && EVP_DigestUpdate (md5->context, data, len) != 1)
    md5->failed = TRUE;
}

gboolean
vod_md5_finish (VodMd5 *md5, guint8 digest[VOD_MD5_SIZE])
{
  gboolean ok = md5 && !md5->failed &&
      EVP_DigestFinal_ex (md5->context, digest, NULL) == 1;

  vod_md5_free (md5);
  return ok;
}

void
vod_md5_free (VodMd5 *md5)
{
  if (!md5)
    return;
  EVP_MD_CTX_free (md5->context);
  g_free (md5);
}

/* Signatures need SHA1 even where OpenSSL's policy forbids it: GLib's. */
void
vod_sha1 (gconstpointer data, gsize len, guint8 digest[VOD_SHA1_SIZE])
{
  GChecksum *sha1 = g_checksum_new (G_CHECKSUM_SHA1);
  gsize size = VOD_SHA1_SIZE;

  g_checksum_update (sha1, data, (gssize)len);
  g_checksum_get_digest (sha1, digest, &size);
  g_checksum_free (sha1);
}

void
vod_hmac_sha1 (gconstpointer key, gsize key_len, gconstpointer data, gsize len,
    guint8 digest[VOD_SHA1_SIZE])
{
  GHmac *hmac = g_hmac_new (G_CHECKSUM_SHA1, key, key_len);
  gsize size = VOD_SHA1_SIZE;

  g_hmac_update (hmac, data, (gssize)len);
  g_hmac_get_digest (hmac, digest, &size);
  g_hmac_unref (hmac);
}

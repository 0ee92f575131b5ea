/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CRC64-ECMA by slicing-by-16: sixteen tables, sixteen bytes a turn.
 *
 * The CRC is linear: appending a zero byte is a 64x64 bit matrix applied to
 * the register, so appending N zero bytes is that matrix to the power of N,
 * which is what combining two CRCs needs.
 */
#include "emu-crc64.h"

#include <string.h>

#define POLY G_GUINT64_CONSTANT (0xc96c5795d7870f42)

static guint64 table[16][256];

static void
make_tables (void)
{
  static gsize once = 0;

  if (!g_once_init_enter (&once))
    return;
  for (guint i = 0; i < 256; i++) {
    guint64 crc = i;

    for (guint bit = 0; bit < 8; bit++)
      crc = (crc & 1) ? (crc >> 1) ^ POLY : crc >> 1;
    table[0][i] = crc;
  }
  for (guint i = 0; i < 256; i++)
    for (guint k = 1; k < 16; k++)
      table[k][i] = (table[k - 1][i] >> 8) ^ table[0][table[k - 1][i] & 0xff];
  g_once_init_leave (&once, 1);
}

guint64
emu_crc64_update (guint64 crc, gconstpointer data, gsize len)
{
  const guint8 *p = data;

  make_tables ();
  crc = ~crc;
  for (; len >= 16; len -= 16, p += 16) {
    guint64 a, b;

    memcpy (&a, p, 8);
    memcpy (&b, p + 8, 8);
    a = GUINT64_FROM_LE (a) ^ crc;
    b = GUINT64_FROM_LE (b);
    crc = table[15][a & 0xff] ^ table[14][(a >> 8) & 0xff] ^
        table[13][(a >> 16) & 0xff] ^ table[12][(a >> 24) & 0xff] ^
        table[11][(a >> 32) & 0xff] ^ table[10][(a >> 40) & 0xff] ^
        table[9][(a >> 48) & 0xff] ^ table[8][a >> 56] ^ table[7][b & 0xff] ^
        table[6][(b >> 8) & 0xff] ^ table[5][(b >> 16) & 0xff] ^
        table[4][(b >> 24) & 0xff] ^ table[3][(b >> 32) & 0xff] ^
        table[2][(b >> 40) & 0xff] ^ table[1][(b >> 48) & 0xff] ^
        table[0][b >> 56];
  }
  for (; len > 0; len--, p++)
    crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xff];
  return ~crc;
}

static guint64
matrix_times (const guint64 *matrix, guint64 vector)
{
  guint64 sum = 0;

  for (; vector != 0; vector >>= 1, matrix++)
    if (vector & 1)
      sum ^= *matrix;
  return sum;
}

static void
matrix_square (guint64 *square, const guint64 *matrix)
{
  for (guint i = 0; i < 64; i++)
    square[i] = matrix_times (matrix, matrix[i]);
}

guint64
emu_crc64_combine (guint64 crc_a, guint64 crc_b, guint64 len_b)
{
  guint64 power[64], next[64];

  /* one zero bit, squared three times: one zero byte */
  power[0] = POLY;
  for (guint i = 1; i < 64; i++)
    power[i] = G_GUINT64_CONSTANT (1) << (i - 1);
  for (guint i = 0; i < 3; i++) {
    matrix_square (next, power);
    memcpy (power, next, sizeof power);
  }
  for (; len_b != 0; len_b >>= 1) {
    if (len_b & 1)
      crc_a = matrix_times (power, crc_a);
    matrix_square (next, power);
    memcpy (power, next, sizeof power);
  }
  return crc_a ^ crc_b;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CRC64-ECMA (reflected, all ones before and after), as the storage names it
 * in x-cos-hash-crc64ecma. Pure functions; the tables are made on first use.
 */
#ifndef EMU_CRC64_H
#define EMU_CRC64_H

#include <glib.h>

G_BEGIN_DECLS

/* Continues @crc (0 to begin) over @len bytes. */
guint64 emu_crc64_update (guint64 crc, gconstpointer data, gsize len);

/* The CRC of A followed by B, from CRC (A), CRC (B) and the length of B. */
guint64 emu_crc64_combine (guint64 crc_a, guint64 crc_b, guint64 len_b);

G_END_DECLS

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known-file: the CRC64 of a part of a file that is known beforehand, told from
 * its first bytes alone. So a benchmark's server can answer as the storage does
 * and still leave bodies to the kernel: reading and digesting them costs a third
 * of what the client costs that is to be measured.
 */
#pragma once

#include <glib.h>

/* How many of the first bytes are needed. */
#define KNOWN_FIRST 16

typedef struct _KnownFile KnownFile;

/* NULL: cannot be read. For life. */
KnownFile *known_file_new (const gchar *path);

/* Of the @size bytes that begin with @first. FALSE: not at a border of 64 KiB of
 * that file, or too many. Any thread. */
gboolean known_file_crc64 (
    const KnownFile *file, const guint8 *first, guint64 size, guint64 *crc64);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A run of bytes that a client sent, in a file of its own under ROOT/parts,
 * named by a random number and never by anything that a client said.
 *
 * EmuBlobWriter takes the bytes as they come and computes MD5 and CRC64 on the
 * way; EmuBlob is the finished file, shared by count. The file goes with the
 * last reference, unless the store is kept (see emu_blob_keep).
 */
#ifndef EMU_BLOB_H
#define EMU_BLOB_H

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _EmuBlob EmuBlob;
typedef struct _EmuBlobWriter EmuBlobWriter;

/* How a writer treats the bytes. */
typedef struct {
  const char *folder;
  gboolean discard; /* keep no bytes, compute no MD5 */
  gboolean corrupt; /* store the first bit wrong */
} EmuBlobMode;

EmuBlobWriter *emu_blob_writer_new (const EmuBlobMode *mode, GError **error);
gboolean emu_blob_writer_write (
    EmuBlobWriter *writer, gconstpointer data, gsize len, GError **error);
guint64 emu_blob_writer_size (EmuBlobWriter *writer);
/* Of what was received: 32 hex digits (made up when bytes are discarded). */
char *emu_blob_writer_md5 (EmuBlobWriter *writer);
guint64 emu_blob_writer_crc64 (EmuBlobWriter *writer);
/* Ends the writing; the writer is freed. NULL if the file failed. */
EmuBlob *emu_blob_writer_finish (EmuBlobWriter *writer, GError **error);
/* Gives up: the file goes too. */
void emu_blob_writer_free (EmuBlobWriter *writer);

/* A blob known from before; NULL if its file is gone or has another size. */
EmuBlob *emu_blob_load (
    const char *folder, const char *name, guint64 size, guint64 crc64);
EmuBlob *emu_blob_ref (EmuBlob *blob);
void emu_blob_unref (EmuBlob *blob);
/* From now on no file is deleted (the program ends, the root stays). */
void emu_blob_keep_files (void);

const char *emu_blob_name (EmuBlob *blob); /* "" when discarded */
guint64 emu_blob_size (EmuBlob *blob);
guint64 emu_blob_crc64 (EmuBlob *blob); /* of what is stored */
/* -1 and @error when there are no bytes (discarded) or they can't be read. */
int emu_blob_open (EmuBlob *blob, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmuBlob, emu_blob_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmuBlobWriter, emu_blob_writer_free)

G_END_DECLS

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes of one part or object in a file. Reference counts are atomic: the
 * thread that checks a completed object holds blobs too.
 */
#include "emu-blob.h"

#include "emu-crc64.h"
#include "emu-util.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct _EmuBlob {
  gatomicrefcount refs;
  char *folder;
  char *name; /* "": the bytes were discarded */
  guint64 size;
  guint64 crc64;
};

struct _EmuBlobWriter {
  EmuBlob *blob; /* becomes the result */
  int fd;        /* -1: discarding */
  gboolean corrupt;
  guint64 crc64; /* of what was received; the blob's is of what was stored */
  EVP_MD_CTX *md5;
};

static gint keep_files = 0;

void
emu_blob_keep_files (void)
{
  g_atomic_int_set (&keep_files, 1);
}

static EmuBlob *
blob_new (const char *folder, const char *name)
{
  EmuBlob *blob = g_new0 (EmuBlob, 1);

  g_atomic_ref_count_init (&blob->refs);
  blob->folder = g_strdup (folder);
  blob->name = g_strdup (name);
  return blob;
}

EmuBlob *
emu_blob_ref (EmuBlob *blob)
{
  g_atomic_ref_count_inc (&blob->refs);
  return blob;
}

void
emu_blob_unref (EmuBlob *blob)
{
  if (!g_atomic_ref_count_dec (&blob->refs))
    return;
  if (*blob->name != '\0' && !g_atomic_int_get (&keep_files)) {
    g_autofree char *path = g_build_filename (blob->folder, blob->name, NULL);

    g_unlink (path);
  }
  g_free (blob->folder);
  g_free (blob->name);
  g_free (blob);
}

static gboolean
set_errno_error (GError **error, const char *doing, const char *path)
{
  int saved = errno;

  g_set_error (error, G_IO_ERROR, (gint)g_io_error_from_errno (saved),
      "cannot %s %s: %s", doing, path, g_strerror (saved));
  return FALSE;
}

EmuBlobWriter *
emu_blob_writer_new (const EmuBlobMode *mode, GError **error)
{
  g_autoptr (EmuBlobWriter) writer = g_new0 (EmuBlobWriter, 1);
  g_autofree char *name = mode->discard ? g_strdup ("") : emu_random_hex (12);

  writer->fd = -1;
  writer->corrupt = mode->corrupt;
  writer->blob = blob_new (mode->folder, name);
  if (mode->discard)
    return g_steal_pointer (&writer);

  {
    g_autofree char *path = g_build_filename (mode->folder, name, NULL);

    writer->fd = g_open (path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (writer->fd < 0) {
      set_errno_error (error, "create", path);
      return NULL;
    }
  }
  writer->md5 = EVP_MD_CTX_new ();
  if (writer->md5 == NULL || !EVP_DigestInit_ex (writer->md5, EVP_md5 (), NULL))
    g_error ("OpenSSL cannot compute MD5");
  return g_steal_pointer (&writer);
}

static gboolean
write_all (EmuBlobWriter *writer, const guint8 *data, gsize len, GError **error)
{
  while (len > 0) {
    gssize n = write (writer->fd, data, len);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return set_errno_error (error, "write", writer->blob->name);
    data += n;
    len -= (gsize)n;
  }
  return TRUE;
}

gboolean
emu_blob_writer_write (
    EmuBlobWriter *writer, gconstpointer data, gsize len, GError **error)
{
  EmuBlob *blob = writer->blob;
  g_autofree guint8 *changed = NULL;
  const guint8 *stored = data;

  if (len == 0)
    return TRUE;
  writer->crc64 = emu_crc64_update (writer->crc64, data, len);
  if (writer->md5 != NULL && !EVP_DigestUpdate (writer->md5, data, len))
    g_error ("OpenSSL cannot compute MD5");
  if (writer->corrupt && blob->size == 0) {
    changed = g_memdup2 (data, len);
    changed[0] ^= 1;
    stored = changed;
  }
  if (writer->corrupt)
    blob->crc64 = emu_crc64_update (blob->crc64, stored, len);
  else
    blob->crc64 = writer->crc64;
  blob->size += len;
  return writer->fd < 0 || write_all (writer, stored, len, error);
}

guint64
emu_blob_writer_size (EmuBlobWriter *writer)
{
  return writer->blob->size;
}

guint64
emu_blob_writer_crc64 (EmuBlobWriter *writer)
{
  return writer->crc64;
}

char *
emu_blob_writer_md5 (EmuBlobWriter *writer)
{
  guint8 digest[EVP_MAX_MD_SIZE];

  if (writer->md5 != NULL) {
    EVP_MD_CTX *copy = EVP_MD_CTX_new ();

    if (copy == NULL || !EVP_MD_CTX_copy_ex (copy, writer->md5) ||
        !EVP_DigestFinal_ex (copy, digest, NULL))
      g_error ("OpenSSL cannot compute MD5");
    EVP_MD_CTX_free (copy);
    return emu_hex (digest, 16);
  }
  /* an ETag that at least depends on the bytes */
  return g_strdup_printf ("%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER
                          "x",
      writer->crc64, writer->blob->size);
}

EmuBlob *
emu_blob_writer_finish (EmuBlobWriter *writer, GError **error)
{
  g_autoptr (EmuBlobWriter) owned = writer;
  int fd = owned->fd;

  owned->fd = -1;
  if (fd >= 0 && !g_close (fd, error))
    return NULL;
  return g_steal_pointer (&owned->blob);
}

void
emu_blob_writer_free (EmuBlobWriter *writer)
{
  if (writer->fd >= 0)
    g_close (writer->fd, NULL);
  g_clear_pointer (&writer->blob, emu_blob_unref);
  EVP_MD_CTX_free (writer->md5);
  g_free (writer);
}

EmuBlob *
emu_blob_load (
    const char *folder, const char *name, guint64 size, guint64 crc64)
{
  EmuBlob *blob;

  if (*name != '\0') {
    g_autofree char *path = NULL;
    struct stat st;

    if (strspn (name, "0123456789abcdef") != strlen (name))
      return NULL;
    path = g_build_filename (folder, name, NULL);
    if (stat (path, &st) < 0 || (guint64)st.st_size != size)
      return NULL;
  }
  blob = blob_new (folder, name);
  blob->size = size;
  blob->crc64 = crc64;
  return blob;
}

const char *
emu_blob_name (EmuBlob *blob)
{
  return blob->name;
}

guint64
emu_blob_size (EmuBlob *blob)
{
  return blob->size;
}

guint64
emu_blob_crc64 (EmuBlob *blob)
{
  return blob->crc64;
}

int
emu_blob_open (EmuBlob *blob, GError **error)
{
  g_autofree char *path = NULL;
  int fd;

  if (*blob->name == '\0') {
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
        "the bytes were discarded (--discard)");
    return -1;
  }
  path = g_build_filename (blob->folder, blob->name, NULL);
  fd = g_open (path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0)
    set_errno_error (error, "open", path);
  return fd;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vod-container.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BUDGET 20000 /* boxes looked at */
#define DEPTH 5      /* moov, trak, mdia, minf, stbl */

/* Sequences of packets, frames or clusters, each of which stands for itself.
 * wav: its header's size is not believed by players. */
static const gchar *const sequences[] = {"aac", "ac3", "adts", "amr", "flac",
    "flv", "m2ts", "mka", "mkv", "mp2", "mp3", "mpeg", "mpg", "mts", "oga",
    "ogg", "ogv", "opus", "ts", "vob", "wav", "webm", NULL};
static const gchar *const families[] = {
    "3g2", "3gp", "f4v", "m4a", "m4v", "mov", "mp4", "qt", NULL};

typedef struct {
  int fd;
  guint budget;
} Walk;

typedef struct {
  gchar name[5];
  guint64 body;
  guint64 end; /* may lie beyond what there is */
} Box;

static gboolean
read_at (int fd, guint64 offset, guint8 *bytes, gsize len)
{
  gssize n;

  do
    n = pread (fd, bytes, len, (off_t)offset);
  while (n < 0 && errno == EINTR);
  return n == (gssize)len;
}

static guint64
big_endian (const guint8 *bytes, guint len)
{
  guint64 number = 0;

  for (guint i = 0; i < len; i++)
    number = number << 8 | bytes[i];
  return number;
}

/* The box at @at, in something that ends at @end. */
static gboolean
read_box (Walk *walk, guint64 at, guint64 end, Box *box)
{
  guint8 header[16];
  guint64 size, header_size = 8;

  if (end - at < 8 || walk->budget == 0 || !read_at (walk->fd, at, header, 8))
    return FALSE;
  walk->budget--;
  size = big_endian (header, 4);
  if (size == 1) {
    header_size = 16;
    if (end - at < 16 || !read_at (walk->fd, at, header, 16))
      return FALSE;
    size = big_endian (header + 8, 8);
  } else if (size == 0) {
    size = end - at;
  }
  if (size < header_size || size > G_MAXINT64)
    return FALSE;
  memcpy (box->name, header + 4, 4);
  box->name[4] = '\0';
  box->body = at + header_size;
  box->end = at + size;
  return TRUE;
}

static gboolean
is (const Box *box, const gchar *name)
{
  return strcmp (box->name, name) == 0;
}

/* A table of sample sizes says how many there are. */
static gboolean
has_samples (Walk *walk, const Box *box)
{
  guint8 head[12];

  return (is (box, "stsz") || is (box, "stz2")) && box->end - box->body >= 12 &&
      read_at (walk->fd, box->body, head, 12) && big_endian (head + 8, 4) > 0;
}

/* Does the box, which is whole, lead to a sample? One that announces fragments
 * (mvex) does not: they are still to come. */
static gboolean
leads_to_samples (Walk *walk, const Box *box, guint depth)
{
  static const gchar *const parents[] = {
      "moov", "trak", "mdia", "minf", "stbl", NULL};
  Box child;

  if (has_samples (walk, box))
    return TRUE;
  if (depth == 0 || !g_strv_contains (parents, box->name))
    return FALSE;
  for (guint64 at = box->body; at < box->end &&
       read_box (walk, at, box->end, &child) && child.end <= box->end;
       at = child.end)
    if (leads_to_samples (walk, &child, depth - 1))
      return TRUE;
  return FALSE;
}

static gboolean
is_found_in (int fd, guint64 size)
{
  Walk walk = {fd, BUDGET};
  gboolean fragment = FALSE; /* a whole table; its media comes behind it */
  Box box;

  for (guint64 at = 0; at < size && read_box (&walk, at, size, &box);
       at = box.end) {
    if (is (&box, "moof") && box.end <= size)
      fragment = TRUE;
    if (fragment && is (&box, "mdat") && box.body < size)
      return TRUE;
    if (is (&box, "moov") && box.end <= size &&
        leads_to_samples (&walk, &box, DEPTH))
      return TRUE;
  }
  return FALSE;
}

gboolean
vod_container_survives_cut (const gchar *type, int fd, guint64 size)
{
  g_autofree gchar *lower = type ? g_ascii_strdown (type, -1) : NULL;

  if (lower == NULL || size == 0)
    return FALSE;
  if (g_strv_contains (sequences, lower))
    return TRUE;
  return g_strv_contains (families, lower) && is_found_in (fd, size);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodpart: that a slice goes out as it is, from memory and from a file, and that
 * nothing counts as arrived that was not proven to be.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "testclient.h"
#include "testserver.h"
#include "upload/vodpart.h"
#include "vodchecksum.h"

/* More than a piece that is written at a time, and no whole number of them. */
#define SIZE (3 * MIB + 12345)

static VodCosCredentials credentials = {"id", "key", "token", 1, 2};

typedef struct {
  TestSoup *soup;
  TestRaw *raw;
  VodHttp *http;
  VodCosTarget target;
  gchar *path;
  VodSpool *spool; /* NULL: the slice is in memory */
  VodSlices *slices;
  VodJob job;
  guint8 *bytes; /* of the slice */
  guint64 crc64;
  GError *error;
} Fixture;

static void
fill (Fixture *fixture)
{
  gsize done = 0;

  fixture->bytes = g_malloc (SIZE);
  for (gsize i = 0; i < SIZE; i++)
    fixture->bytes[i] = (i * 2654435761u) >> 13;
  fixture->crc64 = vod_crc64 (0, fixture->bytes, SIZE);
  while (done < SIZE) {
    VodWritePlan plan;

    g_assert_cmpint (
        vod_slices_begin_write (fixture->slices, SIZE - done, &plan), ==,
        VOD_WRITE_OK);
    g_assert_cmpint (
        vod_slices_copy (&plan, fixture->bytes + done, &fixture->error), ==,
        VOD_SPOOL_OK);
    done += vod_slices_end_write (fixture->slices, &plan);
  }
  vod_slices_finish (fixture->slices);
}

/* @data: "file" or "memory". What is sent is the head, as small as a part may
 * be. */
static void
set_up (Fixture *fixture, gconstpointer data)
{
  VodSlicesConfig config = {
      .min_part = SIZE,
      .max_parts = 10000,
      .slice_size = 2 * SIZE,
      .max_bytes = 16 * SIZE,
  };
  gint64 wake;

  if (strcmp (data, "file") == 0) {
    gint fd =
        g_file_open_tmp ("test-part-XXXXXX", &fixture->path, &fixture->error);

    g_assert_no_error (fixture->error);
    close (fd);
    fixture->spool = vod_spool_open (fixture->path, &fixture->error);
    g_assert_no_error (fixture->error);
    config.file = fixture->spool;
  }
  fixture->slices = vod_slices_new (&config);
  fill (fixture);
  fixture->job.kind = VOD_JOB_PART;
  fixture->job.upload_id = g_strdup ("upload");
  fixture->job.slice = vod_slices_next (fixture->slices, 0, &wake);
  g_assert_cmpuint (fixture->job.slice->size, ==, SIZE);
  fixture->soup = test_soup_new ();
  fixture->http = test_http_open (5);
  fixture->target.connect_to = test_soup_uri (fixture->soup);
  fixture->target.bucket_host = "bucket.example.com";
  fixture->target.forward = TRUE;
  fixture->target.key = "k";
  fixture->target.credentials = &credentials;
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_clear_error (&fixture->error);
  vod_http_free (fixture->http);
  test_soup_free (fixture->soup);
  g_clear_pointer (&fixture->raw, test_raw_free);
  vod_slices_free (fixture->slices);
  g_clear_pointer (&fixture->spool, vod_spool_free);
  if (fixture->path)
    g_unlink (fixture->path);
  g_free (fixture->path);
  g_free (fixture->bytes);
  vod_job_clear (&fixture->job);
}

static void
send_part (Fixture *fixture)
{
  g_clear_error (&fixture->error);
  vod_part_send (&fixture->job, FALSE, fixture->http, &fixture->target, NULL,
      NULL, NULL, &fixture->error);
}

static gchar *
etag_of_md5 (const Fixture *fixture)
{
  g_autofree gchar *hex =
      g_compute_checksum_for_data (G_CHECKSUM_MD5, fixture->bytes, SIZE);

  return g_strdup_printf ("\"%s\"", hex);
}

static void
answer (Fixture *fixture, const gchar *etag, const guint64 *crc64)
{
  g_autofree gchar *text =
      crc64 ? g_strdup_printf ("%" G_GUINT64_FORMAT, *crc64) : NULL;
  const gchar *headers[] = {
      "ETag", etag, crc64 ? "x-cos-hash-crc64ecma" : NULL, text, NULL};

  test_soup_answer (fixture->soup, 200, headers, NULL);
}

static void
assert_arrived (const Fixture *fixture, GBytes *body)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (body, &size);

  g_assert_cmpmem (data, size, fixture->bytes, SIZE);
}

static void
test_arrives (Fixture *fixture, gconstpointer data)
{
  answer (fixture, "\"any\"", &fixture->crc64);
  send_part (fixture);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (fixture->job.crc64, ==, fixture->crc64);
  g_assert_cmpstr (fixture->job.receipt.etag, ==, "\"any\"");
  assert_arrived (fixture, test_soup_request (fixture->soup, 0)->body);
}

static void
test_damaged (Fixture *fixture, gconstpointer data)
{
  guint64 other = fixture->crc64 ^ 1;

  answer (fixture, "\"any\"", &other);
  send_part (fixture);
  g_assert_error (fixture->error, VOD_ERROR, VOD_ERROR_INTEGRITY);
}

/* Without a CRC64 of the service's only the MD5 proves anything. */
static void
test_no_crc64 (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *etag = etag_of_md5 (fixture);

  answer (fixture, etag, NULL);
  send_part (fixture);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (fixture->job.crc64, ==, fixture->crc64);

  answer (fixture, "\"d41d8cd98f00b204e9800998ecf8427e\"", NULL);
  send_part (fixture);
  g_assert_error (fixture->error, VOD_ERROR, VOD_ERROR_INTEGRITY);
}

/* --- lost on the way -------------------------------------------------------*/

/* The first request on the first connection is answered; the second breaks off
 * in the middle, on the second connection as well if @data says so. */
static void
break_off (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  Fixture *fixture = data;
  g_autofree gchar *text = g_strdup_printf (
      "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nx-cos-hash-crc64ecma: "
      "%" G_GUINT64_FORMAT "\r\nContent-Length: 0\r\n\r\n",
      fixture->crc64);

  for (guint i = 0;; i++) {
    g_autofree gchar *head = NULL;
    g_autoptr (GBytes) body = NULL;

    if (n == 0 && i == 1) {
      head = test_raw_read_head (stream);
      body = test_raw_read_bytes (stream, SIZE / 2);
      test_raw_reset (stream);
      return;
    }
    if (!test_raw_read_request (stream, &head, &body))
      return;
    assert_arrived (fixture, body);
    test_raw_write (stream, text);
  }
}

/* Whether it is libsoup or its caller who sends the bytes again: the digest is
 * of each of them once. */
static void
test_again (Fixture *fixture, gconstpointer data)
{
  fixture->raw = test_raw_new (break_off, fixture);
  fixture->target.connect_to = test_raw_uri (fixture->raw);
  send_part (fixture);
  g_assert_no_error (fixture->error);
  send_part (fixture);
  if (fixture->error) {
    g_assert_error (fixture->error, VOD_ERROR, VOD_ERROR_NETWORK);
    send_part (fixture);
  }
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (fixture->job.crc64, ==, fixture->crc64);
  g_assert_cmpuint (test_raw_accepted (fixture->raw), ==, 2);
}

/* --- the file that holds it --------------------------------------------------*/

static void
test_unreadable (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpint (truncate (fixture->path, SIZE / 2), ==, 0);
  answer (fixture, "\"any\"", &fixture->crc64);
  send_part (fixture);
  g_assert_error (fixture->error, VOD_ERROR, VOD_ERROR_READ);
}

/* --- is it there? ------------------------------------------------------------*/

static gboolean
is_there (Fixture *fixture, const gchar *etag, const guint64 *crc64)
{
  VodSliceReceipt *before = &fixture->job.receipt_before;

  g_free (before->etag);
  before->etag = g_strdup (etag);
  before->has_crc64 = crc64 != NULL;
  before->crc64 = crc64 ? *crc64 : 0;
  fixture->job.skipped = FALSE;
  return vod_part_is_there (&fixture->job, &fixture->error);
}

static void
test_is_there (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *etag = etag_of_md5 (fixture);
  guint64 other = fixture->crc64 ^ 1;

  g_assert_false (is_there (fixture, NULL, NULL));
  g_assert_false (is_there (fixture, "\"any\"", &other));
  g_assert_false (is_there (fixture, "\"any\"", NULL));
  g_assert_false (fixture->job.skipped);

  g_assert_true (is_there (fixture, "\"any\"", &fixture->crc64));
  g_assert_true (fixture->job.skipped);
  g_assert_cmpuint (fixture->job.crc64, ==, fixture->crc64);
  g_assert_cmpstr (fixture->job.receipt.etag, ==, "\"any\"");
  g_assert_true (is_there (fixture, etag, NULL));
  g_assert_no_error (fixture->error);
}

static void
test_proven (Fixture *fixture, gconstpointer data)
{
  fixture->job.slice->proven = TRUE;
  fixture->job.slice->crc64 = fixture->crc64;
  g_assert_false (is_there (fixture, NULL, NULL));
  g_assert_no_error (fixture->error);

  fixture->job.slice->crc64 ^= 1;
  g_assert_false (is_there (fixture, "\"any\"", &fixture->crc64));
  g_assert_error (fixture->error, VOD_ERROR, VOD_ERROR_READ);
  g_clear_error (&fixture->error);

  g_assert_cmpint (truncate (fixture->path, SIZE / 2), ==, 0);
  g_assert_false (is_there (fixture, "\"any\"", &fixture->crc64));
  g_assert_error (fixture->error, VOD_ERROR, VOD_ERROR_READ);
}

/* It was as it should be when it was looked at, but not when it went out. */
static void
test_changes_on_its_way (Fixture *fixture, gconstpointer data)
{
  fixture->job.slice->proven = TRUE;
  fixture->job.slice->crc64 = fixture->crc64;
  answer (fixture, "\"any\"", &fixture->crc64);
  send_part (fixture);
  g_assert_no_error (fixture->error);

  fixture->job.slice->crc64 ^= 1;
  answer (fixture, "\"any\"", &fixture->crc64);
  send_part (fixture);
  g_assert_error (fixture->error, VOD_ERROR, VOD_ERROR_READ);
}

#define ADD(path, where, func)                                                 \
  g_test_add (path "/" where, Fixture, where, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/part/arrives", "memory", test_arrives);
  ADD ("/part/arrives", "file", test_arrives);
  ADD ("/part/damaged", "memory", test_damaged);
  ADD ("/part/damaged", "file", test_damaged);
  ADD ("/part/no-crc64", "memory", test_no_crc64);
  ADD ("/part/no-crc64", "file", test_no_crc64);
  ADD ("/part/again", "memory", test_again);
  ADD ("/part/again", "file", test_again);
  ADD ("/part/unreadable", "file", test_unreadable);
  ADD ("/part/is-there", "memory", test_is_there);
  ADD ("/part/is-there", "file", test_is_there);
  ADD ("/part/proven", "file", test_proven);
  ADD ("/part/changes-on-its-way", "file", test_changes_on_its_way);
  return g_test_run ();
}

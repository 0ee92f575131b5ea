/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testclient: see testclient.h.
 */
#include "testclient.h"

#include "teststopwatch.h"

/* Of the test's own thread. */
static gsize largest_piece;

gboolean
test_indirect (void)
{
  return g_getenv ("VOD_TEST_INDIRECT") != NULL;
}

gsize
test_body_largest_piece (void)
{
  gsize largest = largest_piece;

  largest_piece = 0;
  return largest;
}

VodHttp *
test_http_open (guint timeout)
{
  VodHttpSettings settings = {.user_agent = "vodtest/1",
      .timeout = timeout,
      .indirect = test_indirect ()};
  g_autoptr (GError) error = NULL;
  VodHttp *http = vod_http_new (&settings, &error);

  g_assert_no_error (error);
  return http;
}

static guint8
byte_at (guint64 offset)
{
  return (guint8)(131 * offset + 7 * (offset >> 8) + (offset >> 16));
}

static gsize
read_pattern (gpointer data, guint64 offset, gpointer buffer, gsize len)
{
  guint8 *bytes = buffer;

  largest_piece = MAX (largest_piece, len);
  for (gsize i = 0; i < len; i++)
    bytes[i] = byte_at (offset + i);
  return len;
}

VodHttpBody
test_body (guint64 length)
{
  VodHttpBody body = {.length = length, .read = read_pattern};

  return body;
}

gboolean
test_body_is (GBytes *bytes, guint64 length)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  for (gsize i = 0; i < size; i++)
    if (data[i] != byte_at (i))
      return FALSE;
  return size == length;
}

gboolean
test_put (VodHttp *http, const gchar *base, guint64 length,
    GCancellable *cancellable, VodHttpAnswer *answer, GError **error)
{
  g_autofree gchar *uri = g_strconcat (base, "/k", NULL);
  VodHttpBody body = test_body (length);
  VodHttpRequest request = {.method = "PUT",
      .uri = uri,
      .body = &body,
      .max_answer = 1024 * 1024,
      .replayable = TRUE};

  return vod_http_send (http, &request, cancellable, answer, error);
}

gboolean
test_get (
    VodHttp *http, const gchar *base, VodHttpAnswer *answer, GError **error)
{
  g_autofree gchar *uri = g_strconcat (base, "/", NULL);
  VodHttpRequest request = {.method = "GET",
      .uri = uri,
      .max_answer = 1024 * 1024,
      .replayable = TRUE};

  return vod_http_send (http, &request, NULL, answer, error);
}

gchar *
test_answer_text (const VodHttpAnswer *answer)
{
  gsize len;
  const gchar *text = g_bytes_get_data (answer->body, &len);

  return g_strndup (text, len);
}

struct _TestCanceller {
  GThread *thread;
  GCancellable *cancellable;
  guint ms;
  TestStopwatch *since; /* made by the thread, read after it was joined */
};

static gpointer
run_canceller (gpointer data)
{
  TestCanceller *canceller = data;

  g_usleep (canceller->ms * 1000);
  canceller->since = test_stopwatch_new ();
  g_cancellable_cancel (canceller->cancellable);
  return NULL;
}

TestCanceller *
test_canceller_new (GCancellable *cancellable, guint ms)
{
  TestCanceller *canceller = g_new0 (TestCanceller, 1);

  canceller->cancellable = g_object_ref (cancellable);
  canceller->ms = ms;
  canceller->thread = g_thread_new ("canceller", run_canceller, canceller);
  return canceller;
}

gint64
test_canceller_free (TestCanceller *canceller)
{
  gint64 passed;

  g_thread_join (canceller->thread);
  passed = test_stopwatch_ms (canceller->since);
  test_stopwatch_free (canceller->since);
  g_object_unref (canceller->cancellable);
  g_free (canceller);
  return passed;
}

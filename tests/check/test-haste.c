/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "upload/vodhaste.h"

#define MIB (1024 * 1024)
#define MS G_TIME_SPAN_MILLISECOND

/* From @from on @count pieces of @size, one each @pause µs; is the last one
 * hasty? */
static gboolean
feed (VodHaste *haste, gint64 *now, guint64 *received, guint count, gsize size,
    gint64 pause)
{
  gboolean hasty = haste->hasty;

  for (guint i = 0; i < count; i++) {
    *now += pause;
    *received += size;
    hasty = vod_haste_note (haste, *now, *received);
  }
  return hasty;
}

static void
test_a_copied_file_is (void)
{
  VodHaste haste = {0};
  gint64 now = 5 * G_USEC_PER_SEC;
  guint64 received = 0;

  g_assert_false (feed (&haste, &now, &received, 10, MIB, MS));
  g_assert_true (feed (&haste, &now, &received, 40, MIB, MS));
  /* In pieces of any size. */
  g_assert_true (feed (&haste, &now, &received, 100000, 4096, 4));
}

static void
test_a_recording_is_not (void)
{
  static const guint64 rates[] = {1000, 500000, 1000000, 25000000, 60000000};

  for (guint i = 0; i < G_N_ELEMENTS (rates); i++) {
    VodHaste haste = {0};
    gint64 now = 0;
    guint64 received = 0;

    for (guint k = 0; k < 5000; k++)
      g_assert_false (
          feed (&haste, &now, &received, 1, rates[i] / 100, 10 * MS));
  }
}

/* A fragment of ten seconds at once, again and again. */
static void
test_bursts_are_not (void)
{
  VodHaste haste = {0};
  gint64 now = 0;
  guint64 received = 0;

  for (guint k = 0; k < 100; k++) {
    g_assert_false (feed (&haste, &now, &received, 2500, 4096, 4));
    now += 10 * G_USEC_PER_SEC;
  }
}

static void
test_it_ends_with_the_haste (void)
{
  VodHaste haste = {0};
  gint64 now = 0;
  guint64 received = 0;

  g_assert_true (feed (&haste, &now, &received, 100, MIB, MS));
  now += 300 * MS;
  g_assert_false (feed (&haste, &now, &received, 1, MIB, MS));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/haste/a-copied-file-is", test_a_copied_file_is);
  g_test_add_func ("/haste/a-recording-is-not", test_a_recording_is_not);
  g_test_add_func ("/haste/bursts-are-not", test_bursts_are_not);
  g_test_add_func (
      "/haste/it-ends-with-the-haste", test_it_ends_with_the_haste);
  return g_test_run ();
}

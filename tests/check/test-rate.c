/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes per second over the last seconds, by a clock of the test's. */
#include "upload/vodrate.h"

#define S ((gint64)G_USEC_PER_SEC)
#define WINDOW (VOD_RATE_SLOTS * VOD_RATE_SLOT)

static void
test_nothing_is_zero (void)
{
  VodRate rate = {0};

  g_assert_cmpuint (vod_rate_get (&rate, 0), ==, 0);
  g_assert_cmpuint (vod_rate_get (&rate, 1000 * S), ==, 0);
}

/* The first bytes do not make a rate of gigabytes. */
static void
test_the_first_moment_is_not_divided_by_nothing (void)
{
  VodRate rate = {0};

  vod_rate_add (&rate, 100 * S, 1000);
  g_assert_cmpuint (
      vod_rate_get (&rate, 100 * S), <=, 1000 * S / VOD_RATE_SLOT);
  g_assert_cmpuint (vod_rate_get (&rate, 100 * S + 1), <=, 2000);
}

static void
test_a_steady_rate (void)
{
  VodRate rate = {0};
  gint64 now = 7 * S + 123;

  for (guint i = 0; i < 10000; i++) {
    vod_rate_add (&rate, now, 1000);
    now += S / 100;
    if (i > 200) {
      guint64 is = vod_rate_get (&rate, now);

      g_assert_cmpuint (is, >, 88000);
      g_assert_cmpuint (is, <, 112000);
    }
  }
}

static void
test_it_forgets (void)
{
  VodRate rate = {0};

  vod_rate_add (&rate, 100 * S, 1000000);
  g_assert_cmpuint (vod_rate_get (&rate, 100 * S + WINDOW / 2), >, 0);
  g_assert_cmpuint (vod_rate_get (&rate, 100 * S + WINDOW + S), ==, 0);
}

static void
test_it_slows_down_with_time (void)
{
  VodRate rate = {0};
  guint64 last = G_MAXUINT64;

  vod_rate_add (&rate, 100 * S, 1000000);
  for (gint64 later = S; later < WINDOW + S; later += S) {
    guint64 now = vod_rate_get (&rate, 100 * S + later);

    g_assert_cmpuint (now, <, last);
    last = now;
  }
  g_assert_cmpuint (last, ==, 0);
}

static void
test_long_silences (void)
{
  VodRate rate = {0};

  for (gint64 i = 1; i < 100; i++) {
    vod_rate_add (&rate, i * 3600 * S, 500);
    g_assert_cmpuint (
        vod_rate_get (&rate, i * 3600 * S), <=, 500 * S / VOD_RATE_SLOT);
  }
}

/* Between nine and ten slots are in it, and nothing else: against plain sums. */
static void
test_against_sums (void)
{
  const guint per_slot = 7;
  VodRate rate = {0};
  guint64 bytes[2000] = {0};
  gint64 now = 1000 * S;

  for (guint i = 0; i < G_N_ELEMENTS (bytes); i++) {
    guint64 least = 0, most = 0, is;

    now += VOD_RATE_SLOT / per_slot;
    bytes[i] = (guint64)g_test_rand_int_range (0, 100000);
    vod_rate_add (&rate, now, bytes[i]);
    if (i < VOD_RATE_SLOTS * per_slot)
      continue;
    for (guint j = 0; j < (VOD_RATE_SLOTS + 1) * per_slot && j <= i; j++) {
      most += bytes[i - j];
      if (j < (VOD_RATE_SLOTS - 1) * per_slot)
        least += bytes[i - j];
    }
    is = vod_rate_get (&rate, now);
    g_assert_cmpuint (is, >=, least * S / WINDOW);
    g_assert_cmpuint (is, <=, most * S / (WINDOW - VOD_RATE_SLOT));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rate/nothing", test_nothing_is_zero);
  g_test_add_func (
      "/rate/first", test_the_first_moment_is_not_divided_by_nothing);
  g_test_add_func ("/rate/steady", test_a_steady_rate);
  g_test_add_func ("/rate/forgets", test_it_forgets);
  g_test_add_func ("/rate/slows-down", test_it_slows_down_with_time);
  g_test_add_func ("/rate/silences", test_long_silences);
  g_test_add_func ("/rate/sums", test_against_sums);
  return g_test_run ();
}

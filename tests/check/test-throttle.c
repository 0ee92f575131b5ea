/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many bytes may go, and when, by a clock of the test's. */
#include "vodthrottle.h"

#define S ((gint64)G_USEC_PER_SEC)
#define START (77 * S + 13)
#define WINDOW (10 * S)
#define LIBSOUP 8192 /* what it asks for at a time */

/* What went, and when. */
typedef struct {
  gint64 at;
  gdouble bytes;
} Gone;

static gdouble
sum (GArray *all)
{
  gdouble bytes = 0;

  for (guint i = 0; i < all->len; i++)
    bytes += g_array_index (all, Gone, i).bytes;
  return bytes;
}

/* Any ten seconds, wherever they begin: within 5 % of the rate, or by the one
 * byte that cannot be divided. Ends are at what went, so that a window is as
 * full, or as empty, as can be. */
static void
assert_every_window (GArray *all, gint64 end, gdouble rate)
{
  gdouble expected = rate / 8 * WINDOW / S, bytes = 0;
  guint until = 0;

  for (guint i = 0; i < all->len; i++) {
    const Gone *first = &g_array_index (all, Gone, i);

    for (; until < all->len &&
         g_array_index (all, Gone, until).at < first->at + WINDOW;
         until++)
      bytes += g_array_index (all, Gone, until).bytes;
    g_assert_cmpfloat (bytes, <=, 1.05 * expected + 1);
    bytes -= first->bytes;
    if (first->at + WINDOW < end)
      g_assert_cmpfloat (bytes, >=, 0.95 * expected - 1);
  }
}

/* Takes @wanted again and again until @end, and comes back up to @late µs after
 * it was told to. */
static void
take_until (VodThrottle *throttle, gint64 *now, gint64 end, gsize wanted,
    gint late, GArray *all)
{
  while (*now < end) {
    gint64 wait;
    gsize taken = vod_throttle_take (throttle, *now, wanted, &wait);
    Gone gone = {*now, (gdouble)taken};

    g_assert_cmpuint (taken, <=, wanted);
    g_assert_true (taken > 0 ? wait == 0 : wait > 0);
    if (taken > 0)
      g_array_append_val (all, gone);
    else
      *now += wait + (late > 0 ? g_test_rand_int_range (0, late) : 0);
  }
}

static const guint64 rates[] = {1, 9, 80, 1000, 8191, 64 * 1000, 1000 * 1000,
    20 * 1000 * 1000, 1000 * 1000 * 1000, G_GUINT64_CONSTANT (9999999999999)};

static void
check_rate (guint64 rate, gsize wanted, gint late)
{
  VodThrottle throttle = {0};
  g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (Gone));
  gint64 now = START;

  vod_throttle_set_rate (&throttle, now, rate);
  take_until (&throttle, &now, START + 4 * WINDOW, wanted, late, all);
  g_assert_cmpuint (all->len, >, 0);
  assert_every_window (all, now, (gdouble)rate);
}

static void
test_every_ten_seconds_keep_the_rate (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (rates); i++) {
    check_rate (rates[i], G_MAXSIZE, 0);
    if (rates[i] <= 20 * 1000 * 1000)
      check_rate (rates[i], LIBSOUP, 0);
    if (rates[i] <= 1000 * 1000)
      check_rate (rates[i], 10, 0);
  }
}

/* A machine that wakes us a little late loses nothing. */
static void
test_coming_late_loses_nothing (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (rates); i++)
    check_rate (rates[i], LIBSOUP * (rates[i] / 1000000 + 1), 90000);
}

/* Bytes that @seconds of not asking have earned. */
static gdouble
burst_after (gint64 seconds, guint64 rate)
{
  VodThrottle throttle = {0};
  g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (Gone));
  gint64 now = START;

  vod_throttle_set_rate (&throttle, now, rate);
  now += seconds * S;
  take_until (&throttle, &now, now + 1, G_MAXSIZE, 0, all);
  return sum (all);
}

static void
test_a_stall_earns_no_burst (void)
{
  g_assert_cmpfloat (burst_after (0, 8000000), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (rates); i++)
    g_assert_cmpfloat (
        burst_after (100000, rates[i]), <=, (gdouble)rates[i] / 8 / 5 + 1);
}

static void
test_no_limit (void)
{
  VodThrottle throttle = {0};
  gint64 wait;

  g_assert_cmpuint (
      vod_throttle_take (&throttle, 0, G_MAXSIZE, &wait), ==, G_MAXSIZE);
  vod_throttle_charge (&throttle, 0, G_MAXSIZE);
  vod_throttle_set_rate (&throttle, START, 1000);
  vod_throttle_charge (&throttle, START, 1000000);
  g_assert_cmpuint (vod_throttle_take (&throttle, START, 1, &wait), ==, 0);
  vod_throttle_set_rate (&throttle, START, 0);
  g_assert_cmpuint (vod_throttle_take (&throttle, START, 1, &wait), ==, 1);
  /* What was owed is forgiven, what was not used is not earned. */
  vod_throttle_set_rate (&throttle, START + S, 8000);
  g_assert_cmpuint (vod_throttle_take (&throttle, START + S, 1, &wait), ==, 0);
  g_assert_cmpint (wait, <=, 1000);
}

/* Who waits for one byte at 1 bit/s is told to come at once when the rate
 * rises, and who takes at 1 Gbit/s has to wait when it falls. */
static void
test_a_change_counts_at_once (void)
{
  VodThrottle throttle = {0};
  g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (Gone));
  gint64 now = START, wait;

  vod_throttle_set_rate (&throttle, now, 1);
  g_assert_cmpuint (vod_throttle_take (&throttle, now, LIBSOUP, &wait), ==, 0);
  g_assert_cmpint (wait, ==, 8 * S);
  vod_throttle_set_rate (&throttle, now, 8 * LIBSOUP * 100);
  g_assert_cmpuint (vod_throttle_take (&throttle, now, LIBSOUP, &wait), ==, 0);
  g_assert_cmpint (wait, ==, S / 100);

  vod_throttle_set_rate (&throttle, now, 1000000000);
  now += WINDOW;
  vod_throttle_set_rate (&throttle, now, 8000);
  take_until (&throttle, &now, now + WINDOW, LIBSOUP, 0, all);
  g_assert_cmpfloat (sum (all), <=, 1.05 * 10000);
}

/* Up and down all the time: what goes is what all the rates allowed. */
static void
test_many_changes (void)
{
  VodThrottle throttle = {0};
  g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (Gone));
  gdouble allowed = 0;
  gint64 now = START, end = START;

  for (guint i = 0; i < 300; i++) {
    guint64 rate = (guint64)g_test_rand_int_range (100000, 10000000);
    gint64 before = now;

    vod_throttle_set_rate (&throttle, now, rate);
    end += g_test_rand_int_range (1000, S);
    take_until (&throttle, &now, end, LIBSOUP, 0, all);
    allowed += (gdouble)rate / 8 * (gdouble)(now - before) / S;
  }
  g_assert_cmpfloat (sum (all), <=, allowed + 10000000 / 8 / 5);
  g_assert_cmpfloat (sum (all), >=, 0.95 * allowed);
}

/* A head of 1000 bytes before each body of 4000: all of it keeps the rate. */
static void
test_what_did_not_wait_counts (void)
{
  VodThrottle throttle = {0};
  g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (Gone));
  gint64 now = START;

  vod_throttle_set_rate (&throttle, now, 1000000);
  while (now < START + 4 * WINDOW) {
    Gone head = {now, 1000};
    gsize left = 4000;

    vod_throttle_charge (&throttle, now, 1000);
    g_array_append_val (all, head);
    while (left > 0) {
      gint64 wait;
      Gone gone = {
          now, (gdouble)vod_throttle_take (&throttle, now, left, &wait)};

      left -= (gsize)gone.bytes;
      now += wait;
      if (gone.bytes > 0)
        g_array_append_val (all, gone);
    }
  }
  assert_every_window (all, now, 1000000);
}

/* Whoever asks next is served next; with slow turns, that is everybody. */
static void
test_pieces_are_small_at_low_rates (void)
{
  VodThrottle throttle = {0};
  gint64 wait;

  vod_throttle_set_rate (&throttle, START, 80000);
  g_assert_cmpuint (
      vod_throttle_take (&throttle, START + S, LIBSOUP, &wait), ==, 1000);
  vod_throttle_set_rate (&throttle, START, 1);
  g_assert_cmpuint (
      vod_throttle_take (&throttle, START + 100 * S, LIBSOUP, &wait), ==, 1);
}

/* No value of anything overflows, divides by zero or makes a rate from nothing.
 */
static void
test_extremes (void)
{
  static const guint64 odd[] = {
      1, 2, 1000, G_MAXUINT32, G_MAXINT64, G_MAXUINT64 - 1, G_MAXUINT64};

  for (guint i = 0; i < G_N_ELEMENTS (odd); i++) {
    VodThrottle throttle = {0};
    gint64 now = START, wait;

    vod_throttle_set_rate (&throttle, now, odd[i]);
    for (guint j = 0; j < 5; j++)
      vod_throttle_charge (&throttle, now, G_MAXSIZE);
    g_assert_cmpuint (
        vod_throttle_take (&throttle, now, G_MAXSIZE, &wait), ==, 0);
    g_assert_cmpint (wait, >, 0);
    /* That long ago is no loan. */
    g_assert_cmpuint (vod_throttle_take (&throttle, 0, 1, &wait), ==, 0);
    now = G_MAXINT64 - 1;
    g_assert_cmpuint (vod_throttle_take (&throttle, now, 1, &wait), <=, 1);
    vod_throttle_set_rate (&throttle, START, 1);
    vod_throttle_set_rate (&throttle, now, odd[i]);
    vod_throttle_take (&throttle, now, G_MAXSIZE, &wait);
    g_assert_cmpint (wait, >=, 0);
  }
}

static void
test_connections (void)
{
  static const struct {
    guint64 rate;
    guint most, connections;
  } table[] = {
      {0, 6, 6},
      {0, 64, 64},
      {1, 6, 1},
      {262143, 6, 1},
      {2 * 262144 - 1, 6, 1},
      {2 * 262144, 6, 2},
      {1000000, 6, 3},
      {6 * 262144, 6, 6},
      {100000000, 6, 6},
      {G_MAXUINT64, 64, 64},
      {G_MAXUINT64, 1, 1},
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    g_assert_cmpuint (vod_throttle_connections (table[i].rate, table[i].most),
        ==, table[i].connections);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/throttle/every-ten-seconds-keep-the-rate",
      test_every_ten_seconds_keep_the_rate);
  g_test_add_func (
      "/throttle/coming-late-loses-nothing", test_coming_late_loses_nothing);
  g_test_add_func (
      "/throttle/a-stall-earns-no-burst", test_a_stall_earns_no_burst);
  g_test_add_func ("/throttle/no-limit", test_no_limit);
  g_test_add_func (
      "/throttle/a-change-counts-at-once", test_a_change_counts_at_once);
  g_test_add_func ("/throttle/many-changes", test_many_changes);
  g_test_add_func (
      "/throttle/what-did-not-wait-counts", test_what_did_not_wait_counts);
  g_test_add_func ("/throttle/pieces-are-small-at-low-rates",
      test_pieces_are_small_at_low_rates);
  g_test_add_func ("/throttle/extremes", test_extremes);
  g_test_add_func ("/throttle/connections", test_connections);
  return g_test_run ();
}

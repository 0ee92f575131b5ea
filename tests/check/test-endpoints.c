/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two endpoints in turn, by a clock of the test's. */
#include "upload/vodendpoints.h"

#define S ((gint64)G_USEC_PER_SEC)
#define PAUSE (30 * S)

static void
init (VodEndpoints *endpoints)
{
  vod_endpoints_init (endpoints, "first", "backup", PAUSE);
}

/* Where a request goes now that could wait for ever. */
static VodEndpointUse
choose (VodEndpoints *endpoints, gint64 now)
{
  return vod_endpoints_choose (endpoints, now, TRUE);
}

static VodWay
fail (VodEndpoints *endpoints, const VodEndpointUse *use, gint64 begun,
    gint64 now)
{
  return vod_endpoints_silent (endpoints, use, FALSE, begun, now);
}

/* A request to the endpoint in use that gets no answer. */
static VodWay
lose_one (VodEndpoints *endpoints, gint64 now)
{
  VodEndpointUse use = vod_endpoints_choose (endpoints, now, FALSE);

  return fail (endpoints, &use, now, now);
}

static void
succeed (VodEndpoints *endpoints, gint64 now)
{
  VodEndpointUse use = vod_endpoints_choose (endpoints, now, FALSE);

  vod_endpoints_succeeded (endpoints, &use, now);
}

static void
assert_uses (VodEndpoints *endpoints, gint64 now, const gchar *uri)
{
  g_assert_cmpstr (vod_endpoints_choose (endpoints, now, FALSE).uri, ==, uri);
}

static void
test_alone_it_stays (void)
{
  VodEndpoints endpoints;

  vod_endpoints_init (&endpoints, "first", NULL, PAUSE);
  for (gint64 now = S; now < 1000 * S; now += S) {
    g_assert_cmpint (lose_one (&endpoints, now), ==, VOD_WAY_SAME);
    g_assert_cmpstr (choose (&endpoints, now).uri, ==, "first");
  }
}

static void
test_in_turn (void)
{
  VodEndpoints endpoints;

  init (&endpoints);
  for (guint i = 0; i < 20; i++) {
    assert_uses (&endpoints, i * S, i % 2 ? "backup" : "first");
    g_assert_cmpint (lose_one (&endpoints, i * S), ==, VOD_WAY_OTHER);
  }
}

/* All that were sent to the one that is gone go to the other; one changes over.
 */
static void
test_many_that_fail_together_change_over_once (void)
{
  VodEndpoints endpoints;
  VodEndpointUse use[6];

  init (&endpoints);
  for (guint i = 0; i < 6; i++)
    use[i] = choose (&endpoints, i);
  for (guint i = 0; i < 6; i++) {
    g_assert_cmpint (
        fail (&endpoints, &use[i], i, 15 * S + i), ==, VOD_WAY_OTHER);
    assert_uses (&endpoints, 15 * S + i, "backup");
  }
}

/* One connection was lost, others work. */
static void
test_what_works_is_kept (void)
{
  VodEndpoints endpoints;
  VodEndpointUse lost, good;

  init (&endpoints);
  lost = choose (&endpoints, S);
  good = choose (&endpoints, S);
  vod_endpoints_succeeded (&endpoints, &good, 2 * S);
  g_assert_cmpint (fail (&endpoints, &lost, S, 3 * S), ==, VOD_WAY_SAME);
  assert_uses (&endpoints, 3 * S, "first");
  /* Nothing works any more. */
  g_assert_cmpint (fail (&endpoints, &lost, 3 * S, 4 * S), ==, VOD_WAY_OTHER);

  /* An answer that was not wanted is one all the same. */
  init (&endpoints);
  vod_endpoints_answered (&endpoints, &good, 2 * S);
  g_assert_cmpint (fail (&endpoints, &lost, S, 3 * S), ==, VOD_WAY_SAME);
}

static void
test_no_endpoint_no_effect (void)
{
  VodEndpoints endpoints;
  VodEndpointUse none = {0};

  init (&endpoints);
  g_assert_cmpint (fail (&endpoints, &none, S, 2 * S), ==, VOD_WAY_SAME);
  assert_uses (&endpoints, 2 * S, "first");
  /* What went elsewhere says nothing about it. */
  vod_endpoints_succeeded (&endpoints, &none, 4 * S);
  vod_endpoints_answered (&endpoints, &none, 4 * S);
  g_assert_cmpint (lose_one (&endpoints, 4 * S), ==, VOD_WAY_OTHER);
}

/* --- back to the first ----------------------------------------------------*/

static void
test_the_first_is_tried_by_one_request (void)
{
  VodEndpoints endpoints;
  VodEndpointUse probe;

  init (&endpoints);
  lose_one (&endpoints, 0);
  succeed (&endpoints, S);
  g_assert_false (choose (&endpoints, PAUSE - 1).probe);
  /* Not by one that must not wait. */
  assert_uses (&endpoints, PAUSE, "backup");
  probe = choose (&endpoints, PAUSE);
  g_assert_true (probe.probe);
  g_assert_cmpstr (probe.uri, ==, "first");
  g_assert_cmpstr (choose (&endpoints, PAUSE + 1).uri, ==, "backup");
  g_assert_cmpstr (choose (&endpoints, 1000 * PAUSE).uri, ==, "backup");

  vod_endpoints_succeeded (&endpoints, &probe, PAUSE + 2);
  assert_uses (&endpoints, PAUSE + 3, "first");
}

/* 30 s, 1, 2, 4, 8, 8 … minutes. */
static void
test_pauses_double_up_to_a_bound (void)
{
  static const guint pauses[] = {30, 60, 120, 240, 480, 480, 480};
  VodEndpoints endpoints;
  gint64 now = 0;

  init (&endpoints);
  lose_one (&endpoints, now);
  for (guint i = 0; i < G_N_ELEMENTS (pauses); i++) {
    VodEndpointUse probe;

    now += pauses[i] * S;
    g_assert_false (choose (&endpoints, now - 1).probe);
    probe = choose (&endpoints, now);
    g_assert_true (probe.probe);
    /* By no answer or a bad one. */
    if (i % 2)
      vod_endpoints_answered (&endpoints, &probe, now);
    else
      g_assert_cmpint (fail (&endpoints, &probe, now, now), ==, VOD_WAY_PROBE);
    assert_uses (&endpoints, now, "backup");
  }
}

static void
test_a_success_of_the_first_resets_the_pause (void)
{
  VodEndpoints endpoints;
  VodEndpointUse probe;
  gint64 now = PAUSE;

  init (&endpoints);
  lose_one (&endpoints, 0);
  probe = choose (&endpoints, now);
  fail (&endpoints, &probe, now, now);
  now += 2 * PAUSE;
  probe = choose (&endpoints, now);
  vod_endpoints_succeeded (&endpoints, &probe, now);
  lose_one (&endpoints, now + 2 * S);
  now += 2 * S + PAUSE;
  g_assert_false (choose (&endpoints, now - 1).probe);
  g_assert_true (choose (&endpoints, now).probe);
}

/* The backup fails while a probe is on its way. */
static void
test_turn_while_probing (void)
{
  VodEndpoints endpoints;
  VodEndpointUse probe;

  init (&endpoints);
  lose_one (&endpoints, 0);
  probe = choose (&endpoints, PAUSE);
  g_assert_cmpint (lose_one (&endpoints, PAUSE + 2 * S), ==, VOD_WAY_OTHER);
  assert_uses (&endpoints, PAUSE + 2 * S, "first");
  g_assert_cmpint (
      fail (&endpoints, &probe, PAUSE, PAUSE + 3 * S), ==, VOD_WAY_PROBE);
  assert_uses (&endpoints, PAUSE + 3 * S, "first");
}

/* --- TLS ------------------------------------------------------------------*/

static VodWay
distrust (VodEndpoints *endpoints, gint64 now)
{
  VodEndpointUse use = vod_endpoints_choose (endpoints, now, FALSE);

  return vod_endpoints_silent (endpoints, &use, TRUE, now, now);
}

/* Neither can be trusted: that is final. Until then there is a way. */
static void
test_both_untrusted (void)
{
  VodEndpoints endpoints;

  init (&endpoints);
  g_assert_cmpint (distrust (&endpoints, S), ==, VOD_WAY_OTHER);
  g_assert_cmpint (distrust (&endpoints, 2 * S), ==, VOD_WAY_SAME);

  init (&endpoints);
  g_assert_cmpint (distrust (&endpoints, S), ==, VOD_WAY_OTHER);
  g_assert_cmpint (lose_one (&endpoints, 2 * S), ==, VOD_WAY_OTHER);
  g_assert_cmpint (distrust (&endpoints, 3 * S), ==, VOD_WAY_OTHER);
  succeed (&endpoints, 4 * S);
  g_assert_cmpint (distrust (&endpoints, 5 * S), ==, VOD_WAY_SAME);

  vod_endpoints_init (&endpoints, "first", NULL, PAUSE);
  g_assert_cmpint (distrust (&endpoints, S), ==, VOD_WAY_SAME);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/endpoints/alone", test_alone_it_stays);
  g_test_add_func ("/endpoints/in-turn", test_in_turn);
  g_test_add_func (
      "/endpoints/together", test_many_that_fail_together_change_over_once);
  g_test_add_func ("/endpoints/kept", test_what_works_is_kept);
  g_test_add_func ("/endpoints/none", test_no_endpoint_no_effect);
  g_test_add_func (
      "/endpoints/probe/one", test_the_first_is_tried_by_one_request);
  g_test_add_func ("/endpoints/probe/pauses", test_pauses_double_up_to_a_bound);
  g_test_add_func (
      "/endpoints/probe/reset", test_a_success_of_the_first_resets_the_pause);
  g_test_add_func ("/endpoints/probe/turn", test_turn_while_probing);
  g_test_add_func ("/endpoints/untrusted", test_both_untrusted);
  return g_test_run ();
}

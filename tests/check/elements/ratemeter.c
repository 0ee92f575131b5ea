/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ratemeter.h"

#define S ((gint64)G_USEC_PER_SEC)
#define WINDOWS 3

RateSample
rate_sample (Emulator *emulator)
{
  RateSample sample = {.before = g_get_monotonic_time ()};
  g_autoptr (JsonNode) state = emulator_state (emulator);

  sample.after = g_get_monotonic_time ();
  sample.bytes = (guint64)json_object_get_int_member (
      json_node_get_object (state), "bytes-received");
  return sample;
}

void
rate_assert_below (Emulator *emulator, RateSample first, guint64 rate)
{
  RateSample now = rate_sample (emulator);
  gdouble seconds = (gdouble)(now.after - first.before) / S;

  g_assert_cmpfloat ((gdouble)(now.bytes - first.bytes), <=,
      (gdouble)rate / 8 * (seconds + 0.2));
}

static gboolean
measure (Emulator *emulator, guint64 rate, guint seconds, guint percent)
{
  RateSample first = rate_sample (emulator), last;
  gdouble bits, least, most;

  g_usleep (seconds * S);
  last = rate_sample (emulator);
  bits = 8 * (gdouble)(last.bytes - first.bytes);
  least = bits * S / (gdouble)(last.after - first.before);
  most = bits * S / (gdouble)(last.before - first.after);
  g_test_message ("%.0f bytes in %.3f s: %.2f … %.2f %% of %" G_GUINT64_FORMAT
                  " bit/s",
      bits / 8, (gdouble)(last.after - first.before) / S,
      100 * least / (gdouble)rate, 100 * most / (gdouble)rate, rate);
  return 100 * least >= (100.0 - percent) * (gdouble)rate &&
      100 * most <= (100.0 + percent) * (gdouble)rate;
}

void
rate_assert_is (Emulator *emulator, guint64 rate, guint seconds, guint percent)
{
  for (guint i = 0; i < WINDOWS; i++)
    if (measure (emulator, rate, seconds, percent))
      return;
  g_error ("not %" G_GUINT64_FORMAT " bit/s in any window", rate);
}

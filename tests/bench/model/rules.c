/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rules: says how the slice table cuts, so that the model can be compared with
 * it: for each part number, the floor and the full size.
 *
 *   rules SLICE_SIZE MAX_BYTES MAX_PARTS
 */
#include <stdio.h>
#include <stdlib.h>

#include "upload/vodslices.h"

int
main (int argc, char **argv)
{
  VodSlicesConfig config = {.min_part = VOD_MIB};

  if (argc != 4)
    return 2;
  config.slice_size = g_ascii_strtoull (argv[1], NULL, 10);
  config.max_bytes = g_ascii_strtoull (argv[2], NULL, 10);
  config.max_parts = (guint)atoi (argv[3]);
  for (guint number = 1; number <= config.max_parts; number++)
    printf ("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
        vod_slices_floor (&config, number), vod_slices_full (&config, number));
  return 0;
}

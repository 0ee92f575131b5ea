/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hotpath: sends a fixed number of parts of a fixed size, one after the other, so
 * that the instructions that this takes can be counted (instructions.py).
 *
 *   hotpath URL PARTS
 */
#include <stdio.h>
#include <stdlib.h>

#include "cloud/vodhttp.h"

#define PART (1024 * 1024)

int
main (int argc, char **argv)
{
  VodHttpSettings settings = {.user_agent = "hotpath", .timeout = 60};
  g_autoptr (GError) error = NULL;
  g_autoptr (VodHttp) http = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new_take (g_malloc0 (PART), PART);
  VodHttpBody body = vod_http_body_from_bytes (bytes);

  if (argc != 3)
    return 2;
  http = vod_http_new (&settings, &error);
  for (gint i = 1; http && i <= atoi (argv[2]); i++) {
    g_autofree gchar *uri =
        g_strdup_printf ("%s/k?partNumber=%d&uploadId=u", argv[1], i);
    VodHttpRequest request = {.method = "PUT",
        .uri = uri,
        .body = &body,
        .max_answer = 1000,
        .replayable = TRUE};
    g_auto (VodHttpAnswer) answer = {0};

    if (!vod_http_send (http, &request, NULL, &answer, &error))
      break;
  }
  if (error) {
    fprintf (stderr, "hotpath: %s\n", error->message);
    return 1;
  }
  return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodcos.h"

#include <string.h>

#include "testserver.h"
#include "voderror.h"

static VodHttp *
open_http (void)
{
  VodHttpSettings settings = {.user_agent = "test", .timeout = 5};
  g_autoptr (GError) error = NULL;
  VodHttp *http = vod_http_new (&settings, &error);

  g_assert_no_error (error);
  return http;
}

static void
test_initiate (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  g_autoptr (VodHttp) http = open_http ();
  g_autoptr (GError) error = NULL;
  VodCosCredentials credentials = {"id", "key", "token", 1, 2};
  VodCosTarget target = {test_soup_uri (soup), "b-1.cos.r.myqcloud.com", TRUE,
      "a b/c.mp4", &credentials};
  g_autofree gchar *id = NULL;

  test_soup_answer (soup, 200, NULL,
      "<InitiateMultipartUploadResult>\n\t<UploadId>15851</UploadId>\n"
      "</InitiateMultipartUploadResult>\n");
  id = vod_cos_initiate (http, &target, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (id, ==, "15851");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cos/initiate", test_initiate);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttp in a process that uses libsoup 2.4 where libsoup 3 does not see it: an
 * error, where libsoup would wait for ever. testsoup2.c plays libsoup 2.4.
 */
#include <dlfcn.h>
#include <glib-object.h>
#include <string.h>

#include "cloud/voderror.h"
#include "cloud/vodhttp.h"

static const VodHttpSettings settings = {
    .user_agent = "test/1", .timeout = 15, .indirect = FALSE};

static gpointer
open_soup2 (void)
{
  gpointer soup2 = dlopen (TEST_SOUP2, RTLD_NOW | RTLD_LOCAL);

  g_assert_nonnull (soup2);
  return soup2;
}

static void
use (gpointer soup2)
{
  GType (*get_type) (void) = dlsym (soup2, "soup_session_get_type");

  g_assert_nonnull (get_type);
  g_assert_cmpstr (g_type_name (get_type ()), ==, "SoupSession");
}

/* In a process of its own: types are for life. */
static void
test_used (void)
{
  g_autoptr (GError) error = NULL;

  if (!g_test_subprocess ()) {
    g_test_trap_subprocess (NULL, 20 * G_USEC_PER_SEC, 0);
    g_test_trap_assert_passed ();
    return;
  }
  use (open_soup2 ());
  g_assert_null (vod_http_new (&settings, &error));
  g_assert_error (error, VOD_ERROR, VOD_ERROR_PARAMETER);
  g_assert_nonnull (strstr (error->message, "libsoup 2.4"));
}

/* That it is there does no harm, nor that libsoup 3 has the type. */
static void
test_unused (void)
{
  g_autoptr (GError) error = NULL;
  gpointer soup2 = open_soup2 ();

  for (guint i = 0; i < 2; i++) {
    VodHttp *http = vod_http_new (&settings, &error);

    g_assert_no_error (error);
    vod_http_free (http);
  }
  dlclose (soup2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/soup2/used", test_used);
  g_test_add_func ("/soup2/unused", test_unused);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttp while another thread is registering libsoup's types: a class must not
 * be initialised before its private data has been announced, or each session's
 * private data lies outside of its memory.
 *
 * This program's g_type_add_instance_private() stands before GObject's, and
 * holds the registration of SoupSession at that point.
 */
#include <dlfcn.h>
#include <libsoup/soup.h>

#include "cloud/vodhttp.h"

#define HELD (300 * 1000) /* us: long enough for the other thread */

static const VodHttpSettings settings = {
    .user_agent = "test/1", .timeout = 15, .indirect = FALSE};

static gint registering; /* atomic */
static gint too_early;   /* atomic: the class was there already */

gint
g_type_add_instance_private (GType type, gsize size)
{
  gint (*real) (GType, gsize) = dlsym (RTLD_NEXT, __func__);

  if (g_str_equal (g_type_name (type), "SoupSession")) {
    gint64 end = g_get_monotonic_time () + HELD;

    g_atomic_int_set (&registering, TRUE);
    while (g_get_monotonic_time () < end && !g_type_class_peek (type))
      g_usleep (1000);
    g_atomic_int_set (&too_early, g_type_class_peek (type) != NULL);
  }
  return real (type, size);
}

static gpointer
open_one (gpointer data)
{
  g_autoptr (GError) error = NULL;
  VodHttp *http = vod_http_new (&settings, &error);

  g_assert_no_error (error);
  vod_http_free (http);
  return NULL;
}

static gpointer
register_types (gpointer data)
{
  g_type_ensure (SOUP_TYPE_SESSION);
  return NULL;
}

/* In a process of its own: types are registered once. */
static void
test_beside (gconstpointer first)
{
  GThread *thread;

  if (!g_test_subprocess ()) {
    g_test_trap_subprocess (NULL, 20 * G_USEC_PER_SEC, 0);
    g_test_trap_assert_passed ();
    return;
  }
  thread = g_thread_new ("first", (GThreadFunc)first, NULL);
  while (!g_atomic_int_get (&registering))
    g_usleep (1000);
  open_one (NULL);
  g_thread_join (thread);
  g_assert_false (g_atomic_int_get (&too_early));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/soup-types/another-upload", open_one, test_beside);
  g_test_add_data_func (
      "/soup-types/the-application", register_types, test_beside);
  return g_test_run ();
}

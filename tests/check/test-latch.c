/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an upload takes from the properties about reports, and about memory.
 */
#include <string.h>

#include "gstvodsettings.h"

static gboolean
latch (
    const gchar *property, GstVodSettings *settings, VodUploadSettings *upload)
{
  GstVodStreamFacts facts = {.caps_type = "mp4"};
  g_autoptr (GError) error = NULL;
  gboolean ok = gst_vod_settings_latch (settings, &facts, upload, &error);

  if (ok)
    return TRUE;
  g_assert_error (error, VOD_ERROR, VOD_ERROR_PARAMETER);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, property));
  return FALSE;
}

static void
replace (gchar **text, const gchar *with)
{
  g_free (*text);
  *text = g_strdup (with);
}

static const struct {
  const gchar *endpoint;
  const gchar *report_endpoint;
  const gchar *used;
} places[] = {
    {"https://vod2.qcloud.com", NULL, "https://vodreport.qcloud.com"},
    {"https://vod2.qcloud.com/", NULL, "https://vodreport.qcloud.com"},
    {"http://127.0.0.1:8080", NULL, "http://127.0.0.1:8080"},
    {"http://127.0.0.1:8080/", NULL, "http://127.0.0.1:8080"},
    {"http://vod2.qcloud.com", NULL, "http://vod2.qcloud.com"},
    {"https://vod2.dnsv1.com", NULL, "https://vod2.dnsv1.com"},
    {"https://vod2.qcloud.com", "https://reports.example.com/",
        "https://reports.example.com"},
    {"http://127.0.0.1:8080", "http://[::1]:1", "http://[::1]:1"},
};

static void
test_where_reports_go (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (places); i++) {
    GstVodSettings settings = {0};
    VodUploadSettings upload;

    gst_vod_settings_init (&settings);
    replace (&settings.report_id, "id");
    replace (&settings.endpoint, places[i].endpoint);
    replace (&settings.report_endpoint, places[i].report_endpoint);
    g_assert_true (latch ("", &settings, &upload));
    g_assert_cmpstr (upload.report_id, ==, "id");
    g_assert_cmpstr (upload.report_endpoint, ==, places[i].used);
    g_assert_true (g_str_has_prefix (upload.report_device, "GStreamer "));
    vod_upload_settings_clear (&upload);
    gst_vod_settings_clear (&settings);
  }
}

static void
test_without_an_id_nothing_is_reported (void)
{
  const gchar *const ids[] = {NULL, ""};

  for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
    GstVodSettings settings = {0};
    VodUploadSettings upload;

    gst_vod_settings_init (&settings);
    replace (&settings.report_id, ids[i]);
    replace (&settings.report_endpoint, "https://reports.example.com");
    g_assert_true (latch ("", &settings, &upload));
    g_assert_null (upload.report_id);
    g_assert_null (upload.report_endpoint);
    g_assert_null (upload.report_device);
    vod_upload_settings_clear (&upload);
    gst_vod_settings_clear (&settings);
  }
}

static void
test_ids (void)
{
  g_autofree gchar *longest = g_strnfill (256, 'i');
  g_autofree gchar *overlong = g_strnfill (257, 'i');
  const struct {
    const gchar *id;
    gboolean usable;
  } table[] = {
      {"a", TRUE},
      {"Raum 12 / 测试 \"x\" \\", TRUE},
      {longest, TRUE},
      {overlong, FALSE},
      {"a\nb", FALSE},
      {"a\177", FALSE},
      {"a\302\205", FALSE}, /* a control character of two bytes */
      {"\377", FALSE},
      {"caf\303", FALSE},
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    GstVodSettings settings = {0};
    VodUploadSettings upload;
    gboolean usable;

    gst_vod_settings_init (&settings);
    replace (&settings.report_id, table[i].id);
    usable = latch ("report-id", &settings, &upload);
    g_assert_cmpint (usable, ==, table[i].usable);
    if (usable)
      g_assert_cmpstr (upload.report_id, ==, table[i].id);
    vod_upload_settings_clear (&upload);
    gst_vod_settings_clear (&settings);
  }
}

/* Whether it is used or not. */
static void
test_endpoints_are_checked (void)
{
  static const gchar *const bad[] = {
      "", "host", "ftp://h", "https://h/path", "https://u:p@h", "http://h?q"};

  for (guint i = 0; i < 2 * G_N_ELEMENTS (bad); i++) {
    GstVodSettings settings = {0};
    VodUploadSettings upload;

    gst_vod_settings_init (&settings);
    replace (&settings.report_id, i % 2 ? "id" : NULL);
    replace (&settings.report_endpoint, bad[i / 2]);
    g_assert_false (latch ("report-endpoint", &settings, &upload));
    gst_vod_settings_clear (&settings);
  }
}

/* What it advises can be set. */
static void
test_too_little_memory (void)
{
  static const struct {
    guint64 memory, slice;
    const gchar *message;
  } table[] = {
      {1000000, 8388608,
          "max-size-bytes is 1000000 but must be at least 4 x slice-size: set "
          "it to 33554432 or more, or spool=true"},
      {4194303, 1048576,
          "max-size-bytes is 4194303 but must be at least 4 x slice-size: set "
          "it to 4194304 or more, or spool=true"},
      {4194304, 1048577,
          "max-size-bytes is 4194304 but must be at least 4 x slice-size: set "
          "it to 4194308 or more, slice-size to 1048576 or less, or "
          "spool=true"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    GstVodSettings settings = {0};
    VodUploadSettings upload;

    gst_vod_settings_init (&settings);
    settings.max_size_bytes = table[i].memory;
    settings.slice_size = table[i].slice;
    g_assert_false (latch (table[i].message, &settings, &upload));
    gst_vod_settings_clear (&settings);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/latch/where-reports-go", test_where_reports_go);
  g_test_add_func ("/latch/without-an-id-nothing-is-reported",
      test_without_an_id_nothing_is_reported);
  g_test_add_func ("/latch/ids", test_ids);
  g_test_add_func ("/latch/endpoints-are-checked", test_endpoints_are_checked);
  g_test_add_func ("/latch/too-little-memory", test_too_little_memory);
  return g_test_run ();
}

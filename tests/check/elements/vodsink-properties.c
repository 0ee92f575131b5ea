/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsink's face: its properties as documented, what may be read back, and what
 * is refused before anything is sent.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "vodsinktest.h"

#define SECRET "c2VjcmV0LXNpZ25hdHVyZS1zZWNyZXQtc2lnbmF0dXJl"

static GstElement *
make (void)
{
  GstElement *sink = gst_element_factory_make ("vodsink", NULL);

  fail_unless (sink != NULL, "vodsink is not there: is GST_PLUGIN_PATH set?");
  return sink;
}

/* --- the table ------------------------------------------------------------*/

#define W (G_PARAM_WRITABLE)
#define RW (G_PARAM_READWRITE)
#define R (G_PARAM_READABLE)
#define L GST_PARAM_MUTABLE_READY
#define P GST_PARAM_MUTABLE_PLAYING
#define MUTABILITY                                                             \
  (GST_PARAM_MUTABLE_READY | GST_PARAM_MUTABLE_PAUSED |                        \
      GST_PARAM_MUTABLE_PLAYING)

static const struct {
  const gchar *name;
  const gchar *type;
  const gchar *initial; /* as gst_value_serialize() has it; NULL: NULL */
  const gchar *min, *max;
  guint flags;
} table[] = {
    {"location", "gchararray", NULL, NULL, NULL, RW | L},
    {"media-name", "gchararray", NULL, NULL, NULL, RW | L},
    {"media-type", "gchararray", NULL, NULL, NULL, RW | L},
    {"cover-location", "gchararray", NULL, NULL, NULL, RW | L},
    {"cover", "GstSample", NULL, NULL, NULL, W | P},
    {"report-id", "gchararray", NULL, NULL, NULL, RW | L},
    {"report-endpoint", "gchararray", NULL, NULL, NULL, RW | L},
    {"storage-region", "gchararray", NULL, NULL, NULL, RW | L},
    {"signature", "gchararray", NULL, NULL, NULL, W | P},
    {"signature-url", "gchararray", NULL, NULL, NULL, RW | L},
    {"signature-headers", "GstStructure", NULL, NULL, NULL, W | L},
    {"slice-size", "guint64", "8388608", "1048576", "1073741824", RW | L},
    {"parallel-uploads", "guint", "6", "1", "64", RW | L},
    {"max-size-bytes", "guint64", "67108864", "0", "18446744073709551615",
        RW | L},
    {"max-upload-bitrate", "guint64", "0", "0", "18446744073709551615", RW | P},
    {"upload-paused", "gboolean", "false", NULL, NULL, RW | P},
    {"content-md5", "gboolean", "false", NULL, NULL, RW | L},
    {"progress-interval", "guint", "1000", "0", "4294967295", RW | P},
    {"endpoint", "gchararray", "https://vod2.qcloud.com", NULL, NULL, RW | L},
    {"backup-endpoint", "gchararray", NULL, NULL, NULL, RW | L},
    {"forward", "gboolean", "true", NULL, NULL, RW | L},
    {"storage-endpoint", "gchararray", NULL, NULL, NULL, RW | L},
    {"timeout", "guint", "15", "1", NULL, RW | L},
    {"retry-duration", "gint", "300", "-1", "2147483647", RW | P},
    {"proxy", "gchararray", NULL, NULL, NULL, RW | L},
    {"user-agent", "gchararray", "GStreamer vodsink/" VERSION, NULL, NULL,
        RW | L},
    {"tls-ca-file", "gchararray", NULL, NULL, NULL, RW | L},
    {"fatal-errors", "gboolean", "true", NULL, NULL, RW | P},
    {"resume", "gboolean", "true", NULL, NULL, RW | L},
    {"state-dir", "gchararray", NULL, NULL, NULL, RW | L},
    {"resume-key", "gchararray", NULL, NULL, NULL, RW | L},
    {"spool", "gboolean", "false", NULL, NULL, RW | L},
    {"keep-spool", "gboolean", "false", NULL, NULL, RW | L},
    {"discard-on-stop", "gboolean", "false", NULL, NULL, RW | P},
    {"file-id", "gchararray", NULL, NULL, NULL, R},
    {"video-url", "gchararray", NULL, NULL, NULL, R},
    {"cover-url", "gchararray", NULL, NULL, NULL, R},
    {"stats", "GstStructure", "", NULL, NULL, R},
};

static gchar *
to_text (const GValue *value)
{
  GValue text = G_VALUE_INIT;
  gchar *result;

  if (G_VALUE_HOLDS_STRING (value))
    return g_value_dup_string (value);
  if (G_VALUE_HOLDS_BOOLEAN (value))
    return g_strdup (g_value_get_boolean (value) ? "true" : "false");
  g_value_init (&text, G_TYPE_STRING);
  g_value_transform (value, &text);
  result = g_value_dup_string (&text);
  g_value_unset (&text);
  return result;
}

static void
limits (GParamSpec *spec, gchar **min, gchar **max)
{
  *min = *max = NULL;
  if (G_IS_PARAM_SPEC_UINT (spec)) {
    *min = g_strdup_printf ("%u", G_PARAM_SPEC_UINT (spec)->minimum);
    *max = g_strdup_printf ("%u", G_PARAM_SPEC_UINT (spec)->maximum);
  } else if (G_IS_PARAM_SPEC_INT (spec)) {
    *min = g_strdup_printf ("%d", G_PARAM_SPEC_INT (spec)->minimum);
    *max = g_strdup_printf ("%d", G_PARAM_SPEC_INT (spec)->maximum);
  } else if (G_IS_PARAM_SPEC_UINT64 (spec)) {
    *min = g_strdup_printf (
        "%" G_GUINT64_FORMAT, G_PARAM_SPEC_UINT64 (spec)->minimum);
    *max = g_strdup_printf (
        "%" G_GUINT64_FORMAT, G_PARAM_SPEC_UINT64 (spec)->maximum);
  }
}

GST_START_TEST (test_property_is_as_documented)
{
  GstElement *sink = make ();
  const gchar *name = table[__i__].name;
  guint flags = table[__i__].flags;
  GParamSpec *spec =
      g_object_class_find_property (G_OBJECT_GET_CLASS (sink), name);
  g_autofree gchar *min = NULL, *max = NULL;

  fail_unless (spec != NULL, "no property %s", name);
  fail_unless_equals_string (g_type_name (spec->value_type), table[__i__].type);
  fail_unless (
      ((guint)spec->flags & G_PARAM_READWRITE) == (flags & G_PARAM_READWRITE),
      "%s may be read or written otherwise", name);
  fail_unless (((guint)spec->flags & MUTABILITY) == (flags & MUTABILITY),
      "%s may be changed at other times", name);
  fail_unless ((spec->flags & G_PARAM_STATIC_STRINGS) == G_PARAM_STATIC_STRINGS,
      "%s's strings are copied", name);
  fail_unless (strlen (g_param_spec_get_blurb (spec)) > 10);

  limits (spec, &min, &max);
  if (table[__i__].min)
    fail_unless_equals_string (min, table[__i__].min);
  if (table[__i__].max)
    fail_unless_equals_string (max, table[__i__].max);

  if ((flags & G_PARAM_READABLE) && strcmp (name, "stats") != 0) {
    GValue value = G_VALUE_INIT;
    g_autofree gchar *is = NULL, *should_be = NULL;

    g_value_init (&value, spec->value_type);
    g_object_get_property (G_OBJECT (sink), name, &value);
    is = to_text (&value);
    fail_unless_equals_string (is, table[__i__].initial);
    should_be = to_text (g_param_spec_get_default_value (spec));
    fail_unless_equals_string (is, should_be);
    g_value_unset (&value);
  }
  gst_object_unref (sink);
}

GST_END_TEST;

GST_START_TEST (test_there_are_no_other_properties)
{
  GstElement *sink = make ();
  guint n;
  GParamSpec **specs =
      g_object_class_list_properties (G_OBJECT_GET_CLASS (sink), &n);

  for (guint i = 0; i < n; i++) {
    gboolean known = specs[i]->owner_type != G_OBJECT_TYPE (sink);

    for (guint j = 0; j < G_N_ELEMENTS (table); j++)
      known |= strcmp (specs[i]->name, table[j].name) == 0;
    fail_unless (known, "%s is not in the table", specs[i]->name);
  }
  g_free (specs);
  gst_object_unref (sink);
}

GST_END_TEST;

GST_START_TEST (test_what_it_sets_of_the_base_class)
{
  GstElement *sink = make ();
  GstElementFactory *factory = gst_element_get_factory (sink);
  GstPad *pad = gst_element_get_static_pad (sink, "sink");
  GstCaps *caps = gst_pad_query_caps (pad, NULL);
  gboolean sync, last_sample, async, qos;

  g_object_get (sink, "sync", &sync, "enable-last-sample", &last_sample,
      "async", &async, "qos", &qos, NULL);
  fail_unless (!sync && !last_sample && async && !qos);
  fail_unless (gst_caps_is_any (caps));
  fail_unless_equals_string (
      gst_element_factory_get_metadata (factory, GST_ELEMENT_METADATA_KLASS),
      "Sink/Network");
  fail_unless_equals_int (
      gst_plugin_feature_get_rank (GST_PLUGIN_FEATURE (factory)),
      GST_RANK_NONE);
  fail_unless_equals_string (
      gst_plugin_feature_get_plugin_name (GST_PLUGIN_FEATURE (factory)),
      "vodsink");
  gst_caps_unref (caps);
  gst_object_unref (pad);
  gst_object_unref (sink);
}

GST_END_TEST;

GST_START_TEST (test_signals_are_as_documented)
{
  GSignalQuery query;
  GstElement *sink = make ();

  g_signal_query (
      g_signal_lookup ("get-signature", G_OBJECT_TYPE (sink)), &query);
  fail_unless (query.signal_id != 0);
  fail_unless (query.return_type == G_TYPE_STRING);
  fail_unless_equals_int (query.n_params, 0);
  fail_unless (query.signal_flags & G_SIGNAL_RUN_LAST);

  g_signal_query (g_signal_lookup ("cancel", G_OBJECT_TYPE (sink)), &query);
  fail_unless (query.signal_id != 0);
  fail_unless (query.return_type == G_TYPE_NONE);
  fail_unless_equals_int (query.n_params, 0);
  fail_unless ((query.signal_flags & G_SIGNAL_ACTION) != 0);
  gst_object_unref (sink);
}

GST_END_TEST;

/* --- reading back ---------------------------------------------------------*/

GST_START_TEST (test_values_are_read_back)
{
  GstElement *sink = make ();

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    GParamSpec *spec =
        g_object_class_find_property (G_OBJECT_GET_CLASS (sink), table[i].name);
    GValue value = G_VALUE_INIT, back = G_VALUE_INIT;

    if ((table[i].flags & G_PARAM_READWRITE) != G_PARAM_READWRITE)
      continue;
    g_value_init (&value, spec->value_type);
    g_value_init (&back, spec->value_type);
    if (G_IS_PARAM_SPEC_STRING (spec))
      g_value_set_string (&value, "/x/任意 \"value\"?*.mp4");
    else if (G_IS_PARAM_SPEC_BOOLEAN (spec))
      g_value_set_boolean (&value, !G_PARAM_SPEC_BOOLEAN (spec)->default_value);
    else if (G_IS_PARAM_SPEC_UINT (spec))
      g_value_set_uint (&value, 17);
    else if (G_IS_PARAM_SPEC_INT (spec))
      g_value_set_int (&value, -1);
    else
      g_value_set_uint64 (&value, 1048577);
    g_object_set_property (G_OBJECT (sink), table[i].name, &value);
    g_object_get_property (G_OBJECT (sink), table[i].name, &back);
    fail_unless (gst_value_compare (&value, &back) == GST_VALUE_EQUAL,
        "%s is read back otherwise", table[i].name);
    if (G_IS_PARAM_SPEC_STRING (spec)) {
      g_object_set (sink, table[i].name, NULL, NULL);
      g_object_get_property (G_OBJECT (sink), table[i].name, &back);
      fail_unless (g_value_get_string (&back) == NULL);
    }
    g_value_unset (&value);
    g_value_unset (&back);
  }
  gst_object_unref (sink);
}

GST_END_TEST;

GST_START_TEST (test_urls_are_read_back_without_userinfo)
{
  static const gchar *const urls[][2] = {
      {"http://user:" SECRET "@proxy:8080/path", "http://proxy:8080/path"},
      {"http://a@b:" SECRET "@proxy", "http://proxy"},
      {"user:" SECRET "@proxy:3128", "proxy:3128"},
      {"https://proxy:1", "https://proxy:1"},
      {"http://host/p@th?x=@", "http://host/p@th?x=@"},
  };
  static const gchar *const names[] = {"proxy", "signature-url"};
  GstElement *sink = make ();

  for (guint i = 0; i < G_N_ELEMENTS (urls); i++) {
    for (guint j = 0; j < G_N_ELEMENTS (names); j++) {
      gchar *back;

      g_object_set (sink, names[j], urls[i][0], NULL);
      g_object_get (sink, names[j], &back, NULL);
      fail_unless_equals_string (back, urls[i][1]);
      g_free (back);
    }
  }
  gst_object_unref (sink);
}

GST_END_TEST;

static GstElement *
make_with_secrets (void)
{
  GstElement *sink = make ();
  GstStructure *headers = gst_structure_new (
      "headers", "Authorization", G_TYPE_STRING, "Bearer " SECRET, NULL);

  g_object_set (sink, "signature", SECRET, "signature-headers", headers,
      "signature-url", "https://u:" SECRET "@h/", "proxy",
      "http://u:" SECRET "@p:1", "media-name", "PUBLIC", NULL);
  gst_structure_free (headers);
  return sink;
}

GST_START_TEST (test_secrets_are_not_in_dot_dumps)
{
  GstElement *pipeline = gst_pipeline_new (NULL);
  GstElement *sink = make_with_secrets ();
  gchar *dot;

  gst_bin_add (GST_BIN (pipeline), sink);
  dot =
      gst_debug_bin_to_dot_data (GST_BIN (pipeline), GST_DEBUG_GRAPH_SHOW_ALL);
  fail_unless (strstr (dot, "PUBLIC") != NULL);
  fail_unless (strstr (dot, SECRET) == NULL);
  fail_unless (strstr (dot, "Bearer") == NULL);
  g_free (dot);
  gst_object_unref (pipeline);
}

GST_END_TEST;

GST_START_TEST (test_secrets_cannot_be_saved_in_presets)
{
  GstElement *sink = make_with_secrets ();

  if (GST_IS_PRESET (sink)) {
    gchar **names = gst_preset_get_property_names (GST_PRESET (sink));

    fail_if (g_strv_contains ((const gchar *const *)names, "signature"));
    fail_if (
        g_strv_contains ((const gchar *const *)names, "signature-headers"));
    g_strfreev (names);
  }
  gst_object_unref (sink);
}

GST_END_TEST;

/* What gst-inspect-1.0 shows: a sentence each, that says what no value and 0 mean,
 * where there are such. */
GST_START_TEST (test_blurbs_say_what_nothing_means)
{
  GstElement *sink = gst_element_factory_make ("vodsink", NULL);
  GParamSpec **specs;
  guint n, own = 0;

  specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (sink), &n);
  for (guint i = 0; i < n; i++) {
    const gchar *blurb = g_param_spec_get_blurb (specs[i]);
    const GValue *none = g_param_spec_get_default_value (specs[i]);
    GValue zero = G_VALUE_INIT;

    if (specs[i]->owner_type != G_OBJECT_TYPE (sink))
      continue;
    own++;
    fail_unless (
        blurb && strlen (blurb) > 20, "%s has no blurb", specs[i]->name);
    fail_if (g_str_has_suffix (blurb, "."), "%s: %s", specs[i]->name, blurb);
    if (G_VALUE_HOLDS_STRING (none) && !g_value_get_string (none))
      fail_unless (
          strstr (blurb, "(NULL = ") != NULL, "%s: %s", specs[i]->name, blurb);
    if (G_VALUE_HOLDS_UINT (none) || G_VALUE_HOLDS_INT (none) ||
        G_VALUE_HOLDS_UINT64 (none)) {
      g_value_init (&zero, specs[i]->value_type);
      if (!g_param_value_validate (specs[i], &zero))
        fail_unless (
            strstr (blurb, "(0 = ") != NULL, "%s: %s", specs[i]->name, blurb);
      g_value_unset (&zero);
    }
  }
  fail_unless (own >= 38, "%u", own);
  g_free (specs);
  gst_object_unref (sink);
}

GST_END_TEST;

static GString *logged;
static GMutex logged_lock;

static void
keep_log (GstDebugCategory *category, GstDebugLevel level, const gchar *file,
    const gchar *function, gint line, GObject *object, GstDebugMessage *message,
    gpointer data)
{
  g_mutex_lock (&logged_lock);
  g_string_append (logged, gst_debug_message_get (message));
  g_string_append_c (logged, '\n');
  g_mutex_unlock (&logged_lock);
}

/* Neither what is set nor what is made of it, at any level of detail. */
GST_START_TEST (test_secrets_are_not_logged)
{
  Emulator *emulator = emulator_new (NULL);
  g_autofree gchar *signature = emulator_signature (FALSE);
  Rig *rig;

  logged = g_string_new (NULL);
  gst_debug_set_threshold_from_string ("vodsink*:9", FALSE);
  gst_debug_add_log_function (keep_log, NULL, NULL);
  rig = rig_new (emulator, "signature", signature, NULL);
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, MIB);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, 0);
  rig_free (rig);
  gst_debug_remove_log_function (keep_log);

  fail_unless (logged->len > 100);
  fail_unless (strstr (logged->str, signature) == NULL);
  fail_unless (strstr (logged->str, "q-signature") == NULL);
  g_string_free (logged, TRUE);
  emulator_free (emulator);
}

GST_END_TEST;

/* --- what is refused ------------------------------------------------------*/

static const struct {
  const gchar *property;
  const gchar *value;
  const gchar *named; /* in the message */
} refusals[] = {
    {"media-name", "a/b", "media-name"},
    {"media-name", "a\\b", "media-name"},
    {"media-name", "a:b", "media-name"},
    {"media-name", "a*b", "media-name"},
    {"media-name", "a?b", "media-name"},
    {"media-name", "a\"b", "media-name"},
    {"media-name", "a<b", "media-name"},
    {"media-name", "a>b", "media-name"},
    {"media-name", "a|b", "media-name"},
    {"media-name", "a\r\nX-Header: b", "media-name"},
    {"media-name", "a\tb", "media-name"},
    {"media-name", "a\177b", "media-name"},
    {"media-name", "", "media-name"},
    {"media-name", "\xff\xfe", "media-name"},
    {"media-name", "caf\xc3", "media-name"},
    {"media-type", ".mp4", "media-type"},
    {"media-type", "mp4/../x", "media-type"},
    {"media-type", "", "media-type"},
    {"media-type", "mp4 ", "media-type"},
    {"media-type", "abcdefghijklmnopq", "media-type"},
    {"report-id", "a\nb", "report-id"},
    {"report-id", "\xff", "report-id"},
    {"report-endpoint", "ftp://host", "report-endpoint"},
    {"report-endpoint", "", "report-endpoint"},
    {"endpoint", "ftp://host", "endpoint"},
    {"endpoint", "host", "endpoint"},
    {"endpoint", "", "endpoint"},
    {"endpoint", "http://", "endpoint"},
    {"endpoint", "http://host:99999", "endpoint"},
    {"endpoint", "http://host:port", "endpoint"},
    {"endpoint", "http://user@host", "endpoint"},
    {"endpoint", "http://host/path", "endpoint"},
    {"endpoint", "http://host?query", "endpoint"},
    {"endpoint", "http://ho st", "endpoint"},
    {"endpoint", "http://host\r\nX: y", "endpoint"},
    {"endpoint", NULL, "endpoint"},
    {"backup-endpoint", "ftp://host", "backup-endpoint"},
    {"backup-endpoint", "", "backup-endpoint"},
    {"backup-endpoint", "http://host/path", "backup-endpoint"},
    {"storage-endpoint", "cos.example.com", "storage-endpoint"},
    {"storage-endpoint", "ftp://cos.example.com", "storage-endpoint"},
    {"signature-url", "ftp://host/", "signature-url"},
    {"signature-url", "sign.txt", "signature-url"},
    {"signature-url", "", "signature-url"},
    {"tls-ca-file", "/does/not/exist.pem", "tls-ca-file"},
    {"storage-region", "", "storage-region"},
    {"storage-region", "AUTO", "storage-region"},
    {"storage-region", "ap shanghai", "storage-region"},
    {"storage-region", "ap_shanghai", "storage-region"},
    {"storage-region", "ap.shanghai", "storage-region"},
    {"storage-region", "ap-shanghai/", "storage-region"},
    {"storage-region", "-shanghai", "storage-region"},
    {"storage-region", "ap-shanghai\r\nX: y", "storage-region"},
    {"storage-region",
        "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefg",
        "storage-region"},
};

static void
assert_refused (Rig *rig, const gchar *named)
{
  const gchar *message;

  /* State changes succeed; what is wrong is said when it is taken. */
  rig_set_state (rig, GST_STATE_PLAYING);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 10);
  rig_assert_failed (rig, "RESOURCE/SETTINGS", "apply", -1);
  rig_assert_story (rig, "vodsink-error error");
  message = gst_structure_get_string (
      rig_details (rig_wait (rig, "error")), "message");
  fail_unless (
      strstr (message, named) != NULL, "does not name %s: %s", named, message);
  fail_unless (g_utf8_validate (message, -1, NULL));
  fail_unless_equals_int (test_count_threads ("vod-upload"), 0);
}

GST_START_TEST (test_start_refuses)
{
  Rig *rig =
      rig_new (NULL, refusals[__i__].property, refusals[__i__].value, NULL);

  assert_refused (rig, refusals[__i__].named);
  rig_set_state (rig, GST_STATE_READY);

  /* And works once it is right. */
  g_object_set (rig->sink, "media-name", NULL, "media-type", NULL, "endpoint",
      "http://127.0.0.1:1", "backup-endpoint", NULL, "storage-endpoint", NULL,
      "storage-region", NULL, "signature-url", NULL, "tls-ca-file", NULL, NULL);
  rig_set_state (rig, GST_STATE_READY);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_start_refuses_long_names)
{
  g_autofree gchar *name = g_strnfill (200, 'n');
  g_autofree gchar *longer = g_strnfill (201, 'n');
  Rig *rig = rig_new (NULL, "media-name", longer, NULL);

  assert_refused (rig, "media-name");
  g_object_set (rig->sink, "media-name", name, NULL);
  rig_set_state (rig, GST_STATE_READY);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_start_refuses_too_little_memory)
{
  Rig *rig = rig_new (NULL, "max-size-bytes", (guint64)4 * MIB - 1,
      "slice-size", (guint64)MIB, NULL);

  assert_refused (rig, "4194304");
  g_object_set (rig->sink, "max-size-bytes", (guint64)4 * MIB, NULL);
  rig_set_state (rig, GST_STATE_READY);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_headers_must_be_strings)
{
  Emulator *emulator = emulator_new (NULL);
  GstStructure *headers =
      gst_structure_new ("headers", "X-Number", G_TYPE_INT, 7, NULL);
  Rig *rig = rig_new (emulator, "signature-headers", headers, NULL);

  gst_structure_free (headers);
  gst_element_set_state (rig->sink, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
  rig_push_bytes (rig, 100);
  rig_push_eos (rig);
  rig_assert_failed (rig, "RESOURCE/SETTINGS", "apply", -1);
  rig_free (rig);
  emulator_free (emulator);
}

GST_END_TEST;

/* --- in a shell -----------------------------------------------------------*/

GST_START_TEST (test_the_blurb_shows_headers_as_gst_launch_takes_them)
{
  GstElement *sink = make ();
  GParamSpec *spec = g_object_class_find_property (
      G_OBJECT_GET_CLASS (sink), "signature-headers");
  const gchar *blurb = g_param_spec_get_blurb (spec);
  const gchar *begin = strstr (blurb, "signature-headers='");
  g_autoptr (GError) error = NULL;
  g_autofree gchar *line = NULL;
  gchar **argv = NULL;
  GstElement *parsed;

  fail_unless (begin != NULL, "blurb: %s", blurb);
  line = g_strdup_printf ("vodsink %s", begin);
  fail_unless (g_shell_parse_argv (line, NULL, &argv, &error));
  parsed = gst_parse_launchv ((const gchar **)argv, &error);
  fail_unless (error == NULL, "%s", error ? error->message : "");
  fail_unless (parsed != NULL);
  gst_object_unref (parsed);
  g_strfreev (argv);
  gst_object_unref (sink);
}

GST_END_TEST;

static Suite *
vodsink_properties_suite (void)
{
  Suite *suite = suite_create ("vodsink-properties");
  TCase *tc = tcase_create ("properties");

  tcase_add_loop_test (
      tc, test_property_is_as_documented, 0, G_N_ELEMENTS (table));
  tcase_add_test (tc, test_there_are_no_other_properties);
  tcase_add_test (tc, test_what_it_sets_of_the_base_class);
  tcase_add_test (tc, test_signals_are_as_documented);
  tcase_add_test (tc, test_values_are_read_back);
  tcase_add_test (tc, test_urls_are_read_back_without_userinfo);
  tcase_add_test (tc, test_secrets_are_not_in_dot_dumps);
  tcase_add_test (tc, test_secrets_cannot_be_saved_in_presets);
  tcase_add_test (tc, test_blurbs_say_what_nothing_means);
  tcase_add_test (tc, test_secrets_are_not_logged);
  tcase_add_loop_test (tc, test_start_refuses, 0, G_N_ELEMENTS (refusals));
  tcase_add_test (tc, test_start_refuses_long_names);
  tcase_add_test (tc, test_start_refuses_too_little_memory);
  tcase_add_test (tc, test_headers_must_be_strings);
  tcase_add_test (tc, test_the_blurb_shows_headers_as_gst_launch_takes_them);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_properties);

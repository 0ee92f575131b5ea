/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What vodsink calls the media, and what type it says it is of: from its
 * properties, the caps, upstream's file, a tag.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "vodsinktest.h"

#define MPEGTS "video/mpegts,systemstream=true"

static Emulator *emulator;

static void
setup (void)
{
  emulator = emulator_new (NULL);
}

static void
teardown (void)
{
  emulator_free (emulator);
}

static Rig *
new_rig (void)
{
  return rig_new (emulator, "media-type", NULL, NULL);
}

/* Uploads a few bytes and checks what the service heard; frees @rig. */
static void
assert_media (Rig *rig, const gchar *name, const gchar *type)
{
  g_autofree gchar *heard_name = NULL, *heard_type = NULL;
  const GstStructure *finish;

  rig_push_bytes (rig, 100);
  rig_push_eos (rig);
  rig_wait (rig, "eos");
  heard_name = emulator_media_text (emulator, 0, "name");
  heard_type = emulator_media_text (emulator, 0, "type");
  fail_unless_equals_string (heard_name, name);
  fail_unless_equals_string (heard_type, type);
  finish = rig_details (rig_wait (rig, "vodsink-finish"));
  fail_unless_equals_string (
      gst_structure_get_string (finish, "video-name"), name);
  rig_free (rig);
}

static void
play (Rig *rig, const gchar *caps)
{
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, caps);
}

static void
push_title (Rig *rig, const gchar *title)
{
  rig_push (
      rig, gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE, title, NULL)));
}

/* --- type from caps -------------------------------------------------------*/

static const struct {
  const gchar *caps;
  const gchar *type; /* NULL: not known */
} caps_types[] = {
    {"video/quicktime,variant=iso", "mp4"},
    {"video/quicktime,variant=iso-fragmented", "mp4"},
    {"video/quicktime,variant=apple", "mov"},
    {"video/quicktime,variant=3gpp", "3gp"},
    {"video/quicktime", "mov"},
    {"video/x-matroska", "mkv"},
    {"audio/x-matroska", "mka"},
    {"video/webm", "webm"},
    {"audio/webm", "webm"},
    {"video/mpegts,systemstream=true,packetsize=188", "ts"},
    {"video/x-flv", "flv"},
    {"video/x-msvideo", "avi"},
    {"application/ogg", "ogg"},
    {"audio/ogg", "ogg"},
    {"video/ogg", "ogg"},
    {"audio/x-wav", "wav"},
    {"audio/mpeg,mpegversion=1,layer=3", "mp3"},
    {"audio/mpeg,mpegversion=4,stream-format=adts", "aac"},
    {"audio/mpeg,mpegversion=2,stream-format=adts", "aac"},
    {"audio/mpeg,mpegversion=4,stream-format=raw", NULL},
    {"audio/x-flac", "flac"},
    {"audio/x-m4a", "m4a"},
    {"video/mpeg,mpegversion=2,systemstream=true", "mpg"},
    {"video/mpeg,mpegversion=2,systemstream=false", NULL},
    {"video/x-h264,stream-format=byte-stream", NULL},
    {"video/x-raw,format=I420", NULL},
    {"audio/x-raw,format=S16LE", NULL},
    {"application/x-unknown", NULL},
    {NULL, NULL},
};

GST_START_TEST (test_type_from_caps)
{
  Rig *rig = new_rig ();
  const gchar *message;

  play (rig, caps_types[__i__].caps);
  if (caps_types[__i__].type) {
    assert_media (rig, "来自GStreamer", caps_types[__i__].type);
    return;
  }
  rig_push_bytes (rig, 100);
  fail_unless_equals_int (rig_pushed (rig), GST_FLOW_ERROR);
  message = gst_structure_get_string (
      rig_details (rig_wait (rig, "error")), "message");
  fail_unless (strstr (message, "media-type") != NULL);
  rig_assert_story (rig, "vodsink-error error");
  fail_unless_equals_int (emulator_n_sessions (emulator), 0);
  rig_free (rig);
}

GST_END_TEST;

/* interface.md: "Unknown caps and nothing set: a NEGOTIATION error". */
GST_START_TEST (test_unknown_type_is_a_negotiation_error)
{
  Rig *rig = new_rig ();
  g_autoptr (GError) error = NULL;

  play (rig, "application/x-unknown");
  rig_push_bytes (rig, 100);
  gst_message_parse_error (rig_wait (rig, "error"), &error, NULL);
  fail_unless (
      g_error_matches (error, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION),
      "%s/%d: %s", g_quark_to_string (error->domain), error->code,
      error->message);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_caps_that_change_do_not_matter)
{
  Rig *rig = new_rig ();
  GstCaps *caps = gst_caps_from_string (MPEGTS);

  play (rig, "video/quicktime,variant=iso");
  rig_push_bytes (rig, 100);
  rig_pushed (rig);
  rig_push (rig, gst_event_new_caps (caps));
  gst_caps_unref (caps);
  assert_media (rig, "来自GStreamer", "mp4");
}

GST_END_TEST;

/* --- precedence of types --------------------------------------------------*/

GST_START_TEST (test_media_type_goes_before_all)
{
  Rig *rig =
      rig_new (emulator, "media-type", "Mov", "location", "/a/b.flv", NULL);

  play (rig, MPEGTS);
  assert_media (rig, "b", "Mov");
}

GST_END_TEST;

GST_START_TEST (test_extension_of_location_goes_before_caps)
{
  Rig *rig = rig_new (
      emulator, "media-type", NULL, "location", "/a/Record 01.MKV", NULL);

  play (rig, MPEGTS);
  assert_media (rig, "Record 01", "mkv");
}

GST_END_TEST;

GST_START_TEST (test_an_extension_that_cannot_be_one_is_passed_over)
{
  Rig *rig = rig_new (emulator, "media-type", NULL, "location",
      "/a/v1.0 (final cut, really)", NULL);

  play (rig, MPEGTS);
  assert_media (rig, "v1.0 (final cut, really)", "ts");
}

GST_END_TEST;

/* --- names ----------------------------------------------------------------*/

static const struct {
  const gchar *location;
  const gchar *name;
} locations[] = {
    {"rec00.mp4", "rec00"},
    {"/does/not/exist/rec00.mp4", "rec00"},
    {"a.b.c.mp4", "a.b.c"},
    {".hidden", ".hidden"},
    {"noextension", "noextension"},
    {"Lecture 1. Introduction", "Lecture 1. Introduction"},
    {"Lecture 1. Introduction.mp4", "Lecture 1. Introduction"},
    {"Dr. 编程", "Dr. 编程"},
    {"a.abcdefghijklmnop", "a"}, /* 16 letters: the longest type … */
    {"a.abcdefghijklmnopq", "a.abcdefghijklmnopq"}, /* … and one more */
    {"The end.", "The end."},
    {"/a/讲座 12.mp4", "讲座 12"},
    {"/a/x:y*z?\"<>|.mp4", "x_y_z_____"},
    {"/a/x\ny\tz.mp4", "x_y_z"},
    {"/a/back\\slash.mp4", "back_slash"},
    {"/a/b/", "来自GStreamer"},
    {"", "来自GStreamer"},
};

GST_START_TEST (test_name_from_location)
{
  Rig *rig = rig_new (emulator, "location", locations[__i__].location, NULL);
  gchar *back;

  play (rig, NULL);
  g_object_get (rig->sink, "location", &back, NULL);
  fail_unless_equals_string (back, locations[__i__].location);
  g_free (back);
  assert_media (rig, locations[__i__].name, "mp4");
}

GST_END_TEST;

GST_START_TEST (test_invalid_utf8_in_location_is_mended)
{
  Rig *rig = rig_new (emulator, "location", "/a/caf\xe9.mp4", NULL);

  play (rig, NULL);
  assert_media (rig, "caf_", "mp4");
}

GST_END_TEST;

GST_START_TEST (test_long_names_are_cut_at_a_character)
{
  GString *location = g_string_new ("/a/x");
  GString *name = g_string_new ("x");
  Rig *rig;

  for (guint i = 0; i < 100; i++)
    g_string_append (location, "长");
  for (guint i = 0; i < 66; i++) /* 1 + 66 * 3 = 199 */
    g_string_append (name, "长");
  g_string_append (location, ".mp4");
  rig = rig_new (emulator, "location", location->str, NULL);
  play (rig, NULL);
  assert_media (rig, name->str, "mp4");
  g_string_free (location, TRUE);
  g_string_free (name, TRUE);
}

GST_END_TEST;

GST_START_TEST (test_media_name_goes_before_all)
{
  Rig *rig = rig_new (
      emulator, "media-name", "Lecture 12", "location", "/a/b.mp4", NULL);

  play (rig, NULL);
  push_title (rig, "Title");
  assert_media (rig, "Lecture 12", "mp4");
}

GST_END_TEST;

GST_START_TEST (test_title_goes_before_the_default)
{
  Rig *rig = new_rig ();

  play (rig, MPEGTS);
  push_title (rig, "Old");
  push_title (rig, "A title: 1/2");
  assert_media (rig, "A title_ 1_2", "ts");
}

GST_END_TEST;

/* Tags come in as many events as upstream likes; "" is an event with another
 * tag. */
static const struct {
  const gchar *events[4];
  const gchar *name;
} titles[] = {
    {{"", "Title"}, "Title"},
    {{"Title", ""}, "Title"},
    {{"First", "", "Second", ""}, "Second"},
    {{"", "", ""}, "来自GStreamer"},
    {{" blanks around "}, "blanks around"},
    {{"  "}, "来自GStreamer"},
    {{"\\ / : * ? \" < > |"}, "_ _ _ _ _ _ _ _ _"},
    {{"a\r\nX: y\033[31m\177"}, "a__X_ y_[31m_"},
    {{"Tom & Jerry's 100 % {\"json\": 1}"}, "Tom & Jerry's 100 % {_json__ 1}"},
};

GST_START_TEST (test_name_from_title)
{
  Rig *rig = new_rig ();

  play (rig, MPEGTS);
  for (guint i = 0; i < 4 && titles[__i__].events[i]; i++) {
    if (*titles[__i__].events[i])
      push_title (rig, titles[__i__].events[i]);
    else
      rig_push (rig,
          gst_event_new_tag (
              gst_tag_list_new (GST_TAG_ARTIST, "Someone", NULL)));
  }
  assert_media (rig, titles[__i__].name, "ts");
}

GST_END_TEST;

GST_START_TEST (test_long_titles_are_cut_at_a_character)
{
  GString *title = g_string_new (NULL);
  g_autofree gchar *name = NULL;
  Rig *rig = new_rig ();

  for (guint i = 0; i < 5000; i++)
    g_string_append (title, "长");
  name = g_strndup (title->str, 198); /* 66 characters, of 3 bytes each */
  play (rig, MPEGTS);
  push_title (rig, title->str);
  assert_media (rig, name, "ts");
  g_string_free (title, TRUE);
}

GST_END_TEST;

/* The name is taken with the first byte. */
GST_START_TEST (test_a_late_title_is_passed_over)
{
  Rig *rig = new_rig ();

  play (rig, MPEGTS);
  rig_push_bytes (rig, 100);
  rig_pushed (rig);
  push_title (rig, "Late");
  assert_media (rig, "来自GStreamer", "ts");
}

GST_END_TEST;

GST_START_TEST (test_location_goes_before_the_title)
{
  Rig *rig = rig_new (emulator, "location", "b.mp4", NULL);

  play (rig, NULL);
  push_title (rig, "Title");
  assert_media (rig, "b", "mp4");
}

GST_END_TEST;

GST_START_TEST (test_title_is_forgotten_in_ready)
{
  Rig *rig = rig_new (emulator, NULL);

  play (rig, NULL);
  push_title (rig, "Title");
  rig_push_bytes (rig, 100);
  rig_pushed (rig);
  rig_set_state (rig, GST_STATE_READY);
  rig_mark (rig);
  rig->offset = 0;
  /* The tag is sticky on the pad that pushes: a new stream has none. */
  gst_pad_set_active (rig->src, FALSE);
  gst_pad_set_active (rig->src, TRUE);
  play (rig, NULL);
  assert_media (rig, "来自GStreamer", "mp4");
}

GST_END_TEST;

/* --- upstream's file ------------------------------------------------------*/

/* Runs @pipeline ("FILE" is replaced) to its EOS; the file holds @size bytes. */
static void
run_file (
    const gchar *pipeline, gsize size, const gchar *name, const gchar *type)
{
  g_autofree gchar *dir = g_dir_make_tmp ("vodsink-XXXXXX", NULL);
  g_autofree gchar *path = g_build_filename (dir, "My film.MP4", NULL);
  g_autofree gchar *signature = emulator_signature (FALSE);
  g_autofree guint8 *data = g_malloc (size);
  g_auto (GStrv) parts = g_strsplit (pipeline, "FILE", 2);
  g_autofree gchar *line =
      g_strdup_printf ("%s\"%s\"%s", parts[0], path, parts[1]);
  g_autofree gchar *heard_name = NULL, *heard_type = NULL;
  g_autoptr (GError) error = NULL;
  GstElement *bin, *sink;
  GstBus *bus;
  GstMessage *message;

  test_fill (data, 0, size);
  g_file_set_contents (path, (const gchar *)data, size, NULL);
  bin = gst_parse_launch (line, &error);
  fail_unless (error == NULL, "%s", error ? error->message : "");
  sink = gst_bin_get_by_name (GST_BIN (bin), "s");
  g_object_set (
      sink, "endpoint", emulator_uri (emulator), "signature", signature, NULL);
  gst_element_set_state (bin, GST_STATE_PLAYING);
  bus = gst_element_get_bus (bin);
  message = gst_bus_timed_pop_filtered (
      bus, 10 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  fail_unless (message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS);
  gst_message_unref (message);
  gst_element_set_state (bin, GST_STATE_NULL);
  heard_name = emulator_media_text (emulator, 0, "name");
  heard_type = emulator_media_text (emulator, 0, "type");
  fail_unless_equals_string (heard_name, name);
  fail_unless_equals_string (heard_type, type);
  fail_unless (emulator_media_is (emulator, 0, data, size));
  gst_object_unref (bus);
  gst_object_unref (sink);
  gst_object_unref (bin);
  g_unlink (path);
  g_rmdir (dir);
}

/* What Apply was told of the size. */
static gint64
declared_size (void)
{
  g_autoptr (JsonNode) state = emulator_state (emulator);
  JsonArray *sessions =
      json_object_get_array_member (json_node_get_object (state), "sessions");

  return json_object_get_int_member (
      json_array_get_object_element (sessions, 0), "videoSize");
}

GST_START_TEST (test_name_type_and_size_from_filesrc)
{
  run_file ("filesrc location=FILE ! vodsink name=s", 300000, "My film", "mp4");
  fail_unless_equals_int64 (declared_size (), 300000);
}

GST_END_TEST;

GST_START_TEST (test_filesrc_through_what_changes_nothing)
{
  run_file ("filesrc location=FILE ! queue ! identity ! "
            "queue2 ! valve ! vodsink name=s",
      300000, "My film", "mp4");
  fail_unless_equals_int64 (declared_size (), 300000);
}

GST_END_TEST;

GST_START_TEST (test_filesrc_through_bins)
{
  run_file ("( filesrc location=FILE ! queue ) ! ( identity ! "
            "vodsink name=s )",
      300000, "My film", "mp4");
}

GST_END_TEST;

GST_START_TEST (test_a_file_that_is_read_by_another_element_is_not_ours)
{
  run_file ("filesrc location=FILE ! tee ! queue ! vodsink media-type=ts "
            "name=s",
      300000, "来自GStreamer", "ts");
  fail_unless_equals_int64 (declared_size (), 0);
}

GST_END_TEST;

GST_START_TEST (test_caps_go_before_the_extension_of_upstreams_file)
{
  run_file ("filesrc location=FILE ! capsfilter caps=" MPEGTS
            " ! vodsink name=s",
      300000, "My film", "ts");
  fail_unless_equals_int64 (declared_size (), 300000);
}

GST_END_TEST;

GST_START_TEST (test_location_goes_before_upstream)
{
  run_file ("filesrc location=FILE ! vodsink location=other.ts name=s", 3000,
      "other", "ts");
}

GST_END_TEST;

static Suite *
vodsink_media_suite (void)
{
  Suite *suite = suite_create ("vodsink-media");
  TCase *tc = tcase_create ("media");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_loop_test (tc, test_type_from_caps, 0, G_N_ELEMENTS (caps_types));
  tcase_add_test (tc, test_unknown_type_is_a_negotiation_error);
  tcase_add_test (tc, test_caps_that_change_do_not_matter);
  tcase_add_test (tc, test_media_type_goes_before_all);
  tcase_add_test (tc, test_extension_of_location_goes_before_caps);
  tcase_add_test (tc, test_an_extension_that_cannot_be_one_is_passed_over);
  tcase_add_loop_test (
      tc, test_name_from_location, 0, G_N_ELEMENTS (locations));
  tcase_add_test (tc, test_invalid_utf8_in_location_is_mended);
  tcase_add_test (tc, test_long_names_are_cut_at_a_character);
  tcase_add_test (tc, test_media_name_goes_before_all);
  tcase_add_test (tc, test_title_goes_before_the_default);
  tcase_add_loop_test (tc, test_name_from_title, 0, G_N_ELEMENTS (titles));
  tcase_add_test (tc, test_long_titles_are_cut_at_a_character);
  tcase_add_test (tc, test_a_late_title_is_passed_over);
  tcase_add_test (tc, test_location_goes_before_the_title);
  tcase_add_test (tc, test_title_is_forgotten_in_ready);
  tcase_add_test (tc, test_name_type_and_size_from_filesrc);
  tcase_add_test (tc, test_filesrc_through_what_changes_nothing);
  tcase_add_test (tc, test_filesrc_through_bins);
  tcase_add_test (tc, test_a_file_that_is_read_by_another_element_is_not_ours);
  tcase_add_test (tc, test_caps_go_before_the_extension_of_upstreams_file);
  tcase_add_test (tc, test_location_goes_before_upstream);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_media);

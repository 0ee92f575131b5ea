/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The cover as applications and streams give it: the properties `cover` and
 * `cover-location`, image tags; and what is told of it.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "vodsinktest.h"

static Emulator *emulator;
static gchar *dir, *path; /* for cover-location; nothing is there */

static void
setup (void)
{
  emulator = emulator_new (NULL);
  dir = g_dir_make_tmp ("vodcover-XXXXXX", NULL);
  path = g_build_filename (dir, "cover.jpg", NULL);
}

static void
teardown (void)
{
  emulator_free (emulator);
  g_remove (path);
  fail_unless_equals_int (g_rmdir (dir), 0);
  g_clear_pointer (&path, g_free);
  g_clear_pointer (&dir, g_free);
}

/* --- pictures -------------------------------------------------------------*/

#define LEN 5000

/* A jpeg to all who look at the beginning; @variant: which one. */
static void
draw (guint8 *bytes, gsize len, guint8 variant)
{
  memset (bytes, variant, len);
  memcpy (bytes, "\xff\xd8\xff\xe0", MIN (len, 4));
}

static GstSample *
sample_of (GstBuffer *buffer, const gchar *caps_text, GstStructure *info)
{
  GstCaps *caps = gst_caps_from_string (caps_text);
  GstSample *sample = gst_sample_new (buffer, caps, NULL, info);

  gst_caps_unref (caps);
  if (buffer)
    gst_buffer_unref (buffer);
  return sample;
}

static GstBuffer *
picture (guint8 variant, gsize len)
{
  guint8 *bytes = g_malloc (len);

  draw (bytes, len, variant);
  return gst_buffer_new_wrapped (bytes, len);
}

static GstSample *
jpeg (guint8 variant)
{
  return sample_of (picture (variant, LEN), "image/jpeg", NULL);
}

/* In several pieces of memory, as a buffer may be. */
static GstSample *
jpeg_in_pieces (guint8 variant)
{
  GstBuffer *buffer = picture (variant, LEN / 2);
  guint8 *rest = g_malloc (LEN - LEN / 2);

  memset (rest, variant, LEN - LEN / 2);
  gst_buffer_append_memory (buffer,
      gst_memory_new_wrapped (
          0, rest, LEN - LEN / 2, 0, LEN - LEN / 2, rest, g_free));
  return sample_of (buffer, "image/jpeg", NULL);
}

static void
set_cover (Rig *rig, GstSample *sample)
{
  g_object_set (rig->sink, "cover", sample, NULL);
  if (sample)
    gst_sample_unref (sample);
}

static void
write_file (guint8 variant)
{
  guint8 bytes[LEN];

  draw (bytes, LEN, variant);
  fail_unless (g_file_set_contents (path, (const gchar *)bytes, LEN, NULL));
}

/* Is that the cover of media @n, and is that what everybody was told? 0: none. */
static void
assert_cover (Rig *rig, guint n, guint8 variant)
{
  GBytes *there = emulator_media_cover (emulator, n);
  const GstStructure *finish =
      gst_message_get_structure (rig_wait (rig, "vodsink-finish"));
  const gchar *told = gst_structure_get_string (finish, "cover-url");
  guint8 expected[LEN];
  gchar *url;

  g_object_get (rig->sink, "cover-url", &url, NULL);
  fail_unless_equals_string (url, told);
  g_free (url);
  if (variant == 0) {
    fail_unless (there == NULL && told == NULL);
    return;
  }
  draw (expected, LEN, variant);
  fail_unless (there != NULL, "there is no cover");
  fail_unless (told && g_str_has_prefix (told, emulator_uri (emulator)));
  fail_unless_equals_uint64 (g_bytes_get_size (there), LEN);
  fail_unless (memcmp (g_bytes_get_data (there, NULL), expected, LEN) == 0,
      "the cover is another one");
  g_bytes_unref (there);
}

static void
play (Rig *rig)
{
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_begin (rig, NULL);
}

/* The upload is open: whatever comes now comes later than Apply. */
static void
play_and_open (Rig *rig)
{
  play (rig);
  rig_push_bytes (rig, 1000);
  rig_wait (rig, "progress-complete-open");
}

static void
finish (Rig *rig, guint n)
{
  rig_push_bytes (rig, 1000);
  rig_push_eos (rig);
  rig_assert_uploaded (rig, emulator, n);
}

#define GOOD_STORY                                                             \
  "progress-start-open progress-complete-open progress-start-close "           \
  "progress-complete-close vodsink-finish eos"

/* --- the property cover ---------------------------------------------------*/

GST_START_TEST (test_cover_before)
{
  Rig *rig = rig_new (emulator, NULL);

  set_cover (rig, jpeg ('a'));
  play_and_open (rig);
  finish (rig, 0);
  assert_cover (rig, 0, 'a');
  rig_assert_story (rig, GOOD_STORY);
  fail_unless_equals_int (emulator_count (emulator, "ApplyUploadUGC", 200), 1);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_cover_while_playing)
{
  Rig *rig = rig_new (emulator, NULL);

  play_and_open (rig);
  set_cover (rig, jpeg_in_pieces ('b'));
  finish (rig, 0);
  assert_cover (rig, 0, 'b');
  rig_assert_story (rig, GOOD_STORY);
  rig_free (rig);
}

GST_END_TEST;

/* The stream has ended; what is left is being uploaded. */
GST_START_TEST (test_cover_at_eos)
{
  Rig *rig = rig_new (emulator, NULL);

  play_and_open (rig);
  g_object_set (rig->sink, "upload-paused", TRUE, NULL);
  rig_push_bytes (rig, 1000);
  rig_push_eos (rig);
  rig_wait (rig, "progress-start-close");
  set_cover (rig, jpeg ('c'));
  g_object_set (rig->sink, "upload-paused", FALSE, NULL);
  rig_assert_uploaded (rig, emulator, 0);
  assert_cover (rig, 0, 'c');
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_cover_set_again_and_to_nothing)
{
  Rig *rig = rig_new (emulator, NULL);

  set_cover (rig, jpeg ('a'));
  set_cover (rig, jpeg ('b'));
  set_cover (rig, NULL);
  play_and_open (rig);
  set_cover (rig, jpeg ('c'));
  set_cover (rig, NULL);
  finish (rig, 0);
  assert_cover (rig, 0, 0);
  rig_assert_story (rig, GOOD_STORY);
  rig_free (rig);
}

GST_END_TEST;

/* Nor does it get into .dot files and presets. */
GST_START_TEST (test_cover_cannot_be_read)
{
  Rig *rig = rig_new (NULL, NULL);
  GParamSpec *spec =
      g_object_class_find_property (G_OBJECT_GET_CLASS (rig->sink), "cover");

  fail_unless (spec->value_type == GST_TYPE_SAMPLE);
  fail_if (spec->flags & G_PARAM_READABLE);
  fail_unless (spec->flags & GST_PARAM_MUTABLE_PLAYING);
  rig_free (rig);
}

GST_END_TEST;

/* The application goes on with its buffer: a copy was taken. */
GST_START_TEST (test_cover_is_a_copy)
{
  Rig *rig = rig_new (emulator, NULL);
  GstBuffer *buffer = picture ('a', LEN);
  GstSample *sample = sample_of (gst_buffer_ref (buffer), "image/jpeg", NULL);

  g_object_set (rig->sink, "cover", sample, NULL);
  gst_sample_unref (sample);
  fail_unless_equals_int (GST_MINI_OBJECT_REFCOUNT_VALUE (buffer), 1);
  gst_buffer_memset (buffer, 0, 'x', LEN);
  gst_buffer_unref (buffer);
  play_and_open (rig);
  finish (rig, 0);
  assert_cover (rig, 0, 'a');
  rig_free (rig);
}

GST_END_TEST;

/* --- memory that another thread hands out, which looks at the element ---- */

typedef struct {
  GstMemory memory;
  GstElement *sink;
  guint8 bytes[LEN];
} OddMemory;

typedef struct {
  GstAllocator allocator;
} OddAllocator;

typedef struct {
  GstAllocatorClass klass;
} OddAllocatorClass;

GType odd_allocator_get_type (void);
G_DEFINE_TYPE (OddAllocator, odd_allocator, GST_TYPE_ALLOCATOR)

static gpointer
look_at (gpointer sink)
{
  GstStructure *stats;

  g_object_get (sink, "stats", &stats, NULL);
  gst_structure_free (stats);
  return NULL;
}

static gpointer
odd_map (GstMemory *memory, gsize size, GstMapFlags flags)
{
  OddMemory *odd = (OddMemory *)memory;

  g_thread_join (g_thread_new ("look", look_at, odd->sink));
  return odd->bytes;
}

static void
odd_unmap (GstMemory *memory)
{
}

static void
odd_free (GstAllocator *allocator, GstMemory *memory)
{
  g_free (memory);
}

static void
odd_allocator_class_init (OddAllocatorClass *klass)
{
  GST_ALLOCATOR_CLASS (klass)->free = odd_free;
}

static void
odd_allocator_init (OddAllocator *allocator)
{
  GST_ALLOCATOR (allocator)->mem_type = "odd";
  GST_ALLOCATOR (allocator)->mem_map = odd_map;
  GST_ALLOCATOR (allocator)->mem_unmap = odd_unmap;
}

/* A lock of the element's that is held meanwhile would be one for ever. */
GST_START_TEST (test_cover_is_read_without_a_lock)
{
  Rig *rig = rig_new (emulator, NULL);
  GstAllocator *allocator = g_object_new (odd_allocator_get_type (), NULL);
  OddMemory *odd = g_new0 (OddMemory, 1);
  GstBuffer *buffer = gst_buffer_new ();

  gst_object_ref_sink (allocator);
  gst_memory_init (GST_MEMORY_CAST (odd), 0, allocator, NULL, LEN, 0, 0, LEN);
  odd->sink = rig->sink;
  draw (odd->bytes, LEN, 'o');
  gst_buffer_append_memory (buffer, GST_MEMORY_CAST (odd));
  play_and_open (rig);
  set_cover (rig, sample_of (buffer, "image/jpeg", NULL));
  finish (rig, 0);
  assert_cover (rig, 0, 'o');
  rig_free (rig);
  gst_object_unref (allocator);
}

GST_END_TEST;

/* --- what is no cover -----------------------------------------------------*/

static GstSample *
no_buffer (void)
{
  return sample_of (NULL, "image/jpeg", NULL);
}

static GstSample *
empty_buffer (void)
{
  return sample_of (gst_buffer_new (), "image/jpeg", NULL);
}

static GstSample *
raw_video (void)
{
  guint8 *bytes = g_malloc0 (320 * 240 * 3);

  return sample_of (gst_buffer_new_wrapped (bytes, 320 * 240 * 3),
      "video/x-raw,format=RGB,width=320,height=240", NULL);
}

static GstSample *
says_it_is_one (void)
{
  return sample_of (
      gst_buffer_new_wrapped (g_strdup ("<html>no</html>........"), 24),
      "image/png", NULL);
}

static GstSample *
too_large (void)
{
  return sample_of (picture ('l', 21 * MIB), "image/jpeg", NULL);
}

static const struct {
  GstSample *(*make) (void);
  const gchar *why;
} unusable[] = {
    {no_buffer, "no picture"},
    {empty_buffer, "no picture"},
    {raw_video, "no picture"},
    {says_it_is_one, "no picture"},
    {too_large, "larger"},
};

/* A WARNING with the fields of vodsink-warning, which comes just before. */
static void
assert_warned (Rig *rig, const gchar *phase, const gchar *expected_code,
    gint expected_number, const gchar *text)
{
  GstMessage *warning = rig_wait (rig, "warning");
  const GstStructure *said = rig_details (rig_wait (rig, "vodsink-warning"));
  const GstStructure *details = rig_details (warning);
  g_autofree gchar *code = rig_error_code (warning);
  gboolean resumable;
  gint number;

  fail_unless_equals_int (rig_count (rig, "warning"), 1);
  fail_unless_equals_int (rig_count (rig, "vodsink-warning"), 1);
  fail_unless_equals_int (rig_count (rig, "vodsink-error"), 0);
  fail_unless_equals_string (gst_structure_get_name (said), "vodsink-warning");
  fail_unless (gst_structure_is_equal (said, details));
  fail_unless_equals_string (code, expected_code);
  fail_unless_equals_string (gst_structure_get_string (said, "phase"), phase);
  fail_unless (gst_structure_get_int (said, "code", &number));
  fail_unless_equals_int (number, expected_number);
  fail_unless (
      strstr (gst_structure_get_string (said, "message"), text) != NULL, "%s",
      gst_structure_get_string (said, "message"));
  fail_unless (gst_structure_get_boolean (said, "resumable", &resumable));
  fail_if (resumable);
  fail_if (gst_structure_has_field (said, "spool-location"));
}

GST_START_TEST (test_cover_that_is_none)
{
  Rig *rig = rig_new (emulator, NULL);

  rig->nosy = TRUE;
  set_cover (rig, unusable[__i__].make ());
  play_and_open (rig);
  finish (rig, 0);
  assert_cover (rig, 0, 0);
  assert_warned (rig, "cover", "RESOURCE/SETTINGS", -1, unusable[__i__].why);
  rig_assert_story (rig,
      "progress-start-open vodsink-warning warning progress-complete-open "
      "progress-start-close progress-complete-close vodsink-finish eos");
  rig_free (rig);
}

GST_END_TEST;

/* The service's own words, number and request id. */
GST_START_TEST (test_cover_that_the_storage_refuses)
{
  Rig *rig = rig_new (emulator, NULL);
  const GstStructure *said;

  emulator_add_faults (emulator,
      "{\"op\":\"PutObject\",\"status\":403,\"code\":\"AccessDenied\"}");
  set_cover (rig, jpeg ('a'));
  play_and_open (rig);
  finish (rig, 0);
  assert_cover (rig, 0, 0);
  assert_warned (rig, "cover", "RESOURCE/NOT_AUTHORIZED", 403, "AccessDenied");
  said = rig_details (rig_wait (rig, "vodsink-warning"));
  fail_unless_equals_string (
      gst_structure_get_string (said, "error-code"), "AccessDenied");
  fail_unless (gst_structure_get_string (said, "request-id") != NULL);
  rig_free (rig);
}

GST_END_TEST;

/* --- cover-location -------------------------------------------------------*/

GST_START_TEST (test_location)
{
  Rig *rig = rig_new (emulator, "cover-location", path, NULL);

  write_file ('f');
  play_and_open (rig);
  finish (rig, 0);
  assert_cover (rig, 0, 'f');
  fail_unless_equals_int (emulator_count (emulator, "ApplyUploadUGC", 200), 1);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_location_that_is_written_meanwhile)
{
  Rig *rig = rig_new (emulator, "cover-location", path, NULL);

  play_and_open (rig);
  write_file ('f');
  finish (rig, 0);
  assert_cover (rig, 0, 'f');
  rig_assert_story (rig, GOOD_STORY);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_location_of_nothing)
{
  Rig *rig = rig_new (emulator, "cover-location", path, NULL);

  play_and_open (rig);
  finish (rig, 0);
  assert_cover (rig, 0, 0);
  assert_warned (rig, "cover", "RESOURCE/SETTINGS", -1, "No such file");
  rig_assert_story (rig,
      "progress-start-open progress-complete-open progress-start-close "
      "vodsink-warning warning progress-complete-close vodsink-finish eos");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_empty_location_is_none)
{
  Rig *rig = rig_new (emulator, "cover-location", "", NULL);

  play_and_open (rig);
  finish (rig, 0);
  assert_cover (rig, 0, 0);
  rig_assert_story (rig, GOOD_STORY);
  rig_free (rig);
}

GST_END_TEST;

/* --- image tags -----------------------------------------------------------*/

static GType
image_type (void)
{
  static const GEnumValue values[] = {{0, "undefined", "undefined"},
      {1, "front-cover", "front-cover"}, {2, "back-cover", "back-cover"},
      {0, NULL, NULL}};
  static gsize type;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("TestImageType", values));
  return type;
}

/* As libgsttag makes it. */
static GstSample *
tag_image (guint8 variant, gint type)
{
  return sample_of (picture (variant, LEN), "image/jpeg",
      gst_structure_new (
          "GstTagImageInfo", "image-type", image_type (), type, NULL));
}

static GstSample *
uri_list (void)
{
  const gchar *uri = "http://example.com/picture.jpg";

  return sample_of (gst_buffer_new_wrapped (g_strdup (uri), strlen (uri)),
      "text/uri-list", NULL);
}

/* Takes the sample. */
static void
add_image (GstTagList *tags, const gchar *tag, GstSample *sample)
{
  gst_tag_list_add (tags, GST_TAG_MERGE_APPEND, tag, sample, NULL);
  gst_sample_unref (sample);
}

static void
push_image (Rig *rig, const gchar *tag, GstSample *sample)
{
  GstTagList *tags = gst_tag_list_new_empty ();

  add_image (tags, tag, sample);
  rig_push (rig, gst_event_new_tag (tags));
}

GST_START_TEST (test_tag_before_the_first_byte)
{
  Rig *rig = rig_new (emulator, NULL);

  play (rig);
  push_image (rig, GST_TAG_IMAGE, jpeg ('t'));
  rig_push_bytes (rig, 1000);
  rig_wait (rig, "progress-complete-open");
  finish (rig, 0);
  assert_cover (rig, 0, 't');
  fail_unless_equals_int (emulator_count (emulator, "ApplyUploadUGC", 200), 1);
  rig_free (rig);
}

GST_END_TEST;

/* The last one before EOS, whatever else is tagged. */
GST_START_TEST (test_tags_in_several_events)
{
  Rig *rig = rig_new (emulator, NULL);

  play (rig);
  push_image (rig, GST_TAG_IMAGE, jpeg ('t'));
  rig_push_bytes (rig, 1000);
  rig_wait (rig, "progress-complete-open");
  push_image (rig, GST_TAG_IMAGE, jpeg ('u'));
  push_image (rig, GST_TAG_IMAGE, jpeg ('v'));
  rig_push (
      rig, gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE, "title", NULL)));
  finish (rig, 0);
  assert_cover (rig, 0, 'v');
  rig_free (rig);
}

GST_END_TEST;

/* Of several in one: the front cover; else the first. */
GST_START_TEST (test_tags_in_one_event)
{
  gboolean front = __i__;
  Rig *rig = rig_new (emulator, NULL);
  GstTagList *tags = gst_tag_list_new_empty ();

  add_image (tags, GST_TAG_PREVIEW_IMAGE, jpeg ('p'));
  add_image (tags, GST_TAG_IMAGE, uri_list ());
  add_image (tags, GST_TAG_IMAGE, tag_image ('b', 2));
  add_image (tags, GST_TAG_IMAGE, tag_image ('f', front ? 1 : 0));
  add_image (tags, GST_TAG_IMAGE, jpeg ('c'));
  play (rig);
  rig_push (rig, gst_event_new_tag (tags));
  finish (rig, 0);
  assert_cover (rig, 0, front ? 'f' : 'b');
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_preview_image)
{
  Rig *rig = rig_new (emulator, NULL);

  play (rig);
  push_image (rig, GST_TAG_PREVIEW_IMAGE, jpeg ('p'));
  finish (rig, 0);
  assert_cover (rig, 0, 'p');
  rig_free (rig);
}

GST_END_TEST;

/* Nobody has asked for a cover: what cannot be one is no news. */
GST_START_TEST (test_tags_that_are_none)
{
  Rig *rig = rig_new (emulator, NULL);

  play (rig);
  push_image (rig, GST_TAG_IMAGE, uri_list ());
  rig_push_bytes (rig, 1000);
  for (guint i = 0; i < G_N_ELEMENTS (unusable); i++)
    push_image (rig, GST_TAG_IMAGE, unusable[i].make ());
  rig_wait (rig, "progress-complete-open");
  finish (rig, 0);
  assert_cover (rig, 0, 0);
  rig_assert_story (rig, GOOD_STORY);
  rig_free (rig);
}

GST_END_TEST;

/* --- which of them --------------------------------------------------------*/

GST_START_TEST (test_precedence)
{
  static const gchar expected[] = {'t', 's', 'f'};
  Rig *rig = rig_new (emulator, NULL);

  if (__i__ >= 2) {
    write_file ('f');
    g_object_set (rig->sink, "cover-location", path, NULL);
  }
  if (__i__ >= 1)
    set_cover (rig, jpeg ('s'));
  play (rig);
  push_image (rig, GST_TAG_IMAGE, jpeg ('t'));
  finish (rig, 0);
  assert_cover (rig, 0, expected[__i__]);
  rig_free (rig);
}

GST_END_TEST;

/* The property is the application's, the tag the stream's; cover-location
 * is latched. */
GST_START_TEST (test_two_uploads)
{
  Rig *rig = rig_new (emulator, NULL);
  gchar *url;

  set_cover (rig, jpeg ('s'));
  play_and_open (rig);
  finish (rig, 0);
  assert_cover (rig, 0, 's');

  rig_set_state (rig, GST_STATE_READY);
  rig_mark (rig);
  rig->offset = 0;
  set_cover (rig, NULL);
  play (rig);
  push_image (rig, GST_TAG_IMAGE, jpeg ('t'));
  rig_push_bytes (rig, 1000);
  rig_wait (rig, "progress-complete-open");
  g_object_get (rig->sink, "cover-url", &url, NULL);
  fail_unless (url == NULL);
  write_file ('f');
  g_object_set (rig->sink, "cover-location", path, NULL);
  finish (rig, 1);
  assert_cover (rig, 1, 't');

  rig_set_state (rig, GST_STATE_READY);
  rig_mark (rig);
  rig->offset = 0;
  play (rig);
  finish (rig, 2);
  assert_cover (rig, 2, 'f');

  rig_set_state (rig, GST_STATE_NULL);
  rig_mark (rig);
  rig->offset = 0;
  g_object_set (rig->sink, "cover-location", NULL, NULL);
  play (rig);
  finish (rig, 3);
  assert_cover (rig, 3, 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_the_property_stays_for_the_next)
{
  Rig *rig = rig_new (emulator, NULL);

  set_cover (rig, jpeg ('s'));
  for (guint i = 0; i < 3; i++) {
    rig_mark (rig);
    rig->offset = 0;
    play (rig);
    finish (rig, i);
    assert_cover (rig, i, 's');
    rig_set_state (rig, GST_STATE_READY);
  }
  rig_free (rig);
}

GST_END_TEST;

/* The media begins again, and so does its cover. */
GST_START_TEST (test_flush)
{
  Rig *rig = rig_new (emulator, NULL);

  play (rig);
  push_image (rig, GST_TAG_IMAGE, jpeg ('t'));
  rig_push_bytes (rig, 1000);
  rig_wait (rig, "progress-complete-open");
  set_cover (rig, jpeg ('s'));
  rig_flush (rig);
  rig->offset = 0;
  rig_push_segment (rig, 0);
  finish (rig, 0);
  assert_cover (rig, 0, 's');
  rig_free (rig);
}

GST_END_TEST;

/* --- what is told ---------------------------------------------------------*/

typedef struct {
  gchar *url; /* when it was notified */
  gboolean told;
} Seen;

static void
on_notify (GObject *object, GParamSpec *spec, gpointer data)
{
  Seen *seen = data;

  fail_if (seen->told, "notified after the message");
  g_free (seen->url);
  g_object_get (object, "cover-url", &seen->url, NULL);
}

static Seen seen;

static void
note_finish (gpointer message, gpointer data)
{
  if (gst_message_has_name (message, "vodsink-finish"))
    seen.told = TRUE;
}

/* Set, and notified, before vodsink-finish is posted; cleared when the next
 * upload starts. */
GST_START_TEST (test_cover_url)
{
  Rig *rig = rig_new (emulator, NULL);

  seen = (Seen){0};
  rig->on_message = note_finish;
  g_signal_connect (
      rig->sink, "notify::cover-url", G_CALLBACK (on_notify), &seen);
  play_and_open (rig);
  set_cover (rig, jpeg ('a'));
  finish (rig, 0);
  assert_cover (rig, 0, 'a');
  fail_unless (seen.url != NULL && seen.told);
  seen.told = FALSE;
  rig_set_state (rig, GST_STATE_NULL);
  fail_unless (seen.url != NULL);
  rig_mark (rig);
  play_and_open (rig);
  fail_unless (seen.url == NULL);
  g_signal_handlers_disconnect_by_data (rig->sink, &seen);
  rig_free (rig);
}

GST_END_TEST;

/* --- while it is exchanged ------------------------------------------------*/

static void
play_to_the_exchange (Rig *rig, const gchar *fault)
{
  play_and_open (rig);
  emulator_add_faults (emulator, fault);
  set_cover (rig, jpeg ('a'));
  rig_push_bytes (rig, 1000);
  rig_push_eos (rig);
  fail_unless (emulator_wait_hits (emulator, 1));
  fail_unless_equals_int (emulator_count (emulator, "CommitUploadUGC", 200), 1);
}

#define STALLED "{\"op\":\"PutObject\",\"stall\":true}"

/* The media is committed: no ERROR any more. */
GST_START_TEST (test_cancel)
{
  Rig *rig = rig_new (emulator, NULL);

  play_to_the_exchange (rig, STALLED);
  g_signal_emit_by_name (rig->sink, "cancel");
  rig_assert_uploaded (rig, emulator, 0);
  assert_cover (rig, 0, 0);
  assert_warned (rig, "cover", "RESOURCE/WRITE", -3, "stopped");
  rig_assert_story (rig,
      "progress-start-open progress-complete-open progress-start-close "
      "vodsink-warning warning progress-complete-close vodsink-finish eos");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_stop)
{
  Rig *rig = rig_new (emulator, NULL);

  play_to_the_exchange (rig, STALLED);
  fail_unless (rig_time_state (rig, GST_STATE_NULL) < TEST_MS (100));
  assert_cover (rig, 0, 0);
  fail_unless_equals_int (rig_count (rig, "vodsink-finish"), 1);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  fail_unless_equals_int (emulator_n_media (emulator), 1);
  rig_free (rig);
}

GST_END_TEST;

/* PAUSED does not end it, nor does it make EOS come early. */
GST_START_TEST (test_pause)
{
  Rig *rig = rig_new (emulator, NULL);

  play_to_the_exchange (rig, "{\"op\":\"PutObject\",\"delay\":1500}");
  fail_unless (rig_time_state (rig, GST_STATE_PAUSED) < TEST_MS (100));
  rig_wait (rig, "vodsink-finish");
  fail_unless_equals_int (rig_count (rig, "eos"), 0);
  rig_set_state (rig, GST_STATE_PLAYING);
  rig_assert_uploaded (rig, emulator, 0);
  assert_cover (rig, 0, 'a');
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_flush_in_the_exchange)
{
  Rig *rig = rig_new (emulator, NULL);

  play_to_the_exchange (rig, STALLED);
  rig_flush (rig);
  rig_mark (rig);
  emulator_clear_faults (emulator);
  rig->offset = 0;
  rig_push_segment (rig, 0);
  finish (rig, 1);
  assert_cover (rig, 1, 'a');
  rig_free (rig);
}

GST_END_TEST;

/* --- its signatures -------------------------------------------------------*/

static gint answers; /* left */

static gchar *
answer_signature (GstElement *sink, gpointer data)
{
  return g_atomic_int_add (&answers, -1) > 0 ? emulator_signature (TRUE) : NULL;
}

/* Two for the media, two for the exchange, each good for one request; whoever is
 * asked in vain does not keep the media waiting for ever. */
GST_START_TEST (test_signatures)
{
  gboolean enough = __i__;
  Rig *rig = rig_new (emulator, "signature", NULL, "retry-duration", 1, NULL);

  g_atomic_int_set (&answers, enough ? 4 : 2);
  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_signature), NULL);
  play_and_open (rig);
  set_cover (rig, jpeg ('a'));
  finish (rig, 0);
  assert_cover (rig, 0, enough ? 'a' : 0);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  if (enough) {
    fail_unless_equals_int (g_atomic_int_get (&answers), 0);
  } else {
    assert_warned (rig, "cover", "RESOURCE/NOT_AUTHORIZED", -1, "signature");
  }
  rig_free (rig);
}

GST_END_TEST;

/* Whoever waits for one may still be stopped, and cancel. */
GST_START_TEST (test_ending_the_wait_for_a_signature)
{
  gboolean cancel = __i__;
  Rig *rig = rig_new (emulator, "signature", NULL, NULL);

  g_atomic_int_set (&answers, 2);
  g_signal_connect (
      rig->sink, "get-signature", G_CALLBACK (answer_signature), NULL);
  play_and_open (rig);
  set_cover (rig, jpeg ('a'));
  rig_push_bytes (rig, 1000);
  rig_push_eos (rig);
  fail_unless (rig_wait_state (rig, "waiting-for-signature"));
  fail_unless_equals_int (emulator_n_media (emulator), 1);
  if (cancel) {
    g_signal_emit_by_name (rig->sink, "cancel");
    rig_wait (rig, "eos");
  } else {
    fail_unless (rig_time_state (rig, GST_STATE_NULL) < TEST_MS (100));
  }
  assert_cover (rig, 0, 0);
  fail_unless_equals_int (rig_count (rig, "error"), 0);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
vodsink_cover_suite (void)
{
  Suite *suite = suite_create ("vodsink-cover");
  TCase *tc = tcase_create ("cover");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, test_cover_before);
  tcase_add_test (tc, test_cover_while_playing);
  tcase_add_test (tc, test_cover_at_eos);
  tcase_add_test (tc, test_cover_set_again_and_to_nothing);
  tcase_add_test (tc, test_cover_cannot_be_read);
  tcase_add_test (tc, test_cover_is_a_copy);
  tcase_add_test (tc, test_cover_is_read_without_a_lock);
  tcase_add_loop_test (tc, test_cover_that_is_none, 0, G_N_ELEMENTS (unusable));
  tcase_add_test (tc, test_cover_that_the_storage_refuses);
  tcase_add_test (tc, test_location);
  tcase_add_test (tc, test_location_that_is_written_meanwhile);
  tcase_add_test (tc, test_location_of_nothing);
  tcase_add_test (tc, test_empty_location_is_none);
  tcase_add_test (tc, test_tag_before_the_first_byte);
  tcase_add_test (tc, test_tags_in_several_events);
  tcase_add_loop_test (tc, test_tags_in_one_event, 0, 2);
  tcase_add_test (tc, test_preview_image);
  tcase_add_test (tc, test_tags_that_are_none);
  tcase_add_loop_test (tc, test_precedence, 0, 3);
  tcase_add_test (tc, test_two_uploads);
  tcase_add_test (tc, test_the_property_stays_for_the_next);
  tcase_add_test (tc, test_flush);
  tcase_add_test (tc, test_cover_url);
  tcase_add_test (tc, test_cancel);
  tcase_add_test (tc, test_stop);
  tcase_add_test (tc, test_pause);
  tcase_add_test (tc, test_flush_in_the_exchange);
  tcase_add_loop_test (tc, test_signatures, 0, 2);
  tcase_add_loop_test (tc, test_ending_the_wait_for_a_signature, 0, 2);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_cover);

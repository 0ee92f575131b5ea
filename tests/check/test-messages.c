/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * By which code of GStreamer a failure is posted, in each phase: what happens, and
 * what the table of docs/reference.md says of it.
 */
#include <string.h>

#include "gstvodmessages.h"

static const struct {
  VodPhase phase;
  VodErrorCode code;
  guint status;
  gint64 number;
  const gchar *error_code;
  const gchar *posted; /* as the table writes it */
} failures[] = {
    {VOD_PHASE_SIGNATURE, VOD_ERROR_SIGNATURE, 0, 0, NULL, "NOT_AUTHORIZED"},
    {VOD_PHASE_SIGNATURE, VOD_ERROR_TLS, 0, 0, NULL, "NOT_AUTHORIZED"},
    {VOD_PHASE_SIGNATURE, VOD_ERROR_PROTOCOL, 0, 0, NULL, "NOT_AUTHORIZED"},
    {VOD_PHASE_SIGNATURE, VOD_ERROR_HTTP, 404, 0, NULL, "NOT_AUTHORIZED"},
    {VOD_PHASE_SIGNATURE, VOD_ERROR_HTTP, 503, 0, NULL, "OPEN_WRITE"},
    {VOD_PHASE_SIGNATURE, VOD_ERROR_NETWORK, 0, 0, NULL, "OPEN_WRITE"},
    /* A one-time signature was used before, and there is no other. */
    {VOD_PHASE_SIGNATURE, VOD_ERROR_SERVICE, 0, 10011, NULL, "NOT_AUTHORIZED"},
    {VOD_PHASE_APPLY, VOD_ERROR_PARAMETER, 0, 0, NULL, "SETTINGS"},
    {VOD_PHASE_APPLY, VOD_ERROR_MEDIA_TYPE, 0, 0, NULL, "CORE/NEGOTIATION"},
    {VOD_PHASE_APPLY, VOD_ERROR_NETWORK, 0, 0, NULL, "OPEN_WRITE"},
    {VOD_PHASE_APPLY, VOD_ERROR_HTTP, 404, 0, NULL, "OPEN_WRITE"},
    {VOD_PHASE_APPLY, VOD_ERROR_HTTP, 403, 0, NULL, "NOT_AUTHORIZED"},
    {VOD_PHASE_APPLY, VOD_ERROR_SERVICE, 0, 10001, NULL, "OPEN_WRITE"},
    {VOD_PHASE_APPLY, VOD_ERROR_SERVICE, 0, 10004, NULL, "NOT_AUTHORIZED"},
    {VOD_PHASE_APPLY, VOD_ERROR_PROTOCOL, 0, 0, NULL, "OPEN_WRITE"},
    {VOD_PHASE_APPLY, VOD_ERROR_LOCAL, 0, 0, NULL, "OPEN_WRITE"},
    {VOD_PHASE_INITIATE, VOD_ERROR_NETWORK, 0, 0, NULL, "OPEN_WRITE"},
    {VOD_PHASE_INITIATE, VOD_ERROR_STORAGE, 404, 0, "NoSuchBucket",
        "OPEN_WRITE"},
    {VOD_PHASE_INITIATE, VOD_ERROR_STORAGE, 403, 0, "AccessDenied",
        "NOT_AUTHORIZED"},
    {VOD_PHASE_PART, VOD_ERROR_NETWORK, 0, 0, NULL, "WRITE"},
    {VOD_PHASE_PART, VOD_ERROR_STORAGE, 404, 0, "NoSuchUpload", "WRITE"},
    {VOD_PHASE_PART, VOD_ERROR_INTEGRITY, 0, 0, NULL, "WRITE"},
    {VOD_PHASE_PART, VOD_ERROR_CANCELLED, 0, 0, NULL, "WRITE"},
    {VOD_PHASE_PART, VOD_ERROR_SEEK, 0, 0, NULL, "SEEK"},
    /* What is to be rewritten is in a spool that takes no more. */
    {VOD_PHASE_PART, VOD_ERROR_LOCAL, 0, 0, NULL, "SEEK"},
    {VOD_PHASE_PART, VOD_ERROR_LIMIT, 0, 0, NULL, "NO_SPACE_LEFT"},
    {VOD_PHASE_PART, VOD_ERROR_READ, 0, 0, NULL, "READ"},
    {VOD_PHASE_COMPLETE, VOD_ERROR_NETWORK, 0, 0, NULL, "CLOSE"},
    {VOD_PHASE_COMPLETE, VOD_ERROR_STORAGE, 400, 0, "InvalidPart", "CLOSE"},
    {VOD_PHASE_COMPLETE, VOD_ERROR_INTEGRITY, 0, 0, NULL, "CLOSE"},
    {VOD_PHASE_COMMIT, VOD_ERROR_NETWORK, 0, 0, NULL, "CLOSE"},
    {VOD_PHASE_COMMIT, VOD_ERROR_SERVICE, 0, 10001, NULL, "CLOSE"},
    {VOD_PHASE_COVER, VOD_ERROR_PARAMETER, 0, 0, NULL, "SETTINGS"},
    {VOD_PHASE_COVER, VOD_ERROR_NETWORK, 0, 0, NULL, "WRITE"},
    {VOD_PHASE_COVER, VOD_ERROR_CANCELLED, 0, 0, NULL, "WRITE"},
    {VOD_PHASE_SPOOL, VOD_ERROR_LOCAL, 0, 0, NULL, "OPEN_WRITE"},
    {VOD_PHASE_SPOOL, VOD_ERROR_NO_SPACE, 0, 0, NULL, "NO_SPACE_LEFT"},
    {VOD_PHASE_SESSION, VOD_ERROR_LOCAL, 0, 0, NULL, "OPEN_WRITE"},
    {VOD_PHASE_SESSION, VOD_ERROR_BUSY, 0, 0, NULL, "OPEN_WRITE"},
    {VOD_PHASE_SESSION, VOD_ERROR_NO_SPACE, 0, 0, NULL, "NO_SPACE_LEFT"},
    {VOD_PHASE_REPORT, VOD_ERROR_NETWORK, 0, 0, NULL, "WRITE"},
    {VOD_PHASE_REPORT, VOD_ERROR_HTTP, 500, 0, NULL, "WRITE"},
};

/* "WRITE", "CORE/NEGOTIATION". */
static gchar *
name_of (const GError *error)
{
  gboolean core = error->domain == GST_CORE_ERROR;
  g_autoptr (GEnumClass) codes =
      g_type_class_ref (core ? GST_TYPE_CORE_ERROR : GST_TYPE_RESOURCE_ERROR);
  const GEnumValue *value = g_enum_get_value (codes, error->code);

  g_assert_true (core || error->domain == GST_RESOURCE_ERROR);
  g_assert_nonnull (value);
  return core ? g_strconcat ("CORE/",
                    value->value_name + strlen ("GST_CORE_ERROR_"), NULL)
              : g_strdup (value->value_name + strlen ("GST_RESOURCE_ERROR_"));
}

typedef struct {
  GstElement *element;
  GstBus *bus;
} Poster;

static void
poster_init (Poster *poster)
{
  poster->element = gst_bin_new (NULL);
  poster->bus = gst_bus_new ();
  gst_element_set_bus (poster->element, poster->bus);
}

static void
poster_clear (Poster *poster)
{
  gst_element_set_bus (poster->element, NULL);
  gst_object_unref (poster->element);
  gst_object_unref (poster->bus);
}

/* The code of the ERROR or WARNING on the bus. */
static gchar *
posted_on (Poster *poster, gboolean fatal)
{
  GstMessage *message = gst_bus_pop_filtered (
      poster->bus, fatal ? GST_MESSAGE_ERROR : GST_MESSAGE_WARNING);
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (message);
  if (fatal)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  gst_message_unref (message);
  return name_of (error);
}

static GError *
failure (guint i)
{
  GError *error = vod_error_new (failures[i].code, "x");
  VodErrorDetails *details = vod_error_details (error);

  details->phase = failures[i].phase;
  details->http_status = failures[i].status;
  details->number = failures[i].number;
  details->error_code = g_strdup (failures[i].error_code);
  return error;
}

static void
test_every_failure_has_its_code (void)
{
  Poster poster;

  poster_init (&poster);
  for (guint i = 0; i < G_N_ELEMENTS (failures); i++) {
    for (guint fatal = 0; fatal < 2; fatal++) {
      g_autoptr (GError) error = failure (i);
      g_autofree gchar *posted = NULL;

      g_test_message (
          "%u: %s", i, vod_phase_name (vod_error_details (error)->phase));
      gst_vod_post_failure (poster.element, error, NULL, fatal);
      posted = posted_on (&poster, fatal);
      g_assert_cmpstr (posted, ==, failures[i].posted);
    }
  }
  poster_clear (&poster);
}

static void
test_warnings_are_of_writing (void)
{
  static const gchar *const phases[] = {"spool", "session", "blocked", NULL};
  Poster poster;

  poster_init (&poster);
  for (guint i = 0; i < G_N_ELEMENTS (phases); i++) {
    g_autofree gchar *posted = NULL;

    gst_vod_post_warning (poster.element, phases[i], "x", NULL, NULL);
    posted = posted_on (&poster, FALSE);
    g_assert_cmpstr (posted, ==, "WRITE");
  }
  poster_clear (&poster);
}

/* --- the table ------------------------------------------------------------*/

static const gchar *const words[] = {"NOT_AUTHORIZED", "OPEN_WRITE", "SETTINGS",
    "CORE/NEGOTIATION", "WRITE", "SEEK", "NO_SPACE_LEFT", "READ", "CLOSE"};

/* The last column of the row of @phase: "WRITE; SEEK for …". */
static gchar *
column_of (VodPhase phase)
{
  g_autofree gchar *row = g_strdup_printf (
      "(?m)^\\| `%s` \\| [^|]* \\| ([^|]*) \\|$", vod_phase_name (phase));
  g_autoptr (GRegex) regex = g_regex_new (row, 0, 0, NULL);
  g_autoptr (GMatchInfo) match = NULL;
  g_autofree gchar *text = NULL;
  const gchar *errors;

  g_assert_true (g_file_get_contents (TEST_REFERENCE, &text, NULL, NULL));
  errors = strstr (text, "\n## Errors\n");
  g_assert_nonnull (errors);
  g_regex_match (regex, errors, 0, &match);
  g_assert_true (g_match_info_matches (match));
  return g_match_info_fetch (match, 1);
}

static gboolean
has_word (const gchar *column, const gchar *word)
{
  g_autofree gchar *pattern = g_strdup_printf ("(?<![A-Z_])%s(?![A-Z_])", word);

  return g_regex_match_simple (pattern, column, 0, 0);
}

static gboolean
is_posted (VodPhase phase, const gchar *word)
{
  for (guint i = 0; i < G_N_ELEMENTS (failures); i++)
    if (failures[i].phase == phase && strcmp (failures[i].posted, word) == 0)
      return TRUE;
  return FALSE;
}

/* NOT_AUTHORIZED is said below the table, of all of them. */
static void
test_the_table_of_the_reference (void)
{
  for (VodPhase phase = VOD_PHASE_SIGNATURE; phase <= VOD_PHASE_REPORT;
       phase++) {
    g_autofree gchar *column = column_of (phase);

    for (guint i = 0; i < G_N_ELEMENTS (words); i++) {
      g_test_message ("%s: %s", vod_phase_name (phase), words[i]);
      if (i > 0)
        g_assert_cmpint (
            has_word (column, words[i]), ==, is_posted (phase, words[i]));
    }
  }
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/messages/failures", test_every_failure_has_its_code);
  g_test_add_func ("/messages/warnings", test_warnings_are_of_writing);
  g_test_add_func ("/messages/reference", test_the_table_of_the_reference);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vod-resume: uploads the recordings that a crash, a loss of power or a long
 * outage has left in the state directory of vodsink, and deletes at the service
 * what is left there of others. See docs/vod-resume.md.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <locale.h>

#include "gstvodsink.h"
#include "vod-send.h"
#include "vod-show.h"
#include "vod-sweep.h"

enum {
  EXIT_DONE = 0,
  EXIT_FAILED = 1,
  EXIT_USAGE = 2,
  EXIT_LEFT = 3, /* something needs --incomplete */
};

static VodSettings settings;
static gchar *state_dir, *options_file, *discard_key;
static gboolean list, dry_run, incomplete, show_version;

static GOptionEntry entries[] = {
    {"state-dir", 'd', 0, G_OPTION_ARG_FILENAME, &state_dir,
        "Folder of session files and spools (default: "
        "$XDG_STATE_HOME/vodsink)",
        "DIR"},
    {"signature-url", 'u', 0, G_OPTION_ARG_STRING, &settings.signature_url,
        "Where an upload signature comes from: https:, http: or file:", "URL"},
    {"signature-file", 'f', 0, G_OPTION_ARG_FILENAME, &settings.signature_file,
        "File with an upload signature, read whenever one is needed; better "
        "nobody else may read it",
        "FILE"},
    {"set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &settings.set,
        "Set a property of vodsink (may be repeated); everybody who runs ps "
        "sees it",
        "PROP=VALUE"},
    {"options-file", 'o', 0, G_OPTION_ARG_FILENAME, &options_file,
        "File with lines PROP=VALUE, as --set has them, for what is secret; it "
        "must be yours, and nobody else may read it",
        "FILE"},
    {"list", 'l', 0, G_OPTION_ARG_NONE, &list, "List what is there", NULL},
    {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &dry_run, "Say what would be done",
        NULL},
    {"incomplete", 'i', 0, G_OPTION_ARG_NONE, &incomplete,
        "Also upload recordings without end that may not play", NULL},
    {"discard", 0, 0, G_OPTION_ARG_STRING, &discard_key,
        "Delete this recording, here and what is up of it, without asking",
        "KEY"},
    {"version", 0, 0, G_OPTION_ARG_NONE, &show_version,
        "Print the version and exit", NULL},
    {NULL}};

/* What has come of everything: the worst counts. */
typedef struct {
  gboolean failed;
  gboolean left;
} Outcome;

/* --- --list ---------------------------------------------------------------*/

static gint
list_all (gchar *const *keys)
{
  guint discards = vod_recording_count_discards (settings.state_dir);
  guint shown = 0;

  for (guint i = 0; keys[i]; i++) {
    g_auto (VodRecording) recording = {0};

    if (!vod_recording_examine (&recording, settings.state_dir, keys[i], FALSE))
      continue;
    if (shown++ == 0)
      vod_show_table_head ();
    vod_show_table_row (&recording);
  }
  if (shown == 0)
    vod_show_line ("Nothing is unfinished.");
  if (discards > 0)
    vod_show_line (
        "Of %u uploads, parts are still to be deleted at the service.",
        discards);
  return EXIT_DONE;
}

/* --- what is to be done with a recording ----------------------------------*/

typedef enum {
  PLAN_NOTHING,
  PLAN_LEAVE,  /* needs --incomplete */
  PLAN_SPARE,  /* was cancelled: nobody has said that he wants it */
  PLAN_CANNOT, /* see *why */
  PLAN_REMOVE, /* it is empty */
  PLAN_UPLOAD,
} Plan;

/* Needs a name and a type, from its session or from --set. */
static gboolean
is_known (const VodRecording *recording)
{
  return (recording->name || vod_settings_get (&settings, "media-name")) &&
      (recording->type || vod_settings_get (&settings, "media-type"));
}

static Plan
plan_for (const VodRecording *recording, const gchar **why)
{
  if (recording->kind == VOD_RECORDING_IN_USE ||
      recording->kind == VOD_RECORDING_FILE_UPLOAD)
    return PLAN_NOTHING;
  *why = recording->damage;
  if (!recording->has_spool)
    return PLAN_CANNOT;
  if (recording->size == 0)
    return PLAN_REMOVE;
  *why = "none of it was synced when the machine went down";
  if (recording->sure == 0)
    return PLAN_CANNOT;
  *why = "nothing tells its name and type: --set media-name=NAME --set "
         "media-type=TYPE";
  if (!is_known (recording))
    return recording->kind == VOD_RECORDING_CANCELLED ? PLAN_SPARE
                                                      : PLAN_CANNOT;
  if (recording->kind == VOD_RECORDING_COMPLETE || incomplete ||
      vod_recording_survives_cut (recording, settings.state_dir,
          vod_settings_get (&settings, "media-type")))
    return PLAN_UPLOAD;
  return PLAN_LEAVE;
}

/* --- doing it -------------------------------------------------------------*/

static void
remove_empty (const VodRecording *recording, Outcome *outcome)
{
  g_autofree gchar *title = vod_show_title (recording);
  g_autoptr (GError) error = NULL;

  if (dry_run) {
    vod_show_line ("%s: is empty, would be removed", title);
  } else if (vod_recording_discard (
                 settings.state_dir, recording->key, &error)) {
    vod_show_line ("%s: was empty, and is removed", title);
  } else {
    vod_show_line ("%s: %s", title, error->message);
    outcome->failed = TRUE;
  }
}

/* Says what there is to know before it is uploaded, and cuts off what does not
 * count. */
static gboolean
make_ready (const VodRecording *recording, const gchar *title)
{
  g_autofree gchar *size = vod_show_size (recording->size);
  g_autofree gchar *sure = vod_show_size (recording->sure);
  g_autoptr (GError) error = NULL;

  if (recording->kind != VOD_RECORDING_COMPLETE)
    vod_show_line (
        "%s: it was cut off, and is uploaded as far as it goes", title);
  if (recording->sure == recording->size)
    return TRUE;
  vod_show_line ("%s: the machine went down: of %s, the first %s are certain "
                 "to be good, the rest is cut off",
      title, size, sure);
  if (dry_run || vod_recording_cut (recording, settings.state_dir, &error))
    return TRUE;
  vod_show_line ("%s: %s", title, error->message);
  return FALSE;
}

/* FALSE: go no further. */
static gboolean
upload (const VodRecording *recording, Outcome *outcome)
{
  g_autofree gchar *title = vod_show_title (recording);
  g_autofree gchar *size = vod_show_size (recording->sure);
  g_autofree gchar *up = vod_show_size (recording->up);

  if (!make_ready (recording, title)) {
    outcome->failed = TRUE;
    return TRUE;
  }
  if (dry_run) {
    vod_show_line (
        "%s: would be uploaded: %s, of which %s are up", title, size, up);
    return TRUE;
  }
  switch (vod_send (&settings, recording)) {
    case VOD_SEND_DONE:
    case VOD_SEND_BUSY:
      return TRUE;
    case VOD_SEND_FAILED:
      outcome->failed = TRUE;
      return TRUE;
    case VOD_SEND_INTERRUPTED:
      break;
  }
  outcome->failed = TRUE;
  return FALSE;
}

static void
tell_nothing (const VodRecording *recording, const gchar *title)
{
  if (recording->kind == VOD_RECORDING_IN_USE)
    vod_show_line ("%s: in use now, left alone", title);
  else if (dry_run)
    vod_show_line ("%s: upload of a file: run the same command again", title);
}

/* FALSE: go no further. */
static gboolean
finish_one (const gchar *key, Outcome *outcome)
{
  g_auto (VodRecording) recording = {0};
  g_autofree gchar *title = NULL;
  const gchar *why = NULL;

  if (!vod_recording_examine (&recording, settings.state_dir, key, TRUE))
    return TRUE;
  title = vod_show_title (&recording);
  switch (plan_for (&recording, &why)) {
    case PLAN_NOTHING:
      tell_nothing (&recording, title);
      break;
    case PLAN_REMOVE:
      remove_empty (&recording, outcome);
      break;
    case PLAN_CANNOT:
      vod_show_line ("%s: cannot be uploaded: %s (key %s)", title, why, key);
      outcome->failed = TRUE;
      break;
    case PLAN_LEAVE:
      vod_show_line (
          "%s: was cut off and may not play without its end; "
          "--incomplete uploads it as it is, --discard %s deletes it",
          title, key);
      outcome->left = TRUE;
      break;
    case PLAN_SPARE:
      vod_show_line ("%s: was cancelled, and is left alone; --set "
                     "media-name=NAME --set media-type=TYPE uploads it, "
                     "--discard %s deletes it",
          title, key);
      break;
    case PLAN_UPLOAD:
      return upload (&recording, outcome);
  }
  return TRUE;
}

static gint
sum_up (const Outcome *outcome)
{
  return outcome->failed ? EXIT_FAILED : outcome->left ? EXIT_LEFT : EXIT_DONE;
}

/* What is remembered to be deleted at the service. */
static void
sweep (Outcome *outcome)
{
  guint waiting = vod_recording_count_discards (settings.state_dir);

  if (waiting == 0)
    return;
  if (dry_run || !vod_settings_can_sign (&settings))
    vod_show_line ("Of %u uploads, parts are to be deleted at the service%s.",
        waiting, dry_run ? "" : ", which needs a signature");
  else if (!vod_sweep (&settings))
    outcome->failed = TRUE;
}

/* Uploading without a signature is no use; said before anything is begun. */
static gboolean
needs_signature (gchar *const *keys)
{
  for (guint i = 0; keys[i]; i++) {
    g_auto (VodRecording) recording = {0};
    const gchar *why;

    if (vod_recording_examine (
            &recording, settings.state_dir, keys[i], FALSE) &&
        plan_for (&recording, &why) == PLAN_UPLOAD)
      return TRUE;
  }
  return FALSE;
}

static gint
finish_all (gchar *const *keys)
{
  Outcome outcome = {0};
  gboolean go_on = TRUE;

  if (!dry_run && !vod_settings_can_sign (&settings) &&
      needs_signature (keys)) {
    g_printerr ("vod-resume: there are recordings to upload, but no signature: "
                "--signature-url or --signature-file\n");
    return EXIT_USAGE;
  }
  for (guint i = 0; go_on && keys[i]; i++)
    go_on = finish_one (keys[i], &outcome);
  if (go_on)
    sweep (&outcome);
  return sum_up (&outcome);
}

/* --- --discard ------------------------------------------------------------*/

static gint
discard (void)
{
  g_auto (VodRecording) recording = {0};
  g_autofree gchar *shown = vod_printable (discard_key, 64);
  g_autoptr (GError) error = NULL;
  Outcome outcome = {0};

  if (!vod_session_check_key (discard_key)) {
    g_printerr ("vod-resume: \"%s\" is not the key of a recording; --list "
                "shows them\n",
        shown);
    return EXIT_USAGE;
  }
  if (!vod_recording_examine (
          &recording, settings.state_dir, discard_key, FALSE)) {
    g_printerr ("vod-resume: there is no recording %s\n", shown);
    return EXIT_FAILED;
  }
  if (!vod_recording_discard (settings.state_dir, discard_key, &error)) {
    g_printerr ("vod-resume: %s\n", error->message);
    return EXIT_FAILED;
  }
  vod_show_line ("%s: deleted", shown);
  sweep (&outcome);
  return sum_up (&outcome);
}

/* --- the program ----------------------------------------------------------*/

static gboolean
check_options (gint argc, gchar **argv, GError **error)
{
  const gchar *wrong = NULL;

  if (argc > 1)
    wrong = "it takes options only";
  else if (!g_utf8_validate (discard_key ? discard_key : "", -1, NULL))
    wrong = "--discard: not a key";
  else if (list + (dry_run || incomplete) + (discard_key != NULL) > 1)
    wrong = "--list, --discard, and --dry-run or --incomplete: one of them, "
            "please";
  if (wrong)
    g_set_error_literal (
        error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, wrong);
  return wrong == NULL;
}

static gboolean
parse_options (gint *argc, gchar ***argv, GError **error)
{
  g_autoptr (GOptionContext) context = g_option_context_new (
      "- finish interrupted uploads to Tencent Cloud VOD");

  g_option_context_set_summary (context,
      "Uploads the recordings that vodsink (spool=true) could not finish, and "
      "deletes\nthem here once they are committed. Parts that are up are not "
      "sent again.");
  g_option_context_set_description (context,
      "Recordings that had reached their end are uploaded, and those without "
      "end whose\ncontainer survives a cut; the rest with --incomplete. Those "
      "in use are left alone.\n\n"
      "Exit codes: 0 all is done, 1 something failed or was interrupted, "
      "2 wrong use,\n3 something was left because it needs --incomplete.\n\n"
      "Examples:\n"
      "  vod-resume --list\n"
      "  vod-resume --signature-url https://sign.example.com/vod\n"
      "  vod-resume -f /run/vod-signature --set tls-ca-file=/etc/ca.pem\n");
  g_option_context_add_main_entries (context, entries, NULL);
  return g_option_context_parse (context, argc, argv, error) &&
      check_options (*argc, *argv, error);
}

static gint
run (void)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) keys = NULL;

  if (g_file_test (settings.state_dir, G_FILE_TEST_EXISTS) &&
      !vod_session_prepare_dir (settings.state_dir, &error)) {
    g_printerr ("vod-resume: %s\n", error->message);
    return EXIT_FAILED;
  }
  if (discard_key)
    return discard ();
  keys = vod_session_list (settings.state_dir, &error);
  if (keys == NULL) {
    g_printerr ("vod-resume: %s\n", error->message);
    return EXIT_FAILED;
  }
  return list ? list_all (keys) : finish_all (keys);
}

gint
main (gint argc, gchar **argv)
{
  g_autoptr (GError) error = NULL;

  setlocale (LC_ALL, "");
  if (!parse_options (&argc, &argv, &error)) {
    g_printerr ("vod-resume: %s\nTry vod-resume --help.\n", error->message);
    return EXIT_USAGE;
  }
  if (show_version) {
    g_print ("vod-resume %s\n", VERSION);
    return EXIT_DONE;
  }
  gst_init (NULL, NULL);
  GST_ELEMENT_REGISTER (vodsink, NULL);
  settings.state_dir = vod_session_choose_dir (state_dir);
  if ((options_file &&
          !vod_settings_read_options (&settings, options_file, &error)) ||
      !vod_settings_check (&settings, &error)) {
    g_printerr ("vod-resume: %s\n", error->message);
    return EXIT_USAGE;
  }
  return run ();
}

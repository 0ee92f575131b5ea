/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vod-sign: prints an upload signature, as the server of an app would make it
 * for its users. The secret key comes from the environment or from a private
 * file, never from the arguments, which others on the machine can read.
 *
 * signature = base64 (HMAC-SHA1 (key, original) + original), where original is
 * a query string.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <locale.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION "0"
#endif

#define MAX_EXPIRES 7776000
#define MAX_KEY_FILE 4096

typedef struct {
  char *id;
  char *key;
} Secret;

static char *key_file = NULL;
static char *expires_text = NULL;
static char *now_text = NULL;
static char *random_text = NULL;
static gboolean one_time = FALSE;
static gboolean show_version = FALSE;
static char *class_id = NULL;
static char *procedure = NULL;
static char *task_priority = NULL;
static char *task_notify_mode = NULL;
static char *source_context = NULL;
static char *sub_app_id = NULL;
static char *session_context = NULL;
static char *storage_region = NULL;

static GOptionEntry entries[] = {
    {"key-file", 'k', 0, G_OPTION_ARG_FILENAME, &key_file,
        "File with the secret id and key; only its owner may read it", "FILE"},
    {"expires", 'e', 0, G_OPTION_ARG_STRING, &expires_text,
        "Seconds from now that it is valid, 1 to 7776000 (default 86400)",
        "SECONDS"},
    {"one-time", '1', 0, G_OPTION_ARG_NONE, &one_time,
        "Valid for a single request (oneTimeValid)", NULL},
    {"class-id", 0, 0, G_OPTION_ARG_STRING, &class_id, "Category of the media",
        "N"},
    {"procedure", 0, 0, G_OPTION_ARG_FILENAME, &procedure,
        "Task flow to run on the media", "NAME"},
    {"task-priority", 0, 0, G_OPTION_ARG_STRING, &task_priority,
        "Priority of that task flow, -10 to 10", "N"},
    {"task-notify-mode", 0, 0, G_OPTION_ARG_STRING, &task_notify_mode,
        "When it notifies: Finish, Change or None", "MODE"},
    {"source-context", 0, 0, G_OPTION_ARG_FILENAME, &source_context,
        "Text that comes back when the upload is done, up to 250 bytes",
        "TEXT"},
    {"session-context", 0, 0, G_OPTION_ARG_FILENAME, &session_context,
        "Text that comes back from the task flow, up to 1000 bytes", "TEXT"},
    {"sub-app-id", 0, 0, G_OPTION_ARG_STRING, &sub_app_id,
        "Sub-application to upload to", "N"},
    {"storage-region", 0, 0, G_OPTION_ARG_STRING, &storage_region,
        "Where to store the media, e.g. ap-chongqing", "REGION"},
    {"now", 0, 0, G_OPTION_ARG_STRING, &now_text,
        "Pretend that it is this time, in Unix seconds (for tests)", "TIME"},
    {"random", 0, 0, G_OPTION_ARG_STRING, &random_text,
        "Use this as the random number (for tests)", "N"},
    {"version", 0, 0, G_OPTION_ARG_NONE, &show_version,
        "Print the version and exit", NULL},
    {NULL}};

static gboolean
fail (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
fail (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error != NULL)
    *error = g_error_new_valist (
        G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, format, args);
  va_end (args);
  return FALSE;
}

/* ---- the secret ---- */

static void
secret_clear (Secret *secret)
{
  if (secret->key != NULL)
    OPENSSL_cleanse (secret->key, strlen (secret->key));
  g_clear_pointer (&secret->key, g_free);
  g_clear_pointer (&secret->id, g_free);
}

/* One of the names that people use for the two, or NULL. */
static char **
field_of (Secret *secret, const char *name)
{
  static const char *const ids[] = {
      "VOD_SECRET_ID", "secretId", "secret-id", "SecretId"};
  static const char *const keys[] = {
      "VOD_SECRET_KEY", "secretKey", "secret-key", "SecretKey"};

  for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
    if (g_ascii_strcasecmp (name, ids[i]) == 0)
      return &secret->id;
    if (g_ascii_strcasecmp (name, keys[i]) == 0)
      return &secret->key;
  }
  return NULL;
}

/* "name=value" or, without a name, first the id and then the key. */
static gboolean
take_line (Secret *secret, char *line)
{
  char *equals = strchr (line, '=');
  char **field;

  if (equals != NULL) {
    *equals = '\0';
    field = field_of (secret, g_strstrip (line));
    line = equals + 1;
  } else {
    field = secret->id == NULL ? &secret->id : &secret->key;
  }
  if (field == NULL || *field != NULL)
    return FALSE;
  *field = g_strdup (g_strstrip (line));
  return TRUE;
}

static gboolean
parse_key_file (Secret *secret, char *text, GError **error)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  gboolean ok = TRUE;

  for (guint i = 0; ok && lines[i] != NULL; i++) {
    char *line = g_strstrip (lines[i]);

    if (*line != '\0' && *line != '#')
      ok = take_line (secret, line);
  }
  for (guint i = 0; lines[i] != NULL; i++)
    OPENSSL_cleanse (lines[i], strlen (lines[i]));
  if (!ok || secret->id == NULL || secret->key == NULL)
    return fail (error,
        "%s: expected the secret id on one line and the key on the next, or "
        "secretId=... and secretKey=...",
        key_file);
  return TRUE;
}

/* Checked on the open file, so that it can't be exchanged in between. */
static gboolean
read_key_file (Secret *secret, GError **error)
{
  char text[MAX_KEY_FILE + 1];
  struct stat st;
  gssize len;
  gboolean ok;
  int fd = open (key_file, O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    return fail (error, "cannot open %s: %s", key_file, g_strerror (errno));
  if (fstat (fd, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    close (fd);
    return fail (
        error, "%s can be used by others: chmod 600 %s", key_file, key_file);
  }
  len = read (fd, text, MAX_KEY_FILE);
  close (fd);
  if (len < 0)
    return fail (error, "cannot read %s: %s", key_file, g_strerror (errno));
  text[len] = '\0';
  ok = parse_key_file (secret, text, error);
  OPENSSL_cleanse (text, sizeof text);
  return ok;
}

/* What the console gives out; "AKID…" of an instruction is none. */
static gboolean
is_word (const char *text)
{
  while (g_ascii_isgraph (*text))
    text++;
  return *text == '\0';
}

static gboolean
get_secret (Secret *secret, GError **error)
{
  if (key_file != NULL) {
    if (!read_key_file (secret, error))
      return FALSE;
  } else {
    secret->id = g_strdup (g_getenv ("VOD_SECRET_ID"));
    secret->key = g_strdup (g_getenv ("VOD_SECRET_KEY"));
    if (secret->id == NULL || secret->key == NULL)
      return fail (error,
          "no secret: set VOD_SECRET_ID and VOD_SECRET_KEY, or use "
          "--key-file");
  }
  if (*secret->id == '\0' || *secret->key == '\0')
    return fail (error, "the secret id or key is empty");
  if (!is_word (secret->id) || !is_word (secret->key))
    return fail (error,
        "the secret %s holds a blank or what is not ASCII, as no real one "
        "does: put your own there",
        is_word (secret->id) ? "key" : "id");
  return TRUE;
}

/* ---- the original ---- */

/* As JavaScript's encodeURIComponent, but for its leftovers !'()*. */
static void
append_field (GString *original, const char *name, const char *value)
{
  g_string_append_printf (
      original, "%s%s=", original->len > 0 ? "&" : "", name);
  for (const char *p = value; *p != '\0'; p++) {
    if (g_ascii_isalnum (*p) || strchr ("-_.~!'()*", *p) != NULL)
      g_string_append_c (original, *p);
    else
      g_string_append_printf (original, "%%%02X", (guint8)*p);
  }
}

/* Absent is right; appended if right. */
static gboolean
add_number (GString *original, const char *option, const char *name,
    const char *text, gint64 min, gint64 max, GError **error)
{
  gint64 value;
  g_autofree char *plain = NULL;

  if (text == NULL)
    return TRUE;
  if (!g_ascii_string_to_signed (text, 10, min, max, &value, NULL))
    return fail (error,
        "--%s must be a whole number from %" G_GINT64_FORMAT
        " to %" G_GINT64_FORMAT ", not \"%s\"",
        option, min, max, text);
  plain = g_strdup_printf ("%" G_GINT64_FORMAT, value);
  append_field (original, name, plain);
  return TRUE;
}

static gboolean
add_text (GString *original, const char *option, const char *name,
    const char *text, gsize max, GError **error)
{
  if (text == NULL)
    return TRUE;
  if (*text == '\0' || strlen (text) > max)
    return fail (
        error, "--%s must be 1 to %" G_GSIZE_FORMAT " bytes long", option, max);
  if (!g_utf8_validate (text, -1, NULL))
    return fail (error, "--%s is not UTF-8", option);
  append_field (original, name, text);
  return TRUE;
}

static gboolean
check_mode (GError **error)
{
  static const char *const modes[] = {"Finish", "Change", "None"};

  if (task_notify_mode == NULL)
    return TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    if (strcmp (task_notify_mode, modes[i]) == 0)
      return TRUE;
  return fail (error,
      "--task-notify-mode must be Finish, Change or None, not \"%s\"",
      task_notify_mode);
}

static gboolean
check_region (GError **error)
{
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

  if (storage_region == NULL ||
      strspn (storage_region, allowed) == strlen (storage_region))
    return TRUE;
  return fail (error,
      "--storage-region must look like ap-chongqing, not \"%s\"",
      storage_region);
}

static gboolean
add_times (GString *original, GError **error)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC, lifetime = 86400;
  g_autofree char *start = NULL;
  g_autofree char *end = NULL;

  if (now_text != NULL &&
      !g_ascii_string_to_signed (
          now_text, 10, 0, G_MAXINT64 - MAX_EXPIRES, &now, NULL))
    return fail (error, "--now must be a time in Unix seconds");
  if (expires_text != NULL &&
      !g_ascii_string_to_signed (
          expires_text, 10, 1, MAX_EXPIRES, &lifetime, NULL))
    return fail (error,
        "--expires must be 1 to %d seconds (90 days), not \"%s\"", MAX_EXPIRES,
        expires_text);
  start = g_strdup_printf ("%" G_GINT64_FORMAT, now);
  end = g_strdup_printf ("%" G_GINT64_FORMAT, now + lifetime);
  append_field (original, "currentTimeStamp", start);
  append_field (original, "expireTime", end);
  return TRUE;
}

static gboolean
add_random (GString *original, GError **error)
{
  guint32 number;
  g_autofree char *text = NULL;

  if (random_text != NULL)
    return add_number (
        original, "random", "random", random_text, 0, G_MAXUINT32, error);
  if (RAND_bytes ((guint8 *)&number, sizeof number) != 1)
    return fail (error, "OpenSSL has no random numbers");
  text = g_strdup_printf ("%u", number);
  append_field (original, "random", text);
  return TRUE;
}

/* NULL on error */
static char *
make_original (const Secret *secret, GError **error)
{
  g_autoptr (GString) original = g_string_new (NULL);

  append_field (original, "secretId", secret->id);
  if (!add_times (original, error) || !add_random (original, error) ||
      !check_mode (error) || !check_region (error) ||
      !add_number (
          original, "class-id", "classId", class_id, 0, G_MAXINT32, error) ||
      !add_text (original, "procedure", "procedure", procedure, 1000, error) ||
      !add_number (original, "task-priority", "taskPriority", task_priority,
          -10, 10, error) ||
      !add_text (original, "task-notify-mode", "taskNotifyMode",
          task_notify_mode, 6, error) ||
      !add_text (original, "source-context", "sourceContext", source_context,
          250, error) ||
      !add_number (original, "one-time", "oneTimeValid", one_time ? "1" : NULL,
          0, 1, error) ||
      !add_number (original, "sub-app-id", "vodSubAppId", sub_app_id, 0,
          G_MAXUINT32, error) ||
      !add_text (original, "session-context", "sessionContext", session_context,
          1000, error) ||
      !add_text (original, "storage-region", "storageRegion", storage_region,
          64, error))
    return NULL;
  return g_string_free (g_steal_pointer (&original), FALSE);
}

static char *
sign (const char *original, const char *key)
{
  g_autoptr (GByteArray) raw = g_byte_array_new ();
  guint8 mac[EVP_MAX_MD_SIZE];
  unsigned int len = sizeof mac;

  if (HMAC (EVP_sha1 (), key, (int)strlen (key), (const guint8 *)original,
          strlen (original), mac, &len) == NULL)
    return NULL;
  g_byte_array_append (raw, mac, len);
  g_byte_array_append (raw, (const guint8 *)original, (guint)strlen (original));
  return g_base64_encode (raw->data, raw->len);
}

/* ---- the program ---- */

static gboolean
parse_options (int *argc, char ***argv, GError **error)
{
  g_autoptr (GOptionContext) context =
      g_option_context_new ("- sign uploads to Tencent Cloud VOD");

  g_option_context_set_summary (context,
      "Prints a signature that allows its holder to upload media to your\n"
      "account until it expires. Keep it in a file of yours alone and give "
      "this\n"
      "to vodsink as signature-url=file:///PATH, not as signature=...: "
      "everybody\n"
      "on the machine can see arguments. Or serve it and set signature-url to\n"
      "its https URL.");
  g_option_context_set_description (context,
      "The secret id and key are taken from the environment (VOD_SECRET_ID,\n"
      "VOD_SECRET_KEY) or from --key-file, which holds the id on its first\n"
      "line and the key on its second, or secretId=... and secretKey=....\n"
      "Arguments can be seen by everybody on the machine, so there is no\n"
      "option for them.\n\n"
      "Example:\n"
      "  (umask 077 && vod-sign --key-file ~/.config/vod-key --expires 3600 "
      "\\\n"
      "      > ~/.config/vod-signature)\n");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (*argc > 1)
    return fail (error, "it takes options only, not \"%s\"", (*argv)[1]);
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *original = NULL;
  g_autofree char *signature = NULL;
  Secret secret = {NULL, NULL};

  setlocale (LC_ALL, "");
  if (!parse_options (&argc, &argv, &error)) {
    g_printerr ("vod-sign: %s\nTry vod-sign --help.\n", error->message);
    return 2;
  }
  if (show_version) {
    printf ("vod-sign %s\n", VERSION);
    return 0;
  }
  if (get_secret (&secret, &error))
    original = make_original (&secret, &error);
  if (original != NULL)
    signature = sign (original, secret.key);
  secret_clear (&secret);
  if (signature == NULL) {
    g_printerr ("vod-sign: %s\n",
        error != NULL ? error->message : "OpenSSL cannot sign");
    return 1;
  }
  printf ("%s\n", signature);
  return 0;
}

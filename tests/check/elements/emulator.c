/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emulator.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define PATIENCE 10 /* s, for what takes ms */

struct _Emulator {
  GPid pid;
  gint out;
  guint16 port;
  gchar *uri;
  gchar *ca_file;
};

/* --- sanitizers -----------------------------------------------------------*/

/* GLib gives up its table of quarks, made when it is loaded, for a larger one,
 * GStreamer its list of log functions. Only whole stacks tell that. */
#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options (void);
const char *__lsan_default_suppressions (void);

const char *
__asan_default_options (void)
{
  return "fast_unwind_on_malloc=0";
}

const char *
__lsan_default_suppressions (void)
{
  return "leak:_dl_init\nleak:gst_debug_add_log_function\n"
         "leak:gst_debug_remove_log_function";
}
#endif

/* --- the process ----------------------------------------------------------*/

static void
die_with_parent (gpointer data)
{
  prctl (PR_SET_PDEATHSIG, SIGTERM);
}

static gchar *
read_line (gint fd)
{
  GString *line = g_string_new (NULL);
  gchar c;

  while (read (fd, &c, 1) == 1 && c != '\n')
    g_string_append_c (line, c);
  return g_string_free (line, FALSE);
}

static const gchar *
after (const gchar *line, const gchar *prefix)
{
  return g_str_has_prefix (line, prefix) ? line + strlen (prefix) : NULL;
}

static void
read_announcement (Emulator *emulator, gboolean tls)
{
  g_autofree gchar *first = read_line (emulator->out);
  const gchar *uri = after (first, "listening on ");
  const gchar *colon = strrchr (first, ':');

  if (uri == NULL || colon == NULL)
    g_error ("vod-emulator did not start: '%s'", first);
  emulator->uri = g_strdup (uri);
  emulator->port = (guint16)g_ascii_strtoull (colon + 1, NULL, 10);
  if (tls) {
    g_autofree gchar *second = read_line (emulator->out);

    emulator->ca_file = g_strdup (after (second, "certificate authority: "));
  }
}

Emulator *
emulator_new (const gchar *option, ...)
{
  Emulator *emulator = g_new0 (Emulator, 1);
  const gchar *program = g_getenv ("VOD_EMULATOR");
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  /* What the emulator leaks is a matter of its own tests. */
  g_auto (GStrv) env = g_environ_setenv (
      g_get_environ (), "ASAN_OPTIONS", "detect_leaks=0", TRUE);
  g_autoptr (GError) error = NULL;
  gboolean tls = FALSE;
  va_list more;

  g_ptr_array_add (argv, (gpointer)(program ? program : VOD_EMULATOR));
  va_start (more, option);
  for (; option; option = va_arg (more, const gchar *)) {
    tls |= strcmp (option, "--tls") == 0;
    g_ptr_array_add (argv, (gpointer)option);
  }
  va_end (more);
  g_ptr_array_add (argv, NULL);

  if (!g_spawn_async_with_pipes (NULL, (gchar **)argv->pdata, env,
          G_SPAWN_DO_NOT_REAP_CHILD, die_with_parent, NULL, &emulator->pid,
          NULL, &emulator->out, NULL, &error))
    g_error ("vod-emulator: %s", error->message);
  read_announcement (emulator, tls);
  return emulator;
}

void
emulator_free (Emulator *emulator)
{
  int status;

  kill (emulator->pid, SIGTERM);
  if (waitpid (emulator->pid, &status, 0) != emulator->pid || status != 0)
    g_error ("vod-emulator ended with %d", status);
  close (emulator->out);
  g_free (emulator->uri);
  g_free (emulator->ca_file);
  g_free (emulator);
}

const gchar *
emulator_uri (Emulator *emulator)
{
  return emulator->uri;
}

const gchar *
emulator_ca_file (Emulator *emulator)
{
  return emulator->ca_file;
}

/* --- requests -------------------------------------------------------------*/

static GIOStream *
connect_to (Emulator *emulator)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GError) error = NULL;
  GSocketConnection *connection;

  g_socket_client_set_enable_proxy (client, FALSE);
  if (emulator->ca_file) {
    g_socket_client_set_tls (client, TRUE);
    G_GNUC_BEGIN_IGNORE_DEPRECATIONS
    g_socket_client_set_tls_validation_flags (client, 0);
    G_GNUC_END_IGNORE_DEPRECATIONS
  }
  connection = g_socket_client_connect_to_host (
      client, "127.0.0.1", emulator->port, NULL, &error);
  if (connection == NULL)
    g_error ("vod-emulator is gone: %s", error->message);
  return G_IO_STREAM (connection);
}

/* The body of the answer, with a NUL after it. */
static GByteArray *
talk (Emulator *emulator, const gchar *method, const gchar *path,
    const gchar *body)
{
  g_autoptr (GIOStream) stream = connect_to (emulator);
  g_autofree gchar *head = g_strdup_printf (
      "%s %s HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: %" G_GSIZE_FORMAT
      "\r\n\r\n%s",
      method, path, body ? strlen (body) : 0, body ? body : "");
  GByteArray *answer = g_byte_array_new ();
  GInputStream *input = g_io_stream_get_input_stream (stream);
  guint8 buffer[65536];
  const gchar *end;
  gssize n;

  g_output_stream_write_all (g_io_stream_get_output_stream (stream), head,
      strlen (head), NULL, NULL, NULL);
  while (
      (n = g_input_stream_read (input, buffer, sizeof buffer, NULL, NULL)) > 0)
    g_byte_array_append (answer, buffer, (guint)n);
  g_byte_array_append (answer, (const guint8 *)"", 1);

  end = strstr ((const gchar *)answer->data, "\r\n\r\n");
  if (end == NULL || answer->len < 13 ||
      memcmp (answer->data + 9, "200", 3) != 0)
    g_error ("%s %s %s: %s", method, path, body, answer->data);
  g_byte_array_remove_range (
      answer, 0, (guint)(end + 4 - (const gchar *)answer->data));
  return answer;
}

static JsonNode *
talk_json (Emulator *emulator, const gchar *method, const gchar *path,
    const gchar *body)
{
  g_autoptr (GByteArray) answer = talk (emulator, method, path, body);
  g_autoptr (GError) error = NULL;
  JsonNode *node = json_from_string ((const gchar *)answer->data, &error);

  if (node == NULL)
    g_error ("%s: %s", path, error ? error->message : "empty");
  return node;
}

void
emulator_add_faults (Emulator *emulator, const gchar *json)
{
  g_autoptr (GByteArray) answer = talk (emulator, "POST", "/api/faults", json);
}

void
emulator_clear_faults (Emulator *emulator)
{
  g_autoptr (GByteArray) answer =
      talk (emulator, "DELETE", "/api/faults", NULL);
}

guint
emulator_hits (Emulator *emulator)
{
  g_autoptr (JsonNode) node = talk_json (emulator, "GET", "/api/faults", NULL);
  JsonArray *faults = json_node_get_array (node);
  guint hits = 0;

  for (guint i = 0; i < json_array_get_length (faults); i++)
    hits += (guint)json_object_get_int_member (
        json_array_get_object_element (faults, i), "hits");
  return hits;
}

JsonNode *
emulator_state (Emulator *emulator)
{
  return talk_json (emulator, "GET", "/api/state", NULL);
}

/* --- what it knows --------------------------------------------------------*/

static JsonArray *
array_of (JsonNode *state, const gchar *name)
{
  return json_object_get_array_member (json_node_get_object (state), name);
}

guint
emulator_count (Emulator *emulator, const gchar *op, gint status)
{
  g_autoptr (JsonNode) state = emulator_state (emulator);
  JsonObject *requests =
      json_object_get_object_member (json_node_get_object (state), "requests");
  g_autoptr (GList) names = NULL;
  JsonObject *by_status;
  guint n = 0;

  if (!json_object_has_member (requests, op))
    return 0;
  by_status = json_object_get_object_member (requests, op);
  names = json_object_get_members (by_status);
  for (GList *l = names; l; l = l->next)
    if (status < 0 || atoi (l->data) == status)
      n += (guint)json_object_get_int_member (by_status, l->data);
  return n;
}

guint
emulator_n_uploads (Emulator *emulator)
{
  g_autoptr (JsonNode) state = emulator_state (emulator);

  return json_array_get_length (array_of (state, "uploads"));
}

guint64
emulator_upload_bytes (Emulator *emulator)
{
  g_autoptr (JsonNode) state = emulator_state (emulator);
  JsonArray *uploads = array_of (state, "uploads");
  guint64 bytes = 0;

  for (guint i = 0; i < json_array_get_length (uploads); i++)
    bytes += (guint64)json_object_get_int_member (
        json_array_get_object_element (uploads, i), "bytes");
  return bytes;
}

guint
emulator_n_sessions (Emulator *emulator)
{
  g_autoptr (JsonNode) state = emulator_state (emulator);

  return json_array_get_length (array_of (state, "sessions"));
}

guint
emulator_n_media (Emulator *emulator)
{
  g_autoptr (JsonNode) state = emulator_state (emulator);

  return json_array_get_length (array_of (state, "media"));
}

static JsonObject *
media_of (JsonNode *state, guint n)
{
  JsonArray *media = array_of (state, "media");

  if (n >= json_array_get_length (media))
    g_error ("there is no media %u", n);
  return json_array_get_object_element (media, n);
}

gchar *
emulator_media_text (Emulator *emulator, guint n, const gchar *member)
{
  g_autoptr (JsonNode) state = emulator_state (emulator);

  return g_strdup (json_object_get_string_member (media_of (state, n), member));
}

guint64
emulator_media_int (Emulator *emulator, guint n, const gchar *member)
{
  g_autoptr (JsonNode) state = emulator_state (emulator);

  return (guint64)json_object_get_int_member (media_of (state, n), member);
}

gboolean
emulator_media_is (Emulator *emulator, guint n, const guint8 *data, gsize len)
{
  g_autofree gchar *url = emulator_media_text (emulator, n, "url");
  g_autoptr (GByteArray) bytes =
      talk (emulator, "GET", url + strlen (emulator->uri), NULL);

  /* talk() added a NUL. */
  if (bytes->len - 1 != len) {
    g_printerr ("media %u has %u bytes, not %" G_GSIZE_FORMAT "\n", n,
        bytes->len - 1, len);
    return FALSE;
  }
  for (gsize i = 0; i < len; i++) {
    if (bytes->data[i] != data[i]) {
      g_printerr ("media %u differs at byte %" G_GSIZE_FORMAT "\n", n, i);
      return FALSE;
    }
  }
  return TRUE;
}

/* The URL of the cover of media @n, or NULL. */
static gchar *
cover_url (Emulator *emulator, guint n)
{
  g_autoptr (JsonNode) state = emulator_state (emulator);
  JsonObject *media = media_of (state, n);

  return json_object_has_member (media, "cover")
      ? g_strdup (json_object_get_string_member (
            json_object_get_object_member (media, "cover"), "url"))
      : NULL;
}

GBytes *
emulator_media_cover (Emulator *emulator, guint n)
{
  g_autofree gchar *url = cover_url (emulator, n);
  GByteArray *bytes;

  if (url == NULL)
    return NULL;
  bytes = talk (emulator, "GET", url + strlen (emulator->uri), NULL);
  /* talk() added a NUL. */
  g_byte_array_set_size (bytes, bytes->len - 1);
  return g_byte_array_free_to_bytes (bytes);
}

/* --- reports and secrets --------------------------------------------------*/

typedef struct {
  Emulator *emulator;
  guint n;
  JsonArray *reports;
} ReportsWanted;

static gboolean
has_reports (gpointer data)
{
  ReportsWanted *wanted = data;
  g_autoptr (JsonNode) state = emulator_state (wanted->emulator);

  g_clear_pointer (&wanted->reports, json_array_unref);
  wanted->reports = json_array_ref (array_of (state, "reports"));
  return json_array_get_length (wanted->reports) >= wanted->n;
}

JsonArray *
emulator_reports (Emulator *emulator, guint n)
{
  ReportsWanted wanted = {emulator, n, NULL};

  if (!test_wait_until (has_reports, &wanted, 10))
    g_error ("there are %u reports instead of %u",
        json_array_get_length (wanted.reports), n);
  return wanted.reports;
}

gchar **
emulator_secrets (const gchar *root)
{
  static const gchar *const names[] = {"ak", "sk", "token"};
  g_autofree gchar *path = g_build_filename (root, "journal", NULL);
  GPtrArray *secrets = g_ptr_array_new ();
  g_autofree gchar *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    g_error ("%s cannot be read", path);
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i]; i++) {
    g_autoptr (JsonNode) node = json_from_string (lines[i], NULL);
    JsonObject *event = node ? json_node_get_object (node) : NULL;

    for (guint k = 0; event && k < G_N_ELEMENTS (names); k++)
      if (json_object_has_member (event, names[k]))
        g_ptr_array_add (secrets,
            g_strdup (json_object_get_string_member (event, names[k])));
  }
  g_ptr_array_add (secrets, NULL);
  return (gchar **)g_ptr_array_free (secrets, FALSE);
}

/* --- signatures -----------------------------------------------------------*/

gchar *
emulator_signature_full (gint64 now, gint64 life, gboolean one_time)
{
  static const gchar key[] = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";
  g_autofree gchar *text =
      g_strdup_printf ("secretId=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE&"
                       "currentTimeStamp=%" G_GINT64_FORMAT
                       "&expireTime=%" G_GINT64_FORMAT "&random=%u&"
                       "oneTimeValid=%d",
          now, now + life, g_random_int (), one_time ? 1 : 0);
  GHmac *hmac =
      g_hmac_new (G_CHECKSUM_SHA1, (const guint8 *)key, sizeof key - 1);
  g_autoptr (GByteArray) all = g_byte_array_new ();
  guint8 digest[20];
  gsize len = sizeof digest;

  g_hmac_update (hmac, (const guint8 *)text, (gssize)strlen (text));
  g_hmac_get_digest (hmac, digest, &len);
  g_hmac_unref (hmac);
  g_byte_array_append (all, digest, sizeof digest);
  g_byte_array_append (all, (const guint8 *)text, (guint)strlen (text));
  return g_base64_encode (all->data, all->len);
}

gchar *
emulator_signature (gboolean one_time)
{
  return emulator_signature_full (
      g_get_real_time () / G_USEC_PER_SEC, 3600, one_time);
}

/* --- waiting --------------------------------------------------------------*/

gboolean
test_wait_until (
    gboolean (*condition) (gpointer data), gpointer data, guint seconds)
{
  gint64 deadline = g_get_monotonic_time () + seconds * (gint64)G_USEC_PER_SEC;

  while (!condition (data)) {
    if (g_get_monotonic_time () > deadline)
      return FALSE;
    g_usleep (5000);
  }
  return TRUE;
}

typedef struct {
  Emulator *emulator;
  const gchar *op;
  gint status;
  guint64 n;
} Wanted;

static gboolean
count_reached (gpointer data)
{
  Wanted *wanted = data;

  return emulator_count (wanted->emulator, wanted->op, wanted->status) >=
      wanted->n;
}

gboolean
emulator_wait_count (Emulator *emulator, const gchar *op, gint status, guint n)
{
  Wanted wanted = {emulator, op, status, n};

  return test_wait_until (count_reached, &wanted, PATIENCE);
}

static gboolean
hits_reached (gpointer data)
{
  Wanted *wanted = data;

  return emulator_hits (wanted->emulator) >= wanted->n;
}

gboolean
emulator_wait_hits (Emulator *emulator, guint n)
{
  Wanted wanted = {emulator, NULL, 0, n};

  return test_wait_until (hits_reached, &wanted, PATIENCE);
}

static gboolean
bytes_reached (gpointer data)
{
  Wanted *wanted = data;

  return emulator_upload_bytes (wanted->emulator) >= wanted->n;
}

gboolean
emulator_wait_upload_bytes (Emulator *emulator, guint64 n)
{
  Wanted wanted = {emulator, NULL, 0, n};

  return test_wait_until (bytes_reached, &wanted, PATIENCE);
}

guint8
test_byte (guint64 offset)
{
  return (guint8)(131 * offset + 7 * (offset >> 8) + (offset >> 16));
}

void
test_fill (guint8 *data, guint64 offset, gsize len)
{
  for (gsize i = 0; i < len; i++)
    data[i] = test_byte (offset + i);
}

guint
test_count_threads (const gchar *name)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  const gchar *entry;
  guint n = 0;

  while ((entry = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_strdup_printf ("/proc/self/task/%s/comm", entry);
    g_autofree gchar *comm = NULL;

    if (!g_file_get_contents (path, &comm, NULL, NULL))
      continue;
    g_strchomp (comm);
    if (name == NULL || strcmp (comm, name) == 0)
      n++;
  }
  return n;
}

static gboolean
none_left (gpointer data)
{
  return test_count_threads (data) == 0;
}

gboolean
test_no_threads (const gchar *name)
{
  return test_wait_until (none_left, (gpointer)name, 1);
}

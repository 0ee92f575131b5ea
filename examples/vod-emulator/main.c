/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vod-emulator: Tencent Cloud VOD's client upload service on one machine, for
 * development and tests. This file: options, listening, the end.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "emu-handlers.h"
#include "emu-relay.h"
#include "emu-tls.h"
#include "emu-util.h"

#include <errno.h>
#include <ftw.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#ifndef VERSION
#define VERSION "0"
#endif

#define EXAMPLE_ID "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"
#define EXAMPLE_KEY "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"

static EmuOptions options = {
    .credential_lifetime = 7200,
    .seed = -1,
};
static gboolean show_version = FALSE;

static GOptionEntry entries[] = {
    {"port", 0, 0, G_OPTION_ARG_INT, &options.port,
        "Port to listen on, 0 = a free one (default)", "N"},
    {"tls", 0, 0, G_OPTION_ARG_NONE, &options.tls,
        "Serve https, with a certificate made for this run", NULL},
    {"root", 0, 0, G_OPTION_ARG_FILENAME, &options.root,
        "Folder to keep everything in (default: a temporary one)", "DIR"},
    {"secret-id", 0, 0, G_OPTION_ARG_STRING, &options.secret_id,
        "Secret id that upload signatures name (default: the documentation's "
        "example)",
        "ID"},
    {"secret-key", 0, 0, G_OPTION_ARG_STRING, &options.secret_key,
        "Its key. Others on this machine can see arguments: no real key here",
        "KEY"},
    {"credential-lifetime", 0, 0, G_OPTION_ARG_INT,
        &options.credential_lifetime,
        "Seconds that temporary credentials last (default 7200)", "S"},
    {"rate", 0, 0, G_OPTION_ARG_INT64, &options.rate,
        "Most bytes a second from all clients together, 0 = no limit",
        "BYTES/S"},
    {"latency", 0, 0, G_OPTION_ARG_INT, &options.latency,
        "Milliseconds that bytes travel, each way", "MS"},
    {"discard", 0, 0, G_OPTION_ARG_NONE, &options.discard,
        "Keep no media bytes: for benchmarks. Only CRC64 is computed; "
        "Content-MD5 isn't checked, ETags are no MD5, media can't be read",
        NULL},
    {"faults", 0, 0, G_OPTION_ARG_FILENAME, &options.faults,
        "Faults to begin with, as JSON or the name of a file of JSON",
        "JSON|@FILE"},
    {"seed", 0, 0, G_OPTION_ARG_INT64, &options.seed,
        "Makes faults with a probability repeatable", "N"},
    {"log", 0, 0, G_OPTION_ARG_FILENAME, &options.log,
        "Write a line for every request, - = standard error", "FILE"},
    {"repeat-complete", 0, 0, G_OPTION_ARG_NONE, &options.repeat_complete,
        "Completing an upload twice succeeds twice (default: NoSuchUpload)",
        NULL},
    {"commit-once", 0, 0, G_OPTION_ARG_NONE, &options.commit_once,
        "Committing twice is an error (default: the same answer)", NULL},
    {"version", 0, 0, G_OPTION_ARG_NONE, &show_version,
        "Print the version and exit", NULL},
    {NULL}};

char *
emu_base_url (Emu *emu)
{
  return g_strdup_printf (
      "%s://127.0.0.1:%u", emu->options.tls ? "https" : "http", emu->port);
}

static gboolean
parse_options (int *argc, char ***argv, GError **error)
{
  g_autoptr (GOptionContext) context = g_option_context_new (
      "- Tencent Cloud VOD's upload service on this machine");

  g_option_context_set_summary (context,
      "Answers ApplyUploadUGC, CommitUploadUGC, the storage's requests and\n"
      "everything around them, so that vodsink and other clients can be tried\n"
      "and tested without an account. Listens on the loopback interface only.\n"
      "Open its address in a browser to watch.");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (*argc > 1 || options.port < 0 || options.port > 65535 ||
      options.credential_lifetime < 1 || options.rate < 0 ||
      options.latency < 0 || options.latency > 60000) {
    g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
        *argc > 1 ? "it takes options only" : "an option is out of range");
    return FALSE;
  }
  if (options.secret_id == NULL)
    options.secret_id = g_strdup (EXAMPLE_ID);
  if (options.secret_key == NULL)
    options.secret_key = g_strdup (EXAMPLE_KEY);
  return TRUE;
}

static gboolean
read_faults (Emu *emu, GError **error)
{
  const char *text = emu->options.faults;
  g_autofree char *contents = NULL;
  g_autoptr (JsonNode) node = NULL;

  if (text == NULL)
    return TRUE;
  if (*text == '@') {
    if (!g_file_get_contents (text + 1, &contents, NULL, error))
      return FALSE;
    text = contents;
  }
  node = emu_json_parse (text, strlen (text), error);
  return node != NULL && emu_faults_add (emu->faults, node, error);
}

/* ---- the root ---- */

static int
remove_one (
    const char *path, const struct stat *st, int type, struct FTW *where)
{
  return remove (path);
}

static char *
make_root (GError **error)
{
  char *root;

  if (options.root == NULL)
    return g_dir_make_tmp ("vod-emulator-XXXXXX", error);
  if (g_mkdir_with_parents (options.root, 0700) < 0) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
        "cannot make the folder %s: %s", options.root, g_strerror (errno));
    return NULL;
  }
  root = g_canonicalize_filename (options.root, NULL);
  return root;
}

/* ---- listening ---- */

/* GLib's default of ten makes clients that come all at once wait a second. */
static void
lengthen_queue (Emu *emu)
{
  g_autoptr (GSList) listeners = soup_server_get_listeners (emu->server);

  for (GSList *l = listeners; l != NULL; l = l->next)
    listen (g_socket_get_fd (l->data), 1024);
}

/*
 * With a relay the server itself listens on a port of its own, and clients
 * meet the relay.
 */
static gboolean
listen_on (Emu *emu, EmuRelay **relay, GError **error)
{
  gboolean relayed = options.rate > 0 || options.latency > 0;
  GSList *uris;

  if (!soup_server_listen_local (emu->server, relayed ? 0 : (guint)options.port,
          SOUP_SERVER_LISTEN_IPV4_ONLY |
              (options.tls ? SOUP_SERVER_LISTEN_HTTPS : 0),
          error))
    return FALSE;
  lengthen_queue (emu);
  uris = soup_server_get_uris (emu->server);
  emu->port = (guint16)g_uri_get_port (uris->data);
  g_slist_free_full (uris, (GDestroyNotify)g_uri_unref);
  if (!relayed)
    return TRUE;
  *relay = emu_relay_new ((guint16)options.port, emu->port,
      (guint64)options.rate, (guint)options.latency, error);
  if (*relay == NULL)
    return FALSE;
  emu->port = emu_relay_port (*relay);
  return TRUE;
}

static void
announce (Emu *emu, const char *root)
{
  g_autofree char *url = emu_base_url (emu);

  printf ("listening on %s\n", url);
  if (options.tls)
    printf ("certificate authority: %s/ca.pem\n", root);
  printf ("watch it at %s/\n", url);
  fflush (stdout);
}

static void
raise_file_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit (RLIMIT_NOFILE, &limit);
  }
}

/* ---- running ---- */

static gboolean
on_signal (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_CONTINUE;
}

/* Signals are caught from before the announcement on. */
static void
run (Emu *emu, const char *root)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  guint term = g_unix_signal_add (SIGTERM, on_signal, loop);
  guint interrupt = g_unix_signal_add (SIGINT, on_signal, loop);

  announce (emu, root);
  g_main_loop_run (loop);
  g_source_remove (term);
  g_source_remove (interrupt);
}

static void
compute_missing_md5s (Emu *emu)
{
  GHashTableIter iter;
  gpointer object;

  g_hash_table_iter_init (&iter, emu->state->objects);
  while (g_hash_table_iter_next (&iter, NULL, &object))
    emu_complete_start_md5 (emu, object);
}

static gboolean
serve (Emu *emu, const char *root, GError **error)
{
  g_autoptr (GTlsCertificate) certificate = NULL;
  EmuRelay *relay = NULL;
  gboolean ok;

  if (options.log != NULL &&
      !emu_stats_open_log (emu->stats, options.log, error))
    return FALSE;
  if (!read_faults (emu, error))
    return FALSE;
  emu->state = emu_state_open (root, options.discard, error);
  if (emu->state == NULL)
    return FALSE;
  emu->server = emu_server_new (emu);
  if (options.tls) {
    certificate = emu_tls_make (root, error);
    if (certificate == NULL)
      return FALSE;
    soup_server_set_tls_certificate (emu->server, certificate);
  }
  ok = listen_on (emu, &relay, error);
  if (ok) {
    compute_missing_md5s (emu);
    run (emu, root);
  }
  g_clear_pointer (&relay, emu_relay_free);
  /* Closing a TLS connection waits for its handshake, for ever if the client
   * has gone quiet; the end of the process closes them all. */
  if (!options.tls)
    soup_server_disconnect (emu->server);
  return ok;
}

int
main (int argc, char **argv)
{
  static Emu emu;
  g_autoptr (GError) error = NULL;
  g_autofree char *root = NULL;
  int result = 0;

  setlocale (LC_ALL, "");
  signal (SIGPIPE, SIG_IGN);
  raise_file_limit ();
  if (!parse_options (&argc, &argv, &error)) {
    g_printerr ("vod-emulator: %s\n", error->message);
    return 2;
  }
  if (show_version) {
    printf ("vod-emulator %s\n", VERSION);
    return 0;
  }
  root = make_root (&error);
  if (root != NULL) {
    emu.options = options;
    emu.rand = options.seed >= 0 ? g_rand_new_with_seed ((guint32)options.seed)
                                 : g_rand_new ();
    emu.faults = emu_faults_new (emu.rand);
    emu.stats = emu_stats_new ();
    emu.incoming = g_ptr_array_new ();
    emu.run = emu_random_hex (8);
    serve (&emu, root, &error);
  }
  if (error != NULL) {
    g_printerr ("vod-emulator: %s\n", error->message);
    result = 1;
  }
  emu_blob_keep_files ();
  if (root != NULL && options.root == NULL)
    nftw (root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  return result;
}

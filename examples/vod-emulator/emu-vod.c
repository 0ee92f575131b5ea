/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The VOD API: Prepare, Apply, Commit. The service's own table of errors isn't
 * public beyond 10001, 10004 and 10010; the other codes here are this
 * program's choice (docs/emulator.md lists them).
 */
#include "emu-handlers.h"

#include "emu-auth.h"
#include "emu-util.h"

#include <string.h>

#define APP_ID 1400170034
#define STORAGE_APP_ID "10022853"
#define BUCKET_PREFIX "faeed456vod"
#define SESSION_LIFETIME (G_GINT64_CONSTANT (24) * 3600 * G_USEC_PER_SEC)
#define MAX_NAME 200

enum {
  ERROR_REQUEST = 10001,
  ERROR_SIGNATURE = 10004,
  ERROR_EXPIRED = 10010,
  ERROR_DUPLICATE = 10011,
  ERROR_SESSION = 10012,
  ERROR_NOT_UPLOADED = 10013,
  ERROR_FILE_ID = 10014,
  ERROR_COMMITTED = 10015,
};

static const char *const regions[][2] = {
    {"ap-chongqing", "cq"},
    {"ap-guangzhou", "gz"},
    {"ap-shanghai", "sh"},
    {"ap-beijing", "bj"},
    {"ap-singapore", "sgp"},
};

static const char *
region_short_name (const char *region)
{
  for (guint i = 0; i < G_N_ELEMENTS (regions); i++)
    if (g_strcmp0 (region, regions[i][0]) == 0)
      return regions[i][1];
  return NULL;
}

static void
invalid_request (EmuRequest *request, const char *why)
{
  emu_request_vod_error (
      request, ERROR_REQUEST, "ugc upload | invalid request: %s", why);
}

/* The request's JSON, its signature checked; NULL: answered. */
static JsonNode *
read_request (EmuRequest *request, EmuSignature *signature)
{
  const GByteArray *body = request->body;
  const EmuOptions *options = &request->emu->options;
  g_autoptr (JsonNode) node = NULL;
  const char *text, *why;

  if (request->method != SOUP_METHOD_POST || body == NULL) {
    invalid_request (request, "POST a JSON object");
    return NULL;
  }
  node = emu_json_parse ((const char *)body->data, body->len, NULL);
  if (node == NULL || !JSON_NODE_HOLDS_OBJECT (node)) {
    invalid_request (request, "the body is not a JSON object");
    return NULL;
  }
  text = emu_json_string (json_node_get_object (node), "signature");
  if (text == NULL) {
    invalid_request (request, "no signature");
    return NULL;
  }
  switch (emu_signature_check (text, options->secret_id, options->secret_key,
      emu_request_now (request), signature, &why)) {
    case EMU_SIGNATURE_OK:
      break;
    case EMU_SIGNATURE_EXPIRED:
      emu_signature_clear (signature);
      emu_request_vod_error (
          request, ERROR_EXPIRED, "ugc upload | signature expired");
      return NULL;
    case EMU_SIGNATURE_INVALID:
      emu_signature_clear (signature);
      emu_request_vod_error (
          request, ERROR_SIGNATURE, "ugc upload | invalid signature: %s", why);
      return NULL;
  }
  if (signature->one_time &&
      !emu_state_use_signature (request->emu->state, signature->hash)) {
    emu_signature_clear (signature);
    emu_request_vod_error (
        request, ERROR_DUPLICATE, "ugc upload | duplicate vod signature");
    return NULL;
  }
  return g_steal_pointer (&node);
}

static void
add_text (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value);
}

static void
add_int (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

static JsonBuilder *
begin_answer (void)
{
  JsonBuilder *builder = json_builder_new ();

  json_builder_begin_object (builder);
  add_int (builder, "code", 0);
  add_text (builder, "message", "成功");
  json_builder_set_member_name (builder, "data");
  json_builder_begin_object (builder);
  return builder;
}

/* What the fault `data` adds to the answer's, or puts in its place. */
static void
add_by_fault (const EmuEffects *fault, JsonObject *data)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *member;

  if (fault->data == NULL)
    return;
  json_object_iter_init (&iter, fault->data);
  while (json_object_iter_next (&iter, &name, &member))
    json_object_set_member (data, name, json_node_copy (member));
}

static void
send_answer (EmuRequest *request, JsonBuilder *builder)
{
  g_autoptr (JsonNode) root = NULL;

  json_builder_end_object (builder);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  add_by_fault (&request->fault,
      json_object_get_object_member (json_node_get_object (root), "data"));
  emu_request_answer_root (request, root);
}

/* ---- Prepare ---- */

static void
prepare (EmuRequest *request)
{
  static const char *const hosts[] = {"127.0.0.1", "localhost"};
  EmuSignature signature = {0};
  g_autoptr (JsonNode) node = read_request (request, &signature);
  g_autoptr (JsonBuilder) builder = NULL;

  if (node == NULL)
    return;
  builder = begin_answer ();
  add_int (builder, "appId", APP_ID);
  json_builder_set_member_name (builder, "cosRegionList");
  json_builder_begin_array (builder);
  for (guint i = 0; i < 3; i++) {
    g_autofree char *domain = g_strdup_printf (
        "%s:%u", hosts[i % G_N_ELEMENTS (hosts)], request->emu->port);

    json_builder_begin_object (builder);
    add_text (builder, "region", regions[i][0]);
    add_text (builder, "domain", domain);
    add_int (builder, "isAcc", 0);
    add_text (builder, "ip", "127.0.0.1");
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  send_answer (request, builder);
  emu_signature_clear (&signature);
}

/* ---- Apply ---- */

static gboolean
is_good_name (const char *name)
{
  if (name == NULL || *name == '\0' || strlen (name) > MAX_NAME)
    return FALSE;
  for (const char *p = name; *p != '\0'; p++)
    if ((guchar)*p < 0x20 || *p == 0x7f || strchr ("\\/:*?\"<>|", *p) != NULL)
      return FALSE;
  return TRUE;
}

static gboolean
is_good_type (const char *type)
{
  gsize len = type != NULL ? strlen (type) : 0;

  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isalnum (type[i]))
      return FALSE;
  return len > 0 && len <= 16;
}

static gboolean
is_good_size (JsonObject *object, const char *name)
{
  return !json_object_has_member (object, name) ||
      emu_json_int (object, name, -1) >= 0;
}

/* NULL, or what is wrong with the media and cover that are asked for. */
static const char *
check_fields (JsonObject *object, gboolean needs_video)
{
  if (needs_video && !is_good_name (emu_json_string (object, "videoName")))
    return "videoName";
  if (needs_video && !is_good_type (emu_json_string (object, "videoType")))
    return "videoType";
  if (json_object_has_member (object, "coverType") &&
      !is_good_type (emu_json_string (object, "coverType")))
    return "coverType";
  if (!is_good_size (object, "videoSize") ||
      !is_good_size (object, "coverSize"))
    return "size";
  return NULL;
}

static char *
folder_of (EmuSession *session)
{
  const char *key = session->key != NULL ? session->key : session->cover_key;

  return g_strndup (key, (gsize)(strrchr (key, '/') - key));
}

static char *
new_folder (const char *bucket, const char *file_id)
{
  g_autofree char *random = emu_random_hex (4);
  const char *dash = strrchr (bucket, '-');

  return g_strdup_printf (
      "%.*s/%s%s", (int)(dash - bucket), bucket, random, file_id);
}

static void
set_cover (EmuSession *session, const char *folder, const char *type)
{
  g_free (session->cover_type);
  g_free (session->cover_key);
  session->cover_type = g_strdup (type);
  session->cover_key =
      g_strdup_printf ("%s/%.18s%c.%s", folder, session->file_id,
          session->file_id[18] == '9' ? '0' : session->file_id[18] + 1, type);
}

static EmuSession *
new_session (
    EmuRequest *request, JsonObject *object, const char *region, guint64 app_id)
{
  const char *old_file = emu_json_string (object, "fileId");
  const char *cover = emu_json_string (object, "coverType");
  EmuSession *session = g_new0 (EmuSession, 1);
  g_autofree char *digits = emu_random_digits (11);
  g_autofree char *folder = NULL;
  g_autofree guint8 *seed = (guint8 *)emu_random_alnum (96);

  session->id = g_base64_encode (seed, 96);
  session->file_id = old_file != NULL ? g_strdup (old_file)
                                      : g_strdup_printf ("52858907%s", digits);
  session->region = g_strdup (region);
  session->app_id = app_id;
  session->bucket = g_strdup_printf ("%s%s%" G_GUINT64_FORMAT "-%s",
      BUCKET_PREFIX, region_short_name (region), app_id, STORAGE_APP_ID);
  session->created = g_get_real_time ();
  folder = new_folder (session->bucket, session->file_id);
  if (old_file == NULL) {
    g_autofree char *name = emu_random_alnum (12);

    session->name = g_strdup (emu_json_string (object, "videoName"));
    session->type = g_strdup (emu_json_string (object, "videoType"));
    session->declared_size = (guint64)emu_json_int (object, "videoSize", 0);
    session->key = g_strdup_printf ("%s/%s.%s", folder, name, session->type);
  }
  if (cover != NULL)
    set_cover (session, folder, cover);
  return session;
}

/* The session of a vodSessionKey; NULL: answered. */
static EmuSession *
find_session (EmuRequest *request, const char *id)
{
  EmuSession *session = g_hash_table_lookup (request->emu->state->sessions, id);

  if (session != NULL && !session->forgotten &&
      emu_request_now (request) * G_USEC_PER_SEC <
          session->created + SESSION_LIFETIME)
    return session;
  emu_request_vod_error (
      request, ERROR_SESSION, "ugc upload | invalid or expired vodSessionKey");
  return NULL;
}

static EmuSession *
resume_session (EmuRequest *request, JsonObject *object)
{
  const char *cover = emu_json_string (object, "coverType");
  EmuSession *session =
      find_session (request, emu_json_string (object, "vodSessionKey"));

  if (session != NULL && cover != NULL && session->cover_key == NULL) {
    g_autofree char *folder = folder_of (session);

    set_cover (session, folder, cover);
  }
  return session;
}

/* A new or resumed session; NULL: answered. */
static EmuSession *
choose_session (
    EmuRequest *request, JsonObject *object, const EmuSignature *signature)
{
  gboolean resumes = emu_json_string (object, "vodSessionKey") != NULL;
  const char *file_id = emu_json_string (object, "fileId");
  const char *region = emu_json_string (object, "storageRegion");
  const char *why = check_fields (object, !resumes && file_id == NULL);

  if (region == NULL)
    region = signature->region;
  if (region == NULL)
    region = regions[0][0];
  if (region_short_name (region) == NULL)
    why = "storageRegion";
  if (!resumes && file_id != NULL &&
      emu_json_string (object, "coverType") == NULL)
    why = "fileId without coverType";
  if (why != NULL) {
    invalid_request (request, why);
    return NULL;
  }
  if (resumes)
    return resume_session (request, object);
  if (file_id != NULL &&
      !g_hash_table_contains (request->emu->state->media, file_id)) {
    emu_request_vod_error (
        request, ERROR_FILE_ID, "ugc upload | unknown fileId");
    return NULL;
  }
  return new_session (request, object, region,
      signature->sub_app_id != 0 ? signature->sub_app_id : APP_ID);
}

static EmuCred *
new_credentials (EmuRequest *request, EmuSession *session)
{
  g_autofree char *random = emu_random_alnum (60);
  g_autofree char *ak = g_strconcat ("AKID", random, NULL);
  g_autofree char *sk = emu_random_alnum (44);
  g_autofree guint8 *seed = (guint8 *)emu_random_alnum (120);
  g_autofree char *token = g_base64_encode (seed, 120);

  return emu_state_add_cred (request->emu->state, session->id, ak, sk, token,
      emu_request_now (request) + request->emu->options.credential_lifetime);
}

static void
add_storage (JsonBuilder *builder, const char *name, const char *key)
{
  g_autofree char *path = g_strconcat ("/", key, NULL);
  g_autofree guint8 *seed = (guint8 *)emu_random_alnum (60);
  g_autofree char *signature = g_base64_encode (seed, 60);

  json_builder_set_member_name (builder, name);
  json_builder_begin_object (builder);
  add_text (builder, "storageSignature", signature); /* nobody uses it */
  add_text (builder, "storagePath", path);
  json_builder_end_object (builder);
}

static void
answer_apply (EmuRequest *request, EmuSession *session)
{
  g_autoptr (JsonBuilder) builder = begin_answer ();
  const char *dash = strrchr (session->bucket, '-');
  g_autofree char *bucket =
      g_strndup (session->bucket, (gsize)(dash - session->bucket));
  EmuCred *cred = new_credentials (request, session);

  if (session->key != NULL)
    add_storage (builder, "video", session->key);
  if (session->cover_key != NULL)
    add_storage (builder, "cover", session->cover_key);
  add_int (builder, "storageAppId", atoi (dash + 1));
  add_text (builder, "storageBucket", bucket);
  add_text (builder, "storageRegion", region_short_name (session->region));
  add_text (builder, "storageRegionV5", session->region);
  add_text (builder, "StorageRegionV5", session->region);
  add_text (builder, "domain", "vod2.qcloud.com");
  add_text (builder, "vodSessionKey", session->id);
  json_builder_set_member_name (builder, "tempCertificate");
  json_builder_begin_object (builder);
  add_text (builder, "secretId", cred->ak);
  add_text (builder, "secretKey", cred->sk);
  add_text (builder, "token", cred->token);
  add_int (builder, "expiredTime", cred->expires);
  json_builder_end_object (builder);
  add_int (builder, "appId", (gint64)session->app_id);
  add_int (builder, "timestamp", emu_request_now (request));
  send_answer (request, builder);
}

static void
forget_by_fault (EmuRequest *request, JsonObject *object)
{
  const char *id = emu_json_string (object, "vodSessionKey");

  if (request->fault.forget_session && id != NULL)
    emu_state_forget_session (request->emu->state, id);
}

static void
apply (EmuRequest *request)
{
  EmuSignature signature = {0};
  g_autoptr (JsonNode) node = read_request (request, &signature);
  EmuSession *session;

  if (node == NULL)
    return;
  forget_by_fault (request, json_node_get_object (node));
  session = choose_session (request, json_node_get_object (node), &signature);
  emu_signature_clear (&signature);
  if (session == NULL)
    return;
  session->applies++;
  emu_state_put_session (request->emu->state, session);
  request->session_id = g_strdup (session->id);
  answer_apply (request, session);
}

/* ---- Commit ---- */

static char *
verify_content (Emu *emu, const char *file_id, gint64 now)
{
  g_autofree char *text = g_strdup_printf (
      "ExpTime=%" G_GINT64_FORMAT "&FileId=%s", now + 86400, file_id);

  return emu_signature_make (text, emu->options.secret_key);
}

static void
add_result (EmuRequest *request, JsonBuilder *builder, const char *name,
    const char *url, const char *file_id)
{
  g_autofree char *verify =
      verify_content (request->emu, file_id, emu_request_now (request));

  json_builder_set_member_name (builder, name);
  json_builder_begin_object (builder);
  add_text (builder, "url", url);
  add_text (builder, "verify_content", verify);
  json_builder_end_object (builder);
}

static void
answer_commit (EmuRequest *request, EmuMedia *media)
{
  g_autoptr (JsonBuilder) builder = begin_answer ();
  g_autofree char *url = emu_media_url (request->emu, media, FALSE);
  g_autofree char *cover = emu_media_url (request->emu, media, TRUE);

  if (url != NULL)
    add_result (request, builder, "video", url, media->file_id);
  if (cover != NULL)
    add_result (request, builder, "cover", cover, media->file_id);
  add_text (builder, "fileId", media->file_id);
  send_answer (request, builder);
}

static void
commit_session (EmuRequest *request, EmuSession *session)
{
  EmuState *state = request->emu->state;
  const char *needed = session->key != NULL ? session->key : session->cover_key;

  if (session->committed && request->emu->options.commit_once) {
    emu_request_vod_error (
        request, ERROR_COMMITTED, "ugc upload | already committed");
    return;
  }
  if (needed == NULL ||
      emu_state_find_object (state, session->bucket, needed) == NULL) {
    emu_request_vod_error (
        request, ERROR_NOT_UPLOADED, "ugc upload | the file is not uploaded");
    return;
  }
  answer_commit (
      request, emu_state_commit (state, session, g_get_real_time ()));
}

static void
commit (EmuRequest *request)
{
  EmuSignature signature = {0};
  g_autoptr (JsonNode) node = read_request (request, &signature);
  const char *id;
  EmuSession *session;

  if (node == NULL)
    return;
  emu_signature_clear (&signature);
  id = emu_json_string (json_node_get_object (node), "vodSessionKey");
  if (id == NULL) {
    invalid_request (request, "no vodSessionKey");
    return;
  }
  forget_by_fault (request, json_node_get_object (node));
  session = find_session (request, id);
  if (session == NULL)
    return;
  request->session_id = g_strdup (session->id);
  commit_session (request, session);
}

/* ---- routing ---- */

static void
unknown_action (EmuRequest *request)
{
  invalid_request (request, "unknown Action");
}

gboolean
emu_vod_route (EmuRequest *request)
{
  static const struct {
    const char *action;
    EmuHandler handler;
  } actions[] = {
      {"PrepareUploadUGC", prepare},
      {"ApplyUploadUGC", apply},
      {"CommitUploadUGC", commit},
  };
  const char *action;

  if (g_strcmp0 (request->path, "/v3/index.php") != 0)
    return FALSE;
  request->style = EMU_STYLE_VOD;
  request->handler = unknown_action;
  request->body_limit = EMU_JSON_LIMIT;
  action =
      request->query != NULL ? emu_query_get (request->query, "Action") : NULL;
  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    if (g_strcmp0 (action, actions[i].action) == 0) {
      request->op = actions[i].action;
      request->handler = actions[i].handler;
    }
  return TRUE;
}

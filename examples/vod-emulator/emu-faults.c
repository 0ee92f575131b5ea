/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The list of faults. Each is tried in order; one request takes at most one
 * fault that decides its answer (status, json, drop, …) and one of each kind
 * that only changes it (delay, wrong-etag, …). A fault whose kind is taken
 * already isn't used up, so that a list reads as a sequence.
 */
#include "emu-faults.h"

#include "emu-codes.h"
#include "emu-util.h"

#include <string.h>

/* Kinds of effects that exclude each other within one request. */
enum {
  KIND_DECIDES = 1 << 0, /* instead of the true answer */
  KIND_ANSWER = 1 << 1,  /* how the answer travels */
  KIND_DELAY = 1 << 2,
  KIND_SUMS = 1 << 3, /* etag and crc in the answer */
  KIND_CORRUPT = 1 << 4,
  KIND_CLOCK = 1 << 5,
  KIND_CLOSE = 1 << 6,
  KIND_SPACES = 1 << 7,
  KIND_DATA = 1 << 8,
};

typedef enum { TYPE_BOOL, TYPE_INT, TYPE_TEXT, TYPE_OTHER } FieldType;

typedef struct {
  const char *name;
  FieldType type;
  guint kind; /* 0: a detail of another field */
  goffset offset;
} Field;

#define FIELD(name, type, kind, member)                                        \
  {                                                                            \
    name, type, kind, G_STRUCT_OFFSET (EmuEffects, member)                     \
  }

static const Field fields[] = {
    FIELD ("status", TYPE_OTHER, KIND_DECIDES, status),
    FIELD ("code", TYPE_OTHER, 0, code),
    FIELD ("message", TYPE_TEXT, 0, message),
    FIELD ("request-id", TYPE_OTHER, 0, no_request_id),
    FIELD ("retry-after", TYPE_INT, 0, retry_after),
    FIELD ("server-time", TYPE_TEXT, 0, server_time),
    FIELD ("early", TYPE_BOOL, 0, early),
    FIELD ("linger", TYPE_BOOL, 0, linger),
    FIELD ("json", TYPE_OTHER, KIND_DECIDES, json),
    FIELD ("drop", TYPE_BOOL, KIND_DECIDES, drop),
    FIELD ("reset", TYPE_BOOL, 0, reset),
    FIELD ("after-bytes", TYPE_INT, 0, after_bytes),
    FIELD ("delay", TYPE_INT, KIND_DELAY, delay),
    FIELD ("stall", TYPE_BOOL, KIND_DECIDES, stall),
    FIELD ("truncate", TYPE_OTHER, KIND_ANSWER, truncate),
    FIELD ("garbage", TYPE_OTHER, KIND_DECIDES, garbage),
    FIELD ("wrong-etag", TYPE_BOOL, KIND_SUMS, wrong_etag),
    FIELD ("wrong-crc", TYPE_BOOL, KIND_SUMS, wrong_crc),
    FIELD ("no-etag", TYPE_BOOL, KIND_SUMS, no_etag),
    FIELD ("no-crc", TYPE_BOOL, KIND_SUMS, no_crc),
    FIELD ("corrupt", TYPE_BOOL, KIND_CORRUPT, corrupt),
    FIELD ("error-in-200", TYPE_OTHER, KIND_DECIDES, error_in_200),
    FIELD ("lose-answer", TYPE_BOOL, KIND_ANSWER, lose_answer),
    FIELD ("expire-credentials", TYPE_BOOL, KIND_DECIDES, expire_credentials),
    FIELD ("shape", TYPE_OTHER, 0, as_message),
    FIELD ("clock-skew", TYPE_INT, KIND_CLOCK, clock_skew),
    FIELD ("forget-upload", TYPE_BOOL, KIND_DECIDES, forget_upload),
    FIELD ("forget-session", TYPE_BOOL, KIND_DECIDES, forget_session),
    FIELD ("trickle", TYPE_INT, KIND_ANSWER, trickle),
    FIELD ("close-idle", TYPE_BOOL, KIND_CLOSE, close_idle),
    FIELD ("spaces", TYPE_INT, KIND_SPACES, spaces),
    FIELD ("data", TYPE_OTHER, KIND_DATA, data),
};

static const char *const operations[] = {"UploadPart",
    "InitiateMultipartUpload", "CompleteMultipartUpload",
    "AbortMultipartUpload", "ListParts", "ListMultipartUploads", "PutObject",
    "HeadObject", "GetObject", "HeadBucket", "ApplyUploadUGC",
    "CommitUploadUGC", "PrepareUploadUGC", "signature", "report", "media",
    "preflight", "*"};

typedef struct {
  guint64 id; /* from 1 */
  JsonNode *source;
  const char *op;
  const char *host; /* NULL: any; else a part of the request's host */
  gint64 part;      /* 0: any */
  gint64 times;     /* -1: for ever */
  gint64 skip;
  double probability;
  guint64 seen;
  guint64 hits;
  EmuEffects effects;
} Fault;

struct _EmuFaults {
  GRand *rand;
  GPtrArray *list;
  guint64 last_id;
};

static void
fault_free (gpointer data)
{
  Fault *fault = data;

  json_node_unref (fault->source);
  g_free (fault);
}

EmuFaults *
emu_faults_new (GRand *rand)
{
  EmuFaults *faults = g_new0 (EmuFaults, 1);

  faults->rand = rand;
  faults->list = g_ptr_array_new_with_free_func (fault_free);
  return faults;
}

void
emu_faults_free (EmuFaults *faults)
{
  g_ptr_array_unref (faults->list);
  g_free (faults);
}

static gboolean
complain (GError **error, const char *name, const char *should_be)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
      "fault: \"%s\" must be %s", name, should_be);
  return FALSE;
}

static gboolean
holds_number (JsonNode *node, gint64 min, gint64 max)
{
  return json_node_get_value_type (node) == G_TYPE_INT64 &&
      json_node_get_int (node) >= min && json_node_get_int (node) <= max;
}

static gboolean
read_garbage (JsonNode *node, EmuGarbage *out)
{
  static const char *const names[] = {
      "", "xml", "json", "types", "huge", "html", "empty"};

  if (json_node_get_value_type (node) == G_TYPE_BOOLEAN) {
    *out = json_node_get_boolean (node) ? EMU_GARBAGE_ANY : EMU_GARBAGE_NONE;
    return TRUE;
  }
  for (guint i = 1; i < G_N_ELEMENTS (names); i++)
    if (g_strcmp0 (json_node_get_string (node), names[i]) == 0) {
      *out = (EmuGarbage)i;
      return TRUE;
    }
  return FALSE;
}

static gboolean
read_truncate (EmuEffects *effects, JsonNode *node)
{
  gboolean number = holds_number (node, 0, G_MAXINT32);

  effects->truncate_after = number ? json_node_get_int (node) : -1;
  effects->truncate = number || json_node_get_boolean (node);
  return number || json_node_get_value_type (node) == G_TYPE_BOOLEAN;
}

/* The fields that are more than a boolean, a number or a text. */
static gboolean
read_other (
    EmuEffects *effects, const char *name, JsonNode *node, GError **error)
{
  GType type = json_node_get_value_type (node);

  if (strcmp (name, "json") == 0) {
    effects->json = node;
  } else if (strcmp (name, "data") == 0) {
    if (!JSON_NODE_HOLDS_OBJECT (node))
      return complain (error, name, "a JSON object");
    effects->data = json_node_get_object (node);
  } else if (strcmp (name, "status") == 0) {
    if (!holds_number (node, 200, 599))
      return complain (error, name, "an HTTP status of 200 to 599");
    effects->status = (guint)json_node_get_int (node);
  } else if (strcmp (name, "code") == 0) {
    if (type == G_TYPE_STRING)
      effects->code = json_node_get_string (node);
    else if (type == G_TYPE_INT64)
      effects->code_number = json_node_get_int (node);
    else
      return complain (error, name, "a text or a number");
  } else if (strcmp (name, "request-id") == 0) {
    if (type != G_TYPE_BOOLEAN)
      return complain (error, name, "true or false");
    effects->no_request_id = !json_node_get_boolean (node);
  } else if (strcmp (name, "truncate") == 0) {
    if (!read_truncate (effects, node))
      return complain (error, name, "true, false or a number of bytes");
  } else if (strcmp (name, "error-in-200") == 0) {
    if (type == G_TYPE_STRING)
      effects->error_in_200 = json_node_get_string (node);
    else if (type != G_TYPE_BOOLEAN)
      return complain (error, name, "true, false or the code of an error");
    else if (json_node_get_boolean (node))
      effects->error_in_200 = "InternalError";
  } else if (strcmp (name, "shape") == 0) {
    if (type != G_TYPE_STRING ||
        strcmp (json_node_get_string (node), "message") != 0)
      return complain (error, name, "\"message\"");
    effects->as_message = TRUE;
  } else if ((type != G_TYPE_STRING && type != G_TYPE_BOOLEAN) ||
      !read_garbage (node, &effects->garbage)) {
    return complain (
        error, name, "true, xml, json, types, huge, html or empty");
  }
  return TRUE;
}

static gboolean
read_field (
    EmuEffects *effects, const Field *field, JsonNode *node, GError **error)
{
  GType type = json_node_get_value_type (node);
  gboolean on = TRUE;

  switch (field->type) {
    case TYPE_BOOL:
      if (type != G_TYPE_BOOLEAN)
        return complain (error, field->name, "true or false");
      on = json_node_get_boolean (node);
      G_STRUCT_MEMBER (gboolean, effects, field->offset) = on;
      break;
    case TYPE_INT:
      if (!holds_number (node,
              strcmp (field->name, "clock-skew") == 0 ? -G_MAXINT32 : 0,
              G_MAXINT32))
        return complain (error, field->name, "a whole number");
      G_STRUCT_MEMBER (gint64, effects, field->offset) =
          json_node_get_int (node);
      break;
    case TYPE_TEXT:
      if (type != G_TYPE_STRING)
        return complain (error, field->name, "a text");
      G_STRUCT_MEMBER (const char *, effects, field->offset) =
          json_node_get_string (node);
      break;
    case TYPE_OTHER:
      if (!read_other (effects, field->name, node, error))
        return FALSE;
      on = type != G_TYPE_BOOLEAN || json_node_get_boolean (node) ||
          field->offset == G_STRUCT_OFFSET (EmuEffects, json);
      break;
  }
  if (on)
    effects->kinds |= field->kind;
  return TRUE;
}

/* Fields that say which requests are meant. TRUE with @known FALSE: not one. */
static gboolean
read_matcher (Fault *fault, const char *name, JsonNode *node, gboolean *known,
    GError **error)
{
  GType type = json_node_get_value_type (node);

  *known = TRUE;
  if (strcmp (name, "op") == 0) {
    fault->op = type == G_TYPE_STRING ? json_node_get_string (node) : "";
    for (guint i = 0; i < G_N_ELEMENTS (operations); i++)
      if (strcmp (fault->op, operations[i]) == 0)
        return TRUE;
    return complain (error, name, "the name of an operation, or *");
  }
  if (strcmp (name, "host") == 0) {
    if (type != G_TYPE_STRING)
      return complain (error, name, "a part of a host name");
    fault->host = json_node_get_string (node);
  } else if (strcmp (name, "part") == 0) {
    if (!holds_number (node, 1, 10000))
      return complain (error, name, "1 to 10000");
    fault->part = json_node_get_int (node);
  } else if (strcmp (name, "times") == 0 || strcmp (name, "skip") == 0) {
    if (!holds_number (node, 0, G_MAXINT32))
      return complain (error, name, "a whole number");
    *(*name == 't' ? &fault->times : &fault->skip) = json_node_get_int (node);
  } else if (strcmp (name, "probability") == 0) {
    if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE)
      return complain (error, name, "0 to 1");
    fault->probability = json_node_get_double (node);
    if (!(fault->probability >= 0 && fault->probability <= 1))
      return complain (error, name, "0 to 1");
  } else {
    *known = FALSE;
  }
  return TRUE;
}

static gboolean
read_member (Fault *fault, const char *name, JsonNode *node, GError **error)
{
  gboolean known;

  if (!read_matcher (fault, name, node, &known, error))
    return FALSE;
  if (known)
    return TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    if (strcmp (name, fields[i].name) == 0)
      return read_field (&fault->effects, &fields[i], node, error);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
      "fault: \"%s\" is unknown", name);
  return FALSE;
}

static gboolean
complain_of_code (const Fault *fault, GError **error)
{
  const char *what = "which decides what a code is; or give a \"status\"";

  if (g_str_has_suffix (fault->op, "UGC"))
    what = "whose codes are numbers other than 0";
  else if (g_ascii_isupper (*fault->op))
    what = "whose codes are texts, such as AccessDenied";
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
      "fault: this \"code\" without \"status\" does not fit \"op\": \"%s\", %s",
      fault->op, what);
  return FALSE;
}

/* An error of which only the code is given: the VOD API's are numbers, sent with
 * status 200; the storage's are texts. */
static gboolean
imply_status (Fault *fault, GError **error)
{
  EmuEffects *effects = &fault->effects;
  gboolean vod = g_str_has_suffix (fault->op, "UGC");

  if (vod && effects->code_number != 0)
    effects->status = 200;
  else if (!vod && g_ascii_isupper (*fault->op) && effects->code != NULL &&
      *effects->code != '\0')
    effects->status = emu_codes_status (effects->code);
  else
    return complain_of_code (fault, error);
  effects->implied = "status";
  effects->kinds |= KIND_DECIDES;
  return TRUE;
}

/* What a fault that doesn't say it must mean. */
static gboolean
imply (Fault *fault, JsonObject *said, GError **error)
{
  EmuEffects *effects = &fault->effects;

  if ((effects->kinds & KIND_DECIDES) != 0)
    return TRUE;
  if (json_object_has_member (said, "code"))
    return imply_status (fault, error);
  if (effects->after_bytes >= 0 && !json_object_has_member (said, "drop")) {
    effects->drop = TRUE;
    effects->implied = "drop";
    effects->kinds |= KIND_DECIDES;
  }
  return TRUE;
}

static Fault *
fault_new (JsonNode *node, GError **error)
{
  Fault *fault;
  JsonObjectIter iter;
  const char *name;
  JsonNode *member;
  gboolean ok = TRUE;

  if (!JSON_NODE_HOLDS_OBJECT (node)) {
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
        "a fault is a JSON object");
    return NULL;
  }
  fault = g_new0 (Fault, 1);
  fault->source = json_node_ref (node);
  fault->op = "*";
  fault->times = -1;
  fault->probability = 1;
  fault->effects.after_bytes = -1;
  fault->effects.retry_after = -1;
  fault->effects.source[0] = node;
  fault->effects.n_sources = 1;
  json_object_iter_init (&iter, json_node_get_object (node));
  while (ok && json_object_iter_next (&iter, &name, &member))
    ok = read_member (fault, name, member, error);
  ok = ok && imply (fault, json_node_get_object (node), error);
  if (ok && fault->effects.kinds == 0) {
    ok = FALSE;
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
        "fault: says nothing that happens");
  }
  if (!ok)
    g_clear_pointer (&fault, fault_free);
  return fault;
}

gboolean
emu_faults_add (EmuFaults *faults, JsonNode *node, GError **error)
{
  g_autoptr (GPtrArray) added = g_ptr_array_new_with_free_func (fault_free);
  JsonArray *array =
      JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  guint n = array != NULL ? json_array_get_length (array) : 1;

  for (guint i = 0; i < n; i++) {
    Fault *fault = fault_new (
        array != NULL ? json_array_get_element (array, i) : node, error);

    if (fault == NULL)
      return FALSE;
    g_ptr_array_add (added, fault);
  }
  for (guint i = 0; i < added->len; i++)
    ((Fault *)g_ptr_array_index (added, i))->id = ++faults->last_id;
  g_ptr_array_extend_and_steal (faults->list, g_steal_pointer (&added));
  return TRUE;
}

void
emu_faults_clear (EmuFaults *faults)
{
  g_ptr_array_set_size (faults->list, 0);
}

gboolean
emu_faults_remove (EmuFaults *faults, guint64 id)
{
  for (guint i = 0; i < faults->list->len; i++)
    if (((Fault *)g_ptr_array_index (faults->list, i))->id == id) {
      g_ptr_array_remove_index (faults->list, i);
      return TRUE;
    }
  return FALSE;
}

JsonNode *
emu_faults_list (EmuFaults *faults)
{
  g_autoptr (JsonArray) array = json_array_new ();
  JsonNode *root = json_node_new (JSON_NODE_ARRAY);

  for (guint i = 0; i < faults->list->len; i++) {
    Fault *fault = g_ptr_array_index (faults->list, i);
    JsonObject *copy = json_object_new ();
    JsonObjectIter iter;
    const char *name;
    JsonNode *member;

    json_object_iter_init (&iter, json_node_get_object (fault->source));
    while (json_object_iter_next (&iter, &name, &member))
      json_object_set_member (copy, name, json_node_copy (member));
    json_object_set_int_member (copy, "id", (gint64)fault->id);
    json_object_set_int_member (copy, "seen", (gint64)fault->seen);
    json_object_set_int_member (copy, "hits", (gint64)fault->hits);
    json_array_add_object_element (array, copy);
  }
  json_node_set_array (root, array);
  return root;
}

/* What @from says beyond @into; their kinds are disjoint. */
static void
merge (EmuEffects *into, const EmuEffects *from)
{
  guint kinds = into->kinds | from->kinds;

  if (from->kinds & KIND_DECIDES) {
    EmuEffects old = *into;

    *into = *from;
    into->truncate = old.truncate;
    into->truncate_after = old.truncate_after;
    into->lose_answer = old.lose_answer;
    into->trickle = old.trickle;
    into->delay = old.delay;
    into->wrong_etag = old.wrong_etag;
    into->wrong_crc = old.wrong_crc;
    into->no_etag = old.no_etag;
    into->no_crc = old.no_crc;
    into->corrupt = old.corrupt;
    into->clock_skew = old.clock_skew;
    into->close_idle = old.close_idle;
    into->spaces = old.spaces;
    into->data = old.data;
    memcpy (into->source, old.source, sizeof old.source);
    into->n_sources = old.n_sources;
    into->reset |= old.reset;
  }
  if (from->truncate)
    into->truncate_after = from->truncate_after;
  into->truncate |= from->truncate;
  into->lose_answer |= from->lose_answer;
  into->reset |= from->reset;
  into->trickle += from->trickle;
  into->delay += from->delay;
  into->wrong_etag |= from->wrong_etag;
  into->wrong_crc |= from->wrong_crc;
  into->no_etag |= from->no_etag;
  into->no_crc |= from->no_crc;
  into->corrupt |= from->corrupt;
  into->clock_skew += from->clock_skew;
  into->close_idle |= from->close_idle;
  into->spaces += from->spaces;
  if (from->data != NULL)
    into->data = from->data;
  into->kinds = kinds;
  into->source[into->n_sources++] = json_node_ref (from->source[0]);
}

void
emu_faults_match (EmuFaults *faults, const char *op, guint part,
    const char *host, EmuEffects *out)
{
  memset (out, 0, sizeof *out);
  out->after_bytes = -1;
  out->retry_after = -1;
  for (guint i = 0; i < faults->list->len; i++) {
    Fault *fault = g_ptr_array_index (faults->list, i);

    if ((strcmp (fault->op, "*") != 0 && strcmp (fault->op, op) != 0) ||
        (fault->part != 0 && fault->part != (gint64)part) ||
        (fault->host != NULL &&
            (host == NULL || strstr (host, fault->host) == NULL)) ||
        (fault->times >= 0 && fault->hits >= (guint64)fault->times) ||
        (fault->effects.kinds & out->kinds) != 0 ||
        out->n_sources == G_N_ELEMENTS (out->source))
      continue;
    if (fault->seen++ < (guint64)fault->skip)
      continue;
    if (fault->probability < 1 &&
        g_rand_double (faults->rand) >= fault->probability)
      continue;
    fault->hits++;
    merge (out, &fault->effects);
  }
}

char *
emu_effects_names (const EmuEffects *effects)
{
  GString *names = g_string_new (effects->implied);

  for (guint i = 0; i < effects->n_sources; i++) {
    JsonObject *fault = json_node_get_object (effects->source[i]);

    for (guint j = 0; j < G_N_ELEMENTS (fields); j++)
      if (fields[j].kind != 0 && json_object_has_member (fault, fields[j].name))
        g_string_append_printf (
            names, "%s%s", names->len > 0 ? "," : "", fields[j].name);
  }
  return g_string_free (names, names->len == 0);
}

void
emu_effects_clear (EmuEffects *effects)
{
  for (guint i = 0; i < effects->n_sources; i++)
    json_node_unref (effects->source[i]);
  memset (effects, 0, sizeof *effects);
}

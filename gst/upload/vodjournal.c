/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodjournal: see vodjournal.h.
 */
#include "vodjournal.h"

#include <string.h>

#include "../cloud/vodapi.h"
#include "../cloud/vodchecksum.h"

#define WORD_MAX 5 /* arguments of a fact */
#define SUM_LEN 16 /* digits */
#define TEXT_MAX_BYTES 2048
#define SESSION_KEY_MAX_BYTES 8192 /* as long as vodapi takes one */
#define PART_MAX_BYTES (G_GUINT64_CONSTANT (5) << 30) /* protocol.md 5.2 */
#define MEDIA_MAX_BYTES (VOD_SESSION_MAX_PARTS * PART_MAX_BYTES)
#define TIME_MAX G_GINT64_CONSTANT (253402300799) /* the end of year 9999 */
#define KEY_LEN 32 /* of a key without its number */

/* --- state --- */

static void
free_part (gpointer data)
{
  VodSessionPart *part = data;

  g_free (part->etag);
  g_free (part);
}

void
vod_session_state_clear (VodSessionState *state)
{
  g_free (state->resume_key);
  g_free (state->endpoint);
  g_free (state->name);
  g_free (state->type);
  g_free (state->session_key);
  g_free (state->bucket_host);
  g_free (state->object_key);
  g_free (state->upload_id);
  g_clear_pointer (&state->parts, g_ptr_array_unref);
  memset (state, 0, sizeof *state);
}

static guint64
start_sum (const gchar *key)
{
  return vod_crc64 (0, key, MIN (strlen (key), KEY_LEN));
}

void
vod_journal_init (VodJournal *journal, const gchar *key, const gchar *this_boot)
{
  memset (journal, 0, sizeof *journal);
  journal->state.parts = g_ptr_array_new_with_free_func (free_part);
  journal->this_boot = this_boot;
  journal->sum = start_sum (key);
}

void
vod_journal_clear (VodJournal *journal)
{
  vod_session_state_clear (&journal->state);
  g_clear_pointer (&journal->boot, g_free);
}

/* TRUE if *@text changed. Takes @value. */
static gboolean
set_text (gchar **text, gchar *value)
{
  gboolean same = g_strcmp0 (*text, value) == 0;

  g_free (*text);
  *text = value;
  return !same;
}

/* Where the first @n parts end. */
static guint64
end_of_parts (const VodSessionState *state, guint n)
{
  const VodSessionPart *part;

  if (n == 0)
    return 0;
  part = g_ptr_array_index (state->parts, n - 1);
  return part->offset + part->size;
}

static void
forget_receipts (VodSessionState *state)
{
  for (guint i = 0; i < state->parts->len; i++) {
    VodSessionPart *part = g_ptr_array_index (state->parts, i);

    part->confirmed = FALSE;
    part->crc64 = 0;
    g_clear_pointer (&part->etag, g_free);
  }
}

static void
forget_completing (VodSessionState *state)
{
  state->completing = FALSE;
  state->crc64 = 0;
}

static void
forget_eos (VodSessionState *state)
{
  state->eos = FALSE;
  state->size = 0;
  forget_completing (state);
}

/* TRUE if that was not known. What reaches beyond it was of another media. */
static gboolean
end_media (VodSessionState *state, guint64 size)
{
  guint n = state->parts->len;

  if (state->eos && state->size == size)
    return FALSE;
  forget_eos (state);
  while (n > 0 && end_of_parts (state, n) > size)
    n--;
  g_ptr_array_set_size (state->parts, (gint)n);
  state->eos = TRUE;
  state->size = size;
  return TRUE;
}

/* --- words --- */

static gchar *
put_text (const gchar *text)
{
  if (!text)
    return g_strdup ("-");
  if (strcmp (text, "-") == 0)
    return g_strdup ("%2D");
  return g_uri_escape_string (text, "/:+=", FALSE);
}

/* There is one way to write a text: what is written otherwise is refused. */
static gboolean
take_text (const gchar *word, gsize max, gchar **text)
{
  g_autofree gchar *plain = NULL, *again = NULL;

  *text = NULL;
  if (strcmp (word, "-") == 0)
    return TRUE;
  plain = g_uri_unescape_string (word, NULL);
  if (!plain || strlen (plain) > max || !g_utf8_validate (plain, -1, NULL))
    return FALSE;
  again = put_text (plain);
  if (strcmp (word, again) != 0)
    return FALSE;
  *text = g_steal_pointer (&plain);
  return TRUE;
}

static gboolean
take_number (const gchar *word, guint64 min, guint64 max, guint64 *number)
{
  if (word[0] == '0' && word[1])
    return FALSE;
  return g_ascii_string_to_unsigned (word, 10, min, max, number, NULL);
}

static gboolean
is_base_uri (const gchar *text)
{
  g_autofree gchar *checked = vod_http_check_base_uri (text, "endpoint", NULL);

  return g_strcmp0 (checked, text) == 0;
}

static gboolean
is_boot (const gchar *word)
{
  gsize len = strlen (word);

  return len > 0 && len < VOD_JOURNAL_BOOT_SIZE &&
      strspn (word, "0123456789abcdef-") == len;
}

/* --- facts --- */

gchar *
vod_fact_header (void)
{
  return g_strdup_printf (
      "vodsink-session 1 %08x%08x", g_random_int (), g_random_int ());
}

static VodFact
take_header (VodJournal *journal, gchar **words)
{
  if (journal->headed || strcmp (words[0], "1") != 0)
    return VOD_FACT_REFUSED;
  journal->headed = TRUE;
  return VOD_FACT_NEW;
}

gchar *
vod_fact_media (const VodSessionState *media)
{
  g_autofree gchar *endpoint = put_text (media->endpoint);
  g_autofree gchar *name = put_text (media->name);
  g_autofree gchar *type = put_text (media->type);
  g_autofree gchar *resume_key = put_text (media->resume_key);

  return g_strdup_printf ("media %s %s %s %s %s", endpoint, name, type,
      media->spooled ? "spooled" : "memory", resume_key);
}

static VodFact
take_media (VodJournal *journal, gchar **words)
{
  g_autofree gchar *endpoint = NULL, *name = NULL, *type = NULL, *key = NULL;
  gboolean spooled = strcmp (words[3], "spooled") == 0;
  VodSessionState *state = &journal->state;

  if (journal->begun || (!spooled && strcmp (words[3], "memory") != 0) ||
      !take_text (words[0], TEXT_MAX_BYTES, &endpoint) ||
      !take_text (words[1], TEXT_MAX_BYTES, &name) ||
      !take_text (words[2], TEXT_MAX_BYTES, &type) ||
      !take_text (words[4], VOD_SESSION_MAX_RESUME_KEY, &key))
    return VOD_FACT_REFUSED;
  if (!endpoint || !is_base_uri (endpoint) ||
      (name && vod_api_check_name (name)) ||
      (type && !vod_api_check_type (type)))
    return VOD_FACT_REFUSED;
  journal->begun = TRUE;
  state->endpoint = g_steal_pointer (&endpoint);
  state->name = g_steal_pointer (&name);
  state->type = g_steal_pointer (&type);
  state->resume_key = g_steal_pointer (&key);
  state->spooled = spooled;
  return VOD_FACT_NEW;
}

gchar *
vod_fact_applied (gint64 applied, const gchar *bucket_host,
    const gchar *object_key, const gchar *session_key)
{
  g_autofree gchar *host = put_text (bucket_host);
  g_autofree gchar *key = put_text (object_key);
  g_autofree gchar *session = put_text (session_key);

  return g_strdup_printf (
      "applied %" G_GINT64_FORMAT " %s %s %s", applied, host, key, session);
}

static VodFact
take_applied (VodJournal *journal, gchar **words)
{
  g_autofree gchar *host = NULL, *key = NULL, *session = NULL;
  VodSessionState *state = &journal->state;
  gboolean moved;
  guint64 when;

  if (!take_number (words[0], 1, TIME_MAX, &when) ||
      !take_text (words[1], TEXT_MAX_BYTES, &host) || !host ||
      !take_text (words[2], TEXT_MAX_BYTES, &key) || !key ||
      !take_text (words[3], SESSION_KEY_MAX_BYTES, &session) || !session ||
      !vod_api_check_bucket_host (host) || !vod_api_check_object_key (key) ||
      !vod_api_check_session_key (session))
    return VOD_FACT_REFUSED;

  /* The first object is not another one: parts may have been cut before. */
  moved = state->object_key &&
      (strcmp (state->bucket_host, host) != 0 ||
          strcmp (state->object_key, key) != 0);
  if (!moved && state->applied == (gint64)when &&
      g_strcmp0 (state->session_key, session) == 0)
    return VOD_FACT_KNOWN;
  state->applied = (gint64)when;
  set_text (&state->bucket_host, g_steal_pointer (&host));
  set_text (&state->object_key, g_steal_pointer (&key));
  set_text (&state->session_key, g_steal_pointer (&session));
  if (moved) {
    g_clear_pointer (&state->upload_id, g_free);
    g_ptr_array_set_size (state->parts, 0);
    forget_completing (state);
  }
  return VOD_FACT_NEW;
}

gchar *
vod_fact_upload (const gchar *upload_id)
{
  g_autofree gchar *id = put_text (upload_id);

  return g_strdup_printf ("upload %s", id);
}

static VodFact
take_upload (VodJournal *journal, gchar **words)
{
  g_autofree gchar *id = NULL;
  VodSessionState *state = &journal->state;

  if (!state->object_key || !take_text (words[0], TEXT_MAX_BYTES, &id) || !id ||
      !vod_cos_check_upload_id (id))
    return VOD_FACT_REFUSED;
  if (!set_text (&state->upload_id, g_steal_pointer (&id)))
    return VOD_FACT_KNOWN;
  forget_receipts (state);
  forget_completing (state);
  return VOD_FACT_NEW;
}

gchar *
vod_fact_cut (guint number, guint64 offset, guint64 size)
{
  return g_strdup_printf (
      "cut %u %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, number, offset, size);
}

static VodFact
take_cut (VodJournal *journal, gchar **words)
{
  VodSessionState *state = &journal->state;
  guint64 number, offset, size;
  VodSessionPart *part;

  if (!take_number (words[0], 1,
          MIN (state->parts->len + 1, VOD_SESSION_MAX_PARTS), &number) ||
      !take_number (words[1], 0, MEDIA_MAX_BYTES, &offset) ||
      !take_number (words[2], 1, PART_MAX_BYTES, &size) ||
      offset != end_of_parts (state, (guint)number - 1))
    return VOD_FACT_REFUSED;

  if (number <= state->parts->len) {
    part = g_ptr_array_index (state->parts, number - 1);
    if (part->size == size)
      return VOD_FACT_KNOWN;
  }
  g_ptr_array_set_size (state->parts, (gint)number - 1);
  part = g_new0 (VodSessionPart, 1);
  part->offset = offset;
  part->size = size;
  g_ptr_array_add (state->parts, part);
  /* The media has gone on. */
  if (state->eos && offset + size > state->size)
    forget_eos (state);
  return VOD_FACT_NEW;
}

gchar *
vod_fact_confirmed (guint number, guint64 crc64, const gchar *etag)
{
  g_autofree gchar *word = put_text (etag);

  return g_strdup_printf (
      "confirmed %u %" G_GUINT64_FORMAT " %s", number, crc64, word);
}

static VodFact
take_confirmed (VodJournal *journal, gchar **words)
{
  g_autofree gchar *etag = NULL;
  VodSessionState *state = &journal->state;
  VodSessionPart *part;
  guint64 number, crc64;
  gboolean changed;

  if (!state->upload_id || state->parts->len == 0 ||
      !take_number (words[0], 1, state->parts->len, &number) ||
      !take_number (words[1], 0, G_MAXUINT64, &crc64) ||
      !take_text (words[2], TEXT_MAX_BYTES, &etag) || !etag ||
      !vod_cos_check_etag (etag))
    return VOD_FACT_REFUSED;

  part = g_ptr_array_index (state->parts, number - 1);
  changed = !part->confirmed || part->crc64 != crc64;
  part->confirmed = TRUE;
  part->crc64 = crc64;
  changed |= set_text (&part->etag, g_steal_pointer (&etag));
  return changed ? VOD_FACT_NEW : VOD_FACT_KNOWN;
}

gchar *
vod_fact_synced (guint64 size, const gchar *boot)
{
  return g_strdup_printf (
      "synced %" G_GUINT64_FORMAT " %s", size, boot ? boot : "-");
}

static VodFact
take_synced (VodJournal *journal, gchar **words)
{
  gboolean changed;
  guint64 size;

  if (!take_number (words[0], 0, MEDIA_MAX_BYTES, &size) || !is_boot (words[1]))
    return VOD_FACT_REFUSED;
  changed = journal->state.synced != size;
  journal->state.synced = size;
  changed |= set_text (&journal->boot, g_strdup (words[1]));
  journal->state.same_boot =
      journal->this_boot && strcmp (journal->boot, journal->this_boot) == 0;
  return changed ? VOD_FACT_NEW : VOD_FACT_KNOWN;
}

gchar *
vod_fact_eos (guint64 size)
{
  return g_strdup_printf ("eos %" G_GUINT64_FORMAT, size);
}

static VodFact
take_eos (VodJournal *journal, gchar **words)
{
  guint64 size;

  if (!take_number (words[0], 0, MEDIA_MAX_BYTES, &size))
    return VOD_FACT_REFUSED;
  return end_media (&journal->state, size) ? VOD_FACT_NEW : VOD_FACT_KNOWN;
}

gchar *
vod_fact_completing (guint64 size, guint64 crc64)
{
  return g_strdup_printf (
      "completing %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, size, crc64);
}

static VodFact
take_completing (VodJournal *journal, gchar **words)
{
  VodSessionState *state = &journal->state;
  guint64 size, crc64;
  gboolean changed;

  if (!state->upload_id || !take_number (words[0], 0, MEDIA_MAX_BYTES, &size) ||
      !take_number (words[1], 0, G_MAXUINT64, &crc64))
    return VOD_FACT_REFUSED;
  changed = end_media (state, size);
  changed |= !state->completing || state->crc64 != crc64;
  state->completing = TRUE;
  state->crc64 = crc64;
  return changed ? VOD_FACT_NEW : VOD_FACT_KNOWN;
}

/* --- lines --- */

static const struct {
  const gchar *word;
  guint n_words; /* behind it */
  VodFact (*take) (VodJournal *journal, gchar **words);
} facts[] = {
    {"vodsink-session", 2, take_header},
    {"media", 5, take_media},
    {"applied", 4, take_applied},
    {"upload", 1, take_upload},
    {"cut", 3, take_cut},
    {"confirmed", 3, take_confirmed},
    {"synced", 2, take_synced},
    {"eos", 1, take_eos},
    {"completing", 2, take_completing},
};

static VodFact
take_fact (VodJournal *journal, const gchar *fact)
{
  /* One more than there can be, so that too many are seen. */
  g_auto (GStrv) words = g_strsplit (fact, " ", WORD_MAX + 2);
  guint n = g_strv_length (words);

  for (guint i = 0; i < G_N_ELEMENTS (facts); i++) {
    if (n != facts[i].n_words + 1 || strcmp (words[0], facts[i].word) != 0)
      continue;
    /* The first two lines are what they are. */
    if (journal->headed != (i > 0) || journal->begun != (i > 1))
      return VOD_FACT_REFUSED;
    return facts[i].take (journal, words + 1);
  }
  return VOD_FACT_REFUSED;
}

static guint64
sum_line (guint64 sum, const gchar *fact)
{
  return vod_crc64 (vod_crc64 (sum, fact, strlen (fact)), "\n", 1);
}

static void
put_sum (guint64 sum, gchar digits[SUM_LEN + 1])
{
  g_snprintf (digits, SUM_LEN + 1, "%016" G_GINT64_MODIFIER "x", sum);
}

static void
put_line (GString *text, guint64 *sum, const gchar *fact)
{
  gchar digits[SUM_LEN + 1];

  *sum = sum_line (*sum, fact);
  put_sum (*sum, digits);
  g_string_append_printf (text, "%s %s\n", fact, digits);
}

/* @len: without the newline. */
static gboolean
read_line (VodJournal *journal, const gchar *line, gsize len)
{
  g_autofree gchar *fact = NULL;
  gchar digits[SUM_LEN + 1];
  guint64 sum;

  if (len < SUM_LEN + 2 || memchr (line, '\0', len) ||
      line[len - SUM_LEN - 1] != ' ')
    return FALSE;
  fact = g_strndup (line, len - SUM_LEN - 1);
  sum = sum_line (journal->sum, fact);
  put_sum (sum, digits);
  if (memcmp (line + len - SUM_LEN, digits, SUM_LEN) != 0 ||
      take_fact (journal, fact) == VOD_FACT_REFUSED)
    return FALSE;
  journal->sum = sum;
  return TRUE;
}

gsize
vod_journal_read (VodJournal *journal, const gchar *text, gsize len)
{
  gsize done = 0;

  while (done < len) {
    const gchar *line = text + done;
    const gchar *end = memchr (line, '\n', len - done);

    if (!end || !read_line (journal, line, (gsize)(end - line)))
      break;
    done = (gsize)(end + 1 - text);
  }
  return journal->begun ? done : 0;
}

VodFact
vod_journal_add (VodJournal *journal, const gchar *fact, GString *text)
{
  VodFact result = take_fact (journal, fact);

  if (result == VOD_FACT_NEW)
    put_line (text, &journal->sum, fact);
  return result;
}

/* --- compact text --- */

/* Takes @fact. */
static void
put_fact (GString *text, guint64 *sum, gchar *fact)
{
  put_line (text, sum, fact);
  g_free (fact);
}

static void
put_parts (GString *text, guint64 *sum, const GPtrArray *parts)
{
  for (guint i = 0; i < parts->len; i++) {
    const VodSessionPart *part = g_ptr_array_index (parts, i);

    put_fact (text, sum, vod_fact_cut (i + 1, part->offset, part->size));
    if (part->confirmed)
      put_fact (text, sum, vod_fact_confirmed (i + 1, part->crc64, part->etag));
  }
}

GString *
vod_journal_compact (const VodJournal *journal, const gchar *key, guint64 *sum)
{
  const VodSessionState *state = &journal->state;
  GString *text = g_string_new (NULL);

  *sum = start_sum (key);
  put_fact (text, sum, vod_fact_header ());
  put_fact (text, sum, vod_fact_media (state));
  if (state->object_key)
    put_fact (text, sum,
        vod_fact_applied (state->applied, state->bucket_host, state->object_key,
            state->session_key));
  if (state->upload_id)
    put_fact (text, sum, vod_fact_upload (state->upload_id));
  put_parts (text, sum, state->parts);
  if (journal->boot)
    put_fact (text, sum, vod_fact_synced (state->synced, journal->boot));
  if (state->eos)
    put_fact (text, sum, vod_fact_eos (state->size));
  if (state->completing)
    put_fact (text, sum, vod_fact_completing (state->size, state->crc64));
  return text;
}

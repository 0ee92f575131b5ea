/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Session files that were cut off, damaged, mixed up or forged: what is read is
 * always something that was true at one time, or nothing.
 */
#include "testsession.h"

#include <string.h>
#include <unistd.h>

#include "upload/vodjournal.h"
#include "vodchecksum.h"

static gchar *
journal_of (const gchar *dir, gsize *len)
{
  g_autofree gchar *path = session_file_of (dir, "session");
  g_autoptr (GError) error = NULL;
  gchar *text;

  g_assert_true (g_file_get_contents (path, &text, len, &error));
  g_assert_no_error (error);
  return text;
}

/* The journal of @steps steps. */
static gchar *
make_journal (guint steps, gsize *len)
{
  gchar *dir = session_make_dir ();
  VodSession *session = session_open (dir);
  gchar *text;

  session_steps (session, steps);
  vod_session_close (session);
  text = journal_of (dir, len);
  session_remove_dir (dir);
  return text;
}

static void
put_journal (const gchar *dir, const gchar *text, gsize len)
{
  g_autofree gchar *path = session_file_of (dir, "session");

  session_put (path, text, len);
}

/* What the first of the three lines that vod_session_begin() writes, which
 * tells of the media, says without the third. */
static gchar *
story_of_media (void)
{
  gchar *story = session_story (1);
  gchar *same_boot = g_strrstr (story, "|0 1|");

  g_assert_nonnull (same_boot);
  same_boot[3] = '0';
  return story;
}

static void
add_stories (GHashTable *stories)
{
  for (guint n = 0; n <= SESSION_STEPS; n++)
    g_hash_table_add (stories, session_story (n));
  g_hash_table_add (stories, story_of_media ());
}

/* What @n whole lines of a journal say. */
static gchar *
story_of_lines (guint n)
{
  if (n == 2)
    return story_of_media ();
  return session_story (n < 2 ? 0 : n - 2);
}

static gchar *
read_text (const gchar *text, gsize len)
{
  g_auto (VodJournal) journal;
  g_autofree gchar *boot = NULL;

  g_assert_true (g_file_get_contents (
      "/proc/sys/kernel/random/boot_id", &boot, NULL, NULL));
  vod_journal_init (&journal, KEY, g_strstrip (boot));
  return session_describe (
      vod_journal_read (&journal, text, len) > 0 ? &journal.state : NULL);
}

static guint
count_lines (const gchar *text, gsize len)
{
  guint n = 0;

  for (gsize i = 0; i < len; i++)
    n += text[i] == '\n';
  return n;
}

static void
test_the_text_is_plain (void)
{
  gsize len;
  g_autofree gchar *text = make_journal (SESSION_STEPS, &len);

  g_assert_true (g_str_has_prefix (text, "vodsink-session 1 "));
  for (gsize i = 0; i < len; i++)
    g_assert_true (text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~'));
  g_assert_cmpuint (count_lines (text, len), ==, SESSION_STEPS + 2);
}

/* Every byte of the file counts. */
static void
expect_whole (const gchar *dir)
{
  gsize len;
  g_autofree gchar *text = journal_of (dir, &len);
  g_auto (VodJournal) journal;

  vod_journal_init (&journal, KEY, NULL);
  g_assert_cmpuint (vod_journal_read (&journal, text, len), ==, len);
}

/* After a crash: what is left counts, and so does what is written then. */
static void
test_cut_at_every_byte (void)
{
  gchar *dir = session_make_dir ();
  gsize len;
  g_autofree gchar *text = make_journal (SESSION_STEPS, &len);

  for (gsize i = 0; i <= len; i++) {
    g_autofree gchar *expected = story_of_lines (count_lines (text, i));
    g_autofree gchar *found = NULL;
    VodSession *session;

    put_journal (dir, text, i);
    session = session_open (dir);
    found = session_describe (vod_session_found (session));
    g_assert_cmpstr (found, ==, expected);
    if (vod_session_found (session)) {
      g_assert_true (vod_session_note_synced (session, 12345 + i, NULL));
      vod_session_close (session);
      expect_whole (dir);
      session = session_open (dir);
      g_assert_cmpuint (vod_session_found (session)->synced, ==, 12345 + i);
    }
    vod_session_close (session);
  }
  session_remove_dir (dir);
}

static void
test_every_bit_flipped (void)
{
  g_autoptr (GHashTable) stories =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  gsize len;
  g_autofree gchar *text = make_journal (SESSION_STEPS, &len);

  add_stories (stories);
  for (gsize i = 0; i < len * 8; i++) {
    g_autofree gchar *expected = story_of_lines (count_lines (text, i / 8));
    g_autofree gchar *found = NULL;

    text[i / 8] ^= (gchar)(1 << i % 8);
    found = read_text (text, len);
    text[i / 8] ^= (gchar)(1 << i % 8);
    g_assert_true (g_hash_table_contains (stories, found));
    /* No less than what was before it, no more. */
    g_assert_cmpstr (found, ==, expected);
  }
}

/* Blocks that the disk has never got, as some file systems show them. */
static void
test_zeros_at_the_end (void)
{
  gchar *dir = session_make_dir ();
  gsize len;
  g_autofree gchar *text = make_journal (6, &len);
  g_autofree gchar *zeros = g_malloc0 (len + 4096);
  VodSession *session;

  memcpy (zeros, text, len);
  put_journal (dir, zeros, len + 4096);
  session = session_open (dir);
  session_assert_story (session, 6);
  g_assert_true (vod_session_note_synced (session, 1, NULL));
  vod_session_close (session);
  session = session_open (dir);
  g_assert_cmpuint (vod_session_found (session)->synced, ==, 1);
  vod_session_close (session);
  session_remove_dir (dir);
}

/* --- lines in other places --- */

/* One random misfortune. */
static void
mix_up (GPtrArray *lines, gchar **others)
{
  guint n = lines->len;
  guint i = (guint)g_test_rand_int_range (0, (gint)n);
  guint j = (guint)g_test_rand_int_range (0, (gint)n);
  gchar *line = g_ptr_array_index (lines, i);

  switch (g_test_rand_int_range (0, 5)) {
    case 0:
      g_ptr_array_insert (lines, (gint)j, g_strdup (line));
      break;
    case 1:
      if (n > 1)
        g_ptr_array_remove_index (lines, i);
      break;
    case 2:
      g_ptr_array_index (lines, i) = g_ptr_array_index (lines, j);
      g_ptr_array_index (lines, j) = line;
      break;
    case 3:
      g_free (line);
      g_ptr_array_index (lines, i) =
          g_strdup (others[(guint)g_test_rand_int () % g_strv_length (others)]);
      break;
    case 4:
      if (*line)
        line[(guint)g_test_rand_int () % strlen (line)] =
            (gchar)g_test_rand_int_range (1, 256);
      break;
  }
}

/* @text's lines and those of another upload of the same media, mixed up. */
static void
test_mixed_up (void)
{
  g_autoptr (GHashTable) stories =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GHashTable) seen =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  gsize len;
  g_autofree gchar *text = make_journal (SESSION_STEPS, &len);
  g_autofree gchar *other = make_journal (SESSION_STEPS, &len);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_auto (GStrv) others = g_strsplit (other, "\n", -1);

  add_stories (stories);
  g_assert_cmpstr (text, !=, other);
  for (guint i = 0; i < 20000; i++) {
    g_autoptr (GPtrArray) mixed = g_ptr_array_new_with_free_func (g_free);
    g_autofree gchar *joined = NULL;
    gchar *found;

    for (guint j = 0; lines[j]; j++)
      g_ptr_array_add (mixed, g_strdup (lines[j]));
    for (gint n = g_test_rand_int_range (1, 4); n > 0; n--)
      mix_up (mixed, others);
    g_ptr_array_add (mixed, NULL);
    joined = g_strjoinv ("\n", (gchar **)mixed->pdata);
    found = read_text (joined, strlen (joined));
    g_assert_true (g_hash_table_contains (stories, found));
    g_hash_table_add (seen, found);
  }
  /* All kinds of damage were there. */
  g_assert_cmpuint (g_hash_table_size (seen), >, SESSION_STEPS / 2);
}

static void
test_of_another_key (void)
{
  gsize len;
  g_autofree gchar *text = make_journal (SESSION_STEPS, &len);
  g_auto (VodJournal) other;

  vod_journal_init (&other, "fedcba9876543210fedcba9876543210", NULL);
  g_assert_cmpuint (vod_journal_read (&other, text, len), ==, 0);
}

/* --- lines that somebody has made up, with the right checksums --- */

static void
forge (GString *text, guint64 *sum, const gchar *line)
{
  *sum = vod_crc64 (*sum, line, strlen (line));
  *sum = vod_crc64 (*sum, "\n", 1);
  g_string_append_printf (text, "%s %016" G_GINT64_MODIFIER "x\n", line, *sum);
}

static GString *
forge_all (const gchar *const *lines, guint64 *sum)
{
  GString *text = g_string_new (NULL);

  *sum = vod_crc64 (0, KEY, 32);
  for (; *lines; lines++)
    forge (text, sum, *lines);
  return text;
}

#define HEADER "vodsink-session 1 0"
#define MEDIA "media https://vod2.qcloud.com n mp4 spooled -"
#define APPLIED "applied 5 " HOST " ab/c key"

static void
test_forged (void)
{
  static const gchar *const begin[] = {HEADER, MEDIA, APPLIED, "upload u",
      "cut 1 0 1048576", "cut 2 1048576 1048576", NULL};
  static const gchar *const bad[] = {"", " ", "x", "eos", "eos ", "eos 1 ",
      " eos 1", "eos  1", "eos 1 1", "EOS 1", "eos -1", "eos +1", "eos 01",
      "eos 0x1", "eos 1.0", "eos 18446744073709551616", "eos\t1",
      "eos 53687091200001", "eos 18446744073709551615", HEADER, MEDIA,
      "cut 0 0 1", "cut 1 1 1", "cut 2 0 1", "cut 2 1048575 1048577",
      "cut 3 0 1", "cut 3 2097152 0", "cut 3 2097152 5368709121",
      "cut 3 2097152 18446744073709551615", "cut 3 18446744073709551615 1",
      "cut 3 18446744073707454464 2097152", "cut 4 2097152 1",
      "cut 10001 2097152 1", "cut 4294967299 2097152 1",
      "cut 18446744073709551615 0 1", "cut -1 0 1", "cut 3 2097152",
      "confirmed 0 1 e", "confirmed 3 1 e", "confirmed 4294967297 1 e",
      "confirmed 1 18446744073709551616 e", "confirmed 1 -1 e",
      "confirmed 1 1 -", "confirmed 1 1 ", "confirmed 1 1 e%0Af",
      "confirmed 1 1 e%20f", "confirmed 1 1 %C3%A4", "confirmed 1 1 %65",
      "confirmed 1 1 %", "confirmed 1 1 %0", "confirmed 1 1 %00",
      "confirmed 1 1 %zz", "confirmed 1 1 \"e\"", "confirmed 1 1 \xc3\xa4",
      "confirmed 1 1 e%80", "upload -", "upload ", "upload a%0D%0Ab",
      "upload a%00", "upload %E4", "upload a b", "synced 1", "synced 1 ",
      "synced 1 XYZ", "synced 53687091200001 -",
      "synced 1 0123456789012345678901234567890123456", "completing 1",
      "completing 53687091200001 1", "completing 1 18446744073709551616",
      "applied 0 " HOST " ab/c key", "applied -5 " HOST " ab/c key",
      "applied 253402300800 " HOST " ab/c key",
      "applied 9223372036854775808 " HOST " ab/c key",
      "applied 5 example.com ab/c key", "applied 5 localhost ab/c key",
      "applied 5 169.254.169.254 ab/c key", "applied 5 - ab/c key",
      "applied 5 a-1.cos.b.myqcloud.com.example.com ab/c key",
      "applied 5 example.com/a-1.cos.b.myqcloud.com ab/c key",
      "applied 5 a@b-1.cos.b.myqcloud.com ab/c key",
      "applied 5 a-1.cos.b.myqcloud.com:80 ab/c key",
      "applied 5 a-0.cos.b.myqcloud.com ab/c key",
      "applied 5 a.cos.b.myqcloud.com ab/c key",
      "applied 5 -1.cos.b.myqcloud.com ab/c key",
      "applied 5 a-1.cos..myqcloud.com ab/c key",
      "applied 5 a-1.cos.b.myqcloud.com. ab/c key",
      "applied 5 a-1.cos.b%0Ac.myqcloud.com ab/c key",
      "applied 5 " HOST " /ab key", "applied 5 " HOST " ab/../c key",
      "applied 5 " HOST " .. key", "applied 5 " HOST " ab//c key",
      "applied 5 " HOST " ab/. key", "applied 5 " HOST " ab/ key",
      "applied 5 " HOST " - key", "applied 5 " HOST "  key",
      "applied 5 " HOST " a%0Db key", "applied 5 " HOST " ab/c -",
      "applied 5 " HOST " ab/c ", "applied 5 " HOST " ab/c k%0Aey",
      "applied 5 " HOST " ab/c k%C3%A4y", "applied 5 " HOST " ab/c"};
  guint64 begun;
  g_autoptr (GString) text = forge_all (begin, &begun);
  g_autofree gchar *before = read_text (text->str, text->len);
  g_autofree gchar *after = NULL;
  guint64 sum = begun;
  gsize len = text->len;

  /* The forgery is a good one. */
  g_assert_cmpstr (before, !=, "nothing");
  forge (text, &sum, "eos 2097152");
  after = read_text (text->str, text->len);
  g_assert_cmpstr (before, !=, after);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autofree gchar *found = NULL;

    g_test_message ("%s", bad[i]);
    g_string_truncate (text, len);
    sum = begun;
    forge (text, &sum, bad[i]);
    forge (text, &sum, "eos 2097152");
    found = read_text (text->str, text->len);
    g_assert_cmpstr (found, ==, before);
  }
}

static void
test_forged_beginnings (void)
{
  static const gchar *const bad[][4] = {{"vodsink-session 2 0", MEDIA},
      {"vodsink-session 0 0", MEDIA}, {"vodsink-session 01 0", MEDIA},
      {"vodsink-session 10 0", MEDIA}, {"vodsink-session 1", MEDIA},
      {"vodsink-sessions 1 0", MEDIA}, {MEDIA, HEADER, MEDIA}, {MEDIA},
      {HEADER, HEADER, MEDIA}, {HEADER, "eos 1", MEDIA}, {HEADER},
      {HEADER, "media - n mp4 spooled -"}, {HEADER, "media  n mp4 spooled -"},
      {HEADER, "media file:///etc/passwd n mp4 spooled -"},
      {HEADER, "media https://a/ n mp4 spooled -"},
      {HEADER, "media https://a/b n mp4 spooled -"},
      {HEADER, "media https://u:p%40a n mp4 spooled -"},
      {HEADER, "media https://a%3Fb n mp4 spooled -"},
      {HEADER, "media https://a%0Ab n mp4 spooled -"},
      {HEADER, "media https://a:0 n mp4 spooled -"},
      {HEADER, "media https://a n mp4 SPOOLED -"},
      {HEADER, "media https://a n mp4 1 -"},
      {HEADER, "media https://a n m/4 spooled -"},
      {HEADER, "media https://a n m%204 spooled -"},
      {HEADER, "media https://a a/b mp4 spooled -"},
      {HEADER, "media https://a a%0Ab mp4 spooled -"},
      {HEADER, "media https://a  mp4 spooled -"},
      {HEADER, "media https://a n mp4 spooled %FF"},
      {HEADER, "media https://a n mp4 spooled %2D%2D"},
      {HEADER, "media https://a n mp4 spooled - -"}};

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    guint64 sum;
    g_autoptr (GString) text = forge_all (bad[i], &sum);
    g_autofree gchar *found = read_text (text->str, text->len);

    g_test_message ("%s", text->str);
    g_assert_cmpstr (found, ==, "nothing");
  }
}

static void
test_too_long (void)
{
  static const gchar *const begin[] = {
      HEADER, MEDIA, APPLIED, "upload u", NULL};
  /* As many as may be, and how they are told. */
  static const struct {
    const gchar *format;
    gsize most;
  } fields[] = {{"applied 6 " HOST " ab/c %s", 8192},
      {"applied 6 " HOST " %s key", 850}, {"upload %s", 1024}};

  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    for (guint more = 0; more < 2; more++) {
      guint64 sum;
      g_autoptr (GString) text = forge_all (begin, &sum);
      g_autofree gchar *before = read_text (text->str, text->len);
      g_autofree gchar *value = g_strnfill (fields[i].most + more, 'x');
      g_auto (GStrv) around = g_strsplit (fields[i].format, "%s", 2);
      g_autofree gchar *line = g_strconcat (around[0], value, around[1], NULL);
      g_autofree gchar *found = NULL;

      forge (text, &sum, line);
      found = read_text (text->str, text->len);
      if (more)
        g_assert_cmpstr (found, ==, before);
      else
        g_assert_cmpstr (found, !=, before);
    }
}

/* A kernel that has gone: what it had not written out is not to be trusted. */
static void
test_another_boot (void)
{
  static const gchar *const lines[] = {
      HEADER, MEDIA, "synced 5 01234567-89ab-cdef-0123-456789abcdef", NULL};
  gchar *dir = session_make_dir ();
  guint64 sum;
  g_autoptr (GString) text = forge_all (lines, &sum);
  VodSession *session;

  put_journal (dir, text->str, text->len);
  session = session_open (dir);
  g_assert_false (vod_session_found (session)->same_boot);
  g_assert_cmpuint (vod_session_found (session)->synced, ==, 5);
  /* As it was said by another kernel, it has to be said again. */
  g_assert_true (vod_session_note_synced (session, 5, NULL));
  vod_session_close (session);
  session = session_open (dir);
  g_assert_true (vod_session_found (session)->same_boot);
  vod_session_close (session);
  session_remove_dir (dir);
}

/* What a newer vodsink has written stays, until it is in the way. */
static void
test_a_newer_version (void)
{
  static const gchar *const lines[] = {"vodsink-session 2 0", "more 1", NULL};
  gchar *dir = session_make_dir ();
  guint64 sum;
  g_autoptr (GString) text = forge_all (lines, &sum);
  g_autofree gchar *still = NULL;
  VodSession *session;
  gsize len;

  put_journal (dir, text->str, text->len);
  session = session_open (dir);
  g_assert_null (vod_session_found (session));
  vod_session_close (session);
  still = journal_of (dir, &len);
  g_assert_cmpmem (still, len, text->str, text->len);
  session = session_open (dir);
  session_steps (session, 2);
  vod_session_close (session);
  session_assert_kept (dir, 2);
  session_remove_dir (dir);
}

static void
test_too_large (void)
{
  gchar *dir = session_make_dir ();
  g_autofree gchar *path = session_file_of (dir, "session");
  gsize len;
  g_autofree gchar *text = make_journal (SESSION_STEPS, &len);
  VodSession *session;

  put_journal (dir, text, len);
  g_assert_cmpint (truncate (path, 17 * MIB), ==, 0);
  session = session_open (dir);
  g_assert_null (vod_session_found (session));
  session_steps (session, 2);
  vod_session_close (session);
  session_assert_kept (dir, 2);
  session_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session-damage/plain", test_the_text_is_plain);
  g_test_add_func ("/session-damage/cut", test_cut_at_every_byte);
  g_test_add_func ("/session-damage/flipped", test_every_bit_flipped);
  g_test_add_func ("/session-damage/zeros", test_zeros_at_the_end);
  g_test_add_func ("/session-damage/mixed-up", test_mixed_up);
  g_test_add_func ("/session-damage/another-key", test_of_another_key);
  g_test_add_func ("/session-damage/forged", test_forged);
  g_test_add_func ("/session-damage/forged-begin", test_forged_beginnings);
  g_test_add_func ("/session-damage/too-long", test_too_long);
  g_test_add_func ("/session-damage/another-boot", test_another_boot);
  g_test_add_func ("/session-damage/newer", test_a_newer_version);
  g_test_add_func ("/session-damage/too-large", test_too_large);
  return g_test_run ();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodcosxml: the documents' samples, and XML from strangers.
 */
#include "vodcosxml.h"

#include <string.h>

#include "testclient.h"

static void
parse (const gchar *text, VodCosXml *xml)
{
  g_autoptr (GError) error = NULL;

  vod_cos_xml_parse (text, strlen (text), NULL, xml, &error);
  g_assert_no_error (error);
}

static void
test_samples (void)
{
  g_auto (VodCosXml) initiated = {0}, completed = {0};

  parse ("<InitiateMultipartUploadResult>\n\t<Bucket>b-1</Bucket>\n"
         "\t<Key>k</Key>\n\t<UploadId>15851308</UploadId>\n"
         "</InitiateMultipartUploadResult>\n",
      &initiated);
  g_assert_cmpstr (initiated.root, ==, "InitiateMultipartUploadResult");
  g_assert_cmpstr (vod_cos_xml_get (&initiated, "UploadId"), ==, "15851308");
  g_assert_null (vod_cos_xml_get (&initiated, "ETag"));
  parse ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
         "<CompleteMultipartUploadResult xmlns=\"http://x/7751\">\n"
         "\t<ETag>&quot;aa-3&quot;</ETag>\n</CompleteMultipartUploadResult>",
      &completed);
  g_assert_cmpstr (vod_cos_xml_get (&completed, "ETag"), ==, "\"aa-3\"");
}

static void
parse_list (const gchar *text, const gchar *item, VodCosXml *xml)
{
  g_autoptr (GError) error = NULL;

  vod_cos_xml_parse (text, strlen (text), item, xml, &error);
  g_assert_no_error (error);
}

static void
test_items (void)
{
  g_auto (VodCosXml) xml = {0};

  parse_list (
      "<ListMultipartUploadsResult>\n\t<Key>of the list</Key>\n\t<Upload>\n"
      "\t\t<Key> a b </Key><Initiator><ID>x</ID><Key>deep</Key></Initiator>"
      "<Upload>in upload</Upload><Key>second</Key>\n\t</Upload>text<Upload/>"
      "<IsTruncated> true\n</IsTruncated><Upload><Key>&amp;</Key>"
      "</Upload></ListMultipartUploadsResult>",
      "Upload", &xml);
  g_assert_cmpuint (xml.items->len, ==, 3);
  g_assert_cmpstr (vod_cos_xml_get_item (&xml, 0, "Key"), ==, " a b ");
  g_assert_cmpstr (vod_cos_xml_get_item (&xml, 0, "Upload"), ==, "in upload");
  g_assert_null (vod_cos_xml_get_item (&xml, 0, "ID"));
  g_assert_null (vod_cos_xml_get_item (&xml, 1, "Key"));
  g_assert_cmpstr (vod_cos_xml_get_item (&xml, 2, "Key"), ==, "&");
  g_assert_cmpstr (vod_cos_xml_get (&xml, "Key"), ==, "of the list");
  g_assert_cmpstr (vod_cos_xml_get (&xml, "IsTruncated"), ==, "true");
  g_assert_null (vod_cos_xml_get (&xml, "Upload"));
}

static void
test_items_that_were_not_asked_for (void)
{
  static const gchar text[] = "<a><Part><Size>1</Size></Part></a>";
  g_auto (VodCosXml) flat = {0}, other = {0}, root = {0};

  parse (text, &flat);
  g_assert_cmpuint (flat.items->len, ==, 0);
  g_assert_cmpstr (vod_cos_xml_get (&flat, "Part"), ==, "");
  parse_list (text, "Size", &other);
  g_assert_cmpuint (other.items->len, ==, 0);
  parse_list (text, "a", &root);
  g_assert_cmpuint (root.items->len, ==, 0);
}

static void
test_times (void)
{
  static const struct {
    const gchar *text;
    gint64 time;
  } table[] = {{"Thu Jan 17 10:02:55 2019", 1547719375},
      {"Sat Feb  2 00:00:00 2019", 1549065600},
      {"2019-01-17T10:02:55Z", 1547719375},
      {"2019-01-17T10:02:55.000Z", 1547719375},
      {"2019-01-17T18:02:55+08:00", 1547719375}, {"", 0}, {"1547719375", 0},
      {"Thu anF 17 10:02:55 2019", 0}, {"Thu Jan 32 10:02:55 2019", 0},
      {"Thu Jan 17 25:02:55 2019", 0}, {"Thu Jan -7 10:02:55 2019", 0},
      {"Thu Jan 17 10:02:55", 0}, {"Thu January 17 10:02:55 2019", 0},
      {"2019-01-17", 0}};

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    g_test_message ("%s", table[i].text);
    g_assert_cmpint (vod_cos_xml_to_unix (table[i].text), ==, table[i].time);
  }
}

static void
test_blanks_and_declaration_may_come_first (void)
{
  g_autofree gchar *blanks = g_strnfill (100000, ' ');
  g_autofree gchar *text = g_strconcat (blanks,
      "\r\n\n<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>"
      " InternalError\n</Code><Deep><Code>x</Code></Deep><Code>y</Code>"
      "</Error>\n\n",
      NULL);
  g_auto (VodCosXml) xml = {0};

  parse (text, &xml);
  g_assert_cmpstr (xml.root, ==, "Error");
  g_assert_cmpstr (vod_cos_xml_get (&xml, "Code"), ==, "InternalError");
}

static void
expect_refused_list (const gchar *text, const gchar *item)
{
  g_auto (VodCosXml) xml = {0};
  g_autoptr (GError) error = NULL;

  test_expect_failure (
      vod_cos_xml_parse (text, strlen (text), item, &xml, &error), error,
      VOD_ERROR_PROTOCOL);
  g_assert_null (xml.root);
  g_assert_null (vod_cos_xml_get (&xml, "Code"));
}

/* Whether there are items to look for or not. */
static void
expect_refused (const gchar *text)
{
  expect_refused_list (text, NULL);
  expect_refused_list (text, "i");
}

static void
test_no_xml (void)
{
  static const gchar *const table[] = {"", "   ", "secret", "{}", "<", "<a>",
      "<a></b>", "<a/><b/>", "<a/>text", "<a>&secret;</a>", "<a b></a>",
      "<a>\377</a>", "<?xml version='1.0'?>", "<!-- x -->",
      "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "<a><b></a></b>",
      "<html><body><p>404<br></body></html>"};

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    expect_refused (table[i]);
}

static gchar *
repeat (const gchar *text, guint times)
{
  GString *result = g_string_new (NULL);

  while (times-- > 0)
    g_string_append (result, text);
  return g_string_free (result, FALSE);
}

static void
test_bombs (void)
{
  g_autofree gchar *deep = repeat ("<a>", 100000);
  g_autofree gchar *many = repeat ("<a/>", 1000);
  g_autofree gchar *distinct = NULL;
  g_autofree gchar *longer = g_strnfill (10000, 'x');
  g_autofree gchar *value = g_strdup_printf ("<a><b>%s</b></a>", longer);
  g_autofree gchar *name = g_strdup_printf ("<%s/>", longer);
  g_autofree gchar *repeated = g_strdup_printf ("<a>%s</a>", many);
  GString *names = g_string_new ("<a>");
  g_auto (VodCosXml) xml = {0};

  for (guint i = 0; i < 1000; i++)
    g_string_append_printf (names, "<b%u/>", i);
  g_string_append (names, "</a>");
  distinct = g_string_free (names, FALSE);
  expect_refused (deep);
  expect_refused (distinct);
  expect_refused (value);
  expect_refused (name);
  parse (repeated, &xml);
  g_assert_cmpstr (vod_cos_xml_get (&xml, "a"), ==, "");
}

static void
expect_refused_items (const gchar *one, guint times)
{
  g_autofree gchar *items = repeat (one, times);
  g_autofree gchar *text = g_strdup_printf ("<a>%s</a>", items);

  expect_refused_list (text, "i");
}

static void
test_bombs_of_items (void)
{
  g_autofree gchar *most = repeat ("<i/>", VOD_COS_XML_ITEMS_MAX);
  g_autofree gchar *fits = g_strdup_printf ("<a>%s<b/></a>", most);
  g_autofree gchar *longer = g_strnfill (10000, 'x');
  g_autofree gchar *value = g_strdup_printf ("<i><b>%s</b></i>", longer);
  g_autofree gchar *begins = repeat ("<i>", 15);
  g_autofree gchar *ends = repeat ("</i>", 15);
  g_autofree gchar *deepest = g_strconcat ("<a>", begins, ends, "</a>", NULL);
  g_autofree gchar *deep = g_strdup_printf ("<i>%s%s</i>", begins, ends);
  GString *names = g_string_new ("<i>");
  g_auto (VodCosXml) xml = {0}, nested = {0};

  parse_list (fits, "i", &xml);
  g_assert_cmpuint (xml.items->len, ==, VOD_COS_XML_ITEMS_MAX);
  expect_refused_items ("<i/>", VOD_COS_XML_ITEMS_MAX + 1);
  expect_refused_items (value, 1);
  parse_list (deepest, "i", &nested);
  g_assert_cmpuint (nested.items->len, ==, 1);
  expect_refused_items (deep, 1);
  for (guint i = 0; i < 1000; i++)
    g_string_append_printf (names, "<b%u/>", i);
  g_string_append (names, "</i>");
  expect_refused_items (names->str, 1);
  g_string_free (names, TRUE);
}

static void
test_decisive_codes (void)
{
  static const struct {
    const gchar *code, *message, *decisive;
  } table[] = {
      {"SignatureDoesNotMatch", "The signature…", "SignatureDoesNotMatch"},
      {"AccessDenied", "SignatureDoesNotMatch", "SignatureDoesNotMatch"},
      {"AccessDenied", "Access Denied.", "AccessDenied"},
      {"AccessDenied", "", "AccessDenied"},
      {"AccessDenied", "InvalidAccessKeyId", "InvalidAccessKeyId"},
      {"AccessDenied", "RequestTimeTooSkewed", "RequestTimeTooSkewed"},
      {"AccessDenied", "Request has expired", "RequestHasExpired"},
      {"AccessDenied", "Request has expired.", "RequestHasExpired"},
      {"AccessForbidden", "ExpiredToken", "ExpiredToken"},
      {"AccessDenied", "AccessForbidden", "AccessDenied"},
      /* Another code is not overruled by what its message happens to say. */
      {"NoSuchUpload", "RequestTimeTooSkewed", "NoSuchUpload"},
      {"SlowDown", "Request has expired", "SlowDown"},
      {"", "SlowDown", "Unknown"},
      /* What is no code is not repeated. */
      {"Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", "said", "Unknown"},
      {"No Such Upload", "said", "Unknown"},
      {"UnavailableForLegalReasons", "said", "UnavailableForLegalReasons"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    g_autofree gchar *text =
        g_strdup_printf ("<Error><Code>%s</Code><Message>%s</Message></Error>",
            table[i].code, table[i].message);
    g_auto (VodCosXml) xml = {0};
    g_autoptr (GError) error = NULL;

    parse (text, &xml);
    error = vod_cos_xml_to_error (&xml, 403);
    g_assert_error (error, VOD_ERROR, VOD_ERROR_STORAGE);
    g_assert_cmpstr (
        vod_error_details (error)->error_code, ==, table[i].decisive);
  }
}

static void
test_error_tells_everything (void)
{
  g_auto (VodCosXml) xml = {0};
  g_autoptr (GError) error = NULL;
  const VodErrorDetails *details;

  parse ("<Error><Code>RequestTimeTooSkewed</Code><Message>a&#10;b</Message>"
         "<RequestId>NWU3</RequestId>"
         "<ServerTime>2019-01-17T10:02:55Z</ServerTime></Error>",
      &xml);
  error = vod_cos_xml_to_error (&xml, 403);
  details = vod_error_details (error);
  g_assert_cmpuint (details->http_status, ==, 403);
  g_assert_cmpstr (details->request_id, ==, "NWU3");
  g_assert_cmpint (details->server_time, ==, 1547719375);
  g_assert_cmpstr (error->message, ==,
      "the storage refused with RequestTimeTooSkewed: a b (HTTP status 403)");
}

/* The example of the documents: 353 bytes, MD5 Me/0Gvtc2x4VPIOhoIRllw==, but
 * with CRLF and without the last newline. */
static void
test_body_of_complete (void)
{
  const gchar *etags[] = {"\"39270a968a357d24207e9911162507eb\"",
      "\"d899fbd1e06109ea2e4550f5751c88d6\"",
      "\"762890d6c9a871b7bd136037cb2260cd\""};
  const gchar *odd[] = {"a<b>&c"};
  g_autofree gchar *body = vod_cos_xml_complete_body (etags, 3);
  g_autofree gchar *escaped = vod_cos_xml_complete_body (odd, 1);
  g_auto (GStrv) lines = g_strsplit (g_strchomp (body), "\n", -1);
  g_autofree gchar *published = g_strjoinv ("\r\n", lines);
  g_autofree gchar *md5 =
      g_compute_checksum_for_string (G_CHECKSUM_MD5, published, -1);

  g_assert_cmpuint (strlen (published), ==, 353);
  g_assert_cmpstr (md5, ==, "31eff41afb5cdb1e153c83a1a0846597");
  g_assert_nonnull (strstr (escaped, "<ETag>a&lt;b&gt;&amp;c</ETag>"));
}

static void
test_any_bytes_do_no_harm (void)
{
  static const gchar *const pieces[] = {"<", ">", "/", "a", "<a>", "</a>", "&",
      "&lt;", "<Error>", "<Code>", "</Code>", " ", "\377", "<![CDATA[", "]]>",
      "<!--", "-->", "<?xml", "?>", "=", "\"", "\303\244"};

  for (guint i = 0; i < 20000; i++) {
    GString *text = g_string_new (NULL);
    guint n = (guint)g_test_rand_int_range (0, 20);
    g_auto (VodCosXml) xml = {0};

    while (n-- > 0)
      g_string_append (
          text, pieces[g_test_rand_int_range (0, G_N_ELEMENTS (pieces))]);
    if (vod_cos_xml_parse (
            text->str, text->len, i % 2 == 0 ? "a" : NULL, &xml, NULL))
      g_assert_nonnull (xml.root);
    g_string_free (text, TRUE);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cosxml/samples", test_samples);
  g_test_add_func ("/cosxml/items", test_items);
  g_test_add_func ("/cosxml/items-that-were-not-asked-for",
      test_items_that_were_not_asked_for);
  g_test_add_func ("/cosxml/times", test_times);
  g_test_add_func ("/cosxml/blanks-and-declaration-may-come-first",
      test_blanks_and_declaration_may_come_first);
  g_test_add_func ("/cosxml/no-xml", test_no_xml);
  g_test_add_func ("/cosxml/bombs", test_bombs);
  g_test_add_func ("/cosxml/bombs-of-items", test_bombs_of_items);
  g_test_add_func ("/cosxml/decisive-codes", test_decisive_codes);
  g_test_add_func (
      "/cosxml/error-tells-everything", test_error_tells_everything);
  g_test_add_func ("/cosxml/body-of-complete", test_body_of_complete);
  g_test_add_func ("/cosxml/any-bytes-do-no-harm", test_any_bytes_do_no_harm);
  return g_test_run ();
}

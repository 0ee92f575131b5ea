/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodregion: see vodregion.h. `lock` guards `places` and what is in it; it is
 * held during nothing but that, and no other lock is taken with it.
 */
#include "vodregion.h"

#include "vodhosts.h"
#include "vodrace.h"

#define PREPARE_TIME 5 /* s */
#define RACE_TIME 3    /* s */
#define WHOLE_TIME ((PREPARE_TIME + RACE_TIME) * (gint64)G_USEC_PER_SEC)
#define CANDIDATES_MAX 16
#define PLACES_MAX 64 /* endpoints; nobody has so many */
#define ANSWER_MAX (64 * 1024)

/* --- what is known ----------------------------------------------------------*/

/* What is known of an endpoint. */
typedef struct {
  gint64 searching; /* somebody finds out, since then, monotonic µs; or 0 */
  gchar *region;    /* NULL: none was found … */
  gint64 again;     /* … until then nobody need try again, monotonic µs */
} Place;

static GMutex lock;
static GCond changed;
static GHashTable *places; /* endpoint -> Place */

static void
place_free (gpointer data)
{
  Place *place = data;

  g_free (place->region);
  g_free (place);
}

static Place *
place_of (const gchar *endpoint)
{
  if (places == NULL)
    places =
        g_hash_table_new_full (g_str_hash, g_str_equal, g_free, place_free);
  return g_hash_table_lookup (places, endpoint);
}

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  g_mutex_lock (&lock);
  g_cond_broadcast (&changed);
  g_mutex_unlock (&lock);
}

static guint
race_time (const VodUploadSettings *settings)
{
  return settings->region_time ? settings->region_time : RACE_TIME;
}

/* One that is still at it then is stuck where it asks for a signature. */
static gboolean
is_sought (const Place *place)
{
  return place && place->searching &&
      g_get_monotonic_time () < place->searching + 2 * WHOLE_TIME;
}

/* While another upload finds out. With the lock. */
static Place *
wait_for_other (const gchar *endpoint, GCancellable *cancellable)
{
  gint64 deadline = g_get_monotonic_time () + WHOLE_TIME;
  gboolean in_time = TRUE;

  for (;;) {
    Place *place = place_of (endpoint);

    if (!is_sought (place) || !in_time ||
        g_cancellable_is_cancelled (cancellable))
      return place;
    in_time = g_cond_wait_until (&changed, &lock, deadline);
  }
}

/* TRUE: the question is settled, by *@region or @error. FALSE: the caller is to
 * find out, and must call leave(). With the lock. */
static gboolean
enter_locked (const gchar *endpoint, GCancellable *cancellable, gchar **region,
    GError **error)
{
  Place *place = wait_for_other (endpoint, cancellable);

  if (g_cancellable_is_cancelled (cancellable)) {
    vod_error_set (error, VOD_ERROR_CANCELLED, "cancelled");
  } else if (place && place->region) {
    *region = g_strdup (place->region);
  } else if (is_sought (place)) {
    vod_error_set (
        error, VOD_ERROR_NETWORK, "another upload is still looking for it");
  } else if (place && g_get_monotonic_time () < place->again) {
    vod_error_set (error, VOD_ERROR_NETWORK,
        "there was none a short while ago, and it was not looked for again");
  } else {
    if (g_hash_table_size (places) >= PLACES_MAX)
      g_hash_table_remove_all (places);
    place = g_new0 (Place, 1);
    place->searching = g_get_monotonic_time ();
    g_hash_table_replace (places, g_strdup (endpoint), place);
    return FALSE;
  }
  return TRUE;
}

static gboolean
enter (const gchar *endpoint, GCancellable *cancellable, gchar **region,
    GError **error)
{
  gulong id = 0;
  gboolean settled;

  if (cancellable)
    id = g_cancellable_connect (
        cancellable, G_CALLBACK (on_cancelled), NULL, NULL);
  g_mutex_lock (&lock);
  settled = enter_locked (endpoint, cancellable, region, error);
  g_mutex_unlock (&lock);
  g_cancellable_disconnect (cancellable, id);
  return settled;
}

/* @region: NULL if none was found; @pause: ms for which that is so. */
static void
leave (const gchar *endpoint, const gchar *region, guint pause)
{
  Place *place = g_new0 (Place, 1);

  place->region = g_strdup (region);
  place->again = g_get_monotonic_time () + pause * (gint64)1000;
  g_mutex_lock (&lock);
  place_of (endpoint);
  g_hash_table_replace (places, g_strdup (endpoint), place);
  g_cond_broadcast (&changed);
  g_mutex_unlock (&lock);
}

void
vod_region_drop (const VodUploadSettings *settings)
{
  leave (settings->endpoint, NULL, settings->region_again);
}

/* --- finding out ------------------------------------------------------------*/

/* Filled in by racers, read when their threads have ended. */
typedef struct {
  const VodUploadSettings *settings;
  const gchar *signature;
  GPtrArray *regions; /* of VodApiRegion */
  GError *error;      /* of Prepare */
} Search;

static VodHttp *
open_http (const VodUploadSettings *settings, guint timeout, GError **error)
{
  VodHttpSettings http = vod_upload_settings_http (settings);

  http.timeout = timeout;
  return vod_http_new (&http, error);
}

static gboolean
prepare (guint index, GCancellable *cancellable, gpointer data)
{
  Search *search = data;
  g_autoptr (VodHttp) http =
      open_http (search->settings, PREPARE_TIME, &search->error);

  if (http)
    vod_http_set_purpose (http, "search for a region");
  if (http)
    search->regions = vod_api_prepare (http, search->settings->endpoint,
        search->signature, 0, cancellable, &search->error);
  return search->regions != NULL;
}

/* Any answer is one: that of a bucket that may not be looked at is 403. */
static gboolean
knock (guint index, GCancellable *cancellable, gpointer data)
{
  Search *search = data;
  const VodApiRegion *region = g_ptr_array_index (search->regions, index);
  g_autofree gchar *base = vod_hosts_uri (search->settings, region->domain);
  g_autofree gchar *uri = g_strconcat (base, "/", NULL);
  g_autoptr (VodHttp) http =
      open_http (search->settings, race_time (search->settings), NULL);
  g_auto (VodHttpAnswer) answer = {0};
  VodHttpRequest request = {
      .method = "HEAD",
      .uri = uri,
      .max_answer = ANSWER_MAX,
  };

  if (http)
    vod_http_set_purpose (http, "search for a region");
  return http && vod_http_send (http, &request, cancellable, &answer, NULL);
}

static gint64
in_seconds (guint seconds)
{
  return g_get_monotonic_time () + seconds * (gint64)G_USEC_PER_SEC;
}

/* Takes out those that may not be asked, and those too many. */
static void
choose_candidates (Search *search)
{
  GPtrArray *regions = search->regions;

  for (guint i = regions->len; i-- > 0;) {
    const VodApiRegion *region = g_ptr_array_index (regions, i);

    if (!vod_hosts_may_use (search->settings, region->domain))
      g_ptr_array_remove_index (regions, i);
  }
  if (regions->len > CANDIDATES_MAX)
    g_ptr_array_set_size (regions, CANDIDATES_MAX);
}

static gchar *
run_race (Search *search, GCancellable *cancellable, GError **error)
{
  guint offered = search->regions->len;
  gint first;

  choose_candidates (search);
  if (search->regions->len < 2) {
    vod_error_set (error, VOD_ERROR_PROTOCOL,
        search->regions->len < offered
            ? "the service names hosts that an endpoint of your own keeps from "
              "being asked"
            : "the service offers no choice of regions");
    return NULL;
  }
  first = vod_race (search->regions->len, knock, search,
      in_seconds (race_time (search->settings)), cancellable);
  if (first >= 0)
    return g_strdup (
        ((VodApiRegion *)g_ptr_array_index (search->regions, first))->name);
  vod_error_set (error, VOD_ERROR_NETWORK, "none of %u regions has answered",
      search->regions->len);
  return NULL;
}

/* Asks for Prepare's answer, in time; else @search's error says why there is
 * none. What was cancelled has no @outcome. */
static void
run_prepare (
    Search *search, GCancellable *cancellable, VodRegionPrepare *outcome)
{
  gint64 begun = g_get_monotonic_time ();
  gint arrived =
      vod_race (1, prepare, search, in_seconds (PREPARE_TIME), cancellable);

  if (arrived < 0 &&
      (!search->error || search->error->code == VOD_ERROR_CANCELLED)) {
    g_clear_error (&search->error);
    vod_error_set (&search->error, VOD_ERROR_NETWORK,
        "the service has not said within %d s which there are", PREPARE_TIME);
  }
  if (g_cancellable_is_cancelled (cancellable))
    return;
  outcome->begun = begun;
  outcome->ended = g_get_monotonic_time ();
  outcome->error = search->error ? g_error_copy (search->error) : NULL;
}

static gchar *
search_region (const VodUploadSettings *settings, const gchar *signature,
    GCancellable *cancellable, VodRegionPrepare *outcome, GError **error)
{
  Search search = {.settings = settings, .signature = signature};
  gchar *region = NULL;

  run_prepare (&search, cancellable, outcome);
  if (search.error)
    g_propagate_error (error, g_steal_pointer (&search.error));
  else
    region = run_race (&search, cancellable, error);
  g_clear_pointer (&search.regions, g_ptr_array_unref);
  if (region == NULL && g_cancellable_is_cancelled (cancellable)) {
    g_clear_error (error);
    vod_error_set (error, VOD_ERROR_CANCELLED, "cancelled");
  }
  return region;
}

/* May the next one try at once? That costs no time, or has other reasons than
 * the network. */
static gboolean
is_worth_another (const gchar *signature, const GError *error)
{
  if (signature == NULL)
    return error->code != VOD_ERROR_NETWORK;
  return error->code == VOD_ERROR_CANCELLED || error->code == VOD_ERROR_SERVICE;
}

gchar *
vod_region_find (const VodUploadSettings *settings, VodRegionSign sign,
    gpointer sign_data, GCancellable *cancellable, VodRegionPrepare *outcome,
    GError **error)
{
  const gchar *endpoint = settings->endpoint;
  VodRegionPrepare unasked = {0};
  gchar *region = NULL, *signature;
  GError *why = NULL;

  if (!vod_hosts_may_use (settings, NULL)) {
    vod_error_set (error, VOD_ERROR_PARAMETER,
        "an endpoint of your own keeps other hosts from being asked");
    return NULL;
  }
  if (enter (endpoint, cancellable, &region, error))
    return region;
  signature = sign (sign_data, &why);
  if (signature)
    region = search_region (
        settings, signature, cancellable, outcome ? outcome : &unasked, &why);
  g_clear_error (&unasked.error);
  leave (endpoint, region,
      why && is_worth_another (signature, why) ? 0 : settings->region_again);
  g_free (signature);
  if (why)
    g_propagate_error (error, why);
  return region;
}

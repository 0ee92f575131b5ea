/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What counts of libsoup 2.4: a library of its name that registers the type
 * that both versions have.
 */
#include <glib-object.h>

typedef struct {
  GObject parent;
} SoupSession;

typedef struct {
  GObjectClass parent;
} SoupSessionClass;

GType soup_session_get_type (void);

G_DEFINE_TYPE (SoupSession, soup_session, G_TYPE_OBJECT)

static void
soup_session_finalize (GObject *object)
{
  G_OBJECT_CLASS (soup_session_parent_class)->finalize (object);
}

static void
soup_session_class_init (SoupSessionClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = soup_session_finalize;
}

static void
soup_session_init (SoupSession *session)
{
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files that answer requests offer to the router (emu-server.c) and
 * to each other. A route function fills in op, style, handler and body_limit
 * and returns TRUE if the request is its own.
 */
#ifndef EMU_HANDLERS_H
#define EMU_HANDLERS_H

#include "emu-request.h"

G_BEGIN_DECLS

#define EMU_JSON_LIMIT (1024 * 1024)
/* ten thousand parts with escaped quotes and indents */
#define EMU_XML_LIMIT (4 * 1024 * 1024)
#define EMU_MAX_PART (G_GUINT64_CONSTANT (5) << 30)

/* emu-server.c */
SoupServer *emu_server_new (Emu *emu);

/* emu-vod.c */
gboolean emu_vod_route (EmuRequest *request);

/* emu-service.c: signature, reports, faults */
gboolean emu_service_route (EmuRequest *request);

/* emu-page.c, emu-live.c: what people see; emu-api.c: what tests ask */
gboolean emu_page_route (EmuRequest *request);
gboolean emu_live_route (EmuRequest *request);
gboolean emu_api_route (EmuRequest *request);
/* Newly allocated; NULL: no media, or no cover. */
char *emu_media_url (Emu *emu, EmuMedia *media, gboolean cover);
/* EmuMedia by the time of commit, oldest first; free the list. */
GList *emu_media_sorted (Emu *emu);

/* emu-media.c */
gboolean emu_media_route (EmuRequest *request);
/* 200 or 206 with the object's bytes, or the headers alone for HEAD. */
void emu_media_send (
    EmuRequest *request, EmuObject *object, const char *content_type);

/* emu-cos.c */
gboolean emu_cos_route (EmuRequest *request);
/* Checks the authorization and prepares to take the body. */
void emu_cos_begin (EmuRequest *request);
/* FALSE, and the error is answered, if Content-MD5 is there and wrong. */
gboolean emu_cos_check_md5 (EmuRequest *request, const char *md5_hex);
/* ETag and CRC64 headers, as faults want them. */
void emu_cos_set_sums (EmuRequest *request, const char *etag, guint64 crc64);

/* emu-list.c */
void emu_list_uploads (EmuRequest *request);
void emu_list_parts (EmuRequest *request);

/* emu-complete.c */
void emu_complete (EmuRequest *request);
/* Computes the MD5 of an object aside; /api/state waits for it. */
void emu_complete_start_md5 (Emu *emu, EmuObject *object);

G_END_DECLS

#endif

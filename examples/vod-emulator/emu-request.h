/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One request from its headers to its answer: takes the body, applies the
 * faults that hit it, sends the answer and notes it in the log. Lives as long
 * as its SoupServerMessage.
 */
#ifndef EMU_REQUEST_H
#define EMU_REQUEST_H

#include "emu.h"

G_BEGIN_DECLS

typedef enum {
  EMU_STYLE_TEXT, /* errors as plain text */
  EMU_STYLE_VOD,  /* JSON with a code, HTTP 200 */
  EMU_STYLE_COS   /* XML */
} EmuStyle;

typedef struct _EmuRequest EmuRequest;
typedef void (*EmuHandler) (EmuRequest *request);

struct _EmuRequest {
  Emu *emu;
  SoupServerMessage *message;
  const char *op; /* static */
  EmuStyle style;
  EmuHandler handler; /* called when the body is complete */
  const char *method;
  char *path;       /* decoded */
  GPtrArray *query; /* EmuPair, decoded */
  const char *host; /* header */
  guint part;
  EmuEffects fault;
  gint64 start;

  /* who asks, for storage requests */
  char *bucket; /* name-appid */
  char *region;
  EmuCred *cred; /* valid during one callback only */
  char *session_id;
  guint refused; /* HTTP status of why not; 0: allowed */
  const char *refused_code;
  const char *refused_message;

  /* body: into @writer, or into @body up to @body_limit bytes */
  gsize body_limit;
  GByteArray *body;
  EmuBlobWriter *writer;
  GError *write_error;
  guint64 received;
  gboolean too_large;
  gboolean doomed; /* the body doesn't matter */

  char *upload; /* id, of the upload that this is a part of; else NULL */

  /* answer */
  guint status; /* 0: none yet */
  char *code;
  char *request_id;
  GBytes *answer;
  gboolean head_only;
  gboolean paused;
  gboolean gone; /* the message is finished or stolen */
  gboolean logged;
  guint timer;
};

EmuRequest *emu_request_new (Emu *emu, SoupServerMessage *message);
EmuRequest *emu_request_get (SoupServerMessage *message);
/* Real time as this request's server sees it (clock-skew), in s. */
gint64 emu_request_now (EmuRequest *request);
const char *emu_request_header (EmuRequest *request, const char *name);
void emu_request_set_header (
    EmuRequest *request, const char *name, const char *value);
/* Does a web page of another machine ask, or who may be one (emu-origin.h)? */
gboolean emu_request_is_foreign (EmuRequest *request);
/* Asks the faults; call once, when op, part and host are known. */
void emu_request_match_faults (EmuRequest *request);

/* Applies what a fault does before the body; TRUE: nothing is left to do. */
gboolean emu_request_begin (EmuRequest *request);
/* It brings a part of @upload: from now to its end it is in Emu.incoming. */
void emu_request_begin_part (EmuRequest *request, EmuUpload *upload);
/* More of the body. */
void emu_request_take (EmuRequest *request, GBytes *chunk);
/* The body is complete: a fault's answer, or the handler. */
void emu_request_run (EmuRequest *request);

/* Waits with the answer until emu_request_send(); holds the message. */
void emu_request_hold (EmuRequest *request);
void emu_request_release (EmuRequest *request);

/* The answers; each ends the request. Bodies are taken. */
void emu_request_answer (
    EmuRequest *request, guint status, const char *content_type, char *body);
void emu_request_answer_json (EmuRequest *request, JsonBuilder *builder);
void emu_request_answer_root (EmuRequest *request, JsonNode *root);
/* A body that is written by the caller, in chunks, after this. */
void emu_request_answer_stream (
    EmuRequest *request, guint status, const char *content_type);
/* {"code":…,"message":…} */
void emu_request_vod_error (EmuRequest *request, int code, const char *format,
    ...) G_GNUC_PRINTF (3, 4);
/* <Error>; @message NULL: the usual one of the code. */
void emu_request_cos_error (
    EmuRequest *request, guint status, const char *code, const char *message);
/* As EMU_STYLE wants it. */
void emu_request_error (EmuRequest *request, guint status, const char *code);
/* The <Error> document alone. */
char *emu_request_error_xml (
    EmuRequest *request, const char *code, const char *message);

G_END_DECLS

#endif

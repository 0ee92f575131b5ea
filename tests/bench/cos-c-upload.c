/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cos-c-upload: uploads a file with the official C SDK, for comparison. Compiled
 * by bench.py where COS_C_SDK names a build of that SDK; no part of the project's
 * own build.
 *
 *   cos-c-upload HOST:PORT FILE THREADS PART_SIZE MD5(0|1)
 */
#include <stdio.h>
#include <stdlib.h>

#include "cos_api.h"
#include "cos_http_io.h"

int
main (int argc, char **argv)
{
  cos_pool_t *pool = NULL;
  cos_request_options_t *options;
  cos_resumable_clt_params_t *params;
  cos_table_t *answer = NULL;
  cos_string_t bucket, object, file;
  cos_status_t *status;
  int good;

  if (argc != 6 || cos_http_io_initialize (NULL, 0) != COSE_OK)
    return 2;
  cos_pool_create (&pool, NULL);
  options = cos_request_options_create (pool);
  options->config = cos_config_create (pool);
  cos_str_set (&options->config->endpoint, argv[1]);
  cos_str_set (&options->config->access_key_id, "id");
  cos_str_set (&options->config->access_key_secret, "key");
  cos_str_set (&options->config->appid, "1");
  options->config->is_cname = 1;
  options->ctl = cos_http_controller_create (pool, 0);
  options->ctl->options->enable_md5 = atoi (argv[5]);
  cos_str_set (&bucket, "bench-1");
  cos_str_set (&object, "media.bin");
  cos_str_set (&file, argv[2]);
  params = cos_create_resumable_clt_params_content (
      pool, atoll (argv[4]), atoi (argv[3]), COS_FALSE, NULL);
  status = cos_resumable_upload_file (options, &bucket, &object, &file,
      cos_table_make (pool, 0), NULL, params, NULL, &answer, NULL);
  good = cos_status_is_ok (status);
  if (!good)
    fprintf (stderr, "cos-c-upload: %s: %s\n",
        status->error_code ? status->error_code : "?",
        status->error_msg ? status->error_msg : "?");
  cos_pool_destroy (pool);
  cos_http_io_deinitialize ();
  return good ? 0 : 1;
}

/* A client of the REST API: one request over api.sock, one answer. */
#pragma once

#include <jansson.h>

struct err;

/** "GET", "POST" or "DELETE" on @p path ("/v1/ports").
 *  @param body  JSON to send (borrowed), or NULL
 *  @param ret   the answer's JSON, owned by the caller; NULL when it has none
 *  @return 0; -errno with the server's own message for any status but 2xx */
int client_request(const char *socket_path, const char *method, const char *path,
                   const json_t *body, json_t **ret, struct err *err);
/** DELETE @p path. @param wait_s  how long the server may wait for something before it answers */
int client_delete(const char *socket_path, const char *path, unsigned wait_s, struct err *err);
/** GET @p path whose answer is text. @param ret  owned by the caller (cleanup_free) */
int client_get_text(const char *socket_path, const char *path, char **ret, struct err *err);
/** $ROOTLESSKIT_STATE_DIR/api.sock. @return 0; -ENOENT when the variable is not set */
int client_default_socket(char *ret, size_t size, struct err *err);

#include "rootlesskit/api/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

/* A list of as many ports as there are. */
#define ANSWER_MAX (64UL * 1024 * 1024)
/* The other side is on this machine and answers at once; longer means that it hangs. */
#define TIMEOUT_S 60L

struct answer {
    char *text;
    size_t len;
};

static size_t collect(char *data, size_t size, size_t n, void *context)
{
    struct answer *answer = context;
    size_t len = size * n;
    char *grown = answer->len + len > ANSWER_MAX ? NULL : realloc(answer->text, answer->len + len);
    if (!grown)
        return 0;
    memcpy(grown + answer->len, data, len);
    answer->text = grown;
    answer->len += len;
    return len;
}

static int perform(CURL *curl, const char *socket_path, long wait_s, struct answer *answer,
                   long *status, struct err *err)
{
    char detail[CURL_ERROR_SIZE] = "";
    (void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S + wait_s);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK)
        return err_set(err, EIO, "cannot reach rootlesskit at %s: %s", socket_path,
                       detail[0] ? detail : curl_easy_strerror(code));
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    return 0;
}

/* Any status but 2xx comes with a message. */
static int refused(const struct answer *answer, long status, struct err *err)
{
    json_t *json =
        answer->len ? json_loadb(answer->text, answer->len, JSON_DECODE_ANY, NULL) : NULL;
    const char *message = json_string_value(json_object_get(json, "message"));
    int r = message ? err_set(err, EREMOTEIO, "%s", message)
                    : err_set(err, EREMOTEIO, "the API answered with HTTP status %ld", status);
    json_decref(json);
    return r;
}

static int interpret(const struct answer *answer, json_t **ret, struct err *err)
{
    json_t *json =
        answer->len ? json_loadb(answer->text, answer->len, JSON_DECODE_ANY, NULL) : NULL;
    if (answer->len && !json)
        return err_set(err, EPROTO, "the API answered with something that is not JSON");
    if (ret)
        *ret = json;
    else
        json_decref(json);
    return 0;
}

/* @param text    to send, or NULL
 * @param wait_s  how long the answer may take beside */
static int exchange(const char *socket_path, const char *method, const char *path, const char *text,
                    long wait_s, struct answer *answer, struct err *err)
{
    char url[256];
    long status = 0;
    CURL *curl = curl_easy_init();
    if (!curl || str_format(url, sizeof url, "http://u%s", path) < 0) {
        curl_easy_cleanup(curl);
        return err_set(err, ENOMEM, "cannot make an API request");
    }
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (text) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
        (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    }
    int r = perform(curl, socket_path, wait_s, answer, &status, err);
    if (r >= 0 && (status < 200 || status >= 300))
        r = refused(answer, status, err);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return r;
}

int client_request(const char *socket_path, const char *method, const char *path,
                   const json_t *body, json_t **ret, struct err *err)
{
    struct answer answer = {0};
    cleanup_free char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    int r = exchange(socket_path, method, path, text, 0, &answer, err);
    if (r >= 0)
        r = interpret(&answer, ret, err);
    free(answer.text);
    return r;
}

int client_delete(const char *socket_path, const char *path, unsigned wait_s, struct err *err)
{
    struct answer answer = {0};
    int r = exchange(socket_path, "DELETE", path, NULL, (long)wait_s, &answer, err);
    free(answer.text);
    return r;
}

int client_get_text(const char *socket_path, const char *path, char **ret, struct err *err)
{
    struct answer answer = {0};
    int r = exchange(socket_path, "GET", path, NULL, 0, &answer, err);
    if (r >= 0)
        *ret = strndup(answer.text ? answer.text : "", answer.len);
    free(answer.text);
    return r < 0 || *ret ? r : err_set(err, ENOMEM, "no memory for the answer");
}

int client_default_socket(char *ret, size_t size, struct err *err)
{
    const char *dir = getenv("ROOTLESSKIT_STATE_DIR");
    if (!dir || !dir[0])
        return err_set(err, ENOENT, "please specify --socket or set $ROOTLESSKIT_STATE_DIR");
    return str_format(ret, size, "%s/api.sock", dir) < 0
               ? err_set(err, ENAMETOOLONG, "$ROOTLESSKIT_STATE_DIR is too long: %s", dir)
               : 0;
}

#include "rootless-setup/install/answer.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/local.h"
#include "lib/base/str.h"

#define ANSWER_MAX (256 << 10)

int answer_connect(const char *path, pid_t *ret_pid)
{
    struct ucred peer;
    int sock = local_connect(path, ANSWER_SECONDS, &peer);
    if (sock >= 0 && ret_pid)
        *ret_pid = peer.pid;
    return sock;
}

/* The body of a plain answer with status 200, or NULL. */
static const char *body_of(const char *text)
{
    const char *status = str_after(text, "HTTP/1.");
    const char *end = strstr(text, "\r\n\r\n");
    return status && status[0] && str_after(status + 1, " 200 ") && end ? end + 4 : NULL;
}

/* HTTP/1.0: the answer comes in one piece and ends with the connection. */
json_t *answer_get(const char *path, const char *target)
{
    char request[256];
    cleanup_free char *text = NULL;
    cleanup_close int sock = answer_connect(path, NULL);
    int n =
        str_format(request, sizeof request, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", target);
    if (sock < 0 || n < 0 || send(sock, request, (size_t)n, MSG_NOSIGNAL) != n ||
        file_read_all(sock, path, ANSWER_MAX, &text, NULL, NULL) < 0)
        return NULL;
    const char *body = body_of(text);
    return body ? json_loads(body, 0, NULL) : NULL;
}

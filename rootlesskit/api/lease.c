#include "rootlesskit/api/lease.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/msg.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "rootlesskit/api/client.h"
#include "rootlesskit/api/json.h"

static int publish(const char *socket_path, const struct port_spec *spec, uint32_t *ret_id,
                   struct err *err)
{
    struct port_spec kept;
    json_t *answer = NULL;
    json_t *body = api_spec_to_json(spec);
    int r = client_request(socket_path, "POST", "/v1/ports", body, &answer, err);
    json_decref(body);
    if (r >= 0)
        r = api_status_from_json(answer, ret_id, &kept, err);
    json_decref(answer);
    return r;
}

static void unpublish(const char *socket_path, uint32_t id)
{
    char path[64];
    struct err err = {0};
    (void)str_format(path, sizeof path, "/v1/ports/%u", id);
    if (client_request(socket_path, "DELETE", path, NULL, NULL, &err) < 0)
        cli_warning("port %u stays published: %s", id, err.msg);
}

/* A group of its own: what is sent to the owner's group must not reach it before its work is done.
 * It keeps nothing open that somebody might wait on. */
static int keep(int fd, const char *socket_path, const struct port_spec *spec)
{
    struct err result = {0};
    uint32_t id = 0;
    char nothing;
    (void)setpgid(0, 0);
    fd_close_except(&fd, 1);
    bool published = publish(socket_path, spec, &id, &result) >= 0;
    (void)msg_send(fd, &result, sizeof result, NULL, 0);
    while (published && msg_recv(fd, &nothing, sizeof nothing, NULL, NULL) > 0)
        ;
    if (published)
        unpublish(socket_path, id);
    return CLI_OK;
}

int lease_open(struct lease *ret, const char *socket_path, const struct port_spec *spec,
               struct err *err)
{
    int pair[2];
    struct err result;
    int r = msg_pair(pair, err);
    if (r < 0)
        return r;
    *ret = (struct lease){.keeper = fork(), .owner_fd = pair[0]};
    if (ret->keeper == 0) {
        fd_close(pair[0]);
        _exit(keep(pair[1], socket_path, spec));
    }
    int code = errno;
    fd_close(pair[1]);
    if (ret->keeper < 0)
        r = err_sys(err, code, "cannot start a process to keep the port");
    else if (msg_recv(ret->owner_fd, &result, sizeof result, NULL, NULL) <= 0)
        r = err_set(err, EIO, "the process that keeps the port ended");
    else if (result.code)
        r = err_set(err, result.code, "%s", result.msg);
    if (r < 0)
        lease_close(ret);
    return r;
}

void lease_close(struct lease *lease)
{
    if (lease->keeper == 0)
        return;
    fd_close(lease->owner_fd);
    if (lease->keeper > 0)
        (void)proc_wait(lease->keeper);
    lease->keeper = 0;
}

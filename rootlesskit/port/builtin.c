/* The builtin driver: the host's socket is bound here and served by the data plane process. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "rootlesskit/dataplane.h"
#include "rootlesskit/port/bind.h"
#include "rootlesskit/port/ports.h"

#define DEFAULT_CHILD_IP "127.0.0.1" /* RootlessKit's for the builtin driver */

static int target_of(const struct port_spec *spec, struct sockaddr_storage *ret, struct err *err)
{
    const char *ip = spec->child_ip[0] ? spec->child_ip : DEFAULT_CHILD_IP;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(spec->child_port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(spec->child_port)};
    *ret = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1)
        memcpy(ret, &v4, sizeof v4);
    else if (inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1)
        memcpy(ret, &v6, sizeof v6);
    else
        return err_set(err, EINVAL, "invalid ChildIP: \"%s\"", ip);
    return 0;
}

static int add(struct ports *ports, uint32_t id, const struct port_spec *spec, struct err *err)
{
    struct sockaddr_storage target;
    int r = target_of(spec, &target, err);
    if (r < 0)
        return r;
    cleanup_close int listen_fd = port_bind(spec, err);
    if (listen_fd < 0)
        return listen_fd;
    return dataplane_add_port(ports->plane, id, listen_fd, &target, err);
}

static int remove_port(struct ports *ports, uint32_t id, const struct port_spec *spec,
                       struct err *err)
{
    (void)spec;
    return dataplane_remove_port(ports->plane, id, err);
}

static const char *const protos[] = {"tcp", "tcp4", "tcp6", NULL};

const struct port_driver port_driver_builtin = {
    .name = "builtin",
    .protos = protos,
    .add = add,
    .remove = remove_port,
};

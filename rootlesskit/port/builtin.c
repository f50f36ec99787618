/* The builtin driver: the host's socket is bound here and served by the data plane process. */
#include <errno.h>
#include <netinet/in.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "rootlesskit/dataplane.h"
#include "rootlesskit/handover/handover.h"
#include "rootlesskit/port/bind.h"
#include "rootlesskit/port/ports.h"

#define DEFAULT_CHILD_IP "127.0.0.1" /* RootlessKit's for the builtin driver */

int port_builtin_target(const struct port_spec *spec, struct sockaddr_storage *ret, struct err *err)
{
    const char *ip = spec->child_ip[0] ? spec->child_ip : DEFAULT_CHILD_IP;
    int family = port_ip_parse(ip, ret);
    if (family < 0)
        return err_set(err, EINVAL, "invalid ChildIP: \"%s\"", ip);
    if (family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)ret)->sin6_port = htons(spec->child_port);
    else
        ((struct sockaddr_in *)(void *)ret)->sin_port = htons(spec->child_port);
    return 0;
}

static int add(struct ports *ports, uint32_t id, struct port_spec *spec, struct err *err)
{
    struct sockaddr_storage target;
    int r = port_builtin_target(spec, &target, err);
    if (r < 0)
        return r;
    cleanup_close int fd = port_bind(spec, err);
    if (fd < 0)
        return fd;
    return dataplane_add_port(ports->plane, id, fd, &target, err);
}

static int remove_port(struct ports *ports, uint32_t id, const struct port_spec *spec,
                       struct err *err)
{
    (void)spec;
    handover_end(ports->handover, id, true);
    return dataplane_remove_port(ports->plane, id, err);
}

static int drain(struct ports *ports, uint32_t id, uint32_t seconds, struct err *err)
{
    handover_end(ports->handover, id, false);
    int r = dataplane_drain_port(ports->plane, id, seconds, err);
    return r == -ENOBUFS ? err_set(err, ENOBUFS, "too many ports are being drained: wait for one")
                         : r;
}

static const char *const protos[] = {"tcp",  "tcp4", "tcp6",  "udp",   "udp4",
                                     "udp6", "sctp", "sctp4", "sctp6", NULL};

const struct port_driver port_driver_builtin = {
    .name = "builtin",
    .protos = protos,
    .picks_port = true,
    .add = add,
    .remove = remove_port,
    .drain = drain,
};

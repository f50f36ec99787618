#include "rootlesskit/port/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "rootlesskit/dataplane.h"
#include "rootlesskit/port/bind.h"

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

static int conflict_of(const struct ports *ports, const struct port_spec *spec, struct err *err)
{
    for (uint32_t i = 0; i < ports->n; i++) {
        const struct port_spec *other = &ports->list[i].spec;
        if (other->parent_port == spec->parent_port && str_equal(other->proto, spec->proto) &&
            str_equal(other->parent_ip, spec->parent_ip))
            return err_set(err, EADDRINUSE, "conflict with ID %u: port %u/%s is published already",
                           ports->list[i].id, spec->parent_port, spec->proto);
    }
    return 0;
}

static int make_room(struct ports *ports, struct err *err)
{
    if (ports->n == PORTS_MAX)
        return err_set(err, ENOSPC, "%u ports are published, more are not possible", ports->n);
    if (ports->n < ports->room)
        return 0;
    uint32_t room = ports->room ? ports->room * 2 : 16;
    struct port *grown = realloc(ports->list, room * sizeof *grown);
    if (!grown)
        return err_set(err, ENOMEM, "no memory for another port");
    ports->list = grown;
    ports->room = room;
    return 0;
}

int ports_add(struct ports *ports, const struct port_spec *spec, uint32_t *ret_id, struct err *err)
{
    if (!ports->plane)
        return err_set(err, EINVAL, "no PortDriver is available");
    struct sockaddr_storage target;
    int r = port_spec_check(spec, err);
    if (r >= 0 && strncmp(spec->proto, "tcp", 3) != 0)
        r = err_set(err, EPROTONOSUPPORT,
                    "unsupported port protocol %s: the builtin driver forwards tcp, tcp4 and tcp6",
                    spec->proto);
    if (r >= 0)
        r = target_of(spec, &target, err);
    if (r >= 0)
        r = conflict_of(ports, spec, err);
    if (r >= 0)
        r = make_room(ports, err);
    if (r < 0)
        return r;
    cleanup_close int listen_fd = port_bind(spec, err);
    if (listen_fd < 0)
        return listen_fd;
    uint32_t id = ports->last_id + 1;
    r = dataplane_add_port(ports->plane, id, listen_fd, &target, err);
    if (r < 0)
        return r;
    ports->last_id = id;
    ports->list[ports->n++] = (struct port){.id = id, .spec = *spec};
    *ret_id = id;
    return 0;
}

int ports_remove(struct ports *ports, uint32_t id, struct err *err)
{
    if (!ports->plane)
        return err_set(err, EINVAL, "no PortDriver is available");
    for (uint32_t i = 0; i < ports->n; i++) {
        if (ports->list[i].id != id)
            continue;
        int r = dataplane_remove_port(ports->plane, id, err);
        if (r < 0)
            return r;
        memmove(&ports->list[i], &ports->list[i + 1], (ports->n - i - 1) * sizeof ports->list[0]);
        ports->n--;
        return 0;
    }
    return err_set(err, ENOENT, "unknown id: %u", id);
}

const struct port *ports_next(const struct ports *ports, uint32_t from)
{
    uint32_t low = 0, high = ports->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ports->list[middle].id < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ports->n ? &ports->list[low] : NULL;
}

void ports_free(struct ports *ports)
{
    free(ports->list);
    ports->list = NULL;
    ports->n = ports->room = 0;
}

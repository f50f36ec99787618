#include "rootlesskit/port/ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootlesskit/dataplane.h"
#include "rootlesskit/port/bind.h"

static int conflict_of(const struct ports *ports, const struct port_spec *spec, struct err *err)
{
    for (uint32_t i = 0; i < ports->n; i++) {
        const struct port_spec *other = &ports->list[i].spec;
        if (port_overlaps(spec, other))
            return err_set(err, EADDRINUSE,
                           "conflict with ID %u: port %u of %s is published already (%s)",
                           ports->list[i].id, spec->parent_port,
                           other->parent_ip[0] ? other->parent_ip : "every address", other->proto);
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

static int check(const struct ports *ports, const struct port_spec *spec, struct err *err)
{
    if (!ports->driver)
        return err_set(err, EINVAL, "no PortDriver is available");
    int r = port_spec_check(spec, err);
    if (r >= 0 && str_index(ports->driver->protos, spec->proto) < 0)
        r = err_set(err, EPROTONOSUPPORT,
                    "unsupported port protocol %s: the %s driver does not forward it", spec->proto,
                    ports->driver->name);
    if (r >= 0 && spec->parent_port == 0 && !ports->driver->picks_port)
        r = err_set(err, EINVAL,
                    "ParentPort 0: the %s driver cannot choose a port; use --port-driver=builtin",
                    ports->driver->name);
    return r < 0 ? r : conflict_of(ports, spec, err);
}

int ports_add(struct ports *ports, struct port_spec *spec, uint32_t *ret_id, struct err *err)
{
    uint32_t id = ports->last_id + 1;
    int r = check(ports, spec, err);
    if (r >= 0)
        r = make_room(ports, err);
    if (r >= 0)
        r = ports->driver->add(ports, id, spec, err);
    if (r < 0)
        return r;
    ports->last_id = id;
    ports->list[ports->n++] = (struct port){.id = id, .spec = *spec};
    *ret_id = id;
    return 0;
}

static struct port *find(const struct ports *ports, uint32_t id)
{
    for (uint32_t i = 0; i < ports->n; i++)
        if (ports->list[i].id == id)
            return &ports->list[i];
    return NULL;
}

/* @return the port, or NULL with the reason */
static struct port *find_published(const struct ports *ports, uint32_t id, struct err *err)
{
    if (!ports->driver) {
        (void)err_set(err, EINVAL, "no PortDriver is available");
        return NULL;
    }
    struct port *port = find(ports, id);
    if (!port)
        (void)err_set(err, ENOENT, "unknown id: %u", id);
    return port;
}

static void forget(struct ports *ports, struct port *port)
{
    size_t behind = ports->n - 1 - (size_t)(port - ports->list);
    memmove(port, port + 1, behind * sizeof *port);
    ports->n--;
}

int ports_remove(struct ports *ports, uint32_t id, struct err *err)
{
    struct port *port = find_published(ports, id, err);
    int r = port ? ports->driver->remove(ports, id, &port->spec, err) : -ENOENT;
    if (r >= 0)
        forget(ports, port);
    return r;
}

int ports_drain(struct ports *ports, uint32_t id, uint32_t seconds, struct err *err)
{
    struct port *port = find_published(ports, id, err);
    if (!port)
        return -ENOENT;
    if (!ports->driver->drain)
        return err_set(err, ENOTSUP, "the %s driver cannot wait for a port's connections",
                       ports->driver->name);
    int r = ports->driver->drain(ports, id, seconds, err);
    if (r >= 0)
        forget(ports, port);
    return r;
}

int ports_drained(struct ports *ports, uint32_t id, struct err *err)
{
    return dataplane_port_drained(ports->plane, id, err);
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
    free(ports->aliases);
    ports->list = NULL;
    ports->aliases = NULL;
    ports->n = ports->room = ports->n_aliases = 0;
}

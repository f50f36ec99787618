#include "rootlesskit/handover/choice.h"

#include <netinet/in.h>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/net/address.h"
#include "rootlesskit/dataplane.h"
#include "rootlesskit/gateway/services.h"
#include "rootlesskit/handover/handover.h"
#include "rootlesskit/handover/notice.h"
#include "rootlesskit/handover/original.h"
#include "rootlesskit/handover/probe.h"
#include "rootlesskit/options.h"
#include "rootlesskit/port/ports.h"

#define FAILURES_MAX 8
#define REST_MS 10000

struct candidates {
    const struct port *port[PROBES_MAX];
    struct probe probe[PROBES_MAX];
    size_t n;
};

bool choice_is_engine(const struct notice *notice)
{
    static const char *const engines[] = {"docker-proxy", "dockerd",    "conmon", "podman",
                                          "rootlessport", "k3s-server", NULL};
    return notice_is_of(notice, engines);
}

static bool is_wanted(const struct handover *handover, const struct port *port)
{
    const struct rk_config *config = handover->config;
    return str_after(port->spec.proto, "tcp") &&
           port_range_has(config->handed_over, config->n_handed_over, port->spec.parent_port);
}

static bool leads_to(const struct port *port, const struct original *original)
{
    struct sockaddr_storage target;
    struct in6_addr ip;
    return address_of_socket(&original->address, &ip) == port->spec.child_port &&
           port_builtin_target(&port->spec, &target, NULL) >= 0 &&
           services_serves(&ip, !original->v6only, &target);
}

/* A container has an address of its own, and by which rules a port leads there is not known to us:
 * any may that nobody has yet. */
static bool may_lead_to(const struct handover *handover, const struct port *port,
                        const struct original *original)
{
    struct place place;
    return is_wanted(handover, port) && place_of(original, &port->spec, &place) &&
           (original->nested ? !handover_has(handover, port->id) : leads_to(port, original));
}

/* Engines publish right before they start a container: the last ports are the likely ones. */
static void collect(const struct handover *handover, const struct original *original,
                    struct candidates *ret)
{
    const struct ports *ports = handover->ports;
    ret->n = 0;
    for (uint32_t i = ports->n; i-- > 0 && ret->n < PROBES_MAX;)
        if (may_lead_to(handover, &ports->list[i], original))
            ret->port[ret->n++] = &ports->list[i];
}

/* A service that has one of them without our help gets a connection with a word that it does not
 * know. */
static void keep_those_that_lead_to(const struct handover *handover,
                                    const struct original *original, struct candidates *candidates)
{
    size_t kept = 0;
    for (size_t i = 0; i < candidates->n; i++)
        candidates->probe[i].fd =
            dataplane_dial_port(handover->ports->plane, candidates->port[i]->id, NULL);
    probe_all(original->fd, candidates->probe, candidates->n);
    for (size_t i = 0; i < candidates->n; i++) {
        fd_close(candidates->probe[i].fd);
        if (candidates->probe[i].state == PROBE_MET)
            candidates->port[kept++] = candidates->port[i];
    }
    candidates->n = kept;
}

static bool is_patient(const struct choice_patience *patience, const struct original *original)
{
    return patience->netns != original->netns || patience->failures < FAILURES_MAX ||
           clock_ms() >= patience->until_ms;
}

static void count_failure(struct choice_patience *patience, const struct original *original)
{
    if (patience->netns != original->netns || patience->failures == FAILURES_MAX)
        patience->failures = 0;
    patience->netns = original->netns;
    patience->failures++;
    patience->until_ms = clock_ms() + REST_MS;
}

static void try_all(struct handover *handover, const struct original *original, int backlog,
                    struct candidates *candidates)
{
    if (candidates->n == 0)
        return;
    if (is_patient(&handover->patience, original) && listen(original->fd, backlog) == 0)
        keep_those_that_lead_to(handover, original, candidates);
    else
        candidates->n = 0;
    if (candidates->n == 0)
        count_failure(&handover->patience, original);
}

/* Whose clients are the most: of both families, of IPv4, of IPv6. */
static int rank(const struct port *port)
{
    const struct port_place place = port_place_of(&port->spec);
    return place.dual ? 2 : place.address.ss_family == AF_INET;
}

static const struct port *best_of(const struct candidates *candidates)
{
    const struct port *best = candidates->port[0];
    for (size_t i = 1; i < candidates->n; i++)
        if (rank(candidates->port[i]) >= rank(best)) /* of equals the first that was published */
            best = candidates->port[i];
    return best;
}

/* Every address of one family. */
static bool is_all_of(const struct port *port, int family)
{
    const struct port_place place = port_place_of(&port->spec);
    struct in6_addr ip;
    (void)address_of_socket(&place.address, &ip);
    return !place.dual && place.address.ss_family == family && address_is_any(&ip);
}

/* Docker publishes every port twice, which one socket of both families can have. */
static const struct port *partner_of(const struct candidates *candidates, const struct port *v4)
{
    for (size_t i = 0; i < candidates->n; i++)
        if (candidates->port[i]->spec.parent_port == v4->spec.parent_port &&
            is_all_of(candidates->port[i], AF_INET6))
            return candidates->port[i];
    return NULL;
}

bool choice_make(struct handover *handover, const struct original *original, int backlog,
                 struct choice *ret)
{
    struct candidates candidates;
    collect(handover, original, &candidates);
    if (original->nested)
        try_all(handover, original, backlog, &candidates);
    if (candidates.n == 0)
        return false;
    const struct port *best = best_of(&candidates), *partner = NULL;
    if (original->family == AF_INET6 && !original->v6only && is_all_of(best, AF_INET))
        partner = partner_of(&candidates, best);
    *ret = (struct choice){.id = {best->id, partner ? partner->id : 0}, .n = partner ? 2 : 1};
    if (!place_of(original, partner ? &partner->spec : &best->spec, &ret->place))
        return false;
    ret->place.twin.dual |= partner != NULL;
    return true;
}

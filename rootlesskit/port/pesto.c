/*
 * The pesto driver: the program that comes with passt 2026_05_07 and newer changes what a running
 * pasta forwards (pesto(1)). pasta leads to the namespace's own address and no other.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "rootlesskit/network/network.h"
#include "rootlesskit/port/bind.h"
#include "rootlesskit/port/ports.h"
#include "rootlesskit/statedir.h"

static int check_child_ip(const struct ports *ports, const struct port_spec *spec, struct err *err)
{
    struct sockaddr_storage address;
    if (!spec->child_ip[0])
        return 0;
    int family = port_ip_parse(spec->child_ip, &address);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&address;
    if (family == AF_INET && v4->sin_addr.s_addr == ports->config->child_ip.s_addr)
        return 0;
    char own[INET_ADDRSTRLEN];
    return err_set(err, EINVAL,
                   "ChildIP %s: the pesto port driver reaches the child's own address alone; leave "
                   "it out or give %s",
                   spec->child_ip, inet_ntop(AF_INET, &ports->config->child_ip, own, sizeof own));
}

/* Where pasta listens: "ADDRESS/", or nothing for every address of both families. */
static void listen_place(const struct port_spec *spec, char *ret, size_t size)
{
    int family = port_spec_family(spec);
    const char *ip = spec->parent_ip;
    if (!ip[0])
        ip = family == AF_INET ? "0.0.0.0" : family == AF_INET6 ? "::" : "";
    (void)str_format(ret, size, "%s%s", ip, ip[0] ? "/" : "");
}

static int run(const struct ports *ports, const char *verb, const struct port_spec *spec,
               struct err *err)
{
    char place[PORT_IP_MAX + 1], rule[PORT_IP_MAX + 32], path[PATH_MAX + 16], said[512];
    listen_place(spec, place, sizeof place);
    (void)str_format(rule, sizeof rule, "--%.3s-ports=%s%u:%u", spec->proto, place,
                     spec->parent_port, spec->child_port);
    (void)str_format(path, sizeof path, "%s/" NETWORK_PASTA_SOCKET, ports->state->path);
    const char *const argv[] = {ports->config->pesto_binary, verb, rule, path, NULL};
    int status = proc_run(argv, said, sizeof said, err);
    if (status <= 0)
        return status;
    char how[64];
    said[strcspn(said, "\n")] = '\0';
    return err_set(err, EINVAL, "%s %s %s failed: %s", ports->config->pesto_binary, verb, rule,
                   said[0] ? said : proc_describe(status, how, sizeof how));
}

/* A rule whose port pasta cannot bind is taken without a word, and no later rule works: so to bind
 * it is tried before. */
static int add(struct ports *ports, uint32_t id, struct port_spec *spec, struct err *err)
{
    (void)id;
    int r = check_child_ip(ports, spec, err);
    if (r < 0)
        return r;
    cleanup_close int fd = port_bind(spec, err);
    if (fd < 0)
        return fd;
    fd = fd_close(fd);
    return run(ports, "-A", spec, err);
}

static int remove_port(struct ports *ports, uint32_t id, const struct port_spec *spec,
                       struct err *err)
{
    (void)id;
    return run(ports, "-D", spec, err);
}

static const char *const protos[] = {"tcp", "tcp4", "udp", "udp4", NULL};
static const char *const protos_ipv6[] = {"tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", NULL};

const struct port_driver port_driver_pesto = {
    .name = "pesto",
    .protos = protos,
    .disallow_loopback_child_ip = true,
    .add = add,
    .remove = remove_port,
};

const struct port_driver port_driver_pesto_ipv6 = {
    .name = "pesto",
    .protos = protos_ipv6,
    .disallow_loopback_child_ip = true,
    .add = add,
    .remove = remove_port,
};

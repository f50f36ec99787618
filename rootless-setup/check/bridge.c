/* Bridges between containers, with the rules that filter on them. */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/net/netlink.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"

#define MTU 1500
#define MODULES "bridge br_netfilter" /* as rootless-setup fix has them */

static int make_bridge(const char **ret_step)
{
    struct netlink netlink = {0};
    *ret_step = "making a bridge";
    int r = netlink_open(&netlink, NULL);
    if (r == 0)
        r = netlink_add_link(&netlink, "br0", "bridge", NULL);
    if (r == 0) {
        *ret_step = "plugging a veth pair into a bridge";
        r = netlink_add_veth(&netlink, "veth0", "veth1", -EBADF, MTU, NULL);
    }
    if (r == 0)
        r = netlink_set_master(&netlink, if_nametoindex("veth0"), if_nametoindex("br0"), NULL);
    netlink_close(&netlink);
    return r;
}

/* The file is there in a network namespace from Linux 5.3 on, before that in the host's alone. */
static void check_filter(const struct check_context *context, struct check_result *result)
{
    static const char file[] = "/proc/sys/net/bridge/bridge-nf-call-iptables";
    struct check_engine_docker docker = {0};
    if (access(file, F_OK) == 0) {
        check_say(result, CHECK_OK,
                  "plugged a veth pair into a bridge, whose packets netfilter sees");
        return;
    }
    bool needed = context->engine == ENGINE_DOCKER &&
                  check_engine_docker_read(&context->subject, &context->files, &docker) &&
                  docker.no_userland_proxy;
    check_say_errno(result, needed ? CHECK_WARNING : CHECK_HINT, ENOENT,
                    "made a bridge, but not %s", file);
    check_cause(result,
                "br_netfilter is not loaded: packets within a bridge pass iptables by, so that a "
                "container does not reach its own network's published ports without the userland "
                "proxy, and network policies of clusters do not hold");
    remedy_modules(result, MODULES, "bridge");
    result->fixable = true;
}

void probe_bridge(const struct check_context *context, struct check_result *result)
{
    struct err err = {0};
    enum scratch_step step;
    const char *what;
    int r = scratch_userns(CLONE_NEWNET, &step, &err);
    if (r < 0) {
        check_say_errno(result, CHECK_FAILED, -r, "a network namespace inside a user namespace");
        explain_userns(step, -r, &context->facts, result);
        return;
    }
    r = make_bridge(&what);
    if (r == 0) {
        check_filter(context, result);
        return;
    }
    check_say_errno(result, CHECK_FAILED, -r, "%s in a network namespace", what);
    explain_module(-r, "bridges, by which containers reach one another", MODULES, "bridge", result);
}

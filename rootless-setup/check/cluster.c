/* What a cluster in the rootless network needs beyond containers: k3s, usernetes. */
#include <fcntl.h>
#include <stdio.h>

#include "lib/base/cursor.h"
#include "lib/base/file.h"
#include "lib/net/netlink.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/network.h"
#include "rootless-setup/check/probe.h"

/* As flannel makes its own. */
#define VNI 1
#define PORT 8472

void probe_vxlan(const struct check_context *context, struct check_result *result)
{
    if (network_enter(context, result) < 0)
        return;
    struct netlink netlink = {0};
    int r = netlink_open(&netlink, NULL);
    if (r == 0)
        r = netlink_add_vxlan(&netlink, "vxlan0", VNI, PORT, NULL);
    netlink_close(&netlink);
    if (r == 0) {
        check_say(result, CHECK_OK, "made one in a network namespace");
        return;
    }
    check_say_errno(result, context->engine == ENGINE_K3S ? CHECK_WARNING : CHECK_HINT, -r,
                    "making a VXLAN interface in a network namespace");
    explain_module(-r, "VXLAN, of which flannel makes the network of a cluster (k3s, usernetes)",
                   "vxlan", "vxlan", result);
    check_remedy(result, REMEDY_NOTE,
                 "or k3s server --flannel-backend=host-gw, for a cluster of one network");
}

#define STRICT 1
#define LOOSE "2"

/* Of the network namespace that this process is in; -1 where there is no such sysctl. */
static int read_sysctl(const char *name)
{
    char path[128], text[32];
    uint64_t value;
    (void)snprintf(path, sizeof path, "/proc/sys/net/ipv4/%s", name);
    if (file_read_into(AT_FDCWD, path, text, sizeof text, NULL) < 0)
        return -1;
    struct cursor c = cursor_of(text);
    return cursor_u64(&c, 10, 1000, &value) ? (int)value : -1;
}

/* Who does not want k3s gets no advice to make a router of this host. */
static bool k3s_wanted(const struct check_context *context)
{
    char path[4096];
    return context->engine == ENGINE_K3S ||
           files_program(&context->files, "k3s", path, sizeof path) == 0;
}

static enum check_status loss(const struct check_context *context, enum check_status of_k3s)
{
    return context->engine == ENGINE_K3S ? of_k3s : CHECK_HINT;
}

static void say_no_forwarding(const struct check_context *context, struct check_result *result)
{
    check_say(result, loss(context, CHECK_FAILED), "net.ipv4.ip_forward of this host is 0");
    check_cause(result,
                "k3s looks at the host's own, which its network has nothing to do with, and "
                "ends: expected sysctl value \"net.ipv4.ip_forward\" to be \"1\"");
    remedy_sysctl(result, "net.ipv4.ip_forward", "1", "k3s");
    check_remedy(result, REMEDY_NOTE,
                 "with that this host forwards packets between its networks; a firewall that "
                 "forwards nothing unasked keeps it from being a router");
}

/* The kernel goes by the higher of the two, and a new namespace begins with the host's
 * (net.core.devconf_inherit_init_net). */
static void check_strict(const struct check_context *context, struct check_result *result)
{
    int all = read_sysctl("conf/all/rp_filter"), new_ones = read_sysctl("conf/default/rp_filter");
    if ((all > new_ones ? all : new_ones) != STRICT)
        return;
    if (result->status == CHECK_OK)
        check_say(result, loss(context, CHECK_WARNING),
                  "a new network namespace has net.ipv4.conf.*.rp_filter = 1, as this host has");
    check_cause(result, "what comes to a pod by another way than its answer takes is dropped "
                        "without a word: services and flannel do that");
    if (all == STRICT)
        remedy_sysctl(result, "net.ipv4.conf.all.rp_filter", LOOSE, "rp-filter-all");
    if (new_ones == STRICT)
        remedy_sysctl(result, "net.ipv4.conf.default.rp_filter", LOOSE, "rp-filter");
    check_remedy(result, REMEDY_NOTE,
                 "or leave the host's as it is, and set it in k3s' network namespace each time it "
                 "has started");
}

void probe_k3s(const struct check_context *context, struct check_result *result)
{
    if (!k3s_wanted(context)) {
        check_say(result, CHECK_OK, "k3s is not installed");
        return;
    }
    check_say(result, CHECK_OK,
              "this host forwards packets, and a new network namespace does not filter by route");
    if (read_sysctl("ip_forward") == 0)
        say_no_forwarding(context, result);
    struct check_result entering = {0};
    if (network_enter(context, &entering) == 0)
        check_strict(context, result);
    /* Both change what the host itself lets through: nothing to be done along with other things. */
    result->fixable = false;
}

/* What a cluster in the rootless network needs beyond containers: k3s, usernetes. */
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

/* Routing netlink in a network namespace of one's own: veth pairs, policy rules, local routes. */
#include <errno.h>
#include <sys/socket.h>

#include "lib/net/netlink.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/network.h"
#include "rootless-setup/check/probe.h"

#define MTU 1500
#define MARK 1
#define TABLE 100

void probe_veth(const struct check_context *context, struct check_result *result)
{
    if (network_enter(context, result) < 0)
        return;
    struct netlink netlink = {0};
    int r = netlink_open(&netlink, NULL);
    if (r == 0)
        r = netlink_add_veth(&netlink, "veth0", "veth1", -EBADF, MTU, NULL);
    netlink_close(&netlink);
    if (r < 0) {
        check_say_errno(result, CHECK_FAILED, -r, "making a veth pair in a network namespace");
        explain_module(-r, "veth devices, which container bridges and the gateway network need",
                       "veth", "veth", result);
        return;
    }
    check_say(result, CHECK_OK, "made a pair in a network namespace");
}

void probe_rule(const struct check_context *context, struct check_result *result)
{
    if (network_enter(context, result) < 0)
        return;
    struct netlink netlink = {0};
    int r = scratch_loopback_up();
    if (r == 0)
        r = netlink_open(&netlink, NULL);
    if (r == 0)
        r = netlink_mark_is_local(&netlink, AF_INET, MARK, TABLE, NULL);
    netlink_close(&netlink);
    if (r == 0) {
        check_say(result, CHECK_OK, "set a mark rule and a local default route");
        return;
    }
    enum check_status status = network_gateway_lost(result);
    check_say_errno(result, status, -r,
                    "a rule for marked packets and a local route in a network namespace");
    check_cause(result, "the kernel lacks policy routing (CONFIG_IP_MULTIPLE_TABLES), which the "
                        "gateway network needs");
}

/* Routing netlink in a network namespace of one's own: veth pairs, policy rules, local routes; and
 * forwarding. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "lib/base/err.h"
#include "lib/base/file.h"
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

/* Docker's start script, netavark and the CNI plugins turn it on in the rootless network. */
void probe_forward(const struct check_context *context, struct check_result *result)
{
    struct err err = {0};
    if (network_enter(context, result) < 0)
        return;
    int r = file_poke(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", "1", &err);
    if (r == 0) {
        check_say(result, CHECK_OK, "turned it on in a network namespace");
        return;
    }
    check_say_errno(result, CHECK_WARNING, -r,
                    "setting net.ipv4.ip_forward in a network namespace of one's own");
    check_cause(result, r == -EROFS ? "/proc/sys is mounted read-only, as in a container; Docker's "
                                      "start script ends there"
                                    : "a security module or container refuses it");
    check_remedy(result, REMEDY_NOTE,
                 "in a container: start it with --security-opt systempaths=unconfined");
}

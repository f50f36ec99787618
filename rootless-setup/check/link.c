/* Routing netlink in a network namespace of one's own: veth pairs, policy rules, local routes. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>

#include "lib/base/err.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/netlink.h"
#include "rootless-setup/check/network.h"
#include "rootless-setup/check/probe.h"

#define MARK 1
#define TABLE 100

static void put_veth(struct netlink_batch *batch)
{
    void *extra;
    struct nlmsghdr *message =
        netlink_begin(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
                      sizeof(struct ifinfomsg), &extra);
    mnl_attr_put_strz(message, IFLA_IFNAME, "veth0");
    struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
    (void)mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(message, IFLA_IFNAME, "veth1");
    mnl_attr_nest_end(message, peer);
    mnl_attr_nest_end(message, data);
    mnl_attr_nest_end(message, info);
    netlink_end(batch, message);
}

void probe_veth(const struct check_context *context, struct check_result *result)
{
    if (network_enter(context, result) < 0)
        return;
    struct netlink_batch batch = {.len = 0};
    put_veth(&batch);
    int r = netlink_send(&batch, NETLINK_ROUTE);
    if (r < 0) {
        check_say_errno(result, CHECK_FAILED, -r, "making a veth pair in a network namespace");
        explain_module(-r, "veth devices, which container bridges and the gateway network need",
                       "veth", "veth", result);
        return;
    }
    check_say(result, CHECK_OK, "made a pair in a network namespace");
}

static void put_rule(struct netlink_batch *batch)
{
    void *extra;
    struct nlmsghdr *message =
        netlink_begin(batch, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
                      sizeof(struct fib_rule_hdr), &extra);
    struct fib_rule_hdr *header = extra;
    header->family = AF_INET;
    header->action = FR_ACT_TO_TBL;
    header->table = TABLE;
    mnl_attr_put_u32(message, FRA_FWMARK, MARK);
    netlink_end(batch, message);
}

static void put_local_route(struct netlink_batch *batch)
{
    void *extra;
    struct nlmsghdr *message = netlink_begin(
        batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, sizeof(struct rtmsg), &extra);
    struct rtmsg *header = extra;
    header->rtm_family = AF_INET;
    header->rtm_table = TABLE;
    header->rtm_protocol = RTPROT_STATIC;
    header->rtm_scope = RT_SCOPE_HOST;
    header->rtm_type = RTN_LOCAL;
    mnl_attr_put_u32(message, RTA_OIF, if_nametoindex("lo"));
    netlink_end(batch, message);
}

void probe_rule(const struct check_context *context, struct check_result *result)
{
    if (network_enter(context, result) < 0)
        return;
    int r = scratch_loopback_up();
    if (r == 0) {
        struct netlink_batch batch = {.len = 0};
        put_rule(&batch);
        put_local_route(&batch);
        r = netlink_send(&batch, NETLINK_ROUTE);
    }
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

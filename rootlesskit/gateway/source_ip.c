#include "rootlesskit/gateway/source_ip.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/net/netlink.h"
#include "rootlesskit/gateway/confine.h"
#include "rootlesskit/gateway/datagram.h"
#include "rootlesskit/gateway/source_rules.h"

/* RootlessKit's numbers, which users may know from `ip rule`. */
#define MARK 100
#define TABLE 100

static int install_nft(int family, struct err *err)
{
    const struct source_rules rules = {.socket = SOURCE_IP_SOCKET_MARK,
                                       .packet = MARK,
                                       .flow_ms = DATAGRAM_IDLE_MS + DATAGRAM_IDLE_MS / 8};
    return source_rules_install(family, &rules, err);
}

static int run_iptables(const char *const *argv, struct err *err)
{
    char said[256];
    int status = proc_run(argv, said, sizeof said, err);
    if (status < 0)
        return status;
    said[strcspn(said, "\n")] = '\0';
    return status != 0 ? err_set(err, EIO, "%s failed: %s", argv[0], said) : 0;
}

static int install_iptables(int family, struct err *err)
{
    char socket_mark[16], mark[16];
    const char *program = family == AF_INET6 ? "ip6tables" : "iptables";
    (void)str_format(socket_mark, sizeof socket_mark, "%#x", SOURCE_IP_SOCKET_MARK);
    (void)str_format(mark, sizeof mark, "%d", MARK);
    const char *const rules[][20] = {
        {program, "-t", "mangle", "-A", "OUTPUT", "-m", "mark", "--mark", socket_mark, "-j",
         "CONNMARK", "--set-mark", mark},
        {program, "-t", "mangle", "-A", "OUTPUT", "-m", "conntrack", "--ctdir", "REPLY", "-m",
         "connmark", "--mark", mark, "-j", "MARK", "--set-mark", mark},
        {program, "-t", "mangle", "-A", "PREROUTING", "-m", "connmark", "--mark", mark, "-j",
         "MARK", "--set-mark", mark},
    };
    int r = 0;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0] && r >= 0; i++)
        r = run_iptables(rules[i], err);
    return r;
}

static int install_routes(int family, struct err *err)
{
    struct netlink netlink = {0};
    int r = netlink_open(&netlink, err);
    if (r >= 0)
        r = netlink_mark_is_local(&netlink, (uint8_t)family, MARK, TABLE, err);
    if (r >= 0 && family == AF_INET)
        r = netlink_loopback_is_answered(&netlink, TABLE, err);
    netlink_close(&netlink);
    return r;
}

typedef int install_fn(int family, struct err *err);

/* Without IPv6 in this kernel or namespace its part fails, and nobody misses it. */
static int install(install_fn *fn, struct err *err)
{
    int r = fn(AF_INET, err);
    if (r >= 0)
        (void)fn(AF_INET6, NULL);
    return r;
}

static int install_rules(enum gateway_source_ip wanted, struct err *err)
{
    struct err nft = {0};
    if (wanted != GATEWAY_SOURCE_IP_IPTABLES) {
        if (install(install_nft, &nft) >= 0)
            return GATEWAY_SOURCE_IP_NFT;
        if (wanted == GATEWAY_SOURCE_IP_NFT)
            return err_set(err, nft.code, "%s", nft.msg);
    }
    /* The user's id may not be mapped yet: a program keeps what it needs as ambient capabilities.
     * iptables' lock belongs to the host's root; in here is nobody to lock out. */
    int r = confine_keep_ambient(err);
    (void)setenv("XTABLES_LOCKFILE", "/dev/null", 0);
    if (r >= 0)
        r = install(install_iptables, err);
    if (r >= 0)
        return GATEWAY_SOURCE_IP_IPTABLES;
    return nft.code ? err_wrap(err, r, "%s; and", nft.msg) : r;
}

/* Marks of packets go over to accepted sockets, and to what the kernel answers by itself. */
static int take_marks_over(struct err *err)
{
    int r = file_poke(AT_FDCWD, "/proc/sys/net/ipv4/tcp_fwmark_accept", "1", err);
    if (r >= 0)
        r = file_poke(AT_FDCWD, "/proc/sys/net/ipv4/fwmark_reflect", "1", err);
    if (r >= 0)
        (void)file_poke(AT_FDCWD, "/proc/sys/net/ipv6/fwmark_reflect", "1", NULL);
    return r;
}

int source_ip_set_up(enum gateway_source_ip wanted, struct err *err)
{
    int r = take_marks_over(err);
    if (r >= 0)
        r = install(install_routes, err);
    return r < 0 ? r : install_rules(wanted, err);
}

/* Docker and the CNI plugins speak to netfilter through iptables: its binary, and the matches and
 * targets that their rules use. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/proc.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/search.h"

#define RULES 3
#define WORDS_MAX 14

/* Of one IP version. */
struct family {
    const char *program;
    const char *legacy, *nft; /* modules of the two variants of the program */
    const char *rules[RULES][WORDS_MAX];
};

/* As Docker's bridge and its published ports have them. */
static const struct family ipv4 = {
    .program = "iptables",
    .legacy = "ip_tables iptable_nat iptable_filter xt_MASQUERADE xt_conntrack xt_addrtype",
    .nft = "nf_tables nft_compat nft_chain_nat xt_MASQUERADE xt_conntrack xt_addrtype",
    .rules =
        {
            {"iptables", "-w", "-t", "nat", "-A", "POSTROUTING", "-s", "172.17.0.0/16", "-j",
             "MASQUERADE"},
            {"iptables", "-w", "-t", "nat", "-A", "PREROUTING", "-m", "addrtype", "--dst-type",
             "LOCAL", "-j", "RETURN"},
            {"iptables", "-w", "-A", "FORWARD", "-m", "conntrack", "--ctstate",
             "RELATED,ESTABLISHED", "-j", "ACCEPT"},
        },
};
static const struct family ipv6 = {
    .program = "ip6tables",
    .legacy = "ip6_tables ip6table_nat ip6table_filter xt_MASQUERADE xt_conntrack xt_addrtype",
    .nft = "nf_tables nft_compat nft_chain_nat xt_MASQUERADE xt_conntrack xt_addrtype",
    .rules =
        {
            {"ip6tables", "-w", "-t", "nat", "-A", "POSTROUTING", "-s", "fd00:172:17::/64", "-j",
             "MASQUERADE"},
            {"ip6tables", "-w", "-t", "nat", "-A", "PREROUTING", "-m", "addrtype", "--dst-type",
             "LOCAL", "-j", "RETURN"},
            {"ip6tables", "-w", "-A", "FORWARD", "-m", "conntrack", "--ctstate",
             "RELATED,ESTABLISHED", "-j", "ACCEPT"},
        },
};

/* Engines without it start, and then make no network for containers; without IPv6's alone, they
 * make networks that have none. */
static enum check_status loss(const struct check_context *context, const struct family *family)
{
    struct check_engine_docker docker = {0};
    bool told = context->engine == ENGINE_DOCKER &&
                check_engine_docker_read(&context->subject, &context->files, &docker);
    if (told && (docker.no_iptables || (family == &ipv6 && docker.no_ip6tables)))
        return CHECK_HINT;
    return family == &ipv4 && (FOR_DAEMONS & (1U << context->engine)) ? CHECK_FAILED
                                                                      : CHECK_WARNING;
}

static void say_refused(const struct check_context *context, const struct family *family,
                        const char *said, struct check_result *result)
{
    char version[128] = "";
    const char *const ask[] = {family->program, "--version", NULL};
    (void)proc_run(ask, version, sizeof version, NULL);
    check_say(result, loss(context, family),
              "adding Docker's rules with %s in a network namespace: %.*s", family->program,
              (int)strcspn(said, "\n"), said);
    if (family == &ipv6)
        check_cause(result, "networks of containers that have IPv6 are not made, those of IPv4 are "
                            "(Docker uses ip6tables by itself from version 27 on)");
    check_cause(result,
                "a module that Docker's and CNI's networks need is not loaded, and does not "
                "load by itself from a user namespace; after a kernel update, reboot first");
    remedy_modules(result, strstr(version, "legacy") ? family->legacy : family->nft,
                   family->program);
}

static void say_missing(const struct check_context *context, struct check_result *result)
{
    check_say(result, loss(context, &ipv4), "no iptables in $PATH nor in /usr/sbin");
    check_cause(result, "Docker and the CNI plugins make their networks with it; podman does "
                        "without");
    distro_remedy_install(&context->distro, PACKAGE_IPTABLES, result);
}

/* @return false when it did not take one, and that was said */
static bool try_rules(const struct check_context *context, const struct family *family,
                      struct check_result *result)
{
    struct err err = {0};
    char said[512];
    for (size_t i = 0; i < RULES; i++) {
        int r = proc_run(family->rules[i], said, sizeof said, &err);
        if (r == 0)
            continue;
        say_refused(context, family, r < 0 ? err.msg : said, result);
        return false;
    }
    return true;
}

void probe_iptables(const struct check_context *context, struct check_result *result)
{
    struct err err = {0};
    enum scratch_step step;
    char said[512];
    search_sbin();
    if (proc_find("iptables", said, sizeof said) < 0) {
        say_missing(context, result);
        return;
    }
    int r = scratch_userns(CLONE_NEWNS | CLONE_NEWNET, &step, &err);
    /* Its lock lies in /run, which is root's. */
    if (r == 0 && mount("tmpfs", "/run", "tmpfs", 0, "size=64k") < 0)
        r = -errno;
    if (r < 0) {
        check_say_errno(result, CHECK_FAILED, -r, "a network namespace inside a user namespace");
        explain_userns(step, -r, &context->facts, result);
        return;
    }
    bool has_ipv6 = access("/proc/net/if_inet6", F_OK) == 0;
    if (!try_rules(context, &ipv4, result) || (has_ipv6 && !try_rules(context, &ipv6, result)))
        return;
    check_say(result, CHECK_OK, "added Docker's rules in a network namespace (%s)",
              has_ipv6 ? "IPv4 and IPv6" : "of IPv4, this kernel has no other");
}

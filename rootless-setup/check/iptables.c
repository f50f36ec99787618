/* Docker and the CNI plugins speak to netfilter through iptables: its binary, and the matches and
 * targets that their rules use. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

#include "lib/base/err.h"
#include "lib/base/proc.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/search.h"

#define WORDS_MAX 14

/* As Docker's bridge and its published ports have them. */
static const char *const rules[][WORDS_MAX] = {
    {"iptables", "-w", "-t", "nat", "-A", "POSTROUTING", "-s", "172.17.0.0/16", "-j", "MASQUERADE"},
    {"iptables", "-w", "-t", "nat", "-A", "PREROUTING", "-m", "addrtype", "--dst-type", "LOCAL",
     "-j", "RETURN"},
    {"iptables", "-w", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j",
     "ACCEPT"},
};

/* Engines without it start, and then make no network for containers. */
static enum check_status loss(const struct check_context *context)
{
    struct check_engine_docker docker;
    if (context->engine == ENGINE_DOCKER &&
        check_engine_docker_read(&context->subject, &context->files, &docker) && docker.no_iptables)
        return CHECK_HINT;
    return FOR_DAEMONS & (1U << context->engine) ? CHECK_FAILED : CHECK_WARNING;
}

static void say_refused(const struct check_context *context, const char *what, const char *said,
                        struct check_result *result)
{
    char version[128] = "";
    const char *const ask[] = {"iptables", "--version", NULL};
    (void)proc_run(ask, version, sizeof version, NULL);
    check_say(result, loss(context), "%s: %.*s", what, (int)strcspn(said, "\n"), said);
    check_cause(result,
                "a module that Docker's and CNI's networks need is not loaded, and does not "
                "load by itself from a user namespace; after a kernel update, reboot first");
    remedy_modules(
        result,
        strstr(version, "legacy")
            ? "ip_tables iptable_nat iptable_filter xt_MASQUERADE xt_conntrack xt_addrtype"
            : "nf_tables nft_compat nft_chain_nat xt_MASQUERADE xt_conntrack xt_addrtype",
        "iptables");
}

static void say_missing(const struct check_context *context, struct check_result *result)
{
    check_say(result, loss(context), "no iptables in $PATH nor in /usr/sbin");
    check_cause(result, "Docker and the CNI plugins make their networks with it; podman does "
                        "without");
    distro_remedy_install(&context->distro, PACKAGE_IPTABLES, result);
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
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        r = proc_run(rules[i], said, sizeof said, &err);
        if (r == 0)
            continue;
        say_refused(context, "adding Docker's rules in a network namespace", r < 0 ? err.msg : said,
                    result);
        return;
    }
    check_say(result, CHECK_OK, "added Docker's rules in a network namespace");
}

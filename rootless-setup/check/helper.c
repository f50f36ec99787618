/* pasta and slirp4netns, the networks that engines bring when nobody gives them another: each is
 * started on a scratch network namespace and has to make its interface there. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/helper.h"
#include "rootless-setup/check/network.h"
#include "rootless-setup/check/probe.h"

#define READY_MS 3000
#define SAID_MAX 1024

/* ---- versions ---- */

/* The first date in "pasta 2024_08_14.61c0b0d" or "0.0~git20240220.1e6f92b". */
uint32_t helper_pasta_date(const char *said)
{
    for (const char *p = said; *p; p++) {
        char digits[9];
        size_t n = 0;
        const char *q = p;
        if (strncmp(p, "20", 2) != 0 || (p > said && p[-1] >= '0' && p[-1] <= '9'))
            continue;
        for (; n < 8 && (*q == '_' || (*q >= '0' && *q <= '9')); q++)
            if (*q != '_')
                digits[n++] = *q;
        digits[n] = '\0';
        struct cursor c = cursor_of(digits);
        uint64_t date;
        if (n == 8 && cursor_u64(&c, 10, 29991231, &date))
            return (uint32_t)date;
    }
    return 0;
}

/* "1.2.3" as 1002003. @return 0 when there is none behind @p word */
uint32_t helper_version(const char *said, const char *word)
{
    const char *at = strstr(said, word);
    uint64_t part[3] = {0};
    if (!at)
        return 0;
    struct cursor c = cursor_of(at + strlen(word));
    for (size_t i = 0; i < 3; i++)
        if (!cursor_u64(&c, 10, 999, &part[i]) || !cursor_char(&c, '.'))
            break;
    return (uint32_t)(part[0] * 1000000 + part[1] * 1000 + part[2]);
}

struct fault {
    uint32_t before; /* the version that has it no more */
    enum check_status status;
    const char *text;
};

static const struct fault pasta_faults[] = {
    {20230625, CHECK_WARNING, "RootlessKit cannot use it: it wants 2023_06_25 or later"},
    {20231204, CHECK_HINT, "before 2023_12_04 ports that it publishes stall now and then"},
    {20240814, CHECK_HINT,
     "before 2024_08_14 it lacks --map-guest-addr: host.containers.internal does not answer in "
     "podman"},
};

static const struct fault slirp_faults[] = {
    {4000, CHECK_WARNING, "engines refuse it: before 0.4.0 it has no --netns-type"},
};

static const struct fault libslirp_faults[] = {
    {4003001, CHECK_WARNING,
     "its libslirp, before 4.3.1, lets a container read and write its memory (CVE-2020-1983, "
     "CVE-2020-10756)"},
    {4006000, CHECK_HINT,
     "its libslirp, before 4.6.0, lets a container read some of its memory (CVE-2021-3592)"},
};

static void judge(uint32_t version, const struct fault *faults, size_t n,
                  struct check_result *result)
{
    for (size_t i = 0; version != 0 && i < n; i++) {
        if (version >= faults[i].before)
            continue;
        result->status = check_worse(result->status, faults[i].status);
        check_cause(result, "%s", faults[i].text);
        return;
    }
}

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

void helper_judge_pasta(const char *said, struct check_result *result)
{
    judge(helper_pasta_date(said), pasta_faults, LENGTH(pasta_faults), result);
}

void helper_judge_slirp(const char *said, struct check_result *result)
{
    judge(helper_version(said, "slirp4netns version "), slirp_faults, LENGTH(slirp_faults), result);
    judge(helper_version(said, "libslirp: "), libslirp_faults, LENGTH(libslirp_faults), result);
}

/* ---- the trial ---- */

static int enter_network(const void *arg)
{
    struct err err = {0};
    enum scratch_step step;
    (void)arg;
    return scratch_userns(CLONE_NEWNET, &step, &err);
}

/* Whether the target's namespace has another interface than lo. */
static bool has_interface(pid_t target)
{
    char path[64], text[4096];
    (void)snprintf(path, sizeof path, "/proc/%d/net/dev", target);
    if (file_read_into(AT_FDCWD, path, text, sizeof text, NULL) < 0)
        return false;
    struct cursor all = cursor_of(text), line;
    int lines = 0;
    while (cursor_line(&all, &line))
        lines++;
    return lines > 3; /* two of heading, and lo */
}

struct trial {
    pid_t target;
    pid_t helper;
    int said_fd;
    char said[SAID_MAX];
};

/* Waits for the interface, or for the helper's end. @return true when it was made */
static bool wait_for_interface(struct trial *trial)
{
    size_t used = 0;
    for (int waited = 0; waited < READY_MS; waited += 2) {
        struct pollfd ended = {.fd = trial->said_fd, .events = POLLIN};
        if (has_interface(trial->target))
            return true;
        if (poll(&ended, 1, 2) <= 0)
            continue;
        ssize_t n = read(trial->said_fd, trial->said + used, sizeof trial->said - 1 - used);
        if (n <= 0)
            return has_interface(trial->target);
        used += (size_t)n;
        trial->said[used] = '\0';
        if (used == sizeof trial->said - 1)
            used = 0;
    }
    return false;
}

/* Whether a signal reaches the helper: AppArmor profiles have forgotten that. One that it does not
 * reach ends with us. @return errno or 0 */
static int end_helper(pid_t helper)
{
    if (kill(helper, SIGTERM) < 0)
        return errno;
    scratch_let_go(helper);
    return 0;
}

/* @return 0 when it made its interface; its own errno is not known, so -EIO; -errno otherwise */
static int try_helper(struct trial *trial, const char *const *argv, int *ret_kill, struct err *err)
{
    int said[2];
    if (pipe2(said, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    struct proc_spec spec = {
        .argv = argv, .stdout_fd = said[1], .stderr_fd = said[1], .die_with_parent = 1};
    trial->helper = proc_start(&spec, err);
    fd_close(said[1]);
    trial->said_fd = said[0];
    int r = trial->helper < 0 ? trial->helper : wait_for_interface(trial) ? 0 : -EIO;
    *ret_kill = trial->helper > 0 ? end_helper(trial->helper) : 0;
    fd_close(said[0]);
    return r;
}

/* Of several lines the last tells why. */
static const char *last_line(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    const char *newline = strrchr(text, '\n');
    return newline ? newline + 1 : text;
}

/* What a missing or broken one means: podman has no other, k3s knows slirp4netns only, rootlesskit
 * has its gateway. */
static enum check_status loss(const struct check_context *context, const char *other)
{
    char path[4096];
    if (context->engine == ENGINE_K3S)
        return CHECK_FAILED;
    if (context->engine != ENGINE_PODMAN)
        return CHECK_HINT;
    return proc_find(other, path, sizeof path) == 0 ? CHECK_WARNING : CHECK_FAILED;
}

static void say_missing(const struct check_context *context, const char *name, const char *other,
                        enum distro_package package, struct check_result *result)
{
    check_say(result, loss(context, other), "looked for %s in $PATH", name);
    check_cause(result, "%s",
                package == PACKAGE_PASST
                    ? "podman from version 5 on makes its network with it; rootlesskit does without"
                    : "older engines and k3s make their network with it; rootlesskit does without");
    distro_remedy_install(&context->distro, package, result);
}

static void say_failed(const struct check_context *context, struct trial *trial, const char *path,
                       const char *other, const struct err *err, struct check_result *result)
{
    const char *why = trial->helper < 0 ? err->msg : last_line(trial->said);
    check_say(result, loss(context, other), "%s made no interface in a scratch namespace%s%s", path,
              why[0] ? ": " : "", why);
    if (strstr(trial->said, "/dev/net/tun") || strstr(trial->said, "tun socket"))
        check_cause(result, "it cannot use the tun device, see net.tun");
    else if (strstr(trial->said, "ermission denied") && context->facts.apparmor)
        check_cause(result, "AppArmor's profile for it refuses another program's namespaces; the "
                            "kernel log says which");
    else
        check_cause(result, "networks that are made with it do not start");
}

static void probe_helper(const struct check_context *context, const char *const *argv,
                         const char *path, const char *other, pid_t target,
                         struct check_result *result)
{
    static struct trial trial;
    struct err err = {0};
    char version[SAID_MAX] = "";
    const char *const ask[] = {path, "--version", NULL};
    int kill_code = 0;
    trial = (struct trial){.target = target};
    int r = try_helper(&trial, argv, &kill_code, &err);
    if (r < 0) {
        say_failed(context, &trial, path, other, &err, result);
        return;
    }
    (void)proc_run(ask, version, sizeof version, NULL);
    check_say(result, CHECK_OK, "%.*s made its interface in a scratch namespace",
              (int)strcspn(version, "\n"), version);
    if (str_equal(other, "slirp4netns"))
        helper_judge_pasta(version, result);
    else
        helper_judge_slirp(version, result);
    if (kill_code == 0)
        return;
    check_say_errno(result, CHECK_WARNING, kill_code, "ending %s", path);
    check_cause(result, "a security module does not let its starter signal it: containers take "
                        "seconds to stop");
}

/* What a helper is tried on. @param ret_path  where it is
 * @return a process in a network namespace of its own, or -errno with the result said */
static pid_t hold_network(const struct check_context *context, const char *name, const char *other,
                          enum distro_package package, char ret_path[4096],
                          struct check_result *result)
{
    int r = proc_find(name, ret_path, 4096);
    if (r < 0) {
        say_missing(context, name, other, package, result);
        return r;
    }
    pid_t target = scratch_hold(enter_network, NULL);
    if (target < 0)
        check_say_errno(result, CHECK_FAILED, -target, "a network namespace in a user namespace");
    return target;
}

void probe_pasta(const struct check_context *context, struct check_result *result)
{
    char path[4096], pid[16];
    pid_t target = hold_network(context, "pasta", "slirp4netns", PACKAGE_PASST, path, result);
    if (target < 0)
        return;
    (void)snprintf(pid, sizeof pid, "%d", target);
    /* No port is taken over, and nothing is sent: addresses are given. */
    const char *const argv[] = {path,
                                "--foreground",
                                "--quiet",
                                "--ipv4-only",
                                "--config-net",
                                "--ns-ifname",
                                "tap0",
                                "--address",
                                "10.0.2.100",
                                "--netmask",
                                "24",
                                "--gateway",
                                "10.0.2.2",
                                "--tcp-ports",
                                "none",
                                "--udp-ports",
                                "none",
                                "--tcp-ns",
                                "none",
                                "--udp-ns",
                                "none",
                                "--no-dhcp",
                                "--no-ndp",
                                "--no-dhcpv6",
                                "--no-ra",
                                pid,
                                NULL};
    probe_helper(context, argv, path, "slirp4netns", target, result);
    scratch_let_go(target);
}

void probe_slirp4netns(const struct check_context *context, struct check_result *result)
{
    char path[4096], pid[16];
    pid_t target = hold_network(context, "slirp4netns", "pasta", PACKAGE_SLIRP4NETNS, path, result);
    if (target < 0)
        return;
    (void)snprintf(pid, sizeof pid, "%d", target);
    const char *const argv[] = {path, "--configure", "--disable-dns", pid, "tap0", NULL};
    probe_helper(context, argv, path, "pasta", target, result);
    scratch_let_go(target);
}

/* Shares of the kernel that run out under many containers, with errors that name something else. */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"

/* What one engine with some containers needs beside what is in use now. */
#define KEYRINGS_WANTED 16
#define INOTIFY_WANTED 16
#define NOFILE_ENGINE 1024   /**< below it dockerd and containerd run dry */
#define NOFILE_CLUSTER 65536 /**< kind asks for that many in its nodes */
#define NPROC_ENGINE 1024

/* One of two limits is used up, which of them is not known: what is high enough may stay. fix does
 * the rest only where it knows how high. */
static void raise_limit(struct check_result *result, const char *path, const char *key, long wanted,
                        const char *name)
{
    char file[128], text[32];
    uint64_t now = 0;
    bool fixable = result->fixable;
    (void)str_format(file, sizeof file, "/proc/sys/%s", path);
    if (file_read_into(AT_FDCWD, file, text, sizeof text, NULL) > 0) {
        struct cursor c = cursor_of(text);
        (void)cursor_u64(&c, 10, INT32_MAX / 2, &now);
    }
    remedy_raise(result, key, (long)now, wanted, name);
    result->fixable |= fixable;
}

static void say_no_key(int code, const char *what, struct check_result *result)
{
    if (code == ENOSYS) {
        check_say(result, CHECK_OK, "this kernel has no keyrings, and engines do without");
        return;
    }
    check_say_errno(result, code == EDQUOT ? CHECK_FAILED : CHECK_HINT, code, "%s", what);
    if (code != EDQUOT) {
        check_cause(result, "a seccomp filter or security module refuses keyrings to this "
                            "process, as in a container");
        return;
    }
    check_cause(result, "each container takes a keyring, and the user's share is used up: "
                        "kernel.keys.maxkeys, kernel.keys.maxbytes");
    raise_limit(result, "kernel/keys/maxkeys", "kernel.keys.maxkeys", 20000, "keys");
    raise_limit(result, "kernel/keys/maxbytes", "kernel.keys.maxbytes", 400000, "keys-bytes");
}

/* Each container joins a session keyring of its own, which counts against the user. */
void probe_keys(const struct check_context *context, struct check_result *result)
{
    (void)context;
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0) {
        say_no_key(errno, "joining a session keyring", result);
        return;
    }
    for (int i = 0; i < KEYRINGS_WANTED; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "rootless-check-%d", i);
        if (syscall(SYS_add_key, "keyring", name, NULL, 0, KEY_SPEC_SESSION_KEYRING) < 0) {
            say_no_key(errno, "making some more keyrings", result);
            return;
        }
    }
    check_say(result, CHECK_OK, "joined a session keyring and made %d more", KEYRINGS_WANTED);
}

void probe_inotify(const struct check_context *context, struct check_result *result)
{
    (void)context;
    for (int i = 0; i < INOTIFY_WANTED; i++) {
        int fd = inotify_init1(IN_CLOEXEC); /* they end with this process */
        if (fd >= 0 && inotify_add_watch(fd, "/", IN_DELETE_SELF) >= 0)
            continue;
        int code = errno;
        check_say_errno(result, CHECK_WARNING, code, "%s of inotify instance %d of %d",
                        fd < 0 ? "making" : "the watch", i + 1, INOTIFY_WANTED);
        check_cause(result, fd < 0 ? "the user's share of instances is used up "
                                     "(fs.inotify.max_user_instances), which programs report as "
                                     "too many open files"
                                   : "the user's share of watches is used up "
                                     "(fs.inotify.max_user_watches), which programs report as no "
                                     "space left on device");
        raise_limit(result, "fs/inotify/max_user_instances", "fs.inotify.max_user_instances", 1024,
                    "inotify");
        raise_limit(result, "fs/inotify/max_user_watches", "fs.inotify.max_user_watches", 524288,
                    "inotify-watches");
        return;
    }
    check_say(result, CHECK_OK, "made %d instances, each with a watch", INOTIFY_WANTED);
}

static rlim_t hard_limit(__rlimit_resource_t what)
{
    struct rlimit limit;
    return getrlimit(what, &limit) < 0 ? RLIM_INFINITY : limit.rlim_max;
}

static void remedy_limits(const struct check_context *context, struct check_result *result)
{
    if (context->facts.systemd)
        check_remedy(result, REMEDY_NOTE,
                     "raise LimitNOFILE= and LimitNPROC= of user@.service, then log in anew");
    else
        check_remedy(result, REMEDY_NOTE,
                     "raise nofile and nproc in /etc/security/limits.conf, "
                     "then log in anew");
}

/* Only root raises a hard limit, so whatever an engine asks for a container must be below it. */
void probe_limits(const struct check_context *context, struct check_result *result)
{
    rlim_t files = hard_limit(RLIMIT_NOFILE), processes = hard_limit(RLIMIT_NPROC);
    if (context->subject.switch_user) {
        check_say(result, CHECK_OK, "the limits of root's session, which tell nothing of %s's",
                  context->subject.name);
        return;
    }
    if (files < NOFILE_ENGINE || processes < NPROC_ENGINE) {
        check_say(result, CHECK_WARNING, "hard limits: %llu open files, %llu processes",
                  (unsigned long long)files, (unsigned long long)processes);
        check_cause(result, "an engine with some containers needs more, and containers cannot "
                            "raise it");
        remedy_limits(context, result);
    } else if (files < NOFILE_CLUSTER) {
        check_say(result, CHECK_HINT, "hard limit: %llu open files", (unsigned long long)files);
        check_cause(result, "enough for containers; clusters in containers (kind, k3s) want %d",
                    NOFILE_CLUSTER);
        remedy_limits(context, result);
    } else {
        check_say(result, CHECK_OK, "as many open files and processes as engines ask for");
    }
}

#include "rootless-setup/check/explain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rootless-setup/check/quote.h"

/* As the documentation of engines has it, from the times when it was 0. */
#define MAX_USERNS 28633

void remedy_sysctl(struct check_result *result, const char *key, const char *value,
                   const char *name)
{
    check_remedy(result, REMEDY_ROOT,
                 "mkdir -p /etc/sysctl.d\n"
                 "echo '%s = %s' > /etc/sysctl.d/60-rootless-%s.conf\n"
                 "sysctl -p /etc/sysctl.d/60-rootless-%s.conf",
                 key, value, name, name);
    result->fixable = true;
}

void remedy_raise(struct check_result *result, const char *key, long now, long wanted,
                  const char *name)
{
    char value[32];
    (void)snprintf(value, sizeof value, "%ld", now < wanted ? wanted : 2 * now);
    remedy_sysctl(result, key, value, name);
    result->fixable = now < wanted;
}

void remedy_session(const struct check_subject *subject, const struct check_facts *facts,
                    struct check_result *result)
{
    if (facts->systemd) {
        check_remedy(result, REMEDY_ROOT, "loginctl enable-linger %u", subject->uid);
        result->fixable = true;
        check_remedy(result, REMEDY_NOTE,
                     "su and sudo open no session: log in anew by ssh or at the console, or use "
                     "machinectl shell %s@",
                     subject->name);
    } else {
        check_remedy(result, REMEDY_ROOT,
                     "install -d -m 0755 /run/user\n"
                     "install -d -m 0700 -o %u -g %u /run/user/%u",
                     subject->uid, subject->gid, subject->uid);
        check_remedy(result, REMEDY_NOTE,
                     "no systemd runs here: have /run/user/%u made anew at "
                     "every boot",
                     subject->uid);
    }
    check_remedy(result, REMEDY_USER, "export XDG_RUNTIME_DIR=/run/user/%u", subject->uid);
}

void remedy_modules(struct check_result *result, const char *modules, const char *name)
{
    check_remedy(result, REMEDY_ROOT,
                 "modprobe -a %s\n"
                 "mkdir -p /etc/modules-load.d\n"
                 "printf '%%s\\n' %s > /etc/modules-load.d/rootless-%s.conf",
                 modules, modules, name);
}

void remedy_delegate(struct check_result *result)
{
    result->fixable = true;
    check_remedy(result, REMEDY_ROOT,
                 "mkdir -p /etc/systemd/system/user@.service.d\n"
                 "printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' > "
                 "/etc/systemd/system/user@.service.d/60-rootless.conf\n"
                 "systemctl daemon-reload");
    check_remedy(result, REMEDY_NOTE, "the delegation takes effect at the next login");
}

void remedy_data_dir(enum check_engine engine, struct check_result *result)
{
    static const char any[] =
        "docker: data-root in ~/.config/docker/daemon.json, podman: graphroot "
        "in ~/.config/containers/storage.conf";
    static const char *const where[] = {
        [ENGINE_ANY] = any,
        [ENGINE_DOCKER] = "data-root in ~/.config/docker/daemon.json",
        [ENGINE_CONTAINERD] = "root in ~/.config/containerd/config.toml",
        [ENGINE_BUILDKIT] = "root in ~/.config/buildkit/buildkitd.toml",
        [ENGINE_PODMAN] = "graphroot in ~/.config/containers/storage.conf",
        [ENGINE_K3S] = "k3s server --data-dir",
    };
    check_remedy(result, REMEDY_NOTE, "put the engine's data on a local disk (%s)", where[engine]);
}

/* Ubuntu's switch: a profile for our own programs, rather than turning the protection off. */
static void remedy_apparmor(const struct check_facts *facts, struct check_result *result)
{
    const char *dir = facts->bin_dir[0] ? facts->bin_dir : "/usr/bin";
    check_remedy(result, REMEDY_ROOT,
                 "cat > /etc/apparmor.d/rootless-toolkit <<'PROFILE'\n"
                 "abi <abi/4.0>,\n"
                 "include <tunables/global>\n"
                 "profile rootless-toolkit \"%s/{rootlesskit,rootless-setup}\" "
                 "flags=(unconfined) {\n"
                 "  userns,\n"
                 "  include if exists <local/rootless-toolkit>\n"
                 "}\n"
                 "PROFILE\n"
                 "apparmor_parser -r /etc/apparmor.d/rootless-toolkit",
                 dir);
    result->fixable = true;
}

static void explain_container(const struct check_facts *facts, struct check_result *result)
{
    if (facts->seccomp == 2)
        check_cause(result,
                    "a seccomp filter is on this process, as in a container with the default "
                    "profile, and it may refuse user namespaces");
    if (facts->nested)
        check_cause(result, "this system runs inside another user namespace (a container), whose "
                            "rules apply");
    if (facts->seccomp == 2 || facts->nested)
        check_remedy(result, REMEDY_NOTE,
                     "in a container: start it with --security-opt seccomp=unconfined "
                     "--security-opt apparmor=unconfined --security-opt systempaths=unconfined");
    else
        check_cause(result, "a security module or BPF program of this system refuses it; the "
                            "kernel log or the audit log names it");
}

static void explain_refused_creation(int code, const struct check_facts *facts,
                                     struct check_result *result)
{
    if (facts->userns_clone == 0) {
        check_cause(result, "kernel.unprivileged_userns_clone is 0: only root may make user "
                            "namespaces");
        remedy_sysctl(result, "kernel.unprivileged_userns_clone", "1", "userns");
    } else if (facts->chrooted && code == EPERM) {
        check_cause(result, "this process runs in a chroot, where the kernel allows no user "
                            "namespace");
        check_remedy(result, REMEDY_NOTE, "run it outside the chroot");
    } else if (facts->apparmor_userns == 1) {
        check_cause(result, "kernel.apparmor_restrict_unprivileged_userns is 1 and no AppArmor "
                            "profile allows user namespaces to this program");
        remedy_apparmor(facts, result);
    } else if (facts->selinux == 1 && code == EACCES) {
        check_cause(result, "SELinux is enforcing and denies user_namespace { create }");
        check_remedy(result, REMEDY_NOTE,
                     "see the denial with: ausearch -m AVC -ts recent | grep user_namespace");
    } else {
        explain_container(facts, result);
    }
}

static void explain_exhausted(const struct check_facts *facts, struct check_result *result)
{
    if (facts->max_userns == 0) {
        check_cause(result, "user.max_user_namespaces is 0: user namespaces are switched off");
        remedy_raise(result, "user.max_user_namespaces", 0, MAX_USERNS, "max-userns");
        return;
    }
    check_cause(result,
                "user.max_user_namespaces is %ld and used up by this user, or user "
                "namespaces are nested 32 deep",
                facts->max_userns);
    remedy_raise(result, "user.max_user_namespaces", facts->max_userns, MAX_USERNS, "max-userns");
}

static void explain_powerless(int code, const struct check_facts *facts,
                              struct check_result *result)
{
    if ((code == EPERM || code == EACCES) && facts->apparmor_userns == 1) {
        check_cause(result, "the user namespace was made, but AppArmor took its capabilities away "
                            "(kernel.apparmor_restrict_unprivileged_userns is 1)");
        remedy_apparmor(facts, result);
    } else if (code == ENOSPC) {
        check_cause(result, "one of the limits user.max_mnt_namespaces, user.max_net_namespaces, "
                            "user.max_pid_namespaces is used up");
        check_remedy(result, REMEDY_NOTE, "see them with: sysctl user");
    } else {
        check_cause(result, "the user namespace was made, but its root may not do this");
        explain_container(facts, result);
    }
}

void explain_userns(enum scratch_step step, int code, const struct check_facts *facts,
                    struct check_result *result)
{
    if (step != SCRATCH_CREATE) {
        explain_powerless(code, facts, result);
        return;
    }
    switch (code) {
    case EPERM:
    case EACCES:
        explain_refused_creation(code, facts, result);
        break;
    case ENOSPC:
    case EUSERS:
        explain_exhausted(facts, result);
        break;
    case EINVAL:
    case ENOSYS:
        check_cause(result, "the kernel %s was built without user namespaces (CONFIG_USER_NS)%s",
                    facts->kernel_release,
                    facts->userns_in_kernel ? ", or they are switched off on its command line"
                                            : "");
        check_remedy(result, REMEDY_NOTE, "boot a kernel with CONFIG_USER_NS=y");
        break;
    default:
        check_cause(result, "an errno that user namespaces do not usually give");
        break;
    }
}

/* How the helper gets its right back, for each way it can lack it. @return true when it lacks it */
static bool explain_privilege(const struct idmap_failure *failure, const struct check_facts *facts,
                              struct check_result *result)
{
    const char *capability =
        strcmp(failure->program, "newgidmap") == 0 ? "cap_setgid" : "cap_setuid";
    if (failure->script) {
        check_cause(result, "%s is a script, to which the kernel gives no privilege",
                    failure->path);
        check_remedy(result, REMEDY_NOTE, "remove %s or put the real %s first in $PATH",
                     failure->path, failure->program);
    } else if (!failure->setuid_root && !failure->file_capability) {
        check_cause(result, "%s has neither the file capability %s nor the setuid bit of root",
                    failure->path, capability);
        char path[4200];
        const char *word = quote_word(failure->path, path, sizeof path);
        if (failure->setuid_other) {
            check_cause(result, "it has the setuid bit of another user");
            check_remedy(result, REMEDY_ROOT, "chown 0:0 %s\nchmod 0755 %s", word, word);
        }
        check_remedy(result, REMEDY_ROOT, "setcap %s=ep %s", capability, word);
    } else if (facts->no_new_privs) {
        check_cause(result,
                    "no_new_privs is set on this process (sudo in a container, systemd's "
                    "NoNewPrivileges=, setpriv), so %s runs without its privilege",
                    failure->program);
        check_remedy(result, REMEDY_NOTE, "start the session or service without no_new_privs");
    } else if (failure->nosuid) {
        check_cause(result, "%s lies on a file system mounted nosuid", failure->path);
        check_remedy(result, REMEDY_NOTE, "install %s on a file system without nosuid",
                     failure->program);
    } else if (!failure->bounded) {
        check_cause(result, "%s is not in the capability bounding set (a container?)", capability);
        check_remedy(result, REMEDY_NOTE, "start the container or service with %s", capability);
    } else {
        return false;
    }
    return true;
}

void explain_idmap(const struct idmap_failure *failure, const struct check_facts *facts,
                   const struct distro *distro, const char *user, struct check_result *result)
{
    if (failure->path[0] == '\0') {
        check_cause(result, "no %s in $PATH", failure->program);
        distro_remedy_install(distro, PACKAGE_UIDMAP, result);
        return;
    }
    if (explain_privilege(failure, facts, result))
        return;
    if (strstr(failure->said, "not allowed")) {
        check_cause(result,
                    "%s reads other ranges than %s has here: see /etc/nsswitch.conf's "
                    "subid: line and the spelling of the name",
                    failure->path, user);
    } else if (strstr(failure->said, "Invalid argument")) {
        check_cause(result,
                    "the kernel refuses the map: ranges overlap one another, or lie "
                    "outside the ids of the user namespace this system runs in%s",
                    facts->nested ? " (it does run in one)" : "");
    } else if (facts->nested && strstr(failure->said, "not permitted")) {
        check_cause(result,
                    "this system runs in a user namespace (a container), which has not all of "
                    "the subordinate ids of %s",
                    user);
        check_remedy(result, REMEDY_NOTE,
                     "give the container more ids, or take ranges from those that "
                     "/proc/self/uid_map and gid_map show here");
    } else if (strstr(failure->said, "not permitted")) {
        check_cause(result, "the kernel refuses the map although %s is privileged", failure->path);
        distro_remedy_reinstall(distro, PACKAGE_UIDMAP, result);
    } else {
        check_cause(result, "%s does not do its work%s%s", failure->path,
                    failure->said[0] ? "; it says: " : " and says nothing", failure->said);
        distro_remedy_reinstall(distro, PACKAGE_UIDMAP, result);
    }
}

void explain_no_scratch(int code, const char *dir, const struct check_subject *subject,
                        struct check_result *result)
{
    char word[4200];
    if (code == EROFS || code == ENOSPC || code == EDQUOT) {
        check_cause(result, "engines keep images there or below, and its file system is full or "
                            "read-only");
        check_remedy(result, REMEDY_NOTE,
                     "free some space there or mount it writable, or put the engine's data "
                     "elsewhere");
        return;
    }
    check_cause(result,
                "%s is missing or not writable for %s, and engines keep images there or below", dir,
                subject->name);
    if (code == ENOENT || code == EACCES)
        check_remedy(result, REMEDY_ROOT, "install -d -m 0700 -o %u -g %u %s", subject->uid,
                     subject->gid, quote_word(dir, word, sizeof word));
}

void explain_overlay(int code, const char *dir, const char *fs, const struct check_facts *facts,
                     struct check_result *result)
{
    const char *on = fs ? fs : "this file system";
    if (code == ENODEV) {
        check_cause(result, "the kernel has no overlay file system, or its module is not loaded");
        remedy_modules(result, "overlay", "overlay");
        result->fixable = true;
    } else if (code == EPERM && facts_kernel_before(facts, 5, 11)) {
        check_cause(result, "Linux %s mounts overlay in a user namespace only from 5.11 on",
                    facts->kernel_release);
    } else if ((code == EACCES || code == EPERM) && facts->selinux == 1) {
        check_cause(result, "SELinux is enforcing; overlay in a user namespace works under it from "
                            "Linux 5.13 on");
    } else if (code == EINVAL || code == EOPNOTSUPP || code == EIO || code == EXDEV) {
        check_cause(result, "%s is on %s, which overlay cannot use as its upper layer", dir, on);
        check_remedy(result, REMEDY_NOTE,
                     "put the engine's data on a local ext4, xfs or btrfs (docker: data-root in "
                     "~/.config/docker/daemon.json)");
    } else if (code == ENOSPC || code == EDQUOT || code == EROFS) {
        check_cause(result, "%s on %s cannot be written: it is full or read-only", dir, on);
        check_remedy(result, REMEDY_NOTE, "free some space on %s, or move the engine's data", dir);
    } else {
        check_cause(result,
                    "the kernel or a security module refuses overlay on %s; the kernel log "
                    "says more",
                    on);
    }
}

void explain_tun(enum tun_step step, int code, const struct check_facts *facts,
                 struct check_result *result)
{
    if (step == TUN_CREATE) {
        check_cause(result, "the device opens, but makes no interface in a network namespace of "
                            "one's own: a security module or container refuses it");
        return;
    }
    switch (code) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        if (facts->tun_in_kernel && code == ENOENT) {
            check_cause(result, "the kernel has tun, but nothing made its device node");
            check_remedy(result, REMEDY_ROOT,
                         "mkdir -p /dev/net\n"
                         "mknod -m 0666 /dev/net/tun c 10 200");
            check_remedy(result, REMEDY_NOTE,
                         "have it made at every boot, as systemd-tmpfiles and udev do");
            return;
        }
        check_cause(result, "the tun module is not loaded or not there for this kernel");
        remedy_modules(result, "tun", "tun");
        check_remedy(result, REMEDY_ROOT, "chmod 0666 /dev/net/tun");
        break;
    case EACCES:
        check_cause(result, "/dev/net/tun is not readable and writable for everybody, which it is "
                            "meant to be: it gives no right beyond one's own network namespace");
        check_remedy(result, REMEDY_ROOT, "chmod 0666 /dev/net/tun");
        break;
    case EPERM:
        check_cause(result, "the device cgroup of this container or service does not allow "
                            "/dev/net/tun");
        check_remedy(result, REMEDY_NOTE, "start the container with --device /dev/net/tun");
        return;
    default:
        check_cause(result, "an errno that opening /dev/net/tun does not usually give");
        return;
    }
    result->fixable = true;
    if (facts->udev)
        check_remedy(result, REMEDY_ROOT,
                     "mkdir -p /etc/udev/rules.d\n"
                     "echo 'KERNEL==\"tun\", MODE=\"0666\", OPTIONS+=\"static_node=net/tun\"' > "
                     "/etc/udev/rules.d/60-rootless-tun.rules\n"
                     "udevadm control --reload");
    else
        check_remedy(result, REMEDY_NOTE,
                     "no udev runs here: chmod /dev/net/tun again at every boot");
}

void explain_module(int code, const char *feature, const char *modules, const char *name,
                    struct check_result *result)
{
    switch (code) {
    case ENOENT:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case EINVAL:
        check_cause(result,
                    "the kernel lacks %s: its modules (%s) are not loaded, and did not "
                    "load by themselves",
                    feature, modules);
        break;
    case EPERM:
    case EACCES:
        check_cause(result,
                    "a security module or container refuses %s in a network namespace of "
                    "one's own",
                    feature);
        return;
    default:
        check_cause(result, "the kernel has trouble with %s", feature);
        break;
    }
    remedy_modules(result, modules, name);
    result->fixable = true;
}

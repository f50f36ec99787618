/*
 * Facts about the host that only serve to name a cause: switches, limits, versions.
 *
 * Whether something works is never read from here; that is what the probes find out. A fact that
 * cannot be read is FACT_ABSENT or false.
 */
#pragma once

#include <stdbool.h>

#define FACT_ABSENT (-1)

struct check_facts {
    long userns_clone;    /**< kernel.unprivileged_userns_clone (Debian and Arch kernels only) */
    long max_userns;      /**< user.max_user_namespaces of this user namespace */
    long apparmor_userns; /**< kernel.apparmor_restrict_unprivileged_userns (Ubuntu) */
    long selinux;         /**< 1: enforcing, 0: permissive */
    long seccomp;         /**< 0 none, 1 strict, 2 filter */
    bool no_new_privs;
    bool chrooted;
    bool nested; /**< we are in a user namespace that does not map every id */
    bool userns_in_kernel;
    bool tun_in_kernel; /**< loaded or built in, whether it has a device node or not */
    bool apparmor;      /**< AppArmor is on */
    bool wsl;           /**< the kernel is Microsoft's */
    bool systemd;       /**< systemd is pid 1 */
    bool udev;          /**< a udev daemon runs */
    unsigned kernel_major, kernel_minor;
    char kernel_release[65];
    char container[32]; /**< "docker", "podman", "lxc", ...: what this system runs in; "" if not */
    char bin_dir[256];  /**< where this program is installed, or "" */
};

void facts_read(struct check_facts *ret);
/** Of a system that does not run: nothing is known. */
void facts_unknown(struct check_facts *ret);
/** True when the running kernel is older than the given one. */
bool facts_kernel_before(const struct check_facts *facts, unsigned major, unsigned minor);

#include "rootless-setup/check/facts.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/file.h"
#include "lib/base/str.h"

static long read_number(const char *path)
{
    char text[32];
    uint64_t value;
    if (file_read_into(AT_FDCWD, path, text, sizeof text, NULL) < 0)
        return FACT_ABSENT;
    struct cursor c = cursor_of(text);
    return cursor_u64(&c, 10, LONG_MAX, &value) ? (long)value : FACT_ABSENT;
}

static long read_seccomp(void)
{
    char text[8192];
    uint64_t mode;
    if (file_read_into(AT_FDCWD, "/proc/self/status", text, sizeof text, NULL) < 0)
        return FACT_ABSENT;
    const char *line = strstr(text, "\nSeccomp:\t");
    if (!line)
        return FACT_ABSENT;
    struct cursor c = cursor_of(line + strlen("\nSeccomp:\t"));
    return cursor_u64(&c, 10, 2, &mode) ? (long)mode : FACT_ABSENT;
}

/* A chroot that is no mount point has no mount for "/" in its own view. */
static bool read_chrooted(void)
{
    cleanup_free char *text = NULL;
    if (file_read(AT_FDCWD, "/proc/self/mountinfo", 4 << 20, &text, NULL, NULL) < 0)
        return false;
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        /* "ID PARENT MAJOR:MINOR ROOT MOUNTPOINT ..." */
        const char *field = line;
        for (int i = 0; field && i < 4; i++)
            field = strchr(field, ' ') ? strchr(field, ' ') + 1 : NULL;
        if (field && strncmp(field, "/ ", 2) == 0)
            return false;
    }
    return true;
}

static bool read_nested(void)
{
    char text[8192];
    if (file_read_into(AT_FDCWD, "/proc/self/uid_map", text, sizeof text, NULL) < 0)
        return false;
    unsigned inside, outside, count;
    return !(sscanf(text, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 &&
             outside == 0 && count == UINT32_MAX);
}

static void read_kernel(struct check_facts *facts)
{
    struct utsname name;
    uint64_t major = 0, minor = 0;
    if (uname(&name) < 0)
        return;
    (void)str_copy(facts->kernel_release, sizeof facts->kernel_release, name.release);
    struct cursor c = cursor_of(name.release);
    if (cursor_u64(&c, 10, 9999, &major) && cursor_char(&c, '.'))
        (void)cursor_u64(&c, 10, 9999, &minor);
    facts->kernel_major = (unsigned)major;
    facts->kernel_minor = (unsigned)minor;
}

static void read_bin_dir(struct check_facts *facts)
{
    char path[sizeof facts->bin_dir];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return;
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash)
        return;
    *slash = '\0';
    (void)str_copy(facts->bin_dir, sizeof facts->bin_dir, path);
}

/* The manager of the container says so in a file (systemd's rule, podman's, Docker's), for
 * /proc/1/environ is root's. */
static void read_container(struct check_facts *facts)
{
    char text[64];
    static const struct {
        const char *path, *kind;
    } marks[] = {{"/run/.containerenv", "podman"},
                 {"/.dockerenv", "docker"},
                 {"/dev/lxd/sock", "lxc"},
                 {"/dev/incus/sock", "lxc"},
                 {"/dev/.lxc-boot-id", "lxc"}};
    if (file_read_into(AT_FDCWD, "/run/systemd/container", text, sizeof text, NULL) > 0) {
        text[strcspn(text, "\n")] = '\0';
        if (str_copy(facts->container, sizeof facts->container, text) == 0)
            return;
    }
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (access(marks[i].path, F_OK) == 0) {
            (void)str_copy(facts->container, sizeof facts->container, marks[i].kind);
            return;
        }
}

static bool read_apparmor(void)
{
    char text[8] = "";
    return file_read_into(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", text, sizeof text,
                          NULL) > 0 &&
           text[0] == 'Y';
}

void facts_unknown(struct check_facts *ret)
{
    *ret = (struct check_facts){
        .userns_clone = FACT_ABSENT,
        .max_userns = FACT_ABSENT,
        .apparmor_userns = FACT_ABSENT,
        .selinux = FACT_ABSENT,
        .seccomp = FACT_ABSENT,
        .kernel_release = "?",
    };
}

void facts_read(struct check_facts *ret)
{
    *ret = (struct check_facts){
        .userns_clone = read_number("/proc/sys/kernel/unprivileged_userns_clone"),
        .max_userns = read_number("/proc/sys/user/max_user_namespaces"),
        .apparmor_userns = read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        .selinux = read_number("/sys/fs/selinux/enforce"),
        .seccomp = read_seccomp(),
        .no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
        .chrooted = read_chrooted(),
        .nested = read_nested(),
        .userns_in_kernel = access("/proc/self/ns/user", F_OK) == 0,
        .tun_in_kernel = access("/sys/class/misc/tun", F_OK) == 0,
        .apparmor = read_apparmor(),
        .systemd = access("/run/systemd/system", F_OK) == 0,
        .udev = access("/run/udev/control", F_OK) == 0,
    };
    read_kernel(ret);
    ret->wsl = strcasestr(ret->kernel_release, "microsoft") != NULL;
    read_container(ret);
    read_bin_dir(ret);
}

bool facts_kernel_before(const struct check_facts *facts, unsigned major, unsigned minor)
{
    return facts->kernel_major < major ||
           (facts->kernel_major == major && facts->kernel_minor < minor);
}

#include "lib/idmap/privilege.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"

#define BIT(cap) (1U << (cap))

/* All three capabilities in question have numbers below 32: the first word of the sets. */
static int set_caps(uint32_t permitted, uint32_t effective)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {.permitted = permitted, .effective = effective},
    };
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int get_permitted(uint32_t *ret)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    *ret = data[0].permitted;
    return 0;
}

static uint32_t needed_caps(enum subid_kind kind, bool maps_root)
{
    if (kind == SUBID_GID)
        return BIT(CAP_SETGID);
    return BIT(CAP_SETUID) | (maps_root ? BIT(CAP_SETFCAP) : 0);
}

/* Set-user-ID root: all three uids become the caller's, so that nothing can go back to root, and
 * the namespace's owner is the one the kernel sees (a map is written by the owner, not by root). */
static int become_caller(struct err *err)
{
    uid_t uid = getuid();
    if (geteuid() == 0 && uid != 0) {
        if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
            return err_sys(err, errno, "Could not prctl(PR_SET_KEEPCAPS)");
        if (setresuid(uid, uid, uid) < 0)
            return err_sys(err, errno, "Could not become uid %u", uid);
        if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
            return err_sys(err, errno, "Could not prctl(PR_SET_KEEPCAPS)");
    }
    if (geteuid() != uid || getegid() != getgid())
        return err_set(err, EPERM,
                       "real and effective ids differ (uid %u and %u, gid %u and %u): call this "
                       "from a process that is wholly one user",
                       uid, geteuid(), getgid(), getegid());
    return 0;
}

int idmap_begin(enum subid_kind kind, struct idmap_privilege *ret, struct err *err)
{
    int r = fd_fill_std();
    if (r < 0)
        return err_sys(err, -r, "cannot open /dev/null");
    environ = NULL;
    (void)umask(077);
    (void)signal(SIGCHLD, SIG_DFL);

    *ret = (struct idmap_privilege){
        .kind = kind,
        .had_no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
    };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(err, errno, "cannot set no_new_privs");
    r = become_caller(err);
    if (r < 0)
        return r;
    uint32_t permitted = 0;
    r = get_permitted(&permitted);
    if (r == 0)
        r = set_caps(permitted & needed_caps(kind, true), 0);
    if (r < 0)
        return err_sys(err, -r, "Could not set caps");
    ret->capable = permitted & needed_caps(kind, false);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_sys(err, errno, "cannot become undumpable");
    return 0;
}

void idmap_close_fds(int keep)
{
    fd_close_except(&keep, 1);
}

static int explain_missing(const struct idmap_privilege *privilege, struct err *err)
{
    const char *cap = privilege->kind == SUBID_UID ? "cap_setuid" : "cap_setgid";
    struct statvfs fs;
    if (privilege->had_no_new_privs)
        return err_set(err, EPERM,
                       "Could not set caps: the calling process has no_new_privs set, so this "
                       "program got no %s; start it from a process without no_new_privs",
                       cap);
    if (statvfs("/proc/self/exe", &fs) == 0 && (fs.f_flag & ST_NOSUID))
        return err_set(err, EPERM,
                       "Could not set caps: this program lies on a file system mounted nosuid, so "
                       "it got no %s; install it elsewhere",
                       cap);
    return err_set(err, EPERM,
                   "Could not set caps: this program got no %s; as root, setcap %s+ep on the file "
                   "(also, no capability is given to a program that is being traced, or to one "
                   "started inside another user namespace)",
                   cap, cap);
}

int idmap_raise(const struct idmap_privilege *privilege, bool maps_root, struct err *err)
{
    uint32_t permitted = 0;
    int r = get_permitted(&permitted);
    if (r < 0)
        return err_sys(err, -r, "Could not get caps");
    uint32_t needed = permitted & needed_caps(privilege->kind, maps_root);
    if (!privilege->capable)
        return explain_missing(privilege, err);
    r = set_caps(needed, needed);
    return r < 0 ? err_sys(err, -r, "Could not set caps") : 0;
}

int idmap_drop(void)
{
    return set_caps(0, 0);
}

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define NATIVE_ARCH AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define NATIVE_ARCH AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE_ARCH AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define NATIVE_ARCH AUDIT_ARCH_S390X
#else
#error "name this machine's AUDIT_ARCH_* here"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARG0_LOW offsetof(struct seccomp_data, args[0])
#else
#define ARG0_LOW (offsetof(struct seccomp_data, args[0]) + 4)
#endif

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offset))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))
/* Go on with the next instruction if equal, else skip @p n. */
#define UNLESS_SKIP(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, (n))
#define ALLOW(nr) UNLESS_SKIP(nr, 1), RETURN(SECCOMP_RET_ALLOW)

int idmap_confine(int map_fd, int setgroups_fd, struct err *err)
{
    struct sock_filter list[] = {
        LOAD(offsetof(struct seccomp_data, arch)),
        UNLESS_SKIP(NATIVE_ARCH, 1),
        LOAD(offsetof(struct seccomp_data, nr)), /* a foreign arch number is no syscall's below */
        ALLOW(SYS_exit_group),
        ALLOW(SYS_close),
        ALLOW(SYS_capset),
        UNLESS_SKIP(SYS_write, 8),
        LOAD(ARG0_LOW),
        ALLOW(map_fd),
        ALLOW(STDERR_FILENO),
        ALLOW(setgroups_fd),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        UNLESS_SKIP(SYS_pread64, 3),
        LOAD(ARG0_LOW),
        ALLOW(setgroups_fd),
        RETURN(SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {.len = sizeof list / sizeof list[0], .filter = list};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 && errno != EINVAL)
        return err_sys(err, errno, "cannot install the seccomp filter");
    return 0;
}

#include "uidmapd/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"

#define BIT(cap) (1U << (cap))
#define NEEDED (BIT(CAP_SETUID) | BIT(CAP_SETGID))
#define WELCOME BIT(CAP_SETFCAP)

/* The inheritable set becomes empty, and with it the ambient one. */
static int cut_capabilities(struct err *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capget, &header, data) < 0)
        return err_sys(err, errno, "cannot get capabilities");
    uint32_t kept = data[0].permitted & (NEEDED | WELCOME);
    if ((kept & NEEDED) != NEEDED)
        return err_set(err, EPERM,
                       "uidmapd needs the capabilities cap_setuid and cap_setgid: start it as root "
                       "or from its service unit");
    /* Without CAP_SETPCAP the set is as the service manager left it. */
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (cap > 31 || !(kept & BIT(cap)))
            (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    data[0] = (struct __user_cap_data_struct){.permitted = kept, .effective = kept};
    data[1] = (struct __user_cap_data_struct){0};
    if (syscall(SYS_capset, &header, data) < 0)
        return err_sys(err, errno, "cannot set capabilities");
    return 0;
}

/*
 * The filter is inherited by workers and by the name-service helper, whose plug-ins may do anything
 * an ordinary program does, so it lists what nobody here ever needs. What the worker needs once its
 * files are open is a short list of its own (lib/idmap/privilege.c).
 */
static const int refused[] = {
    /* other processes, the kernel */
    SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_getfd), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
    SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff),
    SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(syslog), SCMP_SYS(add_key), SCMP_SYS(request_key),
    SCMP_SYS(keyctl), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime), SCMP_SYS(sethostname), SCMP_SYS(setdomainname),
    SCMP_SYS(personality),
    /* namespaces and mounts */
    SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
    SCMP_SYS(chroot), SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(open_by_handle_at),
    /* files: their names, owners, modes and attributes */
    SCMP_SYS(mknod), SCMP_SYS(mknodat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir),
    SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(symlink), SCMP_SYS(symlinkat), SCMP_SYS(rename),
    SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat),
    SCMP_SYS(chown), SCMP_SYS(fchown), SCMP_SYS(lchown), SCMP_SYS(fchownat), SCMP_SYS(setxattr),
    SCMP_SYS(lsetxattr), SCMP_SYS(fsetxattr), SCMP_SYS(removexattr), SCMP_SYS(lremovexattr),
    SCMP_SYS(fremovexattr), SCMP_SYS(truncate),
    /* the same where words have 32 bits */
    SCMP_SYS(chown32), SCMP_SYS(fchown32), SCMP_SYS(lchown32), SCMP_SYS(truncate64),
    SCMP_SYS(clock_settime64), SCMP_SYS(clock_adjtime64)};
static const int refused_unless_ours[] = {SCMP_SYS(unlink), SCMP_SYS(unlinkat)};

static int refuse(scmp_filter_ctx filter, const int *calls, size_t n)
{
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        if (calls[i] >= 0) /* negative: this machine has no such call */
            r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
    return r;
}

static int install_filter(int keep_unlink, struct err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return err_set(err, ENOMEM, "cannot make a seccomp filter");
    int r = refuse(filter, refused, sizeof refused / sizeof refused[0]);
    if (r == 0 && !keep_unlink)
        r = refuse(filter, refused_unless_ours,
                   sizeof refused_unless_ours / sizeof refused_unless_ours[0]);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r < 0 && r != -EINVAL ? err_sys(err, -r, "cannot install the seccomp filter") : 0;
}

int confine_broker(int keep_unlink, struct err *err)
{
    int r = cut_capabilities(err);
    if (r < 0)
        return r;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_sys(err, errno, "cannot confine the process");
    return install_filter(keep_unlink, err);
}

#include "rootlesskit/gateway/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"

#define BIT(cap) (1U << (cap))
#define ADMIN BIT(CAP_NET_ADMIN)
#define RAW BIT(CAP_NET_RAW)
#define BIND BIT(CAP_NET_BIND_SERVICE)

/* The network's capabilities are among the first 32. */
static int set_capabilities(uint32_t permitted, uint32_t effective, struct err *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {.permitted = permitted, .effective = effective}};
    if (syscall(SYS_capset, &header, data) < 0)
        return err_sys(err, errno, "cannot drop capabilities");
    return 0;
}

int confine_capabilities(struct err *err)
{
    return set_capabilities(0, 0, err);
}

static bool can_mark(void)
{
    const int mark = 1;
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0;
}

/* Before Linux 5.17 a mark wants CAP_NET_ADMIN, which includes what CAP_NET_RAW gives a socket. */
int confine_to_sockets(struct err *err)
{
    int r = set_capabilities(ADMIN | RAW | BIND, RAW | BIND, err);
    if (r < 0)
        return r;
    uint32_t kept = BIND | (can_mark() ? RAW : ADMIN);
    return set_capabilities(kept, kept, err);
}

int confine_keep_ambient(struct err *err)
{
    static const uint8_t caps[] = {CAP_NET_ADMIN, CAP_NET_RAW};
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, data) < 0)
        return err_sys(err, errno, "cannot read capabilities");
    data[0].inheritable |= ADMIN | RAW;
    if (syscall(SYS_capset, &header, data) < 0)
        return err_sys(err, errno, "cannot make capabilities inheritable");
    for (size_t i = 0; i < sizeof caps; i++)
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, caps[i], 0, 0) < 0)
            return err_sys(err, errno, "cannot make capabilities ambient");
    return 0;
}

/* What is left to do, by who needs it. */
static const int allowed[] = {
    /* bytes: flow.c, relay.c, dns.c, burst.c, errqueue.c, echo.c, icmp.c, the parent's orders */
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(splice),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(sendmmsg),
    /* connections; connector.c and mapping.c bind */
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(accept4),
    SCMP_SYS(listen), /* gate.c */
    SCMP_SYS(shutdown),
    SCMP_SYS(close),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), /* stats.c */
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(pipe2),
    SCMP_SYS(fcntl),
    /* the event loop and the clock */
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(clock_gettime),
    /* libc: memory of a new port, locks, the end */
    SCMP_SYS(brk),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    /* what libc calls in place of some of them where words have 32 bits */
    SCMP_SYS(recv),
    SCMP_SYS(send),
    SCMP_SYS(recvmmsg_time64),
    SCMP_SYS(fcntl64),
    SCMP_SYS(timerfd_settime64),
    SCMP_SYS(clock_gettime64),
    SCMP_SYS(mmap2),
    SCMP_SYS(futex_time64),
    SCMP_SYS(sigreturn),
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    /* the sanitizers' reports */
    SCMP_SYS(openat),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(sched_yield),
    SCMP_SYS(readlink),
    SCMP_SYS(newfstatat),
#endif
};

#define TYPE_MASK 0xfU /* SOCK_TYPE_MASK of linux/net.h: the flags are above */

/* TCP, UDP and echo.c's ping sockets: what a capability over the network could do with other
 * sockets is not needed. */
static int allow_sockets(scmp_filter_ctx filter)
{
    static const unsigned families[] = {AF_INET, AF_INET6}, types[] = {SOCK_STREAM, SOCK_DGRAM};
    int r = 0;
    for (size_t i = 0; i < 4 && r == 0; i++)
        r = seccomp_rule_add_exact(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                                   SCMP_A0(SCMP_CMP_EQ, families[i / 2]),
                                   SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK, types[i % 2]));
    return r;
}

static int install_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return -ENOMEM;
    int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (r == 0)
        r = allow_sockets(filter);
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0] && r == 0; i++)
        if (allowed[i] >= 0) /* not every machine has all: arm64 no epoll_wait */
            r = seccomp_rule_add_exact(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}

int confine_leave(struct err *err)
{
    /* An own fdinfo directory is empty but for numbers, and vanishes with the process. */
    if (chroot("/proc/self/fdinfo") < 0 || chdir("/") < 0)
        return err_sys(err, errno, "cannot leave the file system");
    int r = confine_capabilities(err);
    if (r < 0)
        return r;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(err, errno, "cannot set no_new_privs");
    return 0;
}

int confine_process(struct err *err)
{
    int r = confine_leave(err);
    if (r < 0)
        return r;
    /* Root of the user namespace may trace whoever has joined it, and with --subid-slice it is not
     * the user that this process is. */
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        return err_sys(err, errno, "cannot become undumpable");
    r = install_filter();
    return r < 0 ? err_sys(err, -r, "cannot install the system call filter") : 0;
}

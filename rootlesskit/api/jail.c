#include "rootlesskit/api/jail.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>

#include "lib/base/err.h"
#include "rootlesskit/gateway/confine.h"

/* What is left to do, by who needs it. */
static const int allowed[] = {
    /* the file */
    SCMP_SYS(write),
    SCMP_SYS(lseek),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    /* the packet socket, its counts, the names of interfaces, signals */
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(read),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(getsockopt),
    SCMP_SYS(ioctl),
    SCMP_SYS(clock_gettime),
    /* libc: memory, the end */
    SCMP_SYS(brk),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    /* what libc calls in place of some of them where words have 32 bits */
    SCMP_SYS(_llseek),
    SCMP_SYS(ftruncate64),
    SCMP_SYS(fstat64),
    SCMP_SYS(fstatat64),
    SCMP_SYS(statx),
    SCMP_SYS(ppoll_time64),
    SCMP_SYS(recv),
    SCMP_SYS(clock_gettime64),
    SCMP_SYS(mmap2),
    SCMP_SYS(futex_time64),
    SCMP_SYS(sigreturn),
};

static int install_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0] && r == 0; i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}

int jail_enter(struct err *err)
{
    int r = confine_leave(err);
    if (r < 0)
        return r;
    r = install_filter();
    return r < 0 ? err_sys(err, -r, "cannot install the system call filter") : 0;
}

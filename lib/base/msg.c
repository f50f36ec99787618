#include "lib/base/msg.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"

union control {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(int) * MSG_FDS_MAX)];
};

int msg_pair(int ret[2], struct err *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
        return err_sys(err, errno, "cannot make a socket pair");
    return 0;
}

int msg_send(int sock, const void *buf, size_t len, const int *fds, size_t n_fds)
{
    if (n_fds > MSG_FDS_MAX)
        return -E2BIG;
    struct iovec iov;
    iov.iov_base = (void *)(size_t)buf; /* sendmsg() does not write to it */
    iov.iov_len = len;
    union control control = {0};
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
    if (n_fds > 0) {
        mh.msg_control = control.space;
        mh.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
        cm->cmsg_level = SOL_SOCKET;
        cm->cmsg_type = SCM_RIGHTS;
        cm->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(cm), fds, sizeof(int) * n_fds);
    }
    ssize_t n;
    do
        n = sendmsg(sock, &mh, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == len ? 0 : -EPROTO;
}

static void collect_fds(struct msghdr *mh, int *fds, size_t *n_fds)
{
    for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
        if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count && *n_fds < MSG_FDS_MAX; i++)
            memcpy(&fds[(*n_fds)++], CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
    }
}

int msg_recv(int sock, void *buf, size_t len, int *ret_fds, size_t *ret_n_fds)
{
    struct iovec iov = {.iov_base = buf, .iov_len = len};
    union control control = {0};
    struct msghdr mh = {.msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.space,
                        .msg_controllen = sizeof control.space};
    ssize_t n;
    do
        n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;

    int fds[MSG_FDS_MAX];
    size_t n_fds = 0;
    collect_fds(&mh, fds, &n_fds);
    if (n == 0)
        return 0;
    bool good = (size_t)n == len && !(mh.msg_flags & MSG_TRUNC), cut = mh.msg_flags & MSG_CTRUNC;
    if (!good || cut || (n_fds > 0 && !ret_fds)) {
        for (size_t i = 0; i < n_fds; i++)
            fd_close(fds[i]);
        return good && cut && ret_fds ? -EMFILE : -EPROTO;
    }
    if (ret_fds)
        memcpy(ret_fds, fds, n_fds * sizeof(int));
    if (ret_n_fds)
        *ret_n_fds = n_fds;
    return 1;
}

int msg_recv_fd(int sock, void *buf, size_t len, int *ret_fd)
{
    int fds[MSG_FDS_MAX];
    size_t n_fds = 0;
    int r = msg_recv(sock, buf, len, fds, &n_fds);
    for (size_t i = 1; i < n_fds; i++)
        fd_close(fds[i]);
    *ret_fd = n_fds > 0 ? fds[0] : -EBADF;
    return r;
}

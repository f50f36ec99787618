#include "rootlesskit/handover/twin.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/base/fd.h"
#include "rootlesskit/handover/original.h"
#include "rootlesskit/port/bind.h"

#define TCP_FLAGS 13 /* offset in the header, where a TCP socket's filter begins */
#define SYN_ACK 0x12

static int lock(int fd)
{
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN_ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN_ACK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    const int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ||
                   setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof on) < 0
               ? -errno
               : 0;
}

bool twin_can_lock(void)
{
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && lock(fd) == 0;
}

/* Both options: the port's connections so far have the one, its own socket has the other. */
static int bind_beside(int fd, const struct port_place *place)
{
    const int on = 1, v6only = !place->dual;
    bool v6 = place->address.ss_family == AF_INET6;
    if ((v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) < 0) ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0 ||
        bind(fd, (const struct sockaddr *)&place->address, place->len) < 0)
        return -errno;
    return 0;
}

int twin_make(const struct original *original, const struct port_place *place, int backlog,
              bool must_lock)
{
    cleanup_close int fd = socket(place->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int r = lock(fd);
    if (r < 0 && must_lock)
        return -EPERM;
    original_copy_options(original, fd);
    r = bind_beside(fd, place);
    if (r < 0)
        return r;
    return listen(fd, backlog) < 0 ? -errno : take_fd(&fd);
}

int twin_stand_in(const struct port_place *place)
{
    cleanup_close int fd =
        socket(place->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int r = bind_beside(fd, place);
    if (r < 0)
        return r;
    return listen(fd, SOMAXCONN) < 0 ? -errno : take_fd(&fd);
}

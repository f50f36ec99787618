#include "rootlesskit/handover/twin.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/base/fd.h"
#include "lib/net/address.h"
#include "rootlesskit/handover/original.h"
#include "rootlesskit/port/bind.h"

#define TCP_DESTINATION 2 /* offsets in the header, where a TCP socket's filter begins */
#define TCP_FLAGS 13
#define SYN_ACK 0x12
#define IPV4_DESTINATION (SKF_NET_OFF + 16)
#define IPV6_DESTINATION (SKF_NET_OFF + 24)

struct program {
    struct sock_filter code[24]; /* six demands of three, and what refuse_answers() appends */
    unsigned short n;
};

static void append(struct program *program, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
    program->code[program->n++] = (struct sock_filter){code, jt, jf, k};
}

/* What has not @p value there is dropped. @param size  BPF_H, BPF_W */
static void demand(struct program *program, uint16_t size, int32_t offset, uint32_t value)
{
    append(program, BPF_LD | BPF_ABS | size, 0, 0, (uint32_t)offset);
    append(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, value);
    append(program, BPF_RET | BPF_K, 0, 0, 0);
}

static void refuse_answers(struct program *program)
{
    append(program, BPF_LD | BPF_B | BPF_ABS, 0, 0, TCP_FLAGS);
    append(program, BPF_ALU | BPF_AND | BPF_K, 0, 0, SYN_ACK);
    append(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYN_ACK);
    append(program, BPF_RET | BPF_K, 0, 0, 0);
    append(program, BPF_RET | BPF_K, 0, 0, UINT32_MAX);
}

static void demand_v4(struct program *program, const struct in6_addr *ip)
{
    demand(program, BPF_W, SKF_AD_OFF + SKF_AD_PROTOCOL, ETH_P_IP);
    if (!address_is_any(ip))
        demand(program, BPF_W, IPV4_DESTINATION, ntohl(address_v4(ip).s_addr));
}

static void demand_v6(struct program *program, const struct in6_addr *ip)
{
    demand(program, BPF_W, SKF_AD_OFF + SKF_AD_PROTOCOL, ETH_P_IPV6);
    for (int i = 0; i < 4 && !IN6_IS_ADDR_UNSPECIFIED(ip); i++)
        demand(program, BPF_W, IPV6_DESTINATION + i * (int)sizeof ip->s6_addr32[i],
               ntohl(ip->s6_addr32[i]));
}

/* What goes to the place, and is no answer to a connection from there. */
static struct program program_of(const struct port_place *place)
{
    struct program program = {.n = 0};
    struct in6_addr ip;
    demand(&program, BPF_H, TCP_DESTINATION, address_of_socket(&place->address, &ip));
    if (address_is_v4(&ip))
        demand_v4(&program, &ip);
    else if (!place->dual)
        demand_v6(&program, &ip);
    refuse_answers(&program);
    return program;
}

static int lock(int fd, const struct port_place *place)
{
    struct program program = program_of(place);
    const struct sock_fprog filter = {.len = program.n, .filter = program.code};
    const int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ||
                   setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof on) < 0
               ? -errno
               : 0;
}

bool twin_can_lock(void)
{
    const struct port_place any = {.address.ss_family = AF_INET};
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && lock(fd, &any) == 0;
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
    int r = lock(fd, place);
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

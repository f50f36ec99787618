#include "rootlesskit/network/dhcp_client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/msg.h"
#include "lib/base/str.h"
#include "lib/net/netlink.h"
#include "rootlesskit/child.h"
#include "rootlesskit/gateway/confine.h"
#include "rootlesskit/network/enter.h"
#include "rootlesskit/network/network.h"

#define FIRST_LEASE_MS 30000 /* RootlessKit's */
#define FIRST_TRY_MS 1000
#define LAST_TRY_MS 8000
#define RENEW_TRY_MS 10000
#define RENEW_PAUSE_MS 60000 /* RFC 2131, 4.4.5 */

struct client {
    int sock;   /**< packet(7), on the interface */
    int parent; /**< where the first lease goes; its end of file is our end */
    unsigned index;
    struct dhcp_client_id id;
    struct dhcp_lease lease;
};

struct message {
    int32_t code; /**< 0, or -errno with a text */
    struct dhcp_lease lease;
    char text[256];
};

static int set_timeout(int fd, int64_t ms)
{
    const struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ? -errno : 0;
}

/* Waits without looking at the network. @return false when the parent is gone */
static bool pause_for(const struct client *client, int64_t ms)
{
    char byte;
    int64_t end = clock_ms() + ms;
    for (int64_t left = ms; left > 0; left = end - clock_ms()) {
        if (set_timeout(client->parent, left) < 0)
            return false;
        ssize_t n = recv(client->parent, &byte, 1, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return false;
    }
    return true;
}

static int send_out(const struct client *client, const struct dhcp_lease *lease, bool renew)
{
    uint8_t packet[DHCP_OUT_MAX];
    size_t len = dhcp_make(&client->id, lease, renew, packet);
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_IP),
        .sll_ifindex = (int)client->index,
        .sll_halen = DHCP_MAC_LEN,
        .sll_addr = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
    };
    return sendto(client->sock, packet, len, 0, (const struct sockaddr *)(const void *)&to,
                  sizeof to) < 0
               ? -errno
               : 0;
}

/* The next answer of the wanted kind, or a refusal, within @p ms. @return its type; -ETIMEDOUT */
static int await(const struct client *client, int wanted, int64_t ms, struct dhcp_lease *ret)
{
    uint8_t packet[DHCP_IN_MAX];
    int64_t end = clock_ms() + ms;
    for (int64_t left = ms; left > 0; left = end - clock_ms()) {
        if (set_timeout(client->sock, left) < 0)
            break;
        ssize_t n = recv(client->sock, packet, sizeof packet, 0);
        int type = n < 0 ? -errno : dhcp_parse(packet, (size_t)n, &client->id, ret);
        if (type == wanted || (type == DHCP_NAK && wanted == DHCP_ACK))
            return type;
    }
    return -ETIMEDOUT;
}

/* DISCOVER, OFFER, REQUEST, ACK, each tried again until somebody answers. */
static int acquire(struct client *client)
{
    int64_t end = clock_ms() + FIRST_LEASE_MS, wait = FIRST_TRY_MS;
    int r = -ETIMEDOUT;
    while (clock_ms() < end) {
        struct dhcp_lease offer;
        r = send_out(client, NULL, false);
        if (r >= 0)
            r = await(client, DHCP_OFFER, wait, &offer);
        if (r == DHCP_OFFER)
            r = send_out(client, &offer, false);
        if (r >= 0)
            r = await(client, DHCP_ACK, wait, &client->lease);
        if (r == DHCP_ACK)
            return 0;
        if (r != -ETIMEDOUT && r != DHCP_NAK)
            return r;
        wait = wait < LAST_TRY_MS ? wait * 2 : wait;
    }
    return r < 0 ? r : -EPERM;
}

static void say(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

/* Asks every server at once, from the first try on: what RFC 2131 calls rebinding. A server that is
 * away keeps nobody from going on with the address; one that takes it away does. */
static void keep(struct client *client)
{
    bool renewed = true;
    for (;;) {
        int64_t wait = renewed ? (int64_t)client->lease.renew_s * 1000 : RENEW_PAUSE_MS;
        if (client->lease.lease_s == DHCP_INFINITE)
            wait = INT32_MAX;
        if (!pause_for(client, wait))
            return;
        struct dhcp_lease lease;
        int r = client->lease.lease_s == DHCP_INFINITE ? -ETIMEDOUT
                                                       : send_out(client, &client->lease, true);
        if (r >= 0)
            r = await(client, DHCP_ACK, RENEW_TRY_MS, &lease);
        renewed = r == DHCP_ACK;
        if (r == DHCP_NAK || (renewed && lease.ip.s_addr != client->lease.ip.s_addr)) {
            say("the DHCP server took the address away\n");
            return;
        }
        if (renewed)
            client->lease = lease;
    }
}

/* Nothing but UDP for port 68 wakes us. */
static int attach_filter(int sock)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), /* protocol */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 6),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6), /* fragment offset */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), /* header length */
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),  /* destination port */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DHCP_CLIENT_PORT, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, DHCP_IN_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    return setsockopt(sock, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno
                                                                                        : 0;
}

static int open_socket(struct client *client, const char *ifname, struct err *err)
{
    struct ifreq request = {0};
    (void)str_copy(request.ifr_name, sizeof request.ifr_name, ifname);
    client->sock = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (client->sock < 0 || ioctl(client->sock, SIOCGIFHWADDR, &request) < 0)
        return err_sys(err, errno, "cannot open a packet socket on %s", ifname);
    memcpy(client->id.mac, request.ifr_hwaddr.sa_data, DHCP_MAC_LEN);
    struct sockaddr_ll place = {.sll_family = AF_PACKET,
                                .sll_protocol = htons(ETH_P_IP),
                                .sll_ifindex = (int)client->index};
    /* In this order: bound without a protocol it receives nothing before the filter is there. */
    if (attach_filter(client->sock) < 0 ||
        bind(client->sock, (const struct sockaddr *)(const void *)&place, sizeof place) < 0)
        return err_sys(err, errno, "cannot use a packet socket on %s", ifname);
    return 0;
}

static int bring_up(struct client *client, const char *ifname, uint32_t mtu, struct err *err)
{
    struct netlink netlink = {0};
    client->index = if_nametoindex(ifname);
    if (client->index == 0)
        return err_sys(err, errno, "there is no interface %s", ifname);
    int r = netlink_open(&netlink, err);
    if (r >= 0)
        r = netlink_set_mtu(&netlink, client->index, mtu, err);
    if (r >= 0)
        r = netlink_link_up(&netlink, if_nametoindex("lo"), err);
    if (r >= 0)
        r = netlink_link_up(&netlink, client->index, err);
    netlink_close(&netlink);
    return r;
}

static int enter(const struct child *child, struct err *err)
{
    pid_t parent = getppid();
    int r = enter_child(child);
    if (r < 0)
        return err_sys(err, -r, "cannot enter the child's namespaces");
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    return getppid() == parent ? 0 : err_set(err, ESRCH, "the parent is gone");
}

static int prepare(struct client *client, const struct child *child, const char *ifname,
                   uint32_t mtu, struct err *err)
{
    int r = enter(child, err);
    if (r >= 0)
        r = bring_up(client, ifname, mtu, err);
    if (r >= 0)
        r = open_socket(client, ifname, err);
    if (r >= 0 && getrandom(&client->id.xid, sizeof client->id.xid, 0) < 0)
        r = err_sys(err, errno, "no random numbers");
    if (r < 0)
        return r;
    int kept[] = {client->sock, client->parent};
    fd_close_except(kept, sizeof kept / sizeof kept[0]);
    return confine_process(err);
}

static int get_lease(struct client *client, struct err *err)
{
    int r = acquire(client);
    if (r == -ETIMEDOUT)
        return err_set(err, ETIMEDOUT,
                       "no DHCP server answered on the bridge within %d s (for lxcbr0: is the "
                       "service lxc-net running?)",
                       FIRST_LEASE_MS / 1000);
    return r < 0 ? err_sys(err, -r, "cannot get an address by DHCP") : 0;
}

static _Noreturn void run(const struct child *child, int parent, const char *ifname, uint32_t mtu)
{
    struct err err = {0};
    struct client client = {.sock = -EBADF, .parent = parent};
    struct message message = {0};
    message.code = prepare(&client, child, ifname, mtu, &err);
    if (message.code >= 0)
        message.code = get_lease(&client, &err);
    message.lease = client.lease;
    (void)snprintf(message.text, sizeof message.text, "%.*s", (int)sizeof message.text - 1,
                   err.msg);
    if (msg_send(parent, &message, sizeof message, NULL, 0) >= 0 && message.code >= 0)
        keep(&client);
    _exit(1);
}

static int receive(int sock, struct dhcp_lease *ret, struct err *err)
{
    struct message message;
    if (msg_recv(sock, &message, sizeof message, NULL, NULL) <= 0)
        return err_set(err, EPIPE, "the DHCP client ended unexpectedly");
    message.text[sizeof message.text - 1] = '\0';
    if (message.code < 0)
        return err_set(err, -message.code, "%s", message.text);
    /* It had read what strangers sent: its word counts for no more than theirs. */
    if (message.lease.n_dns > DHCP_DNS_MAX || message.lease.prefix < 1 || message.lease.prefix > 32)
        return err_set(err, EPROTO, "the DHCP client gave an unexpected answer");
    *ret = message.lease;
    return 0;
}

int dhcp_client_start(struct network *network, const struct child *child, const char *ifname,
                      uint32_t mtu, struct dhcp_lease *ret, struct err *err)
{
    int pair[2], said[2];
    int r = msg_pair(pair, err);
    if (r < 0)
        return r;
    network->helper_exit_fd = pair[0];
    cleanup_close int theirs = pair[1];
    if (pipe2(said, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    network->said_fd = said[0];
    cleanup_close int said_end = said[1];
    pid_t self = getpid();
    network->helper = fork();
    if (network->helper == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != self || dup2(said_end, STDERR_FILENO) < 0)
            _exit(1);
        run(child, theirs, ifname, mtu);
    }
    theirs = fd_close(theirs);
    if (network->helper < 0) {
        network->helper = 0;
        return err_sys(err, errno, "cannot start the DHCP client");
    }
    network->helper_pidfd = (int)syscall(SYS_pidfd_open, network->helper, 0);
    if (network->helper_pidfd < 0)
        return err_sys(err, errno, "cannot watch the DHCP client");
    return receive(pair[0], ret, err);
}

#include "rootlesskit/network/dhcp.h"

#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>

#include "rootlesskit/gateway/packet.h"

#define OP_REQUEST 1
#define OP_REPLY 2
#define HTYPE_ETHERNET 1
#define FLAG_BROADCAST                                                        \
    0x8000 /* our kernel drops what comes for an address it does not have yet \
            */
#define OUT_TTL 64
#define OPTIONS_ROOM 64 /* ours need 30; BOOTP's minimum is 64 (RFC 951) */
#define DEFAULT_LEASE_S 3600
#define DEFAULT_PREFIX 24

enum option {
    OPTION_PAD = 0,
    OPTION_MASK = 1,
    OPTION_ROUTER = 3,
    OPTION_DNS = 6,
    OPTION_WANTED_IP = 50,
    OPTION_LEASE = 51,
    OPTION_TYPE = 53,
    OPTION_SERVER = 54,
    OPTION_PARAMETERS = 55,
    OPTION_RENEW = 58,
    OPTION_CLIENT = 61,
    OPTION_END = 255,
};

static const uint8_t cookie[] = {99, 130, 83, 99};

/* RFC 2131, figure 1, up to the options. */
struct bootp {
    uint8_t op, htype, hlen, hops;
    uint32_t xid;
    uint16_t secs, flags;
    struct in_addr ciaddr, yiaddr, siaddr, giaddr;
    uint8_t chaddr[16];
    char sname[64], file[128];
    uint8_t cookie[4];
};
_Static_assert(sizeof(struct bootp) == 240, "as on the wire");

struct wire {
    struct iphdr ip;
    struct udphdr udp;
    struct bootp bootp;
    uint8_t options[OPTIONS_ROOM];
};
_Static_assert(sizeof(struct wire) <= DHCP_OUT_MAX, "a message of ours fits");

static uint8_t *put(uint8_t *p, enum option option, const void *value, size_t len)
{
    p[0] = (uint8_t)option;
    p[1] = (uint8_t)len;
    memcpy(p + 2, value, len);
    return p + 2 + len;
}

static void fill_options(uint8_t *p, const struct dhcp_client_id *id,
                         const struct dhcp_lease *lease, bool renew)
{
    static const uint8_t wanted[] = {OPTION_MASK, OPTION_ROUTER, OPTION_DNS, OPTION_LEASE,
                                     OPTION_RENEW};
    const uint8_t type = lease ? DHCP_REQUEST : DHCP_DISCOVER;
    uint8_t client[1 + DHCP_MAC_LEN] = {HTYPE_ETHERNET};
    memcpy(client + 1, id->mac, DHCP_MAC_LEN);
    p = put(p, OPTION_TYPE, &type, 1);
    p = put(p, OPTION_CLIENT, client, sizeof client);
    if (lease && !renew) {
        p = put(p, OPTION_WANTED_IP, &lease->ip, sizeof lease->ip);
        p = put(p, OPTION_SERVER, &lease->server, sizeof lease->server);
    }
    p = put(p, OPTION_PARAMETERS, wanted, sizeof wanted);
    *p = OPTION_END;
}

size_t dhcp_make(const struct dhcp_client_id *id, const struct dhcp_lease *lease, int renew,
                 uint8_t *ret)
{
    struct wire wire = {
        .ip = {.version = 4,
               .ihl = sizeof(struct iphdr) / 4,
               .tot_len = htons(sizeof wire),
               .ttl = OUT_TTL,
               .protocol = IPPROTO_UDP,
               .saddr = lease && renew ? lease->ip.s_addr : INADDR_ANY,
               .daddr = INADDR_BROADCAST},
        /* No checksum: IPv4 allows that, and there is one of the link's. */
        .udp = {.source = htons(DHCP_CLIENT_PORT),
                .dest = htons(DHCP_SERVER_PORT),
                .len = htons(sizeof wire - sizeof wire.ip)},
        .bootp = {.op = OP_REQUEST,
                  .htype = HTYPE_ETHERNET,
                  .hlen = DHCP_MAC_LEN,
                  .xid = id->xid,
                  .flags = htons(FLAG_BROADCAST)},
    };
    if (lease && renew)
        wire.bootp.ciaddr = lease->ip;
    memcpy(wire.bootp.chaddr, id->mac, DHCP_MAC_LEN);
    memcpy(wire.bootp.cookie, cookie, sizeof cookie);
    fill_options(wire.options, id, lease, renew);
    wire.ip.check = packet_checksum(&wire.ip, sizeof wire.ip, 0);
    memcpy(ret, &wire, sizeof wire);
    return sizeof wire;
}

/* Where the BOOTP message begins in a UDP datagram for a client, or 0. */
static size_t payload_of(const uint8_t *packet, size_t len, size_t *ret_end)
{
    struct iphdr ip;
    struct udphdr udp;
    if (len < sizeof ip)
        return 0;
    memcpy(&ip, packet, sizeof ip);
    size_t header = (size_t)ip.ihl * 4, total = ntohs(ip.tot_len);
    if (ip.version != 4 || header < sizeof ip || ip.protocol != IPPROTO_UDP || total > len ||
        (ntohs(ip.frag_off) & ~IP_DF) != 0 || total < header + sizeof udp)
        return 0;
    memcpy(&udp, packet + header, sizeof udp);
    size_t datagram = ntohs(udp.len);
    if (ntohs(udp.source) != DHCP_SERVER_PORT || ntohs(udp.dest) != DHCP_CLIENT_PORT ||
        datagram < sizeof udp || datagram > total - header)
        return 0;
    *ret_end = header + datagram;
    return header + sizeof udp;
}

static struct in_addr address_at(const uint8_t *value)
{
    struct in_addr ip;
    memcpy(&ip, value, sizeof ip);
    return ip;
}

static uint32_t number_at(const uint8_t *value)
{
    return ntohl(address_at(value).s_addr);
}

/* 0 for what is no mask. */
static uint32_t prefix_of(uint32_t mask)
{
    uint32_t n = (uint32_t)__builtin_popcount(mask);
    return n > 0 && mask == UINT32_MAX << (32 - n) ? n : 0;
}

static void take_dns(const uint8_t *value, size_t len, struct dhcp_lease *lease)
{
    lease->n_dns = 0;
    for (; len >= 4 && lease->n_dns < DHCP_DNS_MAX; value += 4, len -= 4)
        lease->dns[lease->n_dns++] = address_at(value);
}

/* What is shorter than its type needs is as if it were not there. */
static void take_option(uint8_t option, const uint8_t *value, size_t len, struct dhcp_lease *lease,
                        int *type)
{
    if (option == OPTION_TYPE && len == 1)
        *type = value[0];
    if (len < 4)
        return;
    switch (option) {
    case OPTION_MASK:
        lease->prefix = prefix_of(number_at(value));
        break;
    case OPTION_ROUTER:
        lease->router = address_at(value);
        break;
    case OPTION_DNS:
        take_dns(value, len, lease);
        break;
    case OPTION_LEASE:
        lease->lease_s = number_at(value);
        break;
    case OPTION_RENEW:
        lease->renew_s = number_at(value);
        break;
    case OPTION_SERVER:
        lease->server = address_at(value);
        break;
    default:
        break;
    }
}

/* @return the message's type, 0 without one */
static int take_options(const uint8_t *p, const uint8_t *end, struct dhcp_lease *lease)
{
    int type = 0;
    while (p < end && *p != OPTION_END) {
        if (*p == OPTION_PAD) {
            p++;
            continue;
        }
        if (end - p < 2 || end - p - 2 < p[1])
            return 0;
        take_option(p[0], p + 2, p[1], lease, &type);
        p += 2 + p[1];
    }
    return type;
}

/* An address that one host can have. */
static bool is_host(struct in_addr ip)
{
    uint32_t host = ntohl(ip.s_addr);
    return host >> 24 != 0 && host >> 24 != IN_LOOPBACKNET && host >> 24 < 224;
}

static bool complete(struct dhcp_lease *lease)
{
    if (!is_host(lease->ip) || !is_host(lease->server))
        return false;
    if (!is_host(lease->router))
        lease->router.s_addr = INADDR_ANY;
    if (lease->prefix == 0)
        lease->prefix = DEFAULT_PREFIX;
    if (lease->lease_s == 0)
        lease->lease_s = DEFAULT_LEASE_S;
    if (lease->renew_s == 0 || lease->renew_s > lease->lease_s)
        lease->renew_s = lease->lease_s / 2;
    if (lease->renew_s == 0)
        lease->renew_s = 1;
    return true;
}

int dhcp_parse(const uint8_t *packet, size_t len, const struct dhcp_client_id *id,
               struct dhcp_lease *ret)
{
    struct bootp bootp;
    size_t end = 0, at = payload_of(packet, len, &end);
    if (at == 0 || end - at < sizeof bootp)
        return -EBADMSG;
    memcpy(&bootp, packet + at, sizeof bootp);
    if (bootp.op != OP_REPLY || bootp.htype != HTYPE_ETHERNET || bootp.hlen != DHCP_MAC_LEN ||
        bootp.xid != id->xid || memcmp(bootp.chaddr, id->mac, DHCP_MAC_LEN) != 0 ||
        memcmp(bootp.cookie, cookie, sizeof cookie) != 0)
        return -EBADMSG;
    struct dhcp_lease lease = {.ip = bootp.yiaddr};
    int type = take_options(packet + at + sizeof bootp, packet + end, &lease);
    if (type == DHCP_NAK)
        return type;
    if ((type != DHCP_OFFER && type != DHCP_ACK) || !complete(&lease))
        return -EBADMSG;
    *ret = lease;
    return type;
}

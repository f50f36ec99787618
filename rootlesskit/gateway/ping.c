#include "rootlesskit/gateway/ping.h"

#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "lib/net/address.h"
#include "rootlesskit/gateway/packet.h"

static bool read_message(unsigned char *message, size_t len, uint8_t type, struct ping *ret)
{
    if (len < PING_HEADER || message[0] != type || message[1] != 0)
        return false;
    ret->message = message;
    ret->len = len;
    ret->id = (uint16_t)(message[4] << 8 | message[5]);
    return true;
}

/* A raw socket sees a packet before its ICMP checksum is looked at; what was damaged is not to
 * arrive mended. */
bool ping_read_v4(unsigned char *packet, size_t len, struct ping *ret)
{
    struct iphdr ip;
    if (len < sizeof ip)
        return false;
    memcpy(&ip, packet, sizeof ip);
    size_t header = (size_t)ip.ihl * 4;
    if (ip.version != 4 || header < sizeof ip || len < header ||
        !read_message(packet + header, len - header, ICMP_ECHO, ret))
        return false;
    struct in_addr source = {.s_addr = ip.saddr}, dest = {.s_addr = ip.daddr};
    ret->child = address_map(source);
    ret->dest = address_map(dest);
    ret->hops = ip.ttl;
    ret->tos = ip.tos;
    ret->whole = (ip.frag_off & htons(IP_DF)) != 0;
    return packet_checksum(ret->message, ret->len, 0) == 0;
}

bool ping_read_v6(unsigned char *message, size_t len, struct ping *ret)
{
    return read_message(message, len, ICMP6_ECHO_REQUEST, ret);
}

void ping_make_reply(unsigned char *message, bool v4, uint16_t id)
{
    message[0] = v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
    message[1] = 0;
    message[2] = message[3] = 0;
    message[4] = (unsigned char)(id >> 8);
    message[5] = (unsigned char)id;
}

/* IP addresses of both families as one type: IPv6, in which an IPv4 address is mapped
 * (::ffff:a.b.c.d, RFC 4291, 2.5.5.2). */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_BITS 128
/** Of them, those in front of a mapped IPv4 address: its network's prefix counts them too. */
#define ADDRESS_V4_BITS 96

struct in6_addr address_map(struct in_addr v4);
bool address_is_v4(const struct in6_addr *address);
/** The IPv4 address in a mapped one. */
struct in_addr address_v4(const struct in6_addr *mapped);
/** AF_INET for a mapped address, else AF_INET6. */
int address_family(const struct in6_addr *address);
bool address_equal(const struct in6_addr *a, const struct in6_addr *b);
/** @param prefix  bits that must be equal; an IPv4 network's are 96 more than it is written with */
bool address_within(const struct in6_addr *address, const struct in6_addr *network, uint8_t prefix);
/** Either family's loopback: 127.0.0.0/8, ::1. */
bool address_is_loopback(const struct in6_addr *address);
/** 0.0.0.0 or ::. */
struct in6_addr address_any(int family);
bool address_is_any(const struct in6_addr *address);
/** 127.0.0.1 or ::1. */
struct in6_addr address_loopback(int family);
/** A socket address of its own family. @param port  host byte order */
struct sockaddr_storage address_to_socket(const struct in6_addr *address, uint16_t port);
/** The other way; an IPv4 address in a sockaddr_in6 counts as IPv4. @return the port, host byte
 *  order */
uint16_t address_of_socket(const struct sockaddr_storage *socket, struct in6_addr *ret);

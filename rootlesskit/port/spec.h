/*
 * A port spec: which port of the parent (the host) leads to which port of the child.
 * Text form, as RootlessKit's: [PARENTIP:]PARENTPORT:[CHILDIP:]CHILDPORT/PROTO, IPv6 in brackets.
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

struct err;

#define PORT_PROTO_MAX 8
#define PORT_IP_MAX 64 /* INET6_ADDRSTRLEN and a zone */

struct port_spec {
    char proto[PORT_PROTO_MAX];  /**< tcp tcp4 tcp6 udp udp4 udp6 sctp sctp4 sctp6 */
    char parent_ip[PORT_IP_MAX]; /**< as given; "" = every address */
    char child_ip[PORT_IP_MAX];  /**< as given; "" = the driver's default */
    uint16_t parent_port;        /**< host byte order; 0 = whichever is free (builtin) */
    uint16_t child_port;
};

/** Parses and validates one spec. @return 0 or -EINVAL with a message that shows the right form */
int port_spec_parse(const char *text, struct port_spec *ret, struct err *err);
/** Checks a spec that came from elsewhere (the API): protocol known, addresses parse and fit the
 *  protocol's family, a child port is given. @return 0 or -EINVAL */
int port_spec_check(const struct port_spec *spec, struct err *err);
/**
 * An address without brackets or zone, into @p ret with port 0; an IPv4-mapped one counts as IPv4.
 * @return AF_INET, AF_INET6 or -EINVAL
 */
int port_ip_parse(const char *text, struct sockaddr_storage *ret);
/** The family a checked spec's protocol insists on on the parent's side, or AF_UNSPEC. */
int port_spec_family(const struct port_spec *spec);

/*
 * Many datagrams a system call: receives up to BURST_MAX at a time, sends some of them on. Equal
 * ones that go the same way travel through the kernel as one (UDP_GRO, UDP_SEGMENT) where it can.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define BURST_MAX 32
/** Room for one: more than UDP's length field allows. */
#define BURST_SIZE 65536

union burst_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/** What was received: one datagram, or several in a row from one sender. */
struct burst_piece {
    unsigned char *data;
    size_t len;
    size_t segment;           /**< several: each is that long, but the last one; 0: one */
    uint8_t tos;              /**< IPv4's type of service, IPv6's traffic class, with ECN's bits */
    union burst_address from; /**< of the socket's family */
    struct in6_addr local; /**< where it was sent to, IPv4 mapped; zero: the kernel did not say */
    /* What burst_want_heads() asks for: */
    uint16_t local_port; /**< host byte order */
    uint8_t hops;        /**< the hop limit it came with; 0: the kernel did not say */
    bool fragmented;     /**< it came in fragments: whoever sent it lets it be cut */
};

/** Where to send. */
struct burst_route {
    union burst_address to; /**< its family is the socket's, also without an address */
    socklen_t to_len;       /**< 0: where the socket is connected to */
    struct in6_addr local;  /**< the address to send from, as in burst_piece; zero: any */
    uint8_t hops;           /**< the hop limit; 0: the socket's */
};

/** A piece that the kernel did not take. */
struct burst_refusal {
    uint8_t piece;
    int code; /**< -errno; -EMSGSIZE: nothing of it was sent */
};

/** What the last burst_send() came to. */
struct burst_sent {
    uint64_t bytes; /**< of payload, taken by the socket */
    uint32_t lost;  /**< datagrams that it had no room for */
};

struct burst;

/** A burst for as long as the process lives. @return NULL when there is no memory */
struct burst *burst_new(void);
/** Gives a socket room for bursts, has it tell each datagram's type of service, and lets the kernel
 *  hand over several datagrams as one where it can. */
void burst_prepare(int fd, int family);
/** Has a socket tell what stands in each datagram's IP header: local, local_port (of one that
 * tproxy led there), hops, fragmented. */
void burst_want_heads(int fd, int family);
/** @return whether a datagram waits there; an error the socket had is passed over */
bool burst_is_waiting(int fd);
/** Receives without waiting. @return pieces, or -errno: -EAGAIN, or an error the socket had */
int burst_receive(struct burst *burst, int fd);
/** Piece @p i of the last burst_receive(); valid until the next. */
const struct burst_piece *burst_piece(const struct burst *burst, unsigned i);
/**
 * Sends pieces of the last burst_receive() on, each with the type of service it came with, without
 * waiting; what the socket has no room for is lost, an error that an earlier datagram left on it is
 * passed over.
 * @param which  their @p n numbers, in the order to keep
 * @return how many were refused, for burst_refusal() until the next burst_send()
 */
unsigned burst_send(struct burst *burst, int fd, const struct burst_route *route,
                    const uint8_t *which, unsigned n);
const struct burst_refusal *burst_refusal(const struct burst *burst, unsigned i);
struct burst_sent burst_sent(const struct burst *burst);

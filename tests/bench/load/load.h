/*
 * What the rows of tests/bench load a path with, where a script would be slower than the path:
 * short connections, held connections, datagrams. IPv4, one subcommand a file, one line of JSON on
 * stdout as the result. main.c has the table of subcommands.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

/** What every datagram carries: it fits an Ethernet frame with room for a tunnel's header. */
#define LOAD_DATAGRAM 1400
/** Most workers of one run. */
#define LOAD_WORKERS_MAX 64

/** `serve ADDRESS PORT`: accepts, sends one byte and closes, for ever.
 *  The server closes first: TIME_WAIT is its, so that a client does not run out of ports. */
int load_serve(char **argv, struct err *err);
/** `hold ADDRESS PORT`: accepts, sends one byte and keeps the connection, for ever. */
int load_hold(char **argv, struct err *err);
/** `dial ADDRESS PORT WORKERS MS`: connect, read the byte and the end, close; again and again.
 *  Prints {"done": N, "failed": N, "seconds": S}. */
int load_dial(char **argv, struct err *err);
/** `refused ADDRESS PORT WORKERS MS`: as dial, to a closed port; ECONNREFUSED is what counts. */
int load_refused(char **argv, struct err *err);
/** `open ADDRESS PORT COUNT`: opens connections to a hold, prints {"open": N}, keeps them until
 *  stdin ends. */
int load_open(char **argv, struct err *err);
/** `lookup ADDRESS PORT WORKERS MS`: as dial, lookups by DNS, which an answer answers. */
int load_lookup(char **argv, struct err *err);
/** `answer ADDRESS PORT`: a DNS server with one answer, for ever. */
int load_answer(char **argv, struct err *err);
/** `echo ADDRESS PORT`: accepts, and sends back what comes until it ends; one after the other. */
int load_echo(char **argv, struct err *err);
/** `pingpong ADDRESS PORT MS`: one connection to an echo, 64 bytes there and back, again and again.
 *  Prints {"done": N, "p50_us": US, "p99_us": US}. */
int load_pingpong(char **argv, struct err *err);
/** `flood ADDRESS PORT MBITS SEGMENTS MS`: sends datagrams, SEGMENTS of them with one system call
 *  (UDP_SEGMENT) when that is more than 1; MBITS 0 is as fast as it goes.
 *  Prints {"sent": DATAGRAMS, "seconds": S}. */
int load_flood(char **argv, struct err *err);
/** `sink ADDRESS PORT`: receives datagrams. For each line on stdin waits until none comes any
 *  more, prints {"received": DATAGRAMS} and begins at 0 again. */
int load_sink(char **argv, struct err *err);

/** `relay WAY ADDRESS PORT TO_ADDRESS TO_PORT`: relays what comes, for ever, by one of the ways of
 *  relay.h, or by the gateway's own. */
int load_relay(char **argv, struct err *err);

/** What load_accept() does with a connection, which is its own. */
typedef void load_served_fn(int take_fd);

/** Accepts on ADDRESS PORT, for ever. @return -errno */
int load_accept(char **argv, load_served_fn *served, struct err *err);

/** What load_repeat() repeats; @p to is where to. @return whether it went as it should */
typedef bool load_once_fn(const struct sockaddr_in *to);

/** Runs @p once again and again: the arguments are ADDRESS PORT WORKERS MS, each worker a process;
 *  prints {"done": N, "failed": N, "seconds": S}. */
int load_repeat(char **argv, load_once_fn *once, struct err *err);
/** Reads "ADDRESS" "PORT". */
int load_address(char **argv, struct sockaddr_in *ret, struct err *err);
/** A socket of @p type bound to what load_address() reads. @return the fd, or -errno */
int load_bind(char **argv, int type, struct err *err);
/** Nanoseconds of CLOCK_MONOTONIC. */
uint64_t load_now(void);

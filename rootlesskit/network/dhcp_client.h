/*
 * A DHCP client as a process of its own: it asks for a lease, tells the parent, and renews it. From
 * its first packet on it has no file system, no capability and few system calls; who sets the
 * interface up with what it tells is another process.
 */
#pragma once

#include "rootlesskit/network/dhcp.h"

struct child;
struct err;
struct network;

/**
 * Brings @p ifname up in C, starts the client there as network->helper and waits for the first
 * lease. It ends when it is told to leave the address, or with the parent.
 */
int dhcp_client_start(struct network *network, const struct child *child, const char *ifname,
                      uint32_t mtu, struct dhcp_lease *ret, struct err *err);

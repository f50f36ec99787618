/* Addresses that stand for many hosts: nothing is relayed to them, and no error sent about them. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

struct policy;

/** @return true for a multicast address, and for IPv4's broadcast: the last of the child's network
 *          and 255.255.255.255 */
bool many_hosts(const struct policy *policy, const struct in6_addr *address);

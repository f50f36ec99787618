/*
 * DHCP messages (RFC 2131, RFC 2132) as whole IPv4 packets: making a client's, reading a server's.
 * What is read comes from whoever is on the bridge. No heap, no state, no system call.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68
#define DHCP_MAC_LEN 6
#define DHCP_DNS_MAX 3
#define DHCP_INFINITE UINT32_MAX

/** The longest one that we make. */
#define DHCP_OUT_MAX 340
/** No server sends a longer one to a client that does not ask for it (RFC 2131, section 2: 576),
 * but some do. */
#define DHCP_IN_MAX 1500

enum dhcp_type {
    DHCP_DISCOVER = 1,
    DHCP_OFFER = 2,
    DHCP_REQUEST = 3,
    DHCP_ACK = 5,
    DHCP_NAK = 6,
};

struct dhcp_lease {
    struct in_addr ip;
    struct in_addr router; /**< 0.0.0.0: none */
    struct in_addr server;
    struct in_addr dns[DHCP_DNS_MAX];
    uint32_t n_dns;
    uint32_t prefix;  /**< 1..32 */
    uint32_t lease_s; /**< DHCP_INFINITE: for ever */
    uint32_t renew_s; /**< at least 1, at most lease_s */
};

/** Who asks, and the number of the exchange. */
struct dhcp_client_id {
    uint8_t mac[DHCP_MAC_LEN];
    uint32_t xid;
};

/**
 * A DHCP_DISCOVER (@p lease NULL), or a DHCP_REQUEST: for an offer, or with @p renew for the lease
 * that is held.
 * @return its length in @p ret (DHCP_OUT_MAX)
 */
size_t dhcp_make(const struct dhcp_client_id *id, const struct dhcp_lease *lease, int renew,
                 uint8_t *ret);
/**
 * Reads an answer to @p id.
 * @param ret  filled in for DHCP_OFFER and DHCP_ACK: what is in it can be used as it is
 * @return DHCP_OFFER, DHCP_ACK or DHCP_NAK; -EBADMSG for everything else
 */
int dhcp_parse(const uint8_t *packet, size_t len, const struct dhcp_client_id *id,
               struct dhcp_lease *ret);

/* What may come to the DHCP client from its bridge: any bytes at all. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "rootlesskit/network/dhcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dhcp_client_id id = {0};
    struct dhcp_lease lease;
    /* The one thing that cannot be guessed is taken from the packet; a copy of the exact size, so
     * that one byte too many is seen. */
    if (size >= 36)
        memcpy(&id.xid, data + 32, sizeof id.xid);
    if (size >= 62)
        memcpy(id.mac, data + 56, sizeof id.mac);
    uint8_t *copy = malloc(size ? size : 1);
    require(copy);
    memcpy(copy, data, size);
    int type = dhcp_parse(copy, size, &id, &lease);
    free(copy);
    if (type != DHCP_OFFER && type != DHCP_ACK)
        return 0;
    require(lease.n_dns <= DHCP_DNS_MAX);
    require(lease.prefix >= 1 && lease.prefix <= 32);
    require(lease.renew_s >= 1 && lease.renew_s <= lease.lease_s);
    require(lease.ip.s_addr != 0 && lease.server.s_addr != 0);
    uint8_t out[DHCP_OUT_MAX];
    require(dhcp_make(&id, &lease, 0, out) <= sizeof out);
    require(dhcp_make(&id, &lease, 1, out) <= sizeof out);
    return 0;
}

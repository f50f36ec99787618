/* The rootless networks' own addresses, 10.0.2.0/24, against the host's routes. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootless-setup/check/probe.h"

#define ROUTES_MAX (1 << 20)
#define OUR_NET UINT32_C(0x0a000200)
#define OUR_MASK UINT32_C(0xffffff00)

/* Hexadecimal digits of either case; the kernel's are upper. */
static bool hex_field(struct cursor *line, uint32_t *ret)
{
    const char *start;
    size_t len;
    cursor_until(line, '\t', &start, &len);
    (void)cursor_char(line, '\t');
    *ret = 0;
    for (size_t i = 0; i < len; i++) {
        const char *digits = "0123456789ABCDEF", *digit = strchr(digits, start[i]);
        if (!digit || i == 8)
            return false;
        *ret = *ret << 4 | (uint32_t)(digit - digits);
    }
    return len > 0;
}

/* A line of /proc/net/route, "IFACE DESTINATION GATEWAY FLAGS REFCNT USE METRIC MASK ...", numbers
 * in the network's order as the machine reads it. @return true when it overlaps ours */
static bool overlaps(struct cursor line, char *ret, size_t size)
{
    const char *iface, *skipped;
    size_t len, skipped_len;
    uint32_t destination, mask;
    cursor_until(&line, '\t', &iface, &len);
    (void)cursor_char(&line, '\t');
    if (!hex_field(&line, &destination))
        return false;
    for (int i = 0; i < 5; i++) {
        cursor_until(&line, '\t', &skipped, &skipped_len);
        (void)cursor_char(&line, '\t');
    }
    if (!hex_field(&line, &mask) || mask == 0)
        return false;
    struct in_addr address = {.s_addr = destination};
    uint32_t common = ntohl(mask) & OUR_MASK;
    char text[INET_ADDRSTRLEN] = "";
    if ((ntohl(destination) & common) != (OUR_NET & common))
        return false;
    (void)inet_ntop(AF_INET, &address, text, sizeof text);
    (void)snprintf(ret, size, "%s/%d on %.*s", text, __builtin_popcount(mask), (int)len, iface);
    return true;
}

void probe_route(const struct check_context *context, struct check_result *result)
{
    (void)context;
    cleanup_free char *text = NULL;
    char which[128];
    if (file_read(AT_FDCWD, "/proc/net/route", ROUTES_MAX, &text, NULL, NULL) < 0) {
        check_say(result, CHECK_OK, "this kernel has no IPv4 routes");
        return;
    }
    struct cursor all = cursor_of(text), line;
    while (cursor_line(&all, &line)) {
        if (!overlaps(line, which, sizeof which))
            continue;
        check_say(result, CHECK_HINT, "a route of this host: %s", which);
        check_cause(result,
                    "containers take 10.0.2.0/24 for their own network, so hosts with those "
                    "addresses (of a LAN or VPN) cannot be reached from them");
        check_remedy(result, REMEDY_NOTE,
                     "give rootlesskit another network: --cidr=10.0.98.0/24 (docker: in "
                     "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS)");
        return;
    }
    check_say(result, CHECK_OK, "no route of this host overlaps 10.0.2.0/24");
}

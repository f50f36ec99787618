/* Two things that are off by default on many systems and that engines do without. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "lib/base/fd.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"

#define LOW_PORT 80

void probe_ping(const struct check_context *context, struct check_result *result)
{
    (void)context;
    cleanup_close int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (sock >= 0) {
        check_say(result, CHECK_OK, "opened an ICMP socket");
        return;
    }
    check_say_errno(result, CHECK_HINT, errno, "opening an ICMP socket");
    check_cause(result, "net.ipv4.ping_group_range leaves the user's group out: containers cannot "
                        "ping the outside");
    remedy_sysctl(result, "net.ipv4.ping_group_range", "0 2147483647", "ping");
}

void probe_ports(const struct check_context *context, struct check_result *result)
{
    (void)context;
    cleanup_close int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(LOW_PORT),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    if (sock < 0) {
        check_say_errno(result, CHECK_WARNING, errno, "opening a TCP socket");
        check_cause(result, "without it no port can be published");
        return;
    }
    /* A port in use is one that may be bound. */
    if (bind(sock, (const struct sockaddr *)&address, sizeof address) == 0 || errno == EADDRINUSE) {
        check_say(result, CHECK_OK, "bound 127.0.0.1:%d", LOW_PORT);
        return;
    }
    check_say_errno(result, CHECK_HINT, errno, "binding 127.0.0.1:%d", LOW_PORT);
    check_cause(result, "ports below net.ipv4.ip_unprivileged_port_start cannot be published; "
                        "-p 8080:80 works");
    remedy_sysctl(result, "net.ipv4.ip_unprivileged_port_start", "80", "ports");
}

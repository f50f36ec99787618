#include "rootlesskit/api/observe.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "lib/net/address.h"

static const char *const protos[] = {"tcp", "udp", "icmp", "sctp"};
static const char *const directions[] = {"outbound", "published"};
static const char *const ways[] = {"sent", "received"};
static const char *const reasons[] = {"refused",    "unreachable", "timeout",
                                      "prohibited", "shortage",    "other"};
static const char *const states[] = {"held", "connecting", "open", "ending", "mapped"};
_Static_assert(sizeof protos / sizeof protos[0] == STATS_PROTOS, "one a protocol");
_Static_assert(sizeof directions / sizeof directions[0] == STATS_DIRECTIONS, "one a direction");
_Static_assert(sizeof ways / sizeof ways[0] == STATS_WAYS, "one a way");
_Static_assert(sizeof reasons / sizeof reasons[0] == STATS_REASONS, "one a reason");
_Static_assert(sizeof states / sizeof states[0] == STATS_STATES, "one a state");

/* The word of number @p i; what the list lacks is no word of anybody's. */
static const char *word(const char *const *list, size_t n, size_t i)
{
    return i < n ? list[i] : "unknown";
}
#define WORD(list, i) word(list, sizeof list / sizeof list[0], i)

static void write_address(FILE *out, const char *who, const struct in6_addr *address, uint16_t port)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (IN6_IS_ADDR_UNSPECIFIED(address))
        return;
    if (address_is_v4(address))
        (void)inet_ntop(AF_INET, &address->s6_addr[12], text, sizeof text);
    else
        (void)inet_ntop(AF_INET6, address, text, sizeof text);
    (void)fprintf(out, ",\"%sIP\":\"%s\"", who, text);
    if (port)
        (void)fprintf(out, ",\"%sPort\":%u", who, port);
}

static void write_flow(FILE *out, const struct stats_record *record)
{
    (void)fprintf(out, "{\"proto\":\"%s\",\"direction\":\"%s\",\"state\":\"%s\"",
                  WORD(protos, record->proto), WORD(directions, record->direction),
                  WORD(states, record->state));
    if (record->port_id)
        (void)fprintf(out, ",\"portID\":%u", record->port_id);
    write_address(out, "child", &record->child, record->child_port);
    write_address(out, "remote", &record->remote, record->remote_port);
    write_address(out, "dialled", &record->dialled, record->dialled_port);
    (void)fprintf(out,
                  ",\"sentBytes\":%" PRIu64 ",\"receivedBytes\":%" PRIu64
                  ",\"ageSeconds\":%u,\"idleSeconds\":%u}",
                  record->bytes[STATS_SENT], record->bytes[STATS_RECEIVED], record->age_s,
                  record->idle_s);
}

void observe_write_flows(FILE *out, const struct stats_record *records, size_t n)
{
    (void)fputc('[', out);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            (void)fputc(',', out);
        write_flow(out, &records[i]);
    }
    (void)fputc(']', out);
}

#define PREFIX "rootlesskit_"

/* A family's head; its unit, where it has one, is the end of its name. */
static void begin(FILE *out, const char *name, const char *type, const char *unit, const char *help)
{
    (void)fprintf(out, "# TYPE " PREFIX "%s %s\n", name, type);
    if (unit)
        (void)fprintf(out, "# UNIT " PREFIX "%s %s\n", name, unit);
    (void)fprintf(out, "# HELP " PREFIX "%s %s\n", name, help);
}

static void gauge(FILE *out, const char *name, const char *unit, const char *help, uint64_t value)
{
    begin(out, name, "gauge", unit, help);
    (void)fprintf(out, PREFIX "%s %" PRIu64 "\n", name, value);
}

static void counter(FILE *out, const char *name, const char *help, uint64_t value)
{
    begin(out, name, "counter", NULL, help);
    (void)fprintf(out, PREFIX "%s_total %" PRIu64 "\n", name, value);
}

static void write_flow_counts(FILE *out, const struct stats_counters *counters)
{
    begin(out, "flows", "gauge", NULL,
          "TCP connections, UDP flows and pings that are relayed now.");
    for (int p = 0; p < STATS_PROTOS; p++)
        for (int d = 0; d < STATS_DIRECTIONS; d++) {
            /* Of two moments, where it went from one thread to another meanwhile. */
            int64_t now = (int64_t)(counters->opened[p][d] - counters->closed[p][d]);
            (void)fprintf(out, PREFIX "flows{proto=\"%s\",direction=\"%s\"} %" PRId64 "\n",
                          protos[p], directions[d], now < 0 ? 0 : now);
        }
    begin(out, "flows_opened", "counter", NULL,
          "TCP connections, UDP flows and pings that came about so far.");
    for (int p = 0; p < STATS_PROTOS; p++)
        for (int d = 0; d < STATS_DIRECTIONS; d++)
            (void)fprintf(out,
                          PREFIX "flows_opened_total{proto=\"%s\",direction=\"%s\"} %" PRIu64 "\n",
                          protos[p], directions[d], counters->opened[p][d]);
}

static void write_by_reason(FILE *out, const char *name,
                            const uint64_t by_reason[STATS_DIRECTIONS][STATS_REASONS])
{
    for (int d = 0; d < STATS_DIRECTIONS; d++)
        for (int r = 0; r < STATS_REASONS; r++)
            (void)fprintf(out, PREFIX "%s_total{direction=\"%s\",reason=\"%s\"} %" PRIu64 "\n",
                          name, directions[d], reasons[r], by_reason[d][r]);
}

static void write_traffic(FILE *out, const struct stats_counters *counters)
{
    begin(out, "traffic_bytes", "counter", "bytes",
          "Payload passed on, as the child sent or received it.");
    for (int p = 0; p < STATS_PROTOS; p++)
        for (int d = 0; d < STATS_DIRECTIONS; d++)
            for (int w = 0; w < STATS_WAYS; w++)
                (void)fprintf(out,
                              PREFIX
                              "traffic_bytes_total{proto=\"%s\",direction=\"%s\",way=\"%s\"} "
                              "%" PRIu64 "\n",
                              protos[p], directions[d], ways[w], counters->bytes[p][d][w]);
}

static void write_process(FILE *out, const struct stats_totals *totals, uint64_t resident)
{
    if (resident)
        gauge(out, "dataplane_resident_memory_bytes", "bytes",
              "Memory of the process that moves the bytes.", resident);
    if (totals->fds)
        gauge(out, "dataplane_open_fds", NULL, "File descriptors that it has open.", totals->fds);
    gauge(out, "dataplane_max_fds", NULL, "File descriptors that it may have open.",
          totals->fds_max);
}

void observe_write_metrics(FILE *out, const struct stats_totals *totals, uint32_t n_ports,
                           uint64_t resident)
{
    const struct stats_counters *counters = &totals->counters;
    write_flow_counts(out, counters);
    gauge(out, "flows_limit", NULL, "TCP connections that one thread takes.", totals->flows_max);
    begin(out, "connections_failed", "counter", NULL,
          "TCP connections that came to nothing, and why.");
    write_by_reason(out, "connections_failed", counters->failed);
    gauge(out, "held_syns", NULL, "Connections of the child that wait for their other side.",
          counters->held);
    gauge(out, "held_syns_limit", NULL, "As many may wait.", totals->held_max);
    gauge(out, "udp_mappings", NULL, "Ports of the host that stand for the child's.",
          counters->mappings);
    write_traffic(out, counters);
    begin(out, "datagrams_dropped", "counter", NULL,
          "Datagrams and echo requests that were lost here, and why.");
    write_by_reason(out, "datagrams_dropped", counters->dropped);
    counter(out, "dns_queries", "Queries over UDP that the child's DNS server took.",
            counters->dns_queries);
    counter(out, "dns_retries", "Queries that went on to the next resolver.",
            counters->dns_retries);
    counter(out, "dns_failures", "Queries that no resolver answered.", counters->dns_failures);
    gauge(out, "published_ports", NULL, "Ports that are published.", n_ports);
    write_process(out, totals, resident);
    (void)fputs("# EOF\n", out);
}

/*
 * rootlessctl top. Rates are what came between two looks; at the first, and for a flow that was not
 * there before, since the flow began.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootlesskit/api/ctl.h"
#include "rootlesskit/api/flowlist.h"
#include "rootlesskit/api/screen.h"

struct row {
    const struct flowlist_flow *flow;
    uint64_t sent, received; /* bytes a second */
};

struct look {
    struct flowlist list;
    struct row *rows; /* the busiest first */
    int64_t at_ms;
};

static void forget(struct look *look)
{
    flowlist_free(&look->list);
    free(look->rows);
    *look = (struct look){0};
}

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    uint64_t p = x->sent + x->received, q = y->sent + y->received;
    return p != q ? (p < q) - (p > q) : flowlist_compare(x->flow, y->flow);
}

static uint64_t per_second(uint64_t now, uint64_t before, int64_t ms)
{
    return now > before ? (now - before) / (uint64_t)ms * 1000 +
                              (now - before) % (uint64_t)ms * 1000 / (uint64_t)ms
                        : 0;
}

static void rate(struct row *row, const struct look *look, const struct look *before)
{
    const struct flowlist_flow *flow = row->flow, *old = NULL;
    if (before->list.n > 0)
        old = bsearch(flow, before->list.flows, before->list.n, sizeof *flow, flowlist_compare);
    if (old && flow->sent >= old->sent && flow->received >= old->received) {
        int64_t ms = look->at_ms > before->at_ms ? look->at_ms - before->at_ms : 1;
        row->sent = per_second(flow->sent, old->sent, ms);
        row->received = per_second(flow->received, old->received, ms);
        return;
    }
    int64_t ms = ((int64_t)flow->age_s + 1) * 1000;
    row->sent = per_second(flow->sent, 0, ms);
    row->received = per_second(flow->received, 0, ms);
}

static int take_look(const char *socket_path, const struct look *before, struct look *ret,
                     struct err *err)
{
    *ret = (struct look){.at_ms = clock_ms()};
    int r = flowlist_get(socket_path, &ret->list, NULL, err);
    if (r < 0)
        return r;
    ret->rows = calloc(ret->list.n + 1, sizeof *ret->rows);
    if (!ret->rows)
        return err_set(err, ENOMEM, "no memory for %zu flows", ret->list.n);
    for (size_t i = 0; i < ret->list.n; i++) {
        ret->rows[i].flow = &ret->list.flows[i];
        rate(&ret->rows[i], ret, before);
    }
    qsort(ret->rows, ret->list.n, sizeof *ret->rows, compare_rows);
    return 0;
}

/* TCP and UDP, and what else there is. */
static void write_counts(FILE *out, const struct flowlist *list)
{
    static const struct {
        const char *proto, *name;
    } rows[] = {{"tcp", "TCP"}, {"udp", "UDP"}, {"icmp", "ICMP"}, {"sctp", "SCTP"}};
    (void)fprintf(out, "%zu flows (", list->n);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = 0;
        for (size_t k = 0; k < list->n; k++)
            n += str_equal(list->flows[k].proto, rows[i].proto);
        if (n > 0 || i < 2)
            (void)fprintf(out, "%s%zu %s", i ? ", " : "", n, rows[i].name);
    }
    (void)fputs(")", out);
}

static void write_totals(FILE *out, const struct look *look)
{
    uint64_t sent = 0, received = 0;
    char a[8], b[8];
    for (size_t i = 0; i < look->list.n; i++) {
        sent += look->rows[i].sent;
        received += look->rows[i].received;
    }
    write_counts(out, &look->list);
    (void)fprintf(out, ", %s/s sent, %s/s received\n", flowlist_size(sent, a),
                  flowlist_size(received, b));
}

static void write_row(FILE *out, const struct row *row)
{
    const struct flowlist_flow *flow = row->flow;
    char a[8], b[8], c[8], d[8], age[8];
    bool published = str_equal(flow->direction, "published");
    (void)fprintf(out, "%7s %7s %7s %8s  %-5s %-10s %4s  %s %s %s", flowlist_size(row->sent, a),
                  flowlist_size(row->received, b), flowlist_size(flow->sent, c),
                  flowlist_size(flow->received, d), flow->proto, flow->state,
                  flowlist_time(flow->age_s, age), flow->child[0] ? flow->child : "-",
                  published ? "<-" : "->", flow->remote[0] ? flow->remote : "-");
    if (flow->dialled[0])
        (void)fprintf(out, " (%s)", flow->dialled);
    (void)fputc('\n', out);
}

static void show(const struct screen *screen, const struct look *look)
{
    cleanup_free char *text = NULL;
    size_t len;
    unsigned rows = screen_rows(screen);
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return;
    write_totals(out, look);
    (void)fprintf(out, "%7s %7s %7s %8s  %-5s %-10s %4s  %s\n", "SENT/s", "RECV/s", "SENT",
                  "RECEIVED", "PROTO", "STATE", "AGE", "CHILD AND REMOTE");
    for (size_t i = 0; i < look->list.n && (rows == 0 || i + 2 < rows); i++)
        write_row(out, &look->rows[i]);
    if (!screen->tty)
        (void)fputc('\n', out);
    if (fclose(out) == 0)
        screen_draw(screen, text);
}

static int watch(struct ctl_config *config, struct screen *screen, struct look *look,
                 struct err *err)
{
    enum screen_event event = SCREEN_TIME;
    for (uint32_t n = 0; event != SCREEN_END;) {
        struct look next = {0};
        int r = event == SCREEN_TIME ? take_look(config->socket_path, look, &next, err) : 0;
        if (r < 0) {
            forget(&next);
            return r;
        }
        if (event == SCREEN_TIME) {
            forget(look);
            *look = next;
            n++;
        }
        show(screen, look);
        if (ferror(stdout) || n == config->count)
            return 0;
        event = screen_wait(screen, (int)config->interval_s * 1000);
    }
    return 0;
}

int ctl_top(struct ctl_config *config, int argc, char **argv, struct err *err)
{
    struct screen screen;
    struct look look = {0};
    int r = ctl_refuse_arguments(argc, argv, err);
    if (r >= 0)
        r = ctl_find_socket(config, err);
    if (r >= 0)
        r = screen_open(&screen, err);
    if (r < 0)
        return r;
    r = watch(config, &screen, &look, err);
    screen_close(&screen);
    forget(&look);
    return r;
}

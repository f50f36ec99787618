#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootlesskit/api/client.h"
#include "rootlesskit/api/ctl.h"
#include "rootlesskit/api/flowlist.h"

static void print_lines(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        char *text = json_dumps(json_array_get(list, i), JSON_COMPACT);
        if (text)
            (void)puts(text);
        free(text);
    }
}

static const char *or_dash(const char *text)
{
    return text[0] ? text : "-";
}

static size_t longest(size_t width, const char *text)
{
    size_t len = strlen(text);
    return len > width ? len : width;
}

static void print_table(const struct flowlist *list)
{
    size_t child = 5, remote = 6;
    for (size_t i = 0; i < list->n; i++) {
        child = longest(child, list->flows[i].child);
        remote = longest(remote, list->flows[i].remote);
    }
    (void)printf("%-5s  %-9s  %-10s  %4s  %-*s  %-*s  %5s  %8s  %4s  %4s  %s\n", "PROTO",
                 "DIRECTION", "STATE", "PORT", (int)child, "CHILD", (int)remote, "REMOTE", "SENT",
                 "RECEIVED", "AGE", "IDLE", "DIALLED");
    for (size_t i = 0; i < list->n; i++) {
        const struct flowlist_flow *flow = &list->flows[i];
        char sent[8], received[8], age[8], idle[8], id[16] = "-";
        if (flow->port_id)
            (void)str_format(id, sizeof id, "%u", flow->port_id);
        (void)printf("%-5s  %-9s  %-10s  %4s  %-*s  %-*s  %5s  %8s  %4s  %4s  %s\n", flow->proto,
                     flow->direction, flow->state, id, (int)child, or_dash(flow->child),
                     (int)remote, or_dash(flow->remote), flowlist_size(flow->sent, sent),
                     flowlist_size(flow->received, received), flowlist_time(flow->age_s, age),
                     flowlist_time(flow->idle_s, idle), or_dash(flow->dialled));
    }
}

int ctl_flows(struct ctl_config *config, int argc, char **argv, struct err *err)
{
    struct flowlist list = {0};
    json_t *json = NULL;
    int r = ctl_refuse_arguments(argc, argv, err);
    if (r >= 0)
        r = ctl_find_socket(config, err);
    if (r >= 0)
        r = flowlist_get(config->socket_path, &list, &json, err);
    if (r >= 0 && config->json)
        print_lines(json);
    else if (r >= 0)
        print_table(&list);
    json_decref(json);
    flowlist_free(&list);
    return r;
}

int ctl_metrics(struct ctl_config *config, int argc, char **argv, struct err *err)
{
    cleanup_free char *text = NULL;
    int r = ctl_refuse_arguments(argc, argv, err);
    if (r >= 0)
        r = ctl_find_socket(config, err);
    if (r >= 0)
        r = client_get_text(config->socket_path, "/v1/metrics", &text, err);
    if (r >= 0)
        (void)fputs(text, stdout);
    return r;
}

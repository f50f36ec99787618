/* rootlessctl: ports, state and traffic of a running rootlesskit, by its REST API. */
#include "rootlesskit/api/ctl.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "rootlesskit/api/client.h"
#include "rootlesskit/api/json.h"

struct command {
    const char *name;
    ctl_command *run;
    const struct cli_program *program;
};

static const struct cli_option global_options[] = {
    {"debug", 0, CLI_FLAG, offsetof(struct ctl_config, debug), .help = "print debug messages"},
    {"socket", 0, CLI_STRING, offsetof(struct ctl_config, socket), "PATH",
     "API socket (default: $ROOTLESSKIT_STATE_DIR/api.sock)"},
};

static const struct cli_option json_option[] = {
    {"json", 0, CLI_FLAG, offsetof(struct ctl_config, json), .help = "print JSON"},
};

static const struct cli_option remove_options[] = {
    {"drain", 0, CLI_U32, offsetof(struct ctl_config, drain_s), "SECONDS",
     "let connections end by themselves, that long (alone: 30), then reset the rest", .min = 0,
     .max = 86400, .bare = "30"},
};

static const struct cli_option top_options[] = {
    {"interval", 0, CLI_U32, offsetof(struct ctl_config, interval_s), "SECONDS",
     "how often to look (default: 2)", .min = 1, .max = 86400},
    {"count", 'c', CLI_U32, offsetof(struct ctl_config, count), "N", "end after that many times",
     .min = 1, .max = UINT32_MAX},
};

static const struct cli_option capture_options[] = {
    {"write", 'w', CLI_STRING, offsetof(struct ctl_config, write), "FILE",
     "where to, as pcapng; - is stdout"},
    {"interface", 'i', CLI_STRING, offsetof(struct ctl_config, interface), "IFNAME",
     "which interface of the child's (default: any)"},
    {"count", 'c', CLI_U32, offsetof(struct ctl_config, count), "N", "end after that many packets",
     .min = 1, .max = UINT32_MAX},
    {"snaplen", 's', CLI_U32, offsetof(struct ctl_config, snaplen), "BYTES",
     "keep so much of each packet (default: 262144)", .min = 1, .max = 262144},
};

static const struct cli_program global = {
    .name = "rootlessctl",
    .usage = "rootlessctl [OPTION]... COMMAND [ARG]...",
    .summary = "Shows and changes the ports of a running rootlesskit.\n\n"
               "Commands:\n"
               "  list-ports [--json]           list the published ports\n"
               "  add-ports [--json] SPEC...    publish ports: "
               "[PARENTIP:]PARENTPORT:[CHILDIP:]CHILDPORT/PROTO\n"
               "  remove-ports [OPTION]... ID...  remove ports\n"
               "  info [--json]                 show what is running\n"
               "  flows [--json]                list what is relayed\n"
               "  top [OPTION]...               watch what is relayed\n"
               "  metrics                       print counters in the format of OpenMetrics\n"
               "  capture -w FILE [FILTER]...   write the child's packets to a file",
    .options = global_options,
    .n_options = sizeof global_options / sizeof global_options[0],
};

int ctl_find_socket(struct ctl_config *config, struct err *err)
{
    int r = config->socket && config->socket[0]
                ? str_copy(config->socket_path, sizeof config->socket_path, config->socket)
                : client_default_socket(config->socket_path, sizeof config->socket_path, err);
    if (r == -ENAMETOOLONG && !err->code)
        return err_set(err, ENAMETOOLONG, "--socket: the path is too long");
    if (r < 0 || access(config->socket_path, F_OK) == 0)
        return r;
    if (errno == ENOENT)
        return err_set(err, ENOENT,
                       "stat %s: no such file or directory (no rootlesskit runs with that state "
                       "directory; --socket or $ROOTLESSKIT_STATE_DIR names another)",
                       config->socket_path);
    return err_sys(err, errno, "stat %s", config->socket_path);
}

static void print_json(json_t *json, size_t flags)
{
    char *text = json_dumps(json, flags);
    if (text)
        (void)puts(text);
    free(text);
}

#define COLUMNS 7
typedef char port_row[COLUMNS][PORT_IP_MAX];

/* Columns as wide as their longest cell and four blanks, the last one too, as RootlessKit's; ours
 * stands behind them where the port driver fills it. */
static void print_rows(port_row *rows, size_t n, size_t columns)
{
    size_t width[COLUMNS] = {0};
    for (size_t i = 0; i < n * columns; i++) {
        size_t len = strlen(rows[i / columns][i % columns]) + 4;
        if (len > width[i % columns])
            width[i % columns] = len;
    }
    for (size_t i = 0; i < n * columns; i++)
        (void)printf("%-*s%s", (int)width[i % columns], rows[i / columns][i % columns],
                     i % columns == columns - 1 ? "\n" : "");
}

static const char *listening_word(const json_t *status)
{
    const json_t *listening = json_object_get(status, "listening");
    if (!listening)
        return "";
    if (json_is_true(json_object_get(status, "handedOver")))
        return "itself";
    return json_is_true(listening) ? "yes" : json_is_false(listening) ? "no" : "unknown";
}

static int fill_row(port_row row, const json_t *json, struct err *err)
{
    struct port_spec spec;
    uint32_t id = 0;
    int r = api_status_from_json(json, &id, &spec, err);
    if (r < 0)
        return r;
    (void)str_format(row[0], PORT_IP_MAX, "%u", id);
    (void)str_copy(row[1], PORT_IP_MAX, spec.proto);
    (void)str_copy(row[2], PORT_IP_MAX, spec.parent_ip);
    (void)str_format(row[3], PORT_IP_MAX, "%u", spec.parent_port);
    (void)str_copy(row[4], PORT_IP_MAX, spec.child_ip);
    (void)str_format(row[5], PORT_IP_MAX, "%u", spec.child_port);
    (void)str_copy(row[6], PORT_IP_MAX, listening_word(json));
    return 0;
}

static int print_table(const json_t *list, struct err *err)
{
    static const char *const head[COLUMNS] = {"ID",      "PROTO",     "PARENTIP", "PARENTPORT",
                                              "CHILDIP", "CHILDPORT", "LISTENING"};
    size_t n = json_array_size(list) + 1;
    port_row *rows = calloc(n, sizeof *rows);
    if (!rows)
        return err_set(err, ENOMEM, "no memory for %zu ports", n);
    for (int i = 0; i < COLUMNS; i++)
        (void)str_copy(rows[0][i], PORT_IP_MAX, head[i]);
    size_t columns = COLUMNS - 1;
    int r = 0;
    for (size_t i = 1; i < n && r >= 0; i++) {
        r = fill_row(rows[i], json_array_get(list, i - 1), err);
        if (rows[i][COLUMNS - 1][0])
            columns = COLUMNS;
    }
    if (r >= 0)
        print_rows(rows, n, columns);
    free(rows);
    return r;
}

int ctl_refuse_arguments(int argc, char **argv, struct err *err)
{
    return argc == 0 ? 0 : err_set(err, EINVAL, "unexpected argument %s", argv[0]);
}

static int list_ports(struct ctl_config *config, int argc, char **argv, struct err *err)
{
    json_t *list = NULL;
    int r = ctl_refuse_arguments(argc, argv, err);
    if (r >= 0)
        r = ctl_find_socket(config, err);
    if (r >= 0)
        r = client_request(config->socket_path, "GET", "/v1/ports", NULL, &list, err);
    if (r >= 0 && config->json)
        for (size_t i = 0; i < json_array_size(list); i++)
            print_json(json_array_get(list, i), JSON_COMPACT);
    else if (r >= 0)
        r = print_table(list, err);
    json_decref(list);
    return r;
}

static int add_one(struct ctl_config *config, const struct port_spec *asked, struct err *err)
{
    struct port_spec spec;
    json_t *answer = NULL;
    uint32_t id = 0;
    json_t *body = api_spec_to_json(asked);
    int r = client_request(config->socket_path, "POST", "/v1/ports", body, &answer, err);
    json_decref(body);
    if (r >= 0)
        r = api_status_from_json(answer, &id, &spec, err);
    if (r >= 0 && config->json)
        print_json(answer, JSON_COMPACT);
    else if (r >= 0)
        (void)printf("%u\n", id);
    json_decref(answer);
    return r;
}

/* All words are read before anything is changed: a slip in the last one leaves all as it was. */
static int add_ports(struct ctl_config *config, int argc, char **argv, struct err *err)
{
    if (argc == 0)
        return err_set(err, EINVAL, "no port specified");
    cleanup_free struct port_spec *specs = calloc((size_t)argc, sizeof *specs);
    if (!specs)
        return err_set(err, ENOMEM, "no memory for %d ports", argc);
    int r = 0;
    for (int i = 0; i < argc && r >= 0; i++)
        r = port_spec_parse(argv[i], &specs[i], err);
    if (r >= 0)
        r = ctl_find_socket(config, err);
    for (int i = 0; i < argc && r >= 0; i++)
        r = add_one(config, &specs[i], err);
    return r;
}

static int remove_one(struct ctl_config *config, uint32_t id, struct err *err)
{
    char path[64];
    if (config->drain_s > 0)
        (void)str_format(path, sizeof path, "/v1/ports/%u?drain=%u", id, config->drain_s);
    else
        (void)str_format(path, sizeof path, "/v1/ports/%u", id);
    int r = client_delete(config->socket_path, path, config->drain_s, err);
    if (r >= 0)
        (void)printf("%u\n", id);
    return r;
}

static int remove_ports(struct ctl_config *config, int argc, char **argv, struct err *err)
{
    if (argc == 0)
        return err_set(err, EINVAL, "no ID specified");
    cleanup_free uint32_t *ids = calloc((size_t)argc, sizeof *ids);
    if (!ids)
        return err_set(err, ENOMEM, "no memory for %d ids", argc);
    int r = 0;
    for (int i = 0; i < argc && r >= 0; i++)
        r = parse_u32("port id", argv[i], 0, UINT32_MAX, &ids[i], err);
    if (r >= 0)
        r = ctl_find_socket(config, err);
    for (int i = 0; i < argc && r >= 0; i++)
        r = remove_one(config, ids[i], err);
    return r;
}

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

static void print_list(const char *label, const json_t *list)
{
    (void)printf("  - %s: [", label);
    for (size_t i = 0; i < json_array_size(list); i++)
        (void)printf("%s%s", i ? " " : "", json_string_value(json_array_get(list, i)));
    (void)puts("]");
}

static void print_info(const json_t *json)
{
    const json_t *network = json_object_get(json, "networkDriver");
    const json_t *port = json_object_get(json, "portDriver");
    (void)printf("- REST API version: %s\n", text_of(json, "apiVersion"));
    (void)printf("- Implementation version: %s\n", text_of(json, "version"));
    (void)printf("- State Directory: %s\n", text_of(json, "stateDir"));
    (void)printf("- Child PID: %lld\n",
                 (long long)json_integer_value(json_object_get(json, "childPID")));
    if (network) {
        (void)printf("- Network Driver: %s\n", text_of(network, "driver"));
        print_list("DNS", json_object_get(network, "dns"));
        if (json_object_get(network, "childIP"))
            (void)printf("  - IP: %s\n", text_of(network, "childIP"));
    }
    if (port) {
        (void)printf("- Port Driver: %s\n", text_of(port, "driver"));
        print_list("Supported protocols", json_object_get(port, "protos"));
    }
}

static int info(struct ctl_config *config, int argc, char **argv, struct err *err)
{
    json_t *json = NULL;
    int r = ctl_refuse_arguments(argc, argv, err);
    if (r >= 0)
        r = ctl_find_socket(config, err);
    if (r >= 0)
        r = client_request(config->socket_path, "GET", "/v1/info", NULL, &json, err);
    if (r >= 0 && config->json)
        print_json(json, JSON_INDENT(4));
    else if (r >= 0)
        print_info(json);
    json_decref(json);
    return r;
}

#define PROGRAM_OF(id, words, text, table, n)                                        \
    static const struct cli_program id = {.name = "rootlessctl",                     \
                                          .usage = "rootlessctl [OPTION]... " words, \
                                          .summary = text,                           \
                                          .options = table,                          \
                                          .n_options = n}
#define PROGRAM(id, words, text, n) PROGRAM_OF(id, words, text, json_option, n)
PROGRAM(list_program, "list-ports [--json]", "Lists the published ports.", 1);
PROGRAM(add_program, "add-ports [--json] SPEC...",
        "Publishes ports and prints their ids; stops at the first that fails.", 1);
PROGRAM(info_program, "info [--json]", "Shows what is running.", 1);
PROGRAM(flows_program, "flows [--json]",
        "Lists TCP connections and UDP flows that are relayed, and their bytes.", 1);
PROGRAM(metrics_program, "metrics", "Prints counters in the format of OpenMetrics.", 0);
PROGRAM_OF(remove_program, "remove-ports [--drain[=SECONDS]] ID...",
           "Removes ports and prints their ids.", remove_options, 1);
PROGRAM_OF(
    top_program, "top [--interval=SECONDS] [-c N]",
    "Watches what is relayed, the busiest first: q ends it. Where the output is no terminal, "
    "a table\na time.",
    top_options, 2);
PROGRAM_OF(capture_program, "capture -w FILE [-i IFNAME] [-c N] [--snaplen=BYTES] [FILTER]...",
           "Writes the child's packets to a file, until it is interrupted. The filter is that of "
           "pcap-filter(7).",
           capture_options, 4);

static const struct command commands[] = {
    {"list-ports", list_ports, &list_program},
    {"add-ports", add_ports, &add_program},
    {"remove-ports", remove_ports, &remove_program},
    {"info", info, &info_program},
    {"flows", ctl_flows, &flows_program},
    {"top", ctl_top, &top_program},
    {"metrics", ctl_metrics, &metrics_program},
    {"capture", ctl_capture, &capture_program},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (str_equal(commands[i].name, name))
            return &commands[i];
    return NULL;
}

/* As RootlessKit's: no command shows what there is, and so do these. */
static bool wants_help(const char *word)
{
    return !word || str_equal(word, "help") || str_equal(word, "h");
}

int main(int argc, char **argv)
{
    static struct ctl_config config = {.interval_s = 2, .interface = "any", .snaplen = 262144};
    struct err err = {0};
    int first = 0;
    cli_begin("error", 3);
    int r = cli_parse(&global, argc, argv, &config, &first, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    cli_set_debug(config.debug);
    if (r >= 0 && wants_help(argv[first])) {
        cli_help(&global, stdout);
        return CLI_OK;
    }
    const struct command *command = r >= 0 ? find_command(argv[first]) : NULL;
    if (r >= 0 && !command)
        r = err_set(&err, EINVAL, "unknown command %s (rootlessctl --help lists them)",
                    argv[first]);
    if (!command)
        return cli_fail(&err, CLI_FAILED);
    int rest = 0;
    r = cli_parse(command->program, argc - first, argv + first, &config, &rest, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r >= 0)
        r = command->run(&config, argc - first - rest, argv + first + rest, &err);
    if ((fflush(stdout) != 0 || ferror(stdout)) && r >= 0)
        r = err_sys(&err, errno, "cannot write the answer to stdout");
    return r < 0 ? cli_fail(&err, CLI_FAILED) : CLI_OK;
}

/* getsubids: a user's subordinate ids, in the form of shadow's program of that name. */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "lib/subid/source.h"

struct config {
    bool gid;
    bool json;
};

static const struct cli_option options[] = {
    {.name = "gid",
     .letter = 'g',
     .offset = offsetof(struct config, gid),
     .help = "list subordinate gids instead of uids"},
    {.name = "json", .offset = offsetof(struct config, json), .help = "print the result as JSON"},
};

static const struct cli_program program = {
    .name = "getsubids",
    .usage = "getsubids [-g] [--json] USER",
    .summary =
        "Lists the subordinate ids of USER (a login name or a uid): number, user, first id,\n"
        "count. The exit status is 1 when there are none.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
};

static void print_text(const char *user, const struct subid_range *ranges, int n)
{
    for (int i = 0; ranges && i < n; i++)
        printf("%d: %s %u %u\n", i, user, ranges[i].start, ranges[i].count);
}

static int print_json(const char *user, bool gid, const struct subid_range *ranges, int n)
{
    json_t *list = json_array();
    for (int i = 0; ranges && i < n; i++)
        (void)json_array_append_new(list,
                                    json_pack("{s:I, s:I}", "start", (json_int_t)ranges[i].start,
                                              "count", (json_int_t)ranges[i].count));
    json_t *result =
        json_pack("{s:s, s:s, s:o}", "user", user, "kind", gid ? "gid" : "uid", "ranges", list);
    int r = result ? json_dumpf(result, stdout, JSON_INDENT(2)) : -1;
    (void)putchar('\n');
    json_decref(result);
    return r;
}

static int find(const char *user, enum subid_kind kind, struct subid_range **ret, struct err *err)
{
    struct subid_place place;
    struct subid_source source = {0};
    int r = subid_place_open(&place, NULL, err);
    if (r < 0)
        return r;
    r = subid_source_open(&source, &place, err);
    if (r == 0)
        r = subid_source_ranges(&source, kind, user, ret, err);
    subid_source_close(&source);
    subid_place_close(&place);
    return r;
}

static int list(const struct config *config, const char *user)
{
    struct err err = {0};
    cleanup_free struct subid_range *ranges = NULL;
    int n = find(user, config->gid ? SUBID_GID : SUBID_UID, &ranges, &err);
    if (n < 0)
        cli_error("%s", err.msg);
    if (n <= 0) {
        (void)fputs("Error fetching ranges\n", stderr); /* shadow's words, which scripts may know */
        return CLI_FAILED;
    }
    int r = 0;
    if (config->json)
        r = print_json(user, config->gid, ranges, n);
    else
        print_text(user, ranges, n);
    return r == 0 && fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

static int usage(void)
{
    (void)fputs("Usage: getsubids [-g] user\n"
                "    list subuid ranges for user\n"
                "    pass -g to list subgid ranges\n",
                stderr);
    return CLI_FAILED;
}

/* What shadow's program makes of its words: the first is the user whatever it looks like, further
 * ones are ignored, and "-g" is an option in front of one user only. */
static int list_as_shadow(int argc, char **argv)
{
    struct config config = {0};
    if (argc < 2 || (argc == 2 && strcmp(argv[1], "-h") == 0))
        return usage();
    config.gid = argc == 3 && strcmp(argv[1], "-g") == 0;
    return list(&config, config.gid ? argv[2] : argv[1]);
}

int main(int argc, char **argv)
{
    struct config config = {0};
    struct err err = {0};
    int first = 0;
    cli_begin("getsubids", 3);
    bool has_long = false;
    for (int i = 1; i < argc; i++)
        has_long = has_long || strncmp(argv[i], "--", 2) == 0;
    if (!has_long)
        return list_as_shadow(argc, argv);
    int r = cli_parse(&program, argc, argv, &config, &first, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r < 0)
        return cli_fail(&err, CLI_FAILED);
    if (argc - first != 1) {
        cli_error("one user is asked for (getsubids --help)");
        return CLI_FAILED;
    }
    return list(&config, argv[first]);
}

/* subid add: sees to it that users have a range of uids and one of gids. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "lib/subid/provision.h"
#include "rootless-setup/subid/subid.h"
#include "rootless-setup/words.h"

struct add_options {
    struct subid_options common;
    uint32_t count;
    const char *range;
};

static const struct cli_option options[] = {
    SUBID_OPTION_ROOT,
    {.name = "count",
     .letter = 'c',
     .kind = CLI_U32,
     .offset = offsetof(struct add_options, count),
     .value = "N",
     .help = "ids each user is to have (default: SUB_UID_COUNT of login.defs)",
     .min = 1,
     .max = UINT32_MAX - 1},
    {.name = "range",
     .letter = 'r',
     .kind = CLI_STRING,
     .offset = offsetof(struct add_options, range),
     .value = "FIRST-LAST",
     .help = "give the one USER exactly these uids and gids"},
    SUBID_OPTION_DRY_RUN,
    SUBID_OPTION_WAIT,
    SUBID_OPTION_JSON,
};

static const struct cli_program program = {
    .name = "rootless-setup subid add",
    .usage = "rootless-setup subid add [OPTION]... USER...",
    .summary = "Gives each USER (a login name or a uid) a block of subordinate uids and gids.\n"
               "A user who has enough already is left alone. All users or none are served.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
};

struct request {
    struct subid_account user;
    size_t place; /* on the command line */
    bool repeated;
    struct subid_grant grant;
};

/* Everything that one call works with. */
struct work {
    struct subid_place place;
    struct subid_accounts accounts;
    struct subid_transaction transaction;
    struct subid_provision provision;
    struct request *requests;
    size_t n;
};

static int compare_user(const void *pa, const void *pb)
{
    const struct request *a = pa, *b = pb;
    int r = strcmp(a->user.name, b->user.name);
    return r != 0 ? r : (a->place > b->place) - (a->place < b->place);
}

static int compare_place(const void *pa, const void *pb)
{
    const struct request *a = pa, *b = pb;
    return (a->place > b->place) - (a->place < b->place);
}

static int find_users(struct work *work, char **names, size_t n, struct err *err)
{
    work->requests = calloc(n, sizeof *work->requests);
    if (!work->requests)
        return err_set(err, ENOMEM, "no memory for %zu users", n);
    work->n = n;
    for (size_t i = 0; i < n; i++) {
        struct request *request = &work->requests[i];
        request->place = i;
        int r = subid_account_find(&work->accounts, names[i], &request->user, err);
        if (r < 0)
            return r;
    }
    qsort(work->requests, n, sizeof *work->requests, compare_user);
    for (size_t i = 1; i < n; i++)
        work->requests[i].repeated =
            strcmp(work->requests[i - 1].user.name, work->requests[i].user.name) == 0;
    qsort(work->requests, n, sizeof *work->requests, compare_place);
    return 0;
}

static int serve(struct work *work, const struct subid_range *range, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < work->n && r == 0; i++) {
        struct request *request = &work->requests[i];
        if (request->repeated)
            continue;
        r = range ? subid_provision_range(&work->provision, &request->user, *range, &request->grant,
                                          err)
                  : subid_provision_user(&work->provision, &request->user, &request->grant, err);
    }
    return r;
}

static void print_kind(const struct subid_grant *grant, const char *what, enum subid_kind kind)
{
    struct subid_range range = grant->range[kind];
    if (grant->added[kind])
        printf("%" PRIu32 " %s from %" PRIu32 " to %" PRIu32, range.count, what, range.start,
               range.start + range.count - 1);
    else
        printf("%" PRIu64 " %s as before", grant->had[kind], what);
}

static void print_request(const struct request *request)
{
    const struct subid_grant *grant = &request->grant;
    printf("%s: ", request->user.name);
    if (!grant->added[SUBID_UID] && !grant->added[SUBID_GID]) {
        printf("has %" PRIu64 " uids and %" PRIu64 " gids already, left as it is\n",
               grant->had[SUBID_UID], grant->had[SUBID_GID]);
        return;
    }
    if (grant->added[SUBID_UID] && grant->added[SUBID_GID] &&
        grant->range[SUBID_UID].start == grant->range[SUBID_GID].start) {
        print_kind(grant, "uids and gids", SUBID_UID);
    } else {
        print_kind(grant, "uids", SUBID_UID);
        printf(", ");
        print_kind(grant, "gids", SUBID_GID);
    }
    putchar('\n');
}

static json_t *kind_json(const struct subid_grant *grant, enum subid_kind kind)
{
    return json_pack("{s:I, s:o}", "had", (json_int_t)grant->had[kind], "added",
                     grant->added[kind] ? subid_range_json(grant->range[kind]) : json_null());
}

static json_t *result_json(const struct work *work, bool dry_run)
{
    json_t *users = json_array();
    bool changed = false;
    for (size_t i = 0; i < work->n; i++) {
        const struct request *request = &work->requests[i];
        const struct subid_grant *grant = &request->grant;
        if (request->repeated)
            continue;
        changed = changed || grant->added[SUBID_UID] || grant->added[SUBID_GID];
        (void)json_array_append_new(
            users, json_pack("{s:o, s:I, s:o, s:o}", "user",
                             subid_text_json(request->user.name, strlen(request->user.name)), "uid",
                             (json_int_t)request->user.id, "uids", kind_json(grant, SUBID_UID),
                             "gids", kind_json(grant, SUBID_GID)));
    }
    return json_pack("{s:b, s:b, s:o}", "changed", changed, "dry_run", dry_run, "users", users);
}

static int report(const struct work *work, const struct subid_options *common)
{
    if (common->json)
        return subid_print_json(result_json(work, common->dry_run));
    if (common->dry_run)
        subid_print_diff(&work->transaction);
    else
        for (size_t i = 0; i < work->n; i++)
            if (!work->requests[i].repeated)
                print_request(&work->requests[i]);
    return CLI_OK;
}

static int add(struct work *work, const struct add_options *config, char **names, size_t n,
               struct err *err)
{
    struct subid_range range = {0};
    const struct subid_options *common = &config->common;
    int r = subid_place_open(&work->place, common->root, err);
    if (r == 0)
        r = subid_accounts_read(&work->accounts, &work->place, err);
    if (r == 0)
        r = find_users(work, names, n, err);
    if (r == 0 && config->range)
        r = subid_parse_range("--range", config->range, &range, err);
    if (r == 0)
        r = subid_begin(&work->transaction, &work->place, !common->dry_run, common->wait_s * 1000,
                        err);
    if (r == 0)
        r = subid_provision_begin(&work->provision, &work->transaction, &work->accounts,
                                  config->range ? range.count : config->count, err);
    if (r == 0)
        r = serve(work, config->range ? &range : NULL, err);
    if (r == 0 && !common->dry_run)
        r = subid_commit(&work->transaction, err);
    return r;
}

int subid_add(int argc, char **argv)
{
    struct add_options config = {.common.wait_s = SUBID_WAIT_DEFAULT};
    struct err err = {0};
    size_t n = 0;
    int r = words_parse(&program, argc, argv, &config, &n, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r < 0)
        return cli_fail(&err, CLI_USAGE);
    if (n == 0 || (config.range && (n > 1 || config.count))) {
        cli_error(n == 0 ? "whom? (%s --help)"
                         : "--range is for one user and without --count (%s --help)",
                  program.name);
        return CLI_USAGE;
    }
    struct work work = {.place.etc_fd = -EBADF};
    r = add(&work, &config, argv + 1, n, &err);
    int status = r < 0 ? cli_fail(&err, CLI_FAILED) : report(&work, &config.common);
    subid_provision_end(&work.provision);
    subid_warn(&work.transaction);
    subid_end(&work.transaction);
    subid_accounts_free(&work.accounts);
    subid_place_close(&work.place);
    free(work.requests);
    return status;
}

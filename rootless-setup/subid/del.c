/* subid del: takes ranges back. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "rootless-setup/subid/subid.h"
#include "rootless-setup/words.h"

static const struct cli_option options[] = {
    SUBID_OPTION_ROOT,
    SUBID_OPTION_DRY_RUN,
    SUBID_OPTION_WAIT,
    SUBID_OPTION_JSON,
};

static const struct cli_program program = {
    .name = "rootless-setup subid del",
    .usage = "rootless-setup subid del [OPTION]... USER [FIRST-LAST]",
    .summary = "Takes all subordinate uids and gids of USER away, or those within FIRST-LAST.\n"
               "Files that belong to these ids stay as they are.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
};

struct work {
    struct subid_place place;
    struct subid_accounts accounts;
    struct subid_transaction transaction;
    struct subid_account user;
    uint64_t taken[2];
};

/* A user who is gone may still have lines; they are found by the word as it stands. */
static void find_user(struct work *work, char *name)
{
    if (subid_account_find(&work->accounts, name, &work->user, NULL) == 0)
        return;
    uid_t uid = (uid_t)-1;
    bool is_number = subid_owner_uid(name, strlen(name), &uid);
    work->user = (struct subid_account){.name = name, .id = is_number ? uid : (uid_t)-1};
}

static int take_back(struct work *work, const struct subid_options *config,
                     const struct subid_range *range, struct err *err)
{
    int r =
        subid_begin(&work->transaction, &work->place, !config->dry_run, config->wait_s * 1000, err);
    if (r < 0)
        return r;
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        work->taken[kind] =
            subid_db_remove(&work->transaction.db[kind], work->user.name, work->user.id,
                            range->start, range->start + (range->count - 1));
    return config->dry_run ? 0 : subid_commit(&work->transaction, err);
}

static int del(struct work *work, const struct subid_options *config, char **words, size_t n,
               struct err *err)
{
    struct subid_range range = {.count = UINT32_MAX};
    int r = n > 1 ? subid_parse_range("the second word", words[1], &range, err) : 0;
    if (r == 0)
        r = subid_place_open(&work->place, config->root, err);
    if (r == 0)
        r = subid_accounts_read(&work->accounts, &work->place, err);
    if (r < 0)
        return r;
    find_user(work, words[0]);
    return take_back(work, config, &range, err);
}

static int report(const struct work *work, const struct subid_options *config)
{
    bool changed = work->taken[SUBID_UID] > 0 || work->taken[SUBID_GID] > 0;
    if (config->json)
        return subid_print_json(json_pack("{s:b, s:b, s:o, s:I, s:I}", "changed", changed,
                                          "dry_run", config->dry_run, "user",
                                          subid_text_json(work->user.name, strlen(work->user.name)),
                                          "uids_removed", (json_int_t)work->taken[SUBID_UID],
                                          "gids_removed", (json_int_t)work->taken[SUBID_GID]));
    if (config->dry_run)
        subid_print_diff(&work->transaction);
    else if (changed)
        printf("%s: %" PRIu64 " uids and %" PRIu64 " gids taken back\n", work->user.name,
               work->taken[SUBID_UID], work->taken[SUBID_GID]);
    else
        printf("%s: has no such ids, nothing to take back\n", work->user.name);
    return CLI_OK;
}

int subid_del(int argc, char **argv)
{
    struct subid_options config = {.wait_s = SUBID_WAIT_DEFAULT};
    struct err err = {0};
    size_t n = 0;
    int r = words_parse(&program, argc, argv, &config, &n, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r < 0)
        return cli_fail(&err, CLI_USAGE);
    if (n < 1 || n > 2) {
        cli_error(n == 0 ? "whose? (%s --help)" : "one user at a time (%s --help)", program.name);
        return CLI_USAGE;
    }
    struct work work = {.place.etc_fd = -EBADF};
    r = del(&work, &config, argv + 1, n, &err);
    int status = r < 0 ? cli_fail(&err, CLI_FAILED) : report(&work, &config);
    subid_warn(&work.transaction);
    subid_end(&work.transaction);
    subid_accounts_free(&work.accounts);
    subid_place_close(&work.place);
    return status;
}

/* subid undo: takes a recorded change back. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/err.h"
#include "lib/base/parse.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "lib/subid/change.h"
#include "lib/subid/record.h"
#include "lib/subid/space.h"
#include "rootless-setup/subid/session.h"

struct undo_options {
    struct subid_options common;
    bool list;
};

static const struct cli_option options[] = {
    {.name = "list",
     .letter = 'l',
     .offset = offsetof(struct undo_options, list),
     .help = "list the changes on record, newest first"},
    SUBID_OPTION_ROOT,
    SUBID_OPTION_DRY_RUN,
    SUBID_OPTION_WAIT,
    SUBID_OPTION_JSON,
};

static const struct cli_program program = {
    .name = "rootless-setup subid undo",
    .usage = "rootless-setup subid undo [OPTION]... [NUMBER]",
    .summary = "Takes back change NUMBER, or the last one that was not taken back yet.\n"
               "The number of an undo does the change again.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
};

/* A change on record and the later one that took it back. */
struct item {
    struct subid_change change;
    uint32_t undone_by; /* 0: it is in force */
};

struct work {
    struct subid_place place;
    struct subid_accounts accounts;
    struct subid_transaction transaction;
    struct subid_space ids[2]; /* of users and of groups */
    struct item *items;        /* ascending */
    size_t n;
    const struct item *undone;
};

static struct item *find(const struct work *work, uint32_t number)
{
    for (size_t i = 0; i < work->n; i++)
        if (work->items[i].change.number == number)
            return &work->items[i];
    return NULL;
}

/* Newest first: an undo that was itself undone takes nothing back. */
static void mark_undone(struct work *work)
{
    for (size_t i = work->n; i-- > 0;) {
        const struct item *item = &work->items[i];
        struct item *target = item->change.undoes ? find(work, item->change.undoes) : NULL;
        if (target && item->undone_by == 0)
            target->undone_by = item->change.number;
    }
}

static int read_items(struct work *work, struct err *err)
{
    struct subid_records records;
    int r = subid_records_open(&records, &work->place, err);
    if (r < 0)
        return r;
    work->items = calloc(records.n + 1, sizeof *work->items);
    if (!work->items)
        r = err_set(err, ENOMEM, "no memory for %zu records", records.n);
    for (size_t i = 0; r == 0 && i < records.n; i++) {
        r = subid_records_read(&records, records.numbers[i], &work->items[i].change, err);
        if (r == 0)
            work->n++;
    }
    subid_records_close(&records);
    if (r == 0)
        mark_undone(work);
    return r;
}

/* ---- what is to be undone ---- */

static int choose(struct work *work, uint32_t number, struct err *err)
{
    const struct item *item = number ? find(work, number) : NULL;
    for (size_t i = work->n; number == 0 && !item && i-- > 0;)
        if (work->items[i].undone_by == 0 && work->items[i].change.undoes == 0)
            item = &work->items[i];
    if (!item && number)
        return err_set(err, ENOENT, "there is no change %" PRIu32 " on record (--list has them)",
                       number);
    if (!item)
        return err_set(err, ENOENT, "there is no change on record that could be taken back");
    if (item->undone_by)
        return err_set(err, EALREADY,
                       "change %" PRIu32 " was taken back by %" PRIu32 " already, undo %" PRIu32
                       " does it again",
                       number, item->undone_by, item->undone_by);
    work->undone = item;
    return 0;
}

/* Ids that are a user's or group's own by now. */
static int take_ids(struct work *work, struct err *err)
{
    const struct subid_account_list *users = &work->accounts.users;
    const struct subid_account_list *groups = &work->accounts.groups;
    struct subid_space *uids = &work->ids[SUBID_UID], *gids = &work->ids[SUBID_GID];
    int r = subid_accounts_take(users->items, users->n, "those of the user", uids, err);
    if (r == 0)
        r = subid_accounts_take(groups->items, groups->n, "those of the group", gids, err);
    subid_space_sort(uids);
    subid_space_sort(gids);
    return r;
}

static int replay(struct work *work, enum subid_kind kind, struct err *err)
{
    const struct subid_change_file *file = &work->undone->change.file[kind];
    struct subid_content present;
    int r = subid_content_read(&work->place, kind, &present, err);
    if (r < 0)
        return r;
    struct subid_replay back = {.edits = &file->edits,
                                .backwards = true,
                                .exact = subid_content_equal(&present, &file->after),
                                .taken = &work->ids[kind]};
    r = subid_edits_replay(&back, &work->transaction.db[kind], &work->transaction.edits[kind], err);
    return r < 0 ? err_wrap(err, r, "change %" PRIu32 " cannot be taken back",
                            work->undone->change.number)
                 : 0;
}

static int undo(struct work *work, const struct undo_options *config, uint32_t number,
                struct err *err)
{
    const struct subid_options *common = &config->common;
    int r = subid_accounts_read(&work->accounts, &work->place, err);
    if (r == 0)
        r = take_ids(work, err);
    if (r == 0)
        r = subid_begin(&work->transaction, &work->place, !common->dry_run, common->wait_s * 1000,
                        err);
    if (r == 0)
        r = read_items(work, err);
    if (r == 0)
        r = choose(work, number, err);
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++)
        if (work->undone->change.file[kind].touched)
            r = replay(work, (enum subid_kind)kind, err);
    if (r < 0)
        return r;
    if (common->dry_run && !common->json)
        for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
            subid_edits_diff(&work->transaction.edits[kind], &work->transaction.db[kind],
                             &work->place, stdout);
    work->transaction.undoes = work->undone->change.number;
    return common->dry_run ? 0 : subid_commit(&work->transaction, err);
}

/* ---- what is said ---- */

static json_t *lines_json(const struct subid_edits *edits, enum subid_edit_sign sign)
{
    json_t *lines = json_array();
    for (size_t e = 0; e < edits->n; e++)
        if (edits->items[e].sign == sign)
            (void)json_array_append_new(lines,
                                        subid_text_json(edits->items[e].text, edits->items[e].len));
    return lines;
}

static json_t *file_json(const struct subid_change_file *file)
{
    return json_pack("{s:o, s:o}", "removed", lines_json(&file->edits, SUBID_EDIT_GO), "added",
                     lines_json(&file->edits, SUBID_EDIT_COME));
}

static json_t *number_or_null(uint32_t number, uint32_t none)
{
    return number == none ? json_null() : json_integer((json_int_t)number);
}

static json_t *item_json(const struct item *item)
{
    const struct subid_change *change = &item->change;
    return json_pack(
        "{s:I, s:I, s:I, s:o, s:s, s:o, s:o, s:o, s:o}", "number", (json_int_t)change->number,
        "time", (json_int_t)change->time, "uid", (json_int_t)change->uid, "sudo_uid",
        number_or_null(change->sudo_uid, UINT32_MAX), "command", change->command, "undoes",
        number_or_null(change->undoes, 0), "undone_by", number_or_null(item->undone_by, 0),
        "subuid", file_json(&change->file[SUBID_UID]), "subgid",
        file_json(&change->file[SUBID_GID]));
}

static void print_item(const struct item *item)
{
    const struct subid_change *change = &item->change;
    char when[32] = "?";
    time_t seconds = (time_t)change->time;
    struct tm tm;
    if (localtime_r(&seconds, &tm))
        (void)strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
    printf("%5" PRIu32 "  %s  uid %u", change->number, when, change->uid);
    if (change->sudo_uid != (uid_t)-1)
        printf(" (sudo by %u)", change->sudo_uid);
    printf("  %s", change->command);
    if (change->undoes)
        printf("  [takes back %" PRIu32 "]", change->undoes);
    if (item->undone_by)
        printf("  [taken back by %" PRIu32 "]", item->undone_by);
    putchar('\n');
}

static int print_list(const struct work *work, bool json)
{
    json_t *changes = json ? json_array() : NULL;
    for (size_t i = work->n; i-- > 0;) {
        if (json)
            (void)json_array_append_new(changes, item_json(&work->items[i]));
        else
            print_item(&work->items[i]);
    }
    return json ? subid_print_json(json_pack("{s:o}", "changes", changes)) : CLI_OK;
}

static int report(const struct work *work, const struct subid_options *common)
{
    if (common->json)
        return subid_print_json(json_pack("{s:b, s:b, s:o}", "changed", !common->dry_run, "dry_run",
                                          common->dry_run, "undone", item_json(work->undone)));
    if (!common->dry_run)
        printf("taken back: change %" PRIu32 " (%s)\n", work->undone->change.number,
               work->undone->change.command);
    return CLI_OK;
}

static int run(struct work *work, const struct undo_options *config, uint32_t number)
{
    struct err err = {0};
    int r = subid_place_open(&work->place, config->common.root, &err);
    if (r == 0)
        r = config->list ? read_items(work, &err) : undo(work, config, number, &err);
    if (r < 0)
        return cli_fail(&err, CLI_FAILED);
    return config->list ? print_list(work, config->common.json) : report(work, &config->common);
}

static void release(struct work *work)
{
    subid_warn(&work->transaction);
    subid_end(&work->transaction);
    for (size_t i = 0; i < work->n; i++)
        subid_change_free(&work->items[i].change);
    free(work->items);
    subid_space_free(&work->ids[SUBID_UID]);
    subid_space_free(&work->ids[SUBID_GID]);
    subid_accounts_free(&work->accounts);
    subid_place_close(&work->place);
}

int subid_undo(int argc, char **argv)
{
    struct undo_options config = {.common.wait_s = SUBID_WAIT_DEFAULT};
    struct err err = {0};
    uint32_t number = 0;
    size_t n = 0;
    int status = subid_session_words(&program, argc, argv, &config, &n);
    if (status >= 0)
        return status;
    if (n == 1 &&
        parse_u32("the number of the change", argv[1], 1, UINT32_MAX - 1, &number, &err) < 0)
        return cli_fail(&err, CLI_USAGE);
    if (n > 1 || (config.list && (n > 0 || config.common.dry_run))) {
        cli_error(config.list ? "--list goes with --root and --json only (%s --help)"
                              : "one change at a time (%s --help)",
                  program.name);
        return CLI_USAGE;
    }
    struct work work = {.place.etc_fd = -EBADF};
    status = run(&work, &config, number);
    release(&work);
    return status;
}

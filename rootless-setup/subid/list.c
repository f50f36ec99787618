/* subid list: who has which ranges. */
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
    SUBID_OPTION_JSON,
};

static const struct cli_program program = {
    .name = "rootless-setup subid list",
    .usage = "rootless-setup subid list [OPTION]... [USER]",
    .summary = "Lists the subordinate ids of USER, or everybody's, in the files' order.\n"
               "The exit status is 1 when there are none.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
};

static const char *const kind_word[] = {[SUBID_UID] = "uid", [SUBID_GID] = "gid"};

struct listing {
    const char *kind;
    json_t *ranges; /* NULL: lines on stdout */
    int owner_width;
    size_t n;
};

static void list_entry(struct subid_entry *entry, void *arg)
{
    struct listing *listing = arg;
    const struct subid_line *line = &entry->line;
    listing->n++;
    if (listing->ranges)
        (void)json_array_append_new(
            listing->ranges, json_pack("{s:s, s:o, s:I, s:I}", "kind", listing->kind, "owner",
                                       subid_text_json(line->owner, line->owner_len), "start",
                                       (json_int_t)line->start, "count", (json_int_t)line->count));
    else
        printf("%-*.*s  %s  %10" PRIu32 " - %10" PRIu32 "  %10" PRIu32 "\n", listing->owner_width,
               (int)line->owner_len, line->owner, listing->kind, line->start,
               line->start + line->count - 1, line->count);
}

static int widest_owner(const struct subid_db *db, int width)
{
    for (size_t i = 0; i < db->n_entries; i++)
        if (db->entries[i].is_range && (int)db->entries[i].line.owner_len > width)
            width = (int)db->entries[i].line.owner_len;
    return width;
}

static void list_all(const struct subid_transaction *transaction, struct listing *listing)
{
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        const struct subid_db *db = &transaction->db[kind];
        listing->kind = kind_word[kind];
        for (size_t i = 0; i < db->n_entries; i++)
            if (db->entries[i].is_range)
                list_entry(&db->entries[i], listing);
    }
}

/* A user who is gone may still have lines; they are found by the word as it stands. */
static void list_user(const struct subid_transaction *transaction, char *name,
                      struct listing *listing)
{
    struct subid_accounts accounts = {0};
    struct subid_account user = {.name = name, .id = (uid_t)-1};
    if (subid_accounts_read(&accounts, transaction->place, NULL) < 0 ||
        subid_account_find(&accounts, name, &user, NULL) < 0)
        (void)subid_owner_uid(name, strlen(name), &user.id);
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        listing->kind = kind_word[kind];
        (void)subid_db_visit(&transaction->db[kind], user.name, user.id, list_entry, listing);
    }
    subid_accounts_free(&accounts);
}

static int finish(struct listing *listing, const char *name)
{
    if (listing->ranges) {
        int status = subid_print_json(json_pack("{s:o}", "ranges", listing->ranges));
        return status == CLI_OK && listing->n == 0 ? CLI_FAILED : status;
    }
    if (listing->n > 0)
        return CLI_OK;
    if (name)
        cli_error("%s has no subordinate ids (rootless-setup subid add %s gives some)", name, name);
    else
        cli_error("nobody has subordinate ids (rootless-setup subid add USER gives some)");
    return CLI_FAILED;
}

int subid_list(int argc, char **argv)
{
    struct subid_options config = {0};
    struct subid_place place = {.etc_fd = -EBADF};
    struct subid_transaction transaction = {0};
    struct err err = {0};
    size_t n = 0;
    int r = words_parse(&program, argc, argv, &config, &n, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r < 0)
        return cli_fail(&err, CLI_USAGE);
    if (n > 1) {
        cli_error("one user, or none for all (%s --help)", program.name);
        return CLI_USAGE;
    }
    int status = CLI_FAILED;
    r = subid_place_open(&place, config.root, &err);
    if (r == 0)
        r = subid_list_source(&place, n == 1 ? argv[1] : NULL, config.json, &status, &err);
    if (r > 0) {
        subid_place_close(&place);
        return status;
    }
    if (r == 0)
        r = subid_begin(&transaction, &place, false, 0, &err);
    if (r < 0) {
        subid_place_close(&place);
        return cli_fail(&err, CLI_FAILED);
    }
    struct listing listing = {.ranges = config.json ? json_array() : NULL};
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        listing.owner_width = widest_owner(&transaction.db[kind], listing.owner_width);
    if (n == 1)
        list_user(&transaction, argv[1], &listing);
    else
        list_all(&transaction, &listing);
    subid_warn(&transaction);
    subid_end(&transaction);
    subid_place_close(&place);
    return finish(&listing, n == 1 ? argv[1] : NULL);
}

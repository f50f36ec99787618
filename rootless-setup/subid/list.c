/* subid list: who has which ranges. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/parse.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "lib/subid/holder.h"
#include "lib/subid/nsswitch.h"
#include "lib/subid/space.h"
#include "rootless-setup/subid/session.h"

struct list_options {
    struct subid_options common;
    const char *owner_of;
    bool total;
};

static const struct cli_option options[] = {
    {.name = "owner-of",
     .letter = 'o',
     .kind = CLI_STRING,
     .offset = offsetof(struct list_options, owner_of),
     .value = "ID",
     .help = "list only the ranges that hold this id"},
    {.name = "total",
     .letter = 't',
     .offset = offsetof(struct list_options, total),
     .help = "how many ranges and ids these are, instead of the ranges"},
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

/* The lines that are asked for, in the order they are shown. */
struct listing {
    struct subid_entry **entries[2]; /* by enum subid_kind */
    size_t n[2];
    enum subid_kind kind; /* being gathered */
    uint64_t id;          /* that the range must hold */
    bool any_id;
};

static void take_entry(struct subid_entry *entry, void *arg)
{
    struct listing *listing = arg;
    const struct subid_line *line = &entry->line;
    if (listing->any_id || (line->start <= listing->id && listing->id - line->start < line->count))
        listing->entries[listing->kind][listing->n[listing->kind]++] = entry;
}

/* ---- finding them ---- */

static void list_all(const struct subid_db *db, struct listing *listing)
{
    for (size_t i = 0; i < db->n_entries; i++)
        if (db->entries[i].is_range)
            take_entry(&db->entries[i], listing);
}

/* A user who is gone may still have lines; they are found by the word as it stands. */
static struct subid_account find_user(struct subid_session *session, char *name)
{
    struct subid_account user = {.name = name, .id = (uid_t)-1};
    if (subid_account_find(&session->accounts, name, &user, NULL) < 0)
        (void)subid_owner_uid(name, strlen(name), &user.id);
    return user;
}

static int gather(struct subid_session *session, char *name, struct listing *listing,
                  struct err *err)
{
    struct subid_account user = {0};
    if (name)
        user = find_user(session, name);
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        const struct subid_db *db = &session->transaction.db[kind];
        listing->kind = (enum subid_kind)kind;
        listing->entries[kind] = calloc(db->n_entries + 1, sizeof(struct subid_entry *));
        if (!listing->entries[kind])
            return err_set(err, ENOMEM, "no memory for %zu lines", db->n_entries);
        if (name)
            (void)subid_holder_visit(db, &session->accounts, &user, take_entry, listing);
        else
            list_all(db, listing);
    }
    return 0;
}

/* ---- showing them ---- */

static int widest_owner(const struct listing *listing)
{
    int width = 0;
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        for (size_t i = 0; i < listing->n[kind]; i++)
            if ((int)listing->entries[kind][i]->line.owner_len > width)
                width = (int)listing->entries[kind][i]->line.owner_len;
    return width;
}

static void print_lines(const struct listing *listing)
{
    int width = widest_owner(listing);
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        for (size_t i = 0; i < listing->n[kind]; i++) {
            const struct subid_line *line = &listing->entries[kind][i]->line;
            printf("%-*.*s  %s  %10" PRIu32 " - %10" PRIu32 "  %10" PRIu32 "\n", width,
                   (int)line->owner_len, line->owner, kind_word[kind], line->start,
                   line->start + line->count - 1, line->count);
        }
}

/* Ids of one side; one that is in several ranges counts once. */
static int count_ids(const struct listing *listing, enum subid_kind kind, uint64_t *ret,
                     struct err *err)
{
    struct subid_space space = {0};
    int r = 0;
    for (size_t i = 0; i < listing->n[kind] && r == 0; i++)
        r = subid_space_take_line(&space, &listing->entries[kind][i]->line, "", err);
    subid_space_sort(&space);
    if (r == 0)
        *ret = subid_space_count(&space, 0, (uint64_t)UINT32_MAX + 1);
    subid_space_free(&space);
    return r;
}

static json_t *ranges_json(const struct listing *listing)
{
    json_t *ranges = json_array();
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        for (size_t i = 0; i < listing->n[kind]; i++) {
            const struct subid_line *line = &listing->entries[kind][i]->line;
            (void)json_array_append_new(
                ranges, json_pack("{s:s, s:o, s:I, s:I}", "kind", kind_word[kind], "owner",
                                  subid_text_json(line->owner, line->owner_len), "start",
                                  (json_int_t)line->start, "count", (json_int_t)line->count));
        }
    return ranges;
}

static json_t *total_json(size_t n, uint64_t ids)
{
    return json_pack("{s:I, s:I}", "ranges", (json_int_t)n, "ids", (json_int_t)ids);
}

static int show(const struct listing *listing, const struct list_options *config, struct err *err)
{
    uint64_t ids[2] = {0};
    int r = count_ids(listing, SUBID_UID, &ids[SUBID_UID], err);
    if (r == 0)
        r = count_ids(listing, SUBID_GID, &ids[SUBID_GID], err);
    if (r < 0)
        return cli_fail(err, CLI_FAILED);
    if (config->common.json)
        return subid_print_json(
            json_pack("{s:o, s:{s:o, s:o}}", "ranges", ranges_json(listing), "total",
                      kind_word[SUBID_UID], total_json(listing->n[SUBID_UID], ids[SUBID_UID]),
                      kind_word[SUBID_GID], total_json(listing->n[SUBID_GID], ids[SUBID_GID])));
    if (!config->total)
        print_lines(listing);
    for (int kind = SUBID_UID; kind <= SUBID_GID && config->total; kind++)
        printf("%s  %10zu  %10" PRIu64 "\n", kind_word[kind], listing->n[kind], ids[kind]);
    return CLI_OK;
}

static void say_none(const struct list_options *config, const char *name)
{
    if (config->owner_of)
        cli_error("id %s is no subordinate id of %s", config->owner_of, name ? name : "anybody");
    else if (name)
        cli_error("%s has no subordinate ids (rootless-setup subid add %s gives some)", name, name);
    else
        cli_error("nobody has subordinate ids (rootless-setup subid add USER gives some)");
}

/* Only the files can be searched for an id or counted. @return as subid_list_source() */
static int list_source(struct subid_session *session, const struct list_options *config,
                       const char *name, int *ret_status, struct err *err)
{
    char source[SUBID_SOURCE_MAX];
    int r = subid_source_read(session->place.etc_fd, source, err);
    if (r == 0 && source[0] && (config->owner_of || config->total))
        return err_set(err, EOPNOTSUPP,
                       "%s looks into the files, but subordinate ids come from %s here",
                       config->owner_of ? "--owner-of" : "--total", source);
    return r < 0 ? r
                 : subid_list_source(&session->place, name, config->common.json, ret_status, err);
}

static int list(struct subid_session *session, const struct list_options *config, char *name)
{
    struct listing listing = {.any_id = !config->owner_of};
    struct err err = {0};
    uint32_t id = 0;
    int status = CLI_FAILED;
    int r = config->owner_of
                ? parse_u32("--owner-of", config->owner_of, 0, UINT32_MAX - 1, &id, &err)
                : 0;
    listing.id = id;
    if (r == 0)
        r = subid_session_open(session, &config->common, &err);
    if (r == 0)
        r = list_source(session, config, name, &status, &err);
    if (r > 0)
        return status;
    if (r == 0)
        r = subid_session_read(session, &err);
    if (r == 0)
        r = gather(session, name, &listing, &err);
    bool none = listing.n[SUBID_UID] == 0 && listing.n[SUBID_GID] == 0;
    if (r < 0)
        status = cli_fail(&err, CLI_FAILED);
    else if (!none || config->common.json)
        status = show(&listing, config, &err);
    else
        say_none(config, name);
    free(listing.entries[SUBID_UID]);
    free(listing.entries[SUBID_GID]);
    return none ? CLI_FAILED : status;
}

int subid_list(int argc, char **argv)
{
    struct list_options config = {0};
    struct subid_session session = {.place.etc_fd = -EBADF};
    size_t n = 0;
    int status = subid_session_words(&program, argc, argv, &config, &n);
    if (status >= 0)
        return status;
    if (n > 1) {
        cli_error("one user, or none for all (%s --help)", program.name);
        return CLI_USAGE;
    }
    status = list(&session, &config, n == 1 ? argv[1] : NULL);
    subid_session_close(&session);
    return status;
}

/* subid del: takes ranges back. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "lib/subid/busy.h"
#include "lib/subid/holder.h"
#include "rootless-setup/subid/session.h"
#include "rootless-setup/subid/subjects.h"

struct del_options {
    struct subid_options common;
    const char *range;
    struct cli_list groups;
    bool force;
};

static const struct cli_option options[] = {
    {.name = "group",
     .letter = 'g',
     .kind = CLI_LIST,
     .offset = offsetof(struct del_options, groups),
     .value = "GROUP",
     .help = "every user of this group; may be repeated"},
    {.name = "range",
     .letter = 'r',
     .kind = CLI_STRING,
     .offset = offsetof(struct del_options, range),
     .value = "FIRST-LAST",
     .help = "take only the uids and gids within this range"},
    {.name = "force",
     .letter = 'f',
     .offset = offsetof(struct del_options, force),
     .help = "also ids that a process runs with at the moment"},
    SUBID_OPTION_ROOT,
    SUBID_OPTION_DRY_RUN,
    SUBID_OPTION_WAIT,
    SUBID_OPTION_JSON,
};

static const struct cli_program program = {
    .name = "rootless-setup subid del",
    .usage = "rootless-setup subid del [OPTION]... [USER]...",
    .summary = "Takes all subordinate uids and gids of each USER (- for a list on standard input)\n"
               "away, or those within --range. All users or none.\n"
               "Files that belong to these ids stay as they are.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
};

/* Ids taken from one user. */
struct taken {
    uint64_t ids[2]; /* by enum subid_kind */
};

struct work {
    const struct del_options *config;
    struct subid_session session;
    struct subid_subjects subjects;
    struct subid_range range; /* all ids there are, without --range */
    size_t n_taken;
    struct taken *taken; /* by user */
};

/* ---- ids in use ---- */

struct collection {
    struct subid_space *ids;
    struct subid_range range;
    const char *user;
    uint64_t own; /* the user's own id: whoever runs with it needs no range for that */
    int r;
};

static void collect_ids(struct collection *collection, uint64_t start, uint64_t end)
{
    struct subid_interval interval = {.start = start,
                                      .end = end,
                                      .what = "",
                                      .who = collection->user,
                                      .who_len = strlen(collection->user)};
    if (collection->r == 0 && start < end)
        collection->r = subid_space_take(collection->ids, interval, NULL);
}

static void collect_entry(struct subid_entry *entry, void *arg)
{
    struct collection *collection = arg;
    uint64_t start = entry->line.start, end = start + entry->line.count;
    uint64_t first = collection->range.start, last = first + collection->range.count;
    uint64_t own = collection->own;
    start = start > first ? start : first;
    end = end < last ? end : last;
    if (own >= start && own < end) {
        collect_ids(collection, start, own);
        start = own + 1;
    }
    collect_ids(collection, start, end);
}

static int collect(const struct work *work, struct subid_space ids[2], struct err *err)
{
    const struct subid_members *users = &work->subjects.users;
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        const struct subid_db *db = &work->session.transaction.db[kind];
        struct collection collection = {.ids = &ids[kind], .range = work->range};
        for (size_t i = 0; i < users->n; i++) {
            collection.user = users->items[i].name;
            collection.own = kind == SUBID_UID ? users->items[i].id : users->items[i].primary_gid;
            (void)subid_holder_visit(db, &work->session.accounts, &users->items[i], collect_entry,
                                     &collection);
        }
        if (collection.r < 0)
            return err_set(err, ENOMEM, "no memory for the ranges of %zu users", users->n);
        subid_space_sort(&ids[kind]);
    }
    return 0;
}

static int refuse_busy(const struct subid_space ids[2], struct err *err)
{
    struct subid_busy busy = {0};
    cleanup_close int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = proc_fd < 0 ? err_sys(err, errno, "cannot open /proc")
                        : subid_busy_find(proc_fd, ids, &busy, err);
    if (r <= 0 || !busy.interval)
        return r < 0 ? err_wrap(err, r, "are the ids in use? (--force does not ask)") : 0;
    return err_set(err, EBUSY,
                   "%.*s is busy: process %d (%s) runs with %cid %u; end it first, or take the ids "
                   "all the same with --force",
                   (int)busy.interval->who_len, busy.interval->who, busy.pid, busy.command,
                   busy.kind == SUBID_UID ? 'u' : 'g', busy.id);
}

/* Processes are those of this machine: whose ids an image's are, nobody knows. */
static int check_busy(const struct work *work, struct err *err)
{
    struct subid_space ids[2] = {0};
    if (!work->session.place.live || work->config->force)
        return 0;
    int r = collect(work, ids, err);
    if (r == 0 && (ids[SUBID_UID].n > 0 || ids[SUBID_GID].n > 0))
        r = refuse_busy(ids, err);
    subid_space_free(&ids[SUBID_UID]);
    subid_space_free(&ids[SUBID_GID]);
    return r;
}

/* ---- doing it ---- */

static int take_back(struct work *work, struct err *err)
{
    const struct subid_members *users = &work->subjects.users;
    work->taken = calloc(users->n + 1, sizeof *work->taken);
    if (!work->taken)
        return err_set(err, ENOMEM, "no memory for %zu users", users->n);
    work->n_taken = users->n;
    for (size_t i = 0; i < users->n; i++)
        for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
            work->taken[i].ids[kind] =
                subid_holder_remove(&work->session.transaction.db[kind], &work->session.accounts,
                                    &users->items[i], work->range);
    return 0;
}

static int del(struct work *work, char **words, size_t n, struct err *err)
{
    const struct del_options *config = work->config;
    struct subid_session *session = &work->session;
    struct subid_choice choice = {
        .words = words, .n_words = n, .groups = &config->groups, .take_gone = true};
    int r = config->range ? subid_parse_range("--range", config->range, &work->range, err) : 0;
    if (r == 0)
        r = subid_session_open(session, &config->common, err);
    if (r == 0)
        r = subid_subjects_find(&work->subjects, &choice, &session->accounts, err);
    if (r == 0)
        r = subid_session_write(session, err);
    if (r == 0)
        r = check_busy(work, err);
    if (r == 0)
        r = take_back(work, err);
    return r == 0 ? subid_session_commit(session, err) : r;
}

/* ---- saying it ---- */

static json_t *result_json(const struct work *work)
{
    const struct subid_members *members = &work->subjects.users;
    json_t *users = json_array();
    bool changed = false;
    for (size_t i = 0; i < work->n_taken; i++) {
        const char *name = members->items[i].name;
        const struct taken *taken = &work->taken[i];
        changed = changed || taken->ids[SUBID_UID] > 0 || taken->ids[SUBID_GID] > 0;
        (void)json_array_append_new(
            users, json_pack("{s:o, s:I, s:I}", "user", subid_text_json(name, strlen(name)),
                             "uids_removed", (json_int_t)taken->ids[SUBID_UID], "gids_removed",
                             (json_int_t)taken->ids[SUBID_GID]));
    }
    return json_pack("{s:b, s:b, s:o}", "changed", changed, "dry_run", work->config->common.dry_run,
                     "users", users);
}

static void print_taken(const char *name, const struct taken *taken)
{
    uint64_t uids = taken->ids[SUBID_UID], gids = taken->ids[SUBID_GID];
    if (uids > 0 || gids > 0)
        printf("%s: %" PRIu64 " uids and %" PRIu64 " gids taken back\n", name, uids, gids);
    else
        printf("%s: has no such ids, nothing to take back\n", name);
}

static int report(const struct work *work)
{
    const struct subid_options *common = &work->config->common;
    const struct subid_members *users = &work->subjects.users;
    if (common->json)
        return subid_print_json(result_json(work));
    if (common->dry_run)
        subid_print_diff(&work->session.transaction);
    else
        for (size_t i = 0; i < work->n_taken; i++)
            print_taken(users->items[i].name, &work->taken[i]);
    return CLI_OK;
}

/* A range for a word would be taken for somebody gone, and all ids of the other words be taken. */
static bool has_range_word(char **words, size_t n)
{
    struct subid_range range;
    for (size_t i = 0; i < n; i++)
        if (subid_parse_range("", words[i], &range, NULL) == 0)
            return true;
    return false;
}

int subid_del(int argc, char **argv)
{
    struct del_options config = {.common.wait_s = SUBID_WAIT_DEFAULT};
    struct work work = {.config = &config, .range = {.count = UINT32_MAX}};
    struct err err = {0};
    size_t n = 0;
    int status = subid_session_words(&program, argc, argv, &config, &n);
    if (status >= 0)
        return status;
    if ((n == 0 && config.groups.n == 0) || has_range_word(argv + 1, n)) {
        cli_error(n == 0 ? "whose? (%s --help)" : "a range is given with --range (%s --help)",
                  program.name);
        return CLI_USAGE;
    }
    work.session.place.etc_fd = -EBADF;
    int r = del(&work, argv + 1, n, &err);
    status = r < 0 ? cli_fail(&err, CLI_FAILED) : report(&work);
    subid_session_close(&work.session);
    subid_subjects_free(&work.subjects);
    free(work.taken);
    return status;
}

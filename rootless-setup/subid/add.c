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
#include "rootless-setup/subid/session.h"
#include "rootless-setup/subid/subjects.h"

struct add_options {
    struct subid_options common;
    uint32_t count;
    bool deterministic;
    struct cli_list ranges;
    struct cli_list groups;
    bool all_users;
};

static const struct cli_option options[] = {
    {.name = "all-users",
     .offset = offsetof(struct add_options, all_users),
     .help = "every user with a uid from UID_MIN to UID_MAX of login.defs"},
    {.name = "group",
     .letter = 'g',
     .kind = CLI_LIST,
     .offset = offsetof(struct add_options, groups),
     .value = "GROUP",
     .help = "every user of this group; may be repeated"},
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
     .kind = CLI_LIST,
     .offset = offsetof(struct add_options, ranges),
     .value = "FIRST-LAST",
     .help = "give the one user exactly these uids and gids; may be repeated"},
    {.name = "deterministic",
     .offset = offsetof(struct add_options, deterministic),
     .help = "the uid decides which block, as with SUB_UID_DETERMINISTIC"},
    SUBID_OPTION_ROOT,
    SUBID_OPTION_DRY_RUN,
    SUBID_OPTION_WAIT,
    SUBID_OPTION_JSON,
};

static const struct cli_program program = {
    .name = "rootless-setup subid add",
    .usage = "rootless-setup subid add [OPTION]... [USER]...",
    .summary =
        "Gives each USER (a login name or a uid, - for a list on standard input) a block of\n"
        "subordinate uids and gids. A user who has enough already is left alone.\n"
        "All users or none are served.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
};

/* Everything that one call works with. */
struct work {
    const struct add_options *config;
    struct subid_session session;
    struct subid_subjects subjects;
    struct subid_provision provision;
    struct subid_range *ranges;
    size_t n_grants; /* one a user, or one a range of the one user */
    struct subid_grant *grants;
};

static const struct subid_account *user_of(const struct work *work, size_t grant)
{
    return &work->subjects.users.items[work->config->ranges.n ? 0 : grant];
}

/* ---- doing it ---- */

static int serve(struct work *work, struct err *err)
{
    size_t n_ranges = work->config->ranges.n;
    work->n_grants = n_ranges ? n_ranges : work->subjects.users.n;
    work->grants = calloc(work->n_grants + 1, sizeof *work->grants);
    if (!work->grants)
        return err_set(err, ENOMEM, "no memory for %zu users", work->n_grants);
    int r = 0;
    for (size_t i = 0; i < work->n_grants && r == 0; i++)
        r = n_ranges
                ? subid_provision_range(&work->provision, user_of(work, i), work->ranges[i],
                                        &work->grants[i], err)
                : subid_provision_user(&work->provision, user_of(work, i), &work->grants[i], err);
    return r;
}

static int find_subjects(struct work *work, char **words, size_t n, struct err *err)
{
    const struct add_options *config = work->config;
    struct subid_choice choice = {
        .words = words, .n_words = n, .groups = &config->groups, .all_users = config->all_users};
    int r = subid_subjects_find(&work->subjects, &choice, &work->session.accounts, err);
    if (r == 0 && config->ranges.n && work->subjects.users.n != 1)
        return err_set(err, EINVAL, "--range is for one user, these are %zu",
                       work->subjects.users.n);
    return r;
}

static int add(struct work *work, char **words, size_t n, struct err *err)
{
    const struct add_options *config = work->config;
    struct subid_wish wish = {.count = config->count,
                              .deterministic = config->deterministic,
                              .exact = config->ranges.n > 0};
    struct subid_session *session = &work->session;
    int r = subid_parse_ranges(&config->ranges, &work->ranges, err);
    if (r == 0)
        r = subid_session_open(session, &config->common, err);
    if (r == 0)
        r = find_subjects(work, words, n, err);
    if (r == 0)
        r = subid_session_write(session, err);
    if (r == 0)
        r = subid_provision_begin(&work->provision, &session->transaction, &session->accounts,
                                  &wish, err);
    if (r == 0)
        r = serve(work, err);
    return r == 0 ? subid_session_commit(session, err) : r;
}

/* ---- saying it ---- */

static void print_kind(const struct subid_grant *grant, const char *what, enum subid_kind kind)
{
    struct subid_range range = grant->range[kind];
    if (grant->added[kind])
        printf("%" PRIu32 " %s from %" PRIu32 " to %" PRIu32, range.count, what, range.start,
               range.start + range.count - 1);
    else
        printf("%" PRIu64 " %s as before", grant->had[kind], what);
}

static void print_grant(const char *user, const struct subid_grant *grant)
{
    const struct subid_range *uids = &grant->range[SUBID_UID], *gids = &grant->range[SUBID_GID];
    printf("%s: ", user);
    if (!grant->added[SUBID_UID] && !grant->added[SUBID_GID]) {
        printf("has %" PRIu64 " uids and %" PRIu64 " gids already, left as it is\n",
               grant->had[SUBID_UID], grant->had[SUBID_GID]);
        return;
    }
    if (grant->added[SUBID_UID] && grant->added[SUBID_GID] && uids->start == gids->start &&
        uids->count == gids->count) {
        print_kind(grant, "uids and gids", SUBID_UID);
    } else {
        print_kind(grant, "uids", SUBID_UID);
        printf(", ");
        print_kind(grant, "gids", SUBID_GID);
    }
    putchar('\n');
}

/* What grants [first, end), all of one user, did on one side. */
static json_t *kind_json(const struct work *work, size_t first, size_t end, enum subid_kind kind)
{
    json_t *added = json_array();
    json_int_t had = 0;
    for (size_t i = first; i < end; i++) {
        const struct subid_grant *grant = &work->grants[i];
        had += (json_int_t)grant->had[kind];
        if (grant->added[kind])
            (void)json_array_append_new(added, subid_range_json(grant->range[kind]));
    }
    return json_pack("{s:I, s:o}", "had", had, "added", added);
}

static json_t *result_json(const struct work *work)
{
    size_t step = work->config->ranges.n ? work->n_grants : 1;
    bool changed = false;
    json_t *users = json_array();
    for (size_t i = 0; i < work->n_grants; i += step) {
        const struct subid_account *user = user_of(work, i);
        (void)json_array_append_new(
            users, json_pack("{s:o, s:I, s:o, s:o}", "user",
                             subid_text_json(user->name, strlen(user->name)), "uid",
                             (json_int_t)user->id, "uids", kind_json(work, i, i + step, SUBID_UID),
                             "gids", kind_json(work, i, i + step, SUBID_GID)));
    }
    for (size_t i = 0; i < work->n_grants; i++)
        changed = changed || work->grants[i].added[SUBID_UID] || work->grants[i].added[SUBID_GID];
    return json_pack("{s:b, s:b, s:o}", "changed", changed, "dry_run", work->config->common.dry_run,
                     "users", users);
}

static int report(const struct work *work)
{
    const struct subid_options *common = &work->config->common;
    if (common->json)
        return subid_print_json(result_json(work));
    if (common->dry_run)
        subid_print_diff(&work->session.transaction);
    else
        for (size_t i = 0; i < work->n_grants; i++)
            print_grant(user_of(work, i)->name, &work->grants[i]);
    return CLI_OK;
}

/* @return what is wrong with the command line, or NULL */
static const char *find_fault(const struct add_options *config, size_t n)
{
    if (n == 0 && config->groups.n == 0 && !config->all_users)
        return "whom?";
    if (config->ranges.n && (n > 1 || config->groups.n || config->all_users))
        return "--range is for one user";
    if (config->ranges.n && (config->count || config->deterministic))
        return "--range goes without --count and --deterministic";
    if (config->deterministic && config->count)
        return "--deterministic goes without --count: SUB_UID_COUNT of login.defs decides";
    return NULL;
}

int subid_add(int argc, char **argv)
{
    struct add_options config = {.common.wait_s = SUBID_WAIT_DEFAULT};
    struct work work = {.config = &config};
    struct err err = {0};
    size_t n = 0;
    int status = subid_session_words(&program, argc, argv, &config, &n);
    if (status >= 0)
        return status;
    const char *fault = find_fault(&config, n);
    if (fault) {
        cli_error("%s (%s --help)", fault, program.name);
        return CLI_USAGE;
    }
    work.session.place.etc_fd = -EBADF;
    int r = add(&work, argv + 1, n, &err);
    status = r < 0 ? cli_fail(&err, CLI_FAILED) : report(&work);
    subid_provision_end(&work.provision);
    subid_session_close(&work.session);
    subid_subjects_free(&work.subjects);
    free(work.grants);
    free(work.ranges);
    return status;
}

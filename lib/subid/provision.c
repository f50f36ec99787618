#include "lib/subid/provision.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/subid/holder.h"

/* https://systemd.io/UIDS-GIDS/; both ends inclusive. */
static const struct {
    uint32_t first, last;
    const char *what;
} reserved[] = {
    {0, 999, "the ids of system users"},
    {60001, 60513, "the ids of systemd-homed's users"},
    {60514, 60577, "the ids systemd-nspawn maps host users to"},
    {61184, 65519, "the ids of systemd's dynamic users"},
    {65534, 65535, "nobody's id"},
    {2147352576, 2147418111, "systemd's ids for foreign files"},
};

/* ---- what is taken ---- */

bool subid_reserved(size_t i, struct subid_interval *ret)
{
    if (i >= sizeof reserved / sizeof reserved[0])
        return false;
    *ret = (struct subid_interval){.start = reserved[i].first,
                                   .end = (uint64_t)reserved[i].last + 1,
                                   .what = reserved[i].what,
                                   .who = ""};
    return true;
}

static int take_reserved(struct subid_space *space, struct err *err)
{
    struct subid_interval interval;
    int r = 0;
    for (size_t i = 0; r == 0 && subid_reserved(i, &interval); i++)
        r = subid_space_take(space, interval, err);
    return r;
}

/* Uids and gids alike are kept out of both: a block is meant to be the same on both sides. */
static int take_accounts(struct subid_space *space, const struct subid_accounts *accounts,
                         struct err *err)
{
    static const char user[] = "the id of user ", group[] = "the id of group ";
    const struct subid_account_list *users = &accounts->users, *unlisted = &accounts->unlisted,
                                    *groups = &accounts->groups;
    int r = subid_accounts_take(users->items, users->n, user, space, err);
    if (r == 0)
        r = subid_accounts_take(unlisted->items, unlisted->n, user, space, err);
    if (r == 0)
        r = subid_accounts_take(groups->items, groups->n, group, space, err);
    return r;
}

static int take_ranges(struct subid_space *space, const struct subid_db *db, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < db->n_entries && r == 0; i++)
        if (db->entries[i].is_range)
            r = subid_space_take_line(space, &db->entries[i].line, "the range of ", err);
    return r;
}

static int gather(struct subid_provision *provision, const struct subid_accounts *accounts,
                  struct err *err)
{
    int r = 0;
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++) {
        struct subid_space *space = &provision->taken[kind];
        r = take_ranges(space, &provision->transaction->db[kind], err);
        if (r == 0)
            r = take_accounts(space, accounts, err);
        if (r == 0)
            r = take_reserved(space, err);
        if (r == 0)
            r = subid_space_take_all(&provision->both, space, err);
        subid_space_sort(space);
    }
    return r;
}

/* ---- the window ---- */

/* Blocks are the same on both sides, so the windows of both must hold; a side whose ranges are
 * deterministic has no say. */
static struct subid_limits common_window(const struct subid_limits limits[2], uint32_t count)
{
    const struct subid_limits *uid = &limits[SUBID_UID], *gid = &limits[SUBID_GID];
    struct subid_limits window = uid->deterministic ? *gid : *uid;
    if (!uid->deterministic && !gid->deterministic) {
        window.min = uid->min > gid->min ? uid->min : gid->min;
        window.max = uid->max < gid->max ? uid->max : gid->max;
        window.count = uid->count > gid->count ? uid->count : gid->count;
    }
    if (count)
        window.count = count;
    return window;
}

static int check_window(const struct subid_limits *window, const char *root, struct err *err)
{
    if (window->count == 0)
        return err_set(err, EINVAL,
                       "SUB_UID_COUNT is 0 in %s/etc/login.defs: say how many ids with --count",
                       root);
    if (window->min > window->max || window->max - window->min < window->count - 1)
        return err_set(err, ERANGE,
                       "%u ids do not fit between SUB_UID_MIN and SUB_UID_MAX (%u and %u, with the "
                       "SUB_GID ones) of %s/etc/login.defs",
                       window->count, window->min, window->max, root);
    return 0;
}

static int set_window(struct subid_provision *provision, const struct subid_wish *wish,
                      struct err *err)
{
    struct subid_limits *limits = provision->limits;
    const char *root = provision->transaction->place->root;
    int r = subid_limits_read(provision->transaction->place, limits, err);
    if (r < 0)
        return r;
    provision->window = common_window(limits, wish->count);
    if (wish->exact)
        return 0;
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++) {
        if (wish->deterministic)
            subid_limits_make_deterministic(&limits[kind]);
        if (limits[kind].deterministic && wish->count)
            return err_set(err, EINVAL,
                           "--count: where the uid decides (SUB_%s_DETERMINISTIC in "
                           "%s/etc/login.defs), the number of ids is SUB_%s_COUNT for everybody",
                           kind == SUBID_UID ? "UID" : "GID", root,
                           kind == SUBID_UID ? "UID" : "GID");
        if (limits[kind].deterministic)
            r = check_window(&limits[kind], root, err);
    }
    provision->window = common_window(limits, wish->count);
    return r < 0 ? r : check_window(&provision->window, root, err);
}

int subid_provision_begin(struct subid_provision *provision, struct subid_transaction *transaction,
                          const struct subid_accounts *accounts, const struct subid_wish *wish,
                          struct err *err)
{
    *provision = (struct subid_provision){.transaction = transaction, .accounts = accounts};
    int r = set_window(provision, wish, err);
    if (r == 0)
        r = gather(provision, accounts, err);
    if (r < 0) {
        subid_provision_end(provision);
        return r;
    }
    const struct subid_limits *window = &provision->window;
    subid_fit_begin(&provision->fit, &provision->both, window->min, window->max, window->count);
    return 0;
}

void subid_provision_end(struct subid_provision *provision)
{
    subid_space_free(&provision->taken[SUBID_UID]);
    subid_space_free(&provision->taken[SUBID_GID]);
    subid_space_free(&provision->both);
    subid_space_free(&provision->given);
}

/* ---- what a user has ---- */

struct holdings {
    struct subid_space ranges;
    int r;
};

static void add_holding(struct subid_entry *entry, void *arg)
{
    struct holdings *holdings = arg;
    if (holdings->r == 0)
        holdings->r = subid_space_take_line(&holdings->ranges, &entry->line, "", NULL);
}

/* His ranges, sorted. @return 0 or -errno; free with subid_space_free() */
static int find_holdings(const struct subid_provision *provision, enum subid_kind kind,
                         const struct subid_account *user, struct subid_space *ret, struct err *err)
{
    struct holdings holdings = {0};
    (void)subid_holder_visit(&provision->transaction->db[kind], provision->accounts, user,
                             add_holding, &holdings);
    if (holdings.r < 0) {
        subid_space_free(&holdings.ranges);
        return err_set(err, ENOMEM, "no memory for the ranges of %s", user->name);
    }
    subid_space_sort(&holdings.ranges);
    *ret = holdings.ranges;
    return 0;
}

/* ---- giving ---- */

static int give(struct subid_provision *provision, enum subid_kind kind,
                const struct subid_account *user, struct subid_range range,
                struct subid_grant *grant, struct err *err)
{
    char number[sizeof "4294967295"];
    (void)str_format(number, sizeof number, "%" PRIu32, user->id);
    const char *owner = provision->limits[kind].by_uid ? number : user->name;
    int r = subid_db_add(&provision->transaction->db[kind], owner, range, err);
    if (r < 0)
        return r;
    grant->added[kind] = true;
    grant->range[kind] = range;
    return 0;
}

/*
 * A user with uids only gets the same numbers as gids where they are free (and the other way
 * round). Such a block lies below the search's place, and it cannot meet one the search gave: that
 * avoids the very range it mirrors. It can meet another mirrored one, of a user whose range
 * overlaps his already.
 */
static int mirror(struct subid_provision *provision, enum subid_kind kind,
                  const struct subid_account *user, const struct subid_space *other,
                  struct subid_grant *grant, struct err *err)
{
    for (size_t i = 0; i < other->n; i++) {
        struct subid_interval interval = other->items[i];
        if (interval.end - interval.start < provision->window.count ||
            subid_space_hit(&provision->taken[kind], interval.start, interval.end) ||
            subid_space_hit(&provision->given, interval.start, interval.end))
            continue;
        int r = subid_space_take(&provision->given, interval, err);
        if (r < 0)
            return r;
        struct subid_range range = {.start = (uint32_t)interval.start,
                                    .count = (uint32_t)(interval.end - interval.start)};
        return give(provision, kind, user, range, grant, err);
    }
    return -ENOENT;
}

static int give_next(struct subid_provision *provision, const bool lacks[2],
                     const struct subid_account *user, struct subid_grant *grant, struct err *err)
{
    struct subid_range range = {.count = provision->window.count};
    if (!subid_fit_next(&provision->fit, &range.start))
        return err_set(err, ENOSPC,
                       "no %u free ids in a row are left for %s between %u and %u (SUB_UID_MIN and "
                       "SUB_UID_MAX in %s/etc/login.defs)",
                       range.count, user->name, provision->window.min, provision->window.max,
                       provision->transaction->place->root);
    int r = 0;
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++)
        if (lacks[kind])
            r = give(provision, (enum subid_kind)kind, user, range, grant, err);
    return r;
}

static int find_both(const struct subid_provision *provision, const struct subid_account *user,
                     struct subid_space has[2], struct subid_grant *grant, struct err *err)
{
    bool by_uid = provision->limits[SUBID_UID].by_uid && provision->limits[SUBID_GID].by_uid;
    int r = by_uid ? 0 : subid_owner_check(user->name, err);
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++) {
        r = find_holdings(provision, (enum subid_kind)kind, user, &has[kind], err);
        grant->had[kind] = subid_space_count(&has[kind], 0, (uint64_t)UINT32_MAX + 1);
    }
    return r;
}

static int check_free(const struct subid_provision *provision, enum subid_kind kind,
                      const struct subid_account *user, struct subid_range range, struct err *err)
{
    uint64_t end = (uint64_t)range.start + range.count;
    const struct subid_interval *hit = subid_space_hit(&provision->taken[kind], range.start, end);
    if (!hit)
        return 0;
    return err_set(err, EEXIST,
                   "%cids %u-%" PRIu64 " cannot be given to %s: they overlap %s%.*s (%" PRIu64
                   "-%" PRIu64 ")",
                   kind == SUBID_UID ? 'u' : 'g', range.start, end - 1, user->name, hit->what,
                   (int)hit->who_len, hit->who, hit->start, hit->end - 1);
}

/* What login.defs's formula gives his uid, unless he has it. Ranges of one command cannot meet one
 * another: distinct uids have distinct slots. */
static int give_slot(struct subid_provision *provision, enum subid_kind kind,
                     const struct subid_account *user, const struct subid_space *has,
                     struct subid_grant *grant, struct err *err)
{
    struct subid_range range;
    int r = subid_limits_slot(&provision->limits[kind], kind, user->id, &range, err);
    if (r < 0)
        return err_wrap(err, r, "%s", user->name);
    uint64_t end = (uint64_t)range.start + range.count;
    if (subid_space_count(has, range.start, end) == range.count)
        return 0;
    if (has->n > 0)
        return err_set(err, EEXIST,
                       "%s has drifted: %s has %" PRIu64 "-%" PRIu64 " for him, his uid %u stands "
                       "for %u-%" PRIu64 "; take the old range back first (rootless-setup subid "
                       "del %s)",
                       user->name, subid_path(kind), has->items[0].start, has->items[0].end - 1,
                       user->id, range.start, end - 1, user->name);
    r = check_free(provision, kind, user, range, err);
    return r < 0 ? r : give(provision, kind, user, range, grant, err);
}

/* The search's part of both sides: true where a user lacks ids. */
static int give_block(struct subid_provision *provision, const bool lacks[2],
                      const struct subid_account *user, const struct subid_space has[2],
                      struct subid_grant *grant, struct err *err)
{
    bool searched =
        !provision->limits[SUBID_UID].deterministic && !provision->limits[SUBID_GID].deterministic;
    int r = -ENOENT;
    if (searched && lacks[SUBID_UID] != lacks[SUBID_GID]) {
        enum subid_kind kind = lacks[SUBID_UID] ? SUBID_UID : SUBID_GID;
        r = mirror(provision, kind, user, &has[!kind], grant, err);
    }
    return r == -ENOENT ? give_next(provision, lacks, user, grant, err) : r;
}

int subid_provision_user(struct subid_provision *provision, const struct subid_account *user,
                         struct subid_grant *ret, struct err *err)
{
    struct subid_grant grant = {0};
    struct subid_space has[2] = {0};
    bool lacks[2] = {false, false};
    int r = find_both(provision, user, has, &grant, err);
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++) {
        if (provision->limits[kind].deterministic)
            r = give_slot(provision, (enum subid_kind)kind, user, &has[kind], &grant, err);
        else
            lacks[kind] = grant.had[kind] < provision->window.count;
    }
    if (r == 0 && (lacks[SUBID_UID] || lacks[SUBID_GID]))
        r = give_block(provision, lacks, user, has, &grant, err);
    subid_space_free(&has[SUBID_UID]);
    subid_space_free(&has[SUBID_GID]);
    if (r == 0)
        *ret = grant;
    return r;
}

int subid_provision_range(struct subid_provision *provision, const struct subid_account *user,
                          struct subid_range range, struct subid_grant *ret, struct err *err)
{
    struct subid_grant grant = {0};
    struct subid_space has[2] = {0};
    uint64_t end = (uint64_t)range.start + range.count;
    int r = find_both(provision, user, has, &grant, err);
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++) {
        grant.had[kind] = subid_space_count(&has[kind], range.start, end);
        if (grant.had[kind] == range.count)
            continue;
        r = check_free(provision, (enum subid_kind)kind, user, range, err);
        if (r == 0)
            r = give(provision, (enum subid_kind)kind, user, range, &grant, err);
    }
    subid_space_free(&has[SUBID_UID]);
    subid_space_free(&has[SUBID_GID]);
    if (r == 0)
        *ret = grant;
    return r;
}

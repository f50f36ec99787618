#include "libsubid/grant.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/subid/accounts.h"
#include "lib/subid/line.h"
#include "lib/subid/nsswitch.h"
#include "lib/subid/provision.h"
#include "lib/subid/transact.h"

#define WAIT_MS 15000 /* as lckpwdf(3) */

/* What one change works with. */
struct work {
    struct subid_place place;
    struct subid_accounts accounts;
    struct subid_transaction transaction;
};

/* A process holds fcntl(2) locks as a whole, and getpwent(3) has one place in the list. */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static enum subid_kind kind_of(const struct grant *grant)
{
    return grant->gids ? SUBID_GID : SUBID_UID;
}

static int check_files_count(const struct subid_place *place, struct err *err)
{
    char source[SUBID_SOURCE_MAX];
    int r = subid_source_read(place->etc_fd, source, err);
    if (r == 0 && source[0])
        return err_set(err, EOPNOTSUPP,
                       "subordinate ids come from the source \"%s\" (/etc/nsswitch.conf), so "
                       "nothing is changed in %s: change them there",
                       source, subid_path(SUBID_UID));
    return r;
}

static int begin(struct work *work, struct err *err)
{
    (void)pthread_mutex_lock(&one_at_a_time);
    *work = (struct work){.place.etc_fd = -EBADF};
    int r = subid_place_open(&work->place, NULL, err);
    if (r == 0)
        r = check_files_count(&work->place, err);
    if (r == 0)
        r = subid_accounts_read(&work->accounts, &work->place, err);
    if (r == 0)
        r = subid_begin(&work->transaction, &work->place, true, WAIT_MS, err);
    return r;
}

static void end(struct work *work, struct err ret_notes[GRANT_NOTES])
{
    subid_end(&work->transaction);
    ret_notes[0] = work->transaction.recovered;
    ret_notes[1] = work->transaction.unrecorded;
    subid_accounts_free(&work->accounts);
    subid_place_close(&work->place);
    (void)pthread_mutex_unlock(&one_at_a_time);
}

struct reuse {
    unsigned long wanted;
    bool found;
    struct subid_range range;
};

static void reuse_first(struct subid_entry *entry, void *arg)
{
    struct reuse *reuse = arg;
    if (reuse->found || entry->line.count < reuse->wanted)
        return;
    reuse->found = true;
    reuse->range = (struct subid_range){.start = entry->line.start, .count = entry->line.count};
}

/* @return true with the change set to a range that the user has */
static bool find_old(const struct work *work, struct grant *grant, const struct subid_account *user)
{
    struct reuse reuse = {.wanted = grant->count};
    (void)subid_db_visit(&work->transaction.db[kind_of(grant)], user->name, user->id, reuse_first,
                         &reuse);
    if (reuse.found) {
        grant->start = reuse.range.start;
        grant->count = reuse.range.count;
    }
    return reuse.found;
}

static int give_new(struct work *work, struct grant *grant, const struct subid_account *user,
                    struct err *err)
{
    enum subid_kind kind = kind_of(grant);
    struct subid_provision provision;
    struct subid_fit fit;
    struct subid_range range = {.count = (uint32_t)grant->count};
    struct subid_wish wish = {.exact = true};
    int r = subid_provision_begin(&provision, &work->transaction, &work->accounts, &wish, err);
    if (r < 0)
        return r;
    subid_fit_begin(&fit, &provision.taken[kind], provision.window.min, provision.window.max,
                    range.count);
    if (!subid_fit_next(&fit, &range.start))
        r = err_set(err, ENOSPC, "no %u free ids in a row are left in %s between %u and %u",
                    range.count, subid_path(kind), provision.window.min, provision.window.max);
    subid_provision_end(&provision);
    if (r == 0)
        r = subid_owner_check(user->name, err);
    if (r == 0)
        r = subid_db_add(&work->transaction.db[kind], user->name, range, err);
    if (r == 0)
        r = subid_commit(&work->transaction, err);
    if (r == 0)
        grant->start = range.start;
    return r;
}

int grant_make(struct grant *grant, bool reuse, struct err ret_notes[GRANT_NOTES], struct err *err)
{
    struct work work;
    struct subid_account user = {0};
    if (grant->count == 0 || grant->count > UINT32_MAX)
        return err_set(err, EINVAL, "no range has %lu ids", grant->count);
    int r = begin(&work, err);
    if (r == 0)
        r = subid_account_find(&work.accounts, grant->owner, &user, err);
    if (r == 0 && !(reuse && find_old(&work, grant, &user)))
        r = give_new(&work, grant, &user, err);
    end(&work, ret_notes);
    return r;
}

/* An owner who is no user any more is the word as it stands. */
static int take_away(struct work *work, const struct grant *grant, struct err *err)
{
    enum subid_kind kind = kind_of(grant);
    struct subid_account user = {.id = (uid_t)-1};
    const char *name = grant->owner;
    if (subid_account_find(&work->accounts, grant->owner, &user, NULL) == 0)
        name = user.name;
    else
        (void)subid_owner_uid(grant->owner, strlen(grant->owner), &user.id);
    if (subid_db_remove(&work->transaction.db[kind], name, user.id, (uint32_t)grant->start,
                        (uint32_t)(grant->start + grant->count - 1)) == 0)
        return err_set(err, ENOENT, "%s has none of the ids %lu-%lu in %s", grant->owner,
                       grant->start, grant->start + grant->count - 1, subid_path(kind));
    return subid_commit(&work->transaction, err);
}

int grant_revoke(const struct grant *grant, struct err ret_notes[GRANT_NOTES], struct err *err)
{
    struct work work;
    if (grant->count == 0 || grant->start > UINT32_MAX || grant->count > UINT32_MAX - grant->start)
        return err_set(err, EINVAL, "no range has %lu ids from %lu on", grant->count, grant->start);
    int r = begin(&work, err);
    if (r == 0)
        r = take_away(&work, grant, err);
    end(&work, ret_notes);
    return r;
}

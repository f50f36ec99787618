#include "pam/ranges.h"

#include <errno.h>
#include <syslog.h>

#include "lib/base/err.h"
#include "lib/subid/accounts.h"
#include "lib/subid/nsswitch.h"
#include "lib/subid/provision.h"
#include "lib/subid/transact.h"
#include "pam/notes.h"
#include "pam/subject.h"

/* Without a lock, which nearly every login can do without. */
static bool has_both(const struct subid_place *place, const struct subject *subject)
{
    struct subid_range range;
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        if (subid_ranges(place->etc_fd, (enum subid_kind)kind, subject->name, subject->uid, &range,
                         1, NULL) <= 0)
            return false;
    return true;
}

/* An administrator who wants none to be given sets the counts of login.defs to 0. */
static bool is_wanted(const struct subid_place *place, struct notes *notes)
{
    struct subid_limits limits[2];
    struct err err = {0};
    if (subid_limits_read(place, limits, &err) < 0) {
        notes_add(notes, LOG_WARNING, "no subordinate ids are given: %s", err.msg);
        return false;
    }
    if (limits[SUBID_UID].count > 0 || limits[SUBID_GID].count > 0)
        return true;
    notes_add(notes, LOG_DEBUG, "SUB_UID_COUNT and SUB_GID_COUNT are 0 in login.defs: none given");
    return false;
}

/* What one transaction works with. */
struct work {
    const struct subid_place *place;
    const struct subject *subject;
    struct subid_accounts accounts;
    struct subid_transaction transaction;
    struct subid_provision provision;
    struct subid_grant grant;
};

static int find_user(struct work *work, struct subid_account *ret, struct err *err)
{
    const struct subject *subject = work->subject;
    int r = subid_account_find(&work->accounts, subject->name, ret, err);
    if (r == 0 && ret->id != subject->uid)
        return err_set(err, EINVAL, "the name stands for uid %u in the files, his uid is %u",
                       ret->id, subject->uid);
    return r;
}

static int give(struct work *work, unsigned wait_ms, struct err *err)
{
    const struct subid_wish wish = {0};
    struct subid_account user;
    int r = subid_accounts_read(&work->accounts, work->place, err);
    if (r == 0)
        r = find_user(work, &user, err);
    if (r == 0)
        r = subid_begin(&work->transaction, work->place, true, wait_ms, err);
    if (r == 0)
        r = subid_provision_begin(&work->provision, &work->transaction, &work->accounts, &wish,
                                  err);
    if (r == 0)
        r = subid_provision_user(&work->provision, &user, &work->grant, err);
    return r == 0 ? subid_commit(&work->transaction, err) : r;
}

static void say_grant(const struct work *work, struct notes *notes)
{
    const struct subid_grant *grant = &work->grant;
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        if (grant->added[kind])
            notes_add(notes, LOG_NOTICE, "%s was given the subordinate %s %u-%u",
                      work->subject->name, kind == SUBID_UID ? "uids" : "gids",
                      grant->range[kind].start,
                      grant->range[kind].start + grant->range[kind].count - 1);
}

static bool give_and_say(const struct subid_place *place, const struct subject *subject,
                         unsigned wait_ms, struct notes *notes)
{
    static struct work work; /* static: the transaction is large */
    struct err err = {0};
    work = (struct work){.place = place, .subject = subject};
    int r = give(&work, wait_ms, &err);
    subid_provision_end(&work.provision);
    subid_end(&work.transaction);
    subid_accounts_free(&work.accounts);
    if (work.transaction.recovered.code)
        notes_add(notes, LOG_NOTICE, "%s", work.transaction.recovered.msg);
    if (work.transaction.unrecorded.code)
        notes_add(notes, LOG_WARNING, "%s", work.transaction.unrecorded.msg);
    if (r < 0)
        notes_add(notes, LOG_WARNING, "%s gets no subordinate ids: %s", subject->name, err.msg);
    else
        say_grant(&work, notes);
    return r == 0;
}

static bool provide(const struct subid_place *place, const struct subject *subject, bool may_give,
                    unsigned wait_ms, struct notes *notes)
{
    char source[SUBID_SOURCE_MAX];
    struct err err = {0};
    if (subid_source_read(place->etc_fd, source, &err) < 0) {
        notes_add(notes, LOG_WARNING, "no subordinate ids are given: %s", err.msg);
        return false;
    }
    if (source[0]) {
        notes_add(notes, LOG_DEBUG, "subordinate ids come from \"%s\" (/etc/nsswitch.conf)",
                  source);
        return true;
    }
    if (has_both(place, subject))
        return true;
    if (!may_give || !is_wanted(place, notes))
        return false;
    return give_and_say(place, subject, wait_ms, notes);
}

bool ranges_provide(const struct subject *subject, bool may_give, unsigned wait_ms,
                    struct notes *notes)
{
    struct subid_place place;
    struct err err = {0};
    bool ready = false;
    if (subid_place_open(&place, NULL, &err) < 0)
        notes_add(notes, LOG_WARNING, "no subordinate ids are given: %s", err.msg);
    else
        ready = provide(&place, subject, may_give, wait_ms, notes);
    subid_place_close(&place);
    return ready;
}

#include "rootless-setup/subid/audit/people.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/subid/line.h"

/* A service that is down may take its time to say so, for each of many users. */
#define FAILURES_MAX 3

#define ENTRY_MAX (1u << 20)

/* With a result of 0 and no entry every source has said that there is no such user. */
int audit_lookup_nss(const char *name, uid_t uid, char **ret_name, uid_t *ret_uid)
{
    cleanup_free char *buf = NULL;
    struct passwd pw, *found = NULL;
    int r = ERANGE;
    for (size_t size = 4096; r == ERANGE && size <= ENTRY_MAX; size *= 4) {
        free(buf);
        buf = malloc(size);
        if (!buf)
            return -ENOMEM;
        r = name ? getpwnam_r(name, &pw, buf, size, &found)
                 : getpwuid_r(uid, &pw, buf, size, &found);
    }
    if (r == ENOENT)
        return -EIO; /* no answer either: what "unavailable" looks like */
    if (r != 0 || !found)
        return r != 0 ? -r : -ENOENT;
    *ret_name = strdup(pw.pw_name);
    *ret_uid = pw.pw_uid;
    return *ret_name ? 0 : -ENOMEM;
}

int audit_lookup_none(const char *name, uid_t uid, char **ret_name, uid_t *ret_uid)
{
    (void)name, (void)uid, (void)ret_name, (void)ret_uid;
    return -ENOENT;
}

static int compare_id(const void *pa, const void *pb)
{
    const struct subid_account *a = pa, *b = pb;
    return (a->id > b->id) - (a->id < b->id);
}

static struct subid_account *sort_by_id(const struct subid_account_list *list)
{
    struct subid_account *sorted = calloc(list->n + 1, sizeof *sorted);
    if (!sorted)
        return NULL;
    if (list->n > 0) {
        memcpy(sorted, list->items, list->n * sizeof *sorted);
        qsort(sorted, list->n, sizeof *sorted, compare_id);
    }
    return sorted;
}

int audit_people_begin(struct audit_people *people, const struct subid_accounts *accounts,
                       audit_lookup_fn *lookup, struct err *err)
{
    *people = (struct audit_people){
        .users = &accounts->users,
        .by_uid = sort_by_id(&accounts->users),
        .by_gid = sort_by_id(&accounts->groups),
        .n_by_uid = accounts->users.n,
        .n_by_gid = accounts->groups.n,
        .lookup = lookup,
    };
    if (people->by_uid && people->by_gid)
        return 0;
    audit_people_end(people);
    return err_set(err, ENOMEM, "no memory for %zu users", accounts->users.n);
}

void audit_people_end(struct audit_people *people)
{
    free(people->by_uid);
    free(people->by_gid);
    *people = (struct audit_people){0};
}

size_t audit_accounts_within(const struct subid_account *sorted, size_t n, uint64_t start,
                             uint64_t end, const struct subid_account **ret)
{
    size_t first = subid_accounts_below(sorted, n, start);
    *ret = &sorted[first];
    return subid_accounts_below(sorted, n, end) - first;
}

static int compare_name(const void *name, const void *account)
{
    return strcmp(name, ((const struct subid_account *)account)->name);
}

static const struct subid_account *find_name(const struct audit_people *people, const char *name)
{
    if (people->users->n == 0)
        return NULL;
    return bsearch(name, people->users->items, people->users->n, sizeof *people->users->items,
                   compare_name);
}

static int set_known(struct audit_owner *owner, const struct subid_account *account)
{
    owner->state = AUDIT_OWNER_IS;
    owner->account = account;
    owner->uid = account->id;
    owner->login = strdup(account->name);
    return owner->login ? 0 : -ENOMEM;
}

/* Not listed. Where nobody is listed at all, nothing is known of users. */
static int ask(struct audit_people *people, struct audit_owner *owner, uid_t uid)
{
    owner->state = AUDIT_OWNER_ASK;
    if (people->users->n == 0 || people->failures >= FAILURES_MAX)
        return 0;
    int r = people->lookup(owner->by_number ? NULL : owner->text, uid, &owner->login, &owner->uid);
    if (r == 0)
        owner->state = AUDIT_OWNER_IS;
    else if (r == -ENOENT)
        owner->state = AUDIT_OWNER_NOT;
    else
        people->failures++;
    return r == -ENOMEM ? r : 0;
}

int audit_owner_resolve(struct audit_people *people, struct audit_owner *owner)
{
    uid_t uid = 0;
    const struct subid_account *found = NULL;
    owner->uid = (uid_t)-1;
    owner->by_number = subid_owner_uid(owner->text, strlen(owner->text), &uid);
    if (owner->text[0] == '!') {
        owner->state = AUDIT_OWNER_OFF;
        return 0;
    }
    if (!owner->by_number) {
        found = find_name(people, owner->text);
    } else {
        owner->digits_name = find_name(people, owner->text) != NULL;
        if (audit_accounts_within(people->by_uid, people->n_by_uid, uid, (uint64_t)uid + 1,
                                  &found) == 0)
            found = NULL;
    }
    return found ? set_known(owner, found) : ask(people, owner, uid);
}

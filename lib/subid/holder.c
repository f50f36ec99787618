#include "lib/subid/holder.h"

#include <string.h>

/* The other names of his uid; those of nobody's are none. */
static size_t find_aliases(const struct subid_accounts *accounts, const struct subid_account *user,
                           const struct subid_account **ret)
{
    return user->id == (uid_t)-1 ? 0 : subid_accounts_with_uid(accounts, user->id, ret);
}

size_t subid_holder_visit(const struct subid_db *db, const struct subid_accounts *accounts,
                          const struct subid_account *user, subid_db_fn *fn, void *arg)
{
    const struct subid_account *alias = NULL;
    size_t n_aliases = find_aliases(accounts, user, &alias);
    size_t n = subid_db_visit(db, user->name, user->id, fn, arg);
    for (size_t i = 0; i < n_aliases; i++)
        if (strcmp(alias[i].name, user->name) != 0)
            n += subid_db_visit(db, alias[i].name, (uid_t)-1, fn, arg);
    return n;
}

uint64_t subid_holder_remove(struct subid_db *db, const struct subid_accounts *accounts,
                             const struct subid_account *user, struct subid_range range)
{
    const struct subid_account *alias = NULL;
    size_t n_aliases = find_aliases(accounts, user, &alias);
    uint32_t last = range.start + (range.count - 1);
    uint64_t n = subid_db_remove(db, user->name, user->id, range.start, last);
    for (size_t i = 0; i < n_aliases; i++)
        if (strcmp(alias[i].name, user->name) != 0)
            n += subid_db_remove(db, alias[i].name, (uid_t)-1, range.start, last);
    return n;
}

/*
 * The users and groups a place knows: to find the owner of a range, and to hand out no id that is
 * somebody's already.
 *
 * On the machine itself they come through NSS (which is why this is never part of a privileged
 * program), below a root from its passwd and group files. They are read once and sorted once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/subid/place.h"
#include "lib/subid/space.h"

struct err;

struct subid_account {
    char *name;           /**< the accounts' */
    uint32_t id;          /**< uid of a user, gid of a group */
    uint32_t primary_gid; /**< of a user */
};

struct subid_account_list {
    struct subid_account *items; /**< sorted by name */
    size_t n, room;
};

struct subid_accounts {
    const struct subid_place *place;
    struct subid_account_list users, groups;
    struct subid_account_list unlisted; /**< users found by name only, in the order of asking */
    struct subid_account *by_id;        /**< users again, sorted by uid, then by name */
};

int subid_accounts_read(struct subid_accounts *accounts, const struct subid_place *place,
                        struct err *err);
void subid_accounts_free(struct subid_accounts *accounts);
/** Marks the ids of @p n accounts as taken. @param what  "the id of user "; borrowed, as the names
 *  @return 0 or -ENOMEM */
int subid_accounts_take(const struct subid_account *items, size_t n, const char *what,
                        struct subid_space *space, struct err *err);
/** How many of @p n accounts, sorted by id, have an id below @p id. */
size_t subid_accounts_below(const struct subid_account *by_id, size_t n, uint64_t id);
/**
 * A user by login name, or by uid when @p name is a number that is no login name.
 * NSS is asked for one that it does not list.
 * @param ret  its name is the accounts'
 * @return 0, or -ENOENT with a message
 */
int subid_account_find(struct subid_accounts *accounts, const char *name, struct subid_account *ret,
                       struct err *err);
/**
 * The users with this uid, sorted by name: those who share it are one owner.
 * @param ret  the accounts'
 * @return how many
 */
size_t subid_accounts_with_uid(const struct subid_accounts *accounts, uid_t uid,
                               const struct subid_account **ret);

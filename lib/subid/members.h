/*
 * Users by the lot: those of a group, and those who log in.
 */
#pragma once

#include <stddef.h>

#include "lib/subid/accounts.h"

struct err;

/** A growing list of users, whose names are the accounts'. Free with subid_members_free(). */
struct subid_members {
    struct subid_account *items;
    size_t n, room;
    char *unknown; /**< the first name a group lists that is no user (it is left out), or NULL */
};

int subid_members_add(struct subid_members *members, const struct subid_account *user,
                      struct err *err);
/**
 * Adds those whom @p group (a name or a gid) lists, in its order, and then those whose primary
 * group it is, by uid.
 * @return 0, or -ENOENT when there is no such group
 */
int subid_members_of(struct subid_members *members, struct subid_accounts *accounts,
                     const char *group, struct err *err);
/** Adds the users with a uid from UID_MIN to UID_MAX of login.defs, but nobody; by uid. */
int subid_members_login(struct subid_members *members, const struct subid_accounts *accounts,
                        struct err *err);
void subid_members_free(struct subid_members *members);

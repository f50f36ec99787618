/*
 * Who the owners in the files are. A user who is not listed is asked for by name or number, once;
 * only a source that answers "no such user" makes one gone. A directory service that is down does
 * not, and is not asked for ever.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/subid/accounts.h"

struct err;

/**
 * Asks for one user.
 * @param name  NULL: by @p uid
 * @param ret_name  owned by the caller
 * @return 0; -ENOENT when there is none; -errno when nobody could say
 */
typedef int audit_lookup_fn(const char *name, uid_t uid, char **ret_name, uid_t *ret_uid);
/** By NSS. */
int audit_lookup_nss(const char *name, uid_t uid, char **ret_name, uid_t *ret_uid);
/** In an image nobody is known but the listed. */
int audit_lookup_none(const char *name, uid_t uid, char **ret_name, uid_t *ret_uid);

struct audit_people {
    const struct subid_account_list *users; /**< borrowed; sorted by name */
    struct subid_account *by_uid, *by_gid;  /**< users by uid, groups by gid; names borrowed */
    size_t n_by_uid, n_by_gid;
    audit_lookup_fn *lookup;
    unsigned failures; /**< lookups that nobody could answer */
};

int audit_people_begin(struct audit_people *people, const struct subid_accounts *accounts,
                       audit_lookup_fn *lookup, struct err *err);
void audit_people_end(struct audit_people *people);
/** Accounts with an id in [start, end), of a list sorted by id. @return how many, *ret the first */
size_t audit_accounts_within(const struct subid_account *sorted, size_t n, uint64_t start,
                             uint64_t end, const struct subid_account **ret);

enum audit_owner_state {
    AUDIT_OWNER_IS,  /**< a user */
    AUDIT_OWNER_NOT, /**< there is none */
    AUDIT_OWNER_ASK, /**< nobody could say */
    AUDIT_OWNER_OFF, /**< "!name": Apptainer's way of switching a line off */
};

/** The first field of a line, each once. */
struct audit_owner {
    char *text;
    enum audit_owner_state state;
    bool by_number;
    bool digits_name;                    /**< also a login name */
    uid_t uid;                           /**< of one that is; else (uid_t)-1 */
    char *login;                         /**< of one that is; else NULL */
    const struct subid_account *account; /**< of a listed one; else NULL */
    size_t user;                         /**< the same for owners who are the same user */
};

/** Fills in all but text and user. @return 0 or -ENOMEM */
int audit_owner_resolve(struct audit_people *people, struct audit_owner *owner);

/*
 * The policy of handing out ranges, within one transaction.
 *
 * A block is the same ids in both files. It never contains an id that is in anybody's range, that
 * is a user's or group's own, or that systemd hands out by itself; it comes from the window of
 * login.defs, lowest first. The area systemd-nspawn picks containers from (524288-1879048191) is
 * not spared: login.defs's own window lies in it.
 * A user who has enough keeps what he has.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/subid/accounts.h"
#include "lib/subid/logindefs.h"
#include "lib/subid/space.h"
#include "lib/subid/transact.h"

struct err;

struct subid_provision {
    struct subid_transaction *transaction; /**< borrowed */
    struct subid_limits window;
    struct subid_space taken[2]; /**< by enum subid_kind, as the files were */
    struct subid_space both;
    struct subid_space mirrored; /**< given by this one below the search: see mirror() */
    struct subid_fit fit;
};

/** What became of one user, by enum subid_kind. */
struct subid_grant {
    uint64_t had[2];
    bool added[2];
    struct subid_range range[2]; /**< where added */
};

/**
 * Prepares for any number of users; all that accounts will be found must have been, for their ids
 * are spared too.
 * @param count  ids a user is to have at least; 0: what login.defs says
 */
int subid_provision_begin(struct subid_provision *provision, struct subid_transaction *transaction,
                          const struct subid_accounts *accounts, uint32_t count, struct err *err);
/** Gives @p user (whose name must stay until the transaction ends) a block where he has fewer ids
 *  than asked for. @return 0; -ENOSPC when no gap is left; -EINVAL on a name that cannot be an
 *  owner */
int subid_provision_user(struct subid_provision *provision, const struct subid_account *user,
                         struct subid_grant *ret, struct err *err);
/** Gives him exactly @p range where he has it not; -EEXIST with whose it is when it is not free. */
int subid_provision_range(struct subid_provision *provision, const struct subid_account *user,
                          struct subid_range range, struct subid_grant *ret, struct err *err);
void subid_provision_end(struct subid_provision *provision);
/** The areas that no block is taken from because the system hands them out by itself.
 *  @return false behind the last */
bool subid_reserved(size_t i, struct subid_interval *ret);

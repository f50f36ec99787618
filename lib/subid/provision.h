/*
 * The policy of handing out ranges, within one transaction.
 *
 * A block is the same ids in both files. It never contains an id that is in anybody's range, that
 * is a user's or group's own, or that systemd hands out by itself; it comes from the window of
 * login.defs, lowest first. The area systemd-nspawn picks containers from (524288-1879048191) is
 * not spared: login.defs's own window lies in it.
 * A user who has enough keeps what he has. Where login.defs asks for it the uid decides instead
 * (shadow's deterministic mode, for fleets that are to agree); the range is then checked against
 * everything above, which shadow leaves out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/subid/accounts.h"
#include "lib/subid/logindefs.h"
#include "lib/subid/space.h"
#include "lib/subid/transact.h"

struct err;

/** What is asked for. */
struct subid_wish {
    uint32_t count;     /**< ids a user is to have at least; 0: what login.defs says */
    bool deterministic; /**< also where login.defs does not ask for it; not with a count */
    bool exact;         /**< only subid_provision_range() will be called: no window is needed */
};

struct subid_provision {
    struct subid_transaction *transaction; /**< borrowed */
    const struct subid_accounts *accounts; /**< borrowed */
    struct subid_limits limits[2];         /**< by enum subid_kind */
    struct subid_limits window;            /**< of both, where the search looks */
    struct subid_space taken[2];           /**< by enum subid_kind, as the files were */
    struct subid_space both;
    struct subid_space given; /**< by this one, but not by the search: see mirror() */
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
 * are spared too. Users who share a uid are one: only one of them may be served.
 */
int subid_provision_begin(struct subid_provision *provision, struct subid_transaction *transaction,
                          const struct subid_accounts *accounts, const struct subid_wish *wish,
                          struct err *err);
/**
 * Gives @p user a block where he has fewer ids than asked for; in deterministic mode his block,
 * where he does not have it.
 * @return 0; -ENOSPC when no gap is left; -EINVAL on a name that cannot be an owner;
 *         deterministic: -ERANGE when his uid has no block; -EEXIST with whose when the block is
 *         not free, or with what he has instead of it
 */
int subid_provision_user(struct subid_provision *provision, const struct subid_account *user,
                         struct subid_grant *ret, struct err *err);
/** Gives him exactly @p range where he has it not; -EEXIST with whose it is when it is not free. */
int subid_provision_range(struct subid_provision *provision, const struct subid_account *user,
                          struct subid_range range, struct subid_grant *ret, struct err *err);
void subid_provision_end(struct subid_provision *provision);
/** The areas that no block is taken from because the system hands them out by itself.
 *  @return false behind the last */
bool subid_reserved(size_t i, struct subid_interval *ret);

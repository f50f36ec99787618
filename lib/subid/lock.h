/*
 * The locks that shadow's tools take before they change /etc/subuid and /etc/subgid, so that
 * useradd, usermod, userdel, vipw and we exclude one another.
 *
 * There are two, taken in this order: the record lock on /etc/.pwd.lock that lckpwdf(3) takes, and
 * for each file NAME a hard link NAME.lock to a file with the holder's pid. The first serialises
 * everything on the machine; shadow's --prefix takes the second only. Below a root that has no
 * .pwd.lock the first is left out: an image gets no file that it had not.
 *
 * While the links exist, SIGINT, SIGTERM, SIGHUP and SIGQUIT are blocked in the calling thread, so
 * that none is left behind; they are delivered on release. After a SIGKILL the links name a process
 * that is gone, and the next to come removes them.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "lib/subid/place.h"

struct err;

struct subid_lock {
    const struct subid_place *place; /**< borrowed, must outlive the lock */
    int pwd_fd;
    bool linked[2];
    bool blocked;
    sigset_t old_mask;
};

/**
 * @param wait_ms  how long to wait for another holder
 * @return 0; -EBUSY with who holds it; -errno (the message says what to do)
 */
int subid_lock_take(struct subid_lock *lock, const struct subid_place *place, unsigned wait_ms,
                    struct err *err);
/** Releases what is held; safe on a lock that is not. */
void subid_lock_release(struct subid_lock *lock);
/** For those who take no lock: whether a living process seems to hold one of the links. */
bool subid_lock_is_held(const struct subid_place *place);

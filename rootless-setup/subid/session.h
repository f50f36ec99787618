/*
 * How every action of `rootless-setup subid` begins and ends: its words, the place, the users the
 * place knows, the transaction.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rootless-setup/subid/subid.h"

struct cli_program;
struct err;

struct subid_session {
    const struct subid_options *options; /**< borrowed */
    struct subid_place place;
    struct subid_accounts accounts;
    struct subid_transaction transaction;
};

/** Parses the command line; the words are then argv[1] ... argv[*ret_n]. @return -1 to go on, else
 *  the exit status, with all said */
int subid_session_words(const struct cli_program *program, int argc, char **argv, void *config,
                        size_t *ret_n);
/** The same for an action that takes options only. */
int subid_session_no_words(const struct cli_program *program, int argc, char **argv, void *config);
/** Opens the place of --root and reads its users. Always close it, also after a failure. */
int subid_session_open(struct subid_session *session, const struct subid_options *options,
                       struct err *err);
/** Begins the transaction of an action that only reads. */
int subid_session_read(struct subid_session *session, struct err *err);
/** Begins that of one that writes, or pretends to (--dry-run): refused, with -EOPNOTSUPP, where
 *  nsswitch.conf names a plug-in, for nobody would read what is written. */
int subid_session_write(struct subid_session *session, struct err *err);
/** Commits, unless it only pretends. */
int subid_session_commit(struct subid_session *session, struct err *err);
void subid_session_close(struct subid_session *session);

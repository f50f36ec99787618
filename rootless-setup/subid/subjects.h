/*
 * Whom a command is about: USER words, standard input, groups, all who log in.
 *
 * Each user comes once, in the order of the command line; login names that share a uid are one
 * user, the first of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/cli/options.h"
#include "lib/subid/accounts.h"
#include "lib/subid/members.h"

struct err;

/** The options and words; "-" among the words is standard input: a name a line, blank lines and
 *  those that begin with '#' skipped. */
struct subid_choice {
    char **words;
    size_t n_words;
    const struct cli_list *groups;
    bool all_users;
    bool take_gone; /**< a name nobody has stays as it is: a user who is gone, by number too */
};

struct subid_subjects {
    struct subid_members users; /**< id (uid_t)-1: gone, and no number */
    char *text;                 /**< what came by standard input */
};

/** Free it, also after a failure. @return 0, or -errno with the word or line that is wrong */
int subid_subjects_find(struct subid_subjects *subjects, const struct subid_choice *choice,
                        struct subid_accounts *accounts, struct err *err);
void subid_subjects_free(struct subid_subjects *subjects);

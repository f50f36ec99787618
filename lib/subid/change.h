/*
 * One change of the pair: what it did to each file, when, by whom. As text it is both the commit
 * mark of a change under way (mark.h) and the record that undo goes by (record.h).
 *
 *     rootless-toolkit subid change 1          the format
 *     number 7
 *     time 1764000000                          seconds since 1970
 *     by 0 1000                                real uid, SUDO_UID or "-"
 *     undoes 5                                 0: it takes no other change back
 *     command rootless-setup subid del bob
 *     subuid 1:52:9f86d081884c7d65 1:35:...    exists:size:hash before and after
 *     =3 alice:100000:65536                    the line before, at this index
 *     -4 bob:165536:65536                      a line that goes; '+': one that comes
 *     subgid ...                               the other file, if it is changed
 *     end
 *
 * Lines of the files stand in it byte for byte.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/subid/content.h"
#include "lib/subid/edits.h"

struct err;

/** Longer command lines are cut. */
#define SUBID_COMMAND_MAX 256

struct subid_change_file {
    bool touched;
    struct subid_content before, after;
    struct subid_edits edits;
};

struct subid_change {
    uint32_t number;
    int64_t time;
    uid_t uid;
    uid_t sudo_uid;                   /**< (uid_t)-1: none */
    uint32_t undoes;                  /**< number of the change it takes back, or 0 */
    char command[SUBID_COMMAND_MAX];  /**< printable */
    struct subid_change_file file[2]; /**< by enum subid_kind */
    char *text;                       /**< what the edits point into, once parsed */
};

/** Fills in time, who and command from the process it is. */
void subid_change_sign(struct subid_change *change);
int subid_change_render(const struct subid_change *change, char **ret, size_t *ret_len,
                        struct err *err);
/** @param take_text  becomes the change's, also on failure
 *  @return 0; -EINVAL on text that subid_change_render() did not write */
int subid_change_parse(struct subid_change *change, char *take_text, size_t len, struct err *err);
void subid_change_free(struct subid_change *change);

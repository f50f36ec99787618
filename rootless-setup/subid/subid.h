/*
 * What the actions of `rootless-setup subid` share: the words for a range and the words of a
 * result, as lines or as JSON.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/cli/options.h"
#include "lib/subid/accounts.h"
#include "lib/subid/transact.h"

struct err;

/** Fields every action has; each action's config begins with it. */
struct subid_options {
    const char *root;
    bool json;
    bool dry_run;
    uint32_t wait_s;
};

#define SUBID_OPTION_ROOT                                                                   \
    {                                                                                       \
        .name = "root", .kind = CLI_STRING, .offset = offsetof(struct subid_options, root), \
        .value = "DIR", .help = "work on the files of the image below DIR"                  \
    }
#define SUBID_OPTION_JSON                                               \
    {                                                                   \
        .name = "json", .offset = offsetof(struct subid_options, json), \
        .help = "print the result as JSON"                              \
    }
#define SUBID_OPTION_DRY_RUN                                                                 \
    {                                                                                        \
        .name = "dry-run", .letter = 'n', .offset = offsetof(struct subid_options, dry_run), \
        .help = "change nothing, print what would change as a diff"                          \
    }
#define SUBID_OPTION_WAIT                                                                        \
    {                                                                                            \
        .name = "wait", .kind = CLI_U32, .offset = offsetof(struct subid_options, wait_s),       \
        .value = "SECONDS", .help = "wait for another program's lock (default: 15)", .max = 3600 \
    }
#define SUBID_WAIT_DEFAULT 15

/** "FIRST-LAST", both inclusive. @return 0 or -EINVAL */
int subid_parse_range(const char *what, const char *text, struct subid_range *ret, struct err *err);
/**
 * The values of --range: no two may share an id.
 * @param ret  owned by the caller (cleanup_free)
 * @return 0 or -EINVAL
 */
int subid_parse_ranges(const struct cli_list *list, struct subid_range **ret, struct err *err);
/** A name as a JSON string; bytes that are no UTF-8 become '?'. */
json_t *subid_text_json(const char *text, size_t len);
/** {"start": ..., "count": ...} */
json_t *subid_range_json(struct subid_range range);
/** Prints an object, behind the number of its schema and our version, and frees it. @return exit
 *  status */
int subid_print_json(json_t *value);
/** Prints, on stderr, what the transaction has to say beside its result. */
void subid_warn(const struct subid_transaction *transaction);
/** Prints the diffs of both files (dry run without --json). */
void subid_print_diff(const struct subid_transaction *transaction);

/** What a plug-in of nsswitch.conf says of @p user. @return 1 with an exit status: it was listed;
 * 0: the files have the ranges; -errno */
int subid_list_source(const struct subid_place *place, const char *user, bool json, int *ret_status,
                      struct err *err);

int subid_add(int argc, char **argv);
int subid_del(int argc, char **argv);
int subid_audit(int argc, char **argv);
int subid_list(int argc, char **argv);
int subid_repair(int argc, char **argv);
int subid_undo(int argc, char **argv);

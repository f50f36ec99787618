/*
 * What a trial must lead to: shadow's newuidmap and newgidmap, and ours, as one model.
 *
 * Written from what both promise, sharing no code with lib/. The model is ours; each rule turns one
 * point of it into shadow's. So the rules are exactly the intended differences, and anything else
 * that differs is a failure.
 */
#pragma once

#include "tests/integration/newuidmap/parity/trial.h"

enum model_rule {
    RULE_NOTHING_TO_MAP,
    RULE_NOTHING_IS_SUCCESS,
    RULE_CHECKED_LATE,
    RULE_PID_SIGN,
    RULE_NO_FD,
    RULE_NO_PASSWD_ENTRY,
    RULE_MIXED_IDS,
    RULE_LOGIN_DEFS,
    RULE_SECOND_NAME,
    RULE_NO_FILE,
    RULE_SECRET_FILE,
    RULE_FINAL_NEWLINE,
    RULE_FOURTH_FIELD,
    RULE_OWNER_ZEROS,
    RULE_NEGATIVE,
    RULE_MINUS_ZERO,
    RULE_ZERO_RANGE,
    RULE_64_BITS,
    RULE_LAST_ID,
    RULE_MANY_RANGES,
    RULE_NOT_DUMPABLE,
    RULE_DENIED_AS_ROOT,
    RULE_PARENT_ROOT,
    RULE_N,
};

#define RULE_BIT(rule) (1u << (rule))

struct model_rule_text {
    const char *name, *ours, *theirs, *reason;
    bool old; /**< shadow 4.13 as Debian 12 has it differs */
    bool new; /**< so does shadow 4.20 */
};
extern const struct model_rule_text model_rules[RULE_N];

enum model_why {
    WHY_GRANTED,
    WHY_WORDS,
    WHY_TARGET,
    WHY_OWNER,
    WHY_FILE,
    WHY_POLICY,
    WHY_LIMITS,
    WHY_SETGROUPS,
    WHY_KERNEL,
    WHY_N,
};
extern const char *const model_why_text[WHY_N];

struct model_extent {
    uint64_t inside, outside, count;
};

#define MODEL_MAP_MAX 360

struct model_outcome {
    int status; /**< exit status */
    enum model_why why;
    bool denied; /**< setgroups is "deny" afterwards */
    size_t n;
    struct model_extent map[MODEL_MAP_MAX]; /**< ordered by inside */
};

/** @param shadow  the RULE_BITs in which to be shadow; 0: ours */
void model_predict(const struct trial *trial, unsigned shadow, struct model_outcome *ret);
/** Equal in all but why. */
bool model_equal(const struct model_outcome *a, const struct model_outcome *b);
void model_sort(struct model_outcome *outcome);

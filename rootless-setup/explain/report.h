/*
 * What explain answers, for a person or for a program; docs/explain-schema.json describes the JSON.
 */
#pragma once

#include <stdio.h>

#include "rootless-setup/check/report.h"
#include "rootless-setup/explain/about.h"
#include "rootless-setup/explain/match.h"

struct explain_answer {
    struct explain_found found[EXPLAIN_FOUND_MAX]; /**< the first is the answer */
    size_t n;
    const struct explain_about *about; /**< asked by a check's id; else NULL */
    const char *check;                 /**< the check that tells for this host, or NULL */
    const char *untried;               /**< why it was not tried, or NULL */
    bool wanted[PROBES_MAX];           /**< it and what it needs, when it was tried */
    const struct check_result *results;
    const struct check_context *context; /**< where it was tried */
};

/** @param color  ANSI colours */
void explain_report_text(const struct explain_answer *answer, bool color, FILE *out);
/** One JSON object and a newline. @return 0 or -ENOMEM */
int explain_report_json(const struct explain_answer *answer, FILE *out);

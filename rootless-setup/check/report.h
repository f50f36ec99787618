/*
 * What a run found, for a person or for a program. The text goes to a FILE, the JSON is built as a
 * value first; its schema is docs/check-schema.json.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "rootless-setup/check/probe.h"

/** The number of results with each status. */
struct check_summary {
    unsigned ok, hints, warnings, failed, skipped;
};

struct check_summary report_summary(const bool wanted[PROBES_MAX],
                                    const struct check_result *results);
/** Aligned lines, then causes, then the remedies as a script. @param color  ANSI colours */
void report_text(const struct check_context *context, const bool wanted[PROBES_MAX],
                 const struct check_result *results, bool color, FILE *out);
/** The middle of it: the lines, the causes and the script. */
void report_findings(const struct check_context *context, const bool wanted[PROBES_MAX],
                     const struct check_result *results, bool color, FILE *out);
/** One JSON object and a newline. @return 0 or -ENOMEM */
int report_json(const struct check_context *context, const bool wanted[PROBES_MAX],
                const struct check_result *results, FILE *out);

struct json_t;
/** A text of another program's, which may be no UTF-8: such bytes are replaced. */
struct json_t *report_text_value(const char *text);
/** One check of that object; the caller's to release. NULL without memory */
struct json_t *report_check_value(const struct check_probe *probe,
                                  const struct check_result *result);

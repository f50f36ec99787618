/*
 * Findings for people and for programs (docs/subid-audit-schema.json).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "lib/subid/place.h"
#include "rootless-setup/subid/audit/finding.h"

struct audit_print {
    enum audit_level least; /**< those as bad only */
    bool color;
    bool help; /**< what helps, too */
};

/** A rule's findings under one heading. */
void audit_print(const struct audit_findings *findings, const struct subid_place *place,
                 const struct audit_print *how, FILE *out);
/** The same as an array; NULL without memory. */
json_t *audit_json(const struct audit_findings *findings, const struct subid_place *place,
                   enum audit_level least);
/** {"errors": n, "warnings": n, "notes": n} */
json_t *audit_summary_json(const struct audit_findings *findings);

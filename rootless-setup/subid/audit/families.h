/*
 * The families of findings, one a file: each looks at the view and adds what it finds. They read
 * nothing else, print nothing and change nothing, so that a unit test can feed them any file.
 * Another family is a function here and a line in audit_look() (audit.c).
 */
#pragma once

#include "lib/subid/logindefs.h"
#include "rootless-setup/subid/audit/finding.h"
#include "rootless-setup/subid/audit/view.h"

/** Lines that are skipped or not written plainly; a last one without newline (lines.c). */
void audit_find_lines(const struct audit_view *view, struct audit_findings *findings);
/** Owners who are gone, unknown, written in two ways (owners.c). */
void audit_find_owners(const struct audit_view *view, struct audit_findings *findings);
/** Ids that two lines have (overlap.c). */
void audit_find_overlaps(const struct audit_view *view, struct audit_findings *findings);
/** Ranges that hold accounts' ids or ids the system hands out, or lie outside the window (ids.c).
 */
void audit_find_ids(const struct audit_view *view, const struct audit_people *people,
                    const struct subid_limits limits[2], struct audit_findings *findings);
/** Too few, too many, unlike in the two files (amounts.c). */
void audit_find_amounts(const struct audit_view *view, struct audit_findings *findings);
/** What other programs make of the lines (readers.c). */
void audit_find_readers(const struct audit_view *view, struct audit_findings *findings);

/** How many blocks of the count a window still has; what is taken is what add goes by (window.c).
 */
uint64_t audit_find_window(const struct audit_view *view, const struct audit_people *people,
                           const struct subid_limits limits[2], struct audit_findings *findings);

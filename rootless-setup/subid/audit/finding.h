/*
 * What an audit finds: a rule that is broken, where, and by whom. The rules stand in one table with
 * what each means and what helps, so that text, JSON and manual say the same.
 *
 * Findings borrow the text of lines and owners: the databases and the view must outlive them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/subid/subid.h"

/** From bad to harmless, the order of a report. */
enum audit_level {
    AUDIT_ERROR,   /**< somebody may reach another's files, or nobody can use the file */
    AUDIT_WARNING, /**< somebody has less than the file seems to say */
    AUDIT_NOTE,    /**< worth knowing */
};
#define AUDIT_LEVELS 3

/** In the order of the table in finding.c, and of a report within a level. */
enum audit_rule_id {
    AUDIT_SOURCE_BAD,
    AUDIT_FILE_LINK,
    AUDIT_FILE_TYPE,
    AUDIT_FILE_OWNER,
    AUDIT_FILE_WRITABLE,
    AUDIT_NO_NEWLINE,
    AUDIT_READER_ALL,
    AUDIT_OVERLAP,
    AUDIT_HOLDS_USER,
    AUDIT_HOLDS_GROUP,
    AUDIT_HOLDS_OWN,
    AUDIT_HOME,
    AUDIT_FILE_MISSING,
    AUDIT_FILE_UNREADABLE,
    AUDIT_LINE_IGNORED,
    AUDIT_READER_OWNER,
    AUDIT_OWN_OVERLAP,
    AUDIT_OWNER_GONE,
    AUDIT_OWNER_DIGITS,
    AUDIT_RESERVED,
    AUDIT_TOO_FEW,
    AUDIT_ONE_FILE,
    AUDIT_TOO_MANY,
    AUDIT_WINDOW_BAD,
    AUDIT_WINDOW_FULL,
    AUDIT_INTERRUPTED,
    AUDIT_STALE_LOCK,
    AUDIT_LEFTOVER,
    AUDIT_SOURCE_PLUGIN,
    AUDIT_OWNER_UNKNOWN,
    AUDIT_OWNER_DISABLED,
    AUDIT_OWNER_TWICE,
    AUDIT_LINE_SPELLING,
    AUDIT_UNLIKE,
    AUDIT_OUTSIDE_WINDOW,
    AUDIT_MANY_RANGES,
    AUDIT_READER_FIRST,
    AUDIT_READER_NUMBER,
    AUDIT_HOMES_UNREAD,
    AUDIT_RULES,
};

struct audit_rule {
    const char *name; /**< stable, for monitoring */
    enum audit_level level;
    const char *meaning;
    const char *help; /**< what repair does about it, or why it does not */
};
extern const struct audit_rule audit_rules[AUDIT_RULES];
extern const char *const audit_level_names[AUDIT_LEVELS + 1];

struct audit_finding {
    enum audit_rule_id rule;
    enum subid_kind kind;
    bool no_file; /**< about neither file, or about @p name */
    char *name;   /**< another file, as a path; owned */
    size_t line;  /**< from 1; 0: none */
    const char *text;
    size_t text_len;
    const char *owner; /**< NULL: none */
    size_t owner_len;
    uint64_t start, end; /**< half-open; the same: none */
    size_t other_line;   /**< of the same file, the other party of an overlap; 0: none */
    char *message;       /**< owned; the particulars */
};

struct audit_findings {
    struct audit_finding *items;
    size_t n, room;
    bool no_memory; /**< some are missing */
};

/** Appends a copy of @p finding with its message; no memory is remembered in the list. */
void audit_find(struct audit_findings *findings, struct audit_finding finding, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/** By level and rule, file and line. */
void audit_findings_sort(struct audit_findings *findings);
size_t audit_findings_count(const struct audit_findings *findings, enum audit_level level);
void audit_findings_free(struct audit_findings *findings);

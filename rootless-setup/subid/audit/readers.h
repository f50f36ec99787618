/*
 * The programs beside newuidmap that read /etc/subuid and /etc/subgid themselves, and by which
 * rules. One more is one more row of the table in readers.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/subid/line.h"

/** How a number is read; all in base 10. */
enum audit_number {
    AUDIT_NUMBER_WHOLE,  /**< a sign, then digits to the end, else an error for the owner */
    AUDIT_NUMBER_BLANKS, /**< blanks and a sign, then digits to the end, else an error */
    AUDIT_NUMBER_ZERO,   /**< as WHOLE, but what is no number is 0 */
    AUDIT_NUMBER_SKIP,   /**< digits to the end, else the line is skipped */
    AUDIT_NUMBER_PREFIX, /**< blanks, a sign, digits; whatever follows is passed over */
};

struct audit_reader {
    const char *name;
    bool trims;       /**< blanks go from both ends of a line */
    bool needs_three; /**< other than three fields are an error for everybody, comments aside */
    bool needs_owner; /**< an empty first field of three is one too */
    size_t line_max;  /**< a line this long is one too; 0: no limit */
    enum audit_number number;
    bool first_only; /**< an owner's first line only */
    bool names_only; /**< owners written as numbers are not found */
};

extern const struct audit_reader audit_readers[];
extern const size_t audit_readers_count;

enum audit_effect {
    AUDIT_SAME,        /**< as newuidmap */
    AUDIT_SKIPS,       /**< newuidmap takes the line, the reader does not */
    AUDIT_DIFFERS,     /**< the reader takes other ids, or a line that newuidmap skips */
    AUDIT_FAILS_OWNER, /**< an error for the owner */
    AUDIT_FAILS_ALL,   /**< an error for everybody, or the end of what is read */
};

/** What @p reader makes of a line. @param line  newuidmap's reading, NULL where it skips it */
enum audit_effect audit_reader_judge(const struct audit_reader *reader, const char *text,
                                     size_t len, const struct subid_line *line);

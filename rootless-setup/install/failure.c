#include "rootless-setup/install/failure.h"

#include <string.h>

#include "lib/base/str.h"
#include "rootless-setup/install/manager.h"

#define LINES_SHOWN 12

void failure_read(const char *unit, struct failure *ret)
{
    struct explain_found found[EXPLAIN_FOUND_MAX];
    char text[sizeof ret->log];
    *ret = (struct failure){0};
    manager_journal(unit, ret->log, sizeof ret->log);
    (void)str_copy(text, sizeof text, ret->log);
    size_t len = explain_normalize(text, strlen(text));
    if (explain_match(text, len, found) > 0)
        ret->row = found[0].row;
}

/* The beginning of the last lines. */
static const char *last_lines(const char *text, unsigned lines)
{
    const char *at = text + strlen(text);
    if (at > text && at[-1] == '\n')
        at--;
    for (; at > text; at--)
        if (at[-1] == '\n' && --lines == 0)
            break;
    return at;
}

void failure_tell(const char *unit, FILE *out)
{
    static struct failure failure;
    failure_read(unit, &failure);
    if (failure.log[0])
        (void)fprintf(out, "The last lines of %s:\n%s", unit, last_lines(failure.log, LINES_SHOWN));
    if (failure.row) {
        (void)fprintf(out, "Why: %s\n", failure.row->cause);
        if (failure.row->check)
            (void)fprintf(out, "See: rootless-setup check %s\n", failure.row->check);
    }
    (void)fprintf(out, "More: journalctl --user --unit %s\n", unit);
}

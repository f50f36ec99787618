#include "rootlesskit/grants.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/subid/place.h"
#include "lib/subid/source.h"
#include "rootlesskit/getsubids.h"

const char *grants_kind_name(enum subid_kind kind)
{
    return kind == SUBID_UID ? "uids" : "gids";
}

/* ---- the sources ---- */

static int ask_source(struct grants *grants, const struct subid_source *source, struct err *err)
{
    const char *name = grants->name;
    char digits[16];
    (void)str_format(digits, sizeof digits, "%u", grants->uid);
    for (enum subid_kind kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        int n = subid_source_grants(source, kind, name[0] ? name : digits, grants->uid,
                                    grants->ranges[kind], err);
        if (n < 0 && n != -ENOENT)
            return n;
        grants->n[kind] = n > 0 ? (size_t)n : 0;
        (void)str_copy(grants->where[kind], sizeof grants->where[kind],
                       subid_source_where(source, kind));
    }
    grants->are_files = subid_source_is_files(source);
    return 0;
}

/* @param named  the source that nsswitch.conf names; false: the files, whatever it says */
static int from_system(struct grants *grants, bool named, struct err *err)
{
    struct subid_place place;
    struct subid_source source = {.place = &place};
    int r = subid_place_open(&place, NULL, err);
    if (r < 0)
        return r;
    if (named)
        r = subid_source_open(&source, &place, err);
    if (r >= 0)
        r = ask_source(grants, &source, err);
    subid_source_close(&source);
    subid_place_close(&place);
    return r;
}

static int from_program(struct grants *grants, const char *program, struct err *err)
{
    for (enum subid_kind kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        int n = getsubids_ask(program, kind, grants->name[0] ? grants->name : NULL, grants->uid,
                              grants->ranges[kind], err);
        if (n < 0)
            return n;
        grants->n[kind] = (size_t)n;
        if (str_format(grants->where[kind], sizeof grants->where[kind],
                       "the output of $GETSUBIDS (%s)", program) < 0)
            (void)str_copy(grants->where[kind], sizeof grants->where[kind], "$GETSUBIDS");
    }
    grants->are_files = false;
    return 0;
}

static bool are_complete(const struct grants *grants)
{
    return grants->n[SUBID_UID] > 0 && grants->n[SUBID_GID] > 0;
}

static void fall_back(struct grants *grants)
{
    struct grants files = {.uid = grants->uid};
    (void)str_copy(files.name, sizeof files.name, grants->name);
    if (from_system(&files, false, NULL) < 0 || !are_complete(&files))
        return; /* what was asked first is what the message names */
    cli_debug("--subid-source=auto: nothing in %s, going by the files", grants->where[SUBID_UID]);
    *grants = files;
}

static int ask_by_source(struct grants *grants, const char *source, struct err *err)
{
    const char *program = getenv("GETSUBIDS");
    bool is_auto = str_equal(source, "auto");
    if (str_equal(source, "static"))
        return from_system(grants, false, err);
    if (program && program[0]) {
        int r = from_program(grants, program, err);
        if (!is_auto || (r >= 0 && are_complete(grants)))
            return r;
        cli_warning("%s; going by nsswitch.conf instead",
                    r < 0 ? err->msg : "$GETSUBIDS shows no subordinate ids");
    }
    /* A plug-in that does not load stays an error: newuidmap would grant nothing without it. */
    int r = from_system(grants, true, err);
    if (r >= 0 && is_auto && !grants->are_files && !are_complete(grants))
        fall_back(grants);
    return r;
}

/* ---- whose ---- */

static void find_name(struct grants *grants)
{
    const struct passwd *pw = getpwuid(grants->uid);
    if (!pw || str_copy(grants->name, sizeof grants->name, pw->pw_name) < 0)
        grants->name[0] = '\0';
}

static int explain_none(const struct grants *grants, enum subid_kind kind, struct err *err)
{
    const char *where = grants->where[kind], *name = grants->name;
    if (!name[0])
        return err_set(err, ENOENT,
                       "uid %u has no passwd entry (getent passwd %u shows none), and %s has no "
                       "subordinate %s for the number; make the user known, then: sudo "
                       "rootless-setup subid add USER",
                       grants->uid, grants->uid, where, grants_kind_name(kind));
    if (grants->are_files)
        return err_set(err, ENOENT,
                       "no subordinate %s for user %s (uid %u) in %s; add some with: sudo "
                       "rootless-setup subid add %s",
                       grants_kind_name(kind), name, grants->uid, where, name);
    return err_set(err, ENOENT, "no subordinate %s for user %s (uid %u) in %s",
                   grants_kind_name(kind), name, grants->uid, where);
}

static int check(const struct grants *grants, enum subid_kind kind, struct err *err)
{
    if (grants->n[kind] == 0)
        return explain_none(grants, kind, err);
    /* The source gives no more than these: whether there are more is not known. */
    if (grants->n[kind] == SUBID_RANGES_MAX)
        return err_set(err, E2BIG,
                       "%s has %d or more ranges of subordinate %s for user %s, and the kernel "
                       "takes %d at most, the user's own id included; merge some",
                       grants->where[kind], SUBID_RANGES_MAX, grants_kind_name(kind), grants->name,
                       SUBID_RANGES_MAX);
    return 0;
}

int grants_find(struct grants *ret, const char *source, struct err *err)
{
    *ret = (struct grants){.uid = getuid()};
    find_name(ret);
    int r = ask_by_source(ret, source, err);
    if (r >= 0)
        r = check(ret, SUBID_UID, err);
    if (r >= 0)
        r = check(ret, SUBID_GID, err);
    return r;
}

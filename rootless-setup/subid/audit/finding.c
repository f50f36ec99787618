#include "rootless-setup/subid/audit/finding.h"

#include <stdarg.h>
#include <stdlib.h>

const char *const audit_level_names[AUDIT_LEVELS + 1] = {"error", "warning", "note", NULL};

/* clang-format off: a table */
const struct audit_rule audit_rules[AUDIT_RULES] = {
    [AUDIT_SOURCE_BAD] = {"source-bad", AUDIT_ERROR,
                          "nsswitch.conf names a source of subordinate ids that cannot be one",
                          "Not repaired: correct the line \"subid:\" of /etc/nsswitch.conf."},
    [AUDIT_FILE_LINK] =
        {"file-link", AUDIT_ERROR,
         "the file is a symbolic link, which newuidmap does not follow: nobody has ids",
         "Not repaired: put the file itself in its place."},
    [AUDIT_FILE_TYPE] = {"file-type", AUDIT_ERROR,
                         "there is something in the file's place that is no file: nobody has ids",
                         "Not repaired: remove it."},
    [AUDIT_FILE_OWNER] = {"file-owner", AUDIT_ERROR,
                          "the file belongs to somebody who can give himself anybody's ids",
                          "Repaired: given to the owner of the folder."},
    [AUDIT_FILE_WRITABLE] =
        {"file-writable", AUDIT_ERROR,
         "others than the file's owner may write it and give themselves anybody's ids",
         "Repaired: the permission is taken from group and others."},
    [AUDIT_NO_NEWLINE] =
        {"no-final-newline", AUDIT_ERROR,
         "the last line has no newline: shadow (from 4.20 on) refuses the whole file for everybody",
         "Repaired."},
    [AUDIT_READER_ALL] =
        {"reader-all", AUDIT_ERROR,
         "a program reads nothing of the file, for anybody, because of this line",
         "Not repaired where the line's meaning is unclear: correct it, or put a # before it."},
    [AUDIT_OVERLAP] =
        {"overlap", AUDIT_ERROR,
         "ids are given to two owners: each can read and change what the other's containers own",
         "Not repaired, since files may belong to the ids: take them from one of the two "
         "(rootless-setup subid del) and give him others (rootless-setup subid add)."},
    [AUDIT_HOLDS_USER] =
        {"holds-user", AUDIT_ERROR,
         "the range holds a user's own uid: its owner can read and change that user's files",
         "Not repaired, since files may belong to the ids: take that uid out of the range "
         "(rootless-setup subid del), or give the user another."},
    [AUDIT_HOLDS_GROUP] =
        {"holds-group", AUDIT_ERROR,
         "the range holds a group's own gid: its owner can read and change that group's files",
         "Not repaired, since files may belong to the ids: take that gid out of the range "
         "(rootless-setup subid del), or give the group another."},
    [AUDIT_HOLDS_OWN] =
        {"holds-own", AUDIT_ERROR,
         "the range holds its owner's own id: Podman, Buildah and RootlessKit map that id already "
         "and start nothing",
         "Not repaired, since files may belong to the ids: take that id out of the range "
         "(rootless-setup subid del)."},
    [AUDIT_HOME] = {"home", AUDIT_ERROR,
                    "a home belongs to an id in another user's range, who can read and change it",
                    "Not repaired: give the home to its user (chown), or take the range back."},
    [AUDIT_FILE_MISSING] = {"file-missing", AUDIT_WARNING,
                            "one of the two files does not exist: engines need uids and gids",
                            "Not repaired: rootless-setup subid add makes it."},
    [AUDIT_FILE_UNREADABLE] =
        {"file-unreadable", AUDIT_WARNING,
         "users may not read the file, which engines do as the user: only newuidmap can",
         "Not repaired, since somebody may have meant it: chmod a+r."},
    [AUDIT_LINE_IGNORED] =
        {"line-ignored", AUDIT_WARNING, "newuidmap skips the line: it gives nobody an id",
         "Repaired where only blanks or a carriage return are too many, the owner exists and the "
         "ids are free; else correct or remove the line."},
    [AUDIT_READER_OWNER] = {"reader-owner", AUDIT_WARNING,
                            "a program reads the line otherwise than newuidmap, so that its owner "
                            "starts nothing or gets other ids",
                            "Repaired where newuidmap takes the line: it is written plainly."},
    [AUDIT_OWN_OVERLAP] =
        {"own-overlap", AUDIT_WARNING,
         "an owner has ids twice: engines ask for both ranges, which the kernel refuses",
         "Repaired: the lines become one of the same ids, if the owner is written alike in both."},
    [AUDIT_OWNER_GONE] = {"owner-gone", AUDIT_WARNING,
                          "there is no such user: whoever gets the name or uid next inherits the "
                          "ids and the files they own",
                          "Repaired with --remove-gone only, since files may belong to the ids."},
    [AUDIT_OWNER_DIGITS] =
        {"owner-digits", AUDIT_WARNING,
         "a login name of digits alone: some programs take it for a uid, so that it is two users'",
         "Not repaired: give the user another name."},
    [AUDIT_RESERVED] = {"reserved", AUDIT_WARNING,
                        "the range holds ids that the system hands out by itself",
                        "Not repaired, since files may belong to the ids: take them back "
                        "(rootless-setup subid del)."},
    [AUDIT_TOO_FEW] =
        {"too-few", AUDIT_WARNING,
         "the owner has fewer than 65536 ids: images with a user nobody (65534) cannot be unpacked",
         "Not repaired: rootless-setup subid add USER gives him enough."},
    [AUDIT_ONE_FILE] = {"one-file", AUDIT_WARNING,
                        "the owner has a range in one file only: engines need uids and gids",
                        "Repaired where the very same ids are free in the other file; else "
                        "rootless-setup subid add USER."},
    [AUDIT_TOO_MANY] = {"too-many", AUDIT_WARNING,
                        "the owner has more ranges than an id map has lines (340, one of them his "
                        "own id's): engines start nothing",
                        "Not repaired: take some back (rootless-setup subid del)."},
    [AUDIT_WINDOW_BAD] =
        {"window-bad", AUDIT_WARNING, "login.defs leaves no room to hand out ranges",
         "Not repaired: correct SUB_UID_MIN, SUB_UID_MAX, SUB_UID_COUNT and the gid three."},
    [AUDIT_WINDOW_FULL] =
        {"window-full", AUDIT_WARNING, "few blocks are left for new users",
         "Not repaired: raise SUB_UID_MAX and SUB_GID_MAX in login.defs, or take ranges back."},
    [AUDIT_INTERRUPTED] =
        {"interrupted", AUDIT_WARNING,
         "a change of the two files was cut short: one of them may be the old one",
         "Repaired: the change is completed or dropped, as by the next that writes the files."},
    [AUDIT_STALE_LOCK] = {"stale-lock", AUDIT_WARNING,
                          "a lock was left behind by a process that is gone",
                          "Repaired, unless it names no process: then remove it when no useradd or "
                          "usermod is running."},
    [AUDIT_LEFTOVER] =
        {"leftover", AUDIT_WARNING,
         "a file was left behind by a program that was killed while it changed the files",
         "Repaired: removed."},
    [AUDIT_SOURCE_PLUGIN] = {"source-plugin", AUDIT_NOTE,
                             "newuidmap asks a plug-in: the two files are not consulted, and what "
                             "follows has no effect",
                             "Nothing to repair."},
    [AUDIT_OWNER_UNKNOWN] = {"owner-unknown", AUDIT_NOTE,
                             "whether there is such a user could not be found out",
                             "Nothing to repair: try again when the directory service answers."},
    [AUDIT_OWNER_DISABLED] =
        {"owner-disabled", AUDIT_NOTE,
         "a line that Apptainer has switched off; newuidmap skips it, for no user is called so",
         "Nothing to repair."},
    [AUDIT_OWNER_TWICE] =
        {"owner-twice", AUDIT_NOTE,
         "the owner has lines by name and lines by number; not every program puts them together",
         "Not repaired."},
    [AUDIT_LINE_SPELLING] = {"line-spelling", AUDIT_NOTE,
                             "newuidmap takes the line, but it is not plainly decimal",
                             "Repaired."},
    [AUDIT_UNLIKE] = {"unlike", AUDIT_NOTE, "the owner's uids and gids are not the same numbers",
                      "Not repaired, since files may belong to the ids."},
    [AUDIT_OUTSIDE_WINDOW] =
        {"outside-window", AUDIT_NOTE,
         "the range is not from the window of login.defs: useradd would not have given it",
         "Nothing to repair."},
    [AUDIT_MANY_RANGES] =
        {"many-ranges", AUDIT_NOTE,
         "the owner has more than 6 ranges: crun hands newuidmap no more than 6 lines of a map",
         "Not repaired."},
    [AUDIT_READER_FIRST] = {"reader-first", AUDIT_NOTE,
                            "some programs use the first line of an owner only", "Not repaired."},
    [AUDIT_READER_NUMBER] = {"reader-number", AUDIT_NOTE,
                             "some programs find no owner who is written as a number",
                             "Not repaired."},
    [AUDIT_HOMES_UNREAD] = {"homes-unread", AUDIT_NOTE, "not every home could be looked at",
                            "Nothing to repair."},
};
/* clang-format on */

void audit_find(struct audit_findings *findings, struct audit_finding finding, const char *fmt, ...)
{
    if (findings->n == findings->room) {
        size_t room = findings->room ? findings->room * 2 : 64;
        struct audit_finding *grown = reallocarray(findings->items, room, sizeof *grown);
        if (!grown) {
            findings->no_memory = true;
            free(finding.name);
            return;
        }
        findings->items = grown;
        findings->room = room;
    }
    va_list args;
    va_start(args, fmt);
    if (vasprintf(&finding.message, fmt, args) < 0) {
        finding.message = NULL;
        findings->no_memory = true;
    }
    va_end(args);
    findings->items[findings->n++] = finding;
}

static int compare(const void *pa, const void *pb)
{
    const struct audit_finding *a = pa, *b = pb;
    if (a->rule != b->rule)
        return a->rule > b->rule ? 1 : -1;
    if (a->kind != b->kind)
        return a->kind > b->kind ? 1 : -1;
    if (a->line != b->line)
        return a->line > b->line ? 1 : -1;
    return (a->start > b->start) - (a->start < b->start);
}

/* The table is in the order of levels (a unit test holds that), so rules are enough. */
void audit_findings_sort(struct audit_findings *findings)
{
    if (findings->n > 0)
        qsort(findings->items, findings->n, sizeof *findings->items, compare);
}

size_t audit_findings_count(const struct audit_findings *findings, enum audit_level level)
{
    size_t n = 0;
    for (size_t i = 0; i < findings->n; i++)
        n += audit_rules[findings->items[i].rule].level == level;
    return n;
}

void audit_findings_free(struct audit_findings *findings)
{
    for (size_t i = 0; i < findings->n; i++) {
        free(findings->items[i].name);
        free(findings->items[i].message);
    }
    free(findings->items);
    *findings = (struct audit_findings){0};
}

#include "rootless-setup/subid/audit/readers.h"

#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/str.h"
#include "rootless-setup/subid/audit/families.h"
#include "rootless-setup/subid/audit/shape.h"

/* Go's bufio.Scanner gives up at a line of 64 KiB. */
#define SCANNER_MAX 65536

/*
 * Taken from the sources: containers/storage pkg/idtools, where it is built without libsubid;
 * rootlesskit pkg/parent/idtools; crun src/libcrun/utils.c; util-linux sys-utils/unshare.c;
 * moby/sys user/user.go; apptainer internal/pkg/fakeroot.
 */
const struct audit_reader audit_readers[] = {
    {.name = "Podman and Buildah (built without libsubid)",
     .trims = true,
     .needs_three = true,
     .line_max = SCANNER_MAX,
     .number = AUDIT_NUMBER_WHOLE},
    {.name = "RootlessKit",
     .trims = true,
     .needs_three = true,
     .line_max = SCANNER_MAX,
     .number = AUDIT_NUMBER_WHOLE},
    {.name = "crun", .number = AUDIT_NUMBER_PREFIX, .first_only = true, .names_only = true},
    {.name = "unshare --map-auto", .number = AUDIT_NUMBER_BLANKS, .first_only = true},
    {.name = "Docker's userns-remap",
     .trims = true,
     .line_max = SCANNER_MAX,
     .number = AUDIT_NUMBER_ZERO},
    {.name = "Apptainer",
     .needs_owner = true,
     .line_max = SCANNER_MAX,
     .number = AUDIT_NUMBER_SKIP,
     .first_only = true},
};
#define READERS (sizeof audit_readers / sizeof audit_readers[0])
const size_t audit_readers_count = READERS;

/* ---- one line ---- */

enum reading { NONE, TAKEN, BROKEN };

/* @return TAKEN with *ret, NONE for a line that is skipped, BROKEN for an error */
static enum reading read_number(enum audit_number how, struct audit_field field, uint64_t *ret)
{
    struct cursor c = {.p = field.p, .end = field.p + field.len};
    bool negative = false, bad = false;
    if (how == AUDIT_NUMBER_BLANKS || how == AUDIT_NUMBER_PREFIX)
        while (c.p < c.end && (*c.p == ' ' || (*c.p >= '\t' && *c.p <= '\r')))
            c.p++;
    if (how != AUDIT_NUMBER_SKIP && !cursor_char(&c, '+'))
        negative = cursor_char(&c, '-');
    bad = !cursor_u64(&c, 10, INT64_MAX, ret) || negative;
    if (how != AUDIT_NUMBER_PREFIX)
        bad = bad || !cursor_done(&c);
    if (!bad)
        return TAKEN;
    *ret = 0;
    if (how == AUDIT_NUMBER_SKIP)
        return NONE;
    return how == AUDIT_NUMBER_WHOLE || how == AUDIT_NUMBER_BLANKS ? BROKEN : TAKEN;
}

/* What is behind the last field that a reader looks at: some take all of it for the number. */
static struct audit_field count_field(const struct audit_reader *reader,
                                      const struct audit_field fields[3], const char *end)
{
    struct audit_field count = fields[2];
    if (reader->number == AUDIT_NUMBER_BLANKS)
        count.len = (size_t)(end - count.p);
    return count;
}

/* crun goes on one byte behind where the first number ended. */
static bool stops_early(const struct audit_reader *reader, struct audit_field start)
{
    if (reader->number != AUDIT_NUMBER_PREFIX || start.len == 0)
        return false;
    char last = start.p[start.len - 1];
    uint64_t value = 0;
    return last < '0' || last > '9' || read_number(AUDIT_NUMBER_BLANKS, start, &value) == BROKEN;
}

static enum audit_effect compare(const struct audit_reader *reader,
                                 const struct audit_field fields[3], const char *end,
                                 const struct subid_line *line)
{
    uint64_t start = 0, count = 0;
    enum reading first = read_number(reader->number, fields[1], &start);
    enum reading second = read_number(reader->number, count_field(reader, fields, end), &count);
    if (first == BROKEN || second == BROKEN)
        return AUDIT_FAILS_OWNER;
    if (first == NONE || second == NONE || count == 0)
        return line ? AUDIT_SKIPS : AUDIT_SAME;
    bool same = line && fields[0].len == line->owner_len && !stops_early(reader, fields[1]) &&
                start == line->start && count == line->count;
    return same ? AUDIT_SAME : AUDIT_DIFFERS;
}

static enum audit_effect judge_fields(const struct audit_reader *reader, struct audit_field text,
                                      const struct subid_line *line)
{
    struct audit_field fields[3] = {{"", 0}, {"", 0}, {"", 0}};
    size_t n = audit_fields(text.p, text.len, fields, 3);
    if (reader->needs_three && n != 3)
        return AUDIT_FAILS_ALL;
    if (n < 3) /* no program finds a range in it */
        return AUDIT_SAME;
    if (fields[0].len == 0)
        return reader->needs_owner ? AUDIT_FAILS_ALL : AUDIT_SAME;
    if (strchr("+-#!", fields[0].p[0]) || memchr(fields[0].p, '\0', fields[0].len))
        return AUDIT_SAME; /* nobody is called so */
    return compare(reader, fields, text.p + text.len, line);
}

enum audit_effect audit_reader_judge(const struct audit_reader *reader, const char *text,
                                     size_t len, const struct subid_line *line)
{
    if (reader->line_max > 0 && len >= reader->line_max)
        return AUDIT_FAILS_ALL;
    struct audit_field field =
        reader->trims ? audit_trim(text, len) : (struct audit_field){text, len};
    if (reader->needs_three && audit_line_is_empty(text, len))
        return AUDIT_SAME;
    return judge_fields(reader, field, line);
}

/* ---- the findings ---- */

static const char *const effect_words[] = {
    [AUDIT_SKIPS] = "skip the line",
    [AUDIT_DIFFERS] = "take other ids than newuidmap",
    [AUDIT_FAILS_OWNER] = "stop with an error for the owner",
    [AUDIT_FAILS_ALL] = "stop for everybody",
};

#define MESSAGE_MAX 512

static size_t append(char *buf, size_t used, const char *before, const char *text)
{
    int n = str_format(buf + used, MESSAGE_MAX - used, "%s%s", before, text);
    return n > 0 ? used + (size_t)n : used;
}

/* "stop for everybody: A, B; skip the line: C", the worst first. */
static const char *describe(const enum audit_effect *effects, char buf[MESSAGE_MAX])
{
    size_t used = 0;
    buf[0] = '\0';
    for (int effect = AUDIT_FAILS_ALL; effect > AUDIT_SAME; effect--) {
        bool named = false;
        for (size_t k = 0; k < audit_readers_count; k++) {
            if ((int)effects[k] != effect)
                continue;
            if (!named) {
                used = append(buf, used, used ? "; " : "", effect_words[effect]);
                used = append(buf, used, ": ", audit_readers[k].name);
            } else {
                used = append(buf, used, ", ", audit_readers[k].name);
            }
            named = true;
        }
    }
    return buf;
}

static void look_at(const struct subid_db *db, size_t i, struct audit_findings *findings)
{
    const struct subid_entry *entry = &db->entries[i];
    const struct subid_line *line = entry->is_range ? &entry->line : NULL;
    enum audit_effect effects[READERS], worst = AUDIT_SAME;
    char message[MESSAGE_MAX];
    if (line && audit_line_is_plain(entry->text, entry->len, line))
        return;
    for (size_t k = 0; k < READERS; k++) {
        effects[k] = audit_reader_judge(&audit_readers[k], entry->text, entry->len, line);
        worst = effects[k] > worst ? effects[k] : worst;
    }
    struct audit_finding finding =
        audit_at_entry(db, worst == AUDIT_FAILS_ALL ? AUDIT_READER_ALL : AUDIT_READER_OWNER, i);
    if (worst > AUDIT_SAME)
        audit_find(findings, finding, "%s", describe(effects, message));
}

/* The names of the readers with a flag, joined. */
static const char *list_readers(char *buf, size_t size, bool first_only)
{
    size_t used = 0;
    buf[0] = '\0';
    for (size_t k = 0; k < audit_readers_count; k++) {
        const struct audit_reader *reader = &audit_readers[k];
        if (first_only ? !reader->first_only : !reader->names_only)
            continue;
        int n = str_format(buf + used, size - used, "%s%s", used ? ", " : "", reader->name);
        used += n > 0 ? (size_t)n : 0;
    }
    return buf;
}

/* Owners with several lines, one finding each, at the first. */
static void look_for_several(const struct audit_view *view, struct audit_findings *findings)
{
    char who[256];
    (void)list_readers(who, sizeof who, true);
    for (size_t i = 0, end = 0; i < view->n_ranges; i = end) {
        const struct audit_range *first = &view->ranges[i], *top = first;
        for (end = i; end < view->n_ranges && view->ranges[end].user == first->user &&
                      view->ranges[end].kind == first->kind;
             end++)
            if (view->ranges[end].entry < top->entry)
                top = &view->ranges[end];
        if (end - i > 1)
            audit_find(findings, audit_at_range(view, AUDIT_READER_FIRST, top),
                       "one of %zu ranges is used by %s", end - i, who);
    }
}

/* A site that writes all owners as numbers needs to be told once. */
static void look_for_numbers(const struct audit_view *view, struct audit_findings *findings)
{
    char who[256];
    size_t n[2] = {0, 0};
    const struct audit_range *top[2] = {NULL, NULL};
    (void)list_readers(who, sizeof who, false);
    for (size_t i = 0; i < view->n_ranges; i++) {
        const struct audit_range *range = &view->ranges[i];
        if (!view->owners[range->owner].by_number)
            continue;
        n[range->kind]++;
        if (!top[range->kind] || range->entry < top[range->kind]->entry)
            top[range->kind] = range;
    }
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        if (top[kind])
            audit_find(findings, audit_at_range(view, AUDIT_READER_NUMBER, top[kind]),
                       "so does %s; lines of this kind: %zu", who, n[kind]);
}

void audit_find_readers(const struct audit_view *view, struct audit_findings *findings)
{
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        for (size_t i = 0; i < view->db[kind]->n_entries; i++)
            look_at(view->db[kind], i, findings);
    look_for_several(view, findings);
    look_for_numbers(view, findings);
}

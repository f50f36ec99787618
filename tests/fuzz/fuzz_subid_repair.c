/*
 * Two sub-id files of any content: the audit takes them, repair gives nobody an id that it does not
 * say it gave, takes none, makes no overlap, and has nothing to do the second time. The first byte
 * says whether lines of users who are gone go; the files are parted by the first byte 0x1e.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/subid/space.h"
#include "rootless-setup/subid/audit/audit.h"
#include "rootless-setup/subid/audit/mend.h"

/* ---- who there is ---- */

static char names[][8] = {"1234", "alice", "bob", "carol", "root", "users"};
static struct subid_account users[] = {
    {names[0], 1503, 100}, {names[1], 1500, 100}, {names[2], 1501, 100},
    {names[3], 1502, 100}, {names[4], 0, 0},
};
static struct subid_account groups[] = {{names[4], 0, 0}, {names[5], 100, 100}};

/* One is not listed, of one nobody can say. */
static int lookup(const char *name, uid_t uid, char **ret_name, uid_t *ret_uid)
{
    if (name && strcmp(name, "down") == 0)
        return -EIO;
    if (name ? strcmp(name, "asked") != 0 : uid != 1600)
        return -ENOENT;
    *ret_name = strdup("asked");
    *ret_uid = 1600;
    return *ret_name ? 0 : -ENOMEM;
}

static const struct {
    const char *name;
    uid_t uid;
} watched[] = {{"alice", 1500}, {"bob", 1501},   {"carol", 1502},     {"1234", 1503},
               {"root", 0},     {"asked", 1600}, {"down", (uid_t)-1}, {"ghost", 1800}};
#define WATCHED (sizeof watched / sizeof watched[0])

/* ---- what they have ---- */

static void add_range(struct subid_entry *entry, void *arg)
{
    struct subid_interval interval = {.start = entry->line.start,
                                      .end = (uint64_t)entry->line.start + entry->line.count};
    require(subid_space_take(arg, interval, NULL) == 0);
}

static struct subid_space ids_of(const struct subid_db *db, size_t user)
{
    struct subid_space space = {0};
    (void)subid_db_visit(db, watched[user].name, watched[user].uid, add_range, &space);
    subid_space_sort(&space);
    return space;
}

static uint64_t count_ids(const struct subid_space *space)
{
    uint64_t n = 0, at = 0;
    for (size_t i = 0; i < space->n; i++) {
        uint64_t from = space->items[i].start > at ? space->items[i].start : at;
        n += space->items[i].end > from ? space->items[i].end - from : 0;
        at = space->items[i].end > at ? space->items[i].end : at;
    }
    return n;
}

static bool is_users(const struct audit_finding *finding, size_t user)
{
    uid_t uid = 0;
    size_t len = strlen(watched[user].name);
    return (finding->owner_len == len && memcmp(finding->owner, watched[user].name, len) == 0) ||
           (subid_owner_uid(finding->owner, finding->owner_len, &uid) && uid == watched[user].uid);
}

/* Ids that the list says a user was given. */
static uint64_t count_given(const struct audit_findings *mended, enum subid_kind kind, size_t user)
{
    uint64_t n = 0;
    for (size_t i = 0; i < mended->n; i++) {
        const struct audit_finding *finding = &mended->items[i];
        bool here = (finding->rule == AUDIT_LINE_IGNORED && finding->kind == kind) ||
                    (finding->rule == AUDIT_ONE_FILE && finding->kind != kind);
        if (here && is_users(finding, user))
            n += finding->end - finding->start;
    }
    return n;
}

static void check_holdings(const struct subid_db *before, const struct subid_db *after,
                           const struct audit_findings *mended, bool remove_gone)
{
    for (size_t user = 0; user < WATCHED; user++) {
        if (remove_gone && strcmp(watched[user].name, "ghost") == 0)
            continue;
        struct subid_space had = ids_of(before, user), has = ids_of(after, user), both = {0};
        require(subid_space_take_all(&both, &had, NULL) == 0);
        require(subid_space_take_all(&both, &has, NULL) == 0);
        subid_space_sort(&both);
        require(count_ids(&both) == count_ids(&has)); /* nothing is taken */
        require(count_ids(&has) - count_ids(&had) == count_given(mended, before->kind, user));
        subid_space_free(&had);
        subid_space_free(&has);
        subid_space_free(&both);
    }
}

/* ---- one run ---- */

struct run {
    struct subid_db db[2];
    struct audit_view view;
    struct audit_findings mended;
    size_t overlaps;
};

static size_t count_overlaps(struct audit_ground *ground, const struct audit_view *view)
{
    struct audit_result result = {0};
    require(audit_look(ground, view, &result, NULL) == 0);
    size_t n = 0;
    for (size_t i = 0; i < result.findings.n; i++)
        n += result.findings.items[i].rule == AUDIT_OVERLAP;
    audit_findings_free(&result.findings);
    return n;
}

static void begin_run(struct run *run, struct audit_ground *ground, const char *text[2],
                      const size_t len[2])
{
    *run = (struct run){0};
    ground->people.failures = 0; /* as another process would begin */
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        require(subid_db_parse(&run->db[kind], (enum subid_kind)kind, text[kind], len[kind],
                               NULL) == 0);
    require(audit_view_make(&run->view, run->db, &ground->people, NULL, NULL) == 0);
    run->overlaps = count_overlaps(ground, &run->view);
}

static void end_run(struct run *run)
{
    audit_findings_free(&run->mended);
    audit_view_free(&run->view);
    subid_db_free(&run->db[SUBID_UID]);
    subid_db_free(&run->db[SUBID_GID]);
}

static void check_files(struct audit_ground *ground, const char *text[2], const size_t len[2],
                        bool remove_gone)
{
    struct run first, second;
    struct subid_db before[2];
    cleanup_free char *uids = NULL, *gids = NULL;
    size_t new_len[2] = {0, 0};
    begin_run(&first, ground, text, len);
    require(audit_mend(first.db, &first.view, &ground->people, remove_gone, &first.mended, NULL) ==
            0);
    require(subid_db_render(&first.db[SUBID_UID], &uids, &new_len[SUBID_UID], NULL) == 0);
    require(subid_db_render(&first.db[SUBID_GID], &gids, &new_len[SUBID_GID], NULL) == 0);
    const char *new_text[2] = {uids, gids};
    begin_run(&second, ground, new_text, new_len);
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        require(subid_db_parse(&before[kind], (enum subid_kind)kind, text[kind], len[kind], NULL) ==
                0);
        check_holdings(&before[kind], &second.db[kind], &first.mended, remove_gone);
        subid_db_free(&before[kind]);
    }
    require(second.overlaps <= first.overlaps);
    require(audit_mend(second.db, &second.view, &ground->people, remove_gone, &second.mended,
                       NULL) == 0);
    require(second.mended.n == 0);
    require(!second.db[SUBID_UID].changed && !second.db[SUBID_GID].changed);
    end_run(&first);
    end_run(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct subid_place place = {.live = true};
    static struct audit_home home = {"bob", "/home/bob", 1501, 100000, 100, 100};
    if (size < 1)
        return 0;
    const char *text = (const char *)data + 1;
    size_t len = size - 1;
    const char *part = memchr(text, 0x1e, len);
    const char *texts[2] = {text, part ? part + 1 : text + len};
    size_t lens[2] = {part ? (size_t)(part - text) : len,
                      part ? len - (size_t)(part - text) - 1 : 0};
    struct audit_ground ground = {
        .place = &place,
        .accounts = {.place = &place,
                     .users = {users, sizeof users / sizeof users[0], 0},
                     .groups = {groups, sizeof groups / sizeof groups[0], 0}},
        .limits = {{100000, 600100000, 65536}, {100000, 600100000, 65536}},
        .homes = {&home, 1, 1, true},
    };
    require(audit_people_begin(&ground.people, &ground.accounts, lookup, NULL) == 0);
    check_files(&ground, texts, lens, data[0] & 1);
    audit_people_end(&ground.people);
    return 0;
}

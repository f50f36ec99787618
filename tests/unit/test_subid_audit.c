/* Every family of findings on small files, the rules of the other readers, and repair. */
#include "tests/unit/tap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "rootless-setup/subid/audit/audit.h"
#include "rootless-setup/subid/audit/mend.h"
#include "rootless-setup/subid/audit/readers.h"
#include "rootless-setup/subid/audit/shape.h"

#define N(array) (sizeof(array) / sizeof(array)[0])
#define WHOLE ":100000:65536\n"

/* ---- a small world ---- */

static char names[][8] = {"1234", "alice", "bob", "carol", "root", "users", "wheel"};
static struct subid_account users[] = {
    {names[0], 1503, 100}, {names[1], 1500, 1500}, {names[2], 1501, 100},
    {names[3], 1502, 100}, {names[4], 0, 0},
};
static struct subid_account groups[] = {
    {names[4], 0, 0}, {names[5], 100, 100}, {names[1], 1500, 1500}, {names[6], 2000, 2000}};
static unsigned lookups;

static int lookup(const char *name, uid_t uid, char **ret_name, uid_t *ret_uid)
{
    lookups++;
    if (name && strncmp(name, "down", 4) == 0)
        return -EIO;
    if (name ? strcmp(name, "asked") != 0 : uid != 1600)
        return -ENOENT;
    *ret_name = strdup("asked");
    *ret_uid = 1600;
    return 0;
}

static const struct subid_place place = {.live = true};
static struct audit_home homes[] = {{"bob", "/home/bob", 1501, 100005, 100, 100},
                                    {"carol", "/home/carol", 1502, 1502, 100, 300000}};

struct world {
    struct subid_db db[2];
    struct audit_ground ground;
    struct audit_view view;
    struct audit_result result;
};

static void world_make(struct world *world, const char *uids, const char *gids)
{
    *world = (struct world){
        .ground = {.place = &place,
                   .accounts = {.users = {users, N(users), 0}, .groups = {groups, N(groups), 0}},
                   .limits = {{100000, 600100000, 65536}, {100000, 600100000, 65536}},
                   .homes = {homes, N(homes), N(homes), true}}};
    struct audit_ground *ground = &world->ground;
    ck_assert_int_eq(audit_people_begin(&ground->people, &ground->accounts, lookup, NULL), 0);
    ck_assert_int_eq(subid_db_parse(&world->db[0], SUBID_UID, uids, strlen(uids), NULL), 0);
    ck_assert_int_eq(subid_db_parse(&world->db[1], SUBID_GID, gids, strlen(gids), NULL), 0);
    ck_assert_int_eq(audit_view_make(&world->view, world->db, &ground->people, NULL, NULL), 0);
}

static void world_free(struct world *world)
{
    audit_findings_free(&world->result.findings);
    audit_view_free(&world->view);
    audit_people_end(&world->ground.people);
    subid_db_free(&world->db[0]);
    subid_db_free(&world->db[1]);
}

/* "overlap:u2 too-few:g1" */
static void list(const struct audit_findings *findings, char *buf, size_t size)
{
    size_t used = 0;
    buf[0] = '\0';
    for (size_t i = 0; i < findings->n; i++) {
        const struct audit_finding *finding = &findings->items[i];
        int n = str_format(buf + used, size - used, "%s%s", i > 0 ? " " : "",
                           audit_rules[finding->rule].name);
        used += (size_t)n;
        if (finding->line > 0)
            n = str_format(buf + used, size - used, ":%c%zu",
                           finding->kind == SUBID_UID ? 'u' : 'g', finding->line);
        used += finding->line > 0 ? (size_t)n : 0;
    }
}

/* ---- findings ---- */

static const struct {
    const char *what, *uids, *gids, *found;
} audits[] = {
    {"nothing", "# c\n\nalice" WHOLE, "alice" WHOLE, ""},
    {"no newline at the end", "alice" WHOLE, "alice:100000:65536", "no-final-newline:g1"},
    {"two owners", "alice" WHOLE "bob:165535:65536\n", "alice" WHOLE "bob:165536:65536\n",
     "overlap:u1 overlap:u2 unlike:u2"},
    {"end to end is no overlap", "alice" WHOLE "bob:165536:65536\n",
     "alice" WHOLE "bob:165536:65536\n", ""},
    {"one within another and one beside", "bob:200000:1\nalice" WHOLE "carol:120000:65536\n", "",
     "overlap:u2 overlap:u3 too-few:u1 one-file:u1 one-file:u2 one-file:u3"},
    {"the same ids in the two files are no overlap", "alice" WHOLE, "bob" WHOLE,
     "one-file:u1 one-file:g1"},
    {"own twice", "alice" WHOLE "alice" WHOLE, "alice" WHOLE, "own-overlap:u2 reader-first:u1"},
    {"own by name and number", "alice" WHOLE "1500:200000:9\n", "alice" WHOLE,
     "owner-twice:u2 unlike:u1 reader-first:u1 reader-number:u2"},
    {"own by name and number, the same", "alice" WHOLE "1500" WHOLE, "alice" WHOLE,
     "own-overlap:u2 owner-twice:u2 reader-first:u1 reader-number:u2"},
    {"a user's id", "carol:1501:65536\n", "carol:3001:65536\n",
     "holds-user:u1 holds-own:u1 reserved:u1 reserved:u1 reserved:u1 reserved:u1 reserved:g1 "
     "reserved:g1 reserved:g1 reserved:g1 unlike:u1 outside-window:u1 outside-window:g1"},
    {"a group's id", "carol" WHOLE, "carol:2000:50000\n",
     "holds-group:g1 too-few:g1 unlike:u1 outside-window:g1"},
    {"only the own", "alice:1500:1\n", "alice:1500:1\n",
     "holds-own:u1 holds-own:g1 too-few:u1 too-few:g1 outside-window:u1 outside-window:g1"},
    {"gone", "ghost" WHOLE "1999:200000:65536\n", "ghost" WHOLE,
     "owner-gone:u1 owner-gone:u2 owner-gone:g1 reader-number:u2"},
    {"nobody could say", "down" WHOLE, "down" WHOLE, "owner-unknown:u1 owner-unknown:g1"},
    {"not listed", "asked" WHOLE "1600:200000:9\n", "asked" WHOLE,
     "owner-twice:u2 unlike:u1 reader-first:u1 reader-number:u2"},
    {"switched off", "!alice" WHOLE, "", "owner-disabled:u1"},
    {"a name of digits", "1234" WHOLE, "", "owner-digits:u1 reader-number:u1"},
    {"too few, though several", "alice:100000:30000\nalice:150000:35535\n", "alice" WHOLE,
     "too-few:u1 unlike:u1 reader-first:u1"},
    {"systemd's", "bob:2147400000:65536\n", "bob" WHOLE, "reserved:u1 unlike:u1 outside-window:u1"},
    {"spelling", "alice:0303240:0x10000\nbob: 200000:65536\n", "alice" WHOLE "bob:200000:65536\n",
     "reader-owner:u1 reader-owner:u2 line-spelling:u1 line-spelling:u2"},
    {"a carriage return", "alice:100000:65536\r\n", "", "line-ignored:u1 reader-owner:u1"},
    {"two fields", "alice:1\n", "", "reader-all:u1 line-ignored:u1"},
    {"no owner", ":1:1\n", "", "reader-all:u1 line-ignored:u1"},
    {"a comment, blanks", " # x\n  \n#alice:1\n", "", ""},
};

START_TEST(finds)
{
    struct world world;
    char found[2048];
    struct audit_home *saved = homes;
    world_make(&world, audits[_i].uids, audits[_i].gids);
    world.ground.homes = (struct audit_homes){saved, 0, 0, true};
    ck_assert_int_eq(audit_look(&world.ground, &world.view, &world.result, NULL), 0);
    list(&world.result.findings, found, sizeof found);
    ck_assert_msg(strcmp(found, audits[_i].found) == 0, "%s: got \"%s\", want \"%s\"",
                  audits[_i].what, found, audits[_i].found);
    world_free(&world);
}
END_TEST

START_TEST(finds_homes_of_others)
{
    struct world world;
    char found[2048];
    world_make(&world, "alice" WHOLE, "carol:300000:65536\nalice" WHOLE);
    audit_find_homes(&world.view, &world.ground.homes, &world.result.findings);
    list(&world.result.findings, found, sizeof found);
    ck_assert_str_eq(found, "home:u1"); /* carol's own group range is hers */
    world_free(&world);
}
END_TEST

/* More ranges than a map has lines; few blocks left; a window that cannot be. */
START_TEST(finds_amounts)
{
    char text[16384], found[2048];
    size_t used = 0;
    struct world world;
    for (unsigned i = 0; i < 340; i++)
        used += (size_t)str_format(text + used, sizeof text - used, "alice:%u:10000\n",
                                   100000 + i * 20000);
    world_make(&world, text, text);
    world.ground.homes.n = 0;
    world.ground.limits[SUBID_UID] = (struct subid_limits){100000, 7000000, 65536};
    world.ground.limits[SUBID_GID] = (struct subid_limits){9000, 8000, 1};
    ck_assert_int_eq(audit_look(&world.ground, &world.view, &world.result, NULL), 0);
    list(&world.result.findings, found, sizeof found);
    ck_assert_ptr_nonnull(strstr(found, "too-many:u1 too-many:g1 window-bad window-full"));
    world_free(&world);
}
END_TEST

START_TEST(asks_a_silent_source_three_times)
{
    char text[4096];
    size_t used = 0;
    struct world world;
    for (unsigned i = 0; i < 50; i++)
        used += (size_t)str_format(text + used, sizeof text - used, "down%u:%u:1\n", i, i);
    lookups = 0;
    world_make(&world, text, text);
    ck_assert_uint_eq(lookups, 3);
    for (size_t i = 0; i < world.view.n_owners; i++)
        ck_assert_int_eq(world.view.owners[i].state, AUDIT_OWNER_ASK);
    world_free(&world);
}
END_TEST

START_TEST(rules_are_in_order)
{
    for (size_t i = 0; i < AUDIT_RULES; i++) {
        ck_assert_ptr_nonnull(audit_rules[i].name);
        ck_assert(i == 0 || audit_rules[i].level >= audit_rules[i - 1].level);
    }
}
END_TEST

/* ---- the other readers ---- */

/* By the order of the table: Podman, RootlessKit, crun, unshare, Docker, Apptainer; "=" the same,
 * "s" skips, "d" differs, "o" fails for the owner, "A" for all. */
static const struct {
    const char *line, *effects;
} readings[] = {
    {"alice:100000:65536", "======"},
    {"alice: 100000:65536", "oo==ds"}, /* Docker: from 0 */
    {"alice:+100000:65536", "=====s"},
    {"alice:0x186a0:65536", "oodods"},
    {"alice:0303240:65536", "dddddd"},
    {"alice:100000:65536\r", "dddod="},
    {"alice:100000:65536 ", "dddod="},
    {" alice:100000:65536", "dd==d="},
    {"alice:100000:65536:x", "AAdodd"},
    {"alice", "AA===="},
    {":1:1", "=====A"},
    {"#alice", "======"},
    {" # alice", "======"},
    {"+:1:1", "======"},
    {"!alice:1:1", "======"},
    {"alice:1:0", "======"},
    {"alice:-5:10", "oodod="},
};

START_TEST(readers_read)
{
    static const char letters[] = "=sdoA";
    struct subid_line line;
    const char *text = readings[_i].line;
    bool taken = subid_line_parse(text, strlen(text), &line);
    char got[16] = "";
    for (size_t k = 0; k < audit_readers_count; k++)
        got[k] = letters[audit_reader_judge(&audit_readers[k], text, strlen(text),
                                            taken ? &line : NULL)];
    ck_assert_msg(strcmp(got, readings[_i].effects) == 0, "\"%s\": got %s, want %s", text, got,
                  readings[_i].effects);
}
END_TEST

/* ---- shape ---- */

static const struct {
    const char *line, *fault, *trimmed;
} shapes[] = {
    {"alice:1:1\r", "carriage return", "alice:1:1"},
    {" alice :1 : 1 ", "blank", "alice:1:1"},
    {"alice:0x1:1 ", "blank", NULL},
    {"alice:01:1 ", "blank", NULL},
    {"alice:1", "three fields", NULL},
    {"alice:1:1:", "three fields", NULL},
    {"alice::1", "missing", NULL},
    {":1:1", "owner", NULL},
    {"alice:1:0", "0", NULL},
    {"alice:-1:1", "negative", NULL},
    {"alice:1x:1", "none", NULL},
    {"alice:4294967296:1", "above", NULL},
    {"alice:4294967294:2", "4294967295", NULL},
    {"+alice:1:1", "NIS", NULL},
};

START_TEST(faults_are_named)
{
    const char *text = shapes[_i].line, *fault = audit_line_fault(text, strlen(text));
    char got[64];
    struct subid_line line;
    ck_assert_msg(strstr(fault, shapes[_i].fault), "%s: %s", text, fault);
    ck_assert_int_eq(audit_line_trimmed(text, strlen(text), &line), shapes[_i].trimmed != NULL);
    if (!shapes[_i].trimmed)
        return;
    (void)str_format(got, sizeof got, "%.*s:%u:%u", (int)line.owner_len, line.owner, line.start,
                     line.count);
    ck_assert_str_eq(got, shapes[_i].trimmed);
}
END_TEST

/* ---- repair ---- */

static const struct {
    const char *what, *uids, *gids, *new_uids, *new_gids;
    bool remove_gone;
} repairs[] = {
    {"newline", "alice" WHOLE "# end", "alice" WHOLE, "alice" WHOLE "# end\n", "alice" WHOLE, 0},
    {"spelling", "alice: 0x186a0:+65536\n", "alice" WHOLE, "alice" WHOLE, "alice" WHOLE, 0},
    {"exact duplicates", "alice" WHOLE "# c\nalice" WHOLE, "alice" WHOLE, "alice" WHOLE "# c\n",
     "alice" WHOLE, 0},
    {"own that overlap", "alice:130000:70000\n# c\nalice" WHOLE, "alice:9:1\n",
     "alice:100000:100000\n# c\n", "alice:9:1\n", 0},
    {"own that only touch", "alice" WHOLE "alice:165536:10\n", "alice" WHOLE,
     "alice" WHOLE "alice:165536:10\n", "alice" WHOLE, 0},
    {"own by name and number stay", "alice" WHOLE "1500" WHOLE, "alice" WHOLE,
     "alice" WHOLE "1500" WHOLE, "alice" WHOLE, 0},
    {"spelling first, then own", "alice:0303240:10\nalice: 100005:10\n", "alice" WHOLE,
     "alice:100000:15\n", "alice" WHOLE, 0},
    {"carriage returns", "alice:100000:65536\r\nbob:200000:65536\r\n", "alice" WHOLE,
     "alice" WHOLE "bob:200000:65536\n", "alice" WHOLE "bob:200000:65536\n", 0},
    {"not over another's", "alice" WHOLE "bob:165535:10 \n", "alice" WHOLE,
     "alice" WHOLE "bob:165535:10 \n", "alice" WHOLE, 0},
    {"not when two want it", "alice:200000:10 \nbob:200009:10 \n", "",
     "alice:200000:10 \nbob:200009:10 \n", "", 0},
    {"not over an account", "bob:1500:10 \n", "", "bob:1500:10 \n", "", 0},
    {"not to one who is gone", "ghost:200000:10 \n", "", "ghost:200000:10 \n", "", 0},
    {"not to one unknown", "down:200000:10 \n", "", "down:200000:10 \n", "", 0},
    {"not to a name of digits", "1234:200000:10 \n", "", "1234:200000:10 \n", "", 0},
    {"the twin", "alice" WHOLE, "bob:200000:65536\n", "alice" WHOLE "bob:200000:65536\n",
     "bob:200000:65536\nalice" WHOLE, 0},
    {"no twin over another's", "alice" WHOLE, "bob:165535:65536\n", "alice" WHOLE,
     "bob:165535:65536\n", 0},
    {"no twin of what is shared", "alice" WHOLE "bob:165535:65536\n", "",
     "alice" WHOLE "bob:165535:65536\n", "", 0},
    {"no twin over a group", "carol:1999:2\n", "", "carol:1999:2\n", "", 0},
    {"overlaps stay", "alice" WHOLE "bob" WHOLE, "alice" WHOLE "bob" WHOLE,
     "alice" WHOLE "bob" WHOLE, "alice" WHOLE "bob" WHOLE, 0},
    {"broken lines stay", "broken\n:1:1\nalice:1\n", "", "broken\n:1:1\nalice:1\n", "", 0},
    {"gone stay", "ghost" WHOLE, "", "ghost" WHOLE, "", 0},
    {"gone go when asked", "ghost" WHOLE "down:200000:9\n1999:300000:9\n!bob:1:1\n", "",
     "down:200000:9\n!bob:1:1\n", "", 1},
    {"and leave room", "ghost" WHOLE "bob:100000:10\r\n", "", "bob:100000:10\n", "bob:100000:10\n",
     1},
};

static void expect_text(const struct subid_db *db, const char *wanted, const char *what)
{
    cleanup_free char *text = NULL;
    size_t len = 0;
    ck_assert_int_eq(subid_db_render(db, &text, &len, NULL), 0);
    ck_assert_msg(strcmp(text, wanted) == 0, "%s: got \"%s\", want \"%s\"", what, text, wanted);
}

START_TEST(mends)
{
    struct world world;
    struct audit_findings mended = {0};
    bool changes = strcmp(repairs[_i].uids, repairs[_i].new_uids) != 0 ||
                   strcmp(repairs[_i].gids, repairs[_i].new_gids) != 0;
    world_make(&world, repairs[_i].uids, repairs[_i].gids);
    ck_assert_int_eq(audit_mend(world.db, &world.view, &world.ground.people,
                                repairs[_i].remove_gone, &mended, NULL),
                     0);
    expect_text(&world.db[0], repairs[_i].new_uids, repairs[_i].what);
    expect_text(&world.db[1], repairs[_i].new_gids, repairs[_i].what);
    ck_assert_int_eq(mended.n > 0, changes);
    ck_assert_int_eq(world.db[0].changed || world.db[1].changed, changes);
    audit_findings_free(&mended);
    world_free(&world);
}
END_TEST

START_TEST(mends_into_no_missing_file)
{
    struct world world;
    struct audit_findings mended = {0};
    world_make(&world, "alice" WHOLE, "");
    world.db[SUBID_GID].exists = false;
    ck_assert_int_eq(audit_mend(world.db, &world.view, &world.ground.people, false, &mended, NULL),
                     0);
    ck_assert_uint_eq(mended.n, 0);
    world_free(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("subid_audit");
    TCase *cases = tcase_create("audit");
    tcase_add_loop_test(cases, finds, 0, N(audits));
    tcase_add_test(cases, finds_homes_of_others);
    tcase_add_test(cases, finds_amounts);
    tcase_add_test(cases, asks_a_silent_source_three_times);
    tcase_add_test(cases, rules_are_in_order);
    tcase_add_loop_test(cases, readers_read, 0, N(readings));
    tcase_add_loop_test(cases, faults_are_named, 0, N(shapes));
    tcase_add_loop_test(cases, mends, 0, N(repairs));
    tcase_add_test(cases, mends_into_no_missing_file);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}

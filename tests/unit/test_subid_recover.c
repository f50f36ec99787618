#include "tests/unit/tap.h"

#include <errno.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/subid/change.h"
#include "lib/subid/mark.h"
#include "lib/subid/transact.h"
#include "tests/unit/temp_etc.h"

#define OLD "# c\nalice:100000:10\n"
#define NEW OLD "bob:200000:10\n"

static const char *const names[] = {"subuid",
                                    "subgid",
                                    "subuid-",
                                    "subgid-",
                                    "subuid.rootless-new",
                                    "subgid.rootless-new",
                                    "subuid.rootless-old",
                                    "subgid.rootless-old",
                                    SUBID_MARK,
                                    NULL};

static struct temp_etc etc;
static struct subid_place place;

static void make(void)
{
    temp_etc_make(&etc);
    ck_assert_int_eq(subid_place_open(&place, etc.root, NULL), 0);
}

static void unmake(void)
{
    subid_place_close(&place);
    temp_etc_remove(&etc, names);
}

static void describe(struct subid_change_file *file)
{
    struct subid_db db;
    ck_assert_int_eq(subid_db_parse(&db, SUBID_UID, OLD, strlen(OLD), NULL), 0);
    file->touched = true;
    file->before = subid_content_of(OLD, strlen(OLD));
    file->after = subid_content_of(NEW, strlen(NEW));
    ck_assert_int_eq(subid_edits_of(&file->edits, &db, NEW, strlen(NEW), NULL), 0);
    for (size_t e = 0; e < file->edits.n; e++)
        if (file->edits.items[e].sign == SUBID_EDIT_KEEP)
            file->edits.items[e].text = "alice:100000:10";
    subid_db_free(&db);
}

/* The mark of a change that gives bob a line in both files. */
static void set_mark(void)
{
    struct subid_change change = {.number = 1, .command = "test"};
    cleanup_free char *text = NULL;
    size_t len = 0;
    describe(&change.file[SUBID_UID]);
    describe(&change.file[SUBID_GID]);
    ck_assert_int_eq(subid_change_render(&change, &text, &len, NULL), 0);
    ck_assert_int_eq(subid_mark_set(&place, text, len, NULL), 0);
    subid_change_free(&change);
}

static bool is_there(const char *name)
{
    return faccessat(etc.fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What a writer finds after a crash, by file: NULL is a name that is not there. */
struct crash {
    bool marked;
    const char *file[2], *successor[2];
    const char *uids, *gids; /* afterwards */
    const char *note;        /* begins so; NULL: nothing to say */
};

#define FOREIGN "carol:300000:10\n"
#define ELSE "zed:200005:10\n"

static const struct crash crashes[] = {
    {false, {OLD, OLD}, {NULL, NULL}, OLD, OLD, NULL},
    {false, {OLD, OLD}, {NEW, NULL}, OLD, OLD, "an interrupted change was dropped"},
    {false, {OLD, OLD}, {NEW, NEW}, OLD, OLD, "an interrupted change was dropped"},
    {true, {OLD, OLD}, {NEW, NEW}, NEW, NEW, "an interrupted change (test) was completed"},
    {true, {NEW, OLD}, {NULL, NEW}, NEW, NEW, "an interrupted change (test) was completed"},
    {true, {NEW, NEW}, {NULL, NULL}, NEW, NEW, "an interrupted change (test) was completed"},
    /* a swap that failed was being put back */
    {true, {OLD, OLD}, {NULL, NEW}, OLD, OLD, "an interrupted change (test) was dropped"},
    {true, {OLD, OLD}, {NULL, NULL}, OLD, OLD, "an interrupted change (test) was dropped"},
    /* somebody wrote between the crash and us */
    {true, {OLD FOREIGN, OLD}, {NEW, NEW}, OLD FOREIGN, OLD, "an interrupted change (test) was dr"},
    {true, {OLD, OLD FOREIGN}, {NEW, NEW}, OLD, OLD FOREIGN, "an interrupted change (test) was dr"},
    {true, {NEW FOREIGN, OLD}, {NULL, NEW}, NEW FOREIGN, NEW, "an interrupted change (test) was c"},
    {true, {NEW, OLD FOREIGN}, {NULL, NEW}, NEW, NEW FOREIGN, "an interrupted change (test) was c"},
    {true,
     {NEW FOREIGN, NEW},
     {NULL, NULL},
     NEW FOREIGN,
     NEW,
     "an interrupted change (test) was c"},
    /* and took the very ids */
    {true, {NEW, OLD ELSE}, {NULL, NEW}, OLD, OLD ELSE, "an interrupted change (test) was taken b"},
    {true,
     {NEW FOREIGN, OLD ELSE},
     {NULL, NEW},
     NEW FOREIGN,
     OLD ELSE,
     "an interrupted change (test) is left half done"},
};

START_TEST(next_writer_settles)
{
    const struct crash *crash = &crashes[_i];
    static const char *const successors[] = {"subuid.rootless-new", "subgid.rootless-new"};
    static const char *const olds[] = {"subuid.rootless-old", "subgid.rootless-old"};
    static const char *const files[] = {"subuid", "subgid"};
    make();
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        temp_etc_write(&etc, files[kind], crash->file[kind]);
        if (crash->successor[kind])
            temp_etc_write(&etc, successors[kind], crash->successor[kind]);
        if (crash->marked)
            temp_etc_write(&etc, olds[kind], OLD);
    }
    if (crash->marked)
        set_mark();
    struct subid_transaction transaction;
    struct err err = {0};
    ck_assert_msg(subid_begin(&transaction, &place, true, 0, &err) == 0, "%s", err.msg);
    temp_etc_expect(&etc, "subuid", crash->uids);
    temp_etc_expect(&etc, "subgid", crash->gids);
    ck_assert_str_eq(crash->note ? "" : transaction.recovered.msg, "");
    if (crash->note)
        ck_assert_msg(str_after(transaction.recovered.msg, crash->note), "%s",
                      transaction.recovered.msg);
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        ck_assert(!is_there(successors[kind]) && !is_there(olds[kind]));
    ck_assert(!is_there(SUBID_MARK));
    subid_end(&transaction);
    unmake();
}
END_TEST

START_TEST(readers_are_told_and_change_nothing)
{
    make();
    temp_etc_write(&etc, "subuid", NEW);
    temp_etc_write(&etc, "subgid", OLD);
    temp_etc_write(&etc, "subgid.rootless-new", NEW);
    set_mark();
    struct subid_transaction transaction;
    ck_assert_int_eq(subid_begin(&transaction, &place, false, 0, NULL), 0);
    ck_assert_int_eq(transaction.recovered.code, EINTR);
    subid_end(&transaction);
    temp_etc_expect(&etc, "subgid", OLD);
    ck_assert(is_there(SUBID_MARK));
    unmake();
}
END_TEST

START_TEST(foreign_mark_is_refused)
{
    make();
    temp_etc_write(&etc, "subuid", OLD);
    temp_etc_write(&etc, SUBID_MARK, "rootless-toolkit subid change 2\n");
    struct subid_transaction transaction;
    struct err err = {0};
    ck_assert_int_eq(subid_begin(&transaction, &place, true, 0, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.msg, SUBID_MARK));
    ck_assert(is_there(SUBID_MARK));
    temp_etc_expect(&etc, "subuid", OLD);
    unmake();
}
END_TEST

START_TEST(writer_without_a_lock_is_noticed)
{
    make();
    temp_etc_write(&etc, "subuid", OLD);
    temp_etc_write(&etc, "subgid", OLD);
    struct subid_transaction transaction;
    struct err err = {0};
    ck_assert_int_eq(subid_begin(&transaction, &place, true, 0, NULL), 0);
    struct subid_range range = {.start = 200000, .count = 10};
    ck_assert_int_eq(subid_db_add(&transaction.db[SUBID_UID], "bob", range, NULL), 0);
    temp_etc_write(&etc, "subuid", OLD FOREIGN);
    ck_assert_int_eq(subid_commit(&transaction, &err), -EBUSY);
    subid_end(&transaction);
    temp_etc_expect(&etc, "subuid", OLD FOREIGN);
    unmake();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("subid_recover");
    TCase *cases = tcase_create("recover");
    tcase_add_loop_test(cases, next_writer_settles, 0, sizeof crashes / sizeof crashes[0]);
    tcase_add_test(cases, readers_are_told_and_change_nothing);
    tcase_add_test(cases, foreign_mark_is_refused);
    tcase_add_test(cases, writer_without_a_lock_is_noticed);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}

/*
 * Theory of operation
 *
 * A change of the pair goes through these steps, all of them under the locks (lock.h). A file that
 * the change leaves alone takes no part.
 *
 *   1  NAME.rootless-part is written and synced, becomes NAME.rootless-new; the present file gets
 *      the second name NAME.rootless-old                                    for each file
 *   2  subid.rootless-commit, the mark, appears by one rename, and the folder is synced:
 *      from here on the change is decided
 *   3  NAME.rootless-new is renamed to NAME                                 for each file
 *   4  the folder is synced; the mark's text goes to the records (record.h); NAME.rootless-old
 *      becomes NAME-
 *   5  the mark is removed, and the folder is synced
 *
 * A swap that fails in step 3 is put back with NAME.rootless-old, then the mark is removed, and
 * only then the successors: a successor without a mark is a leftover, a mark without one is a
 * change that is in place.
 *
 * A crash (SIGKILL, power cut) leaves the names as they are. The next writer, once it has the
 * locks, finds
 *
 *   no mark        steps 1 or 5: leftovers are removed. The pair is the old or the new one.
 *   a mark         steps 2 to 5. For each file: is its successor still there, and does the present
 *                  file hold what it held when the change was made (size and hash, in the mark)?
 *
 *     successor, old contents     WAITING    not yet swapped
 *     successor, other contents   OVERTAKEN  not yet swapped, and somebody has written since
 *     none, other contents        SWAPPED    the new file, written to since or not
 *     none, old contents          PUT_BACK   step 3 failed and was being undone
 *
 *     all WAITING or SWAPPED      the swaps that are left are made, then steps 4 and 5. The record
 *                                 has its number from the mark, so twice is the same as once.
 *     none SWAPPED, but one OVERTAKEN or PUT_BACK
 *                                 dropped: nobody has seen anything of it
 *     SWAPPED and OVERTAKEN       the edits in the mark are replayed on what is there now (edits.h)
 *                                 as a new successor. Where that is impossible, because a line is
 *                                 gone or its ids are another's, the swapped file is put back if it
 *                                 is as we left it; else the caller is told that the two differ.
 *
 * Contents decide and not inodes: shadow's tools put a new inode in place, an editor writes to the
 * old one, and on an overlay a hard link makes a copy. Shadow's tools know nothing of the mark, but
 * they replace one file at a time, whole, and honour the locks. Readers, newuidmap among them, see
 * each file whole at any time; between the two renames of step 3, and after a crash there until the
 * next writer, they see one new and one old file, which subid_begin() tells those of ours.
 *
 * Step 5 syncs so that an old mark never comes back beside the successors of a later change.
 */
#include "lib/subid/transact.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/subid/change.h"
#include "lib/subid/mark.h"
#include "lib/subid/record.h"
#include "lib/subid/recover.h"
#include "lib/subid/stage.h"

static int take_over(struct subid_transaction *transaction, unsigned wait_ms, struct err *err)
{
    const struct subid_place *place = transaction->place;
    int r = subid_lock_take(&transaction->lock, place, wait_ms, err);
    return r < 0 ? r : subid_recover(place, &transaction->recovered, &transaction->unrecorded, err);
}

int subid_begin(struct subid_transaction *transaction, const struct subid_place *place,
                bool writable, unsigned wait_ms, struct err *err)
{
    *transaction = (struct subid_transaction){.place = place, .writable = writable};
    int r = writable ? take_over(transaction, wait_ms, err) : 0;
    if (!writable && subid_is_interrupted(place))
        (void)err_set(&transaction->recovered, EINTR,
                      "a change was interrupted, %s/etc/subuid and subgid may differ by it until "
                      "the next change completes it",
                      place->root);
    if (r == 0)
        r = subid_db_read(&transaction->db[SUBID_UID], place, SUBID_UID, err);
    if (r == 0)
        r = subid_db_read(&transaction->db[SUBID_GID], place, SUBID_GID, err);
    if (r < 0)
        subid_end(transaction);
    return r;
}

/* ---- the commit ---- */

/* A change of this process. The edits of add, del and repair point into its texts. */
struct commit {
    struct subid_transaction *transaction;
    struct subid_change change;
    struct subid_stage stages[2];
    char *text[2];
    size_t len[2];
};

static bool is_changed(const struct subid_transaction *transaction, int kind)
{
    return transaction->db[kind].changed || transaction->edits[kind].n > 0;
}

static struct subid_content content_of(const struct subid_db *db)
{
    if (!db->exists)
        return (struct subid_content){0};
    const struct subid_entry *last = db->n_entries > 0 ? &db->entries[db->n_entries - 1] : NULL;
    const char *end = last ? last->text + last->len + (db->bare_end ? 0 : 1) : db->text;
    return subid_content_of(db->text, (size_t)(end - db->text));
}

/* The new contents, and how they differ. */
static int describe_file(struct commit *commit, int kind, struct err *err)
{
    struct subid_transaction *transaction = commit->transaction;
    const struct subid_db *db = &transaction->db[kind];
    struct subid_change_file *file = &commit->change.file[kind];
    int r = 0;
    if (transaction->edits[kind].n > 0) {
        file->edits = transaction->edits[kind];
        transaction->edits[kind] = (struct subid_edits){0};
        r = subid_edits_render(&file->edits, db, &commit->text[kind], &commit->len[kind], err);
    } else {
        r = subid_db_render(db, &commit->text[kind], &commit->len[kind], err);
        if (r == 0)
            r = subid_edits_of(&file->edits, db, commit->text[kind], commit->len[kind], err);
    }
    if (r < 0)
        return r;
    file->touched = true;
    file->before = content_of(db);
    file->after = subid_content_of(commit->text[kind], commit->len[kind]);
    return 0;
}

static int describe(struct commit *commit, struct err *err)
{
    struct subid_transaction *transaction = commit->transaction;
    struct subid_records records = {0};
    int r = 0;
    subid_change_sign(&commit->change);
    commit->change.undoes = transaction->undoes;
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++)
        if (is_changed(transaction, kind))
            r = describe_file(commit, kind, err);
    if (r < 0)
        return r;
    /* a folder that cannot be read is told when the record cannot be written */
    bool known = subid_records_open(&records, transaction->place, NULL) == 0;
    commit->change.number = known ? subid_records_next(&records) : 1;
    if (known)
        subid_records_close(&records);
    return 0;
}

/* Steps 1 and 2. */
static int decide(struct commit *commit, struct err *err)
{
    cleanup_free char *mark = NULL;
    size_t len = 0;
    int r = subid_change_render(&commit->change, &mark, &len, err);
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++)
        if (commit->change.file[kind].touched)
            r = subid_stage_write(&commit->stages[kind], &commit->change.file[kind].before,
                                  commit->text[kind], commit->len[kind], err);
    return r < 0 ? r : subid_mark_set(commit->transaction->place, mark, len, err);
}

/* Step 3. */
static int swap(struct commit *commit, struct err *err)
{
    int r = 0;
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++)
        if (commit->change.file[kind].touched)
            r = subid_stage_swap(&commit->stages[kind], err);
    return r;
}

static int carry_out(struct commit *commit, struct err *err)
{
    int r = decide(commit, err);
    if (r == 0)
        r = swap(commit, err);
    if (r == 0)
        return subid_complete(&commit->change, commit->stages, &commit->transaction->unrecorded,
                              err);
    struct err worse = {0};
    if (subid_abandon(&commit->change, commit->stages, &worse) < 0)
        return err_set(err, -r, "%.400s; and the next change must clear up: %.400s",
                       err ? err->msg : "", worse.msg);
    return r;
}

int subid_commit(struct subid_transaction *transaction, struct err *err)
{
    if (!transaction->writable)
        return err_set(err, EPERM, "a dry run changes nothing");
    if (!is_changed(transaction, SUBID_UID) && !is_changed(transaction, SUBID_GID))
        return 0;
    struct commit commit = {.transaction = transaction};
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        commit.stages[kind] =
            (struct subid_stage){.place = transaction->place, .kind = (enum subid_kind)kind};
    int r = describe(&commit, err);
    if (r == 0)
        r = carry_out(&commit, err);
    subid_change_free(&commit.change);
    free(commit.text[SUBID_UID]);
    free(commit.text[SUBID_GID]);
    return r;
}

void subid_end(struct subid_transaction *transaction)
{
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        subid_db_free(&transaction->db[kind]);
        subid_edits_free(&transaction->edits[kind]);
    }
    subid_lock_release(&transaction->lock);
}

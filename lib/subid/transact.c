#include "lib/subid/transact.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/subid/stage.h"

int subid_begin(struct subid_transaction *transaction, const struct subid_place *place,
                bool writable, unsigned wait_ms, struct err *err)
{
    *transaction = (struct subid_transaction){.place = place, .writable = writable};
    int r = writable ? subid_lock_take(&transaction->lock, place, wait_ms, err) : 0;
    if (r == 0)
        r = subid_db_read(&transaction->db[SUBID_UID], place, SUBID_UID, err);
    if (r == 0)
        r = subid_db_read(&transaction->db[SUBID_GID], place, SUBID_GID, err);
    if (r < 0)
        subid_end(transaction);
    return r;
}

/* Names are durable once their directory is; a file system that cannot say so is not ours to mend.
 */
static int sync_names(const struct subid_place *place, struct err *err)
{
    if (fsync(place->etc_fd) < 0 && errno != EINVAL && errno != ENOTSUP)
        return err_sys(err, errno, "cannot sync %s/etc to disk", place->root);
    return 0;
}

static int stage_changed(struct subid_transaction *transaction, struct subid_stage stages[2],
                         struct err *err)
{
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        const struct subid_db *db = &transaction->db[kind];
        cleanup_free char *text = NULL;
        size_t len = 0;
        if (!db->changed)
            continue;
        int r = subid_db_render(db, &text, &len, err);
        if (r == 0)
            r = subid_stage_write(&stages[kind], transaction->place,
                                  subid_name((enum subid_kind)kind), text, len, err);
        if (r < 0)
            return r;
    }
    return sync_names(transaction->place, err);
}

static int swap_staged(struct subid_stage stages[2], struct err *err)
{
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        int r = stages[kind].written ? subid_stage_swap(&stages[kind], err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

int subid_commit(struct subid_transaction *transaction, struct err *err)
{
    if (!transaction->writable)
        return err_set(err, EPERM, "a dry run changes nothing");
    if (!transaction->db[SUBID_UID].changed && !transaction->db[SUBID_GID].changed)
        return 0;
    struct subid_stage stages[2] = {0};
    int r = stage_changed(transaction, stages, err);
    if (r == 0)
        r = swap_staged(stages, err);
    if (r == 0)
        r = sync_names(transaction->place, err);
    for (int kind = SUBID_GID; kind >= SUBID_UID; kind--) {
        if (r < 0)
            subid_stage_undo(&stages[kind]);
        else
            subid_stage_finish(&stages[kind]);
    }
    return r;
}

void subid_end(struct subid_transaction *transaction)
{
    subid_db_free(&transaction->db[SUBID_UID]);
    subid_db_free(&transaction->db[SUBID_GID]);
    subid_lock_release(&transaction->lock);
}

#include "lib/subid/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/subid/lock.h"
#include "lib/subid/mark.h"
#include "lib/subid/record.h"

/* What a file of a marked change is found to be. */
enum state {
    UNTOUCHED, /* the change leaves it alone */
    WAITING,   /* the old one, its successor beside it */
    OVERTAKEN, /* its successor is there, but somebody has written to the old one since */
    SWAPPED,   /* the new one, perhaps written to since */
    PUT_BACK,  /* the old one, and no successor */
    N_STATES,
};

struct recovery {
    const struct subid_place *place;
    struct subid_change change;
    struct subid_stage stages[2];
    struct subid_content present[2];
    enum state state[2];
    size_t n[N_STATES];
    struct subid_db db; /* of a file that was overtaken: its edits point into it */
    char *merged;
};

/* ---- the end of a change ---- */

static void record(const struct subid_place *place, const struct subid_change *change,
                   struct err *ret_unrecorded)
{
    cleanup_free char *text = NULL;
    size_t len = 0;
    struct err why = {0};
    int r = subid_change_render(change, &text, &len, &why);
    if (r == 0)
        r = subid_record_put(place, change->number, text, len, &why);
    if (r < 0)
        (void)err_set(ret_unrecorded, -r, "the change is done but cannot be undone: %s", why.msg);
}

int subid_complete(const struct subid_change *change, struct subid_stage stages[2],
                   struct err *ret_unrecorded, struct err *err)
{
    const struct subid_place *place = stages[SUBID_UID].place;
    int r = subid_names_sync(place, err);
    if (r < 0)
        return err_wrap(err, r, "the change is made, but the next one must complete it");
    record(place, change, ret_unrecorded);
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        if (change->file[kind].touched)
            subid_stage_back_up(&stages[kind]);
    r = subid_mark_clear(place, err);
    if (r < 0)
        return err_wrap(err, r, "the change is made, but the next one must complete it");
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        (void)subid_stage_clear(&stages[kind]);
    return 0;
}

int subid_abandon(const struct subid_change *change, struct subid_stage stages[2], struct err *err)
{
    int r = 0;
    for (int kind = SUBID_GID; kind >= SUBID_UID && r == 0; kind--)
        if (change->file[kind].touched)
            r = subid_stage_put_back(&stages[kind], err);
    if (r == 0)
        r = subid_mark_clear(stages[SUBID_UID].place, err);
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++)
        (void)subid_stage_clear(&stages[kind]);
    return r;
}

/* ---- after a crash ---- */

static int look_at(struct recovery *recovery, enum subid_kind kind, struct err *err)
{
    const struct subid_change_file *file = &recovery->change.file[kind];
    recovery->stages[kind].existed = file->before.exists;
    if (!file->touched)
        return 0;
    int waits = subid_stage_waits(&recovery->stages[kind], err);
    if (waits < 0)
        return waits;
    int r = subid_content_read(recovery->place, kind, &recovery->present[kind], err);
    if (r < 0)
        return r;
    bool is_old = subid_content_equal(&recovery->present[kind], &file->before);
    if (waits)
        recovery->state[kind] = is_old ? WAITING : OVERTAKEN;
    else
        recovery->state[kind] = is_old ? PUT_BACK : SWAPPED;
    return 0;
}

/* The half that somebody has overtaken: the same lines go and come, around what he wrote. */
static int merge(struct recovery *recovery, enum subid_kind kind, struct err *err)
{
    struct subid_change_file *file = &recovery->change.file[kind];
    struct subid_replay replay = {.edits = &file->edits};
    struct subid_edits edits = {0};
    size_t len = 0;
    int r = subid_db_read(&recovery->db, recovery->place, kind, err);
    if (r == 0)
        r = subid_edits_replay(&replay, &recovery->db, &edits, err);
    if (r < 0)
        return r;
    subid_edits_free(&file->edits);
    file->edits = edits;
    r = subid_edits_render(&edits, &recovery->db, &recovery->merged, &len, err);
    if (r < 0)
        return r;
    file->before = recovery->present[kind];
    file->after = subid_content_of(recovery->merged, len);
    return subid_stage_write(&recovery->stages[kind], &file->before, recovery->merged, len, err);
}

static int go_forward(struct recovery *recovery, struct err *err)
{
    int r = 0;
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++) {
        if (recovery->state[kind] == OVERTAKEN)
            r = merge(recovery, (enum subid_kind)kind, err);
        if (r == 0 && (recovery->state[kind] == OVERTAKEN || recovery->state[kind] == WAITING))
            r = subid_stage_swap(&recovery->stages[kind], err);
    }
    return r;
}

/* A swap of the process that crashed is undone as one of ours, unless it was written to since. */
static bool can_go_back(struct recovery *recovery)
{
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        if (recovery->state[kind] != SWAPPED)
            continue;
        if (!subid_content_equal(&recovery->present[kind], &recovery->change.file[kind].after))
            return false;
        recovery->stages[kind].swapped = true;
    }
    return true;
}

static int noted(struct recovery *recovery, struct err *ret_note, const char *what)
{
    (void)err_set(ret_note, EINTR, "an interrupted change (%s) %s", recovery->change.command, what);
    return 0;
}

static int drop(struct recovery *recovery, struct err *ret_note, const char *what, struct err *err)
{
    int r = subid_abandon(&recovery->change, recovery->stages, err);
    return r < 0 ? r : noted(recovery, ret_note, what);
}

/* One file has the change, the other cannot get it. */
static int go_back(struct recovery *recovery, const struct err *why, struct err *ret_note,
                   struct err *err)
{
    char what[ERR_MSG_MAX];
    bool can = can_go_back(recovery);
    (void)str_format(what, sizeof what, "%s: %.400s",
                     can ? "was taken back"
                         : "is left half done, compare subuid with subgid (an audit shows it)",
                     why->msg);
    return drop(recovery, ret_note, what, err);
}

static int settle(struct recovery *recovery, struct err *ret_note, struct err *ret_unrecorded,
                  struct err *err)
{
    const size_t *n = recovery->n;
    struct err why = {0};
    if (n[SWAPPED] == 0 && (n[OVERTAKEN] > 0 || n[PUT_BACK] > 0))
        return drop(recovery, ret_note, "was dropped, nothing of it had been done", err);
    if (go_forward(recovery, &why) < 0)
        return go_back(recovery, &why, ret_note, err);
    int r = subid_complete(&recovery->change, recovery->stages, ret_unrecorded, err);
    return r < 0 ? r : noted(recovery, ret_note, "was completed");
}

static int recover_marked(struct recovery *recovery, struct err *ret_note,
                          struct err *ret_unrecorded, struct err *err)
{
    int r = 0;
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++) {
        r = look_at(recovery, (enum subid_kind)kind, err);
        recovery->n[recovery->state[kind]]++;
    }
    if (r == 0)
        r = settle(recovery, ret_note, ret_unrecorded, err);
    if (r < 0)
        r = err_wrap(err, r, "a change that was interrupted cannot be completed");
    subid_db_free(&recovery->db);
    str_free(&recovery->merged);
    subid_change_free(&recovery->change);
    return r;
}

int subid_recover(const struct subid_place *place, struct err *ret_note, struct err *ret_unrecorded,
                  struct err *err)
{
    struct recovery recovery = {.place = place};
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        recovery.stages[kind] = (struct subid_stage){.place = place, .kind = (enum subid_kind)kind};
    int r = subid_mark_read(place, &recovery.change, err);
    if (r == 0)
        return recover_marked(&recovery, ret_note, ret_unrecorded, err);
    if (r != -ENOENT)
        return r;
    bool any = subid_stage_clear(&recovery.stages[SUBID_UID]);
    any = subid_stage_clear(&recovery.stages[SUBID_GID]) || any;
    if (any)
        (void)err_set(ret_note, EINTR,
                      "an interrupted change was dropped, nothing of it had been done");
    return 0;
}

static bool has_mark(const struct subid_place *place)
{
    return faccessat(place->etc_fd, SUBID_MARK, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Asked twice: a writer that ended meanwhile took its mark along. */
bool subid_is_interrupted(const struct subid_place *place)
{
    return has_mark(place) && !subid_lock_is_held(place) && has_mark(place);
}

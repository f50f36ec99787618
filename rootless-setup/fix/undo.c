#include "rootless-setup/fix/undo.h"

#include <errno.h>
#include <stdarg.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootless-setup/fix/host.h"
#include "rootless-setup/fix/tell.h"

__attribute__((format(printf, 3, 4))) static void stays(const struct fix_teller *teller,
                                                        const char *target, const char *why, ...)
{
    char text[ERR_MSG_MAX + 64];
    va_list args;
    va_start(args, why);
    (void)vsnprintf(text, sizeof text, why, args);
    va_end(args);
    tell_step(teller, (struct told){TELL_STAYS, .target = target, .why = text});
}

static int put_back(const struct place *place, const struct change *change,
                    const struct fix_teller *teller, struct err *err)
{
    bool profile = change->reload == RELOAD_APPARMOR && !change->before.data;
    struct err unloading = {0};
    if (profile && place->running &&
        host_reload(change->reload, change->target, true, &unloading) < 0)
        stays(teller, "the profile", "stays until the next boot: %s", unloading.msg);
    int r = change->before.data ? place_write(place, change->target, &change->before, err)
                                : place_remove(place, change->target, change->dirs, err);
    if (r < 0 || !place->running || profile)
        return r;
    r = host_reload(change->reload, change->target, !change->before.data, err);
    return r < 0 ? err_wrap(err, r, "%s is as before, but", change->target) : 0;
}

static int undo_file(const struct place *place, const struct change *change, bool dry,
                     const struct fix_teller *teller, struct err *err)
{
    cleanup_place_file struct place_file now = {0};
    int r = place_read(place, change->target, &now, err);
    if (r < 0 && r != -ELOOP && r != -EISDIR)
        return r;
    if (r == 0 &&
        (change->before.data ? place_file_same(&now, change->before.data, change->before.len)
                             : !now.data)) {
        stays(teller, change->target, "is as it was");
        /* Of a crashed run its directories may be left, and its half-written file. */
        if (dry)
            return UNDONE;
        return now.data ? place_write(place, change->target, &change->before, err)
                        : place_remove(place, change->target, change->dirs, err);
    }
    if (r < 0 || !place_file_same(&now, change->after.data, change->after.len)) {
        stays(teller, change->target, "was edited since: left as it is");
        return UNDO_EDITED;
    }
    tell_step(teller, (struct told){change->before.data ? TELL_RESTORE : TELL_REMOVE,
                                    .target = change->target});
    return dry ? 0 : put_back(place, change, teller, err);
}

static int undo_sysctl(const struct change *change, bool dry, const struct fix_teller *teller,
                       struct err *err)
{
    char now[RECORD_VALUE_MAX];
    int r = host_sysctl(change->target, now, sizeof now, err);
    if (r == -ENOENT || (r == 0 && str_equal(now, change->old)))
        return 0;
    if (r < 0)
        return r;
    if (!str_equal(now, change->wanted)) {
        stays(teller, change->target, "is %s by now, not %s: left as it is", now, change->wanted);
        return 0;
    }
    tell_step(teller, (struct told){TELL_SET, change->target, change->old, .was = now});
    return dry ? 0 : host_set_sysctl(change->target, change->old, err);
}

static int undo_mode(const struct change *change, bool dry, const struct fix_teller *teller,
                     struct err *err)
{
    char now[RECORD_VALUE_MAX];
    int r = host_mode(change->target, now, sizeof now, err);
    if (r == -ENOENT || (r == 0 && !str_equal(now, change->wanted)))
        return 0;
    if (r < 0)
        return r;
    tell_step(teller, (struct told){TELL_MODE, change->target, change->old, .was = now});
    return dry ? 0 : host_set_mode(change->target, change->old, err);
}

/* A module in use stays, and is harmless: the next boot does without. */
static int undo_module(const struct change *change, bool dry, const struct fix_teller *teller)
{
    struct err err = {0};
    tell_step(teller, (struct told){TELL_UNLOAD, .target = change->target});
    if (!dry && host_unload_module(change->target, &err) < 0)
        stays(teller, change->target, "stays until the next boot: %s", err.msg);
    return 0;
}

int undo_change(const struct place *place, const struct change *change, bool dry,
                const struct fix_teller *teller, struct err *err)
{
    if (change->kind == CHANGE_FILE)
        return undo_file(place, change, dry, teller, err);
    if (!place->running)
        return 0;
    switch (change->kind) {
    case CHANGE_SYSCTL:
        return undo_sysctl(change, dry, teller, err);
    case CHANGE_MODE:
        return undo_mode(change, dry, teller, err);
    case CHANGE_MODULE:
        return undo_module(change, dry, teller);
    case CHANGE_FILE:
    case CHANGE_KINDS:
    default:
        return 0;
    }
}

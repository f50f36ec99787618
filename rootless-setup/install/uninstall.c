#include "rootless-setup/install/uninstall.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootless-setup/install/context.h"
#include "rootless-setup/install/kit.h"
#include "rootless-setup/install/purge.h"

static bool ours(const struct own_file *file)
{
    return file->state == OWN_INTACT || file->state == OWN_EDITED;
}

/* The file that stood here before ours comes back; ours goes, or if it was edited stays beside. */
static int take_away(struct deeds *deeds, const char *path, const struct own_file *file,
                     struct err *err)
{
    char edited[4300], saved[4300];
    if (setup_aside_path(path, true, edited, sizeof edited) < 0 ||
        setup_aside_path(path, false, saved, sizeof saved) < 0)
        return err_set(err, ENAMETOOLONG, "%s is too long a path", path);
    if (file->state == OWN_EDITED)
        deed_note(deeds, "%s was edited since it was written: it is kept under another name", path);
    int r = file->state == OWN_EDITED ? deed_rename(deeds, path, edited, err)
                                      : deed_remove(deeds, path, file->memory.dirs, err);
    if (r == 0 && faccessat(AT_FDCWD, saved, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        r = deed_rename(deeds, saved, path, err);
    return r;
}

static int end_kit(struct deeds *deeds, const struct setup *setup, struct err *err)
{
    pid_t pid = setup->state[0] ? kit_find(setup->state) : 0;
    if (pid == 0)
        return 0;
    return deed_tell(deeds, "end process %d (rootlesskit of %s)", pid, setup->engine->title)
               ? kit_end(pid, err)
               : 0;
}

static int end_unit(struct deeds *deeds, const char *name, struct err *err)
{
    struct unit unit;
    int r = manager_unit(name, &unit, err);
    if (r == 0 && !unit_ended(&unit))
        r = manager_do(deeds, "stop", name, err);
    if (r == 0 && str_equal(unit.file, "enabled"))
        r = manager_do(deeds, "disable", name, err);
    return r;
}

static int remove_unit(struct deeds *deeds, const struct setup *setup, struct err *err)
{
    const char *name = setup->engine->unit;
    bool answers = setup->manager == MANAGER_ANSWERS;
    char link[4400];
    int r = answers ? end_unit(deeds, name, err) : 0;
    if (r == 0 && !answers && setup_wants_path(setup, link, sizeof link) == 0 &&
        faccessat(AT_FDCWD, link, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        r = deed_remove(deeds, link, 1, err);
    if (r == 0 && !answers)
        r = end_kit(deeds, setup, err);
    if (r == 0)
        r = take_away(deeds, setup->unit_path, &setup->unit, err);
    if (r == 0 && answers)
        r = manager_do(deeds, "daemon-reload", NULL, err);
    return r;
}

static int remove_script(struct deeds *deeds, const struct setup *setup, struct err *err)
{
    int r = end_kit(deeds, setup, err);
    return r < 0 ? r : take_away(deeds, setup->script_path, &setup->script, err);
}

/* The distribution's unit is only switched off. */
static int disable_vendor(struct deeds *deeds, const struct setup *setup, struct err *err)
{
    const char *name = setup->engine->vendor_unit;
    if (!name || setup->manager != MANAGER_ANSWERS || ours(&setup->unit))
        return 0;
    int r = end_unit(deeds, name, err);
    return r < 0 ? r : end_unit(deeds, setup->engine->unit, err);
}

static int drop_context(struct deeds *deeds, const struct setup *setup, struct err *err)
{
    static struct context context;
    const struct own_file *file = ours(&setup->unit) ? &setup->unit : &setup->script;
    if (!setup->engine->context || !ours(file))
        return 0;
    context_read(&context);
    return context_drop(deeds, &context, file->memory.context, err);
}

static void tell_left(const struct deeds *deeds, const struct setup *setup,
                      const struct purge *purge)
{
    char drop_ins[4300];
    if (str_format(drop_ins, sizeof drop_ins, "%s.d", setup->unit_path) > 0 &&
        access(drop_ins, F_OK) == 0)
        deed_note(deeds, "%s stays: it is yours", drop_ins);
    for (size_t i = 0; i < purge->n; i++)
        deed_note(deeds, "%s stays: images and containers (uninstall --purge removes them)",
                  purge->dirs[i]);
}

static int remove_all(struct deeds *deeds, const struct setup *setup, struct err *err)
{
    int r = disable_vendor(deeds, setup, err);
    if (r == 0 && ours(&setup->unit))
        r = remove_unit(deeds, setup, err);
    if (r == 0 && ours(&setup->script))
        r = remove_script(deeds, setup, err);
    return r < 0 ? r : drop_context(deeds, setup, err);
}

int uninstall_run(struct setup *setup, const struct uninstall_options *options, FILE *out,
                  struct err *err)
{
    static struct purge purge;
    struct deeds deeds = {.place = &setup->place, .dry = options->dry_run, .out = out};
    if (setup->unit.state == OWN_FOREIGN)
        return err_set(err, EEXIST,
                       "%s is not of rootless-setup: what wrote it removes it "
                       "(dockerd-rootless-setuptool.sh uninstall?)",
                       setup->unit_path);
    int r = purge_find(setup, &purge, err);
    if (r == 0 && options->purge)
        r = purge_check(setup, &purge, err);
    if (r < 0 && options->purge)
        return r;
    r = 0;
    if (options->purge && purge.n > 0 && !options->yes && !options->dry_run)
        r = purge_confirm(&purge, err);
    if (r == 0)
        r = remove_all(&deeds, setup, err);
    if (r == 0 && options->purge)
        r = purge_run(&deeds, setup, &purge, err);
    if (r < 0)
        return r;
    if (deeds.n == 0)
        deed_note(&deeds, "%s is not installed: nothing to do", setup->engine->title);
    if (!options->purge)
        tell_left(&deeds, setup, &purge);
    if (options->dry_run && deeds.n > 0)
        deed_note(&deeds, "Nothing was done (--dry-run).");
    return 0;
}

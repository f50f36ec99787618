#include "rootless-setup/fix/apply.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootless-setup/fix/host.h"
#include "rootless-setup/fix/tell.h"
#include "rootless-setup/fix/undo.h"

#define CONTENT_MAX 1024
#define MODULES_MAX 8
#define MODULE_NAME_MAX 64

/* What a step of a check works on. */
struct doing {
    struct fix_run *run;
    const char *check;
    struct err *err;
};

static void refuse(const struct doing *doing, const char *what, const char *why)
{
    tell_step(doing->run->teller, (struct told){TELL_LEFT, .target = what, .why = why});
    doing->run->refused++;
}

static void told(const struct doing *doing, const char *path, const char *content, bool there)
{
    tell_step(doing->run->teller,
              (struct told){there ? TELL_REPLACE : TELL_WRITE, .target = path, .value = content});
    doing->run->changed++;
}

static int copy_content(struct place_file *ret, const char *content,
                        const struct place_file *before)
{
    *ret = (struct place_file){.data = strdup(content), .len = strlen(content), .mode = 0644};
    if (before->data) {
        ret->mode = before->mode;
        ret->uid = before->uid;
        ret->gid = before->gid;
    } else if (geteuid() != 0) {
        ret->uid = geteuid();
        ret->gid = getegid();
    }
    return ret->data ? 0 : -ENOMEM;
}

/* The entry goes to the disk; a target that has one keeps what was before the first change. */
static int record_file(const struct doing *doing, struct change *change)
{
    struct change *entry = record_find(doing->run->record, CHANGE_FILE, change->target);
    doing->run->record->unfinished = true;
    if (!entry)
        return record_add(doing->run->record, change, doing->err);
    place_file_cleanup(&entry->after);
    entry->after = change->after;
    change->after = (struct place_file){0};
    return record_save(doing->run->record, doing->err);
}

static int write_file(const struct doing *doing, struct change *change, const char *content)
{
    const struct place *place = doing->run->place;
    struct place_file after;
    int dirs = place_missing_dirs(place, change->target);
    if (dirs < 0)
        return err_sys(doing->err, -dirs, "cannot look at the directory of %s", change->target);
    change->dirs = (unsigned)dirs;
    int r = copy_content(&change->after, content, &change->before);
    if (r < 0)
        return err_sys(doing->err, -r, "cannot write %s", change->target);
    /* The record takes the contents over; this borrows them, as the record keeps them. */
    after = change->after;
    char path[sizeof change->target];
    enum change_reload reload = change->reload;
    (void)str_copy(path, sizeof path, change->target);
    r = record_file(doing, change);
    if (r == 0)
        r = place_write(place, path, &after, doing->err);
    if (r == 0 && place->running)
        r = host_reload(reload, path, false, doing->err);
    return r;
}

/* As a change left it, or, when that was cut short, as it was before. */
static bool ours(const struct change *entry, const struct place_file *now)
{
    return place_file_same(now, entry->after.data, entry->after.len) ||
           (entry->before.data && place_file_same(now, entry->before.data, entry->before.len));
}

static int do_file(const struct doing *doing, const char *path, const char *content,
                   enum change_reload reload)
{
    struct fix_run *run = doing->run;
    struct change change = {.kind = CHANGE_FILE, .reload = reload};
    const struct change *entry = record_find(run->record, CHANGE_FILE, path);
    struct err why = {0};
    int r = place_read(run->place, path, &change.before, &why);
    if (r == -ELOOP || r == -EISDIR || r == -EFBIG || change.before.mode > PLACE_MODE_MAX) {
        refuse(doing, path, "left alone, for it is no ordinary drop-in file");
        change_clear(&change);
        return 0;
    }
    if (r < 0)
        return err_set(doing->err, why.code, "%s", why.msg);
    if (entry && !run->dry)
        place_sweep(run->place, path);
    if (place_file_same(&change.before, content, strlen(content))) {
        change_clear(&change);
        return 0;
    }
    if (entry && change.before.data && !ours(entry, &change.before)) {
        refuse(doing, path, "left alone, for it was edited since fix wrote it");
        change_clear(&change);
        return 0;
    }
    told(doing, path, content, change.before.data != NULL);
    if (str_copy(change.target, sizeof change.target, path) < 0 ||
        str_copy(change.check, sizeof change.check, doing->check) < 0)
        r = err_set(doing->err, ENAMETOOLONG, "%s is too long a path", path);
    if (r == 0 && !run->dry)
        r = write_file(doing, &change, content);
    change_clear(&change);
    return r;
}

/* The record of a value, on disk before the value is set. */
static int record_value(const struct doing *doing, enum change_kind kind, const char *target,
                        const char *old, const char *wanted)
{
    struct record *record = doing->run->record;
    struct change *entry = record_find(record, kind, target);
    struct change change = {.kind = kind};
    if (entry)
        return str_copy(entry->wanted, sizeof entry->wanted, wanted) < 0
                   ? -ENAMETOOLONG
                   : record_save(record, doing->err);
    if (str_copy(change.check, sizeof change.check, doing->check) < 0 ||
        str_copy(change.target, sizeof change.target, target) < 0 ||
        str_copy(change.old, sizeof change.old, old) < 0 ||
        str_copy(change.wanted, sizeof change.wanted, wanted) < 0)
        return err_set(doing->err, ENAMETOOLONG, "%s has too long a value", target);
    return record_add(record, &change, doing->err);
}

static bool as_good(const char *now, const struct fix_step *step)
{
    uint64_t have, want;
    struct cursor c = cursor_of(now), wanted = cursor_of(step->value);
    if (step->rule == FIX_EQUAL || !cursor_u64(&c, 10, UINT64_MAX, &have) ||
        !cursor_u64(&wanted, 10, UINT64_MAX, &want))
        return str_equal(now, step->value);
    return step->rule == FIX_AT_LEAST ? have >= want : have <= want;
}

static int do_sysctl(const struct doing *doing, const struct fix_step *step)
{
    const struct fix_run *run = doing->run;
    char now[RECORD_VALUE_MAX] = "", path[256], content[CONTENT_MAX];
    int r = run->place->running ? host_sysctl(step->target, now, sizeof now, doing->err) : 0;
    if (r == -ENOENT && step->optional)
        return 0;
    if (r < 0 || (run->place->running && as_good(now, step)))
        return r;
    /* With the dash a kernel that has it not is no error at boot. */
    (void)str_format(path, sizeof path, "/etc/sysctl.d/60-rootless-%s.conf", step->name);
    (void)str_format(content, sizeof content, "%s%s = %s\n",
                     step->optional && !run->place->running ? "-" : "", step->target, step->value);
    unsigned refused = run->refused;
    r = do_file(doing, path, content, RELOAD_NONE);
    if (r < 0 || !run->place->running || run->refused != refused)
        return r;
    tell_step(run->teller, (struct told){TELL_SET, step->target, step->value, .was = now});
    doing->run->changed++;
    if (run->dry)
        return 0;
    r = record_value(doing, CHANGE_SYSCTL, step->target, now, step->value);
    return r < 0 ? r : host_set_sysctl(step->target, step->value, doing->err);
}

/* The words of a list, in *words, each ended by a NUL. @return how many */
static size_t split(const char *list, char words[MODULES_MAX][MODULE_NAME_MAX])
{
    struct cursor c = cursor_of(list);
    size_t n = 0;
    while (!cursor_done(&c) && n < MODULES_MAX) {
        const char *word;
        size_t len;
        cursor_until(&c, ' ', &word, &len);
        (void)cursor_char(&c, ' ');
        if (len > 0 && str_format(words[n], MODULE_NAME_MAX, "%.*s", (int)len, word) > 0)
            n++;
    }
    return n;
}

static int load(const struct doing *doing, const char *module)
{
    tell_step(doing->run->teller, (struct told){TELL_LOAD, .target = module});
    doing->run->changed++;
    if (doing->run->dry)
        return 0;
    int r = record_value(doing, CHANGE_MODULE, module, "", "");
    return r < 0 ? r : host_load_module(module, doing->err);
}

static int do_modules(const struct doing *doing, const struct fix_step *step)
{
    char words[MODULES_MAX][MODULE_NAME_MAX], path[256], content[CONTENT_MAX] = "";
    bool running = doing->run->place->running, missing[MODULES_MAX], any = !running;
    size_t n = split(step->value, words), used = 0;
    for (size_t i = 0; i < n; i++) {
        missing[i] = running && !host_has_module(words[i]);
        any |= missing[i];
        used += (size_t)snprintf(content + used, sizeof content - used, "%s\n", words[i]);
    }
    if (!any)
        return 0;
    (void)str_format(path, sizeof path, "/etc/modules-load.d/rootless-%s.conf", step->name);
    int r = do_file(doing, path, content, RELOAD_NONE);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (missing[i])
            r = load(doing, words[i]);
    return r;
}

/* The mode at boot: udev's business, else that of systemd's tmpfiles. */
static int device_at_boot(const struct doing *doing, const struct fix_step *step)
{
    const struct place *place = doing->run->place;
    const char *node = step->target + strlen("/dev/");
    char path[256], content[CONTENT_MAX];
    bool udev = place->running ? place_has(place, "/run/udev/control")
                               : place_has(place, "/usr/lib/udev") || place_has(place, "/lib/udev");
    if (udev) {
        (void)str_format(path, sizeof path, "/etc/udev/rules.d/60-rootless-%s.rules", step->name);
        (void)str_format(content, sizeof content,
                         "KERNEL==\"%s\", MODE=\"%04o\", OPTIONS+=\"static_node=%s\"\n", step->name,
                         step->mode, node);
        return do_file(doing, path, content, RELOAD_UDEV);
    }
    if (place_has(place, "/usr/bin/systemd-tmpfiles") ||
        place_has(place, "/bin/systemd-tmpfiles")) {
        (void)str_format(path, sizeof path, "/etc/tmpfiles.d/60-rootless-%s.conf", step->name);
        (void)str_format(content, sizeof content, "z %s %04o root root -\n", step->target,
                         step->mode);
        return do_file(doing, path, content, RELOAD_NONE);
    }
    refuse(doing, step->target, "nothing here sets modes at boot (no udev, no systemd-tmpfiles)");
    return 0;
}

static int do_device(const struct doing *doing, const struct fix_step *step)
{
    const struct fix_run *run = doing->run;
    char now[RECORD_VALUE_MAX] = "", wanted[8];
    struct err why = {0};
    (void)str_format(wanted, sizeof wanted, "%04o", step->mode);
    int r = run->place->running ? host_mode(step->target, now, sizeof now, &why) : 0;
    if (r < 0 && r != -ENOENT)
        return err_set(doing->err, why.code, "%s", why.msg);
    struct cursor c = cursor_of(now);
    uint64_t bits = 0;
    if (run->place->running && cursor_u64(&c, 8, 07777, &bits) && (bits & step->mode) == step->mode)
        return 0;
    int done = device_at_boot(doing, step);
    if (done < 0 || !run->place->running)
        return done;
    if (r == -ENOENT && !run->dry) {
        refuse(doing, step->target, "there is no such device node");
        return 0;
    }
    tell_step(run->teller, (struct told){TELL_MODE, step->target, wanted, now[0] ? now : NULL,
                                         now[0] ? NULL : ", once it is there"});
    doing->run->changed++;
    if (run->dry)
        return 0;
    r = record_value(doing, CHANGE_MODE, step->target, now, wanted);
    return r < 0 ? r : host_set_mode(step->target, wanted, doing->err);
}

static bool has_systemd(const struct place *place)
{
    return place_has(place, place->running ? "/run/systemd/system" : "/usr/lib/systemd/system") ||
           (!place->running && place_has(place, "/lib/systemd/system"));
}

static int do_delegate(const struct doing *doing, const struct fix_step *step)
{
    char content[CONTENT_MAX];
    if (!has_systemd(doing->run->place)) {
        refuse(doing, "cgroups", "no systemd here that could delegate them");
        return 0;
    }
    (void)str_format(content, sizeof content, "[Service]\nDelegate=%s\n", step->value);
    return do_file(doing, "/etc/systemd/system/user@.service.d/60-rootless.conf", content,
                   RELOAD_SYSTEMD);
}

static int do_linger(const struct doing *doing)
{
    const char *user = doing->run->user;
    char path[512];
    if (!has_systemd(doing->run->place)) {
        refuse(doing, "linger", "no systemd here that could start a user's services");
        return 0;
    }
    if (!user) {
        refuse(doing, "linger", "whose? Say --user USER");
        return 0;
    }
    if (user[0] == '.' || user[0] == '-' || strchr(user, '/') ||
        str_format(path, sizeof path, "/var/lib/systemd/linger/%s", user) < 0)
        return err_set(doing->err, EINVAL, "\"%s\" is no login name", user);
    return do_file(doing, path, "", RELOAD_LINGER);
}

static int do_apparmor(const struct doing *doing)
{
    const struct fix_run *run = doing->run;
    char now[RECORD_VALUE_MAX] = "", content[CONTENT_MAX];
    const char *dir = run->place->running && run->bin_dir[0] ? run->bin_dir : "/usr/bin";
    if (run->place->running &&
        (host_sysctl("kernel.apparmor_restrict_unprivileged_userns", now, sizeof now, NULL) < 0 ||
         !str_equal(now, "1")))
        return 0;
    if (!place_has(run->place, "/etc/apparmor.d/abi/4.0"))
        return 0;
    if (strpbrk(dir, "\"\n\\{}[]*?") ||
        str_format(content, sizeof content,
                   "abi <abi/4.0>,\n"
                   "include <tunables/global>\n"
                   "profile rootless-toolkit \"%s/{rootlesskit,rootless-setup}\" "
                   "flags=(unconfined) {\n"
                   "  userns,\n"
                   "  include if exists <local/rootless-toolkit>\n"
                   "}\n",
                   dir) < 0)
        return err_set(doing->err, EINVAL, "%s cannot stand in a profile of AppArmor", dir);
    return do_file(doing, "/etc/apparmor.d/rootless-toolkit", content, RELOAD_APPARMOR);
}

static int do_step(const struct doing *doing, const struct fix_step *step)
{
    switch (step->kind) {
    case FIX_SYSCTL:
        return do_sysctl(doing, step);
    case FIX_MODULES:
        return do_modules(doing, step);
    case FIX_DEVICE:
        return do_device(doing, step);
    case FIX_DELEGATE:
        return do_delegate(doing, step);
    case FIX_LINGER:
        return do_linger(doing);
    case FIX_APPARMOR:
        return do_apparmor(doing);
    default:
        return 0;
    }
}

/* Back to the entries that there were. */
static void take_back(const struct fix_run *run, size_t entries)
{
    struct err err = {0};
    for (size_t i = run->record->n; i-- > entries;)
        if (undo_change(run->place, &run->record->changes[i], false, run->teller, &err) == UNDONE)
            record_drop(run->record, i);
    (void)record_save(run->record, &err);
}

int fix_apply(struct fix_run *run, const struct fix_recipe *recipe, struct err *err)
{
    const struct doing doing = {.run = run, .check = recipe->check, .err = err};
    unsigned changed = run->changed, refused = run->refused;
    size_t entries = run->record->n;
    int r = 0;
    tell_begin(run->teller, recipe->check);
    for (size_t i = 0; r == 0 && i < FIX_STEPS_MAX && recipe->steps[i].name; i++)
        r = do_step(&doing, &recipe->steps[i]);
    if (r < 0 && !run->dry && run->record->n > entries) {
        tell_step(run->teller, (struct told){TELL_FAILED, .why = err ? err->msg : NULL});
        take_back(run, entries);
    }
    bool nothing = run->changed == changed && run->refused == refused;
    tell_outcome(run->teller,
                 r < 0                     ? "failed"
                 : nothing                 ? "nothing"
                 : run->refused != refused ? "left"
                 : run->dry                ? "planned"
                                           : "done",
                 r == 0 && nothing ? "nothing to do" : NULL);
    return r;
}

int fix_resume(struct fix_run *run, struct err *err)
{
    int r = 0;
    if (!run->record->unfinished || !run->place->running || run->dry)
        return 0;
    for (size_t i = 0; r == 0 && i < run->record->n; i++) {
        const struct change *change = &run->record->changes[i];
        if (change->kind == CHANGE_FILE && place_has(run->place, change->target))
            r = host_reload(change->reload, change->target, false, err);
    }
    return r;
}

int fix_finish(struct fix_run *run, struct err *err)
{
    if (run->dry || !run->record->unfinished)
        return 0;
    run->record->unfinished = false;
    return record_save(run->record, err);
}

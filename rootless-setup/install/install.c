#include "rootless-setup/install/install.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "rootless-setup/install/answer.h"
#include "rootless-setup/install/context.h"
#include "rootless-setup/install/failure.h"
#include "rootless-setup/install/service.h"
#include "rootless-setup/install/words.h"

/* One run of it. */
struct job {
    struct setup *setup;
    const struct install_options *options;
    struct deeds deeds;
    struct service service;
    struct context context;
    bool wrote; /* the unit or script is new or another one */
};

int install_find_programs(const struct engine *engine, struct err *err)
{
    char path[4096];
    const char *daemon = engine->daemon_variable ? getenv(engine->daemon_variable) : NULL;
    if (!daemon || !daemon[0])
        daemon = engine->daemon;
    if (proc_find(daemon, path, sizeof path) < 0)
        return err_set(err, ENOENT, "%s is not there: %s is not in $PATH; install the package (%s)",
                       engine->title, daemon, engine->package);
    return 0;
}

/* Text made by one of the writers; the caller's to free. */
static char *write_text(const struct service *service,
                        void (*writer)(const struct service *service, FILE *out))
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    writer(service, out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* Somebody's own file makes way, and comes back with uninstall. */
static int put_aside(struct job *job, const char *path, const struct own_file *own, struct err *err)
{
    char aside[4300];
    bool edited = own->state == OWN_EDITED;
    if (setup_aside_path(path, edited, aside, sizeof aside) < 0)
        return err_set(err, ENAMETOOLONG, "%s is too long a path", path);
    deed_note(&job->deeds, "%s %s: it is kept beside ours", path,
              edited ? "was edited since it was written" : "is not of rootless-setup");
    return deed_rename(&job->deeds, path, aside, err);
}

static int put_file(struct job *job, const char *path, struct own_file *own, unsigned mode,
                    void (*writer)(const struct service *service, FILE *out), struct err *err)
{
    struct own_memory memory = {0};
    cleanup_free char *text = write_text(&job->service, writer);
    if (!text)
        return err_sys(err, ENOMEM, "cannot write %s", path);
    if (own->state == OWN_INTACT && str_equal(own->text, text)) {
        deed_note(&job->deeds, "%s is as it should be", path);
        return 0;
    }
    int r = 0;
    if (own->state == OWN_INTACT)
        memory = own->memory;
    else if (str_copy(memory.context, sizeof memory.context, job->context.current) < 0 ||
             str_equal(memory.context, CONTEXT_NAME) || str_equal(memory.context, "default"))
        memory.context[0] = '\0';
    if (own->state == OWN_EDITED || own->state == OWN_FOREIGN)
        r = put_aside(job, path, own, err);
    if (r == 0)
        r = deed_write(&job->deeds, path, mode, text, own->state == OWN_INTACT, &memory, err);
    job->wrote = r == 0;
    return r;
}

/* Something else at our socket would keep the engine from starting. */
static int refuse_other(const struct job *job, struct err *err)
{
    const struct setup *setup = job->setup;
    pid_t pid = 0;
    if (!setup->socket[0] || job->options->force)
        return 0;
    cleanup_close int sock = answer_connect(setup->socket, &pid);
    if (sock < 0)
        return 0;
    return err_set(err, EADDRINUSE,
                   "process %d listens at %s already, and is not the service's: end it first "
                   "(kill %d), or try --force",
                   pid, setup->socket, pid);
}

/* What systemd read must be what we wrote. */
static int verify_unit(const struct job *job, const struct unit *unit, struct err *err)
{
    const struct engine *engine = job->setup->engine;
    if (str_equal(unit->load, "masked"))
        return err_set(err, EPERM, "%s is masked; type: systemctl --user unmask %s", engine->unit,
                       engine->unit);
    if (!str_equal(unit->load, "loaded"))
        return err_set(err, EIO,
                       "systemd does not take %s (%s): is its XDG_CONFIG_HOME another one? "
                       "systemctl --user show-environment tells",
                       job->setup->unit_path, unit->load);
    if (!str_equal(unit->path, job->setup->unit_path))
        return err_set(err, EEXIST, "systemd takes %s instead of %s: remove that file", unit->path,
                       job->setup->unit_path);
    return 0;
}

static int start_unit(struct job *job, const char *name, const struct unit *unit, struct err *err)
{
    if (job->options->no_start)
        return 0;
    if (unit_runs(unit)) {
        if (job->wrote)
            deed_note(&job->deeds,
                      "%s runs as it was started; to use the new unit (its containers stop): "
                      "systemctl --user restart %s",
                      name, name);
        return 0;
    }
    int r = refuse_other(job, err);
    if (r == 0 && str_equal(unit->active, "failed"))
        r = manager_do(&job->deeds, "reset-failed", name, err);
    if (r < 0)
        return r;
    r = manager_do(&job->deeds, "start", name, err);
    if (r == -EIO)
        failure_tell(name, job->deeds.out);
    return r < 0 ? err_wrap(err, r, "%s does not start", job->setup->engine->title) : 0;
}

static int enable_unit(struct job *job, const char *name, const struct unit *unit, struct err *err)
{
    return str_equal(unit->file, "enabled") ? 0 : manager_do(&job->deeds, "enable", name, err);
}

static int install_unit(struct job *job, struct err *err)
{
    struct setup *setup = job->setup;
    const char *name = setup->engine->unit;
    struct unit unit = {0};
    int r = put_file(job, setup->unit_path, &setup->unit, 0644, service_unit, err);
    if (r == 0)
        r = manager_unit(name, &unit, err);
    if (r == 0 && (job->wrote || str_equal(unit.reload, "yes"))) {
        r = manager_do(&job->deeds, "daemon-reload", NULL, err);
        if (r == 0)
            r = manager_unit(name, &unit, err);
    }
    if (r == 0 && !job->deeds.dry)
        r = verify_unit(job, &unit, err);
    if (r == 0)
        r = start_unit(job, name, &unit, err);
    return r < 0 ? r : enable_unit(job, name, &unit, err);
}

/* Nobody to ask: what systemd does when it is told to enable the unit. */
static int install_unit_offline(struct job *job, struct err *err)
{
    struct setup *setup = job->setup;
    char link[4400];
    int r = put_file(job, setup->unit_path, &setup->unit, 0644, service_unit, err);
    if (r < 0)
        return r;
    if (setup_wants_path(setup, link, sizeof link) < 0)
        return err_set(err, ENAMETOOLONG, "%s is too long a path", setup->unit_path);
    if (access(link, F_OK) < 0)
        r = deed_link(&job->deeds, link, setup->unit_path, err);
    deed_note(&job->deeds, "%s starts with the user's next login", setup->engine->title);
    return r;
}

/* The distribution has a unit for it, which starts the engine when somebody asks it something. */
static int install_vendor(struct job *job, struct unit *unit, struct err *err)
{
    const char *name = job->setup->engine->vendor_unit;
    deed_note(&job->deeds, "%s comes with a unit of its own: %s", job->setup->engine->title,
              unit->path);
    int r = start_unit(job, name, unit, err);
    return r < 0 ? r : enable_unit(job, name, unit, err);
}

static int install_with_manager(struct job *job, struct err *err)
{
    struct unit vendor = {0};
    const char *name = job->setup->engine->vendor_unit;
    if (name && job->setup->unit.state == OWN_ABSENT && job->options->n_args == 0) {
        int r = manager_unit(name, &vendor, err);
        if (r < 0)
            return r;
        if (str_equal(vendor.load, "loaded"))
            return install_vendor(job, &vendor, err);
    }
    return install_unit(job, err);
}

static int install_script(struct job *job, struct err *err)
{
    struct setup *setup = job->setup;
    int r = put_file(job, setup->script_path, &setup->script, 0755, service_script, err);
    if (r < 0)
        return r;
    FILE *out = job->deeds.out;
    (void)fprintf(out,
                  "No systemd runs here, so nothing starts %s by itself. To start it, type\n  ",
                  setup->engine->title);
    words_shell(out, setup->script_path);
    (void)fprintf(out, "\nor, so that it outlives the terminal,\n  setsid -f ");
    words_shell(out, setup->script_path);
    (void)fprintf(out, " >");
    words_shell(out, setup->script_path);
    (void)fprintf(out, ".log 2>&1 </dev/null\n");
    return 0;
}

static int set_context(struct job *job, struct err *err)
{
    const struct setup *setup = job->setup;
    if (!setup->engine->context || job->options->no_context || !setup->socket[0])
        return 0;
    if (!job->context.client) {
        deed_note(&job->deeds, "docker's client is not in $PATH, so no context was made for it");
        return 0;
    }
    int r = context_set(&job->deeds, &job->context, setup->socket, err);
    if (r == 0 && job->context.variable[0])
        deed_note(&job->deeds,
                  "docker does not use the context \"" CONTEXT_NAME "\" while %s is set: unset it",
                  job->context.variable);
    return r;
}

static void tell_environment(const struct job *job)
{
    const struct setup *setup = job->setup;
    const struct engine *engine = setup->engine;
    char word[4300];
    FILE *out = job->deeds.out;
    if (job->service.path_cut)
        deed_note(&job->deeds, "directories of $PATH that are relative, empty or not UTF-8 are not "
                               "in the service's");
    if (!engine->socket_variable || !setup->socket[0] ||
        str_format(word, sizeof word, "unix://%s", setup->socket) < 0)
        return;
    (void)fprintf(out, "For %s:\n  export %s=",
                  engine->context ? "programs that know no docker contexts" : "clients",
                  engine->socket_variable);
    words_shell(out, word);
    (void)fputc('\n', out);
}

static void tell_linger(const struct job *job)
{
    const struct check_context *context = job->setup->context;
    if (job->setup->manager == MANAGER_NONE || job->options->linger || setup_lingers(context))
        return;
    deed_note(&job->deeds,
              "%s ends with the last logout of %s, and does not start at boot, unless: "
              "loginctl enable-linger %s",
              job->setup->engine->title, context->subject.name, context->subject.name);
}

int install_run(struct setup *setup, const struct install_options *options, FILE *out,
                struct err *err)
{
    static struct job job;
    job = (struct job){
        .setup = setup,
        .options = options,
        .deeds = {.place = &setup->place, .dry = options->dry_run, .out = out},
    };
    int r = service_gather(setup->engine, &setup->dirs, options->args, options->n_args,
                           &job.service, err);
    if (r < 0)
        return r;
    if (setup->engine->context)
        context_read(&job.context);
    if (setup->manager == MANAGER_ANSWERS)
        r = install_with_manager(&job, err);
    else if (setup->manager == MANAGER_NONE)
        r = install_script(&job, err);
    else if (options->force || options->no_start)
        r = install_unit_offline(&job, err);
    else
        r = err_set(err, EIO,
                    "systemd runs here, but not for this session (%s): log in as the user by ssh, "
                    "on the console or with machinectl shell, or add --no-start",
                    setup->silence);
    if (r == 0)
        r = set_context(&job, err);
    if (r < 0)
        return r;
    tell_environment(&job);
    tell_linger(&job);
    if (job.deeds.n == 0)
        deed_note(&job.deeds, "nothing to do");
    else if (options->dry_run)
        deed_note(&job.deeds, "Nothing was done (--dry-run).");
    return 0;
}

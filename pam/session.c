/*
 * Theory of operation
 *
 * A user's state (state.h) is read, changed and written under his lock. What is about to be made is
 * written down before it is made, so that a crash at any moment leaves nothing that no later
 * session knows of:
 *
 *   open    forget sessions whose opener is gone; write down this one, the runtime directory by its
 *           inode, the cgroup; then make them; the first session starts the engine
 *   close   forget this one and those whose opener is gone. If none is left: have the engine
 *           end, and remove what was made
 *
 * An opener is known by its pid and the time it began, so a pid used again is another process, and
 * all openers of another boot are gone. A session is closed by its serial number, from whatever
 * process.
 *
 * An engine takes its time to end, and needs the runtime directory until then. So a process that
 * outlives the logout waits for it and then removes what was made; if the user has come back
 * meanwhile it starts the engine anew instead.
 */
#include "pam/session.h"

#include <errno.h>
#include <signal.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/base/birth.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "pam/cgroup.h"
#include "pam/engine.h"
#include "pam/helper.h"
#include "pam/ranges.h"
#include "pam/runtime_dir.h"
#include "pam/store.h"

#define REMOVE_MS 2000        /* a logout that takes longer is noticed */
#define REMOVE_LATER_MS 30000 /* nobody waits for it */
#define ENGINE_END_MS 60000

/* Too large for a stack that is the host's. */
static struct state state;

static bool is_alive(const struct state_process *process)
{
    uint64_t birth = 0;
    int r = birth_of(process->pid, &birth);
    if (r == 0)
        return birth == process->birth;
    return r != -ESRCH && kill(process->pid, 0) == 0; /* /proc does not tell */
}

/* ---- the state ---- */

/* @return 0 with the user's state locked, read and rid of the dead; close the store in any case */
static int begin(struct store *store, struct session_job *job, unsigned wait_ms)
{
    struct err err = {0};
    int r = store_open(store, job->subject.uid, wait_ms, &err);
    if (r < 0) {
        notes_add(&job->notes, LOG_WARNING, "the session of %s is not counted: %s",
                  job->subject.name, err.msg);
        return r;
    }
    if (store_load(store, &state, &err) < 0)
        notes_add(&job->notes, LOG_WARNING, "%s", err.msg);
    size_t gone = state_reconcile(&state, store->boot, is_alive);
    if (gone > 0)
        notes_add(&job->notes, LOG_DEBUG, "%zu sessions of %s ended without being closed", gone,
                  job->subject.name);
    return 0;
}

static int save(const struct store *store, struct session_job *job)
{
    struct err err = {0};
    int r = store_save(store, &state, &err);
    if (r < 0)
        notes_add(&job->notes, LOG_WARNING, "the session of %s is not counted: %s",
                  job->subject.name, err.msg);
    return r;
}

/* ---- opening ---- */

/* Where there is a session manager, a directory or subtree of ours would get in its way, also when
 * it was not asked about this session. */
static bool is_managed(const struct session_job *job)
{
    return job->managed || access("/run/systemd/system", F_OK) == 0 ||
           access("/run/elogind.pid", F_OK) == 0;
}

/* What open works with. */
struct opening {
    struct session_job *job;
    struct store store;
    bool first;    /* no other session of the user's */
    bool make_dir; /* may be made */
    bool new_dir;  /* was prepared */
    bool cgroup;
    int dir; /* fd of the runtime directory */
};

static void find_dir(struct opening *opening)
{
    struct session_job *job = opening->job;
    struct err err = {0};
    opening->dir = runtime_dir_find(&job->subject, opening->make_dir, &err);
    if (opening->dir == -ENOENT && opening->make_dir) {
        err = (struct err){0};
        opening->new_dir =
            runtime_dir_prepare(&job->subject, &state.dir_dev, &state.dir_ino, &err) == 0;
        state.has_dir = state.has_dir || opening->new_dir;
    }
    if (err.code)
        notes_add(&job->notes, LOG_WARNING, "%s", err.msg);
}

static void publish_dir(struct opening *opening)
{
    struct session_job *job = opening->job;
    struct err err = {0};
    opening->dir = runtime_dir_publish(&job->subject, &err);
    if (opening->dir < 0)
        notes_add(&job->notes, LOG_WARNING, "%s", err.msg);
    else
        notes_add(&job->notes, LOG_DEBUG, "made %s", job->subject.runtime);
}

/* Not written down: nobody would remove it. */
static void discard_dir(struct session_job *job)
{
    runtime_dir_discard(&job->subject);
    notes_add(&job->notes, LOG_WARNING, "%s is not made: nobody would know to remove it",
              job->subject.runtime);
}

static void enter_cgroup(struct session_job *job)
{
    const struct subject *subject = &job->subject;
    char name[32];
    struct err err = {0};
    (void)str_format(name, sizeof name, "session-%u", job->serial);
    int r = cgroup_make(subject, &job->notes, &err);
    if (r == 0)
        cgroup_sweep(subject->uid);
    int outside = r < 0 ? 0 : cgroup_outside(subject->uid, job->opener.pid, job->origin);
    if (outside > 0)
        r = cgroup_enter(subject, name, job->opener.pid, &err);
    if (outside <= 0 || r < 0)
        job->origin[0] = '\0';
    if (r == -EROFS)
        notes_add(&job->notes, LOG_DEBUG, "no cgroup is delegated: %s", err.msg);
    else if (r < 0)
        notes_add(&job->notes, LOG_WARNING, "%s has no cgroup of his own: %s", subject->name,
                  err.msg);
}

/* One that cannot be written down ends again: nobody would stop it at the logout. */
static void start_engine(const struct store *store, struct session_job *job)
{
    struct err err = {0};
    char group[32];
    (void)str_format(group, sizeof group, "engine-%u", state.serial);
    if (engine_start(&job->subject, job->options.engine, state.has_cgroup ? group : NULL,
                     &state.engine, &err) < 0) {
        notes_add(&job->notes, LOG_WARNING, "%s: %s", job->subject.name, err.msg);
        return;
    }
    notes_add(&job->notes, LOG_DEBUG, "started %s for %s, process %d", job->options.engine,
              job->subject.name, state.engine.pid);
    if (save(store, job) == 0)
        return;
    (void)engine_stop(&state.engine);
    state.engine = (struct state_process){0};
}

static void count(struct opening *opening)
{
    struct session_job *job = opening->job;
    opening->first = state.n == 0;
    int64_t serial = state_add(&state, job->opener);
    if (serial < 0)
        notes_add(&job->notes, LOG_WARNING, "%s has %d sessions: this one is not counted",
                  job->subject.name, STATE_SESSIONS_MAX);
    else
        job->serial = (uint32_t)serial;
}

static void open_counted(struct opening *opening)
{
    struct session_job *job = opening->job;
    count(opening);
    opening->cgroup = !is_managed(job) && !job->options.no_cgroup && cgroup_is_ours();
    state.has_cgroup = state.has_cgroup || opening->cgroup;
    find_dir(opening);
    bool written_down = save(&opening->store, job) == 0;
    if (!written_down)
        job->serial = 0;
    if (opening->new_dir && written_down)
        publish_dir(opening);
    else if (opening->new_dir)
        discard_dir(job);
    if (opening->cgroup && job->serial)
        enter_cgroup(job);
    if (job->options.engine && opening->first && written_down && opening->dir >= 0 &&
        !state.engine.pid)
        start_engine(&opening->store, job);
}

void session_open(void *arg)
{
    struct session_job *job = arg;
    const struct options *options = &job->options;
    struct opening opening = {.job = job, .dir = -EBADF};
    unsigned wait_ms = options->wait_s * 1000;
    job->has_ids = ranges_provide(&job->subject, !options->no_subid, wait_ms, &job->notes);
    opening.make_dir = !options->no_runtime_dir && !is_managed(job);
    if (begin(&opening.store, job, wait_ms) == 0)
        open_counted(&opening);
    else
        opening.dir = runtime_dir_find(&job->subject, false, NULL);
    if (opening.dir >= 0)
        export_find(&job->export, &job->subject, opening.dir);
    /* It will be there in a moment; who asks too early is told so by the client. */
    if (job->export.runtime && state.engine.pid && str_equal(options->engine, "docker"))
        job->export.docker_socket = true;
    opening.dir = fd_close(opening.dir);
    store_close(&opening.store);
}

/* ---- closing ---- */

static void undo(struct session_job *job, int64_t deadline)
{
    struct err err = {0};
    uid_t uid = job->subject.uid;
    if (state.has_dir && runtime_dir_remove(uid, state.dir_dev, state.dir_ino, deadline, &err) < 0)
        notes_add(&job->notes, LOG_NOTICE, "%s", err.msg);
    else
        state.has_dir = false;
    int r = state.has_cgroup ? cgroup_remove(uid, deadline) : 0;
    if (r < 0)
        notes_add(&job->notes, LOG_DEBUG, "the cgroup of %s stays: processes of his go on",
                  job->subject.name);
    state.has_cgroup = r < 0;
}

/* Outlives the logout. What it has to say nobody would hear. */
static void clear_up_later(void *arg)
{
    struct session_job *job = arg;
    struct store store;
    struct state_process engine = state.engine;
    engine_await(&engine, ENGINE_END_MS);
    if (begin(&store, job, REMOVE_LATER_MS) == 0) {
        if (state.n == 0 && !state.engine.pid)
            undo(job, clock_ms() + REMOVE_LATER_MS);
        else if (job->options.engine && !state.engine.pid)
            start_engine(&store, job);
        (void)save(&store, job);
    }
    store_close(&store);
}

static void end_last(struct session_job *job)
{
    if (state.engine.pid && engine_stop(&state.engine) == 0) {
        if (helper_detach(clear_up_later, job) < 0)
            notes_add(&job->notes, LOG_WARNING,
                      "nobody waits for the engine of %s to end: his next logout clears up",
                      job->subject.name);
        return;
    }
    state.engine = (struct state_process){0};
    undo(job, clock_ms() + REMOVE_MS);
}

void session_close(void *arg)
{
    struct session_job *job = arg;
    struct store store;
    if (job->origin[0])
        cgroup_leave(job->subject.uid, job->opener.pid, job->origin);
    cgroup_leave(job->subject.uid, getpid(), job->origin); /* we were born there */
    if (begin(&store, job, job->options.wait_s * 1000) == 0) {
        state_drop(&state, job->serial);
        if (state.has_cgroup)
            cgroup_sweep(job->subject.uid);
        if (state.n == 0 && !job->options.linger)
            end_last(job);
        (void)save(&store, job);
    }
    store_close(&store);
}

/*
 * pam_rootless.so: what libpam calls.
 *
 * Here is the PAM handle: who logs in, what is logged, which variables are set, what is kept until
 * the session closes. The work is done in another process (helper.h, session.c): the host
 * application finds itself as it was. Whatever goes wrong, the answer is PAM_SUCCESS, because an
 * answer that says less would refuse the login where no other module stands beside us; only
 * required_ready refuses one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <security/pam_modutil.h>

#include "lib/base/birth.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/subid/logindefs.h"
#include "pam/helper.h"
#include "pam/session.h"

#define DATA "pam_rootless_session"
#define LOGIN_MIN_DEFAULT 1000
/* Beside the waits for locks: reading all users of a directory service, removing the runtime
 * directory. */
#define WORK_MS 20000

#define PUBLIC __attribute__((visibility("default")))

/* What is kept from open to close. The whole user, because at close nobody may know him any more,
 * and an engine may have to be started anew for him. */
struct kept {
    struct subject subject;
    uint32_t serial;
    struct state_process opener;
    unsigned opened; /* the module may stand twice in a stack */
    char origin[PATH_MAX];
};

/* One call. */
struct call {
    pam_handle_t *pamh;
    struct options options;
    const char *service;
    struct session_job *job; /* shared with the helper */
};

/* ---- logging ---- */

static bool is_logged(const struct options *options, int priority)
{
    if (priority == LOG_DEBUG)
        return options->debug;
    return !options->quiet || priority <= LOG_ERR;
}

static void log_fault(const struct err *fault, void *pamh)
{
    pam_syslog(pamh, LOG_ERR, "%s", fault->msg);
}

/* They were told when the session opened. */
static void ignore_fault(const struct err *fault, void *pamh)
{
    (void)fault;
    (void)pamh;
}

static void log_debug(const struct call *call, const char *what, const char *why)
{
    if (call->options.debug)
        pam_syslog(call->pamh, LOG_DEBUG, "%s: %s", what, why);
}

static void log_notes(const struct call *call)
{
    const struct notes *notes = &call->job->notes;
    size_t n = notes->n < NOTES_MAX ? notes->n : NOTES_MAX;
    for (size_t i = 0; i < n; i++)
        if (is_logged(&call->options, notes->items[i].priority))
            pam_syslog(call->pamh, notes->items[i].priority, "%.*s",
                       (int)sizeof notes->items[i].text, notes->items[i].text);
}

/* ---- whom ---- */

static uint32_t read_login_min(void)
{
    struct subid_place place;
    struct subid_limits limits[2];
    uint32_t min = LOGIN_MIN_DEFAULT;
    if (subid_place_open(&place, NULL, NULL) == 0 && subid_limits_read(&place, limits, NULL) == 0)
        min = limits[SUBID_UID].login_min;
    subid_place_close(&place);
    return min;
}

static bool is_service_served(struct call *call)
{
    const void *service = NULL;
    if (pam_get_item(call->pamh, PAM_SERVICE, &service) != PAM_SUCCESS || !service)
        service = "";
    call->service = service;
    if (!options_skip(&call->options, call->service))
        return true;
    log_debug(call, call->service, "skipped, nothing is done");
    return false;
}

/* @return PAM_SUCCESS with the user; PAM_IGNORE for one who is left alone; PAM_USER_UNKNOWN */
static int find_subject(struct call *call, struct subject *ret)
{
    const char *name = NULL;
    if (pam_get_user(call->pamh, &name, NULL) != PAM_SUCCESS || !name || !name[0]) {
        pam_syslog(call->pamh, LOG_ERR, "cannot tell whose session this is");
        return PAM_USER_UNKNOWN;
    }
    const struct passwd *pw = pam_modutil_getpwnam(call->pamh, name);
    if (!pw || subject_of(pw, ret) < 0) {
        pam_syslog(call->pamh, LOG_ERR, "%s",
                   pw ? "the user's names are too long" : "no such user");
        return PAM_USER_UNKNOWN;
    }
    if (subject_is_served(pw->pw_uid, &call->options, read_login_min()))
        return PAM_SUCCESS;
    log_debug(call, pw->pw_name, "no ordinary user, left alone");
    return PAM_IGNORE;
}

/* ---- what is kept ---- */

static const struct kept *find_kept(pam_handle_t *pamh)
{
    const void *data = NULL;
    return pam_get_data(pamh, DATA, &data) == PAM_SUCCESS ? data : NULL;
}

/* The user as he was when the session opened: he may be gone by now, be somebody else of that name,
 * or the directory service that knew him may not answer. */
static void recall(const struct call *call, const struct kept *kept)
{
    struct session_job *job = call->job;
    job->subject = kept->subject;
    job->serial = kept->serial;
    job->opener = kept->opener;
    (void)str_copy(job->origin, sizeof job->origin, kept->origin);
}

/* Also of a child of the host's: only the copy goes. */
static void forget(pam_handle_t *pamh, void *data, int status)
{
    (void)pamh;
    (void)status;
    free(data);
}

static int keep(const struct call *call, unsigned opened)
{
    const struct session_job *job = call->job;
    struct kept *kept = malloc(sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *kept = (struct kept){
        .subject = job->subject, .serial = job->serial, .opener = job->opener, .opened = opened};
    (void)str_copy(kept->origin, sizeof kept->origin, job->origin);
    if (pam_set_data(call->pamh, DATA, kept, forget) == PAM_SUCCESS)
        return 0;
    free(kept);
    return -ENOMEM;
}

/* ---- a call ---- */

static bool make_job(struct call *call)
{
    void *job =
        mmap(NULL, sizeof *call->job, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    call->job = job == MAP_FAILED ? NULL : job;
    if (!call->job)
        pam_syslog(call->pamh, LOG_ERR, "no memory");
    return call->job != NULL;
}

static void end(struct call *call)
{
    if (call->job)
        (void)munmap(call->job, sizeof *call->job);
}

/* @return PAM_SUCCESS to go on; else it is over with that, where PAM_IGNORE means nothing to do */
static int begin(struct call *call, pam_handle_t *pamh, int argc, const char **argv,
                 options_fault_fn *fault_fn)
{
    *call = (struct call){.pamh = pamh};
    options_parse(&call->options, argc, argv, fault_fn, pamh);
    if (!is_service_served(call))
        return PAM_IGNORE;
    if (!make_job(call))
        return PAM_BUF_ERR;
    call->job->options = call->options;
    const struct kept *kept = find_kept(pamh);
    int r = PAM_SUCCESS;
    if (kept)
        recall(call, kept);
    else
        r = find_subject(call, &call->job->subject);
    if (r == PAM_SUCCESS && geteuid() != 0) {
        log_debug(call, call->job->subject.name, "this process is not root's, nothing is done");
        return PAM_IGNORE;
    }
    return r;
}

static int run(struct call *call, helper_fn *fn)
{
    struct err err = {0};
    call->job->notes.n = 0;
    int r = helper_run(fn, call->job, WORK_MS + 2 * 1000 * call->options.wait_s, &err);
    log_notes(call);
    if (r < 0 && is_logged(&call->options, LOG_WARNING))
        pam_syslog(call->pamh, LOG_WARNING, "%s: %s", call->job->subject.name, err.msg);
    return r;
}

/* ---- close ---- */

/* Without what open kept, because it was another program that opened: the dead are counted. */
static void close_session(struct call *call)
{
    const struct kept *kept = find_kept(call->pamh);
    if (kept && kept->opened > 1) {
        (void)keep(call, kept->opened - 1);
        return;
    }
    if (call->job->opener.pid != getpid())
        call->job->origin[0] = '\0'; /* it is the opener's */
    (void)run(call, session_close);
    if (kept)
        (void)pam_set_data(call->pamh, DATA, NULL, NULL);
}

/* ---- open ---- */

static void set_variable(const char *name, const char *value, void *arg)
{
    const struct call *call = arg;
    char text[256];
    if (pam_getenv(call->pamh, name) || str_format(text, sizeof text, "%s=%s", name, value) < 0)
        return;
    if (pam_putenv(call->pamh, text) != PAM_SUCCESS)
        pam_syslog(call->pamh, LOG_ERR, "cannot set %s", name);
}

/* Sockets are those in our directory: who was given another by somebody else finds others there. */
static void set_variables(struct call *call)
{
    const struct session_job *job = call->job;
    const char *runtime = pam_getenv(call->pamh, "XDG_RUNTIME_DIR");
    if (call->options.no_environment || (runtime && !str_equal(runtime, job->subject.runtime)))
        return;
    export_each(&job->export, &job->subject, set_variable, call);
}

static int judge(const struct call *call)
{
    const struct session_job *job = call->job;
    if (!call->options.required_ready || (job->has_ids && job->export.runtime))
        return PAM_SUCCESS;
    pam_syslog(call->pamh, LOG_ERR, "%s has no %s, and required_ready is set: session refused",
               job->subject.name, job->has_ids ? "runtime directory" : "subordinate ids");
    return PAM_SESSION_ERR;
}

static int open_new(struct call *call)
{
    struct session_job *job = call->job;
    job->managed =
        pam_getenv(call->pamh, "XDG_SESSION_ID") || pam_getenv(call->pamh, "XDG_RUNTIME_DIR");
    job->opener.pid = getpid();
    (void)birth_of(job->opener.pid, &job->opener.birth);
    (void)run(call, session_open);
    if (keep(call, 1) < 0)
        pam_syslog(call->pamh, LOG_ERR, "no memory: the session ends with its process");
    int r = judge(call);
    if (r == PAM_SUCCESS)
        set_variables(call);
    else
        close_session(call); /* the application does not close what was refused */
    return r;
}

PUBLIC int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    struct call call;
    (void)flags;
    int r = begin(&call, pamh, argc, argv, log_fault);
    const struct kept *kept = r == PAM_SUCCESS ? find_kept(pamh) : NULL;
    if (kept) /* the same module once more in the stack of one session */
        (void)keep(&call, kept->opened + 1);
    else if (r == PAM_SUCCESS)
        r = open_new(&call);
    else if (r == PAM_IGNORE || !call.options.required_ready)
        r = PAM_SUCCESS;
    end(&call);
    return r;
}

PUBLIC int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    struct call call;
    (void)flags;
    if (begin(&call, pamh, argc, argv, ignore_fault) == PAM_SUCCESS)
        close_session(&call);
    end(&call);
    return PAM_SUCCESS;
}

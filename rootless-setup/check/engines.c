/* What engines' own scripts start and meet: tools, another engine, a /proc that hides processes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "rootless-setup/check/endpoint.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/quote.h"

void probe_tools(const struct check_context *context, struct check_result *result)
{
    static const struct {
        const char *name, *package;
    } tools[] = {{"nsenter", "util-linux"}, {"sysctl", "procps"}, {"ip", "iproute2"}};
    char path[4096], missing[128] = "";
    for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++) {
        if (files_program(&context->files, tools[i].name, path, sizeof path) == 0)
            continue;
        size_t used = strlen(missing);
        (void)snprintf(missing + used, sizeof missing - used, "%s%s", used ? ", " : "",
                       tools[i].name);
        check_remedy(result, REMEDY_NOTE, "install %s (package %s, or of a similar name)",
                     tools[i].name, tools[i].package);
    }
    if (missing[0] == '\0') {
        check_say(result, CHECK_OK, "found nsenter, sysctl and ip");
        return;
    }
    check_say(result, CHECK_WARNING, "not in $PATH nor in /usr/sbin: %s", missing);
    check_cause(result, "the start scripts of Docker and containerd call them");
}

void probe_rootful(const struct check_context *context, struct check_result *result)
{
    static const char path[] = "/var/run/docker.sock";
    uid_t uid;
    (void)context;
    if (endpoint_try(path, &uid) < 0) {
        check_say(result, CHECK_OK, "no Docker of root's answers to me");
        return;
    }
    check_say(result, CHECK_HINT, "%s takes me", path);
    check_cause(result,
                "root's Docker runs here too, and the user may command it, which is as good "
                "as being root: docker asks there unless a context or DOCKER_HOST says "
                "otherwise");
    check_remedy(result, REMEDY_ROOT, "systemctl disable --now docker.service docker.socket");
    check_remedy(result, REMEDY_NOTE,
                 "or keep both: rootless-setup install docker leaves it alone");
}

void probe_hidepid(const struct check_context *context, struct check_result *result)
{
    (void)context;
    cleanup_close int fd = open("/proc/1/stat", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        check_say(result, CHECK_OK, "/proc shows processes of others");
        return;
    }
    check_say_errno(result, CHECK_WARNING, errno, "reading /proc/1/stat");
    check_cause(result, "/proc hides the processes of others (hidepid): what asks systemd for a "
                        "cgroup, or looks whose a process is, is refused");
    check_remedy(result, REMEDY_ROOT, "mount -o remount,hidepid=0 /proc");
    check_remedy(result, REMEDY_NOTE, "take hidepid= out of /proc's line in /etc/fstab");
}

enum holder { NO_STATE, LEFT_OVER, RUNNING };

/* A state directory whose lock nobody holds was left by a crash. @param ret  the directory */
static enum holder find_state(const struct check_subject *subject, const char *name, char *ret,
                              size_t size)
{
    char lock[4300];
    if (str_format(ret, size, "%s/%s", subject->runtime_dir, name) < 0 || access(ret, F_OK) < 0 ||
        str_format(lock, sizeof lock, "%s/lock", ret) < 0)
        return NO_STATE;
    cleanup_close int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? LEFT_OVER : RUNNING;
    return flock(fd, LOCK_EX | LOCK_NB) == 0 ? LEFT_OVER : RUNNING;
}

/* The start script of either refuses to start while the other runs. */
static void say_conflict(const struct check_context *context, const char *path,
                         struct check_result *result)
{
    check_say(result, CHECK_FAILED, "an engine that runs holds %s", path);
    check_cause(result,
                "%s does not start beside it: \"dockerd-rootless.sh conflicts with "
                "containerd-rootless.sh\"",
                check_engine_name(context->engine));
    check_remedy(result, REMEDY_USER, "systemctl --user disable --now %s.service",
                 context->engine == ENGINE_DOCKER ? "containerd" : "docker");
}

void probe_state(const struct check_context *context, struct check_result *result)
{
    static const struct {
        const char *name;
        enum check_engine engine;
    } states[] = {{"dockerd-rootless", ENGINE_DOCKER}, {"containerd-rootless", ENGINE_CONTAINERD}};
    char path[4200], word[4300];
    bool any = false;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        enum holder holder = find_state(&context->subject, states[i].name, path, sizeof path);
        if (holder == RUNNING && context->engine != ENGINE_ANY &&
            context->engine != states[i].engine) {
            say_conflict(context, path, result);
            return;
        }
        if (holder != LEFT_OVER)
            continue;
        if (!any)
            check_say(result, CHECK_WARNING, "nobody holds %s", path);
        check_remedy(result, REMEDY_USER, "rm -r %s", quote_word(path, word, sizeof word));
        any = true;
    }
    if (any)
        check_cause(result, "it was left by an engine that was killed; one engine's start script "
                            "refuses to start beside the other's directory");
    else
        check_say(result, CHECK_OK, "no state of an engine is left in %s",
                  context->subject.runtime_dir);
}

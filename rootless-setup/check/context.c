/* Where the docker command goes: DOCKER_HOST, a context, or root's socket; and who is there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootless-setup/check/endpoint.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/quote.h"

#define CONFIG_MAX (1 << 20)
#define CONTEXTS_MAX 1024

/* What the docker command would take, and on whose word. */
struct choice {
    char host[4200];    /* "unix:///..."; "" without a choice */
    char context[256];  /* name; "" when it is none's */
    const char *source; /* "DOCKER_HOST" */
    bool missing;       /* the context does not exist */
};

static json_t *read_json(int dir_fd, const char *path)
{
    cleanup_free char *text = NULL;
    if (file_read(dir_fd, path, CONFIG_MAX, &text, NULL, NULL) < 0)
        return NULL;
    return json_loads(text, 0, NULL);
}

/* Of a context's meta.json: {"Name": "...", "Endpoints": {"docker": {"Host": "..."}}}. */
static bool take_context(json_t *meta, struct choice *choice)
{
    json_t *docker = json_object_get(json_object_get(meta, "Endpoints"), "docker");
    const char *name = json_string_value(json_object_get(meta, "Name"));
    const char *host = json_string_value(json_object_get(docker, "Host"));
    return str_equal(name, choice->context) && host &&
           str_copy(choice->host, sizeof choice->host, host) == 0;
}

/* Folders are named by a hash of the name; the file inside has the name itself. */
static bool find_context(const char *config, struct choice *choice)
{
    char path[4300];
    bool found = false;
    DIR *dir = str_format(path, sizeof path, "%s/contexts/meta", config) > 0 ? opendir(path) : NULL;
    for (int n = 0; dir && !found && n < CONTEXTS_MAX; n++) {
        char file[300];
        const struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        if (entry->d_name[0] == '.' ||
            str_format(file, sizeof file, "%s/meta.json", entry->d_name) < 0)
            continue;
        json_t *meta = read_json(dirfd(dir), file);
        found = take_context(meta, choice);
        json_decref(meta);
    }
    if (dir)
        (void)closedir(dir);
    return found;
}

static void config_dir(const struct check_subject *subject, char *ret, size_t size)
{
    const char *set = subject->switch_user ? NULL : getenv("DOCKER_CONFIG");
    if (!set || set[0] != '/' || str_copy(ret, size, set) < 0)
        (void)str_format(ret, size, "%s/.docker", subject->home);
}

/* In docker's own order. */
static void choose(const struct check_subject *subject, struct choice *choice)
{
    char config[4200], path[4300];
    const char *host = subject->switch_user ? NULL : getenv("DOCKER_HOST");
    const char *name = subject->switch_user ? NULL : getenv("DOCKER_CONTEXT");
    config_dir(subject, config, sizeof config);
    *choice = (struct choice){.source = "DOCKER_HOST"};
    if (host && host[0]) {
        (void)str_copy(choice->host, sizeof choice->host, host);
        return;
    }
    choice->source = "DOCKER_CONTEXT";
    json_t *root = NULL;
    if (!name || !name[0]) {
        choice->source = "config.json";
        root = str_format(path, sizeof path, "%s/config.json", config) > 0
                   ? read_json(AT_FDCWD, path)
                   : NULL;
        name = json_string_value(json_object_get(root, "currentContext"));
    }
    if (name && !str_equal(name, "default") && name[0] &&
        str_copy(choice->context, sizeof choice->context, name) == 0)
        choice->missing = !find_context(config, choice);
    json_decref(root);
}

/* A user's own engine, in the place where setup tools put it. */
static bool own_socket(const struct check_subject *subject, char *ret, size_t size)
{
    uid_t uid;
    return str_format(ret, size, "%s/docker.sock", subject->runtime_dir) > 0 &&
           endpoint_try(ret, &uid) == 0 && uid == subject->uid;
}

static void remedy(const struct check_context *context, const struct choice *choice,
                   struct check_result *result)
{
    char path[4200], word[4300];
    if (str_equal(choice->source, "DOCKER_HOST"))
        check_remedy(result, REMEDY_NOTE, "take DOCKER_HOST out of ~/.bashrc or ~/.profile");
    else if (choice->context[0])
        check_remedy(result, REMEDY_USER, "docker context use default");
    if (own_socket(&context->subject, path, sizeof path))
        check_remedy(result, REMEDY_USER, "export DOCKER_HOST=unix://%s",
                     quote_word(path, word, sizeof word));
    else if (str_equal(choice->source, "DOCKER_HOST"))
        check_remedy(result, REMEDY_USER, "unset DOCKER_HOST");
    else
        check_remedy(result, REMEDY_NOTE,
                     "or start the engine that the context means: systemctl --user start docker");
}

static void judge(const struct check_context *context, const struct choice *choice,
                  const char *path, struct check_result *result)
{
    uid_t uid = 0;
    const char *of = choice->context[0] ? choice->context : choice->source;
    int r = endpoint_try(path, &uid);
    if (r < 0) {
        check_say_errno(result, CHECK_WARNING, -r, "%s leads to %s", of, path);
        check_cause(result, "nobody listens there: docker says \"Cannot connect to the Docker "
                            "daemon\", whatever else runs");
        remedy(context, choice, result);
    } else if (uid == context->subject.uid) {
        check_say(result, CHECK_OK, "%s leads to %s, an engine of %s's own", of, path,
                  context->subject.name);
    } else {
        check_say(result, CHECK_WARNING, "%s leads to %s, an engine of uid %u", of, path, uid);
        check_cause(result, uid == 0 ? "that is root's engine, not a rootless one: what docker "
                                       "does there, root does"
                                     : "that is another user's engine");
        remedy(context, choice, result);
    }
}

static void say_default(const struct check_context *context, struct check_result *result)
{
    char path[4200], word[4300];
    if (!own_socket(&context->subject, path, sizeof path)) {
        check_say(result, CHECK_OK, "no context is chosen, and DOCKER_HOST is not set");
        return;
    }
    check_say(result, CHECK_HINT, "%s answers, but docker does not ask there", path);
    check_cause(result, "neither a context nor DOCKER_HOST says so: docker asks root's socket");
    check_remedy(result, REMEDY_USER, "export DOCKER_HOST=unix://%s",
                 quote_word(path, word, sizeof word));
}

void probe_context(const struct check_context *context, struct check_result *result)
{
    static struct choice choice;
    choose(&context->subject, &choice);
    const char *path = str_after(choice.host, "unix://");
    if (choice.missing) {
        check_say(result, CHECK_WARNING, "%s names the context %s, which does not exist",
                  choice.source, choice.context);
        check_cause(result, "docker refuses every command: the context was removed, or never made");
        remedy(context, &choice, result);
    } else if (choice.host[0] == '\0') {
        say_default(context, result);
    } else if (path) {
        judge(context, &choice, path, result);
    } else {
        check_say(result, CHECK_OK, "%s leads to %s, which is not tried", choice.source,
                  choice.host);
    }
}

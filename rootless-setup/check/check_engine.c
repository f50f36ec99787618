#include "rootless-setup/check/check_engine.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/str.h"
#include "rootless-setup/check/files.h"
#include "rootless-setup/check/subject.h"
#include "rootless-setup/engine/engine.h"

#define CONFIG_MAX (1 << 20)

const char *const check_engine_names[] = {"docker", "containerd", "buildkit",
                                          "podman", "k3s",        NULL};

_Static_assert(sizeof check_engine_names / sizeof check_engine_names[0] == ENGINE_COUNT,
               "one name an engine");

enum check_engine check_engine_find(const char *name)
{
    return (enum check_engine)((name ? str_index(check_engine_names, name) : -1) + 1);
}

const char *check_engine_name(enum check_engine engine)
{
    return engine == ENGINE_ANY ? NULL : check_engine_names[engine - 1];
}

static void take_docker(json_t *root, struct check_engine_docker *ret)
{
    const char *data_root = json_string_value(json_object_get(root, "data-root"));
    json_t *features = json_object_get(root, "features");
    if (data_root)
        (void)str_copy(ret->data_root, sizeof ret->data_root, data_root);
    ret->no_iptables = json_is_false(json_object_get(root, "iptables"));
    ret->no_ip6tables = json_is_false(json_object_get(root, "ip6tables"));
    ret->no_userland_proxy = json_is_false(json_object_get(root, "userland-proxy"));
    ret->no_image_store = json_is_false(json_object_get(features, "containerd-snapshotter"));
}

bool check_engine_docker_read(const struct check_subject *subject, const struct check_files *files,
                              struct check_engine_docker *ret)
{
    char path[4200];
    cleanup_free char *text = NULL;
    json_error_t error;
    *ret = (struct check_engine_docker){.data_root = ""};
    if (subject_config_path(subject, "docker/daemon.json", path, sizeof path) < 0 ||
        files_read(files, path, CONFIG_MAX, &text) < 0)
        return false;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(root))
        take_docker(root, ret);
    else if (root)
        (void)str_copy(ret->fault, sizeof ret->fault, "it is no JSON object");
    else
        (void)snprintf(ret->fault, sizeof ret->fault, "line %d: %s", error.line, error.text);
    json_decref(root);
    return true;
}

/* Takes 'KEY = "VALUE"'. @return false for any other line */
static bool take_toml_string(struct cursor *line, const char *key, const char **value, size_t *len)
{
    cursor_blanks(line);
    if (!cursor_word(line, key))
        return false;
    cursor_blanks(line);
    if (!cursor_char(line, '='))
        return false;
    cursor_blanks(line);
    if (!cursor_char(line, '"'))
        return false;
    cursor_until(line, '"', value, len);
    return true;
}

/* The value of a key in a table of a TOML file, "[storage]", or "" before the first. */
static bool toml_string(const char *text, const char *table, const char *key, char *ret,
                        size_t size)
{
    struct cursor all = cursor_of(text), line;
    bool inside = table[0] == '\0';
    while (cursor_line(&all, &line)) {
        const char *value;
        size_t len;
        struct cursor header = line;
        cursor_blanks(&header);
        if (!cursor_done(&header) && *header.p == '[')
            inside = table[0] != '\0' && cursor_word(&header, table);
        if (inside && take_toml_string(&line, key, &value, &len))
            return len > 0 && str_format(ret, size, "%.*s", (int)len, value) > 0;
    }
    return false;
}

/* "$HOME" and "~" at the beginning are what storage.conf allows. */
static bool expand_home(const struct check_subject *subject, const char *path, char *ret,
                        size_t size)
{
    const char *rest = str_after(path, "$HOME");
    if (!rest)
        rest = str_after(path, "~");
    if (!rest)
        return path[0] == '/' && !strchr(path, '$') && str_copy(ret, size, path) == 0;
    return str_format(ret, size, "%s%s", subject->home, rest) > 0;
}

static bool podman_graphroot(const struct check_subject *subject, const struct check_files *files,
                             char *ret, size_t size)
{
    char path[4200], value[4096];
    cleanup_free char *own = NULL, *system = NULL;
    if (subject_config_path(subject, "containers/storage.conf", path, sizeof path) > 0 &&
        files_read(files, path, CONFIG_MAX, &own) == 0)
        return toml_string(own, "[storage]", "graphroot", value, sizeof value) &&
               expand_home(subject, value, ret, size);
    return files_read(files, "/etc/containers/storage.conf", CONFIG_MAX, &system) == 0 &&
           toml_string(system, "[storage]", "rootless_storage_path", value, sizeof value) &&
           expand_home(subject, value, ret, size);
}

/* What the daemon's own file says, which it reads as the user's. */
static bool configured_root(const struct check_subject *subject, const struct check_files *files,
                            const char *config, char *ret, size_t size)
{
    char path[4200], value[4096];
    cleanup_free char *text = NULL;
    return subject_config_path(subject, config, path, sizeof path) > 0 &&
           files_read(files, path, CONFIG_MAX, &text) == 0 &&
           toml_string(text, "", "root", value, sizeof value) && value[0] == '/' &&
           str_copy(ret, size, value) == 0;
}

/* The first of the directories that the engine's table has. */
static int usual_dir(enum check_engine engine, const struct check_subject *subject, char *ret,
                     size_t size)
{
    if (engine == ENGINE_ANY)
        return subject_data_path(subject, "", ret, size);
    const struct engine_path *data = &engines[engine - 1].data[0];
    if (data->base == ENGINE_HOME)
        return str_format(ret, size, "%s/%s", subject->home, data->name);
    int n = subject_data_path(subject, data->name, ret, size);
    /* Beside its images podman has what is not of layers there. */
    if (n < 0 || engine != ENGINE_PODMAN)
        return n;
    return str_format(ret + n, size - (size_t)n, "/storage");
}

const char *check_engine_data_dir(enum check_engine engine, const struct check_subject *subject,
                                  const struct check_files *files, char *buf, size_t size)
{
    static const char *const configs[ENGINE_COUNT] = {
        [ENGINE_CONTAINERD] = "containerd/config.toml",
        [ENGINE_BUILDKIT] = "buildkit/buildkitd.toml",
    };
    struct check_engine_docker docker;
    if (configs[engine] && configured_root(subject, files, configs[engine], buf, size))
        return buf;
    if (engine == ENGINE_DOCKER && check_engine_docker_read(subject, files, &docker) &&
        docker.data_root[0] == '/' && str_copy(buf, size, docker.data_root) == 0)
        return buf;
    if (engine == ENGINE_PODMAN && podman_graphroot(subject, files, buf, size))
        return buf;
    return usual_dir(engine, subject, buf, size) < 0 ? subject->home : buf;
}

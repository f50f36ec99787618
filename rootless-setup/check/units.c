/* The user's own units of engines, and their drop-ins: written by setup tools of the past. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/quote.h"
#include "rootless-setup/check/unit.h"

#define UNIT_MAX (256 << 10)
#define DROP_INS_MAX 64

static const struct {
    const char *name;
    unsigned engines;
} units[] = {
    {"docker.service", FOR_DOCKER},
    {"containerd.service", FOR_CONTAINERD},
    {"buildkit.service", FOR_BUILDKIT | FOR_CONTAINERD},
    {"podman.service", FOR_PODMAN},
    {"k3s-rootless.service", FOR_K3S},
};

/* A walk through the files: which one, and what came of all. */
struct walk {
    const struct check_context *context;
    struct check_result *result;
    const char *path;
    unsigned files;
    bool fault;
};

static void fault(struct walk *walk, unsigned line, const char *what, const char *word, size_t len)
{
    if (!walk->fault)
        check_say(walk->result, CHECK_WARNING, "%s, line %u", walk->path, line);
    walk->fault = true;
    check_cause(walk->result, "%s:%u: %s (%.*s)", walk->path, line, what,
                (int)(len < 128 ? len : 128), word);
}

static void look_for_program(struct walk *walk, unsigned line, const char *word, size_t len)
{
    char path[4096];
    if (str_format(path, sizeof path, "%.*s", (int)len, word) < 0 ||
        files_has(&walk->context->files, path))
        return;
    fault(walk, line, "it starts a program that is not there any more, and ends with 203/EXEC",
          word, len);
}

/* rootlesskit's own drivers need no program. */
static void look_for_network(struct walk *walk, unsigned line, const char *word, size_t len)
{
    static const char *const helpers[] = {"slirp4netns", "pasta", "vpnkit", NULL};
    char name[32], path[4096];
    if (str_format(name, sizeof name, "%.*s", (int)len, word) < 0 || str_index(helpers, name) < 0 ||
        files_program(&walk->context->files, name, path, sizeof path) == 0)
        return;
    fault(walk, line, "it asks for a network whose program is not installed", word, len);
}

static void take_finding(enum unit_finding finding, unsigned line, const char *word, size_t len,
                         void *arg)
{
    struct walk *walk = arg;
    switch (finding) {
    case UNIT_CUT:
        fault(walk, line,
              "a value with a blank is not quoted, and systemd drops what stands behind the blank",
              word, len);
        break;
    case UNIT_SPECIFIER:
        fault(walk, line,
              "a % in PATH is a specifier for systemd, which drops or changes the value: write %%",
              word, len);
        break;
    case UNIT_PROGRAM:
        look_for_program(walk, line, word, len);
        break;
    case UNIT_NETWORK:
        look_for_network(walk, line, word, len);
        break;
    case UNIT_PRIVILEGES:
        fault(walk, line, "NoNewPrivileges takes newuidmap its privilege", word, len);
        break;
    default:
        break;
    }
}

static void lint_file(struct walk *walk, const char *path)
{
    cleanup_free char *text = NULL;
    if (files_read(&walk->context->files, path, UNIT_MAX, &text) < 0)
        return;
    walk->path = path;
    walk->files++;
    unit_lint(text, take_finding, walk);
}

static void lint_drop_ins(struct walk *walk, const char *unit)
{
    char dir_path[4200], path[4500];
    if (str_format(dir_path, sizeof dir_path, "%s.d", unit) < 0)
        return;
    int fd = files_open(&walk->context->files, dir_path, O_RDONLY | O_DIRECTORY);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    for (int n = 0; dir && n < DROP_INS_MAX; n++) {
        const struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        const char *dot = strrchr(entry->d_name, '.');
        if (dot && strcmp(dot, ".conf") == 0 &&
            str_format(path, sizeof path, "%s/%s", dir_path, entry->d_name) > 0)
            lint_file(walk, path);
    }
    if (dir)
        (void)closedir(dir);
}

void probe_units(const struct check_context *context, struct check_result *result)
{
    struct walk walk = {.context = context, .result = result};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        char path[4200];
        char rest[64];
        if (context->engine != ENGINE_ANY && !(units[i].engines & (1U << context->engine)))
            continue;
        (void)snprintf(rest, sizeof rest, "systemd/user/%s", units[i].name);
        if (subject_config_path(&context->subject, rest, path, sizeof path) < 0)
            continue;
        lint_file(&walk, path);
        lint_drop_ins(&walk, path);
    }
    if (walk.fault) {
        check_remedy(result, REMEDY_NOTE,
                     "mend those lines, or have the unit written anew, then: systemctl --user "
                     "daemon-reload");
        return;
    }
    if (walk.files == 0)
        check_say(result, CHECK_OK, "no unit of an engine in ~/.config/systemd/user");
    else
        check_say(result, CHECK_OK, "read %u of engines' units and drop-ins", walk.files);
}

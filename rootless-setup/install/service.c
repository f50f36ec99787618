#include "rootless-setup/install/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootless-setup/install/words.h"

static int find_self(char *ret, size_t size, struct err *err)
{
    ssize_t n = readlink("/proc/self/exe", ret, size - 1);
    if (n < 0)
        return err_sys(err, errno, "cannot tell where this program is (/proc/self/exe)");
    ret[n] = '\0';
    if (!words_is_utf8(ret))
        return err_set(err, EILSEQ,
                       "systemd cannot start %s: its path is not UTF-8; install it elsewhere", ret);
    return 0;
}

static bool listed(const char *path, const char *dir, size_t len)
{
    struct cursor c = cursor_of(path);
    for (;;) {
        const char *other;
        size_t other_len;
        cursor_until(&c, ':', &other, &other_len);
        if (other_len == len && memcmp(other, dir, len) == 0)
            return true;
        if (!cursor_char(&c, ':'))
            return false;
    }
}

static int add_dir(struct service *service, const char *dir, size_t len)
{
    size_t used = strlen(service->path);
    if (used > 0 && listed(service->path, dir, len))
        return 0;
    return str_format(service->path + used, sizeof service->path - used, "%s%.*s",
                      used > 0 ? ":" : "", (int)len, dir) < 0
               ? -ENAMETOOLONG
               : 0;
}

/* A relative directory would be another one in the service; an empty one means "here". */
static bool usable_dir(const char *dir, size_t len)
{
    char copy[4096];
    return len > 0 && dir[0] == '/' && str_format(copy, sizeof copy, "%.*s", (int)len, dir) > 0 &&
           words_is_utf8(copy);
}

/* Our own directory first, so that the programs of this suite find one another; then the user's
 * $PATH; then those of the system's tools, which logins often lack. */
static int gather_path(struct service *service, const char *path)
{
    struct cursor c = cursor_of(path);
    int r = add_dir(service, service->self, (size_t)(strrchr(service->self, '/') - service->self));
    while (r == 0) {
        const char *dir;
        size_t len;
        cursor_until(&c, ':', &dir, &len);
        if (usable_dir(dir, len))
            r = add_dir(service, dir, len);
        else
            service->path_cut = true;
        if (!cursor_char(&c, ':'))
            break;
    }
    static const char *const system_dirs[] = {"/usr/bin", "/bin", "/usr/sbin", "/sbin"};
    for (size_t i = 0; r == 0 && i < sizeof system_dirs / sizeof system_dirs[0]; i++)
        r = add_dir(service, system_dirs[i], strlen(system_dirs[i]));
    return r;
}

/* @return whether the service needs to find this variable as the login has it */
static bool kept(const struct engine *engine, const char *name, size_t len)
{
    static const char *const always[] = {"XDG_DATA_HOME", "XDG_CONFIG_HOME"};
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        if (strlen(always[i]) == len && memcmp(always[i], name, len) == 0)
            return true;
    const char *own = engine->daemon_variable, *prefix = engine->variables;
    if (own && strlen(own) == len && memcmp(own, name, len) == 0)
        return true;
    return prefix && len > strlen(prefix) && memcmp(prefix, name, strlen(prefix)) == 0 &&
           name[strlen(prefix)] == '_';
}

static int gather_variables(struct service *service, struct err *err)
{
    for (size_t i = 0; environ[i]; i++) {
        size_t len = strcspn(environ[i], "=");
        if (!kept(service->engine, environ[i], len))
            continue;
        if (!words_is_utf8(environ[i]))
            return err_set(err, EILSEQ,
                           "systemd cannot be told %.*s, whose value is not UTF-8: unset it",
                           (int)len, environ[i]);
        if (service->n_variables == SERVICE_VARIABLES_MAX)
            return err_set(err, E2BIG, "more than %d variables begin with %s_",
                           SERVICE_VARIABLES_MAX, service->engine->variables);
        service->variables[service->n_variables++] = environ[i];
    }
    return 0;
}

int service_gather(const struct engine *engine, const struct engine_dirs *dirs,
                   const char *const *args, size_t n_args, struct service *ret, struct err *err)
{
    *ret = (struct service){.engine = engine, .args = args, .n_args = n_args};
    const char *path = getenv("PATH");
    int r = find_self(ret->self, sizeof ret->self, err);
    if (r < 0)
        return r;
    if (gather_path(ret, path ? path : "") < 0)
        return err_set(err, ENAMETOOLONG, "PATH has more than %d bytes", SERVICE_PATH_MAX);
    for (size_t i = 0; i < n_args; i++)
        if (!words_is_utf8(args[i]))
            return err_set(err, EILSEQ, "systemd cannot be told the argument %s: it is not UTF-8",
                           args[i]);
    r = str_copy(ret->runtime_dir, sizeof ret->runtime_dir, dirs->path[ENGINE_RUNTIME]);
    return r < 0 ? err_set(err, ENAMETOOLONG, "XDG_RUNTIME_DIR is too long a path")
                 : gather_variables(ret, err);
}

/* systemd takes no program whose path has these in it, quoted or not; a shell does. */
static bool program_needs_shell(const char *path)
{
    for (const char *c = path; *c; c++)
        if (strchr("\"'\\", *c) || (unsigned char)*c < ' ' || *c == 0x7f)
            return true;
    return false;
}

static void put_command(const struct service *service, FILE *out)
{
    bool shell = program_needs_shell(service->self);
    if (shell) {
        (void)fputs("/bin/sh -c ", out);
        words_unit(out, UNIT_ARGUMENT, "exec \"$0\" \"$@\"");
        (void)fputc(' ', out);
    }
    words_unit(out, shell ? UNIT_ARGUMENT : UNIT_PROGRAM, service->self);
    (void)fprintf(out, " launch %s", service->engine->name);
    for (size_t i = 0; i < service->n_args; i++) {
        (void)fputs(i == 0 ? " -- " : " ", out);
        words_unit(out, UNIT_ARGUMENT, service->args[i]);
    }
}

/*
 * What differs from units that other tools write: words are quoted; a missing dbus.socket costs
 * cgroups and not the engine; limits of starts stand in [Unit], where systemd reads them since 230;
 * a stop that hangs ends after systemd's usual time, so that a logout does. LimitNOFILE is left to
 * the user's own: engines raise what they need themselves, and containers whose programs walk all
 * possible descriptors suffer from a high one.
 */
void service_unit(const struct service *service, FILE *out)
{
    const struct engine *engine = service->engine;
    (void)fprintf(out,
                  "[Unit]\n"
                  "Description=%s (rootless)\n"
                  "Documentation=man:rootless-setup-install(1)\n"
                  "Wants=dbus.socket\n"
                  "After=dbus.socket\n"
                  "StartLimitIntervalSec=60\n"
                  "StartLimitBurst=3\n"
                  "\n"
                  "[Service]\n"
                  "Type=%s\n",
                  engine->title, engine->notifies ? "notify" : "simple");
    if (engine->notifies)
        (void)fprintf(out, "NotifyAccess=all\n");
    (void)fprintf(out, "Environment=");
    char word[sizeof "PATH=" + SERVICE_PATH_MAX];
    if (str_format(word, sizeof word, "PATH=%s", service->path) > 0)
        words_unit(out, UNIT_ENVIRONMENT, word);
    for (size_t i = 0; i < service->n_variables; i++) {
        (void)fprintf(out, "\nEnvironment=");
        words_unit(out, UNIT_ENVIRONMENT, service->variables[i]);
    }
    (void)fprintf(out, "\nExecStart=");
    put_command(service, out);
    if (engine->reloads)
        (void)fprintf(out, "\nExecReload=/bin/kill -s HUP $MAINPID");
    (void)fprintf(out,
                  "\nKillMode=%s\n"
                  "Restart=always\n"
                  "RestartSec=2\n"
                  "TimeoutStartSec=infinity\n"
                  "Delegate=yes\n"
                  "TasksMax=infinity\n"
                  "LimitNPROC=infinity\n"
                  "LimitCORE=infinity\n"
                  "\n"
                  "[Install]\n"
                  "WantedBy=default.target\n",
                  engine->outlived ? "process" : "mixed");
}

/* NAME='VALUE', exported. */
static void put_variable(FILE *out, const char *assignment)
{
    size_t len = strcspn(assignment, "=");
    (void)fprintf(out, "%.*s=", (int)len, assignment);
    words_shell(out, assignment + len + (assignment[len] == '='));
    (void)fprintf(out, "\nexport %.*s\n", (int)len, assignment);
}

void service_script(const struct service *service, FILE *out)
{
    (void)fprintf(
        out, "#!/bin/sh\n# Starts %s (rootless), and ends with it.\nPATH=", service->engine->title);
    words_shell(out, service->path);
    (void)fprintf(out, "\nexport PATH\n");
    if (service->runtime_dir[0]) {
        (void)fprintf(out, "[ -n \"${XDG_RUNTIME_DIR:-}\" ] || XDG_RUNTIME_DIR=");
        words_shell(out, service->runtime_dir);
        (void)fprintf(out, "\nexport XDG_RUNTIME_DIR\n");
    }
    for (size_t i = 0; i < service->n_variables; i++)
        put_variable(out, service->variables[i]);
    (void)fprintf(out, "exec ");
    words_shell(out, service->self);
    (void)fprintf(out, " launch %s --", service->engine->name);
    for (size_t i = 0; i < service->n_args; i++) {
        (void)fputc(' ', out);
        words_shell(out, service->args[i]);
    }
    (void)fprintf(out, " \"$@\"\n");
}

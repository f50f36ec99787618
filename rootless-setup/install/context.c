#include "rootless-setup/install/context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

/* They make the client answer for another endpoint than its files say. */
static const char *const overrides[] = {"DOCKER_HOST", "DOCKER_CONTEXT"};
#define N_OVERRIDES (sizeof overrides / sizeof overrides[0])

static int ask(const char *const *argv, char *ret, size_t size)
{
    int r = deed_ask(argv, ret, size, NULL);
    ret[r < 0 ? 0 : strcspn(ret, "\n")] = '\0';
    return r;
}

/* Clients before 23 have no `context show`; all mark the one in use in their list. */
static void read_current(char *ret, size_t size)
{
    static const char *const argv[] = {
        "docker", "context", "ls", "--format", "{{if .Current}}{{.Name}}{{end}}", NULL};
    char said[16384];
    struct cursor line;
    ret[0] = '\0';
    if (deed_ask(argv, said, sizeof said, NULL) < 0)
        return;
    for (struct cursor c = cursor_of(said); cursor_line(&c, &line);)
        if (line.p < line.end) {
            (void)str_format(ret, size, "%.*s", (int)(line.end - line.p), line.p);
            return;
        }
}

void context_read(struct context *ret)
{
    static const char *const inspect[] = {
        "docker",     "context", "inspect", "--format", "{{.Endpoints.docker.Host}}",
        CONTEXT_NAME, NULL};
    static const char *const version[] = {"docker", "context", "inspect", "default", NULL};
    char said[16384];
    *ret = (struct context){0};
    for (size_t i = N_OVERRIDES; i-- > 0;) {
        const char *value = getenv(overrides[i]);
        if (value && value[0])
            (void)str_format(ret->variable, sizeof ret->variable, "%s=%s", overrides[i], value);
        (void)unsetenv(overrides[i]);
    }
    ret->client = deed_ask(version, said, sizeof said, NULL) == 0;
    if (!ret->client)
        return;
    (void)ask(inspect, ret->host, sizeof ret->host);
    read_current(ret->current, sizeof ret->current);
}

/* The client splits the value at commas once there is a second "=" in it, unless it is quoted. */
static int endpoint(const char *socket, char *ret, size_t size)
{
    const char *quote = strchr(socket, '=') ? "\"" : "";
    return str_format(ret, size, "%shost=unix://%s%s", quote, socket, quote);
}

int context_set(struct deeds *deeds, const struct context *context, const char *socket,
                struct err *err)
{
    char host[4096], value[4200];
    if (str_format(host, sizeof host, "unix://%s", socket) < 0 ||
        endpoint(socket, value, sizeof value) < 0)
        return err_set(err, ENAMETOOLONG, "%s is too long a path", socket);
    const char *const create[] = {
        "docker", "--context=default", "context",       "create", CONTEXT_NAME, "--docker",
        value,    "--description",     "Rootless mode", NULL};
    const char *const update[] = {"docker",     "--context=default", "context", "update",
                                  CONTEXT_NAME, "--docker",          value,     NULL};
    static const char *const use[] = {"docker", "context", "use", CONTEXT_NAME, NULL};
    int r = 0;
    if (!context->host[0])
        r = deed_run(deeds, create, err);
    else if (!str_equal(context->host, host))
        r = deed_run(deeds, update, err);
    if (r == 0 && !str_equal(context->current, CONTEXT_NAME))
        r = deed_run(deeds, use, err);
    return r;
}

int context_drop(struct deeds *deeds, const struct context *context, const char *before,
                 struct err *err)
{
    const char *const use[] = {"docker", "context", "use", before[0] ? before : "default", NULL};
    static const char *const use_default[] = {"docker", "context", "use", "default", NULL};
    static const char *const drop[] = {"docker", "context", "rm", "-f", CONTEXT_NAME, NULL};
    int r = 0;
    if (!context->client)
        return 0;
    if (str_equal(context->current, CONTEXT_NAME)) {
        r = deed_run(deeds, use, err);
        if (r < 0 && before[0]) /* it was removed meanwhile */
            r = deed_run(deeds, use_default, err);
    }
    if (r == 0 && context->host[0])
        r = deed_run(deeds, drop, err);
    return r;
}

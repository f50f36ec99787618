#include "pam/state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/str.h"

#define FORMAT "rootless-toolkit pam 1"

/* ---- reading ---- */

static bool take_number(struct cursor *c, uint64_t max, uint64_t *ret)
{
    return cursor_char(c, ' ') && cursor_u64(c, 10, max, ret);
}

static bool take_process(struct cursor *c, struct state_process *ret)
{
    uint64_t pid = 0;
    if (!take_number(c, INT32_MAX, &pid) || pid == 0 || !take_number(c, INT64_MAX, &ret->birth))
        return false;
    ret->pid = (pid_t)pid;
    return true;
}

static bool take_session(struct cursor *c, struct state *state)
{
    struct state_session session = {0};
    uint64_t serial = 0;
    if (state->n == STATE_SESSIONS_MAX || !take_number(c, state->serial, &serial) || serial == 0 ||
        !take_process(c, &session.opener))
        return false;
    session.serial = (uint32_t)serial;
    state->sessions[state->n++] = session;
    return true;
}

static bool take_boot(struct cursor *c, struct state *state)
{
    const char *text = NULL;
    size_t len = 0;
    if (!cursor_char(c, ' '))
        return false;
    cursor_until(c, ' ', &text, &len);
    if (len == 0 || len >= STATE_BOOT_MAX || memchr(text, '\0', len))
        return false;
    memcpy(state->boot, text, len);
    return true;
}

static bool take_line(struct cursor c, struct state *state)
{
    uint64_t serial = 0;
    bool good = false;
    if (cursor_word(&c, "boot")) {
        good = state->boot[0] == '\0' && take_boot(&c, state);
    } else if (cursor_word(&c, "serial")) {
        good = state->serial == 0 && take_number(&c, INT32_MAX, &serial);
        state->serial = (uint32_t)serial;
    } else if (cursor_word(&c, "runtime-dir")) {
        good = !state->has_dir && take_number(&c, UINT64_MAX, &state->dir_dev) &&
               take_number(&c, UINT64_MAX, &state->dir_ino);
        state->has_dir = true;
    } else if (cursor_word(&c, "cgroup")) {
        good = !state->has_cgroup;
        state->has_cgroup = true;
    } else if (cursor_word(&c, "engine")) {
        good = state->engine.pid == 0 && take_process(&c, &state->engine);
    } else if (cursor_word(&c, "session")) {
        good = take_session(&c, state);
    }
    return good && cursor_done(&c);
}

int state_parse(const char *text, size_t len, struct state *ret)
{
    struct cursor all = {.p = text, .end = text + len}, line;
    static struct state state; /* too large for a stack that is the host's */
    memset(&state, 0, sizeof state);
    if (!cursor_line(&all, &line) || !cursor_word(&line, FORMAT) || !cursor_done(&line))
        return -EINVAL;
    while (cursor_line(&all, &line))
        if (!take_line(line, &state))
            return -EINVAL;
    if (state.boot[0] == '\0')
        return -EINVAL;
    *ret = state;
    return 0;
}

/* ---- writing ---- */

struct writer {
    char *buf;
    size_t len;
};

#define PUT(writer, ...)                                                \
    ((writer)->len += (size_t)str_format((writer)->buf + (writer)->len, \
                                         STATE_TEXT_MAX - (writer)->len, __VA_ARGS__))

size_t state_render(const struct state *state, char buf[STATE_TEXT_MAX])
{
    struct writer writer = {.buf = buf};
    PUT(&writer, FORMAT "\nboot %s\nserial %" PRIu32 "\n", state->boot, state->serial);
    if (state->has_dir)
        PUT(&writer, "runtime-dir %" PRIu64 " %" PRIu64 "\n", state->dir_dev, state->dir_ino);
    if (state->has_cgroup)
        PUT(&writer, "cgroup\n");
    if (state->engine.pid)
        PUT(&writer, "engine %d %" PRIu64 "\n", state->engine.pid, state->engine.birth);
    for (size_t i = 0; i < state->n; i++)
        PUT(&writer, "session %" PRIu32 " %d %" PRIu64 "\n", state->sessions[i].serial,
            state->sessions[i].opener.pid, state->sessions[i].opener.birth);
    return writer.len;
}

/* ---- changing ---- */

bool state_is_empty(const struct state *state)
{
    return state->n == 0 && !state->has_dir && !state->has_cgroup && state->engine.pid == 0;
}

static bool is_used(const struct state *state, uint32_t serial)
{
    for (size_t i = 0; i < state->n; i++)
        if (state->sessions[i].serial == serial)
            return true;
    return false;
}

int64_t state_add(struct state *state, struct state_process opener)
{
    if (state->n == STATE_SESSIONS_MAX)
        return -ENOSPC;
    do
        state->serial = state->serial >= INT32_MAX ? 1 : state->serial + 1;
    while (is_used(state, state->serial));
    state->sessions[state->n++] = (struct state_session){.serial = state->serial, .opener = opener};
    return state->serial;
}

void state_drop(struct state *state, uint32_t serial)
{
    size_t kept = 0;
    for (size_t i = 0; i < state->n; i++)
        if (state->sessions[i].serial != serial)
            state->sessions[kept++] = state->sessions[i];
    state->n = kept;
}

size_t state_reconcile(struct state *state, const char *boot, state_alive_fn *alive)
{
    bool same_boot = strcmp(state->boot, boot) == 0;
    size_t kept = 0, before = state->n;
    for (size_t i = 0; i < state->n; i++)
        if (same_boot && alive(&state->sessions[i].opener))
            state->sessions[kept++] = state->sessions[i];
    state->n = kept;
    if (!same_boot || (state->engine.pid && !alive(&state->engine)))
        state->engine = (struct state_process){0};
    (void)str_copy(state->boot, sizeof state->boot, boot);
    return before - kept;
}

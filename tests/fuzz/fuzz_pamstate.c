/* A user's state of any content: it is refused, or it is bounded, and what is written of it is read
 * the same. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#include "pam/state.h"

static bool is_odd(const struct state_process *process)
{
    return process->birth % 2 == 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct state state, again;
    static char text[STATE_TEXT_MAX], text_again[STATE_TEXT_MAX];
    if (state_parse((const char *)data, size, &state) < 0)
        return 0;
    require(state.n <= STATE_SESSIONS_MAX && state.boot[0]);
    size_t len = state_render(&state, text);
    require(len < STATE_TEXT_MAX && state_parse(text, len, &again) == 0);
    require(state_render(&again, text_again) == len && memcmp(text, text_again, len) == 0);
    size_t before = state.n;
    require(state_reconcile(&state, "boot", is_odd) + state.n == before);
    int64_t serial = state_add(&state, (struct state_process){.pid = 1});
    require(serial == -ENOSPC || (serial > 0 && state.n > 0));
    return 0;
}

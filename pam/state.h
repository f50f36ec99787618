/*
 * What is remembered of one user: his open sessions, and what is to be undone with the last.
 *
 *     rootless-toolkit pam 1                        the format
 *     boot 0f2c6f1e-...                             of /proc/sys/kernel/random/boot_id
 *     serial 4                                      the highest given so far
 *     runtime-dir 24 1189                           device and inode of the one made here
 *     cgroup                                        delegated here
 *     engine 812 33871                              pid and birth (lib/base/birth.h)
 *     session 4 801 33850                           serial, pid and birth of who opened it
 *
 * Text and struct only; store.h keeps the file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Open at once; more of one user are served but not counted. */
#define STATE_SESSIONS_MAX 1024
/** Room for the text: three numbers of at most 20 digits a session. */
#define STATE_TEXT_MAX (STATE_SESSIONS_MAX * 80 + 512)
#define STATE_BOOT_MAX 64

struct state_process {
    pid_t pid; /**< 0: none */
    uint64_t birth;
};

struct state_session {
    uint32_t serial;
    struct state_process opener;
};

struct state {
    char boot[STATE_BOOT_MAX];
    uint32_t serial;
    bool has_dir;
    uint64_t dir_dev, dir_ino;
    bool has_cgroup;
    struct state_process engine;
    struct state_session sessions[STATE_SESSIONS_MAX];
    size_t n;
};

/** @return 0; -EINVAL on text that state_render() did not write, with @p ret untouched */
int state_parse(const char *text, size_t len, struct state *ret);
/** @return length */
size_t state_render(const struct state *state, char buf[STATE_TEXT_MAX]);
/** Whether there is nothing to remember. */
bool state_is_empty(const struct state *state);
/** Adds a session. @return its serial, never 0; -ENOSPC when there are too many */
int64_t state_add(struct state *state, struct state_process opener);
void state_drop(struct state *state, uint32_t serial);

/** Whether a process is still the one that was written down. */
typedef bool state_alive_fn(const struct state_process *process);
/** Forgets sessions and engine whose processes are gone. @return how many sessions were */
size_t state_reconcile(struct state *state, const char *boot, state_alive_fn *alive);

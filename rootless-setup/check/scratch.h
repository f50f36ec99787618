/*
 * Things to try something in, which vanish with the process that made them: namespaces of one's
 * own, and a directory on a real file system.
 */
#pragma once

#include <sys/types.h>

struct err;

/** How far scratch_userns() came; a failure's step is half of its cause. */
enum scratch_step {
    SCRATCH_CREATE, /**< unshare(2) of the user namespace itself */
    SCRATCH_MAP,    /**< writing setgroups, uid_map and gid_map */
    SCRATCH_USE,    /**< unshare(2) of the others with the new capabilities */
    SCRATCH_DONE,
};

/**
 * Moves the calling process, which must have one thread, into a new user namespace as its root
 * (only the caller's own ids mapped), and into the namespaces of @p flags.
 * @param flags     CLONE_NEWNS, CLONE_NEWNET, ...; a mount namespace is made private
 * @param ret_step  the step that failed, or SCRATCH_DONE
 * @return 0 or -errno
 */
int scratch_userns(int flags, enum scratch_step *ret_step, struct err *err);

/** Brings up "lo" of the current network namespace. @return 0 or -errno */
int scratch_loopback_up(void);

/**
 * A process that keeps open what it entered, until it is let go or we die.
 * @param enter  runs in it; 0 or -errno
 * @return pid, or -errno of @p enter or fork(2)
 */
pid_t scratch_hold(int (*enter)(const void *arg), const void *arg);
/** Ends it and waits. @param pid  <= 0: nothing is done */
void scratch_let_go(pid_t pid);

/** A directory that a watcher process of its own removes when the maker is done or dead. */
struct scratch_dir {
    int life_fd; /**< closed by death at the latest: the watcher's signal */
    pid_t watcher;
    char path[4096];
};

/**
 * Makes a directory ".rootless-check-XXXXXX" in @p parent. The watcher runs in its own session, so
 * that neither the terminal's Ctrl-C nor the maker's SIGKILL leaves the directory behind.
 * @return 0, or -errno of mkdtemp(3) or fork(2)
 */
int scratch_dir_make(const char *parent, struct scratch_dir *ret, struct err *err);
/** Removes it and waits until that is done. */
void scratch_dir_remove(struct scratch_dir *dir);

/*
 * Processes: start one with exactly the fds named, wait for it, end a whole family.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

#define PROC_PASS_MAX 8

/** What a new process gets. Zeroed fields mean: the caller's environment, /dev/null as stdin. */
struct proc_spec {
    const char *const *argv; /**< NULL-ended; argv[0] with a slash is used as it is, else PATH */
    char *const *envp;       /**< NULL: inherit */
    int stdin_fd;            /**< 0: /dev/null */
    int stdout_fd;           /**< 0: inherit */
    int stderr_fd;           /**< 0: inherit */
    const int *pass_fds;     /**< further fds, which the program finds as 3, 4, ... */
    size_t n_pass_fds;       /**< at most PROC_PASS_MAX */
    int die_with_parent;     /**< SIGKILL when the calling thread's process dies */
    int own_group;           /**< a process group of its own: signals to the caller's pass it by */
    int userns_fd;           /**< 0: the caller's; else it becomes root of that user namespace */
};

/**
 * Runs @p fn in a new process, which shares our memory, while we stand still, until it execs
 * (vfork(2)): to copy a process that is about to exec takes fifty times as long.
 * @param fn  only makes system calls, and execs or returns -errno
 * @return pid (the caller waits for it), or -errno, also @p fn's
 */
pid_t proc_exec(int (*fn)(void *arg), void *arg);
/**
 * Starts a process; every other fd of the caller is closed in it, signals are unblocked and
 * default.
 * @return pid (the caller waits for it), or -errno: ENOENT when the program is not found
 */
pid_t proc_start(const struct proc_spec *spec, struct err *err);
/** Waits. @return the wait status, or -errno */
int proc_wait(pid_t pid);
/**
 * Runs a program to its end and keeps what it wrote to stdout and stderr, up to @p size - 1 bytes.
 * @return wait status, or -errno (could not be started)
 */
int proc_run(const char *const *argv, char *out, size_t size, struct err *err);
/** "exit status 3" or "signal: killed" for a wait status, into @p buf. @return buf */
const char *proc_describe(int status, char *buf, size_t size);
/**
 * Kills and reaps every descendant of a process that is a child subreaper (or pid 1), until none
 * is left: a killed child's own children are handed to the caller, which kills them next.
 * @param proc_fd         an open directory fd of /proc
 * @param other_userns    only those in another user namespace than the caller's, so that jobs a
 *                        shell started before it exec'ed the caller are left alone
 */
void proc_kill_family(int proc_fd, int other_userns);
/** Full path of a program: as it is with a slash, else the first executable one on $PATH.
 *  @return 0, or -ENOENT */
int proc_find(const char *name, char *ret, size_t size);
/** The number in @p base behind @p name and blanks in the text of a file like /proc/PID/status; 0
 *  when it is not there. @param name  as it stands there, "\nVmRSS:" */
uint64_t proc_number(const char *text, const char *name, unsigned base);

/*
 * A system call that waits for our word (seccomp_unotify(2)), and what may be done for it.
 *
 * The caller may be hostile, be killed at any moment, and share its fds with threads that change
 * them meanwhile. So nothing of its memory is read, a call is decided by the socket that we got
 * hold of, and what goes wrong lets the kernel do the call as if nobody had been asked.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct notice {
    int listener; /**< borrowed */
    uint64_t id;
    pid_t task; /**< a thread, by its number in our PID namespace */
    int call;   /**< SYS_bind, SYS_listen */
    int fd;     /**< its first argument, a number of the caller's */
    int backlog;
};

/** Makes the answers' wake-ups cheap where the kernel can (Linux 6.6). */
void notice_tune(int listener);
/** Takes the next one. @return 0; -ENOENT: its caller is gone; -errno */
int notice_receive(int listener, struct notice *ret);
/** The kernel does the call. */
void notice_let_pass(const struct notice *notice);
/** The call returns 0 and is not done. */
void notice_succeed(const struct notice *notice);
/** A copy of the fd in question (Linux 5.6), checked to be of this caller and not of one that got
 *  its number. @return an fd, the caller's, or -errno */
int notice_borrow(const struct notice *notice);
/** Puts @p fd (borrowed) in the place of the one in question (Linux 5.9). @return 0 or -errno */
int notice_replace(const struct notice *notice, int fd, bool cloexec);
/** What the fd in question has of FD_CLOEXEC. @return 0 or -errno */
int notice_cloexec(const struct notice *notice, bool *ret);
/** The caller's program is called like one of the NULL-ended @p comms (proc_pid_comm(5)). */
bool notice_is_of(const struct notice *notice, const char *const *comms);

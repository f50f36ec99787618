/*
 * Which signals travel from the parent to the command, and how they are received: by signalfd(2),
 * blocked from main() on, unblocked only in a process that is about to exec.
 */
#pragma once

#include <stdbool.h>
#include <sys/signalfd.h>

struct err;

/** Blocks every signal that is passed on, and SIGCHLD. Call it before the first fork. */
void signals_block(void);
/** Default dispositions and the mask of the time before signals_block(), for a process to exec. */
void signals_restore(void);
/** A signalfd for all that signals_block() blocked, close-on-exec. @return fd or -errno */
int signals_open(struct err *err);
/**
 * True for a signal that somebody sent. One that the terminal made (SI_KERNEL: Ctrl-C, a hang-up)
 * goes to the whole foreground group, so the command has it already.
 */
bool signals_passed_on(const struct signalfd_siginfo *info);
/** A pending signal that asks to end (HUP, INT, QUIT, TERM), or 0. */
int signals_end_wanted(void);

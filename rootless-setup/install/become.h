/*
 * Work on a user's files is done as that user: whoever owns a path must not be able to lead root
 * along it.
 */
#pragma once

struct check_subject;
struct err;

/**
 * Calls @p fn as the user: here when we are the user, else in a process that became him.
 * @param fn  returns an exit status (0-255); what it changes in memory may be lost
 * @return that status, or -errno
 */
int become_run(const struct check_subject *subject, int (*fn)(void *arg), void *arg,
               struct err *err);

/*
 * The process whose namespace is to be mapped, held by one directory fd of /proc/PID.
 *
 * The name is resolved once; everything later (owner, setgroups, the map) goes through that fd, so
 * the object that was checked is the object that is written even when the pid is used again.
 */
#pragma once

#include <sys/types.h>

struct err;

/** What the command line names: one of the two is set, the other is -1. */
struct idmap_target {
    pid_t pid;
    int fd; /**< "fd:N": a directory fd of /proc/PID that the caller opened and left to us */
};

/** Reads "PID" or "fd:N"; opens nothing. @return 0 or -EINVAL */
int idmap_target_parse(const char *word, struct idmap_target *ret, struct err *err);
/**
 * A directory fd on the very /proc of this process's mount namespace.
 * @param ret_uid, ret_gid  effective ids of the target, as the owner of that directory
 * @return fd (the caller's; for "fd:N" it is N), or -errno
 */
int idmap_target_open(const struct idmap_target *target, uid_t *ret_uid, gid_t *ret_gid,
                      struct err *err);
/**
 * Opens a file of the target, through no link and no mount that somebody may have put there.
 * @return close-on-exec fd or -errno
 */
int idmap_target_file(int target_fd, const char *name, int flags);

/*
 * Who is served: an ordinary user, as the name service has him.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct options;

/** Room for a login name (useradd(8) takes 32 characters, directory services more). */
#define SUBJECT_NAME_MAX 257
#define SUBJECT_RUNTIME_MAX 32

/** Whole in itself, as struct notes is. */
struct subject {
    char name[SUBJECT_NAME_MAX];
    uid_t uid;
    gid_t gid;
    char home[PATH_MAX];
    char shell[PATH_MAX];
    char runtime[SUBJECT_RUNTIME_MAX]; /**< "/run/user/1000" */
};

struct passwd;

/** @return 0, or -ENAMETOOLONG */
int subject_of(const struct passwd *pw, struct subject *ret);
/** Whether a uid is an ordinary user's within the options' limits.
 *  @param login_min  UID_MIN of login.defs, which min_uid overrides */
bool subject_is_served(uid_t uid, const struct options *options, uint32_t login_min);

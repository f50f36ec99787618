/*
 * The user whose readiness is asked about, and how a throw-away process becomes that user.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct check_files;
struct err;

/** Supplementary groups beyond these are left out; no probe depends on them. */
#define SUBJECT_GROUPS_MAX 256

struct check_subject {
    uid_t uid;
    gid_t gid;
    gid_t groups[SUBJECT_GROUPS_MAX];
    int n_groups;
    char name[256];
    char home[4096];
    char shell[256];
    char runtime_dir[4096]; /**< XDG_RUNTIME_DIR; "" when it is not set */
    bool runtime_guessed;   /**< no environment of the user's at hand: /run/user/UID is assumed */
    bool switch_user;       /**< we are root and must become the user first */
    bool in_image;          /**< of a system below a directory: nothing is tried as that user */
};

/** Who called sudo, for root who names nobody; else @p name. */
const char *subject_default(const char *name);
/**
 * Finds the user.
 * @param name  a login name or uid; NULL: the caller
 * @return 0, or -errno with a message (no such user; root as the subject; no right to ask; -ENXIO:
 *         root, who must name somebody)
 */
int subject_find(const char *name, struct check_subject *ret, struct err *err);
/** The same in the passwd file of a system below a directory; anybody may ask. */
int subject_find_in(const struct check_files *files, const char *name, struct check_subject *ret,
                    struct err *err);
/** @p rest below the user's XDG_CONFIG_HOME. @return length or -ENAMETOOLONG */
int subject_config_path(const struct check_subject *subject, const char *rest, char *ret,
                        size_t size);
/** @p rest below his XDG_DATA_HOME; "" is that directory itself. */
int subject_data_path(const struct check_subject *subject, const char *rest, char *ret,
                      size_t size);
/**
 * Makes the calling process the user's, with his groups, a clean environment and no terminal or
 * keys of root's, when it is not that already. For a process that ends soon: there is no way back.
 */
int subject_become(const struct check_subject *subject, struct err *err);

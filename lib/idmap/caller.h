/*
 * Who asks: the name and primary group behind a uid, for matching owners in the sub-id files.
 *
 * No name-service plug-in is ever loaded into the privileged process, whose program is static for
 * that reason too. /etc/passwd is read here. Only when the uid is not in it, a helper program is
 * asked (nss.h), which holds no capability and which the caller can neither read, trace nor
 * replace. The uid itself always comes from the kernel: a wrong or missing answer can cost the
 * caller the ranges of its name, and a numeric owner in the files still matches.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct err;

#define IDMAP_NAME_MAX 256

struct idmap_caller {
    uid_t uid;
    gid_t gid;
    bool named; /**< a passwd entry was found; else the two fields below mean nothing */
    gid_t primary_gid;
    char name[IDMAP_NAME_MAX];
};

/**
 * @param etc_fd  directory fd that holds "passwd"
 * @return 0 (also for a uid without entry, see named), or -errno: the question stayed unanswered
 */
int idmap_caller_find(int etc_fd, uid_t uid, gid_t gid, struct idmap_caller *ret, struct err *err);
/**
 * Looks @p uid up in passwd(5) text. @return whether it is there. Malformed lines, NIS lines ("+"
 * and "-") and names that do not fit are skipped.
 */
bool idmap_caller_scan(const char *text, size_t len, uid_t uid, struct idmap_caller *ret);
/** GRANT_AUX_GROUP_SUBIDS of login.defs(5): ranges also while another group is the current one. */
bool idmap_caller_aux_groups(int etc_fd);

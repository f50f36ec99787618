/*
 * From "this step gave this errno on such a host" to the cause and its remedy.
 *
 * Pure: everything they know is in the arguments, so that tests walk through hosts nobody has at
 * hand. Each adds one cause at least, and remedies where there is something to do.
 */
#pragma once

#include "rootless-setup/check/check_engine.h"
#include "rootless-setup/check/distro.h"
#include "rootless-setup/check/facts.h"
#include "rootless-setup/check/result.h"
#include "rootless-setup/check/scratch.h"
#include "rootless-setup/check/subject.h"

/** Why a user namespace could not be made, mapped or used (SCRATCH_DONE: a mount inside failed). */
void explain_userns(enum scratch_step step, int code, const struct check_facts *facts,
                    struct check_result *result);

/** What can be seen of a newuidmap or newgidmap that failed. */
struct idmap_failure {
    const char *program;  /**< "newuidmap" */
    const char *path;     /**< where $PATH found it; "" if nowhere */
    const char *said;     /**< first line it wrote; "" if nothing */
    bool script;          /**< begins with #! */
    bool setuid_root;     /**< owner root and S_ISUID */
    bool setuid_other;    /**< S_ISUID, and the owner is not root */
    bool file_capability; /**< has security.capability */
    bool nosuid;          /**< lies on a mount with nosuid */
    bool bounded;         /**< CAP_SETUID or CAP_SETGID is in the bounding set */
};
/** @param user  whose ranges were used */
void explain_idmap(const struct idmap_failure *failure, const struct check_facts *facts,
                   const struct distro *distro, const char *user, struct check_result *result);

/** Why nothing can be made in the directory for images. */
void explain_no_scratch(int code, const char *dir, const struct check_subject *subject,
                        struct check_result *result);

/** Why overlay did not mount or did not work. @param fs  name of the file system below, or NULL */
void explain_overlay(int code, const char *dir, const char *fs, const struct check_facts *facts,
                     struct check_result *result);

enum tun_step { TUN_OPEN, TUN_CREATE };
/** Why the tun device could not be opened or used. */
void explain_tun(enum tun_step step, int code, const struct check_facts *facts,
                 struct check_result *result);

/**
 * Why a netlink request was refused: a kernel module that is missing or may not load.
 * @param feature  "the tproxy expression"
 * @param modules  to load, separated by one space
 * @param name     of the drop-in file
 */
void explain_module(int code, const char *feature, const char *modules, const char *name,
                    struct check_result *result);

/**
 * How a user comes to a session and a runtime directory of his own: by a real login, or by root's
 * hand.
 */
void remedy_session(const struct check_subject *subject, const struct check_facts *facts,
                    struct check_result *result);
/** Adds the root commands that set a sysctl now and at boot. @param name  of the drop-in file */
void remedy_sysctl(struct check_result *result, const char *key, const char *value,
                   const char *name);
/** The same for a limit that is used up: what is wanted at least, or twice what it is now, which is
 * more than fix knows of. */
void remedy_raise(struct check_result *result, const char *key, long now, long wanted,
                  const char *name);
/** Adds the root commands that load modules now and at boot. */
void remedy_modules(struct check_result *result, const char *modules, const char *name);
/** Has the user's systemd get the cgroup controllers that limits need. */
void remedy_delegate(struct check_result *result);
/** Says where an engine is told to keep its images elsewhere. */
void remedy_data_dir(enum check_engine engine, struct check_result *result);

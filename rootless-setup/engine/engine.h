/*
 * The container engines that are installed and launched here: what each is called, what it is made
 * of and where it keeps what. One table, which install, status and launch read alike.
 *
 * Pure data and lookups: nothing here looks at the disk or starts anything. Names of files are
 * relative to the user's own directories, because those differ from login to login.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

/** The user's directories that names of files are relative to. */
enum engine_base {
    ENGINE_RUNTIME, /**< XDG_RUNTIME_DIR */
    ENGINE_DATA,    /**< XDG_DATA_HOME, or ~/.local/share */
    ENGINE_CONFIG,  /**< XDG_CONFIG_HOME, or ~/.config */
    ENGINE_HOME,    /**< HOME */
    ENGINE_BASES,
};

/** The same as absolute paths. */
struct engine_dirs {
    char path[ENGINE_BASES][4096]; /**< "" for a runtime directory that is not set */
};

/** A file or directory of an engine's; one without a name is not there. */
struct engine_path {
    enum engine_base base;
    const char *name;
};

#define ENGINE_DATA_DIRS_MAX 3

struct engine {
    const char *name;  /**< as on our command line; also its id in --json */
    const char *alias; /**< another name it is asked for by, or NULL */
    const char *title; /**< as people write it */

    const char *daemon;             /**< the program that is started, looked up in $PATH */
    const char *daemon_variable;    /**< names another daemon, where the peer's script has one */
    const char *const *daemon_args; /**< NULL-ended: in front of the user's own arguments */
    const char *data_option;        /**< of the daemon: another place for its data, or NULL */
    const char *client;             /**< the program people type; it may be missing */
    const char *package;            /**< what has the daemon, for a message */
    const char *const *reset;       /**< arguments by which it removes its data itself, or NULL */

    const char *unit;        /**< the systemd user unit that we write */
    const char *vendor_unit; /**< the distribution's own unit that does the same, or NULL */
    bool notifies;           /**< tells systemd when it is ready (Type=notify) */
    bool outlived; /**< its containers are processes of their own, which a stop leaves running */
    bool reloads;  /**< reads its configuration again at SIGHUP, which ends the others */

    bool in_rootlesskit; /**< is started inside rootlesskit; else makes its user namespace itself */
    bool net_host;       /**< works in the host's own network (--net=host) */
    const char *variables;      /**< prefix of its start script's variables (engine_variable()) */
    const char *const *copy_up; /**< NULL-ended: directories of which it needs a copy to write in */

    struct engine_path state;                      /**< rootlesskit's state directory */
    struct engine_path socket;                     /**< where the daemon listens */
    struct engine_path data[ENGINE_DATA_DIRS_MAX]; /**< images, containers, volumes */

    const char *socket_variable; /**< by which clients are told unix://SOCKET, or NULL */
    bool context;                /**< its client keeps endpoints by name (docker context) */
    bool http;                   /**< the socket answers GET /version */
};

extern const struct engine engines[];
extern const size_t engines_count;

/** By name or alias; NULL for an unknown one. */
const struct engine *engine_find(const char *name);
/** The same of what somebody typed. @return NULL with a message that lists what there is */
const struct engine *engine_typed(const char *name, struct err *err);
/** The names for a message: "docker, containerd, ...". @return buf */
const char *engine_names(char *buf, size_t size);

/**
 * The directories of the user whose environment this is. An unset or relative value is none, as the
 * XDG base directory specification has it.
 * @return 0, or -ENOENT (no usable HOME), -ENAMETOOLONG
 */
int engine_dirs_read(struct engine_dirs *ret, struct err *err);
/** The absolute path of a file of an engine's. @return length, or -ENOENT when it has none (or its
 *  directory is not set), -ENAMETOOLONG */
int engine_path(const struct engine_dirs *dirs, const struct engine_path *path, char *buf,
                size_t size);
/** "DOCKERD_ROOTLESS_ROOTLESSKIT_NET" for docker and "NET". @return length, or -ENAMETOOLONG */
int engine_variable(const struct engine *engine, const char *what, char *buf, size_t size);

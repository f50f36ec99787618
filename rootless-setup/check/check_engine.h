/*
 * The engines that a check can be asked for, which are those of engine/engine.h in its order, and
 * what differs between them: where their images lie and what their configuration says of it. Files
 * are read, nothing is tried.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct check_subject;
struct check_files;

enum check_engine {
    ENGINE_ANY = 0, /**< none in particular */
    ENGINE_DOCKER,
    ENGINE_CONTAINERD,
    ENGINE_BUILDKIT,
    ENGINE_PODMAN,
    ENGINE_K3S,
    ENGINE_COUNT,
};

/** Sets of engines, as the probes' table has them. */
enum {
    FOR_DOCKER = 1 << ENGINE_DOCKER,
    FOR_CONTAINERD = 1 << ENGINE_CONTAINERD,
    FOR_BUILDKIT = 1 << ENGINE_BUILDKIT,
    FOR_PODMAN = 1 << ENGINE_PODMAN,
    FOR_K3S = 1 << ENGINE_K3S,
    FOR_DAEMONS = FOR_DOCKER | FOR_CONTAINERD, /**< those that start through rootlesskit, with a
                                                  network of their own */
    FOR_SYSTEMD = FOR_DAEMONS | FOR_PODMAN,    /**< those that ask systemd for cgroups */
    FOR_NETWORKS = FOR_SYSTEMD | FOR_K3S,      /**< those with bridges between containers */
    FOR_ALL = FOR_NETWORKS | FOR_BUILDKIT,
};

/** "docker", ..., NULL: in the order of the enum, without ENGINE_ANY. */
extern const char *const check_engine_names[];
/** @param name  one of check_engine_names; NULL: ENGINE_ANY */
enum check_engine check_engine_find(const char *name);
const char *check_engine_name(enum check_engine engine);

/** What the user's daemon.json says. */
struct check_engine_docker {
    char data_root[4096];   /**< "" for the usual place */
    bool no_iptables;       /**< "iptables": false */
    bool no_ip6tables;      /**< "ip6tables": false */
    bool no_image_store;    /**< "features": {"containerd-snapshotter": false}: graph drivers */
    bool no_userland_proxy; /**< "userland-proxy": false */
    char fault[256];        /**< why the file cannot be used; dockerd does not start then */
};
/** @return false when there is no such file */
bool check_engine_docker_read(const struct check_subject *subject, const struct check_files *files,
                              struct check_engine_docker *ret);

/**
 * Where the engine keeps images: as it is configured, else as it is by default; for ENGINE_ANY the
 * directory in which all of them do.
 */
const char *check_engine_data_dir(enum check_engine engine, const struct check_subject *subject,
                                  const struct check_files *files, char *buf, size_t size);

/*
 * The probes: one file each, one table, and the order in which they run.
 *
 * A probe function runs in a throw-away process that is the user, with cwd "/" and a time limit.
 * It does the thing, says what came of it in *result, and may leave namespaces, mounts and fds to
 * the end of the process. It must not print, and must not write where anything would stay.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rootless-setup/check/check_engine.h"
#include "rootless-setup/check/distro.h"
#include "rootless-setup/check/facts.h"
#include "rootless-setup/check/files.h"
#include "rootless-setup/check/result.h"
#include "rootless-setup/check/subject.h"

#define PROBE_NEEDS_MAX 3

struct check_context {
    struct check_subject subject;
    struct check_facts facts;
    struct distro distro;
    struct check_files files;
    enum check_engine engine; /**< the one that is asked for: its demands count, not all engines' */
};

struct check_probe {
    const char *id;    /**< stable; also the anchor in docs/checks.md */
    const char *title; /**< at most 24 characters, for the aligned line */
    void (*run)(const struct check_context *context, struct check_result *result);
    const char *needs[PROBE_NEEDS_MAX]; /**< ids that must not have failed, each listed earlier */
    unsigned engines;                   /**< FOR_...: those that it concerns */
    bool image; /**< can be told from files alone: context->files may be another system's */
};

#define PROBES_MAX 64

extern const struct check_probe check_probes[];
extern const size_t check_probes_count;

/** Index of a probe, or -1. */
int check_probe_index(const char *id);
/** True when the engine needs what it tries; all do for ENGINE_ANY. */
bool check_probe_concerns(const struct check_probe *probe, enum check_engine engine);

void probe_userns(const struct check_context *context, struct check_result *result);
void probe_proc(const struct check_context *context, struct check_result *result);
void probe_subid(const struct check_context *context, struct check_result *result);
void probe_newuidmap(const struct check_context *context, struct check_result *result);
void probe_newgidmap(const struct check_context *context, struct check_result *result);
void probe_cleaner(const struct check_context *context, struct check_result *result);
void probe_bus(const struct check_context *context, struct check_result *result);
void probe_linger(const struct check_context *context, struct check_result *result);
void probe_data_dir(const struct check_context *context, struct check_result *result);
void probe_hidepid(const struct check_context *context, struct check_result *result);
void probe_tools(const struct check_context *context, struct check_result *result);
void probe_state(const struct check_context *context, struct check_result *result);
void probe_rootful(const struct check_context *context, struct check_result *result);
void probe_overlay(const struct check_context *context, struct check_result *result);
void probe_fuse(const struct check_context *context, struct check_result *result);
void probe_propagation(const struct check_context *context, struct check_result *result);
void probe_keys(const struct check_context *context, struct check_result *result);
void probe_inotify(const struct check_context *context, struct check_result *result);
void probe_limits(const struct check_context *context, struct check_result *result);
void probe_tun(const struct check_context *context, struct check_result *result);
void probe_veth(const struct check_context *context, struct check_result *result);
void probe_nat(const struct check_context *context, struct check_result *result);
void probe_iptables(const struct check_context *context, struct check_result *result);
void probe_tproxy(const struct check_context *context, struct check_result *result);
void probe_rule(const struct check_context *context, struct check_result *result);
void probe_cgroup(const struct check_context *context, struct check_result *result);
void probe_runtime_dir(const struct check_context *context, struct check_result *result);
void probe_forward(const struct check_context *context, struct check_result *result);
void probe_route(const struct check_context *context, struct check_result *result);
void probe_ping(const struct check_context *context, struct check_result *result);
void probe_ports(const struct check_context *context, struct check_result *result);
void probe_where(const struct check_context *context, struct check_result *result);
void probe_security(const struct check_context *context, struct check_result *result);
void probe_syscalls(const struct check_context *context, struct check_result *result);
void probe_namespaces(const struct check_context *context, struct check_result *result);
void probe_ids(const struct check_context *context, struct check_result *result);
void probe_detach(const struct check_context *context, struct check_result *result);
void probe_scope(const struct check_context *context, struct check_result *result);
void probe_engine(const struct check_context *context, struct check_result *result);
void probe_context(const struct check_context *context, struct check_result *result);
void probe_units(const struct check_context *context, struct check_result *result);
void probe_podman(const struct check_context *context, struct check_result *result);
void probe_storage(const struct check_context *context, struct check_result *result);
void probe_bridge(const struct check_context *context, struct check_result *result);
void probe_vxlan(const struct check_context *context, struct check_result *result);
void probe_k3s(const struct check_context *context, struct check_result *result);
void probe_pasta(const struct check_context *context, struct check_result *result);
void probe_slirp4netns(const struct check_context *context, struct check_result *result);
void probe_dns(const struct check_context *context, struct check_result *result);

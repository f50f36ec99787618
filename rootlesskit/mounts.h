/*
 * The child's view of the file system: /proc and /sys of its own namespaces, propagation, its
 * resolv.conf and hosts. Everything here runs in the child, in its own mount namespace.
 */
#pragma once

struct err;

/** Sets the propagation of every mount: private, rprivate, shared, ... @return 0 or -errno */
int mounts_propagate(const char *mode, struct err *err);
/** Mounts a /proc of the caller's PID namespace; read-only if the outer one allows no more. */
int mounts_proc(struct err *err);
/**
 * Mounts a /sys of the caller's network namespace and puts the cgroup tree back below it.
 * @return 0, or -errno when this sandbox does not allow it: only /sys/class/net then shows the
 *         host's, so callers warn and go on
 */
int mounts_sys(struct err *err);
/**
 * Binds the open file @p fd over @p path. On a copied-up (tmpfs) directory a link at @p path is
 * replaced by a file first; else the bind is on the host's file, and vanishes when that is
 * replaced.
 */
int mounts_file(int fd, const char *path, struct err *err);

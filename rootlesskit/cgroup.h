/*
 * --evacuate-cgroup2: cgroup v2 forbids processes in a cgroup whose controllers its children use
 * (cgroups(7), "no internal processes"). So all of ours move into one below, and the command, whose
 * cgroup namespace has the old one as its root, may make others beside it.
 */
#pragma once

struct err;

/** Moves every process of the caller's cgroup into @p name below it, made if needed, and hands all
 *  controllers down. @return 0; -errno when there is no cgroup v2, or it is not the caller's */
int cgroup_evacuate(const char *name, struct err *err);
/** Mounts the cgroup namespace's own tree where cgroup v2 is mounted. @return 0 or -errno */
int cgroup_mount(struct err *err);

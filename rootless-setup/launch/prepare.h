/*
 * What an engine finds as root of the namespaces: the machine's own files out of its way, the
 * user's in their place.
 *
 * For a process that rootlesskit started, with copies of /etc and /run to write in.
 */
#pragma once

#include "rootless-setup/engine/engine.h"
#include "rootless-setup/launch/profile.h"

struct err;

/** Is SELinux at work? To be asked outside: inside there is no selinuxfs. */
bool prepare_selinux(void);
/** The variable by which the inside is told, and dockerd looks for: "_DOCKERD_ROOTLESS_SELINUX". */
int prepare_selinux_variable(const struct engine *engine, char *buf, size_t size);
/** @return 0, or -errno with a message; what is only worth a warning is printed as one */
int prepare_engine(const struct engine *engine, const struct launch_profile *profile,
                   const struct engine_dirs *dirs, struct err *err);

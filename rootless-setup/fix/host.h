/*
 * The values that run on this machine, beside the files they come from at boot. Reads and sets;
 * whether to is not decided here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rootless-setup/fix/record.h"

struct err;

/** A sysctl's value, its fields with one blank between. @return 0; -ENOENT: this kernel has none */
int host_sysctl(const char *key, char *ret, size_t size, struct err *err);
int host_set_sysctl(const char *key, const char *value, struct err *err);

/** True for a module that is loaded or built in. */
bool host_has_module(const char *name);
int host_load_module(const char *name, struct err *err);
/** @return 0 also when it was not loaded; -EBUSY and others when it stays */
int host_unload_module(const char *name, struct err *err);

/** A device node's mode, "0600". @return 0; -ENOENT: there is none; -ENOTTY: it is no device */
int host_mode(const char *path, char *ret, size_t size, struct err *err);
int host_set_mode(const char *path, const char *mode, struct err *err);

/** Tells those who read a file that it is there, or that it is gone; a profile of AppArmor, by
 * whose text it is unloaded, that it goes. */
int host_reload(enum change_reload reload, const char *path, bool gone, struct err *err);

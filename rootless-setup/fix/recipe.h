/*
 * What fix can do about a check: settings that belong to root, each a drop-in file and the running
 * value of the same. The file names are those of the remedies that check prints.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum fix_kind {
    FIX_SYSCTL,   /**< target = value in sysctl.d, and now */
    FIX_MODULES,  /**< the modules of value (blanks between) in modules-load.d, and now */
    FIX_DEVICE,   /**< target gets a mode, by udev or tmpfiles.d at boot, and now */
    FIX_DELEGATE, /**< cgroup controllers for user managers */
    FIX_LINGER,   /**< the user's manager starts at boot */
    FIX_APPARMOR, /**< a profile that allows our programs user namespaces */
};

/** When a running sysctl is as good as the wanted one. */
enum fix_rule { FIX_EQUAL, FIX_AT_LEAST, FIX_AT_MOST };

struct fix_step {
    enum fix_kind kind;
    const char *name;   /**< in the name of the file */
    const char *target; /**< sysctl key, device node */
    const char *value;
    enum fix_rule rule;
    mode_t mode;
    bool optional; /**< not every kernel has the sysctl */
};

#define FIX_STEPS_MAX 7 /* as many as kinds of namespaces have a limit */

struct fix_recipe {
    const char *check;
    struct fix_step steps[FIX_STEPS_MAX]; /**< up to the first without a name */
};

extern const struct fix_recipe fix_recipes[];
extern const size_t fix_recipes_count;

/** @return the recipe, or NULL: fix can do nothing about that check */
const struct fix_recipe *fix_recipe_find(const char *check);

/*
 * A source of subordinate ids beside the files: libsubid_NAME.so, which nsswitch.conf names
 * (nsswitch.h), by shadow's plug-in ABI (SSSD, FreeIPA and LDAP fleets have one).
 *
 * Foreign code runs in whoever opens one, so no privileged program links this: newuidmap asks
 * rootless-nss, which holds no capability. Every answer is checked before it is handed on: names,
 * counts and sums may be anything.
 */
#pragma once

#include <sys/types.h>

#include "lib/subid/nsswitch.h"
#include "lib/subid/subid.h"

struct err;

/** Ranges or owners taken from one answer; more is refused. */
#define SUBID_PLUGIN_ITEMS_MAX 65536

struct subid_plugin {
    void *handle; /**< of dlopen(3); NULL: not open */
    struct subid_plugin_abi *abi;
    char name[SUBID_SOURCE_MAX];
};

/** Loads libsubid_NAME.so. @return 0; -ENOENT when it cannot be loaded or lacks a function (the
 *  message says which and why): an error for the caller, never a reason to read the files, or a
 *  resource limit set by a user would choose the source. */
int subid_plugin_open(struct subid_plugin *plugin, const char *name, struct err *err);
void subid_plugin_close(struct subid_plugin *plugin);
/**
 * Whether the whole of @p range is @p owner's.
 * @return 1 or 0 (also for a user the source does not know); -EHOSTDOWN when it has no connection
 *         to its server; -EIO on its own error
 */
int subid_plugin_covers(const struct subid_plugin *plugin, enum subid_kind kind, const char *owner,
                        struct subid_range range, struct err *err);
/** All ranges of @p owner. @param ret  owned by the caller (cleanup_free), NULL when there are none
 *  @return how many; -ENOENT for an unknown user; -errno as above */
int subid_plugin_ranges(const struct subid_plugin *plugin, enum subid_kind kind, const char *owner,
                        struct subid_range **ret, struct err *err);
/** The uids of those whose ranges hold @p id. @param ret  as above @return how many, or -errno */
int subid_plugin_owners(const struct subid_plugin *plugin, enum subid_kind kind, uint32_t id,
                        uid_t **ret, struct err *err);

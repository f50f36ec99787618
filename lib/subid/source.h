/*
 * Subordinate ids from wherever this machine keeps them: the files, or the plug-in that
 * nsswitch.conf names. The one way for programs that hold no privilege to ask for them; a plug-in
 * is foreign code, and it is loaded only when one is named.
 *
 * For the machine's own place only: names are looked up through NSS. Safe in several threads when
 * each has a source of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/subid/place.h"
#include "lib/subid/plugin.h"
#include "lib/subid/subid.h"

struct err;

struct subid_source {
    const struct subid_place *place; /**< borrowed */
    struct subid_plugin plugin;
    char where[SUBID_SOURCE_MAX + 32]; /**< "" for the files */
};

/** @return 0; -EINVAL or -ENOENT when nsswitch.conf names what cannot be loaded: the files are not
 *  a substitute for it. Close with the next in every case. */
int subid_source_open(struct subid_source *source, const struct subid_place *place,
                      struct err *err);
void subid_source_close(struct subid_source *source);
bool subid_source_is_files(const struct subid_source *source);
/** For messages: "/etc/subuid", or "the source "sss" of nsswitch.conf". */
const char *subid_source_where(const struct subid_source *source, enum subid_kind kind);

/**
 * All ranges of a user. In the files these are the lines of his name, of his uid, and of any other
 * name that /etc/passwd has for that uid, in the files' order. A plug-in is asked for his name.
 * @param user  a login name or a uid in digits; a uid need not have a name
 * @param ret   owned by the caller (cleanup_free), NULL when there are none
 * @return how many (0 also for an unknown name); -ENOENT when there is no file, or the plug-in does
 *         not know the user; -errno
 */
int subid_source_ranges(const struct subid_source *source, enum subid_kind kind, const char *user,
                        struct subid_range **ret, struct err *err);
/**
 * What newuidmap and newgidmap grant a user, as many ranges as a map can have: of the files, the
 * lines of the one name and of the uid.
 * @return how many; -ENOENT as above; -errno
 */
int subid_source_grants(const struct subid_source *source, enum subid_kind kind, const char *name,
                        uid_t uid, struct subid_range ret[SUBID_RANGES_MAX], struct err *err);
/**
 * The uids of those whose ranges hold @p id, each once; owners that are no users any more have
 * none. @param ret  as above. @return how many, or -errno as above
 */
int subid_source_owners(const struct subid_source *source, enum subid_kind kind, uint32_t id,
                        uid_t **ret, struct err *err);

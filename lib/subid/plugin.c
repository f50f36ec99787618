#include "lib/subid/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/subid/nsswitch.h"

/* shadow's plug-in ABI (libsubid/subid.h and lib/nss.c there), the same since 4.9 but for
 * shadow_subid_free, which came with 4.16. SSSD 2.8 is older than that: free(3) then. */
enum abi_kind { ABI_UID = 1, ABI_GID = 2 };
enum abi_status { ABI_SUCCESS = 0, ABI_UNKNOWN_USER = 1, ABI_NO_CONNECTION = 2, ABI_ERROR = 3 };

struct abi_range {
    unsigned long start, count;
};

typedef int has_range_fn(const char *owner, unsigned long start, unsigned long count, int kind,
                         bool *result);
typedef int list_ranges_fn(const char *owner, int kind, struct abi_range **ranges, int *count);
typedef int find_owners_fn(unsigned long id, int kind, uid_t **uids, int *count);
typedef void free_fn(void *ptr);

struct subid_plugin_abi {
    has_range_fn *has_range;
    list_ranges_fn *list_ranges;
    find_owners_fn *find_owners;
    free_fn *release;
};

static int lookup(const struct subid_plugin *plugin, const char *symbol, void *ret, struct err *err)
{
    void *found = dlsym(plugin->handle, symbol);
    if (!found)
        return err_set(err, ENOENT,
                       "libsubid_%s.so has no function %s: it is no plug-in of this "
                       "kind",
                       plugin->name, symbol);
    memcpy(ret, &found, sizeof found); /* ISO C has no cast from object to function pointer */
    return 0;
}

static int fill_abi(const struct subid_plugin *plugin, struct subid_plugin_abi *abi,
                    struct err *err)
{
    int r = lookup(plugin, "shadow_subid_has_range", &abi->has_range, err);
    if (r == 0)
        r = lookup(plugin, "shadow_subid_list_owner_ranges", &abi->list_ranges, err);
    if (r == 0)
        r = lookup(plugin, "shadow_subid_find_subid_owners", &abi->find_owners, err);
    if (r < 0)
        return r;
    if (lookup(plugin, "shadow_subid_free", &abi->release, NULL) < 0)
        abi->release = free;
    return 0;
}

int subid_plugin_open(struct subid_plugin *plugin, const char *name, struct err *err)
{
    char file[sizeof "libsubid_.so" + SUBID_SOURCE_MAX];
    *plugin = (struct subid_plugin){0};
    if (strchr(name, '/') || str_copy(plugin->name, sizeof plugin->name, name) < 0 ||
        str_format(file, sizeof file, "libsubid_%s.so", name) < 0)
        return err_set(err, ENOENT, "\"%s\" cannot be the name of a plug-in", name);
    struct subid_plugin_abi *abi = calloc(1, sizeof *abi);
    if (!abi)
        return err_set(err, ENOMEM, "no memory for the plug-in %s", file);
    plugin->abi = abi;
    /* never unmapped: a plug-in may have left thread-exit handlers (SSSD does) */
    plugin->handle = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    int r = 0;
    if (!plugin->handle)
        r = err_set(err, ENOENT,
                    "cannot load the plug-in that \"subid: %s\" in "
                    "/etc/nsswitch.conf names: %s",
                    name, dlerror());
    else
        r = fill_abi(plugin, abi, err);
    if (r < 0)
        subid_plugin_close(plugin);
    return r;
}

void subid_plugin_close(struct subid_plugin *plugin)
{
    if (plugin->handle)
        (void)dlclose(plugin->handle);
    free(plugin->abi);
    *plugin = (struct subid_plugin){0};
}

/* @return 0 on success, else the code of a status that is none */
static int check_status(const struct subid_plugin *plugin, int status, struct err *err)
{
    if (status == ABI_SUCCESS)
        return 0;
    if (status == ABI_UNKNOWN_USER)
        return err_set(err, ENOENT, "the source \"%s\" of subordinate ids does not know the user",
                       plugin->name);
    if (status == ABI_NO_CONNECTION)
        return err_set(err, EHOSTDOWN,
                       "the source \"%s\" of subordinate ids has no connection to "
                       "its server: is its service running?",
                       plugin->name);
    if (status == ABI_ERROR)
        return err_set(err, EIO, "the source \"%s\" of subordinate ids reports an error",
                       plugin->name);
    return err_set(err, EIO,
                   "the source \"%s\" of subordinate ids answers status %d, which means "
                   "nothing",
                   plugin->name, status);
}

static int check_count(const struct subid_plugin *plugin, const void *items, int count,
                       struct err *err)
{
    if (count >= 0 && count <= SUBID_PLUGIN_ITEMS_MAX && (count == 0 || items))
        return 0;
    return err_set(err, EIO, "the source \"%s\" of subordinate ids answers with %d items%s",
                   plugin->name, count, items ? "" : " and no list");
}

static int abi_kind(enum subid_kind kind)
{
    return kind == SUBID_UID ? ABI_UID : ABI_GID;
}

int subid_plugin_covers(const struct subid_plugin *plugin, enum subid_kind kind, const char *owner,
                        struct subid_range range, struct err *err)
{
    bool result = false;
    int status = plugin->abi->has_range(owner, range.start, range.count, abi_kind(kind), &result);
    int r = check_status(plugin, status, err);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    unsigned char byte = 0; /* foreign code wrote it: it need not be 0 or 1 */
    memcpy(&byte, &result, sizeof byte);
    return byte == 1;
}

/* Ranges of no ids are nothing, as in the files. */
static int take_ranges(const struct subid_plugin *plugin, const struct abi_range *items, int count,
                       struct subid_range *ret, struct err *err)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        unsigned long start = items[i].start, ids = items[i].count;
        if (ids == 0)
            continue;
        if (start > UINT32_MAX || ids > UINT32_MAX - start)
            return err_set(err, EIO,
                           "the source \"%s\" of subordinate ids answers with %lu ids "
                           "from %lu on, which no id map can hold",
                           plugin->name, ids, start);
        ret[n++] = (struct subid_range){.start = (uint32_t)start, .count = (uint32_t)ids};
    }
    return n;
}

int subid_plugin_ranges(const struct subid_plugin *plugin, enum subid_kind kind, const char *owner,
                        struct subid_range **ret, struct err *err)
{
    struct abi_range *items = NULL;
    int count = 0;
    *ret = NULL;
    int r =
        check_status(plugin, plugin->abi->list_ranges(owner, abi_kind(kind), &items, &count), err);
    if (r == 0)
        r = check_count(plugin, items, count, err);
    if (r < 0)
        return r; /* nothing that came with it can be trusted, not even to be freed */
    cleanup_free struct subid_range *ranges = calloc((size_t)count + 1, sizeof *ranges);
    r = ranges ? take_ranges(plugin, items, count, ranges, err)
               : err_set(err, ENOMEM, "no memory for %d ranges", count);
    if (items)
        plugin->abi->release(items);
    if (r > 0) {
        *ret = ranges;
        ranges = NULL;
    }
    return r;
}

int subid_plugin_owners(const struct subid_plugin *plugin, enum subid_kind kind, uint32_t id,
                        uid_t **ret, struct err *err)
{
    uid_t *items = NULL;
    int count = 0;
    *ret = NULL;
    int r = check_status(plugin, plugin->abi->find_owners(id, abi_kind(kind), &items, &count), err);
    if (r == -ENOENT)
        return 0;
    if (r == 0)
        r = check_count(plugin, items, count, err);
    if (r < 0)
        return r;
    uid_t *uids = NULL;
    if (count > 0 && !(uids = calloc((size_t)count, sizeof *uids)))
        r = err_set(err, ENOMEM, "no memory for %d owners", count);
    else if (count > 0)
        memcpy(uids, items, (size_t)count * sizeof *uids);
    if (items)
        plugin->abi->release(items);
    *ret = uids;
    return r < 0 ? r : count;
}

/*
 * A source of subordinate ids for tests, by shadow's plug-in ABI. What it answers follows from the
 * user's name, so that one plug-in plays a good source, a broken one and a hostile one.
 *   WITHOUT_FREE     as plug-ins before shadow 4.16: no shadow_subid_free
 *   WITHOUT_OWNERS   lacks a function that every plug-in must have
 */
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define PUBLIC __attribute__((visibility("default")))

struct range {
    unsigned long start, count;
};

/* The first word of an array that shadow_subid_free takes; free(3) must not get it. */
#define MARK 8

PUBLIC int shadow_subid_has_range(const char *owner, unsigned long start, unsigned long count,
                                  int kind, bool *result);
PUBLIC int shadow_subid_list_owner_ranges(const char *owner, int kind, struct range **ranges,
                                          int *count);
PUBLIC int shadow_subid_find_subid_owners(unsigned long id, int kind, uid_t **uids, int *count);
PUBLIC void shadow_subid_free(void *ptr);

static void *room_for(size_t n, size_t size)
{
#ifdef WITHOUT_FREE
    return calloc(n + 1, size);
#else
    char *bytes = calloc(1, MARK + (n + 1) * size);
    return bytes ? bytes + MARK : NULL;
#endif
}

#ifndef WITHOUT_FREE
void shadow_subid_free(void *ptr)
{
    if (ptr)
        free((char *)ptr - MARK);
}
#endif

static int status_of(const char *owner)
{
    static const char *const words[] = {"ok", "unknown", "conn", "error"};
    for (int i = 1; i < 4; i++)
        if (strcmp(owner, words[i]) == 0)
            return i;
    return strcmp(owner, "nonsense") == 0 ? 17 : 0;
}

int shadow_subid_has_range(const char *owner, unsigned long start, unsigned long count, int kind,
                           bool *result)
{
    unsigned long first = kind == 1 ? 200000 : 300000;
    if (strcmp(owner, "seven") == 0)
        memset(result, 7, 1); /* a bool that is neither */
    else
        *result = (start >= first && start + count <= first + 1000) ||
                  (start >= 400000 && start + count <= 465536);
    return status_of(owner);
}

int shadow_subid_list_owner_ranges(const char *owner, int kind, struct range **ranges, int *count)
{
    unsigned long first = kind == 1 ? 200000 : 300000;
    static const struct {
        const char *owner;
        int count;
        bool null;
        struct range second;
    } hostile[] = {
        {"negative", -1, false, {0, 0}},
        {"many", INT_MAX, false, {0, 0}},
        {"null", 2, true, {0, 0}},
        {"overflow", 2, false, {ULONG_MAX, 2}},
        {"beyond", 2, false, {4294967295UL, 1}},
        {"last", 2, false, {4294967294UL, 1}},
        {"hole", 2, false, {5, 0}},
        {"none", 0, false, {0, 0}},
    };
    /* not from the heap: what comes with a refusal or an impossible count must not be freed */
    static struct range trap[2];
    bool refused = status_of(owner) != 0;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
        refused = refused || (strcmp(owner, hostile[i].owner) == 0 &&
                              (hostile[i].count < 0 || hostile[i].count > 2 || hostile[i].null));
    struct range *items = refused ? trap : room_for(2, sizeof *items);
    *ranges = items;
    *count = 2;
    if (!items)
        return 3;
    items[0] = (struct range){first, 1000};
    items[1] = (struct range){400000, 65536};
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        if (strcmp(owner, hostile[i].owner) != 0)
            continue;
        items[1] = hostile[i].second;
        *count = hostile[i].count;
        if (hostile[i].null)
            *ranges = NULL;
    }
    return status_of(owner);
}

#ifndef WITHOUT_OWNERS
int shadow_subid_find_subid_owners(unsigned long id, int kind, uid_t **uids, int *count)
{
    static uid_t trap[2] = {1500, 1501};
    (void)kind;
    *uids = trap;
    *count = -5;
    if (id >= 900000)
        return (int)(id - 900000); /* the status itself */
    if (id == 7)
        return 0;
    *uids = room_for(2, sizeof **uids);
    if (!*uids)
        return 3;
    memcpy(*uids, trap, sizeof trap);
    *count = 2;
    return 0;
}
#endif

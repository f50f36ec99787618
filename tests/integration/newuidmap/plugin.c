/*
 * libsubid_rltest.so: rltest-alice (by name) has 500000+1000 and 600000+10, for everybody else
 * there is no connection. shadow's plug-in ABI (libsubid/subid.h there).
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { SUCCESS = 0, NO_CONNECTION = 2 };

struct range {
    unsigned long start, count;
};

static const struct range ranges[] = {{500000, 1000}, {600000, 10}};

int shadow_subid_has_range(const char *owner, unsigned long start, unsigned long count, int kind,
                           bool *result);
int shadow_subid_list_owner_ranges(const char *owner, int kind, struct range **ret, int *n);
int shadow_subid_find_subid_owners(unsigned long id, int kind, uid_t **ret, int *n);
void shadow_subid_free(void *ptr);

int shadow_subid_has_range(const char *owner, unsigned long start, unsigned long count, int kind,
                           bool *result)
{
    (void)kind;
    if (strcmp(owner, "rltest-alice") != 0)
        return NO_CONNECTION;
    *result = false;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (start >= ranges[i].start && start + count <= ranges[i].start + ranges[i].count)
            *result = true;
    return SUCCESS;
}

int shadow_subid_list_owner_ranges(const char *owner, int kind, struct range **ret, int *n)
{
    (void)kind;
    if (strcmp(owner, "rltest-alice") != 0)
        return NO_CONNECTION;
    *ret = malloc(sizeof ranges);
    if (*ret)
        memcpy(*ret, ranges, sizeof ranges);
    *n = *ret ? 2 : 0;
    return SUCCESS;
}

int shadow_subid_find_subid_owners(unsigned long id, int kind, uid_t **ret, int *n)
{
    (void)id;
    (void)kind;
    *ret = NULL;
    *n = 0;
    return SUCCESS;
}

void shadow_subid_free(void *ptr)
{
    free(ptr);
}

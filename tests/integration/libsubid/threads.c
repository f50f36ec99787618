/* Many threads at once: each grants its own user one range and reads it back. */
#include <pthread.h>
#include <shadow/subid.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 8

static void *work(void *arg)
{
    struct subordinate_range range = {.owner = arg, .count = 1000};
    struct subid_range *ranges = NULL;
    if (!subid_grant_uid_range(&range, false))
        return arg;
    int n = subid_get_uid_ranges(arg, &ranges);
    int same = n == 1 && ranges[0].start == range.start && ranges[0].count == 1000;
    free(ranges);
    return same ? NULL : arg;
}

int main(void)
{
    static char names[THREADS][32];
    pthread_t threads[THREADS];
    int failed = 0;
    for (int i = 0; i < THREADS; i++) {
        (void)snprintf(names[i], sizeof names[i], "rltest-t%d", i);
        if (pthread_create(&threads[i], NULL, work, names[i]) != 0)
            return 2;
    }
    for (int i = 0; i < THREADS; i++) {
        void *bad = NULL;
        (void)pthread_join(threads[i], &bad);
        failed += bad != NULL;
    }
    return failed;
}

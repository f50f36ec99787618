/*
 * A program of somebody's that uses libsubid: built against our header, and by the test against
 * shadow's. It prints what it got, frees with free(3) as podman does, and exits with 1 when the
 * library said no.
 */
#include <shadow/subid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long number(const char *word)
{
    unsigned long value = 0;
    return sscanf(word, "%lu", &value) == 1 ? value : 0;
}

static int print_ranges(int (*get)(const char *, struct subid_range **), const char *owner)
{
    struct subid_range *ranges = (struct subid_range *)&ranges;
    int n = get(owner, &ranges);
    printf("%d", n);
    for (int i = 0; i < n; i++)
        printf(" %lu:%lu", ranges[i].start, ranges[i].count);
    puts(n <= 0 && ranges ? " and an array" : "");
    if (n > 0)
        free(ranges);
    return n < 0;
}

static int print_owners(int (*get)(unsigned, unsigned **), const char *id)
{
    unsigned *uids = NULL;
    int n = get((unsigned)number(id), &uids);
    printf("%d", n);
    for (int i = 0; i < n; i++)
        printf(" %u", uids[i]);
    puts("");
    free(uids);
    return n < 0;
}

static int change(const char *verb, const char *kind, char **words)
{
    struct subordinate_range range = {.owner = words[0], .start = 7};
    int gid = strcmp(kind, "gid") == 0;
    bool done;
    if (strcmp(verb, "ungrant") == 0) {
        range.start = number(words[1]);
        range.count = number(words[2]);
        done = (gid ? subid_ungrant_gid_range : subid_ungrant_uid_range)(&range);
    } else {
        range.count = number(words[1]);
        done = (gid ? subid_grant_gid_range : subid_grant_uid_range)(&range, words[2] != NULL);
    }
    printf("%s %lu:%lu\n", done ? "yes" : "no", range.start, range.count);
    return !done;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    int gid = strcmp(argv[2], "gid") == 0;
    if (getenv("ASK_SILENT") ? !subid_init(NULL, NULL) : !subid_init("ask", stderr))
        return 2;
    if (strcmp(argv[1], "ranges") == 0)
        return print_ranges(gid ? subid_get_gid_ranges : subid_get_uid_ranges, argv[3]);
    if (strcmp(argv[1], "owners") == 0)
        return print_owners(gid ? subid_get_gid_owners : subid_get_uid_owners, argv[3]);
    return change(argv[1], argv[2], argv + 3);
}

/*
 * A command line of any content, and ranges to judge it by: what is accepted is what the kernel
 * would take, and the policy agrees with a bitmap of the ids.
 * Bytes: a number of ranges, two bytes a range (start, count), then the words, each ended by NUL.
 */
#include "tests/fuzz/extents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/idmap/idmap.h"
#include "lib/idmap/policy.h"

#define WORDS_MAX 1100
#define RANGES_MAX 16

static void check_request(const struct idmap_request *request)
{
    static char text[IDMAP_TEXT_MAX];
    const struct idmap_extents *e = &request->extents;
    require((request->target.pid > 0) != (request->target.fd >= 0));
    require_extents(e);
    int len = idmap_extents_format(e, 4096, text, NULL);
    require(len < 4096);
    const char *line = text;
    for (size_t i = 0; len > 0 && i < e->n; i++) {
        struct idmap_extent x = {0};
        int used = 0;
        require(sscanf(line, "%u %u %u%n", &x.inside, &x.outside, &x.count, &used) == 3);
        require(memcmp(&x, &e->list[i], sizeof x) == 0 && line[used] == '\n');
        line += used + 1;
    }
    require(len < 0 || line == text + len);
}

static void check_policy(const struct idmap_extents *extents, const struct subid_range *ranges,
                         size_t n)
{
    bool ids[512] = {false};
    for (size_t i = 0; i < n; i++)
        for (uint32_t id = 0; id < ranges[i].count; id++)
            ids[ranges[i].start + id] = true;
    for (size_t i = 0; i < extents->n; i++) {
        uint64_t end = (uint64_t)extents->list[i].outside + extents->list[i].count;
        bool all = end <= sizeof ids;
        for (uint64_t id = extents->list[i].outside; all && id < end; id++)
            all = ids[id];
        require(idmap_policy_covered(ranges, n, extents->list[i].outside, extents->list[i].count) ==
                all);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct idmap_request request;
    static char text[65536];
    char *words[WORDS_MAX];
    struct subid_range ranges[RANGES_MAX];
    size_t n_ranges = size > 0 ? data[0] % RANGES_MAX : 0;
    size_t head = 1 + 2 * n_ranges;
    if (size < head || size - head >= sizeof text)
        return 0;
    for (size_t i = 0; i < n_ranges; i++)
        ranges[i] = (struct subid_range){.start = data[1 + 2 * i], .count = data[2 + 2 * i] + 1U};
    size_t len = size - head;
    memcpy(text, data + head, len);
    text[len] = '\0';
    int n = 0;
    for (size_t at = 0; at < len && n < WORDS_MAX; at += strlen(text + at) + 1)
        words[n++] = text + at;
    if (idmap_parse(SUBID_UID, n, words, &request, NULL) == 0) {
        check_request(&request);
        check_policy(&request.extents, ranges, n_ranges);
    }
    struct idmap_caller caller = {0};
    if (idmap_caller_scan(text, len, 1500, &caller))
        require(caller.named && caller.name[0] != '\0' && !strpbrk(caller.name, ":\n"));
    return 0;
}

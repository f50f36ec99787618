/*
 * A sub-id file of any content: what is read, kept, changed and handed out must agree.
 * The first four bytes choose a range to take away and the size of a block; the rest is the file.
 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/subid/db.h"
#include "lib/subid/space.h"

#define OWNER "alice"
#define UID 1500

static void check_entry(struct subid_entry *entry, void *arg)
{
    (void)arg;
    require(entry->is_range && entry->line.count > 0 &&
            (uint64_t)entry->line.start + entry->line.count <= UINT32_MAX);
}

static char dir[] = "/dev/shm/rltest-fuzz-XXXXXX";

static void remove_dir(void)
{
    (void)rmdir(dir);
}

/* The privileged reader sees exactly the lines of the owner that the writer sees. */
static void check_reading_half(const struct subid_db *db, const char *text, size_t len)
{
    static int dir_fd = -1;
    if (dir_fd < 0) {
        require(mkdtemp(dir) && atexit(remove_dir) == 0);
        dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    int fd = openat(dir_fd, "subuid", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && write(fd, text, len) == (ssize_t)len);
    (void)close(fd);
    struct subid_range ranges[SUBID_RANGES_MAX];
    int n = subid_ranges(dir_fd, SUBID_UID, OWNER, UID, ranges, SUBID_RANGES_MAX, NULL);
    size_t wanted = subid_db_visit(db, OWNER, UID, check_entry, NULL);
    require(n >= 0 && (size_t)n == (wanted < SUBID_RANGES_MAX ? wanted : SUBID_RANGES_MAX));
    (void)unlinkat(dir_fd, "subuid", 0);
}

static void check_verbatim(const struct subid_db *db, const char *text, size_t len)
{
    cleanup_free char *same = NULL;
    size_t same_len = 0;
    require(subid_db_render(db, &same, &same_len, NULL) == 0);
    require(same_len == len + (db->bare_end ? 1 : 0) && memcmp(same, text, len) == 0);
}

/* Blocks that are handed out meet neither a line nor one another. */
static void check_fit(struct subid_db *db, uint32_t count)
{
    struct subid_space space = {0};
    struct subid_fit fit;
    uint32_t start = 0;
    uint64_t last_end = 0;
    for (size_t i = 0; i < db->n_entries; i++)
        if (db->entries[i].is_range)
            require(subid_space_take_line(&space, &db->entries[i].line, "", NULL) == 0);
    subid_fit_begin(&fit, &space, 1000, UINT32_MAX - 1, count);
    for (int i = 0; i < 4 && subid_fit_next(&fit, &start); i++) {
        uint64_t end = (uint64_t)start + count;
        require(start >= last_end && end <= UINT32_MAX);
        require(!subid_space_hit(&space, start, end));
        struct subid_range range = {.start = start, .count = count};
        require(subid_db_add(db, "newcomer", range, NULL) == 0);
        last_end = end;
    }
    subid_space_free(&space);
}

/* What was taken away is gone when the result is read again, what was added is there. */
static void check_result(const struct subid_db *db, uint32_t first, uint32_t last)
{
    cleanup_free char *text = NULL;
    size_t len = 0;
    struct subid_db again;
    require(subid_db_render(db, &text, &len, NULL) == 0);
    require(subid_db_parse(&again, SUBID_UID, text, len, NULL) == 0);
    require(subid_db_remove(&again, OWNER, UID, first, last) == 0);
    require(subid_db_visit(&again, "newcomer", (uid_t)-1, check_entry, NULL) >= db->n_additions);
    static const struct subid_place place = {.live = true};
    FILE *nowhere = fopen("/dev/null", "we");
    require(nowhere);
    subid_db_diff(db, &place, nowhere);
    (void)fclose(nowhere);
    subid_db_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint16_t knobs[2] = {0};
    if (size < sizeof knobs)
        return 0;
    memcpy(knobs, data, sizeof knobs);
    const char *text = (const char *)data + sizeof knobs;
    size_t len = size - sizeof knobs;
    uint32_t first = (uint32_t)knobs[0] * 65537u, count = (uint32_t)knobs[1] * 4096u + 1;
    uint32_t last = first <= UINT32_MAX - 1 - count ? first + count : UINT32_MAX - 1;
    if (first > last)
        return 0;
    struct subid_db db;
    require(subid_db_parse(&db, SUBID_UID, text, len, NULL) == 0);
    check_reading_half(&db, text, len);
    check_verbatim(&db, text, len);
    check_fit(&db, count);
    (void)subid_db_remove(&db, OWNER, UID, first, last);
    check_result(&db, first, last);
    subid_db_free(&db);
    return 0;
}

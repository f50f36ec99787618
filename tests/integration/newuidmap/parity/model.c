#include "tests/integration/newuidmap/parity/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDS (UINT64_C(1) << 32)
#define LINE_MAX_BYTES 1024
#define PAGE 4096
#define EXTENTS_MAX 340
#define RANGES_MAX 1000

/* The ids an entry gives, both ends inclusive. */
struct range {
    uint64_t first, last;
};

static bool has(unsigned shadow, enum model_rule rule)
{
    return (shadow & RULE_BIT(rule)) != 0;
}

static int digit_of(char ch)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = ch ? strchr(digits, ch >= 'A' && ch <= 'F' ? ch - 'A' + 'a' : ch) : NULL;
    return found ? (int)(found - digits) : 99;
}

/* strtoul(3) with base 0, nothing behind the number. @return false also above 64 bits */
static bool read_number(const char *s, size_t len, unsigned shadow, uint64_t *ret)
{
    const char *end = s + len;
    while (s < end && *s && strchr(" \t\n\v\f\r", *s))
        s++;
    bool minus = s < end && *s == '-';
    if (s < end && (*s == '-' || *s == '+'))
        s++;
    unsigned base = s < end && *s == '0' ? 8 : 10;
    if (end - s > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    }
    unsigned __int128 value = 0;
    if (s == end)
        return false;
    for (; s < end; s++) {
        if (digit_of(*s) >= (int)base)
            return false;
        value = value * base + (unsigned)digit_of(*s);
        if (value > UINT64_MAX)
            return false;
    }
    if (minus && !has(shadow, RULE_NEGATIVE) && !(value == 0 && has(shadow, RULE_MINUS_ZERO)))
        return false;
    *ret = minus ? -(uint64_t)value : (uint64_t)value;
    return true;
}

static bool is_text(const char *s, size_t len, const char *want)
{
    return want && strlen(want) == len && memcmp(s, want, len) == 0;
}

static bool owns(const struct trial *trial, unsigned shadow, const char *owner, size_t len)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%u", trial->user->uid);
    if (is_text(owner, len, trial->user->name))
        return true;
    if (has(shadow, RULE_SECOND_NAME) && is_text(owner, len, trial->user->second))
        return true;
    while (!has(shadow, RULE_OWNER_ZEROS) && len > 1 && *owner == '0') {
        owner++;
        len--;
    }
    return is_text(owner, len, number);
}

static size_t field_len(const char *s, const char *end)
{
    const char *colon = memchr(s, ':', (size_t)(end - s));
    return (size_t)((colon ? colon : end) - s);
}

static bool range_of(uint64_t start, uint64_t count, unsigned shadow, struct range *ret)
{
    *ret = (struct range){.first = start, .last = start + count - 1};
    if (count == 0)
        return has(shadow, RULE_ZERO_RANGE);
    if (has(shadow, RULE_64_BITS))
        return true;
    uint64_t limit = has(shadow, RULE_LAST_ID) ? IDS : IDS - 1;
    return start < IDS && count < IDS && start + count <= limit;
}

static bool read_line(const struct trial *trial, unsigned shadow, const char *s, size_t len,
                      struct range *ret)
{
    const char *end = s + len, *field[3];
    size_t lens[3];
    if (len == 0 || len >= LINE_MAX_BYTES || *s == '+' || *s == '-' || memchr(s, '\0', len))
        return false;
    for (int i = 0; i < 3; i++) {
        field[i] = s;
        lens[i] = field_len(s, end);
        s += lens[i];
        if (lens[i] == 0 || (i < 2 && s == end))
            return false;
        s += i < 2 ? 1 : 0;
    }
    if (s != end && !has(shadow, RULE_FOURTH_FIELD))
        return false;
    uint64_t start = 0, count = 0;
    return owns(trial, shadow, field[0], lens[0]) &&
           read_number(field[1], lens[1], shadow, &start) &&
           read_number(field[2], lens[2], shadow, &count) && range_of(start, count, shadow, ret);
}

static size_t read_ranges(const struct trial *trial, unsigned shadow, struct range ret[RANGES_MAX])
{
    size_t n = 0;
    const char *s = trial->file, *end = s + trial->file_len;
    size_t max = has(shadow, RULE_MANY_RANGES) ? RANGES_MAX : EXTENTS_MAX;
    while (s < end && n < max) {
        const char *newline = memchr(s, '\n', (size_t)(end - s));
        const char *stop = newline ? newline : end;
        if (read_line(trial, shadow, s, (size_t)(stop - s), &ret[n]))
            n++;
        s = stop + 1;
    }
    return n;
}

static bool covered(const struct range *ranges, size_t n, const struct model_extent *extent)
{
    uint64_t at = extent->outside, last = at + extent->count - 1;
    for (size_t i = 0; i < n; i++) {
        if (at < ranges[i].first || at > ranges[i].last)
            continue;
        if (ranges[i].last >= last)
            return true;
        at = ranges[i].last + 1;
        i = (size_t)-1; /* from the start again: any order will do */
    }
    return false;
}

/* @return number of extents, -1: not what the command line may be */
static int read_words(const struct trial *trial, unsigned shadow, struct model_extent *ret)
{
    static uint64_t numbers[TRIAL_WORDS_MAX];
    if (trial->n_words % 3 != 0)
        return -1;
    for (size_t i = 0; i < trial->n_words; i++)
        if (!read_number(trial->words[i], strlen(trial->words[i]), shadow, &numbers[i]))
            return -1;
    for (size_t i = 0; i < trial->n_words; i += 3) {
        uint64_t inside = numbers[i], outside = numbers[i + 1], count = numbers[i + 2];
        if (inside >= IDS || outside >= IDS || count >= IDS || count == 0 ||
            inside + count >= IDS || outside + count >= IDS)
            return -1;
        ret[i / 3] = (struct model_extent){inside, outside, count};
    }
    return (int)(trial->n_words / 3);
}

static bool meet(uint64_t a, uint64_t a_count, uint64_t b, uint64_t b_count)
{
    return a < b + b_count && b < a + a_count;
}

/* user_namespaces(7): what the kernel takes as a map. */
static bool is_map(const struct model_extent *map, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes +=
            (size_t)snprintf(NULL, 0, "%lu %lu %lu\n", map[i].inside, map[i].outside, map[i].count);
        for (size_t j = 0; j < i; j++)
            if (meet(map[i].inside, map[i].count, map[j].inside, map[j].count) ||
                meet(map[i].outside, map[i].count, map[j].outside, map[j].count))
                return false;
    }
    return n > 0 && n <= EXTENTS_MAX && bytes < PAGE;
}

static bool names_target(const struct trial *trial, unsigned shadow)
{
    if (trial->target == TARGET_GONE)
        return false;
    switch (trial->spelling) {
    case SPELLED_PLAIN:
    case SPELLED_ZEROS:
        return true;
    case SPELLED_PLUS:
    case SPELLED_BLANK:
        return has(shadow, RULE_PID_SIGN);
    case SPELLED_FD:
        return !has(shadow, RULE_NO_FD);
    case SPELLED_FD_OF_FILE:
    case SPELLED_FD_CLOSED:
    case SPELLED_FD_BARE:
    case SPELLED_JUNK:
    case SPELLED_NEGATIVE:
    case SPELLED_ZERO:
    case SPELLED_WIDE:
    case SPELLED_ABSENT:
        break;
    }
    return false;
}

static bool owns_target(const struct trial *trial, unsigned shadow)
{
    const struct trial_user *user = trial->user;
    if (trial->mixed_ids && !has(shadow, RULE_MIXED_IDS))
        return false;
    if (!user->name && has(shadow, RULE_NO_PASSWD_ENTRY))
        return false;
    bool aux = has(shadow, RULE_LOGIN_DEFS) ? trial->login_defs->aux_new : trial->login_defs->aux;
    if (user->name && user->gid != trial->caller_gid && !aux)
        return false;
    return user->uid == trial->target_user->uid && trial->caller_gid == trial->target_gid;
}

static bool reads_file(const struct trial *trial, unsigned shadow)
{
    bool final = trial->file_len == 0 || trial->file[trial->file_len - 1] == '\n';
    switch (trial->file_state) {
    case FILE_ABSENT:
        return !has(shadow, RULE_NO_FILE);
    case FILE_LINK:
        return false;
    case FILE_SECRET:
        if (trial->user->uid != 0 && !has(shadow, RULE_SECRET_FILE))
            return false;
        break;
    case FILE_PLAIN:
        break;
    }
    return final || !has(shadow, RULE_FINAL_NEWLINE);
}

/* @return whether every extent is allowed */
static bool allows(const struct trial *trial, unsigned shadow, const struct model_extent *map,
                   size_t n, bool *ret_granted)
{
    static struct range ranges[RANGES_MAX];
    size_t n_ranges = trial->file_state == FILE_ABSENT ? 0 : read_ranges(trial, shadow, ranges);
    uint64_t own = trial->gid ? trial->caller_gid : trial->user->uid;
    *ret_granted = false;
    for (size_t i = 0; i < n; i++) {
        if (covered(ranges, n_ranges, &map[i]))
            *ret_granted = true;
        else if (map[i].count != 1 || map[i].outside != own)
            return false;
    }
    return true;
}

static bool takes_root(const struct model_extent *map, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (map[i].outside == 0)
            return true;
    return false;
}

/* CVE-2018-7169: a map without a granted gid costs setgroups(2). @return false: it cannot be */
static bool deny_setgroups(const struct trial *trial, struct model_outcome *ret)
{
    if (trial->denied)
        return true;
    if (trial->target == TARGET_SAME || trial->mapped)
        return false;
    ret->denied = true;
    return true;
}

static enum model_why decide(const struct trial *trial, unsigned shadow, struct model_outcome *ret)
{
    static struct model_extent map[TRIAL_WORDS_MAX];
    if (trial->spelling == SPELLED_ABSENT)
        return WHY_WORDS;
    if (!names_target(trial, shadow))
        return WHY_TARGET;
    int words = read_words(trial, shadow, map);
    if (words < 0 || (words == 0 && !has(shadow, RULE_NOTHING_TO_MAP)))
        return WHY_WORDS;
    size_t n = (size_t)words;
    if (!has(shadow, RULE_CHECKED_LATE) && n > 0 && !is_map(map, n))
        return WHY_LIMITS;
    if (!owns_target(trial, shadow))
        return WHY_OWNER;
    if (!reads_file(trial, shadow))
        return WHY_FILE;
    bool granted = false;
    if (!allows(trial, shadow, map, n, &granted))
        return WHY_POLICY;

    bool root = trial->user->uid == 0;
    if (!trial->dumpable && !root && !has(shadow, RULE_NOT_DUMPABLE)) {
        if (trial->gid && !granted && has(shadow, RULE_DENIED_AS_ROOT))
            (void)deny_setgroups(trial, ret);
        return WHY_KERNEL;
    }
    if (trial->gid && !granted && !deny_setgroups(trial, ret))
        return WHY_SETGROUPS;
    if (n == 0 && has(shadow, RULE_NOTHING_IS_SUCCESS))
        return WHY_GRANTED;
    if (trial->target != TARGET_CHILD || trial->mapped || !is_map(map, n))
        return WHY_KERNEL;
    if (!trial->gid && takes_root(map, n) && !root && !has(shadow, RULE_PARENT_ROOT))
        return WHY_KERNEL;
    ret->n = n;
    memcpy(ret->map, map, n * sizeof map[0]);
    return WHY_GRANTED;
}

static int by_inside(const void *a, const void *b)
{
    const struct model_extent *x = a, *y = b;
    return x->inside < y->inside ? -1 : x->inside > y->inside;
}

void model_sort(struct model_outcome *outcome)
{
    qsort(outcome->map, outcome->n, sizeof outcome->map[0], by_inside);
}

void model_predict(const struct trial *trial, unsigned shadow, struct model_outcome *ret)
{
    *ret = (struct model_outcome){.denied = trial->denied};
    if (trial->target == TARGET_SAME) {
        ret->n = 1;
        ret->map[0] = (struct model_extent){0, 0, IDS - 1};
    } else if (trial->mapped) {
        ret->n = 1;
        ret->map[0] = (struct model_extent){0, 4000000, 1};
    }
    ret->why = decide(trial, shadow, ret);
    ret->status = ret->why == WHY_GRANTED ? 0 : 1;
    model_sort(ret);
}

bool model_equal(const struct model_outcome *a, const struct model_outcome *b)
{
    return a->status == b->status && a->denied == b->denied && a->n == b->n &&
           memcmp(a->map, b->map, a->n * sizeof a->map[0]) == 0;
}

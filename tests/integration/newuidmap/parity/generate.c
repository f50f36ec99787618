#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/integration/newuidmap/parity/trial.h"

#define MINE_MAX 400

const struct trial_user trial_users[] = {
    {"rltest-anna", NULL, 47101, 47101},
    {"rltest-ben", NULL, 47102, 47102},
    {"rltest-carol", "rltest-karol", 47103, 47103},
    {"rltest-high", NULL, 3000000007, 3000000007},
    {NULL, NULL, 47120, 47120},
    {"root", NULL, 0, 0},
};
const size_t trial_n_users = sizeof trial_users / sizeof trial_users[0];

#define AUX "GRANT_AUX_GROUP_SUBIDS"
static const struct trial_login_defs login_defs[] = {
    {"", false, false},
    {AUX " yes\n", true, true},
    {AUX "\tYES\n", true, true},
    {AUX " \"yes\"\n", true, false},
    {"  " AUX " yes  \nUMASK 022\n", true, true},
    {AUX " yes\r\n", true, false},
    {AUX " yes", true, true},
    {AUX " no\n" AUX " yes\n", true, true},
    {AUX " yes\n" AUX "\n", true, true},
    {AUX " yes\n" AUX " no\n", false, false},
    {AUX " no\n", false, false},
    {AUX " 1\n", false, false},
    {"# " AUX " yes\n", false, false},
    {"#" AUX " yes\n", false, false},
    {AUX "=yes\n", false, false},
    {AUX " yes please\n", false, false},
    {AUX " yes # by the administrator\n", false, false},
    {AUX "S yes\n", false, false},
    {"grant_aux_group_subids yes\n", false, false},
    {"\"" AUX "\" yes\n", false, false},
};

static const char *const nsswitch[] = {
    NULL,
    "",
    "subid: files\n",
    "subid:\tfiles\n",
    "subid:\n",
    "#subid: sss\n",
    "subid: files sss\n",
    "SUBID: files",
};

/* What the file gives the caller, or seems to. */
struct mine {
    size_t n;
    struct {
        uint64_t start, count, used;
    } at[MINE_MAX];
};

static uint64_t next(struct trial *trial)
{
    uint64_t z = (trial->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static unsigned below(struct trial *trial, size_t n)
{
    return (unsigned)(next(trial) % n);
}

static bool chance(struct trial *trial, unsigned percent)
{
    return below(trial, 100) < percent;
}

/* An index, each with its weight. */
static unsigned weighted(struct trial *trial, const unsigned *weights, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += weights[i];
    unsigned at = below(trial, sum), i = 0;
    while (at >= weights[i])
        at -= weights[i++];
    return i;
}
#define WEIGHTED(trial, weights) weighted(trial, weights, sizeof(weights) / sizeof(weights)[0])

static __attribute__((format(printf, 2, 3))) void add(struct trial *trial, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    size_t room = sizeof trial->file - trial->file_len;
    int n = vsnprintf(trial->file + trial->file_len, room, fmt, args);
    va_end(args);
    if (n > 0 && (size_t)n < room)
        trial->file_len += (size_t)n;
}

/* A number in one of the ways that are read as it, rarely in one that is not. */
static void spell(struct trial *trial, char buf[64], uint64_t value)
{
    static const char *const ways[] = {"%lu",   "0x%lx", "0%lo", "+%lu", " %lu",  "0X%lX",
                                       "\t%lu", "%lu ",  "%luk", "-%lu", "- %lu", "0x"};
    static const unsigned weights[] = {700, 20, 20, 10, 10, 5, 5, 1, 1, 1, 1, 1};
    unsigned way = WEIGHTED(trial, weights);
    const char *fmt = ways[way];
    if (below(trial, 700) == 0) {
        static const char *const odd[] = {
            "", " ", "-0", "08", "x", "4294967296", "18446744073709551616"};
        (void)snprintf(buf, 64, "%s", odd[below(trial, sizeof odd / sizeof odd[0])]);
        return;
    }
    if (below(trial, 300) == 0) { /* as a 64-bit number that wraps around to it */
        (void)snprintf(buf, 64, "-%lu", -value);
        return;
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(buf, 64, fmt, value);
#pragma GCC diagnostic pop
}

/* @return whether it is the caller, in one reading or another */
static bool spell_owner(struct trial *trial, char buf[64])
{
    static const unsigned weights[] = {60, 14, 3, 4, 12, 2, 2, 1, 1, 1};
    const struct trial_user *user = trial->user;
    const char *name = user->name ? user->name : "rltest-nobody";
    const struct trial_user *other = &trial_users[below(trial, 2)];
    if (other == user)
        other = &trial_users[2];
    switch (WEIGHTED(trial, weights)) {
    case 0:
        return snprintf(buf, 64, "%s", name) > 0;
    case 1:
        return snprintf(buf, 64, "%u", user->uid) > 0;
    case 2:
        return snprintf(buf, 64, "%s%u", chance(trial, 50) ? "0" : "000", user->uid) > 0;
    case 3:
        return snprintf(buf, 64, "%s", user->second ? user->second : name) > 0;
    case 4:
        return snprintf(buf, 64, "%s", other->name) < 0;
    case 5:
        return snprintf(buf, 64, "%u", other->uid) < 0;
    case 6:
        return snprintf(buf, 64, "%s%s", name, chance(trial, 50) ? "x" : " ") < 0;
    case 7:
        return snprintf(buf, 64, "%.*s", (int)strlen(name) - 1, name) < 0;
    case 8:
        return snprintf(buf, 64, " %s", name) < 0;
    default:
        return snprintf(buf, 64, "rltest-ghost") < 0;
    }
}

/* Lines that are no entries, or not the ones they seem; and what to ask for to tell. */
static const struct oddity {
    const char *line;
    uint64_t start, count;
} oddities[] = {
    {"\n", 0, 0},
    {"# a comment\n", 0, 0},
    {"#%s:700000:65536\n", 700000, 10},
    {"%s\n", 0, 0},
    {"%s:700000\n", 700000, 1},
    {"%s::10\n", 0, 0},
    {"%s:700000:\n", 700000, 1},
    {":700000:10\n", 700000, 10},
    {"%s:710000:10:\n", 710000, 10},
    {"%s:720000:10:x:y\n", 720000, 10},
    {"+%s:700000:65536\n", 700000, 10},
    {"-%s:700000:65536\n", 700000, 10},
    {"+::\n", 0, 0},
    {"%s:700000:65536\r\n", 700000, 10},
    {"%s:0:0\n", 730000, 10},
    {"%s:700000:0\n", 700000, 1},
    {"%s:0:-1\n", 740000, 10},
    {"%s:1:-1\n", 750000, 10},
    {"%s:700000:-1\n", 700000, 1},
    {"%s:0:5000000000\n", 760000, 10},
    {"%s:700000:4294967296\n", 800000, 10},
    {"%s:4294967290:6\n", 4294967290, 5},
    {"%s:4294967290:5\n", 4294967290, 5},
    {"%s:4294967295:1\n", 4294967294, 1},
    {"%s:4294967296:10\n", 0, 1},
    {"%s:-18446744073708851616:65536\n", 700000, 10},
    {"%s:0:1\n", 0, 1},
    {"%s:0:4294967295\n", 770000, 10},
    {"%s:0:4294967296\n", 780000, 10},
    {"%s:18446744073709551615:10\n", 0, 1},
    {"%s:99999999999999999999:10\n", 700000, 1},
    {"%s:700000 :10\n", 700000, 1},
};

static void add_mine(struct mine *mine, uint64_t start, uint64_t count)
{
    if (mine->n == MINE_MAX)
        return;
    mine->at[mine->n].start = start;
    mine->at[mine->n].count = count;
    mine->at[mine->n++].used = 0;
}

static void draw_oddity(struct trial *trial, const char *name, struct mine *mine)
{
    const struct oddity *oddity = &oddities[below(trial, sizeof oddities / sizeof oddities[0])];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    add(trial, oddity->line, name);
#pragma GCC diagnostic pop
    if (oddity->count > 0 && chance(trial, 80))
        add_mine(mine, oddity->start, oddity->count);
}

static void draw_line(struct trial *trial, uint64_t *cursor, struct mine *mine)
{
    static const uint64_t bases[] = {100000, 231072, 10000000, 2147483000, 3000000000, 4294900000};
    static const uint64_t counts[] = {1, 5, 10, 1000, 65536, 65536};
    static const unsigned relations[] = {35, 12, 10, 43};
    uint64_t start = *cursor, count = counts[below(trial, 6)];
    switch (WEIGHTED(trial, relations)) {
    case 0: /* laid end to end */
        break;
    case 1: /* a gap of one */
        start++;
        break;
    case 2: /* an overlap */
        start -= start > count / 2 ? count / 2 : 0;
        break;
    default:
        start = bases[below(trial, 6)] + below(trial, 3) * 65536;
    }
    if (start + count > UINT32_MAX)
        start = 100000;
    char owner[64], a[64], b[64];
    bool is_mine = spell_owner(trial, owner);
    spell(trial, a, start);
    spell(trial, b, count);
    const char *end = chance(trial, 2) ? "\r\n" : "\n";
    if (chance(trial, 3)) { /* as long as a line may be, or one byte longer */
        int pad =
            (chance(trial, 50) ? 1023 : 1024) - (int)(strlen(owner) + strlen(a) + strlen(b) + 2);
        add(trial, "%s:%*s%s:%s%s", owner, pad, "", a, b, "\n");
    } else {
        add(trial, "%s:%s:%s%s", owner, a, b, end);
    }
    if (is_mine)
        add_mine(mine, start, count);
    *cursor = start + count;
}

static void draw_long_file(struct trial *trial, struct mine *mine)
{
    for (unsigned i = 0; i < 350; i++) {
        add(trial, "%u:%u:10\n", trial->user->uid, 500000 + 10 * i);
        if (i >= 330) /* where the table of ours ends */
            add_mine(mine, 500000 + 10 * i, 10);
    }
}

static void draw_file(struct trial *trial, struct mine *mine)
{
    static const unsigned states[] = {930, 30, 15, 25};
    trial->file_state = (enum trial_file_state)WEIGHTED(trial, states);
    uint64_t cursor = 100000;
    const char *name = trial->user->name ? trial->user->name : "47120";
    unsigned n = chance(trial, 5) ? 0 : 1 + below(trial, 8);
    for (unsigned i = 0; i < n; i++) {
        if (chance(trial, 12))
            draw_oddity(trial, name, mine);
        else
            draw_line(trial, &cursor, mine);
    }
    if (chance(trial, 1))
        draw_long_file(trial, mine);
    if (chance(trial, 4)) { /* the host's root */
        add(trial, "%s:0:1\n", name);
        add_mine(mine, 0, 1);
    }
    if (chance(trial, 10) && trial->file_len > 0)
        trial->file_len--; /* no final newline, or half a line end */
}

static void add_word(struct trial *trial, const char *word)
{
    size_t size = strlen(word) + 1;
    if (trial->n_words == TRIAL_WORDS_MAX || trial->text_len + size > TRIAL_TEXT_MAX)
        return;
    memcpy(trial->text + trial->text_len, word, size);
    trial->words[trial->n_words++] = trial->text + trial->text_len;
    trial->text_len += size;
}

static void add_extent(struct trial *trial, uint64_t inside, uint64_t outside, uint64_t count)
{
    char buf[64];
    spell(trial, buf, inside);
    add_word(trial, buf);
    spell(trial, buf, outside);
    add_word(trial, buf);
    spell(trial, buf, count);
    add_word(trial, buf);
}

struct piece {
    uint64_t outside, count;
};

static struct piece own_id(const struct trial *trial)
{
    return (struct piece){.outside = trial->gid ? trial->caller_gid : trial->user->uid, .count = 1};
}

static struct piece draw_own_range(struct trial *trial, struct mine *mine)
{
    unsigned i = below(trial, mine->n);
    for (size_t tries = 0; tries < mine->n && mine->at[i].used == mine->at[i].count; tries++)
        i = (i + 1) % (unsigned)mine->n;
    uint64_t start = mine->at[i].start, count = mine->at[i].count, used = mine->at[i].used;
    if (used == count || chance(trial, 4))
        used = 0; /* again: an overlap outside */
    uint64_t left = count - used, take = chance(trial, 55) ? left : 1 + below(trial, left);
    mine->at[i].used = used + take;
    return (struct piece){.outside = start + used, .count = take};
}

/* From within one range of the caller's to within another, whatever lies between. */
static struct piece draw_stitched(struct trial *trial, struct mine *mine)
{
    unsigned i = below(trial, mine->n), j = below(trial, mine->n);
    uint64_t start = mine->at[i].start + below(trial, mine->at[i].count);
    uint64_t end = mine->at[j].start + mine->at[j].count - below(trial, mine->at[j].count);
    if (end <= start || end - start > 400000)
        return (struct piece){.outside = mine->at[i].start, .count = mine->at[i].count};
    mine->at[i].used = mine->at[i].count;
    mine->at[j].used = mine->at[j].count;
    return (struct piece){.outside = start, .count = end - start};
}

static struct piece draw_piece(struct trial *trial, struct mine *mine)
{
    static const unsigned weights[] = {660, 110, 40, 30, 90, 15, 20, 15, 20};
    unsigned way = WEIGHTED(trial, weights);
    if (mine->n == 0 && way < 4)
        way = 4;
    struct piece piece;
    switch (way) {
    case 0:
        return draw_own_range(trial, mine);
    case 1:
        return draw_stitched(trial, mine);
    case 2: /* one too many */
        piece = draw_own_range(trial, mine);
        piece.count++;
        return piece;
    case 3: /* one too early */
        piece = draw_own_range(trial, mine);
        piece.outside -= piece.outside > 0 ? 1 : 0;
        return piece;
    case 4:
        return own_id(trial);
    case 5:
        piece = own_id(trial);
        piece.count = 2;
        return piece;
    case 6: /* the host's root */
        return (struct piece){.outside = 0, .count = 1 + below(trial, 2)};
    case 7:
        return (struct piece){.outside = trial_users[below(trial, 3)].uid, .count = 1};
    default: /* any at all */
        return (struct piece){.outside = next(trial) >> (30 + below(trial, 20)),
                              .count = next(trial) >> (30 + below(trial, 34))};
    }
}

static bool is_fresh(const struct piece *pieces, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (pieces[i].outside < pieces[n].outside + pieces[n].count &&
            pieces[n].outside < pieces[i].outside + pieces[i].count)
            return false;
    return true;
}

/* Pieces of one id each: how many extents and how many bytes go into a map. */
static void draw_many(struct trial *trial)
{
    static const unsigned numbers[] = {20, 170, 171, 200, 339, 340, 341, 350};
    unsigned n = numbers[below(trial, 8)];
    unsigned start = chance(trial, 60) ? 500000 : 3000000000;
    unsigned inside = start > 500000 && chance(trial, 80) ? 4000000000 : 0;
    add(trial, "%s%u:%u:65536\n",
        trial->file_len > 0 && trial->file[trial->file_len - 1] != '\n' ? "\n" : "",
        trial->user->uid, start);
    for (unsigned i = 0; i < n; i++) {
        char buf[64];
        (void)snprintf(buf, sizeof buf, "%u", inside + 2 * i);
        add_word(trial, buf);
        (void)snprintf(buf, sizeof buf, "%u", start + 3 * i);
        add_word(trial, buf);
        add_word(trial, "1");
    }
}

static void draw_extents(struct trial *trial, struct mine *mine)
{
    static const unsigned numbers[] = {46, 26, 12, 6, 4, 2, 2};
    struct piece pieces[8];
    uint64_t insides[8], inside = 0;
    unsigned n = 1 + WEIGHTED(trial, numbers);
    for (unsigned i = 0; i < n; i++) {
        if (i == 0 && chance(trial, 18)) /* what every engine asks for first */
            pieces[i] = own_id(trial);
        else
            pieces[i] = draw_piece(trial, mine);
        if (!is_fresh(pieces, i) && !chance(trial, 15)) {
            n = i; /* most overlaps are not wanted */
            break;
        }
        insides[i] = inside;
        if (chance(trial, 3))
            insides[i] = inside > 0 ? inside - 1 : 0; /* an overlap inside */
        if (chance(trial, 3))
            insides[i] = UINT32_MAX - pieces[i].count + below(trial, 2);
        inside += pieces[i].count + (chance(trial, 20) ? below(trial, 100) : 0);
    }
    for (unsigned i = 0; i < n && chance(trial, 30); i++) { /* in odd order */
        unsigned j = below(trial, n);
        struct piece piece = pieces[i];
        uint64_t swapped = insides[i];
        pieces[i] = pieces[j];
        insides[i] = insides[j];
        pieces[j] = piece;
        insides[j] = swapped;
    }
    for (unsigned i = 0; i < n; i++)
        add_extent(trial, insides[i], pieces[i].outside, chance(trial, 1) ? 0 : pieces[i].count);
}

static void draw_words(struct trial *trial, struct mine *mine)
{
    if (chance(trial, 2))
        return; /* nothing to map */
    if (chance(trial, 2))
        draw_many(trial);
    else
        draw_extents(trial, mine);
    if (chance(trial, 2) && trial->n_words > 0)
        trial->n_words--;
    if (chance(trial, 1))
        add_word(trial, chance(trial, 50) ? "1" : "");
}

static void draw_target(struct trial *trial)
{
    static const unsigned targets[] = {940, 20, 20, 20};
    static const unsigned spellings[] = {860, 10, 10, 10, 50, 10, 10, 8, 8, 8, 8, 8, 8};
    trial->target = (enum trial_target)WEIGHTED(trial, targets);
    trial->spelling = (enum trial_spelling)WEIGHTED(trial, spellings);
    if (trial->target == TARGET_GONE &&
        (trial->spelling == SPELLED_FD || trial->spelling == SPELLED_FD_OF_FILE))
        trial->spelling = SPELLED_PLAIN;
    trial->target_user = trial->user;
    if (chance(trial, 3))
        trial->target_user = &trial_users[below(trial, trial_n_users)];
    trial->target_gid = trial->caller_gid;
    if (chance(trial, 2))
        trial->target_gid = trial->user->gid;
    trial->dumpable = !chance(trial, 3);
    if (trial->target != TARGET_CHILD)
        return;
    trial->mapped = chance(trial, 3);
    trial->denied = chance(trial, 5);
}

void trial_draw(struct trial *trial, uint64_t seed, unsigned number)
{
    static const unsigned users[] = {50, 10, 16, 12, 6, 6};
    static struct mine mine;
    mine.n = 0;
    memset(trial, 0, sizeof *trial);
    trial->state = seed * 1000003 + number;
    trial->number = number;
    trial->gid = chance(trial, 50);
    trial->user = &trial_users[WEIGHTED(trial, users)];
    trial->mixed_ids = trial->user->uid != 0 && chance(trial, 2);
    trial->caller_gid = trial->user->gid;
    bool odd_group = chance(trial, 10);
    if (odd_group && trial->user->uid != 0)
        trial->caller_gid = TRIAL_AUX_GID;
    trial->login_defs =
        &login_defs[odd_group ? below(trial, sizeof login_defs / sizeof login_defs[0]) : 0];
    trial->nsswitch = nsswitch[below(trial, sizeof nsswitch / sizeof nsswitch[0])];
    draw_target(trial);
    draw_file(trial, &mine);
    draw_words(trial, &mine);
}

static void print_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char ch = (unsigned char)text[i];
        if (ch == '\n')
            printf("\\n%s", i + 1 < len ? "\n#     " : "");
        else if (ch < ' ' || ch > '~' || ch == '\\')
            printf("\\x%02x", ch);
        else
            (void)putchar(ch);
    }
    printf("\n");
}

void trial_print(const struct trial *trial)
{
    static const char *const targets[] = {"in a new user namespace",
                                          "in the caller's user namespace",
                                          "in a user namespace within a new one", "gone"};
    static const char *const states[] = {"", ", absent", ", a symbolic link", ", mode 0600"};
    printf("# caller: uid %u (%s), gid %u%s\n", trial->user->uid,
           trial->user->name ? trial->user->name : "no passwd entry", trial->caller_gid,
           trial->mixed_ids ? ", effective uid another" : "");
    printf("# target: uid %u, gid %u, %s%s%s%s\n", trial->target_user->uid, trial->target_gid,
           targets[trial->target], trial->dumpable ? "" : ", not dumpable",
           trial->mapped ? ", already mapped" : "", trial->denied ? ", setgroups denied" : "");
    printf("# login.defs: ");
    print_text(trial->login_defs->text, strlen(trial->login_defs->text));
    printf("# nsswitch.conf: ");
    print_text(trial->nsswitch ? trial->nsswitch : "(absent)",
               strlen(trial->nsswitch ? trial->nsswitch : "(absent)"));
    printf("# /etc/%s%s: ", trial->gid ? "subgid" : "subuid", states[trial->file_state]);
    print_text(trial->file, trial->file_len);
    static const char *const spelled[] = {
        "PID",  "+PID", "\" PID\"", "000PID",   "fd:9", "fd:9 (a file)", "fd:12 (closed)", "fd:",
        "PIDx", "-PID", "0",        "PID+2^32", ""};
    printf("# command: %s %s", trial->gid ? "newgidmap" : "newuidmap", spelled[trial->spelling]);
    for (size_t i = 0; i < trial->n_words && i < 60; i++)
        printf(" '%s'", trial->words[i]);
    printf("%s\n", trial->n_words > 60 ? " ..." : "");
}

/*
 * A whole request to newuidmap or newgidmap: the command line and every file in /etc that is read
 * for it, all of any content. What is granted must be what the model of the differential test says,
 * which shares no code with the library and is itself held against shadow's programs.
 * Bytes: one of flags, then five parts with 0xff between them: the words, each ended by NUL,
 * /etc/subuid or subgid, passwd, login.defs, nsswitch.conf.
 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/idmap/idmap.h"
#include "lib/idmap/policy.h"
#include "lib/subid/nsswitch.h"
#include "tests/integration/newuidmap/parity/model.h"

#define UID 1500
#define PAGE 4096

enum flag { FLAG_GID = 1, FLAG_OTHER_GROUP = 2, FLAG_OTHER_TARGET = 4 };
enum part { PART_WORDS, PART_SUBID, PART_PASSWD, PART_LOGIN_DEFS, PART_NSSWITCH, PART_N };

struct piece {
    const char *p;
    size_t len;
};

/* [p, stop) without its first piece up to @p ch, which is taken off. @return false at the end */
static bool cut(struct piece *rest, char ch, struct piece *ret)
{
    if (!rest->p)
        return false;
    const char *at = rest->len > 0 ? memchr(rest->p, ch, rest->len) : NULL;
    *ret = (struct piece){.p = rest->p, .len = at ? (size_t)(at - rest->p) : rest->len};
    *rest = at ? (struct piece){.p = at + 1, .len = rest->len - ret->len - 1} : (struct piece){0};
    return true;
}

static bool is_in(char ch, const char *set)
{
    return ch != '\0' && strchr(set, ch) != NULL;
}

static bool digits(struct piece text, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.p[i] - '0');
        if (value > max)
            return false;
    }
    *ret = value;
    return text.len > 0;
}

/* passwd(5): the first line of UID that is none of NIS. */
static bool find_user(struct piece passwd, char name[IDMAP_NAME_MAX], uint64_t *ret_gid)
{
    struct piece line, field[4], rest;
    while (cut(&passwd, '\n', &line)) {
        size_t n = 0;
        rest = line;
        while (n < 4 && cut(&rest, ':', &field[n]))
            n++;
        uint64_t uid = 0, gid = 0;
        if (n < 4 || !rest.p || field[0].len == 0 || field[0].len >= IDMAP_NAME_MAX ||
            is_in(field[0].p[0], "+-") || memchr(field[0].p, '\0', field[0].len) ||
            !digits(field[2], UINT32_MAX - 1, &uid) || !digits(field[3], UINT32_MAX - 1, &gid) ||
            uid != UID)
            continue;
        memcpy(name, field[0].p, field[0].len);
        name[field[0].len] = '\0';
        *ret_gid = gid;
        return true;
    }
    return false;
}

/* login.defs(5) */
static bool grants_aux(struct piece defs)
{
    static const char key[] = "GRANT_AUX_GROUP_SUBIDS";
    size_t key_len = sizeof key - 1;
    struct piece line;
    bool granted = false;
    while (cut(&defs, '\n', &line)) {
        while (line.len > 0 && is_in(line.p[line.len - 1], " \t\v\f\r"))
            line.len--;
        size_t at = 0;
        while (at < line.len && is_in(line.p[at], " \t"))
            at++;
        if (line.len - at <= key_len || memcmp(line.p + at, key, key_len) != 0 ||
            !is_in(line.p[at + key_len], " \t"))
            continue;
        at += key_len;
        while (at < line.len && is_in(line.p[at], " \t\""))
            at++;
        struct piece value = {.p = line.p + at, .len = line.len - at}, yes;
        require(cut(&value, '"', &yes));
        granted = yes.len == 3 && strncasecmp(yes.p, "yes", 3) == 0;
    }
    return granted;
}

enum source { SOURCE_FILES, SOURCE_PLUGIN, SOURCE_NONE };

/* The first line that names a source for subid. */
static enum source find_source(struct piece nsswitch, char name[SUBID_SOURCE_MAX])
{
    struct piece line;
    while (cut(&nsswitch, '\n', &line)) {
        if (line.len < 6 || strncasecmp(line.p, "subid:", 6) != 0)
            continue;
        size_t start = 6;
        while (start < line.len && is_in(line.p[start], " \t"))
            start++;
        size_t end = start;
        while (end < line.len && !is_in(line.p[end], " \t"))
            end++;
        if (end == start)
            continue;
        struct piece word = {.p = line.p + start, .len = end - start};
        if (word.len == 5 && strncasecmp(word.p, "files", 5) == 0)
            return SOURCE_FILES;
        if (word.len >= SUBID_SOURCE_MAX || memchr(word.p, '/', word.len) ||
            memchr(word.p, '\0', word.len))
            return SOURCE_NONE;
        memcpy(name, word.p, word.len);
        name[word.len] = '\0';
        return SOURCE_PLUGIN;
    }
    return SOURCE_FILES;
}

static enum trial_spelling spelling_of(const char *word)
{
    uint64_t number = 0;
    if (strncmp(word, "fd:", 3) == 0)
        return digits((struct piece){.p = word + 3, .len = strlen(word + 3)}, INT_MAX, &number)
                   ? SPELLED_FD
                   : SPELLED_FD_BARE;
    return digits((struct piece){.p = word, .len = strlen(word)}, INT_MAX, &number) && number > 0
               ? SPELLED_PLAIN
               : SPELLED_JUNK;
}

static char dir[] = "/dev/shm/rltest-fuzz-XXXXXX";
static const char *const names[PART_N] = {
    [PART_SUBID] = "subuid",
    [PART_PASSWD] = "passwd",
    [PART_LOGIN_DEFS] = "login.defs",
    [PART_NSSWITCH] = "nsswitch.conf",
};

static void remove_dir(void)
{
    for (int i = PART_SUBID; i < PART_N; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

/* @return the folder's fd, with the parts in its files; subgid is the subuid file */
static int put_files(const struct piece *parts)
{
    static int dir_fd = -1;
    if (dir_fd < 0) {
        require(mkdtemp(dir) && atexit(remove_dir) == 0);
        dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        require(dir_fd >= 0);
    }
    for (int i = PART_SUBID; i < PART_N; i++) {
        int fd = openat(dir_fd, names[i], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        require(fd >= 0 && write(fd, parts[i].p, parts[i].len) == (ssize_t)parts[i].len);
        (void)close(fd);
    }
    return dir_fd;
}

/* Ours, as newuidmap calls it, but for the process. */
static void ask_library(enum subid_kind kind, char *const *words, int n_words,
                        const struct trial *trial, int dir_fd, const struct piece *passwd,
                        struct model_outcome *ret)
{
    static struct idmap_request request;
    static char text[IDMAP_TEXT_MAX];
    struct idmap_caller caller = {.uid = UID, .gid = trial->caller_gid};
    struct err err = {0}; /* for the messages to be made */
    memset(ret, 0, sizeof *ret);
    ret->status = 1;
    int r = idmap_parse(kind, n_words, words, &request, &err);
    int len = r == 0 ? idmap_extents_format(&request.extents, PAGE, text, &err) : r;
    if (len < 0)
        return;
    require((request.target.pid > 0) != (request.target.fd >= 0));
    (void)idmap_caller_scan(passwd->p, passwd->len, UID, &caller);
    r = idmap_policy_target(&caller, dir_fd, trial->target_user->uid, trial->target_gid, &err);
    bool granted = false;
    if (r == 0)
        r = idmap_policy_extents(&caller, dir_fd, kind, &request.extents, &granted, &err);
    if (r < 0)
        return;
    ret->status = 0;
    ret->denied = kind == SUBID_GID && !granted;
    for (const char *line = text; line < text + len; line = strchr(line, '\n') + 1) {
        struct model_extent *e = &ret->map[ret->n++];
        require(ret->n <= IDMAP_EXTENTS_MAX &&
                sscanf(line, "%lu %lu %lu", &e->inside, &e->outside, &e->count) == 3);
    }
    model_sort(ret);
}

static int take_words(struct piece rest, char *copy, char **words)
{
    struct piece word;
    int n = 0;
    while (rest.len > 0 && n < TRIAL_WORDS_MAX && cut(&rest, '\0', &word)) {
        memcpy(copy, word.p, word.len);
        copy[word.len] = '\0';
        words[n++] = copy;
        copy += word.len + 1;
    }
    return n;
}

static void draw_trial(const struct piece *parts, unsigned flags, char *const *words, int n_words,
                       struct trial *ret)
{
    static char name[IDMAP_NAME_MAX];
    static struct trial_user user;
    static const struct trial_user other = {.uid = UID + 1};
    static struct trial_login_defs defs;
    uint64_t gid = UID;
    bool named = find_user(parts[PART_PASSWD], name, &gid);
    user = (struct trial_user){.name = named ? name : NULL, .uid = UID, .gid = (gid_t)gid};
    defs.aux = grants_aux(parts[PART_LOGIN_DEFS]);
    ret->gid = flags & FLAG_GID;
    ret->user = &user;
    ret->target_user = flags & FLAG_OTHER_TARGET ? &other : &user;
    ret->caller_gid = ret->target_gid = flags & FLAG_OTHER_GROUP ? UID + 1 : UID;
    ret->login_defs = &defs;
    ret->dumpable = true;
    ret->spelling = n_words > 0 ? spelling_of(words[0]) : SPELLED_ABSENT;
    ret->n_words = n_words > 0 ? (size_t)n_words - 1 : 0;
    for (size_t i = 0; i < ret->n_words; i++)
        ret->words[i] = words[i + 1];
    ret->file_len = parts[PART_SUBID].len;
    memcpy(ret->file, parts[PART_SUBID].p, ret->file_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct trial trial;
    static struct model_outcome want, got;
    static char copy[1 << 16], *words[TRIAL_WORDS_MAX];
    if (size < 1 || size >= TRIAL_FILE_MAX)
        return 0;
    struct piece rest = {.p = (const char *)data + 1, .len = size - 1}, parts[PART_N];
    for (int i = 0; i < PART_N; i++)
        if (!cut(&rest, '\xff', &parts[i]))
            parts[i] = (struct piece){.p = "", .len = 0};
    int n_words = take_words(parts[PART_WORDS], copy, words);
    enum subid_kind kind = data[0] & FLAG_GID ? SUBID_GID : SUBID_UID;
    int dir_fd = put_files(parts);
    if (kind == SUBID_GID)
        require(renameat(dir_fd, "subuid", dir_fd, "subgid") == 0);

    char source[SUBID_SOURCE_MAX], want_source[SUBID_SOURCE_MAX] = "";
    enum source kind_of_source = find_source(parts[PART_NSSWITCH], want_source);
    int r = subid_source_read(dir_fd, source, NULL);
    require((r < 0) == (kind_of_source == SOURCE_NONE) &&
            (r < 0 || strcmp(source, want_source) == 0));
    if (kind_of_source != SOURCE_PLUGIN) {
        draw_trial(parts, data[0], words, n_words, &trial);
        ask_library(kind, words, n_words, &trial, dir_fd, &parts[PART_PASSWD], &got);
        model_predict(&trial, RULE_BIT(RULE_PARENT_ROOT), &want);
        require(kind_of_source == SOURCE_NONE ? got.status == 1 : model_equal(&got, &want));
    }
    if (kind == SUBID_GID)
        require(renameat(dir_fd, "subgid", dir_fd, "subuid") == 0);
    return 0;
}

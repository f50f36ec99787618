#include "lib/subid/source.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/subid/db.h"
#include "lib/subid/line.h"

#define NSS_ROOM 65536 /* for one passwd entry */
#define NAMES_MAX 64   /* login names of one uid */

struct name {
    const char *bytes;
    size_t len;
};

/* ---- the user ---- */

struct user {
    bool has_uid;
    uid_t uid;
    char name[SUBID_LINE_MAX];      /* "" when the uid has none */
    struct name aliases[NAMES_MAX]; /* point into the text of passwd */
    size_t n_aliases;
};

/* @param name  NULL: by uid. @return true with the entry, whose strings are in @p room */
static bool find_passwd(const char *name, uid_t uid, struct passwd *ret, char room[NSS_ROOM])
{
    struct passwd *found = NULL;
    int r = name ? getpwnam_r(name, ret, room, NSS_ROOM, &found)
                 : getpwuid_r(uid, ret, room, NSS_ROOM, &found);
    return r == 0 && found;
}

/* A number is a uid and never a name, as in the files. */
static struct user resolve(const char *word)
{
    char room[NSS_ROOM];
    struct passwd pw;
    struct user user = {.has_uid = false};
    bool is_uid = subid_owner_uid(word, strlen(word), &user.uid);
    user.has_uid = is_uid;
    if (!find_passwd(is_uid ? NULL : word, user.uid, &pw, room)) {
        if (!is_uid)
            (void)str_copy(user.name, sizeof user.name, word);
        return user;
    }
    user.has_uid = true;
    user.uid = pw.pw_uid;
    (void)str_copy(user.name, sizeof user.name, pw.pw_name);
    return user;
}

static void take_alias(struct user *user, struct cursor line)
{
    struct name name = {0}, password = {0};
    uint64_t uid = 0;
    cursor_until(&line, ':', &name.bytes, &name.len);
    if (!cursor_char(&line, ':'))
        return;
    cursor_until(&line, ':', &password.bytes, &password.len);
    if (cursor_char(&line, ':') && cursor_u64(&line, 10, UINT32_MAX, &uid) && uid == user->uid &&
        user->n_aliases < NAMES_MAX)
        user->aliases[user->n_aliases++] = name;
}

static void find_aliases(struct user *user, struct cursor passwd)
{
    struct cursor line;
    while (user->has_uid && cursor_line(&passwd, &line))
        take_alias(user, line);
}

static bool is_name(struct name name, const char *owner, size_t len)
{
    return name.len == len && memcmp(name.bytes, owner, len) == 0;
}

static bool is_user(const struct user *user, const char *owner, size_t len)
{
    uid_t uid = 0;
    if (subid_owner_uid(owner, len, &uid))
        return uid == user->uid;
    if (is_name((struct name){user->name, strlen(user->name)}, owner, len))
        return true;
    for (size_t i = 0; i < user->n_aliases; i++)
        if (is_name(user->aliases[i], owner, len))
            return true;
    return false;
}

/* ---- the files ---- */

/* Called once a line that is a range. @return 0 to go on, -errno */
typedef int line_fn(const struct subid_line *line, void *arg, struct err *err);

static int each_line(struct cursor text, line_fn *fn, void *arg, struct err *err)
{
    struct cursor line;
    int r = 0;
    while (r == 0 && cursor_line(&text, &line)) {
        struct subid_line parsed;
        if (subid_line_parse(line.p, (size_t)(line.end - line.p), &parsed))
            r = fn(&parsed, arg, err);
    }
    return r;
}

struct found_ranges {
    const struct user *user;
    struct subid_range *items;
    size_t n, room;
};

static int take_range(const struct subid_line *line, void *arg, struct err *err)
{
    struct found_ranges *found = arg;
    if (!is_user(found->user, line->owner, line->owner_len))
        return 0;
    if (found->n == found->room) {
        size_t room = found->room ? found->room * 2 : 16;
        struct subid_range *grown = reallocarray(found->items, room, sizeof *grown);
        if (!grown)
            return err_set(err, ENOMEM, "no memory for %zu ranges", room);
        found->items = grown;
        found->room = room;
    }
    found->items[found->n++] = (struct subid_range){.start = line->start, .count = line->count};
    return 0;
}

static int file_ranges(const struct subid_place *place, enum subid_kind kind, struct user *user,
                       struct subid_range **ret, struct err *err)
{
    cleanup_free char *text = NULL, *passwd = NULL;
    size_t len = 0, passwd_len = 0;
    bool grew = false; /* what came since is for the next to ask */
    int r = subid_text_read(place, kind, &text, &len, &grew, err);
    if (r < 0)
        return r;
    if (file_read(place->etc_fd, "passwd", SUBID_DB_MAX, &passwd, &passwd_len, NULL) == 0)
        find_aliases(user, (struct cursor){.p = passwd, .end = passwd + passwd_len});
    struct found_ranges found = {.user = user};
    if (user->has_uid)
        r = each_line((struct cursor){.p = text, .end = text + len}, take_range, &found, err);
    if (r < 0 || found.n == 0) {
        free(found.items);
        return r;
    }
    *ret = found.items;
    return (int)found.n;
}

struct found_owners {
    uint32_t id;
    uid_t *items;
    size_t n, room;
};

static int add_owner(struct found_owners *found, uid_t uid, struct err *err)
{
    for (size_t i = 0; i < found->n; i++)
        if (found->items[i] == uid)
            return 0;
    if (found->n == found->room) {
        size_t room = found->room ? found->room * 2 : 16;
        uid_t *grown = reallocarray(found->items, room, sizeof *grown);
        if (!grown)
            return err_set(err, ENOMEM, "no memory for %zu owners", room);
        found->items = grown;
        found->room = room;
    }
    found->items[found->n++] = uid;
    return 0;
}

static int add_named(struct found_owners *found, const struct subid_line *line, struct err *err)
{
    char owner[SUBID_LINE_MAX], room[NSS_ROOM];
    struct passwd pw;
    (void)str_format(owner, sizeof owner, "%.*s", (int)line->owner_len, line->owner);
    return find_passwd(owner, 0, &pw, room) ? add_owner(found, pw.pw_uid, err) : 0;
}

static int take_owner(const struct subid_line *line, void *arg, struct err *err)
{
    struct found_owners *found = arg;
    uid_t uid = 0;
    if (found->id < line->start || found->id - line->start >= line->count)
        return 0;
    if (subid_owner_uid(line->owner, line->owner_len, &uid))
        return add_owner(found, uid, err);
    return add_named(found, line, err);
}

static int file_owners(const struct subid_place *place, enum subid_kind kind, uint32_t id,
                       uid_t **ret, struct err *err)
{
    cleanup_free char *text = NULL;
    size_t len = 0;
    bool grew = false;
    struct found_owners found = {.id = id};
    int r = subid_text_read(place, kind, &text, &len, &grew, err);
    if (r == 0)
        r = each_line((struct cursor){.p = text, .end = text + len}, take_owner, &found, err);
    if (r < 0 || found.n == 0) {
        free(found.items);
        return r;
    }
    *ret = found.items;
    return (int)found.n;
}

/* ---- files or plug-in ---- */

int subid_source_open(struct subid_source *source, const struct subid_place *place, struct err *err)
{
    char name[SUBID_SOURCE_MAX];
    *source = (struct subid_source){.place = place};
    int r = subid_source_read(place->etc_fd, name, err);
    if (r < 0 || name[0] == '\0')
        return r;
    (void)str_format(source->where, sizeof source->where, "the source \"%s\" of nsswitch.conf",
                     name);
    return subid_plugin_open(&source->plugin, name, err);
}

void subid_source_close(struct subid_source *source)
{
    subid_plugin_close(&source->plugin);
}

bool subid_source_is_files(const struct subid_source *source)
{
    return source->where[0] == '\0';
}

const char *subid_source_where(const struct subid_source *source, enum subid_kind kind)
{
    return subid_source_is_files(source) ? subid_path(kind) : source->where;
}

int subid_source_ranges(const struct subid_source *source, enum subid_kind kind, const char *user,
                        struct subid_range **ret, struct err *err)
{
    struct user resolved = resolve(user);
    *ret = NULL;
    if (subid_source_is_files(source))
        return file_ranges(source->place, kind, &resolved, ret, err);
    return subid_plugin_ranges(&source->plugin, kind, resolved.name[0] ? resolved.name : user, ret,
                               err);
}

int subid_source_grants(const struct subid_source *source, enum subid_kind kind, const char *name,
                        uid_t uid, struct subid_range ret[SUBID_RANGES_MAX], struct err *err)
{
    if (subid_source_is_files(source))
        return subid_ranges(source->place->etc_fd, kind, name, uid, ret, SUBID_RANGES_MAX, err);
    cleanup_free struct subid_range *found = NULL;
    int n = subid_plugin_ranges(&source->plugin, kind, name, &found, err);
    if (n > SUBID_RANGES_MAX)
        n = SUBID_RANGES_MAX;
    if (n > 0)
        memcpy(ret, found, (size_t)n * sizeof *found);
    return n;
}

int subid_source_owners(const struct subid_source *source, enum subid_kind kind, uint32_t id,
                        uid_t **ret, struct err *err)
{
    *ret = NULL;
    if (subid_source_is_files(source))
        return file_owners(source->place, kind, id, ret, err);
    return subid_plugin_owners(&source->plugin, kind, id, ret, err);
}

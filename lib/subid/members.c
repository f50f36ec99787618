#include "lib/subid/members.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/subid/line.h"
#include "lib/subid/logindefs.h"

#define GROUP_MAX (64u << 20)
/* The kernel's overflow uid (proc_sys_kernel(5)), whatever a system calls it. */
#define NOBODY 65534u

int subid_members_add(struct subid_members *members, const struct subid_account *user,
                      struct err *err)
{
    if (members->n == members->room) {
        size_t room = members->room ? members->room * 2 : 64;
        struct subid_account *grown = reallocarray(members->items, room, sizeof *grown);
        if (!grown)
            return err_set(err, ENOMEM, "no memory for %zu users", room);
        members->items = grown;
        members->room = room;
    }
    members->items[members->n++] = *user;
    return 0;
}

void subid_members_free(struct subid_members *members)
{
    free(members->items);
    free(members->unknown);
    *members = (struct subid_members){0};
}

static int add_named(struct subid_members *members, struct subid_accounts *accounts,
                     const char *name, struct err *err)
{
    struct subid_account user;
    int r = subid_account_find(accounts, name, &user, err);
    if (r == 0)
        return subid_members_add(members, &user, err);
    if (r == -ENOENT && !members->unknown)
        members->unknown = strdup(name);
    return r == -ENOENT ? 0 : r;
}

static int add_primary(struct subid_members *members, const struct subid_accounts *accounts,
                       uint32_t gid, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < accounts->users.n && r == 0; i++)
        if (accounts->by_id[i].primary_gid == gid)
            r = subid_members_add(members, &accounts->by_id[i], err);
    return r;
}

/* Asking for a user may move what getgrnam(3) returned: the names are taken down first. */
static int join_members(char *const *members, char **ret, struct err *err)
{
    size_t size = 1;
    for (size_t i = 0; members[i]; i++)
        size += strlen(members[i]) + 1;
    char *text = calloc(1, size);
    if (!text)
        return err_set(err, ENOMEM, "no memory for the members of a group");
    size_t used = 0;
    for (size_t i = 0; members[i]; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "," : "", members[i]);
    *ret = text;
    return 0;
}

static int find_in_nss(const char *group, char **ret_list, uint32_t *ret_gid, struct err *err)
{
    gid_t gid = 0;
    const struct group *gr = getgrnam(group);
    if (!gr && subid_owner_uid(group, strlen(group), &gid))
        gr = getgrgid(gid);
    if (!gr)
        return -ENOENT;
    *ret_gid = gr->gr_gid;
    return join_members(gr->gr_mem, ret_list, err);
}

struct group_line {
    const char *name, *list;
    size_t name_len, list_len;
    uint64_t gid;
};

/* "name:password:gid:member,member" */
static bool split_line(struct cursor c, struct group_line *ret)
{
    const char *password = NULL;
    size_t password_len = 0;
    cursor_until(&c, ':', &ret->name, &ret->name_len);
    if (!cursor_char(&c, ':') || ret->name[0] == '#')
        return false;
    cursor_until(&c, ':', &password, &password_len);
    if (!cursor_char(&c, ':') || !cursor_u64(&c, 10, UINT32_MAX, &ret->gid) ||
        !cursor_char(&c, ':'))
        return false;
    cursor_until(&c, ':', &ret->list, &ret->list_len);
    return cursor_done(&c);
}

static bool is_named(const struct group_line *line, const char *group)
{
    return line->name_len == strlen(group) && memcmp(line->name, group, line->name_len) == 0;
}

/* A group of that name before one of that number, wherever they stand. */
static bool find_line(const char *text, size_t len, const char *group, struct group_line *ret)
{
    struct cursor c = {.p = text, .end = text + len}, whole;
    struct group_line line;
    gid_t gid = 0;
    bool is_number = subid_owner_uid(group, strlen(group), &gid), found = false;
    while (cursor_line(&c, &whole)) {
        if (!split_line(whole, &line))
            continue;
        if (is_named(&line, group)) {
            *ret = line;
            return true;
        }
        if (is_number && line.gid == gid && !found) {
            *ret = line;
            found = true;
        }
    }
    return found;
}

static int find_in_file(const struct subid_place *place, const char *group, char **ret_list,
                        uint32_t *ret_gid, struct err *err)
{
    cleanup_free char *text = NULL;
    size_t len = 0;
    int r = file_read(place->etc_fd, "group", GROUP_MAX, &text, &len, err);
    if (r < 0)
        return r == -ENOENT ? r : err_wrap(err, r, "in %s/etc", place->root);
    struct group_line line;
    if (!find_line(text, len, group, &line))
        return -ENOENT;
    *ret_list = strndup(line.list, line.list_len);
    *ret_gid = (uint32_t)line.gid;
    return *ret_list ? 0 : err_set(err, ENOMEM, "no memory for the members of a group");
}

int subid_members_of(struct subid_members *members, struct subid_accounts *accounts,
                     const char *group, struct err *err)
{
    const struct subid_place *place = accounts->place;
    cleanup_free char *list = NULL;
    uint32_t gid = 0;
    int r = place->live ? find_in_nss(group, &list, &gid, err)
                        : find_in_file(place, group, &list, &gid, err);
    if (r == -ENOENT)
        return err_set(err, ENOENT, "there is no group \"%.*s\"%s%s%s", (int)strcspn(group, "\n"),
                       group, place->live ? "" : " in ", place->root,
                       place->live ? "" : "/etc/group");
    char *rest = NULL;
    for (char *name = r == 0 ? strtok_r(list, ",", &rest) : NULL; name && r == 0;
         name = strtok_r(NULL, ",", &rest))
        r = add_named(members, accounts, name, err);
    return r < 0 ? r : add_primary(members, accounts, gid, err);
}

int subid_members_login(struct subid_members *members, const struct subid_accounts *accounts,
                        struct err *err)
{
    struct subid_limits limits[2];
    int r = subid_limits_read(accounts->place, limits, err);
    for (size_t i = 0; i < accounts->users.n && r == 0; i++) {
        const struct subid_account *user = &accounts->by_id[i];
        if (user->id >= limits[SUBID_UID].login_min && user->id <= limits[SUBID_UID].login_max &&
            user->id != NOBODY && strcmp(user->name, "nobody") != 0)
            r = subid_members_add(members, user, err);
    }
    return r;
}

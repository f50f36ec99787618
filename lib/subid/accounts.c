#include "lib/subid/accounts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/subid/line.h"

#define PASSWD_MAX (64u << 20)

static int add(struct subid_account_list *list, const char *name, size_t len, uint32_t id,
               uint32_t primary_gid, struct err *err)
{
    if (list->n == list->room) {
        size_t room = list->room ? list->room * 2 : 128;
        struct subid_account *grown = reallocarray(list->items, room, sizeof *grown);
        if (!grown)
            return err_set(err, ENOMEM, "no memory for %zu users", room);
        list->items = grown;
        list->room = room;
    }
    char *copy = strndup(name, len);
    if (!copy)
        return err_set(err, ENOMEM, "no memory for a user's name");
    list->items[list->n++] =
        (struct subid_account){.name = copy, .id = id, .primary_gid = primary_gid};
    return 0;
}

static int read_users_nss(struct subid_account_list *list, struct err *err)
{
    int r = 0;
    setpwent();
    for (struct passwd *pw = getpwent(); pw && r == 0; pw = getpwent())
        r = add(list, pw->pw_name, strlen(pw->pw_name), pw->pw_uid, pw->pw_gid, err);
    endpwent();
    return r;
}

static int read_groups_nss(struct subid_account_list *list, struct err *err)
{
    int r = 0;
    setgrent();
    for (struct group *gr = getgrent(); gr && r == 0; gr = getgrent())
        r = add(list, gr->gr_name, strlen(gr->gr_name), gr->gr_gid, gr->gr_gid, err);
    endgrent();
    return r;
}

/* "name:x:id" or "name:x:id:gid": what else a line holds is not ours; one that is not so is
 * skipped, as libc does. */
static int take_line(struct subid_account_list *list, struct cursor c, bool is_user,
                     struct err *err)
{
    const char *name = NULL, *password = NULL;
    size_t name_len = 0, password_len = 0;
    uint64_t id = 0, gid = 0;
    cursor_until(&c, ':', &name, &name_len);
    if (!cursor_char(&c, ':') || name_len == 0 || name[0] == '#')
        return 0;
    cursor_until(&c, ':', &password, &password_len);
    if (!cursor_char(&c, ':') || !cursor_u64(&c, 10, UINT32_MAX, &id))
        return 0;
    if (is_user && (!cursor_char(&c, ':') || !cursor_u64(&c, 10, UINT32_MAX, &gid)))
        return 0;
    return add(list, name, name_len, (uint32_t)id, (uint32_t)gid, err);
}

static int read_file(struct subid_account_list *list, const struct subid_place *place,
                     const char *file, bool is_user, struct err *err)
{
    cleanup_free char *text = NULL;
    size_t len = 0;
    int r = file_read(place->etc_fd, file, PASSWD_MAX, &text, &len, err);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return err_wrap(err, r, "in %s/etc", place->root);
    struct cursor c = {.p = text, .end = text + len}, line;
    while (r == 0 && cursor_line(&c, &line))
        r = take_line(list, line, is_user, err);
    return r;
}

static int compare(const void *pa, const void *pb)
{
    const struct subid_account *a = pa, *b = pb;
    return strcmp(a->name, b->name);
}

static int compare_id(const void *pa, const void *pb)
{
    const struct subid_account *a = pa, *b = pb;
    return a->id != b->id ? (a->id > b->id) - (a->id < b->id) : strcmp(a->name, b->name);
}

static int sort_users(struct subid_accounts *accounts, struct err *err)
{
    struct subid_account_list *users = &accounts->users;
    if (users->n == 0)
        return 0;
    accounts->by_id = calloc(users->n, sizeof *accounts->by_id);
    if (!accounts->by_id)
        return err_set(err, ENOMEM, "no memory for %zu users", users->n);
    memcpy(accounts->by_id, users->items, users->n * sizeof *users->items);
    qsort(users->items, users->n, sizeof *users->items, compare);
    qsort(accounts->by_id, users->n, sizeof *users->items, compare_id);
    return 0;
}

int subid_accounts_read(struct subid_accounts *accounts, const struct subid_place *place,
                        struct err *err)
{
    *accounts = (struct subid_accounts){.place = place};
    struct subid_account_list *users = &accounts->users, *groups = &accounts->groups;
    int r = place->live ? read_users_nss(users, err) : read_file(users, place, "passwd", true, err);
    if (r == 0)
        r = place->live ? read_groups_nss(groups, err)
                        : read_file(groups, place, "group", false, err);
    if (r == 0)
        r = sort_users(accounts, err);
    if (r < 0)
        subid_accounts_free(accounts);
    return r;
}

static void free_list(struct subid_account_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i].name);
    free(list->items);
    *list = (struct subid_account_list){0};
}

void subid_accounts_free(struct subid_accounts *accounts)
{
    free_list(&accounts->users);
    free_list(&accounts->groups);
    free_list(&accounts->unlisted);
    free(accounts->by_id);
    accounts->by_id = NULL;
}

static const struct subid_account *find_listed(const struct subid_accounts *accounts,
                                               const char *name)
{
    size_t low = 0, high = accounts->users.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int r = strcmp(accounts->users.items[middle].name, name);
        if (r == 0)
            return &accounts->users.items[middle];
        if (r < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

size_t subid_accounts_below(const struct subid_account *by_id, size_t n, uint64_t id)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_id[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t subid_accounts_with_uid(const struct subid_accounts *accounts, uid_t uid,
                               const struct subid_account **ret)
{
    size_t n = accounts->users.n;
    size_t first = subid_accounts_below(accounts->by_id, n, uid);
    size_t end = subid_accounts_below(accounts->by_id, n, (uint64_t)uid + 1);
    *ret = first < end ? &accounts->by_id[first] : NULL;
    return end - first;
}

int subid_accounts_take(const struct subid_account *items, size_t n, const char *what,
                        struct subid_space *space, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        struct subid_interval interval = {.start = items[i].id,
                                          .end = (uint64_t)items[i].id + 1,
                                          .what = what,
                                          .who = items[i].name,
                                          .who_len = strlen(items[i].name)};
        r = subid_space_take(space, interval, err);
    }
    return r;
}

/* A user that NSS knows but does not list, as SSSD's are by default. */
static int add_unlisted(struct subid_accounts *accounts, const struct passwd *pw,
                        struct subid_account *ret, struct err *err)
{
    struct subid_account_list *list = &accounts->unlisted;
    int r = add(list, pw->pw_name, strlen(pw->pw_name), pw->pw_uid, pw->pw_gid, err);
    if (r == 0)
        *ret = list->items[list->n - 1];
    return r;
}

int subid_account_find(struct subid_accounts *accounts, const char *name, struct subid_account *ret,
                       struct err *err)
{
    const struct subid_account *found = find_listed(accounts, name);
    const struct passwd *pw = NULL;
    uid_t uid = 0;
    bool is_number = subid_owner_uid(name, strlen(name), &uid);
    if (!found && is_number)
        (void)subid_accounts_with_uid(accounts, uid, &found);
    if (found) {
        *ret = *found;
        return 0;
    }
    if (accounts->place->live)
        pw = is_number ? getpwuid(uid) : getpwnam(name);
    if (pw)
        return add_unlisted(accounts, pw, ret, err);
    if (accounts->place->live)
        return err_set(err, ENOENT, "there is no user \"%.*s\"", (int)strcspn(name, "\n"), name);
    return err_set(err, ENOENT, "there is no user \"%.*s\" in %s/etc/passwd",
                   (int)strcspn(name, "\n"), name, accounts->place->root);
}

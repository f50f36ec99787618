#include "lib/subid/logindefs.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/subid/line.h"

#define LOGIN_DEFS_MAX (1u << 20)

/* 2^32 - 1 is no id, but the end of the window in shadow's deterministic mode. */
#define ID_MAX (UINT32_MAX - 1)

static const struct {
    const char *name;
    enum subid_kind kind;
    size_t offset;
} numbers[] = {
    {"SUB_UID_MIN", SUBID_UID, offsetof(struct subid_limits, min)},
    {"SUB_UID_MAX", SUBID_UID, offsetof(struct subid_limits, max)},
    {"SUB_UID_COUNT", SUBID_UID, offsetof(struct subid_limits, count)},
    {"SUB_GID_MIN", SUBID_GID, offsetof(struct subid_limits, min)},
    {"SUB_GID_MAX", SUBID_GID, offsetof(struct subid_limits, max)},
    {"SUB_GID_COUNT", SUBID_GID, offsetof(struct subid_limits, count)},
    {"UID_MIN", SUBID_UID, offsetof(struct subid_limits, login_min)},
    {"UID_MAX", SUBID_UID, offsetof(struct subid_limits, login_max)},
};

static const struct {
    const char *name;
    enum subid_kind kind;
    size_t offset;
} switches[] = {
    {"SUB_UID_DETERMINISTIC", SUBID_UID, offsetof(struct subid_limits, deterministic)},
    {"SUB_UID_STORE_BY_UID", SUBID_UID, offsetof(struct subid_limits, by_uid)},
    {"UNSAFE_SUB_UID_DETERMINISTIC_WRAP", SUBID_UID, offsetof(struct subid_limits, wrap)},
    {"SUB_GID_DETERMINISTIC", SUBID_GID, offsetof(struct subid_limits, deterministic)},
    {"SUB_GID_STORE_BY_UID", SUBID_GID, offsetof(struct subid_limits, by_uid)},
    {"UNSAFE_SUB_GID_DETERMINISTIC_WRAP", SUBID_GID, offsetof(struct subid_limits, wrap)},
};

static void *field_of(struct subid_limits limits[2], enum subid_kind kind, size_t offset)
{
    return (char *)&limits[kind] + offset;
}

static int take_number(size_t i, const char *value, struct subid_limits ret[2], struct err *err)
{
    bool is_max = numbers[i].offset == offsetof(struct subid_limits, max);
    uint64_t number = 0;
    if (!value || !subid_number(value, strlen(value), is_max ? UINT32_MAX : ID_MAX, &number))
        return err_set(err, EINVAL, "/etc/login.defs: %s is \"%s\", which is no id or count",
                       numbers[i].name, value ? value : "");
    struct subid_limits *limits = &ret[numbers[i].kind];
    *(uint32_t *)field_of(ret, numbers[i].kind, numbers[i].offset) =
        number > ID_MAX ? ID_MAX : (uint32_t)number;
    limits->has_max = limits->has_max || is_max;
    limits->has_min = limits->has_min || numbers[i].offset == offsetof(struct subid_limits, min);
    return 0;
}

static int take_line(char *line, struct subid_limits ret[2], struct err *err)
{
    char *rest = NULL;
    const char *name = strtok_r(line, " \t\"", &rest);
    if (!name || name[0] == '#')
        return 0;
    const char *value = strtok_r(NULL, " \t\"\r", &rest);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(name, numbers[i].name) == 0)
            return take_number(i, value, ret, err);
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
        if (strcmp(name, switches[i].name) == 0)
            *(bool *)field_of(ret, switches[i].kind, switches[i].offset) =
                value && strcasecmp(value, "yes") == 0;
    return 0;
}

static void set_window(struct subid_limits *limits)
{
    if (!limits->has_min)
        limits->min = limits->deterministic ? 65536 : 100000;
    if (!limits->has_max)
        limits->max = limits->deterministic ? ID_MAX : 600100000;
}

int subid_limits_parse(char *text, struct subid_limits ret[2], struct err *err)
{
    static const struct subid_limits defaults = {
        .count = 65536, .login_min = 1000, .login_max = 60000};
    struct subid_limits limits[2] = {defaults, defaults};
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        int r = take_line(line, limits, err);
        if (r < 0)
            return r;
    }
    limits[SUBID_GID].login_min = limits[SUBID_UID].login_min;
    limits[SUBID_GID].login_max = limits[SUBID_UID].login_max;
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        set_window(&limits[kind]);
        ret[kind] = limits[kind];
    }
    return 0;
}

int subid_limits_read(const struct subid_place *place, struct subid_limits ret[2], struct err *err)
{
    cleanup_free char *text = NULL;
    char nothing[] = "";
    int r = file_read(place->etc_fd, "login.defs", LOGIN_DEFS_MAX, &text, NULL, err);
    if (r < 0 && r != -ENOENT)
        return err_wrap(err, r, "%s/etc", place->root);
    r = subid_limits_parse(r == -ENOENT ? nothing : text, ret, err);
    return r < 0 && !place->live ? err_wrap(err, r, "in %s", place->root) : r;
}

void subid_limits_make_deterministic(struct subid_limits *limits)
{
    limits->deterministic = true;
    set_window(limits);
}

int subid_limits_slot(const struct subid_limits *limits, enum subid_kind kind, uint32_t uid,
                      struct subid_range *ret, struct err *err)
{
    const char *which = kind == SUBID_UID ? "UID" : "GID";
    if (uid < limits->login_min)
        return err_set(err, ERANGE,
                       "uid %u is below UID_MIN (%u) of login.defs: SUB_%s_DETERMINISTIC gives "
                       "such a user nothing, name his ids with --range",
                       uid, limits->login_min, which);
    uint64_t start = limits->min + (uint64_t)(uid - limits->login_min) * limits->count;
    if (start + limits->count <= (uint64_t)limits->max + 1) {
        *ret = (struct subid_range){.start = (uint32_t)start, .count = limits->count};
        return 0;
    }
    return err_set(err, ERANGE,
                   "uid %u has no block of %u ids between SUB_%s_MIN and SUB_%s_MAX (%u and %u) of "
                   "login.defs: name his ids with --range%s",
                   uid, limits->count, which, which, limits->min, limits->max,
                   limits->wrap ? ". UNSAFE_..._WRAP is not followed: he would get another user's"
                                : "");
}

#include "lib/subid/logindefs.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/subid/line.h"

#define LOGIN_DEFS_MAX (1u << 20)

static const struct {
    const char *name;
    enum subid_kind kind;
    size_t offset;
} keys[] = {
    {"SUB_UID_MIN", SUBID_UID, offsetof(struct subid_limits, min)},
    {"SUB_UID_MAX", SUBID_UID, offsetof(struct subid_limits, max)},
    {"SUB_UID_COUNT", SUBID_UID, offsetof(struct subid_limits, count)},
    {"SUB_GID_MIN", SUBID_GID, offsetof(struct subid_limits, min)},
    {"SUB_GID_MAX", SUBID_GID, offsetof(struct subid_limits, max)},
    {"SUB_GID_COUNT", SUBID_GID, offsetof(struct subid_limits, count)},
};

static int take_line(char *line, struct subid_limits ret[2], struct err *err)
{
    char *rest = NULL;
    const char *name = strtok_r(line, " \t\"", &rest);
    if (!name || name[0] == '#')
        return 0;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(name, keys[i].name) != 0)
            continue;
        const char *value = strtok_r(NULL, " \t\"\r", &rest);
        uint64_t number = 0;
        if (!value || !subid_number(value, strlen(value), UINT32_MAX - 1, &number))
            return err_set(err, EINVAL, "/etc/login.defs: %s is \"%s\", which is no id or count",
                           name, value ? value : "");
        *(uint32_t *)(void *)((char *)&ret[keys[i].kind] + keys[i].offset) = (uint32_t)number;
    }
    return 0;
}

int subid_limits_parse(char *text, struct subid_limits ret[2], struct err *err)
{
    static const struct subid_limits defaults = {.min = 100000, .max = 600100000, .count = 65536};
    ret[SUBID_UID] = ret[SUBID_GID] = defaults;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        int r = take_line(line, ret, err);
        if (r < 0)
            return r;
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

#include "rootless-setup/install/manager.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

enum manager manager_find(bool systemd, struct err *err)
{
    static const char *const argv[] = {"systemctl", "--user", "show", "--property=Version", NULL};
    char said[512];
    if (!systemd)
        return MANAGER_NONE;
    return deed_ask(argv, said, sizeof said, err) < 0 ? MANAGER_SILENT : MANAGER_ANSWERS;
}

bool manager_wait(unsigned seconds)
{
    const struct timespec pause = {.tv_nsec = 200L * 1000000};
    int64_t end = clock_ms() + (int64_t)seconds * 1000;
    while (manager_find(true, NULL) != MANAGER_ANSWERS) {
        if (clock_ms() >= end)
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

static void take_property(struct unit *unit, const char *line, size_t len)
{
    const struct {
        const char *name;
        char *value;
        size_t size;
    } texts[] = {
        {"LoadState=", unit->load, sizeof unit->load},
        {"ActiveState=", unit->active, sizeof unit->active},
        {"SubState=", unit->sub, sizeof unit->sub},
        {"UnitFileState=", unit->file, sizeof unit->file},
        {"Result=", unit->result, sizeof unit->result},
        {"FragmentPath=", unit->path, sizeof unit->path},
        {"DropInPaths=", unit->drop_ins, sizeof unit->drop_ins},
        {"NeedDaemonReload=", unit->reload, sizeof unit->reload},
    };
    const struct {
        const char *name;
        unsigned *value;
    } numbers[] = {{"MainPID=", &unit->pid}, {"NRestarts=", &unit->restarts}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t name_len = strlen(texts[i].name);
        if (len >= name_len && memcmp(line, texts[i].name, name_len) == 0)
            (void)str_format(texts[i].value, texts[i].size, "%.*s", (int)(len - name_len),
                             line + name_len);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        size_t name_len = strlen(numbers[i].name);
        struct cursor c = {line + name_len, line + len};
        uint64_t value;
        if (len >= name_len && memcmp(line, numbers[i].name, name_len) == 0 &&
            cursor_u64(&c, 10, UINT32_MAX, &value))
            *numbers[i].value = (unsigned)value;
    }
}

int manager_unit(const char *name, struct unit *ret, struct err *err)
{
    static const char properties[] =
        "--property=LoadState,ActiveState,SubState,UnitFileState,Result,FragmentPath,DropInPaths,"
        "NeedDaemonReload,MainPID,NRestarts";
    const char *const argv[] = {"systemctl", "--user", "show", properties, name, NULL};
    char said[16384];
    *ret = (struct unit){0};
    int r = deed_ask(argv, said, sizeof said, err);
    struct cursor c = cursor_of(said), line;
    while (r == 0 && cursor_line(&c, &line))
        take_property(ret, line.p, (size_t)(line.end - line.p));
    return r;
}

bool unit_runs(const struct unit *unit)
{
    if (str_equal(unit->sub, "auto-restart"))
        return false; /* it ended, and waits for another try */
    return str_equal(unit->active, "active") || str_equal(unit->active, "activating") ||
           str_equal(unit->active, "reloading");
}

bool unit_ended(const struct unit *unit)
{
    return unit->active[0] == '\0' || str_equal(unit->active, "inactive") ||
           str_equal(unit->active, "failed");
}

int manager_do(struct deeds *deeds, const char *verb, const char *name, struct err *err)
{
    const char *const argv[] = {"systemctl", "--user", verb, name, NULL};
    return deed_run(deeds, argv, err);
}

void manager_journal(const char *name, char *ret, size_t size)
{
    const char *const argv[] = {"journalctl",   "--user",  "--unit",     name, "--lines=40",
                                "--output=cat", "--quiet", "--no-pager", NULL};
    if (deed_ask(argv, ret, size, NULL) < 0)
        ret[0] = '\0';
}

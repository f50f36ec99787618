#include "rootless-setup/install/status.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "rootless-setup/install/answer.h"
#include "rootless-setup/install/kit.h"

const char *status_by_name(enum status_by by)
{
    static const char *const names[] = {
        [STATUS_NOTHING] = "no",    [STATUS_UNIT] = "unit",       [STATUS_SCRIPT] = "script",
        [STATUS_VENDOR] = "vendor", [STATUS_FOREIGN] = "foreign",
    };
    return names[by];
}

static void read_program(const char *name, struct status_program *ret)
{
    const char *const argv[] = {name, "--version", NULL};
    char said[4096];
    if (proc_find(name, ret->path, sizeof ret->path) < 0) {
        ret->path[0] = '\0';
        return;
    }
    if (deed_ask(argv, said, sizeof said, NULL) < 0)
        return;
    said[strcspn(said, "\n")] = '\0';
    (void)str_format(ret->version, sizeof ret->version, "%.255s", said);
}

static bool ours(const struct own_file *file)
{
    return file->state == OWN_INTACT || file->state == OWN_EDITED;
}

/* A unit of the distribution's counts once it is switched on. */
static int read_vendor(const struct setup *setup, struct status *status, struct err *err)
{
    struct unit unit;
    const char *name = setup->engine->vendor_unit;
    if (!name || setup->manager != MANAGER_ANSWERS)
        return 0;
    int r = manager_unit(name, &unit, err);
    if (r < 0 || !(str_equal(unit.file, "enabled") || unit_runs(&unit)))
        return r;
    status->by = STATUS_VENDOR;
    status->unit = unit;
    (void)str_copy(status->unit_name, sizeof status->unit_name, name);
    (void)str_copy(status->file, sizeof status->file, unit.path);
    return 0;
}

static int read_service(const struct setup *setup, struct status *status, struct err *err)
{
    (void)str_copy(status->unit_name, sizeof status->unit_name, setup->engine->unit);
    if (setup->unit.state == OWN_ABSENT && ours(&setup->script)) {
        status->by = STATUS_SCRIPT;
        (void)str_copy(status->file, sizeof status->file, setup->script_path);
        return 0;
    }
    if (setup->unit.state == OWN_ABSENT)
        return read_vendor(setup, status, err);
    status->by = ours(&setup->unit) ? STATUS_UNIT : STATUS_FOREIGN;
    (void)str_copy(status->file, sizeof status->file, setup->unit_path);
    return setup->manager == MANAGER_ANSWERS ? manager_unit(status->unit_name, &status->unit, err)
                                             : 0;
}

/* @param key  of an object in @p json; what is no text there is "" */
static void take_text(const json_t *json, const char *key, char *ret, size_t size)
{
    const char *text = json_string_value(json_object_get(json, key));
    (void)str_copy(ret, size, text ? text : "");
}

static void read_kit(const struct setup *setup, struct status *status)
{
    char path[4300];
    if (!setup->state[0])
        return;
    status->kit = kit_find(setup->state);
    if (status->kit == 0 || str_format(path, sizeof path, "%s/api.sock", setup->state) < 0)
        return;
    json_t *info = answer_get(path, "/v1/info");
    const json_t *network = json_object_get(info, "networkDriver");
    take_text(info, "version", status->kit_version, sizeof status->kit_version);
    take_text(network, "driver", status->network, sizeof status->network);
    take_text(network, "childIP", status->address, sizeof status->address);
    take_text(json_object_get(info, "portDriver"), "driver", status->port_driver,
              sizeof status->port_driver);
    json_decref(info);
}

/* A socket of systemd's is not asked: that would start what is behind it. */
static void read_socket(const struct setup *setup, struct status *status)
{
    if (status->by == STATUS_VENDOR && unit_runs(&status->unit))
        return;
    if (!setup->socket[0]) {
        status->socket_error = ENOENT;
        return;
    }
    cleanup_close int sock = answer_connect(setup->socket, NULL);
    status->socket_error = sock < 0 ? -sock : 0;
    if (sock < 0 || !setup->engine->http)
        return;
    json_t *version = answer_get(setup->socket, "/version");
    take_text(version, "Version", status->server, sizeof status->server);
    if (!version)
        status->socket_error = EPROTO;
    json_decref(version);
}

int status_read(const struct setup *setup, struct status *ret, struct err *err)
{
    *ret = (struct status){.engine = setup->engine, .lingers = setup_lingers(setup->context)};
    int r = read_service(setup, ret, err);
    if (r < 0)
        return r;
    read_program(setup->engine->daemon, &ret->daemon);
    if (str_equal(setup->engine->client, setup->engine->daemon))
        ret->client = ret->daemon;
    else
        read_program(setup->engine->client, &ret->client);
    read_kit(setup, ret);
    read_socket(setup, ret);
    ret->running = setup->engine->socket.name ? ret->socket_error == 0 : unit_runs(&ret->unit);
    if (setup->engine->context)
        context_read(&ret->context);
    status_judge(setup, ret);
    return 0;
}

bool status_bad(const struct status *status)
{
    for (size_t i = 0; i < status->n_problems; i++)
        if (!status->problems[i].hint)
            return true;
    return !status->running;
}

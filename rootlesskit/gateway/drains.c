#include "rootlesskit/gateway/drains.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "rootlesskit/gateway/relay.h"

struct drain {
    struct table_item item;
    uint32_t id;
    int64_t deadline_ms;
};

static void end(struct drains *drains, struct drain *drain)
{
    drains->connections.end_all(drains->connections.arg, drain->id);
    table_give(drain);
}

static void on_tick(struct worker_timer *timer, int64_t now_ms)
{
    struct drains *drains = loop_owner(timer, struct drains, timer);
    struct drain *drain = NULL, *all[DRAINS_MAX];
    uint32_t ids[DRAINS_MAX];
    bool found[DRAINS_MAX] = {false};
    uint32_t n = 0;
    while (n < DRAINS_MAX && (drain = table_next(&drains->table, drain))) {
        ids[n] = drain->id;
        all[n++] = drain;
    }
    struct relay_census census = {.owners = ids, .found = found, .n = n};
    drains->connections.census(drains->connections.arg, &census);
    for (uint32_t i = 0; i < n; i++)
        if (!found[i] || now_ms >= all[i]->deadline_ms)
            end(drains, all[i]);
    if (!table_next(&drains->table, NULL))
        worker_timer_stop(timer);
}

int drains_begin(struct drains *drains, uint32_t id, uint32_t seconds)
{
    struct drain *drain = table_take(&drains->table);
    if (!drain)
        return -ENOBUFS;
    drain->id = id;
    drain->deadline_ms = clock_ms() + (int64_t)seconds * 1000;
    worker_timer_start(drains->worker, &drains->timer);
    return 0;
}

bool drains_has(const struct drains *drains, uint32_t id)
{
    const struct drain *drain = NULL;
    while ((drain = table_next(&drains->table, drain)))
        if (drain->id == id)
            return true;
    return false;
}

int drains_init(struct drains *drains, struct worker *worker, const struct drains_of *connections,
                struct err *err)
{
    *drains = (struct drains){.worker = worker, .connections = *connections, .timer.fn = on_tick};
    return table_init(&drains->table, sizeof(struct drain), DRAINS_MAX, err);
}

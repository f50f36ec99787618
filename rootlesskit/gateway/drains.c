#include "rootlesskit/gateway/drains.h"

#include <errno.h>

#include "lib/base/clock.h"

struct drain {
    struct table_item item;
    uint32_t id;
    int64_t deadline_ms;
};

static void on_tick(struct worker_timer *timer, int64_t now_ms)
{
    struct drains *drains = loop_owner(timer, struct drains, timer);
    const struct drains_of *connections = &drains->connections;
    struct drain *drain = NULL;
    bool waiting = false;
    while ((drain = table_next(&drains->table, drain))) {
        if (now_ms < drain->deadline_ms && connections->any(connections->arg, drain->id)) {
            waiting = true;
            continue;
        }
        connections->end_all(connections->arg, drain->id);
        table_give(drain);
    }
    if (!waiting)
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

#include "rootlesskit/gateway/drains.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "rootlesskit/gateway/connector.h"
#include "rootlesskit/gateway/relay.h"

struct drain {
    struct table_item item;
    uint32_t id;
    int64_t since_ms, deadline_ms;
};

/* An attempt becomes a connection, or nothing, within CONNECTOR_WAIT_MS; whose it is does not
 * matter for so short a time. */
static bool is_waited_for(const struct drains *drains, const struct drain *drain, int64_t now_ms)
{
    if (now_ms >= drain->deadline_ms)
        return false;
    if (now_ms < drain->since_ms + CONNECTOR_WAIT_MS + WORKER_TICK_MS &&
        table_next(&drains->connector->attempts, NULL))
        return true;
    return relay_count(drains->worker, drain->id) > 0;
}

static void on_tick(struct worker_timer *timer, int64_t now_ms)
{
    struct drains *drains = loop_owner(timer, struct drains, timer);
    struct drain *drain = NULL;
    bool waiting = false;
    while ((drain = table_next(&drains->table, drain))) {
        if (is_waited_for(drains, drain, now_ms)) {
            waiting = true;
            continue;
        }
        connector_end_all(drains->connector, drain->id);
        relay_end_all(drains->worker, drain->id);
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
    drain->since_ms = clock_ms();
    drain->deadline_ms = drain->since_ms + (int64_t)seconds * 1000;
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

int drains_init(struct drains *drains, struct worker *worker, struct connector *connector,
                struct err *err)
{
    *drains = (struct drains){.worker = worker, .connector = connector, .timer.fn = on_tick};
    return table_init(&drains->table, sizeof(struct drain), DRAINS_MAX, err);
}

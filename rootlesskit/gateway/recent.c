#include "rootlesskit/gateway/recent.h"

/* Passed over in the search for one to end: a turn of the event loop later, all are idle again. */
#define BUSY_MAX 64

void recent_add(struct recent *list, struct recent_link *link, int64_t now_ms)
{
    *link = (struct recent_link){.older = list->newest, .used_ms = now_ms};
    *(list->newest ? &list->newest->newer : &list->oldest) = link;
    list->newest = link;
}

void recent_remove(struct recent *list, struct recent_link *link)
{
    *(link->newer ? &link->newer->older : &list->newest) = link->older;
    *(link->older ? &link->older->newer : &list->oldest) = link->newer;
}

void recent_touch(struct recent *list, struct recent_link *link, int64_t now_ms)
{
    recent_remove(list, link);
    recent_add(list, link, now_ms);
}

struct recent_link *recent_spare(struct recent *list, recent_busy_fn *is_busy, int64_t now_ms)
{
    const struct recent_link *first = list->oldest;
    unsigned passed = 0;
    while (list->oldest && passed < BUSY_MAX && is_busy(list->oldest)) {
        recent_touch(list, list->oldest, now_ms);
        passed++;
        if (list->oldest == first)
            break;
    }
    return list->oldest;
}

struct recent_link *recent_idle(struct recent *list, int64_t idle_ms, recent_busy_fn *is_busy,
                                int64_t now_ms)
{
    while (list->oldest && now_ms - list->oldest->used_ms >= idle_ms) {
        if (!is_busy(list->oldest))
            return list->oldest;
        recent_touch(list, list->oldest, now_ms);
    }
    return NULL;
}

#include "rootlesskit/gateway/recent.h"

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

struct recent_link *recent_idle(const struct recent *list, int64_t idle_ms, int64_t now_ms)
{
    struct recent_link *oldest = list->oldest;
    return oldest && now_ms - oldest->used_ms >= idle_ms ? oldest : NULL;
}

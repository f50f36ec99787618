#include "rootlesskit/api/listening.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "rootlesskit/api/ask.h"
#include "rootlesskit/api/control.h"
#include "rootlesskit/gateway/services.h"
#include "rootlesskit/port/ports.h"

static int by_port(const void *a, const void *b)
{
    const struct services_record *first = a, *second = b;
    return (first->port_id > second->port_id) - (first->port_id < second->port_id);
}

void listening_ask(struct listening *ret)
{
    struct control_request request = {.op = CONTROL_SERVICES};
    struct control_reply reply;
    char *data = NULL;
    size_t len = 0;
    *ret = (struct listening){0};
    cleanup_close int fd = memfd_create("rootlesskit-services", MFD_CLOEXEC);
    if (fd < 0 || ask_beside(&request, fd, &reply, NULL) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return;
    size_t max = PORTS_MAX * sizeof *ret->records;
    if (file_read_all(fd, "the ports' services", max, &data, &len, NULL) < 0)
        return;
    ret->records = (struct services_record *)(void *)data;
    ret->n = len / sizeof *ret->records;
    qsort(ret->records, ret->n, sizeof *ret->records, by_port);
}

void listening_free(struct listening *listening)
{
    free(listening->records);
    *listening = (struct listening){0};
}

void listening_put(const struct listening *listening, uint32_t id, json_t *status)
{
    const struct services_record key = {.port_id = id};
    const struct services_record *record =
        listening->n ? bsearch(&key, listening->records, listening->n, sizeof key, by_port) : NULL;
    if (!record)
        return;
    if (record->handed_over)
        (void)json_object_set_new(status, "handedOver", json_true());
    (void)json_object_set_new(status, "listening",
                              record->state == SERVICES_SERVED ? json_true()
                              : record->state == SERVICES_NONE ? json_false()
                                                               : json_null());
}

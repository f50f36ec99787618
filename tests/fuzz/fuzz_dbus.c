/* What a bus sends: a message is whole within its bytes, is asked for more, or is none. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "rootless-setup/check/dbus.h"

static void inside(const char *text, const uint8_t *data, size_t size)
{
    if (!text)
        return;
    const char *begin = (const char *)data;
    require(text >= begin && text < begin + size);
    require(memchr(text, '\0', (size_t)(begin + size - text)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dbus_reply reply;
    ssize_t len = dbus_parse(data, size, &reply);
    require(len <= (ssize_t)size);
    if (len <= 0)
        return 0;
    inside(reply.error_name, data, size);
    inside(reply.text, data, size);
    /* Less of it is not it yet. */
    require(dbus_parse(data, (size_t)len - 1, &reply) == 0);
    return 0;
}

/* A record of fix of any content: it is refused, or every entry of it is whole. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "rootless-setup/fix/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct record record;
    if (record_parse((const char *)data, size, &record, NULL) < 0) {
        require(record.n == 0);
        return 0;
    }
    require(record.n <= RECORD_CHANGES_MAX);
    for (size_t i = 0; i < record.n; i++) {
        const struct change *change = &record.changes[i];
        require(change->kind < CHANGE_KINDS && change->reload < RELOADS && change->target[0]);
        require((change->kind == CHANGE_FILE) == (change->after.data != NULL));
        require(change->kind != CHANGE_FILE || change->target[0] == '/');
        require(change->before.len <= 2 * PLACE_FILE_MAX);
    }
    record_close(&record);
    return 0;
}

/* tmpfiles.d: the line that counts is one of the text, and names the directory or one above it. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "rootless-setup/check/package.h"
#include "rootless-setup/check/tmpfiles.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    assert(copy);
    memcpy(copy, data, size);
    copy[size] = '\0';
    unsigned lines = 1;
    for (const char *c = copy; *c; c++)
        lines += *c == '\n';
    struct tmpfiles tmpfiles = {.dir = "/tmp/run-7/docker"};
    bool any = tmpfiles_read(&tmpfiles, copy);
    require(any == (tmpfiles.len > 0));
    require(tmpfiles.len <= strlen(tmpfiles.dir));
    require(tmpfiles.line <= lines && any == (tmpfiles.line > 0));
    require(any || !tmpfiles.cleaned);
    /* Read again, nothing counts for more. */
    require(!tmpfiles_read(&tmpfiles, copy));
    /* What apt and dpkg note is read the same way. */
    (void)package_is_auto(copy, "uidmap");
    (void)package_is_wanted(copy, "uidmap");
    free(copy);
    return 0;
}

/* Feeds every file of the corpus folder to the harness once, so that corpora run as plain tests. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "tests/fuzz/fuzz.h"

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (!dir) {
        (void)fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return EXIT_FAILURE;
    }
    unsigned fed = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (entry->d_name[0] == '.')
            continue;
        cleanup_free char *data = NULL;
        size_t len = 0;
        struct err err = {0};
        if (file_read(dirfd(dir), entry->d_name, 1 << 20, &data, &len, &err) < 0) {
            (void)fprintf(stderr, "%s\n", err.msg);
            return EXIT_FAILURE;
        }
        (void)LLVMFuzzerTestOneInput((const uint8_t *)data, len);
        fed++;
    }
    (void)closedir(dir);
    printf("%u inputs\n", fed);
    return fed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

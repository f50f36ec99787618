/* The words of a PAM configuration line, one each between NULs, of any content: numbers are within
 * their bounds, an engine is one there is, and what is wrong is told in a line. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "lib/base/err.h"
#include "pam/options.h"

#define WORDS_MAX 64

static void check_fault(const struct err *fault, void *arg)
{
    unsigned *n = arg;
    require(fault->code > 0 && fault->msg[0]);
    (*n)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *words[WORDS_MAX];
    struct options options, again;
    unsigned faults = 0, faults_again = 0;
    int n = 0;
    char *text = malloc(size + 1);
    require(text);
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t at = 0; at <= size && n < WORDS_MAX; at += strlen(text + at) + 1)
        words[n++] = text + at;
    options_parse(&options, n, words, check_fault, &faults);
    options_parse(&again, n, words, check_fault, &faults_again);
    require(faults == faults_again && faults <= (unsigned)n + 1);
    require(options.min_uid == again.min_uid && options.max_uid == again.max_uid);
    require(options.engine == again.engine && options.wait_s == again.wait_s);
    require(strcmp(options.skip_services, again.skip_services) == 0);
    require(options.wait_s <= 60 && options.max_uid != UINT32_MAX && options.min_uid != UINT32_MAX);
    require(memchr(options.skip_services, '\0', sizeof options.skip_services));
    require(options_skip(&options, "systemd-user"));
    for (int i = 0; i < n; i++)
        (void)options_skip(&options, words[i]);
    free(text);
    return 0;
}

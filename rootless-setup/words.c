#include "rootless-setup/words.h"

#include "lib/base/str.h"
#include "lib/cli/options.h"

int words_parse(const struct cli_program *program, int argc, char **argv, void *config,
                size_t *ret_n, struct err *err)
{
    int n = 0;
    for (int at = 0; at < argc - 1;) {
        int first = 0;
        int r = cli_parse(program, argc - at, argv + at, config, &first, err);
        if (r != CLI_PARSED)
            return r;
        int word = at + first; /* cli_parse() took argv[at] for the program's name */
        int end = str_equal(argv[word - 1], "--") && word - 1 > at ? argc : word + 1;
        for (; word < end && word < argc; word++)
            argv[++n] = argv[word];
        at = word - 1;
    }
    *ret_n = (size_t)n;
    return CLI_PARSED;
}

/* rootless-setup explain: from an error message to its cause, and to what this host says of it. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "lib/cli/terminal.h"
#include "rootless-setup/check/run.h"
#include "rootless-setup/commands.h"
#include "rootless-setup/explain/report.h"
#include "rootless-setup/input.h"
#include "rootless-setup/subject_option.h"
#include "rootless-setup/words.h"

/* The documented statuses of this command; usage errors have 2. */
enum { EXPLAINED = 0, UNKNOWN = 1 };

struct config {
    const char *user;
    bool json;
    bool no_check;
};

static const struct cli_option options[] = {
    OPTION_USER(struct config),
    {.name = "no-check",
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, no_check),
     .help = "try nothing: the text is another machine's"},
    {.name = "json",
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, json),
     .help = "one JSON object (docs/explain-schema.json)"},
};

static const struct cli_program program = {
    .name = "rootless-setup explain",
    .usage = "rootless-setup explain [OPTION]... [TEXT|CHECK]",
    .summary =
        "Says what an error message of an engine or its helpers means, tries the check that\n"
        "tells whether this host has that fault, and says what helps. The text is taken\n"
        "from standard input when none is given; it may be a whole log. The name of a\n"
        "check says what that is about.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
};

/* The words of the command line as one text. */
static int join(char **words, size_t n, char **ret, size_t *ret_len, struct err *err)
{
    size_t size = 1;
    for (size_t i = 0; i < n; i++)
        size += strlen(words[i]) + 1;
    char *text = malloc(size);
    if (!text)
        return err_sys(err, ENOMEM, "cannot read the text");
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(words[i]);
        if (i > 0)
            text[used++] = ' ';
        (void)memcpy(text + used, words[i], len);
        used += len;
    }
    text[used] = '\0';
    *ret = text;
    *ret_len = used;
    return 0;
}

static int read_text(char **words, size_t n, char **ret, size_t *ret_len, struct err *err)
{
    if (n > 0 && !(n == 1 && str_equal(words[0], "-")))
        return join(words, n, ret, ret_len, err);
    if (isatty(STDIN_FILENO))
        (void)fprintf(stderr, "Paste the message, then press Ctrl-D on a line of its own.\n");
    return input_read(STDIN_FILENO, ret, ret_len, err);
}

static const struct explain_about *find_about(const char *id)
{
    for (size_t i = 0; i < explain_abouts_count; i++)
        if (str_equal(explain_abouts[i].check, id))
            return &explain_abouts[i];
    return NULL;
}

static int look_up(char **words, size_t n, struct explain_answer *answer, struct err *err)
{
    cleanup_free char *text = NULL;
    size_t len = 0;
    answer->about = n == 1 ? find_about(words[0]) : NULL;
    if (answer->about) {
        answer->check = answer->about->check;
        return 0;
    }
    int r = read_text(words, n, &text, &len, err);
    if (r < 0)
        return r;
    len = explain_normalize(text, len);
    answer->n = explain_match(text, len, answer->found);
    answer->check = answer->n > 0 ? answer->found[0].row->check : NULL;
    return 0;
}

/* Tries the check, when there is one and somebody to try it for. */
static int try_here(const struct config *config, struct check_context *context,
                    struct explain_answer *answer, struct err *err)
{
    int probe = answer->check ? check_probe_index(answer->check) : -1;
    if (probe < 0 || config->no_check) {
        answer->untried = answer->check ? "--no-check was given" : NULL;
        return 0;
    }
    int r = subject_context(config->user, context, err);
    if (r == -ENXIO) {
        answer->untried = "it needs a user, to be named with --user USER";
        return 0;
    }
    if (r < 0)
        return r;
    answer->context = context;
    answer->wanted[probe] = true;
    check_add_needs(answer->wanted);
    return check_run(context, answer->wanted, &answer->results, err);
}

int cmd_explain(int argc, char **argv)
{
    struct config config = {0};
    struct explain_answer answer = {0};
    struct check_context context;
    struct err err = {0};
    size_t n = 0;
    int r = words_parse(&program, argc, argv, &config, &n, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    if (r < 0 || look_up(argv + 1, n, &answer, &err) < 0 ||
        try_here(&config, &context, &answer, &err) < 0)
        return cli_fail(&err, CLI_USAGE);
    if (config.json)
        r = explain_report_json(&answer, stdout);
    else
        explain_report_text(&answer, terminal_color("auto"), stdout);
    if (r < 0 || fflush(stdout) != 0) {
        (void)err_sys(&err, r < 0 ? -r : errno, "cannot write the answer");
        return cli_fail(&err, CLI_USAGE);
    }
    return answer.n > 0 || answer.about ? EXPLAINED : UNKNOWN;
}

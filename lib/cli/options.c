#include "lib/cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/cli/completion.h"

static const struct cli_option builtin[] = {
    {.name = "help", .letter = 'h', .help = "show this help and exit"},
    {.name = "version", .letter = 'v', .help = "show the version and exit"},
    {.name = "completion",
     .kind = CLI_STRING,
     .value = "SHELL",
     .help = "print a completion script (bash) and exit"},
};
#define N_BUILTIN (sizeof builtin / sizeof builtin[0])

static int add_items(struct cli_list *list, const struct cli_option *option, char *text,
                     struct err *err)
{
    for (char *item = text; item;) {
        char *comma = option->whole ? NULL : strchr(item, ',');
        if (comma)
            *comma = '\0';
        if (list->n == CLI_LIST_MAX)
            return err_set(err, EINVAL, "--%s: more than %d values", option->name, CLI_LIST_MAX);
        list->items[list->n++] = item;
        item = comma ? comma + 1 : NULL;
    }
    return 0;
}

static int store_choice(const struct cli_option *option, const char *value, const char **field,
                        struct err *err)
{
    for (size_t i = 0; option->gone && option->gone[i]; i += 2)
        if (str_equal(option->gone[i], value))
            return err_set(err, EINVAL, "--%s=%s: %s", option->name, value, option->gone[i + 1]);
    if (option->choices && str_index(option->choices, value) < 0) {
        char known[512] = "";
        size_t used = 0;
        for (size_t i = 0; option->choices[i] && used < sizeof known; i++)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                     option->choices[i]);
        return err_set(err, EINVAL, "--%s: unknown value \"%s\", it must be one of: %s",
                       option->name, value, known);
    }
    *field = value;
    return 0;
}

static int store_switch(const char *what, const char *value, enum cli_switch *field,
                        struct err *err)
{
    bool on = true;
    int r = value ? parse_bool(what, value, &on, err) : 0;
    *field = on ? CLI_ON : CLI_OFF;
    return r;
}

static int store(const struct cli_option *option, char *value, void *config, struct err *err)
{
    void *field = (char *)config + option->offset;
    char what[80];
    (void)snprintf(what, sizeof what, "--%s", option->name);
    switch (option->kind) {
    case CLI_FLAG:
        if (value)
            return parse_bool(what, value, field, err);
        *(bool *)field = true;
        return 0;
    case CLI_SWITCH:
        return store_switch(what, value, field, err);
    case CLI_STRING:
        return store_choice(option, value, field, err);
    case CLI_U32:
        return parse_u32(what, value ? value : option->bare, option->min, option->max, field, err);
    case CLI_LIST:
        return add_items(field, option, value, err);
    }
    return -EINVAL;
}

static void print_option(const struct cli_option *option, FILE *out)
{
    char left[64];
    (void)snprintf(left, sizeof left, "%c%c%s --%s%s%s%s%s", option->letter ? '-' : ' ',
                   option->letter ? option->letter : ' ', option->letter ? "," : " ", option->name,
                   option->bare ? "[" : "", option->value ? "=" : "",
                   option->value ? option->value : "", option->bare ? "]" : "");
    if (strlen(left) < 34)
        (void)fprintf(out, "  %-34s %s\n", left, option->help);
    else
        (void)fprintf(out, "  %s\n  %-34s %s\n", left, "", option->help);
}

void cli_help(const struct cli_program *program, FILE *out)
{
    (void)fprintf(out, "Usage: %s\n\n%s\n\nOptions:\n", program->usage, program->summary);
    for (size_t i = 0; i < program->n_options; i++)
        print_option(&program->options[i], out);
    for (size_t i = 0; i < N_BUILTIN; i++)
        print_option(&builtin[i], out);
    if (program->n_commands > 0)
        (void)fputs("\nCommands:\n", out);
    for (size_t i = 0; i < program->n_commands; i++)
        if (program->commands[i].summary)
            (void)fprintf(out, "  %-16s %s\n", program->commands[i].name,
                          program->commands[i].summary);
    if (program->epilog)
        (void)fprintf(out, "\n%s\n", program->epilog);
}

static int answer_builtin(const struct cli_program *program, const struct cli_option *option,
                          const char *value, struct err *err)
{
    if (str_equal(option->name, "help"))
        cli_help(program, stdout);
    else if (str_equal(option->name, "version"))
        printf("%s version %s\n", program->name, ROOTLESS_VERSION);
    else if (str_equal(value, "bash"))
        completion_print(program, builtin, N_BUILTIN, stdout);
    else
        return err_set(err, EINVAL, "--completion: unknown shell \"%s\", it must be bash", value);
    return CLI_PARSED_EXIT;
}

/* The table as getopt_long() wants it; the value of entry i is FIRST_LONG + i. */
#define FIRST_LONG 256
#define OPTIONS_MAX 64

struct getopt_table {
    struct option longs[2 * OPTIONS_MAX + 1];
    char shorts[2 + 2 * OPTIONS_MAX + 1];
    char letters[OPTIONS_MAX][2];
    const struct cli_option *options[OPTIONS_MAX];
    int n, n_longs;
};

/* A letter is a name as well: "-p=SPEC", which Go's flag packages take, would be ambiguous else. */
static void add_letter(struct getopt_table *table, int has_arg)
{
    char *name = table->letters[table->n], *end = strchr(table->shorts, '\0');
    name[0] = end[0] = table->options[table->n]->letter;
    if (has_arg != optional_argument || table->options[table->n]->bare)
        end[1] = ':';
    table->longs[table->n_longs++] =
        (struct option){.name = name, .has_arg = has_arg, .val = FIRST_LONG + table->n};
}

static void add_to_table(struct getopt_table *table, const struct cli_option *options, size_t n)
{
    for (size_t i = 0; i < n && table->n < OPTIONS_MAX; i++) {
        const struct cli_option *option = &options[i];
        bool flag = option->kind == CLI_FLAG || option->kind == CLI_SWITCH;
        int has_arg = flag || option->bare ? optional_argument : required_argument;
        table->options[table->n] = option;
        table->longs[table->n_longs++] =
            (struct option){.name = option->name, .has_arg = has_arg, .val = FIRST_LONG + table->n};
        if (option->letter)
            add_letter(table, has_arg);
        table->n++;
    }
}

static const struct cli_option *found_option(const struct getopt_table *table, int c)
{
    if (c >= FIRST_LONG)
        return table->options[c - FIRST_LONG];
    for (int i = 0; i < table->n; i++)
        if (table->options[i]->letter == c)
            return table->options[i];
    return NULL;
}

/* getopt_long() takes "--pid" for "--pidns"; RootlessKit and Go's flag packages refuse that, and an
 * abbreviation would stop working when an option is added. */
static bool is_abbreviated(const char *word, const struct cli_option *option)
{
    const char *name = word + strspn(word, "-");
    size_t len = strcspn(name, "=");
    return len > 1 && (strlen(option->name) != len || strncmp(option->name, name, len) != 0);
}

static int no_such_option(const struct cli_program *program, const char *word, struct err *err)
{
    return err_set(err, EINVAL, "unknown option %s (%s --help lists the options)", word,
                   program->name);
}

int cli_parse(const struct cli_program *program, int argc, char **argv, void *config,
              int *ret_first, struct err *err)
{
    struct getopt_table table = {.shorts = "+:"}; /* stop at the first word; ':' for no value */
    add_to_table(&table, program->options, program->n_options);
    add_to_table(&table, builtin, N_BUILTIN);

    optind = 0; /* glibc: start anew */
    opterr = 0;
    for (;;) {
        char *word = argv[optind ? optind : 1];
        int c = getopt_long_only(argc, argv, table.shorts, table.longs, NULL);
        if (c == -1)
            break;
        if (c == ':')
            return err_set(err, EINVAL, "%s needs a value", word);
        const struct cli_option *option = found_option(&table, c);
        if (!option || is_abbreviated(word, option))
            return no_such_option(program, word, err);
        int r = option >= builtin && option < builtin + N_BUILTIN
                    ? answer_builtin(program, option, optarg, err)
                    : store(option, optarg, config, err);
        if (r != 0)
            return r;
    }
    *ret_first = optind;
    return CLI_PARSED;
}

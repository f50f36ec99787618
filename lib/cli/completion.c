#include "lib/cli/completion.h"

#include <stdbool.h>
#include <string.h>

/* "rootless-setup subid" is completed by _rootless_setup_subid. */
static void put_function(const char *program, FILE *out)
{
    (void)fputc('_', out);
    for (const char *p = program; *p; p++)
        (void)fputc(*p == '-' || *p == ' ' ? '_' : *p, out);
}

/* How many words the name has: the place of the next one on the command line. */
static int depth_of(const char *program)
{
    int depth = 1;
    for (const char *p = program; (p = strchr(p, ' ')); p++)
        depth++;
    return depth;
}

static void put_options(const struct cli_option *options, size_t n, FILE *out)
{
    for (size_t i = 0; i < n; i++)
        (void)fprintf(out, "--%s ", options[i].name);
}

static void put_values(const struct cli_option *option, FILE *out)
{
    (void)fprintf(out, "    --%s) mapfile -t COMPREPLY < <(compgen -W '", option->name);
    for (size_t k = 0; option->choices[k]; k++)
        (void)fprintf(out, "%s%s", k ? " " : "", option->choices[k]);
    (void)fputs("' -- \"$cur\"); return ;;\n", out);
}

/* Words of the commands come from their own functions, which stand before this one. */
static void put_commands(const struct cli_program *program, FILE *out)
{
    int depth = depth_of(program->name);
    (void)fprintf(out,
                  "    if [ \"$COMP_CWORD\" -gt %d ]; then\n        case ${COMP_WORDS[%d]} in\n",
                  depth, depth);
    for (size_t i = 0; i < program->n_commands; i++) {
        if (!program->commands[i].summary)
            continue;
        (void)fprintf(out, "        %s) ", program->commands[i].name);
        put_function(program->name, out);
        put_function(program->commands[i].name, out);
        (void)fputs(" ;;\n", out);
    }
    (void)fputs("        esac\n        return\n    fi\n"
                "    mapfile -t COMPREPLY < <(compgen -W '",
                out);
    for (size_t i = 0; i < program->n_commands; i++)
        if (program->commands[i].summary)
            (void)fprintf(out, "%s ", program->commands[i].name);
    (void)fputs("' -- \"$cur\")\n", out);
}

/* Each prints its own on stdout, as for a person. */
static void put_functions_of_commands(const struct cli_program *program, FILE *out)
{
    (void)fflush(out);
    for (size_t i = 0; i < program->n_commands; i++) {
        char name[64], option[] = "--completion=bash";
        char *argv[] = {name, option, NULL};
        if (!program->commands[i].summary)
            continue;
        (void)snprintf(name, sizeof name, "%s", program->commands[i].name);
        (void)program->commands[i].run(2, argv);
    }
}

void completion_print(const struct cli_program *program, const struct cli_option *common,
                      size_t n_common, FILE *out)
{
    put_functions_of_commands(program, out);
    put_function(program->name, out);
    (void)fputs("()\n{\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                "    [ \"$cur\" = = ] && cur=\n"
                "    [ \"$prev\" = = ] && prev=${COMP_WORDS[COMP_CWORD-2]}\n    case $prev in\n",
                out);
    for (size_t i = 0; i < program->n_options; i++)
        if (program->options[i].choices)
            put_values(&program->options[i], out);
    (void)fputs("    esac\n", out);
    if (program->n_commands > 0)
        put_commands(program, out);
    (void)fputs("    case $cur in\n    -*) mapfile -t COMPREPLY < <(compgen -W '", out);
    put_options(program->options, program->n_options, out);
    put_options(common, n_common, out);
    (void)fputs("' -- \"$cur\") ;;\n    esac\n}\n", out);
    /* bash knows programs, not their commands. */
    if (depth_of(program->name) > 1)
        return;
    (void)fputs("complete -o default -F ", out);
    put_function(program->name, out);
    (void)fprintf(out, " %s\n", program->name);
}

/*
 * One option table a program: parsing, --help and shell completion follow from it.
 *
 * The syntax is the GNU one without abbreviations: --name VALUE, --name=VALUE, -x VALUE; parsing
 * stops at the first word that is no option, or behind "--". As Go's flag packages do, one dash
 * may stand for two (-name), a letter's value may come with a '=' (-x=VALUE), and a flag may carry
 * its value (--name=false). Every table has --help
 * (-h) and --version (-v) by itself, and --completion=bash, which has
 * its commands' as well.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct err;

enum cli_kind {
    CLI_FLAG,   /**< bool */
    CLI_SWITCH, /**< enum cli_switch: a flag that tells "not given" from "off" */
    CLI_STRING, /**< const char *, points into argv */
    CLI_U32,    /**< uint32_t within [min, max] */
    CLI_LIST,   /**< struct cli_list: may repeat, values split at commas */
};

enum cli_switch { CLI_UNSET, CLI_OFF, CLI_ON };

#define CLI_LIST_MAX 1024

struct cli_list {
    const char *items[CLI_LIST_MAX]; /**< point into argv */
    size_t n;
};

struct cli_option {
    const char *name; /**< long name without dashes */
    char letter;      /**< short form, or 0 */
    enum cli_kind kind;
    size_t offset;              /**< of the field in the program's config struct */
    const char *value;          /**< how --help names the value: "DIR"; NULL for a flag or switch */
    const char *help;           /**< one line; a default is written here: "MTU (default: 65520)" */
    const char *const *choices; /**< NULL-ended list a CLI_STRING must be from, or NULL */
    const char *const *gone; /**< NULL-ended pairs: a choice that is no more, what to do instead */
    uint32_t min, max;       /**< CLI_U32 only */
    const char *bare; /**< CLI_U32 only: what --name alone means; a value then comes with a '=' */
    bool whole;       /**< CLI_LIST only: a value may have commas and stays in one piece */
};

/** What a program does at its first word; run() gets the words from that one on. */
struct cli_command {
    const char *name;
    const char *summary; /**< one line; NULL: it is not listed, as no person's */
    int (*run)(int argc, char **argv);
};

struct cli_program {
    const char *name;
    const char *usage;   /**< behind "Usage: ": "rootlesskit [OPTION]... [--] COMMAND [ARG]..." */
    const char *summary; /**< one or more lines under the usage */
    const struct cli_option *options;
    size_t n_options;
    const struct cli_command *commands; /**< or none; each has a cli_program of its own */
    size_t n_commands;
    const char *epilog; /**< printed after them, or NULL */
};

/** What cli_parse() did. */
enum cli_parsed {
    CLI_PARSED = 0,  /**< go on; *ret_first is the index of the first positional word */
    CLI_PARSED_EXIT, /**< --help, --version or --completion was answered on stdout: end with 0 */
};

/**
 * Parses argv into @p config, whose fields hold the defaults on entry. Writes to argv's strings
 * (lists are split in place). @return enum cli_parsed, or -EINVAL with the one line to print
 */
int cli_parse(const struct cli_program *program, int argc, char **argv, void *config,
              int *ret_first, struct err *err);
/** Runs the command that the first word names, for a program with no options of its own.
 *  @return its exit status; CLI_USAGE without a word of the table, having said so */
int cli_run_command(const struct cli_program *program, int argc, char **argv);
void cli_help(const struct cli_program *program, FILE *out);

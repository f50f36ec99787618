/*
 * Options and words in any order, as people type them: "subid list alice --json".
 */
#pragma once

#include <stddef.h>

struct cli_program;
struct err;

/**
 * As cli_parse(), but goes on behind each word; everything behind "--" is a word.
 * @param ret_n  the words are moved to argv[1] ... argv[*ret_n]
 */
int words_parse(const struct cli_program *program, int argc, char **argv, void *config,
                size_t *ret_n, struct err *err);

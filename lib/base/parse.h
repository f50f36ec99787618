/*
 * The values of options: a whole word is a number or a truth value, or an error says what it must
 * be. Text in pieces is read with cursor.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

/**
 * The whole of @p s as a decimal in [min, max].
 * @param what  how messages name it: "--mtu"
 * @return 0; -EINVAL (not a number) or -ERANGE with a message that names value and bounds
 */
int parse_u32(const char *what, const char *s, uint32_t min, uint32_t max, uint32_t *ret,
              struct err *err);
/** "true", "false", "1", "0" (and t/f, T/F, TRUE/FALSE, True/False: Go's strconv.ParseBool). */
int parse_bool(const char *what, const char *s, bool *ret, struct err *err);

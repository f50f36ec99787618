/*
 * Bounded text in fixed buffers, and the heap's one cleanup idiom.
 * Nothing here cuts silently: what does not fit is an error.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

void str_free(void *pointer_to_pointer);
/** For `cleanup_free char *x = NULL;` */
#define cleanup_free __attribute__((cleanup(str_free)))

/** Copies @p src with its NUL. @return 0, or -ENAMETOOLONG with @p dst set to "" */
int str_copy(char *dst, size_t size, const char *src);
/** snprintf() that refuses to cut. @return length, or -ENAMETOOLONG with @p dst set to "" */
int str_format(char *dst, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/** True when @p a and @p b are both set and equal. */
bool str_equal(const char *a, const char *b);
/** The rest of @p s behind @p prefix, or NULL. */
const char *str_after(const char *s, const char *prefix);
/** Index of @p s in the NULL-ended @p list, or -1. */
int str_index(const char *const *list, const char *s);

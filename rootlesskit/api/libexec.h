/* Programs of ours that no person starts. */
#pragma once

#include <stddef.h>

struct err;

/** Finds @p name beside the running program (a build tree, a bundle), in ../libexec, or where it
 * was installed. @return 0, or -ENOENT */
int libexec_find(const char *name, char *ret, size_t size, struct err *err);

/* The real texts of rootless-setup/explain/errors.txt, for its test. */
#pragma once

#include <stddef.h>

struct explain_sample {
    const char *id;   /**< the row it must be explained by */
    const char *text; /**< as printed */
};

extern const struct explain_sample explain_samples[];
extern const size_t explain_samples_count;

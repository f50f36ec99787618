#include "lib/base/parse.h"

#include <errno.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

int parse_u32(const char *what, const char *s, uint32_t min, uint32_t max, uint32_t *ret,
              struct err *err)
{
    struct cursor c = cursor_of(s);
    uint64_t value = 0;
    if (!cursor_u64(&c, 10, UINT64_MAX, &value) || !cursor_done(&c))
        return err_set(err, EINVAL, "%s: \"%s\" is not a whole number from %u to %u", what, s, min,
                       max);
    if (value < min || value > max)
        return err_set(err, ERANGE, "%s: %s is out of range, it must be from %u to %u", what, s,
                       min, max);
    *ret = (uint32_t)value;
    return 0;
}

int parse_bool(const char *what, const char *s, bool *ret, struct err *err)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True", NULL};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False", NULL};
    if (str_index(yes, s) >= 0)
        *ret = true;
    else if (str_index(no, s) >= 0)
        *ret = false;
    else
        return err_set(err, EINVAL, "%s: \"%s\" is neither true nor false", what, s);
    return 0;
}

#include "lib/subid/mark.h"

#include <errno.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/file.h"

#define UNFINISHED SUBID_MARK "-new"

int subid_names_sync(const struct subid_place *place, struct err *err)
{
    int r = file_sync_names(place->etc_fd);
    return r < 0 ? err_sys(err, -r, "cannot sync %s/etc to disk", place->root) : 0;
}

int subid_mark_set(const struct subid_place *place, const char *text, size_t len, struct err *err)
{
    int r = file_replace(place->etc_fd, UNFINISHED, SUBID_MARK, text, len);
    return r < 0 ? subid_place_refused(place, SUBID_MARK, -r, err) : subid_names_sync(place, err);
}

int subid_mark_read(const struct subid_place *place, struct subid_change *ret, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    (void)unlinkat(place->etc_fd, UNFINISHED, 0);
    struct err why = {0};
    int r = file_read(place->etc_fd, SUBID_MARK, 4 * SUBID_DB_MAX, &text, &len, &why);
    if (r == -ENOENT)
        return r;
    if (r == 0)
        r = subid_change_parse(ret, text, len, &why);
    if (r < 0)
        return err_set(err, -r,
                       "%s/etc/" SUBID_MARK " is not readable as what an interrupted change left "
                       "(%s): compare subuid with subgid, then remove it",
                       place->root, why.msg);
    return 0;
}

int subid_mark_clear(const struct subid_place *place, struct err *err)
{
    if (unlinkat(place->etc_fd, SUBID_MARK, 0) < 0 && errno != ENOENT)
        return subid_place_refused(place, SUBID_MARK, errno, err);
    return subid_names_sync(place, err);
}

#include "rootless-setup/install/data.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootless-setup/check/maps.h"

#define UNIT_MAX (1 << 20)

/* ---- the command ---- */

/* Takes a word as systemd and the shell read it, a unit's "%%" and "$$" for one of each.
 * @return false at the end, or for one that does not fit */
static bool take_word(struct cursor *c, bool shell, char *ret, size_t size)
{
    char quote = '\0';
    size_t n = 0;
    cursor_blanks(c);
    if (cursor_done(c))
        return false;
    for (; !cursor_done(c) && (quote || (*c->p != ' ' && *c->p != '\t')); c->p++) {
        bool more = c->p + 1 < c->end;
        if (quote ? *c->p == quote : *c->p == '"' || *c->p == '\'') {
            quote = quote ? '\0' : *c->p;
            continue;
        }
        if ((*c->p == '\\' && more && !(shell && quote == '\'')) ||
            (!shell && more && strchr("%$", *c->p) && c->p[1] == *c->p))
            c->p++;
        if (n + 1 >= size)
            return false;
        ret[n++] = *c->p;
    }
    ret[n] = '\0';
    return true;
}

static void from_words(struct cursor line, bool shell, const char *option, char *ret, size_t size)
{
    char word[PATH_MAX];
    bool value = false;
    ret[0] = '\0';
    while (take_word(&line, shell, word, sizeof word)) {
        const char *rest = str_after(word, option);
        if (value)
            (void)str_copy(ret, size, word);
        else if (rest && rest[0] == '=')
            (void)str_copy(ret, size, rest + 1);
        value = !value && rest && rest[0] == '\0';
    }
}

void data_from_command(const char *text, bool shell, const char *option, char *ret, size_t size)
{
    cleanup_free char *joined = strdup(text);
    if (!joined)
        return;
    for (char *p = joined; (p = strstr(p, "\\\n")) != NULL;)
        p[0] = p[1] = ' ';
    struct cursor all = cursor_of(joined), line;
    while (cursor_line(&all, &line))
        if (cursor_word(&line, shell ? "exec " : "ExecStart="))
            from_words(line, shell, option, ret, size);
}

static int is_drop_in(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return str_equal(dot, ".conf");
}

static void from_drop_ins(const struct setup *setup, const char *option, char *ret, size_t size)
{
    char dir[4300];
    struct dirent **entries = NULL;
    int n = str_format(dir, sizeof dir, "%s.d", setup->unit_path) > 0
                ? scandir(dir, &entries, is_drop_in, alphasort)
                : 0;
    for (int i = 0; i < n; i++) {
        char path[4600];
        cleanup_free char *text = NULL;
        if (str_format(path, sizeof path, "%s/%s", dir, entries[i]->d_name) > 0 &&
            file_read(AT_FDCWD, path, UNIT_MAX, &text, NULL, NULL) >= 0)
            data_from_command(text, false, option, ret, size);
        free(entries[i]);
    }
    free(entries);
}

bool data_configured(const struct setup *setup, char *ret, size_t size)
{
    const char *option = setup->engine->data_option;
    char usual[4200];
    ret[0] = '\0';
    if (option && setup->script.text)
        data_from_command(setup->script.text, true, option, ret, size);
    if (option && setup->unit.text) {
        data_from_command(setup->unit.text, false, option, ret, size);
        from_drop_ins(setup, option, ret, size);
    }
    if (ret[0] != '/')
        (void)check_engine_data_dir(check_engine_find(setup->engine->name),
                                    &setup->context->subject, &setup->context->files, ret, size);
    /* What is below the usual place goes with it. */
    for (size_t i = 0; i < ENGINE_DATA_DIRS_MAX; i++) {
        const char *rest =
            engine_path(&setup->dirs, &setup->engine->data[i], usual, sizeof usual) > 0
                ? str_after(ret, usual)
                : NULL;
        if (rest && (rest[0] == '\0' || rest[0] == '/'))
            return false;
    }
    return true;
}

/* ---- whose it is ---- */

static bool below(const char *dir, const char *above)
{
    char real[PATH_MAX];
    const char *rest = str_after(dir, realpath(above, real) ? real : above);
    return rest && rest[0] == '/';
}

static bool is_his(const struct check_subject *subject, const struct subid_range *ranges, int n,
                   uid_t uid)
{
    bool his = uid == subject->uid;
    for (int i = 0; i < n; i++)
        his |= uid >= ranges[i].start && uid - ranges[i].start < ranges[i].count;
    return his;
}

/* @return 0; 1: the entry is somebody else's; -errno */
static int find_foreign(FTS *tree, const struct check_subject *subject, const FTSENT **ret)
{
    struct subid_range ranges[SUBID_RANGES_MAX];
    int n = maps_ranges(subject, SUBID_UID, ranges);
    errno = 0;
    while ((*ret = fts_read(tree)) != NULL)
        if ((*ret)->fts_info != FTS_NS && (*ret)->fts_info != FTS_DP &&
            !is_his(subject, ranges, n, (*ret)->fts_statp->st_uid))
            return 1;
    return -errno;
}

int data_is_own(const struct setup *setup, const char *dir, struct err *err)
{
    const struct check_subject *subject = &setup->context->subject;
    char path[PATH_MAX];
    const FTSENT *entry;
    if (below(dir, setup->dirs.path[ENGINE_HOME]))
        return 0;
    if (str_copy(path, sizeof path, dir) < 0)
        return err_set(err, ENAMETOOLONG, "%s is too long a path", dir);
    char *const paths[] = {path, NULL};
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    if (!tree)
        return err_sys(err, errno, "cannot look through %s", dir);
    int r = find_foreign(tree, subject, &entry);
    if (r < 0)
        (void)err_sys(err, -r, "cannot look through %s", dir);
    else if (r > 0)
        r = err_set(err, EPERM,
                    "%s is not below your home, and %s belongs to uid %u: remove the data by hand",
                    dir, entry->fts_path, entry->fts_statp->st_uid);
    (void)fts_close(tree);
    return r;
}

#include "rootless-setup/check/package.h"

#include <string.h>

#include "lib/base/cursor.h"

static bool is_rest(const struct cursor *line, const char *word)
{
    size_t len = (size_t)(line->end - line->p);
    return len == strlen(word) && strncmp(line->p, word, len) == 0;
}

bool package_is_auto(const char *states, const char *name)
{
    struct cursor all = cursor_of(states), line;
    bool its = false;
    while (cursor_line(&all, &line)) {
        if (cursor_word(&line, "Package: "))
            its = is_rest(&line, name);
        else if (its && cursor_word(&line, "Auto-Installed: "))
            return is_rest(&line, "1");
    }
    return false;
}

/* "a (>= 1) | b:any, c" */
static bool names(struct cursor relations, const char *name)
{
    static const char between[] = " \t,|():";
    while (!cursor_done(&relations)) {
        const char *word = relations.p;
        while (!cursor_done(&relations) && !strchr(between, *relations.p))
            relations.p++;
        const struct cursor found = {.p = word, .end = relations.p};
        if (is_rest(&found, name))
            return true;
        if (!cursor_done(&relations))
            relations.p++;
    }
    return false;
}

/* Fields that keep what they name; those of a folded one begin with a blank. */
static bool is_relation(struct cursor *line)
{
    return cursor_word(line, "Depends:") || cursor_word(line, "Pre-Depends:") ||
           cursor_word(line, "Recommends:") || cursor_word(line, "Suggests:");
}

bool package_is_wanted(const char *status, const char *name)
{
    struct cursor all = cursor_of(status), line;
    bool installed = false, wants = false, relation = false;
    while (cursor_line(&all, &line)) {
        if (cursor_done(&line)) {
            installed = wants = false;
            continue;
        }
        if (*line.p != ' ' && *line.p != '\t')
            relation = is_relation(&line);
        wants |= relation && names(line, name);
        if (cursor_word(&line, "Status: "))
            installed = is_rest(&line, "install ok installed");
        if (installed && wants)
            return true;
    }
    return false;
}

bool package_has_file(const char *list, const char *path)
{
    struct cursor all = cursor_of(list), line;
    while (cursor_line(&all, &line))
        if (is_rest(&line, path))
            return true;
    return false;
}

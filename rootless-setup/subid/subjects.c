#include "rootless-setup/subid/subjects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/subid/line.h"

/* A million names. */
#define INPUT_MAX ((size_t)64 << 20)

void subid_subjects_free(struct subid_subjects *subjects)
{
    subid_members_free(&subjects->users);
    free(subjects->text);
    subjects->text = NULL;
}

/* @param name  stays as long as the subjects */
static int add_name(struct subid_subjects *subjects, const struct subid_choice *choice, char *name,
                    struct subid_accounts *accounts, struct err *err)
{
    struct subid_account user;
    int r = subid_account_find(accounts, name, &user, err);
    if (r == -ENOENT && choice->take_gone && name[0] != '\0') {
        uid_t uid = (uid_t)-1;
        (void)subid_owner_uid(name, strlen(name), &uid);
        user = (struct subid_account){.name = name, .id = uid};
        r = 0;
    }
    return r < 0 ? r : subid_members_add(&subjects->users, &user, err);
}

/* @p line without the blanks around it, cut in place */
static char *trim(char *line)
{
    line += strspn(line, " \t");
    size_t len = strlen(line);
    while (len > 0 && strchr(" \t\r", line[len - 1]))
        line[--len] = '\0';
    return line;
}

static int add_input(struct subid_subjects *subjects, const struct subid_choice *choice,
                     struct subid_accounts *accounts, struct err *err)
{
    size_t len = 0, number = 0;
    if (subjects->text)
        return err_set(err, EINVAL, "standard input (-) can be read once only");
    int r =
        file_read_all(STDIN_FILENO, "standard input", INPUT_MAX - 1, &subjects->text, &len, err);
    char *end = subjects->text + len;
    for (char *line = subjects->text; r == 0 && line < end;) {
        char *newline = memchr(line, '\n', (size_t)(end - line));
        char *stop = newline ? newline : end;
        *stop = '\0';
        number++;
        if (memchr(line, '\0', (size_t)(stop - line)))
            return err_set(err, EINVAL, "standard input, line %zu: a byte of 0 in it", number);
        char *name = trim(line);
        if (name[0] != '\0' && name[0] != '#')
            r = add_name(subjects, choice, name, accounts, err);
        if (r < 0)
            return err_wrap(err, r, "standard input, line %zu", number);
        line = stop + 1;
    }
    return r;
}

/* ---- each once ---- */

struct place {
    const struct subid_account *user;
    size_t at;
};

/* Those who are gone are told apart by name, all others by uid. */
static int compare_user(const struct place *a, const struct place *b)
{
    if (a->user->id != b->user->id)
        return a->user->id > b->user->id ? 1 : -1;
    return a->user->id == (uid_t)-1 ? strcmp(a->user->name, b->user->name) : 0;
}

static int compare_place(const void *pa, const void *pb)
{
    const struct place *a = pa, *b = pb;
    int r = compare_user(a, b);
    return r != 0 ? r : (a->at > b->at) - (a->at < b->at);
}

static int drop_repeated(struct subid_members *users, struct err *err)
{
    cleanup_free struct place *places = calloc(users->n + 1, sizeof *places);
    cleanup_free bool *repeated = calloc(users->n + 1, sizeof *repeated);
    if (!places || !repeated)
        return err_set(err, ENOMEM, "no memory for %zu users", users->n);
    for (size_t i = 0; i < users->n; i++)
        places[i] = (struct place){.user = &users->items[i], .at = i};
    qsort(places, users->n, sizeof *places, compare_place);
    for (size_t i = 1; i < users->n; i++)
        repeated[places[i].at] = compare_user(&places[i - 1], &places[i]) == 0;
    size_t kept = 0;
    for (size_t i = 0; i < users->n; i++)
        if (!repeated[i])
            users->items[kept++] = users->items[i];
    users->n = kept;
    return 0;
}

int subid_subjects_find(struct subid_subjects *subjects, const struct subid_choice *choice,
                        struct subid_accounts *accounts, struct err *err)
{
    struct subid_members *users = &subjects->users;
    int r = 0;
    for (size_t i = 0; i < choice->n_words && r == 0; i++)
        r = str_equal(choice->words[i], "-")
                ? add_input(subjects, choice, accounts, err)
                : add_name(subjects, choice, choice->words[i], accounts, err);
    for (size_t i = 0; i < choice->groups->n && r == 0; i++)
        r = subid_members_of(users, accounts, choice->groups->items[i], err);
    if (r == 0 && choice->all_users)
        r = subid_members_login(users, accounts, err);
    if (users->unknown)
        cli_warning("%s is listed in a group but is no user, left out", users->unknown);
    return r < 0 ? r : drop_repeated(users, err);
}

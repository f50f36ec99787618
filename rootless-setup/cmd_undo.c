/* rootless-setup undo: restores what was there before fix. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "rootless-setup/commands.h"
#include "rootless-setup/fix/recipe.h"
#include "rootless-setup/fix/tell.h"
#include "rootless-setup/fix/undo.h"
#include "rootless-setup/words.h"

struct config {
    const char *root;
    bool dry_run;
    bool json;
};

static const struct cli_option options[] = {
    {.name = "dry-run",
     .letter = 'n',
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, dry_run),
     .help = "say what would be done, and do nothing"},
    {.name = "root",
     .kind = CLI_STRING,
     .offset = offsetof(struct config, root),
     .value = "DIR",
     .help = "files of the image below DIR; nothing of this machine is touched"},
    {.name = "json",
     .kind = CLI_FLAG,
     .offset = offsetof(struct config, json),
     .help = "one JSON object (docs/fix-schema.json)"},
};

static const struct cli_program program = {
    .name = "rootless-setup undo",
    .usage = "rootless-setup undo [OPTION]... [CHECK]...",
    .summary = "Restores the files and the running values that rootless-setup fix changed, all or\n"
               "those for the checks named. What was edited since is left alone.\n"
               "(rootless-setup subid undo takes back changes of subordinate ids.)",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
};

static bool asked_for(const struct change *change, char **ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_equal(ids[i], change->check))
            return true;
    return n == 0;
}

/* The last change first. @return 0, 1 when something was left alone, or -errno */
static int undo_all(const struct config *config, const struct place *place, struct record *record,
                    char **ids, size_t n, struct fix_teller *teller, struct err *err)
{
    int left = 0;
    size_t found = 0;
    for (size_t i = record->n; i-- > 0;) {
        const struct change *change = &record->changes[i];
        if (!asked_for(change, ids, n))
            continue;
        found++;
        tell_again(teller, change->check);
        int r = undo_change(place, change, config->dry_run, teller, err);
        tell_outcome(teller, r < 0 ? "failed" : r == UNDO_EDITED ? "left" : "done", NULL);
        if (r < 0)
            return err_wrap(err, r, "cannot undo what was done for %s", change->check);
        left |= r == UNDO_EDITED;
        if (r != UNDONE || config->dry_run)
            continue;
        record_drop(record, i);
        r = record_save(record, err);
        if (r < 0)
            return r;
    }
    if (found == 0 && !config->json)
        (void)printf("nothing to undo\n");
    return left;
}

static int work(const struct config *config, char **ids, size_t n, struct err *err)
{
    struct place place;
    struct fix_teller teller;
    static struct record record;
    if (tell_start(&teller, config->json, stdout) < 0)
        return err_sys(err, ENOMEM, "cannot begin the report");
    int r = place_open(config->root, &place, err);
    if (r < 0)
        return r;
    r = record_open(&place, false, &record, err);
    if (r == 0)
        r = undo_all(config, &place, &record, ids, n, &teller, err);
    int told = tell_finish(&teller, config->root, config->dry_run, teller.any);
    if (told < 0 && r >= 0)
        r = err_sys(err, -told, "cannot write the report");
    record_close(&record);
    place_close(&place);
    return r;
}

int cmd_undo(int argc, char **argv)
{
    struct config config = {0};
    struct err err = {0};
    size_t n = 0;
    int r = words_parse(&program, argc, argv, &config, &n, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    for (size_t i = 0; r == 0 && i < n; i++)
        if (!fix_recipe_find(argv[1 + i]))
            r = err_set(&err, EINVAL, "\"%s\" is no check that fix changes anything for",
                        argv[1 + i]);
    if (r < 0)
        return cli_fail(&err, CLI_USAGE);
    if (geteuid() != 0 && !config.root) {
        cli_error("undo changes what belongs to root; type: sudo rootless-setup undo");
        return CLI_FAILED;
    }
    r = work(&config, argv + 1, n, &err);
    if (fflush(stdout) != 0 && r == 0)
        r = err_sys(&err, errno, "cannot write the report");
    return r < 0 ? cli_fail(&err, CLI_FAILED) : r > 0 ? CLI_FAILED : CLI_OK;
}

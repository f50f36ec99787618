/* subid repair: mends what can be mended without taking an id from anyone who may own files. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "lib/cli/terminal.h"
#include "rootless-setup/subid/audit/audit.h"
#include "rootless-setup/subid/audit/files.h"
#include "rootless-setup/subid/audit/mend.h"
#include "rootless-setup/subid/audit/report.h"
#include "rootless-setup/subid/session.h"

struct repair_options {
    struct subid_options common;
    bool remove_gone;
};

static const struct cli_option options[] = {
    SUBID_OPTION_ROOT,
    {.name = "remove-gone",
     .offset = offsetof(struct repair_options, remove_gone),
     .help = "remove the lines of users who no longer exist, too"},
    SUBID_OPTION_DRY_RUN,
    SUBID_OPTION_WAIT,
    SUBID_OPTION_JSON,
};

static const struct cli_program program = {
    .name = "rootless-setup subid repair",
    .usage = "rootless-setup subid repair [OPTION]...",
    .summary = "Mends what rootless-setup subid audit finds, as far as nobody loses an id that\n"
               "files may belong to, and says what it leaves and why.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
};

/* Everything that one call works with. */
struct work {
    struct subid_place place;
    struct audit_ground ground;
    struct subid_transaction transaction;
    struct audit_view view;
    struct audit_findings locks;  /* those that were there before ours */
    struct audit_findings mended; /* points into the transaction's text */
    struct subid_db after[2];
    struct audit_view left_view;
    struct audit_result left;
};

/* Taking the locks removed those whose holder is gone and ended a change that was cut short. */
static void note_locks(struct work *work, bool dry_run)
{
    for (size_t i = 0; i < work->locks.n; i++) {
        struct audit_finding *lock = &work->locks.items[i];
        if (lock->rule != AUDIT_STALE_LOCK && lock->rule != AUDIT_INTERRUPTED)
            continue;
        struct audit_finding finding = {.rule = lock->rule, .no_file = true, .name = lock->name};
        lock->name = NULL;
        if (lock->rule == AUDIT_INTERRUPTED)
            audit_find(&work->mended, finding, "it is completed or dropped");
        else
            audit_find(&work->mended, finding, "%s", dry_run ? "gives way" : "is removed");
    }
}

static int begin(struct work *work, const struct subid_options *config, struct err *err)
{
    int r = subid_place_open(&work->place, config->root, err);
    if (r < 0)
        return r;
    audit_find_files(&work->place, &work->locks);
    r = subid_begin(&work->transaction, &work->place, !config->dry_run, config->wait_s * 1000, err);
    if (r == 0)
        r = audit_ground_read(&work->ground, &work->place, err);
    if (r == 0)
        r = audit_view_make(&work->view, work->transaction.db, &work->ground.people, NULL, err);
    return r;
}

static int mend(struct work *work, const struct repair_options *config, struct err *err)
{
    bool dry_run = config->common.dry_run;
    note_locks(work, dry_run);
    int r = audit_mend_files(&work->place, dry_run, &work->mended, err);
    if (r == 0)
        r = audit_mend(work->transaction.db, &work->view, &work->ground.people, config->remove_gone,
                       &work->mended, err);
    audit_findings_sort(&work->mended);
    return r == 0 && !dry_run ? subid_commit(&work->transaction, err) : r;
}

/* What an audit of the new contents would find. */
static int look_again(struct work *work, struct err *err)
{
    int r = 0;
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++) {
        const struct subid_db *db = &work->transaction.db[kind];
        cleanup_free char *text = NULL;
        size_t len = 0;
        r = subid_db_render(db, &text, &len, err);
        if (r == 0)
            r = subid_db_parse(&work->after[kind], (enum subid_kind)kind, text, len, err);
    }
    if (r == 0)
        r = audit_view_make(&work->left_view, work->after, &work->ground.people, &work->view, err);
    return r == 0 ? audit_look(&work->ground, &work->left_view, &work->left, err) : r;
}

static void free_work(struct work *work)
{
    audit_findings_free(&work->left.findings);
    audit_view_free(&work->left_view);
    subid_db_free(&work->after[SUBID_UID]);
    subid_db_free(&work->after[SUBID_GID]);
    audit_findings_free(&work->mended);
    audit_findings_free(&work->locks);
    audit_view_free(&work->view);
    subid_end(&work->transaction);
    audit_ground_free(&work->ground);
    subid_place_close(&work->place);
}

static void print_text(const struct work *work, bool dry_run)
{
    struct audit_print how = {.least = AUDIT_NOTE, .color = terminal_color("auto")};
    if (dry_run) {
        subid_print_diff(&work->transaction);
        return;
    }
    if (work->mended.n > 0)
        printf("Mended:\n\n");
    else
        printf("Nothing to mend.\n");
    audit_print(&work->mended, &work->place, &how, stdout);
    size_t n = audit_findings_count(&work->left.findings, AUDIT_ERROR) +
               audit_findings_count(&work->left.findings, AUDIT_WARNING);
    if (n > 0)
        printf("\nLeft:\n\n");
    how.least = AUDIT_WARNING;
    how.help = true;
    audit_print(&work->left.findings, &work->place, &how, stdout);
}

static int report(const struct work *work, const struct subid_options *config)
{
    if (!config->json) {
        print_text(work, config->dry_run);
        return CLI_OK;
    }
    return subid_print_json(json_pack("{s:s, s:b, s:b, s:o, s:o}", "root",
                                      work->place.live ? "/" : work->place.root, "changed",
                                      work->mended.n > 0, "dry_run", config->dry_run, "mended",
                                      audit_json(&work->mended, &work->place, AUDIT_NOTE), "left",
                                      audit_json(&work->left.findings, &work->place, AUDIT_NOTE)));
}

int subid_repair(int argc, char **argv)
{
    struct repair_options config = {.common.wait_s = SUBID_WAIT_DEFAULT};
    struct err err = {0};
    int status = subid_session_no_words(&program, argc, argv, &config);
    if (status >= 0)
        return status;
    struct work work = {.place.etc_fd = -EBADF};
    int r = begin(&work, &config.common, &err);
    if (r == 0)
        r = mend(&work, &config, &err);
    if (r == 0)
        r = look_again(&work, &err);
    subid_warn(&work.transaction);
    status = r < 0 ? cli_fail(&err, CLI_FAILED) : report(&work, &config.common);
    free_work(&work);
    return status;
}

/* subid audit: what is wrong with the files, and for whom. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "lib/cli/terminal.h"
#include "rootless-setup/subid/audit/audit.h"
#include "rootless-setup/subid/audit/files.h"
#include "rootless-setup/subid/audit/report.h"
#include "rootless-setup/subid/session.h"

/* The documented statuses of this action; a monitor must tell "bad" from "could not look". */
enum { CLEAN = 0, FOUND = 1, NOT_LOOKED = 3 };

struct audit_options {
    struct subid_options common;
    const char *level;
};

static const struct cli_option options[] = {
    SUBID_OPTION_ROOT,
    {.name = "level",
     .letter = 'l',
     .kind = CLI_STRING,
     .offset = offsetof(struct audit_options, level),
     .value = "LEVEL",
     .help = "report only what is as bad: error, warning or note (default: note)",
     .choices = audit_level_names},
    SUBID_OPTION_JSON,
};

static const struct cli_program program = {
    .name = "rootless-setup subid audit",
    .usage = "rootless-setup subid audit [OPTION]...",
    .summary = "Reports what is wrong with the subordinate ids of this machine or an image.\n"
               "The exit status is 1 when an error or a warning is reported. Changes nothing.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
};

/* Everything that one call works with. */
struct work {
    struct subid_place place;
    struct subid_db db[2];
    struct audit_ground ground;
    struct audit_view view;
    struct audit_result result;
};

static int audit(struct work *work, const char *root, struct err *err)
{
    struct audit_findings *findings = &work->result.findings;
    int r = subid_place_open(&work->place, root, err);
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++)
        r = audit_files_read(&work->place, (enum subid_kind)kind, &work->db[kind], findings, err);
    if (r == 0)
        r = audit_ground_read(&work->ground, &work->place, err);
    if (r == 0)
        r = audit_view_make(&work->view, work->db, &work->ground.people, NULL, err);
    if (r < 0)
        return r;
    audit_find_files(&work->place, findings);
    return audit_look(&work->ground, &work->view, &work->result, err);
}

static void free_work(struct work *work)
{
    audit_findings_free(&work->result.findings);
    audit_view_free(&work->view);
    audit_ground_free(&work->ground);
    subid_db_free(&work->db[SUBID_UID]);
    subid_db_free(&work->db[SUBID_GID]);
    subid_place_close(&work->place);
}

static json_t *result_json(const struct work *work, enum audit_level least)
{
    const struct audit_findings *findings = &work->result.findings;
    return json_pack("{s:s, s:s, s:I, s:o, s:o}", "root", work->place.live ? "/" : work->place.root,
                     "source", work->ground.source[0] ? work->ground.source : "files",
                     "blocks_left", (json_int_t)work->result.blocks_left, "summary",
                     audit_summary_json(findings), "findings",
                     audit_json(findings, &work->place, least));
}

static void print_text(const struct work *work, enum audit_level least)
{
    const struct audit_findings *findings = &work->result.findings;
    if (work->ground.source[0] && !work->ground.source_fault[0])
        printf("The files are not consulted: nsswitch.conf names the plug-in %s.\n",
               work->ground.source);
    const struct audit_print how = {.least = least, .color = terminal_color("auto"), .help = true};
    audit_print(findings, &work->place, &how, stdout);
    printf("%zu errors, %zu warnings, %zu notes; %" PRIu64 " blocks of ids are left to hand out\n",
           audit_findings_count(findings, AUDIT_ERROR),
           audit_findings_count(findings, AUDIT_WARNING),
           audit_findings_count(findings, AUDIT_NOTE), work->result.blocks_left);
}

static int report(const struct work *work, const struct audit_options *config)
{
    enum audit_level least = (enum audit_level)str_index(audit_level_names, config->level);
    if (config->common.json) {
        if (subid_print_json(result_json(work, least)) != CLI_OK)
            return NOT_LOOKED;
    } else {
        print_text(work, least);
    }
    if (fflush(stdout) != 0) {
        cli_error("cannot write the report");
        return NOT_LOOKED;
    }
    size_t n = audit_findings_count(&work->result.findings, AUDIT_ERROR);
    if (least >= AUDIT_WARNING)
        n += audit_findings_count(&work->result.findings, AUDIT_WARNING);
    return n > 0 ? FOUND : CLEAN;
}

int subid_audit(int argc, char **argv)
{
    struct audit_options config = {.level = "note"};
    struct err err = {0};
    int status = subid_session_no_words(&program, argc, argv, &config);
    if (status >= 0)
        return status;
    struct work work = {.place.etc_fd = -EBADF};
    int r = audit(&work, config.common.root, &err);
    status = r < 0 ? cli_fail(&err, NOT_LOOKED) : report(&work, &config);
    free_work(&work);
    return status;
}

#include "rootless-setup/subid/audit/audit.h"

#include <errno.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootless-setup/subid/audit/families.h"

/* A message that does not fit is of no use in part. */
static void keep_fault(char ret[256], const struct err *err)
{
    if (str_copy(ret, 256, err->msg) < 0)
        (void)str_copy(ret, 256, "it cannot be read");
}

int audit_ground_read(struct audit_ground *ground, const struct subid_place *place, struct err *err)
{
    struct err why = {0};
    char nothing[] = "";
    *ground = (struct audit_ground){.place = place};
    int r = subid_accounts_read(&ground->accounts, place, err);
    if (r == 0)
        r = audit_people_begin(&ground->people, &ground->accounts,
                               place->live ? audit_lookup_nss : audit_lookup_none, err);
    if (r < 0) {
        audit_ground_free(ground);
        return r;
    }
    if (subid_limits_read(place, ground->limits, &why) < 0) {
        keep_fault(ground->limits_fault, &why);
        (void)subid_limits_parse(nothing, ground->limits, NULL);
    }
    if (subid_source_read(place->etc_fd, ground->source, &why) < 0)
        keep_fault(ground->source_fault, &why);
    audit_homes_read(&ground->homes, place);
    return 0;
}

void audit_ground_free(struct audit_ground *ground)
{
    audit_homes_free(&ground->homes);
    audit_people_end(&ground->people);
    subid_accounts_free(&ground->accounts);
}

static void find_settings(const struct audit_ground *ground, struct audit_findings *findings)
{
    struct audit_finding finding = {.no_file = true};
    finding.rule = AUDIT_SOURCE_BAD;
    if (ground->source_fault[0])
        audit_find(findings, finding, "%s", ground->source_fault);
    finding.rule = AUDIT_SOURCE_PLUGIN;
    if (!ground->source_fault[0] && ground->source[0])
        audit_find(findings, finding, "%s/etc/nsswitch.conf names libsubid_%s.so",
                   ground->place->root, ground->source);
    finding.rule = AUDIT_WINDOW_BAD;
    if (ground->limits_fault[0])
        audit_find(findings, finding, "%s", ground->limits_fault);
}

int audit_look(struct audit_ground *ground, const struct audit_view *view,
               struct audit_result *result, struct err *err)
{
    struct audit_findings *findings = &result->findings;
    find_settings(ground, findings);
    audit_find_lines(view, findings);
    audit_find_owners(view, findings);
    audit_find_overlaps(view, findings);
    audit_find_ids(view, &ground->people, ground->limits, findings);
    audit_find_amounts(view, findings);
    audit_find_readers(view, findings);
    audit_find_homes(view, &ground->homes, findings);
    result->blocks_left = audit_find_window(view, &ground->people, ground->limits, findings);
    audit_findings_sort(findings);
    return findings->no_memory ? err_set(err, ENOMEM, "no memory for the findings") : 0;
}

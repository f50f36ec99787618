#include "rootless-setup/subid/audit/families.h"
#include "rootless-setup/subid/audit/shape.h"

static void look_at(const struct subid_db *db, size_t i, struct audit_findings *findings)
{
    const struct subid_entry *entry = &db->entries[i];
    if (entry->is_range) {
        if (!audit_line_is_plain(entry->text, entry->len, &entry->line))
            audit_find(findings, audit_at_entry(db, AUDIT_LINE_SPELLING, i),
                       "it is read as %.*s:%u:%u", (int)entry->line.owner_len, entry->line.owner,
                       entry->line.start, entry->line.count);
    } else if (!audit_line_is_empty(entry->text, entry->len)) {
        audit_find(findings, audit_at_entry(db, AUDIT_LINE_IGNORED, i), "%s",
                   audit_line_fault(entry->text, entry->len));
    }
}

void audit_find_lines(const struct audit_view *view, struct audit_findings *findings)
{
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        const struct subid_db *db = view->db[kind];
        for (size_t i = 0; i < db->n_entries; i++)
            look_at(db, i, findings);
        if (db->n_entries > 0 && db->bare_end)
            audit_find(findings, audit_at_entry(db, AUDIT_NO_NEWLINE, db->n_entries - 1),
                       "line %zu is the last", db->n_entries);
    }
}

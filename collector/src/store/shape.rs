//! The statements of the writer, in the pieces that rows are put between: what stands before them,
//! how many columns they have, what stands after them.

pub(super) const UPDATE_DEVICES: &str =
    "UPDATE device SET hostname = new.column2, serial = new.column3,
    manufacturer = new.column4, model = new.column5, os_name = new.column6, class = new.column7,
    summary = new.column8, first_report_at = new.column9 FROM (";
pub(super) const INSERT_REPORTS: &str =
    "INSERT INTO device_report (device, seq, report_id, content, recent,
    observed_at, received_at, clock_error_ms, vitals, agent, cost, fingerprint, changed_at,
    hardware_ids) ";
pub(super) const UPSERT_REPORTS: &str = " ON CONFLICT (device) DO UPDATE SET seq = excluded.seq,
    report_id = excluded.report_id, content = excluded.content, recent = excluded.recent,
    observed_at = excluded.observed_at, received_at = excluded.received_at,
    clock_error_ms = excluded.clock_error_ms, vitals = excluded.vitals, agent = excluded.agent,
    cost = excluded.cost, fingerprint = excluded.fingerprint, changed_at = excluded.changed_at,
    hardware_ids = excluded.hardware_ids";
pub(super) const UPDATE_REPORTS: &str = "UPDATE device_report SET seq = new.column2,
    report_id = new.column3, content = new.column4, recent = new.column5,
    observed_at = new.column6, received_at = new.column7, clock_error_ms = new.column8,
    vitals = new.column9, agent = new.column10, cost = new.column11 FROM (";
pub(super) const INSERT_SEEN: &str = "INSERT INTO device_seen (device, at) ";
/// Another collector may have heard of it later.
pub(super) const UPSERT_SEEN: &str = " ON CONFLICT (device) DO UPDATE SET at = excluded.at
    WHERE device_seen.at < excluded.at";

pub(super) const UPDATE_DEVICES_WHERE: &str = ") AS new WHERE device.key = new.column1";
/// Another collector may have stored a later one.
pub(super) const UPDATE_REPORTS_WHERE: &str = ") AS new WHERE device_report.device = new.column1
    AND device_report.seq < new.column2";
pub(super) const INSERT_TITLES: &str =
    "INSERT INTO title (id, hash, source, name, version, architecture,
    publisher, source_package, source_version) ";
pub(super) const INSERT_SECTIONS: &str =
    "INSERT INTO section (device, name, at, digest, document) ";
pub(super) const UPSERT_SECTIONS: &str =
    " ON CONFLICT (device, name) DO UPDATE SET at = excluded.at,
    digest = excluded.digest, document = excluded.document";
pub(super) const INSERT_PASTS: &str =
    "INSERT INTO section_past (device, name, at, received_at, stored, before) ";
pub(super) const INSERT_NOTES: &str = "INSERT INTO section_note (device, notes) ";
pub(super) const UPSERT_NOTES: &str = " ON CONFLICT (device) DO UPDATE SET notes = excluded.notes";
pub(super) const INSERT_SOFTWARE: &str =
    "INSERT INTO software (device, first_at, at, digest, titles, extra) ";
pub(super) const UPSERT_SOFTWARE: &str = " ON CONFLICT (device) DO UPDATE SET at = excluded.at,
    digest = excluded.digest, titles = excluded.titles, extra = excluded.extra";
pub(super) const INSERT_DELTAS: &str =
    "INSERT INTO software_change (device, at, received_at, stored, delta) ";
pub(super) const INSERT_VALUES: &str =
    "INSERT INTO seen_value (device, kind, value, label, first_at, last_at) ";
pub(super) const UPSERT_VALUES: &str =
    " ON CONFLICT (device, kind, value) DO UPDATE SET last_at = excluded.last_at,
    label = coalesce(excluded.label, seen_value.label)";
pub(super) const INSERT_DECISIONS: &str = "INSERT INTO decision (device, at, kind, evidence) ";

#[cfg(test)]
use super::touch::{INSERT_TOUCHED, UPSERT_TOUCHED};

/// All of them, for the test that prepares every statement.
#[cfg(test)]
pub(super) const SHAPES: &[(&str, usize, &str)] = &[
    (UPDATE_DEVICES, 9, UPDATE_DEVICES_WHERE),
    (UPDATE_REPORTS, 11, UPDATE_REPORTS_WHERE),
    (INSERT_TITLES, 9, ""),
    (INSERT_REPORTS, 14, UPSERT_REPORTS),
    (INSERT_SEEN, 2, UPSERT_SEEN),
    (INSERT_SECTIONS, 5, UPSERT_SECTIONS),
    (INSERT_PASTS, 6, ""),
    (INSERT_NOTES, 2, UPSERT_NOTES),
    (INSERT_SOFTWARE, 6, UPSERT_SOFTWARE),
    (INSERT_DELTAS, 5, ""),
    (INSERT_VALUES, 6, UPSERT_VALUES),
    (INSERT_DECISIONS, 4, ""),
    (INSERT_TOUCHED, 2, UPSERT_TOUCHED),
];

//! The API for programs, as JSON: every operation on one page.

mod answer;
mod api_tokens;
pub(super) mod audit;
mod changes;
pub(super) mod devices;
mod doctor;
mod document;
mod enrollment_tokens;
mod exports;
mod facets;
mod findings;
mod health;
mod overview;
pub(super) mod policy;
mod search;
mod software;
pub(super) mod unit_rules;
pub(super) mod units;

#[cfg(test)]
mod differential_tests;
#[cfg(test)]
mod rights_tests;
#[cfg(test)]
mod testing;

use rollcall_shared::api::Page;
use rollcall_shared::api::account::{ApiToken, CreatedApiToken};
use rollcall_shared::api::audit::{AuditLine, ExportReceipt};
use rollcall_shared::api::change::Change;
use rollcall_shared::api::device::{DeviceDetail, DeviceSoftware, DeviceSummary, Person};
use rollcall_shared::api::finding::Finding;
use rollcall_shared::api::health::Health;
use rollcall_shared::api::search::SearchAnswer;
use rollcall_shared::api::software::{SoftwareDetail, SoftwareTitle};
use rollcall_shared::api::token::{CreatedEnrollmentToken, EnrollmentToken};
use rollcall_shared::api::unit::{Unit, UnitPreview, UnitRules};

use super::operation::{self, Operation};
use super::{Access, Routes};
use crate::doctor::Diagnosis;
use crate::domain::Policy;
use crate::view::policy::PolicyPreview;
use answer::Listed;

/// Its routes.
pub fn routes() -> Routes {
    let monitors = Routes::new().get("/api/health", Access::Public, health::get);
    operation::routes(operations()).merge(monitors)
}

/// Every operation, in the order of the document. Rights stand in the handlers' signatures.
pub(super) fn operations() -> Vec<Operation> {
    [devices(), fleet(), policy(), units(), secrets(), audit(), about()]
        .into_iter()
        .flatten()
        .collect()
}

fn devices() -> Vec<Operation> {
    vec![
        Operation::get("/api/v1/devices", devices::list::list)
            .summary("Devices that pass the filter")
            .details(
                "Who has a title: filter by `software`, and by `software_version` or \
                 `software_below`.",
            )
            .returns::<Page<DeviceSummary>>(),
        Operation::get("/api/v1/devices/{id}", devices::get::get)
            .summary("One device, now or at a past moment")
            .details("404 also when the device had not reported at that moment.")
            .returns::<DeviceDetail>(),
        Operation::get("/api/v1/devices/{id}/software", devices::software::get)
            .summary("The software of a device, now or at a past moment")
            .returns::<DeviceSoftware>(),
        Operation::get("/api/v1/devices/{id}/changes", devices::changes::list)
            .summary("What changed on a device, newest first")
            .returns::<Page<Change>>(),
        Operation::get("/api/v1/devices/{id}/people", devices::people::list)
            .summary("People seen on a device, latest first")
            .returns::<Listed<Person>>(),
        Operation::post("/api/v1/devices/{id}/approve", devices::approve::approve)
            .summary("Let a waiting device in")
            .conflicts()
            .returns::<DeviceSummary>(),
        Operation::post("/api/v1/devices/{id}/merge", devices::merge::merge)
            .summary("Say that a waiting device is the one it looks like")
            .details("Its key becomes the known device's, which is answered; that record goes on.")
            .conflicts()
            .returns::<DeviceSummary>(),
        Operation::post("/api/v1/devices/{id}/decisions/{decision}/undo", devices::undo::undo)
            .summary("Take a decision about who a device is back")
            .details("409 when what it did cannot be taken apart again.")
            .conflicts()
            .returns::<DeviceSummary>(),
        Operation::post("/api/v1/devices/{id}/retire", devices::retire::retire)
            .summary("Take a device out of service")
            .details("Its past stays. It counts as missing no longer.")
            .conflicts()
            .returns::<DeviceSummary>(),
        Operation::put("/api/v1/devices/{id}/note", devices::note::put)
            .summary("Write down what people should know of a device"),
        Operation::put("/api/v1/devices/{id}/asset", devices::asset::put)
            .summary("Say where a device belongs")
            .details("Sets all three; what is absent is emptied.")
            .returns::<DeviceSummary>(),
    ]
}

fn fleet() -> Vec<Operation> {
    vec![
        Operation::get("/api/v1/overview", overview::get)
            .summary("The fleet in numbers")
            .returns::<overview::Overview>(),
        Operation::get("/api/v1/facets", facets::get)
            .summary("How many devices there are of each kind, among those that pass the filter")
            .details("Takes the filter of the list of devices; its order and page have no effect.")
            .returns::<facets::Facets>(),
        Operation::get("/api/v1/search", search::get)
            .summary("Find devices by name, person, serial, MAC, IP, asset tag or model")
            .details("Present and past values; whole values first, then beginnings, then parts.")
            .returns::<SearchAnswer>(),
        Operation::get("/api/v1/changes", changes::list)
            .summary("What changed in the fleet: lately, or everything after a cursor")
            .details(
                "To follow: ask with `after`, take the items, go on with `next_cursor`. Changes come \
                 in the order in which they were stored, none is left out. A report that arrives \
                 late brings changes with an `at` in the past, and the change after them anew: for \
                 the state of a device, go by `at`.",
            )
            .returns::<changes::Changes>(),
        Operation::get("/api/v1/software", software::list)
            .summary("Software titles, those on most devices first")
            .returns::<Page<SoftwareTitle>>(),
        Operation::get("/api/v1/software/{source}/{name}", software::get)
            .summary("One software title with its versions, newest first")
            .details("Who has it: the list of devices with `software=name`.")
            .returns::<SoftwareDetail>(),
        Operation::get("/api/v1/findings", findings::list)
            .summary("Findings, worst first, then oldest first")
            .returns::<Page<Finding>>(),
        Operation::get("/api/v1/findings/{id}", findings::get)
            .summary("One finding")
            .returns::<Finding>(),
        Operation::post("/api/v1/findings/{id}/waive", findings::waive)
            .summary("Accept an open finding for a time")
            .conflicts()
            .returns::<Finding>(),
        Operation::post("/api/v1/findings/{id}/unwaive", findings::unwaive)
            .summary("End a waiver before its time")
            .conflicts()
            .returns::<Finding>(),
        Operation::get("/api/v1/exports/{file}", exports::get)
            .summary("Devices, software or findings as one file, streamed")
            .words(exports::FILES)
            .details(
                "Written into the audit log. `X-Rollcall-Audit` names that entry and its hash, \
                 `Link` the export's receipt; a JSON export has its receipt as `export`.",
            )
            .sends(&["text/csv", "application/json"]),
        Operation::get("/api/v1/export-receipts/{number}", exports::get_receipt)
            .summary("What an export was, and where the audit log stood")
            .details("Keep it beside a CSV export: the file itself holds rows only.")
            .returns::<ExportReceipt>(),
    ]
}

fn audit() -> Vec<Operation> {
    vec![
        Operation::get("/api/v1/audit", audit::list)
            .summary("What people and the collector did, newest first")
            .details("Entries that come later never move those of a page.")
            .returns::<Page<AuditLine>>(),
        Operation::get("/api/v1/audit/{file}", audit::file)
            .summary("The audit log as one file, streamed")
            .words(audit::FILES)
            .sends(&["text/csv", "application/json"]),
    ]
}

fn policy() -> Vec<Operation> {
    vec![
        Operation::get("/api/v1/policy", policy::get)
            .summary("The thresholds that devices are held against")
            .returns::<Policy>(),
        Operation::put("/api/v1/policy", policy::put)
            .summary("Set the thresholds")
            .details(
                "Sets all of them; what is absent has its default. Every device is judged by them \
                 soon after.",
            )
            .returns::<Policy>(),
        Operation::post("/api/v1/policy/preview", policy::preview)
            .summary("How many findings would be open under other thresholds, against now")
            .details("Changes nothing. Judges every device, so it takes a while on a large fleet.")
            .returns::<PolicyPreview>(),
    ]
}

fn units() -> Vec<Operation> {
    vec![
        Operation::get("/api/v1/units", units::list)
            .summary("Sites and departments")
            .details("Whoever is limited to some sees those, and counts of devices they may see.")
            .returns::<Listed<Unit>>(),
        Operation::post("/api/v1/units", units::create)
            .summary("Make a site or department")
            .conflicts()
            .creates::<Unit>(),
        Operation::put("/api/v1/units/{id}", units::rename)
            .summary("Rename a site or department")
            .details("Its devices, tokens, rules and accounts stay with it.")
            .conflicts()
            .returns::<Unit>(),
        Operation::delete("/api/v1/units/{id}", units::delete)
            .summary("Delete a site or department")
            .details(
                "With `move_to`, its devices, tokens and rules go to that one; else its rules go, \
                 and other rules and tokens decide about its devices. Accounts limited to it see \
                 its devices no longer, wherever they go.",
            ),
        Operation::get("/api/v1/unit-rules", unit_rules::get)
            .summary("The rules that put devices into sites and departments, in order")
            .returns::<UnitRules>(),
        Operation::put("/api/v1/unit-rules", unit_rules::put)
            .summary("Set all rules")
            .details(
                "Of those for a site the first that fits a device decides, and so for departments; \
                 where none fits, the token the device enrolled with. What a person said stays. \
                 Every device is held against them at once, and each when it reports.",
            )
            .returns::<UnitRules>(),
        Operation::post("/api/v1/unit-rules/preview", unit_rules::preview)
            .summary("What other rules would change")
            .details("Changes nothing.")
            .returns::<UnitPreview>(),
    ]
}

fn secrets() -> Vec<Operation> {
    vec![
        Operation::get("/api/v1/enrollment-tokens", enrollment_tokens::list)
            .summary("Enrolment tokens, newest first, without their secrets")
            .returns::<Listed<EnrollmentToken>>(),
        Operation::post("/api/v1/enrollment-tokens", enrollment_tokens::create)
            .summary("Make an enrolment token")
            .details("The answer holds the line to paste; it is shown this once.")
            .creates::<CreatedEnrollmentToken>(),
        Operation::delete("/api/v1/enrollment-tokens/{id}", enrollment_tokens::revoke)
            .summary("Revoke an enrolment token")
            .details("Devices that used it stay enrolled."),
        Operation::get("/api/v1/api-tokens", api_tokens::list)
            .summary("The caller's own API tokens, newest first, without their secrets")
            .returns::<Listed<ApiToken>>(),
        Operation::post("/api/v1/api-tokens", api_tokens::create)
            .summary("Make an API token")
            .details(
                "For people who are signed in; a token cannot make another. The answer holds the \
                 secret; it is shown this once.",
            )
            .creates::<CreatedApiToken>(),
        Operation::delete("/api/v1/api-tokens/{id}", api_tokens::revoke)
            .summary("Revoke one of the caller's own API tokens"),
    ]
}

fn about() -> Vec<Operation> {
    vec![
        Operation::get("/api/v1/health", health::get)
            .summary("Whether the collector works")
            .details("For monitors; also at `/api/health`. No word about the fleet.")
            .returns::<Health>(),
        Operation::get("/api/v1/doctor", doctor::get)
            .summary("Whether memory agrees with the tables, and what else should be seen to")
            .details("Reads all tables: it takes a while on a large fleet, and memory beside it.")
            .returns::<Diagnosis>(),
        Operation::post("/api/v1/doctor/rebuild", doctor::rebuild)
            .summary("Build everything in memory anew from the tables")
            .details("The tables are not touched. Answers wait until it is done.")
            .returns::<Diagnosis>(),
        Operation::get("/api/v1/openapi.json", document::get)
            .summary("This document")
            .returns::<serde_json::Value>(),
    ]
}

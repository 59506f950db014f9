//! The pages for people, one file per page: its types, its handler, its tests.
//!
//! Pages read through `view` and change things through the same functions as the API. They work
//! without scripts; nothing here knows SQL.

mod account;
mod account_scope;
mod accounts;
mod act;
mod asset;
mod audit;
mod card;
mod collected;
mod device;
mod devices;
mod enroll;
mod enroll_lines;
mod error;
mod exports;
mod filters;
mod findings;
mod home;
mod icons;
mod listed;
mod once;
mod params;
mod provider;
mod providers;
mod search;
mod second_factor;
mod set_up;
mod settings;
mod shell;
mod sign_in;
mod software;
mod theme;
mod units;
mod visit;
mod webhooks;

#[cfg(test)]
mod sample;

use rollcall_shared::api::account::Role;

use super::{Access, Routes};

pub use error::error_page;

const EVERYBODY: Access = Access::Role(Role::Helpdesk);
const IT: Access = Access::Role(Role::It);
const ADMIN: Access = Access::Role(Role::Admin);
const WHOLE_IT: Access = Access::Whole(Role::It);
const WHOLE_ADMIN: Access = Access::Whole(Role::Admin);

/// Its routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/assets/{version}/{name}", Access::Public, asset::get)
        .post("/theme", Access::Public, theme::post)
        .get("/sign-in", Access::Public, sign_in::get)
        .post("/sign-in", Access::Public, sign_in::post)
        .get("/sign-in/with/{id}", Access::Public, sign_in::with)
        .get("/sign-in/with/{id}/back", Access::Public, sign_in::back)
        .get("/sign-in/code", Access::Public, sign_in::get_code)
        .post("/sign-in/code", Access::Public, sign_in::post_code)
        .get("/sign-in/second-factor", Access::Public, second_factor::get_required)
        .post("/sign-in/second-factor", Access::Public, second_factor::post_required)
        .get("/set-up", Access::Public, set_up::get)
        .post("/set-up", Access::Public, set_up::post)
        .get("/", EVERYBODY, home::get)
        .get("/search", EVERYBODY, search::get)
        .get("/devices", EVERYBODY, devices::get)
        .get("/devices/{id}", EVERYBODY, device::get)
        .post("/devices/{id}/notes", EVERYBODY, act::notes)
        .post("/devices/{id}/approve", IT, act::approve)
        .post("/devices/{id}/merge", IT, act::merge)
        .post("/devices/{id}/asset", IT, act::asset)
        .post("/devices/{id}/decisions/{decision}/undo", IT, act::undo)
        .post("/devices/{id}/retire", IT, act::retire)
        .post("/devices/{id}/unretire", IT, act::unretire)
        .post("/findings/{id}/waive", IT, act::waive)
        .post("/findings/{id}/unwaive", IT, act::unwaive)
        .get("/software", EVERYBODY, software::get)
        .get("/software/title", EVERYBODY, software::title)
        .get("/findings", EVERYBODY, findings::get)
        .get("/collected", EVERYBODY, collected::get)
        .get("/account", EVERYBODY, account::get)
        .get("/account/second-factor", EVERYBODY, second_factor::get)
        .post("/account/second-factor", EVERYBODY, second_factor::post)
        .post("/account/second-factor/off", EVERYBODY, account::second_factor_off)
        .post("/account/second-factor/codes", EVERYBODY, account::recovery_codes)
        .post("/account/password", EVERYBODY, account::password)
        .post("/account/sessions/end", EVERYBODY, account::end_sessions)
        .post("/account/tokens", EVERYBODY, account::create)
        .post("/account/tokens/{id}/revoke", EVERYBODY, account::revoke)
        .post("/sign-out", EVERYBODY, account::sign_out)
        .get("/exports", Access::Reader, exports::get)
        .get("/accounts", ADMIN, accounts::get)
        .post("/accounts", ADMIN, accounts::create)
        .post("/accounts/{id}/role", ADMIN, accounts::role)
        .post("/accounts/{id}/disable", ADMIN, accounts::disable)
        .post("/accounts/{id}/enable", ADMIN, accounts::enable)
        .post("/accounts/{id}/reset", ADMIN, accounts::reset)
        .get("/providers", WHOLE_ADMIN, providers::get)
        .post("/providers", WHOLE_ADMIN, providers::create)
        .get("/providers/{id}", WHOLE_ADMIN, provider::get)
        .post("/providers/{id}", WHOLE_ADMIN, provider::save)
        .post("/providers/{id}/test", WHOLE_ADMIN, provider::test)
        .post("/providers/{id}/delete", WHOLE_ADMIN, provider::delete)
        .post("/providers/{id}/link", WHOLE_ADMIN, provider::link)
        .post("/providers/{id}/unlink", WHOLE_ADMIN, provider::unlink)
        .get("/webhooks", WHOLE_ADMIN, webhooks::get)
        .post("/webhooks", WHOLE_ADMIN, webhooks::create)
        .get("/webhooks/{id}", WHOLE_ADMIN, webhooks::get_one)
        .post("/webhooks/{id}", WHOLE_ADMIN, webhooks::save)
        .post("/webhooks/{id}/test", WHOLE_ADMIN, webhooks::test)
        .post("/webhooks/{id}/delete", WHOLE_ADMIN, webhooks::delete)
        .get("/accounts/{id}/scope", ADMIN, account_scope::get)
        .post("/accounts/{id}/scope", ADMIN, account_scope::post)
        .get("/audit", Access::Role(Role::Auditor), audit::get)
        .get("/settings", WHOLE_IT, settings::get)
        .post("/settings", WHOLE_IT, settings::post)
        .get("/units", IT, units::get)
        .post("/units", WHOLE_IT, units::create)
        .post("/units/rules", WHOLE_IT, units::rules)
        .post("/units/{id}/rename", WHOLE_IT, units::rename)
        .post("/units/{id}/delete", WHOLE_IT, units::delete)
        .get("/enroll", IT, enroll::get)
        .post("/enroll", IT, enroll::create)
        .get("/enroll/{id}", IT, enroll::token)
        .get("/enroll/{id}/arrivals", IT, enroll::arrivals)
        .post("/enroll/{id}/revoke", IT, enroll::revoke)
}

//! `GET`, `PUT /api/v1/unit-rules` and `POST /api/v1/unit-rules/preview`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::api::unit::{UnitPreview, UnitRules};

use super::units::settled;
use crate::app::App;
use crate::domain::unit::{MOST_RULES, Rule, Rules, Test};
use crate::http::Error;
use crate::http::auth::{Caller, WholeIt};
use crate::http::input::Body;
use crate::job::units;
use crate::store;

/// The rules in force.
pub(super) async fn get(_: WholeIt, State(app): State<App>) -> Result<Json<UnitRules>, Error> {
    Ok(Json(UnitRules { rules: app.store.unit_rule_list().await? }))
}

/// Sets all of them.
pub(super) async fn put(
    WholeIt(caller): WholeIt,
    State(app): State<App>,
    Body(rules): Body<UnitRules>,
) -> Result<Json<UnitRules>, Error> {
    set(&app, &caller, rules).await.map(Json)
}

/// Counts what they would change; changes nothing.
pub(super) async fn preview(
    _: WholeIt,
    State(app): State<App>,
    Body(rules): Body<UnitRules>,
) -> Result<Json<UnitPreview>, Error> {
    looked_at(&app, rules).await.map(Json)
}

/// Checks rules and counts what they would change.
pub(in crate::http) async fn looked_at(
    app: &App,
    mut rules: UnitRules,
) -> Result<UnitPreview, Error> {
    let rules = checked(app, &mut rules).await?;
    Ok(units::preview(app, &rules).await?)
}

/// Checks and sets rules, and holds every device against them.
pub(in crate::http) async fn set(
    app: &App,
    caller: &Caller,
    mut rules: UnitRules,
) -> Result<UnitRules, Error> {
    checked(app, &mut rules).await?;
    let done = app.store.set_unit_rules(&rules.rules, &caller.by(app)).await;
    done.map_err(|error| match error {
        store::Error::Conflict => {
            Error::Conflict("a site or department of the rules was deleted just now".to_owned())
        }
        other => other.into(),
    })?;
    settled(app).await?;
    Ok(rules)
}

/// The rules as they are held against devices; patterns lose blanks around them.
async fn checked(app: &App, asked: &mut UnitRules) -> Result<Rules, Error> {
    if asked.rules.len() > MOST_RULES {
        return Err(Error::invalid("rules", format!("give at most {MOST_RULES} rules")));
    }
    let known = app.store.units().await?;
    let mut rules = Vec::new();
    for (number, rule) in asked.rules.iter_mut().enumerate() {
        let wrong =
            |what: &str, why: String| Error::invalid(format!("rules[{number}].{what}"), why);
        let unit = known.iter().find(|unit| unit.id == rule.unit).ok_or_else(|| {
            wrong("unit", "there is no site or department of this number".to_owned())
        })?;
        rule.pattern = rule.pattern.trim().to_owned();
        let test = Test::read(rule.test, &rule.pattern).map_err(|why| wrong("pattern", why))?;
        rules.push(Rule { unit: unit.id, kind: unit.kind, test });
    }
    Ok(Rules::new(rules))
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use serde_json::{Value, json};

    use crate::http::api::testing::{Api, DEVICES};

    #[tokio::test]
    async fn rules_are_previewed_then_set_and_never_move_what_a_person_placed() {
        let api = Api::with_devices().await;
        let it = Some(Role::It);
        let (held, all) = (api.unit("site", "Held").await, api.unit("site", "All").await);
        let device = api.device(0).await;
        let asset = json!({ "site": "Held" });
        api.call("PUT", &format!("{device}/asset"), it, Some(&asset)).await;
        let body = json!({ "rules": [
            { "unit": held, "test": "hostname", "pattern": "nobody-is-called-so" },
            { "unit": all, "test": "hostname", "pattern": " * " },
        ] });
        let path = "/api/v1/unit-rules";
        let preview = api.call("POST", &format!("{path}/preview"), it, Some(&body)).await.json;
        let others = u64::try_from(DEVICES).unwrap() - 1;
        assert_eq!((&preview["devices"], &preview["held_by_hand"]), (&json!(others), &json!(1)));
        let moved: u64 = preview["moves"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["devices"].as_u64().unwrap())
            .sum();
        assert_eq!(moved, others);
        assert_eq!(api.get(Role::It, path).await.json, json!({ "rules": [] }), "nothing is set");

        let set = api.call("PUT", path, it, Some(&body)).await;
        assert_eq!((set.status, &set.json["rules"][1]["pattern"]), (200, &json!("*")));
        assert_eq!(api.get(Role::It, path).await.json, set.json);
        let devices = api.get(Role::Helpdesk, "/api/v1/devices").await.json;
        for (number, one) in devices["items"].as_array().unwrap().iter().enumerate() {
            let expected = if number == 0 { ("Held", "hand") } else { ("All", "rule") };
            assert_eq!((&one["site"], &one["site_from"]), (&json!(expected.0), &json!(expected.1)));
            assert_eq!(one["department_from"], "token", "no rule speaks of departments");
        }
        let facets = api.get(Role::Helpdesk, "/api/v1/facets").await.json;
        assert_eq!(facets["site"][0], json!({ "value": "All", "devices": others }));

        // Given back to the rules, they decide at once; without rules the token does again.
        let back = api.call("PUT", &format!("{device}/asset"), it, Some(&json!({}))).await.json;
        assert_eq!((&back["site"], &back["site_from"]), (&json!("All"), &json!("rule")));
        api.call("PUT", path, it, Some(&json!({ "rules": [] }))).await;
        let devices = api.get(Role::Helpdesk, "/api/v1/devices").await.json;
        assert!(devices["items"].as_array().unwrap().iter().all(|one| one["site_from"] == "token"));
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_rule_is_named() {
        let api = Api::with_devices().await;
        let site = api.unit("site", "Here").await;
        let rule = |unit: &Value, test: &str, pattern: &str| json!({ "rules": [{ "unit": unit, "test": test, "pattern": pattern }] });
        let many: Vec<Value> =
            (0..501).map(|_| json!({ "unit": site, "test": "hostname", "pattern": "a" })).collect();
        for (body, field) in [
            (rule(&json!(999), "hostname", "a"), "rules[0].unit"),
            (rule(&site, "subnet", "10.0.0.0/64"), "rules[0].pattern"),
            (rule(&site, "hostname", "a b"), "rules[0].pattern"),
            (json!({ "rules": many }), "rules"),
        ] {
            let refused = api.call("PUT", "/api/v1/unit-rules", Some(Role::It), Some(&body)).await;
            assert_eq!((refused.status, &refused.json["field"]), (422, &json!(field)));
        }
    }
}

//! The table of rights, made of what the routes really answer.

use std::fmt::Write as _;

use super::*;
use crate::http::Routes;
use crate::http::auth::API_TOKEN_PREFIX;
use crate::store::audit::AuditQuery;

/// How a route answered.
fn told(status: u16, what: &str) -> &'static str {
    match status {
        401 | 403 => "-",
        404 => "404",
        200..=399 | 409 | 422 | 429 => "yes",
        _ => panic!("{what}: {status}"),
    }
}

/// What one role gets of one route: seeing everything, in its own half, in the other half.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cell([&'static str; 3]);

struct Asked<'a> {
    template: &'a Template,
    world: World,
}

impl Asked<'_> {
    async fn ask(
        &mut self,
        route: (&str, &str),
        role: Role,
        limited: bool,
        other: bool,
    ) -> (u16, String) {
        let (method, pattern) = route;
        let template = self.template;
        let (own, foreign) = (&template.own, template.other.as_ref().unwrap());
        let half = if other { foreign } else { own };
        let account = self.world.account(role, limited).await;
        let (receipt, api_token) = if other {
            (foreign.receipt, foreign.api_token)
        } else {
            let tokens = self.world.app.store.api_tokens(Some(account)).await.unwrap();
            let query = AuditQuery {
                only_of: Some(account_name(role, limited)),
                action: "export".to_owned(),
                ..AuditQuery::default()
            };
            let entries = self.world.app.store.audit_entries(&query, None, 1).await.unwrap();
            (entries[0].head.number, tokens.last().unwrap().id)
        };
        let path = named(pattern, half, receipt, api_token);
        let file = if pattern.contains("audit") { "audit.json" } else { "devices.json" };
        let path = path.unwrap_or_else(|| pattern.replace("{file}", file));
        let path = if pattern == "/api/v1/search" || pattern == "/search" {
            format!("{path}?q=pc")
        } else {
            path
        };
        assert!(!path.contains('{'), "what stands for the variables of {pattern}? say it");
        let cookie = self.world.session(account).await;
        let answer = self.world.ask(&cookie, method, &path, &sent(method, pattern, half)).await;
        if method != "GET" && (200..400).contains(&answer.0) {
            // What it changed would change later answers.
            self.world = self.template.world().await;
        }
        answer
    }

    async fn cell(&mut self, route: (&str, &str), access: Access, role: Role) -> Cell {
        let names = self.template.own.clone();
        let names_something = named(route.1, &names, 1, 1).is_some();
        let what = format!("{} {} as {}", route.0, route.1, role.as_str());
        let own = names_something && is_own(route.1);
        // Of what is everybody's own, nobody has that of another.
        let (status, all) = self.ask(route, role, false, names_something && !own).await;
        let whole = told(status, &what);
        assert_eq!(whole == "yes", access.allows(role), "{what}: {status}");
        let (status, some) = self.ask(route, role, true, false).await;
        let inside = told(status, &format!("{what}, limited"));
        assert!(!some.contains(MARK), "{what}, limited: it tells of the other half: {some}");
        let outside = if names_something {
            let (status, text) = self.ask(route, role, true, true).await;
            // An answer may repeat what was asked for.
            assert!(!text.contains(MARK) || route.1.contains("/software/"), "{what}: {text}");
            told(status, &format!("{what}, of the other half"))
        } else if inside == "-" {
            "-"
        } else if all.contains(MARK) {
            "hidden"
        } else {
            "."
        };
        Cell([whole, inside, outside])
    }
}

/// Whether a route is about what belongs to the account that asks.
fn is_own(path: &str) -> bool {
    path.contains("api-tokens") || path.starts_with("/account/")
}

/// One line a route, one part a role.
async fn table(routes: &Routes, template: &Template) -> String {
    let mut rows: Vec<(&str, String, Access)> =
        routes.iter().map(|route| (route.path, route.method.to_string(), route.access)).collect();
    rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let mut table = String::from(
        "# Who may call which route, made by asking each route as each role.\n\
         # Three words a role: an account that sees everything; one that is limited to a site and a\n\
         # department and asks for something inside; the same asking for something outside.\n\
         # yes: answered; -: refused; 404: as if it were not there; hidden: the answer leaves out\n\
         # what is outside; .: nothing in the answer belongs to a site or department.\n",
    );
    let heads = Role::ALL.iter().map(|role| format!("{:<16}", role.as_str()));
    let heads: String = heads.collect::<Vec<_>>().join("  ");
    let _ = writeln!(table, "{}", format!("{:<6} {:<52} {heads}", "method", "path").trim_end());
    let mut asked = Asked { template, world: template.world().await };
    for (path, method, access) in rows {
        let who = match access {
            Access::Public => "everybody".to_owned(),
            Access::Agent => "agents".to_owned(),
            Access::Role(_) | Access::Reader | Access::Whole(_) => {
                let mut cells = Vec::new();
                for &role in Role::ALL {
                    let Cell([one, two, three]) = asked.cell((&method, path), access, role).await;
                    cells.push(format!("{one:<4} {two:<4} {three:<6}"));
                }
                cells.join("  ")
            }
        };
        let _ = writeln!(table, "{}", format!("{method:<6} {path:<52} {who}").trim_end());
    }
    table
}

#[tokio::test]
async fn the_committed_table_of_rights_is_that_of_the_routes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/security/rights.txt");
    let table = table(&routes(), &Template::new(true).await).await;
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differ = table.lines().find(|line| !committed.lines().any(|known| known == *line));
    assert!(
        committed == table,
        "rights changed: run the tests once with UPDATE_DOCUMENTS=1 and look at the difference in \
         shared/security/rights.txt; first: {differ:?}"
    );
}

#[tokio::test]
async fn who_is_limited_cannot_see_or_give_more() {
    let template = Template::new(true).await;
    let world = template.world().await;
    let (own, other) = (&template.own, template.other.as_ref().unwrap());
    let admin = world.account(Role::Admin, true).await;
    let cookie = world.session(admin).await;
    let scope = world.app.store.scope_of(admin).await.unwrap();
    let form = |pairs: &[(&str, &str)]| {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Sent::Form(pairs.iter().map(pair).collect())
    };
    // Accounts it makes see what it sees, whatever the form says.
    let new = [("name", "eve"), ("role", "admin"), ("once", "1"), ("limit_site", "all")];
    let (status, _) = world.ask(&cookie, "POST", "/accounts", &form(&new)).await;
    assert_eq!(status, 303);
    let eve = world.app.store.account_by_name("eve").await.unwrap().unwrap().account;
    assert_eq!(world.app.store.scope_of(eve.id).await.unwrap(), scope);
    // Neither to them nor to itself it gives more than it has.
    let (site, department) = (own.site.to_string(), own.department.to_string());
    let (foreign, elsewhere) = (other.site.to_string(), other.department.to_string());
    let some = |site: &str, department: &str| {
        form(&[
            ("limit_site", "some"),
            ("site", site),
            ("limit_department", "some"),
            ("department", department),
        ])
    };
    for account in [eve.id, admin] {
        let path = format!("/accounts/{account}/scope");
        for wrong in [
            form(&[("limit_site", "all"), ("limit_department", "all")]),
            form(&[("limit_site", "some"), ("site", &site), ("limit_department", "all")]),
            form(&[
                ("limit_site", "all"),
                ("limit_department", "some"),
                ("department", &department),
            ]),
            some(&foreign, &department),
            some(&site, &elsewhere),
            some(&department, &site),
        ] {
            let (status, text) = world.ask(&cookie, "POST", &path, &wrong).await;
            assert_eq!(status, 422, "{wrong:?}");
            assert!(!text.contains(MARK), "{wrong:?}");
            assert_eq!(world.app.store.scope_of(account).await.unwrap(), scope);
        }
    }
    // A device is never given to a half that the giver does not see, nor let go.
    let cookie_it = world.session(world.account(Role::It, true).await).await;
    let asset = format!("/api/v1/devices/{}/asset", own.device);
    let to = json!({ "site": format!("site-{MARK}") });
    let (status, text) = world.ask(&cookie_it, "PUT", &asset, &Sent::Json(to)).await;
    let unknown = json!({ "site": "site-nobody-has" });
    let (_, nobody) = world.ask(&cookie_it, "PUT", &asset, &Sent::Json(unknown)).await;
    let detail = |text: &str| {
        serde_json::from_str::<Value>(text).unwrap()["detail"].as_str().unwrap().to_owned()
    };
    assert_eq!((status, detail(&text)), (422, detail(&nobody)), "the other half is not told");
    // Tokens stay inside and take no record over.
    let inside = json!({ "site": "site-here", "department": "department-here" });
    for (field, value, wrong) in [
        ("site", json!(format!("site-{MARK}")), "site"),
        ("site", Value::Null, "site"),
        ("department", Value::Null, "department"),
        ("allows_reenrollment", json!(true), "allows_reenrollment"),
    ] {
        let mut token = inside.clone();
        token["label"] = json!("new");
        token[field] = value;
        let path = "/api/v1/enrollment-tokens";
        let (status, text) = world.ask(&cookie_it, "POST", path, &Sent::Json(token)).await;
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &told["field"]), (422, &json!(wrong)), "{field}: {text}");
    }
    // With a change of its scope its sessions end, and its API tokens see the new one.
    let whole_admin = world.session(world.account(Role::Admin, false).await).await;
    let path = format!("/accounts/{}/scope", world.account(Role::It, true).await);
    let (status, _) = world.ask(&whole_admin, "POST", &path, &some(&foreign, &elsewhere)).await;
    assert_eq!(status, 303);
    let (status, _) = world.ask(&cookie_it, "GET", "/api/v1/devices", &Sent::Nothing).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn an_api_token_ends_where_its_owner_ends() {
    let template = Template::new(true).await;
    let world = template.world().await;
    let (own, other) = (&template.own, template.other.as_ref().unwrap());
    let secret = Secret::random(API_TOKEN_PREFIX).unwrap();
    let account = world.account(Role::It, true).await;
    let token = crate::store::api_token::NewApiTokenRow {
        digest: secret.digest(),
        label: "x".into(),
        role: Role::It,
        account,
        account_name: account_name(Role::It, true),
        created_at: LATER,
        expires_at: LATER.plus_ms(DAY_MS),
        read_only: false,
    };
    world.app.store.create_api_token(&token).await.unwrap();
    let devices = async || -> Vec<String> {
        let request = Request::get("/api/v1/devices")
            .header("authorization", format!("Bearer {}", secret.reveal()))
            .body(Body::empty())
            .unwrap();
        let answer = world.router.clone().oneshot(request).await.unwrap();
        let list: Value = serde_json::from_str(&text(answer).await).unwrap();
        let items = list["items"].as_array().unwrap();
        items.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(devices().await, [own.device.to_string()]);
    let moved = Scope::of(Some([other.site].into()), None);
    world.app.store.set_scope(account, &moved, &by()).await.unwrap();
    assert_eq!(devices().await, [other.device.to_string()]);
    let nothing = Scope::of(None, Some([].into()));
    world.app.store.set_scope(account, &nothing, &by()).await.unwrap();
    assert!(devices().await.is_empty());
}

//! The console in a real Chromium: signing in, finding, enrolling, with keys, in both themes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use fantoccini::Locator;
use rollcall_tests::browser::Browser;
use rollcall_tests::console::Console;
use rollcall_tests::programs::{Collector, agent};

/// The protocol's name of the key.
const DOWN: &str = "\u{E015}";

const PAGES: &[&str] = &[
    "/",
    "/devices",
    "/software",
    "/findings",
    "/enroll",
    "/exports",
    "/settings",
    "/units",
    "/account",
    "/account/second-factor",
    "/accounts",
    "/providers",
    "/webhooks",
    "/audit",
    "/collected",
    "/search?q=lt",
    "/nothing-here",
];

/// Looks at one page: no complaint, no sideways scrolling, nothing that axe objects to.
async fn look(browser: &Browser, collector: &Collector, page: &str, theme: &str) {
    browser.open(&format!("{}{page}", collector.url)).await;
    let complaints: Vec<_> = browser
        .complaints()
        .await
        .into_iter()
        // The browser tells of the status of the page that is meant to be missing.
        .filter(|said| !(page == "/nothing-here" && said.contains("404")))
        .collect();
    assert!(complaints.is_empty(), "{page} {theme}: {complaints:?}");
    let script =
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    let over = browser.page.execute(script, Vec::new()).await.unwrap();
    assert_eq!(over, 0, "{page} {theme}: it scrolls sideways");
    let unreachable = browser.unreachable_by_keys().await;
    assert!(unreachable.is_empty(), "{page} {theme}: no key reaches {unreachable:?}");
    let violations = browser.axe().await;
    assert!(violations.is_empty(), "{page} {theme}: {violations:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_shows_every_page_in_both_themes_wide_and_narrow() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&folder.path().join("data"), &["--demo", "30"]);
    let console = Console::set_up(&collector).await;
    let list = console.until("/api/v1/devices?sort=findings&descending=true", |l| l["total"] == 31);
    let list = list.await;
    let devices = list["items"].as_array().unwrap();
    let laptop = devices.iter().find(|device| device["class"] == "laptop").unwrap();
    let device = format!("/devices/{}", laptop["id"].as_str().unwrap());
    // Something to see on the pages of providers and webhooks.
    let config = serde_json::json!({
        "name": "Example", "issuer": "https://login.example.org", "client_id": "rollcall",
        "groups_claim": "groups", "enabled": true,
        "group_roles": [{ "group": "it-admins", "role": "admin" }],
    });
    let provider = serde_json::json!({ "config": config, "client_secret": "secret" });
    let webhook = serde_json::json!({
        "label": "tickets", "url": "https://hooks.invalid/hook", "kinds": ["device_missing"],
    });
    for (path, body) in [
        ("/api/v1/sign-in-providers", &provider),
        ("/api/v1/webhooks", &webhook),
        ("/api/v1/webhooks/1/test", &serde_json::json!({})),
    ] {
        let (status, said) = console.call("POST", path, body).await;
        assert!(status < 300, "{path}: {status} {said}");
    }
    let link = serde_json::json!({ "account": "anna", "subject": "248289761001" });
    let people = "/api/v1/sign-in-providers/1/identities";
    assert_eq!(console.call("POST", people, &link).await.0, 204);
    browser.sign_in(&collector.url).await;
    let tabs = ["hardware", "software", "network", "services", "people", "changes", "raw"];
    let mut pages: Vec<String> = PAGES.iter().map(|page| (*page).to_owned()).collect();
    pages.push(device.clone());
    pages.extend(["/providers/1", "/webhooks/1"].map(str::to_owned));
    pages.push("/accounts/1/scope".to_owned());
    pages.extend(tabs.iter().map(|tab| format!("{device}?tab={tab}")));
    for theme in ["light", "dark"] {
        browser.theme(&collector.url, theme).await;
        for (width, height) in [(1280, 900), (320, 700)] {
            browser.resize(width, height).await;
            for page in &pages {
                look(&browser, &collector, page, theme).await;
            }
        }
        if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots");
            std::fs::create_dir_all(&folder).unwrap();
            browser.resize(1280, 900).await;
            for (name, page) in [("home", "/"), ("device", device.as_str())] {
                browser.open(&format!("{}{page}", collector.url)).await;
                browser.screenshot(&folder.join(format!("{name}-{theme}.png"))).await;
            }
        }
    }
    browser.close().await;
    assert!(collector.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_finds_a_computer_with_the_keyboard_alone() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&folder.path().join("data"), &["--demo", "20", "--no-self"]);
    let console = Console::set_up(&collector).await;
    let list = console.until("/api/v1/devices", |list| list["total"] == 20).await;
    browser.sign_in(&collector.url).await;
    for device in list["items"].as_array().unwrap().iter().take(5) {
        let Some(serial) = device["serial"].as_str() else { continue };
        browser.open(&format!("{}/", collector.url)).await;
        let body = browser.page.find(Locator::Css("body")).await.unwrap();
        body.send_keys("/").await.unwrap();
        let focused = browser.page.active_element().await.unwrap();
        focused.send_keys(&format!("{serial}\u{E007}")).await.unwrap();
        let wanted = format!("/devices/{}", device["id"].as_str().unwrap());
        browser.until_at(&wanted).await;
    }
    browser.close().await;
    assert!(collector.stop());
}

/// Sites, an account that is limited to one, a webhook, a provider, and what the audit log tells of
/// it all, without a pointer.
#[tokio::test(flavor = "multi_thread")]
async fn chromium_does_all_of_people_and_rights_with_the_keyboard_alone() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&folder.path().join("data"), &["--no-self"]);
    let console = Console::set_up(&collector).await;
    browser.sign_in(&collector.url).await;
    let url = &collector.url;

    browser.open(&format!("{url}/units")).await;
    browser.type_into("#name", "Berlin").await;
    browser.press("form[action='/units'] button", "/units").await;
    browser.until_text("main table", "Berlin").await;

    browser.open(&format!("{url}/accounts")).await;
    browser.type_into("#name", "berta").await;
    browser.press("form[action='/accounts'] button", "/accounts").await;
    browser.until_text("main", "first password").await;
    browser.press("a[aria-label='Change what berta sees']", "/scope").await;
    browser.type_into("input[name=limit_site]", DOWN).await;
    browser.tick("input[name=site]").await;
    browser.press("form[action$='/scope'] button", "/accounts").await;
    browser.until_text("main table", "site: Berlin").await;

    browser.open(&format!("{url}/webhooks")).await;
    browser.type_into("#label", "tickets").await;
    browser.type_into("#url", "https://hooks.invalid/hook").await;
    browser.tick("input[name=device_missing]").await;
    browser.press("form[action='/webhooks'] button", "/webhooks/").await;
    browser.until_text("main", "rcl_whk_").await;
    browser.press("form[action$='/test'] button", "/webhooks/").await;

    browser.open(&format!("{url}/providers")).await;
    browser.type_into("#name", "Example").await;
    browser.type_into("#issuer", "https://login.invalid").await;
    browser.type_into("#client_id", "rollcall").await;
    browser.type_into("#groups", "it-admins = admin").await;
    browser.press("form[action='/providers'] button", "/providers/").await;

    browser.open(&format!("{url}/")).await;
    browser.type_into("details.menu summary", " ").await;
    browser.press("a[href='/audit']", "/audit").await;
    for action in ["unit_made", "account_made", "scope_set", "webhook_made", "provider_made"] {
        let log = console.json("/api/v1/audit?limit=50").await.to_string();
        assert!(log.contains(action), "{action} is missing in {log}");
    }
    browser.close().await;
    assert!(collector.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_watches_a_computer_arrive() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&folder.path().join("data"), &["--no-self"]);
    drop(Console::set_up(&collector).await);
    browser.sign_in(&collector.url).await;
    browser.open(&format!("{}/enroll", collector.url)).await;
    let label = browser.page.find(Locator::Css("main input[name=label]")).await.unwrap();
    label.send_keys("Reception\u{E007}").await.unwrap();
    let line = browser.until_text("main", "rcl1:https://").await;
    let join = line.split(['\'', '\n', ' ']).find(|word| word.starts_with("rcl1:")).unwrap();
    let state = folder.path().join("agent");
    let said = agent(&state, ["enroll", join]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said = agent(&state, ["once"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    browser.until_text("main", "eceived").await;
    browser.close().await;
    assert!(collector.stop());
}

//! The console in a real Chromium: signing in, finding, enrolling, with keys, in both themes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use fantoccini::Locator;
use rollcall_tests::browser::Browser;
use rollcall_tests::console::Console;
use rollcall_tests::programs::{Collector, agent};

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
    browser.sign_in(&collector.url).await;
    let tabs = ["hardware", "software", "network", "services", "people", "changes", "raw"];
    let mut pages: Vec<String> = PAGES.iter().map(|page| (*page).to_owned()).collect();
    pages.push(device.clone());
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

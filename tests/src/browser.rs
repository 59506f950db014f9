//! A real Chromium, headless, driven through chromedriver.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};

use crate::console;

/// How long to wait for a page on a busy machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Chromium's own command that hands out and empties its log.
#[derive(Debug)]
struct ReadLog;

impl WebDriverCompatibleCommand for ReadLog {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(r#"{"type":"browser"}"#.to_owned()))
    }
}

/// A command of Chromium's developer tools.
#[derive(Debug)]
struct Devtools(serde_json::Value);

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.0.to_string()))
    }
}

/// A browser and its driver; both end with this value.
pub struct Browser {
    driver: Child,
    /// The page.
    pub page: Client,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one, or says `None` where there is no Chromium; on machines that promise one
    /// (`CI` is set) its absence is a failure.
    pub async fn start(width: u32, height: u32) -> Option<Self> {
        let Some(chromium) = std::env::var_os("TEST_CHROMIUM") else {
            assert!(
                std::env::var_os("CI").is_none(),
                "CI promises a browser: TEST_CHROMIUM is not set"
            );
            return None;
        };
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let mut lines = BufReader::new(driver.stdout.take().expect("stdout is piped")).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let port = line.split_once("started successfully on port ")?.1;
                port.trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("chromedriver says its port");
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().expect("a folder for the profile");
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--ignore-certificate-errors".to_owned(),
            "--force-color-profile=srgb".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--window-size={width},{height}"),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        let capabilities = serde_json::json!({
            "browserName": "chrome",
            "acceptInsecureCerts": true,
            "goog:chromeOptions": { "binary": Path::new(&chromium), "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let serde_json::Value::Object(capabilities) = capabilities else { unreachable!() };
        let page = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("Chromium starts");
        Some(Self { driver, page, _profile: profile })
    }

    /// Writes what is seen to a PNG file.
    pub async fn screenshot(&self, path: &Path) {
        let picture = self.page.screenshot().await.expect("a screenshot");
        std::fs::write(path, picture).expect("the picture can be written");
    }

    /// What the browser complained of since the last call: scripts that failed, content that the
    /// policy refused, resources that did not load.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.page.issue_cmd(ReadLog).await.expect("the browser's log");
        let entries = log.as_array().cloned().unwrap_or_default();
        entries.iter().filter_map(|entry| Some(entry["message"].as_str()?.to_owned())).collect()
    }

    /// Opens a page.
    pub async fn open(&self, url: &str) {
        self.page.goto(url).await.expect("the page opens");
    }

    /// Signs the administrator of a test collector in, through the form.
    pub async fn sign_in(&self, url: &str) {
        self.open(&format!("{url}/sign-in")).await;
        for (field, value) in [("name", console::NAME), ("password", console::PASSWORD)] {
            let field = self.page.find(Locator::Css(&format!("main input[name={field}]"))).await;
            field.expect("the form has it").send_keys(value).await.expect("it takes text");
        }
        let button =
            self.page.find(Locator::Css("main form button[type=submit], main form button"));
        button.await.expect("the form has a button").click().await.expect("it can be pressed");
        self.page
            .wait()
            .at_most(PATIENCE)
            .for_element(Locator::Css("input[type=search], input[name=q]"))
            .await
            .expect("signed in, the search box is there");
    }

    /// Chooses the theme as the menu does, by its cookie.
    pub async fn theme(&self, url: &str, theme: &str) {
        let cookie = serde_json::json!({
            "cmd": "Network.setCookie",
            "params": { "url": url, "name": "rollcall_theme", "value": theme, "secure": true },
        });
        self.page.issue_cmd(Devtools(cookie)).await.expect("the cookie is taken");
    }

    /// Gives the page itself this size in CSS pixels; windows cannot be as narrow as phones.
    pub async fn resize(&self, width: u32, height: u32) {
        let metrics = serde_json::json!({
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {
                "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
            },
        });
        self.page.issue_cmd(Devtools(metrics)).await.expect("the size is taken");
    }

    /// The text of the first element that matches.
    pub async fn text(&self, selector: &str) -> String {
        let element = self.page.find(Locator::Css(selector)).await.expect("the element is there");
        element.text().await.expect("an element has a text")
    }

    /// Waits until the element's text or its fields hold `wanted`, and gives all of it.
    pub async fn until_text(&self, selector: &str, wanted: &str) -> String {
        let script = "const e = document.querySelector(arguments[0]); if (!e) return ''; \
                      return e.innerText + '\\n' + [...e.querySelectorAll('input,textarea,output')]\
                      .map(f => f.value).join('\\n');";
        for _ in 0..1_500 {
            let all = self.page.execute(script, vec![selector.into()]).await.unwrap_or_default();
            let all = all.as_str().unwrap_or_default().to_owned();
            if all.contains(wanted) {
                return all;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("`{wanted}` never stood in {selector}: {}", self.text(selector).await);
    }

    /// Waits until the browser is at an address that holds `part`.
    pub async fn until_at(&self, part: &str) {
        for _ in 0..1_500 {
            let address = self.page.current_url().await.expect("a page has an address");
            if address.as_str().contains(part) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the browser never came to {part}: {:?}", self.page.current_url().await);
    }

    /// What axe-core objects to on this page, where the test run has it (`TEST_AXE`).
    pub async fn axe(&self) -> Vec<String> {
        let Some(path) = std::env::var_os("TEST_AXE") else { return Vec::new() };
        let axe = std::fs::read_to_string(path).expect("axe-core can be read");
        // Through the developer tools, which the content policy of the page does not bind.
        let evaluate = |expression: String, waits: bool| {
            Devtools(serde_json::json!({
                "cmd": "Runtime.evaluate",
                "params": {
                    "expression": expression, "awaitPromise": waits, "returnByValue": true,
                },
            }))
        };
        self.page.issue_cmd(evaluate(format!("{axe};0"), false)).await.expect("axe loads");
        let run = "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', \
                   'wcag22aa'] }).then(r => r.violations.map(v => v.id + ': ' + \
                   v.nodes.slice(0, 3).map(n => n.target.join(' ')).join(', ')))";
        let answer = self.page.issue_cmd(evaluate(run.to_owned(), true)).await.expect("axe runs");
        serde_json::from_value(answer["result"]["value"].clone()).expect("axe gives a list")
    }

    /// Ends the browser before its driver.
    pub async fn close(self) {
        let _ = self.page.clone().close().await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

//! A person at the console: sets it up, signs in, reads pages and the API with the session.

use reqwest::StatusCode;
use reqwest::header::{COOKIE, SET_COOKIE};

use crate::programs::Collector;

/// Sign-in name of the first administrator of test collectors.
pub const NAME: &str = "anna";
/// That person's password.
pub const PASSWORD: &str = "blue whale tractor";

/// A signed-in session.
#[derive(Debug, Clone)]
pub struct Console {
    client: reqwest::Client,
    url: String,
    cookie: String,
}

impl Console {
    /// Makes the first administrator through the one-time link of a fresh collector.
    pub async fn set_up(collector: &Collector) -> Self {
        let link = collector.setup_link.as_ref().expect("a fresh collector prints a set-up link");
        let key = link.rsplit_once("key=").expect("the link carries its key").1;
        let form = [("key", key), ("name", NAME), ("password", PASSWORD), ("again", PASSWORD)];
        Self::enter(&collector.url, "/set-up", &form).await
    }

    /// Signs in.
    pub async fn sign_in(url: &str) -> Self {
        Self::sign_in_as(url, NAME, PASSWORD).await
    }

    /// Signs somebody else in.
    pub async fn sign_in_as(url: &str, name: &str, password: &str) -> Self {
        let form = [("name", name), ("password", password), ("next", "/")];
        Self::enter(url, "/sign-in", &form).await
    }

    async fn enter(url: &str, path: &str, form: &[(&str, &str)]) -> Self {
        let client = crate::wire::client();
        let answer = client
            .post(format!("{url}{path}"))
            .header("sec-fetch-site", "same-origin")
            .form(form)
            .send()
            .await
            .expect("the collector answers");
        let status = answer.status();
        let cookie = answer
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok()?.split(';').next())
            .find(|cookie| cookie.starts_with("__Host-rollcall="))
            .map(str::to_owned);
        let cookie = cookie.unwrap_or_else(|| panic!("{path} gave no session: {status}"));
        Self { client, url: url.to_owned(), cookie }
    }

    /// The same session at another address of the same collector.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// The value of the session cookie, for a browser.
    pub fn session(&self) -> &str {
        self.cookie.split_once('=').expect("a cookie has a value").1
    }

    /// Reads a page.
    pub async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = self
            .client
            .get(format!("{}{path}", self.url))
            .header(COOKIE, &self.cookie)
            .header("accept", "text/html,application/json")
            .send()
            .await
            .expect("the collector answers");
        (answer.status(), answer.text().await.expect("an answer has a text"))
    }

    /// Sends a form, as a page of this collector does; what follows is not read.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> reqwest::Response {
        let request = self.client.post(format!("{}{path}", self.url)).header(COOKIE, &self.cookie);
        let request = request.header("sec-fetch-site", "same-origin").form(form);
        request.send().await.expect("the collector answers")
    }

    /// Sends JSON to the API and reads what it answers; null when that is no JSON.
    pub async fn post_json(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> (StatusCode, serde_json::Value) {
        let request = self.client.post(format!("{}{path}", self.url)).header(COOKIE, &self.cookie);
        let request = request
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = request.send().await.expect("the collector answers");
        let status = answer.status();
        let text = answer.text().await.expect("an answer has a text");
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    /// Reads an answer of any size to its end without keeping it; its status and its bytes.
    pub async fn download(&self, path: &str) -> (StatusCode, u64) {
        let request = self.client.get(format!("{}{path}", self.url)).header(COOKIE, &self.cookie);
        let request = request.timeout(std::time::Duration::from_hours(1));
        let mut answer = request.send().await.expect("the collector answers");
        let mut bytes = 0;
        while let Some(chunk) = answer.chunk().await.expect("the answer goes on to its end") {
            bytes += chunk.len() as u64;
        }
        (answer.status(), bytes)
    }

    /// Reads an answer of the API that must be there.
    pub async fn json(&self, path: &str) -> serde_json::Value {
        let (status, text) = self.get(path).await;
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// Asks again until the answer satisfies, at most some thousand times.
    pub async fn until(
        &self,
        path: &str,
        satisfied: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        for _ in 0..3_000 {
            let answer = self.json(path).await;
            if satisfied(&answer) {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{path} never became what was waited for: {}", self.json(path).await);
    }
}

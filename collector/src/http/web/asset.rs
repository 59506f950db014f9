//! Style, scripts and icon, embedded. Their address carries a digest over all of them, so a browser
//! may keep them for ever and still gets the new ones after an upgrade.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use rollcall_shared::Digest;

use crate::http::Error;

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! assets {
    ($( $name:literal $kind:expr; )*) => {
        const ASSETS: &[(&str, &str, &[u8])] = &[$(
            ($name, $kind, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $name))),
        )*];
    };
}

assets! {
    "style.css" "text/css; charset=utf-8";
    "icon.svg" "image/svg+xml";
    "main.js" SCRIPT;
    "copy.js" SCRIPT;
    "keys.js" SCRIPT;
    "palette.js" SCRIPT;
    "refresh.js" SCRIPT;
    "watch.js" SCRIPT;
}

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all: Vec<u8> = ASSETS.iter().flat_map(|(_, _, bytes)| bytes.iter().copied()).collect();
    Digest::of(&all).to_string().chars().take(16).collect()
});

/// Where the assets of this build stand, without a trailing slash.
pub(super) fn base() -> String {
    format!("/assets/{}", *VERSION)
}

/// `GET /assets/{version}/{name}`
pub(super) async fn get(Path((version, name)): Path<(String, String)>) -> Result<Response, Error> {
    let (_, kind, bytes) =
        ASSETS.iter().find(|(known, _, _)| *known == name).ok_or(Error::NotFound)?;
    // The page of another build may still ask for its assets: it gets ours, to keep for now only.
    let cache =
        if version == *VERSION { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(([(CONTENT_TYPE, *kind), (CACHE_CONTROL, cache)], *bytes).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_scripts_stay_small() {
        let size_of = |kind: &str| -> usize {
            let of_kind = ASSETS.iter().filter(|(name, _, _)| name.ends_with(kind));
            of_kind.map(|(_, _, bytes)| bytes.len()).sum()
        };
        assert!(size_of(".css") <= 20 * 1024, "{}", size_of(".css"));
        assert!(size_of(".js") <= 20 * 1024, "{}", size_of(".js"));
    }

    #[tokio::test]
    async fn only_this_builds_address_is_kept_for_ever() {
        let cache = async |version: String| {
            let response = get(Path((version, "style.css".to_owned()))).await.unwrap();
            response.headers()[CACHE_CONTROL].to_str().unwrap().to_owned()
        };
        assert!(cache(VERSION.clone()).await.contains("immutable"));
        assert_eq!(cache("old".to_owned()).await, "no-cache");
        assert!(get(Path((VERSION.clone(), "../Cargo.toml".to_owned()))).await.is_err());
    }
}

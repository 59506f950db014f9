//! `PUT /api/v1/devices/{id}/note`.

use axum::extract::State;
use axum::http::StatusCode;
use rollcall_shared::DeviceId;
use schemars::JsonSchema;
use serde::Deserialize;

use super::row;
use crate::app::App;
use crate::http::Error;
use crate::http::api::answer::text;
use crate::http::auth::Helpdesk;
use crate::http::input::{Body, Path};

/// The body that sets what people wrote about a device.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http::api) struct NoteRequest {
    /// The text, at most 10,000 characters; empty removes it.
    text: String,
}

/// Sets the note.
pub(in crate::http::api) async fn put(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
    Path(id): Path<DeviceId>,
    Body(NoteRequest { text: note }): Body<NoteRequest>,
) -> Result<StatusCode, Error> {
    let note = text("text", Some(note.replace("\r\n", "\n")), 10_000)?.unwrap_or_default();
    let row = row(&app, &caller, id).await?;
    app.store.set_notes_text(row.key, &note, &caller.by(&app)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use serde_json::json;

    use crate::http::api::testing::Api;

    #[tokio::test]
    async fn is_shown_as_written() {
        let api = Api::with_devices().await;
        let device = api.device(0).await;
        let path = format!("{device}/note");
        let body = json!({ "text": "<b>lent</b>\r\nto Anna " });
        assert_eq!(api.call("PUT", &path, Some(Role::Helpdesk), Some(&body)).await.status, 204);
        let shown = api.get(Role::Helpdesk, &device).await.json["notes_text"].clone();
        assert_eq!(shown, "<b>lent</b>\nto Anna");
        let refused = api.call("PUT", &path, Some(Role::Helpdesk), Some(&json!({}))).await;
        assert_eq!((refused.status, &refused.json["field"]), (422, &json!("text")));
        let bell = json!({ "text": "\u{7}" });
        assert_eq!(api.call("PUT", &path, Some(Role::Helpdesk), Some(&bell)).await.status, 422);
    }
}

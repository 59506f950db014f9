//! `GET /api/v1/devices/{id}/people`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::DeviceId;
use rollcall_shared::api::device::Person;

use crate::app::App;
use crate::http::Error;
use crate::http::api::answer::Listed;
use crate::http::auth::Helpdesk;
use crate::http::input::Path;
use crate::view;

/// People seen on the device, latest first.
pub(in crate::http::api) async fn list(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
    Path(id): Path<DeviceId>,
) -> Result<Json<Listed<Person>>, Error> {
    let items = view::device::people(&app, &caller.scope, id).await?.ok_or(Error::NotFound)?;
    Ok(Json(Listed { items }))
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;

    use crate::http::api::testing::{Api, DEVICES};

    #[tokio::test]
    async fn shows_who_was_there() {
        let api = Api::with_devices().await;
        let mut people = 0;
        for number in 0..DEVICES {
            let path = format!("{}/people", api.device(number).await);
            people += api.get(Role::Helpdesk, &path).await.json["items"].as_array().unwrap().len();
        }
        assert!(people > 0);
    }
}

//! The first administrator: made through a link that is shown once and lasts a day.

use rollcall_shared::time::DAY_MS;

use super::Error;
use crate::app::App;
use crate::secret::Secret;
use crate::store::setup::FirstAdmin;

/// The page that makes the first administrator; its query carries the secret as `key`.
pub const PATH: &str = "/set-up";
const SECRET_PREFIX: &str = "rcl_set_";

/// Whether nobody can administer yet.
pub async fn setup_pending(app: &App) -> Result<bool, Error> {
    if app.guard.admin_exists() {
        return Ok(false);
    }
    let exists = app.store.has_admin().await?;
    if exists {
        app.guard.note_admin_exists();
    }
    Ok(!exists)
}

/// A new one-time link, valid for 24 hours; an older one stops working.
pub async fn new_link(app: &App) -> Result<String, Error> {
    let secret = Secret::random(SECRET_PREFIX).map_err(Error::internal)?;
    let now = app.clock.now();
    app.store.put_setup_secret(secret.digest(), now, now.plus_ms(DAY_MS)).await?;
    Ok(format!("{}{PATH}?key={}", app.public_url, secret.reveal()))
}

/// Why the first administrator was not made.
#[derive(Debug, thiserror::Error)]
pub enum FirstAdminError {
    /// The link is unknown, used or older than a day.
    #[error(
        "this set-up link is not valid any more; `rollcall set-up` on the collector's computer, or its next start, gives a new one"
    )]
    LinkRefused,
    /// The name is not acceptable.
    #[error("{0}")]
    Name(String),
    /// The password is not acceptable.
    #[error("{0}")]
    Password(String),
    /// Our fault.
    #[error(transparent)]
    Internal(#[from] Error),
}

/// Makes the first administrator and uses the link up, in one transaction. Sign in afterwards.
pub async fn create_first_admin(
    app: &App,
    setup_secret: &str,
    name: &str,
    password: &str,
) -> Result<(), FirstAdminError> {
    let name = super::password::check_name(name).map_err(FirstAdminError::Name)?;
    super::password::check_password(password, &name).map_err(FirstAdminError::Password)?;
    let digest = Secret::presented(setup_secret).digest();
    let now = app.clock.now();
    // Looked at before the slow hash, so that strangers cannot keep the processor busy.
    if !app.store.setup_secret_valid(digest, now).await.map_err(Error::from)? {
        return Err(FirstAdminError::LinkRefused);
    }
    let password_hash =
        app.guard.passwords.hash(password).await.map_err(|_| Error::Busy { retry_after_s: 3 })?;
    let admin = FirstAdmin { name, password_hash, setup_secret: digest, now };
    if !app.store.create_first_admin(&admin).await.map_err(Error::from)? {
        return Err(FirstAdminError::LinkRefused);
    }
    app.guard.note_admin_exists();
    tracing::info!(account.name = admin.name, "the first administrator was made");
    Ok(())
}

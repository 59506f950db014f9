//! `rollcall set-up`: a new link for the first administrator, as a start prints one.

use clap::Args;

use super::{Where, say};
use crate::failure::{Exit, Failure};
use crate::http::setup;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    place: Where,
}

pub(super) async fn run(options: &Options) -> Result<(), Failure> {
    let app = options.place.open().await?;
    if !setup::setup_pending(&app).await? {
        return Err(Failure::new(
            Exit::Conflict,
            format!("{} has an administrator already", app.public_url),
        )
        .next(
            "Sign in there. `rollcall user reset NAME` helps who lost a password, \
             `rollcall user add` makes another account.",
        ));
    }
    say(setup::new_link(&app).await?);
    Ok(())
}

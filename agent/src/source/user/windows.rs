//! Accounts that signed in on a Windows computer: each has a profile in the registry.

use rollcall_shared::section::user::{Account, AccountKind};
use rollcall_shared::section::{Section, Users};

use crate::host::Host;
use crate::registry::{Key, moment};
use crate::source::text::has_ending;
use crate::source::{Gathered, Platform, Privilege, Source};

const PROFILES: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "profiles",
    section: "user",
    about: "Accounts that have signed in, from the registry (ProfileList)",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let keys = match host.registry_below(PROFILES) {
        Ok(keys) => keys,
        Err(error) => return Gathered::absent(error.into()),
    };
    let accounts = keys.iter().filter_map(|(sid, key)| account(sid, key)).collect();
    Gathered::of(Section::User(Users { accounts, groups: Vec::new() }))
}

fn account(sid: &str, key: &Key) -> Option<Account> {
    // A profile that could not be loaded leaves a second key.
    if !sid.starts_with("S-1-") || has_ending(sid, "bak") {
        return None;
    }
    let folder = key.text("ProfileImagePath")?;
    let kind = if sid.starts_with("S-1-5-21-") {
        AccountKind::Person
    } else if sid.starts_with("S-1-12-1-") {
        // From Entra.
        AccountKind::Directory
    } else {
        AccountKind::System
    };
    let half = |name: &str| key.number(name);
    let signed_in = half("LocalProfileLoadTimeHigh")
        .zip(half("LocalProfileLoadTimeLow"))
        .filter(|_| kind != AccountKind::System);
    Some(Account {
        name: folder.rsplit('\\').next().unwrap_or(&folder).to_owned(),
        id: sid.to_owned(),
        kind: Some(kind),
        last_sign_in_at: signed_in.and_then(|(high, low)| moment(high, low)),
        ..Account::default()
    })
}

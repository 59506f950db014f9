//! Asks the update service of Windows which updates wait, of those it found at its own last
//! search. Their meaning is found elsewhere.

#![expect(unsafe_code, reason = "the update service is reached only through COM")]

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use windows::Win32::Foundation::VARIANT_FALSE;
use windows::Win32::System::Com::{CLSCTX_INPROC_SERVER, CoCreateInstance};
use windows::Win32::System::UpdateAgent::{
    IStringCollection, IUpdate, IUpdateSession, UpdateSession,
};
use windows::core::BSTR;

use super::waiting::{Raw, Silence, UPDATES_LIMIT};
use crate::com::Com;
use crate::worker::{Ended, Workers};

/// Less than a source may take, so that the rest of what it knows is told all the same.
const LIMIT: Duration = Duration::from_secs(40);
/// Neither hidden by somebody nor only offered to those who look for them.
const WHICH: &str = "IsInstalled=0 and IsHidden=0 and BrowseOnly=0";
/// Names in one list of an update.
const NAMES_LIMIT: i32 = 64;

/// The updates that wait. A service that hangs is left behind, and asked again only when it has
/// come back.
pub(super) fn ask() -> Result<Vec<Raw>, Silence> {
    static WORKERS: OnceLock<Mutex<Workers>> = OnceLock::new();
    let workers = WORKERS.get_or_init(|| Mutex::new(Workers::new(LIMIT)));
    let mut workers = workers.lock().unwrap_or_else(PoisonError::into_inner);
    let ended = workers.run("updates that wait", || search().map_err(|error| error.to_string()));
    match ended {
        Ended::Done(told) => told.map_err(Silence::Failed),
        Ended::Broken(why) => Err(Silence::Failed(why)),
        Ended::TimedOut => Err(Silence::TimedOut),
    }
}

fn search() -> windows::core::Result<Vec<Raw>> {
    let _com = Com::begin()?;
    // SAFETY: COM has begun on this thread. All objects end before it, and all that is handed over
    // outlives the calls; the same holds below.
    let updates = unsafe {
        let session: IUpdateSession = CoCreateInstance(&UpdateSession, None, CLSCTX_INPROC_SERVER)?;
        let searcher = session.CreateUpdateSearcher()?;
        searcher.SetOnline(VARIANT_FALSE)?;
        searcher.Search(&BSTR::from(WHICH))?.Updates()?
    };
    // SAFETY: as above.
    let count = unsafe { updates.Count()? }.min(i32::try_from(UPDATES_LIMIT).unwrap_or(i32::MAX));
    // SAFETY: as above; the number is below the count.
    (0..count).map(|number| unsafe { one(&updates.get_Item(number)?) }).collect()
}

/// What is asked of one update.
///
/// # Safety
///
/// COM must have begun on this thread.
unsafe fn one(update: &IUpdate) -> windows::core::Result<Raw> {
    // SAFETY: as promised by the caller.
    unsafe {
        let categories = update.Categories()?;
        let count = categories.Count()?.min(NAMES_LIMIT);
        let categories: windows::core::Result<Vec<String>> = (0..count)
            .map(|number| Ok(categories.get_Item(number)?.CategoryID()?.to_string()))
            .collect();
        Ok(Raw {
            title: update.Title()?.to_string(),
            articles: texts(&update.KBArticleIDs()?)?,
            // Most have none, which some versions tell as a failure.
            severity: update.MsrcSeverity().map(|text| text.to_string()).unwrap_or_default(),
            categories: categories?,
        })
    }
}

/// # Safety
///
/// COM must have begun on this thread.
unsafe fn texts(list: &IStringCollection) -> windows::core::Result<Vec<String>> {
    // SAFETY: as promised by the caller.
    unsafe {
        let count = list.Count()?.min(NAMES_LIMIT);
        (0..count).map(|number| Ok(list.get_Item(number)?.to_string())).collect()
    }
}

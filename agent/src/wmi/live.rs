//! Asks WMI for the objects of classes, as text. Their meaning is found elsewhere.

#![expect(unsafe_code, reason = "WMI is reached only through COM")]

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use windows::Win32::Foundation::{E_ACCESSDENIED, REGDB_E_CLASSNOTREG};
use windows::Win32::System::Com::{
    CLSCTX_INPROC_SERVER, CoCreateInstance, CoSetProxyBlanket, EOAC_NONE, RPC_C_AUTHN_LEVEL_CALL,
    RPC_C_IMP_LEVEL_IMPERSONATE,
};
use windows::Win32::System::Wmi::{
    IWbemLocator, IWbemServices, WBEM_E_ACCESS_DENIED, WBEM_E_INVALID_CLASS,
    WBEM_E_INVALID_NAMESPACE, WBEM_E_NOT_FOUND, WBEM_FLAG_CONNECT_USE_MAX_WAIT,
    WBEM_FLAG_FORWARD_ONLY, WBEM_FLAG_RETURN_IMMEDIATELY, WBEM_FLAG_RETURN_WBEM_COMPLETE,
    WBEM_S_TIMEDOUT, WbemLocator,
};
use windows::core::{BSTR, Error, HRESULT, IUnknown, Param};

use super::{Inquiry, Question, Silence};
use crate::com::Com;
use crate::host::Host;
use crate::worker::{Ended, Workers};

/// Less than a source may take, so that the rest of what it knows is told all the same.
const LIMIT: Duration = Duration::from_secs(25);
/// How long is waited for one object.
const OBJECT_LIMIT_MS: i32 = 20_000;
/// Text of the objects of one class.
const TEXT_LIMIT_BYTES: usize = 2 * 1024 * 1024;

/// The text of the objects of each class. A service that hangs is left behind, and asked again only
/// when it has come back.
pub(super) fn ask(host: &Host, inquiry: &'static Inquiry) -> Result<Vec<String>, Silence> {
    static WORKERS: OnceLock<Mutex<Workers>> = OnceLock::new();
    host.saw(inquiry.namespace);
    let workers = WORKERS.get_or_init(|| Mutex::new(Workers::new(LIMIT)));
    let mut workers = workers.lock().unwrap_or_else(PoisonError::into_inner);
    let ended = workers.run(inquiry.namespace, || objects(inquiry));
    let texts = match ended {
        Ended::Done(told) => told?,
        Ended::Broken(why) => return Err(Silence::Failed(why)),
        Ended::TimedOut => return Err(Silence::TimedOut),
    };
    let bytes = texts.iter().map(String::len).sum();
    host.count(inquiry.namespace, bytes).map_err(|error| Silence::Failed(error.to_string()))?;
    Ok(texts)
}

fn objects(inquiry: &Inquiry) -> Result<Vec<String>, Silence> {
    let _com = Com::begin().map_err(|error| meant(&error))?;
    let services = connect(inquiry.namespace).map_err(|error| meant(&error))?;
    inquiry.questions.iter().map(|question| of_class(&services, question)).collect()
}

fn connect(namespace: &str) -> windows::core::Result<IWbemServices> {
    // SAFETY: COM has begun on this thread. All objects end before it, and all that is handed over
    // outlives the calls; the same holds below.
    let services = unsafe {
        let locator: IWbemLocator = CoCreateInstance(&WbemLocator, None, CLSCTX_INPROC_SERVER)?;
        let nobody = BSTR::new();
        locator.ConnectServer(
            &BSTR::from(namespace),
            &nobody,
            &nobody,
            &nobody,
            WBEM_FLAG_CONNECT_USE_MAX_WAIT.0,
            &nobody,
            None,
        )?
    };
    act_as_ourselves(&services);
    Ok(services)
}

/// Lets the service look with our rights; without, it may see less or refuse to answer.
fn act_as_ourselves(proxy: impl Param<IUnknown>) {
    /// `RPC_C_AUTHN_WINNT` and `RPC_C_AUTHZ_NONE`.
    const BY_WINDOWS: u32 = 10;
    const NO_MORE: u32 = 0;
    // SAFETY: the object is alive, and nothing else is pointed to.
    let told = unsafe {
        CoSetProxyBlanket(
            proxy,
            BY_WINDOWS,
            NO_MORE,
            None,
            RPC_C_AUTHN_LEVEL_CALL,
            RPC_C_IMP_LEVEL_IMPERSONATE,
            None,
            EOAC_NONE,
        )
    };
    // An object of this very process stands for nobody else; a refusal is told by the next call.
    drop(told);
}

fn of_class(services: &IWbemServices, question: &Question) -> Result<String, Silence> {
    let query = format!("SELECT {} FROM {}", question.properties.join(", "), question.class);
    let mut text = String::new();
    // SAFETY: COM has begun on this thread.
    let found = unsafe {
        services.ExecQuery(
            &BSTR::from("WQL"),
            &BSTR::from(query.as_str()),
            WBEM_FLAG_FORWARD_ONLY | WBEM_FLAG_RETURN_IMMEDIATELY,
            None,
        )
    };
    let found = found.map_err(|error| meant(&error))?;
    act_as_ourselves(&found);
    loop {
        let mut one = [None];
        let mut count = 0;
        // SAFETY: as above; both places outlive the call.
        let told = unsafe { found.Next(OBJECT_LIMIT_MS, &mut one, &raw mut count) };
        if told.0 == WBEM_S_TIMEDOUT.0 {
            return Err(Silence::TimedOut);
        }
        told.ok().map_err(|error| meant(&error))?;
        let [Some(object)] = one else { break };
        // SAFETY: as above.
        let told = unsafe { object.GetObjectText(0) }.map_err(|error| meant(&error))?;
        // Each unit becomes three bytes at most.
        if text.len() + told.len() * 3 > TEXT_LIMIT_BYTES {
            return Err(Silence::Failed(format!("{} has too many objects", question.class)));
        }
        text.push_str(&told.to_string());
        text.push('\n');
    }
    if text.is_empty() {
        is_known(services, question.class)?;
    }
    Ok(text)
}

/// Some services say of a class that they do not know that it has no objects.
fn is_known(services: &IWbemServices, class: &str) -> Result<(), Silence> {
    let mut found = None;
    // SAFETY: COM has begun on this thread, and the place outlives the call.
    let told = unsafe {
        services.GetObject(
            &BSTR::from(class),
            WBEM_FLAG_RETURN_WBEM_COMPLETE,
            None,
            Some(&raw mut found),
            None,
        )
    };
    told.map_err(|error| meant(&error))?;
    found.map(|_| ()).ok_or(Silence::Absent)
}

fn meant(error: &Error) -> Silence {
    let is = |code: HRESULT| error.code() == code;
    let says = |status: i32| error.code().0 == status;
    if says(WBEM_E_INVALID_NAMESPACE.0)
        || says(WBEM_E_INVALID_CLASS.0)
        || says(WBEM_E_NOT_FOUND.0)
        || is(REGDB_E_CLASSNOTREG)
    {
        return Silence::Absent;
    }
    if says(WBEM_E_ACCESS_DENIED.0) || is(E_ACCESSDENIED) {
        return Silence::Denied;
    }
    Silence::Failed(format!("{} (0x{:08X})", error.message().trim(), error.code().0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wmi::mof;

    static COMPUTER: Inquiry = Inquiry {
        namespace: r"root\cimv2",
        about: "the system",
        questions: &[
            Question { class: "Win32_OperatingSystem", properties: &["Version", "BuildNumber"] },
            Question { class: "Win32_Processor", properties: &["Name", "NumberOfCores"] },
        ],
        holds_ms: 0,
    };
    static NOWHERE: Inquiry = Inquiry { namespace: r"root\nowhere", ..COMPUTER };
    static NOTHING: Inquiry = Inquiry {
        questions: &[Question { class: "Win32_NoSuchThing", properties: &["Name"] }],
        namespace: r"root\CIMV2",
        ..COMPUTER
    };

    #[test]
    fn the_service_answers_with_objects_as_text() {
        let texts = ask(&Host::live(), &COMPUTER).unwrap();
        let [system, processors] = texts.as_slice() else { panic!("{texts:?}") };
        let system = mof::rows(system, COMPUTER.questions[0].properties).remove(0);
        assert!(system.number("BuildNumber").unwrap() >= 6000, "{system:?}");
        assert_eq!(system.text("Version").unwrap().split('.').count(), 3, "{system:?}");
        let processor = mof::rows(processors, COMPUTER.questions[1].properties).remove(0);
        assert!(processor.number("NumberOfCores").unwrap() > 0, "{processors}");
    }

    #[test]
    fn what_is_not_there_is_no_failure_and_no_empty_list() {
        for inquiry in [&NOWHERE, &NOTHING] {
            assert_eq!(ask(&Host::live(), inquiry), Err(Silence::Absent), "{inquiry:?}");
        }
    }
}

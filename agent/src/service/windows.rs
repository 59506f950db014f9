//! The agent as a service of Windows: `rollcall-agent service` is what the service control manager
//! starts, and `sc create` or an installer registers.

use std::ffi::OsString;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult};
use windows_service::{define_windows_service, service_dispatcher};

/// The name under which it is registered.
pub(crate) const NAME: &str = crate::doctor::service::WINDOWS_NAME;
/// How long the end may take: what is on its way may finish.
const STOP_HINT: Duration = Duration::from_secs(15);

/// What the service does, given a way to learn that it shall stop; its exit code.
type Work = Box<dyn FnOnce(watch::Receiver<bool>) -> u8 + Send>;

/// Handed over to the thread that the system starts.
static WORK: OnceLock<Mutex<Option<Work>>> = OnceLock::new();

define_windows_service!(begin, main);

/// Hands this process to the service control manager until the service has ended.
pub(crate) fn serve(work: Work) -> Result<(), windows_service::Error> {
    let place = WORK.get_or_init(|| Mutex::new(None));
    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
    service_dispatcher::start(NAME, begin)
}

fn main(_: Vec<OsString>) {
    if let Err(error) = run() {
        tracing::error!(%error, "the service control manager does not answer");
    }
}

fn run() -> Result<(), windows_service::Error> {
    let (stop, stopped) = watch::channel(false);
    let handle = service_control_handler::register(NAME, move |control| match control {
        ServiceControl::Stop | ServiceControl::Shutdown | ServiceControl::Preshutdown => {
            let _ = stop.send(true);
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    })?;
    let status = |state, accepted, code: u8, hint| ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted: accepted,
        exit_code: match code {
            0 => ServiceExitCode::NO_ERROR,
            code => ServiceExitCode::ServiceSpecific(code.into()),
        },
        checkpoint: 0,
        wait_hint: hint,
        process_id: None,
    };
    let accepted = ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN;
    handle.set_service_status(status(ServiceState::Running, accepted, 0, Duration::ZERO))?;
    let work = WORK.get().and_then(|work| work.lock().unwrap_or_else(PoisonError::into_inner).take());
    let code = work.map_or(0, |work| work(stopped));
    let none = ServiceControlAccept::empty();
    handle.set_service_status(status(ServiceState::StopPending, none, 0, STOP_HINT))?;
    handle.set_service_status(status(ServiceState::Stopped, none, code, Duration::ZERO))
}

//! Starting and running the collector, the same for `up` and `serve`: tables, certificate,
//! listener, the jobs that happen by themselves, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::app::{App, Inner};
use crate::ca::Authority;
use crate::clock::Clock;
use crate::config::{Config, Tls, public_url};
use crate::failure::{Exit, Failure};
use crate::fleet::Fleet;
use crate::http::{self, Guard};
use crate::outgoing::Outgoing;
use crate::seal::SealKey;
use crate::server::{self, Limits, Listening};
use crate::store::Store;
use crate::tls::Certificate;

/// How often certificate files are looked at.
const CERTIFICATE_CHECK: Duration = Duration::from_secs(30);
/// How often our own server certificate is looked at.
const OWN_CERTIFICATE_CHECK: Duration = Duration::from_secs(24 * 3600);

/// A large fleet is read while pages are served already; a small one is known before.
const PATIENCE: Duration = Duration::from_secs(1);

/// A collector whose tables are open and whose port is taken.
pub struct Started {
    /// The collector.
    pub app: App,
    /// Where it listens.
    pub bound: SocketAddr,
    listener: TcpListener,
    metrics: Option<TcpListener>,
    certificate: Option<Arc<Certificate>>,
    authority: Option<(Authority, Vec<String>)>,
    limits: Limits,
}

/// Opens everything that can fail, so that a failure is told before anything is promised.
pub async fn start(config: &Config, clock: Clock) -> Result<Started, Failure> {
    let store = Store::open_soon(&config.database, PATIENCE).await?;
    store.seal_with(SealKey::open(&config.secret_key)?, clock.now()).await?;
    let listener = bind(config.listen)?;
    let metrics = match config.metrics {
        Some(address) => Some(bind(address)?),
        None => None,
    };
    let bound = listener.local_addr().map_err(|error| Failure::of(Exit::Internal, &error))?;
    let computer = computer_name();
    let public_url = public_url(config, bound, computer.as_deref());
    let now = clock.now();
    let (certificate, authority) = match &config.tls {
        Tls::Proxy => (None, None),
        Tls::Files(files) => {
            let certificate = Certificate::open(files.clone())
                .map_err(|error| Failure::of(Exit::Permission, &error))?;
            (Some(certificate), None)
        }
        Tls::Own => {
            let opened = Authority::open(&config.data, now).and_then(|authority| {
                let host = host_of(&public_url);
                let names = crate::ca::names(bound.ip(), host.as_deref(), computer.as_deref());
                let files = authority.server_files(&names, now)?;
                Ok((Certificate::open(files)?, (authority, names)))
            });
            let (certificate, authority) =
                opened.map_err(|error| Failure::of(Exit::Permission, &error))?;
            (Some(certificate), Some(authority))
        }
    };
    store.put_setting(PUBLIC_URL, &public_url).await?;
    let app = App::new(Inner {
        store,
        fleet: Fleet::default(),
        clock,
        public_url,
        ca_digest: authority.as_ref().map(|(authority, _)| authority.digest),
        outgoing: Outgoing::new(config.allow_outgoing.clone()),
        guard: Guard::new(config.trusted_proxies.clone(), config.tls != Tls::Proxy),
        past_being_told: Arc::default(),
    });
    let limits = Limits {
        connections: crate::handles::connections(config.connections),
        connections_per_address: config.connections_per_address,
        ..Limits::default()
    };
    Ok(Started { app, bound, listener, metrics, certificate, authority, limits })
}

/// The settings under which other programs of this computer find what the running one decided.
const PUBLIC_URL: &str = "public_url";

/// The same collector for a command beside the running one: tables, address and CA hash, without
/// a listener.
pub async fn beside(config: &Config, store: Store) -> Result<App, Failure> {
    let remembered: Option<String> = store.setting(PUBLIC_URL).await?;
    let configured = public_url(config, config.listen, computer_name().as_deref());
    let public_url = match &config.public_url {
        Some(url) => url.clone(),
        None => remembered.unwrap_or(configured),
    };
    let own = config.tls == Tls::Own;
    Ok(App::new(Inner {
        store,
        fleet: Fleet::default(),
        clock: Clock::system(),
        public_url,
        ca_digest: own.then(|| Authority::digest_in(&config.data)).flatten(),
        outgoing: Outgoing::new(config.allow_outgoing.clone()),
        guard: Guard::default(),
        past_being_told: Arc::default(),
    }))
}

impl Started {
    /// Serves until `stop` is ready, then finishes what is being answered.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        let Self { app, bound: _, listener, metrics, certificate, authority, limits } = self;
        let tls = certificate
            .as_ref()
            .map(Certificate::server_config)
            .transpose()
            .map_err(|error| Failure::of(Exit::Internal, &error))?;
        http::session::recall_failures(&app)
            .await
            .map_err(|error| Failure::of(Exit::Internal, &error))?;
        let fleet = crate::job::spawn(&app);
        let (stopping, stopped) = watch::channel(false);
        let certificates = tokio::spawn(certificates(
            app.clone(),
            certificate,
            authority,
            CERTIFICATE_CHECK,
            stopped,
        ));
        let figures = metrics.map(|listener| tokio::spawn(figures(app.clone(), listener)));
        let listening = Listening {
            listener,
            tls,
            router: http::router(app.clone()),
            limits,
            proxies: app.guard.trusted_proxies.clone(),
        };
        server::serve(listening, stop).await;
        let _ = stopping.send(true);
        let _ = certificates.await;
        fleet.abort();
        if let Some(figures) = figures {
            figures.abort();
        }
        // What was only noted in memory is written; reports are durable already.
        app.store.flush().await?;
        app.store.give_leases().await?;
        Ok(())
    }
}

/// Serves figures on an address of this computer only, to a few at a time.
async fn figures(app: App, listener: TcpListener) {
    let listening = Listening {
        listener,
        tls: None,
        router: http::figures::router(app),
        limits: Limits { connections: 16, connections_per_address: 16, ..Limits::default() },
        proxies: Vec::new(),
    };
    server::serve(listening, std::future::pending()).await;
}

/// Connections that may wait to be accepted; the system has a limit of its own. Those beyond are
/// dropped by it and come a second later.
const WAITING: u32 = 4096;

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A port of connections that ended a moment ago is free, except on Windows, where it would be
    // shared with whoever listens.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    listener(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Failure::new(
            Exit::Conflict,
            format!(
                "port {} on {} is taken, perhaps by another collector",
                address.port(),
                address.ip()
            ),
        )
        .next(format!(
            "See who holds it with `ss -ltnp sport = :{0}`, or choose another port with \
             --listen {1}:{2}.",
            address.port(),
            address.ip(),
            address.port().wrapping_add(1)
        )),
        io::ErrorKind::PermissionDenied => Failure::new(
            Exit::Permission,
            format!("this user may not listen on port {}", address.port()),
        )
        .next("Choose a port above 1023 with --listen, or give the service that right."),
        io::ErrorKind::AddrNotAvailable => {
            Failure::new(Exit::Usage, format!("this computer has no address {}", address.ip()))
                .next("Give one of its addresses with --listen, or 0.0.0.0 for all of them.")
        }
        _ => Failure::new(Exit::Internal, format!("listening on {address} failed: {error}")),
    })
}

/// Keeps the certificates good while the collector runs.
async fn certificates(
    app: App,
    certificate: Option<Arc<Certificate>>,
    authority: Option<(Authority, Vec<String>)>,
    look_every: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    let mut look = tokio::time::interval(look_every);
    let mut renew = tokio::time::interval(OWN_CERTIFICATE_CHECK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = renew.tick() => {
                if let Some((authority, names)) = &authority
                    && let Err(error) = authority.server_files(names, app.clock.now())
                {
                    tracing::error!(
                        error.chain = http::error::chain(&error),
                        "the server's certificate could not be renewed"
                    );
                }
            }
            _ = look.tick() => refresh(certificate.as_deref()),
        }
    }
}

fn refresh(certificate: Option<&Certificate>) {
    match certificate.map(Certificate::refresh) {
        None | Some(Ok(false)) => {}
        Some(Ok(true)) => tracing::info!("the new certificate is in use"),
        Some(Err(error)) => tracing::error!(
            error.chain = http::error::chain(&error),
            "the changed certificate cannot be used; the old one stays in use"
        ),
    }
}

/// Ready when the system asks the program to stop; from the call on, so that a program that was
/// just started is stopped as orderly as any other.
pub fn asked_to_stop() -> impl Future<Output = ()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let both = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        async {
            match both {
                (Ok(mut terminated), Ok(mut interrupted)) => tokio::select! {
                    _ = terminated.recv() => {}
                    _ = interrupted.recv() => {}
                },
                // The system then ends the program by itself.
                _ => std::future::pending().await,
            }
        }
    }
    #[cfg(not(unix))]
    async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// This computer's name, where the system tells it.
pub fn computer_name() -> Option<String> {
    let name = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname"))
        .ok()
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .or_else(|| std::env::var("HOSTNAME").ok())?;
    let name = name.trim().to_lowercase();
    (!name.is_empty()).then_some(name)
}

fn host_of(url: &str) -> Option<String> {
    let authority = url.split_once("://")?.1;
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next()?,
        None => authority.split(':').next()?,
    };
    Some(host.to_owned())
}

#[cfg(test)]
mod tests {
    use rollcall_shared::time::DAY_MS;

    use super::*;

    #[tokio::test]
    async fn changed_certificate_files_are_used_without_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let now = Clock::system().now();
        let authority = Authority::open(folder.path(), now).unwrap();
        let files = authority.server_files(&["localhost".to_owned()], now).unwrap();
        let certificate = Certificate::open(files).unwrap();
        let before = certificate.ends_at().unwrap();
        let store = crate::store::testing::sqlite(folder.path()).await;
        let app = crate::view::tests::app(store, now);
        let (stop, stopped) = watch::channel(false);
        let often = Duration::from_millis(5);
        let kept = Arc::clone(&certificate);
        let looking = tokio::spawn(certificates(app, Some(kept), None, often, stopped));
        tokio::time::sleep(often * 4).await;
        assert_eq!(certificate.ends_at(), Some(before));
        authority.server_files(&["localhost".to_owned()], now.plus_ms(70 * DAY_MS)).unwrap();
        while certificate.ends_at() == Some(before) {
            tokio::time::sleep(often).await;
        }
        assert_eq!(certificate.ends_at().unwrap().since(before), 70 * DAY_MS);
        stop.send(true).unwrap();
        looking.await.unwrap();
    }
}

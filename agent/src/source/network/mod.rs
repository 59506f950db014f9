//! Network interfaces, routes, resolvers.

use crate::source::{Platform, Privilege, Source};

mod macos;
pub mod parse;
mod windows;

cfg_select! {
    target_os = "linux" => {
        mod links;
        mod linux;
        use linux as sys;

        pub(crate) use linux::resolv_conf;
    }
    _ => {
        use crate::source::unsupported as sys;
    }
}

pub use macos::MACOS;
pub use windows::WINDOWS;

/// Network interfaces, routes, resolvers.
pub const SOURCE: Source = Source {
    name: "network",
    section: "network",
    about: "/sys/class/net, addresses, /proc/net/route, /etc/resolv.conf, DHCP leases",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather: sys::gather,
};

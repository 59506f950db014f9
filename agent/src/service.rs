//! Being started and stopped by the system.

cfg_select! {
    unix => {
        mod systemd;
        pub use systemd::Manager;
    }
    _ => {
        #[cfg(windows)]
        pub(crate) mod windows;
        mod silent;
        pub use silent::Manager;
    }
}

//! Being started and stopped by the system.

cfg_select! {
    unix => {
        mod systemd;
        pub(crate) use systemd::Manager;
    }
    _ => {
        #[cfg(windows)]
        pub(crate) mod windows;
        mod silent;
        pub(crate) use silent::Manager;
    }
}

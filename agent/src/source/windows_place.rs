//! Paths of Windows as the agent opens them.

use crate::host::Host;

const CURRENT: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";

/// A path of Windows as it is opened here: a folder of captures has one folder for each drive.
pub(crate) fn place(host: &Host, path: &str) -> String {
    let path = path.replace('\\', "/");
    let path = path.trim_end_matches('/');
    match path.split_once(':') {
        Some((drive, rest)) if !host.is_live() => format!("/{drive}{rest}"),
        _ => path.to_owned(),
    }
}

/// The drive that Windows lies on, e.g. `C:`; `None` on a computer that is none of Windows.
pub(crate) fn system_drive(host: &Host) -> Option<String> {
    let root = host.registry(CURRENT).ok()?.text("SystemRoot")?;
    Some(root.get(..2).filter(|drive| drive.ends_with(':'))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_drive_of_a_capture_is_a_folder() {
        let captured = Host::at("/nonexistent-root");
        assert_eq!(place(&captured, r"C:\Program Files\nodejs\"), "/C/Program Files/nodejs");
        assert_eq!(place(&Host::live(), r"D:\Ruby33\"), "D:/Ruby33");
        assert_eq!(system_drive(&captured), None);
    }
}

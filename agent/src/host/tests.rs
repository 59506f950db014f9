use std::os::unix::fs::symlink;
use std::sync::mpsc;

use rustix::fs::{CWD, FileType, Mode, OFlags, RenameFlags};

use super::*;

#[test]
fn a_folder_of_captures_answers_for_programs_and_calls() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("cmd")).unwrap();
    std::fs::create_dir_all(folder.path().join("call")).unwrap();
    std::fs::write(folder.path().join("cmd/rpm_-qa_--last.txt"), "bash").unwrap();
    std::fs::write(folder.path().join("call/space.txt"), "/ 1 2").unwrap();
    let host = Host::at(folder.path());
    assert_eq!(host.run("/usr/bin/rpm", &["-qa", "--last"]).unwrap(), b"bash");
    assert!(host.run("/usr/bin/rpm", &["-qa"]).unwrap_err().is_not_found());
    assert_eq!(host.captured_call("space").as_deref(), Some("/ 1 2"));
}

#[test]
fn a_program_that_no_source_lists_is_not_started() {
    let refused = Host::live().run("/bin/true", &[]).unwrap_err();
    assert!(refused.to_string().contains("no source lists"), "{refused}");
}

fn pipe(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
}

/// A folder with a computer in it, and a secret beside the computer.
fn with_secret() -> (tempfile::TempDir, Host, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    std::fs::create_dir_all(root.join("etc")).unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "never-to-be-told").unwrap();
    (folder, Host::at(root), secret)
}

#[test]
fn links_never_lead_out_of_the_root() {
    let (_folder, host, secret) = with_secret();
    let etc = host.root().join("etc");
    symlink(&secret, etc.join("absolute")).unwrap();
    symlink("../../secret", etc.join("relative")).unwrap();
    symlink(secret.parent().unwrap(), etc.join("folder")).unwrap();
    for path in ["/etc/absolute", "/etc/relative", "/etc/folder/secret", "/../secret"] {
        assert!(host.read(path).unwrap_err().is_not_found(), "{path}");
        assert!(host.info(path).unwrap_err().is_not_found(), "{path}");
        let plain = open::by_names(host.root(), path, OFlags::RDONLY);
        assert_eq!(plain.unwrap_err().kind(), io::ErrorKind::NotFound, "{path}");
    }
    assert!(host.list("/etc/folder").unwrap_err().is_not_found());
    assert!(host.exists("/etc/absolute"), "the link itself is there");
    assert_eq!(host.link("/etc/absolute").unwrap(), secret);
}

#[test]
fn one_name_after_the_other_follows_no_link() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir_all(home.join("machines/one")).unwrap();
    std::fs::write(home.join("machines/one/file"), "here").unwrap();
    std::fs::write(folder.path().join("secret"), "never-to-be-told").unwrap();
    symlink("../secret", home.join("link")).unwrap();
    symlink("machines", home.join("folder")).unwrap();
    pipe(&home.join("pipe"));
    let (mut file, bytes) = open::beneath(&home, "machines/one/file").unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), bytes), ("here", 4));
    for path in ["link", "folder/one/file", "pipe", "machines", "gone"] {
        assert!(open::beneath(&home, path).is_err(), "{path}");
    }
}

#[test]
fn links_within_the_root_lead_where_they_would_if_it_ran() {
    let (_folder, host, _) = with_secret();
    std::fs::create_dir_all(host.root().join("usr/lib")).unwrap();
    std::fs::write(host.root().join("usr/lib/os-release"), "ID=debian").unwrap();
    symlink("/usr/lib/os-release", host.root().join("etc/os-release")).unwrap();
    symlink("usr/lib", host.root().join("lib")).unwrap();
    symlink("loop", host.root().join("loop")).unwrap();
    for path in ["/etc/os-release", "/lib/os-release", "/lib/../lib/../../etc/os-release"] {
        assert_eq!(host.read_text(path).unwrap(), "ID=debian", "{path}");
        assert!(open::by_names(host.root(), path, OFlags::RDONLY).is_ok(), "{path}");
        assert!(host.exists(path) && host.info(path).is_ok(), "{path}");
    }
    assert_eq!(host.list("/lib").unwrap(), ["os-release"]);
    assert!(host.read("/loop").is_err() && host.info("/loop").is_err());
}

#[test]
fn pipes_devices_and_folders_are_refused_at_once() {
    let (_folder, host, _) = with_secret();
    pipe(&host.root().join("etc/pipe"));
    for (host, path) in [(&host, "/etc/pipe"), (&host, "/etc"), (&Host::live(), "/dev/zero")] {
        let refused = host.read(path).unwrap_err();
        assert!(refused.to_string().contains("not a regular file"), "{path}: {refused}");
    }
}

/// Who may write to a folder can put a pipe there between any two steps.
#[test]
fn a_pipe_swapped_in_does_not_block() {
    let (folder, _, _) = with_secret();
    let (file, other) = (folder.path().join("file"), folder.path().join("other"));
    std::fs::write(&file, "text").unwrap();
    pipe(&other);
    let (done, finished) = mpsc::channel();
    let path = file.to_string_lossy().into_owned();
    std::thread::spawn(move || {
        for _ in 0..5000 {
            let _ = Host::live().read(&path);
        }
        let _ = done.send(());
    });
    let mut swaps = 0;
    while finished.try_recv().is_err() {
        rustix::fs::renameat_with(CWD, &file, CWD, &other, RenameFlags::EXCHANGE).unwrap();
        swaps += 1;
        assert!(swaps < 20_000_000, "reading never ended");
    }
}

#[test]
fn a_huge_file_of_holes_is_refused_without_reading_it() {
    let (_folder, host, _) = with_secret();
    let huge = std::fs::File::create(host.root().join("etc/passwd")).unwrap();
    huge.set_len(10 << 30).unwrap();
    let refused = host.read("/etc/passwd").unwrap_err();
    assert!(refused.to_string().contains("larger than"), "{refused}");
    huge.set_len(READ_LIMIT_BYTES).unwrap();
    assert!(host.read("/etc/passwd").is_ok());
    assert_eq!(host.value("/etc/passwd"), None);
}

#[test]
fn files_of_the_kernel_are_read_though_they_look_empty() {
    assert!(Host::live().read_text("/proc/self/status").unwrap().contains("VmRSS"));
}

#[test]
fn no_link_is_followed_in_a_folder_that_others_fill() {
    let (_folder, host, _) = with_secret();
    let app = host.root().join("app/versions/1/share");
    std::fs::create_dir_all(&app).unwrap();
    std::fs::write(app.join("own.xml"), "own").unwrap();
    std::fs::write(host.root().join("etc/shadow"), "never-to-be-told").unwrap();
    symlink("versions/1", host.root().join("app/active")).unwrap();
    symlink("/etc/shadow", app.join("link.xml")).unwrap();
    symlink("/etc", app.join("etc")).unwrap();
    assert_eq!(host.read_text_below("/app/active", "share/own.xml").unwrap(), "own");
    assert!(host.read_text_below("/app/active", "share/link.xml").is_err());
    assert!(host.read_text_below("/app/active", "share/etc/shadow").is_err());
}

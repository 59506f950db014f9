//! Where programs keep their containers.

use std::cell::LazyCell;

use rollcall_shared::section::Container;

use super::{Search, groups, has_groups, parse};

pub(super) fn docker(search: &mut Search<'_, Container>) {
    docker_in(search, "/var/lib/docker/containers");
}

/// The engine keeps one folder for each container, on every system.
pub(super) fn docker_in(search: &mut Search<'_, Container>, folder: &str) {
    for id in search.list(folder) {
        let read = |file: &str| search.host.read_text(&format!("{folder}/{id}/{file}"));
        match read("config.v2.json") {
            Ok(config) => {
                let more = read("hostconfig.json").unwrap_or_default();
                search.found.extend(parse::docker(&config, &more));
            }
            Err(error) => search.missed(error),
        }
    }
}

pub(super) fn podman(search: &mut Search<'_, Container>) {
    let text = match search
        .host
        .read_text("/var/lib/containers/storage/overlay-containers/containers.json")
    {
        Ok(text) => text,
        Err(error) => {
            search.missed(error);
            return;
        }
    };
    let running = has_groups(search.host).then(|| groups(search.host));
    for (id, container) in parse::podman(&text) {
        let group = format!("libpod-{id}.scope");
        let running = running.as_ref().map(|names| names.contains(&group));
        search.found.push(Container { running, ..container });
    }
}

/// Of containerd only what runs is in files that can be read.
pub(super) fn containerd(search: &mut Search<'_, Container>) {
    let top = "/run/containerd/io.containerd.runtime.v2.task";
    for namespace in search.list(top) {
        // Docker's own are told by Docker.
        if namespace == "moby" {
            continue;
        }
        for id in search.list(&format!("{top}/{namespace}")) {
            match search.host.read_text(&format!("{top}/{namespace}/{id}/config.json")) {
                Ok(spec) => search.found.extend(parse::containerd(&id, &spec)),
                Err(error) => search.missed(error),
            }
        }
    }
}

/// Programs that keep one folder for each container.
pub(super) fn folders(search: &mut Search<'_, Container>) {
    const PLACES: &[(&str, &str)] = &[
        ("lxd", "/var/snap/lxd/common/lxd/containers"),
        ("lxd", "/var/lib/lxd/containers"),
        ("incus", "/var/lib/incus/containers"),
        ("lxc", "/var/lib/lxc"),
        ("nspawn", "/var/lib/machines"),
    ];
    let host = search.host;
    // Asked only where there is one.
    let running = LazyCell::new(|| has_groups(host).then(|| groups(host)));
    for (runtime, folder) in PLACES {
        for name in search.list(folder) {
            let is_container = match *runtime {
                "lxc" => search.host.exists(&format!("{folder}/{name}/config")),
                _ => !name.starts_with('.') && !name.contains(".raw"),
            };
            if !is_container {
                continue;
            }
            // A name may follow that of a project: `project_name`.
            let ours = [
                format!("lxc.payload.{name}"),
                format!("machine-{name}.scope"),
                format!("systemd-nspawn@{name}.service"),
            ];
            let running =
                running.as_ref().map(|names| ours.iter().any(|name| names.contains(name)));
            let (name, runtime) = (name.clone(), (*runtime).to_owned());
            search.found.push(Container { name, runtime, running, ..Container::default() });
        }
    }
}

pub(super) fn proxmox(search: &mut Search<'_, Container>) {
    let folder = "/etc/pve/lxc";
    for file in search.list(folder) {
        let Some(number) = file.strip_suffix(".conf") else { continue };
        let text = match search.host.read_text(&format!("{folder}/{file}")) {
            Ok(text) => text,
            Err(error) => {
                search.missed(error);
                continue;
            }
        };
        let mut settings = parse::proxmox(&text);
        let running = has_groups(search.host)
            .then(|| search.host.exists(&format!("/sys/fs/cgroup/lxc/{number}")));
        search.found.push(Container {
            name: settings.remove("hostname").unwrap_or_else(|| number.to_owned()),
            runtime: "proxmox".to_owned(),
            image: settings.remove("ostype"),
            running,
            ..Container::default()
        });
    }
}

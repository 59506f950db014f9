//! Names of people, places, makers and packages that demo devices are made of.

/// Given names.
pub(super) const GIVEN: &[&str] = &[
    "Anna", "Jürgen", "Zoë", "Mateus", "Wanjiru", "Haruto", "Chloé", "Łukasz", "Amina", "Søren",
    "Inês", "Kenji", "Fatoumata", "Björn", "Yuki", "Otieno", "Camille", "Tiago", "Greta", "Sakura",
    "Élodie", "Rui", "Njeri", "Lena", "Takumi", "Aïcha", "Miguel", "Ingrid", "Kamau", "Beatriz",
    "Jonas", "Mei", "Théo", "Nadia", "Paulo", "Akinyi", "Ren", "Margaux", "Emre", "Sofia",
];

/// Family names.
pub(super) const FAMILY: &[&str] = &[
    "Berg", "Müller", "Okafor", "Silva", "Mwangi", "Tanaka", "Dubois", "Nowak", "Hassan", "Ødegård",
    "Carvalho", "Suzuki", "Diallo", "Lindqvist", "Nakamura", "Odhiambo", "Moreau", "Ferreira",
    "Schäfer", "Yamamoto", "Lefèvre", "Almeida", "Kimani", "Weiß", "Kobayashi", "Benali", "Costa",
    "Hansen", "Wambui", "Ribeiro", "Vogel", "Chen", "Girard", "Petrov", "Sousa", "Achieng", "Saitō",
    "Fontaine", "Yılmaz", "Marques", "Keller", "Okamoto", "Garnier", "Nunes", "Mutua", "Brandt",
];

/// Site, its subnet's second octet, its time zone, its locale.
pub(super) const SITES: &[(&str, u8, &str, &str)] = &[
    ("Berlin", 10, "Europe/Berlin", "de_DE.UTF-8"),
    ("Lyon", 20, "Europe/Paris", "fr_FR.UTF-8"),
    ("Porto", 30, "Europe/Lisbon", "pt_PT.UTF-8"),
    ("Nairobi", 40, "Africa/Nairobi", "en_KE.UTF-8"),
    ("Osaka", 50, "Asia/Tokyo", "ja_JP.UTF-8"),
];

/// Departments.
pub(super) const DEPARTMENTS: &[&str] = &["IT", "HR", "Accounting", "Communications"];

/// Maker, model, processor, cores.
pub(super) type Model = (&'static str, &'static str, &'static str, u32);

/// Laptops for Windows and Linux.
pub(super) const LAPTOPS: &[Model] = &[
    ("LENOVO", "ThinkPad T14 Gen 3", "AMD Ryzen 7 PRO 6850U with Radeon Graphics", 8),
    ("LENOVO", "ThinkPad X1 Carbon Gen 11", "13th Gen Intel(R) Core(TM) i7-1365U", 10),
    ("Dell Inc.", "Latitude 5440", "13th Gen Intel(R) Core(TM) i5-1345U", 10),
    ("Dell Inc.", "Latitude 7340", "13th Gen Intel(R) Core(TM) i7-1365U", 10),
    ("HP", "HP EliteBook 840 14 inch G10 Notebook PC", "13th Gen Intel(R) Core(TM) i5-1335U", 10),
    ("HP", "HP EliteBook 845 14 inch G9 Notebook PC", "AMD Ryzen 5 PRO 6650U with Radeon Graphics", 6),
];

/// Desktops.
pub(super) const DESKTOPS: &[Model] = &[
    ("Dell Inc.", "OptiPlex 7010", "13th Gen Intel(R) Core(TM) i5-13500", 14),
    ("LENOVO", "ThinkCentre M75q Gen 2", "AMD Ryzen 5 PRO 5650GE with Radeon Graphics", 6),
    ("HP", "HP EliteDesk 800 G9 Desktop Mini PC", "12th Gen Intel(R) Core(TM) i5-12500T", 6),
];

/// Servers.
pub(super) const SERVERS: &[Model] = &[
    ("Dell Inc.", "PowerEdge R650", "Intel(R) Xeon(R) Silver 4314 CPU @ 2.40GHz", 16),
    ("Dell Inc.", "PowerEdge R7525", "AMD EPYC 7313 16-Core Processor", 16),
    ("HPE", "ProLiant DL380 Gen10 Plus", "Intel(R) Xeon(R) Gold 5318Y CPU @ 2.10GHz", 24),
    ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "AMD EPYC 7313 16-Core Processor", 4),
];

/// Macs.
pub(super) const MACS: &[Model] = &[
    ("Apple Inc.", "MacBook Pro (14-inch, 2023)", "Apple M3 Pro", 12),
    ("Apple Inc.", "MacBook Air (M2, 2022)", "Apple M2", 8),
    ("Apple Inc.", "MacBook Air (M3, 2024)", "Apple M3", 8),
];

/// Packages every Linux system has.
pub(super) const LINUX_BASE: &[&str] = &[
    "adduser", "apparmor", "base-files", "bash", "bind9-host", "bsdutils", "bzip2", "ca-certificates",
    "coreutils", "cpio", "cron", "curl", "dash", "dbus", "debconf", "dialog", "diffutils", "dnsutils",
    "dosfstools", "e2fsprogs", "ethtool", "fdisk", "file", "findutils", "gawk", "gcc-12-base", "git",
    "gnupg", "grep", "groff-base", "grub-common", "gzip", "hostname", "htop", "ifupdown", "iproute2",
    "iptables", "iputils-ping", "jq", "kbd", "kmod", "less", "login", "logrotate", "lsb-release", "lsof",
    "make", "man-db", "mawk", "mount", "nano", "ncurses-base", "net-tools", "nftables", "openssh-client",
    "openssh-server", "openssl", "passwd", "patch", "pciutils", "perl", "procps", "psmisc", "python3",
    "python3-minimal", "readline-common", "rsync", "rsyslog", "screen", "sed", "smartmontools", "strace",
    "sudo", "systemd", "systemd-sysv", "tar", "tcpdump", "telnet", "tmux", "traceroute", "tree", "tzdata",
    "ucf", "udev", "unattended-upgrades", "unzip", "usbutils", "util-linux", "vim", "wget", "whois",
    "xz-utils", "zip", "zlib1g", "zstd",
];

/// What servers have besides.
pub(super) const SERVER_EXTRA: &[&str] = &[
    "apache2", "borgbackup", "chrony", "containerd", "docker-ce", "fail2ban", "haproxy", "mariadb-server",
    "nginx", "nfs-kernel-server", "node-exporter", "postfix", "postgresql-15", "redis-server", "samba",
    "squid", "unbound", "wireguard-tools", "zabbix-agent2", "qemu-guest-agent",
];

/// What desktops have besides.
pub(super) const DESKTOP_EXTRA: &[&str] = &[
    "chromium-browser", "cups", "evince", "evolution", "firefox", "gdm3", "gimp", "gnome-calculator",
    "gnome-shell", "gnome-terminal", "gparted", "inkscape", "keepassxc", "libreoffice-calc",
    "libreoffice-core", "libreoffice-impress", "libreoffice-writer", "nautilus", "network-manager",
    "pipewire", "remmina", "rhythmbox", "simple-scan", "thunderbird", "totem", "vlc", "xwayland",
];

/// Stems from which libraries and language packages get their names.
pub(super) const STEMS: &[&str] = &[
    "acl", "alsa", "archive", "assuan", "atk", "attr", "audit", "avahi", "blkid", "boost", "brotli",
    "cairo", "cap", "charset", "cjson", "crypt", "cups", "db", "dbus", "debug", "device", "drm", "edit",
    "elf", "epoxy", "event", "evdev", "expat", "ext2fs", "ffi", "fido2", "flac", "fontconfig", "freetype",
    "fuse", "gbm", "gcrypt", "gdbm", "geoip", "glib", "gmp", "gnutls", "gpg", "gpm", "graphite", "gsasl",
    "gssapi", "gtk", "harfbuzz", "hogweed", "icu", "idn", "ima", "inih", "input", "isl", "jansson", "jbig",
    "jpeg", "json", "kadm5", "keyutils", "krb5", "ksba", "lcms", "ldap", "lerc", "llvm", "lmdb", "lockfile",
    "logging", "lua", "lz4", "lzma", "lzo", "magic", "maxmind", "mnl", "mount", "mpc", "mpfr", "ncurses",
    "netfilter", "nettle", "newt", "nghttp", "nl", "npth", "nsl", "nspr", "nss", "numa", "ogg", "opus",
    "p11", "pam", "pango", "pcap", "pci", "pcre", "pixman", "png", "popt", "proc", "protobuf", "psl",
    "pulse", "readline", "reiserfs", "rtmp", "sasl", "seccomp", "selinux", "semanage", "sensors", "slang",
    "smart", "sndfile", "soup", "sqlite", "ssh", "stemmer", "systemd", "talloc", "tasn1", "tdb", "tevent",
    "thai", "tiff", "tirpc", "tss", "unistring", "unwind", "usb", "utempter", "uuid", "uv", "vorbis", "vpx",
    "wayland", "webp", "wrap", "x11", "xau", "xcb", "xext", "xft", "xi", "xkb", "xml", "xmu", "xpm",
    "xslt", "xt", "yajl", "yaml", "zip",
];

/// How names are made of stems: before, after.
pub(super) const LINUX_FORMS: &[(&str, &str)] = &[
    ("lib", "1"), ("lib", "-common"), ("python3-", ""), ("lib", "-perl"), ("gir1.2-", "-2.0"),
    ("lib", "-dev"), ("golang-", "-dev"), ("ruby-", ""),
];

/// Windows programs: name, maker.
pub(super) const WINDOWS: &[(&str, &str)] = &[
    ("7-Zip (x64)", "Igor Pavlov"), ("Adobe Acrobat (64-bit)", "Adobe"), ("Audacity", "Audacity Team"),
    ("Cisco Secure Client", "Cisco Systems, Inc."), ("Citrix Workspace", "Citrix Systems, Inc."),
    ("DeepL", "DeepL SE"), ("FileZilla", "Tim Kosse"), ("Git", "The Git Development Community"),
    ("Google Chrome", "Google LLC"), ("GIMP", "The GIMP Team"), ("Greenshot", "Greenshot"),
    ("IrfanView (64-bit)", "Irfan Skiljan"), ("Jabra Direct", "GN Audio A/S"),
    ("KeePassXC", "KeePassXC Team"), ("LibreOffice", "The Document Foundation"),
    ("Logi Options+", "Logitech"), ("Microsoft 365 Apps for business - en-us", "Microsoft Corporation"),
    ("Microsoft Edge", "Microsoft Corporation"), ("Microsoft OneDrive", "Microsoft Corporation"),
    ("Microsoft Teams", "Microsoft Corporation"), ("Microsoft Visual Studio Code", "Microsoft Corporation"),
    ("Mozilla Firefox (x64 en-US)", "Mozilla"), ("Mozilla Maintenance Service", "Mozilla"),
    ("Mozilla Thunderbird (x64 en-US)", "Mozilla"), ("Notepad++ (64-bit x64)", "Notepad++ Team"),
    ("OpenVPN", "OpenVPN, Inc."), ("PDF24 Creator", "geek software GmbH"), ("PuTTY", "Simon Tatham"),
    ("Python 3.12", "Python Software Foundation"), ("SAP GUI for Windows", "SAP SE"),
    ("Slack", "Slack Technologies Inc."), ("TeamViewer", "TeamViewer"), ("VLC media player", "VideoLAN"),
    ("WinSCP", "Martin Prikryl"), ("Wireshark", "The Wireshark developer community"),
    ("Zoom Workplace", "Zoom Communications, Inc."), ("paint.net", "dotPDN LLC"),
];

/// How further Windows entries are made: before, after, maker.
pub(super) const WINDOWS_FORMS: &[(&str, &str, &str)] = &[
    ("Microsoft Visual C++ Redistributable (", ")", "Microsoft Corporation"),
    ("Intel(R) ", " Driver", "Intel Corporation"),
    ("Windows SDK ", " Headers", "Microsoft Corporation"),
];

/// Mac applications: name, maker.
pub(super) const MAC: &[(&str, &str)] = &[
    ("App Store", "Apple"), ("Automator", "Apple"), ("Calculator", "Apple"), ("Calendar", "Apple"),
    ("Contacts", "Apple"), ("Dictionary", "Apple"), ("Disk Utility", "Apple"), ("FaceTime", "Apple"),
    ("Keynote", "Apple"), ("Mail", "Apple"), ("Maps", "Apple"), ("Messages", "Apple"), ("Music", "Apple"),
    ("Notes", "Apple"), ("Numbers", "Apple"), ("Pages", "Apple"), ("Photos", "Apple"), ("Podcasts", "Apple"),
    ("Preview", "Apple"), ("QuickTime Player", "Apple"), ("Reminders", "Apple"), ("Safari", "Apple"),
    ("Terminal", "Apple"), ("TextEdit", "Apple"), ("Xcode", "Apple"), ("1Password", "AgileBits Inc."),
    ("Affinity Photo 2", "Serif Labs"), ("Docker", "Docker Inc"), ("Figma", "Figma, Inc."),
    ("Firefox", "Mozilla"), ("Google Chrome", "Google LLC"), ("IINA", "Yuehao Yu"),
    ("Microsoft Excel", "Microsoft Corporation"), ("Microsoft Outlook", "Microsoft Corporation"),
    ("Microsoft PowerPoint", "Microsoft Corporation"), ("Microsoft Teams", "Microsoft Corporation"),
    ("Microsoft Word", "Microsoft Corporation"), ("Rectangle", "Ryan Hanson"),
    ("Slack", "Slack Technologies"), ("Sublime Text", "Sublime HQ"), ("VLC", "VideoLAN"),
    ("Visual Studio Code", "Microsoft Corporation"), ("iTerm", "George Nachman"), ("zoom.us", "Zoom"),
];

//! Where certificates lie on Linux systems.

use crate::host::Host;
use crate::source::text::matches_pattern;

/// Certificates that an administrator added to those trusted.
pub(super) const TRUST_FOLDERS: &[&str] = &[
    "/usr/local/share/ca-certificates",
    "/etc/pki/ca-trust/source/anchors",
    "/etc/ca-certificates/trust-source/anchors",
    "/etc/pki/trust/anchors",
];

/// Folders in which those of servers lie beside those that are trusted.
pub(super) const SYSTEM_FOLDERS: &[&str] = &["/etc/pki/tls/certs/", "/etc/ssl/certs/"];

/// Folders in which servers keep theirs; `*` stands for any one name.
pub(super) const SERVER_FOLDERS: &[&str] = &[
    "/etc/apache2/ssl",
    "/etc/cockpit/ws-certs.d",
    "/etc/gitlab/ssl",
    "/etc/haproxy/certs",
    "/etc/haproxy/ssl",
    "/etc/httpd/ssl",
    "/etc/kubernetes/pki",
    "/etc/kubernetes/pki/etcd",
    "/etc/nginx/certs",
    "/etc/nginx/ssl",
    "/etc/openldap/certs",
    "/etc/openvpn",
    "/etc/openvpn/*",
    "/etc/pki/tls/certs",
    "/etc/puppetlabs/puppet/ssl/certs",
    "/etc/ssl",
    "/etc/ssl/certs",
    "/etc/swanctl/x509",
];

/// Single files; `*` stands for any one name.
pub(super) const FILES: &[&str] = &[
    "/etc/dovecot/dovecot.pem",
    "/etc/exim4/exim.crt",
    "/etc/letsencrypt/live/*/cert.pem",
    "/etc/postfix/smtpd.crt",
    "/etc/pve/local/pve-ssl.pem",
    "/etc/pve/local/pveproxy-ssl.pem",
    "/etc/webmin/miniserv.pem",
    "/etc/xrdp/cert.pem",
    "/var/lib/kubelet/pki/kubelet.crt",
    "/var/lib/mysql/server-cert.pem",
    "/var/lib/pgsql/data/server.crt",
    "/var/lib/postgresql/*/main/server.crt",
    "/var/lib/samba/private/tls/cert.pem",
];

/// Files in which servers say where theirs is, and behind which words.
pub(super) const CONFIGURATIONS: &[(&[&str], &[&str])] = &[
    (
        &["/etc/nginx/nginx.conf", "/etc/nginx/conf.d/*", "/etc/nginx/sites-enabled/*"],
        &["ssl_certificate"],
    ),
    (
        &["/etc/apache2/sites-enabled/*", "/etc/httpd/conf.d/*", "/etc/apache2/vhosts.d/*"],
        &["SSLCertificateFile"],
    ),
    (&["/etc/postfix/main.cf"], &["smtpd_tls_cert_file"]),
    (
        &["/etc/dovecot/dovecot.conf", "/etc/dovecot/conf.d/10-ssl.conf"],
        &["ssl_cert", "ssl_server_cert_file"],
    ),
    (&["/etc/ldap/slapd.d/cn=config.ldif"], &["olcTLSCertificateFile:"]),
    (&["/etc/vsftpd.conf", "/etc/vsftpd/vsftpd.conf"], &["rsa_cert_file"]),
];

/// What has the form of a pattern, of which one part may hold a `*`.
pub(super) fn expand(host: &Host, pattern: &str) -> Vec<String> {
    let Some(star) = pattern.find('*') else { return vec![pattern.to_owned()] };
    let Some(slash) = pattern[..star].rfind('/') else { return Vec::new() };
    let (folder, rest) = (&pattern[..slash], &pattern[slash + 1..]);
    let (part, rest) = rest.split_once('/').map_or((rest, ""), |(part, rest)| (part, rest));
    let names = host.list(folder).unwrap_or_default();
    let names = names.iter().filter(|name| matches_pattern(part, name));
    names
        .map(|name| {
            if rest.is_empty() {
                format!("{folder}/{name}")
            } else {
                format!("{folder}/{name}/{rest}")
            }
        })
        .collect()
}

/// Whether a file of this name may be a certificate. Keys and the bundles of makers are not.
pub(super) fn may_be_certificate(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let ending = lower.rsplit_once('.').map_or("", |(_, ending)| ending);
    matches!(ending, "pem" | "crt" | "cer" | "cert" | "der")
        && !lower.contains("privkey")
        && !lower.contains("-key.")
        && !lower.contains("dhparam")
        && !matches!(lower.as_str(), "key.pem" | "ca-certificates.crt" | "ca-bundle.pem")
        && !lower.starts_with("ca-bundle")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_bundles_are_left_alone() {
        for name in ["server.crt", "example.org.pem", "0-self-signed.cert", "root.DER"] {
            assert!(may_be_certificate(name), "{name}");
        }
        for name in
            ["privkey.pem", "server-key.pem", "server.key", "ca-certificates.crt", "dhparam.pem"]
        {
            assert!(!may_be_certificate(name), "{name}");
        }
    }
}

//! From where a request comes. Forwarded headers count only when a configured proxy sent them.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, request::Parts};

use crate::app::App;

/// The other end of the connection, put into each request by the server loop.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// The address of the person or program, as far as it can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client(pub IpAddr);

impl FromRequestParts<App> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let peer = parts
            .extensions
            .get::<Peer>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip().to_canonical());
        Ok(Self(believed(peer, &parts.headers, &app.guard.trusted_proxies)))
    }
}

/// Walks `x-forwarded-for` from its end and stops at the first address that is not our proxy.
fn believed(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let mut client = peer;
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    for hop in forwarded.into_iter().rev() {
        if !trusted.contains(&client) {
            break;
        }
        let Ok(address) = hop.parse::<IpAddr>() else { break };
        client = address.to_canonical();
    }
    client
}

/// Text as it may stand as a value in the query of an address.
pub(crate) fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_headers_count_only_from_our_proxies() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "6.6.6.6, 198.51.100.7".parse().unwrap());
        headers.append("x-forwarded-for", "10.0.0.2".parse().unwrap());
        let (proxy, inner) = (address("10.0.0.1"), address("10.0.0.2"));
        assert_eq!(believed(address("203.0.113.9"), &headers, &[]), address("203.0.113.9"));
        assert_eq!(believed(proxy, &headers, &[]), proxy);
        assert_eq!(believed(proxy, &headers, &[proxy]), inner);
        assert_eq!(believed(proxy, &headers, &[proxy, inner]), address("198.51.100.7"));
        headers.insert("x-forwarded-for", "nonsense".parse().unwrap());
        assert_eq!(believed(proxy, &headers, &[proxy]), proxy);
    }

    #[test]
    fn values_in_addresses_are_encoded() {
        assert_eq!(percent_encode("/devices?q=a b&x=ü"), "/devices%3Fq%3Da%20b%26x%3D%C3%BC");
    }
}

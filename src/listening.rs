//! Taking connections: a number of them at a time, and for this machine alone where only this
//! machine is served.
//!
//! Owns accepting, and telling whether an address is this machine. Leaves what is answered to
//! the status page and the inbox.

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// Has each caller attended to. The one that has been there longest goes when there are too
/// many, so that no caller keeps others out.
pub(crate) async fn serve<F>(
    listener: TcpListener,
    places: usize,
    converse: impl Fn(TcpStream, SocketAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut callers = JoinSet::new();
    let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        tokio::select! {
            Some(_) = callers.join_next() => oldest_first.retain(|caller| !caller.is_finished()),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if oldest_first.len() >= places
                        && let Some(oldest) = oldest_first.pop_front()
                    {
                        oldest.abort();
                    }
                    oldest_first.push_back(callers.spawn(converse(stream, peer)));
                }
                // The caller has gone, or there are no descriptors for a while.
                Err(error) => {
                    tracing::debug!(%error, "nobody was told");
                    let pause = Duration::from_millis(100);
                    timeout(pause, std::future::pending::<()>()).await.unwrap_or_default();
                }
            },
        }
    }
}

/// Whether a request with this address and these hosts is for an IP address, for `localhost`
/// or for no name at all.
pub(crate) fn is_this_machine<B>(request: &http::Request<B>) -> bool {
    let hosts = request.headers().get_all(http::header::HOST).iter();
    let mut named = hosts.map(|host| host.to_str().unwrap_or("?"));
    let in_target = request.uri().host().into_iter();
    in_target.chain(&mut named).all(names_this_machine)
}

/// Whether a URL leads to this machine, so that no proxy has anything to do with it.
pub(crate) fn leads_to_this_machine(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Whether `host`, perhaps with a port, is an IP address or `localhost`.
pub(crate) fn names_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<http::uri::Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.parse::<std::net::IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost")
}

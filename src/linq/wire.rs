//! The transport on the network.
//!
//! Owns the configuration of reqwest: TLS, timeouts, no redirects, bounded
//! bodies, and which failures mean that nothing was sent. Leaves retries, pace
//! and the meaning of answers to the client.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{redirect, tls};

use super::settings::BaseUrl;
use super::transport::{Sending, Transport, TransportError};

/// The largest body that is read, after decompression. A page of 100 contacts
/// is about 80 kB.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// How long a connection may take to stand, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an unused connection is kept. Shorter than the minute after which
/// common servers close it, since a request on a closing connection is one whose
/// outcome is unknown.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// The transport on the network.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    http: reqwest::Client,
}

/// The network client cannot be set up, most often because the system has no
/// certificate authorities (on Debian: the package `ca-certificates`).
#[derive(Debug, thiserror::Error)]
#[error("cannot set up TLS; are the system's CA certificates installed?")]
pub struct WireError(#[source] reqwest::Error);

impl HttpTransport {
    /// A transport to `base_url`; each request may take up to `timeout`, its
    /// answer's body included.
    ///
    /// # Errors
    /// [`WireError`] when TLS cannot be set up.
    pub fn new(base_url: &BaseUrl, timeout: Duration) -> Result<HttpTransport, WireError> {
        // What is sent again is decided in one place, which is not here.
        let mut builder = reqwest::Client::builder()
            .retry(reqwest::retry::never())
            .redirect(redirect::Policy::none())
            .tls_version_min(tls::Version::TLS_1_2)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            .pool_idle_timeout(IDLE_TIMEOUT);
        if base_url.is_loopback() {
            builder = builder.no_proxy();
        }
        builder = if base_url.is_https() {
            builder.https_only(true)
        } else {
            // Without TLS there is no use for certificates, and no reason to
            // fail where none are installed.
            builder.tls_certs_only([])
        };
        let http = builder.build().map_err(|error| WireError(error.without_url()))?;
        Ok(HttpTransport { http })
    }

    async fn send_request(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let request = reqwest::Request::try_from(request).map_err(transport_error)?;
        let mut response = self.http.execute(request).await.map_err(transport_error)?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(transport_error)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(TransportError::TooLarge { limit: MAX_BODY });
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = http::Response::new(body.freeze());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: http::Request<Bytes>) -> Sending<'_> {
        Box::pin(self.send_request(request))
    }
}

/// What a failure of reqwest says about the request. Its text would hold the
/// URL, and the URL an e-mail address.
fn transport_error(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    if error.is_connect() || error.is_builder() {
        TransportError::NotSent(error.into())
    } else if error.is_timeout() {
        TransportError::TimedOut(error.into())
    } else {
        TransportError::Broken(error.into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use secrecy::SecretString;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use wiremock::matchers::{any, header, method, path, query_param};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;
    use crate::linq::scripted::{is_alone, test_settings};
    use crate::linq::{
        Client, ClientSettings, Failure, FindBy, LinqError, Lookup, Remedy, RequestEffect,
        SearchResult, TokenSource, Update,
    };
    use crate::model::{Field, LinqId, Values};

    const ADA: &str = r#"{"data":{"id":7,"first_name":"Ada"}}"#;
    const PATIENT: Duration = Duration::from_secs(30);

    fn client_with(url: &str, timeout: Duration) -> Client {
        let mut settings: ClientSettings = test_settings(url);
        settings.backoff.cap = Duration::from_millis(1);
        let wire = HttpTransport::new(&settings.base_url, timeout).unwrap();
        Client::new(Arc::new(wire), settings, TokenSource::fixed(SecretString::from("CANARY")))
    }

    fn client(url: &str) -> Client {
        client_with(url, PATIENT)
    }

    async fn always(answer: ResponseTemplate) -> MockServer {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(answer).mount(&server).await;
        server
    }

    async fn requests(server: &MockServer) -> usize {
        server.received_requests().await.unwrap().len()
    }

    async fn create(url: &str, timeout: Duration) -> LinqError {
        client_with(url, timeout).create(&Values::default(), None).await.unwrap_err()
    }

    /// The URL of a server that gives each connection to `serve` in turn.
    async fn raw<F: Future<Output = ()> + Send>(
        serve: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream).await;
            }
        });
        url
    }

    /// Reads until the end of the request's head, at least.
    async fn read_request(stream: &mut TcpStream) {
        let mut seen = Vec::new();
        while !seen.windows(4).any(|four| four == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn a_request_says_who_asks_and_keeps_the_plus_of_a_phone_number() {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(path("/below/api/partner/v2/contacts/find"))
            .and(query_param("phone_number", "+15551234567"))
            .and(header("x-linq-integration-token", "CANARY"))
            .and(header("user-agent", concat!("linqsync/", env!("CARGO_PKG_VERSION"))))
            .and(header("accept", "application/json"))
            .respond_with(ResponseTemplate::new(200).set_body_string(ADA))
            .mount(&server)
            .await;
        let client = client(&format!("{}/below/", server.uri()));
        let found = client.find(FindBy::Phone("+15551234567")).await.unwrap();
        assert!(matches!(found, SearchResult::Found(_)));
        let sent = &server.received_requests().await.unwrap()[0];
        assert_eq!(sent.url.query(), Some("phone_number=%2B15551234567"));
    }

    #[tokio::test]
    async fn a_body_travels_as_json() {
        let server = always(ResponseTemplate::new(200).set_body_string(ADA)).await;
        let update = Update::new([(Field::FirstName, "Ada".to_owned())], None).unwrap();
        client(&server.uri()).patch(LinqId(7), &update).await.unwrap();
        let sent = &server.received_requests().await.unwrap()[0];
        assert_eq!(sent.body, br#"{"contact":{"first_name":"Ada"}}"#);
        assert_eq!(sent.headers["content-type"], "application/json");
        assert_eq!(sent.headers["content-length"], "32");
    }

    #[tokio::test]
    async fn redirects_are_never_followed() {
        let elsewhere = always(ResponseTemplate::new(200).set_body_string(ADA)).await;
        for status in [301, 302, 303, 307, 308] {
            for target in [format!("{}/contacts/7", elsewhere.uri()), "/contacts/7".to_owned()] {
                let answer = ResponseTemplate::new(status).insert_header("location", target);
                let server = always(answer).await;
                let client = client(&server.uri());
                let update = Update::new([(Field::FirstName, "Ada".to_owned())], None).unwrap();
                let ended = [
                    client.get(LinqId(7)).await.map(drop),
                    client.create(&Values::default(), None).await.map(drop),
                    client.patch(LinqId(7), &update).await.map(drop),
                    client.delete(LinqId(7)).await.map(drop),
                ];
                for ended in ended {
                    let error = ended.unwrap_err();
                    let redirected =
                        matches!(error.verdict, Remedy::Failed(Failure::Redirected(_)));
                    assert!(redirected, "{error}");
                }
                assert_eq!(requests(&server).await, 4, "{status}");
            }
        }
        assert_eq!(requests(&elsewhere).await, 0);
    }

    #[tokio::test]
    async fn an_error_names_the_request_and_not_what_was_searched_for() {
        let answer = ResponseTemplate::new(409).insert_header("x-request-id", "req-42");
        let server = always(answer).await;
        let client = client(&server.uri());
        let error = client.find(FindBy::Email("ada@canary.example")).await.unwrap_err();
        assert_eq!(error.to_string(), "find by e-mail: 409 [x-request-id req-42]");
    }

    #[tokio::test]
    async fn a_refused_connection_means_that_nothing_was_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = create(&url, PATIENT).await;
        assert_eq!((error.effect, error.attempts), (RequestEffect::NotSent, 6), "{error}");
        let error = client(&url).find(FindBy::Email("ada@canary.example")).await.unwrap_err();
        let told = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
        assert!(told.contains("Connect") && !told.to_lowercase().contains("canary"), "{told}");
    }

    #[tokio::test]
    async fn a_connection_that_breaks_leaves_the_effect_unknown() {
        let hang_up = raw(|mut stream| async move { read_request(&mut stream).await }).await;
        let cut_body = raw(|mut stream| async move {
            read_request(&mut stream).await;
            let cut = format!("HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{ADA}");
            stream.write_all(cut.as_bytes()).await.unwrap();
        })
        .await;
        let cut_chunk = raw(|mut stream| async move {
            read_request(&mut stream).await;
            let cut = "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{\"data\"";
            stream.write_all(cut.as_bytes()).await.unwrap();
        })
        .await;
        let no_http = raw(|mut stream| async move {
            read_request(&mut stream).await;
            stream.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        })
        .await;
        for url in [hang_up, cut_body, cut_chunk, no_http] {
            let error = create(&url, PATIENT).await;
            assert_eq!((error.effect, error.attempts), (RequestEffect::Unknown, 1), "{error}");
            let broken = matches!(
                error.verdict,
                Remedy::Failed(Failure::NoAnswer(TransportError::Broken(_)))
            );
            assert!(broken, "{error}");
        }
    }

    #[tokio::test]
    async fn silence_ends_at_the_timeout_with_the_effect_unknown() {
        async fn serve(mut stream: TcpStream, start: &[u8]) {
            read_request(&mut stream).await;
            stream.write_all(start).await.unwrap();
            // Until the client has had enough.
            let _ = stream.read(&mut [0]).await;
        }
        let silent = raw(|stream| serve(stream, b"")).await;
        let stuck =
            raw(|stream| serve(stream, b"HTTP/1.1 201 Created\r\ncontent-length: 9\r\n\r\n{"))
                .await;
        for url in [silent, stuck] {
            let error = create(&url, Duration::from_millis(100)).await;
            assert_eq!((error.effect, error.attempts), (RequestEffect::Unknown, 1), "{error}");
            let late = matches!(
                error.verdict,
                Remedy::Failed(Failure::NoAnswer(TransportError::TimedOut(_)))
            );
            assert!(late, "{error}");
        }
    }

    /// `size` zeros as gzip: one literal and back references of 258 bytes, in
    /// fixed Huffman codes (RFC 1951, section 3.2.6).
    fn gzip_bomb(size: usize) -> Vec<u8> {
        let repeated = "1100010100000".repeat(size / 258);
        let bits = format!("11000110000{repeated}0000000");
        let mut bomb = b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec();
        for byte in bits.as_bytes().chunks(8) {
            bomb.push(byte.iter().rev().fold(0, |bits, bit| bits << 1 | (bit & 1)));
        }
        bomb
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_a_limit_also_if_it_grows_on_arrival() {
        let gzip = |size| {
            ResponseTemplate::new(200)
                .insert_header("content-encoding", "gzip")
                .set_body_bytes(gzip_bomb(size))
        };
        let plain = ResponseTemplate::new(200).set_body_bytes(vec![b' '; MAX_BODY + 1]);
        for answer in [gzip(256 * 1024 * 1024), gzip(MAX_BODY + 1024), plain] {
            let server = always(answer).await;
            let error = client(&server.uri()).get(LinqId(7)).await.unwrap_err();
            let too_large = matches!(
                error.verdict,
                Remedy::Failed(Failure::NoAnswer(TransportError::TooLarge { .. }))
            );
            assert!(too_large, "{error:?}");
            assert_eq!(requests(&server).await, 1);
        }
    }

    /// `body` as gzip without compression (RFC 1951, section 3.2.4).
    fn gzip_stored(body: &[u8]) -> Vec<u8> {
        let crc = body.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
            })
        });
        let length = u16::try_from(body.len()).unwrap();
        let mut gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01".to_vec();
        gzip.extend(length.to_le_bytes().into_iter().chain((!length).to_le_bytes()));
        gzip.extend(body);
        gzip.extend((!crc).to_le_bytes().into_iter().chain(u32::from(length).to_le_bytes()));
        gzip
    }

    #[tokio::test]
    async fn compressed_answers_are_asked_for_and_read() {
        let answer = ResponseTemplate::new(200)
            .insert_header("content-encoding", "gzip")
            .set_body_bytes(gzip_stored(ADA.as_bytes()));
        let server = always(answer).await;
        let found = client(&server.uri()).get(LinqId(7)).await.unwrap();
        assert!(matches!(found, Lookup::Found(_)));
        let sent = &server.received_requests().await.unwrap()[0];
        assert!(sent.headers["accept-encoding"].to_str().unwrap().contains("gzip"));
    }

    #[test]
    fn a_proxy_in_the_environment_is_not_used_for_this_machine() {
        const NAME: &str =
            "linq::wire::tests::a_proxy_in_the_environment_is_not_used_for_this_machine";
        let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", proxy.local_addr().unwrap());
        let names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
        let mut variables = names.map(|name| (name, url.as_str())).to_vec();
        variables.extend([("NO_PROXY", ""), ("no_proxy", "")]);
        if is_alone(NAME, &variables) {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let server = always(ResponseTemplate::new(200).set_body_string(ADA)).await;
                client(&server.uri()).get(LinqId(7)).await.unwrap();
            });
        }
        proxy.set_nonblocking(true).unwrap();
        assert!(proxy.accept().is_err(), "the proxy was asked");
    }
}

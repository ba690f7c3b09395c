//! `cordboard healthcheck`: asks the gateway of a configuration whether it lives, for container engines whose images hold
//! no other program that could.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{ConfigFile, Failed};

/// A gateway that takes longer helps no customer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The head of an answer is shorter than this.
const HEAD_MAX_BYTES: u64 = 512;

#[derive(Debug, Args)]
#[command(after_help = "\
Asks at the configured `listen` address, on this machine. Exit code 0 when the gateway answers, 1 when it does not.

Examples:
  cordboard healthcheck --config /etc/cordboard/cordboard.toml
  cordboard healthcheck --ready --config /etc/cordboard/cordboard.toml")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Asks whether new conversations are welcome, not only whether the process lives.
    #[arg(long)]
    ready: bool,
}

pub(super) async fn run(arguments: &Arguments, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    let server = arguments.config.server()?;
    let address = reached_at(server.listen);
    if address.port() == 0 {
        return Err(Failed::because(
            "the configuration takes any free port (`listen` ends in :0); choose one to ask at",
        ));
    }
    let path = if arguments.ready { "/readyz" } else { "/healthz" };
    let asked = tokio::time::timeout(PATIENCE, ask(address, path, server.tls.is_some())).await;
    let wrong = |what: String| Failed::because(format!("{address}{path}: {what}"));
    match asked {
        Ok(Ok(200)) => Ok(writeln!(out, "{}", if arguments.ready { "ready" } else { "alive" })?),
        Ok(Ok(status)) => Err(wrong(format!("it answers {status}"))),
        Ok(Err(error)) => Err(wrong(format!("no answer: {error}; does `cordboard serve` run here?"))),
        Err(_) => Err(wrong(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

/// Where a listener on this address is reached from its own machine.
fn reached_at(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn ask(address: SocketAddr, path: &str, tls: bool) -> io::Result<u16> {
    let stream = TcpStream::connect(address).await?;
    if !tls {
        return exchange(stream, path).await;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    let name = ServerName::IpAddress(address.ip().into());
    exchange(TlsConnector::from(Arc::new(config)).connect(name, stream).await?, path).await
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> io::Result<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut head = Vec::new();
    while !head.contains(&b'\n') && (&mut stream).take(HEAD_MAX_BYTES).read_buf(&mut head).await? > 0 {}
    let line = String::from_utf8_lossy(&head);
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "what answers there does not speak HTTP/1.1"))
}

/// Takes any certificate: the gateway's own is for its public name, and nothing is told that anybody could not know.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _stapled: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

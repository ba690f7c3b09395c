//! TLS of the listener: one certificate with its key, read from files, and read again when they change.
//!
//! [`TlsListener`] gives out connections whose handshake is not made yet; it is made by whoever serves the connection, as
//! a part of waiting for the first head. So a client that dawdles over its handshake costs what one costs that dawdles
//! over its first request, and never holds up another.

mod pair;
mod stream;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use model::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub use pair::{Certificate, Unusable};
pub use stream::TlsStream;

use self::pair::Pair;
use super::seldom::Seldom;
use super::server::Listener;
use crate::config;
use crate::runtime::Runtime;

/// How often the files are looked at. What changed is used when it is the same at the next look: whoever replaces two
/// files is between them for a moment.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Handshakes under way at once; who comes beyond is sent away. Nobody waits, since a place is held for as long as the
/// client likes, up to the time for its first head.
const HANDSHAKES_MAX: usize = 4_096;

/// With fewer days left the log asks for a new certificate, once a day.
pub const FEW_DAYS: i64 = 14;

/// The listener's certificate and everything that is agreed on before HTTP.
pub struct Tls {
    files: config::Tls,
    current: ArcSwap<Pair>,
    handshakes: Arc<Semaphore>,
    crowded: Seldom,
    failed: Seldom,
}

/// What the looks at the files remember.
#[derive(Default)]
struct Looks {
    /// What the last look found.
    last: Option<[u8; 32]>,
    /// What was last tried to use, whether it could be used or not.
    tried: Option<[u8; 32]>,
    /// The days for which a new certificate was asked.
    days_told: Option<i64>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// What is wrong with them, in words for the operator. An expired certificate is not wrong: it is told, and used.
    pub fn load(files: &config::Tls) -> Result<Arc<Self>, Unusable> {
        let read = |file: &Path| std::fs::read(file).map_err(|source| unreadable(file, source));
        let (cert, key) = (read(&files.cert_file)?, read(&files.key_file)?);
        let pair = Pair::new(&cert, &key, files)?;
        Ok(Arc::new(Self {
            files: files.clone(),
            current: ArcSwap::from_pointee(pair),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            crowded: Seldom::default(),
            failed: Seldom::default(),
        }))
    }

    /// The certificate that is shown now.
    #[must_use]
    pub fn certificate(&self) -> Certificate {
        self.current.load().certificate.clone()
    }

    /// Tells of the certificate's age, and takes files that changed into use, until `stop`.
    pub async fn watch(self: Arc<Self>, runtime: Runtime, stop: CancellationToken) {
        for weakness in self.certificate().weaknesses() {
            tracing::warn!("[server.tls]: {weakness}");
        }
        let mut looks = Looks::default();
        loop {
            self.look(&mut looks, runtime.now()).await;
            if stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
                return;
            }
        }
    }

    async fn look(&self, looks: &mut Looks, now: Timestamp) {
        let read = async |file: &Path| tokio::fs::read(file).await.map_err(|source| unreadable(file, source));
        let found = match read(&self.files.cert_file).await {
            Ok(cert) => read(&self.files.key_file).await.map(|key| (cert, key)),
            Err(error) => Err(error),
        };
        let seen = match &found {
            Ok((cert, key)) => digest(&[cert, key]),
            Err(error) => digest(&[error.to_string().as_bytes()]),
        };
        let settled = looks.last.replace(seen) == Some(seen);
        let known = looks.tried.get_or_insert(self.current.load().digest);
        if settled && *known != seen {
            *known = seen;
            match found.and_then(|(cert, key)| Pair::new(&cert, &key, &self.files)) {
                Ok(pair) => {
                    let days_left = pair.certificate.days_left(now);
                    tracing::info!(days_left, "the listener's certificate was replaced");
                    for weakness in pair.certificate.weaknesses() {
                        tracing::warn!("[server.tls]: {weakness}");
                    }
                    self.current.store(Arc::new(pair));
                    looks.days_told = None;
                }
                Err(error) => {
                    tracing::error!(%error, "the new files of [server.tls] cannot be used; the certificate before them stays");
                }
            }
        }
        self.tell_of_age(looks, now);
    }

    fn tell_of_age(&self, looks: &mut Looks, now: Timestamp) {
        let days_left = self.current.load().certificate.days_left(now);
        if days_left >= FEW_DAYS || looks.days_told.replace(days_left) == Some(days_left) {
            return;
        }
        if days_left < 0 {
            tracing::error!(
                days_left,
                "the listener's certificate has expired, and the platform refuses it: renew it now"
            );
        } else {
            tracing::warn!(days_left, "the listener's certificate ends soon: renew it");
        }
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load().server.clone())
    }

    /// Tells what an operator can mend. Who breaks off or scans is no news.
    fn tell_of_failure(&self, error: &io::Error, now: Timestamp) {
        use rustls::{AlertDescription as Alert, Error as Tls, InvalidMessage};
        let told = match error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) {
            Some(Tls::AlertReceived(
                Alert::UnknownCA
                | Alert::BadCertificate
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnsupportedCertificate,
            )) => {
                "a client did not accept the listener's certificate; if it was the platform's: it wants one of a public \
                 authority, for this host, not expired, with its intermediates in `cert_file`"
            }
            Some(Tls::InvalidMessage(InvalidMessage::InvalidContentType)) => {
                "a client spoke something other than TLS to the listener; if it was the platform's, its address must begin \
                 with https://"
            }
            _ => return tracing::debug!(%error, "a handshake failed"),
        };
        if let Some(left_out) = self.failed.tell(now) {
            tracing::warn!(%error, left_out, "{told}");
        }
    }
}

fn unreadable(file: &Path, source: io::Error) -> Unusable {
    Unusable::Unreadable { file: file.to_owned(), source }
}

/// Of the parts and their lengths.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Takes connections that begin with TLS.
pub struct TlsListener {
    tcp: TcpListener,
    tls: Arc<Tls>,
    runtime: Runtime,
}

impl TlsListener {
    /// Lays TLS over a listener.
    #[must_use]
    pub fn new(tcp: TcpListener, tls: Arc<Tls>, runtime: Runtime) -> Self {
        Self { tcp, tls, runtime }
    }
}

impl Listener for TlsListener {
    type Stream = TlsStream;

    async fn accept(&mut self) -> io::Result<TlsStream> {
        let stream: TcpStream = Listener::accept(&mut self.tcp).await?;
        let Ok(place) = self.tls.handshakes.clone().try_acquire_owned() else {
            if let Some(left_out) = self.tls.crowded.tell(self.runtime.now()) {
                tracing::warn!(left_out, "{HANDSHAKES_MAX} handshakes are under way at once; more are sent away");
            }
            return Err(io::ErrorKind::ConnectionAborted.into());
        };
        Ok(TlsStream::new(stream, place, self.tls.clone(), self.runtime.clone()))
    }

    fn peer(stream: &TlsStream) -> Option<std::net::IpAddr> {
        stream.peer()
    }
}

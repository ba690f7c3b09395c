//! Why a call got no answer, as exactly as an operator needs it. The doctor asks; the path itself only wants to know
//! whether a call was sent ([`Failed`](super::Failed)).

use std::error::Error;
use std::io;

use rustls::CertificateError;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Its name leads nowhere.
    #[error("its name cannot be resolved")]
    NoSuchHost,
    /// Nobody listens.
    #[error("the connection is refused: nothing listens there")]
    Refused,
    /// The network has no way to it.
    #[error("there is no way to it in this network")]
    NoRoute,
    /// It takes too long.
    #[error("no answer in time")]
    Slow,
    /// Its certificate is over.
    #[error("its certificate has expired")]
    Expired,
    /// Its certificate has not begun.
    #[error("its certificate is not valid yet")]
    NotYetValid,
    /// Nobody we know vouches for it.
    #[error("its certificate is of an authority that is not trusted here")]
    Untrusted,
    /// Its certificate is an authority's own, which vouches for itself.
    #[error("its certificate is self-signed, and an authority's (CA:TRUE) instead of a server's")]
    SelfSigned,
    /// Its certificate is another's.
    #[error("its certificate is for another host")]
    OtherHost,
    /// Anything else about TLS.
    #[error("TLS cannot be agreed on: {0}")]
    Tls(String),
    /// The proxy does not let us through.
    #[error("the proxy does not connect us: {0}")]
    Proxy(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Trouble {
    /// Reads the chain of causes.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = error.source();
        let mut last = None;
        while let Some(one) = cause {
            if let Some(trouble) = known(one) {
                return trouble;
            }
            last = Some(one.to_string());
            cause = match one.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                // What is wrapped is not its own source.
                Some(inner) => Some(inner),
                None => one.source(),
            };
        }
        if error.is_timeout() {
            return Self::Slow;
        }
        Self::Other(last.unwrap_or_else(|| "the connection broke".to_owned()))
    }

    /// Whether it came before the other side was reached, so that it is a proxy's where there is one.
    #[must_use]
    pub const fn is_of_the_way(&self) -> bool {
        matches!(self, Self::NoSuchHost | Self::Refused | Self::NoRoute | Self::Slow)
    }

    /// What an operator can do about it.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::NoSuchHost => {
                "compare the host letter by letter, and see whether this machine's name server knows it"
            }
            Self::Refused => "see whether it runs, and whether the port is right",
            Self::NoRoute | Self::Slow => {
                "see whether a firewall is between, or whether this network wants a proxy (`proxy` in [outgoing])"
            }
            Self::Expired => "renew its certificate; if that is valid, this machine's clock is wrong",
            Self::NotYetValid => "set this machine's clock, or wait until the certificate begins",
            Self::Untrusted => {
                "name its authority in `ca_file` of [outgoing]; if it is a public host, its chain is incomplete or a proxy \
                 looks into TLS"
            }
            Self::SelfSigned => {
                "give it a certificate that an authority signed, and name that authority in `ca_file` of [outgoing] if it is \
                 your own"
            }
            Self::OtherHost => "call it by a name that its certificate has, or give it one for this name",
            Self::Tls(_) => "see whether TLS is spoken at this port, and at least TLS 1.2",
            Self::Proxy(_) => {
                "compare `proxy` in [outgoing] and its credentials, and see whether it lets us to this host"
            }
            Self::Other(_) => "look into the log of the other side",
        }
    }
}

fn known(cause: &(dyn Error + 'static)) -> Option<Trouble> {
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(of_tls(error));
    }
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return match error.kind() {
            io::ErrorKind::ConnectionRefused => Some(Trouble::Refused),
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some(Trouble::NoRoute),
            io::ErrorKind::TimedOut => Some(Trouble::Slow),
            _ if error.to_string().contains("failed to lookup address") => Some(Trouble::NoSuchHost),
            _ => None,
        };
    }
    let words = cause.to_string();
    if let Some(proxy) = words.strip_prefix("tunnel error: ") {
        return Some(Trouble::Proxy(proxy.to_owned()));
    }
    words.contains("failed to lookup address").then_some(Trouble::NoSuchHost)
}

fn of_tls(error: &rustls::Error) -> Trouble {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Trouble::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Trouble::NotYetValid,
            CertificateError::UnknownIssuer => Trouble::Untrusted,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Trouble::OtherHost,
            // The verifier has no name of its own for it.
            other if format!("{other:?}").contains("CaUsedAsEndEntity") => Trouble::SelfSigned,
            other => Trouble::Tls(other.to_string()),
        },
        other => Trouble::Tls(other.to_string()),
    }
}

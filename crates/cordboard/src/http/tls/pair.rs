//! A certificate with its key: read from PEM, fitted together, and looked at for what an operator should know.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use model::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, version};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use super::digest;
use crate::config;
use crate::config::TlsVersion;

const DAY_MS: i64 = 24 * 3_600_000;

/// Why files cannot serve as certificate and key.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A file.
    #[error("{} cannot be read: {source}; the user who runs Cordboard must be able to read it", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file that should hold the certificate.
    #[error("cert_file {}: {what}", file.display())]
    Certificate {
        /// Which.
        file: PathBuf,
        /// What is there instead, and what to do.
        what: &'static str,
    },
    /// The file that should hold the key.
    #[error("key_file {}: {what}", file.display())]
    Key {
        /// Which.
        file: PathBuf,
        /// What is there instead, and what to do.
        what: &'static str,
    },
    /// Two files of two pairs.
    #[error(
        "the key in {} does not belong to the first certificate in {}; write the certificate of this key first, its \
         intermediates after it", key.display(), cert.display()
    )]
    NoPair {
        /// The key.
        key: PathBuf,
        /// The certificate.
        cert: PathBuf,
    },
}

/// What an operator should know of the listener's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    not_before: Timestamp,
    not_after: Timestamp,
    hosts: Vec<String>,
    weaknesses: Vec<&'static str>,
}

impl Certificate {
    /// Whole days until it ends; below zero when it has.
    #[must_use]
    pub fn days_left(&self, now: Timestamp) -> i64 {
        (self.not_after.0 - now.0).div_euclid(DAY_MS)
    }

    /// Whether it is valid already.
    #[must_use]
    pub fn has_begun(&self, now: Timestamp) -> bool {
        self.not_before <= now
    }

    /// The hosts it is for.
    #[must_use]
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// Whether it is for this host.
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        self.hosts.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(domain) => host.split_once('.').is_some_and(|(_, parent)| parent.eq_ignore_ascii_case(domain)),
            None => pattern.eq_ignore_ascii_case(host),
        })
    }

    /// Why the platform may not accept it, in words for the operator.
    #[must_use]
    pub fn weaknesses(&self) -> &[&'static str] {
        &self.weaknesses
    }
}

/// A certificate with its key, ready to be shown.
pub(super) struct Pair {
    pub(super) server: Arc<ServerConfig>,
    pub(super) certificate: Certificate,
    /// Of the bytes of both files.
    pub(super) digest: [u8; 32],
}

impl Pair {
    pub(super) fn new(cert: &[u8], key: &[u8], files: &config::Tls) -> Result<Self, Unusable> {
        let of_cert = |what| Unusable::Certificate { file: files.cert_file.clone(), what };
        let of_key = |what| Unusable::Key { file: files.key_file.clone(), what };
        let chain = chain(cert).map_err(of_cert)?;
        let certificate = look_at(&chain).map_err(of_cert)?;
        let private = PrivateKeyDer::from_pem_slice(key).map_err(|_| of_key(no_key(key)))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certified = CertifiedKey::from_der(chain, private, &provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                Unusable::NoPair { key: files.key_file.clone(), cert: files.cert_file.clone() }
            }
            _ => of_key(
                "this kind of key is not supported; use RSA of 2048 to 8192 bits, ECDSA P-256 or P-384, or Ed25519",
            ),
        })?;
        let versions: &[_] = match files.min_version {
            TlsVersion::V1_2 => &[&version::TLS13, &version::TLS12],
            TlsVersion::V1_3 => &[&version::TLS13],
        };
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|_| of_cert("no cipher of this TLS version is there"))?;
        let mut server = builder.with_no_client_auth().with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { server: Arc::new(server), certificate, digest: digest(&[cert, key]) })
    }
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(no_certificate(pem)),
        Err(_) => {
            Err("its PEM is damaged: a certificate has a line BEGIN CERTIFICATE, Base64, and a line END CERTIFICATE")
        }
    }
}

fn no_certificate(pem: &[u8]) -> &'static str {
    if has(pem, "PRIVATE KEY-----") {
        "it holds a private key and no certificate; were `cert_file` and `key_file` swapped?"
    } else if has(pem, "CERTIFICATE REQUEST-----") {
        "it holds a request for a certificate; the authority's answer to it belongs here"
    } else if pem.first() == Some(&0x30) {
        "it is in DER; convert it: openssl x509 -inform der -in FILE -out FILE.pem"
    } else {
        "it holds no certificate in PEM"
    }
}

fn no_key(pem: &[u8]) -> &'static str {
    if has(pem, "ENCRYPTED") {
        "the key has a passphrase, which nobody can enter at a start; take it off: openssl pkey -in FILE -out FILE.plain"
    } else if has(pem, "CERTIFICATE-----") {
        "it holds a certificate and no private key; were `cert_file` and `key_file` swapped?"
    } else if has(pem, "PUBLIC KEY-----") {
        "it holds a public key; the private one belongs here"
    } else if pem.first() == Some(&0x30) {
        "it is in DER; convert it: openssl pkey -inform der -in FILE -out FILE.pem"
    } else {
        "it holds no private key in PEM"
    }
}

fn has(pem: &[u8], words: &str) -> bool {
    pem.windows(words.len()).any(|window| window == words.as_bytes())
}

fn look_at(chain: &[CertificateDer<'_>]) -> Result<Certificate, &'static str> {
    const BROKEN: &str = "its certificate cannot be read; fetch it from the authority again";
    let mut parsed = Vec::new();
    for der in chain {
        parsed.push(parse_x509_certificate(der).map_err(|_| BROKEN)?.1);
    }
    let [leaf, issuers @ ..] = parsed.as_slice() else { return Err(BROKEN) };
    let mut weaknesses = Vec::new();
    if leaf.issuer() == leaf.subject() {
        weaknesses.push("the certificate is self-signed: the platform accepts only one of a public authority");
    } else if issuers.is_empty() {
        weaknesses.push(
            "`cert_file` holds the certificate alone: without its intermediates after it (often called fullchain.pem) the \
             platform cannot verify it",
        );
    } else if !parsed.windows(2).all(|pair| pair[0].issuer() == pair[1].subject()) {
        weaknesses.push(
            "the certificates in `cert_file` do not form a chain: the gateway's own comes first, then each one's issuer",
        );
    }
    let mut hosts = Vec::new();
    if let Ok(Some(names)) = leaf.subject_alternative_name() {
        hosts.extend(names.value.general_names.iter().filter_map(host));
    }
    let ms = |time: x509_parser::time::ASN1Time| Timestamp(time.timestamp().saturating_mul(1000));
    let (not_before, not_after) = (ms(leaf.validity().not_before), ms(leaf.validity().not_after));
    Ok(Certificate { not_before, not_after, hosts, weaknesses })
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(host) => Some((*host).to_owned()),
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => Some(std::net::Ipv4Addr::from([*a, *b, *c, *d]).to_string()),
            bytes => <[u8; 16]>::try_from(bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
        },
        _ => None,
    }
}

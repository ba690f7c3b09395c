use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use super::*;
use crate::config::TlsVersion;
use crate::http::body;
use crate::http::server::{Handler, Limits, serve};
use crate::runtime::Tasks;

/// 2026-06-01.
const NOW: Timestamp = Timestamp(1_780_272_000_000);

/// An authority of a test's own, and a folder with the files of its certificates.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "The authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, folder: tempfile::tempdir().unwrap() }
    }

    /// A certificate until the first day of a month of 2026, with its key, both in PEM.
    fn issue(&self, until_month: u8) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned(), "*.example.com".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "The gateway");
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, until_month, 1);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn files(&self, cert: &str, key: &str) -> config::Tls {
        let file = |name: &str, text: &str| -> PathBuf {
            let path = self.folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let (cert_file, key_file) = (file("cert.pem", cert), file("key.pem", key));
        config::Tls { cert_file, key_file, min_version: TlsVersion::V1_2 }
    }

    fn load(&self, cert: &str, key: &str) -> Result<Arc<Tls>, String> {
        let tls = Tls::load(&self.files(cert, key));
        tls.map_err(|error| error.to_string().replace(&format!("{}/", self.folder.path().display()), ""))
    }
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    let authority = Authority::new();
    let ((cert, key), (_, other)) = (authority.issue(7), authority.issue(7));
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let request = cert
        .replace("BEGIN CERTIFICATE", "BEGIN CERTIFICATE REQUEST")
        .replace("END CERTIFICATE", "END CERTIFICATE REQUEST");
    let public = key.replace("PRIVATE", "PUBLIC");
    let broken = cert.replacen("MII", "MIJ", 1);
    let half = &cert[..cert.len() / 2];
    let pairs: [(&str, &str, &str); 11] = [
        ("two pairs", &cert, &other),
        ("swapped", &key, &cert),
        ("cert twice", &cert, &cert),
        ("encrypted", &cert, &encrypted),
        ("request", &request, &key),
        ("public", &cert, &public),
        ("half", half, &key),
        ("other bytes", &broken, &key),
        ("DER", "0\u{1}", &key),
        ("DER key", &cert, "0\u{1}"),
        ("nothing", "", ""),
    ];
    let mut said = String::new();
    for (name, cert, key) in pairs {
        let Err(error) = authority.load(cert, key) else { panic!("{name} is taken") };
        said.push_str(&format!("{name}: {error}\n"));
    }
    fs::remove_file(authority.folder.path().join("key.pem")).unwrap();
    let files = config::Tls { key_file: "nowhere/key.pem".into(), ..authority.files(&cert, &key) };
    said.push_str(&format!("missing: {}\n", Tls::load(&files).err().unwrap()));
    insta::assert_snapshot!(said);
}

#[test]
fn a_certificate_tells_its_age_its_hosts_and_its_weaknesses() {
    let authority = Authority::new();
    let (cert, key) = authority.issue(7);
    let alone = authority.load(&cert, &key).unwrap().certificate();
    assert_eq!((alone.days_left(NOW), alone.days_left(NOW + 40 * 86_400_000)), (30, -10));
    assert!(alone.has_begun(NOW) && !alone.has_begun(Timestamp(0)));
    let hosts = ["localhost", "LOCALHOST", "a.example.com", "a.b.example.com", "example.com", "other"];
    assert_eq!(hosts.map(|host| alone.is_for(host)), [true, true, true, false, false, false]);
    assert!(alone.weaknesses()[0].contains("fullchain.pem"), "{:?}", alone.weaknesses());

    let issuer = authority.issuer.pem();
    let whole = authority.load(&format!("{cert}{issuer}"), &key).unwrap().certificate();
    assert_eq!(whole.weaknesses(), [] as [&str; 0]);
    let twice = authority.load(&format!("{cert}{cert}{issuer}"), &key).unwrap().certificate();
    assert!(twice.weaknesses()[0].contains("do not form a chain"), "{:?}", twice.weaknesses());
    let own = authority.load(&issuer, &authority.issuer.key().serialize_pem()).unwrap().certificate();
    assert!(own.weaknesses()[0].contains("self-signed"), "{:?}", own.weaknesses());
}

#[tokio::test]
async fn files_that_changed_are_used_when_they_rest_and_bad_ones_are_not() {
    let authority = Authority::new();
    let ((first, first_key), (second, second_key)) = (authority.issue(7), authority.issue(8));
    let tls = authority.load(&first, &first_key).unwrap();
    let mut looks = Looks::default();
    let mut after_looks = async |times: usize| {
        for _ in 0..times {
            tls.look(&mut looks, NOW).await;
        }
        tls.certificate().days_left(NOW)
    };
    assert_eq!(after_looks(2).await, 30);
    // One of two files was replaced: between them nothing is tried.
    authority.files(&second, &first_key);
    assert_eq!(after_looks(1).await, 30);
    authority.files(&second, &second_key);
    assert_eq!(after_looks(1).await, 30, "they may not be whole yet");
    assert_eq!(after_looks(1).await, 61);
    for (cert, key) in [(first.as_str(), second_key.as_str()), ("", ""), (&first[..200], &first_key)] {
        authority.files(cert, key);
        assert_eq!(after_looks(3).await, 61, "the old pair stays");
    }
    fs::remove_file(authority.folder.path().join("cert.pem")).unwrap();
    assert_eq!(after_looks(3).await, 61);
    authority.files(&first, &first_key);
    assert_eq!(after_looks(2).await, 30);
}

struct Answers;

impl Handler for Answers {
    async fn handle(
        self: Arc<Self>,
        head: http::request::Parts,
        _: hyper::body::Incoming,
        _: Timestamp,
    ) -> http::Response<body::Answer> {
        let client = crate::http::ClientAddress::of(&head).unwrap();
        assert!(client.0.is_loopback());
        body::empty(http::StatusCode::NO_CONTENT)
    }
}

#[tokio::test]
async fn requests_come_over_tls_whatever_others_do_with_their_handshakes() {
    let authority = Authority::new();
    let (cert, key) = authority.issue(12);
    let tls = authority.load(&format!("{cert}{}", authority.issuer.pem()), &key).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let runtime = Runtime::system(Tasks::default(), [3; 32]);
    let stop = CancellationToken::new();
    let limits = Limits { head_timeout_ms: 3_000, ..Limits::default() };
    let listener = TlsListener::new(tcp, tls.clone(), runtime.clone());
    runtime.spawn(serve(listener, Arc::new(Answers), limits, runtime.clone(), stop.clone()));

    // One says nothing, one stops in the middle, one speaks plain HTTP. None of them holds up the next.
    let silent = TcpStream::connect(address).await.unwrap();
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.issuer.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    for (version, alpn) in [(&rustls::version::TLS12, "http/1.1"), (&rustls::version::TLS13, "h2")] {
        let builder = ClientConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[version]).unwrap();
        let mut config = builder.with_root_certificates(roots.clone()).with_no_client_auth();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn.as_bytes()));
        if alpn == "http/1.1" {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 204"), "{}", String::from_utf8_lossy(&answer));
        }
    }
    // All of them are closed when the time for their first head is over, and give their places back.
    for mut stream in [silent, half, plain] {
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest).await);
    }
    assert_eq!(tls.handshakes.available_permits(), HANDSHAKES_MAX);
    stop.cancel();
}

//! The keys of the network.

use secrecy::ExposeSecret as _;

use super::{GOOD, check, read};
use crate::config::TlsVersion;

/// The good file with these lines in its [server], and these after it.
fn with(server: &str, after: &str) -> String {
    GOOD.replacen("[server]", &format!("[server]\n{server}"), 1) + after
}

#[test]
fn the_network_is_read() {
    let server = "public_url = \"https://bots.example.com\"\ntrusted_proxies = [\"10.0.0.0/8\", \"2001:db8::1\"]\n\
                  tls = { cert_file = \"cert.pem\", key_file = \"/etc/key.pem\", min_version = \"1.3\" }";
    let outgoing = "\n[outgoing]\nproxy = \"http://user:hush@proxy:3128\"\nno_proxy = [\"example.com\", \"10.0.0.0/8\"]\n\
                    ca_file = \"authority.pem\"\nconnect_timeout_ms = 500";
    let written = read(&with(server, outgoing)).unwrap();
    assert!(written.outgoing.proxy.as_ref().unwrap().expose_secret().starts_with("http://user:hush"));
    assert!(!format!("{:?}", written.outgoing).contains("hush"));
    let config = check(&with(server, outgoing)).unwrap();
    let tls = config.server.tls.unwrap();
    assert!(tls.cert_file.ends_with("examples/cert.pem") && tls.key_file.ends_with("/etc/key.pem"), "{tls:?}");
    assert_eq!((tls.min_version, config.server.trusted_proxies.networks().len()), (TlsVersion::V1_3, 2));
    assert!(config.outgoing.ca_file.as_ref().unwrap().ends_with("examples/authority.pem"));
    assert_eq!(config.outgoing.proxy_origin().unwrap(), "http://proxy:3128");
    let hosts = [
        ("api.mypurecloud.de", true),
        ("example.com", false),
        ("a.EXAMPLE.com", false),
        ("notexample.com", true),
        ("10.1.2.3", false),
        ("11.1.2.3", true),
        ("localhost", false),
        ("127.0.0.5", false),
        ("[::1]", false),
    ];
    for (host, by_proxy) in hosts {
        assert_eq!(config.outgoing.goes_by_proxy(host), by_proxy, "{host}");
    }
}

/// Lines of [server] or after it, and what is said of them.
#[test]
fn mistakes_of_the_network_are_named_with_their_place() {
    let changes = [
        ("public_url = \"http://bots.example.com\"", ""),
        ("public_url = \"https://bots.example.com/genesys\"", ""),
        ("public_url = \"bots.example.com\"", ""),
        ("trusted_proxies = [\"10.0.0.0/33\"]", ""),
        ("trusted_proxies = [\"proxy.example.com\"]", ""),
        ("trusted_proxies = \"10.0.0.0/8\"", ""),
        ("trusted_proxies = [\"0.0.0.0/0\"]", ""),
        ("tls = { cert_file = \"cert.pem\" }", ""),
        ("tls = { cert_file = \"c\", key_file = \"k\", min_version = \"1.1\" }", ""),
        ("tls = { cert_file = \"c\", key_file = \"k\", min_version = 1.3 }", ""),
        ("tls = { cert = \"c\", key_file = \"k\" }", ""),
        ("", "[outgoing]\nproxy = \"proxy:3128\""),
        ("", "[outgoing]\nproxy = \"socks5://user:hush@proxy:3128\""),
        ("", "[outgoing]\nproxy = \"http://user:hush@proxy:3128/path\""),
        ("", "[outgoing]\nproxy = 3128"),
        ("", "[outgoing]\nno_proxy = [\"http://example.com\"]"),
        ("", "[outgoing]\nno_proxy = [\"a.example.com,b.example.com\"]"),
        ("", "[outgoing]\nno_proxy = [\"example.com:443\"]"),
        ("", "[outgoing]\nconnect_timeout_ms = 5"),
        ("", "[outgoing]\nca_files = \"a.pem\""),
        ("", "[outgoings]"),
    ];
    let mut said = String::new();
    for (server, after) in changes {
        let Err(problems) = check(&with(server, after)) else { panic!("{server}{after} is taken") };
        let problems = problems.to_string();
        assert!(!problems.contains("hush"), "{problems}");
        said.push_str(&format!("{}{}\n    {problems}\n", server, after.replace('\n', "⏎").replace("hush", "…")));
    }
    insta::assert_snapshot!(said);
}

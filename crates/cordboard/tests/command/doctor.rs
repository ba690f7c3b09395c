//! An operator asks what is wrong, before a gateway runs and beside one.

use serde_json::Value;
use simulator::{Integration, Settings, Simulator};

use crate::called::{Served, file, run, text};
use crate::set_up::gateway_file;

#[tokio::test]
async fn the_doctor_says_what_fails_by_its_exit_code_too() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(Settings::default()).await.unwrap();
    simulator.register(Integration::v2("http://127.0.0.1:9/unused"));
    let config = gateway_file(folder.path(), &simulator.url());
    let written = std::fs::read_to_string(&config).unwrap();
    let wrong = file(folder.path(), "wrong.toml", &written.replace("simulated-secret", "another-secret"));

    let well = run(&["doctor", "--config", &config]).await;
    assert_eq!(well.status.code(), Some(0), "{well:?}");
    assert!(
        text(&well.stdout).contains("there is no store yet") && text(&well.stdout).contains(" 0 failed"),
        "{well:?}"
    );
    assert!(!folder.path().join("data").exists(), "a look makes nothing");

    let served = Served::start(folder.path(), &config).await;
    let ill = run(&["doctor", "--json", "--config", &wrong]).await;
    assert_eq!((ill.status.code(), text(&ill.stderr).as_str()), (Some(1), "cordboard: 1 check failed\n"), "{ill:?}");
    let report: Value = serde_json::from_slice(&ill.stdout).unwrap();
    let status = |check: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|one| one["check"] == check).unwrap()["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(["store", "token", "permission"].map(status), ["ok", "failed", "skipped"]);
    served.signal("-TERM").await;
    served.ended().await;

    let table: [(&[&str], i32, &str, &str); 4] = [
        (&["doctor", "--org", "acne", "--config", &config], 1, "", "there is no [orgs.acne]; there are: acme"),
        (&["check", "--online", "--config", &config], 0, "the configuration is right\nok ", ""),
        (
            &["check", "--online", "--config", &wrong],
            1,
            "refuses the OAuth client (401 invalid_client)",
            "1 check failed",
        ),
        (&["check", "--config", &wrong], 0, "the configuration is right\n", ""),
    ];
    for (arguments, code, shown, told) in table {
        let output = run(arguments).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(
            text(&output.stdout).contains(shown) && text(&output.stderr).contains(told),
            "{arguments:?}: {output:?}"
        );
    }
    simulator.stop().await;
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_told_by_check_and_serve() {
    let folder = tempfile::tempdir().unwrap();
    let config = gateway_file(folder.path(), "http://127.0.0.1:9");
    let tls = "[server]\ntls = { cert_file = \"cert.pem\", key_file = \"key.pem\" }";
    let written = std::fs::read_to_string(&config).unwrap().replace("[server]", tls);
    let config = file(folder.path(), "tls.toml", &written);
    let outgoing = written.clone() + "[outgoing]\nca_file = \"tls.toml\"\n";
    let output = run(&["check", "--config", &file(folder.path(), "outgoing.toml", &outgoing)]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("tls.toml: it holds no certificate in PEM"), "{output:?}");
    let key = rcgen::KeyPair::generate().unwrap();
    file(folder.path(), "key.pem", &key.serialize_pem());
    for command in ["check", "serve"] {
        let output = run(&[command, "--config", &config]).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text(&output.stderr).contains("cert.pem cannot be read: No such file"), "{output:?}");
    }
    let mut expired = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    expired.not_after = rcgen::date_time_ymd(2021, 1, 1);
    file(folder.path(), "cert.pem", &expired.self_signed(&key).unwrap().pem());
    let output = run(&["check", "--config", &config]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("the certificate has expired"), "{output:?}");
    // It is served all the same: a gateway that does not start mends nothing.
    let served = Served::start(folder.path(), &config).await;
    served.stops().await;
}

//! What is handed out: the unit, what the service manager is told, the archive.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::net::UnixDatagram;
use tokio::process::{Child, Command};

use crate::called::{Served, cordboard, file, run, text};
use crate::set_up::gateway_file;
use crate::stopping::PATIENCE;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

async fn told(socket: &UnixDatagram) -> String {
    let mut message = [0; 1024];
    let length = tokio::time::timeout(PATIENCE, socket.recv(&mut message)).await.expect("the manager is told").unwrap();
    text(&message[..length])
}

/// The next message that is not only a sign of life.
async fn news(socket: &UnixDatagram) -> String {
    loop {
        let message = told(socket).await;
        if message != "WATCHDOG=1\n" {
            return message;
        }
    }
}

async fn signal(child: &Child, name: &str) {
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().await.unwrap().success());
}

#[tokio::test]
async fn a_service_manager_is_told_of_the_start_the_life_and_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let config = gateway_file(folder.path(), "http://127.0.0.1:1");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut child = cordboard(&["serve", "--config", &config])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "300000")
        .env_remove("WATCHDOG_PID")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = told(&socket).await;
    assert!(started.starts_with("READY=1\nSTATUS=answering on http://127.0.0.1:"), "{started}");
    for _ in 0..3 {
        assert_eq!(told(&socket).await, "WATCHDOG=1\n");
    }
    signal(&child, "-HUP").await;
    let reloading = news(&socket).await;
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(news(&socket).await, "READY=1\nSTATUS=answering, with the configuration read again\n");
    std::fs::write(&config, "version = 1\n[sever]\n").unwrap();
    signal(&child, "-HUP").await;
    assert!(news(&socket).await.starts_with("RELOADING=1\n"));
    assert!(news(&socket).await.starts_with("READY=1\nSTATUS=answering, with the earlier configuration"));
    signal(&child, "-TERM").await;
    assert!(news(&socket).await.starts_with("STOPPING=1\n"));
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn systemd_finds_nothing_wrong_with_the_unit() {
    let unit = std::fs::read_to_string(repository().join("packaging/systemd/cordboard.service")).unwrap();
    // The program is not installed where the tests run.
    let unit = unit.replace("/usr/bin/cordboard", env!("CARGO_BIN_EXE_cordboard"));
    let folder = tempfile::tempdir().unwrap();
    let unit = file(folder.path(), "cordboard.service", &unit);
    // Exposure 1.5 of 10: what is left is the network, and a user that is not dynamic.
    for arguments in [&["verify", "--man=no"][..], &["security", "--offline=yes", "--threshold=15", "--no-pager"]] {
        match Command::new("systemd-analyze").args(arguments).arg(&unit).output().await {
            Ok(output) => {
                assert!(output.status.success(), "{arguments:?}: {output:?}");
                assert_eq!(text(&output.stderr), "", "{arguments:?}");
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return println!("NOT TESTED: the unit, since there is no systemd-analyze on this machine");
            }
            Err(error) => panic!("systemd-analyze: {error}"),
        }
    }
}

#[tokio::test]
async fn the_archive_holds_what_its_checksum_says() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    // Packed is a small program that stands for the large one.
    let binary =
        file(folder.path(), "cordboard", concat!("#!/bin/sh\nexec ", env!("CARGO_BIN_EXE_cordboard"), " \"$@\"\n"));
    std::fs::set_permissions(&binary, PermissionsExt::from_mode(0o755)).unwrap();
    let script = repository().join("scripts/package");
    let made = Command::new(&script).args(["--binary", &binary, "--out", out]).output().await.unwrap();
    assert!(made.status.success(), "{made:?}");
    let archive = text(&made.stdout).trim().to_owned();
    let checked = Command::new("sha256sum").arg("-c").arg(format!("{archive}.sha256")).current_dir(out).output().await;
    assert!(checked.unwrap().status.success());
    let listed = text(&Command::new("tar").args(["-tzf", &archive]).output().await.unwrap().stdout);
    for file in [
        "/bin/cordboard",
        "/lib/systemd/system/cordboard.service",
        "/lib/sysusers.d/cordboard.conf",
        "/share/man/man1/cordboard-serve.1",
        "/share/bash-completion/completions/cordboard",
        "/share/zsh/site-functions/_cordboard",
        "/share/fish/vendor_completions.d/cordboard.fish",
        "/share/doc/cordboard/LICENSE",
        "/share/doc/cordboard/examples/cordboard.toml",
        "/share/doc/cordboard/examples/bots/parcels.toml",
        "/share/doc/cordboard/guides/write-a-webhook-bot.md",
    ] {
        assert!(listed.lines().any(|line| line.ends_with(file)), "{file} is not in\n{listed}");
    }
}

#[tokio::test]
async fn completions_and_pages_know_every_command() {
    let help = text(&run(&["--help"]).await.stdout);
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    // Descriptions that are too long for a line go on further in.
    let commands: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.contains(&"serve") && commands.len() > 8, "{commands:?}");
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("man1");
    assert_eq!(run(&["man", "--dir", dir.to_str().unwrap()]).await.status.code(), Some(0));
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&run(&["completions", shell]).await.stdout);
        for command in commands.iter().filter(|command| **command != "help") {
            assert!(script.contains(command), "{shell} does not know {command}");
            assert!(dir.join(format!("cordboard-{command}.1")).exists(), "{command} has no page");
        }
    }
}

#[tokio::test]
async fn a_health_check_finds_the_gateway_or_says_that_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let config = gateway_file(folder.path(), "http://127.0.0.1:1");
    let anywhere = run(&["healthcheck", "--config", &config]).await;
    assert!(text(&anywhere.stderr).contains("ends in :0"), "{anywhere:?}");
    let written = std::fs::read_to_string(&config).unwrap();
    let listening_on = |address: &str| file(folder.path(), "cordboard.toml", &written.replace("127.0.0.1:0", address));
    let dead = run(&["healthcheck", "--config", &listening_on("0.0.0.0:9")]).await;
    assert_eq!(dead.status.code(), Some(1));
    assert!(text(&dead.stderr).contains("does `cordboard serve` run here?"), "{dead:?}");
    let served = Served::start(folder.path(), &listening_on("0.0.0.0:0")).await;
    // As if this port had been chosen.
    let config = listening_on(&served.address);
    for (arguments, said) in [(&["healthcheck"][..], "alive\n"), (&["healthcheck", "--ready"], "ready\n")] {
        let asked = run(&[arguments, &["--config", &config]].concat()).await;
        assert_eq!((asked.status.code(), text(&asked.stdout).as_str()), (Some(0), said), "{asked:?}");
    }
    served.stops().await;
}

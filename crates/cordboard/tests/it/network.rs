//! The network's bad days: a login host that is down, an address with a slash too many.

use std::io;
use std::sync::{Arc, Mutex};

use cordboard::gateway::Limits;

use crate::gateway::{Behaviour, Gateway, KEY, Setup, V1, V2};
use crate::raw::{request, send};

/// The lines of the log of this test's thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let writer = self.clone();
        let log = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(move || writer.clone());
        tracing::subscriber::set_default(log.finish())
    }

    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_push_waits_while_no_token_can_be_had() {
    let lines = Lines::default();
    let _listening = lines.listen();
    // One attempt is all a push gets: had waiting counted, it would be over.
    let defaults = Setup::default();
    let limits = Limits { push_attempts_max: 1, aborted_attempts_max: 0, ..defaults.limits.clone() };
    let gateway = Gateway::start_with(Setup { limits, soft_deadline_ms: 50, ..defaults }).await;
    gateway.logins_get(503);
    gateway.bot(Behaviour::Waits);
    assert_eq!(gateway.says("s1", "m1", "hello").await.json()["botState"], "MoreData");
    gateway.bot(Behaviour::Echoes);
    gateway.logins(3).await;
    assert!(!gateway.was_pushed());
    gateway.logins_get(200);
    assert_eq!(gateway.push().await["replyMessages"][0]["text"], "you said hello");
    assert_eq!(gateway.letters().await, [] as [&str; 0]);
    let told = lines.take();
    let count = |words: &str| told.matches(words).count();
    assert_eq!((count("its pushes wait"), count("there are tokens again")), (1, 1), "{told}");
}

#[tokio::test]
async fn a_path_with_a_slash_too_many_is_told_what_it_should_be() {
    let lines = Lines::default();
    let _listening = lines.listen();
    let calls = [
        format!("{V2}//messages"),
        format!("{V2}/messages/"),
        format!("/{V2}/messages"),
        format!("{}/messages", V2.to_uppercase()),
        format!("{V2}/messages/messages"),
        format!("{V2}/bots//claims"),
        format!("{V2}/message"),
        format!("{V1}/"),
        format!("{V1}/messages"),
        "/wp-login.php?user=hush".to_owned(),
    ];
    let mut told = String::new();
    for path in calls {
        // A gateway of its own for each, since such lines are written seldom.
        let gateway = Gateway::start().await;
        lines.take();
        for _ in 0..2 {
            let answer = send(gateway.address, &request("POST", &path, &[KEY], b"{}")).await;
            assert_eq!(answer.status, 404, "{path}");
        }
        told.push_str(&format!("POST {path}\n{}", lines.take()));
    }
    assert!(!told.replace("POST /wp-login.php?user=hush", "").contains("hush"), "{told}");
    insta::assert_snapshot!(told);
}

//! A service manager stops the gateway while customers talk to it.

use std::time::Duration;

use simulator::record::Event;
use simulator::{FlowSettings, Integration, Settings, Simulator};

use crate::called::{Served, file};
use crate::set_up::gateway_file;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn customers_get_their_answers_across_a_restart_under_load() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(Settings { rate_limit: None, ..Settings::default() }).await.unwrap();
    let config = gateway_file(folder.path(), &simulator.url());
    let served = Served::start(folder.path(), &config).await;
    let base = format!("http://{}/genesys", served.address);
    let door = simulator.register(Integration::v2(base).header("x-key", "a-secret-of-some-length"));
    let mut customers = Vec::new();
    for _ in 0..20 {
        let customer = simulator.conversation(&door, "thinker", FlowSettings::default()).await.unwrap();
        customer.say("hello");
        customers.push(customer);
    }
    for customer in &customers {
        assert!(customer.next_bot_message(PATIENCE).await.is_some_and(|seen| seen.contains("You said hello")));
        customer.say("think");
    }
    let asked =
        || simulator.record().entries().iter().filter(|entry| matches!(entry.event, Event::Asked { .. })).count();
    while asked() < 40 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    served.signal("-TERM").await;
    // Every wait is answered by the drain, long before its deadline, and the process ends before any answer is there.
    for customer in &customers {
        assert!(customer.settled(PATIENCE).await);
    }
    assert_eq!(served.ended().await, Some(0));

    let again = Served::start(folder.path(), &config).await;
    door.set_url(format!("http://{}/genesys", again.address));
    for customer in &customers {
        let seen = customer.next_bot_message(PATIENCE).await;
        assert!(seen.is_some_and(|seen| seen.text() == "I thought about it."), "{}", customer.text());
        customer.say("thank you");
        assert!(customer.next_bot_message(PATIENCE).await.is_some_and(|seen| seen.contains("You said thank you")));
        assert_eq!(customer.seen().len(), 3, "nothing is said twice: {}", customer.text());
    }
    assert_eq!(simulator.record().violations(), Vec::new());
    again.signal("-INT").await;
    assert_eq!(again.ended().await, Some(0));
    simulator.stop().await;
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let config = gateway_file(folder.path(), "http://127.0.0.1:9");
    let text = std::fs::read_to_string(&config).unwrap().replace("drain_ms = 300", "drain_ms = 600000");
    let config = file(folder.path(), "patient.toml", &text);
    let served = Served::start(folder.path(), &config).await;
    served.signal("-TERM").await;
    // The kernel merges a second signal with a first one that was not taken yet, so it is sent until it counts.
    let mut child = served.child;
    let pid = child.id().unwrap().to_string();
    let status = loop {
        match tokio::time::timeout(Duration::from_millis(100), child.wait()).await {
            Ok(status) => break status.unwrap(),
            Err(_) => {
                tokio::process::Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
            }
        }
    };
    assert_eq!(status.code(), Some(1));
}

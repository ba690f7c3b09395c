//! How many commits a customer waits for: counted, so that a change which adds one is seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::Late;

use super::platform::{self, Exchange};
use super::world::World;
use crate::store::memory::{Fault, Write};

fn counted(late: Late, think_ms: u64) -> Vec<Exchange> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async move {
        let commits = Arc::new(AtomicU64::new(0));
        let counter = commits.clone();
        let faults = Arc::new(move |write| {
            if matches!(write, Write::Commit | Write::Claim | Write::Accept) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
            Fault::None
        });
        let world = Arc::new(World::calm(late, think_ms, faults));
        let exchanges = platform::exchange(&world, 3, &commits).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        exchanges
    })
}

/// Accept and apply are one commit, answer and apply are one; a row that is sent at once needs none of its own.
#[test]
fn an_answer_in_time_costs_two_commits() {
    for late in [Late::Push, Late::PollButton] {
        for exchange in counted(late, 300) {
            assert_eq!((exchange.seen_after, exchange.in_response), (2, true), "{late:?}");
        }
    }
}

/// Accept, the soft deadline's acknowledgement, the answer with its push; the push's settlement is awaited by nobody.
#[test]
fn an_answer_past_the_soft_deadline_costs_three_commits() {
    for exchange in counted(Late::Push, 3_000) {
        assert_eq!((exchange.seen_after, exchange.in_response), (3, false));
    }
}

//! An answer of which the customer got a part, and then its process ends.

use std::sync::Arc;
use std::time::Duration;

use model::Late;

use super::platform::{self, reply};
use super::world::World;
use crate::store::memory::Memory;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It crashes before anything of the answer came.
    Early,
    /// It crashes behind the first line.
    Crash,
    /// It stops in order there.
    Stop,
}

async fn ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// What the customer saw at last, and how often the engine was asked.
async fn told(end: End) -> (Vec<String>, usize) {
    let mut world = World::calm_on(Late::Push, 300, Memory::new([9; 16]));
    world.listens = true;
    let world = Arc::new(world);
    // A piece of it comes every 10 ms.
    let rest = "and so on ".repeat(20);
    let answers = (0..3).map(|attempt| reply(200, format!("answer {attempt}\n{rest}")));
    world.scripted.lock().unwrap().extend(answers);
    let life = world.start(u64::MAX).await;
    if end == End::Early {
        drop(tokio::time::timeout(Duration::from_millis(5), platform::call(&world, 0, "s", "hello", "m", None)).await);
    } else {
        let response = platform::call(&world, 0, "s", "hello", "m", None).await;
        assert_eq!(response.as_deref(), Some("answer 0\n"), "{end:?}");
        ms(50).await;
    }
    if end == End::Stop {
        world.gateway().unwrap().0.stop();
        ms(50).await;
    }
    world.kill(&life);
    world.start(u64::MAX).await;
    ms(30_000).await;
    let asked = 3 - world.scripted.lock().unwrap().len();
    let seen = world.platform.lock().unwrap().sessions.get("s").map(|session| session.seen.clone());
    (seen.unwrap_or_default(), asked)
}

#[test]
fn an_answer_of_which_the_customer_has_a_part_is_not_asked_for_again() {
    for end in [End::Early, End::Crash, End::Stop] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (seen, asked) = runtime.block_on(told(end));
        let seen: Vec<&str> = seen.iter().map(|line| line.trim_end()).collect();
        let rest = "and so on ".repeat(20);
        let (expected, times) = match end {
            End::Early => (["answer 1", rest.trim_end()], 2),
            End::Crash | End::Stop => (["answer 0", "fallback"], 1),
        };
        assert_eq!((&seen[..], asked), (&expected[..], times), "{end:?}");
    }
}

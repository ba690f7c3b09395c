//! Situations that chance reaches too seldom, each forced once in a calm world.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use http::HeaderValue;
use model::{BotKey, ConnectorKey, ConversationId, Event, Holder, Late, RequestId, Timestamp};

use super::door::{SimulatedConnector, UNRENDERABLE};
use super::engine::UNREADABLE;
use super::platform;
use super::world::World;
use crate::connector::Arrival;
use crate::roster::Roster;
use crate::runtime::Clock as _;
use crate::store::memory::{Fault, Faults, Memory, Read, ReadFaults, Write};
use crate::store::{Blob, JournalRow, LetterQuery, OutboxRow, OutboxSeq, Replica, Step, Store as _, Sweep};

fn calm(late: Late, think_ms: u64, memory: Memory, story: impl AsyncFnOnce(Arc<World>)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async move { story(Arc::new(World::calm_on(late, think_ms, memory))).await });
}

fn memory() -> Memory {
    Memory::new([9; 16])
}

async fn says(world: &Arc<World>, said: &str) -> Option<String> {
    platform::call(world, 0, "s", said, said, None).await
}

fn seen(world: &World) -> Vec<String> {
    world.platform.lock().unwrap().sessions.get("s").map(|session| session.seen.clone()).unwrap_or_default()
}

async fn ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// A switch that a test turns, and a hook of the store reads.
#[derive(Clone, Default)]
struct Switch(Arc<AtomicBool>);

impl Switch {
    fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }

    fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// While it is on, this is what becomes of such a write.
    fn spoils(&self, what: Write, becomes: Fault) -> Faults {
        let switch = self.clone();
        Arc::new(move |write| if write == what && switch.is_on() { becomes } else { Fault::None })
    }

    /// While it is on, nothing of these kinds can be read.
    fn hides(&self, what: &'static [Read]) -> ReadFaults {
        let switch = self.clone();
        Arc::new(move |read| what.contains(&read) && switch.is_on())
    }
}

async fn the_conversation(world: &World) -> ConversationId {
    world.memory.conversations(10).await.unwrap()[0]
}

#[test]
fn a_conversation_whose_last_reply_left_is_over_for_the_store_too() {
    for late in [Late::Push, Late::PollButton] {
        calm(late, 300, memory(), async |world| {
            world.start(u64::MAX).await;
            says(&world, "thanks bye").await.unwrap();
            ms(1_000).await;
            let swept = world.memory.sweep(Sweep {
                requests_before: Timestamp(0),
                conversations_before: Timestamp(i64::MAX),
                limit: 10,
            });
            assert_eq!(swept.await.unwrap().conversations, 1, "{late:?}");
        });
    }
}

/// The note that its last reply left may be stored after its last step.
#[test]
fn a_conversation_that_is_over_leaves_memory_however_late_its_last_note_is_stored() {
    let refusing = Switch::default();
    let memory = memory().with_faults(refusing.spoils(Write::MarkOut, Fault::Refused));
    calm(Late::Push, 300, memory, async |world| {
        world.start(u64::MAX).await;
        let (shared, _) = world.gateway().unwrap();
        refusing.set(true);
        says(&world, "thanks bye").await.unwrap();
        ms(200).await;
        assert_eq!(shared.slots.all().len(), 1, "the store was not told yet");
        refusing.set(false);
        ms(5_000).await;
        assert_eq!(shared.slots.all(), []);
    });
}

/// A platform that repeats a request gets its reply again, and the conversation late news of it.
#[test]
fn a_hand_over_counts_although_late_news_of_a_reply_is_told_with_it() {
    calm(Late::Push, 300, memory(), async |world| {
        world.start(u64::MAX).await;
        let (shared, _) = world.gateway().unwrap();
        says(&world, "hello").await.unwrap();
        ms(1_000).await;
        shared.reply_out(the_conversation(&world).await, RequestId(1));
        let bot = BotKey::from("bot");
        assert_eq!(shared.hand_over_all(&bot, "it says nonsense").await, 1);
        assert_eq!(shared.hand_over_all(&bot, "it says nonsense").await, 0);
    });
}

#[test]
fn a_message_that_comes_again_before_it_was_stored_is_applied_once() {
    calm(Late::Push, 300, memory(), async |world| {
        world.start(u64::MAX).await;
        let (shared, _) = world.gateway().unwrap();
        let connector = shared.roster().connectors.get(&ConnectorKey::from("door")).unwrap().clone();
        let arrival = Arrival { at: world.clock.now(), correlation: None, request: None, trace: None };
        let message = || platform::request(Late::Push, 0, "s", "hello", "m1", None);
        // The first client is gone at once; both messages queue before a step takes either.
        assert!(shared.receive(&connector, message(), arrival.clone()).now_or_never().is_none());
        let second = shared.receive(&connector, message(), arrival).await;
        second.delivery.out();
        drop(second);
        ms(20_000).await;
        assert_eq!(seen(&world), ["answer to hello"]);
    });
}

/// The platform's retry may be the first to load a conversation after a restart. Whatever an earlier run left must be
/// picked up all the same.
#[test]
fn a_retry_that_loads_a_conversation_starts_what_an_earlier_run_left() {
    let blind = Switch::default();
    let memory = memory().with_read_faults(blind.hides(&[Read::Due]));
    calm(Late::Push, 3_000, memory, async |world| {
        let life = world.start(u64::MAX).await;
        assert_eq!(says(&world, "hello").await.unwrap(), "", "acknowledged at the soft deadline");
        world.kill(&life);
        blind.set(true);
        world.start(u64::MAX).await;
        assert_eq!(says(&world, "hello").await.unwrap(), "");
        ms(20_000).await;
        assert_eq!(seen(&world), ["answer to hello"]);
    });
}

#[test]
fn a_first_step_of_unknown_outcome_does_not_lock_its_conversation_out() {
    let lost = Switch::default();
    let memory = memory()
        .with_faults(lost.spoils(Write::Commit, Fault::Stored))
        .with_read_faults(lost.hides(&[Read::Load, Read::Journal]));
    calm(Late::Push, 300, memory, async |world| {
        world.start(u64::MAX).await;
        lost.set(true);
        assert_eq!(says(&world, "hello").await, None, "refused: nobody knows");
        lost.set(false);
        // The retry joins the request that was stored after all; its answer comes in the response or by a push.
        assert!(says(&world, "hello").await.is_some());
        says(&world, "still there?").await.unwrap();
        ms(30_000).await;
        assert_eq!(seen(&world), ["answer to hello", "answer to still there?"]);
    });
}

/// Without it, a restart would take the reply for one that may not have left, and say it again.
#[test]
fn the_news_that_a_reply_left_is_told_until_the_store_takes_it() {
    let down = Switch::default();
    let memory = memory().with_faults(down.spoils(Write::MarkOut, Fault::Refused));
    calm(Late::Push, 300, memory, async |world| {
        world.start(u64::MAX).await;
        down.set(true);
        says(&world, "hello").await.unwrap();
        ms(1_000).await;
        let unmarked =
            async || world.memory.load(the_conversation(&world).await).await.unwrap().unwrap().requests.len();
        assert_eq!(unmarked().await, 1);
        down.set(false);
        ms(5_000).await;
        assert_eq!(unmarked().await, 0);
    });
}

#[test]
fn a_store_that_takes_nothing_is_asked_ever_less_often_but_at_once_for_a_message() {
    let (down, commits) = (Switch::default(), Arc::new(AtomicU64::new(0)));
    let (hook, count) = (down.clone(), commits.clone());
    let memory = memory().with_faults(Arc::new(move |write| {
        if write != Write::Commit || !hook.is_on() {
            return Fault::None;
        }
        count.fetch_add(1, Ordering::Relaxed);
        Fault::Refused
    }));
    calm(Late::Push, 3_000, memory, async |world| {
        world.start(u64::MAX).await;
        assert_eq!(says(&world, "hello").await.unwrap(), "", "acknowledged at the soft deadline");
        down.set(true);
        ms(60_000).await;
        let tries = commits.load(Ordering::Relaxed);
        assert!((5..=15).contains(&tries), "{tries}");
        down.set(false);
        assert!(says(&world, "still there?").await.is_some(), "a message does not wait for the pause to end");
        ms(20_000).await;
        assert_eq!(seen(&world), ["answer to hello", "answer to still there?"]);
    });
}

/// What was committed though nobody could learn it: rows that it settled are sent no more, rows that it added are.
#[test]
fn an_answer_of_unknown_outcome_is_neither_lost_nor_blocks_its_lane() {
    let lost = Switch::default();
    let memory = memory()
        .with_faults(lost.spoils(Write::Commit, Fault::Stored))
        .with_read_faults(lost.hides(&[Read::Load, Read::Journal]));
    calm(Late::Push, 1_000, memory, async |world| {
        world.start(u64::MAX).await;
        let (waiting, told) = (world.clone(), tokio::sync::oneshot::channel());
        let first = async move {
            let body = says(&waiting, "hello").await;
            told.0.send(body).unwrap();
        };
        let story = async {
            ms(900).await;
            lost.set(true);
            ms(300).await;
            lost.set(false);
            assert_eq!(told.1.await.unwrap().as_deref(), Some("answer to hello\n"), "it was sealed after all");
            assert_eq!(says(&world, "and now?").await.as_deref(), Some("answer to and now?\n"));
        };
        futures_util::join!(first, story);
    });
}

/// A part of an answer settles no row, so nothing but the journal tells that it was said.
#[test]
fn a_part_of_unknown_outcome_is_said_once() {
    let (lost, commits) = (Switch::default(), AtomicU64::new(0));
    let hook = lost.clone();
    let second_is_lost: Faults = Arc::new(move |write| {
        if write == Write::Commit && commits.fetch_add(1, Ordering::Relaxed) == 1 {
            hook.set(true);
            return Fault::Stored;
        }
        Fault::None
    });
    let memory = memory().with_faults(second_is_lost).with_read_faults(lost.hides(&[Read::Load, Read::Journal]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async move {
        let mut world = World::calm_on(Late::Push, 300, memory);
        world.listens = true;
        let world = Arc::new(world);
        // A piece of it comes every 10 ms, so the first line is a step of its own.
        world.scripted.lock().unwrap().push_back(platform::reply(200, format!("one\n{}", "and ".repeat(40))));
        world.start(u64::MAX).await;
        let story = async {
            ms(100).await;
            assert!(lost.is_on());
            lost.set(false);
        };
        futures_util::join!(says(&world, "hello"), story);
        ms(20_000).await;
        let seen = seen(&world);
        assert_eq!(seen.iter().map(|line| line.trim_end()).collect::<Vec<_>>(), ["one", "and ".repeat(40).trim_end()]);
    });
}

#[test]
fn an_adapter_that_panics_stops_neither_its_conversation_nor_its_lane() {
    for word in [UNRENDERABLE, UNREADABLE] {
        calm(Late::Push, 300, memory(), async |world| {
            world.start(u64::MAX).await;
            let mut body = says(&world, word).await.unwrap();
            if body.is_empty() {
                ms(20_000).await;
                body = seen(&world).join("");
            }
            assert_eq!(body.trim(), "fallback", "{word}");
            assert_eq!(says(&world, "next").await.as_deref(), Some("answer to next\n"), "{word}");
        });
    }
}

#[test]
fn a_shadow_that_panics_is_counted_and_takes_nothing_from_the_customer() {
    calm(Late::PollButton, 300, memory(), async |world| {
        world.start(u64::MAX).await;
        let (shared, _) = world.gateway().unwrap();
        let mut roster = Roster::clone(&shared.roster());
        let door = SimulatedConnector { shadow: Some("other".into()), ..world.connector() };
        let other = SimulatedConnector { key: "other".into(), unrenderable: "answer to", ..world.connector() };
        roster.connectors.insert("door".into(), Arc::new(door));
        roster.connectors.insert("other".into(), Arc::new(other));
        shared.put_in_force(roster);
        assert_eq!(says(&world, "hello").await.as_deref(), Some("answer to hello\n"));
        let counts = world.memory.shadows().await.unwrap();
        let found: Vec<_> = counts.iter().map(|count| (&*count.latest.kind, count.answers)).collect();
        assert_eq!(found, [("compared", 1), ("failed", 1)]);
    });
}

/// Commits a step of the test's own, as a run before this one.
async fn tamper(world: &World, change: impl FnOnce(&mut Step)) {
    let conversation = the_conversation(world).await;
    let owner: Replica = world.memory.start().await.unwrap().replica;
    let loaded = world.memory.load(conversation).await.unwrap().unwrap();
    let journal = world.memory.read_journal(conversation, loaded.version, 1).await.unwrap().remove(0);
    let mut step = Step {
        state: loaded.state,
        next_due: Some(world.clock.now()),
        journal: JournalRow { seq: loaded.version + 1, ..journal },
        ..Step::empty(conversation, loaded.key, owner, loaded.version, world.clock.now())
    };
    change(&mut step);
    world.memory.commit(step).await.unwrap();
}

#[test]
fn a_state_that_cannot_be_read_is_refused_and_not_tried_for_ever() {
    let loads = Arc::new(AtomicU64::new(0));
    let counted = loads.clone();
    let memory = memory().with_read_faults(Arc::new(move |read| {
        counted.fetch_add(u64::from(read == Read::Load), Ordering::Relaxed);
        false
    }));
    calm(Late::Push, 300, memory, async |world| {
        let life = world.start(u64::MAX).await;
        says(&world, "hello").await.unwrap();
        world.kill(&life);
        tamper(&world, |step| step.state = Blob::clear(b"no state")).await;
        world.start(u64::MAX).await;
        ms(1_000).await;
        let before = loads.load(Ordering::Relaxed);
        ms(600_000).await;
        assert_eq!(loads.load(Ordering::Relaxed), before, "nothing of it changes by itself");
        assert_eq!(says(&world, "anybody?").await, None, "refused");
    });
}

#[test]
fn a_row_that_cannot_be_read_becomes_a_dead_letter_and_blocks_nothing() {
    calm(Late::Push, 300, memory(), async |world| {
        let life = world.start(u64::MAX).await;
        says(&world, "hello").await.unwrap();
        ms(100).await;
        world.kill(&life);
        let now = world.clock.now();
        tamper(&world, |step| {
            let (seq, item) = (OutboxSeq(7), Blob::clear(b"no row"));
            step.outbox_add = vec![OutboxRow { seq, lane: 0, item, due: now, attempt: 0, claim: None }];
        })
        .await;
        world.start(u64::MAX).await;
        ms(10_000).await;
        let letters = world.memory.dead_letters(LetterQuery::default()).await.unwrap();
        assert_eq!(letters.iter().map(|letter| &*letter.kind).collect::<Vec<_>>(), ["outbox"]);
        let loaded = world.memory.load(the_conversation(&world).await).await.unwrap().unwrap();
        assert!(loaded.outbox.is_empty());
        assert_eq!(says(&world, "next").await.as_deref(), Some("answer to next\n"));
    });
}

/// Polls until the customer saw something, and says how long that took.
async fn until_seen(world: &Arc<World>, since: Timestamp) -> u64 {
    while seen(world).is_empty() {
        ms(1).await;
    }
    world.clock.now().ms_since(since)
}

#[test]
fn a_push_keeps_its_distance_from_the_response_before_it() {
    calm(Late::Push, 2_010, memory(), async |world| {
        world.start(u64::MAX).await;
        let since = world.clock.now();
        assert_eq!(says(&world, "hello").await.unwrap(), "", "acknowledged after two seconds");
        let took_ms = until_seen(&world, since).await;
        assert!((2_100..2_300).contains(&took_ms), "{took_ms}");
    });
}

#[test]
fn an_engine_that_asks_for_time_gets_it() {
    calm(Late::Push, 300, memory(), async |world| {
        world.start(u64::MAX).await;
        let mut later = platform::reply(503, "");
        later.headers.insert("retry-after", HeaderValue::from_static("3"));
        world.scripted.lock().unwrap().extend([later, platform::reply(503, "")]);
        let since = world.clock.now();
        assert_eq!(says(&world, "hello").await.unwrap(), "");
        let took_ms = until_seen(&world, since).await;
        assert!((3_300..5_000).contains(&took_ms), "{took_ms}");
        let (shared, _) = world.gateway().unwrap();
        assert_eq!(shared.counts.asks.load(Ordering::Relaxed), 3);
    });
}

/// A push that the stop cuts off may have arrived. The next start must know that.
#[test]
fn a_push_cut_off_by_the_stop_is_in_doubt() {
    for resends in [false, true] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async move {
            let mut world = World::calm_on(Late::Push, 2_500, memory());
            world.resends = resends;
            let world = Arc::new(world);
            let life = world.start(u64::MAX).await;
            says(&world, "hello").await.unwrap();
            until_seen(&world, world.clock.now()).await;
            world.gateway().unwrap().0.stop();
            ms(10).await;
            world.kill(&life);
            world.start(u64::MAX).await;
            ms(20_000).await;
            let letters = world.memory.dead_letters(LetterQuery::default()).await.unwrap();
            let reasons: Vec<_> = letters.iter().map(|letter| &*letter.reason).collect();
            if resends {
                assert_eq!((seen(&world).len(), reasons.len()), (2, 0));
            } else {
                assert_eq!((seen(&world).len(), reasons), (1, vec!["outcome_unknown"]));
            }
        });
    }
}

/// A message that could not be stored leaves its conversation in memory, but not looked after. The store's timer is.
#[test]
fn a_refused_message_does_not_hide_what_an_earlier_run_left() {
    let failing = Switch::default();
    let memory = memory()
        .with_faults(failing.spoils(Write::Commit, Fault::Refused))
        .with_read_faults(failing.hides(&[Read::Due]));
    calm(Late::Push, 3_000, memory, async |world| {
        let life = world.start(u64::MAX).await;
        assert_eq!(says(&world, "hello").await.unwrap(), "");
        world.kill(&life);
        failing.set(true);
        world.start(u64::MAX).await;
        assert_eq!(says(&world, "anybody?").await, None);
        failing.set(false);
        ms(20_000).await;
        assert_eq!(seen(&world), ["answer to hello"]);
    });
}

/// What a journal says can be applied again, though the policies changed under way: each row names its own.
#[test]
fn a_journal_is_replayed_over_a_change_of_policies() {
    calm(Late::Push, 300, memory(), async |world| {
        let life = world.start(u64::MAX).await;
        assert_eq!(says(&world, "hello").await.as_deref(), Some("answer to hello\n"));
        let (shared, _) = world.gateway().unwrap();
        shared.disable_bot(&"bot".into(), "it lies", "somebody").await.unwrap();
        let handed_over = "I am connecting you to a colleague.\n[closed]\n";
        assert_eq!(says(&world, "again").await.as_deref(), Some(handed_over));
        // Neither a restart nor a reload forgets it.
        world.kill(&life);
        world.start(u64::MAX).await;
        let (shared, _) = world.gateway().unwrap();
        let roster = crate::roster::Roster { policies: world.policies.clone(), ..(*shared.roster()).clone() };
        shared.replace_roster(roster).await.unwrap();
        let said = platform::call(&world, 0, "s2", "and now?", "and now?", None).await;
        assert_eq!(said.as_deref(), Some(handed_over));
        assert_eq!(shared.enable_bot(&"bot".into(), "somebody").await, Ok(true));
        let said = platform::call(&world, 0, "s3", "hello again", "hello again", None).await;
        assert_eq!(said.as_deref(), Some("answer to hello again\n"));
        let rows = world.memory.read_journal(the_conversation(&world).await, 1, 100).await.unwrap();
        let revisions: std::collections::BTreeSet<u32> = rows.iter().map(|row| row.policy_revision).collect();
        assert_eq!(Vec::from_iter(revisions), [1, 2, 3]);
        world.quiesce().await;
        super::oracle::check(&world).await.unwrap();
    });
}

/// A conversation that no run has in memory is handed over too.
#[test]
fn an_operator_reaches_conversations_that_sleep_in_the_store() {
    calm(Late::Push, 300, memory(), async |world| {
        let life = world.start(u64::MAX).await;
        assert_eq!(says(&world, "hello").await.as_deref(), Some("answer to hello\n"));
        ms(1_000).await;
        world.kill(&life);
        world.start(u64::MAX).await;
        let (shared, _) = world.gateway().unwrap();
        assert!(shared.slots.all().is_empty());
        assert_eq!(shared.hand_over_all(&"other".into(), "down").await, 0);
        assert_eq!(shared.hand_over_all(&"bot".into(), "down").await, 1);
        ms(1_000).await;
        assert_eq!(seen(&world), ["answer to hello", "I am connecting you to a colleague."]);
        assert_eq!(shared.hand_over_all(&"bot".into(), "down").await, 0);
    });
}

/// Two texts in one breath, and the process dies while they gather.
#[test]
fn what_gathers_is_asked_after_a_crash() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut world = World::calm_on(Late::Push, 300, memory());
        world.merge_quiet_ms = 800;
        let world = Arc::new(world);
        let life = world.start(u64::MAX).await;
        let (one, other) = (says(&world, "my parcel"), async {
            ms(100).await;
            let said = says(&world, "is late");
            let dying = async {
                ms(300).await;
                world.kill(&life);
            };
            futures_util::future::join(said, dying).await.0
        });
        let (one, other) = futures_util::future::join(one, other).await;
        assert_eq!((one.as_deref(), other), (Some(""), None), "the second waits for the answer, and the process dies");
        world.start(u64::MAX).await;
        ms(20_000).await;
        assert_eq!(seen(&world), ["answer to my parcel + is late"]);
    });
}

#[test]
fn a_question_withdrawn_by_a_step_of_unknown_outcome_blocks_no_other() {
    let lost = Switch::default();
    let memory = memory()
        .with_faults(lost.spoils(Write::Commit, Fault::Stored))
        .with_read_faults(lost.hides(&[Read::Load, Read::Journal]));
    calm(Late::Push, 300, memory, async |world| {
        world.start(u64::MAX).await;
        let mut later = platform::reply(503, "");
        later.headers.insert("retry-after", HeaderValue::from_static("50"));
        world.scripted.lock().unwrap().push_back(later);
        assert_eq!(says(&world, "hello").await.unwrap(), "");
        lost.set(true);
        let (shared, _) = world.gateway().unwrap();
        shared.tell_conversation(the_conversation(&world).await, Event::FloorSeen { holder: Holder::Human });
        ms(300).await;
        lost.set(false);
        ms(2_000).await;
        assert_eq!(says(&world, "again").await.as_deref(), Some("answer to again\n"));
    });
}

//! Random sequences of verbs on both stores at once. Every answer must be the same, and so must everything that can be
//! read afterwards. Between the verbs the process dies (the folder is opened again), callers vanish (a future is dropped
//! once it is under way) and come twice.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use model::{BotKey, ConnectorKey};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::super::{Error, LetterQuery, ManifestNote, Out, OutMark, OutOfService, ShadowNote, Sweep};
use super::*;

const CONVERSATIONS: u64 = 6;
const KEYS: u64 = 40;
const LETTERS: u64 = 8;

/// One verb with its arguments.
#[derive(Clone, Debug)]
enum Verb {
    Accept(ConversationId, Accept),
    Find(Key),
    Load(ConversationId),
    Commit(Box<Step>),
    Due(Replica, Timestamp, u32),
    NextDue(Timestamp),
    Claim(ConversationId, OutboxSeq, Claim, Timestamp),
    Heartbeat(Replica, Vec<(ConversationId, OutboxSeq)>, Timestamp),
    Release(ConversationId, OutboxSeq, Timestamp, bool),
    ReplyFor(Key),
    MarkOut(Vec<Out>),
    Sweep(Sweep),
    Bury(Letter),
    DeadLetters(LetterQuery),
    DeadLetter(u64),
    DropLetter(u64),
    ReadJournal(ConversationId, u64, u32),
    Conversations(u32),
    Recent(u64, u32),
    ReadLog(u64, u32),
    Enact(Blob),
    Policies(u32),
    Disable(OutOfService),
    Enable(BotKey),
    OutOfService,
    NoteManifests(Vec<ManifestNote>),
    Manifests,
    Shadows,
    Unfinished(ConversationId, u32),
}

/// What is compared: all of an answer, but of damage only that it is damage.
fn words<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    match answer {
        Err(Error::Damaged(_)) => "Damaged".to_owned(),
        other => format!("{other:?}"),
    }
}

/// `Debug` hides the bytes of a blob, so they are compared beside it.
fn shown(blob: &Blob) -> String {
    blob.payload().map(|payload| String::from_utf8_lossy(&payload).into_owned()).unwrap_or_default()
}

fn ask(store: &dyn Store, verb: Verb) -> BoxFuture<'_, String> {
    match verb {
        Verb::Accept(id, accept) => store.accept(id, accept).map(words).boxed(),
        Verb::Find(name) => store.find(name).map(words).boxed(),
        Verb::Load(id) => store
            .load(id)
            .map(|answer| {
                let blobs = answer.iter().flatten().flat_map(|loaded| {
                    let events = loaded.open_entries.iter().map(|entry| &entry.event);
                    let items = loaded.outbox.iter().map(|row| &row.item);
                    let replies = loaded.requests.iter().filter_map(|request| request.reply.as_ref());
                    std::iter::once(&loaded.state).chain(events).chain(items).chain(replies)
                });
                let blobs: Vec<_> = blobs.map(shown).collect();
                words(answer) + &blobs.concat()
            })
            .boxed(),
        Verb::Commit(step) => store.commit(*step).map(words).boxed(),
        Verb::Due(us, now, limit) => store.due(us, now, limit).map(words).boxed(),
        Verb::NextDue(after) => store.next_due(after).map(words).boxed(),
        Verb::Claim(id, seq, claim, now) => store.claim(id, seq, claim, now).map(words).boxed(),
        Verb::Heartbeat(us, rows, until) => store.heartbeat(us, rows, until).map(words).boxed(),
        Verb::Release(id, seq, due, uncount) => store.release(id, seq, due, uncount).map(words).boxed(),
        Verb::ReplyFor(name) => store
            .reply_for(name)
            .map(|answer| {
                let reply = answer.iter().flatten().filter_map(|request| request.reply.as_ref()).map(shown);
                let reply: String = reply.collect();
                words(answer) + &reply
            })
            .boxed(),
        Verb::MarkOut(outs) => store.mark_out(outs).map(words).boxed(),
        Verb::Sweep(sweep) => store.sweep(sweep).map(words).boxed(),
        Verb::Bury(letter) => store.bury(letter).map(words).boxed(),
        Verb::DeadLetters(query) => store.dead_letters(query).map(words).boxed(),
        Verb::DeadLetter(id) => store.dead_letter(id).map(words).boxed(),
        Verb::DropLetter(id) => store.drop_letter(id).map(words).boxed(),
        Verb::ReadJournal(id, from, limit) => store
            .read_journal(id, from, limit)
            .map(|answer| {
                let payloads: String = answer.iter().flatten().map(|row| shown(&row.payload)).collect();
                words(answer) + &payloads
            })
            .boxed(),
        Verb::Conversations(limit) => store.conversations(limit).map(words).boxed(),
        Verb::Recent(before, limit) => store
            .recent(before, limit)
            .map(|answer| {
                let states: String =
                    answer.iter().flat_map(|page| &page.conversations).map(|recent| shown(&recent.state)).collect();
                words(answer) + &states
            })
            .boxed(),
        Verb::ReadLog(after, limit) => store
            .read_log(after, limit)
            .map(|answer| {
                let payloads: String = answer.iter().flatten().map(|found| shown(&found.row.payload)).collect();
                words(answer) + &payloads
            })
            .boxed(),
        Verb::Enact(policies) => store.enact(policies).map(words).boxed(),
        Verb::Policies(revision) => store
            .policies(revision)
            .map(|answer| {
                let policies: String = answer.iter().flatten().map(shown).collect();
                words(answer) + &policies
            })
            .boxed(),
        Verb::Disable(bot) => store.disable(bot).map(words).boxed(),
        Verb::Enable(bot) => store.enable(bot).map(words).boxed(),
        Verb::OutOfService => store.out_of_service().map(words).boxed(),
        Verb::NoteManifests(notes) => store.note_manifests(notes).map(words).boxed(),
        Verb::Manifests => store
            .manifests()
            .map(|answer| {
                let declared: String = answer
                    .iter()
                    .flatten()
                    .flat_map(|known| [&known.first.declared, &known.latest])
                    .map(shown)
                    .collect();
                words(answer) + &declared
            })
            .boxed(),
        Verb::Shadows => store.shadows().map(words).boxed(),
        Verb::Unfinished(after, limit) => store.unfinished(after, limit).map(words).boxed(),
    }
}

/// Draws verbs. What makes a step plausible (the version, live rows, live requests) is read from the memory.
struct Dice {
    random: ChaCha8Rng,
    /// Ascends with the draws.
    now: u64,
    next_request: u64,
    us: Replica,
}

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.random.next_u64() % bound
    }

    fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }

    fn bot(&mut self) -> BotKey {
        BotKey::from(format!("bot {}", self.below(3)))
    }

    fn key(&mut self) -> Key {
        let number = u8::try_from(self.below(KEYS)).unwrap();
        key(50 + number)
    }

    fn conversation(&mut self) -> ConversationId {
        ConversationId(1 + self.below(CONVERSATIONS))
    }

    fn time(&mut self) -> Timestamp {
        let spread = self.below(60);
        at((self.now + spread).saturating_sub(30))
    }

    fn replica(&mut self) -> Replica {
        match self.below(20) {
            0 => Replica(self.us.0 - 1),
            1 => Replica(self.us.0 + 1),
            _ => self.us,
        }
    }

    fn claim(&mut self) -> Claim {
        Claim { by: self.replica(), until: self.time() }
    }

    fn accept(&mut self) -> Accept {
        let fresh = !self.one_in(30);
        self.next_request += u64::from(fresh);
        let made = accept(self.next_request, self.key());
        let made = Accept { arrived: at(self.now), ..made };
        if self.one_in(2) {
            made
        } else {
            Accept { open_event: open_accept(made.request.0, made.key).open_event, ..made }
        }
    }

    fn letter(&mut self) -> Letter {
        let id = 1 + self.below(LETTERS);
        Letter { attempts: u32::try_from(self.below(9)).unwrap(), ..letter(id) }
    }

    fn old_request(&mut self) -> RequestId {
        let back = self.below(12);
        RequestId(self.next_request.saturating_sub(back))
    }

    async fn outbox_seq(&mut self, memory: &dyn Store, id: ConversationId) -> OutboxSeq {
        let live = memory.load(id).await.unwrap().map(|loaded| loaded.outbox).unwrap_or_default();
        match live.len() {
            0 => OutboxSeq(self.below(5)),
            some => live[usize::try_from(self.below(some as u64)).unwrap()].seq,
        }
    }

    async fn step(&mut self, memory: &dyn Store) -> Step {
        let id = self.conversation();
        let loaded = memory.load(id).await.unwrap();
        let version = loaded.as_ref().map_or(0, |loaded| loaded.version);
        let version = if self.one_in(12) { version.saturating_sub(1) + self.below(3) } else { version };
        let last = loaded.iter().flat_map(|loaded| &loaded.outbox).map(|row| row.seq.0).max().unwrap_or(0);
        let mut step = step(self.replica(), id.0, version);
        step.state = blob(&format!("state {} at {}", version + 1, self.now));
        step.journal.at = at(self.now);
        step.journal.cause_seq = self.one_in(3).then_some(version);
        step.next_due = (!self.one_in(3)).then(|| self.time());
        step.finished = self.one_in(4);
        if self.one_in(15) {
            step.key = key(u8::try_from(1 + self.below(CONVERSATIONS)).unwrap());
        }
        step.new_legs = (0..self.below(2)).map(|_| self.key()).collect();
        step.accepts = (0..self.below(3)).map(|_| self.accept()).collect();
        let fresh = u64::from(!self.one_in(30));
        step.outbox_add = (0..self.below(3)).map(|n| row(last + fresh + n, self.now + n)).collect();
        for row in &mut step.outbox_add {
            if self.one_in(2) {
                *row = OutboxRow { attempt: 1, claim: Some(self.claim()), ..row.clone() };
            }
        }
        for _ in 0..self.below(3) {
            let seq = self.outbox_seq(memory, id).await;
            step.outbox_settle.push(Settle { seq });
        }
        let requests = loaded.map(|loaded| loaded.requests).unwrap_or_default();
        let known: Vec<_> = requests.iter().map(|r| r.id).chain(step.accepts.iter().map(|a| a.request)).collect();
        for request in known {
            match self.below(8) {
                0 => step.inbox_done.push(request),
                1 => step.forget.push(request),
                2 => step.out.push(request),
                3 => step.inbox_done.push(self.old_request()),
                4 | 5 => step.seals.push(seal(request.0, &format!("reply {}", self.now))),
                6 if self.one_in(3) => {
                    let other = self.old_request().0;
                    step.seals.push(seal_same(request.0, other));
                }
                _ => {}
            }
        }
        step.shadows = (0..self.below(8) / 6).map(|_| self.shadow_note()).collect();
        step.letters = (0..self.below(8) / 7).map(|_| self.letter()).collect();
        step.letters_redriven = (0..self.below(8) / 7).map(|_| 1 + self.below(LETTERS)).collect();
        step
    }

    /// More versions of one bot than are kept.
    fn manifest_note(&mut self) -> ManifestNote {
        ManifestNote {
            connector: ConnectorKey::from("web"),
            bot: BotKey::from(format!("bot {}", self.below(5) / 4)),
            version: format!("{}", self.below(70)).into(),
            at: self.time(),
            declared: blob(&format!("declared {}", self.below(3))),
        }
    }

    fn shadow_note(&mut self) -> ShadowNote {
        ShadowNote {
            connector: ConnectorKey::from("sms"),
            bot: self.bot(),
            kind: if self.one_in(2) { "late" } else { "messages" }.into(),
            item: u16::try_from(self.below(3)).unwrap(),
        }
    }

    async fn write(&mut self, memory: &dyn Store) -> Verb {
        let id = self.conversation();
        match self.below(20) {
            0..=1 => Verb::Accept(id, self.accept()),
            2..=4 => Verb::Claim(id, self.outbox_seq(memory, id).await, self.claim(), self.time()),
            5 => {
                let rows = vec![(id, self.outbox_seq(memory, id).await), (self.conversation(), OutboxSeq(1))];
                Verb::Heartbeat(self.replica(), rows, self.time())
            }
            6..=7 => Verb::Release(id, self.outbox_seq(memory, id).await, self.time(), self.one_in(2)),
            8 => {
                let (version, next_due) = (self.below(4), self.one_in(2).then(|| self.time()));
                let mark = self.one_in(2).then_some(OutMark { conversation: id, version, next_due });
                let second = self.one_in(2).then(|| Out { request: self.old_request(), mark: None });
                Verb::MarkOut([Out { request: self.old_request(), mark }].into_iter().chain(second).collect())
            }
            9 => Verb::Bury(self.letter()),
            10 => Verb::DropLetter(1 + self.below(LETTERS)),
            11 if self.one_in(4) => Verb::Enact(blob(&format!("policies {}", self.below(2)))),
            11 if self.one_in(4) => {
                let (reason, who) = (format!("reason {}", self.below(3)), "somebody".to_owned());
                Verb::Disable(OutOfService { bot: self.bot(), since: self.time(), reason, who })
            }
            11 if self.one_in(4) => Verb::Enable(self.bot()),
            11 if self.one_in(2) => {
                let notes = 1 + self.below(30);
                Verb::NoteManifests((0..notes).map(|_| self.manifest_note()).collect())
            }
            11 if self.one_in(3) => {
                let limit = u32::try_from(self.below(4)).unwrap();
                let past = at(self.now.saturating_sub(40));
                Verb::Sweep(Sweep { requests_before: past, conversations_before: past, limit })
            }
            _ => Verb::Commit(Box::new(self.step(memory).await)),
        }
    }

    fn read(&mut self) -> Verb {
        let limit = u32::try_from(self.below(6)).unwrap();
        match self.below(16) {
            15 => Verb::Manifests,
            12 => Verb::Unfinished(self.conversation(), limit),
            13 if self.one_in(2) => Verb::Shadows,
            13 => Verb::OutOfService,
            14 => Verb::Policies(limit),
            0 => Verb::Find(self.key()),
            1 => Verb::Find(key(u8::try_from(self.below(CONVERSATIONS)).unwrap())),
            2 | 3 => Verb::Load(self.conversation()),
            4 | 5 => Verb::Due(self.replica(), self.time(), limit),
            6 => Verb::NextDue(self.time()),
            7 => Verb::ReplyFor(self.key()),
            8 => Verb::ReadJournal(self.conversation(), self.below(30), limit),
            9 => Verb::Recent(self.below(400), limit),
            10 => Verb::ReadLog(self.below(400), limit),
            _ => Verb::DeadLetter(self.below(LETTERS)),
        }
    }
}

/// Everything that can be read.
async fn all(store: &dyn Store, us: Replica) -> Vec<String> {
    let mut verbs = vec![
        Verb::Conversations(100),
        Verb::Recent(u64::MAX, 100),
        Verb::ReadLog(0, 10_000),
        Verb::DeadLetters(LetterQuery::default()),
        Verb::Due(us, at(1_000_000), 100),
        Verb::NextDue(at(0)),
    ];
    for id in (1..=CONVERSATIONS).map(ConversationId) {
        verbs.extend([Verb::Load(id), Verb::ReadJournal(id, 0, 10_000), Verb::Find(key(u8::try_from(id.0).unwrap()))]);
    }
    for number in 0..KEYS {
        let name = key(50 + u8::try_from(number).unwrap());
        verbs.extend([Verb::ReplyFor(name), Verb::Find(name)]);
    }
    let mut answers = Vec::new();
    for verb in verbs {
        answers.push(ask(store, verb).await);
    }
    answers
}

async fn walk(seed: u64, rounds: u32) {
    let (mut memory, mut sqlite) = (Subject::memory(), Subject::sqlite());
    let mut dice = Dice { random: ChaCha8Rng::seed_from_u64(seed), now: 100, next_request: 1, us: Replica(0) };
    (dice.us, _) = (memory.start().await, sqlite.start().await);
    let mut stored = 0;
    for round in 0..rounds {
        dice.now += dice.below(5);
        let (left, right) = (memory.store(), sqlite.store());
        let mut verbs = Vec::new();
        for _ in 0..1 + dice.below(4) {
            let verb = dice.write(left).await;
            verbs.extend(std::iter::repeat_n(verb, if dice.one_in(20) { 2 } else { 1 }));
        }
        let vanished = dice.one_in(10);
        // Polled in this order, they come to the writer's queue in this order.
        let asked = |store| futures_util::future::join_all(verbs.iter().map(|verb| ask(store, verb.clone())));
        if vanished {
            drop((asked(left).now_or_never(), asked(right).now_or_never()));
            // Writes are done in order, so this one's answer tells that the others are done.
            right.mark_out(Vec::new()).await.unwrap();
        } else {
            let (expected, found) = (asked(left).await, asked(right).await);
            stored += expected.iter().filter(|answer| *answer == "Ok(())").count();
            assert_eq!(expected, found, "seed {seed}, round {round}: {verbs:?}");
        }
        for verb in [dice.read(), dice.read()] {
            let (expected, found) = (ask(left, verb.clone()).await, ask(right, verb.clone()).await);
            assert_eq!(expected, found, "seed {seed}, round {round}: {verb:?}");
        }
        if round % 50 == 49 {
            assert_eq!(all(left, dice.us).await, all(right, dice.us).await, "seed {seed}, round {round}");
        }
        if dice.one_in(60) {
            if dice.one_in(2) {
                memory.reopen();
                sqlite.reopen();
            }
            dice.us = memory.start().await;
            assert_eq!(sqlite.start().await, dice.us);
        }
    }
    assert!(stored > rounds as usize / 2, "too few steps were stored to mean anything: {stored}");
}

#[tokio::test]
async fn both_stores_answer_alike() {
    for seed in 0..6 {
        walk(seed, 600).await;
    }
}

//! The contract of each verb, told on both stores.

use super::super::{
    Accepted, Error, LetterQuery, Loaded, LogRow, Manifest, ManifestNote, Out, OutOfService, RecentPage, Request,
    ShadowCount, ShadowNote, Started, Sweep, Swept,
};
use super::*;

macro_rules! on_every_store {
    ($($story:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $story() {
                super::$story(super::Subject::memory()).await;
            })*
        }
        mod sqlite {
            $(#[tokio::test]
            async fn $story() {
                super::$story(super::Subject::sqlite()).await;
            })*
        }
    };
}

on_every_store!(
    every_start_has_a_new_number_and_the_same_hash_key,
    a_step_is_stored_whole,
    a_step_from_an_old_version_or_a_foreign_owner_stores_nothing,
    the_owners_of_earlier_runs_are_dead,
    a_stored_key_is_refused_and_names_its_request,
    an_entry_alone_stays_open_until_a_step_takes_it,
    the_first_seal_stays,
    a_forgotten_key_is_free_again,
    a_request_that_is_out_is_no_longer_loaded,
    a_claim_counts_and_keeps_others_away,
    a_heartbeat_prolongs_only_what_is_held,
    a_release_gives_back_only_what_is_held,
    the_dead_hold_no_claims,
    due_names_the_oldest_first,
    a_settled_row_is_gone,
    a_step_that_contradicts_the_store_is_damage_and_stores_nothing,
    letters_are_buried_once_listed_and_dropped,
    the_journal_is_read_in_pieces,
    conversations_are_listed_by_their_latest_step,
    a_sweep_takes_old_requests_but_no_open_entry,
    a_sweep_takes_finished_conversations_with_all_that_is_theirs,
    a_sweep_takes_policies_that_no_journal_row_names,
    a_failing_step_is_skipped_alone,
    equal_policies_have_one_revision,
    bots_out_of_service_are_kept_until_they_are_enabled,
    the_first_and_the_latest_manifest_of_a_version_are_kept,
    what_shadows_found_is_counted_with_the_step,
    unfinished_conversations_are_listed_in_pieces,
    everything_is_there_after_a_restart,
);

async fn load(subject: &Subject, id: u64) -> Loaded {
    subject.store().load(ConversationId(id)).await.unwrap().unwrap()
}

async fn commit(subject: &Subject, step: Step) {
    subject.store().commit(step).await.unwrap();
}

async fn refusal(subject: &Subject, step: Step) -> Error {
    subject.store().commit(step).await.unwrap_err()
}

async fn due(subject: &Subject, us: Replica, now: u64) -> Vec<u64> {
    let due = subject.store().due(us, at(now), 100).await.unwrap();
    due.into_iter().map(|id| id.0).collect()
}

async fn every_start_has_a_new_number_and_the_same_hash_key(mut subject: Subject) {
    let Started { replica, hash_key } = subject.store().start().await.unwrap();
    subject.reopen();
    let again = subject.store().start().await.unwrap();
    assert!(again.replica > replica);
    assert_eq!(again.hash_key, hash_key);
    assert_ne!(hash_key, [0; 16]);
}

async fn a_step_is_stored_whole(subject: Subject) {
    let us = subject.start().await;
    let first = Step {
        new_legs: vec![key(101)],
        next_due: Some(at(9)),
        accepts: vec![accept(1, key(11)), open_accept(2, key(12))],
        outbox_add: vec![row(1, 5), claimed(us, 50, row(2, 6))],
        seals: vec![seal(1, "hello")],
        letters: vec![letter(4)],
        ..step(us, 1, 0)
    };
    let journal = JournalRow {
        cause_seq: Some(1),
        schema_version: 3,
        policy_revision: 4,
        retention_class: 5,
        trace: Some([6; 16]),
        ..step(us, 1, 1).journal
    };
    commit(&subject, first.clone()).await;
    let second =
        Step { outbox_add: vec![OutboxRow { lane: 7, ..row(3, 7) }], journal: journal.clone(), ..step(us, 1, 1) };
    commit(&subject, second.clone()).await;

    let store = subject.store();
    for name in [key(1), key(101)] {
        assert_eq!(store.find(name).await, Ok(Some(ConversationId(1))));
    }
    assert_eq!(store.find(key(11)).await, Ok(None));
    let request = |id: u64, reply: Option<&str>| Request {
        id: RequestId(id),
        conversation: ConversationId(1),
        reply: reply.map(blob),
        out: false,
        wait_until: at(id + 5_000),
    };
    let loaded = load(&subject, 1).await;
    assert_eq!((loaded.version, loaded.owner, loaded.key), (2, Some(us), key(1)));
    assert_eq!(loaded.state, second.state);
    assert_eq!(loaded.outbox, [first.outbox_add.as_slice(), second.outbox_add.as_slice()].concat());
    assert_eq!(loaded.requests, [request(1, Some("hello")), request(2, None)]);
    assert_eq!(loaded.open_entries.len(), 1);
    assert_eq!(loaded.open_entries[0].event, blob("event of 2"));
    assert_eq!(store.reply_for(key(11)).await, Ok(Some(request(1, Some("hello")))));
    assert_eq!(store.read_journal(ConversationId(1), 0, 10).await, Ok(vec![first.journal, journal]));
    assert_eq!(store.dead_letter(4).await, Ok(Some(letter(4))));
    assert_eq!(store.next_due(at(0)).await, Ok(None), "the second step wants no time");
    assert_eq!(store.load(ConversationId(2)).await, Ok(None));
}

async fn a_step_from_an_old_version_or_a_foreign_owner_stores_nothing(subject: Subject) {
    let us = subject.start().await;
    let stranger = Replica(us.0 + 1);
    commit(&subject, step(us, 1, 0)).await;
    commit(&subject, step(us, 1, 1)).await;
    commit(&subject, step(stranger, 2, 0)).await;
    let before = (load(&subject, 1).await, load(&subject, 2).await);
    let marked = |step: Step| Step { accepts: vec![accept(9, key(99))], letters: vec![letter(9)], ..step };
    for (refused, why) in [
        (step(us, 1, 1), "an old version"),
        (step(us, 1, 0), "new, but it is stored"),
        (step(us, 1, 3), "a version to come"),
        (step(us, 7, 1), "not stored"),
        (Step { key: key(1), ..step(us, 8, 0) }, "new, but its key is another's"),
        (step(us, 2, 1), "owned by another live replica"),
        (step(Replica(us.0 - 1), 1, 2), "its owner is dead"),
    ] {
        assert_eq!(refusal(&subject, marked(refused)).await, Error::Conflict, "{why}");
    }
    assert_eq!((load(&subject, 1).await, load(&subject, 2).await), before);
    assert_eq!(subject.store().reply_for(key(99)).await, Ok(None));
    assert_eq!(subject.store().dead_letter(9).await, Ok(None));
    assert_eq!(subject.store().conversations(9).await.unwrap().len(), 2);
}

async fn the_owners_of_earlier_runs_are_dead(mut subject: Subject) {
    let before = subject.start().await;
    commit(&subject, step(before, 1, 0)).await;
    subject.reopen();
    let us = subject.start().await;
    assert_eq!(refusal(&subject, step(before, 1, 1)).await, Error::Conflict);
    commit(&subject, step(us, 1, 1)).await;
    assert_eq!(load(&subject, 1).await.owner, Some(us));
    let later = subject.start().await;
    assert_eq!(refusal(&subject, step(us, 1, 2)).await, Error::Conflict, "a start ends the earlier run by itself");
    commit(&subject, step(later, 1, 2)).await;
}

async fn a_stored_key_is_refused_and_names_its_request(subject: Subject) {
    let us = subject.start().await;
    let with = |request: u64, name: u8, step: Step| Step { accepts: vec![accept(request, key(name))], ..step };
    commit(&subject, with(1, 11, step(us, 1, 0))).await;
    let duplicate = Error::Duplicate(RequestId(1));
    assert_eq!(refusal(&subject, with(2, 11, step(us, 1, 1))).await, duplicate);
    assert_eq!(refusal(&subject, with(2, 11, step(us, 2, 0))).await, duplicate, "another conversation's");
    assert_eq!(refusal(&subject, with(2, 11, step(us, 1, 0))).await, Error::Conflict, "the version comes first");
    let twice = Step { accepts: vec![accept(5, key(55)), accept(6, key(55))], ..step(us, 1, 1) };
    assert_eq!(refusal(&subject, twice).await, Error::Duplicate(RequestId(5)), "in one step");
    let store = subject.store();
    assert_eq!(store.accept(ConversationId(1), accept(3, key(11))).await, Ok(Accepted::Duplicate(RequestId(1))));
    assert_eq!(store.accept(ConversationId(9), accept(3, key(11))).await, Ok(Accepted::Duplicate(RequestId(1))));
    assert_eq!((load(&subject, 1).await.version, load(&subject, 1).await.requests.len()), (1, 1));
    assert_eq!(store.load(ConversationId(2)).await, Ok(None));
    assert_eq!(store.reply_for(key(55)).await, Ok(None));
}

async fn an_entry_alone_stays_open_until_a_step_takes_it(subject: Subject) {
    let us = subject.start().await;
    let store = subject.store();
    assert_eq!(store.accept(ConversationId(1), open_accept(1, key(11))).await, Err(Error::Conflict));
    commit(&subject, step(us, 1, 0)).await;
    assert_eq!(store.accept(ConversationId(1), open_accept(2, key(12))).await, Ok(Accepted::New));
    assert_eq!(store.accept(ConversationId(1), open_accept(1, key(11))).await, Ok(Accepted::New));
    let open: Vec<_> = load(&subject, 1).await.open_entries.into_iter().map(|entry| entry.request.0).collect();
    assert_eq!(open, [1, 2], "in the order of request ids");
    assert_eq!(due(&subject, us, 0).await, [1], "an open entry is due at once");
    commit(&subject, step(us, 2, 0)).await;
    let foreign = Step { inbox_done: vec![RequestId(1)], ..step(us, 2, 1) };
    commit(&subject, foreign).await;
    assert_eq!(load(&subject, 1).await.open_entries.len(), 2, "not another conversation's to close");
    let done = Step { inbox_done: vec![RequestId(1), RequestId(2), RequestId(7)], ..step(us, 1, 1) };
    commit(&subject, done).await;
    let loaded = load(&subject, 1).await;
    assert_eq!((loaded.open_entries.len(), loaded.requests.len()), (0, 2));
    assert_eq!(due(&subject, us, 0).await, [] as [u64; 0]);
}

async fn the_first_seal_stays(subject: Subject) {
    let us = subject.start().await;
    let reply = async |name: u8| {
        let request = subject.store().reply_for(key(name)).await.unwrap().unwrap();
        request.reply.map(|reply| reply.payload().unwrap())
    };
    let accepts = vec![accept(1, key(11)), accept(2, key(12)), accept(3, key(13))];
    commit(&subject, Step { accepts, seals: vec![seal(1, "one")], ..step(us, 1, 0) }).await;
    let again = vec![seal(1, "other"), seal(2, "two"), seal_same(3, 2), seal_same(1, 2), seal(77, "nobody's")];
    commit(&subject, Step { seals: again, ..step(us, 1, 1) }).await;
    assert_eq!(reply(11).await.as_deref(), Some(b"one".as_slice()));
    assert_eq!(reply(12).await.as_deref(), Some(b"two".as_slice()));
    assert_eq!(reply(13).await.as_deref(), Some(b"two".as_slice()));
    let here = Step { accepts: vec![accept(4, key(14))], seals: vec![seal_same(4, 1)], ..step(us, 1, 2) };
    commit(&subject, here).await;
    assert_eq!(reply(14).await.as_deref(), Some(b"one".as_slice()), "accepted and joined in one step");
    let foreign = Step { accepts: vec![accept(5, key(15))], ..step(us, 2, 0) };
    commit(&subject, foreign).await;
    commit(&subject, Step { seals: vec![seal(5, "not yours")], ..step(us, 1, 3) }).await;
    assert_eq!(reply(15).await, None);
}

async fn a_forgotten_key_is_free_again(subject: Subject) {
    let us = subject.start().await;
    commit(&subject, Step { accepts: vec![accept(1, key(11))], ..step(us, 1, 0) }).await;
    commit(&subject, Step { forget: vec![RequestId(1)], ..step(us, 1, 1) }).await;
    assert_eq!(subject.store().reply_for(key(11)).await, Ok(None));
    assert_eq!(load(&subject, 1).await.requests.len(), 1, "the request itself is still there");
    commit(&subject, Step { accepts: vec![accept(2, key(11))], ..step(us, 1, 2) }).await;
    let joined = subject.store().accept(ConversationId(1), accept(3, key(11))).await;
    assert_eq!(joined, Ok(Accepted::Duplicate(RequestId(2))));
}

async fn a_request_that_is_out_is_no_longer_loaded(subject: Subject) {
    let us = subject.start().await;
    let accepts = vec![accept(1, key(11)), accept(2, key(12)), open_accept(3, key(13))];
    commit(&subject, Step { accepts, seals: vec![seal(1, "one")], ..step(us, 1, 0) }).await;
    let outs = [1, 77].map(|id| Out { request: RequestId(id), mark: None });
    subject.store().mark_out(outs.into()).await.unwrap();
    commit(&subject, Step { out: vec![RequestId(2), RequestId(3)], ..step(us, 1, 1) }).await;
    let loaded = load(&subject, 1).await;
    assert_eq!(loaded.requests, []);
    assert_eq!(loaded.open_entries.len(), 1, "an entry is open whether or not its request is out");
    let sealed = subject.store().reply_for(key(11)).await.unwrap().unwrap();
    assert_eq!((sealed.out, sealed.reply), (true, Some(blob("one"))), "the bytes stay for a retry");
}

async fn a_claim_counts_and_keeps_others_away(subject: Subject) {
    let us = subject.start().await;
    let other = Replica(us.0 + 1);
    commit(&subject, Step { outbox_add: vec![row(1, 0), claimed(us, 50, row(2, 0))], ..step(us, 1, 0) }).await;
    let claim = async |seq: u64, by: Replica, until: u64, now: u64| {
        let claim = Claim { by, until: at(until) };
        subject.store().claim(ConversationId(1), OutboxSeq(seq), claim, at(now)).await
    };
    assert_eq!(claim(1, us, 100, 10).await, Ok(Some(1)));
    assert_eq!(claim(1, other, 200, 100).await, Ok(None), "the lease ends after this time, not at it");
    assert_eq!(claim(1, us, 150, 20).await, Ok(Some(2)), "our own claim is no obstacle");
    assert_eq!(claim(1, other, 300, 151).await, Ok(Some(3)), "an expired lease");
    assert_eq!(claim(2, other, 300, 10).await, Ok(None), "born claimed");
    assert_eq!(claim(2, us, 60, 10).await, Ok(Some(2)), "born claimed is attempt 1");
    assert_eq!(claim(3, us, 60, 10).await, Ok(None), "no such row");
    assert_eq!(claim(1, Replica(us.0 - 1), 500, 400).await, Err(Error::Conflict), "the dead claim nothing");
    let rows = load(&subject, 1).await.outbox;
    assert_eq!(rows[0].claim, Some(Claim { by: other, until: at(300) }));
    assert_eq!((rows[0].attempt, rows[1].attempt), (3, 2));
}

async fn a_heartbeat_prolongs_only_what_is_held(subject: Subject) {
    let us = subject.start().await;
    let other = Replica(us.0 + 1);
    let rows = vec![claimed(us, 50, row(1, 0)), claimed(other, 50, row(2, 0)), row(3, 0)];
    commit(&subject, Step { outbox_add: rows, ..step(us, 1, 0) }).await;
    let all = (1..=4).map(|seq| (ConversationId(1), OutboxSeq(seq))).collect::<Vec<_>>();
    subject.store().heartbeat(us, all.clone(), at(90)).await.unwrap();
    subject.store().heartbeat(us, all, at(80)).await.unwrap();
    let claims: Vec<_> = load(&subject, 1).await.outbox.into_iter().map(|row| row.claim).collect();
    let until = |by, ms| Some(Claim { by, until: at(ms) });
    assert_eq!(claims, [until(us, 90), until(other, 50), None], "prolonged, never shortened");
}

async fn a_release_gives_back_only_what_is_held(subject: Subject) {
    let us = subject.start().await;
    let rows = vec![claimed(us, 50, row(1, 0)), claimed(us, 50, row(2, 0)), row(3, 0)];
    commit(&subject, Step { outbox_add: rows, ..step(us, 1, 0) }).await;
    for (seq, uncount) in [(1, false), (2, true), (2, true), (3, true), (4, false)] {
        subject.store().release(ConversationId(1), OutboxSeq(seq), at(70), uncount).await.unwrap();
    }
    let rows = load(&subject, 1).await.outbox;
    let seen: Vec<_> = rows.iter().map(|row| (row.attempt, row.due, row.claim)).collect();
    assert_eq!(seen, [(1, at(70), None), (0, at(70), None), (0, at(0), None)], "a second release changes nothing");
}

async fn the_dead_hold_no_claims(mut subject: Subject) {
    let before = subject.start().await;
    commit(&subject, Step { outbox_add: vec![claimed(before, 9_000, row(1, 5))], ..step(before, 1, 0) }).await;
    assert_eq!(due(&subject, before, 10).await, [] as [u64; 0], "we hold it ourselves");
    subject.reopen();
    let us = subject.start().await;
    assert_eq!(due(&subject, us, 4).await, [] as [u64; 0], "not before its time");
    assert_eq!(due(&subject, us, 10).await, [1]);
    let held = vec![(ConversationId(1), OutboxSeq(1))];
    subject.store().heartbeat(before, held, at(99_000)).await.unwrap();
    subject.store().release(ConversationId(1), OutboxSeq(1), at(99_000), true).await.unwrap();
    let claim = Claim { by: us, until: at(100) };
    assert_eq!(subject.store().claim(ConversationId(1), OutboxSeq(1), claim, at(10)).await, Ok(Some(2)));
}

async fn due_names_the_oldest_first(subject: Subject) {
    let us = subject.start().await;
    let other = Replica(us.0 + 1);
    let next_due = |ms, step| Step { next_due: Some(at(ms)), ..step };
    commit(&subject, next_due(30, step(us, 1, 0))).await;
    commit(&subject, next_due(41, step(us, 2, 0))).await;
    let both = Step { outbox_add: vec![row(1, 10), row(2, 35)], ..next_due(20, step(us, 3, 0)) };
    commit(&subject, both).await;
    let held = vec![claimed(us, 5, row(1, 0)), claimed(other, 40, row(2, 0))];
    commit(&subject, Step { outbox_add: held, ..step(us, 4, 0) }).await;
    commit(&subject, step(us, 5, 0)).await;
    subject.store().accept(ConversationId(5), open_accept(25, key(77))).await.unwrap();
    assert_eq!(due(&subject, us, 40).await, [3, 5, 1]);
    assert_eq!(due(&subject, us, 41).await, [4, 3, 5, 1, 2], "another's claim has expired");
    assert_eq!(subject.store().due(us, at(41), 2).await, Ok(vec![ConversationId(4), ConversationId(3)]));
    assert_eq!(due(&subject, us, 9).await, [5], "an open entry waits for no time");
    for (after, next) in [(0, Some(20)), (20, Some(30)), (30, Some(41)), (41, None)] {
        assert_eq!(subject.store().next_due(at(after)).await, Ok(next.map(at)), "after {after}");
    }
    assert_eq!(subject.store().conversations(2).await, Ok(vec![ConversationId(5), ConversationId(4)]));
}

async fn a_settled_row_is_gone(subject: Subject) {
    let us = subject.start().await;
    commit(&subject, Step { outbox_add: vec![row(1, 0), row(2, 0)], ..step(us, 1, 0) }).await;
    commit(&subject, Step { outbox_add: vec![row(1, 0)], ..step(us, 2, 0) }).await;
    let settled = Step { outbox_settle: vec![settle(1), settle(7)], outbox_add: vec![row(3, 0)], ..step(us, 1, 1) };
    commit(&subject, settled).await;
    let left: Vec<_> = load(&subject, 1).await.outbox.into_iter().map(|row| row.seq.0).collect();
    assert_eq!(left, [2, 3]);
    assert_eq!(load(&subject, 2).await.outbox.len(), 1, "another conversation's row of the same number");
}

async fn a_step_that_contradicts_the_store_is_damage_and_stores_nothing(subject: Subject) {
    let us = subject.start().await;
    let first = Step { accepts: vec![accept(1, key(11))], outbox_add: vec![row(1, 0)], ..step(us, 1, 0) };
    commit(&subject, first).await;
    let before = load(&subject, 1).await;
    let gap = JournalRow { seq: 3, ..step(us, 1, 1).journal };
    for (broken, why) in [
        (Step { accepts: vec![accept(1, key(12))], ..step(us, 1, 1) }, "a request id twice"),
        (Step { outbox_add: vec![row(1, 0)], ..step(us, 1, 1) }, "an outbox row twice"),
        (Step { accepts: vec![accept(2, key(12))], seals: vec![seal_same(2, 1)], ..step(us, 1, 1) }, "not sealed"),
        (Step { journal: gap, ..step(us, 1, 1) }, "a gap in the journal"),
    ] {
        let error = refusal(&subject, broken).await;
        assert!(matches!(error, Error::Damaged(_)), "{why}: {error}");
        assert_eq!(load(&subject, 1).await, before, "{why}");
    }
    assert_eq!(subject.store().reply_for(key(12)).await, Ok(None));
}

async fn letters_are_buried_once_listed_and_dropped(subject: Subject) {
    let us = subject.start().await;
    let store = subject.store();
    let homeless = Letter { conversation: None, ..letter(3) };
    store.bury(homeless.clone()).await.unwrap();
    store.bury(letter(1)).await.unwrap();
    store.bury(Letter { reason: "again".into(), ..letter(1) }).await.unwrap();
    commit(&subject, Step { letters: vec![letter(2)], ..step(us, 1, 0) }).await;
    let list = async |after: u64, limit: u32| {
        let letters = store.dead_letters(LetterQuery { after, limit }).await.unwrap();
        letters.into_iter().map(|letter| letter.id).collect::<Vec<_>>()
    };
    assert_eq!(list(0, 0).await, [1, 2, 3]);
    assert_eq!(list(1, 1).await, [2]);
    assert_eq!(store.dead_letter(3).await, Ok(Some(homeless)));
    assert_eq!(store.dead_letter(1).await, Ok(Some(letter(1))), "buried again, it stays as it was");
    commit(&subject, Step { letters_redriven: vec![2, 9], ..step(us, 1, 1) }).await;
    assert_eq!(store.drop_letter(1).await, Ok(true));
    assert_eq!(store.drop_letter(1).await, Ok(false));
    assert_eq!(list(0, 0).await, [3]);
}

async fn the_journal_is_read_in_pieces(subject: Subject) {
    let us = subject.start().await;
    for version in 0..5 {
        commit(&subject, step(us, 1, version)).await;
    }
    commit(&subject, step(us, 2, 0)).await;
    for (from, limit, expected) in
        [(0, 9, &[1, 2, 3, 4, 5][..]), (2, 2, &[2, 3]), (5, 9, &[5]), (6, 9, &[]), (1, 0, &[])]
    {
        let rows = subject.store().read_journal(ConversationId(1), from, limit).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), expected, "{limit} from {from}");
    }
}

async fn conversations_are_listed_by_their_latest_step(subject: Subject) {
    let us = subject.start().await;
    let store = subject.store();
    assert_eq!(store.recent(u64::MAX, 9).await, Ok(RecentPage::default()));
    for (id, version) in [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2)] {
        commit(&subject, Step { next_due: Some(at(id)), finished: id == 3, ..step(us, id, version) }).await;
    }
    let ids = |page: &RecentPage| page.conversations.iter().map(|recent| recent.conversation.0).collect::<Vec<_>>();
    let first = store.recent(u64::MAX, 2).await.unwrap();
    assert_eq!(ids(&first), [1, 2]);
    assert_eq!(first.conversations[0].state, load(&subject, 1).await.state);
    assert_eq!((first.conversations[0].touched, first.conversations[0].next_due), (at(2), Some(at(1))));
    let second = store.recent(first.before.unwrap(), 2).await.unwrap();
    assert_eq!((ids(&second), second.before, second.conversations[0].finished), (vec![3], None, true));

    let log = store.read_log(0, 4).await.unwrap();
    let read = |log: &[LogRow]| log.iter().map(|found| (found.conversation.0, found.row.seq)).collect::<Vec<_>>();
    assert_eq!(read(&log), [(1, 1), (2, 1), (3, 1), (1, 2)]);
    let rest = store.read_log(log[3].place, 9).await.unwrap();
    assert_eq!(read(&rest), [(2, 2), (1, 3)]);
    assert_eq!(rest[1].place, first.conversations[0].place, "the newest row of all is that of the latest conversation");
    assert_eq!(store.read_log(u64::MAX, 9).await, Ok(Vec::new()));
}

async fn a_sweep_takes_old_requests_but_no_open_entry(subject: Subject) {
    let us = subject.start().await;
    let accepts = vec![open_accept(1, key(11)), accept(2, key(12)), accept(3, key(13)), accept(4, key(14))];
    commit(&subject, Step { accepts, ..step(us, 1, 0) }).await;
    let sweep = Sweep { requests_before: at(4), conversations_before: at(0), limit: 1 };
    for expected in [1, 1, 0] {
        let swept = subject.store().sweep(sweep).await;
        assert_eq!(swept, Ok(Swept { requests: expected, conversations: 0 }));
    }
    let loaded = load(&subject, 1).await;
    assert_eq!(loaded.requests.iter().map(|request| request.id.0).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(loaded.open_entries.len(), 1);
    assert_eq!(subject.store().reply_for(key(12)).await, Ok(None));
    let again = subject.store().accept(ConversationId(1), accept(5, key(12))).await;
    assert_eq!(again, Ok(Accepted::New));
}

async fn a_sweep_takes_finished_conversations_with_all_that_is_theirs(subject: Subject) {
    let us = subject.start().await;
    let finished = |step: Step| Step { finished: true, ..step };
    for id in 1..=5 {
        commit(&subject, Step { new_legs: vec![key(100 + u8::try_from(id).unwrap())], ..step(us, id, 0) }).await;
    }
    commit(&subject, finished(step(us, 1, 1))).await;
    commit(&subject, finished(Step { outbox_add: vec![row(1, 0)], ..step(us, 2, 1) })).await;
    commit(&subject, finished(Step { accepts: vec![open_accept(1, key(11))], ..step(us, 3, 1) })).await;
    commit(&subject, finished(step(us, 4, 1))).await;
    commit(&subject, step(us, 4, 2)).await;
    let sweep = |before| Sweep { requests_before: at(0), conversations_before: at(before), limit: 10 };
    assert_eq!(subject.store().sweep(sweep(1)).await, Ok(Swept::default()), "touched too lately");
    let swept = subject.store().sweep(sweep(100)).await;
    assert_eq!(swept, Ok(Swept { requests: 0, conversations: 1 }), "not what is live, open, unfinished or revived");
    assert_eq!(subject.store().load(ConversationId(1)).await, Ok(None));
    assert_eq!(subject.store().find(key(1)).await, Ok(None));
    assert_eq!(subject.store().find(key(101)).await, Ok(None));
    assert_eq!(subject.store().find(key(102)).await, Ok(Some(ConversationId(2))));
    assert_eq!(subject.store().read_journal(ConversationId(1), 0, 9).await, Ok(vec![]));
    assert_eq!(subject.store().conversations(9).await.unwrap().len(), 4);
    commit(&subject, finished(step(us, 5, 1))).await;
    commit(&subject, finished(step(us, 4, 3))).await;
    let one = Sweep { limit: 1, ..sweep(100) };
    for left in [&[4, 3, 2][..], &[3, 2], &[3, 2]] {
        subject.store().sweep(one).await.unwrap();
        let ids: Vec<_> = subject.store().conversations(9).await.unwrap().into_iter().map(|id| id.0).collect();
        assert_eq!(ids, left, "the one touched longest ago goes first");
    }
}

async fn a_sweep_takes_policies_that_no_journal_row_names(subject: Subject) {
    let us = subject.start().await;
    let store = subject.store();
    for n in 1..=20 {
        assert_eq!(store.enact(blob(&format!("policies {n}"))).await, Ok(n));
    }
    for (id, policy_revision) in [(1, 15), (2, 20)] {
        let step = Step { finished: id == 1, ..step(us, id, 0) };
        commit(&subject, Step { journal: JournalRow { policy_revision, ..step.journal.clone() }, ..step }).await;
    }
    let oldest = async || {
        for revision in 1..=20 {
            if store.policies(revision).await.unwrap().is_some() {
                return revision;
            }
        }
        0
    };
    let sweep = |before, limit| Sweep { requests_before: at(0), conversations_before: at(before), limit };
    for (sweep, expected) in [(sweep(0, 4), 5), (sweep(0, 4), 7), (sweep(0, 4), 7), (sweep(100, 9), 12)] {
        store.sweep(sweep).await.unwrap();
        assert_eq!(oldest().await, expected, "{sweep:?}");
    }
    assert_eq!(store.enact(blob("policies 20")).await, Ok(20));
    assert_eq!(store.enact(blob("policies 1")).await, Ok(21));
}

async fn a_failing_step_is_skipped_alone(subject: Subject) {
    let us = subject.start().await;
    let with = |request: u64, name: u8, step: Step| Step { accepts: vec![accept(request, key(name))], ..step };
    let broken = Step { outbox_add: vec![row(1, 0), row(1, 0)], ..with(4, 14, step(us, 4, 0)) };
    let steps = [
        with(1, 11, step(us, 1, 0)),
        step(us, 1, 0),
        with(2, 12, step(us, 2, 0)),
        with(3, 11, step(us, 3, 0)),
        broken,
        with(5, 15, step(us, 5, 0)),
        with(6, 16, step(us, 6, 0)),
    ];
    let store = subject.store();
    let mut answers = futures_util::future::join_all(steps.map(|step| store.commit(step))).await;
    let damaged = answers.remove(4);
    assert!(matches!(damaged, Err(Error::Damaged(_))), "{damaged:?}");
    let expected = [Ok(()), Err(Error::Conflict), Ok(()), Err(Error::Duplicate(RequestId(1))), Ok(()), Ok(())];
    assert_eq!(answers, expected);
    let stored: Vec<_> = store.conversations(9).await.unwrap().into_iter().map(|id| id.0).collect();
    assert_eq!(stored, [6, 5, 2, 1]);
    assert_eq!(store.reply_for(key(14)).await, Ok(None));
}

async fn equal_policies_have_one_revision(mut subject: Subject) {
    subject.start().await;
    let store = subject.store();
    assert_eq!(store.policies(1).await, Ok(None));
    for (policies, revision) in [("one", 1), ("one", 1), ("two", 2), ("one", 3)] {
        assert_eq!(store.enact(blob(policies)).await, Ok(revision), "{policies}");
    }
    subject.reopen();
    assert_eq!(subject.store().enact(blob("one")).await, Ok(3));
    assert_eq!(subject.store().policies(2).await, Ok(Some(blob("two"))));
    assert_eq!(subject.store().policies(4).await, Ok(None));
}

async fn bots_out_of_service_are_kept_until_they_are_enabled(mut subject: Subject) {
    subject.start().await;
    let bot = |key: &str, reason: &str| OutOfService {
        bot: key.into(),
        since: at(5),
        reason: reason.to_owned(),
        who: "operator".to_owned(),
    };
    for (key, reason) in [("orders", "slow"), ("bookings", "it lies"), ("orders", "down")] {
        subject.store().disable(bot(key, reason)).await.unwrap();
    }
    subject.reopen();
    let store = subject.store();
    assert_eq!(store.out_of_service().await, Ok(vec![bot("bookings", "it lies"), bot("orders", "down")]));
    assert_eq!(store.enable("orders".into()).await, Ok(true));
    assert_eq!(store.enable("orders".into()).await, Ok(false));
    assert_eq!(store.out_of_service().await, Ok(vec![bot("bookings", "it lies")]));
}

async fn the_first_and_the_latest_manifest_of_a_version_are_kept(mut subject: Subject) {
    subject.start().await;
    let note = |bot: &str, version: &str, ms: u64, declared: &str| ManifestNote {
        connector: "web".into(),
        bot: bot.into(),
        version: version.into(),
        at: at(ms),
        declared: blob(declared),
    };
    let unchanged = |note: ManifestNote| Manifest { latest_at: note.at, latest: note.declared.clone(), first: note };
    for (ms, declared) in [(1, "A"), (2, "A"), (3, "B"), (4, "C"), (5, "C")] {
        let notes = vec![note("orders", "1", ms, declared), note("bookings", "1", ms, "same")];
        subject.store().note_manifests(notes).await.unwrap();
    }
    subject.reopen();
    let changed = Manifest { first: note("orders", "1", 1, "A"), latest_at: at(4), latest: blob("C") };
    assert_eq!(
        subject.store().manifests().await,
        Ok(vec![unchanged(note("bookings", "1", 1, "same")), changed.clone()])
    );

    // Past the bound the version goes that was noted the longest ago; other bots keep theirs.
    let many = (100..149).map(|n| note("orders", &n.to_string(), n, "A")).collect();
    subject.store().note_manifests(many).await.unwrap();
    assert_eq!(subject.store().manifests().await.unwrap().len(), 51);
    subject.store().note_manifests(vec![note("orders", "2", 200, "A")]).await.unwrap();
    let left = subject.store().manifests().await.unwrap();
    assert_eq!((left.len(), left.contains(&changed)), (51, false));
    assert_eq!(left.first(), Some(&unchanged(note("bookings", "1", 1, "same"))));
}

async fn what_shadows_found_is_counted_with_the_step(mut subject: Subject) {
    let us = subject.start().await;
    let note =
        |kind: &str, item: u16| ShadowNote { connector: "sms".into(), bot: "orders".into(), kind: kind.into(), item };
    let count = |latest: ShadowNote, answers: u64, first: u64, at_version: u64| ShadowCount {
        latest,
        answers,
        first_at: at(first),
        latest_at: at(at_version),
        conversation: ConversationId(1),
    };
    for version in 0..3 {
        let mut step = step(us, 1, version);
        step.journal.at = at(version);
        step.shadows = vec![note("compared", 0)];
        if version > 0 {
            step.shadows.push(note("messages", u16::try_from(version).unwrap()));
        }
        subject.store().commit(step).await.unwrap();
    }
    // What is not committed is not counted.
    let mut late = step(us, 1, 0);
    late.shadows = vec![note("compared", 0)];
    assert_eq!(subject.store().commit(late).await, Err(Error::Conflict));
    subject.reopen();
    let expected = vec![count(note("compared", 0), 3, 0, 2), count(note("messages", 2), 2, 1, 2)];
    assert_eq!(subject.store().shadows().await, Ok(expected));
}

async fn unfinished_conversations_are_listed_in_pieces(subject: Subject) {
    let us = subject.start().await;
    for id in 1..=5 {
        commit(&subject, Step { finished: id == 2, ..step(us, id, 0) }).await;
    }
    for (after, limit, expected) in [(0, 9, &[1, 3, 4, 5][..]), (1, 2, &[3, 4]), (5, 9, &[]), (0, 0, &[])] {
        let found = subject.store().unfinished(ConversationId(after), limit).await.unwrap();
        assert_eq!(found.iter().map(|id| id.0).collect::<Vec<_>>(), expected, "{limit} after {after}");
    }
}

async fn everything_is_there_after_a_restart(mut subject: Subject) {
    let us = subject.start().await;
    let full = Step {
        new_legs: vec![key(101)],
        next_due: Some(at(3)),
        accepts: vec![open_accept(1, key(11))],
        outbox_add: vec![row(1, 5)],
        letters: vec![letter(1)],
        ..step(us, 1, 0)
    };
    commit(&subject, full).await;
    let before = load(&subject, 1).await;
    for _ in 0..3 {
        subject.reopen();
        let us = subject.start().await;
        assert_eq!(load(&subject, 1).await, before);
        assert_eq!(due(&subject, us, 9).await, [1]);
        assert_eq!(subject.store().find(key(101)).await, Ok(Some(ConversationId(1))));
        assert_eq!(subject.store().dead_letter(1).await, Ok(Some(letter(1))));
        assert_eq!(subject.store().read_journal(ConversationId(1), 0, 9).await.unwrap().len(), 1);
    }
}

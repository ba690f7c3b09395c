//! What operators see of conversations and calls, in which role, and what they do to bots.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use conversation::{BotPolicy, Policies};
use cordboard::admin::Admin;
use cordboard::admin::client::Client;
use cordboard::admin::look::Wanted;
use cordboard::admin::timeline::Hop;
use cordboard::admin::view::CallView;
use cordboard::engine::EngineConfig;
use model::{Channel, ConversationId, Holder, News};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::admin::{Office, refusal};
use crate::gateway::{Behaviour, Gateway, KEY, SECRET, Setup, V1, V2, message_v1, message_v2};
use crate::raw::{head, request, send};

async fn latest(gateway: &Gateway) -> ConversationId {
    gateway.store().conversations(1).await.unwrap()[0]
}

/// A timeline as a text that is the same at every run: without times, and with requests counted.
fn story(hops: &[Hop]) -> String {
    let mut requests: Vec<String> = Vec::new();
    let mut lines = String::new();
    for hop in hops {
        let mut text = hop.text.clone();
        for word in hop.text.split(|letter: char| !letter.is_alphanumeric()) {
            if word.len() > 12 && word.starts_with('r') && word[1..].bytes().all(|byte| byte.is_ascii_digit()) {
                let place = requests.iter().position(|known| known == word);
                let place = place.unwrap_or_else(|| {
                    requests.push(word.to_owned());
                    requests.len() - 1
                });
                text = text.replace(word, &format!("request-{}", place + 1));
            }
        }
        lines += &format!("{} {}: {text}", hop.row, hop.what);
        if hop.characters > 0 {
            lines += &format!(" ({} characters)", hop.characters);
        }
        for words in &hop.words {
            lines += &format!(" “{words}”");
        }
        lines.push('\n');
    }
    lines
}

/// Everything up to the hop after which nothing more can come.
async fn until(client: &Client, id: ConversationId, words: bool, last: &str) -> Vec<Hop> {
    let (mut after, mut told) = (None, Vec::new());
    loop {
        let hops = client.hops(Some(id), after, words, 20_000).await.unwrap();
        told.extend(hops.hops);
        if told.iter().any(|hop: &Hop| hop.what == last) {
            return told;
        }
        after = Some(hops.after.parse().unwrap());
    }
}

#[tokio::test]
async fn a_conversation_is_followed_hop_by_hop() {
    // Long enough for the first answer, which is given at once; the second one is late.
    let gateway = Gateway::start_with(Setup { soft_deadline_ms: 2_000, ..Setup::default() }).await;
    let office = Office::of(gateway);
    let (gateway, client) = (&office.gateway, office.client().await);
    gateway.says("s1", "m1", "a marked word").await;
    gateway.bot(Behaviour::Waits);
    assert_eq!(gateway.says("s1", "m2", "and another").await.json()["botState"], "MoreData");
    gateway.bot(Behaviour::HandsOver);
    gateway.push().await;
    let id = latest(gateway).await;
    let told = until(&client, id, true, "delivered").await;
    insta::assert_snapshot!(story(&told));

    let masked = until(&client, id, false, "delivered").await;
    assert!(masked.iter().all(|hop| hop.words.is_empty() && !hop.text.contains("marked")), "{masked:?}");
    assert_eq!(masked.len(), told.len());
    assert_eq!(masked[0].characters, "a marked word".len());
}

#[tokio::test]
async fn the_status_of_an_engine_that_refuses_stands_in_the_timeline_and_in_the_dead_letter() {
    let engine =
        format!("type = 'webhook'\nurl = 'http://bot.example.com'\nnotify = ['opened']\nsecrets = ['{SECRET}']");
    let engine: EngineConfig = toml::from_str(&engine).unwrap();
    let policy = BotPolicy { notify: [News::Opened].into(), ..BotPolicy::default() };
    let policies = Arc::new(Policies { fallback: policy, ..Policies::default() });
    let engine = Some(engine.build(Path::new(".")).unwrap());
    let office = Office::of(Gateway::start_with(Setup { engine, policies, ..Setup::default() }).await);
    let (gateway, client) = (&office.gateway, office.client().await);
    gateway.bot(Behaviour::Fails(403));
    gateway.says("s1", "m1", "hello").await;
    let told = until(&client, latest(gateway).await, false, "session over").await;
    assert!(story(&told).contains("failed: claims: turn-1, engine.refused (HTTP 403)"), "{}", story(&told));
    let looking = async {
        loop {
            if let Some(letter) = client.letters(0, 1).await.unwrap().letters.pop() {
                return letter.reason;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let reason = tokio::time::timeout(Duration::from_secs(30), looking).await.unwrap();
    assert_eq!(reason, "the engine did not take the notice (HTTP 403)");
}

#[tokio::test]
async fn what_was_masked_is_told_by_its_kind() {
    let office = Office::open().await;
    let (gateway, client) = (&office.gateway, office.client().await);
    gateway.says("s1", "m1", "4111 1111 1111 1111 and 5555555555554444").await;
    let told = until(&client, latest(gateway).await, true, "came in").await;
    assert_eq!(told[0].words, ["[card] and [card]"]);
    assert!(told[0].text.ends_with("the customer says; masked: 2 card"), "{}", told[0].text);
}

#[tokio::test]
async fn what_was_changed_for_a_channel_is_told_with_its_reason() {
    let mut policies = Policies::default();
    policies.fallback.channel = Some(Channel::Sms);
    let setup = Setup { policies: Arc::new(policies), ..Setup::default() };
    let office = Office::of(Gateway::start_with(setup).await);
    let (gateway, client) = (&office.gateway, office.client().await);
    let said = gateway.says("s1", "m1", "A sentence to repeat. ".repeat(40).trim()).await.json();
    assert_eq!(said["replyMessages"].as_array().map(Vec::len), Some(2), "{said}");
    let told = until(&client, latest(gateway).await, true, "fitted").await;
    let fitted = told.iter().find(|hop| hop.what == "fitted").unwrap();
    let line = "for web: item 1: 888 characters, split into texts of at most 765 (a text takes 765 characters; \
                digital-bot-connector.md 3.4, inferred)";
    assert_eq!((fitted.text.as_str(), fitted.words.len()), (line, 0));
}

#[tokio::test]
async fn who_follows_hears_of_what_happens_meanwhile() {
    let office = Office::open().await;
    let (gateway, client) = (&office.gateway, office.client().await);
    let from_now = client.hops(None, None, false, 0).await.unwrap();
    assert!(from_now.hops.is_empty());
    let after = from_now.after.parse().unwrap();
    let (news, _) = tokio::join!(client.hops(None, Some(after), false, 20_000), gateway.says("s1", "m1", "hello"));
    let news = news.unwrap();
    let id = latest(gateway).await;
    assert_eq!((news.hops[0].what.as_str(), news.hops[0].conversation.as_str()), ("came in", id.to_string().as_str()));

    // Those who wait are sent home when the process ends.
    let rest = client.hops(Some(id), Some(1_000), false, 20_000);
    let (rest, ()) = tokio::join!(rest, async { office.stop() });
    assert!(rest.is_ok_and(|rest| rest.hops.is_empty()));
}

#[tokio::test]
async fn conversations_are_listed_by_what_is_wanted_and_found_by_the_platforms_id() {
    let office = Office::open().await;
    let (gateway, client) = (&office.gateway, office.client().await);
    gateway.says("s1", "m1", "hello").await;
    gateway.post(V1, message_v1("s2", "hello").as_bytes()).await;
    gateway.bot(Behaviour::HandsOver);
    gateway.says("s3", "m1", "hello").await;
    let list = async |wanted: Wanted| {
        let page = client.conversations(&wanted).await.unwrap();
        let lines = page.conversations.iter().map(|line| (line.floor.clone(), line.connectors.join(" ")));
        (lines.collect::<Vec<_>>(), page.next_before)
    };
    let all = Wanted { limit: 10, ..Wanted::default() };
    let of = |floor: &str, connector: &str| (floor.to_owned(), connector.to_owned());
    let (bot_v2, bot_v1, human) = (of("bot", "web"), of("bot", "sms"), of("handing_over", "web"));
    assert_eq!(list(all.clone()).await, (vec![human.clone(), bot_v1.clone(), bot_v2.clone()], None));
    let holding = Wanted { floor: Some(Holder::HandingOver), ..all.clone() };
    assert_eq!(list(holding).await.0, vec![human.clone()]);
    assert_eq!(list(Wanted { open: true, ..all.clone() }).await.0, [bot_v1.clone(), bot_v2.clone()]);
    assert_eq!(list(Wanted { bot: Some("nobody".into()), ..all.clone() }).await.0, []);
    assert_eq!(list(Wanted { since: Some(office.now() + 60_000), ..all.clone() }).await.0, []);
    let (first, next) = list(Wanted { limit: 2, ..all.clone() }).await;
    assert_eq!(first, [human, bot_v1]);
    let before = next.unwrap().parse().unwrap();
    assert_eq!(list(Wanted { before: Some(before), ..all }).await, (vec![bot_v2], None));

    for id in ["conversation of s3", "s3"] {
        let found = client.by_platform_id(id).await.unwrap();
        assert_eq!((found.line.floor.as_str(), found.legs[0].session.as_str()), ("handing_over", "s3"), "{id}");
    }
    assert_eq!(refusal(client.by_platform_id("s4").await), (404, "conversation.unknown".to_owned()));
}

#[tokio::test]
async fn where_a_conversation_stands_is_shown_without_a_word_of_it() {
    let gateway = Gateway::start_with(Setup { soft_deadline_ms: 100, ..Setup::default() }).await;
    let office = Office::of(gateway);
    let (gateway, client) = (&office.gateway, office.client().await);
    gateway.bot(Behaviour::Waits);
    gateway.says("s1", "m1", "a marked word").await;
    gateway.says("s1", "m2", "a marked word").await;
    let view = client.conversation(latest(gateway).await).await.unwrap();
    assert_eq!((view.line.open, view.seats[0].turn, view.seats[0].waiting), (true, Some(1), 1));
    assert_eq!((view.under_way[0].what.as_str(), view.under_way[0].claimed), ("question to claims, turn-1", true));
    assert!(!serde_json::to_string(&view).unwrap().contains("marked"));
    assert_eq!(refusal(client.conversation(ConversationId(1)).await), (404, "conversation.unknown".to_owned()));
}

#[tokio::test]
async fn the_role_read_looks_at_everything_but_words_and_changes_nothing() {
    let office = Office::open().await;
    let gateway = &office.gateway;
    gateway.says("s1", "m1", "a marked word").await;
    office.bury(1, "a marked word", office.now()).await;
    let (id, reader, operator) = (latest(gateway).await, office.reader(), office.client().await);
    assert!(reader.conversations(&Wanted { limit: 1, ..Wanted::default() }).await.is_ok());
    assert!(reader.hops(Some(id), None, false, 0).await.is_ok_and(|hops| !hops.hops.is_empty()));
    assert!(reader.requests(0, false, 0).await.is_ok_and(|page| page.requests.len() == 1));
    assert_eq!(reader.letter(1).await.unwrap().payload, None);
    assert!(reader.counts().await.is_ok() && reader.bots().await.is_ok());
    let refused = (403, "role".to_owned());
    assert_eq!(refusal(reader.hops(Some(id), None, true, 0).await), refused);
    assert_eq!(refusal(reader.hops(None, Some(0), true, 0).await), refused);
    assert_eq!(refusal(reader.drop_letter(1).await), refused);
    assert_eq!(refusal(reader.retry(1, true).await), refused);
    assert_eq!(refusal(reader.end(id).await), refused);
    assert_eq!(refusal(reader.disable("claims", "because", true).await), refused);
    assert_eq!(refusal(reader.enable("claims").await), refused);

    assert!(operator.letter(1).await.unwrap().payload.is_some());
    assert!(operator.hops(Some(id), None, true, 0).await.is_ok());
    assert!(operator.hops(Some(id), Some(0), true, 0).await.is_ok(), "only the first look is entered");
    assert_eq!(operator.drop_letter(1).await.unwrap().outcome, "dropped");
    assert_eq!(refusal(operator.drop_letter(1).await).0, 404);
    let entries = reader.audit(100).await.unwrap().entries;
    let uid = std::fs::metadata(office.folder.path()).map(|folder| std::os::unix::fs::MetadataExt::uid(&folder)).ok();
    assert!(entries.iter().all(|entry| entry.uid == uid), "{entries:?}");
    let told: Vec<String> = entries
        .iter()
        .map(|entry| {
            let on = entry.on.as_deref().unwrap_or("-").replace(&id.to_string(), "ID");
            format!("{} {} {on}: {}", entry.role, entry.what, entry.outcome)
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    read conversations words ID: 403 role
    read journal words -: 403 role
    read dead-letters drop 1: 403 role
    read dead-letters retry 1: 403 role
    read conversations end ID: 403 role
    read bots disable claims: 403 role
    read bots enable claims: 403 role
    operate dead-letters words 1: done
    operate conversations words ID: done
    operate dead-letters drop 1: done
    operate dead-letters drop 1: 404 letter.unknown
    ");
}

#[tokio::test]
async fn the_group_may_look_when_it_is_allowed_and_finds_nothing_else() {
    let office = Office::open().await;
    let folder = tempfile::tempdir().unwrap();
    let admin = Admin::bind(office.gateway.shared.clone(), folder.path()).unwrap();
    std::fs::write(folder.path().join("database"), "words").unwrap();
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("link")).unwrap();
    admin.let_group_read().unwrap();
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    let modes = ["", "admin.sock", "admin.token", "read.token", "database"].map(mode);
    assert_eq!(modes, [0o710, 0o660, 0o600, 0o640, 0o600]);
    assert_eq!(mode("link"), 0o600, "what a link leads to stays as it was");
}

#[tokio::test]
async fn a_bot_is_taken_out_of_service_in_mid_conversation_and_put_in_again() {
    let office = Office::open().await;
    let (gateway, client) = (&office.gateway, office.client().await);
    let state = async |session: &str, message: &str| {
        gateway.says(session, message, "hello").await.json()["botState"].as_str().unwrap().to_owned()
    };
    assert_eq!(state("s1", "m1").await, "MoreData");
    assert_eq!(state("s2", "m1").await, "MoreData");
    let unknown = client.disable("claim", "because", false).await.unwrap_err().to_string();
    assert!(unknown.contains("unknown bot `claim`; did you mean `claims`?"), "{unknown}");
    assert_eq!(refusal(client.disable("claims", " ", false).await), (422, "call.not_understood".to_owned()));

    let disabled = client.disable("claims", "it promises refunds", false).await.unwrap();
    assert_eq!((disabled.outcome.as_str(), disabled.open_conversations, disabled.handed_over), ("disabled", 2, None));
    assert_eq!(state("s1", "m2").await, "Complete", "the next turn goes to a human");
    assert_eq!(gateway.get("/readyz").await.status, 200);
    let again = client.disable("claims", "it still does", true).await.unwrap();
    assert_eq!(
        (again.outcome.as_str(), again.open_conversations, again.handed_over),
        ("was_disabled", 0, Some(1)),
        "and what is open, at once"
    );
    let bots = client.bots().await.unwrap().bots;
    let out = bots.iter().find(|bot| bot.bot == "claims").unwrap().out_of_service.clone().unwrap();
    assert_eq!(out.reason, "it still does");
    let last = client.audit(1).await.unwrap().entries.remove(0);
    assert_eq!((last.what.as_str(), last.detail.as_deref()), ("bots disable", Some("now: it still does")));
    assert_eq!(Some(out.who), last.user.or_else(|| last.uid.map(|uid| format!("uid {uid}"))));

    assert_eq!(client.enable("claims").await.unwrap().outcome, "enabled");
    assert_eq!(client.enable("claims").await.unwrap().outcome, "was_enabled");
    assert_eq!(refusal(client.enable("clams").await), (404, "bot.unknown".to_owned()));
    assert_eq!(state("s3", "m1").await, "MoreData");
}

#[tokio::test]
async fn refused_calls_say_what_to_do() {
    let office = Office::open().await;
    let (gateway, client) = (&office.gateway, office.client().await);
    let messages = format!("{V2}/messages");
    let post = async |path: &str, headers: &[(&str, &str)], body: &[u8]| {
        send(gateway.address, &request("POST", path, headers, body)).await.status
    };
    let quoted = format!("\"{}\"", KEY.1);
    let correlated = [KEY, ("inin-correlation-id", "c-1")];
    let body = message_v2("s1", "m1", "hello");
    assert_eq!(post(&messages, &correlated, body.as_bytes()).await, 200);
    assert_eq!(post(&messages, &[], body.as_bytes()).await, 403);
    assert_eq!(post(&messages, &[("x-key", &quoted)], body.as_bytes()).await, 403);
    assert_eq!(post(&messages, &[("x-key", "a-marked-secret")], body.as_bytes()).await, 403);
    assert_eq!(post(&format!("{V2}//messages?key=a-marked-secret"), &[KEY], body.as_bytes()).await, 404);
    assert_eq!(post("/nowhere", &[], b"").await, 404);
    assert_eq!(post(&messages, &[KEY], b"{").await, 400);
    assert_eq!(post(&messages, &[KEY], b"{\"botId\":\"nobody\"}").await, 200);
    assert_eq!(gateway.get(&messages).await.status, 405);
    // Whoever only watches the process is no platform.
    gateway.get("/healthz").await;
    let mut hasty = TcpStream::connect(gateway.address).await.unwrap();
    hasty.write_all(&head("POST", &messages, &[KEY, ("content-length", "9")])).await.unwrap();
    drop(hasty);
    let mut page = client.requests(0, true, 0).await.unwrap();
    while page.requests.len() < 9 {
        page.requests.extend(client.requests(page.after, true, 20_000).await.unwrap().requests);
    }
    let told = |call: &CallView| {
        let status = call.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        let (place, reason) = (call.connector.as_deref().unwrap_or("-"), call.reason.as_deref().unwrap_or("-"));
        let advice = call.advice.as_deref().unwrap_or("-");
        format!("{} {} {place} {status} {reason}: {advice}\n", call.method, call.path)
    };
    insta::assert_snapshot!(page.requests.iter().map(told).collect::<String>());
    let all = client.requests(0, false, 0).await.unwrap().requests;
    assert_eq!(all.len(), 10);
    assert_eq!(
        (all[0].status, all[0].correlation_id.as_deref(), all[0].reason.as_deref()),
        (Some(200), Some("c-1"), None)
    );
    assert_eq!(all[0].client.as_deref(), Some("127.0.0.1"));
    assert!(!serde_json::to_string(&all).unwrap().contains("marked"), "no value of a header, no query");
}

#[tokio::test]
async fn refused_calls_do_not_push_out_the_others() {
    let office = Office::open().await;
    let (gateway, client) = (&office.gateway, office.client().await);
    gateway.says("s1", "m1", "hello").await;
    for n in 0..210 {
        gateway.get(&format!("/nowhere/{n}")).await;
    }
    let calls = client.requests(0, false, 0).await.unwrap().requests;
    assert_eq!((calls.len(), calls[0].number, calls[1].path.as_str()), (201, 1, "/nowhere/10"));
}

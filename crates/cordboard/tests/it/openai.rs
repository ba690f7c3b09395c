//! Bots behind a language model, in the whole gateway: the customer speaks, the model does what models do, and Genesys
//! receives something sensible.

mod peer;

use serde_json::json;
use simulator::FlowSettings;

use self::peer::{Peer, Says, Server};
use crate::world::{Wishes, World};

/// A bot `name` at a server, with more keys for its engine and for itself.
fn bot(name: &str, url: &str, engine: &str, bot: &str) -> String {
    let prompt = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/llm/prompt.md");
    format!(
        "[bots.{name}]\nintents = [{{ name = \"ParcelTracked\", slots = {{ parcelNumber = \"String\" }} }}]\n{bot}\n\
         [bots.{name}.engine]\ntype = \"openai\"\nbase_url = \"{url}/v1\"\nmodel = \"m\"\nprompt = \"{prompt}\"\n\
         api_key = \"sk-test\"\n{engine}\n"
    )
}

/// What Genesys received for each of these words, each said in a conversation of its own.
async fn stories(world: &World, said: &[(&str, &str)]) -> String {
    let mut told = String::new();
    for (bot, words) in said {
        let customer = world.v2_with(bot, FlowSettings::default()).await;
        customer.says(words);
        customer.is_answered().await;
        let story = customer.story();
        let lines = story.lines().filter(|line| line.starts_with("flow     <") || line.starts_with("outgoing"));
        told += &format!("{bot}: {words}\n{}\n", lines.collect::<Vec<_>>().join("\n"));
    }
    told
}

#[tokio::test]
async fn a_model_talks_and_uses_its_tools() {
    let Some(peer) = Peer::start(&["--chunk-size", "7"]).await else { return };
    let bots = ["chat_completions", "responses"].map(|api| bot(api, &peer.url, &format!("api = \"{api}\""), ""));
    let whole = bot("whole", &peer.url, "stream = false", "");
    let world = World::with_more(Wishes::default(), &(bots.concat() + &whole)).await;
    for name in ["chat_completions", "responses", "whole"] {
        let said = ["hello", "my parcel is 77", "what can I do", "a person", "bye", "tell me everything"];
        let told = stories(&world, &said.map(|words| (name, words))).await;
        let told = told.replace(name, "bot");
        // The three say the same.
        insta::assert_snapshot!("a_model_talks", told);
    }
}

#[tokio::test]
async fn what_goes_wrong_is_tried_again_or_ends_with_a_human() {
    let Some(peer) = Peer::start(&[]).await else { return };
    let bots = [
        bot("desk", &peer.url, "", ""),
        bot("stranger", &peer.url, "", "").replace("sk-test", "sk-wrong"),
        bot("patient", &peer.url, "first_token_timeout_ms = 200", ""),
        bot("hurried", &peer.url, "", "hard_deadline_ms = 1000"),
    ];
    let world = World::with_more(Wishes::default(), &bots.concat()).await;
    let told = stories(
        &world,
        &[
            ("desk", "say nothing"),
            ("desk", "run in circles"),
            ("desk", "stumble once"),
            ("desk", "stumble always"),
            ("desk", "say something bad"),
            ("desk", "break off once"),
            ("desk", "be busy once"),
            ("desk", "fall over once"),
            ("desk", "have no money"),
            ("desk", "be another model"),
            ("desk", "something that nobody foresaw"),
            ("stranger", "hello"),
            ("patient", "never begin"),
            ("hurried", "drip"),
        ],
    )
    .await;
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_server_that_always_fails_ends_with_a_human() {
    let flags = ["--chaos-drop", "--chaos-malformed", "--chaos-disconnect", "--chaos-ratelimit"];
    let mut told = String::new();
    for flag in flags {
        let Some(peer) = Peer::start(&[flag, "1"]).await else { return };
        let world = World::with_more(Wishes::default(), &bot("desk", &peer.url, "", "")).await;
        told += &stories(&world, &[("desk", "hello")]).await.replace("desk: hello", flag);
    }
    insta::assert_snapshot!(told);
}

fn words(words: &str) -> String {
    format!("data: {}\n\n", json!({"choices": [{"delta": {"content": words}}]}))
}

fn end() -> String {
    format!("data: {}\n\ndata: [DONE]\n\n", json!({"choices": [{"delta": {}, "finish_reason": "stop"}]}))
}

#[tokio::test]
async fn what_only_some_servers_do_is_met_as_well() {
    let refusal = json!({"choices": [{"message": {"refusal": "I will not."}, "finish_reason": "stop"}]}).to_string();
    let busy = json!({"error": {"type": "rate_limit_error"}}).to_string();
    let server = Server::start([
        // Too many requests, without a word about when.
        Says::whole(429, busy),
        Says::whole(200, words("Now.") + &end()),
        // An error in the middle of a stream.
        Says::whole(200, words("Hal") + "data: {\"error\": {\"type\": \"server_error\"}}\n\n"),
        Says::whole(200, words("Whole.") + &end()),
        // A stream that ends cleanly before its end.
        Says::whole(200, words("Hal")),
        Says::whole(200, words("All of it.") + &end()),
        // What is refused, and what nobody may.
        Says::whole(200, refusal.clone()),
        Says::whole(200, refusal),
        Says::whole(403, ""),
    ])
    .await;
    let bots =
        bot("desk", &server.url, "", "") + &bot("says", &server.url, "on_refusal = \"say\"", "on_failure = \"say\"");
    let world = World::with_more(Wishes::default(), &bots).await;
    let said = ["busy", "error", "half"].map(|words| ("desk", words));
    let refused = [("desk", "refused"), ("says", "refused"), ("says", "forbidden")];
    let told = stories(&world, &[&said[..], &refused[..]].concat()).await;
    insta::assert_snapshot!(told);
    assert_eq!(server.asked().len(), 9);
}

#[tokio::test]
async fn a_stream_that_stops_is_asked_again() {
    let (stops, held) = Says::begins(200, words("Hal"));
    let server = Server::start([stops, Says::whole(200, words("Whole.") + &end())]).await;
    let world = World::with_more(Wishes::default(), &bot("desk", &server.url, "idle_timeout_ms = 200", "")).await;
    let customer = world.v2_with("desk", FlowSettings::default()).await;
    customer.says("hello");
    assert_eq!(customer.sees().await, "Whole.");
    drop(held);
}

#[tokio::test]
async fn paragraphs_reach_the_customer_while_the_model_writes() {
    let (begins, rest) = Says::begins(200, words("The first.\n\nThe sec"));
    let (breaks, broken) = Says::begins(200, words("A promise.\n\nAnd th"));
    let server = Server::start([begins, breaks]).await;
    let wishes = Wishes { digital: "push_after_ack_ms = 0", ..Wishes::default() };
    let keys = "deliver = \"paragraphs\"";
    let world = World::with_more(wishes, &bot("desk", &server.url, keys, "")).await;
    let customer = world.v2_with("desk", FlowSettings::default()).await;
    customer.says("hello");
    assert_eq!(customer.sees().await, "The first.");
    rest.goes_on(words("ond.") + &end());
    drop(rest);
    assert_eq!(customer.sees().await, "The second.");
    // What was said cannot be taken back: a stream that breaks now is not asked again, and a human takes over.
    customer.says("and then?");
    assert_eq!(customer.sees().await, "A promise.");
    drop(broken);
    assert_eq!(customer.leaves_by().await, "human");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_server_that_fails_in_the_middle_of_a_turn_is_asked_again_and_nothing_is_said_twice() {
    let first = || {
        let tool = json!([{"index": 0, "id": "a", "function": {"name": "no_such_tool", "arguments": "{}"}}]);
        let call = json!({"choices": [{"delta": {"tool_calls": tool}, "finish_reason": "tool_calls"}]});
        Says::whole(200, words("One moment.\n\n") + &format!("data: {call}\n\ndata: [DONE]\n\n"))
    };
    let server = Server::start([
        first(),
        Says::whole(429, "").header("retry-after", "0"),
        Says::whole(500, ""),
        Says::whole(200, words("Here it is.") + &end()),
        first(),
        Says::whole(429, "").header("retry-after", "9999"),
    ])
    .await;
    let keys = "deliver = \"paragraphs\"";
    let world = World::with_more(Wishes::default(), &bot("desk", &server.url, keys, "")).await;
    let customer = world.v2_with("desk", FlowSettings::default()).await;
    customer.says("hello");
    assert_eq!(customer.sees().await, "One moment.");
    assert_eq!(customer.sees().await, "Here it is.");
    // Who wants to be left alone for longer than the turn lasts is.
    customer.says("and then?");
    assert_eq!(customer.sees().await, "One moment.");
    assert_eq!(customer.leaves_by().await, "human");
    let asked = server.asked();
    assert_eq!(asked.len(), 6);
    assert_eq!((&asked[1], &asked[1]), (&asked[2], &asked[3]), "the same call, not the first one");
}

#[tokio::test]
async fn a_model_is_told_what_was_said_after_a_crash_too() {
    let summary = json!({"choices": [{"message": {"content": "She said one to three."}, "finish_reason": "stop"}]});
    let server = Server::start([
        Says::whole(200, words("first") + &end()),
        Says::whole(200, words("second") + &end()).header("x-request-id", "r1"),
        Says::whole(200, words("third") + &end()),
        Says::whole(200, summary.to_string()),
        Says::whole(200, words("fourth") + &end()),
    ])
    .await;
    // Six utterances of at most two tokens, with four around each.
    let keys = "history_max_tokens = 33";
    let mut world = World::with_more(Wishes::default(), &bot("desk", &server.url, keys, "")).await;
    let customer = world.v2_with("desk", FlowSettings::default()).await;
    for (said, answer) in [("one", "first"), ("two", "second"), ("three", "third"), ("four", "fourth")] {
        customer.says(said);
        assert_eq!(customer.sees().await, answer);
        customer.is_answered().await;
        if said == "two" {
            world.crash_and_start().await;
        }
    }
    let asked = server.asked();
    let read = |at: usize| -> Vec<String> {
        let messages = asked[at]["messages"].as_array().unwrap();
        messages[1..].iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(read(0), ["one"]);
    assert_eq!(read(2), ["one", "first", "two", "second", "three"], "after the crash");
    insta::assert_snapshot!(read(3).join("\n"));
    assert_eq!(read(4)[0], "(Earlier in this conversation, in short: She said one to three.)\n\nthree");
    assert_eq!(read(4).last().unwrap(), "four");
}

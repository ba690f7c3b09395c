//! Stories of content: what a bot shows, on every channel and both doors; what a tap brings back; values of every type
//! both ways. The simulator judges each answer by the rules of the contract and of the channel.

use serde_json::{Value, json};
use simulator::record::Event;
use simulator::{Channel, FlowSettings};

use crate::world::{Customer, Wishes, World};

/// A bot that shows what it is asked for, see [`KINDS`].
const SHOWCASE: &str = concat!(
    "\n[bots.showcase.engine]\ntype = \"script\"\nfile = \"",
    env!("CARGO_MANIFEST_DIR"),
    "/../../examples/bots/showcase.toml\"\n"
);
const KINDS: [&str; 8] = ["text", "markdown", "choices", "card", "carousel", "picture", "files", "tour"];

fn on(channel: Option<Channel>) -> FlowSettings {
    FlowSettings { channel, ..FlowSettings::default() }
}

/// Files go out as files.
const FILES: Wishes = Wishes { digital: "attachments = true", classic: "", bots: "", webhook: "" };

async fn everything(customer: &Customer) -> String {
    for kind in KINDS {
        customer.says(kind);
        customer.is_answered().await;
    }
    customer.story()
}

/// The stories of a class of channels are the same, word for word.
async fn shown_on(class: &str, channels: &[Option<Channel>]) {
    let world = World::with_more(FILES, SHOWCASE).await;
    for channel in channels {
        let v2 = everything(&world.v2_with("showcase", on(*channel)).await).await;
        insta::assert_snapshot!(format!("v2_{class}"), v2);
        let v1 = everything(&world.v1_with("showcase", on(*channel)).await).await;
        insta::assert_snapshot!(format!("v1_{class}"), v1);
    }
}

#[tokio::test]
async fn content_on_channels_that_show_everything() {
    let everywhere = [Channel::WebMessaging, Channel::Open, Channel::Messenger, Channel::Instagram].map(Some);
    shown_on("everything", &everywhere).await;
}

#[tokio::test]
async fn content_where_the_channel_is_not_known() {
    shown_on("everything", &[None]).await;
}

#[tokio::test]
async fn content_on_whatsapp() {
    shown_on("whatsapp", &[Some(Channel::WhatsApp)]).await;
}

#[tokio::test]
async fn content_on_line() {
    shown_on("line", &[Some(Channel::Line)]).await;
}

#[tokio::test]
async fn content_on_apple() {
    shown_on("apple", &[Some(Channel::Apple)]).await;
}

#[tokio::test]
async fn content_on_sms() {
    shown_on("sms", &[Some(Channel::Sms)]).await;
}

#[tokio::test]
async fn content_on_voice() {
    shown_on("voice", &[Some(Channel::Voice)]).await;
}

/// Where no button is shown, its label is typed.
#[tokio::test]
async fn a_late_answer_is_fetched_without_a_button() {
    let mut world = World::with(Wishes { classic: "budget_ms = 1000", ..Wishes::default() }).await;
    let customer = world.v1_with("helper", on(Some(Channel::Sms))).await;
    customer.says("hello");
    let question = world.bot.asked().await;
    world.hurries_no_more().await;
    customer.is_answered().await;
    customer.says("OK");
    let reply = json!({"items": [{"kind": "choices", "prompt": "More?", "options": [{"label": "Yes"}]}]});
    question.replies(200, &reply.to_string());
    customer.is_answered().await;
    insta::assert_snapshot!(customer.story());
}

/// Where choices are numbered lines, a number or a label is the tap that it stands for; where they can be tapped, words are
/// words.
#[tokio::test]
async fn what_was_listed_is_chosen_by_number_or_label() {
    let mut world = World::new().await;
    let red = json!({"label": "Red", "action": {"kind": "postback", "value": "colour:r"}});
    let blue = json!({"label": "Blue", "action": {"kind": "postback", "value": "colour:b"}});
    let offer = json!({"items": [
        {"kind": "choices", "prompt": "Colour?", "options": [red, blue]},
        {"kind": "card", "title": "Size", "actions": [{"kind": "postback", "label": "Small", "value": "size:s"}]},
    ]});
    let mut told = String::new();
    for channel in [Channel::Sms, Channel::WebMessaging] {
        for customer in
            [world.v2_with("helper", on(Some(channel))).await, world.v1_with("helper", on(Some(channel))).await]
        {
            customer.says("hello");
            for words in ["2", " 3. ", "red", "4", "0", "size"] {
                world.bot.asked().await.replies(200, &offer.to_string());
                customer.is_answered().await;
                customer.says(words);
            }
            let last = world.bot.asked().await;
            told += &format!("{channel:?}: {}\n", world.bot.inputs().join(" "));
            last.says("bye");
        }
    }
    insta::assert_snapshot!(told);
}

/// Whoever says a thing and offers answers to it below has asked one question.
#[tokio::test]
async fn choices_without_a_prompt_stand_below_the_text_before_them() {
    let mut world = World::new().await;
    let reply = json!({"items": [
        {"kind": "text", "text": "Which colour?"},
        {"kind": "choices", "options": [{"label": "Red"}, {"label": "Blue"}]},
    ]});
    let mut told = String::new();
    for channel in [Channel::WebMessaging, Channel::Sms] {
        for customer in
            [world.v2_with("helper", on(Some(channel))).await, world.v1_with("helper", on(Some(channel))).await]
        {
            customer.says("hello");
            world.bot.asked().await.replies(200, &reply.to_string());
            customer.is_answered().await;
            let seen = customer.line.seen();
            let lines = seen.iter().map(|seen| format!("{:?} {:?}", seen.text(), seen.labels()));
            told += &format!("{channel:?}: {}\n", lines.collect::<Vec<_>>().join(", "));
        }
    }
    insta::assert_snapshot!(told);
}

/// No channel loses a word of a long text, and none gets more at once than it takes.
#[tokio::test]
async fn a_long_text_arrives_whole_on_every_channel() {
    let mut world = World::new().await;
    let words: Vec<String> = (0..450).map(|n| format!("word{n}")).collect();
    let text = words.join(" ");
    let mut told = String::new();
    for channel in EVERY_CHANNEL {
        for customer in
            [world.v2_with("helper", on(Some(channel))).await, world.v1_with("helper", on(Some(channel))).await]
        {
            customer.says("hello");
            world.bot.asked().await.says(&text);
            customer.is_answered().await;
            let seen = customer.line.seen();
            let read: Vec<&str> = seen.iter().flat_map(|seen| seen.text().split_whitespace()).collect();
            assert_eq!(read, words, "on {channel:?}");
            told += &format!("{} {}\n", channel.word(), seen.len());
        }
    }
    insta::assert_snapshot!(told);
}

const EVERY_CHANNEL: [Channel; 9] = [
    Channel::WebMessaging,
    Channel::Open,
    Channel::Messenger,
    Channel::Instagram,
    Channel::WhatsApp,
    Channel::Line,
    Channel::Apple,
    Channel::Sms,
    Channel::Voice,
];

/// The worst that a bot may show within its limits: the platform and the channel take what becomes of it.
#[tokio::test]
async fn too_much_of_everything_is_taken_on_every_channel() {
    let button = |n: usize| json!({"kind": "postback", "label": format!("Button {n}"), "value": "the same"});
    let link = json!({"kind": "open_url", "label": "Link", "value": "https://www.example.com/"});
    let buttons = |from: usize| (from..from + 9).map(button).chain([link.clone()]).collect::<Vec<_>>();
    let cards: Vec<Value> =
        (0..50).map(|n| json!({"title": "T".repeat(200), "body": "b ".repeat(500), "actions": buttons(n)})).collect();
    let options: Vec<Value> = (0..20).map(|n| json!({"label": format!("{n:02} {}", "x".repeat(77))})).collect();
    let reply = json!({"items": [
        {"kind": "choices", "prompt": "p ".repeat(500), "options": options},
        {"kind": "choices", "options": [{"label": "A"}, {"label": "A"}]},
        {"kind": "card", "title": "Bare"},
        {"kind": "carousel", "prompt": "p ".repeat(500), "cards": cards},
        {"kind": "media", "media": "image", "url": "https://a.example/", "caption": "c ".repeat(2000)},
        {"kind": "media", "media": "image", "url": "https://a.example/huge.png", "bytes": 99_000_000},
        {"kind": "text", "format": "markdown", "text": "| a | b |\n|---|---|\n| **1** | `2` |\n".repeat(60)}
    ]});
    let mut world = World::with(FILES).await;
    for channel in EVERY_CHANNEL.map(Some).into_iter().chain([None]) {
        for customer in [world.v2_with("helper", on(channel)).await, world.v1_with("helper", on(channel)).await] {
            customer.says("hello");
            world.bot.asked().await.replies(200, &reply.to_string());
            customer.is_answered().await;
            assert_eq!(customer.line.path(), None, "the flow takes the answer on {channel:?}");
            assert_eq!(customer.line.violations(), [], "not even a warning on {channel:?}");
            assert!(customer.line.seen().len() >= 5, "on {channel:?}");
        }
    }
}

/// A flow that says nothing of the channel: the bot's own `channel` counts.
#[tokio::test]
async fn a_bot_without_a_word_from_the_flow_has_its_own_channel() {
    let world = World::with_more(Wishes::default(), &format!("\n[bots.showcase]\nchannel = \"sms\"\n{SHOWCASE}")).await;
    let silent = FlowSettings { pass_channel: false, ..on(Some(Channel::Sms)) };
    let customer = world.v2_with("showcase", silent).await;
    customer.says("tour");
    customer.is_answered().await;
    assert_eq!(customer.line.violations(), [], "not even a warning: nothing is sent that an SMS does not show");
}

#[tokio::test]
async fn parts_that_belong_together_are_one_array_of_messages() {
    let pushed = Wishes { digital: "soft_deadline_ms = 100\npush_after_ack_ms = 0", ..Wishes::default() };
    let reply = json!({"items": [
        {"kind": "text", "text": "First"},
        {"kind": "choices", "prompt": "Second", "options": [{"label": "A"}, {"label": "B"}]},
        {"kind": "card", "title": "Third", "actions": [{"kind": "postback", "label": "C", "value": "c"}]},
        {"kind": "text", "text": "Fourth"}
    ]});
    let mut told = String::new();
    for (how, wishes) in [("in time", Wishes::default()), ("late, by a push", pushed)] {
        let mut world = World::with(wishes).await;
        let customer = world.v2_with("helper", on(Some(Channel::WebMessaging))).await;
        customer.says("hello");
        let question = world.bot.asked().await;
        if how != "in time" {
            customer.is_answered().await;
        }
        question.replies(200, &reply.to_string());
        for _ in 0..4 {
            customer.sees().await;
        }
        told += &format!("{how}: {:?}\n", messages_of_each_body(&customer));
        if how == "in time" {
            let customer = world.v1_with("helper", on(Some(Channel::WebMessaging))).await;
            customer.says("hello");
            world.bot.asked().await.replies(200, &reply.to_string());
            customer.is_answered().await;
            told += &format!("v1: {:?}\n", messages_of_each_body(&customer));
        }
    }
    insta::assert_snapshot!(told);
}

/// How many messages each body held that reached the platform.
fn messages_of_each_body(customer: &Customer) -> Vec<usize> {
    let count = |body: &str| {
        let body: Value = serde_json::from_str(body).unwrap();
        let messages = body.get("replyMessages").or_else(|| body.get("replymessages")).unwrap();
        messages.as_array().unwrap().len()
    };
    let bodies = customer.line.entries().into_iter().filter_map(|entry| match entry.event {
        Event::Answered { body, .. } | Event::Outgoing { body, .. } => Some(count(&body)),
        _ => None,
    });
    bodies.collect()
}

#[tokio::test]
async fn a_tap_comes_back_with_what_the_button_carries() {
    let mut world = World::new().await;
    let offer = json!({"items": [
        {"kind": "choices", "prompt": "Colour?", "options": [{"label": "Red", "action": {"kind": "postback", "value": "r"}}]},
        {"kind": "card", "title": "Blue", "actions": [{"kind": "postback", "label": "Take it", "value": "b"}]}
    ]});
    let web = || on(Some(Channel::WebMessaging));
    let mut told = String::new();
    for customer in [
        world.v2_with("helper", web()).await,
        world.v1_with("helper", web()).await,
        world.v1_with("helper", FlowSettings { old_buttons: true, ..web() }).await,
    ] {
        customer.says("hello");
        world.bot.asked().await.replies(200, &offer.to_string());
        customer.is_answered().await;
        for label in ["Red", "Take it"] {
            customer.taps(label);
            let question = world.bot.asked().await;
            told += &format!("{}\n", question.body()["input"]);
            question.says("Noted.");
            customer.is_answered().await;
        }
    }
    insta::assert_snapshot!(told);
}

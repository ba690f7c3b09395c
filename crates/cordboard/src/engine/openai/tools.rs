//! What a model can do besides talking. The gateway does it itself: a tool that the model uses becomes a part of the
//! answer (`reference/bot-platforms.md`, section 4, reserved tools).

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Answer, Attributes, Button, Card, Carousel, Choice, Choices, Cut, HandOver, Intent, Item, Next, SlotValue, Tap,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::config::{Api, Tool};
use super::overrides;
use super::wire::ToolCall;

/// What a model is told when a tool did what it should.
pub(super) const DONE: &str = "ok";
/// The reason of a hand-over for which the model gave none.
const REASON: &str = "requested_by_bot";

/// The tools as a request lists them, or nothing when there are none.
pub(super) fn listed(tools: &BTreeSet<Tool>, api: Api) -> Option<Box<RawValue>> {
    if tools.is_empty() {
        return None;
    }
    let listed = tools.iter().map(|tool| {
        let (name, description, parameters) = (tool.word(), description(*tool), parameters(*tool));
        match api {
            Api::ChatCompletions => json!({
                "type": "function",
                "function": {"name": name, "description": description, "parameters": parameters},
            }),
            Api::Responses => json!({
                "type": "function", "name": name, "description": description, "parameters": parameters, "strict": false,
            }),
        }
    });
    RawValue::from_string(Value::Array(listed.collect()).to_string()).ok()
}

const fn description(tool: Tool) -> &'static str {
    match tool {
        Tool::HandOver => {
            "Give the conversation to a human agent: when the customer asks for a person, or when you cannot help. Say \
             something to the customer in the same answer."
        }
        Tool::End => {
            "End your part of the conversation, once the customer needs nothing more. Say goodbye in the same answer."
        }
        Tool::SetAttributes => {
            "Note facts for the contact centre and its agents, such as an order number. The customer does not see them."
        }
        Tool::OfferChoices => {
            "Ask a question with short answers to tap, when there are a few clear ones. The customer may still type."
        }
        Tool::ShowCard => "Show a card: a title with a text, a picture or buttons.",
        Tool::ShowCarousel => "Show several cards side by side, to choose from.",
        Tool::ReportIntent => {
            "Report what the customer wants, and the details found, in the words of your instructions."
        }
    }
}

fn parameters(tool: Tool) -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let values = |description: &str| json!({"type": "object", "description": description, "additionalProperties": {"type": "string"}});
    let card = || {
        json!({
            "title": text("The title"),
            "description": text("A text below it"),
            "image_url": text("The https address of a picture"),
            "buttons": {"type": "array", "items": {"type": "object", "required": ["label"], "properties": {
                "label": text("What the customer sees"),
                "value": text("What you are told when it is tapped"),
                "url": text("Instead of a value: the https address that it opens"),
            }}},
        })
    };
    let (properties, required): (Value, &[&str]) = match tool {
        Tool::HandOver => (
            json!({
                "reason": text("Why, as one short word, such as asked or complaint"),
                "note": text("What the agent should know, in one or two sentences"),
                "attributes": values("Facts for the agent, by name"),
            }),
            &["reason"],
        ),
        Tool::End => (
            json!({
                "intent": text("What it was about, by a name from your instructions"),
                "slots": values("The details that were found, by name"),
            }),
            &[],
        ),
        Tool::SetAttributes => (json!({"attributes": values("The facts, by name")}), &["attributes"]),
        Tool::OfferChoices => (
            json!({
                "prompt": text("The question"),
                "options": {"type": "array", "items": {"type": "object", "required": ["label"], "properties": {
                    "label": text("What the customer sees, a few words"),
                    "value": text("What you are told when it is tapped; the label when left out"),
                    "image_url": text("The https address of a small picture"),
                }}},
            }),
            &["prompt", "options"],
        ),
        Tool::ShowCard => (card(), &["title"]),
        Tool::ShowCarousel => (
            json!({
                "prompt": text("A text over the cards"),
                "cards": {"type": "array", "items": {"type": "object", "required": ["title"], "properties": card()}},
            }),
            &["cards"],
        ),
        Tool::ReportIntent => (
            json!({
                "name": text("The intent's name"),
                "confidence": {"type": "number", "description": "How sure you are, from 0 to 1"},
                "slots": values("The details that were found, by name"),
            }),
            &["name"],
        ),
    };
    json!({"type": "object", "properties": properties, "required": required})
}

#[derive(Deserialize)]
struct HandOverArguments {
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    attributes: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct EndArguments {
    #[serde(default)]
    intent: Option<String>,
    #[serde(default)]
    slots: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct ChoicesArguments {
    #[serde(default)]
    prompt: String,
    options: Vec<OptionArgument>,
}

/// Models write a text where only the label matters.
#[derive(Deserialize)]
#[serde(untagged)]
enum OptionArgument {
    Label(String),
    Whole {
        label: String,
        #[serde(default)]
        value: Option<String>,
        #[serde(default)]
        image_url: Option<String>,
    },
}

#[derive(Deserialize)]
struct CardArguments {
    title: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    image_url: Option<String>,
    #[serde(default)]
    buttons: Option<Vec<ButtonArgument>>,
}

#[derive(Deserialize)]
struct ButtonArgument {
    label: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    url: Option<String>,
}

#[derive(Deserialize)]
struct CarouselArguments {
    #[serde(default)]
    prompt: Option<String>,
    cards: Vec<CardArguments>,
}

#[derive(Deserialize)]
struct IntentArguments {
    name: String,
    #[serde(default)]
    confidence: Option<f64>,
    #[serde(default)]
    slots: Option<BTreeMap<String, Value>>,
}

/// Does what a model wants. What it did wrong is told in words for the model.
pub(super) fn apply(call: &ToolCall, tools: &BTreeSet<Tool>, answer: &mut Answer) -> Result<(), &'static str> {
    let tool = tools.iter().find(|tool| tool.word() == call.name);
    let tool = *tool.ok_or("error: there is no such tool; answer in words, or use one that is listed")?;
    match tool {
        Tool::HandOver => {
            let HandOverArguments { reason, note, attributes } = read(call)?;
            set(attributes.unwrap_or_default(), answer);
            let reason = reason.filter(|reason| !reason.trim().is_empty()).unwrap_or_else(|| REASON.to_owned());
            let note = note.filter(|note| !note.trim().is_empty());
            answer.next = Next::HandOver(HandOver { reason, note });
        }
        Tool::End => {
            let EndArguments { intent, slots } = read(call)?;
            if let Some(name) = intent.filter(|name| !name.trim().is_empty()) {
                answer.intent = Some(Intent { name, confidence_permille: None });
            }
            fill(slots.unwrap_or_default(), answer);
            // A human who was asked for comes all the same.
            if !matches!(answer.next, Next::HandOver(_)) {
                answer.next = Next::End;
            }
        }
        Tool::SetAttributes => {
            let mut given: BTreeMap<String, Value> = read(call)?;
            // Some models leave out the member around the attributes.
            match given.remove("attributes") {
                Some(Value::Object(attributes)) if given.is_empty() => set(attributes.into_iter().collect(), answer),
                None => set(given, answer),
                Some(_) => return Err("error: `attributes` is an object of names and texts"),
            }
        }
        Tool::OfferChoices => {
            let ChoicesArguments { prompt, options } = read(call)?;
            let options = options.into_iter().map(|option| match option {
                OptionArgument::Label(label) => Choice::new(label.clone(), label),
                OptionArgument::Whole { label, value, image_url } => {
                    Choice { value: value.unwrap_or_else(|| label.clone()), image: image_url, label }
                }
            });
            answer.items.push(Item::Choices(Choices { prompt, options: options.collect() }));
        }
        Tool::ShowCard => answer.items.push(Item::Card(card(read(call)?))),
        Tool::ShowCarousel => {
            let CarouselArguments { prompt, cards } = read(call)?;
            let cards = cards.into_iter().map(card).collect();
            answer.items.push(Item::Carousel(Carousel { prompt, cards, fallback: None }));
        }
        Tool::ReportIntent => {
            let IntentArguments { name, confidence, slots } = read(call)?;
            let confidence_permille = permille(confidence, &mut answer.cuts);
            answer.intent = Some(Intent { name, confidence_permille });
            fill(slots.unwrap_or_default(), answer);
        }
    }
    Ok(())
}

fn read<T: for<'de> Deserialize<'de>>(call: &ToolCall) -> Result<T, &'static str> {
    // A tool without required arguments is used with none.
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
    serde_json::from_str(arguments).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            "error: an argument is missing or has another type; use the tool again as it is listed"
        }
        serde_json::error::Category::Syntax | serde_json::error::Category::Eof | serde_json::error::Category::Io => {
            "error: the arguments are not valid JSON; use the tool again with valid JSON"
        }
    })
}

fn card(arguments: CardArguments) -> Card {
    let buttons = arguments.buttons.unwrap_or_default().into_iter().map(|ButtonArgument { label, value, url }| {
        let tap = match (url, value) {
            (Some(url), _) => Tap::Link(url),
            (None, Some(value)) => Tap::Postback(value),
            (None, None) => Tap::Postback(label.clone()),
        };
        Button { label, tap }
    });
    Card {
        title: arguments.title,
        description: arguments.description,
        image: arguments.image_url,
        buttons: buttons.collect(),
        ..Card::default()
    }
}

/// A model's confidence is its own guess; one that is none at all is left out.
fn permille(confidence: Option<f64>, cuts: &mut Vec<Cut>) -> Option<u16> {
    let confidence = confidence?;
    if !(0.0..=1.0).contains(&confidence) {
        cuts.push(Cut::Values);
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 1000")]
    Some((confidence * 1000.0).round() as u16)
}

fn set(values: BTreeMap<String, Value>, answer: &mut Answer) {
    let Answer { attributes, cuts, .. } = answer;
    let mut put = |attributes: &mut Attributes, name: String, value| match scalar(value) {
        // What a flow may set for the model is not the model's to set.
        Some(text) if !overrides::is_the_flows(&name) => drop(attributes.insert(name, text)),
        _ => cuts.push(Cut::Values),
    };
    for (name, value) in values {
        put(attributes, name, value);
    }
}

fn fill(values: BTreeMap<String, Value>, answer: &mut Answer) {
    for (name, value) in values {
        let slot = match value {
            Value::Array(values) => {
                let texts: Vec<String> = values.into_iter().filter_map(scalar).collect();
                (!texts.is_empty()).then_some(SlotValue::Many(texts))
            }
            other => scalar(other).map(SlotValue::One),
        };
        match slot {
            Some(slot) => drop(answer.slots.insert(name, slot)),
            None => answer.cuts.push(Cut::Values),
        }
    }
}

/// Genesys carries text only.
fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

//! Stories of values: slots of every type on both doors, and what flow and bot tell each other by name.

use serde_json::json;
use simulator::{Channel, FlowSettings, ParametersSent};

use crate::world::{Wishes, World};

/// A bot whose intent has a slot of every type.
const TYPED: &str = r#"intents = [{ name = "Filed", slots = {
    text = "String", count = "Integer", weight = "Decimal", wait = "Duration", urgent = "Boolean",
    price = "Currency", when = "Datetime", texts = "StringCollection", counts = "IntegerCollection",
    weights = "DecimalCollection", waits = "DurationCollection", flags = "BooleanCollection",
    prices = "CurrencyCollection", times = "DatetimeCollection" } }]"#;

#[tokio::test]
async fn values_of_every_type_reach_the_flow() {
    // Written as text, since a value of JSON would lose digits.
    let slots = r#"{"text": "A-10077", "count": 42, "weight": 3.1400000000000000000000000000000000001,
        "wait": "PT1H30M", "urgent": true, "price": {"amount": 19.90, "code": "EUR"}, "when": "2026-11-20T14:30:00Z",
        "texts": ["damaged", "late"], "counts": [1, 2], "weights": [0.50, 1], "waits": ["P1D", "-PT5M"],
        "flags": [true, false], "prices": [{"amount": "5.00", "code": "USD"}, {"amount": 7, "code": "EUR"}],
        "times": ["1955-11-05T12:00:00"]}"#;
    let bye = format!(
        r#"{{"text": "Bye", "next": {{"kind": "end"}},
        "nlu": {{"intent": {{"name": "Filed", "confidence": 0.875}}, "slots": {slots}}}}}"#
    );
    let mut world = World::with(Wishes { bots: TYPED, ..Wishes::default() }).await;
    let mut told = String::new();
    for customer in [world.v2().await, world.v1().await] {
        customer.says("hello");
        world.bot.asked().await.replies(200, &bye);
        assert_eq!(customer.leaves_by().await, "Filed");
        told += &format!("{}\n", customer.last_exchange().1.unwrap());
    }
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn values_that_do_not_fit_their_type_are_left_out_and_the_rest_arrives() {
    let slots = json!({"text": ["two", "texts"], "count": 4.5, "weight": "heavy", "wait": "P1M", "urgent": "yes",
        "price": {"amount": 1, "code": "euro"}, "when": "tomorrow", "counts": [1, "x"], "prices": [1], "unheard": "of",
        "texts": "one is enough"});
    let bye = json!({"next": {"kind": "end"}, "nlu": {"intent": {"name": "Filed"}, "slots": slots}}).to_string();
    let mut world = World::with(Wishes { bots: TYPED, ..Wishes::default() }).await;
    for customer in [world.v2().await, world.v1().await] {
        customer.says("hello");
        world.bot.asked().await.replies(200, &bye);
        assert_eq!(customer.leaves_by().await, "Filed");
        assert_eq!(json!(customer.line.slots()), json!({"texts": ["one is enough"]}));
    }
}

#[tokio::test]
async fn what_the_flow_said_once_stays_known_and_what_the_bot_set_comes_back() {
    let mut world = World::new().await;
    let once = FlowSettings {
        parameters: [("tier", "gold"), ("customer_id", "c-991")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        parameters_sent: ParametersSent::FirstTurn,
        channel: Some(Channel::WhatsApp),
        ..FlowSettings::default()
    };
    for customer in [world.v2_with("helper", once.clone()).await, world.v1_with("helper", once).await] {
        customer.says("one");
        world.bot.asked().await.replies(200, r#"{"text": "1", "set_attributes": {"topic": "moves", "tries": 1}}"#);
        customer.is_answered().await;
        customer.says("two");
        let question = world.bot.asked().await;
        let known =
            json!({"tier": "gold", "topic": "moves", "tries": "1", "channel": "whatsapp", "customer_id": "c-991"});
        assert_eq!(question.body()["context"], known);
        assert_eq!(question.body()["conversation"]["channel"], "whatsapp");
        assert_eq!(question.body()["user"]["id"], "c-991");
        question.replies(200, r#"{"text": "2", "set_attributes": {"tries": 2}}"#);
        customer.is_answered().await;
        let told = customer.line.parameters();
        assert_eq!((told["topic"].as_str(), told["tries"].as_str()), ("moves", "2"));
    }
}

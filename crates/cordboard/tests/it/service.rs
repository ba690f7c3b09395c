//! Stories of beginnings and of bots out of service, on both doors.

use model::BotKey;
use simulator::FlowSettings;

use crate::world::{Customer, Wishes, World};

async fn both(world: &World) -> [Customer; 2] {
    [world.v2().await, world.v1().await]
}

fn helper() -> BotKey {
    BotKey::from("helper")
}

#[tokio::test]
async fn the_start_of_a_flow_is_the_engines_opening_turn() {
    let mut world = World::new().await;
    for customer in both(&world).await {
        customer.says("__start__");
        let question = world.bot.asked().await;
        assert_eq!(question.body()["input"], serde_json::json!({"kind": "start"}));
        question.says("Welcome");
        assert_eq!(customer.sees().await, "Welcome");
        customer.says("hello");
        let question = world.bot.asked().await;
        assert_eq!((question.words(), question.body()["turn"]["is_first"].clone()), ("hello".into(), false.into()));
        question.says("hi");
        assert_eq!(customer.sees().await, "hi");
    }
}

#[tokio::test]
async fn the_greeting_asks_no_bot_and_speaks_the_customers_language() {
    let bots = "opening = \"greeting\"\nlanguages = [\"en-us\", \"de-de\"]\ntexts.de.greeting = \"Moin!\"";
    let world = World::with(Wishes { bots, ..Wishes::default() }).await;
    let flow = || FlowSettings { language: "de-de".to_owned(), ..FlowSettings::default() };
    for customer in [world.v2_with("helper", flow()).await, world.v1_with("helper", flow()).await] {
        customer.says("__start__");
        assert_eq!(customer.sees().await, "Moin!");
        customer.is_answered().await;
    }
    assert_eq!(world.bot.heard(), Vec::<String>::new());
}

#[tokio::test]
async fn a_bot_out_of_service_hands_over_until_it_is_enabled_again() {
    let mut world = World::new().await;
    let [first, _] = both(&world).await;
    first.says("hello");
    let under_way = world.bot.asked().await;
    let disabled = world.operator(|shared| async move { shared.disable_bot(&helper(), "it lies", "me").await }).await;
    assert_eq!(disabled, Ok(cordboard::service::Disabled::Now));
    under_way.says("hi");
    assert_eq!(first.sees().await, "hi");
    world.crash_and_start().await;
    for customer in both(&world).await {
        customer.says("hello");
        assert_eq!(customer.sees().await, "I am connecting you to a colleague.");
        assert_eq!(customer.leaves_by().await, "human");
    }
    let out = world.operator(|shared| async move { shared.out_of_service().await }).await.unwrap();
    assert_eq!((out[0].bot.as_str(), &*out[0].reason, &*out[0].who), ("helper", "it lies", "me"));
    let enabled = world.operator(|shared| async move { shared.enable_bot(&helper(), "me").await }).await;
    assert_eq!(enabled, Ok(true));
    let customer = world.v2().await;
    customer.says("hello");
    world.bot.asked().await.says("hi");
    assert_eq!(customer.sees().await, "hi");
}

#[tokio::test]
async fn what_an_operator_gets_wrong_is_said() {
    let world = World::new().await;
    let unknown = world.operator(|shared| async move { shared.disable_bot(&"helpr".into(), "x", "me").await }).await;
    assert_eq!(unknown.unwrap_err().to_string(), "there is no bot helpr; there are: clumsy, helper");
    let unreasoned = world.operator(|shared| async move { shared.disable_bot(&helper(), " ", "me").await }).await;
    assert_eq!(unreasoned.unwrap_err().to_string(), "a reason of 1 to 200 characters is needed; agents read it");
}

#[tokio::test]
async fn with_now_every_open_conversation_goes_to_a_human() {
    let mut world = World::new().await;
    let [waiting, _] = both(&world).await;
    waiting.says("hello");
    let _never_answered = world.bot.asked().await;
    let told = world.operator(|shared| async move { shared.hand_over_all(&helper(), "it lies").await }).await;
    assert_eq!(told, 1);
    assert_eq!(waiting.sees().await, "I am connecting you to a colleague.");
    assert_eq!(waiting.leaves_by().await, "human");
}

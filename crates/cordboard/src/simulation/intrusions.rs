//! What comes in beside the customers: messages of the bot's own accord, humans who take over, operators who try dead
//! letters again.

use std::sync::Arc;

use model::{Answer, BotKey, Event, Holder, Item, SeatId};

use super::world::World;
use crate::gateway::Shared;
use crate::runner::Told;
use crate::store::{LetterQuery, Store as _};

pub(super) async fn run(world: Arc<World>) {
    let often = world.dice.roll(12);
    for number in 0..often {
        world.dice.wait_up_to_ms(2_500).await;
        let Some((shared, life)) = world.gateway() else { continue };
        let one = one(world.clone(), shared, number);
        // Whoever asks lives inside the process, and dies with it.
        crate::runtime::Spawner::spawn(&life, Box::pin(one));
    }
}

/// An operator takes the bot out of service, perhaps with all its conversations, or puts it in again.
async fn in_or_out_of_service(world: &World, shared: &Arc<Shared>, number: u64) {
    let bot = BotKey::from("bot");
    if world.dice.once_in(3) {
        let Ok(was_out) = shared.enable_bot(&bot, "simulation").await else { return };
        return world.note(format!("in service again: {was_out}"));
    }
    if shared.disable_bot(&bot, &format!("reason {number}"), "simulation").await.is_ok() {
        world.note("out of service");
        if world.dice.once_in(2) {
            let count = shared.hand_over_all(&bot, "now").await;
            world.note(format!("handed over by the operator: {}", count > 0));
        }
        world.dice.wait_up_to_ms(3_000).await;
        if shared.enable_bot(&bot, "simulation").await.is_ok() {
            world.note("in service again: true");
        }
    }
}

async fn one(world: Arc<World>, shared: Arc<Shared>, number: u64) {
    let conversations = shared.slots.all();
    if world.dice.once_in(6) {
        return in_or_out_of_service(&world, &shared, number).await;
    }
    let Some(conversation) = conversations.get(world.dice.roll(conversations.len() as u64) as usize) else { return };
    match world.dice.roll(6) {
        0 => {
            world.note("a human takes over");
            shared.tell_conversation(*conversation, Event::FloorSeen { holder: Holder::Human });
        }
        1..=3 => {
            let answer = Answer::saying(vec![Item::text(format!("answer {number} of its own accord"))]);
            let event = Event::Pushed { seat: SeatId(0), answer: Box::new(answer) };
            let once = shared.identities().callback(&"bot".into(), &number.to_string());
            let told = shared.ask_core(*conversation, event, None, Some(once)).await;
            world.note(format!("{number} of its own accord: {}", matches!(told, Told::Applied(_))));
        }
        _ => {
            let letters = world.memory.dead_letters(LetterQuery::default()).await.unwrap();
            let Some(letter) = letters.get(world.dice.roll(letters.len() as u64) as usize) else { return };
            if let Ok(outcome) = shared.redrive(letter.id, world.dice.once_in(5)).await {
                world.note(format!("tried again: {outcome:?}"));
            }
        }
    }
}

//! Bots in and out of service, and the roster in force.
//!
//! An operator takes a bot out of service: its new turns ask no engine and go to a human, and with [`Shared::hand_over_all`]
//! so do the conversations that are open. That is kept in the store, beside the configuration, so neither a reload nor a
//! restart forgets it. Whatever changes the policies, a reload or an operator, gets its revision from the store before
//! the first step goes by it. Callers are the start, the reload and the operator's commands.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use model::{BotKey, ConversationId, Event, Fact, Holder};

use crate::gateway::Shared;
use crate::roster::Roster;
use crate::runner::Told;
use crate::store::{self, Blob, OutOfService, Store};
use crate::stored;

/// Longest reason, in characters: agents read it.
pub(crate) const REASON_MAX_CHARS: usize = 200;
/// How many conversations are told at once.
const TOLD_AT_ONCE: usize = 64;
/// How many ids are read from the store at once.
const PAGE: u32 = 1_000;

/// What disabling a bot changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disabled {
    /// It is out of service from now on.
    Now,
    /// It was out of service before, for this reason; the new one replaced it.
    Again(OutOfService),
}

/// Why a bot could not be taken out of service, or put in again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No bot has this key.
    #[error("there is no bot {bot}; there are: {}", known.join(", "))]
    UnknownBot {
        /// The key asked for.
        bot: BotKey,
        /// The keys of the bots that are configured.
        known: Vec<String>,
    },
    /// The reason is missing, or too long for the agents who read it.
    #[error("a reason of 1 to {REASON_MAX_CHARS} characters is needed; agents read it")]
    Reason,
    /// The store could not keep it; nothing changed.
    #[error("nothing changed: {0}")]
    Store(#[from] store::Error),
}

/// The roster as it is in force: with the bots that are out of service, and its policies' revision from the store.
pub(crate) async fn in_force(
    store: &dyn Store,
    mut roster: Roster,
    out_of_service: &[OutOfService],
) -> Result<Roster, store::Error> {
    let policies = Arc::make_mut(&mut roster.policies);
    policies.out_of_service = out_of_service.iter().map(|bot| (bot.bot.clone(), bot.reason.clone())).collect();
    policies.revision = store.enact(Blob::clear(&stored::encode_policies(policies))).await?;
    Ok(roster)
}

impl Shared {
    /// Puts another roster in service: the next step of every conversation goes by it. Bots that are out of service stay
    /// so.
    ///
    /// # Errors
    /// When the store cannot keep the policies; the old roster stays in force.
    pub async fn replace_roster(&self, roster: Roster) -> Result<(), store::Error> {
        let _one_at_a_time = self.changing.lock().await;
        let out_of_service = self.store.out_of_service().await?;
        self.put_in_force(in_force(&*self.store, roster, &out_of_service).await?);
        Ok(())
    }

    /// Takes a bot out of service: new turns go to a human, what is under way may finish. Agents read the reason.
    ///
    /// # Errors
    /// When there is no such bot, or the store cannot keep it; nothing changed then.
    pub async fn disable_bot(&self, bot: &BotKey, reason: &str, who: &str) -> Result<Disabled, Error> {
        let reason = reason.trim();
        if !(1..=REASON_MAX_CHARS).contains(&reason.chars().count()) {
            return Err(Error::Reason);
        }
        let _one_at_a_time = self.changing.lock().await;
        let roster = self.roster();
        if !roster.engines.contains_key(bot) {
            let known = roster.engines.keys().map(ToString::to_string).collect();
            return Err(Error::UnknownBot { bot: bot.clone(), known });
        }
        let mut list = self.store.out_of_service().await?;
        let before = list.iter().position(|known| known.bot == *bot).map(|index| list.remove(index));
        let disabled =
            OutOfService { bot: bot.clone(), since: self.runtime.now(), reason: reason.into(), who: who.into() };
        list.push(disabled.clone());
        let roster = in_force(&*self.store, (*roster).clone(), &list).await?;
        self.store.disable(disabled).await?;
        self.put_in_force(roster);
        tracing::info!(%bot, who, "the bot is out of service: its new turns go to humans");
        Ok(before.map_or(Disabled::Now, Disabled::Again))
    }

    /// Puts a bot in service again; false when it was.
    ///
    /// # Errors
    /// When the store cannot keep it; nothing changed then.
    pub async fn enable_bot(&self, bot: &BotKey, who: &str) -> Result<bool, Error> {
        let _one_at_a_time = self.changing.lock().await;
        let mut list = self.store.out_of_service().await?;
        list.retain(|known| known.bot != *bot);
        let roster = in_force(&*self.store, (*self.roster()).clone(), &list).await?;
        let was_out = self.store.enable(bot.clone()).await?;
        self.put_in_force(roster);
        tracing::info!(%bot, who, was_out, "the bot is in service");
        Ok(was_out)
    }

    /// The bots that are out of service.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn out_of_service(&self) -> Result<Vec<OutOfService>, store::Error> {
        self.store.out_of_service().await
    }

    /// Hands every open conversation of a bot to a human now; the running turns are over. Returns how many conversations
    /// were handed over. One that cannot be told is logged.
    pub async fn hand_over_all(self: &Arc<Self>, bot: &BotKey, reason: &str) -> usize {
        // What is in memory may not be in the store yet.
        let mut told: BTreeSet<ConversationId> = self.slots.all().into_iter().collect();
        let may_sit = told.iter().copied().filter(|id| self.slots.may_hold(*id, bot)).collect();
        let mut count = self.hand_over_each(may_sit, bot, reason).await;
        let mut after = ConversationId(0);
        loop {
            let page = match self.store.unfinished(after, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::error!(%error, %bot, "open conversations cannot be listed; the rest keeps the bot");
                    return count;
                }
            };
            let Some(last) = page.last() else { return count };
            after = *last;
            let new: Vec<ConversationId> = page.into_iter().filter(|id| told.insert(*id)).collect();
            let mut sits = Vec::new();
            for id in new {
                let has_session = |state: conversation::Conversation| {
                    state.seats.iter().any(|seat| seat.bot == *bot && seat.session.is_some())
                };
                match self.peek(id).await {
                    Ok(state) => sits.extend(state.is_some_and(has_session).then_some(id)),
                    Err(error) => tracing::error!(%error, conversation = %id, "the conversation keeps its bot"),
                }
            }
            count += self.hand_over_each(sits, bot, reason).await;
        }
    }

    async fn hand_over_each(self: &Arc<Self>, ids: Vec<ConversationId>, bot: &BotKey, reason: &str) -> usize {
        let answers = futures_util::stream::iter(ids).map(|id| async move {
            let event = Event::HandedOverByOperator { bot: bot.clone(), reason: reason.to_owned() };
            match self.ask_core(id, event, None, None).await {
                // The step may hold late news of a reply besides, so only the floor tells.
                Told::Applied(facts) => {
                    let to_a_human = |fact: &Fact| matches!(fact, Fact::Floor(to) if to.holder == Holder::HandingOver);
                    facts.iter().any(to_a_human)
                }
                Told::NotStored | Told::Repeated => {
                    tracing::error!(conversation = %id, "the conversation could not be handed over; try again");
                    false
                }
            }
        });
        answers.buffer_unordered(TOLD_AT_ONCE).filter(|handed_over| std::future::ready(*handed_over)).count().await
    }
}

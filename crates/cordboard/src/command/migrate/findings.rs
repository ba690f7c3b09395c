//! What changes from one door to the other, for one bot and one configuration. Each finding names where it stands written;
//! the addresses of the sources are in the guide.

use std::time::Duration;

use genesys::cloud::entity::EntityType;

use super::report::{Finding, Move, Section};
use crate::connector::bot_connector::LateAnswers;
use crate::connector::bots::{Bot, DONE_INTENT, HAND_OVER_INTENT};
use crate::engine::EngineConfig;
use crate::engine::connector::Speaks;
use crate::words::some;

/// `https://developer.genesys.cloud/commdigital/textbots/digital-botconnector-customer-api-spec`.
const SPEC: &str = "Genesys: Digital Bot Connector Customer API Spec";
/// `https://help.mypurecloud.com/?p=378076`.
const ACTION: &str = "Genesys help: Call Digital Bot Connector action";
/// `https://help.mypurecloud.com/articles/call-bot-connector-action/`.
const CLASSIC_ACTION: &str = "Genesys help: Call Bot Connector action";
/// `https://help.mypurecloud.com/?p=377893`.
const CONFIGURE: &str = "Genesys help: Configure the Genesys Digital Bot Connector integration";
const SDK: &str = "Genesys platform SDK";
/// Other people's adapters agree, and no document of the platform says it.
const SEEN: &str = "seen in public adapters";
const OURS: &str = "docs/concepts/delivery.md";

/// How long a session lives unless the flow's author changes it.
const SESSION_MINUTES: u64 = 720;
const FOLLOW_UP_USUAL_MS: u64 = 6 * 60 * 60 * 1000;
const SOFT_DEADLINE_USUAL_MS: u64 = 8_000;

pub(super) fn all(of: &Move<'_>) -> Vec<Section> {
    let section = |title, findings: Vec<Finding>| Section { title, findings };
    vec![
        section("Time-outs", time_outs(of)),
        section("Late answers", late_answers(of)),
        section("Rich content and attachments", rich_content(of)),
        section("Parameters, slots and intents", values(of)),
        section("Sessions and ids", sessions(of)),
        section("Registration and permissions", registration(of)),
        section("Architect", architect(of)),
        section("Both doors at once", both(of)),
    ]
}

fn seconds(ms: u64) -> String {
    match ms {
        ms if ms >= 3_600_000 && ms.is_multiple_of(3_600_000) => format!("{} h", ms / 3_600_000),
        ms if ms >= 60_000 && ms.is_multiple_of(60_000) => format!("{} min", ms / 60_000),
        ms if ms.is_multiple_of(1000) => format!("{} s", ms / 1000),
        ms => format!("{} s", Duration::from_millis(ms).as_secs_f64()),
    }
}

fn bot<'a>(of: &Move<'a>) -> Option<&'a Bot> {
    of.config.bots.get(&of.key.into())
}

fn new_connector(of: &Move<'_>) -> String {
    of.to.map_or_else(|| "the new connector".to_owned(), |(key, _)| format!("connectors.{key}"))
}

fn time_outs(of: &Move<'_>) -> Vec<Finding> {
    let (here, there) = (of.here, of.to.map(|(_, config)| config));
    let to = new_connector(of);
    let soft_ms = there.map_or(SOFT_DEADLINE_USUAL_MS, |config| config.soft_deadline_ms);
    let follow_up_ms = there.map_or(FOLLOW_UP_USUAL_MS, |config| config.follow_up_timeout_ms);
    let policy = of.config.policies.of(&of.key.into());
    let hard_ms = policy.hard_deadline_ms;
    vec![
        Finding::new(
            SEEN,
            format!(
                "connectors.{} answers every message within budget_ms = {} ({}), because the platform gives up after about \
                 11 s and does not say when",
                of.from,
                here.budget_ms,
                seconds(here.budget_ms)
            ),
            format!(
                "{to} waits soft_deadline_ms = {soft_ms} ({}), then acknowledges; the answer is pushed whenever it is there",
                seconds(soft_ms)
            ),
        )
        .inferred(),
        Finding::new(
            ACTION,
            "the limit of the platform cannot be set",
            "the action has a Bot Response Timeout: 30 s unless changed, 1 s to 60 s",
        )
        .but(format!(
            "leave it at 30 s, or set it well above {}; it is about the response alone, not about a push",
            seconds(soft_ms)
        )),
        Finding::new(
            ACTION,
            format!(
                "Follow-up Response Timeout: 12 h unless changed; follow_up_timeout_ms = {} here ({})",
                here.follow_up_timeout_ms,
                seconds(here.follow_up_timeout_ms)
            ),
            format!(
                "Follow-up Response Timeout: 6 h unless changed, 1 min to 3 days; follow_up_timeout_ms = {follow_up_ms} ({})",
                seconds(follow_up_ms)
            ),
        )
        .but("set it in the new action, and write the same value as follow_up_timeout_ms of the connector"),
        Finding::new(
            OURS,
            format!(
                "a bot slower than {} holds the customer, at most max_holding_turns = {}; then a human is called",
                seconds(here.budget_ms),
                some(policy.max_holding_turns, "time")
            ),
            format!("max_holding_turns does not count; hard_deadline_ms = {hard_ms} ({}) is a turn's one limit", seconds(hard_ms)),
        ),
    ]
}

fn late_answers(of: &Move<'_>) -> Vec<Finding> {
    let texts = "the texts `still_working` and `poll_label` are not said at the new door";
    let now = match of.here.late_answers {
        LateAnswers::PollButton => {
            "late_answers = \"poll_button\": the customer reads `still_working` and taps the button `poll_label`, or writes \
             anything, to see the answer"
        }
        LateAnswers::PendingFlow => {
            "late_answers = \"pending_flow\": the flow leaves by the intent `pending`, waits, and comes back with the poll \
             text and the variable pollId"
        }
    };
    let pushed = Finding::new(SPEC, now, "the answer is pushed; the customer does nothing for it");
    let pushed = match of.here.late_answers {
        LateAnswers::PollButton => {
            pushed.but(format!("{texts}; write `holding` where the customer should read something meanwhile"))
        }
        LateAnswers::PendingFlow => pushed
            .but(format!("build no `pending` path and no loop with {} in the new flow; {texts}", of.here.poll_text)),
    };
    vec![
        pushed,
        Finding::new(
            OURS,
            "what the bot says of its own accord waits for the customer's next message",
            "what the bot says of its own accord is pushed at once",
        ),
        Finding::new(
            SPEC,
            "an answer that nobody fetches before its session ends is a dead letter",
            "a push to a session that is over gets 409, and the answer is a dead letter (session_closed)",
        ),
        Finding::new(
            SPEC,
            "nothing is sent to the platform, so no rate limit counts",
            format!(
                "pushes count against requests_per_minute of orgs.{}, 300 for an OAuth client unless the platform granted more",
                of.here.org
            ),
        )
        .inferred(),
    ]
}

fn rich_content(of: &Move<'_>) -> Vec<Finding> {
    let unknown = of.written.bots.get(of.key).is_some_and(|bot| bot.policy.channel.is_none());
    let (to, shown) = (new_connector(of), of.to.is_some_and(|(_, config)| config.attachments));
    let (files, to_do) = if shown {
        (
            format!("attachments = true of {to}: files are attachments"),
            "see that file transfer is on in the integration's properties: where it is not, one attachment makes the whole \
             answer invalid",
        )
    } else {
        (
            format!("the same, until attachments = true stands in {to}; then files are attachments"),
            "if the bot sends files, switch file transfer on in the integration's properties first, for without it one \
             attachment makes the whole answer invalid; then write `attachments = true`",
        )
    };
    let mut findings = vec![
        Finding::new(
            SPEC,
            "quick replies, cards and carousels are seen to work; no document says so",
            "quick replies, cards and carousels are part of the contract",
        ),
        Finding::new(SPEC, "files have no known form; a file is said as text with its address", files).but(to_do),
        Finding::new(
            SPEC,
            "a tap comes as a button response, or in an older form that has the button beneath the message",
            "a tap comes as a button response; the pair of text and payload must be unique in a message",
        ),
    ];
    if unknown {
        findings.push(
            Finding::new(
                SPEC,
                format!("the door is not told the channel, and bots.{} has no `channel`", of.key),
                "the new door is not told it either",
            )
            .but(format!("let the new flow send the session variable {}", of.here.channel_parameter)),
        );
    }
    findings
}

fn values(of: &Move<'_>) -> Vec<Finding> {
    let mut findings = vec![
        Finding::new(
            SPEC,
            "parameters are texts by name, both ways; they may come with the first message only",
            "the same; here too they are merged, and never cleared by absence",
        ),
        Finding::new(
            SPEC,
            "slots are JSON values by name (slotValues)",
            "slots are entities: a list of name, type and value, each value a text",
        ),
    ];
    let Some(bot) = bot(of) else { return findings };
    let money = |slot_type: &EntityType| slot_type.element() == EntityType::Currency;
    for intent in bot.intents() {
        for (slot, _) in intent.slots.iter().filter(|(_, slot_type)| money(slot_type)) {
            findings.push(
                Finding::new(
                    SPEC,
                    format!("the slot {slot} of {} is {{\"amount\":\"5.00\",\"code\":\"EUR\"}}, or 5.00|EUR", intent.name),
                    "it is the text of a JSON object with the amount as a number: \"{\\\"amount\\\": 5.00, \\\"code\\\": \\\"EUR\\\"}\"",
                )
                .but("nothing, for the gateway writes it; look at what the flow does with it"),
            );
        }
    }
    let own: Vec<&str> = bot
        .intents()
        .iter()
        .map(|intent| intent.name.as_str())
        .filter(|name| ![DONE_INTENT, HAND_OVER_INTENT].contains(name))
        .collect();
    let own = if own.is_empty() { "none of its own".to_owned() } else { own.join(", ") };
    findings.push(
        Finding::new(
            SEEN,
            "every open answer takes turns between the intents turn-a and turn-b and counts the slot turnStamp, because the \
             same intent on about four turns ends the session",
            "an open answer carries no intent, and nothing has to change from turn to turn",
        )
        .but(format!(
            "draw no paths for turn-a, turn-b and pending; the paths are {DONE_INTENT}, {HAND_OVER_INTENT} and those declared: {own}"
        ))
        .inferred(),
    );
    findings.push(
        Finding::new(
            SPEC,
            "an end by an intent that the flow does not know fails with NoMatchError",
            "an end without an intent, or by one that the flow does not know, takes the failure path",
        )
        .but("nothing: an undeclared intent ends by `done` here, as before"),
    );
    findings
}

fn sessions(of: &Move<'_>) -> Vec<Finding> {
    let mut findings = vec![
        Finding::new(
            ACTION,
            "botSessionTimeout is 4320 minutes (72 h) in every captured request",
            format!(
                "botSessionTimeout follows the action's Session Timeout: {SESSION_MINUTES} minutes (12 h) unless changed, 3 days \
                 at most"
            ),
        )
        .but("set the Session Timeout of the new action; pushes end with it")
        .inferred(),
        Finding::new(
            SPEC,
            format!(
                "a message has no id: a retry is told from a repetition by its body, within join_identical_ms = {}",
                of.here.join_identical_ms
            ),
            "every message has a messageId, and a retry repeats it; the same words twice are two messages",
        ),
        Finding::new(
            OURS,
            "botId is the bot's name, its id stands in chatBot.id",
            format!("botId is the bot's id in the manifest: {}", of.key),
        ),
        Finding::new(
            OURS,
            "a conversation is found by genesysConversationId",
            "the same, so a conversation that enters the new action later is the same conversation here, with its memory",
        ),
    ];
    if let Some(EngineConfig::Connector(endpoint)) = of.written.bots.get(of.key).map(|bot| &bot.engine) {
        findings.push(match endpoint.speaks {
            Speaks::V1 => Finding::new(
                OURS,
                format!("the engine of bots.{} is an endpoint that speaks v1", of.key),
                "it goes on speaking v1 behind the new door; what it answers late is pushed, as long as the hard deadline allows",
            ),
            Speaks::V2 => Finding::new(
                OURS,
                format!("the engine of bots.{} is an endpoint that speaks v2, served through v1", of.key),
                "the platform could call it directly now; the gateway then no longer deduplicates, waits and hands over for it",
            ),
        });
    }
    findings
}

fn registration(of: &Move<'_>) -> Vec<Finding> {
    let version = bot(of).map_or("1", Bot::version);
    vec![
        Finding::new(
            SPEC,
            "the list of bots is pushed: PUT /api/v2/integrations/botconnector/{id}/bots, permission integration:botconnector:edit",
            "the manifest is pulled from the Bot Connector URI when an author edits the flow; a published flow keeps what it read",
        )
        .but(format!(
            "choose version {version} in the new action; later changes of intents, slots or languages need another version"
        )),
        Finding::new(
            SPEC,
            "the gateway needs no OAuth client to answer",
            format!("pushes need the permission integration:botconnector:send on the role of the OAuth client of orgs.{}", of.here.org),
        )
        .but("add it to the role; `cordboard doctor` asks whether it is there"),
        Finding::new(
            CONFIGURE,
            "the integration Genesys Bot Connector, with its Handle Utterance URI",
            "another integration, Genesys Digital Bot Connector, with its own URI and credentials; at most five for each org",
        )
        .but("install it beside the old one, enter what `cordboard check` prints, activate it"),
        Finding::new(
            SDK,
            "reports know the provider as GenesysBotConnector",
            "reports know it as GenesysDigitalBotConnector; SDK operations on it are still marked preview",
        ),
    ]
}

fn architect(of: &Move<'_>) -> Vec<Finding> {
    let mut findings = vec![
        Finding::new(
            ACTION,
            "the action Call Bot Connector",
            "the action Call Digital Bot Connector in its place",
        )
        .but(
            "in a copy of the flow: choose integration, bot and version; set the three time-outs; enter the session \
             variables again; wire every intent and the failure path; publish",
        ),
        Finding::new(
            ACTION,
            "errorType on the failure path: NoInputError, NoMatchError, InternalServerError, FeatureNotEnabledError (seen, not \
             documented)",
            "errorType: ServiceProviderTimeout, ServiceProviderErrorResponse, ServiceProviderInvalidResponse",
        )
        .but("change every condition on errorType")
        .inferred(),
        Finding::new(
            SPEC,
            "when a customer does not answer, the old action fails with NoInputError",
            "which errorType a follow-up time-out has is not documented",
        )
        .but("let the failure path do what it did for NoInputError when errorType is none of the three")
        .inferred(),
    ];
    let here = of.here;
    let there = of.to.map(|(_, config)| [&config.start_text, &config.channel_parameter, &config.customer_parameter]);
    let names = ["start_text", "channel_parameter", "customer_parameter"];
    let values = [&here.start_text, &here.channel_parameter, &here.customer_parameter];
    for (index, (name, value)) in names.into_iter().zip(values).enumerate() {
        let other = there.map_or(value, |there| there[index]);
        if other != value {
            let finding =
                Finding::new(CLASSIC_ACTION, format!("{name} = \"{value}\""), format!("{name} = \"{other}\""));
            findings.push(finding.but("write the same value in both tables, or change it in the copy of the flow"));
        }
    }
    findings
}

fn both(of: &Move<'_>) -> Vec<Finding> {
    let to = new_connector(of);
    vec![
        Finding::new(
            "docs/guides/migrate-from-v1-to-v2.md",
            format!("connectors.{} serves bots.{}", of.from, of.key),
            format!("connectors.{} and {to} serve it side by side, each with its own path and secret", of.from),
        )
        .but(
            "send some conversations through the copy of the flow; both doors end in the same bot, and going back is \
             publishing the old flow. When no call came to the old door for a session's length, take its table away",
        ),
    ]
}

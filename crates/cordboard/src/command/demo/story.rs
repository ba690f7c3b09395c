//! What the demonstration plays, and how it is shown.

use std::io::Write;

use simulator::Played;
use simulator::file::{ConversationFile, ParseError};

/// One conversation.
pub(super) struct Story {
    /// The connector that is called.
    pub(super) connector: &'static str,
    /// What happens in it, for the reader.
    about: &'static str,
    name: &'static str,
    text: &'static str,
}

macro_rules! story {
    ($connector:literal, $name:literal, $about:literal) => {
        Story {
            connector: $connector,
            about: $about,
            name: $name,
            text: include_str!(concat!("../../../../../conversations/", $name)),
        }
    };
}

/// In the order of playing.
pub(super) const STORIES: [Story; 7] = [
    story!(
        "digital",
        "answered-at-once.toml",
        "Digital Bot Connector (v2). The bot is fast: its answer leaves in the response to the flow's request."
    ),
    story!(
        "digital",
        "answered-late-by-a-push.toml",
        "Digital Bot Connector (v2). The bot needs longer than the flow should wait: the request is acknowledged, and the\n\
         answer is pushed when it is there."
    ),
    story!(
        "classic",
        "classic-in-time.toml",
        "Bot Connector (v1). Question and answer in one request; there is no other way on this door."
    ),
    story!(
        "classic",
        "classic-late-with-a-button.toml",
        "Bot Connector (v1). The bot is late, and nothing can be pushed: the customer gets a button that fetches the answer."
    ),
    story!(
        "classic-pending",
        "classic-late-by-the-flow.toml",
        "Bot Connector (v1). The same, but the flow itself comes back for the answer; the customer sees no button."
    ),
    story!(
        "digital",
        "the-engine-fails.toml",
        "The bot's engine fails at every attempt. The customer is told, and handed over to a human."
    ),
    story!(
        "digital",
        "the-gateway-is-killed.toml",
        "The gateway is killed (SIGKILL) while the bot works on an answer, and started again. The answer still arrives."
    ),
];

impl Story {
    pub(super) fn file(&self) -> Result<ConversationFile, ParseError> {
        ConversationFile::parse(self.text, self.name)
    }
}

/// Shows how a story went.
pub(super) fn show(n: usize, story: &Story, played: &Played, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "\n\n{n}. {}\n{}\n", played.title, story.about)?;
    writeln!(out, "   What the customer saw")?;
    for line in &played.transcript {
        let (s, tenths) = (line.at_ms / 1000, line.at_ms % 1000 / 100);
        match line.who {
            "path" => writeln!(out, "   {s:>3}.{tenths} s  flow      (leaves the bot by '{}')", line.text)?,
            who => writeln!(out, "   {s:>3}.{tenths} s  {who:<8}  {}", line.text)?,
        }
    }
    writeln!(out, "\n   What Genesys received")?;
    for line in played.received.lines() {
        if let Some(answer) = line.strip_prefix("flow     < ") {
            writeln!(out, "   answer  {answer}")?;
        } else if let Some(push) = line.strip_prefix("outgoing < ") {
            writeln!(out, "   push    {push}")?;
        }
    }
    for violation in &played.violations {
        writeln!(out, "   rule    {violation}")?;
    }
    for difference in &played.differences {
        let (wanted, got) = (&difference.wanted, &difference.got);
        writeln!(out, "   step {} ({}:{}): wanted {wanted}, got {got}", difference.step, story.name, difference.line)?;
    }
    writeln!(out, "\n   {}", if played.passed { "It ended as it must." } else { "IT DID NOT END AS IT MUST." })?;
    out.flush()
}

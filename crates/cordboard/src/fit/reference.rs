//! `docs/reference/channels.md`, made of the capability table.

use std::fmt::Display;
use std::path::PathBuf;

use super::{Basis, Capabilities, Confidence, DoorKind, Fact, Source, Style};

const INTRODUCTION: &str = "\
<!-- Made of the program's table. Renew it with UPDATE_REFERENCE=1 cargo nextest run -p cordboard -E 'test(reference)' -->

# Channels

What each channel shows of an answer. Before anything is sent, every item is fitted to its channel: long texts are split,
labels shortened, and what cannot be shown becomes a text that can be answered. Nothing is left out silently: the
conversation's timeline (`cordboard conversations show`) tells every change with its reason, the metric
`cordboard_corrections` counts them, and `cordboard lint reply.json --channel NAME` shows them before anything is sent
(`--all`: on every channel).

Genesys tells a bot nothing of the channel. It comes from the session variable `channel` of the flow
(`channel_parameter` of the connector), else from `channel` of the bot, else it is *unknown*: then the rich form is sent, with a text
beside it for channels that cannot show it.

How sure a limit is: **c** confirmed by a source of Genesys, **s** seen by others, **i** inferred, which is our own
conclusion, the channel's own rule that nobody tried through Genesys, or a careful assumption where no source has a number
(quick replies above all). Try what is inferred, and change what is wrong:

```toml
[connectors.digital.channels.whatsapp]
quick_replies_max = 3
```

| Key | What is done with more |
|---|---|
| `text_max_chars` | the text is split at the end of a paragraph, a line, a sentence or a word; the end of a long prompt stays over its choices |
| `markdown` | `plain`: readable text without marks; `whatsapp`: WhatsApp's marks; `kept`: as it is; `spoken`: neither marks nor addresses |
| `quick_replies_max` | all options become numbered lines of the prompt, and the first ones stay to tap; with 0 none does |
| `label_max_chars` | the label is shortened; what it carries stays whole, and all options become numbered lines of the prompt too |
| `cards` | `false`: a card becomes its `fallback_text`, or title and description, with its buttons as quick replies or numbered lines |
| `card_buttons_max` | the rest follows on a card of the same title |
| `link_buttons` | `false`: the address becomes a line of the description |
| `carousel_cards_max` | the rest follows in a second carousel; with 0 the cards are sent one after the other |
| `attachments` | `false`: a file becomes its `fallback_text`, or caption and address |

A numbered line is answered with its number or its label: the bot is told of a tap, as if there had been a button. Numbers go on
from item to item of one answer, and count until the next answer. A label counts before a number, and not at all when
several lines have it and mean different things: then the words reach the bot. Lists are remembered up to 8 KiB. The lines of
a bot's own `fallback_text` are words, and so are those of the text beside a card that is sent as a card.

";

const FILES: &str = "
## Files

Files are sent by the digital door (v2) only, since the older one has no form for them, and only when the connector says
`attachments = true`. Set it once the integration's property for files is on in Genesys: without the property an answer
with a file is invalid, and the flow takes its failure path. The default content profile lets out .jpg, .png and .gif, of
at most 25 MB (digital-bot-connector.md 3.4, confirmed); other files go out as their address. A file without a name gets one from
its address. An address that is not of the web (`https` or `http`) leads nowhere, so only the words beside it are said.

## Always

Whatever the channel, an answer keeps the contract (digital-bot-connector.md 3.2): quick replies and buttons have a text and a
payload (one stands for the other), links an address (without one they are left out), cards a title and a button (a title is
made of the description; a card with nothing to tap becomes a text, or its picture), carousels cards, structured messages a
text beside them. Two buttons of equal text and payload on the cards of one message are numbered. Choices without a prompt
take the text before them. Names and payloads lose control characters and outer blanks. What a tap on a card itself does
becomes a button or a line of it where the channel ignores such taps.
";

fn sure(basis: Basis) -> &'static str {
    match basis.confidence {
        Confidence::Confirmed => "c",
        Confidence::Seen => "s",
        Confidence::Inferred => "i",
    }
}

fn number<T: Copy + PartialEq + Default + Display>(fact: Fact<T>) -> String {
    let none = fact.value == T::default();
    format!("{} {}", if none { "–".to_owned() } else { fact.value.to_string() }, sure(fact.basis))
}

fn flag(fact: Fact<bool>) -> String {
    format!("{} {}", if fact.value { "yes" } else { "–" }, sure(fact.basis))
}

fn name(row: &Capabilities) -> &'static str {
    row.channel.map_or("unknown", model::Channel::word)
}

fn page() -> String {
    let rows: Vec<Capabilities> = Capabilities::rows(DoorKind::DigitalBotConnector).collect();
    let mut page = INTRODUCTION.to_owned();
    page += "## The table\n\n| Channel | Text | Markdown | Quick replies | Label | Cards | Buttons | Links | Tap on a card | Carousel | Files |\n";
    page += "|---|---|---|---|---|---|---|---|---|---|---|\n";
    for row in &rows {
        let style = match row.style.value {
            Style::Spoken => "read aloud",
            style => style.word(),
        };
        let nothing_to_tap = !row.cards.value;
        let on_cards = |shown: String| if nothing_to_tap { "–".to_owned() } else { shown };
        let label = if row.quick_replies_max.value == 0 { "–".to_owned() } else { number(row.label_max_chars) };
        let cells = [
            number(row.text_max_chars),
            format!("{style} {}", sure(row.style.basis)),
            number(row.quick_replies_max),
            label,
            flag(row.cards),
            on_cards(number(row.card_buttons_max)),
            on_cards(flag(row.link_buttons)),
            on_cards(flag(row.card_taps)),
            number(row.carousel_cards_max),
            flag(row.attachments),
        ];
        page += &format!("| `{}` | {} |\n", name(row), cells.join(" | "));
    }
    page += "\n## Where it stands\n\nFiles of the project's reference, with their sections.\n\n| Channel | From |\n|---|---|\n";
    for row in &rows {
        let bases = [
            ("text", row.text_max_chars.basis),
            ("Markdown", row.style.basis),
            ("quick replies", row.quick_replies_max.basis),
            ("label", row.label_max_chars.basis),
            ("cards", row.cards.basis),
            ("buttons", row.card_buttons_max.basis),
            ("links", row.link_buttons.basis),
            ("tap", row.card_taps.basis),
            ("carousel", row.carousel_cards_max.basis),
            ("files", row.attachments.basis),
        ];
        let by_source = Source::ALL.into_iter().filter_map(|source| {
            let of_it: Vec<&str> =
                bases.iter().filter(|(_, basis)| basis.source == source).map(|(what, _)| *what).collect();
            (!of_it.is_empty()).then(|| format!("{}: {}", source.text(), of_it.join(", ")))
        });
        page += &format!("| `{}` | {} |\n", name(row), by_source.collect::<Vec<String>>().join("; "));
    }
    page + FILES
}

#[test]
fn the_channels_of_the_reference_are_kept_in_step() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/channels.md"));
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let renew = "UPDATE_REFERENCE=1 cargo nextest run -p cordboard -E 'test(reference)'";
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == page(),
        "docs/reference/channels.md is not what the table says; renew it with {renew}"
    );
}

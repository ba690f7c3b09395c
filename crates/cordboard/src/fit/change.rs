//! What was changed in an answer on its way to a channel, and why.

use std::fmt;

use super::capabilities::{Basis, Confidence, Source};

/// One change. It holds numbers and names of rules, never a word of what was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which item of the answer, counted from 1; 0 is the answer itself.
    pub item: u32,
    /// What was done.
    pub what: What,
    /// How much there was: characters, cards, buttons, options, whatever the change counts.
    pub found: u32,
    /// How much is taken; 0 where there is no number to it.
    pub limit: u32,
    /// Why.
    pub basis: Basis,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Nothing to show, so the item was left out.
    Blank,
    /// Control characters and outer blanks of titles, labels and payloads were taken away.
    Cleaned,
    /// A long text became several.
    TextSplit,
    /// A fallback was shortened.
    FallbackShortened,
    /// Markdown that the channel does not show was taken out of a text.
    Unmarked,
    /// Addresses were not read aloud.
    Unspoken,
    /// A text became the prompt of the choices behind it.
    PromptJoined,
    /// A prompt was made of the labels.
    PromptMade,
    /// Options without label and value were left out.
    OptionsBlank,
    /// Options lacked label or value, and got the one for the other.
    OptionsCompleted,
    /// Options that were there twice were left out.
    OptionsRepeated,
    /// Labels were shortened: in full they are lines of the prompt.
    LabelsShortened,
    /// Choices without options became a text.
    NoOptions,
    /// More options than the channel takes: all of them are lines of the prompt, the first ones stay quick replies.
    OptionsListed,
    /// Choices became numbered lines.
    ChoicesAsText,
    /// A card got a title.
    TitleMade,
    /// Buttons and taps that lead nowhere were left out.
    ButtonsBlank,
    /// Buttons lacked label or payload, and got one.
    ButtonsCompleted,
    /// Buttons that were on the card twice were left out.
    ButtonsRepeated,
    /// Buttons of equal text and payload on several cards were numbered.
    ButtonsNumbered,
    /// Buttons with an address became lines of the description.
    LinksAsText,
    /// What a tap on the card does became a button, or a line of the description.
    TapMoved,
    /// A card with too many buttons became several.
    ButtonsSplit,
    /// A card without buttons became a text or a picture.
    NoButtons,
    /// A card became a text.
    CardAsText,
    /// A carousel without cards became a text.
    NoCards,
    /// A carousel with too many cards became several.
    CarouselSplit,
    /// A carousel became single cards.
    CarouselAsCards,
    /// A carousel became a text.
    CarouselAsText,
    /// A file became its caption and address.
    MediaAsText,
    /// A file of a kind that is not let out became its caption and address.
    MediaRefused,
    /// A file that is too large became its caption and address.
    MediaTooLarge,
    /// A file without an address of the web became its caption.
    MediaNowhere,
    /// A file got a name.
    MediaNamed,
    /// An end by an undeclared intent became an end by `done`.
    IntentUndeclared,
    /// Slots that the intent does not declare, or of another type, were left out.
    SlotsUnfit,
    /// The session runs an older version of the bot.
    OtherVersion,
    /// The session's address could not be read, and was made of the configuration.
    AddressMade,
    /// A question that this door does not need was answered at once.
    PollUnneeded,
}

/// What became of an item, from the least to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Something that it lacked was added, or something that leads nowhere taken away.
    Mended,
    /// Marks or addresses of its text are gone.
    Plainer,
    /// Something of it is shorter.
    Shortened,
    /// It became several, or is told in another way.
    Split,
    /// It became a text.
    AsText,
    /// There is nothing left of it.
    LeftOut,
}

/// Each kind of change with its word in journals, for what is read back.
const WORDS: &[(What, &str)] = &[
    (What::Blank, "blank"),
    (What::Cleaned, "cleaned"),
    (What::TextSplit, "text_split"),
    (What::FallbackShortened, "fallback_shortened"),
    (What::Unmarked, "unmarked"),
    (What::Unspoken, "unspoken"),
    (What::PromptJoined, "prompt_joined"),
    (What::PromptMade, "prompt_made"),
    (What::OptionsBlank, "options_blank"),
    (What::OptionsCompleted, "options_completed"),
    (What::OptionsRepeated, "options_repeated"),
    (What::LabelsShortened, "labels_shortened"),
    (What::NoOptions, "no_options"),
    (What::OptionsListed, "options_listed"),
    (What::ChoicesAsText, "choices_as_text"),
    (What::TitleMade, "title_made"),
    (What::ButtonsBlank, "buttons_blank"),
    (What::ButtonsCompleted, "buttons_completed"),
    (What::ButtonsRepeated, "buttons_repeated"),
    (What::ButtonsNumbered, "buttons_numbered"),
    (What::LinksAsText, "links_as_text"),
    (What::TapMoved, "tap_moved"),
    (What::ButtonsSplit, "buttons_split"),
    (What::NoButtons, "no_buttons"),
    (What::CardAsText, "card_as_text"),
    (What::NoCards, "no_cards"),
    (What::CarouselSplit, "carousel_split"),
    (What::CarouselAsCards, "carousel_as_cards"),
    (What::CarouselAsText, "carousel_as_text"),
    (What::MediaAsText, "media_as_text"),
    (What::MediaRefused, "media_refused"),
    (What::MediaTooLarge, "media_too_large"),
    (What::MediaNowhere, "media_nowhere"),
    (What::MediaNamed, "media_named"),
    (What::IntentUndeclared, "intent_undeclared"),
    (What::SlotsUnfit, "slots_unfit"),
    (What::OtherVersion, "other_version"),
    (What::AddressMade, "address_made"),
    (What::PollUnneeded, "poll_unneeded"),
];

impl What {
    /// Every kind of change.
    pub fn all() -> impl Iterator<Item = Self> {
        WORDS.iter().map(|(what, _)| *what)
    }

    /// Whether its number is a measure of one thing, which does not add up.
    pub(super) const fn measures(self) -> bool {
        matches!(self, Self::TextSplit | Self::FallbackShortened | Self::ButtonsSplit | Self::MediaTooLarge)
    }

    /// What becomes of an item by it.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Blank => Outcome::LeftOut,
            Self::ChoicesAsText
            | Self::NoOptions
            | Self::NoButtons
            | Self::CardAsText
            | Self::NoCards
            | Self::CarouselAsText
            | Self::MediaAsText
            | Self::MediaRefused
            | Self::MediaTooLarge
            | Self::MediaNowhere => Outcome::AsText,
            Self::TextSplit
            | Self::OptionsListed
            | Self::ButtonsSplit
            | Self::CarouselSplit
            | Self::CarouselAsCards
            | Self::LinksAsText
            | Self::TapMoved => Outcome::Split,
            Self::LabelsShortened | Self::FallbackShortened => Outcome::Shortened,
            Self::Unmarked | Self::Unspoken => Outcome::Plainer,
            _ => Outcome::Mended,
        }
    }

    /// The word of journals.
    #[must_use]
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(what, _)| *what == self).map_or("unknown", |(_, word)| word)
    }

    /// Reads a word of journals.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        WORDS.iter().find(|(_, known)| *known == word).map(|(what, _)| *what)
    }
}

impl Change {
    /// A change of the answer itself, for a reason that stands in the platform's contract.
    #[must_use]
    pub const fn of_answer(what: What, found: u32, source: Source) -> Self {
        let basis = Basis { source, confidence: Confidence::Confirmed };
        Self { item: 0, what, found, limit: 0, basis }
    }

    /// What was done, with its numbers.
    fn deed(&self) -> String {
        let Self { found, limit, .. } = self;
        let some = |one: &str, many: &str| if *found == 1 { format!("1 {one}") } else { format!("{found} {many}") };
        match self.what {
            What::Blank => "nothing to show, left out".to_owned(),
            What::Cleaned => "control characters and outer blanks taken away".to_owned(),
            What::TextSplit => format!("{found} characters, split into texts of at most {limit}"),
            What::FallbackShortened => format!("fallback of {found} characters, shortened to {limit}"),
            What::Unmarked => "marks of Markdown became plain text".to_owned(),
            What::Unspoken => format!("{} left out", some("address", "addresses")),
            What::PromptJoined => "the text before became its prompt".to_owned(),
            What::PromptMade => "no prompt, the labels are the prompt".to_owned(),
            What::OptionsBlank => format!("{} without label and value, left out", some("option", "options")),
            What::OptionsCompleted => {
                format!("{} without label or value, the one stands for the other", some("option", "options"))
            }
            What::OptionsRepeated => format!("{} there twice, left out once", some("option", "options")),
            What::LabelsShortened => {
                format!("{} shortened to {limit} characters, read in full in the prompt", some("label", "labels"))
            }
            What::NoOptions => "no options, became a text".to_owned(),
            What::OptionsListed => format!("{found} options, all listed in the prompt, the first {limit} to tap"),
            What::ChoicesAsText => format!("{} became numbered lines", some("option", "options")),
            What::TitleMade => format!("{} without a title, one was made", some("card", "cards")),
            What::ButtonsBlank => format!("{} without address or payload, left out", some("button", "buttons")),
            What::ButtonsCompleted => {
                format!("{} without label or payload, the one stands for the other", some("button", "buttons"))
            }
            What::ButtonsRepeated => format!("{} there twice, left out once", some("button", "buttons")),
            What::ButtonsNumbered => format!("{} numbered to tell them apart", some("button", "buttons")),
            What::LinksAsText => format!("{} became text of the card", some("link button", "link buttons")),
            What::TapMoved => "what a tap on the card does became a button or a line of it".to_owned(),
            What::ButtonsSplit => format!("{found} buttons, split after {limit} over cards of the same title"),
            What::NoButtons => format!("{} without buttons became text or picture", some("card", "cards")),
            What::CardAsText => "the card became a text".to_owned(),
            What::NoCards => "no cards, became a text".to_owned(),
            What::CarouselSplit => format!("{found} cards, split after {limit}"),
            What::CarouselAsCards => format!("{found} cards, sent one after the other"),
            What::CarouselAsText => format!("{} became a text", some("card", "cards")),
            What::MediaAsText => "the file became its caption and address".to_owned(),
            What::MediaRefused => "the file's kind is not let out, it became its caption and address".to_owned(),
            What::MediaTooLarge => format!("{found} MB, the file became its caption and address"),
            What::MediaNowhere => "a file without an address of the web, only its words are left".to_owned(),
            What::MediaNamed => "the file got a name, made from its address".to_owned(),
            What::IntentUndeclared => "the end's intent is not declared, `done` stands for it".to_owned(),
            What::SlotsUnfit => format!("{} left out", some("slot", "slots")),
            What::OtherVersion => "the session runs another version of the bot, and is answered as that".to_owned(),
            What::AddressMade => {
                "the session's version and language are not known, the bot's own stand for them".to_owned()
            }
            What::PollUnneeded => "the line to wait by was left out".to_owned(),
        }
    }

    /// The rule behind it.
    fn rule(&self) -> String {
        let limit = self.limit;
        match self.what {
            What::Blank => "a message needs a text".to_owned(),
            What::Cleaned => "titles, labels and payloads are plain and trimmed".to_owned(),
            What::TextSplit | What::FallbackShortened => format!("a text takes {limit} characters"),
            What::Unmarked => "the channel does not show all of Markdown".to_owned(),
            What::Unspoken => "addresses are not read aloud".to_owned(),
            What::PromptJoined | What::PromptMade => "quick replies need a text".to_owned(),
            What::OptionsBlank | What::OptionsCompleted => "a quick reply needs text and payload".to_owned(),
            What::OptionsRepeated => "quick replies must differ".to_owned(),
            What::LabelsShortened => format!("a label takes {limit} characters"),
            What::NoOptions => "structured messages need content".to_owned(),
            What::OptionsListed => format!("a message takes {limit} quick replies"),
            What::ChoicesAsText => "the channel shows no quick replies".to_owned(),
            What::TitleMade => "a card needs a title".to_owned(),
            What::ButtonsBlank | What::ButtonsCompleted => {
                "a link needs text and url, a postback text and payload".to_owned()
            }
            What::ButtonsRepeated | What::ButtonsNumbered => {
                "text and payload are unique over all cards of a message".to_owned()
            }
            What::LinksAsText => "the channel has no buttons that open an address".to_owned(),
            What::TapMoved => "the channel ignores taps on the card itself".to_owned(),
            What::ButtonsSplit => format!("a card takes {limit} buttons"),
            What::NoButtons => "a card needs buttons".to_owned(),
            What::CardAsText | What::CarouselAsText => "the channel shows no cards".to_owned(),
            What::NoCards => "a carousel needs cards".to_owned(),
            What::CarouselSplit => format!("a carousel takes {limit} cards"),
            What::CarouselAsCards => "the channel shows no carousels".to_owned(),
            What::MediaAsText => "files cannot be sent here".to_owned(),
            What::MediaRefused => "the default content profile lets out .jpg, .png and .gif".to_owned(),
            What::MediaTooLarge => format!("a file takes {limit} MB"),
            What::MediaNowhere | What::MediaNamed => "a file needs url and filename".to_owned(),
            What::IntentUndeclared => "a flow has paths for declared intents only".to_owned(),
            What::SlotsUnfit => "an intent takes the slots it declares, in their types".to_owned(),
            What::OtherVersion | What::AddressMade => "a session keeps bot, version and language".to_owned(),
            What::PollUnneeded => "this door pushes late answers".to_owned(),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            0 => formatter.write_str("answer")?,
            item => write!(formatter, "item {item}")?,
        }
        write!(formatter, ": {} ({}; {})", self.deed(), self.rule(), self.basis)
    }
}

//! Markdown, as language models write it, in the way that a channel shows it: lists readable, links with their address,
//! tables as lines, code as it is, entities resolved.

use std::collections::BTreeMap;
use std::ops::Range;

use model::{Item, Media, MediaKind};
use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd};

use super::Style;

/// What Markdown became.
pub(super) struct Read {
    /// A text, or the picture that was all of it.
    pub(super) item: Item,
    /// Whether something was marked that the style cannot show.
    pub(super) lost: bool,
}

/// Reads Markdown for a style.
pub(super) fn read(source: &str, style: Style) -> Read {
    let unread = unread_definitions(source);
    if let Some(media) = lone_image(source).filter(|_| unread.is_empty()) {
        return Read { item: Item::Media(media), lost: false };
    }
    if style == Style::Markdown {
        return Read { item: Item::text(source), lost: false };
    }
    let mut writer = Writer::new(style, source.len());
    let mut unread = unread.into_iter().peekable();
    let mut behind_cell = 0;
    for (event, place) in parser(source).into_offset_iter() {
        if matches!(&event, Event::Start(tag) if begins_block(tag)) {
            while let Some(definition) = unread.next_if(|definition| definition.end <= place.start) {
                writer.paragraph(&source[definition]);
            }
        }
        match &event {
            Event::End(TagEnd::TableCell) => behind_cell = place.end,
            Event::End(TagEnd::TableRow) => writer.surplus(source.get(behind_cell..place.end).unwrap_or_default()),
            _ => {}
        }
        writer.event(event);
    }
    unread.for_each(|definition| writer.paragraph(&source[definition]));
    // What no tag of HTML closed.
    while !writer.links.is_empty() {
        writer.newlines = 0;
        writer.end_link();
    }
    let text = writer.text.trim().to_owned();
    Read { item: Item::Text(text), lost: writer.lost }
}

fn parser(source: &str) -> Parser<'_> {
    Parser::new_ext(source, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH)
}

const fn begins_block(tag: &Tag<'_>) -> bool {
    matches!(
        tag,
        Tag::Paragraph
            | Tag::Heading { .. }
            | Tag::BlockQuote(_)
            | Tag::CodeBlock(_)
            | Tag::HtmlBlock
            | Tag::List(_)
            | Tag::Table(_)
    )
}

/// Definitions of links that nothing links to. Whoever writes `[Status]: shipped` means words.
fn unread_definitions(source: &str) -> Vec<Range<usize>> {
    let mut parser = parser(source);
    let mut unread: BTreeMap<usize, Range<usize>> =
        parser.reference_definitions().iter().map(|(_, found)| (found.span.start, found.span.clone())).collect();
    if !unread.is_empty() {
        while let Some(event) = parser.next() {
            if let Event::Start(Tag::Link { id, .. } | Tag::Image { id, .. }) = event
                && let Some(read) = parser.reference_definitions().get(&id)
            {
                unread.remove(&read.span.start);
            }
        }
    }
    unread.into_values().collect()
}

/// The picture, when Markdown is one and nothing else.
fn lone_image(source: &str) -> Option<Media> {
    if !source.trim_start().starts_with("![") {
        return None;
    }
    let mut events = parser(source);
    let (Event::Start(Tag::Paragraph), Event::Start(Tag::Image { dest_url, .. })) = (events.next()?, events.next()?)
    else {
        return None;
    };
    let mut caption = String::new();
    loop {
        match events.next()? {
            Event::Text(text) | Event::Code(text) => caption.push_str(&text),
            Event::SoftBreak | Event::HardBreak => caption.push(' '),
            Event::End(TagEnd::Image) => break,
            _ => {}
        }
    }
    let ends = events.next() == Some(Event::End(TagEnd::Paragraph)) && events.next().is_none();
    let caption = Some(caption).filter(|caption| !caption.trim().is_empty());
    ends.then(|| Media {
        kind: MediaKind::Image,
        url: dest_url.into_string(),
        name: None,
        mime: None,
        size_bytes: None,
        caption,
        fallback: None,
    })
}

/// A text that is being written.
struct Writer<'a> {
    style: Style,
    text: String,
    lost: bool,
    /// Newlines that stand before whatever comes next.
    newlines: usize,
    /// The lists it is in: the next number of each, or none for bullets.
    lists: Vec<Option<u64>>,
    /// A marker was written, and what follows belongs behind it.
    at_marker: bool,
    /// Quotes it is in.
    quotes: usize,
    /// An address was written that a word behind it would become part of.
    behind_address: bool,
    /// What stands behind the opening of a fence while nothing stands within: the language of code, or words that were not
    /// meant to open one.
    fence: Option<CowStr<'a>>,
    /// Open links and pictures: the address, and where their text begins.
    links: Vec<(CowStr<'a>, usize)>,
    /// The table's heads, how many rows are below them, and the cells of the row that is being read.
    heads: Vec<String>,
    rows: usize,
    cells: Vec<String>,
    /// Where the cell that is being read begins.
    cell: usize,
}

impl<'a> Writer<'a> {
    fn new(style: Style, capacity: usize) -> Self {
        Self {
            style,
            text: String::with_capacity(capacity),
            lost: false,
            newlines: 0,
            lists: Vec::new(),
            at_marker: false,
            quotes: 0,
            behind_address: false,
            fence: None,
            links: Vec::new(),
            heads: Vec::new(),
            rows: 0,
            cells: Vec::new(),
            cell: 0,
        }
    }

    fn event(&mut self, event: Event<'a>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => {
                self.fence = None;
                self.write(&text);
            }
            Event::Code(code) => {
                self.mark("`");
                self.write(&code);
                self.mark("`");
            }
            Event::SoftBreak | Event::HardBreak => self.break_lines(1),
            Event::Rule => {
                self.lost = true;
                self.break_lines(2);
            }
            Event::Html(html) | Event::InlineHtml(html) => self.html(&html),
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => self.write(&text),
            Event::TaskListMarker(done) => self.write(if done { "[x] " } else { "[ ] " }),
        }
    }

    fn start(&mut self, tag: Tag<'a>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.begin_block(),
            Tag::Heading { .. } => {
                self.begin_block();
                self.mark("*");
            }
            Tag::BlockQuote(_) => {
                self.begin_block();
                self.quotes += 1;
                self.lost |= self.style != Style::WhatsApp;
            }
            Tag::CodeBlock(kind) => {
                self.begin_block();
                if self.style == Style::WhatsApp {
                    self.write("```\n");
                } else {
                    self.lost |= matches!(kind, CodeBlockKind::Fenced(_));
                }
                self.fence = match kind {
                    CodeBlockKind::Fenced(info) => Some(info),
                    CodeBlockKind::Indented => None,
                };
            }
            Tag::List(first) => {
                self.break_lines(if self.lists.is_empty() { 2 } else { 1 });
                self.lists.push(first);
            }
            Tag::Item => self.begin_item(),
            Tag::Table(_) => {
                self.begin_block();
                self.rows = 0;
                self.lost = true;
            }
            Tag::TableHead | Tag::TableRow => self.cells.clear(),
            Tag::TableCell => {
                self.flush();
                self.cell = self.text.len();
            }
            Tag::Emphasis => self.mark("_"),
            Tag::Strong => self.mark("*"),
            Tag::Strikethrough => self.mark("~"),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.flush();
                self.links.push((dest_url, self.text.len()));
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.break_lines(2),
            TagEnd::Heading(_) => {
                self.mark("*");
                self.break_lines(2);
            }
            TagEnd::BlockQuote(_) => {
                self.quotes = self.quotes.saturating_sub(1);
                self.break_lines(2);
            }
            TagEnd::CodeBlock => {
                if let Some(words) = self.fence.take() {
                    self.write(&words);
                }
                if self.style == Style::WhatsApp {
                    self.newlines = 0;
                    self.write(if self.text.ends_with('\n') { "```" } else { "\n```" });
                }
                self.break_lines(2);
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.newlines = if self.lists.is_empty() { 2 } else { 1 };
            }
            TagEnd::Item => {
                self.at_marker = false;
                self.newlines = 1;
            }
            TagEnd::Table => {
                let heads = std::mem::take(&mut self.heads);
                if self.rows == 0 {
                    self.write(&heads.join(", "));
                }
                self.break_lines(2);
            }
            TagEnd::TableHead => self.heads = std::mem::take(&mut self.cells),
            TagEnd::TableRow => self.end_row(),
            TagEnd::TableCell => {
                let cell = self.text.split_off(self.cell.min(self.text.len()));
                self.newlines = 0;
                self.cells.push(cell.trim().replace('\n', " "));
            }
            TagEnd::Emphasis => self.mark("_"),
            TagEnd::Strong => self.mark("*"),
            TagEnd::Strikethrough => self.mark("~"),
            TagEnd::Link | TagEnd::Image => self.end_link(),
            _ => {}
        }
    }

    /// A row as a line: what each column is called, and what stands in it.
    fn end_row(&mut self) {
        let cells = std::mem::take(&mut self.cells);
        let heads = self.heads.iter().map(String::as_str).chain(std::iter::repeat(""));
        let named: Vec<String> = cells
            .iter()
            .zip(heads)
            .filter(|(cell, _)| !cell.is_empty())
            .map(|(cell, head)| if head.is_empty() { cell.clone() } else { format!("{head}: {cell}") })
            .collect();
        self.rows += usize::from(!named.is_empty());
        self.write(&named.join(", "));
        self.break_lines(1);
    }

    /// What stands in a row behind the last column, which the parser passes over.
    fn surplus(&mut self, source: &str) {
        let cells = source.split('|').map(str::trim).filter(|cell| !cell.is_empty());
        self.cells.extend(cells.map(str::to_owned));
    }

    /// A paragraph of plain text.
    fn paragraph(&mut self, text: &str) {
        self.begin_block();
        self.write(text.trim());
        self.break_lines(2);
    }

    /// Adds the address of a link, unless its text is the address.
    fn end_link(&mut self) {
        let Some((url, begin)) = self.links.pop() else { return };
        let shown = self.text.get(begin..).unwrap_or_default().trim();
        let bare = url.strip_prefix("mailto:").unwrap_or(&url);
        if shown == &*url || shown == bare || url.is_empty() {
            self.behind_address = true;
            return;
        }
        self.lost = true;
        if self.style == Style::Spoken {
            return;
        }
        let address = if shown.is_empty() { bare.to_owned() } else { format!(" ({bare})") };
        self.write(&address);
    }

    fn begin_item(&mut self) {
        self.break_lines(1);
        let depth = self.lists.len().saturating_sub(1);
        let spoken = self.style == Style::Spoken;
        let marker = match self.lists.last_mut() {
            Some(Some(number)) => {
                let marker = format!("{number}. ");
                *number = number.saturating_add(1);
                marker
            }
            _ if spoken => String::new(),
            _ => "- ".to_owned(),
        };
        // Deeper ones than anybody reads stay where they are.
        self.write(&format!("{}{marker}", "  ".repeat(depth.min(8))));
        self.at_marker = true;
    }

    fn begin_block(&mut self) {
        if self.at_marker {
            self.at_marker = false;
        } else if self.newlines < 2 {
            self.break_lines(2);
        }
    }

    /// A mark, where the style has it; elsewhere what it marked is plain.
    fn mark(&mut self, mark: &str) {
        if self.style == Style::WhatsApp {
            self.write(mark);
        } else {
            self.lost = true;
        }
    }

    /// Tags of HTML are marks as well. What only looks like one (`<name>`) is text.
    fn html(&mut self, html: &str) {
        let mut rest = html;
        while let Some((before, behind)) = rest.split_once('<') {
            self.write(before);
            let Some((tag, behind)) = behind.split_once('>') else {
                self.write("<");
                rest = behind;
                continue;
            };
            let name: String = tag
                .trim_start_matches('/')
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .map(|character| character.to_ascii_lowercase())
                .collect();
            if tag.starts_with("!--") {
                self.lost = true;
            } else if name == "br" {
                self.break_lines(1);
            } else if name == "a" {
                self.lost = true;
                match href(tag) {
                    _ if tag.starts_with('/') => self.end_link(),
                    Some(url) => {
                        self.flush();
                        self.links.push((url.into(), self.text.len()));
                    }
                    None => {}
                }
            } else if KNOWN_TAGS.contains(&name.as_str()) {
                self.lost = true;
            } else {
                self.write(&format!("<{tag}>"));
            }
            rest = behind;
        }
        self.write(rest);
    }

    fn break_lines(&mut self, count: usize) {
        self.newlines = self.newlines.max(count);
    }

    fn flush(&mut self) {
        if self.newlines > 0 && !self.text.is_empty() {
            let there = self.text.chars().rev().take_while(|character| *character == '\n').count();
            let quote = if self.style == Style::WhatsApp { "> ".repeat(self.quotes.min(1)) } else { String::new() };
            for _ in there..self.newlines {
                self.text.push('\n');
            }
            self.text.push_str(&quote);
        } else if self.text.is_empty() && self.quotes > 0 && self.style == Style::WhatsApp {
            self.text.push_str("> ");
        }
        self.newlines = 0;
    }

    fn write(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if std::mem::take(&mut self.behind_address) && self.newlines == 0 {
            let joined = text.split(char::is_whitespace).next().unwrap_or_default();
            if joined.chars().all(|character| ".,;:!?)".contains(character)) {
                self.behind_address = joined.len() == text.len();
            } else {
                self.text.push(' ');
            }
        }
        self.flush();
        if !text.trim().is_empty() {
            self.at_marker = false;
        }
        self.text.push_str(text);
    }
}

/// Where a tag of HTML leads.
fn href(tag: &str) -> Option<String> {
    let begin = tag.to_ascii_lowercase().find("href=")? + "href=".len();
    let value = &tag[begin..];
    let url = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next(),
        _ => value.split_whitespace().next(),
    };
    url.map(|url| url.replace("&amp;", "&"))
}

/// Tags that mark text, and are not text themselves.
const KNOWN_TAGS: [&str; 31] = [
    "b",
    "big",
    "blockquote",
    "center",
    "code",
    "del",
    "div",
    "em",
    "font",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "hr",
    "i",
    "ins",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "s",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "u",
    "ul",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str, style: Style) -> String {
        match read(source, style).item {
            Item::Text(text) => text,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn markdown_is_read_as_each_style_shows_it() {
        let cases = [
            ("**Hello** _you_, ~~not~~ `code`", "Hello you, not code", "*Hello* _you_, ~not~ `code`"),
            ("Tom &amp; Jerry &lt;3 5 * 3 = 15", "Tom & Jerry <3 5 * 3 = 15", "Tom & Jerry <3 5 * 3 = 15"),
            ("# Title\nText\nand more", "Title\n\nText\nand more", "*Title*\n\nText\nand more"),
            ("- a\n- b\n  1. c\n  2. d\n\nend", "- a\n- b\n  1. c\n  2. d\n\nend", "- a\n- b\n  1. c\n  2. d\n\nend"),
            ("3. c\n4. d", "3. c\n4. d", "3. c\n4. d"),
            ("- a\n\n- b", "- a\n- b", "- a\n- b"),
            ("[Terms](https://x.example/t)", "Terms (https://x.example/t)", "Terms (https://x.example/t)"),
            ("<https://x.example>", "https://x.example", "https://x.example"),
            ("<https://x.example>now", "https://x.example now", "https://x.example now"),
            ("<https://x.example>&lt;now", "https://x.example <now", "https://x.example <now"),
            (
                "<https://x.example>.**now**, <https://y.example>!",
                "https://x.example. now, https://y.example!",
                "https://x.example. *now*, https://y.example!",
            ),
            ("Mail <me@x.example>", "Mail me@x.example", "Mail me@x.example"),
            (
                "See ![a map](https://x.example/m.png)",
                "See a map (https://x.example/m.png)",
                "See a map (https://x.example/m.png)",
            ),
            (
                "|Plan|Price|\n|-|-|\n|S|5 €|\n|L|**9 €**|",
                "Plan: S, Price: 5 €\nPlan: L, Price: 9 €",
                "Plan: S, Price: 5 €\nPlan: L, Price: *9 €*",
            ),
            ("~~~~Not this one", "Not this one", "```\nNot this one\n```"),
            ("```sh\nls -l\n  | wc\n```", "ls -l\n  | wc", "```\nls -l\n  | wc\n```"),
            ("> said\n> so", "said\nso", "> said\n> so"),
            ("a<br>b <b>c</b> <order number>", "a\nb c <order number>", "a\nb c <order number>"),
            ("one\n\n---\n\ntwo", "one\n\ntwo", "one\n\ntwo"),
            (
                "See <a href=\"https://x.example/t?a=1&amp;b=2\">the terms</a>.",
                "See the terms (https://x.example/t?a=1&b=2).",
                "See the terms (https://x.example/t?a=1&b=2).",
            ),
            ("<a HREF=https://x.example>Terms", "Terms (https://x.example)", "Terms (https://x.example)"),
            ("|Plan|Price|\n|-|-|", "Plan, Price", "Plan, Price"),
            ("|Plan|\n|-|\n|S|5 €|", "Plan: S, 5 €", "Plan: S, 5 €"),
            (
                "Your parcel:\n\n[Status]: shipped\n\nBye",
                "Your parcel:\n\n[Status]: shipped\n\nBye",
                "Your parcel:\n\n[Status]: shipped\n\nBye",
            ),
            ("Read [1].\n\n[1]: https://x.example", "Read 1 (https://x.example).", "Read 1 (https://x.example)."),
            ("snake_case and 2*3*4 \\*no\\*", "snake_case and 234 *no*", "snake_case and 2_3_4 *no*"),
            ("", "", ""),
        ];
        for (source, plain, whatsapp) in cases {
            assert_eq!(shown(source, Style::Plain), plain, "{source}");
            assert_eq!(shown(source, Style::WhatsApp), whatsapp, "{source}");
            assert_eq!(shown(source, Style::Markdown), source, "{source}");
        }
        assert_eq!(shown("- a [link](https://x.example)\n- b", Style::Spoken), "a link\nb");
    }

    #[test]
    fn what_the_style_cannot_show_is_said_to_be_lost() {
        for (source, lost) in [("plain &amp; simple\n- a", false), ("**a**", true), ("[a](https://x.example)", true)] {
            assert_eq!(read(source, Style::Plain).lost, lost, "{source}");
        }
        assert!(!read("**a** `b`", Style::WhatsApp).lost);
    }

    #[test]
    fn a_picture_alone_is_a_picture() {
        let Item::Media(media) = read("![A map](https://x.example/m.png)\n", Style::Plain).item else { panic!() };
        assert_eq!((media.url.as_str(), media.caption.as_deref()), ("https://x.example/m.png", Some("A map")));
        for more in [" b", "\n\n[Status]: shipped"] {
            let source = format!("![A](https://x.example/m.png){more}");
            assert!(matches!(read(&source, Style::Plain).item, Item::Text(_)), "{source}");
        }
    }
}

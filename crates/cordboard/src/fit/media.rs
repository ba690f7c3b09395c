//! Files: as attachments where the door, the channel and the integration let them through, else as caption and address.

use std::borrow::Cow;

use model::{Item, Media, MediaKind};

use super::{Fitting, RULES, Style, What, text};
use crate::engine::limits::leads_to_the_web;

impl Fitting<'_> {
    pub(super) fn media(&mut self, media: &Media) {
        let url = self.clean(&media.url);
        if !leads_to_the_web(&url) {
            self.note(What::MediaNowhere, 1, 0, RULES);
            let said = [&media.fallback, &media.caption, &media.name].into_iter().find_map(filled).unwrap_or_default();
            return self.say(Cow::Borrowed(said));
        }
        if let Some((what, found, limit, basis)) = self.refusal(media, &url) {
            self.note(what, found, limit, basis);
            let said = self.in_words(media, &url);
            return self.say(Cow::Owned(said));
        }
        let caption = filled(&media.caption).map(|caption| self.all_but_last(Cow::Borrowed(caption)).into_owned());
        let name = filled(&media.name).map(|name| self.clean(name)).unwrap_or_else(|| {
            self.note(What::MediaNamed, 1, 0, RULES);
            self.name(media, &url)
        });
        // Without a caption the name is the text of the message.
        let caption = caption.or_else(|| self.short_of(&name));
        let mime = filled(&media.mime).map(|mime| self.clean(mime));
        let fitted = Media { url, name: Some(name), caption, mime, ..media.clone() };
        self.fitted.items.push(Item::Media(fitted));
    }

    /// What is said in the place of a name that is longer than a text may be.
    fn short_of(&mut self, name: &str) -> Option<String> {
        let max = self.to.text_max_chars;
        text::exceeds(name, max.value).then(|| {
            self.note(What::FallbackShortened, name.chars().count(), max.value, max.basis);
            text::shortened(name, max.value)
        })
    }

    /// Why a file cannot be sent, with the numbers of it.
    fn refusal(&self, media: &Media, url: &str) -> Option<(What, usize, usize, super::Basis)> {
        let to = self.to;
        if !to.attachments.value {
            return Some((What::MediaAsText, 1, 0, to.attachments.basis));
        }
        let max = to.attachment_max_bytes;
        if let Some(size) = media.size_bytes.filter(|size| *size > max.value) {
            let megabytes = |bytes: u64| usize::try_from(bytes.div_ceil(1_000_000)).unwrap_or(usize::MAX);
            return Some((What::MediaTooLarge, megabytes(size), megabytes(max.value), max.basis));
        }
        let types = to.attachment_types;
        let mime = media.mime.as_deref().map(|mime| mime.split(';').next().unwrap_or_default().trim());
        let ends = media.name.as_deref().and_then(extension).or_else(|| extension(last_segment(url)));
        let is_known = |extension: &str| types.value.iter().any(|of| of.extensions.contains(&extension));
        let is_let_out = match (mime.filter(|mime| !mime.is_empty()), ends) {
            (Some(mime), _) => types.value.iter().any(|of| of.mime.eq_ignore_ascii_case(mime)),
            (None, Some(extension)) => is_known(&extension.to_ascii_lowercase()),
            // An address that does not tell: the bot's word must do.
            (None, None) => media.kind == MediaKind::Image,
        };
        (!is_let_out).then_some((What::MediaRefused, 1, 0, types.basis))
    }

    /// What is said in the place of a file: its own fallback, or caption and address.
    fn in_words(&self, media: &Media, url: &str) -> String {
        if let Some(own) = filled(&media.fallback) {
            return own.to_owned();
        }
        let head = filled(&media.caption).or_else(|| filled(&media.name)).map(str::trim_end);
        match head {
            // Addresses are not read aloud; with nothing else to say, the change about them tells why.
            Some(head) if self.to.style.value == Style::Spoken => head.to_owned(),
            Some(head) if head.contains(url) => head.to_owned(),
            Some(head) => format!("{head}\n{url}"),
            None => url.to_owned(),
        }
    }

    /// A name that is always the same for the same address.
    fn name(&self, media: &Media, url: &str) -> String {
        let segment = text::clean(last_segment(url)).into_owned();
        if extension(&segment).is_some() {
            return segment;
        }
        let word = match media.kind {
            MediaKind::Image => "image",
            MediaKind::Video => "video",
            MediaKind::Audio => "audio",
            MediaKind::File => "file",
        };
        let types = self.to.attachment_types.value;
        let known = types.iter().find(|of| Some(of.mime) == media.mime.as_deref());
        match known.and_then(|of| of.extensions.first()) {
            Some(extension) => format!("{word}.{extension}"),
            None => word.to_owned(),
        }
    }
}

fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text::is_blank(text))
}

/// What stands behind the last slash of an address, without query and fragment; nothing when that is the host.
fn last_segment(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let behind_scheme = path.split_once("://").map_or(path, |(_, rest)| rest);
    behind_scheme.split_once('/').and_then(|(_, path)| path.rsplit('/').next()).unwrap_or_default()
}

/// The end of a name, when it looks like the kind of a file.
fn extension(name: &str) -> Option<&str> {
    let (stem, extension) = name.trim().rsplit_once('.')?;
    let plain = (1..=5).contains(&extension.len()) && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (!stem.is_empty() && plain).then_some(extension)
}

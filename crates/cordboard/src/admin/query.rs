//! The query of an admin call: a few known names with values.

use std::borrow::Cow;

/// A query, as it stands in the address.
#[derive(Clone, Copy)]
pub(super) struct Query<'a>(pub(super) &'a str);

impl<'a> Query<'a> {
    fn pairs(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    fn value(self, name: &str) -> Option<&'a str> {
        self.pairs().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Checks that nothing else is there: a misspelt `dry_run` must not become a real attempt.
    pub(super) fn knows(self, names: &[&str]) -> Result<(), String> {
        if self.pairs().all(|(name, _)| names.contains(&name)) {
            Ok(())
        } else {
            Err(format!("this call takes {} and nothing else", names.join(" and ")))
        }
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.value(name).is_some()
    }

    pub(super) fn text(self, name: &str) -> Option<Cow<'a, str>> {
        self.value(name).map(decoded)
    }

    pub(super) fn number(self, name: &str) -> Result<Option<u64>, String> {
        let number = self.value(name).map(str::parse).transpose();
        number.map_err(|_| format!("{name} is a number"))
    }

    /// A number between 1 and `most`.
    pub(super) fn limit(self, usual: u32, most: u32) -> Result<u32, String> {
        let limit = self.number("limit")?.unwrap_or_else(|| u64::from(usual));
        let limit = u32::try_from(limit).ok().filter(|limit| (1..=most).contains(limit));
        limit.ok_or_else(|| format!("limit lies between 1 and {most}"))
    }

    /// A bare name means yes.
    pub(super) fn flag(self, name: &str) -> Result<Option<bool>, String> {
        match self.value(name) {
            None => Ok(None),
            Some("" | "true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(format!("{name} is true or false")),
        }
    }
}

/// A text as it was meant; one that decodes to no text is taken as it is.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| *byte == b'%') {
            Some(meant) => {
                bytes.push(meant);
                rest = &after[2..];
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// A text as it may stand in an address.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_again() {
        for text in ["plain-1._~", "ein bot/ä%41&b=c", "100%", "%4", "%zz"] {
            assert_eq!(decoded(&encoded(text)), text);
        }
        assert_eq!((decoded("%zz"), decoded("%4"), decoded("%ff")), ("%zz".into(), "%4".into(), "%ff".into()));
    }
}

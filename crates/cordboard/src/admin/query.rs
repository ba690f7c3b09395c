//! The query of an admin call: a few known names with plain values, nothing that needs decoding.

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

    pub(super) fn number(self, name: &str) -> Result<Option<u64>, String> {
        let number = self.value(name).map(str::parse).transpose();
        number.map_err(|_| format!("{name} is a number"))
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

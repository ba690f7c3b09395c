//! What was masked in a customer's words before anybody else saw them.

/// A kind of value that is recognised and masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sensitive {
    /// The number of a payment card.
    Card,
    /// The number of a bank account.
    Iban,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// A secret of a machine: an API key, a signed token.
    Token,
}

impl Sensitive {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Card, Self::Iban, Self::Email, Self::Phone, Self::Token];

    /// The word used in configurations, in journals, and for the value in the text.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Token => "token",
        }
    }
}

/// How many values of a kind were masked in one message. Never the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Masked {
    /// Which kind.
    pub kind: Sensitive,
    /// How many.
    pub count: u32,
}

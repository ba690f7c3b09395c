//! Enumerations whose spellings the platform may extend.

/// Declares an enumeration of exact spellings with an arm for all others.
///
/// Writing uses exactly the spelling given. Reading compares without case and never fails: whatever is no known
/// spelling is `Other`, with the text as it came, or empty when it was no text.
macro_rules! spellings {
    ($(#[$about:meta])* pub enum $name:ident { $($(#[$note:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$note])* $variant,)+
            /// A spelling this crate does not know, as it was read. Written back unchanged.
            Other(String),
        }

        impl $name {
            /// Every spelling known to this crate.
            pub const KNOWN: &'static [$name] = &[$($name::$variant),+];

            /// The spelling on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $text,)+
                    $name::Other(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text.trim() {
                    $(known if known.eq_ignore_ascii_case($text) => $name::$variant,)+
                    _ => $name::Other(text.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = crate::cloud::lenient::text(deserializer)?;
                Ok(text.as_deref().map_or_else(|| $name::Other(String::new()), $name::from))
            }
        }
    };
}

pub(crate) use spellings;

//! The small readers: what stands in one value of a header, a member or a key.

use genesys::cloud::bot_connector::Decimal;
use genesys::cloud::entity::{EntityType, Money};
use genesys::cloud::error::parse_retry_after;
use genesys::cloud::region::Region;

use crate::bytes::text;

/// A region, a number, an amount, a time to wait, an entity of any type.
///
/// # Panics
/// When one of them is read otherwise than it is written.
pub fn words(data: &[u8]) -> &'static str {
    let Some(text) = text(data) else { return "no text" };
    let wait = parse_retry_after(text);
    let decimal = Decimal::new(text);
    if let Some(decimal) = &decimal {
        assert_eq!(decimal.as_str(), text, "a decimal keeps its digits");
        assert!(serde_json::from_str::<serde_json::Number>(text).is_ok(), "a decimal is a number of JSON: {text}");
    }
    let money = Money::read(text);
    let (name, value) = text.split_once(' ').unwrap_or(("String", text));
    if let Ok(kind) = serde_json::from_value::<EntityType>(name.into()) {
        let _taken = kind.element().accepts(value);
    }
    match Region::parse(text) {
        Ok(region) => {
            assert_eq!(Region::parse(region.domain()), Ok(region));
            assert_eq!(Region::parse(region.aws_region()), Ok(region));
            "a region"
        }
        Err(unknown) => {
            assert!(unknown.to_string().len() < 4_000, "a refusal that fits on a screen");
            match (decimal.is_some() || money.is_some(), wait.is_some()) {
                (_, true) => "a time",
                (true, _) => "a number",
                (false, false) => "nothing",
            }
        }
    }
}

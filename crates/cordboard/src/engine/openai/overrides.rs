//! What a flow may set for a turn, as far as the configuration lets it: session variables named `llm_…`. A value that is
//! not valid is passed over and reported as a cut, so that a mistake in a flow costs no turn.

use std::collections::BTreeSet;

use model::Attributes;

use super::config::{Override, is_model, is_temperature};

/// Session variables with this beginning are the flow's word; a model cannot set them as attributes.
const PREFIX: &str = "llm_";
/// More is not asked of a model in one call, whatever a flow says.
const OUTPUT_MAX_TOKENS: u32 = 100_000;

/// Whether a variable is the flow's to set, whatever its name is cleaned of later.
pub(super) fn is_the_flows(name: &str) -> bool {
    let mut visible = name.chars().filter(|character| !character.is_control() && !character.is_whitespace());
    PREFIX.chars().all(|letter| visible.next().is_some_and(|character| character.eq_ignore_ascii_case(&letter)))
}

/// What a flow set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Overrides<'a> {
    pub(super) model: Option<&'a str>,
    pub(super) temperature: Option<f64>,
    pub(super) max_output_tokens: Option<u32>,
    pub(super) prompt: Option<&'a str>,
    /// Whether something was passed over.
    pub(super) passed_over: bool,
}

impl<'a> Overrides<'a> {
    /// Reads them. `cap` is the configured limit of a call, which a flow may lower; `is_variant` knows the prompts.
    pub(super) fn of(
        context: &'a Attributes,
        allowed: &BTreeSet<Override>,
        cap: Option<u32>,
        is_variant: impl Fn(&str) -> bool,
    ) -> Self {
        let mut read = Self::default();
        for one in allowed {
            let name = match one {
                Override::Model => "llm_model",
                Override::Temperature => "llm_temperature",
                Override::MaxOutputTokens => "llm_max_output_tokens",
                Override::Prompt => "llm_prompt",
            };
            // A flow's variable that was never set is there and empty.
            let Some(value) = context.get(name).map(|value| value.trim()).filter(|value| !value.is_empty()) else {
                continue;
            };
            let taken = match one {
                Override::Model => {
                    read.model = Some(value).filter(|name| is_model(name));
                    read.model.is_some()
                }
                Override::Temperature => {
                    read.temperature = value.parse().ok().filter(|value| is_temperature(*value));
                    read.temperature.is_some()
                }
                Override::MaxOutputTokens => {
                    let tokens = value.parse::<u32>().ok().filter(|tokens| *tokens > 0);
                    read.max_output_tokens = tokens.map(|tokens| tokens.min(cap.unwrap_or(OUTPUT_MAX_TOKENS)));
                    read.max_output_tokens.is_some()
                }
                Override::Prompt => {
                    read.prompt = Some(value).filter(|name| is_variant(name));
                    read.prompt.is_some()
                }
            };
            read.passed_over |= !taken;
        }
        read
    }
}

//! What a shadow found, from the running gateway or from the store when none runs.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::admin::view::ShadowView;
use crate::command::Failed;
use crate::command::at_hand::{AtHand, utc};
use crate::words::some;

/// What was found of one bot at one connector.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Shadow {
    /// How many answers were compared.
    pub(super) compared: u64,
    /// The rest, by kind.
    pub(super) found: Vec<ShadowView>,
}

/// Nothing before a server ran.
pub(super) async fn found(data_dir: &Path, connector: &str, bot: &str) -> Result<Option<Shadow>, Failed> {
    if !data_dir.exists() {
        return Ok(None);
    }
    let views = match AtHand::of(data_dir).await? {
        AtHand::Running(client) => client.shadows().await.map_err(Failed::because)?.shadows,
        AtHand::Resting(store, _) => {
            store.shadows().await.map_err(Failed::because)?.iter().map(ShadowView::from).collect()
        }
    };
    Ok(Some(Shadow::of(views.into_iter().filter(|view| view.connector == connector && view.bot == bot))))
}

impl Shadow {
    pub(super) fn of(views: impl Iterator<Item = ShadowView>) -> Self {
        let mut shadow = Self { compared: 0, found: Vec::new() };
        for view in views {
            if view.found == "compared" {
                shadow.compared = view.answers;
            } else {
                shadow.found.push(view);
            }
        }
        shadow
    }
}

impl fmt::Display for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let differ = self.found.iter().any(|view| view.found != "late");
        let verdict = if differ { "what differs" } else { "none differs in what it says" };
        let colon = if self.found.is_empty() { "" } else { ":" };
        writeln!(f, "  {} compared; {verdict}{colon}", some(self.compared, "answer"))?;
        for ShadowView { found, answers, latest_ms, conversation, item, .. } in &self.found {
            let what = match found.as_str() {
                "late" => "came late, and would have been acknowledged and pushed",
                "messages" => "differ in a text",
                "rich_content" => "differ in rich content",
                "end" => "end otherwise",
                "slots" => "differ in the slots of their end",
                "parameters" => "differ in output variables",
                "failed" => "could not be compared, by a defect of Cordboard: please report it",
                other => other,
            };
            let message = if *item > 0 { format!(", message {item}") } else { String::new() };
            writeln!(f, "  {answers} {what} (last {}, conversation {conversation}{message})", utc(*latest_ms))?;
        }
        Ok(())
    }
}

//! What platforms know of the bots, by what the store keeps of it: whether each declares under its version what published
//! flows may hold.

use model::OrgKey;

use super::Check;
use crate::config::Config;
use crate::registration::drift::{State, examine as compare};
use crate::registration::known_at;

const CHECK: &str = "manifest";

/// One check for each bot at each connector.
pub(super) async fn examine(config: &Config, org: Option<&OrgKey>) -> Vec<Check> {
    let known = match known_at(&config.server.data_dir).await {
        Ok(known) => known.unwrap_or_default(),
        Err(error) => {
            let found = format!("what Genesys knows of the bots cannot be told: {error}");
            return vec![Check::skipped(CHECK, "bots", found)];
        }
    };
    let asked =
        config.connectors.iter().filter(|(_, integration)| org.is_none_or(|org| integration.connector().org() == org));
    let check = |finding: &crate::registration::drift::Finding| {
        let subject = format!("bots.{}", finding.bot);
        match &finding.state {
            State::InOrder { .. } => Check::ok(CHECK, subject, finding.found()),
            State::Unknown { .. } => {
                Check { next_step: Some(finding.next_step()), ..Check::skipped(CHECK, subject, finding.found()) }
            }
            State::Changed { .. } | State::ChangedBefore { .. } => {
                Check::warning(CHECK, subject, finding.found(), finding.next_step())
            }
        }
    };
    compare(asked, &known).iter().map(check).collect()
}

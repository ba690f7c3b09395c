//! Calls that found no door. Mostly the address in the platform's integration differs a little from the path here, and
//! whoever set it up sees nothing but a 404: so the log says which path it should be. It says so seldom, since anybody
//! can call.

use genesys::cloud::digital_bot_connector::{BOTS_PATH, MESSAGES_PATH};
use http::request::Parts;
use model::Timestamp;

use super::platform::Mount;
use crate::http::ClientAddress;
use crate::http::seldom::Seldom;

const SHOWN_MAX_CHARS: usize = 200;

/// Tells of calls that found no door.
#[derive(Default)]
pub(super) struct Astray {
    nearly: Seldom,
    strangers: Seldom,
}

impl Astray {
    /// Tells of a call that no connector took, or that one took and has no such path.
    pub(super) fn tell(&self, head: &Parts, mounts: &[Mount], now: Timestamp) {
        let (method, path) = (&head.method, head.uri.path());
        let client = ClientAddress::of(head).map(tracing::field::display);
        let shown: String = path.chars().take(SHOWN_MAX_CHARS).collect();
        match mounts.iter().find_map(|mount| Some((mount, slip(path, mount)?))) {
            Some((mount, slip)) => {
                if let Some(left_out) = self.nearly.tell(now) {
                    tracing::warn!(
                        connector = %mount.key(), %method, path = shown, client, left_out,
                        "a call found nothing (404), because {slip}; the address in the platform's integration must end in {}",
                        mount.base()
                    );
                }
            }
            None => {
                if let Some(left_out) = self.strangers.tell(now) {
                    tracing::info!(%method, path = shown, client, left_out, "a call to a path that nobody serves (404)");
                }
            }
        }
    }
}

/// What an operator is told about a call that found no door.
pub(super) fn advice(path: &str, mounts: &[Mount]) -> String {
    match mounts.iter().find_map(|mount| Some((mount, slip(path, mount)?))) {
        Some((mount, slip)) => {
            format!("{slip}; the address in the platform's integration must end in {}", mount.base())
        }
        None => {
            let doors: Vec<String> =
                mounts.iter().map(|mount| format!("{} at {}", mount.key(), mount.base())).collect();
            format!("nobody serves this path; there are: {}", doors.join(", "))
        }
    }
}

/// What is wrong with a path that is nearly one of a mount's.
fn slip(path: &str, mount: &Mount) -> Option<&'static str> {
    let tidy = tidy(path);
    let lower = tidy.to_ascii_lowercase();
    let appended = |path: &str| {
        [MESSAGES_PATH, BOTS_PATH].iter().any(|end| path.strip_suffix(end).is_some_and(|path| mount.leads(path)))
    };
    if mount.leads(&tidy) {
        Some("it has a slash too many")
    } else if mount.leads_in_lower_case(&lower) {
        Some("upper and lower case letters count")
    } else if appended(&tidy) && mount.is_v1() {
        Some("a Bot Connector (v1) is called at its address itself, so the integration may be one of the other kind")
    } else if appended(&tidy) {
        Some("the platform appends `/messages` and `/bots` by itself, and they stand in the address already")
    } else if mount.rest_of(&tidy).is_some() {
        Some("this connector has nothing at that path")
    } else {
        None
    }
}

/// Without empty segments and without a slash at its end.
fn tidy(path: &str) -> String {
    path.split('/').filter(|segment| !segment.is_empty()).flat_map(|segment| ["/", segment]).collect()
}

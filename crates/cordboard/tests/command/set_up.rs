//! Configurations that several stories begin with.

use std::path::Path;

use crate::called::file;

/// A gateway on a free port, with a data folder of its own and the simulator as its org; a bot's script lies beside it.
pub(crate) fn head(folder: &Path, simulator: &str) -> String {
    let bot = "[default]\nsay = \"You said {input}.\"\n[[rules]]\nwhen.words = \"think\"\nthen.delay_ms = 2000\nthen.say = \"I thought about it.\"\n";
    file(folder, "bot.toml", bot);
    format!(
        r#"version = 1
[server]
listen = "127.0.0.1:0"
data_dir = "data"
drain_ms = 300
grace_ms = 500
[orgs.acme]
api_url = "{simulator}"
login_url = "{simulator}"
client_id = "simulated-client"
client_secret = "simulated-secret"
requests_per_minute = 6000
"#
    )
}

/// A gateway with a bot that thinks for two seconds. Its soft deadline lies far behind, so that stopping is what ends
/// the waits.
pub(crate) fn gateway_file(folder: &Path, simulator: &str) -> String {
    let doors = r#"[connectors.web]
type = "digital_bot_connector"
org = "acme"
path = "/genesys"
credentials = { x-key = "a-secret-of-some-length" }
soft_deadline_ms = 20000
[bots.thinker]
[bots.thinker.engine]
type = "script"
file = "bot.toml"
"#;
    file(folder, "cordboard.toml", &(head(folder, simulator) + doors))
}

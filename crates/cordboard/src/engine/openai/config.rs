//! The configuration of a bot behind a language model.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use http::{HeaderName, HeaderValue, Uri};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::prompt::{self, Prompt};
use crate::config::SecretText;
use crate::engine::limits::Limits;
use crate::engine::webhook::optional_secret;

/// OpenAI's own server.
pub(super) const OPENAI: &str = "https://api.openai.com/v1";
/// What the gateway itself writes into a request; `extra` cannot say it.
const OURS: [&str; 7] = ["messages", "input", "instructions", "model", "stream", "tools", "tool_choice"];
/// An organisation's or a project's name is a short word.
const NAME_MAX_CHARS: usize = 200;

/// How a language model is reached, and what it may do.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server, without the path of a call: OpenAI's, or any that speaks as it does (vLLM, llama.cpp, Ollama, LiteLLM,
    /// Azure). Default `"https://api.openai.com/v1"`.
    #[serde(default = "openai")]
    pub base_url: String,
    /// Which of the two forms the server is asked in. Nearly every server knows "chat_completions"; OpenAI has "responses"
    /// besides. Default "chat_completions".
    #[serde(default)]
    pub api: Api,
    /// The model, as the server calls it.
    pub model: String,
    /// Sent as `Authorization: Bearer …`. OpenAI wants one; a server of your own may not. Default: none.
    #[serde(default, deserialize_with = "optional_secret")]
    #[schemars(with = "Option<SecretText>")]
    pub api_key: Option<SecretString>,
    /// Sent as `OpenAI-Organization`. Default: none.
    #[serde(default)]
    pub organization: Option<String>,
    /// Sent as `OpenAI-Project`. Default: none.
    #[serde(default)]
    pub project: Option<String>,
    /// What the model is told to be: a Markdown file of at most 64 KiB, relative to the folder of the configuration file. In
    /// it stand for what is known in each turn: `{{language}}`, `{{channel}}`, `{{bot}}`, `{{attributes.NAME}}`.
    pub prompt: PathBuf,
    /// Prompts for languages that want their own, by tag in lower case: `de` serves `de-de` too. Default: none.
    #[serde(default)]
    pub prompts: BTreeMap<String, PathBuf>,
    /// Prompts that a flow can choose by name, when `overrides` has "prompt". Default: none.
    #[serde(default)]
    pub variants: BTreeMap<String, PathBuf>,
    /// How freely the model chooses its words, 0 to 2. Default: not sent, so the server's own.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// Tokens that the model may write in one call, 1 to 100000. Default: not sent, so the server's own.
    #[serde(default)]
    pub max_output_tokens: Option<u32>,
    /// Whether the server sends its answer while the model writes. Then a model that never begins is noticed early. Default
    /// true.
    #[serde(default = "yes")]
    pub stream: bool,
    /// What the customer gets while the model still writes: "whole" waits for the end; "paragraphs" says each paragraph when
    /// it is finished, wants `stream`, and makes that a call is not repeated of which a paragraph was said. Default "whole".
    #[serde(default)]
    pub deliver: Deliver,
    /// How long a stream may take to begin, in milliseconds, 100 to 600000. Default 20000.
    #[serde(default = "first_token_timeout_ms")]
    pub first_token_timeout_ms: u64,
    /// How long a stream may pause, in milliseconds, 100 to 600000. Default 10000.
    #[serde(default = "idle_timeout_ms")]
    pub idle_timeout_ms: u64,
    /// How much of the conversation the model reads, in tokens, 0 to 16000; 0 is nothing. They are estimated, one for
    /// every three bytes, which is more than most models count. Default 4000.
    #[serde(default = "history_max_tokens")]
    pub history_max_tokens: u32,
    /// Whether the model summarises what no longer fits, in a call of its own, now and then. Otherwise it is only told that
    /// something is left out. Default true.
    #[serde(default = "yes")]
    pub summary: bool,
    /// What the model can do besides talking. Default ["hand_over", "end", "set_attributes", "offer_choices", "show_card",
    /// "show_carousel", "report_intent"].
    #[serde(default = "Tool::all")]
    pub tools: BTreeSet<Tool>,
    /// How often the model is called in one turn, 1 to 10, when it uses tools and says nothing. Default 4.
    #[serde(default = "max_tool_rounds")]
    pub max_tool_rounds: u32,
    /// What a flow may set for its turns, in session variables: "model" in `llm_model`, "temperature" in `llm_temperature`,
    /// "max_output_tokens" in `llm_max_output_tokens`, "prompt" (the name of a variant) in `llm_prompt`. A value that is not
    /// valid is passed over. Default: nothing.
    #[serde(default)]
    pub overrides: BTreeSet<Override>,
    /// What becomes of a turn that the model refuses or a content filter stops: "say" what it says of that, or "hand_over"
    /// to a human. Default "hand_over".
    #[serde(default)]
    pub on_refusal: OnRefusal,
    /// What the model is told when the flow lets the bot speak first. Default: none; then the greeting of the texts is said,
    /// without asking the model.
    #[serde(default)]
    pub opening: Option<String>,
    /// More members for the body of each request, for servers that want them. Default: none.
    #[serde(default)]
    pub extra: BTreeMap<String, Value>,
    /// What an answer may hold at most. Of a stream, 16 times `reply_max_bytes` are read, since its events are many times
    /// longer than their words.
    #[serde(default)]
    pub limits: Limits,
}

fn openai() -> String {
    OPENAI.to_owned()
}

const fn yes() -> bool {
    true
}

const fn first_token_timeout_ms() -> u64 {
    20_000
}

const fn idle_timeout_ms() -> u64 {
    10_000
}

const fn history_max_tokens() -> u32 {
    4_000
}

const fn max_tool_rounds() -> u32 {
    4
}

/// See [`Config::api`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// `POST /chat/completions`.
    #[default]
    ChatCompletions,
    /// `POST /responses`.
    Responses,
}

impl Api {
    /// What is called below the server's address.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/chat/completions",
            Self::Responses => "/responses",
        }
    }
}

/// See [`Config::deliver`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deliver {
    /// At the end.
    #[default]
    Whole,
    /// Each paragraph when it is finished.
    Paragraphs,
}

/// See [`Config::on_refusal`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnRefusal {
    /// The model's own words; where it has none, the turn has failed.
    Say,
    /// A human takes over.
    #[default]
    HandOver,
}

/// What a model can do besides talking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// Ask for a human.
    HandOver,
    /// End the bot's part of the conversation.
    End,
    /// Set attributes for the flow and for agents.
    SetAttributes,
    /// Offer answers to tap.
    OfferChoices,
    /// Show a card.
    ShowCard,
    /// Show cards side by side.
    ShowCarousel,
    /// Report what the customer wants, with the details that were found.
    ReportIntent,
}

impl Tool {
    pub(super) const ALL: [Self; 7] = [
        Self::HandOver,
        Self::End,
        Self::SetAttributes,
        Self::OfferChoices,
        Self::ShowCard,
        Self::ShowCarousel,
        Self::ReportIntent,
    ];

    fn all() -> BTreeSet<Self> {
        Self::ALL.into()
    }

    /// Its name, here and on the wire.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::HandOver => "hand_over",
            Self::End => "end",
            Self::SetAttributes => "set_attributes",
            Self::OfferChoices => "offer_choices",
            Self::ShowCard => "show_card",
            Self::ShowCarousel => "show_carousel",
            Self::ReportIntent => "report_intent",
        }
    }
}

/// What a flow may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Override {
    /// The model.
    Model,
    /// The temperature.
    Temperature,
    /// The tokens of one call.
    MaxOutputTokens,
    /// The prompt, by the name of a variant.
    Prompt,
}

/// What is wrong with a configuration. Never quotes a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key has a value that cannot be used.
    #[error("{key}: {what}")]
    Key {
        /// Which.
        key: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// A prompt cannot be used.
    #[error("{key}: {}: {source}", path.display())]
    Prompt {
        /// Which key names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: prompt::Error,
    },
}

fn wrong<T>(key: &'static str, what: impl Into<String>) -> Result<T, Error> {
    Err(Error::Key { key, what: what.into() })
}

/// Every prompt of a bot.
#[derive(Debug)]
pub(super) struct Prompts {
    pub(super) usual: Prompt,
    pub(super) by_language: BTreeMap<String, Prompt>,
    pub(super) variants: BTreeMap<String, Prompt>,
}

impl Config {
    /// Every file that it names, with the key that names it.
    pub(in crate::engine) fn files(&self) -> Vec<(String, &Path)> {
        let mut files = vec![("prompt".to_owned(), self.prompt.as_path())];
        for (table, named) in [("prompts", &self.prompts), ("variants", &self.variants)] {
            files.extend(named.iter().map(|(name, file)| (format!("{table}.{name}"), file.as_path())));
        }
        files
    }

    /// Compares the values with their ranges and with each other.
    pub(super) fn check(&self) -> Result<(), Error> {
        let ranges: [(&'static str, u64, u64, u64); 5] = [
            ("max_output_tokens", self.max_output_tokens.unwrap_or(1).into(), 1, 100_000),
            ("first_token_timeout_ms", self.first_token_timeout_ms, 100, 600_000),
            ("idle_timeout_ms", self.idle_timeout_ms, 100, 600_000),
            ("history_max_tokens", self.history_max_tokens.into(), 0, 16_000),
            ("max_tool_rounds", self.max_tool_rounds.into(), 1, 10),
        ];
        for (key, value, least, most) in ranges {
            if value < least || value > most {
                return wrong(key, format!("it lies between {least} and {most}"));
            }
        }
        if !is_model(&self.model) {
            return wrong("model", "a model's name is 1 to 200 visible characters without spaces");
        }
        if self.temperature.is_some_and(|temperature| !is_temperature(temperature)) {
            return wrong("temperature", "it lies between 0 and 2");
        }
        if self.deliver == Deliver::Paragraphs && !self.stream {
            return wrong(
                "deliver",
                "\"paragraphs\" are known early only in a stream; set `stream = true`, or \"whole\"",
            );
        }
        if self.opening.as_ref().is_some_and(|opening| opening.trim().is_empty()) {
            return wrong("opening", "it is empty; say what the model shall do first, or leave it out");
        }
        if let Some(key) = self.extra.keys().find(|key| OURS.contains(&key.as_str())) {
            return wrong("extra", format!("the gateway itself writes `{key}`; leave it out here"));
        }
        if self.overrides.contains(&Override::Prompt) && self.variants.is_empty() {
            return wrong("overrides", "\"prompt\" chooses among `variants`, and there are none; add one");
        }
        Ok(())
    }

    /// The address that is called.
    pub(super) fn address(&self) -> Result<String, Error> {
        let url = self.base_url.trim_end_matches('/');
        let uri: Uri = match url.parse() {
            Ok(uri) => uri,
            Err(_) => return wrong("base_url", "this is not an address"),
        };
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return wrong("base_url", "an address starts with https:// or http://");
        }
        let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
            return wrong("base_url", "the address has no host");
        };
        if authority.as_str().contains('@') {
            return wrong("base_url", "credentials do not belong in the address; use `api_key`");
        }
        if url.contains(['?', '#']) {
            return wrong("base_url", "a server's address has no query (`?…`) and no fragment (`#…`)");
        }
        for api in [Api::ChatCompletions, Api::Responses] {
            if let Some(server) = url.strip_suffix(api.path()) {
                return wrong("base_url", format!("leave out {}, the gateway adds it: write \"{server}\"", api.path()));
            }
        }
        if self.api_key.is_none() && self.is_openai() {
            return wrong("api_key", "OpenAI answers nobody without a key; write `api_key = \"${OPENAI_API_KEY}\"`");
        }
        Ok(format!("{url}{}", self.api.path()))
    }

    /// Whether it is OpenAI's own server, whose newer models know the limit of a call by another name.
    pub(super) fn is_openai(&self) -> bool {
        self.host().as_deref() == Some("api.openai.com")
    }

    /// Whether it is OpenAI's models at Azure, which know the same name.
    pub(super) fn is_azure(&self) -> bool {
        self.host().is_some_and(|host| host.ends_with(".openai.azure.com"))
    }

    fn host(&self) -> Option<String> {
        self.base_url.parse::<Uri>().ok()?.host().map(str::to_ascii_lowercase)
    }

    /// The headers that say who asks.
    pub(super) fn identity(&self) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
        let mut headers = Vec::new();
        if let Some(key) = &self.api_key {
            let key = key.expose_secret();
            if key.is_empty() {
                return wrong("api_key", "it is empty; is the variable set that it comes from?");
            }
            let value = HeaderValue::try_from(format!("Bearer {key}"));
            let Some(mut value) = value.ok().filter(|_| key.bytes().all(|byte| byte.is_ascii_graphic())) else {
                return wrong(
                    "api_key",
                    "a key is visible ASCII characters without spaces, and without the word Bearer",
                );
            };
            value.set_sensitive(true);
            headers.push((http::header::AUTHORIZATION, value));
        }
        let names =
            [("organization", &self.organization, "openai-organization"), ("project", &self.project, "openai-project")];
        for (key, name, header) in names {
            let Some(name) = name else { continue };
            let fine =
                !name.is_empty() && name.len() <= NAME_MAX_CHARS && name.bytes().all(|byte| byte.is_ascii_graphic());
            match HeaderValue::try_from(name.as_str()) {
                Ok(value) if fine => headers.push((HeaderName::from_static(header), value)),
                _ => return wrong(key, "it is visible ASCII characters without spaces"),
            }
        }
        Ok(headers)
    }

    /// Reads every prompt.
    pub(super) fn load_prompts(&self, folder: &Path) -> Result<Prompts, Error> {
        let load = |key: &'static str, file: &PathBuf| {
            let path = folder.join(file);
            Prompt::load(&path).map_err(|source| Error::Prompt { key, path, source })
        };
        let mut prompts =
            Prompts { usual: load("prompt", &self.prompt)?, by_language: BTreeMap::new(), variants: BTreeMap::new() };
        for (language, file) in &self.prompts {
            if !crate::config::is_language(language) || language.chars().any(char::is_uppercase) {
                let what = format!("`{language}` is no language; write a tag in lower case, such as de or pt-br");
                return wrong("prompts", what);
            }
            prompts.by_language.insert(language.clone(), load("prompts", file)?);
        }
        for (name, file) in &self.variants {
            prompts.variants.insert(name.clone(), load("variants", file)?);
        }
        Ok(prompts)
    }
}

/// Whether this can be a model's name.
pub(super) fn is_model(name: &str) -> bool {
    (1..=NAME_MAX_CHARS).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether this can be a temperature.
pub(super) fn is_temperature(temperature: f64) -> bool {
    (0.0..=2.0).contains(&temperature)
}

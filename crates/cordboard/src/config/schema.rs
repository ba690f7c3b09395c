//! The JSON Schema of the configuration file, made from the types that read it. Editors, the reference and the effective
//! values use it; what is right and wrong is decided by the types and by [`super::check`], not by the schema.
//!
//! A table that is new in the file gets a member in [`File`]; everything else follows from the types.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

use super::bot::BotTable;
use super::network::Outgoing;
use super::server::Server;
use super::texts::TextsConfig;
use crate::connector::registry::ConnectorConfig;
use crate::org::OrgConfig;

/// Where the schema lies, for editors.
const ID: &str = "https://raw.githubusercontent.com/cordboard/cordboard/main/docs/reference/configuration.schema.json";

/// The whole file.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "it is read table by table; see `Written`")]
struct File {
    /// The version of the file's form, 1.
    #[schemars(extend("const" = 1))]
    version: u8,
    /// Where the gateway listens, where it keeps its data, and how it stops.
    #[serde(default)]
    server: Server,
    /// Every call that Cordboard makes, to the platform and to engines.
    #[serde(default)]
    outgoing: Outgoing,
    /// The instances of Genesys Cloud.
    orgs: BTreeMap<String, OrgConfig>,
    /// The integrations of the orgs.
    connectors: BTreeMap<String, ConnectorConfig>,
    /// The bots.
    bots: BTreeMap<String, BotTable>,
    /// What the gateway itself says, by language, for every bot that does not say it otherwise. English and German are
    /// built in. Default: no table.
    #[serde(default)]
    texts: BTreeMap<String, TextsConfig>,
}

/// A text that is a secret: it is never shown.
pub(crate) struct SecretText;

impl JsonSchema for SecretText {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

/// The schema of the configuration file.
#[must_use]
pub(crate) fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(made);
    &SCHEMA
}

fn made() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<File>().to_value();
    tidy(&mut schema);
    if let Value::Object(root) = &mut schema {
        root.insert("$id".to_owned(), ID.into());
        root.insert("title".to_owned(), "Configuration of Cordboard".into());
    }
    schema
}

/// TOML has no null, a description is one paragraph, and widths of integers are no business of the file's.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("default") == Some(&Value::Null) {
                members.remove("default");
            }
            for name in ["format", "title"] {
                if members.get(name).is_some_and(Value::is_string) {
                    members.remove(name);
                }
            }
            without_null(members);
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = text.split_whitespace().collect::<Vec<&str>>().join(" ");
            }
            members.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn without_null(members: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            members.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(choices)) = members.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        members.remove("anyOf");
        for (name, value) in only {
            members.entry(name).or_insert(value);
        }
    }
}

/// The schema of a value that may be written in several ways: by its `type` where it has one, else by its kind.
pub(crate) fn chosen<'s>(schema: &'s Value, value: &Value) -> Option<&'s Value> {
    let ways = schema.get("oneOf").or_else(|| schema.get("anyOf"))?.as_array()?;
    ways.iter().find(|way| {
        match (way.pointer("/properties/type/const"), way.get("type").and_then(Value::as_str), value) {
            (Some(kind), _, value) => value.get("type") == Some(kind),
            (None, Some("string"), Value::String(_)) => way.get("const").is_none(),
            (None, Some("array"), Value::Array(_)) | (None, Some("object"), Value::Object(_)) => true,
            _ => false,
        }
    })
}

/// The schema of a table's member.
pub(crate) fn member<'s>(schema: &'s Value, name: &str) -> Option<&'s Value> {
    let named = schema.get("properties").and_then(|members| members.get(name));
    named.or_else(|| schema.get("additionalProperties").filter(|of| of.is_object()))
}

/// Whether a member is a table whose keys all have defaults. One with a key that is needed is there only when it is written.
pub(crate) fn is_optional_table(schema: &Value, name: &str) -> bool {
    let needed = |schema: &Value| schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    member(schema, name).is_some_and(|of| of.get("properties").is_some() && needed(of).is_empty())
        && needed(schema).iter().all(|one| one != name)
}

/// The default of a key: the type's own, or else the literal in the last sentence of its description.
pub(crate) fn default_of(schema: &Value) -> Option<Value> {
    if let Some(default) = schema.get("default") {
        return Some(default.clone());
    }
    let (_, sentence) = schema.get("description")?.as_str()?.rsplit_once("Default ")?;
    let literal = sentence.strip_suffix('.')?;
    let table: toml::Table = toml::from_str(&format!("value = {literal}")).ok()?;
    serde_json::to_value(table.get("value")?).ok()
}

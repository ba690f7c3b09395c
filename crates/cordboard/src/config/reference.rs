//! `docs/reference/configuration.md`, made of the schema: what the doc comments of the configuration's types say. The order
//! is that of the commented default file.

use serde_json::Value;

use super::{INIT, schema};

const INTRODUCTION: &str = "\
<!-- Made of the program's types. Renew it with UPDATE_REFERENCE=1 cargo nextest run -p cordboard -E 'test(reference)' -->

# Configuration

One TOML file. `cordboard config init` writes one with every key and its default; `cordboard check --config FILE` reads it
and names every mistake with line and column; a key that is not listed here is one. Editors check it by the
[JSON Schema](configuration.schema.json). [`examples/cordboard.toml`](../../examples/cordboard.toml) is a short one.

| In a text | Means |
|---|---|
| `${NAME}` | the environment variable; one that is not set is a mistake |
| `${NAME:-text}` | the text when the variable is not set, or empty |
| `${NAME:?message}` | the message is said when it is not set, or empty |
| `${file:/path}` | what is in the file; a relative path starts at the folder of the configuration |
| `$$` | a dollar sign |

A default and a path may hold variables: `${file:${CREDENTIALS_DIRECTORY}/genesys}` is a credential of systemd,
`${file:/run/secrets/genesys}` a secret of Docker or a mounted one of Kubernetes. Values are put into texts that are parsed
already: a value can never add a key or end a quotation. A value is one line; a line break at its end is a mistake and not
taken away, since other programs would send it along. Where a command needs no secrets, a variable that is not set is none:
those of orgs and connectors for `test` and `bots`, all of them for `dead-letters` and `reload`.

The keys of tables (`KEY` below) are stable ids of 1 to 64 letters, digits, hyphens and underscores. Conversations are
stored under them: renaming one parts it from its conversations.

## Reload

`cordboard reload --config FILE`, or SIGHUP, reads the file again, and with it the files that it names. A good one takes the
place of the old one at once; with a bad one everything stays as it is, and the mistakes are said. Conversations go on: what
is under way ends with what it began with. Orgs, connectors, bots and their texts, and of `[server]` the keys `public_url`,
`body_max_kb`, `drain_ms` and `grace_ms`, are put into effect; every other key needs a restart, and is named. Environment
variables are those of the process and do not change, so a secret that is rotated without a restart stands in a file.

## The gateway's own paths

Besides the connectors' paths the gateway answers `/healthz` (200 while it serves), `/readyz` (503 while it stops, or when
the store does not answer or takes no messages) and `/v1/engine/…` (engines' callbacks). No connector may lie on or below
them, or another's path.
";

/// The page.
pub(super) fn page() -> String {
    let mut page = Page { text: INTRODUCTION.to_owned(), seen: Vec::new() };
    let schema = schema::schema();
    let (tables, keys): (Vec<_>, Vec<_>) = members(schema).into_iter().partition(|(_, of)| !is_plain(of));
    page.text.push_str("\n## The file\n");
    page.rows(schema, &keys);
    for (name, of) in tables {
        page.table(name, of, 2);
    }
    page.text
}

struct Page {
    text: String,
    seen: Vec<String>,
}

impl Page {
    /// A table of the file: its keys, and the tables below it.
    fn table(&mut self, path: &str, schema: &Value, depth: usize) {
        if let Some(entry) = schema.get("additionalProperties").filter(|entry| entry.is_object()) {
            return self.section(&format!("[{path}.KEY]"), &format!("{path}.KEY"), entry, schema, depth);
        }
        match schema.get("items") {
            Some(item) => self.section(&format!("[[{path}]]"), path, item, schema, depth),
            None => self.section(&format!("[{path}]"), path, schema, schema, depth),
        }
    }

    fn section(&mut self, title: &str, path: &str, schema: &Value, about: &Value, depth: usize) {
        if self.seen.iter().any(|seen| seen == title) {
            return;
        }
        self.seen.push(title.to_owned());
        self.text.push_str(&format!("\n{} `{title}`\n\n{}\n", "#".repeat(depth), without_default(description(about))));
        let mut below = Vec::new();
        if let Some(kinds) = schema.get("oneOf").and_then(Value::as_array) {
            for kind in kinds {
                let name = kind.pointer("/properties/type/const").and_then(Value::as_str).unwrap_or_default();
                self.text.push_str(&format!("\n`type = \"{name}\"`: {}\n", description(kind)));
                below.extend(self.keys_of(kind));
            }
        }
        below.extend(self.keys_of(schema));
        for (name, of) in below {
            self.table(&format!("{path}.{name}"), of, (depth + 1).min(4));
        }
    }

    /// Writes the plain keys, and gives the tables.
    fn keys_of<'s>(&mut self, schema: &'s Value) -> Vec<(&'s str, &'s Value)> {
        let (tables, keys): (Vec<_>, Vec<_>) = members(schema).into_iter().partition(|(_, of)| !is_plain(of));
        self.rows(schema, &keys);
        tables
    }

    fn rows(&mut self, schema: &Value, keys: &[(&str, &Value)]) {
        if keys.is_empty() {
            return;
        }
        self.text.push_str("\n| Key | Default | Means |\n|---|---|---|\n");
        let required = schema.get("required").and_then(Value::as_array);
        for (name, of) in keys {
            let needed = required.is_some_and(|required| required.iter().any(|one| one == name));
            let default = if needed { "–".to_owned() } else { shown_default(of) };
            let means = match of.get("const").filter(|_| *name == "type") {
                Some(only) => format!("`{only}`"),
                None => means(of),
            };
            self.text.push_str(&format!("| `{name}` | {default} | {means} |\n"));
        }
    }
}

/// A table's members in the order of the commented default file.
fn members(schema: &Value) -> Vec<(&str, &Value)> {
    let members = schema.get("properties").and_then(Value::as_object);
    let mut members: Vec<(&str, &Value)> =
        members.into_iter().flatten().map(|(name, of)| (name.as_str(), of)).collect();
    members.sort_by_key(|(name, _)| {
        let behind = format!("# {name} =");
        let is_it = |line: &str| {
            let is_key = line.strip_prefix(name).is_some_and(|rest| rest.starts_with(" ="));
            let parts = line
                .trim_start_matches("# ")
                .strip_prefix('[')
                .map(|header| header.trim_matches(['[', ']']).split('.'));
            is_key || parts.is_some_and(|mut parts| parts.any(|part| part == *name))
        };
        let commented = INIT.lines().position(|line| line.starts_with(&behind));
        commented.or_else(|| INIT.lines().position(is_it))
    });
    members
}

/// Whether a key stands in a row; else it has a section of its own.
fn is_plain(schema: &Value) -> bool {
    let is_table = |of: &Value| {
        let tagged = of.pointer("/oneOf/0/properties").is_some();
        of.get("properties").is_some() || tagged
    };
    let inside = schema.get("items").or_else(|| schema.get("additionalProperties"));
    !is_table(schema) && !inside.is_some_and(is_table)
}

fn description(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

/// What a key means: its description, and its possible values.
fn means(schema: &Value) -> String {
    let mut means = without_default(description(schema)).to_owned();
    for one in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        if let Some(value) = one.get("const") {
            means.push_str(&format!(" `{value}`: {}", description(one)));
        }
    }
    let items = schema.pointer("/items/oneOf").and_then(Value::as_array).into_iter().flatten();
    let items: Vec<String> = items.filter_map(|one| Some(format!("`{}`", one.get("const")?))).collect();
    if !items.is_empty() {
        means.push_str(&format!(" There are {}.", items.join(", ")));
    }
    means.replace('|', "\\|")
}

/// The description without the sentence that only names the default.
fn without_default(description: &str) -> &str {
    match description.rfind("Default") {
        Some(at) if description[at..].split_once(": ").is_none_or(|(before, _)| before == "Default") => {
            description[..at].trim_end()
        }
        _ => description,
    }
}

fn shown_default(schema: &Value) -> String {
    match schema::default_of(schema) {
        Some(Value::Object(members)) if members.is_empty() => "none".to_owned(),
        Some(Value::Number(number)) => {
            let long = number.as_u64().and_then(in_large_units).map(|long| format!(" ({long})")).unwrap_or_default();
            format!("`{number}`{long}")
        }
        Some(default) => format!("`{default}`"),
        None => match description(schema).rsplit_once("Default: ") {
            Some((_, words)) => words.trim_end_matches('.').to_owned(),
            None => "none".to_owned(),
        },
    }
}

/// A large number of milliseconds in hours, of bytes in KiB.
pub(super) fn in_large_units(number: u64) -> Option<String> {
    const HOUR_MS: u64 = 3_600_000;
    match number {
        _ if number >= HOUR_MS && number.is_multiple_of(HOUR_MS) => Some(format!("{} hours", number / HOUR_MS)),
        _ if number >= 4096 && number.is_multiple_of(1024) && number < HOUR_MS => {
            Some(format!("{} KiB", number / 1024))
        }
        _ => None,
    }
}

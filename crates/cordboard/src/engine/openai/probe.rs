//! What a server's list of its models tells a doctor.

use serde::Deserialize;

use crate::config::distance;
use crate::engine::Probed;
use crate::http::Reply;

/// OpenAI lists about a hundred.
const LISTED_MAX: usize = 5;

#[derive(Deserialize)]
struct Models {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

/// What the reply to `GET /models` says of a model.
pub(super) fn probed(model: &str, reply: &Reply) -> Probed {
    match reply.status {
        200 => match serde_json::from_slice::<Models>(&reply.body) {
            Ok(models) if models.data.iter().any(|listed| listed.id == model) => {
                Probed::Well("its server answers and knows the model (no question was asked)".to_owned())
            }
            Ok(models) => {
                let known: Vec<&str> = models.data.iter().map(|model| model.id.as_str()).collect();
                Probed::Doubtful {
                    found: format!("its server does not list the model \"{model}\""),
                    next_step: format!(
                        "look at `model`, unless the server knows it by another name{}",
                        listed(model, &known)
                    ),
                }
            }
            Err(_) => no_list(reply.status),
        },
        401 | 403 => Probed::Ill {
            found: format!("its server refuses the key ({})", reply.status),
            next_step: "see `api_key`, `organization` and `project`, and what the key may do".to_owned(),
        },
        500..=599 => Probed::Ill {
            found: format!("its server answers {}", reply.status),
            next_step: "see whether the server itself is well".to_owned(),
        },
        status => no_list(status),
    }
}

/// What a server lists, what is likest first.
fn listed(model: &str, known: &[&str]) -> String {
    let mut near: Vec<&str> = known.to_vec();
    near.sort_by_key(|name| distance(model, name));
    near.truncate(LISTED_MAX);
    let rest = if known.len() > LISTED_MAX { ", …" } else { "" };
    if near.is_empty() { "; it lists none".to_owned() } else { format!("; it lists {}{rest}", near.join(", ")) }
}

/// Some servers have no list; more often the address is wrong.
fn no_list(status: u16) -> Probed {
    Probed::Doubtful {
        found: format!("something answers ({status}), and not with a list of models"),
        next_step: "look at `base_url`, which ends in /v1 for most servers, unless yours has no such list".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::openai::tests::reply;

    #[test]
    fn a_list_of_models_tells_whether_the_model_is_there() {
        let listed = r#"{"object": "list", "data": [{"id": "big"}, {"id": "small", "owned_by": "us"}]}"#;
        let told = |model: &str, status: u16, body: &str| match probed(model, &reply(status, body.to_owned())) {
            Probed::Well(found) => format!("well: {found}"),
            Probed::Doubtful { found, next_step } => format!("doubtful: {found}; {next_step}"),
            Probed::Ill { found, next_step } => format!("ill: {found}; {next_step}"),
        };
        let table = [
            told("small", 200, listed),
            told("smal", 200, listed),
            told(
                "gpt-5-mni",
                200,
                r#"{"data": [{"id": "a"}, {"id": "b"}, {"id": "c"}, {"id": "d"}, {"id": "e"}, {"id": "gpt-5-mini"}]}"#,
            ),
            told("small", 200, r#"{"data": []}"#),
            told("small", 200, "<html>"),
            told("small", 401, ""),
            told("small", 404, ""),
            told("small", 502, ""),
        ];
        insta::assert_snapshot!(table.join("\n"));
    }
}

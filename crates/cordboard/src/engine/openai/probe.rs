//! What a server's list of its models tells a doctor.

use serde::Deserialize;

use crate::engine::Probed;
use crate::http::Reply;

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
                let mut known: Vec<&str> = models.data.iter().map(|model| model.id.as_str()).collect();
                known.truncate(5);
                let known = known.join(", ");
                Probed::Doubtful {
                    found: format!("its server does not list the model \"{model}\""),
                    next_step: format!(
                        "look at `model`, unless the server knows it by another name; it lists {known}, …"
                    ),
                }
            }
            Err(_) => {
                Probed::Well("its server answers; it lists no models, so the model is not known to exist".to_owned())
            }
        },
        401 | 403 => Probed::Ill {
            found: format!("its server refuses the key ({})", reply.status),
            next_step: "see `api_key`, `organization` and `project`, and what the key may do".to_owned(),
        },
        500..=599 => Probed::Ill {
            found: format!("its server answers {}", reply.status),
            next_step: "see whether the server itself is well".to_owned(),
        },
        // Some servers have no such list.
        status => Probed::Well(format!("its server answers ({status} to a question for its models)")),
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
            told("small", 200, "<html>"),
            told("small", 401, ""),
            told("small", 404, ""),
            told("small", 502, ""),
        ];
        insta::assert_snapshot!(table.join("\n"));
    }
}

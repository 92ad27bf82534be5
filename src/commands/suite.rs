//! A suite of expectations as a stage file that a person can edit.

use serde_json::Value;

use crate::ml::expect::{self, TAG};
use crate::ml::suggest::Suggestion;

/// A stage of kind `validate`; `table` is what is plugged into it.
pub(super) fn stage(suite: &[Suggestion], table: &str) -> String {
    let mut text = format!(
        "# What must hold of the table before anything is learned from it: a first suggestion,\n\
         # made from what was seen. Keep what is true by nature, change what only happened to be\n\
         # so. The names are those of Great Expectations; `mostly = 0.99` and\n\
         # `severity = \"warning\"` soften one, `row_condition` leaves rows out.\n\
         kind = \"validate\"\n\n\
         [inputs]\n\
         table = {table}\n",
        table = quoted(table),
    );
    suite.iter().for_each(|suggestion| text.push_str(&block(suggestion)));
    text
}

/// A suggestion as an item of a list in TOML, keys in the order in which people read them.
fn block(suggestion: &Suggestion) -> String {
    let name = suggestion.declared.get(TAG).and_then(Value::as_str).unwrap_or_default();
    let declaration = expect::declarations().find(|declaration| declaration.name == name);
    let order = declaration.into_iter().flat_map(|declaration| declaration.parameters());
    let keys = std::iter::once(TAG).chain(order.map(|parameter| parameter.name));
    // A column may be named by anything, and a comment ends with its line.
    let seen = suggestion.seen.replace(char::is_control, " ");
    let mut text = format!("\n# {seen}.\n[[params.expectations]]\n");
    for key in keys {
        if let Some(value) = suggestion.declared.get(key) {
            text.push_str(&format!("{key} = {}\n", value_text(value)));
        }
    }
    text
}

/// A scalar, or a list of such, as a TOML value.
pub(super) fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(value_text).collect();
            format!("[{}]", items.join(", "))
        }
        // Numbers and truth values read the same in TOML.
        other => other.to_string(),
    }
}

/// A text as a TOML value.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_suite_is_toml_that_reads_back_whatever_the_names_are() {
        let declared = json!({TAG: "expect_column_values_to_be_in_set", "column": "a \"b\"\n#",
            "value_set": ["x\\", 1, 2.5, true], "mostly": 0.99, "severity": "warning"});
        let suggestion = Suggestion {
            seen: "3 values\nwere seen".to_owned(),
            declared: declared.as_object().unwrap().clone(),
        };
        let text = stage(&[suggestion], "data.table");
        assert!(
            text.contains("\n# 3 values were seen.\n[[params.expectations]]\nexpect = "),
            "{text}"
        );
        let read: Value = toml::from_str(&text).unwrap();
        assert_eq!(read["kind"], "validate");
        assert_eq!(read["params"]["expectations"][0], declared);
    }
}

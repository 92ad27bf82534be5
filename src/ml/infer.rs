//! The type of a column of texts, from all of its values.
//!
//! Fixed rules and no sampling: a column that is whole in a million rows and has one fraction in
//! the next is a column of numbers. It does not know names, files or what a column is for.
//!
//! | values that are not missing | type |
//! |---|---|
//! | all `true` or `false`, lower, upper or title case | boolean |
//! | all whole numbers of 64 bits, as a program writes them | integer |
//! | all decimal numbers, a few of them whole | number |
//! | anything else, also `007` and `+44`, which are codes | text |
//!
//! Missing are blank texts and those of `MISSING`, whatever the type of the column.

use super::table::Values;

/// Texts that stand for no value, beside blank ones.
pub const MISSING: [&str; 8] = ["NA", "N/A", "n/a", "NaN", "nan", "NULL", "Null", "null"];

/// The values of a column from its texts; `None` is missing.
pub fn values(texts: &[Option<&str>]) -> Values {
    let present = || texts.iter().map(|text| text.filter(|text| !is_missing(text)));
    if present().flatten().next().is_none() {
        return Values::Text(present().collect());
    }
    // Each attempt ends at the first value that does not fit.
    if let Some(values) = parse_all(present(), boolean) {
        return Values::Boolean(values);
    }
    if let Some(values) = parse_all(present(), integer) {
        return Values::Integer(values);
    }
    if let Some(values) = parse_all(present(), number) {
        let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
        return Values::Number(values.into_iter().map(or_nan).collect());
    }
    Values::Text(present().collect())
}

/// The number that a text is written as, blanks around it aside.
pub fn as_number(text: &str) -> Option<f64> {
    let text = text.trim();
    integer(text).map(|whole| whole as f64).or_else(|| number(text))
}

/// Whether a text is a truth value, blanks around it aside.
pub fn is_boolean(text: &str) -> bool {
    as_boolean(text).is_some()
}

/// The truth value that a text is written as, blanks around it aside.
pub fn as_boolean(text: &str) -> Option<bool> {
    boolean(text.trim())
}

/// Whether a text stands for no value.
pub fn is_missing(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || MISSING.contains(&text)
}

/// Every value that is there, parsed; `None` as soon as one does not fit.
fn parse_all<'a, T>(
    texts: impl Iterator<Item = Option<&'a str>>,
    parse: fn(&str) -> Option<T>,
) -> Option<Vec<Option<T>>> {
    texts.map(|text| text.map_or(Some(None), |text| parse(text.trim()).map(Some))).collect()
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = !has_leading_zero(digits) && text != "-0";
    // The first character: `parse` would take a plus.
    text.parse().ok().filter(|_| is_plain && !text.starts_with('+'))
}

fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_decimal =
        digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let is_code = digits.starts_with('+') || has_leading_zero(digits);
    // A whole number beyond 64 bits is a code, too: as a float it would lose digits in silence.
    let is_too_long = digits.bytes().all(|b| b.is_ascii_digit()) && text.parse::<i64>().is_err();
    if !is_decimal || is_code || is_too_long {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

fn has_leading_zero(digits: &str) -> bool {
    matches!(digits.as_bytes(), [b'0', b'0'..=b'9', ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(texts: &[&str]) -> Values {
        values(&texts.iter().map(|text| Some(*text)).collect::<Vec<_>>())
    }

    fn text_of(texts: &[&str]) -> Values {
        Values::Text(texts.iter().map(|text| Some(*text)).collect())
    }

    #[test]
    fn a_fraction_in_any_row_makes_numbers_of_the_column() {
        let mut texts = vec!["1"; 1000];
        texts.push("2.5");
        let Values::Number(values) = of(&texts) else { panic!("not numbers") };
        assert_eq!((values[0], values[1000]), (1.0, 2.5));
    }

    #[test]
    fn blanks_and_the_usual_words_are_missing_and_do_not_decide_the_type() {
        let nan = f64::NAN;
        assert_eq!(
            of(&["29.85", " ", "", "NA", "null"]),
            Values::Number(vec![29.85, nan, nan, nan, nan])
        );
        assert_eq!(of(&["1", "N/A", "\t"]), Values::Integer(vec![Some(1), None, None]));
        assert_eq!(of(&["x", "NaN"]), Values::Text(vec![Some("x"), None].into()));
        assert_eq!(of(&["", "NA"]), Values::Text(vec![None::<&str>; 2].into()));
        assert_eq!(values(&[None, Some("2")]), Values::Integer(vec![None, Some(2)]));
    }

    #[test]
    fn truth_values_are_taken_in_their_usual_cases() {
        assert_eq!(
            of(&["True", "FALSE", "true"]),
            Values::Boolean(vec![Some(true), Some(false), Some(true)])
        );
        assert_eq!(of(&["true", "yes"]), text_of(&["true", "yes"]));
        assert_eq!(of(&["true", "1"]), text_of(&["true", "1"]));
    }

    #[test]
    fn codes_stay_texts() {
        for code in [
            "007",
            "+4412",
            "-01",
            "00.5",
            "9223372036854775808",
            "1e999",
            "inf",
            "1_000",
            "1,5",
            "0x1f",
            "-",
            ".",
        ] {
            assert_eq!(of(&[code]), text_of(&[code]), "{code}");
        }
    }

    #[test]
    fn numbers_are_taken_as_programs_write_them() {
        for (text, value) in [
            ("1.50", 1.5),
            ("-0", -0.0),
            (".5", 0.5),
            ("1e5", 1e5),
            ("2.5E-3", 2.5e-3),
            ("0.1", 0.1),
        ] {
            assert_eq!(of(&[text]), Values::Number(vec![value]), "{text}");
        }
        assert_eq!(
            of(&["-9223372036854775808", " 0 "]),
            Values::Integer(vec![Some(i64::MIN), Some(0)])
        );
    }

    proptest! {
        #[test]
        fn no_texts_make_it_panic_and_none_gets_lost(texts in proptest::collection::vec(
            prop_oneof!["[-+0-9.eE]{0,6}", "true|False|NA| |nan", "\\PC{0,6}"], 0..12)) {
            let given = values(&texts.iter().map(|text| Some(text.as_str())).collect::<Vec<_>>());
            let len = match &given {
                Values::Integer(values) => values.len(),
                Values::Number(values) => values.len(),
                Values::Boolean(values) => values.len(),
                Values::Text(values) => values.len(),
            };
            prop_assert_eq!(len, texts.len());
        }

        #[test]
        fn a_float_reads_back_to_its_bits(
            value in any::<f64>().prop_filter("finite", |value| value.is_finite())) {
            let text = format!("{value:e}");
            let Values::Number(values) = of(&[&text, "0.5"]) else { panic!("{text}") };
            prop_assert_eq!(values[0].to_bits(), value.to_bits());
        }
    }
}

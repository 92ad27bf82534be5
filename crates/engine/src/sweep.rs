//! Sweeps: `--set train.C=0.1,1,10` stands for three runs.
//!
//! A value that is TOML by itself is one value, whatever commas it has; another one is taken apart
//! at the commas that stand in no quotes and no brackets.

use toml::de::DeValue;

/// The arguments of one run of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Every `path=value` argument, each with one value.
    pub set: Vec<String>,
    /// What tells this point from the others: per path that is swept, its value.
    pub values: Vec<(String, String)>,
}

/// The runs that arguments stand for: the product of what is swept, the last one turning fastest;
/// `None` when none of them is swept.
///
/// # Errors
/// A sentence when a value is empty, or when there would be more than `most` runs.
pub fn points(set: &[String], most: u64) -> Result<Option<Vec<Point>>, String> {
    let mut arguments = Vec::new();
    for argument in set {
        let parts = argument.split_once('=').and_then(|(path, value)| Some((path, split(value)?)));
        if let Some((path, parts)) = &parts
            && parts.iter().any(|part| part.is_empty())
        {
            return Err(format!(
                "`--set {argument}` has an empty value between commas\n\
                 hint: a text with commas is written in quotes: `--set '{path}=\"…\"'`"
            ));
        }
        arguments.push((argument, parts));
    }
    let lengths = arguments.iter().filter_map(|(_, parts)| Some(parts.as_ref()?.1.len() as u64));
    let n_points = lengths.clone().fold(1_u64, u64::saturating_mul);
    if lengths.count() == 0 {
        return Ok(None);
    }
    if n_points > most {
        return Err(format!(
            "the sweep has {n_points} points, above {most}\n\
             hint: sweep fewer values, or raise `max_variants` in pipeline.toml"
        ));
    }
    let mut points = vec![Point { set: Vec::new(), values: Vec::new() }];
    for (argument, parts) in arguments {
        let Some((path, parts)) = parts else {
            points.iter_mut().for_each(|point| point.set.push(argument.clone()));
            continue;
        };
        let with = |point: &Point, value: &String| {
            let mut point = point.clone();
            point.set.push(format!("{path}={value}"));
            point.values.push((path.to_owned(), value.clone()));
            point
        };
        points = points.iter().flat_map(|p| parts.iter().map(move |v| with(p, v))).collect();
    }
    Ok(Some(points))
}

/// The values that a text stands for; `None` when it is one.
fn split(text: &str) -> Option<Vec<String>> {
    if !text.contains(',') || DeValue::parse(text).is_ok() {
        return None;
    }
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut depth, mut quote, mut is_escaped) = (0_usize, None, false);
    for c in text.chars() {
        match (quote, c) {
            (Some('"'), '\\') if !is_escaped => {
                is_escaped = true;
                part.push(c);
                continue;
            }
            (Some(open), _) if c == open && !is_escaped => quote = None,
            (Some(_), _) => {}
            // Within a word an apostrophe is one: `it's`.
            (None, '"' | '\'') if part.trim().is_empty() || depth > 0 => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.checked_sub(1)?,
            (None, ',') if depth == 0 => {
                parts.push(std::mem::take(&mut part).trim().to_owned());
                continue;
            }
            _ => {}
        }
        is_escaped = false;
        part.push(c);
    }
    parts.push(part.trim().to_owned());
    // What is left open is no list of values but a text.
    (depth == 0 && quote.is_none() && parts.len() > 1).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(set: &[&str]) -> Result<Option<Vec<Vec<String>>>, String> {
        let set: Vec<_> = set.iter().map(|argument| (*argument).to_owned()).collect();
        let points = points(&set, 256)?;
        Ok(points.map(|points| points.into_iter().map(|point| point.set).collect()))
    }

    #[test]
    fn several_values_are_several_runs_in_their_order() {
        let points = told(&["seed=1", "t.C=0.1, 1,x", "u.d=[1, 2],[]"]).unwrap().unwrap();
        let expected = [
            ["seed=1", "t.C=0.1", "u.d=[1, 2]"],
            ["seed=1", "t.C=0.1", "u.d=[]"],
            ["seed=1", "t.C=1", "u.d=[1, 2]"],
            ["seed=1", "t.C=1", "u.d=[]"],
            ["seed=1", "t.C=x", "u.d=[1, 2]"],
            ["seed=1", "t.C=x", "u.d=[]"],
        ];
        assert_eq!(points, expected);
    }

    #[test]
    fn what_is_toml_or_left_open_is_one_value() {
        for value in ["[1, 2]", "{a = 1, b = 2}", "\"a, b\"", "'a,b'", "[1,", "a]b,c", "\"a,b", "x"]
        {
            assert_eq!(told(&[&format!("a.b={value}")]), Ok(None), "{value}");
        }
        assert_eq!(told(&["no value, here"]), Ok(None));
    }

    #[test]
    fn quoted_commas_are_part_of_a_value() {
        let split = |value| split(value).unwrap();
        assert_eq!(split("\"a,b\",c"), ["\"a,b\"", "c"]);
        assert_eq!(split(r#""a\",b",'c,"'"#), [r#""a\",b""#, "'c,\"'"]);
        assert_eq!(split("it's,fine"), ["it's", "fine"]);
        assert_eq!(split("{a=\"]\"},1"), ["{a=\"]\"}", "1"]);
    }

    #[test]
    fn an_empty_value_and_too_many_points_are_refused() {
        assert!(
            told(&["a.b=1,,2"]).unwrap_err().starts_with("`--set a.b=1,,2` has an empty value")
        );
        assert!(told(&["a.b=1,"]).is_err());
        let many = (0..20).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
        let set = [format!("a.b={many}"), format!("a.c={many}")];
        let told = points(&set, 256).unwrap_err();
        assert!(told.starts_with("the sweep has 400 points, above 256"), "{told}");
    }
}

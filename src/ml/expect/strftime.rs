//! Formats of dates and times, read as Python's `strptime` reads them.
//!
//! As there, a format becomes a regular expression, and what it finds must be a day that exists.
//! Names of days and months are English ones, whatever the locale. `%Z` and the directives of
//! locales (`%c`, `%x`, `%X`) are refused: what they mean depends on the machine.

use regex::Regex;

/// Directives with what they stand for; groups are what is checked further.
const DIRECTIVES: [(char, &str); 16] = [
    ('Y', r"(?<Y>[0-9]{4})"),
    ('y', r"(?<y>[0-9]{2})"),
    ('m', r"(?<m>1[0-2]|0[1-9]|[1-9])"),
    ('d', r"(?<d>3[01]|[12][0-9]|0[1-9]|[1-9]| [1-9])"),
    ('H', r"(?:2[0-3]|[01][0-9]|[0-9])"),
    ('I', r"(?:1[0-2]|0[1-9]|[1-9]| [1-9])"),
    ('M', r"(?:[0-5][0-9]|[0-9])"),
    ('S', r"(?:6[01]|[0-5][0-9]|[0-9])"),
    ('f', r"(?:[0-9]{1,6})"),
    ('j', r"(?<j>36[0-6]|3[0-5][0-9]|[12][0-9][0-9]|0[1-9][0-9]|00[1-9]|[1-9][0-9]|0[1-9]|[1-9])"),
    ('p', r"(?:am|pm)"),
    ('z', r"(?:[+-][0-9]{2}:?[0-5][0-9](?::?[0-5][0-9](?:\.[0-9]{1,6})?)?|(?-i:Z))"),
    ('b', r"(?<b>(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))"),
    (
        'B',
        r"(?<B>(?:january|february|march|april|may|june|july|august|september|october|november|december))",
    ),
    ('a', r"(?:mon|tue|wed|thu|fri|sat|sun)"),
    ('A', r"(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"),
];

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A format of dates or times.
#[derive(Clone, Debug)]
pub(super) struct Format(Regex);

impl Format {
    /// Reads a format.
    ///
    /// # Errors
    /// A directive that is not known, or that comes twice.
    pub(super) fn parse(format: &str) -> Result<Format, String> {
        let mut pattern = String::from(r"(?i)\A");
        let mut seen = Vec::new();
        let mut chars = format.chars().peekable();
        while let Some(c) = chars.next() {
            if c.is_whitespace() {
                while chars.next_if(|c| c.is_whitespace()).is_some() {}
                pattern.push_str(r"\s+");
                continue;
            }
            if c != '%' {
                pattern.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
                continue;
            }
            let directive = chars.next();
            if directive == Some('%') {
                pattern.push('%');
                continue;
            }
            let found = DIRECTIVES.iter().find(|(name, _)| Some(*name) == directive);
            let Some((name, part)) = found else {
                let known: String =
                    DIRECTIVES.iter().map(|(name, _)| format!(" %{name}")).collect();
                let shown = directive.map_or(String::new(), String::from);
                return Err(format!("`%{shown}` is no directive: known are{known} %%"));
            };
            if seen.contains(name) {
                return Err(format!("`%{name}` comes twice"));
            }
            seen.push(*name);
            pattern.push_str(part);
        }
        let regex = Regex::new(&pattern).map_err(|error| error.to_string())?;
        Ok(Format(regex))
    }

    /// Whether a text is of this format, from its first character to its last, and its day exists.
    pub(super) fn fits(&self, text: &str) -> bool {
        let Some(found) = self.0.captures(text) else { return false };
        if found.get(0).is_none_or(|whole| whole.end() != text.len()) {
            return false;
        }
        let part = |name: &str| found.name(name).map(|part| part.as_str().trim());
        let number = |name: &str| part(name).and_then(|text| text.parse::<u32>().ok());
        // POSIX: 69 to 99 are of the last century. Without a year it is 1900, as in Python.
        let short = |year: u32| if year < 69 { 2000 + year } else { 1900 + year };
        let year = number("Y").or_else(|| number("y").map(short));
        let named = part("b").or(part("B")).and_then(|name| {
            let start = name.get(..3)?.to_lowercase();
            (1..).zip(MONTHS).find(|(_, month)| *month == start).map(|(number, _)| number)
        });
        let month = number("m").or(named);
        // Year 0 does not exist.
        let is_year = year != Some(0);
        let is_day = number("d").unwrap_or(1) <= days(year.unwrap_or(1900), month.unwrap_or(1));
        // Of a day of the year Python makes a date by counting on, into the next year if need be.
        let is_dated = number("j").is_some() && month.is_none() && number("d").is_none();
        is_year && (is_day || is_dated)
    }
}

fn days(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fits(format: &str, text: &str) -> bool {
        Format::parse(format).unwrap().fits(text)
    }

    #[test]
    fn a_day_must_exist() {
        assert!(fits("%Y-%m-%d", "2024-02-29") && !fits("%Y-%m-%d", "2023-02-29"));
        assert!(!fits("%Y-%m-%d", "2023-04-31") && !fits("%Y-%m-%d", "0000-01-01"));
        assert!(fits("%d %b %Y", "31 Jan 2026") && !fits("%d %B %Y", "31 November 2026"));
        assert!(!fits("%Y-%m-%d", "1900-02-29") && fits("%Y-%m-%d", "2000-02-29"));
        assert!(!fits("%d.%m.", "29.02.") && fits("%d.%m.%y", "29.02.00"));
    }

    #[test]
    fn the_whole_text_must_be_of_the_format() {
        assert!(fits("%Y-%m-%d", "2026-1-5") && !fits("%Y-%m-%d", "2026-01-05 "));
        assert!(!fits("%Y-%m-%d", "26-01-05") && !fits("%Y-%m-%d", " 2026-01-05"));
        assert!(fits("%Y-%m-%dT%H:%M:%S.%f%z", "2026-01-05T23:59:60.123456+01:00"));
        assert!(fits("%H:%M", "9:05") && !fits("%H:%M", "24:00") && !fits("%H:%M", "12:60"));
        assert!(fits("%I %p", "12 pm") && !fits("%I %p", "13 PM"));
        assert!(fits("100%% %Y", "100%   2026") && fits("%Y%m%d", "20260105"));
        assert!(fits("%Y-%j", "2026-366") && !fits("%Y-%j", "2026-367"));
    }

    #[test]
    fn what_depends_on_the_machine_or_comes_twice_is_refused() {
        assert!(Format::parse("%c").unwrap_err().starts_with("`%c` is no directive: known are %Y"));
        assert!(Format::parse("%Y %").unwrap_err().starts_with("`%` is no directive"));
        assert_eq!(Format::parse("%Y %Y").unwrap_err(), "`%Y` comes twice");
    }

    proptest! {
        #[test]
        fn no_format_and_no_text_make_it_panic(format in "(%[a-zA-Z%]|\\PC){0,6}", text in "\\PC{0,20}") {
            if let Ok(format) = Format::parse(&format) {
                format.fits(&text);
            }
        }
    }
}

//! Dates: a text or a number becomes year, month, day and the like, each a number by itself.
//!
//! A text is read by a format with strptime's letters, strictly: nothing is guessed, nothing may
//! follow. There are no time zones: a text is taken as the local time that it says, an epoch as
//! UTC. What is no date counts as missing; whoever must refuse it asks `DateFormat::read` before.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::number::Number;
use crate::ml::cell::Cell;

/// Dates are within this many days of 1970-01-01, which is more than 270,000 years.
const MOST_DAYS: f64 = 1e8;
/// Seconds per day.
const DAY: f64 = 86_400.0;

/// What is taken from a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatePart {
    /// The year.
    Year,
    /// 1 to 12.
    Month,
    /// 1 to 31.
    Day,
    /// 0 for Monday to 6 for Sunday.
    DayOfWeek,
    /// 0 to 23.
    Hour,
    /// The days since `since`, with the time of day as a fraction.
    DaysSince,
}

/// How dates of a column are written, and what becomes of them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateParams {
    /// How they are written.
    pub format: DateFormat,
    /// What is taken from them, each once.
    pub parts: Vec<DatePart>,
    /// Where `DaysSince` counts from: `YYYY-MM-DD`.
    #[serde(default)]
    pub since: Option<Since>,
}

/// A format of dates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DateFormat {
    text: String,
    way: Way,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// Numbers of this many per day since 1970-01-01 in UTC.
    Epoch(u32),
    /// Texts of these items.
    Items(Vec<Item>),
}

/// A part of a format: a letter for a number, or a character as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Number(char),
    Same(char),
}

/// A day to count from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Since(i64);

/// A moment: days since 1970-01-01, and the seconds of the day in [0, 86400).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    days: i64,
    seconds: f64,
}

impl fmt::Display for DatePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DatePart::Year => "year",
            DatePart::Month => "month",
            DatePart::Day => "day",
            DatePart::DayOfWeek => "day_of_week",
            DatePart::Hour => "hour",
            DatePart::DaysSince => "days_since",
        })
    }
}

impl TryFrom<String> for DateFormat {
    type Error = String;

    fn try_from(text: String) -> Result<DateFormat, String> {
        let way = match text.as_str() {
            "epoch_days" => Way::Epoch(1),
            "epoch_seconds" => Way::Epoch(86_400),
            "epoch_milliseconds" => Way::Epoch(86_400_000),
            _ => Way::Items(items(&text)?),
        };
        Ok(DateFormat { text, way })
    }
}

impl From<DateFormat> for String {
    fn from(format: DateFormat) -> String {
        format.text
    }
}

impl TryFrom<String> for Since {
    type Error = String;

    fn try_from(text: String) -> Result<Since, String> {
        let read = items("%Y-%m-%d").ok().and_then(|items| moment(&items, &text));
        let day = read.ok_or_else(|| format!("expected a day as YYYY-MM-DD, found `{text}`"))?;
        Ok(Since(day.days))
    }
}

impl From<Since> for String {
    fn from(since: Since) -> String {
        let [year, month, day] = civil(since.0);
        format!("{year:04}-{month:02}-{day:02}")
    }
}

/// The items of a format.
fn items(text: &str) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        items.push(match (char, if char == '%' { chars.next() } else { None }) {
            ('%', Some('%')) => Item::Same('%'),
            ('%', Some(letter @ ('Y' | 'm' | 'd' | 'H' | 'M' | 'S'))) => Item::Number(letter),
            ('%', _) => {
                return Err(format!(
                    "format `{text}`: `%` is followed by one of Y, m, d, H, M, S or %"
                ));
            }
            (same, _) => Item::Same(same),
        });
    }
    let times = |letter| items.iter().filter(|item| **item == Item::Number(letter)).count();
    if "YmdHMS".chars().any(|letter| times(letter) > 1) || times('Y') == 0 {
        return Err(format!(
            "format `{text}` has no `%Y`, or something twice; a number of days or seconds since \
             1970 is `epoch_days`, `epoch_seconds` or `epoch_milliseconds`"
        ));
    }
    Ok(items)
}

/// The moment that a text says; `None` when it is not of these items.
fn moment(items: &[Item], text: &str) -> Option<Moment> {
    let mut rest = text.as_bytes();
    let [mut year, mut month, mut day, mut hour, mut minute, mut second] = [0, 1, 1, 0, 0, 0];
    for item in items {
        let (letter, most) = match item {
            Item::Same(same) => {
                let mut buffer = [0; 4];
                rest = rest.strip_prefix(same.encode_utf8(&mut buffer).as_bytes())?;
                continue;
            }
            Item::Number('Y') => ('Y', 4),
            Item::Number(letter) => (*letter, 2),
        };
        let n_digits = rest.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        if n_digits == 0 || letter == 'Y' && n_digits < 4 {
            return None;
        }
        let digits = rest[..n_digits].iter();
        let number = digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
        rest = &rest[n_digits..];
        *match letter {
            'Y' => &mut year,
            'm' => &mut month,
            'd' => &mut day,
            'H' => &mut hour,
            'M' => &mut minute,
            _ => &mut second,
        } = number;
    }
    let days = days(year, month, day);
    let is_there = (1..=12).contains(&month) && civil(days) == [year, month, day];
    let is_time = hour < 24 && minute < 60 && second < 60;
    let seconds = (hour * 3600 + minute * 60 + second) as f64;
    (rest.is_empty() && is_there && is_time).then_some(Moment { days, seconds })
}

impl DateFormat {
    /// The moment that a cell says; `None` when it is missing or no date of this format. A whole
    /// number is read by its digits where the format is one of texts, such as `%Y%m%d`.
    pub fn read(&self, cell: &Cell) -> Option<Moment> {
        match (&self.way, cell) {
            (Way::Items(items), Cell::Text(text)) => moment(items, text),
            (Way::Items(items), Cell::Number(number)) => moment(items, &number.to_string()),
            (Way::Epoch(per_day), Cell::Number(number)) => {
                let per_day = f64::from(*per_day);
                let days = (number / per_day).floor();
                let seconds = (number - days * per_day) / per_day * DAY;
                let is_date = days.abs() <= MOST_DAYS && (0.0..DAY).contains(&seconds);
                is_date.then_some(Moment { days: days as i64, seconds })
            }
            _ => None,
        }
    }

    /// A date as it is written: 2000-01-01, or 1970-01-01 as a number.
    pub fn example(&self) -> String {
        let Way::Items(items) = &self.way else { return "0".to_owned() };
        let show = |item: &Item| match item {
            Item::Same(same) => same.to_string(),
            Item::Number('Y') => "2000".to_owned(),
            Item::Number('m' | 'd') => "01".to_owned(),
            Item::Number(_) => "00".to_owned(),
        };
        items.iter().map(show).collect()
    }

    /// Whether it says at what time of the day.
    fn has_hours(&self) -> bool {
        match &self.way {
            Way::Epoch(per_day) => *per_day > 1,
            Way::Items(items) => items.contains(&Item::Number('H')),
        }
    }
}

impl fmt::Display for DateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl DateParams {
    /// What does not add up, if anything does not.
    pub fn mistake(&self) -> Option<String> {
        let mut parts = self.parts.clone();
        parts.sort_unstable();
        parts.dedup();
        if parts.is_empty() || parts.len() < self.parts.len() {
            return Some("`parts` names at least one part, and each once".to_owned());
        }
        if parts.contains(&DatePart::Hour) && !self.format.has_hours() {
            return Some(format!("the format `{}` has no hours", self.format));
        }
        if parts.contains(&DatePart::DaysSince) != self.since.is_some() {
            return Some("`since` and the part `days_since` go together".to_owned());
        }
        None
    }
}

/// A date column: how it is read, and what each part becomes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dated {
    pub(super) format: DateFormat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Since>,
    parts: Vec<DatedPart>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DatedPart {
    part: DatePart,
    number: Number,
}

impl Dated {
    /// A date column whose parts are fitted by `fit` to those of the training rows.
    pub(super) fn fit(
        params: &DateParams,
        moments: &[Option<Moment>],
        fit: impl Fn(&[Option<f64>]) -> Number,
    ) -> Dated {
        let part = |part: &DatePart| {
            let of = |moment: &Moment| moment.part(*part, params.since.as_ref());
            let values: Vec<_> = moments.iter().map(|moment| moment.as_ref().map(of)).collect();
            DatedPart { part: *part, number: fit(&values) }
        };
        let parts = params.parts.iter().map(part).collect();
        Dated { format: params.format.clone(), since: params.since.clone(), parts }
    }

    /// How many parts are taken.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The names of the parts.
    pub(super) fn names(&self) -> impl Iterator<Item = DatePart> {
        self.parts.iter().map(|dated| dated.part)
    }

    /// Writes what a cell becomes, one number per part.
    pub(super) fn encode(&self, cell: &Cell, out: &mut [f64]) {
        let moment = self.format.read(cell);
        for (dated, out) in self.parts.iter().zip(out) {
            let of = |moment: Moment| moment.part(dated.part, self.since.as_ref());
            *out = dated.number.encode(moment.map(of));
        }
    }

    /// Whether a part may become NaN.
    pub(super) fn may_be_missing(&self) -> bool {
        self.parts.iter().any(|dated| dated.number.may_be_missing())
    }

    /// What `encode` relies on, for one that was read from a file.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        self.parts.iter().try_for_each(|dated| dated.number.check())
    }
}

impl Moment {
    fn part(&self, part: DatePart, since: Option<&Since>) -> f64 {
        let [year, month, day] = civil(self.days);
        let whole = match part {
            DatePart::Year => year,
            DatePart::Month => month,
            DatePart::Day => day,
            // 1970-01-01 was a Thursday.
            DatePart::DayOfWeek => (self.days + 3).rem_euclid(7),
            DatePart::Hour => (self.seconds / 3600.0) as i64,
            DatePart::DaysSince => {
                let since = since.map_or(0, |since| since.0);
                return (self.days - since) as f64 + self.seconds / DAY;
            }
        };
        whole as f64
    }
}

/// Days since 1970-01-01 of a day of the Gregorian calendar.
///
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9).rem_euclid(12)) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01: Hinnant's `civil_from_days`.
pub(in crate::ml) fn civil(days: i64) -> [i64; 3] {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    [year_of_era + era * 400 + i64::from(month <= 2), month, day]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(text: &str) -> DateFormat {
        DateFormat::try_from(text.to_owned()).unwrap()
    }

    fn parts(format: &DateFormat, cell: Cell) -> Option<[f64; 6]> {
        let since = Since::try_from("2020-01-01".to_owned()).unwrap();
        let of = |moment: Moment| {
            [
                DatePart::Year,
                DatePart::Month,
                DatePart::Day,
                DatePart::DayOfWeek,
                DatePart::Hour,
                DatePart::DaysSince,
            ]
            .map(|part| moment.part(part, Some(&since)))
        };
        format.read(&cell).map(of)
    }

    #[test]
    fn a_date_becomes_its_parts() {
        let text = |text: &str| Cell::Text(text.into());
        let day = [2024.0, 2.0, 29.0, 3.0, 0.0, 1520.0];
        assert_eq!(parts(&format("%Y-%m-%d"), text("2024-02-29")), Some(day));
        assert_eq!(parts(&format("%d.%m.%Y"), text("29.2.2024")), Some(day));
        assert_eq!(parts(&format("%Y%m%d"), Cell::Number(20_240_229.0)), Some(day));
        assert_eq!(parts(&format("epoch_days"), Cell::Number(19_782.0)), Some(day));
        let noon = [2024.0, 2.0, 29.0, 3.0, 12.0, 1520.5];
        assert_eq!(parts(&format("%Y-%m-%dT%H:%M:%SZ"), text("2024-02-29T12:00:00Z")), Some(noon));
        assert_eq!(parts(&format("epoch_seconds"), Cell::Number(1_709_208_000.0)), Some(noon));
        assert_eq!(parts(&format("epoch_milliseconds"), Cell::Number(1_709_208e6)), Some(noon));
        assert_eq!(format("%d.%m.%Y %H:%M").example(), "01.01.2000 00:00");
        let before = [1969.0, 12.0, 31.0, 2.0, 23.0, -18_262.0 - 1.0 / 24.0];
        assert_eq!(parts(&format("epoch_seconds"), Cell::Number(-3600.0)), Some(before));
    }

    #[test]
    fn what_is_no_date_is_none() {
        let format = format("%Y-%m-%d");
        for text in ["", "2023-02-29", "2023-13-01", "2023-00-10", "23-01-01", "2023-01-01 "] {
            assert_eq!(format.read(&Cell::Text(text.into())), None, "{text}");
        }
        assert_eq!(format.read(&Cell::Missing), None);
        assert_eq!(format.read(&Cell::Number(-1e300)), None);
        assert_eq!(super::tests::format("epoch_seconds").read(&Cell::Number(1e300)), None);
    }

    #[test]
    fn a_format_that_says_no_date_is_refused() {
        for text in ["%y-%m-%d", "%m-%d", "%Y %Y", "%Y-%", "seconds"] {
            assert!(DateFormat::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert!(Since::try_from("2020-1".to_owned()).is_err());
        let since = Since::try_from("0987-06-05".to_owned()).unwrap();
        assert_eq!(String::from(since), "0987-06-05");
    }

    #[test]
    fn days_and_their_names_agree_over_four_hundred_years() {
        for day in -80_000..80_000 {
            let [year, month, of_month] = civil(day);
            assert_eq!(days(year, month, of_month), day);
        }
        assert_eq!((civil(0), civil(-1), days(2000, 3, 1)), ([1970, 1, 1], [1969, 12, 31], 11_017));
    }
}

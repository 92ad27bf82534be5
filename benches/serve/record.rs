//! A record of the example, as a programmer would type it: fields that serde checks, and a weight
//! for each value that they can have.
//!
//! Knows no ranges: what a bare server does not check is what the strict path is measured against.

use pipeline::ml::cell::Cell;
use serde::{Deserialize, Serialize};

/// A subscriber.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    plan_type: PlanType,
    tenure_months: i64,
    monthly_charges: f64,
    contract_type: ContractType,
    payment_method: PaymentMethod,
    region: Option<Region>,
    age: Option<i64>,
    signup_channel: Option<SignupChannel>,
    device_4g: bool,
    data_gb_month: Option<f64>,
    voice_minutes_month: i64,
    topups_90d: i64,
    days_since_last_topup: Option<i64>,
    dropped_calls_30d: i64,
    support_calls_90d: i64,
    complaints_90d: i64,
}

/// An answer.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    prediction: u8,
    probability: f64,
    model_version: &'static str,
}

/// A type of texts, each written as it is in the table.
macro_rules! category {
    ($name:ident: $($value:ident = $text:literal),*) => {
        #[derive(Clone, Copy, Debug, Deserialize)]
        enum $name {
            $(#[serde(rename = $text)] $value),*
        }

        impl $name {
            fn text(self) -> &'static str {
                match self { $($name::$value => $text),* }
            }
        }
    };
}

category!(PlanType: Postpaid = "postpaid", Prepaid = "prepaid");
category!(ContractType: Monthly = "month-to-month", One = "one-year", Two = "two-year");
category!(PaymentMethod: Airtime = "airtime_topup", Bank = "bank_transfer", Card = "card",
          Debit = "direct_debit", Ussd = "ussd");
category!(Region: Abuja = "Abuja FCT", Lagos = "Lagos", NorthCentral = "North Central",
          NorthEast = "North East", NorthWest = "North West", SouthEast = "South East",
          SouthSouth = "South South", SouthWest = "South West");
category!(SignupChannel: Agent = "agent", Online = "online", Referral = "referral", Store = "store");

impl Record {
    /// The answer of a linear model whose weights stand in the code. Which ones has no say in what
    /// it costs.
    pub(crate) fn answer(&self) -> Answer {
        let numbers = [
            self.tenure_months as f64,
            self.monthly_charges,
            self.age.map_or(40.0, |age| age as f64),
            f64::from(u8::from(self.device_4g)),
            self.data_gb_month.unwrap_or(2.0),
            self.voice_minutes_month as f64,
            self.topups_90d as f64,
            self.days_since_last_topup.map_or(10.0, |days| days as f64),
            self.dropped_calls_30d as f64,
            self.support_calls_90d as f64,
            self.complaints_90d as f64,
        ];
        let categories = [
            self.plan_type as usize,
            self.contract_type as usize,
            self.payment_method as usize,
            self.region.map_or(0, |region| region as usize),
            self.signup_channel.map_or(0, |channel| channel as usize),
        ];
        let weight = |i: usize| (i % 7) as f64 * 0.003 - 0.01;
        let of_numbers = numbers.iter().enumerate().map(|(i, x)| x * 0.01 * weight(i));
        let of_categories = categories.iter().enumerate().map(|(i, c)| weight(8 * i + c));
        let margin: f64 = of_numbers.chain(of_categories).sum();
        let probability = 1.0 / (1.0 + libm::exp(-margin));
        Answer { prediction: u8::from(probability > 0.5), probability, model_version: "typed" }
    }

    /// The cells in the order of the package's schema, which is that of the table.
    pub(crate) fn cells(&self) -> Vec<Cell> {
        let number = |x: Option<f64>| x.map_or(Cell::Missing, Cell::Number);
        let whole = |n: i64| Cell::Number(n as f64);
        let text = |text: &str| Cell::Text(text.into());
        vec![
            text(self.plan_type.text()),
            whole(self.tenure_months),
            Cell::Number(self.monthly_charges),
            text(self.contract_type.text()),
            text(self.payment_method.text()),
            self.region.map_or(Cell::Missing, |region| text(region.text())),
            number(self.age.map(|age| age as f64)),
            self.signup_channel.map_or(Cell::Missing, |channel| text(channel.text())),
            Cell::Number(f64::from(u8::from(self.device_4g))),
            number(self.data_gb_month),
            whole(self.voice_minutes_month),
            whole(self.topups_90d),
            number(self.days_since_last_topup.map(|days| days as f64)),
            whole(self.dropped_calls_30d),
            whole(self.support_calls_90d),
            whole(self.complaints_90d),
        ]
    }
}

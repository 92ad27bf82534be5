//! The two CSV files: the subscribers as the client has them, and the oracle.
//!
//! One line at a time to any writer; keeps no row. Amounts are formatted from integers, so there
//! is no rounding to depend on; no value holds a comma or a quote, so none is quoted. A missing
//! value is an empty field. `data/README.md` says what the columns mean.

use std::fmt::Display;
use std::io::{self, Write};

use crate::churn::MILLION;
use crate::subscriber::{Contract, Plan, Subscriber};

const SUBSCRIBERS_HEADER: &str = "customer_id,plan_type,tenure_months,monthly_charges,\
    contract_type,payment_method,region,age,signup_channel,device_4g,data_gb_month,\
    voice_minutes_month,topups_90d,days_since_last_topup,dropped_calls_30d,support_calls_90d,\
    complaints_90d,churned";
const ORACLE_HEADER: &str = "customer_id,churn_probability";

/// The first line of the subscribers.
pub(crate) fn write_subscribers_header(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{SUBSCRIBERS_HEADER}")
}

/// The first line of the oracle.
pub(crate) fn write_oracle_header(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{ORACLE_HEADER}")
}

/// The line of one subscriber.
pub(crate) fn write_subscriber(
    out: &mut dyn Write,
    s: &Subscriber,
    churned: bool,
) -> io::Result<()> {
    write_id(out, s)?;
    write!(out, ",{},{},", plan_name(s.plan), s.tenure_months)?;
    write_hundredths(out, s.monthly_charges_kobo)?;
    write!(out, ",{},{},", contract_name(s.contract), s.payment_method)?;
    write_known(out, s.region)?;
    write_known(out, s.age)?;
    write_known(out, s.signup_channel)?;
    write!(out, "{},", s.device_4g)?;
    if let Some(data) = s.data_centi_gb_month {
        write_hundredths(out, data)?;
    }
    write!(out, ",{},{},", s.voice_minutes_month, s.topups_90d)?;
    write_known(out, s.days_since_last_topup)?;
    write!(out, "{},{},", s.dropped_calls_30d, s.support_calls_90d)?;
    writeln!(out, "{},{}", s.complaints_90d, u8::from(churned))
}

/// The line of one subscriber's true probability.
pub(crate) fn write_oracle(out: &mut dyn Write, s: &Subscriber, millionths: u32) -> io::Result<()> {
    write_id(out, s)?;
    writeln!(out, ",{}.{:06}", millionths / MILLION, millionths % MILLION)
}

/// The name of a plan in the table.
pub(crate) fn plan_name(plan: Plan) -> &'static str {
    match plan {
        Plan::Prepaid => "prepaid",
        Plan::Postpaid => "postpaid",
    }
}

fn contract_name(contract: Contract) -> &'static str {
    match contract {
        Contract::MonthToMonth => "month-to-month",
        Contract::OneYear => "one-year",
        Contract::TwoYear => "two-year",
    }
}

fn write_id(out: &mut dyn Write, s: &Subscriber) -> io::Result<()> {
    write!(out, "TM-{:08}", s.number)
}

fn write_hundredths(out: &mut dyn Write, value: u32) -> io::Result<()> {
    write!(out, "{}.{:02}", value / 100, value % 100)
}

fn write_known(out: &mut dyn Write, value: Option<impl Display>) -> io::Result<()> {
    match value {
        Some(value) => write!(out, "{value},"),
        None => write!(out, ","),
    }
}

//! One subscriber: what the operator's systems know about a customer on the day of the snapshot.
//!
//! Draws the columns in the order of a life: how a person pays and how long they have been with
//! the operator, how much they use, then what the last 90 days were like. Knows nothing of churn:
//! `churn.rs` reads the result as anyone with the table could, so that the best model possible is
//! known exactly. Moods (fading, pausing, aggrieved) are drawn here and thrown away; a model sees
//! only what they leave behind, as in life.

use crate::draw::Draw;

/// How a subscriber pays: beforehand by top-ups, or by a monthly bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Prepaid,
    Postpaid,
}

/// How long a subscriber is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contract {
    MonthToMonth,
    OneYear,
    TwoYear,
}

/// A row without its label. The units are chosen so that every value is a whole number.
pub(crate) struct Subscriber {
    /// Counted from 1; the customer id.
    pub(crate) number: u64,
    pub(crate) plan: Plan,
    pub(crate) tenure_months: u32,
    pub(crate) monthly_charges_kobo: u32,
    pub(crate) contract: Contract,
    pub(crate) payment_method: &'static str,
    pub(crate) region: Option<&'static str>,
    pub(crate) age: Option<u32>,
    pub(crate) signup_channel: Option<&'static str>,
    pub(crate) device_4g: bool,
    /// In hundredths of a gigabyte.
    pub(crate) data_centi_gb_month: Option<u32>,
    pub(crate) voice_minutes_month: u32,
    pub(crate) topups_90d: u32,
    /// Days; whoever is billed has no top-ups to count from.
    pub(crate) days_since_last_topup: Option<u32>,
    pub(crate) dropped_calls_30d: u32,
    pub(crate) support_calls_90d: u32,
    pub(crate) complaints_90d: u32,
}

/// What the recent weeks were like for a prepaid subscriber.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    /// Tops up as ever.
    Regular,
    /// Away for a season, or on a second SIM: falls silent, and mostly comes back.
    Pausing,
    /// Losing interest: fewer top-ups, then none.
    Fading,
}

pub(crate) const SHARE_PREPAID: f64 = 0.72;
pub(crate) const TENURE_MONTHS: (u32, u32) = (1, 72);
pub(crate) const NAIRA_KOBO: u32 = 100;
pub(crate) const CHARGES_KOBO: (u32, u32) = (200 * NAIRA_KOBO, 5_000 * NAIRA_KOBO);
/// After so many silent days the line would have been taken back.
pub(crate) const SILENCE_DAYS_MAX: u32 = 120;
pub(crate) const AGE_MAX: u32 = 85;
pub(crate) const DATA_CENTI_GB_MAX: u32 = 150 * 100;
pub(crate) const VOICE_MINUTES_MAX: u32 = 3_000;
pub(crate) const DROPPED_CALLS_MAX: u32 = 60;

/// How many are in which mood. Newcomers try a SIM and let it go.
const FADING_NEWCOMERS: f64 = 0.08;
const FADING: f64 = 0.035;
const PAUSING: f64 = 0.06;
const NEWCOMER_MONTHS_MAX: u32 = 6;
/// Times the region's dropped calls.
const AGGRIEVED: f64 = 0.115;

/// The usual prepaid subscriber tops up so often in 90 days.
const TOPUPS_90D: f64 = 8.0;

/// Lagos, Abuja and the geopolitical zones: how often calls drop there against the country's
/// mean, and the share of subscribers. A region matters only through its network.
const REGIONS: [((&str, f64), f64); 8] = [
    (("Lagos", 0.8), 0.27),
    (("Abuja FCT", 0.8), 0.08),
    (("South West", 0.9), 0.16),
    (("South East", 1.0), 0.11),
    (("South South", 1.2), 0.13),
    (("North Central", 1.0), 0.08),
    (("North West", 1.3), 0.12),
    (("North East", 1.6), 0.05),
];

const PREPAID_PAYMENT: [(&str, f64); 4] =
    [("airtime_topup", 0.47), ("ussd", 0.29), ("bank_transfer", 0.15), ("card", 0.09)];
const POSTPAID_PAYMENT: [(&str, f64); 4] =
    [("direct_debit", 0.38), ("card", 0.31), ("bank_transfer", 0.27), ("ussd", 0.04)];
const SIGNUP_CHANNELS: [(&str, f64); 4] =
    [("agent", 0.48), ("store", 0.24), ("online", 0.16), ("referral", 0.12)];

/// Where values go missing, and how often.
const REGION_UNKNOWN: f64 = 0.01;
const DATA_METER_LOST: f64 = 0.03;
const AGE_UNKNOWN_PREPAID: f64 = 0.09;
const AGE_UNKNOWN_POSTPAID: f64 = 0.02;
const CHANNEL_UNKNOWN: f64 = 0.04;
/// The sign-up channel has been recorded for so long; older customers have none.
const CHANNEL_RECORDED_MONTHS: u32 = 48;

impl Subscriber {
    /// The subscriber of row `row`, counted from 0.
    pub(crate) fn draw(draw: &mut Draw, row: u64) -> Subscriber {
        let plan = if draw.chance(SHARE_PREPAID) { Plan::Prepaid } else { Plan::Postpaid };
        let prepaid = plan == Plan::Prepaid;
        let tenure_months = tenure(draw, plan);
        let contract = contract(draw, plan);
        let payment = if prepaid { &PREPAID_PAYMENT } else { &POSTPAID_PAYMENT };
        let payment_method = draw.choose(payment);
        let (region, drops) = draw.choose(&REGIONS);
        // How much a person uses, in standard deviations; spending, data and top-ups follow it.
        let appetite = draw.normal();
        let monthly_charges_kobo = charges(draw, plan, appetite);
        let device_4g = draw.chance(logistic(if prepaid { 0.3 } else { 1.6 } + 0.6 * appetite));
        let recent = Recent::draw(draw, plan, tenure_months, appetite, drops);
        let data = data_centi_gb(draw, appetite, device_4g, recent.activity);
        let voice = 130.0 * libm::exp(0.35 * appetite + 0.6 * draw.normal()) * recent.activity;
        let age = age(draw, plan);
        let channel = draw.choose(&SIGNUP_CHANNELS);
        let channel_known =
            tenure_months <= CHANNEL_RECORDED_MONTHS && !draw.chance(CHANNEL_UNKNOWN);
        Subscriber {
            number: row + 1,
            plan,
            tenure_months,
            monthly_charges_kobo,
            contract,
            payment_method,
            region: (!draw.chance(REGION_UNKNOWN)).then_some(region),
            age: (!draw.chance(if prepaid { AGE_UNKNOWN_PREPAID } else { AGE_UNKNOWN_POSTPAID }))
                .then_some(age),
            signup_channel: channel_known.then_some(channel),
            device_4g,
            data_centi_gb_month: (!draw.chance(DATA_METER_LOST)).then_some(data),
            voice_minutes_month: (voice as u32).min(VOICE_MINUTES_MAX),
            topups_90d: recent.topups_90d,
            days_since_last_topup: recent.days_since_last_topup,
            dropped_calls_30d: recent.dropped_calls_30d,
            support_calls_90d: recent.support_calls_90d,
            complaints_90d: recent.complaints_90d,
        }
    }
}

/// What the last 90 days were like.
struct Recent {
    /// Use against the usual, 1 for no change.
    activity: f64,
    topups_90d: u32,
    days_since_last_topup: Option<u32>,
    dropped_calls_30d: u32,
    support_calls_90d: u32,
    complaints_90d: u32,
}

impl Recent {
    fn draw(draw: &mut Draw, plan: Plan, tenure: u32, appetite: f64, drops: f64) -> Recent {
        match plan {
            Plan::Prepaid => Recent::prepaid(draw, tenure, appetite, drops),
            Plan::Postpaid => Recent::postpaid(draw, drops),
        }
    }

    /// Prepaid subscribers rarely call; their top-ups speak.
    fn prepaid(draw: &mut Draw, tenure: u32, appetite: f64, drops: f64) -> Recent {
        let fading = if tenure <= NEWCOMER_MONTHS_MAX { FADING_NEWCOMERS } else { FADING };
        let regular = 1.0 - fading - PAUSING;
        let mood = draw.choose(&[
            (Mood::Fading, fading),
            (Mood::Pausing, PAUSING),
            (Mood::Regular, regular),
        ]);
        let per_day = libm::exp(0.45 * appetite + 0.35 * draw.normal()) * TOPUPS_90D / 90.0;
        let (silence, activity) = match mood {
            Mood::Regular => (draw.exponential(0.8 / per_day), 1.0),
            Mood::Pausing => (draw.between(15.0, 75.0), draw.between(0.3, 0.9)),
            Mood::Fading => (25.0 + draw.exponential(26.0), draw.between(0.15, 0.7)),
        };
        let days = (silence as u32).min(SILENCE_DAYS_MAX);
        // The days before the silence had top-ups at the usual pace; the last one ended them.
        let active_days = 90.0 - f64::from(days.min(90));
        let pace = if mood == Mood::Fading { 0.7 } else { 1.0 };
        let earlier = draw.count(per_day * pace * active_days);
        let topups_90d = if days < 90 { earlier + 1 } else { 0 };
        Recent {
            activity,
            topups_90d,
            days_since_last_topup: Some(days),
            dropped_calls_30d: dropped_calls(draw, drops, 1.0),
            support_calls_90d: draw.count(0.35),
            complaints_90d: draw.count(0.08),
        }
    }

    /// Postpaid subscribers speak up; the aggrieved do so repeatedly.
    fn postpaid(draw: &mut Draw, drops: f64) -> Recent {
        let aggrieved = draw.chance(AGGRIEVED * drops);
        let heat = if aggrieved { draw.between(2.5, 5.0) } else { 0.12 };
        let network = if aggrieved { draw.between(1.0, 4.0) } else { 1.0 };
        let dropped_calls_30d = dropped_calls(draw, drops, network);
        let complaints_90d = draw.count(heat);
        Recent {
            activity: 1.0,
            topups_90d: 0,
            days_since_last_topup: None,
            dropped_calls_30d,
            support_calls_90d: complaints_90d / 2 + draw.count(0.5 + 0.6 * heat),
            complaints_90d,
        }
    }
}

fn dropped_calls(draw: &mut Draw, drops: f64, network: f64) -> u32 {
    let mean = draw.exponential(2.0 * drops * network);
    draw.count(mean).min(DROPPED_CALLS_MAX)
}

fn tenure(draw: &mut Draw, plan: Plan) -> u32 {
    let (min, max) = TENURE_MONTHS;
    let mean = match plan {
        Plan::Prepaid => 22.0,
        Plan::Postpaid => 30.0,
    };
    (min + draw.exponential(mean) as u32).min(max)
}

fn contract(draw: &mut Draw, plan: Plan) -> Contract {
    let [monthly, one, two] = match plan {
        Plan::Prepaid => [0.97, 0.02, 0.01],
        Plan::Postpaid => [0.48, 0.33, 0.19],
    };
    let weighted =
        [(Contract::MonthToMonth, monthly), (Contract::OneYear, one), (Contract::TwoYear, two)];
    draw.choose(&weighted)
}

fn charges(draw: &mut Draw, plan: Plan, appetite: f64) -> u32 {
    let (median, spread) = match plan {
        Plan::Prepaid => (1_250.0, 0.45),
        Plan::Postpaid => (2_700.0, 0.25),
    };
    let naira = median * libm::exp(0.4 * appetite + spread * draw.normal());
    let (min, max) = CHARGES_KOBO;
    (libm::round(naira * 100.0) as u32).clamp(min, max)
}

fn data_centi_gb(draw: &mut Draw, appetite: f64, device_4g: bool, activity: f64) -> u32 {
    let median = if device_4g { 5.5 } else { 1.2 };
    let gb = median * libm::exp(0.6 * appetite + 0.5 * draw.normal()) * activity;
    (libm::round(gb * 100.0) as u32).min(DATA_CENTI_GB_MAX)
}

fn age(draw: &mut Draw, plan: Plan) -> u32 {
    let start = match plan {
        Plan::Prepaid => 18.0,
        Plan::Postpaid => 24.0,
    };
    // The sum of two waits: young people, and a long tail of older ones.
    let age = start + draw.exponential(7.0) + draw.exponential(7.0);
    (age as u32).min(AGE_MAX)
}

/// The logistic function: from log-odds to a probability.
pub(crate) fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-log_odds))
}

"""The record of the example, with its ranges, as both applications of FastAPI declare it."""

from typing import Literal

from pydantic import BaseModel, Field


class Record(BaseModel):
    plan_type: Literal["postpaid", "prepaid"]
    tenure_months: int = Field(ge=1, le=72)
    monthly_charges: float = Field(ge=200, le=5000)
    contract_type: Literal["month-to-month", "one-year", "two-year"]
    payment_method: Literal["airtime_topup", "bank_transfer", "card", "direct_debit", "ussd"]
    region: (
        Literal[
            "Abuja FCT",
            "Lagos",
            "North Central",
            "North East",
            "North West",
            "South East",
            "South South",
            "South West",
        ]
        | None
    )
    age: int | None = Field(ge=18, le=85)
    signup_channel: Literal["agent", "online", "referral", "store"] | None
    device_4g: bool
    data_gb_month: float | None = Field(ge=0.06, le=103.2)
    voice_minutes_month: int = Field(ge=5, le=1539)
    topups_90d: int = Field(ge=0, le=69)
    days_since_last_topup: int | None = Field(ge=0, le=120)
    dropped_calls_30d: int = Field(ge=0, le=34)
    support_calls_90d: int = Field(ge=0, le=11)
    complaints_90d: int = Field(ge=0, le=12)

"""The pure rules: money, receipts, programmes, accrual, redemption, returns, identifiers. No I/O, no clock, no float."""

"""The pure rules: money, receipts, programmes, accrual, redemption, returns, lots, identifiers.

No I/O, no clock, no float. Start with `engine.calculate`.
"""

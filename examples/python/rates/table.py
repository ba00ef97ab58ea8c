# What one euro is in each currency.
RATES = {"EUR": 1.0, "SEK": 11.2, "GBP": 0.85, "CHF": 0.95}

"""What every signal became on the candles that followed, taken or not.

`replay` plays one signal, `candles` says where the candles come from, `desk` does it for the
journal: while trading, and for a whole backtest.
"""

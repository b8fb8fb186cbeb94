"""`scalp demo`: the whole way through the product, offline."""

from scalp_strategy.demo.show import DemoOptions, run_demo

__all__ = ["DemoOptions", "run_demo"]

"""The demo: a real cluster, a real store, two trained models, and an alias that moves under load."""

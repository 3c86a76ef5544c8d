"""The demo of training: data goes in, versions come out, and everything in between can be asked for."""

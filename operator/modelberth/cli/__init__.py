"""The command line and the SDK: one module per command, each imported when it is called."""

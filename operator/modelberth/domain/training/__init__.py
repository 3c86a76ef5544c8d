"""What training runs do: decisions over frozen data, without I/O."""

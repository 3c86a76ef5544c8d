"""The bucket: spaces, content, records, signing. `port.StorePort` is what the layers above may ask of it."""

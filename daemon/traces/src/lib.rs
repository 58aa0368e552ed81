//! Spans of requests in a fixed schema, for a collector on this device.
